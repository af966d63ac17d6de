// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* RSA-IP, LISTEN and flow policy in requests and answers: RFC 3103 7, 9.6, 9.7, 9.16, 9.17, 10.6. */
#include <criterion/criterion.h>

#include "engine_fixture.h"
#include "engine_priv.h"

static struct rsip_flow_policy policy[2];

static void with_policy(uint8_t local, uint8_t remote)
{
	gw_plan();
	gw_plan_whole();
	policy[0] = rsip_flow_default;
	policy[0].local = local;
	policy[0].remote = remote;
	gw.conf.policies = policy;
	gw.conf.policy_cnt = 1;
}

static void usual(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_NONE);
	gw_up();
}

static void remote_macro(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_MACRO);
	gw_up();
}

static void remote_micro(void)
{
	with_policy(RSIP_LOCAL_MICRO, RSIP_REMOTE_MICRO);
	gw_up();
}

TestSuite(engine_policy, .init = usual, .fini = gw_down);

static struct rsip_lease_bind installed(void)
{
	const struct rsip_lease_bind *b = rsip_lease_bind_by_id(gw.lm, gw.got.bind_id, NULL);

	cr_assert_not_null(b);
	return *b;
}

/* ---- RSA-IP ---------------------------------------------------------------------------------- */

Test(engine_policy, a_whole_address_is_granted)
{
	uint32_t id = registered(gw_host(1));

	cr_assert_eq(gw.got.method_cnt, 3);
	cr_expect_eq(gw.got.method[0], RSIP_METHOD_RSAP_IP);
	a_whole_assign(id);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_ASSIGN_RESPONSE_RSA_IP);
	cr_expect_eq(gw.got.local.v4, inet_addr("203.0.113.17"));
	cr_expect(gw.got.remote.any);
	cr_expect_eq(gw.got.remote_ports.form, RSIP_FORM_ANY);
	cr_expect_eq(gw.got.lease_s, 1800);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_IPIP);
	cr_expect_not(gw.got.has & RSIP_HAS_ENDPOINT);
	cr_expect_eq(installed().method, RSIP_METHOD_RSA_IP);
}

Test(engine_policy, whole_addresses_have_one_owner_and_come_back)
{
	uint32_t a = registered(gw_host(1)), b = registered(gw_host(2)), c = registered(gw_host(3)), bind;
	struct rsip_pool_stats st;

	a_whole_assign(a);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	bind = gw.got.bind_id;
	a_whole_assign(a);
	cr_expect_eq(say(gw_host(1), 3), 308, "one for each host: limits.addrs_per_client");
	a_whole_assign(b);
	with_local("203.0.113.17");
	cr_expect_eq(say(gw_host(2), 2), 310, "another is free");
	with_local("203.0.113.18");
	cr_expect_eq(say(gw_host(2), 3), RSIP_OK);
	a_whole_assign(c);
	cr_expect_eq(say(gw_host(3), 2), 308);
	with_local("203.0.113.17");
	cr_expect_eq(say(gw_host(3), 3), 308, "9.6.3: none at all can be had");
	with_local("203.0.113.1");
	cr_expect_eq(say(gw_host(3), 4), 312, "a shared address");
	an_assign(c, 1);
	with_local("203.0.113.17");
	cr_expect_eq(say(gw_host(3), 5), 312, "ports of a whole address");
	rsip_lease_pool_stats(gw.lm, 1, &st);
	cr_expect_eq(st.whole_leased, 2);
	a_free(a, bind);
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	rsip_lease_pool_stats(gw.lm, 1, &st);
	cr_expect_eq(st.whole_leased, 1);
	a_whole_assign(c);
	cr_expect_eq(say(gw_host(3), 6), RSIP_OK);
	cr_expect_eq(gw.got.local.v4, inet_addr("203.0.113.17"));
}

static void with_rest(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_NONE);
	gw.lease.limits.hold_s = 120;
	gw_up();
}

Test(engine_policy, a_freed_address_rests, .init = with_rest)
{
	uint32_t a = registered(gw_host(1)), b = registered(gw_host(2));

	a_whole_assign(a);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	a_free(a, gw.got.bind_id);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	a_whole_assign(b);
	with_local("203.0.113.17");
	cr_expect_eq(say(gw_host(2), 2), 310);
	gw.now += 120 * S;
	cr_expect_eq(say(gw_host(2), 3), RSIP_OK);
}

