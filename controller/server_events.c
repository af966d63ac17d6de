// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What happens to leases, told to those who want to know: the log, the allocation log, subscribers of the control socket. */
#include "log.h"
#include "hosts6.h"
#include "server_priv.h"
#include "util.h"

/* ---- registrations ------------------------------------------------------------------------------------------------ */

static void on_client_start(void *arg, const struct rsip_lease_client *c)
{
	struct rsip_server *s = arg;

	rsip_hosts6_hold(c->host);
	log_debug("client %u (%s) began over %s", c->client_id, rsip_host_text(c->host), rsip_transport_name(c->transport));
	if (rsip_ctl_wanted(s->ctl, RSIP_CTL_EVENT_BINDINGS))
		rsip_ctl_publish(s->ctl, RSIP_CTL_EVENT_BINDINGS, rsip_ctl_event_client(c, NULL), rsip_wall_ns());
}

static void on_client_end(void *arg, const struct rsip_lease_client *c, enum rsip_end why)
{
	struct rsip_server *s = arg;

	log_debug("client %u (%s) ended: %s", c->client_id, rsip_host_text(c->host), rsip_end_name(why));
	if (rsip_ctl_wanted(s->ctl, RSIP_CTL_EVENT_BINDINGS))
		rsip_ctl_publish(s->ctl, RSIP_CTL_EVENT_BINDINGS, rsip_ctl_event_client(c, rsip_end_name(why)), rsip_wall_ns());
	rsip_hops_forget(s->hops, c->host);
	rsip_hosts6_release(c->host, rsip_now_ns());
}

static void on_refused(void *arg, const struct rsip_from *from, uint8_t type, enum rsip_err err)
{
	enum rsip_ctl_event kind = rsip_ctl_refusal_kind(err);
	struct rsip_server *s = arg;

	if (kind < RSIP_CTL_EVENT_CNT && rsip_ctl_wanted(s->ctl, kind))
		rsip_ctl_publish(s->ctl, kind, rsip_ctl_event_refusal(from, type, err), rsip_wall_ns());
}

static void on_path_changed(void *arg, const struct rsip_lease_client *c)
{
	struct rsip_server *s = arg;

	if (!c->path_mtu)
		log_debug("path MTU to client %u (%s): tried anew", c->client_id, rsip_host_text(c->host));
	if (rsip_ctl_wanted(s->ctl, RSIP_CTL_EVENT_BINDINGS))
		rsip_ctl_publish(s->ctl, RSIP_CTL_EVENT_BINDINGS, rsip_ctl_event_path(c), rsip_wall_ns());
}

/* ---- bindings ----------------------------------------------------------------------------------------------------- */

/* A time of CLOCK_MONOTONIC that is over, as one of the wall clock.  Of before the boot it is below zero. */
static uint64_t wall_of(uint64_t then_ns, uint64_t now_ns, uint64_t wall_ns)
{
	int64_t ago_ns = (int64_t)(now_ns - then_ns);

	return wall_ns - (ago_ns > 0 ? (uint64_t)ago_ns : 0);
}

/* b began, or ended, at at_ns. */
static void log_allocation(struct rsip_server *s, const struct rsip_lease_client *c, const struct rsip_lease_bind *b,
			   bool ends, enum rsip_end why, uint64_t at_ns)
{
	const struct rsip_iface *iface = rsip_server_iface(s, c->iface);
	uint64_t now_ns = rsip_now_ns(), wall_ns = rsip_wall_ns();
	const struct rsip_alloc_event ev = {
		.iface = iface ? iface->name : "-",
		.ends = ends,
		.why = why,
		.now_ns = wall_of(at_ns, now_ns, wall_ns),
		.since_ns = wall_of(b->start_ns, now_ns, wall_ns),
	};

	rsip_alloclog_write(s->alloclog, &ev, c, b); /* nothing where no log is wanted */
}

static void publish_lease(struct rsip_server *s, const struct rsip_lease_client *c, const struct rsip_lease_bind *b,
			  const char *ended)
{
	if (rsip_ctl_wanted(s->ctl, RSIP_CTL_EVENT_BINDINGS))
		rsip_ctl_publish(s->ctl, RSIP_CTL_EVENT_BINDINGS,
				 rsip_ctl_event_lease(&s->ctl_ctx, c, b, ended, rsip_now_ns()), rsip_wall_ns());
}

static void on_bind_start(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b)
{
	publish_lease(arg, c, b, NULL);
	log_allocation(arg, c, b, false, RSIP_END_HOST, rsip_now_ns());
	log_debug("binding %u of client %u (%s) began: %s, %s, %u ports, %u ranges of SPIs", b->bind_id, c->client_id,
		  rsip_host_text(c->host), rsip_method_name(b->method), rsip_ip4(b->local), b->ports.cnt, b->spis.range_cnt);
}

static void on_bind_end(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why)
{
	publish_lease(arg, c, b, rsip_end_name(why));
	/* The data plane stopped it in time, whenever we noticed. */
	log_allocation(arg, c, b, true, why, why == RSIP_END_EXPIRED ? b->expires_ns : rsip_now_ns());
	log_debug("binding %u of client %u (%s) ended: %s", b->bind_id, c->client_id, rsip_host_text(c->host), rsip_end_name(why));
}

/* The record has an end for each start, also of what ended while no rsipd ran. */
static void on_bind_gone(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why,
			 uint64_t at_ns)
{
	log_allocation(arg, c, b, true, why, at_ns);
	log_debug("binding %u of client %u (%s) ended before this start: %s", b->bind_id, c->client_id, rsip_host_text(c->host),
		  rsip_end_name(why));
}

void rsip_server_observe(struct rsip_server *s, struct rsip_engine_conf *conf)
{
	conf->refused = on_refused;
	conf->client_start = on_client_start;
	conf->observer = (struct rsip_lease_sink){
		.arg = s, .client_end = on_client_end, .bind_start = on_bind_start, .bind_end = on_bind_end,
		.bind_gone = on_bind_gone, .path_changed = on_path_changed
	};
}

/* ---- counters ----------------------------------------------------------------------------------------------------- */

void rsip_server_add_stats(void *arg, cJSON *obj)
{
	struct rsip_server *s = arg;

	rsip_ctl_show_engine(obj, rsip_engine_stats(s->engine));
	rsip_udp_count_lost(s->udp);
	rsip_ctl_show_transports(obj, &s->transports->stats);
	rsip_ctl_show_alloclog(obj, rsip_alloclog_stats(s->alloclog));
}
