// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * One table of all errors of RFC 3103 Appendix A and RFC 3104 Appendix B: an input that draws each of them.  The table
 * is complete, and an error is drawn from a gateway that otherwise serves.
 */
#include <criterion/criterion.h>

#include "codec_vectors.h"
#include "engine_fixture.h"

static struct rsip_flow_policy policy[3];
static uint32_t id; /* of host 1 */

static struct rsip_net one_host(unsigned int n)
{
	return (struct rsip_net){ gw_host(n).addr, inet_addr("255.255.255.255") };
}

static struct rsip_flow_policy policy_of(unsigned int n, uint8_t remote)
{
	struct rsip_flow_policy p = rsip_flow_default;

	p.client[0] = one_host(n);
	p.client_cnt = 1;
	p.remote = remote;
	p.deny.cnt = 1;
	p.deny.rule[0] = (struct rsip_flow_rule){ { inet_addr("198.51.100.0"), inet_addr("255.255.255.0") }, 0, 65535 };
	return p;
}

/*
 * One shared address with 4 ports and 16 SPIs, one whole address; host 2 has remote policy macro, host 3 micro, host 4
 * no IPsec.  Host 1 is registered over UDP.
 */
static void up(void)
{
	gw_plan();
	gw.pool[0].addr_cnt = 1;
	gw.pool[0].port_first = 2048;
	gw.pool[0].port_last = 2051;
	gw.pool[0].spi_min = 0x1000;
	gw.pool[0].spi_max = 0x100f;
	gw_plan_whole();
	policy[0] = policy_of(2, RSIP_REMOTE_MACRO);
	policy[1] = policy_of(3, RSIP_REMOTE_MICRO);
	policy[2] = policy_of(4, RSIP_REMOTE_NONE);
	policy[2].ipsec = false;
	gw.conf.policies = policy;
	gw.conf.policy_cnt = 3;
	gw_up();
	id = registered(gw_host(1));
}

/* ---- what draws them -------------------------------------------------------------------------- */

static int raw(const char *hex)
{
	uint8_t buf[256];

	return say_bytes(gw_host(1), buf, from_hex(hex, buf, sizeof(buf)));
}

/* The answer to the message as it stands, from a host that is registered with n = 1. */
static int second(struct rsip_from f)
{
	return say(f, f.transport == RSIP_TRANSPORT_UDP ? 2 : 0);
}

/* Another host holds these. */
static void taken_by_another(uint8_t ports, uint16_t spis, const char *addr)
{
	uint32_t other = registered(gw_host(9));

	if (addr)
		a_whole_assign(other);
	else if (spis)
		an_ipsec_assign(other, spis);
	else
		an_assign(other, ports);
	if (addr)
		with_local(addr);
	cr_assert_eq(second(gw_host(9)), RSIP_OK);
}

static int unknown_error(void)
{
	a_query(id);
	return say(over_tcp(gw_host(1)), 0);
}

static int use_tcp(void)
{
	a_query(registered(over_tcp(gw_host(5))));
	return second(gw_host(5));
}

static int flow_policy_violation(void)
{
	an_assign(registered(gw_host(2)), 1);
	return second(gw_host(2));
}

static int broken(struct rsip_dataplane *dp, const struct rsip_dp_binding *b, uint32_t *slot)
{
	(void)dp;
	(void)b;
	(void)slot;
	return -5;
}

static int internal_server_error(void)
{
	const struct rsip_dataplane_ops *ops = gw.dp->ops;
	struct rsip_dataplane_ops bad = *ops;
	int got;

	bad.bind_install = broken;
	gw.dp->ops = &bad;
	an_assign(id, 1);
	got = second(gw_host(1));
	gw.dp->ops = ops;
	return got;
}

static int message_counter_required(void)
{
	a_query(id);
	return say(gw_host(1), 0);
}

static int unsupported_version(void)
{
	return raw("0202000b 0b000400000002");
}

static int missing_param(void)
{
	return raw("0104000b 0b000400000002");
}

static int duplicate_param(void)
{
	return raw("01020012 0b000400000002 0b000400000002");
}

static int extra_param(void)
{
	return raw("01020012 0b000400000002 0400040000000a");
}

static int illegal_param(void)
{
	return raw("0102000e 0b000400000002 630000");
}

static int bad_param(void)
{
	return raw("0102000a 0b0003000002");
}

static int illegal_message(void)
{
	return raw("01120004");
}

static int bad_message(void)
{
	return raw("0102000c 0b000400000002");
}

static int unsupported_message(void)
{
	policy[0] = policy[1] = policy[2] = rsip_flow_default;
	policy[0].local = RSIP_LOCAL_MICRO;
	gw.conf.policies = policy;
	gw.conf.policy_cnt = 1;
	gw_change();
	a_whole_assign(registered(gw_host(6)));
	return second(gw_host(6));
}

static int register_first(void)
{
	a_query(77);
	return say(gw_host(7), 1);
}

static int already_registered(void)
{
	a_register();
	return second(gw_host(1));
}

static int registration_denied(void)
{
	struct rsip_from stranger = gw_host(1);

	stranger.addr = inet_addr("192.0.2.1");
	a_register();
	return say(stranger, 1);
}

static int bad_client_id(void)
{
	a_query(id + 1);
	return second(gw_host(1));
}

static int bad_bind_id(void)
{
	a_free(id, 77);
	return second(gw_host(1));
}

static int bad_tunnel_type(void)
{
	an_assign(id, 1);
	gw.m.tunnel_cnt = 1;
	gw.m.tunnel[0] = RSIP_TUNNEL_L2TP;
	return second(gw_host(1));
}

