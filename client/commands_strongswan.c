// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* strongswan: lease for a charon, configure it, judge its connections. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "commands.h"
#include "json.h"
#include "swancheck.h"
#include "util.h"

#define RSIP_SWANCTL_CONF "/etc/swanctl/swanctl.conf"

static const cJSON *member(const cJSON *obj, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(obj, name);
}

/* The status' "arguments"; 0 or an exit status, with what went wrong shown. */
static int get_status(struct rsip_cli *cli, cJSON **answer, const cJSON **args)
{
	int result = rsip_ask(cli->set.socket, "status-get", NULL, answer, NULL);

	*args = member(*answer, "arguments");
	return result ? rsip_show_failure(cli, result, *answer) : RSIP_EXIT_DONE;
}

static int switch_on(struct rsip_cli *cli)
{
	cJSON *args = cJSON_CreateObject();

	rsip_json_add_u64(args, "ike-ports", cli->set.ike_ports);
	rsip_json_add_u64(args, "ike-spis", cli->set.charon_spis);
	rsip_json_add_u64(args, "lease", cli->set.lease);
	cJSON_AddStringToObject(args, "strongswan-dir", cli->set.strongswan_dir);
	cJSON_AddStringToObject(args, "strongswan-vici", cli->set.strongswan_vici);
	return rsip_order(cli, "strongswan-set", args, NULL);
}

/* ---- its connections ---- */

/* "4000-4007" or "4000", decimal or hex: first and count; false: no numbers. */
static bool read_span(const cJSON *item, uint32_t *first, uint32_t *cnt)
{
	const char *text = cJSON_GetStringValue(item);
	char *end;
	unsigned long a, b;

	if (!text)
		return false;
	a = b = strtoul(text, &end, 0);
	if (*end == '-')
		b = strtoul(end + 1, &end, 0);
	*first = a;
	*cnt = b - a + 1;
	return !*end;
}

static void read_lease(const cJSON *args, struct rsip_swan_lease *lease)
{
	const cJSON *sw = member(args, "strongswan"), *b, *span;
	const char *addr = rsip_json_get_string(sw, "address", "0.0.0.0");
	uint32_t first, cnt;

	memset(lease, 0, sizeof(*lease));
	rsip_ip4_parse(addr, &lease->addr);
	lease->port = rsip_json_get_u64(sw, "port", 500);
	if (lease->port == 500)
		lease->port = 0;
	cJSON_ArrayForEach (span, member(sw, "spis"))
		if (read_span(span, &first, &cnt))
			lease->spis += cnt;
	cJSON_ArrayForEach (b, member(args, "bindings")) {
		if (strcmp(rsip_json_get_string(b, "address", ""), addr))
			continue;
		cJSON_ArrayForEach (span, member(b, "ports"))
			if (read_span(span, &first, &cnt))
				rsip_portset_add(&lease->ports, first, cnt);
	}
}

struct findings {
	cJSON *list;
	bool refused;
};

static void on_found(void *ctx, bool refuse, const char *conn, const char *text)
{
	struct findings *f = ctx;
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "connection", conn);
	cJSON_AddBoolToObject(obj, "refused", refuse);
	cJSON_AddStringToObject(obj, "text", text);
	cJSON_AddItemToArray(f->list, obj);
	f->refused |= refuse;
}

/* False: the file cannot be read. */
static bool judge(const struct rsip_cli *cli, const cJSON *args, struct findings *f)
{
	const char *path = cli->charon.conns ? cli->charon.conns : RSIP_SWANCTL_CONF;
	const struct rsip_swan_sink sink = {f, on_found};
	struct rsip_swan_lease lease;
	struct rsip_swan *conf;
	char why[400];

	if (!cli->charon.conns && access(path, F_OK))
		return true; /* no connections yet */
	if (rsip_swan_read(path, &conf, why, sizeof(why))) {
		fprintf(stderr, "rsip-client: cannot read the connections: %s\n", why);
		return false;
	}
	read_lease(args, &lease);
	rsip_swan_check(conf, &lease, &sink);
	rsip_swan_free(conf);
	return true;
}

