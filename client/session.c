/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One registration: what to send next, when to repeat it, and what an answer means. */
#include <errno.h>
#include <string.h>
#include "log.h"
#include "session.h"

#define RSIP_BACKOFF_FIRST_S 2
#define RSIP_BACKOFF_MAX_S 60
#define RSIP_FOREVER UINT64_MAX
#define RSIP_SILENT_MAX 2 /* requests in a row without an answer */

/* ---- requests
 * ---------------------------------------------------------------------------------------- */

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

static void ask(struct rsip_session *s, uint8_t type, uint32_t client_id, int lease, uint64_t now)
{
	struct rsip_request *r = &s->req;
	long len;

	len = rsip_request_write(type, client_id, lease < 0 ? NULL : &s->leases[lease],
				 s->next_counter, r->buf, sizeof(r->buf));
	if (len < 0) {
		log_err("cannot write a %s: %s", rsip_msg_name(type), strerror(-len));
		if (lease >= 0)
			s->leases[lease].state = RSIP_LEASE_NONE;
		return;
	}
	r->active = true;
	r->type = type;
	r->lease = lease;
	r->counter = s->next_counter;
	r->tries = 0;
	r->first_ns = now;
	r->wait_ns = RSIP_RETRY_FIRST_NS;
	r->len = len;
	log_debug("send %s counter %u client %u", rsip_msg_name(type), r->counter, client_id);
	transmit(s, now);
	s->sink.changed(s->sink.ctx); /* a restart must not use this counter again */
}

static struct rsip_request *finish(struct rsip_session *s)
{
	s->req.active = false;
	next_counter(s);
	return &s->req;
}

/* ---- the registration
 * -------------------------------------------------------------------------------- */

static uint64_t some_of(struct rsip_session *s, uint32_t seconds)
{
	return seconds * RSIP_NS_PER_S / 2 +
	       seconds * (s->sink.random(s->sink.ctx) % 1024) * (RSIP_NS_PER_S / 1024);
}

static void register_later(struct rsip_session *s, uint64_t now)
{
	if (s->state == RSIP_SESSION_ENDING)
		return;
	s->state = RSIP_SESSION_DOWN;
	s->act_ns = now + some_of(s, s->backoff_s);
	s->backoff_s =
		s->backoff_s * 2 > RSIP_BACKOFF_MAX_S ? RSIP_BACKOFF_MAX_S : s->backoff_s * 2;
}

/* The gateway does not know us any more; soon we ask for the same again (RFC 3103 10.2.2). */
static void lose_registration(struct rsip_session *s, const char *why, uint64_t retry_ns)
{
	if (s->req.active)
		finish(s);
	s->client_id = 0;
	s->expires_ns = 0;
	if (s->state != RSIP_SESSION_ENDING) {
		s->state = RSIP_SESSION_DOWN;
		s->act_ns = retry_ns;
	} else {
		s->state = RSIP_SESSION_CLOSED;
	}
	rsip_lease_lose_all(s, why, s->state == RSIP_SESSION_DOWN, retry_ns);
	s->sink.changed(s->sink.ctx);
}

static void out_of_step(struct rsip_session *s, uint64_t now)
{
	s->stale_id =
		s->client_id; /* 10.2.2: one DE-REGISTER with the old ID, whatever the answer */
	lose_registration(s, "the gateway has lost our registration", now);
}

static void registered(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	if (!a->understood || !a->has_client) {
		s->sink.failed(s->sink.ctx, NULL, RSIP_MSG_REGISTER_REQUEST, -EPROTO);
		register_later(s, now);
		return;
	}
	/* Leases of an older registration ended with it. */
	rsip_lease_lose_all(s, "the gateway gave us a new registration", true, now);
	s->client_id = a->client_id;
	s->expires_ns = a->lease_s == UINT32_MAX ? RSIP_FOREVER : now + a->lease_s * RSIP_NS_PER_S;
	s->state = RSIP_SESSION_UP;
	s->backoff_s = RSIP_BACKOFF_FIRST_S;
	log_info("registered with %s as client %u for %u s", rsip_ip4(s->gateway), a->client_id,
		 a->lease_s);
}

/* 302: ours from before a crash, and we still know its leases: go on.  Else end it first (10.2.1).
 */
