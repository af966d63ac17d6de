// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * How long packets to hosts may be.  What a binding's interface takes is in its row, and so in the store.  What a host's
 * path takes less (RFC 1191) is the host's, not the binding's, and kept in memory alone: the data plane's records show
 * it to the next rsipd.
 */
#include "lease_priv.h"
#include "util.h"

uint16_t lease_mtu(const struct bind *b)
{
	uint32_t front = RSIP_FRONT_LEN(b->row.host, b->row.tunnel), path = b->client ? b->client->pub.path_mtu : 0;

	return path && path - front < b->row.mtu ? (uint16_t)(path - front) : b->row.mtu;
}

/* The least that is believed of a host's path. */
static uint16_t least(__be32 host)
{
	return RSIP_HOST6_IS(host) ? RSIP_PATH_MTU_MIN6 : RSIP_PATH_MTU_MIN;
}

static void follow(struct rsip_lease *lm, struct client *c)
{
	for (struct bind *b = c->binds; b; b = b->next)
		if (b->slot)
			lm->dp->ops->bind_mtu(lm->dp, b->slot, lease_mtu(b));
}

uint32_t rsip_lease_link_mtu(struct rsip_lease *lm, uint16_t iface, uint16_t mtu)
{
	struct client *c, *next;
	uint32_t changed = 0;

	HASH_ITER(by_id, lm->by_id, c, next) {
		if (c->pub.iface != iface)
			continue;
		for (struct bind *b = c->binds; b; b = b->next) {
			uint32_t front = RSIP_FRONT_LEN(b->row.host, b->row.tunnel);

			if (mtu <= front || b->row.mtu == mtu - front)
				continue;
			b->row.mtu = (uint16_t)(mtu - front);
			lease_keep_bind(lm, b);
			changed++;
		}
		follow(lm, c);
	}
	return changed;
}

static bool is_lower(const struct client *c, uint16_t mtu)
{
	for (const struct bind *b = c->binds; b; b = b->next)
		if (mtu < lease_mtu(b) + RSIP_FRONT_LEN(b->row.host, b->row.tunnel))
			return true;
	return false;
}

bool rsip_lease_path_mtu(struct rsip_lease *lm, struct rsip_lease_client *pub, uint16_t mtu, uint64_t now_ns)
{
	struct client *c = client_of(pub);

	if (mtu < least(pub->host))
		mtu = least(pub->host);
	if (!is_lower(c, mtu) || rsip_timer_set(&lm->timers, &c->path_timer, now_ns + RSIP_PATH_MTU_NS))
		return false;
	c->pub.path_mtu = mtu;
	follow(lm, c);
	if (lm->sink.path_changed)
		lm->sink.path_changed(lm->sink.arg, pub);
	return true;
}

void lease_path_forget(struct rsip_lease *lm, struct client *c)
{
	rsip_timer_clear(&lm->timers, &c->path_timer);
	c->pub.path_mtu = 0;
	follow(lm, c);
	if (lm->sink.path_changed)
		lm->sink.path_changed(lm->sink.arg, &c->pub);
}

/* The clock begins anew: when it was learned is not written anywhere. */
void lease_path_found(struct rsip_lease *lm, struct bind *b, uint16_t mtu, uint64_t now_ns)
{
	uint32_t path = mtu + RSIP_FRONT_LEN(b->row.host, b->row.tunnel);

	if (mtu < b->row.mtu && path >= least(b->row.host))
		rsip_lease_path_mtu(lm, &b->client->pub, (uint16_t)path, now_ns);
	if (mtu != lease_mtu(b))
		lm->dp->ops->bind_mtu(lm->dp, b->slot, lease_mtu(b));
}
