// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * manual: a pair of SAs without IKE, as `ip xfrm` commands for both ends (RFC 3104 5: "manual
 * assignment").  AES-CBC and HMAC-SHA-256: RFC 4106 2 forbids GCM with keys that are not fresh.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "commands.h"
#include "json.h"
#include "manual.h"
#include "util.h"

static int lease_spi(struct rsip_cli *cli, struct rsip_manual *m, uint64_t *bind_id)
{
	cJSON *args = cJSON_CreateObject(), *answer;
	const cJSON *b;
	int result, status = RSIP_EXIT_DONE;

	rsip_json_add_u64(args, "spis", 1);
	rsip_json_add_u64(args, "lease", cli->set.lease);
	result = rsip_ask(cli->set.socket, "lease-add", args, &answer, NULL);
	b = cJSON_GetObjectItemCaseSensitive(answer, "arguments");
	if (result) {
		status = rsip_show_failure(cli, result, answer);
	} else {
		const cJSON *spi =
			cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(b, "spis"), 0);

		m->spi_in = strtoul(cJSON_GetStringValue(spi) ? cJSON_GetStringValue(spi) : "0",
				    NULL, 0);
		rsip_ip4_parse(rsip_json_get_string(b, "address", "0.0.0.0"), &m->local);
		*bind_id = rsip_json_get_u64(b, "bind-id", 0);
	}
	cJSON_Delete(answer);
	return status;
}

static void give_back(struct rsip_cli *cli, uint64_t bind_id)
{
	cJSON *args = cJSON_CreateObject(), *answer;

	rsip_json_add_u64(args, "bind-id", bind_id);
	rsip_ask(cli->set.socket, "lease-remove", args, &answer, NULL);
	cJSON_Delete(answer);
}

static int apply(struct rsip_cli *cli, const char *script)
{
	cJSON *answer;
	int netns, rc = 0,
		   result = rsip_ask(cli->set.socket, "namespace-get", NULL, &answer, &netns);
	pid_t pid;

	if (result || netns < 0) {
		rc = rsip_show_failure(cli, result ? result : -EPROTO, answer);
		cJSON_Delete(answer);
		return rc;
	}
	cJSON_Delete(answer);
	pid = fork();
	if (!pid) {
		if (setns(netns, CLONE_NEWNET))
			_exit(126);
		execl("/bin/sh", "sh", "-e", "-c", script, (char *)NULL);
		_exit(127);
	}
	close(netns);
	if (pid < 0 || waitpid(pid, &rc, 0) < 0 || rc) {
		fprintf(stderr,
			"rsip-client: the host's half could not be set up (does this kernel "
			"have ESP and AH?)\n");
		return RSIP_EXIT_FAILED;
	}
	return RSIP_EXIT_DONE;
}

static void show(const struct rsip_cli *cli, const char *host, const char *peer, uint64_t bind_id)
{
	cJSON *obj;
	char *text;

	if (!cli->json) {
		printf("# %s (SAs and policies go with its namespace, or by the last two lines; "
		       "then\n"
		       "# rsip-client release %llu)\n%s# ip xfrm state flush\n# ip xfrm policy "
		       "flush\n\n"
		       "# on the peer\n%s",
		       cli->manual.apply ? "done on this host"
					 : "on this host: rsip-client exec -- sh -c '...'",
		       (unsigned long long)bind_id, host, peer);
		return;
	}
	obj = cJSON_CreateObject();
	rsip_json_add_u64(obj, "bind-id", bind_id);
	cJSON_AddStringToObject(obj, "host", host);
	cJSON_AddStringToObject(obj, "peer", peer);
	text = cJSON_Print(obj);
	printf("%s\n", text ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(obj);
}

int rsip_cmd_manual(struct rsip_cli *cli)
{
	struct rsip_manual m = {.ah = cli->manual.ah, .spi_out = cli->manual.spi_out};
	char host[RSIP_MANUAL_TEXT], peer[RSIP_MANUAL_TEXT];
	uint64_t bind_id = 0;
	int status;

	if (rsip_ip4_parse(cli->args[0], &m.peer) ||
	    (cli->manual.inner && rsip_ip4_parse(cli->manual.inner, &m.inner))) {
		fprintf(stderr, "rsip-client: manual: an IPv4 address is needed, not '%s'\n",
			cli->args[0]);
		return RSIP_EXIT_USAGE;
	}
	while (m.spi_out < 256)
		rsip_random(&m.spi_out, sizeof(m.spi_out));
	rsip_random(m.keys, sizeof(m.keys));
	status = lease_spi(cli, &m, &bind_id);
	if (status)
		return status;
	rsip_manual_text(&m, false, host);
	rsip_manual_text(&m, true, peer);
	if (cli->manual.apply)
		status = apply(cli, host);
	if (status)
		give_back(cli, bind_id);
	else
		show(cli, host, peer, bind_id);
	return status;
}