static void take_over(void)
{
	uint32_t binds, clients;

	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	gw_lease_up();
	cr_assert_eq(rsip_lease_adopt(gw.lm, gw.now, &binds, &clients), 0);
}

Test(engine_policy, a_restart_finds_whole_addresses_and_listeners)
{
	uint32_t a = registered(gw_host(1)), whole, ike;

	a_whole_assign(a);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	whole = gw.got.bind_id;
	a_listen(a, 500, 1);
	with_peer("198.51.100.1", 0, 0);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	ike = gw.got.bind_id;
	take_over();
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 2);
	gw.got.bind_id = ike;
	cr_expect_eq(installed().kind, RSIP_KIND_LISTEN | RSIP_KIND_IKE_500);
	cr_expect_eq(installed().remote, inet_addr("198.51.100.1"));
	cr_expect_eq(installed().ports.cnt, 1);
	a_whole_assign(registered(gw_host(2)));
	with_local("203.0.113.17");
	cr_expect_eq(say(gw_host(2), 2), 310, "still leased");
	a_listen(gw.m.client_id, 500, 1);
	with_local("203.0.113.1");
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(2), 3), 311);
	a_free(a, whole);
	cr_expect_eq(say(gw_host(1), 4), RSIP_OK);
	a_free(a, ike);
	cr_expect_eq(say(gw_host(1), 5), RSIP_OK);
}

Test(engine_policy, micro_policy_excludes_whole_addresses, .init = remote_micro)
{
	uint32_t id = registered(gw_host(1));

	for (unsigned int i = 0; i < gw.got.method_cnt; i++)
		cr_expect_neq(gw.got.method[i], RSIP_METHOD_RSA_IP);
	a_whole_assign(id);
	cr_expect_eq(say(gw_host(1), 2), 208);
}

/* ---- LISTEN ---------------------------------------------------------------------------------- */

Test(engine_policy, a_listener_gets_ports)
{
	uint32_t id = registered(gw_host(1));

	a_listen(id, 0, 1);
	gw.m.tunnel_cnt = 2;
	gw.m.tunnel[0] = RSIP_TUNNEL_GRE;
	gw.m.tunnel[1] = RSIP_TUNNEL_IPIP;
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect_eq(gw.got.type, RSIP_MSG_LISTEN_RESPONSE);
	cr_expect_eq(gw.got.local_ports.cnt, 1);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_IPIP, "the first that the gateway can");
	cr_expect(gw.got.remote.any);
	cr_expect_eq(installed().kind, RSIP_KIND_LISTEN);
	gw.m.tunnel_cnt = 1;
	cr_expect_eq(say(gw_host(1), 3), 307);
	a_listen(id, 8080, 1);
	with_local("203.0.113.1");
	cr_assert_eq(say(gw_host(1), 4), RSIP_OK);
	cr_expect_eq(gw.got.local_ports.port[0], 8080);
	cr_expect_eq(say(gw_host(1), 5), 311, "listening already");
	a_listen(id, 80, 1);
	with_local("203.0.113.1");
	cr_expect_eq(say(gw_host(1), 6), 313);
}

Test(engine_policy, a_listener_may_not_name_a_remote_without_remote_policy)
{
	uint32_t id = registered(gw_host(1));

	a_listen(id, 8080, 1);
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(1), 2), 103);
	a_listen(id, 8080, 1);
	rsip_ports_range(&gw.m.remote_ports, 80, 1);
	cr_expect_eq(say(gw_host(1), 3), 103);
	a_listen(id, 500, 2);
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(1), 4), 103, "501 is none of IKE's");
}

Test(engine_policy, ports_of_ike_are_for_one_remote_each)
{
	uint32_t a = registered(gw_host(1)), b = registered(gw_host(2));

	a_listen(a, 500, 1);
	gw.m.local_ports.form = RSIP_FORM_LIST;
	gw.m.local_ports.cnt = 2;
	gw.m.local_ports.port[1] = 4500;
	with_local("203.0.113.1");
	with_peer("198.51.100.1", 0, 0);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect(gw.got.remote.any, "9.17.3");
	cr_expect_eq(gw.got.local_ports.cnt, 2);
	cr_expect_eq(gw.got.local_ports.port[1], 4500);
	cr_expect_eq(installed().kind, RSIP_KIND_LISTEN | RSIP_KIND_IKE);
	cr_expect_eq(installed().remote, inet_addr("198.51.100.1"));
	a_listen(b, 500, 1);
	with_local("203.0.113.1");
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(2), 2), 311, "that peer's is taken");
	with_peer("198.51.100.2", 0, 0);
	cr_expect_eq(say(gw_host(2), 3), RSIP_OK, "another peer's is not");
	a_listen(b, 500, 1);
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(2), 4), RSIP_OK, "and on another address");
	cr_expect_eq(gw.got.local.v4, inet_addr("203.0.113.2"));
	cr_expect_eq(say(gw_host(2), 5), 309, "all addresses are taken for it");
	a_listen(b, 500, 1);
	cr_expect_eq(say(gw_host(2), 6), 313, "for everybody: not at all");
	an_assign(b, 1);
	rsip_ports_range(&gw.m.local_ports, 4500, 1);
	cr_expect_eq(say(gw_host(2), 7), 313, "nor in an ASSIGN");
	a_deregister(a);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	a_listen(b, 500, 1);
	with_local("203.0.113.1");
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(2), 8), RSIP_OK);
}

