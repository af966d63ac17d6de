/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The few rtnetlink requests the client needs, in the network namespace where the handle was
 * opened. */
#ifndef RSIP_CLIENT_NETLINK_H
#define RSIP_CLIENT_NETLINK_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>
#include "inet.h"

#define RSIP_RTPROT 155 /* whose a route is: 128 and more are free for local use */

#define RSIP_IFNAME_LEN 16 /* IFNAMSIZ; <net/if.h> and <linux/if.h> exclude each other */

struct rsip_nl;

struct rsip_link {
	uint32_t ifindex;
	uint32_t mtu;
	uint16_t hw_type; /* ARPHRD_* */
	uint8_t mac[6];
	uint64_t sent; /* packets */
	char kind[16]; /* "veth", "ipip", or empty */
	char name[RSIP_IFNAME_LEN];
};

struct rsip_route {
	uint32_t ifindex;
	struct rsip_inet gateway; /* none: on link */
	struct rsip_inet prefsrc;
	bool local; /* the destination is an address of this host */
	uint8_t len; /* of rsip_nl_route_match(): the prefix's */
};

/* All return 0 or a negative errno.  Addresses are in network order. */
int rsip_nl_open(struct rsip_nl **nl);
void rsip_nl_close(struct rsip_nl *nl);

int rsip_nl_link_get(struct rsip_nl *nl, const char *name, struct rsip_link *link);
int rsip_nl_link_get_index(struct rsip_nl *nl, uint32_t ifindex, struct rsip_link *link);
/* A veth pair; the peer is born in the namespace behind peer_netns. */
int rsip_nl_veth_add(struct rsip_nl *nl, const char *name, const char *peer, int peer_netns,
		     uint32_t mtu);
/* The kernel's name for devices of this tunnel type over this family: "ipip", "gre", "ip6tnl", "ip6gre". */
const char *rsip_nl_tunnel_kind(uint8_t tunnel, uint16_t family);
/*
 * Such a device around IPv4, from local to remote (of one family) over nic: RSIP_TUNNEL_GRE without options, and over
 * IPv6 without RFC 2473's encapsulation limit, which would be eight bytes more.
 */
int rsip_nl_tunnel_add(struct rsip_nl *nl, uint8_t tunnel, const char *name, const struct rsip_inet *local,
		       const struct rsip_inet *remote, uint32_t nic);
int rsip_nl_link_del(struct rsip_nl *nl, uint32_t ifindex);
int rsip_nl_link_move(struct rsip_nl *nl, uint32_t ifindex, int netns);
/* Up, without ARP (RFC 3102 3.1: no answers for a leased address), mtu 0: as it is. */
int rsip_nl_link_up(struct rsip_nl *nl, uint32_t ifindex, uint32_t mtu, bool noarp);

int rsip_nl_addr_add(struct rsip_nl *nl, uint32_t ifindex, __be32 addr);
int rsip_nl_addr_del(struct rsip_nl *nl, uint32_t ifindex, __be32 addr);
/* The default route of a table (0: main) by ifindex with the preferred source src; replaces the one
 * before. */
int rsip_nl_default_route(struct rsip_nl *nl, uint32_t table, uint32_t ifindex, __be32 src);
/* What comes from the address is routed by the table.  Adding what is there already is no error. */
int rsip_nl_rule_add(struct rsip_nl *nl, uint32_t priority, __be32 from, uint32_t table);
/* from 0: one of that priority and table, whatever its address. */
int rsip_nl_rule_del(struct rsip_nl *nl, uint32_t priority, __be32 from, uint32_t table);
bool rsip_nl_rule_exists(struct rsip_nl *nl, uint32_t priority, uint32_t table);
/* All that the main table has a route for, its default route excepted, goes by it: adds or removes that rule. */
int rsip_nl_rule_main(struct rsip_nl *nl, bool add, uint32_t priority);
/*
 * A route of ours (RSIP_RTPROT) without a device, in a table (0: main): RTN_UNREACHABLE, or RTN_THROW: the next rule
 * decides.  Adding what is there, and removing what is not, are no errors.
 */
int rsip_nl_bare_route(struct rsip_nl *nl, bool add, uint32_t table, uint8_t type, __be32 dst, uint8_t len);
/* Removes all of those in the table. */
int rsip_nl_bare_routes_flush(struct rsip_nl *nl, uint32_t table);
/* The route itself that such a packet takes, with its prefix. */
int rsip_nl_route_match(struct rsip_nl *nl, const struct rsip_inet *dst, struct rsip_route *route);
/* Does a route of the main table lead over it? */
bool rsip_nl_is_next_hop(struct rsip_nl *nl, const struct rsip_inet *hop);
int rsip_nl_route_get(struct rsip_nl *nl, const struct rsip_inet *dst, uint32_t oif, struct rsip_route *route);
/*
 * The next hop of the main table's default route of that family, by oif (0: any), the one of the lowest metric; our own
 * rules and tables have no say.  -ENOENT: there is none.
 */
int rsip_nl_default_router(struct rsip_nl *nl, uint16_t family, uint32_t oif, struct rsip_inet *router);
/* Filters at parent (TC_H_CLSACT with TC_H_MIN_INGRESS or _EGRESS) with this priority (0: any):
 * their number, or a negative errno. */
int rsip_nl_filter_count(struct rsip_nl *nl, uint32_t ifindex, uint32_t parent, uint16_t priority);

#endif
