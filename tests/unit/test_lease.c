// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lease manager on the in-memory data plane: who gets what, for how long, and what happens afterwards. */
#include "lease_fixture.h"

TestSuite(lease, .init = one_address, .fini = gone);

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

/* ---- many at once --------------------------------------------------------------------------------------------------- */

Test(lease, many_that_end_together_end_in_turns)
{
	unsigned int calls = 0, before;

	for (unsigned int n = 1; n <= 3 * RSIP_LEASE_EXPIRE_MAX; n++)
		grant(n, any_ports(1));
	now += 1800 * S;
	do {
		before = ended[RSIP_END_EXPIRED];
		calls++;
		cr_assert_lt(calls, 20);
	} while (rsip_lease_expire(lm, now) <= now && ended[RSIP_END_EXPIRED] - before <= RSIP_LEASE_EXPIRE_MAX);
	cr_assert_eq(calls, 3);
	cr_assert_eq(ended[RSIP_END_EXPIRED], 3 * RSIP_LEASE_EXPIRE_MAX);
	now += 120 * S;
	for (calls = 1; rsip_lease_expire(lm, now) <= now; calls++)
		cr_assert_lt(calls, 20);
	cr_assert_geq(calls, 3, "and so does their rest");
	cr_assert_eq(refusal(1, any_ports(1)), RSIP_OK);
}

Test(lease, a_host_is_served_as_of_now_however_many_others_are_to_be_ended)
{
	unsigned int last = 3 * RSIP_LEASE_EXPIRE_MAX;

	for (unsigned int n = 1; n < last; n++)
		grant(n, any_ports(2));
	now += S;
	grant(last, any_ports(2));
	grant(last, any_spis(4));
	now += 1800 * S;
	cr_assert_leq(rsip_lease_expire(lm, now), now);
	cr_assert_eq(host(last)->bind_cnt, 2, "its turn has not come");
	rsip_lease_expire_host(lm, HOST(last), now);
	cr_assert_eq(host(last)->bind_cnt, 0);
	now += 3600 * S;
	rsip_lease_expire_host(lm, HOST(last), now);
	cr_assert_null(rsip_lease_by_host(lm, HOST(last)), "nor its registration");
	rsip_lease_expire_host(lm, HOST(last), now);
}
