/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inside the protocol engine: sessions, answered requests, asynchronous messages. */
#ifndef RSIP_ENGINE_PRIV_H
#define RSIP_ENGINE_PRIV_H

#include <sys/queue.h>
#include <uthash.h>

#include "codec.h"
#include "engine.h"
#include "journal.h"
#include "util.h"

#define RSIP_REGISTER_REPLAY_NS                                                                    \
	(10 * RSIP_NS_PER_S) /* a rebooted host may use an old counter again */
#define RSIP_DEPARTED_NS (10 * RSIP_NS_PER_S)
#define RSIP_DEPARTED_MAX 65536
#define RSIP_UNECHOED_MAX 65536
#define RSIP_UNECHOED_WAIT_NS                                                                      \
	(2 * RSIP_NS_PER_S) /* longer than all retransmissions of RFC 3103 5 take */
#define RSIP_DENIED_SLOTS 4096
#define RSIP_ASYNC_TRIES 3
#define RSIP_TOLD 7 /* errors about packets, and what is logged only */
#define RSIP_TOLD_WAIT_NS (5 * RSIP_NS_PER_S)
#define RSIP_ASYNC_WAIT_NS RSIP_NS_PER_S

/* The "last message" buffer of RFC 3103 10.1: a request that was executed, and its answer. */
struct rsip_answered {
	uint64_t hash; /* of the request's bytes */
	uint64_t at_ns;
	uint32_t n;
	uint16_t port;
	uint16_t len;
	uint8_t type;
	uint64_t batch; /* of the journal: the answer leaves when it is durable; 0: at once */
	uint8_t *bytes; /* owned; NULL: nothing was answered yet */
};

struct rsip_engine_session {
	TAILQ_ENTRY(rsip_engine_session) all, waiting, iface_waiting;
	struct rsip_lease_client *client;
	bool stored; /* its row is in the lease store */
	struct rsip_journal_mark mark;
	uint64_t batch; /* with its last change that was kept */
	bool is_waiting; /* unechoed, over UDP */
	uint64_t since_ns;
	uint64_t nexthop; /* last one given to the lease manager */
	uint8_t local_policy, remote_policy; /* it was told of these; 0: by an earlier rsipd */
	uint64_t told_ns[RSIP_TOLD];	     /* engine_violation.c: when it last heard of each */
	uint16_t port;	  /* of the last message that was served; 0: not known */
	uint32_t key_id;  /* it registered, or spoke last, with this key; 0: without */

	/*
	 * The first sequence, and the one that a REGISTER of a registered source opened beside it.
	 */
	bool first_known, second_known;
	uint32_t first_n, second_n;
	uint16_t second_port;
	struct rsip_answered last;
};
TAILQ_HEAD(rsip_sessions, rsip_engine_session);

/* A host that de-registered: its DE-REGISTER may come again. */
struct rsip_departed {
	UT_hash_handle hh;
	TAILQ_ENTRY(rsip_departed) link;
	__be32 host;
	uint16_t iface;
	uint64_t seq; /* of its row in the store; 0: none */
	struct rsip_journal_mark mark;
	struct rsip_answered last;
};
TAILQ_HEAD(rsip_departed_list, rsip_departed);

struct rsip_async {
	TAILQ_ENTRY(rsip_async) link;
	struct rsip_from to;
	uint8_t type;
	uint8_t tries;
	uint16_t error; /* of an ERROR_RESPONSE */
	uint32_t client_id, bind_id;
	uint32_t key_id; /* 0: without */
	uint64_t next_ns;
};
TAILQ_HEAD(rsip_async_list, rsip_async);

struct rsip_engine {
	struct rsip_engine_conf conf;
	struct rsip_net *client_nets, *local_nets; /* owned */
	struct rsip_flow_policy *policies;	   /* owned */
	struct rsip_keys *keys;			   /* owned */
	uint64_t wall_us; /* now_ns / 1000 plus this: microseconds since 1970 */
	struct rsip_lease *lm;
	struct rsip_engine_stats stats;
	uint64_t hash_key;
	uint64_t waits; /* of the last answer: rsip_engine_waits() */
	struct rsip_engine_grant grant;
	bool busy; /* inside receive or tick: what is queued is sent at the end */

	struct rsip_sessions all, waiting, iface_waiting[RSIP_MAX_IFACES];
	uint32_t waiting_cnt, iface_waiting_cnt[RSIP_MAX_IFACES];
	struct rsip_departed *departed;
	struct rsip_departed_list departed_order;
	struct rsip_async_list fresh,
		again; /* again: ascending next_ns, since all wait equally long */
	uint64_t denied_ns[RSIP_DENIED_SLOTS]; /* by hash of the source: when one of them was last
						  answered */

