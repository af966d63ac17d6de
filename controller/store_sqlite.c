// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The lease store in one SQLite file: write-ahead log, synchronous=FULL, so a commit that returned is on disk.  The
 * file is locked for as long as it is open: two servers cannot share it.  The schema is store_schema.c's.
 */
#include "store.h"

#include <arpa/inet.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log.h"
#include "store_sqlite.h"
#include "util.h"

#define CLOCK_EVERY_NS (10 * RSIP_NS_PER_S) /* how stale "written last" may be after a power cut */
#define CLOCK_JUMP_NS (RSIP_NS_PER_S / 10)
#define RANGE_TEXT 24 /* "4294967295-4294967295 " */

enum statement { PUT_LEASE, PUT_CLIENT, DEL_LEASE, DEL_CLIENT, BEGIN, COMMIT, ROLLBACK, CLOCK, STATEMENTS };

static const char *const sql[STATEMENTS] = {
	[PUT_LEASE] = "INSERT OR REPLACE INTO lease (seq, bind_id, client_id, host, local, endpoint, remote, remote_port,"
		      " remote_port_cnt, mtu, method, tunnel, kind, start_ns, expires_ns, rest_ns, ports, spis)"
		      " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
	[PUT_CLIENT] = "INSERT OR REPLACE INTO client (seq, client_id, host, iface, transport, local_policy, remote_policy,"
		       " start_ns, expires_ns, departed_ns, mac_seq, n, port, type, hash, at_ns, answer, key_id)"
		       " VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)",
	[DEL_LEASE] = "DELETE FROM lease WHERE seq = ?1",
	[DEL_CLIENT] = "DELETE FROM client WHERE seq = ?1",
	[BEGIN] = "BEGIN IMMEDIATE",
	[COMMIT] = "COMMIT",
	[ROLLBACK] = "ROLLBACK",
	[CLOCK] = "UPDATE written SET boot_id = ?1, mono_ns = ?2, real_ns = ?3",
};

struct sqlite_store {
	struct rsip_store store; /* first */
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	struct rsip_store_clock written; /* as it stands in the file */
	bool fresh;
	char why[256];
	char *text; /* for lists of ranges */
	size_t text_size;
};

/* ---- failures ----------------------------------------------------------------------------------------------------- */

int rsip_sqlite_errno(sqlite3 *db)
{
	int system = sqlite3_system_errno(db);

	switch (sqlite3_errcode(db) & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return system ? -system : -EIO;
	}
	return -EIO;
}

static int failed(struct sqlite_store *s)
{
	int err = rsip_sqlite_errno(s->db), system = sqlite3_system_errno(s->db);

	snprintf(s->why, sizeof(s->why), "%s%s%s", sqlite3_errmsg(s->db), system ? ": " : "",
		 system ? strerror(system) : "");
	return err;
}

static const char *sqlite_why(const struct rsip_store *store)
{
	return ((const struct sqlite_store *)store)->why;
}

/* Runs a statement that gives no rows. */
static int run(struct sqlite_store *s, enum statement which)
{
	sqlite3_stmt *stmt = s->stmt[which];
	int rc = sqlite3_step(stmt), err = rc == SQLITE_DONE ? 0 : failed(s);

	sqlite3_reset(stmt);
	return err;
}

/* ---- rows to statements --------------------------------------------------------------------------------------------- */

static char *put_number(char *at, uint32_t n)
{
	char digits[10];
	int cnt = 0;

	do
		digits[cnt++] = (char)('0' + n % 10);
	while (n /= 10);
	while (cnt)
		*at++ = digits[--cnt];
	return at;
}

/* "1024-1087 2048", as it can be read in the file too.  NULL: no memory. */
static const char *ranges_text(struct sqlite_store *s, const struct rsip_store_range *r, uint32_t cnt, int *len)
{
	char *at;

	if (cnt * RANGE_TEXT > s->text_size) {
		free(s->text);
		s->text_size = (size_t)cnt * RANGE_TEXT;
		s->text = malloc(s->text_size);
		if (!s->text) {
			s->text_size = 0;
			return NULL;
		}
	}
	at = s->text;
	for (uint32_t i = 0; i < cnt; i++) {
		if (i)
			*at++ = ' ';
		at = put_number(at, r[i].first);
		if (r[i].cnt == 1)
			continue;
		*at++ = '-';
		at = put_number(at, r[i].first + r[i].cnt - 1);
	}
	*len = (int)(at - s->text);
	return s->text ? s->text : "";
}

static int bind_ranges(struct sqlite_store *s, sqlite3_stmt *stmt, int col, const struct rsip_store_range *r, uint32_t cnt)
{
	int len = 0;
	const char *text = cnt ? ranges_text(s, r, cnt, &len) : "";

	if (!text)
		return -ENOMEM;
	/* Both lists use the same memory one after the other. */
	sqlite3_bind_text(stmt, col, text, len, cnt ? SQLITE_TRANSIENT : SQLITE_STATIC);
	return 0;
}

