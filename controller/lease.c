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

/* ---- views ----------------------------------------------------------------------------------------------------- */

static const struct rsip_lease_bind *view(struct rsip_lease *lm, const struct bind *b)
{
	const struct holding *h = b->held;
	struct rsip_lease_bind *v = &lm->view;

	memset(v, 0, offsetof(struct rsip_lease_bind, ports));
	v->bind_id = b->bind_id;
	v->slot = b->slot;
	v->method = b->method;
	v->tunnel = b->tunnel;
	v->kind = b->kind;
	v->pool = b->pool;
	v->local = lm->addr[b->addr_index].addr;
	v->endpoint = b->endpoint;
	v->remote = b->remote;
	v->remote_port = b->remote_port;
	v->remote_port_cnt = b->remote_port_cnt;
	v->start_ns = b->start_ns;
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

/* ---- lists and IDs ----------------------------------------------------------------------------------------------- */

#define LIST_APPEND(oldest, newest, item)            \
	do {                                         \
		(item)->older = (newest);            \
		(item)->newer = NULL;                \
		if (newest)                          \
			(newest)->newer = (item);    \
		else                                 \
			(oldest) = (item);           \
		(newest) = (item);                   \
	} while (0)

#define LIST_REMOVE(oldest, newest, item)                      \
	do {                                                   \
		if ((item)->older)                             \
			(item)->older->newer = (item)->newer;  \
		else                                           \
			(oldest) = (item)->newer;              \
		if ((item)->newer)                             \
			(item)->newer->older = (item)->older;  \
		else                                           \
			(newest) = (item)->older;              \
	} while (0)

static struct client *client_by_id(struct rsip_lease *lm, uint32_t id)
{
	struct client *c;

	HASH_FIND(by_id, lm->by_id, &id, sizeof(id), c);
	return c;
}

static struct bind *bind_by_id(struct rsip_lease *lm, uint32_t id)
{
	struct bind *b;

	HASH_FIND(hh, lm->binds, &id, sizeof(id), b);
	return b;
}

/* Random, so that an ID of the dead is met again within seconds only by a chance of one in four billion. */
static uint32_t new_client_id(struct rsip_lease *lm)
{
	uint32_t id;

	do
		lm->random(&id, sizeof(id));
	while (!id || client_by_id(lm, id));
	return id;
}

static uint32_t new_bind_id(struct rsip_lease *lm)
{
	uint32_t id;

	do
		lm->random(&id, sizeof(id));
	while (!id || bind_by_id(lm, id));
	return id;
}

/* ---- ends ------------------------------------------------------------------------------------------------------------ */

static void bind_forget(struct rsip_lease *lm, struct bind *b)
{
	struct client *c = b->client;

	rsip_timer_clear(&lm->timers, &b->timer);
	HASH_DEL(lm->binds, b);
	LIST_REMOVE(lm->oldest_bind, lm->newest_bind, b);
	if (b->prev)
		b->prev->next = b->next;
	else
		c->binds = b->next;
	if (b->next)
		b->next->prev = b->prev;
	c->pub.bind_cnt--;
	c->pub.port_cnt -= b->port_cnt;
	c->pub.spi_cnt -= b->spi_cnt;
	c->pub.whole_cnt -= b->method == RSIP_METHOD_RSA_IP;
	lm->stats[b->pool].binds--;
	free(b);
}

static void bind_end(struct rsip_lease *lm, struct bind *b, enum rsip_end why, uint64_t now_ns)
{
	const struct rsip_lease_bind *v = view(lm, b);

	lm->dp->ops->bind_remove(lm->dp, b->slot);
	if (lm->sink.bind_end && v)
		lm->sink.bind_end(lm->sink.arg, &b->client->pub, v, why);
	lease_rest(lm, b->addr_index, b->held, now_ns);
	bind_forget(lm, b);
}

static void client_forget(struct rsip_lease *lm, struct client *c)
{
	rsip_timer_clear(&lm->timers, &c->timer);
	HASH_DELETE(by_id, lm->by_id, c);
	HASH_DELETE(by_host, lm->by_host, c);
	LIST_REMOVE(lm->oldest_client, lm->newest_client, c);
	free(c);
}

void rsip_lease_deregister(struct rsip_lease *lm, struct rsip_lease_client *pub, enum rsip_end why, uint64_t now_ns)
{
	struct client *c = client_of(pub);

	while (c->binds)
		bind_end(lm, c->binds, why, now_ns);
	if (lm->sink.client_end)
		lm->sink.client_end(lm->sink.arg, pub, why);
	client_forget(lm, c);
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

	if (!lm)
		return;
	while (lm->oldest_bind) {
		free(lm->oldest_bind->held);
		bind_forget(lm, lm->oldest_bind);
	}
	HASH_ITER(by_id, lm->by_id, c, next)
		client_forget(lm, c);
	while (lm->rest_first) {
		struct resting *r = lm->rest_first;

		lm->rest_first = r->next;
		free(r->held);
		free(r);
	}
	lease_addrs_destroy(lm);
	rsip_timers_free(&lm->timers);
	free(lm->view_spis);
	free(lm);
}

static struct client *client_add(struct rsip_lease *lm, __be32 host, uint32_t id, uint64_t now_ns, uint64_t expires_ns)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->pub.client_id = id;
	c->pub.host = host;
	c->pub.start_ns = now_ns;
	c->pub.expires_ns = expires_ns;
	c->timer.kind = TIMER_CLIENT;
	if (rsip_timer_set(&lm->timers, &c->timer, expires_ns)) {
		free(c);
		return NULL;
	}
	HASH_ADD(by_id, lm->by_id, pub.client_id, sizeof(c->pub.client_id), c);
	HASH_ADD(by_host, lm->by_host, pub.host, sizeof(c->pub.host), c);
	LIST_APPEND(lm->oldest_client, lm->newest_client, c);
	return c;
}

