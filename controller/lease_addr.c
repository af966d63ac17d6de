// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lease manager's addresses: which of them has room, and what is taken from one and given back. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"
#include "util.h"

/* ---- the tree over addresses ------------------------------------------------------------------------------------ */

static void fit_update(struct rsip_lease *lm, uint32_t index)
{
	uint32_t node = lm->fit_leaves + index;

	lm->fit[node] = rsip_ports_best(&lm->addr[index]);
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

int lease_fit_widen(struct rsip_lease *lm, uint32_t addr_cnt)
{
	uint32_t leaves = lm->fit_leaves;
	uint8_t *fit;

	while (leaves < addr_cnt)
		leaves *= 2;
	if (leaves == lm->fit_leaves)
		return 0;
	fit = calloc(2, leaves);
	if (!fit)
		return -ENOMEM;
	free(lm->fit);
	lm->fit = fit;
	lm->fit_leaves = leaves;
	for (uint32_t i = 0; i < lm->addr_cnt; i++)
		fit_update(lm, i);
	return 0;
}

int lease_fit_in_pool(struct rsip_lease *lm, uint32_t pool, uint8_t need)
{
	uint32_t first = lm->pool_first[pool], last = first + lm->pool[pool].addr_cnt - 1;
	uint32_t from = first + lm->rotor % lm->pool[pool].addr_cnt;
	int found = fit_find(lm, 1, 0, lm->fit_leaves, from, last, need);

	return found >= 0 || from == first ? found : fit_find(lm, 1, 0, lm->fit_leaves, first, from - 1, need);
}

/* ---- creation ------------------------------------------------------------------------------------------------------ */

/* What the addresses of a pool have in common. */
static int addr_example(struct rsip_lease *lm, uint32_t pool, struct rsip_pool_addr *a)
{
	const struct rsip_pool_conf *p = &lm->pool[pool];
	uint32_t ports;
	int err;

	*a = (struct rsip_pool_addr){
		.pool = (uint16_t)pool,
		.port_first = p->port_first,
		.port_last = p->port_last,
		.ipsec = p->methods & RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC),
		.rules = &p->rules,
	};
	if (p->methods & RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP)) /* has no ports to give */
		return 0;
	err = rsip_ports_fresh(a, &a->fresh, &ports);
	lm->stats[pool].ports_total = err ? 0 : (uint64_t)ports * p->addr_cnt;
	return err;
}

int lease_pool_create(struct rsip_lease *lm, uint32_t pool)
{
	const struct rsip_pool_conf *p = &lm->pool[pool];
	struct rsip_pool_addr example;
	int err = addr_example(lm, pool, &example);

	lm->stats[pool].addrs = p->addr_cnt;
	for (uint32_t i = 0; i < p->addr_cnt && !err; i++) {
		uint32_t index = lm->pool_first[pool] + i;
		struct rsip_pool_addr *a = &lm->addr[index];

		*a = example;
		a->addr = htonl(ntohl(p->first) + i);
		a->index = index;
		fit_update(lm, index);
		err = lm->dp->ops->addr_add(lm->dp, index, a->addr, pool);
		if (!err)
			err = lm->dp->ops->addr_rules(lm->dp, index, &p->rules);
	}
	return err;
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
		index += conf->pool[i].addr_cnt;
		err = lease_pool_create(lm, i);
		if (err)
			return err;
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

		if (at < lm->pool[i].addr_cnt && !lm->pool[i].gone)
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

	return !lm->pool[lm->addr[addr_index].pool].draining && lease_pool_offers(lm, addr_index, method) && rsip_pool_in(ask->pools, lm->addr[addr_index].pool);
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

static int spis_take(struct rsip_lease *lm, uint32_t addr_index, const struct rsip_store_range *r, uint32_t cnt)
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

bool lease_is_free(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	const struct rsip_store_range *r = held->range;

	if (held->ike_remote)
		return true; /* lease_ike_take() looks itself */
	if (held->whole && !lease_whole_free(lm, addr_index))
		return false;
	for (uint32_t i = 0; i < held->port_ranges; i++, r++)
		for (uint32_t j = 0; j < r->cnt; j++)
			if (!rsip_port_free(&lm->addr[addr_index], (uint16_t)(r->first + j)))
				return false;
	for (uint32_t i = 0; i < held->spi_ranges; i++, r++)
		if (!rsip_spis_free(&lm->spis, addr_index, r->first, r->cnt))
			return false;
	return true;
}

int lease_take_up(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	struct rsip_pool_addr *a = &lm->addr[addr_index];
	int err;

	if (held->ike_remote)
		return lease_ike_take(lm, addr_index, held);
	if (held->whole && !lease_whole_free(lm, addr_index))
		return -EEXIST;
	err = held->port_ranges ? rsip_ports_ready(a) : 0;
	if (!err)
		err = spis_take(lm, addr_index, lease_spi_ranges(held), held->spi_ranges);
	if (err)
		return err;
	if (held->whole)
		lease_whole_take(lm, addr_index);
	for (uint32_t i = 0; i < held->port_ranges; i++)
		rsip_ports_take(a, (uint16_t)held->range[i].first, held->range[i].cnt);
	if (held->port_ranges)
		fit_update(lm, addr_index);
	return 0;
}

int lease_take_found(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	struct rsip_pool_stats *stats = &lm->stats[lm->addr[addr_index].pool];
	int err = lease_take_up(lm, addr_index, held);

	if (err)
		return err;
	stats->ports_leased += lease_count(held, false);
	stats->spis_leased += lease_count(held, true);
	stats->whole_leased += held->whole;
	return 0;
}

void lease_give_back(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	struct rsip_pool_addr *a = &lm->addr[addr_index];
	const struct rsip_store_range *spi = lease_spi_ranges(held);

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

void lease_leased_less(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	struct rsip_pool_stats *stats = &lm->stats[lm->addr[addr_index].pool];

	stats->ports_leased -= lease_count(held, false);
	stats->spis_leased -= lease_count(held, true);
	stats->whole_leased -= held->whole;
}

void lease_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	lease_give_back(lm, addr_index, held);
	lease_leased_less(lm, addr_index, held);
}
