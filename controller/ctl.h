/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The control socket.  ctl.c turns a request into a reply and knows no socket; ctl_socket.c serves
 * the socket; each command is one function in ctl_lease.c or ctl_status.c.
 */
#ifndef RSIP_CONTROLLER_CTL_H
#define RSIP_CONTROLLER_CTL_H

#include <cjson/cJSON.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloclog.h"
#include "config.h"
#include "engine.h"
#include "lease.h"
#include "rsip/ctl.h"
#include "transport.h"

struct rsip_ctl_context { /* what commands work on */
	struct rsip_lease *lm;
	struct rsip_dataplane *dp;
	const struct rsip_conf *conf;
	uint64_t start_ns;
	uint32_t adopted_binds, adopted_clients;
	void *arg;
	int (*reload)(void *arg, struct rsip_conf_report *report); /* reload.c; NULL: not possible here */
	void (*add_stats)(void *arg,
			  cJSON *obj); /* counters of protocol and transports; may be NULL */
	void (*add_status)(void *arg, cJSON *obj); /* of the lease store; may be NULL */
};

struct rsip_ctl_peer { /* who asks */
	char who[64]; /* for the log */
	bool read_only; /* came by the read-only socket */
	uint32_t events; /* 1U << RSIP_CTL_EVENT_*: what it has subscribed to */
	uint64_t lost; /* events since the last that it could take */
};

struct rsip_ctl_call { /* one request on its way */
	struct rsip_ctl_context *ctx;
	const cJSON *args; /* an object, or NULL */
	cJSON *out;	   /* arguments of the reply */
	uint64_t now_ns;
	struct rsip_ctl_peer *peer;
	char text[400];	 /* of the reply */
};

/* Always returns a reply (malloc'd, ends with a newline), or NULL if memory is out. */
char *rsip_ctl_answer(struct rsip_ctl_context *ctx, const char *request, size_t len,
		      uint64_t now_ns, struct rsip_ctl_peer *peer);

/* Commands: fill call->out and call->text. */
typedef enum rsip_ctl_result (*rsip_ctl_fn)(struct rsip_ctl_call *call);
#define X(sym, name, text, args, changes) enum rsip_ctl_result rsip_ctl_fn_##sym(struct rsip_ctl_call *call);
RSIP_CTL_TABLE(X)
#undef X

/* Sets the text of the reply and returns result. */
enum rsip_ctl_result rsip_ctl_say(struct rsip_ctl_call *call, enum rsip_ctl_result result,
				  const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* A whole-number argument: 1 it is there, 0 it is not, -1 it is wrong (the text says so). */
int rsip_ctl_arg(struct rsip_ctl_call *call, const char *name, uint64_t max, uint64_t *value);

/* One client, one binding as JSON; the caller adds it somewhere. */
cJSON *rsip_ctl_show_client(const struct rsip_ctl_call *call, const struct rsip_lease_client *c);
cJSON *rsip_ctl_show_bind(const struct rsip_ctl_call *call, const struct rsip_lease_client *c,
			  const struct rsip_lease_bind *b);
/* Interface name by index in rsip_ifaces; "" if there is none. */
void rsip_ctl_add_iface(const struct rsip_ctl_call *call, cJSON *obj, const char *name,
			uint32_t index);

/* For add_stats: counters of protocol and transports. */
void rsip_ctl_show_engine(cJSON *obj, const struct rsip_engine_stats *stats);
void rsip_ctl_show_transports(cJSON *obj, const struct rsip_transport_stats *stats);

struct rsip_ctl_store { /* for add_status */
	const char *backend, *path, *why; /* path, why: NULL where there is none */
	uint64_t commit_us, longest_us; /* all commits together, and the longest */
	uint64_t failing_for_s, commits, changes, failures, largest_batch, waiting_changes, waiting_answers, shed;
};
void rsip_ctl_show_store(cJSON *obj, const struct rsip_ctl_store *store);

void rsip_ctl_show_alloclog(cJSON *obj, struct rsip_alloclog_stats stats);

struct rsip_ctl_server;

/* ---- events: ctl_events.c ---- */

/* Does anybody want events of this kind?  If not, none need be made.  server may be NULL. */
bool rsip_ctl_wanted(const struct rsip_ctl_server *server, enum rsip_ctl_event kind);
/* Tells those who lost events and read again, where no event follows; to be called now and then. */
void rsip_ctl_tell_lost(struct rsip_ctl_server *server);
/* Takes event over and sends it to who wants it; wall_ns: since 1970. */
void rsip_ctl_publish(struct rsip_ctl_server *server, enum rsip_ctl_event kind, cJSON *event, uint64_t wall_ns);

cJSON *rsip_ctl_event_lease(struct rsip_ctl_context *ctx, const struct rsip_lease_client *c, const struct rsip_lease_bind *b,
			    const char *ended, uint64_t now_ns); /* ended: why, NULL: it begins */
cJSON *rsip_ctl_event_client(const struct rsip_lease_client *c, const char *ended); /* as above */
cJSON *rsip_ctl_event_path(const struct rsip_lease_client *c); /* what is known of the path to it has changed */
cJSON *rsip_ctl_event_violation(const struct rsip_event *v);
cJSON *rsip_ctl_event_refusal(const struct rsip_from *from, uint8_t type, enum rsip_err err);
/* The kind that a refused request is; RSIP_CTL_EVENT_CNT: none. */
enum rsip_ctl_event rsip_ctl_refusal_kind(enum rsip_err err);
/* The event's line as it is sent, with its time.  malloc'd, NULL without memory. */
char *rsip_ctl_event_line(cJSON *event, uint64_t wall_ns);

/*
 * Makes the socket, 0660 or as configured, group as configured if it exists; owner becomes the
 * owner of the socket and of a folder made for it.  0, or negative errno with a sentence in why.
 */
int rsip_ctl_open(struct event_base *base, struct rsip_ctl_context *ctx, uid_t owner,
		  struct rsip_ctl_server **out, char *why, size_t why_len);
int rsip_ctl_start(struct rsip_ctl_server *server);
void rsip_ctl_close(struct rsip_ctl_server *server); /* and removes the socket */

#endif
