// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* controller/hosts6.c, net6.c and what the transports make of a source: handles of hosts with IPv6 addresses. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "hosts6.h"
#include "rsip/wire.h"
#include "transport.h"
#include "util.h"

#define S RSIP_NS_PER_S
#define ALL_HANDLES 64 /* of the data plane in memory */

static struct rsip_dataplane *dp;
static struct rsip_hosts6_limits limits = { .prefix_len = 64, .per_prefix = 1000, .rest_ns = 180 * S };

static void up(void)
{
	cr_assert_eq(rsip_dataplane_mem(64, 4, &dp), 0);
	rsip_hosts6_limit(&limits);
	cr_assert_eq(rsip_hosts6_open(dp, 0), 0);
}

static void down(void)
{
	rsip_hosts6_close();
	dp->ops->close(dp);
}

TestSuite(hosts6, .init = up, .fini = down);

/* 2001:db8:NET::HOST */
static const uint8_t *address(uint8_t net, uint16_t host)
{
	static uint8_t a[4][16];
	static int next;
	uint8_t *out = a[next++ % 4];

	inet_pton(AF_INET6, "2001:db8::", out);
	out[5] = net;
	out[14] = (uint8_t)(host >> 8);
	out[15] = (uint8_t)host;
	return out;
}

static struct rsip_hosts6_stats stats(void)
{
	struct rsip_hosts6_stats s;

	rsip_hosts6_get_stats(&s);
	return s;
}

/* Registered, and gone at now_ns. */
static __be32 was_here(const uint8_t *addr, uint64_t now_ns)
{
	__be32 h = rsip_hosts6_take(addr, now_ns);

	rsip_hosts6_hold(h);
	rsip_hosts6_release(h, now_ns);
	rsip_hosts6_release(h, now_ns);
	return h;
}

Test(hosts6, each_address_has_a_handle_of_its_own)
{
	__be32 a = rsip_hosts6_take(address(1, 10), 0), b = rsip_hosts6_take(address(1, 11), 0), parsed;

	cr_assert(RSIP_HOST6_IS(a) && RSIP_HOST6_IS(b) && a != b);
	cr_assert_eq(rsip_hosts6_take(address(1, 10), 0), a);
	cr_assert_eq(rsip_hosts6_find(address(1, 11)), b);
	cr_assert_eq(rsip_hosts6_find(address(1, 12)), RSIP_HOST6_NOBODY);
	cr_assert_eq(memcmp(rsip_hosts6_addr(b), address(1, 11), 16), 0);
	cr_assert_null(rsip_hosts6_addr(htonl(0x0a000001)));
	cr_assert_null(rsip_hosts6_addr(RSIP_HOST6_NOBODY));
	cr_assert_str_eq(rsip_host_text(a), "2001:db8:1::a");
	cr_assert_str_eq(rsip_host_text(htonl(0x0a000001)), "10.0.0.1");
	cr_assert_eq(rsip_host_parse("2001:db8:1::b", &parsed), 0);
	cr_assert_eq(parsed, b);
	cr_assert_eq(rsip_host_parse("2001:db8:1::c", &parsed), -ENOENT);
	cr_assert_eq(rsip_host_parse("10.0.0.1", &parsed), 0);
	cr_assert_eq(rsip_host_parse("2001:db8", &parsed), -EINVAL);
}

Test(hosts6, a_handle_rests_and_is_the_same_hosts_meanwhile)
{
	__be32 a = was_here(address(1, 10), 100 * S);

	cr_assert_eq(stats().resting, 1);
	rsip_hosts6_tick(279 * S);
	cr_assert_str_eq(rsip_host_text(a), "2001:db8:1::a");
	cr_assert_eq(rsip_hosts6_take(address(1, 10), 279 * S), a);
	cr_assert_eq(stats().resting, 0);
	rsip_hosts6_tick(1000 * S); /* who is here does not rest */
	cr_assert_eq(rsip_hosts6_find(address(1, 10)), a);
	rsip_hosts6_release(a, 1000 * S);
	rsip_hosts6_tick(1180 * S);
	cr_assert_eq(rsip_hosts6_find(address(1, 10)), RSIP_HOST6_NOBODY);
	cr_assert_eq(stats().known, 0);
}

Test(hosts6, a_source_that_did_not_register_leaves_nothing)
{
	__be32 a = rsip_hosts6_take(address(1, 10), 0);

	rsip_hosts6_release(a, 0);
	cr_assert_eq(rsip_hosts6_find(address(1, 10)), RSIP_HOST6_NOBODY);
	cr_assert_eq(stats().known, 0);
	cr_assert_neq(rsip_hosts6_take(address(1, 11), 0), a, "a number that was never used goes first");
}

