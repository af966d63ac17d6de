// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What arrives from the public realm: headers, what has no owner, what is forged, what is not ours,
 * ARP. */
#include <bpf/bpf.h>
#include "dataplane_bpf.h"
#include "gateway.h"

TestSuite(xdp_pub_rules, .init = gateway_up, .fini = gateway_down);

/* ---- the header ------------------------------------------------------------------------------ */

Test(xdp_pub_rules, ttl_one_dies_here_and_two_does_not)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt one = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1), udp(53, 4003), text("x"));
	struct pkt zero =
		pkt(from_router, ip4(REMOTE, PUB_1, .ttl_zero = true), udp(53, 4003), text("x"));
	struct pkt two = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 2), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 1), udp(53, 4003), text("x"));

	struct pkt one_answer = icmp_to_router(REMOTE, 11, 0, 0, one, 28);
	struct pkt zero_answer = icmp_to_router(REMOTE, 11, 0, 0, zero, 28);

	expect_answered(one, IF_PUB, one_answer, TTL_EXCEEDED);
	expect_answered(zero, IF_PUB, zero_answer, TTL_EXCEEDED);
	expect_tunnelled(two, want, slot);
}

Test(xdp_pub_rules, every_ttl_keeps_the_checksum_right)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (int ttl = 2; ttl < 256; ttl++) {
		struct pkt in =
			pkt(from_router,
			    ip4(REMOTE, PUB_1, .ttl = (uint8_t)ttl, .id = (uint16_t)(ttl * 257)),
			    udp(53, 4003), text("x"));
		struct pkt want = pkt(
			to_host_a(.id = (uint16_t)(ttl * 257)),
			ip4(REMOTE, PUB_1, .ttl = (uint8_t)(ttl - 1), .id = (uint16_t)(ttl * 257)),
			udp(53, 4003), text("x"));

		expect_tunnelled(in, want, slot);
	}
}

Test(xdp_pub_rules, a_packet_of_the_tunnels_mtu_fits_and_one_byte_more_does_not)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .mtu = 1480);
	struct pkt fits =
		pkt(from_router, ip4(REMOTE, PUB_1, .df = true), udp(53, 4003), bytes(1480 - 28));
	struct pkt want = pkt(to_host_a(.df = true), ip4(REMOTE, PUB_1, .df = true, .ttl = 63),
			      udp(53, 4003), bytes(1480 - 28));
	struct pkt more =
		pkt(from_router, ip4(REMOTE, PUB_1, .df = true), udp(53, 4003), bytes(1481 - 28));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1480, more, 548);

	expect_tunnelled(fits, want, slot);
	expect_answered(more, IF_PUB, answer, TOO_BIG);
}

Test(xdp_pub_rules, ethernet_padding_is_trimmed)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"), pad(17));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	expect_tunnelled(in, want, slot);
}

#define ROUTER_ALERT "\x94\x04\x00\x00"
#define FORTY_NOPS                                                                                 \
	"\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"

Test(xdp_pub_rules, ip_options_stay)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x2000, 4));
	struct pkt in =
		pkt(from_router, ip4(REMOTE, PUB_1, .options = ROUTER_ALERT, .options_len = 4),
		    udp(53, 4003), text("x"));
	struct pkt want =
		pkt(to_host_a(),
		    ip4(REMOTE, PUB_1, .ttl = 63, .options = ROUTER_ALERT, .options_len = 4),
		    udp(53, 4003), text("x"));
	struct pkt in_esp =
		pkt(from_router, ip4(REMOTE, PUB_1, .options = FORTY_NOPS, .options_len = 40),
		    esp(0x2000));
	struct pkt want_esp =
		pkt(to_host_a(),
		    ip4(REMOTE, PUB_1, .ttl = 63, .options = FORTY_NOPS, .options_len = 40),
		    esp(0x2000));

	expect_tunnelled(in, want, slot);
	expect_tunnelled(in_esp, want_esp, slot);
}

Test(xdp_pub_rules, dscp_and_ecn_are_copied_to_the_tunnel_header)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (int tos = 0; tos < 256; tos++) {
		struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .tos = (uint8_t)tos),
				    udp(53, 4003), text("x"));
		struct pkt want = pkt(to_host_a(.tos = (uint8_t)tos),
				      ip4(REMOTE, PUB_1, .ttl = 63, .tos = (uint8_t)tos),
				      udp(53, 4003), text("x"));

		expect_tunnelled(in, want, slot);
	}
}

Test(xdp_pub_rules, a_udp_checksum_of_zero_stays_zero)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	in.data[40] = in.data[41] = 0;
	want.data[60] = want.data[61] = 0;
	expect_tunnelled(in, want, slot);
}

