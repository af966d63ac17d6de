// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "demand.h"
#include "log.h"

/* Free ports below which more are asked for: a quarter of all, 4 at least. */
static uint32_t reserve(uint32_t total)
{
	return total / 4 > 4 ? total / 4 : 4;
}

bool rsip_demand_counts(const struct rsip_lease *l)
{
	return l->state == RSIP_LEASE_HELD && l->port_runs && !l->want.listen &&
	       l->want.purpose != RSIP_FOR_CHARON;
}

static uint32_t ports_of(const struct rsip_lease *l)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < l->port_runs; i++)
		n += l->ports[i].cnt;
	return n;
}

static uint32_t used_of(const struct rsip_lease *l, const struct rsip_portset *used)
{
	uint32_t n = 0;

	for (unsigned int i = 0; i < l->port_runs; i++)
		for (uint32_t p = 0; p < l->ports[i].cnt; p++)
			n += rsip_portset_has(used, l->ports[i].first + p);
	return n;
}

static bool is_asking(const struct rsip_session *s)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_WANTED &&
		    s->leases[i].want.purpose == RSIP_FOR_DEMAND)
			return true;
	return false;
}

static void ask_for_more(const struct rsip_demand *d, struct rsip_session *s, uint32_t total,
			 __be32 addr, uint64_t now)
{
	uint32_t room = d->most > total ? d->most - total : 0;
	struct rsip_want want = {
		.method = RSIP_METHOD_RSAP_IP,
		.purpose = RSIP_FOR_DEMAND,
		.addr = addr, /* a program should not have to choose */
		.ports = room < RSIP_DEMAND_BLOCK ? room : RSIP_DEMAND_BLOCK,
	};

	if (room && !is_asking(s) && rsip_session_want(s, &want, false, now) >= 0)
		log_info("of %u leased ports most are in use: asking for %u more", total,
			 want.ports);
}

/* One that is still asked for, while nobody needs it any more. */
static void ask_no_more(struct rsip_session *s)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_WANTED &&
		    s->leases[i].want.purpose == RSIP_FOR_DEMAND)
			rsip_session_drop(s, i);
}

static void give_back_idle(struct rsip_demand *d, struct rsip_session *s, uint32_t total,
			   uint32_t busy, uint64_t now)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];
		uint32_t left = total - ports_of(l);

		if (!rsip_demand_counts(l) || l->want.purpose != RSIP_FOR_DEMAND ||
		    now - d->busy_ns[i] < d->idle_s * RSIP_NS_PER_S ||
		    left < busy + 2 * reserve(left))
			continue;
		log_info("binding %u: %u ports idle for %u s", l->bind_id, ports_of(l), d->idle_s);
		rsip_session_release(s, l->bind_id);
		total = left;
	}
}

void rsip_demand_balance(struct rsip_demand *d, struct rsip_session *s,
			 const struct rsip_portset *used, uint64_t now)
{
	uint32_t total = 0, busy = 0, n;
	__be32 addr = 0;

	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		const struct rsip_lease *l = &s->leases[i];

		if (!rsip_demand_counts(l)) {
			d->busy_ns[i] = now;
			continue;
		}
		addr = addr ? addr : l->addr;
		n = used_of(l, used);
		if (n || !d->busy_ns[i])
			d->busy_ns[i] = now;
		total += ports_of(l);
		busy += n;
	}
	if (total && total - busy < reserve(total)) {
		ask_for_more(d, s, total, addr, now);
		return;
	}
	ask_no_more(s);
	give_back_idle(d, s, total, busy, now);
}
