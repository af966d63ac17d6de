// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What XDP leaves to the kernel, the mark that says what to do with it, and what becomes of it when
 * the kernel sends it out by the slow-path device: reassembled, forwarded (TTL one less), and
 * fragmented anew, the first fragment first.
 */
#include "gateway.h"

TestSuite(xdp_slow, .init = gateway_up, .fini = gateway_down);

#define IP(...) ip4(REMOTE, PUB_1, __VA_ARGS__)

/* Left to the kernel as it is, with a mark. */
#define expect_marked(in, side, cnt, with, ...)                                                    \
	expect_run(in, .iface = side, .action = XDP_PASS, .mark = with, .counts = { { cnt, 1 } },  \
		   ##__VA_ARGS__)
/* From the slow-path device to the host that has `slot`. */
#define expect_slow_tunnelled(in, out, to)                                                         \
	expect_run(in, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL,              \
		   .action = XDP_REDIRECT, .want = &(out), .in_slot = to, .bytes = inner_len(&(out)), \
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 },                                       \
			       { RSIP_CNT_ENCAPSULATED_BYTES, inner_len(&(out)) } })
#define expect_slow_dropped(in, mark, reason)                                                      \
	expect_run(in, .iface = IF_SLOW, .from = IF_PUB, .with_mark = mark, .action = XDP_DROP,    \
		   .counts = { { RSIP_DROP_##reason, 1 } })

/* ---- to the kernel --------------------------------------------------------------------------- */

Test(xdp_slow, too_big_without_df_is_marked_to_be_fragmented)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt fits = pkt(from_router, IP(), udp(53, 4003), bytes(1452));
	struct pkt big = pkt(from_router, IP(), udp(53, 4003), bytes(1453));
	struct pkt want = pkt(to_host_a(), IP(.ttl = 63), udp(53, 4003), bytes(1452));

	expect_tunnelled(fits, want, 1);
	expect_marked(big, IF_PUB, RSIP_CNT_SLOW_PATH, RSIP_MARK_POOL);
}

/* The tunnel takes what the public link takes, or there is DF: the kernel has nothing to do. */
Test(xdp_slow, fragments_of_a_whole_address_that_must_fit_need_no_kernel)
{
	about_outer_header();
	uint32_t slot = given_binding(HOST_A, PUB_1, .whole = true, .mtu = 1500);
	uint32_t narrow = given_binding(HOST_B, PUB_2, .whole = true);
	struct pkt later = pkt(from_router, IP(.frag = 64, .proto = 17), bytes(32));
	struct pkt first = pkt(from_router, IP(.mf = true), udp(53, 9), bytes(32));
	struct pkt with_df = pkt(from_router, ip4(REMOTE, PUB_2, .mf = true, .df = true), udp(53, 9), bytes(32));
	struct pkt want_later =
		pkt(to_host_a(), IP(.frag = 64, .proto = 17, .ttl = 63), bytes(32));
	struct pkt want_first = pkt(to_host_a(), IP(.mf = true, .ttl = 63), udp(53, 9), bytes(32));
	struct pkt want_df = pkt(to_host_b(.df = true), ip4(REMOTE, PUB_2, .mf = true, .df = true, .ttl = 63),
				 udp(53, 9), bytes(32));

	expect_tunnelled(later, want_later, slot);
	expect_tunnelled(first, want_first, slot);
	expect_tunnelled(with_df, want_df, narrow);
}

/* The kernel must have the small last one, too: it puts all of them together before it fragments anew. */
Test(xdp_slow, fragments_of_a_whole_address_that_may_not_fit_all_go_to_the_kernel)
{
	given_binding(HOST_A, PUB_1, .whole = true);
	struct pkt first = pkt(from_router, IP(.mf = true), udp(53, 9), bytes(1472));
	struct pkt last = pkt(from_router, IP(.frag = 185, .proto = 17), bytes(32));

	expect_marked(first, IF_PUB, RSIP_CNT_FRAGMENT_PASSED, RSIP_MARK_POOL);
	expect_marked(last, IF_PUB, RSIP_CNT_FRAGMENT_PASSED, RSIP_MARK_POOL);
}

Test(xdp_slow, fragments_of_a_host_to_a_whole_address_all_go_to_the_kernel)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_2, .whole = true);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_2, .frag = 185, .proto = 17), bytes(32));
	struct pkt want = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, PUB_2, .frag = 185, .proto = 17), bytes(32));

	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_POOL, .want = &want,
		   .out_slot = slot, .bytes = outer_len(&want), .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
}

