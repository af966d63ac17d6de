// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * IKE from port 500 (or 4500) of both hosts on one address: claims, labels, collisions.  RFC
 * 3104 6.1, App. E; RFC 7296 2.6 for whose half of the header is whose.
 */
#include <errno.h>
#include <bpf/bpf.h>
#include "dataplane_bpf.h"
#include "gateway.h"

#define COOKIE_A 0x1111111111111111ULL
#define COOKIE_B 0x2222222222222222ULL
#define COOKIE_PEER 0x9999999999999999ULL
#define COOKIE_PEER2 0x8888888888888888ULL

static uint32_t a, b;

static void two_hosts(void)
{
	gateway_up();
	a = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	b = given_binding(HOST_B, PUB_1, spis(0xb0000000, 4));
}

TestSuite(ike, .init = two_hosts, .fini = gateway_down);

#define SENT_BY_A(...) pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), __VA_ARGS__, bytes(40))
#define SENT_BY_B(...) pkt(from_host_b(), ip4(PUB_1, REMOTE), udp(500, 500), __VA_ARGS__, bytes(40))
#define LEAVES(...)                                                                                \
	pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(500, 500), __VA_ARGS__, bytes(40))
#define COMES(...) pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), __VA_ARGS__, bytes(40))
#define REACHES_A(...)                                                                             \
	pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500), __VA_ARGS__, bytes(40))
#define REACHES_B(...)                                                                             \
	pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500), __VA_ARGS__, bytes(40))

/* The host opens an exchange: the peer's cookie is not known yet. */
static void a_opens(uint64_t cookie)
{
	struct pkt in = SENT_BY_A(ike(cookie, 0, .flags = IKE_I)),
		   want = LEAVES(ike(cookie, 0, .flags = IKE_I));

	expect_sent(in, want, a, and_claimed);
}

static void b_opens(uint64_t cookie)
{
	struct pkt in = SENT_BY_B(ike(cookie, 0, .flags = IKE_I)),
		   want = LEAVES(ike(cookie, 0, .flags = IKE_I));

	expect_sent(in, want, b, and_claimed);
}

/* ---- version 2 ------------------------------------------------------------------------------- */

