/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the bench's BPF programs and its user space agree on: which packet, in which form, for which
 * of the n bindings.  Everything about binding number i is arithmetic, so that a program that
 * varies its packets reads no memory of its own and leaves the cache to the program that is
 * measured.
 */
#ifndef RSIP_BENCH_JOB_H
#define RSIP_BENCH_JOB_H

#define BENCH_FRAME 128	    /* bytes of each packet */
#define BENCH_PER_ADDR 1000 /* bindings of one address */
#define BENCH_PORT_FIRST 1024
#define BENCH_PORTS 64 /* of one binding */
#define BENCH_SPIS 4
#define BENCH_SPI_STEP                                                                             \
	16 /* from one binding's to the next: rsipd leases them at random places, too */
#define BENCH_POOL 0xc6120000U	   /* 198.18.0.0/16: RFC 2544 */
#define BENCH_REMOTE 0xcb007000U   /* 203.0.112.0/20 */
#define BENCH_HOST 0x0a010000U	   /* 10.1.0.0 and up */
#define BENCH_ENDPOINT 0x0a000001U /* 10.0.0.1: our end of the tunnels */
#define BENCH_SPI 0x80000000U
#define BENCH_PEER_SPI 0xc0000000U

enum bench_kind { BENCH_PORTS_KIND, BENCH_ESP, BENCH_AH, BENCH_IKE, BENCH_IKE_LABEL, BENCH_PLAIN };

/*
 * IP6: IP-IP over an IPv6 access network.  L2TP: the kernel ends the tunnel, in an interface of the host's own without
 * Ethernet header, so the programs are TC's, and one host of the n has a session.
 */
enum bench_tunnel { BENCH_IPIP, BENCH_GRE, BENCH_IP6, BENCH_L2TP };

/* Addresses of IPv6 hosts and of our end: this, zeros, and the IPv4 address in the last four bytes. */
#define BENCH_NET6 0x20010db8U
#define BENCH_IP6_LEN 40

#define BENCH_TC_FAILED 2 /* TC_ACT_SHOT */

struct bench_job {
	__u8 frame[BENCH_FRAME]; /* complete but for what depends on the binding; IP checksums
				    without it */
	__u32 kind;		 /* enum bench_kind */
	__u32 tunnelled;	 /* 0: from the public realm; 1: in the host's tunnel */
	__u32 tunnel;		 /* enum bench_tunnel */
	__u32 n;		 /* bindings */
	__u32 remotes;		 /* a power of two, 4096 at most */
	__u32 tc_out;		 /* interface that the floor of TC sends to */
	__u32 in_turn;		 /* 1: one binding after the other; 0: at random */
	__u32 next;		 /* the program's: where it is in its turn */
	__u64 random;		 /* the program's state; not zero */
	/* The time of `packets` packets behind the first `warm` ones; the packet after them stops
	 * the clock. */
	__u32 warm;
	__u32 packets;
	__u32 done;
	__u64 begin_ns;
	__u64 end_ns;
};

#endif
