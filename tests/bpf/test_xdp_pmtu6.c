// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Path MTU toward hosts with IPv6 addresses (RFC 8201, RFC 2473 7.1): what a router says of a tunnel packet is reported, if it
 * can be true; and what a lower MTU in the host's record does to its packets.  STRANGER6 plays the router.
 */
#include <string.h>
#include "gateway.h"

static __be32 host_a, host_b;

static void pmtu6_up(void)
{
	gateway_up();
	host_a = given_host6(HOST6_A);
	host_b = given_host6(HOST6_B);
}

TestSuite(xdp_pmtu6, .init = pmtu6_up, .fini = gateway_down);

static struct rsip_event got[16];

/* A packet as it lies in the tunnel to host A, of 1,488 bytes; its inner packet begins 40 bytes behind. */
#define TUNNELLED() pkt(to_host6_a(), ip4(REMOTE, PUB_1, .df = true), tcp(443, 4003), bytes(1408))
/* The router's message about it, with n bytes of it. */
#define TOLD(mtu, about, n) TOLD_TO(GW6_PRIV, mtu, about, n)
#define TOLD_TO(to, mtu, about, n)                                                                                     \
	pkt(eth(MAC_STRANGER, MAC_GW_PRIV), ip6(STRANGER6, to), too_big6(mtu), raw((about).data + 14, n))

static void expect_report(const struct pkt *in, __be32 host, __be32 local, uint16_t mtu, uint16_t len, uint8_t proto)
{
	expect_passed(*in, IF_PRIV);
	cr_assert_eq(gateway_events(got), 1);
	cr_expect_eq(got[0].reason, RSIP_REPORT_PMTU);
	cr_expect_eq(got[0].host, host);
	cr_expect_eq(got[0].local, local);
	cr_expect_eq(got[0].remote, 0);
	cr_expect_eq(got[0].endpoint, 0);
	cr_expect_eq(got[0].mtu, mtu);
	cr_expect_eq(got[0].len, len);
	cr_expect_eq(got[0].proto, proto);
	cr_expect_eq(got[0].iface, IF_PRIV);
}

/* It is the kernel's as any ICMPv6 to the machine is, and rsipd hears nothing. */
static void expect_no_report(struct pkt in, int side, const char *what)
{
	expect_passed(in, side);
	cr_expect_eq(gateway_events(got), 0, "%s", what);
}

Test(xdp_pmtu6, a_router_quotes_as_much_as_1280_bytes_hold)
{
	struct pkt about = TUNNELLED(), in = TOLD(1400, about, 1232);

	cr_assert_eq(in.len, 14 + 1280);
	expect_report(&in, host_a, PUB_1, 1400, 1488, 4);
}

Test(xdp_pmtu6, eight_bytes_behind_the_outer_header_are_enough_and_name_only_the_host)
{
	struct pkt about = TUNNELLED(), in = TOLD(1400, about, 48), edge = TOLD(1399, about, 59), inner = TOLD(1398, about, 60);

	expect_report(&in, host_a, 0, 1400, 1488, 4);
	expect_report(&edge, host_a, 0, 1399, 1488, 4);
	expect_report(&inner, host_a, PUB_1, 1398, 1488, 4);
}

Test(xdp_pmtu6, in_gre_the_inner_header_is_four_bytes_later)
{
	struct pkt about = pkt(to_host6_b(), gre(), ip4(REMOTE, PUB_2), tcp(443, 4003), bytes(1400));
	struct pkt all = TOLD(1400, about, 64), less = TOLD(1399, about, 63);

	expect_report(&all, host_b, PUB_2, 1400, 1484, 47);
	expect_report(&less, host_b, 0, 1399, 1484, 47);
}

/* RFC 8201 4: what says less than every link must take is discarded. */
Test(xdp_pmtu6, from_1280_to_what_it_did_not_fit)
{
	struct pkt about = TUNNELLED(), least = TOLD(1280, about, 60), less = TOLD(1279, about, 60), none = TOLD(0, about, 60);
	struct pkt most = TOLD(1487, about, 60), fits = TOLD(1488, about, 60), wraps = TOLD(0x10000 + 1400, about, 60);

	expect_report(&least, host_a, PUB_1, 1280, 1488, 4);
	expect_report(&most, host_a, PUB_1, 1487, 1488, 4);
	expect_no_report(less, IF_PRIV, "1279");
	expect_no_report(none, IF_PRIV, "0");
	expect_no_report(fits, IF_PRIV, "it fits");
	expect_no_report(wraps, IF_PRIV, "more than any link has");
}

