/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What becomes of a lease: granted, refused, extended, lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "session.h"

#define RSIP_RETRY_REFUSED_S 10
#define RSIP_LEASE_FOREVER_S 0xffffffffU

bool rsip_session_leasable(const struct rsip_session *s, __be32 addr)
{
	uint32_t a = ntohl(addr);

	return a >> 24 != 0 && a >> 24 != 127 && a >> 28 < 14 && addr != s->local &&
	       addr != s->gateway;
}

struct rsip_lease *rsip_lease_find(struct rsip_session *s, uint32_t bind_id)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if ((l->state == RSIP_LEASE_HELD || l->state == RSIP_LEASE_FREEING) &&
		    l->bind_id == bind_id)
			return l;
	}
	return NULL;
}

static unsigned int count_ports(const struct rsip_answer *a)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < a->port_runs; i++)
		n += a->ports[i].cnt;
	return n;
}

static unsigned int count_spis(const struct rsip_answer *a)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < a->spi_runs; i++)
		n += a->spis[i].cnt;
	return n;
}

/* Is the grant something that we asked for and can use?  RFC 3103 9.7.3, 9.9.3; RFC 4303 2.1 for
 * SPIs. */
static bool usable(const struct rsip_session *s, const struct rsip_want *w,
		   const struct rsip_answer *a)
{
	if (!a->understood || !a->has_bind || a->tunnel != RSIP_TUNNEL_IPIP)
		return false;
	if (!rsip_session_leasable(s, a->addr) || !a->lease_s)
		return false;
	if (w->ports && !count_ports(a))
		return false;
	for (unsigned int i = 0; i < a->port_runs; i++)
		if (!a->ports[i].first || a->ports[i].first + a->ports[i].cnt > 65536)
			return false;
	if (w->spis && !count_spis(a))
		return false;
	for (unsigned int i = 0; i < a->spi_runs; i++)
		if (a->spis[i].first < 256 ||
		    a->spis[i].first + (uint64_t)a->spis[i].cnt > 1ULL << 32)
			return false;
	return true;
}

/* Renewal begins at half the lease, up to a twentieth of it earlier or later: hosts must not march
 * in step. */
static void set_times(struct rsip_session *s, struct rsip_lease *lease, uint32_t lease_s,
		      uint64_t now)
{
	uint64_t span = lease_s * RSIP_NS_PER_S;
	uint64_t step = span / 10 / 1024; /* of the jitter */

	if (lease_s == RSIP_LEASE_FOREVER_S) {
		lease->expires_ns = lease->act_ns = UINT64_MAX;
	} else {
		lease->expires_ns = now + span;
		lease->act_ns =
			now + span / 2 + step * (s->sink.random(s->sink.ctx) % 1024) - step * 512;
		if (lease->act_ns < now + RSIP_NS_PER_S)
			lease->act_ns = now + RSIP_NS_PER_S;
	}
	/* A registration lives at least as long as its bindings. */
	if (s->expires_ns < lease->expires_ns)
		s->expires_ns = lease->expires_ns;
}

static void copy_grant(struct rsip_lease *lease, const struct rsip_answer *a, __be32 gateway)
{
	lease->bind_id = a->bind_id;
	lease->addr = a->addr;
	lease->endpoint = a->endpoint ? a->endpoint : gateway;
	lease->port_runs = a->port_runs;
	lease->spi_runs = a->spi_runs;
	memcpy(lease->ports, a->ports, sizeof(lease->ports));
	memcpy(lease->spis, a->spis, sizeof(lease->spis));
}

/* Gives back what the gateway gave but we cannot use. */
static void give_back(struct rsip_session *s, struct rsip_lease *lease, const struct rsip_answer *a,
		      int err)
{
	s->sink.failed(s->sink.ctx, lease, a->type, err);
	if (!a->has_bind) {
		lease->state = RSIP_LEASE_NONE; /* it runs out by itself: nothing names it */
		return;
	}
	lease->bind_id = a->bind_id;
	lease->state = RSIP_LEASE_FREEING;
	lease->once = true;
	lease->addr = 0;
}

void rsip_lease_take(struct rsip_session *s, struct rsip_lease *lease, const struct rsip_answer *a,
		     uint64_t now)
{
	int err;

	if (!usable(s, &lease->want, a)) {
		give_back(s, lease, a, -EPROTO);
		return;
	}
	copy_grant(lease, a, s->gateway);
	err = s->sink.granted(s->sink.ctx, lease);
	if (err) {
		give_back(s, lease, a, err);
		return;
	}
	lease->state = RSIP_LEASE_HELD;
	lease->once = false;
	set_times(s, lease, a->lease_s, now);
}

void rsip_lease_refused(struct rsip_session *s, struct rsip_lease *lease, int err, uint64_t now)
{
	if (lease->any_instead && err > 0) {
		/* What we would have liked is taken: anything else will do, at once. */
		lease->any_instead = false;
		lease->want.addr = 0;
		lease->want.port = 0;
		lease->act_ns = now;
		return;
	}
	s->sink.failed(s->sink.ctx, lease, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP, err);
	if (lease->once)
		lease->state = RSIP_LEASE_NONE;
	lease->act_ns = now + RSIP_RETRY_REFUSED_S * RSIP_NS_PER_S + s->sink.random(s->sink.ctx);
}

void rsip_lease_extended(struct rsip_session *s, struct rsip_lease *lease, uint32_t lease_s,
			 uint64_t now)
{
	s->stats.renewals++;
	if (lease_s)
		set_times(s, lease, lease_s, now);
	else
		rsip_lease_lose(s, lease, "the gateway gives it no more time", true,
				now + RSIP_NS_PER_S);
}

/* What a program was told must come back if it can: the same address, and the ports if they lie
 * together. */
static void prefer_the_same(struct rsip_lease *lease)
{
	if (lease->want.addr || lease->want.port)
		return;
	lease->any_instead = true;
	lease->want.addr = lease->addr;
	if (lease->port_runs == 1 && lease->want.ports)
		lease->want.port = lease->ports[0].first;
}

void rsip_lease_lose(struct rsip_session *s, struct rsip_lease *lease, const char *why, bool again,
		     uint64_t retry_ns)
{
	bool used = lease->state == RSIP_LEASE_HELD;

	if (lease->state == RSIP_LEASE_FREEING)
		again = false;
	lease->state = again ? RSIP_LEASE_WANTED : RSIP_LEASE_NONE;
	lease->act_ns = retry_ns;
	if (used)
		s->sink.lost(s->sink.ctx, lease, why);
	if (again)
		prefer_the_same(lease);
	lease->bind_id = 0;
	lease->addr = 0;
}

void rsip_lease_lose_all(struct rsip_session *s, const char *why, bool again, uint64_t retry_ns)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state == RSIP_LEASE_HELD || l->state == RSIP_LEASE_FREEING)
			rsip_lease_lose(s, l, why, again, retry_ns);
	}
}
