// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What rests after a lease, for how long and for whom, and what a restart finds of leases in the data plane. */
#include "lease_fixture.h"

TestSuite(lease_rest, .init = one_address, .fini = gone);

Test(lease_rest, what_was_freed_rests_for_two_minutes)
{
	const struct rsip_lease_bind *b;
	uint32_t id;

	cr_assert_eq(ask_port(1, 5000, 8, &b), RSIP_OK);
	id = b->bind_id;
	cr_assert_eq(rsip_lease_free(lm, host(1), id, RSIP_END_HOST, now), RSIP_OK);
	at(1119);
	cr_assert_eq(ask_port(2, 5000, 8, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	at(1120);
	cr_assert_eq(ask_port(2, 5000, 8, &b), RSIP_OK);
}

/* Leasing and freeing in turn: nothing of it is held, and yet all of it must be kept for two minutes. */
Test(lease_rest, what_rests_after_one_host_is_limited)
{
	struct rsip_pool_conf pool;
	struct rsip_lease_limits limits = conf_of(&pool, 1).limits;
	const struct rsip_lease_bind *b;

	limits.resting_per_client = 6;
	rsip_lease_set_limits(lm, &limits);
	for (uint16_t i = 0; i < 3; i++) { /* a lease and a range each */
		cr_assert_eq(ask_port(1, (uint16_t)(5000 + 2 * i), 1, &b), RSIP_OK);
		rsip_lease_free(lm, host(1), b->bind_id, RSIP_END_HOST, now);
	}
	cr_assert_eq(refusal(1, any_ports(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
	cr_assert_eq(refusal(1, any_spis(1)), RSIP_ERR_IPSEC_SPI_UNAVAILABLE);
	cr_assert_eq(ask_port(2, 6000, 1, &b), RSIP_OK, "another host");
	at(1120);
	cr_assert_eq(ask_port(1, 5000, 1, &b), RSIP_OK);
	rsip_lease_free(lm, host(1), grant(1, any_spis(1024)).bind_id, RSIP_END_HOST, now); /* SPIs count, too */
	cr_assert_eq(refusal(1, any_ports(1)), RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE);
}

Test(lease_rest, a_host_takes_its_own_resting_ports_back_by_number)
{
	const struct rsip_lease_bind *b;
	struct rsip_pool_stats s;

	cr_assert_eq(ask_port(1, 5000, 8, &b), RSIP_OK);
	rsip_lease_free(lm, host(1), b->bind_id, RSIP_END_HOST, now);
	cr_assert_eq(ask_port(2, 5002, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(1, 5002, 2, &b), RSIP_OK);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.ports_leased, 2);
	cr_assert_eq(s.ports_held, 6, "the others rest on");
	cr_assert_eq(ask_port(2, 5001, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(2, 5004, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	at(1120);
	cr_assert_eq(ask_port(2, 5001, 1, &b), RSIP_OK);
	cr_assert_eq(ask_port(2, 5004, 4, &b), RSIP_OK);
	cr_assert_eq(ask_port(2, 5002, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.ports_held, 0);
}

Test(lease_rest, a_host_that_registers_again_finds_its_resting_ports_and_spis, .init = two_addresses)
{
	struct rsip_lease_bind ports = grant(1, any_ports(4)), spis = grant(1, any_spis(4));
	struct rsip_spi_range want = spis.spis.range[0], part = { want.first + 1, 2 };
	struct rsip_lease_ask ask = any_spis(2);
	struct rsip_lease_bind again;
	struct rsip_pool_stats s;

	ask.spis_given = true;
	ask.spis = (struct rsip_spi_set){ .range_cnt = 1, .range = &part };
	ask.local = spis.local;
	rsip_lease_deregister(lm, host(1), RSIP_END_HOST, now);
	cr_assert_eq(refusal(2, ask), RSIP_ERR_IPSEC_SPI_INUSE);
	cr_assert_eq(grant(1, ask).spis.range[0].first, want.first + 1);
	rsip_lease_deregister(lm, host(1), RSIP_END_HOST, now);
	ask = any_ports(4); /* no address given: the one where they rest */
	ask.ports_given = true;
	ask.ports = ports.ports;
	again = grant(1, ask);
	cr_assert_eq(again.local, ports.local);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.spis_held, 4);
	cr_assert_eq(s.ports_held, 0);
}

Test(lease_rest, what_rests_longest_is_free_first)
{
	uint32_t id[3];
	const struct rsip_lease_bind *b;

	for (uint16_t i = 0; i < 3; i++) {
		cr_assert_eq(ask_port(1, 6000 + i, 1, &b), RSIP_OK);
		id[i] = b->bind_id;
	}
	for (int i = 2; i >= 0; i--) { /* 6002 first */
		rsip_lease_free(lm, host(1), id[i], RSIP_END_HOST, now);
		at(now / S + 10);
	}
	at(1120);
	cr_assert_eq(ask_port(2, 6001, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(2, 6002, 1, &b), RSIP_OK);
	at(1130);
	cr_assert_eq(ask_port(2, 6000, 1, &b), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
	cr_assert_eq(ask_port(2, 6001, 1, &b), RSIP_OK);
	at(1140);
	cr_assert_eq(ask_port(2, 6000, 1, &b), RSIP_OK);
}

Test(lease_rest, a_restart_finds_what_is_installed)
{
	struct rsip_lease_bind a = grant(1, any_ports(64)), b = grant(2, any_spis(4));
	uint32_t spi = b.spis.range[0].first, client = host(1)->client_id, binds = 0, clients = 0;
	const struct rsip_lease_bind *found;
	struct rsip_lease_client *owner;

	rsip_lease_destroy(lm);
	open_lease(1, 65535);
	cr_assert_eq(rsip_lease_adopt(lm, now, &binds, &clients), 0);
	cr_assert_eq(binds, 2);
	cr_assert_eq(clients, 2);
	found = rsip_lease_bind_by_id(lm, a.bind_id, &owner);
	cr_assert_not_null(found);
	cr_assert_eq(owner->client_id, client);
	cr_assert_eq(found->ports.cnt, 64);
	cr_assert_eq(found->ports.port[0], a.ports.port[0]);
	cr_assert_eq(found->expires_ns, a.expires_ns);
	found = rsip_lease_bind_by_id(lm, b.bind_id, NULL);
	cr_assert_eq(found->spis.range[0].first, spi);
	cr_assert_eq(ask_port(3, a.ports.port[5], 1, &found), RSIP_ERR_LOCAL_ADDRPORT_INUSE);
}

/* Host n, one port, in the maps only. */
static uint32_t put(uint32_t bind_id, unsigned int n, uint16_t port)
{
	struct rsip_dp_binding b = {
		.rec = { .expires_ns = 2000 * S, .host = HOST(n), .local = PUB_1, .client_id = n, .bind_id = bind_id, .mtu = 1480,
			 .method = RSIP_METHOD_RSAP_IP, .tunnel = RSIP_TUNNEL_IPIP, .iface = 1 },
		.ports = { .cnt = 1, .port = { port } },
	};
	uint32_t slot;

	cr_assert_eq(dp->ops->bind_install(dp, &b, &slot), 0);
	return slot;
}

static int count_by_id(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	(void)slot;
	((uint32_t *)arg)[b->rec.bind_id]++;
	return 0;
}

static uint32_t told_gone, told_ports; /* their sum */

static void on_bind_gone(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why,
			 uint64_t at_ns)
{
	(void)arg;
	(void)c;
	(void)at_ns;
	cr_expect_eq(why, RSIP_END_REFUSED);
	told_gone++;
	told_ports += b->ports.port[0];
}

/* fresh: nothing says which of them was acknowledged, so the first of each ID stays. */
static void settle_with_ids_twice(bool fresh)
{
	struct rsip_lease_sink sink = { .bind_gone = on_bind_gone };
	struct rsip_lease_found found;
	struct rsip_pool_conf pool;
	struct rsip_lease_conf conf = conf_of(&pool, 1);
	uint32_t live[9] = { 0 }, first = put(7, 1, 2001);

	put(7, 2, 2002);
	put(8, 3, 2004);
	put(7, 4, 2008);
	put(8, 3, 2016);
	told_gone = told_ports = 0;
	rsip_lease_destroy(lm);
	cr_assert_eq(rsip_lease_create(&conf, dp, seeded, &sink, &lm), 0);
	cr_assert_eq(rsip_lease_scan(lm, now), 0);
	cr_assert_eq(rsip_lease_settle(lm, now, fresh, &found), 0);
	cr_expect_eq(found.binds, fresh ? 2 : 0);
	cr_expect_eq(found.clients, fresh ? 2 : 0);
	cr_expect_eq(found.removed, fresh ? 3 : 5);
	cr_expect_eq(told_gone, found.removed);
	cr_expect_eq(told_ports, 2002 + 2008 + 2016 + (fresh ? 0 : 2001 + 2004));
	cr_assert_eq(dp->ops->foreach(dp, now, count_by_id, live), 0);
	cr_expect_eq(live[7], fresh);
	cr_expect_eq(live[8], fresh);
	if (fresh)
		cr_expect_eq(dp->ops->bind_extend(dp, first, 3000 * S), 0, "the first is the one that stays");
}

Test(lease_rest, of_installed_bindings_with_one_id_one_stays)
{
	settle_with_ids_twice(true);
}

Test(lease_rest, those_that_the_store_does_not_know_all_go)
{
	settle_with_ids_twice(false);
}
