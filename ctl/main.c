// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsipctl: the operator's command line over rsipd's control socket. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "rsipctl.h"
#include "util.h"

static const struct command {
	const char *name, *args, *text;
	int (*fn)(struct ctl_run *run);
	bool takes_args;
} commands[] = {
	{"status", "", "how rsipd is doing, interfaces, pools (the default)", ctl_status, false},
	{"stats", "", "counters: packets, drops by reason, protocol", ctl_stats, false},
	{"clients", "", "who is registered", ctl_clients, false},
	{"bindings", "", "who leases what, with packets both ways", ctl_bindings, false},
	{"pools", "", "what is free, leased and held", ctl_pools, false},
	{"watch", "", "bindings, rates and drops, refreshed in place", ctl_watch, false},
	{"events", "[KIND...]", "what happens, as it happens: bindings, violations, limits", ctl_events, true},
	{"explain", "PACKET", "which binding would get this packet, or why none", ctl_explain, true},
	{"capture", "IF [BINDING]", "packets as they come and leave, or why not, as pcapng; needs root", ctl_capture, true},
	{"client", "ID|HOST", "one registration; client remove ID ends it", ctl_client, true},
	{"binding", "ID", "one binding; binding remove ID ends it", ctl_binding, true},
	{"config", "", "the configuration in effect; config test FILE checks one", ctl_config,
	 true},
	{"reload", "", "rsipd reads its configuration again; live leases stay", ctl_reload, false},
	{"commands", "", "the commands of the control socket", ctl_commands, false},
	{"raw", "JSON", "sends a request as it stands", ctl_raw, true},
};

static void usage(FILE *f)
{
	fprintf(f, "Usage: rsipctl [OPTIONS] [COMMAND]\n\nCommands:\n");
	for (size_t i = 0; i < RSIP_ARRAY_LEN(commands); i++) {
		char word[40];

		snprintf(word, sizeof(word), "%s %s", commands[i].name, commands[i].args);
		fprintf(f, "  %-16s  %s\n", word, commands[i].text);
	}
	fprintf(f,
		"\nOptions:\n"
		"  -j, --json          output for programs\n"
		"  -s, --socket PATH   control socket (default %s)\n"
		"  -i, --interval S    seconds between the frames of watch (default 1)\n"
		"  -n, --frames N      end watch or capture after N frames, events after N lines\n"
		"  -w, --write FILE    capture writes this file (default standard output)\n"
		"  -V, --version       print the version\n"
		"  -h, --help          print this\n\n"
		"Exit status: 0 done, 1 failed, 2 wrong usage, 3 nothing found.\n",
		RSIP_CTL_PATH_DEFAULT);
}

void ctl_print_json(const cJSON *obj)
{
	char *text = cJSON_Print(obj);

	printf("%s\n", text ? text : "null");
	free(text);
}

int ctl_fail(const struct ctl_run *run, int code, const char *text)
{
	if (run->json) {
		cJSON *obj = cJSON_CreateObject();

		rsip_json_add_u64(
			obj, "result",
			(uint64_t)(code == EXIT_NOTHING ? RSIP_CTL_EMPTY : RSIP_CTL_ERROR));
		cJSON_AddStringToObject(obj, "text", text);
		ctl_print_json(obj);
		cJSON_Delete(obj);
	} else {
		fprintf(stderr, "rsipctl: %s\n", text);
		if (code == EXIT_USAGE)
			fprintf(stderr, "rsipctl: see rsipctl --help\n");
	}
	return code;
}

int ctl_ask(struct ctl_run *run, const char *command, cJSON *args, cJSON **reply, const cJSON **out)
{
	char why[256];
	uint64_t result;

	*reply = NULL;
	*out = NULL;
	if (rsip_ctlsock_command(run->sock, command, args, reply, why, sizeof(why)))
		return ctl_fail(run, EXIT_FAILED, why);
	result = rsip_json_get_u64(*reply, "result", RSIP_CTL_ERROR);
	if (result == RSIP_CTL_OK) {
		*out = cJSON_GetObjectItemCaseSensitive(*reply, "arguments");
		return EXIT_DONE;
	}
	snprintf(why, sizeof(why), "%s", rsip_json_get_string(*reply, "text", "failed"));
	cJSON_Delete(*reply);
	*reply = NULL;
	/* An empty list is an answer: no words needed. */
	if (result == RSIP_CTL_EMPTY && strstr(command, "-page"))
		return EXIT_NOTHING;
	return ctl_fail(run, result == RSIP_CTL_EMPTY ? EXIT_NOTHING : EXIT_FAILED, why);
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static bool number(const char *text, double min, double max, double *out)
{
	char *end;

	*out = strtod(text, &end);
	return end != text && !*end && *out >= min && *out <= max;
}

/* Returns -1 to go on, or an exit code. */
static int options(int argc, char **argv, struct ctl_run *run)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"socket", required_argument, NULL, 's'},
		{"interval", required_argument, NULL, 'i'},
		{"frames", required_argument, NULL, 'n'},
		{"write", required_argument, NULL, 'w'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	double value;
	int opt;

	while ((opt = getopt_long(argc, argv, "js:i:n:w:Vh", longs, NULL)) >= 0) {
		switch (opt) {
		case 'j':
			run->json = true;
			break;
		case 's':
			run->socket_path = optarg;
			break;
		case 'i':
			if (!number(optarg, 0.05, 3600, &run->interval_s))
				return ctl_fail(run, EXIT_USAGE,
						"--interval must be from 0.05 to 3600 seconds");
			break;
		case 'n':
			if (!number(optarg, 1, 1e9, &value))
				return ctl_fail(run, EXIT_USAGE,
						"--frames must be a number from 1");
			run->frames = (unsigned int)value;
			break;
		case 'w':
			run->file = optarg;
			break;
		case 'V':
			printf("rsipctl %s\n", RSIP_PACKAGE_VERSION);
			return EXIT_DONE;
		case 'h':
			usage(stdout);
			return EXIT_DONE;
		default:
			fprintf(stderr, "rsipctl: see rsipctl --help\n");
			return EXIT_USAGE;
		}
	}
	run->arg = argv + optind;
	run->arg_cnt = argc - optind;
	return -1;
}

int main(int argc, char **argv)
{
	struct ctl_run run = {.socket_path = RSIP_CTL_PATH_DEFAULT, .interval_s = 1};
	const struct command *cmd = &commands[0];
	char why[256];
	int code = options(argc, argv, &run);

	if (code >= 0)
		return code;
	if (run.arg_cnt && !strcmp(run.arg[0], "help")) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (run.arg_cnt) {
		cmd = find(run.arg[0]);
		if (!cmd) {
			snprintf(why, sizeof(why),
				 "'%.40s' is no command: status, stats, clients, bindings, pools, "
				 "watch, events, explain, capture, "
				 "client, binding, config, reload, commands, raw",
				 run.arg[0]);
			return ctl_fail(&run, EXIT_USAGE, why);
		}
		run.arg++;
		run.arg_cnt--;
	}
	if (run.arg_cnt && !cmd->takes_args) {
		snprintf(why, sizeof(why), "%s takes no argument: '%.40s'", cmd->name, run.arg[0]);
		return ctl_fail(&run, EXIT_USAGE, why);
	}
	if (rsip_ctlsock_open(run.socket_path, &run.sock, why, sizeof(why)))
		return ctl_fail(&run, EXIT_FAILED, why);
	code = cmd->fn(&run);
	rsip_ctlsock_close(run.sock);
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "rsipctl: cannot write the output\n");
		return EXIT_FAILED;
	}
	return code;
}
