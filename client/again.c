// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "again.h"
#include "log.h"

static struct {
	char file[PATH_MAX]; /* not /proc/self/exe later on: that is the old one, whatever its name leads to by then */
	char folder[PATH_MAX];
	int argc;
	char **argv;
} first;

void rsip_again_note(int argc, char **argv)
{
	ssize_t n = readlink("/proc/self/exe", first.file, sizeof(first.file) - 1);

	first.file[n > 0 ? n : 0] = '\0';
	if (!getcwd(first.folder, sizeof(first.folder)))
		strcpy(first.folder, "/");
	first.argc = argc;
	first.argv = argv;
}

const char *rsip_again_folder(void)
{
	return first.folder;
}

int rsip_again_check(char *why, size_t size)
{
	int err = access(first.file, X_OK) ? -errno : 0;

	if (err) {
		snprintf(why, size, "cannot run %s: %s", *first.file ? first.file : "our program file", strerror(-err));
	} else if (access(first.folder, X_OK)) {
		err = -errno;
		snprintf(why, size, "cannot go on from %s, where it was started: %s", first.folder, strerror(-err));
	}
	return err;
}

int rsip_again(bool in_foreground)
{
	char **argv = calloc(first.argc + 2, sizeof(*argv));
	int err;

	if (!argv)
		return -ENOMEM;
	memcpy(argv, first.argv, first.argc * sizeof(*argv));
	if (in_foreground)
		argv[first.argc] = "--foreground";
	if (chdir(first.folder)) /* paths of the command line may begin there */
		err = -errno;
	else
		err = execv(first.file, argv) ? -errno : 0;
	if (chdir("/"))
		log_debug("cannot change to /: %s", strerror(errno));
	free(argv);
	return err;
}
