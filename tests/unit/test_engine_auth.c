// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hosts with keys (RFC 3102 3.3): what is replayed, reordered, forged or stripped of its MAC, from whom, and what
 * the gateway proves.  Host 1 has key 7, host 2 has none; both may be where "optional" is, which is the usual here.
 */
#include <criterion/criterion.h>
#include <errno.h>

#include "engine_fixture.h"
#include "journal.h"

#define KEY 7
#define SEQ 1000000000ULL

static struct rsip_key_conf keys[2];
static uint8_t request_mac[RSIP_AUTH_MAC_LEN];
static uint8_t async[128];
static size_t async_len;

static void keep_async(void *arg, const struct rsip_from *to, const uint8_t *msg, size_t len)
{
	cr_assert_leq(len, sizeof(async));
	memcpy(async, msg, len);
	async_len = len;
	gw_hear(arg, to, msg, len);
}

static void up(enum rsip_auth_mode mode)
{
	gw_plan();
	keys[0] = (struct rsip_key_conf){ .key = { .id = KEY, .len = 16, .secret = "one host's secret" },
					  .net = { { gw_host(1).addr, 0xffffffff } },
					  .net_cnt = 1 };
	keys[1] = (struct rsip_key_conf){ .key = { .id = 8, .len = 16, .secret = "another's secret." },
					  .net = { { gw_host(3).addr, 0xffffffff } },
					  .net_cnt = 1 };
	gw.conf.auth = mode;
	gw.conf.keys = keys;
	gw.conf.key_cnt = 2;
	gw.conf.send_async = keep_async;
	gw_up();
}

static void optional(void)
{
	up(RSIP_AUTH_OPTIONAL);
}

static void required(void)
{
	up(RSIP_AUTH_REQUIRED);
}

TestSuite(engine_auth, .init = optional, .fini = gw_down);
TestSuite(engine_auth_required, .init = required, .fini = gw_down);

/* gw.m with counter n and a MAC made with that key. */
static int say_signed(struct rsip_from from, uint32_t n, const struct rsip_auth_key *key, uint64_t seq)
{
	int len;

	gw.m.has |= RSIP_HAS_COUNTER;
	gw.m.counter = n;
	rsip_auth_add(&gw.m, key->id, seq);
	len = rsip_encode(&gw.m, gw.bytes, sizeof(gw.bytes));
	cr_assert_gt(len, 0);
	gw.len = len;
	rsip_auth_sign(key, RSIP_AUTH_TO_GATEWAY, NULL, gw.bytes, gw.len);
	memcpy(request_mac, gw.bytes + gw.len - sizeof(request_mac), sizeof(request_mac));
	return say_bytes(from, gw.bytes, gw.len);
}

static bool answer_is_genuine(const struct rsip_auth_key *key)
{
	struct rsip_auth a;

	return rsip_auth_find(gw.answer, gw.answer_len, &a) && a.key_id == key->id &&
	       rsip_auth_check(key, RSIP_AUTH_FROM_GATEWAY, request_mac, gw.answer, gw.answer_len);
}

static uint64_t answer_seq(void)
{
	struct rsip_auth a = { .seq = 0 };

	rsip_auth_find(gw.answer, gw.answer_len, &a);
	return a.seq;
}

static uint32_t registered_with_key(void)
{
	a_register();
	cr_assert_eq(say_signed(gw_host(1), 1, &keys[0].key, SEQ), RSIP_OK);
	cr_assert(answer_is_genuine(&keys[0].key));
	return gw.got.client_id;
}

static void change_keys(enum rsip_auth_mode mode, const struct rsip_key_conf *k, uint32_t cnt)
{
	gw.conf.auth = mode;
	gw.conf.keys = k;
	gw.conf.key_cnt = cnt;
	gw_change();
}

Test(engine_auth, a_host_with_a_key_is_served_and_hears_the_gateway_prove_itself)
{
	uint32_t id = registered_with_key();

	an_assign(id, 4);
	cr_assert_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ + 1), RSIP_OK);
	cr_expect(answer_is_genuine(&keys[0].key));
	an_assign(id + 1, 4);
	cr_assert_eq(say_signed(gw_host(1), 3, &keys[0].key, SEQ + 2), 305);
	cr_expect(answer_is_genuine(&keys[0].key), "errors too");
	cr_expect_eq(rsip_engine_stats(gw.e)->authenticated, 3);
}

