/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A whole gateway without network, clock or kernel: engine, lease manager and the in-memory data
 * plane, with time in gw.now.  say() speaks as a host; gw.got is the answer.
 */
#ifndef ENGINE_FIXTURE_H
#define ENGINE_FIXTURE_H

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"
#include "engine.h"
#include "util.h"

#define S RSIP_NS_PER_S
#define SILENCE (-1)
#define GARBAGE (-2)
#define HEARD_MAX 4096

struct heard { /* an asynchronous message */
	struct rsip_from to;
	uint8_t type;
	uint32_t client_id, bind_id, counter;
	uint16_t error;
	uint64_t at_ns;
};

static struct {
	struct rsip_dataplane *dp;
	struct rsip_lease *lm;
	struct rsip_engine *e;
	struct rsip_pool_conf pool[4];
	struct rsip_lease_conf lease;
	struct rsip_engine_conf conf;
	struct rsip_net client_net, local_net[RSIP_TUPLES_MAX];
	uint64_t now;
	struct rsip_message m, got; /* what is said, what is answered */
	uint8_t bytes[65535], answer[65535];
	size_t len, answer_len;
	struct heard heard[HEARD_MAX];
	unsigned int heard_cnt, woken;
	uint64_t nexthop;
} gw __attribute__((unused));

static uint64_t gw_seed = 1;

static inline uint64_t gw_next(void) /* xorshift64* */
{
	gw_seed ^= gw_seed >> 12;
	gw_seed ^= gw_seed << 25;
	gw_seed ^= gw_seed >> 27;
	return gw_seed * 0x2545f4914f6cdd1dULL;
}

static inline void gw_random(void *buf, size_t len)
{
	for (uint8_t *b = buf; len; len--)
		*b++ = gw_next() >> 56;
}

static inline void gw_resolve(void *arg, __be32 host, uint16_t iface, uint64_t *nexthop,
			      __be32 *endpoint, uint16_t *mtu)
{
	(void)arg;
	(void)iface;
	*nexthop = gw.nexthop;
	*endpoint = RSIP_HOST6_IS(host) ? 0 : inet_addr("10.0.0.1");
	*mtu = 1500;
}

static inline const char *gw_iface_name(void *arg, uint16_t iface)
{
	static char name[16];

	(void)arg;
	snprintf(name, sizeof(name), "priv%u", (unsigned int)iface);
	return name;
}

static inline void gw_hear(void *arg, const struct rsip_from *to, const uint8_t *msg, size_t len)
{
	static struct rsip_message m;
	struct heard *h = &gw.heard[gw.heard_cnt % HEARD_MAX];

	(void)arg;
	if (rsip_decode(msg, len, &m) != RSIP_OK)
		abort();
	*h = (struct heard){ .to = *to,
			     .type = m.type,
			     .client_id = m.client_id,
			     .bind_id = m.bind_id,
			     .error = m.error,
			     .counter = m.has & RSIP_HAS_COUNTER ? m.counter : 99,
			     .at_ns = gw.now };
	gw.heard_cnt++;
}

static inline void gw_wake(void *arg)
{
	(void)arg;
	gw.woken++;
}

static inline void gw_down(void)
{
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	gw.dp->ops->close(gw.dp);
	gw.e = NULL;
}

/* The usual gateway; change gw.pool, gw.lease, gw.conf after this and before gw_up(). */
static inline void gw_plan(void)
{
	if (gw.e) /* a suite's init runs before that of a test of it */
		gw_down();
	memset(&gw, 0, sizeof(gw));
	gw_seed = 1;
	gw.now = 1000 * S;
	gw.nexthop = 0x0001020304050607ULL;
	gw.pool[0] = (struct rsip_pool_conf){
		.name = "shared",
		.first = inet_addr("203.0.113.1"),
		.addr_cnt = 2,
		.port_first = 1024,
		.port_last = 65535,
		.methods =
			RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP) | RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC),
		.spi_min = 256,
		.spi_max = UINT32_MAX,
	};
	gw.lease = (struct rsip_lease_conf){
		.pool = gw.pool,
		.pool_cnt = 1,
		.limits = { .clients = 65536,
			    .binds_per_client = 64,
			    .ports_per_client = 1024,
			    .spis_per_client = 1024,
			    .addrs_per_client = 1,
			    .lease_min_s = 60,
			    .lease_max_s = 86400,
			    .lease_default_s = 1800,
			    .register_s = 3600,
			    .hold_s = 0 },
	};
	gw.client_net = (struct rsip_net){ inet_addr("10.0.0.0"), inet_addr("255.0.0.0") };
	gw.local_net[0] = (struct rsip_net){ inet_addr("10.0.0.0"), inet_addr("255.0.0.0") };
	gw.conf = (struct rsip_engine_conf){
		.client_nets = &gw.client_net,
		.client_net_cnt = 1,
		.local_nets = gw.local_net,
		.local_net_cnt = 1,
		.random = gw_random,
		.resolve = gw_resolve,
		.iface_name = gw_iface_name,
		.send_async = gw_hear,
		.wake = gw_wake,
	};
}

