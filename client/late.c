// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Grants that come after we had stopped waiting for them (a gateway whose disk was slow): nobody here uses what was
 * granted, and the gateway would keep it until it runs out.  So it is given back (RFC 3103 9.12).
 */
#include <string.h>
#include "log.h"
#include "session.h"

#define RSIP_LATE_NS (60 * RSIP_NS_PER_S) /* so long one is believed */

void rsip_late_expect(struct rsip_session *s, uint64_t now)
{
	struct rsip_late *late = &s->late[s->late_next++ % RSIP_LATE_MAX];

	late->counter = s->req.counter;
	late->type = s->req.type;
	late->until_ns = now + RSIP_LATE_NS;
	if (s->key.id)
		memcpy(late->mac, s->req.buf + s->req.len - RSIP_AUTH_MAC_LEN, sizeof(late->mac));
}

static struct rsip_late *find(struct rsip_session *s, uint32_t counter)
{
	for (int i = 0; i < RSIP_LATE_MAX; i++)
		if (counter && s->late[i].counter == counter)
			return &s->late[i];
	return NULL;
}

bool rsip_late_is_genuine(struct rsip_session *s, const uint8_t *buf, size_t len, const struct rsip_answer *a)
{
	const struct rsip_late *late = find(s, a->counter);

	return late && rsip_auth_check(&s->key, RSIP_AUTH_FROM_GATEWAY, late->mac, buf, len);
}

bool rsip_late_take(struct rsip_session *s, const struct rsip_answer *a, uint64_t now)
{
	struct rsip_late *late = find(s, a->counter);
	struct rsip_lease *lease;

	if (!late || now >= late->until_ns || a->type != late->type + 1 || s->state != RSIP_SESSION_UP)
		return false;
	if (!a->has_client || a->client_id != s->client_id || !a->has_bind || rsip_lease_find(s, a->bind_id))
		return false;
	lease = rsip_lease_new(s);
	if (!lease)
		return false;
	late->counter = 0; /* once */
	lease->state = RSIP_LEASE_FREEING;
	lease->bind_id = a->bind_id;
	lease->act_ns = now;
	lease->expires_ns = now + RSIP_LATE_NS;
	log_info("binding %u came too late: given back", a->bind_id);
	return true;
}
