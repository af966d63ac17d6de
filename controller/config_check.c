// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Contradictions: parts of a configuration that are right alone and wrong together. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "hosts6.h"
#include "json.h"
#include "util.h"

struct span { /* one range of pool addresses, host order */
	uint32_t first, last;
	const struct rsip_pool_conf *pool;
};

bool rsip_conf_in_nets(const struct rsip_conf_nets *nets, __be32 addr)
{
	for (uint32_t i = 0; i < nets->cnt; i++)
		if ((addr & nets->net[i].mask) == nets->net[i].addr)
			return true;
	return false;
}

static int line_of(const cJSON *root, const char *section, const char *key)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(root, section);
	const cJSON *sub = key ? cJSON_GetObjectItemCaseSensitive(item, key) : NULL;

	return rsip_json_line(sub ? sub : item ? item : root);
}

/* The entry of `pools` that gave this range its name. */
static int pool_place(const cJSON *root, const char *name, char *path, size_t size)
{
	const cJSON *entry;
	int i = 0;

	cJSON_ArrayForEach (entry, cJSON_GetObjectItemCaseSensitive(root, "pools")) {
		char standard[32];

		snprintf(standard, sizeof(standard), "pool%d", i);
		if (!strcmp(rsip_json_get_string(entry, "name", standard), name)) {
			const cJSON *addresses =
				cJSON_GetObjectItemCaseSensitive(entry, "addresses");

			snprintf(path, size, "pools[%d].addresses", i);
			return rsip_json_line(addresses ? addresses : entry);
		}
		i++;
	}
	snprintf(path, size, "pools");
	return 0;
}

static void find_in_pool(struct rsip_conf_report *report, const cJSON *root, bool warning,
			 const char *name, const char *text)
{
	char path[64];
	int line = pool_place(root, name, path, sizeof(path));

	rsip_conf_find(report, warning, line, path, "%s", text);
}

static int by_first(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

static void check_overlap(const struct span *span, uint32_t cnt, const cJSON *root,
			  struct rsip_conf_report *report)
{
	const struct span *reach = span; /* of those before, the one that ends last */

	for (uint32_t i = 1; i < cnt; i++) {
		char text[160];

		if (span[i].first <= reach->last) {
			snprintf(text, sizeof(text), "%s is already in pool \"%s\"",
				 rsip_ip4(htonl(span[i].first)), reach->pool->name);
			find_in_pool(report, root, false, span[i].pool->name, text);
		}
		if (span[i].last > reach->last)
			reach = &span[i];
	}
}

static bool overlaps_net(const struct span *span, const struct rsip_net *net)
{
	uint32_t first = ntohl(net->addr), last = first | ~ntohl(net->mask);

	if (rsip_net_is6(net))
		return false;
	return span->first <= last && span->last >= first;
}

static const struct {
	const char *net, *what;
	bool error; /* no packet can ever come from there */
} special[] = {
	{"0.0.0.0/8", "\"this network\"", true},
	{"127.0.0.0/8", "loopback", true},
	{"224.0.0.0/4", "multicast", true},
	{"240.0.0.0/4", "reserved", true},
	{"10.0.0.0/8", "private (RFC 1918)", false},
	{"172.16.0.0/12", "private (RFC 1918)", false},
	{"192.168.0.0/16", "private (RFC 1918)", false},
	{"100.64.0.0/10", "shared (RFC 6598)", false},
	{"169.254.0.0/16", "link-local", false},
	{"192.0.2.0/24", "for documentation", false},
	{"198.51.100.0/24", "for documentation", false},
	{"203.0.113.0/24", "for documentation", false},
	{"198.18.0.0/15", "for benchmarks", false},
};

static void check_special(const struct span *span, const cJSON *root,
			  struct rsip_conf_report *report)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(special); i++) {
		struct rsip_net net = {0, 0};
		char text[160];

		rsip_net4_parse(special[i].net, &net.addr, &net.mask);
		if (!overlaps_net(span, &net))
			continue;
		/* RFC 3102 4.2: pool addresses are to be globally routable; a lab or a cascade may
		 * know better. */
		snprintf(text, sizeof(text),
			 special[i].error ? "lies in %s, which is %s"
					  : "lies in %s, which is %s: not global",
			 special[i].net, special[i].what);
		find_in_pool(report, root, !special[i].error, span->pool->name, text);
	}
}

static void check_private(const struct rsip_conf *conf, const struct span *span, const cJSON *root,
			  struct rsip_conf_report *report)
{
	const struct rsip_conf_nets *const nets[] = {&conf->private_nets, &conf->client_nets};
	static const char *const name[] = {"private_networks", "clients.networks"};

	for (size_t k = 0; k < RSIP_ARRAY_LEN(nets); k++) {
		for (uint32_t i = 0; i < nets[k]->cnt; i++) {
			char text[160];

			if (!overlaps_net(span, &nets[k]->net[i]))
				continue;
			snprintf(text, sizeof(text),
				 "overlaps %s[%u]: an address cannot be public and private",
				 name[k], i);
			find_in_pool(report, root, false, span->pool->name, text);
		}
	}
	for (uint32_t i = 0; i < conf->private_cnt; i++) {
		uint32_t endpoint = ntohl(conf->private_if[i].endpoint);

		if (endpoint && endpoint >= span->first && endpoint <= span->last)
			find_in_pool(report, root, false, span->pool->name,
				     "holds a tunnel endpoint of ours");
	}
}

