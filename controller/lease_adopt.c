// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Start-up: registrations and bindings rebuilt from what is installed in the data plane. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "lease_priv.h"
#include "log.h"

static struct holding *holding_of(const struct rsip_dp_binding *found)
{
	struct holding *h = calloc(1, sizeof(*h) + (found->ports.cnt + found->spis.range_cnt) * sizeof(struct rsip_store_range));

	if (!h)
		return NULL;
	h->whole = found->rec.method == RSIP_METHOD_RSA_IP;
	h->ike_remote = found->rec.kind & RSIP_KIND_IKE ? found->rec.remote : 0;
	for (uint32_t i = 0; i < found->ports.cnt; i++) {
		struct rsip_store_range *last = h->port_ranges ? &h->range[h->port_ranges - 1] : NULL;

		if (last && last->first + last->cnt == found->ports.port[i])
			last->cnt++;
		else
			h->range[h->port_ranges++] = (struct rsip_store_range){ found->ports.port[i], 1 };
	}
	for (uint32_t i = 0; i < found->spis.range_cnt; i++)
		h->range[h->port_ranges + h->spi_ranges++] =
			(struct rsip_store_range){ found->spis.range[i].first, found->spis.range[i].cnt };
	return h;
}

struct adoption {
	struct rsip_lease *lm;
	uint64_t now_ns;
	uint32_t *lost; /* slots that fit nowhere: removed after the walk */
	uint32_t lost_cnt, lost_size;
	uint32_t binds, clients;
	int err;
};

static int adopt_lost(struct adoption *a, uint32_t slot)
{
	if (a->lost_cnt == a->lost_size) {
		uint32_t size = a->lost_size ? a->lost_size * 2 : 64;
		uint32_t *lost = realloc(a->lost, size * sizeof(*lost));

		if (!lost)
			return a->err = -ENOMEM;
		a->lost = lost;
		a->lost_size = size;
	}
	a->lost[a->lost_cnt++] = slot;
	return 0;
}

static struct rsip_store_lease row_of(const struct rsip_binding *rec, uint64_t now_ns)
{
	return (struct rsip_store_lease){
		.start_ns = now_ns,
		.expires_ns = rec->expires_ns,
		.client_id = rec->client_id,
		.bind_id = rec->bind_id,
		.host = rec->host,
		.local = rec->local,
		.endpoint = rec->endpoint,
		.remote = rec->remote,
		.remote_port = ntohs(rec->remote_port),
		.remote_port_cnt = rec->remote_port_cnt,
		.mtu = rec->mtu,
		.method = rec->method,
		.tunnel = rec->tunnel,
		.kind = rec->kind,
	};
}

static struct client *client_of_record(struct adoption *a, const struct rsip_binding *rec)
{
	const struct rsip_lease_client as = {
		.client_id = rec->client_id,
		.host = rec->host,
		.iface = rec->iface,
		.transport = rec->transport,
		.echoed = true, /* it once asked for a binding under its client ID */
		.start_ns = a->now_ns,
		.expires_ns = rec->expires_ns,
	};
	struct client *c = lease_client_by_host(a->lm, rec->host);

	if (c)
		return c;
	c = lease_client_add(a->lm, &as);
	a->clients += c != NULL;
	return c;
}

static bool contradicts(struct rsip_lease *lm, const struct rsip_binding *rec)
{
	const struct client *c = lease_client_by_host(lm, rec->host);

	if (c ? c->pub.client_id != rec->client_id : lease_client_by_id(lm, rec->client_id) != NULL)
		return true;
	return lease_bind_by_id(lm, rec->bind_id) != NULL;
}

static int adopt_one(void *arg, uint32_t slot, const struct rsip_dp_binding *found)
{
	struct adoption *a = arg;
	struct rsip_lease *lm = a->lm;
	struct rsip_store_lease row = row_of(&found->rec, a->now_ns);
	int index = lease_addr_index(lm, row.local);
	struct holding *held;
	struct client *c;
	struct bind *b;

	if (index < 0 || contradicts(lm, &found->rec))
		return adopt_lost(a, slot);
	held = holding_of(found);
	if (!held)
		return a->err = -ENOMEM;
	if (lease_take_found(lm, (uint32_t)index, held)) {
		free(held);
		return adopt_lost(a, slot);
	}
	c = client_of_record(a, &found->rec);
	b = c ? lease_bind_add(lm, c, &row, (uint32_t)index, held) : NULL;
	if (!b)
		return a->err = -ENOMEM;
	b->slot = slot;
	lease_client_outlive(lm, c, row.expires_ns);
	a->binds++;
	return 0;
}

int rsip_lease_adopt(struct rsip_lease *lm, uint64_t now_ns, uint32_t *binds, uint32_t *clients)
{
	struct adoption a = { .lm = lm, .now_ns = now_ns };
	int err = lm->dp->ops->foreach(lm->dp, now_ns, adopt_one, &a);

	for (uint32_t i = 0; i < a.lost_cnt; i++)
		lm->dp->ops->bind_remove(lm->dp, a.lost[i]);
	if (a.lost_cnt)
		log_warn("%u installed bindings fit no pool of the configuration: removed", a.lost_cnt);
	free(a.lost);
	*binds = a.binds;
	*clients = a.clients;
	return a.err ? a.err : err;
}
