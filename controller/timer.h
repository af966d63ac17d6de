/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An ordered set of deadlines: a binary heap of timers that live inside other structs. */
#ifndef RSIP_TIMER_H
#define RSIP_TIMER_H

#include <stdint.h>

struct rsip_timer {
	uint64_t at_ns;
	uint32_t place; /* in the heap, from 1; 0: not set */
	uint32_t kind; /* for the owner */
};

struct rsip_timers {
	struct rsip_timer **heap; /* heap[0] unused */
	uint32_t cnt, size;
};

/* Sets or moves a timer: 0 or -ENOMEM (never when it was set already).  O(log n). */
int rsip_timer_set(struct rsip_timers *t, struct rsip_timer *timer, uint64_t at_ns);
void rsip_timer_clear(struct rsip_timers *t, struct rsip_timer *timer);
/* The earliest, or NULL. */
struct rsip_timer *rsip_timer_first(const struct rsip_timers *t);
void rsip_timers_free(struct rsip_timers *t);

#endif