Test(xdp_pmtu6, what_cannot_be_about_a_tunnel_packet_of_ours_is_not_reported)
{
	struct pkt about = TUNNELLED();
	struct pkt of_host = pkt(from_host6_a(), ip4(PUB_1, REMOTE), tcp(4003, 443), bytes(1400));
	struct pkt no_tunnel = pkt(to_host6_a(.proto = 17), bytes(1440));
	struct pkt extended = pkt(to_host6_a(.proto = 60), raw("\x04\0\x04\x01\x04\x01\x01\0", 8), ip4(REMOTE, PUB_1),
				  tcp(443, 4003), bytes(1400));
	struct pkt version = pkt(to_host6_a(.version = 4), ip4(REMOTE, PUB_1), tcp(443, 4003), bytes(1400));
	struct pkt nobody = pkt(eth(MAC_GW_PRIV, MAC_HOST6), ip6(GW6_PRIV, STRANGER6), ip4(REMOTE, PUB_1), tcp(443, 4003),
				bytes(1400));
	struct pkt other_end = pkt(eth(MAC_GW_PRIV, MAC_HOST6), ip6(GW6_PRIV2, HOST6_A), ip4(REMOTE, PUB_1), tcp(443, 4003),
				   bytes(1400));
	struct pkt to_public = pkt(from_router, ip6(STRANGER6, GW6_PRIV), too_big6(1400), raw(about.data + 14, 60));

	expect_no_report(TOLD(1400, of_host, 60), IF_PRIV, "a host's own");
	expect_no_report(TOLD(1400, no_tunnel, 60), IF_PRIV, "UDP");
	expect_no_report(TOLD(1400, extended, 68), IF_PRIV, "an extension header");
	expect_no_report(TOLD(1400, version, 60), IF_PRIV, "another version");
	expect_no_report(TOLD(1400, nobody, 60), IF_PRIV, "to nobody");
	expect_no_report(TOLD(1400, other_end, 60), IF_PRIV, "from another endpoint");
	expect_no_report(TOLD(1400, about, 47), IF_PRIV, "less than 8 bytes");
	expect_no_report(TOLD_TO(GW6_PRIV2, 1400, about, 60), IF_PRIV, "to another endpoint");
	expect_no_report(to_public, IF_PUB, "on the public side");
}

Test(xdp_pmtu6, other_messages_and_damaged_ones_are_not_reported)
{
	struct pkt about = TUNNELLED(), broken = TOLD(1400, about, 1000), address = broken, odd = TOLD(1400, about, 61);
	struct pkt unreachable = TOLD(1400, about, 60), code = TOLD(1400, about, 60), elsewhere = TOLD(1400, about, 60);
	struct pkt broadcast = pkt(eth(MAC_STRANGER, MAC_ALL), ip6(STRANGER6, GW6_PRIV), too_big6(1400), raw(about.data + 14, 60));

	broken.data[14 + 40 + 8 + 700] ^= 1; /* far behind all that is looked at */
	address.data[14 + 8 + 15] ^= 1; /* the sum covers the sender, too */
	unreachable.data[54]--, unreachable.data[56]++;
	code.data[55]++, code.data[57]--;
	elsewhere.data[5] ^= 1; /* another MAC address than the interface's */
	expect_no_report(broken, IF_PRIV, "damaged");
	expect_no_report(address, IF_PRIV, "from another");
	expect_no_report(unreachable, IF_PRIV, "type 1");
	expect_no_report(code, IF_PRIV, "code 1");
	if (has_ethernet()) {
		expect_no_report(elsewhere, IF_PRIV, "not to us");
		expect_no_report(broadcast, IF_PRIV, "to all");
	}
	expect_report(&odd, host_a, PUB_1, 1400, 1488, 4);
}

