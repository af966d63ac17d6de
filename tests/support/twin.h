/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The in-memory data plane for unit tests: 64 bindings, addresses PUB_1 (index 0) and PUB_2 (1),
 * and short words. */
#ifndef RSIP_TEST_TWIN_H
#define RSIP_TEST_TWIN_H

#include <criterion/criterion.h>
#include "cast.h"
#include "dataplane_core.h"

#define S 1000000000ULL

extern struct rsip_dataplane *dp;
extern struct rsip_dp_core *c; /* the same, from inside */

void twin_up(void);
void twin_down(void);
struct rsip_dp_binding lease(__be32 host, __be32 local, uint64_t expires_ns);
void with_ports(struct rsip_dp_binding *b, uint16_t first, uint16_t cnt);
void with_spis(struct rsip_dp_binding *b, uint32_t first, uint32_t cnt);
uint32_t install(const struct rsip_dp_binding *b);
uint32_t install_ports(__be32 host, uint16_t first, uint16_t cnt, uint64_t expires_ns);
uint32_t install_spis(__be32 host, uint32_t first, uint32_t cnt, uint64_t expires_ns);
uint32_t port_owner(uint32_t index, uint16_t port);
uint32_t spi_owner(__be32 addr, uint32_t spi);
struct rsip_pair_entry pair_of(__be32 host);

#endif
