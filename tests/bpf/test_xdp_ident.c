// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ICMP queries of hosts on shared addresses (RFC 3102 6.2): the identifier tells whose a reply is, and whose an error
 * about the query is.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "gateway.h"
#include "dataplane_bpf.h"
#include "util.h"

TestSuite(ident, .init = gateway_up, .fini = gateway_down);

#define ASK(query, ...) pkt(from_host_a(), ip4(PUB_1, REMOTE), query, text("ping"))
#define ASKED(query) pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), query, text("ping"))
#define ANSWER(reply) pkt(from_router, ip4(REMOTE, PUB_1), reply, text("ping"))
#define AT_A(reply) pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), reply, text("ping"))
#define AT_B(reply) pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63), reply, text("ping"))

static void a_asks(uint16_t ident, uint32_t slot)
{
	struct pkt ask = ASK(echo_request(ident)), asked = ASKED(echo_request(ident));

	expect_sent(ask, asked, slot);
}

static void b_asks(uint16_t ident, uint32_t slot)
{
	struct pkt ask = pkt(from_host_b(), ip4(PUB_1, REMOTE), echo_request(ident), text("ping"));
	struct pkt asked = ASKED(echo_request(ident));

	expect_sent(ask, asked, slot);
}

/* As if its last query had been sent so long ago. */
static void given_age(__be32 local, uint16_t ident, uint32_t age_s)
{
	struct rsip_ident_key key = { .local = local, .ident = ident };
	int fd = gateway_map_named("rsip_idents");
	struct rsip_ident v;

	cr_assert_eq(bpf_map_lookup_elem(fd, &key, &v), 0);
	v.seen_s -= age_s;
	cr_assert_eq(bpf_map_update_elem(fd, &key, &v, BPF_EXIST), 0);
	close(fd);
}

static int keys_of(const char *map)
{
	char key[16], next[16];
	int fd = gateway_map_named(map), n = 0;

	for (void *at = NULL; !bpf_map_get_next_key(fd, at, next); at = key, n++)
		memcpy(key, next, sizeof(key));
	close(fd);
	return n;
}

Test(ident, the_reply_to_a_hosts_ping_finds_the_host)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt answer = ANSWER(echo_reply(7)), at_a = AT_A(echo_reply(7));

	expect_dropped(answer, IF_PUB, ICMP_QUERY);
	a_asks(7, slot);
	expect_tunnelled(answer, at_a, slot);
	expect_tunnelled(answer, at_a, slot);
}

Test(ident, the_first_and_the_last_identifier)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	struct pkt first = ANSWER(echo_reply(0)), at_first = AT_A(echo_reply(0));
	struct pkt last = ANSWER(echo_reply(65535)), at_last = AT_A(echo_reply(65535));

	a_asks(0, slot);
	a_asks(65535, slot);
	expect_tunnelled(first, at_first, slot);
	expect_tunnelled(last, at_last, slot);
}

Test(ident, every_query_that_has_an_identifier)
{
	static const struct {
		uint8_t query, reply;
	} pair[] = { { 8, 0 }, { 13, 14 }, { 15, 16 }, { 17, 18 } };
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (size_t i = 0; i < RSIP_ARRAY_LEN(pair); i++) {
		uint16_t id = (uint16_t)(100 + i);
		struct pkt ask = ASK(icmp(pair[i].query, 0, .rest_hi = id, .rest_lo = 1));
		struct pkt asked = ASKED(icmp(pair[i].query, 0, .rest_hi = id, .rest_lo = 1));
		struct pkt answer = ANSWER(icmp(pair[i].reply, 0, .rest_hi = id, .rest_lo = 1));
		struct pkt at_a = AT_A(icmp(pair[i].reply, 0, .rest_hi = id, .rest_lo = 1));

		expect_sent(ask, asked, slot);
		expect_tunnelled(answer, at_a, slot);
	}
}

Test(ident, hosts_replies_and_errors_take_no_identifier)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt reply = ASK(echo_reply(7)), sent = ASKED(echo_reply(7));
	struct pkt error = pkt(from_host_a(), ip4(PUB_1, REMOTE), icmp(3, 3, .rest_hi = 7), ip4(REMOTE, PUB_1),
			       udp(53, 4003));
	struct pkt error_sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), icmp(3, 3, .rest_hi = 7),
				    ip4(REMOTE, PUB_1), udp(53, 4003));
	struct pkt answer = ANSWER(echo_reply(7));

	expect_sent(reply, sent, slot);
	expect_sent(error, error_sent, slot);
	expect_dropped(answer, IF_PUB, ICMP_QUERY);
	cr_expect_eq(keys_of("rsip_idents"), 0);
}

