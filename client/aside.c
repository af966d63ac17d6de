// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "aside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "daemon.h"

#define CONNECT_NS (5 * RSIP_NS_PER_S)

struct rsip_aside {
	struct rsip_aside_spec spec;
	struct rsip_session session;
	struct rsip_transport_io io;
	struct event *readable, *writable, *timer;
	struct rsip_claim claim; /* while we ask: two would end each other's registration */
	bool connected;
	bool told; /* done() was called */
	uint64_t connect_by_ns;
};

static void tell(struct rsip_aside *a, int err)
{
	if (a->told)
		return;
	a->told = true;
	a->spec.done(a->spec.arg, err);
}

static void fail(struct rsip_aside *a, int err)
{
	tell(a, err);
	a->session.state = RSIP_SESSION_CLOSED;
}

static void on_send(void *ctx, const uint8_t *buf, size_t len)
{
	struct rsip_aside *a = ctx;

	rsip_transport_send(&a->io, buf, len);
}

/* No lease is asked for, so none is granted or lost. */
static int on_granted(void *ctx, const struct rsip_lease *lease)
{
	(void)ctx;
	(void)lease;
	return -ENOTSUP;
}

static void on_lost(void *ctx, const struct rsip_lease *lease, const char *why)
{
	(void)ctx;
	(void)lease;
	(void)why;
}

static void on_failed(void *ctx, const struct rsip_lease *lease, uint8_t type, int err)
{
	(void)lease;
	(void)type;
	tell(ctx, err);
}

static void on_queried(void *ctx, uint32_t tag, const struct rsip_answer *answer, int err)
{
	(void)ctx;
	(void)tag;
	(void)answer;
	(void)err;
}

static void on_changed(void *ctx)
{
	(void)ctx;
}

static const struct rsip_session_sink sink = {
	.send = on_send,
	.random = rsip_daemon_random,
	.wall_us = rsip_daemon_wall_us,
	.granted = on_granted,
	.lost = on_lost,
	.failed = on_failed,
	.queried = on_queried,
	.changed = on_changed,
};

/* Does what is due; frees a when all is over. */
static void step(struct rsip_aside *a)
{
	uint64_t now = rsip_daemon_now(), due;
	struct timeval tv;

	if (!a->connected && now >= a->connect_by_ns)
		fail(a, -ETIMEDOUT);
	if (a->connected)
		rsip_session_tick(&a->session, now);
	if (a->session.state == RSIP_SESSION_UP) { /* it would serve us; nothing of that stays */
		tell(a, 0);
		rsip_session_leave(&a->session);
		rsip_session_tick(&a->session, now);
	}
	if (a->session.state == RSIP_SESSION_CLOSED)
		tell(a, 0);
	if (a->session.state == RSIP_SESSION_CLOSED || (a->told && a->session.state != RSIP_SESSION_ENDING)) {
		rsip_claim_drop(&a->claim); /* the client may go there now */
		a->spec.gone(a->spec.arg);
		rsip_aside_free(a);
		return;
	}
	due = a->connected ? rsip_session_due(&a->session) : a->connect_by_ns;
	due = due > now ? due - now : 0;
	tv.tv_sec = due / RSIP_NS_PER_S > 60 ? 60 : due / RSIP_NS_PER_S;
	tv.tv_usec = due % RSIP_NS_PER_S / 1000 + 1;
	evtimer_add(a->timer, &tv);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	step(arg);
}

static void on_message(void *ctx, const uint8_t *buf, size_t len)
{
	struct rsip_aside *a = ctx;

	rsip_session_input(&a->session, buf, len, rsip_daemon_now());
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_aside *a = arg;

	(void)fd;
	(void)what;
	if (rsip_transport_read(&a->io, on_message, a)) {
		fail(a, -ECONNRESET);
	}
	step(a);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_aside *a = arg;

	(void)fd;
	(void)what;
	if (rsip_transport_connected(&a->io))
		fail(a, -ETIMEDOUT);
	a->connected = true;
	step(a);
}

static int open_events(struct rsip_aside *a)
{
	a->timer = evtimer_new(a->spec.base, on_timer, a);
	a->readable = event_new(a->spec.base, a->io.fd, EV_READ | EV_PERSIST, on_readable, a);
	a->writable = event_new(a->spec.base, a->io.fd, EV_WRITE, on_writable, a);
	if (!a->timer || !a->readable || !a->writable)
		return -ENOMEM;
	event_add(a->readable, NULL);
	event_add(a->writable, NULL); /* over UDP at once */
	return 0;
}

static void begin(struct rsip_aside *a)
{
	struct rsip_session_sink with_us = sink;
	uint64_t now = rsip_daemon_now();

	with_us.ctx = a;
	rsip_session_init(&a->session, &with_us, a->spec.transport, &a->spec.way.local, &a->spec.way.gateway);
	a->session.tunnel = a->spec.tunnel;
	rsip_session_set_key(&a->session, a->spec.key);
	a->session.auth_shared = a->spec.auth_sent;
	a->session.act_ns = now;
	a->session.quiet = true;
	a->connect_by_ns = now + CONNECT_NS;
	if (!a->spec.end_id)
		return;
	a->session.client_id = a->spec.end_id;
	a->session.expires_ns = RSIP_FOREVER;
	rsip_session_leave(&a->session);
}

/* Who only ends a registration disturbs nobody: its ID is no other's. */
static int claim(struct rsip_aside *a)
{
	char why[600];
	int err = 0;

	if (!a->spec.end_id)
		err = rsip_claim_take(&a->claim, RSIP_CLAIM_DIR, &a->spec.way.local, &a->spec.way.gateway, a->spec.state_dir, why,
				      sizeof(why));
	return err == -EBUSY ? err : 0;
}

int rsip_aside_start(const struct rsip_aside_spec *spec, struct rsip_aside **out)
{
	struct rsip_aside *a = calloc(1, sizeof(*a));
	int err;

	if (!a)
		return -ENOMEM;
	a->spec = *spec;
	a->io.kind = spec->transport;
	a->io.local = spec->way.local;
	a->io.gateway = spec->way.gateway;
	memcpy(a->io.interface, spec->way.nic_name, sizeof(a->io.interface));
	a->io.fd = -1;
	rsip_claim_init(&a->claim);
	begin(a);
	err = claim(a);
	if (!err)
		err = rsip_transport_open(&a->io);
	if (!err)
		err = open_events(a);
	if (err) {
		rsip_aside_free(a);
		return err;
	}
	*out = a;
	return 0;
}

void rsip_aside_free(struct rsip_aside *a)
{
	if (!a)
		return;
	if (a->readable)
		event_free(a->readable);
	if (a->writable)
		event_free(a->writable);
	if (a->timer)
		event_free(a->timer);
	rsip_transport_close(&a->io);
	rsip_claim_drop(&a->claim);
	free(a);
}
