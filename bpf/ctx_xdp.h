/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The packet as XDP has it.  ctx_xdp.h and ctx_tc.h offer the same functions under the same names; an object
 * includes one of them first, and no other header knows which.
 */
#ifndef RSIP_BPF_CTX_H
#define RSIP_BPF_CTX_H

#define rsip_ctx xdp_md /* struct rsip_ctx */

#define RSIP_CTX_IS_XDP true
#define RSIP_ACT_PASS XDP_PASS
#define RSIP_ACT_DROP XDP_DROP

/* One load each, at a constant offset, as in ctx_tc.h. */
#define RSIP_MD_READ(ctx, field)                                                                               \
	({                                                                                                     \
		__u64 read;                                                                                    \
		asm volatile("%[to] = *(u32 *)(%[from] + %[at])"                                              \
			     : [to] "=r"(read)                                                                 \
			     : [from] "r"(ctx), [at] "i"(offsetof(struct xdp_md, field)));                     \
		read;                                                                                          \
	})

static __always_inline void *rsip_data(const struct rsip_ctx *ctx)
{
	return (void *)RSIP_MD_READ(ctx, data);
}

static __always_inline void *rsip_data_end(const struct rsip_ctx *ctx)
{
	return (void *)RSIP_MD_READ(ctx, data_end);
}

/* No driver needs a second buffer for so much. */
#define RSIP_ONE_BUFFER 1518

/*
 * Bytes of the frame's first buffer: of all that rsip_data() shows.  Where the MTU is more than a page a frame may go on
 * in others, and only a call tells.
 */
static __always_inline __u32 rsip_frame_first(const struct rsip_ctx *ctx)
{
	__u64 len = rsip_data_end(ctx) - rsip_data(ctx);

	barrier_var(len); /* the verifier wants pointers subtracted in full width */
	return (__u32)len;
}

/* Bytes of the frame. */
static __always_inline __u32 rsip_frame_len(struct rsip_ctx *ctx)
{
	return (__u32)bpf_xdp_get_buff_len(ctx);
}

/*
 * The same, or 0: the first len bytes of it are not all in the first buffer.  Apart, because it is for few frames, and
 * because the verifier wants the offsets of the context's fields in the loads themselves, which the compiler would share.
 */
__noinline __u32 rsip_frame_whole(struct rsip_ctx *ctx, __u32 len)
{
	__u32 first = rsip_frame_first(ctx), all = rsip_frame_len(ctx);

	return first < len && first < all ? 0 : all;
}

static __always_inline __u32 rsip_ctx_ifindex(const struct rsip_ctx *ctx)
{
	return ctx->ingress_ifindex;
}

/* A VLAN tag that was taken out of the frame: XDP cannot see it (the loader switches that off). */
static __always_inline bool rsip_ctx_tagged(const struct rsip_ctx *ctx)
{
	return false;
}

/* EtherType of a frame without Ethernet header: XDP has none such. */
static __always_inline __u16 rsip_ctx_type(const struct rsip_ctx *ctx)
{
	return 0;
}

/* Makes the headers readable through rsip_data(): here they always are. */
static __always_inline void rsip_ctx_pull(struct rsip_ctx *ctx)
{
}

/* The same for all of the frame. */
static __always_inline void rsip_ctx_pull_all(struct rsip_ctx *ctx)
{
}

/* Length of each packet that a receiver gets out of this one, where it is several in one: here it never is. */
static __always_inline __u32 rsip_ctx_segment(struct rsip_ctx *ctx, __u32 len, __u32 hlen, __u8 proto, __u32 off)
{
	return len;
}

/* Several packets in one, whose outer checksums nobody has finished: here it never is. */
static __always_inline bool rsip_ctx_many(const struct rsip_ctx *ctx)
{
	return false;
}

/* Copies len bytes at off.  0 or not. */
static __always_inline long rsip_ctx_load(struct rsip_ctx *ctx, __u32 off, void *to, __u32 len)
{
	return bpf_xdp_load_bytes(ctx, off, to, len);
}

/* Cuts the frame, which has `from` bytes, to len; TC may leave what is behind them. */
static __always_inline long rsip_ctx_trim(struct rsip_ctx *ctx, __u32 from, __u32 len)
{
	return bpf_xdp_adjust_tail(ctx, (int)(len - from));
}

/*
 * Takes cut bytes off the front (or adds -cut), so that the IP packet which is to go begins behind
 * RSIP_ETH_LEN (and an outer header, if added) bytes.  What stands before it is garbage afterwards.  l2: bytes
 * of link-layer header the frame has now; over: RSIP_FROM_IP6 and RSIP_TO_IP6, as its outer headers are.
 */
static __always_inline long rsip_ctx_cut_front(struct rsip_ctx *ctx, int cut, __u32 l2, __u32 over)
{
	return cut ? bpf_xdp_adjust_head(ctx, cut) : 0;
}

/* The same for a packet that goes up to the kernel: as much link-layer header as it has now stays in front. */
static __always_inline long rsip_ctx_cut_up(struct rsip_ctx *ctx, int cut, __u32 over)
{
	return bpf_xdp_adjust_head(ctx, cut);
}

/* Sends the frame out by an interface of ours.  RSIP_ACT_DROP if it cannot. */
static __always_inline int rsip_ctx_redirect(__u32 iface)
{
	return bpf_redirect_map(&rsip_devs, iface, XDP_DROP);
}

/* Tells the kernel, which gets the packet next, what it is: XDP cannot; the TC program behind it will. */
static __always_inline void rsip_ctx_mark(struct rsip_ctx *ctx, __u32 mark)
{
}

static __always_inline __u32 rsip_ctx_marked(const struct rsip_ctx *ctx)
{
	return 0;
}

/* From the slow-path device up to the kernel, as if it had come in by an interface of ours: TC only. */
static __always_inline int rsip_ctx_up(struct rsip_ctx *ctx, __u32 iface)
{
	return RSIP_ACT_DROP;
}

/* An IPv4 packet by the kernel's routes and neighbours: TC only. */
static __always_inline int rsip_ctx_send(struct rsip_ctx *ctx, __u32 ifindex)
{
	return RSIP_ACT_DROP;
}

/* Sends the frame back out by the interface it came in. */
static __always_inline int rsip_ctx_turn_back(struct rsip_ctx *ctx)
{
	return XDP_TX;
}

#endif
