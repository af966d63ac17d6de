// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The keys of the configuration, their defaults and bounds. */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_read.h"
#include "json.h"
#include "rsip/ctl.h"
#include "util.h"

#define AT(member) offsetof(struct rsip_conf, member)
#define END                                                                                        \
	{                                                                                          \
		NULL, NULL, 0, 0, 0                                                                \
	}

void rsip_conf_init(struct rsip_conf *conf)
{
	memset(conf, 0, sizeof(*conf));
	conf->dataplane.max_bindings = 65536;
	conf->dataplane.max_addresses = 256;
	conf->dataplane.max_ipsec_pairs = 16384;
	conf->dataplane.max_cookies = 262144;
	strcpy(conf->dataplane.mode, "auto");
	strcpy(conf->dataplane.pin_path, RSIP_PIN_PATH_DEFAULT);
	strcpy(conf->store_path, RSIP_STORE_PATH_DEFAULT);
	conf->limits = (struct rsip_lease_limits){
		.clients = 65536,
		.binds_per_client = 64,
		.ports_per_client = 1024,
		.spis_per_client = 1024,
		.addrs_per_client = 1,
		.resting_per_client = 65536,
		.lease_min_s = 60,
		.lease_max_s = 86400,
		.lease_default_s = 1800,
		.register_s = 3600,
		.hold_s = 120,
		.fair_percent = 10,
		.fair_ports = 64,
	};
	conf->messages_per_s = 500;
	conf->host_prefix6 = 64;
	conf->hosts_per_prefix6 = 1024;
	conf->tcp_connections = 4096;
	conf->tcp_connections_per_client = 4;
	conf->tcp_idle_s = 300;
	conf->udp = true;
	strcpy(conf->control.socket, RSIP_CTL_PATH_DEFAULT);
	strcpy(conf->control.group, RSIP_CTL_GROUP_DEFAULT);
	conf->control.mode = conf->control.read_only_mode = RSIP_CTL_MODE_DEFAULT;
	conf->log_level = RSIP_LOG_INFO;
	strcpy(conf->user, "rsip");
	strcpy(conf->stray, "pass");
}

void rsip_conf_free(struct rsip_conf *conf)
{
	if (conf->auth.key)
		explicit_bzero(conf->auth.key, conf->auth.cnt * sizeof(*conf->auth.key));
	free(conf->auth.key);
	conf->auth.key = NULL;
	conf->auth.cnt = 0;
}

void rsip_conf_find(struct rsip_conf_report *report, bool warning, int line, const char *path,
		    const char *fmt, ...)
{
	struct rsip_conf_issue *issue;
	va_list ap;

	if (warning)
		report->warnings++;
	else
		report->errors++;
	if (report->cnt == RSIP_CONF_ISSUES_MAX)
		return;
	issue = &report->issue[report->cnt++];
	issue->line = line;
	issue->warning = warning;
	snprintf(issue->path, sizeof(issue->path), "%s", path);
	va_start(ap, fmt);
	vsnprintf(issue->text, sizeof(issue->text), fmt, ap);
	va_end(ap);
}

/* ---- interfaces ------------------------------------------------------------------------------- */

static void read_endpoint(struct rsip_conf_read *r, const cJSON *item,
			  const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (!text || rsip_ip4_parse(text, out) || !*(__be32 *)out)
		rsip_conf_read_wrong(r, item, "must be an IPv4 address of this interface");
}

static void read_endpoint6(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (!text || rsip_ip6_parse_host(text, out))
		rsip_conf_read_wrong(r, item, "must be a global or unique local IPv6 address of this interface");
}

static const struct rsip_conf_read_key iface_keys[] = {
	{"name", rsip_conf_read_text, offsetof(struct rsip_conf_iface, name), 0, IF_NAMESIZE - 1},
	{"endpoint", read_endpoint, offsetof(struct rsip_conf_iface, endpoint), 0, 0},
	{"endpoint6", read_endpoint6, offsetof(struct rsip_conf_iface, endpoint6), 0, 0},
	END,
};

