/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The running client: session, tunnel, namespace and control socket around one event loop. */
#ifndef RSIP_CLIENT_DAEMON_H
#define RSIP_CLIENT_DAEMON_H

#include <cjson/cJSON.h>
#include <event2/event.h>
#include "aside.h"
#include "claim.h"
#include "comeback.h"
#include "demand.h"
#include "gateways.h"
#include "guard.h"
#include "jail.h"
#include "session.h"
#include "settings.h"
#include "state.h"
#include "strongswan.h"
#include "transport.h"
#include "trouble.h"
#include "tunnel.h"
#include "way.h"

struct rsip_control;

struct rsip_daemon {
	struct rsip_settings set;
	int (*reread)(void *arg, struct rsip_settings *set); /* the settings again, as at the start; or NULL */
	void *reread_arg;
	int ready_fd; /* told once, in JSON, how `up` went; -1: nobody asks (any more) */
	void (*ready)(const struct rsip_daemon
			      *d); /* called before the one at ready_fd is told (or NULL) */
	bool patient;		   /* no answer from the gateway is no reason to end */
	bool leave;		   /* end what a past of ours left, and do no more */
	struct rsip_auth_key key; /* id 0: none */
	struct rsip_session session;
	struct rsip_transport_io io;
	struct rsip_gateways gateways; /* none: the default router is it */
	struct rsip_trouble disk_trouble; /* the state file cannot be written */
	struct rsip_trouble away_trouble; /* the gateway does not answer */
	struct rsip_trouble move_trouble[RSIP_GATEWAYS_MAX]; /* each of them for itself */
	bool moving;		       /* to the next of them, when the session is done */
	struct rsip_comeback comeback; /* to a preferred one */
	struct rsip_aside *aside;      /* with another gateway; or NULL */
	unsigned int asked;	       /* which of them */
	bool heard;		       /* it answered */
	uint64_t sent, quiet_ns;       /* packets of programs, and since when no more */
	struct mnl_socket *news; /* of the host's network; or NULL */
	struct event *changes;
	uint64_t look_way_ns;	       /* 0: nothing has happened */
	struct rsip_way other_way;     /* as it seems to be */
	uint64_t other_way_ns;	       /* since when; 0: it is d->way */
	bool away;		       /* there is none at the moment */
	bool connected;		       /* TCP: the connection stands; UDP: always */
	uint64_t reconnect_ns, connect_by_ns;
	bool asking_local;     /* a QUERY of our own is on its way */
	uint64_t ask_local_ns; /* when the next is due */
	struct rsip_jail jail;
	struct rsip_tunnel *tunnel;
	struct rsip_guard *guard; /* NULL: this system has none */
	struct rsip_state state;
	struct rsip_strongswan sw;
	struct rsip_demand demand;
	bool dirty;	  /* the state file is behind */
	bool failed;	  /* exit status 1 */
	struct rsip_way way; /* to the gateway in use */
	uint64_t give_up_ns; /* 0: not any more */
	int lock_fd;
	struct rsip_claim claim; /* of this host at the gateway in use */
	struct event_base *base;
	int clock; /* timerfd: CLOCK_BOOTTIME, which goes on while the machine sleeps */
	struct event *timer, *readable, *writable, *signals[3];
	struct event *sockets; /* a program has made one; or NULL */
	struct event *whole; /* the tunnel has put fragments together; or NULL */
	struct rsip_control *control;
};

/* Runs until the session has ended; returns the exit status.  ready_fd is closed when told. */
int rsip_daemon_run(struct rsip_daemon *d);

/* While the machine is being changed: whoever wants us to end is heard when we can undo it.  The loop lets them through. */
void rsip_daemon_hold_signals(bool hold);

/* CLOCK_BOOTTIME in nanoseconds: leases run on while the machine sleeps. */
uint64_t rsip_daemon_now(void);
/* Of any session (struct rsip_session_sink). */
uint32_t rsip_daemon_random(void *ctx);
uint64_t rsip_daemon_wall_us(void *ctx);

/* From now on a socket that a program makes wakes the client, where its settings let it lease more ports for them. */
void rsip_daemon_watch_sockets(struct rsip_daemon *d);

