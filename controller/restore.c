// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "restore.h"
#include "hosts6.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "log.h"
#include "util.h"

struct restoring {
	const struct rsip_restore *p;
	uint64_t now_ns;
	uint32_t dropped;
};

static bool names(const struct rsip_iface *iface, uint16_t index, const char *name)
{
	return *name == ':' ? strtoul(name + 1, NULL, 10) == index : !strncmp(iface->name, name, sizeof(iface->name));
}

/*
 * The private interface of this name.  Where there is just one it has been renamed: the host's network is the same.
 * Else -ENODEV: it has been taken away, or nobody knows which of the others it has become.
 */
static int iface_of(const struct rsip_restore *p, const char *name)
{
	int privates = 0, last = -ENODEV;

	for (int i = 0; i < p->iface_cnt; i++) {
		const struct rsip_dp_iface *iface = &p->iface[i];

		if (iface->rec.role != RSIP_ROLE_PRIVATE)
			continue;
		if (names(&iface->rec, (uint16_t)iface->index, name))
			return (int)iface->index;
		last = (int)iface->index;
		privates++;
	}
	return privates == 1 ? last : -ENODEV;
}

static int on_key(void *arg, const struct rsip_store_key *row)
{
	struct restoring *r = arg;

	rsip_engine_auth_seen(r->p->engine, row->key_id, row->mac_seq);
	return 0;
}

static int on_client(void *arg, const struct rsip_store_client *row)
{
	struct restoring *r = arg;
	struct rsip_lease_client *c;
	struct rsip_journal_mark mark = { 0, 0 };
	int iface = iface_of(r->p, row->iface);
	int err = iface < 0 ? iface : RSIP_HOST6_IS(row->host) ? rsip_hosts6_restore(row->host, row->host6, r->now_ns) : 0;

	if (!err)
		err = rsip_lease_restore_client(r->p->lm, row, (uint16_t)iface, &c);
	if (!err)
		return rsip_engine_restore(r->p->engine, c, row, (uint16_t)iface);
	if (err == -ENOMEM)
		return err;
	log_warn("a registration of the store is dropped: client %u (%s): %s%s", row->client_id, rsip_host_text(row->host),
		 err == -ENODEV ? "no private interface is attached as " : "it contradicts another",
		 err == -ENODEV ? row->iface : "");
	rsip_journal_gone(r->p->journal, &mark, RSIP_STORE_CLIENT, row->seq);
	r->dropped++;
	return 0;
}

static int on_lease(void *arg, const struct rsip_store_lease *row)
{
	struct restoring *r = arg;
	int err = rsip_lease_restore_lease(r->p->lm, row, r->now_ns);

	r->dropped += err != 0;
	return err == -ENOMEM ? err : 0;
}

/* Taken over from the data plane: the store hears of it. */
static bool keep_client(void *arg, const struct rsip_lease_client *c)
{
	const struct rsip_restore *p = arg;

	rsip_engine_keep(p->engine, rsip_lease_by_id(p->lm, c->client_id));
	return true;
}

int rsip_restore(const struct rsip_restore *p, const struct rsip_store_clock *now, struct rsip_lease_found *found)
{
	struct restoring r = { .p = p, .now_ns = now->mono_ns };
	const struct rsip_store_reader reader = { .arg = &r, .key = on_key, .client = on_client, .lease = on_lease };
	struct rsip_store_info info;
	int err = rsip_lease_scan(p->lm, now->mono_ns);

	memset(found, 0, sizeof(*found));
	if (!err)
		err = p->store->ops->load(p->store, now, &reader, &info);
	if (!err)
		err = rsip_lease_settle(p->lm, now->mono_ns, info.fresh, found);
	if (err)
		return err;
	rsip_engine_secret(p->engine, info.secret);
	if (info.fresh)
		rsip_lease_walk_clients(p->lm, 0, keep_client, (void *)p);
	else
		log_info("lease store: %u bindings of %u clients, %u resting; %u installed anew, %u removed, %u rows dropped",
			 found->binds, found->clients, found->resting, found->installed, found->removed, r.dropped);
	return 0;
}
