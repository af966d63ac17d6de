// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the engine answers to hosts that do everything right. */
#include <criterion/criterion.h>

#include "engine_fixture.h"

TestSuite(engine, .init = gw_usual, .fini = gw_down);

Test(engine, register_gives_an_id_and_says_what_is_offered)
{
	a_register();
	cr_assert_eq(say(gw_host(1), 7), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_REGISTER_RESPONSE);
	cr_expect_eq(gw.got.counter, 7);
	cr_expect_neq(gw.got.client_id, 0);
	cr_expect_eq(gw.got.lease_s, 3600);
	cr_expect_eq(gw.got.local_policy, RSIP_LOCAL_MACRO);
	cr_expect_eq(gw.got.remote_policy, RSIP_REMOTE_NONE);
	cr_assert_eq(gw.got.method_cnt, 2);
	cr_expect_eq(gw.got.method[0], RSIP_METHOD_RSAP_IP);
	cr_expect_eq(gw.got.method[1], RSIP_METHOD_RSIPSEC);
	cr_assert_eq(gw.got.tunnel_cnt, 1);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_IPIP);
	cr_expect_leq(gw.answer_len, RSIP_ENGINE_UNECHOED_MAX);
}

Test(engine, ports_are_assigned_extended_and_freed)
{
	uint32_t id = registered(gw_host(1)), bind;

	an_assign(id, 4);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_ASSIGN_RESPONSE_RSAP_IP);
	cr_expect_eq(gw.got.client_id, id);
	cr_expect_eq(gw.got.local_ports.form, RSIP_FORM_RANGE);
	cr_expect_eq(gw.got.local_ports.cnt, 4);
	cr_expect_eq(gw.got.local_ports.port[0] % 4, 0, "blocks are aligned");
	cr_expect(gw.got.remote.any && gw.got.remote_ports.form == RSIP_FORM_ANY);
	cr_expect_eq(gw.got.lease_s, 1800);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_IPIP);
	bind = gw.got.bind_id;
	gw.now += 100 * S;
	an_extend(id, bind);
	with_lease(3000);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_EXTEND_RESPONSE);
	cr_expect_eq(gw.got.bind_id, bind);
	cr_expect_eq(gw.got.lease_s, 3000);
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_FREE_RESPONSE);
	cr_expect_eq(gw.got.bind_id, bind);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
	cr_expect_eq(gw.heard_cnt, 0, "what the host asked for is not told twice");
}

Test(engine, ports_by_number_are_given_as_asked)
{
	uint32_t id = registered(gw_host(1));

	an_assign(id, 3);
	with_local("203.0.113.2");
	rsip_ports_range(&gw.m.local_ports, 5000, 3);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect_eq(gw.got.local.v4, inet_addr("203.0.113.2"));
	cr_expect_eq(gw.got.local_ports.port[0], 5000);
	an_assign(id, 3);
	with_local("203.0.113.2");
	gw.m.local_ports = (struct rsip_ports){ .form = RSIP_FORM_LIST,
						.cnt = 3,
						.port = { 6004, 6000, 6002 } };
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_expect_eq(gw.got.local_ports.form, RSIP_FORM_LIST);
	cr_expect_eq(gw.got.local_ports.port[0], 6000);
	cr_expect_eq(gw.got.local_ports.port[2], 6004);
}

Test(engine, spis_are_one_range_and_dont_need_ports_is_echoed)
{
	uint32_t id = registered(gw_host(1));

	an_ipsec_assign(id, 4);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_ASSIGN_RESPONSE_RSIPSEC);
	cr_expect_eq(gw.got.local_ports.form, RSIP_FORM_NONE);
	cr_expect_eq(gw.got.remote_ports.form, RSIP_FORM_NONE);
	cr_expect_eq(gw.got.spis.form, RSIP_FORM_RANGE);
	cr_expect_eq(gw.got.spis.cnt, 4);
	cr_expect_geq(gw.got.spis.first, 256);
	an_ipsec_assign(id, 2);
	gw.m.spis = (struct rsip_spis){ .form = RSIP_FORM_LIST,
					.cnt = 2,
					.spi = { 0xc0020000, 0xc0010000 } };
	rsip_ports_any(&gw.m.local_ports, 2);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_expect_eq(gw.got.spis.form, RSIP_FORM_LIST);
	cr_expect_eq(gw.got.spis.spi[0], 0xc0010000);
	cr_expect_eq(gw.got.local_ports.cnt, 2);
}

Test(engine, deregister_ends_everything)
{
	uint32_t id = registered(gw_host(1));

	an_assign(id, 4);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	a_deregister(id);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_DE_REGISTER_RESPONSE);
	cr_expect_eq(gw.got.client_id, id);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
	cr_expect_eq(gw.heard_cnt, 0);
	cr_expect_neq(registered(gw_host(1)), 0);
}

Test(engine, over_tcp_a_counter_may_be_absent_and_stays_absent)
{
	struct rsip_from tcp = over_tcp(gw_host(1));
	uint32_t id = registered(tcp);

	cr_assert_neq(id, 0);
	cr_expect_not(gw.got.has & RSIP_HAS_COUNTER);
	an_assign(id, 1);
	cr_assert_eq(say(tcp, 0), RSIP_OK);
	cr_expect_not(gw.got.has & RSIP_HAS_COUNTER);
	an_extend(id, gw.got.bind_id);
	cr_assert_eq(say(tcp, 5), RSIP_OK);
	cr_expect_eq(gw.got.counter, 5);
	a_query(id);
	cr_assert_eq(say(tcp, 3), RSIP_OK, "TCP keeps the order itself");
	cr_expect_eq(gw.got.counter, 3);
}

