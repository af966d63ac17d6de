/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the loader changes on the machine, and how detach puts it back.
 *
 * Every change is written to the map rsip_undo (pinned first, removed last) before it is made:
 * whenever the loader is killed, the next one finds what to put back.  Names of entries:
 *
 *     net/...            a path below /proc/sys
 *     ethtool/IF/gro     an offload (or lro, rxvlan, ...), old "0" or "1"
 *     mount/PATH         a BPF file system that we mounted
 *     clsact/IF          a TC qdisc that we made
 *     tc/IF/ingress      a TC program (or egress) on it
 *     link/, rule/, nft/ the slow path: slow.h
 *     nft/rsip_nat       the nftables table of nat.h
 *     netns              cookie of the network namespace all of it happened in
 */
#ifndef RSIP_LOADER_UNDO_H
#define RSIP_LOADER_UNDO_H

#include <stdbool.h>
#include <stdint.h>
#include "ethtool.h"
#include "rsip/maps.h"

struct rsip_undo_log {
	int fd;	      /* of the map rsip_undo; the caller's */
	uint32_t cnt; /* entries in use, from the first */
};

/* All: 0 or negative errno (said). */
/* What is noted already stays as it was noted first. */
int rsip_undo_note(struct rsip_undo_log *log, const char *name, const char *old);
/* Writes value unless it is there already. */
int rsip_undo_sysctl(struct rsip_undo_log *log, const char *name, const char *value);
/* The same for a device of ours, which goes at detach: no note.  What is not there is left. */
void rsip_undo_sysctl_quiet(const char *name, const char *value);
/* Puts a program on a device by TC, where needed with a qdisc. */
int rsip_undo_tc(struct rsip_undo_log *log, const struct rsip_iface *iface, int prog);
/* Switches an offload off if it is on. */
int rsip_undo_offload_off(struct rsip_undo_log *log, const char *ifname, enum rsip_offload offload);

/*
 * What packets need of the machine: forwarding, and no reverse-path filter on the private
 * interfaces.
 */
int rsip_undo_prepare_machine(struct rsip_undo_log *log, const struct rsip_iface *iface,
			      uint32_t cnt);
/* The same for one that is back: private ones alone need it. */
int rsip_undo_prepare_iface(struct rsip_undo_log *log, const struct rsip_iface *iface);
/*
 * Where a pool address is the machine's own: its hosts' packets may come in on private interfaces.
 */
int rsip_undo_accept_local(struct rsip_undo_log *log, const struct rsip_iface *iface, uint32_t cnt);

/* Opens the pinned map; negative errno if there is none or it is of another layout. */
int rsip_undo_open(const char *folder, struct rsip_undo_log *log);
/* True if this entry is there; old: at least 32 bytes. */
bool rsip_undo_find(const struct rsip_undo_log *log, const char *name, char *old);
/*
 * Puts sysctls and offloads back, newest first.  What vanished meanwhile is skipped.  0, or the
 * last error (said).
 */
int rsip_undo_restore(struct rsip_undo_log *log);

/* Reads a value without its newline; name below /proc/sys. */
int rsip_sysctl_read(const char *name, char *value, size_t len);

/* The network namespace we are in, as text (32 bytes): a number never used again. */
void rsip_netns_cookie(char *text);

#endif
