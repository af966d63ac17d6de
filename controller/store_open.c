// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The file of the SQLite store is opened: to be written, or, where the disk lets nobody write, to be read through an
 * overlay until it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "store_overlay.h"
#include "store_sqlite.h"

static const char *const sql[STATEMENTS] = {
	[PUT_LEASE] = "INSERT OR REPLACE INTO lease (seq, bind_id, client_id, host, local, endpoint, remote, remote_port,"
		      " remote_port_cnt, mtu, method, tunnel, kind, start_ns, expires_ns, rest_ns, ports, spis)"
		      " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
	[PUT_CLIENT] = "INSERT OR REPLACE INTO client (seq, client_id, host, iface, transport, local_policy, remote_policy,"
		       " start_ns, expires_ns, departed_ns, key_id, n, port, type, hash, at_ns, answer, host6)"
		       " VALUES (?1,?2,?3,?17,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?18)",
	[PUT_KEY] = "INSERT OR REPLACE INTO key (id, mac_seq) VALUES (?1,?2)",
	[DEL_LEASE] = "DELETE FROM lease WHERE seq = ?1",
	[DEL_CLIENT] = "DELETE FROM client WHERE seq = ?1",
	[DEL_KEY] = "DELETE FROM key WHERE id = ?1",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[CLOCK] = "UPDATE written SET boot_id = ?1, mono_ns = ?2, real_ns = ?3",
};

bool rsip_sqlite_passes(int err)
{
	return err == -ENOSPC || err == -EROFS || err == -EDQUOT || err == -EIO || err == -EACCES;
}

static int prepare(struct sqlite_store *s)
{
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i], NULL))
			return rsip_sqlite_failed(s);
	return 0;
}

void rsip_sqlite_shut(struct sqlite_store *s)
{
	rsip_sqlite_fold_stop(s);
	for (int i = 0; i < STATEMENTS; i++) {
		sqlite3_finalize(s->stmt[i]);
		s->stmt[i] = NULL;
	}
	sqlite3_close(s->db);
	s->db = NULL;
	if (s->lock_fd >= 0) /* last: closing any descriptor of a file gives up SQLite's own locks */
		close(s->lock_fd);
	s->lock_fd = -1;
}

/* Two rsipd on one store are one too many; SQLite alone would let them. */
static int lock(struct sqlite_store *s)
{
	s->lock_fd = open(s->path, O_RDONLY | O_CLOEXEC);
	if (s->lock_fd < 0 || !flock(s->lock_fd, LOCK_EX | LOCK_NB))
		return 0;
	snprintf(s->why, sizeof(s->why), "it is locked");
	return errno == EWOULDBLOCK ? -EBUSY : -errno;
}

/* Can several connections share the index of the log? */
static bool can_share(sqlite3 *db)
{
	sqlite3_file *file = NULL;

	sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
	return file && file->pMethods && file->pMethods->iVersion >= 2 && file->pMethods->xShmMap;
}

/* The overlay needs no copy of its log in its file; both go when it is closed. */
static void forget_log(sqlite3 *db)
{
	sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_wal_autocheckpoint(db, 0);
}

static int read_only(struct sqlite_store *s)
{
	snprintf(s->why, sizeof(s->why), "the file is read-only");
	return -EROFS;
}

/* SQLite's last word about a file that it could not make is that it is not there. */
static int missing(struct sqlite_store *s, int err)
{
	char folder[sizeof(s->path)], *slash;

	if (err != -ENOENT)
		return err;
	snprintf(folder, sizeof(folder), "%s", s->path);
	while ((slash = strrchr(folder, '/')) && slash != folder) {
		*slash = '\0';
		if (!access(folder, W_OK))
			return err;
		if (errno == EROFS)
			return read_only(s);
	}
	return err;
}

int rsip_sqlite_open(struct sqlite_store *s, bool overlay, bool check)
{
	mode_t mask = umask(0077); /* who leases what is nobody else's business */
	int err = overlay ? rsip_overlay_register() : 0;
	bool shared = false;

	if (!err && sqlite3_open_v2(s->path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				    overlay ? RSIP_OVERLAY_VFS : NULL))
		err = missing(s, rsip_sqlite_failed(s));
	if (!err && sqlite3_db_readonly(s->db, "main") == 1)
		err = read_only(s);
	if (!err && !overlay) {
		err = lock(s);
		shared = can_share(s->db);
	}
	if (!err)
		err = rsip_sqlite_schema(s->db, shared, check, &s->fresh, &s->secret, s->why, sizeof(s->why));
	umask(mask);
	if (!err)
		err = prepare(s);
	if (!err && overlay)
		forget_log(s->db);
	else if (!err)
		rsip_sqlite_make_room(s);
	if (!err && shared)
		rsip_sqlite_fold_start(s);
	if (err)
		rsip_sqlite_shut(s);
	else
		s->overlay = overlay;
	return err;
}

