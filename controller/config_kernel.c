// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * `pools[].kernel` and `pools[].nat`: what of the pool's addresses is the machine's own (RFC 3104 App. F).  Spans are
 * written "first-last" or one number, alone or in a list.
 */
#include <stdio.h>
#include <string.h>

#include "config_kernel.h"
#include "json.h"
#include "util.h"

struct kernel_text { /* while one pool is read */
	struct rsip_dp_addr_rules *rules;
	struct rsip_conf_nat *nat;
};

typedef bool (*add_fn)(struct rsip_dp_addr_rules *rules, uint64_t first, uint64_t last);

/* A span of 16 bits holds 65,535 numbers at most: all 65,536 take two. */
static bool add16(struct rsip_span16 *span, int max, uint64_t first, uint64_t last)
{
	for (int i = 0; i < max && first <= last; i++) {
		uint64_t cnt = last - first + 1;

		if (span[i].cnt)
			continue;
		cnt = cnt > UINT16_MAX ? UINT16_MAX : cnt;
		span[i] = (struct rsip_span16){ (uint16_t)first, (uint16_t)cnt };
		first += cnt;
	}
	return first > last;
}

static bool add_ports(struct rsip_dp_addr_rules *rules, uint64_t first, uint64_t last)
{
	return add16(rules->kernel_ports, RSIP_KERNEL_PORT_SPANS, first, last);
}

static bool add_ids(struct rsip_dp_addr_rules *rules, uint64_t first, uint64_t last)
{
	return add16(rules->kernel_ids, RSIP_KERNEL_ID_SPANS, first, last);
}

static bool add_spis(struct rsip_dp_addr_rules *rules, uint64_t first, uint64_t last)
{
	for (int i = 0; i < RSIP_KERNEL_SPI_SPANS; i++) {
		if (rules->kernel_spis[i].cnt)
			continue;
		rules->kernel_spis[i] = (struct rsip_span32){ (uint32_t)first, (uint32_t)(last - first + 1) };
		return true;
	}
	return false;
}

static void read_span(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key,
		      struct rsip_dp_addr_rules *rules, add_fn add)
{
	const char *text = cJSON_GetStringValue(item);
	uint64_t first, last;

	if (!text || !rsip_conf_read_span(text, key->min, key->max, &first, &last))
		rsip_conf_read_wrong(r, item, "must be a range such as \"%llu-%llu\", first not after last",
				     (unsigned long long)key->min, (unsigned long long)key->max);
	else if (!add(rules, first, last))
		rsip_conf_read_wrong(r, item, "is one range too many");
}

static void read_spans(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key,
		       struct rsip_dp_addr_rules *rules, add_fn add)
{
	const cJSON *entry;
	int i = 0;

	if (!cJSON_IsArray(item)) {
		read_span(r, item, key, rules, add);
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);

		read_span(r, entry, key, rules, add);
		rsip_conf_read_leave(r, at);
	}
}

static void read_ports(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	read_spans(r, item, key, ((struct kernel_text *)out)->rules, add_ports);
}

static void read_ids(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	read_spans(r, item, key, ((struct kernel_text *)out)->rules, add_ids);
}

static void read_spis(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	read_spans(r, item, key, ((struct kernel_text *)out)->rules, add_spis);
}

static void read_ike(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	rsip_conf_read_bool(r, item, key, &((struct kernel_text *)out)->rules->kernel_ike);
}

static const struct rsip_conf_read_key kernel_keys[] = {
	{ "ports", read_ports, 0, 1, 65535 },
	{ "icmp_ids", read_ids, 0, 0, 65535 },
	{ "spis", read_spis, 0, 256, UINT32_MAX },
	{ "ike", read_ike, 0, 0, 0 },
	{ NULL, NULL, 0, 0, 0 },
};

