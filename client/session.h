/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The host's half of the protocol (RFC 3103, RFC 3104): one registration and its leases.
 *
 * Pure: no sockets, no clock, no random source of its own.  The session compares what is wanted
 * with what is held and always has at most one request on its way; whatever happens, the next
 * request follows from that comparison.  Times are nanoseconds of any clock that never goes back.
 */
#ifndef RSIP_CLIENT_SESSION_H
#define RSIP_CLIENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "auth.h"
#include "codec.h"
#include "inet.h"
#include "rsip/wire.h"
#include "util.h"

#define RSIP_LEASES_MAX 64
#define RSIP_LEASE_PORTS_MAX 255
#define RSIP_LEASE_SPIS_MAX 256
#define RSIP_REQUEST_MAX 1024
#define RSIP_QUERIES_MAX 8	 /* waiting at once */
#define RSIP_QUERY_TUPLES_MAX 16 /* in one of them */
#define RSIP_BIND_PORTS                                                                            \
	128 /* largest aligned block of one bind: what a bigger wish is cut into                   \
	     */

#define RSIP_RETRY_FIRST_NS 12500000ULL /* RFC 3103 5: 12.5 ms, doubled each time */
#define RSIP_RETRY_TRIES 7
#define RSIP_TCP_ANSWER_NS (5 * RSIP_NS_PER_S)
#define RSIP_TCP_TRIES 4 /* of a request for a lease, each on a connection of its own */
#define RSIP_BACKOFF_FIRST_S 2
#define RSIP_BACKOFF_MAX_S 60
#define RSIP_SHORT_LIFE_NS (60 * RSIP_NS_PER_S) /* a gateway that gives and takes is not asked at the speed of the network */
#define RSIP_TOLD_DROP_NS (5 * RSIP_NS_PER_S) /* a line of the log for dropped packets so often */
#define RSIP_FOREVER UINT64_MAX
#define RSIP_LEASE_FOREVER_S 0xffffffffU

struct rsip_port_run {
	uint16_t first;
	uint16_t cnt;
};

struct rsip_spi_run {
	uint32_t first;
	uint32_t cnt;
};

/* What a lease is for, besides the user. */
enum rsip_purpose {
	RSIP_FOR_SETTINGS,    /* as they say */
	RSIP_FOR_DEMAND,      /* more ports, because those before were in use */
	RSIP_FOR_CHARON,      /* IKE ports, label and first SPIs of a strongSwan */
	RSIP_FOR_CHARON_SPIS, /* a larger range for it */
	RSIP_FOR_USER,	      /* asked for by `lease` */
};

/* What a lease is to consist of; zero means "don't care" for addr, port and remote. */
struct rsip_want {
	uint8_t method; /* RSIP_METHOD_*; RSA-IP has neither ports nor SPIs of its own */
	uint8_t purpose;
	bool listen; /* LISTEN_REQUEST: peers may speak first whatever the flow policy */
	__be32 remote;
	uint16_t remote_port;
	uint16_t ports; /* how many; RSIPSEC may need none */
	uint16_t port;	/* the first of them */
	uint16_t spis;
	uint32_t spi;	  /* the first of them */
	uint32_t lease_s; /* 0: as the gateway likes */
	__be32 addr;
};

enum rsip_lease_state {
	RSIP_LEASE_NONE,    /* the slot is free */
	RSIP_LEASE_WANTED,  /* to be requested at act_ns */
	RSIP_LEASE_HELD,    /* to be extended at act_ns */
	RSIP_LEASE_FREEING, /* to be given back */
};

struct rsip_lease {
	enum rsip_lease_state state;
	struct rsip_want
		want; /* as asked for; also what is preferred when it has to be asked for again */
	bool any_instead; /* addr and port in want are a preference of ours, not the user's word */
	bool once;	  /* a first refusal ends it */
	bool again;	  /* FREEING: it could not be used; ask for another later */
	unsigned int refusals; /* in a row */
	uint64_t granted_ns;
	unsigned int short_lives; /* in a row: taken back soon after it was granted */
	uint32_t bind_id;
	__be32 addr;	 /* the leased one */
	struct rsip_inet endpoint; /* the gateway's end of the tunnel */
	unsigned int port_runs, spi_runs;
	struct rsip_port_run ports[RSIP_LEASE_PORTS_MAX];
	struct rsip_spi_run spis[RSIP_LEASE_SPIS_MAX];
	uint64_t expires_ns;
	uint64_t act_ns;
};

