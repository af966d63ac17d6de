/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The protocol engine: messages in, messages out (RFC 3103, RFC 3104).  It knows no socket, clock
 * or file: time and randomness are given, leases are the lease manager's, sending is a function.
 *
 * Addresses are in network order; ports and IDs in host order; times are CLOCK_MONOTONIC
 * nanoseconds.
 */
#ifndef RSIP_ENGINE_H
#define RSIP_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow.h"
#include "keys.h"
#include "lease.h"
#include "rsip/maps.h"
#include "rsip/wire.h"

#define RSIP_ENGINE_ANSWER_MAX 65535 /* TCP; what the caller's buffer should hold */
#define RSIP_ENGINE_UDP_MAX 1200     /* longer answers over UDP become USE_TCP */
#define RSIP_ENGINE_UNECHOED_MAX 96  /* to a source that has not shown yet that it is real */

struct rsip_from { /* where a message came from, or is to go */
	__be32 addr;
	uint16_t port;
	uint8_t transport; /* enum rsip_transport */
	uint16_t iface;	   /* index in rsip_ifaces */
	uint64_t waited_ns; /* UDP: before it was read; 0 where that is not known */
};

/* Why a message got no answer: X(symbol, name, text) */
#define RSIP_ENGINE_DROP_TABLE(X)                                                                  \
	X(ERROR_RESPONSE, "error-response", "an ERROR_RESPONSE, which only a gateway sends")       \
	X(WRONG_IFACE, "wrong-interface", "from another interface than the registration's")        \
	X(OLD_COUNTER, "old-counter", "not newer than what was answered, and no duplicate of it")  \
	X(DENIED_LIMIT, "denied-limit",                                                            \
	  "a source outside the client networks, more than one a second")                          \
	X(UNECHOED_LIMIT, "unechoed-limit", "too many registrations whose hosts stayed silent")    \
	X(STORE_WAITS, "store-waits", "a duplicate whose answer waits for the lease store")        \
	X(CROSSED, "crossed", "a duplicate that came before its request was answered: the answer is on its way")  \
	X(NO_PORT, "no-port", "an asynchronous message for a host whose port is not known")        \
	X(NO_MAC, "no-mac", "without the authentication that this host must use")                 \
	X(BAD_MAC, "bad-mac", "a wrong MAC, or a key that is not this host's")                     \
	X(OLD_MAC, "old-mac", "an authentication sequence not above the highest one seen")         \
	X(NO_MEMORY, "no-memory", "memory ran out")

enum rsip_engine_drop {
#define X(sym, name, text) RSIP_ENGINE_DROP_##sym,
	RSIP_ENGINE_DROP_TABLE(X)
#undef X
		RSIP_ENGINE_DROP_CNT,
};

#define RSIP_ENGINE_TYPES 32 /* message types 0 .. 30; all others together are the last */
#define RSIP_ENGINE_ERRS 64

struct rsip_engine_stats { /* since start; see rsip_engine_err_at() for the index of errors */
	uint64_t received[RSIP_ENGINE_TYPES];
	uint64_t sent[RSIP_ENGINE_TYPES];
	uint64_t errors[RSIP_ENGINE_ERRS];
	uint64_t dropped[RSIP_ENGINE_DROP_CNT];
	uint64_t replayed; /* duplicates answered again */
	uint64_t async;	   /* of sent: asynchronous, repetitions included */
	uint64_t evicted;  /* unechoed registrations that made room */
	uint64_t violations; /* of hosts' packets, as the data plane reported them */
	uint64_t pmtu_told; /* routers that found a tunnel packet too big, as the data plane reported them */
	uint64_t pmtu_foreign; /* of these: about no live tunnel */
	uint64_t pmtu_lowered; /* of these: a path's MTU was lowered */
	uint64_t authenticated; /* messages with a right MAC and a new sequence */
	uint32_t unechoed, departed, async_waiting; /* now */
};

