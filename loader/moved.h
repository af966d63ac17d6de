/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Maps of an older layout, for object.c: kept, or made anew with the old contents. */
#ifndef RSIP_LOADER_MOVED_H
#define RSIP_LOADER_MOVED_H

#include <stdbool.h>
#include "object.h"

/*
 * Takes the map pinned under this name in folder for the object that is to be loaded.  older: it may be missing
 * (-ENOENT, not said: its size is the caller's) or its values shorter; then it is in moved.  0 or negative errno (said).
 */
int rsip_moved_take(struct bpf_map *map, const char *folder, bool older, struct rsip_moved *moved);
/* Old contents into the new maps; what was added to a value is 0.  0 or negative errno (said). */
int rsip_moved_fill(const struct rsip_moved *moved);

#endif