/* An answer, or a message of the gateway's own accord (asynchronous: counter 0). */
struct rsip_answer {
	uint8_t type;	 /* RSIP_MSG_* */
	bool understood; /* false: only type, counter and IDs could be read */
	bool has_client, has_bind;
	uint32_t counter; /* 0 also stands for "none" */
	uint32_t client_id, bind_id;
	uint16_t error;
	uint64_t auth_seq; /* where its MAC was checked and is right */
	uint32_t lease_s;
	uint8_t local_policy, remote_policy; /* 0: not given */
	uint8_t tunnel;
	uint8_t tunnels, methods; /* of a REGISTER_RESPONSE: a bit each, 1 << number */
	__be32 addr;
	struct rsip_inet endpoint; /* none: not given */
	unsigned int port_runs, spi_runs;
	struct rsip_port_run ports[RSIP_LEASE_PORTS_MAX];
	struct rsip_spi_run spis[RSIP_LEASE_SPIS_MAX];
	unsigned int tuples; /* of a QUERY_RESPONSE */
	struct rsip_tuple tuple[RSIP_TUPLES_MAX];
};

/* Asks what is local; no tuple at all asks for everything that the gateway will tell (9.14.3). */
struct rsip_query {
	bool waiting;
	uint32_t tag; /* the owner's, to know it again */
	unsigned int tuples;
	struct {
		__be32 addr, mask; /* mask 0xffffffff: an address */
	} tuple[RSIP_QUERY_TUPLES_MAX];
};

enum rsip_session_state {
	RSIP_SESSION_DOWN, /* to be registered at act_ns */
	RSIP_SESSION_UP,
	RSIP_SESSION_ENDING, /* leaving: DE-REGISTER is next */
	RSIP_SESSION_CLOSED,
};

struct rsip_session;

/* What the session tells its owner.  err: > 0 an RSIP error, < 0 a negative errno. */
struct rsip_session_sink {
	void *ctx;
	void (*send)(void *ctx, const uint8_t *buf, size_t len);
	uint32_t (*random)(void *ctx);
	/* Microseconds since 1970, for the numbers of authenticated messages; NULL: they count from 1. */
	uint64_t (*wall_us)(void *ctx);
	/* A lease was granted.  Nonzero: it cannot be used; the session gives it back. */
	int (*granted)(void *ctx, const struct rsip_lease *lease);
	/* No longer ours: every use of it must have stopped when this returns (RFC
	 * 3103 9.5.3, 9.13.3). */
	void (*lost)(void *ctx, const struct rsip_lease *lease, const char *why);
	/* A request failed; lease is NULL for the registration. */
	void (*failed)(void *ctx, const struct rsip_lease *lease, uint8_t type, int err);
	/* A query was answered (err 0) or will not be. */
	void (*queried)(void *ctx, uint32_t tag, const struct rsip_answer *a, int err);
	/* State worth keeping has changed. */
	void (*changed)(void *ctx);
};

struct rsip_request {
	bool active;
	uint8_t type;
	int lease; /* index, or -1 */
	int query; /* index, or -1 */
	uint32_t counter;
	unsigned int tries; /* sent so often */
	bool cut; /* TCP: the connection that it was sent on is gone: to be sent on the next one */
	uint64_t first_ns, next_ns, wait_ns;
	size_t len;
	uint8_t buf[RSIP_REQUEST_MAX];
};

/* An ASSIGN or LISTEN that was given up. */
struct rsip_late {
	uint32_t counter; /* 0: none */
	uint8_t type;
	uint8_t mac[RSIP_AUTH_MAC_LEN]; /* of it, where there is a key */
	uint64_t until_ns;
};
#define RSIP_LATE_MAX 8

struct rsip_session {
	struct rsip_session_sink sink;
	enum rsip_transport transport;
	struct rsip_inet local, gateway; /* ends of the private path: what must never be leased */
	bool private_ok; /* the user expects leased addresses of RFC 1918 (a cascade, a lab) */
	uint8_t tunnel;	 /* RSIP_TUNNEL_* to ask for */
	uint8_t local_policy, remote_policy; /* of the registration; 0: not known */
	uint8_t tunnels, methods;	     /* what the gateway offers, a bit each */
	enum rsip_session_state state;
	uint64_t act_ns;    /* DOWN: when to register */
	uint32_t client_id; /* 0: none */
	uint32_t stale_id;  /* a registration of a past of ours, to be ended first; 0: none */
	uint32_t next_counter;
	uint64_t expires_ns; /* of the registration */
	uint32_t backoff_s;
	struct rsip_auth_key key; /* id 0: none */
	uint64_t auth_sent, auth_seen; /* highest number of ours, and of an unasked message of the gateway's */
	uint64_t *auth_shared; /* the highest of ours where several sessions have the key; NULL: auth_sent */
	bool resynced;		       /* it has told us a higher number; not twice in a row */
	bool quiet;		       /* that it is registered is nobody's news */
	bool told_plain;	       /* the log knows that somebody answers without proof */
	uint64_t told_drop_ns; /* when the log last heard of packets that the gateway dropped */
	unsigned int silent; /* requests in a row that nobody answered */
	uint64_t up_ns; /* registered since */
	unsigned int short_lives; /* registrations in a row that the gateway ended soon */
	unsigned int fruitless; /* registrations in a row that the gateway then did not know */
	struct rsip_request req;
	bool hang_up; /* TCP: the gateway is silent: the owner closes the connection, and calls rsip_session_cut() */
	struct rsip_late late[RSIP_LATE_MAX];
	unsigned int late_next;
	struct rsip_query queries[RSIP_QUERIES_MAX];
	struct rsip_lease leases[RSIP_LEASES_MAX];
	struct {
		uint64_t sent, resent, received, ignored, timeouts, renewals,
			unproven, /* of ignored: without the right MAC */
			told_drops; /* packets of ours that the gateway says it dropped */
	} stats;
};

