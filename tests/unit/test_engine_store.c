// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a crash of rsipd leaves: counters, duplicates, registrations, leases; which answers wait for the store; and what is
 * said while it cannot be written.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "engine_fixture.h"
#include "journal.h"
#include "restore.h"

static struct rsip_store *store;
static struct rsip_journal *journal;
static struct rsip_lease_found found;
static struct rsip_store_clock boot = { .boot_id = "boot-1" };

/* Interface 2 is the hosts'; what it is called, and what numbers there are, may change with a reboot. */
static struct rsip_dp_iface ifaces[] = {
	{ .index = 1, .rec = { .name = "pub0", .role = RSIP_ROLE_PUBLIC } },
	{ .index = 2, .rec = { .name = "priv2", .role = RSIP_ROLE_PRIVATE } },
	{ .index = 3, .rec = { .name = "priv3", .role = RSIP_ROLE_PRIVATE } },
};

static void restore(void)
{
	const struct rsip_restore parts = { .store = store, .journal = journal, .engine = gw.e, .lm = gw.lm, .iface = ifaces,
					    .iface_cnt = RSIP_ARRAY_LEN(ifaces) };

	cr_assert_eq(rsip_restore(&parts, &boot, &found), 0);
}

static void begin(void)
{
	cr_assert_eq(rsip_journal_create(&journal), 0);
	gw.conf.journal = gw.lease.journal = journal;
	gw_lease_up();
	boot.mono_ns = gw.now;
	boot.real_ns = gw.now + 1000000 * S;
	restore();
}

static int commit(void)
{
	const struct rsip_batch *b;
	int err = 0;

	boot.mono_ns = gw.now;
	while (!err && (b = rsip_journal_take(journal))) {
		err = store->ops->commit(store, b->change, b->cnt, &boot);
		rsip_journal_done(journal, err);
	}
	return err;
}

static void end(void)
{
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	rsip_journal_destroy(journal);
}

/* kill -9: what was not committed is gone; the data plane is what it was. */
static void crash(void)
{
	end();
	begin();
}

static void up(void)
{
	gw_plan();
	gw.lease.limits.hold_s = 120;
	cr_assert_eq(rsip_dataplane_mem(1024, 8, &gw.dp), 0);
	cr_assert_eq(rsip_store_mem(&store), 0);
	begin();
	cr_assert_eq(commit(), 0);
}

static void down(void)
{
	end();
	store->ops->close(store);
	gw.dp->ops->close(gw.dp);
}

TestSuite(engine_store, .init = up, .fini = down);

static uint64_t waits(void)
{
	struct rsip_engine_grant grant;

	return rsip_engine_waits(gw.e, &grant);
}

static uint32_t granted(struct rsip_from f, uint32_t id, uint32_t n)
{
	an_assign(id, 8);
	cr_assert_eq(say(f, n), RSIP_OK);
	return gw.got.bind_id;
}

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

/* rsipd and the maps are gone; 600 s have passed. */
/* The machine was off for so long. */
static void reboot_after(uint64_t off_s)
{
	end();
	gw.dp->ops->close(gw.dp);
	cr_assert_eq(rsip_dataplane_mem(1024, 8, &gw.dp), 0);
	gw.now = 50 * S;
	strcpy(boot.boot_id, "boot-2");
	cr_assert_eq(rsip_journal_create(&journal), 0);
	gw.conf.journal = gw.lease.journal = journal;
	gw_lease_up();
	boot.mono_ns = gw.now;
	boot.real_ns = (1000000 + 1000 + off_s) * S;
	restore();
}

static void reboot(void)
{
	reboot_after(600);
}

Test(engine_store, after_a_reboot_leases_are_installed_again_for_what_is_left_of_them)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);
	const struct rsip_lease_bind *b;

	cr_assert_eq(commit(), 0);
	reboot();
	cr_assert_eq(found.installed, 1);
	b = rsip_lease_bind_by_id(gw.lm, bind, NULL);
	cr_assert_not_null(b);
	cr_assert_eq(b->expires_ns - gw.now, (1800 - 600) * S);
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
}

Test(engine_store, a_duplicate_after_a_reboot_draws_its_answer)
{
	static uint8_t request[256], answer[256];
	size_t len, answer_len;

	granted(gw_host(1), registered(gw_host(1)), 2);
	len = gw.len;
	answer_len = gw.answer_len;
	memcpy(request, gw.bytes, len);
	memcpy(answer, gw.answer, answer_len);
	cr_assert_eq(commit(), 0);
	reboot(); /* the answer was given at a time below zero */
	cr_assert_eq(say_bytes(gw_host(1), request, len), RSIP_OK);
	cr_assert_eq(gw.answer_len, answer_len);
	cr_assert_arr_eq(gw.answer, answer, answer_len);
	cr_assert_eq(rsip_lease_bind_count(gw.lm), 1);
}

/* ---- ends that nobody saw ------------------------------------------------------------------------------------- */

static struct {
	uint32_t bind_id, client_id;
	uint16_t iface, port_cnt;
	enum rsip_end why;
	int64_t ago_ns;
	unsigned int cnt;
} gone;

