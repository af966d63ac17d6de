// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The data plane's rules on the in-memory twin: bindings, slots that rest, pairs, learned records.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "twin.h"

TestSuite(dataplane, .init = twin_up, .fini = twin_down);

/* ---- bindings -------------------------------------------------------------------------------- */

Test(dataplane, ports_name_their_slot_at_the_edges)
{
	uint32_t slot = install_ports(HOST_A, 4000, 64, 10 * S);

	cr_expect_eq(port_owner(0, 3999), 0);
	cr_expect_eq(port_owner(0, 4000), slot);
	cr_expect_eq(port_owner(0, 4063), slot);
	cr_expect_eq(port_owner(0, 4064), 0);
	cr_expect_eq(port_owner(1, 4000), 0);
	cr_expect_eq(c->m.bindings[slot].addr_index, 0);
	cr_expect_eq(c->m.bindings[slot].res_cnt, 64);
}

Test(dataplane, ports_that_fill_a_block_are_one_word)
{
	uint32_t slot = install_ports(HOST_A, 4090, 140, 10 * S); /* 4096 - 4223 are two blocks */

	cr_expect_eq(*rsip_dp_block_word(c, 0, 4096), slot);
	cr_expect_eq(*rsip_dp_block_word(c, 0, 4223), slot);
	cr_expect_eq(*rsip_dp_block_word(c, 0, 4095), 0);
	cr_expect_eq(*rsip_dp_block_word(c, 0, 4224), 0);
	for (uint16_t port = 4089; port <= 4230; port++) {
		bool loose = (port >= 4090 && port < 4096) || (port >= 4224 && port < 4230);

		cr_expect_eq(*rsip_dp_port_word(c, 0, port), loose ? slot : 0, "port %u", port);
		cr_expect_eq(port_owner(0, port), port >= 4090 && port < 4230 ? slot : 0, "port %u", port);
	}
	cr_assert_eq(dp->ops->bind_remove(dp, slot), 0);
	for (uint16_t port = 4089; port <= 4230; port++)
		cr_expect_eq(port_owner(0, port), 0, "port %u", port);
}

Test(dataplane, a_block_and_its_ports_exclude_each_other)
{
	struct rsip_dp_binding one = lease(HOST_B, PUB_1, 10 * S), all = lease(HOST_B, PUB_1, 10 * S), half = all;
	uint32_t slot = install_ports(HOST_A, 4096, 64, 10 * S), got;

	with_ports(&one, 4159, 1);
	with_ports(&all, 4096, 64);
	with_ports(&half, 4128, 32);
	cr_expect_eq(dp->ops->bind_install(dp, &one, &got), -EEXIST);
	cr_expect_eq(dp->ops->bind_install(dp, &all, &got), -EEXIST);
	dp->ops->bind_remove(dp, slot);
	slot = install(&one);
	cr_expect_eq(dp->ops->bind_install(dp, &all, &got), -EEXIST);
	cr_expect_eq(dp->ops->bind_install(dp, &half, &got), -EEXIST);
	dp->ops->bind_remove(dp, slot);
	slot = install_ports(HOST_A, 4096, 32, 10 * S);
	cr_assert_eq(dp->ops->bind_install(dp, &half, &got), 0, "two hosts share a block");
	cr_expect_eq(port_owner(0, 4127), slot);
	cr_expect_eq(port_owner(0, 4128), got);
	dp->ops->bind_remove(dp, slot);
	dp->ops->bind_remove(dp, got);
	cr_expect_eq(dp->ops->bind_install(dp, &all, &got), 0);
}

Test(dataplane, a_list_of_ports_may_hold_a_block)
{
	struct rsip_dp_binding b = lease(HOST_A, PUB_1, 10 * S);
	uint32_t slot;

	with_ports(&b, 4160, 64);
	b.ports.port[b.ports.cnt++] = 60000;
	slot = install(&b);
	cr_expect_eq(*rsip_dp_block_word(c, 0, 4160), slot);
	cr_expect_eq(*rsip_dp_port_word(c, 0, 4160), 0);
	cr_expect_eq(port_owner(0, 60000), slot);
	cr_expect_eq(port_owner(0, 60001), 0);
	dp->ops->bind_remove(dp, slot);
	cr_expect_eq(port_owner(0, 4200), 0);
	cr_expect_eq(port_owner(0, 60000), 0);
}

