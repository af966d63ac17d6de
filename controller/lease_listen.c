// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Listeners on UDP 500 and 4500 of an address that all its hosts share for IKE: one for each remote (RFC 3102 3.2
 * "may be augmented by source IP address", RFC 3104 Appendix G).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lease_priv.h"

#define ADDRESSES_TRIED 16 /* for a host that does not care which */

struct ike_key {
	uint32_t addr_index;
	__be32 remote;
	uint32_t port;
};

struct ike_listener {
	struct ike_key key;
	UT_hash_handle hh;
};

static struct ike_listener *listener_find(struct rsip_lease *lm, uint32_t addr_index, __be32 remote, uint32_t port)
{
	struct ike_key key = { addr_index, remote, port };
	struct ike_listener *l;

	HASH_FIND(hh, lm->ike_listeners, &key, sizeof(key), l);
	return l;
}

static void give_ports(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		struct ike_listener *l = listener_find(lm, addr_index, held->ike_remote, held->range[i].first);

		if (!l)
			continue;
		HASH_DEL(lm->ike_listeners, l);
		free(l);
	}
}

int lease_ike_take(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	for (uint32_t i = 0; i < held->port_ranges; i++)
		if (listener_find(lm, addr_index, held->ike_remote, held->range[i].first))
			return -EEXIST;
	for (uint32_t i = 0; i < held->port_ranges; i++) {
		struct ike_listener *l = calloc(1, sizeof(*l));

		if (!l) {
			give_ports(lm, addr_index, held, i);
			return -ENOMEM;
		}
		l->key = (struct ike_key){ addr_index, held->ike_remote, held->range[i].first };
		HASH_ADD(hh, lm->ike_listeners, key, sizeof(l->key), l);
	}
	return 0;
}

void lease_ike_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held)
{
	give_ports(lm, addr_index, held, held->port_ranges);
}

void lease_ike_clear(struct rsip_lease *lm)
{
	struct ike_listener *l, *next;

	HASH_ITER(hh, lm->ike_listeners, l, next) {
		HASH_DEL(lm->ike_listeners, l);
		free(l);
	}
}

static struct holding *holding_new(const struct rsip_lease_ask *ask)
{
	struct holding *h = calloc(1, sizeof(*h) + 2 * sizeof(struct rsip_store_range));

	if (!h)
		return NULL;
	h->ike_remote = ask->remote;
	if (ask->kind & RSIP_KIND_IKE_500)
		h->range[h->port_ranges++] = (struct rsip_store_range){ 500, 1 };
	if (ask->kind & RSIP_KIND_IKE_4500)
		h->range[h->port_ranges++] = (struct rsip_store_range){ 4500, 1 };
	return h;
}

/* The address asked for, or the host's own one, or a few of the others. */
static int take_somewhere(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			  uint32_t *addr_index, const struct holding *h)
{
	int err = -EEXIST;

	if (ask->local) {
		lease_rest_recall(lm, c->pub.host, *addr_index, h);
		return lease_take_found(lm, *addr_index, h);
	}
	*addr_index = c->home - 1;
	if (c->home && lease_may_serve(lm, *addr_index, ask)) {
		lease_rest_recall(lm, c->pub.host, *addr_index, h);
		err = lease_take_found(lm, *addr_index, h);
	}
	for (uint32_t pool = 0, tries = 0; pool < lm->pool_cnt; pool++) {
		for (uint32_t i = 0; i < lm->pool[pool].addr_cnt && err == -EEXIST; i++) {
			*addr_index = lm->pool_first[pool] + i;
			if (!lease_may_serve(lm, *addr_index, ask) || tries++ >= ADDRESSES_TRIED)
				break;
			err = lease_take_found(lm, *addr_index, h);
		}
	}
	return err;
}

enum rsip_err lease_ike_find(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			     uint32_t *addr_index, struct holding **held)
{
	struct holding *h = holding_new(ask);
	int err = h ? take_somewhere(lm, c, ask, addr_index, h) : -ENOMEM;

	if (!err) {
		*held = h;
		return RSIP_OK;
	}
	free(h);
	if (err != -EEXIST)
		return RSIP_ERR_INTERNAL_SERVER_ERROR;
	return ask->local ? RSIP_ERR_LOCAL_ADDRPORT_INUSE : RSIP_ERR_LOCAL_ADDRPORT_UNAVAILABLE;
}
