// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One pass over the text checks the grammar (RFC 8259) and notes the line of each value; cJSON then
 * builds the tree from a copy in which comments are blanks (cJSON_Minify would lose the lines).
 * Both meet the values in the same order, so the lines are put into the tree afterwards, in
 * valueint, which nothing else reads.
 */
#include "json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

struct scan {
	char *text; /* terminated */
	size_t at;
	int line;
	int *lines; /* of the values, in order */
	size_t cnt, room;
	struct rsip_json_error *err;
};

static int scan_value(struct scan *s, int depth);

static int __attribute__((format(printf, 2, 3))) scan_fail(struct scan *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->err->text, sizeof(s->err->text), fmt, ap);
	va_end(ap);
	s->err->line = s->line;
	return -EINVAL;
}

static char peek(const struct scan *s)
{
	return s->text[s->at];
}

static void skip_space(struct scan *s)
{
	for (;; s->at++) {
		char c = peek(s);

		if (c == '\n')
			s->line++;
		else if (c != ' ' && c != '\t' && c != '\r')
			return;
	}
}

static int note_line(struct scan *s)
{
	if (s->cnt == s->room) {
		size_t room = s->room ? 2 * s->room : 64;
		int *lines = realloc(s->lines, room * sizeof(*lines));

		if (!lines)
			return scan_fail(s, "out of memory");
		s->lines = lines;
		s->room = room;
	}
	s->lines[s->cnt++] = s->line;
	return 0;
}

static int scan_escape(struct scan *s)
{
	char c = s->text[++s->at];

	if (c != '\0' && strchr("\"\\/bfnrt", c))
		return 0;
	if (c == 'u') {
		for (int i = 1; i <= 4; i++)
			if (!s->text[s->at + i] ||
			    !strchr("0123456789abcdefABCDEF", s->text[s->at + i]))
				return scan_fail(s, "bad \\u escape in a string");
		if (!strncmp(s->text + s->at + 1, "0000", 4))
			return scan_fail(s, "a string may not hold a zero byte");
		s->at += 4;
		return 0;
	}
	return scan_fail(s, "bad escape in a string");
}

static int scan_string(struct scan *s)
{
	if (peek(s) != '"')
		return scan_fail(s, "expected a string in double quotes");
	for (s->at++; peek(s) != '"'; s->at++) {
		if ((unsigned char)peek(s) < 0x20)
			return scan_fail(s, peek(s) == '\0' || peek(s) == '\n'
						    ? "a string is not closed on its line"
						    : "control character in a string");
		if (peek(s) == '\\' && scan_escape(s))
			return -EINVAL;
	}
	s->at++;
	return 0;
}

static size_t skip_digits(struct scan *s)
{
	size_t from = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at - from;
}

static int scan_number(struct scan *s)
{
	size_t from = s->at;
	double value;

	if (peek(s) == '-')
		s->at++;
	if (peek(s) == '0')
		s->at++;
	else if (!skip_digits(s))
		return scan_fail(s, "expected a value");
	if (peek(s) == '.') {
		s->at++;
		if (!skip_digits(s))
			return scan_fail(s, "digits missing after the decimal point");
	}
	if (peek(s) == 'e' || peek(s) == 'E') {
		s->at++;
		if (peek(s) == '+' || peek(s) == '-')
			s->at++;
		if (!skip_digits(s))
			return scan_fail(s, "digits missing in an exponent");
	}
	value = fabs(strtod(s->text + from, NULL));
	if (!(value <= (double)RSIP_JSON_INT_MAX) || s->at - from > 32)
		return scan_fail(s, "number out of range (at most 2^53)");
	return 0;
}

static int scan_array(struct scan *s, int depth)
{
	s->at++;
	skip_space(s);
	if (peek(s) == ']') {
		s->at++;
		return 0;
	}
	for (;;) {
		if (scan_value(s, depth + 1))
			return -EINVAL;
		skip_space(s);
		if (peek(s) == ']')
			break;
		if (peek(s) != ',')
			return scan_fail(s, "expected , or ] after a value of an array");
		s->at++;
	}
	s->at++;
	return 0;
}