Test(ike, both_hosts_from_port_500_to_one_peer)
{
	struct pkt for_a = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt for_b = COMES(ike(COOKIE_B, COOKIE_PEER2, .flags = IKE_R));
	struct pkt at_a = REACHES_A(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_b = REACHES_B(ike(COOKIE_B, COOKIE_PEER2, .flags = IKE_R));

	a_opens(COOKIE_A);
	b_opens(COOKIE_B);
	expect_tunnelled(for_a, at_a, a);
	expect_tunnelled(for_b, at_b, b);
}

Test(ike, a_cookie_is_claimed_once)
{
	struct pkt again = SENT_BY_A(ike(COOKIE_A, 0, .flags = IKE_I)),
		   want = LEAVES(ike(COOKIE_A, 0, .flags = IKE_I));

	a_opens(COOKIE_A);
	expect_sent(again, want, a);
}

Test(ike, the_second_host_with_the_same_cookie_collides)
{
	struct pkt in = SENT_BY_B(ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt answer = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES_A(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct rsip_event said[16];

	a_opens(COOKIE_A);
	cr_expect_eq(gateway_events(said), 0);
	expect_dropped(in, IF_PRIV, COOKIE_COLLISION);
	cr_assert_eq(gateway_events(said), 1);
	cr_expect_eq(said[0].reason, RSIP_DROP_COOKIE_COLLISION);
	cr_expect_eq(said[0].host, HOST_B);
	cr_expect_eq(said[0].local, PUB_1);
	cr_expect_eq(said[0].remote, REMOTE);
	cr_expect_eq(said[0].local_port, 500);
	cr_expect_eq(said[0].iface, IF_PRIV);
	cr_expect_neq(said[0].bind_id, 0);
	expect_tunnelled(answer, at_a, a);
}

Test(ike, the_same_cookie_on_another_address_is_free)
{
	uint32_t b2 = given_binding(HOST_B, PUB_2, spis(0xb0000000, 4));
	struct pkt in = pkt(from_host_b(), ip4(PUB_2, REMOTE), udp(500, 500),
			    ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt want = pkt(to_router, ip4(PUB_2, REMOTE, .ttl = 63), udp(500, 500),
			      ike(COOKIE_A, 0, .flags = IKE_I));

	a_opens(COOKIE_A);
	expect_sent(in, want, b2, and_claimed);
}

Test(ike, an_answer_that_nobody_asked_for)
{
	struct pkt in = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt request = COMES(ike(COOKIE_PEER, COOKIE_A, .flags = IKE_I));
	struct pkt first = COMES(ike(COOKIE_PEER, 0, .flags = IKE_I));

	expect_dropped(in, IF_PUB, NO_COOKIE);
	expect_dropped(request, IF_PUB, NO_COOKIE);
	expect_dropped(first, IF_PUB, NO_COOKIE);
}

Test(ike, the_flag_says_whose_half_counts)
{
	struct pkt forged = COMES(ike(COOKIE_A, COOKIE_PEER,
				      .flags = IKE_I)); /* the peer as initiator has not A's half */

	a_opens(COOKIE_A);
	expect_dropped(forged, IF_PUB, NO_COOKIE);
}

Test(ike, the_peers_requests_in_an_exchange_that_the_host_opened)
{
	struct pkt in = COMES(
		ike(COOKIE_A, COOKIE_PEER, .flags = 0)); /* a request of the original responder */
	struct pkt want = REACHES_A(ike(COOKIE_A, COOKIE_PEER, .flags = 0));

	a_opens(COOKIE_A);
	expect_tunnelled(in, want, a);
}

Test(ike, a_host_that_answers_claims_its_responder_cookie)
{
	struct pkt answer = SENT_BY_A(ike(COOKIE_PEER, COOKIE_A, .flags = IKE_R));
	struct pkt leaves = LEAVES(ike(COOKIE_PEER, COOKIE_A, .flags = IKE_R));
	struct pkt next = COMES(ike(COOKIE_PEER, COOKIE_A, .flags = IKE_I));
	struct pkt at_a = REACHES_A(ike(COOKIE_PEER, COOKIE_A, .flags = IKE_I));

	expect_sent(answer, leaves, a, and_claimed);
	expect_tunnelled(next, at_a, a);
}

Test(ike, a_response_without_a_cookie_of_the_host_claims_nothing)
{
	struct pkt in = SENT_BY_A(ike(COOKIE_PEER, 0, .flags = IKE_R)),
		   want = LEAVES(ike(COOKIE_PEER, 0, .flags = IKE_R));
	struct pkt back = COMES(ike(COOKIE_PEER, 0, .flags = IKE_R));

	expect_sent(in, want, a);
	expect_dropped(back, IF_PUB, NO_COOKIE);
}

Test(ike, the_peers_answer_after_the_hosts_rekey)
{
	struct pkt for_old = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_old = REACHES_A(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt in = SENT_BY_A(ike(COOKIE_A + 1, COOKIE_PEER2, .flags = IKE_I));
	struct pkt leaves = LEAVES(ike(COOKIE_A + 1, COOKIE_PEER2, .flags = IKE_I));
	struct pkt for_new = COMES(ike(COOKIE_A + 1, COOKIE_PEER2, .flags = IKE_R));
	struct pkt at_new = REACHES_A(ike(COOKIE_A + 1, COOKIE_PEER2, .flags = IKE_R));

	a_opens(COOKIE_A);
	expect_dropped(for_new, IF_PUB, NO_COOKIE);
	expect_sent(in, leaves, a, and_claimed);
	expect_tunnelled(for_new, at_new, a);
	expect_tunnelled(for_old, at_old, a);
}

/* ---- port 4500 ------------------------------------------------------------------------------- */

Test(ike, on_4500_behind_the_non_esp_marker)
{
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4500, 4500),
			    ike(COOKIE_A, COOKIE_PEER, .flags = IKE_I, .non_esp = true));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4500, 4500),
			      ike(COOKIE_A, COOKIE_PEER, .flags = IKE_I, .non_esp = true));
	struct pkt back = pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500),
			      ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R, .non_esp = true));
	struct pkt at_a = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(4500, 4500),
			      ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R, .non_esp = true));

	expect_sent(in, want, a, and_claimed);
	expect_tunnelled(back, at_a, a);
}

