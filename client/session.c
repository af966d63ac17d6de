// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What to send next, when to repeat it, when to give up. */
#include <errno.h>
#include <string.h>
#include "log.h"
#include "session.h"

#define RSIP_SILENT_MAX 2 /* requests in a row without an answer */

/* ---- requests ---- */

/* RFC 3103 8.11: the counter rises by one for each new message; 0 is the gateway's own. */
static void next_counter(struct rsip_session *s)
{
	if (++s->next_counter == 0)
		s->next_counter = 1;
}

static void transmit(struct rsip_session *s, uint64_t now)
{
	struct rsip_request *r = &s->req;

	if (r->tries++)
		s->stats.resent++;
	else
		s->stats.sent++;
	if (s->transport == RSIP_TRANSPORT_TCP) {
		r->next_ns = now + RSIP_TCP_ANSWER_NS;
	} else {
		r->next_ns = now + r->wait_ns;
		r->wait_ns *= 2;
	}
	s->sink.send(s->sink.ctx, r->buf, r->len);
}

/* index: of the lease or, for a QUERY, of the query; -1: the request is about neither. */
static void ask(struct rsip_session *s, uint8_t type, uint32_t client_id, int index, uint64_t now)
{
	struct rsip_request *r = &s->req;
	long len;

	r->type = type;
	r->lease = type == RSIP_MSG_QUERY_REQUEST ? -1 : index;
	r->query = type == RSIP_MSG_QUERY_REQUEST ? index : -1;
	r->counter = s->next_counter;
	len = rsip_request_write(s, client_id);
	if (len < 0) {
		log_err("cannot write a %s: %s", rsip_msg_name(type), strerror(-len));
		if (r->lease >= 0)
			s->leases[r->lease].state = RSIP_LEASE_NONE;
		if (r->query >= 0)
			rsip_query_done(s, r->query, NULL, len);
		return;
	}
	r->active = true;
	r->cut = false;
	r->tries = 0;
	r->first_ns = now;
	r->wait_ns = RSIP_RETRY_FIRST_NS;
	r->len = len;
	log_debug("send %s counter %u client %u", rsip_msg_name(type), r->counter, client_id);
	s->sink.changed(s->sink.ctx); /* a restart must not use this counter again */
	transmit(s, now);
}

struct rsip_request *rsip_request_finish(struct rsip_session *s)
{
	s->req.active = false;
	next_counter(s);
	return &s->req;
}
void rsip_query_done(struct rsip_session *s, int index, const struct rsip_answer *a, int err)
{
	s->queries[index].waiting = false;
	s->sink.queried(s->sink.ctx, s->queries[index].tag, a, err);
}

/* ---- time ---- */

static void unanswered(struct rsip_session *s, uint64_t now)
{
	struct rsip_request *r = rsip_request_finish(s);
	struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];

	s->stats.timeouts++;
	/* Perhaps only our counter is wrong: REGISTER is answered whatever its counter, and tells.
	 */
	if (++s->silent >= RSIP_SILENT_MAX && s->state == RSIP_SESSION_UP) {
		s->state = RSIP_SESSION_DOWN;
		s->act_ns = now;
	}
	switch (r->type) {
	case RSIP_MSG_REGISTER_REQUEST:
		s->sink.failed(s->sink.ctx, NULL, r->type, -ETIMEDOUT);
		rsip_session_register_later(s, now);
		break;
	case RSIP_MSG_DE_REGISTER_REQUEST:
		rsip_registration_ended(s, "the gateway did not answer", now);
		break;
	case RSIP_MSG_QUERY_REQUEST:
		rsip_query_done(s, r->query, NULL, -ETIMEDOUT);
		break;
	case RSIP_MSG_FREE_REQUEST: /* the gateway goes on counting it as ours: ask again */
		lease->act_ns = now + rsip_session_some_of(s, RSIP_BACKOFF_MAX_S);
		break;
	case RSIP_MSG_EXTEND_REQUEST:
		rsip_lease_extend_later(lease, now);
		break;
	default:
		rsip_late_expect(s, now);
		rsip_lease_refused(s, lease, -ETIMEDOUT, now);
	}
	s->sink.changed(s->sink.ctx);
}

void rsip_session_expire(struct rsip_session *s, uint64_t now)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->expires_ns > now)
			continue;
		if (l->state == RSIP_LEASE_HELD)
			rsip_lease_lose(s, l, "its time has run out", true, now);
		else if (l->state == RSIP_LEASE_FREEING && !(s->req.active && s->req.lease == i))
			rsip_lease_freed(s, l, now);
		else
			continue;
		s->sink.changed(s->sink.ctx);
	}
	if (s->client_id && s->state != RSIP_SESSION_ENDING && s->expires_ns <= now)
		rsip_registration_lose(s, "our registration has run out", now);
}

