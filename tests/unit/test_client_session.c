// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/session.c, leases.c, messages.c: requests and leases, with time and randomness as arguments. */
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

/* RFC 3103 10.2.2 */
/* RFC 3103 10.2.1 */
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
