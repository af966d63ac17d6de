// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a restarted rsipd finds in the maps, and how it repairs what a kill left half done. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "twin.h"

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
	cr_assert_eq(dp->ops->foreach (dp, now_ns, note, &f), 0);
	return f;
}

Test(dataplane_restart, finds_every_live_binding_with_its_ports_and_spis, .init = twin_up,
     .fini = twin_down)
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

/* Who leases which port of address 0, as packets see it. */
static uint32_t owned(uint16_t first, uint32_t cnt, uint32_t slot)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < cnt; i++)
		n += port_owner(0, (uint16_t)(first + i)) == slot;
	return n;
}

Test(dataplane_restart, ports_that_an_earlier_release_wrote_one_by_one_become_blocks, .init = twin_up, .fini = twin_down)
{
	uint32_t slot = install_ports(HOST_A, 4090, 140, 90 * S);

	for (uint16_t port = 4096; port < 4224; port++)
		*rsip_dp_port_word(c, 0, port) = slot;
	*rsip_dp_block_word(c, 0, 4096) = *rsip_dp_block_word(c, 0, 4160) = 0;
	struct found f = restart(S);

	cr_assert_eq(f.cnt, 1);
	cr_expect_eq(f.b[0].ports.cnt, 140);
	cr_expect_eq(*rsip_dp_block_word(c, 0, 4100), slot);
	cr_expect_eq(*rsip_dp_block_word(c, 0, 4170), slot);
	cr_expect_eq(*rsip_dp_port_word(c, 0, 4100), slot, "nor is it taken away while packets may look for it");
	cr_expect_eq(restart(S).b[0].ports.cnt, 140, "once more, with both");
	dp->ops->bind_remove(dp, slot);
	cr_expect_eq(owned(4000, 400, 0), 400);
	slot = install_ports(HOST_B, 4096, 64, 90 * S);
	cr_expect_eq(owned(4096, 64, slot), 64);
}

Test(dataplane_restart, blocks_that_are_nobodys_go, .init = twin_up, .fini = twin_down)
{
	uint32_t slot = install_ports(HOST_A, 4096, 128, 90 * S), other = install_ports(HOST_B, 7000, 8, 90 * S);

	*rsip_dp_block_word(c, 0, 5120) = 33; /* no such binding */
	*rsip_dp_block_word(c, 1, 5120) = slot; /* of the other address */
	*rsip_dp_port_word(c, 0, 4100) = other; /* in a block that is another's */
	struct found f = restart(S);

	cr_expect_eq(*rsip_dp_block_word(c, 0, 5120), 0);
	cr_expect_eq(*rsip_dp_block_word(c, 1, 5120), 0);
	cr_expect_eq(*rsip_dp_port_word(c, 0, 4100), 0);
	cr_assert_eq(f.cnt, 2);
	cr_expect_eq(f.b[f.slot[1] == slot].ports.cnt, 128);
	cr_expect_eq(f.b[f.slot[1] == other].ports.cnt, 8);
	cr_expect_eq(owned(4096, 128, slot), 128);
}

Test(dataplane_restart, a_binding_that_lacks_one_of_its_blocks_goes, .init = twin_up, .fini = twin_down)
{
	uint32_t slot = install_ports(HOST_A, 4096, 128, 90 * S);

	*rsip_dp_block_word(c, 0, 4160) = 0;
	cr_expect_eq(restart(S).cnt, 0);
	cr_expect_eq(c->m.bindings[slot].expires_ns, 0);
	cr_expect_eq(owned(4096, 128, 0), 128);
}

Test(dataplane_restart, pairs_and_claims_go_on, .init = twin_up, .fini = twin_down)
{
	uint32_t one = install_spis(HOST_A, 0x1000, 4, 20 * S),
		 two = install_spis(HOST_A, 0x2000, 4, 30 * S);
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

Test(dataplane_restart, a_record_without_tables_goes, .init = twin_up, .fini = twin_down)
{
	struct rsip_binding *rec = &c->m.bindings[9];

	*rec = (struct rsip_binding){
		.expires_ns = 90 * S, .local = PUB_1, .host = HOST_A, .method = 2, .res_cnt = 8
	};
	cr_expect_eq(restart(S).cnt, 0);
	cr_expect_eq(rec->expires_ns, 0);
}

Test(dataplane_restart, a_half_published_binding_goes_with_its_entries, .init = twin_up,
     .fini = twin_down)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 90 * S),
		 keep = install_spis(HOST_A, 0x1000, 4, 90 * S);

	c->m.ports[4000 >> 4].slot[3] = 0;
	struct found f = restart(S);

	cr_assert_eq(f.cnt, 1);
	cr_expect_eq(f.slot[0], keep);
	cr_expect_eq(c->m.bindings[slot].expires_ns, 0);
	cr_expect_eq(port_owner(0, 4000), 0);
	cr_expect_eq(pair_of(HOST_A).slot, keep);
}

