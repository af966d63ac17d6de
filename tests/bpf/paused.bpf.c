// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The XDP programs, with time between the look-up that finds a slot and the use of its record: for test_publish_stress.
 * Without it that is some ten nanoseconds, in which the writer hardly ever overtakes a packet.  A packet waits until the
 * writer has taken some steps, or, should it wait for a grace period itself, not for long.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>

#define PAUSE_STEPS 8 /* of the writer */
#define PAUSE_NS 50000
#define PAUSE_LOOPS 8192 /* should the clock stand */

volatile __u32 steps; /* that the writer has taken; it says so */

struct pause {
	__u64 until;
	__u32 from;
};

static long is_over(__u32 loop, void *arg)
{
	struct pause *p = arg;

	return steps - p->from >= PAUSE_STEPS || bpf_ktime_get_ns() >= p->until;
}

/* In a frame of its own: the programs have little stack to spare. */
static __noinline void pause(void)
{
	struct pause p = { .until = bpf_ktime_get_ns() + PAUSE_NS, .from = steps };

	bpf_loop(PAUSE_LOOPS, is_over, &p, 0);
}

#define RSIP_TEST_PAUSE() pause()
#include "rsip_xdp.bpf.c"
