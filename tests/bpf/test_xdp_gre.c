// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * GRE tunnels (RFC 2784, RFC 2890): sent without options, received with any; a binding takes the tunnel type that it
 * was leased in and no other.  Cast: HOST_A has ports 4000-4007 in GRE, HOST_B 4008-4015 in IP-IP.
 */
#include <string.h>
#include "gateway.h"

static uint32_t slot_a, slot_b;

static void gre_up(void)
{
	gateway_up();
	slot_a = given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0xa0000000, 4), .tunnel = 2);
	slot_b = given_binding(HOST_B, PUB_1, ports(4008, 8), spis(0xb0000000, 4));
}

TestSuite(xdp_gre, .init = gre_up, .fini = gateway_down);

/* ---- out of the tunnel and into it ------------------------------------------------------------ */

Test(xdp_gre, from_a_host_and_back)
{
	struct pkt out = pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), text("hello"));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("hello"));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("hello"));
	struct pkt tunnelled =
		pkt(to_host_a(), gre(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("hello"));

	expect_sent(out, sent, slot_a);
	expect_tunnelled(in, tunnelled, slot_a);
}

Test(xdp_gre, dscp_ecn_df_and_id_are_the_inner_packets)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .tos = 0xba, .id = 9, .df = true), tcp(80, 4000));
	struct pkt tunnelled = pkt(to_host_a(.tos = 0xba, .id = 9, .df = true), gre(),
				   ip4(REMOTE, PUB_1, .tos = 0xba, .id = 9, .df = true, .ttl = 63), tcp(80, 4000));
	struct pkt out = pkt(from_host_a(.tos = 3), gre(), ip4(PUB_1, REMOTE, .tos = 2), tcp(4000, 80));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .tos = 3, .ttl = 63), tcp(4000, 80));

	expect_tunnelled(in, tunnelled, slot_a);
	expect_sent(out, sent, slot_a);
}

Test(xdp_gre, every_set_of_options)
{
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("odd"));

	for (int set = 0; set < 8; set++) {
		struct pkt out = pkt(from_host_a(), gre(.csum = set & 1, .key = set & 2, .seq = set & 4),
				     ip4(PUB_1, REMOTE), udp(4003, 53), text("odd"));
		struct pkt with_ip_options =
			pkt(from_host_a(.options = "\x94\x04\0\0", .options_len = 4),
			    gre(.csum = set & 1, .key = set & 2, .seq = set & 4), ip4(PUB_1, REMOTE),
			    udp(4003, 53), text("odd"));

		expect_sent(out, sent, slot_a);
		expect_sent(with_ip_options, sent, slot_a);
	}
}

/* The sum is taken in steps of 32, 4, 2 and 1 bytes. */
Test(xdp_gre, a_checksum_over_any_length)
{
	for (uint32_t len = 0; len < 70; len++) {
		struct pkt out = pkt(from_host_a(), gre(.csum = true), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(len));
		struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(len));
		struct pkt wrong = out;

		expect_sent(out, sent, slot_a);
		wrong.data[wrong.len - 1] ^= 1;
		expect_dropped(wrong, IF_PRIV, MALFORMED);
	}
}

Test(xdp_gre, a_checksum_over_a_long_packet)
{
	struct pkt out = pkt(from_host_a(), gre(.csum = true), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1441));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(1441));

	expect_sent(out, sent, slot_a);
	out.data[700] ^= 0x10;
	expect_dropped(out, IF_PRIV, MALFORMED);
}

Test(xdp_gre, ethernet_padding_is_not_in_the_checksum)
{
	struct pkt out = pkt(from_host_a(), gre(.csum = true), ip4(PUB_1, REMOTE), udp(4003, 53), pad(17));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53));

	memset(out.data + out.len - 17, 0xee, 17);
	expect_sent(out, sent, slot_a);
}