Test(engine_auth, a_host_without_one_is_served_where_it_is_optional)
{
	uint32_t id = registered(gw_host(2));

	cr_assert(id);
	an_assign(id, 4);
	cr_expect_eq(say(gw_host(2), 2), RSIP_OK);
	cr_expect_eq(gw.got.has & RSIP_HAS_AUTH, 0);
}

Test(engine_auth_required, a_host_without_one_is_not_served)
{
	a_register();
	cr_expect_eq(say(gw_host(2), 1), 304);
	an_assign(1, 4);
	cr_expect_eq(say(gw_host(2), 2), SILENCE);
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_NO_MAC), 1);
	registered_with_key();
}

Test(engine_auth, stripped_messages_of_a_source_with_a_key_are_a_downgrade)
{
	uint32_t id;

	a_register();
	cr_expect_eq(say(gw_host(1), 1), 304);
	cr_expect_eq(gw.got.has & RSIP_HAS_AUTH, 0, "nobody has asked for a proof");
	id = registered_with_key();
	an_assign(id, 4);
	cr_expect_eq(say(gw_host(1), 2), SILENCE);
	a_deregister(id);
	cr_expect_eq(say(gw_host(1), 3), SILENCE);
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_NO_MAC), 2);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 1);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
}

Test(engine_auth, forged_messages_change_nothing)
{
	struct rsip_auth_key wrong = keys[0].key;
	uint32_t id = registered_with_key();

	wrong.secret[0] ^= 1;
	an_assign(id, 4);
	cr_expect_eq(say_signed(gw_host(1), 2, &wrong, SEQ + 1), SILENCE);
	wrong.id = 99;
	cr_expect_eq(say_signed(gw_host(1), 2, &wrong, SEQ + 1), SILENCE, "no such key");
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_BAD_MAC), 2);
	a_register();
	cr_expect_eq(say_signed(gw_host(1), 77, &wrong, SEQ + 1), 304);
	an_assign(id, 4);
	cr_expect_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ + 1), RSIP_OK,
		     "neither counter nor sequence has moved");
	gw.bytes[gw.len - 1] ^= 1;
	cr_expect_eq(say_again(gw_host(1)), SILENCE, "not even the duplicate");
}

Test(engine_auth, a_forged_register_does_not_open_a_second_sequence)
{
	uint32_t id = registered_with_key();

	a_register();
	cr_expect_eq(say(gw_host(1), 5000), 304);
	an_assign(id, 4);
	cr_expect_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ + 1), RSIP_OK);
}

Test(engine_auth, a_key_works_from_its_own_sources_only)
{
	a_register();
	cr_expect_eq(say_signed(gw_host(2), 1, &keys[0].key, SEQ), 304);
	cr_expect_eq(gw.got.has & RSIP_HAS_AUTH, 0);
	cr_expect_eq(say_signed(gw_host(1), 1, &keys[1].key, SEQ), 304, "nor another's key from here");
	registered_with_key();
}

Test(engine_auth, replayed_messages_are_dropped_once_they_are_no_duplicates)
{
	uint32_t id = registered_with_key();
	uint8_t old[256];
	size_t len;

	an_assign(id, 4);
	cr_assert_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ + 1), RSIP_OK);
	len = gw.len;
	memcpy(old, gw.bytes, len);
	cr_expect_eq(say_again(gw_host(1)), RSIP_OK, "an exact duplicate gets its answer again");
	a_deregister(id);
	cr_assert_eq(say_signed(gw_host(1), 3, &keys[0].key, SEQ + 2), RSIP_OK);
	a_register();
	cr_assert_eq(say_signed(gw_host(1), 4, &keys[0].key, SEQ + 3), RSIP_OK);
	cr_expect_eq(say_bytes(gw_host(1), old, len), SILENCE);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
}

/* 10.2.1: it is served whatever its counter, so nothing but the sequence of its MAC stands in the way. */
Test(engine_auth, a_replayed_deregister_is_dropped)
{
	struct rsip_auth_key strange = keys[0].key;
	uint32_t id = registered_with_key();

	a_deregister(id);
	cr_expect_eq(say_signed(gw_host(1), 9, &keys[0].key, SEQ), SILENCE);
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_OLD_MAC), 1);
	strange.secret[3] ^= 1;
	a_deregister(id);
	cr_expect_eq(say_signed(gw_host(1), 9, &strange, SEQ + 9), SILENCE);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 1);
	a_deregister(id);
	cr_expect_eq(say_signed(gw_host(1), 9, &keys[0].key, SEQ + 1), RSIP_OK);
}