Test(dataplane, a_range_of_spis_crosses_blocks)
{
	uint32_t slot = install_spis(HOST_A, 0x100a, 40, 10 * S);

	cr_expect_eq(spi_owner(PUB_1, 0x1009), 0);
	cr_expect_eq(spi_owner(PUB_1, 0x100a), slot);
	cr_expect_eq(spi_owner(PUB_1, 0x1010), slot);
	cr_expect_eq(spi_owner(PUB_1, 0x1031), slot);
	cr_expect_eq(spi_owner(PUB_1, 0x1032), 0);
	cr_assert_eq(dp->ops->bind_remove(dp, slot), 0);
	for (uint32_t spi = 0x1000; spi < 0x1040; spi++)
		cr_expect_eq(spi_owner(PUB_1, spi), 0);
}

Test(dataplane, the_last_spis_of_all_can_be_leased)
{
	uint32_t slot = install_spis(HOST_A, 0xffffffe8, 24, 10 * S);
	struct rsip_dp_binding b = lease(HOST_B, PUB_1, 10 * S);

	cr_expect_eq(spi_owner(PUB_1, 0xffffffff), slot);
	with_spis(&b, 0xfffffff0, 17);
	cr_expect_eq(dp->ops->bind_install(dp, &b, &slot), -EINVAL);
}

Test(dataplane, lists_of_ports_and_spis)
{
	struct rsip_dp_binding b = lease(HOST_A, PUB_1, 10 * S);
	struct rsip_spi_range list[3] = { { 0x1000, 1 }, { 0x9000, 2 }, { 0x20, 1 } };
	uint32_t slot;

	b.ports = (struct rsip_port_set){ .cnt = 3, .port = { 2000, 2002, 60000 } };
	b.spis = (struct rsip_spi_set){ .range_cnt = 3, .range = list };
	b.rec.method = 3;
	slot = install(&b);
	cr_expect_eq(port_owner(0, 2000), slot);
	cr_expect_eq(port_owner(0, 2001), 0);
	cr_expect_eq(port_owner(0, 60000), slot);
	cr_expect_eq(spi_owner(PUB_1, 0x9001), slot);
	cr_expect_eq(spi_owner(PUB_1, 0x20), slot);
	cr_expect_eq(c->m.bindings[slot].res_cnt, 7);
	cr_assert_eq(dp->ops->bind_remove(dp, slot), 0);
	cr_expect_eq(port_owner(0, 60000), 0);
	cr_expect_eq(spi_owner(PUB_1, 0x9001), 0);
}

Test(dataplane, what_somebody_has_is_refused_and_nothing_stays_behind)
{
	uint32_t slot = install_spis(HOST_A, 0x1000, 4, 10 * S), other = 0;
	struct rsip_dp_binding b = lease(HOST_B, PUB_1, 10 * S);
	struct rsip_spi_range list[2] = { { 0x3000, 4 }, { 0x1003, 1 } };

	with_ports(&b, 5000, 8);
	b.rec.method = 3;
	b.spis = (struct rsip_spi_set){ .range_cnt = 2, .range = list };
	cr_expect_eq(dp->ops->bind_install(dp, &b, &other), -EEXIST);
	cr_expect_eq(port_owner(0, 5000), 0);
	cr_expect_eq(spi_owner(PUB_1, 0x3000), 0);
	cr_expect_eq(spi_owner(PUB_1, 0x1003), slot);
	cr_expect_eq(pair_of(HOST_B).host, 0);
	cr_expect_eq(c->addr_binds[0], 1);
	list[1].first = 0x1004;
	cr_expect_eq(dp->ops->bind_install(dp, &b, &other), 0);
}

Test(dataplane, nonsense_is_refused)
{
	struct rsip_dp_binding b = lease(HOST_A, htonl(0x08080808), 10 * S);
	uint32_t slot;

	cr_expect_eq(dp->ops->bind_install(dp, &b, &slot), -ENOENT, "no such address");
	b = lease(HOST_A, PUB_1, 0);
	cr_expect_eq(dp->ops->bind_install(dp, &b, &slot), -EINVAL, "no expiry");
	b = lease(0, PUB_1, S);
	cr_expect_eq(dp->ops->bind_install(dp, &b, &slot), -EINVAL, "no host");
	b = lease(HOST_A, PUB_1, S);
	b.ports = (struct rsip_port_set){ .cnt = 2, .port = { 7, 7 } };
	cr_expect_eq(dp->ops->bind_install(dp, &b, &slot), -EINVAL, "a port twice");
	cr_expect_eq(dp->ops->bind_remove(dp, 1), -ENOENT);
	cr_expect_eq(dp->ops->bind_remove(dp, 100000), -ENOENT);
	cr_expect_eq(dp->ops->bind_extend(dp, 1, S), -ENOENT);
}

