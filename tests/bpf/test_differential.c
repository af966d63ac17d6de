// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Random packets against random bindings, through the programs and through the reference
 * (tests/support/ reference.h): the same action, bytes, counters and learned claims, or the test
 * shows the packet.  Packets are built from the cast's addresses, ports, SPIs and cookies that
 * matter, then often damaged a little.
 *
 * RSIP_FUZZ_RUNS packets (default 20000) from RSIP_FUZZ_SEED on (default: always the same; `make fuzz` takes another each time);
 * a failure names the seed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gateway.h"
#include "reference.h"
#include "util.h"

#define PACKETS_A_WORLD 400

static struct reference ref;
static __be32 six; /* the handle of HOST6_A */
static uint64_t rnd;
static const struct given *theme; /* most packets are about one binding, or few would find any */

TestSuite(differential);

/* ---- chance ---- */

static uint32_t below(uint32_t n)
{
	rnd ^= rnd << 13;
	rnd ^= rnd >> 7;
	rnd ^= rnd << 17;
	return (uint32_t)(((rnd >> 32) * n) >> 32);
}

static bool one_in(uint32_t n)
{
	return !below(n);
}

#define PICK(type, ...)                                                                            \
	({                                                                                         \
		static const type from[] = {__VA_ARGS__};                                          \
		from[below(sizeof(from) / sizeof(from[0]))];                                       \
	})

static bool to_theme(void)
{
	return theme && !one_in(6);
}

static __be32 some_host(void)
{
	if (to_theme())
		return theme->host;
	if (one_in(4))
		return one_in(8) ? RSIP_HOST6_HANDLE(1000) : six; /* STRANGER6 or HOST6_A */
	return PICK(__be32, HOST_A, HOST_A, HOST_B, HOST_B, HOST_C, STRANGER);
}

static __be32 some_local(void)
{
	if (to_theme())
		return theme->local;
	return PICK(__be32, PUB_1, PUB_1, PUB_1, PUB_2, PUB_2, PUB_IDLE);
}

static __be32 some_remote(void)
{
	if (theme && one_in(2))
		return theme->remote ? theme->remote : REMOTE;
	return PICK(__be32, REMOTE, REMOTE, REMOTE, REMOTE, REMOTE_2, REMOTE_2, ROUTER, UNREACHABLE,
		    GW_PUB, PUB_1, PUB_2, HOST_B, GW_PRIV, NOT_OURS, CAST_IP(224, 0, 0, 5),
		    CAST_IP(127, 0, 0, 1), CAST_IP(0, 1, 2, 3), CAST_IP(255, 255, 255, 255));
}

static uint16_t some_port(void)
{
	if (theme && theme->remote_port_cnt && one_in(2)) /* and one beside each edge */
		return (uint16_t)(theme->remote_port - 1 + below(theme->remote_port_cnt + 2U));
	if (theme && theme->port_cnt && one_in(2))
		return (uint16_t)(theme->port_first + below(theme->port_cnt));
	return PICK(uint16_t, 4000, 4003, 4007, 4008, 4010, 4015, 4016, 4031, 4032, 4175, 4176, 4180, 4183, 500, 500, 4500, 4500, 53,
		    443, 0, 65535);
}

static uint32_t some_spi(void)
{
	if (theme && one_in(3))
		return theme->spi[0].first;
	return PICK(uint32_t, 0xa0000000, 0xa0000003, 0xa0000004, 0xb0000000, 0xb0000005,
		    0xc0000000, 0xd0000003, 0x77, 0);
}

static uint64_t some_cookie(void)
{
	return PICK(uint64_t, 0, 1, 2, 3, 0xa000000100000001, 0xb000000200000001,
		    0xa000000400000009);
}

/* ---- bindings ---- */

static void bind_both(struct given g)
{
	struct ref_binding *b = &ref.bindings[ref.binding_cnt++];

	g.expired = one_in(10);
	if (one_in(5))
		g.remote = one_in(2) ? REMOTE : REMOTE_2;
	if (g.remote && one_in(2)) {
		g.remote_port = (uint16_t)(one_in(2) ? 443 : 50);
		g.remote_port_cnt = (uint16_t)(1 + below(5));
	}
	if (one_in(6))
		g.mtu = 100;
	if (one_in(3))
		g.tunnel = 2;
	if (one_in(3))
		g.dscp = (uint8_t)(RSIP_BIND_DSCP_SET | below(64));
	b->g = g;
	b->slot = gateway_bind(&b->g);
}