static void note_gone(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why,
		      uint64_t at_ns)
{
	(void)arg;
	gone.bind_id = b->bind_id;
	gone.client_id = c->client_id;
	gone.iface = c->iface;
	gone.port_cnt = b->ports.cnt;
	gone.why = why;
	gone.ago_ns = (int64_t)(gw.now - at_ns);
	gone.cnt++;
}

static uint32_t granted_and_watched(uint32_t *id)
{
	memset(&gone, 0, sizeof(gone));
	gw.conf.observer.bind_gone = note_gone; /* of the next start */
	*id = registered(gw_host(1));
	return granted(gw_host(1), *id, 2);
}

Test(engine_store, the_end_of_a_lease_while_nobody_ran_is_told_at_the_next_start)
{
	uint32_t id, bind = granted_and_watched(&id);

	cr_assert_eq(commit(), 0);
	gw.now += 2000 * S; /* the lease was for 1800, the registration for 3600 */
	crash();
	cr_assert_eq(gone.cnt, 1);
	cr_expect_eq(gone.bind_id, bind);
	cr_expect_eq(gone.client_id, id);
	cr_expect_eq(gone.iface, gw_host(1).iface);
	cr_expect_eq(gone.port_cnt, 8);
	cr_expect_eq(gone.why, RSIP_END_EXPIRED);
	cr_expect_eq(gone.ago_ns, 200 * (int64_t)S);
	cr_assert_eq(commit(), 0);
	crash();
	cr_expect_eq(gone.cnt, 1, "once");
}

Test(engine_store, after_a_reboot_such_an_end_is_told_with_its_time)
{
	uint32_t id;

	granted_and_watched(&id);
	cr_assert_eq(commit(), 0);
	reboot_after(7 * 86400);
	cr_assert_eq(gone.cnt, 1);
	cr_expect_eq(gone.why, RSIP_END_EXPIRED);
	cr_expect_eq(gone.ago_ns, (7 * 86400 - 1800) * (int64_t)S);
}

Test(engine_store, a_grant_that_a_crash_took_back_has_ended)
{
	uint32_t id, bind = granted_and_watched(&id);

	crash();
	cr_assert_eq(gone.cnt, 1);
	cr_expect_eq(gone.bind_id, bind);
	cr_expect_eq(gone.why, RSIP_END_REFUSED);
	cr_expect_eq(gone.iface, RSIP_MAX_IFACES, "its registration is not in the store, either");
}

Test(engine_store, a_lease_of_a_pool_that_is_no_more_has_ended)
{
	uint32_t id, bind;

	granted_and_watched(&id);
	an_assign(id, 4);
	with_local("203.0.113.2");
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	bind = gw.got.bind_id;
	cr_assert_eq(commit(), 0);
	gw.pool[0].addr_cnt = 1;
	crash();
	cr_assert_eq(gone.cnt, 1, "once, though it was installed, too");
	cr_expect_eq(gone.bind_id, bind);
	cr_expect_eq(gone.port_cnt, 4);
	cr_expect_eq(gone.why, RSIP_END_REFUSED);
}

Test(engine_store, the_host_of_such_a_lease_is_told)
{
	uint32_t id = registered(gw_host(1)), bind;

	an_assign(id, 4);
	with_local("203.0.113.2");
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	bind = gw.got.bind_id;
	cr_assert_eq(commit(), 0);
	gw.pool[0].addr_cnt = 1;
	crash();
	gw.heard_cnt = 0;
	rsip_engine_tick(gw.e, gw.now);
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].type, RSIP_MSG_FREE_RESPONSE);
	cr_expect_eq(gw.heard[0].client_id, id);
	cr_expect_eq(gw.heard[0].bind_id, bind);
	cr_expect_eq(gw.heard[0].to.port, gw_host(1).port);
}

/* Times of before the boot are below zero. */
Test(engine_store, after_a_long_time_off_all_leases_have_ended)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);
	struct rsip_pool_stats s;

	granted(gw_host(1), id, 3);
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	cr_assert_eq(commit(), 0);
	reboot_after(7 * 86400);
	tick_at(gw.now + S);
	cr_assert_eq(commit(), 0);
	tick_at(gw.now + S);
	cr_expect_eq(found.binds, 0, "%u", found.binds);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
	rsip_lease_pool_stats(gw.lm, 0, &s);
	cr_expect_eq(s.ports_held, 0, "what has rested long enough is free");
	cr_assert(registered(gw_host(1)));
}

static int note_iface(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	(void)slot;
	*(uint16_t *)arg = b->rec.iface;
	return 0;
}

/* Of the only binding. */
static uint16_t installed_iface(void)
{
	uint16_t iface = 0;

	cr_assert_eq(gw.dp->ops->foreach(gw.dp, gw.now, note_iface, &iface), 0);
	return iface;
}

