// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What arrives from the hosts: tunnel packets of their owners go on to ROUTER, everything else dies
 * with a name or is left alone.
 */
#include "gateway.h"

TestSuite(xdp_priv, .init = gateway_up, .fini = gateway_down);

/* ---- what a host may send -------------------------------------------------------------------- */

Test(xdp_priv, datagram_from_a_leased_port_leaves_as_the_host_built_it)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .id = 7), udp(4003, 53), text("hello"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .id = 7, .ttl = 63), udp(4003, 53),
			      text("hello"));

	expect_sent(in, want, slot);
}

Test(xdp_priv, segment_udp_lite_and_sctp)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .df = true), tcp(4000, 443), text("hello"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .df = true, .ttl = 63), tcp(4000, 443),
			      text("hello"));
	struct pkt in2 = pkt(from_host_a(), ip4(PUB_1, REMOTE), udplite(4007, 53), text("hello"));
	struct pkt want2 =
		pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udplite(4007, 53), text("hello"));
	struct pkt in3 = pkt(from_host_a(), ip4(PUB_1, REMOTE), sctp(4007, 2905), bytes(20));
	struct pkt want3 =
		pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), sctp(4007, 2905), bytes(20));

	expect_sent(in, want, slot);
	expect_sent(in2, want2, slot);
	expect_sent(in3, want3, slot);
}

Test(xdp_priv, esp_and_ah_carry_the_peers_spi)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010000, 4));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt in2 =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .id = 4, .df = true), ah(0x100), bytes(30));
	struct pkt want2 = pkt(to_router, ip4(PUB_1, REMOTE, .id = 4, .df = true, .ttl = 63),
			       ah(0x100), bytes(30));

	expect_sent(in, want, slot);
	expect_sent(in2, want2, slot);
}

Test(xdp_priv, icmp_needs_any_binding_of_the_pair)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), echo_request(3), text("ping"));
	struct pkt want =
		pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), echo_request(3), text("ping"));
	struct pkt error = pkt(from_host_a(), ip4(PUB_1, REMOTE), icmp(3, 3), ip4(REMOTE, PUB_1),
			       udp(53, 4003));
	struct pkt error_want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), icmp(3, 3),
				    ip4(REMOTE, PUB_1), udp(53, 4003));

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
	struct pkt first = pkt(from_host_a(), ip4(PUB_1, REMOTE, .mf = true, .id = 5),
			       udp(4000, 53), bytes(64));
	struct pkt first_want = pkt(to_router, ip4(PUB_1, REMOTE, .mf = true, .id = 5, .ttl = 63),
				    udp(4000, 53), bytes(64));
	struct pkt later =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .frag = 9, .id = 5, .proto = 17), bytes(64));
	struct pkt later_want =
		pkt(to_router, ip4(PUB_1, REMOTE, .frag = 9, .id = 5, .proto = 17, .ttl = 63),
		    bytes(64));

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
		struct pkt in =
			pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(edge[i].port, 53), text("x"));
		struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63),
				      udp(edge[i].port, 53), text("x"));

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
	struct pkt in = pkt(eth(MAC_HOST_C, MAC_GW_PRIV2), ip4(HOST_C, GW_PRIV2),
			    ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	expect_run(in, .iface = IF_PRIV2, .action = XDP_REDIRECT, .want = &want, .out_slot = slot,
		   .bytes = outer_len(&want),
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 },
			       { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&want) } });
}

Test(xdp_priv, a_next_hop_that_is_asked_for_again_after_routes_changed)
{
	about_ethernet();
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
	about_ethernet();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	__be32 neighbour = CAST_IP(192, 0, 2, 200);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, neighbour), udp(4003, 53), text("x"));
	struct pkt want =
		pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, neighbour), udp(4003, 53), text("x"));

	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .want = &want, .out_slot = slot,
		   .bytes = outer_len(&want), .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
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
	struct pkt port = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV),
			      ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt crypt = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV),
			       ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt ping = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(STRANGER, GW_PRIV),
			      ip4(PUB_1, REMOTE), echo_request(3));
	struct pkt zero = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(0, GW_PRIV), ip4(PUB_1, REMOTE),
			      esp(0x77777777));

	expect_dropped(port, IF_PRIV, NOT_OWNER);
	expect_dropped(crypt, IF_PRIV, HOST_UNKNOWN);
	expect_dropped(ping, IF_PRIV, HOST_UNKNOWN);
	expect_dropped(zero, IF_PRIV, HOST_UNKNOWN);
}

Test(xdp_priv, the_wrong_interface)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x1000, 4));
	struct pkt in = pkt(eth(MAC_HOST_A, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2),
			    ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt crypt = pkt(eth(MAC_HOST_A, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2),
			       ip4(PUB_1, REMOTE), esp(0x77777777));

	expect_dropped(in, IF_PRIV2, WRONG_INTERFACE);
	expect_dropped(crypt, IF_PRIV2, WRONG_INTERFACE);
}

Test(xdp_priv, the_wrong_mac_only_where_it_is_checked)
{
	about_ethernet();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV),
			    ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
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
	struct pkt key =
		pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), ike(1, 0, .flags = IKE_I));
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
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE,
				      .remote_port = 80, .remote_port_cnt = 1);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), tcp(4003, 80), text("x"));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), tcp(4003, 80), text("x"));
	struct pkt address = pkt(from_host_a(), ip4(PUB_1, REMOTE_2), tcp(4003, 80), text("x"));
	struct pkt port = pkt(from_host_a(), ip4(PUB_1, REMOTE), tcp(4003, 81), text("x"));

	expect_sent(in, want, slot);
	expect_dropped(address, IF_PRIV, REMOTE_UNALLOWED);
	expect_dropped(port, IF_PRIV, REMOTE_UNALLOWED);
}
