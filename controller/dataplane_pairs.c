// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Pairs (host, leased address).  A pair's table entry names its binding that expires last, of any
 * method and of RSIPSEC; those are the heads of two lists sorted by expiry, so the entry is also
 * how we find the lists; its words also hold the tunnel types of each list. All RSIPSEC bindings and IKE listeners of a pair share one learned record;
 * it goes with the last of them.
 */
#include <errno.h>
#include <string.h>
#include "dataplane_core.h"

static bool is_ipsec(const struct rsip_dp_core *c, uint32_t slot)
{
	return c->m.bindings[slot].method == 3;
}

uint32_t rsip_dp_list_head(const struct rsip_dp_core *c, uint32_t word, int list)
{
	uint32_t slot = RSIP_PAIR_SLOT(word);

	return rsip_dp_numbers_used(&c->slots, slot) && c->slot[slot].linked[list] ? slot : 0;
}

/* One for all remotes before those for one: then the head alone tells whether there is such a one. */
static bool goes_before(const struct rsip_binding *a, const struct rsip_binding *b)
{
	if (!a->remote != !b->remote)
		return !a->remote;
	return a->expires_ns > b->expires_ns;
}

/* New leases end last as a rule: the walk is mostly one step, and never longer than the pair's
 * bindings. */
uint32_t rsip_dp_list_add(struct rsip_dp_core *c, uint32_t head, int list, uint32_t slot)
{
	uint32_t before = 0, after = head;

	while (after && goes_before(&c->m.bindings[after], &c->m.bindings[slot])) {
		before = after;
		after = c->slot[after].next[list];
	}
	c->slot[slot].prev[list] = before;
	c->slot[slot].next[list] = after;
	c->slot[slot].linked[list] = true;
	if (after)
		c->slot[after].prev[list] = slot;
	if (!before)
		return slot;
	c->slot[before].next[list] = slot;
	return head;
}

uint32_t rsip_dp_list_remove(struct rsip_dp_core *c, uint32_t head, int list, uint32_t slot)
{
	struct rsip_dp_slot *s = &c->slot[slot];
	uint32_t prev = s->prev[list], next = s->next[list];

	if (!s->linked[list])
		return head;
	if (prev)
		c->slot[prev].next[list] = next;
	if (next)
		c->slot[next].prev[list] = prev;
	s->prev[list] = s->next[list] = 0;
	s->linked[list] = false;
	return head == slot ? next : head;
}

static uint32_t tunnel_bit(const struct rsip_dp_core *c, uint32_t slot)
{
	return RSIP_TUNNEL_BIT(c->m.bindings[slot].tunnel);
}

/*
 * A binding has joined the list that begins at head.  Types that the word names already stay: at start-up their
 * bindings may be yet to join.
 */
static void set_word(const struct rsip_dp_core *c, uint32_t *word, uint32_t head, uint32_t joined)
{
	uint32_t tunnels = RSIP_PAIR_TUNNELS(*word) | tunnel_bit(c, joined);

	__atomic_store_n(word, RSIP_PAIR_WORD(head, tunnels), __ATOMIC_RELEASE);
}

/* Has the list, which begins at head and is not empty, a type less by now?  Only where it had several. */
static void settle_word(const struct rsip_dp_core *c, uint32_t *word, uint32_t head, int list)
{
	uint32_t had = RSIP_PAIR_TUNNELS(*word), have = had;

	if (had & (had - 1))
		have = 0;
	for (uint32_t slot = head; slot && have != had; slot = c->slot[slot].next[list])
		have |= tunnel_bit(c, slot);
	__atomic_store_n(word, RSIP_PAIR_WORD(head, have), __ATOMIC_RELEASE);
}

static void teach_head(struct rsip_dp_core *c, uint32_t head)
{
	__atomic_store_n(&c->m.learned[c->m.bindings[head].learned].slot, head, __ATOMIC_RELEASE);
}

static void add_ipsec(struct rsip_dp_core *c, struct rsip_pair_entry *e, uint32_t head, uint32_t slot)
{
	head = rsip_dp_list_add(c, head, RSIP_DP_IPSEC, slot);
	teach_head(c, head);
	set_word(c, &e->ipsec_slot, head, slot);
}

static int join_new(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];
	uint32_t word = RSIP_PAIR_WORD(slot, tunnel_bit(c, slot)), ipsec = is_ipsec(c, slot) ? word : 0;
	int err;

	/* The learned record first: whoever finds the pair must find its claims usable. */
	if (ipsec)
		__atomic_store_n(&c->m.learned[rec->learned].slot, slot, __ATOMIC_RELEASE);
	err = rsip_table_pair_put(&c->pairs, rec->host, rec->local, word, ipsec);
	if (err) {
		if (ipsec)
			__atomic_store_n(&c->m.learned[rec->learned].slot, 0, __ATOMIC_RELEASE);
		return err;
	}
	rsip_dp_list_add(c, 0, RSIP_DP_ANY, slot);
	if (ipsec)
		rsip_dp_list_add(c, 0, RSIP_DP_IPSEC, slot);
	return 0;
}

static int join_pair(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];
	struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, rec->host, rec->local);
	uint32_t head;

	if (!e)
		return join_new(c, slot);
	if (is_ipsec(c, slot))
		add_ipsec(c, e, rsip_dp_list_head(c, e->ipsec_slot, RSIP_DP_IPSEC), slot);
	head = rsip_dp_list_head(c, e->slot, RSIP_DP_ANY);
	set_word(c, &e->slot, rsip_dp_list_add(c, head, RSIP_DP_ANY, slot), slot);
	return 0;
}

