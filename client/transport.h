/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UDP or TCP to the gateway's port 4555; TCP's stream is cut at the messages' Overall Length. */
#ifndef RSIP_CLIENT_TRANSPORT_H
#define RSIP_CLIENT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "inet.h"
#include "rsip/wire.h"

struct rsip_transport_io {
	enum rsip_transport kind;
	int fd; /* -1: not connected */
	struct rsip_inet local, gateway; /* of one family */
	char interface[16];
	uint8_t buf[RSIP_MSG_MAX];
	size_t len; /* TCP: bytes of a message that is not complete */
	uint16_t port; /* UDP: ours */
	uint16_t want_port; /* UDP, for the next opening: this one, if it is free; 0: the kernel chooses */
	bool refused; /* the machine is there and says that nobody listens: since the last message */
};

/*
 * Connects from the private address and, if given, bound to the interface, from a port of the
 * kernel's random choice.  TCP connects in the background.  0 or a negative errno.
 */
int rsip_transport_open(struct rsip_transport_io *io);
/* When the socket is writable: has the connection come about?  0 or a negative errno. */
int rsip_transport_connected(struct rsip_transport_io *io);
void rsip_transport_close(struct rsip_transport_io *io);
/* Errors show up as silence (UDP) or at the next read (TCP). */
void rsip_transport_send(struct rsip_transport_io *io, const uint8_t *buf, size_t len);
/*
 * Reads what is there, a share of it if it is much, and gives each message to take().  0: done, or more later; -EPIPE: the connection is
 * gone, or its stream makes no sense.
 */
int rsip_transport_read(struct rsip_transport_io *io,
			void (*take)(void *ctx, const uint8_t *buf, size_t len), void *ctx);

#endif
