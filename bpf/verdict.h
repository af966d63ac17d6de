/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one place that counts, and that turns a step's result into an XDP action. */
#ifndef BPF_VERDICT_H
#define BPF_VERDICT_H

/* What every step of one packet's walk shares. */
struct walk {
	struct xdp_md *ctx;
	struct rsip_iface *iface; /* the packet came in here */
	__u32 iface_index;
	__u32 cpu;
	__u32 len; /* of the frame when it came in, less the Ethernet header */
	__u64 now_ns; /* 0 until asked for */
};

static __always_inline __u64 now(struct walk *w)
{
	if (!w->now_ns)
		w->now_ns = bpf_ktime_get_coarse_ns();
	return w->now_ns;
}

static __always_inline void count(struct walk *w, __u32 counter, __u64 add)
{
	__u32 key = w->cpu * RSIP_MAX_IFACES + w->iface_index;
	struct rsip_counters *row = bpf_map_lookup_elem(&rsip_counters, &key);

	if (row)
		row->cnt[counter & (RSIP_CNT_MAX - 1)] += add;
}

/* Counts one packet and its bytes; the byte counter follows the packet counter in the table. */
static __always_inline void count_packet(struct walk *w, __u32 counter, __u32 bytes)
{
	__u32 key = w->cpu * RSIP_MAX_IFACES + w->iface_index;
	struct rsip_counters *row = bpf_map_lookup_elem(&rsip_counters, &key);

	if (row) {
		row->cnt[counter & (RSIP_CNT_MAX - 1)]++;
		row->cnt[(counter + 1) & (RSIP_CNT_MAX - 1)] += bytes;
	}
}

static __always_inline struct rsip_bind_cnt *bind_counters(struct walk *w, __u32 slot)
{
	__u32 key = w->cpu * rsip_slots + slot;

	return bpf_map_lookup_elem(&rsip_bind_cnt, &key);
}

static __always_inline void count_in(struct walk *w, __u32 slot, __u32 bytes)
{
	struct rsip_bind_cnt *c = bind_counters(w, slot);

	if (c) {
		c->in_packets++;
		c->in_bytes += bytes;
	}
}

static __always_inline void count_out(struct walk *w, __u32 slot, __u32 bytes)
{
	struct rsip_bind_cnt *c = bind_counters(w, slot);

	if (c) {
		c->out_packets++;
		c->out_bytes += bytes;
	}
}

static __always_inline int pass(struct walk *w)
{
	count_packet(w, RSIP_CNT_PASSED, w->len);
	return XDP_PASS;
}

/* step: an XDP action, or a negative drop reason, which is counted here and nowhere else. */
static __always_inline int verdict(struct walk *w, int step)
{
	if (step >= 0)
		return step;
	count(w, -step, 1);
	return XDP_DROP;
}

#endif
