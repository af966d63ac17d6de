/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Results: collected as they come, printed as one table, as JSON, or as docs/performance.md has them. */
#ifndef RSIP_BENCH_REPORT_H
#define RSIP_BENCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#define REPORT_COLUMNS 8

/*
 * One figure: what (a line of the table), for how many bindings (a column), how much of which unit,
 * and its ratio to what was measured in the same run (0: there is none).
 */
struct report_figure {
	const char *section, *what;
	uint32_t bindings;
	double value, ratio;
	const char *unit;
};

void report_add(const char *section, const char *what, uint32_t bindings, double value,
		const char *unit, double ratio);
/* What is going on, to stderr: a long run shows that it lives. */
void report_progress(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
enum report_form { REPORT_TEXT, REPORT_JSON, REPORT_MARKDOWN };
void report_print(enum report_form form, const uint32_t *columns, int cnt);

#endif
