// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What arrives from the public realm, by port, by SPI, and what is not ours.  REMOTE is anyone.
 * HOST_A leases ports 4000-4007 or SPIs of PUB_1, HOST_B others of the same address.
 */
#include "gateway.h"

TestSuite(xdp_pub, .init = gateway_up, .fini = gateway_down);

/* ---- ports ----------------------------------------------------------------------------------- */

Test(xdp_pub, datagram_to_a_leased_port_reaches_its_host_in_ipip)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .id = 7), udp(53, 4003), text("hello"));
	struct pkt want = pkt(to_host_a(.id = 7), ip4(REMOTE, PUB_1, .id = 7, .ttl = 63),
			      udp(53, 4003), text("hello"));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, segment_to_a_leased_port)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in =
		pkt(from_router, ip4(REMOTE, PUB_1, .df = true), tcp(443, 4000), text("hello"));
	struct pkt want = pkt(to_host_a(.df = true), ip4(REMOTE, PUB_1, .ttl = 63, .df = true),
			      tcp(443, 4000), text("hello"));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, udp_lite_to_a_leased_port)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udplite(53, 4007), text("hello"));
	struct pkt want =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udplite(53, 4007), text("hello"));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, sctp_to_a_leased_port)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), sctp(2905, 4007), bytes(20));
	struct pkt want =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), sctp(2905, 4007), bytes(20));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, dccp_to_a_leased_port)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(0x0fa0, 1));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .proto = 33),
			    raw("\x01\xbb\x0f\xa0", 4), bytes(20));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63, .proto = 33),
			      raw("\x01\xbb\x0f\xa0", 4), bytes(20));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, edges_of_a_port_range)
{
	static const struct {
		uint16_t port;
		bool leased;
	} edge[] = { { 3999, false }, { 4000, true }, { 4007, true },
		     { 4008, false }, { 0, false },   { 65535, false } };
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (size_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++) {
		struct pkt in =
			pkt(from_router, ip4(REMOTE, PUB_1), udp(53, edge[i].port), text("x"));
		struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63),
				      udp(53, edge[i].port), text("x"));

		if (edge[i].leased)
			expect_tunnelled(in, want, slot);
		else
			expect_dropped(in, IF_PUB, NO_PORT);
	}
}

/* 4096 - 4223 are two whole blocks, which have one entry each; the ports around them have their own. */
Test(xdp_pub, edges_of_blocks_of_ports)
{
	static const uint16_t edge[] = {4089, 4090, 4095, 4096, 4159, 4160, 4223, 4224, 4229, 4230, 4287};
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4090, 140));
	struct pkt later = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4100), text("x"));

	for (size_t i = 0; i < sizeof(edge) / sizeof(edge[0]); i++) {
		struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, edge[i]), text("x"));
		struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, edge[i]), text("x"));

		if (edge[i] >= 4090 && edge[i] < 4230)
			expect_tunnelled(in, want, slot);
		else
			expect_dropped(in, IF_PUB, NO_PORT);
	}
	given_end_of(slot);
	expect_dropped(later, IF_PUB, NO_PORT);
}

Test(xdp_pub, the_first_and_the_last_port_of_all)
{
	uint32_t zero = given_binding(HOST_A, PUB_1, ports(0, 1)),
		 last = given_binding(HOST_B, PUB_1, ports(65535, 1));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 0), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 0), text("x"));
	struct pkt in2 = pkt(from_router, ip4(REMOTE, PUB_1), tcp(53, 65535), text("x"));
	struct pkt want2 =
		pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63), tcp(53, 65535), text("x"));

	expect_tunnelled(in, want, zero);
	expect_tunnelled(in2, want2, last);
}

