// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The commands of the control socket: leases, queries, the namespace, the end. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "advice.h"
#include "control.h"

/* A number of the request up to max; false where it is another. */
static bool number(const cJSON *args, const char *name, uint64_t max, uint64_t *out)
{
	*out = rsip_json_get_u64(args, name, 0);
	return *out <= max;
}

static bool address(const cJSON *args, const char *name, __be32 *out)
{
	const char *text = rsip_json_get_string(args, name, "");

	*out = 0;
	return !*text || !rsip_ip4_parse(text, out);
}

/* NULL, or what is wrong with the wish. */
static const char *read_wish(const cJSON *args, struct rsip_want *want)
{
	uint64_t ports, port, spis, lease_s, remote_port;

	if (!number(args, "ports", RSIP_LEASE_PORTS_MAX, &ports) ||
	    !number(args, "spis", UINT16_MAX, &spis) || !number(args, "port", 65535, &port) ||
	    !number(args, "remote-port", 65535, &remote_port) ||
	    !number(args, "lease", UINT32_MAX, &lease_s))
		return "a binding has 1 to 255 ports, or 1 to 65535 SPIs, or both";
	if (!address(args, "address", &want->addr) || !address(args, "remote", &want->remote))
		return "address and remote must be IPv4 addresses";
	want->ports = ports;
	want->port = port;
	want->spis = spis;
	want->lease_s = lease_s;
	want->remote_port = remote_port;
	want->listen = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(args, "listen"));
	if (cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(args, "whole-address")))
		want->method = RSIP_METHOD_RSA_IP;
	else
		want->method = spis ? RSIP_METHOD_RSIPSEC : RSIP_METHOD_RSAP_IP;
	if (want->method == RSIP_METHOD_RSA_IP && (ports || spis || want->listen))
		return "a whole address has all its ports and SPIs: ask for neither";
	if (want->listen && (!ports || spis))
		return "a listener has ports and no SPIs";
	if (want->method != RSIP_METHOD_RSA_IP && !ports && !spis)
		return "a binding has 1 to 255 ports, or 1 to 65535 SPIs, or both";
	return NULL;
}

static void reply_full(struct rsip_conn *c)
{
	rsip_conn_reply(c, RSIP_CTL_ERROR,
			"this client cannot hold more bindings: release one that is not needed (rsip-client release BIND)", NULL, -1);
}

static void lease_add(struct rsip_conn *c, const cJSON *args)
{
	struct rsip_session *s = &c->d->session;
	struct rsip_want want = {.purpose = RSIP_FOR_USER};
	const char *wrong = read_wish(args, &want);
	bool chosen = want.addr;
	int i;

	if (wrong) {
		rsip_conn_reply(c, RSIP_CTL_ERROR, wrong, NULL, -1);
		return;
	}
	/* One jail, one address if it can be: a program should not have to choose. */
	for (i = 0; i < RSIP_LEASES_MAX && !want.addr && want.method != RSIP_METHOD_RSA_IP; i++)
		if (s->leases[i].state == RSIP_LEASE_HELD)
			want.addr = s->leases[i].addr;
	i = rsip_session_want(s, &want, true, rsip_daemon_now());
	if (i < 0) {
		reply_full(c);
		return;
	}
	s->leases[i].any_instead = want.addr && !chosen && !want.port;
	c->lease = i;
}

static void lease_remove(struct rsip_conn *c, const cJSON *args)
{
	uint64_t id = rsip_json_get_u64(args, "bind-id", 0);

	if (id > UINT32_MAX || rsip_session_release(&c->d->session, id))
		rsip_conn_reply(c, RSIP_CTL_EMPTY, "this client has no such binding (rsip-client status lists them)", NULL, -1);
	else
		rsip_conn_reply(c, RSIP_CTL_OK, "released", NULL, -1);
}

/* ---- query ---- */

static void query_start(struct rsip_conn *c, const cJSON *args)
{
	const cJSON *item, *list = cJSON_GetObjectItemCaseSensitive(args, "destinations");
	struct rsip_query query = {0};

	cJSON_ArrayForEach (item, list) {
		const char *text = cJSON_GetStringValue(item);
		__be32 mask;

		if (query.tuples == RSIP_QUERY_TUPLES_MAX || !text ||
		    rsip_net4_parse(text, &query.tuple[query.tuples].addr, &mask)) {
			rsip_conn_reply(c, RSIP_CTL_ERROR,
					"a query has at most 16 addresses or networks (A.B.C.D/N)",
					NULL, -1);
			return;
		}
		query.tuple[query.tuples++].mask = mask;
	}
	c->query = query.tag = ++c->d->control->last_query;
	if (rsip_session_query(&c->d->session, &query))
		rsip_conn_reply(c, RSIP_CTL_ERROR, "too many queries wait for the gateway already: try again when it has answered", NULL, -1);
}

