/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Start-up from the lease store: sessions, leases and rests as they were acknowledged, and the data plane made to say the same. */
#ifndef RSIP_RESTORE_H
#define RSIP_RESTORE_H

#include "engine.h"
#include "store.h"

struct rsip_restore {
	struct rsip_store *store;
	struct rsip_journal *journal;
	struct rsip_engine *engine;
	struct rsip_lease *lm;
	const struct rsip_dp_iface *iface; /* those of the data plane */
	int iface_cnt;
};

/* Before anything else is asked of engine and lease manager.  0 or -errno; *found is filled either way. */
int rsip_restore(const struct rsip_restore *parts, const struct rsip_store_clock *now, struct rsip_lease_found *found);

#endif