/* R = max(R, Bi): RFC 3103 6. */
static void client_outlive(struct rsip_lease *lm, struct client *c, uint64_t expires_ns)
{
	if (c->pub.expires_ns >= expires_ns)
		return;
	c->pub.expires_ns = expires_ns;
	rsip_timer_set(&lm->timers, &c->timer, expires_ns);
}

/* held passes to the binding on success. */
static struct bind *bind_add(struct rsip_lease *lm, struct client *c, uint32_t id, uint8_t method, uint32_t addr_index,
			     struct holding *held, uint64_t now_ns, uint64_t expires_ns)
{
	struct bind *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->bind_id = id;
	b->method = method;
	b->client = c;
	b->held = held;
	b->addr_index = addr_index;
	b->pool = lm->addr[addr_index].pool;
	b->start_ns = now_ns;
	b->port_cnt = lease_count(held, false);
	b->spi_cnt = lease_count(held, true);
	b->timer.kind = TIMER_BIND;
	if (rsip_timer_set(&lm->timers, &b->timer, expires_ns)) {
		free(b);
		return NULL;
	}
	HASH_ADD(hh, lm->binds, bind_id, sizeof(b->bind_id), b);
	LIST_APPEND(lm->oldest_bind, lm->newest_bind, b);
	b->next = c->binds;
	if (c->binds)
		c->binds->prev = b;
	c->binds = b;
	c->pub.bind_cnt++;
	c->pub.port_cnt += b->port_cnt;
	c->pub.spi_cnt += b->spi_cnt;
	c->pub.whole_cnt += method == RSIP_METHOD_RSA_IP;
	lm->stats[b->pool].binds++;
	if (method != RSIP_METHOD_RSA_IP)
		c->home = addr_index + 1;
	if (b->port_cnt)
		c->next_port = held->range[held->port_ranges - 1].first + held->range[held->port_ranges - 1].cnt;
	return b;
}

