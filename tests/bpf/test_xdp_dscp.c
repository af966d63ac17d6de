// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * DSCP and ECN at both ends of the tunnel: RFC 3102 5.3.1 (each of its cases is a setting), RFC 2983, RFC 6040.  Whatever
 * the DSCP setting is, the ECN field is RFC 6040's, and AH's payload is not touched.
 */
#include "gateway.h"

TestSuite(xdp_dscp, .init = gateway_up, .fini = gateway_down);

#define NOT_ECT 0
#define ECT_1 1
#define ECT_0 2
#define CE 3
#define EF 46
#define AF11 10
#define CS6 48
#define TOS(dscp, ecn) ((uint8_t)((dscp) << 2 | (ecn)))

#define TUNNEL(v) (RSIP_DSCP_TUNNEL_SET | (uint32_t)(v) << RSIP_DSCP_TUNNEL_SHIFT)
#define INNER_IN(v) (RSIP_DSCP_IN_SET | (uint32_t)(v) << RSIP_DSCP_IN_SHIFT)
#define INNER_OUT(v) (RSIP_DSCP_OUT_SET | (uint32_t)(v) << RSIP_DSCP_OUT_SHIFT)

static const struct {
	uint32_t flags;
	int outer, inner; /* -1: as it came */
} in_rows[] = {
	{ 0, -1, -1 },
	{ TUNNEL(EF), EF, -1 },
	{ TUNNEL(0), 0, -1 },
	{ TUNNEL(63), 63, -1 },
	{ INNER_IN(AF11), AF11, AF11 }, /* it is changed before it is copied */
	{ INNER_IN(0), 0, 0 },
	{ INNER_IN(63), 63, 63 },
	{ TUNNEL(EF) | INNER_IN(AF11), EF, AF11 },
	{ TUNNEL(0) | INNER_IN(63), 0, 63 },
	{ INNER_OUT(AF11), -1, -1 }, /* the other direction's */
	{ RSIP_DSCP_OUT_TUNNEL, -1, -1 },
};

static uint8_t in_tos(int want, int came, int ecn)
{
	return TOS(want < 0 ? came : want, ecn);
}

/* RFC 6040 4.1, normal mode: the ECN field is copied, with each setting and each field. */
Test(xdp_dscp, toward_a_host)
{
	static const int came[] = { 0, EF, AF11, 63 };
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (size_t row = 0; row < sizeof(in_rows) / sizeof(in_rows[0]); row++)
		for (size_t c = 0; c < 4; c++)
			for (int ecn = 0; ecn < 4; ecn++) {
				uint8_t inner = in_tos(in_rows[row].inner, came[c], ecn);
				struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .tos = TOS(came[c], ecn)), udp(53, 4003));
				struct pkt want = pkt(to_host_a(.tos = in_tos(in_rows[row].outer, came[c], ecn)),
						      ip4(REMOTE, PUB_1, .tos = inner, .ttl = 63), udp(53, 4003));

				given_policy(in_rows[row].flags);
				cr_expect(expect_tunnelled(in, want, slot), "row %zu, DSCP %d, ECN %d", row, came[c], ecn);
			}
}

static const struct {
	uint32_t flags;
	int inner; /* -1: as it came, -2: the outer one */
} out_rows[] = {
	{ 0, -1 }, { RSIP_DSCP_OUT_TUNNEL, -2 }, { INNER_OUT(EF), EF }, { INNER_OUT(0), 0 }, { INNER_OUT(63), 63 },
	{ INNER_OUT(EF) | RSIP_DSCP_OUT_TUNNEL, EF }, { TUNNEL(EF) | INNER_IN(AF11), -1 },
};

/* RFC 6040 4.2, figure 4: the inner field by inner (row) and outer one; -1: dropped. */
static const int decap[4][4] = {
	[NOT_ECT] = { [NOT_ECT] = NOT_ECT, [ECT_0] = NOT_ECT, [ECT_1] = NOT_ECT, [CE] = -1 },
	[ECT_0] = { [NOT_ECT] = ECT_0, [ECT_0] = ECT_0, [ECT_1] = ECT_1, [CE] = CE },
	[ECT_1] = { [NOT_ECT] = ECT_1, [ECT_0] = ECT_1, [ECT_1] = ECT_1, [CE] = CE },
	[CE] = { [NOT_ECT] = CE, [ECT_0] = CE, [ECT_1] = CE, [CE] = CE },
};

Test(xdp_dscp, from_a_host)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));

	for (size_t row = 0; row < sizeof(out_rows) / sizeof(out_rows[0]); row++)
		for (int inner = 0; inner < 4; inner++)
			for (int outer = 0; outer < 4; outer++) {
				int dscp = out_rows[row].inner == -1 ? AF11 : out_rows[row].inner == -2 ? CS6 : out_rows[row].inner;
				struct pkt in = pkt(from_host_a(.tos = TOS(CS6, outer)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, inner)),
						    tcp(4003, 443));
				struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63, .tos = TOS(dscp, decap[inner][outer])),
						      tcp(4003, 443));

				given_policy(out_rows[row].flags);
				if (decap[inner][outer] < 0)
					cr_expect(expect_dropped(in, IF_PRIV, ECN_CE_NOT_ECT));
				else
					cr_expect(expect_sent(in, want, slot), "row %zu, ECN %d in %d", row, inner, outer);
			}
}

