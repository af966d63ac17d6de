// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lease store, in memory and in SQLite: what comes back, what a failure changes, versions, reboots, power cuts. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cutvfs.h"
#include "journal.h"
#include "store_sqlite.h"
#include "util.h"

#define S RSIP_NS_PER_S

static char folder[64], path[96];
static struct rsip_store *store;
static struct rsip_store_info info;
static struct rsip_store_clock boot = { .boot_id = "boot-1", .mono_ns = 1000 * S, .real_ns = 5000000 * S };

static void make_folder(void)
{
	strcpy(folder, "/tmp/rsip-test-XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/leases.sqlite", folder);
}

static void drop_files(void)
{
	static const char *const ends[] = { "", "-wal", "-journal", "-shm" };
	char name[160];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(ends); i++) {
		snprintf(name, sizeof(name), "%s%s", path, ends[i]);
		unlink(name);
	}
}

static void drop_folder(void)
{
	if (store)
		store->ops->close(store);
	store = NULL;
	drop_files();
	rmdir(folder);
}

/* ---- rows -------------------------------------------------------------------------------------------------------------- */

static const struct rsip_store_range ranges[] = { { 1024, 64 }, { 4000, 1 }, { 0xfffffff0, 16 } };

static struct rsip_store_lease a_lease(uint64_t seq)
{
	return (struct rsip_store_lease){
		.seq = seq, .start_ns = 900 * S, .expires_ns = 2000 * S, .client_id = 0xfffffffe, .bind_id = 7,
		.host = htonl(0x0a000001), .local = htonl(0xcb007101), .endpoint = htonl(0x0a0000fe), .remote = htonl(0xc6336401),
		.remote_port = 443, .remote_port_cnt = 2, .mtu = 1480, .method = 3, .tunnel = 1, .kind = 4,
		.port_ranges = 2, .spi_ranges = 1, .range = ranges,
	};
}

static struct rsip_store_client a_client(uint64_t seq)
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

static uint64_t mix(uint64_t sum, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ULL;
	return sum;
}

static int on_lease(void *arg, const struct rsip_store_lease *row)
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

static int on_key(void *arg, const struct rsip_store_key *row)
{
	struct read_back *r = arg;
	uint64_t facts[] = { row->key_id, row->mac_seq };

	r->keys++;
	r->key = *row;
	r->sum += mix(3, facts, sizeof(facts));
	return 0;
}

static int on_client(void *arg, const struct rsip_store_client *row)
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

static void load_at(const struct rsip_store_clock *now)
{
	const struct rsip_store_reader reader = { .arg = &got, .key = on_key, .client = on_client, .lease = on_lease };

	memset(&got, 0, sizeof(got));
	cr_assert_eq(store->ops->load(store, now, &reader, &info), 0, "%s", store->ops->why(store));
}

static void open_sqlite(void)
{
	char why[256] = "";

	cr_assert_eq(rsip_store_sqlite(path, &store, why, sizeof(why)), 0, "%s", why);
}

static void reopen(void)
{
	store->ops->close(store);
	open_sqlite();
	load_at(&boot);
}

static void commit_both(void)
{
	struct rsip_store_change c[] = { { .kind = RSIP_STORE_CLIENT, .seq = 3, .client = a_client(3) },
					 { .kind = RSIP_STORE_KEY, .seq = a_key.key_id, .key = a_key },
					 { .kind = RSIP_STORE_LEASE, .seq = 5, .lease = a_lease(5) } };

	cr_assert_eq(store->ops->commit(store, c, 3, &boot), 0);
}

static void expect_both(void)
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

TestSuite(store, .init = make_folder, .fini = drop_folder);

Test(store, every_field_comes_back_from_the_file)
{
	uint64_t secret;

	open_sqlite();
	load_at(&boot);
	cr_assert(info.fresh);
	secret = info.secret;
	cr_assert_neq(secret, 0);
	commit_both();
	reopen();
	cr_assert(!info.fresh);
	cr_assert_eq(info.secret, secret);
	expect_both();
}

Test(store, the_twin_in_memory_answers_alike)
{
	cr_assert_eq(rsip_store_mem(&store), 0);
	load_at(&boot);
	cr_assert(info.fresh);
	commit_both();
	load_at(&boot);
	cr_assert(!info.fresh);
	expect_both();
	rsip_store_mem_fail(store, -ENOSPC);
	cr_assert_eq(store->ops->commit(store, NULL, 0, &boot), -ENOSPC);
}

