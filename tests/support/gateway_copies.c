// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The parent's half: sizes and constants as the loader sets them, for 256 bindings on four addresses. */
#include "gateway_copies.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/options.h>
#include "gateway_maps.h"
#include "object_constants.h"
#include "sizes.h"
#include "rsip_tc.skel.h"
#include "rsip_xdp.skel.h"

#define BUCKETS 256
#define COOKIES 4096

/* Kept open until the parent ends: cases know the kernel's IDs only. */
struct loaded {
	pthread_t thread;
	bool threaded;
	struct rsip_xdp_bpf *xdp;
	struct rsip_tc_bpf *tc;
	int netns; /* where the XDP programs are on idle devices */
	struct gateway_copy table;
};

static struct loaded loaded[GATEWAY_COPIES];

static int quiet(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	return level == LIBBPF_WARN && getenv("RSIP_TEST_VERBOSE") ? vfprintf(stderr, fmt, ap) : 0;
}

enum gateway_mode gateway_mode(void)
{
	const char *mode = getenv("RSIP_TEST_MODE");

	static const char *const name[] = { "xdp", "tc", "l3", "l2tp" };

	for (int i = GATEWAY_TC; mode && i <= GATEWAY_L2TP; i++)
		if (!strcmp(mode, name[i]))
			return (enum gateway_mode)i;
	return GATEWAY_XDP;
}

struct rsip_config gateway_config(void)
{
	return (struct rsip_config){
		.layout_version = RSIP_LAYOUT_VERSION,
		.cpus = (uint32_t)libbpf_num_possible_cpus(),
		.hash_seed = GATEWAY_SEED,
		.max_bindings = GATEWAY_BINDINGS - 1,
		.max_addrs = GATEWAY_ADDRS,
		.max_learned = GATEWAY_BINDINGS - 1,
		.addr_buckets = 4,
		.spi_buckets = BUCKETS,
		.pair_buckets = BUCKETS,
		.remote_buckets = BUCKETS,
		.max_hosts6 = 14,
		.mode = RSIP_MODE_NATIVE,
		.tunnels = RSIP_CONFIG_TUNNELS,
	};
}

static int set_sizes(const struct bpf_object *obj, const struct rsip_config *conf)
{
	struct bpf_map *map;
	uint32_t entries;
	int err = 0;

	bpf_object__for_each_map (map, obj)
		if (!err && !rsip_sizes_entries(bpf_map__name(map), conf, COOKIES, &entries))
			err = bpf_map__set_max_entries(map, entries);
	return err;
}

static int load_xdp(struct loaded *l, const struct rsip_config *conf)
{
	int err;

	l->xdp = rsip_xdp_bpf__open();
	if (!l->xdp)
		return -errno;
	RSIP_SET_CONSTANTS(l->xdp, conf);
	RSIP_SET_BUFFERS(l->xdp->progs.rsip_xdp_pub, conf);
	RSIP_SET_BUFFERS(l->xdp->progs.rsip_xdp_priv, conf);
	err = set_sizes(l->xdp->obj, conf);
	return err ? err : rsip_xdp_bpf__load(l->xdp);
}

static bool is_internal(const struct bpf_map *map)
{
	return strchr(bpf_map__name(map), '.');
}

/* The TC programs, onto the maps of the XDP programs. */
static int load_tc(struct loaded *l, const struct rsip_config *conf)
{
	struct bpf_map *map;
	int err = 0;

	l->tc = rsip_tc_bpf__open();
	if (!l->tc)
		return -errno;
	RSIP_SET_CONSTANTS(l->tc, conf);
	l->tc->rodata->rsip_behind_xdp = gateway_mode() == GATEWAY_XDP;
	bpf_object__for_each_map (map, l->tc->obj)
		if (!err && !is_internal(map))
			err = bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(l->xdp->obj, bpf_map__name(map)));
	return err ? err : rsip_tc_bpf__load(l->tc);
}

/*
 * The kernel waits for two grace periods around each test run of a program that is on no device.  These devices
 * stay down.
 */
