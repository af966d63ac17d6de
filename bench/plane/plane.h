/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bench of the data plane: a gateway of its own in a network namespace, loaded by the loader's
 * code and filled by the controller's, and the programs of bench.bpf.c around it.
 *
 *   bench_send -> pub0p === pub0 | rsip_xdp_pub   rsip_xdp_priv | priv0 === priv0p <- bench_send
 *
 * Functions return 0 or negative errno and have said what failed.
 */
#ifndef RSIP_BENCH_PLANE_H
#define RSIP_BENCH_PLANE_H

#include <stdbool.h>
#include <stdint.h>
#include "dataplane_bpf.h"
#include "job.h"

#define BENCH_REMOTES 256

struct rsip_xdp_bpf;
struct rsip_tc_bpf;
struct bench_bpf;

struct bench_gateway {
	struct rsip_config config;
	struct rsip_xdp_bpf *object;
	struct rsip_tc_bpf *tc; /* with BENCH_L2TP */
	struct rsip_dataplane *dp;
	struct bench_bpf *tools;
	uint32_t ifindex_pub, ifindex_priv, ifindex_pub_peer, ifindex_priv_peer, ifindex_ppp;
	uint32_t n; /* live bindings */
	enum bench_tunnel tunnel; /* in which they are leased */
	uint64_t load_ns, install_ns, attach_ns;
};

/* ---- gateway.c ---- */
int bench_namespace(void); /* once: network namespace, devices, one CPU */
/* Loads, fills with bindings in one kind of tunnel, times both. */
int bench_gateway_open(struct bench_gateway *gw, uint32_t bindings, enum bench_tunnel tunnel);
void bench_gateway_close(struct bench_gateway *gw);
int bench_program(const struct bench_gateway *gw, bool tunnelled); /* the product's, for the gateway's tunnel */
int bench_attach(struct bench_gateway *gw); /* both programs on and off: gw->attach_ns */
int bench_command(const char *text);	    /* of a shell */

/* ---- packets.c ---- */
struct bench_case {
	const char *name;
	enum bench_kind kind;
	bool tunnelled;
	uint8_t proto;
	uint16_t sport, dport;
	uint16_t frag;
	uint32_t remotes; /* 0: BENCH_REMOTES */
	int counted;	  /* enum rsip_counter that each packet must raise */
	enum bench_tunnel tunnel;
};
extern const struct bench_case bench_cases[];
extern const int bench_case_cnt;
extern const struct bench_case bench_plain_in, bench_plain_out; /* for the kernel: no tunnel */
void bench_job_fill(struct bench_job *job, const struct bench_case *c, uint32_t n);

/* ---- cost.c: nanoseconds a packet ---- */
struct bench_cost {
	double program_ns, floor_ns; /* without what the bench itself costs */
	double outer_ns;	     /* what the bench itself costs */
};
int bench_cost(struct bench_gateway *gw, const struct bench_case *c, int rounds,
	       struct bench_cost *out);
int bench_line(struct bench_gateway *gw, int rounds,
	       struct bench_cost *out);	   /* the floor and one lookup */
int bench_learn(struct bench_gateway *gw); /* each host sends one IKE and one ESP packet */

/* ---- path.c: packets per second over veth ---- */
enum bench_way { BENCH_WAY_BARE, BENCH_WAY_PRODUCT, BENCH_WAY_KERNEL };
struct bench_path {
	double bare_pps, pps;
};
int bench_path(struct bench_gateway *gw, const struct bench_case *c, enum bench_way way, int rounds,
	       struct bench_path *out);
int bench_masquerade(bool on); /* nftables in the namespace */

/* ---- conntrack.c ---- */
void bench_conntrack_open(void);	       /* before bench_namespace() */
int bench_conntrack_room(unsigned long flows); /* put back when the program ends */

/* ---- size.c: bytes ---- */
struct bench_size {
	double binding, binding_64; /* a binding, and with 64 possible CPUs */
	double address, pair;
	double total_mb;
};
void bench_size(const struct bench_gateway *gw, struct bench_size *out);

#endif
