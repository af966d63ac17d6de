// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "config_read.h"
#include "hosts6.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "util.h"

size_t rsip_conf_read_enter(struct rsip_conf_read *r, const char *name)
{
	size_t len = strlen(r->path);

	snprintf(r->path + len, sizeof(r->path) - len, "%s%s", len ? "." : "", name);
	return len;
}

size_t rsip_conf_read_enter_index(struct rsip_conf_read *r, int index)
{
	size_t len = strlen(r->path);

	snprintf(r->path + len, sizeof(r->path) - len, "[%d]", index);
	return len;
}

void rsip_conf_read_leave(struct rsip_conf_read *r, size_t len)
{
	r->path[len] = '\0';
}

void rsip_conf_read_wrong(struct rsip_conf_read *r, const cJSON *item, const char *fmt, ...)
{
	char text[200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	rsip_conf_find(r->report, false, rsip_json_line(item), r->path, "%s", text);
}

static void unknown_key(struct rsip_conf_read *r, const cJSON *item,
			const struct rsip_conf_read_key *keys)
{
	char list[160] = "", buf[48];
	size_t len, at;

	for (const struct rsip_conf_read_key *k = keys; k->name; k++) {
		len = strlen(list);
		if (len + strlen(k->name) + 3 < sizeof(list))
			snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", k->name);
	}
	at = rsip_conf_read_enter(r, rsip_json_printable(item->string, buf, sizeof(buf)));
	rsip_conf_read_wrong(r, item, "unknown key; known here: %s", list);
	rsip_conf_read_leave(r, at);
}

void rsip_conf_read_object(struct rsip_conf_read *r, const cJSON *obj,
			   const struct rsip_conf_read_key *keys, void *out)
{
	const cJSON *item;

	if (!cJSON_IsObject(obj)) {
		rsip_conf_read_wrong(r, obj, "must be an object in { }");
		return;
	}
	cJSON_ArrayForEach (item, obj) {
		const struct rsip_conf_read_key *k = keys;
		size_t at;

		while (k->name && strcmp(k->name, item->string))
			k++;
		if (!k->name) {
			unknown_key(r, item, keys);
			continue;
		}
		at = rsip_conf_read_enter(r, k->name);
		k->read(r, item, k, (char *)out + k->offset);
		rsip_conf_read_leave(r, at);
	}
}

void rsip_conf_read_u32(struct rsip_conf_read *r, const cJSON *item,
			const struct rsip_conf_read_key *key, void *out)
{
	uint64_t value;

	if (!rsip_json_integer(item, &value))
		rsip_conf_read_wrong(r, item, "must be a whole number");
	else if (value < key->min || value > key->max)
		rsip_conf_read_wrong(r, item, "must be from %llu to %llu",
				     (unsigned long long)key->min, (unsigned long long)key->max);
	else
		*(uint32_t *)out = (uint32_t)value;
}

void rsip_conf_read_bool(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	if (!cJSON_IsBool(item))
		rsip_conf_read_wrong(r, item, "must be true or false");
	else
		*(bool *)out = cJSON_IsTrue(item);
}

void rsip_conf_read_text(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	if (!text)
		rsip_conf_read_wrong(r, item, "must be a string");
	else if (!*text)
		rsip_conf_read_wrong(r, item, "must not be empty");
	else if (strlen(text) > key->max)
		rsip_conf_read_wrong(r, item, "is longer than %llu bytes",
				     (unsigned long long)key->max);
	else
		memcpy(out, text, strlen(text) + 1);
}

static void read_net(struct rsip_conf_read *r, const cJSON *item, bool hosts, struct rsip_conf_nets *nets)
{
	const char *text = cJSON_GetStringValue(item);
	struct rsip_net net;
	char buf[48];

	if (!text) {
		rsip_conf_read_wrong(r, item, "must be a network such as \"10.0.0.0/8\"");
		return;
	}
	if (hosts ? rsip_net_parse(text, &net) : rsip_net4_parse(text, &net.addr, &net.mask)) {
		rsip_conf_read_wrong(
			r, item, "\"%s\" is no network: write ADDRESS/LENGTH with zero host bits",
			rsip_json_printable(text, buf, sizeof(buf)));
		return;
	}
	if (nets->cnt == RSIP_MAX_NETS) {
		rsip_conf_read_wrong(r, item, "more than %d networks", RSIP_MAX_NETS);
		return;
	}
	nets->net[nets->cnt++] = net;
}

static void read_nets(struct rsip_conf_read *r, const cJSON *item, bool hosts, struct rsip_conf_nets *nets)
{
	const cJSON *entry;
	int i = 0;

	nets->given = true;
	if (!cJSON_IsArray(item)) {
		rsip_conf_read_wrong(r, item, "must be a list of networks in [ ]");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);

		read_net(r, entry, hosts, nets);
		rsip_conf_read_leave(r, at);
	}
}

void rsip_conf_read_nets(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	read_nets(r, item, false, out);
}

void rsip_conf_read_client_nets(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	read_nets(r, item, true, out);
}

bool rsip_conf_read_span(const char *text, uint64_t min, uint64_t max, uint64_t *first,
			 uint64_t *last)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	*first = *last = strtoull(text, &end, 10);
	if (*end == '-') {
		if (end[1] < '0' || end[1] > '9')
			return false;
		*last = strtoull(end + 1, &end, 10);
	}
	return *end == '\0' && *first >= min && *last <= max && *first <= *last;
}
