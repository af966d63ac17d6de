/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The parts of a pool that say what of its addresses is the machine's own. */
#ifndef RSIP_CONFIG_KERNEL_H
#define RSIP_CONFIG_KERNEL_H

#include "config_read.h"

void rsip_conf_read_kernel(struct rsip_conf_read *r, const cJSON *item, struct rsip_dp_addr_rules *rules);
/* nat is for rsip-loader to set up; its ports and identifiers join those of the machine in rules. */
void rsip_conf_read_nat(struct rsip_conf_read *r, const cJSON *item, struct rsip_dp_addr_rules *rules,
			struct rsip_conf_nat *nat);
/* Are all of these ports the machine's?  They may lie in several spans. */
bool rsip_conf_kernel_has_ports(const struct rsip_dp_addr_rules *rules, uint32_t first, uint32_t last);
/* Adds `kernel` and `ike_guess`; ports of nat are among those of kernel. */
void rsip_conf_show_kernel(const struct rsip_dp_addr_rules *rules, cJSON *pool);

#endif