static int scan_object(struct scan *s, int depth)
{
	s->at++;
	skip_space(s);
	if (peek(s) == '}') {
		s->at++;
		return 0;
	}
	for (;;) {
		skip_space(s);
		if (scan_string(s))
			return -EINVAL;
		skip_space(s);
		if (peek(s) != ':')
			return scan_fail(s, "expected : after a key");
		s->at++;
		if (scan_value(s, depth + 1))
			return -EINVAL;
		skip_space(s);
		if (peek(s) == '}')
			break;
		if (peek(s) != ',')
			return scan_fail(s, "expected , or } after a value of an object");
		s->at++;
	}
	s->at++;
	return 0;
}

static int scan_word(struct scan *s)
{
	static const char *const word[] = {"true", "false", "null"};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(word); i++) {
		size_t len = strlen(word[i]);

		if (!strncmp(s->text + s->at, word[i], len)) {
			s->at += len;
			return 0;
		}
	}
	return scan_number(s);
}

static int scan_value(struct scan *s, int depth)
{
	skip_space(s);
	if (depth > RSIP_JSON_DEPTH)
		return scan_fail(s, "nested deeper than %d levels", RSIP_JSON_DEPTH);
	if (note_line(s))
		return -EINVAL;
	switch (peek(s)) {
	case '{':
		return scan_object(s, depth);
	case '[':
		return scan_array(s, depth);
	case '"':
		return scan_string(s);
	case '\0':
		return scan_fail(s, "the text ends where a value is expected");
	default:
		return scan_word(s);
	}
}

/* Comments become blanks of the same length; lines stay where they are. */
static int blank_comments(struct scan *s)
{
	bool in_string = false;
	int line = 1;

	for (char *c = s->text; *c; c++) {
		if (*c == '\n')
			line++;
		if (in_string) {
			if (*c == '\\' && c[1])
				c++;
			else if (*c == '"' || *c == '\n')
				in_string = false;
		} else if (*c == '"') {
			in_string = true;
		} else if (c[0] == '/' && c[1] == '/') {
			while (*c && *c != '\n')
				*c++ = ' ';
			c--;
		} else if (c[0] == '/' && c[1] == '*') {
			char *end = strstr(c + 2, "*/");

			s->line = line;
			if (!end)
				return scan_fail(s, "a comment is not closed");
			for (; c < end + 2; c++) {
				if (*c == '\n')
					line++;
				else
					*c = ' ';
			}
			c--;
		}
	}
	s->line = 1;
	return 0;
}

