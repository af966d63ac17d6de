// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Commands about rsipd and its data plane as a whole. */
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "json.h"
#include "util.h"

static const char *mode_name(uint32_t mode)
{
	switch (mode) {
	case RSIP_MODE_NATIVE:
		return "native";
	case RSIP_MODE_GENERIC:
		return "generic";
	case RSIP_MODE_TC:
		return "tc";
	}
	return "unknown";
}

static int ifaces_of(struct rsip_ctl_call *call, struct rsip_dp_iface *iface)
{
	int cnt = call->ctx->dp->ops->ifaces(call->ctx->dp, iface, RSIP_MAX_IFACES);

	return cnt > 0 ? cnt : 0;
}

static cJSON *show_iface(const struct rsip_dp_iface *iface)
{
	char name[sizeof(iface->rec.name) + 1] = "";
	cJSON *obj = cJSON_CreateObject();

	memcpy(name, iface->rec.name, sizeof(iface->rec.name));
	cJSON_AddStringToObject(obj, "name", name);
	cJSON_AddStringToObject(obj, "role",
				iface->rec.role == RSIP_ROLE_PUBLIC	 ? "public"
				: iface->rec.role == RSIP_ROLE_PRIVATE ? "private"
								       : "slow");
	return obj;
}

/* ---- pools: ranges that follow each other under one name are one pool ------------------------- */

static void add_up(struct rsip_pool_stats *sum, const struct rsip_pool_stats *more)
{
	sum->addrs += more->addrs;
	sum->ports_total += more->ports_total;
	sum->ports_leased += more->ports_leased;
	sum->ports_held += more->ports_held;
	sum->spis_leased += more->spis_leased;
	sum->spis_held += more->spis_held;
	sum->binds += more->binds;
	sum->whole_leased += more->whole_leased;
	sum->hosts += more->hosts;
	sum->share_refused += more->share_refused;
}

static void show_pool(cJSON *list, const struct rsip_pool_conf *pool, const struct rsip_pool_stats *s)
{
	cJSON *obj = cJSON_CreateObject();

	cJSON_AddStringToObject(obj, "name", pool->name);
	cJSON_AddBoolToObject(obj, "draining", pool->draining);
	rsip_json_add_u64(obj, "addresses", s->addrs);
	rsip_json_add_u64(obj, "bindings", s->binds);
	rsip_json_add_u64(obj, "hosts", s->hosts);
	rsip_json_add_u64(obj, "share-refused", s->share_refused);
	rsip_json_add_u64(obj, "ports", s->ports_total);
	rsip_json_add_u64(obj, "ports-leased", s->ports_leased);
	rsip_json_add_u64(obj, "ports-held", s->ports_held);
	rsip_json_add_u64(obj, "spis-leased", s->spis_leased);
	rsip_json_add_u64(obj, "spis-held", s->spis_held);
	cJSON_AddItemToArray(list, obj);
}

static bool belongs(const struct rsip_lease *lm, const struct rsip_pool_conf *pool, uint32_t index)
{
	const struct rsip_pool_conf *other = rsip_lease_pool(lm, index);

	return !other->gone && other->draining == pool->draining && !strcmp(other->name, pool->name);
}

static void add_pools(struct rsip_ctl_call *call)
{
	const struct rsip_conf *conf = call->ctx->conf;
	cJSON *list = cJSON_AddArrayToObject(call->out, "pools");
	uint32_t cnt = rsip_lease_pools(call->ctx->lm);

	for (uint32_t i = 0; i < cnt && i < conf->pool_cnt;) {
		const struct rsip_pool_conf *pool = rsip_lease_pool(call->ctx->lm, i);
		struct rsip_pool_stats sum, one;
		uint32_t j = i;

		if (pool->gone) {
			i++;
			continue;
		}

		memset(&sum, 0, sizeof(sum));
		for (; j < cnt && j < conf->pool_cnt && belongs(call->ctx->lm, pool, j); j++) {
			rsip_lease_pool_stats(call->ctx->lm, j, &one);
			add_up(&sum, &one);
		}
		show_pool(list, pool, &sum);
		i = j;
	}
}

/* ---- the lease store -------------------------------------------------------------------------- */

