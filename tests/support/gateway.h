/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The runner of the packet tests: a gateway of its own for each test (network namespace, veths,
 * empty maps), bindings installed by the real data plane code, one packet through one program at a time,
 * and every counter of the gateway compared exactly: what a test does not expect must not have been
 * counted.
 *
 * RSIP_TEST_MODE=tc runs the TC programs alone; without it the XDP programs run, and behind them,
 * as in the kernel, the TC programs on what XDP has passed.  RSIP_TEST_MODE=l3 runs those for devices
 * without Ethernet header, on real ones, and the packet without its header (gateway_tun.h).  Verdicts are the same.
 *
 * Without CAP_BPF and CAP_NET_ADMIN each test is skipped and says why.
 */
#ifndef RSIP_TEST_GATEWAY_H
#define RSIP_TEST_GATEWAY_H

#include <linux/bpf.h>
#include <criterion/criterion.h>
#include "dataplane.h"
#include "pkt.h"
#include "rsip/reasons.h"
#include "rsip/wire.h"

/* Indices of the interfaces in rsip_ifaces, and the programs on them. */
enum { IF_PUB = 1, IF_PRIV = 2, IF_PRIV2 = 3, IF_SLOW = 4, IF_CNT = 5 };

void gateway_up(void); /* .init of a suite; the caller stays on one CPU then */
void gateway_down(void); /* .fini */
bool has_ethernet(void); /* the interfaces, in this mode */
/* First in a case that is about Ethernet: is not tried where there is none (tests/run names it). */
void about_ethernet(void);
/* The same, about the header of the tunnel, which L2TP's is not ours to write; or about an MTU that has room for it. */
void about_outer_header(void);
struct rsip_dataplane *gateway_dp(void);
struct bpf_object;
struct bpf_object *gateway_object(bool tc); /* to look into: the XDP programs, or the TC programs; not loaded */
int gateway_prog(const char *name); /* descriptor of a loaded program; the caller closes it */
int gateway_map_named(const char *name); /* the same for a map */
void gateway_clear(void); /* empties all maps, as before each case */
void gateway_clear_map(const char *name); /* or one */
int gateway_map(int map); /* descriptor of an enum rsip_dp_map */

/* ---- given ----------------------------------------------------------------------------------- */

struct given {
	__be32 host, local; /* host: an address, or a handle of given_host6() */
	uint16_t port_first, port_cnt;
	struct rsip_spi_range spi[4]; /* up to the first with cnt 0 */
	bool whole; /* RSA-IP */
	__be32 remote; /* flow restriction */
	uint16_t remote_port, remote_port_cnt;
	uint16_t mtu; /* 1480 */
	bool expired;
	bool no_nexthop;
	bool longer; /* expires later than others */
	uint8_t kind; /* RSIP_KIND_* */
	__be32 endpoint; /* our end of its tunnel; 0: the interface's */
	uint8_t tunnel; /* 0: IP-IP */
	uint8_t dscp; /* of its policy: RSIP_BIND_DSCP_SET | value */
};

#define ports(first, n) .port_first = first, .port_cnt = n
#define spis(begin, n) .spi = { { begin, n } }
#define spi_list(a, b, c) .spi = { { a, 1 }, { b, 1 }, { c, 1 } }
/* Installs a binding of a host of the cast and returns its slot. */
#define given_binding(h, l, ...)                                                                   \
	gateway_bind(&(const struct given){ .host = h, .local = l, __VA_ARGS__ })
uint32_t gateway_bind(const struct given *g);
const char *gateway_mac_of(__be32 host); /* the link-layer address that its packets come from */
__be32 given_host6(const char *addr); /* the handle of a host with this IPv6 address */
/* The only listener of h on 500 and 4500 of l for this remote. */
#define given_ike_listener(h, l, peer)                                                             \
	given_binding(h, l, .remote = peer, .kind = RSIP_KIND_LISTEN | RSIP_KIND_IKE)
