// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The store's log is folded back beside the commits: real files, and the thread that does it. */
#include <signal.h>
#include <sys/wait.h>

#include "store_fixture.h"

TestSuite(store_fold, .init = make_folder, .fini = drop_folder);

#define FOLD_CHANGES 150 /* of a commit: some hundred pages */

static void commit_to(struct rsip_store *s)
{
	struct rsip_store_change c[FOLD_CHANGES];

	for (uint32_t k = 0; k < FOLD_CHANGES; k++) {
		c[k] = random_change();
		if (c[k].kind == RSIP_STORE_LEASE)
			c[k].lease.port_ranges = 0; /* random_change() keeps the ranges of the last 64 */
	}
	cr_assert_eq(s->ops->commit(s, c, FOLD_CHANGES, &boot), 0);
}

/* What `cnt` commits from this seed make, as one number. */
static uint64_t sum_after(uint64_t from, uint32_t cnt)
{
	struct rsip_store *file = store;
	uint64_t sum;

	cr_assert_eq(rsip_store_mem(&store), 0);
	seed = from;
	while (cnt--)
		commit_to(store);
	load_at(&boot);
	sum = got.sum;
	store->ops->close(store);
	store = file;
	return sum;
}

#define COMMITS 1000 /* some 100,000 pages */
#define LOG_MOST (17 * RSIP_STORE_WAL_PAGES * (off_t)(4096 + 24)) /* store_fold.c: then a commit waits for the folding */

/* How well folding keeps up is the machine's affair; that the log ends somewhere is not. */
Test(store_fold, the_log_is_folded_back_while_commits_go_on, .timeout = 120)
{
	open_sqlite();
	load_at(&boot);
	seed = 7;
	for (int i = 0; i < COMMITS; i++) {
		commit_to(store);
		cr_assert_leq(log_size(), LOG_MOST, "after %d commits", i + 1);
	}
	reopen();
	cr_assert_eq(got.sum, sum_after(7, COMMITS));
}

/* Commits for ever, and says after each one which it was. */
static void commit_and_tell(int fd)
{
	open_sqlite();
	load_at(&boot);
	for (uint32_t i = 1;; i++) {
		commit_to(store);
		if (write(fd, &i, sizeof(i)) != sizeof(i))
			_exit(1);
	}
}

static uint32_t commits_until_killed(void)
{
	uint32_t last = 0, more;
	int fd[2];
	pid_t pid;

	cr_assert_eq(pipe(fd), 0);
	pid = fork();
	if (!pid)
		commit_and_tell(fd[1]);
	close(fd[1]);
	usleep(30000 + pick(120000));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	while (read(fd[0], &more, sizeof(more)) == sizeof(more))
		last = more;
	close(fd[0]);
	return last;
}

Test(store_fold, killed_while_the_log_is_folded_it_has_every_commit_that_had_returned, .timeout = 600)
{
	int rounds = getenv("LONG") ? 300 : 8;
	uint32_t most = 0;

	for (int i = 0; i < rounds; i++) {
		uint64_t from = seed = 1000 + (uint64_t)i;
		uint32_t cnt;

		pick(2);
		from = seed;
		cnt = commits_until_killed();
		most = cnt > most ? cnt : most;
		if (access(path, F_OK)) /* it did not come as far */
			continue;
		open_sqlite();
		load_at(&boot);
		if (got.sum != sum_after(from, cnt)) {
			load_at(&boot);
			cr_assert_eq(got.sum, sum_after(from, cnt + 1), "round %d: not the rows of commit %u, nor of the next", i, cnt);
		}
		store->ops->close(store);
		store = NULL;
		drop_files();
	}
	cr_assert_geq(most, 3, "nothing was tried");
}

