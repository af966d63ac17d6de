// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane on XDP: rsip_xdp_pub on interfaces of the public realm, rsip_xdp_priv on those of the hosts.
 * docs/packet-flow.md tells the walk; each step is in the header of its name.
 */
#include "vmlinux.h"
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "rsip/maps.h"
#include "config.h"
#include "maps.h"
#include "parse.h"
#include "tables.h"
#include "key.h"
#include "icmp.h"
#include "ike.h"
#include "demux.h"
#include "owner.h"
#include "spoof.h"
#include "verdict.h"
#include "encap.h"
#include "nexthop.h"
#include "arp.h"
#include "inbound.h"
#include "outbound.h"

/* false: this interface is none of ours. */
static __always_inline bool rsip_walk_begin(struct rsip_walk *walk)
{
	walk->iface = rsip_iface_find(walk->ctx->ingress_ifindex);
	if (!walk->iface)
		return false;
	walk->cpu = bpf_get_smp_processor_id();
	return true;
}

SEC("xdp")
int rsip_xdp_pub(struct xdp_md *ctx)
{
	struct rsip_walk walk = { .ctx = ctx };

	return rsip_walk_begin(&walk) ? rsip_verdict(&walk, rsip_inbound(&walk)) : XDP_PASS;
}

SEC("xdp")
int rsip_xdp_priv(struct xdp_md *ctx)
{
	struct rsip_walk walk = { .ctx = ctx };

	return rsip_walk_begin(&walk) ? rsip_verdict(&walk, rsip_outbound(&walk)) : XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
