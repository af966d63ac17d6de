// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ASSIGN, LISTEN, EXTEND, FREE: RFC 3103 9.6 to 9.13, 9.16, 9.17, RFC 3104 6.2. */
#include <string.h>

#include "engine_priv.h"

/* ---- what is granted ------------------------------------------------------------------------- */

static uint32_t count_spis(const struct rsip_spi_set *set)
{
	uint32_t cnt = 0;

	for (unsigned int i = 0; i < set->range_cnt; i++)
		cnt += set->range[i].cnt;
	return cnt;
}

/* A range where it is one (strongSwan needs one), else all of them; false: too many to write. */
static bool grant_spis(const struct rsip_spi_set *set, struct rsip_spis *out)
{
	uint32_t cnt = count_spis(set);
	unsigned int n = 0;

	if (set->range_cnt == 1) {
		rsip_spis_range(out, set->range[0].first, cnt);
		return cnt <= UINT16_MAX;
	}
	if (cnt > RSIP_SPI_LIST_MAX)
		return false;
	out->form = RSIP_FORM_LIST;
	out->cnt = cnt;
	for (unsigned int i = 0; i < set->range_cnt; i++)
		for (uint32_t j = 0; j < set->range[i].cnt; j++)
			out->spi[n++] = set->range[i].first + j;
	out->first = out->spi[0];
	return true;
}

/*
 * 9.7.3, 9.9.3, 9.17.3: "don't care" without remote policy; the address of the request under macro, address and
 * ports under micro policy.  "Don't need" as in the request (RFC 3104 6.2).
 */
static void grant_remote(const struct rsip_request *rq, struct rsip_message *out)
{
	const struct rsip_message *in = rq->in;
	uint8_t policy = rsip_engine_remote_policy(rq);

	rsip_address_any(&out->remote);
	rsip_ports_any(&out->remote_ports, 1);
	if (policy != RSIP_REMOTE_NONE)
		out->remote = in->remote;
	if (policy == RSIP_REMOTE_MICRO || in->remote_ports.form == RSIP_FORM_NONE)
		out->remote_ports = in->remote_ports;
}

static uint8_t response_to(uint8_t type)
{
	return type + 1; /* so are they numbered: RFC 3103 App. B, RFC 3104 App. C */
}

static bool grant(struct rsip_request *rq, const struct rsip_lease_bind *b)
{
	struct rsip_message *out = rq->out;

	rsip_message_init(out, response_to(rq->in->type));
	out->has = RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID | RSIP_HAS_LOCAL | RSIP_HAS_REMOTE |
		   RSIP_HAS_REMOTE_PORTS | RSIP_HAS_LEASE;
	out->client_id = rq->c->client_id;
	out->bind_id = b->bind_id;
	rsip_address_v4(&out->local, b->local);
	grant_remote(rq, out);
	out->lease_s = rsip_engine_seconds_left(b->expires_ns, rq->now_ns);
	out->tunnel[out->tunnel_cnt++] = b->tunnel;
	if (b->endpoint != rq->endpoint) { /* 9.7.3: else the gateway itself */
		out->has |= RSIP_HAS_ENDPOINT;
		rsip_address_v4(&out->endpoint, b->endpoint);
	}
	if (b->method == RSIP_METHOD_RSA_IP)
		return true;
	out->has |= RSIP_HAS_LOCAL_PORTS;
	rsip_ports_set(&out->local_ports, b->ports.port, b->ports.cnt);
	if (b->method != RSIP_METHOD_RSIPSEC)
		return true;
	out->has |= RSIP_HAS_SPIS;
	return grant_spis(&b->spis, &out->spis);
}

enum rsip_err rsip_engine_assign(struct rsip_request *rq)
{
	struct rsip_lease_ask ask;
	const struct rsip_lease_bind *b = NULL;
	enum rsip_err err;

	memset(&ask, 0, sizeof(ask));
	err = rsip_engine_ask(rq, &ask);
	if (err)
		return err;
	err = rsip_lease_assign(rq->e->lm, rq->c, &ask, rq->now_ns, &b);
	if (err)
		return err;
	if (!b)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	rq->undo_bind_id = b->bind_id; /* until the answer is known to fit */
	rq->grant = (struct rsip_engine_grant){
		.client_id = rq->c->client_id,
		.bind_id = b->bind_id,
		.counter = rq->in->counter,
		.counted = rq->in->has & RSIP_HAS_COUNTER,
		.type = rq->in->type,
		.method = b->method,
		.port_cnt = b->ports.cnt,
		.auth = rq->key ? rq->auth : (struct rsip_auth){ .key_id = 0 },
	};
	return grant(rq, b) ? RSIP_OK : RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
}

/* ---- EXTEND and FREE ------------------------------------------------------------------------- */

enum rsip_err rsip_engine_extend(struct rsip_request *rq)
{
	const struct rsip_lease_bind *b = NULL;
	uint32_t lease_s = rq->in->has & RSIP_HAS_LEASE ? rq->in->lease_s : 0;
	enum rsip_err err;

	err = rsip_lease_extend(rq->e->lm, rq->c, rq->in->bind_id, lease_s, rq->now_ns, &b);
	if (err)
		return err;
	if (!b)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	rsip_message_init(rq->out, RSIP_MSG_EXTEND_RESPONSE);
	rq->out->has = RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID | RSIP_HAS_LEASE;
	rq->out->client_id = rq->c->client_id;
	rq->out->bind_id = b->bind_id;
	rq->out->lease_s = rsip_engine_seconds_left(b->expires_ns, rq->now_ns);
	return RSIP_OK;
}

enum rsip_err rsip_engine_free(struct rsip_request *rq)
{
	uint32_t bind_id = rq->in->bind_id;
	enum rsip_err err;

	err = rsip_lease_free(rq->e->lm, rq->c, bind_id, RSIP_END_HOST, rq->now_ns);
	if (err)
		return err;
	rsip_message_init(rq->out, RSIP_MSG_FREE_RESPONSE);
	rq->out->has = RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID;
	rq->out->client_id = rq->c->client_id;
	rq->out->bind_id = bind_id;
	return RSIP_OK;
}