Test(xdp_pub_rules, headers_that_contradict_themselves)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt version =
		pkt(from_router, ip4(REMOTE, PUB_1, .version = 6), udp(53, 4003), text("x"));
	struct pkt ihl = pkt(from_router, ip4(REMOTE, PUB_1, .ihl = 4), udp(53, 4003), text("x"));
	struct pkt ihl15 =
		pkt(from_router, ip4(REMOTE, PUB_1, .ihl = 15), udp(53, 4003), text("x"));
	struct pkt beyond =
		pkt(from_router, ip4(REMOTE, PUB_1, .total_len = 30), udp(53, 4003), text("x"));
	struct pkt within =
		pkt(from_router, ip4(REMOTE, PUB_1, .total_len = 19), udp(53, 4003), text("x"));
	struct pkt no_udp =
		pkt(from_router, ip4(REMOTE, PUB_1, .total_len = 27), udp(53, 4003), text("x"));

	expect_dropped(version, IF_PUB, MALFORMED);
	expect_dropped(ihl, IF_PUB, MALFORMED);
	expect_dropped(ihl15, IF_PUB, MALFORMED);
	expect_dropped(beyond, IF_PUB, MALFORMED);
	expect_dropped(within, IF_PUB, MALFORMED);
	expect_dropped(no_udp, IF_PUB, MALFORMED);
}

Test(xdp_pub_rules, a_host_without_a_known_next_hop)
{
	about_outer_header();
	given_binding(HOST_A, PUB_1, ports(4000, 8), .no_nexthop = true);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));

	expect_dropped(in, IF_PUB, NO_NEXT_HOP);
}

Test(xdp_pub_rules, a_next_hop_that_the_kernel_knows)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .no_nexthop = true);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	given_neighbour("10.0.0.10 lladdr 02:00:00:00:0a:0a dev priv0");
	expect_tunnelled(in, want, slot);
}

Test(xdp_pub_rules, while_rsipd_is_at_work_its_next_hop_counts)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	given_neighbour("10.0.0.10 lladdr 02:00:00:00:0a:99 dev priv0");
	expect_tunnelled(in, want, slot);
}

Test(xdp_pub_rules, without_rsipd_the_kernel_knows_the_next_hop_better)
{
	about_ethernet();
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt old = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));
	struct pkt moved = pkt(eth(MAC_GW_PRIV, MAC_STRANGER), ip4(GW_PRIV, HOST_A),
			       ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	given_rsipd(false);
	expect_tunnelled(in, old, slot); /* nor does the kernel know another */
	given_neighbour("10.0.0.10 lladdr 02:00:00:00:0a:99 dev priv0");
	expect_tunnelled(in, moved, slot);
}

/* ---- what has no owner ----------------------------------------------------------------------- */

Test(xdp_pub_rules, a_shared_address_has_no_owner_for_other_protocols)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt gre = pkt(from_router, ip4(REMOTE, PUB_1, .proto = 47), bytes(20));
	struct pkt ipip =
		pkt(from_router, ip4(REMOTE, PUB_1), ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt echo = pkt(from_router, ip4(REMOTE, PUB_1), echo_request(9), text("ping"));
	struct pkt reply = pkt(from_router, ip4(REMOTE, PUB_1), echo_reply(9), text("ping"));
	struct pkt answer = pkt(to_router, ip4(PUB_1, REMOTE), echo_reply(9), text("ping"));

	expect_dropped(gre, IF_PUB, NO_PROTOCOL);
	expect_dropped(ipip, IF_PUB, NO_PROTOCOL);
	expect_run(echo, .iface = IF_PUB, .action = XDP_TX, .want = &answer,
		   .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } });
	expect_dropped(reply, IF_PUB, ICMP_QUERY);
}

Test(xdp_pub_rules, an_idle_pool_address)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_IDLE), tcp(443, 4003), text("x"));
	struct pkt in_esp = pkt(from_router, ip4(REMOTE, PUB_IDLE), esp(0x2000));

	expect_dropped(in, IF_PUB, NO_PORT);
	expect_dropped(in_esp, IF_PUB, NO_SPI);
}

/* ---- spoofing: design, BCP 38 ---------------------------------------------------------------- */

Test(xdp_pub_rules, sources_that_cannot_be_outside)
{
	static const __be32 source[] = { PUB_2,
					 PUB_1,
					 HOST_B,
					 GW_PRIV,
					 HOST_C,
					 CAST_IP(127, 0, 0, 1),
					 CAST_IP(0, 0, 0, 0),
					 CAST_IP(0, 1, 2, 3),
					 CAST_IP(224, 0, 0, 1),
					 CAST_IP(240, 0, 0, 1),
					 CAST_IP(255, 255, 255, 255) };

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
		struct pkt in = pkt(from_router, ip4(source[i], PUB_1), udp(53, 4003), text("x"));

		expect_dropped(in, IF_PUB, SRC_SPOOFED);
	}
}

