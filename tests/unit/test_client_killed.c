/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A host that is killed while the gateway holds something for it that it does not know of, or that it was giving back. */
#include "client_fixture.h"
#include "state.h"

/* Killed, and started again ms later: what the state file says is all that is left. */
static void die_for(uint64_t ms)
{
	static struct rsip_state before, after;
	enum rsip_transport transport = s.transport;
	char *text;

	rsip_state_take(&before, &s);
	before.asked_port = 40000;
	text = rsip_state_text(&before, "boot");
	cr_assert_eq(rsip_state_parse(&after, text, strlen(text), "boot"), 0);
	free(text);
	begin_with(transport);
	now = 5 * S + ms * MS;
	sent = 0;
	rsip_state_give(&after, &s, now);
	rsip_session_resume(&s, now);
	cr_assert_eq(after.asked_port, after.asked.len ? 40000 : 0);
}

static void registered(enum rsip_transport transport)
{
	begin_with(transport);
	want_ports();
	tick();
	answer_register(CLIENT);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
}

/* RFC 3103 10.1: the same message, so the same answer: a second binding would be nobody's. */
static void is_asked_again(enum rsip_transport transport)
{
	struct rsip_message m;
	uint8_t was[RSIP_REQUEST_MAX];
	uint32_t counter;
	size_t len;

	registered(transport);
	counter = last.counter;
	len = s.req.len;
	memcpy(was, s.req.buf, len);
	die_for(100 * 1000);
	tick();
	cr_assert_eq(sent, 1);
	cr_assert(s.req.len == len && !memcmp(s.req.buf, was, len), "it is another message");
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_eq(granted, 1);
	cr_assert_eq(s.leases[0].bind_id, BIND);
	cr_assert_eq(s.leases[0].expires_ns, 605 * S, "the gateway counts from the first copy");
	cr_assert_eq(sent, 1, "nothing more is asked for");
	rsip_session_release(&s, BIND);
	tick();
	cr_assert_eq(last.counter, counter + 1);
}

Test(killed, a_request_that_was_on_its_way_goes_out_once_more_as_it_was)
{
	is_asked_again(RSIP_TRANSPORT_UDP);
}

Test(killed, over_tcp_too)
{
	is_asked_again(RSIP_TRANSPORT_TCP);
}

Test(killed, what_was_granted_longer_ago_than_its_time_is_asked_for_anew)
{
	struct rsip_message m;

	registered(RSIP_TRANSPORT_UDP);
	die_for(700 * 1000);
	tick();
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_eq(granted, 0);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED);
}

Test(killed, what_somebody_asked_for_who_waits_no_more_is_given_back, .init = leased)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP, .ports = 8};
	struct rsip_message m;

	rsip_session_want(&s, &want, true, now);
	tick();
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	granted = 0;
	die_for(1000);
	tick();
	m = grant_of(PUB_1, 600);
	m.bind_id = BIND + 1;
	deliver(&m);
	cr_assert_eq(granted, 0);
	for (int i = 0; i < 3 && last.type != RSIP_MSG_FREE_REQUEST; i++) {
		m = extended(CLIENT, BIND); /* of the one that it held */
		deliver(&m);
	}
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND + 1);
}

Test(killed, what_was_to_be_given_back_is, .init = leased)
{
	rsip_session_release(&s, BIND);
	die_for(1000);
	tick();
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND);
}

Test(killed, what_is_no_request_of_that_registration_is_not_sent)
{
	static struct rsip_state st, read;
	char *text;

	registered(RSIP_TRANSPORT_UDP);
	rsip_state_take(&st, &s);
	st.client_id++;
	text = rsip_state_text(&st, "boot");
	cr_assert_eq(rsip_state_parse(&read, text, strlen(text), "boot"), 0);
	cr_assert_eq(read.asked.len, 0);
	free(text);
	st.client_id--;
	st.asked.buf[1] = RSIP_MSG_DE_REGISTER_REQUEST;
	text = rsip_state_text(&st, "boot");
	cr_assert_eq(rsip_state_parse(&read, text, strlen(text), "boot"), 0);
	cr_assert_eq(read.asked.len, 0);
	free(text);
}
