// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lease, release, query. */
#include <stdio.h>
#include <stdlib.h>
#include "commands.h"
#include "json.h"

static void show_json(const cJSON *obj)
{
	char *text = cJSON_Print(obj);

	printf("%s\n", text ? text : "{}");
	free(text);
}

static cJSON *wish_json(const struct rsip_cli *cli)
{
	cJSON *args = cJSON_CreateObject();

	rsip_json_add_u64(args, "ports", cli->lease.whole ? 0 : cli->set.ports);
	rsip_json_add_u64(args, "spis", cli->set.spis);
	rsip_json_add_u64(args, "port", cli->lease.port);
	rsip_json_add_u64(args, "lease", cli->set.lease);
	if (cli->lease.address)
		cJSON_AddStringToObject(args, "address", cli->lease.address);
	if (cli->lease.remote)
		cJSON_AddStringToObject(args, "remote", cli->lease.remote);
	rsip_json_add_u64(args, "remote-port", cli->lease.remote_port);
	cJSON_AddBoolToObject(args, "listen", cli->lease.listen);
	cJSON_AddBoolToObject(args, "whole-address", cli->lease.whole);
	return args;
}

static void show_lease(const struct rsip_cli *cli, const cJSON *answer)
{
	const cJSON *b = cJSON_GetObjectItemCaseSensitive(answer, "arguments");

	if (cli->json)
		show_json(b);
	else
		rsip_show_binding(b);
}

int rsip_cmd_lease(struct rsip_cli *cli)
{
	if ((cli->lease.port || cli->lease.listen) && !cli->set.method_set)
		cli->set.ports = 1;
	return rsip_order(cli, "lease-add", wish_json(cli), show_lease);
}

int rsip_cmd_release(struct rsip_cli *cli)
{
	cJSON *args = cJSON_CreateObject();
	char *end;

	rsip_json_add_u64(args, "bind-id", strtoull(cli->args[0], &end, 0));
	if (*end || end == cli->args[0]) {
		fprintf(stderr,
			"rsip-client: release: a bind ID is needed, not '%s' (see rsip-client "
			"status)\n",
			cli->args[0]);
		cJSON_Delete(args);
		return RSIP_EXIT_USAGE;
	}
	return rsip_order(cli, "lease-remove", args, NULL);
}

int rsip_cmd_move(struct rsip_cli *cli)
{
	cJSON *args = cJSON_CreateObject();

	if (cli->arg_cnt)
		cJSON_AddStringToObject(args, "gateway", cli->args[0]);
	return rsip_order(cli, "gateway-move", args, NULL);
}

/* RFC 3103 9.15.3: what the gateway does not name is to be taken as remote. */
static void show_query(const struct rsip_cli *cli, const cJSON *answer)
{
	const cJSON *told = cJSON_GetObjectItemCaseSensitive(answer, "arguments"), *item;

	if (cli->json) {
		show_json(told);
		return;
	}
	cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(told, "destinations"))
		printf("%s: %s\n", rsip_json_get_string(item, "destination", "?"), rsip_json_get_string(item, "is", "?"));
	if (cli->arg_cnt)
		printf("everything else: remote, as far as the gateway knows\n");
}

int rsip_cmd_query(struct rsip_cli *cli)
{
	cJSON *args = cJSON_CreateObject();
	cJSON *list = cJSON_AddArrayToObject(args, "destinations");

	for (int i = 0; i < cli->arg_cnt; i++)
		cJSON_AddItemToArray(list, cJSON_CreateString(cli->args[i]));
	return rsip_order(cli, "query", args, show_query);
}
