/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Shared by server.c, which puts the daemon together, loop.c, which runs it, and the parts between. */
#ifndef RSIP_SERVER_PRIV_H
#define RSIP_SERVER_PRIV_H

#include <event2/event.h>

#include "alloclog.h"
#include "commit.h"
#include "ctl.h"
#include "engine.h"
#include "hold.h"
#include "nexthop.h"
#include "ratelimit.h"
#include "server.h"
#include "transport.h"

#define RSIP_SIGNALS 3

struct rsip_server {
	struct rsip_conf *conf;
	struct event_base *base;
	struct rsip_dp_iface iface[RSIP_MAX_IFACES];
	int iface_cnt;
	struct rsip_ctl_context ctl_ctx; /* holds the data plane and the lease manager too */
	struct rsip_ctl_server *ctl;
	struct rsip_engine *engine;
	struct rsip_hops *hops;
	struct rsip_alloclog *alloclog; /* NULL: none is wanted */
	struct rsip_transports *transports;
	struct rsip_udp *udp;
	struct rsip_tcp *tcp;
	struct rsip_ratelimit limit;

	/* server_store.c */
	struct rsip_journal *journal;
	struct rsip_store *store;
	struct rsip_committer *committer;
	struct rsip_store_clock clock;
	struct rsip_hold hold;
	struct event *kick, *committed;
	int store_fd;
	uint64_t shed; /* messages not served because too many answers wait */

	/* loop.c */
	struct event *tick, *wake, *netlink, *violations, *signal[RSIP_SIGNALS];
	bool routes_pending; /* a route changed; the data plane is told at the next tick, ten times
				a second at most */
	uint64_t housekeep_ns, alive_ns, status_ns; /* when it is next due */
	uint64_t watchdog_ns;
	bool outdated; /* the data plane has other maps, or an interface, by now */
};

/* server.c */
/* The keys without what only the configuration cares for; to be given back.  NULL: out of memory. */
struct rsip_key_conf *rsip_server_keys(const struct rsip_conf *conf);
void rsip_server_forget_keys(struct rsip_key_conf *keys, uint32_t cnt);
/* Networks that the configuration leaves to the machine. */
void rsip_server_complete_nets(const struct rsip_server *s, struct rsip_conf *conf);
/* How handles of hosts with IPv6 addresses are given out. */
void rsip_server_limit_hosts6(const struct rsip_conf *conf);
int rsip_server_set_policy(struct rsip_server *s); /* of the data plane */
/* By its index in the data plane; NULL: there is none. */
const struct rsip_iface *rsip_server_iface(const struct rsip_server *s, uint16_t index);

/* server_links.c: interfaces whose MAC address or MTU changes */
/* One that was deleted and that the loader has attached again by its name; NULL: there is none. */
const char *rsip_server_link_replaced(const struct rsip_server *s);
void rsip_server_follow_link(void *arg, uint32_t ifindex); /* arg is the server */
void rsip_server_follow_links(struct rsip_server *s); /* all of them, at the start */

/* server_events.c: sets those functions of conf that tell what happens. */
void rsip_server_observe(struct rsip_server *s, struct rsip_engine_conf *conf);
void rsip_server_add_stats(void *arg, cJSON *obj); /* arg is the server */

/* reload.c: reads the file again; arg is the server.  0, or negative errno with errors in report and nothing changed. */
int rsip_server_reload(void *arg, struct rsip_conf_report *report);
void rsip_server_reload_by_signal(struct rsip_server *s); /* what is wrong goes to the log */

/* server_store.c */
/* As root: the store's folder, for the user that rsipd becomes. */
int rsip_server_store_folder(const struct rsip_server *s, uid_t owner, char *why, size_t why_len);
/* Leases from the store, the data plane made to say the same, and the thread that commits. */
int rsip_server_store_start(struct rsip_server *s, char *why, size_t why_len);
/* Begins a commit, if there is something to commit. */
void rsip_server_store_kick(struct rsip_server *s);
/* The answer to send now: len, or 0 with *held if it waits for the store. */
size_t rsip_server_store_hold(struct rsip_server *s, const struct rsip_peer *to, const uint8_t *answer, size_t len,
			      uint64_t now_ns, bool *held);
/* Hosts wait for commits that do not keep up. */
bool rsip_server_store_is_behind(const struct rsip_server *s, uint64_t now_ns);
/* A commit has ended: answers leave. */
void rsip_server_store_collect(struct rsip_server *s, uint64_t now_ns);
/* Commits what there is, sends what waits for it. */
void rsip_server_store_close(struct rsip_server *s);
void rsip_server_store_status(void *arg, cJSON *out);

int rsip_server_listen(struct rsip_server *s);
void rsip_server_unlisten(struct rsip_server *s);

#endif
