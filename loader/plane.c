// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plane.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "log.h"
#include "pins.h"
#include "ppp.h"
#include "tc.h"
#include "undo.h"
#include "util.h"

int rsip_plane_open(const char *folder, const char *name)
{
	char path[RSIP_PINS_PATH_MAX];
	int fd;

	rsip_pins_path(folder, name, path);
	fd = bpf_obj_get(path);
	return fd < 0 ? -errno : fd;
}

/* Reads elements 0 .. cnt - 1 of a pinned array whose elements are size bytes long. */
static int read_array(const char *folder, const char *name, void *to, uint32_t cnt, uint32_t size)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), key;
	int fd = rsip_plane_open(folder, name), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		err = -errno;
	else if (info.value_size != size || info.max_entries < cnt)
		err = -EPROTO;
	for (key = 0; key < cnt && !err; key++)
		if (bpf_map_lookup_elem(fd, &key, (char *)to + (size_t)key * size))
			err = -errno;
	close(fd);
	return err;
}

static void read_link(const char *folder, const char *ifname, struct rsip_plane_link *link)
{
	struct bpf_link_info info = {0};
	uint32_t len = sizeof(info);
	char path[RSIP_PINS_PATH_MAX];
	int fd;

	memset(link, 0, sizeof(*link));
	rsip_pins_link_path(folder, ifname, path);
	fd = bpf_obj_get(path);
	if (fd < 0)
		return;
	link->pinned = true;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len)) {
		link->link_id = info.id;
		link->prog_id = info.prog_id;
		link->ifindex = info.xdp.ifindex;
	}
	close(fd);
}

/* In TC mode, and on the slow path's device, there is a filter instead of a link. */
static void read_filter(const struct rsip_iface *iface, struct rsip_plane_link *link)
{
	memset(link, 0, sizeof(*link));
	link->prog_id = rsip_tc_prog_id(iface);
	link->pinned = link->prog_id;
	link->ifindex = link->prog_id ? iface->ifindex : 0;
}

static bool is_here(const char *folder)
{
	char cookie[32], noted[32];
	struct rsip_undo_log log;
	bool here;

	if (rsip_undo_open(folder, &log))
		return true;
	rsip_netns_cookie(cookie);
	here = !rsip_undo_find(&log, "netns", noted) || !strcmp(noted, cookie);
	close(log.fd);
	return here;
}

static void read_nat(const char *folder, struct rsip_plane *p)
{
	struct rsip_undo_log log;

	if (rsip_undo_open(folder, &log)) {
		strcpy(p->nat, "?");
		return;
	}
	p->has_nat = rsip_undo_find(&log, "nft/rsip_nat", p->nat);
	if (p->has_nat && !*p->nat)
		strcpy(p->nat, "?");
	close(log.fd);
}

static int read_max_cookies(const char *folder, uint32_t *max_cookies)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info);
	int fd = rsip_plane_open(folder, "rsip_cookies"), err = 0;

	if (fd < 0)
		return fd;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		err = -errno;
	*max_cookies = info.max_entries;
	close(fd);
	return err;
}

static int read_plane(const char *folder, uint32_t oldest, struct rsip_plane *p)
{
	struct rsip_iface all[RSIP_MAX_IFACES];
	int err = rsip_pins_check(folder);

	memset(p, 0, sizeof(*p));
	if (err)
		return err;
	err = read_array(folder, "rsip_config", &p->config, 1, sizeof(p->config));
	if (err)
		return err == -ENOENT ? -EUCLEAN : err;
	if (!p->config.attached_ns)
		return -EUCLEAN;
	p->moving = p->config.layout_version & RSIP_LAYOUT_MOVING;
	p->config.layout_version &= ~RSIP_LAYOUT_MOVING;
	if (p->config.layout_version < oldest || p->config.layout_version > RSIP_LAYOUT_VERSION)
		return -EPROTO;
	err = read_array(folder, "rsip_ifaces", all, RSIP_MAX_IFACES, sizeof(all[0]));
	if (!err)
		err = read_max_cookies(folder, &p->max_cookies);
	if (err) {
		log_err("cannot read the maps in %s: %s (run `rsip-loader detach`, then attach)",
			folder, strerror(-err));
		return err;
	}
	for (uint32_t i = 1; i < RSIP_MAX_IFACES; i++) {
		if (!all[i].ifindex)
			continue;
		all[i].name[sizeof(all[i].name) - 1] = '\0';
		p->index[p->iface_cnt] = i;
		p->iface[p->iface_cnt] = all[i];
		if (p->config.mode == RSIP_MODE_TC || all[i].role == RSIP_ROLE_SLOW)
			read_filter(&all[i], &p->link[p->iface_cnt++]);
		else
			read_link(folder, all[i].name, &p->link[p->iface_cnt++]);
	}
	read_nat(folder, p);
	p->here = is_here(folder);
	return 0;
}

