/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A second, short session beside the client's own: with a gateway that is not in use.  It registers there to see
 * whether it would serve us, or ends a registration that we have there; either way nothing of ours is left.
 */
#ifndef RSIP_CLIENT_ASIDE_H
#define RSIP_CLIENT_ASIDE_H

#include <event2/event.h>
#include "auth.h"
#include "claim.h"
#include "session.h"
#include "transport.h"
#include "way.h"

struct rsip_aside_spec {
	struct event_base *base;
	struct rsip_way way;
	const char *state_dir; /* of the client, for others that would like to go there */
	enum rsip_transport transport;
	uint8_t tunnel;			 /* RSIP_TUNNEL_* */
	const struct rsip_auth_key *key; /* id 0: none */
	uint64_t *auth_sent; /* its highest number of ours: the gateway takes only higher ones, whoever of us sends them */
	uint32_t end_id;		 /* end this registration; 0: ask whether it serves us */
	/* The verdict, once: 0, or as rsip_advice_text() has it. */
	void (*done)(void *arg, int err);
	/* All is over, and the handle is free: after done. */
	void (*gone)(void *arg);
	void *arg;
};

struct rsip_aside;

/* 0, or a negative errno where it cannot even begin; then nothing is called.  -EBUSY: another client of this machine is there. */
int rsip_aside_start(const struct rsip_aside_spec *spec, struct rsip_aside **aside);
/* Breaks it off; calls nothing (NULL is fine). */
void rsip_aside_free(struct rsip_aside *aside);

#endif