struct rsip_engine_conf {
	/*
	 * Hosts may register from these networks; none given: from everywhere on a private
	 * interface. Copied.
	 */
	const struct rsip_net *client_nets;
	uint32_t client_net_cnt;
	/* What a QUERY is told to be local. Copied. */
	const struct rsip_net *local_nets;
	uint32_t local_net_cnt;
	/* The first that holds a host counts, then rsip_flow_default. Copied. */
	const struct rsip_flow_policy *policies;
	uint32_t policy_cnt;
	enum rsip_auth_mode auth;
	const struct rsip_key_conf *keys; /* copied */
	uint32_t key_cnt;
	bool udp_off; /* hosts must use TCP: over UDP nothing but the end of a registration is served */
	uint32_t tunnels; /* RSIP_TUNNEL_BIT()s that the data plane can; 0: IP-IP */
	uint32_t unechoed_max; /* registrations without an echo of their client ID; 0: 65536; an
				  interface: half */
	void (*random)(void *buf,
		       size_t len); /* must not be guessable: it keys the hash of requests */

	void *arg; /* of the following */
	/*
	 * How to reach a host: next hop word (union rsip_nexthop; 0: not known yet), our end of its
	 * tunnel, longest packet on the interface.  Asked once for every message that a registered host proves
	 * to be its own.
	 */
	void (*resolve)(void *arg, __be32 host, uint16_t iface, uint64_t *nexthop, __be32 *endpoint,
			uint16_t *mtu);
	/* Sends a message that no request asked for; it may be lost. */
	void (*send_async)(void *arg, const struct rsip_from *to, const uint8_t *msg, size_t len);
	/* The name of a data plane interface, by which the store knows it.  Not used without a journal. */
	const char *(*iface_name)(void *arg, uint16_t iface);
	/* May be NULL.  Told of each error in an answer, with the request's type. */
	void (*refused)(void *arg, const struct rsip_from *from, uint8_t type, enum rsip_err err);
	/* May be NULL.  A host has registered; over UDP it has not yet shown that it is real. */
	void (*client_start)(void *arg, const struct rsip_lease_client *c);
	/* May be NULL: rsip_engine_tick() has become due at once. */
	void (*wake)(void *arg);
	/*
	 * Told after the engine of what the lease manager ends and starts: logs, events.  All may
	 * be NULL.
	 */
	struct rsip_lease_sink observer;
	/* Where sessions are kept, as the lease manager keeps leases; NULL: nowhere. */
	struct rsip_journal *journal;
};

struct rsip_engine;

/*
 * 0 or -ENOMEM.  Order of creation: the engine, the lease manager with the sink of
 * rsip_engine_sink(), then rsip_engine_attach().  The engine outlives the lease manager's last call
 * of the sink.
 */
int rsip_engine_create(const struct rsip_engine_conf *conf, struct rsip_engine **out);
void rsip_engine_sink(struct rsip_engine *e, struct rsip_lease_sink *sink);
void rsip_engine_attach(struct rsip_engine *e, struct rsip_lease *lm);
/* Sends nothing (no DE-REGISTER).  The lease manager is not used any more, or destroyed already. */
void rsip_engine_destroy(struct rsip_engine *e);

/*
 * One message; of a TCP stream whose framing is lost, its 4 bytes of header alone.  Returns the
 * length of the answer, 0 for none.  size: RSIP_ENGINE_ANSWER_MAX holds every answer; what does not
 * fit becomes an error.
 */
size_t rsip_engine_receive(struct rsip_engine *e, const struct rsip_from *from, const uint8_t *msg,
			   size_t len, uint64_t now_ns, uint8_t *answer, size_t size);

/*
 * Of the answer that rsip_engine_receive() gave last: it may leave when this batch of the journal is durable; 0: at
 * once.  With a grant, *grant is what rsip_engine_withdraw() needs if that fails; else grant->bind_id is 0.
 */
