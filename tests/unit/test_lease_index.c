// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* controller/lease_index.c: items in order of creation. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "lease_index.h"

static struct lease_index x;

static uint64_t add(void *item)
{
	uint64_t seq = 0;

	cr_assert_eq(lease_index_add(&x, item, 0, &seq), 0);
	return seq;
}

Test(lease_index, a_walk_meets_what_is_there_in_order_of_creation)
{
	static int item[200000]; /* several groups */
	uint64_t seq[200000], at = 0;

	for (int i = 0; i < 200000; i++)
		seq[i] = add(&item[i]);
	for (int i = 0; i < 200000; i++) /* one of a thousand stays, and nothing of the second group */
		if (i % 1000 || (seq[i] >= 65536 && seq[i] < 131072))
			lease_index_remove(&x, seq[i]);
	for (int i = 0; i < 200000; i += 1000) {
		if (seq[i] >= 65536 && seq[i] < 131072)
			continue;
		cr_assert_eq(lease_index_after(&x, at), &item[i], "behind %lu", at);
		at = seq[i];
	}
	cr_assert_null(lease_index_after(&x, at));
	lease_index_free(&x);
}

/* A lease that is renewed for months, while others come and go. */
Test(lease_index, one_old_item_costs_next_to_nothing)
{
	int old, other;
	uint64_t seq;

	add(&old);
	for (uint32_t i = 0; i < 3000000; i++)
		lease_index_remove(&x, add(&other));
	cr_assert_leq(x.room, 128, "room for %u groups", x.room);
	cr_assert_eq(lease_index_after(&x, 0), &old);
	seq = add(&other);
	cr_assert_eq(lease_index_after(&x, 1), &other);
	lease_index_remove(&x, seq);
	lease_index_free(&x);
}

Test(lease_index, numbers_of_the_store_are_taken_as_they_are)
{
	uint64_t seq;
	int a, b;

	cr_assert_eq(lease_index_add(&x, &a, 7, &seq), 0);
	cr_assert_eq(lease_index_add(&x, &b, 7, &seq), -EINVAL);
	lease_index_skip(&x, 10000000);
	cr_assert_eq(add(&b), 10000001);
	cr_assert_eq(lease_index_after(&x, 7), &b);
	lease_index_free(&x);
}
