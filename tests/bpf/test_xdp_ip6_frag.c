// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Tunnel packets over IPv6 that were fragmented on the host's side (RFC 2473 7.2): they go to the kernel as fragments of IPv4, from
 * the host's handle, and what the kernel has put together is judged as if it had come whole.
 */
#include <string.h>
#include "gateway.h"

static uint32_t slot_a, slot_b, slot_4;
static __be32 host_a, host_b;

static void frag6_up(void)
{
	gateway_up();
	host_a = given_host6(HOST6_A);
	host_b = given_host6(HOST6_B);
	slot_a = given_binding(host_a, PUB_1, ports(4000, 8), spis(0xa0000000, 4));
	slot_b = given_binding(host_b, PUB_1, ports(4008, 8), .tunnel = 2);
	slot_4 = given_binding(HOST_A, PUB_1, ports(4016, 8));
}

TestSuite(xdp_ip6_frag, .init = frag6_up, .fini = gateway_down);

/* RFC 8200 4.5: next header, offset in units of 8 bytes, more, identification. */
static struct pkt_layer fragment6(uint8_t next, uint16_t offset, bool more, uint32_t id)
{
	static uint8_t header[4][8];
	static int n;
	uint8_t *h = header[n++ % 4];

	h[0] = next;
	h[2] = (uint8_t)(offset >> 5);
	h[3] = (uint8_t)(offset << 3 | more);
	for (int i = 0; i < 4; i++)
		h[4 + i] = (uint8_t)(id >> (24 - 8 * i));
	return raw(h, 8);
}

#define FROM_A from_host6_a(.proto = 44, .tos = 0x2c)
/* What the kernel gets. */
#define AS_IP4(host, ...) eth(MAC_HOST6, MAC_GW_PRIV), ip4(host, GW_PRIV, __VA_ARGS__)

#define expect_as_ip4(in, out)                                                                                         \
	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_TUNNEL, .want = &(out),                 \
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } })

Test(xdp_ip6_frag, each_becomes_one_of_ipv4)
{
	struct pkt first = pkt(FROM_A, fragment6(4, 0, true, 0x12345678), bytes(1232));
	struct pkt later = pkt(FROM_A, fragment6(4, 154, false, 0x12345678), bytes(268));
	struct pkt far = pkt(FROM_A, fragment6(4, 8000, true, 0xffff0001), bytes(8));
	struct pkt first_up = pkt(AS_IP4(host_a, .id = 0x444c, .mf = true, .proto = 4, .tos = 0x2c), bytes(1232));
	struct pkt later_up = pkt(AS_IP4(host_a, .id = 0x444c, .frag = 154, .proto = 4, .tos = 0x2c), bytes(268));
	struct pkt far_up = pkt(AS_IP4(host_a, .id = 0xfffe, .mf = true, .frag = 8000, .proto = 4, .tos = 0x2c), bytes(8));

	expect_as_ip4(first, first_up);
	expect_as_ip4(later, later_up);
	expect_as_ip4(far, far_up);
}

/* RFC 6946: a fragment that is all of its packet. */
Test(xdp_ip6_frag, an_atomic_one_becomes_none)
{
	struct pkt in = pkt(FROM_A, fragment6(4, 0, false, 9), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt up = pkt(AS_IP4(host_a, .id = 9, .proto = 4, .tos = 0x2c), ip4(PUB_1, REMOTE), udp(4003, 53));

	expect_as_ip4(in, up);
}

Test(xdp_ip6_frag, gre_where_it_is_offered_and_the_tunnel_encapsulation_limit)
{
	struct pkt in_gre = pkt(from_host6_b(.proto = 44), fragment6(47, 0, true, 7), gre(), ip4(PUB_1, REMOTE), bytes(40));
	struct pkt gre_up = pkt(AS_IP4(host_b, .id = 7, .mf = true, .proto = 47), gre(), ip4(PUB_1, REMOTE), bytes(40));
	struct pkt limit = pkt(from_host6_a(.proto = 44), fragment6(60, 0, true, 7), raw("\x04\0\x04\x01\x04\x01\x01\0", 8), bytes(40));
	struct pkt limit_up =
		pkt(AS_IP4(host_a, .id = 7, .mf = true, .proto = 60), raw("\x04\0\x04\x01\x04\x01\x01\0", 8), bytes(40));

	expect_as_ip4(in_gre, gre_up);
	expect_as_ip4(limit, limit_up);
	given_end_of(slot_b);
	gateway_dp()->ops->foreach(gateway_dp(), 1, NULL, NULL);
	expect_passed(in_gre, IF_PRIV);
}

#define LIMIT raw("\x04\0\x04\x01\x04\x01\x01\0", 8)
#define FORGED eth(MAC_STRANGER, MAC_GW_PRIV), ip6(HOST6_A, GW6_PRIV, .proto = 44)

Test(xdp_ip6_frag, where_macs_are_checked_the_first_one_has_the_right_one)
{
	about_ethernet();
	struct pkt first = pkt(from_host6_a(.proto = 44), fragment6(4, 0, true, 7), ip4(PUB_1, REMOTE), bytes(20));
	struct pkt first_up = pkt(AS_IP4(host_a, .id = 7, .mf = true, .proto = 4), ip4(PUB_1, REMOTE), bytes(20));
	struct pkt forged = pkt(FORGED, fragment6(4, 0, true, 7), ip4(PUB_1, REMOTE), bytes(20));
	struct pkt limit = pkt(FORGED, fragment6(60, 0, true, 7), LIMIT, ip4(PUB_1, REMOTE), bytes(20));
	struct pkt tiny = pkt(FORGED, fragment6(4, 0, true, 7), bytes(16), pad(8));
	struct pkt later = pkt(FORGED, fragment6(4, 154, false, 7), bytes(40));
	struct pkt later_up =
		pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(host_a, GW_PRIV, .id = 7, .frag = 154, .proto = 4), bytes(40));

	given_policy(RSIP_POLICY_CHECK_MAC);
	expect_as_ip4(first, first_up);
	expect_dropped(forged, IF_PRIV, WRONG_MAC);
	expect_dropped(limit, IF_PRIV, WRONG_MAC);
	expect_dropped(tiny, IF_PRIV, MALFORMED);
	expect_as_ip4(later, later_up);
}

