// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Many hosts, and hostile bytes by the hundred thousand. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "engine_fixture.h"

TestSuite(engine_random, .init = gw_usual, .fini = gw_down);

#define HOSTS 2000

Test(engine_random, two_thousand_hosts_hold_64_ports_and_4_spis_each)
{
	static uint32_t id[HOSTS];
	struct rsip_pool_stats before, after;

	gw_plan();
	gw.pool[0].addr_cnt = 4;
	gw_up();
	rsip_lease_pool_stats(gw.lm, 0, &before);
	for (unsigned int i = 0; i < HOSTS; i++) {
		id[i] = registered(gw_host(i));
		cr_assert_neq(id[i], 0);
		an_assign(id[i], 64);
		cr_assert_eq(say(gw_host(i), 2), RSIP_OK);
		an_ipsec_assign(id[i], 4);
		cr_assert_eq(say(gw_host(i), 3), RSIP_OK);
	}
	cr_expect_eq(rsip_lease_client_count(gw.lm), HOSTS);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 2 * HOSTS);
	rsip_lease_pool_stats(gw.lm, 0, &after);
	cr_expect_eq(after.ports_leased, 64 * HOSTS);
	cr_expect_eq(after.spis_leased, 4 * HOSTS);
	for (unsigned int i = 0; i < HOSTS; i++) {
		a_deregister(id[i]);
		cr_assert_eq(say(gw_host(i), 4), RSIP_OK);
	}
	rsip_lease_pool_stats(gw.lm, 0, &after);
	cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
}

/* What a cut or a changed byte may do to leases: nothing, unless the message is valid as it is. */
static void must_not_matter(struct rsip_from from, const uint8_t *bytes, size_t len, uint32_t binds)
{
	int err = say_bytes(from, bytes, len);

	cr_assert_neq(err, GARBAGE);
	if (err != RSIP_OK)
		cr_assert_eq(rsip_lease_bind_count(gw.lm), binds, "error %d, yet leases changed",
			     err);
	cr_assert_leq(gw.answer_len, RSIP_ENGINE_UDP_MAX);
}

Test(engine_random, cut_and_changed_messages_change_no_lease)
{
	uint32_t id = registered(gw_host(1));
	uint8_t whole[256], broken[256];
	size_t len;
	int n;

	an_ipsec_assign(id, 2);
	gw.m.has |= RSIP_HAS_COUNTER | RSIP_HAS_LEASE;
	gw.m.counter = 5;
	gw.m.lease_s = 600;
	n = rsip_encode(&gw.m, whole, sizeof(whole));
	cr_assert_gt(n, 0);
	len = n;
	for (size_t cut = 0; cut < len; cut++) {
		memcpy(broken, whole, cut);
		must_not_matter(gw_host(1), broken, cut, 0);
		broken[2] = 0;
		broken[3] = cut;
		if (cut < len - 14) /* without counter and lease it is short of something */
			must_not_matter(gw_host(1), broken, cut, 0);
	}
	for (size_t at = 0; at < len; at++) {
		for (unsigned int bit = 0; bit < 8; bit++) {
			uint32_t binds = rsip_lease_bind_count(gw.lm);

			memcpy(broken, whole, len);
			broken[at] ^= 1 << bit;
			must_not_matter(gw_host(1), broken, len, binds);
		}
	}
}

/* ---- the random walk ------------------------------------------------------------------------- */

#define WALKERS 12

static struct walker {
	uint32_t id, n, bind[4];
	bool tcp;
} walkers[WALKERS];

static struct rsip_from walker_from(unsigned int i)
{
	struct rsip_from f = gw_host(i);

	return walkers[i].tcp ? over_tcp(f) : f;
}

static void random_ports(struct rsip_ports *p)
{
	switch (gw_next() % 4) {
	case 0: rsip_ports_range(p, 1000 + gw_next() % 64000, 1 + gw_next() % 16); break;
	case 1:
		*p = (struct rsip_ports){ .form = RSIP_FORM_LIST,
					  .cnt = 3,
					  .port = { 9000, 9002, 9001 + gw_next() % 99 } };
		break;
	default: rsip_ports_any(p, 1 + gw_next() % 64);
	}
}

