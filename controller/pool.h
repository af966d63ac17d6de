/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What one address has to give: ports and SPIs.  Knows neither hosts nor time: it takes and gives back.
 * Ports and SPIs in host order.
 *
 * Ports are a binary tree over 65,536 leaves; a node holds 1 + the order of the largest free aligned block below
 * it, 0 for none.  So a free aligned block of a power of two is found in 16 steps however many are leased.
 */
#ifndef RSIP_POOL_H
#define RSIP_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "dataplane.h"
#include "lease.h"

struct rsip_spi_block; /* 8 SPIs of one address, in a hash */

struct rsip_pool_addr {
	__be32 addr;
	uint32_t index;
	uint16_t pool;
	uint8_t *best; /* the port tree; NULL: not used yet, all ports are free */
	uint8_t fresh; /* rsip_ports_best() while it is not used */
	uint16_t port_first, port_last;
	bool ipsec; /* 500 and 4500 are never leased as ports */
	const struct rsip_dp_addr_rules *rules; /* what is the machine's own; NULL: nothing */
};

/* What rsip_ports_best() is for an address of this kind that is not used yet, and how many ports it has; -ENOMEM. */
int rsip_ports_fresh(const struct rsip_pool_addr *a, uint8_t *best, uint32_t *ports);
/* Makes the tree, before the first port is taken: 0 or -ENOMEM. */
int rsip_ports_ready(struct rsip_pool_addr *a);
/* 1 + the order of the largest free aligned block of the address; 0: no port is free. */
uint8_t rsip_ports_best(const struct rsip_pool_addr *a);
bool rsip_port_allowed(const struct rsip_pool_addr *a, uint16_t port);
bool rsip_port_free(const struct rsip_pool_addr *a, uint16_t port);
void rsip_ports_take(struct rsip_pool_addr *a, uint16_t first, uint32_t cnt);
void rsip_ports_give(struct rsip_pool_addr *a, uint16_t first, uint32_t cnt);
/* First port of a free aligned block of 2^order ports, or -ENOSPC.  This and the next: the tree must be there. */
int rsip_ports_find(const struct rsip_pool_addr *a, unsigned int order);
/* Is the aligned block of 2^order ports at `first` wholly free? */
bool rsip_ports_block_free(const struct rsip_pool_addr *a, uint32_t first, unsigned int order);

/* Is one of these SPIs the machine's own? */
bool rsip_spis_kernel(const struct rsip_dp_addr_rules *rules, uint32_t first, uint32_t cnt);

struct rsip_spi_space {
	struct rsip_spi_block *blocks; /* of all addresses: blocks with at least one SPI taken */
};

bool rsip_spis_free(struct rsip_spi_space *s, uint32_t addr_index, uint32_t first, uint32_t cnt);
int rsip_spis_take(struct rsip_spi_space *s, uint32_t addr_index, uint32_t first, uint32_t cnt); /* -ENOMEM */
void rsip_spis_give(struct rsip_spi_space *s, uint32_t addr_index, uint32_t first, uint32_t cnt);
/*
 * A random aligned range that shares no block of the data plane's table with anybody, nor with what rules (NULL: none)
 * keep for the machine: its first SPI, or 0 if there is none, or none of 4,096 places on end in a nearly full space.
 */
uint32_t rsip_spis_find(struct rsip_spi_space *s, uint32_t addr_index, uint32_t cnt, uint32_t min, uint32_t max,
			const struct rsip_dp_addr_rules *rules, void (*random)(void *buf, size_t len));
void rsip_spis_clear(struct rsip_spi_space *s);

#endif