static void new_world(void)
{
	memset(&ref, 0, sizeof(ref));
	ref.six = six;
	ref.check_mac = one_in(3);
	given_policy(ref.check_mac ? RSIP_POLICY_CHECK_MAC : 0);
	bind_both((struct given){
		.host = HOST_A, .local = PUB_1, ports(4000, 8), spis(0xa0000000, 4)});
	bind_both((struct given){
		.host = HOST_B, .local = PUB_1, ports(4008, 8), spis(0xb0000000, 8)});
	bind_both((struct given){.host = six, .local = PUB_1, ports(4180, 4), spis(0xd0000000, 4)});
	/* one port, or so many that two blocks are filled */
	bind_both((struct given){.host = HOST_C, .local = PUB_1, ports(4016, one_in(2) ? 1 : 160)});
	if (one_in(2))
		bind_both((struct given){
			.host = one_in(2) ? HOST_B : HOST_C, .local = PUB_2, .whole = true});
	else
		bind_both((struct given){.host = HOST_A, .local = PUB_2, spis(0xc0000000, 1)});
}

static void end_world(void)
{
	for (uint32_t i = 0; i < ref.binding_cnt; i++)
		given_end_of(ref.bindings[i].slot);
	gateway_dp()->ops->housekeep(gateway_dp(), rsip_now_ns());
}

/* ---- packets ---- */

struct layers {
	struct pkt_layer l[16];
	int n;
};

static void add(struct layers *to, struct pkt_layer layer)
{
	cr_assert_lt((size_t)to->n + 1, sizeof(to->l) / sizeof(to->l[0]), "a packet of too many layers"); /* PKT_END has one, too */
	to->l[to->n++] = layer;
}

/* One to ten words, of any content: only of an echo request to us somebody reads them. */
static void add_options(struct pkt_layer *l)
{
	static char room[8][40];
	static uint32_t next;
	char *at = room[next++ % 8];

	for (int i = 0; i < 40; i++)
		at[i] = one_in(3) ? (char)below(256) : PICK(char, 1, 0, 7, 4, (char)131);
	l->options = one_in(2) ? at : "\x94\x04\0\0";
	l->options_len = (uint8_t)(l->options == at ? 4 * (1 + below(10)) : 4);
}

static void add_ip(struct layers *to, __be32 src, __be32 dst)
{
	struct pkt_layer l =
		ip4(src, dst, .ttl = PICK(uint8_t, 64, 64, 64, 64, 64, 255, 2, 1, 0),
		    .tos = (uint8_t)below(256), .id = (uint16_t)below(65536), .df = one_in(3));

	l.ttl_zero = true;
	l.tos = one_in(2) ? 0 : l.tos;
	l.mf = one_in(25);
	l.frag = one_in(25) ? PICK(uint16_t, 3, 1, 185, 8191) : 0;
	if (one_in(12))
		add_options(&l);
	add(to, l);
}

static void add_ike(struct layers *to)
{
	add(to, one_in(3) ? ikev1(some_cookie(), some_cookie(), .non_esp = one_in(2))
			  : ike(some_cookie(), some_cookie(),
				.flags = PICK(uint8_t, 0, 8, 0x20, 0x28), .non_esp = one_in(2)));
}

/* With what hosts may put behind it, and what they may not. */
static void add_ip6(struct layers *to, const char *src, const char *dst, bool is_gre)
{
	static const char limit[][9] = { "\x04\0\x04\x01\x04\x01\x01", "\x2f\0\x04\x01\0\x01\x01" };
	static const char other[][9] = { "\x04\0\x05\x01", "\x04\x01\x04\x01", "\x11\0\x04\x01", "\x04\0\0\x01" };
	struct pkt_layer l = ip6(src, dst, .tos = (uint8_t)below(256), .flow = below(1 << 20));

	l.tos = one_in(2) ? 0 : l.tos;
	l.proto = one_in(6) ? 60 : one_in(20) ? PICK(uint8_t, 0, 43, 44, 58, 59) : 0;
	add(to, l);
	if (l.proto && one_in(8)) /* two of them */
		add(to, raw(PICK(char, 0, 1) ? "\x3c\0\x01\x04\0\0\0" : "\x2c\0\x04\x01\x04\x01\x01", 8));
	if (l.proto)
		add(to, raw(one_in(4) ? other[below(4)] : limit[is_gre], 8));
}

