// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Every shape on every path: protocols, IP options and TTLs, both ways, in each tunnel, on a shared address and on a whole one.
 * What is forwarded loses one of its TTL and nothing else; what may not live on is answered; what nobody owns is dropped for
 * its reason.
 */
#include "gateway.h"

TestSuite(sweep, .init = gateway_up, .fini = gateway_down);

#define LAYERS 8
#define COOKIE 0x1122334455667788ULL
#define SPI_IN 0xa0000001 /* leased */
#define SPI_OUT 0x77 /* the remote's */
#define IDENT 7

enum shape { S_TCP, S_UDP, S_UDPLITE, S_SCTP, S_DCCP, S_ECHO, S_ESP, S_AH, S_IKE, S_GRE, S_UNKNOWN, SHAPES };
enum way { OUT, IN };
enum tunnel { T_IPIP, T_GRE, T_IP6, TUNNELS };

/* in_reason: why nobody owns it on a shared address; 0: it is its host's. */
static const struct {
	const char *name;
	uint8_t proto;
	int in_reason;
} shapes[SHAPES] = {
	[S_TCP] = { "TCP", 6, 0 },	     [S_UDP] = { "UDP", 17, 0 },
	[S_UDPLITE] = { "UDP-Lite", 136, 0 }, [S_SCTP] = { "SCTP", 132, 0 },
	[S_DCCP] = { "DCCP", 33, 0 },	     [S_ECHO] = { "echo", 1, 0 },
	[S_ESP] = { "ESP", 50, 0 },	     [S_AH] = { "AH", 51, 0 },
	[S_IKE] = { "IKE", 17, 0 },	     [S_GRE] = { "GRE", 47, RSIP_DROP_NO_PROTOCOL },
	[S_UNKNOWN] = { "protocol 253", 253, RSIP_DROP_NO_PROTOCOL },
};

