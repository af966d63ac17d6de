// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Attach: all or nothing.  What has been done is always in the pins, so that a failure (and a later
 * loader, if this one is killed) takes it off in the same way as detach does.
 * rsip_config.attached_ns is written last: while it is zero the data plane is half made.
 */
#include "attach.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "commands.h"
#include "log.h"
#include "object.h"
#include "pins.h"
#include "plane.h"
#include "reattach.h"
#include "slow.h"
#include "undo.h"
#include "util.h"

/* ---- step by step ---------------------------------------------------- */

static int load(struct rsip_attach *a)
{
	int err;

	a->config.mode = a->o->mode == RSIP_LOADER_MODE_AUTO ? RSIP_MODE_NATIVE : (uint32_t)a->o->mode;
	err = rsip_object_load(&a->config, a->o->max_cookies, &a->object);

	return err ? err : rsip_object_fill(a->object, &a->config, a->iface, a->cnt);
}

/* rsip_undo first: from here on every change of the machine is on record. */
static int pin(struct rsip_attach *a)
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
		err = rsip_object_pin_progs(a->object, a->o->pin_path);
	return err;
}

int rsip_attach_keep_tags(struct rsip_undo_log *log, const char *name, bool vlan_above, bool *hidden)
{
	for (int off = RSIP_OFFLOAD_RXVLAN; off <= RSIP_OFFLOAD_RXSTAG; off++) {
		int err = rsip_undo_offload_off(log, name, (enum rsip_offload)off);

		if (!err)
			continue;
		if (hidden) {
			log_warn("cannot switch %s off on %s: %s: TC mode, which sees VLAN tags wherever they are",
				 rsip_offload_name(off), name, strerror(-err));
			*hidden = true;
		} else if (vlan_above) {
			log_err("cannot switch %s off on %s: %s: packets of its VLANs would pass for its own (use --mode tc, "
				"or an interface without VLAN devices)",
				rsip_offload_name(off), name, strerror(-err));
			return err;
		} else {
			log_warn("cannot switch %s off on %s: %s: do not let tagged packets in there (or use --mode tc)",
				 rsip_offload_name(off), name, strerror(-err));
		}
	}
	return 0;
}

/*
 * A tag that the card has taken out of the frame is invisible to XDP: one VLAN's packets would
 * match another's.
 */
static int stop_vlan_stripping(struct rsip_attach *a)
{
	int err = 0;

	for (uint32_t i = 0; i < a->cnt && !err && !rsip_attach_needs_tc(a); i++)
		err = rsip_attach_keep_tags(&a->undo, a->iface[i].name, a->dev[i].vlan_above,
					    a->o->mode == RSIP_LOADER_MODE_AUTO ? &a->tags_hidden : NULL);
	return err;
}

/*
 * The kernel drops what comes in with a source of its own: nothing would ever resolve such a
 * host's next hop.
 */
static int accept_own_addresses(struct rsip_attach *a)
{
	__be32 addr;

	for (uint32_t i = 0; i < a->o->pool_cnt; i++) {
		if (!rsip_netdev_any_addr(a->o->pool[i].first, a->o->pool[i].last, &addr))
			continue;
		log_warn("%s is in a pool and an address of this machine too: the machine hears "
			 "nothing at it from now on (give the pool an address of its own)",
			 rsip_ip4(addr));
		return rsip_undo_accept_local(&a->undo, a->iface, a->cnt);
	}
	return 0;
}

static int finish(struct rsip_attach *a)
{
	a->config.attached_ns = rsip_now_ns();
	return rsip_object_write_config(a->object, &a->config);
}

static int make_plane(struct rsip_attach *a)
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
		err = accept_own_addresses(a);
	if (!err)
		err = rsip_nat_make(&a->undo, a->o);
	if (!err)
		err = stop_vlan_stripping(a);
	if (!err)
		err = rsip_attach_links(a);
	if (!err)
		err = rsip_attach_tc(a);
	if (!err)
		err = finish(a);
	return err;
}

/* ---- words ---------------------------------------------------- */

static void list_ifaces(const struct rsip_attach *a, char *text, size_t len)
{
	size_t at = 0;

	*text = '\0';
	for (uint32_t i = 0; i < a->cnt && at < len; i++) {
		bool private_side = a->iface[i].role == RSIP_ROLE_PRIVATE;

		at += (size_t)snprintf(text + at, len - at, "%s%s %s%s%s%s%s%s", i ? ", " : "",
				       private_side ? "private" : "public", a->iface[i].name,
				       private_side ? " (" : "",
				       private_side ? rsip_ip4(a->iface[i].endpoint) : "",
				       a->iface[i].endpoint6[0] ? ", " : "",
				       a->iface[i].endpoint6[0] ? rsip_ip6(a->iface[i].endpoint6) : "",
				       private_side ? ")" : "");
	}
}