Test(dataplane, a_whole_address_has_one_owner)
{
	struct rsip_dp_binding b = lease(HOST_A, PUB_1, 10 * S);
	uint32_t slot, other;

	b.rec.method = 1;
	slot = install(&b);
	cr_expect_eq(c->m.addr_info[0].whole_slot, slot);
	b.rec.host = HOST_B;
	cr_expect_eq(dp->ops->bind_install(dp, &b, &other), -EEXIST);
	cr_assert_eq(dp->ops->bind_remove(dp, slot), 0);
	cr_expect_eq(c->m.addr_info[0].whole_slot, 0);
	cr_expect_eq(dp->ops->bind_install(dp, &b, &other), 0);
}

Test(dataplane, counters_of_a_new_binding_start_at_zero)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 10 * S);
	struct rsip_bind_cnt sum;

	c->m.bind_cnt[slot].in_packets = 5;
	c->m.bind_cnt[65 + slot].in_packets = 7; /* the other CPU */
	cr_assert_eq(dp->ops->bind_counters(dp, slot, &sum), 0);
	cr_expect_eq(sum.in_packets, 12);
	dp->ops->bind_remove(dp, slot);
	for (int i = 0; i < 64; i++)
		slot = install_ports(HOST_A, (uint16_t)(4000 + i * 8), 8, 10 * S);
	cr_assert_eq(dp->ops->bind_counters(dp, 1, &sum), 0);
	cr_expect_eq(sum.in_packets, 0);
}

Test(dataplane, the_next_hop_is_one_word)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 10 * S);
	union rsip_nexthop hop = { .mac = { 2, 0, 0, 0, 0, 10 }, .iface = 2 };

	cr_assert_eq(dp->ops->bind_nexthop(dp, slot, hop.word), 0);
	cr_expect_eq(c->m.bindings[slot].nexthop, hop.word);
}

Test(dataplane, the_dscp_of_a_binding_is_a_byte_of_its_own)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 10 * S);
	uint8_t iface = c->m.bindings[slot].iface;

	cr_expect_eq(dp->ops->bind_dscp(dp, slot + 1, RSIP_BIND_DSCP_SET), -ENOENT);
	cr_assert_eq(dp->ops->bind_dscp(dp, slot, RSIP_BIND_DSCP_SET | RSIP_DSCP_MASK), 0);
	cr_expect_eq(c->m.bindings[slot].dscp, 0x7f);
	cr_expect_eq(c->m.bindings[slot].iface, iface);
	cr_assert_eq(dp->ops->bind_dscp(dp, slot, 0), 0);
	cr_expect_eq(c->m.bindings[slot].dscp, 0);
}

/* ---- slots rest ------------------------------------------------------------------------------ */

Test(dataplane, a_freed_slot_rests_until_a_grace_period)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 10 * S);

	dp->ops->bind_remove(dp, slot);
	cr_expect_eq(c->m.bindings[slot].expires_ns, 0);
	for (int i = 0; i < 63; i++)
		cr_assert_neq(install_ports(HOST_A, (uint16_t)(5000 + i * 8), 8, 10 * S), slot);
	cr_expect_eq(c->graces, 0, "no grace period while rested slots are left");
	cr_expect_eq(install_ports(HOST_A, 4000, 8, 10 * S), slot);
	cr_expect_eq(c->graces, 1, "one for the whole batch");
	struct rsip_dp_binding b = lease(HOST_A, PUB_1, S);
	cr_expect_eq(dp->ops->bind_install(dp, &b, &slot), -ENOSPC);
	cr_expect_eq(c->graces, 1, "none where it would free nothing");
}

Test(dataplane, housekeep_settles_what_has_rested_a_second)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 10 * S);

	dp->ops->housekeep(dp, 1 * S);
	dp->ops->bind_remove(dp, slot);
	dp->ops->housekeep(dp, 2 * S);
	cr_expect_eq(c->graces, 0);
	dp->ops->housekeep(dp, 3 * S + 1);
	cr_expect_eq(c->graces, 1);
	dp->ops->housekeep(dp, 5 * S);
	cr_expect_eq(c->graces, 1, "nothing rests: nothing to wait for");
}

/* ---- pairs ----------------------------------------------------------------------------------- */