/* The header of the host's tunnel: mostly of the type that its binding has, with any options. */
static void add_tunnel(struct layers *to, __be32 host, __be32 us)
{
	bool is_gre = theme && theme->tunnel == 2;

	if (one_in(8))
		is_gre = !is_gre;
	if (RSIP_HOST6_IS(host) && !one_in(10)) /* the tenth is somebody with the handle as his address */
		add_ip6(to, host == six ? HOST6_A : STRANGER6, us == GW_PRIV ? GW6_PRIV : GW6_PRIV2, is_gre);
	else
		add_ip(to, host, us);
	if (!is_gre)
		return;
	add(to, gre(.csum = one_in(3), .key = one_in(4), .seq = one_in(4),
		    .gre_bits = one_in(12) ? (uint16_t)(1U << below(16)) : 0, .bad_csum = one_in(20),
		    .eth_type = one_in(20) ? 0x86dd : 0));
}

static void add_transport(struct layers *to, bool may_quote);

static void add_query(struct layers *to)
{
	add(to, icmp(PICK(uint8_t, 8, 8, 8, 0, 0, 0, 13, 14, 17, 18), 0, .rest_hi = PICK(uint16_t, 0, 1, 2, 77, 65535),
		     .rest_lo = 1));
}

/* Routers quote all of it, or eight bytes behind the IP header, or what they like. */
static uint32_t quote_len(const struct pkt *p)
{
	uint32_t eight = (p->data[0] & 15U) * 4 + 8;

	if (one_in(4))
		return below(p->len + 1);
	return one_in(2) && eight < p->len ? eight : p->len;
}

static void add_quote(struct layers *to)
{
	struct layers of = {.n = 0};
	static struct pkt quoted;

	add(to, icmp(PICK(uint8_t, 3, 3, 4, 11, 12, 5, 0, 8), 4, .rest_lo = 1400));
	add_ip(&of, one_in(4) ? some_remote() : some_local(),
	       one_in(4) ? some_local() : some_remote());
	if (one_in(3))
		add_query(&of);
	else
		add_transport(&of, false);
	of.l[of.n].kind = PKT_END;
	quoted = pkt_build(of.l);
	add(to, raw(quoted.data, quote_len(&quoted)));
}

/* What most packets are not. */
static void add_odd(struct layers *to)
{
	switch (below(5)) {
	case 0: /* DCCP has its ports where SCTP has them */
		to->l[to->n - 1].proto = 33;
		add(to, sctp(some_port(), some_port()));
		break;
	case 1: /* a NAT keepalive (RFC 3948 2.3), or a little more */
		add(to, udp(4500, PICK(uint16_t, 500, 4500, 4500, 4500)));
		add(to, raw("\xff\0\0\0\0\0", 1 + below(6)));
		break;
	case 2: /* a length that is not the packet's */
		add(to, udp(some_port(), some_port(), .total_len = PICK(uint16_t, 1, 7, 8, 9, 28, 65535)));
		break;
	case 3: /* of any protocol, as short as it may be */
		to->l[to->n - 1].proto = PICK(uint8_t, 1, 1, 2, 4, 6, 17, 33, 41, 47, 50, 51, 89, 132, 136, 255);
		add(to, bytes(below(24)));
		break;
	default:
		add(to, ah(some_spi(), .proto = PICK(uint8_t, 50, 51, 17, 1)));
		add(to, bytes(below(12)));
	}
}

static void add_transport(struct layers *to, bool may_quote)
{
	if (one_in(8))
		return add_odd(to);
	switch (below(may_quote ? 10 : 8)) {
	case 0:
	case 1:
		add(to, tcp(some_port(), some_port()));
		break;
	case 2:
		add(to, udp(some_port(), some_port()));
		break;
	case 3:
		add(to,
		    one_in(2) ? udplite(some_port(), some_port()) : sctp(some_port(), some_port()));
		break;
	case 4:
		add(to, (struct pkt_layer){.kind = PKT_ESP, .spi = some_spi()});
		break;
	case 5:
		add(to, ah(some_spi()));
		if (one_in(2))
			add(to, udp(some_port(), some_port()));
		break;
	case 6:
	case 7:
		add(to, udp(PICK(uint16_t, 500, 4500, 53), PICK(uint16_t, 500, 4500, 53)));
		if (one_in(4))
			add(to, (struct pkt_layer){.kind = PKT_ESP, .spi = some_spi()});
		else
			add_ike(to);
		break;
	default:
		if (one_in(2))
			add_query(to);
		else
			add_quote(to);
	}
	add(to, bytes(one_in(8) ? 0 : one_in(30) ? 1380 + below(160) : below(80)));
}

