// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Remote flow policy (RFC 3103 7.2) in both directions, where ports say nothing: ESP, AH, IKE, ICMP.  A host may have
 * bindings for several remotes on one address.  And tunnels that end elsewhere (RFC 3103 6).
 */
#include "gateway.h"

TestSuite(xdp_flow, .init = gateway_up, .fini = gateway_down);

#define COOKIE 0x1111111111111111ULL
#define OUT(...) pkt(from_host_a(), __VA_ARGS__)
#define SENT(...) pkt(to_router, __VA_ARGS__)
#define REMOTE_3 CAST_IP(198, 51, 100, 9)

Test(xdp_flow, esp_may_go_to_each_remote_that_a_binding_names)
{
	uint32_t one = given_binding(HOST_A, PUB_1, spis(0x1000, 4), .remote = REMOTE);
	uint32_t two = given_binding(HOST_A, PUB_1, spis(0x2000, 4), .remote = REMOTE_2, .longer = true);
	struct pkt first = OUT(ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt first_sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt second = OUT(ip4(PUB_1, REMOTE_2), esp(0x77777778));
	struct pkt second_sent = SENT(ip4(PUB_1, REMOTE_2, .ttl = 63), esp(0x77777778));
	struct pkt third = OUT(ip4(PUB_1, REMOTE_3), esp(0x77777779));

	expect_sent(first, first_sent, one);
	expect_sent(second, second_sent, two);
	expect_dropped(third, IF_PRIV, REMOTE_UNALLOWED);
	given_end_of(one);
	expect_dropped(first, IF_PRIV, REMOTE_UNALLOWED);
	expect_sent(second, second_sent, two);
}

Test(xdp_flow, a_binding_for_all_remotes_goes_before_those_for_one)
{
	uint32_t all = given_binding(HOST_A, PUB_1, spis(0x1000, 4));
	struct pkt third = OUT(ip4(PUB_1, REMOTE_3), esp(0x77777779));
	struct pkt third_sent = SENT(ip4(PUB_1, REMOTE_3, .ttl = 63), esp(0x77777779));

	given_binding(HOST_A, PUB_1, spis(0x2000, 4), .remote = REMOTE_2, .longer = true);
	expect_sent(third, third_sent, all);
}

Test(xdp_flow, ports_that_ah_carries_count_and_those_that_esp_hides_do_not)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0x1000, 4), .remote = REMOTE, .remote_port = 80, .remote_port_cnt = 1);
	struct pkt good = OUT(ip4(PUB_1, REMOTE), ah(0x77777777), tcp(4003, 80));
	struct pkt good_sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), ah(0x77777777), tcp(4003, 80));
	struct pkt bad = OUT(ip4(PUB_1, REMOTE), ah(0x77777777), tcp(4003, 81));
	struct pkt crypt = OUT(ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt crypt_sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt around = OUT(ip4(PUB_1, REMOTE), ah(0x77777777), esp(0x77777777));
	struct pkt around_sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), ah(0x77777777), esp(0x77777777));

	expect_sent(good, good_sent, slot);
	expect_dropped(bad, IF_PRIV, REMOTE_UNALLOWED);
	expect_sent(crypt, crypt_sent, slot);
	expect_sent(around, around_sent, slot);
}

Test(xdp_flow, ah_and_esp_from_a_remote_obey_too)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0x1000, 4), .remote = REMOTE, .remote_port = 80, .remote_port_cnt = 1);
	struct pkt good = pkt(from_router, ip4(REMOTE, PUB_1), ah(0x1001), tcp(80, 4003));
	struct pkt good_in = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), ah(0x1001), tcp(80, 4003));
	struct pkt bad = pkt(from_router, ip4(REMOTE, PUB_1), ah(0x1001), tcp(81, 4003));
	struct pkt other = pkt(from_router, ip4(REMOTE_2, PUB_1), esp(0x1001));

	expect_tunnelled(good, good_in, slot);
	expect_dropped(bad, IF_PUB, REMOTE_UNALLOWED);
	expect_dropped(other, IF_PUB, REMOTE_UNALLOWED);
}

