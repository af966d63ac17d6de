// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Start-up: registrations, bindings and rests rebuilt from the lease store, and the data plane made to say the same.
 * Without a store they are rebuilt from what is installed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"
#include "hosts6.h"
#include "log.h"
#include "util.h"

/* An installed binding that no row of the store has claimed yet. */
struct found_bind {
	uint32_t bind_id, slot;
	bool told; /* that it is gone */
	struct rsip_store_lease row;
	uint16_t iface;
	uint8_t transport;
	struct holding *held;
	struct found_bind *next; /* in lm->found_twice */
	UT_hash_handle hh;
};

/* ---- what is installed -------------------------------------------------------------------------------------------- */

static struct holding *holding_of(const struct rsip_dp_binding *found)
{
	struct holding *h = calloc(1, sizeof(*h) + (found->ports.cnt + found->spis.range_cnt) * sizeof(struct rsip_store_range));

	if (!h)
		return NULL;
	h->whole = found->rec.method == RSIP_METHOD_RSA_IP;
	h->ike_remote = found->rec.kind & RSIP_KIND_IKE ? found->rec.remote : 0;
	for (uint32_t i = 0; i < found->ports.cnt; i++) {
		struct rsip_store_range *last = h->port_ranges ? &h->range[h->port_ranges - 1] : NULL;

		if (last && last->first + last->cnt == found->ports.port[i])
			last->cnt++;
		else
			h->range[h->port_ranges++] = (struct rsip_store_range){ found->ports.port[i], 1 };
	}
	for (uint32_t i = 0; i < found->spis.range_cnt; i++)
		h->range[h->port_ranges + h->spi_ranges++] =
			(struct rsip_store_range){ found->spis.range[i].first, found->spis.range[i].cnt };
	return h;
}

static struct rsip_store_lease row_of(const struct rsip_binding *rec, uint64_t now_ns)
{
	return (struct rsip_store_lease){
		.start_ns = now_ns,
		.expires_ns = rec->expires_ns,
		.client_id = rec->client_id,
		.bind_id = rec->bind_id,
		.host = rec->host,
		.local = rec->local,
		.endpoint = rec->endpoint,
		.remote = rec->remote,
		.remote_port = ntohs(rec->remote_port),
		.remote_port_cnt = rec->remote_port_cnt,
		.mtu = rec->mtu,
		.method = rec->method,
		.tunnel = rec->tunnel,
		.kind = rec->kind,
	};
}

static void found_free(struct rsip_lease *lm, struct found_bind *f)
{
	HASH_DEL(lm->found, f);
	free(f->held);
	free(f);
}

void lease_found_clear(struct rsip_lease *lm)
{
	struct found_bind *f, *next;

	HASH_ITER(hh, lm->found, f, next)
		found_free(lm, f);
	while ((f = lm->found_twice)) {
		lm->found_twice = f->next;
		free(f->held);
		free(f);
	}
}

static struct found_bind *found_by_id(struct rsip_lease *lm, uint32_t bind_id)
{
	struct found_bind *f;

	HASH_FIND(hh, lm->found, &bind_id, sizeof(bind_id), f);
	return f;
}

struct scan {
	struct rsip_lease *lm;
	uint64_t now_ns;
};

static int found_one(void *arg, uint32_t slot, const struct rsip_dp_binding *found)
{
	struct scan *s = arg;
	struct found_bind *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	f->bind_id = found->rec.bind_id;
	f->slot = slot;
	f->row = row_of(&found->rec, s->now_ns);
	f->iface = found->rec.iface;
	f->transport = found->rec.transport;
	f->held = holding_of(found);
	if (!f->held) {
		free(f);
		return -ENOMEM;
	}
	if (found_by_id(s->lm, f->bind_id)) { /* one bind ID in two records: the later one goes */
		f->next = s->lm->found_twice;
		s->lm->found_twice = f;
	} else {
		HASH_ADD(hh, s->lm->found, bind_id, sizeof(f->bind_id), f);
	}
	return 0;
}

int rsip_lease_scan(struct rsip_lease *lm, uint64_t now_ns)
{
	struct scan s = { .lm = lm, .now_ns = now_ns };

	return lm->dp->ops->foreach(lm->dp, now_ns, found_one, &s);
}

/*
 * Times of before this boot are below zero.  As a time to wait for such a one is long past; when it was is known only by
 * differences.
 */
static uint64_t not_before_boot(uint64_t at_ns)
{
	return (int64_t)at_ns < 0 ? 1 : at_ns;
}

/* ---- what the store holds ------------------------------------------------------------------------------------------- */