static int put_lease(struct sqlite_store *s, const struct rsip_store_lease *l)
{
	sqlite3_stmt *stmt = s->stmt[PUT_LEASE];
	const int64_t cols[] = { (int64_t)l->seq, l->bind_id, l->client_id, ntohl(l->host), ntohl(l->local),
				 ntohl(l->endpoint), ntohl(l->remote), l->remote_port, l->remote_port_cnt, l->mtu,
				 l->method, l->tunnel, l->kind, (int64_t)l->start_ns, (int64_t)l->expires_ns,
				 (int64_t)l->rest_ns };
	int err;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(cols); i++)
		sqlite3_bind_int64(stmt, (int)i + 1, cols[i]);
	err = bind_ranges(s, stmt, 17, l->range, l->port_ranges);
	if (!err)
		err = bind_ranges(s, stmt, 18, l->range + l->port_ranges, l->spi_ranges);
	return err ? err : run(s, PUT_LEASE);
}

static int put_client(struct sqlite_store *s, const struct rsip_store_client *c)
{
	sqlite3_stmt *stmt = s->stmt[PUT_CLIENT];
	const int64_t cols[] = { (int64_t)c->seq, c->client_id, ntohl(c->host), c->iface, c->transport, c->local_policy,
				 c->remote_policy, (int64_t)c->start_ns, (int64_t)c->expires_ns, (int64_t)c->departed_ns,
				 (int64_t)c->mac_seq, c->last.n, c->last.port, c->last.type, (int64_t)c->last.hash,
				 (int64_t)c->last.at_ns };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(cols); i++)
		sqlite3_bind_int64(stmt, (int)i + 1, cols[i]);
	sqlite3_bind_blob(stmt, 17, c->last.bytes, c->last.len, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 18, c->key_id);
	return run(s, PUT_CLIENT);
}

static int apply(struct sqlite_store *s, const struct rsip_store_change *c)
{
	bool lease = c->kind == RSIP_STORE_LEASE;

	if (!c->gone)
		return lease ? put_lease(s, &c->lease) : put_client(s, &c->client);
	sqlite3_bind_int64(s->stmt[lease ? DEL_LEASE : DEL_CLIENT], 1, (int64_t)c->seq);
	return run(s, lease ? DEL_LEASE : DEL_CLIENT);
}

/* ---- commit ----------------------------------------------------------------------------------------------------------- */

/* The wall clock was set, or much time has passed: what a reader in another boot must know. */
static bool clock_is_stale(const struct rsip_store_clock *then, const struct rsip_store_clock *now)
{
	int64_t drift = (int64_t)((now->real_ns - now->mono_ns) - (then->real_ns - then->mono_ns));

	return strcmp(then->boot_id, now->boot_id) || now->mono_ns - then->mono_ns > CLOCK_EVERY_NS ||
	       drift > (int64_t)CLOCK_JUMP_NS || drift < -(int64_t)CLOCK_JUMP_NS;
}

static int put_clock(struct sqlite_store *s, const struct rsip_store_clock *now)
{
	sqlite3_stmt *stmt = s->stmt[CLOCK];

	sqlite3_bind_text(stmt, 1, now->boot_id, -1, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)now->mono_ns);
	sqlite3_bind_int64(stmt, 3, (int64_t)now->real_ns);
	return run(s, CLOCK);
}

static int sqlite_commit(struct rsip_store *store, const struct rsip_store_change *change, uint32_t cnt,
			 const struct rsip_store_clock *now)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	bool clock = clock_is_stale(&s->written, now);
	int err = run(s, BEGIN);

	for (uint32_t i = 0; i < cnt && !err; i++)
		err = apply(s, &change[i]);
	if (!err && clock)
		err = put_clock(s, now);
	if (!err)
		err = run(s, COMMIT);
	if (err) {
		char why[sizeof(s->why)];

		memcpy(why, s->why, sizeof(why));
		if (!sqlite3_get_autocommit(s->db))
			run(s, ROLLBACK);
		memcpy(s->why, why, sizeof(why));
		return err;
	}
	if (clock)
		s->written = *now;
	return 0;
}

/* ---- load -------------------------------------------------------------------------------------------------------------- */

static uint32_t take_number(const char **at)
{
	uint32_t n = 0;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		n = n * 10 + (uint32_t)(**at - '0');
	return n;
}