/* A private link with room for more than the public one takes: some of a packet's fragments would be too big there. */
Test(xdp_slow, fragments_of_a_host_on_a_wider_link_are_all_opened_for_the_kernel)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt small = pkt(from_host_a(), ip4(PUB_1, REMOTE, .frag = 185, .proto = 17), bytes(32));
	struct pkt opened = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, REMOTE, .frag = 185, .proto = 17), bytes(32));
	struct pkt with_df = pkt(from_host_a(), ip4(PUB_1, REMOTE, .frag = 185, .proto = 17, .df = true), bytes(32));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .frag = 185, .proto = 17, .df = true, .ttl = 63), bytes(32));

	given_mtu(IF_PRIV, 9000);
	for (int twice = 0; twice < 2; twice++) { /* the second finds its route in the cache */
		expect_run(small, .iface = IF_PRIV, .action = XDP_PASS, .want = &opened, .out_slot = slot,
			   .bytes = outer_len(&opened), .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
		expect_sent(with_df, sent, slot);
	}
}

Test(xdp_slow, fragments_from_impossible_sources_take_no_memory)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(PUB_2, PUB_1, .mf = true), udp(53, 4003), bytes(32));

	expect_dropped(in, IF_PUB, SRC_SPOOFED);
}

Test(xdp_slow, a_fragment_between_two_hosts_is_opened_and_marked)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt in =
		pkt(from_host_a(), ip4(PUB_1, PUB_1, .mf = true), udp(4003, 4009), bytes(32));
	struct pkt want = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, PUB_1, .mf = true),
			      udp(4003, 4009), bytes(32));

	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_POOL, .want = &want,
		   .out_slot = slot, .bytes = outer_len(&want),
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
}

Test(xdp_slow, too_big_for_the_public_side_without_df_is_opened_for_the_kernel_to_fragment)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1473));
	struct pkt want = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53),
			      bytes(1473));

	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .want = &want, .out_slot = slot,
		   .bytes = outer_len(&want), .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

Test(xdp_slow, what_is_longer_than_its_device_takes_is_judged_and_counted_by_tc)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, IP(.df = true), udp(53, 4003), bytes(1600));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1480, in, 548);

	expect_answered(in, IF_PUB, answer, TOO_BIG);
}

/* ---- from the slow-path device --------------------------------------------------------------- */

Test(xdp_slow, a_reassembled_datagram_reaches_its_host_and_its_ttl_is_left_alone)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, IP(.ttl = 63), udp(53, 4003), bytes(400));
	struct pkt want = pkt(to_host_a(), IP(.ttl = 63), udp(53, 4003), bytes(400));

	expect_slow_tunnelled(in, want, slot);
}

Test(xdp_slow, a_datagram_between_two_hosts_goes_on_and_one_that_pretends_to_be_does_not)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	uint32_t slot = given_binding(HOST_B, PUB_2, ports(4008, 8));
	struct pkt want =
		pkt(to_host_b(), ip4(PUB_1, PUB_2, .ttl = 63), udp(4003, 4009), bytes(400));
	struct pkt opened = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, PUB_2, .ttl = 63),
				udp(4003, 4009), bytes(400));

	expect_run(opened, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_POOL,
		   .action = XDP_REDIRECT, .want = &want, .in_slot = slot, .bytes = inner_len(&want),
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 },
			       { RSIP_CNT_ENCAPSULATED_BYTES, inner_len(&want) } });
	expect_slow_dropped(opened, RSIP_MARK_POOL, SRC_SPOOFED);
}

