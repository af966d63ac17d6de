// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The reference's ways: from the public realm to a host, from a host out or around. */
#include <string.h>
#include "reference_priv.h"

/* ---- packets out ------------------------------------------------------------------------------ */

/* TTL one less, and the DSCP and ECN byte. */
static void copy_inner(uint8_t *to, const struct ip *ip, uint8_t tos, uint8_t ttl)
{
	memcpy(to, ip->at, ip->len);
	to[1] = tos;
	to[8] = ttl;
	pkt_sum_header(to);
}

static void put_macs(struct pkt *out, const char *dst, const char *src)
{
	memcpy(out->data, dst, 6);
	memcpy(out->data + 6, src, 6);
	out->data[12] = 8;
	out->data[13] = 0;
}

/* RFC 8200 3, RFC 2473; the flow label is left open. */
static void put_six(struct pkt *out, const struct ref_binding *b, const struct ip *ip, uint8_t tos)
{
	uint32_t more = b->g.tunnel == 2 ? 4 : 0;
	uint8_t *outer = out->data + 14;

	put_macs(out, MAC_HOST6, MAC_GW_PRIV);
	out->data[12] = 0x86;
	out->data[13] = 0xdd;
	copy_inner(outer + 40 + more, ip, tos, (uint8_t)(ip->ttl - 1));
	memset(outer, 0, 40 + more);
	outer[0] = (uint8_t)(0x60 | tos >> 4);
	outer[1] = (uint8_t)(tos << 4);
	outer[4] = (uint8_t)((ip->len + more) >> 8);
	outer[5] = (uint8_t)(ip->len + more);
	outer[6] = more ? 47 : 4;
	outer[7] = 64;
	memcpy(outer + 8, GW6_PRIV, 16);
	memcpy(outer + 24, HOST6_A, 16);
	if (more)
		outer[42] = 8;
	out->len = 14 + 40 + more + ip->len;
}

static void put_tunnel(struct pkt *out, const struct ref_binding *b, const struct ip *ip,
		       uint8_t tos)
{
	__be32 host = b->g.host, us = host == HOST_C ? GW_PRIV2 : GW_PRIV;
	uint8_t *outer = out->data + 14;
	uint32_t front = b->g.tunnel == 2 ? 24 : 20;

	if (RSIP_HOST6_IS(host))
		return put_six(out, b, ip, tos);
	put_macs(out, gateway_mac_of(host), host == HOST_C ? MAC_GW_PRIV2 : MAC_GW_PRIV);
	copy_inner(outer + front, ip, tos, (uint8_t)(ip->ttl - 1));
	outer[0] = 0x45;
	outer[1] = tos;
	outer[2] = (uint8_t)((ip->len + front) >> 8);
	outer[3] = (uint8_t)(ip->len + front);
	outer[4] = outer[5] = 0; /* left open where a router may fragment it */
	if (ip->at[6] & 0x40 || ip->len + front <= 576)
		memcpy(outer + 4, ip->at + 4, 2);
	outer[6] = ip->at[6] & 0x40;
	outer[7] = 0;
	outer[8] = 64;
	outer[9] = front == 20 ? 4 : 47;
	if (front == 24)
		memcpy(outer + 20, "\0\0\x08\0", 4);
	memcpy(outer + 12, &us, 4);
	memcpy(outer + 16, &host, 4);
	pkt_sum_header(outer);
	out->len = 14 + front + ip->len;
}

/* ---- the two ways ---- */

static void drop(struct ref_result *res, int reason)
{
	res->action = XDP_DROP;
	res->counter = reason;
}

static void pass(struct ref_result *res, int counter)
{
	res->action = XDP_PASS;
	res->counter = counter;
}

/* Longest packet that the path to the host takes. */
static uint32_t mtu_of(const struct ref_binding *b)
{
	uint32_t link = b->g.tunnel == 2 ? 1476 : 1480;

	return b->g.mtu ? b->g.mtu : RSIP_HOST6_IS(b->g.host) ? link - 20 : link;
}

/* The path may take less than our link: that is for those that nobody may fragment.  Nobody fragments IPv6 on the way. */
static bool is_too_long(const struct ref_binding *b, const struct ip *ip)
{
	uint32_t link = b->g.tunnel == 2 ? 1476 : 1480;

	return ip->len > (ip->df || RSIP_HOST6_IS(b->g.host) ? mtu_of(b) : link);
}

