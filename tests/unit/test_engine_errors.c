// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Each error code in scope, what draws it, and which of two is told. */
#include <criterion/criterion.h>

#include "codec_vectors.h"
#include "engine_fixture.h"

TestSuite(engine_errors, .init = gw_usual, .fini = gw_down);

/* Parameters in hexadecimal after a header that fits; CC is the client ID that is in force. */
static int say_hex(struct rsip_from from, uint8_t type, const char *hex, uint32_t id)
{
	uint8_t buf[512] = { RSIP_VERSION, type };
	size_t len = 4 + from_hex(hex, buf + 4, sizeof(buf) - 4);

	buf[3] = len;
	for (size_t i = 4; i + 4 <= len; i++)
		if (!memcmp(buf + i, "\xcc\xcc\xcc\xcc", 4))
			memcpy(buf + i, &(uint32_t){ htonl(id) }, 4);
	return say_bytes(from, buf, len);
}

#define ID "040004cccccccc "
#define N "0b000400000009 "
#define ANY "01000101 02000101 "

/* From host 1, which is registered over UDP with n = 1. */
static const struct {
	int want;
	uint8_t type;
	const char *hex, *why;
} rows[] = {
	/* the message itself */
	{ 201, 4, N, "no client ID" },
	{ 202, 2, N N, "two counters" },
	{ 203, 2, ID N, "a client ID in a REGISTER" },
	{ 204, 2, N "630000", "parameter 99" },
	{ 205, 12, ID "05000300 0001" N, "a bind ID of three bytes" },
	{ 205, 12, "050004000000070400 04cccccccc" N, "bind ID before client ID" },
	{ 205, 4, ID "0b000400000000", "counter 0 from a host" },
	{ 205, 4, "0b000400000000 630000", "counter 0 and an unknown parameter" },
	{ 205, 22, ID ANY ANY "1600060001 00000080" N, "SPI 128" },
	{ 206, 3, N, "a REGISTER_RESPONSE" },
	{ 206, 23, "0d0000", "a response, unreadable too" },
	{ 206, 18, N, "type 18" },
	{ 206, 255, "01", "type 255, malformed too" },
	{ 208, 6, ID "01000101 01000101 02000101" N, "RSA-IP" },
	{ 208, 6, "0d0000", "RSA-IP, unreadable too" },
	{ 205, 4, ID ID "0b00030000", "malformed comes before duplicate" },
	{ 202, 4, ID N N "630000", "duplicate comes before unknown" },
	{ 204, 4, N "630000 05000400000001", "unknown comes before extra" },
	{ 203, 4, N "05000400000001", "extra comes before missing" },
	{ 305, 8, "04000400000007" ANY ANY N "06000102", "wrong client ID comes before wrong tunnel" },
	{ SILENCE, 4, "04000400000007 0b000400000001", "an old counter comes before the wrong client ID" },
	{ 312, 8, ID "010005 01 c6336401 020001ff" ANY N, "wrong address comes before the quota" },
	{ 313, 8, ID "01000101 0200030101bb" ANY N, "so does a port that no pool has" },
	{ SILENCE, 1, "08000200650b000400000005", "an ERROR_RESPONSE" },
	{ SILENCE, 1, "0d", "an unreadable ERROR_RESPONSE" },
	{ 105, 4, ID, "no counter over UDP" },
	{ 105, 4, "04000412345678", "no counter comes before the wrong client ID" },
	{ 201, 10, ID, "missing bind ID comes before missing counter" },
	/* the host */
	{ 302, 2, N, "REGISTER again" },
	{ 305, 4, "04000400000007" N, "another client ID" },
	{ 305, 12, "04000400000007 05000400000001" N,
	  "wrong client ID comes before wrong bind ID" },
	{ 306, 12, ID "05000400000001" N, "FREE of a bind that is not there" },
	{ 306, 10, ID "05000400000001" N, "EXTEND of a bind that is not there" },
	/* what is asked for */
	{ 307, 8, ID ANY ANY N "06000102", "a GRE tunnel" },
	{ 307, 8, ID "010005 01 c6336401 02000101" ANY N "06000103",
	  "wrong tunnel comes before wrong address" },
	{ 312, 8, ID "010005 01 c6336401 02000101" ANY N, "a local address outside the pools" },
	{ 312, 8, ID "01001103 20010db8000000000000000000000001 02000101" ANY N,
	  "a local IPv6 address" },
	{ 313, 8, ID "010005 01 cb007101 0200030101bb" ANY N, "a port below the pool's" },
	{ 309, 8, ID "01000101 020001ff" ANY N,
	  "more ports than a host may have: quota is 200 here" },
	{ 402, 22, ID ANY ANY "1600020400" N,
	  "more SPIs than a host may have: quota is 1000 here" },
};

