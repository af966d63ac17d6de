// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any conversation with the engine.  An input is a row of messages, each behind two bytes: flags
 * and length.
 *
 *   flags   0-1 which host, 2 over TCP, 3 put the true overall length in, 4-5 seconds until it: 0,
 * 1, 100, 2000
 *
 * In a message 0xcccccccc stands for the host's client ID, 0xbbbbbbbb for its newest bind ID,
 * 0xdddddddd for its next counter.  In the end all hosts leave, and the pool must be as it was.
 */
#include "../unit/engine_fixture.h"
#include "fuzz_main.h"

#define HOSTS 4

static struct {
	uint32_t id, bind, n;
} hosts[HOSTS];
static struct rsip_pool_stats before[2];
static struct rsip_flow_policy policy; /* of host 3: remote micro flows */

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void begin(void)
{
	if (!gw.e) {
		gw_plan();
		gw_plan_whole();
		gw.conf.unechoed_max = 3;
		policy = rsip_flow_default;
		policy.remote = RSIP_REMOTE_MICRO;
		policy.client[0] = (struct rsip_net){ gw_host(3).addr, inet_addr("255.255.255.255") };
		policy.client_cnt = 1;
		gw.conf.policies = &policy;
		gw.conf.policy_cnt = 1;
		gw_up();
		rsip_lease_pool_stats(gw.lm, 0, &before[0]);
		rsip_lease_pool_stats(gw.lm, 1, &before[1]);
	}
	gw_seed = 1;
	memset(hosts, 0, sizeof(hosts));
}

static void fill_in(uint8_t *msg, size_t len, unsigned int host)
{
	for (size_t i = 4; i + 4 <= len; i++) {
		uint32_t v;

		if (!memcmp(msg + i, "\xcc\xcc\xcc\xcc", 4))
			v = hosts[host].id;
		else if (!memcmp(msg + i, "\xbb\xbb\xbb\xbb", 4))
			v = hosts[host].bind;
		else if (!memcmp(msg + i, "\xdd\xdd\xdd\xdd", 4))
			v = ++hosts[host].n;
		else
			continue;
		v = htonl(v);
		memcpy(msg + i, &v, 4);
		i += 3;
	}
}

static void say_one(uint8_t flags, uint8_t *msg, size_t len)
{
	static const unsigned int pause[] = { 0, 1, 100, 2000 };
	unsigned int host = flags & 3;
	struct rsip_from from = flags & 4 ? over_tcp(gw_host(host)) : gw_host(host);
	int err;

	gw.now += pause[flags >> 4 & 3] * S;
	if (flags & 8 && len >= 4) {
		msg[2] = 0;
		msg[3] = len;
	}
	fill_in(msg, len, host);
	err = say_bytes(from, msg, len);
	must(err != GARBAGE);
	must(from.transport == RSIP_TRANSPORT_TCP || gw.answer_len <= RSIP_ENGINE_UDP_MAX);
	if (err == SILENCE)
		return;
	if (gw.got.type == RSIP_MSG_REGISTER_RESPONSE || err == RSIP_ERR_ALREADY_REGISTERED)
		hosts[host].id = gw.got.client_id;
	if (gw.got.has & RSIP_HAS_BIND_ID)
		hosts[host].bind = gw.got.bind_id;
}

static void leave(void)
{
	struct rsip_pool_stats after[2];

	for (unsigned int i = 0; i < HOSTS; i++) {
		struct rsip_lease_client *c = rsip_lease_by_host(gw.lm, gw_host(i).addr);

		if (!c)
			continue;
		a_deregister(c->client_id);
		must(say(gw_host(i), 1) == RSIP_OK);
	}
	gw.now += 20 * S;
	rsip_engine_tick(gw.e, gw.now);
	rsip_lease_pool_stats(gw.lm, 0, &after[0]);
	rsip_lease_pool_stats(gw.lm, 1, &after[1]);
	must(!memcmp(before, after, sizeof(before)));
	must(!rsip_lease_client_count(gw.lm) && !rsip_lease_bind_count(gw.lm));
	must(!rsip_engine_stats(gw.e)->departed && !rsip_engine_stats(gw.e)->unechoed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t msg[256];

	begin();
	while (size >= 2) {
		size_t len = data[1] < size - 2 ? data[1] : size - 2;

		memcpy(msg, data + 2, len);
		say_one(data[0], msg, len);
		data += 2 + len;
		size -= 2 + len;
	}
	leave();
	return 0;
}
