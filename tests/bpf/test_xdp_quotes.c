// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * ICMP errors by what they quote, and how much of it: RFC 792 asks a router for no more than 8 bytes behind the IP header
 * (RFC 3102 6.2, RFC 3104 5).  From the public realm about what hosts sent, and from hosts about what they got.
 */
#include "gateway.h"

TestSuite(xdp_quotes, .init = gateway_up, .fini = gateway_down);

#define COOKIE_A 0x1111111111111111ULL
#define COOKIE_B 0x2222222222222222ULL
#define MINE(...) pkt(from_router, ip4(PUB_1, REMOTE, .ttl = 1), __VA_ARGS__)
/* The first n bytes behind the IP header of a packet, in a router's error about it. */
#define ERROR(about, n) pkt(from_router, ip4(ROUTER, PUB_1), icmp(3, 3), raw((about).data + 14, 20 + (n)))
#define AT_A(about, n) pkt(to_host_a(), ip4(ROUTER, PUB_1, .ttl = 63), icmp(3, 3), raw((about).data + 14, 20 + (n)))
#define AT_A_GRE(about, n)                                                                                             \
	pkt(to_host_a(), gre(), ip4(ROUTER, PUB_1, .ttl = 63), icmp(3, 3), raw((about).data + 14, 20 + (n)))

/* Less than 8 bytes are no quote, 8 are one, and so is all of it. */
static void expect_found_by_eight(struct pkt about, uint32_t slot, bool in_gre)
{
	uint32_t all = about.len - 34;

	for (uint32_t n = 0; n < 8; n++) {
		struct pkt in = ERROR(about, n);

		cr_expect(expect_dropped(in, IF_PUB, MALFORMED), "%u bytes", n);
	}
	for (uint32_t n = 8; n <= all; n += all - 8 ? all - 8 : 1) {
		struct pkt in = ERROR(about, n), want = in_gre ? AT_A_GRE(about, n) : AT_A(about, n);

		cr_expect(expect_tunnelled(in, want, slot), "%u bytes", n);
	}
}

static void expect_each_transport(uint8_t tunnel)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .tunnel = tunnel);
	const struct pkt about[] = {
		MINE(tcp(4003, 443), bytes(32)),
		MINE(udp(4003, 53), bytes(32)),
		MINE(udplite(4003, 53), bytes(32)),
		MINE(sctp(4003, 53), bytes(32)),
		pkt(from_router, ip4(PUB_1, REMOTE, .proto = 33), raw("\x0f\xa3\0\x35\x03\0\0\0\0\0\0\0", 12), bytes(32)), /* DCCP */
	};

	for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		expect_found_by_eight(about[i], slot, tunnel == 2);
}

Test(xdp_quotes, each_transport_in_ipip)
{
	expect_each_transport(1);
}

Test(xdp_quotes, each_transport_in_gre)
{
	expect_each_transport(2);
}

Test(xdp_quotes, of_a_query_its_identifier)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), echo_request(77), bytes(32));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), echo_request(77), bytes(32));
	struct pkt about = MINE(echo_request(77), bytes(32)), other = MINE(echo_request(78), bytes(32));
	struct pkt others = ERROR(other, 8);

	expect_sent(out, sent, slot);
	expect_found_by_eight(about, slot, false);
	expect_dropped(others, IF_PUB, NO_QUOTE_OWNER);
}

Test(xdp_quotes, of_esp_and_ah_the_peers_spi)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt out_ah = pkt(from_host_a(), ip4(PUB_1, REMOTE), ah(0x66666666), bytes(24));
	struct pkt sent_ah = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), ah(0x66666666), bytes(24));
	struct pkt about = MINE(esp(0x77777777)), about_ah = MINE(ah(0x66666666), bytes(24));

	expect_sent(out, sent, slot);
	expect_sent(out_ah, sent_ah, slot);
	expect_found_by_eight(about, slot, false);
	expect_found_by_eight(about_ah, slot, false);
}

/* ---- IKE, and ESP in UDP: 8 bytes are the ports, which all hosts share --------------------------------------------- */

