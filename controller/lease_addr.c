// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lease manager's addresses: which one serves an ask, what is taken from it, and how long it rests afterwards. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"
#include "util.h"

/* ---- the tree over addresses ------------------------------------------------------------------------------------ */

static void fit_update(struct rsip_lease *lm, uint32_t index)
{
	int best = rsip_ports_best(&lm->addr[index]);
	uint32_t node = lm->fit_leaves + index;

	lm->fit[node] = best > 0 ? (uint8_t)best : 0;
	for (node /= 2; node; node /= 2) {
		uint8_t l = lm->fit[2 * node], r = lm->fit[2 * node + 1];

		lm->fit[node] = l > r ? l : r;
	}
}

/* The first address of [lo, hi] whose largest free block is at least need - 1; -1: none.  O(log n). */
static int fit_find(const struct rsip_lease *lm, uint32_t node, uint32_t left, uint32_t size, uint32_t lo, uint32_t hi,
		    uint8_t need)
{
	int found;

	if (left > hi || left + size - 1 < lo || lm->fit[node] < need)
		return -1;
	if (size == 1)
		return (int)left;
	found = fit_find(lm, 2 * node, left, size / 2, lo, hi, need);
	return found >= 0 ? found : fit_find(lm, 2 * node + 1, left + size / 2, size / 2, lo, hi, need);
}

static int fit_in_pool(struct rsip_lease *lm, uint32_t pool, uint8_t need)
{
	uint32_t first = lm->pool_first[pool], last = first + lm->pool[pool].addr_cnt - 1;
	uint32_t from = first + lm->rotor % lm->pool[pool].addr_cnt;
	int found = fit_find(lm, 1, 0, lm->fit_leaves, from, last, need);

	return found >= 0 || from == first ? found : fit_find(lm, 1, 0, lm->fit_leaves, first, from - 1, need);
}

/* ---- creation ------------------------------------------------------------------------------------------------------ */

static int addr_create(struct rsip_lease *lm, uint32_t pool, uint32_t index, __be32 addr)
{
	const struct rsip_pool_conf *p = &lm->pool[pool];
	struct rsip_pool_addr *a = &lm->addr[index];

	a->addr = addr;
	a->index = index;
	a->pool = (uint16_t)pool;
	a->port_first = p->port_first;
	a->port_last = p->port_last;
	a->ipsec = p->methods & RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC);
	if (p->methods & RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP)) /* has no ports to give */
		return lm->dp->ops->addr_add(lm->dp, index, addr, pool);
	if (rsip_ports_best(a) < 0)
		return -ENOMEM;
	for (uint32_t port = p->port_first; port <= p->port_last; port++)
		lm->stats[pool].ports_total += rsip_port_allowed(a, (uint16_t)port);
	fit_update(lm, index);
	return lm->dp->ops->addr_add(lm->dp, index, addr, pool);
}

int lease_addrs_create(struct rsip_lease *lm, const struct rsip_lease_conf *conf)
{
	uint32_t index = 0;
	int err;

	for (uint32_t i = 0; i < conf->pool_cnt; i++)
		lm->addr_cnt += conf->pool[i].addr_cnt;
	if (lm->addr_cnt > lm->dp->ops->max_addrs(lm->dp))
		return -ENOSPC;
	for (lm->fit_leaves = 1; lm->fit_leaves < lm->addr_cnt;)
		lm->fit_leaves *= 2;
	lm->pool_cnt = conf->pool_cnt;
	lm->pool = calloc(conf->pool_cnt + 1, sizeof(*lm->pool));
	lm->pool_first = calloc(conf->pool_cnt + 1, sizeof(*lm->pool_first));
	lm->stats = calloc(conf->pool_cnt + 1, sizeof(*lm->stats));
	lm->addr = calloc(lm->addr_cnt + 1, sizeof(*lm->addr));
	lm->fit = calloc(2, lm->fit_leaves);
	if (!lm->pool || !lm->pool_first || !lm->stats || !lm->addr || !lm->fit)
		return -ENOMEM;
	if (conf->pool_cnt)
		memcpy(lm->pool, conf->pool, conf->pool_cnt * sizeof(*lm->pool));
	for (uint32_t i = 0; i < conf->pool_cnt; i++) {
		lm->pool_first[i] = index;
		lm->stats[i].addrs = conf->pool[i].addr_cnt;
		for (uint32_t j = 0; j < conf->pool[i].addr_cnt; j++, index++) {
			err = addr_create(lm, i, index, htonl(ntohl(conf->pool[i].first) + j));
			if (err)
				return err;
		}
	}
	return lease_whole_create(lm);
}

