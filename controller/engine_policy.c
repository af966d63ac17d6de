// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which networks and flow policies are in force, and what follows from them for one host (RFC 3103 7). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"
#include "hosts6.h"

/* ---- configuration --------------------------------------------------------------------------- */

static void *copy_of(const void *array, size_t size, uint32_t cnt)
{
	void *copy = calloc(cnt + 1, size);

	if (copy && cnt)
		memcpy(copy, array, cnt * size);
	return copy;
}

int rsip_engine_prepare(const struct rsip_engine_conf *conf, struct rsip_engine_change *c)
{
	*c = (struct rsip_engine_change){
		.client_nets = copy_of(conf->client_nets, sizeof(*conf->client_nets), conf->client_net_cnt),
		.client_net_cnt = conf->client_net_cnt,
		.local_nets = copy_of(conf->local_nets, sizeof(*conf->local_nets), conf->local_net_cnt),
		.local_net_cnt = conf->local_net_cnt,
		.policies = copy_of(conf->policies, sizeof(*conf->policies), conf->policy_cnt),
		.policy_cnt = conf->policy_cnt,
		.udp_off = conf->udp_off,
		.auth = conf->auth,
	};
	if (c->client_nets && c->local_nets && c->policies &&
	    !rsip_keys_create(conf->keys, conf->key_cnt, &c->keys))
		return 0;
	c->keys = NULL;
	rsip_engine_forget(c);
	return -ENOMEM;
}

void rsip_engine_forget(struct rsip_engine_change *c)
{
	free(c->client_nets);
	free(c->local_nets);
	free(c->policies);
	rsip_keys_destroy(c->keys);
	memset(c, 0, sizeof(*c));
}

uint32_t rsip_engine_change(struct rsip_engine *e, struct rsip_engine_change *c, uint64_t now_ns)
{
	uint32_t ended = rsip_engine_end_unserved_by(e, c, now_ns);
	struct rsip_engine_change old = {
		.client_nets = e->client_nets,
		.local_nets = e->local_nets,
		.policies = e->policies,
	};

	rsip_engine_change_keys(e, c->auth, c->keys);
	e->client_nets = c->client_nets;
	e->local_nets = c->local_nets;
	e->policies = c->policies;
	e->conf.client_net_cnt = c->client_net_cnt;
	e->conf.local_net_cnt = c->local_net_cnt;
	e->conf.policy_cnt = c->policy_cnt;
	e->conf.udp_off = c->udp_off;
	rsip_engine_mark_hosts(e);
	rsip_engine_forget(&old);
	memset(c, 0, sizeof(*c));
	return ended;
}

static uint8_t dscp_of(void *arg, __be32 host)
{
	const struct rsip_engine *e = arg;

	return rsip_flow_of(e->policies, e->conf.policy_cnt, host)->dscp;
}

void rsip_engine_mark_hosts(struct rsip_engine *e)
{
	rsip_lease_set_dscp(e->lm, dscp_of, e);
}

bool rsip_engine_may_be_client(const struct rsip_net *nets, uint32_t cnt, __be32 host)
{
	return host != RSIP_HOST6_NOBODY && (!cnt || rsip_nets_have(nets, cnt, host));
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

uint32_t rsip_engine_tunnels(const struct rsip_request *rq)
{
	uint32_t tunnels = rq->e->conf.tunnels & rq->policy->tunnels;

	/* An L2TP session is its host's by the IPv4 source of its outer packets; over IPv6 it has none. */
	return RSIP_HOST6_IS(rq->from->addr) ? tunnels & ~RSIP_TUNNEL_BIT(RSIP_TUNNEL_L2TP) : tunnels;
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