Test(xdp_pub_rules, private_address_space_that_is_not_ours_may_call)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in =
		pkt(from_router, ip4(CAST_IP(192, 168, 7, 7), PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(CAST_IP(192, 168, 7, 7), PUB_1, .ttl = 63),
			      udp(53, 4003), text("x"));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub_rules, destinations_in_a_private_network)
{
	struct pkt host = pkt(from_router, ip4(REMOTE, HOST_A), udp(53, 4003), text("x"));
	struct pkt gateway = pkt(from_router, ip4(REMOTE, GW_PRIV), udp(53, 4555), text("x"));
	struct pkt tunnel = pkt(from_router, ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE),
				udp(4000, 53), text("x"));

	expect_dropped(host, IF_PUB, DST_PRIVATE);
	expect_dropped(gateway, IF_PUB, DST_PRIVATE);
	expect_dropped(tunnel, IF_PUB, DST_PRIVATE);
}

/* ---- not ours: untouched --------------------------------------------------------------------- */

Test(xdp_pub_rules, traffic_of_the_machine_itself_is_untouched)
{
	struct pkt ssh =
		pkt(from_router, ip4(REMOTE, GW_PUB, .ttl = 1), tcp(40000, 22), text("x"), pad(3));
	struct pkt other = pkt(from_router, ip4(REMOTE, NOT_OURS), udp(53, 4003), text("x"));
	struct pkt ipip =
		pkt(from_router, ip4(HOST_A, GW_PUB), ip4(PUB_1, REMOTE), udp(4000, 53), text("x"));
	struct pkt multicast =
		pkt(from_router, ip4(REMOTE, CAST_IP(224, 0, 0, 251)), udp(5353, 5353), text("x"));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_passed(ssh, IF_PUB);
	expect_passed(other, IF_PUB);
	expect_passed(ipip, IF_PUB);
	expect_passed(multicast, IF_PUB);
}

Test(xdp_pub_rules, other_ethernet_types_are_untouched)
{
	struct pkt ipv6 = pkt(eth(MAC_ROUTER, MAC_GW_PUB, .eth_type = 0x86dd), bytes(60));
	struct pkt lldp =
		pkt(eth(MAC_ROUTER, "\x01\x80\xc2\x00\x00\x0e", .eth_type = 0x88cc), bytes(46));
	struct pkt tagged =
		pkt(from_router, vlan_tag(7), ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt tiny = pkt(from_router);

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_passed(ipv6, IF_PUB);
	expect_passed(lldp, IF_PUB);
	if (!has_ethernet())
		return;
	expect_passed(tagged, IF_PUB);
	expect_passed(tiny, IF_PUB);
}

Test(xdp_pub_rules, fragments_go_to_the_kernel)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt first =
		pkt(from_router, ip4(REMOTE, PUB_1, .mf = true, .id = 5), udp(53, 4003), bytes(64));
	struct pkt later =
		pkt(from_router, ip4(REMOTE, PUB_1, .frag = 9, .id = 5, .proto = 17), bytes(64));
	struct pkt last_esp =
		pkt(from_router, ip4(REMOTE, PUB_1, .frag = 180, .proto = 50), bytes(8));

	expect_run(first, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL,
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
	expect_run(later, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL,
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
	expect_run(last_esp, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL,
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
}

/* ---- ARP ------------------------------------------------------------------------------------- */

Test(xdp_pub_rules, arp_for_a_pool_address_is_answered)
{
	about_ethernet();
	struct pkt in =
		pkt(eth(MAC_ROUTER, MAC_ALL), arp_request(MAC_ROUTER, ROUTER, PUB_IDLE), pad(18));
	struct pkt want = pkt(eth(MAC_GW_PUB, MAC_ROUTER),
			      arp_reply(MAC_GW_PUB, PUB_IDLE, MAC_ROUTER, ROUTER), pad(18));

	expect_run(in, .iface = IF_PUB, .action = XDP_TX, .want = &want,
		   .counts = { { RSIP_CNT_ARP_ANSWERED, 1 } });
}

Test(xdp_pub_rules, arp_for_others_is_not_answered)
{
	about_ethernet();
	struct pkt gateway = pkt(eth(MAC_ROUTER, MAC_ALL), arp_request(MAC_ROUTER, ROUTER, GW_PUB));
	struct pkt other = pkt(eth(MAC_ROUTER, MAC_ALL), arp_request(MAC_ROUTER, ROUTER, NOT_OURS));
	struct pkt reply =
		pkt(eth(MAC_ROUTER, MAC_GW_PUB), arp_reply(MAC_ROUTER, ROUTER, MAC_GW_PUB, PUB_1));
	struct pkt gratuitous =
		pkt(eth(MAC_ROUTER, MAC_ALL), arp_request(MAC_ROUTER, PUB_1, PUB_1));

	expect_passed(gateway, IF_PUB);
	expect_passed(other, IF_PUB);
	expect_passed(reply, IF_PUB);
	expect_passed(gratuitous, IF_PUB);
}

Test(xdp_pub_rules, an_address_that_left_the_pool_is_not_ours_any_more)
{
	struct pkt arp = pkt(eth(MAC_ROUTER, MAC_ALL), arp_request(MAC_ROUTER, ROUTER, PUB_IDLE));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_IDLE), tcp(443, 4003), text("x"));

	cr_assert_eq(gateway_dp()->ops->addr_remove(gateway_dp(), 2, PUB_IDLE), 0);
	expect_passed(arp, IF_PUB);
	expect_passed(in, IF_PUB);
}

/* Promiscuous, or flooded by a switch: the kernel knows what to do with another's frame. */
Test(xdp_pub_rules, frames_to_another_mac_address_are_not_taken)
{
	about_ethernet();
	static const char *const other[] = { MAC_ROUTER, MAC_HOST_A, "\x02\x00\x00\x00\x01\x03", "\x03\x00\x00\x00\x01\x02",
					     "\x02\x00\x01\x00\x01\x02", "\x02\x00\x00\x00\x00\x02", "\0\0\0\0\0\0" };

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]) - 1; i++) {
		struct pkt in = pkt(eth(MAC_ROUTER, other[i]), ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
		struct pkt to_private = pkt(eth(MAC_ROUTER, other[i]), ip4(REMOTE, HOST_A), udp(53, 4003), text("x"));

		expect_passed(in, IF_PUB);
		expect_passed(to_private, IF_PUB);
	}
}