/* An entry is a name, or on the private side an object with an endpoint. */
static void read_iface(struct rsip_conf_read *r, const cJSON *item, bool private_side,
		       struct rsip_conf_iface *out)
{
	if (private_side && cJSON_IsObject(item)) {
		rsip_conf_read_object(r, item, iface_keys, out);
		if (!cJSON_HasObjectItem(item, "name"))
			rsip_conf_read_wrong(r, item, "name is missing");
		return;
	}
	if (!cJSON_IsString(item)) {
		rsip_conf_read_wrong(r, item,
				     private_side
					     ? "must be an interface's name, or { name, endpoint, endpoint6 }"
					     : "must be an interface's name");
		return;
	}
	rsip_conf_read_text(r, item, &iface_keys[0], out->name);
}

static void read_ifaces(struct rsip_conf_read *r, const cJSON *item, bool private_side,
			struct rsip_conf_iface *list, uint32_t *cnt)
{
	const cJSON *entry;
	int i = 0;

	if (!cJSON_IsArray(item) || !cJSON_GetArraySize(item)) {
		rsip_conf_read_wrong(r, item, "must be a list of interfaces in [ ], at least one");
		return;
	}
	cJSON_ArrayForEach (entry, item) {
		size_t at = rsip_conf_read_enter_index(r, i++);

		if (*cnt == RSIP_MAX_IFACES - 1)
			rsip_conf_read_wrong(r, entry, "more than %d interfaces",
					     RSIP_MAX_IFACES - 1);
		else
			read_iface(r, entry, private_side, &list[(*cnt)++]);
		rsip_conf_read_leave(r, at);
	}
}

static void read_public(struct rsip_conf_read *r, const cJSON *item,
			const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_conf *conf = out;

	(void)key;
	read_ifaces(r, item, false, conf->public_if, &conf->public_cnt);
}

static void read_private(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out)
{
	struct rsip_conf *conf = out;

	(void)key;
	read_ifaces(r, item, true, conf->private_if, &conf->private_cnt);
}

static const struct rsip_conf_read_key interfaces_keys[] = {
	{"public", read_public, 0, 0, 0},
	{"private", read_private, 0, 0, 0},
	END,
};

/* ---- words and modes -------------------------------------------------------------------------- */

static void read_dp_mode(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (!text || (strcmp(text, "auto") && strcmp(text, "native") && strcmp(text, "generic") &&
		      strcmp(text, "tc")))
		rsip_conf_read_wrong(r, item, "must be \"auto\", \"native\", \"generic\" or \"tc\"");
	else
		strcpy(out, text);
}

static void read_path(struct rsip_conf_read *r, const cJSON *item,
		      const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	if (text && *text && *text != '/')
		rsip_conf_read_wrong(r, item, "must be an absolute path");
	else
		rsip_conf_read_text(r, item, key, out);
}

/* "": none */
static void read_store_path(struct rsip_conf_read *r, const cJSON *item,
			    const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	if (text && !*text)
		*(char *)out = '\0';
	else
		read_path(r, item, key, out);
}

static void read_file_mode(struct rsip_conf_read *r, const cJSON *item,
			   const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);
	char *end = NULL;
	unsigned long mode = text ? strtoul(text, &end, 8) : 0;

	(void)key;
	if (!text || strlen(text) < 3 || strspn(text, "01234567") != strlen(text) ||
	    mode & ~0666UL || !(mode & 0600))
		rsip_conf_read_wrong(
			r, item,
			"must be an octal mode in quotes such as \"0660\", without x bits");
	else
		*(mode_t *)out = (mode_t)mode;
}

static void read_level(struct rsip_conf_read *r, const cJSON *item,
		       const struct rsip_conf_read_key *key, void *out)
{
	static const char *const level[] = {"error", "warning", "info", "debug"};
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	for (unsigned int i = 0; text && i < RSIP_ARRAY_LEN(level); i++) {
		if (!strcmp(text, level[i])) {
			*(enum rsip_log_level *)out = (enum rsip_log_level)i;
			return;
		}
	}
	rsip_conf_read_wrong(r, item, "must be \"error\", \"warning\", \"info\" or \"debug\"");
}