static void show_findings(const struct findings *f)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, f->list)
		fprintf(stderr, "%s: connection %s: %s\n",
			cJSON_IsTrue(member(item, "refused")) ? "refused" : "note",
			rsip_json_get_string(item, "connection", "?"),
			rsip_json_get_string(item, "text", "?"));
}

/* ---- what became of it ---- */

static void show(const struct rsip_cli *cli, const cJSON *args, const struct findings *f)
{
	const cJSON *sw = member(args, "strongswan");
	const char *netns = rsip_json_get_string(member(args, "tunnel"), "namespace", "");
	cJSON *copy;
	char *text;

	if (!cli->json && !*netns) {
		rsip_show_strongswan(sw);
		printf("\nThese settings hold for all connections of that charon; its local_addrs "
		       "is "
		       "the leased address.\n");
		return;
	}
	if (!cli->json) {
		rsip_show_strongswan(sw);
		printf("\nThese settings hold for all connections of that charon.  It must run "
		       "where the leased\naddress is: `rsip-client exec -- COMMAND`, or "
		       "NetworkNamespacePath=%s in its\nunit.  A host that serves other peers, "
		       "too, gives RSIP a second charon: rsip-charon.service.\n",
		       netns);
		return;
	}
	copy = cJSON_Duplicate(sw, true);
	cJSON_AddItemToObject(copy, "connections", cJSON_Duplicate(f->list, true));
	text = cJSON_Print(copy);
	printf("%s\n", text ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(copy);
}

/* False: there is no file, and it has been said why. */
static bool is_written(const cJSON *sw)
{
	const char *file = rsip_json_get_string(sw, "file", ""), *err = rsip_json_get_string(sw, "file-error", NULL);

	if (err)
		fprintf(stderr, "rsip-client: cannot write %s: %s: is strongSwan installed? Make the folder, make it writable, "
				"or name another with --strongswan-dir\n",
			file, err);
	else if (!sw)
		fprintf(stderr, "rsip-client: the lease for strongSwan is gone again (the client's log says why)\n");
	return sw && !err;
}

/* Are all connections such as can work, or does the user want them all the same?  Says what there is to say. */
static bool is_fit(struct rsip_cli *cli, const cJSON *args, struct findings *f)
{
	bool fit = judge(cli, args, f) && (!f->refused || cli->charon.force);

	if (!cli->json || !fit)
		show_findings(f);
	if (!fit)
		fprintf(stderr, "rsip-client: mend these connections and try again, or use --force\n");
	return fit;
}

/* was_on: what does not work now is no reason to take away what works already. */
static int finish(struct rsip_cli *cli, bool was_on)
{
	struct findings f = {cJSON_CreateArray(), false};
	const cJSON *args;
	cJSON *answer;
	int status = get_status(cli, &answer, &args);

	if (!status && is_written(member(args, "strongswan")) && is_fit(cli, args, &f)) {
		show(cli, args, &f);
	} else if (!status) {
		if (!was_on)
			rsip_order(cli, "strongswan-off", NULL, NULL);
		status = RSIP_EXIT_FAILED;
	}
	cJSON_Delete(f.list);
	cJSON_Delete(answer);
	return status;
}

int rsip_cmd_strongswan(struct rsip_cli *cli)
{
	const cJSON *args;
	cJSON *answer;
	bool was_on;
	int status;

	if (cli->charon.check)
		return rsip_cmd_check_path(cli);
	if (cli->charon.off)
		return rsip_order(cli, "strongswan-off", NULL, NULL);
	status = get_status(cli, &answer, &args);
	was_on = member(args, "strongswan");
	cJSON_Delete(answer);
	status = status ? status : switch_on(cli);
	return status ? status : finish(cli, was_on);
}
