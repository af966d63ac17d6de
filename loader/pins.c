// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "log.h"

#define BPFFS_PATH "/sys/fs/bpf"
#define LOCK_TRIES 600
#define LOCK_PAUSE_NS 50000000 /* 30 s in all: on a busy machine an attach takes some */

void rsip_pins_path(const char *folder, const char *name, char *path)
{
	snprintf(path, RSIP_PINS_PATH_MAX, "%s/%s", folder, name);
}

void rsip_pins_link_path(const char *folder, const char *ifname, char *path)
{
	char name[64] = "link_";
	size_t len = strlen(name);

	for (; *ifname && len + 4 < sizeof(name); ifname++) {
		if (*ifname == '.' || *ifname == '%')
			len += (size_t)snprintf(name + len, sizeof(name) - len, "%%%02x", *ifname);
		else
			name[len++] = *ifname;
	}
	name[len] = '\0';
	rsip_pins_path(folder, name, path);
}

/* ---- the lock ---------------------------------------------------- */

static void parent_of(const char *folder, char *parent)
{
	snprintf(parent, RSIP_PINS_PATH_MAX, "%s", folder);
	*strrchr(parent, '/') = '\0';
	if (!*parent)
		strcpy(parent, "/");
}

static int lock_wait(int fd)
{
	struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (i == 0)
			log_info("another rsip-loader is at work: waiting for it");
		if (i == LOCK_TRIES)
			return -EBUSY;
		nanosleep(&pause, NULL);
	}
	return 0;
}

static int mount_bpffs(const char *parent, bool *mounted)
{
	if (strcmp(parent, BPFFS_PATH)) {
		log_err("cannot pin below %s: it is not a BPF file system (mount -t bpf bpf %s, or "
			"use a --pin-path below %s)",
			parent, parent, BPFFS_PATH);
		return -EINVAL;
	}
	if (mount("bpf", BPFFS_PATH, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")) {
		int err = -errno;

		log_err("cannot mount a BPF file system on %s: %s (%s)", BPFFS_PATH, strerror(-err),
			err == -EPERM ? "run as root"
				      : "does this kernel have CONFIG_BPF_SYSCALL?");
		return err;
	}
	log_info("mounted a BPF file system on %s", BPFFS_PATH);
	*mounted = true;
	return 0;
}

/*
 * Opens and locks what lies at path now: somebody may have mounted something there while we
 * waited.
 */
static int lock_open(const char *path)
{
	struct stat opened, now;

	for (;;) {
		int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

		if (fd < 0)
			return -errno;
		err = lock_wait(fd);
		if (err || fstat(fd, &opened) || stat(path, &now)) {
			err = err ? err : -errno;
			close(fd);
			return err;
		}
		if (opened.st_dev == now.st_dev && opened.st_ino == now.st_ino)
			return fd;
		close(fd);
	}
}

int rsip_pins_lock(const char *folder, bool *mounted)
{
	char parent[RSIP_PINS_PATH_MAX];
	struct statfs fs;
	int fd, below;

	parent_of(folder, parent);
	fd = lock_open(parent);
	if (fd == -ENOENT && !mounted)
		return fd;
	if (fd < 0) {
		log_err("cannot lock %s: %s (%s)", parent, strerror(-fd),
			fd == -EACCES  ? "run as root"
			: fd == -EBUSY ? "another rsip-loader holds it: see `fuser` or wait for it"
				       : "does it exist, as a directory?");
		return fd;
	}
	if (!fstatfs(fd, &fs) && fs.f_type == BPF_FS_MAGIC)
		return fd;
	if (!mounted) {
		close(fd);
		return -ENOENT;
	}
	below = fd;
	fd = mount_bpffs(parent, mounted);
	if (!fd)
		fd = lock_open(parent);
	close(below);
	return fd;
}

/* ---- the folder ---------------------------------------------------- */

int rsip_pins_check(const char *folder)
{
	struct stat st;

	if (lstat(folder, &st)) {
		if (errno != ENOENT)
			log_err("cannot look at %s: %s (run as root)", folder, strerror(errno));
		return -errno;
	}
	if (S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & 07777) == 0700)
		return 0;
	log_err("refusing %s: owner %u, mode %04o: it must be a folder of root's with mode 0700, "
		"or others could hand us maps of their own (look what is in it, remove it, and "
		"attach again)",
		folder, st.st_uid, st.st_mode & 07777);
	return -EPERM;
}

int rsip_pins_create(const char *folder)
{
	mode_t old = umask(0077);
	int err = mkdir(folder, 0700) ? -errno : 0;

	umask(old);
	if (err == -EEXIST)
		return rsip_pins_check(folder);
	if (err)
		log_err("cannot make %s: %s", folder, strerror(-err));
	return err;
}

int rsip_pins_unlink(const char *path)
{
	if (!unlink(path) || errno == ENOENT)
		return 0;
	log_err("cannot remove %s: %s", path, strerror(errno));
	return -errno;
}

int rsip_pins_unlink_all(const char *folder, const char *prefix)
{
	DIR *dir = opendir(folder);
	char path[RSIP_PINS_PATH_MAX];
	struct dirent *entry;
	int err = 0;

	if (!dir)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		rsip_pins_path(folder, entry->d_name, path);
		err = rsip_pins_unlink(path) ?: err;
	}
	closedir(dir);
	return err;
}

int rsip_pins_remove_folder(const char *folder)
{
	if (!rmdir(folder) || errno == ENOENT)
		return 0;
	log_err("cannot remove %s: %s (is there something in it that is not ours?)", folder,
		strerror(errno));
	return -errno;
}

int rsip_pins_replace(const char *folder, const char *name, int fd)
{
	char path[RSIP_PINS_PATH_MAX], fresh[RSIP_PINS_PATH_MAX + 8];
	int err;

	rsip_pins_path(folder, name, path);
	snprintf(fresh, sizeof(fresh), "%s_new", path);
	unlink(fresh);
	err = bpf_obj_pin(fd, fresh);
	if (!err && rename(fresh, path))
		err = -errno;
	if (err) {
		log_err("cannot pin %s: %s", path, strerror(-err));
		unlink(fresh);
	}
	return err;
}

void rsip_pins_unmount(const char *mount_point)
{
	DIR *dir = opendir(mount_point);
	struct dirent *entry;
	bool used = false;

	/* the kernel itself puts maps.debug and progs.debug into it */
	while (dir && (entry = readdir(dir)))
		used = used || (entry->d_name[0] != '.' && !strstr(entry->d_name, ".debug"));
	if (dir)
		closedir(dir);
	if (used)
		log_info("leaving the BPF file system on %s mounted: others have pins in it",
			 mount_point);
	else if (umount(mount_point))
		log_info("leaving the BPF file system on %s mounted: %s", mount_point,
			 strerror(errno));
}
