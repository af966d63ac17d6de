// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Of several errors one is told (RFC 3103 9.1.1), and which one is fixed.  A request with everything wrong with it that
 * can be is mended fault by fault: each time the first of those that are left is told.
 */
#include <criterion/criterion.h>

#include "engine_fixture.h"

#define KEY 7
#define OVER_TCP 1 /* the host that registered over TCP */
#define KEYED 2 /* the host with a key, under remote policy macro, without IPsec at first */

/* In the order in which they are told. */
enum fault {
	VERSION, LENGTH, TYPE, MALFORMED, DUPLICATE, UNKNOWN, EXTRA, MISSING, NO_COUNTER, TRANSPORT, OLD_COUNTER, NO_MAC,
	WRONG_ID, TUNNEL, DETAIL, ADDRESS, PORT, REMOTE, IPSEC, PORTS, SPIS, BROKEN, NONE
};

static const struct {
	int want; /* SILENCE: dropped, and counted so */
	enum rsip_engine_drop why;
} told[] = {
	[VERSION] = { .want = 106 },
	[LENGTH] = { .want = 207 },
	[TYPE] = { .want = 206 },
	[MALFORMED] = { .want = 205 },
	[DUPLICATE] = { .want = 202 },
	[UNKNOWN] = { .want = 204 },
	[EXTRA] = { .want = 203 },
	[MISSING] = { .want = 201 },
	[NO_COUNTER] = { .want = 105 },
	[TRANSPORT] = { .want = 102 },
	[OLD_COUNTER] = { .want = SILENCE, .why = RSIP_ENGINE_DROP_OLD_COUNTER },
	[NO_MAC] = { .want = SILENCE, .why = RSIP_ENGINE_DROP_NO_MAC },
	[WRONG_ID] = { .want = 305 },
	[TUNNEL] = { .want = 307 },
	[DETAIL] = { .want = 103 },
	[ADDRESS] = { .want = 312 },
	[PORT] = { .want = 313 },
	[REMOTE] = { .want = 314 },
	[IPSEC] = { .want = 401 },
	[PORTS] = { .want = 309 },
	[SPIS] = { .want = 402 },
	[BROKEN] = { .want = 104 },
	[NONE] = { .want = RSIP_OK },
};

static struct rsip_key_conf key;
static struct rsip_flow_policy policy;
static uint32_t id[3];
static uint64_t seq;

static void sign(uint8_t *msg, size_t len)
{
	rsip_auth_sign(&key.key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len);
}

static size_t put(uint8_t *msg, size_t len, uint8_t type, const void *value, uint16_t size)
{
	msg[len++] = type;
	msg[len++] = (uint8_t)(size >> 8);
	msg[len++] = (uint8_t)size;
	memcpy(msg + len, value, size);
	return len + size;
}

static size_t put_u32(uint8_t *msg, size_t len, uint8_t type, uint32_t value)
{
	value = htonl(value);
	return put(msg, len, type, &value, sizeof(value));
}

static size_t put_auth(uint8_t *msg, size_t len)
{
	struct rsip_message m;

	rsip_auth_add(&m, KEY, ++seq);
	return put(msg, len, RSIP_PARAM_AUTH, m.auth, RSIP_AUTH_LEN);
}

/* An ASSIGN_REQUEST_RSIPSEC with the fault and all that are told after it; wrong_type stands where TYPE is one of them. */
static size_t build(uint8_t *msg, enum fault from, uint8_t wrong_type)
{
	uint32_t client = id[from <= TRANSPORT ? OVER_TCP : KEYED] + (from <= WRONG_ID);
	size_t len = RSIP_HDR_LEN;

	len = put_u32(msg, len, RSIP_PARAM_CLIENT_ID, client);
	len = from <= ADDRESS ? put(msg, len, RSIP_PARAM_ADDRESS, "\1\306\63\144\1", 5) /* 198.51.100.1 */
			      : put(msg, len, RSIP_PARAM_ADDRESS, "\1", 1);
	if (from <= PORT)
		len = put(msg, len, RSIP_PARAM_PORTS, "\1\0\120", 3); /* port 80 */
	else
		len = put(msg, len, RSIP_PARAM_PORTS, from <= PORTS ? "\377" : "\4", 1);
	if (from <= DETAIL)
		len = put(msg, len, RSIP_PARAM_ADDRESS, "\1", 1);
	else
		len = put(msg, len, RSIP_PARAM_ADDRESS, from <= REMOTE ? "\1\306\63\144\1" : "\1\306\63\145\1", 5);
	len = put(msg, len, RSIP_PARAM_PORTS, "\1", 1);
	if (from > MISSING)
		len = put(msg, len, RSIP_PARAM_SPI, from <= SPIS ? "\7\320" : "\0\4", 2); /* 2000, 4 */
	if (from <= MALFORMED)
		len = put(msg, len, RSIP_PARAM_TUNNEL_TYPE, "\1\1", 2);
	for (int i = 0; i < (from <= DUPLICATE ? 2 : 1); i++)
		len = put_u32(msg, len, RSIP_PARAM_LEASE_TIME, 600);
	if (from <= UNKNOWN)
		len = put(msg, len, 99, "", 0);
	if (from <= EXTRA)
		len = put_u32(msg, len, RSIP_PARAM_BIND_ID, 1);
	if (from > NO_COUNTER)
		len = put_u32(msg, len, RSIP_PARAM_MESSAGE_COUNTER, from == OLD_COUNTER ? 1 : 100U + from);
	if (from > MALFORMED)
		len = put(msg, len, RSIP_PARAM_TUNNEL_TYPE, from <= TUNNEL ? "\3" : "\1", 1);
	if (from > NO_MAC)
		len = put_auth(msg, len);
	msg[0] = from <= VERSION ? 2 : RSIP_VERSION;
	msg[1] = from <= TYPE ? wrong_type : RSIP_MSG_ASSIGN_REQUEST_RSIPSEC;
	msg[2] = (uint8_t)((len + (from <= LENGTH)) >> 8);
	msg[3] = (uint8_t)(len + (from <= LENGTH));
	if (from > NO_MAC)
		sign(msg, len);
	return len;
}

