// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Upgrade: this loader's programs in place of those attached, onto the same maps.  Each link
 * changes its program atomically, so no packet meets an interface without one.  Of an older layout
 * (RSIP_LAYOUT_OLDEST) maps that have grown are made anew, with the old contents, and those that
 * there were none of are empty.  Whatever fails, all interfaces get their old programs again, and
 * the pins their old maps.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "commands.h"
#include "log.h"
#include "moved.h"
#include "object.h"
#include "pins.h"
#include "plane.h"
#include "ppp.h"
#include "slow.h"
#include "tc.h"
#include "util.h"

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
		uint32_t id = rsip_tc_prog_id(iface);

		f->old[f->cnt] = id ? bpf_prog_get_fd_by_id(id) : -1;
		if (!id)
			log_warn("%s has vanished, or its TC filter: left alone", iface->name);
		else
			err = rsip_tc_put(iface, rsip_object_tc_prog(tc, iface));
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
		if (back && rsip_tc_put(iface, f->old[i]))
			log_err("cannot put the old TC program on %s again: it keeps the new one", iface->name);
		close(f->old[i]);
	}
}

/* What was there before, to be put back. */
static const char *const prog_pins[] = {"prog_pub", "prog_priv", "prog_explain", RSIP_PPP_PROG};
enum { PROG_PUB, PROG_PRIV, PROG_EXPLAIN, PROG_PPP, PROGS };

static void open_old(const char *folder, int old[PROGS])
{
	for (int i = 0; i < PROGS; i++)
		old[i] = rsip_plane_open(folder, prog_pins[i]);
}

static void close_old(const int old[PROGS])
{
	for (int i = 0; i < PROGS; i++)
		if (old[i] >= 0)
			close(old[i]);
}

static int old_prog(const int old[PROGS], uint8_t role)
{
	return old[role == RSIP_ROLE_PUBLIC ? PROG_PUB : PROG_PRIV];
}

/* The first `done` interfaces get their old programs again. */
static void links_back(const char *folder, const struct rsip_plane *p, const int old[PROGS], uint32_t done)
{
	while (done--) {
		int prog = old_prog(old, p->iface[done].role);

		if (!by_tc(p, done) && p->link[done].ifindex && prog >= 0)
			update_link(folder, &p->iface[done], prog);
	}
}

/* Both roles' new programs go on, or both old ones stay. */
static int update_links(const char *folder, const struct rsip_plane *p,
			const struct rsip_xdp_bpf *object, const int old[PROGS])
{
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
	if (err)
		links_back(folder, p, old, done);
	return err;
}

/* For those who open the pins: rsipd, the next loader. */
static int publish(const char *folder, struct rsip_plane *p, const struct rsip_xdp_bpf *object,
		   const struct rsip_moved *moved)
{
	int err = rsip_moved_catch_up(moved);

	if (!err)
		err = rsip_moved_pin(moved, folder, false);
	if (!err)
		err = rsip_object_pin_progs(object, folder);
	p->config.tunnels = RSIP_CONFIG_TUNNELS; /* what these programs can; rsipd offers it when it starts */
	p->config.layout_version = RSIP_LAYOUT_VERSION;
	return err ? err : rsip_object_write_config(object, &p->config);
}

static void unpublish(const char *folder, const struct rsip_moved *moved, const int old[PROGS])
{
	rsip_moved_pin(moved, folder, true);
	for (int i = 0; i < PROGS; i++)
		if (old[i] >= 0)
			rsip_pins_replace(folder, prog_pins[i], old[i]);
}

/* ---- rsipd stands still while maps are copied ---- */

#define QUIET_NS (3 * RSIP_NS_PER_S / 10) /* rsipd is at work every 0.1 s */
#define QUIET_TRIES 60 /* of 50 ms */

static int write_version(const char *folder, struct rsip_config config, uint32_t flags)
{
	int fd = rsip_plane_open(folder, "rsip_config"), err = fd < 0 ? fd : 0;
	uint32_t zero = 0;

	config.layout_version |= flags;
	if (!err && bpf_map_update_elem(fd, &zero, &config, BPF_ANY))
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err)
		log_err("cannot write %s/rsip_config: %s", folder, strerror(-err));
	return err;
}

