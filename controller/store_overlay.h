/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A SQLite VFS for a store that cannot be written: what is there is read, what is written stays in memory and is
 * forgotten when the file is closed.  So leases can be read from a full or read-only disk with all that reading takes:
 * the recovery of the write-ahead log, a step to a newer schema, times moved to another boot.  No lock is taken.
 */
#ifndef RSIP_STORE_OVERLAY_H
#define RSIP_STORE_OVERLAY_H

#define RSIP_OVERLAY_VFS "rsip-overlay"

/* Over what is the default VFS now.  0 or -ENOMEM. */
int rsip_overlay_register(void);

#endif
