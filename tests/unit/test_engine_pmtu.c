// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The path to a host takes less than the interface: RFC 1191, RFC 2003 5.1. */
#include <errno.h>
#include <criterion/criterion.h>

#include "engine_fixture.h"
#include "hosts6.h"

#define GW_PRIV inet_addr("10.0.0.1")
#define ROUTER inet_addr("10.0.0.99")
#define PUB_1 inet_addr("203.0.113.1")

static uint16_t seen[8]; /* path MTUs, as the observer was told */
static unsigned int seen_cnt;

static void on_path(void *arg, const struct rsip_lease_client *c)
{
	(void)arg;
	cr_assert_lt(seen_cnt, 8);
	seen[seen_cnt++] = c->path_mtu;
}

/* What packets see: rec.mtu of each slot. */
static uint16_t installed_at[64];
static struct rsip_dataplane_ops ops;
static const struct rsip_dataplane_ops *whole;

static int note_install(struct rsip_dataplane *dp, const struct rsip_dp_binding *b, uint32_t *slot)
{
	int err = whole->bind_install(dp, b, slot);

	cr_assert_lt(*slot, 64);
	installed_at[*slot] = b->rec.mtu;
	return err;
}

static int note_mtu(struct rsip_dataplane *dp, uint32_t slot, uint16_t mtu)
{
	cr_assert_lt(slot, 64);
	installed_at[slot] = mtu;
	return whole->bind_mtu(dp, slot, mtu);
}

static void up(void)
{
	gw_plan();
	gw.conf.tunnels = RSIP_TUNNEL_BIT(RSIP_TUNNEL_IPIP) | RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE);
	gw.conf.observer.path_changed = on_path;
	gw_up();
	whole = gw.dp->ops;
	ops = *whole;
	ops.bind_install = note_install;
	ops.bind_mtu = note_mtu;
	gw.dp->ops = &ops;
}

TestSuite(engine_pmtu, .init = up, .fini = gw_down);

/* Host 1 with a binding; the next n are for more of them. */
static uint32_t client;
static uint32_t counter;

static const struct rsip_lease_bind *bind_of(uint32_t id)
{
	struct rsip_lease_client *c;
	const struct rsip_lease_bind *b = rsip_lease_bind_by_id(gw.lm, id, &c);

	cr_assert(b);
	return b;
}

static uint32_t assigned(uint8_t tunnel)
{
	if (!client) {
		client = registered(gw_host(1));
		counter = 1;
	}
	an_assign(client, 8);
	gw.m.tunnel_cnt = 1;
	gw.m.tunnel[0] = tunnel;
	cr_assert_eq(say(gw_host(1), ++counter), RSIP_OK);
	return gw.got.bind_id;
}

static struct rsip_event told(uint16_t mtu)
{
	return (struct rsip_event){ .host = gw_host(1).addr, .remote = ROUTER, .mtu = mtu, .len = 1500, .iface = 2,
				    .reason = RSIP_REPORT_PMTU, .proto = 4, .endpoint = GW_PRIV };
}

/* By the way that rsipd takes: from the data plane. */
static void on_event(void *arg, const struct rsip_event *v)
{
	(void)arg;
	rsip_engine_pmtu(gw.e, v, gw.now);
}

static void reported(struct rsip_event v)
{
	rsip_dataplane_mem_event(gw.dp, &v);
	gw.dp->ops->events(gw.dp, on_event, NULL);
}

static uint16_t installed(uint32_t id)
{
	return installed_at[bind_of(id)->slot];
}

Test(engine_pmtu, all_bindings_of_the_host_follow_and_those_to_come)
{
	uint32_t first = assigned(RSIP_TUNNEL_IPIP), second = assigned(RSIP_TUNNEL_GRE), third;

	cr_expect_eq(bind_of(first)->mtu, 1480);
	cr_expect_not(bind_of(first)->mtu_learned);
	reported(told(1400));
	cr_expect_eq(bind_of(first)->mtu, 1380);
	cr_expect(bind_of(first)->mtu_learned);
	cr_expect_eq(bind_of(second)->mtu, 1376);
	third = assigned(RSIP_TUNNEL_IPIP);
	cr_expect_eq(bind_of(third)->mtu, 1380);
	cr_expect_eq(seen_cnt, 1);
	cr_expect_eq(seen[0], 1400);
	cr_expect_eq(installed(first), 1380);
	cr_expect_eq(installed(second), 1376);
	cr_expect_eq(installed(third), 1380);
}