Test(dataplane, a_pair_names_its_binding_that_expires_last)
{
	uint32_t first = install_ports(HOST_A, 4000, 8, 10 * S);
	uint32_t longest = install_ports(HOST_A, 5000, 8, 30 * S);
	uint32_t last = install_ports(HOST_A, 6000, 8, 20 * S);

	cr_expect_eq(pair_of(HOST_A).slot, longest);
	cr_expect_eq(pair_of(HOST_A).ipsec_slot, 0);
	dp->ops->bind_remove(dp, longest);
	cr_expect_eq(pair_of(HOST_A).slot, last);
	dp->ops->bind_extend(dp, first, 40 * S);
	cr_expect_eq(pair_of(HOST_A).slot, first);
	dp->ops->bind_extend(dp, first, 15 * S);
	cr_expect_eq(pair_of(HOST_A).slot, last);
	dp->ops->bind_remove(dp, last);
	dp->ops->bind_remove(dp, first);
	cr_expect_eq(pair_of(HOST_A).host, 0);
}

Test(dataplane, ipsec_bindings_of_a_pair_share_one_learned_record)
{
	uint32_t ports = install_ports(HOST_A, 4000, 8, 90 * S);
	uint32_t one = install_spis(HOST_A, 0x1000, 4, 20 * S),
		 two = install_spis(HOST_A, 0x2000, 4, 30 * S);
	uint32_t other = install_spis(HOST_B, 0x3000, 4, 30 * S), l = c->m.bindings[one].learned,
		 gen;

	cr_assert_neq(l, 0);
	gen = c->m.learned[l].gen;
	cr_expect_eq(c->m.bindings[two].learned, l);
	cr_expect_neq(c->m.bindings[other].learned, l);
	cr_expect_eq(c->m.bindings[ports].learned, 0);
	cr_expect_eq(pair_of(HOST_A).slot, ports);
	cr_expect_eq(pair_of(HOST_A).ipsec_slot, two);
	cr_expect_eq(c->m.learned[l].slot, two);
	dp->ops->bind_extend(dp, one, 50 * S);
	cr_expect_eq(c->m.learned[l].slot, one);
	dp->ops->bind_remove(dp, one);
	cr_expect_eq(c->m.learned[l].slot, two);
	cr_expect_eq(c->m.learned[l].gen, gen,
		     "claims live as long as the pair has an RSIPSEC binding");
	dp->ops->bind_remove(dp, two);
	cr_expect_eq(c->m.learned[l].slot, 0);
	cr_expect_neq(c->m.learned[l].gen, gen, "all its claims are void");
	cr_expect_eq(pair_of(HOST_A).slot, ports);
	cr_expect_eq(pair_of(HOST_A).ipsec_slot, 0);
}

Test(dataplane, numbers_taken_out_of_turn_are_neither_lost_nor_given_twice)
{
	enum { MAX = 20 };
	struct rsip_dp_numbers n;
	bool used[MAX + 1] = { false };
	uint32_t cnt = 0;

	srand(7);
	cr_assert_eq(rsip_dp_numbers_init(&n, MAX), 0);
	for (int i = 0; i < 20000; i++) {
		uint32_t num = 1 + (uint32_t)rand() % MAX, next = rsip_dp_numbers_peek(&n);

		if (rand() % 3 == 0)
			num = rsip_dp_numbers_take_this(&n, num) ? num : 0;
		else if (rand() % 2)
			cr_assert_eq(num = rsip_dp_numbers_take(&n), next);
		else if (used[num])
			rsip_dp_numbers_drop(&n, num), used[num] = false, cnt--, num = 0;
		else
			num = 0;
		cr_assert(!used[num], "%u was given twice", num);
		cnt += num != 0;
		used[num] = num != 0;
		if (i % 16 == 0)
			rsip_dp_numbers_settle(&n);
	}
	rsip_dp_numbers_settle(&n);
	for (; rsip_dp_numbers_take(&n); cnt++)
		;
	cr_expect_eq(cnt, MAX);
	rsip_dp_numbers_free(&n);
}

