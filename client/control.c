// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The client's control socket: one JSON object per connection, {"command": "...", "arguments":
 * {...}} ->
 * {"result": 0, "text": "...", "arguments": {...}}.  namespace-get passes the namespace as a
 * descriptor.
 */
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "advice.h"
#include "control.h"
#include "log.h"

#define RSIP_CONTROL_SECONDS 30

/* ---- answering ---- */

static void hang_up(struct rsip_conn *c)
{
	if (c->fd < 0)
		return;
	if (c->event)
		event_free(c->event);
	close(c->fd);
	c->event = NULL;
	c->fd = -1;
}

static void send_with(int sock, const char *line, size_t len, int passed)
{
	union {
		struct cmsghdr h;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)line, .iov_len = len};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	if (passed >= 0) {
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &passed, sizeof(passed));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control.space);
	}
	if (sendmsg(sock, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("a control client did not take its answer: %s", strerror(errno));
}

void rsip_conn_reply(struct rsip_conn *c, int result, const char *text, cJSON *args, int passed)
{
	cJSON *obj = cJSON_CreateObject();
	char *line;

	cJSON_AddNumberToObject(obj, "result", result);
	cJSON_AddStringToObject(obj, "text", text);
	if (args)
		cJSON_AddItemToObject(obj, "arguments", args);
	line = cJSON_PrintUnformatted(obj);
	if (line)
		send_with(c->fd, line, strlen(line), passed);
	free(line);
	cJSON_Delete(obj);
	hang_up(c);
}

void rsip_control_lease(struct rsip_daemon *d, int index, int err)
{
	char text[400];

	if (!d->control)
		return;
	for (int i = 0; i < RSIP_CONTROL_CONNS; i++) {
		struct rsip_conn *c = &d->control->conns[i];

		if (c->fd < 0 || c->lease != index)
			continue;
		if (err)
			rsip_conn_reply(c, RSIP_CTL_ERROR,
					rsip_advice_text(err, text, sizeof(text)), NULL, -1);
		else
			rsip_conn_reply(
				c, RSIP_CTL_OK, "leased",
				rsip_status_binding(&d->session.leases[index], rsip_daemon_now()),
				-1);
	}
}

static void on_text(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_conn *c = arg;
	struct rsip_json_error bad;
	cJSON *root;
	ssize_t n;
	long len;

	n = what & EV_READ ? recv(fd, c->text + c->len, sizeof(c->text) - c->len, MSG_DONTWAIT) : 0;
	if (n <= 0) {
		hang_up(c); /* gone, or too slow */
		return;
	}
	if (c->lease >= 0 || c->query || c->end)
		return; /* its answer is on the way: one request per connection */
	c->len += n;
	len = rsip_json_span(&c->span, c->text, c->len);
	if (!len && c->len < sizeof(c->text))
		return;
	root = len > 0 ? rsip_json_parse(c->text, len, 0, &bad) : NULL;
	if (root)
		rsip_conn_obey(c, root);
	else
		rsip_conn_reply(c, RSIP_CTL_ERROR, "not a JSON object of at most 4096 bytes", NULL,
				-1);
	cJSON_Delete(root);
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct timeval patience = {.tv_sec = RSIP_CONTROL_SECONDS};
	struct rsip_daemon *d = arg;
	struct rsip_conn *c = d->control->conns;
	int sock = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	(void)what;
	while (c < d->control->conns + RSIP_CONTROL_CONNS && c->fd >= 0)
		c++;
	if (sock < 0 || c == d->control->conns + RSIP_CONTROL_CONNS) {
		if (sock >= 0)
			close(sock);
		return;
	}
	memset(c, 0, sizeof(*c));
	c->d = d;
	c->fd = sock;
	c->lease = -1;
	c->event = event_new(d->base, sock, EV_READ | EV_PERSIST, on_text, c);
	event_add(c->event, &patience);
}

/* Root's, and of the group rsip where there is one. */
static void set_owner(const char *path)
{
	struct group *group = getgrnam("rsip");

	if (group && chown(path, -1, group->gr_gid))
		log_debug("cannot give %s to the group rsip: %s", path, strerror(errno));
	chmod(path, group ? 0660 : 0600);
}

/* Does anybody listen?  A client that was killed just now has let its lock go, but perhaps not yet its socket: it gets a second. */
static bool is_alive(const struct sockaddr_un *at)
{
	bool alive = true;

	for (int i = 0; i < 20 && alive; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (i)
			usleep(50000);
		alive = fd < 0 || !connect(fd, (const struct sockaddr *)at, sizeof(*at)) || errno != ECONNREFUSED;
		if (fd >= 0)
			close(fd);
	}
	return alive;
}

int rsip_control_clear(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct stat st;

	if (lstat(path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (is_alive(&at))
		return -EADDRINUSE;
	return unlink(path) ? -errno : 0;
}

int rsip_control_open(struct rsip_daemon *d)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	struct rsip_control *ctl = calloc(1, sizeof(*ctl));
	mode_t mask;
	int err = 0;

	if (!ctl)
		return -ENOMEM;
	for (int i = 0; i < RSIP_CONTROL_CONNS; i++)
		ctl->conns[i].fd = -1;
	d->control = ctl;
	strcpy(at.sun_path, d->set.socket);
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ctl->fd < 0)
		return -errno;
	err = rsip_control_clear(d->set.socket);
	mask = umask(0177);
	if (!err && (bind(ctl->fd, (struct sockaddr *)&at, sizeof(at)) || listen(ctl->fd, 16)))
		err = -errno;
	umask(mask);
	if (err) {
		log_err("cannot open the control socket: %s: %s", d->set.socket,
			err == -EEXIST	     ? "that is a file of something else (choose another --socket)" :
			err == -EADDRINUSE ? "another program listens there (choose another --socket)" :
					     strerror(-err));
		return err;
	}
	set_owner(d->set.socket);
	ctl->event = event_new(d->base, ctl->fd, EV_READ | EV_PERSIST, on_connect, d);
	return event_add(ctl->event, NULL);
}

void rsip_control_close(struct rsip_daemon *d)
{
	struct rsip_control *ctl = d->control;

	if (!ctl)
		return;
	if (ctl->event) { /* else it is not ours */
		unlink(d->set.socket);
		event_free(ctl->event);
	}
	if (ctl->fd >= 0)
		close(ctl->fd);
	/* Who is told that we have ended may start the next one at once. */
	rsip_claim_drop(&d->claim);
	if (d->lock_fd >= 0)
		close(d->lock_fd);
	d->lock_fd = -1;
	for (int i = 0; i < RSIP_CONTROL_CONNS; i++)
		if (ctl->conns[i].fd >= 0)
			rsip_conn_reply(&ctl->conns[i],
					ctl->conns[i].end ? RSIP_CTL_OK : RSIP_CTL_ERROR,
					"the client has ended", NULL, -1);
	free(ctl);
	d->control = NULL;
}
