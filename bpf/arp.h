/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ARP for the pools is answered here: it works while rsipd is down, and the kernel need not own the addresses. */
#ifndef BPF_ARP_H
#define BPF_ARP_H

/* RFC 826 for IPv4 over Ethernet. */
struct arp {
	__be16 htype;
	__be16 ptype;
	__u8 hlen;
	__u8 plen;
	__be16 op;
	__u8 sha[6];
	__u8 spa[4];
	__u8 tha[6];
	__u8 tpa[4];
} __attribute__((packed));

#define ARP_REQUEST 1
#define ARP_REPLY 2

static __always_inline int arp_answer(struct walk *w, void *data, void *end)
{
	struct eth *eth = data;
	struct arp *arp = data + ETH_LEN;
	__be32 target, sender;
	__u32 index;

	if (!FITS(arp, sizeof(*arp), end))
		return pass(w);
	__builtin_memcpy(&target, arp->tpa, 4);
	__builtin_memcpy(&sender, arp->spa, 4);
	if (arp->htype != bpf_htons(1) || arp->ptype != bpf_htons(ETH_P_IP) || arp->hlen != 6 || arp->plen != 4 ||
	    arp->op != bpf_htons(ARP_REQUEST) || sender == target || !addr_find(target, &index))
		return pass(w);
	__builtin_memcpy(eth->dst, arp->sha, 6);
	__builtin_memcpy(eth->src, w->iface->mac, 6);
	arp->op = bpf_htons(ARP_REPLY);
	__builtin_memcpy(arp->tha, arp->sha, 6);
	__builtin_memcpy(arp->sha, w->iface->mac, 6);
	__builtin_memcpy(arp->tpa, &sender, 4);
	__builtin_memcpy(arp->spa, &target, 4);
	count(w, RSIP_CNT_ARP_ANSWERED, 1);
	return XDP_TX;
}

#endif