/* To the host whose packet it is; end: ENCAPSULATED or HAIRPINNED. */
static void to_host(const struct reference *ref, struct ref_result *res, const struct arrival *a, const struct ip *ip,
		    const struct key *k, uint8_t tos, int end)
{
	int why;
	const struct ref_binding *b = ref_receiver(ref, k, &why);

	if (!b && why == RSIP_DROP_ICMP_QUERY && ref_echo(res, a, ip))
		return;
	if (!b)
		return drop(res, why);
	if (b->g.expired)
		return drop(res, RSIP_DROP_EXPIRED);
	if (!ref_remote_allowed(b, k))
		return drop(res, RSIP_DROP_REMOTE_UNALLOWED);
	if (ip->ttl <= 1)
		return ref_error(res, a, ip, RSIP_DROP_TTL_EXCEEDED, 0);
	if (ip->fragment && !ip->df) { /* its links take 1,500 bytes, no tunnel does: others may not fit */
		res->mark = RSIP_MARK_POOL;
		return pass(res, RSIP_CNT_FRAGMENT_PASSED);
	}
	if (is_too_long(b, ip) && ip->df)
		return ref_error(res, a, ip, RSIP_DROP_TOO_BIG, mtu_of(b));
	if (is_too_long(b, ip)) {
		res->mark = RSIP_MARK_POOL;
		return pass(res, RSIP_CNT_SLOW_PATH);
	}
	res->action = XDP_REDIRECT;
	res->counter = end;
	res->in_slot = b->slot;
	res->bytes = ip->len;
	put_tunnel(&res->out, b, ip, tos);
}

static void from_public(struct reference *ref, const struct pkt *in, struct ref_result *res)
{
	__be32 dst = ref_get_addr(in->data + 14 + 16), src = ref_get_addr(in->data + 14 + 12);
	const struct arrival a = {.in = in, .iface = IF_PUB};
	struct ip ip;
	struct key k;

	if (!ref_is_pool(dst))
		return ref_is_private(dst) ? drop(res, RSIP_DROP_DST_PRIVATE)
				       : pass(res, RSIP_CNT_PASSED);
	if (!ref_read_ip(in->data + 14, in->len - 14, &ip))
		return drop(res, RSIP_DROP_MALFORMED);
	if (!ref_first_byte(src) || ref_first_byte(src) == 127 || ref_first_byte(src) >= 224 || ref_is_pool(src) ||
	    ref_is_private(src))
		return drop(res, RSIP_DROP_SRC_SPOOFED);
	if (ip.fragment && !ref_whole(ref, dst)) {
		res->mark = RSIP_MARK_POOL;
		return pass(res, RSIP_CNT_FRAGMENT_PASSED);
	}
	ref_read_key(&ip, false, &k);
	if (k.what == SAYS_ICMP)
		ref_read_quote(&ip, &k);
	to_host(ref, res, &a, &ip, &k, ip.tos, RSIP_CNT_ENCAPSULATED);
}

/* What is wrong with the sender or its destination; 0: nothing. */
static int violation(const struct reference *ref, const struct ref_binding *b, const struct key *k,
		     int iface, const struct ip *outer, const uint8_t *mac)
{
	const char *own = gateway_mac_of(b->g.host);
	uint8_t first = ref_first_byte(k->remote);

	if (b->g.expired)
		return RSIP_DROP_EXPIRED;
	if (b->g.host != outer->src)
		return RSIP_DROP_NOT_OWNER;
	if (iface != (b->g.host == HOST_C ? IF_PRIV2 : IF_PRIV))
		return RSIP_DROP_WRONG_INTERFACE;
	if ((outer->proto == 47) != (b->g.tunnel == 2))
		return RSIP_DROP_WRONG_TUNNEL;
	if (ref->check_mac && memcmp(mac, own, 6))
		return RSIP_DROP_WRONG_MAC;
	if (!ref_remote_allowed(b, k))
		return RSIP_DROP_REMOTE_UNALLOWED;
	if (first >= 224 && first < 240)
		return RSIP_DROP_MULTICAST;
	if (!first || first == 127 || first >= 240 || k->remote == outer->dst ||
	    ref_is_private(k->remote))
		return RSIP_DROP_DST_UNALLOWED;
	return 0;
}

