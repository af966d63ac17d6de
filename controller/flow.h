/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Flow policy: what a host may lease and whom it may talk to (RFC 3103 7, 10.3, 10.6).  One entry of `policies`
 * of the configuration; the first whose clients hold the host is the host's, and none of them is the default.
 *
 * Addresses are in network order, ports in host order.
 */
#ifndef RSIP_FLOW_H
#define RSIP_FLOW_H

#include "lease.h"

#define RSIP_FLOW_NETS_MAX 32 /* client networks of one policy */
#define RSIP_FLOW_RULES_MAX 64 /* of each list of one policy */

/* Remotes: a network, and ports where the policy is micro. */
struct rsip_flow_rule {
	struct rsip_net net;
	uint16_t port_first, port_last; /* 0 - 65535: all */
};

struct rsip_flow_rules {
	struct rsip_flow_rule rule[RSIP_FLOW_RULES_MAX];
	uint32_t cnt;
};

struct rsip_flow_policy {
	char name[32];
	struct rsip_net client[RSIP_FLOW_NETS_MAX];
	uint32_t client_cnt; /* 0: everyone */
	uint8_t local; /* enum rsip_local_policy */
	uint8_t remote; /* enum rsip_remote_policy */
	bool ipsec; /* may lease SPIs */
	bool listen; /* may send LISTEN_REQUEST */
	bool some_pools; /* only those of pools */
	struct rsip_pool_set pools;
	uint32_t tunnels; /* RSIP_TUNNEL_BIT()s that it may lease in */
	__be32 endpoint; /* our end of its tunnels; 0: the interface's */
	uint8_t dscp; /* of what its hosts send, as in struct rsip_binding; 0: as `dscp` says (RFC 3102 5.3.1) */
	/* Remotes that may be named in requests: none of deny, and one of allow where that has any. */
	struct rsip_flow_rules allow, deny;
};

/* Local macro, remote none, everything allowed. */
extern const struct rsip_flow_policy rsip_flow_default;

const struct rsip_flow_policy *rsip_flow_of(const struct rsip_flow_policy *list, uint32_t cnt, __be32 host);
/* RSIP_TUNNEL_BIT()s that any host may lease in. */
uint32_t rsip_flow_tunnels(const struct rsip_flow_policy *list, uint32_t cnt);
/* Are all ports of cnt from first on, of this remote, allowed?  first 0, cnt 0: all ports there are. */
bool rsip_flow_allows(const struct rsip_flow_policy *p, __be32 remote, uint16_t first, uint16_t cnt);
/* For lease.h: NULL where all pools will do. */
const struct rsip_pool_set *rsip_flow_pools(const struct rsip_flow_policy *p);

#endif
