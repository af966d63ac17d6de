/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A host's session in a test's hands: the test is its gateway, its clock and its dice. */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "codec.h"
#include "log.h"
#include "session.h"

#define MS 1000000ULL
#define S RSIP_NS_PER_S
#define GATEWAY htonl(0x0a000001)
#define HOST htonl(0x0a000002)
#define PUB_1 htonl(0xcb007101)
#define CLIENT 77
#define BIND 9

static struct rsip_session s;
static struct rsip_message last; /* what the host sent last */
static unsigned int sent, granted, lost, failed;
static int last_failure, refuse_use;
static uint64_t now;
static uint32_t next_random;

static inline void on_send(void *ctx, const uint8_t *buf, size_t len)
{
	(void)ctx;
	cr_assert_eq(rsip_decode(buf, len, &last), RSIP_OK, "the host sent a malformed message");
	sent++;
}

static uint32_t on_random(void *ctx)
{
	(void)ctx;
	return next_random;
}

static int on_granted(void *ctx, const struct rsip_lease *lease)
{
	(void)ctx;
	/* what an owner writes down before it uses the lease must be the whole of it */
	cr_assert_eq(lease->state, RSIP_LEASE_HELD);
	cr_assert_gt(lease->expires_ns, now);
	granted++;
	return refuse_use;
}

static inline void on_lost(void *ctx, const struct rsip_lease *lease, const char *why)
{
	(void)ctx;
	(void)why;
	cr_assert_neq(lease->addr, 0);
	lost++;
}

static inline void on_failed(void *ctx, const struct rsip_lease *lease, uint8_t type, int err)
{
	(void)ctx;
	(void)lease;
	(void)type;
	failed++;
	last_failure = err;
}

static unsigned int queried, tuples_told;
static int query_err;

static inline void on_queried(void *ctx, uint32_t tag, const struct rsip_answer *a, int err)
{
	(void)ctx;
	(void)tag;
	queried++;
	query_err = err;
	tuples_told = a ? a->tuples : 0;
}

static inline void on_changed(void *ctx)
{
	(void)ctx;
}

static inline void begin_with(enum rsip_transport transport)
{
	static const struct rsip_session_sink sink = {
		.send = on_send,
		.random = on_random,
		.granted = on_granted,
		.lost = on_lost,
		.failed = on_failed,
		.queried = on_queried,
		.changed = on_changed,
	};
	const struct rsip_inet host = rsip_inet_v4(HOST), gateway = rsip_inet_v4(GATEWAY);

	rsip_log_set_level(RSIP_LOG_ERR);
	next_random = 1000;
	now = 5 * S;
	rsip_session_init(&s, &sink, transport, &host, &gateway);
	next_random = 512; /* the middle: no jitter */
}

static inline void begin(void)
{
	begin_with(RSIP_TRANSPORT_UDP);
}

static inline void tick(void)
{
	rsip_session_tick(&s, now);
}

static inline void deliver(const struct rsip_message *m)
{
	uint8_t buf[2048];
	int len = rsip_encode(m, buf, sizeof(buf));

	cr_assert_gt(len, 0, "the test cannot write its answer: %d", len);
	rsip_session_input(&s, buf, len, now);
	tick();
}

static inline struct rsip_message from_gateway(uint8_t type, uint32_t counter)
{
	struct rsip_message m;

	rsip_message_init(&m, type);
	m.counter = counter;
	m.client_id = CLIENT;
	m.has = RSIP_HAS_COUNTER | RSIP_HAS_CLIENT_ID;
	return m;
}

static inline void answer_register_with(uint32_t client_id, uint8_t local, uint8_t remote)
{
	struct rsip_message m = from_gateway(RSIP_MSG_REGISTER_RESPONSE, last.counter);

	m.client_id = client_id;
	m.lease_s = 3600;
	m.local_policy = local;
	m.remote_policy = remote;
	m.has |= RSIP_HAS_LEASE | RSIP_HAS_POLICY;
	deliver(&m);
}

static inline void answer_register(uint32_t client_id)
{
	answer_register_with(client_id, RSIP_LOCAL_MACRO, RSIP_REMOTE_NONE);
}

static inline void answer_error(uint16_t error, uint32_t client_id)
{
	struct rsip_message m = from_gateway(RSIP_MSG_ERROR_RESPONSE, last.counter);

	m.client_id = client_id;
	m.error = error;
	m.has |= RSIP_HAS_ERROR;
	deliver(&m);
}

static inline struct rsip_message grant_of(__be32 addr, uint32_t lease_s)
{
	bool ipsec = last.type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC;
	struct rsip_message m = from_gateway(ipsec ? RSIP_MSG_ASSIGN_RESPONSE_RSIPSEC
						   : RSIP_MSG_ASSIGN_RESPONSE_RSAP_IP,
					     last.counter);

	m.bind_id = BIND;
	m.lease_s = lease_s;
	rsip_address_v4(&m.local, addr);
	rsip_ports_range(&m.local_ports, 4000, 8);
	rsip_address_any(&m.remote);
	rsip_ports_any(&m.remote_ports, 1);
	m.tunnel[0] = RSIP_TUNNEL_IPIP;
	m.tunnel_cnt = 1;
	m.has |= RSIP_HAS_BIND_ID | RSIP_HAS_LEASE | RSIP_HAS_LOCAL | RSIP_HAS_LOCAL_PORTS |
		 RSIP_HAS_REMOTE | RSIP_HAS_REMOTE_PORTS;
	if (ipsec) {
		rsip_spis_range(&m.spis, 0xc0010000, 4);
		m.has |= RSIP_HAS_SPIS;
	}
	return m;
}

static inline struct rsip_message extended(uint32_t client, uint32_t bind)
{
	struct rsip_message m = from_gateway(RSIP_MSG_EXTEND_RESPONSE, last.counter);

	m.client_id = client;
	m.bind_id = bind;
	m.lease_s = 600;
	m.has |= RSIP_HAS_BIND_ID | RSIP_HAS_LEASE;
	return m;
}

static inline void want_ports(void)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSAP_IP, .ports = 8};

	cr_assert_geq(rsip_session_want(&s, &want, false, now), 0);
}

/* Registered, and one binding of 600 s held. */
static inline void leased(void)
{
	struct rsip_message m;

	begin();
	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
	cr_assert_eq(granted, 1);
}

#endif
