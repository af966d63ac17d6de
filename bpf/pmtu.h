/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Path MTU toward hosts (RFC 1191, RFC 2003 5.1; over IPv6 RFC 8201): a router behind a private interface says that a tunnel packet of ours
 * is too big for the next link.
 *
 *   | IP router -> endpoint | ICMP 3/4, MTU | IP endpoint -> host, DF | 8 bytes or more of (GRE and) the inner packet |
 *
 * Here it is only read and reported; rsipd knows which tunnels are live, and lowers the MTU in the host's records, which
 * have one writer.  What packets need while rsipd is dead is what is in the records: no MTU is learned then, and none is
 * forgotten.
 */
#ifndef RSIP_BPF_PMTU_H
#define RSIP_BPF_PMTU_H

struct rsip_pmtu_told {
	__be16 what; /* type and code */
	__sum16 check;
	__be16 unused;
	__be16 mtu; /* of the next link; 0: a router from before RFC 1191 */
	struct iphdr quoted; /* without options: we send none */
};
_Static_assert(sizeof(struct rsip_pmtu_told) == 28, "rsip_pmtu_told");

/* Could this have been sent by us, and be too big? */
static __always_inline bool rsip_pmtu_quotes_us(const struct rsip_pmtu_told *t, __be32 endpoint)
{
	const struct iphdr *q = &t->quoted;

	if (*(const __u8 *)q != 0x45 || q->saddr != endpoint)
		return false;
	if ((q->frag_off & bpf_htons(RSIP_FRAG_DF | RSIP_FRAG_OFFSET)) != bpf_htons(RSIP_FRAG_DF))
		return false;
	if (bpf_ntohs(t->mtu) >= bpf_ntohs(q->tot_len))
		return false;
	return q->protocol == RSIP_PROTO_IPIP || q->protocol == RSIP_PROTO_GRE;
}

/* The quoted inner packet's destination, a leased address; 0: the quote ends before. */
static __always_inline __be32 rsip_pmtu_inner(struct rsip_ctx *ctx, __u8 proto, __u32 off, __u32 len)
{
	__u32 front = proto == RSIP_PROTO_GRE ? RSIP_GRE_LEN : 0;
	__be32 dst;

	if (len < front + RSIP_IP_LEN || rsip_ctx_load(ctx, off + front + RSIP_IP_LEN - 4, &dst, sizeof(dst)))
		return 0;
	return dst;
}

/* 1: at off is ICMP fragmentation-needed, and whole.  Apart from the report: 6.1 counts the stack of all callers. */
__noinline int rsip_pmtu_due(struct rsip_ctx *ctx, __u32 off, __u32 len)
{
	__be16 what;

	if (rsip_ctx_load(ctx, off, &what, sizeof(what)) || what != bpf_htons(0x0304))
		return 0;
	return rsip_sum_right(ctx, off, len, 0);
}

/*
 * ICMP fragmentation-needed to a tunnel endpoint of ours, its IP header (hlen bytes of len) at l2: reports it if it is
 * about a tunnel packet of ours.  Always 0.
 */
__noinline int rsip_pmtu_report(struct rsip_ctx *ctx, __u32 l2, __u32 hlen, __u32 len, __u32 iface)
{
	struct rsip_pmtu_told t;
	struct rsip_event *e;
	__be32 addr[2], inner; /* addr: the router, the endpoint */

	len -= hlen;
	if (len < sizeof(t) + 8 || rsip_ctx_load(ctx, l2 + 12, addr, sizeof(addr)) ||
	    rsip_ctx_load(ctx, l2 + hlen, &t, sizeof(t)))
		return 0;
	if (!rsip_pmtu_quotes_us(&t, addr[1]))
		return 0;
	inner = rsip_pmtu_inner(ctx, t.quoted.protocol, l2 + hlen + sizeof(t), len - sizeof(t));
	/* each for itself: who makes them up must not keep the true one out */
	if (!rsip_event_passes(t.quoted.daddr ^ inner ^ addr[0] ^ t.mtu, RSIP_REPORT_PMTU))
		return 0;
	e = bpf_ringbuf_reserve(&rsip_events, sizeof(*e), 0);
	if (!e)
		return 0;
	e->host = t.quoted.daddr;
	e->local = inner;
	e->remote = addr[0];
	e->mtu = bpf_ntohs(t.mtu);
	e->len = bpf_ntohs(t.quoted.tot_len);
	e->iface = (__u16)iface;
	e->reason = RSIP_REPORT_PMTU;
	e->proto = t.quoted.protocol;
	e->endpoint = addr[1];
	bpf_ringbuf_submit(e, 0);
	return 0;
}

/* ---- IPv6 ---------------------------------------------------------------------------------------------------------- */