void lease_addrs_destroy(struct rsip_lease *lm)
{
	for (uint32_t i = 0; lm->addr && i < lm->addr_cnt; i++)
		free(lm->addr[i].best);
	rsip_spis_clear(&lm->spis);
	lease_ike_clear(lm);
	lease_whole_destroy(lm);
	free(lm->pool);
	free(lm->pool_first);
	free(lm->stats);
	free(lm->addr);
	free(lm->fit);
}

int lease_addr_index(const struct rsip_lease *lm, __be32 addr)
{
	/* Pools are few and contiguous: this walks pools, not addresses. */
	for (uint32_t i = 0; i < lm->pool_cnt; i++) {
		uint32_t at = ntohl(addr) - ntohl(lm->pool[i].first);

		if (at < lm->pool[i].addr_cnt)
			return (int)(lm->pool_first[i] + at);
	}
	return -ENOENT;
}

bool lease_pool_offers(const struct rsip_lease *lm, uint32_t addr_index, uint8_t method)
{
	return lm->pool[lm->addr[addr_index].pool].methods & RSIP_METHOD_BIT(method);
}

bool lease_may_serve(const struct rsip_lease *lm, uint32_t addr_index, const struct rsip_lease_ask *ask)
{
	uint8_t method = ask->kind & RSIP_KIND_IKE ? RSIP_METHOD_RSIPSEC : ask->method;

	return lease_pool_offers(lm, addr_index, method) && rsip_pool_in(ask->pools, lm->addr[addr_index].pool);
}

/* ---- taking and giving ------------------------------------------------------------------------------------------------ */

uint32_t lease_count(const struct holding *held, bool spis)
{
	uint32_t from = spis ? held->port_ranges : 0, cnt = 0;
	uint32_t to = spis ? held->port_ranges + held->spi_ranges : held->port_ranges;

	if (held->ike_remote) /* no port of the address is gone */
		return 0;
	for (uint32_t i = from; i < to; i++)
		cnt += held->range[i].cnt;
	return cnt;
}

static struct range *spi_ranges(const struct holding *held)
{
	return (struct range *)&held->range[held->port_ranges];
}

static int spis_take(struct rsip_lease *lm, uint32_t addr_index, const struct range *r, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		int err = rsip_spis_free(&lm->spis, addr_index, r[i].first, r[i].cnt) ? 0 : -EEXIST;

		if (!err)
			err = rsip_spis_take(&lm->spis, addr_index, r[i].first, r[i].cnt);
		if (err) {
			while (i--)
				rsip_spis_give(&lm->spis, addr_index, r[i].first, r[i].cnt);
			return err;
		}
	}
	return 0;
}

int lease_take_found(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	struct rsip_pool_addr *a = &lm->addr[addr_index];
	struct rsip_pool_stats *stats = &lm->stats[a->pool];
	int err;

	if (held->ike_remote)
		return lease_ike_take(lm, addr_index, held);
	if (held->whole && !lease_whole_free(lm, addr_index))
		return -EEXIST;
	err = spis_take(lm, addr_index, spi_ranges(held), held->spi_ranges);
	if (err)
		return err;
	if (held->whole)
		lease_whole_take(lm, addr_index);
	for (uint32_t i = 0; i < held->port_ranges; i++)
		rsip_ports_take(a, (uint16_t)held->range[i].first, held->range[i].cnt);
	if (held->port_ranges)
		fit_update(lm, addr_index);
	stats->ports_leased += lease_count(held, false);
	stats->spis_leased += lease_count(held, true);
	stats->whole_leased += held->whole;
	return 0;
}

