// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * IKE that carries no cookie of a host's: listeners (RFC 3104 App. G), the only host that talks to the sender, the
 * machine's own daemon, in this order.  And which claims give way where a host has too many.
 */
#include <errno.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "gateway.h"
#include "util.h"

#define COOKIE_A 0x1111111111111111ULL
#define COOKIE_B 0x2222222222222222ULL
#define COOKIE_PEER 0x9999999999999999ULL
#define COOKIE_PEER2 0x8888888888888888ULL
#define LABELLED_A 0xa000000212345678ULL
#define LABELLED_B 0xb000000312345678ULL

static uint32_t a, b;

static void two_hosts(void)
{
	gateway_up();
	given_rules(PUB_1, .guess = true);
	a = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	b = given_binding(HOST_B, PUB_1, spis(0xb0000000, 4));
}

TestSuite(ike_order, .init = two_hosts, .fini = gateway_down);

#define SENT(host, remote, ...) pkt(host, ip4(PUB_1, remote), udp(500, 500), __VA_ARGS__, bytes(40))
#define LEAVES(remote, ...)                                                                        \
	pkt(to_router, ip4(PUB_1, remote, .ttl = 63), udp(500, 500), __VA_ARGS__, bytes(40))
#define COMES(...) pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), __VA_ARGS__, bytes(40))
#define REACHES(host, ...)                                                                         \
	pkt(host, ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500), __VA_ARGS__, bytes(40))

#define and_guessed                                                                                \
	{                                                                                          \
		RSIP_CNT_IKE_GUESSED, 1                                                            \
	}
#define expect_guessed(in, out, slot)                                                              \
	expect_run(in, .iface = IF_PUB, .action = XDP_REDIRECT, .want = &(out), .in_slot = (slot), \
		   .bytes = inner_len(&(out)),                                                     \
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 },                                       \
			       { RSIP_CNT_ENCAPSULATED_BYTES, inner_len(&(out)) },                 \
			       and_guessed })

/* The host's request, claimed unless it is labelled. */
static void opens(bool host_b, __be32 remote, uint64_t cookie)
{
	struct pkt in_a = SENT(from_host_a(), remote, ike(cookie, 0, .flags = IKE_I));
	struct pkt in_b = SENT(from_host_b(), remote, ike(cookie, 0, .flags = IKE_I));
	struct pkt in = host_b ? in_b : in_a, out = LEAVES(remote, ike(cookie, 0, .flags = IKE_I));

	if (cookie == LABELLED_A || cookie == LABELLED_B)
		expect_sent(in, out, host_b ? b : a);
	else
		expect_sent(in, out, host_b ? b : a, and_claimed);
}

/* The peer's answer, with a cookie of its own or none yet. */
static void answered(bool host_b, uint64_t cookie, uint64_t peers)
{
	struct pkt in = COMES(ike(cookie, peers, .flags = IKE_R));
	struct pkt at_a = REACHES(to_host_a(), ike(cookie, peers, .flags = IKE_R));
	struct pkt at_b = REACHES(to_host_b(), ike(cookie, peers, .flags = IKE_R));
	struct pkt at = host_b ? at_b : at_a;

	expect_tunnelled(in, at, host_b ? b : a);
}

static void a_talks(void)
{
	opens(false, REMOTE, COOKIE_A);
	answered(false, COOKIE_A, COOKIE_PEER);
}

static void b_talks(void)
{
	opens(true, REMOTE, COOKIE_B);
	answered(true, COOKIE_B, COOKIE_PEER2);
}

/* What only a listener, the only host or the machine can own. */
#define NEW_EXCHANGE COMES(ike(COOKIE_PEER2, 0, .flags = IKE_I))
#define NEW_EXCHANGE_V1 COMES(ikev1(COOKIE_PEER2, 0))

/* ---- the only host that talks to the sender -------------------------------------------------- */