static struct pkt ike_of(__be32 host, const char *mac, __be32 remote, uint16_t port, uint64_t cookie)
{
	return pkt(eth(mac, MAC_GW_PRIV), ip4(host, GW_PRIV), ip4(PUB_1, remote), udp(port, port),
		   ike(cookie, 0, .flags = IKE_I, .non_esp = port == 4500));
}

static void expect_asked(__be32 host, const char *mac, __be32 remote, uint32_t slot, uint64_t cookie)
{
	struct pkt out = ike_of(host, mac, remote, 500, cookie);
	struct pkt sent = pkt(to_router, ip4(PUB_1, remote, .ttl = 63), udp(500, 500), ike(cookie, 0, .flags = IKE_I));

	expect_sent(out, sent, slot, and_claimed);
}

Test(xdp_quotes, eight_bytes_of_ike_go_to_the_only_host_that_wrote_to_that_peer)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	struct pkt ike500 = MINE(udp(500, 500), ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt ike4500 = MINE(udp(4500, 4500), ike(COOKIE_A, 0, .flags = IKE_I, .non_esp = true));
	struct pkt in_udp = MINE(udp(4500, 4500), raw("\x77\x77\x77\x77\0\0\0\1", 8), bytes(32));
	struct pkt elsewhere = pkt(from_router, ip4(PUB_1, REMOTE_2), udp(500, 500), ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt in = ERROR(ike500, 8), want = AT_A(ike500, 8), other = ERROR(elsewhere, 8);

	given_rules(PUB_1, .guess = true);
	expect_dropped(in, IF_PUB, NO_QUOTE_OWNER);
	expect_asked(HOST_A, MAC_HOST_A, REMOTE, slot, COOKIE_A);
	expect_tunnelled(in, want, slot); /* nobody has answered yet: that is what such errors are about */
	expect_found_by_eight(ike500, slot, false);
	expect_found_by_eight(ike4500, slot, false);
	expect_dropped(other, IF_PUB, NO_QUOTE_OWNER);
	in = ERROR(in_udp, 8);
	want = AT_A(in_udp, 8);
	expect_tunnelled(in, want, slot);
}

Test(xdp_quotes, of_two_hosts_that_wrote_to_that_peer_only_a_cookie_tells)
{
	uint32_t a = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4)), b = given_binding(HOST_B, PUB_1, spis(0xb0000000, 4));
	struct pkt about = MINE(udp(500, 500), ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt eight = ERROR(about, 8), more = ERROR(about, 28), want = AT_A(about, 28);

	given_rules(PUB_1, .guess = true);
	expect_asked(HOST_A, MAC_HOST_A, REMOTE, a, COOKIE_A);
	expect_asked(HOST_B, MAC_HOST_B, REMOTE, b, COOKIE_B);
	expect_dropped(eight, IF_PUB, NO_QUOTE_OWNER);
	expect_tunnelled(more, want, a);
}

Test(xdp_quotes, where_nothing_is_guessed_eight_bytes_of_ike_are_nobodys)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4));
	struct pkt about = MINE(udp(500, 500), ike(COOKIE_A, 0, .flags = IKE_I)), in = ERROR(about, 8);

	expect_asked(HOST_A, MAC_HOST_A, REMOTE, slot, COOKIE_A);
	expect_dropped(in, IF_PUB, NO_QUOTE_OWNER);
	given_rules(PUB_1, .guess = true, .kernel_ike = true);
	expect_run(in, .iface = IF_PUB, .action = XDP_PASS,
		   .counts = { { RSIP_CNT_PASSED, 1 }, { RSIP_CNT_PASSED_BYTES, in.len - 14 } });
}

/* ---- fragments, extensions, whole addresses ---------------------------------------------------------------------------- */

