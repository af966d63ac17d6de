/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's ESP and AH security associations, read only. */
#ifndef RSIP_CLIENT_XFRM_H
#define RSIP_CLIENT_XFRM_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

struct rsip_sa {
	__be32 src, dst;
	uint32_t spi; /* host order */
	uint8_t proto;
	bool encap; /* in UDP */
	uint64_t bytes, packets;
};

/* Calls take() for each IPv4 SA of the calling thread's network namespace.  0 or a negative errno.
 */
int rsip_xfrm_each(void (*take)(void *ctx, const struct rsip_sa *sa), void *ctx);

#endif
