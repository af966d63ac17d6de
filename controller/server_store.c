// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The daemon and its lease store: start-up from it, commits beside the event loop, and answers that wait for them.
 *
 * The data plane is written first, then the store, then the answer leaves.  So what a host was told is on disk; what a
 * crash leaves installed and not stored was never told, and goes at the next start.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"
#include "server_priv.h"
#include "util.h"

#define STATE_FOLDER "/var/lib/rsip" /* systemd makes it, as root's */

/* ---- open ----------------------------------------------------------------------------------------------------------- */

int rsip_server_store_folder(const struct rsip_server *s, uid_t owner, char *why, size_t why_len)
{
	char folder[sizeof(s->conf->store_path)];
	char *slash;
	bool made;

	snprintf(folder, sizeof(folder), "%s", s->conf->store_path);
	slash = strrchr(folder, '/');
	if (!slash || slash == folder)
		return 0;
	*slash = '\0';
	made = !mkdir(folder, 0700);
	if (!made && errno != EEXIST) {
		snprintf(why, why_len, "cannot make the folder of the lease store: %s: %s", folder, strerror(errno));
		return -errno;
	}
	if ((made || !strcmp(folder, STATE_FOLDER)) && geteuid() == 0 && owner != 0 && chown(folder, owner, (gid_t)-1)) {
		snprintf(why, why_len, "cannot give the folder of the lease store away: %s: %s", folder, strerror(errno));
		return -errno;
	}
	return 0;
}

struct restoring {
	struct rsip_server *s;
	uint64_t now_ns;
	uint32_t dropped;
};

static int on_client(void *arg, const struct rsip_store_client *row)
{
	struct restoring *r = arg;
	struct rsip_lease_client *c;
	int err = rsip_lease_restore_client(r->s->ctl_ctx.lm, row, &c);
	struct rsip_journal_mark mark = { 0, 0 };

	if (!err)
		return rsip_engine_restore(r->s->engine, c, row);
	if (err == -ENOMEM)
		return err;
	log_warn("a registration of the store is dropped: client %u (%s): it contradicts another", row->client_id,
		 rsip_ip4(row->host));
	rsip_journal_gone(r->s->journal, &mark, RSIP_STORE_CLIENT, row->seq);
	r->dropped++;
	return 0;
}

static int on_lease(void *arg, const struct rsip_store_lease *row)
{
	struct restoring *r = arg;
	int err = rsip_lease_restore_lease(r->s->ctl_ctx.lm, row, r->now_ns);

	r->dropped += err != 0;
	return err == -ENOMEM ? err : 0;
}

static bool keep_client(void *arg, const struct rsip_lease_client *c)
{
	struct rsip_server *s = arg;

	rsip_engine_keep(s->engine, rsip_lease_by_id(s->ctl_ctx.lm, c->client_id));
	return true;
}

static int load(struct rsip_server *s, char *why, size_t why_len)
{
	struct restoring r = { .s = s, .now_ns = s->clock.mono_ns };
	const struct rsip_store_reader reader = { .arg = &r, .client = on_client, .lease = on_lease };
	struct rsip_ctl_context *ctx = &s->ctl_ctx;
	struct rsip_lease_found found;
	struct rsip_store_info info;
	int err = s->store->ops->load(s->store, &s->clock, &reader, &info);

	if (err) {
		snprintf(why, why_len, "cannot read the lease store: %s: %s", s->conf->store_path, strerror(-err));
		return err;
	}
	rsip_engine_secret(s->engine, info.secret);
	err = rsip_lease_settle(ctx->lm, r.now_ns, info.fresh, &found);
	ctx->adopted_binds = found.binds;
	ctx->adopted_clients = found.clients;
	if (info.fresh)
		rsip_lease_walk_clients(ctx->lm, 0, keep_client, s);
	else
		log_info("lease store: %u bindings of %u clients, %u resting; %u installed anew, %u removed, %u rows dropped",
			 found.binds, found.clients, found.resting, found.installed, found.removed, r.dropped);
	return err;
}

