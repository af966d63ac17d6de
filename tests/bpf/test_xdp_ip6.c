// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hosts with IPv6 addresses: the outer header is IPv6 (RFC 2473, RFC 7676; docs/ipv6-access.md), the inner packet IPv4.
 * Cast: HOST6_A has ports 4000-4007 and SPIs in IP-IP, HOST6_B 4008-4015 in GRE, both over IPv6; HOST_A, over IPv4, has
 * 4016-4023.  All on PUB_1.
 */
#include <string.h>
#include "gateway.h"

static uint32_t slot_a, slot_b, slot_4;
static __be32 host_a, host_b;

static void ip6_up(void)
{
	gateway_up();
	host_a = given_host6(HOST6_A);
	host_b = given_host6(HOST6_B);
	slot_a = given_binding(host_a, PUB_1, ports(4000, 8), spis(0xa0000000, 4));
	slot_b = given_binding(host_b, PUB_1, ports(4008, 8), spis(0xb0000000, 4), .tunnel = 2);
	slot_4 = given_binding(HOST_A, PUB_1, ports(4016, 8));
}

TestSuite(xdp_ip6, .init = ip6_up, .fini = gateway_down);

/* ---- out of the tunnel and into it ------------------------------------------------------------ */

Test(xdp_ip6, ipip_from_a_host_and_back)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("hello"));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("hello"));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), text("hello"));
	struct pkt tunnelled = pkt(to_host6_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), text("hello"));

	expect_sent(out, sent, slot_a);
	expect_tunnelled(in, tunnelled, slot_a);
}

Test(xdp_ip6, gre_from_a_host_and_back)
{
	struct pkt out = pkt(from_host6_b(), gre(), ip4(PUB_1, REMOTE), tcp(4009, 80), text("hello"));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), tcp(4009, 80), text("hello"));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), tcp(80, 4009), text("hello"));
	struct pkt tunnelled = pkt(to_host6_b(), gre(), ip4(REMOTE, PUB_1, .ttl = 63), tcp(80, 4009), text("hello"));

	expect_sent(out, sent, slot_b);
	expect_tunnelled(in, tunnelled, slot_b);
}

Test(xdp_ip6, gre_with_every_set_of_options)
{
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4009, 53), text("odd"));

	for (int set = 0; set < 8; set++) {
		struct pkt out = pkt(from_host6_b(), gre(.csum = set & 1, .key = set & 2, .seq = set & 4),
				     ip4(PUB_1, REMOTE), udp(4009, 53), text("odd"));

		expect_sent(out, sent, slot_b);
	}
}

Test(xdp_ip6, esp_by_its_spi_and_by_the_pair)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, REMOTE), esp(0x77));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), esp(0x77));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), esp(0xa0000001));
	struct pkt tunnelled = pkt(to_host6_a(), ip4(REMOTE, PUB_1, .ttl = 63), esp(0xa0000001));
	struct pkt error = pkt(from_router, ip4(ROUTER, PUB_1), frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x77));
	struct pkt told = pkt(to_host6_a(), ip4(ROUTER, PUB_1, .ttl = 63), frag_needed(1400), ip4(PUB_1, REMOTE), esp(0x77));

	expect_sent(out, sent, slot_a);
	expect_tunnelled(in, tunnelled, slot_a);
	expect_tunnelled(error, told, slot_a);
}

Test(xdp_ip6, ike_by_the_cookie_that_the_host_claims)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(500, 500), ike(0x1122, 0, .flags = IKE_I));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(500, 500), ike(0x1122, 0, .flags = IKE_I));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), ike(0x1122, 9, .flags = IKE_R));
	struct pkt tunnelled =
		pkt(to_host6_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500), ike(0x1122, 9, .flags = IKE_R));
	struct pkt same = pkt(from_host6_b(), gre(), ip4(PUB_1, REMOTE), udp(500, 500), ike(0x1122, 0, .flags = IKE_I));

	expect_sent(out, sent, slot_a, and_claimed);
	expect_tunnelled(in, tunnelled, slot_a);
	expect_dropped(same, IF_PRIV, COOKIE_COLLISION);
}

Test(xdp_ip6, a_ping_there_and_back)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, REMOTE), echo_request(7), text("ping"));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), echo_request(7), text("ping"));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), echo_reply(7), text("ping"));
	struct pkt tunnelled = pkt(to_host6_a(), ip4(REMOTE, PUB_1, .ttl = 63), echo_reply(7), text("ping"));

	expect_sent(out, sent, slot_a);
	expect_tunnelled(in, tunnelled, slot_a);
}