/* ---- the tables ------------------------------------------------------------------------------- */

static const struct rsip_conf_read_key dataplane_keys[] = {
	{"max_bindings", rsip_conf_read_u32, AT(dataplane.max_bindings), 1, 16 * 1024 * 1024},
	{"max_addresses", rsip_conf_read_u32, AT(dataplane.max_addresses), 1, 65536},
	{"max_ipsec_pairs", rsip_conf_read_u32, AT(dataplane.max_ipsec_pairs), 1, 4 * 1024 * 1024},
	{"max_cookies", rsip_conf_read_u32, AT(dataplane.max_cookies), 1, 64 * 1024 * 1024},
	{"mode", read_dp_mode, AT(dataplane.mode), 0, 0},
	{"pin_path", read_path, AT(dataplane.pin_path), 0, 255},
	END,
};

static const struct rsip_conf_read_key clients_keys[] = {
	{"networks", rsip_conf_read_client_nets, AT(client_nets), 0, 0},
	END,
};

static const struct rsip_conf_read_key leases_keys[] = {
	{"min", rsip_conf_read_u32, AT(limits.lease_min_s), 1, UINT32_MAX - 1},
	{"max", rsip_conf_read_u32, AT(limits.lease_max_s), 1, UINT32_MAX - 1},
	{"default", rsip_conf_read_u32, AT(limits.lease_default_s), 1, UINT32_MAX - 1},
	{"registration", rsip_conf_read_u32, AT(limits.register_s), 1, UINT32_MAX - 1},
	{"hold", rsip_conf_read_u32, AT(limits.hold_s), 0, 86400},
	END,
};

static const struct rsip_conf_read_key limits_keys[] = {
	{"clients", rsip_conf_read_u32, AT(limits.clients), 1, 16 * 1024 * 1024},
	{"ipv6_prefix", rsip_conf_read_u32, AT(host_prefix6), 16, 128},
	{"ipv6_hosts_per_prefix", rsip_conf_read_u32, AT(hosts_per_prefix6), 1, 16 * 1024 * 1024},
	{"bindings_per_client", rsip_conf_read_u32, AT(limits.binds_per_client), 1, 65536},
	{"ports_per_client", rsip_conf_read_u32, AT(limits.ports_per_client), 1, 16 * 1024 * 1024},
	{"spis_per_client", rsip_conf_read_u32, AT(limits.spis_per_client), 1, 16 * 1024 * 1024},
	{"addresses_per_client", rsip_conf_read_u32, AT(limits.addrs_per_client), 1, 65536},
	{"resting_per_client", rsip_conf_read_u32, AT(limits.resting_per_client), 0, 16 * 1024 * 1024},
	{"fair_percent", rsip_conf_read_u32, AT(limits.fair_percent), 0, 100},
	{"fair_ports", rsip_conf_read_u32, AT(limits.fair_ports), 1, 65535},
	{"messages_per_second", rsip_conf_read_u32, AT(messages_per_s), 1, 1000000},
	{"message_burst", rsip_conf_read_u32, AT(message_burst), 1, 1000000},
	{"tcp_connections", rsip_conf_read_u32, AT(tcp_connections), 1, 65536},
	{"tcp_connections_per_client", rsip_conf_read_u32, AT(tcp_connections_per_client), 1, 1024},
	{"tcp_idle", rsip_conf_read_u32, AT(tcp_idle_s), 5, 86400},
	END,
};

static const struct rsip_conf_read_key control_keys[] = {
	{"socket", read_path, AT(control.socket), 0, 107},
	{"group", rsip_conf_read_text, AT(control.group), 0, 32},
	{"mode", read_file_mode, AT(control.mode), 0, 0},
	{"read_only_socket", read_path, AT(control.read_only_socket), 0, 107},
	{"read_only_mode", read_file_mode, AT(control.read_only_mode), 0, 0},
	END,
};