/* A router asks anew, and only us, whether we are still there; or another, which it believes to be. */
Test(xdp_pub_rules, arp_for_a_pool_address_to_one_mac_address_is_answered_by_who_has_that)
{
	about_ethernet();
	struct pkt ours = pkt(from_router, arp_request(MAC_ROUTER, ROUTER, PUB_1), pad(18));
	struct pkt other = pkt(eth(MAC_ROUTER, MAC_HOST_A), arp_request(MAC_ROUTER, ROUTER, PUB_1), pad(18));
	struct pkt want = pkt(to_router, arp_reply(MAC_GW_PUB, PUB_1, MAC_ROUTER, ROUTER), pad(18));

	expect_run(ours, .iface = IF_PUB, .action = XDP_TX, .want = &want, .counts = { { RSIP_CNT_ARP_ANSWERED, 1 } });
	expect_passed(other, IF_PUB);
}

/* VRRP's address is on a device of its own, and frames come in through ours. */
Test(xdp_pub_rules, a_virtual_routers_mac_address_is_ours_too)
{
	about_ethernet();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(eth(MAC_ROUTER, MAC_VIRTUAL), ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	expect_passed(in, IF_PUB);
	given_virtual_mac(IF_PUB, MAC_VIRTUAL);
	expect_tunnelled(in, want, 1);
}

/* 802.1Q, QinQ (802.1ad), and a priority without a VLAN: what has a tag in the frame is another interface's, or the kernel takes it out. */
Test(xdp_pub_rules, frames_with_tags_are_left_alone)
{
	about_ethernet();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt twice = pkt(eth(MAC_ROUTER, MAC_GW_PUB, .eth_type = 0x88a8), vlan_tag(7), vlan_tag(8), ip4(REMOTE, PUB_1),
			       udp(53, 4003), text("x"));
	struct pkt priority = pkt(from_router, vlan_tag(0xa000), ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));

	expect_passed(twice, IF_PUB);
	expect_passed(priority, IF_PUB);
}

/* A table that names a record that there is not, which nothing but a fault writes: counted, and nobody gets the packet. */
Test(xdp_pub_rules, a_port_whose_record_is_none_is_an_internal_error)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8)), at = 4003 / 16;
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt next = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4004), text("x"));
	struct pkt at_a = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4004), text("x"));
	struct rsip_port_line line;

	cr_assert_eq(bpf_map_lookup_elem(gateway_map(RSIP_DP_PORTS), &at, &line), 0);
	cr_assert_eq(line.slot[4003 % 16], slot);
	line.slot[4003 % 16] = 100000;
	cr_assert_eq(bpf_map_update_elem(gateway_map(RSIP_DP_PORTS), &at, &line, BPF_ANY), 0);
	expect_dropped(in, IF_PUB, INTERNAL);
	expect_dropped(out, IF_PRIV, INTERNAL);
	expect_tunnelled(next, at_a, slot);
}
