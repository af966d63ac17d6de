// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Events for who has subscribed: what they say, and events-subscribe.  ctl_socket.c sends them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl.h"
#include "hosts6.h"
#include "json.h"
#include "util.h"

static const char *const kind_names[] = {
#define X(sym, name) name,
	RSIP_CTL_EVENT_TABLE(X)
#undef X
};

static cJSON *begin(const char *event)
{
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "event", event);
	return obj;
}

cJSON *rsip_ctl_event_lease(struct rsip_ctl_context *ctx, const struct rsip_lease_client *c, const struct rsip_lease_bind *b,
			    const char *ended, uint64_t now_ns)
{
	const struct rsip_ctl_call call = { .ctx = ctx, .now_ns = now_ns };
	cJSON *obj = begin(ended ? "binding-end" : "binding-start");

	if (ended)
		cJSON_AddStringToObject(obj, "reason", ended);
	cJSON_AddItemToObject(obj, "binding", rsip_ctl_show_bind(&call, c, b));
	return obj;
}

cJSON *rsip_ctl_event_client(const struct rsip_lease_client *c, const char *ended)
{
	cJSON *obj = begin(ended ? "client-end" : "client-start");

	if (ended)
		cJSON_AddStringToObject(obj, "reason", ended);
	rsip_json_add_u64(obj, "client-id", c->client_id);
	cJSON_AddStringToObject(obj, "host", rsip_host_text(c->host));
	cJSON_AddStringToObject(obj, "transport", rsip_transport_name(c->transport));
	return obj;
}

cJSON *rsip_ctl_event_path(const struct rsip_lease_client *c)
{
	cJSON *obj = begin("path-mtu");

	rsip_json_add_u64(obj, "client-id", c->client_id);
	cJSON_AddStringToObject(obj, "host", rsip_host_text(c->host));
	rsip_json_add_u64(obj, "path-mtu", c->path_mtu);
	return obj;
}

cJSON *rsip_ctl_event_violation(const struct rsip_event *v)
{
	cJSON *obj = begin("violation");

	cJSON_AddStringToObject(obj, "reason", rsip_counter_name(v->reason) ? rsip_counter_name(v->reason) : "unknown");
	cJSON_AddStringToObject(obj, "host", rsip_host_text(v->host));
	rsip_json_add_ip4(obj, "local", v->local);
	rsip_json_add_ip4(obj, "remote", v->remote);
	rsip_json_add_u64(obj, "protocol", v->proto);
	rsip_json_add_u64(obj, "local-port", v->local_port);
	rsip_json_add_u64(obj, "remote-port", v->remote_port);
	rsip_json_add_u64(obj, "bind-id", v->bind_id);
	return obj;
}

cJSON *rsip_ctl_event_refusal(const struct rsip_from *from, uint8_t type, enum rsip_err err)
{
	cJSON *obj = begin("refusal");

	rsip_json_add_u64(obj, "error", (uint64_t)err);
	cJSON_AddStringToObject(obj, "reason", rsip_err_name(err));
	cJSON_AddStringToObject(obj, "request", rsip_msg_name(type));
	cJSON_AddStringToObject(obj, "host", rsip_host_text(from->addr));
	return obj;
}

enum rsip_ctl_event rsip_ctl_refusal_kind(enum rsip_err err)
{
	switch (err) {
	case RSIP_ERR_REGISTRATION_DENIED:
	case RSIP_ERR_LOCAL_ADDR_UNAVAILABLE:
	case RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE:
	case RSIP_ERR_IPSEC_SPI_UNAVAILABLE:
		return RSIP_CTL_EVENT_LIMITS;
	case RSIP_ERR_FLOW_POLICY_VIOLATION:
	case RSIP_ERR_LOCAL_ADDR_UNALLOWED:
	case RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED:
	case RSIP_ERR_REMOTE_ADDR_UNALLOWED:
	case RSIP_ERR_REMOTE_ADDRPORT_UNALLOWED:
	case RSIP_ERR_IPSEC_UNALLOWED:
		return RSIP_CTL_EVENT_VIOLATIONS;
	default:
		return RSIP_CTL_EVENT_CNT;
	}
}

char *rsip_ctl_event_line(cJSON *event, uint64_t wall_ns)
{
	time_t s = (time_t)(wall_ns / RSIP_NS_PER_S);
	char when[32], text[48], *line, *out;
	struct tm tm;
	size_t len;

	gmtime_r(&s, &tm);
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text, sizeof(text), "%s.%06uZ", when, (unsigned int)(wall_ns % RSIP_NS_PER_S / 1000));
	cJSON_AddStringToObject(event, "time", text);
	line = cJSON_PrintUnformatted(event);
	if (!line)
		return NULL;
	len = strlen(line);
	out = realloc(line, len + 2);
	if (!out) {
		free(line);
		return NULL;
	}
	memcpy(out + len, "\n", 2);
	return out;
}

/* ---- events-subscribe --------------------------------------------------------------------------------------------- */

static int kind_of(const cJSON *item)
{
	const char *text = cJSON_GetStringValue(item);

	for (int i = 0; text && i < RSIP_CTL_EVENT_CNT; i++)
		if (!strcmp(text, kind_names[i]))
			return i;
	return -1;
}

enum rsip_ctl_result rsip_ctl_fn_EVENTS_SUBSCRIBE(struct rsip_ctl_call *call)
{
	const cJSON *kinds = cJSON_GetObjectItemCaseSensitive(call->args, "kinds"), *item;
	uint32_t want = kinds ? 0 : (1U << RSIP_CTL_EVENT_CNT) - 1;
	cJSON *list;

	if (kinds && !cJSON_IsArray(kinds))
		return rsip_ctl_say(call, RSIP_CTL_ERROR, "kinds must be a list: bindings, violations, limits");
	cJSON_ArrayForEach (item, kinds) {
		int kind = kind_of(item);

		if (kind < 0)
			return rsip_ctl_say(call, RSIP_CTL_ERROR, "kinds are bindings, violations and limits");
		want |= 1U << kind;
	}
	call->peer->events = want;
	list = cJSON_AddArrayToObject(call->out, "kinds");
	for (int i = 0; i < RSIP_CTL_EVENT_CNT; i++)
		if (want & 1U << i)
			cJSON_AddItemToArray(list, cJSON_CreateString(kind_names[i]));
	return rsip_ctl_say(call, RSIP_CTL_OK, want ? "events follow" : "no more events");
}
