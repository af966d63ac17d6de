// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Attach: all or nothing.  What has been done is always in the pins, so that a failure (and a later loader, if this
 * one is killed) takes it off in the same way as detach does.  rsip_config.attached_ns is written last: while it is
 * zero the data plane is half made.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "checks.h"
#include "commands.h"
#include "log.h"
#include "netdev.h"
#include "object.h"
#include "pins.h"
#include "plane.h"
#include "sizes.h"
#include "undo.h"
#include "util.h"

struct attach {
	const struct rsip_loader_options *o;
	struct rsip_config config;
	struct rsip_netdev dev[RSIP_MAX_IFACES];
	struct rsip_iface iface[RSIP_MAX_IFACES]; /* public ones first; of dev with the same index */
	uint32_t cnt;
	struct rsip_xdp_bpf *object;
	struct rsip_undo_log undo;
	bool mounted; /* the BPF file system is ours */
	char sorry[256]; /* why native mode was refused */
};

/* ---- what is asked for, on this machine ---------------------------------------------------------------------------- */

static int plan_iface(struct attach *a, const struct rsip_loader_iface *want)
{
	struct rsip_netdev *dev = &a->dev[a->cnt];
	struct rsip_iface *iface = &a->iface[a->cnt];
	int err = rsip_netdev_read(want->name, dev);

	if (err) {
		log_err("cannot attach to %s: %s%s", want->name, strerror(-err),
			err == -ENODEV ? " (see `ip link`; is this the right network namespace?)" : "");
		return err;
	}
	*iface = (struct rsip_iface){
		.ifindex = dev->ifindex,
		.role = want->role,
		.mtu = dev->mtu,
		.endpoint = want->endpoint,
	};
	memcpy(iface->mac, dev->mac, sizeof(iface->mac));
	memcpy(iface->name, dev->name, sizeof(iface->name));
	if (want->endpoint && !rsip_netdev_has_addr(dev, want->endpoint)) {
		log_err("cannot use %s as the tunnels' endpoint: it is no address of %s (ip address add %s/LEN dev %s)",
			rsip_ip4(want->endpoint), want->name, rsip_ip4(want->endpoint), want->name);
		return -EADDRNOTAVAIL;
	}
	if (want->role == RSIP_ROLE_PRIVATE && !want->endpoint && dev->addr_cnt)
		iface->endpoint = dev->addr[0];
	a->cnt++;
	return 0;
}

static int plan(struct attach *a)
{
	const struct rsip_loader_options *o = a->o;
	int cpus = libbpf_num_possible_cpus(), err = 0;

	if (cpus < 1) {
		log_err("cannot count the CPUs: %s (is /sys mounted?)", strerror(-cpus));
		return cpus;
	}
	a->config.layout_version = RSIP_LAYOUT_VERSION;
	rsip_sizes_compute(o->max_bindings, o->max_addrs, o->max_pairs, (uint32_t)cpus, &a->config);
	for (int role = RSIP_ROLE_PUBLIC; role <= RSIP_ROLE_PRIVATE; role++)
		for (uint32_t i = 0; i < o->iface_cnt && !err; i++)
			if (o->iface[i].role == role)
				err = plan_iface(a, &o->iface[i]);
	return err;
}

static void check_other_program(const struct rsip_netdev *dev, struct rsip_findings *f)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd;

	if (!dev->prog_id)
		return;
	fd = bpf_prog_get_fd_by_id(dev->prog_id);
	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	rsip_finding_add(f, RSIP_FATAL, dev->name,
			 "carries another XDP program, id %u, name '%s' (ip link set %s xdp off, or stop what put it there; "
			 "`bpftool net` shows it)",
			 dev->prog_id, info.name, dev->name);
}

static int check(struct attach *a)
{
	bool frags = rsip_object_takes_frags();
	struct rsip_findings f = { .cnt = 0 };
	struct rsip_kernel k;

	rsip_kernel_read(&k);
	rsip_check_kernel(&k, &f);
	for (uint32_t i = 0; i < a->cnt; i++) {
		rsip_check_netdev(&a->dev[i], a->iface[i].role, a->o->mode, frags, &f);
		check_other_program(&a->dev[i], &f);
	}
	rsip_findings_log(&f);
	return f.fatal ? -EINVAL : 0;
}