Test(store, a_row_that_is_gone_is_gone_and_one_that_changed_has_changed)
{
	struct rsip_store_change c[] = { { .kind = RSIP_STORE_CLIENT, .seq = 3, .gone = true },
					 { .kind = RSIP_STORE_LEASE, .seq = 5, .lease = a_lease(5) } };

	open_sqlite();
	load_at(&boot);
	commit_both();
	c[1].lease.rest_ns = 2100 * S;
	c[1].lease.port_ranges = 1;
	c[1].lease.spi_ranges = 0;
	cr_assert_eq(store->ops->commit(store, c, 2, &boot), 0);
	reopen();
	cr_assert_eq(got.clients, 0);
	cr_assert_eq(got.lease.rest_ns, 2100 * S);
	cr_assert_eq(got.lease.port_ranges, 1);
	cr_assert_eq(got.lease.spi_ranges, 0);
	cr_assert_eq(got.keys, 1, "it outlives the registration");
	c[0] = (struct rsip_store_change){ .kind = RSIP_STORE_KEY, .seq = a_key.key_id, .gone = true };
	cr_assert_eq(store->ops->commit(store, c, 1, &boot), 0);
	reopen();
	cr_assert_eq(got.keys, 0);
	cr_assert_eq(got.leases, 1);
}

static off_t log_size(void)
{
	char name[120];
	struct stat st;

	snprintf(name, sizeof(name), "%s-wal", path);
	return stat(name, &st) ? 0 : st.st_size;
}

Test(store, the_log_has_its_length_before_it_is_used_and_keeps_it)
{
	off_t size;

	open_sqlite();
	size = log_size();
	cr_assert_geq(size, (off_t)RSIP_STORE_WAL_PAGES * 4096, "(needs 80 MB of free disk)");
	load_at(&boot);
	for (int i = 0; i < 200; i++)
		commit_both();
	cr_assert_eq(log_size(), size);
	reopen();
	cr_assert_eq(log_size(), size, "closed and opened again");
	expect_both();
}

/* A disk of so many bytes on the folder; false: not allowed to. */
static bool small_disk(const char *size)
{
	return !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) && !mount("tmpfs", folder, "tmpfs", 0, size);
}

Test(store, on_a_small_disk_the_log_takes_no_room_in_advance)
{
	if (!small_disk("size=4m"))
		cr_skip_test("needs CAP_SYS_ADMIN to mount a small file system: run as root");
	open_sqlite();
	cr_assert_lt(log_size(), 1024 * 1024);
	load_at(&boot);
	commit_both();
	reopen();
	expect_both();
	store->ops->close(store);
	store = NULL;
	umount(folder);
}

/* ---- boots and clocks ------------------------------------------------------------------------------------------------------ */

static uint64_t left_after(struct rsip_store_clock now)
{
	store->ops->close(store);
	open_sqlite();
	load_at(&now);
	return got.lease.expires_ns > now.mono_ns ? got.lease.expires_ns - now.mono_ns : 0;
}

Test(store, after_a_reboot_a_lease_has_what_the_wall_clock_left_of_it)
{
	struct rsip_store_clock later = { .boot_id = "boot-2", .mono_ns = 20 * S, .real_ns = 5000400 * S };

	open_sqlite();
	load_at(&boot);
	commit_both(); /* at 1000 s of the boot: 1000 s are left */
	cr_assert_eq(left_after(later), 600 * S, "400 s have passed since");
	cr_assert_eq(got.client.expires_ns - later.mono_ns, 600 * S);
	cr_assert_eq(got.lease.rest_ns, 0, "leased stays leased");
	later.mono_ns = 100 * S;
	later.real_ns = 4000000 * S;
	cr_assert_eq(left_after(later), 520 * S, "the same boot: a clock that was set says nothing");
	later = (struct rsip_store_clock){ .boot_id = "boot-3", .mono_ns = 5 * S, .real_ns = 1 * S };
	cr_assert_leq(left_after(later), 600 * S, "no clock after the reboot: at most what was left when last written");
	cr_assert_geq(left_after(later), 500 * S);
}

