// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The host's end of the tunnel, where it is BPF programs: whole packets in and out of each.  Cast: HOST_A (HOST6_A over
 * IPv6) is us; PUB_1 is leased, by way of GW_PRIV (GW6_PRIV).
 */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include "pkt.h"
#include "tun.h"
#include "rsip_tun.skel.h" /* after tun.h, whose types it uses */

#define UNSPEC 0xffffffffu /* the kernel's business */
#define MAC_APP "\x02\x00\x00\x00\x0b\x01"
#define MAC_DEV "\x02\x00\x00\x00\x0b\x02"
#define to_app eth(MAC_DEV, MAC_APP)
#define from_app eth(MAC_APP, MAC_DEV)
#define by_gateway(...) eth(MAC_GW_PRIV, MAC_HOST_A), ip4(GW_PRIV, HOST_A, __VA_ARGS__)
#define by_gateway6(...) eth(MAC_GW_PRIV, MAC_HOST6), ip6(GW6_PRIV, HOST6_A, __VA_ARGS__)
#define by_us(...) eth(MAC_APP, MAC_DEV), ip4(HOST_A, GW_PRIV, __VA_ARGS__) /* the kernel writes the link's addresses */
#define by_us6(...) eth(MAC_APP, MAC_DEV), ip6(HOST6_A, GW6_PRIV, __VA_ARGS__)
#define a_router eth(MAC_STRANGER, MAC_HOST_A), ip4(STRANGER, HOST_A)

static struct rsip_tun_bpf *tun;

static void end_of(union rsip_tun_end *end, __be32 v4, const char *v6)
{
	if (v6)
		memcpy(end->v6, v6, sizeof(end->v6));
	else
		end->v4 = v4;
}

static void given_tunnel(bool v6, bool gre)
{
	struct rsip_tun_config cfg = {.v6 = v6, .gre = gre, .nic = 1, .dev = 1};
	struct rsip_tun_addr to = {0};
	__be32 leased = PUB_1;

	end_of(&cfg.private_addr, HOST_A, v6 ? HOST6_A : NULL);
	end_of(&to.endpoint, GW_PRIV, v6 ? GW6_PRIV : NULL);
	memcpy(cfg.app_mac, MAC_APP, 6);
	memcpy(cfg.dev_mac, MAC_DEV, 6);
	tun = rsip_tun_bpf__open();
	cr_assert_not_null(tun);
	memcpy((void *)&tun->rodata->rsip_tun_cfg, &cfg, sizeof(cfg));
	if (rsip_tun_bpf__load(tun) == -EPERM)
		cr_skip_test("needs CAP_BPF: run as root");
	cr_assert_eq(bpf_map_update_elem(bpf_map__fd(tun->maps.rsip_tun_addrs), &leased, &to, BPF_ANY), 0);
}

static void tunnel_gone(void)
{
	rsip_tun_bpf__destroy(tun);
	tun = NULL;
}

TestSuite(client_tun, .fini = tunnel_gone);

static uint64_t counter(uint32_t which)
{
	static uint64_t row[1024];
	int cpus = libbpf_num_possible_cpus();
	uint64_t sum = 0;

	cr_assert_leq(cpus, 1024);
	cr_assert_eq(bpf_map_lookup_elem(bpf_map__fd(tun->maps.rsip_tun_counts), &which, row), 0);
	for (int i = 0; i < cpus; i++)
		sum += row[i];
	return sum;
}

struct outcome {
	uint32_t verdict;
	const struct pkt *want; /* NULL: as it came */
	uint32_t counted; /* this one by one more, and besides it only packets and bytes; 0: none */
};

/* What is any in an outer header of ours: an identification by chance and its checksum; a flow label. */
static void forget_chance(uint8_t *frame, uint32_t len)
{
	if (len >= 54 && frame[12] == 0x86) {
		frame[15] &= 0xf0;
		memset(frame + 16, 0, 2);
	}
	if (len >= 34 && frame[12] == 8 && frame[14] == 0x45) {
		memset(frame + 18, 0, 2);
		memset(frame + 24, 0, 2);
	}
}

