// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Errors not from the protocol: a host's packets break a rule and the host is told (RFC 3103 10.4). */
#include <arpa/inet.h>
#include "engine_priv.h"
#include "hosts6.h"
#include "log.h"

/* Which error a violation is, in the order of engine_session.told_ns.  RSIP_OK: none, it is for the operator alone. */
static const enum rsip_err told[] = {
	RSIP_ERR_BAD_TUNNEL_TYPE,      RSIP_ERR_LOCAL_ADDR_UNALLOWED,	  RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED,
	RSIP_ERR_REMOTE_ADDR_UNALLOWED, RSIP_ERR_REMOTE_ADDRPORT_UNALLOWED, RSIP_ERR_IPSEC_UNALLOWED,
	RSIP_OK,
};
_Static_assert(RSIP_ARRAY_LEN(told) == RSIP_TOLD, "a session has a time for each error");

/* What one host holds, seen through one violation. */
struct holdings {
	const struct rsip_event *v;
	bool has_local; /* a binding on the address it used */
	bool has_remote; /* one for the remote it talked to */
};

static void look_at(void *arg, const struct rsip_lease_bind *b)
{
	struct holdings *h = arg;

	h->has_local |= b->local == h->v->local;
	h->has_remote |= b->local == h->v->local && b->remote == h->v->remote;
}

static enum rsip_err local_error(const struct holdings *h)
{
	return h->has_local && h->v->local_port ? RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED : RSIP_ERR_LOCAL_ADDR_UNALLOWED;
}

static enum rsip_err error_of(const struct holdings *h)
{
	switch (h->v->reason) {
	case RSIP_DROP_LOCAL_ADDR_UNALLOWED:
		return RSIP_ERR_LOCAL_ADDR_UNALLOWED;
	case RSIP_DROP_LOCAL_PORT_UNALLOWED:
	case RSIP_DROP_NOT_OWNER:
	case RSIP_DROP_HOST_UNKNOWN:
	case RSIP_DROP_EXPIRED:
		return local_error(h);
	case RSIP_DROP_IPSEC_UNALLOWED:
		return RSIP_ERR_IPSEC_UNALLOWED;
	case RSIP_DROP_REMOTE_UNALLOWED:
		return h->has_remote ? RSIP_ERR_REMOTE_ADDRPORT_UNALLOWED : RSIP_ERR_REMOTE_ADDR_UNALLOWED;
	case RSIP_DROP_DST_UNALLOWED:
		return RSIP_ERR_REMOTE_ADDR_UNALLOWED;
	case RSIP_DROP_WRONG_TUNNEL:
		return RSIP_ERR_BAD_TUNNEL_TYPE;
	}
	return RSIP_OK;
}

static bool told_lately(struct rsip_engine_session *s, enum rsip_err err, uint64_t now_ns)
{
	for (size_t i = 0; i < RSIP_TOLD; i++) {
		if (told[i] != err)
			continue;
		if (s->told_ns[i] && now_ns - s->told_ns[i] < RSIP_TOLD_WAIT_NS)
			return true;
		s->told_ns[i] = now_ns ? now_ns : 1;
		return false;
	}
	return true;
}

/*
 * RFC 3104 6.1 has no error for a cookie that is another host's: the packet is dropped, and the host that gets no answer should choose
 * another.  Not all do, so whoever looks for the reason finds it here.
 */
static void log_collision(const struct rsip_lease_client *c, const struct rsip_event *v)
{
	char local[INET_ADDRSTRLEN], remote[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &v->local, local, sizeof(local));
	inet_ntop(AF_INET, &v->remote, remote, sizeof(remote));
	log_warn("client %u (%s) bind %u: its IKE from %s to %s is dropped: another host of that address has the same cookie (begin the "
		 "exchange anew, or let its IKE daemon use a label)",
		 c->client_id, rsip_host_text(c->host), v->bind_id, local, remote);
}

void rsip_engine_violation(struct rsip_engine *e, const struct rsip_event *v, uint64_t now_ns)
{
	struct rsip_lease_client *c = rsip_lease_by_host(e->lm, v->host);
	struct holdings h = { .v = v };
	struct rsip_engine_session *s;
	enum rsip_err err;

	e->stats.violations++;
	/* The source may be forged: only who is registered there, and has answered from there, is told. */
	if (!c || c->iface != v->iface || !c->echoed)
		return;
	rsip_lease_each_bind(e->lm, c, look_at, &h);
	err = error_of(&h);
	s = rsip_engine_session_of(e, c);
	if ((!err && v->reason != RSIP_DROP_COOKIE_COLLISION) || !s || told_lately(s, err, now_ns))
		return;
	if (!err) {
		log_collision(c, v);
		return;
	}
	log_debug("client %u (%s) is told of its packets: error %d", c->client_id, rsip_host_text(c->host), err);
	rsip_engine_count_error(e, err);
	rsip_engine_async_queue(e, c, RSIP_MSG_ERROR_RESPONSE, v->bind_id, err);
	if (!e->busy)
		rsip_engine_async_flush(e, now_ns);
}
