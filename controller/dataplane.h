/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sink between lease manager and data plane.  Everything above this header runs without root on the
 * in-memory twin (dataplane_mem.c); dataplane_bpf.c, which writes the pinned maps, is the only controller
 * file that includes libbpf.
 *
 * Addresses are in network order, ports and SPIs in host order, times are CLOCK_MONOTONIC nanoseconds.
 * Functions return 0 or negative errno.  No call blocks on the network or waits for a grace period, except
 * where it says so.
 */
#ifndef RSIP_DATAPLANE_H
#define RSIP_DATAPLANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "link.h"
#include "rsip/maps.h"

#define RSIP_PORTS_PER_BIND 255 /* RFC 3103 8.2: the number field is one byte */

/* Ports of one binding: a list, ascending, no value twice.  RFC 3103 8.2. */
struct rsip_port_set {
	uint16_t cnt;
	uint16_t port[RSIP_PORTS_PER_BIND];
};

/* SPIs of one binding: ranges, no overlap.  A contiguous lease is one range. */
struct rsip_spi_range {
	uint32_t first;
	uint32_t cnt;
};
struct rsip_spi_set {
	uint16_t range_cnt;
	uint16_t pad;
	struct rsip_spi_range *range; /* owned by whoever built the set */
};

/* All that the data plane must know of one binding. */
struct rsip_dp_binding {
	struct rsip_binding rec; /* as in the map, but nexthop 0 is allowed (resolved later) */
	struct rsip_port_set ports; /* cnt 0: none */
	struct rsip_spi_set spis; /* range_cnt 0: none */
};

/* What of an address is not the hosts': see struct rsip_addr_info. */
struct rsip_dp_addr_rules {
	bool guess; /* IKE that nothing tells the host of goes to the only one that talks to its sender */
	bool kernel_ike; /* the machine speaks IKE here */
	struct rsip_span16 kernel_ports[RSIP_KERNEL_PORT_SPANS];
	struct rsip_span16 kernel_ids[RSIP_KERNEL_ID_SPANS]; /* ICMP identifiers */
	struct rsip_span32 kernel_spis[RSIP_KERNEL_SPI_SPANS];
};

struct rsip_dp_counters { /* of one binding, summed over the CPUs */
	struct rsip_bind_cnt c;
};

/* Interface as the loader attached it. */
struct rsip_dp_iface {
	uint32_t index; /* in rsip_ifaces */
	struct rsip_iface rec;
};

struct rsip_dataplane;

/* Called for each violation that packets reported. */
typedef void (*rsip_dp_event_fn)(void *arg, const struct rsip_event *e);

/* Called for each binding found installed at start: ports and spis are complete.  Return nonzero to stop. */
typedef int (*rsip_dp_found_fn)(void *arg, uint32_t slot, const struct rsip_dp_binding *found);

struct rsip_dataplane_ops {
	/* Capacity (records that can be live at once). */
	uint32_t (*max_bindings)(struct rsip_dataplane *dp);
	uint32_t (*max_addrs)(struct rsip_dataplane *dp);

	/*
	 * Makes a pool address known under an index < max_addrs.  -ENOSPC if the table is full; 0 if it is known there
	 * already.  -EEXIST: this process gave the address or the index away before (one that only an earlier process
	 * knew is replaced).  At start: all addresses first, then foreach, which forgets those that were not added.
	 * addr_remove: -ENOENT, or -EBUSY while a binding lives on it.
	 */
	int (*addr_add)(struct rsip_dataplane *dp, uint32_t index, __be32 addr, uint32_t pool);
	int (*addr_remove)(struct rsip_dataplane *dp, uint32_t index, __be32 addr);
	/* Of an address that was added; at any time.  -ENOENT. */
	int (*addr_rules)(struct rsip_dataplane *dp, uint32_t index, const struct rsip_dp_addr_rules *rules);

	/*
	 * Hosts with IPv6 addresses (include/rsip/maps.h): numbers 1 .. max_hosts6 of config, each with the address of one host.  A number
	 * that was dropped rests until no packet can have it any more.  add: 0, -EEXIST: the address has one, -ENOSPC; it takes a
	 * grace period (some 10 ms) only where no rested number is left.  claim: start-up, with the number given; 0 also where it
	 * is so already.  get: all zero where nobody has the number.
	 */
	int (*host6_add)(struct rsip_dataplane *dp, const uint8_t addr[16], uint32_t *index);
	int (*host6_claim)(struct rsip_dataplane *dp, uint32_t index, const uint8_t addr[16]);
	void (*host6_drop)(struct rsip_dataplane *dp, uint32_t index);
	void (*host6_get)(struct rsip_dataplane *dp, uint32_t index, uint8_t addr[16]);