Test(xdp_slow, later_fragments_follow_their_first)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0xa0000000, 4)),
		 b = given_binding(HOST_B, PUB_1, ports(4008, 8), spis(0xb0000000, 4));
	struct pkt first_a = pkt(from_router, IP(.mf = true, .id = 7), udp(53, 4003), bytes(64));
	struct pkt later_a = pkt(from_router, IP(.frag = 9, .id = 7, .proto = 17), bytes(32));
	struct pkt first_b = pkt(from_router, IP(.mf = true, .id = 7), esp(0xb0000001));
	struct pkt later_b = pkt(from_router, IP(.frag = 6, .id = 7, .proto = 50), bytes(32));
	struct pkt first_at_a = pkt(to_host_a(.id = 7), IP(.mf = true, .id = 7), udp(53, 4003),
				    bytes(64));
	struct pkt later_at_a =
		pkt(to_host_a(.id = 7), IP(.frag = 9, .id = 7, .proto = 17), bytes(32));
	struct pkt first_at_b = pkt(to_host_b(.id = 7), IP(.mf = true, .id = 7), esp(0xb0000001));
	struct pkt later_at_b =
		pkt(to_host_b(.id = 7), IP(.frag = 6, .id = 7, .proto = 50), bytes(32));

	expect_slow_tunnelled(first_a, first_at_a, a);
	expect_slow_tunnelled(later_a, later_at_a, a);
	expect_slow_tunnelled(later_a, later_at_a, a);
	expect_slow_tunnelled(first_b, first_at_b, b);
	expect_slow_dropped(later_a, RSIP_MARK_POOL, FRAGMENT_LOST);
	expect_slow_tunnelled(later_b, later_at_b, b);
}

/* IKE is found by what the pair has learned, which names the binding that ends last; the remote says which one it is. */
Test(xdp_slow, later_fragments_of_ike_follow_to_the_binding_for_their_remote)
{
	uint32_t one = given_binding(HOST_A, PUB_1, spis(0x1000, 4), .remote = REMOTE);
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), ike(7, 0, .flags = 0x08));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(500, 500), ike(7, 0, .flags = 0x08));
	struct pkt first = pkt(from_router, IP(.mf = true, .id = 7), udp(500, 500), ike(7, 9, .flags = 0x20));
	struct pkt later = pkt(from_router, IP(.frag = 5, .id = 7, .proto = 17), bytes(32));
	struct pkt first_in =
		pkt(to_host_a(.id = 7), IP(.mf = true, .id = 7), udp(500, 500), ike(7, 9, .flags = 0x20));
	struct pkt later_in = pkt(to_host_a(.id = 7), IP(.frag = 5, .id = 7, .proto = 17), bytes(32));

	given_binding(HOST_A, PUB_1, spis(0x2000, 4), .remote = REMOTE_2, .longer = true);
	expect_sent(out, sent, one, and_claimed);
	expect_slow_tunnelled(first, first_in, one);
	expect_slow_tunnelled(later, later_in, one);
}

Test(xdp_slow, later_fragments_of_another_packet_are_lost)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt first = pkt(from_router, IP(.mf = true, .id = 7), udp(53, 4003), bytes(64));
	struct pkt refused = pkt(from_router, IP(.mf = true, .id = 7), udp(53, 999), bytes(64));
	struct pkt want =
		pkt(to_host_a(.id = 7), IP(.mf = true, .id = 7), udp(53, 4003), bytes(64));
	struct pkt id = pkt(from_router, IP(.frag = 9, .id = 8, .proto = 17), bytes(32));
	struct pkt proto = pkt(from_router, IP(.frag = 9, .id = 7, .proto = 6), bytes(32));
	struct pkt from = pkt(from_router, ip4(REMOTE_2, PUB_1, .frag = 9, .id = 7, .proto = 17),
			      bytes(32));
	struct pkt same = pkt(from_router, IP(.frag = 9, .id = 7, .proto = 17), bytes(32));

	expect_slow_dropped(same, RSIP_MARK_POOL, FRAGMENT_LOST);
	expect_slow_tunnelled(first, want, 1);
	expect_slow_dropped(id, RSIP_MARK_POOL, FRAGMENT_LOST);
	expect_slow_dropped(proto, RSIP_MARK_POOL, FRAGMENT_LOST);
	expect_slow_dropped(from, RSIP_MARK_POOL, FRAGMENT_LOST);
	expect_slow_dropped(refused, RSIP_MARK_POOL, NO_PORT);
	expect_slow_dropped(same, RSIP_MARK_POOL, FRAGMENT_LOST);
}

