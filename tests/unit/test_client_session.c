// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/session.c, leases.c, messages.c: requests and leases, with time and randomness as
 * arguments. */
#include "client_fixture.h"

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

/* No message extends a registration (9.2 to 9.5): it lives at least as long as what it holds. */
Test(session, a_registration_lives_as_long_as_its_bindings, .init = begin)
{
	struct rsip_message m;

	want_ports();
	tick();
	answer_register(CLIENT); /* for 3600 s */
	m = grant_of(PUB_1, 7200);
	deliver(&m);
	cr_assert_eq(s.expires_ns, now + 7200 * S);
	s.leases[0].act_ns = RSIP_FOREVER; /* renews nothing */
	now += 7199 * S;
	tick();
	cr_assert_eq(s.client_id, CLIENT);
	now += 1 * S;
	tick();
	cr_assert_neq(s.state, RSIP_SESSION_UP, "and no longer");
}

Test(session, a_gateway_with_tiny_leases_is_asked_once_a_second, .init = begin)
{
	struct rsip_message m;

	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 1);
	deliver(&m);
	cr_assert_eq(s.leases[0].act_ns, now + 1 * S);
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

/* What the gateway granted, and the host never read, it could not give back either: nobody told it the binding's ID. */
Test(session, a_request_for_a_lease_is_repeated_on_the_next_connection)
{
	struct rsip_message m;
	uint32_t counter;

	begin_with(RSIP_TRANSPORT_TCP);
	want_ports();
	tick();
	answer_register(CLIENT);
	counter = last.counter;
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	sent = 0;
	now += S;
	rsip_session_cut(&s, now);
	rsip_session_cut(&s, now + S); /* and the next one did not come about */
	cr_assert_eq(failed, 0);
	cr_assert_eq(rsip_session_due(&s), now + S, "it waits for nothing but the connection");
	now += 600 * S; /* tick() is only called while there is a connection */
	tick();
	cr_assert_eq(sent, 1);
	cr_assert_eq(last.counter, counter);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	m = grant_of(PUB_1, 3600);
	deliver(&m);
	cr_assert_eq(granted, 1);
	cr_assert_eq(s.leases[0].bind_id, BIND);
}

/* On the same connection a copy would be one more request. */
Test(session, a_silent_gateway_is_asked_again_on_another_connection)
{
	begin_with(RSIP_TRANSPORT_TCP);
	want_ports();
	tick();
	answer_register(CLIENT);
	sent = 0;
	now += RSIP_TCP_ANSWER_NS;
	tick();
	cr_assert(s.hang_up);
	cr_assert_eq(sent, 0);
	cr_assert_gt(rsip_session_due(&s), now);
	rsip_session_cut(&s, now);
	cr_assert(!s.hang_up);
	tick();
	cr_assert_eq(sent, 1);
	cr_assert_eq(failed, 0);
}

Test(session, who_asked_for_it_hears_of_the_cut_and_the_lease_goes_back)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP, .ports = 8};
	struct rsip_message m;

	begin_with(RSIP_TRANSPORT_TCP);
	tick();
	answer_register(CLIENT);
	rsip_session_want(&s, &want, true, now);
	tick();
	rsip_session_cut(&s, now);
	cr_assert_eq(last_failure, -ETIMEDOUT);
	tick();
	m = grant_of(PUB_1, 3600);
	deliver(&m);
	cr_assert_eq(granted, 0);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND);
}

Test(session, a_gateway_that_hangs_up_on_a_request_is_not_asked_for_ever)
{
	begin_with(RSIP_TRANSPORT_TCP);
	want_ports();
	tick();
	answer_register(CLIENT);
	for (int i = 0; i < RSIP_TCP_TRIES; i++) {
		cr_assert_eq(failed, 0);
		rsip_session_cut(&s, now);
		tick();
	}
	cr_assert_eq(last_failure, -ETIMEDOUT);
	cr_assert_gt(s.leases[0].act_ns, now);
}

/* RFC 3103 8.2, 9.9.3 */
Test(session, under_a_policy_of_micro_flows_one_port_is_asked_for, .init = begin)
{
	want_ports();
	tick();
	answer_register_with(CLIENT, RSIP_LOCAL_MICRO, RSIP_REMOTE_MICRO);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	cr_assert_eq(last.local_ports.cnt, 1);
}

Test(session, the_remote_is_named_to_a_gateway_whose_policy_asks_for_it, .init = begin)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP,
				       .ports = 1,
				       .remote = htonl(0xc6336401),
				       .remote_port = 443};

	rsip_session_want(&s, &want, false, now);
	tick();
	answer_register_with(CLIENT, RSIP_LOCAL_MACRO, RSIP_REMOTE_MICRO);
	cr_assert_eq(last.remote.v4, want.remote);
	cr_assert_eq(last.remote_ports.port[0], 443);
}