Test(ike_order, a_peer_that_reauthenticates_finds_the_only_host_it_talks_to)
{
	struct pkt in = NEW_EXCHANGE, at_a = REACHES(to_host_a(), ike(COOKIE_PEER2, 0, .flags = IKE_I));
	struct pkt v1 = NEW_EXCHANGE_V1, v1_at_a = REACHES(to_host_a(), ikev1(COOKIE_PEER2, 0));

	a_talks();
	expect_guessed(in, at_a, a);
	expect_guessed(v1, v1_at_a, a);
}

/* After a rekey of the host's its new SPI is known to nobody here, and the peer may speak first. */
Test(ike_order, a_peer_that_speaks_first_under_the_spis_of_a_rekey)
{
	struct pkt in = COMES(ike(COOKIE_A + 7, COOKIE_PEER2, .flags = 0));
	struct pkt at_a = REACHES(to_host_a(), ike(COOKIE_A + 7, COOKIE_PEER2, .flags = 0));

	a_talks();
	expect_guessed(in, at_a, a);
}

Test(ike_order, on_4500_too)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500),
			    ike(COOKIE_PEER2, 0, .flags = IKE_I, .non_esp = true));
	struct pkt at_a = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(4500, 4500),
			      ike(COOKIE_PEER2, 0, .flags = IKE_I, .non_esp = true));

	a_talks();
	expect_guessed(in, at_a, a);
}

Test(ike_order, two_hosts_that_talk_to_the_sender_are_no_guess)
{
	struct pkt in = NEW_EXCHANGE, v1 = NEW_EXCHANGE_V1;

	a_talks();
	b_talks();
	expect_dropped(in, IF_PUB, IKE_AMBIGUOUS);
	expect_dropped(v1, IF_PUB, IKE_AMBIGUOUS);
}

Test(ike_order, a_labelled_host_counts_like_any_other)
{
	struct pkt in = NEW_EXCHANGE;

	a_talks();
	opens(true, REMOTE, LABELLED_B);
	answered(true, LABELLED_B, COOKIE_PEER2);
	expect_dropped(in, IF_PUB, IKE_AMBIGUOUS);
}

Test(ike_order, a_host_that_was_not_answered_does_not_count)
{
	struct pkt in = NEW_EXCHANGE, at_a = REACHES(to_host_a(), ike(COOKIE_PEER2, 0, .flags = IKE_I));

	a_talks();
	opens(true, REMOTE, COOKIE_B);
	expect_guessed(in, at_a, a);
}

/* COOKIE and INVALID_KE_PAYLOAD come with a responder SPI of zero: there is no exchange yet. */
Test(ike_order, an_answer_without_a_cookie_of_the_peers_does_not_count)
{
	struct pkt in = NEW_EXCHANGE;

	opens(false, REMOTE, COOKIE_A);
	answered(false, COOKIE_A, 0);
	expect_dropped(in, IF_PUB, NO_COOKIE);
}

Test(ike_order, another_peer_is_another_matter)
{
	struct pkt in = NEW_EXCHANGE;

	opens(false, REMOTE_2, COOKIE_A);
	expect_dropped(in, IF_PUB, NO_COOKIE);
	a = given_binding(HOST_A, PUB_2, spis(0xa0000000, 4));
	expect_dropped(in, IF_PUB, NO_COOKIE);
}

Test(ike_order, the_one_that_stays_is_the_only_one)
{
	struct pkt in = NEW_EXCHANGE, at_b = REACHES(to_host_b(), ike(COOKIE_PEER2, 0, .flags = IKE_I));

	a_talks();
	b_talks();
	given_end_of(a);
	expect_guessed(in, at_b, b);
}

