// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "gateways.h"

int rsip_gateways_find(const struct rsip_gateways *gs, const struct rsip_inet *addr)
{
	for (unsigned int i = 0; i < gs->cnt; i++)
		if (rsip_inet_same(&gs->g[i].addr, addr))
			return (int)i;
	return -1;
}

int rsip_gateways_parse(struct rsip_gateways *gs, const char *text)
{
	memset(gs, 0, sizeof(*gs));
	while (*text) {
		size_t len = strcspn(text, ",");
		char word[RSIP_INET_TEXT];
		struct rsip_inet addr;

		if (len >= sizeof(word) || gs->cnt == RSIP_GATEWAYS_MAX)
			return -EINVAL;
		snprintf(word, sizeof(word), "%.*s", (int)len, text);
		if (rsip_inet_parse(word, &addr) || rsip_gateways_find(gs, &addr) >= 0 || (text[len] && !text[len + 1]))
			return -EINVAL;
		gs->g[gs->cnt++].addr = addr;
		text += len + !!text[len];
	}
	return 0;
}

void rsip_gateways_begin(struct rsip_gateways *gs, const struct rsip_inet *addr)
{
	int at = rsip_gateways_find(gs, addr);

	if (at >= 0)
		gs->at = at;
}

const struct rsip_inet *rsip_gateways_used(const struct rsip_gateways *gs)
{
	static const struct rsip_inet router;

	return gs->cnt ? &gs->g[gs->at].addr : &router;
}

bool rsip_gateways_fail(struct rsip_gateways *gs, int err, uint64_t now_ns)
{
	if (gs->cnt < 2)
		return false;
	gs->g[gs->at].err = err;
	gs->g[gs->at].failed_ns = now_ns;
	gs->failed++;
	gs->at = (gs->at + 1) % gs->cnt;
	return true;
}

bool rsip_gateways_all_failed(const struct rsip_gateways *gs)
{
	return gs->failed >= gs->cnt;
}

void rsip_gateways_serve(struct rsip_gateways *gs)
{
	gs->failed = 0;
	if (gs->cnt)
		gs->g[gs->at].err = 0;
}