/* RFC 3104 6.1: a host's first packet claims its half.  0 or a drop reason. */
static int claim(struct reference *ref, const struct ref_binding *b, __be32 local, uint64_t cookie,
		 uint32_t *claimed)
{
	const struct ref_binding *label = ref_by_spi(ref, local, (uint32_t)(cookie >> 32));
	const struct ref_learned *old = ref_claim_of(ref, local, cookie);

	if (!cookie)
		return 0;
	if (label)
		return label == b ? 0 : RSIP_DROP_COOKIE_COLLISION;
	if (old)
		return old->owner == b ? 0 : RSIP_DROP_COOKIE_COLLISION;
	cr_assert_lt(ref->cookie_cnt, REF_LEARNED);
	ref->cookies[ref->cookie_cnt++] =
		(struct ref_learned){.owner = b, .local = local, .cookie = cookie};
	(*claimed)++;
	return 0;
}

/* A host is remembered with the last 8 that it began to send to. */
static void learn_spi_out(struct reference *ref, const struct ref_binding *b, const struct key *k)
{
	uint32_t of_host = 0, oldest = 0;

	if (ref_by_spi_out(ref, k))
		return;
	for (uint32_t i = ref->spi_out_cnt; i-- > 0;)
		if (ref->spis_out[i].owner == b) {
			of_host++;
			oldest = i;
		}
	if (of_host == 8) {
		ref->spi_out_cnt--;
		memmove(&ref->spis_out[oldest], &ref->spis_out[oldest + 1],
			(ref->spi_out_cnt - oldest) * sizeof(ref->spis_out[0]));
	}
	ref->spis_out[ref->spi_out_cnt++] = (struct ref_learned){
		.owner = b, .local = k->local, .remote = k->remote, .spi = k->spi};
}

/* RFC 3102 6.2: the first owner keeps it. */
static int take_ident(struct reference *ref, const struct ref_binding *b, const struct key *k)
{
	const struct ref_learned *held = ref_ident_held(ref, k->local, k->ident);

	if (held)
		return held->owner == b ? 0 : RSIP_DROP_IDENT_TAKEN;
	cr_assert_lt(ref->ident_cnt, REF_IDENTS);
	ref->idents[ref->ident_cnt++] = (struct ref_learned){.owner = b, .local = k->local, .spi = k->ident};
	return 0;
}

static int learn(struct reference *ref, const struct ref_binding *b, const struct key *k,
		 bool hairpin, uint32_t *claimed)
{
	int err;

	if (k->what == SAYS_ICMP)
		return k->ident ? take_ident(ref, b, k) : 0;
	if (k->what == SAYS_SPI || k->ike == IKE_ESP) {
		learn_spi_out(ref, b, k);
		return 0;
	}
	if (k->ike == IKE_CUT)
		return RSIP_DROP_MALFORMED;
	if (k->ike != IKE_COOKIES)
		return 0;
	if (k->v2)
		return claim(ref, b, k->local, k->initiator ? k->icookie : k->rcookie, claimed);
	err = claim(ref, b, k->local, k->icookie, claimed);
	return err && hairpin && k->rcookie ? claim(ref, b, k->local, k->rcookie, claimed) : err;
}

/* RFC 6040 4.2, figure 4.  false: drop. */
static bool combine_ecn(uint8_t outer, uint8_t *tos)
{
	uint8_t inner = *tos & 3;

	outer &= 3;
	if (outer == 3 && !inner)
		return false;
	if (outer == 3 || (outer == 1 && inner == 2))
		*tos = (uint8_t)((*tos & ~3) | outer);
	return true;
}

/* The opened packet goes up to the kernel: TTL is the kernel's to take down. */
static void open_only(struct ref_result *res, const struct pkt *in, const struct ip *ip,
		      uint8_t tos, int counter)
{
	memcpy(res->out.data, in->data, 12);
	memcpy(res->out.data + 12, "\x08", 2);
	copy_inner(res->out.data + 14, ip, tos, ip->ttl);
	res->out.len = 14 + ip->len;
	res->bytes = ip->len;
	pass(res, counter);
}

