/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A router between us and the gateway found a tunnel packet too big: who sent the inner one is told (RFC 2003 5.1,
 * RFC 2473 7.1).
 */
#ifndef RSIP_CLIENT_TUN_TOO_BIG_H
#define RSIP_CLIENT_TUN_TOO_BIG_H

#include "rsip/wire.h"
#include "tun_bpf.h"

/* Fragmentation needed, about a packet of ours to the gateway; behind it GRE's header and the inner packet's start. */
struct too_big_frame {
	struct ethhdr eth;
	struct iphdr ip;
	__be16 what; /* type and code */
	__sum16 check;
	__be16 unused, mtu;
	struct iphdr outer;
} __attribute__((packed));

/* The same about the inner packet, as if there were no tunnel. */
struct told_frame {
	struct ethhdr eth;
	struct iphdr ip;
	__be16 what;
	__sum16 check;
	__be16 unused, mtu;
} __attribute__((packed));
#define FRAG_NEEDED bpf_htons(0x0304)
#define QUOTED_MIN (sizeof(struct iphdr) + 8) /* RFC 792 */

/* Of what goes, the complement: the sum over all of a message, its own field included, is zero. */
static __always_inline __u32 sum_without(const void *p, int words)
{
	const __u16 *w = p;
	__u32 sum = 0;

	for (int i = 0; i < words; i++)
		sum += (__u16)~w[i];
	return sum;
}

/* What is in it. */
struct told {
	struct iphdr ip;
	__be16 mtu;
	__sum16 check;
};

/* len: of its packet; sum: of the complements of what goes. */
static __always_inline void write_told(struct told *told, const struct iphdr *inner, __u32 len, __be16 mtu, __u32 sum)
{
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = OUTER_TTL, .protocol = IPPROTO_ICMP_ };

	ip.tot_len = bpf_htons(len);
	ip.saddr = inner->daddr;
	ip.daddr = inner->saddr;
	ip.check = header_sum(&ip);
	told->ip = ip;
	told->mtu = mtu;
	sum += FRAG_NEEDED + mtu;
	sum = (sum & 0xffff) + (sum >> 16);
	told->check = ~((sum & 0xffff) + (sum >> 16));
}

/* front: bytes that the IPv4 packet is too long by. */
static __always_inline int tell(struct __sk_buff *skb, __u32 front, const struct told *told)
{
	struct told_frame *to;

	if (bpf_skb_adjust_room(skb, -(int)front, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) || !HEAD(skb, to))
		return drop(RSIP_TUN_FAILED);
	to_app(to);
	to->eth.h_proto = bpf_htons(ETH_P_IP);
	to->ip = told->ip;
	to->what = FRAG_NEEDED;
	to->check = told->check;
	to->unused = 0;
	to->mtu = told->mtu;
	return bpf_redirect(rsip_tun_cfg.dev, 0);
}

static __always_inline int quotes_us(const struct too_big_frame *t, const struct iphdr *inner)
{
	struct rsip_tun_addr *to;

	if (t->ip.ihl != 5 || t->ip.daddr != rsip_tun_cfg.private_addr.v4 || t->ip.frag_off & bpf_htons(IP_FRAGMENT) ||
	    t->what != FRAG_NEEDED || t->outer.ihl != 5 || t->outer.saddr != rsip_tun_cfg.private_addr.v4 ||
	    t->outer.protocol != (rsip_tun_cfg.gre ? IPPROTO_GRE_ : IPPROTO_IPIP_) || inner->version != 4)
		return 0;
	to = bpf_map_lookup_elem(&rsip_tun_addrs, &inner->saddr);
	return to && to->endpoint.v4 == t->outer.daddr;
}

/*
 * RFC 2003 5.1: a router on the way to the gateway says that a tunnel packet was too big.  Who sent the inner one is told
 * in the same words, with the outer header taken out of the quote and of the MTU, and as from the remote: that is where
 * an answer may come from.
 */
