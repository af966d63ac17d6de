// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/registration.c, answers.c: registering, losing it, finding it again, leaving. */
#include "client_fixture.h"

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

/* Two hosts with one address, or an address that changes on the way: each undoes the other's registration. */
Test(session, registrations_that_come_to_nothing_are_not_repeated_at_the_speed_of_the_network, .init = begin)
{
	unsigned int registered = 0;

	want_ports();
	for (int i = 0; i < 100; i++) { /* answers come at once */
		tick();
		if (!s.req.active)
			break;
		if (last.type == RSIP_MSG_REGISTER_REQUEST) {
			registered++;
			answer_register(CLIENT + registered);
		} else {
			answer_error(RSIP_ERR_REGISTER_FIRST, last.client_id);
		}
	}
	cr_assert_leq(registered, 6, "%u times", registered);
	cr_assert_geq(rsip_session_due(&s), now + S);
	now = rsip_session_due(&s);
	tick();
	cr_assert(s.req.active, "but it goes on");
}

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