Test(xdp_gre, a_wrong_checksum)
{
	struct pkt out =
		pkt(from_host_a(), gre(.csum = true, .bad_csum = true), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

	expect_dropped(out, IF_PRIV, MALFORMED);
}

/*
 * RFC 2784 2.3: bits 1, 4 and 5 must be zero; 6 to 12 (recursion control of RFC 1701 among them) are ignored.
 * Version 1 is PPTP's.
 */
Test(xdp_gre, every_other_bit_of_the_header)
{
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	for (int bit = 0; bit < 16; bit++) {
		uint16_t mask = (uint16_t)(0x8000U >> bit);
		struct pkt out =
			pkt(from_host_a(), gre(.gre_bits = mask), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

		if (bit == 1 || bit == 4 || bit == 5)
			expect_dropped(out, IF_PRIV, MALFORMED);
		else if (bit >= 13)
			expect_passed(out, IF_PRIV);
		else if (bit >= 6)
			expect_sent(out, sent, slot_a);
		/* 0, 2, 3: the options, see above */
	}
}

Test(xdp_gre, around_another_protocol_it_is_the_machines)
{
	static const uint16_t types[] = { 0x86dd, 0x6558, 0x880b, 0x0008, 0 };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct pkt out = pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

		out.data[36] = (uint8_t)(types[i] >> 8);
		out.data[37] = (uint8_t)types[i];
		expect_passed(out, IF_PRIV);
	}
}

Test(xdp_gre, where_nobody_leases_it_it_is_the_machines)
{
	struct pkt out = pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

	given_end_of(slot_a);
	gateway_dp()->ops->foreach(gateway_dp(), 1, NULL, NULL);
	expect_passed(out, IF_PRIV);
	given_policy(RSIP_POLICY_GRE);
	expect_dropped(out, IF_PRIV, LOCAL_PORT_UNALLOWED);
}

/* ---- the wrong type ---------------------------------------------------------------------------- */

Test(xdp_gre, a_port_leased_in_gre_takes_no_ipip)
{
	struct pkt wrong = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct rsip_event e[16];

	expect_dropped(wrong, IF_PRIV, WRONG_TUNNEL);
	cr_assert_eq(gateway_events(e), 1);
	cr_expect_eq(e[0].reason, RSIP_DROP_WRONG_TUNNEL);
	cr_expect_eq(e[0].host, HOST_A);
}

Test(xdp_gre, a_port_leased_in_ipip_takes_no_gre)
{
	struct pkt wrong = pkt(from_host_b(), gre(), ip4(PUB_1, REMOTE), udp(4009, 53), text("x"));

	expect_dropped(wrong, IF_PRIV, WRONG_TUNNEL);
}

Test(xdp_gre, a_whole_address_keeps_to_its_type)
{
	uint32_t slot = given_binding(HOST_B, PUB_2, .whole = true, .tunnel = 2);
	struct pkt wrong = pkt(from_host_b(), ip4(PUB_2, REMOTE), udp(4009, 53), text("x"));
	struct pkt right = pkt(from_host_b(), gre(), ip4(PUB_2, REMOTE), udp(4009, 53), text("x"));
	struct pkt sent = pkt(to_router, ip4(PUB_2, REMOTE, .ttl = 63), udp(4009, 53), text("x"));

	expect_dropped(wrong, IF_PRIV, WRONG_TUNNEL);
	expect_sent(right, sent, slot);
}

/* ESP, AH, IKE, ICMP and later fragments are the pair's. */
Test(xdp_gre, what_the_pair_owns_comes_in_a_type_that_it_leased)
{
	struct pkt wrong[] = {
		pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77)),
		pkt(from_host_a(), ip4(PUB_1, REMOTE), ah(0x77), bytes(8)),
		pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), ike(1, 0, .flags = IKE_I)),
		pkt(from_host_a(), ip4(PUB_1, REMOTE), echo_request(1)),
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .frag = 9, .proto = 17), bytes(16)),
		pkt(from_host_b(), gre(), ip4(PUB_1, REMOTE), esp(0x77)),
		pkt(from_host_b(), gre(), ip4(PUB_1, REMOTE), echo_request(1)),
	};
	struct pkt right = pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), esp(0x77));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77));

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		expect_dropped(wrong[i], IF_PRIV, WRONG_TUNNEL);
	expect_sent(right, sent, slot_a);
}