Test(xdp_slow, what_was_not_sent_here_is_lost)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt good = pkt(from_router, IP(), udp(53, 4003), bytes(40));
	struct pkt other = pkt(from_router, ip4(REMOTE, NOT_OURS), udp(53, 4003), bytes(40));

	expect_slow_dropped(good, 0, STRAY);
	expect_slow_dropped(good, 1, STRAY);
	expect_slow_dropped(other, RSIP_MARK_POOL, STRAY);
	expect_slow_dropped(good, RSIP_MARK_TUNNEL, STRAY);
}

Test(xdp_slow, what_is_still_too_big_does_not_go_around_again)
{
	about_outer_header();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt big = pkt(from_router, IP(), udp(53, 4003), bytes(1453));

	expect_slow_dropped(big, RSIP_MARK_POOL, TOO_BIG);
}

/* ---- echo requests to a shared address (RFC 3102 6.2) ---------------------------------------- */

#define expect_slow_echo(in, out)                                                                  \
	expect_run(in, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL,              \
		   .action = XDP_TX, .want = &(out), .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } })
/* n bytes of a whole message, from off on. */
#define ASKED(off, n, ...) pkt(from_router, IP(.ttl = 63, .proto = 1, .frag = (off) / 8, __VA_ARGS__), raw(asked.data + 34 + (off), n))
#define SAID(off, n, ...)                                                                          \
	pkt(from_router, ip4(PUB_1, REMOTE, .proto = 1, .frag = (off) / 8, __VA_ARGS__), raw(said.data + 34 + (off), n))

Test(xdp_slow, an_echo_request_put_together_is_answered)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, IP(.ttl = 63), echo_request(77), bytes(1400));
	struct pkt want = pkt(from_router, ip4(PUB_1, REMOTE), echo_reply(77), bytes(1400));

	expect_slow_echo(in, want);
}

/* Only the first has a checksum, of all of them: it changes by the difference. */
Test(xdp_slow, an_echo_request_taken_apart_again_is_answered_piece_by_piece)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt asked = pkt(from_router, IP(), echo_request(77), bytes(1405));
	struct pkt said = pkt(from_router, ip4(PUB_1, REMOTE), echo_reply(77), bytes(1405));
	struct pkt first = ASKED(0, 800, .mf = true, .id = 7), first_back = SAID(0, 800, .mf = true, .id = 7);
	struct pkt second = ASKED(800, 608, .mf = true, .id = 7), second_back = SAID(800, 608, .mf = true, .id = 7);
	struct pkt last = ASKED(1408, 5, .id = 7), last_back = SAID(1408, 5, .id = 7);
	struct pkt other = ASKED(1408, 5, .id = 8);

	expect_slow_dropped(last, RSIP_MARK_POOL, FRAGMENT_LOST);
	expect_slow_echo(first, first_back);
	expect_slow_echo(second, second_back);
	expect_slow_echo(last, last_back);
	expect_slow_dropped(other, RSIP_MARK_POOL, FRAGMENT_LOST);
}

Test(xdp_slow, other_queries_in_pieces_and_those_of_nobody_are_not_answered)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt timestamp = pkt(from_router, IP(.mf = true, .id = 7), icmp(13, 0), bytes(40));
	struct pkt later = pkt(from_router, IP(.frag = 6, .proto = 1, .id = 7), bytes(8));
	struct pkt forged = pkt(from_router, ip4(PUB_2, PUB_1, .mf = true), echo_request(77), bytes(40));

	expect_slow_dropped(timestamp, RSIP_MARK_POOL, ICMP_QUERY);
	expect_slow_dropped(later, RSIP_MARK_POOL, FRAGMENT_LOST);
	expect_slow_dropped(forged, RSIP_MARK_POOL, SRC_SPOOFED);
}

