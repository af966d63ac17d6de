// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The two tables of ports (rsip/maps.h): whole blocks, and what is left port by port.  A lease that is one aligned
 * block of 64 costs one store, and one word of memory that a packet reads.
 */
#include <string.h>
#include "dataplane_core.h"

uint32_t *rsip_dp_block_word(const struct rsip_dp_core *c, uint32_t index, uint16_t port)
{
	return &c->m.blocks[(size_t)index << 6 | port >> 10].slot[port >> RSIP_PORT_BLOCK_SHIFT & 15];
}

uint32_t *rsip_dp_port_word(const struct rsip_dp_core *c, uint32_t index, uint16_t port)
{
	return &c->m.ports[(size_t)index << 12 | port >> 4].slot[port & 15];
}

/* How many ports of this port's block rsip_ports has. */
static uint8_t *loose(const struct rsip_dp_core *c, uint32_t index, uint16_t port)
{
	return &c->block_ports[(size_t)index * RSIP_PORT_BLOCKS + (port >> RSIP_PORT_BLOCK_SHIFT)];
}

/* Port number i of a slot and those behind it: a whole block, or one port.  How many. */
static uint32_t part_len(const struct rsip_dp_slot *s, uint32_t i)
{
	uint32_t last = i + RSIP_PORT_BLOCK - 1;
	uint16_t first = rsip_dp_res_port_at(s, i);

	if (first % RSIP_PORT_BLOCK || last >= rsip_dp_res_port_cnt(s) ||
	    rsip_dp_res_port_at(s, last) - first != RSIP_PORT_BLOCK - 1)
		return 1;
	return RSIP_PORT_BLOCK;
}

bool rsip_dp_ports_taken(const struct rsip_dp_core *c, uint32_t index, const struct rsip_dp_slot *s)
{
	for (uint32_t i = 0, len; i < rsip_dp_res_port_cnt(s); i += len) {
		uint16_t port = rsip_dp_res_port_at(s, i);

		len = part_len(s, i);
		if (*rsip_dp_block_word(c, index, port))
			return true;
		if (len == 1 ? *rsip_dp_port_word(c, index, port) : *loose(c, index, port))
			return true;
	}
	return false;
}

void rsip_dp_ports_publish(struct rsip_dp_core *c, uint32_t index, uint32_t slot)
{
	const struct rsip_dp_slot *s = &c->slot[slot];

	for (uint32_t i = 0, len; i < rsip_dp_res_port_cnt(s); i += len) {
		uint16_t port = rsip_dp_res_port_at(s, i);

		len = part_len(s, i);
		if (len == 1)
			++*loose(c, index, port);
		__atomic_store_n(len == 1 ? rsip_dp_port_word(c, index, port) :
					    rsip_dp_block_word(c, index, port),
				 slot, __ATOMIC_RELEASE);
	}
}

uint32_t rsip_dp_ports_home(const struct rsip_dp_core *c, uint32_t index, const struct rsip_dp_slot *s)
{
	for (uint32_t i = 0; i < rsip_dp_res_port_cnt(s); i++)
		if (part_len(s, i) > 1)
			return RSIP_HOME_SLOT(index, rsip_dp_res_port_at(s, i),
					      rsip_home_mask(c->config.max_bindings));
	return 0;
}

static void withdraw_port(struct rsip_dp_core *c, uint32_t index, uint16_t port, uint32_t slot)
{
	uint32_t *word = rsip_dp_port_word(c, index, port);

	if (*word != slot)
		return;
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	--*loose(c, index, port);
}

/* A block of an earlier release's is in both tables. */
static void withdraw_block(struct rsip_dp_core *c, uint32_t index, uint16_t first, uint32_t slot)
{
	if (*rsip_dp_block_word(c, index, first) == slot)
		__atomic_store_n(rsip_dp_block_word(c, index, first), 0, __ATOMIC_RELEASE);
	for (uint32_t p = 0; p < RSIP_PORT_BLOCK && *loose(c, index, first); p++)
		withdraw_port(c, index, (uint16_t)(first + p), slot);
}