Test(engine_store, after_a_reboot_a_host_is_found_on_its_interface_whatever_the_number_is_now)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);
	struct rsip_from host = gw_host(1);

	cr_assert_eq(commit(), 0);
	ifaces[1].index = 5;
	ifaces[2].index = 2;
	reboot();
	cr_assert_eq(rsip_lease_by_host(gw.lm, host.addr)->iface, 5);
	cr_assert_eq(installed_iface(), 5);
	a_free(id, bind);
	cr_assert_eq(say(host, 3), SILENCE, "number 2 is another network now");
	host.iface = 5;
	cr_assert_eq(say(host, 3), RSIP_OK);
}

Test(engine_store, the_only_private_interface_may_have_been_renamed)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);

	cr_assert_eq(commit(), 0);
	strcpy(ifaces[1].rec.name, "lan");
	ifaces[2].rec.role = RSIP_ROLE_PUBLIC;
	reboot();
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
}

Test(engine_store, what_was_leased_on_an_interface_that_is_gone_rests)
{
	uint32_t id = registered(gw_host(1));
	struct rsip_pool_stats s;

	granted(gw_host(1), id, 2);
	cr_assert_eq(commit(), 0);
	strcpy(ifaces[1].rec.name, "other");
	reboot();
	cr_assert_eq(found.clients, 0);
	cr_assert_eq(found.resting, 1);
	rsip_lease_pool_stats(gw.lm, 0, &s);
	cr_assert_eq(s.ports_held, 8);
	cr_assert_eq(commit(), 0);
	gw.now += 121 * S;
	tick_at(gw.now);
	rsip_lease_pool_stats(gw.lm, 0, &s);
	cr_assert_eq(s.ports_held, 0);
}

/* ---- keys ------------------------------------------------------------------------------------------------------------------ */

#define SEQ 1748000000000000ULL

static const struct rsip_key_conf a_key = { .key = { .id = 9, .len = 16, .secret = "0123456789abcdef" },
					    .net = { { 0, 0 } }, .net_cnt = 1 };

/* As say(), with our MAC; the bytes stay in gw.bytes. */
static int say_signed(uint32_t n, uint64_t seq)
{
	gw.m.has |= RSIP_HAS_COUNTER;
	gw.m.counter = n;
	rsip_auth_add(&gw.m, a_key.key.id, seq);
	gw.len = (size_t)rsip_encode(&gw.m, gw.bytes, sizeof(gw.bytes));
	rsip_auth_sign(&a_key.key, RSIP_AUTH_TO_GATEWAY, NULL, gw.bytes, gw.len);
	return say_bytes(gw_host(1), gw.bytes, gw.len);
}

static uint32_t come_with_key(uint32_t n, uint64_t seq)
{
	a_register();
	cr_assert_eq(say_signed(n, seq), RSIP_OK);
	return gw.got.client_id;
}

Test(engine_store, what_was_said_with_a_key_cannot_be_said_again_after_its_registration_has_ended)
{
	static uint8_t old[256];
	size_t len;
	uint32_t id;

	end();
	gw.conf.auth = RSIP_AUTH_REQUIRED;
	gw.conf.keys = &a_key;
	gw.conf.key_cnt = 1;
	begin();
	id = come_with_key(1, SEQ);
	an_assign(id, 8);
	cr_assert_eq(say_signed(2, SEQ + 1), RSIP_OK);
	a_deregister(id);
	cr_assert_eq(say_signed(3, SEQ + 2), RSIP_OK);
	a_register();
	gw.m.has |= RSIP_HAS_COUNTER; /* recorded by somebody, and never served */
	gw.m.counter = 77;
	rsip_auth_add(&gw.m, a_key.key.id, SEQ + 2);
	len = (size_t)rsip_encode(&gw.m, old, sizeof(old));
	rsip_auth_sign(&a_key.key, RSIP_AUTH_TO_GATEWAY, NULL, old, len);
	cr_assert_eq(commit(), 0);
	gw.now += 11 * S; /* the row of the registration goes, too */
	tick_at(gw.now);
	cr_assert_eq(commit(), 0);
	crash();
	cr_assert_eq(say_bytes(gw_host(1), old, len), RSIP_ERR_REGISTRATION_DENIED);
	cr_assert_neq(come_with_key(5, SEQ + 3), 0);
}

Test(engine_store, a_key_that_comes_back_into_the_configuration_goes_on_where_it_was)
{
	uint32_t id;

	end();
	gw.conf.auth = RSIP_AUTH_OPTIONAL;
	gw.conf.keys = &a_key;
	gw.conf.key_cnt = 1;
	begin();
	id = come_with_key(1, SEQ);
	an_assign(id, 8);
	cr_assert_eq(say_signed(2, SEQ + 9), RSIP_OK);
	cr_assert_eq(commit(), 0);
	gw.conf.key_cnt = 0;
	crash(); /* and comes up without it */
	gw_change();
	gw.conf.key_cnt = 1;
	gw_change();
	a_register();
	cr_assert_eq(say_signed(8, SEQ + 9), RSIP_ERR_REGISTRATION_DENIED);
	a_register();
	cr_assert_eq(say_signed(8, SEQ + 10), RSIP_OK);
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
