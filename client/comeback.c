// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "comeback.h"

#include <string.h>
#include "util.h"

#define ASK_MAX_S 30 /* at least so often */

void rsip_comeback_init(struct rsip_comeback *c, uint32_t after_s)
{
	memset(c, 0, sizeof(*c));
	c->after_s = c->hold_s = after_s;
}

void rsip_comeback_left(struct rsip_comeback *c, uint64_t now)
{
	uint32_t most = c->after_s > RSIP_COMEBACK_HOLD_MAX_S ? c->after_s : RSIP_COMEBACK_HOLD_MAX_S;

	if (!c->returned_ns || now - c->returned_ns >= c->hold_s * RSIP_NS_PER_S)
		c->hold_s = c->after_s;
	else
		c->hold_s = c->hold_s > most / 2 ? most : c->hold_s * 2;
	c->since_ns = 0;
}

/* Ten times while it has to prove itself, so that one that comes and goes is caught. */
static void ask_later(struct rsip_comeback *c, uint64_t now)
{
	uint64_t pause = c->hold_s * (RSIP_NS_PER_S / 10);

	if (pause > ASK_MAX_S * RSIP_NS_PER_S)
		pause = ASK_MAX_S * RSIP_NS_PER_S;
	c->ask_ns = now + (pause < RSIP_NS_PER_S ? RSIP_NS_PER_S : pause);
}

void rsip_comeback_heard(struct rsip_comeback *c, unsigned int at, uint64_t now)
{
	if (!c->since_ns || c->at != at)
		c->since_ns = now;
	c->at = at;
	ask_later(c, now);
}

void rsip_comeback_unheard(struct rsip_comeback *c, uint64_t now)
{
	c->since_ns = 0;
	ask_later(c, now);
}

bool rsip_comeback_is_ripe(const struct rsip_comeback *c, uint64_t now)
{
	return c->after_s && c->since_ns && now - c->since_ns >= c->hold_s * RSIP_NS_PER_S;
}

void rsip_comeback_done(struct rsip_comeback *c, uint64_t now)
{
	c->returned_ns = now;
	c->since_ns = 0;
	c->ask_ns = 0;
}