Test(engine_errors, each_code_is_drawn)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(rows); i++) {
		uint32_t id;
		int got;

		gw_plan();
		gw.lease.limits.ports_per_client = 200;
		gw.lease.limits.spis_per_client = 1000;
		gw_up();
		id = registered(gw_host(1));
		got = say_hex(gw_host(1), rows[i].type, rows[i].hex, id);
		cr_expect_eq(got, rows[i].want, "type %u, %s: got %d", rows[i].type, rows[i].why,
			     got);
		cr_expect_eq(rsip_lease_bind_count(gw.lm), 0, "%s", rows[i].why);
		cr_expect_eq(rsip_lease_client_count(gw.lm), 1, "%s", rows[i].why);
	}
}

static int say_raw(struct rsip_from from, const char *hex)
{
	uint8_t buf[256];

	return say_bytes(from, buf, from_hex(hex, buf, sizeof(buf)));
}

Test(engine_errors, version_and_length)
{
	cr_expect_eq(say_raw(gw_host(1), "0202000b 0b000400000001"), 106);
	cr_expect_eq(gw.got.counter, 1);
	cr_expect_eq(say_raw(gw_host(1), "02020004 0b000400000001"), 106, "version before length");
	cr_expect_eq(say_raw(gw_host(1), "0102000a 0b000400000001"), 207, "longer than it says");
	cr_expect_eq(say_raw(gw_host(1), "0102000c 0b000400000001"), 207, "shorter than it says");
	cr_expect_eq(say_raw(gw_host(1), "01030008"), 207, "length before type");
	cr_expect_eq(say_raw(gw_host(1), "0102"), 207);
	cr_expect_eq(say_raw(gw_host(1), ""), 207);
	cr_expect(gw.got.has & RSIP_HAS_COUNTER && gw.got.counter == 0);
	cr_expect_eq(say_raw(over_tcp(gw_host(1)), "01020003"), 207);
	cr_expect_not(gw.got.has & RSIP_HAS_COUNTER);
	cr_expect_eq(say_raw(gw_host(1), "0201000b 0b000400000001"), SILENCE,
		     "an ERROR_RESPONSE of any version");
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_ERROR_RESPONSE), 1);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
}

Test(engine_errors, unregistered_hosts_are_told_to_register)
{
	a_deregister(77);
	cr_expect_eq(say(gw_host(1), 5), 301);
	cr_expect_eq(gw.got.client_id, 77, "the ID it sent");
	cr_expect_eq(gw.got.counter, 5);
	a_free(77, 88);
	cr_expect_eq(say(gw_host(1), 6), 301);
	cr_expect_eq(gw.got.bind_id, 88);
	a_query(77);
	cr_expect_eq(say(over_tcp(gw_host(1)), 0), 301);
	an_assign(77, 1);
	cr_expect_eq(say(gw_host(1), 7), 301);
	cr_expect_leq(gw.answer_len, RSIP_ENGINE_UNECHOED_MAX);
}

Test(engine_errors, ids_are_as_the_request_gave_them)
{
	uint32_t id = registered(gw_host(1)), other = registered(gw_host(2)), bind;

	a_register();
	cr_expect_eq(say(gw_host(1), 50), 302);
	cr_expect_eq(gw.got.client_id, id, "302 tells the true one");
	a_query(other);
	cr_expect_eq(say(gw_host(1), 2), 305);
	cr_expect_eq(gw.got.client_id, other, "305 the wrong one");
	an_assign(other, 1);
	cr_assert_eq(say(gw_host(2), 2), RSIP_OK);
	bind = gw.got.bind_id;
	a_free(id, bind);
	cr_expect_eq(say(gw_host(1), 3), 306, "the bind of another host");
	cr_expect_eq(gw.got.bind_id, bind);
	cr_expect_eq(gw.got.client_id, id);
	an_extend(id, bind);
	cr_expect_eq(say(gw_host(1), 4), 306);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 1);
}

