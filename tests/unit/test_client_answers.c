// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/answers.c, session.c: what is an answer to our request, and what is not; what becomes of a wish that is refused. */
#include "client_fixture.h"

/* The EXTEND of the one lease is on its way. */
static void extending(void)
{
	leased();
	now = s.leases[0].act_ns;
	tick();
	cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
}

/* A gateway, or who stands in for it, that gives and takes at once: neither network nor log is to be filled. */
Test(answers, one_that_takes_back_at_once_what_it_gives_is_asked_less_and_less_often, .init = leased)
{
	static const unsigned int pause_s[] = {2, 4, 8, 16, 32, 60, 60};
	struct rsip_message m;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(pause_s); i++) {
		m = from_gateway(RSIP_MSG_FREE_RESPONSE, 0);
		m.bind_id = BIND;
		m.has |= RSIP_HAS_BIND_ID;
		deliver(&m);
		cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED);
		cr_expect_eq((s.leases[0].act_ns - now + MS) / S, pause_s[i], "pause %zu", i);
		now = s.leases[0].act_ns;
		tick();
		m = grant_of(PUB_1, 600);
		deliver(&m);
		cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
	}
	now += 61 * S; /* one that lived for a while is asked for again soon */
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, 0);
	m.bind_id = BIND;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	cr_expect_eq((s.leases[0].act_ns - now + MS) / S, 2);
}

Test(answers, one_that_ends_each_registration_at_once_is_asked_less_and_less_often, .init = leased)
{
	static const unsigned int pause_s[] = {2, 4, 8, 16, 32, 60, 60};
	struct rsip_message m;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(pause_s); i++) {
		m = from_gateway(RSIP_MSG_DE_REGISTER_RESPONSE, 0);
		deliver(&m);
		cr_assert_eq(s.state, RSIP_SESSION_DOWN);
		cr_expect_eq((s.act_ns - now + MS) / S, pause_s[i], "pause %zu", i);
		now = s.act_ns;
		tick();
		answer_register(CLIENT);
		m = grant_of(PUB_1, 600);
		deliver(&m);
		cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
	}
}

Test(answers, another_hosts_or_another_bindings_answer_is_none, .init = extending)
{
	struct rsip_message m = extended(CLIENT + 1, BIND);
	uint64_t expires = s.leases[0].expires_ns;

	deliver(&m);
	m = extended(CLIENT, BIND + 1);
	deliver(&m);
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, last.counter);
	m.bind_id = BIND + 1;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	cr_assert(s.req.active, "it still waits");
	cr_assert_eq(s.leases[0].expires_ns, expires);
	cr_assert_eq(s.stats.ignored, 3);
	m = extended(CLIENT, BIND);
	deliver(&m);
	cr_assert(!s.req.active);
	cr_assert_gt(s.leases[0].expires_ns, expires);
}

/* 9.1.3: an error that cannot be read says nothing; the request is repeated. */
Test(answers, an_error_that_cannot_be_read_is_none, .init = extending)
{
	uint8_t buf[] = {1, RSIP_MSG_ERROR_RESPONSE, 0, 18, RSIP_PARAM_MESSAGE_COUNTER, 0, 4, 0, 0, 0, 0, RSIP_PARAM_CLIENT_ID, 0, 4, 0, 0, 0, CLIENT};
	uint32_t n = htonl(last.counter);

	memcpy(buf + 7, &n, sizeof(n));
	rsip_session_input(&s, buf, sizeof(buf), now);
	cr_assert(s.req.active);
	cr_assert_eq(s.stats.ignored, 1);
}

/* 306 to a FREE: it is free. */
Test(answers, a_binding_that_the_gateway_does_not_know_is_free, .init = leased)
{
	rsip_session_release(&s, BIND);
	cr_assert_eq(lost, 1);
	tick();
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	answer_error(RSIP_ERR_BAD_BIND_ID, CLIENT);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_NONE, "and is not asked for again");
	cr_assert_eq(lost, 1);
}