static void run(const struct bpf_program *prog, struct pkt in, const struct outcome *o, int line)
{
	static uint8_t out[PKT_MAX];
	uint64_t before[RSIP_TUN_COUNTERS];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in.data, .data_size_in = in.len, .data_out = out,
		    .data_size_out = sizeof(out), .repeat = 1);
	struct pkt want = o->want ? *o->want : in;
	char *differ;

	for (uint32_t i = 0; i < RSIP_TUN_COUNTERS; i++)
		before[i] = counter(i);
	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0, "line %d: %s", line, strerror(errno));
	cr_expect_eq(opts.retval, o->verdict, "line %d: verdict %d, want %d", line, opts.retval, o->verdict);
	if (prog == tun->progs.rsip_tun_out || prog == tun->progs.rsip_tun_out6) {
		forget_chance(out, opts.data_size_out);
		forget_chance(want.data, want.len);
	}
	differ = pkt_difference(&want, out, opts.data_size_out);
	cr_expect_null(differ, "line %d:\n%s", line, differ);
	free(differ);
	for (uint32_t i = RSIP_TUN_OUT_NOT_LEASED; i < RSIP_TUN_COUNTERS; i++)
		cr_expect_eq(counter(i) - before[i], i == o->counted, "line %d: counter %u", line, i);
}

#define IN(in, ...) run(tun->progs.rsip_tun_in, in, &(const struct outcome){ __VA_ARGS__ }, __LINE__)
#define IN6(in, ...) run(tun->progs.rsip_tun_in6, in, &(const struct outcome){ __VA_ARGS__ }, __LINE__)
#define OUT(in, ...) run(tun->progs.rsip_tun_out, in, &(const struct outcome){ __VA_ARGS__ }, __LINE__)
#define OUT6(in, ...) run(tun->progs.rsip_tun_out6, in, &(const struct outcome){ __VA_ARGS__ }, __LINE__)
#define kernels .verdict = UNSPEC
#define taken(p) .verdict = TC_ACT_REDIRECT, .want = &(p)
#define dropped(why) .verdict = TC_ACT_SHOT, .counted = (why)

/* ---- in and out --------------------------------------------------------------------------------------------- */

Test(client_tun, ipip_there_and_back)
{
	struct pkt app = pkt(from_app, ip4(PUB_1, REMOTE, .tos = 0xb9, .df = true), udp(4000, 53), text("hello"));
	struct pkt wire = pkt(by_us(.tos = 0xb9, .df = true), ip4(PUB_1, REMOTE, .tos = 0xb9, .df = true), udp(4000, 53), text("hello"));
	struct pkt in = pkt(by_gateway(), ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));
	struct pkt given = pkt(to_app, ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));

	given_tunnel(false, false);
	OUT(app, taken(wire));
	IN(in, taken(given));
	cr_expect_eq(counter(RSIP_TUN_OUT_PACKETS), 1);
	cr_expect_eq(counter(RSIP_TUN_OUT_BYTES), 33);
	cr_expect_eq(counter(RSIP_TUN_IN_PACKETS), 1);
	cr_expect_eq(counter(RSIP_TUN_IN_BYTES), 33);
}

Test(client_tun, gre_there_and_back)
{
	struct pkt app = pkt(from_app, ip4(PUB_1, REMOTE), udp(4000, 53), text("hello"));
	struct pkt wire = pkt(by_us(), gre(), ip4(PUB_1, REMOTE), udp(4000, 53), text("hello"));
	struct pkt in = pkt(by_gateway(), gre(), ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));
	struct pkt given = pkt(to_app, ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));
	struct pkt keyed = pkt(by_gateway(), gre(.key = true), ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));

	given_tunnel(false, true);
	OUT(app, taken(wire));
	IN(in, taken(given));
	IN(keyed, kernels);
}