static void nobody_listens(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_NONE);
	policy[0].listen = false;
	gw_up();
}

Test(engine_policy, listening_can_be_off, .init = nobody_listens)
{
	uint32_t id = registered(gw_host(1));

	a_listen(id, 8080, 1);
	cr_expect_eq(say(gw_host(1), 2), 208);
}

static void some_listen(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_NONE);
	policy[0].listen = false;
	policy[0].ipsec = false;
	policy[0].client[0] = (struct rsip_net){ gw_host(1).addr, inet_addr("255.255.255.255") };
	policy[0].client_cnt = 1;
	gw_up();
}

Test(engine_policy, listening_and_ipsec_can_be_for_some, .init = some_listen)
{
	uint32_t a = registered(gw_host(1)), b;

	cr_expect_eq(gw.got.method_cnt, 2, "RSAP-IP and RSA-IP");
	b = registered(gw_host(2));
	cr_expect_eq(gw.got.method_cnt, 3);
	a_listen(a, 8080, 1);
	cr_expect_eq(say(gw_host(1), 2), 313);
	an_ipsec_assign(a, 4);
	cr_expect_eq(say(gw_host(1), 3), 401);
	a_listen(b, 8080, 1);
	cr_expect_eq(say(gw_host(2), 2), RSIP_OK);
	an_ipsec_assign(b, 4);
	cr_expect_eq(say(gw_host(2), 3), RSIP_OK);
}

/* ---- remote policy --------------------------------------------------------------------------- */

Test(engine_policy, macro_wants_an_address, .init = remote_macro)
{
	uint32_t id = registered(gw_host(1));

	cr_expect_eq(gw.got.remote_policy, RSIP_REMOTE_MACRO);
	an_assign(id, 4);
	cr_expect_eq(say(gw_host(1), 2), 103);
	with_peer("198.51.100.1", 80, 1);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_expect_eq(gw.got.remote.v4, inet_addr("198.51.100.1"));
	cr_expect_eq(gw.got.remote_ports.form, RSIP_FORM_ANY, "9.9.3");
	cr_expect_eq(installed().remote, inet_addr("198.51.100.1"));
	cr_expect_eq(installed().remote_port_cnt, 0);
	a_whole_assign(id);
	cr_expect_eq(say(gw_host(1), 4), 103);
	with_peer("198.51.100.1", 0, 0);
	cr_assert_eq(say(gw_host(1), 5), RSIP_OK);
	cr_expect_eq(gw.got.remote.v4, inet_addr("198.51.100.1"));
	an_ipsec_assign(id, 4);
	with_peer("198.51.100.1", 0, 0);
	cr_assert_eq(say(gw_host(1), 6), RSIP_OK);
	cr_expect_eq(gw.got.remote_ports.form, RSIP_FORM_NONE, "RFC 3104 6.2: as asked");
	a_listen(id, 8080, 1);
	cr_expect_eq(say(gw_host(1), 7), 103);
	with_peer("198.51.100.1", 0, 0);
	cr_assert_eq(say(gw_host(1), 8), RSIP_OK);
	cr_expect_eq(gw.got.remote.v4, inet_addr("198.51.100.1"));
}

Test(engine_policy, names_and_ipv6_are_no_remotes, .init = remote_macro)
{
	uint32_t id = registered(gw_host(1));

	an_assign(id, 4);
	gw.m.remote = (struct rsip_address){ .type = RSIP_ADDR_FQDN, .fqdn_len = 11, .fqdn = "www.foo.com" };
	cr_expect_eq(say(gw_host(1), 2), 314);
	gw.m.remote = (struct rsip_address){ .type = RSIP_ADDR_IPV6, .v6 = { 0x20, 1 } };
	cr_expect_eq(say(gw_host(1), 3), 314);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
}

