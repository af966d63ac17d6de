// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The rules against forged addresses, a case for each, from both sides: what a host may not claim to be or reach, and
 * what the public realm may not (BCP 38, RFC 1812 5.3.7, RFC 3103 10.4).  Each rule is tried with a packet that is
 * found by its port and one that is found by the pair or by an SPI, because these take other ways.
 */
#include "gateway.h"

TestSuite(spoof, .init = gateway_up, .fini = gateway_down);

#define AS(mac, host) eth(mac, MAC_GW_PRIV), ip4(host, GW_PRIV)

/* From host A, which may send both, to dst. */
static void host_cannot_reach(__be32 dst, int reason)
{
	struct pkt port = pkt(from_host_a(), ip4(PUB_1, dst), udp(4003, 53), text("x"));
	struct pkt pair = pkt(from_host_a(), ip4(PUB_1, dst), esp(0x77777777));
	struct pkt ping = pkt(from_host_a(), ip4(PUB_1, dst), echo_request(7));

	expect_run(port, .iface = IF_PRIV, .action = XDP_DROP, .counts = { { reason, 1 } });
	expect_run(pair, .iface = IF_PRIV, .action = XDP_DROP, .counts = { { reason, 1 } });
	expect_run(ping, .iface = IF_PRIV, .action = XDP_DROP, .counts = { { reason, 1 } });
}

/* From the public side with this source, to host A. */
static void outside_cannot_be(__be32 src)
{
	struct pkt port = pkt(from_router, ip4(src, PUB_1), udp(53, 4003), text("x"));
	struct pkt spi = pkt(from_router, ip4(src, PUB_1), esp(0xa0000001));
	struct pkt ping = pkt(from_router, ip4(src, PUB_1), echo_request(7));
	struct pkt later = pkt(from_router, ip4(src, PUB_1, .frag = 64, .proto = 17), bytes(32));

	expect_dropped(port, IF_PUB, SRC_SPOOFED);
	expect_dropped(spi, IF_PUB, SRC_SPOOFED);
	expect_dropped(ping, IF_PUB, SRC_SPOOFED);
	expect_dropped(later, IF_PUB, SRC_SPOOFED);
}

static void given_host_a(void)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0xa0000000, 4));
}

/* ---- destinations of hosts ------------------------------------------------------------------- */