	struct rsip_message in, out, async;
	struct rsip_spi_range spi_range[RSIP_SPI_LIST_MAX];
};

enum rsip_request_auth { RSIP_REQUEST_PLAIN, RSIP_REQUEST_FORGED, RSIP_REQUEST_GENUINE };

/* One message on its way through. */
struct rsip_request {
	struct rsip_engine *e;
	const struct rsip_from *from;
	const uint8_t *msg;
	size_t len;
	uint64_t now_ns;
	uint64_t hash;
	struct rsip_message *in, *out;
	struct rsip_lease_client *c;   /* NULL: the source is not registered */
	const struct rsip_flow_policy *policy; /* of the source, as configured now */
	enum rsip_engine_drop dropped; /* in use where is_dropped */
	bool is_dropped;
	uint64_t nexthop; /* as resolved, where the host has shown its client ID */
	__be32 endpoint;
	uint16_t mtu; /* of the interface */
	enum rsip_request_auth how;
	struct rsip_key *key;	      /* GENUINE: the answer is made with it */
	struct rsip_auth auth;	      /* GENUINE: as in the request */
	bool out_of_step;	      /* its sequence is old: it is told the highest */
	uint32_t undo_bind_id;	      /* granted just now; 0: none */
	uint32_t error_client_id;     /* 302: the true one */
	struct rsip_answered *record; /* where the answer is kept; NULL: not at all */
	uint64_t changes; /* of the journal, before the request was served */
	bool keep; /* the registration goes to the store, changed or not */
	struct rsip_engine_grant grant; /* bind_id 0: none */
	struct rsip_store_client leaving; /* DE-REGISTER of a stored host: its row */
	struct rsip_journal_mark leaving_mark;
	struct rsip_departed *departed;
};

/* ---- engine_session.c: counters and duplicates ----------------------------------------------- */

/* Hash of the request's bytes, keyed. */
uint64_t rsip_engine_hash(const struct rsip_engine *e, const uint8_t *msg, size_t len);
/* The answer to exactly this request, if it was given before; NULL otherwise. */
const struct rsip_answered *rsip_engine_session_duplicate(struct rsip_request *rq);
/* The session of rq->c, made if need be; NULL: out of memory. */
struct rsip_engine_session *rsip_engine_session_of(struct rsip_engine *e,
						   struct rsip_lease_client *c);
/* Is it newer in a sequence that it may belong to?  (UDP) */
bool rsip_engine_session_is_newer(const struct rsip_request *rq);
/* The request, which its own host sent, is served: its sequence becomes the only one. */
void rsip_engine_session_serve(struct rsip_request *rq, struct rsip_engine_session *s);
/*
 * Over TCP: there are no sequences, but a grant whose answer its host cannot have read, because the connection broke, is
 * answered again on the next one, where the request names it by its counter.
 */
void rsip_engine_session_serve_tcp(struct rsip_request *rq, struct rsip_engine_session *s);
/* A REGISTER of a registered source opens, or replaces, the second sequence. */
void rsip_engine_session_open_second(struct rsip_request *rq);
void rsip_engine_session_end(struct rsip_engine *e, struct rsip_engine_session *s);
/* Fills an answered request; bytes are copied. */
void rsip_engine_answered_keep(struct rsip_request *rq, struct rsip_answered *a,
			       const uint8_t *answer, size_t len);

/* Registrations whose hosts have not shown that they are there. */
void rsip_engine_unechoed_add(struct rsip_engine *e, struct rsip_engine_session *s,
			      uint64_t now_ns);
void rsip_engine_unechoed_remove(struct rsip_engine *e, struct rsip_engine_session *s);
/* Makes room for one more on this interface; false: all wait too short a time. */
bool rsip_engine_unechoed_room(struct rsip_engine *e, uint16_t iface, uint64_t now_ns);
/* Ends the one that has waited longest of all, if it has waited enough. */
bool rsip_engine_unechoed_evict(struct rsip_engine *e, struct rsip_engine_session *s,
				uint64_t now_ns);

/* A record for the answer to a DE-REGISTER; NULL: out of memory. */
struct rsip_departed *rsip_engine_departed_add(struct rsip_engine *e, __be32 host, uint16_t iface, uint64_t now_ns);
void rsip_engine_departed_expire(struct rsip_engine *e, uint64_t now_ns);
void rsip_engine_departed_clear(struct rsip_engine *e);

/* ---- engine_auth.c --------------------------------------------------------------------------- */

