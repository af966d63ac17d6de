// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The way of a message through the engine: what is looked at, in which order, and what is answered.
 */
#include "engine.h"
#include "hosts6.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"
#include "log.h"

/* ---- creation -------------------------------------------------------------------------------- */

int rsip_engine_create(const struct rsip_engine_conf *conf, struct rsip_engine **out)
{
	struct rsip_engine *e = calloc(1, sizeof(*e));
	struct rsip_engine_change sets;

	if (!e)
		return -ENOMEM;
	e->conf = *conf;
	if (!e->conf.unechoed_max)
		e->conf.unechoed_max = RSIP_UNECHOED_MAX;
	if (!e->conf.tunnels)
		e->conf.tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_IPIP);
	TAILQ_INIT(&e->all);
	TAILQ_INIT(&e->waiting);
	for (unsigned int i = 0; i < RSIP_MAX_IFACES; i++)
		TAILQ_INIT(&e->iface_waiting[i]);
	TAILQ_INIT(&e->departed_order);
	TAILQ_INIT(&e->fresh);
	TAILQ_INIT(&e->again);
	conf->random(&e->hash_key, sizeof(e->hash_key));
	if (rsip_engine_prepare(conf, &sets)) {
		free(e);
		return -ENOMEM;
	}
	e->client_nets = sets.client_nets;
	e->local_nets = sets.local_nets;
	e->policies = sets.policies;
	e->keys = sets.keys;
	*out = e;
	return 0;
}

void rsip_engine_attach(struct rsip_engine *e, struct rsip_lease *lm)
{
	e->lm = lm;
	rsip_engine_mark_hosts(e);
}

void rsip_engine_destroy(struct rsip_engine *e)
{
	struct rsip_engine_session *s;

	if (!e)
		return;
	/* Their clients may be gone: only our own memory is touched. */
	while ((s = TAILQ_FIRST(&e->all))) {
		TAILQ_REMOVE(&e->all, s, all);
		free(s->last.bytes);
		free(s);
	}
	rsip_engine_departed_clear(e);
	rsip_engine_async_clear(e);
	free(e->client_nets);
	free(e->local_nets);
	free(e->policies);
	rsip_keys_destroy(e->keys);
	free(e);
}

/* ---- small things ---------------------------------------------------------------------------- */

/* Rounded down: no host may think that it has longer than it has. */
uint32_t rsip_engine_seconds_left(uint64_t until_ns, uint64_t now_ns)
{
	return until_ns > now_ns ? (until_ns - now_ns) / RSIP_NS_PER_S : 0;
}

enum rsip_err rsip_engine_silence(struct rsip_request *rq, enum rsip_engine_drop why)
{
	rq->is_dropped = true;
	rq->dropped = why;
	return RSIP_OK;
}

static const struct {
	uint8_t type;
	enum rsip_err (*serve)(struct rsip_request *rq);
} handlers[] = {
	{ RSIP_MSG_REGISTER_REQUEST, rsip_engine_register },
	{ RSIP_MSG_DE_REGISTER_REQUEST, rsip_engine_deregister },
	{ RSIP_MSG_ASSIGN_REQUEST_RSA_IP, rsip_engine_assign },
	{ RSIP_MSG_ASSIGN_REQUEST_RSAP_IP, rsip_engine_assign },
	{ RSIP_MSG_LISTEN_REQUEST, rsip_engine_assign },
	{ RSIP_MSG_ASSIGN_REQUEST_RSIPSEC, rsip_engine_assign },
	{ RSIP_MSG_EXTEND_REQUEST, rsip_engine_extend },
	{ RSIP_MSG_FREE_REQUEST, rsip_engine_free },
	{ RSIP_MSG_QUERY_REQUEST, rsip_engine_query },
};

/* ---- the checks, in the order in which errors are told --------------------------------------- */

/* Version, length, type, parameters, counter: 106, 207, 206, 208, 205, 202, 204, 203, 201, 105. */
static enum rsip_err check_message(struct rsip_request *rq, enum rsip_err head)
{
	enum rsip_err err;

	if (head)
		return head;
	if (!rsip_message_is_request(rq->in->type)) /* unknown, or only a gateway sends it */
		return RSIP_ERR_ILLEGAL_MESSAGE;
	if (!rsip_engine_is_supported(rq))
		return RSIP_ERR_UNSUPPORTED_MESSAGE;
	err = rsip_decode(rq->msg, rq->len, rq->in);
	if (rq->in->has & RSIP_HAS_COUNTER && !rq->in->counter) /* 0 is the gateway's own */
		return RSIP_ERR_BAD_PARAM;
	if (err || rq->in->has & RSIP_HAS_COUNTER)
		return err;
	return rq->from->transport == RSIP_TRANSPORT_UDP ? RSIP_ERR_MESSAGE_COUNTER_REQUIRED
							 : RSIP_OK;
}

