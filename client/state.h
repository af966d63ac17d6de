/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The state file: what a client that was killed needs to go on (STATE_DIR/client-state.json, mode
 * 0600). */
#ifndef RSIP_CLIENT_STATE_H
#define RSIP_CLIENT_STATE_H

#include "jail.h"
#include "netlink.h"
#include "session.h"
#include "strongswan.h"

struct rsip_state {
	char device[RSIP_IFNAME_LEN];
	struct rsip_inet local, gateway;
	uint32_t nic;
	bool own_qdisc; /* we added the NIC's clsact */
	uint32_t table; /* of a shared namespace's rules; 0: it is not shared */
	bool own_arp;	/* we switched answers to ARP off */
	struct rsip_jail_ports ports; /* before we limited them */
	enum rsip_transport transport;
	uint8_t tunnel; /* RSIP_TUNNEL_* of the bindings and the device */
	uint32_t client_id, next_counter;
	uint64_t expires_ns; /* CLOCK_BOOTTIME */
	uint64_t auth_sent, auth_seen;
	uint32_t key_id;     /* 0: none */
	char key_file[200];  /* empty: its secret is in the settings */
	struct rsip_strongswan sw;
	int lease_cnt;
	struct rsip_lease leases[RSIP_LEASES_MAX]; /* HELD, WANTED and FREEING ones */
	/*
	 * A request for a lease whose answer we had not read: len 0: none.  Sent once more as it was, from the same port, a
	 * gateway repeats its answer (RFC 3103 10.1), and what it had granted is no orphan.  lease: an index of the above, or
	 * -1: nobody waits for it any more.
	 */
	struct rsip_request asked;
	uint16_t asked_port; /* UDP */
};

/* Takes what is worth keeping from the session; the owner adds the rest. */
void rsip_state_take(struct rsip_state *st, const struct rsip_session *s);
/* Puts it back, before rsip_session_resume(). */
void rsip_state_give(const struct rsip_state *st, struct rsip_session *s, uint64_t now_ns);

/* Atomic: a crash leaves the old file or the new one.  0 or a negative errno. */
int rsip_state_save(const struct rsip_state *st, const char *state_dir);
/* -ENOENT: none, or of another boot (its clock means nothing now); -EBADMSG: not ours. */
int rsip_state_load(struct rsip_state *st, const char *state_dir);
/* The text of such a file; what is in it may be anything, what comes out is sound.  -ENOENT: of another boot. */
int rsip_state_parse(struct rsip_state *st, const char *text, size_t len, const char *boot_id);
/* The text, for free(); NULL: no memory. */
char *rsip_state_text(const struct rsip_state *st, const char *boot_id);
void rsip_state_remove(const char *state_dir);

#endif
