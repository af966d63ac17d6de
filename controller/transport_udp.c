// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hosts6.h"
#include "log.h"
#include "rsip/wire.h"
#include "transport.h"
#include "util.h"

#define BATCH 32	  /* datagrams of one recvmmsg */
#define ROUNDS 8	  /* batches before other events get their turn */
#define ANSWER_MAX 1280	  /* the engine keeps answers over UDP below */
/*
 * A host repeats its request after 12.5, 37.5, 87.5, 187.5 ms and so on (RFC 3103 5).  So where more arrives than can be
 * served, most of what waits are copies, and to serve all in turn would mean to serve only old ones.  Where there has been
 * more than a batch to read for BEHIND_NS we are behind: what has waited longer than STALE_NS is not served then.  A moment
 * without CPU time is no such case.
 */
#define BEHIND_NS (25 * 1000000ULL)
#define STALE_NS (200 * 1000000ULL)

#define DATAGRAM_MAX 8192 /* as over TCP; what is cut off is answered as a bad length */

/* Answers that leave together. */
struct out {
	int cnt;
	union rsip_sockaddr to[BATCH];
	struct iovec iov[BATCH];
	uint8_t msg[BATCH][ANSWER_MAX];
};

struct udp_sock {
	struct rsip_udp *udp;
	int fd;
	uint16_t iface; /* index in rsip_ifaces */
	int family;
	struct event *ev;
	bool only_known; /* hosts are heard: only_known_hosts() */
	uint64_t behind_ns; /* since then there has always been more to read; 0: it had all been read */
	struct out out;
};

struct rsip_udp {
	struct rsip_transports *t;
	struct udp_sock sock[2 * RSIP_MAX_IFACES]; /* of each family */
	int cnt;
	uint8_t buf[BATCH][DATAGRAM_MAX];
};

static void send_to(struct rsip_udp *udp, const struct udp_sock *s, const union rsip_sockaddr *to,
		    const uint8_t *msg, size_t len)
{
	if (sendto(s->fd, msg, len, MSG_DONTWAIT, &to->sa, rsip_sockaddr_len(s->family)) < 0) {
		/* The host repeats its request and then gets the same answer (RFC 3103 10.1). */
		udp->t->stats.udp_send_failed++;
		log_debug("cannot send to a host on port %u: %s", rsip_sockaddr_port(to), strerror(errno));
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
			.msg_namelen = rsip_sockaddr_len(s->family),
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

static void answer(struct udp_sock *s, const union rsip_sockaddr *to, const uint8_t *msg, size_t len)
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

static void take(struct udp_sock *s, const union rsip_sockaddr *from, const uint8_t *msg, size_t len, uint64_t waited_ns,
		 uint64_t now_ns)
{
	struct rsip_transports *t = s->udp->t;
	bool begins = len >= RSIP_HDR_LEN && msg[1] == RSIP_MSG_REGISTER_REQUEST;
	struct rsip_peer peer = {
		.host = rsip_transport_host(t, from, begins, now_ns),
		.port = rsip_sockaddr_port(from),
		.iface = s->iface,
		.transport = RSIP_TRANSPORT_UDP,
		.waited_ns = waited_ns,
	};
	bool held = false;
	size_t answer_len;

	t->stats.udp_received++;
	if (!peer.host) {
		t->stats.udp_no_host++;
		return;
	}
	if (!peer.port) {
		t->stats.udp_no_port++;
		goto out;
	}
	if (!rsip_ratelimit_take(t->limit, rsip_transport_rate_key(from, peer.host), now_ns)) {
		t->stats.udp_limited++;
		goto out;
	}
	answer_len = t->receive(t->arg, &peer, msg, len, now_ns, t->answer, sizeof(t->answer), &held);
	if (answer_len)
		answer(s, from, t->answer, answer_len);
out:
	rsip_hosts6_release(peer.host, now_ns); /* a registration holds it itself */
}

/*
 * Where we are behind the kernel drops REGISTER requests before they take a place in the socket: hosts that are there
 * already find room, and what is dropped costs us nothing.
 */
static void only_known_hosts(struct udp_sock *s, bool only)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, sizeof(struct udphdr) + 2, 0, 2),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, sizeof(struct udphdr) + 1), /* the type: RFC 3103 9 */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, RSIP_MSG_REGISTER_REQUEST, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffff),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	static const struct sock_fprog prog = { RSIP_ARRAY_LEN(code), code };
	int none = 0;

	if (only == s->only_known)
		return;
	s->only_known = only;
	if (only ? setsockopt(s->fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog))
		 : setsockopt(s->fd, SOL_SOCKET, SO_DETACH_FILTER, &none, sizeof(none)))
		log_debug("cannot change the filter of a socket: %s", strerror(errno));
}

/* How long it has waited in the socket; 0 where the kernel does not say, or the wall clock was set meanwhile. */
static uint64_t age_of(struct msghdr *msg, uint64_t wall_ns)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(msg);
	struct timespec then;
	uint64_t then_ns;

	if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
		return 0;
	memcpy(&then, CMSG_DATA(c), sizeof(then));
	then_ns = (uint64_t)then.tv_sec * RSIP_NS_PER_S + (uint64_t)then.tv_nsec;
	return wall_ns > then_ns && wall_ns - then_ns < 10 * RSIP_NS_PER_S ? wall_ns - then_ns : 0;
}

