// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lease_index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT 8
#define ITEMS (1U << SHIFT)
#define GROUP_SHIFT (2 * SHIFT)
#define GROUP_NUMBERS (1U << GROUP_SHIFT)

struct lease_chunk {
	uint32_t cnt;
	void *item[ITEMS];
};

struct lease_group {
	uint32_t cnt;
	struct lease_chunk *chunk[ITEMS];
};

static struct lease_group **group_of(const struct lease_index *x, uint64_t seq)
{
	return &x->group[(seq >> GROUP_SHIFT) - x->base];
}

static struct lease_chunk **chunk_of(struct lease_group *g, uint64_t seq)
{
	return &g->chunk[(seq >> SHIFT) % ITEMS];
}

/* Room for the group that holds seq: empty ones at the front go first. */
static int reach(struct lease_index *x, uint64_t seq)
{
	uint64_t want = seq >> GROUP_SHIFT;
	uint32_t lead = 0;

	while (lead < x->cnt && !x->group[lead])
		lead++;
	if (lead)
		memmove(x->group, x->group + lead, (x->cnt - lead) * sizeof(*x->group));
	x->cnt -= lead;
	x->base = x->cnt ? x->base + lead : want;
	if (want - x->base >= UINT32_MAX / 2)
		return -ENOMEM;
	if (want - x->base >= x->room) {
		uint32_t room = 2 * (uint32_t)(want - x->base) + 16;
		struct lease_group **group = realloc(x->group, room * sizeof(*group));

		if (!group)
			return -ENOMEM;
		x->group = group;
		x->room = room;
	}
	while (x->cnt <= want - x->base)
		x->group[x->cnt++] = NULL;
	return 0;
}

/* The chunk that holds seq, made if need be; NULL: no memory. */
static struct lease_chunk *chunk_get(struct lease_index *x, uint64_t seq)
{
	struct lease_group **g = group_of(x, seq);
	struct lease_chunk **c;

	if (!*g)
		*g = calloc(1, sizeof(**g));
	if (!*g)
		return NULL;
	c = chunk_of(*g, seq);
	if (*c)
		return *c;
	*c = calloc(1, sizeof(**c));
	if (*c) {
		(*g)->cnt++;
		return *c;
	}
	if (!(*g)->cnt) {
		free(*g);
		*g = NULL;
	}
	return NULL;
}

int lease_index_add(struct lease_index *x, void *item, uint64_t seq, uint64_t *out)
{
	struct lease_chunk *c;

	if (!seq)
		seq = x->last + 1;
	if (seq <= x->last)
		return -EINVAL;
	if ((!x->cnt || seq >> GROUP_SHIFT >= x->base + x->cnt) && reach(x, seq))
		return -ENOMEM;
	c = chunk_get(x, seq);
	if (!c)
		return -ENOMEM;
	c->item[seq % ITEMS] = item;
	c->cnt++;
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
	struct lease_group **g = group_of(x, seq);
	struct lease_chunk **c = chunk_of(*g, seq);

	(*c)->item[seq % ITEMS] = NULL;
	if (--(*c)->cnt)
		return;
	free(*c);
	*c = NULL;
	if (--(*g)->cnt)
		return;
	free(*g);
	*g = NULL;
}

void *lease_index_after(const struct lease_index *x, uint64_t seq)
{
	uint64_t at = seq + 1;

	if (at >> GROUP_SHIFT < x->base)
		at = x->base << GROUP_SHIFT;
	while (at <= x->last && at >> GROUP_SHIFT < x->base + x->cnt) {
		struct lease_group *g = *group_of(x, at);
		const struct lease_chunk *c = g ? *chunk_of(g, at) : NULL;

		for (uint32_t i = at % ITEMS; c && i < ITEMS; i++)
			if (c->item[i])
				return c->item[i];
		at = (at | ((g ? ITEMS : GROUP_NUMBERS) - 1)) + 1;
	}
	return NULL;
}

void lease_index_free(struct lease_index *x)
{
	for (uint32_t i = 0; i < x->cnt; i++) {
		for (uint32_t k = 0; x->group[i] && k < ITEMS; k++)
			free(x->group[i]->chunk[k]);
		free(x->group[i]);
	}
	free(x->group);
	*x = (struct lease_index){ .group = NULL };
}
