// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "tables.h"

#define BUCKET_LEN 64
#define SEARCH_MAX 128 /* buckets looked at before a table counts as full */

/* What differs between the tables.  Entries are passed as pointers into the table or as a
 * model of one. */
struct rsip_table_kind {
	uint32_t entry_len;
	uint32_t entries; /* of a bucket */
	bool (*used)(const void *e);
	uint64_t (*key)(const void *e);
	bool (*same)(const void *a, const void *b); /* the same key: one of them is a copy */
	void (*publish)(void *e, const void *model); /* into a free place */
	void (*clear)(void *e);
};

#define LOAD(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define STORE(word, val) __atomic_store_n(&(word), val, __ATOMIC_RELAXED)
#define PUBLISH(word, val) __atomic_store_n(&(word), val, __ATOMIC_RELEASE)

/* ---- addresses: an entry is one 8-byte word -------------------------------------------------- */

static bool addr_used(const void *e)
{
	return ((const struct rsip_addr_entry *)e)->addr != 0;
}

static uint64_t addr_key(const void *e)
{
	return RSIP_ADDR_KEY(((const struct rsip_addr_entry *)e)->addr);
}

static bool addr_same(const void *a, const void *b)
{
	return ((const struct rsip_addr_entry *)a)->addr ==
	       ((const struct rsip_addr_entry *)b)->addr;
}

static void addr_publish(void *e, const void *model)
{
	uint64_t word;

	memcpy(&word, model, sizeof(word));
	PUBLISH(*(uint64_t *)e, word);
}

static void addr_clear(void *e)
{
	PUBLISH(*(uint64_t *)e, 0);
}

static const struct rsip_table_kind addr_kind = {
	.entry_len = sizeof(struct rsip_addr_entry),
	.entries = 8,
	.used = addr_used,
	.key = addr_key,
	.same = addr_same,
	.publish = addr_publish,
	.clear = addr_clear,
};

/* ---- SPIs: the slot is written last and cleared first ---------------------------------------- */

static bool spi_used(const void *e)
{
	return ((const struct rsip_spi_entry *)e)->slot != 0;
}

static uint64_t spi_key(const void *e)
{
	const struct rsip_spi_entry *s = e;

	return RSIP_SPI_KEY(s->addr, s->first);
}

static bool spi_same(const void *a, const void *b)
{
	const struct rsip_spi_entry *x = a, *y = b;

	uint32_t xo = x->first & (RSIP_SPI_BLOCK - 1), yo = y->first & (RSIP_SPI_BLOCK - 1);

	/* Offsets in the block: the last block of all ends at 2^32, where first + cnt would wrap.
	 */
	return x->addr == y->addr && (x->first ^ y->first) < RSIP_SPI_BLOCK && xo < yo + y->cnt &&
	       yo < xo + x->cnt;
}

static void spi_publish(void *e, const void *model)
{
	const struct rsip_spi_entry *from = model;
	struct rsip_spi_entry *to = e;

	STORE(to->addr, from->addr);
	STORE(to->first, from->first);
	STORE(to->cnt, from->cnt);
	PUBLISH(to->slot, from->slot);
}

static void spi_clear(void *e)
{
	PUBLISH(((struct rsip_spi_entry *)e)->slot, 0);
}

static const struct rsip_table_kind spi_kind = {
	.entry_len = sizeof(struct rsip_spi_entry),
	.entries = 4,
	.used = spi_used,
	.key = spi_key,
	.same = spi_same,
	.publish = spi_publish,
	.clear = spi_clear,
};

/* ---- pairs: the host is written last and cleared first --------------------------------------- */

static bool pair_used(const void *e)
{
	return ((const struct rsip_pair_entry *)e)->host != 0;
}

static uint64_t pair_key(const void *e)
{
	const struct rsip_pair_entry *p = e;

	return RSIP_PAIR_KEY(p->host, p->local);
}

static bool pair_same(const void *a, const void *b)
{
	const struct rsip_pair_entry *x = a, *y = b;

	return x->host == y->host && x->local == y->local;
}

static void pair_publish(void *e, const void *model)
{
	const struct rsip_pair_entry *from = model;
	struct rsip_pair_entry *to = e;

	STORE(to->local, from->local);
	STORE(to->slot, from->slot);
	STORE(to->ipsec_slot, from->ipsec_slot);
	PUBLISH(to->host, from->host);
}

