/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is on top of a network device, and what below it. */
#ifndef RSIP_ABOVE_H
#define RSIP_ABOVE_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

struct rsip_above {
	bool vlan; /* a VLAN device takes its tagged frames */
	uint8_t vmac[6]; /* of a virtual router's macvlan (RFC 5798 7.3); 0: there is none */
};

/* Needs no privilege.  0 or negative errno. */
int rsip_above_read(uint32_t ifindex, struct rsip_above *out);

/*
 * The device below a VLAN device or a macvlan, in this network namespace.  0; -ENOENT: it is no such device, or another negative
 * errno.
 */
int rsip_below_read(uint32_t ifindex, char name[IF_NAMESIZE]);

#endif