/* A record has four places; whoever finds none makes it crowded, and then nobody is the only one. */
Test(ike_order, more_hosts_than_a_record_has_places)
{
	static const __be32 more[] = { CAST_IP(10, 0, 0, 21), CAST_IP(10, 0, 0, 22), CAST_IP(10, 0, 0, 23) };
	struct pkt in = NEW_EXCHANGE;
	uint32_t slot[3];

	a_talks();
	b_talks();
	for (uint64_t i = 0; i < 3; i++) {
		struct pkt out, left, back, back_at;

		slot[i] = given_binding(more[i], PUB_1, spis(0xc0000000 + 16 * (uint32_t)i, 4));
		out = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(more[i], GW_PRIV), ip4(PUB_1, REMOTE), udp(500, 500),
			  ike(COOKIE_A + 1 + i, 0, .flags = IKE_I));
		left = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(500, 500),
			   ike(COOKIE_A + 1 + i, 0, .flags = IKE_I));
		back = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500),
			   ike(COOKIE_A + 1 + i, COOKIE_PEER, .flags = IKE_R));
		back_at = pkt(eth(MAC_GW_PRIV, MAC_HOST_C), ip4(GW_PRIV, more[i]), ip4(REMOTE, PUB_1, .ttl = 63),
			      udp(500, 500), ike(COOKIE_A + 1 + i, COOKIE_PEER, .flags = IKE_R));
		expect_sent(out, left, slot[i], and_claimed);
		expect_tunnelled(back, back_at, slot[i]);
	}
	expect_dropped(in, IF_PUB, IKE_AMBIGUOUS);
	given_end_of(a);
	given_end_of(b);
	given_end_of(slot[0]);
	given_end_of(slot[1]);
	expect_dropped(in, IF_PUB, IKE_AMBIGUOUS);
	for (int i = 0; i < 8; i++) /* rsipd sweeps the claims of those that left */
		gateway_dp()->ops->housekeep(gateway_dp(), rsip_now_ns());
	expect_dropped(in, IF_PUB, IKE_AMBIGUOUS);
}

/* As another CPU, whose clock is a tick ahead, may have noted it. */
static void given_answer_ahead_of_time(int host)
{
	struct rsip_ike_peer_key key = { .local = PUB_1, .remote = REMOTE };
	int fd = gateway_map_named("rsip_ike_peers");
	struct rsip_ike_peer v;

	cr_assert_eq(bpf_map_lookup_elem(fd, &key, &v), 0);
	cr_assert_neq(v.answered_s[host], 0);
	v.answered_s[host] += 2;
	cr_assert_eq(bpf_map_update_elem(fd, &key, &v, BPF_EXIST), 0);
	close(fd);
}

Test(ike_order, a_host_that_was_answered_just_now_on_another_cpu_counts)
{
	struct pkt in = NEW_EXCHANGE;

	a_talks();
	b_talks();
	given_answer_ahead_of_time(0);
	expect_dropped(in, IF_PUB, IKE_AMBIGUOUS);
}

Test(ike_order, a_pool_may_switch_it_off)
{
	struct pkt in = NEW_EXCHANGE;

	given_rules(PUB_1, .guess = false);
	a_talks();
	expect_dropped(in, IF_PUB, NO_COOKIE);
}

/* A response begins nothing, whatever it carries. */
Test(ike_order, a_response_without_a_cookie_of_a_hosts_goes_to_no_listener)
{
	struct pkt in = COMES(ike(COOKIE_PEER2, 0, .flags = IKE_I | IKE_R));

	given_ike_listener(HOST_B, PUB_1, REMOTE);
	expect_dropped(in, IF_PUB, NO_COOKIE);
}

Test(ike_order, a_host_forgets_its_oldest_peer_at_the_limit_and_nobody_elses)
{
	struct pkt in = NEW_EXCHANGE, at_b = REACHES(to_host_b(), ike(COOKIE_PEER2, 0, .flags = IKE_I));

	a_talks();
	b_talks();
	for (uint32_t i = 0; i < RSIP_IKE_PEERS_MAX; i++)
		opens(false, CAST_IP(198, 51, 100, 100 + i), COOKIE_A + 1 + i);
	expect_guessed(in, at_b, b);
}

/* ---- listeners -------------------------------------------------------------------------------- */