Test(ike, esp_in_udp_from_a_host_claims_nothing)
{
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4500, 4500), esp(0x77777777));
	struct pkt want =
		pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4500, 4500), esp(0x77777777));

	expect_sent(in, want, a);
}

/* ---- version 1 ------------------------------------------------------------------------------- */

Test(ike, version_1_by_the_initiator_cookie_then_by_the_responder_cookie)
{
	struct pkt in = SENT_BY_A(ikev1(COOKIE_A, 0)), leaves = LEAVES(ikev1(COOKIE_A, 0));
	struct pkt back = COMES(ikev1(COOKIE_A, COOKIE_PEER)),
		   at_a = REACHES_A(ikev1(COOKIE_A, COOKIE_PEER));
	struct pkt swapped = COMES(ikev1(COOKIE_PEER, COOKIE_A)),
		   at_a2 = REACHES_A(ikev1(COOKIE_PEER, COOKIE_A));
	struct pkt unknown = COMES(ikev1(COOKIE_PEER, COOKIE_PEER2));

	expect_sent(in, leaves, a, and_claimed);
	expect_tunnelled(back, at_a, a);
	expect_tunnelled(swapped, at_a2, a);
	expect_dropped(unknown, IF_PUB, NO_COOKIE);
}

Test(ike, version_1_collision)
{
	struct pkt in = SENT_BY_A(ikev1(COOKIE_A, 0)), leaves = LEAVES(ikev1(COOKIE_A, 0));
	struct pkt other = SENT_BY_B(ikev1(COOKIE_A, 0));

	expect_sent(in, leaves, a, and_claimed);
	expect_dropped(other, IF_PRIV, COOKIE_COLLISION);
}

/* ---- labels: the upper half of a host's cookie is one of its SPIs ---------------------------- */

#define LABELLED_A 0xa000000212345678ULL
#define LABELLED_B 0xb000000312345678ULL

Test(ike, a_labelled_cookie_needs_no_claim)
{
	struct pkt in = SENT_BY_A(ike(LABELLED_A, 0, .flags = IKE_I)),
		   leaves = LEAVES(ike(LABELLED_A, 0, .flags = IKE_I));
	struct pkt back = COMES(ike(LABELLED_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES_A(ike(LABELLED_A, COOKIE_PEER, .flags = IKE_R));

	expect_tunnelled(back, at_a, a);
	expect_sent(in, leaves, a);
	expect_tunnelled(back, at_a, a);
}

Test(ike, the_peers_rekey_is_found_by_the_hosts_label_as_responder)
{
	struct pkt in = COMES(ike(COOKIE_PEER2, LABELLED_B, .flags = IKE_I));
	struct pkt want = REACHES_B(ike(COOKIE_PEER2, LABELLED_B, .flags = IKE_I));
	struct pkt v1 = COMES(ikev1(COOKIE_PEER2, LABELLED_B)),
		   v1_want = REACHES_B(ikev1(COOKIE_PEER2, LABELLED_B));

	expect_tunnelled(in, want, b);
	expect_tunnelled(v1, v1_want, b);
}

Test(ike, another_hosts_label_cannot_be_claimed)
{
	struct pkt in = SENT_BY_B(ike(LABELLED_A, 0, .flags = IKE_I));

	expect_dropped(in, IF_PRIV, COOKIE_COLLISION);
}

Test(ike, a_label_ends_with_its_lease)
{
	struct pkt back = COMES(ike(LABELLED_A, COOKIE_PEER, .flags = IKE_R));

	given_end_of(a);
	expect_dropped(back, IF_PUB, NO_COOKIE);
}

/* Whoever is in an exchange stays in it, on its way out as on its way in (the claim is looked for first). */
Test(ike, a_label_that_is_leased_later_does_not_end_an_exchange)
{
	struct pkt again = SENT_BY_A(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_I)),
		   leaves = LEAVES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_I));
	struct pkt back = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES_A(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));

	a_opens(COOKIE_A);
	given_binding(HOST_B, PUB_1, spis(COOKIE_A >> 32, 1));
	expect_sent(again, leaves, a);
	expect_tunnelled(back, at_a, a);
}

