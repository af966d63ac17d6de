// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * A disk whose flush takes BENCH_FLUSH_US microseconds, for a program that is started with this in LD_PRELOAD and keeps its
 * file in memory: what rsipd does with a disk is then measured without what others do to one.
 */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int flush(void)
{
	const char *text = getenv("BENCH_FLUSH_US");
	long us = text ? atol(text) : 0;
	const struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	return nanosleep(&t, NULL);
}

int fdatasync(int fd)
{
	(void)fd;
	return flush();
}

int fsync(int fd)
{
	(void)fd;
	return flush();
}
