// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Registrations and bindings: their life from grant to end.  RFC 3103 6. */
#include "lease.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"
#include "log.h"
#include "util.h"

#define BIND_OF(t) ((struct bind *)((char *)(t) - offsetof(struct bind, timer)))
#define CLIENT_OF(t) ((struct client *)((char *)(t) - offsetof(struct client, timer)))
#define PATH_OF(t) ((struct client *)((char *)(t) - offsetof(struct client, path_timer)))

/* ---- ends ------------------------------------------------------------------------------------------------------------ */

void lease_keep(struct rsip_lease *lm, struct rsip_journal_mark *mark, const struct rsip_store_lease *row,
		const struct holding *held)
{
	struct rsip_store_lease full = *row;

	if (!lm->journal)
		return;
	full.range = held->range;
	full.port_ranges = held->port_ranges;
	full.spi_ranges = held->spi_ranges;
	rsip_journal_lease(lm->journal, mark, &full);
}

void lease_keep_bind(struct rsip_lease *lm, struct bind *b)
{
	b->row.expires_ns = b->timer.at_ns;
	lease_keep(lm, &b->mark, &b->row, b->held);
}

/* What was held rests: until its time is over, and its end is durable.  false: it is free at once. */
static bool let_rest(struct rsip_lease *lm, struct bind *b, uint64_t now_ns)
{
	struct resting *r = NULL;

	b->row.expires_ns = b->timer.at_ns;
	b->row.rest_ns = now_ns + lm->limits.hold_s * RSIP_NS_PER_S;
	if (lm->limits.hold_s || lm->journal)
		r = lease_rest(lm, &b->row, b->addr_index, b->held);
	if (r) {
		lease_leased_less(lm, b->addr_index, b->held);
		r->mark = b->mark;
		lease_keep(lm, &r->mark, &r->row, r->held);
		r->batch = lm->journal ? rsip_journal_open(lm->journal) : 0;
		return true;
	}
	if (lm->journal)
		rsip_journal_gone(lm->journal, &b->mark, RSIP_STORE_LEASE, b->row.seq);
	lease_give(lm, b->addr_index, b->held);
	return false;
}

static void bind_end(struct rsip_lease *lm, struct bind *b, enum rsip_end why, uint64_t now_ns)
{
	const struct rsip_lease_bind *v = lease_view(lm, b);
	struct holding *held = b->held;
	bool rests;

	lm->dp->ops->bind_remove(lm->dp, b->slot);
	if (lm->sink.bind_end && v)
		lm->sink.bind_end(lm->sink.arg, &b->client->pub, v, why);
	rests = let_rest(lm, b, now_ns);
	lease_bind_forget(lm, b);
	if (!rests)
		free(held);
}

void rsip_lease_deregister(struct rsip_lease *lm, struct rsip_lease_client *pub, enum rsip_end why, uint64_t now_ns)
{
	struct client *c = client_of(pub);

	while (c->binds)
		bind_end(lm, c->binds, why, now_ns);
	if (lm->sink.client_end)
		lm->sink.client_end(lm->sink.arg, pub, why);
	lease_client_forget(lm, c);
}

/* ---- creation and start-up --------------------------------------------------------------------------------------------- */

int rsip_lease_create(const struct rsip_lease_conf *conf, struct rsip_dataplane *dp, void (*random)(void *buf, size_t len),
		      const struct rsip_lease_sink *sink, struct rsip_lease **out)
{
	struct rsip_lease *lm = calloc(1, sizeof(*lm));
	int err;

	if (!lm)
		return -ENOMEM;
	lm->limits = conf->limits;
	lm->journal = conf->journal;
	lm->dp = dp;
	lm->random = random;
	if (sink)
		lm->sink = *sink;
	err = lease_addrs_create(lm, conf);
	if (err) {
		rsip_lease_destroy(lm);
		return err;
	}
	*out = lm;
	return 0;
}

void rsip_lease_destroy(struct rsip_lease *lm)
{
	struct client *c, *next;
	struct bind *b;

	if (!lm)
		return;
	while ((b = lease_index_after(&lm->bind_order, 0))) {
		struct holding *held = b->held;

		lease_bind_forget(lm, b);
		free(held);
	}
	HASH_ITER(by_id, lm->by_id, c, next)
		lease_client_forget(lm, c);
	lease_rest_clear(lm);
	lease_found_clear(lm);
	lease_share_clear(lm);
	lease_index_free(&lm->clients);
	lease_index_free(&lm->bind_order);
	lease_addrs_destroy(lm);
	rsip_timers_free(&lm->timers);
	free(lm->view_spis);
	free(lm);
}

