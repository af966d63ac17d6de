// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the SQLite store holds is read at start. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_sqlite.h"

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

static int read_key(sqlite3_stmt *q, const struct rsip_store_reader *reader)
{
	const struct rsip_store_key k = {
		.key_id = (uint32_t)sqlite3_column_int64(q, 0),
		.mac_seq = (uint64_t)sqlite3_column_int64(q, 1),
	};

	return reader->key(reader->arg, &k);
}

static int read_client(sqlite3_stmt *q, const struct rsip_store_reader *reader)
{
	struct rsip_store_client c = {
		.seq = (uint64_t)sqlite3_column_int64(q, 0),
		.client_id = (uint32_t)sqlite3_column_int64(q, 1),
		.host = htonl((uint32_t)sqlite3_column_int64(q, 2)),
		.transport = (uint8_t)sqlite3_column_int(q, 4),
		.local_policy = (uint8_t)sqlite3_column_int(q, 5),
		.remote_policy = (uint8_t)sqlite3_column_int(q, 6),
		.start_ns = (uint64_t)sqlite3_column_int64(q, 7),
		.expires_ns = (uint64_t)sqlite3_column_int64(q, 8),
		.departed_ns = (uint64_t)sqlite3_column_int64(q, 9),
		.key_id = (uint32_t)sqlite3_column_int64(q, 10),
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

	if (sqlite3_column_bytes(q, 17) == (int)sizeof(c.host6))
		memcpy(c.host6, sqlite3_column_blob(q, 17), sizeof(c.host6));
	snprintf(c.iface, sizeof(c.iface), "%s", (const char *)sqlite3_column_text(q, 3));
	return reader->client(reader->arg, &c);
}

static int read_rows(struct sqlite_store *s, const char *query, const struct rsip_store_reader *reader,
		     int (*row)(sqlite3_stmt *q, const struct rsip_store_reader *reader))
{
	sqlite3_stmt *q;
	int rc = 0, err = 0;

	if (sqlite3_prepare_v2(s->db, query, -1, &q, NULL))
		return rsip_sqlite_failed(s);
	while (!err && (rc = sqlite3_step(q)) == SQLITE_ROW)
		err = row(q, reader);
	if (!err && rc != SQLITE_DONE)
		err = rsip_sqlite_failed(s);
	sqlite3_finalize(q);
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

int rsip_sqlite_read_written(struct sqlite_store *s)
{
	const struct rsip_store_reader mine = { .arg = s };

	return read_rows(s, "SELECT boot_id, mono_ns, real_ns FROM written", &mine, read_written);
}

/* The file as it stands, its times being this boot's. */
static int make_ready(struct sqlite_store *s, const struct rsip_store_clock *now)
{
	const struct rsip_store_reader secret = { .arg = &s->secret };
	int err = rsip_sqlite_read_written(s);

	if (!err)
		err = read_rows(s, "SELECT secret FROM made", &secret, read_secret);
	return err ? err : rsip_sqlite_settle(s, now);
}

static int read_all(struct sqlite_store *s, const struct rsip_store_reader *reader)
{
	int err = read_rows(s, "SELECT id, mac_seq FROM key ORDER BY id", reader, read_key);

	if (!err)
		err = read_rows(s,
				"SELECT seq, client_id, host, iface, transport, local_policy, remote_policy, start_ns, expires_ns,"
				" departed_ns, key_id, n, port, type, hash, at_ns, answer, host6 FROM client ORDER BY seq",
				reader, read_client);
	if (!err)
		err = read_rows(s,
				"SELECT seq, bind_id, client_id, host, local, endpoint, remote, remote_port, remote_port_cnt, mtu,"
				" method, tunnel, kind, start_ns, expires_ns, rest_ns, ports, spis FROM lease ORDER BY seq",
				reader, read_lease);
	return err;
}

int rsip_sqlite_load(struct rsip_store *store, const struct rsip_store_clock *now, const struct rsip_store_reader *reader,
		     struct rsip_store_info *info)
{
	struct sqlite_store *s = (struct sqlite_store *)store;
	int err = make_ready(s, now);

	if (rsip_sqlite_passes(err) && !s->overlay) {
		rsip_sqlite_shut(s);
		err = rsip_sqlite_open_overlay(s, err);
		if (!err)
			err = make_ready(s, now);
	}
	*info = (struct rsip_store_info){ .secret = s->secret, .fresh = s->fresh };
	if (!err)
		err = read_all(s, reader);
	if (s->overlay)
		rsip_sqlite_shut(s); /* the file itself is opened before the first commit */
	else
		s->fresh = false;
	s->overlay = false;
	return err;
}
