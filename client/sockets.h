/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which local ports the sockets of a network namespace use. */
#ifndef RSIP_CLIENT_SOCKETS_H
#define RSIP_CLIENT_SOCKETS_H

#include "portset.h"

/* Adds the ports of all TCP and UDP sockets, TIME_WAIT too, of the calling thread's namespace. */
int rsip_sockets_ports(struct rsip_portset *used);

#endif
