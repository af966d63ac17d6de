// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rsip_explain says of a described packet what the data plane does with such a packet: each case runs both.  Cast: HOST_A
 * leases PUB_1 ports 4000-4007 and SPIs, HOST_B port 5000; REMOTE is anyone.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <string.h>

#include "dataplane.h"
#include "gateway.h"
#include "util.h"

TestSuite(explain, .init = gateway_up, .fini = gateway_down);

static struct rsip_explain ask(struct rsip_explain x)
{
	x.local = x.local ? x.local : PUB_1;
	x.remote = x.remote ? x.remote : REMOTE;
	x.now_ns = rsip_now_ns();
	cr_assert_eq(gateway_dp()->ops->explain(gateway_dp(), &x), 0);
	return x;
}
#define asked(...) ask((struct rsip_explain){ __VA_ARGS__ })

#define expect_owned(slot_, ...)                                                                     \
	do {                                                                                         \
		struct rsip_explain x = asked(__VA_ARGS__);                                          \
		cr_expect_eq(x.result, RSIP_EXPLAIN_OWNED, "result %d", x.result);                   \
		cr_expect_eq(x.slot, slot_, "slot %u", x.slot);                                      \
	} while (0)
#define expect_reason(reason, ...)                                                                   \
	do {                                                                                         \
		struct rsip_explain x = asked(__VA_ARGS__);                                          \
		cr_expect_eq(x.result, -RSIP_DROP_##reason, "result %d", x.result);                  \
	} while (0)

Test(explain, a_leased_port_and_its_neighbours)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4007), text("x"));
	struct pkt want = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(53, 4007), text("x"));
	struct pkt beyond = pkt(from_router, ip4(REMOTE, PUB_1), udp(53, 4008), text("x"));

	expect_tunnelled(in, want, slot);
	expect_owned(slot, .proto = 17, .local_port = 4007, .remote_port = 53);
	expect_owned(slot, .proto = 6, .local_port = 4000, .remote_port = 53);
	expect_dropped(beyond, IF_PUB, NO_PORT);
	expect_reason(NO_PORT, .proto = 17, .local_port = 4008, .remote_port = 53);
	expect_reason(NO_PROTOCOL, .proto = 47);
	expect_reason(NOT_LEASED, .proto = 17, .local = PUB_IDLE + 1, .local_port = 4000);
}

Test(explain, an_spi_and_a_label)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010000, 4));

	expect_owned(slot, .proto = 50, .spi = htonl(0xc0010003));
	expect_owned(slot, .proto = 51, .spi = htonl(0xc0010000));
	expect_reason(NO_SPI, .proto = 50, .spi = htonl(0xc0010004));
	expect_owned(slot, .proto = 17, .local_port = 4500, .remote_port = 4500, .ike = RSIP_EXPLAIN_ESP_IN_UDP,
		     .spi = htonl(0xc0010001));
	expect_owned(slot, .proto = 17, .local_port = 500, .remote_port = 500, .ike = RSIP_EXPLAIN_COOKIES, .ike_major = 2,
		     .ike_response = 1, .icookie = 0x7856341202000001ULL << 32 | htonl(0xc0010002));
	expect_reason(NO_COOKIE, .proto = 17, .local_port = 500, .remote_port = 500, .ike = RSIP_EXPLAIN_COOKIES,
		      .ike_major = 2, .ike_response = 1, .icookie = 0x1122334455667788ULL);
}

Test(explain, what_a_host_may_send)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8));

	given_binding(HOST_B, PUB_1, ports(5000, 1));
	expect_owned(a, .outbound = 1, .host = HOST_A, .proto = 17, .local_port = 4000, .remote_port = 53);
	expect_reason(NOT_OWNER, .outbound = 1, .host = HOST_A, .proto = 17, .local_port = 5000, .remote_port = 53);
	expect_reason(LOCAL_PORT_UNALLOWED, .outbound = 1, .host = HOST_A, .proto = 17, .local_port = 6000);
	expect_reason(IPSEC_UNALLOWED, .outbound = 1, .host = HOST_A, .proto = 50, .spi = 1);
	expect_reason(HOST_UNKNOWN, .outbound = 1, .host = HOST_C, .proto = 50, .spi = 1);
}

