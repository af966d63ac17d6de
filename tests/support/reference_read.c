// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The reference reads: packets as people read them, and what a packet says of its owner. */
#include <string.h>
#include "reference_priv.h"

uint32_t ref_get(const uint8_t *p, int bytes)
{
	uint32_t n = 0;

	while (bytes--)
		n = n << 8 | *p++;
	return n;
}

__be32 ref_get_addr(const uint8_t *p)
{
	__be32 addr;

	memcpy(&addr, p, 4);
	return addr;
}

/* Does the header agree with itself and with the bytes there are? */
bool ref_read_ip(const uint8_t *at, uint32_t avail, struct ip *ip)
{
	uint32_t sum = 0;

	if (avail < 20)
		return false;
	*ip = (struct ip){.at = at,
			  .hlen = (at[0] & 15U) * 4,
			  .len = ref_get(at + 2, 2),
			  .src = ref_get_addr(at + 12),
			  .dst = ref_get_addr(at + 16),
			  .proto = at[9],
			  .ttl = at[8],
			  .tos = at[1],
			  .fragment = ref_get(at + 6, 2) & 0x3fff,
			  .later = ref_get(at + 6, 2) & 0x1fff,
			  .df = ref_get(at + 6, 2) & 0x4000};
	if (at[0] >> 4 != 4 || ip->hlen < 20 || ip->len < ip->hlen || ip->len > avail)
		return false;
	for (uint32_t i = 0; i < ip->hlen; i += 2)
		sum += ref_get(at + i, 2);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static bool gre_sum_is_right(const uint8_t *at, uint32_t len)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < len; i++)
		sum += i % 2 ? at[i] : at[i] * 256U;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

int ref_read_gre(const uint8_t *at, uint32_t len)
{
	bool sum, key, seq;
	uint32_t hlen;

	if (len < 4)
		return -1;
	sum = at[0] & 0x80;
	key = at[0] & 0x20;
	seq = at[0] & 0x10;
	hlen = 4U + 4U * sum + 4U * key + 4U * seq;
	if (at[1] % 8 || at[2] != 8 || at[3] != 0)
		return 0;
	if (at[0] & 0x4c || len < hlen || (sum && !gre_sum_is_right(at, len)))
		return -1;
	return (int)hlen;
}

bool ref_is_pool(__be32 addr)
{
	return addr == PUB_1 || addr == PUB_2 || addr == PUB_IDLE;
}

bool ref_is_private(__be32 addr)
{
	__be32 net = addr & CAST_IP(255, 255, 255, 0);

	return net == CAST_IP(10, 0, 0, 0) || net == CAST_IP(10, 0, 1, 0);
}

uint8_t ref_first_byte(__be32 addr)
{
	return *(const uint8_t *)&addr;
}

static bool has_ports(uint8_t proto)
{
	return proto == 6 || proto == 17 || proto == 33 || proto == 132 || proto == 136;
}

static uint32_t shortest(uint8_t proto)
{
	return proto == 6 ? 20 : proto == 132 || proto == 33 || proto == 51 ? 12 : 8;
}

static uint64_t get_cookie(const uint8_t *p)
{
	return (uint64_t)ref_get(p, 4) << 32 | ref_get(p + 4, 4);
}

/* RFC 3948 2.1 to 2.3 on 4500; RFC 7296 3.1. */
static void read_ike(const uint8_t *at, uint32_t len, struct key *k)
{
	if (k->local_port == 4500) {
		k->ike = IKE_SHORT;
		if (len < 4)
			return;
		k->spi = ref_get(at, 4);
		k->ike = IKE_ESP;
		if (k->spi)
			return;
		at += 4;
		len -= 4;
	}
	k->ike = IKE_CUT;
	if (len < (k->quoted ? 20 : 28))
		return;
	k->ike = IKE_COOKIES;
	k->icookie = get_cookie(at);
	k->rcookie = get_cookie(at + 8);
	k->v2 = at[17] >> 4 >= 2;
	k->initiator = at[19] & 8;
}

