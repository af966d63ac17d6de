// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What becomes of a lease: granted, refused, extended, lost. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include "session.h"

#define RSIP_RETRY_REFUSED_S 10
#define RSIP_RETRY_REFUSED_DOUBLINGS 5 /* at most 320 s */
#define RSIP_GIVE_BACK_S 60 /* try for so long */

struct rsip_lease *rsip_lease_new(struct rsip_session *s)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state != RSIP_LEASE_NONE || (s->req.active && s->req.lease == i))
			continue;
		memset(l, 0, sizeof(*l));
		return l;
	}
	return NULL;
}

/* RFC 1918, shared space of RFC 6598, link-local of RFC 3927. */
static bool is_private(uint32_t a)
{
	return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 || a >> 22 == 0x191 ||
	       a >> 16 == 0xa9fe;
}

/* Neither 0/8, loopback, multicast, 240/4 nor broadcast, and not ours. */
static bool is_somebody_else(const struct rsip_session *s, __be32 addr)
{
	uint32_t a = ntohl(addr);

	return a >> 24 != 0 && a >> 24 != 127 && a >> 28 < 14 && (s->local.family != AF_INET || addr != s->local.v4);
}

static bool is_leased(const struct rsip_session *s, __be32 addr)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_HELD && s->leases[i].addr == addr)
			return true;
	return false;
}

/*
 * RFC 3103 9.7.3: an endpoint that is not the gateway is at home in the private realm, and in its family, because a
 * device has one.  Neither ::, ::1, multicast, an IPv4 address in disguise, nor us.
 */
static bool is_endpoint(const struct rsip_session *s, const struct rsip_inet *end, __be32 leased)
{
	static const uint8_t zero[15];

	if (end->family != s->gateway.family)
		return false;
	if (end->family == AF_INET)
		return is_somebody_else(s, end->v4) && end->v4 != leased && !is_leased(s, end->v4);
	if (!memcmp(end->v6, zero, 15) && end->v6[15] <= 1)
		return false;
	if (!memcmp(end->v6, zero, 10) && end->v6[10] == 0xff && end->v6[11] == 0xff)
		return false;
	return end->v6[0] != 0xff && memcmp(end->v6, s->local.v6, sizeof(end->v6));
}

/* The other end of a tunnel that is in use, which is then not reached any more. */
static bool ends_a_tunnel(const struct rsip_session *s, __be32 addr)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_HELD && s->leases[i].endpoint.family == AF_INET && s->leases[i].endpoint.v4 == addr)
			return true;
	return false;
}

