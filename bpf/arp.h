/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ARP for the pool (RFC 826), answered in place: it works while the controller is down. */
#ifndef RSIP_BPF_ARP_H
#define RSIP_BPF_ARP_H

struct rsip_arp {
	__be16 htype;
	__be16 ptype;
	__u8 hlen;
	__u8 plen;
	__be16 op;
	__u8 sender_mac[6];
	__u8 sender[4];
	__u8 target_mac[6];
	__u8 target[4];
};
_Static_assert(sizeof(struct rsip_arp) == 28, "rsip_arp");

#define RSIP_ARP_REQUEST 1
#define RSIP_ARP_REPLY 2

static __always_inline bool rsip_arp_is_request(const struct rsip_arp *arp)
{
	return arp->htype == bpf_htons(1) && arp->ptype == bpf_htons(RSIP_ETH_IPV4) && arp->hlen == 6 &&
	       arp->plen == 4 && arp->op == bpf_htons(RSIP_ARP_REQUEST) && !(arp->sender_mac[0] & 1);
}

static __always_inline void rsip_arp_answer(struct ethhdr *eth, struct rsip_arp *arp, const __u8 *mac)
{
	__u8 target[4];

	__builtin_memcpy(target, arp->target, 4);
	arp->op = bpf_htons(RSIP_ARP_REPLY);
	__builtin_memcpy(arp->target_mac, arp->sender_mac, 6);
	__builtin_memcpy(arp->target, arp->sender, 4);
	__builtin_memcpy(arp->sender_mac, mac, 6);
	__builtin_memcpy(arp->sender, target, 4);
	__builtin_memcpy(eth->h_dest, arp->target_mac, 6);
	__builtin_memcpy(eth->h_source, mac, 6);
}

/* A request for a pool address is answered; all other ARP is the kernel's. */
static __always_inline int rsip_arp(const struct rsip_walk *walk)
{
	struct ethhdr *eth = rsip_data(walk->ctx);
	struct rsip_arp *arp = (void *)(eth + 1);
	struct rsip_iface *iface = walk->in;
	__be32 sender, target;

	if ((void *)(arp + 1) > rsip_data_end(walk->ctx) || !rsip_arp_is_request(arp))
		return RSIP_PASS;
	if (!(eth->h_dest[0] & 1) && !rsip_eth_to_us(walk))
		return RSIP_PASS;
	__builtin_memcpy(&sender, arp->sender, 4);
	__builtin_memcpy(&target, arp->target, 4);
	/* Who announces a pool address as its own asks nothing. */
	if (rsip_addr_find(walk->policy, target) == RSIP_NO_ADDR || rsip_addr_find(walk->policy, sender) != RSIP_NO_ADDR)
		return RSIP_PASS;
	rsip_arp_answer(eth, arp, iface->mac);
	return RSIP_ANSWER_ARP;
}

#endif
