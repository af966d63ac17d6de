/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The writer of the two-choice bucket tables of rsip/maps.h: rsip_addrs, rsip_spis, rsip_pairs,
 * rsip_remotes, rsip_host6_tab.
 *
 * One writer, many readers that take no lock.  An entry is published by one store of its last word
 * and unpublished by clearing the same word.  Where both buckets of a key are full, an entry is
 * moved to its other bucket: copied first, cleared after a grace period, and its place is written
 * again only after another one, so that a reader always finds it and never mixes two owners.  That
 * is rare (it needs a load well above one half); the search is bounded, beyond it the answer is
 * -ENOSPC.
 *
 * Addresses in network order, SPIs in host order.
 */
#ifndef RSIP_TABLES_H
#define RSIP_TABLES_H

#include <stdbool.h>
#include <stdint.h>
#include "rsip/maps.h"

struct rsip_table_kind;

struct rsip_table {
	const struct rsip_table_kind *kind;
	void *mem; /* buckets of 64 bytes; the caller's */
	uint32_t mask; /* buckets - 1 */
	uint64_t seed;
	void (*grace)(void *arg); /* returns when every reader that runs now has ended */
	void *grace_arg;
	uint32_t moves; /* entries moved so far, for tests and people */
};

/* mem: buckets * 64 bytes, buckets a power of two >= 2.  What lies there is kept. */
void rsip_table_init_addrs(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed);
void rsip_table_init_spis(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed);
void rsip_table_init_pairs(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed);
void rsip_table_init_remotes(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed);

void rsip_table_init_hosts6(struct rsip_table *t, void *mem, uint32_t buckets, uint64_t seed);

/* Addresses: put answers 0, -EEXIST or -ENOSPC; del 0 or -ENOENT. */
struct rsip_addr_entry *rsip_table_addr(const struct rsip_table *t, __be32 addr);
int rsip_table_addr_put(struct rsip_table *t, __be32 addr, uint32_t index);
int rsip_table_addr_del(struct rsip_table *t, __be32 addr);

/*
 * What a look-up or a put will read comes into the cache meanwhile: with a million keys each bucket is a miss, and a
 * binding needs four.
 */
void rsip_table_spi_fetch(const struct rsip_table *t, __be32 addr, uint32_t spi);
void rsip_table_pair_fetch(const struct rsip_table *t, __be32 host, __be32 local);

/* The entry that covers this SPI, or NULL. */
struct rsip_spi_entry *rsip_table_spi(const struct rsip_table *t, __be32 addr, uint32_t spi);
/* Is an SPI of first .. first + cnt - 1 (inside one block) covered already? */
bool rsip_table_spi_taken(const struct rsip_table *t, __be32 addr, uint32_t first, uint32_t cnt);
/* first .. first + cnt - 1 must lie in one block (-EINVAL); -EEXIST where one of them is taken;
 * -ENOSPC. */
int rsip_table_spi_put(struct rsip_table *t, __be32 addr, uint32_t first, uint32_t cnt,
		       uint32_t slot);
/* Removes the entry that begins at first and belongs to slot: 0 or -ENOENT. */
int rsip_table_spi_del(struct rsip_table *t, __be32 addr, uint32_t first, uint32_t slot);

struct rsip_pair_entry *rsip_table_pair(const struct rsip_table *t, __be32 host, __be32 local);
/* Its slots may be stored to (atomically) by the caller until the next put into this table. */
int rsip_table_pair_put(struct rsip_table *t, __be32 host, __be32 local, uint32_t slot,
			uint32_t ipsec_slot);
int rsip_table_pair_del(struct rsip_table *t, __be32 host, __be32 local);

/* ipsec: RSIP_REMOTE_IPSEC or 0.  The entry's slot may be stored to, with ipsec, as above. */
struct rsip_remote_entry *rsip_table_remote(const struct rsip_table *t, __be32 host, __be32 local,
					    __be32 remote, uint32_t ipsec);
int rsip_table_remote_put(struct rsip_table *t, const struct rsip_remote_entry *e);

/* By the IPv6 address of a host: NULL, or put and del as those of addresses. */
struct rsip_host6_entry *rsip_table_host6(const struct rsip_table *t, const __be32 addr[4]);
int rsip_table_host6_put(struct rsip_table *t, const struct rsip_host6_entry *e);
int rsip_table_host6_del(struct rsip_table *t, const __be32 addr[4]);

/*
 * Start-up: clears every entry that a reader would not find, or not first: misplaced, or the second
 * copy that a writer left when it was killed in the middle of a move.  Returns how many.
 */
uint32_t rsip_table_repair(struct rsip_table *t);

#endif
