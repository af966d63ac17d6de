// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A changed configuration in a running rsipd: all of it, or nothing of it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "server_priv.h"
#include "util.h"

static int prepare_engine(const struct rsip_conf *fresh, struct rsip_engine_change *change)
{
	struct rsip_key_conf *keys = rsip_server_keys(fresh);
	const struct rsip_engine_conf conf = {
		.client_nets = fresh->client_nets.net,
		.client_net_cnt = fresh->client_nets.cnt,
		.local_nets = fresh->local_nets.net,
		.local_net_cnt = fresh->local_nets.cnt,
		.policies = fresh->policy,
		.policy_cnt = fresh->policy_cnt,
		.udp_off = !fresh->udp,
		.auth = fresh->auth.mode,
		.keys = keys,
		.key_cnt = fresh->auth.cnt,
	};
	int err = keys ? rsip_engine_prepare(&conf, change) : -ENOMEM;

	if (keys)
		rsip_server_forget_keys(keys, fresh->auth.cnt);
	return err;
}

static int apply_pools(struct rsip_server *s, const struct rsip_conf *fresh, struct rsip_conf_report *report)
{
	int err = rsip_lease_set_pools(s->ctl_ctx.lm, fresh->pool, fresh->pool_cnt);

	if (err == -ENOSPC)
		rsip_conf_find(report, false, 0, "pools",
			       "more addresses than the data plane has room for: raise dataplane.max_addresses, then "
			       "rsip-loader detach, rsip-loader attach --config FILE, and restart rsipd");
	else if (err)
		rsip_conf_find(report, false, 0, "pools", "cannot be changed: %s", strerror(-err));
	return err;
}

static void take_over(struct rsip_server *s, struct rsip_conf *fresh)
{
	struct rsip_conf *conf = s->conf;
	uint64_t seed;

	if (fresh->messages_per_s != conf->messages_per_s || fresh->message_burst != conf->message_burst) {
		rsip_random(&seed, sizeof(seed));
		rsip_ratelimit_init(&s->limit, fresh->messages_per_s, fresh->message_burst, seed);
	}
	if (fresh->log_level != conf->log_level)
		rsip_log_set_level(fresh->log_level);
	rsip_lease_set_limits(s->ctl_ctx.lm, &fresh->limits);
	rsip_server_limit_hosts6(fresh);
	rsip_conf_free(conf);
	*conf = *fresh;
	if (rsip_server_set_policy(s))
		log_err("cannot set the policy of the data plane");
}

static int apply(struct rsip_server *s, struct rsip_conf *fresh, struct rsip_conf_report *report)
{
	struct rsip_engine_change engine;
	uint64_t now_ns = rsip_now_ns();
	uint32_t ended;
	int err;

	for (uint32_t i = 0; i < s->conf->pool_cnt; i++) /* drained meanwhile */
		s->conf->pool[i].gone = rsip_lease_pool(s->ctl_ctx.lm, i)->gone;
	rsip_conf_merge(fresh, s->conf, report);
	if (report->errors)
		return -EINVAL;
	err = prepare_engine(fresh, &engine);
	if (err) {
		rsip_conf_find(report, false, 0, "", "out of memory: do it again");
		return err;
	}
	err = apply_pools(s, fresh, report); /* all or nothing; from here on nothing can fail */
	if (err) {
		rsip_engine_forget(&engine);
		return err;
	}
	ended = rsip_engine_change(s->engine, &engine, now_ns);
	take_over(s, fresh);
	log_info("the configuration is in effect: %s; %u hosts can no longer be served", s->conf->path, ended);
	return 0;
}

int rsip_server_reload(void *arg, struct rsip_conf_report *report)
{
	static struct rsip_conf fresh; /* big; one at a time */
	struct rsip_server *s = arg;
	const char *path = s->conf->path;
	int err;

	memset(report, 0, sizeof(*report));
	if (!path) {
		rsip_conf_find(report, false, 0, "", "this rsipd was not started from a file");
		return -ENOENT;
	}
	err = rsip_conf_load(path, &fresh, report);
	if (err)
		rsip_conf_find(report, false, 0, "",
			       "cannot read %s: %s (rsipd's user must be able to: chgrp and chmod 0640)", path,
			       strerror(-err));
	rsip_server_complete_nets(s, &fresh);
	err = report->errors ? -EINVAL : apply(s, &fresh, report);
	if (err)
		rsip_conf_free(&fresh);
	return err;
}

void rsip_server_reload_by_signal(struct rsip_server *s)
{
	static struct rsip_conf_report report;

	if (!rsip_server_reload(s, &report))
		return;
	for (uint32_t i = 0; i < report.cnt; i++)
		log_err("not reloaded: line %d: %s: %s", report.issue[i].line, report.issue[i].path,
			report.issue[i].text);
}