Test(xdp_quotes, a_first_fragment_has_ports_and_a_later_one_has_none)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt first = pkt(from_router, ip4(PUB_1, REMOTE, .mf = true), udp(4003, 53), bytes(32));
	struct pkt later = pkt(from_router, ip4(PUB_1, REMOTE, .frag = 64, .proto = 17), raw("\x0f\xa3\0\x35\0\x10\0\0", 8));
	struct pkt about_later = ERROR(later, 8);

	expect_found_by_eight(first, slot, false);
	expect_dropped(about_later, IF_PUB, NO_QUOTE_OWNER);
}

/* The length of the quote in 32-bit words, zeros up to 128 bytes, then objects (here an MPLS label stack, RFC 4950). */
Test(xdp_quotes, extensions_of_rfc_4884_arrive_as_they_are)
{
	static const uint8_t stack[] = { 0x20, 0, 0xdf, 0xf7, 0, 8, 1, 1, 0, 1, 1, 1 };
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(ROUTER, PUB_1), icmp(11, 0, .rest_hi = 32), ip4(PUB_1, REMOTE, .total_len = 128),
			    udp(4003, 53, .total_len = 108), bytes(100), raw(stack, sizeof(stack)));
	struct pkt want = pkt(to_host_a(), ip4(ROUTER, PUB_1, .ttl = 63), icmp(11, 0, .rest_hi = 32),
			      ip4(PUB_1, REMOTE, .total_len = 128), udp(4003, 53, .total_len = 108), bytes(100),
			      raw(stack, sizeof(stack)));

	expect_tunnelled(in, want, slot);
}

Test(xdp_quotes, to_a_whole_address_any_quote_will_do)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, .whole = true);
	const struct pkt about[] = {
		MINE(tcp(9, 443), bytes(32)), MINE(esp(0x77777777)), MINE(udp(500, 500), bytes(32)), MINE(echo_request(7), bytes(32)),
		pkt(from_router, ip4(PUB_1, REMOTE, .proto = 41), bytes(40)),
		pkt(from_router, ip4(PUB_1, REMOTE, .frag = 64, .proto = 17), bytes(40)),
	};

	for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		for (uint32_t n = 0; n <= 8; n++) {
			struct pkt in = ERROR(about[i], n), want = AT_A(about[i], n);

			cr_expect(expect_tunnelled(in, want, slot), "row %zu, %u bytes", i, n);
		}
}

/* ---- from hosts, about what they got ------------------------------------------------------------------------------------ */

#define GOT(...) pkt(from_router, ip4(REMOTE, PUB_1), __VA_ARGS__)
#define FROM_A(about, n) pkt(from_host_a(), ip4(PUB_1, REMOTE), icmp(3, 3), raw((about).data + 14, 20 + (n)))
#define FROM_A_GRE(about, n) pkt(from_host_a(), gre(), ip4(PUB_1, REMOTE), icmp(3, 3), raw((about).data + 14, 20 + (n)))
#define SENT(about, n) pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), icmp(3, 3), raw((about).data + 14, 20 + (n)))

static void expect_sent_about(struct pkt about, uint32_t slot, bool in_gre)
{
	for (uint32_t n = 0; n <= about.len - 34; n += n < 8 ? 1 : about.len - 34 - 8) {
		struct pkt in = in_gre ? FROM_A_GRE(about, n) : FROM_A(about, n), want = SENT(about, n);

		cr_expect(expect_sent(in, want, slot), "%u bytes", n);
	}
}

static void expect_sent_about_each(uint8_t tunnel)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0xa0000000, 4), .tunnel = tunnel);
	const struct pkt about[] = {
		GOT(tcp(443, 4003), bytes(32)), GOT(udp(53, 4003), bytes(32)), GOT(udplite(53, 4003), bytes(32)),
		GOT(sctp(53, 4003), bytes(32)), GOT(esp(0xa0000001)), GOT(ah(0xa0000002), bytes(32)),
		GOT(udp(500, 500), ike(COOKIE_A, COOKIE_B)), GOT(udp(4500, 4500), ike(COOKIE_A, COOKIE_B, .non_esp = true)),
		GOT(udp(4500, 4500), raw("\xa0\0\0\1\0\0\0\1", 8), bytes(32)), GOT(echo_reply(77), bytes(32)),
		pkt(from_router, ip4(REMOTE, PUB_1, .mf = true), udp(53, 4003), bytes(32)),
		pkt(from_router, ip4(REMOTE, PUB_1, .frag = 9, .proto = 17), bytes(32)),
	};

	for (size_t i = 0; i < sizeof(about) / sizeof(about[0]); i++)
		expect_sent_about(about[i], slot, tunnel == 2);
}

