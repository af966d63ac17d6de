/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lease manager: pools, registrations, bindings, expiry.  It knows no wire format, socket, clock or BPF:
 * time is an argument (now_ns, CLOCK_MONOTONIC), randomness a function, the data plane an interface.
 *
 * One host is one source address (rfc-compliance: a host is its source address alone).  No request scans: every
 * look-up is by hash, every allocation from a free list, every expiry from an ordered structure.
 *
 * Addresses are in network order; ports, SPIs and IDs in host order; leases in seconds.
 */
#ifndef RSIP_LEASE_H
#define RSIP_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "dataplane.h"
#include "rsip/wire.h"

#define RSIP_METHOD_BIT(m) (1U << (m))
#define RSIP_POOLS_MAX 256 /* ranges of addresses, all pools together */

/* Some of the pools, a bit for each index in the configuration. */
struct rsip_pool_set {
	uint64_t bit[RSIP_POOLS_MAX / 64];
};

static inline bool rsip_pool_in(const struct rsip_pool_set *set, uint32_t pool) /* set NULL: all */
{
	return !set || set->bit[pool / 64] >> pool % 64 & 1;
}

/* One pool of the configuration. */
struct rsip_pool_conf {
	char name[32];
	__be32 first; /* addresses first .. first + addr_cnt - 1 */
	uint32_t addr_cnt;
	uint16_t port_first; /* ports that are leased, inclusive; default 1024 .. 65535 */
	uint16_t port_last;
	uint32_t methods; /* RSIP_METHOD_BIT()s offered; addresses of an RSA-IP pool are leased whole, and only so */
	struct rsip_dp_addr_rules rules; /* what of these addresses is the machine's own is never leased */
	uint32_t spi_min; /* gateway-chosen SPIs lie in [spi_min, spi_max]; default 256 .. 2^32-1 */
	uint32_t spi_max;
	bool draining; /* given up: nothing new is leased, nothing extended */
	bool gone; /* drained: its addresses have left the data plane */
};

struct rsip_lease_limits {
	uint32_t clients; /* registrations; default 65536 */
	uint32_t binds_per_client; /* 64 */
	uint32_t ports_per_client; /* 1024 */
	uint32_t spis_per_client; /* 1024 */
	uint32_t addrs_per_client; /* whole ones: 1 */
	uint32_t resting_per_client; /* of a host, as lease_rest_load() counts: 65536; 0: as much as comes */
	uint32_t lease_min_s; /* 60 */
	uint32_t lease_max_s; /* 86400 */
	uint32_t lease_default_s; /* of a binding: 1800 */
	uint32_t register_s; /* of a registration: 3600 */
	uint32_t hold_s; /* freed ports and SPIs rest: 120 (RFC 3102 6.1) */
	uint32_t fair_percent; /* of a pool: the last ones are for hosts within their fair share; 10, 0: for whoever asks */
	uint32_t fair_ports; /* so many are fair, however many hosts there are: 64 */
};

struct rsip_journal; /* journal.h */
struct rsip_store_client; /* store.h */
struct rsip_store_lease;

struct rsip_lease_conf {
	const struct rsip_pool_conf *pool;
	uint32_t pool_cnt;
	struct rsip_lease_limits limits;
	struct rsip_journal *journal; /* where changes are kept; NULL: nowhere */
};

/* Why a registration or binding ended, for logs, events and the host. */
enum rsip_end { RSIP_END_HOST, RSIP_END_EXPIRED, RSIP_END_OPERATOR, RSIP_END_REFUSED };
const char *rsip_end_name(enum rsip_end why); /* one word, for programs: the allocation log and events */

struct rsip_lease_bind { /* read-only to callers */
	uint64_t seq; /* rises with each new binding: a place in the order that stays */
	uint32_t bind_id;
	uint32_t slot; /* in the data plane */
	uint8_t method;
	uint8_t tunnel;
	uint8_t kind; /* RSIP_KIND_* */
	uint16_t pool;
	__be32 local;
	__be32 endpoint;
	uint16_t mtu; /* longest inner packet toward the host */
	uint8_t dscp; /* of what its host sends: as in struct rsip_binding */
	bool mtu_learned; /* less than its interface takes: a router on the way said so */
	__be32 remote; /* the one it may talk to; 0: all */
	uint16_t remote_port, remote_port_cnt; /* its ports; 0: all */
	uint64_t start_ns, expires_ns;
	struct rsip_port_set ports; /* may be kept compact inside; this is the view handed out */
	struct rsip_spi_set spis;
};

