// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/session.c, leases.c, messages.c: the host's half of the protocol, with time and randomness
 * as arguments. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "codec.h"
#include "log.h"
#include "session.h"

#define MS 1000000ULL
#define S RSIP_NS_PER_S
#define GATEWAY htonl(0x0a000001)
#define HOST htonl(0x0a000002)
#define PUB_1 htonl(0xcb007101)
#define CLIENT 77
#define BIND 9

static struct rsip_session s;
static struct rsip_message last; /* what the host sent last */
static unsigned int sent, granted, lost, failed;
static int last_failure, refuse_use;
static uint64_t now;
static uint32_t next_random;

static void on_send(void *ctx, const uint8_t *buf, size_t len)
{
	(void)ctx;
	cr_assert_eq(rsip_decode(buf, len, &last), RSIP_OK, "the host sent a malformed message");
	sent++;
}

static uint32_t on_random(void *ctx)
{
	(void)ctx;
	return next_random;
}

static int on_granted(void *ctx, const struct rsip_lease *lease)
{
	(void)ctx;
	(void)lease;
	granted++;
	return refuse_use;
}

static void on_lost(void *ctx, const struct rsip_lease *lease, const char *why)
{
	(void)ctx;
	(void)why;
	cr_assert_neq(lease->addr, 0);
	lost++;
}

static void on_failed(void *ctx, const struct rsip_lease *lease, uint8_t type, int err)
{
	(void)ctx;
	(void)lease;
	(void)type;
	failed++;
	last_failure = err;
}

static void on_changed(void *ctx)
{
	(void)ctx;
}

static void begin_with(enum rsip_transport transport)
{
	static const struct rsip_session_sink sink = {
		.send = on_send,
		.random = on_random,
		.granted = on_granted,
		.lost = on_lost,
		.failed = on_failed,
		.changed = on_changed,
	};

	rsip_log_set_level(RSIP_LOG_ERR);
	next_random = 1000;
	now = 5 * S;
	rsip_session_init(&s, &sink, transport, HOST, GATEWAY);
	next_random = 512; /* the middle: no jitter */
}

static void begin(void)
{
	begin_with(RSIP_TRANSPORT_UDP);
}

static void tick(void)
{
	rsip_session_tick(&s, now);
}

static void deliver(const struct rsip_message *m)
{
	uint8_t buf[2048];
	int len = rsip_encode(m, buf, sizeof(buf));

	cr_assert_gt(len, 0, "the test cannot write its answer: %d", len);
	rsip_session_input(&s, buf, len, now);
	tick();
}

static struct rsip_message from_gateway(uint8_t type, uint32_t counter)
{
	struct rsip_message m;

	rsip_message_init(&m, type);
	m.counter = counter;
	m.client_id = CLIENT;
	m.has = RSIP_HAS_COUNTER | RSIP_HAS_CLIENT_ID;
	return m;
}

static void answer_register(uint32_t client_id)
{
	struct rsip_message m = from_gateway(RSIP_MSG_REGISTER_RESPONSE, last.counter);

	m.client_id = client_id;
	m.lease_s = 3600;
	m.local_policy = RSIP_LOCAL_MACRO;
	m.remote_policy = RSIP_REMOTE_NONE;
	m.has |= RSIP_HAS_LEASE | RSIP_HAS_POLICY;
	deliver(&m);
}

static void answer_error(uint16_t error, uint32_t client_id)
{
	struct rsip_message m = from_gateway(RSIP_MSG_ERROR_RESPONSE, last.counter);

	m.client_id = client_id;
	m.error = error;
	m.has |= RSIP_HAS_ERROR;
	deliver(&m);
}

static struct rsip_message grant_of(__be32 addr, uint32_t lease_s)
{
	bool ipsec = last.type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC;
	struct rsip_message m = from_gateway(ipsec ? RSIP_MSG_ASSIGN_RESPONSE_RSIPSEC
						   : RSIP_MSG_ASSIGN_RESPONSE_RSAP_IP,
					     last.counter);

