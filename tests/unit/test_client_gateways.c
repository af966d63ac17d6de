// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/gateways.c, locals.c, and a session that goes to another gateway. */
#include "client_fixture.h"
#include "comeback.h"
#include "gateways.h"
#include "locals.h"

#define GATEWAY_2 htonl(0x0a010001)
#define HOST_2 htonl(0x0a010002)

static void move_at(uint64_t when)
{
	const struct rsip_inet host = rsip_inet_v4(HOST_2), gateway = rsip_inet_v4(GATEWAY_2);

	rsip_session_move(&s, &host, &gateway, when);
}

Test(gateways, a_list_is_read_in_its_order)
{
	struct rsip_gateways gs;

	cr_assert_eq(rsip_gateways_parse(&gs, ""), 0);
	cr_assert_eq(gs.cnt, 0);
	cr_assert_eq(rsip_gateways_parse(&gs, "10.0.0.1,10.1.0.1"), 0);
	cr_assert_eq(gs.cnt, 2);
	cr_assert_eq(gs.g[0].addr.v4, GATEWAY);
	cr_assert_eq(gs.g[1].addr.v4, GATEWAY_2);
	cr_assert_eq(rsip_gateways_parse(&gs, "[2001:db8::1],10.0.0.1,fe80::1%lo"), 0);
	cr_assert_eq(gs.cnt, 3);
	cr_assert_str_eq(rsip_inet_text(&gs.g[0].addr), "2001:db8::1");
	cr_assert_eq(gs.g[1].addr.v4, GATEWAY);
	cr_assert_str_eq(rsip_inet_text(&gs.g[2].addr), "fe80::1%lo");
}

Test(gateways, what_is_no_list_is_refused)
{
	static const char *const wrong[] = {
		",",	     "10.0.0.1,",   ",10.0.0.1", "10.0.0.1,,10.1.0.1",	     "10.0.0.1,10.0.0.1",
		"10.0.0.1 ", "10.0.0.1;10", "gateway",	 "fe80::1", "fd00::1%lo", "fd00::1,[fd00::1]", "fd00::1,10.0.0.1,fd00:0::1",	 "1.1.1.1,2.2.2.2,3.3.3.3,4.4.4.4,5.5.5.5,6.6.6.6,7.7.7.7,8.8.8.8,9.9.9.9",
	};
	struct rsip_gateways gs;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		cr_assert_eq(rsip_gateways_parse(&gs, wrong[i]), -EINVAL, "%s", wrong[i]);
}

Test(gateways, one_after_the_other_and_round_again)
{
	struct rsip_gateways gs;
	struct rsip_inet second;

	rsip_gateways_parse(&gs, "10.0.0.1,10.1.0.1");
	second = rsip_inet_v4(GATEWAY_2);
	rsip_gateways_begin(&gs, &second);
	cr_assert_eq(gs.at, 1);
	cr_assert(rsip_gateways_fail(&gs, -ETIMEDOUT, 5 * S));
	cr_assert_eq(gs.at, 0);
	cr_assert_eq(gs.g[1].err, -ETIMEDOUT);
	cr_assert_eq(gs.g[1].failed_ns, 5 * S);
	cr_assert(!rsip_gateways_all_failed(&gs));
	cr_assert(rsip_gateways_fail(&gs, -ETIMEDOUT, 6 * S));
	cr_assert(rsip_gateways_all_failed(&gs), "both have");
	rsip_gateways_serve(&gs);
	cr_assert(!rsip_gateways_all_failed(&gs));
	cr_assert_eq(gs.g[gs.at].err, 0);
	cr_assert_eq(gs.g[0].err, -ETIMEDOUT, "why the other was left is kept");
}

Test(gateways, one_alone_is_never_left)
{
	struct rsip_gateways gs;

	rsip_gateways_parse(&gs, "10.0.0.1");
	cr_assert(!rsip_gateways_fail(&gs, -ETIMEDOUT, 0));
	rsip_gateways_parse(&gs, "");
	cr_assert(!rsip_gateways_fail(&gs, -ETIMEDOUT, 0));
}

/* ---- back to a preferred one ---- */

Test(comeback, a_gateway_must_have_answered_for_long_enough)
{
	struct rsip_comeback c;

	rsip_comeback_init(&c, 300);
	cr_assert(!rsip_comeback_is_ripe(&c, 1000 * S));
	rsip_comeback_heard(&c, 0, 1000 * S);
	cr_assert_eq(c.ask_ns, 1030 * S, "a tenth of the time, 30 s at most");
	rsip_comeback_heard(&c, 0, 1030 * S);
	cr_assert(!rsip_comeback_is_ripe(&c, 1300 * S - 1));
	cr_assert(rsip_comeback_is_ripe(&c, 1300 * S));
	rsip_comeback_unheard(&c, 1300 * S);
	cr_assert(!rsip_comeback_is_ripe(&c, 1300 * S), "once silent, it begins anew");
	rsip_comeback_heard(&c, 0, 1310 * S);
	rsip_comeback_heard(&c, 1, 1400 * S);
	cr_assert(!rsip_comeback_is_ripe(&c, 1610 * S), "it was another one");
	cr_assert(rsip_comeback_is_ripe(&c, 1700 * S));
}

