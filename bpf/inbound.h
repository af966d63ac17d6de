/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From the public realm to a host. */
#ifndef RSIP_BPF_INBOUND_H
#define RSIP_BPF_INBOUND_H

/* Longest inner packet that goes out of the binding's interface in one piece; rec->mtu is less where its path takes less. */
static __always_inline __u32 rsip_link_mtu(const struct rsip_binding *rec)
{
	struct rsip_iface *iface = rsip_iface_get(rec->iface);
	__u32 front = RSIP_TUNNEL_LEN(rec->tunnel);

	if (RSIP_HOST6_IS(rec->host)) /* nobody on the way fragments IPv6 */
		return rec->mtu;
	return iface && iface->mtu > front + rec->mtu ? iface->mtu - front : rec->mtu;
}

/*
 * Longer than rec->mtu.  Without DF inside there is none outside (RFC 2003 3.1): a router on the way may fragment the
 * tunnel packet, so it goes as far as our own link takes it.  0, RSIP_PASS_SLOW, RSIP_PASS_TC or -RSIP_DROP_TOO_BIG.
 */
static __always_inline int rsip_too_long(const struct rsip_walk *walk, const struct rsip_ip *ip,
					 const struct rsip_binding *rec)
{
	if (!ip->df && ip->seg <= rsip_link_mtu(rec))
		return 0;
	if (!ip->df && !rsip_is_forwarded(walk))
		return RSIP_PASS_SLOW;
	return rsip_is_many(walk, ip) ? RSIP_PASS_TC : -RSIP_DROP_TOO_BIG;
}

/*
 * All fragments of a packet must take one way: where one of them may be too big for the next link, which the kernel
 * is to fragment, the kernel must get the others, too, or it never puts the packet together.  iface: of arrival;
 * mtu: of that link.
 */
__noinline int rsip_link_may_not_fit(__u32 iface, __u32 mtu)
{
	struct rsip_iface *rec = rsip_iface_get(iface);

	return rec && rec->mtu > mtu;
}

static __always_inline bool rsip_frags_may_not_fit(const struct rsip_walk *walk, const struct rsip_ip *ip, __u32 mtu)
{
	return ip->frag && !ip->df && !rsip_is_forwarded(walk) && rsip_link_may_not_fit(walk->iface, mtu);
}

/* Does it fit into the tunnel, and where does that go: hop, walk->out_iface.  As rsip_to_host(). */
static __always_inline int rsip_way(struct rsip_walk *walk, const struct rsip_ip *ip, const struct rsip_binding *rec,
				    struct rsip_hop *hop)
{
	int err;

	if (ip->frag && rsip_frags_may_not_fit(walk, ip, rsip_link_mtu(rec)))
		return RSIP_PASS_FRAGMENT;
	err = ip->seg > rec->mtu ? rsip_too_long(walk, ip, rec) : 0;
	if (!err)
		err = rsip_host_hop(walk, rec, hop);
	walk->out_iface = hop->iface;
	return err;
}

/* The same for L2TP, whose interface has an MTU of its own. */
static __always_inline int rsip_way_l2tp(struct rsip_walk *walk, const struct rsip_ip *ip, const struct rsip_binding *rec)
{
	int err = rsip_session_hop(walk, rec);

	if (err)
		return err;
	if (ip->frag && rsip_frags_may_not_fit(walk, ip, walk->mtu))
		return RSIP_PASS_FRAGMENT;
	if (ip->seg <= walk->mtu)
		return 0;
	return ip->df ? -RSIP_DROP_TOO_BIG : RSIP_PASS_SLOW;
}

/*
 * A packet whose binding is found: the last checks, then into the tunnel.  0, RSIP_PASS_SLOW (it must be
 * fragmented: untouched as yet), RSIP_PASS_FRAGMENT (so may others of its packet), RSIP_PASS_TC or -RSIP_DROP_*.
 */
