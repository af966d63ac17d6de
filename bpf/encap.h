/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnel headers on and off (RFC 2003, RFC 2784, ECN by RFC 6040).  Of the inner packet only TTL, the ECN field, the DSCP
 * where the configuration says so, and the header checksum ever change.
 */
#ifndef RSIP_BPF_ENCAP_H
#define RSIP_BPF_ENCAP_H

#include "rsip/ecn.h"
#include "dscp.h"

/* Where a frame goes next. */
struct rsip_hop {
	__u8 dst_mac[6];
	__u8 src_mac[6];
	__u32 iface; /* index in rsip_ifaces */
};

/* RFC 1624 equation 3. */
static __always_inline void rsip_csum_replace(__sum16 *check, __be16 old, __be16 new)
{
	*check = ~rsip_csum_fold_few((__u64)(__u16)~*check + (__u16)~old + new);
}

/*
 * Headers are read and written in words of one size: a processor that reads a word of which a byte has just been
 * written must wait until that is in the cache.
 */
static __always_inline void rsip_inner_tos(struct iphdr *ip, __u8 tos)
{
	__be16 *word = (__be16 *)ip, old = *word, new = (old & bpf_htons(0xff00)) | bpf_htons(tos);

	if (old == new)
		return;
	*word = new;
	rsip_csum_replace(&ip->check, old, new);
}

static __always_inline void rsip_inner_ttl(struct iphdr *ip, __u8 ttl)
{
	__be16 *word = (__be16 *)&ip->ttl, old = *word, new = (old & bpf_htons(0xff)) | bpf_htons(ttl << 8);

	*word = new;
	rsip_csum_replace(&ip->check, old, new);
}

/* One less is one more in the sum (RFC 1624 equation 3, whose carry comes back in). */
static __always_inline void rsip_inner_ttl_down(struct iphdr *ip)
{
	__u32 check = ip->check + bpf_htons(0x0100);
	__be16 *word = (__be16 *)&ip->ttl;

	*word -= bpf_htons(0x0100);
	ip->check = (__sum16)(check + (check >= 0xffff));
}

/* TTL down by one, unless the kernel has done so; DSCP and ECN as rsip_dscp_encap(), rsip_ecn_decap() and rsip_dscp_decap() decided. */
static __always_inline void rsip_inner_update(struct iphdr *ip, __u8 tos, bool forwarded)
{
	rsip_inner_tos(ip, tos);
	if (!forwarded)
		rsip_inner_ttl_down(ip);
}

/* 0 or -RSIP_DROP_ECN_CE_NOT_ECT. */
static __always_inline int rsip_ecn_decap(__u8 outer_tos, __u8 *tos)
{
	return rsip_ecn_join(outer_tos, tos) ? -RSIP_DROP_ECN_CE_NOT_ECT : 0;
}

/*
 * Cuts Ethernet padding off: it must not travel inside a tunnel, nor hide behind a shorter packet.  RSIP_PASS_TC: it is a
 * frame of several buffers, and the interface takes none such from XDP; 0: for a packet that goes up to the kernel.
 */
static __always_inline int rsip_trim(struct rsip_ctx *ctx, const struct rsip_ip *ip, __u32 iface)
{
	__u32 len = ip->off + ip->len, first = rsip_frame_first(ctx), all;

	if (first == len && len <= RSIP_ONE_BUFFER)
		return 0;
	if (RSIP_CTX_IS_XDP && first < len && !rsip_iface_takes_buffers(iface))
		return RSIP_PASS_TC;
	all = rsip_frame_len(ctx);
	if (all > len && rsip_ctx_trim(ctx, all, len))
		return -RSIP_DROP_INTERNAL;
	return 0;
}

static __always_inline void rsip_eth_write(struct ethhdr *eth, const struct rsip_hop *hop)
{
	__builtin_memcpy(eth->h_dest, hop->dst_mac, 6);
	__builtin_memcpy(eth->h_source, hop->src_mac, 6);
	eth->h_proto = bpf_htons(RSIP_ETH_IPV4);
}

