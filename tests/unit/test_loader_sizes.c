// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* loader/sizes.c: how big the maps are made; loader/pins.c: what pins are called. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include "pins.h"
#include "sizes.h"
#include "tables.h"
#include "util.h"

static struct rsip_config config;

static uint32_t entries(const char *map)
{
	uint32_t n = 0;

	cr_assert_eq(rsip_sizes_entries(map, &config, 777, &n), 0, "%s", map);
	return n;
}

static bool power_of_two(uint32_t n)
{
	return n >= 2 && !(n & (n - 1));
}

Test(loader_sizes, every_element_that_the_contract_names_is_there)
{
	rsip_sizes_compute(1000, 8, 100, 4, &config);
	cr_expect_eq(entries("rsip_bindings"), 1001);
	cr_expect_eq(entries("rsip_bind_cnt"), 4 * 1001);
	cr_expect_eq(entries("rsip_addr_info"), 8);
	cr_expect_eq(entries("rsip_blocks"), 8 * 64);
	cr_expect_eq(entries("rsip_ports"), 8 * 4096);
	cr_expect_eq(entries("rsip_learned"), 101);
	cr_expect_eq(entries("rsip_counters"), 4 * RSIP_MAX_IFACES);
	cr_expect_eq(entries("rsip_nexthops"), 4 * RSIP_NEXTHOPS);
	cr_expect_eq(entries("rsip_event_gate"), 4);
	cr_expect_eq(entries("rsip_cookies"), 777);
	cr_expect_geq(entries("rsip_spis_out"), 100 * RSIP_SPI_OUT_MAX);
	cr_expect_geq(entries("rsip_ike_peers"), 100 * RSIP_IKE_PEERS_MAX);
	cr_expect_eq(entries("rsip_addrs"), config.addr_buckets);
	cr_expect_eq(entries("rsip_spis"), config.spi_buckets);
	cr_expect_eq(entries("rsip_pairs"), config.pair_buckets);
	cr_expect_eq(entries("rsip_remotes"), config.remote_buckets);
}

Test(loader_sizes, maps_of_fixed_size_are_left_alone)
{
	uint32_t n;

	rsip_sizes_compute(1000, 8, 100, 4, &config);
	cr_expect_eq(rsip_sizes_entries("rsip_config", &config, 1, &n), -ENOENT);
	cr_expect_eq(rsip_sizes_entries("rsip_events", &config, 1, &n), -ENOENT);
	cr_expect_eq(rsip_sizes_entries("rsip_devs", &config, 1, &n), -ENOENT);
	cr_expect_eq(rsip_sizes_entries("rsip_xdp.rodata", &config, 1, &n), -ENOENT);
}

Test(loader_sizes, full_tables_are_a_quarter_to_a_half_full)
{
	static const uint32_t cnt[] = {
		1, 2, 3, 15, 16, 17, 1000, 65535, 65536, 65537, 1000000, RSIP_LOADER_BINDINGS_MAX};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(cnt); i++) {
		uint32_t addrs = cnt[i] < RSIP_LOADER_ADDRS_MAX ? cnt[i] : RSIP_LOADER_ADDRS_MAX;

		rsip_sizes_compute(cnt[i], addrs, 1, 1, &config);
		cr_expect(power_of_two(config.addr_buckets) && power_of_two(config.spi_buckets) &&
			  power_of_two(config.pair_buckets) && power_of_two(config.remote_buckets));
		cr_expect_geq(4ULL * config.spi_buckets, 2ULL * cnt[i], "%u", cnt[i]);
		cr_expect_geq(4ULL * config.pair_buckets, 2ULL * cnt[i], "%u", cnt[i]);
		cr_expect_geq(8ULL * config.addr_buckets, 2ULL * addrs, "%u", addrs);
		cr_expect_leq(4ULL * config.spi_buckets, 4ULL * cnt[i] + 8, "%u: wasteful", cnt[i]);
	}
}

/* As many as operators like to write: the tables are just half full, and need no twice the size. */
Test(loader_sizes, a_power_of_two_costs_no_more_than_others)
{
	rsip_sizes_compute(1U << 20, 1U << 10, 1, 1, &config);
	cr_expect_eq(config.spi_buckets, 1U << 19);
	cr_expect_eq(config.pair_buckets, 1U << 19);
	cr_expect_eq(config.addr_buckets, 1U << 8);
}

