// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What arrives from the hosts: tunnel packets of their owners go on to ROUTER, everything else dies with a name
 * or is left alone.
 */
#include "gateway.h"

TestSuite(xdp_priv, .init = gateway_up, .fini = gateway_down);

/* ---- what a host may send -------------------------------------------------------------------- */

Test(xdp_priv, datagram_from_a_leased_port_leaves_as_the_host_built_it)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE, .id = 7), udp(4003, 53), text("hello"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .id = 7, .ttl = 63), udp(4003, 53), text("hello"));

	expect_sent(in, want, slot);
}

Test(xdp_priv, segment_udp_lite_and_sctp)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE, .df = true), tcp(4000, 443), text("hello"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .df = true, .ttl = 63), tcp(4000, 443), text("hello"));
	struct pkt in2 = pkt(from_host_a(), ip4(PUB_1, REMOTE), udplite(4007, 53), text("hello"));
	struct pkt want2 = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udplite(4007, 53), text("hello"));
	struct pkt in3 = pkt(from_host_a(), ip4(PUB_1, REMOTE), sctp(4007, 2905), bytes(20));
	struct pkt want3 = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), sctp(4007, 2905), bytes(20));

	expect_sent(in, want, slot);
	expect_sent(in2, want2, slot);
	expect_sent(in3, want3, slot);
}

Test(xdp_priv, esp_and_ah_carry_the_peers_spi)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010000, 4));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt in2 = pkt(from_host_a(), ip4(PUB_1, REMOTE, .id = 4, .df = true), ah(0x100), bytes(30));
	struct pkt want2 = pkt(to_router, ip4(PUB_1, REMOTE, .id = 4, .df = true, .ttl = 63), ah(0x100), bytes(30));

	expect_sent(in, want, slot);
	expect_sent(in2, want2, slot);
}

Test(xdp_priv, icmp_needs_any_binding_of_the_pair)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), echo_request(3), text("ping"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), echo_request(3), text("ping"));
	struct pkt error = pkt(from_host_a(), ip4(PUB_1, REMOTE), icmp(3, 3), ip4(REMOTE, PUB_1), udp(53, 4003));
	struct pkt error_want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), icmp(3, 3), ip4(REMOTE, PUB_1), udp(53, 4003));

	expect_sent(in, want, slot);
	expect_sent(error, error_want, slot);
}

Test(xdp_priv, the_pair_lives_as_long_as_its_longest_lease)
{
	uint32_t first = given_binding(HOST_A, PUB_1, spis(0x1000, 4));
	uint32_t longer = given_binding(HOST_A, PUB_1, spis(0x2000, 4), .longer = true);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));

	expect_sent(in, want, longer);
	given_end_of(longer);
	expect_sent(in, want, first);
	given_end_of(first);
	expect_dropped(in, IF_PRIV, HOST_UNKNOWN);
}

Test(xdp_priv, fragments_inside_the_tunnel_belong_to_the_pair)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt first = pkt(from_host_a(), ip4(PUB_1, REMOTE, .mf = true, .id = 5), udp(4000, 53), bytes(64));
	struct pkt first_want = pkt(to_router, ip4(PUB_1, REMOTE, .mf = true, .id = 5, .ttl = 63), udp(4000, 53), bytes(64));
	struct pkt later = pkt(from_host_a(), ip4(PUB_1, REMOTE, .frag = 9, .id = 5, .proto = 17), bytes(64));
	struct pkt later_want = pkt(to_router, ip4(PUB_1, REMOTE, .frag = 9, .id = 5, .proto = 17, .ttl = 63), bytes(64));

	expect_sent(first, first_want, slot);
	expect_sent(later, later_want, slot);
}

Test(xdp_priv, edges_of_a_port_range)
{
	static const struct {
		uint16_t port;
		bool leased;
	} edge[] = { { 3999, false }, { 4000, true }, { 4007, true }, { 4008, false } };
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (size_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++) {
		struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(edge[i].port, 53), text("x"));
		struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(edge[i].port, 53), text("x"));

		if (edge[i].leased)
			expect_sent(in, want, slot);
		else
			expect_dropped(in, IF_PRIV, LOCAL_PORT_UNALLOWED);
	}
}