Test(engine_policy, micro_wants_address_and_ports_and_gives_one_port, .init = remote_micro)
{
	uint32_t id = registered(gw_host(1));

	cr_expect_eq(gw.got.local_policy, RSIP_LOCAL_MICRO);
	cr_expect_eq(gw.got.remote_policy, RSIP_REMOTE_MICRO);
	an_assign(id, 1);
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(1), 2), 103, "no ports");
	with_peer("198.51.100.1", 20, 2);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	cr_expect_eq(gw.got.remote_ports.form, RSIP_FORM_RANGE);
	cr_expect_eq(gw.got.remote_ports.cnt, 2);
	cr_expect_eq(gw.got.remote_ports.port[0], 20);
	cr_expect_eq(gw.got.local_ports.cnt, 1);
	cr_expect_eq(installed().remote_port, 20);
	cr_expect_eq(installed().remote_port_cnt, 2);
	an_assign(id, 2);
	with_peer("198.51.100.1", 20, 1);
	cr_expect_eq(say(gw_host(1), 4), 103, "7.1: one port at a time");
	an_assign(id, 1);
	with_peer("198.51.100.1", 80, 1);
	gw.m.remote_ports.form = RSIP_FORM_LIST;
	gw.m.remote_ports.cnt = 2;
	gw.m.remote_ports.port[1] = 443;
	cr_expect_eq(say(gw_host(1), 5), 315, "not one run");
	an_ipsec_assign(id, 1);
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(1), 6), 103, "don't need is not said enough");
	with_peer("198.51.100.1", 500, 1);
	cr_expect_eq(say(gw_host(1), 7), RSIP_OK);
}

static void with_lists(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_MICRO);
	policy[0].listen = true;
	policy[0].deny.cnt = 1;
	policy[0].deny.rule[0] = (struct rsip_flow_rule){ { inet_addr("198.51.100.0"), inet_addr("255.255.255.0") }, 25, 25 };
	policy[1] = rsip_flow_default;
	policy[1].remote = RSIP_REMOTE_MACRO;
	policy[1].deny = policy[0].deny;
	policy[1].deny.rule[0].port_first = 0;
	policy[1].deny.rule[0].port_last = 65535;
	policy[0].client[0] = (struct rsip_net){ gw_host(1).addr, inet_addr("255.255.255.255") };
	policy[0].client_cnt = 1;
	gw.conf.policy_cnt = 2;
	gw_up();
}

Test(engine_policy, lists_of_remotes, .init = with_lists)
{
	uint32_t a = registered(gw_host(1)), b = registered(gw_host(2));

	an_assign(a, 1);
	with_peer("198.51.100.1", 25, 1);
	cr_expect_eq(say(gw_host(1), 2), 315);
	with_peer("198.51.100.1", 24, 3);
	cr_expect_eq(say(gw_host(1), 3), 315);
	with_peer("198.51.100.1", 80, 1);
	cr_expect_eq(say(gw_host(1), 4), RSIP_OK);
	a_listen(a, 8080, 1);
	with_peer("198.51.100.1", 25, 1);
	cr_expect_eq(say(gw_host(1), 5), 315);
	an_assign(b, 1);
	with_peer("198.51.100.1", 80, 1);
	cr_expect_eq(say(gw_host(2), 2), 314);
	with_peer("198.51.101.1", 80, 1);
	cr_expect_eq(say(gw_host(2), 3), RSIP_OK);
}

/* ---- which is told ----------------------------------------------------------------------------- */

Test(engine_policy, tunnel_then_detail_then_local_then_remote, .init = with_lists)
{
	uint32_t id = registered(gw_host(1));

	an_assign(id, 1);
	with_local("192.0.2.1");
	gw.m.tunnel_cnt = 1;
	gw.m.tunnel[0] = RSIP_TUNNEL_L2TP;
	cr_expect_eq(say(gw_host(1), 2), 307);
	gw.m.tunnel_cnt = 0;
	cr_expect_eq(say(gw_host(1), 3), 103);
	with_peer("198.51.100.1", 25, 1);
	cr_expect_eq(say(gw_host(1), 4), 312);
	with_local("203.0.113.1");
	rsip_ports_range(&gw.m.local_ports, 80, 1);
	cr_expect_eq(say(gw_host(1), 5), 313);
	rsip_ports_range(&gw.m.local_ports, 8080, 1);
	cr_expect_eq(say(gw_host(1), 6), 315);
}

