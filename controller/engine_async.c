// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the gateway says of its own accord, with counter 0: DE-REGISTER_RESPONSE, FREE_RESPONSE and
 * ERROR_RESPONSE (RFC 3103 9.5.3, 9.13.3, 10.1, 10.4).  Nobody acknowledges them, so over UDP the
 * first two are sent three times, one second apart; of an error the host's next packet reminds us.
 */
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

void rsip_engine_async_queue(struct rsip_engine *e, const struct rsip_lease_client *c, uint8_t type,
			     uint32_t bind_id, enum rsip_err error)
{
	const struct rsip_engine_session *s = c->session;
	struct rsip_async *a;

	if (c->transport == RSIP_TRANSPORT_UDP && (!s || !s->port)) {
		e->stats.dropped[RSIP_ENGINE_DROP_NO_PORT]++;
		return;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		e->stats.dropped[RSIP_ENGINE_DROP_NO_MEMORY]++;
		return;
	}
	a->to = (struct rsip_from){ .addr = c->host,
				    .port = s ? s->port : 0,
				    .transport = c->transport,
				    .iface = c->iface };
	a->type = type;
	if (!c->echoed) /* perhaps forged, and then somebody else hears it: once */
		a->tries = RSIP_ASYNC_TRIES - 1;
	a->key_id = rsip_engine_auth_key_of(e, c);
	a->client_id = c->client_id;
	a->bind_id = bind_id;
	a->error = error;
	TAILQ_INSERT_TAIL(&e->fresh, a, link);
	e->stats.async_waiting++;
	if (!e->busy && e->conf.wake)
		e->conf.wake(e->conf.arg);
}

static void drop(struct rsip_engine *e, struct rsip_async *a)
{
	free(a);
	e->stats.async_waiting--;
}

/*
 * A host that registered again has begun anew; one whose registration ended is told of that alone.
 */
static bool is_stale(const struct rsip_engine *e, const struct rsip_async *a)
{
	const struct rsip_lease_client *c = rsip_lease_by_host(e->lm, a->to.addr);

	if (a->type == RSIP_MSG_DE_REGISTER_RESPONSE)
		return c != NULL;
	return !c || c->client_id != a->client_id;
}

static void transmit(struct rsip_engine *e, const struct rsip_async *a, uint64_t now_ns)
{
	struct rsip_message *m = &e->async;
	uint8_t buf[96];
	int len;

	rsip_message_init(m, a->type);
	m->has = RSIP_HAS_CLIENT_ID | RSIP_HAS_COUNTER;
	m->client_id = a->client_id;
	m->bind_id = a->bind_id;
	m->error = a->error;
	m->has |= (a->bind_id ? RSIP_HAS_BIND_ID : 0) | (a->error ? RSIP_HAS_ERROR : 0);
	len = rsip_engine_auth_encode_async(e, a->key_id, m, now_ns, buf, sizeof(buf));
	if (len < 0)
		return;
	e->stats.async++;
	e->stats.sent[a->type]++;
	e->conf.send_async(e->conf.arg, &a->to, buf, len);
}

static void send_one(struct rsip_engine *e, struct rsip_async *a, uint64_t now_ns)
{
	if (is_stale(e, a)) {
		drop(e, a);
		return;
	}
	transmit(e, a, now_ns);
	if (a->to.transport != RSIP_TRANSPORT_UDP || a->error || ++a->tries == RSIP_ASYNC_TRIES) {
		drop(e, a);
		return;
	}
	a->next_ns = now_ns + RSIP_ASYNC_WAIT_NS;
	TAILQ_INSERT_TAIL(&e->again, a, link);
}

void rsip_engine_async_flush(struct rsip_engine *e, uint64_t now_ns)
{
	struct rsip_async *a;

	while ((a = TAILQ_FIRST(&e->fresh))) {
		TAILQ_REMOVE(&e->fresh, a, link);
		send_one(e, a, now_ns);
	}
	while ((a = TAILQ_FIRST(&e->again)) && a->next_ns <= now_ns) {
		TAILQ_REMOVE(&e->again, a, link);
		send_one(e, a, now_ns);
	}
}

uint64_t rsip_engine_async_next(const struct rsip_engine *e)
{
	if (!TAILQ_EMPTY(&e->fresh))
		return 0;
	return TAILQ_EMPTY(&e->again) ? ~0ULL : TAILQ_FIRST(&e->again)->next_ns;
}

void rsip_engine_async_clear(struct rsip_engine *e)
{
	struct rsip_async *a;

	while ((a = TAILQ_FIRST(&e->fresh))) {
		TAILQ_REMOVE(&e->fresh, a, link);
		drop(e, a);
	}
	while ((a = TAILQ_FIRST(&e->again))) {
		TAILQ_REMOVE(&e->again, a, link);
		drop(e, a);
	}
}

/* ---- what the lease manager tells ------------------------------------------------------------ */

static void client_end(void *arg, const struct rsip_lease_client *c, enum rsip_end why)
{
	struct rsip_engine *e = arg;

	if (why != RSIP_END_HOST)
		rsip_engine_async_queue(e, c, RSIP_MSG_DE_REGISTER_RESPONSE, 0, RSIP_OK);
	if (c->session && c->session->stored)
		rsip_engine_store_gone(e, &c->session->mark, c->seq);
	if (c->session)
		rsip_engine_session_end(e, c->session);
	if (e->conf.observer.client_end)
		e->conf.observer.client_end(e->conf.observer.arg, c, why);
}

static void bind_start(void *arg, const struct rsip_lease_client *c,
		       const struct rsip_lease_bind *b)
{
	struct rsip_engine *e = arg;

	if (e->conf.observer.bind_start)
		e->conf.observer.bind_start(e->conf.observer.arg, c, b);
}

static void bind_end(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b,
		     enum rsip_end why)
{
	struct rsip_engine *e = arg;

	if (why == RSIP_END_EXPIRED ||
	    why == RSIP_END_OPERATOR) /* else the host asked for it, or never had it */
		rsip_engine_async_queue(e, c, RSIP_MSG_FREE_RESPONSE, b->bind_id, RSIP_OK);
	if (e->conf.observer.bind_end)
		e->conf.observer.bind_end(e->conf.observer.arg, c, b, why);
}

static void bind_gone(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why,
		      uint64_t at_ns)
{
	struct rsip_engine *e = arg;
	const struct rsip_lease_client *owner = rsip_lease_by_host(e->lm, c->host);

	/* It had time left, and its host may still use it; one that was never acknowledged the host does not know. */
	if (why == RSIP_END_REFUSED && owner && owner->client_id == c->client_id)
		rsip_engine_async_queue(e, owner, RSIP_MSG_FREE_RESPONSE, b->bind_id, RSIP_OK);
	if (e->conf.observer.bind_gone)
		e->conf.observer.bind_gone(e->conf.observer.arg, c, b, why, at_ns);
}

static void path_changed(void *arg, const struct rsip_lease_client *c)
{
	struct rsip_engine *e = arg;

	if (e->conf.observer.path_changed)
		e->conf.observer.path_changed(e->conf.observer.arg, c);
}

void rsip_engine_sink(struct rsip_engine *e, struct rsip_lease_sink *sink)
{
	*sink = (struct rsip_lease_sink){
		.arg = e, .client_end = client_end, .bind_start = bind_start, .bind_end = bind_end, .bind_gone = bind_gone,
		.path_changed = path_changed
	};
}
