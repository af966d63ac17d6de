/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What of a pool address is the machine's own: its DNS, its IKE daemon, its ESP, its NAT.  Asked only where no
 * binding claims the packet, so that it costs those nothing.
 */
#ifndef RSIP_BPF_KERNEL_H
#define RSIP_BPF_KERNEL_H

union rsip_span16_word {
	struct rsip_span16 s;
	__u32 word;
};

union rsip_span32_word {
	struct rsip_span32 s;
	__u64 word;
};

static __always_inline bool rsip_span16_has(const struct rsip_span16 *span, int spans, __u16 n)
{
	for (int i = 0; i < spans; i++) {
		union rsip_span16_word w = { .word = RSIP_READ(*(const __u32 *)&span[i]) };

		if ((__u16)(n - w.s.first) < w.s.cnt)
			return true;
	}
	return false;
}

/* An SPI in a packet to us is the machine's; a quoted one is its peer's, so any of the machine's own will do. */
static __always_inline bool rsip_kernel_spi(const struct rsip_addr_info *info, const struct rsip_key *key)
{
	for (int i = 0; i < RSIP_KERNEL_SPI_SPANS; i++) {
		union rsip_span32_word w = { .word = RSIP_READ(*(const __u64 *)&info->kernel_spis[i]) };

		if (key->quoted ? w.s.cnt != 0 : bpf_ntohl(key->spi) - w.s.first < w.s.cnt)
			return true;
	}
	return false;
}

static __always_inline bool rsip_kernel_udp(const struct rsip_addr_info *info, const struct rsip_key *key)
{
	if (key->ike == RSIP_IKE_SPI)
		return rsip_kernel_spi(info, key);
	return key->ike && info->flags & RSIP_ADDR_KERNEL_IKE;
}

/* 1: no host may have this ICMP identifier of the address. */
static __always_inline bool rsip_kernel_ident(__u32 addr_index, __u16 ident)
{
	struct rsip_addr_info *info = bpf_map_lookup_elem(&rsip_addr_info, &addr_index);

	return info && rsip_span16_has(info->kernel_ids, RSIP_KERNEL_ID_SPANS, ident);
}

/* 1: a packet that no binding claims is for the machine. */
__noinline int rsip_kernel_owns(const struct rsip_key *key, __u32 addr_index)
{
	struct rsip_addr_info *info = bpf_map_lookup_elem(&rsip_addr_info, &addr_index);

	if (!key || !info || info->addr != key->local || info->whole_slot || !(info->flags & RSIP_ADDR_LIVE))
		return 0;
	if (key->kind == RSIP_KEY_BAD)
		return key->spi && rsip_span16_has(info->kernel_ids, RSIP_KERNEL_ID_SPANS, key->spi - 1);
	if (key->kind == RSIP_KEY_PORTS)
		return rsip_kernel_udp(info, key) ||
		       rsip_span16_has(info->kernel_ports, RSIP_KERNEL_PORT_SPANS, key->local_port);
	return key->kind == RSIP_KEY_SPI && rsip_kernel_spi(info, key);
}

#endif
