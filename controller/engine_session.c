// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Message counters, duplicates, and hosts that have not shown that they are there.  RFC 3103 10.1.
 */
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

/* ---- answered requests ----------------------------------------------------------------------- */

/*
 * FNV-1a from a secret start, stirred at the end: two requests of one host, port and counter must
 * differ in it.
 */
uint64_t rsip_engine_hash(const struct rsip_engine *e, const uint8_t *msg, size_t len)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ e->hash_key;

	for (size_t i = 0; i < len; i++)
		h = (h ^ msg[i]) * 0x100000001b3ULL;
	h ^= h >> 32;
	return (h ^ len) * 0x9e3779b97f4a7c15ULL;
}

static bool is_same(const struct rsip_request *rq, const struct rsip_answered *a)
{
	if (!a->bytes || a->n != rq->in->counter || a->hash != rq->hash)
		return false;
	if (rq->from->transport == RSIP_TRANSPORT_TCP) /* on one connection nothing comes twice */
		return rq->c->transport == RSIP_TRANSPORT_TCP && a->port != rq->from->port;
	if (a->port != rq->from->port)
		return false;
	/* After a while a REGISTER with an old counter is that of a rebooted host. */
	return a->type != RSIP_MSG_REGISTER_REQUEST ||
	       rq->now_ns - a->at_ns <= RSIP_REGISTER_REPLAY_NS;
}

const struct rsip_answered *rsip_engine_session_duplicate(struct rsip_request *rq)
{
	struct rsip_engine_session *s = rq->c ? rq->c->session : NULL;
	struct rsip_departed *d;

	if (!(rq->in->has & RSIP_HAS_COUNTER))
		return NULL;
	if (s && is_same(rq, &s->last))
		return &s->last;
	if (rq->from->transport != RSIP_TRANSPORT_UDP)
		return NULL;
	HASH_FIND(hh, rq->e->departed, &rq->from->addr, sizeof(rq->from->addr), d);
	return d && d->iface == rq->from->iface && is_same(rq, &d->last) ? &d->last : NULL;
}

void rsip_engine_answered_keep(struct rsip_request *rq, struct rsip_answered *a,
			       const uint8_t *answer, size_t len)
{
	uint8_t *bytes = realloc(a->bytes, len);

	if (!bytes) { /* a duplicate will be dropped as old: nothing is executed twice */
		rq->e->stats.dropped[RSIP_ENGINE_DROP_NO_MEMORY]++;
		free(a->bytes);
		a->bytes = NULL;
		return;
	}
	memcpy(bytes, answer, len);
	*a = (struct rsip_answered){
		.hash = rq->hash,
		.at_ns = rq->now_ns,
		.n = rq->in->counter,
		.port = rq->from->port,
		.len = len,
		.type = rq->in->type,
		.bytes = bytes,
	};
}

/* ---- sessions and their sequences ------------------------------------------------------------ */

struct rsip_engine_session *rsip_engine_session_of(struct rsip_engine *e,
						   struct rsip_lease_client *c)
{
	struct rsip_engine_session *s = c->session;

	if (s)
		return s;
	s = calloc(1, sizeof(*s)); /* a registration taken over at start: its first message sets the
				      sequence */
	if (!s)
		return NULL;
	s->client = c;
	c->session = s;
	TAILQ_INSERT_TAIL(&e->all, s, all);
	return s;
}

void rsip_engine_session_end(struct rsip_engine *e, struct rsip_engine_session *s)
{
	rsip_engine_unechoed_remove(e, s);
	TAILQ_REMOVE(&e->all, s, all);
	free(s->last.bytes);
	free(s);
}

/* A difference of 1 to 2^31 - 1; the step over 0 at the end is one of them. */
static bool is_after(uint32_t n, uint32_t last)
{
	return n != last && n - last < 0x80000000U;
}

bool rsip_engine_session_is_newer(const struct rsip_request *rq)
{
	const struct rsip_engine_session *s = rq->c->session;
	uint32_t n = rq->in->counter;

	if (!s || !s->first_known || is_after(n, s->first_n))
		return true;
	return s->second_known && rq->from->port == s->second_port && is_after(n, s->second_n);
}

/* Until the new answer is kept, the old one belongs to no counter that can come. */
static void forget_last(struct rsip_engine_session *s)
{
	free(s->last.bytes);
	s->last.bytes = NULL;
}

void rsip_engine_session_serve(struct rsip_request *rq, struct rsip_engine_session *s)
{
	s->first_known = true;
	s->first_n = rq->in->counter;
	s->second_known = false;
	s->port = rq->from->port;
	rq->record = &s->last;
	forget_last(s);
}

