// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * docs/rfc-compliance.md: every test that it names exists, and no section of an RFC has fewer rows than sentences with
 * MUST, SHOULD or MAY.
 */
#include <criterion/criterion.h>
#include <ctype.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util.h"

#define CELLS 8
#define ROWS_MAX 512

struct row {
	char section[80], level[16], state[16], tests[600];
	int rfc; /* 0: of the table of choices */
};

static struct row row[ROWS_MAX];
static unsigned int row_cnt;
static char *sources; /* of all tests, blanks squeezed */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	cr_assert_not_null(f, "%s (run from the top of the tree)", path);
	cr_assert_gt(getdelim(&text, &size, '\0', f), 0);
	fclose(f);
	return text;
}

/* Cells of "| a | b |", trimmed; \| stays in its cell. */
static unsigned int split(char *line, char *cell[CELLS])
{
	unsigned int n = 0;

	for (char *p = line + 1; n < CELLS && *p;) {
		char *end = p;

		while (*end && !(*end == '|' && end[-1] != '\\'))
			end++;
		if (!*end)
			break;
		*end = '\0';
		while (isspace((unsigned char)*p))
			p++;
		for (char *last = end; last > p && isspace((unsigned char)last[-1]);)
			*--last = '\0';
		cell[n++] = p;
		p = end + 1;
	}
	return n;
}

static void keep_row(char *cell[CELLS], unsigned int n, int rfc)
{
	struct row *r = &row[row_cnt];

	if (!strncmp(cell[0], "---", 3) || !strcmp(cell[0], "section") || !strcmp(cell[0], "what"))
		return;
	cr_assert_eq(n, rfc ? 6 : 4, "a row with %u cells: %s", n, cell[0]);
	cr_assert_lt(row_cnt++, ROWS_MAX);
	*r = (struct row){ .rfc = rfc };
	snprintf(r->section, sizeof(r->section), "%s", cell[0]);
	snprintf(r->level, sizeof(r->level), "%s", rfc ? cell[1] : "");
	snprintf(r->state, sizeof(r->state), "%s", rfc ? cell[3] : "met");
	snprintf(r->tests, sizeof(r->tests), "%s", cell[n - 1]);
}

static void read_matrix(void)
{
	char *text = read_file("docs/rfc-compliance.md"), *save = NULL, *cell[CELLS];
	bool in_table = false;
	int rfc = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (!strncmp(line, "## ", 3)) {
			in_table = !strncmp(line, "## RFC ", 7) || !strcmp(line, "## Choices");
			rfc = atoi(line + 7);
		} else if (in_table && *line == '|') {
			keep_row(cell, split(line, cell), rfc);
		}
	}
	free(text);
}

/* All tests' sources in one string, "Test(suite,test" whatever the line breaks are. */
static void read_sources(void)
{
	static const char *const pattern[] = { "tests/unit/test_*.c", "tests/bpf/test_*.c" };
	size_t len = 0;
	glob_t g;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(pattern); i++)
		cr_assert_eq(glob(pattern[i], i ? GLOB_APPEND : 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *text = read_file(g.gl_pathv[i]);

		sources = realloc(sources, len + strlen(text) + 1);
		for (const char *p = text; *p; p++)
			if (!isspace((unsigned char)*p))
				sources[len++] = *p;
		sources[len] = '\0';
		free(text);
	}
	globfree(&g);
}

static void up(void)
{
	read_matrix();
	read_sources();
}

TestSuite(compliance, .init = up);

static bool criterion_test_exists(const char *suite, const char *test)
{
	char want[256];
	size_t len = (size_t)snprintf(want, sizeof(want), "Test(%s,%s", suite, test);

	for (const char *p = strstr(sources, want); p; p = strstr(p + 1, want))
		if (p[len] == ')' || p[len] == ',')
			return true;
	return false;
}

static bool exists(char *name)
{
	char *colons = strstr(name, "::"), path[300];

	if (!strncmp(name, "lab/", 4)) {
		snprintf(path, sizeof(path), "tests/%s.sh", name);
		return !access(path, X_OK);
	}
	if (!colons)
		return false;
	*colons = '\0';
	return criterion_test_exists(name, colons + 2);
}

Test(compliance, every_test_that_is_named_exists)
{
	unsigned int named = 0;

	for (unsigned int i = 0; i < row_cnt; i++) {
		char *save = NULL;

		for (char *t = strtok_r(row[i].tests, "`, ", &save); t; t = strtok_r(NULL, "`, ", &save)) {
			char copy[256];

			snprintf(copy, sizeof(copy), "%s", t);
			cr_expect(exists(copy), "%d %s: there is no test %s", row[i].rfc, row[i].section, t);
			named++;
		}
	}
	cr_expect_gt(named, 300, "%u: is the table still read?", named);
}

Test(compliance, what_is_met_is_shown)
{
	static const char *const states[] = { "met", "partly", "not", "n/a" };

	for (unsigned int i = 0; i < row_cnt; i++) {
		bool known = false;

		for (size_t k = 0; k < RSIP_ARRAY_LEN(states); k++)
			known |= !strcmp(row[i].state, states[k]);
		cr_expect(known, "%d %s: state %s", row[i].rfc, row[i].section, row[i].state);
		if (!strcmp(row[i].state, "met") || !strcmp(row[i].state, "partly"))
			cr_expect_neq(row[i].tests[0], '\0', "%d %s: no test", row[i].rfc, row[i].section);
	}
}

/* Is the section one of the row's list "9.6.3, 9.8.3"? */
static bool has_section(const struct row *r, const char *section)
{
	size_t len = strlen(section);

	for (const char *p = strstr(r->section, section); p; p = strstr(p + 1, section))
		if ((p == r->section || p[-1] == ' ') && (p[len] == '\0' || p[len] == ','))
			return true;
	return false;
}

static unsigned int rows_of(int rfc, const char *section, const char *level)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < row_cnt; i++)
		n += row[i].rfc == rfc && !strcmp(row[i].level, level) && has_section(&row[i], section);
	return n;
}

Test(compliance, no_sentence_of_the_rfcs_is_left_out)
{
	char *text = read_file("tests/unit/rfc_keywords.txt"), *save = NULL, section[16], level[16];
	unsigned int sections = 0, sentences = 0, cnt;
	int rfc;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		cr_assert_eq(sscanf(line, "%d %15s %15s %u", &rfc, section, level, &cnt), 4, "%s", line);
		cr_expect_geq(rows_of(rfc, section, level), cnt, "RFC %d section %s has %u sentences with %s, the table %u rows",
			      rfc, section, cnt, level, rows_of(rfc, section, level));
		sections++;
		sentences += cnt;
	}
	cr_expect_geq(sections, 70);
	cr_expect_geq(sentences, 200);
	free(text);
}