static bool right_id(const struct rsip_request *rq)
{
	return rq->c && rq->in->client_id == rq->c->client_id;
}

/* A DE-REGISTER must work for a host that lost all but its client ID (RFC 3103 10.2.1). */
static bool ends_it(const struct rsip_request *rq)
{
	return rq->in->type == RSIP_MSG_DE_REGISTER_REQUEST && right_id(rq);
}

/*
 * Transport 102, 101 (RFC 3103 5: no switch; Appendix A 102: UDP may be off), then the sequence, which is silent.
 */
static enum rsip_err check_session(struct rsip_request *rq)
{
	if (ends_it(rq))
		return RSIP_OK;
	if (rq->e->conf.udp_off && rq->from->transport == RSIP_TRANSPORT_UDP)
		return RSIP_ERR_USE_TCP;
	if (!rq->c || rq->in->type == RSIP_MSG_REGISTER_REQUEST)
		return RSIP_OK;
	if (rq->from->transport != rq->c->transport)
		return rq->c->transport == RSIP_TRANSPORT_TCP ? RSIP_ERR_USE_TCP
							      : RSIP_ERR_UNKNOWN_ERROR;
	if (rq->from->transport == RSIP_TRANSPORT_UDP && !rsip_engine_session_is_newer(rq))
		return rsip_engine_silence(rq, RSIP_ENGINE_DROP_OLD_COUNTER);
	return RSIP_OK;
}

static enum rsip_err check_host(const struct rsip_request *rq)
{
	if (!rq->c)
		return RSIP_ERR_REGISTER_FIRST;
	return right_id(rq) ? RSIP_OK : RSIP_ERR_BAD_CLIENT_ID;
}

/*
 * The host has shown by its client ID that it is there: its counter counts, its next hop is looked
 * at again.
 */
static enum rsip_err accept_host(struct rsip_request *rq)
{
	struct rsip_engine *e = rq->e;
	struct rsip_engine_session *s = rsip_engine_session_of(e, rq->c);

	if (!s)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	rsip_engine_unechoed_remove(e, s);
	rq->c->echoed = true;
	s->port = rq->from->port;
	s->local_policy = rsip_engine_local_policy(rq);
	s->remote_policy = rsip_engine_remote_policy(rq);
	if (rq->key)
		s->key_id = rq->auth.key_id;
	if (rq->from->transport == RSIP_TRANSPORT_UDP)
		rsip_engine_session_serve(rq, s);
	else
		rsip_engine_session_serve_tcp(rq, s);
	e->conf.resolve(e->conf.arg, rq->c->host, rq->c->iface, &rq->nexthop, &rq->endpoint,
			&rq->mtu);
	if (rq->nexthop && rq->nexthop != s->nexthop) {
		rsip_lease_nexthop(e->lm, rq->c, rq->nexthop);
		s->nexthop = rq->nexthop;
	}
	return RSIP_OK;
}

static enum rsip_err serve(struct rsip_request *rq, enum rsip_err head)
{
	enum rsip_err err = check_message(rq, head);

	if (!err)
		err = check_session(rq);
	if (!err && !rq->is_dropped)
		err = rsip_engine_auth_check(rq);
	if (err || rq->is_dropped)
		return err;
	if (rq->in->type == RSIP_MSG_REGISTER_REQUEST)
		return rsip_engine_register(rq);
	err = check_host(rq);
	if (!err)
		err = accept_host(rq);
	if (err)
		return err;
	for (size_t i = 0; i < RSIP_ARRAY_LEN(handlers); i++)
		if (handlers[i].type == rq->in->type)
			return handlers[i].serve(rq);
	return RSIP_ERR_UNSUPPORTED_MESSAGE;
}

/* ---- the answer ------------------------------------------------------------------------------ */

static const uint16_t errs[] = {
#define X(sym, val, name) val,
	RSIP_ERR_TABLE(X)
#undef X
};
_Static_assert(RSIP_ARRAY_LEN(errs) <= RSIP_ENGINE_ERRS, "stats.errors is too short");

enum rsip_err rsip_engine_err_at(unsigned int index)
{
	return index < RSIP_ARRAY_LEN(errs) ? errs[index] : RSIP_OK;
}

void rsip_engine_count_error(struct rsip_engine *e, enum rsip_err err)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(errs); i++)
		if (errs[i] == err)
			e->stats.errors[i]++;
}

static unsigned int type_index(uint8_t type)
{
	return type < RSIP_ENGINE_TYPES - 1 ? type : RSIP_ENGINE_TYPES - 1;
}

/*
 * RFC 3103 9.1.1: the IDs "MUST be included": as the request gave them; 302 tells the true client
 * ID.
 */