int rsip_lease_restore_client(struct rsip_lease *lm, const struct rsip_store_client *row, uint16_t iface,
			      struct rsip_lease_client **out)
{
	const struct rsip_lease_client as = {
		.seq = row->seq,
		.client_id = row->client_id,
		.host = row->host,
		.iface = iface,
		.transport = row->transport,
		.echoed = true, /* it was stored because it asked for something under its client ID */
		.start_ns = row->start_ns,
		.expires_ns = not_before_boot(row->expires_ns),
	};
	struct client *c;

	lease_index_skip(&lm->clients, row->seq - 1);
	*out = NULL;
	if (row->departed_ns) {
		lease_index_skip(&lm->clients, row->seq);
		return 0;
	}
	if (lease_client_by_host(lm, row->host) || lease_client_by_id(lm, row->client_id))
		return -EEXIST;
	c = lease_client_add(lm, &as);
	if (!c)
		return -ENOMEM;
	*out = &c->pub;
	return 0;
}

static struct holding *holding_of_row(const struct rsip_store_lease *row)
{
	size_t cnt = row->port_ranges + row->spi_ranges;
	struct holding *h = calloc(1, sizeof(*h) + cnt * sizeof(*row->range));

	if (!h)
		return NULL;
	h->whole = row->method == RSIP_METHOD_RSA_IP;
	h->ike_remote = row->kind & RSIP_KIND_IKE ? row->remote : 0;
	h->port_ranges = row->port_ranges;
	h->spi_ranges = row->spi_ranges;
	if (cnt)
		memcpy(h->range, row->range, cnt * sizeof(*row->range));
	return h;
}

static uint32_t numbers(const struct holding *h)
{
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < (uint32_t)h->port_ranges + h->spi_ranges; i++)
		cnt += h->range[i].cnt;
	return cnt;
}

/* The data plane keeps SPIs in blocks, so its ranges may be cut otherwise: what counts is which numbers they hold. */
static bool same_numbers(const struct holding *a, const struct holding *b)
{
	struct holding *left;
	bool same;

	if (a->whole != b->whole || a->ike_remote != b->ike_remote || numbers(a) != numbers(b))
		return false;
	left = lease_without(a, b);
	same = left && !numbers(left);
	free(left);
	return same;
}

static bool is_installed(const struct found_bind *f, const struct rsip_store_lease *row, const struct holding *held)
{
	const struct rsip_store_lease *r = &f->row;

	return r->client_id == row->client_id && r->host == row->host && r->local == row->local &&
	       r->endpoint == row->endpoint && r->remote == row->remote && r->remote_port == row->remote_port &&
	       r->remote_port_cnt == row->remote_port_cnt && r->method == row->method && r->tunnel == row->tunnel &&
	       r->kind == row->kind && same_numbers(f->held, held);
}

static struct client *client_of_row(struct rsip_lease *lm, const struct rsip_store_lease *row, uint16_t iface,
				    uint8_t transport)
{
	const struct rsip_lease_client as = {
		.client_id = row->client_id,
		.host = row->host,
		.iface = iface,
		.transport = transport,
		.echoed = true, /* it once asked for a binding under its client ID */
		.start_ns = row->start_ns,
		.expires_ns = row->expires_ns,
	};
	struct client *c = lease_client_by_host(lm, row->host);

	if (c ? c->pub.client_id != row->client_id : lease_client_by_id(lm, row->client_id) != NULL)
		return NULL;
	return c ? c : lease_client_add(lm, &as);
}

/* Resources first; on success they are the binding's. */
static int add_live(struct rsip_lease *lm, struct client *c, const struct rsip_store_lease *row, uint32_t addr_index,
		    struct holding *held, struct bind **out)
{
	int err = lease_bind_by_id(lm, row->bind_id) || !lease_is_free(lm, addr_index, held) ? -EEXIST : 0;

	if (!err)
		err = lease_take_found(lm, addr_index, held);
	if (err)
		return err;
	*out = lease_bind_add(lm, c, row, addr_index, held);
	if (*out) {
		lease_client_outlive(lm, c, row->expires_ns);
		return 0;
	}
	lease_give(lm, addr_index, held);
	return -ENOMEM;
}

static int restore_live(struct rsip_lease *lm, struct client *c, const struct rsip_store_lease *row, uint32_t addr_index,
			struct holding *held, uint64_t now_ns)
{
	struct found_bind *f = found_by_id(lm, row->bind_id);
	struct rsip_store_lease as = *row;
	struct bind *b;
	int err;