static unsigned int prefix_len(__be32 mask)
{
	return __builtin_popcount(mask);
}

static cJSON *tuple_json(const struct rsip_tuple *t)
{
	bool network =
		t->indicator == RSIP_IND_LOCAL_NETWORK || t->indicator == RSIP_IND_REMOTE_NETWORK;
	bool local =
		t->indicator == RSIP_IND_LOCAL_ADDRESS || t->indicator == RSIP_IND_LOCAL_NETWORK;
	cJSON *obj = cJSON_CreateObject();
	char text[40];

	if (network)
		snprintf(text, sizeof(text), "%s/%u", rsip_ip4(t->addr.v4), prefix_len(t->mask));
	else
		snprintf(text, sizeof(text), "%s", rsip_ip4(t->addr.v4));
	cJSON_AddStringToObject(obj, "destination", text);
	cJSON_AddStringToObject(obj, "is", local ? "local" : "remote");
	return obj;
}

static cJSON *query_json(const struct rsip_answer *a)
{
	cJSON *obj = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(obj, "destinations");

	for (unsigned int i = 0; i < a->tuples; i++)
		if (a->tuple[i].addr.type == RSIP_ADDR_IPV4)
			cJSON_AddItemToArray(list, tuple_json(&a->tuple[i]));
	return obj;
}

void rsip_control_queried(struct rsip_daemon *d, uint32_t tag, const struct rsip_answer *a, int err)
{
	char text[400];

	for (int i = 0; d->control && i < RSIP_CONTROL_CONNS; i++) {
		struct rsip_conn *c = &d->control->conns[i];

		if (c->fd < 0 || c->query != tag)
			continue;
		if (err)
			rsip_conn_reply(c, RSIP_CTL_ERROR,
					rsip_advice_text(err, text, sizeof(text)), NULL, -1);
		else
			rsip_conn_reply(c, RSIP_CTL_OK, "destinations", query_json(a), -1);
	}
}

/* ---- strongSwan ---- */

static bool take_setting(struct rsip_settings *set, const char *name, const cJSON *args, char *why,
			 size_t size)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(args, name);
	char text[24];
	uint64_t n;

	if (!item)
		return true;
	if (cJSON_IsString(item))
		return !rsip_settings_set(set, name, item->valuestring, why, size);
	snprintf(text, sizeof(text), "%llu",
		 rsip_json_integer(item, &n) ? (unsigned long long)n : ~0ULL);
	return !rsip_settings_set(set, name, text, why, size);
}

static bool is_root(const struct rsip_conn *c)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) && (!peer.uid || peer.uid == geteuid());
}

/* We write into this folder and speak to this socket with all our rights: whoever may ask us may not say where. */
static bool keeps_paths(const struct rsip_conn *c, const struct rsip_settings *set)
{
	return is_root(c) || (!strcmp(set->strongswan_dir, c->d->set.strongswan_dir) &&
			      !strcmp(set->strongswan_vici, c->d->set.strongswan_vici));
}

static void strongswan_set(struct rsip_conn *c, const cJSON *args)
{
	static const char *const names[] = {"ike-ports", "ike-spis", "lease", "strongswan-dir",
					    "strongswan-vici"};
	struct rsip_settings set = c->d->set;
	char why[160];
	int i;

	for (size_t n = 0; n < RSIP_ARRAY_LEN(names); n++)
		if (!take_setting(&set, names[n], args, why, sizeof(why))) {
			rsip_conn_reply(c, RSIP_CTL_ERROR, why, NULL, -1);
			return;
		}
	if (!keeps_paths(c, &set)) {
		rsip_conn_reply(c, RSIP_CTL_ERROR,
				"only root may name a folder or a socket of strongSwan's (or client.json: strongswan-dir, "
				"strongswan-vici)",
				NULL, -1);
		return;
	}
	i = rsip_daemon_strongswan_on(c->d, &set);
	if (i == -EALREADY)
		rsip_conn_reply(c, RSIP_CTL_OK, "nothing to do", NULL, -1);
	else if (i == -EBUSY)
		rsip_conn_reply(c, RSIP_CTL_ERROR,
				"it is on already, with other IKE ports or another folder: charon "
				"keeps those while it runs (`rsip-client strongswan --off` first)",
				NULL, -1);
	else if (i < 0)
		reply_full(c);
	else
		c->lease = i;
}

