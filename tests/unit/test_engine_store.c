// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a crash of rsipd leaves: counters, duplicates, registrations, leases; which answers wait for the store; and what is
 * said while it cannot be written.
 */
#include "engine_store_fixture.h"

TestSuite(engine_store, .init = up, .fini = down);

Test(engine_store, a_registration_over_udp_costs_no_write_before_its_first_binding)
{
	uint32_t id = registered(gw_host(1));

	cr_assert_neq(id, 0);
	cr_assert_eq(waits(), 0);
	a_query(id);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_assert_eq(waits(), 0);
	cr_assert_eq(rsip_journal_backlog(journal), 0);
	granted(gw_host(1), id, 3);
	cr_assert_eq(waits(), rsip_journal_open(journal));
	cr_assert_eq(rsip_journal_backlog(journal), 2, "the binding, and the registration with it");
}

Test(engine_store, one_over_tcp_is_written_at_once)
{
	uint32_t id = registered(over_tcp(gw_host(1)));

	cr_assert_neq(waits(), 0);
	cr_assert_eq(commit(), 0);
	crash();
	cr_assert_eq(rsip_lease_by_host(gw.lm, gw_host(1).addr)->client_id, id);
	a_query(id);
	cr_assert_eq(say(over_tcp(gw_host(1)), 0), RSIP_OK);
}

/* rsipd was killed before the host had read the grant: the connection is another one, the lease is the same. */
Test(engine_store, over_tcp_a_grant_is_repeated_after_a_crash)
{
	struct rsip_from tcp = over_tcp(gw_host(1)), next = tcp;
	uint32_t id = registered(tcp), bind = granted(tcp, id, 2);
	uint8_t request[512];
	size_t len = gw.len;

	memcpy(request, gw.bytes, len);
	cr_assert_eq(commit(), 0);
	crash();
	next.port++;
	cr_assert_eq(say_bytes(next, request, len), RSIP_OK);
	cr_assert_eq(gw.got.bind_id, bind);
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 1);
}

Test(engine_store, a_duplicate_is_silent_until_the_answer_is_on_disk)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);

	cr_assert_eq(say_again(gw_host(1)), SILENCE);
	cr_assert_eq(dropped(RSIP_ENGINE_DROP_STORE_WAITS), 1);
	cr_assert_eq(commit(), 0);
	cr_assert_eq(say_again(gw_host(1)), RSIP_OK);
	cr_assert_eq(gw.got.bind_id, bind);
	cr_assert_eq(waits(), 0);
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 1);
}

Test(engine_store, what_may_tell_of_a_change_under_way_waits_with_it)
{
	uint32_t id = registered(gw_host(1));

	granted(gw_host(1), id, 2);
	a_query(id);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_assert_neq(waits(), 0, "the same host");
	registered(gw_host(2));
	cr_assert_eq(waits(), 0, "another one");
}

Test(engine_store, nothing_is_executed_twice_over_a_crash)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);
	static uint8_t request[256], answer[256];
	size_t len = gw.len, answer_len = gw.answer_len;

	memcpy(request, gw.bytes, len);
	memcpy(answer, gw.answer, answer_len);
	cr_assert_eq(commit(), 0);
	crash();
	cr_assert_eq(found.binds, 1);
	cr_assert_eq(found.installed, 0, "the data plane had it");
	cr_assert_eq(say_bytes(gw_host(1), request, len), RSIP_OK);
	cr_assert_eq(gw.answer_len, answer_len);
	cr_assert_arr_eq(gw.answer, answer, answer_len);
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 1);
	an_assign(id, 1);
	cr_assert_eq(say(gw_host(1), 2), SILENCE, "an old counter stays old");
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
}