/* Looks whether the message carries a right MAC of a key of this source. */
void rsip_engine_auth_read(struct rsip_request *rq);
/* Takes fresh over. */
void rsip_engine_change_keys(struct rsip_engine *e, enum rsip_auth_mode mode, struct rsip_keys *fresh);
/* May it be served as it is?  304 for a REGISTER that may not; all else that may not is silent. */
enum rsip_err rsip_engine_auth_check(struct rsip_request *rq);
/* rsip_encode(), with a MAC where the request was GENUINE. */
int rsip_engine_auth_encode(struct rsip_request *rq, uint8_t *answer, size_t size);
/* The key in which this host is spoken to unasked; 0: none. */
uint32_t rsip_engine_auth_key_of(struct rsip_engine *e, const struct rsip_lease_client *c);
/* rsip_encode() for a message of our own accord, with a MAC where there is a key.  -ENOENT: the key is gone. */
int rsip_engine_auth_encode_async(struct rsip_engine *e, uint32_t key_id, struct rsip_message *m, uint64_t now_ns,
				  uint8_t *buf, size_t size);
/* The same for an answer to a request that is gone, but for its parameter (key_id 0: it had none). */
int rsip_engine_auth_encode_late(struct rsip_engine *e, const struct rsip_auth *request, struct rsip_message *m,
				 uint64_t now_ns, uint8_t *buf, size_t size);

/* ---- engine_unserved.c ----------------------------------------------------------------------- */

/* Whom conf would not serve; while the keys in effect are still there, with which they are told.  How many. */
uint32_t rsip_engine_end_unserved_by(struct rsip_engine *e, const struct rsip_engine_change *conf, uint64_t now_ns);

/* ---- engine_store.c: what is kept ------------------------------------------------------------ */

bool rsip_engine_is_grant(uint8_t type); /* of requests: ASSIGN, LISTEN */

/* After the answer is known: what the request changed goes to the store with it. */
void rsip_engine_store(struct rsip_request *rq);
/* Before a DE-REGISTER ends rq->c: its row is not lost with it. */
void rsip_engine_store_leave(struct rsip_request *rq);
/* Its answer is on its way to the disk. */
bool rsip_engine_store_waits(const struct rsip_engine *e, const struct rsip_answered *a);
/* The registration, or the memory of one that ended, is over. */
void rsip_engine_store_gone(struct rsip_engine *e, struct rsip_journal_mark *mark, uint64_t seq);

/* ---- engine_async.c -------------------------------------------------------------------------- */

/* bind_id, error: 0 where the message has none. */
void rsip_engine_async_queue(struct rsip_engine *e, const struct rsip_lease_client *c, uint8_t type,
			     uint32_t bind_id, enum rsip_err error);
void rsip_engine_async_flush(struct rsip_engine *e, uint64_t now_ns);
uint64_t rsip_engine_async_next(const struct rsip_engine *e);
void rsip_engine_async_clear(struct rsip_engine *e);

/* ---- handlers: RSIP_OK with rq->out filled, or the error; rq->is_dropped: silence ------------ */

enum rsip_err rsip_engine_register(struct rsip_request *rq);
enum rsip_err rsip_engine_deregister(struct rsip_request *rq);
enum rsip_err rsip_engine_assign(struct rsip_request *rq); /* types 6, 8, 16 and 22 */
enum rsip_err rsip_engine_extend(struct rsip_request *rq);
enum rsip_err rsip_engine_free(struct rsip_request *rq);
enum rsip_err rsip_engine_query(struct rsip_request *rq);

/* ---- engine_policy.c ------------------------------------------------------------------------- */

/* Is this message, which App. B calls optional, served at all?  Always true for the others. */
bool rsip_engine_is_supported(const struct rsip_request *rq);
/* Its policy: as it was told when it registered, else as configured now.  RFC 3103 7. */
uint8_t rsip_engine_local_policy(const struct rsip_request *rq);
uint8_t rsip_engine_remote_policy(const struct rsip_request *rq);
/* engine_ask.c: fills in the ask; or the error of the tunnel or of a policy. */
enum rsip_err rsip_engine_ask(struct rsip_request *rq, struct rsip_lease_ask *ask);
/* RSIP_METHOD_BIT()s that this host may ask for. */
uint32_t rsip_engine_methods(const struct rsip_request *rq);
/* RSIP_TUNNEL_BIT()s likewise. */
uint32_t rsip_engine_tunnels(const struct rsip_request *rq);
/* The hosts' packets leave with the DSCP of the policies in force. */
void rsip_engine_mark_hosts(struct rsip_engine *e);
/* May it register?  Client networks; none: everybody who has an address. */
bool rsip_engine_may_be_client(const struct rsip_net *nets, uint32_t cnt, __be32 host);
uint32_t rsip_engine_seconds_left(uint64_t until_ns, uint64_t now_ns);
void rsip_engine_count_error(struct rsip_engine *e, enum rsip_err err);
enum rsip_err rsip_engine_silence(struct rsip_request *rq, enum rsip_engine_drop why);

#endif
