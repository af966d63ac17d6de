// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `pools` of the configuration: each range of addresses becomes one struct rsip_pool_conf. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "config_kernel.h"
#include "config_read.h"
#include "json.h"
#include "util.h"

#define POOL_RANGES_MAX 64   /* ranges in one pool */
#define POOL_ADDRS_MAX 65536 /* addresses in one range */

struct pool_text { /* one entry of `pools` while it is read */
	struct rsip_pool_conf base;
	struct {
		uint32_t first, cnt; /* host order */
	} range[POOL_RANGES_MAX];
	uint32_t range_cnt;
	bool methods_given, addresses_given;
};

/* "a.b.c.d", "a.b.c.d/len" or "a.b.c.d-e.f.g.h"; ends in host order. */
static bool parse_range(const char *text, uint32_t *first, uint32_t *last)
{
	const char *dash = strchr(text, '-');
	__be32 addr, mask;
	char head[20];

	if (!dash) {
		if (rsip_net4_parse(text, &addr, &mask))
			return false;
		*first = ntohl(addr);
		*last = *first | ~ntohl(mask);
		return true;
	}
	if ((size_t)(dash - text) >= sizeof(head))
		return false;
	memcpy(head, text, (size_t)(dash - text));
	head[dash - text] = '\0';
	if (rsip_ip4_parse(head, &addr) || rsip_ip4_parse(dash + 1, &mask))
		return false;
	*first = ntohl(addr);
	*last = ntohl(mask);
	return *first <= *last;
}

static void read_range(struct rsip_conf_read *r, const cJSON *item, struct pool_text *pool)
{
	const char *text = cJSON_GetStringValue(item);
	uint32_t first, last;
	char buf[48];

	if (!text || !parse_range(text, &first, &last)) {
		rsip_conf_read_wrong(
			r, item,
			"%s%s must be ADDRESS, FIRST-LAST or ADDRESS/LENGTH (zero host bits)",
			text ? rsip_json_printable(text, buf, sizeof(buf)) : "", text ? ":" : "");
		return;
	}
	if (last - first >= POOL_ADDRS_MAX) {
		rsip_conf_read_wrong(r, item, "has more than %d addresses", POOL_ADDRS_MAX);
		return;
	}
	if (pool->range_cnt == POOL_RANGES_MAX) {
		rsip_conf_read_wrong(r, item, "more than %d ranges in one pool", POOL_RANGES_MAX);
		return;
	}
	pool->range[pool->range_cnt].first = first;
	pool->range[pool->range_cnt++].cnt = last - first + 1;
}

static void read_addresses(struct rsip_conf_read *r, const cJSON *item,
			   const struct rsip_conf_read_key *key, void *out)
{
	struct pool_text *pool = out;
	const cJSON *entry;
	int i = 0;

	(void)key;
	pool->addresses_given = true;
	if (!cJSON_IsArray(item)) {
		read_range(r, item, pool);
		return;
	}
	if (!cJSON_GetArraySize(item))
		rsip_conf_read_wrong(r, item, "names no address");
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);

		read_range(r, entry, pool);
		rsip_conf_read_leave(r, at);
	}
}

static void read_ports(struct rsip_conf_read *r, const cJSON *item,
		       const struct rsip_conf_read_key *key, void *out)
{
	struct pool_text *pool = out;
	const char *text = cJSON_GetStringValue(item);
	uint64_t first, last;

	(void)key;
	if (!text || !rsip_conf_read_span(text, 1, 65535, &first, &last)) {
		rsip_conf_read_wrong(r, item,
				     "must be a range such as \"1024-65535\", first not after "
				     "last, within 1-65535");
		return;
	}
	pool->base.port_first = (uint16_t)first;
	pool->base.port_last = (uint16_t)last;
}

static void read_spis(struct rsip_conf_read *r, const cJSON *item,
		      const struct rsip_conf_read_key *key, void *out)
{
	struct pool_text *pool = out;
	const char *text = cJSON_GetStringValue(item);
	uint64_t first, last;

	(void)key;
	/* RFC 4303 2.1: 0 to 255 are reserved. */
	if (!text || !rsip_conf_read_span(text, 256, UINT32_MAX, &first, &last)) {
		rsip_conf_read_wrong(r, item,
				     "must be a range within \"256-4294967295\", first not after "
				     "last (0-255 are reserved)");
		return;
	}
	pool->base.spi_min = (uint32_t)first;
	pool->base.spi_max = (uint32_t)last;
}