Test(client_tun, ipip_over_ipv6)
{
	struct pkt app = pkt(from_app, ip4(PUB_1, REMOTE, .tos = 0xb9), udp(4000, 53), text("hello"));
	struct pkt wire = pkt(by_us6(.tos = 0xb9), ip4(PUB_1, REMOTE, .tos = 0xb9), udp(4000, 53), text("hello"));
	struct pkt in = pkt(by_gateway6(), ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));
	struct pkt given = pkt(to_app, ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));

	given_tunnel(true, false);
	OUT6(app, taken(wire));
	IN6(in, taken(given));
}

Test(client_tun, gre_over_ipv6)
{
	struct pkt app = pkt(from_app, ip4(PUB_1, REMOTE), udp(4000, 53), text("hello"));
	struct pkt wire = pkt(by_us6(), gre(), ip4(PUB_1, REMOTE), udp(4000, 53), text("hello"));
	struct pkt in = pkt(by_gateway6(), gre(), ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));
	struct pkt given = pkt(to_app, ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"));

	given_tunnel(true, true);
	OUT6(app, taken(wire));
	IN6(in, taken(given));
}

/* ---- whose it is -------------------------------------------------------------------------------------------- */

Test(client_tun, a_source_that_is_not_leased_does_not_leave)
{
	struct pkt app = pkt(from_app, ip4(PUB_2, REMOTE), udp(4000, 53), text("hello"));

	given_tunnel(false, false);
	OUT(app, dropped(RSIP_TUN_OUT_NOT_LEASED));
}

Test(client_tun, only_the_gateway_s_for_a_leased_address_comes_in)
{
	struct pkt stranger = pkt(eth(MAC_STRANGER, MAC_HOST_A), ip4(STRANGER, HOST_A), ip4(REMOTE, PUB_1), udp(53, 4000));
	struct pkt other = pkt(by_gateway(), ip4(REMOTE, PUB_2), udp(53, 4000));
	struct pkt not_us = pkt(eth(MAC_GW_PRIV, MAC_HOST_A), ip4(GW_PRIV, HOST_B), ip4(REMOTE, PUB_1), udp(53, 4000));
	struct pkt plain = pkt(by_gateway(), udp(53, 4000), bytes(40));
	struct pkt grey = pkt(by_gateway(), gre(), ip4(REMOTE, PUB_1), udp(53, 4000));

	given_tunnel(false, false);
	IN(stranger, kernels);
	IN(other, kernels, .counted = RSIP_TUN_IN_NOT_LEASED);
	IN(not_us, kernels);
	IN(plain, kernels);
	IN(grey, kernels);
}

/* The kernel puts them together; the client's raw socket gets the rest. */
Test(client_tun, fragments_of_tunnel_packets_are_the_kernel_s)
{
	struct pkt first = pkt(by_gateway(.mf = true), ip4(REMOTE, PUB_1), udp(53, 4000), bytes(64));
	struct pkt last = pkt(by_gateway(.frag = 100), bytes(64));

	given_tunnel(false, false);
	IN(first, kernels);
	IN(last, kernels);
}

/* ---- congestion (RFC 6040 4.2, figure 4) ------------------------------------------------------------------- */

Test(client_tun, each_pair_of_ecn_fields)
{
	static const int after[4][4] = { /* outer: Not-ECT, ECT(1), ECT(0), CE */
		{ 0, 0, 0, -1 }, /* inner Not-ECT */
		{ 1, 1, 1, 3 }, /* inner ECT(1) */
		{ 2, 1, 2, 3 }, /* inner ECT(0) */
		{ 3, 3, 3, 3 }, /* inner CE */
	};

	given_tunnel(false, false);
	for (uint8_t dscp = 0; dscp < 64; dscp += 21)
		for (int inner = 0; inner < 4; inner++)
			for (int outer = 0; outer < 4; outer++) {
				int ecn = after[inner][outer];
				struct pkt in = pkt(by_gateway(.tos = outer), ip4(REMOTE, PUB_1, .tos = dscp << 2 | inner), udp(53, 4000));
				struct pkt given = pkt(to_app, ip4(REMOTE, PUB_1, .tos = dscp << 2 | ecn), udp(53, 4000));

				if (ecn < 0)
					IN(in, dropped(RSIP_TUN_IN_ECN));
				else
					IN(in, taken(given));
			}
}

