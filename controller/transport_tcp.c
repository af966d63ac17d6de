// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * RSIP over TCP: a stream of messages framed by their Overall Length; several in a segment, or half
 * of one.
 *
 * Closing a connection does not end a registration; asynchronous messages go to a host's newest
 * connection or wait for its next one.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "hosts6.h"
#include "log.h"
#include "rsip/wire.h"
#include "stream.h"
#include "transport.h"
#include "util.h"

/* Bytes of a request.  A list of all SPIs that are kept, with all ports and names, is shorter: 4,098 + 2 x 511 + 256 and small things. */
#define MESSAGE_MAX 8192
#define OUTPUT_MAX (64 * 1024) /* bytes a host may leave unread */
#define PARTIAL_S 10	       /* to finish a message that was begun; tcp_idle if that is less */
#define SILENT_NS (2 * RSIP_NS_PER_S) /* a connection that has said nothing makes room after this */
#define WRITE_S 10
#define PAUSE_MS 50 /* for a host over its rate: its requests wait in its own socket */
#define ACCEPTS 64  /* connections taken before other events get their turn */
#define WAITING_PER_HOST 16
#define WAITING_MAX 16384 /* messages that wait, of all hosts; the oldest goes first */

struct tcp_host;

struct conn {
	struct rsip_stream stream; /* first */
	struct rsip_tcp *tcp;
	struct tcp_host *owner;
	struct rsip_peer peer;
	__be32 rate_key;
	bool held; /* an answer is to come: what follows waits in the peer's socket */
	uint64_t partial_ns; /* when the message at the front began to wait for its rest; 0: it does
				not */
	bool silent; /* no whole message has come yet */
	uint64_t since_ns;
	struct conn *prev, *next; /* of the same host, newest first */
	struct conn *silent_prev, *silent_next; /* of all hosts, oldest first */
	struct conn *all_prev, *all_next;
};

struct waiting {
	struct tcp_host *owner;
	struct waiting *prev, *next;	     /* of the same host, oldest first */
	struct waiting *all_prev, *all_next; /* of all hosts, oldest first */
	size_t len;
	uint8_t msg[];
};

struct tcp_host {
	__be32 addr;
	uint32_t conn_cnt, waiting_cnt;
	struct conn *conns;
	struct waiting *waits;
	UT_hash_handle hh;
};

struct listener {
	struct rsip_tcp *tcp;
	int fd;
	uint16_t iface;
	struct event *ev, *again;
};

struct rsip_tcp {
	struct rsip_transports *t;
	struct listener listener[2 * RSIP_MAX_IFACES]; /* of each family */
	int cnt;
	struct tcp_host *hosts;
	struct conn *conns, *silents;
	uint64_t opened; /* connections so far */
	struct waiting *waits;
};

/* ---- hosts and what waits for them ------------------------------------------------------------ */

static struct tcp_host *host_find(struct rsip_tcp *tcp, __be32 addr)
{
	struct tcp_host *h;

	HASH_FIND(hh, tcp->hosts, &addr, sizeof(addr), h);
	return h;
}

static struct tcp_host *host_get(struct rsip_tcp *tcp, __be32 addr)
{
	struct tcp_host *h = host_find(tcp, addr);

	if (h)
		return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->addr = addr;
	HASH_ADD(hh, tcp->hosts, addr, sizeof(h->addr), h);
	return h;
}

static void host_put(struct rsip_tcp *tcp, struct tcp_host *h)
{
	if (h->conns || h->waits)
		return;
	HASH_DEL(tcp->hosts, h);
	free(h);
}

static void waiting_free(struct rsip_tcp *tcp, struct waiting *w)
{
	struct tcp_host *h = w->owner;

	DL_DELETE(h->waits, w);
	DL_DELETE2(tcp->waits, w, all_prev, all_next);
	h->waiting_cnt--;
	tcp->t->stats.async_waiting--;
	free(w);
}