Test(store, a_clock_that_was_set_during_a_boot_counts_as_it_is_set)
{
	struct rsip_store_clock set = boot, later;
	struct rsip_store_change none = { .kind = RSIP_STORE_CLIENT, .seq = 99, .gone = true };

	open_sqlite();
	boot.real_ns = 100 * S; /* no clock yet */
	load_at(&boot);
	commit_both();
	set.mono_ns += S;
	set.real_ns = 7000001 * S; /* the network told the time */
	cr_assert_eq(store->ops->commit(store, &none, 1, &set), 0);
	later = (struct rsip_store_clock){ .boot_id = "boot-2", .mono_ns = 10 * S, .real_ns = 7000101 * S };
	cr_assert_eq(left_after(later), 899 * S);
}

/* ---- versions and damage ---------------------------------------------------------------------------------------------------- */

static void run_sql(const char *text)
{
	sqlite3 *db;
	char *why = NULL;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, &why), SQLITE_OK, "%s", why);
	sqlite3_close(db);
}

/* As version 1 wrote it. */
static const char version_1[] =
	"CREATE TABLE made (secret INTEGER NOT NULL); INSERT INTO made VALUES (77);"
	"CREATE TABLE written (boot_id TEXT NOT NULL, mono_ns INTEGER NOT NULL, real_ns INTEGER NOT NULL);"
	"INSERT INTO written VALUES ('boot-1', 1000000000000, 5000000000000000);"
	"CREATE TABLE lease (seq INTEGER PRIMARY KEY, bind_id INTEGER NOT NULL, client_id INTEGER NOT NULL,"
	" host INTEGER NOT NULL, local INTEGER NOT NULL, endpoint INTEGER NOT NULL, remote INTEGER NOT NULL,"
	" remote_port INTEGER NOT NULL, remote_port_cnt INTEGER NOT NULL, mtu INTEGER NOT NULL, method INTEGER NOT NULL,"
	" tunnel INTEGER NOT NULL, kind INTEGER NOT NULL, start_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL,"
	" rest_ns INTEGER NOT NULL, ports TEXT NOT NULL, spis TEXT NOT NULL);"
	"INSERT INTO lease VALUES (5, 7, 9, 167772161, 3405803777, 0, 0, 0, 0, 1480, 2, 1, 0, 1, 2000000000000, 0, '1024-1087 2000', '');"
	"CREATE TABLE client (seq INTEGER PRIMARY KEY, client_id INTEGER NOT NULL, host INTEGER NOT NULL,"
	" iface INTEGER NOT NULL, transport INTEGER NOT NULL, local_policy INTEGER NOT NULL, remote_policy INTEGER NOT NULL,"
	" start_ns INTEGER NOT NULL, expires_ns INTEGER NOT NULL, departed_ns INTEGER NOT NULL, n INTEGER NOT NULL,"
	" port INTEGER NOT NULL, type INTEGER NOT NULL, hash INTEGER NOT NULL, at_ns INTEGER NOT NULL, answer BLOB);"
	"INSERT INTO client VALUES (3, 9, 167772161, 2, 2, 2, 1, 1, 2000000000000, 0, 41, 4555, 8, -1, 1, x'00010203');"
	"PRAGMA user_version = 1;";

