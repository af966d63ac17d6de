/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* strongswan: lease for a charon, check its connections, configure it. */
#include <stdio.h>
#include "commands.h"
#include "json.h"

static int switch_off(struct rsip_cli *cli)
{
	cJSON *answer;
	int result = rsip_ask(cli->set.socket, "strongswan-off", NULL, &answer, NULL);
	int status = result ? rsip_show_failure(cli, result, answer) : RSIP_EXIT_DONE;

	cJSON_Delete(answer);
	return status;
}

static int switch_on(struct rsip_cli *cli)
{
	cJSON *args = cJSON_CreateObject(), *answer;
	int result, status;

	rsip_json_add_u64(args, "ike-ports", cli->set.ike_ports);
	rsip_json_add_u64(args, "ike-spis", cli->set.charon_spis);
	rsip_json_add_u64(args, "lease", cli->set.lease);
	cJSON_AddStringToObject(args, "strongswan-dir", cli->set.strongswan_dir);
	cJSON_AddStringToObject(args, "strongswan-vici", cli->set.strongswan_vici);
	result = rsip_ask(cli->set.socket, "strongswan-set", args, &answer, NULL);
	status = result ? rsip_show_failure(cli, result, answer) : RSIP_EXIT_DONE;
	cJSON_Delete(answer);
	return status;
}

static int show(struct rsip_cli *cli)
{
	const cJSON *args, *sw;
	cJSON *answer;
	int result = rsip_ask(cli->set.socket, "status-get", NULL, &answer, NULL);
	int status = RSIP_EXIT_DONE;
	char *text;

	args = cJSON_GetObjectItemCaseSensitive(answer, "arguments");
	sw = cJSON_GetObjectItemCaseSensitive(args, "strongswan");
	if (result) {
		status = rsip_show_failure(cli, result, answer);
	} else if (!sw) {
		fprintf(stderr, "rsip-client: the drop-in could not be written (the client's log "
				"says why)\n");
		status = RSIP_EXIT_FAILED;
	} else if (cli->json) {
		text = cJSON_Print(sw);
		printf("%s\n", text ? text : "{}");
		cJSON_free(text);
	} else {
		rsip_show_strongswan(sw);
		printf("\nThese settings hold for all connections of that charon.  It must run in "
		       "the namespace\nof the leased address: `rsip-client exec -- COMMAND`, or "
		       "NetworkNamespacePath=%s\nin its unit.  For a host that also serves other "
		       "peers: rsip-charon.service, a second charon.\n",
		       rsip_json_get_string(cJSON_GetObjectItemCaseSensitive(args, "tunnel"),
					    "namespace", "?"));
	}
	cJSON_Delete(answer);
	return status;
}

int rsip_cmd_strongswan(struct rsip_cli *cli)
{
	int status;

	if (cli->charon.off)
		return switch_off(cli);
	status = switch_on(cli);
	return status ? status : show(cli);
}