Test(xdp_priv, a_whole_address_sends_every_protocol)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, .whole = true);
	struct pkt gre = pkt(from_host_a(), ip4(PUB_1, REMOTE, .proto = 47), bytes(20));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .proto = 47, .ttl = 63), bytes(20));
	struct pkt others = pkt(from_host_b(), ip4(PUB_1, REMOTE, .proto = 47), bytes(20));

	expect_sent(gre, want, slot);
	expect_dropped(others, IF_PRIV, NOT_OWNER);
}

Test(xdp_priv, the_second_private_interface)
{
	uint32_t slot = given_binding(HOST_C, PUB_1, ports(4000, 8));
	struct pkt in = pkt(eth(MAC_HOST_C, MAC_GW_PRIV2), ip4(HOST_C, GW_PRIV2), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	expect_run(in, .iface = IF_PRIV2, .action = XDP_REDIRECT, .want = &want, .out_slot = slot, .bytes = outer_len(&want),
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 }, { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&want) } });
}

Test(xdp_priv, a_next_hop_that_is_asked_for_again_after_routes_changed)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));
	struct pkt moved = want;

	expect_sent(in, want, slot);
	given_neighbour("192.0.2.1 lladdr 02:00:00:00:01:77 dev pub0");
	gateway_dp()->ops->routes_changed(gateway_dp());
	moved.data[5] = 0x77;
	expect_sent(in, moved, slot);
}

Test(xdp_priv, a_neighbour_that_must_be_found_first_goes_to_the_kernel)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	__be32 neighbour = CAST_IP(192, 0, 2, 200);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, neighbour), udp(4003, 53), text("x"));
	struct pkt want = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, neighbour), udp(4003, 53), text("x"));

	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .want = &want, .out_slot = slot, .bytes = outer_len(&want),
		   .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

/* ---- the owner check ------------------------------------------------------------------------- */

Test(xdp_priv, another_hosts_port)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt in = pkt(from_host_b(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

	expect_dropped(in, IF_PRIV, NOT_OWNER);
}

Test(xdp_priv, a_port_that_nobody_leases)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), tcp(22, 53), text("x"));

	expect_dropped(in, IF_PRIV, LOCAL_PORT_UNALLOWED);
}

Test(xdp_priv, a_source_that_is_no_pool_address)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt private = pkt(from_host_a(), ip4(HOST_A, REMOTE), udp(4003, 53), text("x"));
	struct pkt other = pkt(from_host_a(), ip4(NOT_OURS, REMOTE), udp(4003, 53), text("x"));
	struct pkt zero = pkt(from_host_a(), ip4(0, REMOTE), udp(4003, 53), text("x"));

	expect_dropped(private, IF_PRIV, LOCAL_ADDR_UNALLOWED);
	expect_dropped(other, IF_PRIV, LOCAL_ADDR_UNALLOWED);
	expect_dropped(zero, IF_PRIV, LOCAL_ADDR_UNALLOWED);
}

Test(xdp_priv, the_right_port_of_another_address)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_2, REMOTE), udp(4003, 53), text("x"));

	expect_dropped(in, IF_PRIV, LOCAL_PORT_UNALLOWED);
}

Test(xdp_priv, an_outer_source_without_registration)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x1000, 4));
	struct pkt port = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt crypt = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt ping = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV), ip4(PUB_1, REMOTE), echo_request(3));
	struct pkt zero = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(0, GW_PRIV), ip4(PUB_1, REMOTE), esp(0x77777777));

	expect_dropped(port, IF_PRIV, NOT_OWNER);
	expect_dropped(crypt, IF_PRIV, HOST_UNKNOWN);
	expect_dropped(ping, IF_PRIV, HOST_UNKNOWN);
	expect_dropped(zero, IF_PRIV, HOST_UNKNOWN);
}