static void strongswan_off(struct rsip_conn *c, const cJSON *args)
{
	(void)args;
	if (!c->d->sw.on) {
		rsip_conn_reply(c, RSIP_CTL_EMPTY, "it is not on: no lease is for strongSwan (rsip-client strongswan)", NULL, -1);
		return;
	}
	rsip_daemon_strongswan_off(c->d);
	rsip_conn_reply(c, RSIP_CTL_OK, "off", NULL, -1);
}

/* ---- the rest ---- */

static void status_get(struct rsip_conn *c, const cJSON *args)
{
	(void)args;
	rsip_conn_reply(c, RSIP_CTL_OK, "status", rsip_control_status(c->d), -1);
}

static void namespace_get(struct rsip_conn *c, const cJSON *args)
{
	(void)args;
	rsip_conn_reply(c, RSIP_CTL_OK, c->d->jail.shared ? "host" : "namespace", NULL,
			c->d->jail.fd);
}

static void gateway_move(struct rsip_conn *c, const cJSON *args)
{
	const char *text = rsip_json_get_string(args, "gateway", "");
	const struct rsip_gateways *gs = &c->d->gateways;
	struct rsip_inet addr;
	int to = 0;

	if (*text)
		to = rsip_inet_parse(text, &addr) ? -1 : rsip_gateways_find(gs, &addr);
	if (to < 0 || gs->cnt < 2)
		rsip_conn_reply(c, RSIP_CTL_EMPTY, "not one of this client's gateways (rsip-client status lists them)", NULL, -1);
	else if (gs->at == (unsigned int)to)
		rsip_conn_reply(c, RSIP_CTL_OK, "it is used already", NULL, -1);
	else if (c->d->session.state >= RSIP_SESSION_ENDING || rsip_daemon_go(c->d, to))
		rsip_conn_reply(c, RSIP_CTL_ERROR, "no route leads to it now, or the client is ending: nothing has changed (its log says more)", NULL, -1);
	else
		rsip_conn_reply(c, RSIP_CTL_OK, "moved", NULL, -1);
}

static void reload(struct rsip_conn *c, const cJSON *args)
{
	char text[800];
	int err = rsip_daemon_reload(c->d, text, sizeof(text));

	(void)args;
	rsip_conn_reply(c, err ? RSIP_CTL_ERROR : RSIP_CTL_OK, text, NULL, -1);
}

static void upgrade(struct rsip_conn *c, const cJSON *args)
{
	struct rsip_daemon *d = c->d;
	char why[800];

	(void)args;
	if (rsip_daemon_upgrade_check(d, why, sizeof(why))) {
		rsip_conn_reply(c, RSIP_CTL_ERROR, why, NULL, -1);
		return;
	}
	rsip_conn_reply(c, RSIP_CTL_OK, "going on as the program file that is there now", NULL, -1);
	rsip_daemon_upgrade(d);
}

static void end(struct rsip_conn *c, const cJSON *args)
{
	(void)args;
	c->end = true;
	rsip_daemon_end(c->d);
}

static const struct {
	const char *name;
	void (*run)(struct rsip_conn *c, const cJSON *args);
} commands[] = {
	{"status-get", status_get},
	{"lease-add", lease_add},
	{"lease-remove", lease_remove},
	{"query", query_start},
	{"gateway-move", gateway_move},
	{"strongswan-set", strongswan_set},
	{"strongswan-off", strongswan_off},
	{"reload", reload},
	{"upgrade", upgrade},
	{"shutdown", end},
	{"namespace-get", namespace_get},
};

void rsip_conn_obey(struct rsip_conn *c, const cJSON *root)
{
	const cJSON *args = cJSON_GetObjectItemCaseSensitive(root, "arguments");
	const char *name = rsip_json_get_string(root, "command", "");
	struct rsip_daemon *d = c->d;
	size_t i;

	for (i = 0; i < RSIP_ARRAY_LEN(commands) && strcmp(commands[i].name, name); i++)
		;
	if (i < RSIP_ARRAY_LEN(commands))
		commands[i].run(c, args);
	else
		rsip_conn_reply(c, RSIP_CTL_UNSUPPORTED, "unknown command", NULL, -1);
	rsip_daemon_wake(d);
}
