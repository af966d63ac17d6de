// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The BPF programs of the tunnel: loading, attaching, filling their table.  The only file with
 * libbpf. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/pkt_sched.h>
#include "log.h"
#include "tunnel.h"
#include "whole.h"
#include "rsip_tun.skel.h" /* after tun.h, whose types it uses */

/*
 * Where our filter sits in a chain: one priority for all clients, and a handle that follows from
 * the name of the device, so that a new program replaces one of our past in one step and no
 * other's.
 */
#define RSIP_TC_PRIORITY 4555

struct rsip_tunnel_bpf {
	struct rsip_tun_bpf *skel;
	struct rsip_whole *whole; /* NULL: this system cannot */
	uint32_t nic;
	uint32_t handle;
	bool own_qdisc;
	bool attached;
};

static uint32_t handle_of(const char *name)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash ? hash : 1;
}

static int show(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	if (level == LIBBPF_DEBUG)
		return 0;
	rsip_vlog(RSIP_LOG_DEBUG, fmt, ap); /* libbpf speaks one level quieter than we do */
	return 0;
}

static int attach(uint32_t ifindex, uint32_t handle, int prog_fd, bool *made_qdisc)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .prog_fd = prog_fd, .handle = handle,
			    .priority = RSIP_TC_PRIORITY, .flags = BPF_TC_F_REPLACE);
	int err = bpf_tc_hook_create(&hook);

	if (err && err != -EEXIST)
		return err;
	if (made_qdisc && !err)
		*made_qdisc = true;
	return bpf_tc_attach(&hook, &opts);
}

static int detach_program(uint32_t nic, uint32_t handle)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = nic, .attach_point = BPF_TC_INGRESS);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = RSIP_TC_PRIORITY);

	return bpf_tc_detach(&hook, &opts);
}

/* The queueing discipline is ours, but others may have hung their filters into it since. */
static void remove_qdisc(uint32_t nic, struct rsip_nl *nl)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = nic, .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (rsip_nl_filter_count(nl, nic, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), 0) <= 0 &&
	    rsip_nl_filter_count(nl, nic, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS), 0) <= 0)
		bpf_tc_hook_destroy(&hook);
}

static void detach(struct rsip_tunnel_bpf *b, struct rsip_nl *nl)
{
	int err = b->attached ? detach_program(b->nic, b->handle) : 0;

	if (err && err != -ENOENT && err != -ENODEV) /* gone, or its interface is */
		log_warn("cannot detach the tunnel's program from interface %u: %s", b->nic,
			 strerror(-err));
	if (b->own_qdisc)
		remove_qdisc(b->nic, nl);
}

void rsip_tunnel_bpf_clear(const char *name, struct rsip_nl *nl, uint32_t nic, bool own_qdisc)
{
	libbpf_set_print(show);
	detach_program(nic, handle_of(name)); /* it may have been the kernel's tunnel, or the interface is gone */
	if (own_qdisc)
		remove_qdisc(nic, nl);
}

static void take_whole(struct rsip_tunnel_bpf *b, const struct rsip_tun_config *cfg, const struct rsip_inet *local)
{
	int err = rsip_whole_open(cfg, local, bpf_program__fd(b->skel->progs.rsip_tun_whole), &b->whole);

	if (err)
		log_warn("tunnel packets that arrive in fragments will be lost: a raw socket for them: %s", strerror(-err));
}

int rsip_tunnel_bpf_open(const struct rsip_tun_config *cfg, const struct rsip_inet *local, const char *name,
			 struct rsip_nl *nl, bool own_qdisc, struct rsip_tunnel_bpf **out)
{
	struct rsip_tunnel_bpf *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return -ENOMEM;
	libbpf_set_print(show);
	b->nic = cfg->nic;
	b->handle = handle_of(name);
	/* Who goes last takes the queueing discipline along, whichever of us made it. */
	b->own_qdisc = own_qdisc ||
		       rsip_nl_filter_count(nl, cfg->nic, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS),
					    RSIP_TC_PRIORITY) > 0;
	b->skel = rsip_tun_bpf__open();
	if (!b->skel) {
		err = -errno;
		goto out;
	}
	memcpy((void *)&b->skel->rodata->rsip_tun_cfg, cfg, sizeof(*cfg));
	err = rsip_tun_bpf__load(b->skel);
	if (err) {
		log_err("cannot load the tunnel's programs: %s (needs CAP_BPF and CAP_NET_ADMIN: "
			"run as root)",
			strerror(-err));
		goto out;
	}
	err = attach(cfg->dev, b->handle,
		     bpf_program__fd(cfg->v6 ? b->skel->progs.rsip_tun_out6 : b->skel->progs.rsip_tun_out), NULL);
	if (err)
		goto out;
	err = attach(cfg->nic, b->handle,
		     bpf_program__fd(cfg->v6 ? b->skel->progs.rsip_tun_in6 : b->skel->progs.rsip_tun_in), &b->own_qdisc);
	b->attached = !err;
	if (!err)
		take_whole(b, cfg, local);
out:
	if (err)
		rsip_tunnel_bpf_close(b, nl);
	else
		*out = b;
	return err;
}

void rsip_tunnel_bpf_close(struct rsip_tunnel_bpf *b, struct rsip_nl *nl)
{
	if (!b)
		return;
	detach(b, nl);
	rsip_whole_close(b->whole);
	rsip_tun_bpf__destroy(b->skel);
	free(b);
}

void rsip_tunnel_end(union rsip_tun_end *end, const struct rsip_inet *addr)
{
	memset(end, 0, sizeof(*end));
	if (addr->family == AF_INET6)
		memcpy(end->v6, addr->v6, sizeof(end->v6));
	else
		end->v4 = addr->v4;
}

int rsip_tunnel_bpf_add(struct rsip_tunnel_bpf *b, __be32 addr, const struct rsip_inet *endpoint)
{
	struct rsip_tun_addr to;

	rsip_tunnel_end(&to.endpoint, endpoint);
	return bpf_map_update_elem(bpf_map__fd(b->skel->maps.rsip_tun_addrs), &addr, &to, BPF_ANY);
}

int rsip_tunnel_bpf_del(struct rsip_tunnel_bpf *b, __be32 addr)
{
	return bpf_map_delete_elem(bpf_map__fd(b->skel->maps.rsip_tun_addrs), &addr);
}

bool rsip_tunnel_bpf_owns_qdisc(const struct rsip_tunnel_bpf *b)
{
	return b->own_qdisc;
}

int rsip_tunnel_bpf_whole_fd(const struct rsip_tunnel_bpf *b)
{
	return rsip_whole_fd(b->whole);
}

void rsip_tunnel_bpf_whole_read(struct rsip_tunnel_bpf *b, uint32_t mtu)
{
	rsip_whole_read(b->whole, mtu);
}

int rsip_tunnel_bpf_counters(const struct rsip_tunnel_bpf *b, uint64_t sums[RSIP_TUN_COUNTERS])
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t *row;

	if (cpus < 0)
		return cpus;
	row = calloc(cpus, sizeof(*row));
	if (!row)
		return -ENOMEM;
	for (uint32_t i = 0; i < RSIP_TUN_COUNTERS; i++) {
		sums[i] = 0;
		if (bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.rsip_tun_counts), &i, row))
			continue;
		for (int cpu = 0; cpu < cpus; cpu++)
			sums[i] += row[cpu];
	}
	free(row);
	rsip_whole_counters(b->whole, sums);
	return 0;
}
