// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The data plane in the kernel: opens the pinned maps, maps the arrays into memory, and keeps
 * descriptors of the hashes only.  No request costs a system call: all is stores into mapped
 * memory (dataplane_core.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "dataplane_bpf.h"
#include "dataplane_core.h"
#include "dataplane_sweep.h"
#include "log.h"
#include "util.h"

struct bpf_dp {
	struct rsip_dp_core core; /* first */
	struct {
		void *at;
		size_t len;
	} map[RSIP_DP_ARRAYS];
	struct rsip_dp_sweep sweep;
	bool grace_warned;
	struct ring_buffer *ring; /* rsip_events */
	int ring_fd; /* our own descriptor of it */
	int explain_fd; /* program; -1: none */
	int sessions_fd; /* rsip_ppp_of; -1: nobody asks */
	rsip_dp_event_fn event_fn; /* while the ring is read */
	void *event_arg;
};

static const char *const map_names[RSIP_DP_MAPS] = {
	"rsip_config",	"rsip_policy",	 "rsip_ifaces",	 "rsip_addrs",	  "rsip_addr_info",
	"rsip_blocks",	"rsip_ports",	"rsip_spis",	 "rsip_pairs",	 "rsip_remotes",  "rsip_host6_tab", "rsip_hosts6",
	"rsip_bindings", "rsip_bind_cnt",
	"rsip_learned", "rsip_counters", "rsip_cookies", "rsip_spis_out", "rsip_ike_peers", "rsip_idents",
	"rsip_ident_ring", "rsip_events",
};

/* Maps we only read; the kernel keeps us from writing them by mistake. */
static bool read_only(int map)
{
	return map == RSIP_DP_CONFIG || map == RSIP_DP_COUNTERS;
}

const char *rsip_dp_map_name(enum rsip_dp_map map)
{
	return map_names[map];
}

static int refuse(char *why, size_t why_len, int err, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
static int refuse(char *why, size_t why_len, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, why_len, fmt, ap);
	va_end(ap);
	return err;
}

/* ---- grace periods --------------------------------------------------------------------------- */

/* MEMBARRIER_CMD_GLOBAL waits for an RCU grace period; XDP programs run inside one. */
static void bpf_grace(void *core)
{
	struct bpf_dp *d = core;
	struct timespec rest = { .tv_nsec = 100000000 };

	if (!syscall(__NR_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		return;
	if (!d->grace_warned)
		log_warn("cannot wait for a grace period: membarrier: %s (waiting 0.1 s each time "
			 "instead; "
			 "allow the system call, or boot without nohz_full)",
			 strerror(errno));
	d->grace_warned = true;
	nanosleep(&rest, NULL);
}

/* ---- violations ------------------------------------------------------------------------------ */

static int on_event(void *arg, void *data, size_t size)
{
	const struct bpf_dp *d = arg;

	if (size >= sizeof(struct rsip_event))
		d->event_fn(d->event_arg, data);
	return 0;
}

static void bpf_events(void *core, rsip_dp_event_fn fn, void *arg)
{
	struct bpf_dp *d = core;

	d->event_fn = fn;
	d->event_arg = arg;
	ring_buffer__consume(d->ring);
}

static int bpf_events_fd(void *core)
{
	return ring_buffer__epoll_fd(((struct bpf_dp *)core)->ring);
}

static int open_ring(struct bpf_dp *d, int fd, char *why, size_t why_len)
{
	d->ring_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (d->ring_fd >= 0)
		d->ring = ring_buffer__new(d->ring_fd, on_event, d, NULL);
	if (d->ring)
		return 0;
	return refuse(why, why_len, -errno, "cannot read map %s: %s (run as root)", map_names[RSIP_DP_EVENTS],
		      strerror(errno));
}

/* ---- explain --------------------------------------------------------------------------------- */

/* A program of this type can be run, but attached to nothing: rsipd may keep it. */
static int bpf_explain(void *core, struct rsip_explain *x)
{
	struct bpf_dp *d = core;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = x, .ctx_size_in = sizeof(*x));

	if (d->explain_fd < 0)
		return -EOPNOTSUPP;
	return bpf_prog_test_run_opts(d->explain_fd, &opts) ? -errno : 0;
}

int rsip_dataplane_explain_with(struct rsip_dataplane *dp, int fd)
{
	struct bpf_dp *d = (struct bpf_dp *)dp;

	if (d->explain_fd >= 0)
		close(d->explain_fd);
	d->explain_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return d->explain_fd < 0 ? -errno : 0;
}

static bool bpf_iface_gone(uint32_t ifindex)
{
	char name[IF_NAMESIZE];

	return !if_indextoname(ifindex, name);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static uint32_t bpf_session(void *core, __be32 host)
{
	struct bpf_dp *d = core;
	uint32_t ifindex = 0;

	return d->sessions_fd < 0 || bpf_map_lookup_elem(d->sessions_fd, &host, &ifindex) ? 0 : ifindex;
}

int rsip_dataplane_sessions_with(struct rsip_dataplane *dp, int fd)
{
	struct bpf_dp *d = (struct bpf_dp *)dp;

	if (d->sessions_fd >= 0)
		close(d->sessions_fd);
	d->sessions_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	return d->sessions_fd < 0 ? -errno : 0;
}

static void bpf_sweep(void *core, uint64_t now_ns)
{
	struct bpf_dp *d = core;

	rsip_dp_sweep(&d->sweep, &d->core, now_ns);
}

/* ---- life ------------------------------------------------------------------------------------ */

static void bpf_release(void *core)
{
	struct bpf_dp *d = core;

	for (int i = 0; i < RSIP_DP_ARRAYS; i++)
		if (d->map[i].at)
			munmap(d->map[i].at, d->map[i].len);
	for (int i = 0; i < RSIP_DP_HASHES; i++)
		if (d->sweep.fd[i] >= 0)
			close(d->sweep.fd[i]);
	ring_buffer__free(d->ring);
	if (d->ring_fd >= 0)
		close(d->ring_fd);
	if (d->explain_fd >= 0)
		close(d->explain_fd);
	if (d->sessions_fd >= 0)
		close(d->sessions_fd);
	free(d);
}

static const struct rsip_dp_back bpf_back = {
	.grace = bpf_grace,
	.sweep = bpf_sweep,
	.events_fd = bpf_events_fd,
	.explain = bpf_explain,
	.session = bpf_session,
	.iface_gone = bpf_iface_gone,
	.events = bpf_events,
	.release = bpf_release,
};

/* How many elements of which size a map must have, given the configuration. */
static void map_needs(const struct rsip_config *k, int map, uint64_t *cnt, size_t *size)
{
	const struct {
		uint64_t cnt;
		size_t size;
	} need[RSIP_DP_ARRAYS] = {
		[RSIP_DP_CONFIG] = { 1, sizeof(struct rsip_config) },
		[RSIP_DP_POLICY] = { 1, sizeof(struct rsip_policy) },
		[RSIP_DP_IFACES] = { RSIP_MAX_IFACES, sizeof(struct rsip_iface) },
		[RSIP_DP_ADDRS] = { k->addr_buckets, sizeof(struct rsip_addr_bucket) },
		[RSIP_DP_ADDR_INFO] = { k->max_addrs, sizeof(struct rsip_addr_info) },
		[RSIP_DP_BLOCKS] = { (uint64_t)k->max_addrs * RSIP_PORT_BLOCKS / 16,
				     sizeof(struct rsip_block_line) },
		[RSIP_DP_PORTS] = { (uint64_t)k->max_addrs * 4096, sizeof(struct rsip_port_line) },
		[RSIP_DP_SPIS] = { k->spi_buckets, sizeof(struct rsip_spi_bucket) },
		[RSIP_DP_PAIRS] = { k->pair_buckets, sizeof(struct rsip_pair_bucket) },
		[RSIP_DP_REMOTES] = { k->remote_buckets, sizeof(struct rsip_remote_bucket) },
		[RSIP_DP_HOST6_TAB] = { rsip_host6_buckets(k->max_hosts6), sizeof(struct rsip_host6_bucket) },
		[RSIP_DP_HOSTS6] = { k->max_hosts6 + 1ULL, sizeof(struct rsip_host6) },
		[RSIP_DP_BINDINGS] = { k->max_bindings + 1ULL, sizeof(struct rsip_binding) },
		[RSIP_DP_BIND_CNT] = { k->cpus * (k->max_bindings + 1ULL),
				       sizeof(struct rsip_bind_cnt) },
		[RSIP_DP_LEARNED] = { k->max_learned + 1ULL, sizeof(struct rsip_learned) },
		[RSIP_DP_COUNTERS] = { (uint64_t)k->cpus * RSIP_MAX_IFACES,
				       sizeof(struct rsip_counters) },
	};

	*cnt = need[map].cnt;
	*size = need[map].size;
}

static int map_array(struct bpf_dp *d, int map, int fd, char *why, size_t why_len)
{
	struct bpf_map_info info = { 0 };
	uint32_t info_len = sizeof(info);
	uint64_t cnt;
	size_t size;

	map_needs(&d->core.config, map, &cnt, &size);
	if (bpf_obj_get_info_by_fd(fd, &info, &info_len))
		return refuse(why, why_len, -errno, "cannot read what map %s is: %s (run as root)",
			      map_names[map], strerror(errno));
	if (info.type != BPF_MAP_TYPE_ARRAY || info.value_size != size || info.max_entries < cnt ||
	    !(info.map_flags & BPF_F_MMAPABLE))
		return refuse(why, why_len, -EPROTO,
			      "map %s has another layout than this rsipd's: %u elements of %u "
			      "bytes, not %llu of %zu "
			      "(run `rsip-loader upgrade`, or detach and attach, with the loader "
			      "of the same version)",
			      map_names[map], info.max_entries, info.value_size,
			      (unsigned long long)cnt, size);
	d->map[map].len = cnt * size;
	d->map[map].at = mmap(NULL, d->map[map].len, PROT_READ | (read_only(map) ? 0 : PROT_WRITE),
			      MAP_SHARED, fd, 0);
	if (d->map[map].at != MAP_FAILED)
		return 0;
	d->map[map].at = NULL;
	return refuse(why, why_len, -errno, "cannot map %s into memory: %s", map_names[map],
		      strerror(errno));
}

static bool power_of_two(uint32_t n)
{
	return n >= 2 && !(n & (n - 1));
}

/* The configuration says how long everything else is: it comes first, and is not believed blindly.
 */
static int read_config(struct bpf_dp *d, int fd, char *why, size_t why_len)
{
	const struct rsip_config *k;
	int err = map_array(d, RSIP_DP_CONFIG, fd, why, why_len);

	if (err)
		return err;
	k = d->map[RSIP_DP_CONFIG].at;
	if (k->layout_version & RSIP_LAYOUT_MOVING)
		return refuse(why, why_len, -EBUSY,
			      "the data plane is being upgraded to another map layout: start rsipd again when that is done (if no "
			      "`rsip-loader upgrade` runs, one was killed: run it again)");
	if (k->layout_version != RSIP_LAYOUT_VERSION)
		return refuse(why, why_len, -EPROTO,
			      "the data plane has layout version %u, this rsipd needs %u (run "
			      "`rsip-loader upgrade`, or "
			      "detach and attach, with the loader of the same version)",
			      k->layout_version, RSIP_LAYOUT_VERSION);
	if (!power_of_two(k->addr_buckets) || !power_of_two(k->spi_buckets) ||
	    !power_of_two(k->pair_buckets) || !power_of_two(k->remote_buckets) || !k->cpus || !k->max_bindings || !k->max_addrs ||
	    k->max_hosts6 > RSIP_HOST6_MAX)
		return refuse(
			why, why_len, -EPROTO,
			"map rsip_config makes no sense (run `rsip-loader detach`, then attach)");
	d->core.config = *k;
	return 0;
}

static void set_pointers(struct bpf_dp *d)
{
	d->core.m = (struct rsip_dp_mem){
		.config = d->map[RSIP_DP_CONFIG].at,
		.policy = d->map[RSIP_DP_POLICY].at,
		.ifaces = d->map[RSIP_DP_IFACES].at,
		.addrs = d->map[RSIP_DP_ADDRS].at,
		.addr_info = d->map[RSIP_DP_ADDR_INFO].at,
		.blocks = d->map[RSIP_DP_BLOCKS].at,
		.ports = d->map[RSIP_DP_PORTS].at,
		.spis = d->map[RSIP_DP_SPIS].at,
		.pairs = d->map[RSIP_DP_PAIRS].at,
		.remotes = d->map[RSIP_DP_REMOTES].at,
		.host6_tab = d->map[RSIP_DP_HOST6_TAB].at,
		.hosts6 = d->map[RSIP_DP_HOSTS6].at,
		.bindings = d->map[RSIP_DP_BINDINGS].at,
		.bind_cnt = d->map[RSIP_DP_BIND_CNT].at,
		.learned = d->map[RSIP_DP_LEARNED].at,
		.counters = d->map[RSIP_DP_COUNTERS].at,
	};
}

int rsip_dataplane_from_fds(const int fd[RSIP_DP_MAPS], struct rsip_dataplane **out, char *why,
			    size_t why_len)
{
	struct bpf_dp *d = calloc(1, sizeof(*d));
	int err;

	if (!d)
		return refuse(why, why_len, -ENOMEM, "out of memory");
	d->core.back = &bpf_back;
	d->ring_fd = d->explain_fd = d->sessions_fd = -1;
	for (int i = 0; i < RSIP_DP_HASHES; i++)
		d->sweep.fd[i] = -1;
	err = read_config(d, fd[RSIP_DP_CONFIG], why, why_len);
	for (int i = RSIP_DP_CONFIG + 1; i < RSIP_DP_ARRAYS && !err; i++)
		err = map_array(d, i, fd[i], why, why_len);
	for (int i = 0; i < RSIP_DP_HASHES && !err; i++) {
		d->sweep.fd[i] = fcntl(fd[RSIP_DP_ARRAYS + i], F_DUPFD_CLOEXEC, 3);
		if (d->sweep.fd[i] < 0)
			err = refuse(why, why_len, -errno, "cannot keep map %s: %s",
				     map_names[RSIP_DP_ARRAYS + i], strerror(errno));
	}
	if (!err)
		err = open_ring(d, fd[RSIP_DP_EVENTS], why, why_len);
	if (!err) {
		set_pointers(d);
		err = rsip_dp_core_init(&d->core);
		if (err)
			refuse(why, why_len, err, "out of memory for %u bindings",
			       d->core.config.max_bindings);
	}
	if (err) {
		bpf_release(d);
		return err;
	}
	*out = &d->core.dp;
	return 0;
}

/* ---- pins ------------------------------------------------------------------------------------ */

/* Whoever can write there could hand us maps of his own. */
static int check_owner(const char *path, bool folder, char *why, size_t why_len)
{
	struct stat st;

	if (lstat(path, &st))
		return refuse(why, why_len, -errno, "cannot open %s: %s (%s)", path,
			      strerror(errno),
			      errno == EACCES ? "run as root" : "run `rsip-loader attach` first");
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)) ||
	    (folder ? !S_ISDIR(st.st_mode) : !S_ISREG(st.st_mode)))
		return refuse(why, why_len, -EPERM,
			      "%s is refused: owner %u, mode %04o; only root may own or write it "
			      "(remove it, then run "
			      "`rsip-loader attach`)",
			      path, st.st_uid, st.st_mode & 07777);
	return 0;
}