/* Fills r where it is not NULL; returns how many. */
static uint32_t take_ranges(const char *text, struct rsip_store_range *r)
{
	uint32_t cnt = 0;

	while (text && *text) {
		uint32_t first = take_number(&text), last = first;

		if (*text == '-') {
			text++;
			last = take_number(&text);
		}
		if (r)
			r[cnt] = (struct rsip_store_range){ first, last - first + 1 };
		cnt++;
		if (*text != ' ')
			break;
		text++;
	}
	return cnt;
}

static int read_lease(sqlite3_stmt *q, const struct rsip_store_reader *reader)
{
	const char *ports = (const char *)sqlite3_column_text(q, 16), *spis = (const char *)sqlite3_column_text(q, 17);
	struct rsip_store_lease l = {
		.seq = (uint64_t)sqlite3_column_int64(q, 0),
		.bind_id = (uint32_t)sqlite3_column_int64(q, 1),
		.client_id = (uint32_t)sqlite3_column_int64(q, 2),
		.host = htonl((uint32_t)sqlite3_column_int64(q, 3)),
		.local = htonl((uint32_t)sqlite3_column_int64(q, 4)),
		.endpoint = htonl((uint32_t)sqlite3_column_int64(q, 5)),
		.remote = htonl((uint32_t)sqlite3_column_int64(q, 6)),
		.remote_port = (uint16_t)sqlite3_column_int(q, 7),
		.remote_port_cnt = (uint16_t)sqlite3_column_int(q, 8),
		.mtu = (uint16_t)sqlite3_column_int(q, 9),
		.method = (uint8_t)sqlite3_column_int(q, 10),
		.tunnel = (uint8_t)sqlite3_column_int(q, 11),
		.kind = (uint8_t)sqlite3_column_int(q, 12),
		.start_ns = (uint64_t)sqlite3_column_int64(q, 13),
		.expires_ns = (uint64_t)sqlite3_column_int64(q, 14),
		.rest_ns = (uint64_t)sqlite3_column_int64(q, 15),
		.port_ranges = (uint16_t)take_ranges(ports, NULL),
		.spi_ranges = (uint16_t)take_ranges(spis, NULL),
	};
	struct rsip_store_range *r = calloc(l.port_ranges + l.spi_ranges + 1U, sizeof(*r));
	int err;

	if (!r)
		return -ENOMEM;
	take_ranges(ports, r);
	take_ranges(spis, r + l.port_ranges);
	l.range = r;
	err = reader->lease(reader->arg, &l);
	free(r);
	return err;
}

static int read_client(sqlite3_stmt *q, const struct rsip_store_reader *reader)
{
	struct rsip_store_client c = {
		.seq = (uint64_t)sqlite3_column_int64(q, 0),
		.client_id = (uint32_t)sqlite3_column_int64(q, 1),
		.host = htonl((uint32_t)sqlite3_column_int64(q, 2)),
		.iface = (uint16_t)sqlite3_column_int(q, 3),
		.transport = (uint8_t)sqlite3_column_int(q, 4),
		.local_policy = (uint8_t)sqlite3_column_int(q, 5),
		.remote_policy = (uint8_t)sqlite3_column_int(q, 6),
		.start_ns = (uint64_t)sqlite3_column_int64(q, 7),
		.expires_ns = (uint64_t)sqlite3_column_int64(q, 8),
		.departed_ns = (uint64_t)sqlite3_column_int64(q, 9),
		.mac_seq = (uint64_t)sqlite3_column_int64(q, 10),
		.key_id = (uint32_t)sqlite3_column_int64(q, 17),
		.last = {
			.n = (uint32_t)sqlite3_column_int64(q, 11),
			.port = (uint16_t)sqlite3_column_int(q, 12),
			.type = (uint8_t)sqlite3_column_int(q, 13),
			.hash = (uint64_t)sqlite3_column_int64(q, 14),
			.at_ns = (uint64_t)sqlite3_column_int64(q, 15),
			.bytes = sqlite3_column_blob(q, 16),
			.len = (uint16_t)sqlite3_column_bytes(q, 16),
		},
	};

	return reader->client(reader->arg, &c);
}

static int read_rows(struct sqlite_store *s, const char *query, const struct rsip_store_reader *reader,
		     int (*row)(sqlite3_stmt *q, const struct rsip_store_reader *reader))
{
	sqlite3_stmt *q;
	int rc = 0, err = 0;

	if (sqlite3_prepare_v2(s->db, query, -1, &q, NULL))
		return failed(s);
	while (!err && (rc = sqlite3_step(q)) == SQLITE_ROW)
		err = row(q, reader);
	if (!err && rc != SQLITE_DONE)
		err = failed(s);
	sqlite3_finalize(q);
	return err;
}

