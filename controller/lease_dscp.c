// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The service level of a host's packets to the public realm (RFC 3102 5.3.1).  It is the configuration's of today, not a
 * part of the lease: nothing of it is stored, and a change is in force for the bindings that there are.
 */
#include "lease_priv.h"

uint8_t lease_dscp(const struct rsip_lease *lm, __be32 host)
{
	return lm->dscp_of ? lm->dscp_of(lm->dscp_arg, host) : 0;
}

void lease_dscp_found(struct rsip_lease *lm, struct bind *b)
{
	lm->dp->ops->bind_dscp(lm->dp, b->slot, lease_dscp(lm, b->row.host));
}

void rsip_lease_set_dscp(struct rsip_lease *lm, uint8_t (*dscp_of)(void *arg, __be32 host), void *arg)
{
	struct client *c, *next;

	lm->dscp_of = dscp_of;
	lm->dscp_arg = arg;
	HASH_ITER(by_id, lm->by_id, c, next) {
		uint8_t dscp = lease_dscp(lm, c->pub.host);

		for (struct bind *b = c->binds; b; b = b->next)
			if (b->slot)
				lm->dp->ops->bind_dscp(lm->dp, b->slot, dscp);
	}
}
