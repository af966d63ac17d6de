/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A network interface as the kernel has it. */
#ifndef RSIP_LINK_H
#define RSIP_LINK_H

#include <stdint.h>

struct rsip_link {
	uint32_t mtu;
	uint8_t mac[6]; /* 0: it has none (PPP, TUN) */
	uint8_t vmac[6]; /* of a virtual router on top of it; 0: there is none */
};

/* Needs no privilege.  0, or negative errno: -ENODEV where it is gone. */
int rsip_link_read(uint32_t ifindex, struct rsip_link *out);

#endif
