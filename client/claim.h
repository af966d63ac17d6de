/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Who of this machine's clients speaks with a gateway from an address.  A gateway knows a host by its address alone, so two
 * would end each other's registration (302, RFC 3103 10.2.1) without an end.
 */
#ifndef RSIP_CLIENT_CLAIM_H
#define RSIP_CLIENT_CLAIM_H

#include <stddef.h>
#include "inet.h"

#define RSIP_CLAIM_DIR "/run/rsip"

/* A lock on a file, which the kernel frees with the process. */
struct rsip_claim {
	int fd; /* -1: none */
	char path[200];
};

void rsip_claim_init(struct rsip_claim *c);
/*
 * Takes it for these ends, in place of what c held before; state_dir is what others are told.  0, also where c holds it
 * already; -EBUSY: another process has it, and why says which and what to do; another negative errno: there can be no
 * lock here, and c holds none.  On failure c holds what it held.
 */
int rsip_claim_take(struct rsip_claim *c, const char *dir, const struct rsip_inet *local, const struct rsip_inet *gateway,
		    const char *state_dir, char *why, size_t size);
/* Removes what the dead have left in the folder, of whoever: locks that nobody holds. */
void rsip_claim_sweep(const char *dir);
/* Gives it back; the file goes, and the folder, where nothing else is in it. */
void rsip_claim_drop(struct rsip_claim *c);

#endif
