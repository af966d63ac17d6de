// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One address's ports and SPIs: what is free, found, taken and given back. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pool.h"
#include "seeded.h"

static struct rsip_pool_addr a;
static struct rsip_spi_space spis;

static void open_address(void)
{
	a = (struct rsip_pool_addr){ .port_first = 1024, .port_last = 65535, .ipsec = true };
	spis.blocks = NULL;
	seed = 1;
}

static void close_address(void)
{
	free(a.best);
	rsip_spis_clear(&spis);
}

TestSuite(pool, .init = open_address, .fini = close_address);

Test(pool, an_address_that_is_not_used_has_no_tree_and_all_its_ports)
{
	uint32_t ports;

	cr_assert_eq(rsip_ports_fresh(&a, &a.fresh, &ports), 0);
	cr_assert_eq(ports, 65536 - 1024 - 1, "4500 is everybody's");
	cr_assert_null(a.best);
	cr_assert_eq(rsip_ports_best(&a), 1 + 15, "the upper half is one block");
	cr_assert(rsip_port_free(&a, 1024));
	cr_assert(!rsip_port_free(&a, 1023));
	cr_assert(!rsip_port_free(&a, 4500));
	cr_assert_eq(rsip_ports_ready(&a), 0);
	cr_assert_eq(rsip_ports_best(&a), a.fresh, "the tree says the same");
}

Test(pool, a_block_is_found_until_its_last_piece_is_taken)
{
	cr_assert_eq(rsip_ports_ready(&a), 0);
	cr_assert_eq(rsip_ports_find(&a, 15), 32768);
	rsip_ports_take(&a, 40000, 1);
	cr_assert_eq(rsip_ports_find(&a, 15), -ENOSPC);
	cr_assert_eq(rsip_ports_find(&a, 14), 16384);
	cr_assert(!rsip_ports_block_free(&a, 32768, 15));
	cr_assert(rsip_ports_block_free(&a, 49152, 14));
	cr_assert(!rsip_ports_block_free(&a, 65535, 1), "past the end");
	rsip_ports_give(&a, 40000, 1);
	cr_assert_eq(rsip_ports_find(&a, 15), 32768);
}

Test(pool, giving_back_never_frees_what_may_not_be_leased)
{
	cr_assert_eq(rsip_ports_ready(&a), 0);
	rsip_ports_take(&a, 4496, 8);
	rsip_ports_give(&a, 4496, 8);
	cr_assert(!rsip_port_free(&a, 4500));
	cr_assert(rsip_port_free(&a, 4499));
}

/* The tree against a plain array. */
Test(pool, the_tree_agrees_with_a_plain_array)
{
	static bool taken[65536];

	cr_assert_eq(rsip_ports_ready(&a), 0);
	for (int i = 0; i < 20000; i++) {
		struct {
			uint16_t first, cnt;
		} r;
		bool all_free = true, all_taken = true;

		seeded(&r, sizeof(r));
		r.cnt = (uint16_t)(r.cnt % 64 + 1);
		if (r.first < 1024 || r.first + r.cnt > 65536 || (r.first <= 4500 && r.first + r.cnt > 4500))
			continue;
		for (uint32_t p = r.first; p < (uint32_t)r.first + r.cnt; p++) {
			cr_assert_eq(rsip_port_free(&a, (uint16_t)p), !taken[p]);
			all_free = all_free && !taken[p];
			all_taken = all_taken && taken[p];
		}
		if (all_free)
			rsip_ports_take(&a, r.first, r.cnt);
		else if (all_taken)
			rsip_ports_give(&a, r.first, r.cnt);
		if (all_free || all_taken)
			memset(&taken[r.first], all_free, r.cnt);
	}
	for (unsigned int order = 0; order < 12; order++) {
		int found = rsip_ports_find(&a, order);

		for (int p = found; found >= 0 && p < found + (1 << order); p++)
			cr_assert(!taken[p] && rsip_port_allowed(&a, (uint16_t)p));
		cr_assert(found < 0 || found % (1 << order) == 0);
	}
}

Test(pool, spis_are_taken_over_block_borders_and_given_back_one_by_one)
{
	cr_assert_eq(rsip_spis_take(&spis, 7, 0x10fe, 20), 0);
	cr_assert(!rsip_spis_free(&spis, 7, 0x1111, 1));
	cr_assert(rsip_spis_free(&spis, 7, 0x1112, 1));
	cr_assert(rsip_spis_free(&spis, 8, 0x10fe, 20), "another address");
	for (uint32_t i = 0; i < 20; i++)
		rsip_spis_give(&spis, 7, 0x10fe + i, 1);
	cr_assert(rsip_spis_free(&spis, 7, 0x10f0, 64));
	cr_assert_null(spis.blocks, "nothing is kept for what is free");
}

Test(pool, a_chosen_spi_is_never_reserved_nor_outside_the_range)
{
	for (int i = 0; i < 1000; i++) {
		uint32_t first = rsip_spis_find(&spis, 0, 4, 0, 4095, NULL, seeded);

		cr_assert_geq(first, 256, "RFC 4303 2.1");
		cr_assert_leq(first + 3, 4095);
		cr_assert_eq(first % RSIP_SPI_BLOCK, 0);
	}
	cr_assert_eq(rsip_spis_find(&spis, 0, 4, 0, 255, NULL, seeded), 0);
	cr_assert_eq(rsip_spis_find(&spis, 0, 32, 0x1000, 0x101f, NULL, seeded), 0x1000, "the only place");
	cr_assert_eq(rsip_spis_take(&spis, 0, 0x101f, 1), 0);
	cr_assert_eq(rsip_spis_find(&spis, 0, 32, 0x1000, 0x101f, NULL, seeded), 0);
}

Test(pool, the_last_spis_are_found_too_but_for_the_machines_own)
{
	struct rsip_dp_addr_rules rules = { .kernel_spis[0] = { .first = 0x0400, .cnt = RSIP_SPI_BLOCK } };
	uint32_t blocks = (4096 - 256) / RSIP_SPI_BLOCK, first;

	for (uint32_t i = 1; i < blocks; i++) {
		first = rsip_spis_find(&spis, 0, 4, 0, 4095, &rules, seeded);
		cr_assert_neq(first, 0, "block %u of %u", i, blocks);
		cr_assert_neq(first, 0x0400);
		cr_assert_eq(rsip_spis_take(&spis, 0, first, 4), 0);
	}
	cr_assert_eq(rsip_spis_find(&spis, 0, 4, 0, 4095, &rules, seeded), 0);
	cr_assert_eq(rsip_spis_find(&spis, 0, 4, 0, 4095, NULL, seeded), 0x0400);
}
