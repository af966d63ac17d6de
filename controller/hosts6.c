// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "hosts6.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "log.h"
#include "util.h"

struct prefix {
	uint8_t addr[16];
	uint32_t cnt;
	UT_hash_handle hh;
};

struct host6 {
	uint8_t addr[16];
	uint32_t index; /* of the handle */
	uint32_t holds;
	bool registered; /* a registration has held it: it rests */
	uint64_t rest_ns; /* until then; holds is 0 */
	struct prefix *prefix;
	struct host6 *prev, *next; /* that rest, the one that began first in front */
	UT_hash_handle hh;
};

static struct {
	struct rsip_dataplane *dp; /* NULL: closed */
	struct rsip_hosts6_limits limits;
	uint32_t max; /* handles */
	struct host6 **at; /* by index; NULL: free */
	struct host6 *hosts, *rests;
	struct prefix *prefixes;
	struct rsip_hosts6_stats stats;
} all = { .limits = { .prefix_len = 64, .per_prefix = UINT32_MAX } };

/* ---- prefixes ----------------------------------------------------------------------------------------------------- */

static struct prefix *prefix_find(const uint8_t addr[16])
{
	uint8_t key[16];
	struct prefix *p;

	memcpy(key, addr, 16);
	rsip_net6_cut(key, all.limits.prefix_len);
	HASH_FIND(hh, all.prefixes, key, 16, p);
	return p;
}

/* A new one where there is none; NULL: memory is out. */
static struct prefix *prefix_get(const uint8_t addr[16])
{
	struct prefix *p = prefix_find(addr);

	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	memcpy(p->addr, addr, 16);
	rsip_net6_cut(p->addr, all.limits.prefix_len);
	HASH_ADD(hh, all.prefixes, addr, 16, p);
	return p;
}

static void prefix_put(struct prefix *p)
{
	if (--p->cnt)
		return;
	HASH_DEL(all.prefixes, p);
	free(p);
}

/* ---- handles ------------------------------------------------------------------------------------------------------ */

static void begin_rest(struct host6 *h, uint64_t now_ns)
{
	h->rest_ns = now_ns + all.limits.rest_ns;
	DL_APPEND(all.rests, h);
	all.stats.resting++;
}

static void end_rest(struct host6 *h)
{
	DL_DELETE(all.rests, h);
	all.stats.resting--;
}

static struct host6 *host_new(const uint8_t addr[16], uint32_t index)
{
	struct host6 *h = calloc(1, sizeof(*h));

	if (h)
		h->prefix = prefix_get(addr);
	if (!h || !h->prefix) {
		free(h);
		return NULL;
	}
	memcpy(h->addr, addr, 16);
	h->index = index;
	h->prefix->cnt++;
	HASH_ADD(hh, all.hosts, addr, 16, h);
	all.at[index] = h;
	all.stats.known++;
	return h;
}

static void host_free(struct host6 *h)
{
	HASH_DEL(all.hosts, h);
	all.at[h->index] = NULL;
	all.stats.known--;
	prefix_put(h->prefix);
	free(h);
}

/* The one that has rested longest goes, if that is long enough. */
static bool evict(uint64_t now_ns)
{
	struct host6 *oldest = all.rests;

	if (!oldest || oldest->rest_ns > now_ns)
		return false;
	all.dp->ops->host6_drop(all.dp, oldest->index);
	end_rest(oldest);
	host_free(oldest);
	return true;
}

static struct host6 *host_make(const uint8_t addr[16], uint64_t now_ns)
{
	const struct prefix *p = prefix_find(addr);
	struct host6 *h = NULL;
	uint32_t index;
	int err;

	if ((p ? p->cnt : 0) >= all.limits.per_prefix) {
		all.stats.prefix_full++;
		return NULL;
	}
	err = all.dp->ops->host6_add(all.dp, addr, &index);
	if (err == -ENOSPC && evict(now_ns))
		err = all.dp->ops->host6_add(all.dp, addr, &index);
	if (!err)
		h = host_new(addr, index);
	if (!err && !h)
		all.dp->ops->host6_drop(all.dp, index);
	if (!h)
		all.stats.full++;
	return h;
}

static struct host6 *host_find(const uint8_t addr[16])
{
	struct host6 *h;

	HASH_FIND(hh, all.hosts, addr, 16, h);
	return h;
}

static struct host6 *host_of(__be32 host)
{
	uint32_t index = RSIP_HOST6_INDEX(host);

	return RSIP_HOST6_IS(host) && index <= all.max && all.at ? all.at[index] : NULL;
}

__be32 rsip_hosts6_find(const uint8_t addr[16])
{
	struct host6 *h = host_find(addr);

	return h ? RSIP_HOST6_HANDLE(h->index) : RSIP_HOST6_NOBODY;
}

static void hold(struct host6 *h)
{
	if (!h->holds++)
		end_rest(h);
}

__be32 rsip_hosts6_take(const uint8_t addr[16], uint64_t now_ns)
{
	struct host6 *h = host_find(addr);

	if (h) {
		hold(h);
	} else {
		h = host_make(addr, now_ns);
		if (!h)
			return RSIP_HOST6_NOBODY;
		h->holds = 1;
	}
	return RSIP_HOST6_HANDLE(h->index);
}