static bool is_behind(struct udp_sock *s, int got, uint64_t now_ns)
{
	if (got < BATCH)
		s->behind_ns = 0;
	else if (!s->behind_ns)
		s->behind_ns = now_ns;
	return s->behind_ns && now_ns - s->behind_ns > BEHIND_NS;
}

static int receive_batch(struct rsip_udp *udp, struct udp_sock *s)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct timespec))];
	} stamp[BATCH];
	union rsip_sockaddr from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msg[BATCH];
	uint64_t now_ns, wall_ns;
	int got;

	memset(msg, 0, sizeof(msg));
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){.iov_base = udp->buf[i], .iov_len = DATAGRAM_MAX};
		msg[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i],
			.msg_namelen = sizeof(from[i]),
			.msg_iov = &iov[i],
			.msg_iovlen = 1,
			.msg_control = &stamp[i],
			.msg_controllen = sizeof(stamp[i]),
		};
	}
	got = recvmmsg(s->fd, msg, BATCH, MSG_DONTWAIT, NULL);
	now_ns = rsip_now_ns();
	udp->t->behind = is_behind(s, got, now_ns);
	only_known_hosts(s, udp->t->behind);
	if (got <= 0)
		return got;
	wall_ns = rsip_wall_ns();
	for (int i = 0; i < got; i++) {
		uint64_t waited_ns = age_of(&msg[i].msg_hdr, wall_ns);

		if (msg[i].msg_hdr.msg_namelen != rsip_sockaddr_len(s->family))
			continue;
		if (udp->t->behind && waited_ns > STALE_NS)
			udp->t->stats.udp_stale++;
		else
			take(s, &from[i], udp->buf[i], msg[i].msg_len, waited_ns, now_ns);
	}
	udp->t->behind = false;
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
	if (s->only_known) /* nothing more may come, and new hosts must be heard again */
		event_active(s->ev, EV_READ, 0);
}

static int sock_open(struct rsip_udp *udp, const struct rsip_dp_iface *iface, int family, char *why, size_t why_len)
{
	struct udp_sock *s = &udp->sock[udp->cnt];
	int size = 4 * 1024 * 1024, one = 1;

	if (!rsip_transport_serves(&iface->rec, family))
		return 0;
	s->fd = rsip_transport_socket(SOCK_DGRAM, family, &iface->rec, why, why_len);
	if (s->fd < 0)
		return s->fd;
	/* Room for a site that comes back from a power cut. */
	if (setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(s->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	s->udp = udp;
	s->iface = (uint16_t)iface->index;
	s->family = family;
	udp->cnt++;
	return 0;
}

int rsip_udp_open(struct rsip_transports *t, const struct rsip_dp_iface *ifaces, int iface_cnt,
		  struct rsip_udp **out, char *why, size_t why_len)
{
	struct rsip_udp *udp = calloc(1, sizeof(*udp));
	int err = 0;

	if (!udp)
		return -ENOMEM;
	udp->t = t;
	for (int i = 0; i < iface_cnt && !err; i++) {
		err = sock_open(udp, &ifaces[i], AF_INET, why, why_len);
		if (!err)
			err = sock_open(udp, &ifaces[i], AF_INET6, why, why_len);
	}
	if (err)
		rsip_udp_close(udp);
	else
		*out = udp;
	return err;
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

/* The socket that a host is reached by, and its address; NULL: it is not. */
static struct udp_sock *way_to(struct rsip_udp *udp, const struct rsip_peer *to, union rsip_sockaddr *addr)
{
	if (!rsip_host_sockaddr(to->host, to->port, addr))
		return NULL;
	for (int i = 0; i < udp->cnt; i++)
		if (udp->sock[i].iface == to->iface && udp->sock[i].family == addr->sa.sa_family)
			return &udp->sock[i];
	return NULL;
}

void rsip_udp_send(struct rsip_udp *udp, const struct rsip_peer *to, const uint8_t *msg, size_t len)
{
	union rsip_sockaddr addr;
	struct udp_sock *s = way_to(udp, to, &addr);

	if (!s) {
		udp->t->stats.async_dropped++;
		return;
	}
	udp->t->stats.async_udp++;
	send_to(udp, s, &addr, msg, len);
}

void rsip_udp_answer(struct rsip_udp *udp, const struct rsip_peer *to, const uint8_t *msg, size_t len)
{
	union rsip_sockaddr addr;
	struct udp_sock *s = way_to(udp, to, &addr);

	if (s)
		answer(s, &addr, msg, len);
}

void rsip_udp_flush(struct rsip_udp *udp)
{
	for (int i = 0; i < udp->cnt; i++)
		flush(&udp->sock[i]);
}

void rsip_udp_count_lost(struct rsip_udp *udp)
{
	uint64_t lost = 0;

	for (int i = 0; i < udp->cnt; i++) {
		uint32_t info[SK_MEMINFO_VARS] = { 0 };
		socklen_t len = sizeof(info);

		if (!getsockopt(udp->sock[i].fd, SOL_SOCKET, SO_MEMINFO, info, &len))
			lost += info[SK_MEMINFO_DROPS];
	}
	udp->t->stats.udp_lost = lost;
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
