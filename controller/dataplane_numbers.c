// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Numbers that rest before they are used again: see dataplane_core.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dataplane_core.h"

enum { NUM_UNUSED, NUM_USED, NUM_RESTING };

int rsip_dp_numbers_init(struct rsip_dp_numbers *n, uint32_t max)
{
	memset(n, 0, sizeof(*n));
	n->next = calloc((size_t)max + 1, sizeof(*n->next));
	n->state = calloc((size_t)max + 1, sizeof(*n->state));
	n->max = max;
	n->fresh = 1;
	return n->next && n->state ? 0 : -ENOMEM;
}

void rsip_dp_numbers_free(struct rsip_dp_numbers *n)
{
	free(n->next);
	free(n->state);
	memset(n, 0, sizeof(*n));
}

static uint32_t queue_pop(struct rsip_dp_numbers *n)
{
	uint32_t num = n->free_head;

	if (!num)
		return 0;
	n->free_head = n->next[num];
	if (!n->free_head)
		n->free_tail = 0;
	return num;
}

uint32_t rsip_dp_numbers_take(struct rsip_dp_numbers *n)
{
	uint32_t num;

	while (n->fresh <= n->max && n->state[n->fresh] != NUM_UNUSED)
		n->fresh++;
	num = n->fresh <= n->max ? n->fresh++ : queue_pop(n);
	if (num) {
		n->next[num] = 0;
		n->state[num] = NUM_USED;
	}
	return num;
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
	if (n->free_tail)
		n->next[n->free_tail] = n->limbo_head;
	else
		n->free_head = n->limbo_head;
	n->free_tail = n->limbo_tail;
	n->limbo_head = n->limbo_tail = 0;
}