static void poor_policy(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_MACRO);
	policy[0].ipsec = false;
	policy[0].some_pools = true;
	policy[0].pools.bit[0] = 1;
	policy[0].deny.cnt = 1;
	policy[0].deny.rule[0] = (struct rsip_flow_rule){ { inet_addr("198.51.100.0"), inet_addr("255.255.255.0") }, 0, 65535 };
	gw_up();
}

Test(engine_policy, remote_then_ipsec_then_resources, .init = poor_policy)
{
	uint32_t id = registered(gw_host(1));

	cr_expect_eq(gw.got.method_cnt, 1);
	an_ipsec_assign(id, 2000);
	with_peer("198.51.100.1", 0, 0);
	cr_expect_eq(say(gw_host(1), 2), 314);
	with_peer("198.51.101.1", 0, 0);
	cr_expect_eq(say(gw_host(1), 3), 401, "before the quota's 402");
	a_whole_assign(id);
	with_peer("198.51.101.1", 0, 0);
	cr_expect_eq(say(gw_host(1), 4), 312, "no pool of this host has whole addresses");
	with_local("203.0.113.17");
	cr_expect_eq(say(gw_host(1), 5), 312);
}

/* ---- tunnel endpoint ---------------------------------------------------------------------------- */

static void other_endpoint(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_NONE);
	policy[0].endpoint = inet_addr("10.0.0.99");
	gw_up();
}

Test(engine_policy, another_endpoint_is_told, .init = other_endpoint)
{
	uint32_t id = registered(gw_host(1));

	an_assign(id, 1);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	cr_expect(gw.got.has & RSIP_HAS_ENDPOINT);
	cr_expect_eq(gw.got.endpoint.v4, inet_addr("10.0.0.99"));
	cr_expect_eq(installed().endpoint, inet_addr("10.0.0.99"));
}

/* ---- tunnel types ------------------------------------------------------------------------------- */

static void both_tunnels(void)
{
	with_policy(RSIP_LOCAL_MACRO, RSIP_REMOTE_NONE);
	policy[1] = policy[0];
	policy[0].tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE);
	policy[0].client[0] = (struct rsip_net){ gw_host(1).addr, 0xffffffff };
	policy[0].client_cnt = 1;
	gw.conf.policy_cnt = 2;
	gw.conf.tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_IPIP) | RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE);
	gw_up();
}

static enum rsip_err assign_in(int host, uint32_t id, uint8_t tunnel, uint32_t n)
{
	an_assign(id, 1);
	gw.m.tunnel_cnt = 1;
	gw.m.tunnel[0] = tunnel;
	return say(gw_host(host), n);
}

Test(engine_policy, a_binding_has_the_tunnel_type_that_it_was_asked_in, .init = both_tunnels)
{
	uint32_t id = registered(gw_host(2));

	cr_assert_eq(gw.got.tunnel_cnt, 2);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_IPIP);
	cr_expect_eq(gw.got.tunnel[1], RSIP_TUNNEL_GRE);
	cr_assert_eq(assign_in(2, id, RSIP_TUNNEL_GRE, 2), RSIP_OK);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_GRE);
	cr_expect_eq(installed().tunnel, RSIP_TUNNEL_GRE);
	cr_expect_eq(installed().mtu, 1476);
	an_assign(id, 1); /* none named: IP-IP (RFC 3103 9.3.3) */
	cr_assert_eq(say(gw_host(2), 3), RSIP_OK);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_IPIP);
	cr_expect_eq(installed().mtu, 1480);
	cr_expect_eq(assign_in(2, id, RSIP_TUNNEL_L2TP, 4), 307);
}

Test(engine_policy, a_policy_may_leave_tunnel_types_out, .init = both_tunnels)
{
	uint32_t id = registered(gw_host(1));

	cr_assert_eq(gw.got.tunnel_cnt, 1);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_GRE);
	cr_expect_eq(assign_in(1, id, RSIP_TUNNEL_IPIP, 2), 307);
	an_assign(id, 1);
	cr_expect_eq(say(gw_host(1), 3), 307, "IP-IP is what is meant where none is named");
	cr_expect_eq(assign_in(1, id, RSIP_TUNNEL_GRE, 4), RSIP_OK);
}

