// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A changed configuration: pools that come, are drained, and come back, while leases live. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "config.h"
#include "engine_fixture.h"

static struct rsip_conf now_conf, fresh;
static struct rsip_conf_report report;

#define POOL(name, addrs, more) "{\"name\": \"" name "\", \"addresses\": \"" addrs "\"" more "}"
#define TWO POOL("a", "203.0.113.1-203.0.113.2", "") "," POOL("b", "203.0.113.8/30", "")

static void read_conf(struct rsip_conf *conf, const char *pools, const char *policies)
{
	char text[2048];

	snprintf(text, sizeof(text), "{\"pools\": [%s], \"policies\": [%s]}", pools, policies);
	cr_assert_eq(rsip_conf_parse(text, strlen(text), conf, &report), 0, "%s", text);
}

static void up(void)
{
	gw_plan();
	read_conf(&now_conf, TWO, "");
	gw.lease.pool = now_conf.pool;
	gw.lease.pool_cnt = now_conf.pool_cnt;
	gw.lease.limits.hold_s = 10;
	gw_up();
}

TestSuite(reload, .init = up, .fini = gw_down);

/* What rsipd does with a changed file; true where it is taken. */
static bool reloaded(const char *pools, const char *policies)
{
	read_conf(&fresh, pools, policies);
	for (uint32_t i = 0; i < now_conf.pool_cnt; i++)
		now_conf.pool[i].gone = rsip_lease_pool(gw.lm, i)->gone;
	memset(&report, 0, sizeof(report));
	rsip_conf_merge(&fresh, &now_conf, &report);
	if (report.errors || rsip_lease_set_pools(gw.lm, fresh.pool, fresh.pool_cnt))
		return false;
	now_conf = fresh;
	return true;
}

static __be32 leased_address(unsigned int host, uint32_t id, uint32_t n)
{
	an_assign(id, 4);
	cr_assert_eq(say(gw_host(host), n), RSIP_OK);
	return gw.got.local.v4;
}

static bool in_a(__be32 addr)
{
	return addr == inet_addr("203.0.113.1") || addr == inet_addr("203.0.113.2");
}

Test(reload, a_pool_that_is_given_up_is_drained_and_live_leases_stay)
{
	uint32_t id = registered(gw_host(1)), bind;
	__be32 addr = leased_address(1, id, 2);

	bind = gw.got.bind_id;
	cr_assert(in_a(addr));
	cr_assert(reloaded(POOL("b", "203.0.113.8/30", ""), ""));
	cr_expect_not_null(rsip_lease_bind_by_id(gw.lm, bind, NULL));
	cr_expect_not(in_a(leased_address(1, id, 3)), "nothing new from it");
	gw.now += 600 * S;
	an_extend(id, bind);
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	cr_expect_eq(gw.got.lease_s, 1200, "what is left, no more: %u", gw.got.lease_s);
	cr_expect_not(rsip_lease_drain(gw.lm), "not while it lives");
	a_free(id, bind);
	cr_assert_eq(say(gw_host(1), 5), RSIP_OK);
	cr_expect_not(rsip_lease_drain(gw.lm), "nor while it rests");
	tick_at(gw.now + 20 * S);
	cr_expect(rsip_lease_drain(gw.lm));
	cr_expect(rsip_lease_pool(gw.lm, 0)->gone);
	cr_expect_not(rsip_lease_drain(gw.lm), "once");
}

Test(reload, an_address_of_a_pool_given_up_is_unallowed)
{
	uint32_t id = registered(gw_host(1));

	cr_assert(reloaded(POOL("b", "203.0.113.8/30", ""), ""));
	an_assign(id, 4);
	with_local("203.0.113.1");
	cr_expect_eq(say(gw_host(1), 2), RSIP_ERR_LOCAL_ADDR_UNALLOWED);
}

Test(reload, new_pools_serve_at_once_and_old_ones_go_on)
{
	uint32_t id = registered(gw_host(1));
	__be32 addr = leased_address(1, id, 2);
	uint32_t before = gw.got.bind_id;

	cr_assert(reloaded(TWO "," POOL("c", "203.0.113.16/28", "") "," POOL("whole", "203.0.113.64/30", ", \"methods\": [\"RSA-IP\"]"),
			   ""));
	cr_expect_eq(rsip_lease_bind_by_id(gw.lm, before, NULL)->local, addr);
	an_assign(id, 4);
	with_local("203.0.113.20");
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	rsip_message_init(&gw.m, RSIP_MSG_ASSIGN_REQUEST_RSA_IP);
	gw.m.client_id = id;
	with_remote();
	gw.m.has &= ~RSIP_HAS_LOCAL_PORTS;
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	cr_expect_eq(gw.got.local.v4, inet_addr("203.0.113.64"));
}

Test(reload, what_was_drained_may_come_back)
{
	uint32_t id = registered(gw_host(1));

	cr_assert(reloaded(POOL("b", "203.0.113.8/30", ""), ""));
	cr_assert(rsip_lease_drain(gw.lm));
	cr_assert(reloaded(POOL("b", "203.0.113.8/30", "") "," POOL("again", "203.0.113.1-203.0.113.2", ", \"ports\": \"5000-5999\""), ""));
	an_assign(id, 4);
	with_local("203.0.113.1");
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect(gw.got.local_ports.port[0] >= 5000 && gw.got.local_ports.port[3] <= 5999, "by its new terms");
	cr_expect_str_eq(rsip_lease_pool(gw.lm, 0)->name, "again");
}

Test(reload, what_is_being_drained_may_be_taken_back)
{
	uint32_t id = registered(gw_host(1));

	leased_address(1, id, 2);
	cr_assert(reloaded(POOL("b", "203.0.113.8/30", ""), ""));
	cr_assert(reloaded(TWO, ""));
	cr_expect(in_a(leased_address(1, id, 3)));
}

