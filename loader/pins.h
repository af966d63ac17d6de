/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The folder in the BPF file system that holds the data plane, and the lock over it. */
#ifndef RSIP_LOADER_PINS_H
#define RSIP_LOADER_PINS_H

#include <stdbool.h>
#include <stddef.h>

#define RSIP_PINS_PATH_MAX 400

/*
 * The path of a pin; for a link, the interface's name follows "link_" with dots (which bpffs
 * refuses) as %2e.
 */
void rsip_pins_path(const char *folder, const char *name, char *path);
void rsip_pins_link_path(const char *folder, const char *ifname, char *path);

/*
 * Takes the lock that keeps loaders apart: on the folder's parent, so that nothing is left behind.
 * mounted: if not NULL, a BPF file system is mounted where it is missing and this set true; if
 * NULL, a parent that is missing or no BPF file system is -ENOENT (then nothing can be pinned
 * there). Returns a descriptor to close, or negative errno (said, except -ENOENT).
 */
int rsip_pins_lock(const char *folder, bool *mounted);

/* 0: the folder is there, root's, and nobody else can look in.  -ENOENT: not there.  Else said. */
int rsip_pins_check(const char *folder);
/* Makes it, 0700.  0 or negative errno (said). */
int rsip_pins_create(const char *folder);

/* Removes one pin, or every pin whose name begins with prefix; a missing one is no error. */
int rsip_pins_unlink(const char *path);
int rsip_pins_unlink_all(const char *folder, const char *prefix);
int rsip_pins_remove_folder(const char *folder);

/* Puts name (of the pin) on fd's object in place of the old one, atomically. */
int rsip_pins_replace(const char *folder, const char *name, int fd);

/* Unmounts the BPF file system that we mounted, unless somebody uses it by now. */
void rsip_pins_unmount(const char *mount_point);

#endif
