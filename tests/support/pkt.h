/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Packets for tests, written as a list of layers:
 *
 *   struct pkt in = pkt(eth(MAC_ROUTER, MAC_GW_PUB), ip4(REMOTE, PUB_1, .ttl = 9),
 *                       udp(53, 4003), text("hello"));
 *
 * Lengths, protocol numbers and checksums are computed when the list is complete; a field that is
 * given stays as given.  The code shares nothing with bpf/.  Addresses in network order, everything
 * else in host order.
 */
#ifndef RSIP_TEST_PKT_H
#define RSIP_TEST_PKT_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>
#include <linux/types.h>
#include "cast.h"

#define PKT_MAX 9100 /* of BPF_PROG_TEST_RUN: XDP has more than some 3,500 in several buffers, TC refuses it */

struct pkt {
	uint32_t len;
	uint8_t data[PKT_MAX];
};

enum pkt_kind {
	PKT_END,
	PKT_ETH,
	PKT_VLAN,
	PKT_ARP,
	PKT_IP4,
	PKT_IP6,
	PKT_TCP,
	PKT_UDP,
	PKT_UDPLITE,
	PKT_SCTP,
	PKT_ESP,
	PKT_AH,
	PKT_ICMP,
	PKT_ICMP6,
	PKT_IKE,
	PKT_GRE,
	PKT_BYTES,
	PKT_PAD,
};

/* 0 means "computed" or the usual value everywhere; ttl_zero says that zero is meant. */
struct pkt_layer {
	enum pkt_kind kind;
	const char *src_mac, *dst_mac; /* Ethernet, ARP */
	uint16_t eth_type; /* Ethernet, VLAN: of what follows; computed from the next layer */
	uint16_t vlan;
	uint16_t op; /* ARP */
	__be32 src, dst; /* IP, ARP */
	const char *src6, *dst6; /* IPv6: sixteen bytes each */
	uint32_t flow; /* IPv6: flow label; of a packet that is wanted 0 is any */
	uint8_t ttl; /* 64 */
	uint8_t tos;
	uint8_t proto;
	uint8_t version; /* 4 */
	uint8_t ihl; /* words; computed from options */
	bool df, mf, ttl_zero, bad_csum;
	uint16_t id, frag; /* frag: offset in units of 8 bytes */
	uint16_t total_len; /* IP, UDP */
	const char *options; /* IP; 4 * n bytes */
	uint8_t options_len;
	uint16_t sport, dport; /* all with ports */
	uint32_t spi; /* ESP, AH */
	uint8_t type, code; /* ICMP */
	uint16_t rest_hi, rest_lo; /* ICMP: identifier and sequence, or unused and MTU */
	uint64_t icookie, rcookie; /* IKE, as read by a person: host order */
	uint8_t ike_version; /* 0x20 */
	uint8_t flags; /* IKE: 0x08 initiator, 0x20 response; TCP: 0x10 ACK */
	bool non_esp; /* IKE on 4500: four zero bytes first */
	bool csum, key, seq; /* GRE: has these options */
	uint16_t gre_bits; /* GRE: more bits of the first word */
	const void *bytes;
	uint32_t cnt; /* bytes; bytes NULL: a pattern */
};

#define eth(s, d, ...)                                                                             \
	((struct pkt_layer){ .kind = PKT_ETH, .src_mac = s, .dst_mac = d, __VA_ARGS__ })
