// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "object.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "log.h"
#include "moved.h"
#include "object_constants.h"
#include "pins.h"
#include "util.h"
#include "sizes.h"
#include "rsip_xdp.skel.h"

#define LAST_INSN 0x95 /* BPF_JMP | BPF_EXIT */
#define MOV64_IMM 0xb7 /* BPF_ALU64 | BPF_MOV | BPF_K */

/* ---- what libbpf says ---------------------------------------------------- */

static char kernel_message[256];

const char *rsip_object_kernel_message(void)
{
	return kernel_message;
}

/* A message may be a verifier's log: thousands of lines, the last ones matter. */
static void log_lines(enum rsip_log_level level, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")))
		if (*line)
			rsip_log(level, "  %s", line);
}

static int libbpf_says(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	static const char reason[] = "Kernel error message: ", verifier[] = "BEGIN PROG LOAD LOG";
	enum rsip_log_level quieter = level == LIBBPF_WARN ? RSIP_LOG_INFO : RSIP_LOG_DEBUG;
	char *text, *at;

	if (level > LIBBPF_INFO || vasprintf(&text, fmt, ap) < 0)
		return 0;
	at = strstr(text, reason);
	if (at) {
		snprintf(kernel_message, sizeof(kernel_message), "%.255s", at + strlen(reason));
		kernel_message[strcspn(kernel_message, "\n")] = '\0';
		quieter = RSIP_LOG_DEBUG; /* shown where it belongs */
	}
	log_lines(strstr(text, verifier) ? RSIP_LOG_DEBUG : quieter, text);
	free(text);
	return 0;
}

void rsip_object_log_open(void)
{
	libbpf_set_print(libbpf_says);
}

/* ---- loading ---------------------------------------------------- */

static struct rsip_xdp_bpf *open_object(const struct rsip_config *config)
{
	struct rsip_xdp_bpf *object = rsip_xdp_bpf__open();

	if (!object) {
		log_err("cannot open the BPF object: %s", strerror(errno));
		return NULL;
	}
	RSIP_SET_CONSTANTS(object, config);
	RSIP_SET_BUFFERS(object->progs.rsip_xdp_pub, config);
	RSIP_SET_BUFFERS(object->progs.rsip_xdp_priv, config);
	return object;
}

static int size_maps(struct rsip_xdp_bpf *object, const struct rsip_config *config,
		     uint32_t max_cookies)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object->obj)
	{
		uint32_t entries;
		int err = rsip_sizes_entries(bpf_map__name(map), config, max_cookies, &entries);

		if (err == -ENOENT)
			continue;
		if (!err)
			err = bpf_map__set_max_entries(map, entries);
		if (err) {
			log_err("cannot size map %s for %u bindings on %u CPUs: %s (choose a "
				"smaller --max-bindings)",
				bpf_map__name(map), config->max_bindings, config->cpus,
				strerror(-err));
			return err;
		}
	}
	return 0;
}

static int load_object(struct rsip_xdp_bpf *object)
{
	int err = rsip_xdp_bpf__load(object);

	if (err)
		log_err("cannot load the BPF programs and maps: %s (%s)", strerror(-err),
			err == -EPERM	 ? "run as root, with CAP_BPF and CAP_NET_ADMIN"
			: err == -EACCES ? "this kernel's verifier refuses them: --verbose shows "
					   "its words, please report them"
			: err == -ENOMEM || err == -E2BIG
				? "choose smaller --max-bindings, --max-addresses"
				: "see `rsip-loader features`; --verbose says more");
	return err;
}

int rsip_object_load(const struct rsip_config *config, uint32_t max_cookies,
		     struct rsip_xdp_bpf **out)
{
	struct rsip_xdp_bpf *object = open_object(config);
	int err;

	if (!object)
		return -errno;
	err = size_maps(object, config, max_cookies);
	if (!err)
		err = load_object(object);
	if (err) {
		rsip_xdp_bpf__destroy(object);
		return err;
	}
	*out = object;
	return 0;
}

static bool is_internal(const struct bpf_map *map)
{
	return strncmp(bpf_map__name(map), "rsip_", 5) != 0 || strchr(bpf_map__name(map), '.');
}

/* One map of a folder: kept, or of an older layout and so to be made anew. */
static int take_map(struct bpf_map *map, const char *folder, const struct rsip_config *config, uint32_t max_cookies,
		    struct rsip_moved *moved)
{
	const char *name = bpf_map__name(map);
	uint32_t entries;
	int err = rsip_moved_take(map, folder, config->layout_version < RSIP_LAYOUT_VERSION, moved);

	if (err != -ENOENT)
		return err;
	err = rsip_sizes_entries(name, config, max_cookies, &entries);
	return err == -ENOENT ? 0 : err ? err : bpf_map__set_max_entries(map, entries);
}

int rsip_object_load_onto(const char *folder, const struct rsip_config *config, uint32_t max_cookies,
			  struct rsip_xdp_bpf **out, struct rsip_moved *moved)
{
	struct rsip_xdp_bpf *object = open_object(config);
	struct bpf_map *map;
	int err = 0;

	moved->cnt = 0;
	if (!object)
		return -errno;
	bpf_object__for_each_map(map, object->obj)
	{
		if (!err && !is_internal(map))
			err = take_map(map, folder, config, max_cookies, moved);
	}
	if (!err)
		err = load_object(object);
	for (uint32_t i = 0; i < moved->cnt && !err; i++)
		moved->map[i].fresh = rsip_object_map(object, moved->map[i].name);
	if (err) {
		rsip_xdp_bpf__destroy(object);
		return err;
	}
	*out = object;
	return 0;
}

