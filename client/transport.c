// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "log.h"
#include "transport.h"
#include "util.h"

static uint16_t port_of(const struct sockaddr_storage *sa)
{
	return ntohs(sa->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)sa)->sin6_port : ((const struct sockaddr_in *)sa)->sin_port);
}

/* From the port that is wanted, or else from another. */
static int bind_local(struct rsip_transport_io *io, int fd)
{
	uint16_t ports[] = {io->kind == RSIP_TRANSPORT_UDP ? io->want_port : 0, 0};
	struct sockaddr_storage local;
	socklen_t len;
	int err = 0;

	io->want_port = 0;
	for (size_t i = 0; i < RSIP_ARRAY_LEN(ports); i++) {
		len = rsip_inet_sockaddr(&io->local, ports[i], &local);
		err = bind(fd, (struct sockaddr *)&local, len) ? -errno : 0;
		if (!err)
			break;
	}
	len = sizeof(local);
	io->port = err || getsockname(fd, (struct sockaddr *)&local, &len) ? 0 : port_of(&local);
	return err;
}

static int prepare(struct rsip_transport_io *io, int fd)
{
	int one = 1;

	if (*io->interface &&
	    setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, io->interface, strlen(io->interface) + 1))
		return -errno;
	if (io->kind == RSIP_TRANSPORT_TCP)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return bind_local(io, fd);
}

int rsip_transport_open(struct rsip_transport_io *io)
{
	struct sockaddr_storage gw;
	socklen_t len = rsip_inet_sockaddr(&io->gateway, RSIP_PORT, &gw);
	int type = io->kind == RSIP_TRANSPORT_TCP ? SOCK_STREAM : SOCK_DGRAM;
	int err;

	io->len = 0;
	io->refused = false;
	io->fd = socket(io->gateway.family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (io->fd < 0)
		return -errno;
	err = prepare(io, io->fd);
	if (!err && connect(io->fd, (struct sockaddr *)&gw, len) && errno != EINPROGRESS)
		err = -errno;
	if (err)
		rsip_transport_close(io);
	return err;
}

int rsip_transport_connected(struct rsip_transport_io *io)
{
	socklen_t len = sizeof(int);
	int err = 0;

	if (getsockopt(io->fd, SOL_SOCKET, SO_ERROR, &err, &len))
		return -errno;
	io->refused |= err == ECONNREFUSED;
	return -err;
}

void rsip_transport_close(struct rsip_transport_io *io)
{
	if (io->fd >= 0)
		close(io->fd);
	io->fd = -1;
}

void rsip_transport_send(struct rsip_transport_io *io, const uint8_t *buf, size_t len)
{
	if (io->fd < 0 || send(io->fd, buf, len, MSG_NOSIGNAL) >= 0)
		return;
	io->refused |= errno == ECONNREFUSED;
	log_debug("cannot send to %s: %s", rsip_inet_text(&io->gateway), strerror(errno));
}

#define AT_ONCE 64 /* reads: whoever floods us must not keep us from all else */

typedef void (*take_fn)(void *ctx, const uint8_t *buf, size_t len);

static int read_datagrams(struct rsip_transport_io *io, take_fn take, void *ctx)
{
	ssize_t n = 0;

	/* A refused datagram is no message of the gateway's: only silence or an answer counts. */
	for (int i = 0; i < AT_ONCE; i++) {
		n = recv(io->fd, io->buf, sizeof(io->buf), 0);
		if (n < 0 && errno != ECONNREFUSED)
			break;
		if (n)
			io->refused = n < 0;
		if (n > 0)
			take(ctx, io->buf, n);
		if (io->fd < 0) /* a message made our owner close */
			break;
	}
	return 0;
}

/* Hands on every complete message; -EPIPE for a length that no message has (RFC 3103 8: header of
 * 4). */
static int cut_stream(struct rsip_transport_io *io, take_fn take, void *ctx)
{
	size_t at = 0, len;

	while (io->len - at >= RSIP_HDR_LEN) {
		len = io->buf[at + 2] << 8 | io->buf[at + 3];
		if (len < RSIP_HDR_LEN)
			return -EPIPE;
		if (io->len - at < len)
			break;
		take(ctx, io->buf + at, len);
		at += len;
	}
	memmove(io->buf, io->buf + at, io->len - at);
	io->len -= at;
	return 0;
}

static int read_stream(struct rsip_transport_io *io, take_fn take, void *ctx)
{
	ssize_t n;

	for (int i = 0; i < AT_ONCE; i++) {
		n = recv(io->fd, io->buf + io->len, sizeof(io->buf) - io->len, 0);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (n < 0)
			io->refused = errno == ECONNREFUSED;
		if (n <= 0)
			return -EPIPE;
		io->len += n;
		if (cut_stream(io, take, ctx))
			return -EPIPE;
		if (io->fd < 0) /* a message made our owner close */
			return 0;
	}
	return 0;
}

int rsip_transport_read(struct rsip_transport_io *io, take_fn take, void *ctx)
{
	return io->kind == RSIP_TRANSPORT_TCP ? read_stream(io, take, ctx)
					      : read_datagrams(io, take, ctx);
}
