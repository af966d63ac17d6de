/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A lease manager on the in-memory data plane, hosts that ask it, and time. */
#ifndef LEASE_FIXTURE_H
#define LEASE_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "lease.h"
#include "seeded.h"
#include "util.h"

#define HOST(n) htonl(0x0a000000 + (n))
#define PUB_1 htonl(0xcb007101)
#define PUB_2 htonl(0xcb007102)
#define S RSIP_NS_PER_S

static struct rsip_dataplane *dp;
static struct rsip_lease *lm;
static uint64_t now;
static unsigned int ended[4];

static inline void at(uint64_t s)
{
	now = s * S;
	while (rsip_lease_expire(lm, now) <= now)
		;
}

static inline void on_bind_end(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why)
{
	(void)arg;
	(void)c;
	(void)b;
	ended[why]++;
}

static inline struct rsip_lease_conf conf_of(struct rsip_pool_conf *pool, uint32_t addrs)
{
	struct rsip_lease_conf conf = {
		.pool = pool,
		.pool_cnt = 1,
		.limits = { .clients = 3000, .binds_per_client = 64, .ports_per_client = 1024, .spis_per_client = 1024,
			    .lease_min_s = 60, .lease_max_s = 86400, .lease_default_s = 1800, .register_s = 3600,
			    .hold_s = 120 },
	};

	*pool = (struct rsip_pool_conf){ .first = PUB_1, .addr_cnt = addrs, .port_first = 1024, .port_last = 65535,
					 .methods = RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP) | RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC),
					 .spi_min = 256, .spi_max = 0xffffffff };
	return conf;
}

static struct rsip_dp_addr_rules machine; /* what of the addresses is the machine's own */

static inline void open_lease(uint32_t addrs, uint16_t port_last)
{
	struct rsip_lease_sink sink = { .bind_end = on_bind_end };
	struct rsip_pool_conf pool;
	struct rsip_lease_conf conf = conf_of(&pool, addrs);

	pool.port_last = port_last;
	pool.rules = machine;
	cr_assert_eq(rsip_lease_create(&conf, dp, seeded, &sink, &lm), 0);
}

static inline void setup_with(uint32_t addrs, uint16_t port_last)
{
	seed = 1;
	cr_assert_eq(rsip_dataplane_mem(8192, 8, &dp), 0);
	open_lease(addrs, port_last);
	at(1000);
}

static inline void one_address(void)
{
	setup_with(1, 65535);
}

static inline void two_addresses(void)
{
	setup_with(2, 65535);
}

static inline void gone(void)
{
	rsip_lease_destroy(lm);
	dp->ops->close(dp);
}

static inline struct rsip_lease_client *host(unsigned int n)
{
	struct rsip_lease_client *c = rsip_lease_by_host(lm, HOST(n));

	if (!c)
		cr_assert_eq(rsip_lease_register(lm, HOST(n), 1, RSIP_TRANSPORT_UDP, now, &c), RSIP_OK);
	return c;
}

static inline struct rsip_lease_ask any_ports(uint16_t cnt)
{
	return (struct rsip_lease_ask){ .method = RSIP_METHOD_RSAP_IP, .tunnel = 1, .port_cnt = cnt, .mtu = 1480 };
}

static inline struct rsip_lease_ask any_spis(uint16_t cnt)
{
	return (struct rsip_lease_ask){ .method = RSIP_METHOD_RSIPSEC, .tunnel = 1, .spi_cnt = cnt, .mtu = 1480 };
}

static inline enum rsip_err ask_port(unsigned int n, uint16_t first, uint16_t cnt, const struct rsip_lease_bind **b)
{
	struct rsip_lease_ask ask = any_ports(cnt);

	ask.ports_given = true;
	ask.ports.cnt = cnt;
	for (uint16_t i = 0; i < cnt; i++)
		ask.ports.port[i] = (uint16_t)(first + i);
	return rsip_lease_assign(lm, host(n), &ask, now, b);
}

static inline struct rsip_lease_bind grant(unsigned int n, struct rsip_lease_ask ask)
{
	const struct rsip_lease_bind *b = NULL;
	enum rsip_err err = rsip_lease_assign(lm, host(n), &ask, now, &b);

	cr_assert_eq(err, RSIP_OK, "host %u: %s", n, rsip_err_name(err));
	return *b;
}

static inline enum rsip_err refusal(unsigned int n, struct rsip_lease_ask ask)
{
	const struct rsip_lease_bind *b = NULL;

	return rsip_lease_assign(lm, host(n), &ask, now, &b);
}

#endif