Test(store, a_file_of_version_1_is_brought_up_to_date_with_all_its_rows)
{
	run_sql(version_1);
	open_sqlite();
	load_at(&boot);
	cr_assert(!info.fresh);
	cr_assert_eq(info.secret, 77);
	cr_assert_eq(got.leases, 1);
	cr_assert_eq(got.lease.port_ranges, 2);
	cr_assert_eq(got.client.last.n, 41);
	cr_assert_eq(got.client.last.hash, UINT64_MAX);
	cr_assert_eq(got.client.key_id, 0);
	cr_assert_eq(got.keys, 0);
	cr_assert_str_eq(got.client.iface, ":2");
	commit_both();
	reopen();
	expect_both();
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

Test(store, a_file_of_version_2_is_brought_up_to_date_with_its_keys_and_interfaces)
{
	run_sql(version_2);
	open_sqlite();
	load_at(&boot);
	cr_assert(!info.fresh);
	cr_assert_eq((int64_t)info.secret, -78);
	cr_assert_eq(got.leases, 2);
	cr_assert_eq(got.lease.seq, 6);
	cr_assert_eq(got.lease.rest_ns, 1100 * S);
	cr_assert_eq(got.clients, 3);
	cr_assert_eq(got.client.last.n, 41);
	cr_assert_eq(got.client.last.len, 4);
	cr_assert_eq(memcmp(got.answer, "\0\1\2\3", 4), 0);
	cr_assert_str_eq(got.client.iface, ":2", "the number is all that was known");
	cr_assert_eq(got.client.key_id, 0);
	cr_assert_eq(got.keys, 1, "of two registrations");
	cr_assert_eq(got.key.key_id, 77);
	cr_assert_eq(got.key.mac_seq, 1748000000000009, "the highest that was seen");
	commit_both();
	reopen();
	cr_assert_eq(got.clients, 3);
	cr_assert_eq(got.keys, 2);
	cr_assert_str_eq(got.client.iface, "fifteen-letters");
}

static int open_fails(char *why, size_t len)
{
	struct rsip_store *s = NULL;
	int err = rsip_store_sqlite(path, &s, why, len);

	if (!err)
		s->ops->close(s);
	return err;
}

Test(store, what_cannot_be_used_is_refused_with_a_reason)
{
	char why[256];
	FILE *f;

	run_sql("CREATE TABLE x (y); INSERT INTO x VALUES (1); PRAGMA user_version = 4;");
	cr_assert_eq(open_fails(why, sizeof(why)), -EPROTO);
	cr_assert_not_null(strstr(why, "newer rsipd"), "%s", why);
	cr_assert_not_null(strstr(why, "version 4, this one knows 3"), "%s", why);
	run_sql("DROP TABLE x"); /* it was left alone */
	unlink(path);
	f = fopen(path, "w");
	fputs("this is a text, and longer than the header of a database, which has one hundred bytes, all in all........", f);
	fclose(f);
	cr_assert_eq(open_fails(why, sizeof(why)), -EBADMSG);
	unlink(path);
	open_sqlite();
	cr_assert_eq(open_fails(why, sizeof(why)), -EBUSY);
	cr_assert_not_null(strstr(why, "another rsipd"), "%s", why);
	strcat(folder, "/none");
	snprintf(path, sizeof(path), "%s/leases", folder);
	cr_assert_eq(open_fails(why, sizeof(why)), -ENOENT);
	*strrchr(folder, '/') = '\0';
	snprintf(path, sizeof(path), "%s/leases.sqlite", folder);
}

/* ---- the journal -------------------------------------------------------------------------------------------------------------- */

Test(journal, a_row_that_changes_again_before_its_commit_is_written_once)
{
	struct rsip_journal_mark mark = { 0, 0 };
	struct rsip_store_lease l = a_lease(5);
	const struct rsip_batch *b;
	struct rsip_journal *j;

	cr_assert_eq(rsip_journal_create(&j), 0);
	cr_assert_null(rsip_journal_take(j), "nothing to commit");
	for (int i = 0; i < 100000; i++) {
		l.expires_ns++;
		rsip_journal_lease(j, &mark, &l);
	}
	cr_assert_eq(rsip_journal_changes(j), 100000);
	b = rsip_journal_take(j);
	cr_assert_eq(b->cnt, 1);
	cr_assert_eq(b->change[0].lease.expires_ns, l.expires_ns);
	cr_assert_eq(memcmp(b->change[0].lease.range, ranges, sizeof(ranges)), 0);
	rsip_journal_gone(j, &mark, RSIP_STORE_LEASE, 5);
	cr_assert_eq(b->change[0].gone, false, "what is under way does not change");
	cr_assert_null(rsip_journal_take(j), "one at a time");
	rsip_journal_done(j, -ENOSPC);
	cr_assert(rsip_journal_failing(j));
	cr_assert_eq(rsip_journal_durable(j), 0);
	cr_assert_eq(rsip_journal_take(j), b, "the same again");
	rsip_journal_done(j, 0);
	cr_assert(!rsip_journal_failing(j));
	cr_assert_eq(rsip_journal_durable(j), 1);
	b = rsip_journal_take(j);
	cr_assert_eq(b->cnt, 1);
	cr_assert(b->change[0].gone);
	rsip_journal_destroy(j);
}

/* ---- faults and power cuts -------------------------------------------------------------------------------------------------------- */

static uint64_t seed;

static uint32_t pick(uint32_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % below;
}

static void cut_up(void)
{
	seed = 1;
	strcpy(path, "leases.sqlite");
	cut_start();
	open_sqlite();
	load_at(&boot);
	cut_save();
}

static void cut_down(void)
{
	if (store)
		store->ops->close(store);
	store = NULL;
	cut_stop();
}

TestSuite(power, .init = cut_up, .fini = cut_down, .timeout = 1200);

Test(power, a_disk_that_is_full_or_read_only_changes_nothing_and_recovers)
{
	static const struct {
		enum cut_fault fault;
		int err;
	} table[] = { { CUT_FULL, -ENOSPC }, { CUT_READONLY, -EROFS }, { CUT_SYNC, -EIO } };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(table); i++) {
		struct rsip_store_change c = { .kind = RSIP_STORE_LEASE, .seq = 10 + i, .lease = a_lease(10 + i) };

		cut_fault(table[i].fault);
		cr_assert_eq(store->ops->commit(store, &c, 1, &boot), table[i].err, "fault %zu: %s", i, store->ops->why(store));
		cr_assert_eq(store->ops->commit(store, &c, 1, &boot), table[i].err, "and again");
		cr_assert(*store->ops->why(store));
		cut_fault(CUT_NONE);
		cr_assert_eq(store->ops->commit(store, &c, 1, &boot), 0, "fault %zu: %s", i, store->ops->why(store));
	}
	reopen();
	cr_assert_eq(got.leases, 3);
}

