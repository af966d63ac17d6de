/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Messages per second of one source, in a table of fixed size that forged sources cannot fill. */
#ifndef RSIP_RATELIMIT_H
#define RSIP_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#define RSIP_RATELIMIT_SETS 8192 /* a power of two */
#define RSIP_RATELIMIT_WAYS 4

struct rsip_ratelimit {
	uint64_t seed;	  /* hash seed: sources cannot aim at a set */
	uint64_t step_ns; /* one message */
	uint64_t burst_ns;
	struct {
		uint64_t paid_ns; /* all messages so far are paid for at this time */
		__be32 source;
		uint32_t pad;
	} e[RSIP_RATELIMIT_SETS][RSIP_RATELIMIT_WAYS];
};

void rsip_ratelimit_init(struct rsip_ratelimit *rl, uint32_t per_second, uint32_t burst,
			 uint64_t seed);
/* True if the message may pass. */
bool rsip_ratelimit_take(struct rsip_ratelimit *rl, __be32 source, uint64_t now_ns);

#endif
