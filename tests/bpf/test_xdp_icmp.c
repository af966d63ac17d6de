// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* ICMP errors from the public realm find their host by the packet that they quote, which the host
 * sent. */
#include "gateway.h"

TestSuite(icmp, .init = gateway_up, .fini = gateway_down);

#define COOKIE_A 0x1111111111111111ULL

/* An error of a router on the way about a packet of ours; the quote follows. */
#define ERROR(type, ...) pkt(from_router, ip4(ROUTER, PUB_1), type, __VA_ARGS__)
#define AT_A(type, ...) pkt(to_host_a(), ip4(ROUTER, PUB_1, .ttl = 63), type, __VA_ARGS__)

Test(icmp, errors_about_tcp_and_udp)
{
	static const uint8_t type[] = { 3, 4, 11, 12 };
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (size_t i = 0; i < sizeof(type); i++) {
		struct pkt in = ERROR(icmp(type[i], 1), ip4(PUB_1, REMOTE), tcp(4003, 443));
		struct pkt want = AT_A(icmp(type[i], 1), ip4(PUB_1, REMOTE), tcp(4003, 443));
		struct pkt in2 = ERROR(icmp(type[i], 0), ip4(PUB_1, REMOTE), udp(4003, 53));
		struct pkt want2 = AT_A(icmp(type[i], 0), ip4(PUB_1, REMOTE), udp(4003, 53));

		expect_tunnelled(in, want, slot);
		expect_tunnelled(in2, want2, slot);
	}
}

Test(icmp, fragmentation_needed_keeps_its_mtu)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = ERROR(frag_needed(1400), ip4(PUB_1, REMOTE, .df = true), tcp(4003, 443));
	struct pkt want = AT_A(frag_needed(1400), ip4(PUB_1, REMOTE, .df = true), tcp(4003, 443));

	expect_tunnelled(in, want, slot);
}

Test(icmp, eight_bytes_of_the_quoted_segment_are_enough)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE, .proto = 6, .total_len = 60),
			      raw("\x0f\xa3\x01\xbb\0\0\0\1", 8));
	struct pkt want = AT_A(icmp(3, 3), ip4(PUB_1, REMOTE, .proto = 6, .total_len = 60),
			       raw("\x0f\xa3\x01\xbb\0\0\0\1", 8));
	struct pkt seven = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE, .proto = 6, .total_len = 60),
				 raw("\x0f\xa3\x01\xbb\0\0\0", 7));

	expect_tunnelled(in, want, slot);
	expect_dropped(seven, IF_PUB, MALFORMED);
}

Test(icmp, a_quote_with_ip_options)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in =
		ERROR(icmp(11, 0), ip4(PUB_1, REMOTE, .options = "\x94\x04\0\0", .options_len = 4),
		      udp(4003, 53));
	struct pkt want =
		AT_A(icmp(11, 0), ip4(PUB_1, REMOTE, .options = "\x94\x04\0\0", .options_len = 4),
		     udp(4003, 53));

	expect_tunnelled(in, want, slot);
}

Test(icmp, errors_about_esp_and_ah_by_the_peers_spi)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt leaves = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt out_ah = pkt(from_host_a(), ip4(PUB_1, REMOTE), ah(0x66666666), bytes(8));
	struct pkt leaves_ah =
		pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), ah(0x66666666), bytes(8));
	struct pkt in = ERROR(frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt want = AT_A(frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt in_ah = ERROR(frag_needed(1400), ip4(PUB_1, REMOTE), ah(0x66666666));
	struct pkt want_ah = AT_A(frag_needed(1400), ip4(PUB_1, REMOTE), ah(0x66666666));
	struct pkt other_remote = ERROR(frag_needed(1400), ip4(PUB_1, REMOTE_2), esp(0x77777777));
	struct pkt other_spi = ERROR(frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x77777778));

	expect_dropped(in, IF_PUB, NO_QUOTE_OWNER);
	expect_sent(out, leaves, slot);
	expect_sent(out_ah, leaves_ah, slot);
	expect_tunnelled(in, want, slot);
	expect_tunnelled(in_ah, want_ah, slot);
	expect_dropped(other_remote, IF_PUB, NO_QUOTE_OWNER);
	expect_dropped(other_spi, IF_PUB, NO_QUOTE_OWNER);
}

Test(icmp, the_last_eight_outbound_spis_are_known)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));

	for (uint32_t i = 0; i <= RSIP_SPI_OUT_MAX; i++) {
		struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x7000 + i));
		struct pkt leaves = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x7000 + i));

		expect_sent(out, leaves, slot);
	}
	for (uint32_t i = 0; i <= RSIP_SPI_OUT_MAX; i++) {
		struct pkt in = ERROR(frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x7000 + i));
		struct pkt want = AT_A(frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x7000 + i));

		if (i == 0)
			expect_dropped(in, IF_PUB, NO_QUOTE_OWNER);
		else
			expect_tunnelled(in, want, slot);
	}
}

