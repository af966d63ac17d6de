// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs onto the interfaces: native, or where that is refused generic, or TC alone. */
#include "attach.h"

#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "above.h"
#include "log.h"
#include "moved.h"
#include "object.h"
#include "pins.h"
#include "slow.h"

/* A BPF link does not say why the driver refuses; the older netlink way does. */
static void ask_why(const struct rsip_iface *iface, int prog, char *why, size_t why_len, int err)
{
	const char *said;

	if (!bpf_xdp_attach((int)iface->ifindex, prog,
			    XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL))
		bpf_xdp_detach((int)iface->ifindex, XDP_FLAGS_DRV_MODE, NULL);
	said = rsip_object_kernel_message();
	snprintf(why, why_len, "%s (MTU %u): %s%s%s", iface->name, iface->mtu, strerror(-err),
		 *said ? ": " : "", said);
}

static void close_links(int *fd, uint32_t cnt)
{
	while (cnt)
		close(fd[--cnt]);
}

/* All interfaces or none: a redirect from one mode into an interface of the other would be lost. */
static int make_links(struct rsip_attach *a, enum rsip_mode mode, int *fd)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = mode == RSIP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE
							      : XDP_FLAGS_SKB_MODE);
		int prog = rsip_object_prog(a->object, a->iface[i].role), err;

		fd[i] = bpf_link_create(prog, (int)a->iface[i].ifindex, BPF_XDP, &opts);
		if (fd[i] >= 0)
			continue;
		err = -errno;
		close_links(fd, i);
		if (mode == RSIP_MODE_NATIVE)
			ask_why(&a->iface[i], prog, a->sorry, sizeof(a->sorry), err);
		else
			snprintf(a->sorry, sizeof(a->sorry), "%s: %s", a->iface[i].name,
				 strerror(-err));
		return err;
	}
	return 0;
}

static int stop_collecting(struct rsip_undo_log *log, const char *name)
{
	for (int off = RSIP_OFFLOAD_GRO; off <= RSIP_OFFLOAD_LRO; off++) {
		int err = rsip_undo_offload_off(log, name, (enum rsip_offload)off);

		if (!err)
			continue;
		log_err("cannot switch %s off on %s, which generic XDP needs: %s (use "
			"native mode or another interface)",
			rsip_offload_name(off), name, strerror(-err));
		return err;
	}
	return 0;
}

/*
 * Generic XDP runs after GRO and LRO: it would see packets longer than any MTU, and drop bulk TCP.  What a VLAN device gets, the
 * device below it has put together.
 */
int rsip_attach_prepare_generic(struct rsip_undo_log *log, const struct rsip_iface *iface)
{
	uint32_t ifindex = iface->ifindex;
	char name[IF_NAMESIZE];
	int err = stop_collecting(log, iface->name);

	while (!err && !rsip_below_read(ifindex, name)) {
		err = stop_collecting(log, name);
		ifindex = if_nametoindex(name);
	}
	return err;
}

static int prepare_generic(struct rsip_attach *a)
{
	int err = 0;

	for (uint32_t i = 0; i < a->cnt && !err; i++)
		err = rsip_attach_prepare_generic(&a->undo, &a->iface[i]);
	return err;
}

/* The programs for generic mode are loaded otherwise (object_constants.h): onto the same maps. */
static int load_for_generic(struct rsip_attach *a)
{
	struct rsip_xdp_bpf *native = a->object;
	struct rsip_moved moved = {.devmaps = true};
	int err;

	a->config.mode = RSIP_MODE_GENERIC;
	err = rsip_object_load_onto(a->o->pin_path, &a->config, a->o->max_cookies, &a->object, &moved);
	if (!err)
		err = rsip_moved_fill(&moved);
	if (!err)
		err = rsip_moved_pin(&moved, a->o->pin_path, false);
	rsip_moved_release(&moved);
	if (err)
		return err;
	a->undo.fd = rsip_object_map(a->object, "rsip_undo");
	rsip_object_close(native);
	return rsip_object_pin_progs(a->object, a->o->pin_path);
}

