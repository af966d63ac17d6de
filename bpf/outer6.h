/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnels over an IPv6 access network (RFC 2473, RFC 7676; docs/ipv6-access.md).  Only this file knows the outer header: for
 * all others such a host is its handle (include/rsip/maps.h).
 *
 *   | version, traffic class, flow label | payload length, next header, hop limit | source | destination |
 *
 * From a host one destination options header of 8 bytes may follow, with the tunnel encapsulation limit (RFC 2473 4.1.1).
 */
#ifndef RSIP_BPF_OUTER6_H
#define RSIP_BPF_OUTER6_H

#define RSIP_IP6_LEN 40
#define RSIP_IP6_OPTIONS 8 /* bytes of the one that we take */
#define RSIP_NEXT_FRAGMENT 44
#define RSIP_NEXT_OPTIONS 60
#define RSIP_OPTION_LIMIT 4
#define RSIP_FLOW_MASK 0xfffff
#define RSIP_OUTER_TTL 64

struct rsip_ip6 {
	__be32 first; /* version, traffic class, flow label */
	__be16 payload;
	__u8 next;
	__u8 hops;
	__be32 saddr[4];
	__be32 daddr[4];
};
_Static_assert(sizeof(struct rsip_ip6) == RSIP_IP6_LEN, "rsip_ip6");

static __always_inline bool rsip_is_tunnel(__u8 next)
{
	return next == RSIP_PROTO_IPIP || next == RSIP_PROTO_GRE;
}

/*
 * What follows the IPv6 header at off: the tunnel's protocol in *next.  Bytes of options before it (0, 8), 1: it is not for
 * us, or -RSIP_DROP_OUTER_FRAGMENT.
 */
static __always_inline int rsip_ip6_next(struct rsip_ctx *ctx, __u32 off, __u8 *next)
{
	bool fragment;
	__u8 ext[4];

	if (rsip_is_tunnel(*next))
		return 0;
	if ((*next != RSIP_NEXT_FRAGMENT && *next != RSIP_NEXT_OPTIONS) ||
	    rsip_ctx_load(ctx, off + RSIP_IP6_LEN, ext, sizeof(ext)) || !rsip_is_tunnel(ext[0]))
		return 1;
	fragment = *next == RSIP_NEXT_FRAGMENT;
	*next = ext[0];
	if (fragment)
		return -RSIP_DROP_OUTER_FRAGMENT;
	return !ext[1] && ext[2] == RSIP_OPTION_LIMIT ? RSIP_IP6_OPTIONS : 1;
}

/*
 * The outer IPv6 header at off, as if it were IPv4: its source is the host's handle (0: of no host), its destination 0.
 * Bytes of it; 0: it is none of a tunnel, and ip->proto says what it is if it is for our end of them; else -RSIP_DROP_*.
 */
__noinline int rsip_ip6_read(struct rsip_ctx *ctx, __u32 iface_index, __u32 off, struct rsip_ip *ip)
{
	struct rsip_iface *iface = rsip_iface_get(iface_index);
	struct rsip_ip6 h;
	int more;

	if (!iface || !ip || rsip_ctx_load(ctx, off, &h, sizeof(h)))
		return 0;
	if ((h.daddr[0] ^ iface->endpoint6[0]) | (h.daddr[1] ^ iface->endpoint6[1]) |
	    (h.daddr[2] ^ iface->endpoint6[2]) | (h.daddr[3] ^ iface->endpoint6[3]) || !iface->endpoint6[0])
		return 0;
	ip->proto = h.next;
	more = rsip_ip6_next(ctx, off, &ip->proto);
	if (more < 0 || more == 1)
		return more < 0 ? more : 0;
	ip->saddr = rsip_host6_find(h.saddr);
	ip->len = RSIP_IP6_LEN + bpf_ntohs(h.payload);
	ip->ttl = h.hops;
	ip->tos = bpf_ntohl(h.first) >> 20;
	if (bpf_ntohl(h.first) >> 28 != 6 || off + ip->len > rsip_frame_len(ctx) || ip->len < RSIP_IP6_LEN + (__u32)more)
		return -RSIP_DROP_MALFORMED;
	return RSIP_IP6_LEN + more;
}

/* RFC 6438: the same for all packets of a flow, fragments too, so that paths of equal cost keep it together. */
static __always_inline __u32 rsip_ip6_flow(const struct rsip_ctx *ctx, const struct iphdr *inner)
{
	__u64 addrs = (__u64)inner->saddr << 32 | inner->daddr;
	__u32 hlen = (*(const __u8 *)inner & 0xf) * 4, ports = 0;
	const __u32 *l4 = (const void *)inner + hlen;

	if (!(inner->frag_off & bpf_htons(RSIP_FRAG_MF | RSIP_FRAG_OFFSET)) && (void *)(l4 + 1) <= rsip_data_end(ctx))
		ports = *l4; /* or the SPI of ESP */
	return rsip_hash(addrs ^ ports, rsip_seed + inner->protocol) & RSIP_FLOW_MASK;
}

/*
 * The header `front` bytes before the inner IPv4 packet, from our end on an interface to the host with this handle.  at_tos:
 * where it begins, and its traffic class << 8.  0 or -RSIP_DROP_INTERNAL.
 */
__noinline int rsip_ip6_write(struct rsip_ctx *ctx, __u32 at_tos, __u32 front, __u32 iface_index, __be32 handle)
{
	struct rsip_iface *iface = rsip_iface_get(iface_index);
	struct rsip_host6 *host = rsip_host6_get(handle);
	struct rsip_ip6 *h = rsip_data(ctx) + (at_tos & 0xf);
	struct iphdr *inner = (void *)h + (front & 0x3f);
	bool gre = front != RSIP_IP6_LEN;

	if (!iface || !host || (void *)(inner + 1) > rsip_data_end(ctx) || (void *)(h + 1) + RSIP_GRE_LEN > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	h->first = bpf_htonl(6U << 28 | (at_tos >> 8 & 0xff) << 20 | rsip_ip6_flow(ctx, inner));
	h->payload = bpf_htons(bpf_ntohs(inner->tot_len) + (front - RSIP_IP6_LEN));
	h->next = gre ? RSIP_PROTO_GRE : RSIP_PROTO_IPIP;
	h->hops = RSIP_OUTER_TTL;
	for (int i = 0; i < 4; i++) {
		h->saddr[i] = iface->endpoint6[i];
		h->daddr[i] = host->addr[i];
	}
	if (gre)
		rsip_gre_write(h + 1);
	return 0;
}

/* What a host sent goes back to it: the header at `at`.  0 or -RSIP_DROP_INTERNAL. */
__noinline int rsip_ip6_turn(struct rsip_ctx *ctx, __u32 at)
{
	struct rsip_ip6 *h = rsip_data(ctx) + (at & 0xf);

	if ((void *)(h + 1) > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	for (int i = 0; i < 4; i++) {
		__be32 addr = h->saddr[i];

		h->saddr[i] = h->daddr[i];
		h->daddr[i] = addr;
	}
	h->hops = RSIP_OUTER_TTL;
	return 0;
}

#endif