Test(xdp_gre, a_pair_with_both_types_sends_in_both)
{
	uint32_t more = given_binding(HOST_A, PUB_1, ports(5000, 8), .longer = true);
	struct pkt ping[] = { pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), echo_request(1)),
			      pkt(from_host_a(), ip4(PUB_1, REMOTE), echo_request(1)) };
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), echo_request(1));
	struct pkt crypt[] = { pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), esp(0x77)),
			       pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77)) };
	struct pkt crypt_sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77));

	expect_sent(ping[0], sent, more);
	expect_sent(ping[1], sent, more);
	expect_sent(crypt[0], crypt_sent, slot_a); /* its SPIs are leased in GRE alone */
	expect_dropped(crypt[1], IF_PRIV, WRONG_TUNNEL);
	given_end_of(more);
	expect_sent(ping[0], sent, slot_a);
	expect_dropped(ping[1], IF_PRIV, WRONG_TUNNEL);
}

/* ---- hairpin ------------------------------------------------------------------------------------ */

Test(xdp_gre, a_hairpin_into_each_type)
{
	struct pkt out = pkt(from_host_a(), gre(.csum = true, .key = true), ip4(PUB_1, PUB_1), udp(4003, 4009),
			     text("around"));
	struct pkt to_b = pkt(to_host_b(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4003, 4009), text("around"));
	struct pkt back = pkt(from_host_b(), ip4(PUB_1, PUB_1), udp(4009, 4003), text("around"));
	struct pkt to_a = pkt(to_host_a(), gre(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4009, 4003), text("around"));
	struct pkt self = pkt(from_host_a(), gre(), ip4(PUB_1, PUB_1), udp(4003, 4004), text("self"));
	struct pkt to_self = pkt(to_host_a(), gre(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4003, 4004), text("self"));

	expect_hairpin(out, to_b, slot_a, slot_b);
	expect_hairpin(back, to_a, slot_b, slot_a);
	expect_hairpin(self, to_self, slot_a, slot_a);
}

/* ---- MTU, TTL ----------------------------------------------------------------------------------- */

Test(xdp_gre, four_bytes_less_fit_than_in_ipip)
{
	struct pkt fits = pkt(from_router, ip4(REMOTE, PUB_1, .df = true), udp(53, 4003), bytes(1476 - 28));
	struct pkt tunnelled = pkt(to_host_a(.df = true), gre(), ip4(REMOTE, PUB_1, .df = true, .ttl = 63),
				   udp(53, 4003), bytes(1476 - 28));
	struct pkt more = pkt(from_router, ip4(REMOTE, PUB_1, .df = true), udp(53, 4003), bytes(1477 - 28));
	struct pkt error = icmp_to_router(REMOTE, 3, 4, 1476, more, 548);

	expect_tunnelled(fits, tunnelled, slot_a);
	expect_answered(more, IF_PUB, error, TOO_BIG);
}

Test(xdp_gre, the_gateways_errors_to_a_host_come_in_its_tunnel)
{
	struct pkt out = pkt(from_host_a(), gre(.csum = true), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 33434), bytes(12));
	struct pkt error = pkt(to_host_a(.tos = 0xc0, .df = true), gre(),
			       ip4(GW_PUB, PUB_1, .tos = 0xc0, .df = true), icmp(11, 0),
			       raw(out.data + 14 + 20 + 8, 40));

	expect_answered(out, IF_PRIV, error, TTL_EXCEEDED);
}

/* ---- cut, and reassembled ------------------------------------------------------------------------ */

