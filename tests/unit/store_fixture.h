/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A store in a folder of its own, rows to put into it, and what came back. */
#ifndef STORE_FIXTURE_H
#define STORE_FIXTURE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "seeded.h"
#include "store_sqlite.h"
#include "util.h"

#define S RSIP_NS_PER_S

static char folder[64] __attribute__((unused)), path[96];
static struct rsip_store *store;
static struct rsip_store_info info;
static struct rsip_store_clock boot = { .boot_id = "boot-1", .mono_ns = 1000 * S, .real_ns = 5000000 * S };

static inline void make_folder(void)
{
	strcpy(folder, "/tmp/rsip-test-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/leases.sqlite", folder);
}

static inline void drop_files(void)
{
	static const char *const ends[] = { "", "-wal", "-journal", "-shm" };
	char name[160];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static inline void drop_folder(void)
{
	if (store)
		store->ops->close(store);
	store = NULL;
	drop_files();
	rmdir(folder);
}

/* ---- rows -------------------------------------------------------------------------------------------------------------- */

static const struct rsip_store_range ranges[] = { { 1024, 64 }, { 4000, 1 }, { 0xfffffff0, 16 } };

static inline struct rsip_store_lease a_lease(uint64_t seq)
{
	return (struct rsip_store_lease){
		.seq = seq, .start_ns = 900 * S, .expires_ns = 2000 * S, .client_id = 0xfffffffe, .bind_id = 7,
		.host = htonl(0x0a000001), .local = htonl(0xcb007101), .endpoint = htonl(0x0a0000fe), .remote = htonl(0xc6336401),
		.remote_port = 443, .remote_port_cnt = 2, .mtu = 1480, .method = 3, .tunnel = 1, .kind = 4,
		.port_ranges = 2, .spi_ranges = 1, .range = ranges,
	};
}

static inline struct rsip_store_client a_client(uint64_t seq)
{
	return (struct rsip_store_client){
		.seq = seq, .start_ns = 900 * S, .expires_ns = 2000 * S, .key_id = 0xfffffffd, .client_id = 0xfffffffe,
		.host = htonl(0x0a000001), .iface = "fifteen-letters", .transport = 2, .local_policy = 1, .remote_policy = 3,
		.last = { .hash = 0xfedcba9876543210, .at_ns = 950 * S, .n = 0xffffffff, .port = 65535, .len = 4, .type = 22,
			  .bytes = (const uint8_t *)"\0\1\2\3" },
	};
}

static const struct rsip_store_key a_key = { .key_id = 0xfffffffd, .mac_seq = 1ULL << 50 };

static struct read_back {
	uint32_t leases, clients, keys;
	struct rsip_store_key key;
	struct rsip_store_lease lease;
	struct rsip_store_range range[3];
	struct rsip_store_client client;
	uint8_t answer[4];
	uint64_t sum; /* of all that was read, whatever the order */
} got;

static inline uint64_t mix(uint64_t sum, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ULL;
	return sum;
}

static inline int on_lease(void *arg, const struct rsip_store_lease *row)
{
	struct read_back *r = arg;
	uint64_t facts[] = { row->seq, row->bind_id, row->expires_ns, row->rest_ns, row->host, row->local };
	uint64_t sum = mix(1, facts, sizeof(facts));

	r->leases++;
	r->lease = *row;
	if (row->port_ranges + row->spi_ranges == 3)
		memcpy(r->range, row->range, sizeof(r->range));
	r->sum += mix(sum, row->range, (row->port_ranges + row->spi_ranges) * sizeof(*row->range));
	return 0;
}

static inline int on_key(void *arg, const struct rsip_store_key *row)
{
	struct read_back *r = arg;
	uint64_t facts[] = { row->key_id, row->mac_seq };

	r->keys++;
	r->key = *row;
	r->sum += mix(3, facts, sizeof(facts));
	return 0;
}

static inline int on_client(void *arg, const struct rsip_store_client *row)
{
	struct read_back *r = arg;
	uint64_t facts[] = { row->seq, row->client_id, row->expires_ns, row->last.n, row->last.hash };

	r->clients++;
	r->client = *row;
	if (row->last.len == 4)
		memcpy(r->answer, row->last.bytes, 4);
	r->sum += mix(mix(2, facts, sizeof(facts)), row->last.bytes, row->last.len);
	return 0;
}

static inline void load_at(const struct rsip_store_clock *now)
{
	const struct rsip_store_reader reader = { .arg = &got, .key = on_key, .client = on_client, .lease = on_lease };

	memset(&got, 0, sizeof(got));
	cr_assert_eq(store->ops->load(store, now, &reader, &info), 0, "%s", store->ops->why(store));
}

static inline void open_sqlite(void)
{
	char why[256] = "";

	cr_assert_eq(rsip_store_sqlite(path, &store, why, sizeof(why)), 0, "%s", why);
}

static inline void reopen(void)
{
	store->ops->close(store);
	open_sqlite();
	load_at(&boot);
}

static inline void commit_both(void)
{
	struct rsip_store_change c[] = { { .kind = RSIP_STORE_CLIENT, .seq = 3, .client = a_client(3) },
					 { .kind = RSIP_STORE_KEY, .seq = a_key.key_id, .key = a_key },
					 { .kind = RSIP_STORE_LEASE, .seq = 5, .lease = a_lease(5) } };

	cr_assert_eq(store->ops->commit(store, c, 3, &boot), 0);
}

static inline void expect_both(void)
{
	struct rsip_store_lease l = a_lease(5);
	struct rsip_store_client c = a_client(3);

	cr_assert_eq(got.leases, 1);
	cr_assert_eq(got.clients, 1);
	l.range = got.lease.range;
	cr_assert_eq(memcmp(&l, &got.lease, sizeof(l)), 0);
	cr_assert_eq(memcmp(ranges, got.range, sizeof(ranges)), 0);
#define SAME(field) cr_assert_eq(c.field, got.client.field, #field)
	SAME(seq);
	SAME(start_ns);
	SAME(expires_ns);
	SAME(departed_ns);
	SAME(key_id);
	SAME(client_id);
	SAME(host);
	cr_assert_eq(memcmp(c.host6, got.client.host6, sizeof(c.host6)), 0);
	cr_assert_str_eq(c.iface, got.client.iface);
	SAME(transport);
	SAME(local_policy);
	SAME(remote_policy);
	SAME(last.hash);
	SAME(last.at_ns);
	SAME(last.n);
	SAME(last.port);
	SAME(last.len);
	SAME(last.type);
	cr_assert_eq(memcmp(got.answer, "\0\1\2\3", 4), 0);
	cr_assert_eq(got.keys, 1);
	cr_assert_eq(got.key.key_id, a_key.key_id);
	cr_assert_eq(got.key.mac_seq, a_key.mac_seq);
}

static inline void run_sql(const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, &why), SQLITE_OK, "%s", why);
	sqlite3_close(db);
}

