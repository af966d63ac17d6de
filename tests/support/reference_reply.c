// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The reference answers: ICMP errors that the gateway makes (RFC 792, RFC 1191, RFC 1812 4.3.2), echo replies (RFC 3102 6.2). */
#include <string.h>
#include "reference_priv.h"

static void put(uint8_t *at, uint32_t n, int bytes)
{
	while (bytes--) {
		at[bytes] = (uint8_t)n;
		n >>= 8;
	}
}

static const char *mac_of(int iface)
{
	return iface == IF_PUB ? MAC_GW_PUB : iface == IF_PRIV ? MAC_GW_PRIV : MAC_GW_PRIV2;
}

static bool over_six(const struct arrival *a)
{
	return a->outer && a->in->data[12] != 8;
}

/* RFC 1812 4.3.2.7. */
static bool is_due(const struct arrival *a, const struct ip *ip)
{
	const uint8_t *type = ip->at + ip->hlen;

	if (ip->later || !ip->src || ref_first_byte(ip->dst) >= 224)
		return false;
	if (ip->proto != 1)
		return true;
	if (type >= a->in->data + a->in->len)
		return false;
	return *type != 3 && *type != 4 && *type != 5 && *type != 11 && *type != 12;
}

static void put_ip(uint8_t *at, uint32_t len, uint8_t proto, __be32 src, __be32 dst)
{
	memset(at, 0, 20);
	at[0] = 0x45;
	at[1] = 0xc0; /* internetwork control */
	put(at + 2, len, 2);
	at[6] = 0x40;
	at[8] = 64;
	at[9] = proto;
	memcpy(at + 12, &src, 4);
	memcpy(at + 16, &dst, 4);
	pkt_sum_header(at);
}

/* The tunnel's header in front of len bytes; where they begin. */
static uint8_t *put_front(uint8_t *at, const struct arrival *a, uint32_t len)
{
	bool gre = a->outer->proto == 47;

	len += gre ? 4 : 0;
	if (over_six(a)) {
		memset(at, 0, 40);
		put(at, 0x6c000000, 4); /* any flow label */
		put(at + 4, len, 2);
		at[6] = gre ? 47 : 4;
		at[7] = 64;
		memcpy(at + 8, a->iface == IF_PRIV ? GW6_PRIV : GW6_PRIV2, 16);
		memcpy(at + 24, a->outer->at + 8, 16);
		at += 40;
	} else {
		put_ip(at, len + 20, gre ? 47 : 4, a->outer->dst, a->outer->src);
		at += 20;
	}
	if (gre)
		put(at, 0x0800, 4);
	return at + (gre ? 4 : 0);
}

void ref_error(struct ref_result *res, const struct arrival *a, const struct ip *ip, int why, uint32_t mtu)
{
	uint32_t front = a->outer ? (over_six(a) ? 40 : 20) + (a->outer->proto == 47 ? 4 : 0) : 0;
	uint32_t quote = ip->len / 4 * 4;
	uint8_t *at = res->out.data + 14;

	res->action = XDP_DROP;
	res->counter = why;
	if (!is_due(a, ip))
		return;
	if (quote > 576 - 28 - front)
		quote = 576 - 28 - front;
	memcpy(res->out.data, a->in->data + 6, 6);
	memcpy(res->out.data + 6, mac_of(a->iface), 6);
	put(res->out.data + 12, over_six(a) ? 0x86dd : 0x0800, 2);
	if (a->outer)
		at = put_front(at, a, 28 + quote);
	put_ip(at, 28 + quote, 1, GW_PUB, ip->src);
	at += 20;
	put(at, why == RSIP_DROP_TOO_BIG ? 0x03040000 : 0x0b000000, 4);
	put(at + 4, why == RSIP_DROP_TOO_BIG ? mtu : 0, 4);
	memcpy(at + 8, ip->at, quote);
	put(at + 2, pkt_sum16(at, 8 + quote, 0), 2);
	res->out.len = 14 + front + 28 + quote;
	res->action = XDP_TX;
	res->counter = RSIP_CNT_ICMP_SENT;
	res->why = why;
}

/* The header goes back to who sent it. */
static void turn(uint8_t *at, __be32 from, __be32 to)
{
	memcpy(at + 12, &from, 4);
	memcpy(at + 16, &to, 4);
	at[8] = 64;
	pkt_sum_header(at);
}

static void turn_six(uint8_t *at)
{
	uint8_t src[16];

	memcpy(src, at + 8, 16);
	memcpy(at + 8, at + 24, 16);
	memcpy(at + 24, src, 16);
	at[7] = 64;
}

/* A source route among its options (RFC 791 3.1), or they do not add up. */
static bool refuses_options(const struct ip *ip)
{
	uint32_t left = ip->hlen - 20, n;

	for (const uint8_t *o = ip->at + 20; left && *o; o += n, left -= n) {
		n = *o == 1 ? 1 : left > 1 ? o[1] : 0;
		if (*o == 131 || *o == 137 || n > left || n < (*o == 1 ? 1U : 2U))
			return true;
	}
	return false;
}

/* The rest of the frame stays: options, data, a checksum that was wrong, what is behind the packet. */
bool ref_echo(struct ref_result *res, const struct arrival *a, const struct ip *ip)
{
	uint8_t *at = res->out.data + (ip->at - a->in->data), *icmp = at + ip->hlen;
	uint32_t sum;

	if (ip->proto != 1 || ip->fragment || ip->len < ip->hlen + 8 || icmp[0] != 8 || icmp[1] || refuses_options(ip))
		return false;
	turn(at, ip->dst, ip->src);
	icmp[0] = 0;
	sum = (uint16_t)~ref_get(icmp + 2, 2) + 0xf7ffU; /* RFC 1624: without 0x0800 */
	put(icmp + 2, (uint16_t)~((sum & 0xffff) + (sum >> 16)), 2);
	if (over_six(a))
		turn_six(res->out.data + 14);
	else if (a->outer)
		turn(res->out.data + 14, a->outer->dst, a->outer->src);
	memcpy(res->out.data, a->in->data + 6, 6);
	memcpy(res->out.data + 6, mac_of(a->iface), 6);
	res->action = XDP_TX;
	res->counter = RSIP_CNT_ECHO_ANSWERED;
	res->in_slot = a->slot;
	res->bytes = a->slot ? ip->len : 0;
	return true;
}