void given_end_of(uint32_t slot); /* the binding is removed */
/* What of an address of the cast is the machine's own, and whether IKE is guessed there. */
#define given_rules(l, ...) gateway_rules(l, &(const struct rsip_dp_addr_rules){ __VA_ARGS__ })
void gateway_rules(__be32 local, const struct rsip_dp_addr_rules *rules);
void given_neighbour(const char *neigh); /* arguments of `ip neigh replace` */
void given_ip(const char *lines); /* of `ip -batch -`, each with its newline */
void given_endpoint(__be32 addr); /* tunnels end there too */
void given_rsipd(bool alive); /* does it say that it looks after next hops? */
void given_mtu(uint32_t iface, uint32_t mtu); /* of the interface, as the programs know it */
/* A virtual router's, for which the interface receives, too. */
void given_virtual_mac(uint32_t iface, const char *mac);
/* All devices have an MTU of 9,000; `taken`: they take redirected frames of several buffers. */
void given_long_frames(bool taken);
/* Somebody looks at the private interfaces: the TC program there is the one that captures.  Needs Ethernet. */
void given_capture(void);
void given_policy(uint32_t flags); /* RSIP_POLICY_* beside the private networks of the cast */

/* ---- then ------------------------------------------------------------------------------------ */

struct count { /* one counter of the interface that the packet comes in on */
	int cnt;
	uint64_t add;
};

struct expect {
	int iface; /* the packet comes in here, or goes out here: IF_SLOW */
	int from; /* IF_SLOW: it had come in here, */
	uint32_t with_mark; /* and got this mark */
	uint32_t action;
	uint32_t mark; /* of the packet when the kernel gets it */
	const struct pkt *want; /* NULL: as it came */
	struct count counts[6]; /* up to the first with add 0 */
	uint32_t in_slot, out_slot; /* bindings that count one packet; 0: none */
	uint32_t bytes; /* of that packet */
};

/*
 * Runs the packet through the interface's program and checks bytes, action and every counter.  false: something
 * differed, and has been said.
 */
bool gateway_expect(const struct pkt *in, const struct expect *want, const char *file, int line);

/* What came out of the last run, for tests that look closer. */
struct ran {
	uint32_t action; /* XDP's words, in TC mode too */
	uint32_t len;
	uint32_t mark; /* of the packet when the kernel gets it */
	uint8_t data[PKT_MAX];
};
const struct ran *gateway_run(int iface, const uint8_t *data, uint32_t len);
/*
 * XDP alone, which has the first `first` bytes in one buffer; 0: as many as the kernel likes.  NULL: this kernel does not
 * let us choose.
 */
const struct ran *gateway_run_buffers(int iface, const uint8_t *data, uint32_t len, uint32_t first);
/* Sum of one counter over CPUs and interfaces. */
uint64_t gateway_counter(int cnt);

#define expect_run(in, ...)                                                                        \
	gateway_expect(&(in), &(const struct expect){ __VA_ARGS__ }, __FILE__, __LINE__)

/* Where a packet comes from and goes to: the first layers of most packets here. */
#define from_router eth(MAC_ROUTER, MAC_GW_PUB)
#define to_router eth(MAC_GW_PUB, MAC_ROUTER)
#define to_host_a(...) eth(MAC_GW_PRIV, MAC_HOST_A), ip4(GW_PRIV, HOST_A, __VA_ARGS__)
#define to_host_b(...) eth(MAC_GW_PRIV, MAC_HOST_B), ip4(GW_PRIV, HOST_B, __VA_ARGS__)
#define from_host_a(...) eth(MAC_HOST_A, MAC_GW_PRIV), ip4(HOST_A, GW_PRIV, __VA_ARGS__)
#define from_host_b(...) eth(MAC_HOST_B, MAC_GW_PRIV), ip4(HOST_B, GW_PRIV, __VA_ARGS__)

