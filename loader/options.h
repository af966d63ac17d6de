/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the command line and the configuration file say. */
#ifndef RSIP_LOADER_OPTIONS_H
#define RSIP_LOADER_OPTIONS_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "nat.h"
#include "rsip/maps.h"

#define RSIP_LOADER_MODE_AUTO 0 /* beside enum rsip_mode */

struct rsip_loader_iface {
	char name[IF_NAMESIZE];
	uint8_t role;	 /* RSIP_ROLE_* */
	__be32 endpoint; /* private: 0 is the interface's first address */
	__be32 endpoint6[4]; /* private: likewise of IPv6; 0 is none */
};

struct rsip_loader_range {
	uint32_t first, last; /* addresses, host order */
};
#define RSIP_LOADER_RANGES_MAX 256 /* as many as rsipd takes */

struct rsip_loader_options {
	struct rsip_loader_iface iface[RSIP_MAX_IFACES];
	uint32_t iface_cnt;
	uint32_t max_bindings, max_addrs, max_pairs, max_cookies;
	int mode;	       /* RSIP_LOADER_MODE_AUTO or enum rsip_mode */
	char pin_path[256];    /* absolute, no slash at the end */
	bool pin_guessed;      /* detach: the file could not tell; pin_path is the default */
	char config_path[256]; /* "": none given */
	struct rsip_loader_range pool[RSIP_LOADER_RANGES_MAX]; /* of the file; only to see whether
								  one is our own address */
	uint32_t pool_cnt;
	struct rsip_nat nat; /* of the file */
	bool json;
	struct {
		bool on; /* the command is capture */
		char iface[IF_NAMESIZE]; /* or "any" */
		uint32_t bind_id, snap, count; /* 0: any, as much as can be, until it is ended */
		char file[256]; /* "" and "-": standard output */
	} capture;
	const char *word[2]; /* of session-add and session-del: the interface, the host; argv's */
};

enum rsip_loader_parsed {
	RSIP_LOADER_RUN,
	RSIP_LOADER_HELP,   /* asked for */
	RSIP_LOADER_USAGE,  /* wrong; what is wrong has been said */
	RSIP_LOADER_FAILED, /* the configuration file; likewise */
};

void rsip_loader_options_init(struct rsip_loader_options *o);

/* How many words that are no options a sub-command takes. */
int rsip_loader_words(const char *command);

/* argv[0] is the sub-command.  The command line wins over the file, whichever comes first. */
enum rsip_loader_parsed rsip_loader_options_parse(int argc, char **argv,
						  struct rsip_loader_options *o);

/*
 * The loader's part of the configuration; everything else in it is rsipd's.  0, or -EINVAL with
 * why filled.
 */
int rsip_loader_config_parse(const char *text, size_t len, struct rsip_loader_options *o, char *why,
			     size_t why_len);

/* "eth1", "eth1,endpoint=10.0.0.1,endpoint6=2001:db8::1"; 0 or -EINVAL (said). */
int rsip_loader_iface_add(struct rsip_loader_options *o, uint8_t role, const char *text, char *why,
			  size_t why_len);
/* auto, native, generic, tc; 0 or -EINVAL. */
int rsip_loader_mode_parse(const char *text, int *mode);
const char *rsip_loader_mode_name(int mode);

#endif