/* ---- links --------------------------------------------------------------------------------------------------------------- */

/* A BPF link does not say why the driver refuses; the older netlink way does. */
static void ask_why(const struct rsip_iface *iface, int prog, char *why, size_t why_len, int err)
{
	const char *said;

	if (!bpf_xdp_attach((int)iface->ifindex, prog, XDP_FLAGS_DRV_MODE | XDP_FLAGS_UPDATE_IF_NOEXIST, NULL))
		bpf_xdp_detach((int)iface->ifindex, XDP_FLAGS_DRV_MODE, NULL);
	said = rsip_object_kernel_message();
	snprintf(why, why_len, "%s (MTU %u): %s%s%s", iface->name, iface->mtu, strerror(-err), *said ? ": " : "", said);
}

static void close_links(int *fd, uint32_t cnt)
{
	while (cnt)
		close(fd[--cnt]);
}

/* All interfaces or none: a redirect from one mode into an interface of the other would be lost. */
static int make_links(struct attach *a, enum rsip_mode mode, int *fd)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		LIBBPF_OPTS(bpf_link_create_opts, opts,
			    .flags = mode == RSIP_MODE_NATIVE ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
		int prog = rsip_object_prog(a->object, a->iface[i].role), err;

		fd[i] = bpf_link_create(prog, (int)a->iface[i].ifindex, BPF_XDP, &opts);
		if (fd[i] >= 0)
			continue;
		err = -errno;
		close_links(fd, i);
		if (mode == RSIP_MODE_NATIVE)
			ask_why(&a->iface[i], prog, a->sorry, sizeof(a->sorry), err);
		else
			snprintf(a->sorry, sizeof(a->sorry), "%s: %s", a->iface[i].name, strerror(-err));
		return err;
	}
	return 0;
}

/* Generic XDP runs after GRO and LRO: it would see packets longer than any MTU, and drop bulk TCP. */
static int prepare_generic(struct attach *a)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		for (int off = RSIP_OFFLOAD_GRO; off <= RSIP_OFFLOAD_LRO; off++) {
			int err = rsip_undo_offload_off(&a->undo, a->iface[i].name, (enum rsip_offload)off);

			if (!err)
				continue;
			log_err("cannot switch %s off on %s, which generic XDP needs: %s (use native mode or another "
				"interface)",
				rsip_offload_name(off), a->iface[i].name, strerror(-err));
			return err;
		}
	}
	return 0;
}

static int choose_mode(struct attach *a, int *fd)
{
	int err;

	if (a->o->mode != RSIP_MODE_GENERIC) {
		err = make_links(a, RSIP_MODE_NATIVE, fd);
		a->config.mode = RSIP_MODE_NATIVE;
		if (!err)
			return 0;
		if (a->o->mode == RSIP_MODE_NATIVE || err == -EBUSY) {
			log_err("cannot attach in native mode: %s (see `rsip-loader features`; --mode auto would fall back to "
				"generic)",
				a->sorry);
			return err;
		}
		log_warn("falling back to generic mode, which is slower: native refused by %s", a->sorry);
	}
	err = prepare_generic(a);
	if (err)
		return err;
	a->config.mode = RSIP_MODE_GENERIC;
	err = make_links(a, RSIP_MODE_GENERIC, fd);
	if (err)
		log_err("cannot attach in generic mode: %s", a->sorry);
	return err;
}

static int attach_links(struct attach *a)
{
	int fd[RSIP_MAX_IFACES], err = choose_mode(a, fd);
	char path[RSIP_PINS_PATH_MAX];

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
	return err;
}

/* ---- step by step ----------------------------------------------------------------------------------------------------------- */

static int load(struct attach *a)
{
	int err = rsip_object_load(&a->config, a->o->max_cookies, &a->object);

	return err ? err : rsip_object_fill(a->object, &a->config, a->iface, a->cnt);
}

