/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Next hops.  Toward the public realm: the kernel's routes and neighbours, remembered for a second or until rsipd
 * says that routes changed.  Toward a host: its record says it; the kernel is asked only where the record does not.
 */
#ifndef BPF_NEXTHOP_H
#define BPF_NEXTHOP_H

#define AF_INET_ 2
#define FIB_SUCCESS 0
#define FIB_BLACKHOLE 1
#define FIB_UNREACHABLE 2
#define FIB_PROHIBIT 3
#define FIB_NOT_FWDED 4
#define FIB_FWD_DISABLED 5
#define FIB_NO_NEIGH 7
#define FIB_FRAG_NEEDED 8

struct hop {
	__u32 iface;
	__u8 dst_mac[6];
	__u8 src_mac[6];
	bool resolve; /* the kernel must find the neighbour: give it the packet */
};

static __always_inline int fib_drop_reason(long ret)
{
	switch (ret) {
	case FIB_NOT_FWDED:
		return -RSIP_DROP_DST_UNALLOWED; /* the gateway itself */
	case FIB_FRAG_NEEDED:
		return -RSIP_DROP_TOO_BIG;
	default:
		return -RSIP_DROP_NO_ROUTE;
	}
}

static __always_inline struct rsip_nexthop_entry *nexthop_cached(struct walk *w, __be32 dst)
{
	__u32 key = w->cpu * RSIP_NEXTHOPS + ((__u32)rsip_hash(dst, rsip_seed) & (RSIP_NEXTHOPS - 1));

	return bpf_map_lookup_elem(&rsip_nexthops, &key);
}

static __always_inline int nexthop_lookup(struct walk *w, const struct iphdr *ip, struct hop *hop)
{
	struct bpf_fib_lookup fib = {
		.family = AF_INET_,
		.tos = ip->tos,
		.l4_protocol = ip->protocol,
		.tot_len = bpf_ntohs(ip->tot_len),
		.ipv4_src = ip->saddr,
		.ipv4_dst = ip->daddr,
		.ifindex = w->ctx->ingress_ifindex,
	};
	long ret = bpf_fib_lookup(w->ctx, &fib, sizeof(fib), 0);
	struct rsip_iface *out;

	if (ret != FIB_SUCCESS && ret != FIB_NO_NEIGH)
		return fib_drop_reason(ret);
	hop->iface = iface_of(fib.ifindex);
	out = iface_at(hop->iface);
	if (!hop->iface || !out || out->role != RSIP_ROLE_PUBLIC)
		return -RSIP_DROP_DST_NOT_PUBLIC;
	hop->resolve = ret == FIB_NO_NEIGH;
	__builtin_memcpy(hop->dst_mac, fib.dmac, 6);
	__builtin_memcpy(hop->src_mac, fib.smac, 6);
	return 0;
}

/* The way out for an inner packet: 0 with hop filled, or -RSIP_DROP_*. */
static __always_inline int nexthop_public(struct walk *w, const struct iphdr *ip, struct hop *hop)
{
	struct rsip_nexthop_entry *e = nexthop_cached(w, ip->daddr);
	struct rsip_policy *p = policy();
	struct rsip_iface *out;
	int err;

	if (!e || !p)
		return -RSIP_DROP_INTERNAL;
	hop->resolve = false;
	if (e->dst == ip->daddr && e->route_gen == READ_U32(p->route_gen) && now(w) - e->filled_ns < RSIP_NEXTHOP_TTL_NS) {
		hop->iface = e->iface;
		__builtin_memcpy(hop->dst_mac, e->dst_mac, 6);
		__builtin_memcpy(hop->src_mac, e->src_mac, 6);
	} else {
		__u32 gen = READ_U32(p->route_gen); /* before the question: a change meanwhile is seen next time */

		err = nexthop_lookup(w, ip, hop);
		if (err)
			return err;
		if (!hop->resolve) {
			e->dst = ip->daddr;
			e->route_gen = gen;
			e->filled_ns = now(w);
			e->iface = hop->iface;
			__builtin_memcpy(e->dst_mac, hop->dst_mac, 6);
			__builtin_memcpy(e->src_mac, hop->src_mac, 6);
		}
	}
	out = iface_at(hop->iface);
	if (!out)
		return -RSIP_DROP_INTERNAL;
	return bpf_ntohs(ip->tot_len) > out->mtu ? -RSIP_DROP_TOO_BIG : 0;
}

/* The host's next hop word: from its record, else from the kernel's neighbours on the registration's interface. */
static __always_inline int nexthop_host(struct walk *w, const struct rsip_binding *b, __u64 *word)
{
	struct bpf_fib_lookup fib = { .family = AF_INET_ };
	union rsip_nexthop hop = { .word = READ_U64(b->nexthop) };
	struct rsip_iface *out;

	if (!hop.word) {
		fib.ipv4_src = b->endpoint;
		fib.ipv4_dst = b->host;
		fib.ifindex = w->ctx->ingress_ifindex;
		if (bpf_fib_lookup(w->ctx, &fib, sizeof(fib), 0) != FIB_SUCCESS)
			return -RSIP_DROP_NO_NEXT_HOP;
		out = iface_at(b->iface);
		if (!out || out->ifindex != fib.ifindex)
			return -RSIP_DROP_NO_NEXT_HOP;
		__builtin_memcpy(hop.mac, fib.dmac, 6);
		hop.iface = b->iface;
	}
	*word = hop.word;
	return 0;
}

#endif