Test(ident, two_hosts_of_one_address_ping_the_same_remote)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt to_a = ANSWER(echo_reply(7)), at_a = AT_A(echo_reply(7));
	struct pkt to_b = ANSWER(echo_reply(8)), at_b = AT_B(echo_reply(8));

	a_asks(7, a);
	b_asks(8, b);
	expect_tunnelled(to_a, at_a, a);
	expect_tunnelled(to_b, at_b, b);
}

/* Clocks of two CPUs are a tick apart at times, and the event loop's is older than a packet that comes meanwhile. */
Test(ident, a_query_of_just_now_on_a_cpu_whose_clock_is_ahead)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt b_ask = pkt(from_host_b(), ip4(PUB_1, REMOTE), echo_request(7), text("ping"));
	struct pkt answer = ANSWER(echo_reply(7)), at_a = AT_A(echo_reply(7));

	given_binding(HOST_B, PUB_1, ports(4008, 8));
	a_asks(7, a);
	given_age(PUB_1, 7, (uint32_t)-2);
	expect_tunnelled(answer, at_a, a);
	expect_dropped(b_ask, IF_PRIV, IDENT_TAKEN);
	for (int i = 0; i < 4; i++)
		gateway_dp()->ops->housekeep(gateway_dp(), rsip_now_ns());
	expect_tunnelled(answer, at_a, a);
}

Test(ident, the_first_owner_keeps_it_for_a_minute_after_its_last_query)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt b_ask = pkt(from_host_b(), ip4(PUB_1, REMOTE), echo_request(7), text("ping"));
	struct pkt answer = ANSWER(echo_reply(7)), at_a = AT_A(echo_reply(7)), at_b = AT_B(echo_reply(7));

	a_asks(7, a);
	expect_dropped(b_ask, IF_PRIV, IDENT_TAKEN);
	given_age(PUB_1, 7, RSIP_IDENT_S - 2);
	expect_tunnelled(answer, at_a, a);
	a_asks(7, a); /* a minute more */
	given_age(PUB_1, 7, RSIP_IDENT_S - 2);
	expect_dropped(b_ask, IF_PRIV, IDENT_TAKEN);
	given_age(PUB_1, 7, 3);
	expect_dropped(answer, IF_PUB, ICMP_QUERY);
	b_asks(7, b);
	expect_tunnelled(answer, at_b, b);
}

Test(ident, an_identifier_belongs_to_its_address)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_2, ports(4000, 8));
	struct pkt ask = pkt(from_host_b(), ip4(PUB_2, REMOTE), echo_request(7), text("ping"));
	struct pkt asked = pkt(to_router, ip4(PUB_2, REMOTE, .ttl = 63), echo_request(7), text("ping"));
	struct pkt to_a = ANSWER(echo_reply(7)), at_a = AT_A(echo_reply(7));
	struct pkt to_b = pkt(from_router, ip4(REMOTE, PUB_2), echo_reply(7), text("ping"));
	struct pkt at_b = pkt(to_host_b(), ip4(REMOTE, PUB_2, .ttl = 63), echo_reply(7), text("ping"));

	a_asks(7, a);
	expect_sent(ask, asked, b);
	expect_tunnelled(to_a, at_a, a);
	expect_tunnelled(to_b, at_b, b);
}

Test(ident, a_host_with_many_loses_its_own_oldest_and_nobody_elses)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt to_b = ANSWER(echo_reply(9)), at_b = AT_B(echo_reply(9));

	b_asks(9, b);
	for (uint16_t i = 0; i <= RSIP_IDENTS_MAX; i++)
		a_asks((uint16_t)(1000 + i), a);
	for (uint16_t i = 0; i <= RSIP_IDENTS_MAX; i++) {
		struct pkt answer = ANSWER(echo_reply((uint16_t)(1000 + i)));
		struct pkt at_a = AT_A(echo_reply((uint16_t)(1000 + i)));

		if (i == 0)
			expect_dropped(answer, IF_PUB, ICMP_QUERY);
		else
			expect_tunnelled(answer, at_a, a);
	}
	expect_tunnelled(to_b, at_b, b);
	cr_expect_eq(keys_of("rsip_idents"), RSIP_IDENTS_MAX + 1);
}

