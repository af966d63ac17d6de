// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A pair's bindings for one remote (RFC 3103 7.2).  What is found by the pair alone (ESP, AH, ICMP, IKE) may be for
 * any of the pair's remotes; its table names the binding for each that expires last.
 */
#include <errno.h>
#include "dataplane_core.h"

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

static bool names_binding(const struct rsip_dp_core *c, const struct rsip_remote_entry *e, bool before)
{
	uint32_t slot = e->slot & ~RSIP_REMOTE_IPSEC;
	unsigned int i = e->slot & RSIP_REMOTE_IPSEC ? 1 : 0;
	const struct rsip_binding *rec = &c->m.bindings[slot];

	if (!rsip_dp_numbers_used(&c->slots, slot) || i >= list_cnt(rec))
		return false;
	if (rec->host != e->host || rec->local != e->local || rec->remote != e->remote)
		return false;
	return before || c->slot[slot].linked[lists[i].list];
}

uint32_t rsip_dp_remote_repair(struct rsip_dp_core *c, bool before)
{
	uint32_t cleared = 0;

	for (uint32_t b = 0; b < c->config.remote_buckets; b++) {
		for (int i = 0; i < 4; i++) {
			struct rsip_remote_entry *e = &c->m.remotes[b].e[i];

			if (!e->slot || names_binding(c, e, before))
				continue;
			__atomic_store_n(&e->slot, 0, __ATOMIC_RELEASE);
			cleared++;
		}
	}
	return cleared;
}