/*
 * Identification of outer packets that a router may fragment, those without DF: all to one host are put together by their
 * source, destination and protocol, which are the same, so the inner ones, of many remotes, would meet (RFC 6864).  So each
 * host has a counter, or shares one of many.  Who is not above RSIP_PATH_MTU_MIN fits everywhere.
 */
#define RSIP_IDS 4096 /* a power of two */
static __u32 rsip_outer_ids[RSIP_IDS];

/* Two programs may send to one host, each with counters of its own: XDP has the lower half then. */
static __always_inline __u32 rsip_outer_id(__be32 host)
{
	__u32 *next = &rsip_outer_ids[rsip_hash(RSIP_ADDR_KEY(host), rsip_seed) & (RSIP_IDS - 1)];
	__u32 id = __sync_fetch_and_add(next, 1);

	if (RSIP_CTX_IS_XDP)
		return id & 0x7fff;
	return rsip_behind_xdp ? id | 0x8000 : id;
}

/*
 * RFC 2003 3.1.  tos: as rsip_dscp_encap() says; ECN is a copy (RFC 6040 4.1, normal mode).  The identification is any where
 * the packet is never fragmented (RFC 6864 4.1): the inner one costs nothing.
 */
static __always_inline void rsip_outer_write(struct iphdr *outer, const struct iphdr *inner, __u16 inner_len,
					     const struct rsip_binding *rec, __u8 tos)
{
	__u32 front = rsip_tunnel_len(rec->tunnel), proto = front == RSIP_IP_LEN ? RSIP_PROTO_IPIP : RSIP_PROTO_GRE;
	__be32 src = rec->endpoint, dst = rec->host, *word = (__be32 *)outer;
	__be32 first = bpf_htonl(0x45000000U | (__u32)tos << 16 | (inner_len + front));
	__be32 second = ((const __be32 *)inner)[1] & bpf_htonl(0xffff0000U | RSIP_FRAG_DF); /* identification, DF */
	__be32 third = bpf_htonl(RSIP_OUTER_TTL << 24 | proto << 16);

	if (!(second & bpf_htonl(RSIP_FRAG_DF)) && inner_len + front > RSIP_PATH_MTU_MIN)
		second = bpf_htonl(rsip_outer_id(dst) << 16);
	word[0] = first;
	word[1] = second;
	word[2] = third;
	outer->saddr = src;
	outer->daddr = dst;
	outer->check = ~rsip_csum_fold_few((__u64)first + second + third + src + dst);
	if (front != RSIP_IP_LEN)
		rsip_gre_write(outer + 1);
}

/* Over which access network does the packet come, over which does it go: RSIP_FROM_IP6, RSIP_TO_IP6.  host: 0 for none. */
static __always_inline __u32 rsip_over_ip6(const struct rsip_walk *walk, __be32 host)
{
	/* what the slow path brings has been made IPv4 before */
	return (RSIP_HOST6_IS(walk->tunnel_src) && !rsip_is_slow(walk) ? RSIP_FROM_IP6 : 0) | (RSIP_HOST6_IS(host) ? RSIP_TO_IP6 : 0);
}

/*
 * Into the tunnel to a host.  The inner packet may lie behind Ethernet (from the public side) or behind another
 * host's outer header (hairpin), which is then overwritten.
 */
