/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The data plane that is attached, as its pins tell it. */
#ifndef RSIP_LOADER_PLANE_H
#define RSIP_LOADER_PLANE_H

#include <stdbool.h>
#include <stdint.h>
#include "options.h"
#include "rsip/maps.h"

struct rsip_plane_link {
	bool pinned; /* its pin is there */
	uint32_t link_id;
	uint32_t prog_id;
	uint32_t ifindex; /* 0: the interface has vanished */
};

struct rsip_plane {
	struct rsip_config config;
	uint32_t max_cookies;
	struct rsip_iface iface[RSIP_MAX_IFACES];     /* those in use, packed; */
	struct rsip_plane_link link[RSIP_MAX_IFACES]; /* the link of each; */
	uint32_t index[RSIP_MAX_IFACES];	      /* and its index in rsip_ifaces */
	uint32_t iface_cnt;
	char nat[32]; /* rsip_nat_mark() of its NAT table; "": none, "?": a loader before this one did not note it */
	bool has_nat; /* there was such a table */
	bool moving; /* an upgrade to another layout is under way, or was killed (RSIP_LAYOUT_MOVING) */
	bool here; /* it was attached from the network namespace we are in */
};

/*
 * 0: p is filled.  -ENOENT: nothing is attached.  -EUCLEAN: the folder is there, but an attach did
 * not come to its end.  -EPROTO: another layout version, in p->config.layout_version.  Other errors
 * are said.
 */
int rsip_plane_read(const char *folder, struct rsip_plane *p);
/* The same, also of a layout that upgrade can go on from (RSIP_LAYOUT_OLDEST). */
int rsip_plane_read_old(const char *folder, struct rsip_plane *p);
/* For how long no rsipd has been at work on the maps in folder; UINT64_MAX: never was one. */
uint64_t rsip_plane_silent_ns(const char *folder);

/*
 * Does what is attached equal what is asked for?  0, or -EEXIST with the first difference in why.
 */
int rsip_plane_compare(const struct rsip_plane *p, const struct rsip_loader_options *o,
		       const struct rsip_config *want, const struct rsip_iface *iface,
		       uint32_t iface_cnt, char *why, size_t why_len);

/* public, private, slow */
const char *rsip_plane_role_name(uint8_t role);

/* Opens a pin by its name; negative errno. */
int rsip_plane_open(const char *folder, const char *name);

/*
 * Takes everything off: links, changes of the machine, pins, folder.  0, -ENOENT if there is
 * nothing, or another error (said); what can be removed is removed all the same.  The caller holds
 * the lock, and closes it: *unmount (RSIP_PINS_PATH_MAX bytes) then names a file system for
 * rsip_pins_unmount(), or is "".
 */
int rsip_plane_remove(const char *folder, char *unmount);

#endif
