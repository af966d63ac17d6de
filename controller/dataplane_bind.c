// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Bindings: the publish order of rsip/maps.h. */
#include <errno.h>
#include <string.h>
#include "dataplane_core.h"
#include "dataplane_ops.h"

static struct rsip_dp_core *core(struct rsip_dataplane *dp)
{
	return (struct rsip_dp_core *)dp;
}

static bool is_whole(const struct rsip_binding *rec)
{
	return rec->method == 1;
}

static struct rsip_bind_cnt *counters_of(const struct rsip_dp_core *c, uint32_t cpu, uint32_t slot)
{
	return &c->m.bind_cnt[(size_t)cpu * (c->config.max_bindings + 1) + slot];
}

void rsip_dp_slot_retire(struct rsip_dp_core *c, uint32_t slot)
{
	__atomic_store_n(&c->m.bindings[slot].expires_ns, 0, __ATOMIC_RELEASE);
	rsip_dp_res_forget(&c->slot[slot]);
	rsip_dp_numbers_drop(&c->slots, slot);
}

/* Its slot, where packets look for it first if that is free; 0: none is. */
static uint32_t choose_slot(struct rsip_dp_core *c, const struct rsip_binding *rec, const struct rsip_dp_slot *res)
{
	uint32_t home = rsip_dp_ports_home(c, rec->addr_index, res);

	return rsip_dp_numbers_has(&c->slots, home) ? home : rsip_dp_numbers_peek(&c->slots);
}

/* The pair's learned record, or a new one, which nothing names until the binding joins the pair. */
static int find_learned(struct rsip_dp_core *c, struct rsip_binding *rec, uint32_t slot)
{
	rec->learned = rsip_dp_speaks_ike(rec) ? rsip_dp_learned_find(c, rec) : 0;
	if (rec->learned || !rsip_dp_speaks_ike(rec))
		return 0;
	return rsip_dp_learned_take(c, rec, slot, &rec->learned);
}

static int publish(struct rsip_dp_core *c, uint32_t slot)
{
	const struct rsip_binding *rec = &c->m.bindings[slot];
	int err = rsip_dp_res_publish(c, slot);

	if (!err)
		err = rsip_dp_pair_join(c, slot);
	if (!err)
		err = rsip_dp_listener_publish(c, slot);
	if (err)
		rsip_dp_pair_leave(c, slot);
	if (!err && is_whole(rec))
		__atomic_store_n(&c->m.addr_info[rec->addr_index].whole_slot, slot,
				 __ATOMIC_RELEASE);
	return err;
}

/* Checks what can be known without a slot, chooses one (0: none is free) and completes the record. */
static int prepare(struct rsip_dp_core *c, struct rsip_binding *rec, const struct rsip_dp_slot *res, uint32_t *slot)
{
	const struct rsip_addr_entry *a = rsip_table_addr(&c->addrs, rec->local);

	if (!a)
		return -ENOENT;
	rec->addr_index = a->index;
	rec->res_cnt = rsip_dp_res_cnt(res);
	if (c->m.addr_info[a->index].whole_slot || (is_whole(rec) && c->addr_binds[a->index]))
		return -EEXIST;
	if (rsip_dp_res_taken(c, rec, res) || rsip_dp_listener_taken(c, rec))
		return -EEXIST;
	*slot = choose_slot(c, rec, res);
	return find_learned(c, rec, *slot);
}

static void write_record(struct rsip_dp_core *c, uint32_t slot, const struct rsip_binding *rec)
{
	struct rsip_binding *to = &c->m.bindings[slot];

	for (uint32_t cpu = 0; cpu < c->config.cpus; cpu++)
		memset(counters_of(c, cpu, slot), 0, sizeof(struct rsip_bind_cnt));
	memcpy((uint8_t *)to + sizeof(to->expires_ns),
	       (const uint8_t *)rec + sizeof(to->expires_ns), sizeof(*to) - sizeof(to->expires_ns));
	__atomic_store_n(&to->expires_ns, rec->expires_ns, __ATOMIC_RELEASE);
}

static int drop_learned_if_new(struct rsip_dp_core *c, const struct rsip_binding *rec, int err)
{
	if (rec->learned && !c->learned_binds[rec->learned])
		rsip_dp_learned_drop(c, rec->learned);
	return err;
}

/* What follows reads all of it, one after the other: with a million bindings that is the time an installation takes. */
static void fetch(const struct rsip_dp_core *c, const struct rsip_dp_binding *b)
{
	rsip_table_pair_fetch(&c->pairs, b->rec.host, b->rec.local);
	if (b->spis.range_cnt)
		rsip_table_spi_fetch(&c->spis, b->rec.local, b->spis.range[0].first);
}

