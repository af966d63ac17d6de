// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * From leased ports to kernel settings.  connect(), sendto() and bind() to port 0 choose from
 * ip_local_port_range without ip_local_reserved_ports; TCP connects look at ports of the low
 * bound's parity first and never at an odd number of them, so the range starts even and ends odd.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "portset.h"

#define RSIP_EMPTY_LOW 32768 /* any pair will do: both are reserved */
#define RSIP_PRIVILEGED_PORTS 1024

void rsip_portset_add(struct rsip_portset *set, uint16_t first, unsigned int cnt)
{
	for (unsigned int p = first; p < (unsigned int)first + cnt && p < 65536; p++)
		set->bits[p >> 3] |= 1 << (p & 7);
}

void rsip_portset_begin_at(struct rsip_portset *set, uint16_t first)
{
	for (unsigned int p = 0; p < first; p++)
		set->bits[p >> 3] &= ~(1 << (p & 7));
}

bool rsip_portset_has(const struct rsip_portset *set, uint16_t port)
{
	return set->bits[port >> 3] & 1 << (port & 7);
}

unsigned int rsip_portset_count(const struct rsip_portset *set)
{
	unsigned int n = 0;

	for (unsigned int p = 1; p < 65536; p++)
		n += rsip_portset_has(set, p);
	return n;
}

static void find_range(const struct rsip_portset *set, struct rsip_port_limits *out)
{
	unsigned int p;

	out->low = RSIP_EMPTY_LOW;
	out->high = RSIP_EMPTY_LOW + 1;
	for (p = 1; p < 65536 && !rsip_portset_has(set, p); p++)
		;
	if (p == 65536)
		return;
	out->low = p > 1 ? p & ~1U : p;
	for (p = 65535; !rsip_portset_has(set, p); p--)
		;
	out->high = p | 1;
}

int rsip_portset_limits(const struct rsip_portset *set, struct rsip_port_limits *out)
{
	unsigned int p = 1, end;
	const char *comma = "";
	size_t len;
	FILE *f;

	find_range(set, out);
	out->unprivileged = out->low < RSIP_PRIVILEGED_PORTS ? out->low : RSIP_PRIVILEGED_PORTS;
	f = open_memstream(&out->reserved, &len);
	if (!f)
		return -ENOMEM;
	/* Everything else, not only what lies in the range: so no order of writing ever frees a
	 * foreign port. */
	while (p < 65536) {
		if (rsip_portset_has(set, p)) {
			p++;
			continue;
		}
		for (end = p; end < 65535 && !rsip_portset_has(set, end + 1); end++)
			;
		fprintf(f, p == end ? "%s%u" : "%s%u-%u", comma, p, end);
		comma = ",";
		p = end + 1;
	}
	return fclose(f) ? -ENOMEM : 0;
}
