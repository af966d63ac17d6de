// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "keys.h"
#include "hosts6.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

/* A network that a key names.  By network and mask, so that a look-up costs one probe for each length in use. */
struct place {
	struct rsip_net net;
	struct rsip_key *key;
	UT_hash_handle hh;
};

struct entry {
	struct rsip_key key; /* first: handed out */
	struct place place[RSIP_KEY_NETS_MAX];
	UT_hash_handle hh;
};

/* The sequences of a key that is configured no more. */
struct past {
	uint32_t id;
	struct rsip_key key;
	UT_hash_handle hh;
};

struct rsip_keys {
	struct entry *entry; /* all of them */
	uint32_t cnt;
	struct entry *by_id;
	struct place *by_net;
	uint64_t lengths; /* a bit for each prefix length in use */
	struct past *past;
};

static unsigned int length_of(__be32 mask)
{
	return (unsigned int)__builtin_popcount(mask);
}

static void add_places(struct rsip_keys *keys, struct entry *e)
{
	for (uint32_t i = 0; i < e->key.conf.net_cnt; i++) {
		struct place *p = &e->place[i], *known;

		p->net = e->key.conf.net[i];
		p->key = &e->key;
		keys->lengths |= 1ULL << length_of(p->net.mask);
		HASH_FIND(hh, keys->by_net, &p->net, sizeof(p->net), known);
		if (!known) /* else the first key of the configuration stands for the source */
			HASH_ADD(hh, keys->by_net, net, sizeof(p->net), p);
	}
}

int rsip_keys_create(const struct rsip_key_conf *conf, uint32_t cnt, struct rsip_keys **out)
{
	struct rsip_keys *keys = calloc(1, sizeof(*keys));

	if (!keys)
		return -ENOMEM;
	keys->entry = calloc(cnt + 1, sizeof(*keys->entry));
	if (!keys->entry) {
		free(keys);
		return -ENOMEM;
	}
	keys->cnt = cnt;
	for (uint32_t i = 0; i < cnt; i++) {
		struct entry *e = &keys->entry[i];

		e->key.conf = conf[i];
		HASH_ADD(hh, keys->by_id, key.conf.key.id, sizeof(uint32_t), e);
		add_places(keys, e);
	}
	*out = keys;
	return 0;
}

void rsip_keys_destroy(struct rsip_keys *keys)
{
	struct past *p, *next;

	if (!keys)
		return;
	HASH_CLEAR(hh, keys->by_id);
	HASH_CLEAR(hh, keys->by_net);
	HASH_ITER(hh, keys->past, p, next) {
		HASH_DEL(keys->past, p);
		free(p);
	}
	explicit_bzero(keys->entry, (keys->cnt + 1) * sizeof(*keys->entry));
	free(keys->entry);
	free(keys);
}

struct rsip_key *rsip_keys_find(struct rsip_keys *keys, uint32_t id)
{
	struct entry *e;

	HASH_FIND(hh, keys->by_id, &id, sizeof(id), e);
	return e ? &e->key : NULL;
}

static struct rsip_key *find_in(struct rsip_keys *keys, __be32 source, unsigned int length)
{
	__be32 mask = length ? htonl(~0U << (32 - length)) : 0;
	struct rsip_net net = { .addr = source & mask, .mask = mask };
	struct place *p;

	HASH_FIND(hh, keys->by_net, &net, sizeof(net), p);
	return p ? p->key : NULL;
}

static struct rsip_key *find_around6(struct rsip_keys *keys, __be32 source)
{
	struct rsip_net net;
	struct place *p;

	for (uint32_t length = 129; length-- > 0;) {
		if (!rsip_net6_around(source, length, &net))
			continue;
		HASH_FIND(hh, keys->by_net, &net, sizeof(net), p);
		if (p)
			return p->key;
	}
	return NULL;
}

struct rsip_key *rsip_keys_of(struct rsip_keys *keys, __be32 source)
{
	if (RSIP_HOST6_IS(source))
		return find_around6(keys, source);
	for (int length = 32; length >= 0; length--) { /* the closest network first */
		struct rsip_key *key =
			keys->lengths >> length & 1 ? find_in(keys, source, (unsigned int)length) : NULL;

		if (key)
			return key;
	}
	return NULL;
}

bool rsip_key_is_of(const struct rsip_key *key, __be32 source)
{
	return rsip_nets_have(key->conf.net, key->conf.net_cnt, source);
}

/* ---- sequences ------------------------------------------------------------------------------------------------ */

/* The sequences of this ID, be it configured or not; NULL: memory is out. */
static struct rsip_key *sequences_of(struct rsip_keys *keys, uint32_t id)
{
	struct rsip_key *key = rsip_keys_find(keys, id);
	struct past *p;

	if (key)
		return key;
	HASH_FIND(hh, keys->past, &id, sizeof(id), p);
	if (!p)
		p = calloc(1, sizeof(*p));
	else
		return &p->key;
	if (!p)
		return NULL;
	p->id = id;
	HASH_ADD(hh, keys->past, id, sizeof(p->id), p);
	return &p->key;
}

void rsip_keys_seen(struct rsip_keys *keys, uint32_t id, uint64_t seq)
{
	struct rsip_key *key = sequences_of(keys, id);

	if (key && seq > key->seen)
		key->seen = seq;
}

static void take_over(struct rsip_keys *keys, uint32_t id, const struct rsip_key *was)
{
	struct rsip_key *is = sequences_of(keys, id);

	if (!is)
		return;
	is->seen = was->seen;
	is->sent = was->sent;
	is->mark = was->mark;
}

void rsip_keys_inherit(struct rsip_keys *keys, const struct rsip_keys *old)
{
	const struct past *p;

	for (uint32_t i = 0; i < old->cnt; i++)
		take_over(keys, old->entry[i].key.conf.key.id, &old->entry[i].key);
	for (p = old->past; p; p = p->hh.next)
		take_over(keys, p->id, &p->key);
}