int rsip_server_store_start(struct rsip_server *s, char *why, size_t why_len)
{
	int err, fd;

	err = rsip_store_clock_read(&s->clock);
	if (!err)
		err = rsip_lease_scan(s->ctl_ctx.lm, s->clock.mono_ns);
	if (err) {
		snprintf(why, why_len, "cannot take over what is installed: %s", strerror(-err));
		return err;
	}
	err = *s->conf->store_path ? rsip_store_sqlite(s->conf->store_path, &s->store, why, why_len) : rsip_store_mem(&s->store);
	if (!err)
		err = load(s, why, why_len);
	if (err)
		return err;
	err = rsip_committer_create(s->journal, s->store, &fd, &s->committer);
	if (err)
		snprintf(why, why_len, "cannot start the store's thread: %s", strerror(-err));
	else
		s->store_fd = fd;
	return err;
}

/* ---- commits and answers ---------------------------------------------------------------------------------------------- */

void rsip_server_store_kick(struct rsip_server *s)
{
	rsip_store_clock_read(&s->clock);
	rsip_committer_kick(s->committer, &s->clock);
}

size_t rsip_server_store_hold(struct rsip_server *s, const struct rsip_peer *to, const uint8_t *answer, size_t len,
			      bool *held)
{
	struct rsip_engine_grant grant;
	uint64_t batch = rsip_engine_waits(s->engine, &grant);

	if (rsip_journal_backlog(s->journal))
		event_active(s->kick, 0, 0); /* when all that has arrived by now has been served */
	if (!batch || !len)
		return len;
	/* Without memory the answer is lost, as on the way: a host that asks again gets it. */
	*held = rsip_hold_add(&s->hold, batch, to, &grant, answer, len);
	return 0;
}

static void send_answer(struct rsip_server *s, const struct rsip_peer *to, const uint8_t *msg, size_t len)
{
	if (to->transport == RSIP_TRANSPORT_TCP)
		rsip_tcp_answer(s->tcp, to, msg, len);
	else
		rsip_udp_answer(s->udp, to, msg, len);
}

/* The store failed: what it had to keep is taken back; the rest is true without it. */
static void withdraw(struct rsip_server *s, const struct rsip_held *h, uint64_t now_ns)
{
	const struct rsip_from from = { .addr = h->to.host, .port = h->to.port, .transport = h->to.transport,
					.iface = h->to.iface };
	uint8_t answer[128];
	size_t len = rsip_engine_withdraw(s->engine, &from, &h->grant, now_ns, answer, sizeof(answer));

	if (len)
		send_answer(s, &h->to, answer, len);
}

void rsip_server_store_collect(struct rsip_server *s, uint64_t now_ns)
{
	struct rsip_held *h;
	int err;

	if (!rsip_committer_collect(s->committer, now_ns, &err))
		return;
	while ((h = rsip_hold_take(&s->hold, err ? UINT64_MAX : rsip_journal_durable(s->journal)))) {
		if (err && h->grant.bind_id)
			withdraw(s, h, now_ns);
		else
			send_answer(s, &h->to, h->msg, h->len);
		free(h);
	}
	rsip_udp_flush(s->udp);
	if (!err)
		rsip_server_store_kick(s);
}

void rsip_server_store_close(struct rsip_server *s)
{
	struct rsip_held *h;

	if (s->committer)
		rsip_committer_flush(s->committer);
	while (s->committer && (h = rsip_hold_take(&s->hold, rsip_journal_durable(s->journal)))) {
		send_answer(s, &h->to, h->msg, h->len);
		free(h);
	}
	if (s->udp)
		rsip_udp_flush(s->udp);
	while ((h = rsip_hold_take(&s->hold, UINT64_MAX)))
		free(h);
	rsip_committer_destroy(s->committer);
	if (s->store)
		s->store->ops->close(s->store);
}

/* ---- what the operator sees ----------------------------------------------------------------------------------------------- */

void rsip_server_store_status(void *arg, cJSON *out)
{
	struct rsip_server *s = arg;
	struct rsip_commit_stats stats;
	struct rsip_ctl_store show;

	rsip_committer_stats(s->committer, &stats);
	show = (struct rsip_ctl_store){
		.backend = s->store->ops->name,
		.path = *s->conf->store_path ? s->conf->store_path : NULL,
		.why = stats.failing_since_ns ? stats.why : NULL,
		.failing_for_s = stats.failing_since_ns ? (rsip_now_ns() - stats.failing_since_ns) / RSIP_NS_PER_S : 0,
		.commits = stats.commits,
		.changes = stats.changes,
		.failures = stats.failures,
		.largest_batch = stats.largest,
		.waiting_changes = stats.backlog,
		.waiting_answers = s->hold.cnt,
		.shed = s->shed,
	};
	rsip_ctl_show_store(out, &show);
}