static void pair_clear(void *e)
{
	struct rsip_pair_entry *p = e;

	PUBLISH(p->host, 0);
	PUBLISH(p->slot, 0);
	STORE(p->ipsec_slot, 0);
}

static const struct rsip_table_kind pair_kind = {
	.entry_len = sizeof(struct rsip_pair_entry),
	.entries = 4,
	.used = pair_used,
	.key = pair_key,
	.same = pair_same,
	.publish = pair_publish,
	.clear = pair_clear,
};

/* ---- remotes: the slot is written last and cleared first -------------------------------------- */

static bool remote_used(const void *e)
{
	return (((const struct rsip_remote_entry *)e)->slot & ~RSIP_REMOTE_IPSEC) != 0;
}

static uint64_t remote_key(const void *e)
{
	const struct rsip_remote_entry *r = e;

	return RSIP_REMOTE_KEY(r->host, r->local, r->remote, r->slot & RSIP_REMOTE_IPSEC);
}

static bool remote_same(const void *a, const void *b)
{
	const struct rsip_remote_entry *x = a, *y = b;

	return x->host == y->host && x->local == y->local && x->remote == y->remote &&
	       !((x->slot ^ y->slot) & RSIP_REMOTE_IPSEC);
}

static void remote_publish(void *e, const void *model)
{
	const struct rsip_remote_entry *from = model;
	struct rsip_remote_entry *to = e;

	STORE(to->host, from->host);
	STORE(to->local, from->local);
	STORE(to->remote, from->remote);
	PUBLISH(to->slot, from->slot);
}

static void remote_clear(void *e)
{
	PUBLISH(((struct rsip_remote_entry *)e)->slot, 0);
}

static const struct rsip_table_kind remote_kind = {
	.entry_len = sizeof(struct rsip_remote_entry),
	.entries = 4,
	.used = remote_used,
	.key = remote_key,
	.same = remote_same,
	.publish = remote_publish,
	.clear = remote_clear,
};

/* ---- hosts with IPv6 addresses: the index is written last and cleared first -------------------- */

static bool host6_used(const void *e)
{
	return ((const struct rsip_host6_entry *)e)->index != 0;
}

static uint64_t host6_key(const void *e)
{
	return RSIP_HOST6_KEY(((const struct rsip_host6_entry *)e)->addr);
}

static bool host6_same(const void *a, const void *b)
{
	return !memcmp(((const struct rsip_host6_entry *)a)->addr, ((const struct rsip_host6_entry *)b)->addr, 16);
}

static void host6_publish(void *e, const void *model)
{
	const struct rsip_host6_entry *from = model;
	struct rsip_host6_entry *to = e;

	for (int i = 0; i < 4; i++)
		STORE(to->addr[i], from->addr[i]);
	PUBLISH(to->index, from->index);
}

static void host6_clear(void *e)
{
	PUBLISH(((struct rsip_host6_entry *)e)->index, 0);
}

static const struct rsip_table_kind host6_kind = {
	.entry_len = sizeof(struct rsip_host6_entry),
	.entries = 3,
	.used = host6_used,
	.key = host6_key,
	.same = host6_same,
	.publish = host6_publish,
	.clear = host6_clear,
};

/* ---- the table ------------------------------------------------------------------------------- */

static void table_init(struct rsip_table *t, const struct rsip_table_kind *kind, void *mem,
		       uint32_t buckets, uint64_t seed)
{
	memset(t, 0, sizeof(*t));
	t->kind = kind;
	t->mem = mem;
	t->mask = buckets - 1;
	t->seed = seed;
}

void rsip_table_init_addrs(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed)
{
	table_init(t, &addr_kind, mem, buckets, seed);
}

void rsip_table_init_spis(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed)
{
	table_init(t, &spi_kind, mem, buckets, seed);
}

void rsip_table_init_pairs(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed)
{
	table_init(t, &pair_kind, mem, buckets, seed);
}

void rsip_table_init_remotes(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed)
{
	table_init(t, &remote_kind, mem, buckets, seed);
}

void rsip_table_init_hosts6(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed)
{
	table_init(t, &host6_kind, mem, buckets, seed);
}

static void *place(const struct rsip_table *t, uint32_t bucket, uint32_t i)
{
	return (uint8_t *)t->mem + (size_t)bucket * BUCKET_LEN + i * t->kind->entry_len;
}

static void buckets_of(const struct rsip_table *t, const void *model, uint32_t out[2])
{
	uint64_t hash = rsip_hash(t->kind->key(model), t->seed);

	out[0] = rsip_bucket1(hash, t->mask);
	out[1] = rsip_bucket2(hash, t->mask);
}

