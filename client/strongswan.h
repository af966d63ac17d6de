/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Keeps one strongswan.conf drop-in in step with the leases, and charon with the drop-in. */
#ifndef RSIP_CLIENT_STRONGSWAN_H
#define RSIP_CLIENT_STRONGSWAN_H

#include <limits.h>
#include "charon.h"
#include "jail.h"

#define RSIP_STRONGSWAN_DIR "/etc/strongswan.d"

struct rsip_strongswan {
	bool on;
	bool by_settings; /* what they began, they end; else a command does */
	char dir[200];
	char vici[108];
	char file[PATH_MAX];	    /* ours; empty: none */
	struct rsip_charon written; /* what is in it */
	int err;		    /* that could not be written: a negative errno */
	struct rsip_charon started; /* what a charon that started with our first file knows */
	uint64_t look_ns;	    /* when to look at the SAs again */
};

/* Removes files that a past of ours (known by its state_dir) left, after a reboot for instance. */
void rsip_strongswan_clean(const struct rsip_strongswan *sw, const char *state_dir);
/*
 * Writes, changes or removes the file as the leases say, and tells charon.  Cheap where nothing has
 * changed; true where something has.
 */
bool rsip_strongswan_refresh(struct rsip_strongswan *sw, const struct rsip_session *s,
			     const char *state_dir);
/*
 * Looks now and then: at the file, which is written again where it could not be or somebody changed it; and at the SAs:
 * leases a larger range before this one is used up, gives back ranges that no SA uses any more.  When to call it again;
 * UINT64_MAX: never.
 */
uint64_t rsip_strongswan_look(struct rsip_strongswan *sw, struct rsip_session *s, const struct rsip_jail *jail,
			      const char *state_dir, uint64_t now_ns);
/* Removes the file. */
void rsip_strongswan_close(struct rsip_strongswan *sw);

#endif
