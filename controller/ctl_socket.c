// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The control socket's server: many requests on one connection, bounded in size, rate and number.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <utlist.h>

#include "ctl.h"
#include "json.h"
#include "log.h"
#include "stream.h"
#include "util.h"

#define CONNS_MAX 32 /* of each socket: who may only read must not keep the operator out */
#define IDLE_S 600
#define WRITE_S 10
#define PER_S 200 /* requests of one connection; the next ones wait */
#define PAUSE_MS 20
/* Of all connections of the read-only socket together: a page of 1,000 bindings takes the event loop some 5 ms. */
#define READS_PER_S 50
#define READS_BURST 10
#define READS_PAUSE_MS 100

struct ctl_conn {
	struct rsip_stream stream; /* first */
	struct rsip_ctl_server *server;
	struct ctl_socket *from;
	struct rsip_json_span span;
	uint64_t paid_ns; /* all requests so far are paid for at this time */
	struct rsip_ctl_peer peer;
	struct ctl_conn *prev, *next;
};

struct ctl_socket { /* a file that is listened on */
	struct rsip_ctl_server *server;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)]; /* "": not wanted */
	mode_t mode;
	bool read_only;
	uint64_t paid_ns; /* as a connection's, of all its connections */
	int conn_cnt;
	int fd;
	struct event *ev;
};

struct rsip_ctl_server {
	struct event_base *base;
	struct rsip_ctl_context *ctx;
	struct ctl_socket socket[2]; /* for all commands; for those that change nothing */
	struct ctl_conn *conns;
};

/* ---- connections ------------------------------------------------------------------------------ */

static void conn_free(struct rsip_stream *s)
{
	struct ctl_conn *c = (struct ctl_conn *)s;

	DL_DELETE(c->server->conns, c);
	c->from->conn_cnt--;
	rsip_stream_fini(s);
	free(c);
}

static bool has_credit(uint64_t *paid_ns, uint64_t now_ns, uint64_t burst_ns)
{
	if (*paid_ns < now_ns)
		*paid_ns = now_ns;
	return *paid_ns - now_ns < burst_ns;
}

static bool over_rate(struct ctl_conn *c, uint64_t now_ns)
{
	struct ctl_socket *from = c->from;
	bool all = !from->read_only ||
		   has_credit(&from->paid_ns, now_ns, READS_BURST * RSIP_NS_PER_S / READS_PER_S);

	/* A reply that nobody has read yet is also a reason to wait. */
	if (all && has_credit(&c->paid_ns, now_ns, RSIP_NS_PER_S) &&
	    rsip_stream_unsent(&c->stream) < RSIP_CTL_REPLY_MAX) {
		c->paid_ns += RSIP_NS_PER_S / PER_S;
		from->paid_ns += RSIP_NS_PER_S / READS_PER_S;
		return false;
	}
	rsip_stream_pause(&c->stream, all ? PAUSE_MS : READS_PAUSE_MS);
	return true;
}

static bool reply(struct ctl_conn *c, const char *request, size_t len, uint64_t now_ns)
{
	char *text = rsip_ctl_answer(c->server->ctx, request, len, now_ns, &c->peer);
	bool sent = text && rsip_stream_write(&c->stream, text, strlen(text));

	free(text);
	return sent;
}

/* Returns false if the connection is to be closed. */
static bool serve(struct rsip_stream *s)
{
	struct ctl_conn *c = (struct ctl_conn *)s;
	struct evbuffer *in = bufferevent_get_input(s->bev);
	uint64_t now_ns = rsip_now_ns();

	for (;;) {
		size_t len = evbuffer_get_length(in);
		const char *data = len ? (const char *)evbuffer_pullup(in, -1) : NULL;
		struct rsip_json_span before = c->span;
		long request = data ? rsip_json_span(&c->span, data, len) : 0;

		if (request < 0 || len > RSIP_CTL_REQUEST_MAX) {
			/* Where the next request begins is not known: say what is wrong with this,
			 * and close. */
			reply(c, request < 0 ? data : "\"too long\"", request < 0 ? len : 10,
			      now_ns);
			return false;
		}
		if (!request)
			return true;
		if (over_rate(c, now_ns)) {
			c->span = before;
			return true;
		}
		if (!reply(c, data, (size_t)request, now_ns))
			return false;
		evbuffer_drain(in, (size_t)request);
		/* Who listens to events may be silent for as long as it likes. */
		rsip_stream_patience(&c->stream, c->peer.events ? 0 : IDLE_S, WRITE_S);
	}
}