/* A host's own, to a shared address: what it hears turns around inside, and so takes the kernel's way once more. */
#define OPENED(...) pkt(eth(MAC_HOST_A, MAC_GW_PRIV), __VA_ARGS__)
#define expect_slow_echo_up(in, out, mark_, ...)                                                   \
	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = mark_, .action = XDP_TX,    \
		   .mark = RSIP_MARK_POOL, .want = &(out), .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } }, ##__VA_ARGS__)
#define expect_slow_at_a(in, out, slot)                                                            \
	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_POOL,             \
		   .action = XDP_REDIRECT, .want = &(out), .in_slot = slot, .bytes = inner_len(&(out)), \
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 }, { RSIP_CNT_ENCAPSULATED_BYTES, inner_len(&(out)) } })

Test(xdp_slow, an_echo_request_in_a_tunnel_put_together_is_answered)
{
	about_outer_header();
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_2, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_2), echo_request(77), bytes(1600));
	struct pkt up = OPENED(ip4(PUB_2, PUB_1), echo_reply(77), bytes(1600));
	struct pkt piece = OPENED(ip4(PUB_2, PUB_1, .ttl = 63, .mf = true), raw(up.data + 34, 1000));
	struct pkt at_a = pkt(to_host_a(), ip4(PUB_2, PUB_1, .ttl = 63, .mf = true), raw(up.data + 34, 1000));

	expect_slow_echo_up(in, up, RSIP_MARK_TUNNEL, .out_slot = a, .bytes = outer_len(&up));
	piece.data[23] = at_a.data[43] = 1;
	pkt_sum_header(piece.data + 14);
	pkt_sum_header(at_a.data + 34);
	expect_slow_at_a(piece, at_a, a);
}

Test(xdp_slow, an_echo_request_in_pieces_in_a_tunnel_is_answered_piece_by_piece)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_2, ports(4000, 8));
	struct pkt asked = OPENED(ip4(PUB_1, PUB_2), echo_request(77), bytes(1405));
	struct pkt said = OPENED(ip4(PUB_2, PUB_1), echo_reply(77), bytes(1405));
#define ASKS(off, n, ...) ip4(PUB_1, PUB_2, .id = 7, .proto = 1, .frag = (off) / 8, __VA_ARGS__), raw(asked.data + 34 + (off), n)
#define HEARS(off, n, ...) ip4(PUB_2, PUB_1, .id = 7, .proto = 1, .frag = (off) / 8, __VA_ARGS__), raw(said.data + 34 + (off), n)
	struct pkt first_in = pkt(from_host_a(), ASKS(0, 800, .mf = true)), first_up = OPENED(ASKS(0, 800, .mf = true));
	struct pkt first = OPENED(ASKS(0, 800, .mf = true, .ttl = 63)), first_said = OPENED(HEARS(0, 800, .mf = true));
	struct pkt last = OPENED(ASKS(800, 613, .ttl = 63)), last_said = OPENED(HEARS(800, 613));
	struct pkt first_back = OPENED(HEARS(0, 800, .mf = true, .ttl = 63)), last_back = OPENED(HEARS(800, 613, .ttl = 63));
	struct pkt first_at_a = pkt(to_host_a(), HEARS(0, 800, .mf = true, .ttl = 63));
	struct pkt last_at_a = pkt(to_host_a(), HEARS(800, 613, .ttl = 63));

	expect_run(first_in, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_POOL, .want = &first_up, .out_slot = a,
		   .bytes = outer_len(&first_up), .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
	expect_slow_echo_up(first, first_said, RSIP_MARK_POOL);
	expect_slow_echo_up(last, last_said, RSIP_MARK_POOL);
	expect_slow_at_a(first_back, first_at_a, a);
	expect_slow_at_a(last_back, last_at_a, a);
	expect_run(first_back, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL, .action = XDP_DROP,
		   .counts = { { RSIP_DROP_SRC_SPOOFED, 1 } });
}

