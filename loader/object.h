/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The BPF objects: object.c and object_tc.c are the only files that know their skeletons. */
#ifndef RSIP_LOADER_OBJECT_H
#define RSIP_LOADER_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include "rsip/maps.h"

struct rsip_xdp_bpf;
struct rsip_tc_bpf;
struct bpf_map;

/* libbpf's messages go to the log, one level quieter than ours. */
void rsip_object_log_open(void);
/* What the kernel said of the last netlink request that it refused; "" if nothing. */
const char *rsip_object_kernel_message(void);

/*
 * Loads the programs with new maps of the sizes in config.  0 or negative errno (said); close what
 * you get.
 */
int rsip_object_load(const struct rsip_config *config, uint32_t max_cookies,
		     struct rsip_xdp_bpf **out);
/* Maps that are not those pinned in a folder: what an older layout had smaller, or had not at all. */
#define RSIP_MOVED_MAX 32
struct rsip_moved {
	uint32_t cnt;
	bool devmaps; /* set by the caller: those, too, although the layout is the same */
	struct {
		char name[16];
		int old, fresh; /* descriptors; old -1: there was none; fresh is the object's */
	} map[RSIP_MOVED_MAX];
};

/*
 * Loads them onto the maps pinned in folder, whose configuration is config.  Of an older layout, maps that have grown
 * and devmaps (the programs may now take frames of several buffers) are new ones, which the caller fills (rsip_moved_fill).  0 or negative errno (said); release what is in moved, in any case.
 */
int rsip_object_load_onto(const char *folder, const struct rsip_config *config, uint32_t max_cookies,
			  struct rsip_xdp_bpf **out, struct rsip_moved *moved);
/* Packets have gone on writing the old hashes until now: what they added goes to the new ones. */
int rsip_moved_catch_up(const struct rsip_moved *moved);
/* The new maps' pins in place of the old ones, or (back) the old ones' again.  0 or negative errno (said). */
int rsip_moved_pin(const struct rsip_moved *moved, const char *folder, bool back);
void rsip_moved_release(struct rsip_moved *moved);
void rsip_object_close(struct rsip_xdp_bpf *object);

/* The program for interfaces of this role; the object keeps the descriptor. */
int rsip_object_prog(const struct rsip_xdp_bpf *object, uint8_t role);
/* Pins the programs (prog_pub, prog_priv, prog_explain) in folder, in place of older ones.  0 or negative errno. */
int rsip_object_pin_progs(const struct rsip_xdp_bpf *object, const char *folder);
int rsip_object_map(const struct rsip_xdp_bpf *object, const char *name);

/* Takes the map of this name in folder for an object that is to be loaded.  0 or negative errno (said). */
int rsip_object_reuse_map(struct bpf_map *map, const char *folder);

/* The TC programs, onto the maps of xdp; config->mode says whether XDP is before them.  0 or negative errno (said). */
int rsip_object_tc_load(const struct rsip_xdp_bpf *xdp, const struct rsip_config *config, struct rsip_tc_bpf **out);
void rsip_object_tc_close(struct rsip_tc_bpf *object);
/* The program for this interface; the object keeps the descriptor. */
int rsip_object_tc_prog(const struct rsip_tc_bpf *object, const struct rsip_iface *iface);

/* Pins the program for the PPP interfaces of sessions (ppp.h), in place of an older one.  0 or negative errno. */
int rsip_object_tc_pin(const struct rsip_tc_bpf *object, const char *folder);
/* That program; the object keeps the descriptor. */
int rsip_object_tc_session_prog(const struct rsip_tc_bpf *object);

/* One interface more, at this index of rsip_ifaces. */
int rsip_object_add_iface(const struct rsip_xdp_bpf *object, uint32_t index,
			  const struct rsip_iface *iface);

/* Its interface is another one now: number, record, where its packets go out.  0 or negative errno (said). */
int rsip_object_move_iface(const struct rsip_xdp_bpf *object, uint32_t index, uint32_t was_ifindex,
			   const struct rsip_iface *iface);

/* Pins every map in folder, except (NULL or) one that is pinned already. */
int rsip_object_pin_maps(const struct rsip_xdp_bpf *object, const char *folder, const char *except);

/*
 * Writes configuration and interfaces (iface[0] gets index 1) into the maps.  0 or negative errno
 * (said).
 */
int rsip_object_fill(const struct rsip_xdp_bpf *object, const struct rsip_config *config,
		     const struct rsip_iface *iface, uint32_t cnt);
int rsip_object_write_config(const struct rsip_xdp_bpf *object, const struct rsip_config *config);
/* The interface of this index, as it is now.  0 or negative errno (said). */
int rsip_object_write_iface(const struct rsip_xdp_bpf *object, uint32_t index, const struct rsip_iface *iface);

/*
 * A program that passes everything, for trying what a device can do: a descriptor to close, or
 * negative errno.
 */
int rsip_object_pass_program(void);

#endif