Test(xdp_ip6_frag, padding_stays_behind_what_the_header_says)
{
	struct pkt in = pkt(from_host6_a(.proto = 44), fragment6(4, 154, false, 1), bytes(10), pad(6));
	struct pkt up = pkt(AS_IP4(host_a, .id = 1, .frag = 154, .proto = 4), bytes(10), pad(6));

	expect_as_ip4(in, up);
}

/* Only hosts may have the kernel's memory, and only for tunnels. */
Test(xdp_ip6_frag, of_a_source_that_nobody_registered_and_of_other_protocols)
{
	struct pkt nobodys = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip6(STRANGER6, GW6_PRIV, .proto = 44), fragment6(4, 0, true, 9),
				 bytes(40));
	struct pkt nobodys_options = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip6(STRANGER6, GW6_PRIV, .proto = 44),
					 fragment6(60, 0, true, 9), bytes(40));
	struct pkt of_rsip = pkt(from_host6_a(.proto = 44), fragment6(17, 0, true, 9), bytes(64));
	struct pkt elsewhere = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip6(HOST6_A, GW6_PRIV2, .proto = 44), fragment6(4, 0, true, 9),
				   bytes(40));

	expect_dropped(nobodys, IF_PRIV, OUTER_FRAGMENT);
	expect_passed(nobodys_options, IF_PRIV);
	expect_passed(of_rsip, IF_PRIV);
	expect_passed(elsewhere, IF_PRIV);
}

Test(xdp_ip6_frag, that_contradict_themselves)
{
	struct pkt in = pkt(from_host6_a(.proto = 44, .total_len = 7), fragment6(4, 0, true, 9), bytes(40));
	struct pkt longer = pkt(from_host6_a(.proto = 44, .total_len = 49), fragment6(4, 0, true, 9), bytes(40));
	struct pkt whole = pkt(from_host6_a(.proto = 44), fragment6(4, 0, true, 9), bytes(40));
	struct pkt longer_options = pkt(from_host6_a(.proto = 44, .total_len = 49), fragment6(60, 0, true, 9), bytes(40));

	expect_dropped(in, IF_PRIV, MALFORMED);
	expect_dropped(longer, IF_PRIV, MALFORMED);
	expect_dropped(longer_options, IF_PRIV, MALFORMED);
	for (uint32_t len = 14; len < whole.len; len++) {
		const struct ran *ran = gateway_run(IF_PRIV, whole.data, len);

		cr_expect(ran->action == XDP_PASS || ran->action == XDP_DROP);
		cr_expect(ran->action == XDP_DROP || !memcmp(ran->data, whole.data, len), "cut at %u: passed, but touched", len);
	}
}

/* ---- put together ---------------------------------------------------------------------------------------------------- */

#define expect_put_together(in, ...)                                                                                   \
	expect_run(in, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL, __VA_ARGS__)
#define and_sent(out, slot)                                                                                            \
	.action = XDP_REDIRECT, .want = &(out), .out_slot = slot, .bytes = outer_len(&(out)),                          \
	.counts = { { RSIP_CNT_DECAPSULATED, 1 }, { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&(out)) } }

