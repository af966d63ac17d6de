/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Outbound: which binding lets this host send this packet, and does all else about the packet agree with it? */
#ifndef RSIP_BPF_OWNER_H
#define RSIP_BPF_OWNER_H

/* The pair's RSIPSEC binding: the packet carries the peer's SPI or a cookie, which nobody leases. */
static __always_inline int rsip_owner_ipsec(struct rsip_key *key, __u64 pair)
{
	__u32 ipsec = pair >> 32;

	key->by_pair = 1 | RSIP_PAIR_TUNNELS(ipsec);
	rsip_learned_fetch(RSIP_PAIR_SLOT(ipsec), key->ike == RSIP_IKE_COOKIES);
	if (!pair)
		return -RSIP_DROP_HOST_UNKNOWN;
	return ipsec ? (int)RSIP_PAIR_SLOT(ipsec) : -RSIP_DROP_IPSEC_UNALLOWED;
}

/* IKE from a port that it does not lease: its RSIPSEC binding, or its listener for this remote. */
static __always_inline int rsip_owner_ike(struct rsip_key *key, __be32 host)
{
	__u64 pair = rsip_pair_find(host, key->local);
	int res = rsip_owner_ipsec(key, pair);
	__u32 slot = rsip_ike_binding(key, res > 0 ? res : 0, host);

	key->by_pair |= RSIP_PAIR_TUNNELS((__u32)pair);
	return slot ? (int)slot : res;
}

static __always_inline int rsip_owner_any(struct rsip_key *key, __be32 host)
{
	__u32 any = (__u32)rsip_pair_find(host, key->local);

	key->by_pair = 1 | RSIP_PAIR_TUNNELS(any);
	return any ? (int)RSIP_PAIR_SLOT(any) : -RSIP_DROP_HOST_UNKNOWN;
}

/* Slot of the binding under which the host may send the packet, or -RSIP_DROP_*. */
static __always_inline int rsip_owner(struct rsip_key *key, __be32 host, __u32 addr_index)
{
	struct rsip_addr_info *info = bpf_map_lookup_elem(&rsip_addr_info, &addr_index);
	__u32 slot;

	if (!key)
		return -RSIP_DROP_INTERNAL;
	if (!info || info->addr != key->local || !(info->flags & RSIP_ADDR_LIVE))
		return -RSIP_DROP_LOCAL_ADDR_UNALLOWED;
	slot = RSIP_READ(info->whole_slot);
	if (slot)
		return (int)slot;
	switch (key->kind) {
	case RSIP_KEY_PORTS:
		slot = rsip_port_find(addr_index, key->local_port);
		if (slot)
			return (int)slot;
		if (key->ike == RSIP_IKE_SPI)
			return rsip_owner_ipsec(key, rsip_pair_find(host, key->local));
		return key->ike ? rsip_owner_ike(key, host) : -RSIP_DROP_LOCAL_PORT_UNALLOWED;
	case RSIP_KEY_ICMP:
	case RSIP_KEY_LATER:
		return rsip_owner_any(key, host);
	case RSIP_KEY_BAD:
		return -RSIP_DROP_MALFORMED;
	}
	return rsip_owner_ipsec(key, rsip_pair_find(host, key->local));
}

/*
 * A pair has one entry and may have bindings for several remotes: the one for this packet's, where the one found is
 * for another, or has ended.  ipsec: RSIP_REMOTE_IPSEC or 0.
 */
static __always_inline struct rsip_binding *rsip_pair_for_remote(const struct rsip_walk *walk, const struct rsip_key *key,
								 struct rsip_binding *rec, __u32 ipsec, int *slot)
{
	struct rsip_binding *other;
	__u32 found;

	if (!rec->remote || (rec->remote == key->remote && RSIP_READ(rec->expires_ns) > walk->now))
		return rec;
	found = rsip_remote_find(rec->host, key->local, key->remote, ipsec);
	other = found ? rsip_binding_get(found) : NULL;
	if (!other)
		return rec;
	*slot = (int)found;
	return other;
}