Test(engine_auth, reordered_messages_are_dropped_over_tcp_too)
{
	struct rsip_from host = over_tcp(gw_host(1));
	uint32_t id;

	a_register();
	cr_assert_eq(say_signed(host, 1, &keys[0].key, SEQ), RSIP_OK);
	id = gw.got.client_id;
	an_assign(id, 4);
	cr_expect_eq(say_signed(host, 3, &keys[0].key, SEQ + 2), RSIP_OK);
	an_assign(id, 4);
	cr_expect_eq(say_signed(host, 2, &keys[0].key, SEQ + 1), SILENCE);
	cr_expect_eq(say_signed(host, 2, &keys[0].key, SEQ + 2), SILENCE, "equal is not above");
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_OLD_MAC), 2);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1);
}

Test(engine_auth, a_register_with_an_old_sequence_hears_the_highest)
{
	a_register();
	rsip_engine_auth_seen(gw.e, KEY, SEQ + 500);
	rsip_engine_auth_seen(gw.e, KEY, SEQ + 400);
	cr_assert_eq(say_signed(gw_host(1), 1, &keys[0].key, SEQ), 304);
	cr_assert(answer_is_genuine(&keys[0].key));
	cr_expect_eq(answer_seq(), SEQ + 500);
	cr_expect_eq(say_signed(gw_host(1), 2, &keys[0].key, answer_seq() + 1), RSIP_OK);
}

Test(engine_auth, the_gateway_numbers_its_messages_by_the_clock)
{
	uint64_t first;

	rsip_engine_set_wall(gw.e, 1000);
	registered_with_key();
	first = answer_seq();
	cr_expect_eq(first, 1000 + gw.now / 1000);
	a_register();
	cr_assert_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ + 1), 302);
	cr_expect_eq(answer_seq(), first + 1);
}

Test(engine_auth, what_the_gateway_says_unasked_is_signed_anew_each_time)
{
	uint32_t id = registered_with_key();
	uint64_t last = 0;

	an_assign(id, 4);
	cr_assert_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ + 1), RSIP_OK);
	rsip_lease_deregister(gw.lm, rsip_lease_by_id(gw.lm, id), RSIP_END_OPERATOR, gw.now);
	for (int i = 0; i < 3; i++) {
		struct rsip_auth a;

		async_len = 0;
		tick_at(gw.now + S);
		cr_assert(rsip_auth_find(async, async_len, &a), "copy %d", i);
		cr_expect(rsip_auth_check(&keys[0].key, RSIP_AUTH_FROM_GATEWAY, NULL, async, async_len));
		cr_expect_gt(a.seq, last);
		last = a.seq;
	}
}

Test(engine_auth, a_malformed_message_draws_its_own_error_first)
{
	uint8_t msg[64] = { 1, 4, 0, 42, 0x0b, 0, 4, 0, 0, 0, 9 }; /* a DE-REGISTER without client ID */

	msg[11] = 0xf1;
	msg[13] = 28;
	msg[17] = KEY;
	cr_expect_eq(say_bytes(gw_host(1), msg, 42), 201);
}

/* ---- what is said on other ways than that of a request -------------------------------------------------------- */

static struct rsip_journal *journal;

static void with_journal(void)
{
	optional();
	gw_down();
	cr_assert_eq(rsip_journal_create(&journal), 0);
	gw.conf.journal = gw.lease.journal = journal;
	gw_up();
}

static void without_journal(void)
{
	gw_down();
	rsip_journal_destroy(journal);
}

TestSuite(engine_auth_store, .init = with_journal, .fini = without_journal);

/* The store could not keep the last grant; true where the host is told of it. */
static bool withdrawn(const struct rsip_engine_grant *grant)
{
	const struct rsip_from f = gw_host(1);

	gw.answer_len = rsip_engine_withdraw(gw.e, &f, grant, gw.now, gw.answer, sizeof(gw.answer));
	return gw.answer_len && rsip_decode(gw.answer, gw.answer_len, &gw.got) == RSIP_OK;
}

static struct rsip_engine_grant granted_with_key(void)
{
	struct rsip_engine_grant grant;
	uint32_t id = registered_with_key();

