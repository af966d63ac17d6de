// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "rsipctl.h"

void table_init(struct table *t, const char *const *heads, int cols)
{
	memset(t, 0, sizeof(*t));
	t->cols = cols;
	for (int i = 0; i < cols; i++) {
		t->right[i] = heads[i][0] == '>';
		t->head[i] = heads[i] + t->right[i];
		t->width[i] = (int)strlen(t->head[i]);
	}
}

void table_next(struct table *t)
{
	if (t->rows == t->room) {
		int room = t->room ? 2 * t->room : 64;
		void *row = realloc(t->row, (size_t)room * sizeof(*t->row));

		if (!row)
			abort();
		t->row = row;
		t->room = room;
	}
	memset(t->row[t->rows], 0, sizeof(t->row[0]));
	t->rows++;
}

void table_cell(struct table *t, int col, const char *fmt, ...)
{
	char **cell = &t->row[t->rows - 1][col];
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(cell, fmt, ap);
	va_end(ap);
	if (len < 0)
		abort();
	if (len > t->width[col])
		t->width[col] = len;
}

static void print_cell(const struct table *t, FILE *f, int col, const char *text)
{
	if (t->right[col])
		fprintf(f, "%*s", t->width[col], text);
	else if (col == t->cols - 1)
		fputs(text, f);
	else
		fprintf(f, "%-*s", t->width[col], text);
	fputs(col == t->cols - 1 ? "\n" : "  ", f);
}

void table_print(const struct table *t, FILE *f, bool with_head, int max_rows)
{
	if (with_head)
		for (int i = 0; i < t->cols; i++)
			print_cell(t, f, i, t->head[i]);
	for (int r = 0; r < t->rows && (!max_rows || r < max_rows); r++)
		for (int i = 0; i < t->cols; i++)
			print_cell(t, f, i, t->row[r][i] ? t->row[r][i] : "");
}

void table_clear(struct table *t)
{
	for (int r = 0; r < t->rows; r++)
		for (int i = 0; i < t->cols; i++)
			free(t->row[r][i]);
	free(t->row);
	t->row = NULL;
	t->rows = t->room = 0;
}

void table_finish(struct table *t)
{
	table_print(t, stdout, true, 0);
	table_clear(t);
}

#define BUFFERS 16
static char *buffer(void)
{
	static char buf[BUFFERS][256];
	static unsigned int next;

	return buf[next++ % BUFFERS];
}

const char *text_count(double n)
{
	static const char unit[] = " KMGTP";
	char *out = buffer();
	int i = 0;

	if (n < 100000) {
		snprintf(out, 256, "%.0f", n);
		return out;
	}
	while (n >= 1000 && unit[i + 1]) {
		n /= 1000;
		i++;
	}
	snprintf(out, 256, "%.*f%c", n < 10 ? 2 : n < 100 ? 1 : 0, n, unit[i]);
	return out;
}

const char *text_seconds(uint64_t s)
{
	unsigned long long n = s;
	char *out = buffer();

	if (n < 60)
		snprintf(out, 256, "%llus", n);
	else if (n < 3600)
		snprintf(out, 256, "%llum%02llus", n / 60, n % 60);
	else if (n < 86400)
		snprintf(out, 256, "%lluh%02llum", n / 3600, n / 60 % 60);
	else
		snprintf(out, 256, "%llud%02lluh", n / 86400, n / 3600 % 24);
	return out;
}

const char *text_list(const cJSON *list, int max)
{
	char *out = buffer();
	const cJSON *item;
	int cnt = 0;
	size_t len = 0;

	out[0] = '\0';
	cJSON_ArrayForEach (item, list) {
		const char *text = cJSON_GetStringValue(item);

		if (cnt == max || len + strlen(text ? text : "") + 16 > 256) {
			snprintf(out + len, 256 - len, ",+%d", cJSON_GetArraySize(list) - cnt);
			return out;
		}
		len += (size_t)snprintf(out + len, 256 - len, "%s%s", cnt ? "," : "",
					text ? text : "?");
		cnt++;
	}
	return cnt ? out : "-";
}