int rsip_plane_read(const char *folder, struct rsip_plane *p)
{
	return read_plane(folder, RSIP_LAYOUT_VERSION, p);
}

int rsip_plane_read_old(const char *folder, struct rsip_plane *p)
{
	return read_plane(folder, RSIP_LAYOUT_OLDEST, p);
}

/* The first part of the policy has never changed, and an older layout's may be shorter. */
uint64_t rsip_plane_silent_ns(const char *folder)
{
	union {
		struct rsip_policy policy;
		char room[2 * sizeof(struct rsip_policy)];
	} value = {0};
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), zero = 0;
	int fd = rsip_plane_open(folder, "rsip_policy"), err = -1;
	uint64_t now;

	if (fd < 0)
		return UINT64_MAX;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.value_size <= sizeof(value))
		err = bpf_map_lookup_elem(fd, &zero, &value);
	close(fd);
	now = rsip_now_ns();
	if (err || !value.policy.alive_ns)
		return UINT64_MAX;
	return now > value.policy.alive_ns ? now - value.policy.alive_ns : 0;
}

/* ---- the same again? ---------------------------------------------------- */

static const struct rsip_iface *find_iface(const struct rsip_iface *iface, uint32_t cnt,
					   const char *name)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!strcmp(iface[i].name, name))
			return &iface[i];
	return NULL;
}

