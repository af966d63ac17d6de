// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Back to a preferred gateway.  It is asked now and then, as a host that registers and leaves again; when it has answered
 * for long enough, and nothing that programs have under way would break, the client goes there and de-registers here.
 */
#include <errno.h>
#include <string.h>
#include "daemon.h"
#include "log.h"
#include "sockets.h"
#include "xfrm.h"

#define QUIET_NS (10 * RSIP_NS_PER_S) /* for what no socket tells: nothing was sent for so long */
#define LOOK_NS RSIP_NS_PER_S

/* ---- is anything under way? ---- */

struct sa_tally {
	const __be32 *addrs;
	unsigned int addr_cnt, cnt;
};

static void count_sa(void *ctx, const struct rsip_sa *sa)
{
	struct sa_tally *t = ctx;

	for (unsigned int i = 0; i < t->addr_cnt; i++)
		t->cnt += sa->src == t->addrs[i] || sa->dst == t->addrs[i];
}

/* Each list of the kernel is gone through once, however many leases there are. */
static bool has_flows(struct rsip_daemon *d)
{
	__be32 addrs[RSIP_LEASES_MAX];
	struct sa_tally sas = {.addrs = addrs, .addr_cnt = rsip_session_addrs(&d->session, addrs)};
	bool used;

	if (rsip_jail_enter(&d->jail))
		return true;
	used = rsip_sockets_talking(addrs, sas.addr_cnt); /* or it cannot be told */
	if (!used)
		rsip_xfrm_each(count_sa, &sas); /* a kernel without IPsec has none */
	rsip_jail_leave(&d->jail);
	return used || sas.cnt;
}

/* Unconnected UDP sockets (WireGuard, a resolver) tell by what they send. */
static bool was_quiet(struct rsip_daemon *d, uint64_t now)
{
	uint64_t sent = rsip_tunnel_sent(d->tunnel);

	if (sent != d->sent || !d->quiet_ns) {
		d->sent = sent;
		d->quiet_ns = now;
	}
	return now - d->quiet_ns >= QUIET_NS;
}

/* ---- the second session ---- */

static void on_gone(void *arg);
static void on_verdict(void *arg, int err);

static int start_aside(struct rsip_daemon *d, const struct rsip_way *way, uint32_t end_id)
{
	struct rsip_aside_spec spec = {
		.base = d->base,
		.way = *way,
		.state_dir = d->set.state_dir,
		.transport = rsip_daemon_transport(d),
		.tunnel = rsip_settings_tunnel(&d->set),
		.key = &d->key,
		.auth_sent = &d->session.auth_sent,
		.end_id = end_id,
		.done = on_verdict,
		.gone = on_gone,
		.arg = d,
	};

	rsip_aside_free(d->aside);
	d->aside = NULL;
	return rsip_aside_start(&spec, &d->aside);
}

/* The first of the preferred ones, from this one on, that answers. */
static void ask_from(struct rsip_daemon *d, unsigned int at)
{
	struct rsip_way way;
	char why[200];

	for (; at < d->gateways.at; at++) {
		d->asked = at;
		if (!rsip_way_find(&d->gateways.g[at].addr, d->set.interface, &way, why, sizeof(why)) &&
		    !start_aside(d, &way, 0))
			return;
	}
	rsip_comeback_unheard(&d->comeback, rsip_daemon_now());
}

static void on_verdict(void *arg, int err)
{
	struct rsip_daemon *d = arg;

	d->heard = !err;
	if (d->heard && d->asked < d->gateways.at)
		rsip_comeback_heard(&d->comeback, d->asked, rsip_daemon_now());
}

static void on_gone(void *arg)
{
	struct rsip_daemon *d = arg;

	d->aside = NULL;
	if (!d->heard)
		ask_from(d, d->asked + 1);
	rsip_daemon_wake(d);
}

/* ---- going ---- */

void rsip_daemon_farewell(struct rsip_daemon *d, const struct rsip_way *left, uint32_t id)
{
	d->heard = true; /* whatever it says: we do not ask the next */
	if (id && start_aside(d, left, id))
		log_info("cannot de-register at %s: what was leased there runs out", rsip_inet_text(&left->gateway));
}

int rsip_daemon_go(struct rsip_daemon *d, unsigned int at)
{
	uint32_t id = d->session.client_id;
	unsigned int was = d->gateways.at;
	struct rsip_way left = d->way;
	uint64_t now = rsip_daemon_now();

	d->gateways.at = at;
	if (rsip_daemon_locate(d)) {
		d->gateways.at = was;
		return -EHOSTUNREACH;
	}
	log_info("going from %s to %s", rsip_inet_text(&left.gateway), rsip_inet_text(&d->way.gateway));
	rsip_daemon_disconnect(d);
	rsip_daemon_enter(d, now);
	rsip_comeback_done(&d->comeback, now);
	rsip_daemon_farewell(d, &left, id);
	return 0;
}

static bool may_return(const struct rsip_daemon *d)
{
	return d->comeback.after_s && d->gateways.at && d->session.state == RSIP_SESSION_UP && !d->moving;
}

uint64_t rsip_daemon_return(struct rsip_daemon *d, uint64_t now)
{
	bool quiet;

	if (!may_return(d))
		return UINT64_MAX;
	if (!d->aside && now >= d->comeback.ask_ns)
		ask_from(d, 0);
	if (!d->comeback.since_ns)
		return d->aside ? UINT64_MAX : d->comeback.ask_ns;
	quiet = was_quiet(d, now);
	if (rsip_comeback_is_ripe(&d->comeback, now) && quiet && !has_flows(d)) {
		rsip_daemon_go(d, d->comeback.at);
		return now;
	}
	return now + LOOK_NS;
}
