// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "hold.h"

#include <stdlib.h>
#include <string.h>

bool rsip_hold_is_full(const struct rsip_hold *h, uint64_t now_ns)
{
	return h->cnt >= RSIP_HOLD_MAX || (h->first && now_ns - h->first->since_ns > RSIP_HOLD_MAX_NS);
}

bool rsip_hold_add(struct rsip_hold *h, const struct rsip_held *as, const uint8_t *msg)
{
	struct rsip_held *held = malloc(sizeof(*held) + as->len);

	if (!held)
		return false;
	*held = *as;
	held->next = NULL;
	memcpy(held->msg, msg, as->len);
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
