// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs that capture: the same as the others, onto the same maps, and two maps of their own. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "log.h"
#include "object.h"
#include "object_cap.h"
#include "object_constants.h"
#include "rsip_xdp_cap.skel.h"
#include "rsip_tc_cap.skel.h"

struct rsip_cap {
	struct rsip_xdp_cap_bpf *xdp;
	struct rsip_tc_cap_bpf *tc;
};

#define SET_WISHES(object, want)                                       \
	do {                                                           \
		(object)->rodata->rsip_cap_iface = (want)->iface;      \
		(object)->rodata->rsip_cap_bind = (want)->bind_id;     \
		(object)->rodata->rsip_cap_snap = (want)->snap;        \
	} while (0)

static bool is_own(const struct bpf_map *map)
{
	return !strncmp(bpf_map__name(map), "rsip_cap_", 9);
}

static int take_maps(struct bpf_object *object, const char *folder)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object)
	{
		if (!err && !is_own(map) && !strchr(bpf_map__name(map), '.'))
			err = rsip_object_reuse_map(map, folder);
	}
	return err;
}

static int load_xdp(struct rsip_cap *cap, const char *folder, const struct rsip_config *config, const struct rsip_cap_want *want)
{
	struct rsip_xdp_cap_bpf *object = cap->xdp = rsip_xdp_cap_bpf__open();
	int err;

	if (!object)
		return -errno;
	RSIP_SET_CONSTANTS(object, config);
	RSIP_SET_BUFFERS(object->progs.rsip_cap_pub, config);
	RSIP_SET_BUFFERS(object->progs.rsip_cap_priv, config);
	SET_WISHES(object, want);
	bpf_program__set_autoload(object->progs.rsip_explain, false);
	err = bpf_map__set_max_entries(object->maps.rsip_cap_ring, want->ring_bytes);
	if (!err)
		err = take_maps(object->obj, folder);
	return err ? err : rsip_xdp_cap_bpf__load(object);
}

static int load_tc(struct rsip_cap *cap, const char *folder, const struct rsip_config *config, const struct rsip_cap_want *want)
{
	struct rsip_tc_cap_bpf *object = cap->tc = rsip_tc_cap_bpf__open();
	int err;

	if (!object)
		return -errno;
	RSIP_SET_CONSTANTS(object, config);
	SET_WISHES(object, want);
	object->rodata->rsip_behind_xdp = config->mode != RSIP_MODE_TC;
	err = take_maps(object->obj, folder);
	if (!err)
		err = bpf_map__reuse_fd(object->maps.rsip_cap_ring, bpf_map__fd(cap->xdp->maps.rsip_cap_ring));
	if (!err)
		err = bpf_map__reuse_fd(object->maps.rsip_cap_cpu, bpf_map__fd(cap->xdp->maps.rsip_cap_cpu));
	return err ? err : rsip_tc_cap_bpf__load(object);
}

int rsip_object_cap_load(const char *folder, const struct rsip_config *config, const struct rsip_cap_want *want,
			 struct rsip_cap **out)
{
	struct rsip_cap *cap = calloc(1, sizeof(*cap));
	int err;

	if (!cap)
		return -ENOMEM;
	err = load_xdp(cap, folder, config, want);
	if (!err)
		err = load_tc(cap, folder, config, want);
	if (err) {
		log_err("cannot load the capturing programs: %s (--verbose says more; please report it)", strerror(-err));
		rsip_object_cap_close(cap);
		return err;
	}
	*out = cap;
	return 0;
}

void rsip_object_cap_close(struct rsip_cap *cap)
{
	rsip_xdp_cap_bpf__destroy(cap->xdp);
	rsip_tc_cap_bpf__destroy(cap->tc);
	free(cap);
}

int rsip_object_cap_prog(const struct rsip_cap *cap, uint8_t role)
{
	return bpf_program__fd(role == RSIP_ROLE_PUBLIC ? cap->xdp->progs.rsip_cap_pub : cap->xdp->progs.rsip_cap_priv);
}

int rsip_object_cap_tc_prog(const struct rsip_cap *cap, const struct rsip_iface *iface)
{
	return bpf_program__fd(RSIP_TC_PROG(cap->tc, iface));
}

int rsip_object_cap_ring(const struct rsip_cap *cap)
{
	return bpf_map__fd(cap->xdp->maps.rsip_cap_ring);
}

int rsip_object_cap_cpus(const struct rsip_cap *cap)
{
	return bpf_map__fd(cap->xdp->maps.rsip_cap_cpu);
}