static void write_error(struct rsip_request *rq, enum rsip_err err)
{
	struct rsip_message *out = rq->out;

	rsip_message_init(out, RSIP_MSG_ERROR_RESPONSE);
	out->has = RSIP_HAS_ERROR | (rq->in->has & (RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID));
	out->error = err;
	out->client_id = rq->in->client_id;
	out->bind_id = rq->in->bind_id;
	if (err == RSIP_ERR_ALREADY_REGISTERED) {
		out->has |= RSIP_HAS_CLIENT_ID;
		out->client_id = rq->error_client_id;
	}
}

/* 10.1: the request's counter; over UDP there must be one. */
static void write_counter(struct rsip_request *rq)
{
	if (!(rq->in->has & RSIP_HAS_COUNTER) && rq->from->transport != RSIP_TRANSPORT_UDP)
		return;
	rq->out->has |= RSIP_HAS_COUNTER;
	rq->out->counter = rq->in->has & RSIP_HAS_COUNTER ? rq->in->counter : 0;
}

static size_t answer_limit(const struct rsip_request *rq, size_t size)
{
	size_t limit = RSIP_ENGINE_ANSWER_MAX;

	if (rq->from->transport == RSIP_TRANSPORT_UDP)
		limit = rq->c && rq->c->echoed ? RSIP_ENGINE_UDP_MAX : RSIP_ENGINE_UNECHOED_MAX;
	return size < limit ? size : limit;
}

/* What the host will not hear of, it does not have. */
static void undo(struct rsip_request *rq)
{
	if (rq->undo_bind_id && rq->c)
		rsip_lease_free(rq->e->lm, rq->c, rq->undo_bind_id, RSIP_END_REFUSED, rq->now_ns);
	rq->undo_bind_id = rq->grant.bind_id = 0;
}

static int write_answer(struct rsip_request *rq, enum rsip_err err, uint8_t *answer, size_t size)
{
	size_t limit = answer_limit(rq, size);
	int len;

	if (!err) {
		write_counter(rq);
		len = rsip_engine_auth_encode(rq, answer, limit);
		if (len >= 0)
			return len;
		if (len == -ENOSPC && rq->from->transport == RSIP_TRANSPORT_UDP)
			err = RSIP_ERR_USE_TCP;
		else
			err = RSIP_ERR_INTERNAL_SERVER_ERROR;
	}
	undo(rq);
	rsip_engine_count_error(rq->e, err);
	if (rq->e->conf.refused)
		rq->e->conf.refused(rq->e->conf.arg, rq->from, rq->in->type, err);
	write_error(rq, err);
	write_counter(rq);
	return rsip_engine_auth_encode(rq, answer, limit);
}

/*
 * Whoever may not register hears it once a second; a table of fixed size, so that forged sources
 * cost nothing.
 */
static bool is_denied_too_often(struct rsip_request *rq)
{
	struct rsip_engine *e = rq->e;
	uint64_t *last, h;

	if (rq->c || rsip_engine_may_be_client(e->client_nets, e->conf.client_net_cnt, rq->from->addr))
		return false;
	h = rsip_engine_hash(e, (const uint8_t *)&rq->from->addr, sizeof(rq->from->addr));
	last = &e->denied_ns[h >> 52];
	if (*last && rq->now_ns - *last < RSIP_NS_PER_S)
		return true;
	*last = rq->now_ns ? rq->now_ns : 1;
	return false;
}
_Static_assert(RSIP_DENIED_SLOTS == 1 << 12, "the index is 12 bits of the hash");

static void log_exchange(const struct rsip_request *rq, const struct rsip_message *m,
			 const char *way)
{
	char text[512];

	if (rsip_log_get_level() >= RSIP_LOG_DEBUG)
		log_debug("%s %s port %u: %s", way, rsip_host_text(rq->from->addr), rq->from->port,
			  rsip_message_text(m, text, sizeof(text)));
}

static size_t drop(struct rsip_request *rq, enum rsip_engine_drop why)
{
	rq->e->stats.dropped[why]++;
	log_debug("dropped a message: from %s port %u: %s", rsip_host_text(rq->from->addr),
		  rq->from->port, rsip_engine_drop_text(why));
	return 0;
}

static size_t finish(struct rsip_request *rq, enum rsip_err err, uint8_t *answer, size_t size)
{
	int len;

	if (rq->is_dropped)
		return drop(rq, rq->dropped);
	if (is_denied_too_often(rq))
		return drop(rq, RSIP_ENGINE_DROP_DENIED_LIMIT);
	len = write_answer(rq, err, answer, size);
	if (len < 0)
		return 0;
	rq->e->stats.sent[type_index(rq->out->type)]++;
	if (rq->record)
		rsip_engine_answered_keep(rq, rq->record, answer, len);
	rsip_engine_store(rq);
	log_exchange(rq, rq->out, "answer to");
	return len;
}