int rsip_sqlite_open_overlay(struct sqlite_store *s, int failed)
{
	char why[sizeof(s->why)];
	int err;

	memcpy(why, s->why, sizeof(why));
	err = rsip_sqlite_open(s, true, true);
	if (!err && s->fresh && failed == -EACCES) { /* a mistake in the configuration, not a disk's failure */
		rsip_sqlite_shut(s);
		err = failed;
	}
	if (!err)
		log_warn("the lease store can only be read: %s: %s", s->path, why);
	memcpy(s->why, why, sizeof(why));
	return err;
}

/* ---- times of another boot --------------------------------------------------------------------------------------------- */

int rsip_sqlite_put_clock(struct sqlite_store *s, const struct rsip_store_clock *now)
{
	sqlite3_stmt *stmt = s->stmt[CLOCK];

	sqlite3_bind_text(stmt, 1, now->boot_id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)now->mono_ns);
	sqlite3_bind_int64(stmt, 3, (int64_t)now->real_ns);
	return rsip_sqlite_run(s, CLOCK);
}

static int add_to_times(struct sqlite_store *s, int64_t by)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "UPDATE lease SET start_ns = start_ns + %1$" PRId64 ", expires_ns = expires_ns + %1$" PRId64 ","
		 " rest_ns = CASE rest_ns WHEN 0 THEN 0 ELSE rest_ns + %1$" PRId64 " END;"
		 "UPDATE client SET start_ns = start_ns + %1$" PRId64 ", expires_ns = expires_ns + %1$" PRId64 ","
		 " at_ns = at_ns + %1$" PRId64 ","
		 " departed_ns = CASE departed_ns WHEN 0 THEN 0 ELSE departed_ns + %1$" PRId64 " END",
		 by);
	return sqlite3_exec(s->db, text, NULL, NULL, NULL) ? rsip_sqlite_failed(s) : 0;
}

/* All in one transaction, with the clock that they follow from now on. */
static int move_times(struct sqlite_store *s, const struct rsip_store_clock *now, int64_t by)
{
	int err = rsip_sqlite_run(s, BEGIN);

	if (err)
		return err;
	if (by)
		err = add_to_times(s, by);
	if (!err)
		err = rsip_sqlite_put_clock(s, now);
	if (!err)
		err = rsip_sqlite_run(s, COMMIT);
	if (err && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return err;
}

int rsip_sqlite_settle(struct sqlite_store *s, const struct rsip_store_clock *now)
{
	int err;

	s->shift = s->fresh ? 0 : rsip_store_clock_shift(&s->written, now);
	if (!strcmp(s->written.boot_id, now->boot_id))
		return 0;
	err = move_times(s, now, s->shift);
	if (!err && !s->overlay)
		s->written = *now;
	return err;
}

/* ---- opened again ---------------------------------------------------------------------------------------------------------- */

/* As it was when it was read: nobody else has written to it since. */
static int is_ours(struct sqlite_store *s, bool was_fresh)
{
	const struct rsip_store_clock then = s->written;
	int err = rsip_sqlite_read_written(s);

	if (err || (s->fresh == was_fresh && !strcmp(then.boot_id, s->written.boot_id) &&
		    then.mono_ns == s->written.mono_ns && then.real_ns == s->written.real_ns))
		return err;
	s->written = then;
	snprintf(s->why, sizeof(s->why), "it is another file now, or somebody else wrote to it: restart rsipd");
	return -ESTALE;
}

static int open_again(struct sqlite_store *s)
{
	bool was_fresh = s->fresh;
	int err = rsip_sqlite_open(s, false, false);

	if (!err)
		err = is_ours(s, was_fresh);
	s->fresh = was_fresh;
	if (err)
		rsip_sqlite_shut(s);
	else
		s->stale = true;
	return err;
}

int rsip_sqlite_again(struct sqlite_store *s, const struct rsip_store_clock *now)
{
	int err = s->db ? 0 : open_again(s);

	if (!err && strcmp(s->written.boot_id, now->boot_id)) {
		err = move_times(s, now, s->shift);
		if (!err)
			s->written = *now;
	}
	if (err)
		return err;
	s->stale = s->fresh = false;
	return 0;
}