/* ---- between two hosts of one address: its sender's claim never matches --------------------------------------------- */

#define HALF_A 0x1111111111111111ULL
#define HALF_B 0x2222222222222222ULL
#define WITHIN(...) ip4(PUB_1, PUB_1, .mf = true, .id = 7, ##__VA_ARGS__), udp(500, 500, .total_len = 1408)
#define REST(...) ip4(PUB_1, PUB_1, .frag = 12, .id = 7, .proto = 17, ##__VA_ARGS__), bytes(600)

/* version 1 does not say whose half is whose, and both are hosts' of this address */
static void expect_ike_in_pieces_between_two_hosts(void)
{
	uint32_t a = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4)), b = given_binding(HOST_B, PUB_1, spis(0xb0000000, 4));
	uint32_t l = given_ike_listener(HOST_B, PUB_1, PUB_1);
	struct pkt calls = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(500, 500), ikev1(HALF_A, 0), bytes(40));
	struct pkt heard = pkt(to_host_b(), ip4(PUB_1, PUB_1, .ttl = 63), udp(500, 500), ikev1(HALF_A, 0), bytes(40));
	struct pkt answers = pkt(from_host_b(), ip4(PUB_1, PUB_1), udp(500, 500), ikev1(HALF_A, HALF_B), bytes(40));
	struct pkt answered = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(500, 500), ikev1(HALF_A, HALF_B), bytes(40));
	struct pkt by_a = pkt(from_host_a(), WITHIN(), ikev1(HALF_A, HALF_B), bytes(60));
	struct pkt by_a_up = OPENED(WITHIN(), ikev1(HALF_A, HALF_B), bytes(60));
	struct pkt by_a_rest = pkt(from_host_a(), REST()), by_a_rest_up = OPENED(REST());
	struct pkt piece = OPENED(WITHIN(.ttl = 63), ikev1(HALF_A, HALF_B), bytes(60)), rest = OPENED(REST(.ttl = 63));
	struct pkt at_b = pkt(to_host_b(.id = 7), WITHIN(.ttl = 63), ikev1(HALF_A, HALF_B), bytes(60));
	struct pkt rest_at_b = pkt(to_host_b(), REST(.ttl = 63));
	struct pkt by_b = pkt(from_host_b(), WITHIN(), ikev1(HALF_A, HALF_B), bytes(60));
	struct pkt by_b_up = pkt(eth(MAC_HOST_B, MAC_GW_PRIV), WITHIN(), ikev1(HALF_A, HALF_B), bytes(60));
	struct pkt at_a = pkt(to_host_a(.id = 7), WITHIN(.ttl = 63), ikev1(HALF_A, HALF_B), bytes(60));

	expect_hairpin(calls, heard, a, l, and_claimed);
	expect_hairpin(answers, answered, b, a, and_claimed);
#define expect_up(in, up, from)                                                                                   \
	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_POOL, .want = &(up), .out_slot = from, \
		   .bytes = outer_len(&(up)), .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } })
	expect_up(by_a, by_a_up, a);
	expect_up(by_a_rest, by_a_rest_up, a);
	expect_slow_at_a(piece, at_b, b);
	expect_slow_at_a(rest, rest_at_b, b);
	expect_up(by_b, by_b_up, b);
	expect_slow_at_a(piece, at_a, a);
}

Test(xdp_slow, ike_in_pieces_between_two_hosts_of_one_address)
{
	expect_ike_in_pieces_between_two_hosts();
}

/* The program that notes the sender is then of another build than the one on the slow path that asks for it. */
Test(xdp_slow, and_while_somebody_looks_at_the_private_interface)
{
	about_ethernet();
	given_capture();
	expect_ike_in_pieces_between_two_hosts();
}

/* ---- tunnel packets that the kernel has reassembled ------------------------------------------ */

