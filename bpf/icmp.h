/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ICMP errors from the public realm belong to whoever sent the packet they quote.
 *
 *   | IP remote -> ours | ICMP type 3, 4, 11, 12 | IP ours -> remote | 8 bytes or more |
 *                                                 `-- the host's packet, read backwards --'
 */
#ifndef RSIP_BPF_ICMP_H
#define RSIP_BPF_ICMP_H

#define RSIP_ICMP_LEN 8

static __always_inline bool rsip_icmp_is_error(__u8 type)
{
	/* RFC 792.  A redirect (5) is for routers on the sender's link, not for a host behind a tunnel. */
	return type == 3 || type == 4 || type == 11 || type == 12;
}

/* Of RFC 792 and 950, those that answer a query and carry its identifier. */
static __always_inline bool rsip_icmp_is_reply(__u8 type)
{
	return type == 0 || type == 14 || type == 16 || type == 18;
}

/* The quoted packet's own fields: its source is local.  off: its transport header, of which len bytes exist. */
static __always_inline void rsip_quote_l4(struct rsip_ctx *ctx, struct rsip_key *key, __u32 off, __u32 len)
{
	__be16 l4[4];

	rsip_key_bad(key, RSIP_DROP_MALFORMED);
	if (len < sizeof(l4) || rsip_ctx_load(ctx, off, l4, sizeof(l4)))
		return;
	if (rsip_proto_has_ports(key->proto))
		rsip_key_ports(ctx, key, off, len, l4);
	else if (key->proto == RSIP_PROTO_ESP) {
		key->kind = RSIP_KEY_SPI;
		__builtin_memcpy(&key->spi, &l4[0], 4);
	} else if (key->proto == RSIP_PROTO_AH) {
		key->kind = RSIP_KEY_SPI;
		__builtin_memcpy(&key->spi, &l4[2], 4);
	} else {
		rsip_key_bad(key, RSIP_DROP_NO_QUOTE_OWNER);
		key->spi = key->proto == RSIP_PROTO_ICMP ? rsip_icmp_ident(l4) : 0;
	}
}

/*
 * Replaces the key of an ICMP packet to us by that of the packet it quotes.  Never fails: see rsip_key_read().
 */
__noinline int rsip_quote_read(struct rsip_ctx *ctx, const struct rsip_ip *ip, struct rsip_key *key)
{
	__u32 off, len, hlen;
	struct iphdr h;
	__be16 ident;
	__u8 type;

	if (!ip || !key)
		return -RSIP_DROP_INTERNAL;
	off = ip->off + ip->hlen;
	len = ip->len - ip->hlen;
	key->spi = 0;
	rsip_key_bad(key, RSIP_DROP_ICMP_QUERY);
	if (rsip_ctx_load(ctx, off, &type, 1))
		return 0;
	if (!rsip_icmp_is_error(type)) {
		if (rsip_icmp_is_reply(type) && !rsip_ctx_load(ctx, off + 4, &ident, sizeof(ident)))
			key->spi = bpf_ntohs(ident) + 1;
		return 0;
	}
	rsip_key_bad(key, RSIP_DROP_MALFORMED);
	off += RSIP_ICMP_LEN;
	if (len < RSIP_ICMP_LEN + RSIP_IP_LEN || rsip_ctx_load(ctx, off, &h, sizeof(h)))
		return 0;
	len -= RSIP_ICMP_LEN;
	hlen = (*(__u8 *)&h & 0xf) * 4;
	if (*(__u8 *)&h >> 4 != 4 || hlen < RSIP_IP_LEN || len < hlen)
		return 0;
	rsip_key_bad(key, RSIP_DROP_NO_QUOTE_OWNER);
	if (h.saddr != key->local || bpf_ntohs(h.frag_off) & RSIP_FRAG_OFFSET)
		return 0;
	key->remote = h.daddr; /* the remote flow policy is about the host's peer, not about the router */
	key->proto = h.protocol;
	key->quoted = 1;
	key->host_sent = 1;
	rsip_quote_l4(ctx, key, off + hlen, len - hlen);
	return 0;
}

#endif
