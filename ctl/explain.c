// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsipctl explain: which binding would get this packet, or why none. */
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "rsipctl.h"

/* "name=value": numbers as text, so that 0x... and cookies of 64 bits survive; true and false as they are. */
static bool add_word(cJSON *args, const char *word)
{
	const char *eq = strchr(word, '=');
	char name[32];

	if (!eq || eq == word || (size_t)(eq - word) >= sizeof(name))
		return false;
	snprintf(name, sizeof(name), "%.*s", (int)(eq - word), word);
	if (!strcmp(eq + 1, "true") || !strcmp(eq + 1, "false"))
		cJSON_AddBoolToObject(args, name, eq[1] == 't');
	else
		cJSON_AddStringToObject(args, name, eq + 1);
	return true;
}

/* [in|out] PROTOCOL NAME=VALUE...; a protocol may be a number. */
static bool read_words(const struct ctl_run *run, cJSON *args)
{
	int i = 0;
	char *end;
	long number;

	if (i < run->arg_cnt && (!strcmp(run->arg[i], "in") || !strcmp(run->arg[i], "out")))
		cJSON_AddStringToObject(args, "direction", run->arg[i++]);
	if (i == run->arg_cnt)
		return false;
	number = strtol(run->arg[i], &end, 10);
	if (*end)
		cJSON_AddStringToObject(args, "protocol", run->arg[i]);
	else
		cJSON_AddNumberToObject(args, "protocol", (double)number);
	while (++i < run->arg_cnt)
		if (!add_word(args, run->arg[i]))
			return false;
	return true;
}

int ctl_explain(struct ctl_run *run)
{
	cJSON *args = cJSON_CreateObject(), *reply;
	const cJSON *out, *b;
	int code;

	if (!read_words(run, args)) {
		cJSON_Delete(args);
		return ctl_fail(run, EXIT_USAGE,
				"explain [in|out] PROTOCOL local=ADDRESS [local-port=N] [remote=ADDRESS] [remote-port=N] [spi=N] "
				"[identifier=N] [host=ADDRESS] [icookie=0x...] [rcookie=0x...] ...: see rsipctl(8)");
	}
	code = ctl_ask(run, "explain", args, &reply, &out);
	if (code != EXIT_DONE)
		return code;
	if (run->json) {
		ctl_print_json(out);
	} else {
		printf("%s\n", rsip_json_get_string(reply, "text", ""));
		b = cJSON_GetObjectItemCaseSensitive(out, "binding");
		if (b)
			printf("  binding %.0f  host %s  local %s  method %s\n",
			       (double)rsip_json_get_u64(b, "bind-id", 0), rsip_json_get_string(b, "host", ""),
			       rsip_json_get_string(b, "local", ""), rsip_json_get_string(b, "method", ""));
	}
	cJSON_Delete(reply);
	return EXIT_DONE;
}