/* A second pool, 203.0.113.17 - .18, whose addresses are leased whole. */
static inline void gw_plan_whole(void)
{
	gw.pool[1] = (struct rsip_pool_conf){
		.name = "whole",
		.first = inet_addr("203.0.113.17"),
		.addr_cnt = 2,
		.methods = RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP),
	};
	gw.lease.pool_cnt = 2;
}

static inline void gw_lease_up(void) /* lease manager and engine over gw.dp */
{
	struct rsip_lease_sink sink;

	if (rsip_engine_create(&gw.conf, &gw.e))
		abort();
	rsip_engine_sink(gw.e, &sink);
	if (rsip_lease_create(&gw.lease, gw.dp, gw_random, &sink, &gw.lm))
		abort();
	rsip_engine_attach(gw.e, gw.lm);
}

/* Puts the networks, policies and keys of gw.conf in force. */
static inline void gw_change(void)
{
	struct rsip_engine_change change;

	if (rsip_engine_prepare(&gw.conf, &change))
		abort();
	rsip_engine_change(gw.e, &change, gw.now);
}

static inline void gw_up(void)
{
	if (rsip_dataplane_mem(16384, 64, &gw.dp))
		abort();
	gw_lease_up();
}

static inline void gw_usual(void)
{
	gw_plan();
	gw_up();
}

static inline struct rsip_from gw_host(unsigned int n) /* host n: 10.x.y.z, one UDP port for all */
{
	return (struct rsip_from){ .addr = htonl(0x0a000000 + 2 + n),
				   .port = 40000,
				   .transport = RSIP_TRANSPORT_UDP,
				   .iface = 2 };
}

static inline struct rsip_from over_tcp(struct rsip_from f)
{
	f.transport = RSIP_TRANSPORT_TCP;
	return f;
}

/* Bytes as they are: RSIP_OK, the error that was answered, or SILENCE. */
static inline int say_bytes(struct rsip_from from, const uint8_t *bytes, size_t len)
{
	gw.answer_len =
		rsip_engine_receive(gw.e, &from, bytes, len, gw.now, gw.answer, sizeof(gw.answer));
	if (!gw.answer_len)
		return SILENCE;
	if (rsip_decode(gw.answer, gw.answer_len, &gw.got) != RSIP_OK)
		return GARBAGE;
	return gw.got.type == RSIP_MSG_ERROR_RESPONSE ? gw.got.error : RSIP_OK;
}

/* gw.m with counter n (0: none). */
static inline int say(struct rsip_from from, uint32_t n)
{
	int len;

	if (n) {
		gw.m.has |= RSIP_HAS_COUNTER;
		gw.m.counter = n;
	}
	len = rsip_encode(&gw.m, gw.bytes, sizeof(gw.bytes));
	if (len < 0)
		abort();
	gw.len = len;
	return say_bytes(from, gw.bytes, len);
}

static inline int say_again(struct rsip_from from) /* the same bytes once more */
{
	return say_bytes(from, gw.bytes, gw.len);
}

/* ---- messages -------------------------------------------------------------------------------- */

static inline void a_register(void)
{
	rsip_message_init(&gw.m, RSIP_MSG_REGISTER_REQUEST);
}

