/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inside the lease manager: how lease.h is kept. */
#ifndef RSIP_LEASE_PRIV_H
#define RSIP_LEASE_PRIV_H

#include <uthash.h>

#include "journal.h"
#include "lease.h"
#include "lease_index.h"
#include "pool.h"
#include "store.h"
#include "timer.h"

enum timer_kind { TIMER_CLIENT, TIMER_BIND, TIMER_PATH };

/* What a binding holds, kept as ranges: a thousand ports of one block cost what one port costs. */
struct holding {
	uint16_t port_ranges, spi_ranges;
	bool whole; /* the address itself */
	__be32 ike_remote; /* its ports are 500 and 4500, for this remote only; 0: ports of its own */
	struct rsip_store_range range[]; /* ports first, then SPIs */
};

struct bind {
	struct rsip_store_lease row; /* what is kept of it; expiry is the timer's, ranges are in held */
	struct rsip_journal_mark mark;
	struct rsip_timer timer; /* expiry */
	struct client *client;
	struct bind *next, *prev; /* of the client */
	struct holding *held;
	uint32_t slot, addr_index, port_cnt, spi_cnt;
	uint16_t pool;
	UT_hash_handle hh;
};

struct client {
	struct rsip_lease_client pub; /* first: handed out as it is */
	struct rsip_timer timer;
	struct rsip_timer path_timer; /* until when pub.path_mtu is believed */
	struct bind *binds;
	uint32_t home; /* address index of its last binding, plus 1 */
	uint32_t next_port; /* right after its last block, on home */
	UT_hash_handle by_id, by_host;
};

/* Resources that rest: RFC 3102 6.1.  A queue, since all rest equally long. */
struct resting {
	struct resting *prev, *next; /* of all, in the order in which they end */
	struct resting *before, *later; /* of the same host */
	struct rest_host *host;
	struct rsip_store_lease row; /* the ended binding; rest_ns is the end of the rest */
	struct rsip_journal_mark mark;
	uint64_t batch; /* the rest ends only when this one is durable, or two might hold the same after a crash */
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
	uint8_t (*dscp_of)(void *arg, __be32 host); /* NULL: no host has one of its own */
	void *dscp_arg;
	struct rsip_timers timers;
	struct client *by_id, *by_host;
	struct lease_index clients;
	struct bind *binds; /* by bind ID */
	struct lease_index bind_order;
	struct resting *rest_first, *rest_last;
	struct rest_host *rest_hosts;
	struct share *shares; /* lease_share.c */
	uint32_t unfair; /* pool + 1 that refused the ask under way for its share; 0: none */
	struct rsip_journal *journal;
	struct found_bind *found; /* lease_adopt.c: installed, and not met in the store yet */
	struct found_bind *found_twice; /* installed under the bind ID of another */
	struct rsip_lease_bind view; /* what look-ups hand out: valid until the next call */
	struct rsip_spi_range *view_spis;
	uint32_t view_spi_size;
};

static inline struct rsip_store_range *lease_spi_ranges(const struct holding *held)
{
	return (struct rsip_store_range *)&held->range[held->port_ranges];
}

static inline struct client *client_of(struct rsip_lease_client *c)
{
	return (struct client *)c;
}

/* lease_items.c: what exists */
const struct rsip_lease_bind *lease_view(struct rsip_lease *lm, const struct bind *b); /* NULL: no memory */
struct client *lease_client_by_id(struct rsip_lease *lm, uint32_t id);
struct client *lease_client_by_host(struct rsip_lease *lm, __be32 host);
struct bind *lease_bind_by_id(struct rsip_lease *lm, uint32_t id);
uint32_t lease_new_client_id(struct rsip_lease *lm);
uint32_t lease_new_bind_id(struct rsip_lease *lm);
struct client *lease_client_add(struct rsip_lease *lm, const struct rsip_lease_client *as); /* seq 0: a new one */
void lease_client_outlive(struct rsip_lease *lm, struct client *c, uint64_t expires_ns);
/* held passes to the binding on success; row->seq 0: a new one. */
struct bind *lease_bind_add(struct rsip_lease *lm, struct client *c, const struct rsip_store_lease *row,
			    uint32_t addr_index, struct holding *held);
void lease_bind_forget(struct rsip_lease *lm, struct bind *b);
void lease_client_forget(struct rsip_lease *lm, struct client *c);

/* lease.c */
int lease_install(struct rsip_lease *lm, struct bind *b, uint64_t nexthop); /* in the data plane */
/* The row as it is now goes to the store. */
void lease_keep(struct rsip_lease *lm, struct rsip_journal_mark *mark, const struct rsip_store_lease *row,
		const struct holding *held);
void lease_keep_bind(struct rsip_lease *lm, struct bind *b);

/* lease_dscp.c: what packets from hosts leave with */
uint8_t lease_dscp(const struct rsip_lease *lm, __be32 host);
void lease_dscp_found(struct rsip_lease *lm, struct bind *b); /* installed by an earlier rsipd */

/* lease_path.c: how long packets to hosts may be */
uint16_t lease_mtu(const struct bind *b); /* longest inner packet */
void lease_path_forget(struct rsip_lease *lm, struct client *c); /* its time is over: all is as if nothing were learned */
/* Start-up: the data plane has mtu (inner) for b, which an earlier rsipd may have learned. */
void lease_path_found(struct rsip_lease *lm, struct bind *b, uint16_t mtu, uint64_t now_ns);

