// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The host's network changes under the client: another address by DHCP, another interface, another router.  The kernel
 * says that something happened; whether it matters is asked of the routes, once they have settled.
 */
#include <errno.h>
#include <string.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include "daemon.h"
#include "log.h"
#include "mnl.h"

#define SETTLE_NS (RSIP_NS_PER_S / 2) /* after the first event of a row */
#define STAND_NS (2 * RSIP_NS_PER_S)  /* a way that is another one must be the same after so long: DHCP clients take an
					 address away before they bring the next */

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_daemon *d = arg;
	char buf[8192];
	ssize_t n;

	(void)what;
	do
		n = recv(fd, buf, sizeof(buf), MSG_DONTWAIT);
	while (n > 0 || (n < 0 && (errno == EINTR || errno == ENOBUFS)));
	if (d->look_way_ns) /* we shall look anyway: a router's table may change all the time */
		return;
	d->look_way_ns = rsip_daemon_now() + SETTLE_NS;
	rsip_daemon_wake(d);
}

void rsip_daemon_watch(struct rsip_daemon *d)
{
	int err = rsip_mnl_open(NETLINK_ROUTE,
				RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_IFADDR | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE,
				&d->news);

	if (err) {
		log_warn("cannot hear of changes of the network: %s: the client will not follow them: start it again after one",
			 strerror(-err));
		return;
	}
	d->changes = event_new(d->base, mnl_socket_get_fd(d->news), EV_READ | EV_PERSIST, on_event, d);
	event_add(d->changes, NULL);
}

void rsip_daemon_watch_no_more(struct rsip_daemon *d)
{
	if (d->changes)
		event_free(d->changes);
	if (d->news)
		mnl_socket_close(d->news);
	d->changes = NULL;
	d->news = NULL;
}

/* A registration is an address: what was leased from the old one is lost, the like of it is asked for from the new. */
static void take_way(struct rsip_daemon *d, const struct rsip_way *way)
{
	uint32_t id = d->session.client_id;
	struct rsip_way left = d->way;

	log_warn("the way to the gateway is another one: %s from %s on %s, no longer %s from %s on %s",
		 rsip_inet_text(&way->gateway), rsip_inet_text(&way->local), way->nic_name, rsip_inet_text(&left.gateway),
		 rsip_inet_text(&left.local), left.nic_name);
	rsip_daemon_disconnect(d);
	rsip_daemon_set_way(d, way);
	rsip_daemon_enter(d, rsip_daemon_now());
	rsip_daemon_farewell(d, &left, id);
}

/* A network manager that starts again may take rules away that it does not know (systemd-networkd does). */
static void mend(struct rsip_daemon *d)
{
	__be32 addrs[RSIP_LEASES_MAX];
	int err = rsip_tunnel_mend(d->tunnel, addrs, rsip_session_addrs(&d->session, addrs));

	if (err)
		log_warn("cannot put our policy rules back: %s", strerror(-err));
	if (d->jail.shared) /* another client beside us that ended has set it back */
		rsip_daemon_silence_arp(d);
	rsip_tunnel_fit(d->tunnel);
}

static void tell_away(struct rsip_daemon *d, bool away, const char *why)
{
	if (away != d->away)
		log_warn("%s%s", away ? why : "there is a way to the gateway again",
			 away ? " (waiting: the leases go on until their time runs out)" : "");
	d->away = away;
}

/* Of another way only when it is to be taken: while it may be a passing one, nobody else is to get what is ours. */
static bool may_claim(const struct rsip_daemon *d, const struct rsip_way *way, uint64_t now)
{
	if (rsip_way_same(way, &d->way))
		return true;
	return d->other_way_ns && rsip_way_same(way, &d->other_way) && now - d->other_way_ns >= STAND_NS;
}

uint64_t rsip_daemon_look_at_way(struct rsip_daemon *d, uint64_t now)
{
	struct rsip_way way;
	char why[600];
	int err;

	if (!d->look_way_ns || d->session.state >= RSIP_SESSION_ENDING || d->moving)
		return UINT64_MAX;
	if (now < d->look_way_ns)
		return d->look_way_ns;
	d->look_way_ns = 0;
	err = rsip_way_find(rsip_gateways_used(&d->gateways), d->set.interface, &way, why, sizeof(why));
	if (!err && may_claim(d, &way, now))
		err = rsip_daemon_claim(d, &way, why, sizeof(why));
	tell_away(d, err, why);
	if (err == -EBUSY) { /* nothing will tell us when that one ends */
		d->look_way_ns = now + STAND_NS;
		return d->look_way_ns;
	}
	if (err || rsip_way_same(&way, &d->way)) {
		d->other_way_ns = 0;
		mend(d);
		return UINT64_MAX;
	}
	if (!d->other_way_ns || !rsip_way_same(&way, &d->other_way)) {
		d->other_way = way;
		d->other_way_ns = now;
	}
	if (now - d->other_way_ns >= STAND_NS) {
		d->other_way_ns = 0;
		take_way(d, &way);
		return now;
	}
	d->look_way_ns = d->other_way_ns + STAND_NS;
	return d->look_way_ns;
}
