/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inbound: whose packet is this?  RFC 3102 3.2; RFC 3104 4 and 5. */
#ifndef BPF_DEMUX_H
#define BPF_DEMUX_H

/* The answer: a slot, and whom the packet concerns at the far end (remote flow policy). */
struct owner {
	__u32 slot;
	__be32 remote;
	__be16 remote_port; /* 0: the packet has none */
};

/* Slot that owns one cookie: a claim, else a label.  0: nobody. */
static __always_inline __u32 cookie_slot(__be32 local, __u64 cookie)
{
	struct rsip_learned *l = cookie_owner(local, cookie);

	return l ? READ_U32(l->slot) : label_slot(local, cookie);
}

/* An IKE packet toward a host.  RFC 7296 2.6 says whose half is whose; IKEv1 does not, so both are tried. */
static __noinline int ike_slot(__be32 local, const struct ike *ike)
{
	__u32 slot;

	if (!ike)
		return 0;
	if (ike_is_v2(ike)) {
		if (!(ike->flags & IKE_FLAG_INITIATOR))
			return cookie_slot(local, ike->icookie);
		return ike->rcookie ? cookie_slot(local, ike->rcookie) : 0;
	}
	slot = cookie_slot(local, ike->icookie);
	if (!slot && ike->rcookie)
		slot = cookie_slot(local, ike->rcookie);
	return slot;
}

static __always_inline int demux_ike(__be32 local, void *at, void *end, struct owner *o)
{
	struct ike ike;

	if (!FITS(at, sizeof(ike), end))
		return -RSIP_DROP_MALFORMED;
	__builtin_memcpy(&ike, at, sizeof(ike));
	o->slot = ike_slot(local, &ike);
	return o->slot ? 0 : -RSIP_DROP_NO_COOKIE;
}

/* UDP 500 and 4500 that nobody leased as a port: IKE, or ESP in UDP (RFC 3948 2). */
static __always_inline int demux_udp_ipsec(__be32 local, const struct ip4 *ip, bool natt, struct owner *o)
{
	void *at = ip->l4 + sizeof(struct udphdr);

	if (natt) {
		__be32 marker;

		if (!FITS(at, sizeof(marker), ip->end))
			return -RSIP_DROP_MALFORMED;
		marker = *(__be32 *)at;
		if (marker) {
			o->slot = spi_slot(local, bpf_ntohl(marker));
			return o->slot ? 0 : -RSIP_DROP_NO_SPI;
		}
		at += sizeof(marker);
	}
	return demux_ike(local, at, ip->end, o);
}

static __always_inline int demux_ports(__be32 local, __u32 addr_index, const struct ip4 *ip, struct owner *o)
{
	struct ports *ports = ip->l4;
	__u16 port;

	if (ip4_payload(ip) < 8 || !FITS(ports, 8, ip->end))
		return -RSIP_DROP_MALFORMED;
	port = bpf_ntohs(ports->dst);
	o->remote_port = ports->src;
	o->slot = port_slot(addr_index, port);
	if (o->slot)
		return 0;
	if (ip->hdr->protocol == IPPROTO_UDP && (port == UDP_PORT_IKE || port == UDP_PORT_IKE_NATT))
		return demux_udp_ipsec(local, ip, port == UDP_PORT_IKE_NATT, o);
	return -RSIP_DROP_NO_PORT;
}

static __always_inline int demux_ipsec(__be32 local, const struct ip4 *ip, struct owner *o)
{
	/* ESP: SPI and sequence number; AH: the fixed part. RFC 4303 2, RFC 4302 2 */
	__u32 need = ip->hdr->protocol == IPPROTO_AH ? sizeof(struct ah) : sizeof(struct esp);

	if (ip4_payload(ip) < need || !FITS(ip->l4, sizeof(struct ah), ip->end))
		return -RSIP_DROP_MALFORMED;
	o->slot = spi_slot(local, bpf_ntohl(ipsec_spi(ip->l4, ip->hdr->protocol)));
	return o->slot ? 0 : -RSIP_DROP_NO_SPI;
}

/* The owner of a packet to address `local` of ours.  0 with o filled, or -RSIP_DROP_*. */
static __always_inline int demux(__be32 local, __u32 addr_index, const struct ip4 *ip, struct owner *o)
{
	struct rsip_addr_info *info = bpf_map_lookup_elem(&rsip_addr_info, &addr_index);
	__u8 protocol = ip->hdr->protocol;

	if (!info)
		return -RSIP_DROP_INTERNAL;
	o->slot = READ_U32(info->whole_slot);
	o->remote = ip->hdr->saddr;
	o->remote_port = 0;
	if (o->slot)
		return 0;
	if (has_ports(protocol))
		return demux_ports(local, addr_index, ip, o);
	if (protocol == IPPROTO_ESP || protocol == IPPROTO_AH)
		return demux_ipsec(local, ip, o);
	if (protocol == IPPROTO_ICMP)
		return demux_icmp(local, addr_index, ip, o);
	return -RSIP_DROP_NO_PROTOCOL;
}

/* The owner's record, if it is alive and its flow policy lets this packet in. */
static __always_inline int owner_check(struct walk *w, const struct owner *o, __be32 local, struct rsip_binding **out)
{
	struct rsip_binding *b = binding_at(o->slot);

	if (!b || b->local != local)
		return -RSIP_DROP_NOT_LEASED;
	if (READ_U64(b->expires_ns) <= now(w))
		return -RSIP_DROP_EXPIRED;
	if (b->remote && b->remote != o->remote)
		return -RSIP_DROP_REMOTE_UNALLOWED;
	if (b->remote_port_cnt && o->remote_port &&
	    (__u16)(bpf_ntohs(o->remote_port) - bpf_ntohs(b->remote_port)) >= b->remote_port_cnt)
		return -RSIP_DROP_REMOTE_UNALLOWED;
	*out = b;
	return 0;
}

#endif
