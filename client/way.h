/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The way to a gateway, as the routing tables have it now: the interface, and our own address there. */
#ifndef RSIP_CLIENT_WAY_H
#define RSIP_CLIENT_WAY_H

#include <stdbool.h>
#include <stdint.h>
#include "inet.h"
#include "netlink.h"

struct rsip_way {
	struct rsip_inet local, gateway; /* of one family */
	uint32_t nic;			 /* ifindex */
	char nic_name[RSIP_IFNAME_LEN];
};

/*
 * To the gateway (family 0: to the default router, IPv4's before IPv6's), by this interface (empty: as routed).
 * 0 or a negative errno; on failure why says what is missing, and way is undefined.
 */
int rsip_way_find(const struct rsip_inet *gateway, const char *interface, struct rsip_way *way, char *why, size_t size);
bool rsip_way_same(const struct rsip_way *a, const struct rsip_way *b);

#endif
