// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* up, down, status. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "commands.h"
#include "daemon.h"
#include "json.h"
#include "log.h"
#include "rsip/ctl.h"
#include "util.h"

static struct rsip_daemon *new_daemon(const struct rsip_cli *cli)
{
	struct rsip_daemon *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->set = cli->set;
	d->ready_fd = d->lock_fd = -1;
	return d;
}

/* ---- up ---- */

/* It is to keep no file system busy. */
static void leave_folder(void)
{
	if (chdir("/"))
		log_debug("cannot change to /: %s", strerror(errno));
}

/* What the daemon says before it is ready is for the one who started it; the rest goes to a file.
 */
static void leave_terminal(const struct rsip_daemon *d)
{
	char path[PATH_MAX];
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int file;

	snprintf(path, sizeof(path), "%s/client.log", d->set.state_dir);
	file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	if (file >= 0)
		dup2(file, STDERR_FILENO);
	rsip_log_look();
	leave_folder();
}

static int run_daemon(struct rsip_cli *cli, int ready_fd)
{
	struct rsip_daemon *d = new_daemon(cli);
	int status;

	if (!d)
		return RSIP_EXIT_FAILED;
	d->ready_fd = ready_fd;
	d->ready = leave_terminal;
	d->patient = cli->foreground;
	d->reread = cli->reread;
	d->reread_arg = cli->reread_arg;
	status = rsip_daemon_run(d);
	free(d);
	return status;
}

/* ---- who waits for it gives up: Ctrl-C ---- */

static volatile sig_atomic_t daemon_pid, interrupted;

static void on_interrupt(int sig)
{
	interrupted = sig;
	kill(daemon_pid, SIGTERM);
}

/* The daemon is in a session of its own and hears nothing of the terminal; what was begun is undone. */
static void pass_signals_to(pid_t pid)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction act = {.sa_handler = on_interrupt, .sa_flags = SA_RESTART}, old;

	daemon_pid = pid;
	for (size_t i = 0; i < RSIP_ARRAY_LEN(sigs); i++)
		if (!sigaction(sigs[i], NULL, &old) && old.sa_handler != SIG_IGN) /* nohup means it */
			sigaction(sigs[i], &act, NULL);
}

static int show_result(const struct rsip_cli *cli, int fd)
{
	struct rsip_json_error bad;
	cJSON *answer;
	static char text[1 << 16];
	size_t len = 0;
	ssize_t n;
	int result;

	while ((n = read(fd, text + len, sizeof(text) - len)) > 0)
		len += n;
	answer = rsip_json_parse(text, len, 0, &bad);
	result = answer ? (int)rsip_json_get_u64(answer, "result", 1) : 1;
	if (!result)
		rsip_show_status(cli, answer);
	else if (interrupted)
		fprintf(stderr, "rsip-client: up was interrupted: what was begun is undone\n");
	else
		fprintf(stderr, "rsip-client: up failed: %s\n",
			answer ? rsip_json_get_string(answer, "text", "?") : "see above");
	cJSON_Delete(answer);
	return result ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
}

static int cannot_begin(const char *what)
{
	log_err("up failed: cannot %s: %s", what, strerror(errno));
	return RSIP_EXIT_FAILED;
}

int rsip_cmd_up(struct rsip_cli *cli)
{
	int pipe_fds[2], status;
	pid_t pid;

	if (cli->foreground) {
		/* it may be one that was in the background before an upgrade */
		rsip_log_look();
		leave_folder();
		return run_daemon(cli, -1);
	}
	if (pipe2(pipe_fds, O_CLOEXEC))
		return cannot_begin("make a pipe");
	rsip_daemon_hold_signals(true); /* the daemon's loop lets them through, as do we when we know it */
	pid = fork();
	if (pid < 0)
		return cannot_begin("make a process");
	if (!pid) {
		close(pipe_fds[0]);
		setsid();
		status = run_daemon(cli, pipe_fds[1]);
		_exit(status);
	}
	pass_signals_to(pid);
	rsip_daemon_hold_signals(false);
	close(pipe_fds[1]);
	status = show_result(cli, pipe_fds[0]);
	if (status) /* it is cleaning up: what we report must be over */
		waitpid(pid, NULL, 0);
	return status && interrupted ? 128 + interrupted : status;
}