static int differ(char *why, size_t why_len, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
static int differ(char *why, size_t why_len, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return -EEXIST;
}

const char *rsip_plane_role_name(uint8_t role)
{
	return role == RSIP_ROLE_PUBLIC ? "public" : role == RSIP_ROLE_PRIVATE ? "private" : "slow";
}

static int compare_ifaces(const struct rsip_plane *p, const struct rsip_iface *iface, uint32_t cnt,
			  char *why, size_t why_len)
{
	for (uint32_t i = 0; i < p->iface_cnt; i++) {
		const struct rsip_iface *have = &p->iface[i],
					*want = find_iface(iface, cnt, have->name);

		if (have->role == RSIP_ROLE_SLOW)
			continue;
		if (!want)
			return differ(why, why_len, "it is also on %s interface %s",
				      rsip_plane_role_name(have->role), have->name);
		if (want->role != have->role)
			return differ(why, why_len, "%s is %s there, not %s", have->name,
				      rsip_plane_role_name(have->role), rsip_plane_role_name(want->role));
		if (want->endpoint != have->endpoint)
			return differ(why, why_len, "the tunnels end at %s on %s there, not at %s",
				      rsip_ip4(have->endpoint), have->name,
				      rsip_ip4(want->endpoint));
		if (memcmp(want->endpoint6, have->endpoint6, sizeof(want->endpoint6)))
			return differ(why, why_len, "the tunnels over IPv6 end at %s on %s there, not at %s",
				      rsip_ip6(have->endpoint6), have->name, rsip_ip6(want->endpoint6));
		if (!p->link[i].ifindex || want->ifindex != have->ifindex)
			return differ(
				why, why_len,
				"%s was removed and made again since, and cannot carry its program again as it is",
				have->name);
	}
	for (uint32_t i = 0; i < cnt; i++)
		if (!find_iface(p->iface, p->iface_cnt, iface[i].name))
			return differ(why, why_len, "%s interface %s is not among its interfaces",
				      rsip_plane_role_name(iface[i].role), iface[i].name);
	return 0;
}

int rsip_plane_compare(const struct rsip_plane *p, const struct rsip_loader_options *o,
		       const struct rsip_config *want, const struct rsip_iface *iface,
		       uint32_t iface_cnt, char *why, size_t why_len)
{
	const struct {
		const char *what;
		uint32_t have, want;
	} number[] = {
		{"max_bindings", p->config.max_bindings, want->max_bindings},
		{"max_addresses", p->config.max_addrs, want->max_addrs},
		{"max_ipsec_pairs", p->config.max_learned, want->max_learned},
		{"max_cookies", p->max_cookies, o->max_cookies},
	};
	int err = compare_ifaces(p, iface, iface_cnt, why, why_len);
	char nat[RSIP_NAT_MARK_LEN];

	if (err)
		return err;
	for (size_t i = 0; i < RSIP_ARRAY_LEN(number); i++)
		if (number[i].have != number[i].want)
			return differ(why, why_len, "%s is %u there, not %u", number[i].what,
				      number[i].have, number[i].want);
	if (o->mode != RSIP_LOADER_MODE_AUTO && o->mode != (int)p->config.mode)
		return differ(why, why_len, "its mode is %s, not %s",
			      rsip_loader_mode_name((int)p->config.mode),
			      rsip_loader_mode_name(o->mode));
	rsip_nat_mark(o, nat);
	if (strcmp(p->nat, "?") && strcmp(p->nat, nat))
		return differ(why, why_len, "%s", *nat && *p->nat ? "its nftables table ip rsip_nat is for other `nat`, `stray` or pools"
				      : *nat ? "without the `nat` or `stray` that is asked for"
					     : "with `nat` or `stray`, which is not asked for");
	return 0;
}

/* ---- taking it off ---------------------------------------------------- */

/* Unpinning alone leaves the program on as long as another process holds the link. */
static int remove_links(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int err = 0;

	while (dir && (entry = readdir(dir))) {
		int fd;

		if (strncmp(entry->d_name, "link_", 5))
			continue;
		fd = rsip_plane_open(folder, entry->d_name);
		if (fd < 0)
			continue;
		if (bpf_link_detach(fd) && errno != ENODEV && errno != ENOLINK) {
			err = -errno;
			log_err("cannot detach %s/%s: %s", folder, entry->d_name, strerror(errno));
		}
		close(fd);
	}
	if (dir)
		closedir(dir);
	return rsip_pins_unlink_all(folder, "link_") ?: err;
}

/*
 * In another namespace the interfaces' names mean other interfaces: only what is left of a dead
 * one may go.
 */
static int check_namespace(const char *folder, bool here)
{
	DIR *dir = here ? NULL : opendir(folder);
	struct dirent *entry;
	int err = 0;

	while (dir && (entry = readdir(dir)) && !err) {
		struct bpf_link_info info = {0};
		uint32_t len = sizeof(info);
		int fd = strncmp(entry->d_name, "link_", 5)
				 ? -1
				 : rsip_plane_open(folder, entry->d_name);

		if (fd < 0)
			continue;
		if (!bpf_obj_get_info_by_fd(fd, &info, &len) && info.xdp.ifindex) {
			log_err("%s was attached in another network namespace (run this there: "
				"nsenter --net=...)",
				folder);
			err = -EXDEV;
		}
		close(fd);
	}
	if (dir)
		closedir(dir);
	return err;
}

static int restore_machine(const char *folder, bool here, char *unmount)
{
	struct rsip_undo_log log;
	struct rsip_undo entry;
	int err = rsip_undo_open(folder, &log);

	if (err == -EPROTO)
		log_warn("cannot put back what attach changed: %s/rsip_undo is of another version "
			 "(see SYSCTLS in rsip-loader(8))",
			 folder);
	if (err)
		return 0;
	err = here ? rsip_undo_restore(&log) : 0;
	for (uint32_t key = 0; key < log.cnt; key++)
		if (!bpf_map_lookup_elem(log.fd, &key, &entry) && !strncmp(entry.name, "mount/", 6))
			snprintf(unmount, RSIP_PINS_PATH_MAX, "/%.80s", entry.name + 6);
	close(log.fd);
	return err;
}

int rsip_plane_remove(const char *folder, char *unmount)
{
	int err = rsip_pins_check(folder), err2;
	bool here;

	*unmount = '\0';
	if (err)
		return err;
	here = is_here(folder);
	err = check_namespace(folder, here);
	if (err)
		return err;
	err = remove_links(folder);
	err2 = here ? rsip_ppp_take_all(folder) : 0;
	err = err ?: err2;
	err2 = restore_machine(folder, here, unmount);
	err = err ?: err2;
	err2 = rsip_pins_unlink_all(folder, "prog_");
	err = err ?: err2;
	err2 = rsip_pins_unlink_all(folder, "rsip_");
	err = err ?: err2;
	err2 = rsip_pins_remove_folder(folder);
	return err ?: err2;
}