int rsip_dp_pair_join(struct rsip_dp_core *c, uint32_t slot)
{
	int err = rsip_dp_remote_join(c, slot);

	if (!err)
		err = join_pair(c, slot);
	if (err)
		rsip_dp_remote_leave(c, slot);
	return err;
}

void rsip_dp_pair_leave(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];
	struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, rec->host, rec->local);
	uint32_t head;

	rsip_dp_remote_leave(c, slot);
	if (!e || !c->slot[slot].linked[RSIP_DP_ANY])
		return;
	head = rsip_dp_list_remove(c, RSIP_PAIR_SLOT(e->slot), RSIP_DP_ANY, slot);
	if (head)
		settle_word(c, &e->slot, head, RSIP_DP_ANY);
	if (is_ipsec(c, slot)) {
		uint32_t ipsec = rsip_dp_list_remove(c, RSIP_PAIR_SLOT(e->ipsec_slot), RSIP_DP_IPSEC, slot);

		if (ipsec) {
			teach_head(c, ipsec);
			settle_word(c, &e->ipsec_slot, ipsec, RSIP_DP_IPSEC);
		} else {
			__atomic_store_n(&e->ipsec_slot, 0, __ATOMIC_RELEASE);
			__atomic_store_n(&c->m.learned[rec->learned].slot, 0, __ATOMIC_RELEASE);
		}
	}
	if (!head)
		rsip_table_pair_del(&c->pairs, rec->host, rec->local);
}

void rsip_dp_pair_moved(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];
	struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, rec->host, rec->local);
	uint32_t head;

	rsip_dp_remote_moved(c, slot);
	if (!e)
		return;
	if (is_ipsec(c, slot)) {
		head = rsip_dp_list_remove(c, RSIP_PAIR_SLOT(e->ipsec_slot), RSIP_DP_IPSEC, slot);
		add_ipsec(c, e, head, slot);
	}
	head = rsip_dp_list_remove(c, RSIP_PAIR_SLOT(e->slot), RSIP_DP_ANY, slot);
	set_word(c, &e->slot, rsip_dp_list_add(c, head, RSIP_DP_ANY, slot), slot);
}

void rsip_dp_pair_settle(struct rsip_dp_core *c, struct rsip_pair_entry *e)
{
	settle_word(c, &e->slot, RSIP_PAIR_SLOT(e->slot), RSIP_DP_ANY);
	if (e->ipsec_slot)
		settle_word(c, &e->ipsec_slot, RSIP_PAIR_SLOT(e->ipsec_slot), RSIP_DP_IPSEC);
}

/* ---- learned records ------------------------------------------------------------------------- */

bool rsip_dp_speaks_ike(const struct rsip_binding *rec)
{
	return rec->method == 3 || rec->kind & RSIP_KIND_IKE;
}

/* The pair's RSIPSEC bindings are at hand; where there are only listeners, they are among the pair's bindings. */
uint32_t rsip_dp_learned_find(const struct rsip_dp_core *c, const struct rsip_binding *rec)
{
	const struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, rec->host, rec->local);
	uint32_t slot = e ? rsip_dp_list_head(c, e->ipsec_slot, RSIP_DP_IPSEC) : 0;

	if (slot)
		return c->m.bindings[slot].learned;
	slot = e ? rsip_dp_list_head(c, e->slot, RSIP_DP_ANY) : 0;
	while (slot && !c->m.bindings[slot].learned)
		slot = c->slot[slot].next[RSIP_DP_ANY];
	return slot ? c->m.bindings[slot].learned : 0;
}

static uint32_t gen_after(uint32_t gen)
{
	return gen + 1 ? gen + 1 : 1;
}

/*
 * The generation rises when a record is dropped, which voids its claims, and again when it is
 * taken: a packet that was still under way at the drop may have claimed with the generation
 * between.
 */
int rsip_dp_learned_take(struct rsip_dp_core *c, const struct rsip_binding *rec, uint32_t slot, uint32_t *learned)
{
	uint32_t num = rsip_dp_numbers_take_this(&c->learned, slot) ? slot : rsip_dp_core_take(c, &c->learned), gen;
	struct rsip_learned *l;

	if (!num)
		return -ENOSPC;
	l = &c->m.learned[num];
	gen = gen_after(l->gen);
	/* All but gen: a kill here must not make generations start anew.  Without a generation nobody ever wrote to it. */
	if (l->gen)
		memset((uint8_t *)l + sizeof(l->gen), 0, sizeof(*l) - sizeof(l->gen));
	l->host = rec->host;
	l->local = rec->local;
	__atomic_store_n(&l->gen, gen, __ATOMIC_RELEASE);
	*learned = num;
	return 0;
}

void rsip_dp_learned_drop(struct rsip_dp_core *c, uint32_t learned)
{
	struct rsip_learned *l = &c->m.learned[learned];

	__atomic_store_n(&l->gen, gen_after(l->gen), __ATOMIC_RELEASE);
	__atomic_store_n(&l->slot, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&l->host, 0, __ATOMIC_RELEASE);
	rsip_dp_numbers_drop(&c->learned, learned);
	c->stale++;
}
