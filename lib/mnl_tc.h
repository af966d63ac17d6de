/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What there is of traffic control on a device. */
#ifndef RSIP_MNL_TC_H
#define RSIP_MNL_TC_H

#include <stdint.h>

/* Is there a qdisc of this kind on the device?  1, 0, or a negative errno. */
int rsip_mnl_has_qdisc(uint32_t ifindex, const char *kind);
/* A filter at this parent (TC_H_CLSACT with TC_H_MIN_INGRESS or _EGRESS)?  1, 0, or a negative errno. */
int rsip_mnl_has_filter(uint32_t ifindex, uint32_t parent);

#endif
