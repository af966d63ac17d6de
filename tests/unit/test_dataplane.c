// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The data plane's rules on the in-memory twin: slots, pairs, learned records, and what a restart finds. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <criterion/criterion.h>
#include "dataplane_core.h"

#define S 1000000000ULL
#define PUB_1 htonl(0xcb007101)
#define PUB_2 htonl(0xcb007102)
#define HOST_A htonl(0x0a00000a)
#define HOST_B htonl(0x0a00000b)

static struct rsip_dataplane *dp;
static struct rsip_dp_core *c;

static void up(void)
{
	cr_assert_eq(rsip_dataplane_mem(64, 4, &dp), 0);
	c = (struct rsip_dp_core *)dp;
	cr_assert_eq(dp->ops->addr_add(dp, 0, PUB_1, 0), 0);
	cr_assert_eq(dp->ops->addr_add(dp, 1, PUB_2, 0), 0);
}

static void down(void)
{
	dp->ops->close(dp);
}

TestSuite(dataplane, .init = up, .fini = down);

static struct rsip_spi_range one_range;

static struct rsip_dp_binding lease(__be32 host, __be32 local, uint64_t expires_ns)
{
	return (struct rsip_dp_binding){ .rec = { .expires_ns = expires_ns, .local = local, .host = host, .iface = 2,
						  .method = 2, .tunnel = 1 } };
}

static void with_ports(struct rsip_dp_binding *b, uint16_t first, uint16_t cnt)
{
	for (uint16_t i = 0; i < cnt; i++)
		b->ports.port[b->ports.cnt++] = (uint16_t)(first + i);
}

static void with_spis(struct rsip_dp_binding *b, uint32_t first, uint32_t cnt)
{
	one_range = (struct rsip_spi_range){ first, cnt };
	b->spis = (struct rsip_spi_set){ .range_cnt = 1, .range = &one_range };
	b->rec.method = 3;
}

static uint32_t install(const struct rsip_dp_binding *b)
{
	uint32_t slot = 0;

	cr_assert_eq(dp->ops->bind_install(dp, b, &slot), 0);
	return slot;
}

static uint32_t install_ports(__be32 host, uint16_t first, uint16_t cnt, uint64_t expires_ns)
{
	struct rsip_dp_binding b = lease(host, PUB_1, expires_ns);

	with_ports(&b, first, cnt);
	return install(&b);
}

static uint32_t install_spis(__be32 host, uint32_t first, uint32_t cnt, uint64_t expires_ns)
{
	struct rsip_dp_binding b = lease(host, PUB_1, expires_ns);

	with_spis(&b, first, cnt);
	return install(&b);
}

static uint32_t port_owner(uint32_t index, uint16_t port)
{
	return c->m.ports[index << 12 | port >> 4].slot[port & 15];
}

static uint32_t spi_owner(__be32 addr, uint32_t spi)
{
	const struct rsip_spi_entry *e = rsip_table_spi(&c->spis, addr, spi);

	return e ? e->slot : 0;
}

static struct rsip_pair_entry pair_of(__be32 host)
{
	const struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, host, PUB_1);

	return e ? *e : (struct rsip_pair_entry){ 0 };
}

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
	uint32_t one = install_spis(HOST_A, 0x1000, 4, 20 * S), two = install_spis(HOST_A, 0x2000, 4, 30 * S);
	uint32_t other = install_spis(HOST_B, 0x3000, 4, 30 * S), l = c->m.bindings[one].learned, gen;

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
	cr_expect_eq(c->m.learned[l].gen, gen, "claims live as long as the pair has an RSIPSEC binding");
	dp->ops->bind_remove(dp, two);
	cr_expect_eq(c->m.learned[l].slot, 0);
	cr_expect_neq(c->m.learned[l].gen, gen, "all its claims are void");
	cr_expect_eq(pair_of(HOST_A).slot, ports);
	cr_expect_eq(pair_of(HOST_A).ipsec_slot, 0);
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

/* ---- restart --------------------------------------------------------------------------------- */

struct found {
	uint32_t cnt;
	uint32_t slot[64];
	struct rsip_dp_binding b[64];
	struct rsip_spi_range range[64][8];
};

static int note(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	struct found *f = arg;

	f->slot[f->cnt] = slot;
	f->b[f->cnt] = *b;
	memcpy(f->range[f->cnt], b->spis.range, b->spis.range_cnt * sizeof(*b->spis.range));
	f->cnt++;
	return 0;
}

static struct found restart(uint64_t now_ns)
{
	static struct found f;

