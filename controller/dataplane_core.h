/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the two data planes share: slots, tables, pairs and learned records over plain memory.
 * dataplane_bpf.c maps that memory from the kernel, dataplane_mem.c allocates it.
 *
 * The maps are the truth; beside them this process keeps, per slot, what it needs to undo an
 * installation (ports, SPIs) and the lists of each pair's bindings.  The head of a pair's list is
 * what the pair's table entry names, so the table itself is the index of the pairs and nothing is
 * searched.
 */
#ifndef RSIP_DATAPLANE_CORE_H
#define RSIP_DATAPLANE_CORE_H

#include "dataplane.h"
#include "rsip/wire.h"
#include "tables.h"

/* ---- numbers that rest: slots and learned records -------------------------------------------- */

/*
 * Numbers 1 .. max.  A freed number waits in limbo until a grace period has passed for the whole
 * batch, then in the free queue; numbers that were never used come first, so the rest is as long as
 * it can be.
 */
struct rsip_dp_numbers {
	uint32_t *next; /* chains both queues */
	uint32_t *prev; /* of the free queue */
	uint8_t *state; /* enum in dataplane_core.c */
	uint32_t max;
	uint32_t fresh; /* the next number that was never used */
	uint32_t free_head, free_tail;
	uint32_t limbo_head, limbo_tail;
	uint64_t limbo_since_ns; /* when housekeep first saw it; 0: not yet, or empty */
};

int rsip_dp_numbers_init(struct rsip_dp_numbers *n, uint32_t max);
void rsip_dp_numbers_free(struct rsip_dp_numbers *n);
uint32_t
rsip_dp_numbers_take(struct rsip_dp_numbers *n); /* 0: none; see rsip_dp_numbers_settle() */
/* That one, if nobody has it and it has rested. */
bool rsip_dp_numbers_take_this(struct rsip_dp_numbers *n, uint32_t num);
/* What rsip_dp_numbers_take() would answer. */
uint32_t rsip_dp_numbers_peek(struct rsip_dp_numbers *n);
/* Would rsip_dp_numbers_take_this() give it? */
bool rsip_dp_numbers_has(const struct rsip_dp_numbers *n, uint32_t num);
void rsip_dp_numbers_claim(struct rsip_dp_numbers *n, uint32_t num); /* start-up: is in use */
bool rsip_dp_numbers_used(const struct rsip_dp_numbers *n, uint32_t num);
void rsip_dp_numbers_drop(struct rsip_dp_numbers *n, uint32_t num); /* into limbo */
void rsip_dp_numbers_settle(
	struct rsip_dp_numbers *n); /* a grace period has passed: limbo becomes free */

/* ---- the data plane -------------------------------------------------------------------------- */

/* Resources of a binding that are not one run of ports and one range of SPIs. */
struct rsip_dp_extra {
	uint16_t port_cnt, range_cnt;
	uint16_t *port; /* ascending */
	struct rsip_spi_range *range;
};

/* A pair's bindings, those of RSIPSEC, and likewise the pair's bindings for one remote. */
enum { RSIP_DP_ANY, RSIP_DP_IPSEC, RSIP_DP_REMOTE, RSIP_DP_REMOTE_IPSEC, RSIP_DP_LISTS };

/*
 * What we keep of a slot beside its record.  Lists are doubly linked by slot: those without a
 * remote first, then what expires last first.
 */
struct rsip_dp_slot {
	uint32_t prev[RSIP_DP_LISTS], next[RSIP_DP_LISTS]; /* 0: none */
	bool linked[RSIP_DP_LISTS];
	uint16_t port_first, port_cnt; /* one run, or extra */
	struct rsip_spi_range range; /* cnt 0: none, or extra */
	struct rsip_dp_extra *extra;
};

/* Where the maps' elements lie. */
struct rsip_dp_mem {
	const struct rsip_config *config;
	struct rsip_policy *policy;
	struct rsip_iface *ifaces;
	struct rsip_addr_bucket *addrs;
	struct rsip_addr_info *addr_info;
	struct rsip_block_line *blocks;
	struct rsip_port_line *ports;
	struct rsip_spi_bucket *spis;
	struct rsip_pair_bucket *pairs;
	struct rsip_remote_bucket *remotes;
	struct rsip_host6_bucket *host6_tab;
	struct rsip_host6 *hosts6;
	struct rsip_binding *bindings;
	struct rsip_bind_cnt *bind_cnt;
	struct rsip_learned *learned;
	const struct rsip_counters *counters;
};