Test(ike_order, a_peer_that_calls_first_reaches_its_listener)
{
	uint32_t l = given_ike_listener(HOST_B, PUB_1, REMOTE);
	struct pkt in = NEW_EXCHANGE, at_b = REACHES(to_host_b(), ike(COOKIE_PEER2, 0, .flags = IKE_I));
	struct pkt v1 = NEW_EXCHANGE_V1, v1_at_b = REACHES(to_host_b(), ikev1(COOKIE_PEER2, 0));
	struct pkt other = pkt(from_router, ip4(REMOTE_2, PUB_1), udp(500, 500),
			       ike(COOKIE_PEER2, 0, .flags = IKE_I));

	expect_tunnelled(in, at_b, l);
	expect_tunnelled(v1, v1_at_b, l);
	expect_dropped(other, IF_PUB, NO_COOKIE);
}

Test(ike_order, a_listener_goes_before_the_only_host)
{
	uint32_t l = given_ike_listener(HOST_B, PUB_1, REMOTE);
	struct pkt in = NEW_EXCHANGE, at_b = REACHES(to_host_b(), ike(COOKIE_PEER2, 0, .flags = IKE_I));

	a_talks();
	expect_tunnelled(in, at_b, l);
}

Test(ike_order, what_a_host_has_claimed_does_not_go_to_the_listener)
{
	struct pkt v1_in = SENT(from_host_a(), REMOTE, ikev1(COOKIE_A, 0)), v1_out = LEAVES(REMOTE, ikev1(COOKIE_A, 0));
	struct pkt v1_back = COMES(ikev1(COOKIE_A, 0)), v1_at_a = REACHES(to_host_a(), ikev1(COOKIE_A, 0));

	given_ike_listener(HOST_B, PUB_1, REMOTE);
	expect_sent(v1_in, v1_out, a, and_claimed);
	expect_tunnelled(v1_back, v1_at_a, a);
}

Test(ike_order, what_names_a_responder_is_not_for_the_listener)
{
	struct pkt in = COMES(ike(COOKIE_PEER2, COOKIE_A, .flags = IKE_I));
	struct pkt v1 = COMES(ikev1(COOKIE_PEER2, COOKIE_A));

	given_ike_listener(HOST_B, PUB_1, REMOTE);
	expect_dropped(in, IF_PUB, NO_COOKIE);
	expect_dropped(v1, IF_PUB, NO_COOKIE);
}

Test(ike_order, a_listener_on_500_does_not_hear_4500)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500),
			    ike(COOKIE_PEER2, 0, .flags = IKE_I, .non_esp = true));

	given_binding(HOST_B, PUB_1, .remote = REMOTE, .kind = RSIP_KIND_LISTEN | RSIP_KIND_IKE_500);
	expect_dropped(in, IF_PUB, NO_COOKIE);
}

/* The whole call, by a host that leases nothing but its listener. */
Test(ike_order, a_listener_without_spis_answers_and_goes_on)
{
	uint32_t l;
	struct pkt answer = SENT(from_host_a(), REMOTE, ike(COOKIE_PEER, COOKIE_A, .flags = IKE_R));
	struct pkt leaves = LEAVES(REMOTE, ike(COOKIE_PEER, COOKIE_A, .flags = IKE_R));
	struct pkt next = COMES(ike(COOKIE_PEER, COOKIE_A, .flags = IKE_I));
	struct pkt at_a = REACHES(to_host_a(), ike(COOKIE_PEER, COOKIE_A, .flags = IKE_I));
	struct pkt elsewhere = SENT(from_host_a(), REMOTE_2, ike(COOKIE_A + 1, 0, .flags = IKE_I));
	struct pkt stranger = SENT(from_host_b(), REMOTE, ike(COOKIE_B, 0, .flags = IKE_I));

	given_end_of(a);
	given_end_of(b);
	l = given_ike_listener(HOST_A, PUB_1, REMOTE);
	expect_sent(answer, leaves, l, and_claimed);
	expect_tunnelled(next, at_a, l);
	expect_run(elsewhere, .iface = IF_PRIV, .action = XDP_DROP, .counts = { { RSIP_DROP_IPSEC_UNALLOWED, 1 } });
	expect_dropped(stranger, IF_PRIV, HOST_UNKNOWN);
	given_end_of(l);
	expect_dropped(next, IF_PUB, NO_COOKIE);
}