Test(engine_pmtu, another_host_is_not_touched)
{
	uint32_t other = registered(gw_host(2)), first, bind;

	an_assign(other, 8);
	cr_assert_eq(say(gw_host(2), 2), RSIP_OK);
	bind = gw.got.bind_id;
	first = assigned(RSIP_TUNNEL_IPIP);
	reported(told(1400));
	cr_expect_eq(bind_of(first)->mtu, 1380);
	cr_expect_eq(bind_of(bind)->mtu, 1480);
}

Test(engine_pmtu, it_falls_and_never_rises_by_a_message)
{
	uint32_t id = assigned(RSIP_TUNNEL_IPIP);

	reported(told(1400));
	reported(told(1450));
	cr_expect_eq(bind_of(id)->mtu, 1380);
	reported(told(1400));
	reported(told(1300));
	cr_expect_eq(bind_of(id)->mtu, 1280);
	cr_expect_eq(seen_cnt, 2);
	cr_expect_eq(rsip_engine_stats(gw.e)->pmtu_told, 4);
	cr_expect_eq(rsip_engine_stats(gw.e)->pmtu_lowered, 2);
	cr_expect_eq(rsip_engine_stats(gw.e)->pmtu_foreign, 0);
}

Test(engine_pmtu, never_below_what_every_host_takes)
{
	uint32_t id = assigned(RSIP_TUNNEL_IPIP);

	reported(told(68));
	cr_expect_eq(bind_of(id)->mtu, 556);
	reported(told(67));
	cr_expect_eq(bind_of(id)->mtu, 556);
	cr_expect_eq(seen_cnt, 1);
}

Test(engine_pmtu, a_router_without_an_mtu_means_the_next_plateau)
{
	static const struct {
		uint16_t len, mtu;
	} rows[] = { { 1500, 1492 }, { 1492, 1006 }, { 1006, 576 }, { 576, 576 } };
	uint32_t id = assigned(RSIP_TUNNEL_IPIP);

	for (size_t i = 0; i < RSIP_ARRAY_LEN(rows); i++) {
		struct rsip_event v = told(0);

		v.len = rows[i].len;
		reported(v);
		cr_expect_eq(bind_of(id)->mtu, rows[i].mtu - 20, "row %zu: %u", i, bind_of(id)->mtu);
	}
}

/* RFC 1191 5: some count the header twice. */
Test(engine_pmtu, a_length_above_what_we_sent_is_none)
{
	uint32_t id = assigned(RSIP_TUNNEL_IPIP);
	struct rsip_event v = told(0);

	reported(told(1492));
	v.len = 1512;
	reported(v);
	cr_expect_eq(bind_of(id)->mtu, 1006 - 20);
}

Test(engine_pmtu, after_ten_minutes_it_is_tried_anew)
{
	uint32_t id = assigned(RSIP_TUNNEL_IPIP);

	reported(told(1400));
	gw.now += 599 * S;
	rsip_engine_tick(gw.e, gw.now);
	reported(told(1350)); /* the clock begins anew */
	gw.now += 599 * S;
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(installed(id), 1330);
	gw.now += S;
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(bind_of(id)->mtu, 1480);
	cr_expect_not(bind_of(id)->mtu_learned);
	cr_expect_eq(installed(id), 1480);
	cr_expect_eq(seen_cnt, 3);
	cr_expect_eq(seen[2], 0);
	reported(told(1400));
	cr_expect_eq(bind_of(id)->mtu, 1380);
}

Test(engine_pmtu, what_is_about_no_live_tunnel_changes_nothing)
{
	uint32_t id = assigned(RSIP_TUNNEL_IPIP);
	struct rsip_event v[6];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(v); i++)
		v[i] = told(1400);
	v[0].host = gw_host(9).addr; /* nobody */
	v[1].iface = 3; /* not the registration's */
	v[2].endpoint = inet_addr("10.0.1.1");
	v[3].proto = 47;
	v[4].local = inet_addr("203.0.113.2"); /* not leased by it */
	v[5].local = 0x01010101;
	for (size_t i = 0; i < RSIP_ARRAY_LEN(v); i++) {
		reported(v[i]);
		cr_expect_eq(bind_of(id)->mtu, 1480, "row %zu", i);
		cr_expect_eq(rsip_engine_stats(gw.e)->pmtu_foreign, i + 1);
	}
	v[4].local = bind_of(id)->local;
	reported(v[4]);
	cr_expect_eq(bind_of(id)->mtu, 1380);
}

