// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The TC programs: they never have maps of their own. */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "log.h"
#include "object.h"
#include "object_constants.h"
#include "pins.h"
#include "ppp.h"
#include "rsip_tc.skel.h"

static int take_maps(struct rsip_tc_bpf *object, const struct rsip_xdp_bpf *xdp)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, object->obj)
	{
		const char *name = bpf_map__name(map);

		if (err || strchr(name, '.'))
			continue;
		err = bpf_map__reuse_fd(map, rsip_object_map(xdp, name));
		if (err)
			log_err("cannot use map %s for the TC programs: %s", name, strerror(-err));
	}
	return err;
}

int rsip_object_tc_load(const struct rsip_xdp_bpf *xdp, const struct rsip_config *config,
			struct rsip_tc_bpf **out)
{
	struct rsip_tc_bpf *object = rsip_tc_bpf__open();
	int err;

	if (!object)
		return -errno;
	RSIP_SET_CONSTANTS(object, config);
	object->rodata->rsip_behind_xdp = config->mode != RSIP_MODE_TC;
	err = take_maps(object, xdp);
	if (!err) {
		err = rsip_tc_bpf__load(object);
		if (err)
			log_err("cannot load the TC programs: %s (--verbose says more; please "
				"report it)",
				strerror(-err));
	}
	if (err) {
		rsip_tc_bpf__destroy(object);
		return err;
	}
	*out = object;
	return 0;
}

void rsip_object_tc_close(struct rsip_tc_bpf *object)
{
	rsip_tc_bpf__destroy(object);
}

int rsip_object_tc_prog(const struct rsip_tc_bpf *object, const struct rsip_iface *iface)
{
	return bpf_program__fd(RSIP_TC_PROG(object, iface));
}

int rsip_object_tc_session_prog(const struct rsip_tc_bpf *object)
{
	return bpf_program__fd(object->progs.rsip_tc_ppp);
}

int rsip_object_tc_pin(const struct rsip_tc_bpf *object, const char *folder)
{
	return rsip_pins_replace(folder, RSIP_PPP_PROG, rsip_object_tc_session_prog(object));
}
