// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The builder: layers are laid out first, then lengths and checksums are filled in from the
 * innermost outward. */
#include <stdlib.h>
#include <string.h>
#include "pkt.h"

#define LAYERS_MAX 24

static void put16(uint8_t *at, uint16_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, (uint16_t)(v >> 16));
	put16(at + 2, (uint16_t)v);
}

static void put64(uint8_t *at, uint64_t v)
{
	put32(at, (uint32_t)(v >> 32));
	put32(at + 4, (uint32_t)v);
}

/* RFC 1071, byte by byte. */
uint16_t pkt_sum16(const void *data, uint32_t len, uint32_t start)
{
	const uint8_t *p = data;
	uint32_t sum = start;

	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

void pkt_sum_header(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, pkt_sum16(ip, (ip[0] & 15U) * 4, 0));
}

static uint32_t layer_len(const struct pkt_layer *l)
{
	switch (l->kind) {
	case PKT_ETH:
		return 14;
	case PKT_VLAN:
		return 4;
	case PKT_ARP:
		return 28;
	case PKT_IP4:
		return 20U + l->options_len;
	case PKT_IP6:
		return 40;
	case PKT_TCP:
		return 20;
	case PKT_UDP:
	case PKT_UDPLITE:
	case PKT_ICMP:
	case PKT_ICMP6:
	case PKT_ESP:
		return 8;
	case PKT_SCTP:
		return 12;
	case PKT_AH:
		return 24;
	case PKT_IKE:
		return 28 + (l->non_esp ? 4 : 0);
	case PKT_GRE:
		return 4U * (1U + l->csum + l->key + l->seq);
	case PKT_BYTES:
	case PKT_PAD:
		return l->cnt;
	case PKT_END:
		break;
	}
	return 0;
}

static uint8_t proto_of(const struct pkt_layer *next)
{
	switch (next->kind) {
	case PKT_IP4:
		return 4;
	case PKT_IP6:
		return 41;
	case PKT_TCP:
		return 6;
	case PKT_UDP:
		return 17;
	case PKT_UDPLITE:
		return 136;
	case PKT_SCTP:
		return 132;
	case PKT_ESP:
		return 50;
	case PKT_AH:
		return 51;
	case PKT_ICMP:
		return 1;
	case PKT_ICMP6:
		return 58;
	case PKT_GRE:
		return 47;
	default:
		return 253; /* RFC 3692: for experiments */
	}
}

static uint16_t eth_type_of(const struct pkt_layer *l)
{
	if (l->eth_type)
		return l->eth_type;
	switch (l[1].kind) {
	case PKT_VLAN:
		return 0x8100;
	case PKT_ARP:
		return 0x0806;
	case PKT_IP6:
		return 0x86dd;
	default:
		return 0x0800;
	}
}

static void fill_link(uint8_t *at, const struct pkt_layer *l)
{
	if (l->kind == PKT_VLAN) {
		put16(at, l->vlan);
		put16(at + 2, eth_type_of(l));
		return;
	}
	memcpy(at, l->dst_mac, 6);
	memcpy(at + 6, l->src_mac, 6);
	put16(at + 12, eth_type_of(l));
}

static void fill_arp(uint8_t *at, const struct pkt_layer *l)
{
	put16(at, 1);
	put16(at + 2, 0x0800);
	at[4] = 6;
	at[5] = 4;
	put16(at + 6, l->op);
	memcpy(at + 8, l->src_mac, 6);
	memcpy(at + 14, &l->src, 4);
	memcpy(at + 18, l->dst_mac, 6);
	memcpy(at + 24, &l->dst, 4);
}

static void fill_ip4(uint8_t *at, const struct pkt_layer *l, uint32_t len)
{
	uint32_t hdr_len = 20U + l->options_len;

	at[0] = (uint8_t)((l->version ? l->version : 4) << 4 | (l->ihl ? l->ihl : hdr_len / 4));
	at[1] = l->tos;
	put16(at + 2, l->total_len ? l->total_len : (uint16_t)len);
	put16(at + 4, l->id);
	put16(at + 6, (uint16_t)(l->frag | (l->df ? 0x4000 : 0) | (l->mf ? 0x2000 : 0)));
	at[8] = l->ttl || l->ttl_zero ? l->ttl : 64;
	at[9] = l->proto ? l->proto : proto_of(l + 1);
	memcpy(at + 12, &l->src, 4);
	memcpy(at + 16, &l->dst, 4);
	if (l->options_len)
		memcpy(at + 20, l->options, l->options_len);
	put16(at + 10, (uint16_t)(pkt_sum16(at, hdr_len, 0) ^ (l->bad_csum ? 0x5555 : 0)));
}

/* RFC 8200 3. */
static void fill_ip6(uint8_t *at, const struct pkt_layer *l, uint32_t len)
{
	put32(at, (uint32_t)(l->version ? l->version : 6) << 28 | (uint32_t)l->tos << 20 | l->flow);
	put16(at + 4, l->total_len ? l->total_len : (uint16_t)(len - 40));
	at[6] = l->proto ? l->proto : proto_of(l + 1);
	at[7] = l->ttl || l->ttl_zero ? l->ttl : 64;
	memcpy(at + 8, l->src6, 16);
	memcpy(at + 24, l->dst6, 16);
}

/* Sum over the pseudo header of RFC 768 and 9293. */
static uint32_t pseudo(const struct pkt_layer *ip, uint8_t proto, uint32_t len)
{
	uint8_t h[12] = { 0 };

	memcpy(h, &ip->src, 4);
	memcpy(h + 4, &ip->dst, 4);
	h[9] = proto;
	put16(h + 10, (uint16_t)len);
	return (uint16_t)~pkt_sum16(h, sizeof(h), 0);
}