Test(engine_store, what_was_not_committed_was_never_said_and_goes)
{
	uint32_t id = registered(gw_host(1)), first = granted(gw_host(1), id, 2);
	struct rsip_pool_stats s;

	cr_assert_eq(commit(), 0);
	granted(gw_host(1), id, 3);
	crash();
	cr_assert_eq(found.binds, 1);
	cr_assert_eq(found.removed, 1);
	cr_assert_not_null(rsip_lease_bind_by_id(gw.lm, first, NULL));
	rsip_lease_pool_stats(gw.lm, 0, &s);
	cr_assert_eq(s.ports_leased, 8);
	cr_assert_eq(say_again(gw_host(1)), RSIP_OK, "the host asks again, and it is executed for the first time");
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 2);
}

Test(engine_store, a_free_that_was_not_committed_comes_back_and_can_be_repeated)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);

	cr_assert_eq(commit(), 0);
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	crash();
	cr_assert_eq(found.installed, 1);
	cr_assert_eq(say_again(gw_host(1)), RSIP_OK);
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 0);
}

/* The file was changed while nobody ran: what is in the store is not above it. */
Test(engine_store, hosts_that_the_next_configuration_does_not_serve_are_told)
{
	uint32_t stays = registered(gw_host(1)), goes = registered(gw_host(2));

	granted(gw_host(1), stays, 2);
	granted(gw_host(2), goes, 2);
	cr_assert_eq(commit(), 0);
	gw.client_net = (struct rsip_net){ gw_host(1).addr, inet_addr("255.255.255.255") };
	crash();
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 2);
	cr_assert_eq(rsip_engine_end_unserved(gw.e, gw.now), 1);
	cr_expect_eq(gw.heard[0].type, RSIP_MSG_DE_REGISTER_RESPONSE);
	cr_expect_eq(gw.heard[0].client_id, goes);
	cr_expect_eq(gw.heard[0].to.port, gw_host(2).port);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1);
	cr_assert_eq(commit(), 0);
	crash();
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1, "it does not come back");
}

Test(engine_store, the_rest_goes_on_over_a_crash)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);
	uint16_t port = rsip_lease_bind_by_id(gw.lm, bind, NULL)->ports.port[0];

	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_assert_eq(commit(), 0);
	gw.now += 100 * S;
	crash();
	cr_assert_eq(found.resting, 1);
	id = registered(gw_host(2));
	an_assign(id, 1);
	with_local("203.0.113.1");
	rsip_ports_range(&gw.m.local_ports, port, 1);
	cr_assert_eq(say(gw_host(2), 2), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	gw.now += 20 * S;
	cr_assert_eq(say(gw_host(2), 3), RSIP_OK);
}

Test(engine_store, the_answer_to_a_deregister_is_remembered_for_ten_seconds)
{
	uint32_t id = registered(gw_host(1));

	granted(gw_host(1), id, 2);
	cr_assert_eq(commit(), 0);
	a_deregister(id);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_assert_neq(waits(), 0);
	cr_assert_eq(commit(), 0);
	crash();
	cr_assert_null(rsip_lease_by_host(gw.lm, gw_host(1).addr));
	cr_assert_eq(say_again(gw_host(1)), RSIP_OK);
	gw.now += 11 * S;
	cr_assert_eq(say_again(gw_host(1)), RSIP_ERR_REGISTER_FIRST);
	cr_assert_eq(commit(), 0);
	crash();
	cr_assert_eq(say_again(gw_host(1)), RSIP_ERR_REGISTER_FIRST);
}

/* ---- a store that cannot be written ------------------------------------------------------------------------------------------ */

