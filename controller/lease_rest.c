// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Resources that rest: RFC 3102 6.1.  What a binding held goes to nobody else for a while, oldest first; packets of
 * old conversations find no new owner.  The host that had it may have it back, by number.
 */
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"
#include "util.h"

#define OWN_LOOKED_AT 64 /* of a host's resting holdings, the latest first: a bounded search */

struct rest_host {
	__be32 host;
	struct resting *latest;
	uint32_t load; /* of all that rests after it */
	UT_hash_handle hh;
};

static uint32_t load_of(const struct holding *held)
{
	const struct rsip_store_range *spi = held->range + held->port_ranges;
	uint32_t load = 1U + held->port_ranges;

	for (uint32_t i = 0; i < held->spi_ranges; i++)
		load += 1 + spi[i].cnt / RSIP_SPI_BLOCK;
	return load;
}

static void stats_add(struct rsip_lease *lm, const struct resting *r, const struct holding *held, int sign)
{
	struct rsip_pool_stats *stats = &lm->stats[lm->addr[r->addr_index].pool];

	stats->ports_held += (uint64_t)(sign * (int64_t)lease_count(held, false));
	stats->spis_held += (uint64_t)(sign * (int64_t)lease_count(held, true));
	stats->whole_held += (uint64_t)(int64_t)(sign * held->whole);
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static struct rest_host *host_find(struct rsip_lease *lm, __be32 host)
{
	struct rest_host *h;

	HASH_FIND(hh, lm->rest_hosts, &host, sizeof(host), h);
	return h;
}

static void host_link(struct rest_host *h, struct resting *r)
{
	r->host = h;
	r->before = h->latest;
	if (h->latest)
		h->latest->later = r;
	h->latest = r;
}

static void host_unlink(struct rsip_lease *lm, struct resting *r)
{
	struct rest_host *h = r->host;

	if (r->later)
		r->later->before = r->before;
	else
		h->latest = r->before;
	if (r->before)
		r->before->later = r->later;
	if (h->latest)
		return;
	HASH_DEL(lm->rest_hosts, h);
	free(h);
}

static struct resting *resting_new(struct rsip_lease *lm, __be32 host)
{
	struct rest_host *h = host_find(lm, host);
	struct resting *r = calloc(1, sizeof(*r));

	if (!r || h)
		goto out;
	h = calloc(1, sizeof(*h));
	if (!h) {
		free(r);
		return NULL;
	}
	h->host = host;
	HASH_ADD(hh, lm->rest_hosts, host, sizeof(h->host), h);
out:
	if (r)
		host_link(h, r);
	return r;
}

static void queue_remove(struct rsip_lease *lm, struct resting *r)
{
	if (r->prev)
		r->prev->next = r->next;
	else
		lm->rest_first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	else
		lm->rest_last = r->prev;
}

static void queue_append(struct rsip_lease *lm, struct resting *r)
{
	r->prev = lm->rest_last;
	if (lm->rest_last)
		lm->rest_last->next = r;
	else
		lm->rest_first = r;
	lm->rest_last = r;
}

static void resting_free(struct rsip_lease *lm, struct resting *r)
{
	queue_remove(lm, r);
	r->host->load -= load_of(r->held);
	lease_share_less(lm, r->row.host, r->addr_index, r->held);
	host_unlink(lm, r);
	free(r->held);
	free(r);
}

/* ---- begin and end ------------------------------------------------------------------------------------------------- */

struct resting *lease_rest(struct rsip_lease *lm, const struct rsip_store_lease *row, uint32_t addr_index,
			   struct holding *held)
{
	struct resting *r = resting_new(lm, row->host);

	if (!r)
		return NULL;
	if (lease_share_add(lm, row->host, addr_index, held)) {
		host_unlink(lm, r);
		free(r);
		return NULL;
	}
	r->row = *row;
	r->addr_index = addr_index;
	r->held = held;
	r->host->load += load_of(held);
	stats_add(lm, r, held, 1);
	queue_append(lm, r);
	return r;
}

static void rest_over(struct rsip_lease *lm, struct resting *r)
{
	stats_add(lm, r, r->held, -1);
	lease_give_back(lm, r->addr_index, r->held);
	if (lm->journal)
		rsip_journal_gone(lm->journal, &r->mark, RSIP_STORE_LEASE, r->row.seq);
	resting_free(lm, r);
}

static bool is_durable(const struct rsip_lease *lm, const struct resting *r)
{
	return !lm->journal || r->batch <= rsip_journal_durable(lm->journal);
}

uint64_t lease_rest_end(struct rsip_lease *lm, uint64_t now_ns, unsigned int max)
{
	struct resting *r;

	while ((r = lm->rest_first) && r->row.rest_ns <= now_ns) {
		if (!is_durable(lm, r))
			return ~0ULL; /* it waits for the store */
		if (!max--)
			return now_ns;
		rest_over(lm, r);
	}
	return r ? r->row.rest_ns : ~0ULL;
}

static int by_end(const void *a, const void *b)
{
	const struct resting *const *x = a, *const *y = b;

	return (*x)->row.rest_ns < (*y)->row.rest_ns ? -1 : (*x)->row.rest_ns > (*y)->row.rest_ns;
}

void lease_rest_sort(struct rsip_lease *lm)
{
	struct resting **all;
	size_t cnt = 0;

	for (struct resting *r = lm->rest_first; r; r = r->next)
		cnt++;
	all = malloc((cnt + 1) * sizeof(struct resting *));
	if (!all)
		return; /* some rest longer, behind others */
	cnt = 0;
	for (struct resting *r = lm->rest_first; r; r = r->next)
		all[cnt++] = r;
	qsort(all, cnt, sizeof(struct resting *), by_end);
	lm->rest_first = lm->rest_last = NULL;
	for (size_t i = 0; i < cnt; i++) {
		all[i]->next = NULL;
		queue_append(lm, all[i]);
	}
	free(all);
}

void lease_rest_clear(struct rsip_lease *lm)
{
	while (lm->rest_first)
		resting_free(lm, lm->rest_first);
}

/* ---- back to the host that had it ---------------------------------------------------------------------------------- */

/* Ranges ascend: a host may give back hundreds of SPIs one by one, and ask for as many. */
static bool holds(const struct holding *h, uint32_t number, bool spi)
{
	const struct rsip_store_range *r = h->range + (spi ? h->port_ranges : 0);
	uint32_t low = 0, high = spi ? h->spi_ranges : h->port_ranges;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (number - r[middle].first < r[middle].cnt)
			return true;
		if (number < r[middle].first)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

/* Goes through the host's latest holdings at this address; *left bounds it.  prev NULL: the first. */
static struct resting *own_next(struct rsip_lease *lm, __be32 host, uint32_t addr_index, struct resting *r, uint32_t *left)
{
	struct rest_host *h;

	if (r) {
		r = r->before;
	} else {
		h = host_find(lm, host);
		r = h ? h->latest : NULL;
	}
	for (; r && *left; r = r->before) {
		(*left)--;
		if (r->addr_index == addr_index)
			return r;
	}
	return NULL;
}

bool lease_rest_owned(struct rsip_lease *lm, __be32 host, uint32_t addr_index, uint32_t number, bool spi)
{
	uint32_t left = OWN_LOOKED_AT;

	for (struct resting *r = NULL; (r = own_next(lm, host, addr_index, r, &left));)
		if (!r->held->ike_remote && holds(r->held, number, spi))
			return true;
	return false;
}

uint32_t lease_rest_load(struct rsip_lease *lm, __be32 host)
{
	const struct rest_host *h = host_find(lm, host);

	return h ? h->load : 0;
}

uint32_t lease_rest_home(struct rsip_lease *lm, __be32 host)
{
	const struct rest_host *h = host_find(lm, host);

	return h ? h->latest->addr_index + 1 : 0;
}

/* What is left of a[0 .. a_cnt-1] without b's numbers, from `to` on; how many ranges.  Both ascend, so one walk will do. */
static uint16_t ranges_without(const struct rsip_store_range *a, uint32_t a_cnt, const struct rsip_store_range *b, uint32_t b_cnt,
			       struct rsip_store_range *to)
{
	uint16_t cnt = 0;

	for (uint32_t i = 0, j = 0; i < a_cnt; i++) {
		uint64_t from = a[i].first, end = from + a[i].cnt;

		while (j < b_cnt && (uint64_t)b[j].first + b[j].cnt <= from)
			j++;
		for (uint32_t k = j; k < b_cnt && b[k].first < end; k++) {
			if (b[k].first > from)
				to[cnt++] = (struct rsip_store_range){ (uint32_t)from, (uint32_t)(b[k].first - from) };
			from = (uint64_t)b[k].first + b[k].cnt;
		}
		if (from < end)
			to[cnt++] = (struct rsip_store_range){ (uint32_t)from, (uint32_t)(end - from) };
	}
	return cnt;
}

struct holding *lease_without(const struct holding *a, const struct holding *b)
{
	size_t room = a->port_ranges + a->spi_ranges + b->port_ranges + b->spi_ranges; /* each of b's may cut one in two */
	struct holding *h = calloc(1, sizeof(*h) + room * sizeof(struct rsip_store_range));

	if (!h)
		return NULL;
	h->port_ranges = ranges_without(a->range, a->port_ranges, b->range, b->port_ranges, h->range);
	h->spi_ranges = ranges_without(a->range + a->port_ranges, a->spi_ranges, b->range + b->port_ranges, b->spi_ranges,
				       h->range + h->port_ranges);
	return lease_holding_fit(h);
}

static void rest_without(struct rsip_lease *lm, struct resting *r, const struct holding *held)
{
	struct holding *left = lease_without(r->held, held);

	if (!left)
		return;
	if (!left->port_ranges && !left->spi_ranges) {
		free(left);
		rest_over(lm, r);
		return;
	}
	stats_add(lm, r, r->held, -1);
	lease_give_back(lm, r->addr_index, r->held);
	lease_share_add(lm, r->row.host, r->addr_index, left); /* cannot fail: the host has a share */
	lease_share_less(lm, r->row.host, r->addr_index, r->held);
	r->host->load += load_of(left) - load_of(r->held);
	free(r->held);
	r->held = left;
	lease_take_up(lm, r->addr_index, left); /* SPIs need memory: without it these are free a little early */
	stats_add(lm, r, left, 1);
	lease_keep(lm, &r->mark, &r->row, left);
}

/* Has one of the ports, for the same remote. */
static bool same_listener(const struct holding *a, const struct holding *b)
{
	return a->ike_remote == b->ike_remote &&
	       ((holds(a, 500, false) && holds(b, 500, false)) || (holds(a, 4500, false) && holds(b, 4500, false)));
}

void lease_rest_recall(struct rsip_lease *lm, __be32 host, uint32_t addr_index, const struct holding *held)
{
	uint32_t left = OWN_LOOKED_AT;
	struct resting *r = own_next(lm, host, addr_index, NULL, &left);

	while (r) {
		struct resting *next = own_next(lm, host, addr_index, r, &left);

		if (r->held->whole || r->held->ike_remote) {
			if (r->held->whole ? held->whole : same_listener(r->held, held))
				rest_over(lm, r);
		} else if (!held->whole && !held->ike_remote) {
			rest_without(lm, r, held);
		}
		r = next;
	}
}
