/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers that wait until what they say is on disk: a queue, since batches become durable in order. */
#ifndef RSIP_HOLD_H
#define RSIP_HOLD_H

#include "engine.h"
#include "transport.h"

#define RSIP_HOLD_MAX 65536 /* answers; who asks beyond that is not served, and asks again */
#define RSIP_HOLD_MAX_NS 500000000ULL /* or while the first waits longer: a host gives up after 1.6 s (RFC 3103 5) */

struct rsip_held {
	struct rsip_held *next;
	uint64_t batch; /* of the journal */
	uint64_t since_ns;
	struct rsip_peer to;
	struct rsip_engine_grant grant; /* bind_id 0: it grants nothing */
	size_t len;
	uint8_t msg[];
};

struct rsip_hold {
	struct rsip_held *first, *last;
	uint32_t cnt;
};

bool rsip_hold_add(struct rsip_hold *h, const struct rsip_held *as, const uint8_t *msg); /* false: no memory */
bool rsip_hold_is_full(const struct rsip_hold *h, uint64_t now_ns);
/* The first whose batch is at most this; the caller frees it.  NULL: none. */
struct rsip_held *rsip_hold_take(struct rsip_hold *h, uint64_t batch);

#endif