/* The routes of the packet tests' gateway. */
static void to_public(struct ref_result *res, const struct arrival *a, const struct ip *ip,
		      uint8_t tos)
{
	const uint8_t *dst = (const uint8_t *)&ip->dst;
	bool on_link = (ip->dst & CAST_IP(255, 255, 255, 0)) == CAST_IP(192, 0, 2, 0);

	if (ip->ttl <= 1)
		return ref_error(res, a, ip, RSIP_DROP_TTL_EXCEEDED, 0);
	if (ip->dst == UNREACHABLE)
		return drop(res, RSIP_DROP_NO_ROUTE);
	if (ip->dst == GW_PUB || (on_link && dst[3] == 255))
		return drop(res, RSIP_DROP_DST_UNALLOWED);
	if (ip->len > 1500 && ip->df) /* wherever it leads, no device takes more */
		return ref_error(res, a, ip, RSIP_DROP_TOO_BIG, 1500);
	if (ip->len > 1500)
		return open_only(res, a->in, ip, tos, RSIP_CNT_SLOW_PATH);
	if (dst[0] == 172 && dst[1] == 16)
		return drop(res, RSIP_DROP_DST_NOT_PUBLIC);
	if (on_link && ip->dst != ROUTER) /* a neighbour that nobody knows */
		return open_only(res, a->in, ip, tos, RSIP_CNT_SLOW_PATH);
	res->action = XDP_REDIRECT;
	res->counter = RSIP_CNT_DECAPSULATED;
	put_macs(&res->out, MAC_ROUTER, MAC_GW_PUB);
	copy_inner(res->out.data + 14, ip, tos, (uint8_t)(ip->ttl - 1));
	res->out.len = 14 + ip->len;
	res->bytes = ip->len;
}

static void turn_around(struct reference *ref, struct ref_result *res, const struct arrival *a,
			const struct ip *ip, const struct ref_binding *self, uint8_t tos)
{
	struct key k;

	if (ip->fragment && !ref_whole(ref, ip->dst)) { /* the kernel reassembles the opened packet */
		res->mark = RSIP_MARK_POOL;
		return open_only(res, a->in, ip, tos, RSIP_CNT_FRAGMENT_PASSED);
	}
	ref_read_key(ip, false, &k);
	if (k.what == SAYS_ICMP)
		ref_read_quote(ip, &k);
	k.self = self;
	to_host(ref, res, a, ip, &k, tos, RSIP_CNT_HAIRPINNED);
	if (res->action == XDP_PASS)
		open_only(res, a->in, ip, tos, res->counter);
}

static bool gre_is_leased(const struct reference *ref)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++)
		if (ref->bindings[i].g.tunnel == 2)
			return true;
	return false;
}

/* No tunnel of a host's: the kernel's, unless it pretends to come from a pool. */
static void not_tunnelled(const struct pkt *in, struct ref_result *res)
{
	if (in->data[12] == 8 && ref_is_pool(ref_get_addr(in->data + 14 + 12)))
		drop(res, RSIP_DROP_SRC_SPOOFED);
	else
		pass(res, RSIP_CNT_PASSED);
}

/* An error about a packet that did not come to this host.  0 or why. */
static int forged_error(const struct reference *ref, const struct ip *ip, __be32 host)
{
	const uint8_t *icmp = ip->at + ip->hlen, *quoted = icmp + 8, *l4;
	const struct ref_binding *b = NULL;
	uint32_t len = ip->len - ip->hlen, spi = 0;
	uint16_t port;

	if (ip->proto != 1 || ip->later || len < 36 || (*icmp != 3 && *icmp != 4 && *icmp != 11 && *icmp != 12))
		return 0;
	if (ref_get_addr(quoted + 16) != ip->src)
		return RSIP_DROP_LOCAL_ADDR_UNALLOWED;
	if (ref_get(quoted + 6, 2) & 0x1fff || ref_whole(ref, ip->src))
		return 0;
	l4 = quoted + (quoted[0] & 15) * 4;
	if ((quoted[0] & 15) < 5 || l4 + 8 > ip->at + ip->len)
		return 0;
	port = (uint16_t)ref_get(l4 + 2, 2);
	switch (quoted[9]) {
	case 17:
		if (port == 500 || port == 4500)
			return 0;
		/* fall through */
	case 6:
	case 33:
	case 132:
	case 136:
		b = ref_by_port(ref, ip->src, port);
		break;
	case 51:
		spi = 4;
		/* fall through */
	case 50:
		b = ref_by_spi(ref, ip->src, ref_get(l4 + spi, 4));
		break;
	default:
		return 0;
	}
	if (!b)
		return RSIP_DROP_LOCAL_PORT_UNALLOWED;
	return b->g.host == host ? 0 : RSIP_DROP_NOT_OWNER;
}

static bool is_tunnel(const struct reference *ref, uint8_t proto)
{
	return proto == 4 || (proto == 47 && gre_is_leased(ref));
}