Test(xdp_slow, a_reassembled_tunnel_packet_is_opened)
{
	about_outer_header();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1400));
	struct pkt want =
		pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(1400));

	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_REDIRECT, .want = &want, .out_slot = slot,
		   .bytes = outer_len(&want),
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 },
			       { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&want) } });
}

/* The kernel has put it together, and takes it apart again on its way here. */
#define IN_PIECES(off, n, ...) pkt(from_host_a(.proto = 4, .frag = (off) / 8, __VA_ARGS__), raw(whole.data + 34 + (off), n))
#define expect_piece(in, ...)                                                                                          \
	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL, .action = XDP_DROP, ##__VA_ARGS__)
#define expect_held(in) expect_piece(in)
#define expect_piece_lost(in) expect_piece(in, .counts = { { RSIP_DROP_FRAGMENT_LOST, 1 } })
#define expect_gathered(in, out)                                                                                       \
	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL, .action = XDP_REDIRECT,       \
		   .want = &(out), .out_slot = 1, .bytes = outer_len(&(out)),                                          \
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 }, { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&(out)) } })

Test(xdp_slow, a_tunnel_packet_in_pieces_is_put_together)
{
	about_outer_header();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt whole = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1400));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(1400));
	struct pkt first = IN_PIECES(0, 600, .mf = true), middle = IN_PIECES(600, 600, .mf = true);
	struct pkt last = IN_PIECES(1200, 228), other_last = IN_PIECES(600, 828);

	cr_assert_eq(whole.len, 34 + 1428);
	for (int twice = 0; twice < 2; twice++) {
		expect_held(first);
		expect_held(middle);
		expect_gathered(last, sent);
		expect_held(first);
		expect_gathered(other_last, sent);
	}
}

Test(xdp_slow, pieces_of_options_and_of_odd_length)
{
	about_outer_header();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt whole = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(801));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(801));
	struct pkt first = IN_PIECES(0, 600, .mf = true, .options = "\1\1\1\1", .options_len = 4);
	struct pkt last = IN_PIECES(600, 229), with_options = IN_PIECES(600, 229, .options = "\x94\4\0\0", .options_len = 4);

	expect_held(first);
	expect_gathered(last, sent);
	expect_held(first);
	expect_gathered(with_options, sent);
}

Test(xdp_slow, pieces_of_another_packet_or_out_of_order_are_lost)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt whole = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1400));
	struct pkt first = IN_PIECES(0, 600, .mf = true), last = IN_PIECES(600, 828), end = IN_PIECES(1200, 228);
	struct pkt id = IN_PIECES(600, 828, .id = 1);
	struct pkt proto = pkt(from_host_a(.proto = 47, .frag = 75), raw(whole.data + 634, 828));
	struct pkt other = pkt(from_host_b(.proto = 4, .frag = 75), raw(whole.data + 634, 828));
	expect_piece_lost(last);
	for (int i = 0; i < 4; i++) {
		const struct pkt *wrong[] = { &end, &id, &proto, &other };

		expect_held(first);
		expect_piece_lost(*wrong[i]);
		expect_piece_lost(last); /* what was held is forgotten */
	}
}

Test(xdp_slow, pieces_of_more_than_there_is_room_for)
{
	struct pkt last = pkt(from_host_a(.proto = 4, .frag = 1500), bytes(289));

	for (uint16_t off = 0; off < 12000; off += 3000) {
		struct pkt piece = pkt(from_host_a(.proto = 4, .mf = true, .frag = off / 8), bytes(3000));

		expect_held(piece);
	}
	expect_piece(last, .counts = { { RSIP_DROP_TOO_BIG, 1 } });
	expect_piece_lost(last);
}

Test(xdp_slow, a_reassembled_tunnel_packet_obeys_the_same_rules)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt other = pkt(from_host_b(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1400));
	struct pkt good = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1400));

	expect_run(other, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_DROP, .counts = { { RSIP_DROP_NOT_OWNER, 1 } });
	expect_run(good, .iface = IF_SLOW, .from = IF_PRIV2, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_DROP, .counts = { { RSIP_DROP_STRAY, 1 } });
}