/* Begins at a random counter (RFC 3103 leaves it open; a guesser of answers must not know it). */
void rsip_session_init(struct rsip_session *s, const struct rsip_session_sink *sink,
		       enum rsip_transport transport, const struct rsip_inet *local,
		       const struct rsip_inet *gateway);

/* From now on all is signed, and only what is signed is believed. */
void rsip_session_set_key(struct rsip_session *s, const struct rsip_auth_key *key);

/*
 * Takes up a registration from before a crash: after rsip_session_init() the owner fills client_id,
 * expires_ns, next_counter (0: lost) and the HELD leases, then calls this.  Each lease is checked
 * with an EXTEND.
 */
void rsip_session_resume(struct rsip_session *s, uint64_t now_ns);

/* Adds a wish; returns its index or -ENOSPC. */
int rsip_session_want(struct rsip_session *s, const struct rsip_want *want, bool once,
		      uint64_t now_ns);
/* Asks which destinations are local; queried() tells.  -ENOSPC: too many wait already. */
int rsip_session_query(struct rsip_session *s, const struct rsip_query *query);
/* Gives a binding back; -ENOENT where it is not held. */
int rsip_session_release(struct rsip_session *s, uint32_t bind_id);
/* De-registers and ends; state becomes CLOSED, at the latest after the retransmissions. */
void rsip_session_leave(struct rsip_session *s);
/* A held lease cannot be used: err as granted() has it.  It is given back, the like of it is asked for later. */
void rsip_session_return(struct rsip_session *s, int index, int err, uint64_t now_ns);
/* Wants it no longer, whatever has become of it. */
void rsip_session_drop(struct rsip_session *s, int index);
/*
 * Goes on with another gateway: the registration and its leases are lost (lost() tells of each), the like of them is
 * asked for there from act_ns on.
 */
void rsip_session_move(struct rsip_session *s, const struct rsip_inet *local, const struct rsip_inet *gateway,
		       uint64_t act_ns);

/* One message from the gateway. */
void rsip_session_input(struct rsip_session *s, const uint8_t *buf, size_t len, uint64_t now_ns);
/*
 * The TCP connection broke.  A request for a lease goes out once more, with the same counter, on the next one: our gateway
 * then repeats its answer, and what it had granted is no orphan.  Any other has failed.
 */
void rsip_session_cut(struct rsip_session *s, uint64_t now_ns);
/* Does all that is due. */
void rsip_session_tick(struct rsip_session *s, uint64_t now_ns);
/* Only drops what has run out: for times without a connection. */
void rsip_session_expire(struct rsip_session *s, uint64_t now_ns);
/* Of two times the first. */
static inline void rsip_sooner(uint64_t *due, uint64_t t)
{
	if (t < *due)
		*due = t;
}
/* When to call rsip_session_tick() next; UINT64_MAX: never. */
uint64_t rsip_session_due(const struct rsip_session *s);

/*
 * May this address be leased to us?  Not loopback, multicast, 0/8, 240/4, our own, the gateway's or an end of our tunnels;
 * a private one (RFC 1918, RFC 6598, link-local) only where the user expects it.
 */
bool rsip_session_leasable(const struct rsip_session *s, __be32 addr);

/* The addresses of all leases that are held, each once; how many. */
unsigned int rsip_session_addrs(const struct rsip_session *s, __be32 addrs[RSIP_LEASES_MAX]);

/* Answers a waiting query, or fails it. */
void rsip_query_done(struct rsip_session *s, int index, const struct rsip_answer *a, int err);
/* Ends the request on its way: its number is used up. */
struct rsip_request *rsip_request_finish(struct rsip_session *s);

/* ---- registration.c: gained, found again, lost ---- */