static const struct rsip_store_clock next_boot = { .boot_id = "boot-2", .mono_ns = 20 * S, .real_ns = 5000400 * S };

static struct rsip_store_clock after(struct rsip_store_clock clock, uint64_t s)
{
	clock.mono_ns += s * S;
	clock.real_ns += s * S;
	return clock;
}

/* 400 s after the last commit, a reboot; the disk is as `fault` says. */
static void start_with(enum cut_fault fault)
{
	store->ops->close(store);
	store = NULL;
	cut_fault(fault);
	open_sqlite();
	load_at(&next_boot);
}

static void expect_three_leases_in_this_boot(void)
{
	cr_assert_eq(got.leases, 3);
	cr_assert_eq(got.clients, 1);
	cr_assert_eq(got.keys, 1);
	cr_assert_eq(got.lease.expires_ns, next_boot.mono_ns + 600 * S, "400 s have passed");
	cr_assert_eq(got.client.expires_ns, next_boot.mono_ns + 600 * S);
}

static void three_leases(void)
{
	commit_both();
	for (uint64_t seq = 6; seq < 8; seq++) {
		struct rsip_store_change c = { .kind = RSIP_STORE_LEASE, .seq = seq, .lease = a_lease(seq) };

		cr_assert_eq(store->ops->commit(store, &c, 1, &boot), 0);
	}
}

/* The file itself: what a start on a sound disk finds. */
static void expect_in_file(uint32_t leases)
{
	struct rsip_store_clock now = after(next_boot, 60);

	store->ops->close(store);
	open_sqlite();
	load_at(&now);
	cr_assert_eq(got.leases, leases);
	cr_assert_eq(got.lease.expires_ns, next_boot.mono_ns + 600 * S, "moved once, by what had passed at the start");
}

Test(power, after_a_reboot_a_disk_that_is_full_or_read_only_gives_its_leases_and_takes_new_ones_later)
{
	static const struct {
		enum cut_fault fault;
		int err;
	} table[] = { { CUT_FULL, -ENOSPC }, { CUT_READONLY, -EROFS }, { CUT_SYNC, -EIO } };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(table); i++) {
		struct rsip_store_change c = { .kind = RSIP_STORE_LEASE, .seq = 9, .lease = a_lease(9) };
		struct rsip_store_clock later = after(next_boot, 30);

		cut_down();
		cut_up();
		three_leases();
		start_with(table[i].fault);
		expect_three_leases_in_this_boot();
		cr_assert_eq(store->ops->commit(store, NULL, 0, &next_boot), table[i].err, "fault %zu: %s", i, store->ops->why(store));
		cr_assert_eq(store->ops->commit(store, &c, 1, &later), table[i].err, "fault %zu: %s", i, store->ops->why(store));
		cr_assert(*store->ops->why(store));
		cut_fault(CUT_NONE);
		later.real_ns += 1000 * S; /* the clock was set meanwhile */
		c.lease.expires_ns = next_boot.mono_ns + 600 * S;
		cr_assert_eq(store->ops->commit(store, &c, 1, &later), 0, "fault %zu: %s", i, store->ops->why(store));
		expect_in_file(4);
	}
}

