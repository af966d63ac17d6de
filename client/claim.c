// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "claim.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void rsip_claim_init(struct rsip_claim *c)
{
	c->fd = -1;
	c->path[0] = '\0';
}

/* The same addresses in another network namespace are another host's. */
static unsigned long this_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/net", &st) ? 0 : st.st_ino;
}

static int path_of(char *path, size_t size, const char *dir, const struct rsip_inet *local, const struct rsip_inet *gateway)
{
	char from[RSIP_INET_TEXT];
	int len;

	snprintf(from, sizeof(from), "%s", rsip_inet_text(local));
	len = snprintf(path, size, "%s/at-%s-from-%s-%lu.lock", dir, rsip_inet_text(gateway), from, this_namespace());
	return len < (int)size ? 0 : -ENAMETOOLONG;
}

/* Who gave it back a moment ago has removed the file that we have open: a lock on that is worth nothing. */
static bool is_still_there(int fd, const char *path)
{
	struct stat ours, there;

	return !fstat(fd, &ours) && !stat(path, &there) && ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

/* The locked file, -EWOULDBLOCK with *held open for reading, or another negative errno. */
static int lock(const char *dir, const char *path, int *held)
{
	int fd, err;

	for (;;) {
		if (mkdir(dir, 0755) && errno != EEXIST)
			return -errno;
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0 && errno == ENOENT) /* the folder went meanwhile */
			continue;
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB)) {
			err = -errno;
			*held = fd;
			return err;
		}
		if (is_still_there(fd, path))
			return fd;
		close(fd);
	}
}

/* "PID STATE-DIR" of the one who has it. */
static void tell_who(int fd, const struct rsip_inet *local, const struct rsip_inet *gateway, char *why, size_t size)
{
	char line[256] = "", from[RSIP_INET_TEXT], *dir;
	ssize_t n = pread(fd, line, sizeof(line) - 1, 0);

	line[n > 0 ? n : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	dir = strchr(line, ' ');
	if (dir)
		*dir++ = '\0';
	snprintf(from, sizeof(from), "%s", rsip_inet_text(local));
	snprintf(why, size,
		 "another client, process %s, is registered with %s from %s, and a gateway knows a host by its address, so two "
		 "would end each other's leases: use that one (rsip-client --state-dir %s lease, exec, ...), or end it first "
		 "(rsip-client --state-dir %s down)",
		 *line ? line : "?", rsip_inet_text(gateway), from, dir ? dir : "?", dir ? dir : "?");
}

static void sign(int fd, const char *state_dir)
{
	char line[256];
	int len = snprintf(line, sizeof(line), "%d %s\n", (int)getpid(), state_dir);

	/* without its words it is a lock, too */
	if (ftruncate(fd, 0) || pwrite(fd, line, len, 0) != len)
		return;
}

int rsip_claim_take(struct rsip_claim *c, const char *dir, const struct rsip_inet *local, const struct rsip_inet *gateway,
		    const char *state_dir, char *why, size_t size)
{
	char path[sizeof(c->path)];
	int fd, held = -1, err = path_of(path, sizeof(path), dir, local, gateway);

	if (err)
		return err;
	if (c->fd >= 0 && !strcmp(path, c->path))
		return 0;
	fd = lock(dir, path, &held);
	if (fd == -EWOULDBLOCK)
		tell_who(held, local, gateway, why, size);
	if (held >= 0)
		close(held);
	if (fd < 0)
		return fd == -EWOULDBLOCK ? -EBUSY : fd;
	sign(fd, state_dir);
	rsip_claim_drop(c);
	c->fd = fd;
	snprintf(c->path, sizeof(c->path), "%s", path);
	return 0;
}

void rsip_claim_sweep(const char *dir)
{
	DIR *folder = opendir(dir);
	char path[PATH_MAX];
	struct dirent *e;
	int fd;

	while (folder && (e = readdir(folder))) {
		if (strncmp(e->d_name, "at-", 3) || snprintf(path, sizeof(path), "%s/%s", dir, e->d_name) >= (int)sizeof(path))
			continue;
		fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB) && is_still_there(fd, path))
			unlink(path);
		if (fd >= 0)
			close(fd);
	}
	if (folder)
		closedir(folder);
	rmdir(dir); /* fails where others are in it */
}

void rsip_claim_drop(struct rsip_claim *c)
{
	char dir[sizeof(c->path)];

	if (c->fd < 0)
		return;
	unlink(c->path);
	close(c->fd);
	c->fd = -1;
	snprintf(dir, sizeof(dir), "%s", c->path);
	rmdir(dirname(dir)); /* fails where others are in it */
}