static int by_key(const void *a, const void *b)
{
	return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static int check_keys(const cJSON *obj, struct rsip_json_error *err)
{
	int cnt = cJSON_GetArraySize(obj), i = 0, rc = 0;
	const cJSON **key, *item;

	if (cnt < 2)
		return 0;
	key = calloc((size_t)cnt, sizeof(*key));
	if (!key)
		return -ENOMEM;
	cJSON_ArrayForEach (item, obj)
		key[i++] = item;
	qsort(key, (size_t)cnt, sizeof(*key), by_key);
	for (i = 1; i < cnt && !rc; i++) {
		if (!strcmp(key[i - 1]->string, key[i]->string)) {
			char buf[64];
			int a = rsip_json_line(key[i - 1]), b = rsip_json_line(key[i]);

			err->line = a > b ? a : b;
			snprintf(err->text, sizeof(err->text), "key \"%s\" is given twice",
				 rsip_json_printable(key[i]->string, buf, sizeof(buf)));
			rc = -EEXIST;
		}
	}
	free(key);
	return rc;
}

/* Puts the lines into the tree, then looks for keys given twice: depth is bounded by the scan. */
static void set_lines(cJSON *item, const int **line)
{
	cJSON *child;

	item->valueint = *(*line)++;
	cJSON_ArrayForEach (child, item)
		set_lines(child, line);
}

static int check_tree(const cJSON *item, struct rsip_json_error *err)
{
	const cJSON *child;
	int rc = cJSON_IsObject(item) ? check_keys(item, err) : 0;

	cJSON_ArrayForEach (child, item) {
		if (rc)
			break;
		rc = check_tree(child, err);
	}
	return rc;
}

cJSON *rsip_json_parse(const char *text, size_t len, unsigned int flags,
		       struct rsip_json_error *err)
{
	struct scan s = {.line = 1, .err = err};
	const int *line;
	cJSON *tree = NULL;

	memset(err, 0, sizeof(*err));
	s.text = malloc(len + 1);
	if (!s.text) {
		scan_fail(&s, "out of memory");
		return NULL;
	}
	memcpy(s.text, text, len);
	s.text[len] = '\0';
	if (strlen(s.text) != len) {
		scan_fail(&s, "the text holds a zero byte");
		goto out;
	}
	if ((flags & RSIP_JSON_COMMENTS) && blank_comments(&s))
		goto out;
	if (scan_value(&s, 1))
		goto out;
	skip_space(&s);
	if (s.at != len) {
		scan_fail(&s, "text after the end of the value");
		goto out;
	}
	tree = cJSON_ParseWithLength(s.text, len + 1);
	if (!tree) {
		scan_fail(&s, "cannot be parsed (a string is no valid UTF-16, or out of memory)");
		goto out;
	}
	line = s.lines;
	set_lines(tree, &line);
	if (check_tree(tree, err)) {
		cJSON_Delete(tree);
		tree = NULL;
	}
out:
	free(s.lines);
	free(s.text);
	return tree;
}

int rsip_json_line(const cJSON *item)
{
	return item ? item->valueint : 0;
}

bool rsip_json_integer(const cJSON *item, uint64_t *out)
{
	if (!cJSON_IsNumber(item) || item->valuedouble < 0 ||
	    item->valuedouble > (double)RSIP_JSON_INT_MAX ||
	    item->valuedouble != floor(item->valuedouble))
		return false;
	*out = (uint64_t)item->valuedouble;
	return true;
}

int rsip_json_read_file(const char *path, size_t max, char **text, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *buf;
	size_t got;
	int err = 0;

	if (!f)
		return -errno;
	buf = malloc(max + 2);
	if (!buf) {
		fclose(f);
		return -ENOMEM;
	}
	got = fread(buf, 1, max + 1, f);
	if (ferror(f))
		err = errno ? -errno : -EIO;
	else if (got > max)
		err = -EFBIG;
	fclose(f);
	if (err) {
		free(buf);
		return err;
	}
	buf[got] = '\0';
	*text = buf;
	*len = got;
	return 0;
}

long rsip_json_span(struct rsip_json_span *span, const char *data, size_t len)
{
	for (; span->at < len; span->at++) {
		char c = data[span->at];

		if (span->depth == 0) {
			if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
				continue;
			if (c != '{')
				return -EINVAL;
			span->depth = 1;
		} else if (span->in_string) {
			if (span->escaped)
				span->escaped = false;
			else if (c == '\\')
				span->escaped = true;
			else if (c == '"')
				span->in_string = false;
		} else if (c == '"') {
			span->in_string = true;
		} else if (c == '{' || c == '[') {
			span->depth++;
		} else if ((c == '}' || c == ']') && --span->depth == 0) {
			long end = (long)span->at + 1;

			memset(span, 0, sizeof(*span));
			return end;
		}
	}
	return 0;
}

void rsip_json_add_u64(cJSON *obj, const char *name, uint64_t value)
{
	cJSON_AddNumberToObject(obj, name, (double)value);
}

void rsip_json_add_ip4(cJSON *obj, const char *name, __be32 addr)
{
	cJSON_AddStringToObject(obj, name, rsip_ip4(addr));
}

void rsip_json_add_mac(cJSON *obj, const char *name, const uint8_t mac[6])
{
	char text[18];

	snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		 mac[3], mac[4], mac[5]);
	cJSON_AddStringToObject(obj, name, text);
}

uint64_t rsip_json_get_u64(const cJSON *obj, const char *name, uint64_t fallback)
{
	uint64_t value;

	return rsip_json_integer(cJSON_GetObjectItemCaseSensitive(obj, name), &value) ? value
										      : fallback;
}

const char *rsip_json_get_string(const cJSON *obj, const char *name, const char *fallback)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(obj, name));

	return text ? text : fallback;
}

const char *rsip_json_printable(const char *text, char *buf, size_t size)
{
	size_t i;

	for (i = 0; text[i] && i + 1 < size; i++)
		buf[i] = text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\'
				 ? text[i]
				 : '?';
	buf[i] = '\0';
	return buf;
}
