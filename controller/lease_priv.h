/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inside the lease manager: how lease.h is kept. */
#ifndef RSIP_LEASE_PRIV_H
#define RSIP_LEASE_PRIV_H

#include <uthash.h>

#include "lease.h"
#include "pool.h"
#include "timer.h"

enum timer_kind { TIMER_CLIENT, TIMER_BIND };

struct range {
	uint32_t first, cnt;
};

/* What a binding holds, kept as ranges: a thousand ports of one block cost what one port costs. */
struct holding {
	uint16_t port_ranges, spi_ranges;
	struct range range[]; /* ports first, then SPIs */
};

struct bind {
	struct rsip_timer timer; /* expiry */
	struct client *client;
	struct bind *next, *prev; /* of the client */
	struct bind *older, *newer; /* of all, in order of creation */
	struct holding *held;
	uint64_t start_ns;
	uint32_t bind_id, slot, addr_index, port_cnt, spi_cnt;
	__be32 endpoint;
	uint16_t pool;
	uint8_t method, tunnel;
	UT_hash_handle hh;
};

struct client {
	struct rsip_lease_client pub; /* first: handed out as it is */
	struct rsip_timer timer;
	struct bind *binds;
	struct client *older, *newer;
	uint32_t home; /* address index of its last binding, plus 1 */
	uint32_t next_port; /* right after its last block, on home */
	UT_hash_handle by_id, by_host;
};

/* Resources that rest: RFC 3102 6.1.  A queue, since all rest equally long. */
struct resting {
	struct resting *next;
	uint64_t until_ns;
	uint32_t addr_index;
	struct holding *held;
};

struct rsip_lease {
	struct rsip_lease_limits limits;
	struct rsip_pool_conf *pool;
	uint32_t pool_cnt;
	uint32_t *pool_first; /* address index of a pool's first address */
	struct rsip_pool_stats *stats;
	struct rsip_pool_addr *addr;
	uint32_t addr_cnt;
	uint8_t *fit; /* tree over the addresses: the largest 1 + order of free ports below */
	uint32_t fit_leaves;
	uint32_t rotor; /* spreads new hosts over the addresses */
	struct rsip_spi_space spis;
	struct rsip_dataplane *dp;
	struct rsip_lease_sink sink;
	void (*random)(void *buf, size_t len);
	struct rsip_timers timers;
	struct client *by_id, *by_host;
	struct client *oldest_client, *newest_client;
	struct bind *binds; /* by bind ID */
	struct bind *oldest_bind, *newest_bind;
	struct resting *rest_first, *rest_last;
	struct rsip_lease_bind view; /* what look-ups hand out: valid until the next call */
	struct rsip_spi_range *view_spis;
	uint32_t view_spi_size;
};

static inline struct client *client_of(struct rsip_lease_client *c)
{
	return (struct client *)c;
}

/* lease_addr.c: addresses and what they give */
int lease_addrs_create(struct rsip_lease *lm, const struct rsip_lease_conf *conf);
void lease_addrs_destroy(struct rsip_lease *lm);
int lease_addr_index(const struct rsip_lease *lm, __be32 addr); /* or -ENOENT */
bool lease_pool_offers(const struct rsip_lease *lm, uint32_t addr_index, uint8_t method);
/* Finds room for the ask: addr_index and a holding (caller frees), taken already.  RSIP_OK or the RFC's error. */
enum rsip_err lease_take(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			 uint32_t *addr_index, struct holding **held);
int lease_take_found(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
void lease_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
/* Starts the rest of held (ownership passes); falls back to giving it at once only when memory is out. */
void lease_rest(struct rsip_lease *lm, uint32_t addr_index, struct holding *held, uint64_t now_ns);
void lease_rest_end(struct rsip_lease *lm, uint64_t now_ns);
uint32_t lease_count(const struct holding *held, bool spis);

#endif
