// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/leases.c: which grants a host takes, and which it gives back (RFC 3103 9.7.3, 9.9.3). */
#include "client_fixture.h"

Test(session, addresses_that_nobody_may_lease_out_are_given_back)
{
	static const uint32_t bad[] = {0x7f000001, 0x00000005, 0xe0000001, 0xf0000001,
				       0xffffffff, 0x0a000001, 0x0a000002};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		struct rsip_message m;

		begin();
		granted = 0;
		want_ports();
		tick();
		answer_register(CLIENT);
		m = grant_of(htonl(bad[i]), 600);
		deliver(&m);
		cr_assert_eq(granted, 0, "%08x was taken", bad[i]);
		cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
		cr_assert_eq(last.bind_id, BIND);
	}
}

Test(session, what_it_does_not_understand_or_cannot_use_is_given_back, .init = begin)
{
	struct rsip_message m;

	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	m.tunnel[0] = RSIP_TUNNEL_L2TP;
	deliver(&m);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, last.counter);
	m.bind_id = BIND;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED, "and asked for again, later");
	cr_assert_geq(rsip_session_due(&s), now + 10 * S);
	s.leases[0].state = RSIP_LEASE_NONE;

	refuse_use = -EOPNOTSUPP;
	want_ports();
	tick();
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last_failure, -EOPNOTSUPP);
}

Test(session, it_asks_in_its_tunnel_type_and_takes_no_other, .init = begin)
{
	struct rsip_message m;

	s.tunnel = RSIP_TUNNEL_GRE;
	want_ports();
	tick();
	answer_register(CLIENT);
	cr_assert_eq(last.tunnel_cnt, 1);
	cr_expect_eq(last.tunnel[0], RSIP_TUNNEL_GRE);
	m = grant_of(PUB_1, 600); /* in IP-IP */
	deliver(&m);
	cr_expect_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_expect_eq(granted, 0);
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, last.counter);
	m.bind_id = BIND;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	want_ports();
	tick();
	m = grant_of(PUB_1, 600);
	m.tunnel[0] = RSIP_TUNNEL_GRE;
	deliver(&m);
	cr_expect_eq(granted, 1);
}

Test(session, a_private_address_is_taken_only_where_the_user_expects_it)
{
	static const uint32_t private_addr[] = {0x0a000105, 0xac100001, 0xac1fffff,
						0xc0a80101, 0x64400001, 0xa9fe0001};
	static const uint32_t public_addr[] = {0xac200001, 0xc0a70101, 0x64800001, 0x0b000001};

	begin();
	for (size_t i = 0; i < RSIP_ARRAY_LEN(private_addr); i++) {
		s.private_ok = false;
		cr_expect_not(rsip_session_leasable(&s, htonl(private_addr[i])), "%08x",
			      private_addr[i]);
		s.private_ok = true;
		cr_expect(rsip_session_leasable(&s, htonl(private_addr[i])), "%08x",
			  private_addr[i]);
	}
	s.private_ok = false;
	for (size_t i = 0; i < RSIP_ARRAY_LEN(public_addr); i++)
		cr_expect(rsip_session_leasable(&s, htonl(public_addr[i])), "%08x", public_addr[i]);
}

Test(session, a_tunnel_to_ourselves_loopback_or_multicast_is_given_back)
{
	static const uint32_t bad[] = {0x7f000001, 0x0a000002, 0xe0000001, 0x00000001, 0xcb007101};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		struct rsip_message m;

		begin();
		granted = 0;
		want_ports();
		tick();
		answer_register(CLIENT);
		m = grant_of(PUB_1, 600);
		rsip_address_v4(&m.endpoint, htonl(bad[i]));
		m.has |= RSIP_HAS_ENDPOINT;
		deliver(&m);
		cr_assert_eq(granted, 0, "endpoint %08x was taken", bad[i]);
		cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	}
}

