/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What holds for the ports and SPIs of each lease, wherever it comes from. */
#ifndef FUZZ_LEASE_H
#define FUZZ_LEASE_H

#include "fuzz_main.h"
#include "session.h"

static inline void check_runs(const struct rsip_lease *l)
{
	for (unsigned int i = 0; i < l->port_runs; i++)
		must(l->ports[i].first && l->ports[i].cnt && l->ports[i].first + l->ports[i].cnt <= 65536);
	for (unsigned int i = 0; i < l->spi_runs; i++)
		must(l->spis[i].first >= 256 && l->spis[i].cnt && l->spis[i].first + (uint64_t)l->spis[i].cnt <= 1ULL << 32);
}

#endif
