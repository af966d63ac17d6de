/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The gateways of a client, in the order of preference: one is used, the others wait for it to fall silent.  Pure;
 * times are nanoseconds.
 */
#ifndef RSIP_CLIENT_GATEWAYS_H
#define RSIP_CLIENT_GATEWAYS_H

#include <stdbool.h>
#include <stdint.h>
#include "inet.h"

#define RSIP_GATEWAYS_MAX 8

struct rsip_gateway {
	struct rsip_inet addr;
	int err;	    /* why it was left: as rsip_advice_text() has it; 0: it was not */
	uint64_t failed_ns; /* when */
};

struct rsip_gateways {
	unsigned int cnt, at; /* the one in use */
	unsigned int failed;  /* so many in a row */
	struct rsip_gateway g[RSIP_GATEWAYS_MAX];
};

/* "ADDR,ADDR...": 0, or -EINVAL for what is no such list, too long, or names one twice.  Empty: none. */
int rsip_gateways_parse(struct rsip_gateways *gs, const char *text);
/* Its place in the list, or -1. */
int rsip_gateways_find(const struct rsip_gateways *gs, const struct rsip_inet *addr);
/* Begins with this one, where it is in the list. */
void rsip_gateways_begin(struct rsip_gateways *gs, const struct rsip_inet *addr);
/* The one in use; none where the list is empty: the default router is it. */
const struct rsip_inet *rsip_gateways_used(const struct rsip_gateways *gs);
/* The one in use does not serve us.  false: there is no other. */
bool rsip_gateways_fail(struct rsip_gateways *gs, int err, uint64_t now_ns);
/* Since one served us, has each of them failed?  Then there is no hurry. */
bool rsip_gateways_all_failed(const struct rsip_gateways *gs);
/* The one in use serves us. */
void rsip_gateways_serve(struct rsip_gateways *gs);

#endif