/* Begins to end: de-register, take the tunnel away, leave the loop. */
void rsip_daemon_end(struct rsip_daemon *d);
/* Lets the session do what is due, after something outside it changed it. */
void rsip_daemon_wake(struct rsip_daemon *d);

/*
 * Leases for a strongSwan and keeps its file, as the settings say; again: a larger range, if they
 * say so.  The index of the lease that was asked for; -EALREADY: nothing to do; -EBUSY: it is on
 * with other ports or another folder; -ENOSPC.
 */
int rsip_daemon_strongswan_on(struct rsip_daemon *d, const struct rsip_settings *set);
/* Removes the file and gives its leases back. */
void rsip_daemon_strongswan_off(struct rsip_daemon *d);
/* Removes the files that a past of ours wrote, of leases that are not taken up again; its state file may be gone, too. */
void rsip_daemon_strongswan_forget(struct rsip_daemon *d);

/* Ends at once, with exit status 1, and says why. */
void rsip_daemon_give_up(struct rsip_daemon *d, const char *why);

/* ---- daemon_start.c: before the loop ---- */

/* Makes the state folder; no other client may use it.  0 or a negative errno (said). */
int rsip_daemon_lock(struct rsip_daemon *d);
/* Removes what is left of one that was killed before it had noted anything, or after all was undone: files that mean nothing. */
void rsip_daemon_sweep(const struct rsip_settings *set);
/* The key that the settings name, if they do; its secret is then in d->key alone.  0 or a negative errno (said). */
int rsip_daemon_find_key(struct rsip_daemon *d);
/* Fills d->way; a service waits for it, who waits at a terminal is told.  0 or a negative errno (said). */
int rsip_daemon_await_way(struct rsip_daemon *d);
/* Asks for what the settings say; resume: goes on with what the state file speaks of, where that is still the same place. */
void rsip_daemon_start_session(struct rsip_daemon *d, const struct rsip_session_sink *sink, bool resume);

/* ---- daemon_settings.c: what they want of a session ---- */

/* Whatever they may change while the client runs. */
void rsip_daemon_apply_settings(struct rsip_daemon *d, uint64_t now_ns);
/* Reads them again and follows.  text says what came of it; a negative errno: nothing has changed. */
int rsip_daemon_reload(struct rsip_daemon *d, char *text, size_t size);

/* May the client go on as another program file now?  0, or a negative errno with why; nothing has changed. */
int rsip_daemon_upgrade_check(struct rsip_daemon *d, char *why, size_t size);
/* Goes on so, as after a kill, but in the same process.  Comes back only where that file cannot be run (said). */
void rsip_daemon_upgrade(struct rsip_daemon *d);

/* ---- daemon_gateway.c: the way to the gateway, or to the next ---- */

#define RSIP_QUERY_OF_OURS 0 /* tag: no control connection waits for it */

/* Connects where that is due, and moves to the next gateway. */
void rsip_daemon_reach(struct rsip_daemon *d, uint64_t now_ns);
/* When it has something to do next. */
uint64_t rsip_daemon_reach_due(const struct rsip_daemon *d, uint64_t now_ns);
void rsip_daemon_disconnect(struct rsip_daemon *d);
/* The gateway does not serve us: will another one be tried at once?  err as rsip_advice_text() has it. */
bool rsip_daemon_fail_over(struct rsip_daemon *d, int err);
/* The session and the tunnel go over to d->way, where requests begin at act_ns; the connection is closed already. */
void rsip_daemon_enter(struct rsip_daemon *d, uint64_t act_ns);

/* ---- daemon_return.c: back to a preferred gateway ---- */

/* Does what is due; when it is next. */
uint64_t rsip_daemon_return(struct rsip_daemon *d, uint64_t now_ns);
/*
 * To this one of the list, at once: leases here are given back, the like of them is asked for there.
 * -EHOSTUNREACH: there is no way to it (said), and nothing has changed.
 */
int rsip_daemon_go(struct rsip_daemon *d, unsigned int at);

