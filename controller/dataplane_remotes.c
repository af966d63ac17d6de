// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A pair's bindings for one remote (RFC 3103 7.2).  What is found by the pair alone (ESP, AH, ICMP, IKE) may be for
 * any of the pair's remotes; its table names the binding for each that expires last.
 */
#include <errno.h>
#include "dataplane_core.h"
#include "util.h"

/* The two lists that a binding can be in, and what its entry's slot carries beside the number. */
static const struct {
	int list;
	uint32_t ipsec;
} lists[] = { { RSIP_DP_REMOTE, 0 }, { RSIP_DP_REMOTE_IPSEC, RSIP_REMOTE_IPSEC } };

/* How many of the lists it is in. */
static unsigned int list_cnt(const struct rsip_binding *rec)
{
	if (!rec->remote)
		return 0;
	return rec->method == 3 ? 2 : 1;
}

static struct rsip_remote_entry *entry_of(struct rsip_dp_core *c, const struct rsip_binding *rec, unsigned int i)
{
	return rsip_table_remote(&c->remotes, rec->host, rec->local, rec->remote, lists[i].ipsec);
}

static void name(struct rsip_remote_entry *e, uint32_t slot, unsigned int i)
{
	__atomic_store_n(&e->slot, slot ? slot | lists[i].ipsec : 0, __ATOMIC_RELEASE);
}

static int join_list(struct rsip_dp_core *c, uint32_t slot, unsigned int i)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];
	struct rsip_remote_entry *e = entry_of(c, rec, i);
	uint32_t head;
	int err;

	if (e) {
		head = rsip_dp_list_head(c, e->slot & ~RSIP_REMOTE_IPSEC, lists[i].list);
		name(e, rsip_dp_list_add(c, head, lists[i].list, slot), i);
		return 0;
	}
	err = rsip_table_remote_put(&c->remotes, &(struct rsip_remote_entry){ .host = rec->host,
									      .local = rec->local,
									      .remote = rec->remote,
									      .slot = slot | lists[i].ipsec });
	if (!err)
		rsip_dp_list_add(c, 0, lists[i].list, slot);
	return err;
}

int rsip_dp_remote_join(struct rsip_dp_core *c, uint32_t slot)
{
	int err = 0;

	for (unsigned int i = 0; i < list_cnt(&c->m.bindings[slot]) && !err; i++)
		err = join_list(c, slot, i);
	return err;
}

void rsip_dp_remote_leave(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];

	for (unsigned int i = 0; i < list_cnt(rec); i++) {
		struct rsip_remote_entry *e = entry_of(c, rec, i);

		if (e && c->slot[slot].linked[lists[i].list])
			name(e, rsip_dp_list_remove(c, e->slot & ~RSIP_REMOTE_IPSEC, lists[i].list, slot), i);
	}
}

void rsip_dp_remote_moved(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];

	for (unsigned int i = 0; i < list_cnt(rec); i++) {
		struct rsip_remote_entry *e = entry_of(c, rec, i);
		uint32_t head;

		if (!e || !c->slot[slot].linked[lists[i].list])
			continue;
		head = rsip_dp_list_remove(c, e->slot & ~RSIP_REMOTE_IPSEC, lists[i].list, slot);
		name(e, rsip_dp_list_add(c, head, lists[i].list, slot), i);
	}
}

/* ---- listeners ------------------------------------------------------------------------------- */

static const struct {
	uint8_t kind;
	uint16_t port;
} ike_ports[] = { { RSIP_KIND_IKE_500, 500 }, { RSIP_KIND_IKE_4500, 4500 } };

static struct rsip_remote_entry *listener(const struct rsip_dp_core *c, const struct rsip_binding *rec, unsigned int i)
{
	if (!(rec->kind & ike_ports[i].kind))
		return NULL;
	return rsip_table_remote(&c->remotes, RSIP_LISTEN_HOST(ike_ports[i].port), rec->local, rec->remote, 0);
}

bool rsip_dp_listener_taken(const struct rsip_dp_core *c, const struct rsip_binding *rec)
{
	return listener(c, rec, 0) || listener(c, rec, 1);
}

int rsip_dp_listener_publish(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];
	int err = 0;

	for (unsigned int i = 0; i < RSIP_ARRAY_LEN(ike_ports) && !err; i++) {
		const struct rsip_remote_entry e = { .host = RSIP_LISTEN_HOST(ike_ports[i].port),
						     .local = rec->local,
						     .remote = rec->remote,
						     .slot = slot };

		if (rec->kind & ike_ports[i].kind)
			err = rsip_table_remote_put(&c->remotes, &e);
	}
	if (err)
		rsip_dp_listener_withdraw(c, slot);
	return err;
}

void rsip_dp_listener_withdraw(struct rsip_dp_core *c, uint32_t slot)
{
	for (unsigned int i = 0; i < RSIP_ARRAY_LEN(ike_ports); i++) {
		struct rsip_remote_entry *e = listener(c, &c->m.bindings[slot], i);

		if (e && e->slot == slot)
			name(e, 0, 0);
	}
}

bool rsip_dp_listener_complete(const struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];

	for (unsigned int i = 0; i < RSIP_ARRAY_LEN(ike_ports); i++) {
		const struct rsip_remote_entry *e = listener(c, rec, i);

		if (rec->kind & ike_ports[i].kind && (!e || e->slot != slot))
			return false;
	}
	return true;
}

/* ---- start-up -------------------------------------------------------------------------------- */

static bool names_listener(const struct rsip_dp_core *c, const struct rsip_remote_entry *e)
{
	const struct rsip_binding *rec = &c->m.bindings[e->slot];

	if (!rsip_dp_numbers_used(&c->slots, e->slot) || rec->local != e->local || rec->remote != e->remote)
		return false;
	for (unsigned int i = 0; i < RSIP_ARRAY_LEN(ike_ports); i++)
		if (rec->kind & ike_ports[i].kind && e->host == RSIP_LISTEN_HOST(ike_ports[i].port))
			return true;
	return false;
}

static bool is_listener(const struct rsip_remote_entry *e)
{
	return e->host == RSIP_LISTEN_HOST(500) || e->host == RSIP_LISTEN_HOST(4500);
}

static bool names_binding(const struct rsip_dp_core *c, const struct rsip_remote_entry *e)
{
	uint32_t slot = e->slot & ~RSIP_REMOTE_IPSEC;
	unsigned int i = e->slot & RSIP_REMOTE_IPSEC ? 1 : 0;
	const struct rsip_binding *rec = &c->m.bindings[slot];

	if (is_listener(e))
		return names_listener(c, e);
	if (!rsip_dp_numbers_used(&c->slots, slot) || i >= list_cnt(rec))
		return false;
	return rec->host == e->host && rec->local == e->local && rec->remote == e->remote;
}

uint32_t rsip_dp_remote_repair(struct rsip_dp_core *c)
{
	uint32_t cleared = 0;

	for (uint32_t b = 0; b < c->config.remote_buckets; b++) {
		for (int i = 0; i < 4; i++) {
			struct rsip_remote_entry *e = &c->m.remotes[b].e[i];

			if (!e->slot || names_binding(c, e))
				continue;
			__atomic_store_n(&e->slot, 0, __ATOMIC_RELEASE);
			cleared++;
		}
	}
	return cleared;
}
