// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The way to the gateway: connecting, hearing it, and going to the next one where there are several. */
#include <errno.h>
#include <string.h>
#include "advice.h"
#include "daemon.h"
#include "log.h"

#define RSIP_RECONNECT_NS (2 * RSIP_NS_PER_S)
#define RSIP_CONNECT_NS (5 * RSIP_NS_PER_S) /* TCP: no longer than for an answer */

static void on_message(void *ctx, const uint8_t *buf, size_t len)
{
	struct rsip_daemon *d = ctx;

	uint64_t now = rsip_daemon_now(), away_s;

	rsip_session_input(&d->session, buf, len, now);
	rsip_session_tick(&d->session, now);
	if (d->session.state != RSIP_SESSION_UP)
		return;
	away_s = rsip_trouble_is_over(&d->away_trouble, now);
	memset(d->move_trouble, 0, sizeof(d->move_trouble));
	if (away_s)
		log_info("%s answers, after %llu s without an answer", rsip_inet_text(&d->io.gateway), (unsigned long long)away_s);
}

void rsip_daemon_disconnect(struct rsip_daemon *d)
{
	if (d->readable)
		event_free(d->readable);
	if (d->writable)
		event_free(d->writable);
	d->readable = d->writable = NULL;
	rsip_transport_close(&d->io);
	d->connected = false;
}

static void disconnected(struct rsip_daemon *d)
{
	bool never = !d->connected;
	const char *what = never ? "does not come about" : d->session.hang_up ? "brings no answer: another one" : "is gone";

	if (rsip_trouble_is_news(&d->away_trouble, rsip_daemon_now()))
		log_warn("the connection to %s %s (trying again and again)", rsip_inet_text(&d->io.gateway), what);
	rsip_daemon_disconnect(d);
	d->reconnect_ns = rsip_daemon_now() + RSIP_RECONNECT_NS;
	rsip_session_cut(&d->session, rsip_daemon_now());
	if (never)
		rsip_daemon_fail_over(d, -ETIMEDOUT);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_daemon *d = arg;

	(void)fd;
	(void)what;
	if (rsip_transport_read(&d->io, on_message, d))
		disconnected(d);
	rsip_daemon_wake(d);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_daemon *d = arg;

	(void)fd;
	(void)what;
	if (rsip_transport_connected(&d->io))
		disconnected(d);
	else
		d->connected = true;
	rsip_daemon_wake(d);
}

static void connect_gateway(struct rsip_daemon *d, uint64_t now)
{
	int err = rsip_transport_open(&d->io);

	d->reconnect_ns = now + RSIP_RECONNECT_NS;
	if (err) {
		if (rsip_trouble_is_news(&d->away_trouble, now))
			log_warn("cannot reach %s: %s (trying again and again)", rsip_inet_text(&d->io.gateway), strerror(-err));
		rsip_daemon_fail_over(d, err);
		return;
	}
	d->connect_by_ns = now + RSIP_CONNECT_NS;
	d->connected = d->io.kind == RSIP_TRANSPORT_UDP;
	d->readable = event_new(d->base, d->io.fd, EV_READ | EV_PERSIST, on_readable, d);
	d->writable = event_new(d->base, d->io.fd, EV_WRITE, on_writable, d);
	event_add(d->readable, NULL);
	if (!d->connected)
		event_add(d->writable, NULL);
}

/* ---- several of them ---- */

static bool holds_leases(const struct rsip_daemon *d)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (d->session.leases[i].state == RSIP_LEASE_HELD)
			return true;
	return false;
}

