// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Any conversation with the engine.  An input is a row of messages, each behind two bytes: flags
 * and length.
 *
 *   flags   0-1 which host, 2 over TCP, 3 put the true overall length in, 4-5 seconds until it: 0,
 * 1, 100, 2000; 6-7 authentication: none, genuine, replayed (an old sequence), forged
 *
 * Host 1 has a key, the others have none, and authentication is optional.  So what host 1 says counts only if it is
 * genuine: whatever else comes from its address must change nothing; and every answer to a genuine message is genuine.
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

#define KEYED 1
enum { PLAIN, GENUINE, REPLAYED, FORGED };
static const struct rsip_auth_key key = { .id = 5, .len = 16, .secret = "of one host only" };
static uint64_t sequence = 1; /* rises over all inputs: the engine stays */
static uint64_t consumed; /* the last one that the engine took: messages that draw an error before leave theirs unused */

static void begin(void)
{
	if (!gw.e) {
		static struct rsip_key_conf keys;

		gw_plan();
		gw_plan_whole();
		keys = (struct rsip_key_conf){ .key = key, .net = { { gw_host(KEYED).addr, 0xffffffff } }, .net_cnt = 1 };
		gw.conf.auth = RSIP_AUTH_OPTIONAL;
		gw.conf.keys = &keys;
		gw.conf.key_cnt = 1;
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

/* Puts the parameter behind the message, which says how long it is then. */
static size_t authenticate(uint8_t *msg, size_t len, int how)
{
	struct rsip_message m;

	if (how == PLAIN || len < RSIP_HDR_LEN)
		return len;
	rsip_auth_add(&m, key.id, how == REPLAYED ? consumed : ++sequence);
	msg[len++] = RSIP_PARAM_AUTH;
	msg[len++] = 0;
	msg[len++] = RSIP_AUTH_LEN;
	memcpy(msg + len, m.auth, RSIP_AUTH_LEN);
	len += RSIP_AUTH_LEN;
	msg[2] = len >> 8;
	msg[3] = len;
	rsip_auth_sign(&key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len);
	msg[len - 1] ^= how == FORGED;
	return len;
}

/* Is this the work of the host that has the key? */
static bool is_genuine(const uint8_t *msg, size_t len)
{
	struct rsip_auth a;

	return rsip_auth_find(msg, len, &a) && a.key_id == key.id &&
	       rsip_auth_check(&key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len);
}

static void check_proof(const uint8_t *msg, size_t len)
{
	if (is_genuine(msg, len) && gw.answer_len)
		must(rsip_auth_check(&key, RSIP_AUTH_FROM_GATEWAY, msg + len - RSIP_AUTH_MAC_LEN, gw.answer,
				     gw.answer_len));
}

/* From an address with a key only a genuine message with a new sequence may change anything, or be granted anything. */
static int say_keyed(struct rsip_from from, const uint8_t *msg, size_t len, bool genuine)
{
	uint64_t taken = rsip_engine_stats(gw.e)->authenticated;
	uint32_t clients, binds;
	int err;

	rsip_engine_tick(gw.e, gw.now); /* what ends by itself has ended */
	clients = rsip_lease_client_count(gw.lm);
	binds = rsip_lease_bind_count(gw.lm);
	err = say_bytes(from, msg, len);
	check_proof(msg, len);
	if (rsip_engine_stats(gw.e)->authenticated > taken)
		consumed = sequence;
	if (genuine)
		return err;
	must(rsip_engine_stats(gw.e)->authenticated == taken);
	must(clients == rsip_lease_client_count(gw.lm) && binds == rsip_lease_bind_count(gw.lm));
	must(err != RSIP_OK);
	return err;
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
	len = authenticate(msg, len, flags >> 6);
	err = host == KEYED ? say_keyed(from, msg, len, flags >> 6 == GENUINE) : say_bytes(from, msg, len);
	must(err != GARBAGE);
	must(from.transport == RSIP_TRANSPORT_TCP || gw.answer_len <= RSIP_ENGINE_UDP_MAX);
	if (err == SILENCE)
		return;
	if (gw.got.type == RSIP_MSG_REGISTER_RESPONSE || err == RSIP_ERR_ALREADY_REGISTERED)
		hosts[host].id = gw.got.client_id;
	if (gw.got.has & RSIP_HAS_BIND_ID)
		hosts[host].bind = gw.got.bind_id;
}

/* gw.m with counter 1, signed where it says so. */
static int say_last(unsigned int host)
{
	int len;

	gw.m.has |= RSIP_HAS_COUNTER;
	gw.m.counter = 1;
	len = rsip_encode(&gw.m, gw.bytes, sizeof(gw.bytes));
	must(len > 0);
	if (gw.m.has & RSIP_HAS_AUTH)
		rsip_auth_sign(&key, RSIP_AUTH_TO_GATEWAY, NULL, gw.bytes, len);
	return say_bytes(gw_host(host), gw.bytes, len);
}

static void leave(void)
{
	struct rsip_pool_stats after[2];

	for (unsigned int i = 0; i < HOSTS; i++) {
		struct rsip_lease_client *c = rsip_lease_by_host(gw.lm, gw_host(i).addr);

		if (!c)
			continue;
		a_deregister(c->client_id);
		if (i == KEYED)
			rsip_auth_add(&gw.m, key.id, ++sequence);
		must(say_last(i) == RSIP_OK);
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
	uint8_t msg[256 + RSIP_TLV_LEN + RSIP_AUTH_LEN];

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