/* Packets fetch both at once, where the numbers are the same (bpf/ike.h). */
Test(dataplane, a_learned_record_has_the_number_of_its_first_slot)
{
	uint32_t ports = install_ports(HOST_A, 4000, 8, 10 * S), one = install_spis(HOST_A, 0x1000, 4, 10 * S),
		 two = install_spis(HOST_A, 0x2000, 4, 10 * S), other = install_spis(HOST_B, 0x3000, 4, 10 * S);

	cr_expect_eq(c->m.bindings[ports].learned, 0);
	cr_expect_eq(c->m.bindings[one].learned, one);
	cr_expect_eq(c->m.bindings[two].learned, one);
	cr_expect_eq(c->m.bindings[other].learned, other);
	dp->ops->bind_remove(dp, one);
	dp->ops->bind_remove(dp, ports);
	dp->ops->bind_remove(dp, other);
	c->slots.fresh = c->learned.fresh = c->config.max_bindings + 1; /* all others were used once */
	rsip_dp_core_grace(c);
	one = install_spis(HOST_B, 0x1000, 4, 10 * S);
	cr_expect_neq(c->m.bindings[one].learned, one, "the other pair still has it");
	ports = install_ports(HOST_B, 4000, 8, 10 * S);
	cr_expect_neq(ports, one);
	cr_expect_eq(c->m.learned[c->m.bindings[two].learned].host, HOST_A);
	cr_expect_eq(c->m.learned[c->m.bindings[one].learned].host, HOST_B);
}

/* Packets fetch it while they still ask whose the port is (bpf/tables.h). */
Test(dataplane, a_binding_of_a_whole_block_lies_where_packets_look_first)
{
	uint32_t home = RSIP_HOME_SLOT(0, 8 * 64, rsip_home_mask(c->config.max_bindings)), loose, slot;

	cr_assert(home > 1 && home <= c->config.max_bindings);
	loose = install_ports(HOST_A, 4000, 8, 10 * S);
	cr_expect_neq(loose, home, "without a whole block it has no home");
	slot = install_ports(HOST_A, 8 * 64, 64, 10 * S);
	cr_expect_eq(slot, home);
	dp->ops->bind_remove(dp, slot);
	slot = install_ports(HOST_B, 8 * 64, 64, 10 * S);
	cr_expect_neq(slot, home, "it rests until a grace period has passed");
	dp->ops->bind_remove(dp, slot);
	rsip_dp_core_grace(c);
	slot = install_ports(HOST_B, 8 * 64 - 3, 67, 10 * S);
	cr_expect_eq(slot, home, "the first whole block counts");
}

Test(dataplane, the_home_of_a_block_is_free_or_another_slot_is_taken)
{
	uint32_t max = c->config.max_bindings, mask = rsip_home_mask(max), last;

	cr_expect(mask >= max && mask / 2 < max && !(mask & (mask + 1)));
	last = install_ports(HOST_A, 8 * 64, 64, 10 * S);
	dp->ops->bind_remove(dp, last);
	rsip_dp_core_grace(c);
	cr_assert(rsip_dp_numbers_take_this(&c->slots, last));
	cr_expect_neq(install_ports(HOST_A, 8 * 64, 64, 10 * S), last);
}

Test(dataplane, a_learned_record_never_comes_back_with_an_old_generation)
{
	uint32_t slot = install_spis(HOST_A, 0x1000, 4, 20 * S), l = c->m.bindings[slot].learned;
	uint32_t first = c->m.learned[l].gen, dead;

	c->m.learned[l].claims[3] = 42;
	dp->ops->bind_remove(dp, slot);
	dead = c->m.learned[l].gen;
	for (int i = 0; i < 64; i++)
		install_spis(HOST_B + htonl((uint32_t)i), 0x10000 + (uint32_t)i * 16, 4, 20 * S);
	cr_expect_eq(c->m.learned[l].host != HOST_A, true);
	cr_expect_gt(c->m.learned[l].gen, dead);
	cr_expect_gt(dead, first);
	cr_expect_eq(c->m.learned[l].claims[3], 0);
}

/* ---- addresses ------------------------------------------------------------------------------- */

Test(dataplane, an_address_with_bindings_stays)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 10 * S);

	cr_expect_eq(dp->ops->addr_remove(dp, 0, PUB_1), -EBUSY);
	cr_expect_eq(dp->ops->addr_remove(dp, 0, PUB_2), -ENOENT);
	cr_expect_eq(dp->ops->addr_add(dp, 2, PUB_1, 0), -EEXIST);
	cr_expect_eq(dp->ops->addr_add(dp, 0, htonl(0xcb007105), 0), -EEXIST);
	cr_expect_eq(dp->ops->addr_add(dp, 4, htonl(0xcb007105), 0), -EINVAL);
	cr_expect_eq(dp->ops->addr_add(dp, 0, PUB_1, 0), 0, "it is there already");
	dp->ops->bind_remove(dp, slot);
	cr_expect_eq(dp->ops->addr_remove(dp, 0, PUB_1), 0);
	cr_expect_null(rsip_table_addr(&c->addrs, PUB_1));
	cr_expect_eq(dp->ops->addr_add(dp, 3, PUB_1, 0), 0);
}
