/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Logging for all programs: four levels, to stderr or, under systemd, to the journal with its priority. */
#ifndef RSIP_LOG_H
#define RSIP_LOG_H

#include <stdarg.h>

enum rsip_log_level { RSIP_LOG_ERR, RSIP_LOG_WARN, RSIP_LOG_INFO, RSIP_LOG_DEBUG };

/*
 * Opens the log.  name: shown before each line when stderr is a terminal or a file.  With JOURNAL_STREAM set
 * (systemd's stderr) each line starts with its "<N>" priority instead.
 */
void rsip_log_open(const char *name, enum rsip_log_level level);
/* stderr may be another one now.  Where it is a file, each line begins with the time (UTC), and none has a priority. */
void rsip_log_look(void);
void rsip_log_set_level(enum rsip_log_level level);
enum rsip_log_level rsip_log_get_level(void);

/* One event, one line; text is "what failed: on what: why (what to do)".  No newline in fmt. */
void rsip_log(enum rsip_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void rsip_vlog(enum rsip_log_level level, const char *fmt, va_list ap);

#define log_err(...) rsip_log(RSIP_LOG_ERR, __VA_ARGS__)
#define log_warn(...) rsip_log(RSIP_LOG_WARN, __VA_ARGS__)
#define log_info(...) rsip_log(RSIP_LOG_INFO, __VA_ARGS__)
#define log_debug(...) rsip_log(RSIP_LOG_DEBUG, __VA_ARGS__)

#endif
