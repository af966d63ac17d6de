// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lib/tables: what is put is found, by the reader's own walk; moving keeps every entry findable at
 * each moment. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "tables.h"

#define BUCKETS 64
#define SEED 0x1234567890abcdefULL

static struct rsip_spi_bucket *mem;
static struct rsip_table t;
static __be32 pub;

static void spis_up(void)
{
	mem = aligned_alloc(64, BUCKETS * 64);
	memset(mem, 0, BUCKETS * 64);
	rsip_table_init_spis(&t, mem, BUCKETS, SEED);
	pub = htonl(0xc6336401);
}

static void spis_down(void)
{
	free(mem);
}

TestSuite(tables, .init = spis_up, .fini = spis_down);

/* As a packet does it: both buckets, no more. */
static uint32_t reader_finds(__be32 addr, uint32_t spi)
{
	uint64_t hash = rsip_hash(RSIP_SPI_KEY(addr, spi), SEED);
	uint32_t b[2] = { rsip_bucket1(hash, BUCKETS - 1), rsip_bucket2(hash, BUCKETS - 1) };

	for (int n = 0; n < 2; n++)
		for (int i = 0; i < 4; i++) {
			const struct rsip_spi_entry *e = &mem[b[n]].e[i];

			if (e->slot && e->addr == addr && spi - e->first < e->cnt)
				return e->slot;
		}
	return 0;
}

Test(tables, a_range_is_found_at_its_edges_and_not_beyond)
{
	cr_assert_eq(rsip_table_spi_put(&t, pub, 0x1004, 4, 7), 0);
	cr_expect_eq(reader_finds(pub, 0x1003), 0);
	cr_expect_eq(reader_finds(pub, 0x1004), 7);
	cr_expect_eq(reader_finds(pub, 0x1007), 7);
	cr_expect_eq(reader_finds(pub, 0x1008), 0);
	cr_expect_eq(reader_finds(pub + htonl(1), 0x1004), 0);
}

Test(tables, the_last_block_of_all_does_not_wrap)
{
	cr_assert_eq(rsip_table_spi_put(&t, pub, 0xfffffffc, 4, 3), 0);
	cr_expect_eq(reader_finds(pub, 0xffffffff), 3);
	cr_expect_eq(reader_finds(pub, 0xfffffffb), 0);
	cr_expect(rsip_table_spi_taken(&t, pub, 0xffffffff, 1));
	cr_expect_not(rsip_table_spi_taken(&t, pub, 0xfffffff0, 12));
	cr_expect_eq(rsip_table_spi_put(&t, pub, 0xfffffff8, 8, 4), -EEXIST);
}

Test(tables, neighbours_in_one_block_have_owners_of_their_own)
{
	cr_assert_eq(rsip_table_spi_put(&t, pub, 0x2000, 4, 1), 0);
	cr_assert_eq(rsip_table_spi_put(&t, pub, 0x2004, 4, 2), 0);
	cr_expect_eq(rsip_table_spi_put(&t, pub, 0x2003, 1, 3), -EEXIST);
	cr_expect_eq(reader_finds(pub, 0x2003), 1);
	cr_expect_eq(reader_finds(pub, 0x2004), 2);
	cr_expect_eq(rsip_table_spi_del(&t, pub, 0x2000, 2), -ENOENT, "it is not slot 2's");
	cr_expect_eq(rsip_table_spi_del(&t, pub, 0x2000, 1), 0);
	cr_expect_eq(reader_finds(pub, 0x2003), 0);
	cr_expect_eq(reader_finds(pub, 0x2004), 2);
}

Test(tables, what_crosses_a_block_is_refused)
{
	cr_expect_eq(rsip_table_spi_put(&t, pub, 0x100f, 2, 1), -EINVAL);
	cr_expect_eq(rsip_table_spi_put(&t, pub, 0x1000, 17, 1), -EINVAL);
	cr_expect_eq(rsip_table_spi_put(&t, pub, 0x1000, 0, 1), -EINVAL);
	cr_expect_eq(rsip_table_spi_put(&t, pub, 0x1000, 1, 0), -EINVAL);
}

static uint32_t put_cnt, grace_cnt, lost, wrong_copies;

static uint32_t entries_in_use(void)
{
	uint32_t n = 0;

	for (uint32_t b = 0; b < BUCKETS; b++)
		for (int i = 0; i < 4; i++)
			n += mem[b].e[i].slot != 0;
	return n;
}

/*
 * In the middle of a move: everything that was put before must still be where a reader looks.  A
 * reader that has looked at the new place before the copy came must find the old one: so there are
 * two until the first grace period ends, and one after the second.
 */
static void look_at_all(void *arg)
{
	(void)arg;
	if (entries_in_use() != put_cnt + !(grace_cnt++ & 1))
		wrong_copies++;
	for (uint32_t i = 1; i <= put_cnt; i++)
		if (reader_finds(pub, i << 4) != i)
			lost++;
}

Test(tables, full_buckets_are_spread_and_no_reader_ever_misses)
{
	uint32_t i;

	t.grace = look_at_all;
	for (i = 1; i <= BUCKETS * 4; i++) {
		if (rsip_table_spi_put(&t, pub, i << 4, RSIP_SPI_BLOCK, i))
			break;
		put_cnt = i;
	}
	cr_expect_eq(lost, 0, "%u looks failed during moves", lost);
	cr_expect_eq(wrong_copies, 0, "%u moves dropped a copy too early or too late",
		     wrong_copies);
	cr_expect_gt(t.moves, 0);
	cr_expect_eq(grace_cnt, 2 * t.moves);
	cr_expect_gt(put_cnt, BUCKETS * 4 * 9 / 10, "only %u of %u places used", put_cnt,
		     BUCKETS * 4);
	for (i = 1; i <= put_cnt; i++)
		cr_expect_eq(reader_finds(pub, i << 4), i);
}

