/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What must become of a packet: the data plane once more, in plain C over plain lists, written from
 * the RFCs and docs/packet-flow.md.  It shares nothing with bpf/ but the names of the counters
 * (rsip/reasons.h), so that both are wrong in the same way only where the document is.  It knows
 * the gateway of the packet tests (cast.h).
 *
 * Kept simple on purpose: each (host, address) pair has one binding; no listener, no guess, no
 * kernel resources.
 */
#ifndef RSIP_TEST_REFERENCE_H
#define RSIP_TEST_REFERENCE_H

#include "gateway.h"

#define REF_BINDINGS 16
#define REF_LEARNED 4096
#define REF_IDENTS 400 /* no more than packets in a world */

struct ref_binding {
	struct given g; /* one SPI range */
	uint32_t slot;
};

/* A host's IKE cookie, or a (remote, SPI) that it sends to. */
struct ref_learned {
	const struct ref_binding *owner;
	__be32 local, remote;
	uint64_t cookie;
	uint32_t spi;
};

struct reference {
	__be32 six; /* the handle of HOST6_A; no other host has an IPv6 address */
	struct ref_binding bindings[REF_BINDINGS];
	uint32_t binding_cnt;
	struct ref_learned cookies[REF_LEARNED], spis_out[REF_LEARNED];
	uint32_t cookie_cnt, spi_out_cnt;
	struct ref_learned idents[REF_IDENTS]; /* ICMP identifiers: spi is 1 + the identifier */
	uint32_t ident_cnt;
	bool check_mac;
};

/* What must come out.  counter: of the interface of arrival; claimed: RSIP_CNT_COOKIE_CLAIMED
 * beside it. */
struct ref_result {
	uint32_t mark; /* for the kernel */
	uint32_t action; /* XDP_* */
	int counter;
	int why; /* beside RSIP_CNT_ICMP_SENT: the drop that it is about */
	uint32_t claimed;
	uint32_t in_slot, out_slot, bytes;
	struct pkt out;
};

/* iface: IF_*.  Learns as the gateway does. */
void reference_run(struct reference *ref, int iface, const struct pkt *in, struct ref_result *res);

#endif