/* What rsipd wrote from here on would reach the old maps only: it ends when it sees this, and does not start until it is over. */
static int hold_rsipd(const char *folder, const struct rsip_config *config)
{
	struct timespec pause = {.tv_nsec = 50000000};
	int err = write_version(folder, *config, RSIP_LAYOUT_MOVING);

	if (err)
		return err;
	for (int i = 0; i < QUIET_TRIES; i++) {
		if (rsip_plane_silent_ns(folder) >= QUIET_NS)
			return 0;
		nanosleep(&pause, NULL);
	}
	log_warn("rsipd goes on as if nothing were (it is of a release before this one): restart it after the upgrade, leases that it "
		 "grants or ends until then count for nothing");
	return 0;
}

static int replace(const struct rsip_loader_options *o, struct rsip_plane *p,
		   const struct rsip_xdp_bpf *object, const struct rsip_tc_bpf *tc,
		   const struct rsip_moved *moved)
{
	struct filters filters = {.cnt = 0};
	int old[PROGS], err;

	open_old(o->pin_path, old);
	err = update_filters(p, tc, &filters);
	if (!err)
		err = update_links(o->pin_path, p, object, old);
	if (!err) {
		err = rsip_ppp_upgrade(o->pin_path, rsip_object_tc_session_prog(tc)); /* before what packets add is moved after */
		if (!err)
			err = publish(o->pin_path, p, object, moved);
		if (err) {
			log_info("putting the old programs on again");
			if (old[PROG_PPP] >= 0)
				rsip_ppp_back(o->pin_path, old[PROG_PPP]);
			links_back(o->pin_path, p, old, p->iface_cnt);
			unpublish(o->pin_path, moved, old);
		}
	}
	end_filters(p, &filters, err != 0);
	close_old(old);
	return err;
}

static int read_attached(const char *folder, struct rsip_plane *p)
{
	int err = rsip_plane_read_old(folder, p);

	if (err == -EUCLEAN)
		log_err("cannot upgrade: an attach to %s did not come to its end (run `rsip-loader "
			"attach` again)",
			folder);
	if (err == -EPROTO)
		log_err("cannot upgrade: %s has map layout %u, this loader's programs need %u and can "
			"take over %u and later (run `rsip-loader detach`, then attach)",
			folder, p->config.layout_version, RSIP_LAYOUT_VERSION, RSIP_LAYOUT_OLDEST);
	return err;
}

/*
 * Links and TC filters are replaced in this order: what hosts teach a map that is new is there when the answers are looked up
 * in it.
 */
static void hosts_first(struct rsip_plane *p)
{
	const struct rsip_plane was = *p;
	uint32_t cnt = 0;

	for (int hosts = 1; hosts >= 0; hosts--) {
		for (uint32_t i = 0; i < was.iface_cnt; i++) {
			if ((was.iface[i].role == RSIP_ROLE_PRIVATE) != hosts)
				continue;
			p->iface[cnt] = was.iface[i];
			p->link[cnt] = was.link[i];
			p->index[cnt++] = was.index[i];
		}
	}
}

static int upgrade_locked(const struct rsip_loader_options *o, struct rsip_plane *p)
{
	struct rsip_moved moved = {.cnt = 0};
	struct rsip_xdp_bpf *object = NULL;
	struct rsip_tc_bpf *tc = NULL;
	struct rsip_config was;
	bool anew;
	int err = read_attached(o->pin_path, p);

	if (err)
		return err;
	was = p->config;
	anew = p->moving || was.layout_version != RSIP_LAYOUT_VERSION;
	hosts_first(p);
	err = rsip_object_load_onto(o->pin_path, &p->config, p->max_cookies, &object, &moved);
	if (!err)
		err = rsip_object_tc_load(object, &p->config, &tc);
	if (!err && anew)
		err = hold_rsipd(o->pin_path, &was);
	if (!err)
		err = rsip_moved_fill(&moved);
	if (!err)
		err = replace(o, p, object, tc, &moved);
	if (err && anew && !p->moving) /* else the mark is of one that was killed, and so is what the maps hold: the next one mends it */
		write_version(o->pin_path, was, 0);
	if (!err)
		err = rsip_object_tc_pin(tc, o->pin_path);
	if (!err)
		err = rsip_slow_follow(p, object);
	if (!err && anew)
		log_info("map layout %u is now %u, %u maps were made anew: rsipd has ended or must be restarted, and goes on in them when "
			 "it starts (systemd starts it)", was.layout_version, RSIP_LAYOUT_VERSION, moved.cnt);
	rsip_moved_release(&moved);
	if (tc)
		rsip_object_tc_close(tc);
	if (object)
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
