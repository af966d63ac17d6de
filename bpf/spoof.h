/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses that must not be where they are (BCP 38, RFC 1812 5.3.7, RFC 3102 5.4). */
#ifndef RSIP_BPF_SPOOF_H
#define RSIP_BPF_SPOOF_H

/* Is it to the virtual router whose device is on top of the interface?  Apart: hardly anybody has one. */
__noinline int rsip_eth_virtual(struct rsip_ctx *ctx, __u32 index)
{
	struct rsip_iface *iface = rsip_iface_get(index);
	struct ethhdr *eth = rsip_data(ctx);

	return iface && (void *)(eth + 1) <= rsip_data_end(ctx) && rsip_mac_equal(eth->h_dest, iface->vmac);
}

/*
 * XDP and TC see what is addressed to others, too, where the interface is promiscuous or a switch floods: the kernel drops
 * it later (PACKET_OTHERHOST), or a device on top takes it.  The slow path's device has our own frames.
 */
static __always_inline bool rsip_eth_to_us(const struct rsip_walk *walk)
{
	struct ethhdr *eth = rsip_data(walk->ctx);
	__u32 other = 1;

	if (!rsip_l2(walk) || rsip_is_slow(walk))
		return true;
	if ((void *)(eth + 1) <= rsip_data_end(walk->ctx))
		other = !rsip_mac_equal(eth->h_dest, walk->in->mac);
	barrier_var(other); /* one branch, not three: each is a path for the verifier */
	return !other || rsip_eth_virtual(walk->ctx, walk->iface);
}

/* 1: inside one of the private networks of the configuration. */
static __always_inline int rsip_net_private(const struct rsip_policy *policy, __be32 addr)
{
	for (__u32 i = 0; i < RSIP_MAX_NETS; i++) {
		if (i >= policy->net_cnt)
			break;
		if ((addr & policy->private_nets[i].mask) == policy->private_nets[i].addr)
			return 1;
	}
	return 0;
}

/* 1: a tunnel may end at this address, too (RFC 3103 6). */
__noinline int rsip_is_endpoint(__be32 addr)
{
	struct rsip_policy *policy = rsip_policy_get();

	if (!policy)
		return 0;
	for (__u32 i = 0; i < RSIP_MAX_ENDPOINTS; i++) {
		if (i >= policy->endpoint_cnt)
			break;
		if (policy->endpoints[i] == addr)
			return 1;
	}
	return 0;
}

static __always_inline __u8 rsip_first_byte(__be32 addr)
{
	return bpf_ntohl(addr) >> 24;
}

/* From the public side: a source that nobody there can have. */
static __always_inline int rsip_src_check(const struct rsip_policy *policy, __be32 src)
{
	__u8 first = rsip_first_byte(src);

	if (first == 0 || first == 127 || first >= 224)
		return -RSIP_DROP_SRC_SPOOFED;
	if (rsip_addr_find(policy, src) != RSIP_NO_ADDR || rsip_net_private(policy, src))
		return -RSIP_DROP_SRC_SPOOFED;
	return 0;
}

/* From a host: a destination that neither leaves by a public interface nor is leased. */
static __always_inline int rsip_dst_check(const struct rsip_policy *policy, __be32 dst, __be32 endpoint)
{
	__u8 first = rsip_first_byte(dst);

	if (first >= 224 && first < 240)
		return -RSIP_DROP_MULTICAST;
	if (first == 0 || first == 127 || first >= 240 || dst == endpoint || rsip_net_private(policy, dst))
		return -RSIP_DROP_DST_UNALLOWED;
	return 0;
}

#endif
