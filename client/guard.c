// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "guard.h"
#include "rsip_guard.skel.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

struct rsip_guard {
	struct rsip_guard_bpf *skel;
	struct bpf_link *links[3];
	struct ring_buffer *wakes; /* NULL: this kernel cannot */
};

/* The namespace's cookie, from a socket made in it. */
static int netns_cookie(const struct rsip_jail *jail, uint64_t *cookie)
{
	socklen_t len = sizeof(*cookie);
	int fd, err = rsip_jail_enter(jail);

	if (err)
		return err;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, cookie, &len))
		err = -errno;
	if (fd >= 0)
		close(fd);
	rsip_jail_leave(jail);
	return err;
}

static int open_root_cgroup(void)
{
	FILE *mounts = setmntent("/proc/mounts", "r");
	struct mntent *m;
	int fd = -ENOENT;

	if (!mounts)
		return -errno;
	while ((m = getmntent(mounts)))
		if (!strcmp(m->mnt_type, "cgroup2")) {
			fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			fd = fd < 0 ? -errno : fd;
			break;
		}
	endmntent(mounts);
	return fd;
}

static int on_wake(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

int rsip_guard_wake_fd(const struct rsip_guard *g)
{
	return g && g->wakes ? ring_buffer__epoll_fd(g->wakes) : -1;
}

void rsip_guard_heard(struct rsip_guard *g)
{
	ring_buffer__consume(g->wakes);
}

void rsip_guard_rearm(struct rsip_guard *g)
{
	if (g && g->wakes)
		g->skel->bss->rsip_guard_armed = 1;
}

static int attach(struct rsip_guard *g, int cgroup)
{
	g->links[0] = bpf_program__attach_cgroup(g->skel->progs.rsip_bind4, cgroup);
	if (!g->links[0])
		return -errno;
	g->links[1] = bpf_program__attach_cgroup(g->skel->progs.rsip_bind6, cgroup);
	if (!g->links[1])
		return -errno;
	g->links[2] = bpf_program__attach_cgroup(g->skel->progs.rsip_sock_create, cgroup);
	if (g->links[2])
		g->wakes = ring_buffer__new(bpf_map__fd(g->skel->maps.rsip_guard_wakes), on_wake,
					    NULL, NULL);
	return 0;
}

int rsip_guard_open(const struct rsip_jail *jail, struct rsip_guard **out)
{
	struct rsip_guard *g = calloc(1, sizeof(*g));
	uint64_t cookie = 0;
	int cgroup, err;

	if (!g)
		return -ENOMEM;
	cgroup = open_root_cgroup();
	err = cgroup < 0 ? cgroup : netns_cookie(jail, &cookie);
	if (!err) {
		g->skel = rsip_guard_bpf__open();
		err = g->skel ? 0 : -errno;
	}
	if (!err) {
		memcpy((void *)&g->skel->rodata->rsip_guard_netns, &cookie, sizeof(cookie));
		err = rsip_guard_bpf__load(g->skel);
	}
	if (!err)
		err = attach(g, cgroup);
	if (cgroup >= 0)
		close(cgroup);
	if (err)
		rsip_guard_close(g);
	else
		*out = g;
	return err;
}

void rsip_guard_close(struct rsip_guard *g)
{
	if (!g)
		return;
	ring_buffer__free(g->wakes);
	for (int i = 0; i < 3; i++)
		bpf_link__destroy(g->links[i]);
	rsip_guard_bpf__destroy(g->skel);
	free(g);
}

int rsip_guard_set_ports(struct rsip_guard *g, const struct rsip_portset *set)
{
	int fd = bpf_map__fd(g->skel->maps.rsip_guard_ports), err = 0;

	for (uint32_t word = 0; word < sizeof(set->bits) / 8 && !err; word++) {
		uint64_t bits = 0;

		for (int byte = 0; byte < 8; byte++)
			bits |= (uint64_t)set->bits[word * 8 + byte] << byte * 8;
		err = bpf_map_update_elem(fd, &word, &bits, BPF_ANY);
	}
	return err;
}