Test(engine_store, a_full_disk_refuses_what_is_new_and_lets_the_rest_go_on)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);
	struct rsip_pool_stats s;
	uint64_t before;

	cr_assert_eq(commit(), 0);
	rsip_store_mem_fail(store, -ENOSPC);
	gw.now += S;
	an_extend(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_assert_eq(commit(), -ENOSPC);
	gw.now += 900 * S;
	before = rsip_lease_bind_by_id(gw.lm, bind, NULL)->expires_ns;
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK, "EXTEND goes on");
	cr_assert_eq(waits(), 0, "and is answered at once");
	cr_assert_gt(rsip_lease_bind_by_id(gw.lm, bind, NULL)->expires_ns, before);
	cr_assert_eq(say_again(gw_host(1)), RSIP_OK, "its duplicate too");
	an_assign(id, 8);
	cr_assert_eq(say(gw_host(1), 5), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	an_ipsec_assign(id, 2);
	cr_assert_eq(say(gw_host(1), 6), RSIP_ERR_IPSEC_SPI_UNAVAILABLE);
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 7), RSIP_OK);
	gw.now += 1000 * S;
	tick_at(gw.now);
	rsip_lease_pool_stats(gw.lm, 0, &s);
	cr_assert_eq(s.ports_held, 8, "what was freed stays held until that is on disk");
	rsip_store_mem_fail(store, 0);
	cr_assert_eq(commit(), 0);
	tick_at(gw.now);
	rsip_lease_pool_stats(gw.lm, 0, &s);
	cr_assert_eq(s.ports_held, 0);
	granted(gw_host(1), id, 8);
}

Test(engine_store, hosts_that_come_and_go_meanwhile_fill_no_memory)
{
	struct rsip_from f = over_tcp(gw_host(1));
	uint32_t before, id;

	registered(f);
	rsip_store_mem_fail(store, -ENOSPC);
	cr_assert_neq(commit(), 0);
	before = rsip_journal_backlog(journal);
	f = over_tcp(gw_host(2));
	for (uint32_t i = 0; i < 100; i++) {
		id = registered(f);
		cr_assert_eq(waits(), 0);
		a_deregister(id);
		cr_assert_eq(say(f, 2), RSIP_OK);
	}
	cr_expect_eq(rsip_journal_backlog(journal), before);
	id = registered(f);
	rsip_store_mem_fail(store, 0);
	cr_assert_eq(commit(), 0);
	granted(f, id, 2);
	cr_expect_eq(rsip_journal_backlog(journal), 2, "the binding, and now the registration, too");
}

Test(engine_store, an_extension_of_those_days_outlives_a_crash_in_the_maps)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);

	cr_assert_eq(commit(), 0);
	rsip_store_mem_fail(store, -ENOSPC);
	gw.now += 1000 * S;
	an_extend(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_assert_eq(commit(), -ENOSPC);
	crash();
	cr_assert_eq(rsip_lease_bind_by_id(gw.lm, bind, NULL)->expires_ns, gw.now + 1800 * S);
	rsip_store_mem_fail(store, 0);
	cr_assert_eq(commit(), 0, "and is written when it can be");
}

Test(engine_store, a_grant_whose_commit_fails_is_taken_back)
{
	uint32_t id = registered(gw_host(1));
	struct rsip_engine_grant grant;
	struct rsip_pool_stats s;

	granted(gw_host(1), id, 2);
	cr_assert_neq(rsip_engine_waits(gw.e, &grant), 0);
	cr_assert_neq(grant.bind_id, 0);
	rsip_store_mem_fail(store, -EROFS);
	cr_assert_eq(commit(), -EROFS);
	gw.answer_len = rsip_engine_withdraw(gw.e, &(struct rsip_from){ .addr = gw_host(1).addr, .transport = RSIP_TRANSPORT_UDP },
					     &grant, gw.now, gw.answer, sizeof(gw.answer));
	cr_assert_eq(rsip_decode(gw.answer, gw.answer_len, &gw.got), RSIP_OK);
	cr_assert_eq(gw.got.error, RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(gw.got.counter, 2);
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 0);
	cr_assert_eq(say_again(gw_host(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE, "and its duplicate draws the same");
	rsip_store_mem_fail(store, 0);
	cr_assert_eq(commit(), 0);
	crash();
	cr_assert_eq(found.binds, 0);
	rsip_lease_pool_stats(gw.lm, 0, &s);
	cr_assert_eq(s.ports_held, 8);
}
