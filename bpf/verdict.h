/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one exit: each packet is counted once, and becomes an action here and nowhere else. */
#ifndef RSIP_BPF_VERDICT_H
#define RSIP_BPF_VERDICT_H

/* XDP was before us: not on the slow path's device, nor on a PPP interface, the only one without Ethernet header beside XDP. */
static __always_inline bool rsip_xdp_has_seen(const struct rsip_walk *walk)
{
	return rsip_behind_xdp && rsip_l2(walk) && !rsip_is_slow(walk);
}

#include "capture.h"

/*
 * Longer than what its device takes: generic XDP sees several packets in one, of TSO or GRO, and not how long each of
 * them is.
 */
static __always_inline bool rsip_is_many(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	return RSIP_CTX_IS_XDP && ip->len > walk->in->mtu;
}

/* Bytes of a frame behind its Ethernet header, as all byte counters have it. */
static __always_inline __u32 rsip_passed_len(const struct rsip_walk *walk)
{
	__u32 len = rsip_frame_len(walk->ctx);

	return len > rsip_l2(walk) ? len - rsip_l2(walk) : 0;
}

static __always_inline void rsip_count_binding(const struct rsip_walk *walk)
{
	struct rsip_bind_cnt *c;

	c = walk->in_slot ? rsip_bind_cnt_get(walk->cpu, walk->in_slot) : NULL;
	if (c) {
		c->in_packets++;
		c->in_bytes += walk->bytes;
	}
	c = walk->out_slot ? rsip_bind_cnt_get(walk->cpu, walk->out_slot) : NULL;
	if (c) {
		c->out_packets++;
		c->out_bytes += walk->bytes;
	}
}

/* Rows are one CPU's own: no atomics. */
static __always_inline void rsip_count_end(const struct rsip_walk *walk, struct rsip_counters *c, int end)
{
	switch (end) {
	case RSIP_PASS:
		c->cnt[RSIP_CNT_PASSED]++;
		c->cnt[RSIP_CNT_PASSED_BYTES] += rsip_passed_len(walk);
		break;
	case RSIP_PASS_FRAGMENT:
		c->cnt[RSIP_CNT_FRAGMENT_PASSED]++;
		break;
	case RSIP_PASS_SLOW:
		c->cnt[RSIP_CNT_SLOW_PATH]++;
		break;
	case RSIP_ANSWER_ECHO:
		c->cnt[RSIP_CNT_ECHO_ANSWERED]++;
		break;
	case RSIP_ANSWER_ERROR:
		c->cnt[RSIP_CNT_ICMP_SENT]++;
		break;
	case RSIP_ANSWER_ARP:
		c->cnt[RSIP_CNT_ARP_ANSWERED]++;
		break;
	case RSIP_TO_HOST:
		c->cnt[RSIP_CNT_ENCAPSULATED]++;
		c->cnt[RSIP_CNT_ENCAPSULATED_BYTES] += walk->bytes;
		break;
	case RSIP_TO_PUBLIC:
		c->cnt[RSIP_CNT_DECAPSULATED]++;
		c->cnt[RSIP_CNT_DECAPSULATED_BYTES] += walk->bytes;
		break;
	case RSIP_HAIRPIN:
		c->cnt[RSIP_CNT_HAIRPINNED]++;
		c->cnt[RSIP_CNT_HAIRPINNED_BYTES] += walk->bytes;
		break;
	}
}

static __always_inline void rsip_count_drop(struct rsip_counters *c, int err)
{
	__u32 reason = (__u32)-err;

	if (reason < RSIP_CNT_DROP_FIRST || reason >= RSIP_CNT_USED)
		reason = RSIP_DROP_INTERNAL;
	barrier_var(reason); /* or the compiler drops the mask that the verifier wants */
	c->cnt[reason & (RSIP_CNT_MAX - 1)]++;
}

/* What the kernel gets, it gets with the mark that says what to do. */
static __always_inline int rsip_pass(const struct rsip_walk *walk, int res)
{
	if (res != RSIP_PASS || rsip_is_slow(walk))
		rsip_ctx_mark(walk->ctx, walk->mark);
	return rsip_is_slow(walk) ? rsip_ctx_up(walk->ctx, walk->iface) : RSIP_ACT_PASS;
}

#define RSIP_FIRST_PUBLIC 1 /* index in rsip_ifaces: the loader begins with those */

/*
 * An answer to what had come in by walk->iface before the kernel put it together.  Public: the kernel knows the way back.  Private:
 * the sender is a host.  What comes from the public realm finds its way to it, so an error comes in there; an echo is from a leased
 * address and as long as what was asked, so it takes the way of what turns around inside, by the kernel.
 */
static __always_inline int rsip_answer_slow(const struct rsip_walk *walk, int res)
{
	if (!walk->in->ifindex)
		return RSIP_ACT_DROP;
	if (walk->in->role == RSIP_ROLE_PUBLIC)
		return rsip_ctx_send(walk->ctx, walk->in->ifindex);
	if (res == RSIP_ANSWER_ERROR)
		return rsip_ctx_up(walk->ctx, RSIP_FIRST_PUBLIC);
	rsip_ctx_mark(walk->ctx, RSIP_MARK_POOL);
	return rsip_ctx_up(walk->ctx, walk->iface);
}

static __always_inline int rsip_act(const struct rsip_walk *walk, int res)
{
	if (res < 0)
		return RSIP_ACT_DROP;
	if (res <= RSIP_PASS_LAST)
		return rsip_pass(walk, res);
	if (res > RSIP_ANSWER_ERROR)
		return rsip_ctx_redirect(walk->out_iface);
	return rsip_is_slow(walk) ? rsip_answer_slow(walk, res) : rsip_ctx_turn_back(walk->ctx);
}

/* res: enum rsip_end or -RSIP_DROP_*. */
static __always_inline int rsip_verdict(const struct rsip_walk *walk, int res)
{
	__u32 row = walk->cpu * RSIP_MAX_IFACES + walk->row;
	int action = rsip_act(walk, res);
	struct rsip_counters *c = bpf_map_lookup_elem(&rsip_counters, &row);

	if (action == RSIP_ACT_DROP && res >= 0)
		res = -RSIP_DROP_INTERNAL;
	rsip_capture_end(walk, action, res);
	if (!c)
		return action;
	if (walk->claims | walk->guesses | walk->icmp_limited) {
		c->cnt[RSIP_CNT_COOKIE_CLAIMED] += walk->claims;
		c->cnt[RSIP_CNT_IKE_GUESSED] += walk->guesses;
		c->cnt[RSIP_CNT_ICMP_LIMITED] += walk->icmp_limited;
	}
	if (res < 0) {
		rsip_count_drop(c, res);
		return action;
	}
	if (res == RSIP_ANSWER_ERROR)
		rsip_count_drop(c, walk->why);
	if (res <= RSIP_PASS_LAST && rsip_xdp_has_seen(walk))
		return action; /* and counted it */
	rsip_count_end(walk, c, res);
	if (res != RSIP_ANSWER_ERROR && res != RSIP_PASS_TC)
		rsip_count_binding(walk);
	return action;
}

#endif
