/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The operator's eye.  Packets that XDP redirects are seen by no tcpdump, so a second build of the same programs
 * (rsip_xdp_cap, rsip_tc_cap; RSIP_CAPTURE) hands out each frame as it came in, what became of it, and the frame as it
 * leaves.  `rsip-loader capture` puts them on an interface for as long as somebody looks.  The programs that are on
 * otherwise have none of this code.
 */
#ifndef RSIP_BPF_CAPTURE_H
#define RSIP_BPF_CAPTURE_H

#ifndef RSIP_CAPTURE

static __always_inline void rsip_capture_begin(const struct rsip_walk *walk)
{
}

static __always_inline void rsip_capture_found(const struct rsip_walk *walk, const struct rsip_binding *rec)
{
}

static __always_inline void rsip_capture_end(const struct rsip_walk *walk, int action, int res)
{
}

#else

#include "rsip/capture.h"

const volatile __u32 rsip_cap_iface = 0; /* index in rsip_ifaces; 0: any */
const volatile __u32 rsip_cap_bind = 0; /* only frames of the binding with this ID; 0: any */
const volatile __u32 rsip_cap_snap = RSIP_CAPTURE_SNAP;

/* Records for user space; the loader makes it larger.  packets -> rsip-loader. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rsip_cap_ring SEC(".maps");

/* The frame under way on this CPU.  packets; rsip-loader reads what was lost. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct rsip_capture_cpu);
} rsip_cap_cpu SEC(".maps");

static __always_inline struct rsip_capture_cpu *rsip_capture_cpu(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&rsip_cap_cpu, &zero);
}

static __always_inline void rsip_capture_take(struct rsip_ctx *ctx, struct rsip_capture_head *head, __u8 *data)
{
	__u32 len = rsip_frame_len(ctx), cap = len < rsip_cap_snap ? len : rsip_cap_snap;

	head->time_ns = bpf_ktime_get_ns();
	head->len = len;
	head->cap = 0;
	/* at least 1, as 6.1 must see; it learns that from no comparison with 0, and the most from one of this very register */
	cap = ((cap - 1) & 0x3fff) + 1;
	barrier_var(cap);
	if (cap <= RSIP_CAPTURE_SNAP && !rsip_ctx_load(ctx, 0, data, cap))
		head->cap = cap;
}

static __always_inline void rsip_capture_put(struct rsip_capture_cpu *c, struct rsip_capture_head *head)
{
	__u32 len = head->cap;

	barrier_var(len);
	if (len > RSIP_CAPTURE_SNAP)
		return;
	if (bpf_ringbuf_output(&rsip_cap_ring, head, sizeof(*head) + len, 0))
		c->lost++;
}

static __always_inline void rsip_capture_begin(const struct rsip_walk *walk)
{
	struct rsip_capture_cpu *c = rsip_capture_cpu();

	if (!c)
		return;
	c->wanted = !rsip_cap_iface || walk->row == rsip_cap_iface;
	c->in.bind[0] = c->in.bind[1] = 0;
	if (c->wanted)
		rsip_capture_take(walk->ctx, &c->in, c->in_data);
}

/* A binding was found for the frame, whatever becomes of it. */
static __always_inline void rsip_capture_found(const struct rsip_walk *walk, const struct rsip_binding *rec)
{
	struct rsip_capture_cpu *c = rsip_capture_cpu();

	if (!c || !c->wanted)
		return;
	if (c->in.bind[0])
		c->in.bind[1] = rec->bind_id;
	else
		c->in.bind[0] = rec->bind_id;
}

static __always_inline __u8 rsip_capture_what(const struct rsip_walk *walk, int res)
{
	if (res < 0)
		return (__u8)-res;
	switch (res) {
	case RSIP_PASS_FRAGMENT:
		return RSIP_CNT_FRAGMENT_PASSED;
	case RSIP_PASS_SLOW:
		return RSIP_CNT_SLOW_PATH;
	case RSIP_ANSWER_ARP:
		return RSIP_CNT_ARP_ANSWERED;
	case RSIP_ANSWER_ECHO:
		return RSIP_CNT_ECHO_ANSWERED;
	case RSIP_ANSWER_ERROR:
		return (__u8)-walk->why; /* why it was dropped; the ICMP error leaves */
	case RSIP_TO_HOST:
		return RSIP_CNT_ENCAPSULATED;
	case RSIP_TO_PUBLIC:
		return RSIP_CNT_DECAPSULATED;
	case RSIP_HAIRPIN:
		return RSIP_CNT_HAIRPINNED;
	}
	return RSIP_CNT_PASSED;
}

static __always_inline void rsip_capture_end(const struct rsip_walk *walk, int action, int res)
{
	struct rsip_capture_cpu *c = rsip_capture_cpu();

	if (!c || !c->wanted)
		return;
	if (res >= 0 && res <= RSIP_PASS_LAST && rsip_xdp_has_seen(walk))
		return; /* and shown it */
	if (res == RSIP_PASS_TC)
		return; /* the TC program behind will show it */
	if (rsip_cap_bind && c->in.bind[0] != rsip_cap_bind && c->in.bind[1] != rsip_cap_bind)
		return;
	c->in.id = ++c->seq << 8 | (walk->cpu & 0xff);
	c->in.iface = walk->row;
	c->in.what = rsip_capture_what(walk, res);
	c->in.leaving = 0;
	rsip_capture_put(c, &c->in);
	if (action == RSIP_ACT_DROP || res <= RSIP_PASS_LAST)
		return;
	c->out.id = c->in.id;
	c->out.bind[0] = c->in.bind[0];
	c->out.bind[1] = c->in.bind[1];
	c->out.iface = res <= RSIP_ANSWER_ERROR ? walk->row : walk->out_iface;
	c->out.what = c->in.what;
	c->out.leaving = 1;
	rsip_capture_take(walk->ctx, &c->out, c->out_data);
	rsip_capture_put(c, &c->out);
}

#endif

#endif
