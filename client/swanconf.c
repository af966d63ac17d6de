// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "json.h"
#include "swanconf.h"

#define FILE_MAX_BYTES (1 << 20)
#define INCLUDE_DEPTH 8
#define REFERENCE_DEPTH 8
#define SECTION_DEPTH 32
#define NAME_LEN 512

/* One key with its value, or (value NULL) a section, or (refers) what a section refers to. */
struct entry {
	char *path;
	char *value;
	bool refers;
};

struct rsip_swan {
	struct entry *entry;
	size_t cnt, room;
};

struct parser {
	struct rsip_swan *conf;
	const char *file, *pos;
	int line, depth;
	int nested; /* sections open */
	char *why;
	size_t why_size;
};

static int read_file(struct rsip_swan *conf, const char *path, const char *section, int depth,
		     char *why, size_t size);

static int fail(struct parser *p, const char *text)
{
	snprintf(p->why, p->why_size, "%s:%d: %s", p->file, p->line, text);
	return -EINVAL;
}

static int add(struct rsip_swan *conf, const char *path, const char *value, bool refers)
{
	struct entry *more;

	if (conf->cnt == conf->room) {
		conf->room = conf->room ? conf->room * 2 : 64;
		more = realloc(conf->entry, conf->room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		conf->entry = more;
	}
	more = &conf->entry[conf->cnt];
	more->path = strdup(path);
	more->value = value ? strdup(value) : NULL;
	more->refers = refers;
	if (!more->path || (value && !more->value)) {
		free(more->path);
		free(more->value);
		return -ENOMEM;
	}
	conf->cnt++;
	return 0;
}

static void skip(struct parser *p)
{
	for (;; p->pos++) {
		if (*p->pos == '#')
			while (p->pos[1] && p->pos[1] != '\n')
				p->pos++;
		else if (*p->pos == '\n')
			p->line++;
		else if (!isspace((unsigned char)*p->pos))
			return;
	}
}

/* Reads up to one of the letters in end, without the blanks around it. */
static int take_until(struct parser *p, const char *end, char *out, size_t size)
{
	size_t len = strcspn(p->pos, end);

	while (len && isspace((unsigned char)p->pos[len - 1]))
		len--;
	if (len >= size)
		return fail(p, "too long");
	memcpy(out, p->pos, len);
	out[len] = '\0';
	p->pos += len;
	while (*p->pos == ' ' || *p->pos == '\t')
		p->pos++;
	return 0;
}

static int include(struct parser *p, const char *section)
{
	char pattern[PATH_MAX], dir[PATH_MAX], full[2 * PATH_MAX];
	glob_t found;
	int err = take_until(p, "#\n", pattern, sizeof(pattern));

	if (err)
		return err;
	if (p->depth >= INCLUDE_DEPTH)
		return fail(p, "files include each other too deeply");
	snprintf(dir, sizeof(dir), "%s", p->file);
	if (*pattern == '/')
		snprintf(full, sizeof(full), "%s", pattern);
	else
		snprintf(full, sizeof(full), "%s/%s", dirname(dir), pattern);
	if (glob(full, 0, NULL, &found))
		return 0; /* as strongSwan: nothing there is no error */
	for (size_t i = 0; i < found.gl_pathc && !err; i++)
		err = read_file(p->conf, found.gl_pathv[i], section, p->depth + 1, p->why,
				p->why_size);
	globfree(&found);
	return err;
}

static int take_value(struct parser *p, const char *path)
{
	char value[4096];
	int err;

	while (*p->pos == ' ' || *p->pos == '\t')
		p->pos++;
	if (*p->pos == '"') {
		p->pos++;
		err = take_until(p, "\"", value, sizeof(value));
		if (!err && *p->pos != '"')
			err = fail(p, "a quote is not closed");
		if (!err)
			p->pos++;
	} else {
		err = take_until(p, "#}\n", value, sizeof(value));
	}
	return err ? err : add(p->conf, path, value, false);
}

static int take_references(struct parser *p, const char *path)
{
	char names[1024], target[NAME_LEN], *name, *rest = names;
	int err = take_until(p, "{\n", names, sizeof(names));

	while (!err && (name = strsep(&rest, ", \t"))) {
		snprintf(target, sizeof(target), "%s", name);
		for (char *c = target; *c; c++)
			*c = *c == '.' ? '/' : *c;
		if (*target)
			err = add(p->conf, path, target, true);
	}
	skip(p);
	return err;
}

static int parse(struct parser *p, const char *section, bool nested);

static int take_item(struct parser *p, const char *section)
{
	char name[128], path[NAME_LEN];
	int err = take_until(p, " \t\n=:{}#", name, sizeof(name));

	if (err)
		return err;
	if (!*name)
		return fail(p, "a name is missing");
	if (!strcmp(name, "include") && !strchr("=:{", *p->pos))
		return include(p, section);
	snprintf(path, sizeof(path), "%s%s%s", section, *section ? "/" : "", name);
	skip(p);
	if (*p->pos == '=') {
		p->pos++;
		return take_value(p, path);
	}
	if (*p->pos == ':') {
		p->pos++;
		err = take_references(p, path);
	}
	if (!err && *p->pos != '{')
		err = fail(p, "'=' or '{' is missing");
	if (!err)
		err = add(p->conf, path, NULL, false);
	if (err)
		return err;
	p->pos++;
	if (p->nested == SECTION_DEPTH)
		return fail(p, "sections are nested too deeply");
	p->nested++;
	err = parse(p, path, true);
	p->nested--;
	return err;
}

static int parse(struct parser *p, const char *section, bool nested)
{
	int err = 0;

	for (skip(p); !err && *p->pos && *p->pos != '}'; skip(p))
		err = take_item(p, section);
	if (err)
		return err;
	if (nested && *p->pos != '}')
		return fail(p, "'}' is missing at the end");
	if (!nested && *p->pos)
		return fail(p, "a '}' too many");
	p->pos += nested;
	return 0;
}

static int read_file(struct rsip_swan *conf, const char *path, const char *section, int depth,
		     char *why, size_t size)
{
	struct parser p = {.conf = conf, .file = path, .line = 1, .depth = depth, .why = why, .why_size = size};
	size_t len;
	char *text;
	int err = rsip_json_read_file(path, FILE_MAX_BYTES, &text, &len);

	if (err) {
		snprintf(why, size, "%s: %s", path, strerror(-err));
		return err;
	}
	p.pos = text;
	err = parse(&p, section, false);
	free(text);
	return err;
}

int rsip_swan_read(const char *path, struct rsip_swan **out, char *why, size_t size)
{
	struct rsip_swan *conf = calloc(1, sizeof(*conf));
	int err = conf ? read_file(conf, path, "", 0, why, size) : -ENOMEM;

	if (err)
		rsip_swan_free(conf);
	else
		*out = conf;
	return err;
}

void rsip_swan_free(struct rsip_swan *conf)
{
	if (!conf)
		return;
	for (size_t i = 0; i < conf->cnt; i++) {
		free(conf->entry[i].path);
		free(conf->entry[i].value);
	}
	free(conf->entry);
	free(conf);
}

/* ---- looking up ---- */

static const char *own_value(const struct rsip_swan *conf, const char *path)
{
	for (size_t i = conf->cnt; i-- > 0;) /* the last one counts */
		if (conf->entry[i].value && !conf->entry[i].refers &&
		    !strcmp(conf->entry[i].path, path))
			return conf->entry[i].value;
	return NULL;
}

/* If the section, or one around it, refers to another, that one has what this one lacks. */
static const char *find(const struct rsip_swan *conf, const char *path, int depth)
{
	const char *value = own_value(conf, path);
	char other[NAME_LEN];

	for (size_t i = 0; !value && depth < REFERENCE_DEPTH && i < conf->cnt; i++) {
		const struct entry *e = &conf->entry[i];
		size_t len = strlen(e->path);

		if (!e->refers || strncmp(path, e->path, len) || path[len] != '/')
			continue;
		snprintf(other, sizeof(other), "%s%s", e->value, path + len);
		value = find(conf, other, depth + 1);
	}
	return value;
}

const char *rsip_swan_get(const struct rsip_swan *conf, const char *section, const char *key)
{
	char path[NAME_LEN];

	snprintf(path, sizeof(path), "%s/%s", section, key);
	return find(conf, path, 0);
}

/* Is this entry the first that shows a section right below? */
static bool is_new_child(const struct rsip_swan *conf, size_t at, size_t skip_len)
{
	const char *name = conf->entry[at].path + skip_len;

	if (conf->entry[at].value || strchr(name, '/'))
		return false;
	for (size_t i = 0; i < at; i++)
		if (!conf->entry[i].value && !strcmp(conf->entry[i].path, conf->entry[at].path))
			return false;
	return true;
}

static void each(const struct rsip_swan *conf, const char *section, int depth,
		 void (*take)(void *ctx, const char *name), void *ctx)
{
	size_t len = strlen(section);
	char other[NAME_LEN];

	for (size_t i = 0; i < conf->cnt; i++) {
		const struct entry *e = &conf->entry[i];

		if (!strncmp(e->path, section, len) && e->path[len] == '/' &&
		    is_new_child(conf, i, len + 1))
			take(ctx, e->path + len + 1);
		/* sections of what it refers to are its own, too */
		if (e->refers && depth < REFERENCE_DEPTH &&
		    !strncmp(section, e->path, strlen(e->path)) &&
		    (section[strlen(e->path)] == '/' || !section[strlen(e->path)])) {
			snprintf(other, sizeof(other), "%s%s", e->value, section + strlen(e->path));
			each(conf, other, depth + 1, take, ctx);
		}
	}
}

void rsip_swan_each(const struct rsip_swan *conf, const char *section,
		    void (*take)(void *ctx, const char *name), void *ctx)
{
	each(conf, section, 0, take, ctx);
}
