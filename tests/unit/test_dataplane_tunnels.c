// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Tunnel types in the maps: what a pair's words say of its bindings, and whether GRE is a host's at all. */
#include "twin.h"

TestSuite(dataplane_tunnels, .init = twin_up, .fini = twin_down);

#define IPIP RSIP_TUNNEL_BIT(RSIP_TUNNEL_IPIP)
#define GRE RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE)

static uint32_t take(uint8_t tunnel, uint32_t spi, uint16_t port, uint64_t expires_ns)
{
	struct rsip_dp_binding b = lease(HOST_A, PUB_1, expires_ns);

	b.rec.tunnel = tunnel;
	if (spi)
		with_spis(&b, spi, 4);
	else
		with_ports(&b, port, 8);
	return install(&b);
}

static void expect_words(uint32_t any, uint32_t ipsec)
{
	const struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, HOST_A, PUB_1);

	cr_assert_not_null(e);
	cr_expect_eq(RSIP_PAIR_TUNNELS(e->slot), any);
	cr_expect_eq(RSIP_PAIR_TUNNELS(e->ipsec_slot), ipsec);
}

static bool gre_is_ours(void)
{
	return c->m.policy->flags & RSIP_POLICY_GRE;
}

Test(dataplane_tunnels, a_pairs_words_name_the_types_of_their_bindings)
{
	uint32_t ports = take(RSIP_TUNNEL_IPIP, 0, 4000, 30 * S), spis, more;

	expect_words(IPIP, 0);
	spis = take(RSIP_TUNNEL_GRE, 0x1000, 0, 20 * S);
	expect_words(IPIP | GRE, GRE);
	cr_expect_eq(pair_of(HOST_A).slot, ports);
	more = take(RSIP_TUNNEL_GRE, 0x2000, 0, 10 * S);
	dp->ops->bind_extend(dp, more, 40 * S);
	expect_words(IPIP | GRE, GRE);
	cr_expect_eq(pair_of(HOST_A).slot, more);
	dp->ops->bind_remove(dp, spis);
	expect_words(IPIP | GRE, GRE);
	dp->ops->bind_remove(dp, ports);
	expect_words(GRE, GRE);
	spis = take(RSIP_TUNNEL_IPIP, 0x1000, 0, 20 * S);
	dp->ops->bind_remove(dp, more);
	expect_words(IPIP, IPIP);
	dp->ops->bind_remove(dp, spis);
	cr_expect_eq(pair_of(HOST_A).host, 0);
}

Test(dataplane_tunnels, a_restart_finds_them_and_forgets_those_that_are_gone)
{
	uint32_t gre = take(RSIP_TUNNEL_GRE, 0, 5000, 20 * S);

	take(RSIP_TUNNEL_IPIP, 0x1000, 0, 30 * S);
	cr_assert_eq(dp->ops->foreach(dp, S, NULL, NULL), 0);
	expect_words(IPIP | GRE, IPIP);
	cr_expect(gre_is_ours());
	c->m.bindings[gre].expires_ns = 0; /* killed while it was being removed */
	cr_assert_eq(dp->ops->foreach(dp, S, NULL, NULL), 0);
	expect_words(IPIP, IPIP);
	cr_expect_not(gre_is_ours());
}

Test(dataplane_tunnels, gre_is_ours_while_it_is_offered_or_leased)
{
	struct rsip_policy off = { .net_cnt = 0 }, on = { .flags = RSIP_POLICY_GRE };
	uint32_t slot;

	cr_assert_eq(dp->ops->foreach(dp, S, NULL, NULL), 0);
	cr_expect_not(gre_is_ours());
	dp->ops->set_policy(dp, &on);
	cr_expect(gre_is_ours());
	slot = take(RSIP_TUNNEL_GRE, 0, 5000, 20 * S);
	dp->ops->set_policy(dp, &off);
	cr_expect(gre_is_ours(), "somebody has it");
	dp->ops->bind_remove(dp, slot);
	cr_expect_not(gre_is_ours());
}

Test(dataplane_tunnels, before_the_maps_were_looked_through_gre_stays_what_it_was)
{
	struct rsip_policy off = { .net_cnt = 0 };

	c->m.policy->flags = RSIP_POLICY_GRE; /* an earlier rsipd's */
	dp->ops->set_policy(dp, &off);
	cr_expect(gre_is_ours());
	cr_assert_eq(dp->ops->foreach(dp, S, NULL, NULL), 0);
	cr_expect_not(gre_is_ours());
}
