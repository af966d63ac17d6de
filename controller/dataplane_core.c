// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Addresses, interfaces, policy, counters, housekeeping: what is left of dataplane.h beside the
 * bindings. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dataplane_core.h"
#include "dataplane_ops.h"
#include "log.h"
#include "util.h"

static struct rsip_dp_core *core(struct rsip_dataplane *dp)
{
	return (struct rsip_dp_core *)dp;
}

static uint32_t op_max_bindings(struct rsip_dataplane *dp)
{
	return core(dp)->config.max_bindings;
}

static uint32_t op_max_addrs(struct rsip_dataplane *dp)
{
	return core(dp)->config.max_addrs;
}

static int op_config(struct rsip_dataplane *dp, struct rsip_config *out)
{
	*out = core(dp)->config;
	return 0;
}

/* ---- addresses ------------------------------------------------------------------------------- */

/* Each span is one word: a packet sees the old one or the new one. */
static void write_spans(struct rsip_addr_info *info, const struct rsip_dp_addr_rules *r)
{
	uint32_t word;
	uint64_t word64;

	for (int i = 0; i < RSIP_KERNEL_PORT_SPANS; i++) {
		memcpy(&word, &r->kernel_ports[i], sizeof(word));
		__atomic_store_n((uint32_t *)(void *)&info->kernel_ports[i], word, __ATOMIC_RELAXED);
	}
	for (int i = 0; i < RSIP_KERNEL_ID_SPANS; i++) {
		memcpy(&word, &r->kernel_ids[i], sizeof(word));
		__atomic_store_n((uint32_t *)(void *)&info->kernel_ids[i], word, __ATOMIC_RELAXED);
	}
	for (int i = 0; i < RSIP_KERNEL_SPI_SPANS; i++) {
		memcpy(&word64, &r->kernel_spis[i], sizeof(word64));
		__atomic_store_n((uint64_t *)(void *)&info->kernel_spis[i], word64, __ATOMIC_RELAXED);
	}
}

static int op_addr_rules(struct rsip_dataplane *dp, uint32_t index, const struct rsip_dp_addr_rules *r)
{
	struct rsip_dp_core *c = core(dp);
	uint32_t flags = RSIP_ADDR_LIVE;

	if (index >= c->config.max_addrs || !c->addr_known[index])
		return -ENOENT;
	if (r->guess)
		flags |= RSIP_ADDR_GUESS;
	if (r->kernel_ike)
		flags |= RSIP_ADDR_KERNEL_IKE;
	write_spans(&c->m.addr_info[index], r);
	__atomic_store_n(&c->m.addr_info[index].flags, flags, __ATOMIC_RELEASE);
	return 0;
}

/* Forgets what an earlier process knew under this index; its bindings lose their address and go in
 * foreach. */
static void forget_index(struct rsip_dp_core *c, uint32_t index)
{
	struct rsip_addr_info *info = &c->m.addr_info[index];
	struct rsip_addr_entry *e = info->addr ? rsip_table_addr(&c->addrs, info->addr) : NULL;

	if (e && e->index == index)
		rsip_table_addr_del(&c->addrs, info->addr);
	__atomic_store_n(&info->flags, 0, __ATOMIC_RELEASE);
	write_spans(info, &(struct rsip_dp_addr_rules){ 0 });
	__atomic_store_n(&info->whole_slot, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&info->addr, 0, __ATOMIC_RELEASE);
}

/* The address or the index is in use by something else. */
static int resolve_clash(struct rsip_dp_core *c, uint32_t index, __be32 addr,
			 const struct rsip_addr_entry *e)
{
	uint32_t old = e ? e->index : index;

	if (old >= c->config.max_addrs || c->addr_known[index] || c->addr_known[old])
		return -EEXIST;
	log_warn("address %s changed its place from %u to %u: its bindings of an earlier rsipd end",
		 rsip_ip4(addr), old, index);
	if (old != index)
		forget_index(c, old);
	if (c->m.addr_info[index].addr)
		forget_index(c, index);
	return 0;
}

/* Packets look only between the bounds for a pool address: they must hold it before it is published. */
static void widen_pool(struct rsip_policy *policy, uint32_t addr)
{
	if (!policy->pool_last || addr < policy->pool_first)
		__atomic_store_n(&policy->pool_first, addr, __ATOMIC_RELEASE);
	if (addr > policy->pool_last)
		__atomic_store_n(&policy->pool_last, addr, __ATOMIC_RELEASE);
}

