// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The lease manager, its store and its data plane against a slow oracle: a plain list of what is leased and of what
 * rests.  Hosts ask, extend, free and leave at random, time passes, and every now and then the disk is full, or rsipd dies with
 * whatever was not committed, in a power cut with the data plane, too.  RSIP_MODEL_OPS: how many operations (default 100,000); a line is printed every million.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "lease_priv.h"
#include "seeded.h"
#include "util.h"

#define S RSIP_NS_PER_S
#define HOSTS 40
#define HOLD_S 120
#define PUB_1 0xcb007101U /* two shared addresses, then two whole ones */
#define ADDRS 4
#define SHARED 2
#define PORT_FIRST 1024
#define PORTS 4096
#define SPI_FIRST 256
#define SPIS 8192
#define ITEMS_MAX 8192
#define FAIR_PERCENT 10
#define FAIR_PORTS 64
#define FAIR_SPIS 16 /* lease_share.c */
#define OWN_LOOKED_AT 64 /* lease_rest.c */

struct item { /* leased, or resting */
	uint32_t bind_id, host;
	uint8_t addr;
	bool whole;
	uint16_t port_cnt, spi_cnt;
	uint16_t port[255];
	uint32_t spi[64];
	uint64_t expires_ns, rest_ns, batch;
};

struct oracle {
	struct item item[ITEMS_MAX];
	uint32_t cnt;
};

static struct oracle *now_is, *acked; /* as it is; as of the last commit */
static struct rsip_dataplane *dp;
static struct rsip_lease *lm;
static struct rsip_journal *journal;
static struct rsip_store *store;
static uint64_t now, unfair;
static bool rush; /* little time passes, so the pools run dry */

static uint32_t pick(uint32_t below)
{
	uint32_t r;

	seeded(&r, sizeof(r));
	return r % below;
}

/* ---- the oracle ----------------------------------------------------------------------------------------------------------- */

/* Who has each number: 0 nobody, else 1 + index of the item. */
static uint16_t port_of[SHARED][65536], spi_of[SHARED][SPI_FIRST + SPIS], whole_of[ADDRS];

static void claim(uint16_t *owner, uint32_t index, const char *what, uint32_t number)
{
	cr_assert_eq(*owner, 0, "%s %u has two owners", what, number);
	*owner = (uint16_t)(index + 1);
}

static void oracle_index(void)
{
	memset(port_of, 0, sizeof(port_of));
	memset(spi_of, 0, sizeof(spi_of));
	memset(whole_of, 0, sizeof(whole_of));
	for (uint32_t i = 0; i < now_is->cnt; i++) {
		const struct item *it = &now_is->item[i];

		if (it->whole)
			claim(&whole_of[it->addr], i, "address", it->addr);
		for (int p = 0; p < it->port_cnt; p++)
			claim(&port_of[it->addr][it->port[p]], i, "port", it->port[p]);
		for (int s = 0; s < it->spi_cnt; s++)
			claim(&spi_of[it->addr][it->spi[s]], i, "SPI", it->spi[s]);
	}
}

static struct item *oracle_find(struct oracle *o, uint32_t bind_id, bool resting)
{
	for (uint32_t i = 0; i < o->cnt; i++)
		if (o->item[i].bind_id == bind_id && !o->item[i].rest_ns == !resting)
			return &o->item[i];
	return NULL;
}

static void oracle_remove(struct item *it)
{
	*it = now_is->item[--now_is->cnt];
}

static void oracle_rest(struct item *it)
{
	it->rest_ns = now + HOLD_S * S;
	it->batch = rsip_journal_open(journal);
}

/* A number that rests goes back to its own host only; then it rests no longer. */
static void take_from_rest(uint16_t owner, uint32_t host, uint32_t number, bool spi)
{
	struct item *it;

	if (!owner)
		return;
	it = &now_is->item[owner - 1];
	cr_assert(it->rest_ns && it->host == host, "%u was given to a second owner", number);
	if (spi) {
		for (int i = 0; i < it->spi_cnt; i++)
			if (it->spi[i] == number)
				it->spi[i--] = it->spi[--it->spi_cnt];
	} else {
		for (int i = 0; i < it->port_cnt; i++)
			if (it->port[i] == number)
				it->port[i--] = it->port[--it->port_cnt];
	}
}