static inline void a_deregister(uint32_t id)
{
	rsip_message_init(&gw.m, RSIP_MSG_DE_REGISTER_REQUEST);
	gw.m.has = RSIP_HAS_CLIENT_ID;
	gw.m.client_id = id;
}

static inline void with_remote(void)
{
	gw.m.has |= RSIP_HAS_CLIENT_ID | RSIP_HAS_LOCAL | RSIP_HAS_LOCAL_PORTS | RSIP_HAS_REMOTE |
		    RSIP_HAS_REMOTE_PORTS;
	rsip_address_any(&gw.m.local);
	rsip_address_any(&gw.m.remote);
	rsip_ports_any(&gw.m.remote_ports, 1);
}

static inline void an_assign(uint32_t id, uint8_t ports)
{
	rsip_message_init(&gw.m, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	gw.m.client_id = id;
	with_remote();
	rsip_ports_any(&gw.m.local_ports, ports);
}

static inline void an_ipsec_assign(uint32_t id, uint16_t spis)
{
	rsip_message_init(&gw.m, RSIP_MSG_ASSIGN_REQUEST_RSIPSEC);
	gw.m.client_id = id;
	with_remote();
	gw.m.has |= RSIP_HAS_SPIS;
	gw.m.local_ports.form = RSIP_FORM_NONE;
	gw.m.local_ports.cnt = 0;
	gw.m.remote_ports = gw.m.local_ports;
	rsip_spis_any(&gw.m.spis, spis);
}

static inline void with_local(const char *addr)
{
	rsip_address_v4(&gw.m.local, inet_addr(addr));
}

static inline void with_lease(uint32_t s)
{
	gw.m.has |= RSIP_HAS_LEASE;
	gw.m.lease_s = s;
}

static inline void a_whole_assign(uint32_t id)
{
	an_assign(id, 1);
	gw.m.type = RSIP_MSG_ASSIGN_REQUEST_RSA_IP;
	gw.m.has &= ~RSIP_HAS_LOCAL_PORTS;
}

static inline void a_listen(uint32_t id, uint16_t first, uint8_t cnt) /* first 0: any */
{
	an_assign(id, cnt);
	gw.m.type = RSIP_MSG_LISTEN_REQUEST;
	if (first)
		rsip_ports_range(&gw.m.local_ports, first, cnt);
}

static inline void with_peer(const char *addr, uint16_t first, uint8_t cnt) /* cnt 0: any port */
{
	rsip_address_v4(&gw.m.remote, inet_addr(addr));
	if (cnt)
		rsip_ports_range(&gw.m.remote_ports, first, cnt);
}

static inline void an_extend(uint32_t id, uint32_t bind)
{
	rsip_message_init(&gw.m, RSIP_MSG_EXTEND_REQUEST);
	gw.m.has = RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID;
	gw.m.client_id = id;
	gw.m.bind_id = bind;
}

static inline void a_free(uint32_t id, uint32_t bind)
{
	an_extend(id, bind);
	gw.m.type = RSIP_MSG_FREE_REQUEST;
}

static inline void a_query(uint32_t id)
{
	rsip_message_init(&gw.m, RSIP_MSG_QUERY_REQUEST);
	gw.m.has = RSIP_HAS_CLIENT_ID;
	gw.m.client_id = id;
}

static inline struct rsip_tuple *with_tuple(uint8_t indicator, const char *addr, const char *mask)
{
	struct rsip_tuple *t = &gw.m.tuple[gw.m.tuple_cnt++];

	t->indicator = indicator;
	rsip_address_v4(&t->addr, inet_addr(addr));
	t->mask = mask ? inet_addr(mask) : 0;
	return t;
}

/* Registers with n = 1 (none over TCP) and returns the client ID, 0 if it failed. */
static inline uint32_t registered(struct rsip_from f)
{
	a_register();
	return say(f, f.transport == RSIP_TRANSPORT_UDP) == RSIP_OK ? gw.got.client_id : 0;
}

static inline uint64_t dropped(enum rsip_engine_drop why)
{
	return rsip_engine_stats(gw.e)->dropped[why];
}

static inline uint64_t tick_at(uint64_t at_ns)
{
	gw.now = at_ns;
	return rsip_engine_tick(gw.e, at_ns);
}

#endif
