// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Path MTU toward hosts (RFC 1191): what a router between gateway and host says of a tunnel packet is reported, if it
 * can be true; and what a lower MTU in the host's record does to its packets.  STRANGER plays the router.
 */
#include "gateway.h"

TestSuite(xdp_pmtu, .init = gateway_up, .fini = gateway_down);

static struct rsip_event got[16];

/* A packet as it lies in the tunnel to host A, long enough for the path to refuse it. */
#define TUNNELLED(...) pkt(to_host_a(__VA_ARGS__), ip4(REMOTE, PUB_1, .df = true), tcp(443, 4003), bytes(1400))
/* The router's message about it, with n bytes of it. */
#define TOLD(mtu, about, n) TOLD_TO(GW_PRIV, mtu, about, n)
#define TOLD_TO(to, mtu, about, n)                                                                                     \
	pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, to), frag_needed(mtu), raw((about).data + 14, n))

static void expect_report(const struct pkt *in, __be32 local, uint16_t mtu, uint16_t len, uint8_t proto)
{
	expect_passed(*in, IF_PRIV);
	cr_assert_eq(gateway_events(got), 1);
	cr_expect_eq(got[0].reason, RSIP_REPORT_PMTU);
	cr_expect_eq(got[0].host, HOST_A);
	cr_expect_eq(got[0].local, local);
	cr_expect_eq(got[0].remote, STRANGER);
	cr_expect_eq(got[0].endpoint, GW_PRIV);
	cr_expect_eq(got[0].mtu, mtu);
	cr_expect_eq(got[0].len, len);
	cr_expect_eq(got[0].proto, proto);
	cr_expect_eq(got[0].iface, IF_PRIV);
}

/* It is the kernel's as any ICMP to the machine is, and rsipd hears nothing. */
#define expect_no_report(in, side)                                                                                     \
	do {                                                                                                           \
		expect_passed(in, side);                                                                               \
		cr_expect_eq(gateway_events(got), 0);                                                                  \
	} while (0)

Test(xdp_pmtu, a_router_that_quotes_the_whole_inner_header_names_the_binding)
{
	struct pkt about = TUNNELLED(.df = true), in = TOLD(1400, about, 548);

	expect_report(&in, PUB_1, 1400, 1460, 4);
}

Test(xdp_pmtu, eight_bytes_behind_the_outer_header_are_enough_and_name_only_the_host)
{
	struct pkt about = TUNNELLED(.df = true), in = TOLD(1400, about, 28), edge = TOLD(1399, about, 39);

	expect_report(&in, 0, 1400, 1460, 4);
	expect_report(&edge, 0, 1399, 1460, 4);
}

Test(xdp_pmtu, twenty_bytes_behind_it_reach_the_inner_destination)
{
	struct pkt about = TUNNELLED(.df = true), in = TOLD(1400, about, 40);

	expect_report(&in, PUB_1, 1400, 1460, 4);
}

Test(xdp_pmtu, in_gre_the_inner_header_is_four_bytes_later)
{
	struct pkt about = pkt(to_host_a(.df = true), gre(), ip4(REMOTE, PUB_1, .df = true), tcp(443, 4003), bytes(1400));
	struct pkt all = TOLD(1400, about, 44), less = TOLD(1400, about, 43), eight = TOLD(1300, about, 28);

	expect_report(&all, PUB_1, 1400, 1464, 47);
	expect_report(&less, 0, 1400, 1464, 47);
	expect_report(&eight, 0, 1300, 1464, 47);
}

Test(xdp_pmtu, a_router_from_before_rfc_1191_gives_no_mtu)
{
	struct pkt about = TUNNELLED(.df = true), in = TOLD(0, about, 28);

	expect_report(&in, 0, 0, 1460, 4);
}

Test(xdp_pmtu, by_an_endpoint_that_a_policy_names)
{
	struct pkt about = pkt(eth(MAC_GW_PRIV, MAC_HOST_A), ip4(GW_PUB, HOST_A, .df = true),
			       ip4(REMOTE, PUB_1, .df = true), tcp(443, 4003), bytes(1400));
	struct pkt in = TOLD_TO(GW_PUB, 1400, about, 48);

	expect_no_report(in, IF_PRIV);
	given_endpoint(GW_PUB);
	expect_passed(in, IF_PRIV);
	cr_assert_eq(gateway_events(got), 1);
	cr_expect_eq(got[0].endpoint, GW_PUB);
}

Test(xdp_pmtu, with_ip_options_in_front_of_the_message)
{
	struct pkt about = TUNNELLED(.df = true);
	struct pkt in = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV, .options = "\x94\4\0\0", .options_len = 4),
			    frag_needed(1400), raw(about.data + 14, 48));

	expect_report(&in, PUB_1, 1400, 1460, 4);
}

