// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The host's end of an IP-IP tunnel (RFC 2003) on kernels that have no ipip device, or of a GRE tunnel (RFC 2784,
 * without options) on those that have no gre device; and of both over IPv6 (RFC 2473) where ip6tnl or ip6gre is missing.
 *
 *   program in the namespace -> app end (leased address) ~veth~ dev end -> rsip_tun_out -> NIC ->
 * gateway program in the namespace <- app end ~veth~ dev end <- rsip_tun_in <- NIC <- gateway
 *
 * rsip_tun_out runs at TC ingress of the veth's dev end, rsip_tun_in at TC ingress of the NIC; over IPv6 rsip_tun_out6
 * and rsip_tun_in6.  Fragments of tunnel packets are left to the kernel: what it makes of them comes to a raw socket of
 * the client (whole.c), for which rsip_tun_whole decides.
 */
#include "tun_too_big.h"

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

/* What congestion on the way from the gateway means for the inner packet; -1: that it is dropped. */
static __always_inline int join_ecn(__u8 outer_tos, struct iphdr *inner)
{
	__u8 tos = inner->tos;
	__u32 sum;

	if (rsip_ecn_join(outer_tos, &tos))
		return -1;
	/* RFC 1624: the byte is the low one of its word, so the sum changes by as much as it does. */
	sum = (__u16)~bpf_ntohs(inner->check) + (0xffff ^ inner->tos) + tos;
	inner->tos = tos;
	sum = (sum & 0xffff) + (sum >> 16);
	inner->check = ~bpf_htons((sum & 0xffff) + (sum >> 16));
	return 0;
}

/* What is counted is the inner packet, before its place moves. */
static __always_inline void count_in(const struct iphdr *inner)
{
	count(RSIP_TUN_IN_PACKETS, 1);
	count(RSIP_TUN_IN_BYTES, bpf_ntohs(inner->tot_len));
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

/* The same over IPv6.  What has extension headers, a fragment for one, is the kernel's first. */
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
	if (t->outer.nexthdr == IPPROTO_ICMPV6_)
		return too_big6(skb);
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

/*
 * Is this tunnel packet, which the kernel had to put together first or that has options, ours?  As above: from the
 * endpoint of the leased inner destination.  The socket is bound to our end and takes one protocol.
 */
SEC("socket")
int rsip_tun_whole(struct __sk_buff *skb)
{
	__u32 gre = rsip_tun_cfg.gre ? GRE_LEN : 0, at = 0;
	struct rsip_tun_addr *from;
	struct ipv6hdr outer6;
	struct iphdr ip;
	__be32 word;

	/* A raw socket sees IPv4's header, and what is behind IPv6's. */
	if (!rsip_tun_cfg.v6) {
		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)))
			return 0;
		at = ip.ihl * 4;
		word = ip.saddr;
	} else if (bpf_skb_load_bytes_relative(skb, 0, &outer6, sizeof(outer6), BPF_HDR_START_NET)) {
		return 0;
	}
	if (gre && (bpf_skb_load_bytes(skb, at, &ip, GRE_LEN) || *(__be32 *)&ip != GRE_HEADER))
		return 0;
	if (bpf_skb_load_bytes(skb, at + gre, &ip, sizeof(ip)) || ip.version != 4)
		return 0;
	from = bpf_map_lookup_elem(&rsip_tun_addrs, &ip.daddr);
	if (!from || (rsip_tun_cfg.v6 ? !same_v6(&outer6.saddr, from->endpoint.v6) : word != from->endpoint.v4))
		return 0;
	return skb->len;
}

char _license[] SEC("license") = "Dual BSD/GPL";
