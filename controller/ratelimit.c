// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ratelimit.h"

#include <string.h>

#include "rsip/maps.h"
#include "util.h"

void rsip_ratelimit_init(struct rsip_ratelimit *rl, uint32_t per_second, uint32_t burst,
			 uint64_t seed)
{
	memset(rl, 0, sizeof(*rl));
	rl->seed = seed;
	rl->step_ns = RSIP_NS_PER_S / per_second;
	rl->burst_ns = rl->step_ns * burst;
}

bool rsip_ratelimit_take(struct rsip_ratelimit *rl, __be32 source, uint64_t now_ns)
{
	uint32_t set = (uint32_t)rsip_hash(source, rl->seed) & (RSIP_RATELIMIT_SETS - 1);
	unsigned int way, least = 0;

	/*
	 * A source that is not there takes the place of the one that owes least.  That one starts
	 * anew when it comes back: it may get one more burst, but a source that talks too much is
	 * never forgotten for one that does not.
	 */
	for (way = 0; way < RSIP_RATELIMIT_WAYS; way++) {
		if (rl->e[set][way].source == source)
			break;
		if (rl->e[set][way].paid_ns < rl->e[set][least].paid_ns)
			least = way;
	}
	if (way == RSIP_RATELIMIT_WAYS) {
		way = least;
		rl->e[set][way].source = source;
		rl->e[set][way].paid_ns = 0;
	}
	if (rl->e[set][way].paid_ns < now_ns)
		rl->e[set][way].paid_ns = now_ns;
	if (rl->e[set][way].paid_ns - now_ns + rl->step_ns > rl->burst_ns)
		return false;
	rl->e[set][way].paid_ns += rl->step_ns;
	return true;
}