Test(power, a_fresh_store_on_a_disk_that_cannot_be_written_is_made_later)
{
	struct rsip_store_change c = { .kind = RSIP_STORE_LEASE, .seq = 9, .lease = a_lease(9) };
	uint64_t secret;

	cut_down();
	cut_start();
	cut_fault(CUT_FULL);
	open_sqlite();
	load_at(&boot);
	cr_assert(info.fresh);
	secret = info.secret;
	cr_assert_eq(store->ops->commit(store, &c, 1, &boot), -ENOSPC);
	cut_fault(CUT_NONE);
	cr_assert_eq(store->ops->commit(store, &c, 1, &boot), 0, "%s", store->ops->why(store));
	reopen();
	cr_assert(!info.fresh);
	cr_assert_eq(info.secret, secret, "what was heard meanwhile is known by it");
	cr_assert_eq(got.leases, 1);
}

Test(power, a_file_that_somebody_else_wrote_meanwhile_is_not_written)
{
	struct rsip_store_change c = { .kind = RSIP_STORE_LEASE, .seq = 9, .lease = a_lease(9) };
	struct rsip_store *first, *second;
	struct rsip_store_clock later = after(next_boot, 60);
	char why[256];

	three_leases();
	start_with(CUT_FULL);
	first = store;
	cut_fault(CUT_NONE);
	cr_assert_eq(rsip_store_sqlite(path, &second, why, sizeof(why)), 0);
	store = second;
	load_at(&next_boot);
	cr_assert_eq(second->ops->commit(second, &c, 1, &later), 0);
	second->ops->close(second);
	store = first;
	cr_assert_eq(store->ops->commit(store, &c, 1, &later), -ESTALE);
	cr_assert_not_null(strstr(store->ops->why(store), "restart rsipd"), "%s", store->ops->why(store));
}

Test(power, a_step_to_a_newer_schema_that_finds_no_room_is_made_in_memory_and_later_in_the_file)
{
	struct rsip_store_change c = { .kind = RSIP_STORE_LEASE, .seq = 9, .lease = a_lease(9) };

	cut_down();
	cut_start();
	run_sql(version_2);
	cut_fault(CUT_FULL);
	open_sqlite();
	load_at(&boot);
	cr_assert_eq(got.leases, 2);
	cr_assert_eq(got.keys, 1);
	cr_assert_eq(store->ops->commit(store, &c, 1, &boot), -ENOSPC);
	cut_fault(CUT_NONE);
	cr_assert_eq(store->ops->commit(store, &c, 1, &boot), 0, "%s", store->ops->why(store));
	reopen();
	cr_assert_eq(got.leases, 3);
	cr_assert_eq(got.key.mac_seq, 1748000000000009);
}

/* What must be found after a cut: the rows as of each commit, as one number. */
struct commit {
	uint32_t ops; /* operations in the log when it had returned */
	uint64_t sum;
};

static struct rsip_store_change random_change(void)
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

/* Random commits to the file and to the twin in memory; the twin says what each one made. */
static void make_history(struct commit *made, int cnt)
{
	struct rsip_store *file = store;
	struct rsip_store *twin;

	cr_assert_eq(rsip_store_mem(&twin), 0);
	made[0] = (struct commit){ cut_ops(), 0 };
	for (int i = 1; i <= cnt; i++) {
		struct rsip_store_change c[60];
		uint32_t n = 1 + pick(60);

		for (uint32_t k = 0; k < n; k++)
			c[k] = random_change();
		if (pick(20) == 0) { /* a sync that failed, and then did not */
			cut_fault(CUT_SYNC);
			cr_assert_neq(file->ops->commit(file, c, n, &boot), 0);
			cut_fault(CUT_NONE);
		}
		cr_assert_eq(file->ops->commit(file, c, n, &boot), 0);
		cr_assert_eq(twin->ops->commit(twin, c, n, &boot), 0);
		store = twin;
		load_at(&boot);
		store = file;
		made[i] = (struct commit){ cut_ops(), got.sum };
	}
	twin->ops->close(twin);
}