/* ---- what hosts of one address have learned ----------------------------------------------------------------------- */

#define COOKIE_A 0x1111111111111111ULL
#define COOKIE_B 0x2222222222222222ULL
#define COOKIE_PEER 0x9999999999999999ULL
#define LABELLED_A 0xa000000212345678ULL

static void opens(bool host_b, uint32_t slot, uint64_t cookie)
{
	struct pkt from_a = pkt(from_host_a(), ip4(PUB_1, REMOTE), udp(500, 500), ike(cookie, 0, .flags = IKE_I));
	struct pkt from_b = pkt(from_host_b(), ip4(PUB_1, REMOTE), udp(500, 500), ike(cookie, 0, .flags = IKE_I));
	struct pkt want = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), udp(500, 500), ike(cookie, 0, .flags = IKE_I));

	if (host_b)
		expect_sent(from_b, want, slot, and_claimed);
	else
		expect_sent(from_a, want, slot, and_claimed);
}

static void answered(bool host_b, uint32_t slot, uint64_t cookie)
{
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), ike(cookie, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_a = pkt(to_host_a(), ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500),
			      ike(cookie, COOKIE_PEER, .flags = IKE_R));
	struct pkt at_b = pkt(to_host_b(), ip4(REMOTE, PUB_1, .ttl = 63), udp(500, 500),
			      ike(cookie, COOKIE_PEER, .flags = IKE_R));
	struct pkt at = host_b ? at_b : at_a;

	expect_tunnelled(in, at, slot);
}

#define IKE_OUT(host_, ...)                                                                          \
	.outbound = 1, .host = (host_), .proto = 17, .local_port = 500, .remote_port = 500,          \
	.ike = RSIP_EXPLAIN_COOKIES, __VA_ARGS__

Test(explain, an_ike_cookie_that_another_host_has)
{
	uint32_t a = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4)), b = given_binding(HOST_B, PUB_1, spis(0xb0000000, 4));
	struct pkt in = pkt(from_host_b(), ip4(PUB_1, REMOTE), udp(500, 500), ike(COOKIE_A, 0, .flags = IKE_I));
	struct pkt labelled = pkt(from_host_b(), ip4(PUB_1, REMOTE), udp(500, 500), ike(LABELLED_A, 0, .flags = IKE_I));

	expect_owned(b, IKE_OUT(HOST_B, .ike_major = 2, .ike_initiator = 1, .icookie = COOKIE_A));
	opens(false, a, COOKIE_A);
	expect_dropped(in, IF_PRIV, COOKIE_COLLISION);
	expect_reason(COOKIE_COLLISION, IKE_OUT(HOST_B, .ike_major = 2, .ike_initiator = 1, .icookie = COOKIE_A));
	expect_reason(COOKIE_COLLISION, IKE_OUT(HOST_B, .ike_major = 2, .rcookie = COOKIE_A, .icookie = COOKIE_PEER));
	expect_reason(COOKIE_COLLISION, IKE_OUT(HOST_B, .ike_major = 1, .icookie = COOKIE_A));
	expect_owned(b, IKE_OUT(HOST_B, .ike_major = 1, .remote = PUB_1, .icookie = COOKIE_A, .rcookie = COOKIE_B));
	expect_owned(a, IKE_OUT(HOST_A, .ike_major = 2, .ike_initiator = 1, .icookie = COOKIE_A));
	expect_owned(b, IKE_OUT(HOST_B, .ike_major = 2, .icookie = COOKIE_A));
	expect_dropped(labelled, IF_PRIV, COOKIE_COLLISION);
	expect_reason(COOKIE_COLLISION, IKE_OUT(HOST_B, .ike_major = 2, .ike_initiator = 1, .icookie = htobe64(LABELLED_A)));
	expect_owned(a, IKE_OUT(HOST_A, .ike_major = 2, .ike_initiator = 1, .icookie = htobe64(LABELLED_A)));
	given_binding(HOST_C, PUB_1, spis(COOKIE_A >> 32, 1));
	expect_owned(a, IKE_OUT(HOST_A, .ike_major = 2, .ike_initiator = 1, .icookie = COOKIE_A));
}