Test(xdp_ip6, padding_stays_outside)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("x"), pad(9));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("x"));

	expect_sent(out, sent, slot_a);
}

/* DSCP and ECN are the inner packet's, and a mark made on the way goes inside (RFC 6040). */
Test(xdp_ip6, traffic_class)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .tos = 0xba), tcp(80, 4000));
	struct pkt tunnelled = pkt(to_host6_a(.tos = 0xba), ip4(REMOTE, PUB_1, .tos = 0xba, .ttl = 63), tcp(80, 4000));
	struct pkt marked = pkt(from_host6_a(.tos = 0x2b), ip4(PUB_1, REMOTE, .tos = 2), tcp(4000, 80));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .tos = 3, .ttl = 63), tcp(4000, 80));
	struct pkt not_capable = pkt(from_host6_a(.tos = 3), ip4(PUB_1, REMOTE), tcp(4000, 80));

	expect_tunnelled(in, tunnelled, slot_a);
	expect_sent(marked, sent, slot_a);
	expect_dropped(not_capable, IF_PRIV, ECN_CE_NOT_ECT);
}

/* ---- the flow label ---------------------------------------------------------------------------- */

static uint32_t label_of(struct pkt in)
{
	const struct ran *ran = gateway_run(IF_PUB, in.data, in.len);

	cr_assert_eq(ran->action, XDP_REDIRECT);
	return (ran->data[15] & 15U) << 16 | ran->data[16] << 8 | ran->data[17];
}

/* RFC 6438: one for a flow, and flows apart.  What lies behind the ports does not count. */
Test(xdp_ip6, a_flow_keeps_its_label)
{
	uint32_t one = label_of(pkt(from_router, ip4(REMOTE, PUB_1, .id = 1), udp(53, 4003), text("one")));
	uint32_t others[] = {
		label_of(pkt(from_router, ip4(REMOTE, PUB_1), udp(54, 4003), text("one"))),
		label_of(pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4004), text("one"))),
		label_of(pkt(from_router, ip4(REMOTE_2, PUB_1), udp(53, 4003), text("one"))),
		label_of(pkt(from_router, ip4(REMOTE, PUB_1), tcp(53, 4003), text("one"))),
	};

	cr_expect_eq(label_of(pkt(from_router, ip4(REMOTE, PUB_1, .id = 2, .tos = 4), udp(53, 4003), text("another"))), one);
	for (int i = 0; i < 4; i++)
		cr_expect_neq(others[i], one, "flow %d has the same label", i);
}

/* ---- what is not ours, or wrong ---------------------------------------------------------------- */

#define LIMIT_OPTION raw("\x04\0\x04\x01\x04\x01\x01\0", 8) /* RFC 2473 4.1.1, before IP-IP */

Test(xdp_ip6, a_tunnel_encapsulation_limit_is_skipped)
{
	struct pkt out = pkt(from_host6_a(.proto = 60), LIMIT_OPTION, ip4(PUB_1, REMOTE), udp(4003, 53), text("hello"));
	struct pkt gre_out = pkt(from_host6_b(.proto = 60), raw("\x2f\0\x04\x01\0\x01\x01\0", 8), gre(),
				 ip4(PUB_1, REMOTE), udp(4009, 53), text("hello"));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("hello"));
	struct pkt gre_sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4009, 53), text("hello"));

	expect_sent(out, sent, slot_a);
	expect_sent(gre_out, gre_sent, slot_b);
}

