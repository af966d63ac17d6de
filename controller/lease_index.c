// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lease_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT 8
#define ITEMS (1U << SHIFT)

struct lease_chunk {
	uint32_t cnt;
	void *item[ITEMS];
};

/* Room for the chunk that holds seq: empty ones at the front go first. */
static int reach(struct lease_index *x, uint64_t seq)
{
	uint64_t want = seq >> SHIFT;
	uint32_t lead = 0;

	while (lead < x->cnt && !x->chunk[lead])
		lead++;
	if (lead)
		memmove(x->chunk, x->chunk + lead, (x->cnt - lead) * sizeof(*x->chunk));
	x->cnt -= lead;
	x->base = x->cnt ? x->base + lead : want;
	if (want - x->base >= UINT32_MAX / 2)
		return -ENOMEM;
	if (want - x->base >= x->room) {
		uint32_t room = 2 * (uint32_t)(want - x->base) + 16;
		struct lease_chunk **chunk = realloc(x->chunk, room * sizeof(*chunk));

		if (!chunk)
			return -ENOMEM;
		x->chunk = chunk;
		x->room = room;
	}
	while (x->cnt <= want - x->base)
		x->chunk[x->cnt++] = NULL;
	return 0;
}

int lease_index_add(struct lease_index *x, void *item, uint64_t seq, uint64_t *out)
{
	struct lease_chunk **c;

	if (!seq)
		seq = x->last + 1;
	if (seq <= x->last)
		return -EINVAL;
	if ((!x->cnt || seq >> SHIFT >= x->base + x->cnt) && reach(x, seq))
		return -ENOMEM;
	c = &x->chunk[(seq >> SHIFT) - x->base];
	if (!*c)
		*c = calloc(1, sizeof(**c));
	if (!*c)
		return -ENOMEM;
	(*c)->item[seq % ITEMS] = item;
	(*c)->cnt++;
	x->last = seq;
	*out = seq;
	return 0;
}

void lease_index_skip(struct lease_index *x, uint64_t seq)
{
	if (seq > x->last)
		x->last = seq;
}

void lease_index_remove(struct lease_index *x, uint64_t seq)
{
	struct lease_chunk **c = &x->chunk[(seq >> SHIFT) - x->base];

	(*c)->item[seq % ITEMS] = NULL;
	if (--(*c)->cnt)
		return;
	free(*c);
	*c = NULL;
}

void *lease_index_after(const struct lease_index *x, uint64_t seq)
{
	uint64_t at = seq + 1;

	if (at >> SHIFT < x->base)
		at = x->base << SHIFT;
	for (; at <= x->last && at >> SHIFT < x->base + x->cnt; at = (at | (ITEMS - 1)) + 1) {
		const struct lease_chunk *c = x->chunk[(at >> SHIFT) - x->base];

		for (uint32_t i = at % ITEMS; c && i < ITEMS; i++)
			if (c->item[i])
				return c->item[i];
	}
	return NULL;
}

void lease_index_free(struct lease_index *x)
{
	for (uint32_t i = 0; i < x->cnt; i++)
		free(x->chunk[i]);
	free(x->chunk);
	*x = (struct lease_index){ .chunk = NULL };
}
