// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Who speaks: our messages prove us to the gateway, and its messages prove it to us (auth.h). */
#include "auth.h"
#include "log.h"
#include "session.h"

void rsip_session_set_key(struct rsip_session *s, const struct rsip_auth_key *key)
{
	s->key = *key;
}

static uint64_t *sent_last(struct rsip_session *s)
{
	return s->auth_shared ? s->auth_shared : &s->auth_sent;
}

/* A retransmission is the same message: this is done once for each request. */
void rsip_session_authenticate(struct rsip_session *s, struct rsip_message *m)
{
	if (!s->key.id)
		return;
	*sent_last(s) = rsip_auth_next(*sent_last(s), s->sink.wall_us ? s->sink.wall_us(s->sink.ctx) : 0);
	rsip_auth_add(m, s->key.id, *sent_last(s));
}

void rsip_session_sign(struct rsip_session *s, uint8_t *msg, size_t len)
{
	if (s->key.id)
		rsip_auth_sign(&s->key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len);
}

static bool check_answer(const struct rsip_session *s, const uint8_t *buf, size_t len)
{
	const struct rsip_request *r = &s->req;

	return r->active && rsip_auth_check(&s->key, RSIP_AUTH_FROM_GATEWAY, r->buf + r->len - RSIP_AUTH_MAC_LEN, buf,
					    len);
}

/* Nothing binds it to a moment but its number. */
static bool check_unasked(struct rsip_session *s, const struct rsip_auth *a, const uint8_t *buf, size_t len)
{
	if (a->seq <= s->auth_seen || !rsip_auth_check(&s->key, RSIP_AUTH_FROM_GATEWAY, NULL, buf, len))
		return false;
	s->auth_seen = a->seq;
	return true;
}

/* Its sender wants us to believe that the gateway refuses us; it may even be the gateway, with another key. */
static void tell_plain(struct rsip_session *s, const struct rsip_answer *a)
{
	if (s->told_plain || a->counter != s->req.counter || !s->req.active)
		return;
	s->told_plain = true;
	log_warn("ignored: a %s from %s without the right proof (%s): is key %u the gateway's, too, for this address?",
		 rsip_msg_name(a->type), rsip_inet_text(&s->gateway), a->error ? rsip_err_name(a->error) : "no error",
		 s->key.id);
}

bool rsip_session_is_genuine(struct rsip_session *s, const uint8_t *buf, size_t len, struct rsip_answer *a)
{
	struct rsip_auth auth;
	bool genuine;

	if (!s->key.id)
		return true;
	genuine = rsip_auth_find(buf, len, &auth) && auth.key_id == s->key.id;
	if (genuine)
		genuine = a->counter ? check_answer(s, buf, len) || rsip_late_is_genuine(s, buf, len, a)
				     : check_unasked(s, &auth, buf, len);
	if (genuine)
		a->auth_seq = auth.seq;
	else
		tell_plain(s, a);
	return genuine;
}

bool rsip_session_resync(struct rsip_session *s, const struct rsip_answer *a)
{
	if (!s->key.id || s->resynced || a->auth_seq < *sent_last(s))
		return false;
	log_info("our clock or our key's last use is behind: going on above %llu", (unsigned long long)a->auth_seq);
	*sent_last(s) = a->auth_seq;
	s->resynced = true;
	return true;
}
