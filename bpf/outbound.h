/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* From a host's tunnel to the public realm, or around to another host. */
#ifndef RSIP_BPF_OUTBOUND_H
#define RSIP_BPF_OUTBOUND_H

/* The key as the receiving host's side sees it. */
static __always_inline void rsip_key_turn(struct rsip_key *key, __u32 self)
{
	__be32 local = key->local;
	__u16 local_port = key->local_port;

	key->local = key->remote;
	key->remote = local;
	key->local_port = key->remote_port;
	key->remote_port = local_port;
	key->host_sent = 0;
	key->by_pair = 0;
	key->self = self;
}

/* What UDP carries depends on the port it goes to: 500 to 4500 has no marker, 4500 to 500 is no IKE. */
static __always_inline void rsip_key_turn_ike(struct rsip_ctx *ctx, const struct rsip_ip *ip, struct rsip_key *back)
{
	if (back->kind != RSIP_KEY_PORTS || back->local_port == back->remote_port)
		return;
	back->ike = RSIP_IKE_NONE;
	rsip_key_read_again(ctx, ip, back);
}

/* An echo request to a shared address, in the host's tunnel: RSIP_ANSWER_ECHO, 0: it is none, or -RSIP_DROP_*. */
static __always_inline int rsip_hairpin_query(struct rsip_walk *walk, const struct rsip_ip *ip)
{
	if (rsip_has_source_route(walk, ip))
		return 0;
	if (rsip_is_slow(walk))
		return rsip_reply_echo_slow(walk, ip);
	walk->in_slot = walk->out_slot; /* the answer */
	return rsip_reply_echo(walk, ip);
}

/* The inner destination is leased by one of our hosts. */
static __always_inline int rsip_hairpin(struct rsip_walk *walk, const struct rsip_ip *ip, struct rsip_key *key,
					__u32 addr_index, __u32 self)
{
	int res;

	walk->mark = RSIP_MARK_POOL; /* should the kernel get it */
	rsip_turned_note(walk, ip, self);
	if (ip->frag && !rsip_addr_whole(addr_index))
		return RSIP_PASS_FRAGMENT;
	rsip_key_turn(key, self); /* in place: 6.1 counts the stack of all callers */
	if (key->kind == RSIP_KEY_ICMP)
		rsip_quote_read(walk->ctx, ip, key);
	else
		rsip_key_turn_ike(walk->ctx, ip, key);
	res = rsip_demux(key, addr_index);
	if (res == -RSIP_DROP_ICMP_QUERY)
		return rsip_hairpin_query(walk, ip) ?: res;
	if (res <= 0)
		return res ? res : -RSIP_DROP_INTERNAL;
	return rsip_to_host(walk, ip, key, res) ?: RSIP_HAIRPIN;
}

static __always_inline int rsip_to_public(struct rsip_walk *walk, const struct rsip_ip *ip)
{
	struct rsip_hop hop = {};
	int res;

	if (ip->ttl <= 1)
		return -RSIP_DROP_TTL_EXCEEDED;
	res = rsip_route(walk, ip, &hop);
	if ((!res || res == -RSIP_DROP_TOO_BIG) && rsip_frags_may_not_fit(walk, ip, walk->mtu))
		res = RSIP_PASS_FRAGMENT;
	if (res == -RSIP_DROP_TOO_BIG && !ip->df)
		res = RSIP_PASS_SLOW;
	if (res == -RSIP_DROP_TOO_BIG && rsip_is_many(walk, ip))
		res = RSIP_PASS_TC;
	if (res > 0 && rsip_is_slow(walk))
		walk->mark = RSIP_MARK_KERNEL; /* it comes by our programs once more, opened */
	if (res)
		return res;
	walk->out_iface = hop.iface;
	res = rsip_decap(walk, ip, &hop);
	return res ? res : RSIP_TO_PUBLIC;
}

