// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A router on the way to a host says that a tunnel packet was too big for it (RFC 1191, RFC 2003 5.1, RFC 8201).  It is believed
 * where such a tunnel is live; it can lower the path's MTU, never raise it.
 */
#include <netinet/in.h>

#include "engine_priv.h"
#include "hosts6.h"
#include "log.h"
#include "util.h"

/* RFC 1191 7.1, down to the least that is believed. */
static const uint16_t plateau[] = { 65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006 };

/* What a router that gives no MTU means by saying that a packet of this length did not fit: RFC 1191 5. */
static uint16_t plateau_below(uint16_t len)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(plateau); i++)
		if (plateau[i] < len)
			return plateau[i];
	return RSIP_PATH_MTU_MIN;
}

/* The live tunnel that the quoted header is of. */
struct told_tunnel {
	const struct rsip_event *v;
	uint64_t now_ns;
	bool live;
	uint16_t path; /* longest outer packet toward the host so far */
};

static void look_at(void *arg, const struct rsip_lease_bind *b)
{
	struct told_tunnel *t = arg;
	uint8_t proto = b->tunnel == RSIP_TUNNEL_GRE ? IPPROTO_GRE : IPPROTO_IPIP;
	uint32_t path = b->mtu + RSIP_FRONT_LEN(t->v->host, b->tunnel);

	if (b->expires_ns <= t->now_ns || proto != t->v->proto || b->endpoint != t->v->endpoint)
		return;
	if (t->v->local && t->v->local != b->local)
		return;
	t->live = true;
	if (path > t->path)
		t->path = (uint16_t)path;
}

void rsip_engine_pmtu(struct rsip_engine *e, const struct rsip_event *v, uint64_t now_ns)
{
	struct rsip_lease_client *c = rsip_lease_by_host(e->lm, v->host);
	struct told_tunnel t = { .v = v, .now_ns = now_ns };
	uint16_t mtu = v->mtu;

	e->stats.pmtu_told++;
	if (c && c->iface == v->iface)
		rsip_lease_each_bind(e->lm, c, look_at, &t);
	if (!t.live) {
		e->stats.pmtu_foreign++;
		return;
	}
	/* Some of the old routers count the header twice, so a length above what we sent is none. */
	if (!mtu)
		mtu = plateau_below(v->len < t.path ? v->len : t.path);
	if (!rsip_lease_path_mtu(e->lm, c, mtu, now_ns))
		return;
	e->stats.pmtu_lowered++;
	log_debug("path MTU to client %u (%s) is %u: %s said %u of a packet of %u bytes", c->client_id, rsip_host_text(c->host),
		  c->path_mtu, v->remote ? rsip_ip4(v->remote) : "a router", v->mtu, v->len);
}
