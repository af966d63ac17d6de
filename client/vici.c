// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * strongSwan's src/libcharon/plugins/vici/README.md: a packet is a length (4, big endian) and then
 * type (1), for a request the length (1) and letters of its name, and a message; in a message an
 * element KEY_VALUE (3) is key length (1), key, value length (2), value.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>
#include "vici.h"

#define CMD_REQUEST 0
#define CMD_RESPONSE 1
#define PACKET_MAX 4096

static int connect_to(const char *path)
{
	struct timeval patience = {.tv_sec = 1};
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(at.sun_path))
		return -ENAMETOOLONG;
	strcpy(at.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (!connect(fd, (struct sockaddr *)&at, sizeof(at)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int send_request(int fd, const char *name)
{
	uint8_t packet[64];
	uint32_t len = htonl(2 + strlen(name));

	memcpy(packet, &len, 4);
	packet[4] = CMD_REQUEST;
	packet[5] = strlen(name);
	memcpy(packet + 6, name, strlen(name));
	len = 6 + strlen(name);
	return send(fd, packet, len, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -errno;
}

static int read_all(int fd, void *buf, size_t len)
{
	ssize_t n = recv(fd, buf, len, MSG_WAITALL);

	if (n == (ssize_t)len)
		return 0;
	return n < 0 ? -errno : -EPROTO;
}

static int read_answer(int fd)
{
	static const char yes[] = "\x03\x07success\x00\x03yes";
	uint8_t packet[PACKET_MAX];
	uint32_t len;
	int err = read_all(fd, &len, sizeof(len));

	len = ntohl(len);
	if (!err && (len < 1 || len > sizeof(packet)))
		err = -EPROTO;
	if (!err)
		err = read_all(fd, packet, len);
	if (err)
		return err;
	return packet[0] == CMD_RESPONSE && memmem(packet + 1, len - 1, yes, sizeof(yes) - 1)
		       ? 0
		       : -EPROTO;
}

int rsip_vici_reload_settings(const char *socket_path)
{
	int fd = connect_to(socket_path);
	int err;

	if (fd < 0)
		return fd;
	err = send_request(fd, "reload-settings");
	if (!err)
		err = read_answer(fd);
	close(fd);
	return err;
}