/* May this host send this packet?  The slot of the binding that lets it, or -RSIP_DROP_*. */
static __always_inline int rsip_outbound_owner(struct rsip_walk *walk, const struct rsip_ip *outer,
					       const struct rsip_ip *ip, struct rsip_key *key)
{
	__u32 addr_index = rsip_addr_find(walk->policy, ip->saddr);
	struct rsip_binding *rec;
	__u32 home = 0;
	int slot, err;

	rsip_key_read(walk->ctx, ip, key);
	if (addr_index == RSIP_NO_ADDR)
		return -RSIP_DROP_LOCAL_ADDR_UNALLOWED;
	if (key->kind == RSIP_KEY_PORTS && !key->ike)
		home = rsip_home_fetch(walk->cpu, addr_index, key->local_port);
	slot = rsip_owner(key, outer->saddr, addr_index);
	if (slot <= 0)
		return slot ? slot : -RSIP_DROP_INTERNAL;
	rec = rsip_binding_fetch(walk->cpu, slot, home);
	if (!rec)
		return -RSIP_DROP_INTERNAL;
	walk->now = rsip_now(walk->cpu);
	key->now_s = rsip_now_s(walk->cpu);
	if (key->by_pair)
		rec = rsip_pair_for_remote(walk, key, rec, rsip_key_is_ipsec(key) ? RSIP_REMOTE_IPSEC : 0, &slot);
	walk->bind_id = rec->host == outer->saddr ? rec->bind_id : 0;
	rsip_capture_found(walk, rec);
	err = rsip_owner_check(walk, rec, key, outer->saddr, outer->daddr);
	if (!err)
		err = rsip_dst_check(walk->policy, ip->daddr, outer->daddr);
	return err ? err : slot;
}

/*
 * Goes up to the kernel opened, which forwards it: by its routes, or with RSIP_MARK_POOL to the slow path; so does the answer to an echo
 * request that came by there.  XDP leaves the packet as it is: the TC program behind it walks the same way and opens it.
 */
static __always_inline bool rsip_goes_up(const struct rsip_walk *walk, int res)
{
	if (RSIP_CTX_IS_XDP)
		return false;
	return res == RSIP_PASS_SLOW || res == RSIP_PASS_FRAGMENT || (res == RSIP_ANSWER_ECHO && rsip_is_slow(walk));
}

/* The tunnel is opened: may this host send this packet, and where does it go? */
static __always_inline int rsip_outbound_inner(struct rsip_walk *walk, const struct rsip_ip *outer, struct rsip_ip *ip)
{
	struct rsip_key key = { .host_sent = 1 };
	struct rsip_binding *rec;
	__u32 dst_index;
	int slot, err, res;

	slot = rsip_outbound_owner(walk, outer, ip, &key);
	if (slot < 0 && rsip_event_wanted(-slot))
		rsip_event_report(&key, outer->saddr, walk->iface << 8 | (__u32)-slot, walk->bind_id);
	if (slot < 0)
		return slot;
	rec = rsip_binding_get(slot);
	if (!rec)
		return -RSIP_DROP_INTERNAL;
	walk->out_slot = slot;
	dst_index = rsip_addr_find(walk->policy, ip->daddr);
	err = rsip_owner_learn(walk, ip, rec, &key, dst_index != RSIP_NO_ADDR);
	if (err == -RSIP_DROP_COOKIE_COLLISION) /* nobody's fault; RFC 3104 6.1 leaves it to the host, the operator sees why */
		rsip_event_report(&key, outer->saddr, walk->iface << 8 | RSIP_DROP_COOKIE_COLLISION, walk->bind_id);
	if (!err)
		err = rsip_ecn_decap(outer->tos, &ip->tos);
	if (err)
		return err;
	ip->tos = rsip_dscp_decap(walk->policy, rec, outer->tos, ip->tos);
	walk->tunnel_src = outer->saddr;
	walk->tunnel_dst = outer->daddr;
	walk->inner_off = ip->off;
	walk->bytes = ip->len;
	ip->seg = rsip_ctx_segment(walk->ctx, ip->len, ip->hlen, ip->proto, ip->off + ip->hlen);
	if (dst_index != RSIP_NO_ADDR)
		res = rsip_hairpin(walk, ip, &key, dst_index, key.by_pair ? rec->learned : 0);
	else
		res = rsip_to_public(walk, ip);
	return rsip_goes_up(walk, res) ? rsip_decap_to_kernel(walk, ip) ?: res : res;
}

/* Out of a host's PPP interface: the kernel has opened the tunnel.  What the link itself says to us is the kernel's. */
static __always_inline int rsip_outbound_l2tp(struct rsip_walk *walk, const struct rsip_session *session)
{
	struct rsip_ip outer = { .saddr = session->host, .daddr = session->endpoint }, inner = {};
	int err;

	if (rsip_eth_type(walk) != RSIP_ETH_IPV4)
		return RSIP_PASS;
	err = rsip_ip_read(walk->ctx, 0, rsip_frame_len(walk->ctx), &inner);
	if (err)
		return err;
	if (inner.daddr == session->own && inner.saddr == session->peer)
		return RSIP_PASS;
	if (RSIP_READ(session->ifindex) != rsip_ctx_ifindex(walk->ctx))
		return -RSIP_DROP_NO_SESSION; /* it ends right now */
	outer.tos = inner.tos & ~RSIP_ECN_MASK; /* nobody has seen the outer one */
	walk->tunnel = RSIP_TUNNEL_L2TP;
	return rsip_outbound_inner(walk, &outer, &inner);
}

