/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps; include/rsip/maps.h describes their contents and who writes them.  Sizes of 1 are raised by the
 * loader.  Arrays are memory-mapped so that the controller writes them without system calls.
 */
#ifndef RSIP_BPF_MAPS_H
#define RSIP_BPF_MAPS_H

#define RSIP_ARRAY(name, value_type, entries)        \
	struct {                                     \
		__uint(type, BPF_MAP_TYPE_ARRAY);    \
		__uint(map_flags, BPF_F_MMAPABLE);   \
		__uint(max_entries, entries);        \
		__type(key, __u32);                  \
		__type(value, value_type);           \
	} name SEC(".maps")

/* No preallocation: a claim takes memory when it is made, so the limit can be generous. */
#define RSIP_HASH(name, key_type, value_type, entries) \
	struct {                                       \
		__uint(type, BPF_MAP_TYPE_HASH);       \
		__uint(map_flags, BPF_F_NO_PREALLOC);  \
		__uint(max_entries, entries);          \
		__type(key, key_type);                 \
		__type(value, value_type);             \
	} name SEC(".maps")

/* What was attached with which sizes?  Written by the loader, read by everybody who opens the maps. */
RSIP_ARRAY(rsip_config, struct rsip_config, 1);
/* Which networks are private, which checks are on, are cached routes still good?  rsipd -> packets. */
RSIP_ARRAY(rsip_policy, struct rsip_policy, 1);
/* Which of our interfaces has this ifindex?  loader -> packets. */
RSIP_ARRAY(rsip_iftab, struct rsip_iftab_bucket, RSIP_IFTAB_BUCKETS);
/* Role, MAC address and tunnel endpoint of an interface?  loader -> packets, rsipd. */
RSIP_ARRAY(rsip_ifaces, struct rsip_iface, RSIP_MAX_IFACES);
/* Is this address in a pool, and under which index?  rsipd -> packets. */
RSIP_ARRAY(rsip_addrs, struct rsip_addr_bucket, 2);
/* Is the address leased whole?  rsipd -> packets. */
RSIP_ARRAY(rsip_addr_info, struct rsip_addr_info, 1);
/* Who leases this whole block of ports of an address?  rsipd -> packets. */
RSIP_ARRAY(rsip_blocks, struct rsip_block_line, 1);
/* Who leases this port, where nobody has its block?  rsipd -> packets. */
RSIP_ARRAY(rsip_ports, struct rsip_port_line, 1);
/* Who leases this SPI of an address?  rsipd -> packets. */
RSIP_ARRAY(rsip_spis, struct rsip_spi_bucket, 2);
/* Which bindings has this host on this address?  rsipd -> packets. */
RSIP_ARRAY(rsip_pairs, struct rsip_pair_bucket, 2);
/* Which of them is for this remote?  rsipd -> packets. */
RSIP_ARRAY(rsip_remotes, struct rsip_remote_bucket, 2);
/* Which host has this IPv6 address, and which IPv6 address has this host?  rsipd -> packets. */
RSIP_ARRAY(rsip_host6_tab, struct rsip_host6_bucket, 2);
RSIP_ARRAY(rsip_hosts6, struct rsip_host6, 1);
/* All that a packet must know of a binding.  rsipd -> packets. */
RSIP_ARRAY(rsip_bindings, struct rsip_binding, 1);
/* Packets and bytes of a binding, a row for each CPU.  packets -> rsipd. */
RSIP_ARRAY(rsip_bind_cnt, struct rsip_bind_cnt, 1);
/* What a pair has learned: its claims and outbound SPIs.  packets and rsipd. */
RSIP_ARRAY(rsip_learned, struct rsip_learned, 1);
/* Who claimed this IKE cookie?  packets; rsipd removes the dead. */
RSIP_HASH(rsip_cookies, struct rsip_cookie_key, struct rsip_claim, 1024);
/* Who sends with this SPI to that remote?  packets; rsipd removes the dead. */
RSIP_HASH(rsip_spis_out, struct rsip_spi_out_key, struct rsip_claim, 1024);
/* Which hosts of an address have IKE exchanges with this remote?  packets; rsipd removes the dead. */
RSIP_HASH(rsip_ike_peers, struct rsip_ike_peer_key, struct rsip_ike_peer, 1024);
/* Whose ICMP queries have this identifier?  packets; rsipd removes the dead and the old. */
RSIP_HASH(rsip_idents, struct rsip_ident_key, struct rsip_ident, 1024);
/* Which identifiers has this binding?  packets; rsipd removes the dead. */
RSIP_HASH(rsip_ident_ring, __u32, struct rsip_ident_ring, 1024);
/* What became of packets, a row for each CPU and interface of arrival.  packets -> rsipd, rsip-loader. */
RSIP_ARRAY(rsip_counters, struct rsip_counters, RSIP_MAX_IFACES);
/* Whose is the packet that the kernel fragments right now?  packets. */
RSIP_ARRAY(rsip_frags, struct rsip_frag, 1);
/* What is there of the tunnel packet whose fragments come right now?  packets. */
RSIP_ARRAY(rsip_gather, struct rsip_gather, 1);
/* Who sent what turned around inside and is with the kernel now?  packets; the program that notes it and the one that asks may be of two builds. */
RSIP_ARRAY(rsip_turned, __u64, RSIP_TURNED);
/* How many ICMP errors may we still make?  packets. */
RSIP_ARRAY(rsip_icmp_rate, struct rsip_bucket, 1);
/* Route and neighbour of a public destination, a cache for each CPU.  packets. */
RSIP_ARRAY(rsip_nexthops, struct rsip_nexthop_entry, RSIP_NEXTHOPS);
/* Room that a packet has while it is here.  packets. */
RSIP_ARRAY(rsip_scratch, struct rsip_scratch, 1);
/* What did attach change on this machine?  loader. */
RSIP_ARRAY(rsip_undo, struct rsip_undo, RSIP_UNDO_MAX);

/* How much did this CPU report lately?  packets. */
RSIP_ARRAY(rsip_event_gate, struct rsip_event_gate, 1);

/* Which hosts broke which rules?  packets -> rsipd. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RSIP_EVENTS_SIZE);
} rsip_events SEC(".maps");

/* Whose L2TP session is this PPP interface?  loader -> packets. */
RSIP_HASH(rsip_sessions, __u32, struct rsip_session, RSIP_MAX_SESSIONS);

/* Which PPP interface leads to this host?  loader -> packets; the kernel removes what has gone. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, RSIP_MAX_SESSIONS);
	__type(key, __be32);
	__type(value, __u32);
} rsip_ppp_of SEC(".maps");

/* Where does this interface's traffic go out?  loader -> packets. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, RSIP_MAX_IFACES);
	__type(key, __u32);
	__type(value, __u32);
} rsip_devs SEC(".maps");

#endif
