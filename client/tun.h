/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What rsip-client and its BPF programs agree on.  Included by both; __be32 is network order. */
#ifndef RSIP_TUN_H
#define RSIP_TUN_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif

#define RSIP_TUN_ADDRS_MAX 64

/* An end of the tunnel: rsip_tun_config.v6 says which. */
union rsip_tun_end {
	__be32 v4;
	__be32 v6[4];
};

/* Constants of one tunnel, written into .rodata before the programs are loaded. */
struct rsip_tun_config {
	union rsip_tun_end private_addr; /* our end of the tunnel */
	__u32 v6; /* 1: the outer header is IPv6 (RFC 2473); 0: IPv4 */
	__u32 gre; /* 1: GRE (RFC 2784, without options); 0: IP-IP */
	__u32 nic;	     /* ifindex of the interface that leads to the gateway */
	__u32 dev;	     /* ifindex of the veth end in our namespace */
	__u8 app_mac[6];     /* of the veth end in the programs' namespace */
	__u8 dev_mac[6];
};

/* rsip_tun_addrs: leased address -> the gateway's end of its tunnel.  Written by rsip-client. */
struct rsip_tun_addr {
	union rsip_tun_end endpoint;
};

/* rsip_tun_counters: a per-CPU array of these. */
enum rsip_tun_counter {
	RSIP_TUN_OUT_PACKETS,
	RSIP_TUN_OUT_BYTES,
	RSIP_TUN_IN_PACKETS,
	RSIP_TUN_IN_BYTES,
	RSIP_TUN_OUT_NOT_LEASED, /* a program used a source address that we do not lease */
	RSIP_TUN_IN_NOT_LEASED,	 /* the gateway sent for an address that we do not lease */
	RSIP_TUN_IN_ECN,	 /* RFC 6040 4.2: congestion marked outside, not supported inside */
	RSIP_TUN_FAILED,
	RSIP_TUN_IN_TOO_BIG, /* a router on the way to the gateway found a packet of ours too big: its sender was told */
	RSIP_TUN_IN_REASSEMBLED, /* of RSIP_TUN_IN_PACKETS: what came in fragments, and the kernel put together */
	RSIP_TUN_COUNTERS,
};

#endif