/* A file of another boot: its times become this boot's, all in one transaction. */
static int move_times(struct sqlite_store *s, const struct rsip_store_clock *now)
{
	int64_t by = rsip_store_clock_shift(&s->written, now);
	char text[512];
	int err;

	if (!strcmp(s->written.boot_id, now->boot_id))
		return 0;
	snprintf(text, sizeof(text),
		 "UPDATE lease SET start_ns = start_ns + %lld, expires_ns = expires_ns + %lld,"
		 " rest_ns = CASE rest_ns WHEN 0 THEN 0 ELSE rest_ns + %lld END;"
		 "UPDATE client SET start_ns = start_ns + %lld, expires_ns = expires_ns + %lld, at_ns = at_ns + %lld,"
		 " departed_ns = CASE departed_ns WHEN 0 THEN 0 ELSE departed_ns + %lld END",
		 (long long)by, (long long)by, (long long)by, (long long)by, (long long)by, (long long)by, (long long)by);
	err = run(s, BEGIN);
	if (err)
		return err;
	if (sqlite3_exec(s->db, text, NULL, NULL, NULL))
		err = failed(s);
	if (!err)
		err = put_clock(s, now);
	if (!err)
		err = run(s, COMMIT);
	if (err)
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	else
		s->written = *now;
	return err;
}

static int read_written(sqlite3_stmt *q, const struct rsip_store_reader *reader)
{
	struct sqlite_store *s = reader->arg;

	snprintf(s->written.boot_id, sizeof(s->written.boot_id), "%s", (const char *)sqlite3_column_text(q, 0));
	s->written.mono_ns = (uint64_t)sqlite3_column_int64(q, 1);
	s->written.real_ns = (uint64_t)sqlite3_column_int64(q, 2);
	return 0;
}

static int read_secret(sqlite3_stmt *q, const struct rsip_store_reader *reader)
{
	*(uint64_t *)reader->arg = (uint64_t)sqlite3_column_int64(q, 0);
	return 0;
}

static int sqlite_load(struct rsip_store *store, const struct rsip_store_clock *now, const struct rsip_store_reader *reader,
		       struct rsip_store_info *info)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	const struct rsip_store_reader mine = { .arg = s }, secret = { .arg = &info->secret };
	int err = read_rows(s, "SELECT boot_id, mono_ns, real_ns FROM written", &mine, read_written);

	if (!err)
		err = read_rows(s, "SELECT secret FROM made", &secret, read_secret);
	info->fresh = s->fresh;
	if (!err && s->fresh)
		err = run(s, BEGIN) || put_clock(s, now) || run(s, COMMIT) ? failed(s) : 0;
	if (!err)
		err = s->fresh ? 0 : move_times(s, now);
	if (!err)
		err = read_rows(s,
				"SELECT seq, client_id, host, iface, transport, local_policy, remote_policy, start_ns, expires_ns,"
				" departed_ns, mac_seq, n, port, type, hash, at_ns, answer, key_id FROM client ORDER BY seq",
				reader, read_client);
	if (!err)
		err = read_rows(s,
				"SELECT seq, bind_id, client_id, host, local, endpoint, remote, remote_port, remote_port_cnt, mtu,"
				" method, tunnel, kind, start_ns, expires_ns, rest_ns, ports, spis FROM lease ORDER BY seq",
				reader, read_lease);
	s->written = *now;
	s->fresh = false;
	return err;
}

/* ---- open and close ------------------------------------------------------------------------------------------------------ */

static void sqlite_close(struct rsip_store *store)
{
	struct sqlite_store *s = (struct sqlite_store *)store;

	for (int i = 0; i < STATEMENTS; i++)
		sqlite3_finalize(s->stmt[i]);
	sqlite3_close(s->db);
	free(s->text);
	free(s);
}

static const struct rsip_store_ops sqlite_ops = {
	.name = "sqlite",
	.load = sqlite_load,
	.commit = sqlite_commit,
	.why = sqlite_why,
	.close = sqlite_close,
};

static int prepare(struct sqlite_store *s)
{
	for (int i = 0; i < STATEMENTS; i++)
		if (sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i], NULL))
			return failed(s);
	return 0;
}

int rsip_store_sqlite(const char *path, struct rsip_store **out, char *why, size_t why_len)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	mode_t mask;
	int err, rc;

	if (!s)
		return -ENOMEM;
	s->store.ops = &sqlite_ops;
	mask = umask(0077); /* who leases what is nobody else's business */
	rc = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	err = rc ? failed(s) : rsip_sqlite_schema(s->db, &s->fresh, s->why, sizeof(s->why));
	umask(mask);
	if (!err)
		err = prepare(s);
	if (!err) {
		*out = &s->store;
		return 0;
	}
	snprintf(why, why_len, "cannot open the lease store: %s: %s%s", path, s->why,
		 err == -EBUSY ? " (is another rsipd running?)" : "");
	sqlite_close(&s->store);
	return err;
}