static struct pkt random_packet(int iface)
{
	struct layers l = {.n = 0};

	if (iface == IF_PUB) {
		add(&l, eth(MAC_ROUTER, one_in(32) ? MAC_VIRTUAL : MAC_GW_PUB));
		if (one_in(64))
			add(&l, vlan_tag(1 + below(4094)));
		add_ip(&l, some_remote(), one_in(10) ? some_remote() : some_local());
	} else {
		__be32 host = some_host(), us = iface == IF_PRIV ? GW_PRIV : GW_PRIV2;

		add(&l, eth(gateway_mac_of(host),
			    one_in(32) ? MAC_HOST_B : iface == IF_PRIV ? MAC_GW_PRIV : MAC_GW_PRIV2));
		add_tunnel(&l, host, one_in(15) ? GW_PRIV2 : us);
		add_ip(&l, one_in(12) ? some_remote() : some_local(),
		       one_in(4) ? some_local() : some_remote());
	}
	add_transport(&l, true);
	if (one_in(10))
		add(&l, pad(1 + below(30)));
	l.l[l.n].kind = PKT_END;
	return pkt_build(l.l);
}

/* The checksum of the header at `at` made right again, so that the damage is not found at once. */
static void mend(struct pkt *p, uint32_t at)
{
	uint32_t hlen = at < p->len ? (p->data[at] & 15U) * 4 : 0;

	if (hlen >= 20 && at + hlen <= p->len)
		pkt_sum_header(p->data + at);
}

/* A few bytes more or less than there are. */
static void change_length(struct pkt *p, uint32_t at)
{
	uint32_t len;

	if (at + 4 > p->len)
		return;
	len = p->data[at + 2] * 256U + p->data[at + 3] + below(25) - 12;
	p->data[at + 2] = (uint8_t)(len >> 8);
	p->data[at + 3] = (uint8_t)len;
}

static void damage(struct pkt *p, bool tunnelled)
{
	uint32_t at = 14;

	if (one_in(4))
		change_length(p, one_in(2) ? 14 : 34);
	for (uint32_t n = below(3); n; n--)
		p->data[below(6) ? 14 + below(p->len - 14) : below(14)] = (uint8_t)below(256);
	if (one_in(4)) /* 14 bytes at least: the kernel runs no shorter frame */
		p->len = 14 + below(p->len - 13);
	if (one_in(3))
		return;
	if (p->data[12] == 0x86 && p->len > 54)
		return mend(p, p->data[20] == 60 ? 62 : 54);
	if (tunnelled && p->len > at)
		at += (p->data[14] & 15U) * 4;
	if (tunnelled)
		mend(p, at);
	mend(p, 14);
}

/* ---- both ---- */

/* Of a packet that passes, its bytes are counted too; bytes are those of one binding's counters. */
static struct expect expectation(const struct ref_result *r, int iface, const struct pkt *in)
{
	struct expect e = {.iface = iface,
			   .action = r->action,
			   .want = &r->out,
			   .in_slot = r->in_slot,
			   .out_slot = r->out_slot,
			   .bytes = r->bytes,
			   .mark = r->mark,
			   .counts = {{r->counter, 1}}};
	int n = 1;

	if (r->counter == RSIP_CNT_PASSED)
		e.counts[n++] = (struct count){RSIP_CNT_PASSED_BYTES, in->len - 14};
	if (r->counter == RSIP_CNT_ENCAPSULATED || r->counter == RSIP_CNT_DECAPSULATED ||
	    r->counter == RSIP_CNT_HAIRPINNED)
		e.counts[n++] = (struct count){r->counter + 1, r->bytes};
	if (r->why)
		e.counts[n++] = (struct count){r->why, 1};
	if (r->claimed)
		e.counts[n++] = (struct count){RSIP_CNT_COOKIE_CLAIMED, r->claimed};
	return e;
}

