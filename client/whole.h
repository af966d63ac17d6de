/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For the tunnel of BPF programs: tunnel packets that routers between the gateway and us fragmented (RFC 2003 5: where
 * the outer header allows it).  The kernel puts them together for any socket that takes their protocol; ours hands what
 * is inside to the programs.
 */
#ifndef RSIP_CLIENT_WHOLE_H
#define RSIP_CLIENT_WHOLE_H

#include <stdint.h>
#include "inet.h"
#include "tun.h"

struct rsip_whole;

/* filter: rsip_tun_whole, which lets nothing through but what is ours.  0 or a negative errno. */
int rsip_whole_open(const struct rsip_tun_config *cfg, const struct rsip_inet *local, int filter, struct rsip_whole **w);
void rsip_whole_close(struct rsip_whole *w); /* NULL is fine */
int rsip_whole_fd(const struct rsip_whole *w); /* readable: something came; -1 for NULL */
/* Hands over what has come; more, where there is much, at the next call.  mtu: of the device. */
void rsip_whole_read(struct rsip_whole *w, uint32_t mtu);
/* Adds what it has counted. */
void rsip_whole_counters(const struct rsip_whole *w, uint64_t sums[RSIP_TUN_COUNTERS]);

#endif
