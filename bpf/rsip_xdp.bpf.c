// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane on XDP: rsip_xdp_pub on interfaces of the public realm, rsip_xdp_priv on those of the hosts.
 * docs/packet-flow.md tells the walk; each step is in the header of its name.  They take frames of several buffers, but
 * only the loader says so (BPF_F_XDP_HAS_FRAGS, loader/object_constants.h): libbpf could not unsay "xdp.frags".
 */
#include "vmlinux.h"
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "rsip/maps.h"
#include "rsip/wire.h"
#include "config.h"
#include "maps.h"
#include "ctx_xdp.h"
#include "walk.h"
#include "explain.h"

SEC("xdp")
int rsip_xdp_pub(struct xdp_md *ctx)
{
	struct rsip_walk walk = { .ctx = ctx, .l2 = RSIP_ETH_LEN };

	return rsip_walk_public(&walk);
}

SEC("xdp")
int rsip_xdp_priv(struct xdp_md *ctx)
{
	struct rsip_walk walk = { .ctx = ctx, .l2 = RSIP_ETH_LEN };

	return rsip_walk_private(&walk);
}

/* Run by rsipd: which binding would get this packet? */
SEC("syscall")
int rsip_explain(struct rsip_explain *x)
{
	x->slot = x->bind_id = 0;
	x->guessed = 0;
	x->result = rsip_explain_packet(x);
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