/* What the engine keeps with a registration: message counters, replay (RFC 3103 10.1). Owned by the engine. */
struct rsip_engine_session;

struct rsip_lease_client { /* read-only to callers but for session */
	uint64_t seq; /* as of a binding */
	uint32_t client_id;
	__be32 host;
	uint16_t iface; /* data plane interface index */
	uint8_t transport;
	bool echoed; /* the host has used its client ID: its source address is real */
	uint64_t start_ns, expires_ns; /* R of RFC 3103 6 */
	uint32_t bind_cnt, port_cnt, spi_cnt, whole_cnt;
	uint16_t path_mtu; /* longest outer packet that the path to the host takes, as learned; 0: nothing is */
	struct rsip_engine_session *session;
};

/* An assignment as asked for: RFC 3103 9.6, 9.8, RFC 3104 6.2. */
struct rsip_lease_ask {
	uint8_t method; /* enum rsip_method */
	uint8_t tunnel; /* already checked by the engine */
	/*
	 * RSIP_KIND_*.  With a part of RSIP_KIND_IKE the ports are 500 and 4500 as it says, ports_given is set, and
	 * remote is the peer whose packets to them the host is to get (RFC 3102 3.2, RFC 3104 App. G).
	 */
	uint8_t kind;
	const struct rsip_pool_set *pools; /* where it may be served from; NULL: everywhere */
	__be32 local; /* 0: don't care */
	__be32 remote; /* the one the binding is for; 0: any */
	uint16_t remote_port, remote_port_cnt; /* 0: any */
	uint16_t port_cnt; /* 0: none needed (RSIPSEC) */
	bool ports_given; /* ports.port[0 .. port_cnt-1] asked for by number */
	struct rsip_port_set ports;
	uint16_t spi_cnt; /* 0: none */
	bool spis_given; /* spi_range asked for by number */
	struct rsip_spi_set spis; /* ascending; caller's memory */
	uint32_t lease_s; /* 0: not given */
	__be32 endpoint; /* our end of the tunnel for this host */
	uint64_t nexthop; /* union rsip_nexthop, 0 if not known yet */
	uint16_t mtu; /* inner, toward the host */
};

struct rsip_lease;

struct rsip_lease_sink { /* told after the fact; all optional */
	void *arg;
	void (*client_end)(void *arg, const struct rsip_lease_client *c, enum rsip_end why); /* frees session */
	void (*bind_start)(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b);
	void (*bind_end)(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why);
	/*
	 * Start-up: a binding that an earlier rsipd had granted has ended meanwhile, at_ns (of before the boot: below zero).
	 * c has no more than its ID, host and interface (RSIP_MAX_IFACES: not known).
	 */
	void (*bind_gone)(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b, enum rsip_end why,
			  uint64_t at_ns);
	/* The path to the host takes less than before, c->path_mtu; 0: it is tried again with what the interface takes. */
	void (*path_changed)(void *arg, const struct rsip_lease_client *c);
};

/* conf is copied.  random: fills bytes (the CSPRNG in the daemon, a seeded generator in tests). 0 or -errno. */
int rsip_lease_create(const struct rsip_lease_conf *conf, struct rsip_dataplane *dp,
		      void (*random)(void *buf, size_t len), const struct rsip_lease_sink *sink, struct rsip_lease **out);
void rsip_lease_destroy(struct rsip_lease *lm); /* what is installed stays installed */

/*
 * Start-up with a lease store: scan, then a restore for each row (clients first), then settle.  What the store holds is
 * what was acknowledged: it is found in the data plane, or installed there; what is installed and not in the store goes,
 * unless the store is fresh: then it is taken over.  A binding lives until the later of the two expiries.
 */