void rsip_object_close(struct rsip_xdp_bpf *object)
{
	rsip_xdp_bpf__destroy(object);
}

int rsip_object_prog(const struct rsip_xdp_bpf *object, uint8_t role)
{
	return bpf_program__fd(role == RSIP_ROLE_PUBLIC ? object->progs.rsip_xdp_pub
							: object->progs.rsip_xdp_priv);
}

int rsip_object_pin_progs(const struct rsip_xdp_bpf *object, const char *folder)
{
	int err = rsip_pins_replace(folder, "prog_pub", rsip_object_prog(object, RSIP_ROLE_PUBLIC));

	if (!err)
		err = rsip_pins_replace(folder, "prog_priv", rsip_object_prog(object, RSIP_ROLE_PRIVATE));
	if (!err)
		err = rsip_pins_replace(folder, "prog_explain", bpf_program__fd(object->progs.rsip_explain));
	return err;
}

int rsip_object_map(const struct rsip_xdp_bpf *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object->obj, name);
}

int rsip_object_pin_maps(const struct rsip_xdp_bpf *object, const char *folder, const char *except)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, object->obj)
	{
		char path[RSIP_PINS_PATH_MAX];

		if (is_internal(map) || (except && !strcmp(bpf_map__name(map), except)))
			continue;
		rsip_pins_path(folder, bpf_map__name(map), path);
		if (bpf_obj_pin(bpf_map__fd(map), path)) {
			log_err("cannot pin map %s: %s", path, strerror(errno));
			return -errno;
		}
	}
	return 0;
}

/* ---- contents ---------------------------------------------------- */

static int put(const struct rsip_xdp_bpf *object, const char *name, uint32_t key, const void *value)
{
	if (!bpf_map_update_elem(rsip_object_map(object, name), &key, value, BPF_ANY))
		return 0;
	log_err("cannot write element %u of map %s: %s", key, name, strerror(errno));
	return -errno;
}

int rsip_object_write_config(const struct rsip_xdp_bpf *object, const struct rsip_config *config)
{
	return put(object, "rsip_config", 0, config);
}

int rsip_object_write_iface(const struct rsip_xdp_bpf *object, uint32_t index, const struct rsip_iface *iface)
{
	return put(object, "rsip_ifaces", index, iface);
}

int rsip_object_fill(const struct rsip_xdp_bpf *object, const struct rsip_config *config,
		     const struct rsip_iface *iface, uint32_t cnt)
{
	struct rsip_iftab_bucket tab[RSIP_IFTAB_BUCKETS] = {0};
	int err = rsip_object_write_config(object, config);

	for (uint32_t i = 0; i < cnt && !err; i++) {
		err = rsip_iftab_put(tab, iface[i].ifindex, i + 1);
		if (err)
			log_err("cannot take interface %s: too many of the interfaces have numbers "
				"equal modulo %d (recreate it for another number)",
				iface[i].name, RSIP_IFTAB_BUCKETS);
		if (!err)
			err = rsip_object_write_iface(object, i + 1, &iface[i]);
		if (!err)
			err = put(object, "rsip_devs", i + 1, &iface[i].ifindex);
	}
	for (uint32_t i = 0; i < RSIP_IFTAB_BUCKETS && !err; i++)
		err = put(object, "rsip_iftab", i, &tab[i]);
	return err;
}

int rsip_object_add_iface(const struct rsip_xdp_bpf *object, uint32_t index,
			  const struct rsip_iface *iface)
{
	struct rsip_iftab_bucket tab[RSIP_IFTAB_BUCKETS];
	uint32_t bucket = iface->ifindex % RSIP_IFTAB_BUCKETS;
	int err = 0;

	if (bpf_map_lookup_elem(rsip_object_map(object, "rsip_iftab"), &bucket, &tab[bucket]))
		err = -errno;
	if (!err)
		err = rsip_iftab_put(tab, iface->ifindex, index);
	if (err) {
		log_err("cannot take interface %s: map rsip_iftab: %s (interfaces whose numbers are "
			"equal modulo %d share few places)",
			iface->name, strerror(-err), RSIP_IFTAB_BUCKETS);
		return err;
	}
	err = rsip_object_write_iface(object, index, iface);
	return err ? err : put(object, "rsip_iftab", bucket, &tab[bucket]);
}

int rsip_object_move_iface(const struct rsip_xdp_bpf *object, uint32_t index, uint32_t was_ifindex,
			   const struct rsip_iface *iface)
{
	struct rsip_iftab_bucket tab;
	uint32_t bucket = was_ifindex % RSIP_IFTAB_BUCKETS;
	int err = 0;

	if (bpf_map_lookup_elem(rsip_object_map(object, "rsip_iftab"), &bucket, &tab))
		err = -errno;
	for (size_t i = 0; i < RSIP_ARRAY_LEN(tab.e) && !err; i++)
		if (tab.e[i].ifindex == was_ifindex && tab.e[i].iface == index)
			memset(&tab.e[i], 0, sizeof(tab.e[i]));
	if (!err)
		err = put(object, "rsip_iftab", bucket, &tab);
	if (!err)
		err = put(object, "rsip_devs", index, &iface->ifindex);
	return err ? err : rsip_object_add_iface(object, index, iface);
}

int rsip_object_pass_program(void)
{
	const struct bpf_insn insns[] = {
		{.code = MOV64_IMM, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = LAST_INSN},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS); /* as ours */
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "rsip_try", "Dual BSD/GPL", insns, 2, &opts);

	return fd < 0 ? -errno : fd;
}