/* Only a flood of bindings can bring that about: each has its own few. */
Test(ident, where_no_more_identifiers_can_be_remembered_the_new_one_is_refused_and_all_others_stay)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt answer = ANSWER(echo_reply(7)), at_a = AT_A(echo_reply(7));
	struct pkt more = ASK(echo_request(8)), of_b = pkt(from_host_b(), ip4(PUB_1, REMOTE), echo_request(9), text("ping"));
	struct rsip_ident_key key = { .local = NOT_OURS };
	struct rsip_ident nobodys = { .seen_s = 1 };
	int fd = gateway_map_named("rsip_idents");

	a_asks(7, a);
	while (!bpf_map_update_elem(fd, &key, &nobodys, BPF_NOEXIST))
		cr_assert_lt(key.ident++, 1U << 20, "it takes any number");
	cr_assert_eq(errno, E2BIG);
	close(fd);
	expect_dropped(more, IF_PRIV, IDENT_LIMIT);
	expect_dropped(of_b, IF_PRIV, IDENT_LIMIT);
	a_asks(7, a);
	expect_tunnelled(answer, at_a, a);
	gateway_clear_map("rsip_idents");
	b_asks(9, b);
}

Test(ident, where_no_more_bindings_can_have_a_list_the_new_identifier_is_not_kept_either)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt answer = ANSWER(echo_reply(7)), at_a = AT_A(echo_reply(7)), for_b = ANSWER(echo_reply(9));
	struct pkt of_b = pkt(from_host_b(), ip4(PUB_1, REMOTE), echo_request(9), text("ping"));
	struct rsip_ident_ring nobodys = { .bind_id = 0xffffffff };
	int fd = gateway_map_named("rsip_ident_ring");

	given_binding(HOST_B, PUB_1, ports(4008, 8));
	a_asks(7, a);
	for (uint32_t i = 0x80000000U; !bpf_map_update_elem(fd, &i, &nobodys, BPF_NOEXIST); i++)
		cr_assert_lt(i, 0x80100000U, "it takes any number");
	cr_assert_eq(errno, E2BIG);
	close(fd);
	expect_dropped(of_b, IF_PRIV, IDENT_LIMIT);
	cr_expect_eq(keys_of("rsip_idents"), 1);
	expect_dropped(for_b, IF_PUB, ICMP_QUERY);
	a_asks(8, a);
	expect_tunnelled(answer, at_a, a);
}

Test(ident, when_its_binding_ends_it_is_free_at_once)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt answer = ANSWER(echo_reply(7)), at_b = AT_B(echo_reply(7));

	a_asks(7, a);
	given_end_of(a);
	expect_dropped(answer, IF_PUB, ICMP_QUERY);
	b_asks(7, b);
	expect_tunnelled(answer, at_b, b);
}

Test(ident, the_next_binding_in_a_slot_inherits_nothing)
{
	struct rsip_ident_key key = { .local = PUB_1, .ident = 7 };
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt answer = ANSWER(echo_reply(7));
	int fd = gateway_map_named("rsip_idents");
	struct rsip_binding rec;
	struct rsip_ident v;
	int bindings = gateway_map(RSIP_DP_BINDINGS);

	a_asks(7, a);
	cr_assert_eq(bpf_map_lookup_elem(bindings, &a, &rec), 0);
	rec.bind_id++;
	rec.host = HOST_B;
	cr_assert_eq(bpf_map_update_elem(bindings, &a, &rec, BPF_ANY), 0);
	expect_dropped(answer, IF_PUB, ICMP_QUERY);
	cr_expect_eq(bpf_map_lookup_elem(fd, &key, &v), 0, "void, but there until rsipd sweeps");
	close(fd);
}

Test(ident, of_a_pairs_two_bindings_the_other_one_may_ask_under_it_too)
{
	uint32_t ports_ = given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE);
	uint32_t spis_ = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4), .remote = REMOTE_2);
	struct pkt ask = pkt(from_host_a(), ip4(PUB_1, REMOTE_2), echo_request(7), text("ping"));
	struct pkt asked = pkt(to_router, ip4(PUB_1, REMOTE_2, .ttl = 63), echo_request(7), text("ping"));
	struct pkt one = ANSWER(echo_reply(7)), at_one = AT_A(echo_reply(7));
	struct pkt other = pkt(from_router, ip4(REMOTE_2, PUB_1), echo_reply(7), text("ping"));
	struct pkt at_other = pkt(to_host_a(), ip4(REMOTE_2, PUB_1, .ttl = 63), echo_reply(7), text("ping"));
	struct pkt third = pkt(from_router, ip4(ROUTER, PUB_1), echo_reply(7), text("ping"));

	a_asks(7, ports_);
	expect_sent(ask, asked, spis_);
	expect_tunnelled(one, at_one, ports_);
	expect_tunnelled(other, at_other, spis_);
	expect_dropped(third, IF_PUB, REMOTE_UNALLOWED);
}

