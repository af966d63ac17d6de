// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * exec: becomes the program, inside the namespace.  Nothing stays between caller and program, so
 * signals and the exit status need no help; the mount namespace of its own ends with the program.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include "commands.h"
#include "json.h"

#define RSIP_EXIT_NOT_EXECUTABLE 126 /* as a shell would say */
#define RSIP_EXIT_NOT_FOUND 127

static int complain(const char *what, const char *on)
{
	int err = errno;

	fprintf(stderr, "rsip-client: %s: %s: %s%s\n", what, on, strerror(err),
		err == EPERM ? " (needs CAP_SYS_ADMIN: run as root)" : "");
	return RSIP_EXIT_FAILED;
}

static int mount_resolv(const char *file)
{
	if (unshare(CLONE_NEWNS))
		return complain("cannot have mounts of its own", "exec");
	if (mount("", "/", NULL, MS_SLAVE | MS_REC, NULL))
		return complain("cannot keep mounts to itself", "/");
	if (mount(file, "/etc/resolv.conf", NULL, MS_BIND, NULL))
		return complain("cannot show it as /etc/resolv.conf", file);
	return RSIP_EXIT_DONE;
}

/* The program runs as who called us, even where our own file is set-UID. */
static int become_caller(void)
{
	gid_t gid = getgid();
	uid_t uid = getuid();

	if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return complain("cannot become the caller", "exec");
	return RSIP_EXIT_DONE;
}

int rsip_cmd_exec(struct rsip_cli *cli)
{
	cJSON *answer;
	int netns, status,
		result = rsip_ask(cli->set.socket, "namespace-get", NULL, &answer, &netns);

	if (result || netns < 0) {
		status = rsip_show_failure(cli, result ? result : -EPROTO, answer);
		cJSON_Delete(answer);
		return status;
	}
	if (!strcmp(rsip_json_get_string(answer, "text", ""), "host")) {
		fprintf(stderr, "rsip-client: exec needs a namespace: this client's place is the "
				"host; bind programs to the leased address instead\n");
		cJSON_Delete(answer);
		return RSIP_EXIT_FAILED;
	}
	cJSON_Delete(answer);
	if (setns(netns, CLONE_NEWNET))
		return complain("cannot enter the network namespace", cli->args[0]);
	close(netns);
	status = cli->resolv ? mount_resolv(cli->resolv) : RSIP_EXIT_DONE;
	if (!status)
		status = become_caller();
	if (status)
		return status;
	execvp(cli->args[0], cli->args);
	status = errno == ENOENT ? RSIP_EXIT_NOT_FOUND : RSIP_EXIT_NOT_EXECUTABLE;
	complain("cannot run", cli->args[0]);
	return status;
}