Test(engine_policy, l2tp_is_for_those_whose_policy_offers_it, .init = both_tunnels)
{
	uint32_t id;

	policy[0].tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_L2TP);
	gw.conf.tunnels |= RSIP_TUNNEL_BIT(RSIP_TUNNEL_L2TP);
	gw_up();
	id = registered(gw_host(1));
	cr_assert_eq(gw.got.tunnel_cnt, 1);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_L2TP);
	cr_expect_eq(assign_in(1, id, RSIP_TUNNEL_GRE, 2), 307);
	cr_assert_eq(assign_in(1, id, RSIP_TUNNEL_L2TP, 3), RSIP_OK);
	cr_expect_eq(gw.got.tunnel[0], RSIP_TUNNEL_L2TP);
	cr_expect_eq(installed().tunnel, RSIP_TUNNEL_L2TP);
	cr_expect_eq(installed().mtu, 1460);
	id = registered(gw_host(2));
	cr_expect_eq(gw.got.tunnel_cnt, 2, "others are offered what is usual");
	cr_expect_eq(assign_in(2, id, RSIP_TUNNEL_L2TP, 2), 307);
}

Test(engine_policy, l2tp_is_not_for_a_host_with_an_ipv6_address, .init = both_tunnels)
{
	struct rsip_from from = gw_host(1);
	struct rsip_request rq = { .from = &from, .policy = &policy[0] };

	policy[0].tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_L2TP) | RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE);
	gw.conf.tunnels |= RSIP_TUNNEL_BIT(RSIP_TUNNEL_L2TP);
	gw_up();
	rq.e = gw.e;
	cr_expect_eq(rsip_engine_tunnels(&rq), policy[0].tunnels);
	from.addr = htonl(0xf0000001); /* its handle */
	cr_expect_eq(rsip_engine_tunnels(&rq), RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE));
}

/* ---- service levels ------------------------------------------------------------------------------------------- */

#define DSCP(value) (RSIP_BIND_DSCP_SET | (value))

/* Host 1 has a policy of its own, all others one without a DSCP. */
static void two_levels(void)
{
	gw_plan();
	policy[0] = policy[1] = rsip_flow_default;
	policy[0].client[0] = (struct rsip_net){ gw_host(1).addr, 0xffffffff };
	policy[0].client_cnt = 1;
	policy[0].dscp = DSCP(46);
	gw.conf.policies = policy;
	gw.conf.policy_cnt = 2;
	gw_up();
}

static int note_dscp(void *arg, uint32_t slot, const struct rsip_dp_binding *found)
{
	(void)slot;
	((uint8_t *)arg)[found->rec.host == gw_host(1).addr] = found->rec.dscp;
	return 0;
}

/* What the data plane has: of the other host, of host 1. */
static void expect_levels(uint8_t other, uint8_t first)
{
	uint8_t dscp[2] = { 0xff, 0xff };

	cr_assert_eq(gw.dp->ops->foreach(gw.dp, gw.now, note_dscp, dscp), 0);
	cr_expect_eq(dscp[0], other, "%x", dscp[0]);
	cr_expect_eq(dscp[1], first, "%x", dscp[1]);
}

Test(engine_policy, each_host_has_the_dscp_of_its_policy_at_once, .init = two_levels)
{
	an_assign(registered(gw_host(1)), 4);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	an_assign(registered(gw_host(2)), 4);
	cr_assert_eq(say(gw_host(2), 2), RSIP_OK);
	expect_levels(0, DSCP(46));
	cr_expect_eq(installed().dscp, 0);
	policy[0].dscp = DSCP(0); /* live bindings follow a reload */
	policy[1].dscp = DSCP(10);
	gw_change();
	expect_levels(DSCP(10), DSCP(0));
	cr_expect_eq(installed().dscp, DSCP(10));
	policy[0].dscp = DSCP(8); /* and a restart with another configuration */
	policy[1].dscp = 0;
	take_over();
	expect_levels(0, DSCP(8));
}

/* ---- a policy that changes ----------------------------------------------------------------------- */

Test(engine_policy, a_host_keeps_what_it_was_told)
{
	uint32_t id = registered(gw_host(1));

	policy[0].remote = RSIP_REMOTE_MACRO;
	gw.conf.policies = policy;
	gw.conf.policy_cnt = 1;
	gw_change();
	an_assign(id, 1);
	cr_expect_eq(say(gw_host(1), 2), RSIP_OK);
	an_assign(registered(gw_host(2)), 1);
	cr_expect_eq(gw.got.remote_policy, RSIP_REMOTE_MACRO);
	cr_expect_eq(say(gw_host(2), 2), 103);
}