Test(engine_errors, transports_are_not_changed)
{
	uint32_t udp = registered(gw_host(1)), tcp = registered(over_tcp(gw_host(2)));

	a_query(udp);
	cr_expect_eq(say(over_tcp(gw_host(1)), 0), 101);
	a_query(tcp);
	cr_expect_eq(say(gw_host(2), 5), 102);
	a_query(tcp + 1);
	cr_expect_eq(say(gw_host(2), 5), 102, "transport comes before the client ID");
	a_query(tcp + 1);
	cr_expect_eq(say(gw_host(2), 0), 105, "a missing counter before both");
	a_deregister(tcp + 1);
	cr_expect_eq(say(gw_host(2), 5), 102);
	a_register();
	cr_expect_eq(say(over_tcp(gw_host(1)), 0), 302, "REGISTER is answered on either");
	cr_expect_eq(gw.got.client_id, udp);
	a_register();
	cr_expect_eq(say(gw_host(2), 5), 302);
	cr_expect_eq(gw.got.client_id, tcp);
	a_deregister(udp);
	cr_expect_eq(say(over_tcp(gw_host(1)), 0), RSIP_OK, "and so is DE-REGISTER");
	a_deregister(tcp);
	cr_expect_eq(say(gw_host(2), 6), RSIP_OK);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
}

/* Appendix A 102.  A registration over UDP cannot go on over TCP: it ends. */
Test(engine_errors, where_udp_is_off_all_but_the_end_of_a_registration_goes_to_tcp)
{
	uint32_t old = registered(gw_host(1)), tcp;

	gw.conf.udp_off = true;
	gw_change();
	cr_assert_eq(gw.heard_cnt, 1);
	cr_expect_eq(gw.heard[0].type, RSIP_MSG_DE_REGISTER_RESPONSE);
	cr_expect_eq(gw.heard[0].client_id, old);
	a_register();
	cr_expect_eq(say(gw_host(2), 5), 102);
	cr_expect_eq(gw.got.counter, 5);
	cr_expect_leq(gw.answer_len, RSIP_ENGINE_UNECHOED_MAX);
	cr_expect_eq(say(gw_host(2), 5), 102);
	a_free(77, 88);
	cr_expect_eq(say(gw_host(2), 6), 102, "before 301");
	cr_expect_eq(gw.got.client_id, 77);
	cr_expect_eq(gw.got.bind_id, 88);
	a_query(old);
	cr_expect_eq(say(gw_host(1), 2), 102);
	cr_expect_eq(say_raw(gw_host(2), "0102000a 0b0003000002"), 205, "what is malformed draws its own error");
	cr_expect_eq(say_raw(gw_host(2), "0101000b 0b000400000001"), SILENCE);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
	tcp = registered(over_tcp(gw_host(2)));
	cr_assert(tcp);
	a_deregister(tcp + 1);
	cr_expect_eq(say(gw_host(2), 7), 102);
	a_deregister(tcp);
	cr_expect_eq(say(gw_host(2), 8), RSIP_OK);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
}

Test(engine_errors, resources)
{
	uint32_t a = registered(gw_host(1)), b = registered(gw_host(2));

	an_assign(a, 1);
	with_local("203.0.113.1");
	rsip_ports_range(&gw.m.local_ports, 5000, 1);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	gw.m.client_id = b;
	cr_expect_eq(say(gw_host(2), 2), 311, "another host has this port");
	an_ipsec_assign(a, 2);
	with_local("203.0.113.1");
	rsip_spis_range(&gw.m.spis, 0xc0010000, 2);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	gw.m.client_id = b;
	rsip_spis_range(&gw.m.spis, 0xc0010001, 1);
	cr_expect_eq(say(gw_host(2), 3), 403, "another host has this SPI");
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 2);
}

static void small_pool(void)
{
	gw_plan();
	gw.pool[0].addr_cnt = 1;
	gw.pool[0].port_first = 2048;
	gw.pool[0].port_last = 2049;
	gw.pool[0].spi_min = 0x1000;
	gw.pool[0].spi_max = 0x1003;
	gw_up();
}

