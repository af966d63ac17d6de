// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Upgrade: this loader's programs in place of those attached, onto the same maps.  Each link
 * changes its program atomically, so no packet meets an interface without one.  If one cannot
 * change, all get their old ones again.  (Once all have changed, a failure to pin them or to write
 * the configuration leaves the new ones on, which is said; upgrade can be run again.)
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "commands.h"
#include "log.h"
#include "object.h"
#include "pins.h"
#include "plane.h"
#include "tc.h"

static int update_link(const char *folder, const struct rsip_iface *iface, int prog)
{
	char path[RSIP_PINS_PATH_MAX];
	int fd, err = 0;

	rsip_pins_link_path(folder, iface->name, path);
	fd = bpf_obj_get(path);
	if (fd < 0 || bpf_link_update(fd, prog, NULL))
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err)
		log_err("cannot put the new program on %s: %s: %s", iface->name, path,
			strerror(-err));
	return err;
}

/* This one has a TC filter instead of a link. */
static bool by_tc(const struct rsip_plane *p, uint32_t i)
{
	return p->config.mode == RSIP_MODE_TC || p->iface[i].role == RSIP_ROLE_SLOW;
}

/* The filters' programs before, for end_filters(). */
struct filters {
	int old[RSIP_MAX_IFACES]; /* descriptors; -1: none */
	uint32_t cnt;
};

/* Each filter changes its program in one step, too. */
static int update_filters(const struct rsip_plane *p, const struct rsip_tc_bpf *tc, struct filters *f)
{
	int err = 0;

	for (f->cnt = 0; f->cnt < p->iface_cnt && !err; f->cnt++) {
		const struct rsip_iface *iface = &p->iface[f->cnt];
		bool egress = iface->role == RSIP_ROLE_SLOW;
		uint32_t id = rsip_tc_prog_id(iface->ifindex, egress);

		f->old[f->cnt] = id ? bpf_prog_get_fd_by_id(id) : -1;
		if (!id)
			log_warn("%s has vanished, or its TC filter: left alone", iface->name);
		else
			err = rsip_tc_put(iface->ifindex, egress, rsip_object_tc_prog(tc, iface));
		if (err)
			log_err("cannot put the new TC program on %s: %s", iface->name,
				strerror(-err));
	}
	return err;
}

/* Lets go of the old programs; back: puts them on again first. */
static void end_filters(const struct rsip_plane *p, struct filters *f, bool back)
{
	for (uint32_t i = 0; i < f->cnt; i++) {
		const struct rsip_iface *iface = &p->iface[i];

		if (f->old[i] < 0)
			continue;
		if (back && rsip_tc_put(iface->ifindex, iface->role == RSIP_ROLE_SLOW, f->old[i]))
			log_err("cannot put the old TC program on %s again: it keeps the new one", iface->name);
		close(f->old[i]);
	}
}

/* Both roles' new programs go on, or both old ones stay. */
static int update_links(const char *folder, const struct rsip_plane *p,
			const struct rsip_xdp_bpf *object)
{
	int old[] = {
		[RSIP_ROLE_PUBLIC] = rsip_plane_open(folder, "prog_pub"),
		[RSIP_ROLE_PRIVATE] = rsip_plane_open(folder, "prog_priv"),
	};
	uint32_t done;
	int err = 0;

	for (done = 0; done < p->iface_cnt; done++) {
		if (by_tc(p, done))
			continue;
		if (!p->link[done].ifindex) {
			log_warn("%s has vanished: left alone", p->iface[done].name);
			continue;
		}
		err = update_link(folder, &p->iface[done],
				  rsip_object_prog(object, p->iface[done].role));
		if (err)
			break;
	}
	while (err && done--)
		if (!by_tc(p, done) && p->link[done].ifindex && old[p->iface[done].role] >= 0)
			update_link(folder, &p->iface[done], old[p->iface[done].role]);
	for (int role = RSIP_ROLE_PUBLIC; role <= RSIP_ROLE_PRIVATE; role++)
		if (old[role] >= 0)
			close(old[role]);
	return err;
}

static int upgrade_locked(const struct rsip_loader_options *o, struct rsip_plane *p)
{
	struct rsip_xdp_bpf *object;
	struct filters filters = {.cnt = 0};
	struct rsip_tc_bpf *tc = NULL;
	int err = rsip_plane_read(o->pin_path, p);

	if (err == -EUCLEAN)
		log_err("cannot upgrade: an attach to %s did not come to its end (run `rsip-loader "
			"attach` again)",
			o->pin_path);
	if (err == -EPROTO)
		log_err("cannot upgrade: %s has map layout %u, this loader's programs need %u (run "
			"`rsip-loader detach`, then attach)",
			o->pin_path, p->config.layout_version, RSIP_LAYOUT_VERSION);
	if (err)
		return err;
	err = rsip_object_load_onto(o->pin_path, &p->config, &object);
	if (err)
		return err;
	err = rsip_object_tc_load(o->pin_path, &p->config, &tc);
	if (!err)
		err = update_filters(p, tc, &filters);
	if (!err)
		err = update_links(o->pin_path, p, object);
	end_filters(p, &filters, err != 0);
	if (!err)
		err = rsip_object_pin_progs(object, o->pin_path);
	p->config.tunnels = RSIP_CONFIG_TUNNELS; /* what these programs can; rsipd offers it when it starts */
	if (!err)
		err = rsip_object_write_config(object, &p->config);
	if (tc)
		rsip_object_tc_close(tc);
	rsip_object_close(object);
	return err;
}

int rsip_loader_upgrade(const struct rsip_loader_options *o)
{
	struct rsip_plane p;
	int lock = rsip_pins_lock(o->pin_path, NULL), err = lock;

	if (lock >= 0) {
		err = upgrade_locked(o, &p);
		close(lock);
	}
	if (err == -ENOENT) {
		log_err("nothing is attached at %s (run `rsip-loader attach`)", o->pin_path);
		return RSIP_EXIT_NOTHING;
	}
	if (err)
		return RSIP_EXIT_FAILED;
	log_info("upgraded: new programs on %u interfaces, maps and links kept", p.iface_cnt);
	return o->json ? rsip_loader_status(o) : RSIP_EXIT_DONE;
}