/* RFC 3103 9.16.3, and its exception for IKE: RFC 3104 Appendix G */
Test(session, a_listener_leaves_the_remote_open_without_a_policy_except_for_ike)
{
	static const struct {
		uint16_t port;
		uint8_t policy;
		bool open;
	} row[] = {
		{80, RSIP_REMOTE_NONE, true},
		{80, RSIP_REMOTE_MACRO, false},
		{500, RSIP_REMOTE_NONE, false},
		{4500, RSIP_REMOTE_NONE, false},
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(row); i++) {
		const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP,
					       .listen = true,
					       .ports = 1,
					       .port = row[i].port,
					       .remote = htonl(0xc6336401)};

		begin();
		rsip_session_want(&s, &want, false, now);
		tick();
		answer_register_with(CLIENT, RSIP_LOCAL_MACRO, row[i].policy);
		cr_assert_eq(last.type, RSIP_MSG_LISTEN_REQUEST);
		cr_assert_eq(last.remote.any, row[i].open, "port %u", row[i].port);
	}
}

Test(session, a_whole_address_has_no_local_ports_in_its_request, .init = begin)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSA_IP};

	rsip_session_want(&s, &want, false, now);
	tick();
	answer_register(CLIENT);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSA_IP);
	cr_assert_eq(last.has & RSIP_HAS_LOCAL_PORTS, 0);
	cr_assert_eq(last.has & RSIP_HAS_REMOTE_PORTS, RSIP_HAS_REMOTE_PORTS);
}

static void ask_about(__be32 addr)
{
	struct rsip_query q = {.tag = 5, .tuples = 1, .tuple = {{addr, 0xffffffff}}};

	cr_assert_eq(rsip_session_query(&s, &q), 0);
	tick();
}

Test(session, a_query_is_sent_between_leases_and_its_answer_handed_on, .init = leased)
{
	struct rsip_message m;

	ask_about(htonl(0x0a000009));
	cr_assert_eq(last.type, RSIP_MSG_QUERY_REQUEST);
	cr_assert_eq(last.tuple_cnt, 1);
	cr_assert_eq(last.tuple[0].indicator, RSIP_IND_LOCAL_ADDRESS);
	m = from_gateway(RSIP_MSG_QUERY_RESPONSE, last.counter);
	m.tuple_cnt = 1;
	m.tuple[0].indicator = RSIP_IND_LOCAL_NETWORK;
	rsip_address_v4(&m.tuple[0].addr, htonl(0x0a000000));
	m.tuple[0].mask = htonl(0xff000000);
	deliver(&m);
	cr_assert_eq(queried, 1);
	cr_assert_eq(query_err, 0);
	cr_assert_eq(tuples_told, 1);
}

Test(session, a_query_that_is_refused_or_not_answered_is_over_and_no_lease_suffers, .init = leased)
{
	ask_about(htonl(0x0a000009));
	answer_error(RSIP_ERR_BAD_PARAM, CLIENT);
	cr_assert_eq(query_err, RSIP_ERR_BAD_PARAM);
	ask_about(htonl(0x0a000009));
	for (int i = 0; i < 7; i++) {
		now = rsip_session_due(&s);
		tick();
	}
	cr_assert_eq(queried, 2);
	cr_assert_eq(query_err, -ETIMEDOUT);
	cr_assert_eq(lost, 0);
	for (int i = 0; i < RSIP_QUERIES_MAX; i++)
		cr_assert_not(s.queries[i].waiting);
}

Test(session, a_free_that_is_not_answered_is_repeated_until_the_lease_has_run_out, .init = leased)
{
	unsigned int frees = 0;
	uint64_t end = now + 600 * S;

	rsip_session_release(&s, BIND);
	for (int i = 0; i < 400 && s.leases[0].state == RSIP_LEASE_FREEING; i++) {
		tick();
		frees += last.type == RSIP_MSG_FREE_REQUEST && s.req.tries == 1;
		if (last.type == RSIP_MSG_REGISTER_REQUEST)
			answer_error(RSIP_ERR_ALREADY_REGISTERED, CLIENT);
		now = rsip_session_due(&s);
	}
	cr_assert_gt(frees, 2);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_NONE);
	cr_assert_geq(now, end);
}

Test(session, what_is_given_back_while_it_is_renewed_is_given_back_at_once, .init = leased)
{
	struct rsip_message m;

	now += 300 * S;
	tick();
	cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
	m = from_gateway(RSIP_MSG_EXTEND_RESPONSE, last.counter);
	m.bind_id = BIND;
	m.lease_s = 600;
	m.has |= RSIP_HAS_BIND_ID | RSIP_HAS_LEASE;
	rsip_session_release(&s, BIND);
	deliver(&m);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
}

Test(session, a_gateway_that_goes_on_refusing_is_asked_less_and_less_often, .init = begin)
{
	uint64_t before = 0;

	next_random = 0;
	want_ports();
	tick();
	answer_register(CLIENT);
	for (int i = 0; i < 7; i++) {
		answer_error(RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE, CLIENT);
		cr_assert_geq(s.leases[0].act_ns - now, before, "refusal %d", i);
		cr_assert_eq(s.leases[0].act_ns - now, (i < 5 ? 10 << i : 320) * S, "refusal %d", i);
		before = s.leases[0].act_ns - now;
		now = s.leases[0].act_ns;
		tick();
	}
	cr_assert_eq(before, 320 * S);
}