static __always_inline int too_big(struct __sk_buff *skb)
{
	__u32 gre = rsip_tun_cfg.gre ? GRE_LEN : 0, front = sizeof(struct iphdr) + gre, sum;
	struct too_big_frame *t;
	struct iphdr *inner;
	struct told told;
	__be16 mtu;

	bpf_skb_pull_data(skb, sizeof(*t) + gre + QUOTED_MIN);
	t = (void *)(long)skb->data;
	inner = (void *)(t + 1) + gre;
	if ((void *)inner + QUOTED_MIN > (void *)(long)skb->data_end || !quotes_us(t, inner))
		return TC_ACT_UNSPEC;
	mtu = bpf_ntohs(t->mtu) > front ? bpf_htons(bpf_ntohs(t->mtu) - front) : 0;
	sum = sum_without(&t->what, 4) + sum_without(&t->outer, 10);
	if (gre)
		sum += sum_without(t + 1, 2);
	write_told(&told, inner, bpf_ntohs(t->ip.tot_len) - front, mtu, sum);
	count(RSIP_TUN_IN_TOO_BIG, 1);
	return tell(skb, front, &told);
}

/* Packet too big, likewise (RFC 4443 3.2); its checksum covers a pseudo-header. */
struct too_big6_frame {
	struct ethhdr eth;
	struct ipv6hdr ip;
	__be16 what;
	__sum16 check;
	__be16 mtu_hi, mtu_lo;
	struct ipv6hdr outer;
} __attribute__((packed));
#define PACKET_TOO_BIG bpf_htons(0x0200)

static __always_inline int quotes_us6(const struct too_big6_frame *t, const struct iphdr *inner)
{
	struct rsip_tun_addr *to;

	if (!same_v6(&t->ip.daddr, rsip_tun_cfg.private_addr.v6) || t->what != PACKET_TOO_BIG || t->mtu_hi ||
	    bpf_ntohs(t->mtu_lo) < RSIP_PATH_MTU_MIN6 || !same_v6(&t->outer.saddr, rsip_tun_cfg.private_addr.v6) ||
	    t->outer.nexthdr != (rsip_tun_cfg.gre ? IPPROTO_GRE_ : IPPROTO_IPIP_) || inner->version != 4)
		return 0;
	to = bpf_map_lookup_elem(&rsip_tun_addrs, &inner->saddr);
	return to && same_v6(&t->outer.daddr, to->endpoint.v6);
}

/* The sum over what stays of the message, the start of the inner packet: all of it less what goes. */
static __always_inline __u32 sum_of_quote6(const struct too_big6_frame *t, __u32 gre)
{
	__u32 sum = sum_without(&t->ip.saddr, 16) + (__u16)~t->ip.payload_len + (__u16)~bpf_htons(IPPROTO_ICMPV6_);

	sum += sum_without(&t->what, 4) + sum_without(&t->outer, 20);
	return gre ? sum + sum_without(t + 1, 2) : sum;
}

/*
 * RFC 2473 7.1 and 8.1: the same over IPv6, where it is the only way to learn of it: routers never fragment.  A packet
 * that may be fragmented is told of, too: whoever sends from this host keeps the next ones below the path's MTU.
 */
static __always_inline int too_big6(struct __sk_buff *skb)
{
	__u32 gre = rsip_tun_cfg.gre ? GRE_LEN : 0, front = sizeof(struct ipv6hdr) + gre;
	struct too_big6_frame *t;
	struct iphdr *inner;
	struct told told;

	bpf_skb_pull_data(skb, sizeof(*t) + gre + QUOTED_MIN);
	t = (void *)(long)skb->data;
	inner = (void *)(t + 1) + gre;
	if ((void *)inner + QUOTED_MIN > (void *)(long)skb->data_end || !quotes_us6(t, inner))
		return TC_ACT_UNSPEC;
	write_told(&told, inner, bpf_ntohs(t->ip.payload_len) - front + sizeof(struct iphdr),
		   bpf_htons(bpf_ntohs(t->mtu_lo) - front), sum_of_quote6(t, gre));
	count(RSIP_TUN_IN_TOO_BIG, 1);
	/* The first 20 bytes go with the protocol, as in rsip_tun_in6. */
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0))
		return drop(RSIP_TUN_FAILED);
	return tell(skb, front, &told);
}

#endif
