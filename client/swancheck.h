/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which settings of a host's connections cannot work, or not as expected, on a shared address. */
#ifndef RSIP_CLIENT_SWANCHECK_H
#define RSIP_CLIENT_SWANCHECK_H

#include <stdint.h>
#include <linux/types.h>
#include "portset.h"
#include "swanconf.h"

struct rsip_swan_lease {
	__be32 addr;
	uint16_t port;		   /* of IKE, leased; 0: 500 with labels */
	uint32_t spis;		   /* in the range */
	struct rsip_portset ports; /* all that this host leases there, for port selectors */
};

struct rsip_swan_sink {
	void *ctx;
	/* refuse: it cannot work; else something to know. */
	void (*found)(void *ctx, bool refuse, const char *conn, const char *text);
};

void rsip_swan_check(const struct rsip_swan *conf, const struct rsip_swan_lease *lease,
		     const struct rsip_swan_sink *sink);

#endif