/* What is there when the peer ends and is no whole request gets its error too. */
static void ended(struct rsip_stream *s, short what)
{
	struct ctl_conn *c = (struct ctl_conn *)s;
	struct evbuffer *in = bufferevent_get_input(s->bev);

	if (what & BEV_EVENT_EOF && !s->closing && evbuffer_get_length(in) && c->span.depth)
		reply(c, (const char *)evbuffer_pullup(in, -1), evbuffer_get_length(in), rsip_now_ns());
}

static const struct rsip_stream_ops conn_ops = { .serve = serve, .ended = ended, .release = conn_free };

static void name_peer(int fd, char *who, size_t size)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len))
		snprintf(who, size, "unknown peer");
	else
		snprintf(who, size, "uid %u pid %d", cred.uid, cred.pid);
}

static void conn_open(struct ctl_socket *from, int fd)
{
	struct rsip_ctl_server *server = from->server;
	struct ctl_conn *c = from->conn_cnt < CONNS_MAX ? calloc(1, sizeof(*c)) : NULL;

	if (!c || rsip_stream_init(&c->stream, server->base, fd, &conn_ops)) {
		log_warn("cannot serve a control connection: %s",
			 c ? "out of memory" : "too many are open");
		close(fd);
		free(c);
		return;
	}
	c->server = server;
	c->from = from;
	c->peer.read_only = from->read_only;
	name_peer(fd, c->peer.who, sizeof(c->peer.who));
	log_debug("control: %sconnection from %s", from->read_only ? "read-only " : "", c->peer.who);
	DL_APPEND(server->conns, c);
	from->conn_cnt++;
	bufferevent_setwatermark(c->stream.bev, EV_READ, 0, RSIP_CTL_REQUEST_MAX + 4096);
	rsip_stream_patience(&c->stream, IDLE_S, WRITE_S);
	rsip_stream_start(&c->stream);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	int got = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)what;
	if (got >= 0)
		conn_open(arg, got);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

bool rsip_ctl_wanted(const struct rsip_ctl_server *server, enum rsip_ctl_event kind)
{
	const struct ctl_conn *c;

	if (!server)
		return false;
	DL_FOREACH(server->conns, c)
		if (c->peer.events & 1U << kind)
			return true;
	return false;
}

/*
 * A subscriber that reads too slowly loses events, and hears how many as soon as it reads again.
 * false: it has no room for len bytes more.
 */
static bool tell_lost(struct ctl_conn *c, size_t len)
{
	char lost[64];
	int n;

	if (rsip_stream_unsent(&c->stream) + len > RSIP_CTL_EVENTS_UNSENT_MAX)
		return false;
	if (!c->peer.lost)
		return true;
	n = snprintf(lost, sizeof(lost), "{\"event\":\"lost\",\"count\":%llu}\n", (unsigned long long)c->peer.lost);
	c->peer.lost = 0;
	return rsip_stream_write(&c->stream, lost, (size_t)n);
}

static void send_event(struct ctl_conn *c, const char *line, size_t len)
{
	if (!tell_lost(c, len) || !rsip_stream_write(&c->stream, line, len))
		c->peer.lost++;
}

void rsip_ctl_tell_lost(struct rsip_ctl_server *server)
{
	struct ctl_conn *c;

	DL_FOREACH(server->conns, c)
		if (c->peer.lost && !c->stream.closing)
			tell_lost(c, 0);
}

void rsip_ctl_publish(struct rsip_ctl_server *server, enum rsip_ctl_event kind, cJSON *event, uint64_t wall_ns)
{
	char *line = rsip_ctl_event_line(event, wall_ns);
	struct ctl_conn *c;

	cJSON_Delete(event);
	if (!line)
		return;
	DL_FOREACH(server->conns, c)
		if (c->peer.events & 1U << kind && !c->stream.closing)
			send_event(c, line, strlen(line));
	free(line);
}

/* ---- the socket file -------------------------------------------------------------------------- */

/*
 * Makes the socket's folder if it is not there (systemd's RuntimeDirectory= does it otherwise); dir
 * receives its name if it was made, to be given to its owner when all is in it.
 */
static int make_folder(const char *path, char *dir, size_t size)
{
	char *slash;

	snprintf(dir, size, "%s", path);
	slash = strrchr(dir, '/');
	if (!slash || slash == dir) {
		dir[0] = '\0';
		return 0;
	}
	*slash = '\0';
	if (!mkdir(dir, 0755))
		return 0;
	dir[0] = '\0';
	return errno == EEXIST ? 0 : -errno;
}

/*
 * Does anybody listen there?  0, or errno of connect().  Asked as the file's owner: it is the user that rsipd
 * becomes, and root without CAP_DAC_OVERRIDE, as rsipd.service starts it, may not open the socket of another.
 */
static int knock(int fd, const struct sockaddr_un *addr, uid_t owner)
{
	bool change = geteuid() == 0 && owner != 0;
	int err;

	if (change && seteuid(owner))
		return errno;
	err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	if (change && seteuid(0))
		return errno;
	return err;
}

