// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Addresses leased whole: RSA-IP, RFC 3103 9.6.  The free ones of a pool are a queue, so that the one that has
 * been free longest goes first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"

/* Links hold address index + 1, 0 ends them. */
struct whole_addr {
	uint32_t prev, next;
	uint32_t first, last; /* of the pool that begins with this address */
	bool is_free;
};

static struct whole_addr *queue_of(const struct rsip_lease *lm, uint32_t addr_index)
{
	return &lm->whole[lm->pool_first[lm->addr[addr_index].pool]];
}

int lease_whole_create(struct rsip_lease *lm)
{
	lm->whole = calloc(lm->addr_cnt + 1, sizeof(*lm->whole));
	if (!lm->whole)
		return -ENOMEM;
	for (uint32_t i = 0; i < lm->addr_cnt; i++)
		if (lease_pool_offers(lm, i, RSIP_METHOD_RSA_IP))
			lease_whole_give(lm, i);
	return 0;
}

int lease_whole_widen(struct rsip_lease *lm, uint32_t addr_cnt)
{
	struct whole_addr *wide = realloc(lm->whole, (addr_cnt + 1) * sizeof(*wide));

	if (!wide)
		return -ENOMEM;
	memset(&wide[lm->addr_cnt], 0, (addr_cnt + 1 - lm->addr_cnt) * sizeof(*wide));
	lm->whole = wide;
	return 0;
}

void lease_whole_begin(struct rsip_lease *lm, uint32_t pool)
{
	for (uint32_t i = 0; i < lm->pool[pool].addr_cnt; i++)
		if (lease_pool_offers(lm, lm->pool_first[pool] + i, RSIP_METHOD_RSA_IP) &&
		    !lm->whole[lm->pool_first[pool] + i].is_free)
			lease_whole_give(lm, lm->pool_first[pool] + i);
}

void lease_whole_destroy(struct rsip_lease *lm)
{
	free(lm->whole);
}

bool lease_whole_free(const struct rsip_lease *lm, uint32_t addr_index)
{
	return lm->whole[addr_index].is_free;
}

void lease_whole_take(struct rsip_lease *lm, uint32_t addr_index)
{
	struct whole_addr *w = &lm->whole[addr_index], *queue = queue_of(lm, addr_index);

	w->is_free = false;
	if (w->prev)
		lm->whole[w->prev - 1].next = w->next;
	else
		queue->first = w->next;
	if (w->next)
		lm->whole[w->next - 1].prev = w->prev;
	else
		queue->last = w->prev;
	w->prev = w->next = 0;
}

void lease_whole_give(struct rsip_lease *lm, uint32_t addr_index)
{
	struct whole_addr *w = &lm->whole[addr_index], *queue = queue_of(lm, addr_index);

	w->is_free = true;
	w->prev = queue->last;
	w->next = 0;
	if (queue->last)
		lm->whole[queue->last - 1].next = addr_index + 1;
	else
		queue->first = addr_index + 1;
	queue->last = addr_index + 1;
}

/* Index + 1 of an address that the ask could get, 0: there is none. */
static uint32_t any_free(struct rsip_lease *lm, const struct client *c, const struct rsip_lease_ask *ask)
{
	for (uint32_t pool = 0; pool < lm->pool_cnt; pool++) {
		uint32_t first = lm->pool_first[pool];

		if (lm->pool[pool].addr_cnt && lease_may_serve(lm, first, ask) && lm->whole[first].first &&
		    lease_share_allows(lm, c, first, ask))
			return lm->whole[first].first;
	}
	return 0;
}

/* *addr_index is the address asked for, if one was.  RFC 3103 9.6.3: 308 where none at all can be had. */
enum rsip_err lease_whole_find(struct rsip_lease *lm, const struct client *c, const struct rsip_lease_ask *ask,
			       uint32_t *addr_index, struct holding **held)
{
	struct holding *h = calloc(1, sizeof(*h));
	uint32_t found;

	if (!h)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	h->whole = true;
	if (ask->local && !lease_whole_free(lm, *addr_index))
		lease_rest_recall(lm, c->pub.host, *addr_index, h);
	if (ask->local && lease_whole_free(lm, *addr_index))
		found = lease_share_allows(lm, c, *addr_index, ask) ? *addr_index + 1 : 0;
	else
		found = any_free(lm, c, ask);
	if (!found || (ask->local && found != *addr_index + 1)) {
		free(h);
		return found ? RSIP_ERR_LOCAL_ADDR_INUSE : RSIP_ERR_LOCAL_ADDR_UNAVAILABLE;
	}
	*addr_index = found - 1;
	*held = h;
	if (!lease_take_found(lm, *addr_index, h))
		return RSIP_OK;
	free(h);
	return RSIP_ERR_INTERNAL_SERVER_ERROR;
}
