/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The operations of dataplane.h on bindings, for the table of operations in dataplane_core.c. */
#ifndef RSIP_DATAPLANE_OPS_H
#define RSIP_DATAPLANE_OPS_H

#include "dataplane.h"

int rsip_dp_host6_add(struct rsip_dataplane *dp, const uint8_t addr[16], uint32_t *index);
int rsip_dp_host6_claim(struct rsip_dataplane *dp, uint32_t index, const uint8_t addr[16]);
void rsip_dp_host6_drop(struct rsip_dataplane *dp, uint32_t index);
void rsip_dp_host6_get(struct rsip_dataplane *dp, uint32_t index, uint8_t addr[16]);
int rsip_dp_bind_install(struct rsip_dataplane *dp, const struct rsip_dp_binding *b,
			 uint32_t *slot);
int rsip_dp_bind_remove(struct rsip_dataplane *dp, uint32_t slot);
int rsip_dp_bind_extend(struct rsip_dataplane *dp, uint32_t slot, uint64_t expires_ns);
int rsip_dp_bind_nexthop(struct rsip_dataplane *dp, uint32_t slot, uint64_t nexthop);
int rsip_dp_bind_mtu(struct rsip_dataplane *dp, uint32_t slot, uint16_t mtu);
int rsip_dp_bind_dscp(struct rsip_dataplane *dp, uint32_t slot, uint8_t dscp);
int rsip_dp_bind_counters(struct rsip_dataplane *dp, uint32_t slot, struct rsip_bind_cnt *sum);

#endif
