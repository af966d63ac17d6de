/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Taking out of the data plane's hashes what is void: packets put it there, rsipd removes it. */
#ifndef RSIP_DATAPLANE_SWEEP_H
#define RSIP_DATAPLANE_SWEEP_H

#include <stdbool.h>
#include <stdint.h>
#include "dataplane_bpf.h"
#include "dataplane_core.h"
#include "rsip/maps.h"

#define RSIP_DP_HASHES (RSIP_DP_EVENTS - RSIP_DP_ARRAYS)

/* A key of any of the hashes. */
union rsip_dp_key {
	uint64_t word[2]; /* of a claim */
	struct rsip_ident_key ident;
	uint32_t slot;
};

/* How far a sweep has come in a hash. */
struct rsip_dp_cursor {
	union rsip_dp_key key; /* after which key it goes on */
	bool begun;
};

struct rsip_dp_sweep {
	int fd[RSIP_DP_HASHES]; /* rsip_cookies ... rsip_ident_ring: the owner's to open and close */
	struct rsip_dp_cursor cursor[RSIP_DP_HASHES];
	int at; /* which of those with claims it is in */
	uint32_t stale; /* core's when it began */
	struct rsip_dp_core *core; /* of this call */
	uint64_t now_ns;
};

/* A bounded part of a round; takes from core->stale what a whole round has removed.  now_ns: CLOCK_MONOTONIC. */
void rsip_dp_sweep(struct rsip_dp_sweep *s, struct rsip_dp_core *core, uint64_t now_ns);

#endif