/* cnt entries for each of all bindings, as controller/dataplane_remotes.c makes them; how many found no place. */
static uint32_t remotes_refused(uint32_t bindings, uint32_t cnt, uint32_t *moves)
{
	struct rsip_table t;
	uint32_t refused = 0;
	void *mem;

	rsip_sizes_compute(bindings, 8, 1, 1, &config);
	mem = calloc(config.remote_buckets, sizeof(struct rsip_remote_bucket));
	cr_assert_not_null(mem);
	rsip_table_init_remotes(&t, mem, config.remote_buckets, 0x73697a6573ULL);
	for (uint32_t i = 0; i < bindings; i++)
		for (uint32_t n = 0; n < cnt; n++) {
			const struct rsip_remote_entry e = { .host = n < 2 ? RSIP_SWAP32(0x0a000000U + i) : RSIP_LISTEN_HOST(500),
							     .local = RSIP_SWAP32(0xcb007101U + i % 8),
							     .remote = RSIP_SWAP32(0xc6336400U + i),
							     .slot = (i + 1) | (n == 1 ? RSIP_REMOTE_IPSEC : 0) };

			refused += rsip_table_remote_put(&t, &e) != 0;
		}
	*moves = t.moves;
	free(mem);
	return refused;
}

/* Under a policy for remotes each RSIPSEC binding is there twice, and a listener for IKE on both its ports three times. */
Test(loader_sizes, bindings_that_are_all_for_one_remote_each_have_their_places)
{
	static const uint32_t cnt[] = { 1, 2, 255, 256, 257, 4096, 65536, 100000 };
	uint32_t moves;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(cnt); i++) {
		cr_expect_eq(remotes_refused(cnt[i], 2, &moves), 0, "%u bindings", cnt[i]);
		cr_expect_leq(moves, cnt[i] / 1000, "%u bindings: each of %u moves is a wait", cnt[i], moves);
		cr_expect_eq(remotes_refused(cnt[i], 3, &moves), 0, "%u listeners", cnt[i]);
	}
}

/* Who pings holds a place for a minute or two, and one host that holds its bindings' caps (64 of 64) must not hold them all. */
Test(loader_sizes, a_site_can_ping_at_once)
{
	static const uint32_t cnt[] = { 1000, 16384, 65536, 1000000 };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(cnt); i++) {
		rsip_sizes_compute(cnt[i], 8, 100, 4, &config);
		cr_expect_geq(entries("rsip_ident_ring"), cnt[i] < 16384 ? cnt[i] : 16384, "%u", cnt[i]);
		cr_expect_geq(entries("rsip_idents"), 8 * 64 * RSIP_IDENTS_MAX, "%u", cnt[i]);
		cr_expect_geq(entries("rsip_idents"), entries("rsip_ident_ring"), "%u", cnt[i]);
	}
}

Test(loader_sizes, more_cpus_than_a_map_can_hold_is_an_error)
{
	uint32_t n;

	rsip_sizes_compute(RSIP_LOADER_BINDINGS_MAX, 1, 1, 255, &config);
	cr_expect_eq(rsip_sizes_entries("rsip_bind_cnt", &config, 1, &n), 0);
	rsip_sizes_compute(RSIP_LOADER_BINDINGS_MAX, 1, 1, 256, &config);
	cr_expect_eq(rsip_sizes_entries("rsip_bind_cnt", &config, 1, &n), -E2BIG);
}

Test(loader_iftab, eight_interfaces_share_a_bucket)
{
	struct rsip_iftab_bucket tab[RSIP_IFTAB_BUCKETS] = {0};

	for (uint32_t i = 0; i < 8; i++)
		cr_assert_eq(rsip_iftab_put(tab, 5 + i * RSIP_IFTAB_BUCKETS, i + 1), 0);
	cr_expect_eq(rsip_iftab_put(tab, 5 + 8 * RSIP_IFTAB_BUCKETS, 9), -ENOSPC);
	cr_expect_eq(rsip_iftab_put(tab, 6, 9), 0);
	cr_expect_eq(tab[5].e[7].ifindex, 5 + 7 * RSIP_IFTAB_BUCKETS);
	cr_expect_eq(tab[5].e[7].iface, 8);
	cr_expect_eq(tab[6].e[0].iface, 9);
}

Test(loader_pins, dots_of_interface_names_are_escaped_and_names_stay_distinct)
{
	char path[RSIP_PINS_PATH_MAX];

	rsip_pins_link_path("/sys/fs/bpf/rsip", "eth0.100", path);
	cr_expect_str_eq(path, "/sys/fs/bpf/rsip/link_eth0%2e100");
	rsip_pins_link_path("/sys/fs/bpf/rsip", "eth0%2e1", path);
	cr_expect_str_eq(path, "/sys/fs/bpf/rsip/link_eth0%252e1");
	rsip_pins_link_path("/sys/fs/bpf/rsip", "...............", path);
	cr_expect_str_eq(path,
			 "/sys/fs/bpf/rsip/link_%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e%2e");
}
