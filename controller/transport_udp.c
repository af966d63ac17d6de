// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "rsip/wire.h"
#include "transport.h"
#include "util.h"

#define BATCH 32	  /* datagrams of one recvmmsg */
#define ROUNDS 8	  /* batches before other events get their turn */
#define ANSWER_MAX 1280	  /* the engine keeps answers over UDP below */
#define DATAGRAM_MAX 4096 /* requests are shorter; what is cut off is answered as a bad length */

/* Answers that leave together. */
struct out {
	int cnt;
	struct sockaddr_in to[BATCH];
	struct iovec iov[BATCH];
	uint8_t msg[BATCH][ANSWER_MAX];
};

struct udp_sock {
	struct rsip_udp *udp;
	int fd;
	uint16_t iface; /* index in rsip_ifaces */
	struct event *ev;
	struct out out;
};

struct rsip_udp {
	struct rsip_transports *t;
	struct udp_sock sock[RSIP_MAX_IFACES];
	int cnt;
	uint8_t buf[BATCH][DATAGRAM_MAX];
};

static void send_to(struct rsip_udp *udp, const struct udp_sock *s, const struct sockaddr_in *to,
		    const uint8_t *msg, size_t len)
{
	if (sendto(s->fd, msg, len, MSG_DONTWAIT, (const struct sockaddr *)to, sizeof(*to)) < 0) {
		/* The host repeats its request and then gets the same answer (RFC 3103 10.1). */
		udp->t->stats.udp_send_failed++;
		log_debug("cannot send to %s: %s", rsip_ip4(to->sin_addr.s_addr), strerror(errno));
	}
}

static void flush(struct udp_sock *s)
{
	struct mmsghdr msg[BATCH];
	int sent = 0;

	memset(msg, 0, sizeof(msg[0]) * (size_t)s->out.cnt);
	for (int i = 0; i < s->out.cnt; i++)
		msg[i].msg_hdr = (struct msghdr){
			.msg_name = &s->out.to[i],
			.msg_namelen = sizeof(s->out.to[i]),
			.msg_iov = &s->out.iov[i],
			.msg_iovlen = 1,
		};
	while (sent < s->out.cnt) {
		int got = sendmmsg(s->fd, msg + sent, (unsigned int)(s->out.cnt - sent), MSG_DONTWAIT);

		if (got <= 0) { /* the first one of these; its host repeats its request (RFC 3103 10.1) */
			s->udp->t->stats.udp_send_failed++;
			got = 1;
		}
		sent += got;
	}
	s->out.cnt = 0;
}

static void answer(struct udp_sock *s, const struct sockaddr_in *to, const uint8_t *msg, size_t len)
{
	struct out *o = &s->out;

	s->udp->t->stats.udp_answered++;
	if (len > ANSWER_MAX) {
		send_to(s->udp, s, to, msg, len);
		return;
	}
	memcpy(o->msg[o->cnt], msg, len);
	o->iov[o->cnt] = (struct iovec){ .iov_base = o->msg[o->cnt], .iov_len = len };
	o->to[o->cnt] = *to;
	if (++o->cnt == BATCH)
		flush(s);
}

static void take(struct rsip_udp *udp, struct udp_sock *s, const struct sockaddr_in *from,
		 const uint8_t *msg, size_t len, uint64_t now_ns)
{
	struct rsip_transports *t = udp->t;
	struct rsip_peer peer = {
		.host = from->sin_addr.s_addr,
		.port = ntohs(from->sin_port),
		.iface = s->iface,
		.transport = RSIP_TRANSPORT_UDP,
	};
	bool held = false;
	size_t answer_len;

	t->stats.udp_received++;
	if (!peer.port) {
		t->stats.udp_no_port++;
		return;
	}
	if (!rsip_ratelimit_take(t->limit, peer.host, now_ns)) {
		t->stats.udp_limited++;
		return;
	}
	answer_len = t->receive(t->arg, &peer, msg, len, now_ns, t->answer, sizeof(t->answer), &held);
	if (answer_len)
		answer(s, from, t->answer, answer_len);
}

