// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "needed.h"

#include <stdio.h>
#include <string.h>
#include "netlink.h"
#include "util.h"

#define DEFAULT_LIKE 8 /* bits: a shorter prefix by a device (0/0 or 0/1 by a tunnel) is a way out, no network */

bool rsip_needed_is_own(__be32 addr)
{
	struct rsip_inet dst = rsip_inet_v4(addr);
	struct rsip_route route = {0};
	struct rsip_nl *nl;

	if (rsip_nl_open(&nl))
		return false;
	if (rsip_nl_route_get(nl, &dst, 0, &route))
		route.local = false;
	rsip_nl_close(nl);
	return route.local;
}

bool rsip_needed_as_resolver(const char *path, __be32 addr)
{
	FILE *f = fopen(path, "re");
	char line[256], text[64];
	bool found = false;
	__be32 server;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, " nameserver %63s", text) == 1 && !rsip_ip4_parse(text, &server) && server == addr;
	if (f)
		fclose(f);
	return found;
}

static const char *needed_by_routes(struct rsip_nl *nl, __be32 addr)
{
	struct rsip_inet dst = rsip_inet_v4(addr);
	struct rsip_route route;

	if (!rsip_nl_route_match(nl, &dst, &route) && !route.local && !route.gateway.family && route.len >= DEFAULT_LIKE)
		return "is on a network that this host is connected to";
	if (rsip_nl_is_next_hop(nl, &dst))
		return "is a router of this host";
	return NULL;
}

const char *rsip_needed_for(__be32 addr)
{
	const char *why = NULL;
	struct rsip_nl *nl;

	if (!rsip_nl_open(&nl)) {
		why = needed_by_routes(nl, addr);
		rsip_nl_close(nl);
	}
	if (!why && (rsip_needed_as_resolver("/etc/resolv.conf", addr) ||
		     rsip_needed_as_resolver("/run/systemd/resolve/resolv.conf", addr))) /* behind its 127.0.0.53 */
		why = "is a DNS server of this host";
	return why;
}
