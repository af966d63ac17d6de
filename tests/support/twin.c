// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* See twin.h. */
#include <errno.h>
#include "twin.h"

struct rsip_dataplane *dp;
struct rsip_dp_core *c;

void twin_up(void)
{
	cr_assert_eq(rsip_dataplane_mem(64, 4, &dp), 0);
	c = (struct rsip_dp_core *)dp;
	cr_assert_eq(dp->ops->addr_add(dp, 0, PUB_1, 0), 0);
	cr_assert_eq(dp->ops->addr_add(dp, 1, PUB_2, 0), 0);
}

void twin_down(void)
{
	dp->ops->close(dp);
}

static struct rsip_spi_range one_range;

struct rsip_dp_binding lease(__be32 host, __be32 local, uint64_t expires_ns)
{
	return (struct rsip_dp_binding){ .rec = { .expires_ns = expires_ns,
						  .local = local,
						  .host = host,
						  .iface = 2,
						  .method = 2,
						  .tunnel = 1 } };
}

void with_ports(struct rsip_dp_binding *b, uint16_t first, uint16_t cnt)
{
	for (uint16_t i = 0; i < cnt; i++)
		b->ports.port[b->ports.cnt++] = (uint16_t)(first + i);
}

void with_spis(struct rsip_dp_binding *b, uint32_t first, uint32_t cnt)
{
	one_range = (struct rsip_spi_range){ first, cnt };
	b->spis = (struct rsip_spi_set){ .range_cnt = 1, .range = &one_range };
	b->rec.method = 3;
}

uint32_t install(const struct rsip_dp_binding *b)
{
	uint32_t slot = 0;

	cr_assert_eq(dp->ops->bind_install(dp, b, &slot), 0);
	return slot;
}

uint32_t install_ports(__be32 host, uint16_t first, uint16_t cnt, uint64_t expires_ns)
{
	struct rsip_dp_binding b = lease(host, PUB_1, expires_ns);

	with_ports(&b, first, cnt);
	return install(&b);
}

uint32_t install_spis(__be32 host, uint32_t first, uint32_t cnt, uint64_t expires_ns)
{
	struct rsip_dp_binding b = lease(host, PUB_1, expires_ns);

	with_spis(&b, first, cnt);
	return install(&b);
}

uint32_t port_owner(uint32_t index, uint16_t port)
{
	uint32_t slot = *rsip_dp_block_word(c, index, port);

	return slot ? slot : *rsip_dp_port_word(c, index, port);
}

uint32_t spi_owner(__be32 addr, uint32_t spi)
{
	const struct rsip_spi_entry *e = rsip_table_spi(&c->spis, addr, spi);

	return e ? e->slot : 0;
}

struct rsip_pair_entry pair_of(__be32 host)
{
	const struct rsip_pair_entry *e = rsip_table_pair(&c->pairs, host, PUB_1);

	struct rsip_pair_entry copy = e ? *e : (struct rsip_pair_entry){ 0 };

	copy.slot = RSIP_PAIR_SLOT(copy.slot); /* of its tunnel types test_dataplane_tunnels asks */
	copy.ipsec_slot = RSIP_PAIR_SLOT(copy.ipsec_slot);
	return copy;
}
