// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A host with a key: what it sends, whom it believes. */
#include "client_fixture.h"

static struct rsip_auth_key key = { .id = 7, .len = 16, .secret = "one host's secret" };
static uint8_t request[RSIP_REQUEST_MAX];
static size_t request_len;
static uint64_t wall;

static void on_send_kept(void *ctx, const uint8_t *buf, size_t len)
{
	memcpy(request, buf, len);
	request_len = len;
	on_send(ctx, buf, len);
}

static uint64_t on_wall(void *ctx)
{
	(void)ctx;
	return wall;
}

static void with_key(void)
{
	wall = 5000;
	begin();
	s.sink.send = on_send_kept;
	s.sink.wall_us = on_wall;
	rsip_session_set_key(&s, &key);
	want_ports();
	tick();
}

TestSuite(client_auth, .init = with_key);

static uint64_t sent_seq(void)
{
	struct rsip_auth a;

	cr_assert(rsip_auth_find(request, request_len, &a), "no MAC");
	cr_assert(rsip_auth_check(&key, RSIP_AUTH_TO_GATEWAY, NULL, request, request_len));
	return a.seq;
}

/* As the gateway's answer to the last request, or (unasked) of its own accord. */
static void deliver_signed(struct rsip_message *m, uint64_t seq, bool unasked)
{
	uint8_t buf[2048];
	int len;

	rsip_auth_add(m, key.id, seq);
	len = rsip_encode(m, buf, sizeof(buf));
	cr_assert_gt(len, 0);
	rsip_auth_sign(&key, RSIP_AUTH_FROM_GATEWAY,
		       unasked ? NULL : request + request_len - RSIP_AUTH_MAC_LEN, buf, len);
	rsip_session_input(&s, buf, len, now);
	tick();
}

static struct rsip_message register_response(void)
{
	struct rsip_message m = from_gateway(RSIP_MSG_REGISTER_RESPONSE, last.counter);

	m.lease_s = 3600;
	m.local_policy = RSIP_LOCAL_MACRO;
	m.remote_policy = RSIP_REMOTE_NONE;
	m.has |= RSIP_HAS_LEASE | RSIP_HAS_POLICY;
	return m;
}

static struct rsip_message denied(void)
{
	struct rsip_message m = from_gateway(RSIP_MSG_ERROR_RESPONSE, last.counter);

	m.has = (m.has | RSIP_HAS_ERROR) & ~RSIP_HAS_CLIENT_ID;
	m.error = RSIP_ERR_REGISTRATION_DENIED;
	return m;
}

static void registered(void)
{
	struct rsip_message m = register_response();

	deliver_signed(&m, 1, false);
	cr_assert_eq(s.state, RSIP_SESSION_UP);
}

Test(client_auth, each_request_has_a_new_number_and_a_retransmission_the_old_one)
{
	cr_expect_eq(sent_seq(), 5000);
	now = rsip_session_due(&s);
	tick();
	cr_expect_eq(s.stats.resent, 1);
	cr_expect_eq(sent_seq(), 5000);
	wall = 10;
	registered();
	cr_expect_eq(sent_seq(), 5001, "a clock that went back");
}

/* Somebody sets the clock: leases are counted on another one, and numbers only rise. */
Test(client_auth, the_wall_clock_jumps_by_hours_while_a_lease_is_held)
{
	static const int64_t jump_h[] = {5, -10, 300, -296};
	struct rsip_message m;
	uint64_t seq, due, expires;

	wall = 1000 * 3600 * 1000000ULL;
	registered();
	m = grant_of(PUB_1, 600);
	deliver_signed(&m, 2, false);
	cr_assert_eq(granted, 1);
	for (size_t i = 0; i < RSIP_ARRAY_LEN(jump_h); i++) {
		seq = sent_seq();
		due = rsip_session_due(&s);
		expires = s.leases[0].expires_ns;
		sent = 0;
		wall += jump_h[i] * 3600 * 1000000;
		tick();
		cr_expect_eq(sent, 0, "a jump of %d h is no reason to say anything", (int)jump_h[i]);
		cr_expect_eq(rsip_session_due(&s), due);
		cr_expect_eq(s.leases[0].expires_ns, expires);
		cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
		now = due;
		tick();
		cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
		cr_expect_gt(sent_seq(), seq, "a number that the gateway has seen, after %d h", (int)jump_h[i]);
		m = extended(CLIENT, BIND);
		deliver_signed(&m, 3 + i, false);
		cr_expect_eq(s.leases[0].expires_ns, now + 600 * S);
	}
}

Test(client_auth, an_answer_without_proof_is_ignored)
{
	struct rsip_message m = register_response();

	deliver(&m);
	cr_expect_eq(s.state, RSIP_SESSION_DOWN);
	m = denied();
	deliver(&m);
	cr_expect_eq(failed, 0, "a 304 that anybody may have made");
	cr_expect_eq(s.stats.unproven, 2);
	cr_expect(s.req.active, "it goes on waiting for the gateway");
	registered();
}

