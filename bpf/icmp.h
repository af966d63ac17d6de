/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors find their host by the packet they quote, read backwards: its source is our address (RFC 3102 6.2).
 * As few as 8 bytes of the quoted transport header need be there (RFC 792).
 */
#ifndef BPF_ICMP_H
#define BPF_ICMP_H

struct owner;
static __always_inline __u32 cookie_slot(__be32 local, __u64 cookie);

#define ICMP_UNREACHABLE 3
#define ICMP_QUENCH 4
#define ICMP_TIME_EXCEEDED_ 11
#define ICMP_PARAMETER 12
#define ICMP_HDR_LEN 8

static __always_inline bool icmp_is_error(__u8 type)
{
	return type == ICMP_UNREACHABLE || type == ICMP_QUENCH || type == ICMP_TIME_EXCEEDED_ ||
	       type == ICMP_PARAMETER;
}

/* A quoted IKE packet was sent by the host: its own half decides.  Needs more than 8 bytes of the quote. */
static __always_inline __u32 quoted_ike_slot(__be32 local, void *l4, void *end, bool natt)
{
	void *at = l4 + sizeof(struct udphdr) + (natt ? 4 : 0);
	struct ike ike;

	if (!FITS(at, sizeof(ike), end))
		return 0;
	__builtin_memcpy(&ike, at, sizeof(ike));
	if (ike_is_v2(&ike) && !(ike.flags & IKE_FLAG_INITIATOR))
		return cookie_slot(local, ike.rcookie);
	return cookie_slot(local, ike.icookie);
}

/* ESP and AH quote the remote's SPI, which nobody leases: who sends under it? */
static __always_inline __u32 quoted_ipsec_slot(__be32 local, __be32 remote, __be32 spi)
{
	struct rsip_spi_out_key key = { .local = local, .remote = remote, .spi = spi };
	struct rsip_claim *claim = bpf_map_lookup_elem(&rsip_spis_out, &key);
	struct rsip_learned *l = claim ? claim_owner(claim) : NULL;

	return l ? READ_U32(l->slot) : 0;
}

static __always_inline __u32 quoted_slot(__be32 local, __u32 addr_index, struct iphdr *quoted, void *l4, void *end)
{
	__u8 protocol = quoted->protocol;

	if (has_ports(protocol)) {
		__u16 port = bpf_ntohs(((struct ports *)l4)->src);
		__u32 slot = port_slot(addr_index, port);

		if (!slot && protocol == IPPROTO_UDP && (port == UDP_PORT_IKE || port == UDP_PORT_IKE_NATT))
			return quoted_ike_slot(local, l4, end, port == UDP_PORT_IKE_NATT);
		return slot;
	}
	if (protocol == IPPROTO_ESP || protocol == IPPROTO_AH)
		return quoted_ipsec_slot(local, quoted->daddr, ipsec_spi(l4, protocol));
	return 0;
}

/* 0 with the slot and the quoted destination as remote, or -RSIP_DROP_*. */
static __always_inline int icmp_error_owner(__be32 local, __u32 addr_index, const struct ip4 *ip, __u32 *slot,
					    __be32 *remote)
{
	struct iphdr *quoted = ip->l4 + ICMP_HDR_LEN;
	void *l4;

	if (ip4_payload(ip) < ICMP_HDR_LEN + sizeof(*quoted) + 8 || !FITS(quoted, sizeof(*quoted), ip->end))
		return -RSIP_DROP_MALFORMED;
	if (quoted->version != 4 || quoted->ihl < 5)
		return -RSIP_DROP_MALFORMED;
	l4 = (void *)quoted + quoted->ihl * 4;
	if (!FITS(l4, 8, ip->end))
		return -RSIP_DROP_MALFORMED;
	/* A quoted later fragment has no transport header to find anybody by. */
	if (quoted->saddr != local || (bpf_ntohs(quoted->frag_off) & IP_OFFSET))
		return -RSIP_DROP_NO_QUOTE_OWNER;
	*remote = quoted->daddr;
	*slot = quoted_slot(local, addr_index, quoted, l4, ip->end);
	return *slot ? 0 : -RSIP_DROP_NO_QUOTE_OWNER;
}

#define demux_icmp(local, addr_index, ip, o)                                                              \
	({                                                                                                \
		int err_;                                                                                 \
		if (ip4_payload(ip) < ICMP_HDR_LEN || !FITS((ip)->l4, ICMP_HDR_LEN, (ip)->end))           \
			err_ = -RSIP_DROP_MALFORMED;                                                      \
		else if (!icmp_is_error(*(__u8 *)(ip)->l4))                                               \
			err_ = -RSIP_DROP_ICMP_QUERY;                                                     \
		else                                                                                      \
			err_ = icmp_error_owner(local, addr_index, ip, &(o)->slot, &(o)->remote);         \
		err_;                                                                                     \
	})

#endif
