// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report.h"

#include <cjson/cJSON.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include "util.h"

static struct report_figure *figures;
static size_t figure_cnt;

void report_add(const char *section, const char *what, uint32_t bindings, double value,
		const char *unit, double ratio)
{
	struct report_figure *more = realloc(figures, (figure_cnt + 1) * sizeof(*figures));

	if (!more)
		abort();
	figures = more;
	figures[figure_cnt++] = (struct report_figure){section, what, bindings, value, ratio, unit};
}

void report_progress(const char *fmt, ...)
{
	static uint64_t begin;
	va_list ap;

	if (!begin)
		begin = rsip_now_ns();
	fprintf(stderr, "%5.1f s  ", (double)(rsip_now_ns() - begin) / 1e9);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static const char *cpu_model(void)
{
	static char line[256];
	FILE *f = fopen("/proc/cpuinfo", "r");
	char *at = NULL;

	while (f && !at && fgets(line, sizeof(line), f))
		at = strncmp(line, "model name", 10) ? NULL : strchr(line, ':');
	if (f)
		fclose(f);
	if (!at)
		return "unknown";
	at[strcspn(at, "\n")] = '\0';
	return at + 2;
}

static void print_json(void)
{
	cJSON *all = cJSON_CreateObject(), *list;
	struct utsname u;
	char *text;

	uname(&u);
	cJSON_AddStringToObject(all, "kernel", u.release);
	cJSON_AddStringToObject(all, "cpu", cpu_model());
	list = cJSON_AddArrayToObject(all, "figures");
	for (size_t i = 0; i < figure_cnt; i++) {
		const struct report_figure *f = &figures[i];
		cJSON *obj = cJSON_CreateObject();

		cJSON_AddStringToObject(obj, "section", f->section);
		cJSON_AddStringToObject(obj, "what", f->what);
		cJSON_AddNumberToObject(obj, "bindings", f->bindings);
		cJSON_AddNumberToObject(obj, "value", f->value);
		cJSON_AddStringToObject(obj, "unit", f->unit);
		if (f->ratio > 0)
			cJSON_AddNumberToObject(obj, "ratio", f->ratio);
		cJSON_AddItemToArray(list, obj);
	}
	text = cJSON_Print(all);
	puts(text ? text : "{}");
	free(text);
	cJSON_Delete(all);
}

static const struct report_figure *find(const struct report_figure *line, uint32_t bindings)
{
	for (size_t i = 0; i < figure_cnt; i++)
		if (!strcmp(figures[i].section, line->section) &&
		    !strcmp(figures[i].what, line->what) && figures[i].bindings == bindings)
			return &figures[i];
	return NULL;
}

static bool first_of_line(size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(figures[i].section, figures[n].section) &&
		    !strcmp(figures[i].what, figures[n].what))
			return false;
	return true;
}

static void print_cell(const struct report_figure *f)
{
	char text[32] = "-";

	if (f && f->ratio > 0)
		snprintf(text, sizeof(text), "%.2f (%.*f)", f->ratio, f->value < 10 ? 1 : 0,
			 f->value);
	else if (f)
		snprintf(text, sizeof(text), "%.*f", f->value < 10 ? 1 : 0, f->value);
	printf(" %16s", text);
}

static void print_section(const char *section, const uint32_t *columns, int cnt)
{
	printf("\n%-34s", section);
	for (int c = 0; c < cnt; c++)
		printf(" %16u", columns[c]);
	putchar('\n');
	for (size_t i = 0; i < figure_cnt; i++) {
		char name[64];

		if (strcmp(figures[i].section, section) || !first_of_line(i))
			continue;
		snprintf(name, sizeof(name), "%s [%s]", figures[i].what, figures[i].unit);
		printf("  %-32s", name);
		for (int c = 0; c < cnt; c++)
			print_cell(find(&figures[i], columns[c]));
		putchar('\n');
	}
}

/* ---- Markdown ---------------------------------------------------------------------------------- */

static void print_count(uint32_t bindings)
{
	bool big = bindings >= 1000;
	int zeros = 0;

	for (; big && bindings % 10 == 0; bindings /= 10)
		zeros++;
	if (big)
		printf(" %ue%d |", bindings, zeros);
	else
		printf(" %u |", bindings);
}

static void print_cell_markdown(const struct report_figure *f)
{
	if (!f)
		printf(" - |");
	else if (f->ratio > 0)
		printf(" %.*f (%.0f) |", f->ratio < 1 ? 2 : f->ratio < 10 ? 1 : 0, f->ratio, f->value);
	else
		printf(" %.*f |", f->value < 10 ? 1 : 0, f->value);
}

static void print_section_markdown(const char *section, const uint32_t *columns, int cnt)
{
	printf("\n| %s |", section);
	for (int c = 0; c < cnt; c++)
		print_count(columns[c]);
	printf("\n| --- |");
	for (int c = 0; c < cnt; c++)
		printf(" --- |");
	putchar('\n');
	for (size_t i = 0; i < figure_cnt; i++) {
		if (strcmp(figures[i].section, section) || !first_of_line(i))
			continue;
		printf("| %s (%s) |", figures[i].what, figures[i].unit);
		for (int c = 0; c < cnt; c++)
			print_cell_markdown(find(&figures[i], columns[c]));
		putchar('\n');
	}
}

void report_print(enum report_form form, const uint32_t *columns, int cnt)
{
	void (*print)(const char *, const uint32_t *, int) =
		form == REPORT_MARKDOWN ? print_section_markdown : print_section;
	struct utsname u;

	if (form == REPORT_JSON)
		return print_json();
	uname(&u);
	printf("%s, Linux %s; columns: live bindings; ratio (value)\n", cpu_model(), u.release);
	for (size_t i = 0; i < figure_cnt; i++) {
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen |= !strcmp(figures[j].section, figures[i].section);
		if (!seen)
			print(figures[i].section, columns, cnt);
	}
}
