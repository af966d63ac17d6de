// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Start-up: what an earlier process installed, read back from the maps.
 *
 * That process may have been killed between any two stores.  The record is the truth: a table entry
 * that does not fit a live record goes, a record whose tables are not complete (res_cnt) goes with
 * what it has.  Nothing of a live binding is cleared on the way, so its packets are forwarded
 * throughout.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dataplane_core.h"
#include "dataplane_ops.h"
#include "log.h"

struct found_spi {
	uint32_t slot, first, cnt;
};

struct scan {
	struct rsip_dp_core *c;
	uint64_t now_ns;
	struct found_spi *spi;
	uint32_t spi_cnt, spi_room;
	uint32_t removed; /* bindings: expired, or left incomplete */
	uint32_t repaired; /* table entries */
};

/* ---- 1. start from nothing ------------------------------------------------------------------- */

static int reset(struct rsip_dp_core *c)
{
	int err;

	for (uint32_t i = 1; i <= c->config.max_bindings; i++)
		rsip_dp_res_forget(&c->slot[i]);
	memset(c->slot, 0, ((size_t)c->config.max_bindings + 1) * sizeof(*c->slot));
	memset(c->learned_binds, 0, (c->config.max_learned + 1ULL) * sizeof(*c->learned_binds));
	memset(c->addr_binds, 0, c->config.max_addrs * sizeof(*c->addr_binds));
	memset(c->block_ports, 0, (size_t)c->config.max_addrs * RSIP_PORT_BLOCKS);
	c->gre_binds = 0;
	c->scanned = false;
	rsip_dp_numbers_free(&c->slots);
	rsip_dp_numbers_free(&c->learned);
	err = rsip_dp_numbers_init(&c->slots, c->config.max_bindings);
	return err ? err : rsip_dp_numbers_init(&c->learned, c->config.max_learned);
}

/* Addresses: of the table, those that were added; where none was (a reader of the maps only), those
 * that fit. */
static void scan_addrs(struct scan *s)
{
	struct rsip_dp_core *c = s->c;
	bool any = false;

	for (uint32_t i = 0; i < c->config.max_addrs; i++)
		any |= c->addr_known[i];
	s->repaired += rsip_table_repair(&c->addrs);
	for (uint32_t b = 0; b < c->config.addr_buckets; b++) {
		for (int i = 0; i < 8; i++) {
			struct rsip_addr_entry *e = &c->m.addrs[b].e[i];

			if (!e->addr || (e->index < c->config.max_addrs &&
					 c->m.addr_info[e->index].addr == e->addr &&
					 (!any || c->addr_known[e->index])))
				continue;
			rsip_table_addr_del(&c->addrs, e->addr);
			s->repaired++;
		}
	}
}

/* After the ports of their indices were looked at: the rest of addresses that are gone. */
static void clear_infos(struct scan *s)
{
	struct rsip_dp_core *c = s->c;

	for (uint32_t i = 0; i < c->config.max_addrs; i++) {
		struct rsip_addr_info *info = &c->m.addr_info[i];
		uint32_t whole = info->whole_slot;

		if (info->addr && !rsip_table_addr(&c->addrs, info->addr)) {
			memset(info, 0, sizeof(*info));
			s->repaired++;
		} else if (whole && (!rsip_dp_numbers_used(&c->slots, whole) ||
				     c->m.bindings[whole].addr_index != i)) {
			__atomic_store_n(&info->whole_slot, 0, __ATOMIC_RELEASE);
			s->repaired++;
		}
	}
}

/* ---- 2. records ------------------------------------------------------------------------------ */

static bool record_is_sound(const struct scan *s, const struct rsip_binding *rec)
{
	const struct rsip_addr_entry *a = rsip_table_addr(&s->c->addrs, rec->local);

	return rec->expires_ns > s->now_ns && rec->host && a && a->index == rec->addr_index &&
	       rec->method >= 1 && rec->method <= 3 && rec->iface < RSIP_MAX_IFACES;
}

