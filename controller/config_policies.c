// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* `policies` of the configuration: whose flow policy is what (flow.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_read.h"
#include "hosts6.h"
#include "json.h"
#include "util.h"

#define AT(member) offsetof(struct rsip_flow_policy, member)

/* A word of a list to its number; 0: another word. */
struct word {
	const char *text;
	uint8_t value;
};

static const struct word local_words[] = { { "macro", RSIP_LOCAL_MACRO }, { "micro", RSIP_LOCAL_MICRO }, { NULL, 0 } };
static const struct word remote_words[] = { { "none", RSIP_REMOTE_NONE },
					    { "macro", RSIP_REMOTE_MACRO },
					    { "micro", RSIP_REMOTE_MICRO },
					    { NULL, 0 } };

static uint8_t word_value(const struct word *w, const cJSON *item)
{
	const char *text = cJSON_GetStringValue(item);

	while (w->text && (!text || strcmp(w->text, text)))
		w++;
	return w->value;
}

static void read_local(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	uint8_t value = word_value(local_words, item);

	(void)key;
	if (value)
		*(uint8_t *)out = value;
	else
		rsip_conf_read_wrong(r, item, "must be \"macro\" or \"micro\" (RFC 3103 7.1)");
}

static void read_remote(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	uint8_t value = word_value(remote_words, item);

	(void)key;
	if (value)
		*(uint8_t *)out = value;
	else
		rsip_conf_read_wrong(r, item, "must be \"none\", \"macro\" or \"micro\" (RFC 3103 7.2)");
}

static void read_endpoint(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (!text || rsip_ip4_parse(text, out) || !*(__be32 *)out)
		rsip_conf_read_wrong(r, item, "must be an IPv4 address of this gateway");
}

static const struct word tunnel_words[] = { { "IP-IP", RSIP_TUNNEL_IPIP }, { "GRE", RSIP_TUNNEL_GRE },
	{ "L2TP", RSIP_TUNNEL_L2TP }, { NULL, 0 } };

static void read_tunnels(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	const cJSON *entry;
	uint32_t bits = 0;
	int i = 0;

	(void)key;
	if (!cJSON_IsArray(item) || !cJSON_GetArraySize(item)) {
		rsip_conf_read_wrong(r, item, "must be a list of tunnel types, at least one");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);
		uint8_t type = word_value(tunnel_words, entry);

		if (!type)
			rsip_conf_read_wrong(r, entry, "must be \"IP-IP\", \"GRE\" or \"L2TP\" (RFC 3103 8.6)");
		bits |= RSIP_TUNNEL_BIT(type);
		rsip_conf_read_leave(r, at);
	}
	*(uint32_t *)out = bits;
}

/* ---- lists of networks ------------------------------------------------------------------------------------- */

static void read_clients(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_conf_nets nets = { .cnt = 0 };
	struct rsip_flow_policy *p = out;

	rsip_conf_read_client_nets(r, item, key, &nets);
	p->client_cnt = nets.cnt;
	memcpy(p->client, nets.net, sizeof(p->client));
}
_Static_assert(RSIP_FLOW_NETS_MAX == RSIP_MAX_NETS, "one list of networks must hold the other");

/* NETWORK, NETWORK:PORT or NETWORK:FIRST-LAST; a network of one address may be written without length. */
static bool parse_rule(const char *text, struct rsip_flow_rule *rule)
{
	const char *colon = strchr(text, ':');
	uint64_t first = 0, last = UINT16_MAX;
	char net[32];

	if (colon && !rsip_conf_read_span(colon + 1, 1, UINT16_MAX, &first, &last))
		return false;
	snprintf(net, sizeof(net), "%.*s", colon ? (int)(colon - text) : (int)strlen(text), text);
	rule->port_first = (uint16_t)first;
	rule->port_last = (uint16_t)last;
	return !rsip_net4_parse(net, &rule->net.addr, &rule->net.mask);
}

static void read_rules(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_flow_rules *rules = out;
	const cJSON *entry;
	int i = 0;

	(void)key;
	if (!cJSON_IsArray(item)) {
		rsip_conf_read_wrong(r, item, "must be a list of networks in [ ]");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		const char *text = cJSON_GetStringValue(entry);
		size_t at = rsip_conf_read_enter_index(r, i++);

		if (rules->cnt == RSIP_FLOW_RULES_MAX)
			rsip_conf_read_wrong(r, entry, "more than %d entries", RSIP_FLOW_RULES_MAX);
		else if (!text || !parse_rule(text, &rules->rule[rules->cnt]))
			rsip_conf_read_wrong(r, entry,
					     "must be ADDRESS/LENGTH (zero host bits), with ports ADDRESS/LENGTH:FIRST-LAST");
		else
			rules->cnt++;
		rsip_conf_read_leave(r, at);
	}
}