Test(xdp_priv, the_wrong_interface)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x1000, 4));
	struct pkt in = pkt(eth(MAC_HOST_A, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt crypt = pkt(eth(MAC_HOST_A, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2), ip4(PUB_1, REMOTE), esp(0x77777777));

	expect_dropped(in, IF_PRIV2, WRONG_INTERFACE);
	expect_dropped(crypt, IF_PRIV2, WRONG_INTERFACE);
}

Test(xdp_priv, the_wrong_mac_only_where_it_is_checked)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt right = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	expect_sent(in, want, slot);
	given_policy(RSIP_POLICY_CHECK_MAC);
	expect_dropped(in, IF_PRIV, WRONG_MAC);
	expect_sent(right, want, slot);
}

Test(xdp_priv, ipsec_without_an_rsipsec_binding)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt crypt = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt auth = pkt(from_host_a(), ip4(PUB_1, REMOTE), ah(0x77777777), bytes(8));
	struct pkt key = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), ike(1, 0, .flags = IKE_I));
	struct pkt gre = pkt(from_host_a(), ip4(PUB_1, REMOTE, .proto = 47), bytes(20));

	expect_dropped(crypt, IF_PRIV, IPSEC_UNALLOWED);
	expect_dropped(auth, IF_PRIV, IPSEC_UNALLOWED);
	expect_dropped(key, IF_PRIV, IPSEC_UNALLOWED);
	expect_dropped(gre, IF_PRIV, IPSEC_UNALLOWED);
}

Test(xdp_priv, an_expired_lease_sends_nothing)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8), .expired = true);
	given_binding(HOST_B, PUB_1, spis(0x1000, 4), .expired = true);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt crypt = pkt(from_host_b(), ip4(PUB_1, REMOTE), esp(0x77777777));

	expect_dropped(in, IF_PRIV, EXPIRED);
	expect_dropped(crypt, IF_PRIV, EXPIRED);
}

Test(xdp_priv, a_remote_outside_the_flow_policy)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE, .remote_port = 80, .remote_port_cnt = 1);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), tcp(4003, 80), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), tcp(4003, 80), text("x"));
	struct pkt address = pkt(from_host_a(), ip4(PUB_1, REMOTE_2), tcp(4003, 80), text("x"));
	struct pkt port = pkt(from_host_a(), ip4(PUB_1, REMOTE), tcp(4003, 81), text("x"));

	expect_sent(in, want, slot);
	expect_dropped(address, IF_PRIV, REMOTE_UNALLOWED);
	expect_dropped(port, IF_PRIV, REMOTE_UNALLOWED);
}

/* ---- where it may go: design, spoofing ------------------------------------------------------- */

Test(xdp_priv, destinations_that_never_leave)
{
	static const __be32 inside[] = { HOST_B, HOST_C, GW_PRIV, GW_PRIV2, CAST_IP(127, 0, 0, 1), CAST_IP(0, 0, 0, 0),
					 CAST_IP(0, 1, 2, 3), CAST_IP(240, 0, 0, 1), CAST_IP(255, 255, 255, 255), GW_PUB };

	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x1000, 4));
	for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
		struct pkt in = pkt(from_host_a(), ip4(PUB_1, inside[i]), udp(4003, 53), text("x"));
		struct pkt crypt = pkt(from_host_a(), ip4(PUB_1, inside[i]), esp(0x77777777));

		expect_dropped(in, IF_PRIV, DST_UNALLOWED);
		expect_dropped(crypt, IF_PRIV, DST_UNALLOWED);
	}
}

Test(xdp_priv, multicast_does_not_leave)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, CAST_IP(224, 0, 0, 251)), udp(4003, 5353), text("x"));
	struct pkt last = pkt(from_host_a(), ip4(PUB_1, CAST_IP(239, 255, 255, 255)), udp(4003, 5353), text("x"));

	expect_dropped(in, IF_PRIV, MULTICAST);
	expect_dropped(last, IF_PRIV, MULTICAST);
}

Test(xdp_priv, a_route_that_does_not_leave_by_a_public_interface)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_neighbour("10.0.0.10 lladdr 02:00:00:00:0a:0a dev priv0");
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, CAST_IP(172, 16, 0, 1)), udp(4003, 53), text("x"));

	expect_dropped(in, IF_PRIV, DST_NOT_PUBLIC);
}

