// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/demand.c: more ports when they run out, fewer when they are idle. */
#include "client_fixture.h"
#include "demand.h"

static struct rsip_demand d;
static struct rsip_portset used;

static struct rsip_lease *held(int i, uint8_t purpose, uint16_t first, uint16_t cnt)
{
	struct rsip_lease *l = &s.leases[i];

	memset(l, 0, sizeof(*l));
	l->state = RSIP_LEASE_HELD;
	l->want.purpose = purpose;
	l->bind_id = 100 + i;
	l->addr = PUB_1;
	l->port_runs = 1;
	l->ports[0] = (struct rsip_port_run){first, cnt};
	return l;
}

static void sixteen_ports(void)
{
	begin();
	d = (struct rsip_demand){.most = 1000, .idle_s = 120};
	memset(&used, 0, sizeof(used));
	held(0, RSIP_FOR_USER, 4000, 16);
}

static const struct rsip_lease *asked_for(void)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (s.leases[i].state == RSIP_LEASE_WANTED)
			return &s.leases[i];
	return NULL;
}

static void balance(void)
{
	rsip_demand_balance(&d, &s, &used, now);
}

Test(demand, a_block_is_asked_for_when_fewer_than_a_quarter_are_free, .init = sixteen_ports)
{
	rsip_portset_add(&used, 4000, 12);
	balance();
	cr_assert_null(asked_for(), "four are free");
	rsip_portset_add(&used, 4012, 1);
	balance();
	cr_assert(asked_for());
	cr_assert_eq(asked_for()->want.ports, RSIP_DEMAND_BLOCK);
	cr_assert_eq(asked_for()->want.addr, PUB_1, "at the same address");
	cr_assert_eq(asked_for()->want.purpose, RSIP_FOR_DEMAND);
	balance();
	cr_assert_eq(s.leases[2].state, RSIP_LEASE_NONE, "one block at a time");
}

Test(demand, not_more_than_the_user_allows, .init = sixteen_ports)
{
	rsip_portset_add(&used, 4000, 16);
	d.most = 20;
	balance();
	cr_assert_eq(asked_for()->want.ports, 4);
	s.leases[1].state = RSIP_LEASE_NONE;
	d.most = 0;
	balance();
	cr_assert_null(asked_for());
}

Test(demand, ports_for_services_and_charon_do_not_count, .init = sixteen_ports)
{
	held(1, RSIP_FOR_CHARON, 5000, 100);
	held(2, RSIP_FOR_USER, 6000, 100)->want.listen = true;
	rsip_portset_add(&used, 4000, 16);
	balance();
	cr_assert(asked_for(), "free ports of those are no help");
	s.leases[3].state = RSIP_LEASE_NONE;
	s.leases[0].state = RSIP_LEASE_NONE;
	balance();
	cr_assert_null(asked_for(), "no ports for programs: none are asked for");
}

Test(demand, a_wish_that_nobody_needs_any_more_is_dropped, .init = sixteen_ports)
{
	rsip_portset_add(&used, 4000, 16);
	balance();
	cr_assert(asked_for());
	memset(&used, 0, sizeof(used));
	balance();
	cr_assert_null(asked_for());
}

Test(demand, a_block_goes_back_after_two_idle_minutes, .init = sixteen_ports)
{
	struct rsip_lease *block = held(1, RSIP_FOR_DEMAND, 5000, 64);

	rsip_portset_add(&used, 5005, 1);
	balance();
	now += 1000 * S;
	balance();
	cr_assert_eq(block->state, RSIP_LEASE_HELD, "a port of it is in use");
	memset(&used, 0, sizeof(used));
	now += 119 * S;
	balance();
	cr_assert_eq(block->state, RSIP_LEASE_HELD, "the rest of RFC 3102 6.1");
	now += 1 * S;
	balance();
	cr_assert_eq(block->state, RSIP_LEASE_FREEING);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD, "what the user asked for stays");
}

Test(demand, a_block_stays_while_the_others_are_nearly_used_up, .init = sixteen_ports)
{
	struct rsip_lease *block = held(1, RSIP_FOR_DEMAND, 5000, 64);

	rsip_portset_add(&used, 4000, 10);
	balance();
	now += 1000 * S;
	balance();
	cr_assert_eq(block->state, RSIP_LEASE_HELD, "else it would be asked for again at once");
	memset(&used, 0, sizeof(used));
	rsip_portset_add(&used, 4000, 8);
	balance();
	cr_assert_eq(block->state, RSIP_LEASE_FREEING);
}

Test(demand, a_block_just_leased_is_not_idle_since_ever, .init = sixteen_ports)
{
	balance();
	now += 1000 * S;
	balance();
	held(1, RSIP_FOR_DEMAND, 5000, 64);
	now += 100 * S;
	balance();
	cr_assert_eq(s.leases[1].state, RSIP_LEASE_HELD);
}

Test(demand, after_a_restart_no_block_is_idle_since_ever, .init = sixteen_ports)
{
	held(1, RSIP_FOR_DEMAND, 5000, 64);
	now += 1000 * S;
	balance();
	cr_assert_eq(s.leases[1].state, RSIP_LEASE_HELD);
}
