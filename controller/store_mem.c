// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The store's twin in memory: rows in a hash.  For tests, and for gateways whose leases need not survive a reboot. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "store.h"
#include "util.h"

struct row_key {
	uint64_t seq, kind;
};

struct row {
	struct row_key key;
	UT_hash_handle hh;
	struct rsip_store_change is;
	uint8_t bytes[];
};

struct mem_store {
	struct rsip_store store; /* first */
	struct row *rows;
	struct rsip_store_info info;
	struct rsip_store_clock written;
	int fail;
};

static const void **pointer_of(struct rsip_store_change *c, size_t *len)
{
	if (c->kind == RSIP_STORE_LEASE) {
		*len = (c->lease.port_ranges + c->lease.spi_ranges) * sizeof(*c->lease.range);
		return (const void **)&c->lease.range;
	}
	if (c->kind == RSIP_STORE_KEY) {
		*len = 0;
		return NULL;
	}
	*len = c->client.last.len;
	return (const void **)&c->client.last.bytes;
}

static void row_free(struct mem_store *m, struct row *r)
{
	HASH_DEL(m->rows, r);
	free(r);
}

static int apply(struct mem_store *m, const struct rsip_store_change *change)
{
	struct row_key key = { change->seq, change->kind };
	struct rsip_store_change is = *change;
	const void **at;
	struct row *r, *old;
	size_t len;

	HASH_FIND(hh, m->rows, &key, sizeof(key), old);
	if (change->gone) {
		if (old)
			row_free(m, old);
		return 0;
	}
	at = pointer_of(&is, &len);
	r = malloc(sizeof(*r) + len);
	if (!r)
		return -ENOMEM;
	if (len)
		memcpy(r->bytes, *at, len);
	if (at)
		*at = len ? r->bytes : NULL;
	r->key = key;
	r->is = is;
	if (old)
		row_free(m, old);
	HASH_ADD(hh, m->rows, key, sizeof(r->key), r);
	return 0;
}

static int mem_commit(struct rsip_store *s, const struct rsip_store_change *change, uint32_t cnt,
		      const struct rsip_store_clock *now)
{
	struct mem_store *m = (struct mem_store *)s;
	int err = m->fail;

	m->written = *now;
	for (uint32_t i = 0; i < cnt && !err; i++)
		err = apply(m, &change[i]);
	return err;
}

static int by_seq(const struct row *a, const struct row *b)
{
	return a->key.seq < b->key.seq ? -1 : a->key.seq > b->key.seq;
}

static void shift(struct rsip_store_change *c, int64_t by)
{
	bool lease = c->kind == RSIP_STORE_LEASE;

	if (c->kind == RSIP_STORE_KEY)
		return;
	uint64_t *times[] = { lease ? &c->lease.start_ns : &c->client.start_ns,
			      lease ? &c->lease.expires_ns : &c->client.expires_ns,
			      lease ? &c->lease.rest_ns : &c->client.departed_ns,
			      lease ? NULL : &c->client.last.at_ns };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(times); i++)
		if (times[i] && *times[i])
			*times[i] += (uint64_t)by;
}

static int give(const struct rsip_store_reader *reader, const struct rsip_store_change *is)
{
	switch (is->kind) {
	case RSIP_STORE_LEASE:
		return reader->lease(reader->arg, &is->lease);
	case RSIP_STORE_CLIENT:
		return reader->client(reader->arg, &is->client);
	case RSIP_STORE_KEY:
		return reader->key(reader->arg, &is->key);
	}
	return -EINVAL;
}

static int mem_load(struct rsip_store *s, const struct rsip_store_clock *now, const struct rsip_store_reader *reader,
		    struct rsip_store_info *info)
{
	struct mem_store *m = (struct mem_store *)s;
	int64_t by = m->info.fresh ? 0 : rsip_store_clock_shift(&m->written, now);
	struct row *r, *next;
	int err = 0;

	HASH_SORT(m->rows, by_seq);
	for (int kind = RSIP_STORE_KEY; kind >= RSIP_STORE_LEASE && !err; kind--) {
		HASH_ITER(hh, m->rows, r, next) {
			if (r->is.kind != (enum rsip_store_kind)kind)
				continue;
			shift(&r->is, by);
			err = give(reader, &r->is);
			if (err)
				break;
		}
	}
	*info = m->info;
	m->info.fresh = false;
	m->written = *now;
	return err;
}

static const char *mem_why(const struct rsip_store *s)
{
	return strerror(-((const struct mem_store *)s)->fail);
}

static void mem_close(struct rsip_store *s)
{
	struct mem_store *m = (struct mem_store *)s;
	struct row *r, *next;

	HASH_ITER(hh, m->rows, r, next)
		row_free(m, r);
	free(m);
}

static const struct rsip_store_ops mem_ops = {
	.name = "memory",
	.load = mem_load,
	.commit = mem_commit,
	.why = mem_why,
	.close = mem_close,
};

int rsip_store_mem(struct rsip_store **out)
{
	struct mem_store *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->store.ops = &mem_ops;
	m->info.fresh = true;
	rsip_random(&m->info.secret, sizeof(m->info.secret));
	*out = &m->store;
	return 0;
}

void rsip_store_mem_fail(struct rsip_store *s, int err)
{
	((struct mem_store *)s)->fail = err;
}