static void read_method(struct rsip_conf_read *r, const cJSON *item, struct pool_text *pool)
{
	const char *text = cJSON_GetStringValue(item);
	char buf[32];

	if (!text) {
		rsip_conf_read_wrong(r, item, "must be a string");
	} else if (!strcmp(text, "RSAP-IP")) {
		pool->base.methods |= RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP);
	} else if (!strcmp(text, "RSIPSEC")) {
		pool->base.methods |= RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC);
	} else if (!strcmp(text, "RSA-IP")) {
		pool->base.methods |= RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP);
	} else {
		rsip_conf_read_wrong(r, item, "unknown method \"%s\": RSAP-IP, RSIPSEC, RSA-IP",
				     rsip_json_printable(text, buf, sizeof(buf)));
	}
}

static void read_methods(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out)
{
	struct pool_text *pool = out;
	const cJSON *entry;
	int i = 0;

	(void)key;
	pool->methods_given = true;
	if (!cJSON_IsArray(item) || !cJSON_GetArraySize(item)) {
		rsip_conf_read_wrong(r, item, "must be a list of methods: RSAP-IP, RSIPSEC; or RSA-IP");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);

		read_method(r, entry, pool);
		rsip_conf_read_leave(r, at);
	}
	if (pool->base.methods & RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP) &&
	    pool->base.methods != RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP))
		rsip_conf_read_wrong(r, item, "RSA-IP leases addresses whole: it needs a pool of its own");
}

static void read_name(struct rsip_conf_read *r, const cJSON *item,
		      const struct rsip_conf_read_key *key, void *out)
{
	struct pool_text *pool = out;
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (!text || !*text || strlen(text) >= sizeof(pool->base.name) ||
	    strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") !=
		    strlen(text)) {
		rsip_conf_read_wrong(r, item, "must be 1 to %zu letters, digits, - _ .",
				     sizeof(pool->base.name) - 1);
		return;
	}
	strcpy(pool->base.name, text);
}

static void read_kernel(struct rsip_conf_read *r, const cJSON *item,
			const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	rsip_conf_read_kernel(r, item, &((struct pool_text *)out)->base.rules);
}

static void read_nat(struct rsip_conf_read *r, const cJSON *item,
		     const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_conf_nat nat = {0};

	(void)key;
	rsip_conf_read_nat(r, item, &((struct pool_text *)out)->base.rules, &nat);
}

static void read_guess(struct rsip_conf_read *r, const cJSON *item,
		       const struct rsip_conf_read_key *key, void *out)
{
	rsip_conf_read_bool(r, item, key, &((struct pool_text *)out)->base.rules.guess);
}

static const struct rsip_conf_read_key pool_keys[] = {
	{"name", read_name, 0, 0, 0},	{"addresses", read_addresses, 0, 0, 0},
	{"ports", read_ports, 0, 0, 0}, {"methods", read_methods, 0, 0, 0},
	{"spis", read_spis, 0, 0, 0},	{"kernel", read_kernel, 0, 0, 0},
	{"nat", read_nat, 0, 0, 0},	{"ike_guess", read_guess, 0, 0, 0},
	{NULL, NULL, 0, 0, 0},
};

static void read_pool(struct rsip_conf_read *r, const cJSON *item, int index,
		      struct rsip_conf *conf)
{
	struct pool_text pool = {
		.base = {.port_first = 1024,
			 .port_last = 65535,
			 .spi_min = 256,
			 .spi_max = UINT32_MAX,
			 .rules = {.guess = true}},
	};

	snprintf(pool.base.name, sizeof(pool.base.name), "pool%d", index);
	rsip_conf_read_object(r, item, pool_keys, &pool);
	if (!cJSON_IsObject(item))
		return;
	if (!pool.addresses_given)
		rsip_conf_read_wrong(r, item, "addresses is missing");
	if (cJSON_GetObjectItemCaseSensitive(item, "nat") && ++conf->nat_cnt == RSIP_CONF_NATS_MAX + 1)
		rsip_conf_read_wrong(r, item, "more than %d pools with nat", RSIP_CONF_NATS_MAX);
	if (!pool.methods_given)
		pool.base.methods =
			RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP) | RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC);
	for (uint32_t i = 0; i < pool.range_cnt; i++) {
		if (conf->pool_cnt == RSIP_CONF_POOLS_MAX) {
			rsip_conf_read_wrong(r, item, "more than %d ranges of addresses in all",
					     RSIP_CONF_POOLS_MAX);
			return;
		}
		pool.base.first = htonl(pool.range[i].first);
		pool.base.addr_cnt = pool.range[i].cnt;
		conf->pool[conf->pool_cnt++] = pool.base;
	}
}

/* out is the whole struct rsip_conf. */
void rsip_conf_read_pools(struct rsip_conf_read *r, const cJSON *item,
			  const struct rsip_conf_read_key *key, void *out)
{
	const cJSON *entry;
	int i = 0;

	(void)key;
	if (!cJSON_IsArray(item)) {
		rsip_conf_read_wrong(r, item, "must be a list of pools in [ ]");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i);

		read_pool(r, entry, i++, out);
		rsip_conf_read_leave(r, at);
	}
}