Test(xdp_pub, two_hosts_one_address_one_peer)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)),
		 b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt to_a = pkt(from_router, ip4(REMOTE, PUB_1), tcp(443, 4007), text("for a"));
	struct pkt to_b = pkt(from_router, ip4(REMOTE, PUB_1), tcp(443, 4008), text("for b"));
	struct pkt want_a =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), tcp(443, 4007), text("for a"));
	struct pkt want_b =
		pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63), tcp(443, 4008), text("for b"));

	expect_tunnelled(to_a, want_a, a);
	expect_tunnelled(to_b, want_b, b);
}

Test(xdp_pub, the_same_port_on_another_address_is_another_hosts)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)),
		 b = given_binding(HOST_B, PUB_2, ports(4000, 8));
	struct pkt to_a = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4000), text("x"));
	struct pkt to_b = pkt(from_router, ip4(REMOTE, PUB_2), udp(53, 4000), text("x"));
	struct pkt want_a =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4000), text("x"));
	struct pkt want_b =
		pkt(to_host_b(), ip4(REMOTE, PUB_2, .ttl = 63), udp(53, 4000), text("x"));

	expect_tunnelled(to_a, want_a, a);
	expect_tunnelled(to_b, want_b, b);
}

Test(xdp_pub, a_host_behind_the_second_private_interface)
{
	uint32_t slot = given_binding(HOST_C, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("hello"));
	struct pkt want = pkt(eth(MAC_GW_PRIV2, MAC_HOST_C), ip4(GW_PRIV2, HOST_C),
			      ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("hello"));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, a_leased_port_500_is_a_port)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(500, 1));
	struct pkt in =
		pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), ike(1, 0, .flags = IKE_I));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500),
			      ike(1, 0, .flags = IKE_I));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, an_address_leased_whole_takes_every_protocol)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, .whole = true);
	struct pkt gre = pkt(from_router, ip4(REMOTE, PUB_1, .proto = 47), bytes(20));
	struct pkt gre_want =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63, .proto = 47), bytes(20));
	struct pkt ping = pkt(from_router, ip4(REMOTE, PUB_1), echo_request(9), text("ping"));
	struct pkt ping_want =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), echo_request(9), text("ping"));

	expect_tunnelled(gre, gre_want, slot);
	expect_tunnelled(ping, ping_want, slot);
}

/* ---- SPIs ------------------------------------------------------------------------------------ */

Test(xdp_pub, esp_by_its_spi)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010000, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), esp(0xc0010002));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), esp(0xc0010002));

	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, ah_by_its_spi_and_around_esp)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010000, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .id = 99, .df = true), ah(0xc0010003),
			    udp(53, 9), text("x"));
	struct pkt want = pkt(to_host_a(.id = 99, .df = true),
			      ip4(REMOTE, PUB_1, .ttl = 63, .id = 99, .df = true), ah(0xc0010003),
			      udp(53, 9), text("x"));
	struct pkt in2 = pkt(from_router, ip4(REMOTE, PUB_1), ah(0xc0010000), esp(0x1234));
	struct pkt want2 =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), ah(0xc0010000), esp(0x1234));

	expect_tunnelled(in, want, slot);
	expect_tunnelled(in2, want2, slot);
}

static void expect_spi(uint32_t spi, uint32_t slot)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), esp(spi));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), esp(spi));
	struct pkt in_ah = pkt(from_router, ip4(REMOTE, PUB_1), ah(spi), bytes(20));
	struct pkt want_ah = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), ah(spi), bytes(20));

	if (slot) {
		expect_tunnelled(in, want, slot);
		expect_tunnelled(in_ah, want_ah, slot);
	} else {
		expect_dropped(in, IF_PUB, NO_SPI);
		expect_dropped(in_ah, IF_PUB, NO_SPI);
	}
}

Test(xdp_pub, edges_of_an_spi_range)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010004, 4));

	expect_spi(0xc0010003, 0);
	expect_spi(0xc0010004, slot);
	expect_spi(0xc0010007, slot);
	expect_spi(0xc0010008, 0);
	expect_spi(0x040001c0, 0); /* the same in the other byte order */
}