static void check_names(const cJSON *root, struct rsip_conf_report *report)
{
	const cJSON *pools = cJSON_GetObjectItemCaseSensitive(root, "pools"), *a, *b;
	int i = 0;

	cJSON_ArrayForEach (a, pools) {
		const char *name = rsip_json_get_string(a, "name", NULL);
		char path[64];

		snprintf(path, sizeof(path), "pools[%d].name", i++);
		for (b = pools->child; name && b != a; b = b->next) {
			if (strcmp(rsip_json_get_string(b, "name", ""), name))
				continue;
			rsip_conf_find(report, false,
				       rsip_json_line(cJSON_GetObjectItemCaseSensitive(a, "name")),
				       path, "two pools have this name");
			break;
		}
	}
}

static void check_pools(const struct rsip_conf *conf, const cJSON *root,
			struct rsip_conf_report *report)
{
	struct span span[RSIP_CONF_POOLS_MAX];
	uint64_t addrs = 0;

	if (!cJSON_HasObjectItem(root, "pools")) {
		rsip_conf_find(report, true, rsip_json_line(root), "pools",
			       "is missing: no host can lease anything");
		return;
	}
	for (uint32_t i = 0; i < conf->pool_cnt; i++) {
		span[i].pool = &conf->pool[i];
		span[i].first = ntohl(conf->pool[i].first);
		span[i].last = span[i].first + conf->pool[i].addr_cnt - 1;
		addrs += conf->pool[i].addr_cnt;
		check_special(&span[i], root, report);
		check_private(conf, &span[i], root, report);
	}
	if (addrs > conf->dataplane.max_addresses)
		rsip_conf_find(report, false, line_of(root, "pools", NULL), "pools",
			       "have %llu addresses, more than dataplane.max_addresses (%u)",
			       (unsigned long long)addrs, conf->dataplane.max_addresses);
	qsort(span, conf->pool_cnt, sizeof(span[0]), by_first);
	check_overlap(span, conf->pool_cnt, root, report);
	check_names(root, report);
}

static void check_leases(const struct rsip_conf *conf, const cJSON *root,
			 struct rsip_conf_report *report)
{
	const struct rsip_lease_limits *l = &conf->limits;

	if (l->lease_min_s > l->lease_max_s)
		rsip_conf_find(report, false, line_of(root, "leases", "min"), "leases.min",
			       "is %u, more than leases.max (%u)", l->lease_min_s, l->lease_max_s);
	else if (l->lease_default_s < l->lease_min_s || l->lease_default_s > l->lease_max_s)
		rsip_conf_find(report, false, line_of(root, "leases", "default"), "leases.default",
			       "is %u, outside leases.min and leases.max (%u to %u)",
			       l->lease_default_s, l->lease_min_s, l->lease_max_s);
}

static void check_control(const struct rsip_conf *conf, const cJSON *root, struct rsip_conf_report *report)
{
	if (!strcmp(conf->control.socket, conf->control.read_only_socket))
		rsip_conf_find(report, false, line_of(root, "control", "read_only_socket"), "control.read_only_socket",
			       "is the same file as control.socket");
}

static void check_limits(const struct rsip_conf *conf, const cJSON *root,
			 struct rsip_conf_report *report)
{
	if (conf->message_burst < conf->messages_per_s &&
	    cJSON_HasObjectItem(cJSON_GetObjectItemCaseSensitive(root, "limits"), "message_burst"))
		rsip_conf_find(report, false, line_of(root, "limits", "message_burst"),
			       "limits.message_burst",
			       "is less than limits.messages_per_second (%u)",
			       conf->messages_per_s);
	if (conf->tcp_connections_per_client > conf->tcp_connections)
		rsip_conf_find(report, false, line_of(root, "limits", "tcp_connections_per_client"),
			       "limits.tcp_connections_per_client",
			       "is more than limits.tcp_connections (%u)", conf->tcp_connections);
	if (!strcmp(conf->user, "root"))
		rsip_conf_find(report, false, line_of(root, "user", NULL), "user",
			       "must not be root: rsipd gives its privileges up");
}

static void check_ifaces(const struct rsip_conf *conf, const cJSON *root,
			 struct rsip_conf_report *report)
{
	const struct rsip_conf_iface *all[2 * RSIP_MAX_IFACES];
	uint32_t cnt = 0;
	int line = line_of(root, "interfaces", NULL);

	for (uint32_t i = 0; i < conf->public_cnt; i++)
		all[cnt++] = &conf->public_if[i];
	for (uint32_t i = 0; i < conf->private_cnt; i++)
		all[cnt++] = &conf->private_if[i];
	for (uint32_t i = 1; i < cnt; i++)
		for (uint32_t j = 0; j < i; j++)
			if (all[i]->name[0] && !strcmp(all[i]->name, all[j]->name))
				rsip_conf_find(report, false, line, "interfaces",
					       "\"%s\" is named twice", all[i]->name);
	if (cnt && (!conf->public_cnt || !conf->private_cnt))
		rsip_conf_find(report, false, line, "interfaces", "needs both: public and private");
	if (cnt > RSIP_MAX_IFACES - 1)
		rsip_conf_find(report, false, line, "interfaces", "are more than %d",
			       RSIP_MAX_IFACES - 1);
}

void rsip_conf_check(const struct rsip_conf *conf, const cJSON *root,
		     struct rsip_conf_report *report)
{
	if (!cJSON_IsObject(root))
		return;
	check_ifaces(conf, root, report);
	check_pools(conf, root, report);
	check_leases(conf, root, report);
	check_limits(conf, root, report);
	check_control(conf, root, report);
}
