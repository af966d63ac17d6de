// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The host's end of an IP-IP tunnel (RFC 2003) on kernels that have no ipip device, or of a GRE tunnel (RFC 2784,
 * without options) on those that have no gre device; and of both over IPv6 (RFC 2473) where ip6tnl or ip6gre is missing.
 *
 *   program in the namespace -> app end (leased address) ~veth~ dev end -> rsip_tun_out -> NIC ->
 * gateway program in the namespace <- app end ~veth~ dev end <- rsip_tun_in <- NIC <- gateway
 *
 * rsip_tun_out runs at TC ingress of the veth's dev end, rsip_tun_in at TC ingress of the NIC; over IPv6 rsip_tun_out6
 * and rsip_tun_in6.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "../client/tun.h"

#define TC_ACT_UNSPEC (-1) /* the next filter, of another client perhaps, then the kernel */
#define TC_ACT_SHOT 2
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_ALEN 6
#define IPPROTO_ICMP_ 1
#define IPPROTO_IPIP_ 4
#define IPPROTO_GRE_ 47
#define GRE_LEN 4
#define IP_DF 0x4000
#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */
#define ECN_MASK 3
#define ECN_NOT_ECT 0
#define ECN_CE 3
#define OUTER_TTL 64

const volatile struct rsip_tun_config rsip_tun_cfg = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSIP_TUN_ADDRS_MAX);
	__type(key, __be32);
	__type(value, struct rsip_tun_addr);
} rsip_tun_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RSIP_TUN_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} rsip_tun_counts SEC(".maps");

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
} __attribute__((packed));

struct tunnel_frame {
	struct ethhdr eth;
	struct iphdr outer;
	struct iphdr inner;
} __attribute__((packed));

struct tunnel6_frame {
	struct ethhdr eth;
	struct ipv6hdr outer;
	struct iphdr inner;
} __attribute__((packed));

#define GRE_HEADER bpf_htonl(ETH_P_IP) /* no options, version 0, around IPv4 */

static __always_inline void count(__u32 which, __u64 n)
{
	__u64 *v = bpf_map_lookup_elem(&rsip_tun_counts, &which);

	if (v)
		*v += n;
}

static __always_inline int drop(__u32 why)
{
	count(why, 1);
	return TC_ACT_SHOT;
}

/* Points p at the frame and says whether *p lies in linear memory. */
#define HEAD(skb, p)                                                                               \
	({                                                                                         \
		bpf_skb_pull_data(skb, sizeof(*p));                                                \
		p = (void *)(long)(skb)->data;                                                     \
		(void *)(p + 1) <= (void *)(long)(skb)->data_end;                                  \
	})