	an_assign(id, 4);
	cr_assert_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ + 1), RSIP_OK);
	cr_assert_neq(rsip_engine_waits(gw.e, &grant), 0);
	cr_assert_neq(grant.bind_id, 0);
	return grant;
}

Test(engine_auth_store, a_grant_that_cannot_be_kept_is_taken_back_with_a_proof)
{
	struct rsip_engine_grant grant = granted_with_key();

	cr_assert(withdrawn(&grant));
	cr_expect_eq(gw.got.error, RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_expect(answer_is_genuine(&keys[0].key));
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
	rsip_journal_done(journal, rsip_journal_take(journal) ? -EROFS : 0);
	cr_expect_eq(say_again(gw_host(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_expect(answer_is_genuine(&keys[0].key), "its duplicate's answer, too");
}

Test(engine_auth_store, nothing_is_said_in_a_key_that_is_gone)
{
	struct rsip_engine_grant grant = granted_with_key();

	change_keys(RSIP_AUTH_OPTIONAL, keys + 1, 1);
	cr_expect_not(withdrawn(&grant), "its host would not believe it");
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
}

Test(engine_auth, a_host_that_must_use_tcp_is_told_with_a_proof)
{
	gw.conf.udp_off = true;
	gw_change();
	a_register();
	cr_assert_eq(say_signed(gw_host(1), 1, &keys[0].key, SEQ), RSIP_ERR_USE_TCP);
	cr_expect(answer_is_genuine(&keys[0].key));
	cr_expect_eq(say_signed(over_tcp(gw_host(1)), 2, &keys[0].key, SEQ + 1), RSIP_OK);
}

/* RFC 3103 9.5.3: whoever cannot be served any more is told. */
Test(engine_auth, who_has_no_key_goes_where_all_need_one)
{
	uint32_t keyed = registered_with_key(), plain = registered(gw_host(2)), late = registered(gw_host(4));
	struct rsip_key_conf more[2] = { keys[0], keys[1] };

	more[1].net[0].addr = gw_host(4).addr; /* has a key from now on, and may begin to use it */
	change_keys(RSIP_AUTH_REQUIRED, more, 2);
	cr_expect_null(rsip_lease_by_id(gw.lm, plain));
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].type, RSIP_MSG_DE_REGISTER_RESPONSE);
	cr_expect_eq(gw.heard[0].client_id, plain);
	cr_expect_not_null(rsip_lease_by_id(gw.lm, keyed));
	an_assign(late, 4);
	cr_expect_eq(say_signed(gw_host(4), 2, &more[1].key, SEQ), RSIP_OK);
}

Test(engine_auth, a_key_that_is_another_hosts_now_serves_its_old_one_no_more)
{
	uint32_t id = registered_with_key();
	struct rsip_key_conf moved = keys[0];

	moved.net[0].addr = gw_host(5).addr;
	change_keys(RSIP_AUTH_OPTIONAL, &moved, 1);
	cr_assert_null(rsip_lease_by_id(gw.lm, id));
	cr_expect(rsip_auth_check(&keys[0].key, RSIP_AUTH_FROM_GATEWAY, NULL, async, async_len));
}

Test(engine_auth, switched_off_the_parameter_is_ignored)
{
	change_keys(RSIP_AUTH_OFF, keys, 2);
	a_register();
	cr_expect_eq(say_signed(gw_host(2), 1, &keys[0].key, SEQ), RSIP_OK);
	cr_expect_eq(gw.got.has & RSIP_HAS_AUTH, 0);
}

Test(engine_auth, changed_keys_keep_their_sequences_and_end_what_they_leave)
{
	uint32_t id = registered_with_key();

	change_keys(RSIP_AUTH_OPTIONAL, keys, 2);
	a_register();
	cr_expect_eq(say_signed(gw_host(1), 2, &keys[0].key, SEQ), 304, "still an old sequence");
	change_keys(RSIP_AUTH_OPTIONAL, keys + 1, 1);
	cr_expect_null(rsip_lease_by_id(gw.lm, id), "its key is gone");
	cr_expect(rsip_auth_check(&keys[0].key, RSIP_AUTH_FROM_GATEWAY, NULL, async, async_len),
		  "it was told so, in its own key");
	a_register();
	cr_expect_eq(say(gw_host(1), 3), RSIP_OK, "now it has none");
}
