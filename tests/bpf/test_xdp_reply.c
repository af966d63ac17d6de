// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the gateway says itself: about which packets it makes ICMP errors and about which never (RFC
 * 1812 4.3.2.7), how many, and who answers an echo request.
 */
#include "gateway.h"

TestSuite(xdp_reply, .init = gateway_up, .fini = gateway_down);

Test(xdp_reply, never_about_an_icmp_error)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt error = pkt(from_router, ip4(ROUTER, PUB_1, .ttl = 1), icmp(3, 1),
			       ip4(PUB_1, REMOTE), udp(4003, 53));

	expect_dropped(error, IF_PUB, TTL_EXCEEDED);
}

Test(xdp_reply, never_about_a_later_fragment)
{
	given_binding(HOST_A, PUB_1, .whole = true);
	struct pkt later =
		pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1, .frag = 9, .proto = 17), bytes(32));
	struct pkt first =
		pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1, .mf = true), udp(53, 9), bytes(32));
	struct pkt answer = icmp_to_router(REMOTE, 11, 0, 0, first, 60);

	expect_dropped(later, IF_PUB, TTL_EXCEEDED);
	expect_answered(first, IF_PUB, answer, TTL_EXCEEDED);
}

Test(xdp_reply, about_an_icmp_query)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt ping =
		pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl = 1), echo_request(7), text("ping"));
	struct pkt answer = icmp_to_host_a(11, 0, 0, ping, 32);

	expect_answered(ping, IF_PRIV, answer, TTL_EXCEEDED);
}

Test(xdp_reply, with_options_in_both_headers)
{
	about_outer_header();
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(eth(MAC_HOST_A, MAC_GW_PRIV),
			    ip4(HOST_A, GW_PRIV, .options = "\x94\x04\0\0", .options_len = 4),
			    ip4(PUB_1, REMOTE, .ttl = 1, .options = "\x94\x04\0\0", .options_len = 4),
			    udp(4003, 53), bytes(12));
	struct pkt want = pkt(to_host_a(.tos = 0xc0, .df = true),
			      ip4(GW_PUB, PUB_1, .tos = 0xc0, .df = true), icmp(11, 0),
			      raw(in.data + 38, 44));

	expect_answered(in, IF_PRIV, want, TTL_EXCEEDED);
}

Test(xdp_reply, no_more_than_the_rate_allows)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1), udp(53, 4003), text("x"));
	uint64_t sent, limited, dropped;

	for (int i = 0; i < 400; i++)
		gateway_run(IF_PUB, in.data, in.len);
	sent = gateway_counter(RSIP_CNT_ICMP_SENT);
	limited = gateway_counter(RSIP_CNT_ICMP_LIMITED);
	dropped = gateway_counter(RSIP_DROP_TTL_EXCEEDED);
	cr_expect_eq(dropped, 400);
	cr_expect_eq(sent + limited, 400);
	cr_expect_geq(sent, RSIP_ICMP_EACH_BURST);
	cr_expect_gt(limited, 0, "none was held back in 400 at once");
}

/* Each has a bucket: a flood of one leaves the others theirs. */
Test(xdp_reply, who_floods_does_not_use_up_what_others_are_due)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	given_binding(HOST_B, PUB_2, ports(4000, 8));
	struct pkt flood = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1), udp(53, 4003), text("x"));
	struct pkt other = pkt(from_router, ip4(REMOTE_2, PUB_1, .ttl = 1), udp(53, 4003), text("x"));
	struct pkt other_answer = icmp_to_router(REMOTE_2, 11, 0, 0, other, 28);
	struct pkt of_host = pkt(from_host_b(), ip4(PUB_2, REMOTE, .ttl = 1), udp(4003, 53), text("x"));
	struct pkt in = pkt(from_host_a(), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), bytes(12));
	struct pkt answer = icmp_to_host_a(11, 0, 0, in, 40);

	for (int i = 0; i < 200; i++)
		gateway_run(IF_PUB, flood.data, flood.len);
	expect_answered(other, IF_PUB, other_answer, TTL_EXCEEDED);
	for (int i = 0; i < 200; i++)
		gateway_run(IF_PRIV, of_host.data, of_host.len);
	expect_answered(in, IF_PRIV, answer, TTL_EXCEEDED);
}

