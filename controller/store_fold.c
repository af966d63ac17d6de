// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The write-ahead log is folded back into the file (a checkpoint) beside the commits, not within one: a thread with a
 * connection of its own copies what is in the log, then what came meanwhile, until that is little.  The rest is copied
 * between two commits; so the log begins anew with the next.
 *
 * SQLite lets one connection write and another fold at a time, if they share the index of the log in memory (xShm).  Where
 * there is no such thing SQLite folds within a commit (wal_autocheckpoint).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "log.h"
#include "store_sqlite.h"

#define PASSES 6 /* at most, until few pages are left */
#define FEW_PAGES 400
#define WAIT_PAGES (16 * RSIP_STORE_WAL_PAGES) /* folding does not keep up: the commit waits for it */

enum fold_state { FOLD_IDLE, FOLD_ASKED, FOLD_DONE };

struct rsip_sqlite_fold {
	sqlite3 *db;
	int pages; /* in the log, after the last commit; written by the committing thread */
	pthread_t thread;
	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	enum fold_state state;
	int left; /* pages, when it was done */
	bool stop;
};

/* Returns how many pages of the log are in the file now. */
static int fold(sqlite3 *db)
{
	int log_pages, done = 0;

	/* What cannot be folded now stays in the log, which is as durable; the next time it may be. */
	int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_PASSIVE, &log_pages, &done);

	if (rc && rc != SQLITE_BUSY)
		log_debug("the log of the lease store was not folded back: %s", sqlite3_errmsg(db));
	return rc || done < 0 ? 0 : done;
}

static int fold_most(struct rsip_sqlite_fold *f)
{
	int left = 0;

	for (int i = 0; i < PASSES; i++) {
		int done = fold(f->db);

		left = __atomic_load_n(&f->pages, __ATOMIC_RELAXED) - done;
		if (left <= FEW_PAGES)
			break;
	}
	return left;
}

static void *work(void *arg)
{
	struct rsip_sqlite_fold *f = arg;
	int left;

	pthread_setname_np(pthread_self(), "rsipd-fold");
	pthread_mutex_lock(&f->lock);
	while (!f->stop) {
		if (f->state != FOLD_ASKED) {
			pthread_cond_wait(&f->changed, &f->lock);
			continue;
		}
		pthread_mutex_unlock(&f->lock);
		left = fold_most(f);
		pthread_mutex_lock(&f->lock);
		f->left = left;
		f->state = FOLD_DONE;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static int on_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	(void)db;
	(void)name;
	__atomic_store_n(&((struct rsip_sqlite_fold *)arg)->pages, pages, __ATOMIC_RELAXED);
	return SQLITE_OK;
}

static int begin_thread(struct rsip_sqlite_fold *f)
{
	sigset_t all, before;
	int err;

	sigfillset(&all); /* signals are the event loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&f->thread, NULL, work, f);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

void rsip_sqlite_fold_start(struct sqlite_store *s)
{
	struct rsip_sqlite_fold *f = calloc(1, sizeof(*f));

	if (!f)
		return;
	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	if (sqlite3_open_v2(s->path, &f->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) ||
	    sqlite3_exec(f->db, "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0", NULL, NULL, NULL) || begin_thread(f)) {
		log_debug("the log of the lease store is folded back within commits");
		sqlite3_close(f->db);
		free(f);
		return;
	}
	sqlite3_wal_hook(s->db, on_commit, f); /* in place of wal_autocheckpoint */
	s->fold = f;
}

void rsip_sqlite_fold_stop(struct sqlite_store *s)
{
	struct rsip_sqlite_fold *f = s->fold;

	if (!f)
		return;
	pthread_mutex_lock(&f->lock);
	f->stop = true;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
	pthread_join(f->thread, NULL);
	sqlite3_close(f->db);
	pthread_cond_destroy(&f->changed);
	pthread_mutex_destroy(&f->lock);
	free(f);
	s->fold = NULL;
}

void rsip_sqlite_fold(struct sqlite_store *s)
{
	struct rsip_sqlite_fold *f = s->fold;
	bool finish;

	if (!f || f->pages < RSIP_STORE_WAL_PAGES)
		return;
	pthread_mutex_lock(&f->lock);
	while (f->state == FOLD_ASKED && f->pages > WAIT_PAGES)
		pthread_cond_wait(&f->changed, &f->lock);
	finish = f->state == FOLD_DONE && (f->left <= FEW_PAGES || f->pages > WAIT_PAGES);
	if (finish) {
		f->state = FOLD_IDLE;
	} else if (f->state != FOLD_ASKED) {
		f->state = FOLD_ASKED;
		pthread_cond_broadcast(&f->changed);
	}
	pthread_mutex_unlock(&f->lock);
	if (finish)
		fold(s->db);
}