void rsip_engine_session_serve_tcp(struct rsip_request *rq, struct rsip_engine_session *s)
{
	forget_last(s);
	if (rq->in->has & RSIP_HAS_COUNTER && rsip_engine_is_grant(rq->in->type))
		rq->record = &s->last;
}

/*
 * The first sequence stays untouched: a forged REGISTER can neither mute nor reset the real host.
 */
void rsip_engine_session_open_second(struct rsip_request *rq)
{
	struct rsip_engine_session *s = rsip_engine_session_of(rq->e, rq->c);

	if (!s)
		return;
	s->second_known = true;
	s->second_n = rq->in->counter;
	s->second_port = rq->from->port;
}

/* ---- unechoed registrations ------------------------------------------------------------------ */

void rsip_engine_unechoed_add(struct rsip_engine *e, struct rsip_engine_session *s, uint64_t now_ns)
{
	uint16_t iface = s->client->iface;

	s->is_waiting = true;
	s->since_ns = now_ns;
	TAILQ_INSERT_TAIL(&e->waiting, s, waiting);
	TAILQ_INSERT_TAIL(&e->iface_waiting[iface], s, iface_waiting);
	e->waiting_cnt++;
	e->iface_waiting_cnt[iface]++;
	e->stats.unechoed = e->waiting_cnt;
}

void rsip_engine_unechoed_remove(struct rsip_engine *e, struct rsip_engine_session *s)
{
	uint16_t iface = s->client->iface;

	if (!s->is_waiting)
		return;
	s->is_waiting = false;
	TAILQ_REMOVE(&e->waiting, s, waiting);
	TAILQ_REMOVE(&e->iface_waiting[iface], s, iface_waiting);
	e->waiting_cnt--;
	e->iface_waiting_cnt[iface]--;
	e->stats.unechoed = e->waiting_cnt;
}

bool rsip_engine_unechoed_evict(struct rsip_engine *e, struct rsip_engine_session *s,
				uint64_t now_ns)
{
	if (!s || now_ns - s->since_ns < RSIP_UNECHOED_WAIT_NS)
		return false;
	e->stats.evicted++;
	rsip_lease_deregister(e->lm, s->client, RSIP_END_REFUSED, now_ns);
	return true;
}

bool rsip_engine_unechoed_room(struct rsip_engine *e, uint16_t iface, uint64_t now_ns)
{
	uint32_t max = e->conf.unechoed_max, half = max > 1 ? max / 2 : 1;

	if (e->iface_waiting_cnt[iface] >= half)
		return rsip_engine_unechoed_evict(e, TAILQ_FIRST(&e->iface_waiting[iface]), now_ns);
	if (e->waiting_cnt >= max)
		return rsip_engine_unechoed_evict(e, TAILQ_FIRST(&e->waiting), now_ns);
	return true;
}

/* ---- hosts that de-registered ---------------------------------------------------------------- */

static void departed_remove(struct rsip_engine *e, struct rsip_departed *d)
{
	if (d->seq)
		rsip_engine_store_gone(e, &d->mark, d->seq);
	HASH_DEL(e->departed, d);
	TAILQ_REMOVE(&e->departed_order, d, link);
	free(d->last.bytes);
	free(d);
	e->stats.departed--;
}

struct rsip_departed *rsip_engine_departed_add(struct rsip_engine *e, __be32 host, uint16_t iface, uint64_t now_ns)
{
	struct rsip_departed *d;

	HASH_FIND(hh, e->departed, &host, sizeof(host), d);
	if (d)
		departed_remove(e, d);
	if (e->stats.departed >= RSIP_DEPARTED_MAX)
		departed_remove(e, TAILQ_FIRST(&e->departed_order));
	d = calloc(1, sizeof(*d));
	if (!d)
		return NULL;
	d->host = host;
	d->iface = iface;
	d->last.at_ns = now_ns;
	HASH_ADD(hh, e->departed, host, sizeof(d->host), d);
	TAILQ_INSERT_TAIL(&e->departed_order, d, link);
	e->stats.departed++;
	return d;
}

void rsip_engine_departed_expire(struct rsip_engine *e, uint64_t now_ns)
{
	struct rsip_departed *d;

	while ((d = TAILQ_FIRST(&e->departed_order)) && now_ns - d->last.at_ns > RSIP_DEPARTED_NS)
		departed_remove(e, d);
}

/* At the end of rsipd: the store remembers them. */
void rsip_engine_departed_clear(struct rsip_engine *e)
{
	struct rsip_departed *d;

	while ((d = TAILQ_FIRST(&e->departed_order))) {
		d->seq = 0;
		departed_remove(e, d);
	}
}
