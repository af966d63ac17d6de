// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define BLOCK (64 * 1024)

struct block { /* memory of one batch: what rows point to */
	struct block *next;
	size_t used, size;
	uint8_t bytes[];
};

struct batch {
	struct rsip_batch pub;
	uint32_t room;
	struct block *blocks;
};

struct rsip_journal {
	struct batch batch[2];
	struct batch *open, *taken; /* taken: under way, or failed and to come again; else empty */
	bool under_way, failing;
	bool touch; /* the next batch may be empty */
	bool lost; /* memory ran out: the store would no longer be the truth */
	uint64_t durable, changes;
};

int rsip_journal_create(struct rsip_journal **out)
{
	struct rsip_journal *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->open = &j->batch[0];
	j->taken = &j->batch[1];
	j->open->pub.number = 1;
	*out = j;
	return 0;
}

/* Keeps one block for the next batch. */
static void empty(struct batch *b)
{
	while (b->blocks && b->blocks->next) {
		struct block *first = b->blocks;

		b->blocks = first->next;
		free(first);
	}
	if (b->blocks)
		b->blocks->used = 0;
	b->pub.cnt = 0;
}

void rsip_journal_destroy(struct rsip_journal *j)
{
	if (!j)
		return;
	for (int i = 0; i < 2; i++) {
		empty(&j->batch[i]);
		free(j->batch[i].blocks);
		free(j->batch[i].pub.change);
	}
	free(j);
}

/* ---- changes ----------------------------------------------------------------------------------------------------- */

/* Aligned memory that lives as long as the batch; NULL: there is none. */
static void *keep(struct batch *b, const void *from, size_t len)
{
	size_t want = (len + 7) & ~(size_t)7;
	void *at;

	if (!b->blocks || b->blocks->size - b->blocks->used < want) {
		size_t size = want > BLOCK ? want : BLOCK;
		struct block *more = malloc(sizeof(*more) + size);

		if (!more)
			return NULL;
		*more = (struct block){ .next = b->blocks, .size = size };
		b->blocks = more;
	}
	at = b->blocks->bytes + b->blocks->used;
	b->blocks->used += want;
	memcpy(at, from, len);
	return at;
}

static struct rsip_store_change *place(struct rsip_journal *j, struct rsip_journal_mark *mark)
{
	struct batch *b = j->open;

	j->changes++;
	if (mark->batch == b->pub.number)
		return &b->pub.change[mark->index];
	if (b->pub.cnt == b->room) {
		uint32_t room = b->room ? 2 * b->room : 1024;
		struct rsip_store_change *more = realloc(b->pub.change, room * sizeof(*more));

		if (!more)
			return NULL;
		b->pub.change = more;
		b->room = room;
	}
	*mark = (struct rsip_journal_mark){ b->pub.number, b->pub.cnt };
	memset(&b->pub.change[b->pub.cnt], 0, sizeof(*b->pub.change));
	return &b->pub.change[b->pub.cnt++];
}

/*
 * Points into the batch's memory.  A row that changes again and again while the store fails must not fill it: where
 * the bytes fit where the last ones were, they go there.
 */
static const void *blob(struct rsip_journal *j, const void *old, size_t old_len, const void *from, size_t len)
{
	if (!len)
		return NULL;
	if (old && ((len + 7) & ~(size_t)7) <= ((old_len + 7) & ~(size_t)7))
		return memcpy((void *)old, from, len);
	return keep(j->open, from, len);
}

static void lost(struct rsip_journal *j)
{
	if (!j->lost)
		log_err("memory ran out: what changes from now on is not kept in the lease store (restart rsipd)");
	j->lost = j->failing = true;
}

void rsip_journal_lease(struct rsip_journal *j, struct rsip_journal_mark *mark, const struct rsip_store_lease *row)
{
	struct rsip_store_change *c = place(j, mark);
	size_t len = (row->port_ranges + row->spi_ranges) * sizeof(*row->range), old_len;
	const void *range;

	if (!c) {
		lost(j);
		return;
	}
	old_len = (c->lease.port_ranges + c->lease.spi_ranges) * sizeof(*row->range);
	range = blob(j, c->lease.range, old_len, row->range, len);
	if (len && !range)
		lost(j);
	*c = (struct rsip_store_change){ .kind = RSIP_STORE_LEASE, .seq = row->seq, .lease = *row };
	c->lease.range = range;
}

void rsip_journal_client(struct rsip_journal *j, struct rsip_journal_mark *mark, const struct rsip_store_client *row)
{
	struct rsip_store_change *c = place(j, mark);
	const void *bytes;

	if (!c) {
		lost(j);
		return;
	}
	bytes = blob(j, c->client.last.bytes, c->client.last.len, row->last.bytes, row->last.len);
	if (row->last.len && !bytes)
		lost(j);
	*c = (struct rsip_store_change){ .kind = RSIP_STORE_CLIENT, .seq = row->seq, .client = *row };
	c->client.last.bytes = bytes;
}

void rsip_journal_key(struct rsip_journal *j, struct rsip_journal_mark *mark, const struct rsip_store_key *row)
{
	struct rsip_store_change *c = place(j, mark);

	if (c)
		*c = (struct rsip_store_change){ .kind = RSIP_STORE_KEY, .seq = row->key_id, .key = *row };
	else
		lost(j);
}

void rsip_journal_gone(struct rsip_journal *j, struct rsip_journal_mark *mark, enum rsip_store_kind kind, uint64_t seq)
{
	struct rsip_store_change *c = place(j, mark);

	if (!c) {
		lost(j);
		return;
	}
	c->kind = kind;
	c->gone = true;
	c->seq = seq;
}

/* ---- batches ----------------------------------------------------------------------------------------------------- */

uint64_t rsip_journal_changes(const struct rsip_journal *j)
{
	return j->changes;
}

uint64_t rsip_journal_open(const struct rsip_journal *j)
{
	return j->open->pub.number;
}

uint64_t rsip_journal_durable(const struct rsip_journal *j)
{
	return j->durable;
}

bool rsip_journal_failing(const struct rsip_journal *j)
{
	return j->failing;
}

uint32_t rsip_journal_backlog(const struct rsip_journal *j)
{
	return j->open->pub.cnt;
}

const struct rsip_batch *rsip_journal_take(struct rsip_journal *j)
{
	struct batch *b = j->open;

	if (j->under_way || j->lost)
		return NULL;
	if (!j->taken->pub.cnt) {
		if (!b->pub.cnt && !j->failing && !j->touch)
			return NULL;
		j->open = j->taken;
		j->taken = b;
		j->open->pub.number = b->pub.number + 1;
	}
	j->touch = false;
	j->under_way = true;
	return &j->taken->pub;
}

void rsip_journal_fail(struct rsip_journal *j)
{
	j->failing = true;
}

void rsip_journal_touch(struct rsip_journal *j)
{
	j->touch = true;
}

void rsip_journal_done(struct rsip_journal *j, int err)
{
	j->under_way = false;
	j->failing = err != 0 || j->lost;
	if (err)
		return;
	j->durable = j->taken->pub.number;
	empty(j->taken);
}
