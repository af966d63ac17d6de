// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Sizes and constants as the loader sets them, for 256 bindings on four addresses. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway_maps.h"
#include "rsip_tc.skel.h"
#include "rsip_xdp.skel.h"

#define BUCKETS 256

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN && getenv("RSIP_TEST_VERBOSE") ? vfprintf(stderr, fmt, ap) : 0;
}

static struct rsip_config small_config(void)
{
	return (struct rsip_config){
		.layout_version = RSIP_LAYOUT_VERSION,
		.cpus = (uint32_t)libbpf_num_possible_cpus(),
		.hash_seed = GATEWAY_SEED,
		.max_bindings = GATEWAY_BINDINGS - 1,
		.max_addrs = GATEWAY_ADDRS,
		.max_learned = GATEWAY_BINDINGS - 1,
		.addr_buckets = 4,
		.spi_buckets = BUCKETS,
		.pair_buckets = BUCKETS,
		.remote_buckets = BUCKETS,
		.mode = RSIP_MODE_NATIVE,
		.tunnels = RSIP_CONFIG_TUNNELS,
	};
}

static void set_sizes(struct rsip_xdp_bpf *o, const struct rsip_config *k)
{
	bpf_map__set_max_entries(o->maps.rsip_addrs, k->addr_buckets);
	bpf_map__set_max_entries(o->maps.rsip_addr_info, k->max_addrs);
	bpf_map__set_max_entries(o->maps.rsip_ports, k->max_addrs * 4096);
	bpf_map__set_max_entries(o->maps.rsip_spis, k->spi_buckets);
	bpf_map__set_max_entries(o->maps.rsip_pairs, k->pair_buckets);
	bpf_map__set_max_entries(o->maps.rsip_remotes, k->remote_buckets);
	bpf_map__set_max_entries(o->maps.rsip_bindings, k->max_bindings + 1);
	bpf_map__set_max_entries(o->maps.rsip_bind_cnt, k->cpus * (k->max_bindings + 1));
	bpf_map__set_max_entries(o->maps.rsip_learned, k->max_learned + 1);
	bpf_map__set_max_entries(o->maps.rsip_counters, k->cpus * RSIP_MAX_IFACES);
	bpf_map__set_max_entries(o->maps.rsip_event_gate, k->cpus);
	bpf_map__set_max_entries(o->maps.rsip_nexthops, k->cpus * RSIP_NEXTHOPS);
	bpf_map__set_max_entries(o->maps.rsip_frags, k->cpus);
	bpf_map__set_max_entries(o->maps.rsip_icmp_rate, k->cpus);
	bpf_map__set_max_entries(o->maps.rsip_cookies, 4096);
	bpf_map__set_max_entries(o->maps.rsip_spis_out, 4096);
	bpf_map__set_max_entries(o->maps.rsip_ike_peers, 4096);
}

#define SET_CONSTANTS(o, k)                                                                        \
	do {                                                                                       \
		(o)->rodata->rsip_addr_mask = (k)->addr_buckets - 1;                               \
		(o)->rodata->rsip_spi_mask = (k)->spi_buckets - 1;                                 \
		(o)->rodata->rsip_pair_mask = (k)->pair_buckets - 1;                               \
		(o)->rodata->rsip_remote_mask = (k)->remote_buckets - 1;                           \
		(o)->rodata->rsip_slots = (k)->max_bindings + 1;                                   \
		(o)->rodata->rsip_max_addrs = (k)->max_addrs;                                      \
		(o)->rodata->rsip_learned_cnt = (k)->max_learned + 1;                              \
		(o)->rodata->rsip_seed = (k)->hash_seed;                                           \
	} while (0)

static int collect(struct gateway *gw, struct rsip_xdp_bpf *o)
{
	struct rsip_config conf = small_config();
	uint32_t zero = 0;

	for (int i = 0; i < RSIP_DP_MAPS; i++) {
		gw->fd[i] = bpf_object__find_map_fd_by_name(o->obj, rsip_dp_map_name(i));
		if (gw->fd[i] < 0)
			return -ENOENT;
	}
	gw->fd_explain = bpf_program__fd(o->progs.rsip_explain);
	gw->fd_ifaces = bpf_map__fd(o->maps.rsip_ifaces);
	gw->fd_iftab = bpf_map__fd(o->maps.rsip_iftab);
	gw->fd_devs = bpf_map__fd(o->maps.rsip_devs);
	gw->fd_pub = bpf_program__fd(o->progs.rsip_xdp_pub);
	gw->fd_priv = bpf_program__fd(o->progs.rsip_xdp_priv);
	return bpf_map_update_elem(gw->fd[RSIP_DP_CONFIG], &zero, &conf, BPF_ANY) ? -errno : 0;
}

/* The TC programs, onto the maps of the XDP programs. */
static int load_tc(struct gateway *gw, struct rsip_xdp_bpf *xdp, const struct rsip_config *conf)
{
	struct rsip_tc_bpf *o = rsip_tc_bpf__open();
	struct bpf_map *map;
	int err = 0;

	if (!o)
		return -errno;
	gw->tc_object = o;
	SET_CONSTANTS(o, conf);
	o->rodata->rsip_behind_xdp = !gw->tc;
	bpf_object__for_each_map (map, o->obj)
		if (!err && !strchr(bpf_map__name(map), '.'))
			err = bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(
							     xdp->obj, bpf_map__name(map)));
	if (!err)
		err = rsip_tc_bpf__load(o);
	if (err)
		return err;
	gw->fd_tc_pub = bpf_program__fd(o->progs.rsip_tc_pub);
	gw->fd_tc_priv = bpf_program__fd(o->progs.rsip_tc_priv);
	gw->fd_tc_pub_l3 = bpf_program__fd(o->progs.rsip_tc_pub_l3);
	gw->fd_tc_priv_l3 = bpf_program__fd(o->progs.rsip_tc_priv_l3);
	gw->fd_tc_slow = bpf_program__fd(o->progs.rsip_tc_slow);
	return 0;
}

int gateway_load(struct gateway *gw)
{
	const char *mode = getenv("RSIP_TEST_MODE");
	struct rsip_config conf = small_config();
	struct rsip_xdp_bpf *o;
	int err;

	libbpf_set_print(quiet);
	gw->tc = mode && !strcmp(mode, "tc");
	o = rsip_xdp_bpf__open();
	if (!o)
		return -errno;
	gw->object = o;
	set_sizes(o, &conf);
	SET_CONSTANTS(o, &conf);
	err = rsip_xdp_bpf__load(o);
	if (!err)
		err = load_tc(gw, o, &conf);
	return err ? err : collect(gw, o);
}

struct bpf_object *gateway_bpf_object(struct gateway *gw, bool tc)
{
	if (tc)
		return ((struct rsip_tc_bpf *)gw->tc_object)->obj;
	return ((struct rsip_xdp_bpf *)gw->object)->obj;
}

void gateway_unload(struct gateway *gw)
{
	if (gw->object)
		rsip_xdp_bpf__destroy(gw->object);
	if (gw->tc_object)
		rsip_tc_bpf__destroy(gw->tc_object);
	gw->object = gw->tc_object = NULL;
}