static uint32_t other_bucket(const struct rsip_table *t, const void *e, uint32_t bucket)
{
	uint32_t b[2];

	buckets_of(t, e, b);
	return b[0] == bucket ? b[1] : b[0];
}

static void fetch(const struct rsip_table *t, const void *model)
{
	uint32_t b[2];

	buckets_of(t, model, b);
	__builtin_prefetch(place(t, b[0], 0), 1);
	__builtin_prefetch(place(t, b[1], 0), 1);
}

/* Looks where readers look, in their order. */
static void *find(const struct rsip_table *t, const void *model)
{
	uint32_t b[2];

	buckets_of(t, model, b);
	__builtin_prefetch(
		place(t, b[1], 0)); /* both cache lines at once: at a million keys each is a miss */
	for (int n = 0; n < 2; n++) {
		for (uint32_t i = 0; i < t->kind->entries; i++) {
			void *e = place(t, b[n], i);

			if (t->kind->used(e) && t->kind->same(e, model))
				return e;
		}
	}
	return NULL;
}

static void *free_place(const struct rsip_table *t, uint32_t bucket, uint32_t *used)
{
	void *free = NULL;

	*used = 0;
	for (uint32_t i = 0; i < t->kind->entries; i++) {
		void *e = place(t, bucket, i);

		if (t->kind->used(e))
			++*used;
		else if (!free)
			free = e;
	}
	return free;
}

static void wait_grace(struct rsip_table *t)
{
	if (t->grace)
		t->grace(t->grace_arg);
}

/* Readers look at one bucket, then the other: the old copy must stay until those that saw the new
 * place empty end. */
static void move_entry(struct rsip_table *t, void *from, void *to)
{
	t->kind->publish(to, from);
	wait_grace(t);
	t->kind->clear(from);
	wait_grace(t);
	t->moves++;
}

/* One bucket on the way to a free place; reached by moving entry `entry` of bucket
 * node[parent].bucket here. */
struct step {
	uint32_t bucket;
	int16_t parent;
	uint8_t entry;
};

static bool seen(const struct step *node, int cnt, uint32_t bucket)
{
	for (int i = 0; i < cnt; i++)
		if (node[i].bucket == bucket)
			return true;
	return false;
}

/* Moves along the path that ends in node `at`, whose entry `entry` can go to `free`; returns the
 * place freed first. */
static void *shift_path(struct rsip_table *t, const struct step *node, int at, uint32_t entry,
			void *free)
{
	for (;;) {
		void *from = place(t, node[at].bucket, entry);

		move_entry(t, from, free);
		free = from;
		if (node[at].parent < 0)
			return free;
		entry = node[at].entry;
		at = node[at].parent;
	}
}

/* Breadth first, so that the fewest entries move. */
static void *make_room(struct rsip_table *t, const uint32_t start[2])
{
	struct step node[SEARCH_MAX] = { { start[0], -1, 0 }, { start[1], -1, 0 } };
	int cnt = 2;
	uint32_t used;

	for (int at = 0; at < cnt; at++) {
		for (uint32_t i = 0; i < t->kind->entries; i++) {
			uint32_t other =
				other_bucket(t, place(t, node[at].bucket, i), node[at].bucket);
			void *free = free_place(t, other, &used);

			if (free)
				return shift_path(t, node, at, i, free);
			if (cnt < SEARCH_MAX && !seen(node, cnt, other))
				node[cnt++] = (struct step){ other, (int16_t)at, (uint8_t)i };
		}
	}
	return NULL;
}

static int put(struct rsip_table *t, const void *model)
{
	uint32_t b[2], used[2];
	void *free[2], *e;

	if (find(t, model))
		return -EEXIST;
	buckets_of(t, model, b);
	free[0] = free_place(t, b[0], &used[0]);
	free[1] = free_place(t, b[1], &used[1]);
	e = free[1] && (!free[0] || used[1] < used[0]) ? free[1] : free[0];
	if (!e)
		e = make_room(t, b);
	if (!e)
		return -ENOSPC;
	t->kind->publish(e, model);
	return 0;
}

static int del(struct rsip_table *t, const void *model)
{
	void *e = find(t, model);

	if (!e)
		return -ENOENT;
	t->kind->clear(e);
	return 0;
}

