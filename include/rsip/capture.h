/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the capturing programs (bpf/capture.h) hand to user space (`rsip-loader capture`): a record for a frame as it
 * came in, and behind it, where it was sent on, one as it left.  Both sides are of the same build, so there is no version.
 */
#ifndef RSIP_CAPTURE_H
#define RSIP_CAPTURE_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define RSIP_CAPTURE_SNAP 9216 /* bytes of a frame, at most */

/* Ring buffer rsip_cap_ring: this, then cap bytes of the frame. */
struct rsip_capture_head {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 id; /* the same for both records of a frame; the CPU in the lowest 8 bits */
	__u32 len; /* of the frame */
	__u32 cap; /* of these captured */
	__u32 bind[2]; /* IDs of the bindings that were found for it; a hairpin has two; 0: none */
	__u16 iface; /* index in rsip_ifaces: where it came in, where it leaves */
	__u8 what; /* RSIP_CNT_* or RSIP_DROP_*: what became of it */
	__u8 leaving; /* it is the frame as it leaves */
};
_Static_assert(sizeof(struct rsip_capture_head) == 32, "rsip_capture_head");

/* rsip_cap_cpu: a row for each CPU; the frame under way. */
struct rsip_capture_cpu {
	__u64 lost; /* records for which the ring had no room */
	__u32 seq;
	__u32 wanted; /* the frame under way is of an interface that is captured */
	struct rsip_capture_head in;
	__u8 in_data[RSIP_CAPTURE_SNAP];
	struct rsip_capture_head out;
	__u8 out_data[RSIP_CAPTURE_SNAP];
};

#endif
