/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inner packets in user space: those that came out of a tunnel packet which the kernel had to put together. */
#ifndef RSIP_CLIENT_INNER_H
#define RSIP_CLIENT_INNER_H

#include <stddef.h>
#include <stdint.h>

/*
 * Where an IPv4 packet begins in what a raw socket gave: behind skip bytes, its own header and options well formed and
 * all of it there.  Its length by its own header (bytes behind it are padding), or -EBADMSG.
 */
long rsip_inner_find(const uint8_t *buf, size_t len, size_t skip);

/* RFC 6040 4.2, with the header's checksum.  -1: the packet must be dropped. */
int rsip_inner_join_ecn(uint8_t *ip, uint8_t outer_tos);

/*
 * Hands it over whole, or in fragments of at most mtu bytes each (RFC 791 3.2; options go with the first alone unless
 * they are to be copied).  -EMSGSIZE: it must not be fragmented, or mtu leaves no room.  What emit() returns ends it,
 * unless it is 0.
 */
int rsip_inner_cut(const uint8_t *ip, size_t len, size_t mtu, int (*emit)(void *ctx, const uint8_t *ip, size_t len),
		   void *ctx);

#endif
