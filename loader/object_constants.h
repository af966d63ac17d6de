/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What all skeletons of the data plane have under the same names. */
#ifndef RSIP_LOADER_OBJECT_CONSTANTS_H
#define RSIP_LOADER_OBJECT_CONSTANTS_H

/* What bpf/config.h has. */
#define RSIP_SET_CONSTANTS(object, config)                                                         \
	do {                                                                                       \
		(object)->rodata->rsip_addr_mask = (config)->addr_buckets - 1;                     \
		(object)->rodata->rsip_spi_mask = (config)->spi_buckets - 1;                       \
		(object)->rodata->rsip_pair_mask = (config)->pair_buckets - 1;                     \
		(object)->rodata->rsip_remote_mask = (config)->remote_buckets - 1;                 \
		(object)->rodata->rsip_host6_mask = rsip_host6_buckets((config)->max_hosts6) - 1;          \
		(object)->rodata->rsip_slots = (config)->max_bindings + 1;                         \
		(object)->rodata->rsip_slot_mask = rsip_home_mask((config)->max_bindings);         \
		(object)->rodata->rsip_max_addrs = (config)->max_addrs;                            \
		(object)->rodata->rsip_learned_cnt = (config)->max_learned + 1;                    \
		(object)->rodata->rsip_seed = (config)->hash_seed;                                 \
	} while (0)

/*
 * The XDP programs take frames of several buffers, but not in generic mode: kernels from 6.9 on then give them copies that
 * have forgotten where their Ethernet header ends (skb->mac_len), and no TC program behind can read those.  A program
 * that does not take them gets such a frame in one piece.
 */
#define RSIP_SET_BUFFERS(prog, config)                                                             \
	bpf_program__set_flags(prog, (config)->mode == RSIP_MODE_GENERIC ? 0 : BPF_F_XDP_HAS_FRAGS)

/* The TC program for this interface (struct rsip_iface). */
#define RSIP_TC_PROG(object, iface)                                                                \
	((iface)->role == RSIP_ROLE_SLOW   ? (object)->progs.rsip_tc_slow                          \
	 : (iface)->role == RSIP_ROLE_PUBLIC ? RSIP_TC_PROG_BY_L2(object, iface, rsip_tc_pub)      \
					     : RSIP_TC_PROG_BY_L2(object, iface, rsip_tc_priv))
#define RSIP_TC_PROG_BY_L2(object, iface, prog)                                                    \
	((iface)->flags & RSIP_IFACE_NO_ETHERNET ? (object)->progs.prog##_l3 : (object)->progs.prog)

#endif
