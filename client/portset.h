/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A set of ports, and the kernel settings that make programs use no other.  Pure: no system calls.
 */
#ifndef RSIP_CLIENT_PORTSET_H
#define RSIP_CLIENT_PORTSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rsip_portset {
	uint8_t bits[8192];
};

/* What goes into /proc/sys/net/ipv4/. */
struct rsip_port_limits {
	uint16_t low, high;    /* ip_local_port_range */
	uint16_t unprivileged; /* ip_unprivileged_port_start */
	char *reserved;	       /* ip_local_reserved_ports; free() it */
};

/* Ports below this one are no longer in it. */
void rsip_portset_begin_at(struct rsip_portset *set, uint16_t first);
void rsip_portset_add(struct rsip_portset *set, uint16_t first, unsigned int cnt);
bool rsip_portset_has(const struct rsip_portset *set, uint16_t port);
unsigned int rsip_portset_count(const struct rsip_portset *set);
/* 0 or -ENOMEM.  An empty set gives limits under which every automatic choice of a port fails. */
int rsip_portset_limits(const struct rsip_portset *set, struct rsip_port_limits *out);

#endif