Test(xdp_pmtu6, cut_short_at_every_byte_it_is_reported_or_left_alone)
{
	struct pkt about = TUNNELLED(), frame = TOLD(1400, about, 60);

	for (uint32_t n = 0; n <= 80; n++) {
		struct pkt in = TOLD((uint32_t)(1300 + n), about, n);

		expect_passed(in, IF_PRIV);
		cr_expect_eq(gateway_events(got), n >= 48, "%u bytes quoted", n);
		if (n >= 48)
			cr_expect_eq(got[0].local, n >= 60 ? PUB_1 : 0, "%u bytes quoted", n);
	}
	for (uint32_t len = 14; len < frame.len; len++) {
		cr_expect_eq(gateway_run(IF_PRIV, frame.data, len)->action, XDP_PASS);
		cr_expect_eq(gateway_events(got), 0, "frame cut at %u", len);
	}
}

/* ---- what a lower MTU does ------------------------------------------------------------------------------------------- */

static uint32_t given_path(uint16_t mtu, uint8_t tunnel)
{
	uint32_t slot = given_binding(host_a, PUB_1, ports(4000, 8), .tunnel = tunnel);

	cr_assert_eq(gateway_dp()->ops->bind_mtu(gateway_dp(), slot, mtu), 0);
	return slot;
}

#define IN(n, ...) pkt(from_router, ip4(REMOTE, PUB_1, __VA_ARGS__), udp(53, 4003), bytes((n) - 28))

Test(xdp_pmtu6, with_df_the_sender_hears_the_paths_mtu)
{
	uint32_t slot = given_path(1360, 0);
	struct pkt fits = IN(1360, .df = true), more = IN(1361, .df = true);
	struct pkt want = pkt(to_host6_a(), ip4(REMOTE, PUB_1, .df = true, .ttl = 63), udp(53, 4003), bytes(1332));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1360, more, 548);

	expect_tunnelled(fits, want, slot);
	expect_answered(more, IF_PUB, answer, TOO_BIG);
}

/* Nobody on the way would fragment the tunnel packet: the inner one is fragmented here. */
Test(xdp_pmtu6, without_df_the_kernel_fragments_what_the_path_does_not_take)
{
	uint32_t slot = given_path(1360, 0);
	struct pkt fits = IN(1360), more = IN(1361);
	struct pkt want = pkt(to_host6_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4003), bytes(1332));

	expect_tunnelled(fits, want, slot);
	expect_run(more, .iface = IF_PUB, .action = XDP_PASS, .mark = RSIP_MARK_POOL,
		   .counts = { { RSIP_CNT_SLOW_PATH, 1 } });
}

/* Cut for the least that an IPv6 path takes, they fit on all. */
Test(xdp_pmtu6, fragments_that_the_kernel_made_fit_on_every_path)
{
	uint32_t slot = given_path(1236, 2);
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1, .mf = true), udp(53, 4003, .total_len = 2000), bytes(1196));
	struct pkt want = pkt(to_host6_a(), gre(), ip4(REMOTE, PUB_1, .mf = true), udp(53, 4003, .total_len = 2000), bytes(1196));

	cr_assert_eq(inner_len(&want), 1224);
	expect_run(in, .iface = IF_SLOW, .from = IF_PUB, .with_mark = RSIP_MARK_POOL, .action = XDP_REDIRECT,
		   .want = &want, .in_slot = slot, .bytes = 1224,
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 }, { RSIP_CNT_ENCAPSULATED_BYTES, 1224 } });
}

Test(xdp_pmtu6, gre_has_four_bytes_less)
{
	uint32_t slot = given_path(1356, 2);
	struct pkt fits = IN(1356, .df = true), more = IN(1357, .df = true);
	struct pkt want = pkt(to_host6_a(), gre(), ip4(REMOTE, PUB_1, .df = true, .ttl = 63), udp(53, 4003), bytes(1328));
	struct pkt answer = icmp_to_router(REMOTE, 3, 4, 1356, more, 548);

	expect_tunnelled(fits, want, slot);
	expect_answered(more, IF_PUB, answer, TOO_BIG);
}

Test(xdp_pmtu6, a_hairpin_to_that_host_obeys_it)
{
	given_binding(HOST_B, PUB_2, ports(4000, 8));
	given_path(1360, 0);
	struct pkt more = pkt(from_host_b(.df = true), ip4(PUB_2, PUB_1, .df = true), udp(4001, 4003), bytes(1333));
	struct pkt answer = pkt(to_host_b(.tos = 0xc0, .df = true), ip4(GW_PUB, PUB_2, .tos = 0xc0, .df = true),
				icmp(3, 4, .rest_lo = 1360), raw(more.data + 34, 528));

	expect_answered(more, IF_PRIV, answer, TOO_BIG);
}
