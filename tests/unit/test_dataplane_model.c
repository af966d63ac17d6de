// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Random operations on the in-memory twin against a naive list. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "twin.h"

#define MODEL_BINDS 200
#define MODEL_REMOTES 4
#define MODEL_HOSTS 12
#define MODEL_PORTS 8000 /* above 1,024 */

struct model_bind {
	uint32_t slot;
	uint8_t host, addr, remote;
	bool ipsec;
	uint16_t port, port_cnt;
	uint32_t spi, spi_cnt;
	uint64_t expires;
};

static struct model_bind model[MODEL_BINDS];
static uint64_t rnd_state;

static uint32_t rnd(uint32_t below)
{
	rnd_state ^= rnd_state << 13;
	rnd_state ^= rnd_state >> 7;
	rnd_state ^= rnd_state << 17;
	return (uint32_t)(rnd_state >> 11) % below;
}

static __be32 model_addr(uint32_t i)
{
	return htonl(0xcb007101 + i);
}

static __be32 model_host(uint32_t i)
{
	return htonl(0x0a000001 + i);
}

static bool overlap(uint32_t a, uint32_t a_cnt, uint32_t b, uint32_t b_cnt)
{
	return a_cnt && b_cnt && a < b + b_cnt && b < a + a_cnt;
}

static bool model_clash(const struct model_bind *b)
{
	for (int i = 0; i < MODEL_BINDS; i++)
		if (model[i].slot && model[i].addr == b->addr &&
		    (overlap(model[i].port, model[i].port_cnt, b->port, b->port_cnt) ||
		     overlap(model[i].spi, model[i].spi_cnt, b->spi, b->spi_cnt)))
			return true;
	return false;
}

static void model_install(struct model_bind *m)
{
	struct model_bind b = { .host = (uint8_t)rnd(MODEL_HOSTS),
				.addr = (uint8_t)rnd(2),
				.ipsec = rnd(2),
				.port = (uint16_t)(1024 + rnd(MODEL_PORTS)),
				.port_cnt = (uint16_t)rnd(rnd(2) ? 40 : 200),
				.expires = S + rnd(1000000) };
	struct rsip_dp_binding in;
	int err;

	if (rnd(2)) /* whole blocks, too */
		b.port &= (uint16_t)~(RSIP_PORT_BLOCK - 1);
	if (b.ipsec) {
		b.spi = 256 + rnd(20000);
		b.spi_cnt = 1 + rnd(40);
	}
	b.remote = (uint8_t)rnd(MODEL_REMOTES); /* 0: all */
	in = lease(model_host(b.host), model_addr(b.addr), b.expires);
	in.rec.remote = b.remote ? htonl(0xc6336400U + b.remote) : 0;
	with_ports(&in, b.port, b.port_cnt);
	if (b.ipsec)
		with_spis(&in, b.spi, b.spi_cnt);
	err = dp->ops->bind_install(dp, &in, &b.slot);
	if (model_clash(&b)) {
		cr_assert_eq(err, -EEXIST);
	} else if (err) {
		cr_assert_eq(err, -ENOSPC); /* more owners of one block than it has places */
	} else {
		*m = b;
	}
}

/* When the last of a pair's bindings for a remote ends; 0: there is none.  ipsec_only: of those of RSIPSEC. */
static uint64_t model_last(uint32_t host, uint32_t addr, uint32_t remote, bool ipsec_only)
{
	uint64_t last = 0;

	for (int i = 0; i < MODEL_BINDS; i++) {
		const struct model_bind *m = &model[i];

		if (m->slot && m->host == host && m->addr == addr && m->remote == remote && (m->ipsec || !ipsec_only))
			last = m->expires > last ? m->expires : last;
	}
	return last;
}

/* Whom the pair's entry names: one for all remotes, if there is any. */
static uint64_t model_head(uint32_t host, uint32_t addr, bool ipsec_only)
{
	uint64_t head = model_last(host, addr, 0, ipsec_only);

	for (uint32_t r = 1; r < MODEL_REMOTES && !model_last(host, addr, 0, ipsec_only); r++) {
		uint64_t last = model_last(host, addr, r, ipsec_only);

		head = last > head ? last : head;
	}
	return head;
}

static void check_remotes(uint32_t host, uint32_t addr)
{
	for (uint32_t i = 2; i < 2 * MODEL_REMOTES; i++) {
		uint32_t remote = i / 2, flag = i % 2 ? RSIP_REMOTE_IPSEC : 0;
		const struct rsip_remote_entry *e = rsip_table_remote(&c->remotes, model_host(host), model_addr(addr),
								      htonl(0xc6336400U + remote), flag);
		uint64_t last = model_last(host, addr, remote, i % 2);

		cr_assert_eq(!e, !last);
		if (e)
			cr_assert_eq(c->m.bindings[e->slot & ~RSIP_REMOTE_IPSEC].expires_ns, last);
	}
}

