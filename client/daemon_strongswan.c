// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The leases of a strongSwan: asked for, made larger, given back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "daemon.h"

static struct rsip_lease *charon_lease(struct rsip_daemon *d)
{
	for (int i = 0; i < RSIP_LEASES_MAX; i++)
		if (d->session.leases[i].state != RSIP_LEASE_NONE &&
		    d->session.leases[i].state != RSIP_LEASE_FREEING &&
		    d->session.leases[i].want.purpose == RSIP_FOR_CHARON)
			return &d->session.leases[i];
	return NULL;
}

static int larger_range(struct rsip_daemon *d, uint32_t spis)
{
	const struct rsip_charon *c = &d->sw.written;
	struct rsip_want want = {
		.method = RSIP_METHOD_RSIPSEC,
		.purpose = RSIP_FOR_CHARON_SPIS,
		.addr = c->addr,
		.spis = spis,
	};

	if (!*d->sw.file || spis <= c->spi_max - c->spi_min + 1)
		return -EALREADY;
	return rsip_session_want(&d->session, &want, true, rsip_daemon_now());
}

int rsip_daemon_strongswan_on(struct rsip_daemon *d, const struct rsip_settings *set)
{
	struct rsip_want want = {
		.method = RSIP_METHOD_RSIPSEC,
		.purpose = RSIP_FOR_CHARON,
		.ports = set->ike_ports,
		.spis = set->charon_spis,
		.lease_s = set->lease,
	};
	const struct rsip_lease *base = charon_lease(d);

	if (base && (strcmp(d->sw.dir, set->strongswan_dir) || base->want.ports != set->ike_ports))
		return -EBUSY;
	snprintf(d->sw.vici, sizeof(d->sw.vici), "%s", set->strongswan_vici);
	if (base)
		return larger_range(d, set->charon_spis);
	snprintf(d->sw.dir, sizeof(d->sw.dir), "%s", set->strongswan_dir);
	rsip_strongswan_clean(&d->sw, d->set.state_dir);
	memset(&d->sw.started, 0, sizeof(d->sw.started));
	d->sw.on = true;
	return rsip_session_want(&d->session, &want, false, rsip_daemon_now());
}

void rsip_daemon_strongswan_off(struct rsip_daemon *d)
{
	rsip_strongswan_close(&d->sw);
	for (int i = 0; i < RSIP_LEASES_MAX; i++) {
		struct rsip_lease *l = &d->session.leases[i];

		if (l->want.purpose == RSIP_FOR_CHARON || l->want.purpose == RSIP_FOR_CHARON_SPIS)
			rsip_session_drop(&d->session, i);
	}
	d->dirty = true;
}

void rsip_daemon_strongswan_forget(struct rsip_daemon *d)
{
	struct rsip_strongswan unknown = {0}; /* of a power cut: nothing tells of it but its first line */

	rsip_strongswan_close(&d->state.sw);
	snprintf(unknown.dir, sizeof(unknown.dir), "%s", d->set.strongswan_dir);
	rsip_strongswan_clean(&unknown, d->set.state_dir);
}