#define NEW_EXCHANGE                                                                                 \
	.proto = 17, .local_port = 500, .remote_port = 500, .ike = RSIP_EXPLAIN_COOKIES, .ike_major = 2, .ike_initiator = 1, \
	.icookie = COOKIE_PEER + 1

Test(explain, a_peer_that_begins_an_exchange)
{
	uint32_t a = given_binding(HOST_A, PUB_1, spis(0xa0000000, 4)), b = given_binding(HOST_B, PUB_1, spis(0xb0000000, 4));
	struct pkt in = pkt(from_router, ip4(REMOTE, PUB_1), udp(500, 500), ike(COOKIE_PEER + 1, 0, .flags = IKE_I));

	given_rules(PUB_1, .guess = true);
	expect_reason(NO_COOKIE, NEW_EXCHANGE);
	opens(false, a, COOKIE_A);
	answered(false, a, COOKIE_A);
	cr_expect(asked(NEW_EXCHANGE).guessed);
	expect_owned(a, NEW_EXCHANGE);
	opens(true, b, COOKIE_B);
	answered(true, b, COOKIE_B);
	expect_dropped(in, IF_PUB, IKE_AMBIGUOUS);
	expect_reason(IKE_AMBIGUOUS, NEW_EXCHANGE);
}

Test(explain, an_identifier_that_another_host_has)
{
	uint32_t a = given_binding(HOST_A, PUB_1, ports(4000, 8)), b = given_binding(HOST_B, PUB_1, ports(5000, 1));
	struct pkt query = pkt(from_host_a(), ip4(PUB_1, REMOTE), echo_request(7), text("ping"));
	struct pkt out = pkt(to_router, ip4(PUB_1, REMOTE, .ttl = 63), echo_request(7), text("ping"));
	struct pkt same = pkt(from_host_b(), ip4(PUB_1, REMOTE), echo_request(7), text("ping"));

	expect_owned(b, .outbound = 1, .host = HOST_B, .proto = 1, .spi = 7 + 1);
	expect_sent(query, out, a);
	expect_dropped(same, IF_PRIV, IDENT_TAKEN);
	expect_reason(IDENT_TAKEN, .outbound = 1, .host = HOST_B, .proto = 1, .spi = 7 + 1);
	expect_owned(b, .outbound = 1, .host = HOST_B, .proto = 1, .spi = 8 + 1);
	expect_owned(a, .outbound = 1, .host = HOST_A, .proto = 1, .spi = 7 + 1);
}

/* ------------------------------------------------------------------------------------------------------------------- */

Test(explain, a_lease_that_has_run_out)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, ports(4000, 8));
	struct rsip_explain x;

	cr_assert_eq(gateway_dp()->ops->bind_extend(gateway_dp(), slot, 1), 0);
	x = asked(.proto = 17, .local_port = 4000);
	cr_assert_eq(x.result, -RSIP_DROP_EXPIRED);
	cr_assert_eq(x.slot, slot);
}

/* No packet was sent: nothing is counted and nothing is claimed. */
Test(explain, changes_nothing)
{
	uint32_t slot = given_binding(HOST_A, PUB_1, spis(0xc0010000, 4));
	struct rsip_bind_cnt cnt = { 0 };
	struct rsip_counters sum = { 0 };

	for (int i = 0; i < 3; i++) {
		expect_owned(slot, .outbound = 1, .host = HOST_A, .proto = 17, .local_port = 500, .remote_port = 500,
			     .ike = RSIP_EXPLAIN_COOKIES, .ike_major = 2, .ike_initiator = 1, .icookie = 0x1122334455667788ULL);
		expect_reason(NO_COOKIE, .proto = 17, .local_port = 500, .remote_port = 500, .ike = RSIP_EXPLAIN_COOKIES,
			      .ike_major = 2, .ike_response = 1, .icookie = 0x1122334455667788ULL);
	}
	cr_assert_eq(gateway_dp()->ops->bind_counters(gateway_dp(), slot, &cnt), 0);
	cr_assert_eq(cnt.out_packets + cnt.in_packets, 0);
	cr_assert_eq(gateway_dp()->ops->iface_counters(gateway_dp(), IF_PUB, &sum), 0);
	for (int i = 0; i < RSIP_CNT_MAX; i++)
		cr_assert_eq(sum.cnt[i], 0);
}