static __always_inline int rsip_to_host(struct rsip_walk *walk, const struct rsip_ip *ip, const struct rsip_key *key,
					int slot)
{
	struct rsip_binding *rec = rsip_binding_fetch(walk->cpu, slot, walk->home);
	struct rsip_hop hop = {};
	int err;

	if (!rec)
		return -RSIP_DROP_INTERNAL;
	RSIP_TEST_PAUSE();
	/* found by what the pair has learned, not by a port or SPI of one binding */
	if (key->ike == RSIP_IKE_COOKIES || (key->quoted && (key->kind == RSIP_KEY_SPI || key->ike)))
		rec = rsip_pair_for_remote(walk, key, rec, RSIP_REMOTE_IPSEC, &slot);
	else if (key->by_pair)
		rec = rsip_pair_for_remote(walk, key, rec, 0, &slot);
	rsip_capture_found(walk, rec);
	if (rec->local != key->local || RSIP_READ(rec->expires_ns) <= walk->now)
		return -RSIP_DROP_EXPIRED;
	err = rsip_remote_check(rec, key);
	if (err)
		return err;
	if (ip->ttl <= 1 && !rsip_is_forwarded(walk))
		return -RSIP_DROP_TTL_EXCEEDED;
	if (RSIP_CTX_IS_XDP && rec->tunnel == RSIP_TUNNEL_L2TP)
		return RSIP_PASS_TC; /* XDP has no way into a PPP interface */
	walk->mtu = rec->mtu;
	err = rec->tunnel == RSIP_TUNNEL_L2TP ? rsip_way_l2tp(walk, ip, rec) : rsip_way(walk, ip, rec, &hop);
	if (err)
		return err;
	rsip_ike_answered(key, rec->learned);
	walk->guesses = key->guessed;
	walk->in_slot = slot;
	walk->bytes = ip->len;
	return rsip_encap(walk, ip, rec, &hop);
}

/* in place of a slot */
#define RSIP_FRAG_KERNEL 0x7fffffff /* the machine's own */
#define RSIP_FRAG_ECHO 0x7ffffffe /* an echo request that the gateway answers */

static __always_inline int rsip_demux_or_kernel(struct rsip_key *key, __u32 addr_index)
{
	int res = rsip_demux(key, addr_index);

	return res <= 0 && rsip_kernel_owns(key, addr_index) ? RSIP_FRAG_KERNEL : res;
}

/* On the slow-path device fragments of one packet follow each other: the first tells whose all of them are. */
static __always_inline int rsip_inbound_owner(const struct rsip_walk *walk, const struct rsip_ip *ip,
					      struct rsip_key *key, __u32 addr_index)
{
	struct rsip_frag *frag;
	__u32 cpu = walk->cpu;
	int res;

	if (!rsip_is_forwarded(walk) || !ip->frag)
		return rsip_demux_or_kernel(key, addr_index);
	frag = bpf_map_lookup_elem(&rsip_frags, &cpu);
	if (!frag)
		return -RSIP_DROP_INTERNAL;
	if (ip->frag & RSIP_FRAG_OFFSET) {
		if (!rsip_frag_is_of(&frag->of, ip) || !frag->slot)
			return -RSIP_DROP_FRAGMENT_LOST;
		return (int)frag->slot;
	}
	res = rsip_demux_or_kernel(key, addr_index);
	rsip_frag_begins(&frag->of, ip);
	frag->slot = res > 0 ? (__u32)res : 0; /* RSIP_FRAG_KERNEL too */
	return res;
}

/* Those behind the first one go where it did: to slot, or RSIP_FRAG_ECHO. */
static __always_inline void rsip_frags_follow(const struct rsip_walk *walk, const struct rsip_ip *ip, __u32 slot)
{
	__u32 cpu = walk->cpu;
	struct rsip_frag *frag;

	if (!rsip_is_forwarded(walk) || !ip->frag || ip->frag & RSIP_FRAG_OFFSET || !slot)
		return;
	frag = bpf_map_lookup_elem(&rsip_frags, &cpu);
	if (frag)
		frag->slot = slot;
}

/* A query to a shared address, or a later fragment of one that was answered.  As rsip_reply_echo(). */
static __always_inline int rsip_inbound_query(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	int res;

	if (rsip_has_source_route(walk, ip))
		return 0;
	if (!rsip_is_forwarded(walk))
		return ip->frag ? 0 : rsip_reply_echo(walk, ip);
	res = rsip_reply_echo_slow(walk, ip);
	if (res)
		rsip_frags_follow(walk, ip, RSIP_FRAG_ECHO);
	return res;
}

/* On the slow-path device: what turned around inside, whose sender was judged when it came in. */
static __always_inline int rsip_turned_around(const struct rsip_walk *walk)
{
	return rsip_is_forwarded(walk) && walk->in->role == RSIP_ROLE_PRIVATE;
}

/*
 * Who sent what turned around inside and takes the slow path: its record in rsip_learned, whose claims do not count for the receiver
 * (key->self).  The kernel keeps none of that while it puts a packet together, so it is found again by what all fragments of it have
 * in common.  One word each, in rsip_turned: the upper half of the hash, and the record.
 */
