/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an unmodified charon has to be told so that it is an RSIP host: strongswan.conf(5) settings
 * from leases.  Pure: no files, no sockets.
 *
 * One binding (RSIP_FOR_CHARON) carries what charon reads only when it starts: the two IKE ports,
 * and the SPI that labels its IKE SPIs.  The range for ESP and AH, read at every SPI allocation,
 * may move to a larger binding (RSIP_FOR_CHARON_SPIS).
 */
#ifndef RSIP_CLIENT_CHARON_H
#define RSIP_CLIENT_CHARON_H

#include "session.h"

#define RSIP_CHARON_SPIS_MAX 4096 /* so far the range grows by itself */

struct rsip_charon {
	uint32_t bind_id;	   /* of the binding that stays */
	uint16_t port, port_nat_t; /* 0: 500 and 4500, found by label */
	uint32_t label;
	uint32_t range_bind_id;
	uint32_t spi_min, spi_max;
	__be32 addr;
};

/* From the leases that are held; false: none is for charon, or none has a range of SPIs. */
bool rsip_charon_plan(const struct rsip_session *s, struct rsip_charon *c);
/* Does charon have to start again to get from one to the other?  Else it can be told. */
bool rsip_charon_needs_restart(const struct rsip_charon *from, const struct rsip_charon *to);
/* The configuration file; state_dir says whose it is.  Returns the length, or -ENOSPC. */
int rsip_charon_text(const struct rsip_charon *c, const char *state_dir, char *buf, size_t size);
/*
 * How many SPIs to lease next, when so many of the range are in use: 0 while a quarter is free.
 * charon keeps the SPI of a rekeyed SA for a while, so it must not come near the end.
 */
uint32_t rsip_charon_grow(const struct rsip_charon *c, uint32_t used);

#endif
