/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's end of the tunnel: a virtual interface in the programs' namespace that carries the
 * leased addresses (RFC 3102 3.1) and whose packets reach the gateway inside IP-IP or GRE, over IPv4 or IPv6.
 *
 * The namespace may be the client's own (a shared jail).  Then the pair has both ends there, only
 * what comes from a leased address is routed to it, by a rule and a table of its own, and the kind
 * is always BPF: the kernel's device would take an inner packet for any address of the host.
 *
 * Two kinds: the kernel's ipip, gre, ip6tnl or ip6gre device, made here and moved into the namespace; and, for kernels
 * without one, a veth pair with BPF programs at its outer end and at the NIC.
 */
#ifndef RSIP_CLIENT_TUNNEL_H
#define RSIP_CLIENT_TUNNEL_H

#include <stdbool.h>
#include "jail.h"
#include "locals.h"
#include "netlink.h"
#include "tun.h"

#define RSIP_TABLE_BASE 455500 /* + ifindex: the table a shared namespace's device is routed by */

struct rsip_tunnel_spec {
	const char *dev;       /* name of the device(s) */
	struct rsip_inet local, gateway; /* the ends of the tunnel: of one family, which is the outer header's */
	uint8_t type; /* RSIP_TUNNEL_IPIP, RSIP_TUNNEL_GRE */
	uint32_t nic;	       /* ifindex of the way to the gateway */
	const struct rsip_jail *jail;
	bool ours; /* a device of that name is left over from our own past: reuse or replace it */
	bool keep; /* and its ends are still right: reuse it */
	bool no_kernel; /* do not try the kernel's ipip or gre device */
	bool own_qdisc; /* in our past we added the NIC's clsact */
	bool remote;	/* shared: all that goes to remote destinations goes through it, not only what is bound */
	void (*begins)(void *arg); /* the name is ours, and the device is about to be made */
	void *arg;
};

struct rsip_tunnel;

/* 0 or a negative errno; on failure nothing is left behind. */
int rsip_tunnel_open(const struct rsip_tunnel_spec *spec, struct rsip_tunnel **t);
/* Takes the device, programs and what the NIC got away again, and frees t (NULL is fine). */
void rsip_tunnel_close(struct rsip_tunnel *t);

/* -EOPNOTSUPP: this kind cannot have another endpoint than the gateway. */
int rsip_tunnel_add(struct rsip_tunnel *t, __be32 addr, const struct rsip_inet *endpoint);
int rsip_tunnel_del(struct rsip_tunnel *t, __be32 addr);
/* Of a shared namespace: rules of ours that somebody took away, those of these addresses among them, come back. */
int rsip_tunnel_mend(struct rsip_tunnel *t, const __be32 *addrs, unsigned int cnt);
/* Where no ARP request for a leased address may be answered: arp_ignore of the namespace, 0 for
 * answers to all, or a negative errno. */
int rsip_tunnel_arp_ignore(void);
int rsip_tunnel_set_arp_ignore(int value);
/* The default route of the programs, with src as source address. */
int rsip_tunnel_route(struct rsip_tunnel *t, __be32 src);

/* What needs no tunnel, in place of what was said before. */
int rsip_tunnel_locals(struct rsip_tunnel *t, const struct rsip_locals *locals);
const struct rsip_locals *rsip_tunnel_locals_now(const struct rsip_tunnel *t);

/* Of the rules of a shared namespace; 0: there are none. */
uint32_t rsip_tunnel_table(const struct rsip_tunnel *t);
/* Removes all rules that lead to this table, and to the one for all that is remote, and our routes in them. */
void rsip_tunnel_rules_clear(uint32_t table);
/*
 * Removes a past device of ours of that name, and its other end, from the client's namespace and from jail (or NULL), and its
 * program from nic; own_qdisc: and the clsact there, where nobody else uses it.
 */
void rsip_tunnel_clear(const char *dev, const struct rsip_jail *jail, uint32_t nic, bool own_qdisc);
const char *rsip_tunnel_kind(const struct rsip_tunnel *t); /* "ipip", "gre", "ip6tnl", "ip6gre" or "bpf" */
bool rsip_tunnel_owns_qdisc(const struct rsip_tunnel *t);
uint32_t rsip_tunnel_mtu(const struct rsip_tunnel *t);
/* What a tunnel of this type, over this family, would have where the NIC has nic_mtu. */
uint32_t rsip_tunnel_mtu_over(uint32_t nic_mtu, uint8_t type, uint16_t family);
/* The NIC's MTU may have changed: the device's follows. */
void rsip_tunnel_fit(struct rsip_tunnel *t);
/* Readable when tunnel packets came in fragments (whole.h), which rsip_tunnel_whole() then hands over; -1: the kernel does. */
int rsip_tunnel_whole_fd(const struct rsip_tunnel *t);
void rsip_tunnel_whole(struct rsip_tunnel *t);
/* Packets that programs have sent into it. */
uint64_t rsip_tunnel_sent(const struct rsip_tunnel *t);
/* Sums over all CPUs; -EOPNOTSUPP where the kernel's device counts. */
int rsip_tunnel_counters(const struct rsip_tunnel *t, uint64_t sums[RSIP_TUN_COUNTERS]);

/* ---- the BPF kind (tunnel_bpf.c) ---- */

struct rsip_tunnel_bpf;
/* An end as the programs have it; what is beyond an IPv4 address is zero. */
void rsip_tunnel_end(union rsip_tun_end *end, const struct rsip_inet *addr);
/* name: of the device; clients with different ones may share a NIC. */
int rsip_tunnel_bpf_open(const struct rsip_tun_config *cfg, const struct rsip_inet *local, const char *name,
			 struct rsip_nl *nl, bool own_qdisc, struct rsip_tunnel_bpf **b);
void rsip_tunnel_bpf_close(struct rsip_tunnel_bpf *b, struct rsip_nl *nl);
/* Takes away what a killed client of that device's name attached to nic; own_qdisc: and the clsact, where nobody uses it. */
void rsip_tunnel_bpf_clear(const char *name, struct rsip_nl *nl, uint32_t nic, bool own_qdisc);
int rsip_tunnel_bpf_add(struct rsip_tunnel_bpf *b, __be32 addr, const struct rsip_inet *endpoint);
int rsip_tunnel_bpf_del(struct rsip_tunnel_bpf *b, __be32 addr);
int rsip_tunnel_bpf_whole_fd(const struct rsip_tunnel_bpf *b);
void rsip_tunnel_bpf_whole_read(struct rsip_tunnel_bpf *b, uint32_t mtu);
bool rsip_tunnel_bpf_owns_qdisc(const struct rsip_tunnel_bpf *b);
int rsip_tunnel_bpf_counters(const struct rsip_tunnel_bpf *b, uint64_t sums[RSIP_TUN_COUNTERS]);

#endif
