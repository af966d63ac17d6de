// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* check: what `up` would do with these settings, as far as that can be said without doing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "auth.h"
#include "commands.h"
#include "gateways.h"
#include "json.h"
#include "tunnel.h"
#include "way.h"

struct findings {
	cJSON *root, *problems, *gateways;
	unsigned int ways; /* gateways that a route leads to */
};

static void problem(struct findings *f, const char *text)
{
	cJSON_AddItemToArray(f->problems, cJSON_CreateString(text));
}

static void look_at_gateway(struct findings *f, const struct rsip_settings *set, const struct rsip_inet *gateway)
{
	cJSON *obj = cJSON_CreateObject();
	struct rsip_link link;
	struct rsip_way way;
	struct rsip_nl *nl;
	char why[200];
	int err = rsip_way_find(gateway, set->interface, &way, why, sizeof(why));

	cJSON_AddItemToArray(f->gateways, obj);
	cJSON_AddStringToObject(obj, "address", err ? rsip_inet_text(gateway) : rsip_inet_text(&way.gateway));
	if (err) {
		cJSON_AddStringToObject(obj, "why-not", why);
		return;
	}
	f->ways++;
	cJSON_AddStringToObject(obj, "private-address", rsip_inet_text(&way.local));
	cJSON_AddStringToObject(obj, "interface", way.nic_name);
	if (rsip_nl_open(&nl))
		return;
	if (!rsip_nl_link_get_index(nl, way.nic, &link))
		rsip_json_add_u64(obj, "tunnel-mtu", rsip_tunnel_mtu_over(link.mtu, rsip_settings_tunnel(set), way.gateway.family));
	rsip_nl_close(nl);
}

static void look_at_gateways(struct findings *f, const struct rsip_settings *set)
{
	const struct rsip_inet router = {0};
	struct rsip_gateways gs;

	rsip_gateways_parse(&gs, set->gateway); /* which the settings' own check has done */
	for (unsigned int i = 0; i < gs.cnt; i++)
		look_at_gateway(f, set, &gs.g[i].addr);
	if (!gs.cnt)
		look_at_gateway(f, set, &router);
}

static void look_at_system(struct findings *f, const struct rsip_settings *set)
{
	struct rsip_auth_key key;
	struct rsip_link link;
	struct rsip_nl *nl;
	char why[400];

	if (rsip_settings_key(set, &key, why, sizeof(why)))
		problem(f, why);
	explicit_bzero(&key, sizeof(key));
	if (geteuid())
		problem(f, "not run as root: `up` needs to be (or CAP_NET_ADMIN, CAP_NET_RAW, CAP_SYS_ADMIN and CAP_BPF)");
	if (set->strongswan && access(set->strongswan_dir, W_OK)) {
		snprintf(why, sizeof(why), "strongswan-dir: cannot write to %s: is strongSwan installed?", set->strongswan_dir);
		problem(f, why);
	}
	if (rsip_nl_open(&nl))
		return;
	if (!rsip_nl_link_get(nl, set->device, &link) && access(set->socket, F_OK)) {
		snprintf(why, sizeof(why), "device: %s exists, and no client of ours has made it: choose another name", set->device);
		problem(f, why);
	}
	rsip_nl_close(nl);
}

static void plan(struct findings *f, const struct rsip_settings *set)
{
	cJSON *lease = cJSON_AddObjectToObject(f->root, "lease");

	if (set->whole_address)
		cJSON_AddBoolToObject(lease, "whole-address", true);
	rsip_json_add_u64(lease, "ports", set->ports);
	rsip_json_add_u64(lease, "spis", set->spis);
	if (*set->listen)
		cJSON_AddStringToObject(lease, "listen", set->listen);
	if (set->strongswan) {
		rsip_json_add_u64(lease, "ike-ports", set->ike_ports);
		rsip_json_add_u64(lease, "ike-spis", set->charon_spis);
	}
	cJSON_AddStringToObject(f->root, "transport", set->transport);
	cJSON_AddStringToObject(f->root, "tunnel-type", set->tunnel_type);
	cJSON_AddStringToObject(f->root, "place", set->place);
	cJSON_AddStringToObject(f->root, "device", set->device);
}

static void show(const struct findings *f, const struct rsip_settings *set)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, f->gateways) {
		const char *why = rsip_json_get_string(item, "why-not", NULL), *addr = rsip_json_get_string(item, "address", "");

		printf("gateway: %s", *addr ? addr : "the default router");
		if (why)
			printf(": %s\n", why);
		else
			printf(" (%s), from %s on %s\n", set->transport, rsip_json_get_string(item, "private-address", "?"),
			       rsip_json_get_string(item, "interface", "?"));
	}
	printf("lease: ");
	if (set->whole_address)
		printf("an address of its own%s", set->ports || set->spis ? ", " : "");
	if (set->ports)
		printf("%u ports, up to %u on demand", set->ports, set->ports_max > set->ports ? set->ports_max : set->ports);
	if (set->spis)
		printf("%s%u SPIs", set->ports ? ", " : "", set->spis);
	if (*set->listen)
		printf(", for services: %s", set->listen);
	if (set->strongswan)
		printf(", for strongSwan: %u IKE ports and %u SPIs", set->ike_ports, set->charon_spis);
	printf("\ntunnel: %s, device %s, place %s\n", set->tunnel_type, set->device, set->place);
	cJSON_ArrayForEach (item, f->problems)
		printf("problem: %s\n", cJSON_GetStringValue(item));
	if (!cJSON_GetArraySize(f->problems))
		printf("nothing is wrong; the gateway was not asked\n");
}

int rsip_cmd_check(struct rsip_cli *cli)
{
	struct findings f = {.root = cJSON_CreateObject()};
	char *text;
	int status;

	f.gateways = cJSON_AddArrayToObject(f.root, "gateways");
	look_at_gateways(&f, &cli->set);
	plan(&f, &cli->set);
	f.problems = cJSON_AddArrayToObject(f.root, "problems");
	if (!f.ways)
		problem(&f, "there is no way to a gateway now: a service waits for one, `up` at a terminal fails");
	look_at_system(&f, &cli->set);
	status = cJSON_GetArraySize(f.problems) ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
	if (cli->json) {
		text = cJSON_Print(f.root);
		printf("%s\n", text ? text : "{}");
		free(text);
	} else {
		show(&f, &cli->set);
	}
	cJSON_Delete(f.root);
	return status;
}
