// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tc.h"

#include <errno.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include "mnl_tc.h"

/* Where ours stand: before the usual filters (preference 49152), after what somebody puts first. */
#define OUR_PREFERENCE 0x5253
#define OUR_HANDLE 1

static struct bpf_tc_hook hook_of(uint32_t ifindex, bool egress)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)ifindex,
		.attach_point = egress ? BPF_TC_EGRESS : BPF_TC_INGRESS,
	};
}

bool rsip_tc_made(uint32_t ifindex)
{
	return rsip_mnl_has_qdisc(ifindex, "clsact") > 0 || rsip_mnl_has_qdisc(ifindex, "ingress") > 0;
}

bool rsip_tc_used(uint32_t ifindex)
{
	return rsip_mnl_has_filter(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) > 0 ||
	       rsip_mnl_has_filter(ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS)) > 0;
}

int rsip_tc_make(uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex, false);

	return bpf_tc_hook_create(&hook);
}

int rsip_tc_unmake(uint32_t ifindex)
{
	struct bpf_tc_hook hook = hook_of(ifindex, false);

	hook.attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS;
	return bpf_tc_hook_destroy(&hook);
}

bool rsip_tc_egress(const struct rsip_iface *iface)
{
	return iface->role == RSIP_ROLE_SLOW;
}

int rsip_tc_put(const struct rsip_iface *iface, int prog)
{
	struct bpf_tc_hook hook = hook_of(iface->ifindex, rsip_tc_egress(iface));
	LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog, .priority = OUR_PREFERENCE,
		    .handle = OUR_HANDLE, .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &opts);
}

int rsip_tc_take(uint32_t ifindex, bool egress)
{
	struct bpf_tc_hook hook = hook_of(ifindex, egress);
	LIBBPF_OPTS(bpf_tc_opts, opts, .priority = OUR_PREFERENCE, .handle = OUR_HANDLE);

	return bpf_tc_detach(&hook, &opts);
}

uint32_t rsip_tc_prog_id(const struct rsip_iface *iface)
{
	struct bpf_tc_hook hook = hook_of(iface->ifindex, rsip_tc_egress(iface));
	LIBBPF_OPTS(bpf_tc_opts, opts, .priority = OUR_PREFERENCE, .handle = OUR_HANDLE);

	return bpf_tc_query(&hook, &opts) ? 0 : opts.prog_id;
}
