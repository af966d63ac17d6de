/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The allocation log: who had which public address, ports and SPIs, and when.  One line for the start and one for the end
 * of each lease, and nothing of where its packets went.  rsipd.json(5) has the format, which programs may rely on.
 * It goes to a file, to the journal, or to both.
 */
#ifndef RSIP_ALLOCLOG_H
#define RSIP_ALLOCLOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "lease.h"

#define RSIP_ALLOCLOG_VERSION 1
#define RSIP_JOURNAL_SOCKET "/run/systemd/journal/socket"

struct rsip_alloclog;

/* One event.  Times are nanoseconds since 1970, UTC. */
struct rsip_alloc_event {
	uint64_t now_ns;
	uint64_t since_ns; /* when the lease began */
	const char *iface; /* of the registration */
	bool ends;
	enum rsip_end why; /* if it ends */
};

/* The line, with its newline. */
void rsip_alloclog_line(FILE *to, const struct rsip_alloc_event *ev, const struct rsip_lease_client *c,
			const struct rsip_lease_bind *b);

/*
 * Opens the file, or makes it (0640), and gives it to owner, who must be able to make it anew after a rotation; and looks
 * for the journal at that socket.  Either may be "": not wanted.  0 or negative errno; *failed is the one that failed.
 * On a full or read-only disk the file is opened later, by rsip_alloclog_check().
 */
int rsip_alloclog_open(const char *path, const char *journal, uid_t owner, gid_t group, struct rsip_alloclog **out,
		       const char **failed);
void rsip_alloclog_close(struct rsip_alloclog *log); /* NULL is nothing */

/* Writes it; what cannot be written is counted, and told once until it works again.  NULL: no log is wanted. */
void rsip_alloclog_write(struct rsip_alloclog *log, const struct rsip_alloc_event *ev, const struct rsip_lease_client *c,
			 const struct rsip_lease_bind *b);
/* To be called now and then: follows a rotation. */
void rsip_alloclog_check(struct rsip_alloclog *log);

struct rsip_alloclog_stats {
	uint64_t written, failed; /* lines; one that one of two places lacks has failed */
};
struct rsip_alloclog_stats rsip_alloclog_stats(const struct rsip_alloclog *log);

#endif
