/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inbound: which binding is a packet for?  Only fields in the clear decide (RFC 3102 5.1, RFC 3104 5). */
#ifndef RSIP_BPF_DEMUX_H
#define RSIP_BPF_DEMUX_H

static __always_inline int rsip_found(const struct rsip_key *key, __u32 slot, int why)
{
	if (slot)
		return (int)slot;
	return key->quoted ? -RSIP_DROP_NO_QUOTE_OWNER : -why;
}

/* An SPI in a packet to us is ours; in a quoted packet it is the peer's. */
static __always_inline int rsip_demux_spi(const struct rsip_key *key)
{
	if (key->quoted)
		return rsip_found(key, rsip_spi_out_find(key->local, key->remote, key->spi), RSIP_DROP_NO_SPI);
	return rsip_found(key, rsip_spi_find(key->local, bpf_ntohl(key->spi)), RSIP_DROP_NO_SPI);
}

/* What is quoted was sent by a host, which has claimed its half: there is nothing to guess. */
static __always_inline int rsip_demux_ike(struct rsip_key *key, __u32 flags)
{
	__u32 slot = rsip_ike_find(key);
	int res;

	if (slot || key->quoted || !(flags & RSIP_ADDR_GUESS) || flags & RSIP_ADDR_KERNEL_IKE)
		return rsip_found(key, slot, RSIP_DROP_NO_COOKIE);
	res = rsip_ike_guess(key);
	return res ? res : -RSIP_DROP_NO_COOKIE;
}

/*
 * A quote need not be longer than 8 bytes behind the IP header (RFC 792): of IKE, and of ESP in UDP, these are the ports
 * alone.  It is for the only host that has an exchange with the quoted destination.
 */
static __always_inline int rsip_demux_cut(struct rsip_key *key, __u32 flags)
{
	int res = 0;

	if (key->quoted && flags & RSIP_ADDR_GUESS && !(flags & RSIP_ADDR_KERNEL_IKE))
		res = rsip_ike_guess(key);
	return rsip_found(key, res > 0 ? (__u32)res : 0, RSIP_DROP_MALFORMED);
}

static __always_inline int rsip_demux_port(struct rsip_key *key, __u32 addr_index, __u32 flags)
{
	__u32 slot = rsip_port_find(addr_index, key->local_port);

	if (slot)
		return (int)slot;
	switch (key->ike) {
	case RSIP_IKE_COOKIES:
		return rsip_demux_ike(key, flags);
	case RSIP_IKE_SPI:
		return rsip_demux_spi(key);
	case RSIP_IKE_KEEPALIVE:
	case RSIP_IKE_CUT:
		return rsip_demux_cut(key, flags);
	}
	return rsip_found(key, 0, RSIP_DROP_NO_PORT);
}

/* Slot of the binding that the packet is for, or -RSIP_DROP_*. */
static __always_inline int rsip_demux(struct rsip_key *key, __u32 addr_index)
{
	struct rsip_addr_info *info = bpf_map_lookup_elem(&rsip_addr_info, &addr_index);
	__u32 whole;

	if (!key)
		return -RSIP_DROP_INTERNAL;
	if (!info || info->addr != key->local || !(info->flags & RSIP_ADDR_LIVE))
		return -RSIP_DROP_NOT_LEASED;
	whole = RSIP_READ(info->whole_slot);
	if (whole)
		return (int)whole;
	switch (key->kind) {
	case RSIP_KEY_PORTS:
		return rsip_demux_port(key, addr_index, info->flags);
	case RSIP_KEY_SPI:
		return rsip_demux_spi(key);
	case RSIP_KEY_BAD:
		if (key->spi) {
			__u32 slot = rsip_ident_find(key->local, key->spi - 1, key->now_s);

			key->by_pair = 1;
			if (slot)
				return (int)slot;
		}
		return key->why ? -(int)key->why : -RSIP_DROP_MALFORMED;
	}
	return -RSIP_DROP_NO_PROTOCOL;
}

#endif