static void ask_what_is_due(struct rsip_session *s, uint64_t now)
{
	for (int i = 0; i < RSIP_LEASES_MAX && !s->req.active; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state == RSIP_LEASE_NONE || l->act_ns > now)
			continue;
		if (l->state == RSIP_LEASE_FREEING)
			ask(s, RSIP_MSG_FREE_REQUEST, s->client_id, i, now);
		else if (l->state == RSIP_LEASE_HELD)
			ask(s, RSIP_MSG_EXTEND_REQUEST, s->client_id, i, now);
		else
			ask(s, rsip_request_type(&l->want), s->client_id, i, now);
	}
	for (int i = 0; i < RSIP_QUERIES_MAX && !s->req.active; i++)
		if (s->queries[i].waiting)
			ask(s, RSIP_MSG_QUERY_REQUEST, s->client_id, i, now);
}

/* An ASSIGN or LISTEN is on its way. */
static bool is_asking_for_a_lease(const struct rsip_session *s)
{
	const struct rsip_request *r = &s->req;

	return r->active && r->lease >= 0 && r->type != RSIP_MSG_EXTEND_REQUEST && r->type != RSIP_MSG_FREE_REQUEST;
}

/* Over TCP a copy is for another connection only: on the same one it would be one more request. */
static void repeat_or_give_up(struct rsip_session *s, uint64_t now)
{
	struct rsip_request *r = &s->req;
	bool may_repeat = s->transport == RSIP_TRANSPORT_UDP ? r->tries < RSIP_RETRY_TRIES : r->cut;

	if (may_repeat) {
		r->cut = false;
		transmit(s, now);
	} else if (s->transport == RSIP_TRANSPORT_TCP && is_asking_for_a_lease(s) && r->tries < RSIP_TCP_TRIES) {
		s->hang_up = true;
		r->next_ns = RSIP_FOREVER;
	} else {
		unanswered(s, now);
	}
}

void rsip_session_tick(struct rsip_session *s, uint64_t now)
{
	rsip_session_expire(s, now);
	if (s->req.active && s->req.next_ns <= now)
		repeat_or_give_up(s, now);
	if (s->req.active)
		return;
	if (s->state == RSIP_SESSION_ENDING && !s->client_id)
		rsip_registration_lose(s, "de-registered", now);
	if (s->state == RSIP_SESSION_CLOSED)
		return;
	if (s->stale_id && s->act_ns <= now)
		ask(s, RSIP_MSG_DE_REGISTER_REQUEST, s->stale_id, -1, now);
	else if (s->state == RSIP_SESSION_ENDING)
		ask(s, RSIP_MSG_DE_REGISTER_REQUEST, s->client_id, -1, now);
	else if (s->state == RSIP_SESSION_DOWN && s->act_ns <= now)
		ask(s, RSIP_MSG_REGISTER_REQUEST, 0, -1, now);
	else if (s->state == RSIP_SESSION_UP)
		ask_what_is_due(s, now);
}

uint64_t rsip_session_due(const struct rsip_session *s)
{
	uint64_t due = RSIP_FOREVER;

	if (s->state == RSIP_SESSION_CLOSED)
		return due;
	if (s->client_id && s->state != RSIP_SESSION_ENDING)
		rsip_sooner(&due, s->expires_ns);
	if (s->req.active)
		rsip_sooner(&due, s->req.next_ns);
	else if (s->state == RSIP_SESSION_ENDING)
		return 0;
	else if (s->state == RSIP_SESSION_DOWN)
		rsip_sooner(&due, s->act_ns);
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		const struct rsip_lease *l = &s->leases[i];

		if (l->state == RSIP_LEASE_HELD)
			rsip_sooner(&due, l->expires_ns);
		if (!s->req.active && s->state == RSIP_SESSION_UP && l->state != RSIP_LEASE_NONE)
			rsip_sooner(&due, l->act_ns);
	}
	for (int i = 0; i < RSIP_QUERIES_MAX; i++)
		if (s->queries[i].waiting && !s->req.active && s->state == RSIP_SESSION_UP)
			return 0;
	return due;
}

/* ---- what the owner asks for ---- */

