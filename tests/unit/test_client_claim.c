// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* One client of a machine for a gateway and an address. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "claim.h"

static char dir[] = "/tmp/rsip-claim-XXXXXX", below[64], why[600];
static struct rsip_inet host, gateway, spare;
static struct rsip_claim first, second;

static void begin(void)
{
	cr_assert_not_null(mkdtemp(dir));
	snprintf(below, sizeof(below), "%s/rsip", dir);
	host = rsip_inet_v4(htonl(0x0a000002));
	gateway = rsip_inet_v4(htonl(0x0a000001));
	spare = rsip_inet_v4(htonl(0x0a000003));
	rsip_claim_init(&first);
	rsip_claim_init(&second);
}

/* Nothing is left but what was there before. */
static void end(void)
{
	rsip_claim_drop(&first);
	rsip_claim_drop(&second);
	cr_assert_eq(access(below, F_OK), -1, "the folder or a file in it is left");
	cr_assert_eq(rmdir(dir), 0);
}

static int take(struct rsip_claim *c, const struct rsip_inet *from, const struct rsip_inet *to, const char *state_dir)
{
	return rsip_claim_take(c, below, from, to, state_dir, why, sizeof(why));
}

Test(client_claim, a_second_one_is_told_of_the_first, .init = begin, .fini = end)
{
	char pid[40];

	cr_assert_eq(take(&first, &host, &gateway, "/run/rsip/one"), 0);
	cr_assert_eq(take(&second, &host, &gateway, "/run/rsip/two"), -EBUSY);
	snprintf(pid, sizeof(pid), "process %d,", (int)getpid());
	cr_assert(strstr(why, pid), "%s", why);
	cr_assert(strstr(why, "rsip-client --state-dir /run/rsip/one down"), "%s", why);
	cr_assert(strstr(why, "with 10.0.0.1 from 10.0.0.2"), "%s", why);
	rsip_claim_drop(&first);
	cr_assert_eq(take(&second, &host, &gateway, "/run/rsip/two"), 0);
}

/* Whoever can open it can lock it, and a killed client leaves it behind. */
Test(client_claim, nobody_else_can_open_it, .init = begin, .fini = end)
{
	struct stat st;

	cr_assert_eq(take(&first, &host, &gateway, "one"), 0);
	cr_assert_eq(stat(first.path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0600);
}

Test(client_claim, other_ends_are_free, .init = begin, .fini = end)
{
	cr_assert_eq(take(&first, &host, &gateway, "one"), 0);
	cr_assert_eq(take(&second, &host, &spare, "two"), 0);
	rsip_claim_drop(&second);
	cr_assert_eq(take(&second, &spare, &gateway, "two"), 0);
}

Test(client_claim, moving_gives_the_old_one_back_and_a_refusal_does_not, .init = begin, .fini = end)
{
	cr_assert_eq(take(&first, &host, &gateway, "one"), 0);
	cr_assert_eq(take(&first, &host, &gateway, "one"), 0, "it has it already");
	cr_assert_eq(take(&second, &host, &spare, "two"), 0);
	cr_assert_eq(take(&second, &host, &gateway, "two"), -EBUSY);
	cr_assert_eq(take(&first, &host, &spare, "one"), -EBUSY, "the refused one has lost what it had");
	rsip_claim_drop(&second);
	cr_assert_eq(take(&first, &host, &spare, "one"), 0);
	cr_assert_eq(take(&second, &host, &gateway, "two"), 0, "the one that moved has kept what it had");
}

Test(client_claim, a_kill_frees_it, .init = begin, .fini = end)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		if (take(&first, &host, &gateway, "one"))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFSIGNALED(status));
	cr_assert_eq(take(&second, &host, &gateway, "two"), 0);
}

Test(client_claim, where_no_lock_can_be_nobody_is_refused, .init = begin, .fini = end)
{
	snprintf(below, sizeof(below), "%s/not/there", dir);
	cr_assert_lt(take(&first, &host, &gateway, "one"), 0);
	cr_assert_neq(take(&first, &host, &gateway, "one"), -EBUSY);
	cr_assert_eq(first.fd, -1);
}