/* What is not due costs nobody anything: errors about errors, about later fragments, about multicasts. */
Test(xdp_reply, what_is_not_due_takes_no_token)
{
	given_binding(HOST_A, PUB_1, .whole = true);
	struct pkt error = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1), icmp(3, 3), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt redirect = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1), icmp(5, 0), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt later = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1, .frag = 9, .proto = 17), bytes(32));
	struct pkt due = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 1), udp(53, 4003), text("x"));
	struct pkt answer = icmp_to_router(REMOTE, 11, 0, 0, due, 28);

	for (int i = 0; i < 100; i++) {
		expect_dropped(error, IF_PUB, TTL_EXCEEDED);
		expect_dropped(redirect, IF_PUB, TTL_EXCEEDED);
		expect_dropped(later, IF_PUB, TTL_EXCEEDED);
	}
	expect_answered(due, IF_PUB, answer, TTL_EXCEEDED);
}

Test(xdp_reply, an_echo_request_of_every_length_is_answered_with_its_data)
{
	given_binding(HOST_A, PUB_1, ports(4000, 8));
	for (uint32_t n = 0; n < 1400; n += 233) {
		struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 3, .id = 9),
				    echo_request(77), bytes(n));
		struct pkt want =
			pkt(to_router, ip4(PUB_1, REMOTE, .id = 9), echo_reply(77), bytes(n));

		expect_run(in, .iface = IF_PUB, .action = XDP_TX, .want = &want,
			   .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } });
	}
}

/* Loose, strict, behind others, and options that lie about their length: an answer would have to go back by the same way. */
Test(xdp_reply, an_echo_request_with_a_source_route_is_not_answered)
{
#define OPTIONS(of) .options = of, .options_len = sizeof(of) - 1
#define ASKS(of) pkt(from_router, ip4(REMOTE, PUB_1, OPTIONS(of)), echo_request(77), text("ping"))
	struct pkt loose = ASKS("\x83\x07\x08\xc6\x33\x64\x09\x00"), strict = ASKS("\x01\x89\x07\x04\xc6\x33\x64\x09");
	struct pkt behind = ASKS("\x94\x04\0\0\x01\x83\x07\x08\xc6\x33\x64\x09"), none = ASKS("\x44\x00\x05\x00");
	struct pkt longer = ASKS("\x44\x08\x05\x00");
	struct pkt of_host = pkt(from_host_a(), ip4(PUB_1, PUB_2, OPTIONS("\x83\x07\x08\xc6\x33\x64\x09\x00")), echo_request(7));
	struct pkt recorded = ASKS("\x07\x07\x08\xc6\x33\x64\x09\x01");
	struct pkt answer = pkt(to_router, ip4(PUB_1, REMOTE, OPTIONS("\x07\x07\x08\xc6\x33\x64\x09\x01")), echo_reply(77),
				text("ping"));
	struct pkt ended = ASKS("\x00\x83\x83\x83");
	struct pkt ended_back = pkt(to_router, ip4(PUB_1, REMOTE, OPTIONS("\x00\x83\x83\x83")), echo_reply(77), text("ping"));

	given_binding(HOST_A, PUB_1, ports(4000, 8));
	expect_dropped(loose, IF_PUB, ICMP_QUERY);
	expect_dropped(strict, IF_PUB, ICMP_QUERY);
	expect_dropped(behind, IF_PUB, ICMP_QUERY);
	expect_dropped(none, IF_PUB, ICMP_QUERY);
	expect_dropped(longer, IF_PUB, ICMP_QUERY);
	expect_dropped(of_host, IF_PRIV, ICMP_QUERY);
	expect_run(recorded, .iface = IF_PUB, .action = XDP_TX, .want = &answer, .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } });
	expect_run(ended, .iface = IF_PUB, .action = XDP_TX, .want = &ended_back, .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } });
}

Test(xdp_reply, an_echo_request_to_a_whole_address_goes_to_its_host)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, .whole = true);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), echo_request(77), text("ping"));
	struct pkt want =
		pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), echo_request(77), text("ping"));

	expect_tunnelled(in, want, slot);
}
