/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Outbound: may this host send this?  RFC 3102 2 (hosts MAY NOT use what was not assigned to them). */
#ifndef BPF_OWNER_H
#define BPF_OWNER_H

/* What is known of a tunnel packet before its owner. */
struct tunnelled {
	__be32 host; /* outer source */
	__u8 mac[6]; /* it came from */
	__u8 tunnel; /* type */
};

/* Claims the half of the IKE SPIs that the host chose.  0, or why not. */
static __always_inline int claim_ike(struct walk *w, const struct ip4 *in, bool natt, struct rsip_binding *b)
{
	void *at = in->l4 + sizeof(struct udphdr);
	__u32 labelled;
	struct ike ike;
	__u64 cookie;
	int err;

	if (natt) {
		if (!FITS(at, 4, in->end))
			return -RSIP_DROP_MALFORMED;
		if (*(__be32 *)at) /* ESP in UDP: nothing to claim */
			return 0;
		at += 4;
	}
	if (!FITS(at, sizeof(ike), in->end))
		return -RSIP_DROP_MALFORMED;
	__builtin_memcpy(&ike, at, sizeof(ike));
	cookie = ike_is_v2(&ike) && !(ike.flags & IKE_FLAG_INITIATOR) ? ike.rcookie : ike.icookie;
	if (!cookie)
		return 0;
	labelled = label_slot(in->hdr->saddr, cookie);
	if (labelled) {
		struct rsip_binding *of = binding_at(labelled);

		if (of && of->host == b->host)
			return 0; /* its own label needs no claim */
		return -RSIP_DROP_COOKIE_COLLISION;
	}
	err = cookie_claim(b->learned, in->hdr->saddr, cookie);
	if (err == -RSIP_DROP_COOKIE_COLLISION && !ike_is_v2(&ike) && ike.rcookie) {
		__u32 index;

		/* IKEv1 between two of our hosts: the initiator's cookie is the other's, ours is the responder's. */
		if (addr_find(in->hdr->daddr, &index))
			err = cookie_claim(b->learned, in->hdr->saddr, ike.rcookie);
	}
	if (err == 1) {
		count(w, RSIP_CNT_COOKIE_CLAIMED, 1);
		err = 0;
	}
	return err;
}

/* Protocols with ports, first fragment or whole: the port's binding; IKE ports that nobody leased: the pair's. */
static __always_inline int owner_by_port(__be32 host, __u32 addr_index, const struct ip4 *in, __u32 *slot, bool *ike)
{
	struct ports *ports = in->l4;
	struct pair pair;
	__u16 port;

	if (ip4_payload(in) < 8 || !FITS(ports, 8, in->end))
		return -RSIP_DROP_MALFORMED;
	port = bpf_ntohs(ports->src);
	*slot = port_slot(addr_index, port);
	if (*slot)
		return 0;
	if (in->hdr->protocol != IPPROTO_UDP || (port != UDP_PORT_IKE && port != UDP_PORT_IKE_NATT))
		return -RSIP_DROP_LOCAL_PORT_UNALLOWED;
	pair_find(host, in->hdr->saddr, &pair);
	*slot = pair.ipsec_slot;
	*ike = true;
	return *slot ? 0 : -RSIP_DROP_IPSEC_UNALLOWED;
}

static __always_inline int owner_by_pair(__be32 host, const struct ip4 *in, __u32 *slot)
{
	bool any = in->hdr->protocol == IPPROTO_ICMP || (in->frag & IP_OFFSET);
	struct pair pair;

	if (!pair_find(host, in->hdr->saddr, &pair))
		return -RSIP_DROP_HOST_UNKNOWN;
	*slot = any ? pair.slot : pair.ipsec_slot;
	return *slot ? 0 : -RSIP_DROP_IPSEC_UNALLOWED;
}