static void random_spis(struct rsip_spis *s)
{
	if (gw_next() % 2)
		rsip_spis_any(s, 1 + gw_next() % 8);
	else
		rsip_spis_range(s, 256 + gw_next() % 100000, 1 + gw_next() % 8);
}

static const char *const places[] = { "203.0.113.1", "203.0.113.2", "203.0.113.9", "203.0.113.17" };
static const char *const peers[] = { "198.51.100.1", "198.51.100.2", "192.0.2.1" };

static void random_listen(uint32_t id)
{
	static const uint16_t port[] = { 0, 500, 4500, 8080, 8081 };

	a_listen(id, port[gw_next() % RSIP_ARRAY_LEN(port)], 1);
	if (gw_next() % 4 == 0) {
		gw.m.local_ports = (struct rsip_ports){ .form = RSIP_FORM_LIST, .cnt = 2, .port = { 500, 4500 } };
	}
}

/* A message that this walker could sensibly send now. */
static void random_message(struct walker *w)
{
	switch (gw_next() % 11) {
	case 9: a_whole_assign(w->id); break;
	case 10: random_listen(w->id); break;
	case 0: a_register(); return;
	case 1: a_deregister(w->id); return;
	case 2:
	case 3:
		an_assign(w->id, 1);
		random_ports(&gw.m.local_ports);
		break;
	case 4:
		an_ipsec_assign(w->id, 1);
		random_spis(&gw.m.spis);
		break;
	case 5:
	case 6:
		an_extend(w->id, w->bind[gw_next() % 4]);
		with_lease(gw_next() % 4000);
		return;
	case 7: a_free(w->id, w->bind[gw_next() % 4]); return;
	default:
		a_query(w->id);
		with_tuple(1, "10.1.2.3", NULL);
		return;
	}
	if (gw_next() % 4 == 0)
		with_local(places[gw_next() % RSIP_ARRAY_LEN(places)]);
	if (gw_next() % 2)
		with_peer(peers[gw_next() % RSIP_ARRAY_LEN(peers)], 79 + gw_next() % 3, gw_next() % 4);
	if (gw_next() % 4 == 0)
		with_lease(gw_next() % 4000);
}

static void mutate(uint8_t *bytes, size_t *len)
{
	switch (gw_next() % 6) {
	case 0:
		*len = gw_next() % (*len + 1);
		if (*len >= 4 && gw_next() % 2)
			bytes[3] = *len;
		break;
	case 1:
	case 2:
		for (unsigned int i = gw_next() % 3 + 1; i; i--)
			bytes[gw_next() % *len] = gw_next();
		break;
	case 3: bytes[gw_next() % *len] ^= 1 << gw_next() % 8; break;
	}
}

static void learn(struct walker *w)
{
	if (gw.got.type == RSIP_MSG_REGISTER_RESPONSE || gw.got.type == RSIP_MSG_ERROR_RESPONSE)
		w->id = gw.got.has & RSIP_HAS_CLIENT_ID ? gw.got.client_id : w->id;
	if (gw.got.has & RSIP_HAS_BIND_ID)
		w->bind[gw_next() % 4] = gw.got.bind_id;
}

static void step(void)
{
	struct walker *w = &walkers[gw_next() % WALKERS];
	struct rsip_from from = walker_from(w - walkers);
	size_t len;
	int n;

	random_message(w);
	if (!w->tcp || gw_next() % 2) {
		gw.m.has |= RSIP_HAS_COUNTER;
		gw.m.counter = ++w->n ? w->n : ++w->n;
	}
	n = rsip_encode(&gw.m, gw.bytes, sizeof(gw.bytes));
	cr_assert_gt(n, 0);
	len = n;
	if (gw_next() % 2)
		mutate(gw.bytes, &len);
	n = say_bytes(from, gw.bytes, len);
	cr_assert_neq(n, GARBAGE, "the answer is no message");
	if (n != SILENCE)
		learn(w);
	if (gw_next() % 8 == 0 && len)
		say_bytes(from, gw.bytes, len); /* once more */
	if (gw_next() % 64 == 0)
		tick_at(gw.now + gw_next() % (200 * S));
}

