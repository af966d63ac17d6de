/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnel packets in fragments, on the slow path's device (TC only).  The kernel has put them together, in whatever order they
 * came and within its bounds of memory and time, and refused what overlaps.  On their way out it takes them apart again, into
 * pieces as long as the longest that came (IPCB(skb)->frag_max_size), the first one first, one after the other on this CPU.
 */
#ifndef RSIP_BPF_GATHER_H
#define RSIP_BPF_GATHER_H

#define RSIP_GATHER_HELD 1

/* 1 to max, a power of two, as the verifier of 6.1 sees it: it does not learn from a comparison with 0. */
static __always_inline __u32 rsip_gather_len(__u32 len, __u32 max)
{
	barrier_var(len);
	return ((len - 1) & (max - 1)) + 1;
}

/* All of it is there, and the frame has the last piece behind its headers: makes it the whole packet.  0 or -RSIP_DROP_*. */
static __always_inline int rsip_gather_end(struct rsip_ctx *ctx, __u32 off, __u32 hlen, struct rsip_gather *g, __u32 len)
{
	struct iphdr *h;
	__be16 tot_len;

	if (bpf_skb_change_tail(ctx, off + hlen + len, 0) || bpf_skb_store_bytes(ctx, off + hlen, g->data, len, 0))
		return -RSIP_DROP_INTERNAL;
	rsip_ctx_pull(ctx);
	h = rsip_data(ctx) + off;
	if ((void *)(h + 1) > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	tot_len = bpf_htons(hlen + len);
	rsip_csum_replace(&h->check, h->tot_len, tot_len);
	rsip_csum_replace(&h->check, h->frag_off, 0);
	h->tot_len = tot_len;
	h->frag_off = 0;
	return 0;
}

/* One more of n bytes, which begins `at` bytes behind the start.  0, RSIP_GATHER_HELD or -RSIP_DROP_*. */
static __always_inline int rsip_gather_one(struct rsip_ctx *ctx, const struct rsip_ip *ip, struct rsip_gather *g, __u32 n, __u32 at)
{
	__u32 have = g->len;

	g->len = 0; /* until it is in its place */
	if (at && (have != at || !rsip_frag_is_of(&g->of, ip)))
		return -RSIP_DROP_FRAGMENT_LOST;
	barrier_var(at);
	if (!n || n > RSIP_GATHER_ONE || at > RSIP_GATHER_ALL)
		return -RSIP_DROP_TOO_BIG;
	n = rsip_gather_len(n, RSIP_GATHER_ONE);
	if (bpf_skb_load_bytes(ctx, ip->off + ip->hlen, g->data + at, n))
		return -RSIP_DROP_INTERNAL;
	rsip_frag_begins(&g->of, ip);
	have = at + n;
	if (ip->frag & RSIP_FRAG_MF) {
		g->len = have;
		return RSIP_GATHER_HELD;
	}
	if (have > RSIP_GATHER_ALL)
		return -RSIP_DROP_TOO_BIG;
	return rsip_gather_end(ctx, ip->off, ip->hlen, g, rsip_gather_len(have, RSIP_GATHER_ONE));
}

/*
 * The IPv4 packet at off, which the kernel has sent here for our end of a tunnel.  0: the frame has a whole one, or one that
 * is for others to judge; RSIP_GATHER_HELD: more of it is to come; else -RSIP_DROP_*.
 */
__noinline int rsip_gather_add(struct rsip_ctx *ctx, __u32 off)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct rsip_gather *g = bpf_map_lookup_elem(&rsip_gather, &cpu);
	struct rsip_ip ip = {};

	off &= 0xf; /* 0 or 14: said for the verifier */
	if (!g || rsip_ip_read(ctx, off, rsip_frame_len(ctx) - off, &ip) || !ip.frag)
		return 0;
	return rsip_gather_one(ctx, &ip, g, ip.len - ip.hlen, (ip.frag & RSIP_FRAG_OFFSET) * 8);
}

#endif