void rsip_session_init(struct rsip_session *s, const struct rsip_session_sink *sink,
		       enum rsip_transport transport, const struct rsip_inet *local,
		       const struct rsip_inet *gateway)
{
	memset(s, 0, sizeof(*s));
	s->sink = *sink;
	s->transport = transport;
	s->local = *local;
	s->gateway = *gateway;
	s->tunnel = RSIP_TUNNEL_IPIP;
	s->backoff_s = RSIP_BACKOFF_FIRST_S;
	s->next_counter = sink->random(sink->ctx);
	if (!s->next_counter)
		s->next_counter = 1;
}

void rsip_session_resume(struct rsip_session *s, uint64_t now)
{
	/* Without a counter every message would look old; REGISTER opens a new sequence. */
	if (s->client_id && s->next_counter)
		s->state = RSIP_SESSION_UP;
	s->act_ns = now;
	while (!s->next_counter)
		s->next_counter = s->sink.random(s->sink.ctx);
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_HELD)
			s->leases[i].act_ns = now;
}

int rsip_session_want(struct rsip_session *s, const struct rsip_want *want, bool once, uint64_t now)
{
	struct rsip_lease *l = rsip_lease_new(s);

	if (!l)
		return -ENOSPC;
	l->state = RSIP_LEASE_WANTED;
	l->want = *want;
	l->once = once;
	l->act_ns = now;
	return (int)(l - s->leases);
}

int rsip_session_query(struct rsip_session *s, const struct rsip_query *query)
{
	for (int i = 0; i < RSIP_QUERIES_MAX; i++) {
		if (s->queries[i].waiting || (s->req.active && s->req.query == i))
			continue;
		s->queries[i] = *query;
		s->queries[i].waiting = true;
		return 0;
	}
	return -ENOSPC;
}

int rsip_session_release(struct rsip_session *s, uint32_t bind_id)
{
	struct rsip_lease *lease = rsip_lease_find(s, bind_id);

	if (!lease || lease->state != RSIP_LEASE_HELD)
		return -ENOENT;
	lease->state = RSIP_LEASE_FREEING;
	lease->again = false;
	lease->act_ns = 0;
	s->sink.lost(s->sink.ctx, lease, "given back");
	s->sink.changed(s->sink.ctx);
	return 0;
}

void rsip_session_return(struct rsip_session *s, int index, int err, uint64_t now)
{
	struct rsip_lease *lease = &s->leases[index];

	s->sink.failed(s->sink.ctx, lease, rsip_request_type(&lease->want), err);
	lease->state = RSIP_LEASE_FREEING;
	lease->again = true;
	lease->act_ns = now;
	s->sink.lost(s->sink.ctx, lease, "it cannot be used any more");
	rsip_lease_forget_choices(lease); /* the same again would be refused again */
	s->sink.changed(s->sink.ctx);
}

void rsip_session_drop(struct rsip_session *s, int index)
{
	struct rsip_lease *lease = &s->leases[index];

	if (lease->state == RSIP_LEASE_HELD)
		rsip_session_release(s, lease->bind_id);
	else if (lease->state == RSIP_LEASE_WANTED)
		lease->state = RSIP_LEASE_NONE;
	lease->again = false;
}

void rsip_session_leave(struct rsip_session *s)
{
	if (s->state == RSIP_SESSION_CLOSED)
		return;
	s->state = RSIP_SESSION_ENDING;
	if (s->req.active && s->req.type != RSIP_MSG_REGISTER_REQUEST)
		rsip_request_finish(s); /* its answer changes nothing any more */
	rsip_lease_lose_all(s, "going down", false, 0);
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		s->leases[i].state = RSIP_LEASE_NONE;
	for (int i = 0; i < RSIP_QUERIES_MAX; i++)
		if (s->queries[i].waiting)
			rsip_query_done(s, i, NULL, -ECANCELED);
}

void rsip_session_cut(struct rsip_session *s, uint64_t now)
{
	struct rsip_request *r = &s->req;
	struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];

	s->hang_up = false;
	if (!r->active)
		return;
	if (!is_asking_for_a_lease(s) || s->state != RSIP_SESSION_UP || r->tries >= RSIP_TCP_TRIES) {
		unanswered(s, now);
		return;
	}
	r->cut = true;
	r->next_ns = now; /* as soon as there is a connection */
	if (!lease->once)
		return;
	/* who asked for it is told at once; what comes of it is given back */
	s->sink.failed(s->sink.ctx, lease, r->type, -ETIMEDOUT);
	lease->state = RSIP_LEASE_NONE;
}