Test(comeback, never_is_never)
{
	struct rsip_comeback c;

	rsip_comeback_init(&c, 0);
	rsip_comeback_heard(&c, 0, 1 * S);
	cr_assert(!rsip_comeback_is_ripe(&c, 100000 * S));
}

Test(comeback, a_return_that_did_not_last_makes_the_next_one_later)
{
	static const uint32_t hold[] = {600, 1200, 2400, 3600, 3600};
	uint64_t at = 1000 * S;
	struct rsip_comeback c;

	rsip_comeback_init(&c, 300);
	rsip_comeback_left(&c, at);
	cr_assert_eq(c.hold_s, 300, "the first failure says nothing of returns");
	for (size_t i = 0; i < RSIP_ARRAY_LEN(hold); i++) {
		rsip_comeback_heard(&c, 0, at);
		rsip_comeback_done(&c, at);
		at += 10 * S;
		rsip_comeback_left(&c, at);
		cr_assert_eq(c.hold_s, hold[i], "%u", c.hold_s);
		cr_assert_eq(c.since_ns, 0);
	}
	rsip_comeback_done(&c, at);
	rsip_comeback_left(&c, at + 3600 * S);
	cr_assert_eq(c.hold_s, 300, "this one lasted");
	rsip_comeback_init(&c, 7200);
	rsip_comeback_done(&c, at);
	rsip_comeback_left(&c, at + 1);
	cr_assert_eq(c.hold_s, 7200, "never less than is set");
}

/* ---- the session ---- */

Test(session, another_gateway_is_asked_for_the_like_of_what_was_held, .init = leased)
{
	move_at(now);
	cr_assert_eq(lost, 1, "the old lease is out of use before anything else happens");
	cr_assert_eq(s.client_id, 0);
	tick();
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST, "no DE-REGISTER to one that never knew us");
	answer_register(CLIENT + 1);
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	cr_assert_eq(last.client_id, CLIENT + 1);
	cr_assert(last.local.any, "the first gateway's address is not the second's");
	cr_assert_eq(last.local_ports.form, RSIP_FORM_ANY);
	cr_assert_eq(last.local_ports.cnt, 8);
	cr_assert(!rsip_session_leasable(&s, GATEWAY_2));
	cr_assert(rsip_session_leasable(&s, PUB_1));
}

Test(session, a_request_on_its_way_does_not_survive_the_move, .init = begin)
{
	struct rsip_message m;

	want_ports();
	tick();
	m = from_gateway(RSIP_MSG_REGISTER_RESPONSE, last.counter);
	m.lease_s = 3600;
	m.has |= RSIP_HAS_LEASE | RSIP_HAS_POLICY;
	m.local_policy = RSIP_LOCAL_MACRO;
	m.remote_policy = RSIP_REMOTE_NONE;
	move_at(now + 4 * S);
	deliver(&m);
	cr_assert_eq(s.client_id, 0, "a late answer of the first gateway means nothing");
	sent = 0;
	now += 3 * S;
	tick();
	cr_assert_eq(sent, 0, "not before its time");
	now += 2 * S;
	tick();
	cr_assert_eq(last.type, RSIP_MSG_REGISTER_REQUEST);
}

Test(session, ports_on_demand_are_not_asked_for_again_elsewhere, .init = leased)
{
	s.leases[0].want.purpose = RSIP_FOR_DEMAND;
	s.leases[0].want.addr = PUB_1;
	move_at(now);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_NONE);
}

/* ---- what is local ---- */

static struct rsip_tuple *tell(struct rsip_answer *a, uint8_t indicator, uint32_t addr, uint32_t mask)
{
	struct rsip_tuple *t = &a->tuple[a->tuples++];

	t->indicator = indicator;
	rsip_address_v4(&t->addr, htonl(addr));
	t->mask = htonl(mask);
	return t;
}

Test(locals, networks_and_addresses_that_are_local_count)
{
	static struct rsip_answer a;
	struct rsip_locals l;

	tell(&a, RSIP_IND_LOCAL_NETWORK, 0x0a630005, 0xffffff00); /* host bits, too */
	tell(&a, RSIP_IND_LOCAL_ADDRESS, 0xc0a80101, 0);
	tell(&a, RSIP_IND_REMOTE_NETWORK, 0xc0000200, 0xffffff00);
	tell(&a, RSIP_IND_LOCAL_NETWORK, 0x0a630000, 0xffffff00); /* again */
	tell(&a, RSIP_IND_LOCAL_NETWORK, 0, 0);			  /* everything: nothing would be left for us */
	tell(&a, RSIP_IND_LOCAL_NETWORK, 0x0a000000, 0xff00ff00);
	rsip_locals_read(&l, &a);
	cr_assert_eq(l.cnt, 2);
	cr_assert_eq(l.net[0].addr, htonl(0x0a630000));
	cr_assert_eq(l.net[0].len, 24);
	cr_assert_eq(l.net[1].addr, htonl(0xc0a80101));
	cr_assert_eq(l.net[1].len, 32);
}
