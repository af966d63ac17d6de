// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gateways.h"
#include "json.h"
#include "log.h"
#include "rsip/wire.h"
#include "settings.h"
#include "strongswan.h"
#include "util.h"
#include "vici.h"

#define RSIP_CONFIG_MAX 65536

#define TEXT(key, field, arg, help)                                                                \
	{                                                                                          \
		key, RSIP_SETTING_TEXT, offsetof(struct rsip_settings, field),                     \
			sizeof(((struct rsip_settings *)0)->field), 0, arg, help                   \
	}
#define NUMBER(key, field, max, arg, help)                                                         \
	{                                                                                          \
		key, RSIP_SETTING_NUMBER, offsetof(struct rsip_settings, field), sizeof(uint32_t), \
			max, arg, help                                                             \
	}

#define FLAG(key, field, help)                                                                     \
	{                                                                                          \
		key, RSIP_SETTING_FLAG, offsetof(struct rsip_settings, field), sizeof(bool), 1,    \
			"yes|no", help                                                             \
	}

const struct rsip_setting rsip_setting_table[] = {
	TEXT("gateway", gateway, "ADDR,...",
	     "the RSIP gateway, then those to try when it falls silent (default: the default router)"),
	TEXT("interface", interface, "IF", "the interface that leads to it (default: as routed)"),
	NUMBER("ports", ports, RSIP_CLIENT_PORTS_MAX, "N",
	       "lease so many ports (default 64 unless --spis is given)"),
	NUMBER("ports-max", ports_max, RSIP_CLIENT_PORTS_MAX, "N",
	       "lease more while most are in use, up to so many (default 1024; 0: never more)"),
	NUMBER("ports-idle", ports_idle, 86400, "S",
	       "give those back that nobody used for so long (default 300, at least 120)"),
	TEXT("listen", listen, "P,P...", "lease these ports for services that peers call (LISTEN)"),
	NUMBER("spis", spis, 256, "N", "lease so many SPIs for ESP, AH and IKE"),
	NUMBER("lease", lease, UINT32_MAX, "S",
	       "lease time to ask for, in seconds (default: the gateway's)"),
	TEXT("transport", transport, "udp|tcp", "how to speak to the gateway (default udp)"),
	TEXT("tunnel", tunnel, "auto|bpf",
	     "auto: the kernel's ipip or gre device if it has one, else BPF programs"),
	TEXT("tunnel-type", tunnel_type, "IP-IP|GRE",
	     "what packets to the gateway are wrapped in (default IP-IP)"),
	TEXT("place", place, "namespace|host",
	     "where the leased address lives: a namespace of its own (default), or beside the "
	     "host's others"),
	TEXT("route", route, "bound|remote",
	     "with place host: only what is bound to the leased address goes through the tunnel (default), or all "
	     "that is remote"),
	NUMBER("query-every", query_every, 86400, "S",
	       "ask the gateway so often what is local (default 300; with several gateways 30)"),
	NUMBER("return-after", return_after, 86400, "S",
	       "back to a gateway named earlier when it has answered for so long and nothing is in use (default 300; 0: never)"),
	TEXT("device", device, "NAME", "name of the tunnel device (default rsip0)"),
	TEXT("state-dir", state_dir, "DIR",
	     "folder of state file and namespace (default " RSIP_CLIENT_STATE_DIR ")"),
	TEXT("socket", socket, "PATH", "control socket (default DIR/client.sock)"),
	FLAG("strongswan", strongswan,
	     "lease for a strongSwan, too, and write its drop-in file (default no)"),
	NUMBER("ike-ports", ike_ports, 2, "2|0",
	       "2: strongSwan speaks IKE from leased ports (default); 0: from 500 and 4500"),
	NUMBER("ike-spis", charon_spis, RSIP_CHARON_SPIS_MAX, "N",
	       "SPIs for strongSwan to begin with, 4 for each CHILD_SA (default 32)"),
	TEXT("strongswan-dir", strongswan_dir, "DIR",
	     "folder of the drop-in file (default " RSIP_STRONGSWAN_DIR ")"),
	TEXT("strongswan-vici", strongswan_vici, "PATH",
	     "vici socket of that charon (default " RSIP_VICI_DEFAULT ")"),
	FLAG("whole-address", whole_address,
	     "lease an address of its own, with all its ports and SPIs (default no)"),
	FLAG("private-addresses", private_addresses,
	     "a leased address may be a private one (default no)"),
	NUMBER("key-id", key_id, UINT32_MAX,
	       "N", "authenticate with this key, and believe the gateway only with it"),
	TEXT("key-file", key_file, "FILE", "file with its secret: 32 to 128 hexadecimal digits, mode 0600"),
	NUMBER("wait", wait, 3600, "S",
	       "up: give up when there is no lease after S seconds (default 15)"),
};
const size_t rsip_setting_count = RSIP_ARRAY_LEN(rsip_setting_table);