	memset(&f, 0, sizeof(f));
	cr_assert_eq(dp->ops->foreach(dp, now_ns, note, &f), 0);
	return f;
}

Test(dataplane_restart, finds_every_live_binding_with_its_ports_and_spis, .init = up, .fini = down)
{
	struct rsip_dp_binding b = lease(HOST_A, PUB_2, 50 * S);
	struct rsip_spi_range list[2] = { { 0x9000, 2 }, { 0x1008, 40 } };
	uint32_t slot[3];

	slot[0] = install_ports(HOST_A, 4000, 64, 10 * S);
	slot[1] = install_ports(HOST_B, 5000, 64, 40 * S);
	b.ports = (struct rsip_port_set){ .cnt = 3, .port = { 2000, 2002, 60000 } };
	b.spis = (struct rsip_spi_set){ .range_cnt = 2, .range = list };
	b.rec.method = 3;
	slot[2] = install(&b);
	struct found f = restart(20 * S);

	cr_assert_eq(f.cnt, 2);
	cr_expect_eq(f.slot[0], slot[1]);
	cr_expect_eq(f.b[0].ports.cnt, 64);
	cr_expect_eq(f.b[0].ports.port[63], 5063);
	cr_expect_eq(f.slot[1], slot[2]);
	cr_expect_eq(f.b[1].ports.cnt, 3);
	cr_expect_eq(f.b[1].ports.port[2], 60000);
	cr_expect_eq(f.b[1].spis.range_cnt, 2);
	cr_expect_eq(f.range[1][0].first, 0x1008);
	cr_expect_eq(f.range[1][0].cnt, 40);
	cr_expect_eq(f.range[1][1].first, 0x9000);
	cr_expect_eq(port_owner(0, 4000), 0, "the expired one is gone");
	cr_expect_eq(c->m.bindings[slot[0]].expires_ns, 0);
	cr_expect_eq(dp->ops->bind_remove(dp, slot[2]), 0);
	cr_expect_eq(port_owner(1, 2002), 0);
	cr_expect_eq(spi_owner(PUB_2, 0x102f), 0);
	cr_expect_eq(restart(20 * S).cnt, 1);
}

Test(dataplane_restart, pairs_and_claims_go_on, .init = up, .fini = down)
{
	uint32_t one = install_spis(HOST_A, 0x1000, 4, 20 * S), two = install_spis(HOST_A, 0x2000, 4, 30 * S);
	uint32_t l = c->m.bindings[one].learned, gen = c->m.learned[l].gen, three;

	c->m.learned[l].claims[0] = 77;
	cr_assert_eq(restart(S).cnt, 2);
	cr_expect_eq(c->m.bindings[one].learned, l);
	cr_expect_eq(c->m.learned[l].gen, gen);
	cr_expect_eq(c->m.learned[l].claims[0], 77);
	cr_expect_eq(pair_of(HOST_A).ipsec_slot, two);
	three = install_spis(HOST_A, 0x3000, 4, 40 * S);
	cr_expect_eq(c->m.bindings[three].learned, l);
	dp->ops->bind_remove(dp, three);
	dp->ops->bind_remove(dp, two);
	cr_expect_eq(pair_of(HOST_A).slot, one);
	cr_expect_eq(c->m.learned[l].slot, one);
}

Test(dataplane_restart, a_record_without_tables_goes, .init = up, .fini = down)
{
	struct rsip_binding *rec = &c->m.bindings[9];

	*rec = (struct rsip_binding){ .expires_ns = 90 * S, .local = PUB_1, .host = HOST_A, .method = 2, .res_cnt = 8 };
	cr_expect_eq(restart(S).cnt, 0);
	cr_expect_eq(rec->expires_ns, 0);
}

Test(dataplane_restart, a_half_published_binding_goes_with_its_entries, .init = up, .fini = down)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 90 * S), keep = install_spis(HOST_A, 0x1000, 4, 90 * S);

	c->m.ports[4000 >> 4].slot[3] = 0;
	struct found f = restart(S);

	cr_assert_eq(f.cnt, 1);
	cr_expect_eq(f.slot[0], keep);
	cr_expect_eq(c->m.bindings[slot].expires_ns, 0);
	cr_expect_eq(port_owner(0, 4000), 0);
	cr_expect_eq(pair_of(HOST_A).slot, keep);
}

