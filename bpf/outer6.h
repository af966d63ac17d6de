/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnels over an IPv6 access network (RFC 2473, RFC 7676; docs/ipv6-access.md).  Only this file knows the outer header: for
 * all others such a host is its handle (include/rsip/maps.h).
 *
 *   | version, traffic class, flow label | payload length, next header, hop limit | source | destination |
 *
 * From a host one destination options header of 8 bytes may follow, with the tunnel encapsulation limit (RFC 2473 4.1.1), and
 * before it a fragment header.  Fragments are for the kernel to put together, as those over IPv4 are: see rsip_ip6_as_ip4().
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

/* Two addresses; 0: the same. */
static __always_inline __u32 rsip_ip6_differ(const __be32 *a, const __be32 *b)
{
	return (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]);
}

static __always_inline bool rsip_is_tunnel(__u8 next)
{
	return next == RSIP_PROTO_IPIP || next == RSIP_PROTO_GRE;
}

#define RSIP_FRAGMENT6_LEN 8
struct rsip_fragment6 { /* RFC 8200 4.5 */
	__u8 next;
	__u8 reserved;
	__be16 off_more; /* offset in units of 8 bytes << 3, and RSIP_FRAGMENT6_MORE */
	__be32 id;
};
#define RSIP_FRAGMENT6_MORE 1

/* The options header at off, if it is the one that we take: the tunnel's protocol behind it in *next, and its length; else 1. */
static __always_inline int rsip_ip6_options(struct rsip_ctx *ctx, __u32 off, __u8 *next)
{
	__u8 ext[4];

	if (rsip_ctx_load(ctx, off, ext, sizeof(ext)) || !rsip_is_tunnel(ext[0]) || ext[1] || ext[2] != RSIP_OPTION_LIMIT)
		return 1;
	*next = ext[0];
	return RSIP_IP6_OPTIONS;
}

/*
 * What follows the IPv6 header at off: the tunnel's protocol in *next, bytes of extension headers before it (0, 8), or 1: it
 * is not for us.  Of a fragment *next may be RSIP_NEXT_OPTIONS: what is behind them only the first one shows.
 */
static __always_inline int rsip_ip6_next(struct rsip_ctx *ctx, __u32 off, __u8 *next, __u16 *frag)
{
	__be16 off_more;

	if (rsip_is_tunnel(*next))
		return 0;
	if (*next == RSIP_NEXT_OPTIONS)
		return rsip_ip6_options(ctx, off + RSIP_IP6_LEN, next);
	if (*next != RSIP_NEXT_FRAGMENT || rsip_ctx_load(ctx, off + RSIP_IP6_LEN, next, sizeof(*next)))
		return 1;
	*frag = RSIP_FRAG_MF;
	if (!rsip_ctx_load(ctx, off + RSIP_IP6_LEN + 2, &off_more, sizeof(off_more)))
		*frag |= bpf_ntohs(off_more) >> 3;
	return rsip_is_tunnel(*next) || *next == RSIP_NEXT_OPTIONS ? RSIP_FRAGMENT6_LEN : 1;
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
	if (rsip_ip6_differ(h.daddr, iface->endpoint6) || !iface->endpoint6[0])
		return 0;
	ip->proto = h.next;
	more = rsip_ip6_next(ctx, off, &ip->proto, &ip->frag);
	if (more == 1)
		return 0;
	ip->saddr = rsip_host6_find(h.saddr);
	ip->len = RSIP_IP6_LEN + bpf_ntohs(h.payload);
	ip->ttl = h.hops;
	ip->tos = bpf_ntohl(h.first) >> 20;
	if (ip->proto == RSIP_NEXT_OPTIONS && !ip->saddr)
		return 0;
	if (ip->proto == RSIP_NEXT_OPTIONS) /* a fragment that may be a tunnel packet's, as it is a host's */
		ip->proto = RSIP_PROTO_IPIP;
	if (bpf_ntohl(h.first) >> 28 != 6 || off + ip->len > rsip_frame_len(ctx) || ip->len < RSIP_IP6_LEN + (__u32)more)
		return -RSIP_DROP_MALFORMED;
	return ip->frag && !ip->saddr ? -RSIP_DROP_OUTER_FRAGMENT : RSIP_IP6_LEN + more; /* nobody's take no memory */
}

/* ---- fragments ----------------------------------------------------------------------------------------------------- */

/* That a fragment of IPv4 would be of.  Both identify what is put together by source, destination, protocol and this. */
static __always_inline __be16 rsip_fragment6_id(__be32 id)
{
	return (__be16)(id ^ id >> 16);
}

static __always_inline void rsip_fragment6_ip4(struct iphdr *h, const struct rsip_ip6 *was, const struct rsip_fragment6 *f)
{
	__u16 off_more = bpf_ntohs(f->off_more);

	*(__u8 *)h = 0x45;
	h->tos = bpf_ntohl(was->first) >> 20;
	h->tot_len = bpf_htons(bpf_ntohs(was->payload) - RSIP_FRAGMENT6_LEN + RSIP_IP_LEN);
	h->id = rsip_fragment6_id(f->id);
	h->frag_off = bpf_htons(off_more >> 3 | (off_more & RSIP_FRAGMENT6_MORE ? RSIP_FRAG_MF : 0));
	h->ttl = RSIP_OUTER_TTL;
	h->protocol = f->next;
	rsip_ip_sum(h);
}

/*
 * The fragment of a host's at l2 becomes one of IPv4, from its handle to the interface's endpoint: so the kernel's reassembly
 * over IPv4, with all that is around it (loader/slow.h), serves both.  The kernel would forward IPv6 to the slow path's device
 * only if the machine were an IPv6 router (which then hears no more router advertisements).  An IPv4 fragment from a handle does not get there by any other way.
 * 0 or -RSIP_DROP_*.
 */
__noinline int rsip_ip6_as_ip4(struct rsip_ctx *ctx, __u32 l2, __u32 iface_index, __be32 handle)
{
	struct rsip_iface *iface = rsip_iface_get(iface_index);
	struct rsip_fragment6 f;
	struct rsip_ip6 was;
	struct ethhdr *eth;
	struct iphdr *h;

	l2 &= 0xf; /* 0 or 14: said for the verifier */
	if (!iface || rsip_ctx_load(ctx, l2, &was, sizeof(was)) || rsip_ctx_load(ctx, l2 + RSIP_IP6_LEN, &f, sizeof(f)))
		return -RSIP_DROP_INTERNAL;
	if (rsip_ctx_cut_up(ctx, RSIP_IP6_LEN + RSIP_FRAGMENT6_LEN - RSIP_IP_LEN, RSIP_FROM_IP6))
		return -RSIP_DROP_INTERNAL;
	eth = rsip_data(ctx);
	h = (void *)eth + l2;
	if ((void *)(eth + 1) > rsip_data_end(ctx) || (void *)(h + 1) > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	if (l2)
		eth->h_proto = bpf_htons(RSIP_ETH_IPV4);
	h->saddr = handle;
	h->daddr = iface->endpoint;
	rsip_fragment6_ip4(h, &was, &f);
	return 0;
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