/* What depends on where the memory comes from. */
struct rsip_dp_back {
	void (*grace)(
		void *core); /* every packet that is under way now has ended when it returns */
	/* some of what lost its owner goes: of claims only where learned records were freed (stale) */
	void (*sweep)(void *core, uint64_t now_ns);
	int (*events_fd)(void *core);
	int (*explain)(void *core, struct rsip_explain *x);
	uint32_t (*session)(void *core, __be32 host);
	bool (*iface_gone)(uint32_t ifindex);
	void (*events)(void *core, rsip_dp_event_fn fn, void *arg);
	void (*release)(void *core); /* unmaps or frees; core itself too */
};

struct rsip_dp_core {
	struct rsip_dataplane dp; /* first: the handle that callers hold */
	struct rsip_dp_mem m;
	const struct rsip_dp_back *back;
	struct rsip_config config;
	struct rsip_table addrs, spis, pairs, remotes, host6_tab;
	struct rsip_dp_numbers slots, learned, hosts6;
	struct rsip_dp_slot *slot; /* max_bindings + 1 */
	uint32_t *learned_binds; /* live bindings that share each learned record */
	uint32_t *addr_binds; /* live bindings of each address index */
	bool *addr_known; /* added by this process */
	uint8_t *block_ports; /* of each block of each address: how many of its ports rsip_ports has */
	uint32_t gre_binds; /* live bindings in GRE */
	bool gre_offered; /* as the policy says that was set last */
	bool scanned; /* gre_binds counts those of an earlier process, too */
	uint32_t stale; /* learned records freed since the last full sweep */
	uint64_t graces; /* taken so far */
};

/* m, back and config must be set; allocates the rest and fills in dp.ops. */
int rsip_dp_core_init(struct rsip_dp_core *c);
void rsip_dp_core_fini(struct rsip_dp_core *c); /* without m and c itself */
void rsip_dp_core_grace(struct rsip_dp_core *c);
/* Is GRE that comes to us a host's?  Asked again whenever what follows from it has changed. */
void rsip_dp_gre_decide(struct rsip_dp_core *c);

/* dataplane_pairs.c: lists, pair entries and learned records of the pair's bindings. */
int rsip_dp_pair_join(struct rsip_dp_core *c, uint32_t slot); /* 0 or -ENOSPC */
void rsip_dp_pair_leave(struct rsip_dp_core *c, uint32_t slot);
void rsip_dp_pair_moved(struct rsip_dp_core *c, uint32_t slot); /* its expiry changed */
/* Start-up: all of the pair's bindings have joined, so its words name their tunnel types and no others. */
void rsip_dp_pair_settle(struct rsip_dp_core *c, struct rsip_pair_entry *e);
/* Does it speak IKE from ports that it does not lease?  Such bindings of a pair share a learned record. */
bool rsip_dp_speaks_ike(const struct rsip_binding *rec);
/* The pair's learned record, 0 where there is none yet. */
uint32_t rsip_dp_learned_find(const struct rsip_dp_core *c, const struct rsip_binding *rec);
/* Of the number of this slot, if that can be had: packets fetch both before they know (bpf/ike.h). */
int rsip_dp_learned_take(struct rsip_dp_core *c, const struct rsip_binding *rec, uint32_t slot, uint32_t *learned);
void rsip_dp_learned_drop(struct rsip_dp_core *c, uint32_t learned);

/* Lists of slots: head in, head out; 0 is none. */
uint32_t rsip_dp_list_add(struct rsip_dp_core *c, uint32_t head, int list, uint32_t slot);
uint32_t rsip_dp_list_remove(struct rsip_dp_core *c, uint32_t head, int list, uint32_t slot);
/* What a table entry names, if it is the head of a list by now and not an earlier process's word. */
uint32_t rsip_dp_list_head(const struct rsip_dp_core *c, uint32_t word, int list);