/* The same of RFC 8200 8.1. */
static uint32_t pseudo6(const struct pkt_layer *ip, uint8_t proto, uint32_t len)
{
	uint8_t h[40] = { 0 };

	memcpy(h, ip->src6, 16);
	memcpy(h + 16, ip->dst6, 16);
	put32(h + 32, len);
	h[39] = proto;
	return (uint16_t)~pkt_sum16(h, sizeof(h), 0);
}

static void fill_icmp(uint8_t *at, const struct pkt_layer *l, uint32_t len, uint32_t sum)
{
	at[0] = l->type;
	at[1] = l->code;
	put16(at + 4, l->rest_hi);
	put16(at + 6, l->rest_lo);
	put16(at + 2, pkt_sum16(at, len, sum));
}

static void fill_ports(uint8_t *at, const struct pkt_layer *l, const struct pkt_layer *ip,
		       uint32_t len)
{
	put16(at, l->sport);
	put16(at + 2, l->dport);
	if (l->kind == PKT_TCP) {
		put32(at + 4, 0x01020304);
		at[12] = 5 << 4;
		at[13] = l->flags ? l->flags : 0x10;
		put16(at + 14, 0xfaf0);
		put16(at + 16, pkt_sum16(at, len, pseudo(ip, 6, len)));
	} else if (l->kind == PKT_UDP) {
		put16(at + 4, l->total_len ? l->total_len : (uint16_t)len);
		put16(at + 6, pkt_sum16(at, len, pseudo(ip, 17, len)));
	} else if (l->kind == PKT_UDPLITE) {
		put16(at + 4, 8); /* RFC 3828: the header only is covered */
		put16(at + 6, pkt_sum16(at, 8, pseudo(ip, 136, len)));
	} else {
		put32(at + 4, 0xfeedbeef); /* verification tag; the checksum is nobody's business on
					      the way */
	}
}

static void fill_ike(uint8_t *at, const struct pkt_layer *l, uint32_t len)
{
	if (l->non_esp) {
		put32(at, 0);
		at += 4;
		len -= 4;
	}
	put64(at, l->icookie);
	put64(at + 8, l->rcookie);
	at[16] = 33;
	at[17] = l->ike_version ? l->ike_version : 0x20;
	at[18] = l->ike_version == 0x10 ? 2 : 34;
	at[19] = l->flags;
	put32(at + 24, len);
}

/* RFC 2890 2: checksum, key and sequence number follow in this order. */
static void fill_gre(uint8_t *at, const struct pkt_layer *l, uint32_t len)
{
	uint8_t *option = at + (l->csum ? 8 : 4);

	put16(at, (uint16_t)(l->csum << 15 | l->key << 13 | l->seq << 12 | l->gre_bits));
	put16(at + 2, eth_type_of(l));
	if (l->key)
		put32(option, 0xfeed);
	if (l->seq)
		put32(option + (l->key ? 4 : 0), 7);
	if (l->csum)
		put16(at + 4, (uint16_t)(pkt_sum16(at, len, 0) ^ (l->bad_csum ? 0x5555 : 0)));
}

static void fill(uint8_t *at, const struct pkt_layer *l, const struct pkt_layer *ip, uint32_t len)
{
	switch (l->kind) {
	case PKT_ETH:
	case PKT_VLAN:
		fill_link(at, l);
		break;
	case PKT_ARP:
		fill_arp(at, l);
		break;
	case PKT_IP4:
		fill_ip4(at, l, len);
		break;
	case PKT_IP6:
		fill_ip6(at, l, len);
		break;
	case PKT_TCP:
	case PKT_UDP:
	case PKT_UDPLITE:
	case PKT_SCTP:
		fill_ports(at, l, ip, len);
		break;
	case PKT_ESP:
		put32(at, l->spi);
		put32(at + 4, 1);
		break;
	case PKT_AH:
		at[0] = l->proto ? l->proto : proto_of(l + 1);
		at[1] = 4;
		put32(at + 4, l->spi);
		put32(at + 8, 1);
		memset(at + 12, 0xab, 12);
		break;
	case PKT_ICMP:
		fill_icmp(at, l, len, 0);
		break;
	case PKT_ICMP6:
		fill_icmp(at, l, len, pseudo6(ip, 58, len));
		break;
	case PKT_IKE:
		fill_ike(at, l, len);
		break;
	case PKT_GRE:
		fill_gre(at, l, len);
		break;
	case PKT_BYTES:
		for (uint32_t i = 0; i < l->cnt; i++)
			at[i] = l->bytes ? ((const uint8_t *)l->bytes)[i] : (uint8_t)(i * 7 + 1);
		break;
	case PKT_PAD:
	case PKT_END:
		break;
	}
}

struct pkt pkt_build(const struct pkt_layer *layers)
{
	struct pkt p = { 0 };
	uint32_t offset[LAYERS_MAX], end = 0, n = 0;

	for (; layers[n].kind != PKT_END; n++) {
		offset[n] = p.len;
		p.len += layer_len(&layers[n]);
		if (layers[n].kind != PKT_PAD)
			end = p.len;
		if (n == LAYERS_MAX - 1 || p.len > PKT_MAX)
			abort();
	}
	for (uint32_t i = n; i-- > 0;) {
		enum pkt_kind below = layers[i].kind == PKT_ICMP6 ? PKT_IP6 : PKT_IP4;
		const struct pkt_layer *ip = NULL;

		for (uint32_t j = 0; j < i; j++)
			ip = layers[j].kind == below ? &layers[j] : ip;
		fill(p.data + offset[i], &layers[i], ip, end - offset[i]);
	}
	return p;
}
