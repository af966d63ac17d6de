// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A gateway's descriptors: of the maps and programs of its copy. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway_maps.h"
#include "object_constants.h"
#include "rsip_tc.skel.h"
#include "rsip_tc_cap.skel.h"
#include "rsip_xdp.skel.h"

static int take_map(struct gateway *gw, const char *name, int *err)
{
	int fd = gateway_copy_map(&gw->copy, name);

	if (fd < 0 && !*err)
		*err = fd;
	return fd;
}

static int take_prog(struct gateway *gw, const char *name, int *err)
{
	int fd = gateway_copy_prog(&gw->copy, name);

	if (fd < 0 && !*err)
		*err = fd;
	return fd;
}

int gateway_load(struct gateway *gw)
{
	struct rsip_config conf = gateway_config();
	int err = gateway_copy_take(&gw->copy);
	uint32_t zero = 0;

	if (err)
		return err;
	for (int i = 0; i < RSIP_DP_MAPS; i++)
		gw->fd[i] = take_map(gw, rsip_dp_map_name(i), &err);
	gw->fd_ifaces = take_map(gw, "rsip_ifaces", &err);
	gw->fd_iftab = take_map(gw, "rsip_iftab", &err);
	gw->fd_devs = take_map(gw, "rsip_devs", &err);
	gw->fd_explain = take_prog(gw, "rsip_explain", &err);
	gw->fd_pub = take_prog(gw, "rsip_xdp_pub", &err);
	gw->fd_priv = take_prog(gw, "rsip_xdp_priv", &err);
	gw->fd_tc_pub = take_prog(gw, "rsip_tc_pub", &err);
	gw->fd_tc_priv = take_prog(gw, "rsip_tc_priv", &err);
	gw->fd_tc_pub_l3 = take_prog(gw, "rsip_tc_pub_l3", &err);
	gw->fd_tc_priv_l3 = take_prog(gw, "rsip_tc_priv_l3", &err);
	gw->fd_tc_ppp = take_prog(gw, "rsip_tc_ppp", &err);
	gw->fd_tc_slow = take_prog(gw, "rsip_tc_slow", &err);
	if (!err && bpf_map_update_elem(gw->fd[RSIP_DP_CONFIG], &zero, &conf, BPF_ANY))
		err = -errno;
	return err;
}

/* For tests that look into the objects: opened, not loaded. */
struct bpf_object *gateway_bpf_object(struct gateway *gw, bool tc)
{
	if (tc && !gw->tc_object)
		gw->tc_object = rsip_tc_bpf__open();
	if (!tc && !gw->object)
		gw->object = rsip_xdp_bpf__open();
	if (tc)
		return gw->tc_object ? ((struct rsip_tc_bpf *)gw->tc_object)->obj : NULL;
	return gw->object ? ((struct rsip_xdp_bpf *)gw->object)->obj : NULL;
}

/* Onto the copy's maps, as the loader does it; the rest is the capture's own. */
static int take_maps(const struct bpf_object *obj, const struct gateway_copy *copy)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map (map, obj) {
		int fd = strchr(bpf_map__name(map), '.') ? -ENOENT : gateway_copy_map(copy, bpf_map__name(map));

		if (err || fd < 0)
			continue;
		err = bpf_map__reuse_fd(map, fd);
		close(fd);
	}
	return err;
}

int gateway_capture_load(struct gateway *gw)
{
	struct rsip_config conf = gateway_config();
	struct rsip_tc_cap_bpf *cap = rsip_tc_cap_bpf__open();
	struct bpf_program *prog;
	int err;

	if (!cap)
		return -errno;
	RSIP_SET_CONSTANTS(cap, &conf);
	cap->rodata->rsip_behind_xdp = gateway_mode() == GATEWAY_XDP;
	bpf_object__for_each_program (prog, cap->obj)
		bpf_program__set_autoload(prog, prog == cap->progs.rsip_tc_priv);
	err = take_maps(cap->obj, &gw->copy);
	if (!err)
		err = rsip_tc_cap_bpf__load(cap);
	if (!err) {
		close(gw->fd_tc_priv);
		gw->fd_tc_priv = dup(bpf_program__fd(cap->progs.rsip_tc_priv));
		err = gw->fd_tc_priv < 0 ? -errno : 0;
	}
	rsip_tc_cap_bpf__destroy(cap);
	return err;
}

static void let_go(int fd)
{
	if (fd > 0)
		close(fd);
}

void gateway_unload(struct gateway *gw)
{
	for (int i = 0; i < RSIP_DP_MAPS; i++)
		let_go(gw->fd[i]);
	let_go(gw->fd_ifaces);
	let_go(gw->fd_iftab);
	let_go(gw->fd_devs);
	let_go(gw->fd_explain);
	let_go(gw->fd_pub);
	let_go(gw->fd_priv);
	let_go(gw->fd_tc_pub);
	let_go(gw->fd_tc_priv);
	let_go(gw->fd_tc_pub_l3);
	let_go(gw->fd_tc_priv_l3);
	let_go(gw->fd_tc_ppp);
	let_go(gw->fd_tc_slow);
	if (gw->object)
		rsip_xdp_bpf__destroy(gw->object);
	if (gw->tc_object)
		rsip_tc_bpf__destroy(gw->tc_object);
	gw->object = gw->tc_object = NULL;
}
