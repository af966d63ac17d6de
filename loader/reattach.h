/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An interface that was deleted and made again (a VLAN device, a virtual machine's, a PPP link) has another number and
 * none of our programs.  Here it gets them, under its old index in the maps, so that all bindings mean the new one.
 */
#ifndef RSIP_LOADER_REATTACH_H
#define RSIP_LOADER_REATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include "plane.h"

/*
 * Is an interface of p's there again and as it must be (its endpoint among its addresses)?  why: of one that is there but
 * not ready yet; "": none is.
 */
bool rsip_reattach_due(const struct rsip_plane *p, char *why, size_t why_len);
/* Takes in all that are ready.  The caller holds the lock and has read p under it.  0 or negative errno (said). */
int rsip_reattach(const char *folder, struct rsip_plane *p);

#endif