#define to_host6_a(...) eth(MAC_GW_PRIV, MAC_HOST6), ip6(GW6_PRIV, HOST6_A, __VA_ARGS__)
#define to_host6_b(...) eth(MAC_GW_PRIV, MAC_HOST6), ip6(GW6_PRIV, HOST6_B, __VA_ARGS__)
#define from_host6_a(...) eth(MAC_HOST6, MAC_GW_PRIV), ip6(HOST6_A, GW6_PRIV, __VA_ARGS__)
#define from_host6_b(...) eth(MAC_HOST6, MAC_GW_PRIV), ip6(HOST6_B, GW6_PRIV, __VA_ARGS__)

/* From the public side to the host that has `slot`.  Bytes are those of the inner IP packet. */
#define expect_tunnelled(in, out, slot)                                                            \
	expect_run(in, .iface = IF_PUB, .action = XDP_REDIRECT, .want = &(out), .in_slot = (slot), \
		   .bytes = inner_len(&(out)),                                                     \
		   .counts = { { RSIP_CNT_ENCAPSULATED, 1 },                                       \
			       { RSIP_CNT_ENCAPSULATED_BYTES, inner_len(&(out)) } })
/* From a host to the public side; more counters may follow. */
#define expect_sent(in, out, slot, ...)                                                            \
	expect_run(in, .iface = IF_PRIV, .action = XDP_REDIRECT, .want = &(out), .out_slot = slot, \
		   .bytes = outer_len(&(out)),                                                     \
		   .counts = { { RSIP_CNT_DECAPSULATED, 1 },                                       \
			       { RSIP_CNT_DECAPSULATED_BYTES, outer_len(&(out)) },                 \
			       ##__VA_ARGS__ })
#define and_claimed                                                                                \
	{                                                                                          \
		RSIP_CNT_COOKIE_CLAIMED, 1                                                         \
	}
/* From one host to another. */
#define expect_hairpin(in, out, from, to, ...)                                                     \
	expect_run(in, .iface = IF_PRIV, .action = XDP_REDIRECT, .want = &(out), .out_slot = from, \
		   .in_slot = to, .bytes = inner_len(&(out)),                                      \
		   .counts = { { RSIP_CNT_HAIRPINNED, 1 },                                         \
			       { RSIP_CNT_HAIRPINNED_BYTES, inner_len(&(out)) },                   \
			       ##__VA_ARGS__ })
#define expect_passed(in, side)                                                                    \
	expect_run(in, .iface = side, .action = XDP_PASS,                                          \
		   .counts = { { RSIP_CNT_PASSED, 1 }, { RSIP_CNT_PASSED_BYTES, (in).len - 14 } })
#define expect_dropped(in, side, reason)                                                           \
	expect_run(in, .iface = side, .action = XDP_DROP, .counts = { { RSIP_DROP_##reason, 1 } })

/* Violations that the packets so far have reported; they are then forgotten.  At most 16 are kept. */
uint32_t gateway_events(struct rsip_event out[16]);
/* Dropped, and the sender hears why: the ICMP error goes back in its place. */
#define expect_answered(in, side, out, reason)                                                     \
	expect_run(in, .iface = side, .action = XDP_TX, .want = &(out),                            \
		   .counts = { { RSIP_CNT_ICMP_SENT, 1 }, { RSIP_DROP_##reason, 1 } })
/* The gateway's ICMP error about (a part of) a packet, to the public side or into host A's tunnel. */
#define icmp_to_router(to, t, c, m, about, n)                                                      \
	pkt(to_router, ip4(GW_PUB, to, .tos = 0xc0, .df = true), icmp(t, c, .rest_lo = m),         \
	    raw((about).data + 14, n))
#define icmp_to_host_a(t, c, m, about, n)                                                          \
	pkt(to_host_a(.tos = 0xc0, .df = true), ip4(GW_PUB, PUB_1, .tos = 0xc0, .df = true),       \
	    icmp(t, c, .rest_lo = m), raw((about).data + 34, n))

uint32_t gateway_claims(void); /* keys in rsip_cookies */
uint32_t outer_len(const struct pkt *p); /* total length of the first IP header */
uint32_t inner_len(const struct pkt *p); /* of the second */

#endif
