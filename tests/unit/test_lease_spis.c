// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* SPIs as hosts may ask for them: each one by number, by a host of its own, however close together. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <time.h>

#include "lease.h"
#include "seeded.h"
#include "util.h"

#define S RSIP_NS_PER_S
#define SHARED htonl(0xcb007101)
#define FIRST 0x10000U

static struct rsip_dataplane *dp;
static struct rsip_lease *lm;

static void up(void)
{
	const struct rsip_pool_conf pool = {
		.first = SHARED, .addr_cnt = 1, .port_first = 1024, .port_last = 65535,
		.methods = RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC), .spi_min = 256, .spi_max = UINT32_MAX,
	};
	const struct rsip_lease_conf conf = {
		.pool = &pool, .pool_cnt = 1,
		.limits = { .clients = 4096, .binds_per_client = 4096, .ports_per_client = 1024, .spis_per_client = 65536,
			    .lease_min_s = 60, .lease_max_s = 86400, .lease_default_s = 1800, .register_s = 3600 },
	};

	seed = 1;
	cr_assert_eq(rsip_dataplane_mem(16384, 4, &dp), 0);
	cr_assert_eq(rsip_lease_create(&conf, dp, seeded, NULL, &lm), 0);
}

static void down(void)
{
	rsip_lease_destroy(lm);
	dp->ops->close(dp);
}

TestSuite(lease_spis, .init = up, .fini = down);

static struct rsip_lease_client *host(uint32_t n)
{
	struct rsip_lease_client *c = rsip_lease_by_host(lm, htonl(0x0a000000 + n));

	if (!c)
		cr_assert_eq(rsip_lease_register(lm, htonl(0x0a000000 + n), 1, RSIP_TRANSPORT_UDP, S, &c), RSIP_OK);
	return c;
}

static enum rsip_err ask(uint32_t n, uint32_t first, uint16_t cnt, const struct rsip_lease_bind **b)
{
	struct rsip_spi_range range = { first, cnt };
	struct rsip_lease_ask a = { .method = RSIP_METHOD_RSIPSEC, .tunnel = 1, .mtu = 1480, .spi_cnt = cnt,
				    .spis_given = first != 0, .local = first ? SHARED : 0,
				    .spis = { .range_cnt = first ? 1 : 0, .range = &range } };

	return rsip_lease_assign(lm, host(n), &a, S, b);
}

Test(lease_spis, each_of_a_run_may_have_a_host_of_its_own)
{
	const struct rsip_lease_bind *b;

	for (uint32_t i = 0; i < 64; i++)
		cr_assert_eq(ask(1 + i, FIRST + i, 1, &b), RSIP_OK, "SPI %u of a run", i);
	for (uint32_t i = 0; i < 64; i++)
		cr_assert_eq(ask(100 + i, FIRST + i, 1, &b), RSIP_ERR_IPSEC_SPI_INUSE, "each has its owner");
}

Test(lease_spis, or_be_a_lease_of_its_own_of_one_host)
{
	const struct rsip_lease_bind *b;

	for (uint32_t i = 0; i < 64; i++)
		cr_assert_eq(ask(1, FIRST + i, 1, &b), RSIP_OK, "SPI %u of a run", i);
	cr_assert_eq(host(1)->spi_cnt, 64);
}

Test(lease_spis, hosts_that_do_not_care_get_blocks_that_nobody_shares)
{
	const struct rsip_lease_bind *b = NULL;

	for (uint32_t i = 0; i < 4000; i++) {
		cr_assert_eq(ask(1 + i % 1000, 0, 1, &b), RSIP_OK, "lease %u", i);
		cr_assert_eq(b->spis.range[0].first % RSIP_SPI_BLOCK, 0);
	}
}

/* ---- what rests ------------------------------------------------------------------------------------------------------ */

#define LIST 500
#define LISTS 64 /* as many as are looked at */

/* Every other SPI from first on, so that none of them makes a range with its neighbour. */
static enum rsip_err ask_list(uint32_t first, const struct rsip_lease_bind **b)
{
	static struct rsip_spi_range range[LIST];
	const struct rsip_lease_ask want = { .method = RSIP_METHOD_RSIPSEC, .tunnel = 1, .local = SHARED, .spi_cnt = LIST,
					     .spis_given = true, .spis = { .range = range, .range_cnt = LIST } };

	for (uint32_t i = 0; i < LIST; i++)
		range[i] = (struct rsip_spi_range){ .first = first + 2 * i, .cnt = 1 };
	return rsip_lease_assign(lm, host(1), &want, S, b);
}

/* One host must not be able to keep rsipd busy with requests that look through all that it has given back. */
Test(lease_spis, what_rests_after_a_host_is_looked_through_quickly)
{
	const struct rsip_lease_limits limits = { .clients = 4, .binds_per_client = 64, .spis_per_client = 1024, .lease_min_s = 60,
						  .lease_max_s = 86400, .lease_default_s = 1800, .register_s = 3600,
						  .hold_s = 120 };
	const struct rsip_lease_bind *b;
	struct rsip_pool_stats stats;
	clock_t began;

	rsip_lease_set_limits(lm, &limits);
	for (uint32_t i = 0; i < LISTS; i++) {
		cr_assert_eq(ask_list(FIRST + 2 * LIST * i, &b), RSIP_OK);
		rsip_lease_free(lm, host(1), b->bind_id, RSIP_END_HOST, S);
	}
	began = clock();
	for (uint32_t i = 0; i < LISTS; i++) { /* the one that rests longest is the last to be found */
		cr_assert_eq(ask_list(FIRST + 2 * LIST * i, &b), RSIP_OK);
		rsip_lease_free(lm, host(1), b->bind_id, RSIP_END_HOST, S);
	}
	cr_log_info("%.3f ms of CPU time a lease", 1000.0 * (double)(clock() - began) / CLOCKS_PER_SEC / LISTS);
	cr_assert_lt(clock() - began, CLOCKS_PER_SEC);
	rsip_lease_pool_stats(lm, 0, &stats);
	cr_assert_eq(stats.spis_held, LIST * LISTS);
	cr_assert_eq(stats.spis_leased, 0);
}