/* Nine SPIs push the first out; those that were known before do not, however often their host goes to and fro. */
Test(icmp, an_outbound_spi_that_was_pushed_out_is_known_again)
{
	static const uint32_t sent[] = {1, 2, 1, 2, 1, 3, 4, 5, 6, 7, 8, 1, 8, 2, 9, 2, 9, 1};
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));

	for (size_t i = 0; i < sizeof(sent) / sizeof(sent[0]); i++) {
		struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x7000 + sent[i]));
		struct pkt leaves = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x7000 + sent[i]));

		expect_sent(out, leaves, slot);
	}
	for (uint32_t spi = 1; spi <= 9; spi++) {
		struct pkt in = ERROR(frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x7000 + spi));
		struct pkt want = AT_A(frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x7000 + spi));

		if (spi == 2) /* 9 took the place of 1, and 1 that of 2 */
			expect_dropped(in, IF_PUB, NO_QUOTE_OWNER);
		else
			expect_tunnelled(in, want, slot);
	}
}

Test(icmp, errors_about_ike)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500),
			     ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt leaves = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(500, 500),
				ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt in = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE), udp(500, 500),
			      ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt want = AT_A(icmp(3, 3), ip4(PUB_1, REMOTE), udp(500, 500),
			       ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt natt = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE), udp(4500, 4500),
				ike(COOKIE_A, 0, .flags = IKE_I, .non_esp = true));
	struct pkt natt_want = AT_A(icmp(3, 3), ip4(PUB_1, REMOTE), udp(4500, 4500),
				    ike(COOKIE_A, 0, .flags = IKE_I, .non_esp = true));
	struct pkt label = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE), udp(500, 500),
				 ike(9, 0xa000000100000000ULL, .flags = IKE_R));
	struct pkt label_want = AT_A(icmp(3, 3), ip4(PUB_1, REMOTE), udp(500, 500),
				     ike(9, 0xa000000100000000ULL, .flags = IKE_R));
	struct pkt eight = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE), udp(500, 500));

	expect_sent(out, leaves, slot, and_claimed);
	expect_tunnelled(in, want, slot);
	expect_tunnelled(natt, natt_want, slot);
	expect_tunnelled(label, label_want, slot);
	expect_dropped(eight, IF_PUB, NO_QUOTE_OWNER);
}

Test(icmp, errors_that_quote_nobodys_packet)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt port = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE), udp(4008, 53));
	struct pkt other_source = ERROR(icmp(3, 3), ip4(PUB_2, REMOTE), udp(4003, 53));
	struct pkt backwards = ERROR(icmp(3, 3), ip4(REMOTE, PUB_1), udp(53, 4003));
	struct pkt protocol = ERROR(icmp(3, 2), ip4(PUB_1, REMOTE, .proto = 47), bytes(8));
	struct pkt fragment =
		ERROR(icmp(11, 1), ip4(PUB_1, REMOTE, .frag = 10, .proto = 17), bytes(8));

	expect_dropped(port, IF_PUB, NO_QUOTE_OWNER);
	expect_dropped(other_source, IF_PUB, NO_QUOTE_OWNER);
	expect_dropped(backwards, IF_PUB, NO_QUOTE_OWNER);
	expect_dropped(protocol, IF_PUB, NO_QUOTE_OWNER);
	expect_dropped(fragment, IF_PUB, NO_QUOTE_OWNER);
}

Test(icmp, the_flow_policy_looks_at_the_quoted_destination)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE);
	struct pkt in = ERROR(icmp(11, 0), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt want = AT_A(icmp(11, 0), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt other = ERROR(icmp(11, 0), ip4(PUB_1, REMOTE_2), udp(4003, 53));

	expect_tunnelled(in, want, slot);
	expect_dropped(other, IF_PUB, REMOTE_UNALLOWED);
}

Test(icmp, malformed_quotes)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt none = ERROR(icmp(3, 3), pad(40));
	struct pkt half = pkt(from_router, ip4(ROUTER, PUB_1, .proto = 1), bytes(7), pad(40));
	struct pkt version = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE, .version = 6), udp(4003, 53));
	struct pkt ihl = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE, .ihl = 4), udp(4003, 53));
	struct pkt long_ihl = ERROR(icmp(3, 3), ip4(PUB_1, REMOTE, .ihl = 15), udp(4003, 53));
	struct pkt into_padding =
		ERROR(icmp(3, 3), ip4(PUB_1, REMOTE, .ihl = 8), udp(4003, 53), pad(40));

	expect_dropped(none, IF_PUB, MALFORMED);
	expect_dropped(half, IF_PUB, MALFORMED);
	expect_dropped(version, IF_PUB, MALFORMED);
	expect_dropped(ihl, IF_PUB, MALFORMED);
	expect_dropped(long_ihl, IF_PUB, MALFORMED);
	expect_dropped(into_padding, IF_PUB, MALFORMED);
}