static void oracle_drop_empty(void)
{
	for (uint32_t i = 0; i < now_is->cnt; i++)
		if (!now_is->item[i].whole && !now_is->item[i].port_cnt && !now_is->item[i].spi_cnt)
			oracle_remove(&now_is->item[i--]);
}

static void oracle_grant(uint32_t host, const struct rsip_lease_bind *b)
{
	struct item it = { .bind_id = b->bind_id, .host = host, .addr = (uint8_t)(ntohl(b->local) - PUB_1),
			   .whole = b->method == RSIP_METHOD_RSA_IP, .expires_ns = b->expires_ns };

	oracle_index();
	cr_assert_lt(now_is->cnt, ITEMS_MAX - 1);
	for (int p = 0; p < b->ports.cnt; p++) {
		take_from_rest(port_of[it.addr][b->ports.port[p]], host, b->ports.port[p], false);
		it.port[it.port_cnt++] = b->ports.port[p];
	}
	for (int r = 0; r < b->spis.range_cnt; r++) {
		for (uint32_t i = 0; i < b->spis.range[r].cnt; i++) {
			uint32_t spi = b->spis.range[r].first + i;

			take_from_rest(spi_of[it.addr][spi], host, spi, true);
			it.spi[it.spi_cnt++] = spi;
		}
	}
	if (it.whole && whole_of[it.addr]) {
		struct item *rests = &now_is->item[whole_of[it.addr] - 1];

		cr_assert(rests->rest_ns && rests->host == host);
		rests->whole = false;
	}
	now_is->item[now_is->cnt++] = it;
	oracle_drop_empty();
}

static void oracle_expire(void)
{
	for (uint32_t i = 0; i < now_is->cnt; i++)
		if (!now_is->item[i].rest_ns && now_is->item[i].expires_ns <= now)
			oracle_rest(&now_is->item[i]);
	for (uint32_t i = 0; i < now_is->cnt; i++)
		if (now_is->item[i].rest_ns && now_is->item[i].rest_ns <= now &&
		    now_is->item[i].batch <= rsip_journal_durable(journal))
			oracle_remove(&now_is->item[i--]);
}

/* ---- what is fair: lease_share.c ------------------------------------------------------------------------------------------- */

struct part { /* of the shared pool: all of it that is leased or rests, and one host's part */
	uint32_t ports, spis, my_ports, my_spis, hosts;
};

static struct part part_of(uint32_t host)
{
	bool has[HOSTS + 1] = { false };
	struct part p = { 0 };

	for (uint32_t i = 0; i < now_is->cnt; i++) {
		const struct item *it = &now_is->item[i];

		if (it->whole)
			continue;
		p.ports += it->port_cnt;
		p.spis += it->spi_cnt;
		p.my_ports += it->host == host ? it->port_cnt : 0;
		p.my_spis += it->host == host ? it->spi_cnt : 0;
		p.hosts += !has[it->host];
		has[it->host] = true;
	}
	p.hosts += !has[host];
	return p;
}

/* of taken: mine, and more would be. */
static bool is_fair(uint32_t total, uint32_t taken, uint32_t mine, uint32_t more, uint32_t hosts, uint32_t least)
{
	uint32_t fair = total / hosts > least ? total / hosts : least;

	return !more || more > total - taken || (total - taken - more) * 100 >= total * FAIR_PERCENT || mine + more <= fair;
}