Test(xdp_pub, an_spi_range_across_blocks)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0x100c, 40));

	expect_spi(0x100b, 0);
	for (uint32_t spi = 0x100c; spi < 0x100c + 40; spi++)
		expect_spi(spi, slot);
	expect_spi(0x100c + 40, 0);
}

Test(xdp_pub, a_list_of_spis)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spi_list(0xc0000000, 0xd0000001, 0xffffffff));

	expect_spi(0xc0000000, slot);
	expect_spi(0xc0000001, 0);
	expect_spi(0xd0000001, slot);
	expect_spi(0xd0000000, 0);
	expect_spi(0xffffffff, slot);
	expect_spi(0xfffffffe, 0);
}

Test(xdp_pub, spis_of_two_hosts_in_one_block)
{
	uint32_t a = given_binding(HOST_A, PUB_1, spis(0x2000, 4)),
		 b = given_binding(HOST_B, PUB_1, spis(0x2004, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), esp(0x2004));
	struct pkt want = pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63), esp(0x2004));

	expect_spi(0x2003, a);
	expect_tunnelled(in, want, b);
}

Test(xdp_pub, an_spi_belongs_to_its_address)
{
	given_binding(HOST_A, PUB_1, spis(0x2000, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_2), esp(0x2000));

	expect_dropped(in, IF_PUB, NO_SPI);
}

Test(xdp_pub, esp_in_udp_4500_by_its_spi)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010000, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500), esp(0xc0010001));
	struct pkt want =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(4500, 4500), esp(0xc0010001));
	struct pkt nobodys = pkt(from_router, ip4(REMOTE, PUB_1), udp(4500, 4500), esp(0xc0010004));

	expect_tunnelled(in, want, slot);
	expect_dropped(nobodys, IF_PUB, NO_SPI);
}

/* ---- a lease ends ---------------------------------------------------------------------------- */

Test(xdp_pub, an_expired_lease_delivers_nothing)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8), .expired = true);
	given_binding(HOST_A, PUB_1, spis(0x2000, 4), .expired = true);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt in_esp = pkt(from_router, ip4(REMOTE, PUB_1), esp(0x2000));

	expect_dropped(in, IF_PUB, EXPIRED);
	expect_dropped(in_esp, IF_PUB, EXPIRED);
}

Test(xdp_pub, a_lease_that_is_extended_delivers_again)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .expired = true);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));

	expect_dropped(in, IF_PUB, EXPIRED);
	gateway_dp()->ops->bind_extend(gateway_dp(), slot, UINT64_MAX);
	expect_tunnelled(in, want, slot);
}

Test(xdp_pub, a_freed_port_and_spi_are_nobodys)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x2000, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt in_esp = pkt(from_router, ip4(REMOTE, PUB_1), esp(0x2000));

	given_end_of(slot);
	expect_dropped(in, IF_PUB, NO_PORT);
	expect_dropped(in_esp, IF_PUB, NO_SPI);
}

/* ---- flow policy ----------------------------------------------------------------------------- */

Test(xdp_pub, a_binding_for_one_remote_takes_nobody_else)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("x"));
	struct pkt other = pkt(from_router, ip4(REMOTE_2, PUB_1), udp(53, 4003), text("x"));

	expect_tunnelled(in, want, slot);
	expect_dropped(other, IF_PUB, REMOTE_UNALLOWED);
}

Test(xdp_pub, a_binding_for_some_remote_ports)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE,
				      .remote_port = 80, .remote_port_cnt = 2);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), tcp(81, 4003), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), tcp(81, 4003), text("x"));
	struct pkt below = pkt(from_router, ip4(REMOTE, PUB_1), tcp(79, 4003), text("x"));
	struct pkt above = pkt(from_router, ip4(REMOTE, PUB_1), tcp(82, 4003), text("x"));

	expect_tunnelled(in, want, slot);
	expect_dropped(below, IF_PUB, REMOTE_UNALLOWED);
	expect_dropped(above, IF_PUB, REMOTE_UNALLOWED);
}