Test(client_tun, ecn_over_ipv6)
{
	struct pkt ect1 = pkt(by_gateway6(.tos = 1), ip4(REMOTE, PUB_1, .tos = 2), udp(53, 4000));
	struct pkt given = pkt(to_app, ip4(REMOTE, PUB_1, .tos = 1), udp(53, 4000));
	struct pkt ce = pkt(by_gateway6(.tos = 3), ip4(REMOTE, PUB_1), udp(53, 4000));

	given_tunnel(true, false);
	IN6(ect1, taken(given));
	IN6(ce, dropped(RSIP_TUN_IN_ECN));
}

/* ---- too big for the way to the gateway ------------------------------------------------------------------- */

#define INNER ip4(PUB_1, REMOTE, .df = true), tcp(4000, 443), bytes(100)

Test(client_tun, fragmentation_needed_reaches_who_sent_the_inner_packet)
{
	struct pkt in = pkt(a_router, frag_needed(1400), ip4(HOST_A, GW_PRIV, .df = true), INNER);
	struct pkt told = pkt(to_app, ip4(REMOTE, PUB_1), frag_needed(1380), INNER);
	struct pkt other = pkt(a_router, frag_needed(1400), ip4(HOST_A, STRANGER, .df = true), INNER);
	struct pkt not_leased = pkt(a_router, frag_needed(1400), ip4(HOST_A, GW_PRIV, .df = true), ip4(PUB_2, REMOTE), udp(1, 2), bytes(40));

	given_tunnel(false, false);
	IN(in, taken(told), .counted = RSIP_TUN_IN_TOO_BIG);
	IN(other, kernels);
	IN(not_leased, kernels);
}

Test(client_tun, fragmentation_needed_about_gre)
{
	struct pkt in = pkt(a_router, frag_needed(1400), ip4(HOST_A, GW_PRIV, .df = true), gre(), INNER);
	struct pkt told = pkt(to_app, ip4(REMOTE, PUB_1), frag_needed(1376), INNER);

	given_tunnel(false, true);
	IN(in, taken(told), .counted = RSIP_TUN_IN_TOO_BIG);
}

/* Packet too big about what is behind the Ethernet header of `about`. */
static struct pkt packet_too_big(uint32_t mtu, const struct pkt *about)
{
	return pkt(eth(MAC_STRANGER, MAC_HOST6), ip6(STRANGER6, HOST6_A), too_big6(mtu), raw(about->data + 14, about->len - 14));
}

static void told_over_ipv6(bool gre_too)
{
	struct pkt ipip = pkt(by_us6(), INNER), in_gre = pkt(by_us6(), gre(), INNER);
	const struct pkt *about = gre_too ? &in_gre : &ipip;
	uint16_t front = gre_too ? 44 : 40;
	struct pkt told = pkt(to_app, ip4(REMOTE, PUB_1), frag_needed(1400 - front), INNER);
	struct pkt in = packet_too_big(1400, about), low = packet_too_big(1279, about);
	struct pkt high = packet_too_big(65536 + 1400, about);

	given_tunnel(true, gre_too);
	IN6(in, taken(told), .counted = RSIP_TUN_IN_TOO_BIG);
	IN6(low, kernels);
	IN6(high, kernels);
}

Test(client_tun, packet_too_big_over_ipv6)
{
	told_over_ipv6(false);
}

