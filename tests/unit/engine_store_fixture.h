/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An engine with a store: commits, crashes, reboots. */
#ifndef ENGINE_STORE_FIXTURE_H
#define ENGINE_STORE_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>

#include "engine_fixture.h"
#include "journal.h"
#include "restore.h"

static struct rsip_store *store;
static struct rsip_journal *journal;
static struct rsip_lease_found found;
static struct rsip_store_clock boot = { .boot_id = "boot-1" };

/* Interface 2 is the hosts'; what it is called, and what numbers there are, may change with a reboot. */
static struct rsip_dp_iface ifaces[] = {
	{ .index = 1, .rec = { .name = "pub0", .role = RSIP_ROLE_PUBLIC } },
	{ .index = 2, .rec = { .name = "priv2", .role = RSIP_ROLE_PRIVATE } },
	{ .index = 3, .rec = { .name = "priv3", .role = RSIP_ROLE_PRIVATE } },
};

static inline void restore(void)
{
	const struct rsip_restore parts = { .store = store, .journal = journal, .engine = gw.e, .lm = gw.lm, .iface = ifaces,
					    .iface_cnt = RSIP_ARRAY_LEN(ifaces) };

	cr_assert_eq(rsip_restore(&parts, &boot, &found), 0);
}

/* rsipd starts, at this time of the wall clock. */
static inline void begin_at(uint64_t real_ns)
{
	cr_assert_eq(rsip_journal_create(&journal), 0);
	gw.conf.journal = gw.lease.journal = journal;
	gw_lease_up();
	boot.mono_ns = gw.now;
	boot.real_ns = real_ns;
	restore();
}

static inline void begin(void)
{
	begin_at(gw.now + 1000000 * S);
}

static inline int commit(void)
{
	const struct rsip_batch *b;
	int err = 0;

	boot.mono_ns = gw.now;
	while (!err && (b = rsip_journal_take(journal))) {
		err = store->ops->commit(store, b->change, b->cnt, &boot);
		rsip_journal_done(journal, err);
	}
	return err;
}

static inline void end(void)
{
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	rsip_journal_destroy(journal);
}

/* kill -9: what was not committed is gone; the data plane is what it was. */
static inline void crash(void)
{
	end();
	begin();
}

static inline void up(void)
{
	gw_plan();
	gw.lease.limits.hold_s = 120;
	cr_assert_eq(rsip_dataplane_mem(1024, 8, &gw.dp), 0);
	cr_assert_eq(rsip_store_mem(&store), 0);
	begin();
	cr_assert_eq(commit(), 0);
}

static inline void down(void)
{
	end();
	store->ops->close(store);
	gw.dp->ops->close(gw.dp);
}

static inline uint64_t waits(void)
{
	struct rsip_engine_grant grant;

	return rsip_engine_waits(gw.e, &grant);
}

static inline uint32_t granted(struct rsip_from f, uint32_t id, uint32_t n)
{
	an_assign(id, 8);
	cr_assert_eq(say(f, n), RSIP_OK);
	return gw.got.bind_id;
}

/* rsipd and the maps are gone; the machine was off for so long. */
static inline void reboot_after(uint64_t off_s)
{
	end();
	gw.dp->ops->close(gw.dp);
	cr_assert_eq(rsip_dataplane_mem(1024, 8, &gw.dp), 0);
	gw.now = 50 * S;
	strcpy(boot.boot_id, "boot-2");
	begin_at((1000000 + 1000 + off_s) * S);
}

static inline void reboot(void)
{
	reboot_after(600);
}

#endif
