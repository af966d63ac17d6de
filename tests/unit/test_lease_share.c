// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A pool that runs dry: what is left goes to hosts within their fair share, and nothing is taken from anybody.  One shared
 * address with 1,000 ports and 1,024 SPIs, and four addresses that are leased whole.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <string.h>

#include "lease.h"
#include "seeded.h"
#include "util.h"

#define S RSIP_NS_PER_S
#define SHARED htonl(0xcb007101)
#define WHOLE 0xcb007110U
#define HOLD_S 120
#define PORT_FIRST 1024

static struct rsip_dataplane *dp;
static struct rsip_lease *lm;
static uint64_t now;
static uint32_t last_bind;
static unsigned int ended;

static void on_bind_end(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why)
{
	(void)arg;
	(void)c;
	(void)b;
	ended += why != RSIP_END_HOST;
}

static void open_with(uint32_t percent, uint32_t ports)
{
	const struct rsip_pool_conf pool[] = {
		{ .name = "shared", .first = SHARED, .addr_cnt = 1, .port_first = PORT_FIRST, .port_last = PORT_FIRST + 999,
		  .methods = RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP) | RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC),
		  .spi_min = 256, .spi_max = 256 + 1023 },
		{ .name = "whole", .first = htonl(WHOLE), .addr_cnt = 4, .methods = RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP) },
	};
	const struct rsip_lease_conf conf = {
		.pool = pool,
		.pool_cnt = 2,
		.limits = { .clients = 1000, .binds_per_client = 64, .ports_per_client = 10000, .spis_per_client = 10000,
			    .addrs_per_client = 4, .lease_min_s = 60, .lease_max_s = 86400, .lease_default_s = 1800,
			    .register_s = 3600, .hold_s = HOLD_S, .fair_percent = percent, .fair_ports = ports },
	};
	const struct rsip_lease_sink sink = { .bind_end = on_bind_end };

	seed = 1;
	now = 1000 * S;
	cr_assert_eq(rsip_dataplane_mem(1024, 8, &dp), 0);
	cr_assert_eq(rsip_lease_create(&conf, dp, seeded, &sink, &lm), 0);
}

static void usual(void)
{
	open_with(10, 8);
}

static void gone(void)
{
	rsip_lease_destroy(lm);
	dp->ops->close(dp);
	cr_assert_eq(ended, 0, "nothing is taken from anybody");
}

TestSuite(lease_share, .init = usual, .fini = gone);

static struct rsip_lease_client *host(uint32_t n)
{
	struct rsip_lease_client *c = rsip_lease_by_host(lm, htonl(0x0a000000 + n));

	if (!c)
		cr_assert_eq(rsip_lease_register(lm, htonl(0x0a000000 + n), 1, RSIP_TRANSPORT_UDP, now, &c), RSIP_OK);
	return c;
}

static enum rsip_err ask(uint32_t n, struct rsip_lease_ask a)
{
	const struct rsip_lease_bind *b = NULL;
	enum rsip_err err;

	a.tunnel = 1;
	a.mtu = 1480;
	err = rsip_lease_assign(lm, host(n), &a, now, &b);
	last_bind = err ? 0 : b->bind_id;
	return err;
}

static enum rsip_err ports(uint32_t n, uint16_t cnt)
{
	return ask(n, (struct rsip_lease_ask){ .method = RSIP_METHOD_RSAP_IP, .port_cnt = cnt });
}

static enum rsip_err ports_at(uint32_t n, uint16_t first, uint16_t cnt)
{
	struct rsip_lease_ask a = { .method = RSIP_METHOD_RSAP_IP, .local = SHARED, .port_cnt = cnt, .ports_given = true };

	a.ports.cnt = cnt;
	for (uint16_t i = 0; i < cnt; i++)
		a.ports.port[i] = (uint16_t)(first + i);
	return ask(n, a);
}

static enum rsip_err spis(uint32_t n, uint16_t cnt)
{
	return ask(n, (struct rsip_lease_ask){ .method = RSIP_METHOD_RSIPSEC, .spi_cnt = cnt });
}

static enum rsip_err whole(uint32_t n)
{
	return ask(n, (struct rsip_lease_ask){ .method = RSIP_METHOD_RSA_IP });
}

static void free_last(uint32_t n)
{
	cr_assert_eq(rsip_lease_free(lm, host(n), last_bind, RSIP_END_HOST, now), RSIP_OK);
}

/* In blocks of 50. */
static void has_ports(uint32_t n, uint32_t cnt)
{
	for (; cnt; cnt -= 50)
		cr_assert_eq(ports(n, 50), RSIP_OK);
}

static struct rsip_pool_stats stats(uint32_t pool)
{
	struct rsip_pool_stats s;

	rsip_lease_pool_stats(lm, pool, &s);
	return s;
}

