// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a start finds: leases after a reboot, ends that nobody saw, interfaces under other numbers, keys and their sequences. */
#include "engine_store_fixture.h"

TestSuite(engine_boot, .init = up, .fini = down);

Test(engine_boot, after_a_reboot_leases_are_installed_again_for_what_is_left_of_them)
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

static int note_dscp(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	(void)slot;
	*(uint8_t *)arg = b->rec.dscp;
	return 0;
}

static uint8_t dscp_installed(void)
{
	uint8_t dscp = 0xff;

	cr_assert_eq(gw.dp->ops->foreach(gw.dp, gw.now, note_dscp, &dscp), 0);
	return dscp;
}

Test(engine_boot, the_dscp_is_the_configurations_of_today)
{
	static struct rsip_flow_policy policy;

	granted(gw_host(1), registered(gw_host(1)), 2);
	cr_assert_eq(commit(), 0);
	cr_assert_eq(dscp_installed(), 0);
	policy = rsip_flow_default;
	policy.dscp = RSIP_BIND_DSCP_SET | 46;
	gw.conf.policies = &policy;
	gw.conf.policy_cnt = 1;
	crash();
	cr_expect_eq(dscp_installed(), RSIP_BIND_DSCP_SET | 46, "found installed");
	policy.dscp = RSIP_BIND_DSCP_SET;
	reboot();
	cr_expect_eq(dscp_installed(), RSIP_BIND_DSCP_SET, "installed again");
}

Test(engine_boot, a_duplicate_after_a_reboot_draws_its_answer)
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

Test(engine_boot, the_end_of_a_lease_while_nobody_ran_is_told_at_the_next_start)
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

Test(engine_boot, after_a_reboot_such_an_end_is_told_with_its_time)
{
	uint32_t id;

	granted_and_watched(&id);
	cr_assert_eq(commit(), 0);
	reboot_after(7 * 86400);
	cr_assert_eq(gone.cnt, 1);
	cr_expect_eq(gone.why, RSIP_END_EXPIRED);
	cr_expect_eq(gone.ago_ns, (7 * 86400 - 1800) * (int64_t)S);
}

Test(engine_boot, a_grant_that_a_crash_took_back_has_ended)
{
	uint32_t id, bind = granted_and_watched(&id);

	crash();
	cr_assert_eq(gone.cnt, 1);
	cr_expect_eq(gone.bind_id, bind);
	cr_expect_eq(gone.why, RSIP_END_REFUSED);
	cr_expect_eq(gone.iface, RSIP_MAX_IFACES, "its registration is not in the store, either");
}

Test(engine_boot, a_lease_of_a_pool_that_is_no_more_has_ended)
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

Test(engine_boot, the_host_of_such_a_lease_is_told)
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
Test(engine_boot, after_a_long_time_off_all_leases_have_ended)
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

Test(engine_boot, after_a_reboot_a_host_is_found_on_its_interface_whatever_the_number_is_now)
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

Test(engine_boot, the_only_private_interface_may_have_been_renamed)
{
	uint32_t id = registered(gw_host(1)), bind = granted(gw_host(1), id, 2);

	cr_assert_eq(commit(), 0);
	strcpy(ifaces[1].rec.name, "lan");
	ifaces[2].rec.role = RSIP_ROLE_PUBLIC;
	reboot();
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
}

Test(engine_boot, what_was_leased_on_an_interface_that_is_gone_rests)
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

/* gw.m with counter n and our MAC, in gw.bytes. */
static void sign(uint32_t n, uint64_t seq)
{
	gw.m.has |= RSIP_HAS_COUNTER;
	gw.m.counter = n;
	rsip_auth_add(&gw.m, a_key.key.id, seq);
	gw.len = (size_t)rsip_encode(&gw.m, gw.bytes, sizeof(gw.bytes));
	rsip_auth_sign(&a_key.key, RSIP_AUTH_TO_GATEWAY, NULL, gw.bytes, gw.len);
}

static int say_signed(uint32_t n, uint64_t seq)
{
	sign(n, seq);
	return say_bytes(gw_host(1), gw.bytes, gw.len);
}

static uint32_t come_with_key(uint32_t n, uint64_t seq)
{
	a_register();
	cr_assert_eq(say_signed(n, seq), RSIP_OK);
	return gw.got.client_id;
}

/* An rsipd that knows the key, and a host that has come with it and is about to ask for ports. */
static uint32_t begin_with_key(uint8_t auth)
{
	uint32_t id;

	end();
	gw.conf.auth = auth;
	gw.conf.keys = &a_key;
	gw.conf.key_cnt = 1;
	begin();
	id = come_with_key(1, SEQ);
	an_assign(id, 8);
	return id;
}

Test(engine_boot, what_was_said_with_a_key_cannot_be_said_again_after_its_registration_has_ended)
{
	static uint8_t old[256];
	uint32_t id = begin_with_key(RSIP_AUTH_REQUIRED);
	size_t len;

	cr_assert_eq(say_signed(2, SEQ + 1), RSIP_OK);
	a_deregister(id);
	cr_assert_eq(say_signed(3, SEQ + 2), RSIP_OK);
	a_register();
	sign(77, SEQ + 2); /* recorded by somebody, and never served */
	len = gw.len;
	memcpy(old, gw.bytes, len);
	cr_assert_eq(commit(), 0);
	gw.now += 11 * S; /* the row of the registration goes, too */
	tick_at(gw.now);
	cr_assert_eq(commit(), 0);
	crash();
	cr_assert_eq(say_bytes(gw_host(1), old, len), RSIP_ERR_REGISTRATION_DENIED);
	cr_assert_neq(come_with_key(5, SEQ + 3), 0);
}

Test(engine_boot, a_key_that_comes_back_into_the_configuration_goes_on_where_it_was)
{
	begin_with_key(RSIP_AUTH_OPTIONAL);
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