Test(engine_errors, nothing_left, .init = small_pool)
{
	uint32_t a = registered(gw_host(1)), b = registered(gw_host(2));
	int err;

	an_assign(a, 2);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	an_assign(b, 2);
	err = say(gw_host(2), 2);
	cr_expect(err == 308 || err == 309, "got %d", err);
	an_ipsec_assign(a, 4);
	cr_assert_eq(say(gw_host(1), 3), RSIP_OK);
	an_ipsec_assign(b, 1);
	cr_expect_eq(say(gw_host(2), 3), 402);
}

static void no_ipsec(void)
{
	gw_plan();
	gw.pool[0].methods = RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP);
	gw_up();
}

Test(engine_errors, ipsec_that_no_pool_offers_is_no_message, .init = no_ipsec)
{
	uint32_t id;

	a_register();
	cr_assert_eq(say(gw_host(1), 1), RSIP_OK);
	cr_expect_eq(gw.got.method_cnt, 1);
	id = gw.got.client_id;
	an_ipsec_assign(id, 1);
	cr_expect_eq(say(gw_host(1), 2), 208);
}

static int broken_install(struct rsip_dataplane *dp, const struct rsip_dp_binding *b,
			  uint32_t *slot)
{
	(void)dp;
	(void)b;
	(void)slot;
	return -5;
}

Test(engine_errors, a_broken_data_plane_is_the_gateways_fault)
{
	const struct rsip_dataplane_ops *whole = gw.dp->ops;
	struct rsip_dataplane_ops broken = *whole;
	uint32_t id = registered(gw_host(1));

	broken.bind_install = broken_install;
	gw.dp->ops = &broken;
	an_assign(id, 1);
	cr_expect_eq(say(gw_host(1), 2), 104);
	gw.dp->ops = whole;
	cr_expect_eq(say_again(gw_host(1)), 104, "a duplicate gets the same answer");
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
	cr_expect_eq(say(gw_host(1), 3), RSIP_OK);
}

Test(engine_errors, strangers_are_denied_once_a_second)
{
	struct rsip_from stranger = { .addr = inet_addr("192.0.2.1"),
				      .port = 9,
				      .transport = RSIP_TRANSPORT_UDP,
				      .iface = 2 };

	a_register();
	cr_expect_eq(say(stranger, 1), 304);
	cr_expect_eq(say(stranger, 2), SILENCE);
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_DENIED_LIMIT), 1);
	gw.now += S;
	cr_expect_eq(say(stranger, 3), 304);
	gw.now += S;
	a_query(1);
	cr_expect_eq(say(stranger, 3), 301);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
}

static void few_clients(void)
{
	gw_plan();
	gw.lease.limits.clients = 2;
	gw_up();
}

Test(engine_errors, a_full_table_denies_but_silent_hosts_make_room, .init = few_clients)
{
	uint32_t id = registered(gw_host(1));

	registered(gw_host(2));
	a_query(id);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	a_register();
	cr_expect_eq(say(gw_host(3), 1), 304);
	gw.now += 3 * S;
	cr_expect_eq(say(gw_host(3), 1), RSIP_OK, "host 2 has never echoed its client ID");
	cr_expect_eq(rsip_engine_stats(gw.e)->evicted, 1);
	gw.now += 3 * S;
	a_query(gw.got.client_id);
	cr_assert_eq(say(gw_host(3), 2), RSIP_OK);
	a_register();
	cr_expect_eq(say(gw_host(2), 1), 304, "the others have");
}

static void many_nets(void)
{
	gw_plan();
	for (unsigned int i = 0; i < RSIP_TUPLES_MAX; i++)
		gw.local_net[i] = (struct rsip_net){ htonl(0x0a000000 + (i << 8)),
						     inet_addr("255.255.255.0") };
	gw.conf.local_net_cnt = RSIP_TUPLES_MAX;
	gw_up();
}

Test(engine_errors, answers_too_big_for_udp_need_tcp, .init = many_nets)
{
	uint32_t id = registered(gw_host(1)), tcp = registered(over_tcp(gw_host(2)));

	a_query(id);
	cr_expect_eq(say(gw_host(1), 2), 102);
	a_query(tcp);
	cr_expect_eq(say(over_tcp(gw_host(2)), 0), RSIP_OK);
	cr_expect_gt(gw.answer_len, RSIP_ENGINE_UDP_MAX);
}

