/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The configuration of rsipd, read from JSON: see rsipd.json(5).  Reading finds all mistakes at
 * once, each with its path (`pools[1].ports`) and line.
 */
#ifndef RSIP_CONFIG_H
#define RSIP_CONFIG_H

#include <cjson/cJSON.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "flow.h"
#include "keys.h"
#include "lease.h"
#include "log.h"

#define RSIP_STORE_PATH_DEFAULT "/var/lib/rsip/leases.sqlite"
#define RSIP_CONF_SIZE_MAX (1024 * 1024) /* bytes of a configuration file */
#define RSIP_CONF_POOLS_MAX RSIP_POOLS_MAX /* ranges of addresses, all pools together */
#define RSIP_CONF_POLICIES_MAX 32
#define RSIP_CONF_NATS_MAX 8 /* pools with nat: as many as rsip-loader takes */
#define RSIP_CONF_ISSUES_MAX 100

struct ifaddrs;

struct rsip_conf_iface {
	char name[IF_NAMESIZE];
	__be32 endpoint; /* private: our end of the hosts' tunnels; 0: the interface's first address
			  */
	__be32 endpoint6[4]; /* private: the same for hosts with IPv6 addresses; 0: serves none */
};

struct rsip_conf_nets {
	struct rsip_net net[RSIP_MAX_NETS];
	uint32_t cnt;
	bool given; /* written in the file; else the default */
};

struct rsip_conf_key {
	struct rsip_key_conf k; /* the secret of a file only after rsip_conf_load_keys() */
	char file[108];		/* empty: the secret is in the configuration itself */
	int line;
};

/* A part of a pool's ports for kernel NAT: hosts without RSIP.  rsip-loader sets it up. */
struct rsip_conf_nat {
	uint16_t port_first, port_last; /* 0: none */
	struct rsip_conf_nets nets;
};

struct rsip_conf {
	struct rsip_conf_iface public_if[RSIP_MAX_IFACES], private_if[RSIP_MAX_IFACES];
	uint32_t public_cnt, private_cnt;

	struct { /* sizes and mode are the loader's, at attach */
		uint32_t max_bindings, max_addresses, max_ipsec_pairs, max_cookies;
		char mode[16]; /* auto, native, generic */
		char pin_path[256];
	} dataplane;

	/* One entry for each range of addresses; those of one pool follow each other and share its
	 * name. */
	struct rsip_pool_conf pool[RSIP_CONF_POOLS_MAX];
	uint32_t pool_cnt;
	uint32_t nat_cnt; /* pools with nat */

	char stray[8]; /* what becomes of hosts' packets outside the tunnel: pass, drop, reject */

	struct rsip_flow_policy policy[RSIP_CONF_POLICIES_MAX];
	uint32_t policy_cnt;

	struct rsip_conf_nets private_nets, client_nets, local_nets;
	uint32_t host_prefix6, hosts_per_prefix6; /* bits of a subscriber's IPv6 network, and how many hosts it may have */
	struct rsip_lease_limits limits; /* `leases` and the first four of `limits` */
	uint32_t messages_per_s,
		message_burst; /* of one source; burst: twice the rate unless given */
	uint32_t tcp_connections, tcp_connections_per_client, tcp_idle_s;
	struct {
		enum rsip_auth_mode mode;
		struct rsip_conf_key *key; /* owned: rsip_conf_free() */
		uint32_t cnt;
	} auth;
	bool udp;
	bool check_mac;
	uint32_t dscp; /* RSIP_DSCP_* as the data plane's policy has them */

	struct {
		char socket[108]; /* sun_path */
		char group[33];
		mode_t mode;
		char read_only_socket[108]; /* "": none */
		mode_t read_only_mode;
	} control;
	enum rsip_log_level log_level;
	char alloclog[256]; /* file of the allocation log; "": none */
	bool alloclog_journal; /* and it goes to the journal */
	char store_path[256]; /* "": leases are kept in memory only */
	char user[33];
	const char *path; /* the file it was read from; NULL: none */
};

struct rsip_conf_issue {
	int line;
	bool warning;
	char path[96];
	char text[200];
};

struct rsip_conf_report {
	struct rsip_conf_issue issue[RSIP_CONF_ISSUES_MAX];
	uint32_t cnt;		   /* filled entries */
	uint32_t errors, warnings; /* found, even those that had no room */
};

/* The defaults. */
void rsip_conf_init(struct rsip_conf *conf);

/* Frees what conf owns, and wipes its secrets. */
void rsip_conf_free(struct rsip_conf *conf);

/*
 * Reads text into conf (initialised here; the caller frees it, also after an error).  0, or -EINVAL with at least one
 * error in report.
 */
int rsip_conf_parse(const char *text, size_t len, struct rsip_conf *conf,
		    struct rsip_conf_report *report);

/* Contradictions between parts that are right by themselves; part of rsip_conf_parse(). */
void rsip_conf_check(const struct rsip_conf *conf, const cJSON *root,
		     struct rsip_conf_report *report);

/* Contradictions with the machine it runs on: what --check and start-up look at, and a parser cannot. */
void rsip_conf_check_machine(const struct rsip_conf *conf, struct rsip_conf_report *report);
/* Part of it: private interfaces whose networks overlap.  all: of getifaddrs(). */
void rsip_conf_check_networks(const struct rsip_conf *conf, const struct ifaddrs *all, struct rsip_conf_report *report);

/* How many tunnel endpoints the policies name, each once; the first RSIP_MAX_ENDPOINTS go to out, if there is one. */
uint32_t rsip_conf_endpoints(const struct rsip_conf *conf, __be32 out[RSIP_MAX_ENDPOINTS]);

/* Reads the secrets that are in files of their own; those must belong to root or to user, and to nobody else's eyes. */
void rsip_conf_load_keys(struct rsip_conf *conf, uid_t user, struct rsip_conf_report *report);
/* Warns of secrets in a configuration file, open as fd, that others may read. */
void rsip_conf_check_secrecy(const struct rsip_conf *conf, int fd, struct rsip_conf_report *report);

/*
 * The file with all that belongs to it: rsip_conf_parse(), secrets, and the machine's word.  0 (errors are in report),
 * or negative errno: the file cannot be read.
 */
int rsip_conf_load(const char *path, struct rsip_conf *conf, struct rsip_conf_report *report);

/*
 * Makes fresh, just read, fit over what is in effect: its pools get the numbers that rsip_lease_set_pools() wants.  What
 * cannot change in a running rsipd becomes an error in report.
 */
void rsip_conf_merge(struct rsip_conf *fresh, const struct rsip_conf *now, struct rsip_conf_report *report);

/* Adds a finding; path is printed as it stands. */
void rsip_conf_find(struct rsip_conf_report *report, bool warning, int line, const char *path,
		    const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* The configuration in effect as JSON, for config-get; the caller deletes it. */
cJSON *rsip_conf_to_json(const struct rsip_conf *conf);

/* Adds "dscp" to obj, a name or a number, where a policy or binding has one (struct rsip_binding). */
void rsip_conf_show_host_dscp(uint8_t dscp, cJSON *obj);

/* True if addr lies in one of nets. */
bool rsip_conf_in_nets(const struct rsip_conf_nets *nets, __be32 addr);

#endif