static size_t replay(struct rsip_request *rq, const struct rsip_answered *a, uint8_t *answer,
		     size_t size)
{
	if (a->len > size)
		return 0;
	rq->e->stats.replayed++;
	memcpy(answer, a->bytes, a->len);
	return a->len;
}

/*
 * Its host had not heard the answer yet when it repeated; if that was lost, it repeats again.  An answer of before the boot
 * has a time below zero.
 */
static bool has_crossed(const struct rsip_request *rq, const struct rsip_answered *a)
{
	return rq->from->transport == RSIP_TRANSPORT_UDP && (int64_t)(rq->now_ns - rq->from->waited_ns - a->at_ns) < 0;
}

/*
 * A registration on another interface that nobody has used for a while may be of a forged source: it must not keep the
 * host itself out.
 */
static bool gives_way(struct rsip_request *rq)
{
	if (rq->in->type != RSIP_MSG_REGISTER_REQUEST || rq->c->echoed ||
	    !rsip_engine_unechoed_evict(rq->e, rq->c->session, rq->now_ns))
		return false;
	rq->c = NULL;
	return true;
}

static size_t take(struct rsip_request *rq, uint8_t *answer, size_t size)
{
	struct rsip_engine *e = rq->e;
	enum rsip_err head = rsip_decode_head(rq->msg, rq->len, rq->in);
	const struct rsip_answered *a;

	e->stats.received[type_index(rq->in->type)]++;
	log_exchange(rq, rq->in, "message from");
	/* Of any version: two gateways must not answer each other. */
	if (rq->in->type == RSIP_MSG_ERROR_RESPONSE)
		return drop(rq, RSIP_ENGINE_DROP_ERROR_RESPONSE);
	rq->c = rsip_lease_by_host(e->lm, rq->from->addr);
	rq->policy = rsip_flow_of(e->policies, e->conf.policy_cnt, rq->from->addr);
	if (rq->from->iface >= RSIP_MAX_IFACES || (rq->c && rq->c->iface != rq->from->iface && !gives_way(rq)))
		return drop(rq, RSIP_ENGINE_DROP_WRONG_IFACE);
	a = rsip_engine_session_duplicate(rq);
	if (a && rsip_engine_store_waits(e, a))
		return drop(rq, RSIP_ENGINE_DROP_STORE_WAITS);
	if (a && has_crossed(rq, a))
		return drop(rq, RSIP_ENGINE_DROP_CROSSED);
	if (a)
		return replay(rq, a, answer, size);
	rsip_engine_auth_read(rq);
	return finish(rq, serve(rq, head), answer, size);
}

size_t rsip_engine_receive(struct rsip_engine *e, const struct rsip_from *from, const uint8_t *msg,
			   size_t len, uint64_t now_ns, uint8_t *answer, size_t size)
{
	struct rsip_request rq = { .e = e,
				   .from = from,
				   .msg = msg,
				   .len = len,
				   .now_ns = now_ns,
				   .in = &e->in,
				   .out = &e->out };
	size_t n;

	e->busy = true;
	if (rsip_lease_expire(e->lm, now_ns) <= now_ns)
		rsip_lease_expire_host(e->lm, from->addr, now_ns); /* its turn may be far away */
	rsip_engine_departed_expire(e, now_ns);
	if (from->transport == RSIP_TRANSPORT_UDP)
		rq.hash = rsip_engine_hash(e, msg, len);
	rq.changes = e->conf.journal ? rsip_journal_changes(e->conf.journal) : 0;
	e->waits = 0;
	e->grant.bind_id = 0;
	n = take(&rq, answer, size);
	rsip_engine_async_flush(e, now_ns);
	e->busy = false;
	return n;
}

uint64_t rsip_engine_tick(struct rsip_engine *e, uint64_t now_ns)
{
	uint64_t lease_next, async_next;

	e->busy = true;
	lease_next = rsip_lease_expire(e->lm, now_ns);
	rsip_engine_departed_expire(e, now_ns);
	rsip_engine_async_flush(e, now_ns);
	e->busy = false;
	async_next = rsip_engine_async_next(e);
	return lease_next < async_next ? lease_next : async_next;
}

const struct rsip_engine_stats *rsip_engine_stats(const struct rsip_engine *e)
{
	return &e->stats;
}

static const struct {
	const char *name, *text;
} drops[] = {
#define X(sym, name, text) { name, text },
	RSIP_ENGINE_DROP_TABLE(X)
#undef X
};

const char *rsip_engine_drop_name(unsigned int reason)
{
	return reason < RSIP_ARRAY_LEN(drops) ? drops[reason].name : NULL;
}

const char *rsip_engine_drop_text(unsigned int reason)
{
	return reason < RSIP_ARRAY_LEN(drops) ? drops[reason].text : NULL;
}
