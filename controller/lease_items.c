// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The registrations and bindings that exist: how they are found, made and forgotten.  What that means to others is lease.c's. */
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"

/* ---- views ----------------------------------------------------------------------------------------------------- */

const struct rsip_lease_bind *lease_view(struct rsip_lease *lm, const struct bind *b)
{
	const struct holding *h = b->held;
	struct rsip_lease_bind *v = &lm->view;

	memset(v, 0, offsetof(struct rsip_lease_bind, ports));
	v->seq = b->row.seq;
	v->bind_id = b->row.bind_id;
	v->slot = b->slot;
	v->method = b->row.method;
	v->tunnel = b->row.tunnel;
	v->mtu = lease_mtu(b);
	v->dscp = lease_dscp(lm, b->row.host);
	v->mtu_learned = v->mtu != b->row.mtu;
	v->kind = b->row.kind;
	v->pool = b->pool;
	v->local = b->row.local;
	v->endpoint = b->row.endpoint;
	v->remote = b->row.remote;
	v->remote_port = b->row.remote_port;
	v->remote_port_cnt = b->row.remote_port_cnt;
	v->start_ns = b->row.start_ns;
	v->expires_ns = b->timer.at_ns;
	v->ports.cnt = 0;
	for (uint32_t i = 0; i < h->port_ranges; i++)
		for (uint32_t j = 0; j < h->range[i].cnt; j++)
			v->ports.port[v->ports.cnt++] = (uint16_t)(h->range[i].first + j);
	if (h->spi_ranges > lm->view_spi_size) {
		struct rsip_spi_range *r = realloc(lm->view_spis, h->spi_ranges * sizeof(*r));

		if (!r)
			return NULL;
		lm->view_spis = r;
		lm->view_spi_size = h->spi_ranges;
	}
	v->spis.range = lm->view_spis;
	v->spis.range_cnt = h->spi_ranges;
	for (uint32_t i = 0; i < h->spi_ranges; i++)
		v->spis.range[i] = (struct rsip_spi_range){ h->range[h->port_ranges + i].first,
							    h->range[h->port_ranges + i].cnt };
	return v;
}

/* ---- IDs ---------------------------------------------------------------------------------------------------------- */

struct client *lease_client_by_id(struct rsip_lease *lm, uint32_t id)
{
	struct client *c;

	HASH_FIND(by_id, lm->by_id, &id, sizeof(id), c);
	return c;
}

struct client *lease_client_by_host(struct rsip_lease *lm, __be32 host)
{
	struct client *c;

	HASH_FIND(by_host, lm->by_host, &host, sizeof(host), c);
	return c;
}

struct bind *lease_bind_by_id(struct rsip_lease *lm, uint32_t id)
{
	struct bind *b;

	HASH_FIND(hh, lm->binds, &id, sizeof(id), b);
	return b;
}

/* Random, so that an ID of the dead is met again within seconds only by a chance of one in four billion. */
uint32_t lease_new_client_id(struct rsip_lease *lm)
{
	uint32_t id;

	do
		lm->random(&id, sizeof(id));
	while (!id || lease_client_by_id(lm, id));
	return id;
}

uint32_t lease_new_bind_id(struct rsip_lease *lm)
{
	uint32_t id;

	do
		lm->random(&id, sizeof(id));
	while (!id || lease_bind_by_id(lm, id));
	return id;
}

/* ---- made and forgotten ------------------------------------------------------------------------------------------- */

struct client *lease_client_add(struct rsip_lease *lm, const struct rsip_lease_client *as)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->pub = *as;
	c->timer.kind = TIMER_CLIENT;
	c->path_timer.kind = TIMER_PATH;
	if (lease_index_add(&lm->clients, c, as->seq, &c->pub.seq)) {
		free(c);
		return NULL;
	}
	if (rsip_timer_set(&lm->timers, &c->timer, as->expires_ns)) {
		lease_index_remove(&lm->clients, c->pub.seq);
		free(c);
		return NULL;
	}
	HASH_ADD(by_id, lm->by_id, pub.client_id, sizeof(c->pub.client_id), c);
	HASH_ADD(by_host, lm->by_host, pub.host, sizeof(c->pub.host), c);
	return c;
}

/* R = max(R, Bi): RFC 3103 6. */
void lease_client_outlive(struct rsip_lease *lm, struct client *c, uint64_t expires_ns)
{
	if (c->pub.expires_ns >= expires_ns)
		return;
	c->pub.expires_ns = expires_ns;
	rsip_timer_set(&lm->timers, &c->timer, expires_ns);
}

/* What the host's next request will look at first. */
static void remember_home(struct client *c, const struct bind *b)
{
	const struct holding *held = b->held;

	if (b->row.method != RSIP_METHOD_RSA_IP)
		c->home = b->addr_index + 1;
	if (b->port_cnt)
		c->next_port = held->range[held->port_ranges - 1].first + held->range[held->port_ranges - 1].cnt;
}