/* ---- requests --------------------------------------------------------------------------------------------------------------- */

static uint64_t lease_ns(const struct rsip_lease *lm, uint32_t lease_s)
{
	const struct rsip_lease_limits *l = &lm->limits;

	if (!lease_s)
		lease_s = l->lease_default_s;
	if (lease_s < l->lease_min_s)
		lease_s = l->lease_min_s;
	if (lease_s > l->lease_max_s)
		lease_s = l->lease_max_s;
	return lease_s * RSIP_NS_PER_S;
}

enum rsip_err rsip_lease_register(struct rsip_lease *lm, __be32 host, uint16_t iface, uint8_t transport, uint64_t now_ns,
				  struct rsip_lease_client **out)
{
	struct client *c = lease_client_by_host(lm, host);
	struct rsip_lease_client as = {
		.host = host,
		.iface = iface,
		.transport = transport,
		.start_ns = now_ns,
		.expires_ns = now_ns + lm->limits.register_s * RSIP_NS_PER_S,
	};

	if (c) {
		*out = &c->pub;
		return RSIP_ERR_ALREADY_REGISTERED;
	}
	*out = NULL;
	if (HASH_CNT(by_id, lm->by_id) >= lm->limits.clients)
		return RSIP_ERR_REGISTRATION_DENIED;
	as.client_id = lease_new_client_id(lm);
	c = lease_client_add(lm, &as);
	if (!c)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	*out = &c->pub;
	return RSIP_OK;
}

/* There is no room, in the data plane, on the disk or for what rests. */
static enum rsip_err nothing_new(const struct rsip_lease_ask *ask)
{
	return rsip_lease_none_left(ask->method, ask->port_cnt);
}

static enum rsip_err quota(struct rsip_lease *lm, const struct client *c, const struct rsip_lease_ask *ask)
{
	const struct rsip_lease_limits *l = &lm->limits;

	/* Who leases and frees in turn has little, and still fills memory and disk with what rests. */
	if (l->resting_per_client && lease_rest_load(lm, c->pub.host) >= l->resting_per_client)
		return nothing_new(ask);
	if (ask->method == RSIP_METHOD_RSA_IP)
		return c->pub.bind_cnt >= l->binds_per_client || c->pub.whole_cnt >= l->addrs_per_client
			       ? RSIP_ERR_LOCAL_ADDR_UNAVAILABLE
			       : RSIP_OK;
	if (c->pub.bind_cnt >= l->binds_per_client)
		return ask->port_cnt || !ask->spi_cnt ? RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE : RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
	if (!(ask->kind & RSIP_KIND_IKE) && c->pub.port_cnt + ask->port_cnt > l->ports_per_client)
		return RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE;
	if (c->pub.spi_cnt + ask->spi_cnt > l->spis_per_client)
		return RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
	return RSIP_OK;
}

static enum rsip_err not_installed(const struct bind *b, const struct rsip_lease_ask *ask, int err)
{
	log_warn("cannot install a binding: client %u, bind %u: %s", b->row.client_id, b->row.bind_id, strerror(-err));
	return err == -ENOSPC ? nothing_new(ask) : RSIP_ERR_INTERNAL_SERVER_ERROR;
}

int lease_install(struct rsip_lease *lm, struct bind *b, uint64_t nexthop)
{
	const struct rsip_lease_bind *v = lease_view(lm, b);
	struct rsip_dp_binding dpb;

	if (!v)
		return -ENOMEM;
	memset(&dpb.rec, 0, sizeof(dpb.rec));
	dpb.rec.expires_ns = b->timer.at_ns;
	dpb.rec.nexthop = nexthop;
	dpb.rec.local = b->row.local;
	dpb.rec.host = b->row.host;
	dpb.rec.endpoint = b->row.endpoint;
	dpb.rec.bind_id = b->row.bind_id;
	dpb.rec.client_id = b->row.client_id;
	dpb.rec.addr_index = b->addr_index;
	dpb.rec.iface = (__u8)b->client->pub.iface;
	dpb.rec.dscp = lease_dscp(lm, b->row.host);
	dpb.rec.mtu = lease_mtu(b);
	dpb.rec.method = b->row.method;
	dpb.rec.tunnel = b->row.tunnel;
	dpb.rec.transport = b->client->pub.transport;
	dpb.rec.kind = b->row.kind;
	dpb.rec.remote = b->row.remote;
	dpb.rec.remote_port = htons(b->row.remote_port);
	dpb.rec.remote_port_cnt = b->row.remote_port_cnt;
	dpb.ports = v->ports;
	dpb.spis = v->spis;
	return lm->dp->ops->bind_install(lm->dp, &dpb, &b->slot);
}

