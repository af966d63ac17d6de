// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The event loop: carries the session's messages and times, and acts on what it reports. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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
	int err = rsip_daemon_is_own(d, lease) ? -EADDRINUSE : 0;

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
	if (d->give_up_ns)
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
	if (!d->connected && d->session.state == RSIP_SESSION_ENDING)
		d->session.state = RSIP_SESSION_CLOSED; /* nobody to say goodbye to */
	if (d->connected)
		rsip_session_tick(&d->session, now);
	else
		rsip_session_expire(&d->session, now);
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

static void watch_sockets(struct rsip_daemon *d)
{
	int fd = rsip_guard_wake_fd(d->guard);

	if (fd < 0 || !d->demand.most)
		return;
	d->sockets = event_new(d->base, fd, EV_READ | EV_PERSIST, on_socket, d);
	event_add(d->sockets, NULL);
}

/* ---- start and end ---- */

enum rsip_transport rsip_daemon_transport(const struct rsip_daemon *d)
{
	return strcmp(d->set.transport, "tcp") ? RSIP_TRANSPORT_UDP : RSIP_TRANSPORT_TCP;
}

/* Leases of the past go back into use before the gateway is asked about them: their flows go on. */
static void start_session(struct rsip_daemon *d, bool resume)
{
	enum rsip_transport kind = rsip_daemon_transport(d);
	struct rsip_session_sink with_us = sink;
	uint64_t now = rsip_daemon_now();

	d->io.kind = kind;
	with_us.ctx = d;
	rsip_session_init(&d->session, &with_us, kind, &d->io.local, &d->io.gateway);
	d->session.tunnel = rsip_settings_tunnel(&d->set);
	d->demand.most = !d->jail.shared && d->set.ports && d->set.ports_max > d->set.ports
				 ? d->set.ports_max
				 : 0;
	d->demand.idle_s = d->set.ports_idle;
	d->session.private_ok = d->set.private_addresses;
	rsip_session_set_key(&d->session, &d->key);
	resume = resume && rsip_inet_same(&d->state.local, &d->io.local) && rsip_inet_same(&d->state.gateway, &d->io.gateway) &&
		 d->state.transport == kind && d->state.tunnel == d->session.tunnel &&
		 (d->state.client_id || d->state.lease_cnt); /* else it had only begun */
	if (!resume)
		rsip_daemon_strongswan_forget(d);
	if (!resume || !d->state.lease_cnt) {
		rsip_daemon_add_wishes(d, now);
		if (d->set.strongswan)
			rsip_daemon_strongswan_on(d, &d->set);
	}
	if (!resume)
		return;
	rsip_state_give(&d->state, &d->session, now);
	d->sw = d->state.sw;
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (d->session.leases[i].state == RSIP_LEASE_HELD)
			rsip_daemon_use(d, &d->session.leases[i]);
	rsip_session_resume(&d->session, now);
}

static int take_lock(struct rsip_daemon *d)
{
	char path[300];

	snprintf(path, sizeof(path), "%s", d->set.state_dir);
	mkdir(dirname(path), 0755); /* of /run/rsip/NAME */
	if (mkdir(d->set.state_dir, 0755) && errno != EEXIST) {
		int err = -errno;

		log_err("cannot make the folder %s: %s%s", d->set.state_dir, strerror(-err),
			err == -EACCES ? " (run as root)" : "");
		return err;
	}
	snprintf(path, sizeof(path), "%s/client.lock", d->set.state_dir);
	d->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* one that was killed a moment ago may still be going */
	for (int i = 0; d->lock_fd >= 0 && i < 20; i++) {
		if (!flock(d->lock_fd, LOCK_EX | LOCK_NB))
			return 0;
		if (errno != EWOULDBLOCK)
			break;
		usleep(50000);
	}
	log_err("cannot start: %s: %s", path,
		errno == EWOULDBLOCK
			? "a client is running (rsip-client status, or another --state-dir)"
			: strerror(errno));
	return -errno;
}

static int find_key(struct rsip_daemon *d)
{
	char why[400];
	int err = rsip_settings_key(&d->set, &d->key, why, sizeof(why));

	if (err)
		log_err("%s", why);
	explicit_bzero(d->set.key_secret, sizeof(d->set.key_secret));
	return err;
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
	evsignal_add(d->signals[0], NULL);
	evsignal_add(d->signals[1], NULL);
	return 0;
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
	event_free(d->signals[0]);
	event_free(d->signals[1]);
	event_base_free(d->base);
}

static void run_loop(struct rsip_daemon *d, bool have_state)
{
	start_session(d, have_state);
	save(d);
	d->give_up_ns = rsip_daemon_now() + d->set.wait * RSIP_NS_PER_S;
	rsip_daemon_reach(d, rsip_daemon_now());
	watch_sockets(d);
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

/* A service may be started before the network is: it waits, where who waits at a terminal is told. */
static int await_way(struct rsip_daemon *d)
{
	unsigned int looks = 0;
	bool told = false;
	char why[600];
	int err;

	if (d->leave) /* nobody else can have it but one that lives: what the dead one left of it goes at our end */
		rsip_claim_take(&d->claim, RSIP_CLAIM_DIR, &d->state.local, &d->state.gateway, d->set.state_dir, why, sizeof(why));
	while ((err = rsip_daemon_locate_any(d, why, sizeof(why))) && !d->leave) {
		if (err == -EBUSY && ++looks < 20) { /* one that was killed a moment ago may still be going */
			usleep(50000);
			continue;
		}
		if (!d->patient)
			break;
		if (!told) {
			log_warn("%s (waiting for it)", why);
			sd_notifyf(0, "STATUS=%s", why);
		}
		told = true;
		sleep(1);
	}
	if (err && d->leave) { /* what there is to undo lies on the old way */
		rsip_daemon_old_way(d);
		return 0;
	}
	if (err)
		log_err("%s", why);
	return err;
}

int rsip_daemon_run(struct rsip_daemon *d)
{
	bool have_state = false;
	int err;

	d->io.fd = -1;
	d->jail.fd = d->jail.home = -1;
	rsip_claim_init(&d->claim);
	signal(SIGPIPE, SIG_IGN);
	err = take_lock(d);
	err = err ? err : find_key(d);
	if (!err) {
		have_state = rsip_state_load(&d->state, d->set.state_dir) == 0;
		err = rsip_gateways_parse(&d->gateways, d->set.gateway);
		rsip_comeback_init(&d->comeback, d->set.return_after);
		if (have_state)
			rsip_gateways_begin(&d->gateways, &d->state.gateway);
	}
	err = err ? err : await_way(d);
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