Test(xdp_priv, a_route_that_forbids_it)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, UNREACHABLE), udp(4003, 53), text("x"));

	expect_dropped(in, IF_PRIV, NO_ROUTE);
}

/* ---- the headers ----------------------------------------------------------------------------- */

Test(xdp_priv, ttl_one_dies_here_and_the_tunnels_ttl_does_not_count)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt one = pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), text("x"));
	struct pkt zero = pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl_zero = true), udp(4003, 53), text("x"));
	struct pkt two = pkt(from_host_a(.ttl = 1), ip4(PUB_1, REMOTE, .ttl = 2), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), text("x"));

	expect_dropped(one, IF_PRIV, TTL_EXCEEDED);
	expect_dropped(zero, IF_PRIV, TTL_EXCEEDED);
	expect_sent(two, want, slot);
}

/* RFC 6040 figure 4: rows are the inner codepoint (0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE), columns the outer; 9 drops. */
Test(xdp_priv, congestion_marks_of_the_tunnel)
{
	static const uint8_t result[4][4] = { { 0, 0, 0, 9 }, { 1, 1, 1, 3 }, { 2, 1, 2, 3 }, { 3, 3, 3, 3 } };
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (uint8_t inner = 0; inner < 4; inner++)
		for (uint8_t outer = 0; outer < 4; outer++) {
			struct pkt in = pkt(from_host_a(.tos = (uint8_t)(0x88 | outer)),
					    ip4(PUB_1, REMOTE, .tos = (uint8_t)(0x28 | inner)), udp(4003, 53), text("x"));
			struct pkt want = pkt(to_router,
					      ip4(PUB_1, REMOTE, .ttl = 63, .tos = (uint8_t)(0x28 | result[inner][outer])),
					      udp(4003, 53), text("x"));

			if (result[inner][outer] == 9)
				expect_dropped(in, IF_PRIV, ECN_CE_NOT_ECT);
			else
				expect_sent(in, want, slot);
		}
}

Test(xdp_priv, padding_is_trimmed)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"), pad(9));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	expect_sent(in, want, slot);
}

#define ROUTER_ALERT "\x94\x04\x00\x00"

Test(xdp_priv, ip_options_outside_go_and_inside_stay)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(.options = ROUTER_ALERT, .options_len = 4),
			    ip4(PUB_1, REMOTE, .options = ROUTER_ALERT ROUTER_ALERT, .options_len = 8), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63, .options = ROUTER_ALERT ROUTER_ALERT, .options_len = 8),
			      udp(4003, 53), text("x"));

	expect_sent(in, want, slot);
}

Test(xdp_priv, longer_than_the_public_interface_takes)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt fits = pkt(from_host_a(), ip4(PUB_1, REMOTE, .df = true), udp(4003, 53), bytes(1500 - 28));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .df = true, .ttl = 63), udp(4003, 53), bytes(1500 - 28));
	struct pkt more = pkt(from_host_a(), ip4(PUB_1, REMOTE, .df = true), udp(4003, 53), bytes(1501 - 28));

	expect_sent(fits, want, slot);
	expect_dropped(more, IF_PRIV, TOO_BIG);
}

Test(xdp_priv, headers_that_contradict_themselves)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt outer = pkt(from_host_a(.total_len = 4000), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt inner = pkt(from_host_a(), ip4(PUB_1, REMOTE, .total_len = 4000), udp(4003, 53), text("x"));
	struct pkt longer = pkt(from_host_a(.total_len = 48), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt version = pkt(from_host_a(), ip4(PUB_1, REMOTE, .version = 6), udp(4003, 53), text("x"));
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

Test(xdp_priv, what_is_no_tunnel_to_us_is_untouched)
{
	struct pkt rsip = pkt(from_host_a(), udp(40000, 4555), text("register"));
	struct pkt elsewhere = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, REMOTE), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt other_endpoint = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV2), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt stray = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), text("untunnelled"));
	struct pkt plain = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, REMOTE, .ttl = 1), tcp(1, 2), pad(6));
	struct pkt gre = pkt(from_host_a(.proto = 47), bytes(40));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_passed(rsip, IF_PRIV);
	expect_passed(elsewhere, IF_PRIV);
	expect_passed(other_endpoint, IF_PRIV);
	expect_passed(stray, IF_PRIV);
	expect_passed(plain, IF_PRIV);
	expect_passed(gre, IF_PRIV);
}