/* What leaves one tunnel and enters another obeys both: the sender's way out, then the receiver's way in. */
Test(xdp_dscp, from_a_host_to_a_host)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_2, ports(4000, 8));
	struct pkt in = pkt(from_host_a(.tos = TOS(CS6, CE)), ip4(PUB_1, PUB_2, .tos = TOS(AF11, ECT_0)), udp(4001, 4002));
	const struct {
		uint32_t flags;
		uint8_t outer, inner;
	} rows[] = {
		{ 0, AF11, AF11 }, { RSIP_DSCP_OUT_TUNNEL, CS6, CS6 }, { RSIP_DSCP_OUT_TUNNEL | TUNNEL(EF), EF, CS6 },
		{ INNER_OUT(EF), EF, EF }, { INNER_OUT(EF) | INNER_IN(0), 0, 0 }, { INNER_OUT(EF) | INNER_IN(1) | TUNNEL(2), 2, 1 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct pkt want = pkt(to_host_b(.tos = TOS(rows[i].outer, CE)),
				      ip4(PUB_1, PUB_2, .tos = TOS(rows[i].inner, CE), .ttl = 63), udp(4001, 4002));

		given_policy(rows[i].flags);
		cr_expect(expect_hairpin(in, want, a, b), "row %zu", i);
	}
}

/* Fragments and what was reassembled pass the same end of the tunnel, once. */
Test(xdp_dscp, on_the_slow_path)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .tos = TOS(AF11, CE)), udp(53, 4003), bytes(400));
	struct pkt want = pkt(to_host_a(.tos = TOS(EF, CE)), ip4(REMOTE, PUB_1, .tos = TOS(1, CE)), udp(53, 4003), bytes(400));
	struct pkt fragment = pkt(from_router, ip4(REMOTE, PUB_1, .tos = TOS(AF11, CE), .mf = true), udp(53, 4003), bytes(400));
	struct pkt from_host = pkt(from_host_a(.tos = TOS(CS6, ECT_1)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, ECT_0)),
				   udp(4003, 53), bytes(400));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .tos = TOS(CS6, ECT_1), .ttl = 63), udp(4003, 53), bytes(400));

	given_policy(TUNNEL(EF) | INNER_IN(1) | RSIP_DSCP_OUT_TUNNEL);
	expect_run(fragment, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL,
		   .counts = { { RSIP_CNT_FRAGMENT_PASSED, 1 } });
	expect_run(in, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL, .action = XDP_REDIRECT,
		   .want = &want, .in_slot = slot, .bytes = inner_len(&want),
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 }, { RSIP_CNT_ENCAPSULATED_BYTES, inner_len(&want) } });
	expect_run(from_host, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL, .action = XDP_REDIRECT,
		   .want = &sent, .out_slot = slot, .bytes = outer_len(&sent),
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 }, { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&sent) } });
}

/* A service level of its host's (test_xdp_service.c) on this way. */
Test(xdp_dscp, on_the_slow_path_a_host_has_its_own)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8), .dscp = RSIP_BIND_DSCP_SET | EF);
	struct pkt whole = pkt(from_host_a(.tos = TOS(CS6, ECT_1)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, ECT_0)), udp(4003, 53),
			       bytes(400));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .tos = TOS(EF, ECT_1), .ttl = 63), udp(4003, 53), bytes(400));

	expect_run(whole, .iface = IF_SLOW, .from = IF_PRIV, .with_mark = RSIP_MARK_TUNNEL, .action = XDP_REDIRECT,
		   .want = &sent, .out_slot = slot, .bytes = outer_len(&sent),
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 }, { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&sent) } });
}

Test(xdp_dscp, opened_for_the_kernel_it_has_its_dscp_too)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(.tos = TOS(CS6, 0)), ip4(PUB_1, REMOTE, .tos = TOS(AF11, 0)), udp(4003, 53), bytes(1473));
	struct pkt want = pkt(eth(MAC_HOST_A, MAC_GW_PRIV), ip4(PUB_1, REMOTE, .tos = TOS(EF, 0)), udp(4003, 53), bytes(1473));

	given_policy(INNER_OUT(EF));
	expect_run(in, .iface = IF_PRIV, .action = XDP_PASS, .want = &want, .out_slot = slot,
		   .bytes = outer_len(&want), .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

/* GRE's outer header is no other, and AH holds the field to be mutable (RFC 4302 3.3.3.1): its bytes stay. */
Test(xdp_dscp, in_gre_and_around_ah)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0x2000, 4), .tunnel = 2);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .tos = TOS(AF11, ECT_0)), ah(0x2001), bytes(24));
	struct pkt want = pkt(to_host_a(.tos = TOS(EF, ECT_0)), gre(), ip4(REMOTE, PUB_1, .tos = TOS(3, ECT_0), .ttl = 63),
			      ah(0x2001), bytes(24));

	given_policy(TUNNEL(EF) | INNER_IN(3));
	expect_tunnelled(in, want, slot);
}

Test(xdp_dscp, errors_that_the_gateway_makes_keep_theirs)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl = 1, .tos = TOS(AF11, 0)), udp(4003, 53), bytes(32));
	struct pkt answer = icmp_to_host_a(11, 0, 0, in, 60);

	given_policy(TUNNEL(EF) | INNER_OUT(EF));
	expect_answered(in, IF_PRIV, answer, TTL_EXCEEDED);
}
