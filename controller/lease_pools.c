// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Pools that come and go while leases live.  A pool keeps its number and its addresses their indices for as long as
 * rsipd runs: one that is given up is drained (no new leases, none is extended), and when nothing of it is leased or rests
 * its addresses leave the data plane.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"

/* realloc, what is new being zero. */
static bool widen(void *array, size_t size, uint32_t old, uint32_t cnt)
{
	void **p = array, *wide = realloc(*p, (cnt + 1) * size);

	if (!wide)
		return false;
	*p = wide;
	memset((char *)wide + old * size, 0, (cnt + 1 - old) * size);
	return true;
}

/* Room for so many; nothing that is counted has changed.  What points into the arrays is set right. */
static int make_room(struct rsip_lease *lm, uint32_t pool_cnt, uint32_t addr_cnt)
{
	bool done = widen(&lm->pool, sizeof(*lm->pool), lm->pool_cnt, pool_cnt) &&
		    widen(&lm->pool_first, sizeof(*lm->pool_first), lm->pool_cnt, pool_cnt) &&
		    widen(&lm->stats, sizeof(*lm->stats), lm->pool_cnt, pool_cnt) &&
		    widen(&lm->addr, sizeof(*lm->addr), lm->addr_cnt, addr_cnt) && !lease_whole_widen(lm, addr_cnt);

	for (uint32_t i = 0; i < lm->addr_cnt; i++)
		lm->addr[i].rules = &lm->pool[lm->addr[i].pool].rules;
	return done ? lease_fit_widen(lm, addr_cnt) : -ENOMEM;
}

static void take_off(struct rsip_lease *lm, uint32_t pool)
{
	for (uint32_t i = 0; i < lm->pool[pool].addr_cnt; i++) {
		uint32_t index = lm->pool_first[pool] + i;

		lm->dp->ops->addr_remove(lm->dp, index, lm->addr[index].addr);
	}
}

static int add_pool(struct rsip_lease *lm, const struct rsip_pool_conf *conf)
{
	uint32_t pool = lm->pool_cnt++;
	int err;

	lm->pool[pool] = *conf;
	lm->pool_first[pool] = lm->addr_cnt;
	lm->addr_cnt += conf->addr_cnt;
	err = lease_pool_create(lm, pool);
	if (!err)
		lease_whole_begin(lm, pool);
	return err;
}

static void forget_pools(struct rsip_lease *lm, uint32_t from)
{
	while (lm->pool_cnt > from) {
		uint32_t pool = --lm->pool_cnt;

		take_off(lm, pool);
		lm->addr_cnt -= lm->pool[pool].addr_cnt;
	}
}

static bool same_addresses(const struct rsip_pool_conf *a, const struct rsip_pool_conf *b)
{
	return a->first == b->first && a->addr_cnt == b->addr_cnt;
}

static void forget_ports(struct rsip_lease *lm, uint32_t pool)
{
	for (uint32_t i = 0; i < lm->pool[pool].addr_cnt; i++) {
		struct rsip_pool_addr *a = &lm->addr[lm->pool_first[pool] + i];

		free(a->best);
		a->best = NULL;
	}
}

/* One that had left comes back, with all it has free. */
static int bring_back(struct rsip_lease *lm, uint32_t pool, const struct rsip_pool_conf *conf)
{
	int err;

	lm->pool[pool] = *conf;
	err = lease_pool_create(lm, pool);
	if (!err)
		lease_whole_begin(lm, pool);
	return err;
}

/* The pools as they were before a change. */
struct before {
	struct rsip_pool_conf *pool;
	struct rsip_pool_stats *stats;
	uint32_t cnt;
};

