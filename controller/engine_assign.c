// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ASSIGN, EXTEND, FREE: RFC 3103 9.8 to 9.13, RFC 3104 6.2. */
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

/* ---- what is asked for ----------------------------------------------------------------------- */

static int compare_ports(const void *a, const void *b)
{
	uint16_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (int)x - (int)y;
}

static void ask_ports(const struct rsip_ports *p, struct rsip_lease_ask *ask)
{
	ask->port_cnt = p->cnt; /* 0 where none are needed */
	ask->ports_given = p->form == RSIP_FORM_RANGE || p->form == RSIP_FORM_LIST;
	if (!ask->ports_given)
		return;
	ask->ports.cnt = p->cnt;
	memcpy(ask->ports.port, p->port, p->cnt * sizeof(p->port[0]));
	qsort(ask->ports.port, p->cnt, sizeof(p->port[0]), compare_ports);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct rsip_spi_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* A list as ranges, ascending, in the engine's memory. */
static void ask_spi_list(struct rsip_engine *e, const struct rsip_spis *s, struct rsip_spi_set *set)
{
	struct rsip_spi_range *r = e->spi_range;
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->cnt; i++)
		r[i] = (struct rsip_spi_range){ .first = s->spi[i], .cnt = 1 };
	qsort(r, s->cnt, sizeof(*r), compare_ranges);
	for (unsigned int i = 1; i < s->cnt; i++) {
		if (r[i].first == r[n].first + r[n].cnt)
			r[n].cnt++;
		else
			r[++n] = r[i];
	}
	set->range = r;
	set->range_cnt = n + 1;
}

static enum rsip_err ask_spis(struct rsip_engine *e, const struct rsip_spis *s,
			      struct rsip_lease_ask *ask)
{
	ask->spi_cnt = s->cnt;
	ask->spis_given = s->form != RSIP_FORM_ANY;
	if (s->form == RSIP_FORM_LIST) {
		if (s->cnt > RSIP_SPI_LIST_MAX)
			return RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
		ask_spi_list(e, s, &ask->spis);
	} else if (s->form == RSIP_FORM_RANGE) {
		e->spi_range[0] = (struct rsip_spi_range){ .first = s->first, .cnt = s->cnt };
		ask->spis.range = e->spi_range;
		ask->spis.range_cnt = 1;
	}
	return RSIP_OK;
}

static enum rsip_err ask_tunnel(const struct rsip_message *in, struct rsip_lease_ask *ask)
{
	ask->tunnel = in->tunnel_cnt ? in->tunnel[0] : RSIP_TUNNEL_IPIP; /* 9.3.3 */
	return ask->tunnel == RSIP_TUNNEL_IPIP ? RSIP_OK : RSIP_ERR_BAD_TUNNEL_TYPE;
}

/* The remote part says nothing: this gateway has no remote policy (9.8.3). */
static enum rsip_err build_ask(struct rsip_request *rq, struct rsip_lease_ask *ask)
{
	const struct rsip_message *in = rq->in;
	enum rsip_err err = ask_tunnel(in, ask);

	if (err)
		return err;
	if (!in->local.any) {
		if (in->local.type != RSIP_ADDR_IPV4) /* no pool holds an IPv6 address */
			return RSIP_ERR_LOCAL_ADDR_UNALLOWED;
		ask->local = in->local.v4;
	}
	ask->lease_s = in->has & RSIP_HAS_LEASE ? in->lease_s : 0;
	ask_ports(&in->local_ports, ask);
	ask->method = RSIP_METHOD_RSAP_IP;
	if (in->type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC) {
		ask->method = RSIP_METHOD_RSIPSEC;
		err = ask_spis(rq->e, &in->spis, ask);
	}
	ask->nexthop = rq->nexthop;
	ask->endpoint = rq->endpoint;
	ask->mtu = rq->mtu;
	return err;
}

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
 * Remote parameters: "don't care" without remote policy (9.9.3), or "don't need" as in the request
 * (RFC 3104 6.2).
 */
static void grant_remote(const struct rsip_message *in, struct rsip_message *out)
{
	rsip_address_any(&out->remote);
	rsip_ports_any(&out->remote_ports, 1);
	if (in->remote_ports.form == RSIP_FORM_NONE)
		out->remote_ports.form = RSIP_FORM_NONE;
}

static bool grant(struct rsip_request *rq, const struct rsip_lease_bind *b)
{
	struct rsip_message *out = rq->out;
	bool ipsec = rq->in->type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC;

	rsip_message_init(out, ipsec ? RSIP_MSG_ASSIGN_RESPONSE_RSIPSEC
				     : RSIP_MSG_ASSIGN_RESPONSE_RSAP_IP);
	out->has = RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID | RSIP_HAS_LOCAL | RSIP_HAS_LOCAL_PORTS |
		   RSIP_HAS_REMOTE | RSIP_HAS_REMOTE_PORTS | RSIP_HAS_LEASE;
	out->client_id = rq->c->client_id;
	out->bind_id = b->bind_id;
	rsip_address_v4(&out->local, b->local);
	rsip_ports_set(&out->local_ports, b->ports.port, b->ports.cnt);
	grant_remote(rq->in, out);
	out->lease_s = rsip_engine_seconds_left(b->expires_ns, rq->now_ns);
	out->tunnel[out->tunnel_cnt++] = b->tunnel;
	if (!ipsec)
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
	err = build_ask(rq, &ask);
	if (err)
		return err;
	err = rsip_lease_assign(rq->e->lm, rq->c, &ask, rq->now_ns, &b);
	if (err)
		return err;
	if (!b)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	rq->undo_bind_id = b->bind_id; /* until the answer is known to fit */
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
