// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The lease store, in memory and in SQLite: what comes back, versions, reboots; and the journal before it. */
#include <sched.h>
#include <sys/mount.h>

#include "journal.h"
#include "rsip/maps.h"
#include "store_fixture.h"

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

/* A host with an IPv6 address: host is its handle. */
Test(store, a_handle_comes_back_with_its_address)
{
	struct rsip_store_change c = { .kind = RSIP_STORE_CLIENT, .seq = 3, .client = a_client(3) };

	c.client.host = RSIP_HOST6_HANDLE(7);
	memcpy(c.client.host6, "\x20\x01\x0d\xb8\0\1\0\0\0\0\0\0\0\0\0\x0b", 16);
	open_sqlite();
	load_at(&boot);
	cr_assert_eq(store->ops->commit(store, &c, 1, &boot), 0);
	reopen();
	cr_assert_eq(got.client.host, c.client.host);
	cr_assert_eq(memcmp(got.client.host6, c.client.host6, 16), 0);
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

	run_sql("CREATE TABLE x (y); INSERT INTO x VALUES (1); PRAGMA user_version = 5;");
	cr_assert_eq(open_fails(why, sizeof(why)), -EPROTO);
	cr_assert_not_null(strstr(why, "newer rsipd"), "%s", why);
	cr_assert_not_null(strstr(why, "version 5, this one knows 4"), "%s", why);
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