Test(xdp_ip6, other_extension_headers_are_the_kernels)
{
	struct pkt other_option = pkt(from_host6_a(.proto = 60), raw("\x04\0\x1e\x01\x04\x01\x01\0", 8), ip4(PUB_1, REMOTE),
				      udp(4003, 53));
	struct pkt longer = pkt(from_host6_a(.proto = 60), raw("\x04\x01\x04\x01\x04\x01\x01\0\x01\x06\0\0\0\0\0\0", 16),
				ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt hop_by_hop = pkt(from_host6_a(.proto = 0), LIMIT_OPTION, ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt routing = pkt(from_host6_a(.proto = 43), raw("\x04\0\x03\0\0\0\0\0", 8), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt udp_inside = pkt(from_host6_a(.proto = 60), raw("\x11\0\x04\x01\x04\x01\x01\0", 8), bytes(20));

	expect_passed(other_option, IF_PRIV);
	expect_passed(longer, IF_PRIV);
	expect_passed(hop_by_hop, IF_PRIV);
	expect_passed(routing, IF_PRIV);
	expect_passed(udp_inside, IF_PRIV);
}

Test(xdp_ip6, what_is_not_for_the_tunnels_end_is_the_kernels)
{
	struct pkt rsip = pkt(from_host6_a(.proto = 17), bytes(20));
	struct pkt elsewhere = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip6(HOST6_A, GW6_PRIV2), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt ip6_inside = pkt(from_host6_a(), ip6(HOST6_A, GW6_PRIV, .proto = 17), bytes(20));
	struct pkt broadcast = pkt(eth(MAC_HOST6, MAC_ALL), ip6(HOST6_A, GW6_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt from_public = pkt(from_router, ip6(HOST6_A, GW6_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));

	expect_passed(rsip, IF_PRIV);
	expect_passed(elsewhere, IF_PRIV);
	expect_passed(ip6_inside, IF_PRIV);
	if (has_ethernet())
		expect_passed(broadcast, IF_PRIV);
	expect_passed(from_public, IF_PUB);
}

Test(xdp_ip6, headers_that_contradict_themselves)
{
	struct pkt version = pkt(from_host6_a(.version = 4), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt longer = pkt(from_host6_a(.total_len = 29), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt empty = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt short_options =
		pkt(from_host6_a(.proto = 60, .total_len = 7), LIMIT_OPTION, ip4(PUB_1, REMOTE), udp(4003, 53));

	memset(empty.data + 18, 0, 2); /* of a jumbogram, too (RFC 2675) */
	expect_dropped(version, IF_PRIV, MALFORMED);
	expect_dropped(longer, IF_PRIV, MALFORMED);
	expect_dropped(empty, IF_PRIV, MALFORMED);
	expect_dropped(short_options, IF_PRIV, MALFORMED);
}

/* ---- spoofing: design.md, "a host's packets" ---------------------------------------------------- */

Test(xdp_ip6, a_source_that_nobody_registered)
{
	struct pkt ports = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip6(STRANGER6, GW6_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt pair = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip6(STRANGER6, GW6_PRIV), ip4(PUB_1, REMOTE), esp(0x77));

	expect_dropped(ports, IF_PRIV, NOT_OWNER);
	expect_dropped(pair, IF_PRIV, HOST_UNKNOWN);
}

/* A handle is an address of 240/4: whoever has one on an IPv4 packet is nobody. */
Test(xdp_ip6, a_handle_is_no_ipv4_address)
{
	struct pkt out = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip4(host_a, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt pair = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip4(host_a, GW_PRIV), ip4(PUB_1, REMOTE), esp(0x77));
	struct pkt nobodys = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip4(0xffffffff, GW_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt in_gre = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip4(host_b, GW_PRIV), gre(), ip4(PUB_1, REMOTE), udp(4009, 53));

	given_policy(RSIP_POLICY_GRE);
	expect_dropped(out, IF_PRIV, SRC_SPOOFED);
	expect_dropped(pair, IF_PRIV, SRC_SPOOFED);
	expect_dropped(nobodys, IF_PRIV, SRC_SPOOFED);
	expect_dropped(in_gre, IF_PRIV, SRC_SPOOFED);
}

Test(xdp_ip6, the_other_hosts_resources)
{
	struct pkt six_of_four = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(4017, 53));
	struct pkt four_of_six = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt six_of_six = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(4009, 53));

	expect_dropped(six_of_four, IF_PRIV, NOT_OWNER);
	expect_dropped(four_of_six, IF_PRIV, NOT_OWNER);
	expect_dropped(six_of_six, IF_PRIV, NOT_OWNER);
}

Test(xdp_ip6, another_interface_tunnel_type_or_mac)
{
	struct pkt interface = pkt(eth(MAC_HOST6, MAC_GW_PRIV2), ip6(HOST6_A, GW6_PRIV2), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt type = pkt(from_host6_a(), gre(), ip4(PUB_1, REMOTE), udp(4003, 53));
	struct pkt mac = pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip6(HOST6_A, GW6_PRIV), ip4(PUB_1, REMOTE), udp(4003, 53));

	expect_dropped(interface, IF_PRIV2, WRONG_INTERFACE);
	expect_dropped(type, IF_PRIV, WRONG_TUNNEL);
	given_policy(RSIP_POLICY_CHECK_MAC);
	if (has_ethernet())
		expect_dropped(mac, IF_PRIV, WRONG_MAC);
}

Test(xdp_ip6, destinations_that_never_leave)
{
	struct pkt private = pkt(from_host6_a(), ip4(PUB_1, HOST_B), udp(4003, 53));
	struct pkt reserved = pkt(from_host6_a(), ip4(PUB_1, host_b), udp(4003, 53));

	expect_dropped(private, IF_PRIV, DST_UNALLOWED);
	expect_dropped(reserved, IF_PRIV, DST_UNALLOWED);
}

/* ---- the gateway's own words go into the tunnel -------------------------------------------------- */

#define from_gateway_to_a to_host6_a(.tos = 0xc0), ip4(GW_PUB, PUB_1, .tos = 0xc0, .df = true)

Test(xdp_ip6, time_exceeded)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, REMOTE, .ttl = 1), udp(4003, 53), text("hop"), pad(1));
	struct pkt told = pkt(from_gateway_to_a, icmp(11, 0), raw(out.data + 54, 28));
	struct pkt gre_out = pkt(from_host6_b(), gre(), ip4(PUB_1, REMOTE, .ttl = 1), udp(4009, 53), bytes(12));
	struct pkt gre_told = pkt(to_host6_b(.tos = 0xc0), gre(), ip4(GW_PUB, PUB_1, .tos = 0xc0, .df = true), icmp(11, 0),
				  raw(gre_out.data + 58, 40));

	expect_answered(out, IF_PRIV, told, TTL_EXCEEDED);
	expect_answered(gre_out, IF_PRIV, gre_told, TTL_EXCEEDED);
}

Test(xdp_ip6, too_big_for_the_tunnel)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .df = true), udp(53, 4003), bytes(1433));
	struct pkt fits = pkt(from_router, ip4(REMOTE, PUB_1, .df = true), udp(53, 4003), bytes(1432));
	struct pkt tunnelled = pkt(to_host6_a(), ip4(REMOTE, PUB_1, .df = true, .ttl = 63), udp(53, 4003), bytes(1432));
	struct pkt told = icmp_to_router(REMOTE, 3, 4, 1460, in, 548);

	expect_tunnelled(fits, tunnelled, slot_a);
	expect_answered(in, IF_PUB, told, TOO_BIG);
}