Test(lease_share, a_host_that_is_alone_may_have_all)
{
	has_ports(1, 1000);
	cr_assert_eq(ports(1, 1), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(stats(0).share_refused, 0, "there are none left, for whomever");
}

Test(lease_share, while_there_is_enough_nobody_is_refused)
{
	cr_assert_eq(ports(2, 1), RSIP_OK);
	has_ports(1, 850);
	cr_assert_eq(ports(1, 49), RSIP_OK, "exactly a tenth is left then");
	cr_assert_eq(ports(1, 1), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(stats(0).share_refused, 1);
}

Test(lease_share, the_last_ones_are_for_hosts_within_their_share)
{
	has_ports(1, 900);
	for (uint32_t n = 2; n <= 11; n++)
		cr_assert_eq(ports(n, 8), RSIP_OK, "host %u", n);
	cr_assert_eq(stats(0).hosts, 11);
	cr_assert_eq(ports(1, 1), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE, "it has ten times its share");
	cr_assert_eq(ports_at(1, PORT_FIRST + 999, 1), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE, "nor by number");
	cr_assert_eq(stats(0).share_refused, 2);
	cr_assert_eq(ports(2, 8), RSIP_OK, "a second one: 16 of 90 that are its share");
	cr_assert_eq(host(1)->port_cnt, 900, "and it keeps them");
}

Test(lease_share, an_ask_that_would_exceed_the_share_may_come_again_for_less)
{
	has_ports(1, 900);
	for (uint32_t n = 2; n <= 9; n++)
		cr_assert_eq(ports(n, 5), RSIP_OK);
	cr_assert_eq(ports(10, 60), RSIP_OK, "a tenth of 1,000 is its share, and there are 60 left");
	rsip_lease_deregister(lm, host(10), RSIP_END_HOST, now);
	now += (HOLD_S + 1) * S;
	rsip_lease_expire(lm, now);
	cr_assert_eq(ports(9, 56), RSIP_OK, "61 of 111");
}

Test(lease_share, what_is_always_fair_is_fair_however_many_ask)
{
	gone();
	open_with(10, 30);
	for (uint32_t n = 1; n <= 95; n++)
		cr_assert_eq(ports(n, 10), RSIP_OK);
	cr_assert_eq(ports(96, 31), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE, "10 are its share");
	cr_assert_eq(ports(96, 30), RSIP_OK);
	cr_assert_eq(ports(95, 20), RSIP_OK);
	cr_assert_eq(stats(0).share_refused, 1);
	cr_assert_eq(ports(94, 1), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(stats(0).share_refused, 1, "now there are none");
}

Test(lease_share, what_rests_after_a_host_counts_as_its_own)
{
	cr_assert_eq(ports(2, 1), RSIP_OK);
	for (int i = 0; i < 17; i++) {
		cr_assert_eq(ports(1, 50), RSIP_OK);
		free_last(1);
	}
	cr_assert_eq(ports(1, 50), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(stats(0).share_refused, 1);
	cr_assert_eq(stats(0).hosts, 2);
	cr_assert_eq(ports(3, 50), RSIP_OK, "another one");
	now += HOLD_S * S;
	rsip_lease_expire(lm, now);
	cr_assert_eq(stats(0).hosts, 2, "host 1 has nothing any more");
	cr_assert_eq(ports(1, 50), RSIP_OK);
}

Test(lease_share, what_rests_may_be_had_back_by_number)
{
	cr_assert_eq(ports(2, 1), RSIP_OK);
	has_ports(1, 850);
	cr_assert_eq(ports_at(1, PORT_FIRST + 990, 10), RSIP_OK);
	free_last(1);
	has_ports(3, 100);
	cr_assert_eq(ports(1, 10), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(ports_at(1, PORT_FIRST + 990, 10), RSIP_OK, "nobody else can have them anyway");
}

Test(lease_share, listeners_on_the_ports_of_ike_take_nothing)
{
	struct rsip_lease_ask a = { .method = RSIP_METHOD_RSAP_IP, .kind = RSIP_KIND_LISTEN | RSIP_KIND_IKE_500,
				    .local = SHARED, .remote = htonl(0xc6336401), .port_cnt = 1, .ports_given = true,
				    .ports = { .cnt = 1, .port = { 500 } } };

	cr_assert_eq(ports(2, 1), RSIP_OK);
	has_ports(1, 850);
	cr_assert_eq(ports(1, 49), RSIP_OK);
	cr_assert_eq(ask(1, a), RSIP_OK);
	a.remote = htonl(0xc6336402);
	cr_assert_eq(ask(3, a), RSIP_OK);
	cr_assert_eq(stats(0).hosts, 2, "host 3 has no part of the pool");
}

Test(lease_share, spis_run_dry_as_ports_do)
{
	cr_assert_eq(spis(2, 16), RSIP_OK);
	for (int i = 0; i < 56; i++)
		cr_assert_eq(spis(1, 16), RSIP_OK);
	cr_assert_eq(spis(1, 16), RSIP_ERR_IPSEC_SPI_UNAVAILABLE);
	cr_assert_eq(stats(0).share_refused, 1);
	cr_assert_eq(spis(3, 16), RSIP_OK);
}

Test(lease_share, and_so_do_whole_addresses)
{
	gone();
	open_with(50, 8);
	cr_assert_eq(whole(2), RSIP_OK);
	cr_assert_eq(whole(1), RSIP_OK);
	cr_assert_eq(whole(1), RSIP_OK, "two of four");
	cr_assert_eq(whole(1), RSIP_ERR_LOCAL_ADDR_UNAVAILABLE);
	cr_assert_eq(stats(1).share_refused, 1);
	cr_assert_eq(whole(3), RSIP_OK);
}

Test(lease_share, without_the_rule_all_goes_to_whoever_asks)
{
	gone();
	open_with(0, 8);
	cr_assert_eq(ports(2, 50), RSIP_OK);
	has_ports(1, 950);
	cr_assert_eq(ports(3, 1), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(stats(0).share_refused, 0);
}
