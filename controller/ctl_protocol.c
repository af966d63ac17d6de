// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Counters of the protocol engine and the transports, for stats-get. */
#include "ctl.h"
#include "hosts6.h"
#include "json.h"
#include "util.h"

static void add_messages(cJSON *obj, const char *name, const uint64_t *cnt)
{
	cJSON *out = cJSON_AddObjectToObject(obj, name);

	for (unsigned int type = 0; type < RSIP_ENGINE_TYPES - 1; type++)
		if (rsip_msg_name(type)[0] != 'u') /* "unknown" */
			rsip_json_add_u64(out, rsip_msg_name(type), cnt[type]);
	rsip_json_add_u64(out, "unknown", cnt[RSIP_ENGINE_TYPES - 1]);
}

void rsip_ctl_show_engine(cJSON *obj, const struct rsip_engine_stats *stats)
{
	cJSON *out;

	add_messages(obj, "received", stats->received);
	add_messages(obj, "sent", stats->sent);
	out = cJSON_AddObjectToObject(obj, "errors");
	for (unsigned int i = 0; i < RSIP_ENGINE_ERRS && rsip_engine_err_at(i); i++)
		rsip_json_add_u64(out, rsip_err_name(rsip_engine_err_at(i)), stats->errors[i]);
	out = cJSON_AddObjectToObject(obj, "unanswered");
	for (unsigned int i = 0; i < RSIP_ENGINE_DROP_CNT; i++)
		rsip_json_add_u64(out, rsip_engine_drop_name(i), stats->dropped[i]);
	out = cJSON_AddObjectToObject(obj, "protocol");
	rsip_json_add_u64(out, "replayed", stats->replayed);
	rsip_json_add_u64(out, "async", stats->async);
	rsip_json_add_u64(out, "evicted", stats->evicted);
	rsip_json_add_u64(out, "violations", stats->violations);
	rsip_json_add_u64(out, "pmtu-told", stats->pmtu_told);
	rsip_json_add_u64(out, "pmtu-foreign", stats->pmtu_foreign);
	rsip_json_add_u64(out, "pmtu-lowered", stats->pmtu_lowered);
	rsip_json_add_u64(out, "authenticated", stats->authenticated);
	rsip_json_add_u64(out, "unverified", stats->unechoed);
	rsip_json_add_u64(out, "departed", stats->departed);
	rsip_json_add_u64(out, "async-waiting", stats->async_waiting);
}

void rsip_ctl_show_transports(cJSON *obj, const struct rsip_transport_stats *s)
{
	cJSON *out = cJSON_AddObjectToObject(obj, "transport");
	struct rsip_hosts6_stats hosts6;

	rsip_json_add_u64(out, "udp-received", s->udp_received);
	rsip_json_add_u64(out, "udp-answered", s->udp_answered);
	rsip_json_add_u64(out, "udp-over-rate", s->udp_limited);
	rsip_json_add_u64(out, "udp-no-source-port", s->udp_no_port);
	rsip_json_add_u64(out, "udp-lost", s->udp_lost);
	rsip_json_add_u64(out, "udp-stale", s->udp_stale);
	rsip_json_add_u64(out, "udp-no-host", s->udp_no_host);
	rsip_json_add_u64(out, "udp-later", s->udp_later);
	rsip_json_add_u64(out, "udp-send-failed", s->udp_send_failed);
	rsip_json_add_u64(out, "tcp-open", s->tcp_open);
	rsip_json_add_u64(out, "tcp-accepted", s->tcp_accepted);
	rsip_json_add_u64(out, "tcp-refused", s->tcp_refused);
	rsip_json_add_u64(out, "tcp-received", s->tcp_received);
	rsip_json_add_u64(out, "tcp-answered", s->tcp_answered);
	rsip_json_add_u64(out, "tcp-paused", s->tcp_paused);
	rsip_json_add_u64(out, "tcp-closed-slow", s->tcp_slow_closed);
	rsip_json_add_u64(out, "tcp-closed-idle", s->tcp_idle_closed);
	rsip_json_add_u64(out, "tcp-closed-bad", s->tcp_bad_closed);
	rsip_json_add_u64(out, "tcp-closed-silent", s->tcp_silent_closed);
	rsip_json_add_u64(out, "async-udp", s->async_udp);
	rsip_json_add_u64(out, "async-tcp", s->async_tcp);
	rsip_json_add_u64(out, "async-dropped", s->async_dropped);
	rsip_json_add_u64(out, "async-tcp-waiting", s->async_waiting);
	rsip_hosts6_get_stats(&hosts6);
	rsip_json_add_u64(out, "hosts6", hosts6.known);
	rsip_json_add_u64(out, "hosts6-resting", hosts6.resting);
	rsip_json_add_u64(out, "hosts6-full", hosts6.full);
	rsip_json_add_u64(out, "hosts6-prefix-full", hosts6.prefix_full);
}

void rsip_ctl_show_alloclog(cJSON *obj, struct rsip_alloclog_stats stats)
{
	cJSON *out = cJSON_AddObjectToObject(obj, "allocation-log");

	rsip_json_add_u64(out, "written", stats.written);
	rsip_json_add_u64(out, "failed", stats.failed);
}
