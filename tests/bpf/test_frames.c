// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Frames longer than a page, which XDP has in several buffers (an MTU of 9,000): the first holds some 3,500 bytes.  An
 * interface may not take such ones redirected, and then, as where the headers are not in one piece, they are TC's, which
 * always can; BPF_PROG_TEST_RUN has no such frames for TC, so tests/lab/17-offloads.sh shows the rest of their way.
 */
#include <stdlib.h>
#include "gateway.h"
#include "util.h"

TestSuite(frames, .init = gateway_up, .fini = gateway_down);

#define FIRST 3520 /* bytes that the kernel's test runs put into the first buffer, at most */
#define JUMBO(what) what, bytes(8800)
#define given_long_binding(h, l, ...) given_binding(h, l, .mtu = 8976, ##__VA_ARGS__)

static void expect_frame(const struct pkt *in, int iface, uint32_t first, uint32_t action, const struct pkt *want, int cnt,
			 const char *what)
{
	uint64_t before = cnt ? gateway_counter(cnt) : 0;
	const struct ran *ran = gateway_run_buffers(iface, in->data, in->len, first);
	char *difference;

	if (!ran)
		return; /* this kernel does not let us choose what is in the first buffer */
	cr_expect_eq(ran->action, action, "%s: action %u, not %u", what, ran->action, action);
	if (cnt)
		cr_expect_eq(gateway_counter(cnt), before + 1, "%s: not counted as %s", what, rsip_counter_name((unsigned int)cnt));
	if (action == XDP_DROP || ran->action != action)
		return;
	difference = pkt_difference(want ? want : in, ran->data, ran->len);
	cr_expect_null(difference, "%s: another packet came out\n%s", what, difference);
	free(difference);
}

static uint64_t counted_in_all(void)
{
	uint64_t sum = 0;

	for (int i = 0; i < RSIP_CNT_MAX; i++)
		sum += gateway_counter(i);
	return sum;
}

Test(frames, reach_their_host_in_each_tunnel)
{
	given_long_frames(true);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	given_long_binding(HOST_B, PUB_1, ports(4008, 8), .tunnel = 2);
	struct pkt a = pkt(from_router, ip4(REMOTE, PUB_1), JUMBO(udp(53, 4003)));
	struct pkt b = pkt(from_router, ip4(REMOTE, PUB_1), JUMBO(udp(53, 4009)));
	struct pkt want_a = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), JUMBO(udp(53, 4003)));
	struct pkt want_b = pkt(to_host_b(), gre(), ip4(REMOTE, PUB_1, .ttl = 63), JUMBO(udp(53, 4009)));

	expect_frame(&a, IF_PUB, 0, XDP_REDIRECT, &want_a, RSIP_CNT_ENCAPSULATED, "IP-IP");
	expect_frame(&b, IF_PUB, 0, XDP_REDIRECT, &want_b, RSIP_CNT_ENCAPSULATED, "GRE");
}

Test(frames, leave_as_the_host_built_them)
{
	given_long_frames(true);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	given_long_binding(HOST_B, PUB_1, ports(4008, 8), .tunnel = 2);
	given_policy(RSIP_POLICY_GRE);
	struct pkt a = pkt(from_host_a(), ip4(PUB_1, REMOTE), JUMBO(udp(4003, 53)));
	struct pkt want_a = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), JUMBO(udp(4003, 53)));
	struct pkt b = pkt(from_host_b(), gre(.csum = true), ip4(PUB_1, REMOTE), JUMBO(udp(4009, 53)));
	struct pkt want_b = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), JUMBO(udp(4009, 53)));
	struct pkt broken = b;

	broken.data[broken.len - 1] ^= 1; /* the checksum is over the last buffer, too */
	expect_frame(&a, IF_PRIV, 0, XDP_REDIRECT, &want_a, RSIP_CNT_DECAPSULATED, "IP-IP");
	expect_frame(&b, IF_PRIV, 0, XDP_REDIRECT, &want_b, RSIP_CNT_DECAPSULATED, "GRE with a checksum");
	expect_frame(&broken, IF_PRIV, 0, XDP_DROP, NULL, RSIP_DROP_MALFORMED, "GRE with a wrong checksum");
}

Test(frames, from_one_host_to_another)
{
	given_long_frames(true);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	given_long_binding(HOST_B, PUB_2, ports(4000, 8), .tunnel = 2);
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, PUB_2), JUMBO(udp(4003, 4001)));
	struct pkt want = pkt(to_host_b(), gre(), ip4(PUB_1, PUB_2, .ttl = 63), JUMBO(udp(4003, 4001)));

	expect_frame(&in, IF_PRIV, 0, XDP_REDIRECT, &want, RSIP_CNT_HAIRPINNED, "hairpin");
}

/* On 6.1 the kernel loses what is redirected so, without a word. */
Test(frames, where_they_cannot_be_redirected_are_left_to_tc_as_they_came)
{
	given_long_frames(false);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), JUMBO(udp(53, 4003)));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), JUMBO(udp(4003, 53)));
	struct pkt one = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), bytes(3000));
	struct pkt want_one = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), bytes(3000));

	expect_frame(&in, IF_PUB, 0, XDP_PASS, NULL, 0, "in");
	expect_frame(&out, IF_PRIV, 0, XDP_PASS, NULL, 0, "out");
	cr_expect_eq(counted_in_all(), 0, "TC counts it");
	expect_frame(&one, IF_PUB, 0, XDP_REDIRECT, &want_one, RSIP_CNT_ENCAPSULATED, "in one buffer");
}

