// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The event loop: sockets, netlink, signals, and a tick that gives all else the time. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "log.h"
#include "hosts6.h"
#include "server_priv.h"
#include "service.h"
#include "util.h"

#define TICK_MS 100
#define STATUS_S 5
#define HOPS_A_TICK 256 /* hosts whose route is asked for again, after routes have changed */

static const int signals[RSIP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

static bool due(uint64_t *next_ns, uint64_t now_ns, uint64_t every_ns)
{
	if (now_ns < *next_ns)
		return false;
	*next_ns = now_ns + every_ns;
	return true;
}

static void tell_service(struct rsip_server *s, uint64_t now_ns)
{
	if (s->watchdog_ns && due(&s->alive_ns, now_ns, s->watchdog_ns))
		rsip_service_alive();
	if (due(&s->status_ns, now_ns, STATUS_S * RSIP_NS_PER_S))
		rsip_service_status("%u clients, %u bindings",
				    rsip_lease_client_count(s->ctl_ctx.lm),
				    rsip_lease_bind_count(s->ctl_ctx.lm));
}

/* Ends what has expired; where there is much of it, the sockets have their turn in between. */
static void run_engine(struct rsip_server *s, uint64_t now_ns)
{
	struct timeval at_once = {0, 0};

	if (rsip_engine_tick(s->engine, now_ns) <= now_ns)
		event_add(s->wake, &at_once);
	rsip_server_store_kick(s);
}

/*
 * Sockets and TCP connections are bound to the device that was; the start is the one place that makes new ones.  What is installed
 * means the new device already.
 */
static bool ends_replaced(struct rsip_server *s)
{
	const char *name = rsip_server_link_replaced(s);

	if (!name)
		return false;
	log_warn("stopping: interface %s was made anew and is attached again; %u bindings stay and go on, rsipd must be started "
		 "again to serve there (systemd does)",
		 name, rsip_lease_bind_count(s->ctl_ctx.lm));
	s->outdated = true;
	event_base_loopbreak(s->base);
	return true;
}

/*
 * After an upgrade that made maps anew what is written into ours reaches no packet, and during one it would be lost or, worse, half
 * of it would not.  Privileges to open the new ones are gone, so the next rsipd does.
 */
static bool ends_outdated(struct rsip_server *s)
{
	struct rsip_dataplane *dp = s->ctl_ctx.dp;

	if (!dp->ops->outdated(dp))
		return false;
	log_err("stopping: rsip-loader upgrade makes maps of the data plane anew; %u bindings stay and go on, rsipd must be started "
		"again to serve in the new maps (systemd does)",
		rsip_lease_bind_count(s->ctl_ctx.lm));
	s->outdated = true;
	event_base_loopbreak(s->base);
	return true;
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_server *s = arg;
	struct rsip_dataplane *dp = s->ctl_ctx.dp;
	uint64_t now_ns = rsip_now_ns();

	(void)fd;
	(void)what;
	if (ends_outdated(s) || ends_replaced(s))
		return;
	rsip_engine_set_wall(s->engine, rsip_wall_offset_us());
	run_engine(s, now_ns);
	if (s->routes_pending) {
		s->routes_pending = false;
		dp->ops->routes_changed(dp);
	}
	rsip_hops_refresh(s->hops, HOPS_A_TICK);
	dp->ops->alive(dp, now_ns);
	if (due(&s->housekeep_ns, now_ns, RSIP_NS_PER_S)) {
		rsip_hosts6_tick(now_ns);
		dp->ops->housekeep(dp, now_ns);
		rsip_alloclog_check(s->alloclog);
		rsip_ctl_tell_lost(s->ctl);
		if (rsip_lease_drain(s->ctl_ctx.lm))
			log_info("a pool that was given up is empty: its addresses are no longer ours");
	}
	tell_service(s, now_ns);
}

static void on_kick(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	rsip_server_store_kick(arg);
}

static void on_committed(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	rsip_server_store_collect(arg, rsip_now_ns());
}

static void on_wake(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	run_engine(arg, rsip_now_ns());
}

static void on_netlink(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	rsip_hops_read(((struct rsip_server *)arg)->hops);
}

static void on_violation(void *arg, const struct rsip_event *v)
{
	struct rsip_server *s = arg;

	if (v->reason == RSIP_REPORT_PMTU) {
		rsip_engine_pmtu(s->engine, v, rsip_now_ns());
		return;
	}
	rsip_engine_violation(s->engine, v, rsip_now_ns());
	if (rsip_ctl_wanted(s->ctl, RSIP_CTL_EVENT_VIOLATIONS))
		rsip_ctl_publish(s->ctl, RSIP_CTL_EVENT_VIOLATIONS, rsip_ctl_event_violation(v), rsip_wall_ns());
}

static void on_violations(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_dataplane *dp = ((struct rsip_server *)arg)->ctl_ctx.dp;

	(void)fd;
	(void)what;
	dp->ops->events(dp, on_violation, arg);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	struct rsip_server *s = arg;

	(void)what;
	if (sig == SIGHUP) {
		rsip_server_reload_by_signal(s);
		return;
	}
	log_info("stopping: %s; %u bindings stay and go on", sig == SIGTERM ? "SIGTERM" : "SIGINT",
		 rsip_lease_bind_count(s->ctl_ctx.lm));
	event_base_loopbreak(s->base);
}

static int add_events(struct rsip_server *s)
{
	struct rsip_dataplane *dp = s->ctl_ctx.dp;
	struct timeval tick = {.tv_usec = TICK_MS * 1000};

	s->tick = event_new(s->base, -1, EV_PERSIST, on_tick, s);
	s->wake = evtimer_new(s->base, on_wake, s);
	s->netlink = event_new(s->base, rsip_hops_fd(s->hops), EV_READ | EV_PERSIST, on_netlink, s);
	s->violations = event_new(s->base, dp->ops->events_fd(dp), EV_READ | EV_PERSIST,
				  on_violations, s);
	s->kick = event_new(s->base, -1, 0, on_kick, s);
	s->committed = event_new(s->base, s->store_fd, EV_READ | EV_PERSIST, on_committed, s);
	if (!s->kick || !s->committed || event_add(s->committed, NULL))
		return -ENOMEM;
	if (!s->tick || !s->wake || !s->netlink || !s->violations || event_add(s->tick, &tick) ||
	    event_add(s->netlink, NULL) || event_add(s->violations, NULL))
		return -ENOMEM;
	for (int i = 0; i < RSIP_SIGNALS; i++) {
		s->signal[i] = evsignal_new(s->base, signals[i], on_signal, s);
		if (!s->signal[i] || event_add(s->signal[i], NULL))
			return -ENOMEM;
	}
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

int rsip_server_listen(struct rsip_server *s)
{
	int err = add_events(s);

	if (!err)
		err = rsip_udp_start(s->udp);
	if (!err)
		err = rsip_tcp_start(s->tcp);
	if (!err)
		err = rsip_ctl_start(s->ctl);
	return err;
}

void rsip_server_unlisten(struct rsip_server *s)
{
	struct event **all[] = {&s->tick,      &s->wake,      &s->netlink,   &s->violations,
				&s->kick,      &s->committed, &s->signal[0], &s->signal[1],
				&s->signal[2]};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(all); i++) {
		if (*all[i])
			event_free(*all[i]);
		*all[i] = NULL;
	}
}

int rsip_server_run(struct rsip_server *s)
{
	struct rsip_ctl_context *ctx = &s->ctl_ctx;

	for (int i = 0; i < s->iface_cnt; i++)
		if (s->iface[i].rec.role == RSIP_ROLE_PRIVATE)
			log_info("serving on %s, %s%s%s port %d, %s", s->iface[i].rec.name,
				 rsip_ip4(s->iface[i].rec.endpoint), s->iface[i].rec.endpoint6[0] ? " and " : "",
				 s->iface[i].rec.endpoint6[0] ? rsip_ip6(s->iface[i].rec.endpoint6) : "", RSIP_PORT,
				 s->conf->udp ? "UDP and TCP" : "TCP");
	log_info("rsipd %s is ready: took over %u bindings of %u clients", RSIP_PACKAGE_VERSION,
		 ctx->adopted_binds, ctx->adopted_clients);
	s->watchdog_ns = rsip_service_watchdog_ns();
	rsip_service_ready();
	if (event_base_dispatch(s->base) < 0) {
		log_err("the event loop has failed: %s", strerror(errno));
		return -EIO;
	}
	rsip_service_stopping();
	return s->outdated ? -ESTALE : 0;
}