static int op_addr_add(struct rsip_dataplane *dp, uint32_t index, __be32 addr, uint32_t pool)
{
	struct rsip_dp_core *c = core(dp);
	const struct rsip_addr_entry *e = rsip_table_addr(&c->addrs, addr);
	struct rsip_addr_info *info;
	int err;

	if (index >= c->config.max_addrs || !addr)
		return -EINVAL;
	info = &c->m.addr_info[index];
	if ((e && e->index != index) || (info->addr && info->addr != addr)) {
		err = resolve_clash(c, index, addr, e);
		if (err)
			return err;
		e = rsip_table_addr(&c->addrs, addr);
	}
	if (!info->addr) /* what was another address's once must not bring that one's ports along */
		rsip_dp_ports_clear(c, index);
	widen_pool(c->m.policy, ntohl(addr));
	__atomic_store_n(&info->addr, addr, __ATOMIC_RELEASE);
	__atomic_store_n(&info->pool, pool, __ATOMIC_RELAXED);
	/* what an earlier process said of it holds until addr_rules */
	__atomic_or_fetch(&info->flags, RSIP_ADDR_LIVE, __ATOMIC_RELEASE);
	err = e ? 0 : rsip_table_addr_put(&c->addrs, addr, index);
	if (err)
		forget_index(c, index);
	else
		c->addr_known[index] = true;
	return err;
}

static int op_addr_remove(struct rsip_dataplane *dp, uint32_t index, __be32 addr)
{
	struct rsip_dp_core *c = core(dp);

	if (index >= c->config.max_addrs || !addr || c->m.addr_info[index].addr != addr)
		return -ENOENT;
	if (c->addr_binds[index])
		return -EBUSY;
	forget_index(c, index);
	c->addr_known[index] = false;
	return 0;
}

/* ---- interfaces, policy ---------------------------------------------------------------------- */

static int op_iface_counters(struct rsip_dataplane *dp, uint32_t iface, struct rsip_counters *sum)
{
	struct rsip_dp_core *c = core(dp);

	memset(sum, 0, sizeof(*sum));
	if (iface >= RSIP_MAX_IFACES)
		return -EINVAL;
	for (uint32_t cpu = 0; cpu < c->config.cpus; cpu++) {
		const struct rsip_counters *from = &c->m.counters[cpu * RSIP_MAX_IFACES + iface];

		for (int i = 0; i < RSIP_CNT_MAX; i++)
			sum->cnt[i] += __atomic_load_n(&from->cnt[i], __ATOMIC_RELAXED);
	}
	return 0;
}

static int op_ifaces(struct rsip_dataplane *dp, struct rsip_dp_iface *out, int max)
{
	struct rsip_dp_core *c = core(dp);
	int n = 0;

	for (uint32_t i = 1; i < RSIP_MAX_IFACES && n < max; i++) {
		if (!c->m.ifaces[i].ifindex)
			continue;
		out[n].index = i;
		out[n++].rec = c->m.ifaces[i];
	}
	return n;
}

/* NULL: none of ours has this index. */
static struct rsip_iface *iface_at(const struct rsip_dp_core *c, uint32_t index)
{
	return index && index < RSIP_MAX_IFACES && c->m.ifaces[index].ifindex ? &c->m.ifaces[index] : NULL;
}

int rsip_dataplane_iface(struct rsip_dataplane *dp, uint32_t index, struct rsip_iface *rec)
{
	const struct rsip_iface *iface = iface_at(core(dp), index);

	if (!iface)
		return -ENODEV;
	*rec = *iface;
	return 0;
}

/* A packet that comes while the address is written finds neither: it goes to the kernel, as one for another machine. */
static int op_iface_link(struct rsip_dataplane *dp, uint32_t iface, const struct rsip_link *link)
{
	struct rsip_iface *rec = iface_at(core(dp), iface);

	if (!rec)
		return -ENODEV;
	for (int i = 0; i < 6; i++) {
		__atomic_store_n(&rec->mac[i], link->mac[i], __ATOMIC_RELAXED);
		__atomic_store_n(&rec->vmac[i], link->vmac[i], __ATOMIC_RELAXED);
	}
	__atomic_store_n(&rec->mtu, link->mtu, __ATOMIC_RELAXED);
	return 0;
}

