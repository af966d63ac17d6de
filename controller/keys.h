/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The hosts' keys: which exist, whose they are, and the highest sequence that was seen and sent with each.
 * Addresses are in network order.
 */
#ifndef RSIP_KEYS_H
#define RSIP_KEYS_H

#include "auth.h"
#include "journal.h"
#include "rsip/maps.h"

#define RSIP_KEYS_MAX 65536
#define RSIP_KEY_NETS_MAX 4

enum rsip_auth_mode { RSIP_AUTH_OFF, RSIP_AUTH_OPTIONAL, RSIP_AUTH_REQUIRED };

struct rsip_key_conf {
	struct rsip_auth_key key;
	struct rsip_net net[RSIP_KEY_NETS_MAX]; /* the sources that it belongs to */
	uint32_t net_cnt;
};

struct rsip_key {
	struct rsip_key_conf conf;
	uint64_t seen, sent; /* highest sequence to the gateway, and from it */
	struct rsip_journal_mark mark; /* of seen, in the lease store */
};

struct rsip_keys;

/* Copies the keys; IDs must differ.  0 or -ENOMEM. */
int rsip_keys_create(const struct rsip_key_conf *conf, uint32_t cnt, struct rsip_keys **out);
void rsip_keys_destroy(struct rsip_keys *keys); /* and wipes the secrets; NULL is allowed */
/*
 * Takes over all sequences, also those of keys that are configured no more: one that comes back goes on where it was,
 * or what was said with it before could be said again.  A changed secret changes nothing: hosts number by the time.
 */
void rsip_keys_inherit(struct rsip_keys *keys, const struct rsip_keys *old);
/* This sequence of a key, configured or not, was seen before.  Without memory one that is not is forgotten. */
void rsip_keys_seen(struct rsip_keys *keys, uint32_t id, uint64_t seq);

/* By ID; NULL: there is none. */
struct rsip_key *rsip_keys_find(struct rsip_keys *keys, uint32_t id);
/* A key that belongs to this source, the first in the configuration; NULL: there is none. */
struct rsip_key *rsip_keys_of(struct rsip_keys *keys, __be32 source);
bool rsip_key_is_of(const struct rsip_key *key, __be32 source);

#endif
