// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lease manager on the in-memory data plane: who gets what, for how long, and what happens afterwards. */
#include <arpa/inet.h>
#include <errno.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "lease.h"
#include "seeded.h"
#include "util.h"

#define HOST(n) htonl(0x0a000000 + (n))
#define PUB_1 htonl(0xcb007101)
#define PUB_2 htonl(0xcb007102)
#define S RSIP_NS_PER_S

static struct rsip_dataplane *dp;
static struct rsip_lease *lm;
static uint64_t now;
static unsigned int ended[4];

static void at(uint64_t s)
{
	now = s * S;
	rsip_lease_expire(lm, now);
}

static void on_bind_end(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why)
{
	(void)arg;
	(void)c;
	(void)b;
	ended[why]++;
}

static struct rsip_lease_conf conf_of(struct rsip_pool_conf *pool, uint32_t addrs)
{
	struct rsip_lease_conf conf = {
		.pool = pool,
		.pool_cnt = 1,
		.limits = { .clients = 3000, .binds_per_client = 64, .ports_per_client = 1024, .spis_per_client = 1024,
			    .lease_min_s = 60, .lease_max_s = 86400, .lease_default_s = 1800, .register_s = 3600,
			    .hold_s = 120 },
	};

	*pool = (struct rsip_pool_conf){ .first = PUB_1, .addr_cnt = addrs, .port_first = 1024, .port_last = 65535,
					 .methods = RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP) | RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC),
					 .spi_min = 256, .spi_max = 0xffffffff };
	return conf;
}

static struct rsip_dp_addr_rules machine; /* what of the addresses is the machine's own */

static void open_lease(uint32_t addrs, uint16_t port_last)
{
	struct rsip_lease_sink sink = { .bind_end = on_bind_end };
	struct rsip_pool_conf pool;
	struct rsip_lease_conf conf = conf_of(&pool, addrs);

	pool.port_last = port_last;
	pool.rules = machine;
	cr_assert_eq(rsip_lease_create(&conf, dp, seeded, &sink, &lm), 0);
}

static void setup_with(uint32_t addrs, uint16_t port_last)
{
	seed = 1;
	cr_assert_eq(rsip_dataplane_mem(8192, 8, &dp), 0);
	open_lease(addrs, port_last);
	at(1000);
}

static void one_address(void)
{
	setup_with(1, 65535);
}

static void two_addresses(void)
{
	setup_with(2, 65535);
}

static void gone(void)
{
	rsip_lease_destroy(lm);
	dp->ops->close(dp);
}

TestSuite(lease, .init = one_address, .fini = gone);

static struct rsip_lease_client *host(unsigned int n)
{
	struct rsip_lease_client *c = rsip_lease_by_host(lm, HOST(n));

	if (!c)
		cr_assert_eq(rsip_lease_register(lm, HOST(n), 1, RSIP_TRANSPORT_UDP, now, &c), RSIP_OK);
	return c;
}

static struct rsip_lease_ask any_ports(uint16_t cnt)
{
	return (struct rsip_lease_ask){ .method = RSIP_METHOD_RSAP_IP, .tunnel = 1, .port_cnt = cnt, .mtu = 1480 };
}

static struct rsip_lease_ask any_spis(uint16_t cnt)
{
	return (struct rsip_lease_ask){ .method = RSIP_METHOD_RSIPSEC, .tunnel = 1, .spi_cnt = cnt, .mtu = 1480 };
}

static enum rsip_err ask_port(unsigned int n, uint16_t first, uint16_t cnt, const struct rsip_lease_bind **b)
{
	struct rsip_lease_ask ask = any_ports(cnt);

	ask.ports_given = true;
	ask.ports.cnt = cnt;
	for (uint16_t i = 0; i < cnt; i++)
		ask.ports.port[i] = (uint16_t)(first + i);
	return rsip_lease_assign(lm, host(n), &ask, now, b);
}

static struct rsip_lease_bind grant(unsigned int n, struct rsip_lease_ask ask)
{
	const struct rsip_lease_bind *b = NULL;
	enum rsip_err err = rsip_lease_assign(lm, host(n), &ask, now, &b);