static void wait_for_next(struct rsip_tcp *tcp, struct tcp_host *h, const uint8_t *msg, size_t len)
{
	struct waiting *w;

	if (h->waiting_cnt == WAITING_PER_HOST) {
		tcp->t->stats.async_dropped++;
		return;
	}
	w = calloc(1, sizeof(*w) + len);
	if (!w)
		return;
	w->owner = h;
	w->len = len;
	memcpy(w->msg, msg, len);
	DL_APPEND(h->waits, w);
	DL_APPEND2(tcp->waits, w, all_prev, all_next);
	h->waiting_cnt++;
	if (++tcp->t->stats.async_waiting > WAITING_MAX) {
		struct tcp_host *oldest = tcp->waits->owner;

		tcp->t->stats.async_dropped++;
		waiting_free(tcp, tcp->waits);
		host_put(tcp, oldest);
	}
}

/* ---- one connection --------------------------------------------------------------------------- */

static void conn_spoke(struct conn *c)
{
	if (!c->silent)
		return;
	c->silent = false;
	DL_DELETE2(c->tcp->silents, c, silent_prev, silent_next);
}

static void conn_free(struct rsip_stream *s)
{
	struct conn *c = (struct conn *)s;
	struct rsip_tcp *tcp = c->tcp;
	struct tcp_host *h = c->owner;

	conn_spoke(c);
	DL_DELETE(h->conns, c);
	DL_DELETE2(tcp->conns, c, all_prev, all_next);
	h->conn_cnt--;
	tcp->t->stats.tcp_open--;
	rsip_stream_fini(&c->stream);
	rsip_hosts6_release(c->peer.host, rsip_now_ns());
	free(c);
	host_put(tcp, h);
}

static bool conn_write(struct conn *c, const uint8_t *msg, size_t len)
{
	if (rsip_stream_unsent(&c->stream) + len > OUTPUT_MAX) {
		c->tcp->t->stats.tcp_slow_closed++;
		return false;
	}
	return rsip_stream_write(&c->stream, msg, len);
}

/* Seconds for the rest of a message. */
static unsigned int partial_s(const struct conn *c)
{
	unsigned int idle_s = c->tcp->t->conf->tcp_idle_s;

	return idle_s < PARTIAL_S ? idle_s : PARTIAL_S;
}

static void set_patience(struct conn *c)
{
	rsip_stream_patience(&c->stream, c->partial_ns ? partial_s(c) : c->tcp->t->conf->tcp_idle_s, WRITE_S);
}

/*
 * Length of the message at the front of the stream: 0 it is not complete, negative the framing is
 * lost. RFC 3103 7: version, type, overall length.
 */
static long front_message(struct evbuffer *in)
{
	uint8_t hdr[RSIP_HDR_LEN];
	uint16_t len;

	if (evbuffer_copyout(in, hdr, sizeof(hdr)) < RSIP_HDR_LEN)
		return 0;
	len = (uint16_t)(hdr[2] << 8 | hdr[3]);
	if (hdr[0] != RSIP_VERSION || len < RSIP_HDR_LEN || len > MESSAGE_MAX)
		return -EBADMSG;
	return evbuffer_get_length(in) >= len ? len : 0;
}

static bool answer_one(struct conn *c, struct evbuffer *in, size_t len, uint64_t now_ns)
{
	struct rsip_transports *t = c->tcp->t;
	const uint8_t *msg = evbuffer_pullup(in, (ev_ssize_t)len);
	size_t answer_len;

	if (!msg)
		return false;
	t->stats.tcp_received++;
	conn_spoke(c);
	answer_len = t->receive(t->arg, &c->peer, msg, len, now_ns, t->answer, sizeof(t->answer),
				&c->held);
	evbuffer_drain(in, len);
	if (!answer_len)
		return true;
	t->stats.tcp_answered++;
	return conn_write(c, t->answer, answer_len);
}

