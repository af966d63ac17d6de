// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "commit.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "log.h"
#include "util.h"

#define RETRY_NS RSIP_NS_PER_S

struct rsip_committer {
	struct rsip_journal *journal;
	struct rsip_store *store;
	struct rsip_commit_stats stats;
	uint64_t retry_ns; /* no commit before; 0: at once */
	uint64_t began_ns;
	struct rsip_store_clock clock; /* of the commit under way */
	struct rsip_store_clock written; /* of the last one that succeeded */
	pthread_t thread;
	int fd;

	pthread_mutex_t lock; /* of what follows */
	pthread_cond_t changed;
	const struct rsip_batch *batch; /* given to the thread */
	bool ended, stop;
	int err;
	char why[256];
};

/* ---- the thread ----------------------------------------------------------------------------------------------------- */

static void commit_one(struct rsip_committer *c)
{
	const struct rsip_batch *b = c->batch;
	uint64_t one = 1;
	int err;

	pthread_mutex_unlock(&c->lock);
	err = c->store->ops->commit(c->store, b->change, b->cnt, &c->clock);
	pthread_mutex_lock(&c->lock);
	c->err = err;
	if (err)
		snprintf(c->why, sizeof(c->why), "%s", c->store->ops->why(c->store));
	c->batch = NULL;
	c->ended = true;
	pthread_cond_broadcast(&c->changed);
	if (write(c->fd, &one, sizeof(one)) < 0)
		log_err("cannot wake the event loop: %s", strerror(errno));
}

static void *work(void *arg)
{
	struct rsip_committer *c = arg;

	pthread_setname_np(pthread_self(), "rsipd-store");
	pthread_mutex_lock(&c->lock);
	while (!c->stop) {
		if (c->batch)
			commit_one(c);
		else
			pthread_cond_wait(&c->changed, &c->lock);
	}
	pthread_mutex_unlock(&c->lock);
	return NULL;
}

/* ---- the event loop's side -------------------------------------------------------------------------------------------- */

int rsip_committer_create(struct rsip_journal *j, struct rsip_store *store, const struct rsip_store_clock *written, int *fd,
			  struct rsip_committer **out)
{
	struct rsip_committer *c = calloc(1, sizeof(*c));
	sigset_t all, before;
	int err;

	if (!c)
		return -ENOMEM;
	c->journal = j;
	c->store = store;
	c->clock = c->written = *written;
	c->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (c->fd < 0) {
		err = -errno;
		free(c);
		return err;
	}
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	sigfillset(&all); /* signals are the event loop's */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&c->thread, NULL, work, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err) {
		close(c->fd);
		free(c);
		return -err;
	}
	*fd = c->fd;
	*out = c;
	return 0;
}

bool rsip_committer_kick(struct rsip_committer *c, const struct rsip_store_clock *now)
{
	const struct rsip_batch *b;

	if (now->mono_ns < c->retry_ns)
		return false;
	if (rsip_store_clock_was_set(&c->written, now))
		rsip_journal_touch(c->journal);
	b = rsip_journal_take(c->journal);
	if (!b)
		return false;
	c->began_ns = now->mono_ns;
	c->stats.changes += c->stats.failing_since_ns ? 0 : b->cnt;
	if (b->cnt > c->stats.largest)
		c->stats.largest = b->cnt;
	pthread_mutex_lock(&c->lock);
	c->clock = *now;
	c->batch = b;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	return true;
}

static void note(struct rsip_committer *c, uint64_t now_ns, int err)
{
	struct rsip_commit_stats *s = &c->stats;

	s->total_ns += now_ns - c->began_ns;
	if (now_ns - c->began_ns > s->longest_ns)
		s->longest_ns = now_ns - c->began_ns;
	if (!err) {
		s->commits++;
		c->retry_ns = 0;
		if (s->failing_since_ns)
			log_info("the lease store works again: leases are granted");
		s->failing_since_ns = 0;
		s->why[0] = '\0';
		return;
	}
	s->failures++;
	c->retry_ns = now_ns + RETRY_NS;
	if (!s->failing_since_ns) {
		s->failing_since_ns = now_ns;
		log_err("the lease store cannot be written: no new leases until it can: %s", c->why);
	}
	memcpy(s->why, c->why, sizeof(s->why));
}

void rsip_committer_failed(struct rsip_committer *c, int err, uint64_t now_ns)
{
	c->began_ns = now_ns;
	snprintf(c->why, sizeof(c->why), "%s", c->store->ops->why(c->store));
	note(c, now_ns, err);
	rsip_journal_fail(c->journal);
}

bool rsip_committer_collect(struct rsip_committer *c, uint64_t now_ns, int *err)
{
	uint64_t cnt;
	bool ended;

	if (read(c->fd, &cnt, sizeof(cnt)) < 0 && errno != EAGAIN)
		log_err("cannot read from the store's thread: %s", strerror(errno));
	pthread_mutex_lock(&c->lock);
	ended = c->ended;
	c->ended = false;
	*err = c->err;
	if (ended)
		note(c, now_ns, *err);
	if (ended && !*err)
		c->written = c->clock;
	pthread_mutex_unlock(&c->lock);
	if (ended)
		rsip_journal_done(c->journal, *err);
	return ended;
}

void rsip_committer_stats(struct rsip_committer *c, struct rsip_commit_stats *out)
{
	c->stats.backlog = rsip_journal_backlog(c->journal);
	*out = c->stats;
}

void rsip_committer_flush(struct rsip_committer *c)
{
	struct rsip_store_clock now = c->clock;
	int err = 0;

	c->retry_ns = 0;
	do {
		pthread_mutex_lock(&c->lock);
		while (c->batch)
			pthread_cond_wait(&c->changed, &c->lock);
		pthread_mutex_unlock(&c->lock);
		rsip_store_clock_read(&now);
		rsip_committer_collect(c, now.mono_ns, &err);
	} while (!err && rsip_committer_kick(c, &now));
}

void rsip_committer_destroy(struct rsip_committer *c)
{
	if (!c)
		return;
	rsip_committer_flush(c);
	pthread_mutex_lock(&c->lock);
	c->stop = true;
	pthread_cond_broadcast(&c->changed);
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->thread, NULL);
	close(c->fd);
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
