// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The registration: gained, found again, lost (RFC 3103 9.2 to 9.5, 10.2). */
#include <errno.h>
#include "log.h"
#include "session.h"

#define RSIP_FRUITLESS_MAX 4

uint64_t rsip_session_some_of(struct rsip_session *s, uint32_t seconds)
{
	return seconds * RSIP_NS_PER_S / 2 +
	       seconds * (s->sink.random(s->sink.ctx) % 1024) * (RSIP_NS_PER_S / 1024);
}

uint64_t rsip_session_pause_after(struct rsip_session *s, uint64_t since_ns, uint64_t now, unsigned int *short_lives)
{
	if (now - since_ns >= RSIP_SHORT_LIFE_NS)
		*short_lives = 0;
	if ((RSIP_BACKOFF_FIRST_S << *short_lives) >= RSIP_BACKOFF_MAX_S)
		return rsip_session_some_of(s, RSIP_BACKOFF_MAX_S);
	return rsip_session_some_of(s, RSIP_BACKOFF_FIRST_S << (*short_lives)++);
}

void rsip_session_register_later(struct rsip_session *s, uint64_t now)
{
	if (s->state == RSIP_SESSION_ENDING)
		return;
	s->state = RSIP_SESSION_DOWN;
	s->act_ns = now + rsip_session_some_of(s, s->backoff_s);
	s->backoff_s =
		s->backoff_s * 2 > RSIP_BACKOFF_MAX_S ? RSIP_BACKOFF_MAX_S : s->backoff_s * 2;
}

/* The gateway does not know us any more; soon we ask for the same again (RFC 3103 10.2.2). */
void rsip_registration_lose(struct rsip_session *s, const char *why, uint64_t retry_ns)
{
	if (s->req.active)
		rsip_request_finish(s);
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

/*
 * At once, as a rule.  But where two hosts have one address, or ours changes on the way, one registration undoes the other:
 * then not at the speed of the network.
 */
static uint64_t register_again_ns(struct rsip_session *s, uint64_t now)
{
	unsigned int doublings = s->fruitless - RSIP_FRUITLESS_MAX;

	if (s->fruitless < RSIP_FRUITLESS_MAX)
		return now;
	return now + rsip_session_some_of(s, doublings < 5 ? RSIP_BACKOFF_FIRST_S << doublings : RSIP_BACKOFF_MAX_S);
}

void rsip_registration_out_of_step(struct rsip_session *s, uint64_t now)
{
	s->stale_id =
		s->client_id; /* 10.2.2: one DE-REGISTER with the old ID, whatever the answer */
	rsip_registration_lose(s, "the gateway has lost our registration", register_again_ns(s, now));
}

void rsip_registration_take(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	if (!a->understood || !a->has_client) {
		s->sink.failed(s->sink.ctx, NULL, RSIP_MSG_REGISTER_REQUEST, -EPROTO);
		rsip_session_register_later(s, now);
		return;
	}
	/* Leases of an older registration ended with it. */
	rsip_lease_lose_all(s, "the gateway gave us a new registration", true, now);
	s->client_id = a->client_id;
	s->expires_ns = a->lease_s == UINT32_MAX ? RSIP_FOREVER : now + a->lease_s * RSIP_NS_PER_S;
	s->local_policy = a->local_policy;
	s->remote_policy = a->remote_policy;
	s->tunnels = a->tunnels;
	s->methods = a->methods;
	s->state = RSIP_SESSION_UP;
	s->up_ns = now;
	s->resynced = s->told_plain = false;
	s->backoff_s = RSIP_BACKOFF_FIRST_S;
	if (!s->quiet)
		log_info("registered with %s as client %u for %u s", rsip_inet_text(&s->gateway), a->client_id,
			 a->lease_s);
}

/* 302: ours from before a crash, and we still know its leases: go on.  Else end it first (10.2.1).
 */
void rsip_registration_found(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	s->act_ns = now;
	s->resynced = s->told_plain = false;
	if (a->client_id == s->client_id) {
		s->state = RSIP_SESSION_UP;
		log_info("still registered with %s as client %u", rsip_inet_text(&s->gateway),
			 a->client_id);
		return;
	}
	rsip_lease_lose_all(s, "our registration is another one", true, now);
	s->client_id = 0;
	s->stale_id = a->client_id;
	s->state = RSIP_SESSION_DOWN;
	s->act_ns = register_again_ns(s, now);
}

/* What another gateway cannot know: addresses, ports and SPIs that the first one chose. */
static void begin_elsewhere(struct rsip_lease *lease, uint64_t act_ns)
{
	lease->act_ns = act_ns;
	lease->refusals = 0;
	if (lease->want.purpose == RSIP_FOR_DEMAND || lease->want.purpose == RSIP_FOR_CHARON_SPIS)
		lease->state = RSIP_LEASE_NONE; /* more for a lease that is no more */
	rsip_lease_forget_choices(lease);
}

void rsip_session_move(struct rsip_session *s, const struct rsip_inet *local, const struct rsip_inet *gateway,
		       uint64_t act_ns)
{
	rsip_registration_lose(s, "another gateway takes over", act_ns);
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_WANTED)
			begin_elsewhere(&s->leases[i], act_ns);
	s->local = *local;
	s->gateway = *gateway;
	s->stale_id = 0;
	s->silent = s->fruitless = 0;
	s->auth_seen = 0; /* each gateway counts for itself */
	s->resynced = s->told_plain = false;
	s->local_policy = s->remote_policy = s->tunnels = s->methods = 0;
}

void rsip_registration_ended(struct rsip_session *s, const char *why, uint64_t now)
{
	if (s->stale_id)
		s->stale_id = 0;
	else
		rsip_registration_lose(s, why, now);
}