Test(ike_order, a_claim_survives_the_hosts_spis_while_its_listener_lives)
{
	uint32_t l = given_ike_listener(HOST_A, PUB_1, REMOTE);
	struct pkt next = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES(to_host_a(), ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));

	a_talks();
	given_end_of(a);
	expect_tunnelled(next, at_a, l);
	given_end_of(l);
	expect_dropped(next, IF_PUB, NO_COOKIE);
}

Test(ike_order, one_listener_for_a_peer_and_port)
{
	struct rsip_dataplane *dp = gateway_dp();
	struct rsip_dp_binding second = { .rec = { .expires_ns = UINT64_MAX,
						   .local = PUB_1,
						   .host = HOST_B,
						   .remote = REMOTE,
						   .method = 2,
						   .tunnel = 1,
						   .kind = RSIP_KIND_LISTEN | RSIP_KIND_IKE_4500 },
					  .ports = { .cnt = 1, .port = { 4500 } } };
	uint32_t slot;

	given_ike_listener(HOST_A, PUB_1, REMOTE);
	cr_expect_eq(dp->ops->bind_install(dp, &second, &slot), -EEXIST);
	second.rec.remote = REMOTE_2;
	cr_expect_eq(dp->ops->bind_install(dp, &second, &slot), 0);
	second.rec.remote = 0;
	cr_expect_eq(dp->ops->bind_install(dp, &second, &slot), -EINVAL);
}

/* ---- between two hosts of one address: the sender is never the answer ------------------------- */

Test(ike_order, a_call_between_two_hosts_of_one_address)
{
	uint32_t l = given_ike_listener(HOST_B, PUB_1, PUB_1);
	struct pkt calls = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(500, 500), ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt heard = pkt(to_host_b(), ip4(PUB_1, PUB_1, .ttl = 63), udp(500, 500),
			       ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt answers = pkt(from_host_b(), ip4(PUB_1, PUB_1), udp(500, 500),
				 ike(COOKIE_A, COOKIE_B, .flags = IKE_R));
	struct pkt answered_at = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(500, 500),
				     ike(COOKIE_A, COOKIE_B, .flags = IKE_R));
	struct pkt again = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(500, 500), ike(COOKIE_A + 1, 0, .flags = IKE_I));
	struct pkt own = pkt(from_host_b(), ip4(PUB_1, PUB_1), udp(500, 500), ike(COOKIE_B + 1, 0, .flags = IKE_I));
	struct pkt own_at = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(500, 500),
				ike(COOKIE_B + 1, 0, .flags = IKE_I));

	expect_hairpin(calls, heard, a, l, and_claimed);
	expect_hairpin(answers, answered_at, b, a, and_claimed);
	/* B's own listener is no answer to B; A, which has an exchange with this address, is. */
	expect_hairpin(own, own_at, b, a, and_claimed, and_guessed);
	given_end_of(a);
	expect_dropped(again, IF_PRIV, HOST_UNKNOWN);
}

/* ---- the machine's own ------------------------------------------------------------------------ */

#define MACHINES .kernel_ike = true, .guess = true, .kernel_ports = { { 53, 1 }, { 32768, 28232 } }, \
		 .kernel_spis = { { 0xcc000000, 0x1000 } }

Test(ike_order, ike_that_no_host_claims_is_the_machines)
{
	struct pkt in = NEW_EXCHANGE, for_a = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES(to_host_a(), ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt alive = pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500), raw("\xff", 1), pad(30));

	given_rules(PUB_1, MACHINES);
	a_talks();
	expect_tunnelled(for_a, at_a, a);
	expect_passed(in, IF_PUB); /* and never guessed */
	expect_passed(alive, IF_PUB);
}

