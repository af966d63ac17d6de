/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Items in order of creation under numbers that only rise.  A number stays a place in the order when its item is
 * gone: a walk in pages goes on behind it.  The lease store uses the same numbers as keys, so new rows go to the
 * end of its tables.
 *
 * Chunks of 256 numbers in groups of 256 chunks; what is without items is freed.  So one old item keeps a pointer for each
 * 65,536 that came after it, and a walk passes over them as fast.
 */
#ifndef RSIP_LEASE_INDEX_H
#define RSIP_LEASE_INDEX_H

#include <stdint.h>

struct lease_group;

struct lease_index {
	struct lease_group **group;
	uint32_t cnt, room; /* groups */
	uint64_t base; /* number of the first group */
	uint64_t last; /* the highest number given so far */
};

/* Puts the item under a number above all before: seq, or the next one where seq is 0.  -EINVAL, -ENOMEM. */
int lease_index_add(struct lease_index *x, void *item, uint64_t seq, uint64_t *out);
/* Numbers up to seq are taken, whoever has them.  Start-up, in ascending order. */
void lease_index_skip(struct lease_index *x, uint64_t seq);
void lease_index_remove(struct lease_index *x, uint64_t seq);
/* The first item behind this number, NULL: none. */
void *lease_index_after(const struct lease_index *x, uint64_t seq);
void lease_index_free(struct lease_index *x);

#endif
