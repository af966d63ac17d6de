// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A gateway's descriptors: of the maps and programs of its copy. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway_maps.h"
#include "rsip_tc.skel.h"
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