	/*
	 * Installs a binding and publishes it: record first, then ports, SPIs, pair.  *slot receives its slot.
	 * -ENOSPC: no slot, no bucket or no learned record; nothing is left half installed.
	 * -ENOENT: rec.local is no known address; -EEXIST: somebody has one of its ports or SPIs or the whole address.
	 * rec.learned, rec.addr_index, rec.res_cnt need not be set by the caller: the data plane fills them.
	 * Takes a grace period (some 10 ms) only where no rested slot is left, or a full bucket must be spread.
	 */
	int (*bind_install)(struct rsip_dataplane *dp, const struct rsip_dp_binding *b, uint32_t *slot);
	/* Removes it: tables first, record last.  The slot rests until a grace period has passed. */
	int (*bind_remove)(struct rsip_dataplane *dp, uint32_t slot);
	int (*bind_extend)(struct rsip_dataplane *dp, uint32_t slot, uint64_t expires_ns);
	/* Next hop of one binding, as in union rsip_nexthop. */
	int (*bind_nexthop)(struct rsip_dataplane *dp, uint32_t slot, uint64_t nexthop);
	/* Longest inner packet toward the host: rec.mtu, which may change. */
	int (*bind_mtu)(struct rsip_dataplane *dp, uint32_t slot, uint16_t mtu);
	/* What its host's packets leave with: rec.dscp, which may change. */
	int (*bind_dscp)(struct rsip_dataplane *dp, uint32_t slot, uint8_t dscp);
	int (*bind_counters)(struct rsip_dataplane *dp, uint32_t slot, struct rsip_bind_cnt *sum);

	/* Sum over the CPUs of one interface's counters. */
	int (*iface_counters)(struct rsip_dataplane *dp, uint32_t iface, struct rsip_counters *sum);
	/* Interfaces in use, at most max; returns how many. */
	int (*ifaces)(struct rsip_dataplane *dp, struct rsip_dp_iface *out, int max);
	/* What an interface has become: its MAC address, a virtual router's on top of it, its MTU.  -ENODEV: it is none of ours. */
	int (*iface_link)(struct rsip_dataplane *dp, uint32_t iface, const struct rsip_link *link);
	int (*set_policy)(struct rsip_dataplane *dp, const struct rsip_policy *policy); /* route_gen is kept */
	void (*routes_changed)(struct rsip_dataplane *dp); /* raises route_gen */
	/* Do routes depend on more than the destination?  Then each packet asks the kernel. */
	void (*route_rules)(struct rsip_dataplane *dp, bool there_are);
	/* Next hops are looked after; to be said at least every second (RSIP_ALIVE_NS). */
	void (*alive)(struct rsip_dataplane *dp, uint64_t now_ns);
	/* Do packets go by other maps than these, or will in a moment: is the data plane of a newer layout, or becoming so? */
	bool (*outdated)(struct rsip_dataplane *dp);
	int (*config)(struct rsip_dataplane *dp, struct rsip_config *out);

	/* Start-up only: reports every installed binding that has not expired at now_ns; removes the others. */
	int (*foreach)(struct rsip_dataplane *dp, uint64_t now_ns, rsip_dp_found_fn fn, void *arg);
	/* Frees what lost its owner (claims of dead pairs); bounded work a call; call about once a second. */
	void (*housekeep)(struct rsip_dataplane *dp, uint64_t now_ns);

	/* Violations: a descriptor that is readable when there are some, -1 for none ever; hands over all there are. */
	int (*events_fd)(struct rsip_dataplane *dp);
	/*
	 * Which binding would get a packet: the data plane's own program says it, and nothing is changed.
	 * -EOPNOTSUPP: there is no such program here.
	 */
	int (*explain)(struct rsip_dataplane *dp, struct rsip_explain *x);
	void (*events)(struct rsip_dataplane *dp, rsip_dp_event_fn fn, void *arg);
	/* The PPP interface of a host in L2TP (maps.h, rsip_ppp_of); 0: it has no session. */
	uint32_t (*session)(struct rsip_dataplane *dp, __be32 host);
	/* Has the device of this number been deleted (and perhaps made again, with another)? */
	bool (*iface_gone)(struct rsip_dataplane *dp, uint32_t ifindex);

	void (*close)(struct rsip_dataplane *dp); /* forgets; what is installed goes on forwarding */
};

struct rsip_dataplane {
	const struct rsip_dataplane_ops *ops;
};

/* The record of one interface, by its index: 0, or -ENODEV where there is none. */
int rsip_dataplane_iface(struct rsip_dataplane *dp, uint32_t index, struct rsip_iface *rec);

/*
 * Opens the maps pinned under pin_path, checks owner, mode and layout version, maps them into memory, and
 * keeps no descriptor that attaches or detaches programs.  On failure returns negative errno and a sentence
 * for people in why.
 */
int rsip_dataplane_open(const char *pin_path, struct rsip_dataplane **out, char *why, size_t why_len);
/* The in-memory twin for tests: same rules, same answers, no kernel. */
int rsip_dataplane_mem(uint32_t max_bindings, uint32_t max_addrs, struct rsip_dataplane **out);
/* As if a packet had reported this; one is kept. */
void rsip_dataplane_mem_event(struct rsip_dataplane *dp, const struct rsip_event *e);

#endif