Test(spoof, a_host_cannot_reach_a_private_network)
{
	given_host_a();
	host_cannot_reach(HOST_B, RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(HOST_C, RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(HOST_A, RSIP_DROP_DST_UNALLOWED);
}

Test(spoof, a_host_cannot_reach_the_gateway_by_its_tunnel)
{
	given_host_a();
	host_cannot_reach(GW_PRIV, RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(GW_PRIV2, RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(GW_PUB, RSIP_DROP_DST_UNALLOWED);
}

Test(spoof, a_host_cannot_reach_loopback)
{
	given_host_a();
	host_cannot_reach(CAST_IP(127, 0, 0, 1), RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(CAST_IP(127, 255, 255, 255), RSIP_DROP_DST_UNALLOWED);
}

Test(spoof, a_host_cannot_reach_this_network)
{
	given_host_a();
	host_cannot_reach(CAST_IP(0, 0, 0, 0), RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(CAST_IP(0, 255, 255, 255), RSIP_DROP_DST_UNALLOWED);
}

Test(spoof, a_host_cannot_reach_reserved_space_nor_broadcast)
{
	given_host_a();
	host_cannot_reach(CAST_IP(240, 0, 0, 0), RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(CAST_IP(255, 255, 255, 255), RSIP_DROP_DST_UNALLOWED);
	host_cannot_reach(CAST_IP(192, 0, 2, 255), RSIP_DROP_DST_UNALLOWED); /* of the public network */
}

Test(spoof, a_host_cannot_reach_a_group)
{
	given_host_a();
	host_cannot_reach(CAST_IP(224, 0, 0, 1), RSIP_DROP_MULTICAST);
	host_cannot_reach(CAST_IP(239, 255, 255, 255), RSIP_DROP_MULTICAST);
}

Test(spoof, a_host_cannot_leave_by_a_private_interface)
{
	given_host_a();
	given_neighbour("10.0.0.10 lladdr 02:00:00:00:0a:0a dev priv0");
	host_cannot_reach(CAST_IP(172, 16, 0, 1), RSIP_DROP_DST_NOT_PUBLIC);
}

/* ---- sources of hosts ------------------------------------------------------------------------ */

Test(spoof, an_inner_source_that_is_no_pool_address)
{
	static const __be32 source[] = { HOST_A, HOST_B, GW_PRIV, GW_PUB, REMOTE, NOT_OURS, CAST_IP(127, 0, 0, 1), 0,
					 CAST_IP(224, 0, 0, 1), CAST_IP(255, 255, 255, 255) };

	given_host_a();
	for (size_t i = 0; i < sizeof(source) / sizeof(source[0]); i++) {
		struct pkt port = pkt(from_host_a(), ip4(source[i], REMOTE), udp(4003, 53), text("x"));
		struct pkt pair = pkt(from_host_a(), ip4(source[i], REMOTE), esp(0x77777777));

		expect_dropped(port, IF_PRIV, LOCAL_ADDR_UNALLOWED);
		expect_dropped(pair, IF_PRIV, LOCAL_ADDR_UNALLOWED);
	}
}

/* The kernel would forward it: nobody but the tunnels may bring these sources. */
Test(spoof, a_pool_address_without_a_tunnel)
{
	static const __be32 source[] = { PUB_1, PUB_2, PUB_IDLE }, dst[] = { REMOTE, PUB_1, HOST_B, GW_PRIV };

	given_host_a();
	for (size_t i = 0; i < 3 * 4; i++) {
		struct pkt port = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(source[i % 3], dst[i / 3]), udp(4003, 53), text("x"));
		struct pkt spi = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(source[i % 3], dst[i / 3]), esp(0x77777777));
		struct pkt later = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(source[i % 3], dst[i / 3], .frag = 64, .proto = 17),
				       bytes(32));

		expect_dropped(port, IF_PRIV, SRC_SPOOFED);
		expect_dropped(spi, IF_PRIV, SRC_SPOOFED);
		expect_dropped(later, IF_PRIV, SRC_SPOOFED);
	}
}

Test(spoof, other_packets_without_a_tunnel_are_the_kernels)
{
	given_host_a();
	struct pkt own = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, REMOTE), udp(4003, 53), text("x"));
	struct pkt near = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(NOT_OURS, REMOTE), udp(4003, 53), text("x"));

	expect_passed(own, IF_PRIV);
	expect_passed(near, IF_PRIV);
}

Test(spoof, an_inner_source_that_another_host_leases)
{
	given_host_a();
	given_binding(HOST_B, PUB_2, ports(4000, 8), spis(0xb0000000, 4));
	struct pkt port = pkt(from_host_a(), ip4(PUB_2, REMOTE), udp(4003, 53), text("x"));
	struct pkt pair = pkt(from_host_a(), ip4(PUB_2, REMOTE), esp(0x77777777));
	struct pkt ping = pkt(from_host_a(), ip4(PUB_2, REMOTE), echo_request(7));
	struct pkt later = pkt(from_host_a(), ip4(PUB_2, REMOTE, .frag = 64, .proto = 17), bytes(32));

	expect_dropped(port, IF_PRIV, NOT_OWNER);
	expect_dropped(pair, IF_PRIV, HOST_UNKNOWN);
	expect_dropped(ping, IF_PRIV, HOST_UNKNOWN);
	expect_dropped(later, IF_PRIV, HOST_UNKNOWN);
}

Test(spoof, a_whole_address_is_its_hosts_alone)
{
	given_binding(HOST_B, PUB_2, .whole = true);
	given_host_a();
	struct pkt port = pkt(from_host_a(), ip4(PUB_2, REMOTE), udp(9, 53), text("x"));
	struct pkt pair = pkt(from_host_a(), ip4(PUB_2, REMOTE), esp(0x77777777));
	struct pkt other = pkt(from_host_a(), ip4(PUB_2, REMOTE, .proto = 47), bytes(20));

	expect_dropped(port, IF_PRIV, NOT_OWNER);
	expect_dropped(pair, IF_PRIV, NOT_OWNER);
	expect_dropped(other, IF_PRIV, NOT_OWNER);
}

Test(spoof, an_outer_source_that_is_not_registered_hears_nothing)
{
	given_host_a();
	struct pkt port = pkt(AS(MAC_STRANGER, STRANGER), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), text("x"));
	struct pkt pair = pkt(AS(MAC_STRANGER, STRANGER), ip4(PUB_1, REMOTE, .ttl = 1), esp(0x77777777));
	struct pkt self = pkt(AS(MAC_STRANGER, GW_PRIV), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), text("x"));

	expect_dropped(port, IF_PRIV, NOT_OWNER);
	expect_dropped(pair, IF_PRIV, HOST_UNKNOWN);
	expect_dropped(self, IF_PRIV, NOT_OWNER);
}

