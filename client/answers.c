// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the gateway says: which request it answers, and what it means. */
#include <errno.h>
#include "advice.h"
#include "log.h"
#include "session.h"

static uint8_t answer_type(uint8_t request)
{
	return request + 1; /* so numbered throughout RFC 3103 Appendix B and RFC 3104 Appendix C */
}

static void taken_back(struct rsip_session *s, struct rsip_lease *lease, uint64_t now)
{
	rsip_lease_lose(s, lease, "the gateway took it back", true,
			now + rsip_session_pause_after(s, lease->granted_ns, now, &lease->short_lives));
}

/* The gateway's own FREE may have come before it answered ours: then the slot is free, or wanted again. */
static void freed(struct rsip_session *s, struct rsip_lease *lease, uint64_t now)
{
	if (lease->state == RSIP_LEASE_FREEING)
		rsip_lease_freed(s, lease, now);
}

static void refused(struct rsip_session *s, const struct rsip_request *r,
		    const struct rsip_answer *a, uint64_t now)
{
	struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];

	log_debug("%s was refused: %s", rsip_msg_name(r->type), rsip_err_name(a->error));
	switch (a->error) {
	case RSIP_ERR_REGISTER_FIRST:
	case RSIP_ERR_BAD_CLIENT_ID:
		rsip_registration_out_of_step(s, now);
		return;
	case RSIP_ERR_BAD_BIND_ID:
		if (r->type == RSIP_MSG_EXTEND_REQUEST) {
			rsip_lease_lose(s, lease, "the gateway does not know it any more", true,
					now);
			return;
		}
		break;
	case RSIP_ERR_ALREADY_REGISTERED:
		if (r->type == RSIP_MSG_REGISTER_REQUEST && a->has_client) {
			rsip_registration_found(s, a, now);
			return;
		}
		break;
	case RSIP_ERR_REGISTRATION_DENIED:
		if (r->type == RSIP_MSG_REGISTER_REQUEST && rsip_session_resync(s, a)) {
			s->act_ns = now;
			return;
		}
		break;
	}
	switch (r->type) {
	case RSIP_MSG_REGISTER_REQUEST:
		s->sink.failed(s->sink.ctx, NULL, r->type, a->error);
		rsip_session_register_later(s, now);
		break;
	case RSIP_MSG_FREE_REQUEST: /* 306: it is free; what else it says, asking again does not
				       help */
		freed(s, lease, now);
		break;
	case RSIP_MSG_EXTEND_REQUEST:
		rsip_lease_extend_later(lease, now);
		break;
	case RSIP_MSG_QUERY_REQUEST:
		rsip_query_done(s, r->query, NULL, a->error);
		break;
	default:
		rsip_lease_refused(s, lease, a->error, now);
	}
}

/* Does the gateway know the registration that it gave us? */
static void count_fruitless(struct rsip_session *s, const struct rsip_request *r, const struct rsip_answer *a)
{
	if (r->type == RSIP_MSG_REGISTER_REQUEST)
		s->fruitless++;
	else if (r->type != RSIP_MSG_DE_REGISTER_REQUEST && a->error != RSIP_ERR_REGISTER_FIRST && a->error != RSIP_ERR_BAD_CLIENT_ID)
		s->fruitless = 0;
}

static bool is_over(const struct rsip_answer *a, uint64_t since, uint64_t now)
{
	return a->understood && a->lease_s && a->lease_s != RSIP_LEASE_FOREVER_S && since + a->lease_s * RSIP_NS_PER_S <= now;
}

static void answered(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	struct rsip_request *r = rsip_request_finish(s);
	struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];
	uint64_t since = r->first_ns; /* the gateway may have counted from the first copy */

	s->silent = 0;
	count_fruitless(s, r, a);
	if (r->type == RSIP_MSG_DE_REGISTER_REQUEST)
		rsip_registration_ended(s, "de-registered", now);
	else if (s->state == RSIP_SESSION_ENDING)
		s->client_id =
			a->has_client ? a->client_id : s->client_id; /* DE-REGISTER ends the rest */
	else if (a->type == RSIP_MSG_ERROR_RESPONSE)
		refused(s, r, a, now);
	else if (r->type == RSIP_MSG_REGISTER_REQUEST)
		rsip_registration_take(s, a, since);
	else if (r->type == RSIP_MSG_EXTEND_REQUEST && a->type == RSIP_MSG_FREE_RESPONSE)
		taken_back(s, lease, now);
	else if (r->type == RSIP_MSG_EXTEND_REQUEST)
		rsip_lease_extended(s, lease, a->understood ? a->lease_s : 1, since);
	else if (r->type == RSIP_MSG_FREE_REQUEST)
		freed(s, lease, now);
	else if (r->type == RSIP_MSG_QUERY_REQUEST)
		rsip_query_done(s, r->query, a->understood ? a : NULL, a->understood ? 0 : -EPROTO);
	else if (is_over(a, since, now)) /* it waited while the machine slept */
		rsip_lease_refused(s, lease, -ETIMEDOUT, now);
	else
		rsip_lease_take(s, lease, a, since);
	s->sink.changed(s->sink.ctx);
}

/* rfc 3103 9.5.3, 9.13.3, 10.4: with the wrong IDs it is somebody's forgery or about a past of
 * ours. */
static void of_its_own(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	struct rsip_lease *lease;
	const char *advice;

	if (!s->client_id || !a->has_client || a->client_id != s->client_id)
		goto ignore;
	switch (a->type) {
	case RSIP_MSG_DE_REGISTER_RESPONSE:
		log_warn("the gateway has ended our registration (its operator, or a lack of room): registering again soon");
		rsip_registration_lose(s, "the gateway has ended our registration",
				       now + rsip_session_pause_after(s, s->up_ns, now, &s->short_lives));
		return;
	case RSIP_MSG_FREE_RESPONSE:
		lease = a->has_bind ? rsip_lease_find(s, a->bind_id) : NULL;
		if (!lease)
			goto ignore;
		taken_back(s, lease, now);
		s->sink.changed(s->sink.ctx);
		return;
	case RSIP_MSG_ERROR_RESPONSE: /* 10.4; whoever sends many fills no log */
		s->stats.told_drops++;
		if (now - s->told_drop_ns < RSIP_TOLD_DROP_NS && s->told_drop_ns)
			return;
		s->told_drop_ns = now;
		advice = rsip_advice(a->error);
		log_warn("the gateway dropped packets of ours: %s%s%s", rsip_err_name(a->error), advice ? ": " : "",
			 advice ? advice : "");
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
	if (!rsip_session_is_genuine(s, buf, len, &a)) {
		s->stats.unproven++;
		s->stats.ignored++;
	} else if (is_answer(s, &a))
		answered(s, &a, now);
	else if (a.counter == 0)
		of_its_own(s, &a, now);
	else if (rsip_late_take(s, &a, now))
		s->sink.changed(s->sink.ctx);
	else
		s->stats.ignored++;
}
