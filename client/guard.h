/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Explicit bind() in the programs' namespace: only to leased ports.  Where the kernel or the system
 * cannot, the gateway alone enforces it. */
#ifndef RSIP_CLIENT_GUARD_H
#define RSIP_CLIENT_GUARD_H

#include "jail.h"
#include "portset.h"

struct rsip_guard;

/* 0 or a negative errno: -ENOENT where no cgroup2 is mounted. */
int rsip_guard_open(const struct rsip_jail *jail, struct rsip_guard **g);
void rsip_guard_close(struct rsip_guard *g); /* NULL is fine */
/* Readable when a socket was made in the namespace since rsip_guard_rearm(); -1: it cannot tell. */
int rsip_guard_wake_fd(const struct rsip_guard *g);
void rsip_guard_heard(struct rsip_guard *g);
void rsip_guard_rearm(struct rsip_guard *g); /* NULL is fine */
int rsip_guard_set_ports(struct rsip_guard *g, const struct rsip_portset *set);

#endif
