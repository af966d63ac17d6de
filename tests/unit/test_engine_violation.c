// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A host's packets break a rule and the host hears of it: RFC 3103 10.4. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>

#include "engine_fixture.h"

static struct rsip_flow_policy policy;

static void up(void)
{
	gw_plan();
	policy = rsip_flow_default;
	policy.remote = RSIP_REMOTE_MICRO;
	gw.conf.policies = &policy;
	gw.conf.policy_cnt = 1;
	gw_up();
}

/* Lines of the log with this text, since the last time. */
static uint32_t logged(const char *text)
{
	FILE *f = cr_get_redirected_stderr();
	char line[2048];
	uint32_t n = 0;

	fflush(stderr);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, text) != NULL;
	clearerr(f);
	return n;
}

TestSuite(engine_violation, .init = up, .fini = gw_down);

static uint32_t bind_id;

/* Host 1 with a binding of 203.0.113.1 for 198.51.100.1 port 80. */
static uint32_t assigned(struct rsip_from f)
{
	uint32_t id = registered(f);

	an_assign(id, 1);
	with_local("203.0.113.1");
	rsip_address_v4(&gw.m.remote, inet_addr("198.51.100.1"));
	rsip_ports_range(&gw.m.remote_ports, 80, 1);
	cr_assert_eq(say(f, f.transport == RSIP_TRANSPORT_UDP ? 2 : 0), RSIP_OK);
	bind_id = gw.got.bind_id;
	return id;
}

static struct rsip_event violation(uint8_t reason)
{
	return (struct rsip_event){ .host = gw_host(1).addr,
				    .local = inet_addr("203.0.113.1"),
				    .remote = inet_addr("198.51.100.1"),
				    .local_port = 4000,
				    .remote_port = 80,
				    .iface = 2,
				    .reason = reason,
				    .proto = 6 };
}

/* By the way that rsipd takes: from the data plane. */
static void on_event(void *arg, const struct rsip_event *v)
{
	(void)arg;
	rsip_engine_violation(gw.e, v, gw.now);
}

static void reported(struct rsip_event v)
{
	rsip_dataplane_mem_event(gw.dp, &v);
	gw.dp->ops->events(gw.dp, on_event, NULL);
}

Test(engine_violation, each_reason_has_its_error)
{
	static const struct {
		uint8_t reason;
		const char *local, *remote;
		uint16_t local_port;
		uint16_t error;
	} rows[] = {
		{ RSIP_DROP_LOCAL_ADDR_UNALLOWED, "192.0.2.9", "198.51.100.1", 4000, 312 },
		{ RSIP_DROP_LOCAL_PORT_UNALLOWED, "203.0.113.1", "198.51.100.1", 4000, 313 },
		{ RSIP_DROP_LOCAL_PORT_UNALLOWED, "203.0.113.2", "198.51.100.1", 4000, 312 },
		{ RSIP_DROP_NOT_OWNER, "203.0.113.1", "198.51.100.1", 4000, 313 },
		{ RSIP_DROP_HOST_UNKNOWN, "203.0.113.2", "198.51.100.1", 0, 312 },
		{ RSIP_DROP_EXPIRED, "203.0.113.2", "198.51.100.1", 4000, 312 },
		{ RSIP_DROP_IPSEC_UNALLOWED, "203.0.113.1", "198.51.100.1", 0, 401 },
		{ RSIP_DROP_REMOTE_UNALLOWED, "203.0.113.1", "198.51.100.2", 4000, 314 },
		{ RSIP_DROP_REMOTE_UNALLOWED, "203.0.113.1", "198.51.100.1", 4000, 315 },
		{ RSIP_DROP_DST_UNALLOWED, "203.0.113.1", "10.0.0.7", 4000, 314 },
		{ RSIP_DROP_WRONG_TUNNEL, "203.0.113.1", "198.51.100.1", 4000, 307 },
	};
	uint32_t id = assigned(gw_host(1));

	for (size_t i = 0; i < RSIP_ARRAY_LEN(rows); i++) {
		struct rsip_event v = violation(rows[i].reason);

		gw.now += 10 * S;
		gw.heard_cnt = 0;
		v.local = inet_addr(rows[i].local);
		v.remote = inet_addr(rows[i].remote);
		v.local_port = rows[i].local_port;
		reported(v);
		cr_assert_eq(gw.heard_cnt, 1, "row %zu", i);
		cr_expect_eq(gw.heard[0].type, RSIP_MSG_ERROR_RESPONSE);
		cr_expect_eq(gw.heard[0].error, rows[i].error, "row %zu: got %u", i, gw.heard[0].error);
		cr_expect_eq(gw.heard[0].client_id, id);
		cr_expect_eq(gw.heard[0].counter, 0);
		cr_expect_eq(gw.heard[0].to.port, 40000);
	}
}