void rsip_settings_init(struct rsip_settings *s)
{
	memset(s, 0, sizeof(*s));
	strcpy(s->config, RSIP_CLIENT_CONFIG);
	strcpy(s->device, "rsip0");
	strcpy(s->state_dir, RSIP_CLIENT_STATE_DIR);
	strcpy(s->transport, "udp");
	strcpy(s->tunnel, "auto");
	strcpy(s->tunnel_type, "IP-IP");
	strcpy(s->place, "namespace");
	strcpy(s->route, "bound");
	strcpy(s->strongswan_dir, RSIP_STRONGSWAN_DIR);
	strcpy(s->strongswan_vici, RSIP_VICI_DEFAULT);
	s->ike_ports = 2;
	s->charon_spis = 32;
	s->ports_max = 1024;
	s->ports_idle = 300;
	s->wait = 15;
	s->return_after = 300;
}

int rsip_settings_name(struct rsip_settings *s, const char *name, char *why, size_t size)
{
	size_t len = strlen(name);

	if (!len || len > RSIP_CLIENT_NAME_MAX ||
	    strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != len) {
		snprintf(why, size, "a name has 1 to %d letters a-z, digits, - and _",
			 RSIP_CLIENT_NAME_MAX);
		return -EINVAL;
	}
	snprintf(s->config, sizeof(s->config), "/etc/rsip/client-%s.json", name);
	snprintf(s->state_dir, sizeof(s->state_dir), RSIP_CLIENT_STATE_DIR "/%s", name);
	snprintf(s->device, sizeof(s->device), "rsip-%s", name);
	return 0;
}

uint8_t rsip_settings_tunnel(const struct rsip_settings *s)
{
	return strcmp(s->tunnel_type, "GRE") ? RSIP_TUNNEL_IPIP : RSIP_TUNNEL_GRE;
}

int rsip_settings_listen(const char *text, uint16_t ports[RSIP_CLIENT_LISTEN_MAX])
{
	unsigned long port;
	int n = 0;
	char *end;

	while (*text) {
		port = strtoul(text, &end, 10);
		if (end == text || *text == '-' || port < 1 || port > 65535 ||
		    (*end && *end != ',') || n == RSIP_CLIENT_LISTEN_MAX)
			return -EINVAL;
		ports[n++] = port;
		text = *end ? end + 1 : end;
	}
	return n;
}

bool rsip_settings_same(const struct rsip_setting *row, const struct rsip_settings *a, const struct rsip_settings *b)
{
	const char *left = (const char *)a + row->offset, *right = (const char *)b + row->offset;

	return row->type == RSIP_SETTING_TEXT ? !strcmp(left, right) : !memcmp(left, right, row->size);
}

void rsip_settings_copy(const struct rsip_setting *row, struct rsip_settings *to, const struct rsip_settings *from)
{
	memcpy((char *)to + row->offset, (const char *)from + row->offset, row->size);
}

static int set_number(uint32_t *out, const char *value, uint32_t max)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(value, &end, 10);
	if (errno || end == value || *end || *value == '-' || n > max)
		return -EINVAL;
	*out = n;
	return 0;
}

static int set_flag(bool *out, const char *value)
{
	*out = !strcmp(value, "yes");
	return *out || !strcmp(value, "no") ? 0 : -EINVAL;
}

int rsip_settings_set(struct rsip_settings *s, const char *name, const char *value, char *why,
		      size_t size)
{
	for (size_t i = 0; i < rsip_setting_count; i++) {
		const struct rsip_setting *row = &rsip_setting_table[i];
		char *field = (char *)s + row->offset;

		if (strcmp(row->name, name))
			continue;
		if (row->type == RSIP_SETTING_NUMBER) {
			if (!strcmp(name, "ports") || !strcmp(name, "spis"))
				s->method_set = true;
			if (!set_number((uint32_t *)field, value, row->max))
				return 0;
			snprintf(why, size, "%s: a whole number from 0 to %u is needed, not '%s'",
				 name, row->max, value);
			return -EINVAL;
		}
		if (row->type == RSIP_SETTING_FLAG) {
			if (!set_flag((bool *)field, value))
				return 0;
			snprintf(why, size, "%s: yes or no is needed, not '%s'", name, value);
			return -EINVAL;
		}
		if (strlen(value) < row->size) {
			strcpy(field, value);
			return 0;
		}
		snprintf(why, size, "%s: '%.20s...' is too long", name, value);
		return -EINVAL;
	}
	snprintf(why, size, "%s: no such setting", name);
	return -ENOENT;
}

