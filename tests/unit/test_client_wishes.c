// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/wishes.c: settings that were edited, against what is leased. */
#include "client_fixture.h"
#include "wishes.h"

static struct rsip_settings set;

static void begin_wishing(void)
{
	begin();
	rsip_settings_init(&set);
	s.state = RSIP_SESSION_UP;
}

static struct rsip_lease *held(int i, uint16_t ports, uint16_t spis)
{
	struct rsip_lease *l = &s.leases[i];

	memset(l, 0, sizeof(*l));
	l->state = RSIP_LEASE_HELD;
	l->want.method = spis ? RSIP_METHOD_RSIPSEC : RSIP_METHOD_RSAP_IP;
	l->want.ports = ports;
	l->want.spis = spis;
	l->bind_id = 100 + i;
	l->addr = PUB_1;
	return l;
}

static void apply(void)
{
	rsip_wishes_apply(&s, &set, now);
}

/* The only lease in this state; NULL: none, or several. */
static struct rsip_lease *only(enum rsip_lease_state state)
{
	struct rsip_lease *found = NULL;

	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		if (s.leases[i].state != state)
			continue;
		if (found)
			return NULL;
		found = &s.leases[i];
	}
	return found;
}

static unsigned int count(enum rsip_lease_state state)
{
	unsigned int n = 0;

	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		n += s.leases[i].state == state;
	return n;
}

Test(client_wishes, a_fresh_session_asks_for_all, .init = begin_wishing)
{
	set.ports = 300;
	set.spis = 8;
	set.whole_address = true;
	strcpy(set.listen, "80,443");
	apply();
	cr_assert_eq(count(RSIP_LEASE_WANTED), 6);
	cr_assert_eq(s.leases[0].want.method, RSIP_METHOD_RSIPSEC);
	cr_assert_eq(s.leases[0].want.ports, 128);
	cr_assert_eq(s.leases[0].want.spis, 8);
	cr_assert_eq(s.leases[2].want.ports, 44);
	cr_assert_eq(s.leases[2].want.method, RSIP_METHOD_RSAP_IP);
	cr_assert_eq(s.leases[3].want.method, RSIP_METHOD_RSA_IP);
	cr_assert_eq(s.leases[4].want.port, 80);
	cr_assert(s.leases[5].want.listen);
	apply();
	cr_assert_eq(count(RSIP_LEASE_WANTED), 6, "the same wishes twice");
}

Test(client_wishes, the_same_settings_change_nothing, .init = begin_wishing)
{
	set.ports = 64;
	held(0, 64, 0);
	apply();
	cr_assert_eq(count(RSIP_LEASE_HELD), 1);
	cr_assert_eq(count(RSIP_LEASE_NONE), RSIP_LEASES_MAX - 1);
	cr_assert_eq(lost, 0);
}

Test(client_wishes, more_ports_beside_those_there_are, .init = begin_wishing)
{
	set.ports = 96;
	set.lease = 1200;
	held(0, 64, 0);
	apply();
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
	cr_assert_eq(s.leases[0].want.lease_s, 1200, "the next EXTEND asks for the new time");
	cr_assert_eq(only(RSIP_LEASE_WANTED)->want.ports, 32);
	cr_assert_eq(only(RSIP_LEASE_WANTED)->want.addr, PUB_1);
	cr_assert(only(RSIP_LEASE_WANTED)->any_instead, "the same address if it can be");
}

Test(client_wishes, fewer_ports_keep_what_fits, .init = begin_wishing)
{
	set.ports = 172;
	held(0, 128, 0);
	held(1, 128, 0);
	held(2, 44, 0);
	apply();
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
	cr_assert_eq(s.leases[1].state, RSIP_LEASE_FREEING);
	cr_assert_eq(s.leases[2].state, RSIP_LEASE_HELD);
	cr_assert_eq(count(RSIP_LEASE_WANTED), 0);
	cr_assert_eq(lost, 1, "its user was not told");
}

Test(client_wishes, spis_come_beside_ports, .init = begin_wishing)
{
	set.ports = 64;
	set.spis = 4;
	held(0, 64, 0);
	apply();
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_HELD);
	cr_assert_eq(only(RSIP_LEASE_WANTED)->want.method, RSIP_METHOD_RSIPSEC);
	cr_assert_eq(only(RSIP_LEASE_WANTED)->want.ports, 0);
	cr_assert_eq(only(RSIP_LEASE_WANTED)->want.spis, 4);
}

Test(client_wishes, another_listener, .init = begin_wishing)
{
	strcpy(set.listen, "81");
	held(0, 1, 0)->want.listen = true;
	s.leases[0].want.port = 80;
	apply();
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_FREEING);
	cr_assert_eq(only(RSIP_LEASE_WANTED)->want.port, 81);
	cr_assert(!only(RSIP_LEASE_WANTED)->any_instead, "the port is the user's word");
}

Test(client_wishes, what_others_asked_for_stays, .init = begin_wishing)
{
	set.ports = 8;
	held(0, 16, 0)->want.purpose = RSIP_FOR_USER;
	held(1, 8, 0)->want.purpose = RSIP_FOR_DEMAND;
	held(2, 2, 32)->want.purpose = RSIP_FOR_CHARON;
	held(3, 0, 64)->want.purpose = RSIP_FOR_CHARON_SPIS;
	apply();
	cr_assert_eq(count(RSIP_LEASE_HELD), 4);
	cr_assert_eq(only(RSIP_LEASE_WANTED)->want.ports, 8);
}

Test(client_wishes, one_that_is_waited_for_is_not_asked_for_again, .init = begin_wishing)
{
	set.ports = 64;
	held(0, 32, 0)->state = RSIP_LEASE_WANTED;
	held(1, 32, 0)->state = RSIP_LEASE_FREEING;
	s.leases[1].again = true;
	apply();
	cr_assert_eq(count(RSIP_LEASE_WANTED), 1);
	cr_assert(s.leases[1].again);
	set.ports = 32;
	apply();
	cr_assert_eq(count(RSIP_LEASE_WANTED), 1);
	cr_assert(!s.leases[1].again, "given back, and asked for though nobody wishes it");
}

Test(client_wishes, held_ones_before_those_that_are_missing, .init = begin_wishing)
{
	set.ports = 64;
	held(0, 64, 0)->state = RSIP_LEASE_WANTED;
	held(1, 64, 0);
	apply();
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_NONE);
	cr_assert_eq(s.leases[1].state, RSIP_LEASE_HELD);
}

/* A lease of the past that cannot be used any more. */
Test(client_wishes, what_cannot_be_used_is_given_back_and_asked_for_later)
{
	leased();
	s.leases[0].want.addr = PUB_1;
	s.leases[0].any_instead = true;
	rsip_session_return(&s, 0, -EPROTO, now);
	cr_assert_eq(last_failure, -EPROTO);
	cr_assert_eq(lost, 1);
	tick();
	cr_assert_eq(last.type, RSIP_MSG_FREE_REQUEST);
	cr_assert_eq(last.bind_id, BIND);
	deliver(&(struct rsip_message){.type = RSIP_MSG_FREE_RESPONSE,
				       .has = RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID | RSIP_HAS_COUNTER,
				       .client_id = CLIENT,
				       .bind_id = BIND,
				       .counter = last.counter});
	cr_assert_eq(s.leases[0].state, RSIP_LEASE_WANTED);
	cr_assert_eq(s.leases[0].want.addr, 0, "what was refused is asked for again");
	cr_assert_gt(s.leases[0].act_ns, now);
}