/* As version 2 wrote it: three registrations, two of them with one key. */
static const char version_2[] =
	"CREATE TABLE made (secret INTEGER NOT NULL); INSERT INTO made VALUES (-78);"
	"CREATE TABLE written (boot_id TEXT NOT NULL, mono_ns INTEGER NOT NULL, real_ns INTEGER NOT NULL);"
	"INSERT INTO written VALUES ('boot-1', 1000000000000, 5000000000000000);"
	"CREATE TABLE lease (seq INTEGER PRIMARY KEY, bind_id INTEGER NOT NULL, client_id INTEGER NOT NULL,"
	" host INTEGER NOT NULL, local INTEGER NOT NULL, endpoint INTEGER NOT NULL, remote INTEGER NOT NULL,"
	" remote_port INTEGER NOT NULL, remote_port_cnt INTEGER NOT NULL, mtu INTEGER NOT NULL, method INTEGER NOT NULL,"
	" tunnel INTEGER NOT NULL, kind INTEGER NOT NULL, start_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
	" rest_ns INTEGER NOT NULL, ports TEXT NOT NULL, spis TEXT NOT NULL);"
	"INSERT INTO lease VALUES (5, 7, 9, 167772161, 3405803777, 0, 0, 0, 0, 1480, 3, 1, 0, 1, 2000000000000, 0, '1024-1087 2000',"
	" '4294967280-4294967295');"
	"INSERT INTO lease VALUES (6, 8, 9, 167772161, 3405803777, 0, 0, 0, 0, 1480, 2, 1, 0, 1, 1500000000000, 1100000000000, '3000', '');"
	"CREATE TABLE client (seq INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, host INTEGER NOT NULL,"
	" iface INTEGER NOT NULL, transport INTEGER NOT NULL, local_policy INTEGER NOT NULL, remote_policy INTEGER NOT NULL,"
	" start_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, departed_ns INTEGER NOT NULL, n INTEGER NOT NULL,"
	" port INTEGER NOT NULL, type INTEGER NOT NULL, hash INTEGER NOT NULL, at_ns INTEGER NOT NULL, answer BLOB,"
	" mac_seq INTEGER NOT NULL DEFAULT 0, key_id INTEGER NOT NULL DEFAULT 0);"
	"INSERT INTO client VALUES (1, 11, 167772163, 2, 2, 2, 1, 1, 2000000000000, 0, 5, 4555, 8, 9, 1, NULL, 1748000000000009, 77);"
	"INSERT INTO client VALUES (2, 12, 167772164, 3, 1, 2, 1, 1, 2000000000000, 0, 5, 4555, 8, 9, 1, NULL, 1748000000000001, 77);"
	"INSERT INTO client VALUES (3, 9, 167772161, 2, 2, 2, 1, 1, 2000000000000, 0, 41, 4555, 8, -1, 1, x'00010203', 0, 0);"
	"PRAGMA journal_mode = WAL; PRAGMA user_version = 2;";

static inline off_t log_size(void)
{
	char name[120];
	struct stat st;

	snprintf(name, sizeof(name), "%s-wal", path);
	return stat(name, &st) ? 0 : st.st_size;
}

/* ---- random changes ---------------------------------------------------------------------------------------------------- */

static inline uint32_t pick(uint32_t below)
{
	return (uint32_t)(seeded_step(&seed) >> 33) % below;
}

static inline struct rsip_store_change random_change(void)
{
	struct rsip_store_range r = { 1024 + 64 * pick(900), 1 + pick(64) };
	static struct rsip_store_range kept[64];
	static unsigned int at;
	struct rsip_store_change c = { .kind = pick(3) ? RSIP_STORE_LEASE : RSIP_STORE_CLIENT, .seq = 1 + pick(3000) };

	c.gone = pick(4) == 0;
	if (pick(8) == 0) {
		c.kind = RSIP_STORE_KEY;
		c.key = (struct rsip_store_key){ .key_id = (uint32_t)c.seq, .mac_seq = pick(1000000) };
		return c;
	}
	if (c.kind == RSIP_STORE_CLIENT) {
		c.client = a_client(c.seq);
		c.client.last.n = pick(1000000);
		return c;
	}
	kept[at % 64] = r;
	c.lease = a_lease(c.seq);
	c.lease.range = &kept[at++ % 64];
	c.lease.port_ranges = 1;
	c.lease.spi_ranges = 0;
	c.lease.bind_id = pick(1000000);
	return c;
}

#endif
