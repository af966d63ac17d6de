// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `auth` of the configuration: the hosts' keys (keys.h).  A secret is written there, or in a file of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "config_read.h"
#include "hosts6.h"
#include "json.h"
#include "util.h"

#define AT(member) offsetof(struct rsip_conf_key, member)

static const char *const modes[] = { "off", "optional", "required" };

static void read_mode(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	for (unsigned int i = 0; text && i < RSIP_ARRAY_LEN(modes); i++) {
		if (!strcmp(text, modes[i])) {
			*(enum rsip_auth_mode *)out = (enum rsip_auth_mode)i;
			return;
		}
	}
	rsip_conf_read_wrong(r, item, "must be \"off\", \"optional\" or \"required\"");
}

/* What is wrong is never quoted: it may be a secret with a slip. */
static void read_secret(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (!text || !rsip_auth_secret_parse(text, out))
		rsip_conf_read_wrong(r, item, "must be %d to %d bytes in hexadecimal digits", RSIP_AUTH_SECRET_MIN,
				     RSIP_AUTH_SECRET_MAX);
}

static void read_hosts(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_key_conf *k = out;
	const cJSON *entry;
	int i = 0;

	(void)key;
	if (!cJSON_IsArray(item) || !cJSON_GetArraySize(item) || cJSON_GetArraySize(item) > RSIP_KEY_NETS_MAX) {
		rsip_conf_read_wrong(r, item, "must be a list of 1 to %d addresses or networks in [ ]",
				     RSIP_KEY_NETS_MAX);
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		const char *text = cJSON_GetStringValue(entry);
		struct rsip_net *net = &k->net[k->net_cnt];
		size_t at = rsip_conf_read_enter_index(r, i++);

		if (!text || rsip_net_parse(text, net))
			rsip_conf_read_wrong(r, entry, "must be ADDRESS, or ADDRESS/LENGTH with zero host bits");
		else
			k->net_cnt++;
		rsip_conf_read_leave(r, at);
	}
}

static void read_file_name(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	if (text && *text && *text != '/')
		rsip_conf_read_wrong(r, item, "must be an absolute path");
	else
		rsip_conf_read_text(r, item, key, out);
}

static const struct rsip_conf_read_key key_keys[] = {
	{ "id", rsip_conf_read_u32, AT(k.key.id), 1, UINT32_MAX },
	{ "secret", read_secret, AT(k.key), 0, 0 },
	{ "file", read_file_name, AT(file), 0, sizeof(((struct rsip_conf_key *)0)->file) - 1 },
	{ "hosts", read_hosts, AT(k), 0, 0 },
	{ NULL, NULL, 0, 0, 0 },
};

static void read_key(struct rsip_conf_read *r, const cJSON *item, struct rsip_conf_key *k)
{
	rsip_conf_read_object(r, item, key_keys, k);
	k->line = rsip_json_line(item);
	if (!cJSON_IsObject(item))
		return;
	if (!cJSON_HasObjectItem(item, "id"))
		rsip_conf_read_wrong(r, item, "id is missing");
	if (!cJSON_HasObjectItem(item, "hosts"))
		rsip_conf_read_wrong(r, item, "hosts is missing: the addresses that the key belongs to");
	if (cJSON_HasObjectItem(item, "secret") == cJSON_HasObjectItem(item, "file"))
		rsip_conf_read_wrong(r, item, "needs either secret or file");
}

static int by_id(const void *a, const void *b)
{
	const struct rsip_conf_key *const *x = a, *const *y = b;

	return (*x)->k.key.id < (*y)->k.key.id ? -1 : (*x)->k.key.id > (*y)->k.key.id;
}

static void check_ids(struct rsip_conf_read *r, const struct rsip_conf_key *key, uint32_t cnt)
{
	const struct rsip_conf_key **sorted = calloc(cnt + 1, sizeof(const struct rsip_conf_key *));

	for (uint32_t i = 0; sorted && i < cnt; i++)
		sorted[i] = &key[i];
	if (sorted)
		qsort(sorted, cnt, sizeof(*sorted), by_id);
	for (uint32_t i = 1; sorted && i < cnt; i++)
		if (sorted[i]->k.key.id && sorted[i]->k.key.id == sorted[i - 1]->k.key.id)
			rsip_conf_find(r->report, false, sorted[i]->line, r->path, "two keys have the id %u",
				       sorted[i]->k.key.id);
	free(sorted);
}

