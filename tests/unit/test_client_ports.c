// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/portset.c: from leased ports to what the kernel is told. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "portset.h"

static struct rsip_port_limits limits_of(const struct rsip_portset *set)
{
	struct rsip_port_limits out;

	cr_assert_eq(rsip_portset_limits(set, &out), 0);
	return out;
}

Test(portset, two_blocks_leave_out_what_lies_between)
{
	struct rsip_portset set = {0};
	struct rsip_port_limits l;

	rsip_portset_add(&set, 4000, 8);
	rsip_portset_add(&set, 4100, 8);
	l = limits_of(&set);
	cr_assert_eq(l.low, 4000);
	cr_assert_eq(l.high, 4107);
	cr_assert_eq(l.unprivileged, 1024);
	cr_assert_str_eq(l.reserved, "1-3999,4008-4099,4108-65535");
	cr_assert_eq(rsip_portset_count(&set), 16);
	free(l.reserved);
}

Test(portset, the_range_starts_even_and_ends_odd)
{
	struct rsip_portset set = {0};
	struct rsip_port_limits l;

	rsip_portset_add(&set, 601, 2);
	l = limits_of(&set);
	cr_assert_eq(l.low, 600);
	cr_assert_eq(l.high, 603);
	cr_assert_eq(l.unprivileged, 600);
	cr_assert_str_eq(l.reserved, "1-600,603-65535");
	free(l.reserved);
}

Test(portset, without_ports_every_choice_is_reserved)
{
	struct rsip_portset set = {0};
	struct rsip_port_limits l = limits_of(&set);

	cr_assert_eq(l.high, l.low + 1);
	cr_assert_str_eq(l.reserved, "1-65535");
	free(l.reserved);
}

Test(portset, what_needs_a_privilege_can_be_left_out)
{
	struct rsip_portset set = {0};
	struct rsip_port_limits l;

	rsip_portset_add(&set, 1020, 8);
	rsip_portset_begin_at(&set, 1024);
	cr_assert_eq(rsip_portset_count(&set), 4);
	l = limits_of(&set);
	cr_assert_eq(l.low, 1024);
	cr_assert_eq(l.high, 1027);
	free(l.reserved);
	rsip_portset_begin_at(&set, 1026);
	cr_assert(rsip_portset_has(&set, 1026));
	cr_assert_eq(rsip_portset_count(&set), 2);
}

Test(portset, the_edges_of_the_space)
{
	struct rsip_portset set = {0};
	struct rsip_port_limits l;

	rsip_portset_add(&set, 1, 1);
	rsip_portset_add(&set, 65535, 9);
	l = limits_of(&set);
	cr_assert_eq(l.low, 1);
	cr_assert_eq(l.high, 65535);
	cr_assert_str_eq(l.reserved, "2-65534");
	free(l.reserved);
}
