// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What of a session survives a crash: registration, counter and last answer, in the same transaction as what the
 * request changed.  So nothing is executed twice, not over a restart either.  A request that changes nothing on disk
 * writes nothing; a registration over UDP is kept with its first binding, and so is one over TCP that comes while the store
 * cannot be written: each new row would wait in memory for a disk that may be full for days.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"
#include "hosts6.h"
#include "log.h"

static void fill_answer(struct rsip_store_answer *out, const struct rsip_answered *a)
{
	if (!a->bytes)
		return;
	*out = (struct rsip_store_answer){
		.hash = a->hash,
		.at_ns = a->at_ns,
		.n = a->n,
		.port = a->port,
		.len = a->len,
		.type = a->type,
		.bytes = a->bytes,
	};
}

static struct rsip_store_client row_of(const struct rsip_engine *e, const struct rsip_lease_client *c)
{
	const struct rsip_engine_session *s = c->session;
	struct rsip_store_client row = {
		.seq = c->seq,
		.start_ns = c->start_ns,
		.expires_ns = c->expires_ns,
		.client_id = c->client_id,
		.host = c->host,
		.transport = c->transport,
		.local_policy = s->local_policy,
		.remote_policy = s->remote_policy,
		.key_id = s->key_id,
	};

	rsip_hosts6_copy(c->host, row.host6);
	snprintf(row.iface, sizeof(row.iface), "%s", e->conf.iface_name(e->conf.arg, c->iface));
	fill_answer(&row.last, &s->last);
	return row;
}

void rsip_engine_keep(struct rsip_engine *e, struct rsip_lease_client *c)
{
	struct rsip_engine_session *s = rsip_engine_session_of(e, c);
	struct rsip_store_client row;

	if (!s || !e->conf.journal)
		return;
	row = row_of(e, c);
	rsip_journal_client(e->conf.journal, &s->mark, &row);
	s->stored = true;
	s->batch = rsip_journal_open(e->conf.journal);
}

/* Whatever else was changed by its message: the key's sequence is kept in the same transaction. */
static void keep_key(const struct rsip_engine *e, struct rsip_key *key)
{
	const struct rsip_store_key row = { .key_id = key->conf.key.id, .mac_seq = key->seen };

	rsip_journal_key(e->conf.journal, &key->mark, &row);
}

/* The answer to a DE-REGISTER: the row stays for as long as the request may come again. */
static void keep_departed(struct rsip_request *rq)
{
	struct rsip_departed *d = rq->departed;

	if (!rq->leaving.seq)
		return;
	if (!d || !d->last.bytes) {
		rsip_engine_store_gone(rq->e, &rq->leaving_mark, rq->leaving.seq);
		return;
	}
	rq->leaving.departed_ns = rq->now_ns + RSIP_DEPARTED_NS;
	fill_answer(&rq->leaving.last, &d->last);
	d->seq = rq->leaving.seq;
	d->mark = rq->leaving_mark;
	rsip_journal_client(rq->e->conf.journal, &d->mark, &rq->leaving);
}

void rsip_engine_store(struct rsip_request *rq)
{
	struct rsip_engine *e = rq->e;
	struct rsip_journal *j = e->conf.journal;
	struct rsip_engine_session *s = rq->c ? rq->c->session : NULL;

	if (!j)
		return;
	keep_departed(rq);
	if (s && ((rq->keep && !rsip_journal_failing(j)) || rsip_journal_changes(j) != rq->changes))
		rsip_engine_keep(e, rq->c);
	if (rq->key && rsip_journal_changes(j) != rq->changes)
		keep_key(e, rq->key);
	e->grant = rq->grant;
	if (rsip_journal_failing(j)) /* what may be said now is said at once: nothing that the store had to keep */
		return;
	if (rsip_journal_changes(j) != rq->changes)
		e->waits = rsip_journal_open(j);
	else if (s && s->batch > rsip_journal_durable(j))
		e->waits = s->batch; /* it may tell of what is not on disk yet */
	if (rq->record)
		rq->record->batch = e->waits;
}

void rsip_engine_store_leave(struct rsip_request *rq)
{
	struct rsip_engine_session *s = rq->c->session;

	if (!s || !s->stored)
		return;
	rq->leaving = row_of(rq->e, rq->c);
	rq->leaving.last = (struct rsip_store_answer){ .len = 0 }; /* it ends with the session */
	rq->leaving_mark = s->mark;
	s->stored = false;
}

