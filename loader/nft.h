/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* nftables, by the library that `nft` itself is made of: what we make is what `nft list` shows. */
#ifndef RSIP_LOADER_NFT_H
#define RSIP_LOADER_NFT_H

#include <stddef.h>

/* Runs commands, all or none.  0, or -EIO with the library's own words in why. */
int rsip_nft_run(const char *commands, char *why, size_t why_len);

#endif