Test(tables, half_load_needs_no_grace_period)
{
	t.grace = look_at_all;
	for (uint32_t i = 1; i <= BUCKETS * 2; i++)
		cr_assert_eq(rsip_table_spi_put(&t, pub, i << 4, 4, i), 0);
	cr_expect_eq(grace_cnt, 0);
}

Test(tables, a_full_table_says_so_and_keeps_what_it_has)
{
	uint32_t n = 0;

	for (uint32_t i = 1; n < BUCKETS * 4 && i < 100000; i++)
		n += !rsip_table_spi_put(&t, pub, i << 4, 1, i);
	cr_assert_eq(n, BUCKETS * 4);
	cr_expect_eq(rsip_table_spi_put(&t, pub, 0xabcdef0, 1, 1), -ENOSPC);
}

Test(tables, repair_clears_second_copies_and_misplaced_entries)
{
	uint64_t hash = rsip_hash(RSIP_SPI_KEY(pub, 0x5000), SEED);
	uint32_t b1 = rsip_bucket1(hash, BUCKETS - 1), b2 = rsip_bucket2(hash, BUCKETS - 1),
		 elsewhere = 0;
	struct rsip_spi_entry e = { .addr = pub, .first = 0x5000, .cnt = 4, .slot = 9 };

	while (elsewhere == b1 || elsewhere == b2)
		elsewhere++;
	mem[b1].e[2] = mem[b2].e[0] = mem[elsewhere].e[3] = e;
	cr_expect_eq(rsip_table_repair(&t), 2);
	cr_expect_eq(reader_finds(pub, 0x5000), 9);
	cr_expect_eq(mem[b2].e[0].slot, 0);
	cr_expect_eq(mem[elsewhere].e[3].slot, 0);
	cr_expect_eq(rsip_table_repair(&t), 0);
}

Test(tables, addresses)
{
	rsip_table_init_addrs(&t, mem, BUCKETS, SEED);
	for (uint32_t i = 0; i < 400; i++)
		cr_assert_eq(rsip_table_addr_put(&t, htonl(0xcb007100 + i), i), 0);
	cr_expect_eq(rsip_table_addr_put(&t, htonl(0xcb007100), 5), -EEXIST);
	cr_expect_eq(rsip_table_addr_put(&t, 0, 5), -EINVAL);
	for (uint32_t i = 0; i < 400; i++)
		cr_assert_eq(rsip_table_addr(&t, htonl(0xcb007100 + i))->index, i);
	cr_expect_eq(rsip_table_addr_del(&t, htonl(0xcb007100)), 0);
	cr_expect_eq(rsip_table_addr_del(&t, htonl(0xcb007100)), -ENOENT);
	cr_expect_null(rsip_table_addr(&t, htonl(0xcb007100)));
}

Test(tables, pairs_of_one_host_and_of_one_address)
{
	rsip_table_init_pairs(&t, mem, BUCKETS, SEED);
	cr_assert_eq(rsip_table_pair_put(&t, htonl(0x0a000001), pub, 1, 0), 0);
	cr_assert_eq(rsip_table_pair_put(&t, htonl(0x0a000002), pub, 2, 2), 0);
	cr_assert_eq(rsip_table_pair_put(&t, htonl(0x0a000001), pub + htonl(1), 3, 0), 0);
	cr_expect_eq(rsip_table_pair_put(&t, htonl(0x0a000001), pub, 4, 0), -EEXIST);
	cr_expect_eq(rsip_table_pair(&t, htonl(0x0a000001), pub)->slot, 1);
	cr_expect_eq(rsip_table_pair(&t, htonl(0x0a000002), pub)->ipsec_slot, 2);
	cr_expect_eq(rsip_table_pair(&t, htonl(0x0a000001), pub + htonl(1))->slot, 3);
	cr_expect_eq(rsip_table_pair_del(&t, htonl(0x0a000001), pub), 0);
	cr_expect_null(rsip_table_pair(&t, htonl(0x0a000001), pub));
}

/* Random puts and deletions against a plain list. */
Test(tables, a_hundred_thousand_random_operations)
{
	static uint32_t owner[4096]; /* of block i's first four SPIs */
	uint64_t rnd = 88172645463325252ULL;
	uint32_t live = 0;

	for (uint32_t op = 0; op < 100000; op++) {
		rnd ^= rnd << 13;
		rnd ^= rnd >> 7;
		rnd ^= rnd << 17;
		uint32_t i = rnd % 4096, slot = (uint32_t)(rnd >> 40) + 1;

		if (owner[i]) {
			cr_assert_eq(rsip_table_spi_del(&t, pub, i << 4, owner[i]), 0);
			owner[i] = 0;
			live--;
		} else if (live < BUCKETS * 3) {
			cr_assert_eq(rsip_table_spi_put(&t, pub, i << 4, 4, slot), 0);
			owner[i] = slot;
			live++;
		}
		i = (uint32_t)(rnd >> 16) % 4096;
		cr_assert_eq(reader_finds(pub, i << 4 | 3), owner[i]);
	}
}