static int local_addr_unavailable(void)
{
	taken_by_another(0, 0, "203.0.113.17");
	a_whole_assign(registered(gw_host(8)));
	cr_assert_eq(second(gw_host(8)), RSIP_OK);
	a_whole_assign(id);
	return second(gw_host(1));
}

static int local_addrport_unavailable(void)
{
	an_assign(id, 5);
	return second(gw_host(1));
}

static int local_addr_inuse(void)
{
	taken_by_another(0, 0, "203.0.113.17");
	a_whole_assign(id);
	with_local("203.0.113.17");
	return second(gw_host(1));
}

static int local_addrport_inuse(void)
{
	taken_by_another(4, 0, NULL);
	an_assign(id, 1);
	with_local("203.0.113.1");
	rsip_ports_range(&gw.m.local_ports, 2048, 1);
	return second(gw_host(1));
}

static int local_addr_unallowed(void)
{
	an_assign(id, 1);
	with_local("192.0.2.77");
	return second(gw_host(1));
}

static int local_addrport_unallowed(void)
{
	an_assign(id, 1);
	rsip_ports_range(&gw.m.local_ports, 80, 1);
	return second(gw_host(1));
}

static int remote_addr_unallowed(void)
{
	an_assign(registered(gw_host(2)), 1);
	with_peer("198.51.100.1", 80, 1);
	return second(gw_host(2));
}

static int remote_addrport_unallowed(void)
{
	an_assign(registered(gw_host(3)), 1);
	with_peer("198.51.100.1", 80, 1);
	return second(gw_host(3));
}

static int ipsec_unallowed(void)
{
	an_ipsec_assign(registered(gw_host(4)), 1);
	return second(gw_host(4));
}

static int ipsec_spi_unavailable(void)
{
	taken_by_another(0, 16, NULL);
	an_ipsec_assign(id, 1);
	return second(gw_host(1));
}

static int ipsec_spi_inuse(void)
{
	taken_by_another(0, 16, NULL);
	an_ipsec_assign(id, 1);
	rsip_spis_range(&gw.m.spis, 0x1003, 1);
	return second(gw_host(1));
}

static const struct {
	enum rsip_err err;
	int (*draw)(void);
} table[] = {
	{ 101, unknown_error },
	{ 102, use_tcp },
	{ 103, flow_policy_violation },
	{ 104, internal_server_error },
	{ 105, message_counter_required },
	{ 106, unsupported_version },
	{ 201, missing_param },
	{ 202, duplicate_param },
	{ 203, extra_param },
	{ 204, illegal_param },
	{ 205, bad_param },
	{ 206, illegal_message },
	{ 207, bad_message },
	{ 208, unsupported_message },
	{ 301, register_first },
	{ 302, already_registered },
	{ 304, registration_denied },
	{ 305, bad_client_id },
	{ 306, bad_bind_id },
	{ 307, bad_tunnel_type },
	{ 308, local_addr_unavailable },
	{ 309, local_addrport_unavailable },
	{ 310, local_addr_inuse },
	{ 311, local_addrport_inuse },
	{ 312, local_addr_unallowed },
	{ 313, local_addrport_unallowed },
	{ 314, remote_addr_unallowed },
	{ 315, remote_addrport_unallowed },
	{ 401, ipsec_unallowed },
	{ 402, ipsec_spi_unavailable },
	{ 403, ipsec_spi_inuse },
};

Test(every_error, the_table_is_complete)
{
	size_t row = 0;

	for (unsigned int i = 0; rsip_engine_err_at(i); i++) {
		/* Appendix A has it, section 9.4.3 wants 301 in its place: it is never sent. */
		if (rsip_engine_err_at(i) == RSIP_ERR_ALREADY_UNREGISTERED)
			continue;
		cr_assert_lt(row, RSIP_ARRAY_LEN(table), "error %d has no row", rsip_engine_err_at(i));
		cr_assert_eq(table[row].err, rsip_engine_err_at(i));
		row++;
	}
	cr_expect_eq(row, RSIP_ARRAY_LEN(table));
}

/* Two gateways on one network: whatever one of them says, the other's answer is the last word. */
Test(every_error, no_gateway_answers_anothers_errors)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(table); i++) {
		uint8_t error[128];
		size_t len;

		up();
		table[i].draw();
		len = gw.answer_len;
		cr_assert(len && len <= sizeof(error), "%d", table[i].err);
		memcpy(error, gw.answer, len);
		cr_expect_eq(say_bytes(gw_host(1), error, len), SILENCE, "%d over UDP", table[i].err);
		cr_expect_eq(say_bytes(gw_host(77), error, len), SILENCE, "%d over UDP, from nobody", table[i].err);
		cr_expect_eq(say_bytes(over_tcp(gw_host(5)), error, len), SILENCE, "%d over TCP", table[i].err);
		cr_expect_eq(dropped(RSIP_ENGINE_DROP_ERROR_RESPONSE), 3, "%d", table[i].err);
		gw_down();
	}
}

static uint64_t errors_sent(void)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; rsip_engine_err_at(i); i++)
		sum += rsip_engine_stats(gw.e)->errors[i];
	return sum;
}

Test(every_error, each_is_drawn_and_costs_nothing)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(table); i++) {
		uint32_t binds;
		int got;

		up();
		got = table[i].draw();
		cr_expect_eq(got, (int)table[i].err, "%d: got %d", table[i].err, got);
		cr_expect_eq(errors_sent(), 1, "%d", table[i].err);
		cr_expect_eq(gw.got.error, table[i].err);
		binds = rsip_lease_bind_count(gw.lm);
		a_query(id);
		cr_expect_eq(say(gw_host(1), 50), RSIP_OK, "%d: the host is served no more", table[i].err);
		cr_expect_eq(rsip_lease_bind_count(gw.lm), binds, "%d", table[i].err);
		gw_down();
	}
}