/* What is not there was never published: an installation that is taken back. */
void rsip_dp_ports_withdraw(struct rsip_dp_core *c, uint32_t index, uint32_t slot)
{
	const struct rsip_dp_slot *s = &c->slot[slot];

	for (uint32_t i = 0, len; i < rsip_dp_res_port_cnt(s); i += len) {
		uint16_t port = rsip_dp_res_port_at(s, i);

		len = part_len(s, i);
		if (len == 1)
			withdraw_port(c, index, port, slot);
		else
			withdraw_block(c, index, port, slot);
	}
}

void rsip_dp_ports_clear(struct rsip_dp_core *c, uint32_t index)
{
	for (uint32_t p = 0; p < 65536; p += RSIP_PORT_BLOCK) {
		*rsip_dp_block_word(c, index, (uint16_t)p) = 0;
		*loose(c, index, (uint16_t)p) = 0;
	}
	for (uint32_t p = 0; p < 65536; p++) {
		uint32_t *word = rsip_dp_port_word(c, index, (uint16_t)p);

		if (*word) /* most are not, and stay out of the cache */
			*word = 0;
	}
}

/* ---- start-up ---------------------------------------------------------------------------------- */

static bool is_owner(const struct rsip_dp_core *c, uint32_t index, uint32_t slot)
{
	return rsip_dp_numbers_used(&c->slots, slot) && c->m.bindings[slot].addr_index == index;
}

/* Who has all of a block, port by port, as releases without rsip_blocks wrote it?  Else 0. */
static uint32_t owner_of_all(const struct rsip_dp_core *c, uint32_t index, uint16_t first)
{
	uint32_t slot = *rsip_dp_port_word(c, index, first);

	for (uint32_t p = 1; p < RSIP_PORT_BLOCK && slot; p++)
		if (*rsip_dp_port_word(c, index, (uint16_t)(first + p)) != slot)
			slot = 0;
	return slot && is_owner(c, index, slot) ? slot : 0;
}

static bool keep_block(struct rsip_dp_core *c, uint16_t first, uint32_t slot)
{
	for (uint32_t p = 0; p < RSIP_PORT_BLOCK; p++)
		if (!rsip_dp_res_keep_port(&c->slot[slot], (uint16_t)(first + p)))
			return false;
	return true;
}

/* The slot that has the block from end to end, its ports kept; 0: none. */
static uint32_t scan_block(struct rsip_dp_core *c, uint32_t index, uint16_t first, uint32_t *repaired)
{
	uint32_t *word = rsip_dp_block_word(c, index, first), slot = *word;

	if (!slot)
		slot = owner_of_all(c, index, first);
	if (slot && is_owner(c, index, slot) && keep_block(c, first, slot)) {
		__atomic_store_n(word, slot, __ATOMIC_RELEASE);
		return slot;
	}
	*repaired += *word != 0;
	__atomic_store_n(word, 0, __ATOMIC_RELEASE);
	return 0;
}

uint32_t rsip_dp_ports_scan(struct rsip_dp_core *c, uint32_t index)
{
	uint32_t repaired = 0, all = 0;

	for (uint32_t p = 0; p < 65536; p++) {
		uint16_t port = (uint16_t)p;
		uint32_t *word = rsip_dp_port_word(c, index, port), slot;

		if (port % RSIP_PORT_BLOCK == 0)
			all = scan_block(c, index, port, &repaired);
		slot = *word;
		if (!slot)
			continue;
		if (all ? slot == all : is_owner(c, index, slot) && rsip_dp_res_keep_port(&c->slot[slot], port)) {
			++*loose(c, index, port);
			continue;
		}
		__atomic_store_n(word, 0, __ATOMIC_RELEASE);
		repaired++;
	}
	return repaired;
}
