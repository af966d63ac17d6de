/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Devices, routes and policy rules, by rtnetlink. */
#ifndef RSIP_LOADER_RTNL_H
#define RSIP_LOADER_RTNL_H

#include <linux/types.h>
#include <stdint.h>

/* All: 0 or negative errno. */

/* A pair of veth devices without ARP, of this MTU, down. */
int rsip_rtnl_veth_add(const char *name, const char *peer, uint32_t mtu);
int rsip_rtnl_link_up(const char *name);
/* With its peer, if it is a veth, and all routes through it. */
int rsip_rtnl_link_del(const char *name);

/* The device by which packets to this host leave. */
int rsip_rtnl_route_get(__be32 host, uint32_t *ifindex);

/* The default route of an IPv4 table: out of this device, with packets of mtu bytes at most. */
int rsip_rtnl_default_route(uint32_t ifindex, uint32_t table, uint32_t mtu);

/* An IPv4 policy rule: mark -> table at this preference.  mark 0: every packet. */
int rsip_rtnl_rule_add(uint32_t preference, uint32_t mark, uint32_t table);
int rsip_rtnl_rule_del(uint32_t preference, uint32_t mark, uint32_t table);

#endif
