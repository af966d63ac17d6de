// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Puts the parts together: opening them, and the calls between them. */
#include "server.h"
#include "hosts6.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "log.h"
#include "server_priv.h"
#include "util.h"

#define HOST6_REST_S 60


const struct rsip_iface *rsip_server_iface(const struct rsip_server *s, uint16_t index)
{
	for (int i = 0; i < s->iface_cnt; i++)
		if (s->iface[i].index == index)
			return &s->iface[i].rec;
	return NULL;
}

/* ---- between transports and engine ------------------------------------------------------------ */

/*
 * A host that is served to the end takes several requests; many that are served by a part take as many for nothing.  So where
 * more is asked than can be read, or written, those that are there already go first.
 */
static bool is_for_later(const struct rsip_server *s, const uint8_t *msg, size_t len, uint64_t now_ns)
{
	return len >= RSIP_HDR_LEN && msg[1] == RSIP_MSG_REGISTER_REQUEST &&
	       (s->transports->behind || rsip_server_store_is_behind(s, now_ns));
}

static size_t on_message(void *arg, const struct rsip_peer *peer, const uint8_t *msg, size_t len,
			 uint64_t now_ns, uint8_t *answer, size_t size, bool *held)
{
	struct rsip_server *s = arg;
	const struct rsip_from from = {.addr = peer->host,
				       .port = peer->port,
				       .transport = peer->transport,
				       .iface = peer->iface,
				       .waited_ns = peer->waited_ns};

	if (peer->transport == RSIP_TRANSPORT_UDP && is_for_later(s, msg, len, now_ns)) {
		s->transports->stats.udp_later++;
		return 0;
	}
	if (peer->transport == RSIP_TRANSPORT_UDP && rsip_hold_is_full(&s->hold, now_ns)) {
		s->shed++;
		return 0;
	}
	len = rsip_engine_receive(s->engine, &from, msg, len, now_ns, answer, size);
	return rsip_server_store_hold(s, peer, answer, len, now_ns, held);
}

static void on_async(void *arg, const struct rsip_from *to, const uint8_t *msg, size_t len)
{
	struct rsip_server *s = arg;
	const struct rsip_peer peer = {
		.host = to->addr, .port = to->port, .iface = to->iface, .transport = to->transport};

	if (to->transport == RSIP_TRANSPORT_TCP)
		rsip_tcp_send(s->tcp, &peer, msg, len);
	else
		rsip_udp_send(s->udp, &peer, msg, len);
}

static void on_wake(void *arg)
{
	struct rsip_server *s = arg;
	struct timeval now = {0, 0};

	if (s->wake)
		event_add(s->wake, &now);
}

/* ---- between engine, leases and next hops ----------------------------------------------------- */

static void on_resolve(void *arg, __be32 host, uint16_t iface, uint64_t *nexthop, __be32 *endpoint,
		       uint16_t *mtu)
{
	struct rsip_server *s = arg;
	const struct rsip_iface *rec = rsip_server_iface(s, iface);

	*nexthop = rsip_hops_find(s->hops, host, iface);
	*endpoint = rec && !RSIP_HOST6_IS(host) ? rec->endpoint : 0; /* over IPv6 it is the interface's */
	*mtu = (uint16_t)(!rec ? 0 : rec->mtu > UINT16_MAX ? UINT16_MAX : rec->mtu);
}

static const char *on_iface_name(void *arg, uint16_t iface)
{
	const struct rsip_iface *rec = rsip_server_iface(arg, iface);

	return rec ? rec->name : "";
}

static void on_host_changed(void *arg, __be32 host, uint64_t word)
{
	struct rsip_server *s = arg;
	struct rsip_lease_client *c =
		s->ctl_ctx.lm ? rsip_lease_by_host(s->ctl_ctx.lm, host) : NULL;

	if (!c)
		return;
	log_debug("next hop of host %s has changed", rsip_host_text(host));
	rsip_lease_nexthop(s->ctl_ctx.lm, c, word);
}

static void on_routes_changed(void *arg)
{
	((struct rsip_server *)arg)->routes_pending = true;
}

static void on_rules_changed(void *arg, bool there_are)
{
	struct rsip_server *s = arg;

	s->ctl_ctx.dp->ops->route_rules(s->ctl_ctx.dp, there_are);
}

/* ---- open ------------------------------------------------------------------------------------- */

static bool named(const struct rsip_conf_iface *list, uint32_t cnt, const char *name)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (!strncmp(list[i].name, name, sizeof(list[i].name)))
			return true;
	return false;
}

