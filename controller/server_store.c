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
#include "restore.h"
#include "server_priv.h"
#include "util.h"

#define STATE_FOLDER "/var/lib/rsip" /* ours alone: where somebody else has it, it is given to our user */

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
	if (!made && (errno == EROFS || errno == ENOSPC)) {
		log_warn("cannot make the folder of the lease store: %s: %s", folder, strerror(errno));
		return 0;
	}
	if (!made && errno != EEXIST) {
		snprintf(why, why_len, "cannot make the folder of the lease store: %s: %s", folder, strerror(errno));
		return -errno;
	}
	if ((made || !strcmp(folder, STATE_FOLDER)) && geteuid() == 0 && owner != 0 && chown(folder, owner, (gid_t)-1) &&
	    errno != EROFS) {
		snprintf(why, why_len, "cannot give the folder of the lease store away: %s: %s", folder, strerror(errno));
		return -errno;
	}
	return 0;
}

static int load(struct rsip_server *s, char *why, size_t why_len)
{
	struct rsip_ctl_context *ctx = &s->ctl_ctx;
	const struct rsip_restore parts = { .store = s->store, .journal = s->journal, .engine = s->engine, .lm = ctx->lm,
					     .iface = s->iface, .iface_cnt = s->iface_cnt };
	struct rsip_lease_found found;
	int err = rsip_restore(&parts, &s->clock, &found);

	if (err)
		snprintf(why, why_len, "cannot read the lease store: %s: %s", s->conf->store_path, strerror(-err));
	ctx->adopted_binds = found.binds;
	ctx->adopted_clients = found.clients;
	return err;
}

int rsip_server_store_start(struct rsip_server *s, char *why, size_t why_len)
{
	int err, fd;

	err = rsip_store_clock_read(&s->clock);
	if (err) {
		snprintf(why, why_len, "cannot read the boot ID: %s", strerror(-err));
		return err;
	}
	err = *s->conf->store_path ? rsip_store_sqlite(s->conf->store_path, &s->store, why, why_len) : rsip_store_mem(&s->store);
	if (!err)
		err = load(s, why, why_len);
	if (err)
		return err;
	err = rsip_committer_create(s->journal, s->store, &s->clock, &fd, &s->committer);
	if (err)
		snprintf(why, why_len, "cannot start the store's thread: %s", strerror(-err));
	if (err)
		return err;
	s->store_fd = fd;
	err = s->store->ops->commit(s->store, NULL, 0, &s->clock);
	if (err) /* what is leased goes on, nothing new is granted: the first host must not have to find out */
		rsip_committer_failed(s->committer, err, s->clock.mono_ns);
	return 0;
}

/* ---- commits and answers ---------------------------------------------------------------------------------------------- */

void rsip_server_store_kick(struct rsip_server *s)
{
	rsip_store_clock_read(&s->clock);
	rsip_committer_kick(s->committer, &s->clock);
}

size_t rsip_server_store_hold(struct rsip_server *s, const struct rsip_peer *to, const uint8_t *answer, size_t len,
			      uint64_t now_ns, bool *held)
{
	struct rsip_held hold = { .to = *to, .len = len, .since_ns = now_ns };

	hold.batch = rsip_engine_waits(s->engine, &hold.grant);

	if (rsip_journal_backlog(s->journal))
		event_active(s->kick, 0, 0); /* when all that has arrived by now has been served */
	if (!hold.batch || !len)
		return len;
	/* Without memory the answer is lost, as on the way: a host that asks again gets it. */
	*held = rsip_hold_add(&s->hold, &hold, answer);
	return 0;
}

#define BEHIND_CHANGES 2000
#define BEHIND_NS (50 * 1000000ULL)

bool rsip_server_store_is_behind(const struct rsip_server *s, uint64_t now_ns)
{
	return s->hold.first && now_ns - s->hold.first->since_ns > BEHIND_NS &&
	       rsip_journal_backlog(s->journal) > BEHIND_CHANGES;
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
		.commit_us = stats.total_ns / 1000,
		.longest_us = stats.longest_ns / 1000,
		.largest_batch = stats.largest,
		.waiting_changes = stats.backlog,
		.waiting_answers = s->hold.cnt,
		.shed = s->shed,
	};
	rsip_ctl_show_store(out, &show);
}
