// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define LEAVES 65536U
#define ORDERS 16
#define SPI_THROWS 64
#define SPI_WALK 4096

struct rsip_spi_block {
	uint64_t key; /* address index, SPI / RSIP_SPI_BLOCK */
	uint32_t taken; /* a bit an SPI */
	UT_hash_handle hh;
};

static bool port_kernel(const struct rsip_dp_addr_rules *rules, uint16_t port)
{
	for (int i = 0; rules && i < RSIP_KERNEL_PORT_SPANS; i++)
		if ((uint16_t)(port - rules->kernel_ports[i].first) < rules->kernel_ports[i].cnt)
			return true;
	return false;
}

bool rsip_spis_kernel(const struct rsip_dp_addr_rules *rules, uint32_t first, uint32_t cnt)
{
	for (int i = 0; rules && i < RSIP_KERNEL_SPI_SPANS; i++) {
		const struct rsip_span32 *k = &rules->kernel_spis[i];

		if (k->cnt && (first - k->first < k->cnt || k->first - first < cnt))
			return true;
	}
	return false;
}

bool rsip_port_allowed(const struct rsip_pool_addr *a, uint16_t port)
{
	if (a->ipsec && (port == 500 || port == 4500))
		return false; /* shared by all hosts for IKE: one owner would take it from all others */
	return port >= a->port_first && port <= a->port_last && !port_kernel(a->rules, port);
}

/* What a node of block order `order` must hold, from its two children. */
static uint8_t joined(uint8_t left, uint8_t right, unsigned int order)
{
	if (left == order && right == order)
		return (uint8_t)(order + 1);
	return left > right ? left : right;
}

/* Recomputes everything above leaves lo .. hi. */
static void rejoin(uint8_t *best, uint32_t lo, uint32_t hi)
{
	lo += LEAVES;
	hi += LEAVES;
	for (unsigned int order = 1; order <= ORDERS; order++) {
		lo /= 2;
		hi /= 2;
		for (uint32_t node = lo; node <= hi; node++)
			best[node] = joined(best[2 * node], best[2 * node + 1], order);
	}
}

int rsip_ports_ready(struct rsip_pool_addr *a)
{
	if (a->best)
		return 0;
	a->best = calloc(2, LEAVES);
	if (!a->best)
		return -ENOMEM;
	memset(&a->best[LEAVES + a->port_first], 1, a->port_last - a->port_first + 1U);
	a->best[LEAVES + 500] = rsip_port_allowed(a, 500);
	a->best[LEAVES + 4500] = rsip_port_allowed(a, 4500);
	for (int i = 0; a->rules && i < RSIP_KERNEL_PORT_SPANS; i++) {
		const struct rsip_span16 *k = &a->rules->kernel_ports[i];
		uint32_t cnt = k->first + k->cnt > LEAVES ? LEAVES - k->first : k->cnt;

		memset(&a->best[LEAVES + k->first], 0, cnt);
	}
	rejoin(a->best, 0, LEAVES - 1);
	return 0;
}

int rsip_ports_fresh(const struct rsip_pool_addr *a, uint8_t *best, uint32_t *ports)
{
	struct rsip_pool_addr example = *a;

	example.best = NULL;
	if (rsip_ports_ready(&example))
		return -ENOMEM;
	*best = example.best[1];
	*ports = 0;
	for (uint32_t port = 0; port < LEAVES; port++)
		*ports += example.best[LEAVES + port];
	free(example.best);
	return 0;
}

uint8_t rsip_ports_best(const struct rsip_pool_addr *a)
{
	return a->best ? a->best[1] : a->fresh;
}

bool rsip_port_free(const struct rsip_pool_addr *a, uint16_t port)
{
	return a->best ? a->best[LEAVES + port] : rsip_port_allowed(a, port);
}

void rsip_ports_take(struct rsip_pool_addr *a, uint16_t first, uint32_t cnt)
{
	if (!cnt)
		return;
	memset(&a->best[LEAVES + first], 0, cnt);
	rejoin(a->best, first, first + cnt - 1);
}

void rsip_ports_give(struct rsip_pool_addr *a, uint16_t first, uint32_t cnt)
{
	if (!cnt)
		return;
	for (uint32_t port = first; port < first + cnt; port++)
		a->best[LEAVES + port] = rsip_port_allowed(a, (uint16_t)port);
	rejoin(a->best, first, first + cnt - 1);
}

int rsip_ports_find(const struct rsip_pool_addr *a, unsigned int order)
{
	uint32_t node = 1;

	if (a->best[1] < order + 1)
		return -ENOSPC;
	for (unsigned int at = ORDERS; at > order; at--)
		node = a->best[2 * node] >= order + 1 ? 2 * node : 2 * node + 1;
	return (int)((node << order) - LEAVES);
}

bool rsip_ports_block_free(const struct rsip_pool_addr *a, uint32_t first, unsigned int order)
{
	if (first + (1U << order) > LEAVES)
		return false;
	return a->best[(LEAVES + first) >> order] == order + 1;
}