/* Removes what a killed rsipd left; -EADDRINUSE if somebody listens there, or it is no socket. */
static int clear_path(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err;

	if (lstat(addr->sun_path, &st))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = knock(fd, addr, st.st_uid);
	close(fd);
	if (err != ECONNREFUSED)
		return err && err != EAGAIN ? -err : -EADDRINUSE;
	return unlink(addr->sun_path) ? -errno : 0;
}

static int set_owner(const struct ctl_socket *sock, uid_t owner)
{
	const struct rsip_conf *conf = sock->server->ctx->conf;
	const struct group *group = getgrnam(conf->control.group);

	if (!group && !sock->read_only)
		log_info("no group \"%s\": only root and %s may use the control socket",
			 conf->control.group, conf->user);
	/* While it is still ours: its later owner's file cannot be changed without CAP_FOWNER. */
	if (chmod(sock->path, sock->mode))
		return -errno;
	if (getuid() == 0)
		return chown(sock->path, owner, group ? group->gr_gid : (gid_t)-1) ? -errno : 0;
	if (group && chown(sock->path, (uid_t)-1, group->gr_gid))
		log_info("cannot give the control socket to group \"%s\": %s", group->gr_name,
			 strerror(errno));
	return 0;
}

static int make_socket(struct ctl_socket *sock, uid_t owner)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	char dir[sizeof(addr.sun_path)];
	mode_t before;
	int err;

	memcpy(addr.sun_path, sock->path, sizeof(addr.sun_path));
	err = make_folder(sock->path, dir, sizeof(dir));
	if (!err)
		err = clear_path(&addr);
	if (err)
		return err;
	sock->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (sock->fd < 0)
		return -errno;
	before = umask(0177); /* nobody else until it belongs to whom it should */
	err = bind(sock->fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	umask(before);
	if (!err)
		err = set_owner(sock, owner);
	if (!err && dir[0] && getuid() == 0 && chown(dir, owner, (gid_t)-1))
		err = -errno;
	return err;
}

static void plan_sockets(struct rsip_ctl_server *server)
{
	const struct rsip_conf *conf = server->ctx->conf;
	struct ctl_socket *all = &server->socket[0], *reads = &server->socket[1];

	*all = (struct ctl_socket){ .server = server, .mode = conf->control.mode, .fd = -1 };
	*reads = (struct ctl_socket){ .server = server, .mode = conf->control.read_only_mode, .read_only = true, .fd = -1 };
	snprintf(all->path, sizeof(all->path), "%s", conf->control.socket);
	snprintf(reads->path, sizeof(reads->path), "%s", conf->control.read_only_socket);
}

static void close_sockets(struct rsip_ctl_server *server, bool remove)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(server->socket); i++) {
		struct ctl_socket *sock = &server->socket[i];

		if (sock->ev)
			event_free(sock->ev);
		if (sock->fd < 0)
			continue;
		close(sock->fd);
		/* Without the right to remove it the next start does. */
		if (remove)
			unlink(sock->path);
	}
}

int rsip_ctl_open(struct event_base *base, struct rsip_ctl_context *ctx, uid_t owner,
		  struct rsip_ctl_server **out, char *why, size_t why_len)
{
	struct rsip_ctl_server *server = calloc(1, sizeof(*server));
	int err = 0;

	if (!server)
		return -ENOMEM;
	server->base = base;
	server->ctx = ctx;
	plan_sockets(server);
	for (size_t i = 0; i < RSIP_ARRAY_LEN(server->socket); i++) {
		struct ctl_socket *sock = &server->socket[i];

		err = *sock->path ? make_socket(sock, owner) : 0;
		if (!err)
			continue;
		snprintf(why, why_len, "cannot make the control socket: %s: %s%s", sock->path,
			 strerror(-err), err == -EADDRINUSE ? " (is another rsipd running?)" : "");
		close_sockets(server, false);
		free(server);
		return err;
	}
	*out = server;
	return 0;
}

int rsip_ctl_start(struct rsip_ctl_server *server)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(server->socket); i++) {
		struct ctl_socket *sock = &server->socket[i];

		if (sock->fd < 0)
			continue;
		if (listen(sock->fd, CONNS_MAX))
			return -errno;
		sock->ev = event_new(server->base, sock->fd, EV_READ | EV_PERSIST, on_accept, sock);
		if (!sock->ev || event_add(sock->ev, NULL))
			return -ENOMEM;
	}
	return 0;
}

void rsip_ctl_close(struct rsip_ctl_server *server)
{
	if (!server)
		return;
	while (server->conns)
		conn_free(&server->conns->stream);
	close_sockets(server, true);
	free(server);
}
