// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * rsipctl capture: rsipd knows the binding and where the data plane is pinned; `rsip-loader capture`, which has the
 * privileges, does the rest in our place.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "rsipctl.h"

/* The loader of the same installation: beside this program, else where the PATH has one. */
static void find_loader(char path[PATH_MAX])
{
	ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - sizeof("rsip-loader"));
	char *slash;

	path[len > 0 ? len : 0] = '\0';
	slash = strrchr(path, '/');
	if (slash) {
		strcpy(slash + 1, "rsip-loader");
		if (!access(path, X_OK))
			return;
	}
	strcpy(path, "rsip-loader");
}

static int ask_pin_path(struct ctl_run *run, char *pin, size_t size)
{
	const cJSON *out, *config, *dataplane;
	cJSON *reply;
	int code = ctl_ask(run, "config-get", NULL, &reply, &out);

	if (code != EXIT_DONE)
		return code;
	config = cJSON_GetObjectItemCaseSensitive(out, "config");
	dataplane = cJSON_GetObjectItemCaseSensitive(config, "dataplane");
	snprintf(pin, size, "%s", rsip_json_get_string(dataplane, "pin_path", ""));
	cJSON_Delete(reply);
	return *pin ? EXIT_DONE : ctl_fail(run, EXIT_FAILED, "rsipd does not say where the data plane is pinned");
}

/* Is there such a binding?  The loader would wait for its packets for ever. */
static int check_binding(struct ctl_run *run, const char *word)
{
	cJSON *args = cJSON_CreateObject(), *reply;
	const cJSON *out;
	char *end;
	unsigned long long id = strtoull(word, &end, 10);
	int code;

	if (*end || end == word || !id || id > UINT32_MAX) {
		cJSON_Delete(args);
		return ctl_fail(run, EXIT_USAGE, "capture IF [BINDING]: a binding's ID is a number (rsipctl bindings)");
	}
	rsip_json_add_u64(args, "bind-id", id);
	code = ctl_ask(run, "binding-get", args, &reply, &out);
	cJSON_Delete(reply);
	return code;
}

int ctl_capture(struct ctl_run *run)
{
	static char capture[] = "capture", pin_path[] = "--pin-path", binding[] = "--binding", number[] = "--count",
		    write_to[] = "--write";
	char loader[PATH_MAX], pin[256], count[16], *argv[12];
	int n = 0, code;

	if (run->arg_cnt < 1 || run->arg_cnt > 2)
		return ctl_fail(run, EXIT_USAGE, "capture IF [BINDING]: an interface of the data plane, or any");
	code = run->arg_cnt == 2 ? check_binding(run, run->arg[1]) : EXIT_DONE;
	if (code == EXIT_DONE)
		code = ask_pin_path(run, pin, sizeof(pin));
	if (code != EXIT_DONE)
		return code;
	find_loader(loader);
	snprintf(count, sizeof(count), "%u", run->frames);
	argv[n++] = loader;
	argv[n++] = capture;
	argv[n++] = pin_path;
	argv[n++] = pin;
	if (run->arg_cnt == 2) {
		argv[n++] = binding;
		argv[n++] = run->arg[1];
	}
	if (run->frames) {
		argv[n++] = number;
		argv[n++] = count;
	}
	if (run->file) {
		argv[n++] = write_to;
		argv[n++] = run->file;
	}
	argv[n++] = run->arg[0];
	argv[n] = NULL;
	fflush(stdout);
	execvp(loader, argv);
	return ctl_fail(run, EXIT_FAILED, errno == ENOENT ? "rsip-loader is not installed" : strerror(errno));
}
