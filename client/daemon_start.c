// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What comes before the loop: the lock, the key, the way to the gateway, and the session with what a past of ours left. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <systemd/sd-daemon.h>
#include "daemon.h"
#include "log.h"

/* One that was killed a moment ago may still be going.  Waits a little, a second in all of *looks; then false. */
static bool dying_gets_time(unsigned int *looks)
{
	if (++*looks > 20)
		return false;
	usleep(50000);
	return true;
}

/* Another client that ends may take an empty folder away between two of these steps (the last one takes /run/rsip). */
static int open_lock(const char *state_dir, int *fd)
{
	char parent[300], path[300];

	snprintf(path, sizeof(path), "%s/client.lock", state_dir);
	for (int i = 0; i < 100; i++) {
		snprintf(parent, sizeof(parent), "%s", state_dir);
		mkdir(dirname(parent), 0755); /* of /run/rsip/NAME */
		if (mkdir(state_dir, 0755) && errno != EEXIST && errno != ENOENT)
			return -errno;
		*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		if (*fd >= 0)
			return 0;
		if (errno != ENOENT)
			break;
	}
	return -errno;
}

int rsip_daemon_lock(struct rsip_daemon *d)
{
	unsigned int looks = 0;
	int err;

	err = open_lock(d->set.state_dir, &d->lock_fd);
	if (err) {
		log_err("cannot use the folder %s: %s%s", d->set.state_dir, strerror(-err),
			err == -EACCES ? " (run as root)" : "");
		return err;
	}
	do
		err = flock(d->lock_fd, LOCK_EX | LOCK_NB) ? -errno : 0;
	while (err == -EWOULDBLOCK && dying_gets_time(&looks));
	if (err)
		log_err("cannot start: %s/client.lock: %s", d->set.state_dir,
			err == -EWOULDBLOCK ? "a client is running (rsip-client status, or another --state-dir)" : strerror(-err));
	return err;
}

void rsip_daemon_sweep(const struct rsip_settings *set)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/client.lock", set->state_dir);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!flock(fd, LOCK_EX | LOCK_NB)) { /* none starts just now */
		rsip_state_remove(set->state_dir);
		rsip_control_clear(set->socket);
		rsip_claim_sweep(RSIP_CLAIM_DIR);
	}
	close(fd);
}

int rsip_daemon_find_key(struct rsip_daemon *d)
{
	char why[400];
	int err = rsip_settings_key(&d->set, &d->key, why, sizeof(why));

	if (err)
		log_err("%s", why);
	explicit_bzero(d->set.key_secret, sizeof(d->set.key_secret));
	return err;
}

/* A service may be started before the network is: it waits, where who waits at a terminal is told. */
int rsip_daemon_await_way(struct rsip_daemon *d)
{
	unsigned int looks = 0;
	bool told = false;
	char why[600];
	int err;

	if (d->leave) /* nobody else can have it but one that lives: what the dead one left of it goes at our end */
		rsip_claim_take(&d->claim, RSIP_CLAIM_DIR, &d->state.local, &d->state.gateway, d->set.state_dir, why, sizeof(why));
	while ((err = rsip_daemon_locate_any(d, why, sizeof(why))) && !d->leave) {
		if (err == -EBUSY && dying_gets_time(&looks))
			continue;
		if (!d->patient)
			break;
		if (!told) {
			log_warn("%s (waiting for it)", why);
			sd_notifyf(0, "STATUS=%s", why);
		}
		told = true;
		sleep(1);
	}
	if (err && d->leave) { /* what there is to undo lies on the old way */
		rsip_daemon_old_way(d);
		return 0;
	}
	if (err)
		log_err("%s", why);
	return err;
}

/*
 * Leases of the past go back into use before the gateway is asked about them: their flows go on.  One that cannot be used
 * (other settings, another kernel) is given back.
 */
static void use_again(struct rsip_daemon *d, uint64_t now)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		const struct rsip_lease *l = &d->session.leases[i];
		int err = 0;

		if (l->state != RSIP_LEASE_HELD)
			continue;
		if (!d->leave && !rsip_session_leasable(&d->session, l->addr))
			err = -EPROTO;
		if (!err)
			err = rsip_daemon_use(d, l);
		if (err)
			rsip_session_return(&d->session, i, err, now);
	}
}

/* Is it the same host at the same gateway, by the same tunnel?  And had it more than begun? */
static bool goes_on(const struct rsip_daemon *d)
{
	return rsip_inet_same(&d->state.local, &d->io.local) && rsip_inet_same(&d->state.gateway, &d->io.gateway) &&
	       d->state.transport == d->io.kind && d->state.tunnel == d->session.tunnel &&
	       (d->state.client_id || d->state.lease_cnt);
}

void rsip_daemon_start_session(struct rsip_daemon *d, const struct rsip_session_sink *sink, bool resume)
{
	struct rsip_session_sink with_us = *sink;
	uint64_t now = rsip_daemon_now();

	d->io.kind = rsip_daemon_transport(d);
	with_us.ctx = d;
	rsip_session_init(&d->session, &with_us, d->io.kind, &d->io.local, &d->io.gateway);
	d->session.tunnel = rsip_settings_tunnel(&d->set);
	d->session.private_ok = d->set.private_addresses;
	rsip_session_set_key(&d->session, &d->key);
	resume = resume && goes_on(d);
	if (resume) {
		rsip_state_give(&d->state, &d->session, now);
		d->io.want_port = d->state.asked.len ? d->state.asked_port : 0;
		d->sw = d->state.sw;
		use_again(d, now);
		rsip_session_resume(&d->session, now);
	} else {
		rsip_daemon_strongswan_forget(d);
	}
	if (!d->leave)
		rsip_daemon_apply_settings(d, now);
}
