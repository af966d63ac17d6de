/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The packet as TC has it: see ctx_xdp.h, which has the same functions. */
#ifndef RSIP_BPF_CTX_H
#define RSIP_BPF_CTX_H

#define rsip_ctx __sk_buff /* struct rsip_ctx */

#define RSIP_TC_UNSPEC (-1)
#define RSIP_TC_SHOT 2
#define RSIP_TC_STOLEN 4
#define RSIP_TC_REDIRECT 7

#define RSIP_CTX_IS_XDP false
#define RSIP_ACT_PASS RSIP_TC_UNSPEC /* other filters on the device go on */
#define RSIP_ACT_DROP RSIP_TC_SHOT

/* One load each, at a constant offset: the compiler would merge offsets, which the verifier does not follow. */
#define RSIP_SKB_READ(ctx, field)                                                                              \
	({                                                                                                     \
		__u64 read;                                                                                    \
		asm volatile("%[to] = *(u32 *)(%[from] + %[at])"                                              \
			     : [to] "=r"(read)                                                                 \
			     : [from] "r"(ctx), [at] "i"(offsetof(struct __sk_buff, field)));                  \
		read;                                                                                          \
	})

static __always_inline void *rsip_data(const struct rsip_ctx *ctx)
{
	return (void *)RSIP_SKB_READ(ctx, data);
}

static __always_inline void *rsip_data_end(const struct rsip_ctx *ctx)
{
	return (void *)RSIP_SKB_READ(ctx, data_end);
}

/* TC always knows how long the frame is, and pulls together what it reads. */
#define RSIP_ONE_BUFFER 0xffffffffU

static __always_inline __u32 rsip_frame_first(const struct rsip_ctx *ctx)
{
	return RSIP_SKB_READ(ctx, len);
}

static __always_inline __u32 rsip_frame_len(const struct rsip_ctx *ctx)
{
	return RSIP_SKB_READ(ctx, len);
}

static __always_inline __u32 rsip_frame_whole(const struct rsip_ctx *ctx, __u32 len)
{
	return RSIP_SKB_READ(ctx, len);
}

static __always_inline __u32 rsip_ctx_ifindex(const struct rsip_ctx *ctx)
{
	return RSIP_SKB_READ(ctx, ifindex);
}

/* VLAN 0 is a priority without a VLAN (802.1Q 6.9): the frame is the interface's own. */
static __always_inline bool rsip_ctx_tagged(const struct rsip_ctx *ctx)
{
	return RSIP_SKB_READ(ctx, vlan_present) && RSIP_SKB_READ(ctx, vlan_tci) & 0xfff;
}

static __always_inline __u16 rsip_ctx_type(const struct rsip_ctx *ctx)
{
	return bpf_ntohs((__be16)RSIP_SKB_READ(ctx, protocol));
}

static __always_inline void rsip_ctx_pull(struct rsip_ctx *ctx)
{
	__u32 want = RSIP_SKB_READ(ctx, len) < RSIP_HEADERS_MAX ? RSIP_SKB_READ(ctx, len) : RSIP_HEADERS_MAX;

	if (rsip_data(ctx) + want > rsip_data_end(ctx))
		bpf_skb_pull_data(ctx, want);
}

static __always_inline void rsip_ctx_pull_all(struct rsip_ctx *ctx)
{
	bpf_skb_pull_data(ctx, RSIP_SKB_READ(ctx, len));
}

/* GRO and TSO: each segment is gso_size bytes behind headers of its own. */
static __always_inline __u32 rsip_ctx_segment(struct rsip_ctx *ctx, __u32 len, __u32 hlen, __u8 proto, __u32 off)
{
	__u8 doff = 0;

	if (!RSIP_SKB_READ(ctx, gso_size))
		return len;
	if (proto == IPPROTO_TCP && !bpf_skb_load_bytes(ctx, off + 12, &doff, 1))
		return RSIP_SKB_READ(ctx, gso_size) + hlen + (doff >> 4) * 4;
	return RSIP_SKB_READ(ctx, gso_size) + hlen + 8;
}

static __always_inline bool rsip_ctx_many(const struct rsip_ctx *ctx)
{
	return RSIP_SKB_READ(ctx, gso_size) != 0;
}

static __always_inline long rsip_ctx_load(struct rsip_ctx *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_skb_load_bytes(ctx, off, to, len);
}

#define RSIP_ENOTSUPP 524

/*
 * A virtual neighbour's tunnel leaves its mark on a packet (skb->encapsulation), and the kernel cuts no such packet.  What is
 * too much then stays behind the end that the IP header names, as Ethernet's padding does.
 */
