// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "alloclog.h"
#include "hosts6.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "alloclog_journal.h"
#include "log.h"
#include "util.h"

struct rsip_alloclog {
	char path[256]; /* "": no file */
	int fd; /* -1: could not be opened again */
	struct stat is; /* the file that is open */
	bool torn; /* the last write broke off in its line */
	char journal[108]; /* "": no journal */
	int journal_fd;
	bool told; /* of a failure that lasts */
	struct rsip_alloclog_stats stats;
};

/* ---- the line ------------------------------------------------------------------------------------------------- */

static void put_time(FILE *to, const char *before, uint64_t ns)
{
	time_t s = (time_t)(ns / RSIP_NS_PER_S);
	char text[32];
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(to, "%s%s.%06uZ", before, text, (unsigned int)(ns % RSIP_NS_PER_S / 1000));
}

static void put_ports(FILE *to, const struct rsip_lease_bind *b)
{
	const struct rsip_port_set *set = &b->ports;

	fputs(" ports=", to);
	if (b->method == RSIP_METHOD_RSA_IP || !set->cnt)
		fputs(b->method == RSIP_METHOD_RSA_IP ? "all" : "-", to);
	for (uint16_t i = 0, j; b->method != RSIP_METHOD_RSA_IP && i < set->cnt; i = j) {
		for (j = (uint16_t)(i + 1); j < set->cnt && set->port[j] == set->port[j - 1] + 1; j++)
			;
		fprintf(to, j - i > 1 ? "%s%u-%u" : "%s%u", i ? "," : "", set->port[i], set->port[j - 1]);
	}
}

static void put_spis(FILE *to, const struct rsip_lease_bind *b)
{
	fputs(" spis=", to);
	if (b->method == RSIP_METHOD_RSA_IP || !b->spis.range_cnt)
		fputs(b->method == RSIP_METHOD_RSA_IP ? "all" : "-", to);
	for (uint16_t i = 0; b->method != RSIP_METHOD_RSA_IP && i < b->spis.range_cnt; i++) {
		const struct rsip_spi_range *r = &b->spis.range[i];

		fprintf(to, r->cnt > 1 ? "%s0x%08x-0x%08x" : "%s0x%08x", i ? "," : "", r->first, r->first + r->cnt - 1);
	}
}

void rsip_alloclog_line(FILE *to, const struct rsip_alloc_event *ev, const struct rsip_lease_client *c,
			const struct rsip_lease_bind *b)
{
	fprintf(to, "rsip-lease v%d %s", RSIP_ALLOCLOG_VERSION, ev->ends ? "end" : "start");
	put_time(to, " ", ev->now_ns);
	fprintf(to, " host=%s interface=%s client=%u bind=%u method=%s local=%s", rsip_host_text(c->host), ev->iface,
		c->client_id, b->bind_id, rsip_method_name(b->method), rsip_ip4(b->local));
	put_ports(to, b);
	put_spis(to, b);
	put_time(to, " since=", ev->since_ns);
	if (ev->ends)
		fprintf(to, " reason=%s", rsip_end_name(ev->why));
	fputc('\n', to);
}

/* ---- the file ------------------------------------------------------------------------------------------------- */

static int open_file(struct rsip_alloclog *log)
{
	log->fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (log->fd < 0)
		return -errno;
	return fstat(log->fd, &log->is) ? -errno : 0;
}

static void tell(struct rsip_alloclog *log, const char *where, int err)
{
	if (err && !log->told)
		log_err("cannot write the allocation log: %s: %s (leases go on; stats-get counts what is missing)", where,
			strerror(-err));
	if (!err && log->told)
		log_info("the allocation log is written again; %llu lines are missing", (unsigned long long)log->stats.failed);
	log->told = err != 0;
}

static int open_both(struct rsip_alloclog *log, uid_t owner, gid_t group)
{
	int err = *log->path ? open_file(log) : 0;

	if (!err && *log->path && geteuid() == 0 && fchown(log->fd, owner, group))
		err = -errno;
	if (err == -EROFS || err == -ENOSPC) { /* may pass, and what is leased must go on meanwhile */
		tell(log, log->path, err);
		err = 0;
	}
	if (err || !*log->journal)
		return err;
	log->journal_fd = rsip_alloclog_journal_open(log->journal);
	return log->journal_fd < 0 ? log->journal_fd : 0;
}

int rsip_alloclog_open(const char *path, const char *journal, uid_t owner, gid_t group, struct rsip_alloclog **out,
		       const char **failed)
{
	struct rsip_alloclog *log = calloc(1, sizeof(*log));
	int err;

	*failed = *path ? path : journal;
	if (!log)
		return -ENOMEM;
	log->fd = log->journal_fd = -1;
	snprintf(log->path, sizeof(log->path), "%s", path);
	snprintf(log->journal, sizeof(log->journal), "%s", journal);
	err = open_both(log, owner, group);
	if (err) {
		*failed = log->fd >= 0 ? journal : *failed;
		rsip_alloclog_close(log);
		return err;
	}
	*out = log;
	return 0;
}

void rsip_alloclog_close(struct rsip_alloclog *log)
{
	if (log && log->fd >= 0)
		close(log->fd);
	if (log && log->journal_fd >= 0)
		close(log->journal_fd);
	free(log);
}

/* All or nothing as far as the kernel lets us: a line that broke off is ended before the next. */
static int write_line(struct rsip_alloclog *log, const char *text, size_t len)
{
	ssize_t put;

	if (log->fd < 0)
		return -EBADF;
	if (log->torn && write(log->fd, "\n", 1) != 1)
		return -errno;
	log->torn = false;
	put = write(log->fd, text, len);
	if (put == (ssize_t)len)
		return 0;
	if (put < 0)
		return -errno;
	log->torn = put > 0;
	return -ENOSPC;
}

void rsip_alloclog_write(struct rsip_alloclog *log, const struct rsip_alloc_event *ev, const struct rsip_lease_client *c,
			 const struct rsip_lease_bind *b)
{
	int err = -ENOMEM, journal_err = 0;
	char *text = NULL;
	size_t len;
	FILE *to;

	if (!log)
		return;
	to = open_memstream(&text, &len);
	if (to) {
		rsip_alloclog_line(to, ev, c, b);
		if (!fclose(to)) {
			err = *log->path ? write_line(log, text, len) : 0;
			if (log->journal_fd >= 0)
				journal_err = rsip_alloclog_journal_send(log->journal_fd, log->journal, text, len, ev, c, b);
		}
		free(text);
	}
	if (err || journal_err)
		log->stats.failed++;
	else
		log->stats.written++;
	tell(log, err ? log->path : log->journal, err ? err : journal_err);
}

void rsip_alloclog_check(struct rsip_alloclog *log)
{
	struct stat now;

	if (!log || !*log->path || (log->fd >= 0 && !stat(log->path, &now) && now.st_dev == log->is.st_dev && now.st_ino == log->is.st_ino))
		return;
	if (log->fd >= 0)
		close(log->fd);
	log->torn = false;
	tell(log, log->path, open_file(log));
}

struct rsip_alloclog_stats rsip_alloclog_stats(const struct rsip_alloclog *log)
{
	return log ? log->stats : (struct rsip_alloclog_stats){ 0, 0 };
}
