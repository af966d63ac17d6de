// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rsip/wire.h"
#include "util.h"

int rsip_transport_socket(int type, const struct rsip_iface *iface, char *why, size_t why_len)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(RSIP_PORT),
		.sin_addr.s_addr = iface->endpoint,
	};
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1, err;
	const char *step = "open";

	if (fd < 0)
		goto fail;
	/*
	 * Bound to the device: an address alone would let in what arrives on the public side for
	 * it.  Bound to the endpoint: answers leave with the address that was asked, and broadcasts
	 * are not heard.
	 */
	step = "bind to the device of";
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, iface->name,
		       (socklen_t)strlen(iface->name) + 1))
		goto fail;
	/* A restart must not wait for old connections; for UDP this would let a second rsipd in. */
	if (type == SOCK_STREAM && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		goto fail;
	step = "bind";
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)))
		goto fail;
	return fd;
fail:
	err = -errno;
	snprintf(why, why_len, "cannot %s %s port %d: on %s (%s): %s%s", step,
		 type == SOCK_STREAM ? "TCP" : "UDP", RSIP_PORT, iface->name,
		 rsip_ip4(iface->endpoint), strerror(-err),
		 err == -EADDRINUSE ? " (is another rsipd running?)" : "");
	if (fd >= 0)
		close(fd);
	return err;
}
