// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "nft.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <nftables/libnftables.h>

int rsip_nft_run(const char *commands, char *why, size_t why_len)
{
	struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
	const char *said;
	int err = 0;

	if (!nft)
		return -ENOMEM;
	nft_ctx_buffer_error(nft);
	nft_ctx_buffer_output(nft);
	if (nft_run_cmd_from_buffer(nft, commands)) {
		said = nft_ctx_get_error_buffer(nft);
		snprintf(why, why_len, "%s", said && *said ? said : "refused");
		why[strcspn(why, "\n")] = '\0';
		err = -EIO;
	}
	nft_ctx_free(nft);
	return err;
}