uint32_t rsip_table_repair(struct rsip_table *t)
{
	uint32_t cleared = 0;

	for (uint32_t b = 0; b <= t->mask; b++) {
		for (uint32_t i = 0; i < t->kind->entries; i++) {
			void *e = place(t, b, i);

			if (t->kind->used(e) && find(t, e) != e) {
				t->kind->clear(e);
				cleared++;
			}
		}
	}
	return cleared;
}

/* ---- by kind --------------------------------------------------------------------------------- */

struct rsip_addr_entry *rsip_table_addr(const struct rsip_table *t, __be32 addr)
{
	return find(t, &(struct rsip_addr_entry){ .addr = addr });
}

int rsip_table_addr_put(struct rsip_table *t, __be32 addr, uint32_t index)
{
	return addr ? put(t, &(struct rsip_addr_entry){ .addr = addr, .index = index }) : -EINVAL;
}

int rsip_table_addr_del(struct rsip_table *t, __be32 addr)
{
	return del(t, &(struct rsip_addr_entry){ .addr = addr });
}

void rsip_table_spi_fetch(const struct rsip_table *t, __be32 addr, uint32_t spi)
{
	fetch(t, &(struct rsip_spi_entry){ .addr = addr, .first = spi });
}

void rsip_table_pair_fetch(const struct rsip_table *t, __be32 host, __be32 local)
{
	fetch(t, &(struct rsip_pair_entry){ .host = host, .local = local });
}

struct rsip_spi_entry *rsip_table_spi(const struct rsip_table *t, __be32 addr, uint32_t spi)
{
	return find(t, &(struct rsip_spi_entry){ .addr = addr, .first = spi, .cnt = 1 });
}

bool rsip_table_spi_taken(const struct rsip_table *t, __be32 addr, uint32_t first, uint32_t cnt)
{
	return find(t, &(struct rsip_spi_entry){ .addr = addr, .first = first, .cnt = cnt }) !=
	       NULL;
}

int rsip_table_spi_put(struct rsip_table *t, __be32 addr, uint32_t first, uint32_t cnt,
		       uint32_t slot)
{
	if (!slot || !cnt || cnt > RSIP_SPI_BLOCK - (first & (RSIP_SPI_BLOCK - 1)))
		return -EINVAL;
	return put(t, &(struct rsip_spi_entry){
			      .addr = addr, .first = first, .cnt = cnt, .slot = slot });
}

int rsip_table_spi_del(struct rsip_table *t, __be32 addr, uint32_t first, uint32_t slot)
{
	struct rsip_spi_entry *e = rsip_table_spi(t, addr, first);

	if (!e || e->first != first || e->slot != slot)
		return -ENOENT;
	spi_clear(e);
	return 0;
}

struct rsip_pair_entry *rsip_table_pair(const struct rsip_table *t, __be32 host, __be32 local)
{
	return find(t, &(struct rsip_pair_entry){ .host = host, .local = local });
}

int rsip_table_pair_put(struct rsip_table *t, __be32 host, __be32 local, uint32_t slot,
			uint32_t ipsec_slot)
{
	struct rsip_pair_entry model = {
		.host = host, .local = local, .slot = slot, .ipsec_slot = ipsec_slot
	};

	return host ? put(t, &model) : -EINVAL;
}

int rsip_table_pair_del(struct rsip_table *t, __be32 host, __be32 local)
{
	return del(t, &(struct rsip_pair_entry){ .host = host, .local = local });
}

struct rsip_remote_entry *rsip_table_remote(const struct rsip_table *t, __be32 host, __be32 local,
					    __be32 remote, uint32_t ipsec)
{
	return find(t, &(struct rsip_remote_entry){
			       .host = host, .local = local, .remote = remote, .slot = ipsec });
}

int rsip_table_remote_put(struct rsip_table *t, const struct rsip_remote_entry *e)
{
	return remote_used(e) ? put(t, e) : -EINVAL;
}

struct rsip_host6_entry *rsip_table_host6(const struct rsip_table *t, const __be32 addr[4])
{
	struct rsip_host6_entry model = { .index = 0 };

	memcpy(model.addr, addr, sizeof(model.addr));
	return find(t, &model);
}

int rsip_table_host6_put(struct rsip_table *t, const struct rsip_host6_entry *e)
{
	return e->index ? put(t, e) : -EINVAL;
}

int rsip_table_host6_del(struct rsip_table *t, const __be32 addr[4])
{
	struct rsip_host6_entry *e = rsip_table_host6(t, addr);

	if (!e)
		return -ENOENT;
	host6_clear(e);
	return 0;
}
