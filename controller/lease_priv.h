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
	bool whole; /* the address itself */
	__be32 ike_remote; /* its ports are 500 and 4500, for this remote only; 0: ports of its own */
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
	__be32 endpoint, remote;
	uint16_t remote_port, remote_port_cnt;
	uint16_t pool;
	uint8_t method, tunnel, kind;
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
	struct whole_addr *whole; /* lease_whole.c: the addresses of RSA-IP pools */
	struct ike_listener *ike_listeners; /* lease_listen.c */
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
/* May this ask be served from the address's pool? */
bool lease_may_serve(const struct rsip_lease *lm, uint32_t addr_index, const struct rsip_lease_ask *ask);
/* Finds room for the ask: addr_index and a holding (caller frees), taken already.  RSIP_OK or the RFC's error. */
enum rsip_err lease_take(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			 uint32_t *addr_index, struct holding **held);
int lease_take_found(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
void lease_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
/* Starts the rest of held (ownership passes); falls back to giving it at once only when memory is out. */
void lease_rest(struct rsip_lease *lm, uint32_t addr_index, struct holding *held, uint64_t now_ns);
void lease_rest_end(struct rsip_lease *lm, uint64_t now_ns);
uint32_t lease_count(const struct holding *held, bool spis);
/* Copies the result of a search into memory that fits. */
struct holding *lease_holding_fit(struct holding *h);

/* lease_whole.c: addresses leased whole, RSA-IP */
int lease_whole_create(struct rsip_lease *lm);
void lease_whole_destroy(struct rsip_lease *lm);
bool lease_whole_free(const struct rsip_lease *lm, uint32_t addr_index);
void lease_whole_take(struct rsip_lease *lm, uint32_t addr_index);
void lease_whole_give(struct rsip_lease *lm, uint32_t addr_index);
enum rsip_err lease_whole_find(struct rsip_lease *lm, const struct rsip_lease_ask *ask, uint32_t *addr_index,
			       struct holding **held);

/* lease_listen.c: UDP 500 and 4500 of an address for one remote; ports as in held->range */
int lease_ike_take(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held); /* -EEXIST, -ENOMEM */
void lease_ike_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
void lease_ike_clear(struct rsip_lease *lm);
enum rsip_err lease_ike_find(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			     uint32_t *addr_index, struct holding **held);

#endif
