// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the gateway says of its own accord, and what becomes of registrations that nobody uses. */
#include <criterion/criterion.h>

#include "engine_fixture.h"

TestSuite(engine_async, .init = gw_usual, .fini = gw_down);

static void leased(struct rsip_from from, uint32_t *id, uint32_t *bind)
{
	*id = registered(from);
	an_assign(*id, 1);
	cr_assert_eq(say(from, from.transport == RSIP_TRANSPORT_UDP ? 2 : 0), RSIP_OK);
	*bind = gw.got.bind_id;
}

Test(engine_async, a_lease_that_runs_out_is_told_three_times)
{
	uint64_t start = gw.now;
	uint32_t id, bind;

	leased(gw_host(1), &id, &bind);
	cr_expect_eq(rsip_engine_tick(gw.e, gw.now), start + 1800 * S);
	cr_expect_eq(tick_at(start + 1800 * S), start + 1801 * S);
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].type, RSIP_MSG_FREE_RESPONSE);
	cr_expect_eq(gw.heard[0].counter, 0);
	cr_expect_eq(gw.heard[0].client_id, id);
	cr_expect_eq(gw.heard[0].bind_id, bind);
	cr_expect_eq(gw.heard[0].to.addr, gw_host(1).addr);
	cr_expect_eq(gw.heard[0].to.port, 40000);
	tick_at(start + 1801 * S - 1);
	cr_expect_eq(gw.heard_cnt, 1);
	tick_at(start + 1801 * S);
	cr_expect_eq(tick_at(start + 1802 * S), start + 3600 * S);
	cr_expect_eq(gw.heard_cnt, 3);
	tick_at(start + 1900 * S);
	cr_expect_eq(gw.heard_cnt, 3);
}

Test(engine_async, a_registration_that_runs_out_is_told)
{
	uint64_t start = gw.now;
	uint32_t id = registered(gw_host(1));

	a_query(id);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	tick_at(start + 3600 * S);
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].type, RSIP_MSG_DE_REGISTER_RESPONSE);
	cr_expect_eq(gw.heard[0].client_id, id);
	cr_expect_eq(gw.heard[0].counter, 0);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
	tick_at(start + 3601 * S);
	cr_expect_eq(gw.heard_cnt, 2);
	cr_expect_neq(registered(gw_host(1)), 0);
	tick_at(start + 3602 * S);
	cr_expect_eq(gw.heard_cnt, 2, "not after the host registered again");
	cr_expect_eq(rsip_engine_stats(gw.e)->async_waiting, 0);
}

Test(engine_async, a_message_finds_no_lease_that_has_run_out)
{
	uint32_t id, bind;

	leased(gw_host(1), &id, &bind);
	gw.now += 1800 * S;
	an_extend(id, bind);
	cr_expect_eq(say(gw_host(1), 3), 306);
	cr_expect_eq(gw.heard_cnt, 1);
}

Test(engine_async, the_operator_ends_a_binding_and_a_registration)
{
	struct rsip_lease_client *owner;
	uint32_t id, bind;

	leased(gw_host(1), &id, &bind);
	cr_assert_not_null(rsip_lease_bind_by_id(gw.lm, bind, &owner));
	cr_assert_eq(rsip_lease_free(gw.lm, owner, bind, RSIP_END_OPERATOR, gw.now), RSIP_OK);
	cr_expect_eq(gw.woken, 1, "the event loop must hear of it");
	cr_expect_eq(gw.heard_cnt, 0);
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(gw.heard_cnt, 1);
	an_assign(id, 1);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	rsip_lease_deregister(gw.lm, rsip_lease_by_id(gw.lm, id), RSIP_END_OPERATOR, gw.now);
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(gw.heard_cnt, 2, "the end of the registration says it all");
	cr_expect_eq(gw.heard[1].type, RSIP_MSG_DE_REGISTER_RESPONSE);
	tick_at(gw.now + S);
	tick_at(gw.now + S);
	tick_at(gw.now + S);
	cr_expect_eq(gw.heard_cnt, 4);
}