/* May the host have it, of the shared pool?  by number: only what does not rest after it already counts. */
static bool ask_is_fair(uint32_t host, const struct rsip_lease_ask *a)
{
	uint32_t addr = ntohl(a->local) - PUB_1, ports = a->port_cnt, spis = a->spi_cnt;
	struct part p = part_of(host);

	oracle_index();
	for (uint16_t i = 0; a->ports_given && i < a->port_cnt; i++) {
		uint16_t owner = port_of[addr][a->ports.port[i]];

		ports -= owner && now_is->item[owner - 1].rest_ns && now_is->item[owner - 1].host == host;
	}
	for (uint32_t i = 0; a->spis_given && i < a->spi_cnt; i++) {
		uint16_t owner = spi_of[addr][a->spis.range[0].first + i];

		spis -= owner && now_is->item[owner - 1].rest_ns && now_is->item[owner - 1].host == host;
	}
	return is_fair(SHARED * (PORTS - 1), p.ports, /* 4500 is IKE's */
		       p.my_ports, ports, p.hosts, FAIR_PORTS) &&
	       is_fair(SHARED * SPIS, p.spis, p.my_spis, spis, p.hosts, FAIR_SPIS);
}

static uint32_t resting_of(uint32_t host)
{
	uint32_t cnt = 0;

	for (uint32_t i = 0; i < now_is->cnt; i++)
		cnt += now_is->item[i].rest_ns && now_is->item[i].host == host;
	return cnt;
}

static uint64_t refused_for_share(void)
{
	struct rsip_pool_stats s;

	rsip_lease_pool_stats(lm, 0, &s);
	return s.share_refused;
}

/* ---- the real thing ----------------------------------------------------------------------------------------------------------- */

static const struct rsip_store_clock boot = { .boot_id = "model" };

static struct rsip_store_clock clock_now(void)
{
	struct rsip_store_clock c = boot;

	c.mono_ns = c.real_ns = now;
	return c;
}

static int on_client(void *arg, const struct rsip_store_client *row)
{
	struct rsip_lease_client *c;

	(void)arg;
	return rsip_lease_restore_client(lm, row, 1, &c);
}

static int on_lease(void *arg, const struct rsip_store_lease *row)
{
	(void)arg;
	cr_assert_eq(rsip_lease_restore_lease(lm, row, now), 0);
	return 0;
}

/* The engine's part, in short: a registration that ends leaves the store. */
static void on_client_end(void *arg, const struct rsip_lease_client *c, enum rsip_end why)
{
	struct rsip_journal_mark mark = { 0, 0 };

	(void)arg;
	(void)why;
	rsip_journal_gone(journal, &mark, RSIP_STORE_CLIENT, c->seq);
}

static void start(void)
{
	const struct rsip_lease_sink sink = { .client_end = on_client_end };
	const struct rsip_pool_conf pool[] = {
		{ .first = htonl(PUB_1), .addr_cnt = SHARED, .port_first = PORT_FIRST, .port_last = PORT_FIRST + PORTS - 1,
		  .methods = RSIP_METHOD_BIT(RSIP_METHOD_RSAP_IP) | RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC),
		  .spi_min = SPI_FIRST, .spi_max = SPI_FIRST + SPIS - 1 },
		{ .first = htonl(PUB_1 + SHARED), .addr_cnt = ADDRS - SHARED, .port_first = 1024, .port_last = 65535,
		  .methods = RSIP_METHOD_BIT(RSIP_METHOD_RSA_IP), .spi_min = 256, .spi_max = 65535 },
	};
	struct rsip_lease_conf conf = {
		.pool = pool, .pool_cnt = 2,
		.limits = { .clients = 3000, .binds_per_client = 64, .ports_per_client = 1024, .spis_per_client = 1024,
			    .addrs_per_client = 1, .lease_min_s = 1, .lease_max_s = 86400, .lease_default_s = 1800,
			    .register_s = 3600, .hold_s = HOLD_S, .fair_percent = FAIR_PERCENT, .fair_ports = FAIR_PORTS },
	};
	const struct rsip_store_reader reader = { .client = on_client, .lease = on_lease };
	struct rsip_store_clock clock = clock_now();
	struct rsip_lease_found found;
	struct rsip_store_info info;

	cr_assert_eq(rsip_journal_create(&journal), 0);
	conf.journal = journal;
	cr_assert_eq(rsip_lease_create(&conf, dp, seeded, &sink, &lm), 0);
	cr_assert_eq(rsip_lease_scan(lm, now), 0);
	cr_assert_eq(store->ops->load(store, &clock, &reader, &info), 0);
	cr_assert_eq(rsip_lease_settle(lm, now, info.fresh, &found), 0);
}