Test(xdp_ip6_frag, put_together_it_is_opened)
{
	struct pkt in = pkt(AS_IP4(host_a), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1440));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(1440));
	struct pkt in_gre = pkt(AS_IP4(host_b), gre(.csum = true), ip4(PUB_1, REMOTE), udp(4009, 53), bytes(1440));
	struct pkt gre_sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4009, 53), bytes(1440));
	struct pkt esp_in = pkt(AS_IP4(host_a), ip4(PUB_1, REMOTE), esp(0x77));
	struct pkt esp_sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77));

	expect_put_together(in, and_sent(sent, slot_a));
	expect_put_together(in_gre, and_sent(gre_sent, slot_b));
	expect_put_together(esp_in, and_sent(esp_sent, slot_a));
}

Test(xdp_ip6_frag, put_together_behind_the_tunnel_encapsulation_limit)
{
	struct pkt in = pkt(AS_IP4(host_a, .proto = 60), raw("\x04\0\x04\x01\x04\x01\x01\0", 8), ip4(PUB_1, REMOTE),
			    udp(4003, 53), bytes(1440));
	struct pkt in_gre = pkt(AS_IP4(host_b, .proto = 60), raw("\x2f\0\x04\x01\x04\x01\x01\0", 8), gre(), ip4(PUB_1, REMOTE),
				udp(4009, 53), bytes(1440));
	struct pkt other = pkt(AS_IP4(host_a, .proto = 60), raw("\x04\0\x1e\x01\x04\x01\x01\0", 8), ip4(PUB_1, REMOTE),
			       udp(4003, 53), bytes(1440));
	struct pkt short_one = pkt(AS_IP4(host_a, .proto = 60), raw("\x04\0\x04\x01", 4));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(1440));
	struct pkt gre_sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4009, 53), bytes(1440));

	expect_put_together(in, and_sent(sent, slot_a));
	expect_put_together(in_gre, and_sent(gre_sent, slot_b));
	expect_put_together(other, .action = XDP_DROP, .counts = { { RSIP_DROP_STRAY, 1 } });
	expect_put_together(short_one, .action = XDP_DROP, .counts = { { RSIP_DROP_MALFORMED, 1 } });
}

Test(xdp_ip6_frag, put_together_it_obeys_the_same_rules)
{
	struct pkt other_host = pkt(AS_IP4(host_b), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1440));
	struct pkt other_type = pkt(AS_IP4(host_a), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1440));
	struct pkt four = pkt(AS_IP4(host_a), ip4(PUB_1, REMOTE), udp(4017, 53), bytes(1440));
	struct pkt marked = pkt(AS_IP4(host_a, .tos = 3), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1440));
	struct pkt not_ours = pkt(AS_IP4(host_b), gre(.gre_bits = 1), bytes(40));

	expect_put_together(other_host, .action = XDP_DROP, .counts = { { RSIP_DROP_NOT_OWNER, 1 } });
	expect_put_together(other_type, .action = XDP_DROP, .counts = { { RSIP_DROP_WRONG_TUNNEL, 1 } });
	expect_put_together(four, .action = XDP_DROP, .counts = { { RSIP_DROP_NOT_OWNER, 1 } });
	expect_put_together(marked, .action = XDP_DROP, .counts = { { RSIP_DROP_ECN_CE_NOT_ECT, 1 } });
	expect_put_together(not_ours, .action = XDP_DROP, .counts = { { RSIP_DROP_STRAY, 1 } });
}

Test(xdp_ip6_frag, put_together_it_turns_around)
{
	struct pkt to_four = pkt(AS_IP4(host_a), ip4(PUB_1, PUB_1), udp(4003, 4017), bytes(1400));
	struct pkt to_six = pkt(AS_IP4(host_a), ip4(PUB_1, PUB_1), udp(4003, 4009), bytes(1400));
	struct pkt four = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4003, 4017), bytes(1400));
	struct pkt six = pkt(to_host6_b(), gre(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4003, 4009), bytes(1400));

	expect_put_together(to_four, .action = XDP_REDIRECT, .want = &four, .out_slot = slot_a, .in_slot = slot_4, .bytes = 1428,
			    .counts = { { RSIP_CNT_HAIRPINNED, 1 }, { RSIP_CNT_HAIRPINNED_BYTES, 1428 } });
	expect_put_together(to_six, .action = XDP_REDIRECT, .want = &six, .out_slot = slot_a, .in_slot = slot_b, .bytes = 1428,
			    .counts = { { RSIP_CNT_HAIRPINNED, 1 }, { RSIP_CNT_HAIRPINNED_BYTES, 1428 } });
}

Test(xdp_ip6_frag, put_together_and_too_big_for_the_public_side_it_goes_up_opened)
{
	struct pkt in = pkt(AS_IP4(host_a), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1600));
	struct pkt up = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1600));

	expect_put_together(in, .action = XDP_REDIRECT, .mark = RSIP_MARK_KERNEL, .want = &up, .out_slot = slot_a, .bytes = 1628,
			    .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}