struct bind *lease_bind_add(struct rsip_lease *lm, struct client *c, const struct rsip_store_lease *row, uint32_t addr_index,
			    struct holding *held)
{
	struct bind *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->row = *row;
	b->client = c;
	b->held = held;
	b->addr_index = addr_index;
	b->pool = lm->addr[addr_index].pool;
	b->port_cnt = lease_count(held, false);
	b->spi_cnt = lease_count(held, true);
	b->timer.kind = TIMER_BIND;
	if (lease_index_add(&lm->bind_order, b, row->seq, &b->row.seq)) {
		free(b);
		return NULL;
	}
	if (rsip_timer_set(&lm->timers, &b->timer, row->expires_ns)) {
		lease_index_remove(&lm->bind_order, b->row.seq);
		free(b);
		return NULL;
	}
	if (lease_share_add(lm, row->host, addr_index, held)) {
		rsip_timer_clear(&lm->timers, &b->timer);
		lease_index_remove(&lm->bind_order, b->row.seq);
		free(b);
		return NULL;
	}
	HASH_ADD(hh, lm->binds, row.bind_id, sizeof(b->row.bind_id), b);
	b->next = c->binds;
	if (c->binds)
		c->binds->prev = b;
	c->binds = b;
	c->pub.bind_cnt++;
	c->pub.port_cnt += b->port_cnt;
	c->pub.spi_cnt += b->spi_cnt;
	c->pub.whole_cnt += row->method == RSIP_METHOD_RSA_IP;
	lm->stats[b->pool].binds++;
	remember_home(c, b);
	return b;
}

void lease_bind_forget(struct rsip_lease *lm, struct bind *b)
{
	struct client *c = b->client;

	rsip_timer_clear(&lm->timers, &b->timer);
	lease_share_less(lm, b->row.host, b->addr_index, b->held);
	HASH_DEL(lm->binds, b);
	lease_index_remove(&lm->bind_order, b->row.seq);
	if (b->prev)
		b->prev->next = b->next;
	else
		c->binds = b->next;
	if (b->next)
		b->next->prev = b->prev;
	c->pub.bind_cnt--;
	c->pub.port_cnt -= b->port_cnt;
	c->pub.spi_cnt -= b->spi_cnt;
	c->pub.whole_cnt -= b->row.method == RSIP_METHOD_RSA_IP;
	lm->stats[b->pool].binds--;
	free(b);
}

void lease_client_forget(struct rsip_lease *lm, struct client *c)
{
	rsip_timer_clear(&lm->timers, &c->timer);
	rsip_timer_clear(&lm->timers, &c->path_timer);
	HASH_DELETE(by_id, lm->by_id, c);
	HASH_DELETE(by_host, lm->by_host, c);
	lease_index_remove(&lm->clients, c->pub.seq);
	free(c);
}

/* ---- look-ups and walks --------------------------------------------------------------------------------------------- */

struct rsip_lease_client *rsip_lease_by_host(struct rsip_lease *lm, __be32 host)
{
	struct client *c = lease_client_by_host(lm, host);

	return c ? &c->pub : NULL;
}

struct rsip_lease_client *rsip_lease_by_id(struct rsip_lease *lm, uint32_t client_id)
{
	struct client *c = lease_client_by_id(lm, client_id);

	return c ? &c->pub : NULL;
}

const struct rsip_lease_bind *rsip_lease_bind_by_id(struct rsip_lease *lm, uint32_t bind_id, struct rsip_lease_client **owner)
{
	struct bind *b = lease_bind_by_id(lm, bind_id);

	if (!b)
		return NULL;
	if (owner)
		*owner = &b->client->pub;
	return lease_view(lm, b);
}

void rsip_lease_walk_clients(struct rsip_lease *lm, uint64_t after_seq,
			     bool (*fn)(void *arg, const struct rsip_lease_client *c), void *arg)
{
	struct client *c;

	while ((c = lease_index_after(&lm->clients, after_seq))) {
		after_seq = c->pub.seq;
		if (!fn(arg, &c->pub))
			return;
	}
}

void rsip_lease_walk_binds(struct rsip_lease *lm, uint64_t after_seq,
			   bool (*fn)(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b), void *arg)
{
	const struct rsip_lease_bind *v;
	struct bind *b;

	while ((b = lease_index_after(&lm->bind_order, after_seq)) && (v = lease_view(lm, b))) {
		after_seq = b->row.seq;
		if (!fn(arg, &b->client->pub, v))
			return;
	}
}

void rsip_lease_each_bind(struct rsip_lease *lm, const struct rsip_lease_client *c,
			  void (*fn)(void *arg, const struct rsip_lease_bind *b), void *arg)
{
	const struct rsip_lease_bind *v;

	for (struct bind *b = ((const struct client *)c)->binds; b && (v = lease_view(lm, b)); b = b->next)
		fn(arg, v);
}