/* The answer to a second wish, while one binding is held whose tunnel ends at end; the gateway says it ends at end2. */
static void a_second_grant(__be32 end, __be32 addr2, __be32 end2)
{
	struct rsip_message m;

	begin();
	granted = 0;
	want_ports();
	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	rsip_address_v4(&m.endpoint, end);
	m.has |= RSIP_HAS_ENDPOINT;
	deliver(&m);
	cr_assert_eq(granted, 1);
	m = grant_of(addr2, 600);
	m.bind_id = BIND + 1;
	rsip_address_v4(&m.endpoint, end2);
	m.has |= RSIP_HAS_ENDPOINT;
	deliver(&m);
}

Test(session, an_end_of_a_tunnel_is_no_address_of_ours_nor_the_other_way_round)
{
	__be32 end = htonl(0x0a000009), other = htonl(0xcb007102);

	a_second_grant(end, other, end);
	cr_assert_eq(granted, 2, "another address by the same tunnel");
	s.private_ok = true;
	a_second_grant(other, other, end);
	cr_assert_eq(granted, 1, "the end of the first tunnel was leased");
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND + 1);
	a_second_grant(end, other, PUB_1);
	cr_assert_eq(granted, 1, "a tunnel to a leased address");
	cr_assert_eq(last.bind_id, BIND + 1);
}

/* A tunnel has one family at both ends: the one in which the host speaks to the gateway. */
Test(session, a_tunnel_end_of_ipv6_is_taken_where_the_gateway_has_such_an_address)
{
	static const struct {
		const char *end;
		bool taken;
	} ends[] = {
		{"2001:db8::7", true}, {"fe80::7%lo", true}, {"::", false},	 {"::1", false},
		{"ff02::1", false},    {"::ffff:10.0.0.1", false}, {"2001:db8::2", false}, {"10.0.0.9", false},
	};
	struct rsip_message m;
	struct rsip_inet local, gw, end;

	rsip_inet_parse("2001:db8::2", &local);
	rsip_inet_parse("2001:db8::1", &gw);
	for (size_t i = 0; i < RSIP_ARRAY_LEN(ends); i++) {
		begin();
		s.local = local;
		s.gateway = gw;
		want_ports();
		tick();
		answer_register(CLIENT);
		m = grant_of(PUB_1, 600);
		rsip_inet_parse(ends[i].end, &end);
		if (end.family == AF_INET) {
			rsip_address_v4(&m.endpoint, end.v4);
		} else {
			m.endpoint.type = RSIP_ADDR_IPV6;
			m.endpoint.any = false;
			memcpy(m.endpoint.v6, end.v6, sizeof(end.v6));
		}
		m.has |= RSIP_HAS_ENDPOINT;
		granted = 0;
		deliver(&m);
		cr_assert_eq(granted, ends[i].taken, "%s", ends[i].end);
	}
}

Test(session, without_an_end_of_its_own_the_tunnel_leads_to_the_ipv6_gateway)
{
	struct rsip_message m;

	begin();
	rsip_inet_parse("fe80::1%lo", &s.gateway);
	rsip_inet_parse("fe80::2%lo", &s.local);
	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	deliver(&m);
	cr_assert_str_eq(rsip_inet_text(&s.leases[0].endpoint), "fe80::1%lo");
}

Test(session, fewer_or_other_ports_than_asked_for_are_given_back)
{
	const struct rsip_want nine = {.method = RSIP_METHOD_RSAP_IP, .ports = 9};
	const struct rsip_want other = {.method = RSIP_METHOD_RSAP_IP, .ports = 8, .port = 5000};
	const struct rsip_want *wants[] = {&nine, &other};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(wants); i++) {
		struct rsip_message m;

		begin();
		granted = 0;
		rsip_session_want(&s, wants[i], false, now);
		tick();
		answer_register(CLIENT);
		m = grant_of(PUB_1, 600);
		deliver(&m);
		cr_assert_eq(granted, 0);
		cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	}
}