Test(dataplane_restart, entries_of_dead_records_go, .init = up, .fini = down)
{
	uint32_t slot = install_spis(HOST_A, 0x1000, 4, 90 * S), l = c->m.bindings[slot].learned;
	uint32_t gen = c->m.learned[l].gen, keep = install_ports(HOST_B, 7000, 8, 90 * S);

	c->m.ports[100].slot[0] = 33;
	c->m.ports[101].slot[0] = 0xffffffff;
	c->m.bindings[slot].expires_ns = 0; /* killed in the middle of removing it */
	cr_expect_eq(restart(S).cnt, 1);
	cr_expect_eq(c->m.ports[100].slot[0], 0);
	cr_expect_eq(c->m.ports[101].slot[0], 0);
	cr_expect_eq(spi_owner(PUB_1, 0x1000), 0);
	cr_expect_eq(pair_of(HOST_A).host, 0);
	cr_expect_neq(c->m.learned[l].gen, gen);
	cr_expect_eq(pair_of(HOST_B).slot, keep);
}

Test(dataplane_restart, a_pair_entry_that_was_lost_is_made_anew, .init = up, .fini = down)
{
	uint32_t slot = install_spis(HOST_A, 0x1000, 4, 90 * S);

	rsip_table_pair_del(&c->pairs, HOST_A, PUB_1);
	c->m.bindings[slot].learned = 0;
	cr_expect_eq(restart(S).cnt, 1);
	cr_expect_eq(pair_of(HOST_A).ipsec_slot, slot);
	cr_assert_neq(c->m.bindings[slot].learned, 0);
	cr_expect_eq(c->m.learned[c->m.bindings[slot].learned].slot, slot);
}

Test(dataplane_restart, an_address_that_left_the_configuration_goes_with_its_bindings, .init = up, .fini = down)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 90 * S);

	memset(c->addr_known, 0, 4 * sizeof(*c->addr_known)); /* a new process, which adds only one of the two */
	cr_assert_eq(dp->ops->addr_add(dp, 1, PUB_2, 0), 0);
	cr_expect_eq(restart(S).cnt, 0);
	cr_expect_null(rsip_table_addr(&c->addrs, PUB_1));
	cr_expect_eq(c->m.addr_info[0].addr, 0);
	cr_expect_eq(c->m.bindings[slot].expires_ns, 0);
	cr_expect_eq(port_owner(0, 4000), 0);
	cr_expect_not_null(rsip_table_addr(&c->addrs, PUB_2));
}

/* ---- a model --------------------------------------------------------------------------------- */

#define MODEL_BINDS 200
#define MODEL_HOSTS 12

struct model_bind {
	uint32_t slot;
	uint8_t host, addr;
	bool ipsec;
	uint16_t port, port_cnt;
	uint32_t spi, spi_cnt;
	uint64_t expires;
};

static struct model_bind model[MODEL_BINDS];
static uint64_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 11) % below;
}

static __be32 model_addr(uint32_t i)
{
	return htonl(0xcb007101 + i);
}

static __be32 model_host(uint32_t i)
{
	return htonl(0x0a000001 + i);
}

static bool overlap(uint32_t a, uint32_t a_cnt, uint32_t b, uint32_t b_cnt)
{
	return a_cnt && b_cnt && a < b + b_cnt && b < a + a_cnt;
}

static bool model_clash(const struct model_bind *b)
{
	for (int i = 0; i < MODEL_BINDS; i++)
		if (model[i].slot && model[i].addr == b->addr &&
		    (overlap(model[i].port, model[i].port_cnt, b->port, b->port_cnt) ||
		     overlap(model[i].spi, model[i].spi_cnt, b->spi, b->spi_cnt)))
			return true;
	return false;
}

static void model_install(struct model_bind *m)
{
	struct model_bind b = { .host = (uint8_t)rnd(MODEL_HOSTS), .addr = (uint8_t)rnd(2), .ipsec = rnd(2),
				.port = (uint16_t)(1024 + rnd(4000)), .port_cnt = (uint16_t)rnd(40),
				.expires = S + rnd(1000000) };
	struct rsip_dp_binding in;
	int err;

	if (b.ipsec) {
		b.spi = 256 + rnd(20000);
		b.spi_cnt = 1 + rnd(40);
	}
	in = lease(model_host(b.host), model_addr(b.addr), b.expires);
	with_ports(&in, b.port, b.port_cnt);
	if (b.ipsec)
		with_spis(&in, b.spi, b.spi_cnt);
	err = dp->ops->bind_install(dp, &in, &b.slot);
	if (model_clash(&b)) {
		cr_assert_eq(err, -EEXIST);
	} else if (err) {
		cr_assert_eq(err, -ENOSPC); /* more owners of one block than it has places */
	} else {
		*m = b;
	}
}

