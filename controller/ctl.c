// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctl.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "util.h"

static const struct command {
	const char *name, *text, *args;
	bool changes;
	rsip_ctl_fn fn;
} commands[] = {
#define X(sym, name, text, args, changes) {name, text, args, changes, rsip_ctl_fn_##sym},
	RSIP_CTL_TABLE(X)
#undef X
};

enum rsip_ctl_result rsip_ctl_say(struct rsip_ctl_call *call, enum rsip_ctl_result result,
				  const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->text, sizeof(call->text), fmt, ap);
	va_end(ap);
	return result;
}

int rsip_ctl_arg(struct rsip_ctl_call *call, const char *name, uint64_t max, uint64_t *value)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(call->args, name);

	if (!item)
		return 0;
	if (rsip_json_integer(item, value) && *value <= max)
		return 1;
	rsip_ctl_say(call, RSIP_CTL_ERROR, "%s must be a whole number of at most %llu", name,
		     (unsigned long long)max);
	return -1;
}

/* spec is the list of arguments as list-commands shows it: "client-id or host", "[from] [limit]".
 */
static bool in_spec(const char *spec, const char *name)
{
	size_t len = strlen(name);

	while (*spec) {
		size_t word;

		spec += strspn(spec, "[] ");
		word = strcspn(spec, "[] ");
		if (len && word == len && !strncmp(spec, name, len) && strcmp(name, "or"))
			return true;
		spec += word;
	}
	return false;
}

static bool args_known(struct rsip_ctl_call *call, const struct command *cmd)
{
	const cJSON *item;
	char buf[48];

	if (call->args && !cJSON_IsObject(call->args)) {
		rsip_ctl_say(call, RSIP_CTL_ERROR, "arguments must be an object");
		return false;
	}
	cJSON_ArrayForEach (item, call->args) {
		if (in_spec(cmd->args, item->string))
			continue;
		rsip_ctl_say(call, RSIP_CTL_ERROR, "%s has no argument \"%s\"; it takes: %s",
			     cmd->name, rsip_json_printable(item->string, buf, sizeof(buf)),
			     *cmd->args ? cmd->args : "none");
		return false;
	}
	return true;
}

static enum rsip_ctl_result run(struct rsip_ctl_call *call, const cJSON *request)
{
	const cJSON *name = cJSON_GetObjectItemCaseSensitive(request, "command"), *item;
	char buf[48];

	cJSON_ArrayForEach (item, request)
		if (strcmp(item->string, "command") && strcmp(item->string, "arguments"))
			return rsip_ctl_say(call, RSIP_CTL_ERROR,
					    "unknown key \"%s\": command, arguments",
					    rsip_json_printable(item->string, buf, sizeof(buf)));
	if (!cJSON_IsString(name))
		return rsip_ctl_say(call, RSIP_CTL_ERROR, "command is missing or is no string");
	for (size_t i = 0; i < RSIP_ARRAY_LEN(commands); i++) {
		if (strcmp(name->valuestring, commands[i].name))
			continue;
		if (commands[i].changes && call->peer->read_only)
			return rsip_ctl_say(call, RSIP_CTL_ERROR,
					    "%s changes something, and this socket is read-only", commands[i].name);
		call->args = cJSON_GetObjectItemCaseSensitive(request, "arguments");
		if (!args_known(call, &commands[i]))
			return RSIP_CTL_ERROR;
		log_debug("control: %s: %s", call->peer->who, commands[i].name);
		return commands[i].fn(call);
	}
	return rsip_ctl_say(call, RSIP_CTL_UNSUPPORTED,
			    "\"%s\" is no command here; list-commands lists them",
			    rsip_json_printable(name->valuestring, buf, sizeof(buf)));
}

static char *print_line(const cJSON *reply)
{
	char *text = cJSON_PrintUnformatted(reply), *line;
	size_t len;

	if (!text)
		return NULL;
	len = strlen(text);
	line = realloc(text, len + 2);
	if (!line) {
		free(text);
		return NULL;
	}
	memcpy(line + len, "\n", 2);
	return line;
}

char *rsip_ctl_answer(struct rsip_ctl_context *ctx, const char *text, size_t len, uint64_t now_ns,
		      struct rsip_ctl_peer *peer)
{
	struct rsip_ctl_call call = {
		.ctx = ctx, .now_ns = now_ns, .peer = peer, .out = cJSON_CreateObject()};
	cJSON *request, *reply = cJSON_CreateObject();
	enum rsip_ctl_result result;
	struct rsip_json_error err;
	char *line;

	/* The newline after the request before this one would count as a line of it. */
	while (len && (*text == '\n' || *text == '\r' || *text == ' ' || *text == '\t')) {
		text++;
		len--;
	}
	request = rsip_json_parse(text, len, 0, &err);
	if (!request)
		result = rsip_ctl_say(&call, RSIP_CTL_ERROR, "no valid JSON: line %d: %s", err.line,
				      err.text);
	else if (!cJSON_IsObject(request))
		result = rsip_ctl_say(&call, RSIP_CTL_ERROR,
				      "a request is an object: {\"command\": ...}");
	else
		result = run(&call, request);
	rsip_json_add_u64(reply, "result", result);
	if (call.text[0])
		cJSON_AddStringToObject(reply, "text", call.text);
	if (call.out && call.out->child)
		cJSON_AddItemToObject(reply, "arguments", call.out);
	else
		cJSON_Delete(call.out);
	line = print_line(reply);
	cJSON_Delete(reply);
	cJSON_Delete(request);
	return line;
}

enum rsip_ctl_result rsip_ctl_fn_LIST_COMMANDS(struct rsip_ctl_call *call)
{
	cJSON *list = cJSON_AddArrayToObject(call->out, "commands");

	for (size_t i = 0; i < RSIP_ARRAY_LEN(commands); i++) {
		cJSON *item = cJSON_CreateObject();

		cJSON_AddStringToObject(item, "name", commands[i].name);
		cJSON_AddStringToObject(item, "text", commands[i].text);
		cJSON_AddStringToObject(item, "arguments", commands[i].args);
		cJSON_AddItemToArray(list, item);
	}
	return rsip_ctl_say(call, RSIP_CTL_OK, "%zu commands", RSIP_ARRAY_LEN(commands));
}
