/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the loader settles before it loads the programs: constants to the verifier. */
#ifndef BPF_CONFIG_H
#define BPF_CONFIG_H

const volatile __u32 rsip_addr_mask = 1; /* buckets - 1 of rsip_addrs, rsip_spis, rsip_pairs */
const volatile __u32 rsip_spi_mask = 1;
const volatile __u32 rsip_pair_mask = 1;
const volatile __u32 rsip_slots = 1; /* max_bindings + 1 */
const volatile __u32 rsip_max_addrs = 1;
const volatile __u32 rsip_learned_cnt = 1; /* max_learned + 1 */
const volatile __u64 rsip_seed = 0;

#endif