static void stop(void)
{
	rsip_lease_destroy(lm);
	rsip_journal_destroy(journal);
}

static struct rsip_lease_client *client(uint32_t n)
{
	struct rsip_lease_client *c = rsip_lease_by_host(lm, htonl(0x0a000000 + n));
	struct rsip_journal_mark mark = { 0, 0 };
	struct rsip_store_client row;

	if (c)
		return c;
	cr_assert_eq(rsip_lease_register(lm, htonl(0x0a000000 + n), 1, RSIP_TRANSPORT_UDP, now, &c), RSIP_OK);
	row = (struct rsip_store_client){ .seq = c->seq, .client_id = c->client_id, .host = c->host, .iface = "priv", .transport = 2,
					  .start_ns = now, .expires_ns = now + 100000 * S };
	rsip_journal_client(journal, &mark, &row); /* and this one that begins enters it */
	return c;
}

/* ---- all equal? -------------------------------------------------------------------------------------------------------------------- */

struct count {
	uint32_t cnt, ports, spis, resting, ports_resting, spis_resting;
};

static bool same_as_oracle(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b)
{
	struct item *it = oracle_find(now_is, b->bind_id, false);
	struct count *n = arg;
	int spis = 0;

	cr_assert_not_null(it, "bind %u is unknown to the oracle", b->bind_id);
	cr_assert_eq(ntohl(c->host) & 0xffffff, it->host);
	cr_assert_geq(b->expires_ns, it->expires_ns, "shorter than what was acknowledged");
	it->expires_ns = b->expires_ns; /* longer: the data plane had it already when rsipd died */
	cr_assert_eq(b->ports.cnt, it->port_cnt);
	for (int p = 0; p < it->port_cnt; p++)
		cr_assert_eq(now_is->item[port_of[it->addr][b->ports.port[p]] - 1].bind_id, b->bind_id);
	for (int r = 0; r < b->spis.range_cnt; r++)
		spis += (int)b->spis.range[r].cnt;
	cr_assert_eq(spis, it->spi_cnt);
	n->cnt++;
	n->ports += it->port_cnt;
	n->spis += it->spi_cnt;
	return true;
}

static uint32_t free_ports(void)
{
	uint32_t cnt = 0;

	for (uint32_t a = 0; a < SHARED; a++)
		for (uint32_t port = PORT_FIRST; port < PORT_FIRST + PORTS; port++)
			cnt += rsip_port_free(&lm->addr[a], (uint16_t)port);
	return cnt;
}

static uint32_t hosts_of_shared(void)
{
	return part_of(0).hosts - 1; /* host 0 does not exist, and has nothing */
}

static void check_leases(void)
{
	struct count real = { 0 }, want = { 0 };
	struct rsip_pool_stats s;

	oracle_index();
	rsip_lease_walk_binds(lm, 0, same_as_oracle, &real);
	for (uint32_t i = 0; i < now_is->cnt; i++) {
		const struct item *it = &now_is->item[i];

		want.cnt += !it->rest_ns;
		want.ports_resting += it->rest_ns ? it->port_cnt : 0;
		want.spis_resting += it->rest_ns ? it->spi_cnt : 0;
	}
	cr_assert_eq(real.cnt, want.cnt, "%u bindings, the oracle says %u", real.cnt, want.cnt);
	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(s.hosts, hosts_of_shared(), "hosts with a part of the pool");
	cr_assert_eq(s.ports_leased, real.ports);
	cr_assert_eq(s.ports_held, want.ports_resting);
	cr_assert_eq(s.spis_leased, real.spis);
	cr_assert_eq(s.spis_held, want.spis_resting);
	cr_assert_eq(free_ports() + s.ports_leased + s.ports_held, s.ports_total, "free, leased and resting ports are all");
}