Test(engine_pmtu, a_binding_that_has_expired_is_no_live_tunnel)
{
	uint32_t id = assigned(RSIP_TUNNEL_IPIP);

	gw.now = bind_of(id)->expires_ns;
	reported(told(1400));
	cr_expect_eq(rsip_engine_stats(gw.e)->pmtu_foreign, 1);
}

Test(engine_pmtu, a_host_that_leaves_leaves_nothing_behind)
{
	assigned(RSIP_TUNNEL_IPIP);
	reported(told(1400));
	a_deregister(client);
	cr_assert_eq(say(gw_host(1), ++counter), RSIP_OK);
	client = 0;
	gw.now += 700 * S;
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(seen_cnt, 1);
	cr_expect_eq(bind_of(assigned(RSIP_TUNNEL_IPIP))->mtu, 1480);
}

Test(engine_pmtu, a_restart_finds_it_and_tries_anew_after_ten_minutes)
{
	uint32_t id = assigned(RSIP_TUNNEL_IPIP), gre = assigned(RSIP_TUNNEL_GRE), binds, clients;

	reported(told(1400));
	gw.now += 300 * S;
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	gw_lease_up();
	cr_assert_eq(rsip_lease_adopt(gw.lm, gw.now, &binds, &clients), 0);
	cr_expect_eq(binds, 2);
	cr_expect_eq(bind_of(id)->mtu, 1380);
	cr_expect(bind_of(id)->mtu_learned);
	cr_expect_eq(bind_of(gre)->mtu, 1376);
	gw.now += 600 * S;
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(bind_of(id)->mtu, 1480);
	cr_expect_eq(installed(id), 1480);
	cr_expect_eq(installed(gre), 1476);
}

Test(engine_pmtu, an_interface_whose_mtu_changes_takes_its_hosts_along)
{
	uint32_t first = assigned(RSIP_TUNNEL_IPIP), second = assigned(RSIP_TUNNEL_GRE);
	struct rsip_dp_iface iface[RSIP_MAX_IFACES];
	static const struct rsip_link link = { .mtu = 9000, .mac = { 2, 0, 0, 0, 2, 9 }, .vmac = { 0, 0, 0x5e, 0, 1, 51 } };

	cr_expect_eq(rsip_lease_link_mtu(gw.lm, 1, 1400), 0, "another interface");
	cr_expect_eq(installed(first), 1480);
	cr_expect_eq(rsip_lease_link_mtu(gw.lm, 2, 1450), 2);
	cr_expect_eq(installed(first), 1430);
	cr_expect_eq(installed(second), 1426);
	cr_expect_not(bind_of(first)->mtu_learned, "it is the interface's, not the path's");
	reported(told(1400));
	cr_expect_eq(rsip_lease_link_mtu(gw.lm, 2, 9000), 2);
	cr_expect_eq(installed(first), 1380, "what the path takes less goes on counting");
	cr_expect_eq(rsip_lease_link_mtu(gw.lm, 2, 9000), 0);
	cr_expect_eq(rsip_lease_link_mtu(gw.lm, 2, 20), 0, "no room for a packet in the tunnel");

	cr_expect_eq(gw.dp->ops->iface_link(gw.dp, 2, &link), 0);
	cr_assert_eq(gw.dp->ops->ifaces(gw.dp, iface, RSIP_MAX_IFACES), 2);
	cr_expect_eq(iface[1].rec.mtu, 9000);
	cr_expect_arr_eq(iface[1].rec.mac, link.mac, 6);
	cr_expect_arr_eq(iface[1].rec.vmac, link.vmac, 6);
	cr_expect_eq(gw.dp->ops->iface_link(gw.dp, 3, &link), -ENODEV);
	cr_expect_eq(gw.dp->ops->iface_link(gw.dp, RSIP_MAX_IFACES, &link), -ENODEV);
}

/* ---- hosts with IPv6 addresses: RFC 8201 -------------------------------------------------------------------------------- */

static const uint8_t host6[16] = "\x20\x01\x0d\xb8\0\1\0\0\0\0\0\0\0\0\0\x11";

static void up6(void)
{
	struct rsip_hosts6_limits limits = { .prefix_len = 64, .per_prefix = 8, .rest_ns = S };

	up();
	cr_assert_eq(rsip_net_parse("2001:db8:1::/64", &gw.client_net), 0);
	gw_change();
	rsip_hosts6_limit(&limits);
	cr_assert_eq(rsip_hosts6_open(gw.dp, gw.now), 0);
}

