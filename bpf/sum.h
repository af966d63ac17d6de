/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The internet checksum (RFC 1071) over as much as there is: of GRE's payload, of an ICMP message. */
#ifndef RSIP_BPF_SUM_H
#define RSIP_BPF_SUM_H

#define RSIP_SUM_STEP 32
#define RSIP_SUM_STEPS (65536 / RSIP_SUM_STEP + RSIP_SUM_STEP / 4 + 1)

struct rsip_sum {
	struct rsip_ctx *ctx;
	__u32 off;
	__u32 left; /* bytes from off on */
	__u64 sum;
	__u32 failed;
};

/* The next 32 bytes of the sum, or the next 4, or the last 3, 2, 1. */
static long rsip_sum_add(__u32 step, struct rsip_sum *s)
{
	__u32 word[RSIP_SUM_STEP / 4] = {};
	__u32 len;

	if (s->left >= RSIP_SUM_STEP) {
		len = RSIP_SUM_STEP;
		s->failed |= !!rsip_ctx_load(s->ctx, s->off, word, RSIP_SUM_STEP);
	} else if (s->left >= 4) {
		len = 4;
		s->failed |= !!rsip_ctx_load(s->ctx, s->off, word, 4);
	} else if (s->left >= 2) {
		len = 2;
		s->failed |= !!rsip_ctx_load(s->ctx, s->off, word, 2);
	} else if (s->left) {
		len = 1;
		s->failed |= !!rsip_ctx_load(s->ctx, s->off, word, 1);
	} else {
		return 1;
	}
	for (int i = 0; i < RSIP_SUM_STEP / 4; i++)
		s->sum += word[i];
	s->off += len;
	s->left -= len;
	return s->failed;
}

/*
 * Is the sum over len bytes at off, its own field among them, right?  also: what else is in it.  Of several packets in one the
 * kernel has seen to it.
 */
static __always_inline bool rsip_sum_right(struct rsip_ctx *ctx, __u32 off, __u32 len, __u64 also)
{
	struct rsip_sum s = { .ctx = ctx, .off = off, .left = len, .sum = also };

	if (rsip_ctx_many(ctx))
		return true;
	bpf_loop(RSIP_SUM_STEPS, rsip_sum_add, &s, 0);
	return !s.failed && !s.left && rsip_csum_fold(s.sum) == 0xffff;
}

#endif