Test(engine, query_tells_what_is_local_and_nothing_of_the_rest)
{
	uint32_t id = registered(gw_host(1));

	a_query(id);
	with_tuple(1, "10.0.0.9", NULL);
	with_tuple(1, "198.51.100.9", NULL);
	with_tuple(2, "10.20.60.0", "255.255.255.0");
	with_tuple(2, "10.0.0.0", "254.0.0.0"); /* wider than what is local */
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_QUERY_RESPONSE);
	cr_assert_eq(gw.got.tuple_cnt, 2);
	cr_expect_eq(gw.got.tuple[0].indicator, RSIP_IND_LOCAL_ADDRESS);
	cr_expect_eq(gw.got.tuple[0].addr.v4, inet_addr("10.0.0.9"));
	cr_expect_eq(gw.got.tuple[1].indicator, RSIP_IND_LOCAL_NETWORK);
	cr_expect_eq(gw.got.tuple[1].mask, inet_addr("255.255.255.0"));
	a_query(id);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_assert_eq(gw.got.tuple_cnt, 1, "no tuple asks for all");
	cr_expect_eq(gw.got.tuple[0].mask, inet_addr("255.0.0.0"));
}

Test(engine, a_query_about_a_name_or_ipv6_is_answered_with_nothing)
{
	uint32_t id = registered(gw_host(1));
	struct rsip_tuple *t;

	a_query(id);
	t = with_tuple(1, "10.0.0.9", NULL);
	t->addr = (struct rsip_address){ .type = RSIP_ADDR_FQDN, .fqdn_len = 9, .fqdn = "host.test" };
	t = with_tuple(1, "10.0.0.9", NULL);
	t->addr = (struct rsip_address){ .type = RSIP_ADDR_IPV6, .v6 = { 0x20, 1 } };
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_QUERY_RESPONSE);
	cr_expect_eq(gw.got.tuple_cnt, 0, "9.14.3: it is not known");
}

Test(engine, lease_times_are_kept_within_bounds)
{
	static const struct {
		uint32_t asked, given;
	} rows[] = {
		{ 0, 1800 }, { 1, 60 }, { 60, 60 }, { 86400, 86400 }, { UINT32_MAX, 86400 },
	};
	uint32_t id = registered(gw_host(1)), n = 2;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(rows); i++) {
		an_assign(id, 1);
		with_lease(rows[i].asked);
		cr_assert_eq(say(gw_host(1), n++), RSIP_OK);
		cr_expect_eq(gw.got.lease_s, rows[i].given, "asked %u", rows[i].asked);
	}
}

Test(engine, nobody_is_served_by_what_has_run_out_with_many_others)
{
	unsigned int last = 3 * RSIP_LEASE_EXPIRE_MAX;
	uint32_t id;

	for (unsigned int n = 1; n < last; n++)
		cr_assert(registered(gw_host(n)));
	gw.now += S;
	id = registered(gw_host(last));
	gw.now += 3600 * S;
	an_assign(id, 1);
	cr_assert_eq(say(gw_host(last), 2), RSIP_ERR_REGISTER_FIRST, "the others' registrations are not all ended yet");
	cr_assert_gt(rsip_lease_client_count(gw.lm), RSIP_LEASE_EXPIRE_MAX);
	cr_assert_leq(tick_at(gw.now), gw.now, "it wants to go on at once");
	tick_at(gw.now);
	cr_assert_gt(tick_at(gw.now), gw.now);
	cr_assert_eq(rsip_lease_client_count(gw.lm), 0);
}

Test(engine, a_remote_is_ignored_without_remote_policy)
{
	uint32_t id = registered(gw_host(1));

	an_assign(id, 1);
	rsip_address_v4(&gw.m.remote, inet_addr("198.51.100.1"));
	rsip_ports_range(&gw.m.remote_ports, 80, 1);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect(gw.got.remote.any);
	cr_expect_eq(gw.got.remote_ports.form, RSIP_FORM_ANY);
	cr_expect_eq(gw.got.remote_ports.cnt, 1);
	gw.m.remote = (struct rsip_address){ .type = RSIP_ADDR_FQDN, .fqdn_len = 11, .fqdn = "www.foo.com" };
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK, "a name, too: nobody looks it up");
	cr_expect(gw.got.remote.any);
	gw.m.remote = (struct rsip_address){ .type = RSIP_ADDR_IPV6, .v6 = { 0x20, 1 } };
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	cr_expect(gw.got.remote.any);
}

Test(engine, messages_are_counted)
{
	const struct rsip_engine_stats *st = rsip_engine_stats(gw.e);
	uint32_t id = registered(gw_host(1));

	an_assign(id, 1);
	say(gw_host(1), 2);
	a_free(id, 12345);
	say(gw_host(1), 3);
	cr_expect_eq(st->received[RSIP_MSG_REGISTER_REQUEST], 1);
	cr_expect_eq(st->received[RSIP_MSG_ASSIGN_REQUEST_RSAP_IP], 1);
	cr_expect_eq(st->sent[RSIP_MSG_ERROR_RESPONSE], 1);
	for (unsigned int i = 0; rsip_engine_err_at(i); i++)
		cr_expect_eq(st->errors[i], rsip_engine_err_at(i) == RSIP_ERR_BAD_BIND_ID);
	cr_expect_eq(st->unechoed, 0);
	cr_expect_str_eq(rsip_engine_drop_name(RSIP_ENGINE_DROP_OLD_COUNTER), "old-counter");
}
