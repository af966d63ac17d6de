/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How big the data plane may be; the defaults and bounds are those of `dataplane` in
 * rsipd.json(5).
 */
#ifndef RSIP_LOADER_SIZES_H
#define RSIP_LOADER_SIZES_H

#include <stdint.h>
#include "rsip/maps.h"

#define RSIP_LOADER_BINDINGS_DEFAULT 65536
#define RSIP_LOADER_ADDRS_DEFAULT 256
#define RSIP_LOADER_PAIRS_DEFAULT 16384
#define RSIP_LOADER_COOKIES_DEFAULT 262144

#define RSIP_LOADER_BINDINGS_MAX (16U * 1024 * 1024)
#define RSIP_LOADER_ADDRS_MAX 65536U
#define RSIP_LOADER_PAIRS_MAX (4U * 1024 * 1024)
#define RSIP_LOADER_COOKIES_MAX (64U * 1024 * 1024)

/* Fills buckets, cpus and the three sizes of config. */
void rsip_sizes_compute(uint32_t max_bindings, uint32_t max_addrs, uint32_t max_pairs,
			uint32_t cpus, struct rsip_config *config);

/*
 * max_entries of a map by its name: 0 and *entries, -ENOENT for a map whose size is fixed, -E2BIG
 * if this machine has too many CPUs for so many bindings.
 */
int rsip_sizes_entries(const char *map, const struct rsip_config *config, uint32_t max_cookies,
		       uint32_t *entries);

/* Puts ifindex -> iface into its bucket: 0 or -ENOSPC. */
int rsip_iftab_put(struct rsip_iftab_bucket tab[RSIP_IFTAB_BUCKETS], uint32_t ifindex,
		   uint32_t iface);

#endif
