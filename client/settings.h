/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the user wants, from /etc/rsip/client.json and, over it, the command line: one table for
 * both. */
#ifndef RSIP_CLIENT_SETTINGS_H
#define RSIP_CLIENT_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "auth.h"
#include "netlink.h"

#define RSIP_CLIENT_CONFIG "/etc/rsip/client.json"
#define RSIP_CLIENT_STATE_DIR "/run/rsip"
#define RSIP_CLIENT_NAME_MAX 10 /* "rsip-" and it are a device's name */
#define RSIP_CLIENT_LISTEN_MAX 16
#define RSIP_CLIENT_PORTS_MAX 4096

struct rsip_settings {
	char config[80];		 /* where it is read from */
	char gateway[560];		 /* addresses with commas between; empty: the default router */
	char interface[RSIP_IFNAME_LEN]; /* empty: the way to the gateway */
	char device[RSIP_IFNAME_LEN];
	char state_dir[200];
	char socket[108];
	char transport[8]; /* "udp" or "tcp" */
	char tunnel[8];	   /* "auto" or "bpf" */
	char tunnel_type[8]; /* "IP-IP" or "GRE" */
	char place[12];	   /* "namespace" or "host" */
	char route[8];	   /* "bound" or "remote": what goes through the tunnel, with place host */
	char listen[128];  /* ports of services, "80,443" */
	uint32_t ports, ports_max, ports_idle, spis, lease, wait, query_every, return_after;
	bool strongswan; /* lease for a strongSwan and configure it */
	uint32_t ike_ports, charon_spis;
	char strongswan_dir[200], strongswan_vici[108];
	bool whole_address;	/* lease one of its own (RSA-IP) */
	bool private_addresses; /* a leased address may be private */
	uint32_t key_id; /* 0: no authentication */
	char key_file[200];
	char key_secret[2 * RSIP_AUTH_SECRET_MAX + 1]; /* of the configuration file; never an option, where all see it */
	uint32_t method_set;	/* internal: ports or spis were given */
};

enum rsip_setting_type { RSIP_SETTING_TEXT, RSIP_SETTING_NUMBER, RSIP_SETTING_FLAG };

struct rsip_setting {
	const char *name; /* key in the file and long option */
	enum rsip_setting_type type;
	size_t offset, size;
	uint32_t max;
	const char *arg, *help;
};

extern const struct rsip_setting rsip_setting_table[];
extern const size_t rsip_setting_count;

void rsip_settings_init(struct rsip_settings *s);
/* Another client on this machine, for another gateway: its own file, folder and device.  0 or, with
 * why, -EINVAL. */
int rsip_settings_name(struct rsip_settings *s, const char *name, char *why, size_t size);
/* The ports of a list like "80,443": how many, or -EINVAL. */
int rsip_settings_listen(const char *text, uint16_t ports[RSIP_CLIENT_LISTEN_MAX]);
/* 0; -ENOENT: no such setting; -EINVAL, with why: a value that cannot be. */
int rsip_settings_set(struct rsip_settings *s, const char *name, const char *value, char *why,
		      size_t size);
/* Reads the file; what is wrong is logged with path and line.  A missing file is an error only if
 * must_exist. */
int rsip_settings_load(struct rsip_settings *s, const char *path, bool must_exist);
/* Paths that begin nowhere begin in folder: a daemon is in / by then.  0, or -EINVAL with why: one becomes too long. */
int rsip_settings_begin_at(struct rsip_settings *s, const char *folder, char *why, size_t size);
/* Fills what depends on other settings (the socket's path) and checks the whole. */
int rsip_settings_finish(struct rsip_settings *s, char *why, size_t size);
/* Is this setting the same in both?  Takes it over from another one. */
bool rsip_settings_same(const struct rsip_setting *row, const struct rsip_settings *a, const struct rsip_settings *b);
void rsip_settings_copy(const struct rsip_setting *row, struct rsip_settings *to, const struct rsip_settings *from);
uint8_t rsip_settings_tunnel(const struct rsip_settings *s); /* RSIP_TUNNEL_* */
/* The key that the settings name; key->id 0: none.  0, or -EINVAL with why. */
int rsip_settings_key(const struct rsip_settings *s, struct rsip_auth_key *key, char *why, size_t size);

#endif
