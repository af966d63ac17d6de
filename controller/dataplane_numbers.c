// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Numbers that rest before they are used again: see dataplane_core.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dataplane_core.h"

enum { NUM_UNUSED, NUM_USED, NUM_RESTING, NUM_FREE };

int rsip_dp_numbers_init(struct rsip_dp_numbers *n, uint32_t max)
{
	memset(n, 0, sizeof(*n));
	n->next = calloc((size_t)max + 1, sizeof(*n->next));
	n->prev = calloc((size_t)max + 1, sizeof(*n->prev));
	n->state = calloc((size_t)max + 1, sizeof(*n->state));
	n->max = max;
	n->fresh = 1;
	return n->next && n->prev && n->state ? 0 : -ENOMEM;
}

void rsip_dp_numbers_free(struct rsip_dp_numbers *n)
{
	free(n->next);
	free(n->prev);
	free(n->state);
	memset(n, 0, sizeof(*n));
}

static void queue_unlink(struct rsip_dp_numbers *n, uint32_t num)
{
	uint32_t prev = n->prev[num], next = n->next[num];

	if (prev)
		n->next[prev] = next;
	else
		n->free_head = next;
	if (next)
		n->prev[next] = prev;
	else
		n->free_tail = prev;
}

uint32_t rsip_dp_numbers_peek(struct rsip_dp_numbers *n)
{
	while (n->fresh <= n->max && n->state[n->fresh] != NUM_UNUSED)
		n->fresh++;
	return n->fresh <= n->max ? n->fresh : n->free_head;
}

bool rsip_dp_numbers_has(const struct rsip_dp_numbers *n, uint32_t num)
{
	return num && num <= n->max && (n->state[num] == NUM_UNUSED || n->state[num] == NUM_FREE);
}

bool rsip_dp_numbers_take_this(struct rsip_dp_numbers *n, uint32_t num)
{
	if (!rsip_dp_numbers_has(n, num))
		return false;
	if (n->state[num] == NUM_FREE)
		queue_unlink(n, num);
	n->next[num] = n->prev[num] = 0;
	n->state[num] = NUM_USED;
	return true;
}

uint32_t rsip_dp_numbers_take(struct rsip_dp_numbers *n)
{
	uint32_t num = rsip_dp_numbers_peek(n);

	return rsip_dp_numbers_take_this(n, num) ? num : 0;
}

void rsip_dp_numbers_claim(struct rsip_dp_numbers *n, uint32_t num)
{
	n->state[num] = NUM_USED;
}

bool rsip_dp_numbers_used(const struct rsip_dp_numbers *n, uint32_t num)
{
	return num && num <= n->max && n->state[num] == NUM_USED;
}

void rsip_dp_numbers_drop(struct rsip_dp_numbers *n, uint32_t num)
{
	n->state[num] = NUM_RESTING;
	n->next[num] = 0;
	if (n->limbo_tail)
		n->next[n->limbo_tail] = num;
	else
		n->limbo_head = num;
	n->limbo_tail = num;
}

void rsip_dp_numbers_settle(struct rsip_dp_numbers *n)
{
	n->limbo_since_ns = 0;
	if (!n->limbo_head)
		return;
	for (uint32_t num = n->limbo_head, last = n->free_tail; num; last = num, num = n->next[num]) {
		n->state[num] = NUM_FREE;
		n->prev[num] = last;
	}
	if (n->free_tail)
		n->next[n->free_tail] = n->limbo_head;
	else
		n->free_head = n->limbo_head;
	n->free_tail = n->limbo_tail;
	n->limbo_head = n->limbo_tail = 0;
}
