// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <string.h>
#include "locals.h"

/* The tuple's prefix; false: it names none, or more than can be local. */
static bool read_tuple(const struct rsip_tuple *t, struct rsip_net4 *net)
{
	bool network = t->indicator == RSIP_IND_LOCAL_NETWORK;
	uint32_t mask = network ? ntohl(t->mask) : 0xffffffff;

	if (t->addr.type != RSIP_ADDR_IPV4 || t->addr.any || (!network && t->indicator != RSIP_IND_LOCAL_ADDRESS))
		return false;
	if (!mask || (~mask & (~mask + 1))) /* nothing, or with holes */
		return false;
	net->len = (uint8_t)__builtin_popcount(mask);
	net->addr = t->addr.v4 & htonl(mask);
	return true;
}

bool rsip_locals_have(const struct rsip_locals *l, const struct rsip_net4 *net)
{
	for (unsigned int i = 0; i < l->cnt; i++)
		if (l->net[i].addr == net->addr && l->net[i].len == net->len)
			return true;
	return false;
}

void rsip_locals_read(struct rsip_locals *l, const struct rsip_answer *a)
{
	struct rsip_net4 net;

	memset(l, 0, sizeof(*l));
	for (unsigned int i = 0; i < a->tuples && l->cnt < RSIP_LOCALS_MAX; i++)
		if (read_tuple(&a->tuple[i], &net) && !rsip_locals_have(l, &net))
			l->net[l->cnt++] = net;
}
