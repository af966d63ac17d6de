/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sub-commands.  Each answers with an exit code and has said what went wrong. */
#ifndef RSIP_LOADER_COMMANDS_H
#define RSIP_LOADER_COMMANDS_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include "options.h"

enum rsip_loader_exit {
	RSIP_EXIT_DONE = 0,
	RSIP_EXIT_FAILED = 1,
	RSIP_EXIT_USAGE = 2,
	RSIP_EXIT_NOTHING = 3, /* asked for something that is not there */
};

int rsip_loader_attach(const struct rsip_loader_options *o);
int rsip_loader_detach(const struct rsip_loader_options *o);
int rsip_loader_upgrade(const struct rsip_loader_options *o);
int rsip_loader_watch(const struct rsip_loader_options *o);
int rsip_loader_status(const struct rsip_loader_options *o);
int rsip_loader_capture(const struct rsip_loader_options *o);
int rsip_loader_session_add(const struct rsip_loader_options *o);
int rsip_loader_session_del(const struct rsip_loader_options *o);
int rsip_loader_features(const struct rsip_loader_options *o);

/*
 * Prints an answer and deletes it: JSON, or indented "name: value" for people, without what is
 * empty.
 */
void rsip_loader_print(cJSON *answer, bool json);

#endif
