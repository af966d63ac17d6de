/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* All steps in their order, and the two walks made of them: the same for XDP and TC. */
#ifndef RSIP_BPF_WALK_H
#define RSIP_BPF_WALK_H

#include "parse.h"
#include "clock.h"
#include "tables.h"
#include "key.h"
#include "icmp.h"
#include "ike.h"
#include "ident.h"
#include "peers.h"
#include "kernel.h"
#include "demux.h"
#include "owner.h"
#include "spoof.h"
#include "event.h"
#include "verdict.h"
#include "sum.h"
#include "gre.h"
#include "outer6.h"
#include "session.h"
#include "encap.h"
#include "nexthop.h"
#include "arp.h"
#include "reply.h"
#include "pmtu.h"
#include "inbound.h"
#include "outbound.h"

/* What all walks begin with, once they know the interface.  false: there is no such interface. */
static __always_inline bool rsip_walk_start(struct rsip_walk *walk)
{
	walk->policy = rsip_policy_get();
	walk->in = rsip_iface_get(walk->iface);
	if (!walk->policy || !walk->in)
		return false;
	asm volatile("" : : "r"(walk) : "memory"); /* where it stays: in registers, each branch would carry all of it along */
	walk->cpu = bpf_get_smp_processor_id();
	rsip_ctx_pull(walk->ctx);
	rsip_capture_begin(walk);
	return true;
}

/* false: this interface is none of ours. */
static __always_inline bool rsip_walk_begin(struct rsip_walk *walk)
{
	walk->iface = rsip_iface_find(rsip_ctx_ifindex(walk->ctx));
	if (!walk->iface)
		return false;
	walk->row = walk->iface;
	return rsip_walk_start(walk);
}

/* On an interface of the public realm. */
static __always_inline int rsip_walk_public(struct rsip_walk *walk)
{
	if (rsip_ctx_marked(walk->ctx) == RSIP_MARK_KERNEL)
		return RSIP_ACT_PASS;
	return rsip_walk_begin(walk) ? rsip_verdict(walk, rsip_reply_to(walk, rsip_inbound(walk))) : RSIP_ACT_PASS;
}

/* On an interface of the hosts. */
static __always_inline int rsip_walk_private(struct rsip_walk *walk)
{
	int res;

	if (rsip_ctx_marked(walk->ctx) >> 16 == RSIP_MARK_KERNEL >> 16)
		return RSIP_ACT_PASS; /* opened by the slow path: judged and counted there */
	if (!rsip_walk_begin(walk))
		return RSIP_ACT_PASS;
	res = rsip_untunnelled(walk, rsip_outbound(walk));
	return rsip_verdict(walk, rsip_reply_to(walk, res));
}

/* On the PPP interface of a host's L2TP session. */
static __always_inline int rsip_walk_session(struct rsip_walk *walk)
{
	__u32 ifindex = rsip_ctx_ifindex(walk->ctx);
	struct rsip_session *session = bpf_map_lookup_elem(&rsip_sessions, &ifindex);

	if (!session)
		return RSIP_ACT_PASS;
	walk->iface = session->iface;
	walk->row = session->iface;
	if (!rsip_walk_start(walk))
		return RSIP_ACT_PASS;
	return rsip_verdict(walk, rsip_reply_to(walk, rsip_outbound_l2tp(walk, session)));
}

#endif
