// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The event loop: carries the session's messages and times, and acts on what it reports. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>
#include "advice.h"
#include "daemon.h"
#include "log.h"

uint64_t rsip_daemon_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * RSIP_NS_PER_S + ts.tv_nsec;
}

/* ---- telling the one who called `up` ---- */

static void tell(struct rsip_daemon *d, int result, const char *text)
{
	cJSON *obj, *args;
	char *line;

	d->give_up_ns = 0;
	if (d->ready_fd < 0)
		return;
	obj = cJSON_CreateObject();
	cJSON_AddNumberToObject(obj, "result", result);
	cJSON_AddStringToObject(obj, "text", text);
	args = result ? NULL : rsip_control_status(d);
	if (args)
		cJSON_AddItemToObject(obj, "arguments", args);
	line = cJSON_PrintUnformatted(obj);
	if (!result && d->ready)
		d->ready(d);
	if (line && dprintf(d->ready_fd, "%s\n", line) < 0)
		log_debug("nobody waits for the result any more");
	free(line);
	cJSON_Delete(obj);
	close(d->ready_fd);
	d->ready_fd = -1;
}

void rsip_daemon_give_up(struct rsip_daemon *d, const char *why)
{
	d->failed = true;
	tell(d, 1, why);
	rsip_daemon_end(d);
}

static void tell_if_ready(struct rsip_daemon *d)
{
	unsigned int held = 0;

	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		if (d->session.leases[i].state == RSIP_LEASE_WANTED)
			return;
		held += d->session.leases[i].state == RSIP_LEASE_HELD;
	}
	sd_notifyf(0, "READY=1\nSTATUS=client %u, %u bindings", d->session.client_id, held);
	tell(d, 0, "up");
}

/* ---- what the session reports ---- */

static void save(struct rsip_daemon *d)
{
	d->dirty = false;
	rsip_state_take(&d->state, &d->session);
	d->state.asked_port = d->io.port;
	d->state.key_id = d->key.id;
	snprintf(d->state.key_file, sizeof(d->state.key_file), "%s", d->set.key_file);
	d->state.sw = d->sw;
	rsip_daemon_note(d, &d->state);
}

static void session_send(void *ctx, const uint8_t *buf, size_t len)
{
	struct rsip_daemon *d = ctx;

	if (d->dirty)
		save(d); /* who is killed now must know what the gateway will */
	rsip_transport_send(&d->io, buf, len);
}

uint32_t rsip_daemon_random(void *ctx)
{
	uint32_t n;

	(void)ctx;
	rsip_random(&n, sizeof(n));
	return n;
}

static int lease_index(const struct rsip_daemon *d, const struct rsip_lease *lease)
{
	return lease - d->session.leases;
}

static int session_granted(void *ctx, const struct rsip_lease *lease)
{
	struct rsip_daemon *d = ctx;
	int err = rsip_daemon_may_have(d, lease);

	if (!err) {
		save(d); /* an address that a kill leaves behind is then known to be ours */
		err = rsip_daemon_use(d, lease);
	}
	if (!err)
		log_info("binding %u: leased %s", lease->bind_id, rsip_ip4(lease->addr));
	return err;
}

static void session_lost(void *ctx, const struct rsip_lease *lease, const char *why)
{
	struct rsip_daemon *d = ctx;

	log_info("binding %u: no longer ours: %s", lease->bind_id, why);
	rsip_strongswan_refresh(&d->sw, &d->session, d->set.state_dir);
	rsip_daemon_disuse(d, lease);
}

static void session_failed(void *ctx, const struct rsip_lease *lease, uint8_t type, int err)
{
	struct rsip_daemon *d = ctx;
	char text[512], why[400];

	if (!lease && rsip_daemon_fail_over(d, err))
		return;
	if (!lease && err == -ETIMEDOUT && !rsip_trouble_is_news(&d->away_trouble, rsip_daemon_now()))
		return;
	snprintf(text, sizeof(text), "%s: %s: %s", lease ? "cannot lease" : "cannot register",
		 rsip_inet_text(&d->io.gateway), rsip_advice_text(err, why, sizeof(why)));
	log_warn("%s (%s)", text, rsip_msg_name(type));
	if (lease)
		rsip_control_lease(d, lease_index(d, lease), err);
	/* Who waits at a terminal wants to know; a service goes on trying. */
	if (!d->patient && d->give_up_ns && err != -ETIMEDOUT)
		rsip_daemon_give_up(d, text);
}

static void session_queried(void *ctx, uint32_t tag, const struct rsip_answer *a, int err)
{
	if (tag == RSIP_QUERY_OF_OURS)
		rsip_daemon_told_local(ctx, a, err);
	else
		rsip_control_queried(ctx, tag, a, err);
}

