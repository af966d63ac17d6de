/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Drives the journal: a thread commits one batch after the other, while the event loop fills the next.  So all that
 * arrives while a commit is under way shares the next one, and a commit never holds up reception.
 *
 * All calls are made from the event loop's thread.  A commit that fails is tried again every second.  Where the wall clock
 * was set since the last one, there is one without changes: lease times over a power cut count by the clocks in the store.
 */
#ifndef RSIP_COMMIT_H
#define RSIP_COMMIT_H

#include "journal.h"

struct rsip_committer;

struct rsip_commit_stats {
	uint64_t commits, changes, failures;
	uint64_t total_ns, longest_ns; /* of commits, failed ones too, until the event loop heard of them; since start */
	uint32_t backlog; /* changes that are not under way yet */
	uint32_t largest; /* batch */
	uint64_t failing_since_ns; /* 0: the last commit succeeded */
	char why[256]; /* it failed */
};

/*
 * *fd becomes readable when rsip_committer_collect() has something to say.  written: what the clocks were when the store was
 * written last.  0 or -errno.
 */
int rsip_committer_create(struct rsip_journal *j, struct rsip_store *store, const struct rsip_store_clock *written, int *fd,
			  struct rsip_committer **out);
/* Waits for what is under way, commits the rest, and ends the thread.  What cannot be committed is lost. */
void rsip_committer_destroy(struct rsip_committer *c);
/* Begins a commit if there is something to commit, or the clock, and none is under way; false: it does not. */
bool rsip_committer_kick(struct rsip_committer *c, const struct rsip_store_clock *now);
/* Before the first commit: the store cannot be written, as this -errno and its sentence say. */
void rsip_committer_failed(struct rsip_committer *c, int err, uint64_t now_ns);
/* After fd became readable: true if a commit has ended; *err is its result. */
bool rsip_committer_collect(struct rsip_committer *c, uint64_t now_ns, int *err);
/* Commits until nothing is left or one fails; waits for the disk. */
void rsip_committer_flush(struct rsip_committer *c);
void rsip_committer_stats(struct rsip_committer *c, struct rsip_commit_stats *out);

#endif