Test(ident, the_machines_own_identifiers_are_nobody_elses)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_rules(PUB_1, .kernel_ids = { { .first = 100, .cnt = 10 } });
	struct pkt ask = ASK(echo_request(105)), answer = ANSWER(echo_reply(105));
	struct pkt outside = ANSWER(echo_reply(110));
	struct pkt about = pkt(from_router, ip4(ROUTER, PUB_1), icmp(11, 0), ip4(PUB_1, REMOTE), echo_request(105));

	expect_dropped(ask, IF_PRIV, IDENT_TAKEN);
	expect_passed(answer, IF_PUB);
	expect_passed(about, IF_PUB);
	expect_dropped(outside, IF_PUB, ICMP_QUERY);
}

Test(ident, an_error_about_a_ping_finds_its_host_by_eight_quoted_bytes)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(ROUTER, PUB_1), icmp(11, 0), ip4(PUB_1, REMOTE), echo_request(7));
	struct pkt want = pkt(to_host_a(), ip4(ROUTER, PUB_1, .ttl = 63), icmp(11, 0), ip4(PUB_1, REMOTE),
			      echo_request(7));
	struct pkt other = pkt(from_router, ip4(ROUTER, PUB_1), icmp(11, 0), ip4(PUB_1, REMOTE), echo_request(8));
	struct pkt reply = pkt(from_router, ip4(ROUTER, PUB_1), icmp(11, 0), ip4(PUB_1, REMOTE), echo_reply(7));

	expect_dropped(in, IF_PUB, NO_QUOTE_OWNER);
	a_asks(7, slot);
	expect_tunnelled(in, want, slot);
	expect_dropped(other, IF_PUB, NO_QUOTE_OWNER);
	expect_dropped(reply, IF_PUB, NO_QUOTE_OWNER);
}

Test(ident, a_hosts_ping_to_a_shared_address_is_answered_into_its_tunnel)
{
	about_outer_header();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_2, ports(4000, 8));
	struct pkt in = pkt(from_host_a(.id = 3), ip4(PUB_1, PUB_2, .ttl = 9, .id = 5), echo_request(7), bytes(33));
	struct pkt want = pkt(eth(MAC_GW_PRIV, MAC_HOST_A), ip4(GW_PRIV, HOST_A, .id = 3),
			      ip4(PUB_2, PUB_1, .id = 5), echo_reply(7), bytes(33));

	expect_run(in, .iface = IF_PRIV, .action = XDP_TX, .want = &want, .out_slot = slot, .in_slot = slot,
		   .bytes = 20 + 8 + 33, .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } });
}

Test(ident, a_reply_that_turns_around_inside_finds_who_asked)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_2, .whole = true);
	struct pkt ask = pkt(from_host_a(), ip4(PUB_1, PUB_2), echo_request(7), text("ping"));
	struct pkt at_b = pkt(to_host_b(), ip4(PUB_1, PUB_2, .ttl = 63), echo_request(7), text("ping"));
	struct pkt reply = pkt(from_host_b(), ip4(PUB_2, PUB_1), echo_reply(7), text("ping"));
	struct pkt at_a = pkt(to_host_a(), ip4(PUB_2, PUB_1, .ttl = 63), echo_reply(7), text("ping"));

	expect_hairpin(ask, at_b, a, b);
	expect_hairpin(reply, at_a, b, a);
}

Test(ident, rsipd_clears_away_what_is_void_or_old)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct rsip_dataplane *dp = gateway_dp();

	a_asks(1, a);
	a_asks(2, a);
	b_asks(3, b);
	for (int i = 0; i < 3; i++)
		dp->ops->housekeep(dp, rsip_now_ns());
	cr_expect_eq(keys_of("rsip_idents"), 3);
	cr_expect_eq(keys_of("rsip_ident_ring"), 2);
	given_age(PUB_1, 1, 2 * RSIP_IDENT_S + 2);
	given_end_of(b);
	for (int i = 0; i < 3; i++)
		dp->ops->housekeep(dp, rsip_now_ns());
	cr_expect_eq(keys_of("rsip_idents"), 1, "that of host A that is young");
	cr_expect_eq(keys_of("rsip_ident_ring"), 1);
	given_age(PUB_1, 2, 2 * RSIP_IDENT_S + 2);
	for (int i = 0; i < 3; i++)
		dp->ops->housekeep(dp, rsip_now_ns());
	cr_expect_eq(keys_of("rsip_idents"), 0);
	cr_expect_eq(keys_of("rsip_ident_ring"), 0, "a list of nothing");
}