/* The data plane says that one of them broke a rule. */
static void random_violation(void)
{
	rsip_engine_violation(gw.e,
			      &(struct rsip_event){ .host = gw_host(gw_next() % (WALKERS + 2)).addr,
						    .local = inet_addr(places[gw_next() % RSIP_ARRAY_LEN(places)]),
						    .remote = inet_addr(peers[gw_next() % RSIP_ARRAY_LEN(peers)]),
						    .local_port = gw_next(),
						    .iface = 2,
						    .reason = gw_next() % RSIP_CNT_MAX },
			      gw.now);
}

static struct rsip_flow_policy policies[2];

/* Walkers 0 to 3 without remote policy, 4 to 7 with macro, the others with micro flows. */
static void policies_up(void)
{
	gw_plan();
	gw_plan_whole();
	for (unsigned int i = 0; i < 2; i++) {
		policies[i] = rsip_flow_default;
		policies[i].remote = i ? RSIP_REMOTE_MICRO : RSIP_REMOTE_MACRO;
		policies[i].local = i ? RSIP_LOCAL_MICRO : RSIP_LOCAL_MACRO;
		policies[i].deny.cnt = 1;
		policies[i].deny.rule[0] = (struct rsip_flow_rule){
			{ inet_addr("192.0.2.0"), inet_addr("255.255.255.0") }, 0, 65535
		};
		for (unsigned int w = 4 + 4 * i; w < 8 + 4 * i; w++)
			policies[i].client[policies[i].client_cnt++] =
				(struct rsip_net){ gw_host(w).addr, inet_addr("255.255.255.255") };
	}
	gw.conf.policies = policies;
	gw.conf.policy_cnt = 2;
	gw_up();
}

static void pools_of(struct rsip_pool_stats st[2])
{
	rsip_lease_pool_stats(gw.lm, 0, &st[0]);
	rsip_lease_pool_stats(gw.lm, 1, &st[1]);
}

static void leave_all(void)
{
	for (unsigned int i = 0; i < WALKERS; i++) {
		struct rsip_lease_client *c = rsip_lease_by_host(gw.lm, gw_host(i).addr);

		if (!c)
			continue;
		a_deregister(c->client_id);
		cr_assert_eq(say(walker_from(i), ++walkers[i].n), RSIP_OK);
	}
}

Test(engine_random, a_hundred_thousand_mutated_messages_lose_nothing, .timeout = 300, .init = policies_up)
{
	const char *ops = getenv("RSIP_MODEL_OPS");
	unsigned long steps = ops ? strtoul(ops, NULL, 10) : 100000;
	struct rsip_pool_stats before[2], after[2];
	unsigned long granted = 0;

	pools_of(before);
	for (unsigned int i = 0; i < WALKERS; i++)
		walkers[i] = (struct walker){ .n = gw_next(), .tcp = i % 3 == 0 };
	for (unsigned long i = 0; i < steps; i++) {
		step();
		if (gw_next() % 16 == 0)
			random_violation();
		if (i % 1000 == 999) {
			granted += rsip_lease_bind_count(gw.lm);
			leave_all();
			pools_of(after);
			cr_assert_eq(memcmp(before, after, sizeof(before)), 0,
				     "pools differ after step %lu", i);
			cr_assert_eq(rsip_lease_client_count(gw.lm), 0);
		}
	}
	cr_expect_gt(granted, 100, "the walk must lease something to mean anything");
	for (unsigned int type = RSIP_MSG_ASSIGN_RESPONSE_RSA_IP; type <= RSIP_MSG_LISTEN_RESPONSE; type += 2)
		cr_expect_gt(rsip_engine_stats(gw.e)->sent[type], 10, "type %u", type);
	tick_at(gw.now + 100 * S);
	tick_at(gw.now + S);
	cr_expect_eq(rsip_engine_stats(gw.e)->async_waiting, 0);
	cr_expect_eq(rsip_engine_stats(gw.e)->departed, 0);
	cr_expect_eq(rsip_engine_stats(gw.e)->unechoed, 0);
}