/* lease_addr.c: addresses and what they give */
int lease_addrs_create(struct rsip_lease *lm, const struct rsip_lease_conf *conf);
void lease_addrs_destroy(struct rsip_lease *lm);
int lease_addr_index(const struct rsip_lease *lm, __be32 addr); /* or -ENOENT */
bool lease_pool_offers(const struct rsip_lease *lm, uint32_t addr_index, uint8_t method);
/* May this ask be served from the address's pool? */
bool lease_may_serve(const struct rsip_lease *lm, uint32_t addr_index, const struct rsip_lease_ask *ask);
/* Addresses lm->pool_first[pool] and on, by lm->pool[pool]; lm->addr and lm->fit have room. */
int lease_pool_create(struct rsip_lease *lm, uint32_t pool);
int lease_fit_widen(struct rsip_lease *lm, uint32_t addr_cnt); /* 0 or -ENOMEM */
int lease_fit_in_pool(struct rsip_lease *lm, uint32_t pool, uint8_t need); /* address index or -1 */
/* lease_take.c: finds room for the ask: addr_index and a holding (caller frees), taken already.  RSIP_OK or the RFC's error. */
enum rsip_err lease_take(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			 uint32_t *addr_index, struct holding **held);
int lease_take_found(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
void lease_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
/* The same without the statistics of what is leased. */
bool lease_is_free(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
int lease_take_up(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
void lease_give_back(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
/* What was leased is no longer counted as such. */
void lease_leased_less(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
uint32_t lease_count(const struct holding *held, bool spis);
/* Copies the result of a search into memory that fits. */
struct holding *lease_holding_fit(struct holding *h);

/* lease_adopt.c */
void lease_found_clear(struct rsip_lease *lm);

/* lease_rest.c: what rests after its binding's end */
/* Begins the rest until row->rest_ns; held passes on success.  NULL: memory is out. */
struct resting *lease_rest(struct rsip_lease *lm, const struct rsip_store_lease *row, uint32_t addr_index,
			   struct holding *held);
/* Frees what has rested at now_ns, max of them at most; returns when there is more to free, ~0ULL: only after a commit. */
uint64_t lease_rest_end(struct rsip_lease *lm, uint64_t now_ns, unsigned int max);
void lease_rest_sort(struct rsip_lease *lm); /* after a start: by the end of the rest */
void lease_rest_clear(struct rsip_lease *lm);
/* Does this port or SPI rest after a binding of this very host? */
bool lease_rest_owned(struct rsip_lease *lm, __be32 host, uint32_t addr_index, uint32_t number, bool spi);
/* What keeping all that rests after this host costs: 1 a binding, 1 a range of ports, 1 for each 8 SPIs of a range (RSIP_SPI_BLOCK). */
uint32_t lease_rest_load(struct rsip_lease *lm, __be32 host);
/* Address index + 1 of what this host gave back last and rests; 0: nothing does. */
uint32_t lease_rest_home(struct rsip_lease *lm, __be32 host);
/* What is left of a without what b holds, in memory of its own; NULL: there is none. */
struct holding *lease_without(const struct holding *a, const struct holding *b);
/* What held names and rests after bindings of this host is free at once: the host takes it again. */
void lease_rest_recall(struct rsip_lease *lm, __be32 host, uint32_t addr_index, const struct holding *held);

/* lease_share.c: what each host has of each pool, leased or resting */
int lease_share_add(struct rsip_lease *lm, __be32 host, uint32_t addr_index, const struct holding *held); /* -ENOMEM */
void lease_share_less(struct rsip_lease *lm, __be32 host, uint32_t addr_index, const struct holding *held);
void lease_share_clear(struct rsip_lease *lm);
/* Does the pool of this address have enough left, or the host little enough, for the ask? */
bool lease_share_allows(struct rsip_lease *lm, const struct client *c, uint32_t addr_index, const struct rsip_lease_ask *ask);

/* lease_whole.c: addresses leased whole, RSA-IP */
int lease_whole_create(struct rsip_lease *lm);
int lease_whole_widen(struct rsip_lease *lm, uint32_t addr_cnt); /* 0 or -ENOMEM */
void lease_whole_begin(struct rsip_lease *lm, uint32_t pool); /* a new pool: all of it is free */
void lease_whole_destroy(struct rsip_lease *lm);
bool lease_whole_free(const struct rsip_lease *lm, uint32_t addr_index);
void lease_whole_take(struct rsip_lease *lm, uint32_t addr_index);
void lease_whole_give(struct rsip_lease *lm, uint32_t addr_index);
enum rsip_err lease_whole_find(struct rsip_lease *lm, const struct client *c, const struct rsip_lease_ask *ask, uint32_t *addr_index,
			       struct holding **held);

/* lease_listen.c: UDP 500 and 4500 of an address for one remote; ports as in held->range */
int lease_ike_take(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held); /* -EEXIST, -ENOMEM */
void lease_ike_give(struct rsip_lease *lm, uint32_t addr_index, const struct holding *held);
void lease_ike_clear(struct rsip_lease *lm);
enum rsip_err lease_ike_find(struct rsip_lease *lm, struct client *c, const struct rsip_lease_ask *ask,
			     uint32_t *addr_index, struct holding **held);

#endif