Test(xdp_priv, other_ethernet_types_and_arp_are_untouched)
{
	struct pkt ipv6 = pkt(eth(MAC_HOST_A, MAC_GW_PRIV, .eth_type = 0x86dd), bytes(60));
	struct pkt tagged = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), vlan_tag(7), ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt arp = pkt(eth(MAC_HOST_A, MAC_ALL), arp_request(MAC_HOST_A, HOST_A, PUB_1));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_passed(ipv6, IF_PRIV);
	expect_passed(tagged, IF_PRIV);
	expect_passed(arp, IF_PRIV);
}

Test(xdp_priv, fragments_of_the_tunnel_go_to_the_kernel)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt first = pkt(from_host_a(.mf = true), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(64));
	struct pkt later = pkt(from_host_a(.frag = 20, .proto = 4), bytes(64));

	expect_run(first, .iface = IF_PRIV, .action = XDP_PASS, .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
	expect_run(later, .iface = IF_PRIV, .action = XDP_PASS, .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
}

/* ---- hairpin --------------------------------------------------------------------------------- */

Test(xdp_priv, from_host_to_host_over_one_address)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_1), tcp(4001, 4009), text("to a neighbour"));
	struct pkt want = pkt(to_host_b(), ip4(PUB_1, PUB_1, .ttl = 63), tcp(4001, 4009), text("to a neighbour"));

	expect_hairpin(in, want, a, b);
}

Test(xdp_priv, esp_from_host_to_host)
{
	uint32_t a = given_binding(HOST_A, PUB_1, spis(0x1000, 4)), b = given_binding(HOST_B, PUB_2, spis(0x1000, 4));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_2), esp(0x1002), pad(6));
	struct pkt want = pkt(to_host_b(), ip4(PUB_1, PUB_2, .ttl = 63), esp(0x1002));

	expect_hairpin(in, want, a, b);
}

Test(xdp_priv, a_host_may_call_itself)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(4001, 4002), text("echo"));
	struct pkt want = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4001, 4002), text("echo"));

	expect_hairpin(in, want, a, a);
}

Test(xdp_priv, a_hairpin_obeys_the_same_rules)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_1, ports(4008, 8), .expired = true);
	given_binding(HOST_B, PUB_2, ports(4000, 8), .remote = REMOTE);
	given_binding(HOST_B, PUB_2, ports(4008, 8), .mtu = 100);
	struct pkt expired = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(4001, 4009), text("x"));
	struct pkt nobody = pkt(from_host_a(), ip4(PUB_1, PUB_IDLE), udp(4001, 4009), text("x"));
	struct pkt policy = pkt(from_host_a(), ip4(PUB_1, PUB_2), udp(4001, 4001), text("x"));
	struct pkt big = pkt(from_host_a(), ip4(PUB_1, PUB_2), udp(4001, 4009), bytes(73));
	struct pkt ttl = pkt(from_host_a(), ip4(PUB_1, PUB_2, .ttl = 1), udp(4001, 4009), text("x"));
	struct pkt spoofed = pkt(from_host_b(), ip4(PUB_1, PUB_1), udp(4001, 4002), text("x"));

	expect_dropped(expired, IF_PRIV, EXPIRED);
	expect_dropped(nobody, IF_PRIV, NO_PORT);
	expect_dropped(policy, IF_PRIV, REMOTE_UNALLOWED);
	expect_dropped(big, IF_PRIV, TOO_BIG);
	expect_dropped(ttl, IF_PRIV, TTL_EXCEEDED);
	expect_dropped(spoofed, IF_PRIV, NOT_OWNER);
}