static void check_pair(uint32_t host, uint32_t addr)
{
	const struct rsip_pair_entry *e =
		rsip_table_pair(&c->pairs, model_host(host), model_addr(addr));
	uint64_t any = model_head(host, addr, false), ipsec = model_head(host, addr, true);

	check_remotes(host, addr);
	cr_assert_eq(!e, !any);
	if (!e)
		return;
	cr_assert_eq(c->m.bindings[RSIP_PAIR_SLOT(e->slot)].expires_ns, any);
	cr_assert_eq(!e->ipsec_slot, !ipsec);
	if (ipsec) {
		uint32_t slot = RSIP_PAIR_SLOT(e->ipsec_slot);
		const struct rsip_binding *rec = &c->m.bindings[slot];

		cr_assert_eq(rec->expires_ns, ipsec);
		cr_assert_eq(c->m.learned[rec->learned].slot, slot);
		cr_assert_eq(c->m.learned[rec->learned].host, model_host(host));
	}
}

static uint32_t model_port_owner(uint32_t addr, uint32_t port)
{
	for (int i = 0; i < MODEL_BINDS; i++)
		if (model[i].slot && model[i].addr == addr &&
		    port - model[i].port < model[i].port_cnt)
			return model[i].slot;
	return 0;
}

static uint32_t model_spi_owner(uint32_t addr, uint32_t spi)
{
	for (int i = 0; i < MODEL_BINDS; i++)
		if (model[i].slot && model[i].addr == addr && spi - model[i].spi < model[i].spi_cnt)
			return model[i].slot;
	return 0;
}

static int model_found(void *arg, uint32_t slot, const struct rsip_dp_binding *b)
{
	uint32_t *cnt = arg;

	for (int i = 0; i < MODEL_BINDS; i++) {
		const struct model_bind *m = &model[i];

		if (m->slot != slot)
			continue;
		cr_assert_eq(b->ports.cnt, m->port_cnt);
		cr_assert(!m->port_cnt || b->ports.port[0] == m->port);
		cr_assert_eq(b->spis.range_cnt, m->ipsec);
		cr_assert(!m->ipsec ||
			  (b->spis.range[0].first == m->spi && b->spis.range[0].cnt == m->spi_cnt));
		++*cnt;
		return 0;
	}
	cr_assert_fail("slot %u was never installed", slot);
	return -1;
}

static void check_restart(void)
{
	uint32_t live = 0, found = 0;

	for (int i = 0; i < MODEL_BINDS; i++)
		live += model[i].slot != 0;
	cr_assert_eq(dp->ops->foreach(dp, 1, model_found, &found), 0);
	cr_assert_eq(found, live);
}

static void model_step(uint32_t op)
{
	struct model_bind *m = &model[rnd(MODEL_BINDS)];
	uint32_t addr = rnd(2), port = 1000 + rnd(MODEL_PORTS + 200), spi = 200 + rnd(20100);

	if (!m->slot) {
		model_install(m);
	} else if (rnd(3)) {
		cr_assert_eq(dp->ops->bind_remove(dp, m->slot), 0);
		m->slot = 0;
	} else {
		m->expires = S + rnd(1000000);
		cr_assert_eq(dp->ops->bind_extend(dp, m->slot, m->expires), 0);
	}
	check_pair(m->host, m->addr);
	check_pair(rnd(MODEL_HOSTS), addr);
	cr_assert_eq(port_owner(addr, (uint16_t)port), model_port_owner(addr, port));
	cr_assert_eq(spi_owner(model_addr(addr), spi), model_spi_owner(addr, spi));
	if (op % 10000 == 9999)
		check_restart();
	if (op % 100 == 0)
		dp->ops->housekeep(dp, (op + 1) * S);
}

/* RSIP_MODEL_OPS and RSIP_MODEL_SEED make it longer, or another run. */
Test(dataplane_model, random_operations_agree_with_a_naive_list)
{
	const char *ops = getenv("RSIP_MODEL_OPS"), *seed = getenv("RSIP_MODEL_SEED");
	uint32_t n = ops ? (uint32_t)strtoul(ops, NULL, 0) : 100000;

	rnd_state = seed ? strtoull(seed, NULL, 0) : 20261124;
	cr_assert_eq(rsip_dataplane_mem(256, 2, &dp), 0);
	c = (struct rsip_dp_core *)dp;
	for (uint32_t i = 0; i < 2; i++)
		cr_assert_eq(dp->ops->addr_add(dp, i, model_addr(i), 0), 0);
	for (uint32_t op = 0; op < n; op++)
		model_step(op);
	check_restart();
	dp->ops->close(dp);
}