static int remember(const struct rsip_lease *lm, struct before *b)
{
	*b = (struct before){
		.pool = calloc(lm->pool_cnt + 1, sizeof(*b->pool)),
		.stats = calloc(lm->pool_cnt + 1, sizeof(*b->stats)),
		.cnt = lm->pool_cnt,
	};
	if (!b->pool || !b->stats)
		return -ENOMEM;
	memcpy(b->pool, lm->pool, lm->pool_cnt * sizeof(*b->pool));
	memcpy(b->stats, lm->stats, lm->pool_cnt * sizeof(*b->stats));
	return 0;
}

static void forget(struct before *b)
{
	free(b->pool);
	free(b->stats);
}

/* What came goes, and so does what came back. */
static void undo(struct rsip_lease *lm, const struct before *b)
{
	forget_pools(lm, b->cnt);
	for (uint32_t i = 0; i < b->cnt; i++) {
		if (b->pool[i].gone == lm->pool[i].gone)
			continue;
		take_off(lm, i);
		forget_ports(lm, i);
		lm->pool[i] = b->pool[i];
		lm->stats[i] = b->stats[i];
	}
}

/* Is the list one that begins with what there is, and is there room for it? */
static int check_list(const struct rsip_lease *lm, const struct rsip_pool_conf *pool, uint32_t cnt, uint32_t *addr_cnt)
{
	*addr_cnt = lm->addr_cnt;
	for (uint32_t i = 0; i < cnt; i++) {
		if (i < lm->pool_cnt && !same_addresses(&pool[i], &lm->pool[i]))
			return -EINVAL;
		*addr_cnt += i < lm->pool_cnt ? 0 : pool[i].addr_cnt;
	}
	if (cnt < lm->pool_cnt)
		return -EINVAL;
	return *addr_cnt > lm->dp->ops->max_addrs(lm->dp) ? -ENOSPC : 0;
}

/* All that can fail. */
static int add_and_bring_back(struct rsip_lease *lm, const struct rsip_pool_conf *pool, uint32_t cnt, uint32_t old)
{
	int err = 0;

	for (uint32_t i = old; i < cnt && !err; i++)
		err = add_pool(lm, &pool[i]);
	for (uint32_t i = 0; i < old && !err; i++)
		if (lm->pool[i].gone && !pool[i].gone)
			err = bring_back(lm, i, &pool[i]);
	return err;
}

int rsip_lease_set_pools(struct rsip_lease *lm, const struct rsip_pool_conf *pool, uint32_t cnt)
{
	struct before before = { NULL, NULL, 0 };
	uint32_t addr_cnt, old = lm->pool_cnt;
	int err = check_list(lm, pool, cnt, &addr_cnt);

	if (!err)
		err = remember(lm, &before);
	if (!err)
		err = make_room(lm, cnt, addr_cnt);
	if (!err) {
		err = add_and_bring_back(lm, pool, cnt, old);
		if (err)
			undo(lm, &before);
	}
	forget(&before);
	for (uint32_t i = 0; i < old && !err; i++) {
		memcpy(lm->pool[i].name, pool[i].name, sizeof(lm->pool[i].name));
		lm->pool[i].draining = pool[i].draining;
	}
	return err;
}

static bool is_empty(const struct rsip_pool_stats *s)
{
	return !s->binds && !s->ports_held && !s->spis_held && !s->whole_held;
}

bool rsip_lease_drain(struct rsip_lease *lm)
{
	bool left = false;

	for (uint32_t i = 0; i < lm->pool_cnt; i++) {
		if (!lm->pool[i].draining || lm->pool[i].gone || !is_empty(&lm->stats[i]))
			continue;
		take_off(lm, i);
		forget_ports(lm, i);
		lm->pool[i].gone = left = true;
	}
	return left;
}

const struct rsip_pool_conf *rsip_lease_pool(const struct rsip_lease *lm, uint32_t pool)
{
	return pool < lm->pool_cnt ? &lm->pool[pool] : NULL;
}

void rsip_lease_set_limits(struct rsip_lease *lm, const struct rsip_lease_limits *limits)
{
	lm->limits = *limits;
}
