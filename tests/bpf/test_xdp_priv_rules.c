// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What arrives from the hosts: where it may go, headers of the tunnel and inside, what is not ours.
 */
#include "gateway.h"

TestSuite(xdp_priv_rules, .init = gateway_up, .fini = gateway_down);

/* ---- where it may go: design, spoofing ------------------------------------------------------- */

Test(xdp_priv_rules, destinations_that_never_leave)
{
	static const __be32 inside[] = { HOST_B,
					 HOST_C,
					 GW_PRIV,
					 GW_PRIV2,
					 CAST_IP(127, 0, 0, 1),
					 CAST_IP(0, 0, 0, 0),
					 CAST_IP(0, 1, 2, 3),
					 CAST_IP(240, 0, 0, 1),
					 CAST_IP(255, 255, 255, 255),
					 GW_PUB };

	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x1000, 4));
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		struct pkt in = pkt(from_host_a(), ip4(PUB_1, inside[i]), udp(4003, 53), text("x"));
		struct pkt crypt = pkt(from_host_a(), ip4(PUB_1, inside[i]), esp(0x77777777));

		expect_dropped(in, IF_PRIV, DST_UNALLOWED);
		expect_dropped(crypt, IF_PRIV, DST_UNALLOWED);
	}
}

Test(xdp_priv_rules, multicast_does_not_leave)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in =
		pkt(from_host_a(), ip4(PUB_1, CAST_IP(224, 0, 0, 251)), udp(4003, 5353), text("x"));
	struct pkt last = pkt(from_host_a(), ip4(PUB_1, CAST_IP(239, 255, 255, 255)),
			      udp(4003, 5353), text("x"));

	expect_dropped(in, IF_PRIV, MULTICAST);
	expect_dropped(last, IF_PRIV, MULTICAST);
}

Test(xdp_priv_rules, a_route_that_does_not_leave_by_a_public_interface)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_neighbour("10.0.0.10 lladdr 02:00:00:00:0a:0a dev priv0");
	struct pkt in =
		pkt(from_host_a(), ip4(PUB_1, CAST_IP(172, 16, 0, 1)), udp(4003, 53), text("x"));

	expect_dropped(in, IF_PRIV, DST_NOT_PUBLIC);
}

Test(xdp_priv_rules, a_route_that_forbids_it)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, UNREACHABLE), udp(4003, 53), text("x"));

	expect_dropped(in, IF_PRIV, NO_ROUTE);
}

/* ---- the headers ----------------------------------------------------------------------------- */

Test(xdp_priv_rules, ttl_one_dies_here_and_the_tunnels_ttl_does_not_count)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt one = pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), text("x"));
	struct pkt zero =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl_zero = true), udp(4003, 53), text("x"));
	struct pkt two =
		pkt(from_host_a(.ttl = 1), ip4(PUB_1, REMOTE, .ttl = 2), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), text("x"));

	struct pkt one_answer = icmp_to_host_a(11, 0, 0, one, 28);
	struct pkt zero_answer = icmp_to_host_a(11, 0, 0, zero, 28);

	expect_answered(one, IF_PRIV, one_answer, TTL_EXCEEDED);
	expect_answered(zero, IF_PRIV, zero_answer, TTL_EXCEEDED);
	expect_sent(two, want, slot);
}

/* RFC 6040 figure 4: rows are the inner codepoint (0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE), columns
 * the outer; 9 drops. */
Test(xdp_priv_rules, congestion_marks_of_the_tunnel)
{
	about_outer_header();
	static const uint8_t result[4][4] = {
		{ 0, 0, 0, 9 }, { 1, 1, 1, 3 }, { 2, 1, 2, 3 }, { 3, 3, 3, 3 }
	};
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (uint8_t inner = 0; inner < 4; inner++)
		for (uint8_t outer = 0; outer < 4; outer++) {
			struct pkt in = pkt(from_host_a(.tos = (uint8_t)(0x88 | outer)),
					    ip4(PUB_1, REMOTE, .tos = (uint8_t)(0x28 | inner)),
					    udp(4003, 53), text("x"));
			struct pkt want = pkt(to_router,
					      ip4(PUB_1, REMOTE, .ttl = 63,
						  .tos = (uint8_t)(0x28 | result[inner][outer])),
					      udp(4003, 53), text("x"));

			if (result[inner][outer] == 9)
				expect_dropped(in, IF_PRIV, ECN_CE_NOT_ECT);
			else
				expect_sent(in, want, slot);
		}
}

