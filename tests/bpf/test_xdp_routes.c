// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Ways out to the public realm that depend on more than the destination: two providers, each for its own addresses. */
#include "gateway.h"

#define MAC_ROUTER_2 "\x02\x00\x00\x00\x01\x09"

TestSuite(routes, .init = gateway_up, .fini = gateway_down);

/* What comes from PUB_2 goes to the second provider's router. */
static void two_providers(void)
{
	given_ip("neigh replace 192.0.2.9 lladdr 02:00:00:00:01:09 dev pub0 nud permanent\n"
		 "route add default via 192.0.2.9 dev pub0 table 100\n"
		 "rule add from 203.0.113.2 table 100\n");
}

static void a_speaks_from_both(void)
{
	uint32_t one = given_binding(HOST_A, PUB_1, ports(4000, 8)), two = given_binding(HOST_A, PUB_2, ports(4000, 8));
	struct pkt from_1 = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("hello"));
	struct pkt from_2 = pkt(from_host_a(), ip4(PUB_2, REMOTE), udp(4003, 53), text("hello"));
	struct pkt left_1 = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("hello"));
	struct pkt left_2 = pkt(eth(MAC_GW_PUB, MAC_ROUTER_2), ip4(PUB_2, REMOTE, .ttl = 63), udp(4003, 53), text("hello"));

	for (int i = 0; i < 2; i++) {
		expect_sent(from_1, left_1, one);
		expect_sent(from_2, left_2, two);
	}
}

Test(routes, by_source_each_address_leaves_by_its_own_provider)
{
	about_ethernet();
	two_providers();
	gateway_dp()->ops->route_rules(gateway_dp(), true);
	a_speaks_from_both();
}

Test(routes, what_the_kernel_has_rules_for_survives_a_new_policy)
{
	about_ethernet();
	two_providers();
	gateway_dp()->ops->route_rules(gateway_dp(), true);
	given_policy(0);
	a_speaks_from_both();
}