static int check_folder(const char *path, char *why, size_t why_len)
{
	struct statfs fs;
	int err = check_owner(path, true, why, why_len);

	if (err)
		return err;
	if (statfs(path, &fs) || fs.f_type != BPF_FS_MAGIC)
		return refuse(why, why_len, -EINVAL,
			      "%s is not in a BPF file system (run `rsip-loader attach` first)",
			      path);
	return 0;
}

static int open_pin(const char *folder, const char *name, char *why, size_t why_len)
{
	char path[4096];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path))
		return refuse(why, why_len, -ENAMETOOLONG, "the pin path is too long: %s", folder);
	err = check_owner(path, false, why, why_len);
	if (err)
		return err;
	fd = bpf_obj_get(path);
	if (fd < 0)
		return refuse(why, why_len, -errno,
			      "cannot open %s: %s (run as root, after `rsip-loader attach`)", path,
			      strerror(errno));
	return fd;
}

/* For operators' questions only. */
static int keep(const char *pin_path, const char *name, int (*with)(struct rsip_dataplane *dp, int fd),
		struct rsip_dataplane *dp, char *why, size_t why_len)
{
	int fd = open_pin(pin_path, name, why, why_len), err;

	if (fd < 0)
		return fd;
	err = with(dp, fd);
	close(fd);
	return err ? refuse(why, why_len, err, "cannot keep %s: %s", name, strerror(-err)) : 0;
}

int rsip_dataplane_open(const char *pin_path, struct rsip_dataplane **out, char *why,
			size_t why_len)
{
	int fd[RSIP_DP_MAPS], opened = 0, err = check_folder(pin_path, why, why_len);

	for (; opened < RSIP_DP_MAPS && !err; opened++) {
		fd[opened] = open_pin(pin_path, map_names[opened], why, why_len);
		if (fd[opened] < 0) {
			err = fd[opened];
			break;
		}
	}
	if (!err)
		err = rsip_dataplane_from_fds(fd, out, why, why_len);
	while (opened)
		close(fd[--opened]);
	if (err)
		return err;
	err = keep(pin_path, "prog_explain", rsip_dataplane_explain_with, *out, why, why_len);
	if (!err)
		err = keep(pin_path, "rsip_ppp_of", rsip_dataplane_sessions_with, *out, why, why_len);
	if (err)
		(*out)->ops->close(*out);
	return err;
}
