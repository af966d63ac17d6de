/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Back to a gateway that is preferred to the one in use: when it has answered for long enough.  A return that did not
 * last makes "long enough" twice as long.  Pure; times are nanoseconds.
 */
#ifndef RSIP_CLIENT_COMEBACK_H
#define RSIP_CLIENT_COMEBACK_H

#include <stdbool.h>
#include <stdint.h>

#define RSIP_COMEBACK_HOLD_MAX_S 3600

struct rsip_comeback {
	uint32_t after_s;	/* as it is set; 0: never */
	uint32_t hold_s;	/* as it is now, after returns that did not last */
	unsigned int at;	/* the gateway that answers, by its place in the list */
	uint64_t since_ns;	/* for how long already; 0: none does */
	uint64_t ask_ns;	/* when to ask again */
	uint64_t returned_ns;	/* 0: never yet */
};

void rsip_comeback_init(struct rsip_comeback *c, uint32_t after_s);
/* The gateway in use failed us: was that soon after a return? */
void rsip_comeback_left(struct rsip_comeback *c, uint64_t now_ns);
/* The preferred ones have been asked: this one answered; none. */
void rsip_comeback_heard(struct rsip_comeback *c, unsigned int at, uint64_t now_ns);
void rsip_comeback_unheard(struct rsip_comeback *c, uint64_t now_ns);
/* Has it answered for long enough? */
bool rsip_comeback_is_ripe(const struct rsip_comeback *c, uint64_t now_ns);
/* We are there. */
void rsip_comeback_done(struct rsip_comeback *c, uint64_t now_ns);

#endif