	cr_assert_eq(err, RSIP_OK, "host %u: %s", n, rsip_err_name(err));
	return *b;
}

static enum rsip_err refusal(unsigned int n, struct rsip_lease_ask ask)
{
	const struct rsip_lease_bind *b = NULL;

	return rsip_lease_assign(lm, host(n), &ask, now, &b);
}

Test(lease, a_block_of_a_power_of_two_is_aligned_and_the_next_lies_beside_it)
{
	struct rsip_lease_bind a, other, b;

	grant(1, any_ports(3)); /* off the beginning */
	a = grant(2, any_ports(64));
	other = grant(3, any_ports(64));
	cr_assert_eq(a.ports.port[0] % 64, 0);
	cr_assert_eq(other.ports.port[0] % 64, 0);
	cr_assert_eq(a.ports.port[63], a.ports.port[0] + 63);
	for (uint16_t i = 1; i < 8; i++) { /* a first block leaves room for seven more */
		b = grant(2, any_ports(64));
		cr_assert_eq(b.ports.port[0], a.ports.port[0] + 64 * i);
		b = grant(3, any_ports(64));
		cr_assert_eq(b.ports.port[0], other.ports.port[0] + 64 * i);
	}
}

Test(lease, room_is_for_who_comes_while_there_is_enough)
{
	unsigned int beside = 0, n;
	struct rsip_lease_bind b;

	for (n = 1; n <= 125; n++) /* 126 aligned blocks of 512 */
		grant(n, any_ports(64));
	for (n = 1; n <= 125; n++) {
		struct rsip_lease_bind first = grant(n + 200, any_ports(64)); /* the room of others goes too */

		b = grant(n, any_ports(64));
		for (int i = 0; i < 64; i++)
			cr_assert_eq(b.ports.port[i], b.ports.port[0] + i, "still one block");
		cr_assert_neq(first.ports.port[0], b.ports.port[0]);
		beside += b.ports.port[0] % 512 == 64;
	}
	cr_assert_geq(beside, 60, "only %u of 125 second blocks lie beside the first", beside);
}

