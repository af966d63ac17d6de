// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hosts that a changed configuration does not serve any more: their registrations end, and they hear a
 * DE-REGISTER_RESPONSE (RFC 3103 9.5.3).
 */
#include "engine_priv.h"

#define AT_ONCE 256 /* looked up, then ended */

struct unserved {
	const struct rsip_engine_change *conf;
	uint64_t last_seq;
	uint32_t id[AT_ONCE];
	uint32_t cnt;
};

static bool may_be_here(const struct rsip_engine_change *conf, const struct rsip_lease_client *c)
{
	if (conf->udp_off && c->transport == RSIP_TRANSPORT_UDP) /* RFC 3103 5: it cannot go on over TCP */
		return false;
	return rsip_engine_may_be_client(conf->client_nets, conf->client_net_cnt, c->host);
}

/* Is there a key with which its messages would count, or need there be none?  engine_auth.c */
static bool can_be_heard(const struct rsip_engine_change *conf, const struct rsip_lease_client *c)
{
	const struct rsip_key *key;

	if (conf->auth == RSIP_AUTH_OFF)
		return true;
	if (!c->session || !c->session->key_id)
		return conf->auth == RSIP_AUTH_OPTIONAL || rsip_keys_of(conf->keys, c->host);
	key = rsip_keys_find(conf->keys, c->session->key_id);
	return key && rsip_key_is_of(key, c->host);
}

static bool look_at(void *arg, const struct rsip_lease_client *c)
{
	struct unserved *u = arg;

	u->last_seq = c->seq;
	if (!may_be_here(u->conf, c) || !can_be_heard(u->conf, c))
		u->id[u->cnt++] = c->client_id;
	return u->cnt < AT_ONCE;
}

uint32_t rsip_engine_end_unserved_by(struct rsip_engine *e, const struct rsip_engine_change *conf, uint64_t now_ns)
{
	struct unserved u = { .conf = conf };
	uint32_t ended = 0;

	do {
		u.cnt = 0;
		rsip_lease_walk_clients(e->lm, u.last_seq, look_at, &u);
		for (uint32_t i = 0; i < u.cnt; i++)
			rsip_lease_deregister(e->lm, rsip_lease_by_id(e->lm, u.id[i]), RSIP_END_REFUSED, now_ns);
		ended += u.cnt;
	} while (u.cnt == AT_ONCE);
	if (!e->busy)
		rsip_engine_async_flush(e, now_ns);
	return ended;
}

uint32_t rsip_engine_end_unserved(struct rsip_engine *e, uint64_t now_ns)
{
	const struct rsip_engine_change now = {
		.client_nets = e->client_nets,
		.client_net_cnt = e->conf.client_net_cnt,
		.udp_off = e->conf.udp_off,
		.auth = e->conf.auth,
		.keys = e->keys,
	};

	return rsip_engine_end_unserved_by(e, &now, now_ns);
}
