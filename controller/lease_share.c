// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Fair shares of a pool that runs dry.  What is left below a part of the pool (limits.fair_percent) goes only to hosts
 * that stay within their fair share: the pool divided by the hosts that have something of it, but at least what is worth
 * asking for.  Nothing is ever taken from anybody: who has more keeps it, and is told that there is no more (308, 309,
 * 402).  What rests after a host's bindings counts as the host's, or one that leases and frees in turn would have it all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"

#define FAIR_SPIS 16

struct share_key {
	__be32 host;
	uint32_t pool;
};

struct share {
	struct share_key key;
	uint32_t ports, spis, whole; /* one of them is not 0 */
	UT_hash_handle hh;
};

static struct share *share_find(struct rsip_lease *lm, __be32 host, uint32_t pool)
{
	struct share_key key = { host, pool };
	struct share *s;

	HASH_FIND(hh, lm->shares, &key, sizeof(key), s);
	return s;
}

static struct share of_holding(const struct holding *held)
{
	return (struct share){ .ports = lease_count(held, false), .spis = lease_count(held, true), .whole = held->whole };
}

static bool is_empty(const struct share *s)
{
	return !s->ports && !s->spis && !s->whole;
}

int lease_share_add(struct rsip_lease *lm, __be32 host, uint32_t addr_index, const struct holding *held)
{
	uint32_t pool = lm->addr[addr_index].pool;
	struct share more = of_holding(held), *s;

	if (is_empty(&more)) /* a listener on the ports of IKE takes nothing from others */
		return 0;
	s = share_find(lm, host, pool);
	if (!s) {
		s = calloc(1, sizeof(*s));
		if (!s)
			return -ENOMEM;
		s->key = (struct share_key){ host, pool };
		HASH_ADD(hh, lm->shares, key, sizeof(s->key), s);
		lm->stats[pool].hosts++;
	}
	s->ports += more.ports;
	s->spis += more.spis;
	s->whole += more.whole;
	return 0;
}

void lease_share_less(struct rsip_lease *lm, __be32 host, uint32_t addr_index, const struct holding *held)
{
	uint32_t pool = lm->addr[addr_index].pool;
	struct share less = of_holding(held), *s = is_empty(&less) ? NULL : share_find(lm, host, pool);

	if (!s)
		return;
	s->ports -= less.ports;
	s->spis -= less.spis;
	s->whole -= less.whole;
	if (!is_empty(s))
		return;
	HASH_DEL(lm->shares, s);
	free(s);
	lm->stats[pool].hosts--;
}

void lease_share_clear(struct rsip_lease *lm)
{
	struct share *s, *next;

	HASH_ITER(hh, lm->shares, s, next) {
		HASH_DEL(lm->shares, s);
		free(s);
	}
}

/* ---- what is fair -------------------------------------------------------------------------------------------------- */

struct amount { /* of ports, SPIs or whole addresses of one pool */
	uint64_t total, taken;
	uint64_t mine, more; /* of the host: has, and asks for */
	uint64_t least; /* that is fair, however many hosts there are */
};

static bool is_fair(const struct rsip_lease *lm, const struct amount *a, uint64_t hosts)
{
	uint64_t left = a->total > a->taken ? a->total - a->taken : 0, fair = a->total / hosts;

	if (!a->more || a->more > left) /* there is nothing to be fair about: the search will say so */
		return true;
	if ((left - a->more) * 100 >= a->total * lm->limits.fair_percent)
		return true;
	return a->mine + a->more <= (fair > a->least ? fair : a->least);
}

/* Of the ports or SPIs asked for by number, those that do not rest after this host already. */
static uint64_t new_numbers(struct rsip_lease *lm, __be32 host, uint32_t addr_index, const struct rsip_lease_ask *ask, bool spi)
{
	uint64_t cnt = 0;

	for (uint32_t i = 0; !spi && i < ask->ports.cnt; i++)
		cnt += !lease_rest_owned(lm, host, addr_index, ask->ports.port[i], false);
	for (uint32_t i = 0; spi && i < ask->spis.range_cnt; i++)
		for (uint32_t j = 0; j < ask->spis.range[i].cnt; j++)
			cnt += !lease_rest_owned(lm, host, addr_index, ask->spis.range[i].first + j, true);
	return cnt;
}

static bool ports_fair(struct rsip_lease *lm, const struct client *c, const struct share *s, uint32_t addr_index,
		       const struct rsip_lease_ask *ask, uint64_t hosts)
{
	const struct rsip_pool_stats *stats = &lm->stats[lm->addr[addr_index].pool];
	struct amount a = { .total = stats->ports_total, .taken = stats->ports_leased + stats->ports_held, .mine = s->ports,
			    .more = ask->port_cnt, .least = lm->limits.fair_ports };

	if (is_fair(lm, &a, hosts))
		return true;
	if (!ask->ports_given)
		return false;
	a.more = new_numbers(lm, c->pub.host, addr_index, ask, false);
	return is_fair(lm, &a, hosts);
}

static bool spis_fair(struct rsip_lease *lm, const struct client *c, const struct share *s, uint32_t addr_index,
		      const struct rsip_lease_ask *ask, uint64_t hosts)
{
	uint32_t pool = lm->addr[addr_index].pool;
	const struct rsip_pool_conf *conf = &lm->pool[pool];
	const struct rsip_pool_stats *stats = &lm->stats[pool];
	struct amount a = { .total = ((uint64_t)conf->spi_max - conf->spi_min + 1) * conf->addr_cnt,
			    .taken = stats->spis_leased + stats->spis_held, .mine = s->spis, .more = ask->spi_cnt,
			    .least = FAIR_SPIS };

	if (is_fair(lm, &a, hosts))
		return true;
	if (!ask->spis_given)
		return false;
	a.more = new_numbers(lm, c->pub.host, addr_index, ask, true);
	return is_fair(lm, &a, hosts);
}

static bool whole_fair(struct rsip_lease *lm, const struct share *s, uint32_t pool, uint64_t hosts)
{
	const struct rsip_pool_stats *stats = &lm->stats[pool];
	const struct amount a = { .total = stats->addrs, .taken = stats->whole_leased + stats->whole_held, .mine = s->whole,
				  .more = 1, .least = 1 };

	return is_fair(lm, &a, hosts);
}

bool lease_share_allows(struct rsip_lease *lm, const struct client *c, uint32_t addr_index, const struct rsip_lease_ask *ask)
{
	static const struct share nothing;
	uint32_t pool = lm->addr[addr_index].pool;
	const struct share *s = share_find(lm, c->pub.host, pool);
	uint64_t hosts = lm->stats[pool].hosts + (s ? 0 : 1);
	bool fair;

	if (!lm->limits.fair_percent || ask->kind & RSIP_KIND_IKE)
		return true;
	s = s ? s : &nothing;
	if (ask->method == RSIP_METHOD_RSA_IP)
		fair = whole_fair(lm, s, pool, hosts);
	else
		fair = ports_fair(lm, c, s, addr_index, ask, hosts) && spis_fair(lm, c, s, addr_index, ask, hosts);
	if (!fair)
		lm->unfair = pool + 1;
	return fair;
}
