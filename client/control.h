/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inside the control socket: connections (control.c), commands (control_commands.c), status
 * (status.c). */
#ifndef RSIP_CLIENT_CONTROL_H
#define RSIP_CLIENT_CONTROL_H

#include "daemon.h"
#include "json.h"
#include "rsip/ctl.h"

#define RSIP_CONTROL_CONNS 32
#define RSIP_CONTROL_TEXT 4096

struct rsip_conn {
	struct rsip_daemon *d;
	int fd; /* -1: free */
	struct event *event;
	int lease;	/* waits for this wish to come true; -1: no */
	uint32_t query; /* waits for the answer to this query; 0: no */
	bool end;	/* waits for the end of the client */
	struct rsip_json_span span;
	size_t len;
	char text[RSIP_CONTROL_TEXT];
};

struct rsip_control {
	int fd;
	struct event *event;
	uint32_t last_query; /* tag */
	struct rsip_conn conns[RSIP_CONTROL_CONNS];
};

/* Answers and ends the connection.  Takes args over (NULL: none); passed: a descriptor, or -1. */
void rsip_conn_reply(struct rsip_conn *c, int result, const char *text, cJSON *args, int passed);
/* Obeys a request; the answer may come later. */
void rsip_conn_obey(struct rsip_conn *c, const cJSON *root);

cJSON *rsip_status_binding(const struct rsip_lease *lease, uint64_t now_ns);

#endif
