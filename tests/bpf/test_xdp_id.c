// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Identification of the outer IPv4 header (RFC 6864).  Where a router may fragment the tunnel packet, the host puts it together by
 * source, destination and protocol, which all its tunnel packets have in common: no two may have the same identification.
 */
#include "gateway.h"
#include "gateway_copies.h"

TestSuite(xdp_id, .init = gateway_up, .fini = gateway_down);

/* Inner packets of n bytes, from whom it may be, with one identification. */
#define FROM(remote, n, ...) pkt(from_router, ip4(remote, PUB_1, .id = 7, __VA_ARGS__), udp(53, 4003), bytes((n) - 28))
#define AT_A(remote, n, outer, ...)                                                                                    \
	pkt(to_host_a(.id = outer), ip4(remote, PUB_1, .id = 7, .ttl = 63, __VA_ARGS__), udp(53, 4003), bytes((n) - 28))

static bool in_tc(void)
{
	return gateway_mode() != GATEWAY_XDP;
}

static uint16_t id_of(struct pkt in)
{
	const struct ran *ran = gateway_run(in.data[5] == 2 ? IF_PUB : IF_PRIV, in.data, in.len);

	cr_assert_eq(ran->action, XDP_REDIRECT);
	return (uint16_t)(ran->data[18] << 8 | ran->data[19]);
}

Test(xdp_id, with_df_it_is_the_inner_one_whatever_the_length)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = FROM(REMOTE, 1480, .df = true);
	struct pkt want = pkt(to_host_a(.id = 7, .df = true), ip4(REMOTE, PUB_1, .id = 7, .ttl = 63, .df = true),
			      udp(53, 4003), bytes(1452));

	expect_tunnelled(in, want, slot);
	expect_tunnelled(in, want, slot);
}

/* What fits everywhere is not fragmented, and needs no counter. */
Test(xdp_id, without_df_up_to_576_bytes_it_is_the_inner_one)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = FROM(REMOTE, 556), more = FROM(REMOTE, 557), want = AT_A(REMOTE, 556, 7);
	uint16_t first;

	expect_tunnelled(in, want, slot);
	first = id_of(more);
	cr_expect_eq(id_of(more), first + 1);
	expect_tunnelled(in, want, slot);
	cr_expect_eq(id_of(more), first + 2);
}

Test(xdp_id, remotes_that_use_the_same_one_do_not_meet)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt one = FROM(REMOTE, 1480), other = FROM(REMOTE_2, 1480), first = AT_A(REMOTE, 1480, 0);
	struct pkt second = AT_A(REMOTE_2, 1480, 1), third = AT_A(REMOTE, 1480, 2);

	expect_tunnelled(one, first, slot);
	expect_tunnelled(other, second, slot);
	expect_tunnelled(one, third, slot);
}

Test(xdp_id, bindings_and_tunnel_types_of_a_host_share_its_counter_and_another_host_has_its_own)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_A, PUB_2, ports(4000, 8), .tunnel = 2);
	given_binding(HOST_B, PUB_1, ports(4008, 8));
	struct pkt in_gre = pkt(from_router, ip4(REMOTE, PUB_2, .id = 7), udp(53, 4003), bytes(1000));
	struct pkt hairpin = pkt(from_host_b(), ip4(PUB_1, PUB_1, .id = 7), udp(4009, 4003), bytes(1000));
	struct pkt to_b = pkt(from_router, ip4(REMOTE, PUB_1, .id = 7), udp(53, 4009), bytes(1000));
	uint16_t first = id_of(FROM(REMOTE, 1000));

	cr_expect_eq(id_of(in_gre), first + 1);
	cr_expect_eq(id_of(hairpin), first + 2);
	cr_expect_eq(id_of(to_b), 0, "its first");
	cr_expect_eq(id_of(FROM(REMOTE, 1000)), first + 3);
}

/* Those of the slow path come from another program; the fragments of one packet are packets of their own in the tunnel. */
Test(xdp_id, fragments_from_the_slow_path_differ_from_each_other_and_from_what_xdp_sends)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	uint16_t base = in_tc() ? 1 : 0x8000;
	struct pkt first = pkt(from_router, ip4(REMOTE, PUB_1, .id = 7, .mf = true), udp(53, 4003, .total_len = 3000), bytes(1448));
	struct pkt later = pkt(from_router, ip4(REMOTE, PUB_1, .id = 7, .mf = true, .frag = 182, .proto = 17), bytes(1456));
	struct pkt first_want = pkt(to_host_a(.id = base), ip4(REMOTE, PUB_1, .id = 7, .mf = true),
				    udp(53, 4003, .total_len = 3000), bytes(1448));
	struct pkt later_want = pkt(to_host_a(.id = base + 1), ip4(REMOTE, PUB_1, .id = 7, .mf = true, .frag = 182, .proto = 17),
				    bytes(1456));
	struct expect want = { .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL, .action = XDP_REDIRECT,
			       .in_slot = slot, .bytes = 1476,
			       .counts = { { RSIP_CNT_ENCAPSULATED, 1 }, { RSIP_CNT_ENCAPSULATED_BYTES, 1476 } } };

	cr_expect_eq(id_of(FROM(REMOTE, 1000)), 0);
	want.want = &first_want;
	gateway_expect(&first, &want, __FILE__, __LINE__);
	want.want = &later_want;
	gateway_expect(&later, &want, __FILE__, __LINE__);
	cr_expect_eq(id_of(FROM(REMOTE, 1000)), in_tc() ? 3 : 1);
}