/* One thing of a good grant is wrong; the wish is for SPIs at PUB_1. */
static void spoil(struct rsip_message *m, size_t how)
{
	switch (how) {
	case 0: m->lease_s = 0; break;
	case 1: rsip_address_v4(&m->local, htonl(0xcb007102)); break;
	case 2:
		m->endpoint.type = RSIP_ADDR_FQDN;
		m->endpoint.any = false;
		m->endpoint.fqdn_len = 2;
		memcpy(m->endpoint.fqdn, "gw", 3);
		m->has |= RSIP_HAS_ENDPOINT;
		break;
	case 3: rsip_spis_range(&m->spis, 0xc0010000, 3); break;
	case 4: rsip_spis_range(&m->spis, 0xc0020000, 4); break;
	case 5:
		rsip_address_v4(&m->endpoint, PUB_1);
		m->has |= RSIP_HAS_ENDPOINT;
		break;
	}
}

Test(session, each_part_of_a_grant_must_be_what_was_asked_for)
{
	const struct rsip_want want = {.method = RSIP_METHOD_RSIPSEC, .ports = 8, .spis = 4, .spi = 0xc0010000, .addr = PUB_1};

	for (size_t how = 0; how <= 6; how++) {
		struct rsip_message m;

		begin();
		granted = failed = 0;
		rsip_session_want(&s, &want, false, now);
		tick();
		answer_register(CLIENT);
		m = grant_of(PUB_1, 600);
		spoil(&m, how);
		deliver(&m);
		cr_assert_eq(granted, how == 6, "%zu", how); /* the last one is good */
		cr_assert_eq(last.type == RSIP_MSG_FREE_REQUEST, how != 6, "%zu: is given back", how);
	}
}

/* RFC 4303 2.1: 0 to 255 are reserved, and there are none beyond 32 bits. */
Test(session, spis_that_there_are_not_are_given_back)
{
	static const uint32_t first[] = {255, 0, 0xfffffffd};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(first); i++) {
		const struct rsip_lease wanted = {
			.state = RSIP_LEASE_WANTED,
			.want = {.method = RSIP_METHOD_RSIPSEC, .ports = 8, .spis = 4},
		};
		struct rsip_answer a = {
			.understood = true,
			.has_bind = true,
			.bind_id = BIND,
			.tunnel = RSIP_TUNNEL_IPIP,
			.lease_s = 600,
			.addr = PUB_1,
			.port_runs = 1,
			.ports = {{4000, 8}},
			.spi_runs = 1,
			.spis = {{first[i], 4}},
		};

		begin();
		granted = 0;
		s.leases[0] = wanted;
		rsip_lease_take(&s, &s.leases[0], &a, now);
		cr_assert_eq(granted, 0, "%x", first[i]);
		cr_assert_eq(s.leases[0].state, RSIP_LEASE_FREEING);
	}
}

/* 9.7.2: without a bind ID nothing can be given back: it runs out by itself, and the wish is asked again later. */
Test(session, a_grant_without_an_id_is_not_used, .init = begin)
{
	const size_t at = RSIP_HDR_LEN + 7, id = 7; /* behind the client ID */
	struct rsip_message m;
	uint8_t buf[512];
	int len;

	want_ports();
	tick();
	answer_register(CLIENT);
	m = grant_of(PUB_1, 600);
	len = rsip_encode(&m, buf, sizeof(buf));
	cr_assert_eq(buf[at], RSIP_PARAM_BIND_ID);
	memmove(buf + at, buf + at + id, len - at - id);
	buf[3] -= id;
	sent = 0;
	rsip_session_input(&s, buf, len - id, now);
	tick();
	cr_assert_eq(granted, 0);
	cr_assert_eq(last_failure, -EPROTO);
	cr_assert_eq(sent, 0, "there is nothing to name");
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED);
	cr_assert_geq(s.leases[0].act_ns, now + 10 * S);
}