	if (f && (f->iface != c->pub.iface || !is_installed(f, row, held)))
		f = NULL;
	/* An extension may be in the data plane and not yet in the store: it was acknowledged if the store failed. */
	if (f && f->row.expires_ns > as.expires_ns)
		as.expires_ns = f->row.expires_ns;
	err = add_live(lm, c, &as, addr_index, held, &b);
	if (err)
		return err;
	if (f) {
		b->slot = f->slot;
		if (f->row.expires_ns < as.expires_ns)
			lm->dp->ops->bind_extend(lm->dp, b->slot, as.expires_ns);
		lease_path_found(lm, b, f->row.mtu, now_ns);
		lease_dscp_found(lm, b);
		found_free(lm, f);
	}
	if (as.expires_ns != row->expires_ns)
		lease_keep_bind(lm, b);
	return 0;
}

/* row as it is from now on; changed: the store says otherwise. */
static int restore_rest(struct rsip_lease *lm, const struct rsip_store_lease *row, uint32_t addr_index,
			struct holding *held, bool changed)
{
	struct resting *r;
	int err = lease_is_free(lm, addr_index, held) ? lease_take_up(lm, addr_index, held) : -EEXIST;

	if (err)
		return err;
	lease_index_skip(&lm->bind_order, row->seq);
	r = lease_rest(lm, row, addr_index, held);
	if (!r) {
		lease_give_back(lm, addr_index, held);
		return -ENOMEM;
	}
	if (changed)
		lease_keep(lm, &r->mark, &r->row, held);
	return 0;
}

/* It ran out while nobody looked: what it held rests from then on. */
static bool has_ended(struct rsip_lease *lm, const struct rsip_store_lease *row, uint64_t now_ns)
{
	return row->rest_ns || (not_before_boot(row->expires_ns) <= now_ns && !found_by_id(lm, row->bind_id));
}

static struct client *owner_of(struct rsip_lease *lm, const struct rsip_store_lease *row)
{
	struct client *c = lease_client_by_host(lm, row->host);

	return c && c->pub.client_id == row->client_id ? c : NULL;
}

/* Nobody was there to see its end. */
static void tell_gone(struct rsip_lease *lm, const struct rsip_store_lease *row, struct holding *held, enum rsip_end why,
		      uint64_t at_ns)
{
	const struct client *owner = lease_client_by_host(lm, row->host);
	const struct rsip_lease_client c = { .client_id = row->client_id, .host = row->host,
					     .iface = owner ? owner->pub.iface : RSIP_MAX_IFACES };
	struct bind b = { .row = *row, .held = held };
	const struct rsip_lease_bind *v = lm->sink.bind_gone ? lease_view(lm, &b) : NULL;
	struct found_bind *f = found_by_id(lm, row->bind_id);

	if (!v || (f && f->told))
		return;
	lm->sink.bind_gone(lm->sink.arg, &c, v, why, at_ns);
	if (f)
		f->told = true;
}

/* It cannot be served any more: the store forgets it. */
static int drop_row(struct rsip_lease *lm, const struct rsip_store_lease *row, int err, uint64_t now_ns)
{
	struct holding *held = row->rest_ns ? NULL : holding_of_row(row);
	struct rsip_journal_mark mark = { 0, 0 };

	log_warn("a lease of the store is dropped: bind %u of client %u (%s): %s", row->bind_id, row->client_id,
		 rsip_host_text(row->host), err == -ENOENT ? "no pool offers it any more" : "it contradicts another");
	if (held)
		tell_gone(lm, row, held, RSIP_END_REFUSED, now_ns);
	free(held);
	lease_index_skip(&lm->bind_order, row->seq);
	if (lm->journal)
		rsip_journal_gone(lm->journal, &mark, RSIP_STORE_LEASE, row->seq);
	return err;
}

int rsip_lease_restore_lease(struct rsip_lease *lm, const struct rsip_store_lease *row, uint64_t now_ns)
{
	int index = lease_addr_index(lm, row->local), err;
	struct rsip_store_lease as = *row;
	struct client *c = owner_of(lm, row);
	struct holding *held;

	if (index < 0 || !lease_pool_offers(lm, (uint32_t)index, row->kind & RSIP_KIND_IKE ? RSIP_METHOD_RSIPSEC : row->method))
		return drop_row(lm, row, -ENOENT, now_ns);
	held = holding_of_row(row);
	if (!held)
		return -ENOMEM;
	if (!c || has_ended(lm, row, now_ns)) {
		if (!as.rest_ns)
			as.rest_ns = (c ? as.expires_ns : now_ns) + lm->limits.hold_s * RSIP_NS_PER_S;
		as.rest_ns = not_before_boot(as.rest_ns);
		err = restore_rest(lm, &as, (uint32_t)index, held, !row->rest_ns);
		if (!err && !row->rest_ns)
			tell_gone(lm, row, held, c ? RSIP_END_EXPIRED : RSIP_END_REFUSED, c ? row->expires_ns : now_ns);
	} else {
		err = restore_live(lm, c, row, (uint32_t)index, held, now_ns);
	}
	if (!err)
		return 0;
	free(held);
	return err == -ENOMEM ? err : drop_row(lm, row, err, now_ns);
}