static struct holding *holding_of(const struct rsip_dp_binding *found)
{
	struct holding *h = calloc(1, sizeof(*h) + (found->ports.cnt + found->spis.range_cnt) * sizeof(struct range));

	if (!h)
		return NULL;
	h->whole = found->rec.method == RSIP_METHOD_RSA_IP;
	h->ike_remote = found->rec.kind & RSIP_KIND_IKE ? found->rec.remote : 0;
	for (uint32_t i = 0; i < found->ports.cnt; i++) {
		struct range *last = h->port_ranges ? &h->range[h->port_ranges - 1] : NULL;

		if (last && last->first + last->cnt == found->ports.port[i])
			last->cnt++;
		else
			h->range[h->port_ranges++] = (struct range){ found->ports.port[i], 1 };
	}
	for (uint32_t i = 0; i < found->spis.range_cnt; i++)
		h->range[h->port_ranges + h->spi_ranges++] =
			(struct range){ found->spis.range[i].first, found->spis.range[i].cnt };
	return h;
}

struct adoption {
	struct rsip_lease *lm;
	uint64_t now_ns;
	uint32_t *lost; /* slots that fit nowhere: removed after the walk */
	uint32_t lost_cnt, lost_size;
	uint32_t binds, clients;
	int err;
};

static int adopt_lost(struct adoption *a, uint32_t slot)
{
	if (a->lost_cnt == a->lost_size) {
		uint32_t size = a->lost_size ? a->lost_size * 2 : 64;
		uint32_t *lost = realloc(a->lost, size * sizeof(*lost));

		if (!lost)
			return a->err = -ENOMEM;
		a->lost = lost;
		a->lost_size = size;
	}
	a->lost[a->lost_cnt++] = slot;
	return 0;
}

static int adopt_one(void *arg, uint32_t slot, const struct rsip_dp_binding *found)
{
	struct adoption *a = arg;
	struct rsip_lease *lm = a->lm;
	int index = lease_addr_index(lm, found->rec.local);
	struct holding *held;
	struct client *c;
	struct bind *b;

	HASH_FIND(by_host, lm->by_host, &found->rec.host, sizeof(found->rec.host), c);
	if (index < 0 || (c && c->pub.client_id != found->rec.client_id) || bind_by_id(lm, found->rec.bind_id) ||
	    (!c && client_by_id(lm, found->rec.client_id)))
		return adopt_lost(a, slot);
	held = holding_of(found);
	if (!held)
		return a->err = -ENOMEM;
	if (lease_take_found(lm, (uint32_t)index, held)) {
		free(held);
		return adopt_lost(a, slot);
	}
	if (!c) {
		c = client_add(lm, found->rec.host, found->rec.client_id, a->now_ns, found->rec.expires_ns);
		if (!c)
			return a->err = -ENOMEM;
		c->pub.iface = found->rec.iface;
		c->pub.transport = found->rec.transport;
		c->pub.echoed = true; /* it once asked for a binding under its client ID */
		a->clients++;
	}
	b = bind_add(lm, c, found->rec.bind_id, found->rec.method, (uint32_t)index, held, a->now_ns,
		     found->rec.expires_ns);
	if (!b)
		return a->err = -ENOMEM;
	b->slot = slot;
	b->kind = found->rec.kind;
	b->remote = found->rec.remote;
	b->remote_port = ntohs(found->rec.remote_port);
	b->remote_port_cnt = found->rec.remote_port_cnt;
	b->tunnel = found->rec.tunnel;
	b->endpoint = found->rec.endpoint;
	client_outlive(lm, c, found->rec.expires_ns);
	a->binds++;
	return 0;
}