Test(hosts6, a_full_table_refuses_until_one_has_rested)
{
	__be32 first = was_here(address(1, 1), 10 * S);

	for (uint16_t i = 2; i <= ALL_HANDLES; i++)
		cr_assert_neq(rsip_hosts6_take(address(1, i), 10 * S), RSIP_HOST6_NOBODY);
	cr_assert_eq(rsip_hosts6_take(address(1, 500), 189 * S), RSIP_HOST6_NOBODY);
	cr_assert_eq(stats().full, 1);
	cr_assert_eq(rsip_hosts6_take(address(1, 500), 190 * S), first, "the one that has rested");
	cr_assert_eq(rsip_hosts6_find(address(1, 1)), RSIP_HOST6_NOBODY);
	cr_assert_eq(rsip_hosts6_take(address(1, 501), 190 * S), RSIP_HOST6_NOBODY);
}

/* A host has a whole network of addresses: changing them brings it nothing, resting ones count. */
Test(hosts6, a_prefix_has_as_many_as_it_may)
{
	struct rsip_hosts6_limits few = limits;

	few.per_prefix = 2;
	rsip_hosts6_limit(&few);
	was_here(address(1, 1), 0);
	cr_assert_neq(rsip_hosts6_take(address(1, 2), 0), RSIP_HOST6_NOBODY);
	cr_assert_eq(rsip_hosts6_take(address(1, 3), 0), RSIP_HOST6_NOBODY);
	cr_assert_eq(stats().prefix_full, 1);
	cr_assert_neq(rsip_hosts6_take(address(2, 3), 0), RSIP_HOST6_NOBODY, "another network");
	cr_assert_neq(rsip_hosts6_take(address(1, 1), 0), RSIP_HOST6_NOBODY, "who has one");
	few.prefix_len = 32; /* now all of them are one subscriber's */
	rsip_hosts6_limit(&few);
	cr_assert_eq(rsip_hosts6_take(address(3, 1), 0), RSIP_HOST6_NOBODY);
	few.per_prefix = 4;
	rsip_hosts6_limit(&few);
	cr_assert_neq(rsip_hosts6_take(address(3, 1), 0), RSIP_HOST6_NOBODY);
}

Test(hosts6, a_restarted_rsipd_finds_them_in_the_data_plane)
{
	__be32 a = rsip_hosts6_take(address(1, 10), 0), b = rsip_hosts6_take(address(1, 11), 0);

	rsip_hosts6_close();
	cr_assert_eq(rsip_hosts6_open(dp, 500 * S), 0);
	cr_assert_eq(rsip_hosts6_find(address(1, 10)), a);
	cr_assert_eq(stats().resting, 2);
	rsip_hosts6_hold(b);
	rsip_hosts6_tick(680 * S);
	cr_assert_eq(rsip_hosts6_find(address(1, 10)), RSIP_HOST6_NOBODY, "nobody came back for it");
	cr_assert_eq(rsip_hosts6_find(address(1, 11)), b);
}

Test(hosts6, after_a_reboot_the_store_says_whose_they_were)
{
	__be32 seven = RSIP_HOST6_HANDLE(7);

	cr_assert_eq(rsip_hosts6_restore(seven, address(1, 10), 0), 0);
	cr_assert_eq(rsip_hosts6_restore(seven, address(1, 10), 0), 0, "said twice");
	cr_assert_eq(rsip_hosts6_restore(seven, address(1, 11), 0), -EEXIST);
	cr_assert_eq(rsip_hosts6_restore(RSIP_HOST6_HANDLE(8), address(1, 10), 0), -EEXIST);
	cr_assert_eq(rsip_hosts6_restore(RSIP_HOST6_HANDLE(ALL_HANDLES + 1), address(1, 12), 0), -ENOSPC);
	cr_assert_eq(rsip_hosts6_restore(htonl(0x0a000001), address(1, 12), 0), -ENOSPC);
	cr_assert_eq(rsip_hosts6_find(address(1, 10)), seven);
	for (uint16_t i = 100; i < 110; i++)
		cr_assert_neq(rsip_hosts6_take(address(1, i), 0), seven);
}

/* ---- networks -------------------------------------------------------------------------------------- */

static struct rsip_net net_of(const char *text)
{
	struct rsip_net net = { 0, 0 };

	cr_assert_eq(rsip_net_parse(text, &net), 0, "%s", text);
	return net;
}