/* What was attached counts; the file may have been changed since. */
static void compare_ifaces(const struct rsip_server *s)
{
	const struct rsip_conf *conf = s->conf;

	if (!conf->public_cnt)
		return;
	for (int i = 0; i < s->iface_cnt; i++) {
		const struct rsip_iface *rec = &s->iface[i].rec;
		bool public_side = rec->role == RSIP_ROLE_PUBLIC;

		if (rec->role == RSIP_ROLE_SLOW)
			continue;
		if (!named(public_side ? conf->public_if : conf->private_if,
			   public_side ? conf->public_cnt : conf->private_cnt, rec->name))
			log_warn("interface %s is attached as %s, but the configuration does not "
				 "say so "
				 "(detach and attach again: rsip-loader)",
				 rec->name, public_side ? "public" : "private");
	}
	if ((uint32_t)s->iface_cnt < conf->public_cnt + conf->private_cnt)
		log_warn("%d interfaces are attached, the configuration names %u (rsip-loader "
			 "status)",
			 s->iface_cnt, conf->public_cnt + conf->private_cnt);
}

static int read_ifaces(struct rsip_server *s, char *why, size_t why_len)
{
	struct rsip_dataplane *dp = s->ctl_ctx.dp;
	int privates = 0;

	s->iface_cnt = dp->ops->ifaces(dp, s->iface, RSIP_MAX_IFACES);
	for (int i = 0; i < s->iface_cnt; i++) {
		s->iface[i].rec.name[sizeof(s->iface[i].rec.name) - 1] = '\0';
		privates += s->iface[i].rec.role == RSIP_ROLE_PRIVATE;
	}
	if (!privates) {
		snprintf(why, why_len,
			 "the data plane has no private interface (rsip-loader attach --private "
			 "...)");
		return -ENODEV;
	}
	compare_ifaces(s);
	return 0;
}

/* Networks that the configuration leaves to the machine. */
void rsip_server_complete_nets(const struct rsip_server *s, struct rsip_conf *conf)
{
	int cnt;

	if (!conf->private_nets.given) {
		cnt = rsip_hops_connected(s->iface, s->iface_cnt, conf->private_nets.net,
					  RSIP_MAX_NETS);
		conf->private_nets.cnt = cnt > 0 ? (uint32_t)cnt : 0;
		if (cnt <= 0)
			log_warn("no network is connected to the private interfaces: name "
				 "private_networks");
	}
	if (!conf->client_nets.given) {
		conf->client_nets = conf->private_nets;
		rsip_hops_connected6(s->iface, s->iface_cnt, &conf->client_nets);
	}
	if (!conf->local_nets.given) /* hosts reach them without us, and only so: no tunnel leads there */
		conf->local_nets = conf->private_nets;
	for (uint32_t i = 0; i < conf->pool_cnt; i++)
		if (rsip_conf_in_nets(&conf->private_nets, conf->pool[i].first))
			log_warn("pool \"%s\" lies in a private network: nothing from the public "
				 "side will reach it",
				 conf->pool[i].name);
}

static int open_transports(struct rsip_server *s, char *why, size_t why_len)
{
	struct rsip_transports *t = s->transports;
	uint64_t seed;
	int err;

	rsip_random(&seed, sizeof(seed));
	rsip_ratelimit_init(&s->limit, s->conf->messages_per_s, s->conf->message_burst, seed);
	t->base = s->base;
	t->conf = s->conf;
	t->limit = &s->limit;
	t->receive = on_message;
	t->arg = s;
	err = rsip_udp_open(t, s->iface, s->iface_cnt, &s->udp, why, why_len);
	return err ? err : rsip_tcp_open(t, s->iface, s->iface_cnt, &s->tcp, why, why_len);
}

static int open_alloclog(struct rsip_server *s, uid_t owner, char *why, size_t why_len)
{
	const char *journal = s->conf->alloclog_journal ? RSIP_JOURNAL_SOCKET : "", *failed;
	int err;

	if (!*s->conf->alloclog && !*journal)
		return 0;
	err = rsip_alloclog_open(s->conf->alloclog, journal, owner, (gid_t)-1, &s->alloclog, &failed);
	if (err)
		snprintf(why, why_len, "cannot open the allocation log: %s: %s (%s)", failed, strerror(-err),
			 failed == journal ? "no journal listens there: log.allocations_to_journal"
					   : "its folder must be there, and the user of rsipd's");
	return err;
}