/* The record's side of the bargain: this host, here, through this kind of tunnel, still. */
static __always_inline int owner_matches(struct walk *w, const struct tunnelled *t, const struct rsip_binding *b,
					 __be32 local)
{
	if (b->local != local)
		return -RSIP_DROP_NOT_LEASED;
	if (b->host != t->host)
		return -RSIP_DROP_NOT_OWNER;
	if (b->iface != w->iface_index)
		return -RSIP_DROP_WRONG_INTERFACE;
	if (b->tunnel != t->tunnel)
		return -RSIP_DROP_WRONG_TUNNEL;
	if (READ_U64(b->expires_ns) <= now(w))
		return -RSIP_DROP_EXPIRED;
	return 0;
}

static __always_inline int check_mac(const struct tunnelled *t, const struct rsip_binding *b)
{
	union rsip_nexthop hop = { .word = READ_U64(b->nexthop) };
	struct rsip_policy *p = policy();

	if (!p || !(p->flags & RSIP_POLICY_CHECK_MAC) || !hop.word)
		return 0;
	for (int i = 0; i < 6; i++)
		if (hop.mac[i] != t->mac[i])
			return -RSIP_DROP_WRONG_MAC;
	return 0;
}

/* Remote flow policy, outbound: RFC 3103 7.2 ("both in the ingress and egress directions"). */
static __always_inline int check_remote(const struct ip4 *in, const struct rsip_binding *b)
{
	struct ports *ports = in->l4;

	if (b->remote && in->hdr->protocol != IPPROTO_ICMP && b->remote != in->hdr->daddr)
		return -RSIP_DROP_REMOTE_UNALLOWED;
	if (b->remote_port_cnt && has_ports(in->hdr->protocol) && !(in->frag & IP_OFFSET)) {
		if (!FITS(ports, sizeof(*ports), in->end))
			return -RSIP_DROP_MALFORMED;
		if ((__u16)(bpf_ntohs(ports->dst) - bpf_ntohs(b->remote_port)) >= b->remote_port_cnt)
			return -RSIP_DROP_REMOTE_UNALLOWED;
	}
	return 0;
}

/* The binding under which a host sends this inner packet.  0 with *slot and *out, or -RSIP_DROP_*. */
static __always_inline int owner_find(struct walk *w, const struct tunnelled *t, const struct ip4 *in, __u32 addr_index,
				      __u32 *slot, struct rsip_binding **out)
{
	struct rsip_addr_info *info = bpf_map_lookup_elem(&rsip_addr_info, &addr_index);
	__u8 protocol = in->hdr->protocol;
	struct rsip_binding *b;
	bool ike = false;
	int err = 0;

	if (!info)
		return -RSIP_DROP_INTERNAL;
	*slot = READ_U32(info->whole_slot);
	if (!*slot) {
		if (has_ports(protocol) && !(in->frag & IP_OFFSET))
			err = owner_by_port(t->host, addr_index, in, slot, &ike);
		else
			err = owner_by_pair(t->host, in, slot);
		if (err)
			return err;
	}
	b = binding_at(*slot);
	if (!b)
		return -RSIP_DROP_INTERNAL;
	err = owner_matches(w, t, b, in->hdr->saddr);
	if (!err)
		err = check_mac(t, b);
	if (!err)
		err = check_remote(in, b);
	if (err)
		return err;
	if (ike) {
		err = claim_ike(w, in, ((struct ports *)in->l4)->src == bpf_htons(UDP_PORT_IKE_NATT), b);
		if (err)
			return err;
	}
	if ((protocol == IPPROTO_ESP || protocol == IPPROTO_AH) && !(in->frag & IP_OFFSET) && b->learned) {
		if (ip4_payload(in) < 8 || !FITS(in->l4, 8, in->end))
			return -RSIP_DROP_MALFORMED;
		spi_out_learn(b->learned, in->hdr->saddr, in->hdr->daddr, ipsec_spi(in->l4, protocol));
	}
	*out = b;
	return 0;
}

#endif
