/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RSIP over UDP and TCP, port 4555, on private interfaces only.  A transport moves whole messages
 * and knows nothing of what they say but their version and length.
 */
#ifndef RSIP_TRANSPORT_H
#define RSIP_TRANSPORT_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config.h"
#include "hosts6.h"
#include "ratelimit.h"

#define RSIP_ANSWER_MAX 65535

struct rsip_peer { /* where a message came from, or is to go */
	__be32 host; /* or its handle: hosts6.h */
	uint16_t port;	   /* host order */
	uint16_t iface;	   /* index in rsip_ifaces */
	uint8_t transport; /* enum rsip_transport */
	uint64_t conn;	   /* TCP: number of the connection */
	uint64_t waited_ns; /* UDP: before it was read */
};

struct rsip_transport_stats { /* since start */
	uint64_t udp_received, udp_answered, udp_limited, udp_send_failed;
	uint64_t udp_no_port; /* from port 0: no answer would get there */
	uint64_t udp_no_host; /* from an address that no host can have: 240/4, link-local and such of IPv6 */
	uint64_t udp_stale; /* waited too long behind others: the host has asked again meanwhile */
	uint64_t udp_lost; /* the kernel had no room in a socket, or dropped what is told in udp_later: modulo 2^32 */
	uint64_t udp_later; /* requests of new hosts, while those that are there ask for more than can be served */
	uint64_t tcp_accepted, tcp_refused, tcp_received, tcp_answered, tcp_paused, tcp_slow_closed,
		tcp_idle_closed, tcp_silent_closed;
	uint64_t tcp_bad_closed; /* framing lost: bad version or length */
	uint64_t async_udp, async_tcp, async_dropped;
	uint32_t tcp_open, async_waiting; /* now */
};

/*
 * Takes one message and fills answer; returns its length, 0 for no answer.  Of a TCP stream whose
 * framing is lost msg is the 4-byte header alone: the connection is closed after the answer.
 * *held is set where an answer will come later, by rsip_udp_answer() or rsip_tcp_answer().
 */
typedef size_t (*rsip_receive_fn)(void *arg, const struct rsip_peer *from, const uint8_t *msg,
				  size_t len, uint64_t now_ns, uint8_t *answer, size_t size,
				  bool *held);

struct rsip_transports { /* what both share */
	struct event_base *base;
	const struct rsip_conf *conf;
	struct rsip_ratelimit *limit;
	struct rsip_transport_stats stats;
	rsip_receive_fn receive;
	bool behind; /* more arrives than can be served: the message was read late */
	void *arg;
	uint8_t answer[RSIP_ANSWER_MAX];
};

struct rsip_udp;
struct rsip_tcp;

/*
 * Open the sockets: one on each private interface of ifaces, bound to the device and to its
 * endpoint.  Nothing is read before rsip_*_start().  0, or negative errno with a sentence in why.
 */
int rsip_udp_open(struct rsip_transports *t, const struct rsip_dp_iface *ifaces, int iface_cnt,
		  struct rsip_udp **out, char *why, size_t why_len);
int rsip_udp_start(struct rsip_udp *udp);
/* An asynchronous message; it may be lost. */
void rsip_udp_send(struct rsip_udp *udp, const struct rsip_peer *to, const uint8_t *msg,
		   size_t len);
/* A held answer.  It leaves with the next rsip_udp_flush() at the latest. */
void rsip_udp_answer(struct rsip_udp *udp, const struct rsip_peer *to, const uint8_t *msg, size_t len);
void rsip_udp_flush(struct rsip_udp *udp);
/* Brings stats.udp_lost up to date. */
void rsip_udp_count_lost(struct rsip_udp *udp);
void rsip_udp_close(struct rsip_udp *udp);

int rsip_tcp_open(struct rsip_transports *t, const struct rsip_dp_iface *ifaces, int iface_cnt,
		  struct rsip_tcp **out, char *why, size_t why_len);
int rsip_tcp_start(struct rsip_tcp *tcp);
/* An asynchronous message: by the host's newest connection, or it waits for the next one. */
void rsip_tcp_send(struct rsip_tcp *tcp, const struct rsip_peer *to, const uint8_t *msg,
		   size_t len);
/* A held answer, for the connection that the request came by; nothing if that is gone. */
void rsip_tcp_answer(struct rsip_tcp *tcp, const struct rsip_peer *to, const uint8_t *msg, size_t len);
void rsip_tcp_close(struct rsip_tcp *tcp);

/* A non-blocking socket of this type (and AF_INET, AF_INET6) on one private interface. */
int rsip_transport_socket(int type, int family, const struct rsip_iface *iface, char *why, size_t why_len);
/* Which hosts does the interface serve?  AF_INET6: has it such an endpoint? */
bool rsip_transport_serves(const struct rsip_iface *iface, int family);

/*
 * The host that a source is: its address or handle, held once more until rsip_hosts6_release(); may_begin: it may get a new
 * handle.  RSIP_HOST6_NOBODY: an IPv6 address that has none, nor gets one.  0: no host can have this address.
 */
__be32 rsip_transport_host(const struct rsip_transports *t, const union rsip_sockaddr *from, bool may_begin, uint64_t now_ns);
/* What the rate of a source is counted under: unknown ones of IPv6 by their network of 64 bits. */
__be32 rsip_transport_rate_key(const union rsip_sockaddr *from, __be32 host);

#endif
