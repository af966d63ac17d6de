/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which local ports the sockets of a network namespace use, and which of them are in a conversation. */
#ifndef RSIP_CLIENT_SOCKETS_H
#define RSIP_CLIENT_SOCKETS_H

#include <linux/types.h>
#include "portset.h"

/* Adds the ports of all TCP and UDP sockets, TIME_WAIT too, of the calling thread's namespace. */
int rsip_sockets_ports(struct rsip_portset *used);
/*
 * How many of them speak with somebody from one of these addresses: TCP connections, but for those in TIME_WAIT, and
 * connected UDP sockets.  Their number, or a negative errno.
 */
int rsip_sockets_talking(const __be32 *addrs, unsigned int cnt);

#endif