Test(hosts6, networks_of_both_families)
{
	__be32 six = rsip_hosts6_take(address(1, 10), 0), four = htonl(0x0a000001);
	struct rsip_net wide = net_of("2001:db8::/32"), odd = net_of("2001:db8:0:8000::/49"), host = net_of("2001:db8:1::a");
	struct rsip_net v4 = net_of("10.0.0.0/8"), all4 = net_of("0.0.0.0/0"), all6 = net_of("::/0"), wrong;

	cr_expect(rsip_net_has(&wide, six) && rsip_net_has(&host, six) && rsip_net_has(&all6, six));
	cr_expect(!rsip_net_has(&odd, six) && !rsip_net_has(&v4, six) && !rsip_net_has(&all4, six));
	cr_expect(rsip_net_has(&v4, four) && rsip_net_has(&all4, four) && !rsip_net_has(&all6, four) && !rsip_net_has(&wide, four));
	cr_expect(!rsip_net_has(&all6, RSIP_HOST6_NOBODY) && !rsip_net_has(&all4, RSIP_HOST6_NOBODY));
	cr_expect_str_eq(rsip_net_text(&wide), "2001:db8::/32");
	cr_expect_str_eq(rsip_net_text(&host), "2001:db8:1::a/128");
	cr_expect_str_eq(rsip_net_text(&v4), "10.0.0.0/8");
	cr_expect(rsip_net_is6(&wide) && !rsip_net_is6(&v4) && !rsip_net_is6(&all4));
	cr_expect_eq(memcmp(&wide, &(struct rsip_net){ net_of("2001:db8::/32").addr, 0 }, sizeof(wide)), 0, "named twice");
	cr_expect(rsip_net6_around(six, 32, &wrong) && wrong.addr == wide.addr);
	cr_expect(!rsip_net6_around(six, 33, &wrong) && !rsip_net6_around(six, 49, &wrong) && !rsip_net6_around(four, 0, &wrong));
	cr_expect_eq(rsip_net_parse("2001:db8::1/32", &wrong), -EINVAL);
	cr_expect_eq(rsip_net_parse("2001:db8::/129", &wrong), -EINVAL);
	cr_expect_eq(rsip_net_parse("2001:db8::/", &wrong), -EINVAL);
	cr_expect_eq(rsip_net_parse("2001:db8:/32", &wrong), -EINVAL);
}

/* ---- what a transport makes of a source --------------------------------------------------------------- */

static union rsip_sockaddr source(const char *text)
{
	union rsip_sockaddr sa = { .v6 = { .sin6_family = AF_INET6, .sin6_port = htons(4555) } };

	if (inet_pton(AF_INET6, text, &sa.v6.sin6_addr) == 1)
		return sa;
	sa.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(4555) };
	cr_assert_eq(inet_pton(AF_INET, text, &sa.v4.sin_addr), 1);
	return sa;
}

static __be32 host_of(const struct rsip_transports *t, const char *text, bool may_begin)
{
	union rsip_sockaddr sa = source(text);

	return rsip_transport_host(t, &sa, may_begin, 0);
}

Test(hosts6, who_may_have_a_handle)
{
	static const char *const nobodys[] = { "fe80::1", "::1", "::", "ff02::1", "::ffff:10.0.0.1", "240.0.0.1", "255.255.255.255" };
	struct rsip_conf conf = { .client_nets = { .cnt = 1 } };
	struct rsip_transports t = { .conf = &conf };
	struct rsip_peer peer = { .port = 77 };
	union rsip_sockaddr sa;

	conf.client_nets.net[0] = net_of("2001:db8:1::/64");
	for (size_t i = 0; i < RSIP_ARRAY_LEN(nobodys); i++)
		cr_expect_eq(host_of(&t, nobodys[i], true), 0, "%s", nobodys[i]);
	cr_expect_eq(host_of(&t, "10.0.0.1", false), htonl(0x0a000001));
	cr_expect_eq(host_of(&t, "2001:db8:1::5", false), RSIP_HOST6_NOBODY, "it has not asked for a registration");
	cr_expect_eq(host_of(&t, "2001:db8:2::5", true), RSIP_HOST6_NOBODY, "outside the client networks");
	peer.host = host_of(&t, "2001:db8:1::5", true);
	cr_assert(RSIP_HOST6_IS(peer.host) && peer.host != RSIP_HOST6_NOBODY);
	cr_expect_eq(host_of(&t, "2001:db8:1::5", false), peer.host);
	cr_assert(rsip_host_sockaddr(peer.host, peer.port, &sa));
	cr_expect_eq(sa.sa.sa_family, AF_INET6);
	cr_expect_eq(rsip_sockaddr_port(&sa), 77);
	cr_expect_eq(memcmp(&sa.v6.sin6_addr, address(1, 5), 16), 0);
	peer.host = RSIP_HOST6_NOBODY;
	cr_expect(!rsip_host_sockaddr(peer.host, peer.port, &sa), "there is no way to nobody");
}

/* Unknown sources share the rate of their network of 64 bits; hosts have their own. */
Test(hosts6, rates_of_messages)
{
	union rsip_sockaddr a = source("2001:db8:1::1"), b = source("2001:db8:1::2"), c = source("2001:db8:2::1");
	__be32 known = rsip_hosts6_take(address(1, 1), 0);

	cr_expect_eq(rsip_transport_rate_key(&a, RSIP_HOST6_NOBODY), rsip_transport_rate_key(&b, RSIP_HOST6_NOBODY));
	cr_expect_neq(rsip_transport_rate_key(&a, RSIP_HOST6_NOBODY), rsip_transport_rate_key(&c, RSIP_HOST6_NOBODY));
	cr_expect_eq(rsip_transport_rate_key(&a, known), known);
	cr_expect_neq(rsip_transport_rate_key(&a, RSIP_HOST6_NOBODY), known);
}