static __always_inline int rsip_encap(const struct rsip_walk *walk, const struct rsip_ip *ip,
				      const struct rsip_binding *rec, const struct rsip_hop *hop)
{
	__u32 front = rsip_tunnel_front(rec->host, rec->tunnel), over = rsip_over_ip6(walk, rec->host);
	struct rsip_ctx *ctx = walk->ctx;
	struct iphdr *outer, *inner;
	struct ethhdr *eth;
	__u16 tos;
	int delta = (int)ip->off - (int)(RSIP_ETH_LEN + front);
	int res = rsip_trim(ctx, ip, hop->iface);

	if (res)
		return res;
	if (rsip_ctx_cut_front(ctx, delta, rsip_l2(walk), over))
		return -RSIP_DROP_INTERNAL;
	eth = rsip_data(ctx);
	outer = (void *)(eth + 1);
	inner = (void *)outer + front;
	if ((void *)inner + RSIP_IP_LEN > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	tos = rsip_dscp_encap(walk->policy, ip->tos);
	rsip_inner_update(inner, (__u8)tos, rsip_is_forwarded(walk));
	rsip_eth_write(eth, hop);
	if (over & RSIP_TO_IP6) {
		eth->h_proto = bpf_htons(RSIP_ETH_IPV6);
		return rsip_ip6_write(ctx, RSIP_ETH_LEN | (__u32)(tos >> 8) << 8, front, rec->iface, rec->host);
	}
	if (front)
		rsip_outer_write(outer, inner, ip->len, rec, tos >> 8);
	return 0;
}

/* Outer header off; the frame starts anew with an Ethernet header for hop.  TTL is left alone. */
static __always_inline int rsip_strip(const struct rsip_walk *walk, const struct rsip_ip *ip,
				      const struct rsip_hop *hop)
{
	struct rsip_ctx *ctx = walk->ctx;
	struct ethhdr *eth;
	int res = rsip_trim(ctx, ip, hop->iface);

	if (res)
		return res;
	if (rsip_ctx_cut_front(ctx, (int)ip->off - RSIP_ETH_LEN, rsip_l2(walk), rsip_over_ip6(walk, 0)))
		return -RSIP_DROP_INTERNAL;
	eth = rsip_data(ctx);
	if ((void *)(eth + 1) > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	rsip_eth_write(eth, hop);
	return 0;
}

/* Out of the tunnel, on to the public realm. */
static __always_inline int rsip_decap(const struct rsip_walk *walk, const struct rsip_ip *ip,
				      const struct rsip_hop *hop)
{
	struct rsip_ctx *ctx = walk->ctx;
	struct iphdr *inner;
	int res = rsip_strip(walk, ip, hop);

	if (res)
		return res;
	inner = rsip_data(ctx) + RSIP_ETH_LEN;
	if ((void *)inner + RSIP_IP_LEN > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	rsip_inner_update(inner, ip->tos, false);
	return 0;
}

/*
 * Out of the tunnel and up to the kernel, which forwards it and so takes the TTL down itself.  The link-layer
 * header stays, addressed to the interface of arrival: to the kernel it came in just so.
 */
static __always_inline int rsip_decap_to_kernel(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	struct rsip_iface *iface = walk->in;
	struct rsip_ctx *ctx = walk->ctx;
	struct rsip_hop hop = {};
	struct ethhdr *eth;
	struct iphdr *inner;

	if (rsip_trim(ctx, ip, 0))
		return -RSIP_DROP_INTERNAL;
	if (ip->off > rsip_l2(walk) && rsip_ctx_cut_up(ctx, (int)(ip->off - rsip_l2(walk)), rsip_over_ip6(walk, 0)))
		return -RSIP_DROP_INTERNAL;
	eth = rsip_data(ctx);
	inner = (void *)eth + (rsip_l2(walk) & 0xf); /* 0 or 14: said for the verifier */
	if ((void *)(eth + 1) > rsip_data_end(ctx) || (void *)inner + RSIP_IP_LEN > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	if (rsip_l2(walk)) {
		__builtin_memcpy(hop.dst_mac, iface->mac, 6);
		__builtin_memcpy(hop.src_mac, eth->h_source, 6);
		rsip_eth_write(eth, &hop);
	}
	rsip_inner_tos(inner, ip->tos);
	return 0;
}

#endif
