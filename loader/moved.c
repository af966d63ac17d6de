// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "moved.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "log.h"
#include "pins.h"

/* Flags that the kernel adds by itself when it makes a map (a devmap is read-only to programs). */
#define KERNEL_FLAGS BPF_F_RDONLY_PROG

static int map_info(int fd, struct bpf_map_info *info)
{
	uint32_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(fd, info, &len) ? -errno : 0;
}

/* ---- taking ---------------------------------------------------- */

/*
 * The kernel does not look whether a map that is reused has the layout that the programs were
 * written for.
 */
static bool same_kind(const struct bpf_map *map, const struct bpf_map_info *info)
{
	return info->type == bpf_map__type(map) && info->key_size == bpf_map__key_size(map) &&
	       !((info->map_flags ^ bpf_map__map_flags(map)) & ~KERNEL_FLAGS);
}

static bool can_grow(const struct bpf_map *map, const struct bpf_map_info *info)
{
	return same_kind(map, info) && info->value_size < bpf_map__value_size(map) &&
	       (info->type == BPF_MAP_TYPE_ARRAY || info->type == BPF_MAP_TYPE_HASH);
}

/* The kernel lets programs share a devmap only where all take frames of several buffers, or none does. */
static bool is_devmap(uint32_t type)
{
	return type == BPF_MAP_TYPE_DEVMAP || type == BPF_MAP_TYPE_DEVMAP_HASH;
}

static bool is_hash(uint32_t type)
{
	return type == BPF_MAP_TYPE_HASH || type == BPF_MAP_TYPE_DEVMAP_HASH;
}

static int note(struct rsip_moved *moved, const char *name, int old)
{
	if (moved->cnt == RSIP_MOVED_MAX)
		return -E2BIG;
	snprintf(moved->map[moved->cnt].name, sizeof(moved->map[0].name), "%s", name);
	moved->map[moved->cnt].old = old;
	moved->map[moved->cnt++].fresh = -1;
	return 0;
}

/* 0: fd is the map's now, or moved's. */
static int keep_or_move(struct bpf_map *map, int fd, bool older, struct rsip_moved *moved)
{
	struct bpf_map_info info;
	int err = map_info(fd, &info);
	bool same, anew;

	if (err)
		return err;
	same = same_kind(map, &info) && info.value_size == bpf_map__value_size(map);
	anew = is_devmap(info.type) && (older || moved->devmaps);
	if (same && !anew) {
		err = bpf_map__reuse_fd(map, fd);
		if (!err)
			close(fd);
		return err;
	}
	if (!same && (!older || !can_grow(map, &info)))
		return -EPROTO;
	err = bpf_map__set_max_entries(map, info.max_entries);
	return err ? err : note(moved, bpf_map__name(map), fd);
}

int rsip_moved_take(struct bpf_map *map, const char *folder, bool older, struct rsip_moved *moved)
{
	char path[RSIP_PINS_PATH_MAX];
	int fd, err;

	rsip_pins_path(folder, bpf_map__name(map), path);
	fd = bpf_obj_get(path);
	err = fd < 0 ? -errno : keep_or_move(map, fd, older, moved);
	if (err == -ENOENT && older)
		return note(moved, bpf_map__name(map), -1) ?: -ENOENT;
	if (err && fd >= 0)
		close(fd);
	if (err == -EPROTO)
		log_err("map %s has another layout than these programs need (run `rsip-loader "
			"detach`, then attach: traffic stops in between, and hosts lease anew)",
			path);
	else if (err)
		log_err("cannot reuse map %s: %s (run `rsip-loader detach`, then attach)", path,
			strerror(-err));
	return err;
}

int rsip_object_reuse_map(struct bpf_map *map, const char *folder)
{
	struct rsip_moved none = {.cnt = 0};

	return rsip_moved_take(map, folder, false, &none);
}

/* ---- contents ---------------------------------------------------- */

/* value: zero behind what the old map has. */
static int copy_element(int old, int fresh, const void *key, void *value, uint64_t flags)
{
	if (bpf_map_lookup_elem(old, key, value))
		return errno == ENOENT ? 0 : -errno; /* a packet has removed it meanwhile */
	if (bpf_map_update_elem(fresh, key, value, flags) && !(flags == BPF_NOEXIST && errno == EEXIST))
		return -errno;
	return 0;
}

static int copy_array(int old, int fresh, const struct bpf_map_info *info, void *value)
{
	int err = 0;

	for (uint32_t key = 0; key < info->max_entries && !err; key++)
		err = copy_element(old, fresh, &key, value, BPF_ANY);
	return err;
}

static int copy_hash(int old, int fresh, const struct bpf_map_info *info, void *value, uint64_t flags)
{
	void *key = calloc(2, info->key_size), *next = key ? (char *)key + info->key_size : NULL;
	int err = key ? 0 : -ENOMEM;

	for (void *at = NULL; !err && !bpf_map_get_next_key(old, at, next); at = key) {
		memcpy(key, next, info->key_size);
		err = copy_element(old, fresh, key, value, flags);
	}
	free(key);
	return err;
}

static int copy_map(int old, int fresh, bool late)
{
	struct bpf_map_info info, to;
	void *value;
	int err = map_info(old, &info);

	if (!err)
		err = map_info(fresh, &to);
	if (err || (late && !is_hash(info.type)))
		return err;
	value = calloc(1, to.value_size + 8UL);
	if (!value)
		return -ENOMEM;
	if (is_hash(info.type))
		err = copy_hash(old, fresh, &info, value, late ? BPF_NOEXIST : BPF_ANY);
	else
		err = copy_array(old, fresh, &info, value);
	free(value);
	return err;
}

static int copy_all(const struct rsip_moved *moved, bool late)
{
	for (uint32_t i = 0; i < moved->cnt; i++) {
		int err = moved->map[i].old < 0 ? 0 : copy_map(moved->map[i].old, moved->map[i].fresh, late);

		if (!err)
			continue;
		log_err("cannot move the contents of map %s: %s", moved->map[i].name, strerror(-err));
		return err;
	}
	return 0;
}

int rsip_moved_fill(const struct rsip_moved *moved)
{
	return copy_all(moved, false);
}

int rsip_moved_catch_up(const struct rsip_moved *moved)
{
	return copy_all(moved, true);
}

/* ---- pins ---------------------------------------------------- */

int rsip_moved_pin(const struct rsip_moved *moved, const char *folder, bool back)
{
	int err = 0;

	for (uint32_t i = 0; i < moved->cnt; i++) {
		int fd = back ? moved->map[i].old : moved->map[i].fresh, err2;
		char path[RSIP_PINS_PATH_MAX];

		rsip_pins_path(folder, moved->map[i].name, path);
		err2 = fd < 0 ? rsip_pins_unlink(path) : rsip_pins_replace(folder, moved->map[i].name, fd);
		err = err ? err : err2;
		if (err && !back)
			return err;
	}
	return err;
}

void rsip_moved_release(struct rsip_moved *moved)
{
	for (uint32_t i = 0; i < moved->cnt; i++)
		if (moved->map[i].old >= 0)
			close(moved->map[i].old);
	moved->cnt = 0;
}