/* ---- both made equal -------------------------------------------------------------------------------------------------- */

/* The row has what its interface takes; of the path the record tells. */
static uint16_t found_mtu(struct rsip_lease *lm, struct found_bind *f)
{
	uint32_t front = RSIP_FRONT_LEN(f->row.host, f->row.tunnel);
	uint16_t mtu = f->row.mtu;
	struct rsip_iface rec;

	if (!rsip_dataplane_iface(lm->dp, f->iface, &rec) && rec.mtu > front + mtu && rec.mtu <= UINT16_MAX)
		f->row.mtu = (uint16_t)(rec.mtu - front);
	return mtu;
}

static int adopt(struct rsip_lease *lm, struct found_bind *f, uint64_t now_ns)
{
	int index = lease_addr_index(lm, f->row.local), err;
	uint16_t mtu = found_mtu(lm, f);
	struct client *c = index < 0 ? NULL : client_of_row(lm, &f->row, f->iface, f->transport);
	struct bind *b;

	if (!c)
		return -ENOENT;
	err = add_live(lm, c, &f->row, (uint32_t)index, f->held, &b);
	if (err)
		return err;
	f->held = NULL;
	b->slot = f->slot;
	lease_path_found(lm, b, mtu, now_ns);
	lease_dscp_found(lm, b);
	lease_keep_bind(lm, b);
	return 0;
}

static void remove_found(struct rsip_lease *lm, const struct found_bind *f, uint64_t now_ns, struct rsip_lease_found *out)
{
	lm->dp->ops->bind_remove(lm->dp, f->slot);
	tell_gone(lm, &f->row, f->held, RSIP_END_REFUSED, now_ns);
	out->removed++;
}

/* When nothing is left in lm->found: what was told of the first of an ID was not told of these. */
static void settle_twice(struct rsip_lease *lm, uint64_t now_ns, struct rsip_lease_found *out)
{
	uint32_t cnt = 0;

	for (const struct found_bind *f = lm->found_twice; f; f = f->next, cnt++)
		remove_found(lm, f, now_ns, out);
	lease_found_clear(lm);
	if (cnt)
		log_warn("%u installed bindings had the bind ID of another: removed", cnt);
}

static void settle_found(struct rsip_lease *lm, uint64_t now_ns, bool fresh, struct rsip_lease_found *out)
{
	struct found_bind *f, *next;

	HASH_ITER(hh, lm->found, f, next) {
		if (!fresh || adopt(lm, f, now_ns))
			remove_found(lm, f, now_ns, out);
		found_free(lm, f);
	}
	if (out->removed && fresh)
		log_warn("%u installed bindings fit no pool of the configuration: removed", out->removed);
	else if (out->removed)
		log_info("%u installed bindings were never acknowledged: removed", out->removed);
}

/* After a reboot the data plane is empty: all that the store holds is put there. */
static void install_missing(struct rsip_lease *lm, uint64_t now_ns, struct rsip_lease_found *out)
{
	struct bind *b;

	for (uint64_t seq = 0; (b = lease_index_after(&lm->bind_order, seq));) {
		bool missing = !b->slot;
		int err = missing ? lease_install(lm, b, 0) : 0;

		seq = b->row.seq;
		out->installed += missing && !err;
		if (err) {
			log_err("cannot install a binding of the lease store: bind %u of client %u: %s", b->row.bind_id,
				b->row.client_id, strerror(-err));
			rsip_lease_free(lm, &b->client->pub, b->row.bind_id, RSIP_END_OPERATOR, now_ns);
		}
	}
}

int rsip_lease_settle(struct rsip_lease *lm, uint64_t now_ns, bool fresh, struct rsip_lease_found *out)
{
	*out = (struct rsip_lease_found){ .binds = 0 };
	lease_rest_sort(lm);
	settle_found(lm, now_ns, fresh, out);
	settle_twice(lm, now_ns, out);
	install_missing(lm, now_ns, out);
	out->binds = rsip_lease_bind_count(lm);
	out->clients = rsip_lease_client_count(lm);
	for (const struct resting *r = lm->rest_first; r; r = r->next)
		out->resting++;
	return 0;
}

int rsip_lease_adopt(struct rsip_lease *lm, uint64_t now_ns, uint32_t *binds, uint32_t *clients)
{
	struct rsip_lease_found found;
	int err = rsip_lease_scan(lm, now_ns);

	if (!err)
		err = rsip_lease_settle(lm, now_ns, true, &found);
	*binds = err ? 0 : found.binds;
	*clients = err ? 0 : found.clients;
	return err;
}