int rsip_lease_scan(struct rsip_lease *lm, uint64_t now_ns);
/*
 * 0, or -EEXIST: it contradicts a row before it, -ENOENT: what it holds is not in the configuration any more, -ENOMEM.
 * iface is what row->iface names now; *c is NULL for a host that has de-registered.  A lease whose registration was not
 * restored rests.
 */
int rsip_lease_restore_client(struct rsip_lease *lm, const struct rsip_store_client *row, uint16_t iface,
			      struct rsip_lease_client **c);
int rsip_lease_restore_lease(struct rsip_lease *lm, const struct rsip_store_lease *row, uint64_t now_ns);

struct rsip_lease_found {
	uint32_t clients, binds; /* live, all in all */
	uint32_t resting; /* holdings */
	uint32_t installed; /* bindings that the data plane had not */
	uint32_t removed; /* bindings that only the data plane had, or had twice under one ID */
};
int rsip_lease_settle(struct rsip_lease *lm, uint64_t now_ns, bool fresh, struct rsip_lease_found *found);
/* The same without a store: takes over what the data plane holds (registrations are rebuilt from their bindings). */
int rsip_lease_adopt(struct rsip_lease *lm, uint64_t now_ns, uint32_t *binds, uint32_t *clients);

/* Look-ups; NULL where there is none or it has expired at now_ns. */
struct rsip_lease_client *rsip_lease_by_host(struct rsip_lease *lm, __be32 host);
struct rsip_lease_client *rsip_lease_by_id(struct rsip_lease *lm, uint32_t client_id);
const struct rsip_lease_bind *rsip_lease_bind_by_id(struct rsip_lease *lm, uint32_t bind_id, struct rsip_lease_client **owner);

/* RFC 3103 9.2: RSIP_OK, 304 when the table is full.  *c is set for 302 as well. */
enum rsip_err rsip_lease_register(struct rsip_lease *lm, __be32 host, uint16_t iface, uint8_t transport,
				  uint64_t now_ns, struct rsip_lease_client **c);
/* Ends it with all its bindings; c is gone afterwards. */
void rsip_lease_deregister(struct rsip_lease *lm, struct rsip_lease_client *c, enum rsip_end why, uint64_t now_ns);
/* May the ask be served at all, now or later?  312, 313; RSIP_OK says nothing of what is free. */
enum rsip_err rsip_lease_allowed(struct rsip_lease *lm, const struct rsip_lease_ask *ask);
/* 308-313, 401-403, 104; on RSIP_OK *b is the binding, installed in the data plane before this returns. */
enum rsip_err rsip_lease_assign(struct rsip_lease *lm, struct rsip_lease_client *c, const struct rsip_lease_ask *ask,
				uint64_t now_ns, const struct rsip_lease_bind **b);
enum rsip_err rsip_lease_extend(struct rsip_lease *lm, struct rsip_lease_client *c, uint32_t bind_id, uint32_t lease_s,
				uint64_t now_ns, const struct rsip_lease_bind **b); /* 306 */
enum rsip_err rsip_lease_free(struct rsip_lease *lm, struct rsip_lease_client *c, uint32_t bind_id, enum rsip_end why,
			      uint64_t now_ns); /* 306 */
/* What a host is told when nothing can be given: 308, 309, 402 by method (port_cnt: of an RSIPSEC ask). */
enum rsip_err rsip_lease_none_left(uint8_t method, uint32_t port_cnt);
/* Next hop of a host changed: all its bindings follow. */
void rsip_lease_nexthop(struct rsip_lease *lm, struct rsip_lease_client *c, uint64_t nexthop);

/*
 * What the packets of a host leave with, as in struct rsip_binding: asked for each binding that is installed or found, and
 * now for all there are.  dscp_of must answer until the next call or the end.
 */
void rsip_lease_set_dscp(struct rsip_lease *lm, uint8_t (*dscp_of)(void *arg, __be32 host), void *arg);

/*
 * An interface takes outer packets of mtu bytes now: all bindings of its hosts follow, in the store, too.  What a path takes
 * less goes on counting.  Returns how many bindings have changed.
 */
uint32_t rsip_lease_link_mtu(struct rsip_lease *lm, uint16_t iface, uint16_t mtu);

