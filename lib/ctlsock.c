// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "ctlsock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "json.h"

#define PATIENCE_S 10

struct rsip_ctlsock {
	int fd;
	char *buf;
	size_t len, room;
};

static const char *hint(int err)
{
	switch (err) {
	case ENOENT:
	case ECONNREFUSED:
		return " (is rsipd running?)";
	case EACCES:
		return " (be root, or a member of the socket's group)";
	}
	return "";
}

int rsip_ctlsock_open(const char *path, struct rsip_ctlsock **out, char *why, size_t why_len)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct timeval tv = {.tv_sec = PATIENCE_S};
	struct rsip_ctlsock *sock;
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path)) {
		snprintf(why, why_len, "the socket's path is longer than %zu bytes",
			 sizeof(addr.sun_path) - 1);
		return -ENAMETOOLONG;
	}
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		err = -errno;
		snprintf(why, why_len, "cannot connect to rsipd: %s: %s%s", path, strerror(-err),
			 hint(-err));
		goto fail;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	sock = calloc(1, sizeof(*sock));
	if (!sock) {
		err = -ENOMEM;
		goto fail;
	}
	sock->fd = fd;
	*out = sock;
	return 0;
fail:
	if (fd >= 0)
		close(fd);
	return err;
}

void rsip_ctlsock_close(struct rsip_ctlsock *sock)
{
	if (!sock)
		return;
	close(sock->fd);
	free(sock->buf);
	free(sock);
}

static int send_all(struct rsip_ctlsock *sock, const char *text, size_t len)
{
	while (len) {
		ssize_t n = send(sock->fd, text, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

static int read_more(struct rsip_ctlsock *sock)
{
	ssize_t n;

	if (sock->len == sock->room) {
		size_t room = sock->room ? 2 * sock->room : 65536;
		char *buf = room <= 4 * RSIP_CTL_REPLY_MAX ? realloc(sock->buf, room) : NULL;

		if (!buf)
			return -EMSGSIZE;
		sock->buf = buf;
		sock->room = room;
	}
	do
		n = recv(sock->fd, sock->buf + sock->len, sock->room - sock->len, 0);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n ? -errno : -ECONNRESET;
	sock->len += (size_t)n;
	return 0;
}

/* Takes the object that ends at end out of the buffer. */
static int take(struct rsip_ctlsock *sock, long end, cJSON **obj, char *why, size_t why_len)
{
	struct rsip_json_error parse_err;

	*obj = rsip_json_parse(sock->buf, (size_t)end, 0, &parse_err);
	sock->len -= (size_t)end;
	memmove(sock->buf, sock->buf + end, sock->len);
	if (*obj)
		return 0;
	snprintf(why, why_len, "bad answer from rsipd: %s", parse_err.text);
	return -EBADMSG;
}

int rsip_ctlsock_ask(struct rsip_ctlsock *sock, const char *request, cJSON **reply, char *why,
		     size_t why_len)
{
	struct rsip_json_span span = {0, 0, false, false};
	int err = send_all(sock, request, strlen(request));
	long end = 0;

	if (!err)
		err = send_all(sock, "\n", 1);
	while (!err && (end = rsip_json_span(&span, sock->buf, sock->len)) == 0)
		err = read_more(sock);
	if (err || end < 0) {
		snprintf(why, why_len, "no answer from rsipd: %s",
			 err ? strerror(-err) : "not a JSON object");
		return err ? err : -EBADMSG;
	}
	return take(sock, end, reply, why, why_len);
}

static int wait_readable(const struct rsip_ctlsock *sock)
{
	struct pollfd p = { .fd = sock->fd, .events = POLLIN };

	return poll(&p, 1, -1) < 0 ? -errno : 0;
}

int rsip_ctlsock_next(struct rsip_ctlsock *sock, cJSON **obj, char *why, size_t why_len)
{
	struct rsip_json_span span = {0, 0, false, false};
	long end = 0;
	int err = 0;

	while (!err && (end = rsip_json_span(&span, sock->buf, sock->len)) == 0) {
		err = wait_readable(sock);
		if (!err)
			err = read_more(sock);
	}
	if (err || end < 0) {
		snprintf(why, why_len, "no more from rsipd: %s",
			 err == -ECONNRESET ? "it has ended" : err ? strerror(-err) : "not a JSON object");
		return err ? err : -EBADMSG;
	}
	return take(sock, end, obj, why, why_len);
}

int rsip_ctlsock_command(struct rsip_ctlsock *sock, const char *command, cJSON *args, cJSON **reply,
			 char *why, size_t why_len)
{
	cJSON *request = cJSON_CreateObject();
	char *text;
	int err;

	cJSON_AddStringToObject(request, "command", command);
	if (args)
		cJSON_AddItemToObject(request, "arguments", args);
	text = cJSON_PrintUnformatted(request);
	cJSON_Delete(request);
	if (!text) {
		snprintf(why, why_len, "out of memory");
		return -ENOMEM;
	}
	err = rsip_ctlsock_ask(sock, text, reply, why, why_len);
	free(text);
	return err;
}
