/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The maps; keys, values and writers are in include/rsip/maps.h.  The loader sets the sizes. */
#ifndef BPF_MAPS_H
#define BPF_MAPS_H

#include "rsip/maps.h"

/* One memory-mapped array: what a packet reads or counts, and user space reaches without system calls. */
#define RSIP_ARRAY(map, val, entries)                 \
	struct {                                      \
		__uint(type, BPF_MAP_TYPE_ARRAY);     \
		__uint(max_entries, entries);         \
		__uint(map_flags, BPF_F_MMAPABLE);    \
		__type(key, __u32);                   \
		__type(value, val);                   \
	} map SEC(".maps")

RSIP_ARRAY(rsip_config, struct rsip_config, 1); /* sizes and layout version: loader -> everybody */
RSIP_ARRAY(rsip_policy, struct rsip_policy, 1); /* private networks, route generation: rsipd -> packets */
RSIP_ARRAY(rsip_iftab, struct rsip_iftab_bucket, RSIP_IFTAB_BUCKETS); /* ifindex -> interface: loader */
RSIP_ARRAY(rsip_ifaces, struct rsip_iface, RSIP_MAX_IFACES); /* role, MAC, endpoint: loader */
RSIP_ARRAY(rsip_addrs, struct rsip_addr_bucket, 2); /* is this address ours, which index: rsipd */
RSIP_ARRAY(rsip_addr_info, struct rsip_addr_info, 1); /* what the address is: rsipd */
RSIP_ARRAY(rsip_ports, struct rsip_port_line, 4096); /* (address, port) -> slot: rsipd */
RSIP_ARRAY(rsip_spis, struct rsip_spi_bucket, 2); /* (address, SPI) -> slot: rsipd */
RSIP_ARRAY(rsip_pairs, struct rsip_pair_bucket, 2); /* (host, address) -> slots: rsipd */
RSIP_ARRAY(rsip_bindings, struct rsip_binding, 1); /* slot -> owner, tunnel, expiry: rsipd */
RSIP_ARRAY(rsip_bind_cnt, struct rsip_bind_cnt, 1); /* per CPU and slot: packets -> rsipd */
RSIP_ARRAY(rsip_learned, struct rsip_learned, 1); /* claims of a pair: rsipd owns, packets fill the rings */
RSIP_ARRAY(rsip_counters, struct rsip_counters, 1); /* per CPU and interface: packets -> rsipd, loader */
RSIP_ARRAY(rsip_nexthops, struct rsip_nexthop_entry, RSIP_NEXTHOPS); /* per CPU route cache: packets */
RSIP_ARRAY(rsip_undo, struct rsip_undo, RSIP_UNDO_MAX); /* what detach puts back: loader alone */

/* interface -> device to redirect to: loader */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, RSIP_MAX_IFACES);
	__type(key, __u32);
	__type(value, __u32);
} rsip_devs SEC(".maps");

/* (address, cookie) -> the pair that claimed it: packets insert, rsipd removes what is void */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct rsip_cookie_key);
	__type(value, struct rsip_claim);
} rsip_cookies SEC(".maps");

/* (address, remote, SPI sent) -> the pair that sends it: packets insert, rsipd removes what is void */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct rsip_spi_out_key);
	__type(value, struct rsip_claim);
} rsip_spis_out SEC(".maps");

#endif
