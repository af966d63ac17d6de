// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * QUERY: what is local, for all we know (RFC 3103 9.14, 9.15).  No tuple about something: we do not
 * know.
 */
#include "engine_priv.h"
#include "hosts6.h"

static void add_tuple(struct rsip_message *out, const struct rsip_tuple *t)
{
	if (out->tuple_cnt < RSIP_TUPLES_MAX)
		out->tuple[out->tuple_cnt++] = *t;
}

static bool network_is_local(const struct rsip_engine *e, const struct rsip_tuple *t)
{
	for (uint32_t i = 0; i < e->conf.local_net_cnt; i++) {
		const struct rsip_net *n = &e->local_nets[i];

		/* the asked one lies within: its mask is as long or longer */
		if ((t->mask & n->mask) == n->mask && (t->addr.v4 & n->mask) == n->addr)
			return true;
	}
	return false;
}

/* Indicators 1 and 2 of a request mean "local" in a response. */
static void answer_tuple(const struct rsip_engine *e, const struct rsip_tuple *t,
			 struct rsip_message *out)
{
	bool local;

	if (t->addr.type != RSIP_ADDR_IPV4)
		return;
	if (t->indicator == RSIP_IND_LOCAL_NETWORK)
		local = network_is_local(e, t);
	else
		local = rsip_nets_have(e->local_nets, e->conf.local_net_cnt, t->addr.v4);
	if (local)
		add_tuple(out, t);
}

static void answer_all(const struct rsip_engine *e, struct rsip_message *out)
{
	for (uint32_t i = 0; i < e->conf.local_net_cnt; i++) {
		struct rsip_tuple t = { .indicator = RSIP_IND_LOCAL_NETWORK,
					.mask = e->local_nets[i].mask };

		rsip_address_v4(&t.addr, e->local_nets[i].addr);
		add_tuple(out, &t);
	}
}

enum rsip_err rsip_engine_query(struct rsip_request *rq)
{
	rsip_message_init(rq->out, RSIP_MSG_QUERY_RESPONSE);
	rq->out->has = RSIP_HAS_CLIENT_ID;
	rq->out->client_id = rq->c->client_id;
	if (!rq->in->tuple_cnt)
		answer_all(rq->e, rq->out);
	for (unsigned int i = 0; i < rq->in->tuple_cnt; i++)
		answer_tuple(rq->e, &rq->in->tuple[i], rq->out);
	return RSIP_OK;
}
