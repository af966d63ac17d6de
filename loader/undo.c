// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "undo.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "log.h"
#include "nat.h"
#include "pins.h"
#include "slow.h"
#include "tc.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

#define OFFLOAD_PREFIX "ethtool/"
#define CLSACT_PREFIX "clsact/"
#define TC_PREFIX "tc/"
#define IPV4_CONF "net/ipv4/conf/"

/* ---- sysctls ---------------------------------------------------- */

static int sysctl_open(const char *name, int flags)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/%s", name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int rsip_sysctl_read(const char *name, char *value, size_t len)
{
	int fd = sysctl_open(name, O_RDONLY);
	ssize_t got;

	if (fd < 0)
		return fd;
	got = read(fd, value, len - 1);
	if (got < 0)
		got = -errno;
	close(fd);
	value[got > 0 ? got : 0] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return got < 0 ? (int)got : 0;
}

static int sysctl_write(const char *name, const char *value)
{
	int fd = sysctl_open(name, O_WRONLY), err = 0;

	if (fd < 0)
		return fd;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

void rsip_netns_cookie(char *text)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd >= 0) {
		getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
		close(fd);
	}
	snprintf(text, 32, "%llu", (unsigned long long)cookie);
}

/* ---- taking notes ---------------------------------------------------- */

int rsip_undo_note(struct rsip_undo_log *log, const char *name, const char *old)
{
	struct rsip_undo entry = {0};
	uint32_t key = log->cnt;
	char first[sizeof(entry.old)];

	if (rsip_undo_find(log, name, first))
		return 0;
	if (key == RSIP_UNDO_MAX) {
		log_err("cannot note how to undo %s: more than %d changes on this machine (make it "
			"so yourself before attach: see rsip-loader(8), SYSCTLS)",
			name, RSIP_UNDO_MAX);
		return -ENOSPC;
	}
	if (snprintf(entry.name, sizeof(entry.name), "%s", name) >= (int)sizeof(entry.name) ||
	    snprintf(entry.old, sizeof(entry.old), "%s", old) >= (int)sizeof(entry.old)) {
		log_err("cannot note how to undo %s: name or value '%s' is too long", name, old);
		return -ENAMETOOLONG;
	}
	if (bpf_map_update_elem(log->fd, &key, &entry, BPF_ANY)) {
		log_err("cannot note how to undo %s: map rsip_undo: %s", name, strerror(errno));
		return -errno;
	}
	log->cnt++;
	return 0;
}

int rsip_undo_sysctl(struct rsip_undo_log *log, const char *name, const char *value)
{
	char old[64];
	int err = rsip_sysctl_read(name, old, sizeof(old));

	if (err) {
		log_err("cannot read sysctl %s: %s", name, strerror(-err));
		return err;
	}
	if (!strcmp(old, value))
		return 0;
	err = rsip_undo_note(log, name, old);
	if (err)
		return err;
	err = sysctl_write(name, value);
	if (err)
		log_err("cannot set sysctl %s to %s: %s (run as root, where /proc/sys can be "
			"written)",
			name, value, strerror(-err));
	else
		log_debug("sysctl %s: %s -> %s", name, old, value);
	return err;
}

void rsip_undo_sysctl_quiet(const char *name, const char *value)
{
	sysctl_write(name, value);
}

int rsip_undo_tc(struct rsip_undo_log *log, const struct rsip_iface *iface, int prog)
{
	const char *way = rsip_tc_egress(iface) ? "egress" : "ingress";
	char name[64];
	int err = 0;

	if (!rsip_tc_made(iface->ifindex)) {
		snprintf(name, sizeof(name), CLSACT_PREFIX "%s", iface->name);
		err = rsip_undo_note(log, name, "");
		if (!err)
			err = rsip_tc_make(iface->ifindex);
	}
	snprintf(name, sizeof(name), TC_PREFIX "%s/%s", iface->name, way);
	if (!err)
		err = rsip_undo_note(log, name, "");
	if (!err)
		err = rsip_tc_put(iface, prog);
	if (err)
		log_err("cannot put a TC program on %s, %s: %s (does this kernel have clsact and "
			"cls_bpf?)",
			iface->name, way, strerror(-err));
	return err;
}

int rsip_undo_offload_off(struct rsip_undo_log *log, const char *ifname, enum rsip_offload offload)
{
	char name[64];
	int err;

	if (rsip_ethtool_offload(ifname, offload) != 1)
		return 0;
	snprintf(name, sizeof(name), OFFLOAD_PREFIX "%s/%s", ifname, rsip_offload_name(offload));
	err = rsip_undo_note(log, name, "1");
	if (err)
		return err;
	err = rsip_ethtool_offload_set(ifname, offload, 0);
	if (!err)
		log_info("switched %s off on %s", rsip_offload_name(offload), ifname);
	return err;
}

