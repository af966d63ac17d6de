// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsipctl events: what happens, as it happens. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "json.h"
#include "rsipctl.h"

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

static const char *text_of(const cJSON *item, char *buf, size_t size)
{
	if (cJSON_IsString(item))
		return item->valuestring;
	if (cJSON_IsArray(item))
		return text_list(item, 3);
	snprintf(buf, size, "%.0f", cJSON_IsNumber(item) ? item->valuedouble : 0);
	return buf;
}

/* "name value" of each field, but of those that have been shown, and of counters and empty lists. */
static void print_fields(const cJSON *obj)
{
	static const char *const left_out[] = {"event", "time", "age", "in-packets", "in-bytes", "out-packets", "out-bytes", NULL};
	const cJSON *item;
	char buf[32];

	cJSON_ArrayForEach (item, obj) {
		const char *const *skip = left_out;

		while (*skip && strcmp(*skip, item->string))
			skip++;
		if (*skip || cJSON_IsBool(item) || (cJSON_IsArray(item) && !item->child))
			continue;
		if (cJSON_IsObject(item))
			print_fields(item);
		else
			printf("  %s %s", item->string, text_of(item, buf, sizeof(buf)));
	}
}

static void print_event(const struct ctl_run *run, const cJSON *event)
{
	char *line;

	if (run->json) {
		line = cJSON_PrintUnformatted(event);
		printf("%s\n", line ? line : "null");
		cJSON_free(line);
	} else {
		printf("%-27s  %-13s", rsip_json_get_string(event, "time", ""), rsip_json_get_string(event, "event", "?"));
		print_fields(event);
		printf("\n");
	}
	fflush(stdout);
}

static int subscribe(struct ctl_run *run)
{
	cJSON *args = cJSON_CreateObject(), *kinds, *reply;
	const cJSON *out;
	int code;

	if (run->arg_cnt) {
		kinds = cJSON_AddArrayToObject(args, "kinds");
		for (int i = 0; i < run->arg_cnt; i++)
			cJSON_AddItemToArray(kinds, cJSON_CreateString(run->arg[i]));
	}
	code = ctl_ask(run, "events-subscribe", args, &reply, &out);
	cJSON_Delete(reply);
	return code;
}

int ctl_events(struct ctl_run *run)
{
	const struct sigaction quit = {.sa_handler = on_signal};
	int code = subscribe(run);
	unsigned int shown = 0;
	char why[256];

	sigaction(SIGINT, &quit, NULL);
	sigaction(SIGTERM, &quit, NULL);
	while (code == EXIT_DONE && !stop && (!run->frames || shown < run->frames)) {
		cJSON *event;
		int err = rsip_ctlsock_next(run->sock, &event, why, sizeof(why));

		if (err == -EINTR)
			continue;
		if (err)
			return ctl_fail(run, EXIT_FAILED, why);
		print_event(run, event);
		cJSON_Delete(event);
		shown++;
	}
	return code;
}