static void scan_records(struct scan *s)
{
	struct rsip_dp_core *c = s->c;

	for (uint32_t slot = 1; slot <= c->config.max_bindings; slot++) {
		struct rsip_binding *rec = &c->m.bindings[slot];

		if (!rec->expires_ns)
			continue;
		if (record_is_sound(s, rec)) {
			rsip_dp_numbers_claim(&c->slots, slot);
			continue;
		}
		__atomic_store_n(&rec->expires_ns, 0, __ATOMIC_RELEASE);
		s->removed++;
	}
}

/* ---- 3. ports -------------------------------------------------------------------------------- */

static void scan_ports(struct scan *s)
{
	for (uint32_t index = 0; index < s->c->config.max_addrs; index++)
		if (s->c->m.addr_info[index].addr)
			s->repaired += rsip_dp_ports_scan(s->c, index);
}

/* The ports of IKE listeners are in their records only. */
static void scan_listeners(struct scan *s)
{
	struct rsip_dp_core *c = s->c;

	for (uint32_t slot = 1; slot <= c->config.max_bindings; slot++) {
		uint8_t kind = c->m.bindings[slot].kind;

		if (!(kind & RSIP_KIND_IKE) || !rsip_dp_numbers_used(&c->slots, slot))
			continue;
		if (kind & RSIP_KIND_IKE_500)
			rsip_dp_res_keep_port(&c->slot[slot], 500);
		if (kind & RSIP_KIND_IKE_4500)
			rsip_dp_res_keep_port(&c->slot[slot], 4500);
	}
}

/* ---- 4. SPIs --------------------------------------------------------------------------------- */

static bool spi_fits(const struct rsip_dp_core *c, const struct rsip_spi_entry *e)
{
	return rsip_dp_numbers_used(&c->slots, e->slot) &&
	       c->m.bindings[e->slot].local == e->addr && e->cnt &&
	       e->cnt <= RSIP_SPI_BLOCK - (e->first & (RSIP_SPI_BLOCK - 1));
}

static int keep_spi(struct scan *s, const struct rsip_spi_entry *e)
{
	if (s->spi_cnt == s->spi_room) {
		uint32_t room = s->spi_room ? 2 * s->spi_room : 1024;
		struct found_spi *more = realloc(s->spi, room * sizeof(*more));

		if (!more)
			return -ENOMEM;
		s->spi = more;
		s->spi_room = room;
	}
	s->spi[s->spi_cnt++] = (struct found_spi){ e->slot, e->first, e->cnt };
	return 0;
}

