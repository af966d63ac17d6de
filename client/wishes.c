// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "wishes.h"

/* What is still to be found, or asked for. */
struct missing {
	uint32_t ports, spis;
	bool whole;
	uint16_t listen[RSIP_CLIENT_LISTEN_MAX];
	int listeners;
};

static bool find_listener(struct missing *m, uint16_t port)
{
	for (int i = 0; i < m->listeners; i++)
		if (m->listen[i] == port) {
			m->listen[i] = m->listen[--m->listeners];
			return true;
		}
	return false;
}

/* Is it a part of it?  Then that part is found. */
static bool find(struct missing *m, const struct rsip_want *w)
{
	bool whole = m->whole;

	if (w->listen)
		return find_listener(m, w->port);
	if (w->method == RSIP_METHOD_RSA_IP) {
		m->whole = false;
		return whole;
	}
	if (w->ports > m->ports || w->spis > m->spis)
		return false;
	m->ports -= w->ports;
	m->spis -= w->spis;
	return true;
}

/* Those that are held first: who waits for one that is missing does not need it where they are enough. */
static void keep(struct rsip_session *s, struct missing *m, bool held, uint32_t lease_s)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];
		/* one that could not be used is given back and asked for again */
		bool is_wish = l->state == RSIP_LEASE_WANTED || (l->state == RSIP_LEASE_FREEING && l->again);

		if (l->want.purpose != RSIP_FOR_SETTINGS || (held ? l->state != RSIP_LEASE_HELD : !is_wish))
			continue;
		if (find(m, &l->want))
			l->want.lease_s = lease_s; /* for the next EXTEND */
		else
			rsip_session_drop(s, i);
	}
}

/* One jail, one address if it can be: a program should not have to choose. */
static void beside(const struct rsip_session *s, struct rsip_want *want)
{
	for (int i = 0; i < RSIP_LEASES_MAX && !want->addr; i++)
		if (s->leases[i].state == RSIP_LEASE_HELD && s->leases[i].want.method != RSIP_METHOD_RSA_IP)
			want->addr = s->leases[i].addr;
}

static void ask(struct rsip_session *s, struct rsip_want want, uint64_t now)
{
	int i;

	if (want.method != RSIP_METHOD_RSA_IP && !want.port)
		beside(s, &want);
	i = rsip_session_want(s, &want, false, now);
	if (i >= 0)
		s->leases[i].any_instead = want.addr;
}

void rsip_wishes_apply(struct rsip_session *s, const struct rsip_settings *set, uint64_t now)
{
	struct missing m = {.ports = set->ports, .spis = set->spis, .whole = set->whole_address};

	m.listeners = rsip_settings_listen(set->listen, m.listen);
	keep(s, &m, true, set->lease);
	keep(s, &m, false, set->lease);
	/* One bind leases at most a block of 128 ports; SPIs come with the first. */
	while (m.ports || m.spis) {
		struct rsip_want want = {
			.method = m.spis ? RSIP_METHOD_RSIPSEC : RSIP_METHOD_RSAP_IP,
			.ports = m.ports > RSIP_BIND_PORTS ? RSIP_BIND_PORTS : m.ports,
			.spis = m.spis,
			.lease_s = set->lease,
		};

		ask(s, want, now);
		m.ports -= want.ports;
		m.spis = 0;
	}
	if (m.whole)
		ask(s, (struct rsip_want){.method = RSIP_METHOD_RSA_IP, .lease_s = set->lease}, now);
	for (int i = 0; i < m.listeners; i++)
		ask(s,
		    (struct rsip_want){.method = RSIP_METHOD_RSAP_IP,
				       .listen = true,
				       .port = m.listen[i],
				       .ports = 1,
				       .lease_s = set->lease},
		    now);
}
