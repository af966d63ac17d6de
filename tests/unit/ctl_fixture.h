/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A lease manager on the in-memory data plane behind the control socket's commands.  Cast: host 10.0.0.11 holds a RSAP-IP
 * and a RSIPSEC binding, host 10.0.0.12 one binding.
 */
#ifndef CTL_FIXTURE_H
#define CTL_FIXTURE_H

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "ctl.h"
#include "json.h"
#include "util.h"

#define T0 (1000 * RSIP_NS_PER_S)

#define SECRET "000102030405060708090a0b0c0d0e0f"

static struct rsip_conf conf;
static struct rsip_conf_report report;
static struct rsip_ctl_context ctx;
static struct rsip_ctl_peer peer __attribute__((unused)) = { .who = "test" };
static struct rsip_lease_client *host_a, *host_b;
static uint32_t bind_ports, bind_ipsec, bind_b __attribute__((unused));

static void random_bytes(void *buf, size_t len)
{
	static uint32_t state = 12345;
	uint8_t *out = buf;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		out[i] = (uint8_t)(state >> 24);
	}
}

static void add_stats(void *arg, cJSON *obj)
{
	static const struct rsip_engine_stats engine;
	static const struct rsip_transport_stats transports;

	(void)arg;
	rsip_ctl_show_engine(obj, &engine);
	rsip_ctl_show_transports(obj, &transports);
	rsip_ctl_show_alloclog(obj, (struct rsip_alloclog_stats){ 0, 0 });
}

static int reload(void *arg, struct rsip_conf_report *r)
{
	(void)arg;
	*r = report;
	return 0;
}

static void add_status(void *arg, cJSON *obj)
{
	(void)arg;
	rsip_ctl_show_store(obj, &(struct rsip_ctl_store){ .backend = "sqlite", .path = "/var/lib/rsip/leases.sqlite",
							    .why = "database or disk is full", .commits = 1 });
}

static uint32_t lease(struct rsip_lease_client *c, uint8_t method, uint16_t ports, uint16_t spis)
{
	struct rsip_lease_ask ask = {.method = method,
				     .tunnel = RSIP_TUNNEL_IPIP,
				     .port_cnt = ports,
				     .spi_cnt = spis,
				     .endpoint = htonl(0x0a000001),
				     .mtu = 1480};
	const struct rsip_lease_bind *b;

	cr_assert_eq(rsip_lease_assign(ctx.lm, c, &ask, T0, &b), RSIP_OK);
	return b->bind_id;
}

/* As the data plane's program would answer: nobody leases it.  explained: what it was asked. */
static struct rsip_explain explained;

static int explain(struct rsip_dataplane *dp, struct rsip_explain *x)
{
	(void)dp;
	explained = *x;
	x->result = -RSIP_DROP_NO_PORT;
	return 0;
}

static void gateway_up(void)
{
	static struct rsip_dataplane_ops ops;
	static const char text[] = "{\"interfaces\": {\"public\": [\"pub0\"], \"private\": "
				   "[{\"name\": \"priv0\", \"endpoint\": \"10.0.0.1\"}]},"
				   "\"pools\": [{\"name\": \"shared\", \"addresses\": "
				   "[\"203.0.113.1\", \"203.0.113.8/30\"]}],"
				   "\"policies\": [{\"name\": \"branch\", \"clients\": "
				   "[\"10.0.1.0/24\"], \"remote\": \"macro\", \"dscp\": \"AF21\", "
				   "\"deny\": [\"198.51.100.0/24\"]}], "
				   "\"auth\": {\"mode\": \"optional\", \"keys\": [{\"id\": 1, "
				   "\"secret\": \"" SECRET "\", \"hosts\": [\"10.0.0.11\"]}]}, "
				   "\"private_networks\": [\"10.0.0.0/8\"], \"clients\": "
				   "{\"networks\": [\"10.0.0.0/8\"]}}";
	struct rsip_lease_conf lease_conf;
	uint32_t binds, clients;

	cr_assert_eq(rsip_conf_parse(text, strlen(text), &conf, &report), 0);
	lease_conf = (struct rsip_lease_conf){.pool = conf.pool,
					      .pool_cnt = conf.pool_cnt,
					      .limits = conf.limits};
	cr_assert_eq(rsip_dataplane_mem(1024, 16, &ctx.dp), 0);
	ops = *ctx.dp->ops;
	ops.explain = explain;
	ctx.dp->ops = &ops;
	cr_assert_eq(rsip_lease_create(&lease_conf, ctx.dp, random_bytes, NULL, &ctx.lm), 0);
	cr_assert_eq(rsip_lease_adopt(ctx.lm, T0, &binds, &clients), 0);
	ctx.conf = &conf;
	ctx.start_ns = T0 - 60 * RSIP_NS_PER_S;
	ctx.add_stats = add_stats;
	ctx.reload = reload;
	ctx.add_status = add_status;
	cr_assert_eq(
		rsip_lease_register(ctx.lm, htonl(0x0a00000b), 2, RSIP_TRANSPORT_UDP, T0, &host_a),
		RSIP_OK);
	cr_assert_eq(
		rsip_lease_register(ctx.lm, htonl(0x0a00000c), 2, RSIP_TRANSPORT_TCP, T0, &host_b),
		RSIP_OK);
	bind_ports = lease(host_a, RSIP_METHOD_RSAP_IP, 64, 0);
	bind_ipsec = lease(host_a, RSIP_METHOD_RSIPSEC, 0, 4);
	bind_b = lease(host_b, RSIP_METHOD_RSIPSEC, 16, 4);
}

static void gateway_down(void)
{
	rsip_lease_destroy(ctx.lm);
	ctx.dp->ops->close(ctx.dp);
	rsip_conf_free(&conf);
}

#endif