Test(xdp_ip6, without_df_the_kernel_fragments_it)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4003), bytes(1433));

	expect_run(in, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL, .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

Test(xdp_ip6, an_echo_to_the_shared_address_is_answered)
{
	struct pkt ask = pkt(from_host6_a(), ip4(PUB_1, PUB_1, .ttl = 9), echo_request(5), text("ping"));
	struct pkt told = pkt(to_host6_a(.flow = 1), ip4(PUB_1, PUB_1), echo_reply(5), text("ping"));

	memcpy(told.data + 14, ask.data + 14, 4); /* the label is left as it is */
	expect_run(ask, .iface = IF_PRIV, .action = XDP_TX, .want = &told, .counts = { { RSIP_CNT_ECHO_ANSWERED, 1 } },
		   .in_slot = slot_a, .out_slot = slot_a, .bytes = 32);
}

/* ---- from host to host ------------------------------------------------------------------------- */

Test(xdp_ip6, hairpin_between_the_families)
{
	struct pkt out = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(4017, 4003), text("4 to 6"));
	struct pkt back = pkt(from_host6_a(), ip4(PUB_1, PUB_1), udp(4003, 4017), text("6 to 4"));
	struct pkt there = pkt(to_host6_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4017, 4003), text("4 to 6"));
	struct pkt here = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4003, 4017), text("6 to 4"));

	expect_hairpin(out, there, slot_4, slot_a);
	expect_hairpin(back, here, slot_a, slot_4);
}

Test(xdp_ip6, hairpin_between_the_tunnel_types)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, PUB_1), udp(4003, 4009), text("to GRE"));
	struct pkt back = pkt(from_host6_b(), gre(), ip4(PUB_1, PUB_1), udp(4009, 4003), text("from GRE"));
	struct pkt four = pkt(from_host_a(), ip4(PUB_1, PUB_1), udp(4017, 4009), text("4 to GRE"));
	struct pkt gre_four = pkt(from_host6_b(), gre(), ip4(PUB_1, PUB_1), udp(4009, 4017), text("GRE to 4"));
	struct pkt there = pkt(to_host6_b(), gre(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4003, 4009), text("to GRE"));
	struct pkt here = pkt(to_host6_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4009, 4003), text("from GRE"));
	struct pkt four_there = pkt(to_host6_b(), gre(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4017, 4009), text("4 to GRE"));
	struct pkt four_here = pkt(to_host_a(), ip4(PUB_1, PUB_1, .ttl = 63), udp(4009, 4017), text("GRE to 4"));

	expect_hairpin(out, there, slot_a, slot_b);
	expect_hairpin(back, here, slot_b, slot_a);
	expect_hairpin(four, four_there, slot_4, slot_b);
	expect_hairpin(gre_four, four_here, slot_b, slot_4);
}

