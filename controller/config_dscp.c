// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `dscp` of the configuration and of its policies: what becomes of the DSCP at the tunnel's ends (RFC 3102 5.3.1). */
#include <stdio.h>
#include <string.h>

#include "config_read.h"
#include "json.h"
#include "util.h"

/* The names of RFC 2474 (CS), 2597 (AF), 3246 (EF), 5865 (VA), 8622 (LE). */
static const struct {
	const char *name;
	uint8_t dscp;
} names[] = {
	{ "CS0", 0 },	{ "LE", 1 },	{ "CS1", 8 },	{ "AF11", 10 }, { "AF12", 12 }, { "AF13", 14 }, { "CS2", 16 }, { "AF21", 18 },
	{ "AF22", 20 }, { "AF23", 22 }, { "CS3", 24 },	{ "AF31", 26 }, { "AF32", 28 }, { "AF33", 30 }, { "CS4", 32 }, { "AF41", 34 },
	{ "AF42", 36 }, { "AF43", 38 }, { "CS5", 40 },	{ "VA", 44 },	{ "EF", 46 },	{ "CS6", 48 },	{ "CS7", 56 },
};

/* A number 0 - 63 or a name; -1: neither. */
static int value_of(const cJSON *item)
{
	const char *text = cJSON_GetStringValue(item);
	uint64_t value;

	if (rsip_json_integer(item, &value) && value <= RSIP_DSCP_MASK)
		return (int)value;
	for (size_t i = 0; text && i < RSIP_ARRAY_LEN(names); i++)
		if (!strcmp(text, names[i].name))
			return names[i].dscp;
	return -1;
}

/* A setting is a word, or a value: bits, with the value at shift. */
static void read_setting(struct rsip_conf_read *r, const cJSON *item, uint32_t *flags, const char *word, uint32_t bits, int shift)
{
	const char *text = cJSON_GetStringValue(item);
	int value = value_of(item);

	if (text && !strcmp(text, word))
		return;
	if (value < 0)
		rsip_conf_read_wrong(r, item, "must be \"%s\", a DSCP from 0 to 63, or its name (\"EF\", \"AF41\", \"CS1\", \"LE\")", word);
	else
		*flags |= bits | (uint32_t)value << shift;
}

static void read_tunnel(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	read_setting(r, item, out, "copy", RSIP_DSCP_TUNNEL_SET, RSIP_DSCP_TUNNEL_SHIFT);
}

static void read_inbound(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	read_setting(r, item, out, "keep", RSIP_DSCP_IN_SET, RSIP_DSCP_IN_SHIFT);
}

static void read_outbound(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (text && !strcmp(text, "tunnel"))
		*(uint32_t *)out |= RSIP_DSCP_OUT_TUNNEL;
	else
		read_setting(r, item, out, "keep", RSIP_DSCP_OUT_SET, RSIP_DSCP_OUT_SHIFT);
}

static const struct rsip_conf_read_key dscp_keys[] = {
	{ "tunnel", read_tunnel, 0, 0, 0 },
	{ "inbound", read_inbound, 0, 0, 0 },
	{ "outbound", read_outbound, 0, 0, 0 },
	{ NULL, NULL, 0, 0, 0 },
};

void rsip_conf_read_dscp(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	rsip_conf_read_object(r, item, dscp_keys, out);
}

void rsip_conf_read_host_dscp(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	int value = value_of(item);

	(void)key;
	if (value < 0)
		rsip_conf_read_wrong(r, item, "must be a DSCP from 0 to 63, or its name (\"EF\", \"AF41\", \"CS1\", \"LE\")");
	else
		*(uint8_t *)out = (uint8_t)(RSIP_BIND_DSCP_SET | (uint32_t)value);
}

/* ---- and back ------------------------------------------------------------------------------------------------------------ */

static void show_value(cJSON *obj, const char *name, uint32_t value)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(names); i++)
		if (names[i].dscp == value) {
			cJSON_AddStringToObject(obj, name, names[i].name);
			return;
		}
	rsip_json_add_u64(obj, name, value);
}

static void show_setting(cJSON *obj, const char *name, uint32_t flags, const char *word, uint32_t bit, int shift)
{
	if (flags & bit)
		show_value(obj, name, flags >> shift & RSIP_DSCP_MASK);
	else
		cJSON_AddStringToObject(obj, name, word);
}

void rsip_conf_show_host_dscp(uint8_t dscp, cJSON *obj)
{
	if (dscp & RSIP_BIND_DSCP_SET)
		show_value(obj, "dscp", dscp & RSIP_DSCP_MASK);
}

void rsip_conf_show_dscp(uint32_t flags, cJSON *out)
{
	cJSON *obj = cJSON_AddObjectToObject(out, "dscp");

	show_setting(obj, "tunnel", flags, "copy", RSIP_DSCP_TUNNEL_SET, RSIP_DSCP_TUNNEL_SHIFT);
	show_setting(obj, "inbound", flags, "keep", RSIP_DSCP_IN_SET, RSIP_DSCP_IN_SHIFT);
	show_setting(obj, "outbound", flags, flags & RSIP_DSCP_OUT_TUNNEL ? "tunnel" : "keep", RSIP_DSCP_OUT_SET,
		     RSIP_DSCP_OUT_SHIFT);
}