int rsip_lease_adopt(struct rsip_lease *lm, uint64_t now_ns, uint32_t *binds, uint32_t *clients)
{
	struct adoption a = { .lm = lm, .now_ns = now_ns };
	int err = lm->dp->ops->foreach(lm->dp, now_ns, adopt_one, &a);

	for (uint32_t i = 0; i < a.lost_cnt; i++)
		lm->dp->ops->bind_remove(lm->dp, a.lost[i]);
	if (a.lost_cnt)
		log_warn("%u installed bindings fit no pool of the configuration: removed", a.lost_cnt);
	free(a.lost);
	*binds = a.binds;
	*clients = a.clients;
	return a.err ? a.err : err;
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
	struct client *c;

	HASH_FIND(by_host, lm->by_host, &host, sizeof(host), c);
	if (c) {
		*out = &c->pub;
		return RSIP_ERR_ALREADY_REGISTERED;
	}
	*out = NULL;
	if (HASH_CNT(by_id, lm->by_id) >= lm->limits.clients)
		return RSIP_ERR_REGISTRATION_DENIED;
	c = client_add(lm, host, new_client_id(lm), now_ns, now_ns + lm->limits.register_s * RSIP_NS_PER_S);
	if (!c)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	c->pub.iface = iface;
	c->pub.transport = transport;
	*out = &c->pub;
	return RSIP_OK;
}

static enum rsip_err quota(const struct rsip_lease *lm, const struct client *c, const struct rsip_lease_ask *ask)
{
	const struct rsip_lease_limits *l = &lm->limits;

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

static enum rsip_err install(struct rsip_lease *lm, struct bind *b, const struct rsip_lease_ask *ask)
{
	const struct rsip_lease_bind *v = view(lm, b);
	struct rsip_dp_binding dpb;
	int err;

	if (!v)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	memset(&dpb.rec, 0, sizeof(dpb.rec));
	dpb.rec.expires_ns = b->timer.at_ns;
	dpb.rec.nexthop = ask->nexthop;
	dpb.rec.local = v->local;
	dpb.rec.host = b->client->pub.host;
	dpb.rec.endpoint = ask->endpoint;
	dpb.rec.bind_id = b->bind_id;
	dpb.rec.client_id = b->client->pub.client_id;
	dpb.rec.addr_index = b->addr_index;
	dpb.rec.iface = b->client->pub.iface;
	dpb.rec.mtu = ask->mtu;
	dpb.rec.method = ask->method;
	dpb.rec.tunnel = ask->tunnel;
	dpb.rec.transport = b->client->pub.transport;
	dpb.rec.kind = ask->kind;
	dpb.rec.remote = ask->remote;
	dpb.rec.remote_port = htons(ask->remote_port);
	dpb.rec.remote_port_cnt = ask->remote_port_cnt;
	dpb.ports = v->ports;
	dpb.spis = v->spis;
	err = lm->dp->ops->bind_install(lm->dp, &dpb, &b->slot);
	if (!err)
		return RSIP_OK;
	log_warn("cannot install a binding: client %u, bind %u: %s", dpb.rec.client_id, b->bind_id, strerror(-err));
	if (err != -ENOSPC)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	if (ask->method == RSIP_METHOD_RSA_IP)
		return RSIP_ERR_LOCAL_ADDR_UNAVAILABLE;
	return ask->port_cnt ? RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE : RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
}

enum rsip_err rsip_lease_assign(struct rsip_lease *lm, struct rsip_lease_client *pub, const struct rsip_lease_ask *ask,
				uint64_t now_ns, const struct rsip_lease_bind **out)
{
	struct client *c = client_of(pub);
	uint32_t home = c->home, next_port = c->next_port, addr_index = 0;
	struct holding *held = NULL;
	enum rsip_err err = quota(lm, c, ask);
	struct bind *b;

	if (!err)
		err = lease_take(lm, c, ask, &addr_index, &held);
	if (err)
		return err;
	b = bind_add(lm, c, new_bind_id(lm), ask->method, addr_index, held, now_ns, now_ns + lease_ns(lm, ask->lease_s));
	if (!b) {
		err = RSIP_ERR_INTERNAL_SERVER_ERROR;
		goto give;
	}
	b->kind = ask->kind;
	b->remote = ask->remote;
	b->remote_port = ask->remote_port;
	b->remote_port_cnt = ask->remote_port_cnt;
	b->tunnel = ask->tunnel;
	b->endpoint = ask->endpoint;
	err = install(lm, b, ask);
	if (err) {
		bind_forget(lm, b);
		c->home = home;
		c->next_port = next_port;
		goto give;
	}
	client_outlive(lm, c, b->timer.at_ns);
	*out = view(lm, b);
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
	struct bind *b = bind_by_id(lm, bind_id);

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
	if (expires_ns > b->timer.at_ns) {
		if (lm->dp->ops->bind_extend(lm->dp, b->slot, expires_ns))
			return RSIP_ERR_INTERNAL_SERVER_ERROR;
		rsip_timer_set(&lm->timers, &b->timer, expires_ns);
		client_outlive(lm, b->client, expires_ns);
	}
	*out = view(lm, b);
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
	struct rsip_timer *t;
	uint64_t next;

	while ((t = rsip_timer_first(&lm->timers)) && t->at_ns <= now_ns) {
		if (t->kind == TIMER_BIND)
			bind_end(lm, BIND_OF(t), RSIP_END_EXPIRED, now_ns);
		else
			rsip_lease_deregister(lm, &CLIENT_OF(t)->pub, RSIP_END_EXPIRED, now_ns);
	}
	lease_rest_end(lm, now_ns);
	next = t ? t->at_ns : ~0ULL;
	if (lm->rest_first && lm->rest_first->until_ns < next)
		next = lm->rest_first->until_ns;
	return next;
}

/* ---- look-ups and walks -------------------------------------------------------------------------------------------------------- */

struct rsip_lease_client *rsip_lease_by_host(struct rsip_lease *lm, __be32 host)
{
	struct client *c;

