// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/charon.c: from leases to what charon is told. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "charon.h"

#define PUB_1 htonl(0xcb007101)

static struct rsip_session s;
static struct rsip_charon c;

static struct rsip_lease *held(int i, uint8_t purpose, uint32_t bind_id, uint32_t spi, uint32_t cnt)
{
	struct rsip_lease *l = &s.leases[i];

	memset(l, 0, sizeof(*l));
	l->state = RSIP_LEASE_HELD;
	l->want.purpose = purpose;
	l->bind_id = bind_id;
	l->addr = PUB_1;
	l->spi_runs = 1;
	l->spis[0] = (struct rsip_spi_run){spi, cnt};
	return l;
}

static void base_with_ports(void)
{
	struct rsip_lease *l = held(3, RSIP_FOR_CHARON, 7, 0xc0010000, 32);

	l->port_runs = 1;
	l->ports[0] = (struct rsip_port_run){20500, 2};
}

Test(charon, ports_label_and_range_come_from_the_base, .init = base_with_ports)
{
	char text[2048];

	cr_assert(rsip_charon_plan(&s, &c));
	cr_assert_gt(rsip_charon_text(&c, "/run/rsip", text, sizeof(text)), 0);
	cr_assert(strstr(text, "# rsip-client --state-dir /run/rsip\n"));
	cr_assert(strstr(text, "\tport = 20500\n"));
	cr_assert(strstr(text, "\tport_nat_t = 20501\n"));
	cr_assert(strstr(text, "\tspi_min = 0xc0010000\n"));
	cr_assert(strstr(text, "\tspi_max = 0xc001001f\n"));
	cr_assert(strstr(text, "\tspi_mask = 0xffffffff00000000\n"));
	cr_assert(strstr(text, "\tspi_label = 0xc001000000000000\n"));
	cr_assert_eq(rsip_charon_text(&c, "/run/rsip", text, 200), -ENOSPC, "never cut");
}

Test(charon, without_leased_ports_nothing_is_said_of_ports)
{
	char text[2048];

	held(0, RSIP_FOR_CHARON, 7, 0xc0010000, 32);
	cr_assert(rsip_charon_plan(&s, &c));
	rsip_charon_text(&c, "/run/rsip", text, sizeof(text));
	cr_assert_not(strstr(text, "port"));
}

Test(charon, a_larger_range_moves_the_range_and_nothing_else, .init = base_with_ports)
{
	struct rsip_charon before;

	rsip_charon_plan(&s, &before);
	held(1, RSIP_FOR_CHARON_SPIS, 8, 0xd0000000, 64);
	cr_assert(rsip_charon_plan(&s, &c));
	cr_assert_eq(c.spi_min, 0xd0000000);
	cr_assert_eq(c.spi_max, 0xd000003f);
	cr_assert_eq(c.range_bind_id, 8);
	cr_assert_eq(c.bind_id, 7);
	cr_assert_eq(c.label, 0xc0010000);
	cr_assert_eq(c.port, 20500);
	cr_assert_not(rsip_charon_needs_restart(&before, &c));
}

Test(charon, leases_of_others_and_of_other_addresses_do_not_count, .init = base_with_ports)
{
	held(0, RSIP_FOR_USER, 8, 0xd0000000, 64);
	held(1, RSIP_FOR_CHARON_SPIS, 9, 0xd1000000, 64)->addr = htonl(0xcb007102);
	held(2, RSIP_FOR_CHARON_SPIS, 9, 0xd1000000, 64)->state = RSIP_LEASE_FREEING;
	cr_assert(rsip_charon_plan(&s, &c));
	cr_assert_eq(c.spi_min, 0xc0010000);
	s.leases[3].state = RSIP_LEASE_WANTED;
	cr_assert_not(rsip_charon_plan(&s, &c), "no base, no file");
}

Test(charon, other_ports_or_another_label_need_a_restart, .init = base_with_ports)
{
	struct rsip_charon other;

	rsip_charon_plan(&s, &c);
	other = c;
	other.port++;
	cr_assert(rsip_charon_needs_restart(&c, &other));
	other = c;
	other.label++;
	cr_assert(rsip_charon_needs_restart(&c, &other));
	other = c;
	other.spi_min++;
	cr_assert_not(rsip_charon_needs_restart(&c, &other));
}

Test(charon, the_range_doubles_when_three_quarters_are_in_use)
{
	struct rsip_charon range = {.spi_min = 1000, .spi_max = 1031};

	cr_assert_eq(rsip_charon_grow(&range, 23), 0);
	cr_assert_eq(rsip_charon_grow(&range, 24), 64);
	range.spi_max = 1000 + RSIP_CHARON_SPIS_MAX - 1;
	cr_assert_eq(rsip_charon_grow(&range, RSIP_CHARON_SPIS_MAX), 0, "there is an end");
	range.spi_max = 1000 + 3000 - 1;
	cr_assert_eq(rsip_charon_grow(&range, 3000), RSIP_CHARON_SPIS_MAX);
}