Test(xdp_pmtu, what_cannot_be_about_a_tunnel_packet_of_ours_is_not_reported)
{
	struct pkt about = TUNNELLED(.df = true), fragmentable = TUNNELLED();
	struct pkt of_host = pkt(from_host_a(.df = true), ip4(PUB_1, REMOTE, .df = true), tcp(4003, 443), bytes(1400));
	struct pkt no_tunnel = pkt(eth(MAC_GW_PRIV, MAC_HOST_A), ip4(GW_PRIV, HOST_A, .df = true), udp(4555, 4555), bytes(1400));
	struct pkt options = pkt(to_host_a(.df = true, .options = "\1\1\1\1", .options_len = 4),
				 ip4(REMOTE, PUB_1, .df = true), tcp(443, 4003), bytes(1400));
	struct pkt later = TUNNELLED(.df = true, .frag = 9);
	const struct pkt none[] = {
		TOLD(1400, fragmentable, 48), /* it was not to be dropped */
		TOLD(1400, of_host, 48), TOLD(1400, no_tunnel, 48), TOLD(1400, options, 52), TOLD(1400, later, 48),
		TOLD(1460, about, 48), /* it fits that */
		TOLD(1400, about, 27), /* RFC 792: 8 bytes at least */
		TOLD_TO(GW_PRIV2, 1400, about, 48),
	};

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		expect_no_report(none[i], IF_PRIV);
}

Test(xdp_pmtu, other_messages_and_damaged_ones_are_not_reported)
{
	struct pkt about = TUNNELLED(.df = true), broken = TOLD(1400, about, 548), odd = TOLD(1400, about, 49);
	const struct pkt other[] = {
		pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV), icmp(3, 1), raw(about.data + 14, 48)),
		pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV), icmp(11, 0), raw(about.data + 14, 48)),
		pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV, .mf = true), frag_needed(1400),
		    raw(about.data + 14, 48)),
	};

	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		expect_no_report(other[i], IF_PRIV);
	broken.data[14 + 20 + 8 + 300] ^= 1; /* far behind all that is looked at */
	expect_no_report(broken, IF_PRIV);
	expect_report(&odd, PUB_1, 1400, 1460, 4);
}

Test(xdp_pmtu, nothing_is_learned_from_the_public_side)
{
	struct pkt about = TUNNELLED(.df = true);
	struct pkt in = pkt(from_router, ip4(ROUTER, GW_PUB), frag_needed(1400), raw(about.data + 14, 48));
	struct pkt to_private = pkt(from_router, ip4(ROUTER, GW_PRIV), frag_needed(1400), raw(about.data + 14, 48));

	given_endpoint(GW_PUB);
	expect_no_report(in, IF_PUB);
	expect_dropped(to_private, IF_PUB, DST_PRIVATE);
	cr_expect_eq(gateway_events(got), 0);
}

Test(xdp_pmtu, cut_short_at_every_byte_it_is_reported_or_left_alone)
{
	struct pkt about = TUNNELLED(.df = true);

	for (uint32_t n = 0; n <= 64; n++) {
		struct pkt in = TOLD((uint16_t)(1200 + n), about, n);

		expect_passed(in, IF_PRIV);
		cr_expect_eq(gateway_events(got), n >= 28, "%u bytes quoted", n);
		if (n >= 28)
			cr_expect_eq(got[0].local, n >= 40 ? PUB_1 : 0, "%u bytes quoted", n);
	}
}

/* A second may end in the middle: then there is one more of each. */
Test(xdp_pmtu, the_same_is_reported_once_a_second_and_a_forgery_does_not_hide_the_truth)
{
	struct pkt about = TUNNELLED(.df = true), in = TOLD(1400, about, 48);
	struct pkt other = pkt(to_host_a(.df = true), ip4(REMOTE, PUB_2, .df = true), tcp(443, 4003), bytes(1400));
	struct pkt forged = TOLD(1400, other, 48);
	uint32_t cnt;

	for (int i = 0; i < 100; i++)
		gateway_run(IF_PRIV, forged.data, forged.len);
	cnt = gateway_events(got);
	cr_expect(cnt == 1 || cnt == 2, "%u", cnt);
	gateway_run(IF_PRIV, in.data, in.len);
	cr_expect_eq(gateway_events(got), 1);
}

/* ---- what a lower MTU does ------------------------------------------------------------------------------------------- */

static uint32_t given_path(uint16_t mtu, uint8_t tunnel)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .tunnel = tunnel);

	cr_assert_eq(gateway_dp()->ops->bind_mtu(gateway_dp(), slot, mtu), 0);
	return slot;
}

#define IN(n, ...) pkt(from_router, ip4(REMOTE, PUB_1, __VA_ARGS__), udp(53, 4003), bytes((n) - 28))

