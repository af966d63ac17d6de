/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What nexthop.c asks the kernel by rtnetlink, and how it hears of changes. */
#ifndef RSIP_NEXTHOP_RTNL_H
#define RSIP_NEXTHOP_RTNL_H

#include <libmnl/libmnl.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdint.h>

struct rsip_rtnl {
	struct mnl_socket *events, *query;
	uint32_t seq;
};

struct rsip_rtnl_addr {
	uint32_t family; /* AF_INET, AF_INET6 */
	uint8_t addr[16]; /* 4 or 16 bytes in network order, the rest zero */
};

/* An entry of the kernel's neighbour table. */
struct rsip_rtnl_neigh {
	uint32_t ifindex;
	struct rsip_rtnl_addr addr;
	bool gone;  /* the kernel has deleted it */
	bool valid; /* mac is good to send to */
	uint8_t mac[6];
};

/* 0, or negative errno with nothing open.  close takes a struct that is zero, too. */
int rsip_rtnl_open(struct rsip_rtnl *r);
void rsip_rtnl_close(struct rsip_rtnl *r);

/* fn is called by mnl for each message; RTM_NEWNEIGH and RTM_DELNEIGH are read with rsip_rtnl_neigh(). */
bool rsip_rtnl_neigh(const struct nlmsghdr *msg, struct rsip_rtnl_neigh *out);

/* Next datagram of events, without waiting: 0, -EAGAIN none, -ENOBUFS some were lost, or another errno. */
int rsip_rtnl_event(struct rsip_rtnl *r, mnl_cb_t fn, void *arg);
/* The whole neighbour table, of both families.  0 or negative errno. */
int rsip_rtnl_dump_neighs(struct rsip_rtnl *r, mnl_cb_t fn, void *arg);
/* One neighbour: it may be newer than the last event that was read.  Not known is no message. */
void rsip_rtnl_ask_neigh(struct rsip_rtnl *r, uint32_t ifindex, const struct rsip_rtnl_addr *addr, mnl_cb_t fn,
			 void *arg);
/* Is there an `ip rule` by which the way of a packet without a mark depends on more than its destination? */
int rsip_rtnl_ask_rules(struct rsip_rtnl *r, bool *there_are);
/* The neighbour to which the kernel sends a packet for host out of this interface; -ENETUNREACH: it does not. */
int rsip_rtnl_ask_route(struct rsip_rtnl *r, const struct rsip_rtnl_addr *host, uint32_t ifindex,
			struct rsip_rtnl_addr *via);

#endif
