/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where to send it: hosts by the word in their binding, the public realm by route lookups that are cached. */
#ifndef RSIP_BPF_NEXTHOP_H
#define RSIP_BPF_NEXTHOP_H

#define RSIP_AF_INET 2
#define RSIP_AF_INET6 10

/* A question to the kernel's routes, empty. */
static __always_inline struct bpf_fib_lookup *rsip_fib_begin(void)
{
	struct rsip_scratch *scratch = rsip_scratch_get();

	if (!scratch)
		return NULL;
	__builtin_memset(scratch->fib, 0, sizeof(scratch->fib));
	return (struct bpf_fib_lookup *)scratch->fib;
}
_Static_assert(sizeof(struct bpf_fib_lookup) == sizeof(((struct rsip_scratch *)0)->fib), "bpf_fib_lookup");

/* ---- toward a host ------------------------------------------------------------------------------------------------ */

/* Way and addresses of the outer packet.  false: the handle is nobody's. */
static __always_inline bool rsip_fib_ask_host(struct bpf_fib_lookup *fib, const struct rsip_iface *iface,
					      const struct rsip_binding *rec)
{
	struct rsip_host6 *host;

	fib->family = RSIP_AF_INET;
	fib->ipv4_src = rec->endpoint;
	fib->ipv4_dst = rec->host;
	if (!RSIP_HOST6_IS(rec->host))
		return true;
	host = rsip_host6_get(rec->host);
	if (!host)
		return false;
	fib->family = RSIP_AF_INET6;
	for (int i = 0; i < 4; i++) {
		fib->ipv6_src[i] = iface->endpoint6[i];
		fib->ipv6_dst[i] = host->addr[i];
	}
	return true;
}

/* The controller does not know the neighbour (yet): the kernel may. */
static __always_inline int rsip_host_lookup(struct rsip_ctx *ctx, const struct rsip_binding *rec, struct rsip_hop *hop)
{
	struct rsip_iface *iface = rsip_iface_get(rec->iface);
	struct bpf_fib_lookup *fib = rsip_fib_begin();

	if (!iface || !iface->ifindex || !fib)
		return -RSIP_DROP_NO_NEXT_HOP;
	if (!rsip_fib_ask_host(fib, iface, rec))
		return -RSIP_DROP_NO_NEXT_HOP;
	fib->ifindex = iface->ifindex;
	if (bpf_fib_lookup(ctx, fib, sizeof(*fib), BPF_FIB_LOOKUP_OUTPUT) || fib->ifindex != iface->ifindex)
		return -RSIP_DROP_NO_NEXT_HOP;
	__builtin_memcpy(hop->dst_mac, fib->dmac, 6);
	__builtin_memcpy(hop->src_mac, iface->mac, 6);
	hop->iface = rec->iface;
	return 0;
}

/* Does rsipd keep the bindings' next hops right? */
static __always_inline bool rsip_hops_kept(const struct rsip_policy *policy, __u64 now)
{
	return now < RSIP_READ(policy->alive_ns) + RSIP_ALIVE_NS;
}

static __always_inline int rsip_host_hop(const struct rsip_walk *walk, const struct rsip_binding *rec,
					 struct rsip_hop *hop)
{
	union rsip_nexthop next = { .word = RSIP_READ(rec->nexthop) };
	struct rsip_iface *iface;

	if (!next.word || !rsip_hops_kept(walk->policy, walk->now)) {
		int err = rsip_host_lookup(walk->ctx, rec, hop);

		if (!err || !next.word)
			return err;
	}
	iface = rsip_iface_get(next.iface);
	if (!iface || !iface->ifindex)
		return -RSIP_DROP_NO_NEXT_HOP;
	__builtin_memcpy(hop->dst_mac, next.mac, 6);
	__builtin_memcpy(hop->src_mac, iface->mac, 6);
	hop->iface = next.iface;
	return 0;
}

/* ---- toward the public realm ---------------------------------------------------------------------------------------- */