/* rsip_undo first: from here on every change of the machine is on record. */
static int pin(struct attach *a)
{
	char path[RSIP_PINS_PATH_MAX], cookie[32];
	int err;

	a->undo.fd = rsip_object_map(a->object, "rsip_undo");
	rsip_pins_path(a->o->pin_path, "rsip_undo", path);
	if (bpf_obj_pin(a->undo.fd, path)) {
		log_err("cannot pin map %s: %s", path, strerror(errno));
		return -errno;
	}
	rsip_netns_cookie(cookie);
	err = rsip_undo_note(&a->undo, "netns", cookie);
	if (!err && a->mounted)
		err = rsip_undo_note(&a->undo, "mount/sys/fs/bpf", "");
	if (!err)
		err = rsip_object_pin_maps(a->object, a->o->pin_path, "rsip_undo");
	if (!err)
		err = rsip_pins_replace(a->o->pin_path, "prog_pub", rsip_object_prog(a->object, RSIP_ROLE_PUBLIC));
	if (!err)
		err = rsip_pins_replace(a->o->pin_path, "prog_priv", rsip_object_prog(a->object, RSIP_ROLE_PRIVATE));
	return err;
}

/* A tag that the card has taken out of the frame is invisible to XDP: one VLAN's packets would match another's. */
static int stop_vlan_stripping(struct attach *a)
{
	for (uint32_t i = 0; i < a->cnt; i++) {
		int err = rsip_undo_offload_off(&a->undo, a->iface[i].name, RSIP_OFFLOAD_RXVLAN);

		if (err && a->dev[i].vlan_above) {
			log_err("cannot switch rxvlan off on %s: %s: packets of its VLANs would pass for its own (use an "
				"interface without VLAN devices)",
				a->iface[i].name, strerror(-err));
			return err;
		}
		if (err)
			log_warn("cannot switch rxvlan off on %s: %s: do not let tagged packets in there", a->iface[i].name,
				 strerror(-err));
	}
	return 0;
}

static int finish(struct attach *a)
{
	a->config.attached_ns = rsip_now_ns();
	return rsip_object_write_config(a->object, &a->config);
}

static int make_plane(struct attach *a)
{
	int err;

	rsip_random(&a->config.hash_seed, sizeof(a->config.hash_seed));
	err = rsip_pins_create(a->o->pin_path);
	if (err)
		return err;
	err = load(a);
	if (!err)
		err = pin(a);
	if (!err)
		err = rsip_undo_prepare_machine(&a->undo, a->iface, a->cnt);
	if (!err)
		err = stop_vlan_stripping(a);
	if (!err)
		err = attach_links(a);
	if (!err)
		err = finish(a);
	return err;
}

/* ---- words ---------------------------------------------------------------------------------------------------------------------- */

static void list_ifaces(const struct attach *a, char *text, size_t len)
{
	size_t at = 0;

	*text = '\0';
	for (uint32_t i = 0; i < a->cnt && at < len; i++) {
		bool private_side = a->iface[i].role == RSIP_ROLE_PRIVATE;

		at += (size_t)snprintf(text + at, len - at, "%s%s %s%s%s%s", i ? ", " : "", private_side ? "private" : "public",
				       a->iface[i].name, private_side ? " (" : "",
				       private_side ? rsip_ip4(a->iface[i].endpoint) : "", private_side ? ")" : "");
	}
}

/* Drivers say only now whether others may redirect into them. */
static void warn_of_lost_redirects(const struct attach *a)
{
	for (uint32_t i = 0; i < a->cnt && a->config.mode == RSIP_MODE_NATIVE; i++) {
		uint64_t features;

		if (rsip_netdev_features(a->iface[i].ifindex, &features) || features & RSIP_XDP_ACT_NDO_XMIT)
			continue;
		log_warn("%s: by the kernel's word it takes no redirected packets: what should leave there would be lost (%s)",
			 a->iface[i].name,
			 !strcmp(a->dev[i].driver, "veth") ?
				 "its peer needs native XDP, or GRO switched on before it comes up" :
				 "use --mode generic");
	}
}