/* At most 60, said for the verifier: a function of its own may have written it. */
static __always_inline __u32 rsip_outer_hlen(const struct rsip_ip *outer)
{
	__u32 hlen = outer->hlen;

	barrier_var(hlen);
	return hlen & 0x3f;
}

/* Bytes of tunnel header behind the outer IP header; 0: the packet is not ours; else -RSIP_DROP_*. */
static __always_inline int rsip_gre_open(struct rsip_walk *walk, const struct rsip_ip *outer)
{
	__u32 off = rsip_l2(walk) + rsip_outer_hlen(outer), avail = outer->len - outer->hlen;
	__be32 *plain = rsip_data(walk->ctx) + off;
	int len;

	if (avail >= RSIP_GRE_LEN && (void *)(plain + 1) <= rsip_data_end(walk->ctx) && *plain == RSIP_GRE_PLAIN)
		return RSIP_GRE_LEN; /* most have no options, and a call is dear */
	len = rsip_gre_read(walk->ctx, off, avail);
	if (!len && rsip_is_slow(walk) && !RSIP_HOST6_IS(outer->saddr)) /* reassembled on suspicion: the machine's own */
		walk->mark = RSIP_MARK_KERNEL;
	return len;
}

/* 0, RSIP_PASS where it is not for our end of the tunnels, RSIP_PASS_TC or -RSIP_DROP_*. */
static __always_inline int rsip_outer_read(struct rsip_walk *walk, struct rsip_ip *outer)
{
	struct rsip_iface *iface = walk->in;
	__be32 dst;

	if (!iface->endpoint)
		return RSIP_PASS;
	if (!rsip_ip_dst(walk, &dst))
		return rsip_unread(walk);
	if ((dst != iface->endpoint && !rsip_is_endpoint(dst)) || !rsip_eth_to_us(walk))
		return RSIP_PASS;
	return rsip_ip_read_first(walk, outer);
}

/* The same of IPv6. */
static __always_inline int rsip_outer6_read(const struct rsip_walk *walk, struct rsip_ip *outer)
{
	int len = rsip_ip6_read(walk->ctx, walk->iface, rsip_l2(walk), outer);

	if (!rsip_eth_to_us(walk))
		return RSIP_PASS;
	if (!len && outer->proto == RSIP_PROTO_ICMP6)
		rsip_pmtu6_look(walk);
	if (!len)
		return RSIP_PASS;
	if (len < 0)
		return len;
	outer->hlen = len;
	outer->off = rsip_l2(walk);
	if (RSIP_CTX_IS_XDP && outer->len + rsip_l2(walk) > rsip_frame_first(walk->ctx) &&
	    !rsip_frame_whole(walk->ctx, RSIP_HEADERS_MAX))
		return RSIP_PASS_TC;
	return 0;
}

/* What was over IPv6 has the tunnel encapsulation limit behind its fragment header: put together, it is behind the IP header. */
static __always_inline void rsip_outer_options(const struct rsip_walk *walk, struct rsip_ip *outer)
{
	int len = rsip_ip6_options(walk->ctx, rsip_l2(walk) + rsip_outer_hlen(outer), &outer->proto);

	if (len == RSIP_IP6_OPTIONS && outer->len >= outer->hlen + RSIP_IP6_OPTIONS)
		outer->hlen += RSIP_IP6_OPTIONS;
}

/*
 * Where MAC addresses are checked: a tunnel packet in fragments loses its own when the kernel puts it together, so its first
 * fragment is asked, which shows the inner source.  One that is too short for that no link makes (RFC 791 3.2, RFC 1858).
 * 0: that of the host, or no pair's, which is judged when it is whole; else -RSIP_DROP_*.
 */