static int op_set_policy(struct rsip_dataplane *dp, const struct rsip_policy *policy)
{
	struct rsip_policy *to = core(dp)->m.policy;

	if (policy->net_cnt > RSIP_MAX_NETS || policy->endpoint_cnt > RSIP_MAX_ENDPOINTS)
		return -EINVAL;
	for (uint32_t i = 0; i < policy->endpoint_cnt; i++)
		__atomic_store_n(&to->endpoints[i], policy->endpoints[i], __ATOMIC_RELAXED);
	__atomic_store_n(&to->endpoint_cnt, policy->endpoint_cnt, __ATOMIC_RELEASE);
	for (uint32_t i = 0; i < policy->net_cnt; i++) {
		uint64_t word;

		memcpy(&word, &policy->private_nets[i], sizeof(word));
		__atomic_store_n((uint64_t *)(void *)&to->private_nets[i], word, __ATOMIC_RELAXED);
	}
	__atomic_store_n(&to->net_cnt, policy->net_cnt, __ATOMIC_RELEASE);
	core(dp)->gre_offered = policy->flags & RSIP_POLICY_GRE;
	__atomic_store_n(&to->flags, policy->flags | (to->flags & (RSIP_POLICY_GRE | RSIP_POLICY_RULES)),
			 __ATOMIC_RELEASE);
	rsip_dp_gre_decide(core(dp));
	return 0;
}

/* What is not offered any more stays ours as long as somebody has it. */
void rsip_dp_gre_decide(struct rsip_dp_core *c)
{
	uint32_t flags = c->m.policy->flags;

	if (c->gre_offered || c->gre_binds)
		flags |= RSIP_POLICY_GRE;
	else if (c->scanned)
		flags &= ~(uint32_t)RSIP_POLICY_GRE;
	if (flags != c->m.policy->flags)
		__atomic_store_n(&c->m.policy->flags, flags, __ATOMIC_RELEASE);
}

static void op_routes_changed(struct rsip_dataplane *dp)
{
	__atomic_add_fetch(&core(dp)->m.policy->route_gen, 1, __ATOMIC_RELEASE);
}

static void op_route_rules(struct rsip_dataplane *dp, bool there_are)
{
	struct rsip_policy *policy = core(dp)->m.policy;
	uint32_t flags = policy->flags & ~(uint32_t)RSIP_POLICY_RULES;

	__atomic_store_n(&policy->flags, there_are ? flags | RSIP_POLICY_RULES : flags, __ATOMIC_RELEASE);
}

static bool op_outdated(struct rsip_dataplane *dp)
{
	uint32_t version = *(const volatile uint32_t *)&core(dp)->m.config->layout_version;

	return version & RSIP_LAYOUT_MOVING || version > RSIP_LAYOUT_VERSION;
}

static void op_alive(struct rsip_dataplane *dp, uint64_t now_ns)
{
	__atomic_store_n(&core(dp)->m.policy->alive_ns, now_ns, __ATOMIC_RELAXED);
}

/* ---- life ------------------------------------------------------------------------------------ */

void rsip_dp_core_grace(struct rsip_dp_core *c)
{
	c->back->grace(c);
	c->graces++;
	rsip_dp_numbers_settle(&c->slots);
	rsip_dp_numbers_settle(&c->learned);
	rsip_dp_numbers_settle(&c->hosts6);
}

uint32_t rsip_dp_core_take(struct rsip_dp_core *c, struct rsip_dp_numbers *n)
{
	uint32_t num = rsip_dp_numbers_take(n);

	if (num || !n->limbo_head)
		return num;
	rsip_dp_core_grace(c);
	return rsip_dp_numbers_take(n);
}

static void table_grace(void *arg)
{
	rsip_dp_core_grace(arg);
}

/* Since when has something been in limbo?  0 where nothing is. */
static uint64_t limbo_age(struct rsip_dp_numbers *n, uint64_t now_ns)
{
	if (!n->limbo_head)
		return 0;
	if (!n->limbo_since_ns)
		n->limbo_since_ns = now_ns;
	return now_ns - n->limbo_since_ns;
}

static void op_housekeep(struct rsip_dataplane *dp, uint64_t now_ns)
{
	struct rsip_dp_core *c = core(dp);
	uint64_t slots = limbo_age(&c->slots, now_ns), learned = limbo_age(&c->learned, now_ns);
	uint64_t hosts6 = limbo_age(&c->hosts6, now_ns);

	if (slots > RSIP_NS_PER_S || learned > RSIP_NS_PER_S || hosts6 > RSIP_NS_PER_S)
		rsip_dp_core_grace(c);
	c->back->sweep(c, now_ns);
}

static int op_foreach(struct rsip_dataplane *dp, uint64_t now_ns, rsip_dp_found_fn fn, void *arg)
{
	return rsip_dp_scan(core(dp), now_ns, fn, arg);
}

static int op_explain(struct rsip_dataplane *dp, struct rsip_explain *x)
{
	return core(dp)->back->explain(core(dp), x);
}

static uint32_t op_session(struct rsip_dataplane *dp, __be32 host)
{
	return core(dp)->back->session(core(dp), host);
}

static bool op_iface_gone(struct rsip_dataplane *dp, uint32_t ifindex)
{
	return core(dp)->back->iface_gone(ifindex);
}

