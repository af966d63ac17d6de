// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane on TC ingress: for devices that XDP cannot be on, and behind XDP for what it passes.  The ones
 * that end in _l3 are for devices without Ethernet header (PPP, TUN); the one for the PPP interfaces of hosts in L2TP is
 * rsip_tc_ppp.
 */
#include "vmlinux.h"
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "rsip/maps.h"
#include "rsip/wire.h"
#include "config.h"
#include "maps.h"
#include "ctx_tc.h"
#include "walk.h"
#include "gather.h"

SEC("tc")
int rsip_tc_pub(struct __sk_buff *ctx)
{
	struct rsip_walk walk = { .ctx = ctx, .l2 = RSIP_ETH_LEN };

	return rsip_walk_public(&walk);
}

SEC("tc")
int rsip_tc_priv(struct __sk_buff *ctx)
{
	struct rsip_walk walk = { .ctx = ctx, .l2 = RSIP_ETH_LEN };

	return rsip_walk_private(&walk);
}

SEC("tc")
int rsip_tc_pub_l3(struct __sk_buff *ctx)
{
	struct rsip_walk walk = { .ctx = ctx };

	return rsip_walk_public(&walk);
}

SEC("tc")
int rsip_tc_priv_l3(struct __sk_buff *ctx)
{
	struct rsip_walk walk = { .ctx = ctx };

	return rsip_walk_private(&walk);
}

SEC("tc")
int rsip_tc_ppp(struct __sk_buff *ctx)
{
	struct rsip_walk walk = { .ctx = ctx };

	return rsip_walk_session(&walk);
}

/*
 * Egress of the slow-path device.  The kernel has routed here what carries our marks: packets for pool addresses
 * that it has reassembled and fragmented anew, and reassembled tunnel packets.  All else that gets here is lost:
 * going on, it would come in at the device's other end and run around until its TTL is gone.
 */
SEC("tc")
int rsip_tc_slow(struct __sk_buff *ctx)
{
	struct rsip_walk walk = { .ctx = ctx, .l2 = RSIP_ETH_LEN, .slow = true };
	__u32 mark = ctx->mark;
	int res = RSIP_PASS, gathered = 0;

	walk.iface = rsip_iface_find(ctx->ingress_ifindex);
	walk.row = rsip_iface_find(ctx->ifindex);
	walk.forwarded = mark == RSIP_MARK_POOL;
	ctx->mark = 0;
	rsip_ctx_pull(ctx);
	if (mark == RSIP_MARK_TUNNEL)
		gathered = rsip_gather_add(ctx, walk.l2);
	if (gathered == RSIP_GATHER_HELD)
		return RSIP_TC_STOLEN; /* the kernel goes on with the next piece: after a drop it would not */
	if (!rsip_walk_start(&walk))
		return RSIP_ACT_DROP;
	if (mark == RSIP_MARK_POOL)
		res = rsip_inbound(&walk);
	else if (mark == RSIP_MARK_TUNNEL)
		res = gathered ? gathered : rsip_outbound(&walk);
	if (!gathered)
		res = rsip_reply_to(&walk, res);
	if (res == RSIP_PASS && walk.mark != RSIP_MARK_KERNEL)
		res = -RSIP_DROP_STRAY;
	return rsip_verdict(&walk, res);
}

char _license[] SEC("license") = "Dual BSD/GPL";