static __always_inline struct rsip_nexthop_entry *rsip_nexthop_place(const struct rsip_walk *walk, __be32 dst)
{
	__u32 place = rsip_hash(RSIP_ADDR_KEY(dst), rsip_seed) & (RSIP_NEXTHOPS - 1);

	place += walk->cpu * RSIP_NEXTHOPS;
	return bpf_map_lookup_elem(&rsip_nexthops, &place);
}

static __always_inline int rsip_fib_reason(long ret)
{
	switch (ret) {
	case BPF_FIB_LKUP_RET_NOT_FWDED:
		return -RSIP_DROP_DST_UNALLOWED; /* the gateway's own address, or no route at all */
	case BPF_FIB_LKUP_RET_FRAG_NEEDED:
		return -RSIP_DROP_TOO_BIG;
	}
	return ret < 0 ? -RSIP_DROP_INTERNAL : -RSIP_DROP_NO_ROUTE;
}

/* Asks the kernel.  A route with an MTU of its own is not cached: the cache knows only the device's. */
static __always_inline int rsip_route_lookup(struct rsip_walk *walk, const struct rsip_ip *ip,
					     struct rsip_hop *hop, struct rsip_nexthop_entry *cache, __u32 route_gen)
{
	struct bpf_fib_lookup *fib = rsip_fib_begin();
	struct rsip_iface *out;
	long ret;

	if (!fib)
		return -RSIP_DROP_INTERNAL;
	fib->family = RSIP_AF_INET;
	fib->l4_protocol = ip->proto;
	fib->tot_len = ip->seg;
	fib->tos = ip->tos & 0x1c;
	fib->ipv4_src = ip->saddr;
	fib->ipv4_dst = ip->daddr;
	fib->ifindex = rsip_ctx_ifindex(walk->ctx);
	ret = bpf_fib_lookup(walk->ctx, fib, sizeof(*fib), 0);
	walk->mtu = fib->mtu_result;
	if (ret != BPF_FIB_LKUP_RET_SUCCESS && ret != BPF_FIB_LKUP_RET_NO_NEIGH)
		return rsip_fib_reason(ret);
	hop->iface = rsip_iface_find(fib->ifindex);
	out = rsip_iface_get(hop->iface);
	if (!hop->iface || !out || out->role != RSIP_ROLE_PUBLIC)
		return -RSIP_DROP_DST_NOT_PUBLIC;
	if (ret == BPF_FIB_LKUP_RET_NO_NEIGH)
		return RSIP_PASS_SLOW;
	__builtin_memcpy(hop->dst_mac, fib->dmac, 6);
	__builtin_memcpy(hop->src_mac, fib->smac, 6);
	if (!cache || fib->mtu_result < out->mtu)
		return 0;
	cache->dst = ip->daddr;
	cache->route_gen = route_gen;
	cache->filled_ns = walk->now;
	__builtin_memcpy(cache->dst_mac, fib->dmac, 6);
	__builtin_memcpy(cache->src_mac, fib->smac, 6);
	cache->iface = hop->iface;
	return 0;
}

/* 0, RSIP_PASS_SLOW (the kernel must resolve the neighbour) or -RSIP_DROP_*. */
static __always_inline int rsip_route(struct rsip_walk *walk, const struct rsip_ip *ip, struct rsip_hop *hop)
{
	struct rsip_nexthop_entry *cache =
		walk->policy->flags & RSIP_POLICY_RULES ? NULL : rsip_nexthop_place(walk, ip->daddr);
	__u32 route_gen = RSIP_READ(walk->policy->route_gen);
	struct rsip_iface *out;

	if (!cache || cache->dst != ip->daddr || cache->route_gen != route_gen ||
	    walk->now - cache->filled_ns >= RSIP_NEXTHOP_TTL_NS)
		return rsip_route_lookup(walk, ip, hop, cache, route_gen);
	out = rsip_iface_get(cache->iface);
	if (!out)
		return -RSIP_DROP_INTERNAL;
	walk->mtu = out->mtu;
	if (ip->seg > out->mtu)
		return -RSIP_DROP_TOO_BIG;
	__builtin_memcpy(hop->dst_mac, cache->dst_mac, 6);
	__builtin_memcpy(hop->src_mac, cache->src_mac, 6);
	hop->iface = cache->iface;
	return 0;
}

#endif
