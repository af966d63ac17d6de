/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inside the SQLite store. */
#ifndef RSIP_STORE_SQLITE_H
#define RSIP_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#include "store.h"

#define RSIP_STORE_SCHEMA 4 /* PRAGMA user_version; each step from the one before is in store_schema.c */

/* The log is folded back into the file after so many pages (store_fold.c).  Fewer: more flushes; more: a longer log. */
#define RSIP_STORE_WAL_PAGES 2000

enum rsip_sqlite_statement {
	PUT_LEASE, PUT_CLIENT, PUT_KEY,
	DEL_LEASE, DEL_CLIENT, DEL_KEY,
	BEGIN, COMMIT, ROLLBACK, CLOCK, STATEMENTS,
};

struct sqlite_store {
	struct rsip_store store; /* first */
	char path[256];
	sqlite3 *db; /* NULL: it could not be written when it was loaded, and is opened again before a commit */
	sqlite3_stmt *stmt[STATEMENTS];
	struct rsip_store_clock written; /* as it stands in the file */
	bool fresh; /* made just now */
	bool overlay; /* what is written stays in memory: store_overlay.h */
	struct rsip_sqlite_fold *fold; /* NULL: SQLite folds the log within commits */
	int lock_fd; /* who has it locked, has the store; -1: the VFS is no file system */
	bool stale; /* the times in the file are still those of another boot */
	uint64_t secret;
	int64_t shift; /* between the file's boot and this one */
	char why[256];
	char *text; /* for lists of ranges */
	size_t text_size;
};

/* The last failure as -errno. */
int rsip_sqlite_errno(sqlite3 *db);
/* The same, with a sentence in s->why. */
int rsip_sqlite_failed(struct sqlite_store *s);
/* Runs a statement that gives no rows. */
int rsip_sqlite_run(struct sqlite_store *s, enum rsip_sqlite_statement which);

/* store_open.c.  Opens s->path, or an overlay of it; check: whether it is damaged, too. */
int rsip_sqlite_open(struct sqlite_store *s, bool overlay, bool check);
/* After a failure that passes: what is there can at least be read. */
int rsip_sqlite_open_overlay(struct sqlite_store *s, int failed);
void rsip_sqlite_shut(struct sqlite_store *s);
/* May this failure be the disk's, and pass? */
bool rsip_sqlite_passes(int err);
/* Before the first commit: the times in the file are this boot's from now on. */
int rsip_sqlite_settle(struct sqlite_store *s, const struct rsip_store_clock *now);
/* Before a commit of a store that could not be written when it was loaded. */
int rsip_sqlite_again(struct sqlite_store *s, const struct rsip_store_clock *now);
int rsip_sqlite_put_clock(struct sqlite_store *s, const struct rsip_store_clock *now);

/* store_wal.c.  Before the first commit: the log gets its length, where the disk has room. */
void rsip_sqlite_make_room(struct sqlite_store *s);

/* store_fold.c.  The log is folded back beside the commits from now on, where that can be. */
void rsip_sqlite_fold_start(struct sqlite_store *s);
void rsip_sqlite_fold_stop(struct sqlite_store *s);
/* Before a commit, on its thread. */
void rsip_sqlite_fold(struct sqlite_store *s);

/* store_load.c */
int rsip_sqlite_load(struct rsip_store *store, const struct rsip_store_clock *now, const struct rsip_store_reader *reader,
		     struct rsip_store_info *info);
int rsip_sqlite_read_written(struct sqlite_store *s);

/* store_schema.c.  Sets the connection up (shared: others of this process may use the file as well), makes the schema (with *secret, or a random one where that is 0) or brings it
 * up to date, and checks the file. */
int rsip_sqlite_schema(sqlite3 *db, bool shared, bool with_check, bool *fresh, uint64_t *secret, char *why, size_t why_len);

#endif
