/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inside the SQLite store. */
#ifndef RSIP_STORE_SQLITE_H
#define RSIP_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>

#define RSIP_STORE_SCHEMA 2 /* PRAGMA user_version; each step from the one before is in store_schema.c */

/* The last failure as -errno. */
int rsip_sqlite_errno(sqlite3 *db);
/* Sets the connection up, makes the schema or brings it up to date, and checks the file. */
int rsip_sqlite_schema(sqlite3 *db, bool *fresh, char *why, size_t why_len);

#endif
