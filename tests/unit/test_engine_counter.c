// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Message counters over UDP (RFC 3103 10.1): duplicates, old ones, and hosts that lost theirs
 * (10.2.1).
 */
#include <criterion/criterion.h>

#include "engine_fixture.h"

TestSuite(engine_counter, .init = gw_usual, .fini = gw_down);

static struct rsip_from other_port(struct rsip_from f, uint16_t port)
{
	f.port = port;
	return f;
}

Test(engine_counter, a_duplicate_that_was_on_its_way_when_its_request_was_answered_is_not_answered_again)
{
	struct rsip_from late = gw_host(1);

	registered(gw_host(1));
	gw.now += 20000000; /* it was read now, and had waited since before the first was */
	late.waited_ns = 21000000;
	cr_expect_eq(say_bytes(late, gw.bytes, gw.len), SILENCE);
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_CROSSED), 1);
	late.waited_ns = 7500000; /* 12.5 ms after the answer: that was lost */
	cr_expect_eq(say_bytes(late, gw.bytes, gw.len), RSIP_OK);
	cr_expect_eq(rsip_engine_stats(gw.e)->replayed, 1);
}

Test(engine_counter, a_duplicate_gets_the_same_answer_and_is_executed_once)
{
	uint32_t id = registered(gw_host(1));
	uint8_t first[256];
	size_t len;

	an_assign(id, 4);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	len = gw.answer_len;
	memcpy(first, gw.answer, len);
	gw.now += 1000 * S;
	cr_assert_eq(say_again(gw_host(1)), RSIP_OK);
	cr_expect_eq(gw.answer_len, len);
	cr_expect_arr_eq(gw.answer, first, len);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1);
	cr_expect_eq(rsip_engine_stats(gw.e)->replayed, 1);
	cr_expect_eq(say_again(other_port(gw_host(1), 5)), SILENCE,
		     "from another port it is no duplicate");
	an_assign(id, 5);
	cr_expect_eq(say(gw_host(1), 2), SILENCE, "other bytes: no duplicate");
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_OLD_COUNTER), 2);
}

/* A connection that broke before the grant was read: nobody would use it, and nobody could name it to give it back. */
Test(engine_counter, over_tcp_a_grant_is_repeated_on_the_next_connection)
{
	struct rsip_from tcp = over_tcp(gw_host(1)), next = other_port(tcp, 5);
	uint32_t id = registered(tcp), bind;

	an_assign(id, 4);
	cr_assert_eq(say(tcp, 2), RSIP_OK);
	bind = gw.got.bind_id;
	gw.now += 1000 * S;
	cr_assert_eq(say_again(next), RSIP_OK);
	cr_expect_eq(gw.got.bind_id, bind);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1);
	cr_assert_eq(say_again(tcp), RSIP_OK, "on the same connection it is another request");
	cr_expect_neq(gw.got.bind_id, bind);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 2);
}

Test(engine_counter, over_tcp_only_the_last_request_is_repeated)
{
	struct rsip_from tcp = over_tcp(gw_host(1)), next = other_port(tcp, 5);
	uint32_t id = registered(tcp), bind;
	uint8_t assign[512];
	size_t len;

	an_assign(id, 4);
	cr_assert_eq(say(tcp, 2), RSIP_OK);
	bind = gw.got.bind_id;
	memcpy(assign, gw.bytes, len = gw.len);
	a_free(id, bind);
	cr_assert_eq(say(tcp, 3), RSIP_OK);
	cr_assert_eq(say_bytes(next, assign, len), RSIP_OK);
	cr_expect_neq(gw.got.bind_id, bind, "a binding that is no more was granted");
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1);
}

Test(engine_counter, an_error_is_repeated_too)
{
	uint32_t id = registered(gw_host(1));

	a_free(id, 99);
	cr_assert_eq(say(gw_host(1), 2), 306);
	cr_expect_eq(say_again(gw_host(1)), 306);
	cr_expect_eq(rsip_engine_stats(gw.e)->replayed, 1);
}

Test(engine_counter, a_register_is_repeated_for_ten_seconds)
{
	uint32_t id = registered(gw_host(1));

	gw.now += 10 * S;
	cr_assert_eq(say_again(gw_host(1)), RSIP_OK);
	cr_expect_eq(gw.got.client_id, id);
	gw.now += 1;
	cr_expect_eq(say_again(gw_host(1)), 302, "by then it may be a host that has rebooted");
	cr_expect_eq(gw.got.client_id, id);
}

Test(engine_counter, a_deregister_is_repeated_for_ten_seconds)
{
	uint32_t id = registered(gw_host(1));

	a_deregister(id);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	gw.now += 10 * S;
	cr_expect_eq(say_again(gw_host(1)), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_DE_REGISTER_RESPONSE);
	gw.now += 1;
	cr_expect_eq(say_again(gw_host(1)), 301);
	cr_expect_eq(rsip_engine_stats(gw.e)->departed, 0);
}

Test(engine_counter, older_ones_are_dropped)
{
	uint32_t id = registered(gw_host(1));

	a_query(id);
	cr_assert_eq(say(gw_host(1), 1000), RSIP_OK);
	an_assign(id, 1);
	cr_expect_eq(say(gw_host(1), 999), SILENCE);
	cr_expect_eq(say(gw_host(1), 1000), SILENCE);
	cr_expect_eq(say(gw_host(1), 1000 + 0x80000000U), SILENCE,
		     "a difference of 2^31 is not newer");
	cr_expect_eq(say(gw_host(1), 1000 + 0x7fffffffU), RSIP_OK);
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_OLD_COUNTER), 3);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1);
}