/*
 * Its sender hears what the next link takes, or that its TTL is gone: by a message from the public realm, which finds the host
 * and its tunnel as all do.
 */
#define expect_slow_told(in, say, reason)                                                          \
	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,           \
		   .action = XDP_TX, .want = &(say), .counts = { { RSIP_CNT_ICMP_SENT, 1 }, { RSIP_DROP_##reason, 1 } })
#define SAY(t, c, m, about, at)                                                                    \
	pkt(eth(MAC_GW_PRIV, MAC_GW_PUB), ip4(GW_PUB, PUB_1, .tos = 0xc0, .df = true),             \
	    icmp(t, c, .rest_lo = m), raw((about).data + (at), 548))

Test(xdp_slow, who_sent_a_reassembled_tunnel_packet_hears_why_it_is_dropped)
{
	about_outer_header();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt big = pkt(from_host_a(), ip4(PUB_1, REMOTE, .df = true), udp(4003, 53), bytes(1600));
	struct pkt late = pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), bytes(1400));
	struct pkt say_big = SAY(3, 4, 1500, big, 34), say_late = SAY(11, 0, 0, late, 34);
	struct pkt told = pkt(to_host_a(.tos = 0xc0, .df = true), ip4(GW_PUB, PUB_1, .tos = 0xc0, .df = true, .ttl = 63),
			      icmp(3, 4, .rest_lo = 1500), raw(big.data + 34, 548));

	expect_slow_told(big, say_big, TOO_BIG);
	expect_slow_told(late, say_late, TTL_EXCEEDED);
	expect_tunnelled(say_big, told, slot);
}

Test(xdp_slow, a_reassembled_tunnel_packet_that_must_be_fragmented_goes_up_opened)
{
	about_outer_header();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1600));
	struct pkt want = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53),
			      bytes(1600));

	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_REDIRECT, .mark = RSIP_MARK_KERNEL, .want = &want, .out_slot = slot,
		   .bytes = outer_len(&want), .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

/* RFC 791 3.2: fragments are of eight bytes and more, and ports and SPIs are among the first eight. */
Test(xdp_slow, a_first_fragment_of_eight_bytes_tells_whose_it_is)
{
	static const struct {
		uint8_t proto;
		const char *in, *out; /* its first eight bytes: to port 4003, SPI a0000001; from there */
	} of[] = {
		{ 6, "\0\x35\x0f\xa3\1\2\3\4", "\x0f\xa3\0\x35\1\2\3\4" },
		{ 17, "\0\x35\x0f\xa3\0\x28\0\0", "\x0f\xa3\0\x35\0\x28\0\0" },
		{ 33, "\0\x35\x0f\xa3\1\2\3\4", "\x0f\xa3\0\x35\1\2\3\4" },
		{ 132, "\0\x35\x0f\xa3\1\2\3\4", "\x0f\xa3\0\x35\1\2\3\4" },
		{ 136, "\0\x35\x0f\xa3\0\0\0\0", "\x0f\xa3\0\x35\0\0\0\0" },
		{ 51, "\6\4\0\0\xa0\0\0\1", "\6\4\0\0\0\0\0\x77" },
		{ 50, "\xa0\0\0\1\0\0\0\1", "\0\0\0\x77\0\0\0\1" },
	};
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0xa0000000, 4));

	for (size_t i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		struct pkt in = pkt(from_router, IP(.mf = true, .id = 7, .proto = of[i].proto), raw(of[i].in, 8));
		struct pkt at_host = pkt(to_host_a(.id = 7), IP(.mf = true, .id = 7, .proto = of[i].proto), raw(of[i].in, 8));
		struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE, .mf = true, .proto = of[i].proto), raw(of[i].out, 8));
		struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .mf = true, .ttl = 63, .proto = of[i].proto), raw(of[i].out, 8));

		expect_slow_tunnelled(in, at_host, slot);
		expect_sent(out, sent, slot);
	}
}
