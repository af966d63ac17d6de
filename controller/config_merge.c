// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A changed configuration over the one in effect.  Pools keep their numbers (lease.h: rsip_lease_set_pools), so the list
 * of a reload is the old one, with what is given up marked as draining, and what is new behind it.  What only a start, or
 * the loader, can change is found here.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "util.h"

#define RESTART "cannot change in a running rsipd: restart it (leases are kept): systemctl restart rsipd"
#define ATTACH                                                                                                      \
	"is the data plane's: rsip-loader detach, rsip-loader attach --config FILE, and restart rsipd"

static bool same_range(const struct rsip_pool_conf *a, const struct rsip_pool_conf *b)
{
	return a->first == b->first && a->addr_cnt == b->addr_cnt;
}

static bool overlap(const struct rsip_pool_conf *a, const struct rsip_pool_conf *b)
{
	uint32_t x = ntohl(a->first), y = ntohl(b->first);

	return x < (uint64_t)y + b->addr_cnt && y < (uint64_t)x + a->addr_cnt;
}

static bool same_terms(const struct rsip_pool_conf *a, const struct rsip_pool_conf *b)
{
	return a->port_first == b->port_first && a->port_last == b->port_last && a->methods == b->methods &&
	       a->spi_min == b->spi_min && a->spi_max == b->spi_max && !memcmp(&a->rules, &b->rules, sizeof(a->rules));
}

/* Where a pool of the old list stands in the new one; -1: nowhere. */
static int find_range(const struct rsip_conf *conf, const struct rsip_pool_conf *pool)
{
	for (uint32_t i = 0; i < conf->pool_cnt; i++)
		if (same_range(&conf->pool[i], pool))
			return (int)i;
	return -1;
}

/* What becomes of a pool in effect; place[i]: where pool i of the new file goes. */
static void keep_or_drain(struct rsip_pool_conf *pool, const struct rsip_conf *fresh, int at,
			  struct rsip_conf_report *report)
{
	if (at < 0) {
		pool->draining = true;
		return;
	}
	if (!pool->gone && !same_terms(pool, &fresh->pool[at]))
		rsip_conf_find(report, false, 0, "pools",
			       "%s and on: ports, methods, spis and what is the machine's own " RESTART,
			       rsip_ip4(pool->first));
	*pool = fresh->pool[at];
}

static bool is_taken(const struct rsip_pool_conf *list, uint32_t cnt, const struct rsip_pool_conf *pool,
		     struct rsip_conf_report *report)
{
	for (uint32_t i = 0; i < cnt; i++) {
		if (list[i].gone || !overlap(&list[i], pool))
			continue;
		rsip_conf_find(report, false, 0, "pools",
			       "%s and on: some of these addresses are in another range now: write that range as it was, or "
			       "wait until it is drained, or restart rsipd",
			       rsip_ip4(pool->first));
		return true;
	}
	return false;
}

static struct rsip_pool_set move_set(const struct rsip_pool_set *set, const int *place, uint32_t cnt)
{
	struct rsip_pool_set moved = { .bit = { 0 } };

	for (uint32_t i = 0; i < cnt; i++)
		if (rsip_pool_in(set, i) && place[i] >= 0)
			moved.bit[place[i] / 64] |= 1ULL << place[i] % 64;
	return moved;
}

static void merge_pools(struct rsip_conf *fresh, const struct rsip_conf *now, struct rsip_pool_conf *list,
			struct rsip_conf_report *report)
{
	int place[RSIP_CONF_POOLS_MAX];
	uint32_t cnt = now->pool_cnt;

	memset(place, -1, sizeof(place));
	memcpy(list, now->pool, cnt * sizeof(*list));
	for (uint32_t i = 0; i < cnt; i++) {
		int at = find_range(fresh, &list[i]);

		keep_or_drain(&list[i], fresh, at, report);
		if (at >= 0)
			place[at] = (int)i;
	}
	for (uint32_t i = 0; i < fresh->pool_cnt; i++) {
		if (place[i] >= 0 || is_taken(list, cnt, &fresh->pool[i], report))
			continue;
		if (cnt == RSIP_CONF_POOLS_MAX) {
			rsip_conf_find(report, false, 0, "pools", "with those before, more than %d ranges: restart rsipd",
				       RSIP_CONF_POOLS_MAX);
			break;
		}
		place[i] = (int)cnt;
		list[cnt++] = fresh->pool[i];
	}
	for (uint32_t i = 0; i < fresh->policy_cnt; i++)
		fresh->policy[i].pools = move_set(&fresh->policy[i].pools, place, fresh->pool_cnt);
	memcpy(fresh->pool, list, cnt * sizeof(*list));
	fresh->pool_cnt = cnt;
}

static bool same_ifaces(const struct rsip_conf *a, const struct rsip_conf *b)
{
	return a->public_cnt == b->public_cnt && a->private_cnt == b->private_cnt &&
	       !memcmp(a->public_if, b->public_if, sizeof(a->public_if)) &&
	       !memcmp(a->private_if, b->private_if, sizeof(a->private_if));
}

static void find_fixed(const struct rsip_conf *fresh, const struct rsip_conf *now, struct rsip_conf_report *report)
{
	if (!same_ifaces(fresh, now))
		rsip_conf_find(report, false, 0, "interfaces", ATTACH);
	if (memcmp(&fresh->dataplane, &now->dataplane, sizeof(now->dataplane)))
		rsip_conf_find(report, false, 0, "dataplane", ATTACH);
	if (memcmp(&fresh->control, &now->control, sizeof(now->control)))
		rsip_conf_find(report, false, 0, "control", RESTART);
	if (strcmp(fresh->user, now->user))
		rsip_conf_find(report, false, 0, "user", RESTART);
	if (strcmp(fresh->store_path, now->store_path))
		rsip_conf_find(report, false, 0, "store.path", RESTART);
	if (strcmp(fresh->alloclog, now->alloclog) || fresh->alloclog_journal != now->alloclog_journal)
		rsip_conf_find(report, false, 0, "log.allocations", RESTART);
}

void rsip_conf_merge(struct rsip_conf *fresh, const struct rsip_conf *now, struct rsip_conf_report *report)
{
	struct rsip_pool_conf *list = calloc(RSIP_CONF_POOLS_MAX, sizeof(*list));

	if (!list) {
		rsip_conf_find(report, false, 0, "", "out of memory");
		return;
	}
	find_fixed(fresh, now, report);
	merge_pools(fresh, now, list, report);
	free(list);
}
