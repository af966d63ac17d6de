/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which destinations the tunnel is for.  Where programs use the leased address, what the gateway calls local is
 * unreachable: it would drop it.  In a shared namespace, and where the user wants it, all that goes to remote
 * destinations gets the leased address and the tunnel, by these rules:
 *
 *	4555	from a leased address: the device's table			(rsip_tunnel_add())
 *	4556	from the private address: main
 *	4557	what main has a route for, but for its default route: main
 *	4558	all else: the table of all; what the gateway calls local is thrown back, to main's default route
 */
#ifndef RSIP_CLIENT_ROUTES_H
#define RSIP_CLIENT_ROUTES_H

#include "locals.h"
#include "netlink.h"

#define RSIP_RULE_LEASED 4555
#define RSIP_RULE_PRIVATE 4556
#define RSIP_RULE_MAIN 4557
#define RSIP_RULE_REMOTE 4558

struct rsip_routes {
	bool remote; /* the rules from 4556 on */
	__be32 local, gateway; /* 0: the way to the gateway is IPv6, which these routes are not about */
	bool begun;
	struct rsip_nl *nl;
	uint32_t table; /* of the device; 0: main, in a namespace of its own */
	struct rsip_locals locals;
};

/* The device has a lease: what a past of ours left goes, the rest comes.  Again: src is another one. */
int rsip_routes_begin(struct rsip_routes *r, struct rsip_nl *nl, uint32_t table, uint32_t dev, __be32 src);
/* Somebody may have taken rules of ours away: puts them back. */
int rsip_routes_mend(const struct rsip_routes *r);
/* What is local from now on. */
int rsip_routes_set(struct rsip_routes *r, const struct rsip_locals *locals);
/* Takes all rules and routes away. */
void rsip_routes_clear(struct rsip_nl *nl, uint32_t table);

#endif
