// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * copies PID: loads the copies of the programs that cases take turns with, prints what RSIP_TEST_COPIES must be, and
 * holds them while process PID lives (its parent, or one further up).  For tests/run, which runs many test programs.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "gateway_copies.h"

int main(int argc, char **argv)
{
	struct pollfd whose = { .events = POLLIN };
	char paths[GATEWAY_COPIES_TEXT];

	if (argc != 2)
		return 2;
	whose.fd = (int)syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	if (whose.fd < 0 || gateway_copies_load(GATEWAY_COPIES, paths, sizeof(paths)))
		return 1;
	puts(paths);
	if (fflush(stdout) || !freopen("/dev/null", "w", stdout))
		return 1;
	while (poll(&whose, 1, -1) < 0)
		;
	return 0;
}
