/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way to a host: which neighbour, on which private interface, with which MAC address.
 *
 * The kernel's neighbour table is mirrored from one dump and then by events; the route of a host is
 * asked for once and kept until routes change, then once more.  No request scans: hosts, gateways and neighbours
 * are hashes, and each neighbour knows the hosts behind it.
 */
#ifndef RSIP_NEXTHOP_H
#define RSIP_NEXTHOP_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#include "config.h"
#include "dataplane.h"

struct rsip_hops;

struct rsip_hops_sink {
	void *arg;
	/* The next hop of a host that was asked for has changed; word as in union rsip_nexthop. */
	void (*host_changed)(void *arg, __be32 host, uint64_t word);
	/* A route, link or public neighbour has changed: what the data plane cached is stale. */
	void (*routes_changed)(void *arg);
	/* Something about this link has changed, or nothing: there are many such events. */
	void (*link_changed)(void *arg, uint32_t ifindex);
	/* Whether the kernel's rules ask for more than a destination: at once at open, and whenever rules change. */
	void (*rules_changed)(void *arg, bool there_are);
};

/* Opens the netlink sockets and reads the neighbour table.  ifaces: the loader's, at most
 * RSIP_MAX_IFACES. */
int rsip_hops_open(const struct rsip_dp_iface *ifaces, int iface_cnt,
		   const struct rsip_hops_sink *sink, struct rsip_hops **out);
void rsip_hops_close(struct rsip_hops *nh);

/* For the event loop: readable means rsip_hops_read(). */
int rsip_hops_fd(const struct rsip_hops *nh);
void rsip_hops_read(struct rsip_hops *nh);

/*
 * Next hop of host, reached by the private interface with this index in rsip_ifaces; 0 if it is not
 * known yet (host_changed tells when it is).  The host is remembered until rsip_hops_forget().
 */
uint64_t rsip_hops_find(struct rsip_hops *nh, __be32 host, uint16_t iface);
void rsip_hops_forget(struct rsip_hops *nh, __be32 host);

/*
 * After routes have changed: asks for the routes of max hosts more, so that one that sends no message gets its
 * new next hop, too.  Bounded work; returns whether hosts are left for the next call.
 */
bool rsip_hops_refresh(struct rsip_hops *nh, uint32_t max);

/* Networks connected to the private interfaces (the default of private_networks); returns how many,
 * at most max. */
int rsip_hops_connected(const struct rsip_dp_iface *ifaces, int iface_cnt, struct rsip_net *out,
			int max);
/* Adds the IPv6 networks that are connected to private interfaces with such an endpoint. */
void rsip_hops_connected6(const struct rsip_dp_iface *ifaces, int iface_cnt, struct rsip_conf_nets *nets);

#endif