int rsip_dp_bind_install(struct rsip_dataplane *dp, const struct rsip_dp_binding *b,
			 uint32_t *slot_out)
{
	struct rsip_dp_core *c = core(dp);
	struct rsip_binding rec = b->rec;
	struct rsip_dp_slot res = { 0 };
	uint32_t slot;
	int err;

	if (!rec.host || !rec.local || !rec.expires_ns || rec.method < 1 || rec.method > 3 ||
	    (rec.kind & RSIP_KIND_IKE && !rec.remote))
		return -EINVAL;
	fetch(c, b);
	err = rsip_dp_res_keep(&res, &b->ports, &b->spis);
	if (err)
		return err;
	err = prepare(c, &rec, &res, &slot);
	if (err)
		goto out_res;
	if (!rsip_dp_numbers_take_this(&c->slots, slot))
		slot = rsip_dp_core_take(c, &c->slots);
	if (!slot) {
		err = drop_learned_if_new(c, &rec, -ENOSPC);
		goto out_res;
	}
	c->slot[slot] = res;
	write_record(c, slot, &rec);
	err = publish(c, slot);
	if (err) {
		rsip_dp_res_withdraw(c, slot);
		rsip_dp_slot_retire(c, slot);
		return drop_learned_if_new(c, &rec, err);
	}
	c->addr_binds[rec.addr_index]++;
	c->learned_binds[rec.learned]++;
	c->gre_binds += rec.tunnel == RSIP_TUNNEL_GRE;
	rsip_dp_gre_decide(c);
	*slot_out = slot;
	return 0;
out_res:
	rsip_dp_res_forget(&res);
	return err;
}

int rsip_dp_bind_remove(struct rsip_dataplane *dp, uint32_t slot)
{
	struct rsip_dp_core *c = core(dp);
	const struct rsip_binding *rec;

	if (!rsip_dp_numbers_used(&c->slots, slot))
		return -ENOENT;
	rec = &c->m.bindings[slot];
	if (c->m.addr_info[rec->addr_index].whole_slot == slot)
		__atomic_store_n(&c->m.addr_info[rec->addr_index].whole_slot, 0, __ATOMIC_RELEASE);
	rsip_dp_res_withdraw(c, slot);
	rsip_dp_listener_withdraw(c, slot);
	rsip_dp_pair_leave(c, slot);
	c->addr_binds[rec->addr_index]--;
	c->gre_binds -= rec->tunnel == RSIP_TUNNEL_GRE;
	rsip_dp_gre_decide(c);
	if (rec->learned && !--c->learned_binds[rec->learned])
		rsip_dp_learned_drop(c, rec->learned);
	rsip_dp_slot_retire(c, slot);
	return 0;
}

int rsip_dp_bind_extend(struct rsip_dataplane *dp, uint32_t slot, uint64_t expires_ns)
{
	struct rsip_dp_core *c = core(dp);

	if (!rsip_dp_numbers_used(&c->slots, slot))
		return -ENOENT;
	if (!expires_ns)
		return -EINVAL;
	__atomic_store_n(&c->m.bindings[slot].expires_ns, expires_ns, __ATOMIC_RELEASE);
	rsip_dp_pair_moved(c, slot);
	return 0;
}

int rsip_dp_bind_nexthop(struct rsip_dataplane *dp, uint32_t slot, uint64_t nexthop)
{
	struct rsip_dp_core *c = core(dp);

	if (!rsip_dp_numbers_used(&c->slots, slot))
		return -ENOENT;
	__atomic_store_n(&c->m.bindings[slot].nexthop, nexthop, __ATOMIC_RELEASE);
	return 0;
}

int rsip_dp_bind_mtu(struct rsip_dataplane *dp, uint32_t slot, uint16_t mtu)
{
	struct rsip_dp_core *c = core(dp);

	if (!rsip_dp_numbers_used(&c->slots, slot))
		return -ENOENT;
	__atomic_store_n(&c->m.bindings[slot].mtu, mtu, __ATOMIC_RELEASE);
	return 0;
}

int rsip_dp_bind_dscp(struct rsip_dataplane *dp, uint32_t slot, uint8_t dscp)
{
	struct rsip_dp_core *c = core(dp);

	if (!rsip_dp_numbers_used(&c->slots, slot))
		return -ENOENT;
	if (c->m.bindings[slot].dscp != dscp) /* else the line stays in the caches of those that forward */
		__atomic_store_n(&c->m.bindings[slot].dscp, dscp, __ATOMIC_RELEASE);
	return 0;
}

int rsip_dp_bind_counters(struct rsip_dataplane *dp, uint32_t slot, struct rsip_bind_cnt *sum)
{
	struct rsip_dp_core *c = core(dp);

	memset(sum, 0, sizeof(*sum));
	if (!rsip_dp_numbers_used(&c->slots, slot))
		return -ENOENT;
	for (uint32_t cpu = 0; cpu < c->config.cpus; cpu++) {
		const struct rsip_bind_cnt *from = counters_of(c, cpu, slot);

		sum->in_packets += __atomic_load_n(&from->in_packets, __ATOMIC_RELAXED);
		sum->in_bytes += __atomic_load_n(&from->in_bytes, __ATOMIC_RELAXED);
		sum->out_packets += __atomic_load_n(&from->out_packets, __ATOMIC_RELAXED);
		sum->out_bytes += __atomic_load_n(&from->out_bytes, __ATOMIC_RELAXED);
	}
	return 0;
}
