// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "way.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <linux/in6.h>
#include "rsip/wire.h"

/* The gateway of the private realm is its router, unless somebody says otherwise. */
static int find_router(struct rsip_nl *nl, uint32_t nic, struct rsip_inet *router)
{
	int err = rsip_nl_default_router(nl, AF_INET, nic, router);

	return err ? rsip_nl_default_router(nl, AF_INET6, nic, router) : 0;
}

/*
 * The address that a socket gets which prefers public ones: IPv6 hosts have others that change every day (RFC 8981), and
 * a registration is its address.
 */
static int public_source(struct rsip_way *way)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), want = IPV6_PREFER_SRC_PUBLIC, err = 0;
	struct sockaddr_storage sa;
	socklen_t len = rsip_inet_sockaddr(&way->gateway, RSIP_PORT, &sa);

	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADDR_PREFERENCES, &want, sizeof(want)) ||
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, way->nic_name, strlen(way->nic_name) + 1) ||
	    connect(fd, (struct sockaddr *)&sa, len))
		err = -errno;
	len = sizeof(sa);
	if (!err && getsockname(fd, (struct sockaddr *)&sa, &len))
		err = -errno;
	close(fd);
	if (!err)
		way->local = rsip_inet_from(&sa);
	return err;
}

static int find_source(struct rsip_nl *nl, struct rsip_way *way, uint32_t nic)
{
	struct rsip_route route;
	struct rsip_link link;
	int err = rsip_nl_route_get(nl, &way->gateway, nic, &route);

	if (err)
		return err;
	if (route.local) /* our own address: no packet would leave */
		return -EADDRINUSE;
	way->nic = route.ifindex;
	way->local = route.prefsrc;
	err = rsip_nl_link_get_index(nl, way->nic, &link);
	if (err)
		return err;
	memcpy(way->nic_name, link.name, sizeof(way->nic_name));
	if (way->gateway.family == AF_INET6)
		err = public_source(way);
	return err ? err : way->local.family == way->gateway.family ? 0 : -EADDRNOTAVAIL;
}

static int find(struct rsip_nl *nl, const struct rsip_inet *gateway, const char *interface, struct rsip_way *way,
		char *why, size_t size)
{
	struct rsip_link link = {0};
	int err = *interface ? rsip_nl_link_get(nl, interface, &link) : 0;

	if (err) {
		snprintf(why, size, "cannot use interface %s: %s", interface, strerror(-err));
		return err;
	}
	way->gateway = *gateway;
	if (!gateway->family)
		err = find_router(nl, link.ifindex, &way->gateway);
	if (err) {
		snprintf(why, size, "cannot find the gateway: there is no default router (give --gateway)");
		return err;
	}
	err = find_source(nl, way, link.ifindex);
	if (err)
		snprintf(why, size, "cannot reach the gateway %s: %s", rsip_inet_text(&way->gateway),
			 err == -EADDRINUSE ? "it is an address of this host" : strerror(-err));
	return err;
}

int rsip_way_find(const struct rsip_inet *gateway, const char *interface, struct rsip_way *way, char *why, size_t size)
{
	struct rsip_nl *nl;
	int err = rsip_nl_open(&nl);

	memset(way, 0, sizeof(*way));
	if (err) {
		snprintf(why, size, "cannot ask for routes: %s", strerror(-err));
		return err;
	}
	err = find(nl, gateway, interface, way, why, size);
	rsip_nl_close(nl);
	return err;
}

bool rsip_way_same(const struct rsip_way *a, const struct rsip_way *b)
{
	return a->nic == b->nic && rsip_inet_same(&a->local, &b->local) && rsip_inet_same(&a->gateway, &b->gateway);
}