static __always_inline __u16 header_sum(const struct iphdr *ip)
{
	const __u16 *w = (const void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += w[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/*
 * The inner header, and the gateway's end of its tunnel in *to; NULL: the packet is dropped, and counted.  Only IPv4 is
 * leased: IPv6 and ARP of the namespace end here, without a count.
 */
static __always_inline struct iphdr *leaving(struct __sk_buff *skb, struct rsip_tun_addr **to)
{
	struct frame *f;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return NULL;
	if (!HEAD(skb, f)) {
		count(RSIP_TUN_FAILED, 1);
		return NULL;
	}
	*to = bpf_map_lookup_elem(&rsip_tun_addrs, &f->ip.saddr);
	if (!*to) {
		count(RSIP_TUN_OUT_NOT_LEASED, 1);
		return NULL;
	}
	count(RSIP_TUN_OUT_PACKETS, 1);
	count(RSIP_TUN_OUT_BYTES, bpf_ntohs(f->ip.tot_len));
	return (void *)f + sizeof(f->eth);
}

SEC("tc")
int rsip_tun_out(struct __sk_buff *skb)
{
	__u32 front = sizeof(struct iphdr) + (rsip_tun_cfg.gre ? GRE_LEN : 0);
	struct rsip_tun_addr *to;
	struct tunnel_frame *t;
	struct iphdr *inner;
	struct iphdr outer = {
		.version = 4,
		.ihl = 5,
		.ttl = OUTER_TTL,
		.protocol = rsip_tun_cfg.gre ? IPPROTO_GRE_ : IPPROTO_IPIP_,
	};

	inner = leaving(skb, &to);
	if (!inner)
		return TC_ACT_SHOT;

	/* RFC 2003 3.1; RFC 6040 4.1 normal mode: DSCP and ECN are copied. */
	outer.tos = inner->tos;
	outer.tot_len = bpf_htons(bpf_ntohs(inner->tot_len) + front);
	outer.frag_off = inner->frag_off & bpf_htons(IP_DF);
	outer.id = bpf_get_prandom_u32();
	outer.saddr = rsip_tun_cfg.private_addr.v4;
	outer.daddr = to->endpoint.v4;
	outer.check = header_sum(&outer);

	/* The veth's MTU leaves room for the outer header, so segments keep their size. */
	if (bpf_skb_adjust_room(skb, front, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_FIXED_GSO |
					(rsip_tun_cfg.gre ? BPF_F_ADJ_ROOM_ENCAP_L4_GRE : 0)))
		return drop(RSIP_TUN_FAILED);
	if (!HEAD(skb, t))
		return drop(RSIP_TUN_FAILED);
	t->outer = outer;
	if (rsip_tun_cfg.gre)
		*(__be32 *)((void *)t + sizeof(t->eth) + sizeof(t->outer)) = GRE_HEADER; /* where IP-IP has the inner packet */
	return bpf_redirect_neigh(rsip_tun_cfg.nic, NULL, 0, 0);
}

static __always_inline void copy_v6(void *to, const volatile __be32 *from)
{
	__be32 *t = to;

	for (int i = 0; i < 4; i++)
		t[i] = from[i];
}

/* RFC 2473 5: traffic class from the inner packet, flow label of its flow (RFC 6438), no extension headers. */
SEC("tc")
int rsip_tun_out6(struct __sk_buff *skb)
{
	__u32 gre = rsip_tun_cfg.gre ? GRE_LEN : 0;
	__u32 front = sizeof(struct ipv6hdr) + gre;
	struct rsip_tun_addr *to;
	struct tunnel6_frame *t;
	struct ipv6hdr outer = {
		.nexthdr = rsip_tun_cfg.gre ? IPPROTO_GRE_ : IPPROTO_IPIP_,
		.hop_limit = OUTER_TTL,
	};
	struct iphdr *inner = leaving(skb, &to);
	__u32 word;

	if (!inner)
		return TC_ACT_SHOT;
	outer.payload_len = bpf_htons(bpf_ntohs(inner->tot_len) + gre);
	copy_v6(&outer.saddr, rsip_tun_cfg.private_addr.v6);
	copy_v6(&outer.daddr, to->endpoint.v6);
	word = 6u << 28 | (__u32)inner->tos << 20;
	word |= bpf_get_hash_recalc(skb) & 0xfffff;
	*(__be32 *)&outer = bpf_htonl(word);

	if (bpf_skb_adjust_room(skb, front, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | BPF_F_ADJ_ROOM_FIXED_GSO |
					(rsip_tun_cfg.gre ? BPF_F_ADJ_ROOM_ENCAP_L4_GRE : 0)))
		return drop(RSIP_TUN_FAILED);
	if (!HEAD(skb, t))
		return drop(RSIP_TUN_FAILED);
	t->eth.h_proto = bpf_htons(ETH_P_IPV6);
	t->outer = outer;
	if (rsip_tun_cfg.gre)
		*(__be32 *)((void *)t + sizeof(t->eth) + sizeof(t->outer)) = GRE_HEADER;
	return bpf_redirect_neigh(rsip_tun_cfg.nic, NULL, 0, 0);
}

/* RFC 6040 4.2: what congestion on the way from the gateway means for the inner packet. */
static __always_inline int join_ecn(__u8 outer_tos, struct iphdr *inner)
{
	__u8 have = inner->tos & ECN_MASK;
	__u32 sum;

	if ((outer_tos & ECN_MASK) != ECN_CE || have == ECN_CE)
		return 0;
	if (have == ECN_NOT_ECT)
		return -1;
	/* RFC 1624: the byte grows by a known amount, and it is the low byte of its word. */
	sum = bpf_ntohs(inner->check) + (~(__u32)(ECN_CE - have) & 0xffff);
	sum = (sum & 0xffff) + (sum >> 16);
	inner->check = bpf_htons(sum);
	inner->tos |= ECN_CE;
	return 0;
}

/* What is counted is the inner packet, before its place moves. */
static __always_inline void count_in(const struct iphdr *inner)
{
	count(RSIP_TUN_IN_PACKETS, 1);
	count(RSIP_TUN_IN_BYTES, bpf_ntohs(inner->tot_len));
}

static __always_inline void to_app(void *frame)
{
	struct ethhdr *eth = frame;

	for (int i = 0; i < ETH_ALEN; i++) { /* no memcpy: it would take the zeros of the initializer */
		eth->h_dest[i] = rsip_tun_cfg.app_mac[i];
		eth->h_source[i] = rsip_tun_cfg.dev_mac[i];
	}
}

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
	struct iphdr ip = { .version = 4, .ihl = 5, .ttl = OUTER_TTL, .protocol = IPPROTO_ICMP_ };
	__sum16 check;
	__be16 mtu;
	struct too_big_frame *t;
	struct told_frame *to;
	struct iphdr *inner;

	bpf_skb_pull_data(skb, sizeof(*t) + gre + QUOTED_MIN);
	t = (void *)(long)skb->data;
	inner = (void *)(t + 1) + gre;
	if ((void *)inner + QUOTED_MIN > (void *)(long)skb->data_end || !quotes_us(t, inner))
		return TC_ACT_UNSPEC;
	ip.tot_len = bpf_htons(bpf_ntohs(t->ip.tot_len) - front);
	ip.saddr = inner->daddr;
	ip.daddr = inner->saddr;
	ip.check = header_sum(&ip);
	mtu = bpf_ntohs(t->mtu) > front ? bpf_htons(bpf_ntohs(t->mtu) - front) : 0;
	sum = sum_without(&t->what, 4) + sum_without(&t->outer, 10) + FRAG_NEEDED + mtu;
	if (gre)
		sum += sum_without(t + 1, 2);
	sum = (sum & 0xffff) + (sum >> 16);
	check = ~((sum & 0xffff) + (sum >> 16));
	count(RSIP_TUN_IN_TOO_BIG, 1);
	if (bpf_skb_adjust_room(skb, -(int)front, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO) || !HEAD(skb, to))
		return drop(RSIP_TUN_FAILED);
	to_app(to);
	to->ip = ip;
	to->what = FRAG_NEEDED;
	to->check = check;
	to->unused = 0;
	to->mtu = mtu;
	return bpf_redirect(rsip_tun_cfg.dev, 0);
}

/* Ours is only: from the endpoint of the leased inner destination, to our own address.  Else the
 * kernel's. */
SEC("tc")
int rsip_tun_in(struct __sk_buff *skb)
{
	__u32 front = sizeof(struct iphdr) + (rsip_tun_cfg.gre ? GRE_LEN : 0);
	struct rsip_tun_addr *from;
	struct iphdr *inner;
	struct frame *t;

	if (skb->protocol != bpf_htons(ETH_P_IP))
		return TC_ACT_UNSPEC;
	bpf_skb_pull_data(skb, sizeof(t->eth) + front + sizeof(*inner));
	t = (void *)(long)skb->data;
	inner = (void *)t + sizeof(t->eth) + front;
	if ((void *)(inner + 1) > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	if (t->ip.protocol == IPPROTO_ICMP_)
		return too_big(skb);
	if (rsip_tun_cfg.gre && *(__be32 *)(t + 1) != GRE_HEADER)
		return TC_ACT_UNSPEC;
	if (t->ip.protocol != (rsip_tun_cfg.gre ? IPPROTO_GRE_ : IPPROTO_IPIP_) || t->ip.ihl != 5 ||
	    t->ip.daddr != rsip_tun_cfg.private_addr.v4 ||
	    (t->ip.frag_off & bpf_htons(IP_FRAGMENT)) || inner->version != 4)
		return TC_ACT_UNSPEC;
	from = bpf_map_lookup_elem(&rsip_tun_addrs, &inner->daddr);
	if (!from) {
		count(RSIP_TUN_IN_NOT_LEASED, 1);
		return TC_ACT_UNSPEC;
	}
	if (from->endpoint.v4 != t->ip.saddr)
		return TC_ACT_UNSPEC;
	if (join_ecn(t->ip.tos, inner))
		return drop(RSIP_TUN_IN_ECN);
	count_in(inner);
	to_app(t);
	if (bpf_skb_adjust_room(skb, -(int)front, BPF_ADJ_ROOM_MAC,
				BPF_F_ADJ_ROOM_FIXED_GSO))
		return drop(RSIP_TUN_FAILED);
	return bpf_redirect(rsip_tun_cfg.dev, 0);
}

static __always_inline bool same_v6(const void *a, const volatile __be32 *y)
{
	const __be32 *x = a;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

/* The same over IPv6.  What has extension headers, a fragment for one, is the kernel's. */
SEC("tc")
int rsip_tun_in6(struct __sk_buff *skb)
{
	__u32 gre = rsip_tun_cfg.gre ? GRE_LEN : 0;
	struct rsip_tun_addr *from;
	struct tunnel6_frame *t;
	struct iphdr *inner;

	if (skb->protocol != bpf_htons(ETH_P_IPV6))
		return TC_ACT_UNSPEC;
	bpf_skb_pull_data(skb, sizeof(*t) + gre);
	t = (void *)(long)skb->data;
	inner = (void *)t + sizeof(t->eth) + sizeof(t->outer) + gre;
	if ((void *)(inner + 1) > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	if (gre && *((__be32 *)inner - 1) != GRE_HEADER)
		return TC_ACT_UNSPEC;
	if (t->outer.nexthdr != (gre ? IPPROTO_GRE_ : IPPROTO_IPIP_) || inner->version != 4 ||
	    !same_v6(&t->outer.daddr, rsip_tun_cfg.private_addr.v6))
		return TC_ACT_UNSPEC;
	from = bpf_map_lookup_elem(&rsip_tun_addrs, &inner->daddr);
	if (!from) {
		count(RSIP_TUN_IN_NOT_LEASED, 1);
		return TC_ACT_UNSPEC;
	}
	if (!same_v6(&t->outer.saddr, from->endpoint.v6))
		return TC_ACT_UNSPEC;
	if (join_ecn(t->outer.flow_lbl[0] >> 4, inner)) /* the traffic class's low half has the ECN field */
		return drop(RSIP_TUN_IN_ECN);
	count_in(inner);
	to_app(t);
	t->eth.h_proto = bpf_htons(ETH_P_IP);
	/* The first 20 bytes go with the protocol: else an IPv6 header's length would have to be left. */
	if (bpf_skb_change_proto(skb, bpf_htons(ETH_P_IP), 0) ||
	    bpf_skb_adjust_room(skb, -(int)(sizeof(struct iphdr) + gre), BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return drop(RSIP_TUN_FAILED);
	return bpf_redirect(rsip_tun_cfg.dev, 0);
}

char _license[] SEC("license") = "Dual BSD/GPL";
