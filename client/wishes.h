/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the settings want to be leased, against what a session has. */
#ifndef RSIP_CLIENT_WISHES_H
#define RSIP_CLIENT_WISHES_H

#include "session.h"
#include "settings.h"

/*
 * Makes the session want what the settings say: what is wished and there stays as it is, what is wished no longer is given
 * back, what is missing is asked for.  Ports and SPIs are a sum: a lease stays where it fits into it.  Leases that somebody
 * asked for otherwise (`rsip-client lease`, more ports on demand, a strongSwan's) are not looked at.
 */
void rsip_wishes_apply(struct rsip_session *s, const struct rsip_settings *set, uint64_t now_ns);

#endif