static int op_events_fd(struct rsip_dataplane *dp)
{
	return core(dp)->back->events_fd(core(dp));
}

static void op_events(struct rsip_dataplane *dp, rsip_dp_event_fn fn, void *arg)
{
	core(dp)->back->events(core(dp), fn, arg);
}

static void op_close(struct rsip_dataplane *dp)
{
	struct rsip_dp_core *c = core(dp);

	rsip_dp_core_fini(c);
	c->back->release(c);
}

static const struct rsip_dataplane_ops core_ops = {
	.max_bindings = op_max_bindings,
	.max_addrs = op_max_addrs,
	.addr_add = op_addr_add,
	.addr_remove = op_addr_remove,
	.addr_rules = op_addr_rules,
	.host6_add = rsip_dp_host6_add,
	.host6_claim = rsip_dp_host6_claim,
	.host6_drop = rsip_dp_host6_drop,
	.host6_get = rsip_dp_host6_get,
	.bind_install = rsip_dp_bind_install,
	.bind_remove = rsip_dp_bind_remove,
	.bind_extend = rsip_dp_bind_extend,
	.bind_nexthop = rsip_dp_bind_nexthop,
	.bind_mtu = rsip_dp_bind_mtu,
	.bind_dscp = rsip_dp_bind_dscp,
	.bind_counters = rsip_dp_bind_counters,
	.iface_counters = op_iface_counters,
	.ifaces = op_ifaces,
	.iface_link = op_iface_link,
	.set_policy = op_set_policy,
	.routes_changed = op_routes_changed,
	.route_rules = op_route_rules,
	.alive = op_alive,
	.outdated = op_outdated,
	.config = op_config,
	.foreach = op_foreach,
	.housekeep = op_housekeep,
	.events_fd = op_events_fd,
	.explain = op_explain,
	.session = op_session,
	.iface_gone = op_iface_gone,
	.events = op_events,
	.close = op_close,
};

int rsip_dp_core_init(struct rsip_dp_core *c)
{
	const struct rsip_config *conf = &c->config;
	int err;

	rsip_table_init_addrs(&c->addrs, c->m.addrs, conf->addr_buckets, conf->hash_seed);
	rsip_table_init_spis(&c->spis, c->m.spis, conf->spi_buckets, conf->hash_seed);
	rsip_table_init_pairs(&c->pairs, c->m.pairs, conf->pair_buckets, conf->hash_seed);
	rsip_table_init_remotes(&c->remotes, c->m.remotes, conf->remote_buckets, conf->hash_seed);
	rsip_table_init_hosts6(&c->host6_tab, c->m.host6_tab, rsip_host6_buckets(conf->max_hosts6), conf->hash_seed);
	c->addrs.grace = c->spis.grace = c->pairs.grace = c->remotes.grace = c->host6_tab.grace = table_grace;
	c->addrs.grace_arg = c->spis.grace_arg = c->pairs.grace_arg = c->remotes.grace_arg = c->host6_tab.grace_arg = c;
	c->slot = calloc((size_t)conf->max_bindings + 1, sizeof(*c->slot));
	c->learned_binds = calloc(conf->max_learned + 1ULL, sizeof(*c->learned_binds));
	c->addr_binds = calloc(conf->max_addrs, sizeof(*c->addr_binds));
	c->addr_known = calloc(conf->max_addrs, sizeof(*c->addr_known));
	c->block_ports = calloc(conf->max_addrs, RSIP_PORT_BLOCKS);
	err = rsip_dp_numbers_init(&c->slots, conf->max_bindings);
	if (!err)
		err = rsip_dp_numbers_init(&c->learned, conf->max_learned);
	if (!err)
		err = rsip_dp_numbers_init(&c->hosts6, conf->max_hosts6);
	if (err || !c->slot || !c->learned_binds || !c->addr_binds || !c->addr_known ||
	    !c->block_ports) {
		rsip_dp_core_fini(c);
		return -ENOMEM;
	}
	c->dp.ops = &core_ops;
	rsip_dp_host6_scan(c);
	c->stale = 1; /* an earlier process may have left claims */
	return 0;
}

void rsip_dp_core_fini(struct rsip_dp_core *c)
{
	for (uint32_t i = 1; c->slot && i <= c->config.max_bindings; i++)
		free(c->slot[i].extra);
	free(c->slot);
	free(c->learned_binds);
	free(c->addr_binds);
	free(c->addr_known);
	free(c->block_ports);
	rsip_dp_numbers_free(&c->slots);
	rsip_dp_numbers_free(&c->learned);
	rsip_dp_numbers_free(&c->hosts6);
}