Test(xdp_quotes, a_host_may_complain_of_what_came_to_it_in_ipip)
{
	expect_sent_about_each(1);
}

Test(xdp_quotes, a_host_may_complain_of_what_came_to_it_in_gre)
{
	expect_sent_about_each(2);
}

/* The remote believes it, because the address is that of both. */
Test(xdp_quotes, a_host_cannot_complain_of_what_came_to_another)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0xa0000000, 4));
	given_binding(HOST_B, PUB_1, ports(5000, 8), spis(0xb0000000, 4));
	struct pkt tcp_b = GOT(tcp(443, 5003), bytes(32)), esp_b = GOT(esp(0xb0000001)), ah_b = GOT(ah(0xb0000001), bytes(32));
	struct pkt nobodys = GOT(udp(53, 6000), bytes(32)), nobodys_spi = GOT(esp(0xc0000001));
	struct pkt elsewhere = pkt(from_router, ip4(REMOTE, PUB_2), tcp(443, 4003), bytes(32));
	struct pkt options = pkt(from_router, ip4(REMOTE, PUB_1, .options = "\x94\4\0\0", .options_len = 4), tcp(443, 5003), bytes(32));
	const struct {
		struct pkt in;
		int reason;
	} rows[] = {
		{ FROM_A(tcp_b, 8), RSIP_DROP_NOT_OWNER },	      { FROM_A(esp_b, 8), RSIP_DROP_NOT_OWNER },
		{ FROM_A(ah_b, 8), RSIP_DROP_NOT_OWNER },	      { FROM_A(options, 12), RSIP_DROP_NOT_OWNER },
		{ FROM_A(nobodys, 8), RSIP_DROP_LOCAL_PORT_UNALLOWED }, { FROM_A(nobodys_spi, 8), RSIP_DROP_LOCAL_PORT_UNALLOWED },
		{ FROM_A(elsewhere, 8), RSIP_DROP_LOCAL_ADDR_UNALLOWED },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect(expect_run(rows[i].in, .iface = IF_PRIV, .action = XDP_DROP, .counts = { { rows[i].reason, 1 } }),
			  "row %zu", i);
}

Test(xdp_quotes, with_a_whole_address_only_the_address_counts)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, .whole = true);
	struct pkt about = GOT(tcp(443, 9), bytes(32)), in = FROM_A(about, 8), want = SENT(about, 8);
	struct pkt elsewhere = pkt(from_router, ip4(REMOTE, PUB_2), tcp(443, 9), bytes(32)), forged = FROM_A(elsewhere, 8);

	expect_sent(in, want, slot);
	expect_dropped(forged, IF_PRIV, LOCAL_ADDR_UNALLOWED);
}

Test(xdp_quotes, between_two_hosts_it_obeys_both_sides)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_2, ports(5000, 8));
	struct pkt about = pkt(from_router, ip4(PUB_2, PUB_1), udp(5001, 4001), bytes(32));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_2), icmp(3, 3), raw(about.data + 14, 28));
	struct pkt want = pkt(to_host_b(), ip4(PUB_1, PUB_2, .ttl = 63), icmp(3, 3), raw(about.data + 14, 28));
	struct pkt other = pkt(from_router, ip4(PUB_2, PUB_1), udp(5001, 4009), bytes(32));
	struct pkt forged = pkt(from_host_a(), ip4(PUB_1, PUB_2), icmp(3, 3), raw(other.data + 14, 28));

	expect_hairpin(in, want, a, b);
	expect_dropped(forged, IF_PRIV, LOCAL_PORT_UNALLOWED);
}
