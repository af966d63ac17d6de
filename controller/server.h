/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The running daemon: transports, protocol engine, lease manager and data plane put together around
 * one event loop. Only here and in the transports is the clock read.
 */
#ifndef RSIP_SERVER_H
#define RSIP_SERVER_H

#include <stddef.h>
#include <sys/types.h>

#include "config.h"

struct rsip_server;

/*
 * What may need privileges: maps, sockets, netlink.  conf must live as long as the server and is
 * completed with what the machine says (networks connected to the private interfaces).  owner: of
 * the control socket. 0, or negative errno with a sentence in why.
 */
int rsip_server_open(struct rsip_conf *conf, uid_t owner, struct rsip_server **out, char *why,
		     size_t why_len);
/* What needs none: takes over what is installed and begins to listen. */
int rsip_server_start(struct rsip_server *server, char *why, size_t why_len);
/* Runs until SIGTERM or SIGINT. */
int rsip_server_run(struct rsip_server *server);
void rsip_server_close(struct rsip_server *server); /* what is leased stays leased and goes on */

#endif