/* Not only the exchange that it began last. */
Test(ike, a_label_that_is_leased_later_does_not_end_an_older_exchange)
{
	struct pkt again = SENT_BY_A(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_I)),
		   leaves = LEAVES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_I));
	struct pkt other_host = SENT_BY_B(ike(COOKIE_A, 0, .flags = IKE_I));

	a_opens(COOKIE_A);
	a_opens(COOKIE_A + 1);
	given_binding(HOST_C, PUB_1, spis(COOKIE_A >> 32, 1));
	expect_sent(again, leaves, a);
	expect_dropped(other_host, IF_PRIV, COOKIE_COLLISION);
}

/* ---- a claim ends with the pair's last RSIPSEC binding --------------------------------------- */

Test(ike, a_claim_outlives_one_binding_and_ends_with_the_last)
{
	uint32_t a2 = given_binding(HOST_A, PUB_1, spis(0xa1000000, 4));
	struct pkt back = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES_A(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt in = SENT_BY_A(ike(COOKIE_A, 0, .flags = IKE_I)),
		   leaves = LEAVES(ike(COOKIE_A, 0, .flags = IKE_I));

	expect_sent(in, leaves, a2, and_claimed);
	given_end_of(a2);
	expect_tunnelled(back, at_a, a);
	given_end_of(a);
	expect_dropped(back, IF_PUB, NO_COOKIE);
}

Test(ike, a_dead_pairs_cookie_can_be_claimed_by_another)
{
	struct pkt in = SENT_BY_B(ike(COOKIE_A, 0, .flags = IKE_I)),
		   leaves = LEAVES(ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt back = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_b = REACHES_B(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));

	a_opens(COOKIE_A);
	given_end_of(a);
	expect_sent(in, leaves, b, and_claimed);
	expect_tunnelled(back, at_b, b);
}

Test(ike, housekeeping_removes_dead_claims_and_keeps_live_ones)
{
	struct rsip_dataplane *dp = gateway_dp();
	struct pkt for_b = COMES(ike(COOKIE_B, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_b = REACHES_B(ike(COOKIE_B, COOKIE_PEER, .flags = IKE_R));

	for (uint64_t i = 0; i < 40; i++)
		a_opens(COOKIE_A + i);
	b_opens(COOKIE_B);
	cr_expect_eq(gateway_claims(), 41);
	given_end_of(a);
	for (int i = 0; i < 4; i++)
		dp->ops->housekeep(dp, 1);
	cr_expect_eq(gateway_claims(), 1);
	expect_tunnelled(for_b, at_b, b);
}

Test(ike, a_host_loses_its_own_oldest_claim_at_the_limit_and_never_anothers)
{
	struct pkt for_b = COMES(ike(COOKIE_B, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_b = REACHES_B(ike(COOKIE_B, COOKIE_PEER, .flags = IKE_R));
	struct pkt oldest = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt second = COMES(ike(COOKIE_A + 1, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES_A(ike(COOKIE_A + 1, COOKIE_PEER, .flags = IKE_R));

	b_opens(COOKIE_B);
	for (uint64_t i = 0; i <= RSIP_CLAIMS_MAX; i++)
		a_opens(COOKIE_A + i);
	cr_expect_eq(gateway_claims(), RSIP_CLAIMS_MAX + 1);
	expect_dropped(oldest, IF_PUB, NO_COOKIE);
	expect_tunnelled(second, at_a, a);
	expect_tunnelled(for_b, at_b, b);
}

/* Only what rsipd has not cleared away yet can fill the table: live pairs have RSIP_CLAIMS_MAX each. */
Test(ike, where_no_more_cookies_can_be_claimed_the_new_one_is_refused_and_all_others_stay)
{
	struct pkt more = SENT_BY_A(ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt again = SENT_BY_B(ike(COOKIE_B, 0, .flags = IKE_I)), leaves = LEAVES(ike(COOKIE_B, 0, .flags = IKE_I));
	struct pkt for_b = COMES(ike(COOKIE_B, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_b = REACHES_B(ike(COOKIE_B, COOKIE_PEER, .flags = IKE_R));
	struct pkt for_a = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct rsip_cookie_key key = { .local = NOT_OURS };
	struct rsip_claim nobodys = { 0 };

	b_opens(COOKIE_B);
	while (!bpf_map_update_elem(gateway_map(RSIP_DP_COOKIES), &key, &nobodys, BPF_NOEXIST))
		cr_assert_lt(key.cookie++, 1U << 20, "it takes any number");
	cr_assert_eq(errno, E2BIG);
	expect_dropped(more, IF_PRIV, COOKIE_LIMIT);
	expect_dropped(for_a, IF_PUB, NO_COOKIE);
	expect_sent(again, leaves, b);
	expect_tunnelled(for_b, at_b, b);
}

/* ---- malformed ------------------------------------------------------------------------------- */

Test(ike, cut_short)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), bytes(23));
	struct pkt padded = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), bytes(12), pad(30));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), bytes(12), pad(30));
	struct pkt marker =
		pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500), raw("\0\0\0\0", 4), pad(30));
	struct pkt out_marker = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4500, 4500),
				    raw("\0\0\0\0", 4), pad(30));

	expect_dropped(in, IF_PUB, MALFORMED);
	expect_dropped(padded, IF_PUB, MALFORMED);
	expect_dropped(out, IF_PRIV, MALFORMED);
	expect_dropped(marker, IF_PUB, MALFORMED);
	expect_dropped(out_marker, IF_PRIV, MALFORMED);
}