void rsip_ctl_show_store(cJSON *out, const struct rsip_ctl_store *store)
{
	cJSON *obj = cJSON_AddObjectToObject(out, "store");

	cJSON_AddStringToObject(obj, "backend", store->backend);
	if (store->path)
		cJSON_AddStringToObject(obj, "path", store->path);
	cJSON_AddStringToObject(obj, "state", store->why ? "failing" : "ok");
	if (store->why) {
		cJSON_AddStringToObject(obj, "why", store->why);
		rsip_json_add_u64(obj, "failing-for", store->failing_for_s);
	}
	rsip_json_add_u64(obj, "commits", store->commits);
	rsip_json_add_u64(obj, "changes", store->changes);
	rsip_json_add_u64(obj, "commit-us", store->commit_us);
	rsip_json_add_u64(obj, "longest-commit-us", store->longest_us);
	rsip_json_add_u64(obj, "failures", store->failures);
	rsip_json_add_u64(obj, "largest-batch", store->largest_batch);
	rsip_json_add_u64(obj, "waiting-changes", store->waiting_changes);
	rsip_json_add_u64(obj, "waiting-answers", store->waiting_answers);
	rsip_json_add_u64(obj, "shed", store->shed);
}

/* ---- version, status -------------------------------------------------------------------------- */

enum rsip_ctl_result rsip_ctl_fn_VERSION_GET(struct rsip_ctl_call *call)
{
	cJSON_AddStringToObject(call->out, "version", RSIP_PACKAGE_VERSION);
	rsip_json_add_u64(call->out, "layout-version", RSIP_LAYOUT_VERSION);
	rsip_json_add_u64(call->out, "protocol-version", RSIP_VERSION);
	return rsip_ctl_say(call, RSIP_CTL_OK, "rsipd %s", RSIP_PACKAGE_VERSION);
}

/* The longest inner packet of each tunnel type. */
static void add_tunnel_mtus(cJSON *obj, uint32_t mtu, uint32_t tunnels, uint32_t more)
{
	for (unsigned int t = RSIP_TUNNEL_IPIP; t <= RSIP_TUNNEL_L2TP; t++)
		if (tunnels & RSIP_TUNNEL_BIT(t) && mtu > RSIP_TUNNEL_LEN(t) + more)
			rsip_json_add_u64(obj, rsip_tunnel_name(t), mtu - RSIP_TUNNEL_LEN(t) - more);
}

static void add_endpoints(cJSON *obj, const struct rsip_iface *iface, uint32_t tunnels)
{
	rsip_json_add_ip4(obj, "endpoint", iface->endpoint);
	add_tunnel_mtus(cJSON_AddObjectToObject(obj, "tunnel-mtu"), iface->mtu, tunnels, 0);
	if (!iface->endpoint6[0])
		return;
	cJSON_AddStringToObject(obj, "endpoint6", rsip_ip6(iface->endpoint6));
	add_tunnel_mtus(cJSON_AddObjectToObject(obj, "tunnel-mtu6"), iface->mtu, tunnels, RSIP_OUTER6_MORE);
}

static void add_interfaces(struct rsip_ctl_call *call, uint32_t tunnels)
{
	struct rsip_dp_iface iface[RSIP_MAX_IFACES];
	int cnt = ifaces_of(call, iface);
	cJSON *list = cJSON_AddArrayToObject(call->out, "interfaces");

	for (int i = 0; i < cnt; i++) {
		cJSON *obj = show_iface(&iface[i]);

		rsip_json_add_u64(obj, "ifindex", iface[i].rec.ifindex);
		rsip_json_add_u64(obj, "mtu", iface[i].rec.mtu);
		rsip_json_add_mac(obj, "mac", iface[i].rec.mac);
		if (call->ctx->dp->ops->iface_gone(call->ctx->dp, iface[i].rec.ifindex))
			cJSON_AddBoolToObject(obj, "gone", true);
		if (iface[i].rec.role == RSIP_ROLE_PRIVATE)
			add_endpoints(obj, &iface[i].rec, tunnels);
		cJSON_AddItemToArray(list, obj);
	}
}

enum rsip_ctl_result rsip_ctl_fn_STATUS_GET(struct rsip_ctl_call *call)
{
	struct rsip_ctl_context *ctx = call->ctx;
	struct rsip_config config;
	uint32_t clients = rsip_lease_client_count(ctx->lm), binds = rsip_lease_bind_count(ctx->lm);
	uint64_t uptime = (call->now_ns - ctx->start_ns) / RSIP_NS_PER_S;

