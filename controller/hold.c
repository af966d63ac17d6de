// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "hold.h"

#include <stdlib.h>
#include <string.h>

bool rsip_hold_add(struct rsip_hold *h, uint64_t batch, const struct rsip_peer *to, const struct rsip_engine_grant *grant,
		   const uint8_t *msg, size_t len)
{
	struct rsip_held *held = malloc(sizeof(*held) + len);

	if (!held)
		return false;
	*held = (struct rsip_held){ .batch = batch, .to = *to, .grant = *grant, .len = len };
	memcpy(held->msg, msg, len);
	if (h->last)
		h->last->next = held;
	else
		h->first = held;
	h->last = held;
	h->cnt++;
	return true;
}

struct rsip_held *rsip_hold_take(struct rsip_hold *h, uint64_t batch)
{
	struct rsip_held *held = h->first;

	if (!held || held->batch > batch)
		return NULL;
	h->first = held->next;
	if (!h->first)
		h->last = NULL;
	h->cnt--;
	return held;
}