/* Returns false if the connection is to be closed. */
static bool serve(struct rsip_stream *s)
{
	struct conn *c = (struct conn *)s;
	struct evbuffer *in = bufferevent_get_input(s->bev);
	uint64_t now_ns = rsip_now_ns();
	long len;

	while ((len = front_message(in)) > 0) {
		if (!rsip_ratelimit_take(c->tcp->t->limit, c->rate_key, now_ns)) {
			c->tcp->t->stats.tcp_paused++;
			rsip_stream_pause(s, PAUSE_MS);
			return true;
		}
		c->partial_ns = 0;
		if (!answer_one(c, in, (size_t)len, now_ns) || s->closing)
			return false;
		if (c->held) {
			rsip_stream_hold(s);
			return true;
		}
	}
	if (len < 0) {
		c->tcp->t->stats.tcp_bad_closed++;
		answer_one(c, in, RSIP_HDR_LEN, now_ns);
		return false;
	}
	if (!evbuffer_get_length(in))
		c->partial_ns = 0;
	else if (!c->partial_ns)
		c->partial_ns = now_ns;
	else if (now_ns - c->partial_ns > partial_s(c) * RSIP_NS_PER_S)
		return false; /* one byte now and then */
	set_patience(c);
	return true;
}

static void ended(struct rsip_stream *s, short what)
{
	if (what & BEV_EVENT_TIMEOUT)
		((struct conn *)s)->tcp->t->stats.tcp_idle_closed++;
}

static const struct rsip_stream_ops conn_ops = { .serve = serve, .ended = ended, .release = conn_free };

/* ---- new connections -------------------------------------------------------------------------- */

static struct conn *conn_new(struct listener *l, int fd, const union rsip_sockaddr *from,
			     struct tcp_host *h)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	if (rsip_stream_init(&c->stream, l->tcp->t->base, fd, &conn_ops)) {
		free(c);
		return NULL;
	}
	c->tcp = l->tcp;
	c->owner = h;
	c->peer = (struct rsip_peer){
		.conn = ++l->tcp->opened,
		.host = h->addr,
		.port = rsip_sockaddr_port(from),
		.iface = l->iface,
		.transport = RSIP_TRANSPORT_TCP,
	};
	c->rate_key = rsip_transport_rate_key(from, h->addr);
	return c;
}

/*
 * At the cap the connection that has said nothing for longest goes, if that is long enough: who only
 * opens connections must not keep others out.
 */
static bool has_room(struct rsip_tcp *tcp, uint64_t now_ns)
{
	struct conn *oldest = tcp->silents;

	if (tcp->t->stats.tcp_open < tcp->t->conf->tcp_connections)
		return true;
	if (!oldest || now_ns - oldest->since_ns < SILENT_NS)
		return false;
	tcp->t->stats.tcp_silent_closed++;
	conn_free(&oldest->stream);
	return true;
}

static void conn_open(struct listener *l, int fd, const union rsip_sockaddr *from)
{
	uint64_t now_ns = rsip_now_ns();
	struct rsip_tcp *tcp = l->tcp;
	struct rsip_transports *t = tcp->t;
	struct tcp_host *h = NULL;
	struct conn *c = NULL;
	__be32 host = 0;
	int one = 1;

	if (has_room(tcp, now_ns))
		host = rsip_transport_host(t, from, true, now_ns);
	if (host)
		h = host_get(tcp, host);
	if (h && h->conn_cnt < t->conf->tcp_connections_per_client)
		c = conn_new(l, fd, from, h);
	if (!c) {
		t->stats.tcp_refused++;
		close(fd);
		if (h)
			host_put(tcp, h);
		rsip_hosts6_release(host, now_ns);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	DL_PREPEND(h->conns, c);
	DL_APPEND2(tcp->conns, c, all_prev, all_next);
	c->silent = true;
	c->since_ns = now_ns;
	DL_APPEND2(tcp->silents, c, silent_prev, silent_next);
	h->conn_cnt++;
	t->stats.tcp_open++;
	t->stats.tcp_accepted++;
	set_patience(c);
	while (h->waits && conn_write(c, h->waits->msg, h->waits->len)) {
		t->stats.async_tcp++;
		waiting_free(tcp, h->waits);
	}
	rsip_stream_start(&c->stream);
}

static void on_again(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)fd;
	(void)what;
	event_add(l->ev, NULL);
}