/* By name, when all pools are read: rsip_conf_read_policy_pools(). */
static void read_pools(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	(void)key;
	*(bool *)out = true;
	if (!cJSON_IsArray(item) || !cJSON_GetArraySize(item))
		rsip_conf_read_wrong(r, item, "must be a list of names of pools, at least one");
}

static const struct rsip_conf_read_key policy_keys[] = {
	{ "name", rsip_conf_read_text, AT(name), 0, sizeof(((struct rsip_flow_policy *)0)->name) - 1 },
	{ "clients", read_clients, 0, 0, 0 },
	{ "local", read_local, AT(local), 0, 0 },
	{ "remote", read_remote, AT(remote), 0, 0 },
	{ "pools", read_pools, AT(some_pools), 0, 0 },
	{ "ipsec", rsip_conf_read_bool, AT(ipsec), 0, 0 },
	{ "listen", rsip_conf_read_bool, AT(listen), 0, 0 },
	{ "tunnels", read_tunnels, AT(tunnels), 0, 0 },
	{ "endpoint", read_endpoint, AT(endpoint), 0, 0 },
	{ "dscp", rsip_conf_read_host_dscp, AT(dscp), 0, 0 },
	{ "allow", read_rules, AT(allow), 0, 0 },
	{ "deny", read_rules, AT(deny), 0, 0 },
	{ NULL, NULL, 0, 0, 0 },
};

/* ---- one policy, and all of them ------------------------------------------------------------------------------ */

static bool has_ports(const struct rsip_flow_rules *rules)
{
	for (uint32_t i = 0; i < rules->cnt; i++)
		if (rules->rule[i].port_first || rules->rule[i].port_last != UINT16_MAX)
			return true;
	return false;
}

/* What a host does not name cannot be checked. */
static void check_policy(struct rsip_conf_read *r, const cJSON *item, const struct rsip_flow_policy *p)
{
	if (p->remote == RSIP_REMOTE_NONE && (p->allow.cnt || p->deny.cnt))
		rsip_conf_read_wrong(r, item, "allow and deny need a remote policy: hosts name no remotes under \"none\"");
	else if (p->remote != RSIP_REMOTE_MICRO && (has_ports(&p->allow) || has_ports(&p->deny)))
		rsip_conf_read_wrong(r, item, "ports in allow and deny need the remote policy \"micro\"");
}

static void read_policy(struct rsip_conf_read *r, const cJSON *item, struct rsip_conf *conf)
{
	struct rsip_flow_policy *p = &conf->policy[conf->policy_cnt];

	*p = rsip_flow_default;
	snprintf(p->name, sizeof(p->name), "policy%u", conf->policy_cnt);
	rsip_conf_read_object(r, item, policy_keys, p);
	if (!cJSON_IsObject(item))
		return;
	/* RFC 3103 10.6: public servers under micro policy only by administrative override. */
	if (p->remote == RSIP_REMOTE_MICRO && !cJSON_HasObjectItem(item, "listen"))
		p->listen = false;
	check_policy(r, item, p);
	conf->policy_cnt++;
}

/* The data plane knows a few endpoints beside those of the interfaces; many policies may share one. */
static void check_endpoints(struct rsip_conf_read *r, const cJSON *list, const struct rsip_conf *conf)
{
	if (rsip_conf_endpoints(conf, NULL) > RSIP_MAX_ENDPOINTS)
		rsip_conf_read_wrong(r, list, "more than %d different endpoints", RSIP_MAX_ENDPOINTS);
}

uint32_t rsip_conf_endpoints(const struct rsip_conf *conf, __be32 out[RSIP_MAX_ENDPOINTS])
{
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < conf->policy_cnt; i++) {
		__be32 addr = conf->policy[i].endpoint;
		bool known = !addr;

		for (uint32_t k = 0; k < i; k++)
			known |= conf->policy[k].endpoint == addr;
		if (known)
			continue;
		if (out && cnt < RSIP_MAX_ENDPOINTS)
			out[cnt] = addr;
		cnt++;
	}
	return cnt;
}

void rsip_conf_read_policies(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_conf *conf = out;
	const cJSON *entry;
	int i = 0;

	(void)key;
	if (!cJSON_IsArray(item)) {
		rsip_conf_read_wrong(r, item, "must be a list of policies in [ ]");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);

		if (conf->policy_cnt == RSIP_CONF_POLICIES_MAX)
			rsip_conf_read_wrong(r, entry, "more than %d policies", RSIP_CONF_POLICIES_MAX);
		else
			read_policy(r, entry, conf);
		rsip_conf_read_leave(r, at);
	}
	check_endpoints(r, item, conf);
}

/* ---- names of pools ---------------------------------------------------------------------------------------------- */

static bool add_pool(const struct rsip_conf *conf, const char *name, struct rsip_pool_set *set)
{
	bool found = false;

	for (uint32_t i = 0; i < conf->pool_cnt; i++) {
		if (strcmp(conf->pool[i].name, name))
			continue;
		set->bit[i / 64] |= 1ULL << i % 64;
		found = true;
	}
	return found;
}