Test(xdp_priv_rules, padding_is_trimmed)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"), pad(9));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	expect_sent(in, want, slot);
}

#define ROUTER_ALERT "\x94\x04\x00\x00"

Test(xdp_priv_rules, ip_options_outside_go_and_inside_stay)
{
	about_outer_header();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in =
		pkt(from_host_a(.options = ROUTER_ALERT, .options_len = 4),
		    ip4(PUB_1, REMOTE, .options = ROUTER_ALERT ROUTER_ALERT, .options_len = 8),
		    udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router,
			      ip4(PUB_1, REMOTE, .ttl = 63, .options = ROUTER_ALERT ROUTER_ALERT,
				  .options_len = 8),
			      udp(4003, 53), text("x"));

	expect_sent(in, want, slot);
}

Test(xdp_priv_rules, longer_than_the_public_interface_takes)
{
	about_outer_header();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt fits =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .df = true), udp(4003, 53), bytes(1500 - 28));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .df = true, .ttl = 63), udp(4003, 53),
			      bytes(1500 - 28));
	struct pkt more =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .df = true), udp(4003, 53), bytes(1501 - 28));
	struct pkt answer = icmp_to_host_a(3, 4, 1500, more, 528);

	expect_sent(fits, want, slot);
	expect_answered(more, IF_PRIV, answer, TOO_BIG);
}

Test(xdp_priv_rules, headers_that_contradict_themselves)
{
	about_outer_header();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt outer =
		pkt(from_host_a(.total_len = 4000), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt inner =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .total_len = 4000), udp(4003, 53), text("x"));
	struct pkt longer =
		pkt(from_host_a(.total_len = 48), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt version =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .version = 6), udp(4003, 53), text("x"));
	struct pkt ihl = pkt(from_host_a(), ip4(PUB_1, REMOTE, .ihl = 3), udp(4003, 53), text("x"));
	struct pkt empty = pkt(from_host_a(.proto = 4), pad(40));

	expect_dropped(outer, IF_PRIV, MALFORMED);
	expect_dropped(inner, IF_PRIV, MALFORMED);
	expect_dropped(longer, IF_PRIV, MALFORMED);
	expect_dropped(version, IF_PRIV, MALFORMED);
	expect_dropped(ihl, IF_PRIV, MALFORMED);
	expect_dropped(empty, IF_PRIV, MALFORMED);
}

/* ---- not ours: untouched --------------------------------------------------------------------- */

Test(xdp_priv_rules, what_is_no_tunnel_to_us_is_untouched)
{
	struct pkt rsip = pkt(from_host_a(), udp(40000, 4555), text("register"));
	struct pkt elsewhere = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, REMOTE),
				   ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt other_endpoint = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV2),
					ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt stray = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, REMOTE), udp(4003, 53),
			       text("untunnelled"));
	struct pkt plain =
		pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, REMOTE, .ttl = 1), tcp(1, 2), pad(6));
	struct pkt gre = pkt(from_host_a(.proto = 47), bytes(40));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_passed(rsip, IF_PRIV);
	expect_passed(elsewhere, IF_PRIV);
	expect_passed(other_endpoint, IF_PRIV);
	expect_passed(stray, IF_PRIV);
	expect_passed(plain, IF_PRIV);
	expect_passed(gre, IF_PRIV);
}

Test(xdp_priv_rules, other_ethernet_types_and_arp_are_untouched)
{
	struct pkt ipv6 = pkt(eth(MAC_HOST_A, MAC_GW_PRIV, .eth_type = 0x86dd), bytes(60));
	struct pkt tagged = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), vlan_tag(7), ip4(HOST_A, GW_PRIV),
				ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt arp = pkt(eth(MAC_HOST_A, MAC_ALL), arp_request(MAC_HOST_A, HOST_A, PUB_1));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_passed(ipv6, IF_PRIV);
	if (has_ethernet())
		expect_passed(tagged, IF_PRIV);
	expect_passed(arp, IF_PRIV);
}

/* 802.1Q, QinQ (802.1ad), and a priority without a VLAN: what has a tag in the frame is another interface's, or the kernel takes it out. */
Test(xdp_priv_rules, frames_with_tags_are_left_alone)
{
	about_ethernet();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt twice = pkt(eth(MAC_HOST_A, MAC_GW_PRIV, .eth_type = 0x88a8), vlan_tag(7), vlan_tag(8), ip4(HOST_A, GW_PRIV),
			       ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt priority = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), vlan_tag(0xa000), ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE),
				  udp(4003, 53));

	expect_passed(twice, IF_PRIV);
	expect_passed(priority, IF_PRIV);
}

