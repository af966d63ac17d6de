/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers that wait until what they say is on disk: a queue, since batches become durable in order. */
#ifndef RSIP_HOLD_H
#define RSIP_HOLD_H

#include "engine.h"
#include "transport.h"

#define RSIP_HOLD_MAX 65536 /* answers; who asks beyond that is not served, and asks again */

struct rsip_held {
	struct rsip_held *next;
	uint64_t batch; /* of the journal */
	struct rsip_peer to;
	struct rsip_engine_grant grant; /* bind_id 0: it grants nothing */
	size_t len;
	uint8_t msg[];
};

struct rsip_hold {
	struct rsip_held *first, *last;
	uint32_t cnt;
};

bool rsip_hold_add(struct rsip_hold *h, uint64_t batch, const struct rsip_peer *to, const struct rsip_engine_grant *grant,
		   const uint8_t *msg, size_t len); /* false: no memory */
/* The first whose batch is at most this; the caller frees it.  NULL: none. */
struct rsip_held *rsip_hold_take(struct rsip_hold *h, uint64_t batch);

#endif
