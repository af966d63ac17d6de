// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hosts6.h"
#include "rsip/wire.h"
#include "util.h"

/* ---- addresses ---------------------------------------------------------------------------------------------------- */

static bool may_register(const struct rsip_conf *conf, const uint8_t addr[16])
{
	return !conf->client_nets.cnt || rsip_nets_have6(conf->client_nets.net, conf->client_nets.cnt, addr);
}

__be32 rsip_transport_host(const struct rsip_transports *t, const union rsip_sockaddr *from, bool may_begin, uint64_t now_ns)
{
	const uint8_t *addr = from->v6.sin6_addr.s6_addr;

	if (from->sa.sa_family != AF_INET6) /* 240/4 is what handles are made of: nobody poses as one */
		return RSIP_HOST6_IS(from->v4.sin_addr.s_addr) ? 0 : from->v4.sin_addr.s_addr;
	if (!rsip_ip6_is_host(addr))
		return 0;
	if (rsip_hosts6_find(addr) == RSIP_HOST6_NOBODY && (!may_begin || !may_register(t->conf, addr)))
		return RSIP_HOST6_NOBODY;
	return rsip_hosts6_take(addr, now_ns);
}

__be32 rsip_transport_rate_key(const union rsip_sockaddr *from, __be32 host)
{
	uint64_t net;

	if (host != RSIP_HOST6_NOBODY)
		return host;
	memcpy(&net, from->v6.sin6_addr.s6_addr, sizeof(net));
	return RSIP_HOST6_HANDLE(RSIP_HOST6_MAX + 1 + (rsip_hash(net, 0) & RSIP_HOST6_MAX));
}

/* ---- sockets ------------------------------------------------------------------------------------------------------ */

bool rsip_transport_serves(const struct rsip_iface *iface, int family)
{
	if (iface->role != RSIP_ROLE_PRIVATE)
		return false;
	return family == AF_INET6 ? iface->endpoint6[0] != 0 : iface->endpoint != 0 || !iface->endpoint6[0];
}

static void endpoint_of(const struct rsip_iface *iface, int family, union rsip_sockaddr *sa)
{
	memset(sa, 0, sizeof(*sa));
	sa->sa.sa_family = (sa_family_t)family;
	if (family == AF_INET6) {
		sa->v6.sin6_port = htons(RSIP_PORT);
		memcpy(&sa->v6.sin6_addr, iface->endpoint6, 16);
	} else {
		sa->v4.sin_port = htons(RSIP_PORT);
		sa->v4.sin_addr.s_addr = iface->endpoint;
	}
}

int rsip_transport_socket(int type, int family, const struct rsip_iface *iface, char *why, size_t why_len)
{
	int fd = socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err;
	const char *step = "open";
	union rsip_sockaddr addr;

	endpoint_of(iface, family, &addr);
	if (fd < 0)
		goto fail;
	/*
	 * Bound to the device: an address alone would let in what arrives on the public side for
	 * it.  Bound to the endpoint: answers leave with the address that was asked, and broadcasts
	 * are not heard.
	 */
	step = "bind to the device of";
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface->name,
		       (socklen_t)strlen(iface->name) + 1))
		goto fail;
	step = "keep to IPv6";
	if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)))
		goto fail;
	/* A restart must not wait for old connections; for UDP this would let a second rsipd in. */
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		goto fail;
	step = "bind";
	if (bind(fd, &addr.sa, rsip_sockaddr_len(family)))
		goto fail;
	return fd;
fail:
	err = -errno;
	snprintf(why, why_len, "cannot %s %s port %d: on %s (%s): %s%s", step,
		 type == SOCK_STREAM ? "TCP" : "UDP", RSIP_PORT, iface->name,
		 family == AF_INET6 ? rsip_ip6(iface->endpoint6) : rsip_ip4(iface->endpoint), strerror(-err),
		 err == -EADDRINUSE ? " (is another rsipd running?)" : "");
	if (fd >= 0)
		close(fd);
	return err;
}