/* ---- SPIs --------------------------------------------------------------------------------------------------- */

static uint64_t block_key(uint32_t addr_index, uint32_t spi)
{
	return (uint64_t)addr_index << 32 | spi >> RSIP_SPI_BLOCK_SHIFT;
}

static struct rsip_spi_block *block_find(struct rsip_spi_space *s, uint64_t key)
{
	struct rsip_spi_block *b;

	HASH_FIND(hh, s->blocks, &key, sizeof(key), b);
	return b;
}

/* The part of first .. first + cnt - 1 that lies in the block of `first`, as a bit mask; *part is its length. */
static uint32_t block_mask(uint32_t first, uint32_t cnt, uint32_t *part)
{
	uint32_t from = first % RSIP_SPI_BLOCK, room = RSIP_SPI_BLOCK - from;

	*part = cnt < room ? cnt : room;
	return ((1U << *part) - 1) << from;
}

bool rsip_spis_free(struct rsip_spi_space *s, uint32_t addr_index, uint32_t first, uint32_t cnt)
{
	uint32_t part;

	for (; cnt; first += part, cnt -= part) {
		uint32_t mask = block_mask(first, cnt, &part);
		struct rsip_spi_block *b = block_find(s, block_key(addr_index, first));

		if (b && b->taken & mask)
			return false;
	}
	return true;
}

int rsip_spis_take(struct rsip_spi_space *s, uint32_t addr_index, uint32_t first, uint32_t cnt)
{
	uint32_t part, start = first;

	for (; cnt; first += part, cnt -= part) {
		uint32_t mask = block_mask(first, cnt, &part);
		struct rsip_spi_block *b = block_find(s, block_key(addr_index, first));

		if (!b) {
			b = calloc(1, sizeof(*b));
			if (!b) {
				rsip_spis_give(s, addr_index, start, first - start);
				return -ENOMEM;
			}
			b->key = block_key(addr_index, first);
			HASH_ADD(hh, s->blocks, key, sizeof(b->key), b);
		}
		b->taken |= mask;
	}
	return 0;
}

void rsip_spis_give(struct rsip_spi_space *s, uint32_t addr_index, uint32_t first, uint32_t cnt)
{
	uint32_t part;

	for (; cnt; first += part, cnt -= part) {
		uint32_t mask = block_mask(first, cnt, &part);
		struct rsip_spi_block *b = block_find(s, block_key(addr_index, first));

		if (!b)
			continue;
		b->taken &= ~mask;
		if (!b->taken) {
			HASH_DEL(s->blocks, b);
			free(b);
		}
	}
}

static bool spis_are_for_leasing(struct rsip_spi_space *s, uint32_t addr_index, uint32_t first, uint32_t cnt,
				 const struct rsip_dp_addr_rules *rules)
{
	return rsip_spis_free(s, addr_index, first, cnt) && !rsip_spis_kernel(rules, first, cnt);
}

/* How many aligned places for cnt SPIs there are from min to max, and the first.  RFC 4303 2.1: 0-255 are reserved. */
static uint64_t spi_places(uint32_t min, uint32_t max, uint32_t cnt, uint32_t align, uint64_t *first)
{
	uint64_t from = min < 256 ? 256 : min, end = (uint64_t)max + 1;

	*first = (from + align - 1) & ~((uint64_t)align - 1);
	return end < *first + cnt ? 0 : (end - *first - cnt) / align + 1;
}

uint32_t rsip_spis_find(struct rsip_spi_space *s, uint32_t addr_index, uint32_t cnt, uint32_t min, uint32_t max,
			const struct rsip_dp_addr_rules *rules, void (*random)(void *buf, size_t len))
{
	/* whole blocks, so that a host's neighbours never share an entry of the data plane's table */
	uint32_t blocks = (cnt + RSIP_SPI_BLOCK - 1) & ~(RSIP_SPI_BLOCK - 1), align = RSIP_SPI_BLOCK;
	uint64_t first, places, r;

	while (align < cnt)
		align *= 2;
	places = spi_places(min, max, cnt, align, &first);
	if (!places)
		return 0;
	for (int tries = 0; tries < SPI_THROWS; tries++) {
		random(&r, sizeof(r));
		r %= places;
		if (spis_are_for_leasing(s, addr_index, (uint32_t)(first + r * align), blocks, rules))
			return (uint32_t)(first + r * align);
	}
	/* nearly full: from the last throw on, so far that only what is huge and full is given up */
	for (uint64_t i = 0; i < places && i < SPI_WALK; i++, r = (r + 1) % places)
		if (spis_are_for_leasing(s, addr_index, (uint32_t)(first + r * align), blocks, rules))
			return (uint32_t)(first + r * align);
	return 0;
}

void rsip_spis_clear(struct rsip_spi_space *s)
{
	struct rsip_spi_block *b, *next;

	HASH_ITER(hh, s->blocks, b, next) {
		HASH_DEL(s->blocks, b);
		free(b);
	}
}
