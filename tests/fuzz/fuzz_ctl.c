// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any bytes on the control socket, as a stream of requests.  Each gets one line of JSON with a result that exists; what
 * no command took away is still there in the end.  0xff in the input stands for host A's client ID, 0xfe for its bind ID.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"
#include "fuzz_main.h"
#include "json.h"
#include "log.h"
#include "util.h"

#define T0 (1000 * RSIP_NS_PER_S)

static struct rsip_conf conf;
static struct rsip_ctl_context ctx;
static uint32_t client_id, bind_id;

static void random_bytes(void *buf, size_t len)
{
	static uint32_t state = 12345;

	for (size_t i = 0; i < len; i++) {
		state = state * 1664525 + 1013904223;
		((uint8_t *)buf)[i] = (uint8_t)(state >> 24);
	}
}

static void read_conf(void)
{
	static const char text[] =
		"{\"interfaces\": {\"public\": [\"pub0\"], \"private\": [{\"name\": \"priv0\", \"endpoint\": \"10.0.0.1\"}]},"
		"\"pools\": [{\"name\": \"shared\", \"addresses\": [\"203.0.113.1\"]}],"
		"\"private_networks\": [\"10.0.0.0/8\"], \"clients\": {\"networks\": [\"10.0.0.0/8\"]}}";
	static struct rsip_conf_report report;

	must(!rsip_conf_parse(text, strlen(text), &conf, &report));
}

static void lease(__be32 host)
{
	const struct rsip_lease_ask ask = { .method = RSIP_METHOD_RSIPSEC, .tunnel = RSIP_TUNNEL_IPIP, .port_cnt = 16,
					    .spi_cnt = 4, .endpoint = htonl(0x0a000001), .mtu = 1480 };
	const struct rsip_lease_bind *b;
	struct rsip_lease_client *c;

	must(rsip_lease_register(ctx.lm, host, 2, RSIP_TRANSPORT_UDP, T0, &c) == RSIP_OK);
	must(rsip_lease_assign(ctx.lm, c, &ask, T0, &b) == RSIP_OK);
	client_id = c->client_id;
	bind_id = b->bind_id;
}

static void gateway_up(void)
{
	const struct rsip_lease_conf leases = { .pool = conf.pool, .pool_cnt = conf.pool_cnt, .limits = conf.limits };
	uint32_t binds, clients;

	must(!rsip_dataplane_mem(16, 2, &ctx.dp));
	must(!rsip_lease_create(&leases, ctx.dp, random_bytes, NULL, &ctx.lm));
	must(!rsip_lease_adopt(ctx.lm, T0, &binds, &clients));
	ctx.conf = &conf;
	lease(htonl(0x0a00000c));
	lease(htonl(0x0a00000b));
}

static void gateway_down(void)
{
	rsip_lease_destroy(ctx.lm);
	ctx.dp->ops->close(ctx.dp);
}

/* Returns whether the request could have ended a lease. */
static bool ask(const char *request, size_t len)
{
	static struct rsip_ctl_peer peer = { .who = "fuzzer" };
	char *reply = rsip_ctl_answer(&ctx, request, len, T0, &peer);
	struct rsip_json_error err;
	uint64_t result;
	size_t n;
	cJSON *got;

	must(reply != NULL);
	n = strlen(reply);
	must(n && strchr(reply, '\n') == reply + n - 1);
	got = rsip_json_parse(reply, n, 0, &err);
	must(got != NULL);
	must(rsip_json_integer(cJSON_GetObjectItemCaseSensitive(got, "result"), &result) && result <= 3);
	cJSON_Delete(got);
	free(reply);
	return memmem(request, len, "remove", 6) || memmem(request, len, "reload", 6) || memchr(request, '\\', len);
}

static size_t fill_in(const uint8_t *data, size_t size, char *text, size_t max)
{
	size_t at = 0;

	for (size_t i = 0; i < size && at + 12 < max; i++) {
		if (data[i] >= 0xfe)
			at += (size_t)sprintf(text + at, "%u", data[i] == 0xff ? client_id : bind_id);
		else
			text[at++] = (char)data[i];
	}
	text[at] = '\0';
	return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char text[65536];
	bool removed = false;
	size_t at = 0, len;

	if (!conf.pool_cnt) {
		rsip_log_set_level(RSIP_LOG_ERR);
		read_conf();
		gateway_up();
	}
	len = fill_in(data, size, text, sizeof(text));
	while (at < len) {
		struct rsip_json_span span;
		long n;

		memset(&span, 0, sizeof(span));
		n = rsip_json_span(&span, text + at, len - at);
		if (n <= 0) { /* the rest is no whole object: as the socket does at its end */
			removed |= ask(text + at, len - at);
			break;
		}
		removed |= ask(text + at, (size_t)n);
		at += (size_t)n;
	}
	if (rsip_lease_client_count(ctx.lm) != 2 || rsip_lease_bind_count(ctx.lm) != 2) {
		must(removed);
		/* the next input finds all of it again */
		gateway_down();
		gateway_up();
	}
	return 0;
}