Test(dataplane_restart, entries_of_dead_records_go, .init = twin_up, .fini = twin_down)
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

Test(dataplane_restart, a_pair_entry_that_was_lost_is_made_anew, .init = twin_up, .fini = twin_down)
{
	uint32_t slot = install_spis(HOST_A, 0x1000, 4, 90 * S);

	rsip_table_pair_del(&c->pairs, HOST_A, PUB_1);
	c->m.bindings[slot].learned = 0;
	cr_expect_eq(restart(S).cnt, 1);
	cr_expect_eq(pair_of(HOST_A).ipsec_slot, slot);
	cr_assert_neq(c->m.bindings[slot].learned, 0);
	cr_expect_eq(c->m.learned[c->m.bindings[slot].learned].slot, slot);
}

Test(dataplane_restart, an_address_that_left_the_configuration_goes_with_its_bindings,
     .init = twin_up, .fini = twin_down)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 90 * S);

	memset(c->addr_known, 0,
	       4 * sizeof(*c->addr_known)); /* a new process, which adds only one of the two */
	cr_assert_eq(dp->ops->addr_add(dp, 1, PUB_2, 0), 0);
	cr_expect_eq(restart(S).cnt, 0);
	cr_expect_null(rsip_table_addr(&c->addrs, PUB_1));
	cr_expect_eq(c->m.addr_info[0].addr, 0);
	cr_expect_eq(c->m.bindings[slot].expires_ns, 0);
	cr_expect_eq(port_owner(0, 4000), 0);
	cr_expect_not_null(rsip_table_addr(&c->addrs, PUB_2));
}

Test(dataplane_restart, a_foreign_entry_does_not_harm_a_live_binding, .init = twin_up,
     .fini = twin_down)
{
	uint32_t slot = install_ports(HOST_A, 4000, 8, 90 * S);

	c->m.ports[1 << 12 | 100].slot[0] = slot; /* of the other address */
	cr_expect_eq(restart(S).cnt, 1);
	cr_expect_eq(c->m.ports[1 << 12 | 100].slot[0], 0);
	cr_expect_eq(port_owner(0, 4000), slot);
}

/* ---- remotes, listeners, whole addresses --------------------------------------------------------------------- */

static uint32_t install_for(__be32 remote, uint32_t spi, uint64_t expires_ns)
{
	struct rsip_dp_binding b = lease(HOST_A, PUB_1, expires_ns);

	with_spis(&b, spi, 4);
	b.rec.remote = remote;
	return install(&b);
}

static uint32_t remote_of(__be32 remote, uint32_t ipsec)
{
	const struct rsip_remote_entry *e = rsip_table_remote(&c->remotes, HOST_A, PUB_1, remote, ipsec);

	return e ? e->slot & ~RSIP_REMOTE_IPSEC : 0;
}

Test(dataplane_restart, a_pairs_remotes_go_on, .init = twin_up, .fini = twin_down)
{
	uint32_t one = install_for(REMOTE, 0x1000, 20 * S), two = install_for(REMOTE, 0x2000, 30 * S);
	uint32_t other = install_for(REMOTE_2, 0x3000, 25 * S);

	cr_assert_eq(restart(S).cnt, 3);
	cr_expect_eq(remote_of(REMOTE, 0), two);
	cr_expect_eq(remote_of(REMOTE, RSIP_REMOTE_IPSEC), two);
	cr_expect_eq(remote_of(REMOTE_2, RSIP_REMOTE_IPSEC), other);
	dp->ops->bind_remove(dp, two);
	cr_expect_eq(remote_of(REMOTE, RSIP_REMOTE_IPSEC), one);
	dp->ops->bind_remove(dp, one);
	cr_expect_eq(remote_of(REMOTE, RSIP_REMOTE_IPSEC), 0);
	cr_expect_eq(remote_of(REMOTE_2, 0), other);
}

