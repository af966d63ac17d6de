/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What bpf/config.h has: the same for both skeletons. */
#ifndef RSIP_LOADER_OBJECT_CONSTANTS_H
#define RSIP_LOADER_OBJECT_CONSTANTS_H

#define RSIP_SET_CONSTANTS(object, config)                                                         \
	do {                                                                                       \
		(object)->rodata->rsip_addr_mask = (config)->addr_buckets - 1;                     \
		(object)->rodata->rsip_spi_mask = (config)->spi_buckets - 1;                       \
		(object)->rodata->rsip_pair_mask = (config)->pair_buckets - 1;                     \
		(object)->rodata->rsip_remote_mask = (config)->remote_buckets - 1;                 \
		(object)->rodata->rsip_slots = (config)->max_bindings + 1;                         \
		(object)->rodata->rsip_max_addrs = (config)->max_addrs;                            \
		(object)->rodata->rsip_learned_cnt = (config)->max_learned + 1;                    \
		(object)->rodata->rsip_seed = (config)->hash_seed;                                 \
	} while (0)

#endif