/* The search, and the count of what only a fair share stood against. */
static enum rsip_err take(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask, uint32_t *addr_index,
			  struct holding **held)
{
	enum rsip_err err;

	lm->unfair = 0;
	err = lease_take(lm, c, ask, addr_index, held);
	if (err && lm->unfair)
		lm->stats[lm->unfair - 1].share_refused++;
	return err;
}

static struct rsip_store_lease row_of(struct rsip_lease *lm, const struct client *c, const struct rsip_lease_ask *ask,
				      uint32_t addr_index, uint64_t now_ns)
{
	return (struct rsip_store_lease){
		.start_ns = now_ns,
		.expires_ns = now_ns + lease_ns(lm, ask->lease_s),
		.client_id = c->pub.client_id,
		.bind_id = lease_new_bind_id(lm),
		.host = c->pub.host,
		.local = lm->addr[addr_index].addr,
		.endpoint = ask->endpoint,
		.remote = ask->remote,
		.remote_port = ask->remote_port,
		.remote_port_cnt = ask->remote_port_cnt,
		.mtu = ask->mtu,
		.method = ask->method,
		.tunnel = ask->tunnel,
		.kind = ask->kind,
	};
}

enum rsip_err rsip_lease_assign(struct rsip_lease *lm, struct rsip_lease_client *pub, const struct rsip_lease_ask *ask,
				uint64_t now_ns, const struct rsip_lease_bind **out)
{
	struct client *c = client_of(pub);
	uint32_t home = c->home, next_port = c->next_port, addr_index = 0;
	struct holding *held = NULL;
	enum rsip_err err = quota(lm, c, ask);
	struct rsip_store_lease row;
	struct bind *b;
	int failed;

	if (!err && lm->journal && rsip_journal_failing(lm->journal))
		err = nothing_new(ask);
	if (!err)
		err = take(lm, c, ask, &addr_index, &held);
	if (err)
		return err;
	row = row_of(lm, c, ask, addr_index, now_ns);
	b = lease_bind_add(lm, c, &row, addr_index, held);
	if (!b) {
		err = RSIP_ERR_INTERNAL_SERVER_ERROR;
		goto give;
	}
	failed = lease_install(lm, b, ask->nexthop);
	if (failed) {
		err = not_installed(b, ask, failed);
		lease_bind_forget(lm, b);
		c->home = home;
		c->next_port = next_port;
		goto give;
	}
	lease_client_outlive(lm, c, b->timer.at_ns);
	lease_keep_bind(lm, b);
	*out = lease_view(lm, b);
	if (lm->sink.bind_start)
		lm->sink.bind_start(lm->sink.arg, pub, *out);
	return RSIP_OK;
give:
	lease_give(lm, addr_index, held);
	free(held);
	return err;
}

static struct bind *own_bind(struct rsip_lease *lm, struct rsip_lease_client *c, uint32_t bind_id)
{
	struct bind *b = lease_bind_by_id(lm, bind_id);

	return b && &b->client->pub == c ? b : NULL;
}

enum rsip_err rsip_lease_extend(struct rsip_lease *lm, struct rsip_lease_client *c, uint32_t bind_id, uint32_t lease_s,
				uint64_t now_ns, const struct rsip_lease_bind **out)
{
	struct bind *b = own_bind(lm, c, bind_id);
	uint64_t expires_ns = now_ns + lease_ns(lm, lease_s);

	if (!b || b->timer.at_ns <= now_ns)
		return RSIP_ERR_BAD_BIND_ID;
	/* The host may shorten its lease; what is already granted is never taken by an extension it asked for. */
	if (expires_ns > b->timer.at_ns && !lm->pool[b->pool].draining) {
		if (lm->dp->ops->bind_extend(lm->dp, b->slot, expires_ns))
			return RSIP_ERR_INTERNAL_SERVER_ERROR;
		rsip_timer_set(&lm->timers, &b->timer, expires_ns);
		lease_client_outlive(lm, b->client, expires_ns);
		lease_keep_bind(lm, b);
	}
	*out = lease_view(lm, b);
	return RSIP_OK;
}

