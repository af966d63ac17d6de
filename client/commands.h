/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sub-commands; each returns the exit status: 0 done, 1 failed, 2 wrong usage, 3 nothing found.
 */
#ifndef RSIP_CLIENT_COMMANDS_H
#define RSIP_CLIENT_COMMANDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include "settings.h"

enum rsip_exit { RSIP_EXIT_DONE, RSIP_EXIT_FAILED, RSIP_EXIT_USAGE, RSIP_EXIT_NOTHING };

struct rsip_cli {
	struct rsip_settings set;
	bool json, foreground;
	const char *resolv; /* exec: file shown as /etc/resolv.conf */
	struct {
		uint32_t port, remote_port; /* the first local one; the peer's */
		const char *address, *remote;
		bool listen, whole;
	} lease;
	struct {
		const char *conns, *check;
		bool off, force;
	} charon;
	struct {
		const char *inner;
		uint32_t spi_out;
		bool ah, apply;
	} manual;
	int (*reread)(void *arg, struct rsip_settings *set); /* up: the same settings, as file and options are by then */
	void *reread_arg;
	char **args; /* what follows the options, NULL-terminated */
	int arg_cnt;
};

int rsip_cmd_up(struct rsip_cli *cli);
int rsip_cmd_check(struct rsip_cli *cli);
int rsip_cmd_down(struct rsip_cli *cli);
int rsip_cmd_status(struct rsip_cli *cli);
int rsip_cmd_lease(struct rsip_cli *cli);
int rsip_cmd_release(struct rsip_cli *cli);
int rsip_cmd_reload(struct rsip_cli *cli);
int rsip_cmd_upgrade(struct rsip_cli *cli);
int rsip_cmd_move(struct rsip_cli *cli);
int rsip_cmd_query(struct rsip_cli *cli);
int rsip_cmd_strongswan(struct rsip_cli *cli);
int rsip_cmd_check_path(struct rsip_cli *cli); /* strongswan --check */
int rsip_cmd_manual(struct rsip_cli *cli);
int rsip_cmd_exec(struct rsip_cli *cli);

/*
 * Asks the running client.  The answer's result (0 to 3), or a negative errno: -ENOENT or
 * -ECONNREFUSED mean that none runs.  *answer is for cJSON_Delete(); passed (or NULL) takes a
 * descriptor that came along, or -1.
 */
int rsip_ask(const char *socket_path, const char *command, cJSON *args, cJSON **answer,
	     int *passed);
/* Shows what status-get or `up` answered. */
void rsip_show_status(const struct rsip_cli *cli, const cJSON *answer);
/* Shows one of its bindings, or what lease-add answered. */
void rsip_show_binding(const cJSON *binding);
/* Of what rsip_ask() returned: nobody is there, or whoever was has gone without a word. */
bool rsip_has_died(int result, const cJSON *answer);
void rsip_show_strongswan(const cJSON *obj);
/*
 * Asks the running client to do command (takes args, which may be NULL), shows a failure, or its answer with show (NULL: says
 * nothing).  Returns the exit status.
 */
int rsip_order(struct rsip_cli *cli, const char *command, cJSON *args, void (*show)(const struct rsip_cli *cli, const cJSON *answer));
/* What a command did, in the client's own words. */
void rsip_show_done(const struct rsip_cli *cli, const cJSON *answer);
/* Reports a failed rsip_ask() in words or as JSON; returns the exit status. */
int rsip_show_failure(const struct rsip_cli *cli, int result, const cJSON *answer);

#endif
