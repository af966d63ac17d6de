/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who plays in the packet tests.  Documentation prefixes only (RFC 5737); the private realm
 * is 10.0.0.0/24 and, behind a second interface, 10.0.1.0/24.
 *
 *   HOST_A HOST_B --- priv0 (GW_PRIV)  gateway  pub0 (GW_PUB) --- ROUTER --- REMOTE, REMOTE_2
 *           HOST_C --- priv1 (GW_PRIV2)
 *
 * HOST6_A and HOST6_B have IPv6 addresses on the network of priv0 (GW6_PRIV), HOST6_C on that of priv1.
 *
 * The pool is PUB_1, PUB_2 and PUB_IDLE, which nobody leases.
 */
#ifndef RSIP_TEST_CAST_H
#define RSIP_TEST_CAST_H

#include <stdint.h>
#include <linux/types.h>

/* In network order, and a constant (htonl() is none). */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define CAST_IP(a, b, c, d) ((__be32)((uint32_t)(d) << 24 | (c) << 16 | (b) << 8 | (a)))
#else
#define CAST_IP(a, b, c, d) ((__be32)((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d)))
#endif

#define HOST_A CAST_IP(10, 0, 0, 10)
#define HOST_B CAST_IP(10, 0, 0, 11)
#define HOST_C CAST_IP(10, 0, 1, 12)
#define STRANGER CAST_IP(10, 0, 0, 99) /* on the private side, without a lease */
#define GW_PRIV CAST_IP(10, 0, 0, 1)
#define GW_PRIV2 CAST_IP(10, 0, 1, 1)
#define GW_PUB CAST_IP(192, 0, 2, 2)
#define ROUTER CAST_IP(192, 0, 2, 1)
#define REMOTE CAST_IP(198, 51, 100, 7)
#define REMOTE_2 CAST_IP(198, 51, 100, 8)
#define UNREACHABLE CAST_IP(198, 51, 100, 66) /* the routing table forbids it */
#define PUB_1 CAST_IP(203, 0, 113, 1)
#define PUB_2 CAST_IP(203, 0, 113, 2)
#define PUB_IDLE CAST_IP(203, 0, 113, 3)
#define NOT_OURS CAST_IP(203, 0, 113, 99)

/* IPv6 addresses as string literals of sixteen bytes: 2001:db8:1::/64 and 2001:db8:2::/64. */
#define CAST_NET6(n) "\x20\x01\x0d\xb8\x00" n "\0\0\0\0\0\0\0\0"
#define HOST6_A CAST_NET6("\x01") "\0\x10"
#define HOST6_B CAST_NET6("\x01") "\0\x11"
#define HOST6_C CAST_NET6("\x02") "\0\x12"
#define STRANGER6 CAST_NET6("\x01") "\0\x99"
#define GW6_PRIV CAST_NET6("\x01") "\0\x01"
#define GW6_PRIV2 CAST_NET6("\x02") "\0\x01"

/* MAC addresses as string literals of six bytes. */
#define MAC_HOST_A "\x02\x00\x00\x00\x0a\x0a"
#define MAC_HOST_B "\x02\x00\x00\x00\x0a\x0b"
#define MAC_HOST_C "\x02\x00\x00\x00\x0a\x0c"
#define MAC_HOST6 "\x02\x00\x00\x00\x0a\x06" /* all of them are behind one router */
#define MAC_STRANGER "\x02\x00\x00\x00\x0a\x99"
#define MAC_GW_PRIV "\x02\x00\x00\x00\x02\x01"
#define MAC_GW_PRIV2 "\x02\x00\x00\x00\x03\x01"
#define MAC_GW_PUB "\x02\x00\x00\x00\x01\x02"
#define MAC_ROUTER "\x02\x00\x00\x00\x01\x01"
#define MAC_VIRTUAL "\x00\x00\x5e\x00\x01\x33"
#define MAC_ALL "\xff\xff\xff\xff\xff\xff"

/* Name of an address or MAC of the cast for messages; NULL for others. */
const char *cast_ip_name(__be32 ip);
const char *cast_mac_name(const uint8_t mac[6]);

#endif