/* Half to one and a half times so many seconds. */
uint64_t rsip_session_some_of(struct rsip_session *s, uint32_t seconds);
/* After the gateway has ended what it gave at since_ns: some 2 s, with each short life in a row twice as long, up to 60 s. */
uint64_t rsip_session_pause_after(struct rsip_session *s, uint64_t since_ns, uint64_t now_ns, unsigned int *short_lives);
void rsip_session_register_later(struct rsip_session *s, uint64_t now_ns);
void rsip_registration_take(struct rsip_session *s, const struct rsip_answer *a, uint64_t now_ns);
/* 302: it is still there. */
void rsip_registration_found(struct rsip_session *s, const struct rsip_answer *a, uint64_t now_ns);
/* 301 or 305: the gateway and we do not mean the same (RFC 3103 10.2.2). */
void rsip_registration_out_of_step(struct rsip_session *s, uint64_t now_ns);
void rsip_registration_lose(struct rsip_session *s, const char *why, uint64_t retry_ns);
/* A DE-REGISTER of ours was answered, or never will be. */
void rsip_registration_ended(struct rsip_session *s, const char *why, uint64_t now_ns);

/* ---- authentic.c: who speaks ---- */

/* Both do nothing without a key. */
void rsip_session_authenticate(struct rsip_session *s, struct rsip_message *m);
void rsip_session_sign(struct rsip_session *s, uint8_t *msg, size_t len);
/* Is it the gateway?  Fills a->auth_seq. */
bool rsip_session_is_genuine(struct rsip_session *s, const uint8_t *buf, size_t len, struct rsip_answer *a);
/* A genuine 304 to a REGISTER: are we only behind with our numbers?  Then register again at once. */
bool rsip_session_resync(struct rsip_session *s, const struct rsip_answer *a);

/* ---- leases.c: what becomes of a lease ---- */

struct rsip_lease *rsip_lease_find(struct rsip_session *s, uint32_t bind_id);
/* A free slot, all zero: not one whose answer is still to come.  NULL: there is none. */
struct rsip_lease *rsip_lease_new(struct rsip_session *s);
/* Are there such ports and SPIs?  0 is no port; SPIs 0 to 255 are reserved (RFC 4303 2.1). */
bool rsip_lease_runs_exist(const struct rsip_port_run *ports, unsigned int port_runs, const struct rsip_spi_run *spis,
			   unsigned int spi_runs);
void rsip_lease_take(struct rsip_session *s, struct rsip_lease *lease, const struct rsip_answer *a,
		     uint64_t now_ns);
/* Address, port and SPI that we would have liked, where they are not the user's word. */
void rsip_lease_forget_choices(struct rsip_lease *lease);
void rsip_lease_refused(struct rsip_session *s, struct rsip_lease *lease, int err, uint64_t now_ns);
/* It is not ours any more, and the gateway knows (or it has run out). */
void rsip_lease_freed(struct rsip_session *s, struct rsip_lease *lease, uint64_t now_ns);
/* An EXTEND came to nothing: half of what is left, then again. */
void rsip_lease_extend_later(struct rsip_lease *lease, uint64_t now_ns);
void rsip_lease_extended(struct rsip_session *s, struct rsip_lease *lease, uint32_t lease_s,
			 uint64_t now_ns);
/* Ours no more: tells the owner; again: asks for the like of it from retry_ns on. */
void rsip_lease_lose(struct rsip_session *s, struct rsip_lease *lease, const char *why, bool again,
		     uint64_t retry_ns);
void rsip_lease_lose_all(struct rsip_session *s, const char *why, bool again, uint64_t retry_ns);

/* ---- late.c: grants that nobody waits for any more ---- */

/* The request on its way is given up; the gateway may grant it all the same. */
void rsip_late_expect(struct rsip_session *s, uint64_t now_ns);
/* Does it prove that the gateway answers such a request? */
bool rsip_late_is_genuine(struct rsip_session *s, const uint8_t *buf, size_t len, const struct rsip_answer *a);
/* If this grants one, it is given back; else false. */
bool rsip_late_take(struct rsip_session *s, const struct rsip_answer *a, uint64_t now_ns);

/* ---- messages.c: between the session and the wire ---- */

/* Writes s->req (type, lease, query, counter) as a message of client_id: its length, or a negative
 * errno. */
long rsip_request_write(struct rsip_session *s, uint32_t client_id);
/* The request that a wish needs. */
uint8_t rsip_request_type(const struct rsip_want *want);
/* 0, or -EBADMSG for what is no RSIP message of a gateway at all. */
int rsip_answer_read(const uint8_t *buf, size_t len, struct rsip_answer *answer);

#endif
