// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the settings want to be leased. */
#include "daemon.h"

void rsip_daemon_add_wishes(struct rsip_daemon *d, uint64_t now)
{
	uint32_t ports = d->set.ports, spis = d->set.spis;
	uint16_t listen[RSIP_CLIENT_LISTEN_MAX];
	int listeners = rsip_settings_listen(d->set.listen, listen);

	/* One bind leases at most a block of 128 ports; SPIs come with the first. */
	do {
		struct rsip_want want = {
			.method = spis ? RSIP_METHOD_RSIPSEC : RSIP_METHOD_RSAP_IP,
			.ports = ports > RSIP_BIND_PORTS ? RSIP_BIND_PORTS : ports,
			.spis = spis,
			.lease_s = d->set.lease,
		};

		if (!want.ports && !want.spis)
			break;
		if (rsip_session_want(&d->session, &want, false, now) < 0)
			break;
		ports -= want.ports;
		spis = 0;
	} while (ports);
	if (d->set.whole_address) {
		struct rsip_want want = {.method = RSIP_METHOD_RSA_IP, .lease_s = d->set.lease};

		rsip_session_want(&d->session, &want, false, now);
	}
	for (int i = 0; i < listeners; i++) {
		struct rsip_want want = {
			.method = RSIP_METHOD_RSAP_IP,
			.listen = true,
			.port = listen[i],
			.ports = 1,
			.lease_s = d->set.lease,
		};

		rsip_session_want(&d->session, &want, false, now);
	}
}
