// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* From one host to a leased address of another: turned around inside, under the rules of both
 * directions. */
#include "gateway.h"

TestSuite(xdp_hairpin, .init = gateway_up, .fini = gateway_down);

Test(xdp_hairpin, from_host_to_host_over_one_address)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)),
		 b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt in =
		pkt(from_host_a(), ip4(PUB_1, PUB_1), tcp(4001, 4009), text("to a neighbour"));
	struct pkt want = pkt(to_host_b(), ip4(PUB_1, PUB_1, .ttl = 63), tcp(4001, 4009),
			      text("to a neighbour"));

	expect_hairpin(in, want, a, b);
}

Test(xdp_hairpin, esp_from_host_to_host)
{
	uint32_t a = given_binding(HOST_A, PUB_1, spis(0x1000, 4)),
		 b = given_binding(HOST_B, PUB_2, spis(0x1000, 4));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_2), esp(0x1002), pad(6));
	struct pkt want = pkt(to_host_b(), ip4(PUB_1, PUB_2, .ttl = 63), esp(0x1002));

	expect_hairpin(in, want, a, b);
}

Test(xdp_hairpin, a_host_may_call_itself)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(4001, 4002), text("echo"));
	struct pkt want =
		pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4001, 4002), text("echo"));

	expect_hairpin(in, want, a, a);
}

Test(xdp_hairpin, a_hairpin_obeys_the_same_rules)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_1, ports(4008, 8), .expired = true);
	given_binding(HOST_B, PUB_2, ports(4000, 8), .remote = REMOTE);
	given_binding(HOST_B, PUB_2, ports(4008, 8), .mtu = 100);
	struct pkt expired = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(4001, 4009), text("x"));
	struct pkt nobody = pkt(from_host_a(), ip4(PUB_1, PUB_IDLE), udp(4001, 4009), text("x"));
	struct pkt policy = pkt(from_host_a(), ip4(PUB_1, PUB_2), udp(4001, 4001), text("x"));
	struct pkt big =
		pkt(from_host_a(), ip4(PUB_1, PUB_2, .df = true), udp(4001, 4009), bytes(73));
	struct pkt ttl =
		pkt(from_host_a(), ip4(PUB_1, PUB_2, .ttl = 1), udp(4001, 4009), text("x"));
	struct pkt big_answer = icmp_to_host_a(3, 4, 100, big, 100);
	struct pkt ttl_answer = icmp_to_host_a(11, 0, 0, ttl, 28);
	struct pkt spoofed = pkt(from_host_b(), ip4(PUB_1, PUB_1), udp(4001, 4002), text("x"));

	expect_dropped(expired, IF_PRIV, EXPIRED);
	expect_dropped(nobody, IF_PRIV, NO_PORT);
	expect_dropped(policy, IF_PRIV, REMOTE_UNALLOWED);
	expect_answered(big, IF_PRIV, big_answer, TOO_BIG);
	expect_answered(ttl, IF_PRIV, ttl_answer, TTL_EXCEEDED);
	expect_dropped(spoofed, IF_PRIV, NOT_OWNER);
}