/* The header of a host's tunnel over IPv4.  0, -1: it is the kernel's, or a drop reason. */
static int read_four(const struct reference *ref, int iface, const struct pkt *in, struct ip *outer)
{
	__be32 us = iface == IF_PRIV ? GW_PRIV : GW_PRIV2;

	if (ref_get_addr(in->data + 14 + 16) != us || !is_tunnel(ref, in->data[14 + 9]))
		return -1;
	if (!ref_read_ip(in->data + 14, in->len - 14, outer))
		return RSIP_DROP_MALFORMED;
	return ref_first_byte(outer->src) >= 240 ? RSIP_DROP_SRC_SPOOFED : 0;
}

/* The same over IPv6, with an encapsulation limit or none (docs/ipv6-access.md). */
static int read_six(const struct reference *ref, int iface, const struct pkt *in, struct ip *outer)
{
	const uint8_t *at = in->data + 14;
	uint32_t avail = in->len - 14;
	uint8_t next;

	if (avail < 40 || memcmp(at + 24, iface == IF_PRIV ? GW6_PRIV : GW6_PRIV2, 16))
		return -1;
	*outer = (struct ip){.at = at, .hlen = 40, .len = 40 + ref_get(at + 4, 2), .proto = at[6], .ttl = at[7],
			     .tos = (uint8_t)(at[0] << 4 | at[1] >> 4),
			     .src = memcmp(at + 8, HOST6_A, 16) ? 0 : ref->six};
	next = outer->proto;
	if (next == 44 && avail >= 41 && (is_tunnel(ref, at[40]) || (at[40] == 60 && outer->src))) {
		outer->hlen = 48;
		outer->fragment = true;
		if (at[0] >> 4 != 6 || outer->len > avail || outer->len < outer->hlen)
			return RSIP_DROP_MALFORMED;
		return outer->src ? 0 : RSIP_DROP_OUTER_FRAGMENT;
	}
	if (next == 60) {
		if (avail < 44 || !is_tunnel(ref, at[40]))
			return -1;
		if (at[41] || at[42] != 4)
			return -1;
		outer->hlen = 48;
		outer->proto = at[40];
	}
	if (!is_tunnel(ref, outer->proto))
		return -1;
	return at[0] >> 4 != 6 || outer->len > avail || outer->len < outer->hlen ? RSIP_DROP_MALFORMED : 0;
}

/* A fragment over IPv6 goes up as one over IPv4, from the host's handle, so that the kernel has one reassembly for both. */
static void put_fragment(struct pkt *out, int iface, const struct pkt *in, const struct ip *outer)
{
	__be32 us = iface == IF_PRIV ? GW_PRIV : GW_PRIV2;
	const uint8_t *f = outer->at + 40;
	uint8_t *ip = out->data + 14;
	uint32_t behind = in->len - 14 - 48;

	memcpy(out->data, in->data, 12);
	memcpy(out->data + 12, "\x08", 2);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = outer->tos;
	ip[2] = (uint8_t)((outer->len - 28) >> 8);
	ip[3] = (uint8_t)(outer->len - 28);
	ip[4] = f[4] ^ f[6];
	ip[5] = f[5] ^ f[7];
	ip[6] = (uint8_t)(f[2] >> 3 | (f[3] & 1) << 5);
	ip[7] = (uint8_t)(f[2] << 5 | f[3] >> 3);
	ip[8] = 64;
	ip[9] = f[0];
	memcpy(ip + 12, &outer->src, 4);
	memcpy(ip + 16, &us, 4);
	pkt_sum_header(ip);
	memcpy(ip + 20, outer->at + 48, behind);
	out->len = 14 + 20 + behind;
}

/* Has this host a binding there, of any kind? */
static bool is_pair(const struct reference *ref, __be32 host, __be32 local)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++)
		if (ref->bindings[i].g.host == host && ref->bindings[i].g.local == local)
			return true;
	return false;
}