static int open_parts(struct rsip_server *s, uid_t owner, char *why, size_t why_len)
{
	const struct rsip_hops_sink sink = {s, on_host_changed, on_routes_changed, rsip_server_follow_link, on_rules_changed};
	int err;

	err = rsip_dataplane_open(s->conf->dataplane.pin_path, &s->ctl_ctx.dp, why, why_len);
	if (!err)
		err = read_ifaces(s, why, why_len);
	if (!err)
		err = open_transports(s, why, why_len);
	if (!err)
		err = open_alloclog(s, owner, why, why_len);
	if (!err)
		err = rsip_server_store_folder(s, owner, why, why_len);
	if (!err)
		err = rsip_ctl_open(s->base, &s->ctl_ctx, owner, &s->ctl, why, why_len);
	if (err)
		return err;
	err = rsip_hops_open(s->iface, s->iface_cnt, &sink, &s->hops);
	if (err)
		snprintf(why, why_len, "cannot read the neighbour table: %s", strerror(-err));
	else
		rsip_server_complete_nets(s, s->conf);
	return err;
}

int rsip_server_open(struct rsip_conf *conf, uid_t owner, struct rsip_server **out, char *why,
		     size_t why_len)
{
	struct rsip_server *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	snprintf(why, why_len, "out of memory");
	if (!s)
		return err;
	s->conf = conf;
	s->ctl_ctx.conf = conf;
	s->ctl_ctx.arg = s;
	s->ctl_ctx.add_stats = rsip_server_add_stats;
	s->ctl_ctx.reload = rsip_server_reload;
	s->ctl_ctx.add_status = rsip_server_store_status;
	s->transports = calloc(1, sizeof(*s->transports));
	s->base = event_base_new();
	if (s->transports && s->base)
		err = open_parts(s, owner, why, why_len);
	if (err) {
		rsip_server_close(s);
		return err;
	}
	*out = s;
	return 0;
}

/* ---- start ------------------------------------------------------------------------------------ */

/* The keys without what only the configuration cares for; the caller wipes and frees them.  NULL: out of memory. */
struct rsip_key_conf *rsip_server_keys(const struct rsip_conf *conf)
{
	struct rsip_key_conf *keys = calloc(conf->auth.cnt + 1, sizeof(*keys));

	for (uint32_t i = 0; keys && i < conf->auth.cnt; i++)
		keys[i] = conf->auth.key[i].k;
	return keys;
}

void rsip_server_forget_keys(struct rsip_key_conf *keys, uint32_t cnt)
{
	explicit_bzero(keys, cnt * sizeof(*keys));
	free(keys);
}

/*
 * What was said before this start is old, whoever says it again: sequences count microseconds since 1970.  A host whose
 * clock is behind ours hears the number with its next REGISTER and goes on above it.
 */
static void start_sequences(struct rsip_server *s)
{
	uint64_t now_us = rsip_wall_us();

	rsip_engine_set_wall(s->engine, rsip_wall_offset_us());
	for (uint32_t i = 0; i < s->conf->auth.cnt; i++)
		rsip_engine_auth_seen(s->engine, s->conf->auth.key[i].k.key.id, now_us);
}

static int create_engine(struct rsip_server *s, uint32_t tunnels)
{
	struct rsip_key_conf *keys = rsip_server_keys(s->conf);
	int err;
	struct rsip_engine_conf conf = {
		.client_nets = s->conf->client_nets.net,
		.client_net_cnt = s->conf->client_nets.cnt,
		.local_nets = s->conf->local_nets.net,
		.local_net_cnt = s->conf->local_nets.cnt,
		.policies = s->conf->policy,
		.policy_cnt = s->conf->policy_cnt,
		.udp_off = !s->conf->udp,
		.auth = s->conf->auth.mode,
		.keys = keys,
		.key_cnt = s->conf->auth.cnt,
		.tunnels = tunnels,
		.random = rsip_random,
		.arg = s,
		.resolve = on_resolve,
		.iface_name = on_iface_name,
		.send_async = on_async,
		.wake = on_wake,
		.journal = s->journal,
	};

	if (!keys)
		return -ENOMEM;
	rsip_server_observe(s, &conf);
	err = rsip_engine_create(&conf, &s->engine);
	rsip_server_forget_keys(keys, s->conf->auth.cnt);
	if (!err)
		start_sequences(s);
	return err;
}

static int create_leases(struct rsip_server *s)
{
	const struct rsip_lease_conf conf = {
		.pool = s->conf->pool,
		.pool_cnt = s->conf->pool_cnt,
		.limits = s->conf->limits,
		.journal = s->journal,
	};
	struct rsip_lease_sink sink;
	int err;

	rsip_engine_sink(s->engine, &sink);
	err = rsip_lease_create(&conf, s->ctl_ctx.dp, rsip_random, &sink, &s->ctl_ctx.lm);
	if (!err)
		rsip_engine_attach(s->engine, s->ctl_ctx.lm);
	return err;
}

