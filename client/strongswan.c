// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "log.h"
#include "strongswan.h"
#include "vici.h"
#include "xfrm.h"

#define RSIP_FILE_MAX 2048
#define RSIP_LOOK_NS (5 * RSIP_NS_PER_S)
#define RSIP_FILE_PREFIX "rsip-binding-"

static int write_file(const char *path, const char *text, size_t len)
{
	char fresh[PATH_MAX + 8];
	int fd, err = 0;

	/* charon includes *.conf: it never sees the half of a file under this name */
	snprintf(fresh, sizeof(fresh), "%s.new", path);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd >= 0)
		errno = ENOSPC; /* for a write that is only short */
	if (fd < 0 || write(fd, text, len) != (ssize_t)len || rename(fresh, path))
		err = -errno;
	if (fd >= 0)
		close(fd);
	if (err)
		unlink(fresh);
	return err;
}

/* Its first size bytes: how many, or a negative errno. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size);

	if (n < 0)
		n = -errno;
	if (fd >= 0)
		close(fd);
	return n;
}

static bool begins_with(const char *path, const char *line)
{
	char head[300];
	ssize_t n = read_file(path, head, sizeof(head) - 1);

	head[n > 0 ? n : 0] = '\0';
	return !strncmp(head, line, strlen(line));
}

void rsip_strongswan_clean(const struct rsip_strongswan *sw, const char *state_dir)
{
	DIR *dir = opendir(*sw->dir ? sw->dir : RSIP_STRONGSWAN_DIR);
	char path[PATH_MAX], line[300];
	struct dirent *e;

	if (!dir)
		return;
	snprintf(line, sizeof(line), "# rsip-client --state-dir %s\n", state_dir);
	while ((e = readdir(dir))) {
		if (strncmp(e->d_name, RSIP_FILE_PREFIX, strlen(RSIP_FILE_PREFIX)))
			continue;
		snprintf(path, sizeof(path), "%s/%s", *sw->dir ? sw->dir : RSIP_STRONGSWAN_DIR,
			 e->d_name);
		if (strcmp(path, sw->file) && begins_with(path, line) && !unlink(path))
			log_info("removed %s, of a lease that is no more", path);
	}
	closedir(dir);
}

static void tell_charon(const struct rsip_strongswan *sw)
{
	int err = rsip_vici_reload_settings(sw->vici);

	if (err && err != -ENOENT && err != -ECONNREFUSED)
		log_warn("charon did not read its settings again: %s: %s (do it: swanctl "
			 "--reload-settings)",
			 sw->vici, strerror(-err));
	else if (!err)
		log_info("charon at %s has read its settings again", sw->vici);
}

static void remove_file(const char *path)
{
	if (*path && unlink(path) && errno != ENOENT)
		log_err("cannot remove %s: %s: its SPIs and ports are not this host's any more; remove it and "
			"run swanctl --reload-settings",
			path, strerror(errno));
}

static bool withdraw(struct rsip_strongswan *sw)
{
	if (!*sw->file)
		return false;
	remove_file(sw->file);
	*sw->file = '\0';
	sw->err = 0;
	tell_charon(sw);
	return true;
}

static void report(const struct rsip_strongswan *sw, const struct rsip_charon *c)
{
	log_info("%s: SPIs 0x%08x-0x%08x, IKE from %s, label 0x%08x", sw->file, c->spi_min,
		 c->spi_max, c->port ? "leased ports" : "ports 500 and 4500", c->label);
	if (sw->started.bind_id && rsip_charon_needs_restart(&sw->started, c))
		log_warn("IKE ports or label are others now: a charon that runs must be started "
			 "again");
}

/* Writes sw->file, and lets charon read it. */
static void put_file(struct rsip_strongswan *sw, const char *state_dir)
{
	char text[RSIP_FILE_MAX];
	int len = rsip_charon_text(&sw->written, state_dir, text, sizeof(text));
	int err = len < 0 ? len : write_file(sw->file, text, len);

	if (err && err != sw->err) /* said once: it is tried again and again */
		log_err("cannot write %s: %s (is strongSwan installed? trying again)", sw->file, strerror(-err));
	sw->err = err;
	if (err)
		return;
	report(sw, &sw->written);
	if (!sw->started.bind_id)
		sw->started = sw->written;
	tell_charon(sw);
}

