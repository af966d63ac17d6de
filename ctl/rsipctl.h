/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef RSIPCTL_H
#define RSIPCTL_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "ctlsock.h"

/* Exit codes; the control channel's results 2 and 3 become 1 and 3. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_NOTHING = 3 };

struct ctl_run { /* one run of rsipctl */
	struct rsip_ctlsock *sock;
	const char *socket_path;
	bool json;
	double interval_s;   /* of watch */
	unsigned int frames; /* of watch, lines of events; 0: until it is interrupted */
	char *file;	     /* that capture writes; or NULL */
	char **arg;	     /* of the command */
	int arg_cnt;
};

/*
 * Asks and gives the reply's arguments (deleted with *reply by the caller), or prints what went
 * wrong and returns an exit code other than 0.
 */
int ctl_ask(struct ctl_run *run, const char *command, cJSON *args, cJSON **reply,
	    const cJSON **out);
/* Prints JSON for programs. */
void ctl_print_json(const cJSON *obj);
/* Prints an error, as JSON if asked for. */
int ctl_fail(const struct ctl_run *run, int code, const char *text);

int ctl_status(struct ctl_run *run);
int ctl_stats(struct ctl_run *run);
int ctl_pools(struct ctl_run *run);
int ctl_clients(struct ctl_run *run);
int ctl_bindings(struct ctl_run *run);
int ctl_client(struct ctl_run *run);
int ctl_binding(struct ctl_run *run);
int ctl_config(struct ctl_run *run);
int ctl_reload(struct ctl_run *run);
int ctl_commands(struct ctl_run *run);
int ctl_raw(struct ctl_run *run);
int ctl_watch(struct ctl_run *run);
int ctl_events(struct ctl_run *run);
int ctl_explain(struct ctl_run *run);
int ctl_capture(struct ctl_run *run);

/* ---- tables: cells are copied, numbers are right-aligned ---- */

#define TABLE_COLS 12
struct table {
	const char *head[TABLE_COLS];
	bool right[TABLE_COLS];
	int cols, rows, width[TABLE_COLS];
	char *(*row)[TABLE_COLS];
	int room;
};

/* heads: names separated by blanks; one that begins with > is right-aligned. The text must live as
 * long as t. */
void table_init(struct table *t, const char *const *heads, int cols);
void table_cell(struct table *t, int col, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void table_next(struct table *t); /* begins a row */
void table_print(const struct table *t, FILE *f, bool with_head, int max_rows);
void table_finish(struct table *t); /* prints it with its head and forgets the rows */
void table_clear(struct table *t); /* forgets the rows, keeps the widths */

/* Text of numbers, in one of some static buffers in turn. */
const char *text_count(double n);		   /* 12345, 1.23M */
const char *text_seconds(uint64_t s);		   /* 59s, 12m, 3h05m, 4d2h */
const char *text_list(const cJSON *list, int max); /* "a,b,c", "a,b,+7" */

#endif
