// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Room for a million flows in conntrack.  These two limits are the machine's, not the namespace's:
 * they are opened before the namespace is left, and put back when the bench ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "plane.h"
#include "log.h"

static struct limit {
	const char *path;
	int fd;
	unsigned long old;
} limits[] = {
	{"/proc/sys/net/netfilter/nf_conntrack_max", -1, 0},
	{"/proc/sys/net/netfilter/nf_conntrack_buckets", -1, 0},
};

static int put(struct limit *l, unsigned long value)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "%lu\n", value);

	return pwrite(l->fd, text, (size_t)len, 0) == len ? 0 : -errno;
}

static void put_back(void)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].fd >= 0 && limits[i].old)
			put(&limits[i], limits[i].old);
}

void bench_conntrack_open(void)
{
	char text[32] = {0};

	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		limits[i].fd = open(limits[i].path, O_RDWR | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
		if (limits[i].fd >= 0 && pread(limits[i].fd, text, sizeof(text) - 1, 0) > 0)
			limits[i].old = strtoul(text, NULL, 10);
	atexit(put_back);
}

int bench_conntrack_room(unsigned long flows)
{
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		int err = limits[i].fd < 0	   ? -ENOENT
			  : limits[i].old >= flows ? 0
						   : put(&limits[i], flows);

		if (err) {
			log_err("cannot make room for %lu flows in %s", flows, limits[i].path);
			return err;
		}
	}
	return 0;
}