/* RFC 791 3.1.  A source route's next hop is behind its pointer; a record's room begins there. */
static const struct {
	const char *name;
	const char *bytes;
	uint8_t len;
	bool source_route;
} options[] = {
	{ "no options", "", 0, false },
	{ "NOPs and an end", "\1\1\1\0", 4, false },
	{ "router alert", "\x94\4\0\0", 4, false },
	{ "record route", "\7\7\4\0\0\0\0\0", 8, false },
	{ "loose source route", "\1\x83\x0b\4\xc6\x33\x64\x08\xc6\x33\x64\x09", 12, true },
	{ "strict source route at its end", "\1\x89\7\x08\xc6\x33\x64\x08", 8, true },
	{ "record route of 40 bytes", "\7\x27\x0c\xc6\x33\x64\x08\xc6\x33\x64\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 40, false },
};

static const uint8_t ttls[] = { 0, 1, 2, 64 };
static const char *const tunnel_names[] = { "IP-IP", "GRE", "IPv6" };

struct sweep {
	enum way way;
	enum tunnel tunnel;
	bool whole;
	enum shape shape;
	size_t option;
	uint8_t ttl;
	uint32_t slot;
};

/* ---- layers ------------------------------------------------------------------------------------------------------------ */

struct stack {
	struct pkt_layer l[LAYERS];
	int n;
};

static void put(struct stack *s, struct pkt_layer l)
{
	cr_assert_lt(s->n, LAYERS - 1);
	s->l[s->n++] = l;
}

static __be32 leased(const struct sweep *c)
{
	return c->whole ? PUB_2 : PUB_1;
}

static void put_l4(struct stack *s, const struct sweep *c)
{
	static const uint8_t dccp[2][16] = { { 4003 >> 8, 4003 & 255, 0, 53 }, { 0, 53, 4003 >> 8, 4003 & 255 } };
	uint16_t sport = c->way == IN ? 53 : 4003, dport = c->way == IN ? 4003 : 53;
	const struct pkt_layer one[SHAPES] = {
		[S_TCP] = tcp(sport, dport),
		[S_UDP] = udp(sport, dport),
		[S_UDPLITE] = udplite(sport, dport),
		[S_SCTP] = sctp(sport, dport),
		[S_DCCP] = raw(dccp[c->way], 16),
		[S_ECHO] = echo_request(IDENT),
		[S_ESP] = { .kind = PKT_ESP, .spi = c->way == IN ? SPI_IN : SPI_OUT },
		[S_AH] = ah(c->way == IN ? SPI_IN : SPI_OUT, .proto = 17),
		[S_IKE] = udp(500, 500),
		[S_GRE] = raw("\0\0\x08\0", 4),
		[S_UNKNOWN] = raw("none of ours", 12),
	};

	put(s, one[c->shape]);
	if (c->shape == S_IKE && c->way == IN)
		put(s, ike(COOKIE, 9, .flags = IKE_R));
	else if (c->shape == S_IKE)
		put(s, ike(COOKIE, 0, .flags = IKE_I));
	else
		put(s, bytes(24));
}

static void put_ip(struct stack *s, const struct sweep *c, uint8_t ttl)
{
	struct pkt_layer ip = ip4(c->way == IN ? REMOTE : leased(c), c->way == IN ? leased(c) : REMOTE, .id = 7, .df = true,
				  .ttl = ttl, .ttl_zero = !ttl, .proto = shapes[c->shape].proto);

	ip.options = options[c->option].bytes;
	ip.options_len = options[c->option].len;
	put(s, ip);
	put_l4(s, c);
}

/* What is in front of the inner packet, from the host or to it. */
static void put_tunnel(struct stack *s, const struct sweep *c, bool to_host, uint8_t tos, uint16_t id)
{
	bool six = c->tunnel == T_IP6;
	const char *host = six ? MAC_HOST6 : MAC_HOST_A;

	put(s, eth(to_host ? MAC_GW_PRIV : host, to_host ? host : MAC_GW_PRIV));
	if (six)
		put(s, ip6(to_host ? GW6_PRIV : HOST6_A, to_host ? HOST6_A : GW6_PRIV, .tos = tos));
	else
		put(s, ip4(to_host ? GW_PRIV : HOST_A, to_host ? HOST_A : GW_PRIV, .tos = tos, .id = id, .df = true));
	if (c->tunnel == T_GRE)
		put(s, gre());
}

static uint32_t front(const struct sweep *c)
{
	return c->tunnel == T_IP6 ? 54 : c->tunnel == T_GRE ? 38 : 34;
}

/* ---- what comes in, what must go out ----------------------------------------------------------------------------------- */

static struct pkt arrives(const struct sweep *c)
{
	struct stack s = { 0 };

	if (c->way == IN)
		put(&s, from_router);
	else
		put_tunnel(&s, c, false, 0, 7);
	put_ip(&s, c, c->ttl);
	return pkt_build(s.l);
}

static struct pkt leaves(const struct sweep *c)
{
	struct stack s = { 0 };

	if (c->way == IN)
		put_tunnel(&s, c, true, 0, 7);
	else
		put(&s, to_router);
	put_ip(&s, c, (uint8_t)(c->ttl - 1));
	return pkt_build(s.l);
}

/* RFC 1812 4.3.2.3: as much of it as 576 bytes hold, whole words. */
static struct pkt expires(const struct sweep *c, const struct pkt *in)
{
	uint32_t at = c->way == IN ? 14 : front(c), len = (in->len - at) & ~3U;
	struct stack s = { 0 };

	if (c->way == IN)
		put(&s, to_router);
	else
		put_tunnel(&s, c, true, 0xc0, 0);
	put(&s, ip4(GW_PUB, c->way == IN ? REMOTE : leased(c), .tos = 0xc0, .df = true));
	put(&s, icmp(11, 0));
	put(&s, raw(in->data + at, len));
	return pkt_build(s.l);
}

/* RFC 3102 6.2: the gateway answers for a shared address. */
static struct pkt echoes(const struct sweep *c)
{
	struct stack s = { 0 };

	put(&s, to_router);
	put_ip(&s, c, 64);
	s.l[1].src = leased(c);
	s.l[1].dst = REMOTE;
	s.l[2] = echo_reply(IDENT);
	return pkt_build(s.l);
}

/* ---- the sweep --------------------------------------------------------------------------------------------------------- */

/* Whoever gets more than a few errors in a second gets no more of them. */
static void forget_errors(void)
{
	gateway_clear_map("rsip_icmp_rate");
	gateway_clear_map("rsip_xdp.bss");
	gateway_clear_map("rsip_tc_.bss"); /* the kernel keeps so much of a name */
}

static struct expect wanted(const struct sweep *c, const struct pkt *in, struct pkt *out)
{
	bool echo = c->way == IN && c->shape == S_ECHO && !c->whole;
	uint32_t len = in->len - (c->way == IN ? 14 : front(c));
	struct expect e = { .iface = c->way == IN ? IF_PUB : IF_PRIV, .want = out };
	int reason = c->way == IN && !c->whole ? shapes[c->shape].in_reason : 0;

	if (echo && options[c->option].source_route) /* an answer would have to go back that way (RFC 1122 3.2.2.6) */
		reason = RSIP_DROP_ICMP_QUERY;
	if (reason) {
		e.action = XDP_DROP;
		e.counts[0] = (struct count){ (uint32_t)reason, 1 };
		return e;
	}
	e.action = echo || c->ttl < 2 ? XDP_TX : XDP_REDIRECT;
	*out = echo ? echoes(c) : c->ttl < 2 ? expires(c, in) : leaves(c);
	if (echo) {
		e.counts[0] = (struct count){ RSIP_CNT_ECHO_ANSWERED, 1 };
		return e;
	}
	if (c->ttl < 2) {
		e.counts[0] = (struct count){ RSIP_CNT_ICMP_SENT, 1 };
		e.counts[1] = (struct count){ RSIP_DROP_TTL_EXCEEDED, 1 };
		return e;
	}
	e.counts[0] = (struct count){ c->way == IN ? RSIP_CNT_ENCAPSULATED : RSIP_CNT_DECAPSULATED, 1 };
	e.counts[1] = (struct count){ c->way == IN ? RSIP_CNT_ENCAPSULATED_BYTES : RSIP_CNT_DECAPSULATED_BYTES, len };
	*(c->way == IN ? &e.in_slot : &e.out_slot) = c->slot;
	e.bytes = len;
	return e;
}

static void try_one(const struct sweep *c)
{
	struct pkt in = arrives(c), out = { 0 };
	struct expect e = wanted(c, &in, &out);

	if (e.action == XDP_TX)
		forget_errors();
	if (!gateway_expect(&in, &e, __FILE__, __LINE__))
		cr_expect_fail("%s %s, %s, TTL %u, %s, %s address", c->way == IN ? "to the host:" : "from the host:",
			       shapes[c->shape].name, options[c->option].name, c->ttl, tunnel_names[c->tunnel],
			       c->whole ? "a whole" : "a shared");
}

/* A frame that is shorter than its packet says: whoever can read the header sees that. */
static void cut_one(const struct sweep *c)
{
	struct pkt whole = arrives(c), in = whole;
	uint32_t readable = 14 + (c->way == OUT && c->tunnel == T_IP6 ? 40 : 20);

	for (in.len = 14; in.len < whole.len; in.len++) {
		bool passed = in.len < readable;
		struct expect e = { .iface = c->way == IN ? IF_PUB : IF_PRIV, .action = passed ? XDP_PASS : XDP_DROP };

		e.counts[0] = (struct count){ passed ? RSIP_CNT_PASSED : RSIP_DROP_MALFORMED, 1 };
		if (passed && in.len > 14)
			e.counts[1] = (struct count){ RSIP_CNT_PASSED_BYTES, in.len - 14 };
		if (!gateway_expect(&in, &e, __FILE__, __LINE__))
			cr_expect_fail("%s %s, %s, %s, %s address, cut to %u bytes", c->way == IN ? "to the host:" : "from the host:",
				       shapes[c->shape].name, options[c->option].name, tunnel_names[c->tunnel],
				       c->whole ? "a whole" : "a shared", in.len);
	}
}

static void cut(enum tunnel tunnel)
{
	__be32 host = tunnel == T_IP6 ? given_host6(HOST6_A) : HOST_A;
	struct sweep c = { .tunnel = tunnel, .ttl = 64 };
	size_t last = sizeof(options) / sizeof(options[0]) - 1;

	given_binding(host, PUB_1, ports(4000, 8), spis(0xa0000000, 4), .tunnel = tunnel == T_GRE ? 2 : 0);
	given_binding(host, PUB_2, .whole = true, .tunnel = tunnel == T_GRE ? 2 : 0);
	for (int n = 0; n < 2 * 2 * 2 * SHAPES; n++) {
		c.way = n & 1 ? IN : OUT;
		c.whole = n & 2;
		c.option = n & 4 ? last : 0;
		c.shape = (enum shape)(n / 8);
		cut_one(&c);
	}
}

static void sweep(enum tunnel tunnel, bool whole)
{
	__be32 host = tunnel == T_IP6 ? given_host6(HOST6_A) : HOST_A;
	struct sweep c = { .tunnel = tunnel, .whole = whole, .shape = S_IKE, .ttl = 64 };
	struct pkt claim;

	if (whole)
		c.slot = given_binding(host, PUB_2, .whole = true, .tunnel = tunnel == T_GRE ? 2 : 0);
	else
		c.slot = given_binding(host, PUB_1, ports(4000, 8), spis(0xa0000000, 4), .tunnel = tunnel == T_GRE ? 2 : 0);
	claim = arrives(&c); /* the host begins the exchange that the remote answers */
	gateway_run(IF_PRIV, claim.data, claim.len);
	for (int way = OUT; way <= IN; way++)
		for (int shape = 0; shape < SHAPES; shape++)
			for (size_t option = 0; option < sizeof(options) / sizeof(options[0]); option++)
				for (size_t t = 0; t < sizeof(ttls); t++) {
					c.way = (enum way)way;
					c.shape = (enum shape)shape;
					c.option = option;
					c.ttl = ttls[t];
					try_one(&c);
				}
}

Test(sweep, ipip_on_a_shared_address) { sweep(T_IPIP, false); }
Test(sweep, ipip_on_a_whole_address) { sweep(T_IPIP, true); }
Test(sweep, gre_on_a_shared_address) { sweep(T_GRE, false); }
Test(sweep, gre_on_a_whole_address) { sweep(T_GRE, true); }
Test(sweep, ipv6_on_a_shared_address) { sweep(T_IP6, false); }
Test(sweep, ipv6_on_a_whole_address) { sweep(T_IP6, true); }
Test(sweep, ipip_cut_at_every_byte) { cut(T_IPIP); }
Test(sweep, gre_cut_at_every_byte) { cut(T_GRE); }
Test(sweep, ipv6_cut_at_every_byte) { cut(T_IP6); }