/* 9.5.3: more of them than are looked up at once; who may stay hears nothing. */
Test(engine_async, hosts_outside_the_new_networks_are_told)
{
	uint32_t stays = registered(gw_host(0));

	for (unsigned int i = 1; i < 600; i++)
		cr_assert(registered(gw_host(i)));
	gw.client_net = (struct rsip_net){ gw_host(0).addr, inet_addr("255.255.255.255") };
	gw_change();
	cr_expect_eq(rsip_lease_client_count(gw.lm), 1);
	cr_expect_eq(gw.heard_cnt, 599);
	for (unsigned int i = 0; i < gw.heard_cnt; i++) {
		cr_expect_eq(gw.heard[i].type, RSIP_MSG_DE_REGISTER_RESPONSE);
		cr_expect_neq(gw.heard[i].client_id, stays);
	}
	a_query(stays);
	cr_expect_eq(say(gw_host(0), 2), RSIP_OK);
}

Test(engine_async, over_tcp_once_is_enough)
{
	uint32_t id, bind;

	leased(over_tcp(gw_host(1)), &id, &bind);
	tick_at(gw.now + 1800 * S);
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].to.transport, RSIP_TRANSPORT_TCP);
	tick_at(gw.now + S);
	tick_at(gw.now + S);
	cr_expect_eq(gw.heard_cnt, 1);
}

Test(engine_async, the_port_is_that_of_the_last_message_served)
{
	struct rsip_from moved = gw_host(1);
	uint32_t id, bind;

	leased(gw_host(1), &id, &bind);
	moved.port = 50000;
	a_query(id + 1);
	cr_assert_eq(say(moved, 3), 305);
	moved.port = 50001;
	a_query(id);
	cr_assert_eq(say(moved, 3), RSIP_OK);
	tick_at(gw.now + 1800 * S);
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].to.port, 50001);
}

Test(engine_async, a_host_never_heard_since_the_restart_cannot_be_told)
{
	uint32_t id, bind, binds, clients;

	leased(gw_host(1), &id, &bind);
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	gw_lease_up();
	cr_assert_eq(rsip_lease_adopt(gw.lm, gw.now, &binds, &clients), 0);
	tick_at(gw.now + 1800 * S);
	cr_expect_eq(gw.heard_cnt, 0);
	cr_expect_geq(dropped(RSIP_ENGINE_DROP_NO_PORT), 1);
}

static void few_unechoed(void)
{
	gw_plan();
	gw.conf.unechoed_max = 4;
	gw_up();
}

Test(engine_async, silent_registrations_are_capped, .init = few_unechoed)
{
	struct rsip_from other_side = gw_host(10);
	uint32_t first = registered(gw_host(1));

	cr_assert_neq(registered(gw_host(2)), 0);
	a_register();
	cr_expect_eq(say(gw_host(3), 1), SILENCE, "an interface has half, and none has waited 2 s");
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_UNECHOED_LIMIT), 1);
	other_side.iface = 5;
	cr_expect_eq(say(other_side, 1), RSIP_OK, "another interface has its own half");
	gw.now += 2 * S;
	cr_expect_eq(say(gw_host(3), 1), RSIP_OK, "the host repeats, the oldest goes");
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].type, RSIP_MSG_DE_REGISTER_RESPONSE);
	cr_expect_eq(gw.heard[0].client_id, first);
	cr_expect_eq(rsip_engine_stats(gw.e)->evicted, 1);
	cr_expect_eq(rsip_engine_stats(gw.e)->unechoed, 3);
	cr_expect_neq(registered(over_tcp(gw_host(4))), 0, "over TCP the source is real");
	cr_expect_eq(rsip_engine_stats(gw.e)->unechoed, 3);
}

Test(engine_async, an_echo_of_the_client_id_ends_the_wait, .init = few_unechoed)
{
	for (unsigned int i = 1; i < 20; i++) {
		uint32_t id = registered(gw_host(i));

		cr_assert_neq(id, 0);
		a_query(id);
		cr_assert_eq(say(gw_host(i), 2), RSIP_OK);
	}
	cr_expect_eq(rsip_engine_stats(gw.e)->unechoed, 0);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 19);
}
