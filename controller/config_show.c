// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The configuration in effect, written back as JSON with the keys it was read from. */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "config_kernel.h"
#include "hosts6.h"
#include "json.h"
#include "util.h"

static void show_ifaces(const struct rsip_conf *conf, cJSON *out)
{
	cJSON *obj, *list;

	if (!conf->public_cnt && !conf->private_cnt)
		return;
	obj = cJSON_AddObjectToObject(out, "interfaces");
	list = cJSON_AddArrayToObject(obj, "public");
	for (uint32_t i = 0; i < conf->public_cnt; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(conf->public_if[i].name));
	list = cJSON_AddArrayToObject(obj, "private");
	for (uint32_t i = 0; i < conf->private_cnt; i++) {
		cJSON *entry = cJSON_CreateObject();

		cJSON_AddStringToObject(entry, "name", conf->private_if[i].name);
		if (conf->private_if[i].endpoint)
			rsip_json_add_ip4(entry, "endpoint", conf->private_if[i].endpoint);
		if (conf->private_if[i].endpoint6[0])
			cJSON_AddStringToObject(entry, "endpoint6", rsip_ip6(conf->private_if[i].endpoint6));
		cJSON_AddItemToArray(list, entry);
	}
}

static cJSON *show_range(const struct rsip_pool_conf *pool)
{
	char text[48];

	snprintf(text, sizeof(text), "%s-%s", rsip_ip4(pool->first),
		 rsip_ip4(htonl(ntohl(pool->first) + pool->addr_cnt - 1)));
	return cJSON_CreateString(text);
}

static cJSON *show_pool(const struct rsip_pool_conf *pool)
{
	cJSON *obj = cJSON_CreateObject(), *methods;
	char text[48];

	cJSON_AddStringToObject(obj, "name", pool->name);
	cJSON_AddArrayToObject(obj, "addresses");
	snprintf(text, sizeof(text), "%u-%u", pool->port_first, pool->port_last);
	cJSON_AddStringToObject(obj, "ports", text);
	methods = cJSON_AddArrayToObject(obj, "methods");
	for (unsigned int m = RSIP_METHOD_RSA_IP; m <= RSIP_METHOD_RSIPSEC; m++)
		if (pool->methods & RSIP_METHOD_BIT(m))
			cJSON_AddItemToArray(methods, cJSON_CreateString(rsip_method_name(m)));
	snprintf(text, sizeof(text), "%u-%u", pool->spi_min, pool->spi_max);
	cJSON_AddStringToObject(obj, "spis", text);
	rsip_conf_show_kernel(&pool->rules, obj);
	return obj;
}

static void show_pools(const struct rsip_conf *conf, cJSON *out)
{
	cJSON *list = cJSON_AddArrayToObject(out, "pools"), *pool = NULL;

	for (uint32_t i = 0; i < conf->pool_cnt; i++) {
		if (conf->pool[i].draining)
			continue;
		if (!pool || strcmp(conf->pool[i].name, cJSON_GetStringValue(cJSON_GetObjectItem(pool, "name")))) {
			pool = show_pool(&conf->pool[i]);
			cJSON_AddItemToArray(list, pool);
		}
		cJSON_AddItemToArray(cJSON_GetObjectItem(pool, "addresses"),
				     show_range(&conf->pool[i]));
	}
}

static void show_nets(const struct rsip_conf_nets *nets, cJSON *out, const char *name)
{
	cJSON *list = cJSON_AddArrayToObject(out, name);

	for (uint32_t i = 0; i < nets->cnt; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(rsip_net_text(&nets->net[i])));
}

static void show_dataplane(const struct rsip_conf *conf, cJSON *out)
{
	cJSON *obj = cJSON_AddObjectToObject(out, "dataplane");

	rsip_json_add_u64(obj, "max_bindings", conf->dataplane.max_bindings);
	rsip_json_add_u64(obj, "max_addresses", conf->dataplane.max_addresses);
	rsip_json_add_u64(obj, "max_ipsec_pairs", conf->dataplane.max_ipsec_pairs);
	rsip_json_add_u64(obj, "max_cookies", conf->dataplane.max_cookies);
	cJSON_AddStringToObject(obj, "mode", conf->dataplane.mode);
	cJSON_AddStringToObject(obj, "pin_path", conf->dataplane.pin_path);
}