static uint32_t free_spis(void)
{
	uint32_t cnt = 0;

	for (uint32_t a = 0; a < SHARED; a++)
		for (uint32_t spi = SPI_FIRST; spi < SPI_FIRST + SPIS; spi++)
			cnt += rsip_spis_free(&lm->spis, a, spi, 1);
	return cnt;
}

static void check_spis(void)
{
	struct rsip_pool_stats s;

	rsip_lease_pool_stats(lm, 0, &s);
	cr_assert_eq(free_spis() + s.spis_leased + s.spis_held, SHARED * SPIS, "free, leased and resting SPIs are all");
}

static int row_is_known(void *arg, const struct rsip_store_lease *row)
{
	const struct item *it = oracle_find(now_is, row->bind_id, row->rest_ns != 0);
	struct count *n = arg;
	uint32_t ports = 0;

	cr_assert_not_null(it, "a row of bind %u, %s, is unknown to the oracle", row->bind_id, row->rest_ns ? "resting" : "live");
	cr_assert_eq(row->rest_ns, it->rest_ns);
	cr_assert_eq(row->rest_ns ? 0 : row->expires_ns, row->rest_ns ? 0 : it->expires_ns);
	for (int i = 0; i < row->port_ranges; i++)
		ports += row->range[i].cnt;
	cr_assert_eq(ports, it->port_cnt);
	n->cnt++;
	return 0;
}

static int no_client(void *arg, const struct rsip_store_client *row)
{
	(void)arg;
	(void)row;
	return 0;
}

/* After a commit: as many rows as there are items, and each one is one. */
static void check_store(void)
{
	struct count rows = { 0 };
	const struct rsip_store_reader reader = { .arg = &rows, .client = no_client, .lease = row_is_known };
	struct rsip_store_clock clock = clock_now();
	struct rsip_store_info info;

	store->ops->load(store, &clock, &reader, &info);
	cr_assert_eq(rows.cnt, now_is->cnt);
}

static int found_is_known(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	const struct item *it = oracle_find(now_is, b->rec.bind_id, false);
	struct count *n = arg;

	(void)slot;
	cr_assert_not_null(it, "the data plane has bind %u, the oracle has not", b->rec.bind_id);
	cr_assert_eq(b->rec.expires_ns, it->expires_ns);
	cr_assert_eq(b->ports.cnt, it->port_cnt);
	for (int p = 0; p < b->ports.cnt; p++)
		cr_assert_eq(now_is->item[port_of[it->addr][b->ports.port[p]] - 1].bind_id, b->rec.bind_id);
	n->cnt++;
	return 0;
}

static void check_maps(void)
{
	struct count found = { 0 };
	uint32_t live = 0;

	oracle_index();
	cr_assert_eq(dp->ops->foreach(dp, now, found_is_known, &found), 0);
	for (uint32_t i = 0; i < now_is->cnt; i++)
		live += !now_is->item[i].rest_ns;
	cr_assert_eq(found.cnt, live, "maps hold %u bindings, the oracle says %u", found.cnt, live);
}

/* ---- operations ------------------------------------------------------------------------------------------------------------------------ */