/* ICMP that we make is limited, by time; here each packet is the first. */
static void forget_rates(void)
{
	gateway_clear_map("rsip_icmp_rate");
	gateway_clear_map("rsip_xdp.bss");
	gateway_clear_map("rsip_tc_.bss");
}

/* Is it of those that the kernel would hand on there as they are: whole, and what happens is no answer and no detour? */
static bool goes_on_slow(const struct ref_result *r, int iface, const struct pkt *in)
{
	if (in->len < 60 || in->data[12] != 8 || (r->action != XDP_REDIRECT && r->action != XDP_DROP))
		return false;
	if (iface != IF_PUB) /* what is in no tunnel never gets there */
		return r->counter != RSIP_DROP_SRC_SPOOFED;
	if (in->data[20] & 0x3f || in->data[21]) /* a fragment's first must have gone before */
		return false;
	return r->counter != RSIP_DROP_TTL_EXCEEDED && r->counter != RSIP_DROP_TOO_BIG;
}

/* The kernel has taken the TTL down: it stays as it came. */
static void put_ttl_back(struct pkt *out)
{
	bool six = out->data[12] == 0x86;
	uint8_t *ip = out->data + (six ? 54 : 34);

	if (out->data[six ? 20 : 23] == 47)
		ip += 4;
	ip[8]++;
	pkt_sum_header(ip);
}

/*
 * The same packets on the slow path's device, as if the kernel had put them together: from the public realm with their TTL taken
 * down, in a host's tunnel without the MAC address that they came from.
 */
static bool agree_on_slow_path(int iface, const struct pkt *in, const char *where)
{
	static struct ref_result want;
	static struct reference before;
	struct expect e;

	before = ref;
	ref.check_mac = false;
	reference_run(&ref, iface, in, &want);
	ref.check_mac = before.check_mac;
	if (!goes_on_slow(&want, iface, in)) {
		ref = before; /* nobody sends it, so nothing is learned of it */
		return true;
	}
	if (want.counter == RSIP_CNT_ENCAPSULATED)
		put_ttl_back(&want.out);
	e = expectation(&want, IF_SLOW, in);
	e.from = iface;
	e.with_mark = iface == IF_PUB ? RSIP_MARK_POOL : RSIP_MARK_TUNNEL;
	return gateway_expect(in, &e, where, 0);
}

static uint64_t environment(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : fallback;
}

Test(differential, random_packets_against_the_reference, .init = gateway_up, .fini = gateway_down,
     .timeout = 3600)
{
	uint64_t runs = environment("RSIP_FUZZ_RUNS", 20000),
		 seed = environment("RSIP_FUZZ_SEED", 1);
	static struct ref_result want;
	char where[96];

	rnd = seed * 0x9e3779b97f4a7c15ULL | 1;
	six = given_host6(HOST6_A);
	/* as rsipd does when it starts: whose GRE is follows from the bindings from then on */
	cr_assert_eq(gateway_dp()->ops->foreach(gateway_dp(), rsip_now_ns(), NULL, NULL), 0);
	for (uint64_t n = 0; n < runs; n++) {
		int iface = PICK(int, IF_PUB, IF_PUB, IF_PRIV, IF_PRIV, IF_PRIV2);
		struct expect e;
		struct pkt in;

		if (n % PACKETS_A_WORLD == 0) {
			if (n)
				end_world();
			new_world();
		}
		theme = one_in(4) ? NULL : &ref.bindings[below(ref.binding_cnt)].g;
		if (iface != IF_PUB && theme && !one_in(8))
			iface = theme->host == HOST_C ? IF_PRIV2 : IF_PRIV;
		in = random_packet(iface);
		if (one_in(2))
			damage(&in, iface != IF_PUB);
		snprintf(where, sizeof(where), "RSIP_FUZZ_SEED=%llu packet %llu",
			 (unsigned long long)seed, (unsigned long long)n);
		if (one_in(6)) {
			if (!agree_on_slow_path(iface, &in, where))
				cr_assert_fail("%s, on the slow path's device\n%s", where, pkt_text(in.data, in.len));
			continue;
		}
		reference_run(&ref, iface, &in, &want);
		if (want.counter == RSIP_CNT_ICMP_SENT)
			forget_rates();
		e = expectation(&want, iface, &in);
		if (!gateway_expect(&in, &e, where, 0))
			cr_assert_fail("%s\n%s", where, pkt_text(in.data, in.len));
	}
}