	m.bind_id = BIND;
	m.lease_s = lease_s;
	rsip_address_v4(&m.local, addr);
	rsip_ports_range(&m.local_ports, 4000, 8);
	rsip_address_any(&m.remote);
	rsip_ports_any(&m.remote_ports, 1);
	m.tunnel[0] = RSIP_TUNNEL_IPIP;
	m.tunnel_cnt = 1;
	m.has |= RSIP_HAS_BIND_ID | RSIP_HAS_LEASE | RSIP_HAS_LOCAL | RSIP_HAS_LOCAL_PORTS |
		 RSIP_HAS_REMOTE | RSIP_HAS_REMOTE_PORTS;
	if (ipsec) {
		rsip_spis_range(&m.spis, 0xc0010000, 4);
		m.has |= RSIP_HAS_SPIS;
	}
	return m;
}

static void want_ports(void)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP, .ports = 8};

	cr_assert_geq(rsip_session_want(&s, &want, false, now), 0);
}

/* Registered, and one binding of 600 s held. */
static void leased(void)
{
	struct rsip_message m;

	begin();
	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
	cr_assert_eq(granted, 1);
}

Test(session, an_unanswered_request_is_sent_seven_times_at_doubling_distances, .init = begin)
{
	static const uint64_t at_us[] = {0, 12500, 37500, 87500, 187500, 387500, 787500};
	uint64_t start = now;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(at_us); i++) {
		now = start + at_us[i] * 1000 - (i ? 1 : 0);
		tick();
		cr_assert_eq(sent, i ? i : 1, "one copy too early, at %lu us", at_us[i]);
		now = start + at_us[i] * 1000;
		tick();
		cr_assert_eq(sent, i + 1);
		cr_assert_eq(last.counter, 1000, "every copy is the same message");
	}
	now = start + 1587500000;
	cr_assert_eq(rsip_session_due(&s), now);
	tick();
	cr_assert_eq(sent, 7);
	cr_assert_eq(last_failure, -ETIMEDOUT);
	now += 3 * S;
	tick();
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
	cr_assert_eq(last.counter, 1001, "after seven failures the next number is used");
}

Test(session, the_counter_rises_only_with_the_answer_and_wraps_to_one, .init = begin)
{
	s.next_counter = UINT32_MAX;
	want_ports();
	tick();
	cr_assert_eq(last.counter, UINT32_MAX);
	now += 13 * MS;
	tick();
	cr_assert_eq(last.counter, UINT32_MAX);
	answer_register(CLIENT);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	cr_assert_eq(last.counter, 1);
	cr_assert_eq(last.client_id, CLIENT);
}

Test(session, an_answer_with_another_counter_or_type_is_none, .init = begin)
{
	struct rsip_message m;

	tick();
	m = from_gateway(RSIP_MSG_DE_REGISTER_RESPONSE, last.counter);
	deliver(&m);
	last.counter++;
	answer_register(CLIENT);
	cr_assert_eq(s.state, RSIP_SESSION_DOWN);
	cr_assert_eq(s.stats.ignored, 2);
}

Test(session, a_lease_is_extended_at_half_of_its_time, .init = leased)
{
	struct rsip_message m;

	cr_assert_eq(s.leases[0].addr, PUB_1);
	cr_assert_eq(s.leases[0].ports[0].first, 4000);
	cr_assert_eq(s.leases[0].ports[0].cnt, 8);
	cr_assert_leq(rsip_session_due(&s), now + 300 * S);
	cr_assert_geq(rsip_session_due(&s), now + 299 * S);
	now += 300 * S;
	tick();
	cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
	cr_assert_eq(last.bind_id, BIND);
	m = from_gateway(RSIP_MSG_EXTEND_RESPONSE, last.counter);
	m.bind_id = BIND;
	m.lease_s = 600;
	m.has |= RSIP_HAS_BIND_ID | RSIP_HAS_LEASE;
	deliver(&m);
	cr_assert_eq(s.leases[0].expires_ns, now + 600 * S);
	cr_assert_eq(lost, 0);
}

Test(session, hosts_do_not_renew_in_step, .init = leased)
{
	static const struct {
		uint32_t random;
		uint64_t s;
	} row[] = {{0, 270}, {512, 300}, {1023, 329}};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(row); i++) {
		next_random = row[i].random;
		rsip_lease_extended(&s, &s.leases[0], 600, now);
		cr_assert_lt((s.leases[0].act_ns - now) / S - row[i].s + 1, 3, "random %u",
			     row[i].random);
	}
}