Test(client_auth, an_answer_to_another_request_proves_nothing)
{
	struct rsip_message m = register_response();
	uint8_t old[RSIP_REQUEST_MAX];
	size_t old_len = request_len;

	memcpy(old, request, old_len);
	registered(); /* the ASSIGN is under way now */
	m = grant_of(PUB_1, 600);
	memcpy(request, old, old_len);
	request_len = old_len;
	deliver_signed(&m, 2, false);
	cr_expect_eq(granted, 0);
	cr_expect_eq(s.stats.unproven, 1);
}

Test(client_auth, behind_with_its_numbers_it_goes_on_above_the_gateways_once)
{
	struct rsip_message m = denied();

	deliver_signed(&m, 900000, false);
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
	cr_expect_eq(failed, 0);
	cr_expect_eq(sent_seq(), 900001);
	m = denied();
	deliver_signed(&m, 900002, false);
	cr_expect_eq(failed, 1, "twice is a refusal");
	cr_expect_eq(last_failure, RSIP_ERR_REGISTRATION_DENIED);
}

Test(client_auth, a_refusal_with_a_lower_number_is_a_refusal)
{
	struct rsip_message m = denied();

	deliver_signed(&m, 4999, false);
	cr_expect_eq(failed, 1);
}

Test(client_auth, unasked_messages_must_be_signed_and_newer)
{
	struct rsip_message m;

	registered();
	m = grant_of(PUB_1, 600);
	deliver_signed(&m, 2, false);
	cr_assert_eq(granted, 1);
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, 0);
	m.bind_id = BIND + 1; /* not ours: only the number is taken */
	m.has |= RSIP_HAS_BIND_ID;
	deliver_signed(&m, 70, true);
	m.bind_id = BIND;
	m.has &= ~RSIP_HAS_AUTH;
	deliver(&m);
	cr_expect_eq(lost, 0, "without proof");
	deliver_signed(&m, 70, true);
	cr_expect_eq(lost, 0, "seen before");
	deliver_signed(&m, 71, true);
	cr_expect_eq(lost, 1);
}

Test(client_auth, a_signed_answer_is_no_unasked_message)
{
	struct rsip_message m = from_gateway(RSIP_MSG_DE_REGISTER_RESPONSE, 0);

	registered();
	deliver_signed(&m, 70, false);
	cr_expect_eq(s.state, RSIP_SESSION_UP);
	deliver_signed(&m, 70, true);
	cr_expect_eq(s.state, RSIP_SESSION_DOWN);
}

/* A second session with the same key, beside the first: the gateway takes only numbers above all that it has seen. */
Test(client_auth, two_sessions_with_one_key_count_together)
{
	struct rsip_session first;
	uint64_t own;
	struct rsip_message m;

	m = denied();
	deliver_signed(&m, 90000, false); /* our clock is behind */
	cr_assert_eq(sent_seq(), 90001);
	first = s;
	begin();
	s.sink.send = on_send_kept;
	s.sink.wall_us = on_wall;
	rsip_session_set_key(&s, &key);
	s.auth_shared = &first.auth_sent;
	s.client_id = CLIENT;
	s.expires_ns = RSIP_FOREVER;
	own = s.auth_sent;
	rsip_session_leave(&s);
	tick();
	cr_assert_eq(last.type, RSIP_MSG_DE_REGISTER_REQUEST);
	cr_expect_eq(sent_seq(), 90002);
	cr_expect_eq(first.auth_sent, 90002, "the first goes on above it");
	cr_expect_eq(s.auth_sent, own);
}

Test(client_auth, a_late_grant_must_prove_itself_too)
{
	struct rsip_message m;
	uint8_t buf[2048];
	uint64_t seq;
	int len;

	registered();
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	m = grant_of(PUB_1, 600);
	rsip_auth_add(&m, key.id, 2);
	len = rsip_encode(&m, buf, sizeof(buf));
	rsip_auth_sign(&key, RSIP_AUTH_FROM_GATEWAY, request + request_len - RSIP_AUTH_MAC_LEN, buf, len);
	seq = sent_seq();
	while (!s.stats.timeouts) {
		now = rsip_session_due(&s);
		tick();
	}
	buf[len - 1] ^= 1;
	rsip_session_input(&s, buf, len, now);
	cr_expect_eq(s.stats.unproven, 1);
	buf[len - 1] ^= 1;
	rsip_session_input(&s, buf, len, now);
	tick();
	cr_expect_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_expect_eq(last.bind_id, BIND);
	cr_expect_gt(sent_seq(), seq);
}