bool rsip_session_leasable(const struct rsip_session *s, __be32 addr)
{
	return is_somebody_else(s, addr) && !ends_a_tunnel(s, addr) && (s->gateway.family != AF_INET || addr != s->gateway.v4) &&
	       (s->private_ok || !is_private(ntohl(addr)));
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

bool rsip_lease_runs_exist(const struct rsip_port_run *ports, unsigned int port_runs, const struct rsip_spi_run *spis,
			   unsigned int spi_runs)
{
	for (unsigned int i = 0; i < port_runs; i++)
		if (!ports[i].first || !ports[i].cnt || ports[i].first + ports[i].cnt > 65536)
			return false;
	for (unsigned int i = 0; i < spi_runs; i++)
		if (spis[i].first < 256 || !spis[i].cnt || spis[i].first + (uint64_t)spis[i].cnt > 1ULL << 32)
			return false;
	return true;
}

/* Is the grant something that we asked for and can use?  RFC 3103 9.7.3, 9.9.3. */
static bool usable(const struct rsip_session *s, const struct rsip_lease *lease,
		   const struct rsip_answer *a)
{
	const struct rsip_want *w = &lease->want;
	unsigned int ports = s->local_policy == RSIP_LOCAL_MICRO && w->ports ? 1 : w->ports;

	if (!a->understood || !a->has_bind || a->tunnel != s->tunnel || !a->lease_s)
		return false;
	if (!rsip_session_leasable(s, a->addr) || (w->addr && a->addr != w->addr))
		return false;
	if (a->endpoint.family && !is_endpoint(s, &a->endpoint, a->addr))
		return false;
	if (count_ports(a) < ports || (w->port && a->port_runs && a->ports[0].first != w->port) ||
	    (w->spi && a->spi_runs && a->spis[0].first != w->spi))
		return false;
	return count_spis(a) >= w->spis && rsip_lease_runs_exist(a->ports, a->port_runs, a->spis, a->spi_runs);
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

static void copy_grant(struct rsip_lease *lease, const struct rsip_answer *a, const struct rsip_inet *gateway)
{
	lease->bind_id = a->bind_id;
	lease->addr = a->addr;
	lease->endpoint = a->endpoint.family ? a->endpoint : *gateway;
	if (rsip_inet_is_link_local(&lease->endpoint))
		lease->endpoint.scope = gateway->scope;
	lease->port_runs = a->port_runs;
	lease->spi_runs = a->spi_runs;
	memcpy(lease->ports, a->ports, sizeof(lease->ports));
	memcpy(lease->spis, a->spis, sizeof(lease->spis));
}

/* Gives back what the gateway gave but we cannot use. */
static void give_back(struct rsip_session *s, struct rsip_lease *lease, const struct rsip_answer *a,
		      int err, uint64_t now)
{
	s->sink.failed(s->sink.ctx, lease, a->type, err);
	lease->again = !lease->once;
	lease->addr = 0;
	if (!a->has_bind) {
		rsip_lease_freed(s, lease, now); /* it runs out by itself: nothing names it */
		return;
	}
	lease->bind_id = a->bind_id;
	lease->state = RSIP_LEASE_FREEING;
	lease->act_ns = now;
	/* what is granted for no time may be held for ever */
	lease->expires_ns = now + (a->lease_s ? a->lease_s : RSIP_GIVE_BACK_S) * RSIP_NS_PER_S;
}

static void ask_later(struct rsip_session *s, struct rsip_lease *lease, uint64_t now)
{
	unsigned int doublings = lease->refusals < RSIP_RETRY_REFUSED_DOUBLINGS
					 ? lease->refusals
					 : RSIP_RETRY_REFUSED_DOUBLINGS;

	lease->refusals++;
	lease->act_ns = now + (RSIP_RETRY_REFUSED_S << doublings) * RSIP_NS_PER_S +
			s->sink.random(s->sink.ctx);
}

void rsip_lease_freed(struct rsip_session *s, struct rsip_lease *lease, uint64_t now)
{
	lease->state = lease->again ? RSIP_LEASE_WANTED : RSIP_LEASE_NONE;
	lease->bind_id = 0;
	lease->expires_ns = UINT64_MAX;
	if (lease->again)
		ask_later(s, lease, now);
	lease->again = false;
}

void rsip_lease_take(struct rsip_session *s, struct rsip_lease *lease, const struct rsip_answer *a,
		     uint64_t now)
{
	int err;

	if (lease->state == RSIP_LEASE_NONE) { /* nobody wants it any more */
		lease->once = true;
		lease->state = RSIP_LEASE_WANTED;
		give_back(s, lease, a, -ECANCELED, now);
		return;
	}
	if (!usable(s, lease, a)) {
		give_back(s, lease, a, -EPROTO, now);
		return;
	}
	copy_grant(lease, a, &s->gateway);
	/* Held before it is used: an owner that notes it first can be killed at any point of its use. */
	lease->state = RSIP_LEASE_HELD;
	set_times(s, lease, a->lease_s, now);
	err = s->sink.granted(s->sink.ctx, lease);
	if (err) {
		give_back(s, lease, a, err, now);
		return;
	}
	lease->once = false;
	lease->refusals = 0;
	lease->granted_ns = now;
}

void rsip_lease_forget_choices(struct rsip_lease *lease)
{
	if (!lease->any_instead)
		return; /* the user's word */
	lease->any_instead = false;
	lease->want.addr = 0;
	lease->want.port = 0;
	lease->want.spi = 0;
}

void rsip_lease_refused(struct rsip_session *s, struct rsip_lease *lease, int err, uint64_t now)
{
	if (lease->state == RSIP_LEASE_NONE)
		return;
	if (lease->any_instead && err > 0) { /* what we would have liked is taken: anything else will do, at once */
		rsip_lease_forget_choices(lease);
		lease->act_ns = now;
		return;
	}
	s->sink.failed(s->sink.ctx, lease, rsip_request_type(&lease->want), err);
	if (lease->once)
		lease->state = RSIP_LEASE_NONE;
	ask_later(s, lease, now);
}

void rsip_lease_extend_later(struct rsip_lease *lease, uint64_t now)
{
	uint64_t left = lease->expires_ns > now ? lease->expires_ns - now : 0;

	if (lease->state != RSIP_LEASE_HELD)
		return;
	lease->act_ns = now + (left / 2 > RSIP_NS_PER_S ? left / 2 : RSIP_NS_PER_S);
}

void rsip_lease_extended(struct rsip_session *s, struct rsip_lease *lease, uint32_t lease_s,
			 uint64_t now)
{
	s->stats.renewals++;
	if (lease->state != RSIP_LEASE_HELD)
		return; /* given back meanwhile */
	if (lease_s)
		set_times(s, lease, lease_s, now);
	else
		rsip_lease_lose(s, lease, "the gateway gives it no more time", true,
				now + RSIP_NS_PER_S);
}

/* What a program was told must come back if it can: the same address, and ports and SPIs if they
 * lie together. */
static void prefer_the_same(struct rsip_lease *lease)
{
	struct rsip_want *w = &lease->want;

	if (!lease->any_instead && (w->addr || w->port))
		return; /* the user's word */
	lease->any_instead = true;
	w->addr = lease->addr;
	if (lease->port_runs == 1 && w->ports)
		w->port = lease->ports[0].first;
	if (lease->spi_runs == 1 && w->spis)
		w->spi = lease->spis[0].first;
}

void rsip_lease_lose(struct rsip_session *s, struct rsip_lease *lease, const char *why, bool again,
		     uint64_t retry_ns)
{
	if (lease->state == RSIP_LEASE_FREEING) {
		rsip_lease_freed(s, lease, retry_ns);
		return;
	}
	if (lease->state != RSIP_LEASE_HELD) /* lost already */
		return;
	lease->state = again ? RSIP_LEASE_WANTED : RSIP_LEASE_NONE;
	lease->act_ns = retry_ns;
	s->sink.lost(s->sink.ctx, lease, why);
	if (again)
		prefer_the_same(lease);
	lease->bind_id = 0;
	lease->addr = 0;
}

unsigned int rsip_session_addrs(const struct rsip_session *s, __be32 addrs[RSIP_LEASES_MAX])
{
	unsigned int cnt = 0;

	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		unsigned int same = 0;

		if (s->leases[i].state != RSIP_LEASE_HELD)
			continue;
		while (same < cnt && addrs[same] != s->leases[i].addr)
			same++;
		addrs[same] = s->leases[i].addr;
		if (same == cnt)
			cnt++;
	}
	return cnt;
}

void rsip_lease_lose_all(struct rsip_session *s, const char *why, bool again, uint64_t retry_ns)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state == RSIP_LEASE_HELD || l->state == RSIP_LEASE_FREEING)
			rsip_lease_lose(s, l, why, again, retry_ns);
	}
}
