// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What an ask gets: which address, which ports and SPIs of it.  RFC 3103 9.6 to 9.9, RFC 3104 6. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"

static unsigned int order_of(uint32_t cnt)
{
	unsigned int order = 0;

	while (1U << order < cnt)
		order++;
	return order;
}

static int by_first(const void *a, const void *b)
{
	const struct rsip_store_range *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

/* Contiguous runs of the numbers asked for, each checked: RFC 3103 9.8.3. */
static enum rsip_err ports_given(struct rsip_lease *lm, const struct client *c, uint32_t addr_index,
				 const struct rsip_lease_ask *ask, struct holding *h)
{
	const struct rsip_pool_addr *a = &lm->addr[addr_index];

	for (uint32_t i = 0; i < ask->ports.cnt; i++)
		if (!rsip_port_allowed(a, ask->ports.port[i]))
			return RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED;
	for (uint32_t i = 0; i < ask->ports.cnt; i++) {
		uint16_t port = ask->ports.port[i];
		struct rsip_store_range *last = h->port_ranges ? &h->range[h->port_ranges - 1] : NULL;

		if (!rsip_port_free(a, port) && !lease_rest_owned(lm, c->pub.host, addr_index, port, false))
			return RSIP_ERR_LOCAL_ADDRPORT_INUSE;
		if (last && last->first + last->cnt == port)
			last->cnt++;
		else
			h->range[h->port_ranges++] = (struct rsip_store_range){ port, 1 };
	}
	return RSIP_OK;
}

#define ROOM_ORDER 3 /* a first block leaves room for seven more of its size */

/* A free aligned block, with room behind it for the host's next ones where there is any. */
static int block_find(const struct rsip_pool_addr *a, unsigned int order)
{
	for (unsigned int room = ROOM_ORDER; room; room--) {
		int first = order + room <= 16 ? rsip_ports_find(a, order + room) : -ENOSPC;

		if (first >= 0)
			return first;
	}
	return rsip_ports_find(a, order);
}

/*
 * Any ports: the block right after the host's last one, else an aligned block of that size, else pieces.
 * They are taken as they are found, and given back through the holding.
 */
static enum rsip_err ports_any(struct rsip_lease *lm, struct client *c, uint32_t addr_index, uint32_t cnt, struct holding *h)
{
	struct rsip_pool_addr *a = &lm->addr[addr_index];
	unsigned int order = order_of(cnt);
	uint32_t next = (c->next_port + (1U << order) - 1) & ~((1U << order) - 1);

	if (rsip_ports_ready(a))
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	if (c->home == addr_index + 1 && c->next_port && rsip_ports_block_free(a, next, order)) {
		h->range[h->port_ranges++] = (struct rsip_store_range){ next, cnt };
		return RSIP_OK;
	}
	while (cnt) {
		unsigned int best = rsip_ports_best(a);
		uint32_t part;
		int first;

		if (!best)
			break;
		order = order_of(cnt);
		if (order > best - 1)
			order = best - 1;
		first = h->port_ranges ? rsip_ports_find(a, order) : block_find(a, order);
		if (first < 0)
			break;
		part = cnt < 1U << order ? cnt : 1U << order;
		h->range[h->port_ranges++] = (struct rsip_store_range){ (uint32_t)first, part };
		rsip_ports_take(a, (uint16_t)first, part); /* or the next piece would be the same */
		cnt -= part;
	}
	for (uint32_t i = 0; i < h->port_ranges; i++)
		rsip_ports_give(a, (uint16_t)h->range[i].first, h->range[i].cnt);
	return cnt ? RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE : RSIP_OK;
}

/* Free, or resting after bindings of this host. */
static bool spis_to_be_had(struct rsip_lease *lm, const struct client *c, uint32_t addr_index, const struct rsip_spi_range *want)
{
	if (rsip_spis_free(&lm->spis, addr_index, want->first, want->cnt))
		return true;
	for (uint32_t i = 0; i < want->cnt; i++)
		if (!rsip_spis_free(&lm->spis, addr_index, want->first + i, 1) &&
		    !lease_rest_owned(lm, c->pub.host, addr_index, want->first + i, true))
			return false;
	return true;
}

static enum rsip_err spis_wanted(struct rsip_lease *lm, const struct client *c, uint32_t addr_index,
				 const struct rsip_lease_ask *ask, struct holding *h)
{
	const struct rsip_pool_conf *p = &lm->pool[lm->addr[addr_index].pool];
	struct rsip_store_range *r = lease_spi_ranges(h);
	uint32_t first;

	if (!ask->spi_cnt)
		return RSIP_OK;
	if (!ask->spis_given) {
		first = rsip_spis_find(&lm->spis, addr_index, ask->spi_cnt, p->spi_min, p->spi_max, &p->rules, lm->random);
		r[h->spi_ranges++] = (struct rsip_store_range){ first, ask->spi_cnt };
		return first ? RSIP_OK : RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
	}
	for (uint32_t i = 0; i < ask->spis.range_cnt; i++) {
		const struct rsip_spi_range *want = &ask->spis.range[i];

		if (rsip_spis_kernel(&p->rules, want->first, want->cnt) || !spis_to_be_had(lm, c, addr_index, want))
			return RSIP_ERR_IPSEC_SPI_INUSE;
		r[h->spi_ranges++] = (struct rsip_store_range){ want->first, want->cnt };
	}
	return RSIP_OK;
}

/* A block of 64 ports needs one range, not the 64 there was room for. */
struct holding *lease_holding_fit(struct holding *h)
{
	size_t size = sizeof(*h) + (h->port_ranges + h->spi_ranges) * sizeof(struct rsip_store_range);
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
	struct holding *h;
	enum rsip_err err = RSIP_OK;

	h = calloc(1, sizeof(*h) + room * sizeof(struct rsip_store_range));
	if (!h)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	if (ask->port_cnt)
		err = ask->ports_given ? ports_given(lm, c, addr_index, ask, h) : ports_any(lm, c, addr_index, ask->port_cnt, h);
	qsort(h->range, h->port_ranges, sizeof(struct rsip_store_range), by_first); /* a set is ascending: dataplane.h */
	if (!err)
		err = spis_wanted(lm, c, addr_index, ask, h);
	if (!err && (ask->ports_given || ask->spis_given))
		lease_rest_recall(lm, c->pub.host, addr_index, h);
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
		int found = lease_fit_in_pool(lm, pool, need);

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
	uint32_t home = c->home ? c->home : lease_rest_home(lm, c->pub.host);
	bool offered = false;

	if (home && lease_may_serve(lm, home - 1, ask) && lease_share_allows(lm, c, home - 1, ask)) {
		*addr_index = home - 1;
		if (take_at(lm, c, ask, *addr_index, held) == RSIP_OK)
			return RSIP_OK;
	}
	for (; ; need = 1) { /* whole blocks first, then pieces */
		for (uint32_t pool = 0; pool < lm->pool_cnt; pool++) {
			if (!lease_may_serve(lm, lm->pool_first[pool], ask))
				continue;
			offered = true;
			if (!lease_share_allows(lm, c, lm->pool_first[pool], ask))
				err = rsip_lease_none_left(ask->method, ask->port_cnt);
			else if (take_in_pool(lm, c, ask, pool, need, addr_index, held, &err))
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
		return lease_whole_find(lm, c, ask, addr_index, held);
	if (ask->kind & RSIP_KIND_IKE)
		return lease_ike_find(lm, c, ask, addr_index, held);
	if (!ask->local)
		return take_anywhere(lm, c, ask, addr_index, held);
	if (!lease_share_allows(lm, c, *addr_index, ask))
		return rsip_lease_none_left(ask->method, ask->port_cnt);
	return take_at(lm, c, ask, *addr_index, held);
}