/* In place: the tunnel header stays as it is, and with it its checksum, which the answer leaves right. */
Test(xdp_gre, a_ping_to_a_shared_address_is_answered_in_the_tunnel_it_came_by)
{
	for (int set = 0; set < 8; set++) {
		struct pkt in = pkt(from_host_a(), gre(.csum = set & 1, .key = set & 2, .seq = set & 4),
				    ip4(PUB_1, PUB_2, .ttl = 9), echo_request(7), bytes(33));
		struct pkt want = pkt(to_host_a(), gre(.csum = set & 1, .key = set & 2, .seq = set & 4),
				      ip4(PUB_2, PUB_1), echo_reply(7), bytes(33));

		expect_run(in, .iface = IF_PRIV, .action = XDP_TX, .want = &want, .out_slot = slot_a,
			   .in_slot = slot_a, .bytes = 20 + 8 + 33, .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } });
	}
}

Test(xdp_gre, the_reply_to_a_ping_comes_in_the_tunnel_of_who_asked)
{
	struct pkt ask = pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), echo_request(7), text("ping"));
	struct pkt asked = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), echo_request(7), text("ping"));
	struct pkt answer = pkt(from_router, ip4(REMOTE, PUB_1), echo_reply(7), text("ping"));
	struct pkt at_a = pkt(to_host_a(), gre(), ip4(REMOTE, PUB_1, .ttl = 63), echo_reply(7), text("ping"));

	expect_sent(ask, asked, slot_a);
	expect_tunnelled(answer, at_a, slot_a);
}

Test(xdp_gre, cut_at_every_byte)
{
	for (int set = 0; set < 8; set++) {
		struct pkt whole = pkt(from_host_a(), gre(.csum = set & 1, .key = set & 2, .seq = set & 4),
				       ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

		for (uint32_t len = 14; len < whole.len; len++) {
			struct pkt cut = whole;

			cut.len = len;
			if (len < 34)
				expect_passed(cut, IF_PRIV);
			else
				expect_dropped(cut, IF_PRIV, MALFORMED);
		}
	}
}

/* The outer length says that less is there: what follows must not help. */
Test(xdp_gre, lengths_that_end_inside_the_headers)
{
	struct pkt whole = pkt(from_host_a(), gre(.key = true, .seq = true), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

	for (uint32_t len = 20; len < whole.len - 14; len++) {
		struct pkt cut = pkt(from_host_a(.total_len = (uint16_t)len), gre(.key = true, .seq = true),
				     ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

		expect_dropped(cut, IF_PRIV, MALFORMED);
	}
}

Test(xdp_gre, fragments_of_the_tunnel_go_to_the_kernel_and_come_back_whole)
{
	struct pkt first = pkt(from_host_a(.mf = true), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(32));
	struct pkt whole = pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), text("whole"));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("whole"));

	expect_run(first, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_TUNNEL,
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
	expect_run(whole, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_REDIRECT, .want = &sent, .out_slot = slot_a, .bytes = outer_len(&sent),
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 },
			       { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&sent) } });
}

/* Only when it is whole can be seen that it was PPTP's, or around IPv6: the kernel gets it back. */
Test(xdp_gre, reassembled_it_may_turn_out_to_be_the_machines)
{
	struct pkt other = pkt(from_host_a(), gre(.eth_type = 0x86dd), bytes(48));
	struct pkt pptp = pkt(from_host_a(), gre(.gre_bits = 1), bytes(48));

	expect_run(other, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_REDIRECT, .mark = RSIP_MARK_KERNEL,
		   .counts = { { RSIP_CNT_PASSED, 1 }, { RSIP_CNT_PASSED_BYTES, other.len - 14 } });
	expect_run(pptp, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_REDIRECT, .mark = RSIP_MARK_KERNEL,
		   .counts = { { RSIP_CNT_PASSED, 1 }, { RSIP_CNT_PASSED_BYTES, pptp.len - 14 } });
}