int rsip_server_set_policy(struct rsip_server *s)
{
	struct rsip_dataplane *dp = s->ctl_ctx.dp;
	struct rsip_policy policy;

	memset(&policy, 0, sizeof(policy));
	if (s->conf->check_mac)
		policy.flags |= RSIP_POLICY_CHECK_MAC;
	policy.flags |= s->conf->dscp;
	policy.net_cnt = s->conf->private_nets.cnt;
	memcpy(policy.private_nets, s->conf->private_nets.net, sizeof(policy.private_nets));
	policy.endpoint_cnt = rsip_conf_endpoints(s->conf, policy.endpoints);
	if (rsip_flow_tunnels(s->conf->policy, s->conf->policy_cnt) & RSIP_TUNNEL_BIT(RSIP_TUNNEL_GRE))
		policy.flags |= RSIP_POLICY_GRE;
	return dp->ops->set_policy(dp, &policy);
}

/* The next hop of an adopted client may have changed while nobody looked. */
static bool refresh_hop(void *arg, const struct rsip_lease_client *c)
{
	struct rsip_server *s = arg;
	uint64_t word = rsip_hops_find(s->hops, c->host, c->iface);

	rsip_hosts6_hold(c->host);
	if (word)
		rsip_lease_nexthop(s->ctl_ctx.lm, rsip_lease_by_id(s->ctl_ctx.lm, c->client_id),
				   word);
	return true;
}

/* The configuration may have changed while no rsipd ran. */
static void end_unserved(struct rsip_server *s, uint64_t now_ns)
{
	uint32_t ended = rsip_engine_end_unserved(s->engine, now_ns);

	if (ended)
		log_warn("%u hosts that were registered can no longer be served by this configuration", ended);
}

/* What a host held rests after it at most as long as a freed resource does, and as long as a DE-REGISTER is remembered. */
void rsip_server_limit_hosts6(const struct rsip_conf *conf)
{
	const struct rsip_hosts6_limits limits = {
		.prefix_len = conf->host_prefix6,
		.per_prefix = conf->hosts_per_prefix6,
		.rest_ns = (conf->limits.hold_s + HOST6_REST_S) * RSIP_NS_PER_S,
	};

	rsip_hosts6_limit(&limits);
}

static int open_hosts6(struct rsip_server *s, uint64_t now_ns)
{
	rsip_server_limit_hosts6(s->conf);
	return rsip_hosts6_open(s->ctl_ctx.dp, now_ns);
}

int rsip_server_start(struct rsip_server *s, char *why, size_t why_len)
{
	struct rsip_ctl_context *ctx = &s->ctl_ctx;
	uint64_t now_ns = rsip_now_ns();
	const char *step = "set the policy of the data plane";
	struct rsip_config plane = { 0 };
	int err = rsip_server_set_policy(s);

	if (!err)
		err = ctx->dp->ops->config(ctx->dp, &plane);

	if (!err)
		err = open_hosts6(s, now_ns);
	if (!err) {
		step = "create the protocol engine";
		err = rsip_journal_create(&s->journal);
	}
	if (!err) {
		err = create_engine(s, plane.tunnels);
	}
	if (!err) {
		step = "create the pools (does the data plane have room? dataplane.max_addresses "
		       "at attach)";
		err = create_leases(s);
	}
	if (!err) {
		err = rsip_server_store_start(s, why, why_len);
		if (err)
			return err;
		rsip_server_store_kick(s);
		rsip_lease_walk_clients(ctx->lm, 0, refresh_hop, s);
		rsip_server_follow_links(s);
		ctx->start_ns = now_ns;
		step = "listen";
		err = rsip_server_listen(s);
	}
	if (!err)
		end_unserved(s, now_ns);
	if (err)
		snprintf(why, why_len, "cannot %s: %s", step, strerror(-err));
	return err;
}

void rsip_server_close(struct rsip_server *s)
{
	if (!s)
		return;
	rsip_server_unlisten(s);
	rsip_server_store_close(s);
	rsip_ctl_close(s->ctl);
	rsip_udp_close(s->udp);
	rsip_tcp_close(s->tcp);
	if (s->engine)
		rsip_engine_destroy(s->engine);
	if (s->ctl_ctx.lm)
		rsip_lease_destroy(s->ctl_ctx.lm);
	rsip_hosts6_close();
	rsip_journal_destroy(s->journal);
	rsip_hops_close(s->hops);
	rsip_alloclog_close(s->alloclog);
	if (s->ctl_ctx.dp)
		s->ctl_ctx.dp->ops->close(s->ctl_ctx.dp);
	if (s->base)
		event_base_free(s->base);
	free(s->transports);
	free(s);
}