static void session_changed(void *ctx)
{
	struct rsip_daemon *d = ctx;

	d->dirty = true;
}

uint64_t rsip_daemon_wall_us(void *ctx)
{
	(void)ctx;
	return rsip_wall_us();
}

static const struct rsip_session_sink sink = {
	.send = session_send,
	.random = rsip_daemon_random,
	.wall_us = rsip_daemon_wall_us,
	.granted = session_granted,
	.lost = session_lost,
	.failed = session_failed,
	.queried = session_queried,
	.changed = session_changed,
};

/* ---- the loop ---- */

static void answer_waiting(struct rsip_daemon *d)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (d->session.leases[i].state == RSIP_LEASE_HELD)
			rsip_control_lease(d, i, 0);
	if (d->give_up_ns && d->session.state < RSIP_SESSION_ENDING) /* who ends wants nothing, and so lacks nothing */
		tell_if_ready(d);
}

static void set_timer(struct rsip_daemon *d, uint64_t due, uint64_t now)
{
	struct itimerspec at = {0};

	rsip_sooner(&due, rsip_daemon_reach_due(d, now));
	if (d->give_up_ns && !d->patient)
		rsip_sooner(&due, d->give_up_ns);
	if (due <= now)
		due = now + 1;
	if (due > now + 3600 * RSIP_NS_PER_S)
		due = now + 3600 * RSIP_NS_PER_S;
	at.it_value.tv_sec = due / RSIP_NS_PER_S;
	at.it_value.tv_nsec = due % RSIP_NS_PER_S;
	timerfd_settime(d->clock, TFD_TIMER_ABSTIME, &at, NULL);
}

void rsip_daemon_wake(struct rsip_daemon *d)
{
	uint64_t now = rsip_daemon_now(), due = rsip_daemon_look_at_way(d, now);

	rsip_daemon_reach(d, now);
	if (!d->connected && d->io.fd < 0 && d->session.state == RSIP_SESSION_ENDING)
		d->session.state = RSIP_SESSION_CLOSED; /* nobody to say goodbye to */
	if (d->connected)
		rsip_session_tick(&d->session, now);
	else
		rsip_session_expire(&d->session, now);
	if (d->session.hang_up)
		rsip_daemon_reach(d, now);
	if (d->give_up_ns && !d->patient && now >= d->give_up_ns)
		rsip_daemon_give_up(d,
			"the gateway does not answer (is --gateway right, does rsipd run there?)");
	if (rsip_strongswan_refresh(&d->sw, &d->session, d->set.state_dir))
		d->dirty = true;
	rsip_sooner(&due, rsip_strongswan_look(&d->sw, &d->session, &d->jail, d->set.state_dir, now));
	rsip_sooner(&due, rsip_daemon_look_at_ports(d, now));
	rsip_sooner(&due, rsip_daemon_ask_local(d, now));
	rsip_sooner(&due, rsip_daemon_return(d, now));
	if (rsip_session_due(&d->session) <= now && d->connected)
		rsip_session_tick(&d->session, now); /* they may have asked for something */
	if (d->dirty)
		save(d); /* before anybody hears of it: a kill must not forget what was promised */
	answer_waiting(d);
	if (d->session.state == RSIP_SESSION_CLOSED)
		event_base_loopbreak(d->base);
	set_timer(d, due, now);
}

void rsip_daemon_end(struct rsip_daemon *d)
{
	sd_notify(0, "STOPPING=1");
	rsip_session_leave(&d->session);
	event_active(d->timer, EV_TIMEOUT, 0);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	uint64_t times;

	(void)what;
	if (read(fd, &times, sizeof(times)) < 0 && errno != EAGAIN)
		log_warn("the clock fails: %s", strerror(errno));
	rsip_daemon_wake(arg);
}

static void on_signal(evutil_socket_t sig, short what, void *arg)
{
	(void)what;
	log_info("ending on signal %d", (int)sig);
	rsip_daemon_end(arg);
}

/* As for every service; a terminal that closes is another matter. */
static void on_hangup(evutil_socket_t sig, short what, void *arg)
{
	char text[800];

	(void)sig;
	(void)what;
	rsip_daemon_reload(arg, text, sizeof(text));
}

/* Not before the socket has its port, and not more often than that for a program that makes many.
 */
static void on_socket(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_daemon *d = arg;
	uint64_t soon = rsip_daemon_now() + RSIP_DEMAND_SOON_NS;

	(void)fd;
	(void)what;
	rsip_guard_heard(d->guard);
	rsip_sooner(&d->demand.look_ns, soon);
	rsip_daemon_wake(d);
}