/* "key": { "id": N, "secret": HEX } or { "id": N, "file": PATH } */
static int load_key(struct rsip_settings *s, const cJSON *key, const char *path)
{
	const cJSON *item;
	uint64_t id;

	cJSON_ArrayForEach (item, key) {
		const char *text = cJSON_GetStringValue(item);
		bool fits = text && strlen(text) < sizeof(s->key_secret);

		if (!strcmp(item->string, "id") && rsip_json_integer(item, &id) && id && id <= UINT32_MAX)
			s->key_id = (uint32_t)id;
		else if (!strcmp(item->string, "secret") && fits)
			strcpy(s->key_secret, text);
		else if (!strcmp(item->string, "file") && text && strlen(text) < sizeof(s->key_file))
			strcpy(s->key_file, text);
		else {
			log_err("%s:%d: key: { \"id\": 1 to %u, and \"secret\": HEX or \"file\": PATH } is needed",
				path, rsip_json_line(item), UINT32_MAX);
			return -EINVAL;
		}
	}
	return 0;
}

/* "gateway": [ "ADDR", ... ] is the same as "ADDR,...". */
static int load_gateways(struct rsip_settings *s, const cJSON *list, const char *path)
{
	const cJSON *item;
	size_t len = 0;

	cJSON_ArrayForEach (item, list) {
		const char *text = cJSON_GetStringValue(item);

		len += snprintf(s->gateway + len, sizeof(s->gateway) - len, "%s%s", len ? "," : "", text ? text : "?");
		if (text && len < sizeof(s->gateway))
			continue;
		log_err("%s:%d: gateway: a list of IPv4 or IPv6 addresses is needed", path, rsip_json_line(item));
		return -EINVAL;
	}
	return 0;
}

static int load_item(struct rsip_settings *s, const cJSON *item, const char *path)
{
	char number[32], why[160] = "";
	const char *value = number;
	uint64_t n;

	if (!strcmp(item->string, "key") && cJSON_IsObject(item))
		return load_key(s, item, path);
	if (!strcmp(item->string, "gateway") && cJSON_IsArray(item))
		return load_gateways(s, item, path);
	if (cJSON_IsString(item)) {
		value = item->valuestring;
	} else if (cJSON_IsBool(item)) {
		value = cJSON_IsTrue(item) ? "yes" : "no";
	} else if (rsip_json_integer(item, &n)) {
		snprintf(number, sizeof(number), "%llu", (unsigned long long)n);
	} else {
		log_err("%s:%d: %s: a text, a whole number or true/false is needed", path,
			rsip_json_line(item), item->string);
		return -EINVAL;
	}
	if (!rsip_settings_set(s, item->string, value, why, sizeof(why)))
		return 0;
	log_err("%s:%d: %s", path, rsip_json_line(item), why);
	return -EINVAL;
}

int rsip_settings_load(struct rsip_settings *s, const char *path, bool must_exist)
{
	struct rsip_json_error bad;
	const cJSON *item;
	cJSON *root;
	char *text;
	size_t len;
	int err = rsip_json_read_file(path, RSIP_CONFIG_MAX, &text, &len);

	if (err == -ENOENT && !must_exist)
		return 0;
	if (err) {
		log_err("cannot read the configuration: %s: %s", path, strerror(-err));
		return err;
	}
	root = rsip_json_parse(text, len, RSIP_JSON_COMMENTS, &bad);
	explicit_bzero(text, len);
	free(text);
	if (!root) {
		log_err("%s:%d: %s", path, bad.line, bad.text);
		return -EINVAL;
	}
	if (!cJSON_IsObject(root)) {
		log_err("%s: an object is needed", path);
		err = -EINVAL;
	}
	cJSON_ArrayForEach (item, root)
		err = err ? err : load_item(s, item, path);
	cJSON_Delete(root);
	return err;
}