/* ---- down ---- */

/* A gateway that asks for a key believes no other goodbye; without it what was leased there runs out by itself. */
static void find_key_again(struct rsip_daemon *d, const struct rsip_state *st)
{
	struct rsip_settings file;

	if (!st->key_id)
		return;
	rsip_settings_init(&file);
	if (!*st->key_file && (rsip_settings_load(&file, d->set.config, false) || file.key_id != st->key_id)) {
		log_warn("the secret of key %u is not in %s: the gateway will not believe that we go", st->key_id, d->set.config);
		return;
	}
	d->set.key_id = st->key_id;
	snprintf(d->set.key_file, sizeof(d->set.key_file), "%s", st->key_file);
	snprintf(d->set.key_secret, sizeof(d->set.key_secret), "%s", *st->key_file ? "" : file.key_secret);
	explicit_bzero(&file, sizeof(file));
}

/* Without a running client: what one left behind (the state file says so) is ended in its name. */
static int down_after_death(struct rsip_cli *cli, int result)
{
	struct rsip_daemon *d = new_daemon(cli);
	struct rsip_state *st = &d->state;
	int status;

	if (!d)
		return RSIP_EXIT_FAILED;
	if (rsip_state_load(st, cli->set.state_dir)) {
		free(d);
		rsip_daemon_sweep(&cli->set);
		return rsip_show_failure(cli, result, NULL);
	}
	snprintf(d->set.gateway, sizeof(d->set.gateway), "%s", rsip_inet_text(&st->gateway));
	if (*st->device)
		snprintf(d->set.device, sizeof(d->set.device), "%s", st->device);
	strcpy(d->set.transport, st->transport == RSIP_TRANSPORT_TCP ? "tcp" : "udp");
	strcpy(d->set.place, st->table ? "host" : "namespace");
	strcpy(d->set.tunnel_type, st->tunnel == RSIP_TUNNEL_GRE ? "GRE" : "IP-IP");
	find_key_again(d, st);
	d->leave = true;
	d->patient = true;
	status = rsip_daemon_run(d);
	free(d);
	return status;
}

int rsip_cmd_down(struct rsip_cli *cli)
{
	cJSON *answer;
	int result = rsip_ask(cli->set.socket, "shutdown", NULL, &answer, NULL);
	int status;

	if (rsip_has_died(result, answer))
		return down_after_death(cli, result == -ENOENT ? result : -ECONNREFUSED);
	status = result ? rsip_show_failure(cli, result, answer) : RSIP_EXIT_DONE;
	cJSON_Delete(answer);
	return status;
}

/* ---- the others ---- */

int rsip_cmd_reload(struct rsip_cli *cli)
{
	return rsip_order(cli, "reload", NULL, rsip_show_done);
}

/* Its control socket is away for a moment. */
static bool is_back(const struct rsip_cli *cli)
{
	cJSON *answer;
	int result = -ECONNREFUSED;

	for (int looks = 0; result < 0 && looks < 200; looks++) {
		if (looks)
			usleep(50000);
		result = rsip_ask(cli->set.socket, "status-get", NULL, &answer, NULL);
		cJSON_Delete(answer);
	}
	return result >= 0;
}

int rsip_cmd_upgrade(struct rsip_cli *cli)
{
	int status = rsip_order(cli, "upgrade", NULL, rsip_show_done);

	if (!status && !is_back(cli)) {
		fprintf(stderr, "rsip-client: it does not answer: its log says why (journalctl -u rsip-client, or client.log); what is "
				"leased waits for `rsip-client up`\n");
		status = RSIP_EXIT_FAILED;
	}
	return status;
}

int rsip_cmd_status(struct rsip_cli *cli)
{
	return rsip_order(cli, "status-get", NULL, rsip_show_status);
}