void rsip_conf_read_kernel(struct rsip_conf_read *r, const cJSON *item, struct rsip_dp_addr_rules *rules)
{
	struct kernel_text text = { .rules = rules };

	rsip_conf_read_object(r, item, kernel_keys, &text);
}

/* ---- nat -------------------------------------------------------------------------------------- */

/* The kernel maps ICMP identifiers into the same range as ports. */
static void read_nat_ports(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	struct kernel_text *text = out;
	const char *value = cJSON_GetStringValue(item);
	uint64_t first, last;

	if (!value || !rsip_conf_read_span(value, key->min, key->max, &first, &last)) {
		rsip_conf_read_wrong(r, item, "must be a range such as \"61000-65535\", first not after last");
		return;
	}
	text->nat->port_first = (uint16_t)first;
	text->nat->port_last = (uint16_t)last;
	if (!add_ports(text->rules, first, last) || !add_ids(text->rules, first, last))
		rsip_conf_read_wrong(r, item, "is one range too many beside those of kernel");
}

static void read_nat_nets(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	rsip_conf_read_nets(r, item, key, &((struct kernel_text *)out)->nat->nets);
}

static const struct rsip_conf_read_key nat_keys[] = {
	{ "ports", read_nat_ports, 0, 1, 65535 },
	{ "networks", read_nat_nets, 0, 0, 0 },
	{ NULL, NULL, 0, 0, 0 },
};

void rsip_conf_read_nat(struct rsip_conf_read *r, const cJSON *item, struct rsip_dp_addr_rules *rules,
			struct rsip_conf_nat *nat)
{
	struct kernel_text text = { .rules = rules, .nat = nat };

	rsip_conf_read_object(r, item, nat_keys, &text);
	if (cJSON_IsObject(item) && (!nat->port_last || !nat->nets.cnt))
		rsip_conf_read_wrong(r, item, "needs ports, and networks whose hosts have no RSIP");
}

static bool has_port(const struct rsip_dp_addr_rules *rules, uint32_t port)
{
	for (int i = 0; i < RSIP_KERNEL_PORT_SPANS; i++)
		if (port - rules->kernel_ports[i].first < rules->kernel_ports[i].cnt)
			return true;
	return false;
}

bool rsip_conf_kernel_has_ports(const struct rsip_dp_addr_rules *rules, uint32_t first, uint32_t last)
{
	for (uint32_t port = first; port <= last; port++)
		if (!has_port(rules, port))
			return false;
	return true;
}

/* ---- shown again ------------------------------------------------------------------------------ */

static void show_span(cJSON *list, uint64_t first, uint64_t cnt)
{
	char text[48];

	if (!cnt)
		return;
	snprintf(text, sizeof(text), "%llu-%llu", (unsigned long long)first, (unsigned long long)(first + cnt - 1));
	cJSON_AddItemToArray(list, cJSON_CreateString(text));
}

void rsip_conf_show_kernel(const struct rsip_dp_addr_rules *rules, cJSON *pool)
{
	cJSON *obj = cJSON_AddObjectToObject(pool, "kernel"), *list;

	list = cJSON_AddArrayToObject(obj, "ports");
	for (int i = 0; i < RSIP_KERNEL_PORT_SPANS; i++)
		show_span(list, rules->kernel_ports[i].first, rules->kernel_ports[i].cnt);
	list = cJSON_AddArrayToObject(obj, "icmp_ids");
	for (int i = 0; i < RSIP_KERNEL_ID_SPANS; i++)
		show_span(list, rules->kernel_ids[i].first, rules->kernel_ids[i].cnt);
	list = cJSON_AddArrayToObject(obj, "spis");
	for (int i = 0; i < RSIP_KERNEL_SPI_SPANS; i++)
		show_span(list, rules->kernel_spis[i].first, rules->kernel_spis[i].cnt);
	cJSON_AddBoolToObject(obj, "ike", rules->kernel_ike);
	cJSON_AddBoolToObject(pool, "ike_guess", rules->guess);
}
