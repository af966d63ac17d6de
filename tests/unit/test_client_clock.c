// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A host that sleeps: the session's clock (CLOCK_BOOTTIME) has gone on when it wakes, and the gateway has not waited.
 * What the wall clock does is no matter but for the numbers of authenticated messages (test_client_auth.c).
 */
#include "client_fixture.h"

static void sleep_for(uint64_t seconds)
{
	now += seconds * S;
	sent = 0;
	tick();
}

static void answer_extend(void)
{
	struct rsip_message m = extended(CLIENT, BIND);

	deliver(&m);
}

Test(client_clock, past_the_time_to_renew_it_renews_at_once, .init = leased)
{
	sleep_for(500);
	cr_assert_eq(lost, 0);
	cr_assert_eq(sent, 1);
	cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
	answer_extend();
	cr_assert_eq(s.leases[0].expires_ns, now + 600 * S);
}

Test(client_clock, past_the_end_of_a_lease_it_stops_and_asks_for_the_same, .init = leased)
{
	sleep_for(700);
	cr_assert_eq(lost, 1);
	cr_assert_eq(s.state, RSIP_SESSION_UP, "the registration has an hour");
	cr_assert_eq(sent, 1);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	cr_assert_eq(last.local.v4, PUB_1);
}

Test(client_clock, past_the_end_of_the_registration_it_registers, .init = leased)
{
	sleep_for(3 * 3600);
	cr_assert_eq(lost, 1);
	cr_assert_eq(s.client_id, 0);
	cr_assert_eq(sent, 1);
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
	answer_register(CLIENT + 1);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
}

Test(client_clock, a_request_on_its_way_is_repeated_once_and_then_as_ever, .init = leased)
{
	sleep_for(300);
	cr_assert_eq(last.type, RSIP_MSG_EXTEND_REQUEST);
	sleep_for(100);
	cr_assert_eq(sent, 1);
	tick();
	cr_assert_eq(sent, 1, "not all that would have been due");
	cr_assert_eq(s.stats.resent, 1);
	cr_assert_eq(rsip_session_due(&s), now + 25 * MS);
	answer_extend();
	cr_assert_eq(lost, 0);
}

/* The gateway counts from when it heard the request, whenever the host gets to read the answer. */
Test(client_clock, an_answer_that_waited_through_the_sleep_gives_no_more_time, .init = leased)
{
	uint64_t asked;

	sleep_for(300);
	asked = now;
	now += 200 * S;
	answer_extend();
	cr_assert_eq(s.leases[0].expires_ns, asked + 600 * S);
}

Test(client_clock, a_grant_that_waited_too_long_is_not_kept, .init = begin)
{
	struct rsip_message m;

	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	now += 700 * S;
	deliver(&m);
	cr_assert_eq(granted, 0);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED, "it is asked for again");
}

Test(client_clock, awake_in_small_steps_it_does_the_same_as_after_one_long_sleep, .init = leased)
{
	uint64_t until = now + 900 * S;

	while (now < until) {
		uint64_t due = rsip_session_due(&s);

		now = due < until ? due : until;
		tick();
	}
	cr_assert_eq(lost, 1);
	cr_assert_neq(s.leases[0].state, RSIP_LEASE_HELD);
}
