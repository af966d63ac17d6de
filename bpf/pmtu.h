/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Path MTU toward hosts (RFC 1191, RFC 2003 5.1): a router behind a private interface says that a tunnel packet of ours
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
	return rsip_sum_right(ctx, off, len);
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

/* ICMP that came to a tunnel endpoint of ours.  It is the kernel's all the same. */
static __always_inline void rsip_pmtu_look(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	if (rsip_behind_xdp || ip->frag)
		return; /* XDP has seen it */
	if (rsip_pmtu_due(walk->ctx, walk->l2 + ip->hlen, ip->len - ip->hlen))
		rsip_pmtu_report(walk->ctx, walk->l2, ip->hlen, ip->len, walk->iface);
}

#endif
