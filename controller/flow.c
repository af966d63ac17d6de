// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "flow.h"
#include "hosts6.h"

const struct rsip_flow_policy rsip_flow_default = {
	.name = "default",
	.local = RSIP_LOCAL_MACRO,
	.remote = RSIP_REMOTE_NONE,
	.ipsec = true,
	.listen = true,
	.tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_IPIP) | RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE),
};

static bool has_client(const struct rsip_flow_policy *p, __be32 host)
{
	return !p->client_cnt || rsip_nets_have(p->client, p->client_cnt, host);
}

const struct rsip_flow_policy *rsip_flow_of(const struct rsip_flow_policy *list, uint32_t cnt, __be32 host)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (has_client(&list[i], host))
			return &list[i];
	return &rsip_flow_default;
}

static bool covers(const struct rsip_flow_rule *r, __be32 remote, uint32_t first, uint32_t last)
{
	return (remote & r->net.mask) == r->net.addr && r->port_first <= first && last <= r->port_last;
}

static bool touches(const struct rsip_flow_rule *r, __be32 remote, uint32_t first, uint32_t last)
{
	return (remote & r->net.mask) == r->net.addr && r->port_first <= last && first <= r->port_last;
}

/*
 * One rule must cover the ports, or several together: those that begin at or before the first open port move it on.
 * A list is short, and a request names at most 255 ports.
 */
static bool all_covered(const struct rsip_flow_rules *rules, __be32 remote, uint32_t first, uint32_t last)
{
	uint32_t i = 0;

	while (first <= last && i < rules->cnt) {
		if (!covers(&rules->rule[i], remote, first, first)) {
			i++;
			continue;
		}
		first = rules->rule[i].port_last + 1U;
		i = 0;
	}
	return first > last;
}

uint32_t rsip_flow_tunnels(const struct rsip_flow_policy *list, uint32_t cnt)
{
	uint32_t tunnels = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		tunnels |= list[i].tunnels;
		if (!list[i].client_cnt) /* the ones behind it hold nobody */
			return tunnels;
	}
	return tunnels | rsip_flow_default.tunnels;
}

bool rsip_flow_allows(const struct rsip_flow_policy *p, __be32 remote, uint16_t first, uint16_t cnt)
{
	uint32_t last = cnt ? first + cnt - 1U : UINT16_MAX;

	for (uint32_t i = 0; i < p->deny.cnt; i++)
		if (touches(&p->deny.rule[i], remote, first, last))
			return false;
	return !p->allow.cnt || all_covered(&p->allow, remote, first, last);
}

const struct rsip_pool_set *rsip_flow_pools(const struct rsip_flow_policy *p)
{
	return p->some_pools ? &p->pools : NULL;
}
