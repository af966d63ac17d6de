// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A host's session with a gateway that may say anything, at any time, and an owner that does anything, too.
 *
 * An input is a row of steps of a byte each: the low four bits say what, the high ones how much.
 *   0 a message of the gateway's, behind a byte of its length   1 milliseconds   2 seconds   3 twenty minutes a unit
 *   4 a wish   5 a query   6 the newest lease is given back   7 a wish is dropped   8 the connection breaks
 *   9 to another gateway   10 leave
 * In a message 0xdddddddd stands for the counter of the last request, 0xcccccccc for the client ID that the session
 * has, 0xbbbbbbbb for its newest bind ID; with the high bits odd the overall length is put right.
 *
 * Whatever happens: each message of ours is well-formed; a lease is used only between its grant and its loss, and never past
 * its time; what is used can be used; a message draws few answers, so a flood from there is no flood from here; and in the
 * end the session leaves, and nothing is used.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "fuzz_lease.h"
#include "fuzz_main.h"
#include "log.h"
#include "session.h"

#define ANSWERS_MAX 3 /* to one message: what it ends, what that begins, what was due anyway */
#define MS (RSIP_NS_PER_S / 1000)

static struct rsip_session s;
static bool used[RSIP_LEASES_MAX];
static unsigned int sent, tries;
static uint32_t counter, bind_id, dice;
static uint64_t now;

static void on_send(void *ctx, const uint8_t *buf, size_t len)
{
	struct rsip_message m;

	(void)ctx;
	must(rsip_decode(buf, len, &m) == RSIP_OK && rsip_message_is_request(m.type));
	must(m.counter);
	tries = m.counter == counter ? tries + 1 : 1;
	must(tries <= RSIP_RETRY_TRIES);
	counter = m.counter;
	sent++;
}

static uint32_t on_random(void *ctx)
{
	(void)ctx;
	return dice = dice * 1664525 + 1013904223;
}

static int on_granted(void *ctx, const struct rsip_lease *l)
{
	(void)ctx;
	must(!used[l - s.leases]);
	if (l->bind_id % 16 == 3)
		return -EADDRINUSE; /* the host has it already */
	used[l - s.leases] = true;
	bind_id = l->bind_id;
	return 0;
}

static void on_lost(void *ctx, const struct rsip_lease *l, const char *why)
{
	(void)ctx;
	must(why && used[l - s.leases] && l->addr);
	used[l - s.leases] = false;
}

static void on_failed(void *ctx, const struct rsip_lease *l, uint8_t type, int err)
{
	(void)ctx;
	(void)l;
	must(type && err);
}

static void on_queried(void *ctx, uint32_t tag, const struct rsip_answer *a, int err)
{
	(void)ctx;
	(void)tag;
	must(!a == !!err);
	must(!a || a->tuples <= RSIP_TUPLES_MAX);
}

static void on_changed(void *ctx)
{
	(void)ctx;
}

static void check_lease(const struct rsip_lease *l)
{
	must(l->expires_ns > now && l->bind_id);
	must(rsip_session_leasable(&s, l->addr) && l->endpoint.family == s.gateway.family);
	check_runs(l);
}

static void check(void)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		must(used[i] == (s.leases[i].state == RSIP_LEASE_HELD));
		if (used[i])
			check_lease(&s.leases[i]);
	}
	must(s.state == RSIP_SESSION_CLOSED || rsip_session_due(&s) != RSIP_FOREVER || !s.req.active);
}

static void pass(uint64_t ns)
{
	uint64_t end = now + ns;

	for (int i = 0; i < 300 && now < end; i++) {
		uint64_t due = rsip_session_due(&s);

		now = due <= now ? now + 1 : due < end ? due : end;
		rsip_session_tick(&s, now);
	}
	now = end;
	rsip_session_tick(&s, now);
}