/*
 * The same over IPv6 (RFC 8201, RFC 2473 7.1), where there is no DF and nobody on the way fragments:
 *
 *   | IPv6 router -> endpoint6 | ICMPv6 2/0, MTU | IPv6 endpoint6 -> host | 8 bytes or more of (GRE and) the inner packet |
 */
#define RSIP_PROTO_ICMP6 58
#define RSIP_ICMP6_TOO_BIG 0x0200 /* type and code */

struct rsip_pmtu6_told {
	__be16 what; /* type and code */
	__sum16 check;
	__be32 mtu; /* of the next link */
	struct rsip_ip6 quoted; /* without extension headers: we send none */
};
_Static_assert(sizeof(struct rsip_pmtu6_told) == 48, "rsip_pmtu6_told");

/* Could this have been sent by us, and be too big? */
static __always_inline bool rsip_pmtu6_quotes_us(const struct rsip_pmtu6_told *t, const __be32 *endpoint)
{
	const struct rsip_ip6 *q = &t->quoted;
	__u32 mtu = bpf_ntohl(t->mtu);

	if (bpf_ntohl(q->first) >> 28 != 6 || !rsip_is_tunnel(q->next))
		return false;
	if (rsip_ip6_differ(q->saddr, endpoint))
		return false;
	return mtu >= RSIP_PATH_MTU_MIN6 && mtu <= 0xffff && mtu < RSIP_IP6_LEN + (__u32)bpf_ntohs(q->payload);
}

/*
 * 1: the IPv6 packet at off has packet-too-big right behind its header, and whole.  The sum begins with both addresses, which
 * stand in front of the message, and the rest of the pseudo header (RFC 8200 8.1).
 */
__noinline int rsip_pmtu6_due(struct rsip_ctx *ctx, __u32 off)
{
	__be16 what, payload;
	__u32 len;

	if (rsip_ctx_load(ctx, off + RSIP_IP6_LEN, &what, sizeof(what)) || what != bpf_htons(RSIP_ICMP6_TOO_BIG))
		return 0;
	if (rsip_ctx_load(ctx, off + 4, &payload, sizeof(payload)))
		return 0;
	len = bpf_ntohs(payload);
	return rsip_sum_right(ctx, off + RSIP_IP6_LEN - 32, len + 32, (__u64)bpf_htonl(len) + bpf_htonl(RSIP_PROTO_ICMP6));
}

/* Reports that message, as rsip_pmtu_report() does; the router's address has no room.  Always 0. */
__noinline int rsip_pmtu6_report(struct rsip_ctx *ctx, __u32 off, __u32 iface_index)
{
	struct rsip_iface *iface = rsip_iface_get(iface_index);
	struct rsip_pmtu6_told t;
	struct rsip_event *e;
	__be32 host, inner;
	__be16 payload;
	__u32 len;

	if (!iface || rsip_ctx_load(ctx, off + 4, &payload, sizeof(payload)))
		return 0;
	len = bpf_ntohs(payload);
	off += RSIP_IP6_LEN;
	if (len < sizeof(t) + 8 || rsip_ctx_load(ctx, off, &t, sizeof(t)) || !rsip_pmtu6_quotes_us(&t, iface->endpoint6))
		return 0;
	host = rsip_host6_find(t.quoted.daddr);
	inner = rsip_pmtu_inner(ctx, t.quoted.next, off + sizeof(t), len - sizeof(t));
	if (!host || !rsip_event_passes(host ^ inner ^ t.mtu, RSIP_REPORT_PMTU))
		return 0;
	e = bpf_ringbuf_reserve(&rsip_events, sizeof(*e), 0);
	if (!e)
		return 0;
	e->host = host;
	e->local = inner;
	e->remote = 0;
	e->mtu = (__u16)bpf_ntohl(t.mtu);
	e->len = RSIP_IP6_LEN + bpf_ntohs(t.quoted.payload);
	e->iface = (__u16)iface_index;
	e->reason = RSIP_REPORT_PMTU;
	e->proto = t.quoted.next;
	e->endpoint = 0;
	bpf_ringbuf_submit(e, 0);
	return 0;
}

static __always_inline void rsip_pmtu6_look(const struct rsip_walk *walk)
{
	if (!rsip_behind_xdp && rsip_pmtu6_due(walk->ctx, rsip_l2(walk)))
		rsip_pmtu6_report(walk->ctx, rsip_l2(walk), walk->iface);
}

/* ICMP that came to a tunnel endpoint of ours.  It is the kernel's all the same. */
static __always_inline void rsip_pmtu_look(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	if (rsip_behind_xdp || ip->frag)
		return; /* XDP has seen it */
	if (rsip_pmtu_due(walk->ctx, rsip_l2(walk) + ip->hlen, ip->len - ip->hlen))
		rsip_pmtu_report(walk->ctx, rsip_l2(walk), ip->hlen, ip->len, walk->iface);
}

#endif
