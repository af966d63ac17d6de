// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsipctl config, commands, raw. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "rsipctl.h"
#include "util.h"

static void print_findings(const char *path, const cJSON *list, const char *word)
{
	const cJSON *item;

	cJSON_ArrayForEach (item, list) {
		const char *where = rsip_json_get_string(item, "path", "");

		printf("%s:%llu: %s%s%s%s\n", path,
		       (unsigned long long)rsip_json_get_u64(item, "line", 0), word, where,
		       *where ? ": " : "", rsip_json_get_string(item, "text", ""));
	}
}

/* The text goes over the socket: rsipd opens no path that somebody names. */
static int config_test(struct ctl_run *run, const char *path)
{
	cJSON *args, *reply = NULL;
	const cJSON *out;
	char *text, why[256];
	size_t len;
	int err = rsip_json_read_file(path, RSIP_CTL_REQUEST_MAX / 2, &text, &len);

	if (err) {
		snprintf(why, sizeof(why), "cannot read %.128s: %s", path, strerror(-err));
		return ctl_fail(run, EXIT_FAILED, why);
	}
	args = cJSON_CreateObject();
	cJSON_AddStringToObject(args, "config", text);
	free(text);
	err = rsip_ctlsock_command(run->sock, "config-test", args, &reply, why, sizeof(why));
	if (err)
		return ctl_fail(run, EXIT_FAILED, why);
	out = cJSON_GetObjectItemCaseSensitive(reply, "arguments");
	err = rsip_json_get_u64(reply, "result", 1) == RSIP_CTL_OK ? EXIT_DONE : EXIT_FAILED;
	if (run->json) {
		ctl_print_json(reply);
	} else {
		print_findings(path, cJSON_GetObjectItemCaseSensitive(out, "errors"), "");
		print_findings(path, cJSON_GetObjectItemCaseSensitive(out, "warnings"),
			       "warning: ");
		printf("%s: %s\n", path, rsip_json_get_string(reply, "text", ""));
	}
	cJSON_Delete(reply);
	return err;
}

int ctl_config(struct ctl_run *run)
{
	const cJSON *out;
	cJSON *reply;
	int code;

	if (run->arg_cnt == 2 && !strcmp(run->arg[0], "test"))
		return config_test(run, run->arg[1]);
	if (run->arg_cnt)
		return ctl_fail(run, EXIT_USAGE, "config takes nothing, or: config test FILE");
	code = ctl_ask(run, "config-get", NULL, &reply, &out);
	if (code)
		return code;
	ctl_print_json(cJSON_GetObjectItemCaseSensitive(out, "config"));
	cJSON_Delete(reply);
	return EXIT_DONE;
}

int ctl_reload(struct ctl_run *run)
{
	const cJSON *out;
	cJSON *reply;
	char why[256];
	int code;

	if (rsip_ctlsock_command(run->sock, "config-reload", NULL, &reply, why, sizeof(why)))
		return ctl_fail(run, EXIT_FAILED, why);
	out = cJSON_GetObjectItemCaseSensitive(reply, "arguments");
	code = rsip_json_get_u64(reply, "result", 1) == RSIP_CTL_OK ? EXIT_DONE : EXIT_FAILED;
	if (run->json) {
		ctl_print_json(reply);
	} else {
		print_findings("configuration", cJSON_GetObjectItemCaseSensitive(out, "errors"), "");
		print_findings("configuration", cJSON_GetObjectItemCaseSensitive(out, "warnings"), "warning: ");
		printf("%s\n", rsip_json_get_string(reply, "text", ""));
	}
	cJSON_Delete(reply);
	return code;
}

int ctl_commands(struct ctl_run *run)
{
	static const char *const heads[] = {"COMMAND", "ARGUMENTS", "WHAT IT DOES"};
	const cJSON *out, *item;
	struct table t;
	cJSON *reply;
	int code = ctl_ask(run, "list-commands", NULL, &reply, &out);

	if (code)
		return code;
	if (run->json) {
		ctl_print_json(out);
	} else {
		table_init(&t, heads, RSIP_ARRAY_LEN(heads));
		cJSON_ArrayForEach (item, cJSON_GetObjectItemCaseSensitive(out, "commands")) {
			table_next(&t);
			table_cell(&t, 0, "%s", rsip_json_get_string(item, "name", ""));
			table_cell(&t, 1, "%s", rsip_json_get_string(item, "arguments", ""));
			table_cell(&t, 2, "%s", rsip_json_get_string(item, "text", ""));
		}
		table_finish(&t);
	}
	cJSON_Delete(reply);
	return EXIT_DONE;
}

int ctl_raw(struct ctl_run *run)
{
	static const int code_of[] = {EXIT_DONE, EXIT_FAILED, EXIT_FAILED, EXIT_NOTHING};
	struct rsip_json_error err;
	char why[256];
	uint64_t result;
	cJSON *reply;

	if (run->arg_cnt != 1)
		return ctl_fail(run, EXIT_USAGE, "raw needs one argument: '{\"command\": ...}'");
	reply = rsip_json_parse(run->arg[0], strlen(run->arg[0]), 0, &err);
	if (!cJSON_IsObject(reply)) {
		cJSON_Delete(reply);
		snprintf(why, sizeof(why), "raw needs a JSON object: %s",
			 reply ? "it is something else" : err.text);
		return ctl_fail(run, EXIT_USAGE, why);
	}
	cJSON_Delete(reply);
	if (rsip_ctlsock_ask(run->sock, run->arg[0], &reply, why, sizeof(why)))
		return ctl_fail(run, EXIT_FAILED, why);
	result = rsip_json_get_u64(reply, "result", RSIP_CTL_ERROR);
	ctl_print_json(reply);
	cJSON_Delete(reply);
	return result < RSIP_ARRAY_LEN(code_of) ? code_of[result] : EXIT_FAILED;
}
