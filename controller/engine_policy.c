// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which networks and flow policies are in force, and what follows from them for one host (RFC 3103 7). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

/* ---- configuration --------------------------------------------------------------------------- */

static struct rsip_net *copy_nets(const struct rsip_net *nets, uint32_t cnt)
{
	struct rsip_net *copy = calloc(cnt + 1, sizeof(*copy));

	if (copy && cnt)
		memcpy(copy, nets, cnt * sizeof(*copy));
	return copy;
}

int rsip_engine_set_nets(struct rsip_engine *e, const struct rsip_net *client_nets,
			 uint32_t client_net_cnt, const struct rsip_net *local_nets,
			 uint32_t local_net_cnt)
{
	struct rsip_net *clients = copy_nets(client_nets, client_net_cnt);
	struct rsip_net *local = copy_nets(local_nets, local_net_cnt);

	if (!clients || !local) {
		free(clients);
		free(local);
		return -ENOMEM;
	}
	free(e->client_nets);
	free(e->local_nets);
	e->client_nets = clients;
	e->local_nets = local;
	e->conf.client_net_cnt = client_net_cnt;
	e->conf.local_net_cnt = local_net_cnt;
	return 0;
}

int rsip_engine_set_policies(struct rsip_engine *e, const struct rsip_flow_policy *policies,
			     uint32_t cnt)
{
	struct rsip_flow_policy *copy = calloc(cnt + 1, sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	if (cnt)
		memcpy(copy, policies, cnt * sizeof(*copy));
	free(e->policies);
	e->policies = copy;
	e->conf.policy_cnt = cnt;
	return 0;
}

bool rsip_engine_in_nets(const struct rsip_net *nets, uint32_t cnt, __be32 addr)
{
	for (uint32_t i = 0; i < cnt; i++)
		if ((addr & nets[i].mask) == nets[i].addr)
			return true;
	return false;
}

/* ---- one host -------------------------------------------------------------------------------- */

uint8_t rsip_engine_local_policy(const struct rsip_request *rq)
{
	const struct rsip_engine_session *s = rq->c ? rq->c->session : NULL;

	return s && s->local_policy ? s->local_policy : rq->policy->local;
}

uint8_t rsip_engine_remote_policy(const struct rsip_request *rq)
{
	const struct rsip_engine_session *s = rq->c ? rq->c->session : NULL;

	return s && s->remote_policy ? s->remote_policy : rq->policy->remote;
}

uint32_t rsip_engine_methods(const struct rsip_request *rq)
{
	uint32_t methods = rsip_lease_methods(rq->e->lm, rsip_flow_pools(rq->policy));

	if (rsip_engine_local_policy(rq) == RSIP_LOCAL_MICRO) /* 7.1: not with RSA-IP */
		methods &= ~RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP);
	if (!rq->policy->ipsec)
		methods &= ~RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC);
	return methods;
}

/* Whom no policy holds may. */
static bool somebody_listens(const struct rsip_engine *e)
{
	for (uint32_t i = 0; i < e->conf.policy_cnt; i++) {
		if (e->policies[i].listen)
			return true;
		if (!e->policies[i].client_cnt) /* the ones behind it hold nobody */
			return false;
	}
	return rsip_flow_default.listen;
}

static bool any_pool_offers(const struct rsip_engine *e, uint8_t method)
{
	return rsip_lease_methods(e->lm, NULL) & RSIP_METHOD_BIT(method);
}

/* Optional messages (App. B) that the configuration leaves out; all others are served. */
bool rsip_engine_is_supported(const struct rsip_request *rq)
{
	switch (rq->in->type) {
	case RSIP_MSG_ASSIGN_REQUEST_RSA_IP:
		return rsip_engine_local_policy(rq) != RSIP_LOCAL_MICRO &&
		       any_pool_offers(rq->e, RSIP_METHOD_RSA_IP);
	case RSIP_MSG_ASSIGN_REQUEST_RSIPSEC:
		return any_pool_offers(rq->e, RSIP_METHOD_RSIPSEC);
	case RSIP_MSG_LISTEN_REQUEST:
		return somebody_listens(rq->e);
	}
	return true;
}