static void on_accept(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = arg;

	(void)what;
	for (int i = 0; i < ACCEPTS; i++) {
		union rsip_sockaddr from;
		socklen_t len = sizeof(from);
		int got = accept4(fd, &from.sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (got >= 0) {
			conn_open(l, got, &from);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM ||
			   errno == ENOBUFS) {
			struct timeval tv = {.tv_usec = 100000};

			log_warn("cannot accept a TCP connection: %s (raise LimitNOFILE= of "
				 "rsipd.service?)",
				 strerror(errno));
			event_del(l->ev);
			event_add(l->again, &tv);
			return;
		} else if (errno == EAGAIN) {
			return;
		}
	}
}

/* ---- open, send, close ------------------------------------------------------------------------ */

static int listener_open(struct rsip_tcp *tcp, const struct rsip_dp_iface *iface, int family, char *why, size_t why_len)
{
	struct listener *l = &tcp->listener[tcp->cnt];

	if (!rsip_transport_serves(&iface->rec, family))
		return 0;
	l->fd = rsip_transport_socket(SOCK_STREAM, family, &iface->rec, why, why_len);
	if (l->fd < 0)
		return l->fd;
	l->tcp = tcp;
	l->iface = (uint16_t)iface->index;
	tcp->cnt++;
	return 0;
}

int rsip_tcp_open(struct rsip_transports *t, const struct rsip_dp_iface *ifaces, int iface_cnt,
		  struct rsip_tcp **out, char *why, size_t why_len)
{
	struct rsip_tcp *tcp = calloc(1, sizeof(*tcp));
	int err = 0;

	if (!tcp)
		return -ENOMEM;
	tcp->t = t;
	for (int i = 0; i < iface_cnt && !err; i++) {
		err = listener_open(tcp, &ifaces[i], AF_INET, why, why_len);
		if (!err)
			err = listener_open(tcp, &ifaces[i], AF_INET6, why, why_len);
	}
	if (err)
		rsip_tcp_close(tcp);
	else
		*out = tcp;
	return err;
}

int rsip_tcp_start(struct rsip_tcp *tcp)
{
	for (int i = 0; i < tcp->cnt; i++) {
		struct listener *l = &tcp->listener[i];

		if (listen(l->fd, 1024))
			return -errno;
		l->ev = event_new(tcp->t->base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
		l->again = evtimer_new(tcp->t->base, on_again, l);
		if (!l->ev || !l->again || event_add(l->ev, NULL))
			return -ENOMEM;
	}
	return 0;
}

void rsip_tcp_send(struct rsip_tcp *tcp, const struct rsip_peer *to, const uint8_t *msg, size_t len)
{
	struct tcp_host *h = host_get(tcp, to->host);
	struct conn *c;

	if (!h)
		return;
	for (c = h->conns; c && c->stream.closing; c = c->next)
		;
	if (!c) {
		wait_for_next(tcp, h, msg, len);
	} else if (conn_write(c, msg, len)) {
		tcp->t->stats.async_tcp++;
	} else {
		wait_for_next(tcp, h, msg, len);
		rsip_stream_abort(&c->stream);
	}
}

void rsip_tcp_answer(struct rsip_tcp *tcp, const struct rsip_peer *to, const uint8_t *msg, size_t len)
{
	struct tcp_host *h = host_find(tcp, to->host);
	struct conn *c;

	for (c = h ? h->conns : NULL; c && c->peer.conn != to->conn; c = c->next)
		;
	if (!c)
		return;
	c->held = false;
	tcp->t->stats.tcp_answered++;
	if (conn_write(c, msg, len))
		rsip_stream_pause(&c->stream, 0); /* what followed is served from the event loop */
	else
		rsip_stream_abort(&c->stream);
}

void rsip_tcp_close(struct rsip_tcp *tcp)
{
	if (!tcp)
		return;
	while (tcp->waits) {
		struct tcp_host *h = tcp->waits->owner;

		waiting_free(tcp, tcp->waits);
		host_put(tcp, h);
	}
	while (tcp->conns)
		conn_free(&tcp->conns->stream);
	for (int i = 0; i < tcp->cnt; i++) {
		if (tcp->listener[i].ev)
			event_free(tcp->listener[i].ev);
		if (tcp->listener[i].again)
			event_free(tcp->listener[i].again);
		close(tcp->listener[i].fd);
	}
	free(tcp);
}