int rsip_settings_begin_at(struct rsip_settings *s, const char *folder, char *why, size_t size)
{
	const struct {
		const char *name;
		char *path;
		size_t size;
	} paths[] = {
		{"state-dir", s->state_dir, sizeof(s->state_dir)},
		{"socket", s->socket, sizeof(s->socket)},
		{"key-file", s->key_file, sizeof(s->key_file)},
		{"strongswan-dir", s->strongswan_dir, sizeof(s->strongswan_dir)},
		{"strongswan-vici", s->strongswan_vici, sizeof(s->strongswan_vici)},
	};
	char whole[PATH_MAX];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(paths); i++) {
		if (!*paths[i].path || *paths[i].path == '/')
			continue;
		if (snprintf(whole, sizeof(whole), "%s/%s", folder, paths[i].path) >= (int)paths[i].size) {
			snprintf(why, size, "%s: too long a path, from %s on", paths[i].name, folder);
			return -EINVAL;
		}
		strcpy(paths[i].path, whole);
	}
	return 0;
}

int rsip_settings_finish(struct rsip_settings *s, char *why, size_t size)
{
	uint16_t ports[RSIP_CLIENT_LISTEN_MAX];
	struct rsip_gateways gateways;

	if (strcmp(s->transport, "udp") && strcmp(s->transport, "tcp")) {
		snprintf(why, size, "transport: 'udp' or 'tcp' is needed, not '%s'", s->transport);
		return -EINVAL;
	}
	if (strcmp(s->tunnel, "auto") && strcmp(s->tunnel, "bpf")) {
		snprintf(why, size, "tunnel: 'auto' or 'bpf' is needed, not '%s'", s->tunnel);
		return -EINVAL;
	}
	if (strcmp(s->tunnel_type, "IP-IP") && strcmp(s->tunnel_type, "GRE")) {
		snprintf(why, size, "tunnel-type: 'IP-IP' or 'GRE' is needed, not '%s'", s->tunnel_type);
		return -EINVAL;
	}
	if (rsip_settings_listen(s->listen, ports) < 0) {
		snprintf(why, size,
			 "listen: up to %d ports with commas between them are needed, not '%s'",
			 RSIP_CLIENT_LISTEN_MAX, s->listen);
		return -EINVAL;
	}
	if (s->ports_idle < 120) {
		snprintf(why, size, "ports-idle: ports rest for 120 seconds at least");
		return -EINVAL;
	}
	if (s->ike_ports == 1 || s->charon_spis < 2) {
		snprintf(why, size, "ike-ports is 2 or 0, and a charon needs 2 SPIs at least");
		return -EINVAL;
	}
	if (strcmp(s->place, "namespace") && strcmp(s->place, "host")) {
		snprintf(why, size, "place: 'namespace' or 'host' is needed, not '%s'", s->place);
		return -EINVAL;
	}
	if (strcmp(s->route, "bound") && (strcmp(s->route, "remote") || strcmp(s->place, "host"))) {
		snprintf(why, size, "route: 'bound', or with place host 'remote', is needed, not '%s'", s->route);
		return -EINVAL;
	}
	if (rsip_gateways_parse(&gateways, s->gateway)) {
		snprintf(why, size, "gateway: up to %d different addresses with commas between them are needed (a link-local one as "
			 "fe80::1%%eth0, with an interface that is there), not '%.100s'",
			 RSIP_GATEWAYS_MAX, s->gateway);
		return -EINVAL;
	}
	if (!s->query_every)
		s->query_every = gateways.cnt > 1 ? 30 : 300;
	if (!*s->device || strchr(s->device, '/')) {
		snprintf(why, size, "device: not a name for a network device: '%s'", s->device);
		return -EINVAL;
	}
	if (!*s->socket && snprintf(s->socket, sizeof(s->socket), "%s/client.sock", s->state_dir) >=
				   (int)sizeof(s->socket)) {
		snprintf(why, size, "state-dir: too long for a socket in it (give --socket)");
		return -EINVAL;
	}
	if (!s->method_set && !s->whole_address)
		s->ports = 64;
	return 0;
}

int rsip_settings_key(const struct rsip_settings *s, struct rsip_auth_key *key, char *why, size_t size)
{
	const char *fault = NULL;

	memset(key, 0, sizeof(*key));
	if (!s->key_id && !*s->key_file && !*s->key_secret)
		return 0;
	if (!s->key_id || !*s->key_file == !*s->key_secret) {
		snprintf(why, size, "a key needs its id, and either its secret (in the configuration) or a file");
		return -EINVAL;
	}
	if (*s->key_file)
		fault = rsip_auth_secret_load(s->key_file, geteuid(), key);
	else if (!rsip_auth_secret_parse(s->key_secret, key))
		fault = "the secret must be 32 to 128 hexadecimal digits";
	key->id = s->key_id;
	if (fault)
		snprintf(why, size, "key %u: %s%s%s", s->key_id, s->key_file, *s->key_file ? ": " : "", fault);
	return fault ? -EINVAL : 0;
}
