/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * More ports when those leased are in use, and back with them when they are not (RFC
 * 3102 3.1, 6.6). Pure: which ports are in use and what time it is come in as arguments.
 */
#ifndef RSIP_CLIENT_DEMAND_H
#define RSIP_CLIENT_DEMAND_H

#include "portset.h"
#include "session.h"

#define RSIP_DEMAND_BLOCK 64
#define RSIP_DEMAND_LOOK_NS (RSIP_NS_PER_S / 2)
#define RSIP_DEMAND_SOON_NS 5000000ULL /* after a socket was made: by then it has its port */

struct rsip_demand {
	uint32_t most; /* ports in all; 0: never more than asked for */
	/* A block goes back after so many seconds without use: at least the two minutes that
	 * RFC 3102 6.1 wants a port to rest. */
	uint32_t idle_s;
	uint64_t busy_ns[RSIP_LEASES_MAX]; /* when a port of the lease was last seen in use */
	uint64_t look_ns;
};

/* Ports that programs get by connect(), sendto() or bind() to 0; false: the lease has none. */
bool rsip_demand_counts(const struct rsip_lease *lease);
/* Asks for a block, or gives blocks back. */
void rsip_demand_balance(struct rsip_demand *d, struct rsip_session *s,
			 const struct rsip_portset *used, uint64_t now_ns);

#endif
