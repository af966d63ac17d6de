/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Congestion that was marked on a tunnel's way.  Included by BPF and user space, at the gateway and at the host. */
#ifndef RSIP_ECN_H
#define RSIP_ECN_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define RSIP_ECN_MASK 3
#define RSIP_ECN_ECT1 1
#define RSIP_ECN_ECT0 2
#define RSIP_ECN_CE 3

/*
 * RFC 6040 4.2, figure 4: combines the outer ECN field into the inner one (*tos).  0, or -1: congestion was marked outside
 * of a packet whose ends do not know of it, so it is dropped.
 */
static inline __attribute__((always_inline)) int rsip_ecn_join(__u8 outer_tos, __u8 *tos)
{
	__u8 outer = outer_tos & RSIP_ECN_MASK, inner = *tos & RSIP_ECN_MASK;

	if (outer == RSIP_ECN_CE) {
		if (!inner)
			return -1;
		*tos |= RSIP_ECN_CE;
	} else if (outer == RSIP_ECN_ECT1 && inner == RSIP_ECN_ECT0) {
		*tos = (*tos & ~RSIP_ECN_MASK) | RSIP_ECN_ECT1;
	}
	return 0;
}

#endif