struct rsip_engine_grant {
	uint32_t client_id, bind_id;
	uint32_t counter;
	uint8_t type; /* of the request */
	uint8_t method;
	uint16_t port_cnt;
	bool counted;
	struct rsip_auth auth; /* of the request; key_id 0: it had none */
};
uint64_t rsip_engine_waits(const struct rsip_engine *e, struct rsip_engine_grant *grant);
/*
 * The store cannot keep this grant, and the host has not heard of it: it ends, and the answer is an error, with a MAC as the
 * request had one.
 */
size_t rsip_engine_withdraw(struct rsip_engine *e, const struct rsip_from *from, const struct rsip_engine_grant *grant,
			    uint64_t now_ns, uint8_t *answer, size_t size);

/* Start-up: the store's secret keys the hash of requests from now on. */
void rsip_engine_secret(struct rsip_engine *e, uint64_t secret);
/* A row of the store; c as restored by the lease manager, NULL: de-registered; iface as its row names it.  0 or -ENOMEM. */
int rsip_engine_restore(struct rsip_engine *e, struct rsip_lease_client *c, const struct rsip_store_client *row,
			uint16_t iface);
/* The registration goes to the store now (one that was taken over from the data plane). */
void rsip_engine_keep(struct rsip_engine *e, struct rsip_lease_client *c);

/*
 * Ends what expired, sends and repeats what is due.  Returns when to call it again (~0ULL: never): not after now_ns where
 * much has expired together, so that requests are served in between.
 */
uint64_t rsip_engine_tick(struct rsip_engine *e, uint64_t now_ns);

/*
 * A host's packet broke a rule (RFC 3103 10.4): the host is told, at most once for each error and 5
 * seconds, if it is registered and has shown that it is there.
 */
void rsip_engine_violation(struct rsip_engine *e, const struct rsip_event *v, uint64_t now_ns);

/* What a router said of a packet in a tunnel to a host (RSIP_REPORT_PMTU): RFC 1191. */
void rsip_engine_pmtu(struct rsip_engine *e, const struct rsip_event *v, uint64_t now_ns);

/*
 * A changed configuration: networks, policies, transport and keys.  All that can fail is to prepare it; then either change or
 * forget it.
 */
struct rsip_engine_change {
	struct rsip_net *client_nets, *local_nets;
	uint32_t client_net_cnt, local_net_cnt;
	struct rsip_flow_policy *policies;
	uint32_t policy_cnt;
	bool udp_off;
	enum rsip_auth_mode auth;
	struct rsip_keys *keys;
};

/* Copies these of conf, and leaves the rest of it out of account.  0 or -ENOMEM. */
int rsip_engine_prepare(const struct rsip_engine_conf *conf, struct rsip_engine_change *c);
/*
 * Takes c over.  A host keeps the policy it was told of until it registers again; keys that stay keep their sequences.
 * Registrations that cannot be served any more end, and their hosts are told (RFC 3103 9.5.3): of hosts outside the client
 * networks, with a key that is gone or not theirs any more, without one where all need one, over UDP where it is off.  Returns
 * how many.
 */
uint32_t rsip_engine_change(struct rsip_engine *e, struct rsip_engine_change *c, uint64_t now_ns);
/* The same for what an earlier rsipd had granted by another configuration; at start, when messages can be sent. */
uint32_t rsip_engine_end_unserved(struct rsip_engine *e, uint64_t now_ns);
void rsip_engine_forget(struct rsip_engine_change *c);

/*
 * Microseconds since 1970 minus now_ns / 1000: asynchronous messages are numbered by it, so that their numbers rise
 * over a restart too.
 */
void rsip_engine_set_wall(struct rsip_engine *e, uint64_t offset_us);
/* Start-up: this sequence of the key was seen before (the lease store keeps it). */
void rsip_engine_auth_seen(struct rsip_engine *e, uint32_t key_id, uint64_t seq);

const struct rsip_engine_stats *rsip_engine_stats(const struct rsip_engine *e);
/* The error counted at this index, 0 behind the last. */
enum rsip_err rsip_engine_err_at(unsigned int index);
const char *rsip_engine_drop_name(unsigned int reason);
const char *rsip_engine_drop_text(unsigned int reason);

#endif