static __always_inline __u64 rsip_turned_hash(const struct rsip_ip *ip)
{
	return rsip_hash(RSIP_PAIR_KEY(ip->saddr, ip->daddr), rsip_seed + ((__u64)ip->id << 8 | ip->proto));
}

static __always_inline __u64 *rsip_turned_at(__u64 hash)
{
	__u32 place = hash & (RSIP_TURNED - 1);

	return bpf_map_lookup_elem(&rsip_turned, &place);
}

/* Said by the first fragment, or by a whole packet, which only the first are found by; self: 0 where its port told whose it is. */
static __always_inline void rsip_turned_note(const struct rsip_walk *walk, const struct rsip_ip *ip, __u32 self)
{
	__u64 hash, *word;

	if (RSIP_CTX_IS_XDP || rsip_is_forwarded(walk) || ip->frag & RSIP_FRAG_OFFSET)
		return;
	hash = rsip_turned_hash(ip);
	word = rsip_turned_at(hash);
	if (word)
		*(volatile __u64 *)word = (hash & ~0xffffffffULL) | self;
}

static __always_inline __u32 rsip_turned_self(const struct rsip_ip *ip)
{
	__u64 hash = rsip_turned_hash(ip), *at = rsip_turned_at(hash), word = at ? RSIP_READ(*at) : 0;

	return (hash ^ word) >> 32 ? 0 : (__u32)word;
}

/* IPv4 to an address of a pool. */
static __always_inline int rsip_inbound_pool(struct rsip_walk *walk, __u32 addr_index)
{
	struct rsip_key key = {};
	struct rsip_ip ip = {};
	int res;

	res = rsip_ip_read_first(walk, &ip);
	if (res)
		return res;
	walk->inner_off = ip.off;
	walk->asked = ip.daddr;
	res = rsip_turned_around(walk) ? 0 : rsip_src_check(walk->policy, ip.saddr);
	if (res)
		return res;
	walk->mark = RSIP_MARK_POOL; /* should the kernel get it */
	if (ip.frag && !rsip_is_forwarded(walk) && !rsip_addr_whole(addr_index))
		return RSIP_PASS_FRAGMENT; /* RFC 3102 3.1: the kernel reassembles */
	rsip_key_read(walk->ctx, &ip, &key);
	if (key.kind == RSIP_KEY_ICMP)
		rsip_quote_read(walk->ctx, &ip, &key);
	if (key.kind == RSIP_KEY_PORTS && !key.ike)
		walk->home = rsip_home_fetch(walk->cpu, addr_index, key.local_port);
	if (rsip_turned_around(walk))
		key.self = rsip_turned_self(&ip);
	walk->now = rsip_now(walk->cpu);
	key.now_s = rsip_now_s(walk->cpu);
	res = rsip_inbound_owner(walk, &ip, &key, addr_index);
	if (res == RSIP_FRAG_KERNEL) {
		walk->mark = rsip_is_forwarded(walk) ? RSIP_MARK_KERNEL : 0;
		return RSIP_PASS;
	}
	if (res == -RSIP_DROP_ICMP_QUERY || res == RSIP_FRAG_ECHO) {
		int echo = rsip_inbound_query(walk, &ip);

		if (echo)
			return echo;
	}
	if (res <= 0 || res == RSIP_FRAG_ECHO)
		return res < 0 ? res : -RSIP_DROP_INTERNAL;
	ip.seg = rsip_ctx_segment(walk->ctx, ip.len, ip.hlen, ip.proto, ip.off + ip.hlen);
	res = rsip_to_host(walk, &ip, &key, res);
	rsip_frags_follow(walk, &ip, walk->in_slot); /* of a pair's bindings the one for the remote */
	return res ? res : RSIP_TO_HOST;
}

static __always_inline int rsip_inbound(struct rsip_walk *walk)
{
	__u16 type = rsip_eth_type(walk);
	__u32 addr_index;
	__be32 dst;

	if (type == RSIP_ETH_ARP)
		return rsip_arp(walk);
	if (type != RSIP_ETH_IPV4 || !rsip_ip_dst(walk, &dst))
		return rsip_unread(walk);
	addr_index = rsip_addr_find(walk->policy, dst);
	if (addr_index == RSIP_NO_ADDR && !rsip_net_private(walk->policy, dst))
		return RSIP_PASS;
	if (!rsip_eth_to_us(walk))
		return RSIP_PASS;
	return addr_index != RSIP_NO_ADDR ? rsip_inbound_pool(walk, addr_index) : -RSIP_DROP_DST_PRIVATE;
}

#endif