static void say_done(const struct attach *a)
{
	char ifaces[1024];

	list_ifaces(a, ifaces, sizeof(ifaces));
	log_info("attached in %s mode: %s", rsip_loader_mode_name((int)a->config.mode), ifaces);
	warn_of_lost_redirects(a);
}

/* ---- the command -------------------------------------------------------------------------------------------------------------- */

/* 0: go on.  1: the very same is attached already. */
static int look_at_present(struct attach *a, char *unmount)
{
	const char *folder = a->o->pin_path;
	struct rsip_plane p;
	char why[256];
	int err = rsip_plane_read(folder, &p);

	if (err == -EUCLEAN) {
		log_warn("an attach to %s did not come to its end: taking off what it left", folder);
		err = rsip_plane_remove(folder, unmount);
		*unmount = '\0'; /* we go on to use it */
		return err;
	}
	if (err == -ENOENT)
		return 0;
	if (err == -EPROTO)
		log_err("%s is attached with map layout %u, this loader has %u (run `rsip-loader detach` first)", folder,
			p.config.layout_version, RSIP_LAYOUT_VERSION);
	if (err)
		return err;
	if (!p.here) {
		log_err("%s is attached in another network namespace (choose another --pin-path)", folder);
		return -EXDEV;
	}
	err = plan(a);
	if (err)
		return err;
	if (rsip_plane_compare(&p, a->o, &a->config, a->iface, a->cnt, why, sizeof(why))) {
		log_err("cannot attach: %s is attached already, and %s (run `rsip-loader detach` first; traffic stops until it "
			"is attached again)",
			folder, why);
		return -EEXIST;
	}
	return 1;
}

static int attach_locked(struct attach *a, char *unmount)
{
	int err = look_at_present(a, unmount), err2;

	if (err == 1)
		log_info("attached already, with the same interfaces and sizes: nothing to do");
	if (err)
		return err == 1 ? 0 : err;
	err = plan(a);
	if (!err)
		err = check(a);
	if (err) {
		if (a->mounted)
			strcpy(unmount, "/sys/fs/bpf");
		return err;
	}
	err = make_plane(a);
	if (!err) {
		say_done(a);
		return 0;
	}
	log_info("taking off what was attached so far");
	err2 = rsip_plane_remove(a->o->pin_path, unmount);
	if (err2 && err2 != -ENOENT)
		log_err("something is left in %s (run `rsip-loader detach`)", a->o->pin_path);
	if (a->mounted)
		strcpy(unmount, "/sys/fs/bpf");
	return err;
}

static bool asks_for_enough(const struct rsip_loader_options *o)
{
	bool role[3] = { false };

	for (uint32_t i = 0; i < o->iface_cnt; i++)
		role[o->iface[i].role] = true;
	if (role[RSIP_ROLE_PUBLIC] && role[RSIP_ROLE_PRIVATE])
		return true;
	log_err("attach needs a public and a private interface (--public IF --private IF, or `interfaces` in --config FILE)");
	return false;
}

int rsip_loader_attach(const struct rsip_loader_options *o)
{
	static struct attach a;
	char unmount[RSIP_PINS_PATH_MAX] = "";
	sigset_t stop;
	int lock, err;

	a = (struct attach){ .o = o, .undo.fd = -1 };
	if (!asks_for_enough(o))
		return RSIP_EXIT_USAGE;
	if (o->mode == RSIP_MODE_TC) {
		log_err("mode tc: this data plane has no TC programs yet (use auto, native or generic)");
		return RSIP_EXIT_FAILED;
	}
	/* it takes a second or less; a kill that cannot wait leaves what the next loader mends */
	sigemptyset(&stop);
	sigaddset(&stop, SIGINT);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGHUP);
	sigprocmask(SIG_BLOCK, &stop, NULL);
	lock = rsip_pins_lock(o->pin_path, &a.mounted);
	if (lock < 0)
		return RSIP_EXIT_FAILED;
	err = attach_locked(&a, unmount);
	if (a.object)
		rsip_object_close(a.object);
	close(lock);
	if (*unmount)
		rsip_pins_unmount(unmount);
	if (!err && o->json)
		return rsip_loader_status(o);
	return err ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
}