/* XDP cannot be on a device without Ethernet header, and all interfaces have one mode. */
bool rsip_attach_needs_tc(const struct rsip_attach *a)
{
	for (uint32_t i = 0; i < a->cnt; i++)
		if (a->iface[i].flags & RSIP_IFACE_NO_ETHERNET)
			return true;
	return a->o->mode == RSIP_MODE_TC || a->tags_hidden;
}

static int choose_mode(struct rsip_attach *a, int *fd)
{
	int err;

	if (a->o->mode != RSIP_MODE_GENERIC) {
		err = make_links(a, RSIP_MODE_NATIVE, fd);
		if (!err)
			return 0;
		if (a->o->mode == RSIP_MODE_NATIVE || err == -EBUSY) {
			log_err("cannot attach in native mode: %s (see `rsip-loader features`; "
				"--mode auto would fall back to generic)",
				a->sorry);
			return err;
		}
		log_warn("falling back to generic mode, which is slower: native refused by %s",
			 a->sorry);
	}
	err = prepare_generic(a);
	if (!err && a->config.mode != RSIP_MODE_GENERIC)
		err = load_for_generic(a);
	if (err)
		return err;
	err = make_links(a, RSIP_MODE_GENERIC, fd);
	if (err)
		log_err("cannot attach in generic mode: %s", a->sorry);
	return err;
}

/*
 * Drivers say what they take only when they have a program.  Kernels before 6.3 do not say it, and lose every redirected
 * frame of several buffers.
 */
static int note_features(struct rsip_attach *a)
{
	int err = 0;

	for (uint32_t i = 0; i < a->cnt && !err; i++) {
		struct rsip_netdev *dev = &a->dev[i];

		dev->features_known = !rsip_netdev_features(dev->ifindex, &dev->features);
		if (a->config.mode != RSIP_MODE_NATIVE || !(dev->features & RSIP_XDP_ACT_NDO_XMIT_SG))
			continue;
		a->iface[i].flags |= RSIP_IFACE_BUFFERS;
		err = rsip_object_write_iface(a->object, i + 1, &a->iface[i]);
	}
	return err;
}

int rsip_attach_links(struct rsip_attach *a)
{
	char path[RSIP_PINS_PATH_MAX];
	int fd[RSIP_MAX_IFACES], err;

	if (rsip_attach_needs_tc(a)) {
		a->config.mode = RSIP_MODE_TC;
		return 0;
	}
	err = choose_mode(a, fd);
	if (err)
		return err;
	for (uint32_t i = 0; i < a->cnt && !err; i++) {
		rsip_pins_link_path(a->o->pin_path, a->iface[i].name, path);
		if (bpf_obj_pin(fd[i], path)) {
			err = -errno;
			log_err("cannot pin %s: %s", path, strerror(errno));
		}
	}
	close_links(fd, a->cnt);
	return err ? err : note_features(a);
}

int rsip_attach_tc(struct rsip_attach *a)
{
	int err = rsip_slow_make(&a->undo, rsip_slow_takes(a->iface, a->cnt), &a->slow);

	if (!err)
		err = rsip_object_add_iface(a->object, a->cnt + 1, &a->slow);
	if (!err)
		err = rsip_object_tc_load(a->object, &a->config, &a->tc);
	if (!err)
		err = rsip_object_tc_pin(a->tc, a->o->pin_path);
	/* the way out first: nothing is marked before there is somebody to take it up */
	if (!err)
		err = rsip_undo_tc(&a->undo, &a->slow, rsip_object_tc_prog(a->tc, &a->slow));
	for (uint32_t i = 0; i < a->cnt && !err; i++)
		err = rsip_undo_tc(&a->undo, &a->iface[i], rsip_object_tc_prog(a->tc, &a->iface[i]));
	return err;
}