static void give_back(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	struct rsip_pool_addr *a = &lm->addr[addr_index];
	const struct range *spi = spi_ranges(held);

	if (held->ike_remote) {
		lease_ike_give(lm, addr_index, held);
		return;
	}
	if (held->whole)
		lease_whole_give(lm, addr_index);
	for (uint32_t i = 0; i < held->port_ranges; i++)
		rsip_ports_give(a, (uint16_t)held->range[i].first, held->range[i].cnt);
	if (held->port_ranges)
		fit_update(lm, addr_index);
	for (uint32_t i = 0; i < held->spi_ranges; i++)
		rsip_spis_give(&lm->spis, addr_index, spi[i].first, spi[i].cnt);
}

void lease_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	struct rsip_pool_stats *stats = &lm->stats[lm->addr[addr_index].pool];

	give_back(lm, addr_index, held);
	stats->ports_leased -= lease_count(held, false);
	stats->spis_leased -= lease_count(held, true);
	stats->whole_leased -= held->whole;
}

void lease_rest(struct rsip_lease *lm, uint32_t addr_index, struct holding *held, uint64_t now_ns)
{
	struct rsip_pool_stats *stats = &lm->stats[lm->addr[addr_index].pool];
	struct resting *r = lm->limits.hold_s ? calloc(1, sizeof(*r)) : NULL;

	if (!r) {
		lease_give(lm, addr_index, held);
		free(held);
		return;
	}
	stats->ports_leased -= lease_count(held, false);
	stats->spis_leased -= lease_count(held, true);
	stats->whole_leased -= held->whole;
	stats->ports_held += lease_count(held, false);
	stats->spis_held += lease_count(held, true);
	stats->whole_held += held->whole;
	r->until_ns = now_ns + lm->limits.hold_s * RSIP_NS_PER_S;
	r->addr_index = addr_index;
	r->held = held;
	if (lm->rest_last)
		lm->rest_last->next = r;
	else
		lm->rest_first = r;
	lm->rest_last = r;
}

void lease_rest_end(struct rsip_lease *lm, uint64_t now_ns)
{
	while (lm->rest_first && lm->rest_first->until_ns <= now_ns) {
		struct resting *r = lm->rest_first;
		struct rsip_pool_stats *stats = &lm->stats[lm->addr[r->addr_index].pool];

		lm->rest_first = r->next;
		if (!lm->rest_first)
			lm->rest_last = NULL;
		give_back(lm, r->addr_index, r->held);
		stats->ports_held -= lease_count(r->held, false);
		stats->spis_held -= lease_count(r->held, true);
		stats->whole_held -= r->held->whole;
		free(r->held);
		free(r);
	}
}

/* ---- serving an ask -------------------------------------------------------------------------------------------------- */

static unsigned int order_of(uint32_t cnt)
{
	unsigned int order = 0;

	while (1U << order < cnt)
		order++;
	return order;
}