Test(client_tun, packet_too_big_over_ipv6_about_gre)
{
	told_over_ipv6(true);
}

Test(client_tun, packet_too_big_about_what_is_not_ours)
{
	struct pkt other = pkt(eth(MAC_APP, MAC_DEV), ip6(HOST6_A, STRANGER6), INNER);
	struct pkt not_us = pkt(eth(MAC_APP, MAC_DEV), ip6(HOST6_B, GW6_PRIV), INNER);
	struct pkt not_leased = pkt(by_us6(), ip4(PUB_2, REMOTE), tcp(4000, 443), bytes(100));

	given_tunnel(true, false);
	IN6(packet_too_big(1400, &other), kernels);
	IN6(packet_too_big(1400, &not_us), kernels);
	IN6(packet_too_big(1400, &not_leased), kernels);
}

/* ---- what the kernel put together, as a raw socket has it: from the IP header on --------------------------------- */

static void whole(const struct pkt *p, uint32_t want, int line)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = p->data, .data_size_in = p->len, .repeat = 1);

	cr_assert_eq(bpf_prog_test_run_opts(bpf_program__fd(tun->progs.rsip_tun_whole), &opts), 0);
	cr_expect_eq(opts.retval, want, "line %d: %u bytes, want %u", line, opts.retval, want);
}
#define WHOLE(p, want) whole(&(p), want, __LINE__)

Test(client_tun, whole_packets_are_the_gateway_s_for_a_leased_address)
{
	struct pkt ours = pkt(by_gateway(), ip4(REMOTE, PUB_1), udp(53, 4000), bytes(2000));
	struct pkt options = pkt(by_gateway(.options = "\x94\x04\0\0", .options_len = 4), ip4(REMOTE, PUB_1), udp(53, 4000));
	struct pkt stranger = pkt(eth(MAC_STRANGER, MAC_HOST_A), ip4(STRANGER, HOST_A), ip4(REMOTE, PUB_1), udp(53, 4000));
	struct pkt other = pkt(by_gateway(), ip4(REMOTE, PUB_2), udp(53, 4000));

	given_tunnel(false, false);
	WHOLE(ours, ours.len - 14);
	WHOLE(options, options.len - 14);
	WHOLE(stranger, 0);
	WHOLE(other, 0);
}

Test(client_tun, whole_gre)
{
	struct pkt ours = pkt(by_gateway(), gre(), ip4(REMOTE, PUB_1), udp(53, 4000), bytes(2000));
	struct pkt keyed = pkt(by_gateway(), gre(.key = true), ip4(REMOTE, PUB_1), udp(53, 4000));

	given_tunnel(false, true);
	WHOLE(ours, ours.len - 14);
	WHOLE(keyed, 0);
}

/* ---- cut short ------------------------------------------------------------------------------------------------- */

Test(client_tun, cut_short_at_every_byte_is_the_kernel_s_or_dropped)
{
	struct pkt in = pkt(by_gateway(), ip4(REMOTE, PUB_1), udp(53, 4000)), app = pkt(from_app, ip4(PUB_1, REMOTE), udp(4000, 53));
	LIBBPF_OPTS(bpf_test_run_opts, opts, .repeat = 1);

	given_tunnel(false, false);
	for (uint32_t len = 14; len < 54; len++) {
		opts.data_in = in.data;
		opts.data_size_in = len;
		if (!bpf_prog_test_run_opts(bpf_program__fd(tun->progs.rsip_tun_in), &opts))
			cr_expect_eq(opts.retval, UNSPEC, "%u bytes in", len);
	}
	for (uint32_t len = 14; len < 34; len++) {
		opts.data_in = app.data;
		opts.data_size_in = len;
		if (!bpf_prog_test_run_opts(bpf_program__fd(tun->progs.rsip_tun_out), &opts))
			cr_expect_eq(opts.retval, TC_ACT_SHOT, "%u bytes out", len);
	}
}
