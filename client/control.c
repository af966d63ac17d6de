/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
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
#include "daemon.h"
#include "json.h"
#include "log.h"
#include "rsip/ctl.h"

#define RSIP_CONTROL_CONNS 32
#define RSIP_CONTROL_TEXT 4096
#define RSIP_CONTROL_SECONDS 30

struct conn {
	struct rsip_daemon *d;
	int fd; /* -1: free */
	struct event *event;
	int lease; /* waits for this wish to come true; -1: no */
	bool end;  /* waits for the end of the client */
	struct rsip_json_span span;
	size_t len;
	char text[RSIP_CONTROL_TEXT];
};

struct rsip_control {
	int fd;
	struct event *event;
	struct conn conns[RSIP_CONTROL_CONNS];
};

const char *rsip_control_error(int err)
{
	static char text[96];

	if (err == -ETIMEDOUT)
		return "the gateway does not answer";
	if (err == -EPROTO)
		return "the gateway granted something else than was asked for";
	if (err < 0)
		return strerror(-err);
	snprintf(text, sizeof(text), "the gateway refuses: %s (%d)%s", rsip_err_name(err), err,
		 err == RSIP_ERR_USE_TCP ? " (use --transport tcp)" : "");
	return text;
}

/* ---- status
 * --------------------------------------------------------------------------------------------- */

static const char *span_text(uint64_t first, uint64_t cnt, bool hex, char *buf, size_t size)
{
	const char *fmt = hex ? (cnt > 1 ? "0x%08llx-0x%08llx" : "0x%08llx")
			      : (cnt > 1 ? "%llu-%llu" : "%llu");

	snprintf(buf, size, fmt, (unsigned long long)first, (unsigned long long)(first + cnt - 1));
	return buf;
}

static cJSON *binding_json(const struct rsip_lease *l, uint64_t now)
{
	cJSON *obj = cJSON_CreateObject();
	cJSON *ports = cJSON_AddArrayToObject(obj, "ports");
	cJSON *spis = cJSON_AddArrayToObject(obj, "spis");
	char text[48];

	rsip_json_add_u64(obj, "bind-id", l->bind_id);
	cJSON_AddStringToObject(obj, "method", rsip_method_name(l->want.method));
	rsip_json_add_ip4(obj, "address", l->addr);
	for (unsigned int i = 0; i < l->port_runs; i++)
		cJSON_AddItemToArray(
			ports, cJSON_CreateString(span_text(l->ports[i].first, l->ports[i].cnt,
							    false, text, sizeof(text))));
	for (unsigned int i = 0; i < l->spi_runs; i++)
		cJSON_AddItemToArray(spis,
				     cJSON_CreateString(span_text(l->spis[i].first, l->spis[i].cnt,
								  true, text, sizeof(text))));
	rsip_json_add_ip4(obj, "tunnel-endpoint", l->endpoint);
	if (l->expires_ns != UINT64_MAX)
		rsip_json_add_u64(obj, "seconds-left",
				  l->expires_ns > now ? (l->expires_ns - now) / RSIP_NS_PER_S : 0);
	return obj;
}

static void add_counters(struct rsip_daemon *d, cJSON *obj)
{
	static const char *const names[RSIP_TUN_COUNTERS] = {
		"out-packets",
		"out-bytes",
		"in-packets",
		"in-bytes",
		"dropped-out-not-leased",
		"in-not-leased",
		"dropped-in-ecn",
		"failed",
	};
	uint64_t sums[RSIP_TUN_COUNTERS];

	if (rsip_tunnel_counters(d->tunnel, sums))
		return;
	for (int i = 0; i < RSIP_TUN_COUNTERS; i++)
		rsip_json_add_u64(obj, names[i], sums[i]);
}

