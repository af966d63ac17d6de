// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* REGISTER and DE-REGISTER: RFC 3103 9.2 to 9.5. */
#include <stddef.h>

#include "engine_priv.h"

/* 9.3.3: what this host may ask for; RSAP-IP, which all must support, first. */
static void offer(struct rsip_request *rq)
{
	static const uint8_t order[] = { RSIP_METHOD_RSAP_IP, RSIP_METHOD_RSA_IP, RSIP_METHOD_RSIPSEC };
	struct rsip_message *out = rq->out;
	uint32_t methods = rsip_engine_methods(rq), tunnels = rsip_engine_tunnels(rq);

	for (size_t i = 0; i < RSIP_ARRAY_LEN(order); i++)
		if (methods & RSIP_METHOD_BIT(order[i]))
			out->method[out->method_cnt++] = order[i];
	for (uint8_t t = RSIP_TUNNEL_IPIP; t <= RSIP_TUNNEL_L2TP; t++)
		if (tunnels & RSIP_TUNNEL_BIT(t))
			out->tunnel[out->tunnel_cnt++] = t;
}

static void confirm(struct rsip_request *rq)
{
	struct rsip_message *out = rq->out;

	rsip_message_init(out, RSIP_MSG_REGISTER_RESPONSE);
	out->has = RSIP_HAS_CLIENT_ID | RSIP_HAS_LEASE | RSIP_HAS_POLICY;
	out->client_id = rq->c->client_id;
	out->lease_s = rsip_engine_seconds_left(rq->c->expires_ns, rq->now_ns);
	out->local_policy = rsip_engine_local_policy(rq);
	out->remote_policy = rsip_engine_remote_policy(rq);
	offer(rq);
}

static enum rsip_err already(struct rsip_request *rq)
{
	rq->error_client_id = rq->c->client_id;
	if (rq->from->transport == RSIP_TRANSPORT_UDP && rq->c->transport == RSIP_TRANSPORT_UDP)
		rsip_engine_session_open_second(rq);
	return RSIP_ERR_ALREADY_REGISTERED;
}

static enum rsip_err take(struct rsip_request *rq)
{
	struct rsip_engine *e = rq->e;
	const struct rsip_from *f = rq->from;
	enum rsip_err err;

	err = rsip_lease_register(e->lm, f->addr, f->iface, f->transport, rq->now_ns, &rq->c);
	/*
	 * Full: a registration that nobody has ever used makes room before a real host is refused.
	 */
	if (err == RSIP_ERR_REGISTRATION_DENIED &&
	    rsip_engine_unechoed_evict(e, TAILQ_FIRST(&e->waiting), rq->now_ns))
		err = rsip_lease_register(e->lm, f->addr, f->iface, f->transport, rq->now_ns,
					  &rq->c);
	return err;
}

enum rsip_err rsip_engine_register(struct rsip_request *rq)
{
	struct rsip_engine *e = rq->e;
	bool udp = rq->from->transport == RSIP_TRANSPORT_UDP;
	struct rsip_engine_session *s;
	enum rsip_err err;

	if (rq->c)
		return already(rq);
	if (!rsip_engine_may_be_client(e->client_nets, e->conf.client_net_cnt, rq->from->addr))
		return RSIP_ERR_REGISTRATION_DENIED;
	if (udp && !rsip_engine_unechoed_room(e, rq->from->iface, rq->now_ns))
		return rsip_engine_silence(rq, RSIP_ENGINE_DROP_UNECHOED_LIMIT);
	err = take(rq);
	if (err)
		return err;
	s = rsip_engine_session_of(e, rq->c);
	if (!s) {
		rsip_lease_deregister(e->lm, rq->c, RSIP_END_HOST, rq->now_ns);
		rq->c = NULL;
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	}
	s->port = rq->from->port;
	s->key_id = rq->key ? rq->auth.key_id : 0;
	s->local_policy = rq->policy->local;
	s->remote_policy = rq->policy->remote;
	if (udp) {
		rsip_engine_unechoed_add(e, s, rq->now_ns);
		rsip_engine_session_serve(rq, s);
	} else {
		rq->c->echoed = true; /* the handshake has shown that the source is real */
		rq->keep = true;
	}
	if (e->conf.client_start)
		e->conf.client_start(e->conf.arg, rq->c);
	confirm(rq);
	return RSIP_OK;
}

enum rsip_err rsip_engine_deregister(struct rsip_request *rq)
{
	uint32_t id = rq->c->client_id;

	rsip_engine_store_leave(rq);
	rsip_lease_deregister(rq->e->lm, rq->c, RSIP_END_HOST, rq->now_ns);
	rq->c = NULL;
	if (rq->from->transport == RSIP_TRANSPORT_UDP)
		rq->departed = rsip_engine_departed_add(rq->e, rq->from->addr, rq->from->iface, rq->now_ns);
	if (rq->departed)
		rq->record = &rq->departed->last;
	rsip_message_init(rq->out, RSIP_MSG_DE_REGISTER_RESPONSE);
	rq->out->has = RSIP_HAS_CLIENT_ID;
	rq->out->client_id = id;
	return RSIP_OK;
}