Test(spoof, a_tunnel_packet_on_another_interface_than_its_registrations)
{
	given_host_a();
	struct pkt port = pkt(eth(MAC_HOST_A, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2), ip4(PUB_1, REMOTE), udp(4003, 53),
			      text("x"));
	struct pkt pair = pkt(eth(MAC_HOST_A, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt ping = pkt(eth(MAC_HOST_A, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2), ip4(PUB_1, REMOTE), echo_request(7));

	expect_dropped(port, IF_PRIV2, WRONG_INTERFACE);
	expect_dropped(pair, IF_PRIV2, WRONG_INTERFACE);
	expect_dropped(ping, IF_PRIV2, WRONG_INTERFACE);
}

Test(spoof, a_tunnel_packet_from_another_mac_where_that_is_checked)
{
	about_ethernet();
	given_host_a();
	given_policy(RSIP_POLICY_CHECK_MAC);
	struct pkt port = pkt(AS(MAC_HOST_B, HOST_A), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt pair = pkt(AS(MAC_HOST_B, HOST_A), ip4(PUB_1, REMOTE), esp(0x77777777));

	expect_dropped(port, IF_PRIV, WRONG_MAC);
	expect_dropped(pair, IF_PRIV, WRONG_MAC);
}

/* ---- the public side ------------------------------------------------------------------------- */

Test(spoof, from_outside_a_source_inside_a_pool)
{
	given_host_a();
	outside_cannot_be(PUB_1);
	outside_cannot_be(PUB_2);
	outside_cannot_be(PUB_IDLE);
}

Test(spoof, from_outside_a_source_in_a_private_network)
{
	given_host_a();
	outside_cannot_be(HOST_A);
	outside_cannot_be(HOST_C);
	outside_cannot_be(GW_PRIV);
}

Test(spoof, from_outside_a_source_that_nobody_can_have)
{
	given_host_a();
	outside_cannot_be(0);
	outside_cannot_be(CAST_IP(0, 1, 2, 3));
	outside_cannot_be(CAST_IP(127, 0, 0, 1));
	outside_cannot_be(CAST_IP(224, 0, 0, 1));
	outside_cannot_be(CAST_IP(240, 0, 0, 1));
	outside_cannot_be(CAST_IP(255, 255, 255, 255));
}

Test(spoof, from_outside_a_destination_in_a_private_network)
{
	given_host_a();
	struct pkt host = pkt(from_router, ip4(REMOTE, HOST_A), udp(53, 4003), text("x"));
	struct pkt gateway = pkt(from_router, ip4(REMOTE, GW_PRIV), udp(53, 4555), text("x"));
	struct pkt second = pkt(from_router, ip4(REMOTE, GW_PRIV2), tcp(53, 4555), text("x"));

	expect_dropped(host, IF_PUB, DST_PRIVATE);
	expect_dropped(gateway, IF_PUB, DST_PRIVATE);
	expect_dropped(second, IF_PUB, DST_PRIVATE);
}

Test(spoof, a_tunnel_packet_from_outside_is_never_opened)
{
	given_host_a();
	struct pkt to_end = pkt(from_router, ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt to_pub = pkt(from_router, ip4(HOST_A, GW_PUB), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt to_pool = pkt(from_router, ip4(REMOTE, PUB_1), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

	expect_dropped(to_end, IF_PUB, DST_PRIVATE);
	expect_passed(to_pub, IF_PUB);
	expect_dropped(to_pool, IF_PUB, NO_PROTOCOL);
}

Test(spoof, an_icmp_error_from_outside_that_quotes_what_no_host_sent)
{
	given_host_a();
	struct pkt inside = pkt(from_router, ip4(HOST_B, PUB_1), icmp(3, 3), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt backwards = pkt(from_router, ip4(ROUTER, PUB_1), icmp(3, 3), ip4(REMOTE, PUB_1), udp(53, 4003));

	expect_dropped(inside, IF_PUB, SRC_SPOOFED);
	expect_dropped(backwards, IF_PUB, NO_QUOTE_OWNER);
}

/* ---- around inside --------------------------------------------------------------------------- */

Test(spoof, on_a_hairpin_the_sender_is_held_to_the_same_rules)
{
	given_host_a();
	given_binding(HOST_B, PUB_2, ports(4000, 8), spis(0xb0000000, 4));
	struct pkt as_b = pkt(from_host_a(), ip4(PUB_2, PUB_2), udp(4003, 4004), text("x"));
	struct pkt stranger = pkt(AS(MAC_STRANGER, STRANGER), ip4(PUB_1, PUB_2), udp(4003, 4004), text("x"));
	struct pkt remote = pkt(from_host_a(), ip4(REMOTE, PUB_2), udp(4003, 4004), text("x"));

	expect_dropped(as_b, IF_PRIV, NOT_OWNER);
	expect_dropped(stranger, IF_PRIV, NOT_OWNER);
	expect_dropped(remote, IF_PRIV, LOCAL_ADDR_UNALLOWED);
}