static int broken(struct rsip_dataplane *dp, const struct rsip_dp_binding *b, uint32_t *slot)
{
	(void)dp;
	(void)b;
	(void)slot;
	return -5;
}

static void register_keyed(void)
{
	uint8_t msg[100] = { RSIP_VERSION, RSIP_MSG_REGISTER_REQUEST };
	size_t len = put_auth(msg, put_u32(msg, RSIP_HDR_LEN, RSIP_PARAM_MESSAGE_COUNTER, 1));

	msg[3] = (uint8_t)len;
	sign(msg, len);
	cr_assert_eq(say_bytes(gw_host(KEYED), msg, len), RSIP_OK);
	id[KEYED] = gw.got.client_id;
}

static void up(void)
{
	gw_plan();
	gw.lease.limits.ports_per_client = 200;
	gw.lease.limits.spis_per_client = 1000;
	key = (struct rsip_key_conf){ .key = { .id = KEY, .len = 16, .secret = "one host's secret" },
				      .net = { { gw_host(KEYED).addr, 0xffffffff } },
				      .net_cnt = 1 };
	gw.conf.auth = RSIP_AUTH_OPTIONAL;
	gw.conf.keys = &key;
	gw.conf.key_cnt = 1;
	policy = rsip_flow_default;
	policy.client[0] = (struct rsip_net){ gw_host(KEYED).addr, 0xffffffff };
	policy.client_cnt = 1;
	policy.remote = RSIP_REMOTE_MACRO;
	policy.ipsec = false;
	policy.deny.cnt = 1;
	policy.deny.rule[0] = (struct rsip_flow_rule){ { inet_addr("198.51.100.0"), inet_addr("255.255.255.0") }, 0, 65535 };
	gw.conf.policies = &policy;
	gw.conf.policy_cnt = 1;
	gw_up();
	seq = 1000;
	id[OVER_TCP] = registered(over_tcp(gw_host(OVER_TCP)));
	register_keyed();
}

TestSuite(engine_order, .init = up, .fini = gw_down);

/* Every fault in turn is the first of those that are left. */
static void mend_all(uint8_t wrong_type, int told_of_type)
{
	const struct rsip_dataplane_ops *whole = gw.dp->ops;
	struct rsip_dataplane_ops bad = *whole;
	uint8_t msg[512];

	bad.bind_install = broken;
	gw.dp->ops = &bad;
	for (enum fault f = VERSION; f <= NONE; f++) {
		uint64_t silent = dropped(told[f].why);
		size_t len = build(msg, f, wrong_type);
		int got;

		if (f == IPSEC + 1) {
			policy.ipsec = true;
			gw_change();
		}
		if (f == NONE)
			gw.dp->ops = whole;
		got = say_bytes(gw_host(f <= TRANSPORT ? OVER_TCP : KEYED), msg, len);
		cr_expect_eq(got, f == TYPE ? told_of_type : told[f].want, "fault %d: got %d", f, got);
		if (told[f].want == SILENCE)
			cr_expect_eq(dropped(told[f].why), silent + 1, "fault %d", f);
		cr_expect_eq(rsip_lease_bind_count(gw.lm), f == NONE, "fault %d", f);
	}
	gw.dp->ops = whole;
}

Test(engine_order, each_fault_is_told_before_all_behind_it)
{
	mend_all(18, 206);
}

Test(engine_order, a_message_that_is_off_is_told_where_an_unknown_one_is)
{
	mend_all(RSIP_MSG_ASSIGN_REQUEST_RSA_IP, 208);
}