bool rsip_daemon_fail_over(struct rsip_daemon *d, int err)
{
	char why[400];
	struct rsip_inet left = d->io.gateway;
	bool news;

	if (d->moving || d->gateways.cnt < 2 || d->session.state >= RSIP_SESSION_ENDING)
		return d->moving;
	news = rsip_trouble_is_news(&d->move_trouble[d->gateways.at], rsip_daemon_now());
	if (d->io.refused && holds_leases(d)) {
		if (news)
			log_warn("%s: rsipd does not run there, but the machine does: it forwards until the leases run out",
				 rsip_inet_text(&left));
		d->io.refused = false; /* to be heard again the next time nothing answers */
		return false;
	}
	d->moving = rsip_gateways_fail(&d->gateways, err, rsip_daemon_now());
	rsip_comeback_left(&d->comeback, rsip_daemon_now());
	if (news)
		log_warn("%s: %s: next is %s", rsip_inet_text(&left), rsip_advice_text(err, why, sizeof(why)),
			 rsip_inet_text(&d->gateways.g[d->gateways.at].addr));
	return !rsip_gateways_all_failed(&d->gateways);
}

void rsip_daemon_enter(struct rsip_daemon *d, uint64_t act_ns)
{
	rsip_aside_free(d->aside);
	d->aside = NULL;
	rsip_session_move(&d->session, &d->way.local, &d->way.gateway, act_ns);
	d->reconnect_ns = rsip_daemon_now();
	d->asking_local = false;
	d->ask_local_ns = 0;
	d->quiet_ns = 0;
	d->dirty = true;
	if (rsip_daemon_retunnel(d)) {
		d->failed = true;
		d->session.state = RSIP_SESSION_CLOSED;
	}
}

static void move(struct rsip_daemon *d, uint64_t now)
{
	uint64_t when = rsip_gateways_all_failed(&d->gateways) && d->session.act_ns > now ? d->session.act_ns : now;
	char why[600];

	d->moving = false;
	rsip_daemon_disconnect(d);
	if (rsip_daemon_locate_any(d, why, sizeof(why)))
		log_err("%s", why); /* and nothing has changed */
	else
		rsip_daemon_enter(d, when);
}

void rsip_daemon_reach(struct rsip_daemon *d, uint64_t now)
{
	if (d->session.state == RSIP_SESSION_UP)
		rsip_gateways_serve(&d->gateways);
	if (d->io.fd >= 0 && (d->connected ? d->session.hang_up : now >= d->connect_by_ns))
		disconnected(d);
	if (d->moving)
		move(d, now);
	if (!d->connected && d->io.fd < 0 && now >= d->reconnect_ns && d->session.state != RSIP_SESSION_CLOSED)
		connect_gateway(d, now);
}

uint64_t rsip_daemon_reach_due(const struct rsip_daemon *d, uint64_t now)
{
	if (d->moving)
		return now;
	if (d->connected)
		return rsip_session_due(&d->session);
	return d->io.fd >= 0 ? d->connect_by_ns : d->reconnect_ns;
}

/* ---- what it calls local ---- */

uint64_t rsip_daemon_ask_local(struct rsip_daemon *d, uint64_t now)
{
	const struct rsip_query everything = {.tag = RSIP_QUERY_OF_OURS};

	if (d->session.state != RSIP_SESSION_UP)
		return UINT64_MAX; /* comes back when it is */
	if (now < d->ask_local_ns)
		return d->ask_local_ns;
	if (!d->asking_local)
		d->asking_local = !rsip_session_query(&d->session, &everything);
	d->ask_local_ns = now + d->set.query_every * RSIP_NS_PER_S;
	return d->ask_local_ns;
}

void rsip_daemon_told_local(struct rsip_daemon *d, const struct rsip_answer *a, int err)
{
	struct rsip_locals told;

	d->asking_local = false;
	if (err == -ETIMEDOUT && d->gateways.cnt > 1)
		d->ask_local_ns = 0; /* is it still there? */
	if (err || !d->tunnel)
		return;
	rsip_locals_read(&told, a);
	err = rsip_tunnel_locals(d->tunnel, &told);
	if (err)
		log_warn("cannot keep local destinations out of the tunnel: %s", strerror(-err));
}