/* Asks what is local, if that is due: when it is next. */
uint64_t rsip_daemon_ask_local(struct rsip_daemon *d, uint64_t now_ns);
void rsip_daemon_told_local(struct rsip_daemon *d, const struct rsip_answer *a, int err);

/* De-registers id at the end of a way that is no longer ours, if that can be; nobody waits for it. */
void rsip_daemon_farewell(struct rsip_daemon *d, const struct rsip_way *left, uint32_t id);

/* ---- daemon_watch.c: the host's network changes ---- */

void rsip_daemon_watch(struct rsip_daemon *d);
void rsip_daemon_watch_no_more(struct rsip_daemon *d);
/* Is the way to the gateway still the same?  When to look again; UINT64_MAX: when something happens. */
uint64_t rsip_daemon_look_at_way(struct rsip_daemon *d, uint64_t now_ns);

/* ---- daemon_net.c: the way to the gateway, the tunnel, the leased addresses ---- */

/* Finds interface, private address and gateway from settings and routes: d->way, d->io.  Else 0 has become an error (said). */
int rsip_daemon_locate(struct rsip_daemon *d);
/* The same for the first of the gateways, from the present one on, that a route leads to; else why is the first one's. */
int rsip_daemon_locate_any(struct rsip_daemon *d, char *why, size_t size);
void rsip_daemon_set_way(struct rsip_daemon *d, const struct rsip_way *way);
/* Keeps other clients of this machine from these ends.  0, or -EBUSY, with why: one has them. */
int rsip_daemon_claim(struct rsip_daemon *d, const struct rsip_way *way, char *why, size_t size);
/* Writes the state file; that it cannot be written is said, and nothing more. */
void rsip_daemon_note(struct rsip_daemon *d, const struct rsip_state *state);
/* Namespace and device; takes up what the state file says is ours. */
int rsip_daemon_build(struct rsip_daemon *d, bool have_state);
enum rsip_transport rsip_daemon_transport(const struct rsip_daemon *d); /* as it is set */
/* From now on, until the tunnel goes, what came through it in fragments is handed over. */
void rsip_daemon_hear_tunnel(struct rsip_daemon *d);
/* Another tunnel in place of the one there is: over d->way.  0 or a negative errno (said). */
int rsip_daemon_retunnel(struct rsip_daemon *d);
/* Beside the host's other addresses: no ARP request for a leased one is answered (RFC 3102 3.1). */
void rsip_daemon_silence_arp(struct rsip_daemon *d);
void rsip_daemon_raze(struct rsip_daemon *d);
/* As the state file has it; for who only undoes. */
void rsip_daemon_old_way(struct rsip_daemon *d);
/* Undoes what the state file speaks of, where not even the old tunnel can be opened again: its interface is gone. */
void rsip_daemon_clear(struct rsip_daemon *d);
/*
 * May its address become this host's?  0; -EADDRINUSE: it is, and by no lease of ours; -EADDRNOTAVAIL: the host speaks with
 * whoever has it (said).
 */
int rsip_daemon_may_have(struct rsip_daemon *d, const struct rsip_lease *lease);
/* Looks at the ports that programs use: when to look again; UINT64_MAX: never. */
uint64_t rsip_daemon_look_at_ports(struct rsip_daemon *d, uint64_t now_ns);
int rsip_daemon_use(struct rsip_daemon *d, const struct rsip_lease *lease);
void rsip_daemon_disuse(struct rsip_daemon *d, const struct rsip_lease *lease);

/* ---- control.c: the control socket ---- */

int rsip_control_open(struct rsip_daemon *d);
/* Removes the socket of one that is dead.  0, also where there is nothing; -EADDRINUSE: one lives; -EEXIST: it is no socket. */
int rsip_control_clear(const char *path);
void rsip_control_close(struct rsip_daemon *d);
/* A lease wish of a control connection was granted (err 0) or refused. */
void rsip_control_lease(struct rsip_daemon *d, int index, int err);
/* What status-get answers. */
cJSON *rsip_control_status(struct rsip_daemon *d);
/* A query was answered (err 0) or will not be. */
void rsip_control_queried(struct rsip_daemon *d, uint32_t tag, const struct rsip_answer *a,
			  int err);

#endif
