/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A SQLite VFS for tests: files in memory, every write and sync in a log, and faults on demand.  From the log the
 * files can be made as a power cut at any point would have left them: what was synced is there; of what was written
 * since, any part, in any order, torn at sectors.
 */
#ifndef CUTVFS_H
#define CUTVFS_H

#include <stdbool.h>
#include <stdint.h>

enum cut_fault { CUT_NONE, CUT_FULL, CUT_READONLY, CUT_SYNC };

void cut_start(void); /* registers the VFS as the default one, without files */
void cut_stop(void); /* forgets all; the default is the system's again */
void cut_fault(enum cut_fault fault); /* of writes from now on; CUT_SYNC: of syncs */
uint32_t cut_ops(void); /* operations in the log */
/* The log begins here: what is written now is safe. */
void cut_save(void);
/*
 * The files become what a cut behind the first `ops` operations of the log leaves, chosen by seed where there is a
 * choice.  cut_restore() undoes it, with all that was written since, to cut the same log elsewhere.
 */
void cut_power(uint32_t ops, uint64_t seed);
void cut_restore(void);

#endif