static int receive_batch(struct rsip_udp *udp, struct udp_sock *s)
{
	struct sockaddr_in from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msg[BATCH];
	uint64_t now_ns;
	int got;

	memset(msg, 0, sizeof(msg));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){.iov_base = udp->buf[i], .iov_len = DATAGRAM_MAX};
		msg[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
		};
	}
	got = recvmmsg(s->fd, msg, BATCH, MSG_DONTWAIT, NULL);
	if (got <= 0)
		return got;
	now_ns = rsip_now_ns();
	for (int i = 0; i < got; i++)
		if (msg[i].msg_hdr.msg_namelen == sizeof(from[i]))
			take(udp, s, &from[i], udp->buf[i], msg[i].msg_len, now_ns);
	flush(s);
	return got;
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	struct udp_sock *s = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < ROUNDS; i++)
		if (receive_batch(s->udp, s) < BATCH)
			return;
}

int rsip_udp_open(struct rsip_transports *t, const struct rsip_dp_iface *ifaces, int iface_cnt,
		  struct rsip_udp **out, char *why, size_t why_len)
{
	struct rsip_udp *udp = calloc(1, sizeof(*udp));
	int size = 4 * 1024 * 1024;

	if (!udp)
		return -ENOMEM;
	udp->t = t;
	for (int i = 0; i < iface_cnt; i++) {
		struct udp_sock *s = &udp->sock[udp->cnt];

		if (ifaces[i].rec.role != RSIP_ROLE_PRIVATE)
			continue;
		s->fd = rsip_transport_socket(SOCK_DGRAM, &ifaces[i].rec, why, why_len);
		if (s->fd < 0) {
			int err = s->fd;

			rsip_udp_close(udp);
			return err;
		}
		/* Room for a site that comes back from a power cut. */
		if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
			setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		s->udp = udp;
		s->iface = (uint16_t)ifaces[i].index;
		udp->cnt++;
	}
	*out = udp;
	return 0;
}

int rsip_udp_start(struct rsip_udp *udp)
{
	for (int i = 0; i < udp->cnt; i++) {
		struct udp_sock *s = &udp->sock[i];

		s->ev = event_new(udp->t->base, s->fd, EV_READ | EV_PERSIST, on_readable, s);
		if (!s->ev || event_add(s->ev, NULL))
			return -ENOMEM;
	}
	return 0;
}

void rsip_udp_send(struct rsip_udp *udp, const struct rsip_peer *to, const uint8_t *msg, size_t len)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(to->port),
		.sin_addr.s_addr = to->host,
	};

	for (int i = 0; i < udp->cnt; i++) {
		if (udp->sock[i].iface != to->iface)
			continue;
		udp->t->stats.async_udp++;
		send_to(udp, &udp->sock[i], &addr, msg, len);
		return;
	}
	udp->t->stats.async_dropped++;
}

void rsip_udp_answer(struct rsip_udp *udp, const struct rsip_peer *to, const uint8_t *msg, size_t len)
{
	const struct sockaddr_in addr = {
		.sin_family = AF_INET,
		.sin_port = htons(to->port),
		.sin_addr.s_addr = to->host,
	};

	for (int i = 0; i < udp->cnt; i++)
		if (udp->sock[i].iface == to->iface)
			answer(&udp->sock[i], &addr, msg, len);
}

void rsip_udp_flush(struct rsip_udp *udp)
{
	for (int i = 0; i < udp->cnt; i++)
		flush(&udp->sock[i]);
}

void rsip_udp_close(struct rsip_udp *udp)
{
	if (!udp)
		return;
	for (int i = 0; i < udp->cnt; i++) {
		if (udp->sock[i].ev)
			event_free(udp->sock[i].ev);
		close(udp->sock[i].fd);
	}
	free(udp);
}
