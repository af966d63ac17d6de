// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The schema of the lease store and its versions.  A file of an older version is brought up to date in one
 * transaction, step by step; a file of a newer one is refused, untouched.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "store.h"
#include "store_sqlite.h"
#include "util.h"

/* step[v]: from version v to v + 1; version 0 is an empty file. */
static const char *const step[RSIP_STORE_SCHEMA] = {
	"CREATE TABLE made (secret INTEGER NOT NULL);"
	"CREATE TABLE written (boot_id TEXT NOT NULL, mono_ns INTEGER NOT NULL, real_ns INTEGER NOT NULL);"
	"INSERT INTO written VALUES ('', 0, 0);"
	/* rest_ns: 0 leased, else ended.  Addresses are numbers; ports and spis are lists: '1024-1087 2048'. */
	"CREATE TABLE lease (seq INTEGER PRIMARY KEY, bind_id INTEGER NOT NULL, client_id INTEGER NOT NULL,"
	" host INTEGER NOT NULL, local INTEGER NOT NULL, endpoint INTEGER NOT NULL, remote INTEGER NOT NULL,"
	" remote_port INTEGER NOT NULL, remote_port_cnt INTEGER NOT NULL, mtu INTEGER NOT NULL, method INTEGER NOT NULL,"
	" tunnel INTEGER NOT NULL, kind INTEGER NOT NULL, start_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
	" rest_ns INTEGER NOT NULL, ports TEXT NOT NULL, spis TEXT NOT NULL);"
	/* departed_ns: 0 registered, else de-registered.  n .. answer: the last executed request, RFC 3103 10.1. */
	"CREATE TABLE client (seq INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, host INTEGER NOT NULL,"
	" iface INTEGER NOT NULL, transport INTEGER NOT NULL, local_policy INTEGER NOT NULL, remote_policy INTEGER NOT NULL,"
	" start_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, departed_ns INTEGER NOT NULL, n INTEGER NOT NULL,"
	" port INTEGER NOT NULL, type INTEGER NOT NULL, hash INTEGER NOT NULL, at_ns INTEGER NOT NULL, answer BLOB);",

	/* 2: authenticated hosts */
	"ALTER TABLE client ADD COLUMN mac_seq INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE client ADD COLUMN key_id INTEGER NOT NULL DEFAULT 0;",

	/* 3: a key's sequence outlives its hosts' registrations; an interface has a name, ':2' is number 2 of before */
	"CREATE TABLE key (id INTEGER PRIMARY KEY, mac_seq INTEGER NOT NULL);"
	"INSERT INTO key SELECT key_id, max(mac_seq) FROM client WHERE key_id != 0 GROUP BY key_id;"
	"ALTER TABLE client DROP COLUMN mac_seq;"
	"ALTER TABLE client RENAME COLUMN iface TO iface_number;"
	"ALTER TABLE client ADD COLUMN iface TEXT NOT NULL DEFAULT '';"
	"UPDATE client SET iface = ':' || iface_number;"
	"ALTER TABLE client DROP COLUMN iface_number;",

	/* 4: host may be a handle, of this IPv6 address (16 bytes) */
	"ALTER TABLE client ADD COLUMN host6 BLOB;",
};

static int failed(sqlite3 *db, char *why, size_t why_len)
{
	int system = sqlite3_system_errno(db);

	snprintf(why, why_len, "%s%s%s", sqlite3_errmsg(db), system ? ": " : "", system ? strerror(system) : "");
	return rsip_sqlite_errno(db);
}

static int one_value(sqlite3 *db, const char *query, char *text, size_t size)
{
	sqlite3_stmt *q;
	int rc = sqlite3_prepare_v2(db, query, -1, &q, NULL);

	if (rc)
		return rc;
	rc = sqlite3_step(q);
	snprintf(text, size, "%s", rc == SQLITE_ROW ? (const char *)sqlite3_column_text(q, 0) : "");
	sqlite3_finalize(q);
	return rc == SQLITE_ROW || rc == SQLITE_DONE ? SQLITE_OK : rc;
}

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)

/* The lock first: where nothing is shared no file beside the store is shared memory. */
static int set_up(sqlite3 *db, bool shared, char *why, size_t why_len)
{
	char mode[16];

	if (sqlite3_exec(db, shared ? "PRAGMA locking_mode = NORMAL" : "PRAGMA locking_mode = EXCLUSIVE", NULL, NULL, NULL) ||
	    one_value(db, "PRAGMA journal_mode = WAL", mode, sizeof(mode)) ||
	    sqlite3_exec(db, "PRAGMA synchronous = FULL; PRAGMA cache_size = -65536;"
			     "PRAGMA wal_autocheckpoint = " TEXT_OF(RSIP_STORE_WAL_PAGES) "; BEGIN EXCLUSIVE; COMMIT",
			 NULL, NULL, NULL))
		return failed(db, why, why_len);
	if (!strcmp(mode, "wal"))
		return 0;
	snprintf(why, why_len, "no write-ahead log here (journal mode %s)", mode);
	return -EOPNOTSUPP;
}

static int check(sqlite3 *db, char *why, size_t why_len)
{
	char found[200];

	if (one_value(db, "PRAGMA quick_check(1)", found, sizeof(found)))
		return failed(db, why, why_len);
	if (!strcmp(found, "ok"))
		return 0;
	snprintf(why, why_len, "it is damaged: %s", found);
	return -EBADMSG;
}

static int upgrade(sqlite3 *db, int from, uint64_t *secret, char *why, size_t why_len)
{
	char text[128];
	int rc = sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

	for (int v = from; v < RSIP_STORE_SCHEMA && !rc; v++)
		rc = sqlite3_exec(db, step[v], NULL, NULL, NULL);
	while (!*secret)
		rsip_random(secret, sizeof(*secret));
	snprintf(text, sizeof(text), "INSERT INTO made VALUES (%lld)", (long long)*secret);
	if (!rc && !from)
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	snprintf(text, sizeof(text), "PRAGMA user_version = %d; COMMIT", RSIP_STORE_SCHEMA);
	if (!rc)
		rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	if (!rc) {
		if (from)
			log_info("the lease store was brought from version %d to %d", from, RSIP_STORE_SCHEMA);
		return 0;
	}
	rc = failed(db, why, why_len);
	sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int rsip_sqlite_schema(sqlite3 *db, bool shared, bool with_check, bool *fresh, uint64_t *secret, char *why, size_t why_len)
{
	char version[16];
	int from, err = set_up(db, shared, why, why_len);

	if (!err && one_value(db, "PRAGMA user_version", version, sizeof(version)))
		err = failed(db, why, why_len);
	if (err)
		return err;
	from = (int)strtol(version, NULL, 10);
	if (from > RSIP_STORE_SCHEMA || from < 0) {
		snprintf(why, why_len,
			 "a newer rsipd wrote it: version %d, this one knows %d: start the newer one again, or set "
			 "the file aside (leases are then granted as if there had been none)",
			 from, RSIP_STORE_SCHEMA);
		return -EPROTO;
	}
	*fresh = from == 0;
	if (from && with_check)
		err = check(db, why, why_len);
	return err || from == RSIP_STORE_SCHEMA ? err : upgrade(db, from, secret, why, why_len);
}