/*
 * The path to a host takes outer packets of mtu bytes (RSIP_PATH_MTU_MIN at least, over IPv6 RSIP_PATH_MTU_MIN6) and no
 * longer ones: all its bindings, and those to come, follow for RSIP_PATH_MTU_NS (RFC 1191 6.3, RFC 8201 4).  false: nothing
 * is lowered by it.
 */
#define RSIP_PATH_MTU_NS (600 * RSIP_NS_PER_S)
bool rsip_lease_path_mtu(struct rsip_lease *lm, struct rsip_lease_client *c, uint16_t mtu, uint64_t now_ns);

/*
 * Ends what expired at now_ns, tries paths anew and frees what has rested, RSIP_LEASE_EXPIRE_MAX of each at most, so that a
 * million leases that end together keep nobody waiting.  Returns when it wants to be called again: at once where that is not after now_ns;
 * ~0ULL: never.
 */
#define RSIP_LEASE_EXPIRE_MAX 128
uint64_t rsip_lease_expire(struct rsip_lease *lm, uint64_t now_ns);
/* Ends what expired of one host, however much of others is still to be ended: nobody is served by a lease that has run out. */
void rsip_lease_expire_host(struct rsip_lease *lm, __be32 host, uint64_t now_ns);

/*
 * Walks for the control socket, in pages in order of creation: behind the item with this seq, be it gone or not; 0 starts.
 * fn returns false to stop.
 */
void rsip_lease_walk_clients(struct rsip_lease *lm, uint64_t after_seq, bool (*fn)(void *arg, const struct rsip_lease_client *c), void *arg);
void rsip_lease_walk_binds(struct rsip_lease *lm, uint64_t after_seq,
			   bool (*fn)(void *arg, const struct rsip_lease_client *c, const struct rsip_lease_bind *b), void *arg);

/* All bindings of one client, newest first; at most limits.binds_per_client. */
void rsip_lease_each_bind(struct rsip_lease *lm, const struct rsip_lease_client *c,
			  void (*fn)(void *arg, const struct rsip_lease_bind *b), void *arg);

/*
 * A changed list of pools.  It begins with those that the manager has, in their order and with the same addresses; what is
 * not wanted any more is `draining`, one that was drained may come back without `gone`; of the rest only the name may
 * differ.  What follows is new.  0; -EINVAL: it is no such list; -ENOSPC: the data plane has no room for the addresses;
 * -EEXIST: somebody has one of them; -ENOMEM.  On failure nothing has changed.
 */
int rsip_lease_set_pools(struct rsip_lease *lm, const struct rsip_pool_conf *pool, uint32_t cnt);
/* Takes the addresses of pools away that are drained; true if there were any.  To be called now and then. */
bool rsip_lease_drain(struct rsip_lease *lm);
const struct rsip_pool_conf *rsip_lease_pool(const struct rsip_lease *lm, uint32_t pool); /* NULL: there is none */
/* What is held beyond a smaller limit stays held. */
void rsip_lease_set_limits(struct rsip_lease *lm, const struct rsip_lease_limits *limits);

struct rsip_pool_stats {
	uint64_t addrs, ports_total, ports_leased, ports_held, spis_leased, spis_held, binds;
	uint64_t whole_leased, whole_held; /* addresses of an RSA-IP pool */
	uint64_t hosts; /* that have something of it, leased or resting */
	uint64_t share_refused; /* asks that would have gone beyond a fair share, since start */
};
uint32_t rsip_lease_pools(struct rsip_lease *lm);
void rsip_lease_pool_stats(struct rsip_lease *lm, uint32_t pool, struct rsip_pool_stats *out);
uint32_t rsip_lease_client_count(struct rsip_lease *lm);
uint32_t rsip_lease_bind_count(struct rsip_lease *lm);
/* RSIP_METHOD_BIT()s that any of these pools offers; NULL: of all. */
uint32_t rsip_lease_methods(const struct rsip_lease *lm, const struct rsip_pool_set *pools);
/* Does the pool of this address offer the method?  false for an address of none. */
bool rsip_lease_addr_offers(const struct rsip_lease *lm, __be32 addr, uint8_t method);

#endif