static void ask(void)
{
	struct rsip_spi_range range;
	struct rsip_lease_ask a = { .tunnel = 1, .mtu = 1480, .lease_s = 1 + pick(600) };
	const struct rsip_lease_bind *b = NULL;
	uint32_t n = 1 + pick(HOSTS), kind = pick(8);
	enum rsip_err err;
	uint64_t refused;
	bool fair;

	a.method = kind == 0 ? RSIP_METHOD_RSA_IP : kind < 5 ? RSIP_METHOD_RSAP_IP : RSIP_METHOD_RSIPSEC;
	if (a.method == RSIP_METHOD_RSA_IP && pick(2))
		a.local = htonl(PUB_1 + SHARED + pick(2));
	if (a.method == RSIP_METHOD_RSAP_IP)
		a.port_cnt = (uint16_t)(1 + pick(pick(4) ? 16 : 255));
	if (a.method == RSIP_METHOD_RSIPSEC)
		a.spi_cnt = (uint16_t)(1 + pick(64));
	if (kind < 3 && a.port_cnt) { /* by number, often what rests */
		uint32_t first = PORT_FIRST + pick(PORTS - 255);

		a.local = htonl(PUB_1 + pick(SHARED));
		a.ports_given = true;
		a.ports.cnt = a.port_cnt;
		for (uint16_t i = 0; i < a.port_cnt; i++)
			a.ports.port[i] = (uint16_t)(first + i);
	}
	if (kind == 5) {
		range = (struct rsip_spi_range){ SPI_FIRST + pick(SPIS - 64), a.spi_cnt };
		a.local = htonl(PUB_1 + pick(SHARED));
		a.spis_given = true;
		a.spis = (struct rsip_spi_set){ .range_cnt = 1, .range = &range };
	}
	fair = a.method == RSIP_METHOD_RSA_IP || ask_is_fair(n, &a);
	refused = refused_for_share();
	err = rsip_lease_assign(lm, client(n), &a, now, &b);
	cr_assert_neq(err, RSIP_ERR_INTERNAL_SERVER_ERROR);
	cr_assert(!err ? fair : true, "host %u was granted more than its share of what is left", n);
	if (resting_of(n) <= OWN_LOOKED_AT) /* beyond, its own may count as others' */
		cr_assert(refused == refused_for_share() || !fair, "host %u was refused what is fair", n);
	unfair += !fair;
	cr_assert(err || !rsip_journal_failing(journal), "granted what cannot be kept");
	if (!err)
		oracle_grant(n, b);
}

static struct item *any_live(void)
{
	for (int tries = 0; now_is->cnt && tries < 8; tries++) {
		struct item *it = &now_is->item[pick(now_is->cnt)];

		if (!it->rest_ns)
			return it;
	}
	return NULL;
}

static void end_one(struct item *it)
{
	cr_assert_eq(rsip_lease_free(lm, client(it->host), it->bind_id, RSIP_END_HOST, now), RSIP_OK);
	oracle_rest(it);
}

/* What it had comes back by number. */
static void ask_back(struct item *it)
{
	struct rsip_lease_ask a = { .method = RSIP_METHOD_RSAP_IP, .tunnel = 1, .mtu = 1480, .lease_s = 60, .ports_given = true,
				    .local = htonl(PUB_1 + it->addr) };
	const struct rsip_lease_bind *b = NULL;
	uint32_t host = it->host;

	if (it->port_cnt < 2 || it->spi_cnt)
		return;
	end_one(it);
	a.port_cnt = a.ports.cnt = (uint16_t)(it->port_cnt - 1);
	memcpy(a.ports.port, it->port, a.port_cnt * sizeof(it->port[0]));
	if (rsip_lease_assign(lm, client(host), &a, now, &b) == RSIP_OK)
		oracle_grant(host, b);
}

static void extend(struct item *it)
{
	const struct rsip_lease_bind *b = NULL;

	cr_assert_eq(rsip_lease_extend(lm, client(it->host), it->bind_id, 1 + pick(2000), now, &b), RSIP_OK);
	cr_assert_geq(b->expires_ns, it->expires_ns);
	it->expires_ns = b->expires_ns;
}

static void leave(uint32_t n)
{
	rsip_lease_deregister(lm, client(n), RSIP_END_HOST, now);
	for (uint32_t i = 0; i < now_is->cnt; i++)
		if (now_is->item[i].host == n && !now_is->item[i].rest_ns)
			oracle_rest(&now_is->item[i]);
}