Test(session, each_address_is_listed_once_and_only_while_it_is_held)
{
	__be32 addrs[RSIP_LEASES_MAX];

	memset(&s, 0, sizeof(s));
	cr_expect_eq(rsip_session_addrs(&s, addrs), 0);
	for (int i = 0; i < 6; i++) {
		s.leases[i * 9].state = i == 4 ? RSIP_LEASE_FREEING : RSIP_LEASE_HELD;
		s.leases[i * 9].addr = i & 1 ? PUB_1 : i == 4 ? HOST : GATEWAY;
	}
	cr_assert_eq(rsip_session_addrs(&s, addrs), 2);
	cr_expect_eq(addrs[0], GATEWAY);
	cr_expect_eq(addrs[1], PUB_1);
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		s.leases[i].state = RSIP_LEASE_HELD;
		s.leases[i].addr = i;
	}
	cr_assert_eq(rsip_session_addrs(&s, addrs), RSIP_LEASES_MAX);
}

/* A request that was given up after seven tries; its number. */
static uint32_t given_up(void)
{
	uint32_t counter;

	want_ports();
	tick();
	counter = last.counter;
	cr_assert_eq(last.type, RSIP_MSG_ASSIGN_REQUEST_RSAP_IP);
	while (!s.stats.timeouts) {
		now = rsip_session_due(&s);
		tick();
	}
	s.leases[1].state = RSIP_LEASE_NONE; /* as after `rsip-client lease`: asked once */
	return counter;
}

static struct rsip_message late_grant(uint32_t counter)
{
	struct rsip_message m;

	last.type = RSIP_MSG_ASSIGN_REQUEST_RSAP_IP;
	m = grant_of(PUB_1, 600);
	m.counter = counter;
	m.bind_id = BIND + 1;
	return m;
}

/* A slow gateway grants what we no longer wait for: it would keep it for nobody. */
Test(session, a_grant_that_comes_too_late_is_given_back, .init = leased)
{
	struct rsip_message m = late_grant(given_up());

	sent = granted = 0;
	now += 5 * S;
	deliver(&m);
	cr_assert_eq(granted, 0);
	cr_assert_eq(sent, 1);
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND + 1);
	m = from_gateway(RSIP_MSG_FREE_RESPONSE, last.counter);
	m.bind_id = BIND + 1;
	m.has |= RSIP_HAS_BIND_ID;
	deliver(&m);
	cr_assert_null(rsip_lease_find(&s, BIND + 1));
	cr_assert_eq(lost, 0, "the other lease goes on");
	m = late_grant(m.counter - 1);
	sent = 0;
	deliver(&m);
	cr_assert_eq(sent, 0, "a copy of it is none");
}

/* The slot of a wish that was dropped while its request is on its way is not free: its answer is still to come. */
Test(session, a_late_grant_takes_no_slot_that_an_answer_is_to_come_for, .init = leased)
{
	struct rsip_message m, late = late_grant(given_up());
	uint32_t counter;

	want_ports();
	tick();
	cr_assert_eq(s.req.lease, 1);
	counter = last.counter;
	rsip_session_drop(&s, 1);
	deliver(&late);
	m = late_grant(counter);
	m.bind_id = BIND + 2;
	granted = 0;
	deliver(&m);
	cr_assert_eq(granted, 0, "nobody wants it");
	for (uint32_t bind = BIND + 1; bind <= BIND + 2; bind++) {
		const struct rsip_lease *l = rsip_lease_find(&s, bind);

		cr_assert(l && l->state == RSIP_LEASE_FREEING, "%u is given back", bind);
	}
}

Test(session, what_only_looks_like_a_late_grant_is_ignored, .init = leased)
{
	uint32_t counter = given_up();
	struct rsip_message other = late_grant(counter), held = late_grant(counter), number = late_grant(counter + 7),
			    old = late_grant(counter);

	sent = 0;
	other.client_id++;
	deliver(&other);
	held.bind_id = BIND;
	deliver(&held);
	deliver(&number);
	now += 60 * S;
	deliver(&old);
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		cr_assert_neq(s.leases[i].state, RSIP_LEASE_FREEING);
	cr_assert_neq(last.type, RSIP_MSG_FREE_REQUEST);
}
