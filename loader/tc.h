/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Our TC filters: one on each device, at a place of their own in its clsact qdisc. */
#ifndef RSIP_LOADER_TC_H
#define RSIP_LOADER_TC_H

#include <stdbool.h>
#include <stdint.h>
#include "rsip/maps.h"

/* All: 0 or negative errno. */

/* Is there a qdisc that takes our filters (clsact, or for ingress alone ingress)? */
bool rsip_tc_made(uint32_t ifindex);
/* Makes a clsact qdisc. */
int rsip_tc_make(uint32_t ifindex);
/* Takes it off, with all that is in it. */
int rsip_tc_unmake(uint32_t ifindex);
/* Are filters in it? */
bool rsip_tc_used(uint32_t ifindex);
/* Which way ours is on this interface: at the egress of the slow path's device, at the ingress of the others. */
bool rsip_tc_egress(const struct rsip_iface *iface);
/* Puts the program there; one of ours that is there already is replaced in one step. */
int rsip_tc_put(const struct rsip_iface *iface, int prog);
int rsip_tc_take(uint32_t ifindex, bool egress);
/* Id of the program that is there; 0: none of ours. */
uint32_t rsip_tc_prog_id(const struct rsip_iface *iface);

#endif
