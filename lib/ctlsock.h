/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The client's side of the control socket: one request, one reply, on a connection that stays open.
 */
#ifndef RSIP_CTLSOCK_H
#define RSIP_CTLSOCK_H

#include <cjson/cJSON.h>
#include <stddef.h>

#include "rsip/ctl.h"

struct rsip_ctlsock;

/* 0, or negative errno with a sentence for people in why. */
int rsip_ctlsock_open(const char *path, struct rsip_ctlsock **out, char *why, size_t why_len);
void rsip_ctlsock_close(struct rsip_ctlsock *sock);

/* Sends request (text of one JSON object) and waits for the reply, which the caller deletes. */
int rsip_ctlsock_ask(struct rsip_ctlsock *sock, const char *request, cJSON **reply, char *why,
		     size_t why_len);

/* Waits, however long, for the next object that no request asked for: events.  -EINTR: a signal came. */
int rsip_ctlsock_next(struct rsip_ctlsock *sock, cJSON **obj, char *why, size_t why_len);

/* The same from parts; args is taken over (NULL: none). */
int rsip_ctlsock_command(struct rsip_ctlsock *sock, const char *command, cJSON *args, cJSON **reply,
			 char *why, size_t why_len);

#endif