cJSON *rsip_control_status(struct rsip_daemon *d)
{
	static const char *const states[] = {"unregistered", "registered", "ending", "ended"};
	const struct rsip_session *s = &d->session;
	cJSON *obj = cJSON_CreateObject(), *tunnel, *bindings, *messages;
	uint64_t now = rsip_daemon_now();
	int wanted = 0;

	cJSON_AddStringToObject(obj, "state", states[s->state]);
	rsip_json_add_ip4(obj, "gateway", s->gateway);
	rsip_json_add_ip4(obj, "private-address", s->local);
	cJSON_AddStringToObject(obj, "interface", d->nic_name);
	cJSON_AddStringToObject(obj, "transport", d->set.transport);
	rsip_json_add_u64(obj, "client-id", s->client_id);
	tunnel = cJSON_AddObjectToObject(obj, "tunnel");
	cJSON_AddStringToObject(tunnel, "kind", rsip_tunnel_kind(d->tunnel));
	cJSON_AddStringToObject(tunnel, "device", d->set.device);
	rsip_json_add_u64(tunnel, "mtu", rsip_tunnel_mtu(d->tunnel));
	cJSON_AddStringToObject(tunnel, "namespace", d->jail.pin);
	add_counters(d, cJSON_AddObjectToObject(tunnel, "counters"));
	bindings = cJSON_AddArrayToObject(obj, "bindings");
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		if (s->leases[i].state == RSIP_LEASE_HELD)
			cJSON_AddItemToArray(bindings, binding_json(&s->leases[i], now));
		wanted += s->leases[i].state == RSIP_LEASE_WANTED;
	}
	rsip_json_add_u64(obj, "bindings-wanted", wanted);
	messages = cJSON_AddObjectToObject(obj, "messages");
	rsip_json_add_u64(messages, "sent", s->stats.sent);
	rsip_json_add_u64(messages, "resent", s->stats.resent);
	rsip_json_add_u64(messages, "received", s->stats.received);
	rsip_json_add_u64(messages, "ignored", s->stats.ignored);
	rsip_json_add_u64(messages, "timeouts", s->stats.timeouts);
	rsip_json_add_u64(messages, "renewals", s->stats.renewals);
	return obj;
}

/* ---- answering
 * --------------------------------------------------------------------------------------------- */

static void hang_up(struct conn *c)
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

/* Takes args over (NULL: none); passed: a descriptor to give along, or -1. */
static void reply(struct conn *c, int result, const char *text, cJSON *args, int passed)
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
	if (!d->control)
		return;
	for (int i = 0; i < RSIP_CONTROL_CONNS; i++) {
		struct conn *c = &d->control->conns[i];

		if (c->fd < 0 || c->lease != index)
			continue;
		if (err)
			reply(c, RSIP_CTL_ERROR, rsip_control_error(err), NULL, -1);
		else
			reply(c, RSIP_CTL_OK, "leased",
			      binding_json(&d->session.leases[index], rsip_daemon_now()), -1);
	}
}

static void lease_add(struct conn *c, const cJSON *args)
{
	struct rsip_want want = {
		.method = RSIP_METHOD_RSAP_IP,
		.ports = rsip_json_get_u64(args, "ports", 0),
		.port = rsip_json_get_u64(args, "port", 0),
		.spis = rsip_json_get_u64(args, "spis", 0),
		.lease_s = rsip_json_get_u64(args, "lease", 0),
	};
	int i;

	if (rsip_json_get_u64(args, "ports", 0) > RSIP_LEASE_PORTS_MAX ||
	    rsip_json_get_u64(args, "spis", 0) > RSIP_LEASE_SPIS_MAX ||
	    rsip_json_get_u64(args, "port", 0) > 65535 || (!want.ports && !want.spis)) {
		reply(c, RSIP_CTL_ERROR, "a binding has 1 to 255 ports, or 1 to 256 SPIs, or both",
		      NULL, -1);
		return;
	}
	if (want.spis)
		want.method = RSIP_METHOD_RSIPSEC;
	/* One jail, one address if it can be: a program should not have to choose. */
	for (i = 0; i < RSIP_LEASES_MAX && !want.addr; i++)
		if (c->d->session.leases[i].state == RSIP_LEASE_HELD)
			want.addr = c->d->session.leases[i].addr;
	i = rsip_session_want(&c->d->session, &want, true, rsip_daemon_now());
	if (i < 0) {
		reply(c, RSIP_CTL_ERROR, "this client cannot hold more bindings", NULL, -1);
		return;
	}
	c->d->session.leases[i].any_instead = want.addr && !want.port;
	c->lease = i;
}