/* ---- what the machine must be like ---------------------------------------------------- */

static void conf_name(char *name, const char *ifname, const char *leaf)
{
	snprintf(name, 96, IPV4_CONF "%s/%s", ifname, leaf);
}

typedef int (*each_iface_fn)(struct rsip_undo_log *log, const char *ifname, const char *arg);

static int each_iface(struct rsip_undo_log *log, each_iface_fn fn, const char *arg)
{
	struct if_nameindex *all = if_nameindex();
	int err = all ? fn(log, "default", arg) : -errno;

	for (int i = 0; !err && all[i].if_index; i++)
		err = fn(log, all[i].if_name, arg);
	if (all)
		if_freenameindex(all);
	return err;
}

/*
 * Switching ip_forward on or off switches every interface with it, and the way up takes LRO from
 * all of them. What an interface had of its own is noted before, and so put back after.
 */
static int note_forwarding(struct rsip_undo_log *log, const char *ifname, const char *arg)
{
	char name[96], old[64];
	int err = 0;

	(void)arg;
	conf_name(name, ifname, "forwarding");
	if (!rsip_sysctl_read(name, old, sizeof(old)) && strcmp(old, "0"))
		err = rsip_undo_note(log, name, old);
	if (!err && strcmp(ifname, "default") &&
	    rsip_ethtool_offload(ifname, RSIP_OFFLOAD_LRO) == 1) {
		snprintf(name, sizeof(name), OFFLOAD_PREFIX "%s/lro", ifname);
		err = rsip_undo_note(log, name, "1");
	}
	return err;
}

/*
 * The kernel takes the greater of all/rp_filter and the interface's: give the others what `all`
 * gave them.
 */
static int keep_rp_filter(struct rsip_undo_log *log, const char *ifname, const char *all)
{
	char name[96], own[64];

	conf_name(name, ifname, "rp_filter");
	if (rsip_sysctl_read(name, own, sizeof(own)) || atoi(own) >= atoi(all))
		return 0;
	return rsip_undo_sysctl(log, name, all);
}

/* Writes value to conf/IF/leaf of every private interface. */
static int set_private(struct rsip_undo_log *log, const struct rsip_iface *iface, uint32_t cnt,
		       const char *leaf, const char *value)
{
	char name[96];
	int err = 0;

	for (uint32_t i = 0; i < cnt && !err; i++) {
		if (iface[i].role != RSIP_ROLE_PRIVATE)
			continue;
		conf_name(name, iface[i].name, leaf);
		err = rsip_undo_sysctl(log, name, value);
	}
	return err;
}

int rsip_undo_accept_local(struct rsip_undo_log *log, const struct rsip_iface *iface, uint32_t cnt)
{
	return set_private(log, iface, cnt, "accept_local", "1");
}

int rsip_undo_prepare_machine(struct rsip_undo_log *log, const struct rsip_iface *iface,
			      uint32_t cnt)
{
	char old[64] = "";
	int err = rsip_sysctl_read("net/ipv4/ip_forward", old, sizeof(old));

	if (!err && !strcmp(old, "0"))
		err = each_iface(log, note_forwarding, NULL);
	if (!err)
		err = rsip_undo_sysctl(log, "net/ipv4/ip_forward", "1");
	if (!err)
		err = rsip_sysctl_read(IPV4_CONF "all/rp_filter", old, sizeof(old));
	if (!err && strcmp(old, "0"))
		err = each_iface(log, keep_rp_filter, old);
	if (!err)
		err = rsip_undo_sysctl(log, IPV4_CONF "all/rp_filter", "0");
	/* decapsulated packets come from the private side with public sources */
	return err ? err : set_private(log, iface, cnt, "rp_filter", "0");
}

int rsip_undo_prepare_iface(struct rsip_undo_log *log, const struct rsip_iface *iface)
{
	char name[96], old[sizeof(((struct rsip_undo *)0)->old)];
	int err = set_private(log, iface, 1, "rp_filter", "0");

	conf_name(name, iface->name, "accept_local");
	if (!err && rsip_undo_find(log, name, old))
		err = set_private(log, iface, 1, "accept_local", "1");
	return err;
}

/* ---- putting it back ---------------------------------------------------- */

