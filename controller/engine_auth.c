// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Who may speak for a host: MACs and their sequences (auth.h, RFC 3102 3.3).
 *
 * A source that a key names, and a registration that was made with a key, must use one: what comes without would be
 * an attacker's downgrade.  The MAC is looked at before all else, so that every answer to a genuine message is
 * genuine too; whether it was needed, and new, is asked in its place in the order of errors.
 */
#include <errno.h>

#include "engine_priv.h"

void rsip_engine_change_keys(struct rsip_engine *e, enum rsip_auth_mode mode, struct rsip_keys *fresh)
{
	rsip_keys_inherit(fresh, e->keys);
	rsip_keys_destroy(e->keys);
	e->keys = fresh;
	e->conf.auth = mode;
}

void rsip_engine_set_wall(struct rsip_engine *e, uint64_t offset_us)
{
	e->wall_us = offset_us;
}

void rsip_engine_auth_seen(struct rsip_engine *e, uint32_t key_id, uint64_t seq)
{
	rsip_keys_seen(e->keys, key_id, seq);
}

void rsip_engine_auth_read(struct rsip_request *rq)
{
	struct rsip_key *key;

	if (rq->e->conf.auth == RSIP_AUTH_OFF || !rsip_auth_find(rq->msg, rq->len, &rq->auth))
		return;
	key = rsip_keys_find(rq->e->keys, rq->auth.key_id);
	rq->how = RSIP_REQUEST_FORGED;
	if (!key || !rsip_key_is_of(key, rq->from->addr) ||
	    !rsip_auth_check(&key->conf.key, RSIP_AUTH_TO_GATEWAY, NULL, rq->msg, rq->len))
		return;
	rq->how = RSIP_REQUEST_GENUINE;
	rq->key = key;
}

static bool must_use_key(const struct rsip_request *rq)
{
	const struct rsip_engine_session *s = rq->c ? rq->c->session : NULL;

	return rq->e->conf.auth == RSIP_AUTH_REQUIRED || (s && s->key_id) ||
	       rsip_keys_of(rq->e->keys, rq->from->addr);
}

static enum rsip_err refuse(struct rsip_request *rq, enum rsip_engine_drop why)
{
	if (rq->in->type == RSIP_MSG_REGISTER_REQUEST)
		return RSIP_ERR_REGISTRATION_DENIED;
	return rsip_engine_silence(rq, why);
}

enum rsip_err rsip_engine_auth_check(struct rsip_request *rq)
{
	if (rq->e->conf.auth == RSIP_AUTH_OFF)
		return RSIP_OK;
	switch (rq->how) {
	case RSIP_REQUEST_PLAIN:
		return must_use_key(rq) ? refuse(rq, RSIP_ENGINE_DROP_NO_MAC) : RSIP_OK;
	case RSIP_REQUEST_FORGED:
		return refuse(rq, RSIP_ENGINE_DROP_BAD_MAC);
	case RSIP_REQUEST_GENUINE:
		break;
	}
	if (rq->auth.seq <= rq->key->seen) {
		rq->out_of_step = true;
		return refuse(rq, RSIP_ENGINE_DROP_OLD_MAC);
	}
	rq->key->seen = rq->auth.seq;
	rq->e->stats.authenticated++;
	return RSIP_OK;
}

static uint64_t next_sent(const struct rsip_engine *e, struct rsip_key *key, uint64_t now_ns)
{
	key->sent = rsip_auth_next(key->sent, e->wall_us + now_ns / 1000);
	return key->sent;
}

int rsip_engine_auth_encode(struct rsip_request *rq, uint8_t *answer, size_t size)
{
	struct rsip_key *key = rq->key;
	int len;

	if (!key)
		return rsip_encode(rq->out, answer, size);
	rsip_auth_add(rq->out, key->conf.key.id,
		      rq->out_of_step ? key->seen : next_sent(rq->e, key, rq->now_ns));
	len = rsip_encode(rq->out, answer, size);
	if (len > 0)
		rsip_auth_sign(&key->conf.key, RSIP_AUTH_FROM_GATEWAY, rq->auth.mac, answer, (size_t)len);
	return len;
}

uint32_t rsip_engine_auth_key_of(struct rsip_engine *e, const struct rsip_lease_client *c)
{
	const struct rsip_key *key;

	if (e->conf.auth == RSIP_AUTH_OFF)
		return 0;
	if (c->session && c->session->key_id)
		return c->session->key_id;
	key = rsip_keys_of(e->keys, c->host);
	return key ? key->conf.key.id : 0;
}

/* request: the MAC of the request that is answered, NULL: none is. */
static int encode_now(struct rsip_engine *e, uint32_t key_id, const uint8_t *request, struct rsip_message *m,
		      uint64_t now_ns, uint8_t *buf, size_t size)
{
	struct rsip_key *key = rsip_keys_find(e->keys, key_id);
	int len;

	if (!key) /* a host that has a key believes nothing without */
		return -ENOENT;
	rsip_auth_add(m, key_id, next_sent(e, key, now_ns));
	len = rsip_encode(m, buf, size);
	if (len > 0)
		rsip_auth_sign(&key->conf.key, RSIP_AUTH_FROM_GATEWAY, request, buf, (size_t)len);
	return len;
}

int rsip_engine_auth_encode_async(struct rsip_engine *e, uint32_t key_id, struct rsip_message *m, uint64_t now_ns,
				  uint8_t *buf, size_t size)
{
	return key_id ? encode_now(e, key_id, NULL, m, now_ns, buf, size) : rsip_encode(m, buf, size);
}

int rsip_engine_auth_encode_late(struct rsip_engine *e, const struct rsip_auth *request, struct rsip_message *m,
				 uint64_t now_ns, uint8_t *buf, size_t size)
{
	return request->key_id ? encode_now(e, request->key_id, request->mac, m, now_ns, buf, size)
			       : rsip_encode(m, buf, size);
}
