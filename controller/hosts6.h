/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hosts with IPv6 addresses and their handles (include/rsip/maps.h).  All of rsipd but the transports and the next hops knows
 * such a host by its handle, which is an address of 240.0.0.0/4; what people see is written by rsip_host_text().
 *
 * A handle is held by the host's registration and connections.  Once nobody holds it, it rests for as long as what the host
 * held rests at most, and then may be another host's: the one that has rested longest goes first.  The data plane keeps the
 * addresses over a restart, the lease store over a reboot.
 *
 * There is one such table in a process; addresses are 16 bytes in network order.
 */
#ifndef RSIP_HOSTS6_H
#define RSIP_HOSTS6_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"

#define RSIP_HOST6_NOBODY RSIP_HOST6_HANDLE(0x0fffffffU) /* 255.255.255.255: of a source that has no handle */

struct rsip_hosts6_limits {
	uint32_t prefix_len; /* what one subscriber has: 64 */
	uint32_t per_prefix; /* handles of one such prefix */
	uint64_t rest_ns;
};

struct rsip_hosts6_stats {
	uint32_t known, resting; /* now */
	uint64_t full; /* refused: no handle was left */
	uint64_t prefix_full; /* refused: the prefix has as many as it may */
};

/*
 * Takes over what the data plane knows: all of it rests from now_ns, unless it is held in time.  0 or -ENOMEM.  dp must
 * outlive it.
 */
int rsip_hosts6_open(struct rsip_dataplane *dp, uint64_t now_ns);
void rsip_hosts6_close(void);
void rsip_hosts6_limit(const struct rsip_hosts6_limits *limits);

/* The handle of an address that has one, or RSIP_HOST6_NOBODY. */
__be32 rsip_hosts6_find(const uint8_t addr[16]);
/* Held once more; a new one where there is none yet.  RSIP_HOST6_NOBODY: no room (counted). */
__be32 rsip_hosts6_take(const uint8_t addr[16], uint64_t now_ns);
void rsip_hosts6_hold(__be32 host); /* of an IPv4 host: nothing; likewise the others */
void rsip_hosts6_release(__be32 host, uint64_t now_ns);
/* Handles that have rested are nobody's from now on.  To be called about once a second. */
void rsip_hosts6_tick(uint64_t now_ns);
/* Start-up: the store says that this handle was this host's.  0, -EEXIST or -ENOSPC. */
int rsip_hosts6_restore(__be32 host, const uint8_t addr[16], uint64_t now_ns);
/* NULL: nobody's handle, or the address of an IPv4 host. */
const uint8_t *rsip_hosts6_addr(__be32 host);
void rsip_hosts6_copy(__be32 host, uint8_t addr[16]); /* zero where there is none */
void rsip_hosts6_get_stats(struct rsip_hosts6_stats *out);

union rsip_sockaddr { /* of either family, which sa.sa_family says */
	struct sockaddr sa;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

socklen_t rsip_sockaddr_len(int family);
uint16_t rsip_sockaddr_port(const union rsip_sockaddr *sa); /* host order */
/* Where a host is reached, IPv4 or IPv6; false: nobody's handle. */
bool rsip_host_sockaddr(__be32 host, uint16_t port, union rsip_sockaddr *sa);

/* The host as people know it; its address of either family.  Valid for eight calls more. */
const char *rsip_host_text(__be32 host);
/* Either family; -ENOENT: an IPv6 address that no host has. */
int rsip_host_parse(const char *text, __be32 *host);

/*
 * IPv6 networks in lists of struct rsip_net: an entry with mask 0 and a number in place of the address, which holds no IPv4
 * address.  They are kept for as long as the process runs.  0, -EINVAL or -ENOSPC.
 */
int rsip_net_parse(const char *text, struct rsip_net *net); /* of either family */
void rsip_net6_cut(uint8_t addr[16], uint32_t len); /* nothing is left behind the first len bits */
int rsip_net6_make(const uint8_t addr[16], uint32_t len, struct rsip_net *net);
/* The network of this length around a host, if one was ever named. */
bool rsip_net6_around(__be32 host, uint32_t len, struct rsip_net *net);
bool rsip_net_is6(const struct rsip_net *net);
bool rsip_net_has(const struct rsip_net *net, __be32 host);
bool rsip_nets_have(const struct rsip_net *nets, uint32_t cnt, __be32 host);
bool rsip_nets_have6(const struct rsip_net *nets, uint32_t cnt, const uint8_t addr[16]);
const char *rsip_net_text(const struct rsip_net *net);

#endif
