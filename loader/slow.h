/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The slow path: what our TC programs mark for the kernel is reassembled, fragmented anew where it
 * must be, and routed to a device whose egress program takes it up (docs/packet-flow.md).
 *
 *     rule 1, rule 2     mark -> a table of ours, before the local table, which moves from 0 to 3
 *     table 21075/21076  default route out of rsip-slow
 *     table ip rsip      nftables: not tracked, but reassembled
 */
#ifndef RSIP_LOADER_SLOW_H
#define RSIP_LOADER_SLOW_H

#include <stdbool.h>
#include <stdint.h>
#include "undo.h"

struct rsip_plane;
struct rsip_xdp_bpf;

#define RSIP_SLOW_NAME "rsip-slow"
#define RSIP_SLOW_PEER "rsip-slow-end"

/*
 * The longest header that a tunnel adds: what the kernel fragments for us fits into any tunnel
 * (IPv6 and GRE with checksum and key: 40 + 12).
 */
#define RSIP_SLOW_OVERHEAD 52

/*
 * What the narrowest way to a host takes.  The kernel's fragments must fit on the way to any of them, since fragments are not
 * fragmented for a second time: over IPv6 nobody does that on the way, and a path may take as little as every link must.
 */
uint32_t rsip_slow_takes(const struct rsip_iface *iface, uint32_t cnt);

/*
 * Makes the device, routes, rules and nftables table, each noted first.  mtu: what the
 * narrowest way to a host takes.  0 or negative errno (said); iface is filled for rsip_ifaces.
 */
int rsip_slow_make(struct rsip_undo_log *log, uint32_t mtu, struct rsip_iface *iface);
/* Puts back one entry of the log that is the slow path's.  -ENOENT: it is gone already. */
int rsip_slow_restore(const char *name, const char *old);
/* Is this entry the slow path's? */
bool rsip_slow_is_entry(const char *name);

/* rsipd follows MTUs that change, but may not change a route: it fits p's interfaces again.  0 or negative errno (said). */
int rsip_slow_follow(struct rsip_plane *p, const struct rsip_xdp_bpf *object);

/* Makes again what somebody has taken away of it meanwhile.  0 or negative errno (said). */
int rsip_slow_mend(void);

/* What is missing of it ("" if nothing), for status and for attach, which mends it. */
const char *rsip_slow_missing(void);

#endif