	HASH_FIND(by_host, lm->by_host, &host, sizeof(host), c);
	return c ? &c->pub : NULL;
}

struct rsip_lease_client *rsip_lease_by_id(struct rsip_lease *lm, uint32_t client_id)
{
	struct client *c = client_by_id(lm, client_id);

	return c ? &c->pub : NULL;
}

const struct rsip_lease_bind *rsip_lease_bind_by_id(struct rsip_lease *lm, uint32_t bind_id, struct rsip_lease_client **owner)
{
	struct bind *b = bind_by_id(lm, bind_id);

	if (!b)
		return NULL;
	if (owner)
		*owner = &b->client->pub;
	return view(lm, b);
}

void rsip_lease_walk_clients(struct rsip_lease *lm, uint32_t after_id,
			     bool (*fn)(void *arg, const struct rsip_lease_client *c), void *arg)
{
	struct client *c = after_id ? client_by_id(lm, after_id) : lm->oldest_client;

	if (after_id && c)
		c = c->newer;
	for (; c; c = c->newer)
		if (!fn(arg, &c->pub))
			return;
}

void rsip_lease_walk_binds(struct rsip_lease *lm, uint32_t after_id,
			   bool (*fn)(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b), void *arg)
{
	struct bind *b = after_id ? bind_by_id(lm, after_id) : lm->oldest_bind;
	const struct rsip_lease_bind *v;

	if (after_id && b)
		b = b->newer;
	for (; b && (v = view(lm, b)); b = b->newer)
		if (!fn(arg, &b->client->pub, v))
			return;
}

void rsip_lease_each_bind(struct rsip_lease *lm, const struct rsip_lease_client *c,
			  void (*fn)(void *arg, const struct rsip_lease_bind *b), void *arg)
{
	const struct rsip_lease_bind *v;

	for (struct bind *b = ((const struct client *)c)->binds; b && (v = view(lm, b)); b = b->next)
		fn(arg, v);
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
		if (rsip_pool_in(pools, i))
			methods |= lm->pool[i].methods;
	return methods;
}

bool rsip_lease_addr_offers(const struct rsip_lease *lm, __be32 addr, uint8_t method)
{
	int index = lease_addr_index(lm, addr);

	return index >= 0 && lease_pool_offers(lm, (uint32_t)index, method);
}