Test(engine_counter, wraps_to_one)
{
	uint32_t id;

	a_register();
	cr_assert_eq(say(gw_host(1), UINT32_MAX - 1), RSIP_OK);
	id = gw.got.client_id;
	a_query(id);
	cr_expect_eq(say(gw_host(1), UINT32_MAX), RSIP_OK);
	cr_expect_eq(say(gw_host(1), 1), RSIP_OK);
	cr_expect_eq(say(gw_host(1), UINT32_MAX), SILENCE);
	cr_expect_eq(say(gw_host(1), 2), RSIP_OK);
}

Test(engine_counter, a_rebooted_host_finds_its_way_back)
{
	struct rsip_from reborn = other_port(gw_host(1), 50000);
	uint32_t id = registered(gw_host(1));

	an_assign(id, 1);
	cr_assert_eq(say(gw_host(1), 1000), RSIP_OK);
	a_register();
	cr_assert_eq(say(reborn, 5), 302);
	cr_expect_eq(gw.got.client_id, id);
	an_extend(id, 1);
	cr_expect_eq(say(other_port(reborn, 50001), 6), SILENCE,
		     "the second sequence is that port's");
	cr_expect_eq(say(reborn, 5), SILENCE);
	cr_expect_eq(say(reborn, 6), 306, "served by the second sequence");
	a_query(id);
	cr_expect_eq(say(reborn, 7), RSIP_OK);
	cr_expect_eq(say(reborn, 6), SILENCE);
}

Test(engine_counter, a_deregister_with_the_right_id_works_with_any_counter)
{
	uint32_t id = registered(gw_host(1));

	a_query(id);
	cr_assert_eq(say(gw_host(1), 1000), RSIP_OK);
	a_deregister(id + 1);
	cr_expect_eq(say(gw_host(1), 3), SILENCE);
	a_deregister(id);
	cr_expect_eq(say(other_port(gw_host(1), 6), 3), RSIP_OK);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
}

Test(engine_counter, a_forged_register_neither_mutes_nor_resets_the_host)
{
	struct rsip_from forger = other_port(gw_host(1), 666);
	uint32_t id = registered(gw_host(1));

	an_assign(id, 1);
	cr_assert_eq(say(gw_host(1), 1000), RSIP_OK);
	for (uint32_t n = 1; n < 10; n++) {
		a_register();
		cr_assert_eq(say(forger, n * 0x10000000), 302);
	}
	an_assign(id, 1);
	gw.m.has |= RSIP_HAS_COUNTER;
	gw.m.counter = 1000;
	cr_assert_eq(say(gw_host(1), 1000), RSIP_OK, "the last answer is still there");
	cr_expect_eq(rsip_engine_stats(gw.e)->replayed, 1);
	a_query(id);
	cr_expect_eq(say(gw_host(1), 1001), RSIP_OK);
	a_query(id + 1);
	cr_expect_eq(say(gw_host(1), 2000), 305);
	a_query(id);
	cr_expect_eq(say(gw_host(1), 1002), RSIP_OK, "a wrong client ID moves no counter");
}

Test(engine_counter, after_a_restart_the_first_valid_message_sets_the_counter)
{
	uint32_t id = registered(gw_host(1)), binds, clients;

	an_assign(id, 4);
	cr_assert_eq(say(gw_host(1), 1000), RSIP_OK);
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	gw_lease_up();
	cr_assert_eq(rsip_lease_adopt(gw.lm, gw.now, &binds, &clients), 0);
	cr_assert_eq(clients, 1);
	a_query(id + 1);
	cr_expect_eq(say(gw_host(1), 5000), 305, "the wrong ID sets nothing");
	a_register();
	cr_expect_eq(say(gw_host(1), 7), 302);
	a_query(id);
	cr_expect_eq(say(gw_host(1), 1001), RSIP_OK);
	cr_expect_eq(say(gw_host(1), 8), SILENCE);
	cr_expect_eq(say(gw_host(1), 1002), RSIP_OK);
}

static uint64_t told_hop;
static unsigned int told_cnt;

static int note_hop(struct rsip_dataplane *dp, uint32_t slot, uint64_t nexthop)
{
	(void)dp;
	(void)slot;
	told_hop = nexthop;
	told_cnt++;
	return 0;
}

Test(engine_counter, a_new_next_hop_is_passed_on_once)
{
	struct rsip_dataplane_ops ops = *gw.dp->ops;
	const struct rsip_dataplane_ops *whole = gw.dp->ops;
	uint32_t id = registered(gw_host(1));

	an_assign(id, 1);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	ops.bind_nexthop = note_hop;
	gw.dp->ops = &ops;
	told_cnt = 0;
	gw.nexthop++;
	a_query(id);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_expect_eq(told_cnt, 1);
	cr_expect_eq(told_hop, gw.nexthop);
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	gw.nexthop = 0; /* not known for the moment: the old one stays */
	cr_assert_eq(say(gw_host(1), 5), RSIP_OK);
	cr_expect_eq(told_cnt, 1);
	gw.dp->ops = whole;
}