void rsip_engine_store_gone(struct rsip_engine *e, struct rsip_journal_mark *mark, uint64_t seq)
{
	if (e->conf.journal)
		rsip_journal_gone(e->conf.journal, mark, RSIP_STORE_CLIENT, seq);
}

bool rsip_engine_is_grant(uint8_t type)
{
	return type == RSIP_MSG_ASSIGN_REQUEST_RSA_IP || type == RSIP_MSG_ASSIGN_REQUEST_RSAP_IP ||
	       type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC || type == RSIP_MSG_LISTEN_REQUEST;
}

bool rsip_engine_store_waits(const struct rsip_engine *e, const struct rsip_answered *a)
{
	const struct rsip_journal *j = e->conf.journal;

	if (!j || a->batch <= rsip_journal_durable(j))
		return false;
	return rsip_engine_is_grant(a->type) || !rsip_journal_failing(j);
}

uint64_t rsip_engine_waits(const struct rsip_engine *e, struct rsip_engine_grant *grant)
{
	*grant = e->grant;
	return e->waits;
}

/* ---- a grant that cannot be kept ------------------------------------------------------------------------------------ */

/* The answer that a duplicate of the request will draw. */
static void replace_answer(struct rsip_answered *a, uint32_t n, const uint8_t *answer, size_t len)
{
	uint8_t *bytes;

	if (!a->bytes || a->n != n)
		return;
	bytes = realloc(a->bytes, len);
	if (!bytes)
		return;
	memcpy(bytes, answer, len);
	a->bytes = bytes;
	a->len = (uint16_t)len;
	a->batch = 0;
}

size_t rsip_engine_withdraw(struct rsip_engine *e, const struct rsip_from *from, const struct rsip_engine_grant *grant,
			    uint64_t now_ns, uint8_t *answer, size_t size)
{
	struct rsip_lease_client *c = rsip_lease_by_host(e->lm, from->addr);
	struct rsip_message *m = &e->out;
	int len;

	rsip_message_init(m, RSIP_MSG_ERROR_RESPONSE);
	m->has = RSIP_HAS_ERROR | RSIP_HAS_CLIENT_ID | (grant->counted ? RSIP_HAS_COUNTER : 0);
	m->error = rsip_lease_none_left(grant->method, grant->port_cnt);
	m->client_id = grant->client_id;
	m->counter = grant->counter;
	len = rsip_engine_auth_encode_late(e, &grant->auth, m, now_ns, answer, size);
	if (c && c->client_id == grant->client_id) {
		rsip_lease_free(e->lm, c, grant->bind_id, RSIP_END_REFUSED, now_ns);
		if (c->session && len > 0)
			replace_answer(&c->session->last, grant->counter, answer, (size_t)len);
		rsip_engine_keep(e, c);
	}
	return len > 0 ? (size_t)len : 0;
}

/* ---- start-up ------------------------------------------------------------------------------------------------------- */

static int take_answer(struct rsip_answered *a, const struct rsip_store_answer *row)
{
	if (!row->len)
		return 0;
	a->bytes = malloc(row->len);
	if (!a->bytes)
		return -ENOMEM;
	memcpy(a->bytes, row->bytes, row->len);
	a->hash = row->hash;
	a->at_ns = row->at_ns;
	a->n = row->n;
	a->port = row->port;
	a->len = row->len;
	a->type = row->type;
	return 0;
}

static int restore_departed(struct rsip_engine *e, const struct rsip_store_client *row, uint16_t iface)
{
	struct rsip_departed *d;

	d = rsip_engine_departed_add(e, row->host, iface, row->departed_ns - RSIP_DEPARTED_NS);
	if (!d)
		return -ENOMEM;
	d->seq = row->seq;
	return take_answer(&d->last, &row->last);
}

void rsip_engine_secret(struct rsip_engine *e, uint64_t secret)
{
	e->hash_key = secret;
}

int rsip_engine_restore(struct rsip_engine *e, struct rsip_lease_client *c, const struct rsip_store_client *row,
			uint16_t iface)
{
	struct rsip_engine_session *s;

	if (!c)
		return restore_departed(e, row, iface);
	s = rsip_engine_session_of(e, c);
	if (!s)
		return -ENOMEM;
	s->stored = true;
	s->key_id = row->key_id;
	s->local_policy = row->local_policy;
	s->remote_policy = row->remote_policy;
	s->port = row->last.port;
	s->first_known = row->last.len && row->transport == RSIP_TRANSPORT_UDP;
	s->first_n = row->last.n;
	return take_answer(&s->last, &row->last);
}