static int by_first(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Contiguous runs of the numbers asked for, each checked: RFC 3103 9.8.3. */
static enum rsip_err ports_given(struct rsip_pool_addr *a, const struct rsip_lease_ask *ask, struct holding *h)
{
	for (uint32_t i = 0; i < ask->ports.cnt; i++)
		if (!rsip_port_allowed(a, ask->ports.port[i]))
			return RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED;
	for (uint32_t i = 0; i < ask->ports.cnt; i++) {
		uint16_t port = ask->ports.port[i];
		struct range *last = h->port_ranges ? &h->range[h->port_ranges - 1] : NULL;

		if (!rsip_port_free(a, port))
			return RSIP_ERR_LOCAL_ADDRPORT_INUSE;
		if (last && last->first + last->cnt == port)
			last->cnt++;
		else
			h->range[h->port_ranges++] = (struct range){ port, 1 };
	}
	return RSIP_OK;
}

/*
 * Any ports: the block right after the host's last one, else the first aligned block of that size, else pieces.
 * They are taken as they are found, and given back by the caller through the holding.
 */
static enum rsip_err ports_any(struct rsip_lease *lm, struct client *c, uint32_t addr_index, uint32_t cnt, struct holding *h)
{
	struct rsip_pool_addr *a = &lm->addr[addr_index];
	unsigned int order = order_of(cnt);
	uint32_t next = (c->next_port + (1U << order) - 1) & ~((1U << order) - 1);

	if (c->home == addr_index + 1 && c->next_port && rsip_ports_block_free(a, next, order)) {
		h->range[h->port_ranges++] = (struct range){ next, cnt };
		return RSIP_OK;
	}
	while (cnt) {
		int best = rsip_ports_best(a), first;
		uint32_t part;

		if (best <= 0)
			break;
		order = order_of(cnt);
		if ((int)order > best - 1)
			order = (unsigned int)best - 1;
		first = rsip_ports_find(a, order);
		if (first < 0)
			break;
		part = cnt < 1U << order ? cnt : 1U << order;
		h->range[h->port_ranges++] = (struct range){ (uint32_t)first, part };
		rsip_ports_take(a, (uint16_t)first, part); /* or the next piece would be the same */
		cnt -= part;
	}
	for (uint32_t i = 0; i < h->port_ranges; i++)
		rsip_ports_give(a, (uint16_t)h->range[i].first, h->range[i].cnt);
	return cnt ? RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE : RSIP_OK;
}

static enum rsip_err spis_wanted(struct rsip_lease *lm, uint32_t addr_index, const struct rsip_lease_ask *ask, struct holding *h)
{
	const struct rsip_pool_conf *p = &lm->pool[lm->addr[addr_index].pool];
	struct range *r = spi_ranges(h);
	uint32_t first;

	if (!ask->spi_cnt)
		return RSIP_OK;
	if (!ask->spis_given) {
		first = rsip_spis_find(&lm->spis, addr_index, ask->spi_cnt, p->spi_min, p->spi_max, lm->random);
		r[h->spi_ranges++] = (struct range){ first, ask->spi_cnt };
		return first ? RSIP_OK : RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
	}
	for (uint32_t i = 0; i < ask->spis.range_cnt; i++) {
		const struct rsip_spi_range *want = &ask->spis.range[i];

		if (!rsip_spis_free(&lm->spis, addr_index, want->first, want->cnt))
			return RSIP_ERR_IPSEC_SPI_INUSE;
		r[h->spi_ranges++] = (struct range){ want->first, want->cnt };
	}
	return RSIP_OK;
}

/* A block of 64 ports needs one range, not the 64 there was room for. */
struct holding *lease_holding_fit(struct holding *h)
{
	size_t size = sizeof(*h) + (h->port_ranges + h->spi_ranges) * sizeof(struct range);
	struct holding *fitting = malloc(size);

	if (!fitting)
		return h;
	memcpy(fitting, h, size);
	free(h);
	return fitting;
}

static enum rsip_err take_at(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			     uint32_t addr_index, struct holding **out)
{
	uint32_t room = ask->port_cnt + (ask->spis_given ? ask->spis.range_cnt : 1U) + 1;
	struct rsip_pool_addr *a = &lm->addr[addr_index];
	struct holding *h;
	enum rsip_err err = RSIP_OK;

	h = calloc(1, sizeof(*h) + room * sizeof(struct range));
	if (!h)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	if (ask->port_cnt)
		err = ask->ports_given ? ports_given(a, ask, h) : ports_any(lm, c, addr_index, ask->port_cnt, h);
	qsort(h->range, h->port_ranges, sizeof(struct range), by_first); /* a set is ascending: dataplane.h */
	if (!err)
		err = spis_wanted(lm, addr_index, ask, h);
	if (!err && lease_take_found(lm, addr_index, h))
		err = RSIP_ERR_IPSEC_SPI_INUSE; /* a value twice in the list, or memory is out */
	if (err) {
		free(h);
		return err;
	}
	*out = lease_holding_fit(h);
	return RSIP_OK;
}

#define PIECES_TRIES 16

/*
 * One pool: an address whose largest free block is big enough.  A free port or two promise nothing, so where pieces
 * are wanted the next addresses are tried as well, a bounded number of them.
 */
static bool take_in_pool(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask, uint32_t pool,
			 uint8_t need, uint32_t *addr_index, struct holding **held, enum rsip_err *err)
{
	for (int tries = 0; tries < (need > 1 ? 1 : PIECES_TRIES); tries++) {
		int found = fit_in_pool(lm, pool, need);

		if (found < 0)
			return false;
		*addr_index = (uint32_t)found;
		*err = take_at(lm, c, ask, *addr_index, held);
		lm->rotor = (uint32_t)found - lm->pool_first[pool] + 1; /* the next host, or try, elsewhere */
		if (*err == RSIP_OK)
			return true;
	}
	return false;
}

/* An address for a host that does not care: its own one first, then one whose largest free block is big enough. */
static enum rsip_err take_anywhere(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
				   uint32_t *addr_index, struct holding **held)
{
	enum rsip_err err = ask->port_cnt ? RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE : RSIP_ERR_LOCAL_ADDR_UNAVAILABLE;
	uint8_t need = ask->port_cnt && !ask->ports_given ? (uint8_t)(order_of(ask->port_cnt) + 1) : 0;
	bool offered = false;

	if (c->home && lease_may_serve(lm, c->home - 1, ask)) {
		*addr_index = c->home - 1;
		if (take_at(lm, c, ask, *addr_index, held) == RSIP_OK)
			return RSIP_OK;
	}
	for (; ; need = 1) { /* whole blocks first, then pieces */
		for (uint32_t pool = 0; pool < lm->pool_cnt; pool++) {
			if (!lease_may_serve(lm, lm->pool_first[pool], ask))
				continue;
			offered = true;
			if (take_in_pool(lm, c, ask, pool, need, addr_index, held, &err))
				return RSIP_OK;
		}
		if (need <= 1)
			break;
	}
	if (!offered)
		return ask->method == RSIP_METHOD_RSIPSEC ? RSIP_ERR_IPSEC_UNALLOWED : RSIP_ERR_LOCAL_ADDR_UNAVAILABLE;
	return err;
}

static bool ports_allowed(const struct rsip_lease *lm, uint32_t addr_index, const struct rsip_lease_ask *ask)
{
	if (ask->kind & RSIP_KIND_IKE || !ask->ports_given)
		return true;
	for (uint32_t i = 0; i < ask->ports.cnt; i++)
		if (!rsip_port_allowed(&lm->addr[addr_index], ask->ports.port[i]))
			return false;
	return true;
}

enum rsip_err rsip_lease_allowed(struct rsip_lease *lm, const struct rsip_lease_ask *ask)
{
	enum rsip_err err = RSIP_ERR_LOCAL_ADDR_UNALLOWED;
	int index = lease_addr_index(lm, ask->local);

	if (ask->local) {
		if (index < 0 || !lease_may_serve(lm, (uint32_t)index, ask))
			return RSIP_ERR_LOCAL_ADDR_UNALLOWED;
		return ports_allowed(lm, (uint32_t)index, ask) ? RSIP_OK : RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED;
	}
	if (ask->method == RSIP_METHOD_RSIPSEC) /* none at all: 401 says it better */
		err = RSIP_OK;
	for (uint32_t pool = 0; pool < lm->pool_cnt; pool++) {
		if (!lease_may_serve(lm, lm->pool_first[pool], ask))
			continue;
		if (ports_allowed(lm, lm->pool_first[pool], ask))
			return RSIP_OK;
		err = RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED;
	}
	return err;
}

enum rsip_err lease_take(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			 uint32_t *addr_index, struct holding **held)
{
	int index;

	if (ask->local) {
		index = lease_addr_index(lm, ask->local);
		if (index < 0 || !lease_may_serve(lm, (uint32_t)index, ask))
			return RSIP_ERR_LOCAL_ADDR_UNALLOWED;
		*addr_index = (uint32_t)index;
	}
	if (ask->method == RSIP_METHOD_RSA_IP)
		return lease_whole_find(lm, ask, addr_index, held);
	if (ask->kind & RSIP_KIND_IKE)
		return lease_ike_find(lm, c, ask, addr_index, held);
	if (!ask->local)
		return take_anywhere(lm, c, ask, addr_index, held);
	return take_at(lm, c, ask, *addr_index, held);
}