static void show_numbers(const struct rsip_conf *conf, cJSON *out)
{
	cJSON *obj = cJSON_AddObjectToObject(out, "leases");

	rsip_json_add_u64(obj, "min", conf->limits.lease_min_s);
	rsip_json_add_u64(obj, "max", conf->limits.lease_max_s);
	rsip_json_add_u64(obj, "default", conf->limits.lease_default_s);
	rsip_json_add_u64(obj, "registration", conf->limits.register_s);
	rsip_json_add_u64(obj, "hold", conf->limits.hold_s);
	cJSON_AddStringToObject(cJSON_AddObjectToObject(out, "store"), "path", conf->store_path);
	obj = cJSON_AddObjectToObject(out, "limits");
	rsip_json_add_u64(obj, "clients", conf->limits.clients);
	rsip_json_add_u64(obj, "ipv6_prefix", conf->host_prefix6);
	rsip_json_add_u64(obj, "ipv6_hosts_per_prefix", conf->hosts_per_prefix6);
	rsip_json_add_u64(obj, "bindings_per_client", conf->limits.binds_per_client);
	rsip_json_add_u64(obj, "ports_per_client", conf->limits.ports_per_client);
	rsip_json_add_u64(obj, "spis_per_client", conf->limits.spis_per_client);
	rsip_json_add_u64(obj, "addresses_per_client", conf->limits.addrs_per_client);
	rsip_json_add_u64(obj, "resting_per_client", conf->limits.resting_per_client);
	rsip_json_add_u64(obj, "fair_percent", conf->limits.fair_percent);
	rsip_json_add_u64(obj, "fair_ports", conf->limits.fair_ports);
	rsip_json_add_u64(obj, "messages_per_second", conf->messages_per_s);
	rsip_json_add_u64(obj, "message_burst", conf->message_burst);
	rsip_json_add_u64(obj, "tcp_connections", conf->tcp_connections);
	rsip_json_add_u64(obj, "tcp_connections_per_client", conf->tcp_connections_per_client);
	rsip_json_add_u64(obj, "tcp_idle", conf->tcp_idle_s);
}

cJSON *rsip_conf_to_json(const struct rsip_conf *conf)
{
	static const char *const level[] = {"error", "warning", "info", "debug"};
	cJSON *out = cJSON_CreateObject(), *obj;
	char mode[8];

	show_ifaces(conf, out);
	show_dataplane(conf, out);
	show_pools(conf, out);
	rsip_conf_show_policies(conf, out);
	show_nets(&conf->private_nets, out, "private_networks");
	show_nets(&conf->client_nets, cJSON_AddObjectToObject(out, "clients"), "networks");
	show_nets(&conf->local_nets, out, "local_networks");
	show_numbers(conf, out);
	rsip_conf_show_auth(conf, out);
	cJSON_AddBoolToObject(out, "udp", conf->udp);
	obj = cJSON_AddObjectToObject(out, "control");
	cJSON_AddStringToObject(obj, "socket", conf->control.socket);
	cJSON_AddStringToObject(obj, "group", conf->control.group);
	snprintf(mode, sizeof(mode), "0%o", (unsigned int)conf->control.mode);
	cJSON_AddStringToObject(obj, "mode", mode);
	if (*conf->control.read_only_socket)
		cJSON_AddStringToObject(obj, "read_only_socket", conf->control.read_only_socket);
	snprintf(mode, sizeof(mode), "0%o", (unsigned int)conf->control.read_only_mode);
	cJSON_AddStringToObject(obj, "read_only_mode", mode);
	obj = cJSON_AddObjectToObject(out, "log");
	cJSON_AddStringToObject(obj, "level", level[conf->log_level]);
	if (*conf->alloclog)
		cJSON_AddStringToObject(obj, "allocations", conf->alloclog);
	cJSON_AddBoolToObject(obj, "allocations_to_journal", conf->alloclog_journal);
	cJSON_AddBoolToObject(out, "check_mac", conf->check_mac);
	rsip_conf_show_dscp(conf->dscp, out);
	cJSON_AddStringToObject(out, "stray", conf->stray);
	cJSON_AddStringToObject(out, "user", conf->user);
	return out;
}
