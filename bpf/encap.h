/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rewriting: TTL, congestion marks, tunnel headers.  Every other byte of the inner packet stays as it was. */
#ifndef BPF_ENCAP_H
#define BPF_ENCAP_H

#define OUTER_LEN ((int)sizeof(struct iphdr))
#define OUTER_TTL 64
#define ECN_MASK 3
#define ECN_CE 3

struct eth {
	__u8 dst[6];
	__u8 src[6];
	__be16 proto;
};

/* RFC 1624 for the one byte that shares its word with the protocol. */
static __always_inline int ttl_decrement(struct iphdr *ip)
{
	__u32 check;

	if (ip->ttl <= 1)
		return -RSIP_DROP_TTL_EXCEEDED;
	check = (__u32)ip->check + bpf_htons(0x0100);
	ip->check = (__u16)(check + (check >= 0xffff));
	ip->ttl--;
	return 0;
}

/* RFC 6040 4.2: what a congestion mark of the outer header does to the inner one. */
static __always_inline int ecn_decapsulate(struct iphdr *ip, __u8 outer_tos)
{
	__u32 sum;

	if ((outer_tos & ECN_MASK) != ECN_CE || (ip->tos & ECN_MASK) == ECN_CE)
		return 0;
	if (!(ip->tos & ECN_MASK))
		return -RSIP_DROP_ECN_CE_NOT_ECT;
	/* RFC 1624: HC' = ~(~HC + ~m + m'); only the low bits of the word's low byte change */
	sum = (__u16)~ip->check;
	sum += (__u16)~*(__u16 *)ip;
	ip->tos |= ECN_CE;
	sum += *(__u16 *)ip;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	ip->check = (__u16)~sum;
	return 0;
}

static __always_inline __u16 header_checksum(const struct iphdr *ip)
{
	const __u16 *word = (const void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += word[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* Cuts what follows the IP packet (Ethernet padding).  Pointers into the frame are void afterwards. */
static __always_inline int trim(struct xdp_md *ctx, __u32 tot_len)
{
	long extra = (long)frame_end(ctx) - (long)frame_data(ctx) - ETH_LEN - (long)tot_len;

	if (extra > 0 && bpf_xdp_adjust_tail(ctx, -(int)extra))
		return -RSIP_DROP_INTERNAL;
	return 0;
}

/* What the outer header takes from the inner one, read before the frame moves. */
struct inner {
	__u8 tos;
	__be16 id;
	__be16 df; /* the bit, in place */
	__u16 tot_len;
};

static __always_inline struct inner inner_of(const struct iphdr *ip)
{
	struct inner in = {
		.tos = ip->tos,
		.id = ip->id,
		.df = ip->frag_off & bpf_htons(IP_DF),
		.tot_len = bpf_ntohs(ip->tot_len),
	};

	return in;
}

/*
 * Puts the frame, whose Ethernet header is followed by the inner packet, into the binding's tunnel.  RFC 2003 3.1:
 * the DF bit is copied; the identification is the inner one's, so that fragments of two outer packets differ where
 * the inner ones do.
 */
static __always_inline int encapsulate(struct walk *w, const struct inner *in, const struct rsip_binding *b, __u64 hop_word)
{
	union rsip_nexthop hop = { .word = hop_word };
	struct rsip_iface *out = iface_at(hop.iface);
	void *data, *end;
	struct iphdr *outer;
	struct eth *eth;

	if (!out)
		return -RSIP_DROP_INTERNAL;
	if (bpf_xdp_adjust_head(w->ctx, -OUTER_LEN))
		return -RSIP_DROP_INTERNAL;
	data = frame_data(w->ctx);
	end = frame_end(w->ctx);
	eth = data;
	outer = data + ETH_LEN;
	if (!FITS(outer, sizeof(*outer), end))
		return -RSIP_DROP_INTERNAL;
	__builtin_memcpy(eth->dst, hop.mac, 6);
	__builtin_memcpy(eth->src, out->mac, 6);
	eth->proto = bpf_htons(ETH_P_IP);
	*(__u8 *)outer = 0x45;
	outer->tos = in->tos;
	outer->tot_len = bpf_htons(in->tot_len + OUTER_LEN);
	outer->id = in->id;
	outer->frag_off = in->df;
	outer->ttl = OUTER_TTL;
	outer->protocol = IPPROTO_IPIP;
	outer->check = 0;
	outer->saddr = b->endpoint;
	outer->daddr = b->host;
	outer->check = header_checksum(outer);
	return bpf_redirect_map(&rsip_devs, hop.iface, XDP_DROP);
}

/* Takes the outer header off; the frame then has room for an Ethernet header before the inner packet. */
static __always_inline int decapsulate(struct walk *w, __u32 outer_len)
{
	return bpf_xdp_adjust_head(w->ctx, (int)outer_len) ? -RSIP_DROP_INTERNAL : 0;
}

static __always_inline int ethernet_write(struct walk *w, const __u8 *dst, const __u8 *src)
{
	struct eth *eth = frame_data(w->ctx);

	if (!FITS(eth, ETH_LEN, frame_end(w->ctx)))
		return -RSIP_DROP_INTERNAL;
	__builtin_memcpy(eth->dst, dst, 6);
	__builtin_memcpy(eth->src, src, 6);
	eth->proto = bpf_htons(ETH_P_IP);
	return 0;
}

#endif
