/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The time of a packet.  The coarse clock moves once a tick, as jiffies do, which a program can read without a call:
 * so each CPU asks the clock once a tick.  It is late by two ticks at most, some 8 ms of a lease.
 */
#ifndef RSIP_BPF_CLOCK_H
#define RSIP_BPF_CLOCK_H

#define RSIP_NS_PER_S 1000000000ULL
#define RSIP_CLOCKS 256 /* CPUs that share one (256 apart) share the time, too: no harm */

struct rsip_clock {
	__u64 ns;
	__u64 jiffies; /* when ns was read */
	__u64 s; /* ns in whole seconds: a division is worth saving */
	__u64 pad[5];
};

static struct rsip_clock rsip_clocks[RSIP_CLOCKS] __attribute__((aligned(64)));

/* CLOCK_MONOTONIC in nanoseconds. */
static __always_inline __u64 rsip_now(__u32 cpu)
{
	struct rsip_clock *clock = &rsip_clocks[cpu & (RSIP_CLOCKS - 1)];
	__u64 jiffies = bpf_jiffies64();

	if (clock->jiffies != jiffies) {
		__u64 now = bpf_ktime_get_coarse_ns();

		*(volatile __u64 *)&clock->ns = now;
		*(volatile __u64 *)&clock->s = now / RSIP_NS_PER_S;
		*(volatile __u64 *)&clock->jiffies = jiffies;
	}
	return clock->ns;
}

/* The same in seconds, as of the last rsip_now() on this CPU. */
static __always_inline __u32 rsip_now_s(__u32 cpu)
{
	return (__u32)rsip_clocks[cpu & (RSIP_CLOCKS - 1)].s;
}

/*
 * Seconds since then_s.  Clocks of two CPUs are a tick apart at times: what another CPU noted a moment ago may lie
 * ahead of now_s, and is new, not 136 years old.
 */
static __always_inline __u32 rsip_age_s(__u32 now_s, __u32 then_s)
{
	__s32 age = (__s32)(now_s - then_s);

	return age < 0 ? 0 : (__u32)age;
}

#endif
