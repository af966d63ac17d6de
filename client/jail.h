/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The network namespace whose only address is the leased one.  Programs started by `rsip-client
 * exec` live in it; what they may use is limited by the namespace's own settings, so nothing
 * outside it changes.
 */
#ifndef RSIP_CLIENT_JAIL_H
#define RSIP_CLIENT_JAIL_H

#include <limits.h>
#include <stdbool.h>
#include "portset.h"

struct rsip_jail {
	int fd;		    /* the namespace */
	int home;	    /* where the client itself lives */
	bool shared;	    /* it is where the client lives: nothing of it is ours to limit */
	bool limits;	    /* shared: but its programs' ports are */
	char pin[PATH_MAX]; /* keeps the namespace when the client is killed */
};

/* Settings of a shared namespace as they were. */
struct rsip_jail_ports {
	char range[32]; /* ip_local_port_range; empty: not known */
	char reserved[2048];
};

/* Takes up the namespace pinned at STATE_DIR/netns, or makes and pins a new one.  0 or a negative
 * errno. */
int rsip_jail_open(struct rsip_jail *jail, const char *state_dir);
/* The place "host": the client's own namespace. */
int rsip_jail_open_shared(struct rsip_jail *jail);
/* destroy: removes the pin as well; the namespace then lives as long as programs in it. */
void rsip_jail_close(struct rsip_jail *jail, bool destroy);

int rsip_jail_enter(const struct rsip_jail *jail);
void rsip_jail_leave(const struct rsip_jail *jail); /* ends the program if it cannot go home */

/* Programs in the namespace get only ports of the set when they leave the choice to the kernel. */
int rsip_jail_set_ports(const struct rsip_jail *jail, const struct rsip_portset *set);
/* Reads them; -E2BIG: more are reserved than we could put back. */
int rsip_jail_ports_now(struct rsip_jail_ports *ports);
int rsip_jail_ports_back(const struct rsip_jail_ports *ports);

#endif