static void already_registered(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	s->act_ns = now;
	if (a->client_id == s->client_id) {
		s->state = RSIP_SESSION_UP;
		log_info("still registered with %s as client %u", rsip_ip4(s->gateway),
			 a->client_id);
		return;
	}
	rsip_lease_lose_all(s, "our registration is another one", true, now);
	s->client_id = 0;
	s->stale_id = a->client_id;
	s->state = RSIP_SESSION_DOWN;
}

/* ---- answers
 * ------------------------------------------------------------------------------------------ */

static uint8_t answer_type(uint8_t request)
{
	return request + 1; /* so numbered throughout RFC 3103 Appendix B and RFC 3104 Appendix C */
}

static void refused(struct rsip_session *s, const struct rsip_request *r,
		    const struct rsip_answer *a, uint64_t now)
{
	struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];

	log_debug("%s was refused: %s", rsip_msg_name(r->type), rsip_err_name(a->error));
	switch (a->error) {
	case RSIP_ERR_REGISTER_FIRST:
	case RSIP_ERR_BAD_CLIENT_ID:
		out_of_step(s, now);
		return;
	case RSIP_ERR_BAD_BIND_ID:
		if (lease && r->type != RSIP_MSG_FREE_REQUEST) {
			rsip_lease_lose(s, lease, "the gateway does not know it any more", true,
					now);
			return;
		}
		break;
	case RSIP_ERR_ALREADY_REGISTERED:
		if (r->type == RSIP_MSG_REGISTER_REQUEST && a->has_client) {
			already_registered(s, a, now);
			return;
		}
		break;
	}
	switch (r->type) {
	case RSIP_MSG_REGISTER_REQUEST:
		s->sink.failed(s->sink.ctx, NULL, r->type, a->error);
		register_later(s, now);
		break;
	case RSIP_MSG_FREE_REQUEST:
		lease->state = RSIP_LEASE_NONE;
		break;
	case RSIP_MSG_EXTEND_REQUEST:
		lease->act_ns = now + RSIP_NS_PER_S * 10;
		break;
	default:
		rsip_lease_refused(s, lease, a->error, now);
	}
}

static void de_register_answered(struct rsip_session *s, const char *why, uint64_t now)
{
	if (s->stale_id)
		s->stale_id = 0;
	else
		lose_registration(s, why, now);
}

static void answered(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	struct rsip_request *r = finish(s);
	struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];
	uint64_t since = r->first_ns; /* the gateway may have counted from the first copy */

	s->silent = 0;
	if (r->type == RSIP_MSG_DE_REGISTER_REQUEST)
		de_register_answered(s, "de-registered", now);
	else if (s->state == RSIP_SESSION_ENDING)
		s->client_id =
			a->has_client ? a->client_id : s->client_id; /* DE-REGISTER ends the rest */
	else if (a->type == RSIP_MSG_ERROR_RESPONSE)
		refused(s, r, a, now);
	else if (r->type == RSIP_MSG_REGISTER_REQUEST)
		registered(s, a, since);
	else if (r->type == RSIP_MSG_EXTEND_REQUEST && a->type == RSIP_MSG_FREE_RESPONSE)
		rsip_lease_lose(s, lease, "the gateway took it back", true,
				now + some_of(s, RSIP_BACKOFF_FIRST_S));
	else if (r->type == RSIP_MSG_EXTEND_REQUEST)
		rsip_lease_extended(s, lease, a->understood ? a->lease_s : 1, since);
	else if (r->type == RSIP_MSG_FREE_REQUEST)
		lease->state = RSIP_LEASE_NONE;
	else
		rsip_lease_take(s, lease, a, since);
	s->sink.changed(s->sink.ctx);
}

/* rfc 3103 9.5.3, 9.13.3, 10.4: with the wrong IDs it is somebody's forgery or about a past of
 * ours. */