__noinline int rsip_fragment_mac(struct rsip_ctx *ctx, const struct rsip_ip *outer)
{
	union rsip_nexthop hop = {};
	struct rsip_binding *rec;
	__be16 mac[3], flags;
	__be32 local;
	__u8 next;
	__u32 at;

	if (!outer || outer->frag & RSIP_FRAG_OFFSET)
		return 0;
	at = outer->off + outer->hlen;
	next = outer->proto;
	if (RSIP_HOST6_IS(outer->saddr) && rsip_ctx_load(ctx, at - RSIP_FRAGMENT6_LEN, &next, 1))
		return -RSIP_DROP_MALFORMED;
	if (next == RSIP_NEXT_OPTIONS)
		at += rsip_ip6_options(ctx, at, &next);
	if (next == RSIP_PROTO_GRE) {
		if (rsip_ctx_load(ctx, at, &flags, sizeof(flags)))
			return -RSIP_DROP_MALFORMED;
		at += rsip_gre_len(bpf_ntohs(flags));
	}
	if (at + RSIP_IP_LEN > outer->off + outer->len || rsip_ctx_load(ctx, at + 12, &local, sizeof(local)) ||
	    rsip_ctx_load(ctx, 6, mac, sizeof(mac)))
		return -RSIP_DROP_MALFORMED;
	rec = rsip_binding_get(RSIP_PAIR_SLOT((__u32)rsip_pair_find(outer->saddr, local)));
	if (!rec || rec->host != outer->saddr)
		return 0;
	hop.word = RSIP_READ(rec->nexthop);
	return rsip_mac_equal((__u8 *)mac, hop.mac) ? 0 : -RSIP_DROP_WRONG_MAC;
}

static __always_inline int rsip_outbound(struct rsip_walk *walk)
{
	struct rsip_ip outer = {}, inner = {};
	__u16 type = rsip_eth_type(walk);
	int err, more = 0;

	if (type == RSIP_ETH_IPV4)
		err = rsip_outer_read(walk, &outer);
	else
		err = type == RSIP_ETH_IPV6 ? rsip_outer6_read(walk, &outer) : rsip_unread(walk);
	if (err > 0)
		return err;
	if (rsip_is_slow(walk) && outer.proto == RSIP_NEXT_OPTIONS && !err)
		rsip_outer_options(walk, &outer);
	walk->tunnel = RSIP_TUNNEL_IPIP;
	if (outer.proto != RSIP_PROTO_IPIP) {
		if (outer.proto == RSIP_PROTO_ICMP && !err)
			rsip_pmtu_look(walk, &outer);
		if (outer.proto != RSIP_PROTO_GRE || !rsip_gre_wanted(walk->policy))
			return RSIP_PASS;
		walk->tunnel = RSIP_TUNNEL_GRE;
	}
	if (err)
		return err;
	if (type == RSIP_ETH_IPV4 && RSIP_HOST6_IS(outer.saddr)) {
		if (!rsip_is_slow(walk))
			return -RSIP_DROP_SRC_SPOOFED;
		outer.daddr = 0; /* as that of IPv6 is: rsip_ip6_as_ip4() */
	}
	if (outer.frag && rsip_is_slow(walk))
		return -RSIP_DROP_FRAGMENT_LOST; /* gathered before: it would come around again */
	if (outer.frag) {
		walk->mark = RSIP_MARK_TUNNEL;
		err = rsip_checks_mac(walk) ? rsip_fragment_mac(walk->ctx, &outer) : 0;
		if (!err && !RSIP_CTX_IS_XDP && type == RSIP_ETH_IPV6)
			err = rsip_ip6_as_ip4(walk->ctx, rsip_l2(walk), walk->iface, outer.saddr);
		return err ? err : RSIP_PASS_FRAGMENT;
	}
	if (walk->tunnel == RSIP_TUNNEL_GRE) {
		more = rsip_gre_open(walk, &outer);
		if (more <= 0)
			return more ? more : RSIP_PASS;
		more &= RSIP_GRE_MASK;
	}
	err = rsip_ip_read(walk->ctx, rsip_l2(walk) + rsip_outer_hlen(&outer) + more, outer.len - outer.hlen - more, &inner);
	if (err)
		return err;
	return rsip_outbound_inner(walk, &outer, &inner);
}

/*
 * Not in a tunnel: the kernel forwards it, and no longer looks at its source (rp_filter is off, for what comes out of
 * tunnels).  One in a pool is forged (BCP 38).  What the slow path has opened comes by once more, with a mark of ours:
 * the TC program sees it, XDP in generic mode does not, so TC judges.
 */
static __always_inline int rsip_untunnelled(struct rsip_walk *walk, int res)
{
	struct iphdr *h = rsip_data(walk->ctx) + (rsip_l2(walk) & 0xf); /* 0 or 14: said for the verifier */

	if (res != RSIP_PASS || rsip_eth_type(walk) != RSIP_ETH_IPV4 || (void *)(h + 1) > rsip_data_end(walk->ctx))
		return res;
	if (rsip_addr_find(walk->policy, h->saddr) == RSIP_NO_ADDR)
		return res;
	return RSIP_CTX_IS_XDP ? RSIP_PASS_TC : -RSIP_DROP_SRC_SPOOFED;
}

#endif