static const struct rsip_conf_read_key log_keys[] = {
	{"level", read_level, AT(log_level), 0, 0},
	{"allocations", read_path, AT(alloclog), 0, sizeof(((struct rsip_conf *)0)->alloclog) - 1},
	{"allocations_to_journal", rsip_conf_read_bool, AT(alloclog_journal), 0, 0},
	END,
};

static const struct rsip_conf_read_key store_keys[] = {
	{"path", read_store_path, AT(store_path), 0, 255},
	END,
};

static void read_stray(struct rsip_conf_read *r, const cJSON *item,
		       const struct rsip_conf_read_key *key, void *out)
{
	const char *text = cJSON_GetStringValue(item);

	(void)key;
	if (!text || (strcmp(text, "pass") && strcmp(text, "drop") && strcmp(text, "reject")))
		rsip_conf_read_wrong(r, item, "must be \"pass\", \"drop\" or \"reject\"");
	else
		strcpy(out, text);
}

/* Sections: out is the whole configuration, and the offsets in their tables count from there. */
#define SECTION(fn, table)                                                                         \
	static void fn(struct rsip_conf_read *r, const cJSON *item,                                \
		       const struct rsip_conf_read_key *key, void *out)                            \
	{                                                                                          \
		(void)key;                                                                         \
		rsip_conf_read_object(r, item, table, out);                                        \
	}
SECTION(read_interfaces, interfaces_keys)
SECTION(read_dataplane, dataplane_keys)
SECTION(read_clients, clients_keys)
SECTION(read_leases, leases_keys)
SECTION(read_limits, limits_keys)
SECTION(read_control, control_keys)
SECTION(read_log, log_keys)
SECTION(read_store, store_keys)

static const struct rsip_conf_read_key root_keys[] = {
	{"interfaces", read_interfaces, 0, 0, 0},
	{"dataplane", read_dataplane, 0, 0, 0},
	{"pools", rsip_conf_read_pools, 0, 0, 0},
	{"policies", rsip_conf_read_policies, 0, 0, 0},
	{"private_networks", rsip_conf_read_nets, AT(private_nets), 0, 0},
	{"clients", read_clients, 0, 0, 0},
	{"local_networks", rsip_conf_read_nets, AT(local_nets), 0, 0},
	{"leases", read_leases, 0, 0, 0},
	{"store", read_store, 0, 0, 0},
	{"limits", read_limits, 0, 0, 0},
	{"auth", rsip_conf_read_auth, 0, 0, 0},
	{"udp", rsip_conf_read_bool, AT(udp), 0, 0},
	{"control", read_control, 0, 0, 0},
	{"log", read_log, 0, 0, 0},
	{"stray", read_stray, AT(stray), 0, 0},
	{"check_mac", rsip_conf_read_bool, AT(check_mac), 0, 0},
	{"dscp", rsip_conf_read_dscp, AT(dscp), 0, 0},
	{"user", rsip_conf_read_text, AT(user), 0, 32},
	END,
};

int rsip_conf_parse(const char *text, size_t len, struct rsip_conf *conf,
		    struct rsip_conf_report *report)
{
	struct rsip_conf_read r = {.report = report};
	struct rsip_json_error err;
	cJSON *root;

	rsip_conf_init(conf);
	memset(report, 0, sizeof(*report));
	root = rsip_json_parse(text, len, RSIP_JSON_COMMENTS, &err);
	if (!root) {
		rsip_conf_find(report, false, err.line, "", "%s", err.text);
		return -EINVAL;
	}
	rsip_conf_read_object(&r, root, root_keys, conf);
	if (!conf->message_burst)
		conf->message_burst = 2 * conf->messages_per_s;
	rsip_conf_read_policy_pools(&r, root, conf);
	rsip_conf_check(conf, root, report);
	cJSON_Delete(root);
	return report->errors ? -EINVAL : 0;
}
