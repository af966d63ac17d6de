// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rsip_explain says of a described packet what the data plane does with such a packet: each case runs both.  Cast: HOST_A
 * leases PUB_1 ports 4000-4007 and SPIs, HOST_B port 5000; REMOTE is anyone.
 */
#include <arpa/inet.h>
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