Test(lease, the_edges_of_the_port_range_are_leased_and_nothing_beyond)
{
	const struct rsip_lease_bind *b;

	cr_assert_eq(ask_port(1, 1024, 1, &b), RSIP_OK);
	cr_assert_eq(ask_port(1, 65535, 1, &b), RSIP_OK);
	cr_assert_eq(ask_port(1, 1023, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED);
	cr_assert_eq(ask_port(1, 4500, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED);
	cr_assert_eq(ask_port(2, 1024, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(2, 1020, 8, &b), RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED);
}

Test(lease, port_4500_is_never_handed_out)
{
	for (unsigned int n = 1; n <= 1008; n++) {
		struct rsip_lease_ask ask = any_ports(64);
		const struct rsip_lease_bind *b;

		if (rsip_lease_assign(lm, host(n), &ask, now, &b) != RSIP_OK)
			break;
		for (int i = 0; i < b->ports.cnt; i++)
			cr_assert_neq(b->ports.port[i], 4500);
	}
}

Test(lease, spis_are_an_aligned_range_that_nobody_shares)
{
	struct rsip_lease_bind a = grant(1, any_spis(4)), b = grant(2, any_spis(100));

	cr_assert_eq(a.spis.range_cnt, 1);
	b = grant(2, any_spis(100));
	cr_assert_eq(b.spis.range[0].cnt, 100);
	cr_assert_eq(b.spis.range[0].first % 128, 0);
	cr_assert_geq(b.spis.range[0].first, 256);
}

Test(lease, an_spi_by_number_has_one_owner)
{
	struct rsip_spi_range want = { 0xc0010000, 4 }, inside = { 0xc0010003, 1 }, beside = { 0xc0010004, 4 };
	struct rsip_lease_ask ask = any_spis(4);

	ask.spis_given = true;
	ask.spis = (struct rsip_spi_set){ .range_cnt = 1, .range = &want };
	cr_assert_eq(grant(1, ask).spis.range[0].first, 0xc0010000);
	ask.spi_cnt = 1;
	ask.spis.range = &inside;
	cr_assert_eq(refusal(2, ask), RSIP_ERR_IPSEC_SPI_INUSE);
	ask.spi_cnt = 4;
	ask.spis.range = &beside;
	grant(2, ask);
}

/* All SPIs that the pool may choose but a few, and ports in the middle of the range. */
static void with_the_machines_own(void)
{
	machine = (struct rsip_dp_addr_rules){ .kernel_ports = { { 1024, 60000 } },
					       .kernel_spis = { { 0x80000000, 0x7fffffff } } };
	one_address();
}

Test(lease, what_is_the_machines_own_is_never_leased, .init = with_the_machines_own)
{
	struct rsip_lease_ask ask = any_ports(1);
	struct rsip_spi_range own = { 0x90000000, 1 }, across = { 0x7ffffffe, 4 };
	const struct rsip_lease_bind *b;

	ask.ports_given = true;
	ask.ports = (struct rsip_port_set){ .cnt = 1, .port = { 61023 } };
	cr_expect_eq(rsip_lease_allowed(lm, &ask), RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED);
	cr_expect_eq(rsip_lease_assign(lm, host(1), &ask, now, &b), RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED);
	ask.ports.port[0] = 61024;
	cr_expect_eq(rsip_lease_assign(lm, host(1), &ask, now, &b), RSIP_OK);
	for (unsigned int i = 2; i < 40; i++) {
		ask = any_ports(64);
		ask.method = RSIP_METHOD_RSIPSEC;
		ask.spi_cnt = 16;
		cr_assert_eq(rsip_lease_assign(lm, host(i), &ask, now, &b), RSIP_OK);
		cr_expect_geq(b->ports.port[0], 61024);
		cr_expect_lt(b->spis.range[0].first, 0x80000000);
	}
	ask = (struct rsip_lease_ask){ .method = RSIP_METHOD_RSIPSEC, .tunnel = 1, .mtu = 1480, .spi_cnt = 1,
				       .spis_given = true, .spis = { .range_cnt = 1, .range = &own } };
	cr_expect_eq(rsip_lease_assign(lm, host(1), &ask, now, &b), RSIP_ERR_IPSEC_SPI_INUSE);
	ask.spis.range = &across;
	ask.spi_cnt = 4;
	cr_expect_eq(rsip_lease_assign(lm, host(1), &ask, now, &b), RSIP_ERR_IPSEC_SPI_INUSE);
}

Test(lease, what_was_freed_rests_for_two_minutes)
{
	const struct rsip_lease_bind *b;
	uint32_t id;

	cr_assert_eq(ask_port(1, 5000, 8, &b), RSIP_OK);
	id = b->bind_id;
	cr_assert_eq(rsip_lease_free(lm, host(1), id, RSIP_END_HOST, now), RSIP_OK);
	at(1119);
	cr_assert_eq(ask_port(2, 5000, 8, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	at(1120);
	cr_assert_eq(ask_port(2, 5000, 8, &b), RSIP_OK);
}

/* Leasing and freeing in turn: nothing of it is held, and yet all of it must be kept for two minutes. */
Test(lease, what_rests_after_one_host_is_limited)
{
	struct rsip_pool_conf pool;
	struct rsip_lease_limits limits = conf_of(&pool, 1).limits;
	const struct rsip_lease_bind *b;

	limits.resting_per_client = 6;
	rsip_lease_set_limits(lm, &limits);
	for (uint16_t i = 0; i < 3; i++) { /* a lease and a range each */
		cr_assert_eq(ask_port(1, (uint16_t)(5000 + 2 * i), 1, &b), RSIP_OK);
		rsip_lease_free(lm, host(1), b->bind_id, RSIP_END_HOST, now);
	}
	cr_assert_eq(refusal(1, any_ports(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(refusal(1, any_spis(1)), RSIP_ERR_IPSEC_SPI_UNAVAILABLE);
	cr_assert_eq(ask_port(2, 6000, 1, &b), RSIP_OK, "another host");
	at(1120);
	cr_assert_eq(ask_port(1, 5000, 1, &b), RSIP_OK);
	rsip_lease_free(lm, host(1), grant(1, any_spis(1024)).bind_id, RSIP_END_HOST, now); /* SPIs count, too */
	cr_assert_eq(refusal(1, any_ports(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
}

Test(lease, a_host_takes_its_own_resting_ports_back_by_number)
{
	const struct rsip_lease_bind *b;
	struct rsip_pool_stats s;

	cr_assert_eq(ask_port(1, 5000, 8, &b), RSIP_OK);
	rsip_lease_free(lm, host(1), b->bind_id, RSIP_END_HOST, now);
	cr_assert_eq(ask_port(2, 5002, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(1, 5002, 2, &b), RSIP_OK);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.ports_leased, 2);
	cr_assert_eq(s.ports_held, 6, "the others rest on");
	cr_assert_eq(ask_port(2, 5001, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(2, 5004, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	at(1120);
	cr_assert_eq(ask_port(2, 5001, 1, &b), RSIP_OK);
	cr_assert_eq(ask_port(2, 5004, 4, &b), RSIP_OK);
	cr_assert_eq(ask_port(2, 5002, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.ports_held, 0);
}

Test(lease, a_host_that_registers_again_finds_its_resting_ports_and_spis, .init = two_addresses)
{
	struct rsip_lease_bind ports = grant(1, any_ports(4)), spis = grant(1, any_spis(4));
	struct rsip_spi_range want = spis.spis.range[0], part = { want.first + 1, 2 };
	struct rsip_lease_ask ask = any_spis(2);
	struct rsip_lease_bind again;
	struct rsip_pool_stats s;

	ask.spis_given = true;
	ask.spis = (struct rsip_spi_set){ .range_cnt = 1, .range = &part };
	ask.local = spis.local;
	rsip_lease_deregister(lm, host(1), RSIP_END_HOST, now);
	cr_assert_eq(refusal(2, ask), RSIP_ERR_IPSEC_SPI_INUSE);
	cr_assert_eq(grant(1, ask).spis.range[0].first, want.first + 1);
	rsip_lease_deregister(lm, host(1), RSIP_END_HOST, now);
	ask = any_ports(4); /* no address given: the one where they rest */
	ask.ports_given = true;
	ask.ports = ports.ports;
	again = grant(1, ask);
	cr_assert_eq(again.local, ports.local);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.spis_held, 4);
	cr_assert_eq(s.ports_held, 0);
}

Test(lease, what_rests_longest_is_free_first)
{
	uint32_t id[3];
	const struct rsip_lease_bind *b;

	for (uint16_t i = 0; i < 3; i++) {
		cr_assert_eq(ask_port(1, 6000 + i, 1, &b), RSIP_OK);
		id[i] = b->bind_id;
	}
	for (int i = 2; i >= 0; i--) { /* 6002 first */
		rsip_lease_free(lm, host(1), id[i], RSIP_END_HOST, now);
		at(now / S + 10);
	}
	at(1120);
	cr_assert_eq(ask_port(2, 6001, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(2, 6002, 1, &b), RSIP_OK);
	at(1130);
	cr_assert_eq(ask_port(2, 6000, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(2, 6001, 1, &b), RSIP_OK);
	at(1140);
	cr_assert_eq(ask_port(2, 6000, 1, &b), RSIP_OK);
}

static int full_install(struct rsip_dataplane *d, const struct rsip_dp_binding *b, uint32_t *slot)
{
	(void)d;
	(void)b;
	(void)slot;
	return -ENOSPC;
}

Test(lease, a_data_plane_that_is_full_costs_nothing)
{
	struct rsip_dataplane_ops ops = *dp->ops;
	const struct rsip_dataplane_ops *real = dp->ops;
	struct rsip_pool_stats before, after;
	struct rsip_lease_bind first, next;

	first = grant(1, any_ports(64));
	rsip_lease_pool_stats(lm, 0, &before);
	ops.bind_install = full_install;
	dp->ops = &ops;
	cr_assert_eq(refusal(1, any_ports(64)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(refusal(1, any_spis(4)), RSIP_ERR_IPSEC_SPI_UNAVAILABLE);
	dp->ops = real;
	rsip_lease_pool_stats(lm, 0, &after);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_assert_eq(rsip_lease_bind_count(lm), 1);
	cr_assert_eq(host(1)->port_cnt, 64);
	next = grant(1, any_ports(64));
	cr_assert_eq(next.ports.port[0], first.ports.port[0] + 64, "and the next block still lies beside");
}

struct page {
	uint64_t last;
	unsigned int cnt, left;
};

static bool count_page(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b)
{
	struct page *p = arg;

	(void)c;
	if (!p->left)
		return false;
	p->left--;
	p->cnt++;
	cr_assert_gt(b->seq, p->last);
	p->last = b->seq;
	return true;
}

Test(lease, a_walk_goes_on_behind_what_has_ended_meanwhile)
{
	struct page p = { .left = 300 };
	uint32_t id[1000];

	for (unsigned int i = 0; i < 1000; i++)
		id[i] = grant(1 + i / 40, any_ports(1)).bind_id;
	rsip_lease_walk_binds(lm, 0, count_page, &p);
	for (unsigned int i = 200; i < 700; i++) /* the last one of the page, all around it, and whole chunks */
		rsip_lease_free(lm, host(1 + i / 40), id[i], RSIP_END_HOST, now);
	p.left = 10000;
	rsip_lease_walk_binds(lm, p.last, count_page, &p);
	cr_assert_eq(p.cnt, 600, "300 of the first page, 300 that were left behind it: %u", p.cnt);
	grant(50, any_ports(1));
	p.cnt = 0;
	rsip_lease_walk_binds(lm, p.last, count_page, &p);
	cr_assert_eq(p.cnt, 1, "new ones come last");
}

Test(lease, a_binding_lives_until_its_last_second)
{
	struct rsip_lease_ask ask = any_ports(8);
	struct rsip_lease_bind b;

	ask.lease_s = 60;
	b = grant(1, ask);
	at(1059);
	cr_assert_not_null(rsip_lease_bind_by_id(lm, b.bind_id, NULL));
	at(1060);
	cr_assert_null(rsip_lease_bind_by_id(lm, b.bind_id, NULL));
	cr_assert_eq(ended[RSIP_END_EXPIRED], 1);
}

Test(lease, an_extension_counts_from_now_and_carries_the_registration)
{
	const struct rsip_lease_bind *b;
	struct rsip_lease_bind first = grant(1, any_ports(8));

	at(2000);
	cr_assert_eq(rsip_lease_extend(lm, host(1), first.bind_id, 7200, now, &b), RSIP_OK);
	cr_assert_eq(b->expires_ns, 9200 * S);
	cr_assert_eq(host(1)->expires_ns, 9200 * S, "R = max(R, Bi)");
	cr_assert_eq(rsip_lease_extend(lm, host(1), first.bind_id, 60, now, &b), RSIP_OK);
	cr_assert_eq(b->expires_ns, 9200 * S, "an extension never shortens");
	cr_assert_eq(rsip_lease_extend(lm, host(2), first.bind_id, 60, now, &b), RSIP_ERR_BAD_BIND_ID);
	at(9200);
	cr_assert_null(rsip_lease_by_host(lm, HOST(1)));
}

Test(lease, a_lease_time_is_clamped)
{
	struct rsip_lease_ask ask = any_ports(1);

	ask.lease_s = 1;
	cr_assert_eq(grant(1, ask).expires_ns, now + 60 * S);
	ask.lease_s = 0xffffffff;
	cr_assert_eq(grant(1, ask).expires_ns, now + 86400 * S);
	ask.lease_s = 0;
	cr_assert_eq(grant(1, ask).expires_ns, now + 1800 * S);
}

Test(lease, a_host_keeps_its_address, .init = two_addresses)
{
	__be32 first = grant(1, any_ports(8)).local;

	cr_assert_neq(grant(2, any_ports(8)).local, first, "hosts are spread over the addresses");
	for (int i = 0; i < 10; i++)
		cr_assert_eq(grant(1, any_ports(8)).local, first);
	cr_assert_eq(grant(1, any_spis(4)).local, first);
}

Test(lease, an_address_that_is_not_ours_is_refused)
{
	struct rsip_lease_ask ask = any_ports(1);

	ask.local = PUB_2;
	cr_assert_eq(refusal(1, ask), RSIP_ERR_LOCAL_ADDR_UNALLOWED);
	ask.local = PUB_1;
	cr_assert_eq(grant(1, ask).local, PUB_1);
}

Test(lease, quotas_are_answered_with_the_rfcs_errors)
{
	for (int i = 0; i < 4; i++)
		grant(1, any_ports(255));
	cr_assert_eq(refusal(1, any_ports(5)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	grant(1, any_ports(4));
	grant(2, any_spis(1024));
	cr_assert_eq(refusal(2, any_spis(1)), RSIP_ERR_IPSEC_SPI_UNAVAILABLE);
	for (int i = 0; i < 64; i++)
		grant(3, any_ports(1));
	cr_assert_eq(refusal(3, any_ports(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
}

static void few_ports(void)
{
	setup_with(1, 1024 + 99);
}

Test(lease, the_last_ports_are_given_in_pieces_and_then_none, .init = few_ports)
{
	struct rsip_lease_bind b;

	grant(1, any_ports(64)); /* 1024-1087; 36 are left, in blocks of 32 and 4 */
	b = grant(2, any_ports(36));
	cr_assert_eq(b.ports.cnt, 36);
	for (int i = 1; i < 36; i++)
		cr_assert_gt(b.ports.port[i], b.ports.port[i - 1]);
	cr_assert_eq(refusal(3, any_ports(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
}

static void two_with_few_ports(void)
{
	setup_with(2, 1024 + 99);
}

Test(lease, pieces_are_looked_for_on_more_than_one_address, .init = two_with_few_ports)
{
	struct rsip_lease_ask ask = any_ports(96);

	ask.local = PUB_1;
	grant(1, ask); /* 4 are left there */
	ask = any_ports(37);
	ask.local = PUB_2;
	grant(2, ask); /* 63 are left there, no aligned 64 */
	cr_assert_eq(grant(3, any_ports(40)).local, PUB_2);
	cr_assert_eq(refusal(4, any_ports(40)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
}

Test(lease, a_refused_request_takes_nothing)
{
	struct rsip_pool_stats before, after;
	struct rsip_spi_range taken = { 0x1000, 1 };
	struct rsip_lease_ask ask = any_spis(1);

	ask.spis_given = true;
	ask.spis = (struct rsip_spi_set){ .range_cnt = 1, .range = &taken };
	grant(1, ask);
	rsip_lease_pool_stats(lm, 0, &before);
	ask.port_cnt = 64;
	cr_assert_eq(refusal(2, ask), RSIP_ERR_IPSEC_SPI_INUSE);
	rsip_lease_pool_stats(lm, 0, &after);
	cr_assert_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_assert_eq(host(2)->port_cnt, 0);
}

Test(lease, a_host_that_leaves_frees_all_it_had)
{
	struct rsip_pool_stats s;

	grant(1, any_ports(64));
	grant(1, any_spis(4));
	rsip_lease_deregister(lm, host(1), RSIP_END_HOST, now);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.ports_leased + s.spis_leased + s.binds, 0);
	cr_assert_eq(s.ports_held, 64);
	at(1120);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.ports_held + s.spis_held, 0);
}

Test(lease, a_restart_finds_what_is_installed)
{
	struct rsip_lease_bind a = grant(1, any_ports(64)), b = grant(2, any_spis(4));
	uint32_t spi = b.spis.range[0].first, client = host(1)->client_id, binds = 0, clients = 0;
	const struct rsip_lease_bind *found;
	struct rsip_lease_client *owner;

	rsip_lease_destroy(lm);
	open_lease(1, 65535);
	cr_assert_eq(rsip_lease_adopt(lm, now, &binds, &clients), 0);
	cr_assert_eq(binds, 2);
	cr_assert_eq(clients, 2);
	found = rsip_lease_bind_by_id(lm, a.bind_id, &owner);
	cr_assert_not_null(found);
	cr_assert_eq(owner->client_id, client);
	cr_assert_eq(found->ports.cnt, 64);
	cr_assert_eq(found->ports.port[0], a.ports.port[0]);
	cr_assert_eq(found->expires_ns, a.expires_ns);
	found = rsip_lease_bind_by_id(lm, b.bind_id, NULL);
	cr_assert_eq(found->spis.range[0].first, spi);
	cr_assert_eq(ask_port(3, a.ports.port[5], 1, &found), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
}

/* Host n, one port, in the maps only. */
static uint32_t put(uint32_t bind_id, unsigned int n, uint16_t port)
{
	struct rsip_dp_binding b = {
		.rec = { .expires_ns = 2000 * S, .host = HOST(n), .local = PUB_1, .client_id = n, .bind_id = bind_id, .mtu = 1480,
			 .method = RSIP_METHOD_RSAP_IP, .tunnel = RSIP_TUNNEL_IPIP, .iface = 1 },
		.ports = { .cnt = 1, .port = { port } },
	};
	uint32_t slot;

	cr_assert_eq(dp->ops->bind_install(dp, &b, &slot), 0);
	return slot;
}

static int count_by_id(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	(void)slot;
	((uint32_t *)arg)[b->rec.bind_id]++;
	return 0;
}

static uint32_t told_gone, told_ports; /* their sum */

static void on_bind_gone(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why,
			 uint64_t at_ns)
{
	(void)arg;
	(void)c;
	(void)at_ns;
	cr_expect_eq(why, RSIP_END_REFUSED);
	told_gone++;
	told_ports += b->ports.port[0];
}

/* fresh: nothing says which of them was acknowledged, so the first of each ID stays. */
static void settle_with_ids_twice(bool fresh)
{
	struct rsip_lease_sink sink = { .bind_gone = on_bind_gone };
	struct rsip_lease_found found;
	struct rsip_pool_conf pool;
	struct rsip_lease_conf conf = conf_of(&pool, 1);
	uint32_t live[9] = { 0 }, first = put(7, 1, 2001);

	put(7, 2, 2002);
	put(8, 3, 2004);
	put(7, 4, 2008);
	put(8, 3, 2016);
	told_gone = told_ports = 0;
	rsip_lease_destroy(lm);
	cr_assert_eq(rsip_lease_create(&conf, dp, seeded, &sink, &lm), 0);
	cr_assert_eq(rsip_lease_scan(lm, now), 0);
	cr_assert_eq(rsip_lease_settle(lm, now, fresh, &found), 0);
	cr_expect_eq(found.binds, fresh ? 2 : 0);
	cr_expect_eq(found.clients, fresh ? 2 : 0);
	cr_expect_eq(found.removed, fresh ? 3 : 5);
	cr_expect_eq(told_gone, found.removed);
	cr_expect_eq(told_ports, 2002 + 2008 + 2016 + (fresh ? 0 : 2001 + 2004));
	cr_assert_eq(dp->ops->foreach(dp, now, count_by_id, live), 0);
	cr_expect_eq(live[7], fresh);
	cr_expect_eq(live[8], fresh);
	if (fresh)
		cr_expect_eq(dp->ops->bind_extend(dp, first, 3000 * S), 0, "the first is the one that stays");
}

Test(lease, of_installed_bindings_with_one_id_one_stays)
{
	settle_with_ids_twice(true);
}

Test(lease, those_that_the_store_does_not_know_all_go)
{
	settle_with_ids_twice(false);
}

static void four_addresses(void)
{
	setup_with(4, 65535);
}

Test(lease, two_thousand_hosts_with_64_ports_and_4_spis_each, .init = four_addresses)
{
	struct rsip_pool_stats s;

	for (unsigned int n = 1; n <= 2000; n++) {
		grant(n, any_ports(64));
		grant(n, any_spis(4));
	}
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.ports_leased, 128000);
	cr_assert_eq(s.spis_leased, 8000);
	cr_assert_eq(rsip_lease_bind_count(lm), 4000);
}