static void fill_in(uint8_t *msg, size_t len, bool right)
{
	for (size_t i = 4; i + 4 <= len; i++) {
		uint32_t v;

		if (!memcmp(msg + i, "\xcc\xcc\xcc\xcc", 4))
			v = s.stale_id ? s.stale_id : s.client_id;
		else if (!memcmp(msg + i, "\xbb\xbb\xbb\xbb", 4))
			v = bind_id;
		else if (!memcmp(msg + i, "\xdd\xdd\xdd\xdd", 4))
			v = counter;
		else
			continue;
		v = htonl(v);
		memcpy(msg + i, &v, 4);
		i += 3;
	}
	if (right && len >= 4) {
		msg[2] = len >> 8;
		msg[3] = len;
	}
}

static void hear(const uint8_t *data, size_t len, bool right)
{
	uint8_t msg[256];

	memcpy(msg, data, len);
	fill_in(msg, len, right);
	sent = 0;
	rsip_session_input(&s, msg, len, now);
	rsip_session_tick(&s, now);
	must(sent <= ANSWERS_MAX);
}

static void want(unsigned int what)
{
	static const uint8_t methods[] = {RSIP_METHOD_RSAP_IP, RSIP_METHOD_RSIPSEC, RSIP_METHOD_RSA_IP, RSIP_METHOD_RSAP_IP};
	struct rsip_want w = {.method = methods[what & 3], .lease_s = what & 4 ? 60 : 0};

	w.ports = w.method == RSIP_METHOD_RSA_IP ? 0 : 4;
	w.spis = w.method == RSIP_METHOD_RSIPSEC ? 8 : 0;
	w.listen = (what & 3) == 3;
	w.port = w.listen ? 80 : 0;
	rsip_session_want(&s, &w, what & 8, now);
}

static void move(void)
{
	struct rsip_inet local = rsip_inet_v4(htonl(0x0a000102)), gateway = rsip_inet_v4(htonl(0x0a000101));

	rsip_session_move(&s, &local, &gateway, now);
}

static void drop(unsigned int i)
{
	rsip_session_drop(&s, i % RSIP_LEASES_MAX);
}

static size_t step(const uint8_t *data, size_t size)
{
	unsigned int n = data[0] >> 4, len;
	const struct rsip_query everything = {.tag = n};

	switch (data[0] & 15) {
	case 0:
		len = size > 1 ? data[1] : 0;
		if (len > size - 1 - (size > 1))
			len = size - 1 - (size > 1);
		hear(data + 2, len, n & 1);
		return 2 + len;
	case 1: pass((n + 1) * 7 * MS); break;
	case 2: pass((n + 1) * RSIP_NS_PER_S); break;
	case 3: pass((n + 1) * 1200 * RSIP_NS_PER_S); break;
	case 4: want(n); break;
	case 5: rsip_session_query(&s, &everything); break;
	case 6: rsip_session_release(&s, bind_id); break;
	case 7: drop(n); break;
	case 8: rsip_session_cut(&s, now); break;
	case 9: move(); break;
	case 10: rsip_session_leave(&s); break;
	}
	rsip_session_tick(&s, now);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rsip_session_sink sink = {
		.send = on_send,
		.random = on_random,
		.granted = on_granted,
		.lost = on_lost,
		.failed = on_failed,
		.queried = on_queried,
		.changed = on_changed,
	};
	struct rsip_inet local = rsip_inet_v4(htonl(0x0a000002)), gateway = rsip_inet_v4(htonl(0x0a000001));
	size_t at = 0;

	rsip_log_set_level(RSIP_LOG_ERR);
	memset(used, 0, sizeof(used));
	dice = 1;
	bind_id = counter = tries = 0;
	now = RSIP_NS_PER_S;
	rsip_session_init(&s, &sink, RSIP_TRANSPORT_UDP, &local, &gateway);
	want(0);
	want(1);
	rsip_session_tick(&s, now);
	while (at < size && size < 512) {
		at += step(data + at, size - at);
		check();
	}
	rsip_session_leave(&s);
	pass(10 * RSIP_NS_PER_S);
	must(s.state == RSIP_SESSION_CLOSED);
	check();
	return 0;
}
