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

#include "log.h"
#include "rsip/maps.h"
#include "store_sqlite.h"
#include "util.h"

#define CLOCK_EVERY_NS (10 * RSIP_NS_PER_S) /* how stale "written last" may be after a power cut */
#define RANGE_TEXT 24 /* "4294967295-4294967295 " */

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

int rsip_sqlite_failed(struct sqlite_store *s)
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

int rsip_sqlite_run(struct sqlite_store *s, enum rsip_sqlite_statement which)
{
	sqlite3_stmt *stmt = s->stmt[which];
	int rc = sqlite3_step(stmt), err = rc == SQLITE_DONE ? 0 : rsip_sqlite_failed(s);

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
	return err ? err : rsip_sqlite_run(s, PUT_LEASE);
}

static int put_client(struct sqlite_store *s, const struct rsip_store_client *c)
{
	sqlite3_stmt *stmt = s->stmt[PUT_CLIENT];
	const int64_t cols[] = { (int64_t)c->seq, c->client_id, ntohl(c->host), c->transport, c->local_policy,
				 c->remote_policy, (int64_t)c->start_ns, (int64_t)c->expires_ns, (int64_t)c->departed_ns,
				 c->key_id, c->last.n, c->last.port, c->last.type, (int64_t)c->last.hash,
				 (int64_t)c->last.at_ns };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(cols); i++)
		sqlite3_bind_int64(stmt, (int)i + 1, cols[i]);
	sqlite3_bind_blob(stmt, 16, c->last.bytes, c->last.len, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 17, c->iface, -1, SQLITE_STATIC);
	if (RSIP_HOST6_IS(c->host))
		sqlite3_bind_blob(stmt, 18, c->host6, sizeof(c->host6), SQLITE_STATIC);
	else
		sqlite3_bind_null(stmt, 18);
	return rsip_sqlite_run(s, PUT_CLIENT);
}

static int put_key(struct sqlite_store *s, const struct rsip_store_key *k)
{
	sqlite3_bind_int64(s->stmt[PUT_KEY], 1, k->key_id);
	sqlite3_bind_int64(s->stmt[PUT_KEY], 2, (int64_t)k->mac_seq);
	return rsip_sqlite_run(s, PUT_KEY);
}

static int apply(struct sqlite_store *s, const struct rsip_store_change *c)
{
	static const enum rsip_sqlite_statement del[] = {
		[RSIP_STORE_LEASE] = DEL_LEASE,
		[RSIP_STORE_CLIENT] = DEL_CLIENT,
		[RSIP_STORE_KEY] = DEL_KEY,
	};

	if (c->gone) {
		sqlite3_bind_int64(s->stmt[del[c->kind]], 1, (int64_t)c->seq);
		return rsip_sqlite_run(s, del[c->kind]);
	}
	switch (c->kind) {
	case RSIP_STORE_LEASE:
		return put_lease(s, &c->lease);
	case RSIP_STORE_CLIENT:
		return put_client(s, &c->client);
	case RSIP_STORE_KEY:
		return put_key(s, &c->key);
	}
	return -EINVAL;
}

/* ---- commit ----------------------------------------------------------------------------------------------------------- */

/* The wall clock was set, or much time has passed: what a reader in another boot must know. */
static bool clock_is_stale(const struct rsip_store_clock *then, const struct rsip_store_clock *now)
{
	return rsip_store_clock_was_set(then, now) || now->mono_ns - then->mono_ns > CLOCK_EVERY_NS;
}

static int sqlite_commit(struct rsip_store *store, const struct rsip_store_change *change, uint32_t cnt,
			 const struct rsip_store_clock *now)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	bool clock;
	int err = s->db && !s->stale ? 0 : rsip_sqlite_again(s, now);

	if (err)
		return err;
	rsip_sqlite_fold(s);
	clock = !cnt || clock_is_stale(&s->written, now); /* nothing at all would touch no disk */
	err = rsip_sqlite_run(s, BEGIN);
	for (uint32_t i = 0; i < cnt && !err; i++)
		err = apply(s, &change[i]);
	if (!err && clock)
		err = rsip_sqlite_put_clock(s, now);
	if (!err)
		err = rsip_sqlite_run(s, COMMIT);
	if (err) {
		char why[sizeof(s->why)];

		memcpy(why, s->why, sizeof(why));
		if (!sqlite3_get_autocommit(s->db))
			rsip_sqlite_run(s, ROLLBACK);
		memcpy(s->why, why, sizeof(why));
		return err;
	}
	if (clock)
		s->written = *now;
	return 0;
}

/* ---- open and close ------------------------------------------------------------------------------------------------------ */

static void sqlite_close(struct rsip_store *store)
{
	struct sqlite_store *s = (struct sqlite_store *)store;

	rsip_sqlite_shut(s);
	free(s->text);
	free(s);
}

static const struct rsip_store_ops sqlite_ops = {
	.name = "sqlite",
	.load = rsip_sqlite_load,
	.commit = sqlite_commit,
	.why = sqlite_why,
	.close = sqlite_close,
};

int rsip_store_sqlite(const char *path, struct rsip_store **out, char *why, size_t why_len)
{
	struct sqlite_store *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->store.ops = &sqlite_ops;
	s->lock_fd = -1;
	snprintf(s->path, sizeof(s->path), "%s", path);
	err = rsip_sqlite_open(s, false, true);
	if (rsip_sqlite_passes(err))
		err = rsip_sqlite_open_overlay(s, err);
	if (!err) {
		*out = &s->store;
		return 0;
	}
	snprintf(why, why_len, "cannot open the lease store: %s: %s%s", path, s->why,
		 err == -EBUSY ? " (is another rsipd running?)" : "");
	sqlite_close(&s->store);
	return err;
}
