// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "charon.h"

static const struct rsip_lease *base_of(const struct rsip_session *s)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_HELD &&
		    s->leases[i].want.purpose == RSIP_FOR_CHARON)
			return &s->leases[i];
	return NULL;
}

static uint32_t longest_run(const struct rsip_lease *l, uint32_t *first)
{
	uint32_t best = 0;

	for (unsigned int i = 0; i < l->spi_runs; i++) {
		if (l->spis[i].cnt <= best)
			continue;
		best = l->spis[i].cnt;
		*first = l->spis[i].first;
	}
	return best;
}

bool rsip_charon_plan(const struct rsip_session *s, struct rsip_charon *c)
{
	const struct rsip_lease *base = base_of(s);
	uint32_t best = 0, first = 0, cnt;

	memset(c, 0, sizeof(*c));
	if (!base || !base->spi_runs)
		return false;
	c->bind_id = base->bind_id;
	c->addr = base->addr;
	c->label = base->spis[0].first;
	if (base->port_runs) {
		c->port = base->ports[0].first;
		c->port_nat_t = base->ports[0].cnt > 1 ? c->port + 1
				: base->port_runs > 1  ? base->ports[1].first
						       : 0;
	}
	/* The largest range wins, the base among equals: no SA has to move. */
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		const struct rsip_lease *l = &s->leases[i];

		if (l->state != RSIP_LEASE_HELD || l->addr != base->addr ||
		    (l != base && l->want.purpose != RSIP_FOR_CHARON_SPIS))
			continue;
		cnt = longest_run(l, &first);
		if (cnt < best || (cnt == best && l != base))
			continue;
		best = cnt;
		c->spi_min = first;
		c->spi_max = first + cnt - 1;
		c->range_bind_id = l->bind_id;
	}
	return best;
}

bool rsip_charon_needs_restart(const struct rsip_charon *from, const struct rsip_charon *to)
{
	return from->port != to->port || from->port_nat_t != to->port_nat_t ||
	       from->label != to->label;
}

int rsip_charon_text(const struct rsip_charon *c, const char *state_dir, char *buf, size_t size)
{
	char ports[128] = "";
	int len;

	if (c->port)
		snprintf(ports, sizeof(ports),
			 "\t# leased: IKE comes from here, and the peer finds this host here\n"
			 "\tport = %u\n\tport_nat_t = %u\n",
			 c->port, c->port_nat_t);
	len = snprintf(buf, size,
		       "# rsip-client --state-dir %s\n"
		       "# Binding %u at %s.  Written by rsip-client and removed with the lease: do "
		       "not edit.\n"
		       "charon {\n%s"
		       "\t# read at every allocation: `swanctl --reload-settings` moves the range\n"
		       "\tspi_min = 0x%08x\n"
		       "\tspi_max = 0x%08x\n"
		       "\t# IKE SPIs carry a leased SPI in their upper half, so the gateway knows "
		       "them\n"
		       "\tspi_mask = 0xffffffff00000000\n"
		       "\tspi_label = 0x%08x00000000\n"
		       "}\n",
		       state_dir, c->bind_id, rsip_ip4(c->addr), ports, c->spi_min, c->spi_max,
		       c->label);
	return len < (int)size ? len : -ENOSPC;
}

uint32_t rsip_charon_grow(const struct rsip_charon *c, uint32_t used)
{
	uint32_t cnt = c->spi_max - c->spi_min + 1;

	if (used < cnt - cnt / 4 || cnt >= RSIP_CHARON_SPIS_MAX)
		return 0;
	return cnt * 2 < RSIP_CHARON_SPIS_MAX ? cnt * 2 : RSIP_CHARON_SPIS_MAX;
}