Test(dataplane_restart, entries_of_remotes_that_fit_nothing_go, .init = twin_up, .fini = twin_down)
{
	uint32_t slot = install_for(REMOTE, 0x1000, 20 * S), plain = install_ports(HOST_B, 4000, 4, 20 * S);
	const struct rsip_remote_entry wrong[] = {
		{ HOST_A, PUB_1, REMOTE_2, slot }, /* another remote */
		{ HOST_B, PUB_1, REMOTE, slot }, /* another host */
		{ HOST_B, PUB_1, REMOTE_2, plain }, /* a binding without remote */
		{ HOST_A, PUB_2, REMOTE, 50 }, /* no binding */
	};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_assert_eq(rsip_table_remote_put(&c->remotes, &wrong[i]), 0);
	rsip_table_remote(&c->remotes, HOST_A, PUB_1, REMOTE, 0)->slot = 0; /* killed before it was written */
	cr_assert_eq(restart(S).cnt, 2);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		cr_expect_null(rsip_table_remote(&c->remotes, wrong[i].host, wrong[i].local, wrong[i].remote, 0), "%zu", i);
	cr_expect_eq(remote_of(REMOTE, 0), slot);
}

/* There is a learned record for one of two pairs only: the other binding cannot join, and nothing may name it. */
Test(dataplane_restart, entries_of_a_binding_that_is_given_up_go, .init = twin_up, .fini = twin_down)
{
	struct rsip_dp_binding b = lease(HOST_B, PUB_1, 90 * S);
	uint32_t keep = install_for(REMOTE, 0x1000, 90 * S), other;

	with_spis(&b, 0x2000, 4);
	b.rec.remote = REMOTE;
	other = install(&b);
	c->m.bindings[keep].learned = c->m.bindings[other].learned = 0;
	c->config.max_learned = 1;
	cr_assert_eq(restart(S).cnt, 1);
	cr_expect_eq(remote_of(REMOTE, 0), keep);
	cr_expect_eq(remote_of(REMOTE, RSIP_REMOTE_IPSEC), keep);
	cr_expect_eq(c->m.bindings[other].expires_ns, 0);
	cr_expect_null(rsip_table_remote(&c->remotes, HOST_B, PUB_1, REMOTE, 0));
	cr_expect_null(rsip_table_remote(&c->remotes, HOST_B, PUB_1, REMOTE, RSIP_REMOTE_IPSEC));
	cr_expect_eq(pair_of(HOST_B).host, 0);
	cr_expect_eq(spi_owner(PUB_1, 0x2000), 0);
}

Test(dataplane_restart, the_ports_of_an_ike_listener_are_in_its_record, .init = twin_up, .fini = twin_down)
{
	struct rsip_dp_binding b = lease(HOST_A, PUB_1, 90 * S), other = lease(HOST_B, PUB_1, 90 * S);

	with_ports(&b, 500, 1);
	with_ports(&b, 4500, 1);
	b.rec.kind = RSIP_KIND_LISTEN | RSIP_KIND_IKE;
	b.rec.remote = REMOTE;
	install(&b);
	cr_expect_eq(port_owner(0, 500), 0, "all hosts of the address share it");
	with_ports(&other, 500, 1);
	other.rec.kind = RSIP_KIND_LISTEN | RSIP_KIND_IKE_500;
	other.rec.remote = REMOTE_2;
	install(&other);
	struct found f = restart(S);

	cr_assert_eq(f.cnt, 2);
	cr_expect_eq(f.b[0].ports.cnt + f.b[1].ports.cnt, 3);
}

Test(dataplane_restart, whole_addresses_and_ports_exclude_each_other, .init = twin_up, .fini = twin_down)
{
	struct rsip_dp_binding whole = lease(HOST_A, PUB_1, 90 * S), shared = lease(HOST_B, PUB_1, 90 * S);
	uint32_t slot, owner;

	whole.rec.method = 1;
	owner = install(&whole);
	with_ports(&shared, 4000, 1);
	cr_expect_eq(dp->ops->bind_install(dp, &shared, &slot), -EEXIST);
	cr_assert_eq(restart(S).cnt, 1);
	cr_expect_eq(c->m.addr_info[0].whole_slot, owner);
	cr_expect_eq(dp->ops->bind_install(dp, &shared, &slot), -EEXIST);
	cr_assert_eq(dp->ops->bind_remove(dp, owner), 0);
	install(&shared);
	cr_expect_eq(dp->ops->bind_install(dp, &whole, &slot), -EEXIST);
}