Test(session, an_expired_lease_stops_by_itself, .init = leased)
{
	now += 600 * S;
	tick();
	cr_assert_eq(lost, 1);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED);
}

Test(session, messages_of_the_gateways_own_accord_need_both_ids, .init = leased)
{
	struct rsip_message m = from_gateway(RSIP_MSG_FREE_RESPONSE, 0);

	m.has |= RSIP_HAS_BIND_ID;
	m.bind_id = BIND + 1;
	deliver(&m);
	m.bind_id = BIND;
	m.client_id = CLIENT + 1;
	deliver(&m);
	cr_assert_eq(lost, 0);
	m.client_id = CLIENT;
	deliver(&m);
	cr_assert_eq(lost, 1);

	m = from_gateway(RSIP_MSG_DE_REGISTER_RESPONSE, 0);
	m.client_id = CLIENT + 1;
	deliver(&m);
	cr_assert_eq(s.client_id, CLIENT);
	m.client_id = CLIENT;
	deliver(&m);
	cr_assert_eq(s.client_id, 0);
	cr_assert_eq(s.state, RSIP_SESSION_DOWN);
}

Test(session, a_forced_de_registration_stops_all_use, .init = leased)
{
	struct rsip_message m = from_gateway(RSIP_MSG_DE_REGISTER_RESPONSE, 0);

	deliver(&m);
	cr_assert_eq(lost, 1);
	now += 10 * S;
	tick();
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
}

/* RFC 3103 10.2.2 */
Test(session, after_301_one_de_register_then_all_anew_with_the_same_wish, .init = leased)
{
	now += 300 * S;
	tick();
	answer_error(RSIP_ERR_REGISTER_FIRST, CLIENT);
	cr_assert_eq(lost, 1);
	cr_assert_eq(last.type, RSIP_MSG_DE_REGISTER_REQUEST);
	cr_assert_eq(last.client_id, CLIENT);
	answer_error(RSIP_ERR_REGISTER_FIRST, CLIENT);
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
	answer_register(CLIENT + 1);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	cr_assert_eq(last.local.v4, PUB_1);
	cr_assert_eq(last.local_ports.port[0], 4000);
	answer_error(RSIP_ERR_LOCAL_ADDRPORT_INUSE, CLIENT + 1);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP,
		     "what it had is taken: anything will do");
	cr_assert(last.local.any);
	cr_assert_eq(last.local_ports.form, RSIP_FORM_ANY);
}

/* RFC 3103 10.2.1 */
Test(session, after_302_the_forgotten_registration_is_ended, .init = begin)
{
	struct rsip_message m;

	tick();
	answer_error(RSIP_ERR_ALREADY_REGISTERED, 55);
	cr_assert_eq(last.type, RSIP_MSG_DE_REGISTER_REQUEST);
	cr_assert_eq(last.client_id, 55);
	m = from_gateway(RSIP_MSG_DE_REGISTER_RESPONSE, last.counter);
	m.client_id = 55;
	deliver(&m);
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
}

static void resume(uint32_t counter)
{
	struct rsip_lease kept = s.leases[0];

	begin();
	s.client_id = CLIENT;
	s.expires_ns = now + 3600 * S;
	s.next_counter = counter;
	s.leases[0] = kept;
	sent = 0;
	rsip_session_resume(&s, now);
	tick();
}

Test(session, a_restarted_host_goes_on_with_its_counter, .init = leased)
{
	resume(4711);
	cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
	cr_assert_eq(last.counter, 4711);
	cr_assert_eq(last.bind_id, BIND);
}

Test(session, a_host_without_its_counter_registers_first_and_keeps_its_leases, .init = leased)
{
	resume(0);
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
	answer_error(RSIP_ERR_ALREADY_REGISTERED, CLIENT);
	cr_assert_eq(lost, 0);
	cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
	cr_assert_eq(last.client_id, CLIENT);
}

Test(session, a_host_that_is_not_answered_asks_with_register, .init = leased)
{
	now += 300 * S;
	for (int i = 0; i < 40 && last.type != RSIP_MSG_REGISTER_REQUEST; i++) {
		tick();
		now = rsip_session_due(&s);
	}
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
	cr_assert_eq(lost, 0, "the lease is good until it runs out");
}