/* Once it is put together, nobody sees any more what MAC address a tunnel packet came from: its first fragment tells. */
static int fragment_violation(const struct reference *ref, const struct pkt *in, const struct ip *outer)
{
	const uint8_t *f = outer->at + 40, *behind = outer->at + outer->hlen;
	bool six = in->data[12] != 8;
	uint32_t len = outer->len - outer->hlen, at = 0;
	uint8_t next = six ? f[0] : outer->proto;
	__be32 local;

	if (!ref->check_mac || (six ? f[2] || f[3] & 0xf8 : outer->later))
		return 0;
	if (next == 60 && len >= 8 && behind[1] == 0 && behind[2] == 4 && is_tunnel(ref, behind[0])) {
		next = behind[0];
		at = 8;
	}
	if (next == 47 && len >= at + 2)
		at += 4U * (1U + !!(behind[at] & 0x80) + !!(behind[at] & 0x20) + !!(behind[at] & 0x10));
	if (len < at + 20)
		return RSIP_DROP_MALFORMED;
	local = ref_get_addr(behind + at + 12);
	return is_pair(ref, outer->src, local) && memcmp(in->data + 6, gateway_mac_of(outer->src), 6) ? RSIP_DROP_WRONG_MAC : 0;
}

static void from_host(struct reference *ref, int iface, const struct pkt *in,
		      struct ref_result *res)
{
	struct arrival a = {.in = in, .iface = iface};
	const struct ref_binding *b;
	struct ip outer, ip;
	bool pair = false;
	struct key k;
	uint8_t tos;
	int why, gre = 0;

	why = in->data[12] == 8 ? read_four(ref, iface, in, &outer) : read_six(ref, iface, in, &outer);
	if (why < 0)
		return not_tunnelled(in, res);
	if (why)
		return drop(res, why);
	if (outer.fragment) {
		why = fragment_violation(ref, in, &outer);
		if (why)
			return drop(res, why);
		res->mark = RSIP_MARK_TUNNEL;
		if (in->data[12] != 8)
			put_fragment(&res->out, iface, in, &outer);
		return pass(res, RSIP_CNT_FRAGMENT_PASSED);
	}
	if (outer.proto == 47) {
		gre = ref_read_gre(outer.at + outer.hlen, outer.len - outer.hlen);
		if (!gre)
			return not_tunnelled(in, res);
	}
	if (gre < 0 || !ref_read_ip(outer.at + outer.hlen + gre,
				    outer.len - outer.hlen - (uint32_t)gre, &ip))
		return drop(res, RSIP_DROP_MALFORMED);
	if (!ref_is_pool(ip.src))
		return drop(res, RSIP_DROP_LOCAL_ADDR_UNALLOWED);
	ref_read_key(&ip, true, &k);
	b = ref_sender(ref, &k, outer.src, &pair, &why);
	why = b ? violation(ref, b, &k, iface, &outer, in->data + 6) : why;
	if (!why)
		why = forged_error(ref, &ip, outer.src);
	if (!why && pair)
		why = learn(ref, b, &k, ref_is_pool(ip.dst), &res->claimed);
	tos = ip.tos;
	if (!why && !combine_ecn(outer.tos, &tos))
		why = RSIP_DROP_ECN_CE_NOT_ECT;
	if (why)
		return drop(res, why);
	if (b->g.dscp)
		tos = (uint8_t)((b->g.dscp & 63) << 2 | (tos & 3));
	a.outer = &outer;
	a.slot = b->slot;
	if (ref_is_pool(ip.dst))
		turn_around(ref, res, &a, &ip, pair ? b : NULL, tos);
	else
		to_public(res, &a, &ip, tos);
	if (res->action == XDP_PASS) /* whatever address it came to, the kernel is to take it */
		memcpy(res->out.data, iface == IF_PRIV ? MAC_GW_PRIV : MAC_GW_PRIV2, 6);
	if (res->action != XDP_DROP && !res->why)
		res->out_slot = b->slot;
}

void reference_run(struct reference *ref, int iface, const struct pkt *in, struct ref_result *res)
{
	static const char *const own[] = {[IF_PUB] = MAC_GW_PUB, [IF_PRIV] = MAC_GW_PRIV, [IF_PRIV2] = MAC_GW_PRIV2};
	bool six = in->data[12] == 0x86 && in->data[13] == 0xdd && iface != IF_PUB;

	*res = (struct ref_result){.out = *in};
	if (in->len < 14 + 20 || ((in->data[12] != 8 || in->data[13]) && !six) || in->data[0] & 1)
		return pass(res, RSIP_CNT_PASSED);
	if (memcmp(in->data, own[iface], 6) != 0) /* another's: nothing is taken, whatever it is */
		return pass(res, RSIP_CNT_PASSED);
	if (iface == IF_PUB)
		from_public(ref, in, res);
	else
		from_host(ref, iface, in, res);
}
