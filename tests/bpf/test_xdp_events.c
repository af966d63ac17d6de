// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the data plane reports of packets that break a rule (RFC 3103 10.4), and how little of a flood. */
#include "gateway.h"
#include "util.h"

TestSuite(xdp_events, .init = gateway_up, .fini = gateway_down);

static struct rsip_event got[16];

static void expect_event(__be32 host, __be32 local, uint16_t local_port, __be32 remote, uint16_t remote_port, int reason)
{
	cr_assert_eq(gateway_events(got), 1);
	cr_expect_eq(got[0].host, host);
	cr_expect_eq(got[0].local, local);
	cr_expect_eq(got[0].local_port, local_port);
	cr_expect_eq(got[0].remote, remote);
	cr_expect_eq(got[0].remote_port, remote_port);
	cr_expect_eq(got[0].reason, reason);
	cr_expect_eq(got[0].iface, IF_PRIV);
}

Test(xdp_events, a_port_that_nobody_leases)
{
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

	given_binding(HOST_A, PUB_1, ports(5000, 8));
	expect_dropped(in, IF_PRIV, LOCAL_PORT_UNALLOWED);
	expect_event(HOST_A, PUB_1, 4003, REMOTE, 53, RSIP_DROP_LOCAL_PORT_UNALLOWED);
	cr_expect_eq(got[0].proto, 17);
	cr_expect_eq(got[0].bind_id, 0);
}

Test(xdp_events, an_address_of_no_pool)
{
	struct pkt in = pkt(from_host_a(), ip4(NOT_OURS, REMOTE), tcp(4003, 80), text("x"));

	expect_dropped(in, IF_PRIV, LOCAL_ADDR_UNALLOWED);
	expect_event(HOST_A, NOT_OURS, 4003, REMOTE, 80, RSIP_DROP_LOCAL_ADDR_UNALLOWED);
}

Test(xdp_events, another_hosts_port_does_not_tell_whose_it_is)
{
	struct pkt in = pkt(from_host_b(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_dropped(in, IF_PRIV, NOT_OWNER);
	expect_event(HOST_B, PUB_1, 4003, REMOTE, 53, RSIP_DROP_NOT_OWNER);
	cr_expect_eq(got[0].bind_id, 0);
}

Test(xdp_events, a_remote_outside_the_flow_policy_names_the_binding)
{
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE_2), udp(4003, 53), text("x"));
	struct pkt crypt = pkt(from_host_b(), ip4(PUB_1, REMOTE_2), esp(0x77777777));

	given_binding(HOST_A, PUB_1, ports(4000, 8), .remote = REMOTE);
	given_binding(HOST_B, PUB_1, spis(0x1000, 4), .remote = REMOTE);
	expect_dropped(in, IF_PRIV, REMOTE_UNALLOWED);
	expect_event(HOST_A, PUB_1, 4003, REMOTE_2, 53, RSIP_DROP_REMOTE_UNALLOWED);
	cr_expect_neq(got[0].bind_id, 0);
	expect_dropped(crypt, IF_PRIV, REMOTE_UNALLOWED);
	expect_event(HOST_B, PUB_1, 0, REMOTE_2, 0, RSIP_DROP_REMOTE_UNALLOWED);
}

Test(xdp_events, ipsec_without_a_lease_and_hosts_without_any)
{
	struct pkt crypt = pkt(from_host_a(), ip4(PUB_1, REMOTE), esp(0x77777777));

	expect_dropped(crypt, IF_PRIV, HOST_UNKNOWN);
	expect_event(HOST_A, PUB_1, 0, REMOTE, 0, RSIP_DROP_HOST_UNKNOWN);
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_dropped(crypt, IF_PRIV, IPSEC_UNALLOWED);
	expect_event(HOST_A, PUB_1, 0, REMOTE, 0, RSIP_DROP_IPSEC_UNALLOWED);
}

Test(xdp_events, what_may_be_another_hosts_doing_is_not_reported)
{
	struct pkt mac = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt iface = pkt(eth(MAC_HOST_C, MAC_GW_PRIV2), ip4(HOST_A, GW_PRIV2), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt inbound = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 9999));

	given_policy(RSIP_POLICY_CHECK_MAC);
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	if (has_ethernet())
		expect_dropped(mac, IF_PRIV, WRONG_MAC);
	expect_dropped(iface, IF_PRIV2, WRONG_INTERFACE);
	expect_dropped(inbound, IF_PUB, NO_PORT);
	cr_expect_eq(gateway_events(got), 0);
}

Test(xdp_events, the_receiver_of_a_hairpin_is_not_the_senders_fault)
{
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_2), udp(4003, 4003), text("x"));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_2, ports(4000, 8), .remote = REMOTE);
	expect_dropped(in, IF_PRIV, REMOTE_UNALLOWED);
	cr_expect_eq(gateway_events(got), 0);
}

/* A second may end in the middle: then there is one more of each. */
Test(xdp_events, the_same_host_and_reason_are_reported_once_a_second)
{
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"));
	struct pkt other = pkt(from_host_a(), ip4(NOT_OURS, REMOTE), udp(4003, 53), text("x"));
	uint32_t cnt;

	given_binding(HOST_A, PUB_1, ports(5000, 8));
	for (int i = 0; i < 200; i++)
		gateway_run(IF_PRIV, in.data, in.len);
	cnt = gateway_events(got);
	cr_expect(cnt == 1 || cnt == 2, "%u", cnt);
	gateway_run(IF_PRIV, other.data, other.len);
	cr_expect_eq(gateway_events(got), 1);
}

/* Forged sources: each is a host of its own. */
Test(xdp_events, a_flood_from_many_sources_is_cut)
{
	uint64_t begun_s, seconds;
	uint32_t cnt = 0;

	begun_s = rsip_now_ns() / RSIP_NS_PER_S;
	for (uint32_t i = 0; i < 3000; i++) {
		struct pkt forged = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(CAST_IP(10, 0, (uint8_t)(i >> 8), (uint8_t)i), GW_PRIV),
					ip4(NOT_OURS, REMOTE), udp(4003, 53), text("x"));

		gateway_run(IF_PRIV, forged.data, forged.len);
		if (i % 1000 == 999)
			cnt += gateway_events(got);
	}
	cr_expect_geq(cnt, RSIP_EVENTS_PER_S);
	seconds = rsip_now_ns() / RSIP_NS_PER_S - begun_s + 1; /* it began and ended in the middle of one */
	cr_expect_leq(cnt, (seconds + 1) * RSIP_EVENTS_PER_S, "%u in %u", cnt, (uint32_t)seconds);
}