Test(session, addresses_that_nobody_may_lease_out_are_given_back)
{
	static const uint32_t bad[] = {0x7f000001, 0x00000005, 0xe0000001, 0xf0000001,
				       0xffffffff, 0x0a000001, 0x0a000002};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		struct rsip_message m;

		begin();
		granted = 0;
		want_ports();
		tick();
		answer_register(CLIENT);
		m = grant_of(htonl(bad[i]), 600);
		deliver(&m);
		cr_assert_eq(granted, 0, "%08x was taken", bad[i]);
		cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
		cr_assert_eq(last.bind_id, BIND);
	}
}

Test(session, what_it_does_not_understand_or_cannot_use_is_given_back, .init = begin)
{
	struct rsip_message m;

	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	m.tunnel[0] = RSIP_TUNNEL_L2TP;
	deliver(&m);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, last.counter);
	m.bind_id = BIND;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_NONE);

	refuse_use = -EOPNOTSUPP;
	want_ports();
	tick();
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last_failure, -EOPNOTSUPP);
}

/* RFC 3103 9.7.2 and 9.17.2 differ in the order of Lease Time and Tunnel Type: a host takes both.
 */
Test(session, lease_time_and_tunnel_type_come_in_either_order, .init = begin)
{
	static const uint8_t lease[] = {3, 0, 4}, tunnel[] = {6, 0, 1};
	uint8_t buf[2048], swapped[2048];
	struct rsip_message m;
	uint8_t *at;
	int len;

	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	len = rsip_encode(&m, buf, sizeof(buf));
	at = memmem(buf, len, lease, sizeof(lease));
	cr_assert(at && !memcmp(at + 7, tunnel, sizeof(tunnel)));
	memcpy(swapped, at, 11);
	memcpy(at, swapped + 7, 4);
	memcpy(at + 4, swapped, 7);
	rsip_session_input(&s, buf, len, now);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
}

Test(session, spis_and_ports_are_leased_in_one_binding, .init = begin)
{
	const struct rsip_want want = {
		.method = RSIP_METHOD_RSIPSEC, .ports = 8, .spis = 4, .lease_s = 60};
	struct rsip_message m;

	rsip_session_want(&s, &want, false, now);
	tick();
	answer_register(CLIENT);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSIPSEC);
	cr_assert_eq(last.spis.cnt, 4);
	cr_assert_eq(last.local_ports.cnt, 8);
	cr_assert_eq(last.lease_s, 60);
	m = grant_of(PUB_1, 60);
	deliver(&m);
	cr_assert_eq(s.leases[0].spis[0].first, 0xc0010000);
	cr_assert_eq(s.leases[0].spis[0].cnt, 4);
}

Test(session, going_down_de_registers_and_ends, .init = leased)
{
	struct rsip_message m;

	rsip_session_leave(&s);
	cr_assert_eq(lost, 1, "use stops before the gateway is told");
	tick();
	cr_assert_eq(last.type, RSIP_MSG_DE_REGISTER_REQUEST);
	m = from_gateway(RSIP_MSG_DE_REGISTER_RESPONSE, last.counter);
	deliver(&m);
	cr_assert_eq(s.state, RSIP_SESSION_CLOSED);
}

Test(session, a_silent_gateway_does_not_keep_a_host_from_going_down, .init = leased)
{
	rsip_session_leave(&s);
	for (int i = 0; i < 20 && s.state != RSIP_SESSION_CLOSED; i++) {
		tick();
		now = rsip_session_due(&s);
	}
	cr_assert_eq(s.state, RSIP_SESSION_CLOSED);
}

Test(session, a_binding_is_given_back_by_its_id, .init = leased)
{
	cr_assert_eq(rsip_session_release(&s, BIND + 1), -ENOENT);
	cr_assert_eq(rsip_session_release(&s, BIND), 0);
	cr_assert_eq(rsip_session_release(&s, BIND), -ENOENT, "once only");
	cr_assert_eq(lost, 1);
	tick();
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND);
}

Test(session, over_tcp_nothing_is_sent_twice)
{
	begin_with(RSIP_TRANSPORT_TCP);
	sent = 0;
	tick();
	now += 4 * S;
	tick();
	cr_assert_eq(sent, 1);
	rsip_session_cut(&s, now);
	cr_assert_eq(last_failure, -ETIMEDOUT);
}