/* Drivers have said only now whether others may redirect into them. */
static void warn_of_lost_redirects(const struct rsip_attach *a)
{
	for (uint32_t i = 0; i < a->cnt && a->config.mode == RSIP_MODE_NATIVE; i++) {
		if (!a->dev[i].features_known || a->dev[i].features & RSIP_XDP_ACT_NDO_XMIT)
			continue;
		log_warn(
			"%s: by the kernel's word it takes no redirected packets: what should "
			"leave there would be lost (%s)",
			a->iface[i].name,
			!strcmp(a->dev[i].driver, "veth")
				? "its peer needs native XDP, or GRO switched on before it comes up"
				: "use --mode generic");
	}
}

static void say_done(const struct rsip_attach *a)
{
	char ifaces[1024];

	list_ifaces(a, ifaces, sizeof(ifaces));
	log_info("attached in %s mode: %s", rsip_loader_mode_name((int)a->config.mode), ifaces);
	warn_of_lost_redirects(a);
}

/* ---- the command ---------------------------------------------------- */

/*
 * Who named no endpoint is content with the one in use, as long as it is an address of the
 * interface.
 */
static void keep_default_endpoints(struct rsip_attach *a, const struct rsip_plane *p)
{
	for (uint32_t i = 0; i < a->o->iface_cnt; i++) {
		if (a->o->iface[i].endpoint)
			continue;
		for (uint32_t j = 0; j < a->cnt; j++)
			for (uint32_t k = 0; k < p->iface_cnt; k++)
				if (!strcmp(a->o->iface[i].name, a->iface[j].name) &&
				    !strcmp(a->iface[j].name, p->iface[k].name) &&
				    rsip_netdev_has_addr(&a->dev[j], p->iface[k].endpoint))
					a->iface[j].endpoint = p->iface[k].endpoint;
	}
}

/* 0: go on.  1: the very same is attached already. */
static int look_at_present(struct rsip_attach *a, char *unmount)
{
	const char *folder = a->o->pin_path;
	struct rsip_plane p;
	char why[256];
	int err = rsip_plane_read(folder, &p);

	if (err == -EUCLEAN) {
		log_warn("an attach to %s did not come to its end: taking off what it left",
			 folder);
		err = rsip_plane_remove(folder, unmount);
		a->mounted = a->mounted || *unmount; /* we go on to use it: our detach unmounts it */
		*unmount = '\0';
		return err;
	}
	if (err == -ENOENT)
		return 0;
	if (err == -EPROTO)
		log_err("%s is attached with map layout %u, this loader has %u (run `rsip-loader "
			"detach` first)",
			folder, p.config.layout_version, RSIP_LAYOUT_VERSION);
	if (err)
		return err;
	if (!p.here) {
		log_err("%s is attached in another network namespace (choose another --pin-path)",
			folder);
		return -EXDEV;
	}
	if (rsip_reattach_due(&p, why, sizeof(why))) {
		err = rsip_reattach(folder, &p) ?: rsip_plane_read(folder, &p);
		if (err)
			return err;
	}
	err = rsip_attach_plan(a);
	if (err)
		return err;
	keep_default_endpoints(a, &p);
	if (rsip_plane_compare(&p, a->o, &a->config, a->iface, a->cnt, why, sizeof(why))) {
		log_err("cannot attach: %s is attached already, and %s (run `rsip-loader detach` "
			"first; traffic stops until it is attached again)",
			folder, why);
		return -EEXIST;
	}
	return 1;
}

/* What others can take away without touching what is ours: nft flush ruleset. */
static int mend(const struct rsip_loader_options *o)
{
	int err = rsip_slow_mend(), err2 = rsip_nat_mend(o);

	return err ? err : err2;
}

static int attach_locked(struct rsip_attach *a, char *unmount)
{
	int err = look_at_present(a, unmount), err2;

	if (err == 1)
		log_info("attached already, with the same interfaces and sizes: nothing to do");
	if (err)
		return err == 1 ? mend(a->o) : err;
	err = rsip_attach_plan(a);
	if (!err)
		err = rsip_attach_check(a);
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
	bool role[3] = {false};

	for (uint32_t i = 0; i < o->iface_cnt; i++)
		role[o->iface[i].role] = true;
	if (role[RSIP_ROLE_PUBLIC] && role[RSIP_ROLE_PRIVATE])
		return true;
	log_err("attach needs a public and a private interface (--public IF --private IF, or "
		"`interfaces` in --config FILE)");
	return false;
}

static bool can_make_nat(const struct rsip_loader_options *o)
{
	if (*o->nat.wrong)
		log_err("cannot attach: %s: %s", o->config_path, o->nat.wrong);
	return !*o->nat.wrong;
}

int rsip_loader_attach(const struct rsip_loader_options *o)
{
	static struct rsip_attach a;
	char unmount[RSIP_PINS_PATH_MAX] = "";
	sigset_t stop;
	int lock, err;

	a = (struct rsip_attach){.o = o, .undo.fd = -1};
	if (!asks_for_enough(o))
		return RSIP_EXIT_USAGE;
	if (!can_make_nat(o))
		return RSIP_EXIT_FAILED;
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
	if (a.tc)
		rsip_object_tc_close(a.tc);
	if (a.object)
		rsip_object_close(a.object);
	close(lock);
	if (*unmount)
		rsip_pins_unmount(unmount);
	if (!err && o->json)
		return rsip_loader_status(o);
	return err ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
}
