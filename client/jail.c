// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The programs' network namespace: making, keeping and limiting it. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <net/if.h>
#include "jail.h"
#include "log.h"

static int write_sysctl(const char *name, const char *value)
{
	char path[256];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int lo_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCSIFFLAGS, &ifr))
		err = -errno;
	close(fd);
	return err;
}

/* Runs inside the new namespace: nothing but IPv4 of its own, nothing forwarded. */
static int furnish(void)
{
	int err = lo_up();

	if (err)
		return err;
	err = write_sysctl("ipv4/ip_forward", "0");
	write_sysctl("ipv6/conf/all/disable_ipv6", "1"); /* absent where the kernel has no IPv6 */
	write_sysctl("ipv6/conf/default/disable_ipv6", "1");
	write_sysctl("ipv4/conf/all/rp_filter", "0");
	return err;
}

static bool is_pinned(int fd)
{
	struct statfs fs;

	return fstatfs(fd, &fs) == 0 && fs.f_type == NSFS_MAGIC;
}

static int make_jail(struct rsip_jail *jail)
{
	int fd = open(jail->pin, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
	int err = 0;

	if (fd < 0)
		return -errno;
	close(fd);
	if (unshare(CLONE_NEWNET)) {
		err = -errno;
		unlink(jail->pin);
		return err;
	}
	err = furnish();
	jail->fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (!err && (jail->fd < 0 || mount("/proc/self/ns/net", jail->pin, NULL, MS_BIND, NULL)))
		err = -errno;
	rsip_jail_leave(jail);
	if (err)
		rsip_jail_close(jail, true);
	return err;
}

int rsip_jail_open(struct rsip_jail *jail, const char *state_dir)
{
	jail->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (jail->home < 0)
		return -errno;
	if (snprintf(jail->pin, sizeof(jail->pin), "%s/netns", state_dir) >= (int)sizeof(jail->pin))
		return -ENAMETOOLONG;
	jail->fd = open(jail->pin, O_RDONLY | O_CLOEXEC);
	if (jail->fd >= 0 && is_pinned(jail->fd))
		return 0;
	if (jail->fd >= 0)
		close(jail->fd);
	return make_jail(jail);
}

int rsip_jail_open_shared(struct rsip_jail *jail)
{
	jail->shared = true;
	jail->pin[0] = '\0';
	jail->home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	jail->fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return jail->home < 0 || jail->fd < 0 ? -errno : 0;
}

void rsip_jail_close(struct rsip_jail *jail, bool destroy)
{
	if (destroy && !jail->shared) {
		umount2(jail->pin, MNT_DETACH);
		unlink(jail->pin);
	}
	if (jail->fd >= 0)
		close(jail->fd);
	if (jail->home >= 0)
		close(jail->home);
	jail->fd = jail->home = -1;
}

int rsip_jail_enter(const struct rsip_jail *jail)
{
	return setns(jail->fd, CLONE_NEWNET) ? -errno : 0;
}

void rsip_jail_leave(const struct rsip_jail *jail)
{
	if (setns(jail->home, CLONE_NEWNET)) {
		log_err("cannot return to the network namespace of the client: %s",
			strerror(errno));
		abort(); /* going on would use the wrong network */
	}
}

static int read_sysctl(const char *name, char *value, size_t size)
{
	char path[256];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, value, size);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -E2BIG;
	value[n] = '\0';
	value[strcspn(value, "\n")] = '\0';
	return 0;
}

/* shared: which ports need no privilege is the machine's affair. */
static int write_limits(const struct rsip_port_limits *limits, bool shared)
{
	char range[32], low[16];
	int err;

	snprintf(range, sizeof(range), "%u %u", limits->low, limits->high);
	snprintf(low, sizeof(low), "%u", limits->unprivileged);
	err = write_sysctl("ipv4/ip_local_reserved_ports",
			   *limits->reserved ? limits->reserved : "\n");
	/* The range may not begin below the first unprivileged port, so that one goes down first. */
	if (!err && !shared)
		err = write_sysctl("ipv4/ip_unprivileged_port_start", "1");
	if (!err)
		err = write_sysctl("ipv4/ip_local_port_range", range);
	if (!err && !shared)
		err = write_sysctl("ipv4/ip_unprivileged_port_start", low);
	return err;
}

/* What a gateway leases must not let every user of the machine have ports that need a privilege. */
static int without_privileged(struct rsip_portset *set)
{
	char text[16];
	int err = read_sysctl("ipv4/ip_unprivileged_port_start", text, sizeof(text));
	unsigned long first = err ? 0 : strtoul(text, NULL, 10);

	if (!err && first < 65535)
		rsip_portset_begin_at(set, (first + 1) & ~1UL); /* a range begins at an even port */
	return err;
}

int rsip_jail_set_ports(const struct rsip_jail *jail, const struct rsip_portset *set)
{
	struct rsip_portset usable = *set;
	struct rsip_port_limits limits;
	int err = 0;

	if (jail->shared && !jail->limits)
		return 0;
	if (jail->shared)
		err = without_privileged(&usable);
	err = err ? err : rsip_portset_limits(&usable, &limits);
	if (err)
		return err;
	err = rsip_jail_enter(jail);
	if (!err) {
		err = write_limits(&limits, jail->shared);
		rsip_jail_leave(jail);
	}
	if (err)
		log_err("cannot limit the programs' ports to %u-%u: %s", limits.low, limits.high,
			strerror(-err));
	free(limits.reserved);
	return err;
}

int rsip_jail_ports_now(struct rsip_jail_ports *ports)
{
	int err = read_sysctl("ipv4/ip_local_reserved_ports", ports->reserved, sizeof(ports->reserved));

	return err ? err : read_sysctl("ipv4/ip_local_port_range", ports->range, sizeof(ports->range));
}

int rsip_jail_ports_back(const struct rsip_jail_ports *ports)
{
	int err = write_sysctl("ipv4/ip_local_port_range", ports->range);

	return err ? err : write_sysctl("ipv4/ip_local_reserved_ports", *ports->reserved ? ports->reserved : "\n");
}