Test(engine_violation, the_binding_is_named_if_it_is_the_hosts)
{
	struct rsip_event v = violation(RSIP_DROP_REMOTE_UNALLOWED);

	assigned(gw_host(1));
	v.bind_id = bind_id;
	reported(v);
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].bind_id, bind_id);
}

Test(engine_violation, once_in_five_seconds_for_each_error)
{
	assigned(gw_host(1));
	reported(violation(RSIP_DROP_LOCAL_PORT_UNALLOWED));
	reported(violation(RSIP_DROP_NOT_OWNER)); /* the same error */
	cr_expect_eq(gw.heard_cnt, 1);
	reported(violation(RSIP_DROP_IPSEC_UNALLOWED));
	cr_expect_eq(gw.heard_cnt, 2);
	gw.now += 5 * S - 1;
	reported(violation(RSIP_DROP_LOCAL_PORT_UNALLOWED));
	cr_expect_eq(gw.heard_cnt, 2);
	gw.now += 1;
	reported(violation(RSIP_DROP_LOCAL_PORT_UNALLOWED));
	cr_expect_eq(gw.heard_cnt, 3);
	cr_expect_eq(rsip_engine_stats(gw.e)->violations, 5);
	tick_at(gw.now + 3 * S);
	cr_expect_eq(gw.heard_cnt, 3, "an error is not repeated");
}

Test(engine_violation, who_may_be_somebody_else_hears_nothing)
{
	struct rsip_event v = violation(RSIP_DROP_LOCAL_PORT_UNALLOWED);

	reported(v);
	cr_expect_eq(gw.heard_cnt, 0, "not registered");
	registered(gw_host(1));
	reported(v);
	cr_expect_eq(gw.heard_cnt, 0, "has not shown that it is there");
	gw.now += S;
	a_query(gw.got.client_id);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	v.iface = 3;
	reported(v);
	cr_expect_eq(gw.heard_cnt, 0, "from another interface");
	v.iface = 2;
	v.reason = RSIP_DROP_WRONG_MAC;
	reported(v);
	cr_expect_eq(gw.heard_cnt, 0, "another host's doing");
	v.reason = RSIP_DROP_LOCAL_PORT_UNALLOWED;
	reported(v);
	cr_expect_eq(gw.heard_cnt, 1);
}

/* RFC 3104 6.1: dropped, and no error says why; the operator may ask. */
Test(engine_violation, a_cookie_of_another_hosts_is_logged_once_in_five_seconds)
{
	struct rsip_event v = violation(RSIP_DROP_COOKIE_COLLISION);

	assigned(gw_host(1));
	v.bind_id = bind_id;
	cr_redirect_stderr();
	reported(v);
	reported(v);
	cr_expect_eq(logged("has the same cookie"), 1);
	gw.now += 5 * S;
	reported(v);
	cr_expect_eq(logged("has the same cookie"), 1);
	cr_expect_eq(gw.heard_cnt, 0);
	v.host = gw_host(2).addr;
	reported(v);
	cr_expect_eq(logged("has the same cookie"), 0, "nobody is registered there");
	reported(violation(RSIP_DROP_WRONG_MAC));
	cr_expect_eq(logged(""), 0);
}

Test(engine_violation, over_tcp_too)
{
	assigned(over_tcp(gw_host(1)));
	reported(violation(RSIP_DROP_LOCAL_PORT_UNALLOWED));
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].to.transport, RSIP_TRANSPORT_TCP);
}

Test(engine_violation, also_after_a_restart)
{
	uint32_t binds, clients;
	uint64_t next;

	assigned(gw_host(1));
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	gw_lease_up();
	cr_assert_eq(rsip_lease_adopt(gw.lm, gw.now, &binds, &clients), 0);
	reported(violation(RSIP_DROP_LOCAL_PORT_UNALLOWED));
	cr_expect_eq(gw.heard_cnt, 0, "its port is not known yet");
	gw.now += 6 * S;
	a_query(gw.m.client_id);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	reported(violation(RSIP_DROP_LOCAL_PORT_UNALLOWED));
	cr_expect_eq(gw.heard_cnt, 1);
	next = tick_at(gw.now);
	cr_expect_gt(next, gw.now);
}