static __always_inline long rsip_ctx_trim(struct rsip_ctx *ctx, __u32 from, __u32 len)
{
	long err = bpf_skb_change_tail(ctx, len, 0);

	return err == -RSIP_ENOTSUPP ? 0 : err;
}

/*
 * From a tunnel over IPv6: what is left is IPv4 to the kernel, too.  Kernels before 6.4 say no to the first way; the second
 * takes 20 bytes by itself.
 */
static __always_inline long rsip_ctx_leave_ip6(struct rsip_ctx *ctx, int cut)
{
	long err = bpf_skb_adjust_room(ctx, -cut, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_DECAP_L3_IPV4);

	if (!err)
		return 0;
	err = bpf_skb_change_proto(ctx, bpf_htons(0x0800), 0);
	cut -= 20;
	if (err || !cut)
		return err;
	return bpf_skb_adjust_room(ctx, -cut, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

/* From one to the other, on a hairpin: IPv6 to the kernel, too, and 20 bytes longer. */
static __always_inline long rsip_ctx_enter_ip6(struct rsip_ctx *ctx, int cut)
{
	long err = bpf_skb_change_proto(ctx, bpf_htons(0x86dd), 0);

	cut += 20;
	return err || !cut ? err : bpf_skb_adjust_room(ctx, -cut, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

static __always_inline long rsip_ctx_move(struct rsip_ctx *ctx, int cut, __u32 over)
{
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;

	if (over == RSIP_FROM_IP6)
		return rsip_ctx_leave_ip6(ctx, cut);
	if (over == RSIP_TO_IP6 && cut > -40)
		return rsip_ctx_enter_ip6(ctx, cut);
	if (over == RSIP_TO_IP6)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L3_IPV6;
	else if (cut <= -20) /* a whole outer header; a few bytes more than another host's are none */
		flags |= BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
	if (cut == -24 || cut == -44)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	return cut ? bpf_skb_adjust_room(ctx, -cut, BPF_ADJ_ROOM_MAC, flags) : 0;
}

/*
 * The kernel moves the link-layer header along.  A device without one gets room for Ethernet: bpf_redirect()
 * takes it off again where the frame leaves by such a device.  Segments keep their size: nobody cuts a stream
 * anew on its way.
 */
static __always_inline long rsip_ctx_cut_front(struct rsip_ctx *ctx, int cut, __u32 l2, __u32 over)
{
	long err;

	cut += l2 ? 0 : 14;
	err = rsip_ctx_move(ctx, cut, over);
	if (!err && RSIP_SKB_READ(ctx, vlan_present))
		err = bpf_skb_vlan_pop(ctx);
	return err || l2 ? err : bpf_skb_change_head(ctx, 14, 0);
}

static __always_inline long rsip_ctx_cut_up(struct rsip_ctx *ctx, int cut, __u32 over)
{
	if (over & RSIP_FROM_IP6)
		return rsip_ctx_leave_ip6(ctx, cut);
	return bpf_skb_adjust_room(ctx, -cut, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO);
}

static __always_inline int rsip_ctx_redirect(__u32 iface)
{
	struct rsip_iface *out;

	if (iface & RSIP_OUT_IFINDEX)
		return (int)bpf_redirect(iface & ~RSIP_OUT_IFINDEX, 0);
	out = bpf_map_lookup_elem(&rsip_ifaces, &iface);
	return out && out->ifindex ? (int)bpf_redirect(out->ifindex, 0) : RSIP_ACT_DROP;
}

static __always_inline void rsip_ctx_mark(struct rsip_ctx *ctx, __u32 mark)
{
	ctx->mark = mark;
}

static __always_inline __u32 rsip_ctx_marked(const struct rsip_ctx *ctx)
{
	return RSIP_SKB_READ(ctx, mark);
}

static __always_inline int rsip_ctx_up(struct rsip_ctx *ctx, __u32 iface)
{
	struct rsip_iface *in = bpf_map_lookup_elem(&rsip_ifaces, &iface);

	/* addressed to that interface, or the kernel takes it for another host's */
	if (!in || bpf_skb_store_bytes(ctx, 0, in->mac, 6, 0))
		return RSIP_ACT_DROP;
	return in->ifindex ? (int)bpf_redirect(in->ifindex, BPF_F_INGRESS) : RSIP_ACT_DROP;
}

/* An IPv4 packet by the kernel's routes and neighbours. */
static __always_inline int rsip_ctx_send(struct rsip_ctx *ctx, __u32 ifindex)
{
	return (int)bpf_redirect_neigh(ifindex, NULL, 0, 0);
}

static __always_inline int rsip_ctx_turn_back(struct rsip_ctx *ctx)
{
	return (int)bpf_redirect(RSIP_SKB_READ(ctx, ifindex), 0);
}

#endif