static void of_its_own(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	struct rsip_lease *lease;

	if (!s->client_id || !a->has_client || a->client_id != s->client_id)
		goto ignore;
	switch (a->type) {
	case RSIP_MSG_DE_REGISTER_RESPONSE:
		log_warn("the gateway has ended our registration");
		lose_registration(s, "the gateway has ended our registration",
				  now + some_of(s, s->backoff_s));
		return;
	case RSIP_MSG_FREE_RESPONSE:
		lease = a->has_bind ? rsip_lease_find(s, a->bind_id) : NULL;
		if (!lease)
			goto ignore;
		rsip_lease_lose(s, lease, "the gateway took it back", true,
				now + some_of(s, RSIP_BACKOFF_FIRST_S));
		s->sink.changed(s->sink.ctx);
		return;
	case RSIP_MSG_ERROR_RESPONSE:
		log_warn("the gateway dropped packets of ours: %s", rsip_err_name(a->error));
		return;
	}
ignore:
	s->stats.ignored++;
}

static bool is_answer(const struct rsip_session *s, const struct rsip_answer *a)
{
	const struct rsip_request *r = &s->req;

	if (!r->active || a->counter != r->counter)
		return false;
	if (a->type == RSIP_MSG_ERROR_RESPONSE)
		return a->understood;
	if (r->type == RSIP_MSG_EXTEND_REQUEST && a->type == RSIP_MSG_FREE_RESPONSE)
		return a->has_bind && a->bind_id == s->leases[r->lease].bind_id;
	if (a->type != answer_type(r->type))
		return false;
	if (r->type == RSIP_MSG_REGISTER_REQUEST)
		return true;
	if (!a->has_client || a->client_id != (s->stale_id ? s->stale_id : s->client_id))
		return false;
	if (r->type == RSIP_MSG_EXTEND_REQUEST || r->type == RSIP_MSG_FREE_REQUEST)
		return a->has_bind && a->bind_id == s->leases[r->lease].bind_id;
	return true;
}

void rsip_session_input(struct rsip_session *s, const uint8_t *buf, size_t len, uint64_t now)
{
	struct rsip_answer a;

	s->stats.received++;
	if (rsip_answer_read(buf, len, &a)) {
		s->stats.ignored++;
		return;
	}
	log_debug("got %s counter %u%s%s", rsip_msg_name(a.type), a.counter, a.error ? " " : "",
		  a.error ? rsip_err_name(a.error) : "");
	if (is_answer(s, &a))
		answered(s, &a, now);
	else if (a.counter == 0)
		of_its_own(s, &a, now);
	else
		s->stats.ignored++;
}

/* ---- time
 * --------------------------------------------------------------------------------------------- */

static void unanswered(struct rsip_session *s, uint64_t now)
{
	struct rsip_request *r = finish(s);
	struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];
	uint64_t left;

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
		register_later(s, now);
		break;
	case RSIP_MSG_DE_REGISTER_REQUEST:
		de_register_answered(s, "the gateway did not answer", now);
		break;
	case RSIP_MSG_FREE_REQUEST:
		lease->state = RSIP_LEASE_NONE;
		break;
	case RSIP_MSG_EXTEND_REQUEST:
		left = lease->expires_ns > now ? lease->expires_ns - now : 0;
		lease->act_ns = now + (left / 2 > RSIP_NS_PER_S ? left / 2 : RSIP_NS_PER_S);
		break;
	default:
		rsip_lease_refused(s, lease, -ETIMEDOUT, now);
	}
	s->sink.changed(s->sink.ctx);
}

void rsip_session_expire(struct rsip_session *s, uint64_t now)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state == RSIP_LEASE_HELD && l->expires_ns <= now) {
			rsip_lease_lose(s, l, "its time has run out", true, now);
			s->sink.changed(s->sink.ctx);
		}
	}
	if (s->client_id && s->state != RSIP_SESSION_ENDING && s->expires_ns <= now)
		lose_registration(s, "our registration has run out", now);
}

static void ask_for_a_lease(struct rsip_session *s, uint64_t now)
{
	for (int i = 0; i < RSIP_LEASES_MAX && !s->req.active; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state == RSIP_LEASE_FREEING)
			ask(s, RSIP_MSG_FREE_REQUEST, s->client_id, i, now);
		else if (l->state == RSIP_LEASE_HELD && l->act_ns <= now)
			ask(s, RSIP_MSG_EXTEND_REQUEST, s->client_id, i, now);
		else if (l->state == RSIP_LEASE_WANTED && l->act_ns <= now)
			ask(s,
			    l->want.method == RSIP_METHOD_RSIPSEC ? RSIP_MSG_ASSIGN_REQUEST_RSIPSEC
								  : RSIP_MSG_ASSIGN_REQUEST_RSAP_IP,
			    s->client_id, i, now);
	}
}