Test(reload, terms_of_live_pools_cannot_change)
{
	cr_expect_not(reloaded(POOL("a", "203.0.113.1-203.0.113.2", ", \"ports\": \"5000-5999\"") "," POOL("b", "203.0.113.8/30", ""), ""));
	cr_expect_str_eq(report.issue[0].path, "pools");
	cr_expect_not(reloaded(POOL("a", "203.0.113.2-203.0.113.3", ""), ""), "203.0.113.2 is in another range");
	cr_expect(reloaded(POOL("renamed", "203.0.113.1-203.0.113.2", "") "," POOL("b", "203.0.113.8/30", ""), ""));
	cr_expect_str_eq(rsip_lease_pool(gw.lm, 0)->name, "renamed");
}

Test(reload, too_many_addresses_change_nothing)
{
	cr_expect_not(reloaded(TWO "," POOL("c", "203.0.113.128/25", ""), ""), "the data plane has 64");
	cr_expect_eq(rsip_lease_pools(gw.lm), 2);
	cr_expect_eq(now_conf.pool_cnt, 2);
}

/* ---- a data plane that fails half-way ------------------------------------------------------------------------- */

static const struct rsip_dataplane_ops *sound;
static int takes; /* addresses, before it fails */

static int addr_add_then_fail(struct rsip_dataplane *dp, uint32_t index, __be32 addr, uint32_t pool)
{
	return takes-- > 0 ? sound->addr_add(dp, index, addr, pool) : -ENOSPC;
}

static void fail_after(struct rsip_dataplane_ops *ops, int cnt)
{
	sound = gw.dp->ops;
	*ops = *sound;
	ops->addr_add = addr_add_then_fail;
	takes = cnt;
	gw.dp->ops = ops;
}

/* Is address n of 203.0.113.0/24 in the data plane, under this index? */
static bool is_served(uint32_t index, unsigned int n)
{
	bool there = gw.dp->ops->addr_remove(gw.dp, index, htonl(0xcb007100 + n)) == 0;

	if (there)
		cr_assert_eq(gw.dp->ops->addr_add(gw.dp, index, htonl(0xcb007100 + n), 0), 0);
	return there;
}

/* All or nothing, wherever it breaks: 8 addresses of a new pool, 2 and 4 that come back. */
Test(reload, what_fails_half_way_changes_nothing)
{
	uint32_t id = registered(gw_host(1));
	struct rsip_dataplane_ops ops;

	cr_assert(reloaded(POOL("stays", "203.0.113.64/30", ""), ""));
	cr_assert(rsip_lease_drain(gw.lm));
	for (int n = 0; n < 14; n++) {
		fail_after(&ops, n);
		cr_expect_not(reloaded(POOL("stays", "203.0.113.64/30", "") "," TWO "," POOL("new", "203.0.113.128/29", ""), ""));
		gw.dp->ops = sound;
		cr_expect_eq(rsip_lease_pools(gw.lm), 3, "%d", n);
		for (uint32_t i = 0; i < 2; i++) {
			cr_expect(rsip_lease_pool(gw.lm, i)->gone && rsip_lease_pool(gw.lm, i)->draining, "%d: pool %u", n, i);
			cr_expect_not(is_served(i, 1 + i), "%d: address %u", n, i);
		}
		for (uint32_t i = 2; i < 6; i++)
			cr_expect_not(is_served(i, 6 + i), "%d: address %u", n, i);
		cr_expect_not(is_served(10, 128), "%d", n);
		an_assign(id, 4);
		with_local("203.0.113.1");
		cr_expect_eq(say(gw_host(1), (uint32_t)(2 + n)), RSIP_ERR_LOCAL_ADDR_UNALLOWED, "%d", n);
	}
	cr_assert(reloaded(POOL("stays", "203.0.113.64/30", "") "," TWO "," POOL("new", "203.0.113.128/29", ""), ""));
	cr_expect(is_served(0, 1) && is_served(5, 11) && is_served(10, 128));
	an_assign(id, 4);
	with_local("203.0.113.1");
	cr_expect_eq(say(gw_host(1), 20), RSIP_OK);
}

/* The file's order of pools is not the order of their numbers any more. */
Test(reload, policies_mean_the_pools_they_name)
{
	cr_assert(reloaded(POOL("new", "203.0.113.32/30", "") "," POOL("b", "203.0.113.8/30", ""),
			   "{\"pools\": [\"b\"]}, {\"pools\": [\"new\"]}"));
	cr_expect_eq(now_conf.pool_cnt, 3);
	cr_expect(now_conf.pool[0].draining);
	cr_expect_str_eq(now_conf.pool[2].name, "new");
	cr_expect_eq(now_conf.policy[0].pools.bit[0], 1ULL << 1);
	cr_expect_eq(now_conf.policy[1].pools.bit[0], 1ULL << 2);
}

Test(reload, what_needs_a_restart_or_the_loader_is_refused)
{
	now_conf.dataplane.max_addresses++;
	strcpy(now_conf.user, "other");
	strcpy(now_conf.control.group, "other");
	strcpy(now_conf.public_if[0].name, "eth9");
	strcpy(now_conf.store_path, "/elsewhere");
	cr_expect_not(reloaded(TWO, ""));
	cr_assert_eq(report.errors, 5);
	cr_expect_str_eq(report.issue[0].path, "interfaces");
	cr_expect_not_null(strstr(report.issue[0].text, "rsip-loader"));
	cr_expect_str_eq(report.issue[1].path, "dataplane");
	cr_expect_not_null(strstr(report.issue[2].text, "restart"));
}
