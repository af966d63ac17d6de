// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* How often the log hears of what does not work. */
#include <criterion/criterion.h>

#include "trouble.h"
#include "util.h"

#define S RSIP_NS_PER_S

Test(client_trouble, at_once_then_with_growing_pauses)
{
	static const uint64_t said_s[] = {0, 60, 180, 420, 900, 1860, 3780, 7380, 10980};
	struct rsip_trouble t = {0};
	unsigned int n = 0;

	for (uint64_t at = 0; at <= 11000; at += 2) /* it fails every other second */
		if (rsip_trouble_is_news(&t, (5 + at) * S))
			cr_assert_eq(at, said_s[n++], "after %lu s", (unsigned long)at);
	cr_assert_eq(n, 9);
}

Test(client_trouble, its_end_is_news_once_and_the_next_begins_anew)
{
	struct rsip_trouble t = {0};

	cr_assert_eq(rsip_trouble_is_over(&t, 5 * S), 0);
	cr_assert(rsip_trouble_is_news(&t, 5 * S));
	cr_assert_eq(rsip_trouble_is_over(&t, 65 * S + 1), 61);
	cr_assert_eq(rsip_trouble_is_over(&t, 66 * S), 0);
	cr_assert(rsip_trouble_is_news(&t, 67 * S));
	cr_assert(!rsip_trouble_is_news(&t, 126 * S));
	cr_assert(rsip_trouble_is_news(&t, 127 * S));
}
