// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "alloclog_journal.h"
#include "hosts6.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"

static int socket_to(const char *path, struct sockaddr_un *to)
{
	int fd;

	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(to->sun_path))
		return -ENAMETOOLONG;
	strcpy(to->sun_path, path);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd < 0 ? -errno : fd;
}

/* Connected only to see whether somebody listens: by address it also finds a journal that was started anew. */
int rsip_alloclog_journal_open(const char *path)
{
	static const struct sockaddr nobody = { .sa_family = AF_UNSPEC };
	struct sockaddr_un to;
	int fd = socket_to(path, &to), err;

	if (fd < 0)
		return fd;
	if (!connect(fd, (const struct sockaddr *)&to, sizeof(to)) && !connect(fd, &nobody, sizeof(nobody)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* FIELD=VALUE lines; no value of ours has a newline in it. */
static void put_entry(FILE *to, const char *line, size_t len, const struct rsip_alloc_event *ev,
		      const struct rsip_lease_client *c, const struct rsip_lease_bind *b)
{
	fprintf(to, "MESSAGE=%.*s\nPRIORITY=6\nSYSLOG_IDENTIFIER=rsip-lease\nRSIP_EVENT=%s\n", (int)len - 1, line,
		ev->ends ? "end" : "start");
	fprintf(to, "RSIP_HOST=%s\n", rsip_host_text(c->host));
	fprintf(to, "RSIP_LOCAL=%s\n", rsip_ip4(b->local));
	fprintf(to, "RSIP_CLIENT=%u\nRSIP_BIND=%u\n", c->client_id, b->bind_id);
}

int rsip_alloclog_journal_send(int fd, const char *path, const char *line, size_t len, const struct rsip_alloc_event *ev,
			       const struct rsip_lease_client *c, const struct rsip_lease_bind *b)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	char *entry = NULL;
	size_t entry_len;
	FILE *f = open_memstream(&entry, &entry_len);
	ssize_t put = -1;
	int err = ENOMEM;

	if (!f)
		return -ENOMEM;
	put_entry(f, line, len, ev, c, b);
	memccpy(to.sun_path, path, '\0', sizeof(to.sun_path)); /* it fits: see socket_to() */
	if (!fclose(f)) {
		put = sendto(fd, entry, entry_len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&to, sizeof(to));
		err = errno;
	}
	free(entry);
	return put < 0 ? -err : 0;
}