/* Some drivers leave the headers in a buffer that XDP cannot look into. */
Test(frames, whose_headers_are_not_in_the_first_buffer_are_left_to_tc)
{
	static const uint32_t first[] = {14, 20, 33, 34, 41, 42, 60, 100, 157};

	given_long_frames(true);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), JUMBO(udp(53, 4003)));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), JUMBO(udp(53, 4003)));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), JUMBO(udp(4003, 53)));

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++) {
		expect_frame(&in, IF_PUB, first[i], XDP_PASS, NULL, 0, "in");
		expect_frame(&out, IF_PRIV, first[i], XDP_PASS, NULL, 0, "out");
	}
	cr_expect_eq(counted_in_all(), 0, "TC counts it");
	expect_frame(&in, IF_PUB, 158, XDP_REDIRECT, &want, RSIP_CNT_ENCAPSULATED, "all headers are");
}

Test(frames, that_are_shorter_than_their_packet_are_malformed)
{
	static const uint32_t len[] = {1600, FIRST - 1, FIRST, FIRST + 1, 8000};

	given_long_frames(true);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), JUMBO(udp(53, 4003)));
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), JUMBO(udp(4003, 53)));

	for (size_t i = 0; i <= sizeof(len) / sizeof(len[0]); i++) {
		struct pkt cut = in, cut_out = out;

		cut.len = i < 5 ? len[i] : in.len - 1;
		cut_out.len = i < 5 ? len[i] : out.len - 1;
		expect_frame(&cut, IF_PUB, 0, XDP_DROP, NULL, RSIP_DROP_MALFORMED, "in");
		expect_frame(&cut_out, IF_PRIV, 0, XDP_DROP, NULL, RSIP_DROP_MALFORMED, "out");
	}
}

/* What stands behind the packet is cut off, wherever the buffers end. */
Test(frames, do_not_carry_padding_into_the_tunnel)
{
	static const uint16_t len[] = {60, 1400, 1490, 1491, 3000, FIRST - 43, FIRST - 42, FIRST - 41, 5000};
	/* with DF, or each long one had an outer identification of its own (test_xdp_id.c) */

	given_long_frames(true);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	for (size_t i = 0; i < sizeof(len) / sizeof(len[0]); i++) {
		struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .df = true), udp(53, 4003), bytes(len[i]), pad(4000));
		struct pkt want = pkt(to_host_a(.df = true), ip4(REMOTE, PUB_1, .ttl = 63, .df = true), udp(53, 4003), bytes(len[i]));
		struct pkt out = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53), bytes(len[i]), pad(4000));
		struct pkt want_out = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), bytes(len[i]));

		expect_frame(&in, IF_PUB, 0, XDP_REDIRECT, &want, RSIP_CNT_ENCAPSULATED, "in");
		expect_frame(&out, IF_PRIV, 0, XDP_REDIRECT, &want_out, RSIP_CNT_DECAPSULATED, "out");
	}
}

Test(frames, too_big_for_the_path_are_answered_or_left_to_its_routers)
{
	given_long_frames(true);
	given_binding(HOST_A, PUB_1, ports(4000, 8), .mtu = 1480);
	struct pkt df = pkt(from_router, ip4(REMOTE, PUB_1, .df = true), JUMBO(udp(53, 4003)));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1480, df, 548);
	struct pkt plain = pkt(from_router, ip4(REMOTE, PUB_1), JUMBO(udp(53, 4003)));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), JUMBO(udp(53, 4003)));

	expect_frame(&df, IF_PUB, 0, XDP_TX, &answer, RSIP_DROP_TOO_BIG, "with DF");
	expect_frame(&df, IF_PUB, 500, XDP_PASS, NULL, 0, "with DF, not all to be quoted is in the first buffer");
	expect_frame(&plain, IF_PUB, 0, XDP_REDIRECT, &want, RSIP_CNT_ENCAPSULATED, "without");
}

Test(frames, of_a_fragment_are_the_kernels_and_an_echo_request_is_answered)
{
	given_long_frames(true);
	given_long_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt fragment = pkt(from_router, ip4(REMOTE, PUB_1, .mf = true), JUMBO(udp(53, 4003)));
	struct pkt echo = pkt(from_router, ip4(REMOTE, PUB_1), JUMBO(echo_request(7)));
	struct pkt reply = pkt(to_router, ip4(PUB_1, REMOTE), JUMBO(echo_reply(7)));

	expect_frame(&fragment, IF_PUB, 0, XDP_PASS, NULL, RSIP_CNT_FRAGMENT_PASSED, "fragment");
	expect_frame(&echo, IF_PUB, 0, XDP_TX, &reply, RSIP_CNT_ECHO_ANSWERED, "echo request");
}

Test(frames, of_the_machines_own_are_counted_whole)
{
	given_long_frames(true);
	struct pkt in = pkt(from_router, ip4(REMOTE, GW_PUB), JUMBO(udp(53, 4003)));
	uint64_t before = gateway_counter(RSIP_CNT_PASSED_BYTES);

	expect_frame(&in, IF_PUB, 0, XDP_PASS, NULL, RSIP_CNT_PASSED, "in");
	cr_expect_eq(gateway_counter(RSIP_CNT_PASSED_BYTES) - before, in.len - 14, "all of its bytes");
}