static void lease_remove(struct conn *c, const cJSON *args)
{
	uint64_t id = rsip_json_get_u64(args, "bind-id", 0);

	if (id > UINT32_MAX || rsip_session_release(&c->d->session, id))
		reply(c, RSIP_CTL_EMPTY, "no such binding", NULL, -1);
	else
		reply(c, RSIP_CTL_OK, "released", NULL, -1);
}

static void obey(struct conn *c, const cJSON *root)
{
	const cJSON *args = cJSON_GetObjectItemCaseSensitive(root, "arguments");
	const char *command = rsip_json_get_string(root, "command", "");
	struct rsip_daemon *d = c->d;

	if (!strcmp(command, "status-get")) {
		reply(c, RSIP_CTL_OK, "status", rsip_control_status(d), -1);
	} else if (!strcmp(command, "lease-add")) {
		lease_add(c, args);
	} else if (!strcmp(command, "lease-remove")) {
		lease_remove(c, args);
	} else if (!strcmp(command, "namespace-get")) {
		reply(c, RSIP_CTL_OK, "namespace", NULL, d->jail.fd);
	} else if (!strcmp(command, "shutdown")) {
		c->end = true;
		rsip_daemon_end(d);
	} else {
		reply(c, RSIP_CTL_UNSUPPORTED, "unknown command", NULL, -1);
	}
	rsip_daemon_wake(d);
}

static void on_text(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct rsip_json_error bad;
	cJSON *root;
	ssize_t n;
	long len;

	n = what & EV_READ ? recv(fd, c->text + c->len, sizeof(c->text) - c->len, MSG_DONTWAIT) : 0;
	if (n <= 0) {
		hang_up(c); /* gone, or too slow */
		return;
	}
	if (c->lease >= 0 || c->end)
		return; /* its answer is on the way: one request per connection */
	c->len += n;
	len = rsip_json_span(&c->span, c->text, c->len);
	if (!len && c->len < sizeof(c->text))
		return;
	root = len > 0 ? rsip_json_parse(c->text, len, 0, &bad) : NULL;
	if (root)
		obey(c, root);
	else
		reply(c, RSIP_CTL_ERROR, "not a JSON object of at most 4096 bytes", NULL, -1);
	cJSON_Delete(root);
}

static void on_connect(evutil_socket_t fd, short what, void *arg)
{
	struct timeval patience = {.tv_sec = RSIP_CONTROL_SECONDS};
	struct rsip_daemon *d = arg;
	struct conn *c = d->control->conns;
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
	unlink(d->set.socket); /* the lock says that it is nobody's */
	mask = umask(0177);
	if (bind(ctl->fd, (struct sockaddr *)&at, sizeof(at)) || listen(ctl->fd, 16))
		err = -errno;
	umask(mask);
	if (err) {
		log_err("cannot open the control socket: %s: %s", d->set.socket, strerror(-err));
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
	if (ctl->event)
		event_free(ctl->event);
	if (ctl->fd >= 0)
		close(ctl->fd);
	unlink(d->set.socket);
	for (int i = 0; i < RSIP_CONTROL_CONNS; i++)
		if (ctl->conns[i].fd >= 0)
			reply(&ctl->conns[i], ctl->conns[i].end ? RSIP_CTL_OK : RSIP_CTL_ERROR,
			      "the client has ended", NULL, -1);
	free(ctl);
	d->control = NULL;
}
