// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "log.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *log_name = "rsip";
static enum rsip_log_level log_level = RSIP_LOG_INFO;
static bool log_journal, log_file;

void rsip_log_open(const char *name, enum rsip_log_level level)
{
	log_name = name;
	log_level = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

void rsip_log_look(void)
{
	struct stat st;

	log_file = !fstat(STDERR_FILENO, &st) && S_ISREG(st.st_mode);
	log_journal &= !log_file;
}

void rsip_log_set_level(enum rsip_log_level level)
{
	log_level = level;
}

enum rsip_log_level rsip_log_get_level(void)
{
	return log_level;
}

void rsip_vlog(enum rsip_log_level level, const char *fmt, va_list ap)
{
	/* sd-daemon(3): priorities of syslog in angle brackets. */
	static const char *const priority[] = { "<3>", "<4>", "<6>", "<7>" };
	static const char *const word[] = { "error: ", "warning: ", "", "debug: " };
	char line[2048], stamp[32] = "";
	time_t now;
	struct tm tm;
	int err = errno; /* callers say what failed, then return it */

	if (level > log_level)
		return;
	vsnprintf(line, sizeof(line), fmt, ap);
	if (log_file) {
		time(&now);
		strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ ", gmtime_r(&now, &tm));
	}
	if (log_journal)
		fprintf(stderr, "%s%s\n", priority[level], line);
	else
		fprintf(stderr, "%s%s: %s%s\n", stamp, log_name, word[level], line);
	errno = err;
}

void rsip_log(enum rsip_log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	rsip_vlog(level, fmt, ap);
	va_end(ap);
}