	memset(&config, 0, sizeof(config));
	ctx->dp->ops->config(ctx->dp, &config);
	cJSON_AddStringToObject(call->out, "version", RSIP_PACKAGE_VERSION);
	rsip_json_add_u64(call->out, "pid", (uint64_t)getpid());
	rsip_json_add_u64(call->out, "uptime", uptime);
	rsip_json_add_u64(call->out, "attached",
			  call->now_ns > config.attached_ns
				  ? (call->now_ns - config.attached_ns) / RSIP_NS_PER_S
				  : 0);
	cJSON_AddStringToObject(call->out, "mode", mode_name(config.mode));
	rsip_json_add_u64(call->out, "clients", clients);
	rsip_json_add_u64(call->out, "clients-max", ctx->conf->limits.clients);
	rsip_json_add_u64(call->out, "bindings", binds);
	rsip_json_add_u64(call->out, "bindings-max", ctx->dp->ops->max_bindings(ctx->dp));
	rsip_json_add_u64(call->out, "adopted-clients", ctx->adopted_clients);
	rsip_json_add_u64(call->out, "adopted-bindings", ctx->adopted_binds);
	if (ctx->add_status)
		ctx->add_status(ctx->arg, call->out);
	add_interfaces(call, config.tunnels & rsip_flow_tunnels(ctx->conf->policy, ctx->conf->policy_cnt));
	add_pools(call);
	return rsip_ctl_say(call, RSIP_CTL_OK, "running for %llu s, %u clients, %u bindings",
			    (unsigned long long)uptime, clients, binds);
}

/* ---- counters --------------------------------------------------------------------------------- */

static void add_rows(cJSON *obj, const uint64_t *cnt, bool drops)
{
	cJSON *out = cJSON_AddObjectToObject(obj, drops ? "drops" : "events");

	for (unsigned int i = 0; i < RSIP_CNT_USED; i++)
		if (rsip_counter_name(i) && (i >= RSIP_CNT_DROP_FIRST) == drops)
			rsip_json_add_u64(out, rsip_counter_name(i), cnt[i]);
}

static void add_dataplane(struct rsip_ctl_call *call)
{
	struct rsip_dataplane *dp = call->ctx->dp;
	struct rsip_dp_iface iface[RSIP_MAX_IFACES];
	int cnt = ifaces_of(call, iface);
	uint64_t sum[RSIP_CNT_MAX] = {0};
	cJSON *list = cJSON_CreateArray(), *total = cJSON_AddObjectToObject(call->out, "total");

	for (int i = 0; i < cnt; i++) {
		struct rsip_counters c;
		uint64_t row[RSIP_CNT_MAX];
		cJSON *obj = show_iface(&iface[i]);

		memset(&c, 0, sizeof(c));
		dp->ops->iface_counters(dp, iface[i].index, &c);
		for (int k = 0; k < RSIP_CNT_MAX; k++) {
			row[k] = c.cnt[k];
			sum[k] += c.cnt[k];
		}
		add_rows(obj, row, false);
		add_rows(obj, row, true);
		cJSON_AddItemToArray(list, obj);
	}
	add_rows(total, sum, false);
	add_rows(total, sum, true);
	cJSON_AddItemToObject(call->out, "interfaces", list);
}

static enum rsip_ctl_result stats_of_binding(struct rsip_ctl_call *call, uint32_t bind_id)
{
	struct rsip_lease_client *owner;
	const struct rsip_lease_bind *b = rsip_lease_bind_by_id(call->ctx->lm, bind_id, &owner);
	struct rsip_bind_cnt cnt = {0, 0, 0, 0};

	if (!b)
		return rsip_ctl_say(call, RSIP_CTL_EMPTY, "no such binding");
	call->ctx->dp->ops->bind_counters(call->ctx->dp, b->slot, &cnt);
	rsip_json_add_u64(call->out, "bind-id", bind_id);
	rsip_json_add_u64(call->out, "in-packets", cnt.in_packets);
	rsip_json_add_u64(call->out, "in-bytes", cnt.in_bytes);
	rsip_json_add_u64(call->out, "out-packets", cnt.out_packets);
	rsip_json_add_u64(call->out, "out-bytes", cnt.out_bytes);
	return rsip_ctl_say(call, RSIP_CTL_OK, "binding %u", bind_id);
}

enum rsip_ctl_result rsip_ctl_fn_STATS_GET(struct rsip_ctl_call *call)
{
	uint64_t id;
	int got = rsip_ctl_arg(call, "bind-id", UINT32_MAX, &id);

	if (got < 0)
		return RSIP_CTL_ERROR;
	if (got)
		return stats_of_binding(call, (uint32_t)id);
	add_dataplane(call);
	if (call->ctx->add_stats)
		call->ctx->add_stats(call->ctx->arg, call->out);
	add_pools(call);
	return rsip_ctl_say(
		call, RSIP_CTL_OK,
		"counters since the data plane was attached; protocol since rsipd began");
}
