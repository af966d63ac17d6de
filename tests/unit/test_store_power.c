// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Disks that are full, read-only or fail to flush, at a start too, and power cuts: what the lease store makes of them. */
#include <poll.h>

#include "commit.h"
#include "cutvfs.h"
#include "store_fixture.h"

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

/* ---- the wall clock ------------------------------------------------------------------------------------------------------ */

static bool commits(struct rsip_committer *c, int fd, const struct rsip_store_clock *at)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int err;

	if (!rsip_committer_kick(c, at))
		return false;
	cr_assert_eq(poll(&p, 1, 60000), 1);
	cr_assert(rsip_committer_collect(c, at->mono_ns, &err));
	cr_assert_eq(err, 0);
	return true;
}

/* A lease with 1000 s to go, a second later the clock is set forward by an hour, and 10 s without power. */
Test(power, an_hour_that_the_wall_clock_was_set_forward_ends_no_lease_after_a_cut)
{
	struct rsip_store_clock stepped = after(boot, 1), later = next_boot;
	struct rsip_journal_mark mark = { 0, 0 };
	struct rsip_store_lease l = a_lease(5);
	struct rsip_committer *c;
	struct rsip_journal *j;
	uint32_t ops;
	int fd;

	cr_assert_eq(rsip_journal_create(&j), 0);
	cr_assert_eq(rsip_committer_create(j, store, &boot, &fd, &c), 0);
	rsip_journal_lease(j, &mark, &l);
	cr_assert(commits(c, fd, &boot));
	stepped.real_ns += S / 20;
	cr_assert(!commits(c, fd, &stepped), "50 ms are no reason");
	stepped.real_ns += 3600 * S;
	cr_expect(commits(c, fd, &stepped));
	cr_expect(!commits(c, fd, &stepped), "once");
	ops = cut_ops();
	rsip_committer_destroy(c);
	rsip_journal_destroy(j);
	store->ops->close(store);
	cut_power(ops, seed);
	open_sqlite();
	later.real_ns = stepped.real_ns + 10 * S;
	load_at(&later);
	cr_assert_eq(got.leases, 1);
	cr_assert_eq(got.lease.expires_ns, later.mono_ns + (1000 - 1 - 10) * S);
}

/* ---- cuts ---------------------------------------------------------------------------------------------------------------- */

/* What must be found after a cut: the rows as of each commit, as one number. */
struct commit {
	uint32_t ops; /* operations in the log when it had returned */
	uint64_t sum;
};

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
