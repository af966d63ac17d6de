/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between netlink.c and netlink_route.c: the handle, and how a request begins and is sent. */
#ifndef RSIP_CLIENT_NETLINK_PRIV_H
#define RSIP_CLIENT_NETLINK_PRIV_H

#include <libmnl/libmnl.h>
#include "mnl.h"
#include "netlink.h"

#define RSIP_NL_BUF 2048 /* for a request */

struct rsip_nl {
	struct mnl_socket *sock;
	uint32_t seq;
	char buf[RSIP_NL_BUF];
};

/* In nl->buf, which holds one request at a time. */
struct nlmsghdr *rsip_nl_request(struct rsip_nl *nl, uint16_t type, uint16_t flags);
/* Sends it and waits until it is done: 0 or a negative errno. */
int rsip_nl_order(struct rsip_nl *nl, struct nlmsghdr *h);

#endif
