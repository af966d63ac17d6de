// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The case's half: takes a copy of the programs, and empties its maps. */
#include "gateway_copies.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* ---- a copy of its own ----------------------------------------------------------------------- */

/* The lock is never given back: the kernel does it when the process ends. */
static int lock_table(const char *path, int how)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	while (flock(fd, how)) {
		if (errno == EINTR)
			continue;
		close(fd);
		return -EBUSY;
	}
	return fd;
}

static int lock_any(char *paths)
{
	char *path[GATEWAY_COPIES], *rest = paths, *word;
	int n = 0, fd;

	while ((word = strsep(&rest, " ")) && n < GATEWAY_COPIES)
		if (*word)
			path[n++] = word;
	if (!n)
		return -ENOENT;
	for (int i = 0; i < n; i++) {
		fd = lock_table(path[i], LOCK_EX | LOCK_NB);
		if (fd != -EBUSY)
			return fd;
	}
	return lock_table(path[getpid() % n], LOCK_EX);
}

int gateway_copy_take(struct gateway_copy *copy)
{
	const char *paths = getenv(GATEWAY_COPIES_ENV);
	char *own = paths ? strdup(paths) : NULL;
	int fd = own ? lock_any(own) : -ENOENT;

	free(own);
	if (fd < 0)
		return fd;
	if (pread(fd, copy, sizeof(*copy), 0) != sizeof(*copy))
		return -EIO;
	return copy->err ? copy->err : gateway_copy_clear(copy);
}

static uint32_t id_of(const struct gateway_named *list, uint32_t cnt, const char *name)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!strncmp(list[i].name, name, sizeof(list[i].name) - 1))
			return list[i].id;
	return 0;
}

int gateway_copy_map(const struct gateway_copy *copy, const char *name)
{
	uint32_t id = id_of(copy->map, copy->map_cnt, name);
	int fd = id ? bpf_map_get_fd_by_id(id) : -1;

	return fd >= 0 ? fd : id ? -errno : -ENOENT;
}

int gateway_copy_prog(const struct gateway_copy *copy, const char *name)
{
	uint32_t id = id_of(copy->prog, copy->prog_cnt, name);
	int fd = id ? bpf_prog_get_fd_by_id(id) : -1;

	return fd >= 0 ? fd : id ? -errno : -ENOENT;
}

/* ---- empty maps ------------------------------------------------------------------------------ */

/* What libbpf makes of static variables cannot be mapped. */
static int clear_elements(int fd, const struct bpf_map_info *info)
{
	void *nothing = calloc(1, info->value_size);
	int err = nothing ? 0 : -ENOMEM;

	for (uint32_t key = 0; key < info->max_entries && !err; key++)
		if (bpf_map_update_elem(fd, &key, nothing, BPF_ANY))
			err = -errno;
	free(nothing);
	return err;
}

static int clear_array(int fd, const struct bpf_map_info *info)
{
	size_t len = (size_t)info->max_entries * ((info->value_size + 7UL) & ~7UL);
	void *at;

	if (info->map_flags & BPF_F_RDONLY_PROG)
		return 0; /* constants */
	if (!(info->map_flags & BPF_F_MMAPABLE))
		return clear_elements(fd, info);
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	memset(at, 0, len);
	munmap(at, len);
	return 0;
}

static int clear_hash(int fd)
{
	char key[64];

	while (!bpf_map_get_next_key(fd, NULL, key))
		if (bpf_map_delete_elem(fd, key) && errno != ENOENT)
			return -errno;
	return errno == ENOENT ? 0 : -errno;
}

static int clear_devmap(int fd, const struct bpf_map_info *info)
{
	uint32_t ifindex;

	for (uint32_t key = 0; key < info->max_entries; key++)
		if (!bpf_map_lookup_elem(fd, &key, &ifindex) && bpf_map_delete_elem(fd, &key))
			return -errno;
	return 0;
}

static int ignore(void *arg, void *data, size_t len)
{
	(void)arg, (void)data, (void)len;
	return 0;
}

static int clear_ring(int fd)
{
	struct ring_buffer *ring = ring_buffer__new(fd, ignore, NULL, NULL);
	int got;

	if (!ring)
		return -errno;
	got = ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return got < 0 ? got : 0;
}

static int clear_map(uint32_t id)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int fd = bpf_map_get_fd_by_id(id), err = -EOPNOTSUPP;

	if (fd < 0)
		return -errno;
	if (bpf_obj_get_info_by_fd(fd, &info, &len))
		err = -errno;
	else if (info.type == BPF_MAP_TYPE_ARRAY)
		err = clear_array(fd, &info);
	else if ((info.type == BPF_MAP_TYPE_HASH || info.type == BPF_MAP_TYPE_DEVMAP_HASH) && info.key_size <= 64)
		err = clear_hash(fd);
	else if (info.type == BPF_MAP_TYPE_DEVMAP)
		err = clear_devmap(fd, &info);
	else if (info.type == BPF_MAP_TYPE_RINGBUF)
		err = clear_ring(fd);
	close(fd);
	return err;
}

int gateway_copy_clear_map(const struct gateway_copy *copy, const char *name)
{
	uint32_t id = id_of(copy->map, copy->map_cnt, name);

	return id ? clear_map(id) : -ENOENT;
}

int gateway_copy_clear(const struct gateway_copy *copy)
{
	int err = 0;

	for (uint32_t i = 0; i < copy->map_cnt && !err; i++)
		err = clear_map(copy->map[i].id);
	return err;
}