static void down6(void)
{
	rsip_hosts6_close();
	gw_down();
}

TestSuite(engine_pmtu6, .init = up6, .fini = down6);

static struct rsip_from from6(void)
{
	static __be32 handle;

	if (!handle)
		handle = rsip_hosts6_take(host6, gw.now);
	cr_assert(RSIP_HOST6_IS(handle));
	return (struct rsip_from){ .addr = handle, .port = 40000, .transport = RSIP_TRANSPORT_UDP, .iface = 2 };
}

static uint32_t assigned6(uint8_t tunnel)
{
	if (!client) {
		client = registered(from6());
		counter = 1;
	}
	an_assign(client, 8);
	gw.m.tunnel_cnt = 1;
	gw.m.tunnel[0] = tunnel;
	cr_assert_eq(say(from6(), ++counter), RSIP_OK);
	return gw.got.bind_id;
}

static struct rsip_event told6(uint16_t mtu)
{
	return (struct rsip_event){ .host = from6().addr, .mtu = mtu, .len = 1500, .iface = 2, .reason = RSIP_REPORT_PMTU,
				    .proto = 4 };
}

Test(engine_pmtu6, all_bindings_of_the_host_follow)
{
	uint32_t first = assigned6(RSIP_TUNNEL_IPIP), second = assigned6(RSIP_TUNNEL_GRE);
	struct rsip_event gre = told6(1350);

	cr_expect_eq(bind_of(first)->mtu, 1460);
	reported(told6(1400));
	cr_expect_eq(installed(first), 1360);
	cr_expect_eq(installed(second), 1356);
	gre.proto = 47;
	gre.local = bind_of(second)->local;
	reported(gre);
	cr_expect_eq(installed(first), 1310);
	cr_expect_eq(installed(second), 1306);
	cr_expect_eq(seen_cnt, 2);
}

Test(engine_pmtu6, never_below_what_every_link_takes)
{
	uint32_t id = assigned6(RSIP_TUNNEL_IPIP), gre = assigned6(RSIP_TUNNEL_GRE);

	reported(told6(1280));
	cr_expect_eq(installed(id), 1240);
	reported(told6(1279));
	reported(told6(576));
	cr_expect_eq(installed(id), 1240);
	cr_expect_eq(installed(gre), 1236);
	cr_expect_eq(seen_cnt, 1);
}

Test(engine_pmtu6, after_ten_minutes_it_is_tried_anew)
{
	uint32_t id = assigned6(RSIP_TUNNEL_IPIP);

	reported(told6(1400));
	gw.now += 599 * S;
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(installed(id), 1360);
	gw.now += S;
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(installed(id), 1460);
	cr_expect_not(bind_of(id)->mtu_learned);
}

Test(engine_pmtu6, what_is_about_no_live_tunnel_changes_nothing)
{
	uint32_t id = assigned6(RSIP_TUNNEL_IPIP);
	struct rsip_event v[5];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(v); i++)
		v[i] = told6(1400);
	v[0].host = RSIP_HOST6_HANDLE(5); /* nobody's */
	v[1].iface = 3;
	v[2].endpoint = GW_PRIV; /* over IPv4 */
	v[3].proto = 47;
	v[4].local = inet_addr("203.0.113.2");
	for (size_t i = 0; i < RSIP_ARRAY_LEN(v); i++) {
		reported(v[i]);
		cr_expect_eq(bind_of(id)->mtu, 1460, "row %zu", i);
		cr_expect_eq(rsip_engine_stats(gw.e)->pmtu_foreign, i + 1);
	}
}

Test(engine_pmtu6, a_restart_finds_it)
{
	uint32_t id = assigned6(RSIP_TUNNEL_IPIP), binds, clients;

	reported(told6(1280));
	rsip_lease_destroy(gw.lm);
	rsip_engine_destroy(gw.e);
	gw_lease_up();
	cr_assert_eq(rsip_lease_adopt(gw.lm, gw.now, &binds, &clients), 0);
	cr_expect_eq(bind_of(id)->mtu, 1240);
	cr_expect(bind_of(id)->mtu_learned);
	gw.now += 600 * S;
	rsip_engine_tick(gw.e, gw.now);
	cr_expect_eq(installed(id), 1460);
}
