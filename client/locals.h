/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the gateway calls local (RFC 3103 9.14, 9.15): destinations that need no tunnel.  Pure. */
#ifndef RSIP_CLIENT_LOCALS_H
#define RSIP_CLIENT_LOCALS_H

#include <stdbool.h>
#include "session.h"

#define RSIP_LOCALS_MAX RSIP_TUPLES_MAX

struct rsip_net4 {
	__be32 addr;
	uint8_t len; /* of the prefix, 1 to 32 */
};

struct rsip_locals {
	unsigned int cnt;
	struct rsip_net4 net[RSIP_LOCALS_MAX];
};

/* The local destinations of an answer to a QUERY without tuples; what is no IPv4 prefix, and 0/0, is left out. */
void rsip_locals_read(struct rsip_locals *l, const struct rsip_answer *a);
bool rsip_locals_have(const struct rsip_locals *l, const struct rsip_net4 *net);

#endif