Test(xdp_priv_rules, fragments_of_the_tunnel_go_to_the_kernel)
{
	about_outer_header();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt first =
		pkt(from_host_a(.mf = true), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(64));
	struct pkt later = pkt(from_host_a(.frag = 20, .proto = 4), bytes(64));

	expect_run(first, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_TUNNEL,
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
	expect_run(later, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_TUNNEL,
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
}

/* The kernel puts them together, and then they come from its own MAC address: so the first one is asked, which has the inner source. */
#define MAC_SLOW "\x02\x00\x00\x00\x51\x01"
#define OF_STRANGER(...) eth(MAC_STRANGER, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV, __VA_ARGS__)
#define expect_fragment_passed(in)                                                                 \
	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .mark = RSIP_MARK_TUNNEL,             \
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } })

Test(xdp_priv_rules, where_macs_are_checked_the_first_fragment_has_the_right_one)
{
	about_ethernet();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt first = pkt(from_host_a(.mf = true), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(64));
	struct pkt later = pkt(from_host_a(.frag = 20, .proto = 4), bytes(64));
	struct pkt forged = pkt(OF_STRANGER(.mf = true), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(64));
	struct pkt options = pkt(OF_STRANGER(.mf = true, .options = "\1\1\1\1", .options_len = 4), ip4(PUB_1, REMOTE),
				 udp(4003, 53), bytes(60));
	struct pkt nobodys = pkt(OF_STRANGER(.mf = true), ip4(PUB_2, REMOTE), udp(4003, 53), bytes(64));
	struct pkt whole = pkt(eth(MAC_SLOW, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(1400));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(1400));

	given_policy(RSIP_POLICY_CHECK_MAC);
	expect_fragment_passed(first);
	expect_fragment_passed(later);
	expect_fragment_passed(nobodys); /* what is not the host's is judged when it is whole */
	expect_dropped(forged, IF_PRIV, WRONG_MAC);
	expect_dropped(options, IF_PRIV, WRONG_MAC);
	expect_run(whole, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL,
		   .action = XDP_REDIRECT, .want = &sent, .out_slot = slot, .bytes = outer_len(&sent),
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 }, { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&sent) } });
	given_policy(0);
	expect_fragment_passed(forged);
}

/* Behind Ethernet's padding the inner source would be anybody's to choose. */
Test(xdp_priv_rules, where_macs_are_checked_a_first_fragment_without_inner_source_is_refused)
{
	about_ethernet();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt whole = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(64));
	struct pkt tiny = pkt(from_host_a(.mf = true, .proto = 4), raw(whole.data + 34, 16), pad(46));
	struct pkt enough = pkt(from_host_a(.mf = true, .proto = 4), raw(whole.data + 34, 24), pad(2));

	expect_fragment_passed(tiny);
	given_policy(RSIP_POLICY_CHECK_MAC);
	expect_dropped(tiny, IF_PRIV, MALFORMED);
	expect_fragment_passed(enough);
}

Test(xdp_priv_rules, where_macs_are_checked_fragments_of_gre_are_opened_as_far)
{
	about_ethernet();
	given_binding(HOST_A, PUB_1, ports(4000, 8), .tunnel = 2);
	struct pkt plain = pkt(from_host_a(.mf = true), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(60));
	struct pkt forged = pkt(OF_STRANGER(.mf = true), gre(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(60));
	struct pkt forged_key = pkt(OF_STRANGER(.mf = true), gre(.key = true, .seq = true), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(60));

	given_policy(RSIP_POLICY_CHECK_MAC | RSIP_POLICY_GRE);
	expect_fragment_passed(plain);
	expect_dropped(forged, IF_PRIV, WRONG_MAC);
	expect_dropped(forged_key, IF_PRIV, WRONG_MAC);
}

Test(xdp_priv_rules, frames_to_another_mac_address_are_not_taken)
{
	about_ethernet();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(eth(MAC_HOST_A, MAC_HOST_B), ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt virtual = pkt(eth(MAC_HOST_A, MAC_VIRTUAL), ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	expect_passed(in, IF_PRIV);
	expect_passed(virtual, IF_PRIV);
	given_virtual_mac(IF_PRIV, MAC_VIRTUAL);
	expect_sent(virtual, want, 1);
}