Test(xdp_flow, ike_with_each_remote_is_allowed_whatever_the_ports)
{
	uint32_t one = given_binding(HOST_A, PUB_1, spis(0x1000, 4), .remote = REMOTE, .remote_port = 80, .remote_port_cnt = 1);
	struct pkt out = OUT(ip4(PUB_1, REMOTE), udp(500, 500), ike(COOKIE, 0, .flags = 0x08));
	struct pkt sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), udp(500, 500), ike(COOKIE, 0, .flags = 0x08));
	struct pkt back = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), ike(COOKIE, 9, .flags = 0x20));
	struct pkt in = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500), ike(COOKIE, 9, .flags = 0x20));
	struct pkt other = OUT(ip4(PUB_1, REMOTE_3), udp(500, 500), ike(COOKIE, 0, .flags = 0x08));
	struct pkt wrong = pkt(from_router, ip4(REMOTE_3, PUB_1), udp(500, 500), ike(COOKIE, 9, .flags = 0x20));

	given_binding(HOST_A, PUB_1, spis(0x2000, 4), .remote = REMOTE_2, .longer = true);
	expect_sent(out, sent, one, and_claimed);
	expect_tunnelled(back, in, one);
	expect_dropped(other, IF_PRIV, REMOTE_UNALLOWED);
	expect_dropped(wrong, IF_PUB, REMOTE_UNALLOWED);
}

Test(xdp_flow, ike_from_a_leased_port_is_allowed_for_ipsec)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(20500, 1), spis(0x1000, 4), .remote = REMOTE, .remote_port = 80,
				      .remote_port_cnt = 1);
	struct pkt out = OUT(ip4(PUB_1, REMOTE), udp(20500, 500), ike(COOKIE, 0, .flags = 0x08));
	struct pkt sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), udp(20500, 500), ike(COOKIE, 0, .flags = 0x08));
	struct pkt tcp500 = OUT(ip4(PUB_1, REMOTE), tcp(20500, 500));

	expect_sent(out, sent, slot);
	expect_dropped(tcp500, IF_PRIV, REMOTE_UNALLOWED);
}

Test(xdp_flow, errors_about_esp_come_by_the_quoted_destination)
{
	uint32_t one = given_binding(HOST_A, PUB_1, spis(0x1000, 4), .remote = REMOTE);
	struct pkt out = OUT(ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt error = pkt(from_router, ip4(ROUTER, PUB_1), icmp(3, 1), ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt in = pkt(to_host_a(), ip4(ROUTER, PUB_1, .ttl = 63), icmp(3, 1), ip4(PUB_1, REMOTE), esp(0x77777777));

	given_binding(HOST_A, PUB_1, spis(0x2000, 4), .remote = REMOTE_2, .longer = true);
	expect_sent(out, sent, one);
	expect_tunnelled(error, in, one);
}

Test(xdp_flow, icmp_goes_to_the_remotes_of_any_binding)
{
	uint32_t one = given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE);
	struct pkt error = OUT(ip4(PUB_1, REMOTE), icmp(3, 3), ip4(REMOTE, PUB_1), udp(53, 4003));
	struct pkt sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), icmp(3, 3), ip4(REMOTE, PUB_1), udp(53, 4003));
	struct pkt other = OUT(ip4(PUB_1, REMOTE_3), icmp(3, 3), ip4(REMOTE_3, PUB_1), udp(53, 4003));

	given_binding(HOST_A, PUB_1, spis(0x2000, 4), .remote = REMOTE_2, .longer = true);
	expect_sent(error, sent, one);
	expect_dropped(other, IF_PRIV, REMOTE_UNALLOWED);
}

/* ---- whole addresses ----------------------------------------------------------------------------------------- */

Test(xdp_flow, a_whole_address_has_one_remote_for_all_protocols)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, .whole = true, .remote = REMOTE);
	struct pkt out = OUT(ip4(PUB_1, REMOTE), esp(0x77777777));
	struct pkt sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77777777));
	struct pkt other = OUT(ip4(PUB_1, REMOTE_2), tcp(80, 80));
	struct pkt back = pkt(from_router, ip4(REMOTE_2, PUB_1), udp(500, 500), ike(COOKIE, 0, .flags = 0x08));

	expect_sent(out, sent, slot);
	expect_dropped(other, IF_PRIV, REMOTE_UNALLOWED);
	expect_dropped(back, IF_PUB, REMOTE_UNALLOWED);
}

/* ---- tunnel endpoints ------------------------------------------------------------------------------------------ */

#define OTHER_END CAST_IP(10, 0, 0, 2)
#define TO_OTHER_END eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, OTHER_END)

Test(xdp_flow, a_tunnel_ends_where_its_binding_says)
{
	about_outer_header();
	struct pkt in = pkt(TO_OTHER_END, ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt usual = OUT(ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt sent = SENT(ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));
	struct pkt back = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("y"));
	struct pkt back_in = pkt(eth(MAC_GW_PRIV, MAC_HOST_A), ip4(OTHER_END, HOST_A),
				 ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("y"));
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .endpoint = OTHER_END);

	expect_passed(in, IF_PRIV); /* not before it is one of ours */
	given_endpoint(OTHER_END);
	expect_sent(in, sent, slot);
	expect_dropped(usual, IF_PRIV, WRONG_TUNNEL);
	expect_tunnelled(back, back_in, slot);
}