static void all_that_can_be_offered(void)
{
	static struct rsip_flow_policy all;

	gw_plan();
	gw_plan_whole();
	all = rsip_flow_default;
	all.tunnels = UINT32_MAX;
	gw.conf.policies = &all;
	gw.conf.policy_cnt = 1;
	gw.conf.tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_IPIP) | RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE) | RSIP_TUNNEL_BIT(RSIP_TUNNEL_L2TP);
	gw_up();
}

/* Its source may be forged: what one of its messages makes us say to somebody else is bounded. */
Test(engine_errors, little_is_said_to_who_may_not_be_there, .init = all_that_can_be_offered)
{
	uint8_t msg[256];
	uint32_t told;

	for (size_t i = 0; i < VECTOR_CNT; i++) {
		size_t len = from_hex(vectors[i].hex, msg, sizeof(msg));

		say_bytes(gw_host(1 + (unsigned int)i), msg, len);
		cr_expect_leq(gw.answer_len, RSIP_ENGINE_UNECHOED_MAX, "%s", vectors[i].name);
		for (size_t at = 0; at < len; at++) {
			msg[at] ^= 0x41;
			say_bytes(gw_host(1 + (unsigned int)i), msg, len);
			cr_expect_leq(gw.answer_len, RSIP_ENGINE_UNECHOED_MAX, "%s, byte %zu", vectors[i].name, at);
			msg[at] ^= 0x41;
		}
	}
	cr_assert(registered(gw_host(99)));
	cr_expect_eq(gw.got.method_cnt + gw.got.tunnel_cnt, 6, "the longest");
	cr_expect_leq(gw.answer_len, RSIP_ENGINE_UNECHOED_MAX);
	told = rsip_lease_client_count(gw.lm);
	for (int i = 0; i < 10; i++)
		tick_at(gw.now + 3600 * S);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 0);
	cr_expect_eq(gw.heard_cnt, told, "each once that it has ended");
}

Test(engine_errors, a_grant_whose_answer_does_not_fit_is_undone)
{
	uint32_t id = registered(gw_host(1));

	an_ipsec_assign(id, 1);
	gw.m.spis.form = RSIP_FORM_LIST;
	gw.m.spis.cnt = 300;
	for (unsigned int i = 0; i < 300; i++)
		gw.m.spis.spi[i] = 0x10000 + 2 * i;
	cr_expect_eq(say(gw_host(1), 2), 102);
	cr_expect_eq(rsip_lease_bind_count(gw.lm), 0);
	cr_expect_eq(gw.heard_cnt, 0);
	cr_expect_eq(say_again(gw_host(1)), 102);
}

Test(engine_errors, another_interface_is_silence)
{
	uint32_t id = registered(gw_host(1));
	struct rsip_from elsewhere = gw_host(1);

	elsewhere.iface = 3;
	a_deregister(id);
	cr_expect_eq(say(elsewhere, 2), SILENCE);
	a_register();
	cr_expect_eq(say(elsewhere, 2), SILENCE);
	elsewhere.iface = 65535;
	elsewhere.addr = gw_host(9).addr;
	cr_expect_eq(say(elsewhere, 2), SILENCE);
	cr_expect_eq(dropped(RSIP_ENGINE_DROP_WRONG_IFACE), 3);
	cr_expect_eq(rsip_lease_client_count(gw.lm), 1);
}

/* Somebody on interface 3 writes a neighbour's address of interface 2 into a REGISTER. */
Test(engine_errors, a_forged_registration_keeps_no_host_out_of_its_own_interface)
{
	struct rsip_from forged = gw_host(1);
	uint32_t id;

	forged.iface = 3;
	registered(forged);
	a_register();
	cr_expect_eq(say(gw_host(1), 1), SILENCE, "it may be real: for two seconds");
	gw.now += 3 * S;
	cr_assert_eq(say(gw_host(1), 1), RSIP_OK);
	id = gw.got.client_id;
	gw.now += 3 * S;
	a_query(id);
	cr_assert_eq(say(gw_host(1), 2), RSIP_OK);
	a_register();
	cr_expect_eq(say(forged, 9), SILENCE, "the host has used its registration");
	cr_expect_eq(rsip_lease_by_host(gw.lm, gw_host(1).addr)->iface, 2);
	cr_expect_eq(rsip_engine_stats(gw.e)->evicted, 1);
}
