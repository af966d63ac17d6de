// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* strongswan --check: the path to a peer, in words. */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "commands.h"
#include "json.h"
#include "pathcheck.h"
#include "util.h"

static void show_ike(const struct rsip_path *p, const char *peer)
{
	if (p->ike == RSIP_IKE_ANSWERED && p->notify)
		printf("IKE: comes back from %s in %u us (it answers with notify %u, as it may to "
		       "a stranger)\n",
		       peer, p->ike_us, p->notify);
	else if (p->ike == RSIP_IKE_ANSWERED)
		printf("IKE: comes back from %s in %u us\n", peer, p->ike_us);
	else if (p->ike == RSIP_IKE_UNREACHABLE)
		printf("IKE: does not reach %s: %s says unreachable (ICMP type %u, code %u): is "
		       "its "
		       "IKE running, does a firewall let port 500 in?\n",
		       peer, rsip_ip4(p->icmp_from), p->icmp_type, p->icmp_code);
	else
		printf("IKE: nothing comes back from %s: it does not answer strangers, or "
		       "something "
		       "between drops UDP to or from port 500\n",
		       peer);
}

static void show_esp(const struct rsip_path *p, const char *peer)
{
	unsigned long long in = p->esp_in, out = p->esp_out;

	switch (p->esp) {
	case RSIP_ESP_COMES:
		printf("ESP: comes back from %s%s (%llu packets in, %llu out)\n", peer,
		       p->encap ? ", but inside UDP" : "", in, out);
		break;
	case RSIP_ESP_ONE_WAY:
		if (in)
			printf("ESP: of %llu packets that went to %s just now none came back, though "
			       "%llu did earlier",
			       (unsigned long long)p->esp_out_now, peer, in);
		else
			printf("ESP: %llu packets went to %s and none came back", out, peer);
		printf(": something between drops protocol 50%s%s\n",
		       p->encap ? " or UDP 4500" : "",
		       in ? ", or what they carry has no answer" : "");
		break;
	case RSIP_ESP_UNUSED:
		printf("ESP: SAs with %s are up and have sent nothing: send something (ping the "
		       "other side) and check again\n",
		       peer);
		break;
	case RSIP_ESP_NO_SA:
		printf("ESP: no SA with %s; a probe of protocol 50 met no refusal on its way.  "
		       "Bring "
		       "a connection up and check again: only an SA makes it answer\n",
		       peer);
		break;
	case RSIP_ESP_UNREACHABLE:
		printf("ESP: refused: %s says unreachable (ICMP type %u, code %u%s)\n",
		       rsip_ip4(p->icmp_from), p->icmp_type, p->icmp_code,
		       p->icmp_code == 2 ? ": that host does not know protocol 50" : "");
		break;
	}
}

static void show_path_json(const struct rsip_path *p, const char *peer)
{
	static const char *const ike[] = {"answered", "silent", "unreachable"};
	static const char *const esp[] = {"comes-back", "one-way", "unused", "no-sa",
					  "unreachable"};
	cJSON *obj = cJSON_CreateObject();
	char *text;

	cJSON_AddStringToObject(obj, "peer", peer);
	cJSON_AddStringToObject(obj, "ike", ike[p->ike]);
	rsip_json_add_u64(obj, "ike-notify", p->notify);
	cJSON_AddStringToObject(obj, "esp", esp[p->esp]);
	cJSON_AddBoolToObject(obj, "esp-in-udp", p->encap);
	rsip_json_add_u64(obj, "esp-in-packets", p->esp_in);
	rsip_json_add_u64(obj, "esp-out-packets", p->esp_out);
	rsip_json_add_u64(obj, "esp-in-packets-now", p->esp_in_now);
	rsip_json_add_u64(obj, "esp-out-packets-now", p->esp_out_now);
	if (p->icmp_from)
		rsip_json_add_ip4(obj, "icmp-from", p->icmp_from);
	text = cJSON_Print(obj);
	printf("%s\n", text ? text : "{}");
	cJSON_free(text);
	cJSON_Delete(obj);
}

static int enter_namespace(struct rsip_cli *cli)
{
	cJSON *answer;
	int netns, status = RSIP_EXIT_DONE;
	int result = rsip_ask(cli->set.socket, "namespace-get", NULL, &answer, &netns);

	if (result || netns < 0) {
		status = rsip_show_failure(cli, result ? result : -EPROTO, answer);
	} else if (setns(netns, CLONE_NEWNET)) {
		fprintf(stderr,
			"rsip-client: cannot enter the network namespace: %s (run as root)\n",
			strerror(errno));
		status = RSIP_EXIT_FAILED;
	}
	if (netns >= 0)
		close(netns);
	cJSON_Delete(answer);
	return status;
}

int rsip_cmd_check_path(struct rsip_cli *cli)
{
	const cJSON *sw;
	struct rsip_path path;
	__be32 addr, peer;
	cJSON *answer;
	int err, status = rsip_ask(cli->set.socket, "status-get", NULL, &answer, NULL);
	uint32_t label;
	uint16_t port;

	sw = cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(answer, "arguments"),
					      "strongswan");
	if (status) {
		status = rsip_show_failure(cli, status, answer);
	} else if (!sw) {
		fprintf(stderr, "rsip-client: there is nothing to check from: `rsip-client "
				"strongswan` first\n");
		status = RSIP_EXIT_NOTHING;
	}
	rsip_ip4_parse(rsip_json_get_string(sw, "address", "0.0.0.0"), &addr);
	label = strtoul(rsip_json_get_string(sw, "label", "0"), NULL, 0);
	port = rsip_json_get_u64(sw, "port", 500);
	cJSON_Delete(answer);
	if (!status)
		status = enter_namespace(cli);
	if (status)
		return status;
	rsip_ip4_parse(cli->charon.check, &peer);
	err = rsip_path_check(addr, port, label, peer, &path);
	if (err) {
		fprintf(stderr, "rsip-client: cannot check the path: %s\n", strerror(-err));
		return RSIP_EXIT_FAILED;
	}
	if (cli->json) {
		show_path_json(&path, cli->charon.check);
	} else {
		show_ike(&path, cli->charon.check);
		show_esp(&path, cli->charon.check);
	}
	return path.ike == RSIP_IKE_ANSWERED && path.esp != RSIP_ESP_ONE_WAY &&
			       path.esp != RSIP_ESP_UNREACHABLE
		       ? RSIP_EXIT_DONE
		       : RSIP_EXIT_FAILED;
}
