/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An address of the private path, which may be IPv4 or IPv6; what is leased is IPv4 always and needs none of this. */
#ifndef RSIP_INET_H
#define RSIP_INET_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>
#include <sys/socket.h>

#define RSIP_INET_TEXT 64 /* "fe80::1%eth0" with the longest of both, and its NUL */

struct rsip_inet {
	uint16_t family; /* AF_INET, AF_INET6; 0: none */
	uint16_t pad;
	uint32_t scope; /* ifindex that a link-local IPv6 address belongs to; 0: none */
	union {
		__be32 v4;
		uint8_t v6[16]; /* network order */
	};
};

struct rsip_inet rsip_inet_v4(__be32 addr);
struct rsip_inet rsip_inet_v6(const void *addr, uint32_t scope);

/*
 * "10.0.0.1", "fd00::1", "[fd00::1]", "fe80::1%eth0" or "fe80::1%2": 0, or -EINVAL.  A link-local address needs an
 * interface that is there, no other may have one.
 */
int rsip_inet_parse(const char *text, struct rsip_inet *addr);
/* In one of eight static buffers in turn; "" for none.  The interface of a link-local address by its name. */
const char *rsip_inet_text(const struct rsip_inet *addr);
bool rsip_inet_same(const struct rsip_inet *a, const struct rsip_inet *b);
bool rsip_inet_is_link_local(const struct rsip_inet *addr); /* fe80::/10 */

/* The socket address of port (host order): its length. */
socklen_t rsip_inet_sockaddr(const struct rsip_inet *addr, uint16_t port, struct sockaddr_storage *sa);
/* The way back; family 0 for what is neither.  An IPv4 address mapped into IPv6 is the IPv4 address. */
struct rsip_inet rsip_inet_from(const struct sockaddr_storage *sa);

#endif