static void read_pool_names(struct rsip_conf_read *r, const cJSON *names, const struct rsip_conf *conf,
			    struct rsip_pool_set *set)
{
	const cJSON *entry;
	char buf[48];
	int i = 0;

	cJSON_ArrayForEach (entry, names) {
		const char *name = cJSON_GetStringValue(entry);
		size_t at = rsip_conf_read_enter_index(r, i++);

		if (!name || !add_pool(conf, name, set))
			rsip_conf_read_wrong(r, entry, "no pool has the name \"%s\"",
					     name ? rsip_json_printable(name, buf, sizeof(buf)) : "?");
		rsip_conf_read_leave(r, at);
	}
}

void rsip_conf_read_policy_pools(struct rsip_conf_read *r, const cJSON *root, struct rsip_conf *conf)
{
	const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "policies"), *entry;
	uint32_t i = 0;

	cJSON_ArrayForEach (entry, list) {
		const cJSON *names = cJSON_GetObjectItemCaseSensitive(entry, "pools");
		char path[64];
		size_t at;

		if (!cJSON_IsObject(entry)) /* told already, and not counted */
			continue;
		if (i == conf->policy_cnt)
			return;
		snprintf(path, sizeof(path), "policies[%u].pools", i);
		at = rsip_conf_read_enter(r, path);
		if (cJSON_IsArray(names))
			read_pool_names(r, names, conf, &conf->policy[i].pools);
		rsip_conf_read_leave(r, at);
		i++;
	}
}

/* ---- and back -------------------------------------------------------------------------------------------------------- */

static const char *word_of(const struct word *w, uint8_t value)
{
	while (w->text && w->value != value)
		w++;
	return w->text ? w->text : "";
}

static cJSON *show_rule(const struct rsip_flow_rule *rule)
{
	char text[64];
	int len = snprintf(text, sizeof(text), "%s", rsip_net_text(&rule->net));

	if (rule->port_first)
		snprintf(text + len, sizeof(text) - (size_t)len, ":%u-%u", rule->port_first, rule->port_last);
	return cJSON_CreateString(text);
}

static void show_rules(cJSON *obj, const char *name, const struct rsip_flow_rules *rules)
{
	cJSON *list = cJSON_AddArrayToObject(obj, name);

	for (uint32_t i = 0; i < rules->cnt; i++)
		cJSON_AddItemToArray(list, show_rule(&rules->rule[i]));
}

static void show_pool_names(cJSON *obj, const struct rsip_conf *conf, const struct rsip_flow_policy *p)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "pools");
	const char *last = "";

	for (uint32_t i = 0; i < conf->pool_cnt; i++) {
		if (!rsip_pool_in(&p->pools, i) || !strcmp(last, conf->pool[i].name))
			continue;
		last = conf->pool[i].name;
		cJSON_AddItemToArray(list, cJSON_CreateString(last));
	}
}

static void show_tunnels(cJSON *obj, const struct rsip_flow_policy *p)
{
	cJSON *list = cJSON_AddArrayToObject(obj, "tunnels");

	for (const struct word *w = tunnel_words; w->text; w++)
		if (p->tunnels & RSIP_TUNNEL_BIT(w->value))
			cJSON_AddItemToArray(list, cJSON_CreateString(w->text));
}

static cJSON *show_policy(const struct rsip_conf *conf, const struct rsip_flow_policy *p)
{
	cJSON *obj = cJSON_CreateObject(), *list;

	cJSON_AddStringToObject(obj, "name", p->name);
	list = p->client_cnt ? cJSON_AddArrayToObject(obj, "clients") : NULL;
	for (uint32_t i = 0; i < p->client_cnt; i++)
		cJSON_AddItemToArray(list, show_rule(&(struct rsip_flow_rule){ .net = p->client[i] }));
	cJSON_AddStringToObject(obj, "local", word_of(local_words, p->local));
	cJSON_AddStringToObject(obj, "remote", word_of(remote_words, p->remote));
	if (p->some_pools)
		show_pool_names(obj, conf, p);
	cJSON_AddBoolToObject(obj, "ipsec", p->ipsec);
	cJSON_AddBoolToObject(obj, "listen", p->listen);
	show_tunnels(obj, p);
	if (p->endpoint)
		rsip_json_add_ip4(obj, "endpoint", p->endpoint);
	rsip_conf_show_host_dscp(p->dscp, obj);
	show_rules(obj, "allow", &p->allow);
	show_rules(obj, "deny", &p->deny);
	return obj;
}

void rsip_conf_show_policies(const struct rsip_conf *conf, cJSON *out)
{
	cJSON *list = cJSON_AddArrayToObject(out, "policies");

	for (uint32_t i = 0; i < conf->policy_cnt; i++)
		cJSON_AddItemToArray(list, show_policy(conf, &conf->policy[i]));
}