static void check_pair(uint32_t host, uint32_t addr)
{
	const struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, model_host(host), model_addr(addr));
	uint64_t any = 0, ipsec = 0;

	for (int i = 0; i < MODEL_BINDS; i++) {
		const struct model_bind *m = &model[i];

		if (!m->slot || m->host != host || m->addr != addr)
			continue;
		any = m->expires > any ? m->expires : any;
		if (m->ipsec)
			ipsec = m->expires > ipsec ? m->expires : ipsec;
	}
	cr_assert_eq(!e, !any);
	if (!e)
		return;
	cr_assert_eq(c->m.bindings[e->slot].expires_ns, any);
	cr_assert_eq(!e->ipsec_slot, !ipsec);
	if (ipsec) {
		const struct rsip_binding *rec = &c->m.bindings[e->ipsec_slot];

		cr_assert_eq(rec->expires_ns, ipsec);
		cr_assert_eq(c->m.learned[rec->learned].slot, e->ipsec_slot);
		cr_assert_eq(c->m.learned[rec->learned].host, model_host(host));
	}
}

static uint32_t model_port_owner(uint32_t addr, uint32_t port)
{
	for (int i = 0; i < MODEL_BINDS; i++)
		if (model[i].slot && model[i].addr == addr && port - model[i].port < model[i].port_cnt)
			return model[i].slot;
	return 0;
}

static uint32_t model_spi_owner(uint32_t addr, uint32_t spi)
{
	for (int i = 0; i < MODEL_BINDS; i++)
		if (model[i].slot && model[i].addr == addr && spi - model[i].spi < model[i].spi_cnt)
			return model[i].slot;
	return 0;
}

static int model_found(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	uint32_t *cnt = arg;

	for (int i = 0; i < MODEL_BINDS; i++) {
		const struct model_bind *m = &model[i];

		if (m->slot != slot)
			continue;
		cr_assert_eq(b->ports.cnt, m->port_cnt);
		cr_assert(!m->port_cnt || b->ports.port[0] == m->port);
		cr_assert_eq(b->spis.range_cnt, m->ipsec);
		cr_assert(!m->ipsec || (b->spis.range[0].first == m->spi && b->spis.range[0].cnt == m->spi_cnt));
		++*cnt;
		return 0;
	}
	cr_assert_fail("slot %u was never installed", slot);
	return -1;
}

static void check_restart(void)
{
	uint32_t live = 0, found = 0;

	for (int i = 0; i < MODEL_BINDS; i++)
		live += model[i].slot != 0;
	cr_assert_eq(dp->ops->foreach(dp, 1, model_found, &found), 0);
	cr_assert_eq(found, live);
}

static void model_step(uint32_t op)
{
	struct model_bind *m = &model[rnd(MODEL_BINDS)];
	uint32_t addr = rnd(2), port = 1000 + rnd(4100), spi = 200 + rnd(20100);

	if (!m->slot) {
		model_install(m);
	} else if (rnd(3)) {
		cr_assert_eq(dp->ops->bind_remove(dp, m->slot), 0);
		m->slot = 0;
	} else {
		m->expires = S + rnd(1000000);
		cr_assert_eq(dp->ops->bind_extend(dp, m->slot, m->expires), 0);
	}
	check_pair(m->host, m->addr);
	check_pair(rnd(MODEL_HOSTS), addr);
	cr_assert_eq(port_owner(addr, (uint16_t)port), model_port_owner(addr, port));
	cr_assert_eq(spi_owner(model_addr(addr), spi), model_spi_owner(addr, spi));
	if (op % 10000 == 9999)
		check_restart();
	if (op % 100 == 0)
		dp->ops->housekeep(dp, (op + 1) * S);
}

/* RSIP_MODEL_OPS and RSIP_MODEL_SEED make it longer, or another run. */
Test(dataplane_model, random_operations_agree_with_a_naive_list)
{
	const char *ops = getenv("RSIP_MODEL_OPS"), *seed = getenv("RSIP_MODEL_SEED");
	uint32_t n = ops ? (uint32_t)strtoul(ops, NULL, 0) : 100000;

	rnd_state = seed ? strtoull(seed, NULL, 0) : 20261124;
	cr_assert_eq(rsip_dataplane_mem(256, 2, &dp), 0);
	c = (struct rsip_dp_core *)dp;
	for (uint32_t i = 0; i < 2; i++)
		cr_assert_eq(dp->ops->addr_add(dp, i, model_addr(i), 0), 0);
	for (uint32_t op = 0; op < n; op++)
		model_step(op);
	check_restart();
	dp->ops->close(dp);
}