static int by_slot_then_spi(const void *a, const void *b)
{
	const struct found_spi *x = a, *y = b;

	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Gives a slot its ranges (at most 65,535 in a list); those that touch become one. */
static int keep_ranges(struct rsip_dp_slot *r, const struct found_spi *spi, uint32_t cnt)
{
	struct rsip_spi_set set = { .range = malloc(cnt * sizeof(*set.range)) };
	struct rsip_port_set ports;
	struct rsip_dp_slot old = *r;
	int err;

	if (!set.range)
		return -ENOMEM;
	for (uint32_t i = 0; i < cnt; i++) {
		struct rsip_spi_range *last = set.range_cnt ? &set.range[set.range_cnt - 1] : NULL;

		if (last && last->first + last->cnt == spi[i].first)
			last->cnt += spi[i].cnt;
		else if (set.range_cnt < UINT16_MAX)
			set.range[set.range_cnt++] =
				(struct rsip_spi_range){ spi[i].first, spi[i].cnt };
	}
	rsip_dp_res_ports(r, &ports);
	err = rsip_dp_res_keep(r, &ports, &set);
	if (!err)
		free(old.extra);
	free(set.range);
	return err;
}

static int scan_spis(struct scan *s)
{
	struct rsip_dp_core *c = s->c;
	int err = 0;

	s->repaired += rsip_table_repair(&c->spis);
	for (uint32_t b = 0; b < c->config.spi_buckets; b++) {
		for (int i = 0; i < 4 && !err; i++) {
			struct rsip_spi_entry *e = &c->m.spis[b].e[i];

			if (!e->slot)
				continue;
			if (spi_fits(c, e)) {
				err = keep_spi(s, e);
			} else {
				__atomic_store_n(&e->slot, 0, __ATOMIC_RELEASE);
				s->repaired++;
			}
		}
	}
	if (s->spi_cnt)
		qsort(s->spi, s->spi_cnt, sizeof(*s->spi), by_slot_then_spi);
	for (uint32_t i = 0, n; i < s->spi_cnt && !err; i += n) {
		for (n = 1; i + n < s->spi_cnt && s->spi[i + n].slot == s->spi[i].slot; n++)
			;
		err = keep_ranges(&c->slot[s->spi[i].slot], &s->spi[i], n);
	}
	return err;
}

/* ---- 5. completeness ------------------------------------------------------------------------- */

static void give_up(struct scan *s, uint32_t slot)
{
	rsip_dp_res_withdraw(s->c, slot);
	rsip_dp_slot_retire(s->c, slot);
	s->removed++;
}

static void check_complete(struct scan *s)
{
	struct rsip_dp_core *c = s->c;

	for (uint32_t slot = 1; slot <= c->config.max_bindings; slot++) {
		const struct rsip_binding *rec = &c->m.bindings[slot];

		if (!rsip_dp_numbers_used(&c->slots, slot))
			continue;
		if (rsip_dp_res_cnt(&c->slot[slot]) != rec->res_cnt ||
		    !rsip_dp_listener_complete(c, slot) ||
		    (rec->method == 1 && c->m.addr_info[rec->addr_index].whole_slot != slot))
			give_up(s, slot);
	}
}

/* ---- 6. pairs and learned records ------------------------------------------------------------ */

static bool names_pair(const struct rsip_dp_core *c, uint32_t slot, const struct rsip_pair_entry *e)
{
	return rsip_dp_numbers_used(&c->slots, slot) && c->m.bindings[slot].host == e->host &&
	       c->m.bindings[slot].local == e->local;
}

/* Calls fn for each pair entry in use. */
static void each_pair(struct scan *s, void (*fn)(struct scan *s, struct rsip_pair_entry *e))
{
	for (uint32_t b = 0; b < s->c->config.pair_buckets; b++)
		for (int i = 0; i < 4; i++)
			if (s->c->m.pairs[b].e[i].host)
				fn(s, &s->c->m.pairs[b].e[i]);
}

static void pair_before(struct scan *s, struct rsip_pair_entry *e)
{
	uint32_t ipsec = RSIP_PAIR_SLOT(e->ipsec_slot);

	if (e->slot && !names_pair(s->c, RSIP_PAIR_SLOT(e->slot), e)) {
		__atomic_store_n(&e->slot, 0, __ATOMIC_RELEASE);
		s->repaired++;
	}
	if (e->ipsec_slot && (!names_pair(s->c, ipsec, e) || s->c->m.bindings[ipsec].method != 3)) {
		__atomic_store_n(&e->ipsec_slot, 0, __ATOMIC_RELEASE);
		s->repaired++;
	}
}

static void pair_after(struct scan *s, struct rsip_pair_entry *e)
{
	struct rsip_dp_core *c = s->c;

	if (!rsip_dp_list_head(c, e->slot, RSIP_DP_ANY)) {
		rsip_table_pair_del(&c->pairs, e->host, e->local);
		return;
	}
	if (e->ipsec_slot && !rsip_dp_list_head(c, e->ipsec_slot, RSIP_DP_IPSEC))
		__atomic_store_n(&e->ipsec_slot, 0, __ATOMIC_RELEASE);
	rsip_dp_pair_settle(c, e);
}

/* The learned record that this binding shall have: its pair's, or its own if that is sound; 0: a
 * new one is needed. */
static uint32_t learned_of(struct rsip_dp_core *c, const struct rsip_binding *rec)
{
	uint32_t found = rsip_dp_learned_find(c, rec);
	const struct rsip_learned *l;

	if (found)
		return found;
	if (!rec->learned || rec->learned > c->config.max_learned)
		return 0;
	l = &c->m.learned[rec->learned];
	if (!l->gen || l->host != rec->host || l->local != rec->local ||
	    rsip_dp_numbers_used(&c->learned, rec->learned))
		return 0;
	return rec->learned;
}

static void join(struct scan *s, uint32_t slot, bool may_take)
{
	struct rsip_dp_core *c = s->c;
	struct rsip_binding *rec = &c->m.bindings[slot];
	uint32_t learned = 0;

	if (c->slot[slot].linked[RSIP_DP_ANY])
		return;
	if (rsip_dp_speaks_ike(rec)) {
		learned = learned_of(c, rec);
		if (!learned && !may_take)
			return;
		if (!learned && rsip_dp_learned_take(c, rec, slot, &learned))
			goto fail;
		rsip_dp_numbers_claim(&c->learned, learned);
	}
	__atomic_store_n(&rec->learned, learned, __ATOMIC_RELEASE);
	if (!rsip_dp_pair_join(c, slot)) {
		c->addr_binds[rec->addr_index]++;
		c->learned_binds[learned]++;
		c->gre_binds += rec->tunnel == RSIP_TUNNEL_GRE;
		return;
	}
	if (learned && !c->learned_binds[learned])
		rsip_dp_learned_drop(c, learned);
fail:
	give_up(s, slot);
}

/* First those whose learned record is known to be good, so that no new one takes its place. */
static void scan_pairs(struct scan *s)
{
	struct rsip_dp_core *c = s->c;

	s->repaired += rsip_table_repair(&c->pairs) + rsip_table_repair(&c->remotes);
	s->repaired += rsip_dp_remote_repair(c);
	each_pair(s, pair_before);
	for (int round = 0; round < 2; round++)
		for (uint32_t slot = 1; slot <= c->config.max_bindings; slot++)
			if (rsip_dp_numbers_used(&c->slots, slot))
				join(s, slot, round == 1);
	each_pair(s, pair_after);
	rsip_dp_remote_repair(c); /* of what was given up just now */
	for (uint32_t i = 1; i <= c->config.max_learned; i++) {
		struct rsip_learned *l = &c->m.learned[i];

		if (rsip_dp_numbers_used(&c->learned, i) || !l->host)
			continue;
		rsip_dp_numbers_claim(&c->learned, i);
		rsip_dp_learned_drop(c, i);
		s->repaired++;
	}
}

/* ---- 7. the report --------------------------------------------------------------------------- */

static int report(struct rsip_dp_core *c, rsip_dp_found_fn fn, void *arg)
{
	int err = 0;

	for (uint32_t slot = 1; slot <= c->config.max_bindings && !err; slot++) {
		struct rsip_dp_binding b;
		const struct rsip_spi_range *range;

		if (!rsip_dp_numbers_used(&c->slots, slot))
			continue;
		b.rec = c->m.bindings[slot];
		rsip_dp_res_ports(&c->slot[slot], &b.ports);
		b.spis = (struct rsip_spi_set){ .range_cnt = (uint16_t)rsip_dp_res_ranges(
							&c->slot[slot], &range) };
		b.spis.range = (struct rsip_spi_range *)range;
		err = fn(arg, slot, &b);
	}
	return err;
}

int rsip_dp_scan(struct rsip_dp_core *c, uint64_t now_ns, rsip_dp_found_fn fn, void *arg)
{
	struct scan s = { .c = c, .now_ns = now_ns };
	int err = reset(c);

	if (err)
		return err;
	scan_addrs(&s);
	scan_records(&s);
	scan_ports(&s);
	scan_listeners(&s);
	err = scan_spis(&s);
	free(s.spi);
	if (err)
		return err;
	clear_infos(&s);
	check_complete(&s);
	scan_pairs(&s);
	c->scanned = true;
	rsip_dp_gre_decide(c);
	/* What a record that ended just now still names must not be written before its packets are
	 * through. */
	rsip_dp_core_grace(c);
	c->stale++;
	if (s.removed || s.repaired)
		log_info("took over the data plane: %u bindings had expired or were incomplete, %u "
			 "table entries repaired",
			 s.removed, s.repaired);
	return fn ? report(c, fn, arg) : 0;
}