/* false: the disk is full, for a few minutes every now and then. */
static bool commit(void)
{
	static int full;
	struct rsip_store_clock clock = clock_now();
	const struct rsip_batch *b;

	full = full ? full - 1 : pick(50) ? 0 : 20;
	rsip_store_mem_fail(store, full ? -ENOSPC : 0);
	while ((b = rsip_journal_take(journal))) {
		int err = store->ops->commit(store, b->change, b->cnt, &clock);

		rsip_journal_done(journal, err);
		if (err)
			return false;
	}
	*acked = *now_is;
	return true;
}

/* rsipd dies; in a power cut the data plane goes with it. */
static void crash(bool power)
{
	struct oracle *before = now_is;

	stop();
	if (power) {
		dp->ops->close(dp);
		cr_assert_eq(rsip_dataplane_mem(4096, ADDRS, &dp), 0);
	}
	now_is = calloc(1, sizeof(*now_is));
	*now_is = *acked;
	for (uint32_t i = 0; i < now_is->cnt; i++) {
		struct item *it = &now_is->item[i], *was;

		it->batch = 0;
		if (it->rest_ns || it->expires_ns > now)
			continue;
		was = power ? NULL : oracle_find(before, it->bind_id, false);
		if (was) /* an extension that only the data plane knows */
			it->expires_ns = was->expires_ns;
		else
			it->rest_ns = it->expires_ns + HOLD_S * S;
	}
	free(before);
	start();
	check_leases();
	check_maps();
}

static void pass(uint64_t ns)
{
	now += ns;
	while (rsip_lease_expire(lm, now) <= now)
		;
	oracle_expire();
}

static void step(void)
{
	uint32_t what = pick(100);
	struct item *it = what >= 45 && what < 85 ? any_live() : NULL;

	if (what < 45)
		ask();
	else if (it && what < 65)
		end_one(it);
	else if (it && what < 70)
		ask_back(it);
	else if (it && what < 85)
		extend(it);
	else if (what < 96)
		pass(pick(rush ? 2 : 20) * S);
	else if (what < 97)
		leave(1 + pick(HOSTS));
}

static void up(void)
{
	now_is = calloc(1, sizeof(*now_is));
	acked = calloc(1, sizeof(*acked));
	seed = 1;
	now = 1000 * S;
	cr_assert_eq(rsip_dataplane_mem(4096, ADDRS, &dp), 0);
	cr_assert_eq(rsip_store_mem(&store), 0);
	start();
}

static void down(void)
{
	stop();
	store->ops->close(store);
	dp->ops->close(dp);
	free(now_is);
	free(acked);
}

Test(lease_model, nothing_ever_has_two_owners_and_all_books_agree, .init = up, .fini = down, .timeout = 14400)
{
	const char *env = getenv("RSIP_MODEL_OPS");
	long ops = env ? atol(env) : 100000;
	bool kept = false;

	for (long i = 1; i <= ops; i++) {
		rush = i / 4000 % 2;
		step();
		if (i % 1000000 == 0)
			fprintf(stderr, "lease_model: %ld of %ld operations, %u items, %llu asks beyond a fair share\n", i, ops,
				now_is->cnt, (unsigned long long)unfair);
		if (i % 50 == 0) {
			kept = commit();
			check_maps();
		}
		if (i % 100 == 0)
			check_leases();
		if (i % 100 == 0 && kept)
			check_store();
		if (i % 1000 == 0)
			check_spis();
		if (i % 500 == 0 && pick(2)) {
			for (uint32_t more = pick(30); more; more--) /* what will be lost with it */
				step();
			crash(pick(3) == 0);
		}
	}
	cr_assert_gt(unfair, (uint64_t)ops / 10000, "the pool has run dry now and then");
	pass(100000 * S);
	while (!commit())
		;
	pass(200 * S);
	while (!commit())
		;
	cr_assert_eq(now_is->cnt, 0, "all comes back");
	check_leases();
	check_store();
	check_maps();
}
