// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* IPv6 networks in the lists of networks that IPv4 has: see hosts6.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "hosts6.h"
#include "util.h"

#define NETS_MAX 65536 /* different ones that configurations may name in the life of a process */

struct net6_key {
	uint8_t addr[16];
	uint8_t len;
};

struct net6 {
	struct net6_key k;
	uint32_t number; /* 1, 2 ... */
	UT_hash_handle hh;
};

static struct net6 *nets6, **by_number;
static uint32_t net6_cnt;
static bool length_used[129];

void rsip_net6_cut(uint8_t addr[16], uint32_t len)
{
	uint32_t whole = len / 8;

	if (len % 8)
		addr[whole++] &= (uint8_t)(0xff00 >> len % 8);
	memset(addr + whole, 0, 16 - whole);
}

static bool holds(const struct net6 *n, const uint8_t addr[16])
{
	uint8_t net[16];

	memcpy(net, addr, sizeof(net));
	rsip_net6_cut(net, n->k.len);
	return !memcmp(net, n->k.addr, sizeof(net));
}

static const struct net6 *net6_of(const struct rsip_net *net)
{
	uint32_t n = ntohl(net->addr);

	return !net->mask && n && n <= net6_cnt ? by_number[n - 1] : NULL;
}

static struct net6 *find(const uint8_t addr[16], uint32_t len, struct net6_key *key)
{
	struct net6 *n;

	memset(key, 0, sizeof(*key));
	key->len = (uint8_t)len;
	memcpy(key->addr, addr, sizeof(key->addr));
	rsip_net6_cut(key->addr, len);
	HASH_FIND(hh, nets6, key, sizeof(*key), n);
	return n;
}

static struct net6 *add(const struct net6_key *key)
{
	struct net6 *n = NULL;

	if (!by_number)
		by_number = calloc(NETS_MAX, sizeof(struct net6 *));
	if (by_number && net6_cnt < NETS_MAX)
		n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->k = *key;
	by_number[net6_cnt] = n;
	n->number = ++net6_cnt;
	length_used[key->len] = true;
	HASH_ADD(hh, nets6, k, sizeof(n->k), n);
	return n;
}

int rsip_net6_make(const uint8_t addr[16], uint32_t len, struct rsip_net *net)
{
	struct net6_key key;
	struct net6 *n;

	if (len > 128)
		return -EINVAL;
	n = find(addr, len, &key);
	if (!n)
		n = add(&key);
	if (!n)
		return -ENOSPC;
	net->addr = htonl(n->number);
	net->mask = 0;
	return 0;
}

bool rsip_net6_around(__be32 host, uint32_t len, struct rsip_net *net)
{
	const uint8_t *addr = rsip_hosts6_addr(host);
	struct net6_key key;
	struct net6 *n = addr && len <= 128 && length_used[len] ? find(addr, len, &key) : NULL;

	if (!n)
		return false;
	net->addr = htonl(n->number);
	net->mask = 0;
	return true;
}

/* "2001:db8::/32", "10.0.0.0/8", or an address alone; no bit may be set behind the length. */
int rsip_net_parse(const char *text, struct rsip_net *net)
{
	char copy[INET6_ADDRSTRLEN + 4], *slash, *end;
	unsigned long len = 128;
	uint8_t addr[16];
	int err;

	if (!strchr(text, ':'))
		return rsip_net4_parse(text, &net->addr, &net->mask);
	if (snprintf(copy, sizeof(copy), "%s", text) >= (int)sizeof(copy))
		return -EINVAL;
	slash = strchr(copy, '/');
	if (slash) {
		*slash = '\0';
		if (slash[1] < '0' || slash[1] > '9')
			return -EINVAL;
		len = strtoul(slash + 1, &end, 10);
		if (*end || len > 128)
			return -EINVAL;
	}
	if (inet_pton(AF_INET6, copy, addr) != 1)
		return -EINVAL;
	err = rsip_net6_make(addr, (uint32_t)len, net);
	return err ? err : memcmp(net6_of(net)->k.addr, addr, 16) ? -EINVAL : 0;
}

bool rsip_net_is6(const struct rsip_net *net)
{
	return net6_of(net) != NULL;
}

bool rsip_net_has(const struct rsip_net *net, __be32 host)
{
	const struct net6 *n = net6_of(net);
	const uint8_t *addr = rsip_hosts6_addr(host);

	if (RSIP_HOST6_IS(host) || n)
		return n && addr && holds(n, addr);
	return (host & net->mask) == net->addr;
}

bool rsip_nets_have(const struct rsip_net *nets, uint32_t cnt, __be32 host)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (rsip_net_has(&nets[i], host))
			return true;
	return false;
}

bool rsip_nets_have6(const struct rsip_net *nets, uint32_t cnt, const uint8_t addr[16])
{
	for (uint32_t i = 0; i < cnt; i++) {
		const struct net6 *n = net6_of(&nets[i]);

		if (n && holds(n, addr))
			return true;
	}
	return false;
}

const char *rsip_net_text(const struct rsip_net *net)
{
	static __thread char buf[4][INET6_ADDRSTRLEN + 5];
	static __thread unsigned int next;
	const struct net6 *n = net6_of(net);
	char *out = buf[next++ % 4];

	if (n) {
		inet_ntop(AF_INET6, n->k.addr, out, INET6_ADDRSTRLEN);
		snprintf(out + strlen(out), 5, "/%u", n->k.len);
	} else {
		snprintf(out, sizeof(buf[0]), "%s/%d", rsip_ip4(net->addr), __builtin_popcount(net->mask));
	}
	return out;
}