static void read_keys(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_conf *conf = out;
	int cnt = cJSON_IsArray(item) ? cJSON_GetArraySize(item) : -1, i = 0;
	const cJSON *entry;

	(void)key;
	if (cnt < 0 || cnt > RSIP_KEYS_MAX) {
		rsip_conf_read_wrong(r, item, "must be a list of at most %d keys in [ ]", RSIP_KEYS_MAX);
		return;
	}
	conf->auth.key = cnt ? calloc((size_t)cnt, sizeof(*conf->auth.key)) : NULL;
	if (cnt && !conf->auth.key) {
		rsip_conf_read_wrong(r, item, "there is not enough memory");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);

		read_key(r, entry, &conf->auth.key[conf->auth.cnt++]);
		rsip_conf_read_leave(r, at);
	}
	check_ids(r, conf->auth.key, conf->auth.cnt);
}

static const struct rsip_conf_read_key auth_keys[] = {
	{ "mode", read_mode, offsetof(struct rsip_conf, auth.mode), 0, 0 },
	{ "keys", read_keys, 0, 0, 0 },
	{ NULL, NULL, 0, 0, 0 },
};

void rsip_conf_read_auth(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_conf *conf = out;

	(void)key;
	rsip_conf_read_object(r, item, auth_keys, conf);
	if (conf->auth.mode == RSIP_AUTH_REQUIRED && !conf->auth.cnt)
		rsip_conf_read_wrong(r, item, "mode is \"required\", but there is no key: nobody could register");
}

/* ---- key files ------------------------------------------------------------------------------------------------- */

void rsip_conf_load_keys(struct rsip_conf *conf, uid_t user, struct rsip_conf_report *report)
{
	for (uint32_t i = 0; i < conf->auth.cnt; i++) {
		struct rsip_conf_key *k = &conf->auth.key[i];
		const char *fault = k->file[0] ? rsip_auth_secret_load(k->file, user, &k->k.key) : NULL;
		char path[64];

		if (!fault)
			continue;
		snprintf(path, sizeof(path), "auth.keys[%u].file", i);
		rsip_conf_find(report, false, k->line, path, "%s: %s", k->file, fault);
	}
}

void rsip_conf_check_secrecy(const struct rsip_conf *conf, int fd, struct rsip_conf_report *report)
{
	struct stat st;

	if (fstat(fd, &st) || !(st.st_mode & (S_IRWXO | S_IWGRP)))
		return;
	for (uint32_t i = 0; i < conf->auth.cnt; i++) {
		if (conf->auth.key[i].file[0])
			continue;
		rsip_conf_find(report, true, conf->auth.key[i].line, "auth.keys",
			       "has secrets, but others may read or change this file: chmod 0640");
		return;
	}
}

/* ---- and back -------------------------------------------------------------------------------------------------- */

static cJSON *show_key(const struct rsip_conf_key *k)
{
	cJSON *obj = cJSON_CreateObject(), *list;

	rsip_json_add_u64(obj, "id", k->k.key.id);
	if (k->file[0])
		cJSON_AddStringToObject(obj, "file", k->file);
	else
		cJSON_AddStringToObject(obj, "secret", "masked");
	list = cJSON_AddArrayToObject(obj, "hosts");
	for (uint32_t i = 0; i < k->k.net_cnt; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(rsip_net_text(&k->k.net[i])));
	return obj;
}

void rsip_conf_show_auth(const struct rsip_conf *conf, cJSON *out)
{
	cJSON *obj = cJSON_AddObjectToObject(out, "auth"), *list;

	cJSON_AddStringToObject(obj, "mode", modes[conf->auth.mode]);
	list = cJSON_AddArrayToObject(obj, "keys");
	for (uint32_t i = 0; i < conf->auth.cnt; i++)
		cJSON_AddItemToArray(list, show_key(&conf->auth.key[i]));
}