/* ---- next hops, ends --------------------------------------------------------------------------- */

Test(xdp_ip6, a_host_that_has_gone)
{
	struct pkt out = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(4003, 53), text("late"));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4003, 53), text("late"));

	expect_sent(out, sent, slot_a);
	given_end_of(slot_a);
	expect_dropped(out, IF_PRIV, LOCAL_PORT_UNALLOWED);
	gateway_dp()->ops->host6_drop(gateway_dp(), RSIP_HOST6_INDEX(host_a));
	expect_dropped(out, IF_PRIV, LOCAL_PORT_UNALLOWED);
}

/* Its number is not given out before a grace period has passed, and then to the next host. */
Test(xdp_ip6, the_next_host_with_the_same_number)
{
	struct pkt old = pkt(from_host6_a(), ip4(PUB_1, REMOTE), udp(4030, 53), text("old"));
	struct pkt new = pkt(eth(MAC_HOST6, MAC_GW_PRIV), ip6(STRANGER6, GW6_PRIV), ip4(PUB_1, REMOTE), udp(4030, 53));
	struct pkt sent = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(4030, 53));
	__be32 fresh = 0;
	uint32_t slot;

	given_end_of(slot_a);
	gateway_dp()->ops->host6_drop(gateway_dp(), RSIP_HOST6_INDEX(host_a));
	for (int i = 0; i < 12; i++) { /* numbers that were never used come first */
		char addr[17] = CAST_NET6("\x01") "\x01";

		addr[15] = (char)i;
		given_host6(addr);
	}
	fresh = given_host6(STRANGER6);
	cr_assert_eq(fresh, host_a);
	slot = given_binding(fresh, PUB_1, ports(4030, 1));
	expect_dropped(old, IF_PRIV, NOT_OWNER);
	expect_sent(new, sent, slot);
}

Test(xdp_ip6, no_next_hop_and_no_kernel_that_knows_it)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4040), text("hello"));

	given_binding(host_a, PUB_1, ports(4040, 1), .no_nexthop = true);
	expect_dropped(in, IF_PUB, NO_NEXT_HOP);
}

/* ---- from the slow-path device ------------------------------------------------------------------ */

Test(xdp_ip6, a_packet_that_the_kernel_has_put_together)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), bytes(900));
	struct pkt tunnelled = pkt(to_host6_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), bytes(900));

	expect_run(in, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL, .action = XDP_REDIRECT,
		   .want = &tunnelled, .in_slot = slot_a, .bytes = 928,
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 }, { RSIP_CNT_ENCAPSULATED_BYTES, 928 } });
}

/* ---- cut at every byte --------------------------------------------------------------------------- */

static void cut_everywhere(struct pkt whole)
{
	for (uint32_t len = 14; len < whole.len; len++) {
		uint64_t sent = gateway_counter(RSIP_CNT_DECAPSULATED) + gateway_counter(RSIP_CNT_HAIRPINNED);
		const struct ran *ran = gateway_run(IF_PRIV, whole.data, len);

		cr_expect(ran->action == XDP_PASS || ran->action == XDP_DROP, "cut at %u of %u: action %u", len, whole.len,
			  ran->action);
		cr_expect_eq(gateway_counter(RSIP_CNT_DECAPSULATED) + gateway_counter(RSIP_CNT_HAIRPINNED), sent);
		cr_expect(ran->action != XDP_PASS || !memcmp(ran->data, whole.data, len), "cut at %u: passed, but touched", len);
	}
	cr_expect_eq(gateway_run(IF_PRIV, whole.data, whole.len)->action, XDP_REDIRECT);
}

Test(xdp_ip6, cut_at_every_byte)
{
	cut_everywhere(pkt(from_host6_a(), ip4(PUB_1, REMOTE), tcp(4003, 443), text("hello")));
	cut_everywhere(pkt(from_host6_a(.proto = 60), LIMIT_OPTION, ip4(PUB_1, REMOTE), udp(4003, 53), text("hello")));
	cut_everywhere(pkt(from_host6_b(), gre(.key = true), ip4(PUB_1, REMOTE), udp(4009, 53), text("hello")));
	cut_everywhere(pkt(from_host6_b(), gre(), ip4(PUB_1, PUB_1), udp(4009, 4003), text("hairpin")));
}