/* UDP to or from the ports of IKE: without it there is no IPsec to the remote. */
static __always_inline bool rsip_remote_is_ike(const struct rsip_binding *rec, const struct rsip_key *key)
{
	if (key->remote_port != RSIP_PORT_IKE && key->remote_port != RSIP_PORT_NATT)
		return false;
	return key->ike || (rec->method == 3 && key->proto == RSIP_PROTO_UDP);
}

/* Is the remote one that the binding may talk to?  RFC 3103 7.2; RFC 3104 App. D for what hides its ports. */
static __always_inline int rsip_remote_check(const struct rsip_binding *rec, const struct rsip_key *key)
{
	__u16 first = bpf_ntohs(rec->remote_port);

	if (rec->remote && rec->remote != key->remote)
		return -RSIP_DROP_REMOTE_UNALLOWED;
	if (!rec->remote_port_cnt || !key->has_ports)
		return 0;
	if (rsip_remote_is_ike(rec, key))
		return 0;
	return (__u16)(key->remote_port - first) < rec->remote_port_cnt ? 0 : -RSIP_DROP_REMOTE_UNALLOWED;
}

static __always_inline bool rsip_mac_equal(const __u8 *a, const __u8 *b)
{
	const __u16 *x = (const __u16 *)a, *y = (const __u16 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

static __always_inline bool rsip_checks_mac(const struct rsip_walk *walk)
{
	return rsip_l2(walk) && walk->policy->flags & RSIP_POLICY_CHECK_MAC;
}

/* RFC 3103 10.4 and BCP 38: the packet must come from where the registration was made. */
static __always_inline int rsip_owner_check(const struct rsip_walk *walk, const struct rsip_binding *rec,
					    const struct rsip_key *key, __be32 host, __be32 endpoint)
{
	union rsip_nexthop hop = { .word = RSIP_READ(rec->nexthop) };
	struct ethhdr *eth = rsip_data(walk->ctx);

	if ((void *)(eth + 1) > rsip_data_end(walk->ctx))
		return -RSIP_DROP_INTERNAL;
	if (rec->local != key->local || RSIP_READ(rec->expires_ns) <= walk->now)
		return -RSIP_DROP_EXPIRED;
	if (rec->host != host)
		return -RSIP_DROP_NOT_OWNER;
	if (rec->iface != walk->iface)
		return -RSIP_DROP_WRONG_INTERFACE;
	/* what is found by the pair may be another binding of the pair's, with another type and end */
	if (rec->tunnel != walk->tunnel && !(key->by_pair >> walk->tunnel & 1))
		return -RSIP_DROP_WRONG_TUNNEL;
	if (rec->endpoint != endpoint && !key->by_pair && walk->tunnel != RSIP_TUNNEL_L2TP)
		return -RSIP_DROP_WRONG_TUNNEL;
	/* on the slow path it is the kernel's own: there rsip_fragment_mac() was before */
	if (rsip_checks_mac(walk) && !rsip_is_slow(walk) && !rsip_mac_equal(eth->h_source, hop.mac))
		return -RSIP_DROP_WRONG_MAC;
	return rsip_remote_check(rec, key);
}

/* Of a host's ICMP error: the start of the packet that it quotes. */
struct rsip_error_quote {
	__u8 type;
	__u8 pad[7];
	struct iphdr h;
	__be16 l4[4];
};
_Static_assert(sizeof(struct rsip_error_quote) == 36, "rsip_error_quote");

static __always_inline int rsip_slot_is_hosts(__u32 slot, __be32 host)
{
	struct rsip_binding *rec = slot ? rsip_binding_get(slot) : NULL;

	if (!rec)
		return -RSIP_DROP_LOCAL_PORT_UNALLOWED;
	return rec->host == host ? 0 : -RSIP_DROP_NOT_OWNER;
}

/*
 * A host's ICMP error about a packet that was another host's: whoever gets it believes the address that both have.  The
 * quoted packet came to that address, and to a port or SPI of the host's, where it shows one (not IKE from ports that
 * all hosts use).  0 or -RSIP_DROP_*.
 */
__noinline int rsip_error_check(struct rsip_ctx *ctx, const struct rsip_ip *ip, __be32 host, __u32 addr_index)
{
	struct rsip_error_quote q;
	__u32 hlen;
	__u16 port;

	if (!ip || ip->len < ip->hlen + sizeof(q) || rsip_ctx_load(ctx, ip->off + ip->hlen, &q, sizeof(q)))
		return 0; /* nobody takes so short a quote (RFC 792) */
	if (!rsip_icmp_is_error(q.type))
		return 0;
	if (q.h.daddr != ip->saddr)
		return -RSIP_DROP_LOCAL_ADDR_UNALLOWED;
	hlen = (*(__u8 *)&q.h & 0xf) * 4;
	if (q.h.frag_off & bpf_htons(RSIP_FRAG_OFFSET) || rsip_addr_whole(addr_index))
		return 0;
	if (hlen < RSIP_IP_LEN || ip->len < ip->hlen + 8 + hlen + sizeof(q.l4) ||
	    rsip_ctx_load(ctx, ip->off + ip->hlen + 8 + hlen, q.l4, sizeof(q.l4)))
		return 0;
	port = bpf_ntohs(q.l4[1]);
	if (q.h.protocol == RSIP_PROTO_UDP && (port == RSIP_PORT_IKE || port == RSIP_PORT_NATT))
		return 0;
	if (rsip_proto_has_ports(q.h.protocol))
		return rsip_slot_is_hosts(rsip_port_find(addr_index, port), host);
	if (q.h.protocol == RSIP_PROTO_ESP)
		return rsip_slot_is_hosts(rsip_spi_find(ip->saddr, bpf_ntohl(*(__be32 *)&q.l4[0])), host);
	if (q.h.protocol == RSIP_PROTO_AH)
		return rsip_slot_is_hosts(rsip_spi_find(ip->saddr, bpf_ntohl(*(__be32 *)&q.l4[2])), host);
	return 0;
}

/*
 * A query's identifier becomes the host's, unless it is the machine's own; an error is about what came to the host.
 * 0 or -RSIP_DROP_*.
 */
static __always_inline int rsip_owner_icmp(const struct rsip_walk *walk, const struct rsip_ip *ip,
					   const struct rsip_binding *rec, const struct rsip_key *key)
{
	if (!key->spi)
		return rsip_error_check(walk->ctx, ip, rec->host, rec->addr_index);
	if (!key->by_pair)
		return 0;
	if (rsip_kernel_ident(rec->addr_index, key->spi - 1))
		return -RSIP_DROP_IDENT_TAKEN;
	return rsip_ident_take(key->local, key->spi - 1, walk->out_slot, key->now_s);
}

/*
 * What the packet teaches: an IKE cookie claimed, an outbound SPI or an ICMP identifier remembered.  0 or
 * -RSIP_DROP_*.
 */
static __always_inline int rsip_owner_learn(struct rsip_walk *walk, const struct rsip_ip *ip, const struct rsip_binding *rec,
					    const struct rsip_key *key, bool hairpin)
{
	int res;

	if (key->kind == RSIP_KEY_ICMP)
		return rsip_owner_icmp(walk, ip, rec, key);
	if (!key->by_pair)
		return 0;
	if (key->kind == RSIP_KEY_SPI || key->ike == RSIP_IKE_SPI) {
		rsip_spi_out_seen(key, rec->learned);
		return 0;
	}
	if (key->ike == RSIP_IKE_CUT)
		return -RSIP_DROP_MALFORMED;
	if (key->ike != RSIP_IKE_COOKIES)
		return 0;
	res = rsip_ike_claim(key, rec->learned, hairpin);
	if (res < 0)
		return res;
	walk->claims += res;
	rsip_peer_asked(key->remote, rec->learned, key->now_s);
	return 0;
}

#endif