Test(xdp_pmtu, with_df_the_sender_hears_the_paths_mtu)
{
	uint32_t slot = given_path(1380, 0);
	struct pkt fits = IN(1380, .df = true), more = IN(1381, .df = true);
	struct pkt want = pkt(to_host_a(.df = true), ip4(REMOTE, PUB_1, .df = true, .ttl = 63), udp(53, 4003), bytes(1352));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1380, more, 548);

	expect_tunnelled(fits, want, slot);
	expect_answered(more, IF_PUB, answer, TOO_BIG);
}

/* RFC 2003 3.1: what may be fragmented inside may be so outside. */
Test(xdp_pmtu, without_df_it_goes_in_one_piece_that_a_router_may_fragment)
{
	about_outer_header();
	uint32_t slot = given_path(1380, 0);
	struct pkt in = IN(1480), more = IN(1481);
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), bytes(1452));

	expect_tunnelled(in, want, slot);
	expect_run(more, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL,
		   .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

Test(xdp_pmtu, fragments_that_the_kernel_made_for_the_link_go_on_too)
{
	about_outer_header();
	uint32_t slot = given_path(1380, 0);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .mf = true), udp(53, 4003, .total_len = 2000), bytes(1448));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .mf = true), udp(53, 4003, .total_len = 2000), bytes(1448));

	expect_run(in, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL, .action = XDP_REDIRECT,
		   .want = &want, .in_slot = slot, .bytes = inner_len(&want),
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 }, { RSIP_CNT_ENCAPSULATED_BYTES, inner_len(&want) } });
}

/* The kernel has put it together and knows what its route takes, not what the host's path does; and the sender said DF. */
#define expect_slow_answered(in, side, out)                                                                            \
	expect_run(in, .iface = IF_SLOW, .from = side, .with_mark = RSIP_MARK_POOL, .action = XDP_TX,                  \
		   .want = &(out), .counts = { { RSIP_CNT_ICMP_SENT, 1 }, { RSIP_DROP_TOO_BIG, 1 } })

Test(xdp_pmtu, a_fragment_with_df_is_answered_from_the_slow_path)
{
	about_outer_header(); /* into L2TP it goes whole */
	given_binding(HOST_B, PUB_2, ports(4000, 8));
	given_path(1380, 0);
	struct pkt first = pkt(from_router, ip4(REMOTE, PUB_1, .df = true, .mf = true, .ttl = 63),
			       udp(53, 4003, .total_len = 3000), bytes(1448));
	struct pkt later = pkt(from_router, ip4(REMOTE, PUB_1, .df = true, .mf = true, .frag = 182, .proto = 17), bytes(1456));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1380, first, 548);
	struct pkt turned = pkt(from_router, ip4(PUB_2, PUB_1, .df = true, .mf = true, .ttl = 63),
				udp(4001, 4003, .total_len = 3000), bytes(1448));
	struct pkt turned_answer = pkt(eth(MAC_GW_PRIV, MAC_GW_PUB), ip4(GW_PUB, PUB_2, .tos = 0xc0, .df = true),
				       icmp(3, 4, .rest_lo = 1380), raw(turned.data + 14, 548));

	expect_slow_answered(first, IF_PUB, answer);
	expect_run(later, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL, .action = XDP_DROP,
		   .counts = { { RSIP_DROP_TOO_BIG, 1 } });
	expect_slow_answered(turned, IF_PRIV, turned_answer); /* it comes in again, for its host */
}

Test(xdp_pmtu, gre_has_four_bytes_less)
{
	uint32_t slot = given_path(1376, 2);
	struct pkt fits = IN(1376, .df = true), more = IN(1377, .df = true), whole = IN(1476), longer = IN(1477);
	struct pkt want = pkt(to_host_a(.df = true), gre(), ip4(REMOTE, PUB_1, .df = true, .ttl = 63), udp(53, 4003),
			      bytes(1348));
	struct pkt want_whole = pkt(to_host_a(), gre(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), bytes(1448));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1376, more, 548);

	expect_tunnelled(fits, want, slot);
	expect_answered(more, IF_PUB, answer, TOO_BIG);
	expect_tunnelled(whole, want_whole, slot);
	expect_run(longer, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL,
		   .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

Test(xdp_pmtu, a_hairpin_to_that_host_obeys_it)
{
	about_outer_header();
	given_binding(HOST_B, PUB_2, ports(4000, 8));
	given_path(1380, 0);
	struct pkt more = pkt(from_host_b(.df = true), ip4(PUB_2, PUB_1, .df = true), udp(4001, 4003), bytes(1353));
	struct pkt answer = pkt(to_host_b(.tos = 0xc0, .df = true), ip4(GW_PUB, PUB_2, .tos = 0xc0, .df = true),
				icmp(3, 4, .rest_lo = 1380), raw(more.data + 34, 528));

	expect_answered(more, IF_PRIV, answer, TOO_BIG);
}