#define vlan_tag(id) ((struct pkt_layer){ .kind = PKT_VLAN, .vlan = id })
#define ip4(s, d, ...) ((struct pkt_layer){ .kind = PKT_IP4, .src = s, .dst = d, __VA_ARGS__ })
/* tos: traffic class; ttl: hop limit; total_len: payload length. */
#define ip6(s, d, ...) ((struct pkt_layer){ .kind = PKT_IP6, .src6 = s, .dst6 = d, __VA_ARGS__ })
#define tcp(s, d) ((struct pkt_layer){ .kind = PKT_TCP, .sport = s, .dport = d })
#define udp(s, d, ...) ((struct pkt_layer){ .kind = PKT_UDP, .sport = s, .dport = d, __VA_ARGS__ })
#define udplite(s, d) ((struct pkt_layer){ .kind = PKT_UDPLITE, .sport = s, .dport = d })
#define sctp(s, d) ((struct pkt_layer){ .kind = PKT_SCTP, .sport = s, .dport = d })
#define esp(n) ((struct pkt_layer){ .kind = PKT_ESP, .spi = n }), bytes(40)
#define ah(n, ...) ((struct pkt_layer){ .kind = PKT_AH, .spi = n, __VA_ARGS__ })
#define icmp(t, c, ...) ((struct pkt_layer){ .kind = PKT_ICMP, .type = t, .code = c, __VA_ARGS__ })
#define frag_needed(mtu) icmp(3, 4, .rest_lo = mtu)
/* ICMPv6 packet-too-big (RFC 4443 3.2), right behind an IPv6 header. */
#define too_big6(mtu)                                                                              \
	((struct pkt_layer){ .kind = PKT_ICMP6, .type = 2, .rest_hi = (mtu) >> 16, .rest_lo = (uint16_t)(mtu) })
#define echo_request(id) icmp(8, 0, .rest_hi = id, .rest_lo = 1)
#define echo_reply(id) icmp(0, 0, .rest_hi = id, .rest_lo = 1)
/* IKE: v2 unless .ike_version says otherwise; flags as RFC 7296 3.1. */
#define IKE_I 0x08
#define IKE_R 0x20
#define ike(i, r, ...)                                                                             \
	((struct pkt_layer){ .kind = PKT_IKE, .icookie = i, .rcookie = r, __VA_ARGS__ })
#define ikev1(i, r, ...) ike(i, r, .ike_version = 0x10, __VA_ARGS__)
#define arp_request(mac, from, to)                                                                 \
	((struct pkt_layer){ .kind = PKT_ARP,                                                      \
			     .op = 1,                                                              \
			     .src_mac = mac,                                                       \
			     .src = from,                                                          \
			     .dst_mac = "\0\0\0\0\0",                                              \
			     .dst = to })
#define arp_reply(mac, from, to_mac, to)                                                           \
	((struct pkt_layer){ .kind = PKT_ARP,                                                      \
			     .op = 2,                                                              \
			     .src_mac = mac,                                                       \
			     .src = from,                                                          \
			     .dst_mac = to_mac,                                                    \
			     .dst = to })
/* GRE: RFC 2784 and 2890; csum true: computed over header and payload. */
#define gre(...) ((struct pkt_layer){ .kind = PKT_GRE, __VA_ARGS__ })
#define text(t) ((struct pkt_layer){ .kind = PKT_BYTES, .bytes = t, .cnt = sizeof(t) - 1 })
#define raw(p, n) ((struct pkt_layer){ .kind = PKT_BYTES, .bytes = p, .cnt = n })
#define bytes(n) ((struct pkt_layer){ .kind = PKT_BYTES, .cnt = n }) /* a pattern */
#define pad(n)                                                                                     \
	((struct pkt_layer){ .kind = PKT_PAD, .cnt = n }) /* after the end of the IP packet */

#define pkt(...) pkt_build((const struct pkt_layer[]){ __VA_ARGS__, { .kind = PKT_END } })

struct pkt pkt_build(const struct pkt_layer *layers);

/* The text of one packet, one line per layer; the caller frees it. */
char *pkt_text(const uint8_t *data, uint32_t len);
/* NULL where both are equal; else both packets decoded, the first field that differs by name, and
 * the raw bytes. */
char *pkt_difference(const struct pkt *want, const uint8_t *got, uint32_t got_len);

uint16_t pkt_sum16(const void *data, uint32_t len, uint32_t start);
void pkt_sum_header(uint8_t *ip); /* writes the checksum of this IPv4 header, with its options */

#endif