bool rsip_strongswan_refresh(struct rsip_strongswan *sw, const struct rsip_session *s,
			     const char *state_dir)
{
	char path[PATH_MAX];
	struct rsip_charon c;

	if (!sw->on || !rsip_charon_plan(s, &c))
		return withdraw(sw);
	if (*sw->file && !memcmp(&c, &sw->written, sizeof(c)))
		return false;
	snprintf(path, sizeof(path), "%s/" RSIP_FILE_PREFIX "%u.conf", sw->dir, c.bind_id);
	if (strcmp(path, sw->file))
		remove_file(sw->file);
	sw->written = c;
	snprintf(sw->file, sizeof(sw->file), "%s", path);
	put_file(sw, state_dir);
	return true;
}

/* 1: it is as we wrote it, 0: it is not, or a negative errno. */
static int is_as_written(const struct rsip_strongswan *sw, const char *state_dir)
{
	char want[RSIP_FILE_MAX], have[RSIP_FILE_MAX];
	int len = rsip_charon_text(&sw->written, state_dir, want, sizeof(want));
	ssize_t n = read_file(sw->file, have, sizeof(have));

	return n < 0 ? (int)n : n == len && !memcmp(have, want, n);
}

/* What charon reads at its next start must be what is leased, whatever became of the file. */
static void keep_file(struct rsip_strongswan *sw, const char *state_dir)
{
	int is = is_as_written(sw, state_dir);

	if (is > 0)
		return;
	if (!sw->err)
		log_warn("somebody has %s %s: it is written again (settings of your own belong into another file)",
			 is == -ENOENT ? "removed" : "changed", sw->file);
	put_file(sw, state_dir);
}

/* ---- the range grows ---- */

struct tally {
	const struct rsip_lease *lease;
	uint32_t used;
};

static void count_sa(void *ctx, const struct rsip_sa *sa)
{
	struct tally *t = ctx;

	for (unsigned int i = 0; i < t->lease->spi_runs; i++)
		t->used += sa->dst == t->lease->addr && sa->spi >= t->lease->spis[i].first &&
			   sa->spi - t->lease->spis[i].first < t->lease->spis[i].cnt;
}

/* SAs with SPIs of the lease; -1: the kernel does not say. */
static int64_t used_spis(const struct rsip_jail *jail, const struct rsip_lease *lease)
{
	struct tally t = {.lease = lease};
	int err = rsip_jail_enter(jail);

	if (err)
		return -1;
	err = rsip_xfrm_each(count_sa, &t);
	rsip_jail_leave(jail);
	return err ? -1 : (int64_t)t.used;
}

static bool is_asking(const struct rsip_session *s)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s->leases[i].state == RSIP_LEASE_WANTED &&
		    s->leases[i].want.purpose == RSIP_FOR_CHARON_SPIS)
			return true;
	return false;
}

static void grow(struct rsip_session *s, const struct rsip_charon *c, int64_t used, uint64_t now)
{
	struct rsip_want want = {
		.method = RSIP_METHOD_RSIPSEC,
		.purpose = RSIP_FOR_CHARON_SPIS,
		.addr = c->addr,
	};

	want.spis = used < 0 ? 0 : rsip_charon_grow(c, used);
	if (want.spis && !is_asking(s) && rsip_session_want(s, &want, false, now) >= 0)
		log_info("%lld of the SPIs 0x%08x-0x%08x are in use: asking for %u more",
			 (long long)used, c->spi_min, c->spi_max, want.spis);
}

uint64_t rsip_strongswan_look(struct rsip_strongswan *sw, struct rsip_session *s, const struct rsip_jail *jail,
			      const char *state_dir, uint64_t now)
{
	if (!sw->on || !*sw->file)
		return UINT64_MAX;
	if (now < sw->look_ns)
		return sw->look_ns;
	keep_file(sw, state_dir);
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &s->leases[i];

		if (l->state != RSIP_LEASE_HELD || !l->spi_runs)
			continue;
		if (l->bind_id == sw->written.range_bind_id)
			grow(s, &sw->written, used_spis(jail, l), now);
		else if (l->want.purpose == RSIP_FOR_CHARON_SPIS && used_spis(jail, l) == 0)
			rsip_session_release(s, l->bind_id);
	}
	sw->look_ns = now + RSIP_LOOK_NS;
	return sw->look_ns;
}

void rsip_strongswan_close(struct rsip_strongswan *sw)
{
	sw->on = false;
	withdraw(sw);
}