/* dataplane_remotes.c: the pair's bindings for one remote; called with the pair's. */
int rsip_dp_remote_join(struct rsip_dp_core *c, uint32_t slot); /* 0 or -ENOSPC */
void rsip_dp_remote_leave(struct rsip_dp_core *c, uint32_t slot);
/* Listeners on UDP 500 and 4500 for one remote, in the same table. */
bool rsip_dp_listener_taken(const struct rsip_dp_core *c, const struct rsip_binding *rec);
int rsip_dp_listener_publish(struct rsip_dp_core *c, uint32_t slot); /* 0 or -ENOSPC */
void rsip_dp_listener_withdraw(struct rsip_dp_core *c, uint32_t slot);
bool rsip_dp_listener_complete(const struct rsip_dp_core *c, uint32_t slot);
void rsip_dp_remote_moved(struct rsip_dp_core *c, uint32_t slot);
/*
 * Start-up: entries that name no such binding go.  Before the bindings join their lists, and after it: one that cannot join
 * is given up.  How many went.
 */
uint32_t rsip_dp_remote_repair(struct rsip_dp_core *c);

/* A number, after a grace period where all that are left still rest; 0: none is left. */
uint32_t rsip_dp_core_take(struct rsip_dp_core *c, struct rsip_dp_numbers *n);

/* dataplane_ports.c: the two tables of ports. */
/* The word that names the owner of the block that a port is in, and that of the port alone. */
uint32_t *rsip_dp_block_word(const struct rsip_dp_core *c, uint32_t index, uint16_t port);
uint32_t *rsip_dp_port_word(const struct rsip_dp_core *c, uint32_t index, uint16_t port);
bool rsip_dp_ports_taken(const struct rsip_dp_core *c, uint32_t index, const struct rsip_dp_slot *s);
void rsip_dp_ports_publish(struct rsip_dp_core *c, uint32_t index, uint32_t slot);
/* Where packets look for it first (RSIP_HOME_SLOT): by its first whole block; 0: it has none. */
uint32_t rsip_dp_ports_home(const struct rsip_dp_core *c, uint32_t index, const struct rsip_dp_slot *s);
void rsip_dp_ports_withdraw(struct rsip_dp_core *c, uint32_t index, uint32_t slot);
void rsip_dp_ports_clear(struct rsip_dp_core *c, uint32_t index); /* of an address that nobody can reach */
/*
 * Start-up: gives the live bindings of the address their ports, clears what is of none; returns how many words.
 * What an earlier release wrote port by port gets its blocks.
 */
uint32_t rsip_dp_ports_scan(struct rsip_dp_core *c, uint32_t index);

/* dataplane_res.c: the ports and SPIs of a slot, in memory and in the tables. */
int rsip_dp_res_keep(struct rsip_dp_slot *s, const struct rsip_port_set *ports,
		     const struct rsip_spi_set *spis);
void rsip_dp_res_forget(struct rsip_dp_slot *s);
uint32_t rsip_dp_res_cnt(const struct rsip_dp_slot *s); /* ports and SPIs */
uint32_t rsip_dp_res_port_cnt(const struct rsip_dp_slot *s);
uint16_t rsip_dp_res_port_at(const struct rsip_dp_slot *s, uint32_t i); /* ascending */
bool rsip_dp_res_keep_port(struct rsip_dp_slot *s, uint16_t port); /* start-up, ascending; false: too many, no memory */
/* Points into s: valid until rsip_dp_res_forget(). */
uint32_t rsip_dp_res_ranges(const struct rsip_dp_slot *s, const struct rsip_spi_range **range);
void rsip_dp_res_ports(const struct rsip_dp_slot *s, struct rsip_port_set *out);
bool rsip_dp_res_taken(struct rsip_dp_core *c, const struct rsip_binding *rec,
		       const struct rsip_dp_slot *s);
int rsip_dp_res_publish(struct rsip_dp_core *c, uint32_t slot);
void rsip_dp_res_withdraw(struct rsip_dp_core *c, uint32_t slot);

/* dataplane_scan.c: the foreach operation. */
int rsip_dp_scan(struct rsip_dp_core *c, uint64_t now_ns, rsip_dp_found_fn fn, void *arg);

/* dataplane_host6.c: at start, what an earlier process left of hosts with IPv6 addresses is repaired and taken over. */
void rsip_dp_host6_scan(struct rsip_dp_core *c);

/* dataplane_bind.c: ends the record and lets the slot rest; its tables must be clear. */
void rsip_dp_slot_retire(struct rsip_dp_core *c, uint32_t slot);

#endif