static void set_ports(const uint8_t *at, struct key *k)
{
	uint16_t src = (uint16_t)ref_get(at, 2), dst = (uint16_t)ref_get(at + 2, 2);

	k->has_ports = true;
	k->local_port = k->by_host ? src : dst;
	k->remote_port = k->by_host ? dst : src;
}

/* The transport header: len bytes of it are there. */
static void read_transport(const uint8_t *at, uint32_t len, struct key *k)
{
	if (has_ports(k->proto)) {
		k->what = SAYS_PORTS;
		set_ports(at, k);
		if (k->proto == 17 && (k->local_port == 500 || k->local_port == 4500))
			read_ike(at + 8, len - 8, k);
	} else if (k->proto == 50 || k->proto == 51) {
		k->what = SAYS_SPI;
		k->spi = ref_get(at + (k->proto == 51 ? 4 : 0), 4);
	}
}

static void bad(struct key *k, int why)
{
	k->what = SAYS_BAD;
	k->why = why;
}

/* RFC 792, RFC 950: 1 + the identifier of a query, or else of a reply; 0: it is none. */
static uint32_t ident_of(const uint8_t *icmp, bool query)
{
	uint8_t type = query ? icmp[0] : (uint8_t)(icmp[0] ? icmp[0] - 1 : 8);

	return type == 8 || type == 13 || type == 15 || type == 17 ? ref_get(icmp + 4, 2) + 1 : 0;
}

void ref_read_key(const struct ip *ip, bool by_host, struct key *k)
{
	const uint8_t *at = ip->at + ip->hlen;
	uint32_t len = ip->len - ip->hlen, ah_len;

	*k = (struct key){.local = by_host ? ip->src : ip->dst,
			  .remote = by_host ? ip->dst : ip->src,
			  .proto = ip->proto,
			  .by_host = by_host};
	if (ip->later) {
		k->what = SAYS_LATER;
	} else if (ip->proto != 1 && ip->proto != 50 && ip->proto != 51 && !has_ports(ip->proto)) {
		k->what = SAYS_NOTHING;
	} else if (len < (ip->fragment ? 8 : shortest(ip->proto))) {
		bad(k, RSIP_DROP_MALFORMED);
	} else if (ip->proto == 17 && !ip->fragment &&
		   (ref_get(at + 4, 2) < 8 || ref_get(at + 4, 2) > len)) {
		bad(k, RSIP_DROP_MALFORMED);
	} else if (ip->proto == 1) {
		k->what = SAYS_ICMP;
		k->ident = by_host ? ident_of(at, true) : 0;
	} else {
		read_transport(at, len, k);
		ah_len = (at[1] + 2U) * 4;
		if (ip->proto == 51 && has_ports(at[0]) && ah_len + 4 <= len)
			set_ports(at + ah_len, k);
	}
}

/* An ICMP error belongs to who sent the packet that it quotes. */
void ref_read_quote(const struct ip *ip, struct key *k)
{
	const uint8_t *icmp = ip->at + ip->hlen, *in = icmp + 8;
	uint32_t len = ip->len - ip->hlen, hlen;

	k->ident = 0;
	if (icmp[0] != 3 && icmp[0] != 4 && icmp[0] != 11 && icmp[0] != 12) {
		k->ident = icmp[0] == 9 ? 0 : ident_of(icmp, false);
		return bad(k, RSIP_DROP_ICMP_QUERY);
	}
	hlen = (in[0] & 15U) * 4;
	if (len < 28 || in[0] >> 4 != 4 || hlen < 20 || len - 8 < hlen)
		return bad(k, RSIP_DROP_MALFORMED);
	if (ref_get_addr(in + 12) != k->local || ref_get(in + 6, 2) & 0x1fff)
		return bad(k, RSIP_DROP_NO_QUOTE_OWNER);
	k->remote = ref_get_addr(in + 16);
	k->proto = in[9];
	k->quoted = k->by_host = true;
	if (len - 8 - hlen < 8)
		return bad(k, RSIP_DROP_MALFORMED);
	bad(k, RSIP_DROP_NO_QUOTE_OWNER);
	k->ident = k->proto == 1 ? ident_of(in + hlen, true) : 0;
	read_transport(in + hlen, len - 8 - hlen, k);
}
