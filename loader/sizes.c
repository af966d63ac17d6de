// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "sizes.h"

#include <errno.h>
#include <string.h>
#include "util.h"

static uint32_t power_of_two(uint64_t at_least)
{
	uint32_t n = 2;

	while (n < at_least)
		n *= 2;
	return n;
}

/*
 * Two-choice buckets fill well beyond one half; these start at a load of one quarter to one half
 * with every binding there can be, so that the writer hardly ever has to move an entry
 * (lib/tables.h).
 */
void rsip_sizes_compute(uint32_t max_bindings, uint32_t max_addrs, uint32_t max_pairs,
			uint32_t cpus, struct rsip_config *config)
{
	config->max_bindings = max_bindings;
	config->max_addrs = max_addrs;
	config->max_learned = max_pairs;
	config->cpus = cpus;
	config->addr_buckets = power_of_two((2ULL * max_addrs + 7) / 8);
	config->spi_buckets = power_of_two((2ULL * max_bindings + 3) / 4);
	config->pair_buckets = power_of_two((2ULL * max_bindings + 3) / 4);
	/* under a policy for remotes RSIPSEC bindings are there twice */
	config->remote_buckets = power_of_two(max_bindings);
}

int rsip_sizes_entries(const char *map, const struct rsip_config *c, uint32_t max_cookies,
		       uint32_t *entries)
{
	const struct {
		const char *name;
		uint64_t entries;
	} size[] = {
		{"rsip_addrs", c->addr_buckets},
		{"rsip_addr_info", c->max_addrs},
		{"rsip_blocks", c->max_addrs * (uint64_t)RSIP_PORT_BLOCKS / 16},
		{"rsip_ports", c->max_addrs * 4096ULL},
		{"rsip_spis", c->spi_buckets},
		{"rsip_pairs", c->pair_buckets},
		{"rsip_remotes", c->remote_buckets},
		{"rsip_host6_tab", rsip_host6_buckets(c->max_hosts6)},
		{"rsip_hosts6", c->max_hosts6 + 1ULL},
		{"rsip_bindings", c->max_bindings + 1ULL},
		{"rsip_bind_cnt", c->cpus * (c->max_bindings + 1ULL)},
		{"rsip_learned", c->max_learned + 1ULL},
		{"rsip_event_gate", c->cpus},
		{"rsip_counters", c->cpus * (uint64_t)RSIP_MAX_IFACES},
		{"rsip_nexthops", c->cpus * (uint64_t)RSIP_NEXTHOPS},
		{"rsip_frags", c->cpus},
		{"rsip_gather", c->cpus},
		{"rsip_icmp_rate", c->cpus},
		{"rsip_scratch", c->cpus},
		{"rsip_cookies", max_cookies},
		/*
		 * a quarter more than the live ones can be: void claims go only when rsipd sweeps
		 */
		{"rsip_ike_peers", (c->max_learned + c->max_learned / 4 + 1ULL) * RSIP_IKE_PEERS_MAX},
		/*
		 * memory is taken as they are used; the caps of one host's (64 bindings, RSIP_IDENTS_MAX each) are an
		 * eighth of the least
		 */
		{"rsip_idents", c->max_bindings / 8 + 32768ULL},
		{"rsip_ident_ring", c->max_bindings / 16 + 16384ULL},
		{"rsip_spis_out", (c->max_learned + c->max_learned / 4 + 1ULL) * RSIP_SPI_OUT_MAX},
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(size); i++) {
		if (strcmp(size[i].name, map))
			continue;
		if (size[i].entries > UINT32_MAX)
			return -E2BIG;
		*entries = (uint32_t)size[i].entries;
		return 0;
	}
	return -ENOENT;
}

int rsip_iftab_put(struct rsip_iftab_bucket tab[RSIP_IFTAB_BUCKETS], uint32_t ifindex,
		   uint32_t iface)
{
	struct rsip_iftab_bucket *b = &tab[ifindex % RSIP_IFTAB_BUCKETS];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(b->e); i++) {
		if (b->e[i].ifindex && b->e[i].ifindex != ifindex)
			continue;
		b->e[i].ifindex = ifindex;
		b->e[i].iface = iface;
		return 0;
	}
	return -ENOSPC;
}
