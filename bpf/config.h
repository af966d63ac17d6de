/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What XDP and TC have in common; settings that the loader writes before it loads the programs, constants to the verifier. */
#ifndef RSIP_BPF_CONFIG_H
#define RSIP_BPF_CONFIG_H

/* All that is ever read through rsip_data(): Ethernet, two IP headers with options, GRE's, 8 bytes of transport. */
#define RSIP_HEADERS_MAX (14 + 60 + 16 + 60 + 8)

/* Of a packet's outer headers: the one it comes with, and the one it goes with, are IPv6. */
#define RSIP_FROM_IP6 1
#define RSIP_TO_IP6 2

/* Instead of an index in rsip_ifaces: a device's own number.  XDP sends nothing to such. */
#define RSIP_OUT_IFINDEX 0x80000000U

/* A packet has found a slot and not yet read its record: tests alone make it wait there (tests/bpf/paused.bpf.c). */
#ifndef RSIP_TEST_PAUSE
#define RSIP_TEST_PAUSE() ((void)0)
#endif

const volatile __u32 rsip_addr_mask = 1; /* buckets of rsip_addrs - 1; likewise the next four */
const volatile __u32 rsip_spi_mask = 1;
const volatile __u32 rsip_pair_mask = 1;
const volatile __u32 rsip_remote_mask = 1;
const volatile __u32 rsip_host6_mask = 1;
const volatile __u32 rsip_slots = 1; /* records in rsip_bindings, "none" included */
const volatile __u32 rsip_slot_mask = 1; /* for RSIP_HOME_SLOT() */
const volatile __u32 rsip_max_addrs = 1;
const volatile __u32 rsip_learned_cnt = 1; /* records in rsip_learned, "none" included */
const volatile __u64 rsip_seed = 0;
const volatile bool rsip_behind_xdp = false; /* TC programs: XDP has seen, and counted, what comes here */

#endif