/* ---- the log is folded back beside the commits: real files, and the thread that does it ----------------------------------------- */

#define FOLD_CHANGES 150 /* of a commit: some hundred pages */

static void commit_to(struct rsip_store *s)
{
	struct rsip_store_change c[FOLD_CHANGES];

	for (uint32_t k = 0; k < FOLD_CHANGES; k++) {
		c[k] = random_change();
		if (c[k].kind == RSIP_STORE_LEASE)
			c[k].lease.port_ranges = 0; /* random_change() keeps the ranges of the last 64 */
	}
	cr_assert_eq(s->ops->commit(s, c, FOLD_CHANGES, &boot), 0);
}

/* What `cnt` commits from this seed make, as one number. */
static uint64_t sum_after(uint64_t from, uint32_t cnt)
{
	struct rsip_store *file = store;
	uint64_t sum;

	cr_assert_eq(rsip_store_mem(&store), 0);
	seed = from;
	while (cnt--)
		commit_to(store);
	load_at(&boot);
	sum = got.sum;
	store->ops->close(store);
	store = file;
	return sum;
}

Test(store, the_log_is_folded_back_while_commits_go_on, .timeout = 120)
{
	off_t size;

	open_sqlite();
	load_at(&boot);
	size = log_size();
	seed = 7;
	for (int i = 0; i < 300; i++)
		commit_to(store);
	cr_assert_eq(log_size(), size, "300 commits are many times its length");
	reopen();
	cr_assert_eq(got.sum, sum_after(7, 300));
}

/* Commits for ever, and says after each one which it was. */
static void commit_and_tell(int fd)
{
	open_sqlite();
	load_at(&boot);
	for (uint32_t i = 1;; i++) {
		commit_to(store);
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static uint32_t commits_until_killed(void)
{
	uint32_t last = 0, more;
	int fd[2];
	pid_t pid;

	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	if (!pid)
		commit_and_tell(fd[1]);
	close(fd[1]);
	usleep(30000 + pick(120000));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (read(fd[0], &more, sizeof(more)) == sizeof(more))
		last = more;
	close(fd[0]);
	return last;
}

Test(store, killed_while_the_log_is_folded_it_has_every_commit_that_had_returned, .timeout = 600)
{
	int rounds = getenv("LONG") ? 300 : 8;
	uint32_t most = 0;

	for (int i = 0; i < rounds; i++) {
		uint64_t from = seed = 1000 + (uint64_t)i;
		uint32_t cnt;

		pick(2);
		from = seed;
		cnt = commits_until_killed();
		most = cnt > most ? cnt : most;
		if (access(path, F_OK)) /* it did not come as far */
			continue;
		open_sqlite();
		load_at(&boot);
		if (got.sum != sum_after(from, cnt)) {
			load_at(&boot);
			cr_assert_eq(got.sum, sum_after(from, cnt + 1), "round %d: not the rows of commit %u, nor of the next", i, cnt);
		}
		store->ops->close(store);
		store = NULL;
		drop_files();
	}
	cr_assert_geq(most, 3, "nothing was tried");
}

#define COMMITS 400

Test(power, a_cut_anywhere_loses_no_commit_and_leaves_no_half_of_one)
{
	static struct commit made[COMMITS + 1];
	int cuts = getenv("LONG") ? 1000 : 60, later = 0;
	uint32_t ops;

	make_history(made, COMMITS);
	store->ops->close(store);
	ops = made[COMMITS].ops;
	for (int i = 0; i < cuts; i++) {
		uint32_t at = pick(ops + 1);
		int last = COMMITS;

		while (last && made[last].ops > at)
			last--;
		cut_power(at, seed);
		open_sqlite();
		load_at(&boot);
		cr_assert(got.sum == made[last].sum || (last < COMMITS && got.sum == made[last + 1].sum),
			  "cut %d behind operation %u of %u: not the rows of commit %d", i, at, ops, last);
		later += got.sum != made[last].sum;
		commit_both(); /* and it can be written */
		store->ops->close(store);
		store = NULL;
		cut_restore();
	}
	cr_log_info("%d cuts, %d of them found the commit that was under way", cuts, later);
}