void rsip_hosts6_hold(__be32 host)
{
	struct host6 *h = host_of(host);

	if (!h)
		return;
	h->registered = true;
	hold(h);
}

void rsip_hosts6_release(__be32 host, uint64_t now_ns)
{
	struct host6 *h = host_of(host);

	if (!h || !h->holds || --h->holds)
		return;
	begin_rest(h, now_ns);
	if (h->registered)
		return;
	all.dp->ops->host6_drop(all.dp, h->index); /* nothing was ever leased under it */
	end_rest(h);
	host_free(h);
}

int rsip_hosts6_restore(__be32 host, const uint8_t addr[16], uint64_t now_ns)
{
	uint32_t index = RSIP_HOST6_INDEX(host);
	struct host6 *h = host_of(host);
	int err;

	if (h)
		return memcmp(h->addr, addr, 16) ? -EEXIST : 0;
	if (!RSIP_HOST6_IS(host) || !index || index > all.max)
		return -ENOSPC;
	if (host_find(addr))
		return -EEXIST;
	err = all.dp->ops->host6_claim(all.dp, index, addr);
	h = err ? NULL : host_new(addr, index);
	if (!h)
		return err ? err : -ENOSPC;
	h->registered = true;
	begin_rest(h, now_ns);
	return 0;
}

void rsip_hosts6_tick(uint64_t now_ns)
{
	while (evict(now_ns))
		;
}

const uint8_t *rsip_hosts6_addr(__be32 host)
{
	struct host6 *h = host_of(host);

	return h ? h->addr : NULL;
}

void rsip_hosts6_copy(__be32 host, uint8_t addr[16])
{
	const uint8_t *from = rsip_hosts6_addr(host);

	if (from)
		memcpy(addr, from, 16);
	else
		memset(addr, 0, 16);
}

void rsip_hosts6_get_stats(struct rsip_hosts6_stats *out)
{
	*out = all.stats;
}

/* ---- on the wire -------------------------------------------------------------------------------------------------- */

socklen_t rsip_sockaddr_len(int family)
{
	return family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

uint16_t rsip_sockaddr_port(const union rsip_sockaddr *sa)
{
	return ntohs(sa->sa.sa_family == AF_INET6 ? sa->v6.sin6_port : sa->v4.sin_port);
}

bool rsip_host_sockaddr(__be32 host, uint16_t port, union rsip_sockaddr *sa)
{
	const uint8_t *addr = rsip_hosts6_addr(host);

	memset(sa, 0, sizeof(*sa));
	if (addr) {
		sa->v6.sin6_family = AF_INET6;
		sa->v6.sin6_port = htons(port);
		memcpy(&sa->v6.sin6_addr, addr, 16);
		return true;
	}
	sa->v4.sin_family = AF_INET;
	sa->v4.sin_port = htons(port);
	sa->v4.sin_addr.s_addr = host;
	return !RSIP_HOST6_IS(host);
}

/* ---- life --------------------------------------------------------------------------------------------------------- */

void rsip_hosts6_limit(const struct rsip_hosts6_limits *limits)
{
	bool same_prefix = limits->prefix_len == all.limits.prefix_len;
	struct host6 *h, *tmp;

	all.limits = *limits;
	if (same_prefix)
		return;
	HASH_ITER (hh, all.hosts, h, tmp) { /* counted anew; where memory runs out, under the prefix of before */
		struct prefix *fresh = prefix_get(h->addr);

		if (!fresh || fresh == h->prefix)
			continue;
		prefix_put(h->prefix);
		h->prefix = fresh;
		fresh->cnt++;
	}
}

int rsip_hosts6_open(struct rsip_dataplane *dp, uint64_t now_ns)
{
	static const uint8_t none[16];
	struct rsip_config plane;
	uint8_t addr[16];
	int err = dp->ops->config(dp, &plane);

	if (err)
		return err;
	all.dp = dp;
	all.max = plane.max_hosts6;
	all.at = calloc(all.max + 1UL, sizeof(struct host6 *));
	memset(&all.stats, 0, sizeof(all.stats));
	if (!all.at)
		return -ENOMEM;
	for (uint32_t i = 1; i <= all.max; i++) {
		dp->ops->host6_get(dp, i, addr);
		if (!memcmp(addr, none, 16))
			continue;
		if (!host_new(addr, i))
			return -ENOMEM;
		all.at[i]->registered = true;
		begin_rest(all.at[i], now_ns);
	}
	return 0;
}

void rsip_hosts6_close(void)
{
	struct host6 *h, *tmp;

	HASH_ITER (hh, all.hosts, h, tmp)
		host_free(h);
	all.rests = NULL;
	free(all.at);
	all.at = NULL;
	all.dp = NULL;
	all.max = 0;
}

/* ---- for people --------------------------------------------------------------------------------------------------- */

const char *rsip_host_text(__be32 host)
{
	const uint8_t *addr = rsip_hosts6_addr(host);

	if (addr)
		return rsip_ip6(addr);
	return RSIP_HOST6_IS(host) ? "::" : rsip_ip4(host);
}

int rsip_host_parse(const char *text, __be32 *host)
{
	uint8_t addr[16];

	if (inet_pton(AF_INET6, text, addr) != 1)
		return rsip_ip4_parse(text, host);
	*host = rsip_hosts6_find(addr);
	return *host == RSIP_HOST6_NOBODY ? -ENOENT : 0;
}
