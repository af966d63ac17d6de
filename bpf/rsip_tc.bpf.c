// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane on TC ingress: for devices that XDP cannot be on, and behind XDP for what it passes.  The ones
 * that end in _l3 are for devices without Ethernet header (PPP, TUN).
 */
#include "vmlinux.h"
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "rsip/maps.h"
#include "config.h"
#include "maps.h"
#include "ctx_tc.h"
#include "walk.h"

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

char _license[] SEC("license") = "Dual BSD/GPL";
