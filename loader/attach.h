/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the parts of `attach` share. */
#ifndef RSIP_LOADER_ATTACH_H
#define RSIP_LOADER_ATTACH_H

#include <stdbool.h>
#include <stdint.h>
#include "netdev.h"
#include "options.h"
#include "undo.h"

struct rsip_xdp_bpf;
struct rsip_tc_bpf;

struct rsip_attach {
	const struct rsip_loader_options *o;
	struct rsip_config config;
	struct rsip_netdev dev[RSIP_MAX_IFACES];
	struct rsip_iface
		iface[RSIP_MAX_IFACES]; /* public ones first; of dev with the same index */
	uint32_t cnt;
	struct rsip_xdp_bpf *object;
	struct rsip_tc_bpf *tc;
	struct rsip_iface slow; /* the slow path's device */
	struct rsip_undo_log undo;
	bool tags_hidden; /* a card takes VLAN tags out of the frame and cannot be told not to */
	bool mounted;	 /* the BPF file system is ours */
	char sorry[256]; /* why native mode was refused */
};

/* All: 0 or negative errno (said). */

/* What is asked for, on this machine: fills config (sizes), dev and iface. */
int rsip_attach_plan(struct rsip_attach *a);
/* Is anything fatal in the way? */
int rsip_attach_check(struct rsip_attach *a);
/* TC mode, because it is asked for or there is no other? */
bool rsip_attach_needs_tc(const struct rsip_attach *a);
/* Chooses the mode, puts the XDP programs (unless in TC mode) on all interfaces and pins the links. */
int rsip_attach_links(struct rsip_attach *a);
/*
 * name's card is to leave both kinds of VLAN tags in the frame.  Where it cannot: hidden is set, if there is one (TC sees them, and we
 * may choose it); else with VLAN devices above a negative errno (said), without them a warning.
 */
int rsip_attach_keep_tags(struct rsip_undo_log *log, const char *name, bool vlan_above, bool *hidden);
/* Nothing puts packets together before generic XDP on this one. */
int rsip_attach_prepare_generic(struct rsip_undo_log *log, const struct rsip_iface *iface);
/* The slow path, and the TC programs on it and on all interfaces. */
int rsip_attach_tc(struct rsip_attach *a);

#endif