static int put_on_idle_devices(struct loaded *l)
{
	int err;

	if (unshare(CLONE_NEWNET)) /* this thread alone */
		return -errno;
	if (system("ip link add idle0 type veth peer name idle1"))
		return -ENODEV;
	err = bpf_xdp_attach((int)if_nametoindex("idle0"), bpf_program__fd(l->xdp->progs.rsip_xdp_pub), 0, NULL);
	if (!err)
		err = bpf_xdp_attach((int)if_nametoindex("idle1"), bpf_program__fd(l->xdp->progs.rsip_xdp_priv), 0,
				     NULL);
	l->netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	return err ? err : l->netns < 0 ? -errno : 0;
}

static int add_map(struct gateway_copy *table, const struct bpf_map *map)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	struct gateway_named *to = &table->map[table->map_cnt];

	if (table->map_cnt == sizeof(table->map) / sizeof(table->map[0]))
		return -ENOSPC;
	if (bpf_obj_get_info_by_fd(bpf_map__fd(map), &info, &len))
		return -errno;
	snprintf(to->name, sizeof(to->name), "%.15s", bpf_map__name(map));
	to->id = info.id;
	table->map_cnt++;
	return 0;
}

static int add_prog(struct gateway_copy *table, const struct bpf_program *prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);
	struct gateway_named *to = &table->prog[table->prog_cnt];

	if (table->prog_cnt == sizeof(table->prog) / sizeof(table->prog[0]))
		return -ENOSPC;
	if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
		return -errno;
	snprintf(to->name, sizeof(to->name), "%.15s", bpf_program__name(prog));
	to->id = info.id;
	table->prog_cnt++;
	return 0;
}

static int list(struct loaded *l)
{
	struct bpf_object *objects[] = { l->xdp->obj, l->tc->obj };
	struct bpf_program *prog;
	struct bpf_map *map;
	int err = 0;

	for (int i = 0; i < 2; i++) {
		bpf_object__for_each_map (map, objects[i])
			if (!err && (!i || is_internal(map)))
				err = add_map(&l->table, map);
		bpf_object__for_each_program (prog, objects[i])
			if (!err)
				err = add_prog(&l->table, prog);
	}
	return err;
}

static void *load(void *arg)
{
	struct rsip_config conf = gateway_config();
	struct loaded *l = arg;
	int err = load_xdp(l, &conf);

	if (!err)
		err = load_tc(l, &conf);
	if (!err)
		err = put_on_idle_devices(l);
	if (!err)
		err = list(l);
	l->table.err = err;
	return NULL;
}

/* The table in a file without a name: cases find it below /proc, and lock it. */
static int publish(const struct loaded *l, char *path, size_t len)
{
	int fd = memfd_create("rsip-test-copy", MFD_CLOEXEC);

	if (fd < 0 || write(fd, &l->table, sizeof(l->table)) != sizeof(l->table))
		return -errno;
	return snprintf(path, len, "/proc/%d/fd/%d ", getpid(), fd);
}

/* With a filter it is mostly one case, or a few. */
static int copies_to_load(const struct criterion_test_set *set)
{
	size_t jobs = criterion_options.jobs ? criterion_options.jobs : (size_t)sysconf(_SC_NPROCESSORS_ONLN);
	size_t n = jobs < GATEWAY_COPIES ? jobs : GATEWAY_COPIES;

	if (criterion_options.pattern)
		return 1;
	return (int)(set->tests < n ? set->tests : n);
}

int gateway_copies_load(int n, char *paths, size_t len)
{
	size_t at = 0;

	*paths = '\0';
	libbpf_set_print(quiet);
	for (int i = 0; i < n; i++)
		loaded[i].threaded = !pthread_create(&loaded[i].thread, NULL, load, &loaded[i]);
	for (int i = 0; i < n; i++) {
		int got;

		if (loaded[i].threaded)
			pthread_join(loaded[i].thread, NULL);
		else
			loaded[i].table.err = -EAGAIN;
		got = publish(&loaded[i], paths + at, len - at);
		if (got < 0)
			return got;
		at += (size_t)got;
	}
	return 0;
}

/* In the parent, before all cases.  Not where somebody holds copies for many test programs (tests/bpf/copies.c). */
ReportHook(PRE_ALL)(struct criterion_test_set *set)
{
	const char *held = getenv(GATEWAY_COPIES_ENV);
	char paths[GATEWAY_COPIES_TEXT];

	if (!(held && *held) && !gateway_copies_load(copies_to_load(set), paths, sizeof(paths)))
		setenv(GATEWAY_COPIES_ENV, paths, 1);
}