/* The gateway takes back what we are giving back: the wish behind it stays, whatever our own FREE is answered. */
Test(answers, a_free_that_crosses_the_gateways_loses_no_wish, .init = begin)
{
	struct rsip_message m;

	refuse_use = -EADDRINUSE;
	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, 0);
	m.bind_id = BIND;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED);
	answer_error(RSIP_ERR_BAD_BIND_ID, CLIENT);
	cr_assert(!s.req.active);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED, "it is still wanted");
	refuse_use = 0;
}

/* The same of an EXTEND: what is preferred was noted when the binding went. */
Test(answers, an_extend_that_crosses_the_gateways_free_keeps_the_preference, .init = extending)
{
	struct rsip_message m = from_gateway(RSIP_MSG_FREE_RESPONSE, 0);
	uint64_t due;

	m.bind_id = BIND;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	due = s.leases[0].act_ns;
	answer_error(RSIP_ERR_BAD_BIND_ID, CLIENT);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED);
	cr_assert_eq(s.leases[0].want.addr, PUB_1);
	cr_assert_eq(s.leases[0].act_ns, due, "no sooner than it was to be");
}

/* 306 is about a binding; to who asks for one it is a refusal as any other. */
Test(answers, a_request_for_a_binding_that_is_called_unknown_is_not_repeated_at_once, .init = begin)
{
	want_ports();
	tick();
	answer_register(CLIENT);
	answer_error(RSIP_ERR_BAD_BIND_ID, CLIENT);
	cr_assert(!s.req.active);
	cr_assert_eq(failed, 1);
	cr_assert_geq(s.leases[0].act_ns, now + 10 * S);
}

Test(answers, a_wish_of_one_time_ends_with_its_refusal, .init = leased)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP, .ports = 4};
	int i = rsip_session_want(&s, &want, true, now);

	tick();
	answer_error(RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE, CLIENT);
	cr_assert_eq(failed, 1);
	cr_assert_eq(s.leases[i].state, RSIP_LEASE_NONE);
}

/* What comes for a wish that was dropped meanwhile goes back. */
Test(answers, a_grant_that_nobody_wants_any_more_is_given_back, .init = leased)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP, .ports = 8};
	int i = rsip_session_want(&s, &want, false, now), other;
	struct rsip_message m;

	tick();
	rsip_session_drop(&s, i);
	other = rsip_session_want(&s, &want, false, now + 1000 * S);
	cr_assert_neq(other, i, "its answer is still to come");
	m = grant_of(PUB_1, 600);
	m.bind_id = BIND + 1;
	granted = 0;
	deliver(&m);
	cr_assert_eq(granted, 0);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND + 1);
}

/* 8.11: 0 is the gateway's. */
Test(answers, a_counter_is_never_zero)
{
	const struct rsip_inet host = rsip_inet_v4(HOST), gw = rsip_inet_v4(GATEWAY);
	struct rsip_session_sink sink;

	begin();
	sink = s.sink;
	next_random = 0;
	rsip_session_init(&s, &sink, RSIP_TRANSPORT_UDP, &host, &gw);
	cr_assert_eq(s.next_counter, 1);
	s.next_counter = 0; /* a restart that lost it */
	next_random = 5;
	rsip_session_resume(&s, now);
	cr_assert_eq(s.next_counter, 5);
}

/* ---- another gateway ---- */

static void move_away(void)
{
	const struct rsip_inet host = rsip_inet_v4(htonl(0x0a010002)), gw = rsip_inet_v4(htonl(0x0a010001));

	rsip_session_move(&s, &host, &gw, now);
}

Test(answers, the_users_word_goes_along_to_another_gateway, .init = begin)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP, .ports = 8, .port = 4000, .addr = PUB_1};
	struct rsip_message m;

	rsip_session_want(&s, &want, false, now);
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	deliver(&m);
	s.auth_seen = 77;
	move_away();
	cr_assert_eq(s.auth_seen, 0, "each gateway counts for itself");
	tick();
	answer_register(CLIENT + 1);
	cr_assert_eq(last.local.v4, PUB_1);
	cr_assert_eq(last.local_ports.port[0], 4000);
}

Test(answers, a_larger_range_of_spis_is_not_asked_for_again_elsewhere, .init = leased)
{
	s.leases[0].want.purpose = RSIP_FOR_CHARON_SPIS;
	move_away();
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_NONE);
}
