// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Service levels of hosts (RFC 3102 5.3.1): what leaves by a binding has the DSCP of its policy, whatever way it leaves.  The
 * settings for all hosts are in test_xdp_dscp.c.
 */
#include "gateway.h"

TestSuite(xdp_service, .init = gateway_up, .fini = gateway_down);

#define ECT_0 2
#define ECT_1 1
#define CE 3
#define EF 46
#define AF11 10
#define CS6 48
#define TOS(dscp, ecn) ((uint8_t)((dscp) << 2 | (ecn)))

#define OWN(v) (RSIP_BIND_DSCP_SET | (v)) /* of the binding: its policy's */
#define TUNNEL(v) (RSIP_DSCP_TUNNEL_SET | (uint32_t)(v) << RSIP_DSCP_TUNNEL_SHIFT)
#define INNER_IN(v) (RSIP_DSCP_IN_SET | (uint32_t)(v) << RSIP_DSCP_IN_SHIFT)
#define INNER_OUT(v) (RSIP_DSCP_OUT_SET | (uint32_t)(v) << RSIP_DSCP_OUT_SHIFT)

/* The policy of a host goes before the setting for all, whatever that is; 0 is a value. */
Test(xdp_service, each_host_sends_with_its_own)
{
	static const uint32_t flags[] = { 0, RSIP_DSCP_OUT_TUNNEL, INNER_OUT(CS6), TUNNEL(EF) | INNER_IN(1) };
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8), .dscp = OWN(EF));
	uint32_t b = given_binding(HOST_B, PUB_1, ports(4008, 8), .dscp = OWN(0));

	for (size_t row = 0; row < sizeof(flags) / sizeof(flags[0]); row++)
		for (int ecn = 0; ecn < 4; ecn++) {
			struct pkt of_a = pkt(from_host_a(.tos = TOS(63, ecn)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, ecn)), udp(4003, 53));
			struct pkt of_b = pkt(from_host_b(.tos = TOS(63, ecn)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, ecn)), udp(4009, 53));
			struct pkt want_a = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63, .tos = TOS(EF, ecn)), udp(4003, 53));
			struct pkt want_b = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63, .tos = TOS(0, ecn)), udp(4009, 53));

			given_policy(flags[row]);
			cr_expect(expect_sent(of_a, want_a, a), "row %zu, ECN %d", row, ecn);
			cr_expect(expect_sent(of_b, want_b, b), "row %zu, ECN %d", row, ecn);
		}
}

/* What comes in for such a host is the other settings', and one without a policy's is as before. */
Test(xdp_service, the_other_direction_and_the_other_hosts_are_as_before)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8), .dscp = OWN(EF));
	uint32_t b = given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .tos = TOS(AF11, ECT_0)), udp(53, 4003));
	struct pkt want = pkt(to_host_a(.tos = TOS(AF11, ECT_0)), ip4(REMOTE, PUB_1, .ttl = 63, .tos = TOS(AF11, ECT_0)), udp(53, 4003));
	struct pkt out = pkt(from_host_b(.tos = TOS(CS6, ECT_0)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, ECT_0)), udp(4009, 53));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63, .tos = TOS(CS6, ECT_0)), udp(4009, 53));

	given_policy(INNER_OUT(CS6));
	expect_tunnelled(in, want, a);
	expect_sent(out, sent, b);
}

/* The sender's own on the way out, then what the setting for all does on the way in; the receiver's own has no part in it. */
Test(xdp_service, a_hairpin_has_the_senders)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8), .dscp = OWN(EF));
	uint32_t b = given_binding(HOST_B, PUB_2, ports(4000, 8), .dscp = OWN(1));
	struct pkt in = pkt(from_host_a(.tos = TOS(CS6, CE)), ip4(PUB_1, PUB_2, .tos = TOS(AF11, CE)), udp(4001, 4002));
	struct pkt back = pkt(from_host_b(.tos = TOS(CS6, 0)), ip4(PUB_2, PUB_1, .tos = TOS(AF11, 0)), udp(4002, 4001));
	struct pkt to_b = pkt(to_host_b(.tos = TOS(EF, CE)), ip4(PUB_1, PUB_2, .tos = TOS(EF, CE), .ttl = 63), udp(4001, 4002));
	struct pkt to_a = pkt(to_host_a(.tos = TOS(1, 0)), ip4(PUB_2, PUB_1, .tos = TOS(1, 0), .ttl = 63), udp(4002, 4001));
	struct pkt set = pkt(to_host_b(.tos = TOS(3, CE)), ip4(PUB_1, PUB_2, .tos = TOS(3, CE), .ttl = 63), udp(4001, 4002));

	expect_hairpin(in, to_b, a, b);
	expect_hairpin(back, to_a, b, a);
	given_policy(INNER_OUT(CS6) | INNER_IN(3));
	expect_hairpin(in, set, a, b);
}

/* AH's payload is not touched: the field is mutable (RFC 4302 3.3.3.1). */
Test(xdp_service, around_ah_and_opened_for_the_kernel_it_is_the_hosts_too)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8), spis(0x2000, 4), .dscp = OWN(EF));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE, .tos = TOS(AF11, ECT_1)), ah(0x3001), bytes(24));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63, .tos = TOS(EF, ECT_1)), ah(0x3001), bytes(24));
	struct pkt big = pkt(from_host_a(), ip4(PUB_1, REMOTE, .tos = TOS(AF11, 0)), udp(4003, 53), bytes(1473));
	struct pkt opened = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, REMOTE, .tos = TOS(EF, 0)), udp(4003, 53), bytes(1473));

	expect_sent(out, want, a);
	expect_run(big, .iface = IF_PRIV, .action = XDP_PASS, .want = &opened, .out_slot = a,
		   .bytes = outer_len(&opened), .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

/* A reload changes it where it stands; the interface beside it stays what it was (RSIP_POLICY_CHECK_MAC asks it). */
Test(xdp_service, it_changes_while_the_binding_lives)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(.tos = TOS(CS6, 0)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, 0)), udp(4003, 53));
	const struct {
		uint8_t own, dscp;
	} rows[] = { { 0, AF11 }, { OWN(63), 63 }, { OWN(0), 0 }, { 0, AF11 } };

	given_policy(RSIP_POLICY_CHECK_MAC);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63, .tos = TOS(rows[i].dscp, 0)), udp(4003, 53));

		cr_assert_eq(gateway_dp()->ops->bind_dscp(gateway_dp(), a, rows[i].own), 0);
		cr_expect(expect_sent(in, want, a), "row %zu", i);
	}
}