void rsip_daemon_watch_sockets(struct rsip_daemon *d)
{
	int fd = rsip_guard_wake_fd(d->guard);

	if (fd < 0 || d->sockets || !d->base || !d->demand.most)
		return;
	d->demand.look_ns = 0; /* what was made before nobody told */
	d->sockets = event_new(d->base, fd, EV_READ | EV_PERSIST, on_socket, d);
	event_add(d->sockets, NULL);
}

/* ---- start and end ---- */

enum rsip_transport rsip_daemon_transport(const struct rsip_daemon *d)
{
	return strcmp(d->set.transport, "tcp") ? RSIP_TRANSPORT_UDP : RSIP_TRANSPORT_TCP;
}

static int open_loop(struct rsip_daemon *d)
{
	d->base = event_base_new();
	if (!d->base)
		return -ENOMEM;
	d->clock = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	if (d->clock < 0)
		return -errno;
	d->timer = event_new(d->base, d->clock, EV_READ | EV_PERSIST, on_timer, d);
	event_add(d->timer, NULL);
	d->signals[0] = evsignal_new(d->base, SIGTERM, on_signal, d);
	d->signals[1] = evsignal_new(d->base, SIGINT, on_signal, d);
	d->signals[2] = evsignal_new(d->base, SIGHUP, d->patient && isatty(STDIN_FILENO) ? on_signal : on_hangup, d);
	for (size_t i = 0; i < RSIP_ARRAY_LEN(d->signals); i++)
		evsignal_add(d->signals[i], NULL);
	rsip_daemon_hold_signals(false);
	return 0;
}

void rsip_daemon_hold_signals(bool hold)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigprocmask(hold ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

static void close_loop(struct rsip_daemon *d)
{
	rsip_daemon_disconnect(d);
	rsip_aside_free(d->aside);
	if (d->sockets)
		event_free(d->sockets);
	rsip_daemon_watch_no_more(d);
	event_free(d->timer);
	close(d->clock);
	for (size_t i = 0; i < RSIP_ARRAY_LEN(d->signals); i++)
		event_free(d->signals[i]);
	event_base_free(d->base);
}

static void run_loop(struct rsip_daemon *d, bool have_state)
{
	rsip_daemon_start_session(d, &sink, have_state);
	save(d);
	d->give_up_ns = rsip_daemon_now() + d->set.wait * RSIP_NS_PER_S;
	rsip_daemon_reach(d, rsip_daemon_now());
	rsip_daemon_watch_sockets(d);
	rsip_daemon_hear_tunnel(d);
	rsip_daemon_watch(d);
	if (d->leave)
		rsip_daemon_end(d);
	else
		event_active(d->timer, EV_TIMEOUT, 0);
	event_base_dispatch(d->base);
	rsip_strongswan_close(&d->sw);
	if (d->sockets)
		event_del(d->sockets);
	rsip_daemon_raze(d);
	rsip_state_remove(d->set.state_dir);
}

/* Nobody could speak to us: only what our past has leased is for the next start, nothing of what we would have asked for. */
static void take_back(struct rsip_daemon *d, bool have_state)
{
	rsip_daemon_raze(d);
	if (!have_state)
		rsip_state_remove(d->set.state_dir);
}

int rsip_daemon_run(struct rsip_daemon *d)
{
	bool have_state = false;
	int err;

	d->io.fd = -1;
	d->jail.fd = d->jail.home = -1;
	rsip_claim_init(&d->claim);
	signal(SIGPIPE, SIG_IGN);
	if (d->patient && !isatty(STDIN_FILENO)) /* while it waits for its network there is nothing to be read again */
		signal(SIGHUP, SIG_IGN);
	err = rsip_daemon_lock(d);
	if (!err && rsip_daemon_find_key(d) && !d->leave) /* without it, too, there is enough to undo */
		err = -EINVAL;
	if (!err) {
		have_state = rsip_state_load(&d->state, d->set.state_dir) == 0;
		err = rsip_gateways_parse(&d->gateways, d->set.gateway);
		rsip_comeback_init(&d->comeback, d->set.return_after);
		if (have_state)
			rsip_gateways_begin(&d->gateways, &d->state.gateway);
	}
	err = err ? err : rsip_daemon_await_way(d);
	rsip_daemon_hold_signals(true);
	err = err ? err : rsip_daemon_build(d, have_state);
	if (err && have_state && d->leave) {
		rsip_daemon_clear(d);
		err = 0;
		goto out;
	}
	if (!err) {
		err = open_loop(d);
		if (!err) {
			err = rsip_control_open(d);
			if (!err)
				run_loop(d, have_state);
			else
				take_back(d, have_state);
			rsip_control_close(d);
			close_loop(d);
		}
	}
out:
	if (err)
		tell(d, 1, "see above");
	rsip_claim_drop(&d->claim);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	return err || d->failed ? 1 : 0;
}