enum rsip_err rsip_lease_free(struct rsip_lease *lm, struct rsip_lease_client *c, uint32_t bind_id, enum rsip_end why,
			      uint64_t now_ns)
{
	struct bind *b = own_bind(lm, c, bind_id);

	if (!b)
		return RSIP_ERR_BAD_BIND_ID;
	bind_end(lm, b, why, now_ns);
	return RSIP_OK;
}

void rsip_lease_nexthop(struct rsip_lease *lm, struct rsip_lease_client *pub, uint64_t nexthop)
{
	for (struct bind *b = client_of(pub)->binds; b; b = b->next)
		lm->dp->ops->bind_nexthop(lm->dp, b->slot, nexthop);
}

uint64_t rsip_lease_expire(struct rsip_lease *lm, uint64_t now_ns)
{
	unsigned int room = RSIP_LEASE_EXPIRE_MAX;
	uint64_t next, rest_next;
	struct rsip_timer *t;

	while ((t = rsip_timer_first(&lm->timers)) && t->at_ns <= now_ns && room--) {
		if (t->kind == TIMER_BIND)
			bind_end(lm, BIND_OF(t), RSIP_END_EXPIRED, now_ns);
		else if (t->kind == TIMER_PATH)
			lease_path_forget(lm, PATH_OF(t));
		else
			rsip_lease_deregister(lm, &CLIENT_OF(t)->pub, RSIP_END_EXPIRED, now_ns);
	}
	next = t ? t->at_ns : ~0ULL;
	rest_next = lease_rest_end(lm, now_ns, RSIP_LEASE_EXPIRE_MAX);
	return rest_next < next ? rest_next : next;
}

void rsip_lease_expire_host(struct rsip_lease *lm, __be32 host, uint64_t now_ns)
{
	struct client *c = lease_client_by_host(lm, host);
	struct bind *next;

	if (c && c->timer.at_ns <= now_ns) {
		rsip_lease_deregister(lm, &c->pub, RSIP_END_EXPIRED, now_ns);
		return;
	}
	for (struct bind *b = c ? c->binds : NULL; b; b = next) {
		next = b->next;
		if (b->timer.at_ns <= now_ns)
			bind_end(lm, b, RSIP_END_EXPIRED, now_ns);
	}
}

enum rsip_err rsip_lease_none_left(uint8_t method, uint32_t port_cnt)
{
	if (method == RSIP_METHOD_RSA_IP)
		return RSIP_ERR_LOCAL_ADDR_UNAVAILABLE;
	return method == RSIP_METHOD_RSAP_IP || port_cnt ? RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE : RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
}

uint32_t rsip_lease_pools(struct rsip_lease *lm)
{
	return lm->pool_cnt;
}

void rsip_lease_pool_stats(struct rsip_lease *lm, uint32_t pool, struct rsip_pool_stats *out)
{
	*out = lm->stats[pool];
}

uint32_t rsip_lease_client_count(struct rsip_lease *lm)
{
	return HASH_CNT(by_id, lm->by_id);
}

uint32_t rsip_lease_bind_count(struct rsip_lease *lm)
{
	return HASH_COUNT(lm->binds);
}

uint32_t rsip_lease_methods(const struct rsip_lease *lm, const struct rsip_pool_set *pools)
{
	uint32_t methods = 0;

	for (uint32_t i = 0; i < lm->pool_cnt; i++)
		if (rsip_pool_in(pools, i) && !lm->pool[i].draining)
			methods |= lm->pool[i].methods;
	return methods;
}

bool rsip_lease_addr_offers(const struct rsip_lease *lm, __be32 addr, uint8_t method)
{
	int index = lease_addr_index(lm, addr);

	return index >= 0 && lease_pool_offers(lm, (uint32_t)index, method);
}