/* RFC 3948 2.3: one byte 0xff.  It belongs to no exchange; a host that sends one claims nothing. */
Test(ike, nat_keepalives)
{
	struct pkt in =
		pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500), raw("\xff", 1), pad(30));
	struct pkt out =
		pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4500, 4500), raw("\xff", 1), pad(30));
	struct pkt leaves =
		pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4500, 4500), raw("\xff", 1));

	expect_dropped(in, IF_PUB, MALFORMED);
	expect_sent(out, leaves, a);
}

/* ---- hairpin: the sender's own claim never matches ------------------------------------------- */

#define TO_NEIGHBOUR(...)                                                                          \
	pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(500, 500), __VA_ARGS__, bytes(40))
#define AT_NEIGHBOUR(...)                                                                          \
	pkt(to_host_b(), ip4(PUB_1, PUB_1, .ttl = 63), udp(500, 500), __VA_ARGS__, bytes(40))

Test(ike, version_2_between_two_hosts_of_one_address)
{
	struct pkt opens = TO_NEIGHBOUR(ike(COOKIE_A, LABELLED_B, .flags = IKE_I));
	struct pkt arrives = AT_NEIGHBOUR(ike(COOKIE_A, LABELLED_B, .flags = IKE_I));
	struct pkt answers = pkt(from_host_b(), ip4(PUB_1, PUB_1), udp(500, 500),
				 ike(COOKIE_A, LABELLED_B, .flags = IKE_R));
	struct pkt back = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(500, 500),
			      ike(COOKIE_A, LABELLED_B, .flags = IKE_R));

	expect_hairpin(opens, arrives, a, b, and_claimed);
	expect_hairpin(answers, back, b, a);
}

Test(ike, version_1_between_two_hosts_of_one_address)
{
	struct pkt opens = TO_NEIGHBOUR(ikev1(COOKIE_A, LABELLED_B)),
		   arrives = AT_NEIGHBOUR(ikev1(COOKIE_A, LABELLED_B));
	struct pkt first = TO_NEIGHBOUR(ikev1(COOKIE_A, 0));

	expect_hairpin(opens, arrives, a, b, and_claimed);
	expect_dropped(first, IF_PRIV, NO_COOKIE);
}