void rsip_session_tick(struct rsip_session *s, uint64_t now)
{
	rsip_session_expire(s, now);
	if (s->req.active && s->req.next_ns <= now) {
		if (s->transport == RSIP_TRANSPORT_TCP || s->req.tries >= RSIP_RETRY_TRIES)
			unanswered(s, now);
		else
			transmit(s, now);
	}
	if (s->req.active)
		return;
	if (s->state == RSIP_SESSION_ENDING && !s->client_id)
		lose_registration(s, "de-registered", now);
	if (s->state == RSIP_SESSION_CLOSED)
		return;
	if (s->stale_id && s->act_ns <= now)
		ask(s, RSIP_MSG_DE_REGISTER_REQUEST, s->stale_id, -1, now);
	else if (s->state == RSIP_SESSION_ENDING)
		ask(s, RSIP_MSG_DE_REGISTER_REQUEST, s->client_id, -1, now);
	else if (s->state == RSIP_SESSION_DOWN && s->act_ns <= now)
		ask(s, RSIP_MSG_REGISTER_REQUEST, 0, -1, now);
	else if (s->state == RSIP_SESSION_UP)
		ask_for_a_lease(s, now);
}

static void sooner(uint64_t *due, uint64_t t)
{
	if (t < *due)
		*due = t;
}

uint64_t rsip_session_due(const struct rsip_session *s)
{
	uint64_t due = RSIP_FOREVER;

	if (s->state == RSIP_SESSION_CLOSED)
		return due;
	if (s->client_id && s->state != RSIP_SESSION_ENDING)
		sooner(&due, s->expires_ns);
	if (s->req.active)
		sooner(&due, s->req.next_ns);
	else if (s->state == RSIP_SESSION_ENDING)
		return 0;
	else if (s->state == RSIP_SESSION_DOWN)
		sooner(&due, s->act_ns);
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		const struct rsip_lease *l = &s->leases[i];

		if (l->state == RSIP_LEASE_HELD)
			sooner(&due, l->expires_ns);
		if (s->req.active || s->state != RSIP_SESSION_UP)
			continue;
		if (l->state == RSIP_LEASE_FREEING)
			return 0;
		if (l->state != RSIP_LEASE_NONE)
			sooner(&due, l->act_ns);
	}
	return due;
}

/* ---- what the owner asks for
 * ---------------------------------------------------------------------------- */

void rsip_session_init(struct rsip_session *s, const struct rsip_session_sink *sink,
		       enum rsip_transport transport, __be32 local, __be32 gateway)
{
	memset(s, 0, sizeof(*s));
	s->sink = *sink;
	s->transport = transport;
	s->local = local;
	s->gateway = gateway;
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
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state != RSIP_LEASE_NONE || (s->req.active && s->req.lease == i))
			continue;
		memset(l, 0, sizeof(*l));
		l->state = RSIP_LEASE_WANTED;
		l->want = *want;
		l->once = once;
		l->act_ns = now;
		return i;
	}
	return -ENOSPC;
}

int rsip_session_release(struct rsip_session *s, uint32_t bind_id)
{
	struct rsip_lease *lease = rsip_lease_find(s, bind_id);

	if (!lease || lease->state != RSIP_LEASE_HELD)
		return -ENOENT;
	lease->state = RSIP_LEASE_FREEING;
	s->sink.lost(s->sink.ctx, lease, "given back");
	s->sink.changed(s->sink.ctx);
	return 0;
}

void rsip_session_leave(struct rsip_session *s)
{
	if (s->state == RSIP_SESSION_CLOSED)
		return;
	s->state = RSIP_SESSION_ENDING;
	if (s->req.active && s->req.type != RSIP_MSG_REGISTER_REQUEST)
		finish(s); /* its answer changes nothing any more */
	rsip_lease_lose_all(s, "going down", false, 0);
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		s->leases[i].state = RSIP_LEASE_NONE;
}

void rsip_session_cut(struct rsip_session *s, uint64_t now)
{
	if (s->req.active)
		unanswered(s, now);
}
