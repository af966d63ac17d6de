/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Between lease manager, engine and store: changes of rows are collected in a batch; batches are committed one
 * after the other, by whoever drives the journal (commit.h does it with a thread).  An answer may leave when the
 * batch that was open when it was made has become durable.
 *
 * No clock, no thread, no file: all of it is called from the event loop's thread.
 */
#ifndef RSIP_JOURNAL_H
#define RSIP_JOURNAL_H

#include "store.h"

struct rsip_journal;

/* Beside each row's owner: where the row's newest change lies, so that a newer one takes its place. */
struct rsip_journal_mark {
	uint64_t batch;
	uint32_t index;
};

struct rsip_batch {
	uint64_t number;
	struct rsip_store_change *change;
	uint32_t cnt;
};

int rsip_journal_create(struct rsip_journal **out); /* 0 or -ENOMEM */
void rsip_journal_destroy(struct rsip_journal *j);

/* The row is so from now on.  What it points to is copied. */
void rsip_journal_lease(struct rsip_journal *j, struct rsip_journal_mark *mark, const struct rsip_store_lease *row);
void rsip_journal_client(struct rsip_journal *j, struct rsip_journal_mark *mark, const struct rsip_store_client *row);
void rsip_journal_key(struct rsip_journal *j, struct rsip_journal_mark *mark, const struct rsip_store_key *row);
void rsip_journal_gone(struct rsip_journal *j, struct rsip_journal_mark *mark, enum rsip_store_kind kind, uint64_t seq);

/* Rises with each of these calls. */
uint64_t rsip_journal_changes(const struct rsip_journal *j);
/* Number of the batch that is open: what has been changed until now is durable when this one is. */
uint64_t rsip_journal_open(const struct rsip_journal *j);
/* Number of the last batch that is durable. */
uint64_t rsip_journal_durable(const struct rsip_journal *j);
/* The last commit has failed: nothing new may be granted.  Cleared by the next that succeeds. */
bool rsip_journal_failing(const struct rsip_journal *j);
uint32_t rsip_journal_backlog(const struct rsip_journal *j); /* changes of the open batch */

/*
 * Closes the open batch for its commit; NULL: it is empty, or one is under way.  A batch that failed comes again
 * before any other.
 */
const struct rsip_batch *rsip_journal_take(struct rsip_journal *j);
/* The store cannot be written: the next batch is taken even if it is empty, to see whether it can. */
void rsip_journal_fail(struct rsip_journal *j);
/* The next batch is taken even if it is empty: a commit writes the clock, too. */
void rsip_journal_touch(struct rsip_journal *j);
/* The taken batch is durable (err 0), or is not. */
void rsip_journal_done(struct rsip_journal *j, int err);

#endif