int rsip_undo_open(const char *folder, struct rsip_undo_log *log)
{
	struct bpf_map_info info = {0};
	uint32_t len = sizeof(info), key;
	char path[RSIP_PINS_PATH_MAX];
	struct rsip_undo entry;

	rsip_pins_path(folder, "rsip_undo", path);
	log->cnt = 0;
	log->fd = bpf_obj_get(path);
	if (log->fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(log->fd, &info, &len) || info.value_size != sizeof(entry)) {
		close(log->fd);
		log->fd = -1;
		return -EPROTO;
	}
	for (key = 0; key < info.max_entries && !bpf_map_lookup_elem(log->fd, &key, &entry); key++)
		if (entry.name[0])
			log->cnt = key + 1;
	return 0;
}

bool rsip_undo_find(const struct rsip_undo_log *log, const char *name, char *old)
{
	struct rsip_undo entry;

	for (uint32_t key = 0; key < log->cnt; key++) {
		if (bpf_map_lookup_elem(log->fd, &key, &entry) ||
		    strncmp(entry.name, name, sizeof(entry.name)))
			continue;
		snprintf(old, sizeof(entry.old), "%.31s", entry.old);
		return true;
	}
	return false;
}

static int restore_offload(const char *rest, const char *old)
{
	char ifname[IF_NAMESIZE];
	const char *slash = strrchr(rest, '/');
	int offload = slash ? rsip_offload_parse(slash + 1) : -EINVAL;

	if (offload < 0)
		return offload;
	snprintf(ifname, sizeof(ifname), "%.*s", (int)(slash - rest), rest);
	if (rsip_ethtool_offload(ifname, (enum rsip_offload)offload) == (*old == '1'))
		return 0;
	return rsip_ethtool_offload_set(ifname, (enum rsip_offload)offload, *old == '1');
}

static int restore_tc(const char *name)
{
	const char *rest = name + strlen(TC_PREFIX), *slash = strrchr(rest, '/');
	char ifname[IF_NAMESIZE];
	uint32_t ifindex;

	snprintf(ifname, sizeof(ifname), "%.*s", slash ? (int)(slash - rest) : 0, rest);
	ifindex = if_nametoindex(ifname);
	if (!ifindex || !rsip_tc_made(ifindex))
		return -ENODEV; /* somebody has removed the device, or the qdisc with all that is in it */
	return rsip_tc_take(ifindex, slash && !strcmp(slash, "/egress"));
}

static int restore_clsact(const char *name)
{
	uint32_t ifindex = if_nametoindex(name + strlen(CLSACT_PREFIX));

	if (!ifindex || !rsip_tc_made(ifindex))
		return -ENODEV;
	if (rsip_tc_used(ifindex)) {
		log_info("leaving the clsact qdisc on %s: others have filters in it",
			 name + strlen(CLSACT_PREFIX));
		return 0;
	}
	return rsip_tc_unmake(ifindex);
}

static int restore_one(const struct rsip_undo *entry)
{
	int err;

	if (!strncmp(entry->name, OFFLOAD_PREFIX, strlen(OFFLOAD_PREFIX)))
		err = restore_offload(entry->name + strlen(OFFLOAD_PREFIX), entry->old);
	else if (rsip_slow_is_entry(entry->name))
		err = rsip_slow_restore(entry->name, entry->old);
	else if (!strncmp(entry->name, TC_PREFIX, strlen(TC_PREFIX)))
		err = restore_tc(entry->name);
	else if (!strncmp(entry->name, CLSACT_PREFIX, strlen(CLSACT_PREFIX)))
		err = restore_clsact(entry->name);
	else if (!strcmp(entry->name, "nft/rsip_nat"))
		err = rsip_nat_remove();
	else if (!strncmp(entry->name, "net/", 4))
		err = sysctl_write(entry->name, entry->old);
	else
		return 0;
	if (err == -ENOENT || err == -ENODEV) {
		log_debug("%s is gone: not put back to %s", entry->name, entry->old);
		return 0;
	}
	if (err)
		log_err("cannot put %s back to %s: %s (do it by hand)", entry->name, entry->old,
			strerror(-err));
	else
		log_debug("%s: back to %s", entry->name, entry->old);
	return err;
}

int rsip_undo_restore(struct rsip_undo_log *log)
{
	struct rsip_undo entry;
	int err = 0;

	for (uint32_t key = log->cnt; key-- > 0;) {
		if (bpf_map_lookup_elem(log->fd, &key, &entry) || !entry.name[0])
			continue;
		entry.name[sizeof(entry.name) - 1] = entry.old[sizeof(entry.old) - 1] = '\0';
		err = restore_one(&entry) ?: err;
	}
	return err;
}
