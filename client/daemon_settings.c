// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The settings at work: at the start, after a kill, and when they are read again. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include "again.h"
#include "daemon.h"
#include "log.h"
#include "wishes.h"

static void wish_strongswan(struct rsip_daemon *d)
{
	int i;

	if (!d->set.strongswan) {
		if (d->sw.on && d->sw.by_settings)
			rsip_daemon_strongswan_off(d);
		return;
	}
	rsip_strongswan_refresh(&d->sw, &d->session, d->set.state_dir); /* how large is the range that is there? */
	i = rsip_daemon_strongswan_on(d, &d->set);
	d->sw.by_settings |= i >= 0;
	if (i == -EBUSY)
		log_warn("ike-ports and strongswan-dir stay what they were: charon keeps its ports while it runs (`rsip-client "
			 "strongswan --off`, then `rsip-client reload`)");
}

void rsip_daemon_apply_settings(struct rsip_daemon *d, uint64_t now)
{
	const struct rsip_settings *set = &d->set;

	d->demand.most = !d->jail.shared && set->ports && set->ports_max > set->ports ? set->ports_max : 0;
	d->demand.idle_s = set->ports_idle;
	d->comeback.after_s = set->return_after;
	rsip_sooner(&d->ask_local_ns, now + set->query_every * RSIP_NS_PER_S);
	rsip_wishes_apply(&d->session, set, now);
	wish_strongswan(d);
	d->dirty = true;
}

/* ---- read again ---- */

/* What a running client follows; the rest is what session and tunnel are made of. */
static bool is_followed(const char *name)
{
	static const char *const names[] = {
		"ports",	"ports-max",	"ports-idle",	"listen",    "spis",	 "lease",	   "whole-address",
		"query-every",	"return-after", "strongswan",	"ike-ports", "ike-spis", "strongswan-dir", "strongswan-vici",
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(names); i++)
		if (!strcmp(names[i], name))
			return true;
	return false;
}

static void add_name(char *list, size_t size, const char *name)
{
	size_t len = strlen(list);

	snprintf(list + len, size - len, "%s%s", len ? ", " : "", name);
}

int rsip_daemon_reload(struct rsip_daemon *d, char *text, size_t size)
{
	char followed[300] = "", later[300] = "";
	struct rsip_settings fresh;
	int err = d->reread ? d->reread(d->reread_arg, &fresh) : -EOPNOTSUPP;

	if (err) {
		snprintf(text, size, "the settings are wrong, and nothing has changed: `rsip-client check` says what it is, and the "
				     "client's log");
		log_err("%s", text);
		return err;
	}
	for (size_t i = 0; i < rsip_setting_count; i++) {
		const struct rsip_setting *row = &rsip_setting_table[i];

		if (rsip_settings_same(row, &d->set, &fresh))
			continue;
		add_name(is_followed(row->name) ? followed : later, sizeof(later), row->name);
		if (is_followed(row->name))
			rsip_settings_copy(row, &d->set, &fresh);
	}
	explicit_bzero(&fresh, sizeof(fresh));
	snprintf(text, size, "settings read again: %s%s%s%s", *followed ? "changed: " : "no change to follow", followed,
		 *later ? "; only for the next start: " : "", later);
	log_info("%s", text);
	rsip_daemon_apply_settings(d, rsip_daemon_now());
	rsip_daemon_watch_sockets(d);
	rsip_daemon_wake(d);
	return 0;
}

/* ---- another program file ---- */

int rsip_daemon_upgrade_check(struct rsip_daemon *d, char *why, size_t size)
{
	struct rsip_settings fresh;
	int err = rsip_again_check(why, size);

	if (err)
		return err;
	if (d->session.state >= RSIP_SESSION_ENDING || d->moving) {
		snprintf(why, size, "the client is ending, or moving to another gateway: try again");
		return -EBUSY;
	}
	err = d->reread ? d->reread(d->reread_arg, &fresh) : -EOPNOTSUPP;
	if (err)
		snprintf(why, size, "it would not start: the settings are wrong; `rsip-client check` says what it is, and the client's log");
	else
		explicit_bzero(&fresh, sizeof(fresh));
	return err;
}

void rsip_daemon_upgrade(struct rsip_daemon *d)
{
	int err;

	rsip_daemon_wake(d); /* the state file is written */
	log_info("going on as the program file that is there now");
	err = rsip_again(!d->patient);
	log_err("cannot go on as another program file: %s: this one goes on", strerror(-err));
}