Test(ike_order, ports_and_spis_of_the_machine)
{
	static const uint16_t own[] = { 53, 32768, 60999 }, none[] = { 52, 54, 32767, 61000 };
	struct pkt esp_in = pkt(from_router, ip4(REMOTE, PUB_1), esp(0xcc000fff));
	struct pkt esp_none = pkt(from_router, ip4(REMOTE, PUB_1), esp(0xcc001000));
	struct pkt esp_udp = pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500), esp(0xcc000001));
	struct pkt ah_in = pkt(from_router, ip4(REMOTE, PUB_1), ah(0xcc000000), bytes(20));

	given_rules(PUB_1, MACHINES);
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++) {
		struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), tcp(443, own[i]));

		expect_passed(in, IF_PUB);
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), tcp(443, none[i]));

		expect_dropped(in, IF_PUB, NO_PORT);
	}
	expect_passed(esp_in, IF_PUB);
	expect_passed(ah_in, IF_PUB);
	expect_passed(esp_udp, IF_PUB);
	expect_dropped(esp_none, IF_PUB, NO_SPI);
}

Test(ike_order, icmp_errors_about_the_machines_own_packets)
{
	struct pkt quoted = pkt(from_router, ip4(REMOTE, PUB_1), icmp(3, 1), ip4(PUB_1, REMOTE), udp(40000, 53));
	struct pkt quoted_esp = pkt(from_router, ip4(REMOTE, PUB_1), icmp(3, 1), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt foreign = pkt(from_router, ip4(REMOTE, PUB_1), icmp(3, 1), ip4(PUB_1, REMOTE), udp(20000, 53));

	given_rules(PUB_1, MACHINES);
	expect_passed(quoted, IF_PUB);
	expect_passed(quoted_esp, IF_PUB);
	expect_dropped(foreign, IF_PUB, NO_QUOTE_OWNER);
}

Test(ike_order, replies_to_the_machines_own_pings)
{
	struct pkt own = pkt(from_router, ip4(REMOTE, PUB_1), echo_reply(65535), text("ping"));
	struct pkt none = pkt(from_router, ip4(REMOTE, PUB_1), echo_reply(60999), text("ping"));

	given_rules(PUB_1, .kernel_ids = { { 61000, 4536 } });
	expect_passed(own, IF_PUB);
	expect_dropped(none, IF_PUB, ICMP_QUERY);
}

Test(ike_order, a_lease_goes_before_the_machine)
{
	uint32_t p = given_binding(HOST_A, PUB_1, ports(40000, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), tcp(443, 40001));
	struct pkt at_a = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), tcp(443, 40001));

	given_rules(PUB_1, MACHINES);
	expect_tunnelled(in, at_a, p);
}

Test(ike_order, another_address_is_not_the_machines)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_2), tcp(443, 40001));

	given_rules(PUB_1, MACHINES);
	expect_dropped(in, IF_PUB, NO_PORT);
}

/* ---- too many claims --------------------------------------------------------------------------- */

Test(ike_order, unanswered_claims_give_way_before_answered_ones)
{
	struct pkt first = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES(to_host_a(), ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt second = COMES(ike(COOKIE_A + 1, COOKIE_PEER, .flags = IKE_R));

	given_rules(PUB_1, .guess = false);
	a_talks();
	for (uint64_t i = 1; i <= RSIP_CLAIMS_MAX; i++)
		opens(false, REMOTE, COOKIE_A + i);
	cr_expect_eq(gateway_claims(), RSIP_CLAIMS_MAX);
	expect_tunnelled(first, at_a, a);
	expect_dropped(second, IF_PUB, NO_COOKIE);
}

Test(ike_order, of_answered_claims_the_oldest_gives_way)
{
	struct pkt first = COMES(ike(COOKIE_A, COOKIE_PEER, .flags = IKE_R));
	struct pkt second = COMES(ike(COOKIE_A + 1, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = REACHES(to_host_a(), ike(COOKIE_A + 1, COOKIE_PEER, .flags = IKE_R));

	given_rules(PUB_1, .guess = false);
	for (uint64_t i = 0; i < RSIP_CLAIMS_MAX; i++) {
		opens(false, REMOTE, COOKIE_A + i);
		answered(false, COOKIE_A + i, COOKIE_PEER);
	}
	opens(false, REMOTE, COOKIE_B + 1);
	expect_dropped(first, IF_PUB, NO_COOKIE);
	expect_tunnelled(second, at_a, a);
}
