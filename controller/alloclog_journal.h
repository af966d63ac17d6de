/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The allocation log in the system's journal, by its native protocol (systemd.io/JOURNAL_NATIVE_PROTOCOL): one datagram for
 * one entry, sent without waiting, so that a journal that hangs holds no lease up.
 */
#ifndef RSIP_ALLOCLOG_JOURNAL_H
#define RSIP_ALLOCLOG_JOURNAL_H

#include "alloclog.h"

/* A socket to send from, after a look whether a journal listens at path; negative errno: none does. */
int rsip_alloclog_journal_open(const char *path);

/* The line, of len bytes with its newline, as an entry with fields to search for.  0, or negative errno: it is lost. */
int rsip_alloclog_journal_send(int fd, const char *path, const char *line, size_t len, const struct rsip_alloc_event *ev,
			       const struct rsip_lease_client *c, const struct rsip_lease_bind *b);

#endif
