// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "reference.h"

#include <string.h>

/* ---- packets as people read them ------------------------------------------------------------- */

static uint32_t get(const uint8_t *p, int bytes)
{
	uint32_t n = 0;

	while (bytes--)
		n = n << 8 | *p++;
	return n;
}

static __be32 get_addr(const uint8_t *p)
{
	__be32 addr;

	memcpy(&addr, p, 4);
	return addr;
}

struct ip {
	const uint8_t *at; /* the header */
	uint32_t hlen, len;
	__be32 src, dst;
	uint8_t proto, ttl, tos;
	bool fragment, later;
};

/* Does the header agree with itself and with the bytes there are? */
static bool read_ip(const uint8_t *at, uint32_t avail, struct ip *ip)
{
	uint32_t sum = 0;

	if (avail < 20)
		return false;
	*ip = (struct ip){.at = at,
			  .hlen = (at[0] & 15U) * 4,
			  .len = get(at + 2, 2),
			  .src = get_addr(at + 12),
			  .dst = get_addr(at + 16),
			  .proto = at[9],
			  .ttl = at[8],
			  .tos = at[1],
			  .fragment = get(at + 6, 2) & 0x3fff,
			  .later = get(at + 6, 2) & 0x1fff};
	if (at[0] >> 4 != 4 || ip->hlen < 20 || ip->len < ip->hlen || ip->len > avail)
		return false;
	for (uint32_t i = 0; i < ip->hlen; i += 2)
		sum += get(at + i, 2);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static bool is_pool(__be32 addr)
{
	return addr == PUB_1 || addr == PUB_2 || addr == PUB_IDLE;
}

static bool is_private(__be32 addr)
{
	__be32 net = addr & CAST_IP(255, 255, 255, 0);

	return net == CAST_IP(10, 0, 0, 0) || net == CAST_IP(10, 0, 1, 0);
}

static uint8_t first_byte(__be32 addr)
{
	return *(const uint8_t *)&addr;
}

/* ---- what a packet says of its owner ------------------------------------------------------------
 */

enum what { SAYS_NOTHING, SAYS_PORTS, SAYS_SPI, SAYS_ICMP, SAYS_LATER, SAYS_BAD };
enum ike { NO_IKE, IKE_COOKIES, IKE_ESP, IKE_SHORT, IKE_CUT };

struct key {
	enum what what;
	enum ike ike;
	int why; /* of SAYS_BAD */
	__be32 local, remote;
	uint8_t proto;
	bool by_host; /* the host built it */
	bool quoted;
	bool has_ports;
	uint16_t local_port, remote_port;
	uint32_t spi;
	uint32_t ident; /* 1 + that of an ICMP query, or of what answers it; 0: none */
	uint64_t icookie, rcookie;
	bool v2, initiator;
	const struct ref_binding
		*self; /* on a hairpin: who sent it, where it was found by the pair */
};

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
	return (uint64_t)get(p, 4) << 32 | get(p + 4, 4);
}

/* RFC 3948 2.1 to 2.3 on 4500; RFC 7296 3.1. */
static void read_ike(const uint8_t *at, uint32_t len, struct key *k)
{
	if (k->local_port == 4500) {
		k->ike = IKE_SHORT;
		if (len < 4)
			return;
		k->spi = get(at, 4);
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
	uint16_t src = (uint16_t)get(at, 2), dst = (uint16_t)get(at + 2, 2);

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
		k->spi = get(at + (k->proto == 51 ? 4 : 0), 4);
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

	return type == 8 || type == 13 || type == 15 || type == 17 ? get(icmp + 4, 2) + 1 : 0;
}

static void read_key(const struct ip *ip, bool by_host, struct key *k)
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
	} else if (len < shortest(ip->proto)) {
		bad(k, RSIP_DROP_MALFORMED);
	} else if (ip->proto == 17 && !ip->fragment &&
		   (get(at + 4, 2) < 8 || get(at + 4, 2) > len)) {
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
static void read_quote(const struct ip *ip, struct key *k)
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
	if (get_addr(in + 12) != k->local || get(in + 6, 2) & 0x1fff)
		return bad(k, RSIP_DROP_NO_QUOTE_OWNER);
	k->remote = get_addr(in + 16);
	k->proto = in[9];
	k->quoted = k->by_host = true;
	if (len - 8 - hlen < 8)
		return bad(k, RSIP_DROP_MALFORMED);
	bad(k, RSIP_DROP_NO_QUOTE_OWNER);
	k->ident = k->proto == 1 ? ident_of(in + hlen, true) : 0;
	read_transport(in + hlen, len - 8 - hlen, k);
}

/* ---- bindings
 * ------------------------------------------------------------------------------------ */

static const struct ref_binding *by_port(const struct reference *ref, __be32 local, uint16_t port)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++) {
		const struct given *g = &ref->bindings[i].g;

		if (g->local == local && port >= g->port_first &&
		    port < g->port_first + g->port_cnt)
			return &ref->bindings[i];
	}
	return NULL;
}

static const struct ref_binding *by_spi(const struct reference *ref, __be32 local, uint32_t spi)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++) {
		const struct given *g = &ref->bindings[i].g;

		if (g->local == local && spi - g->spi[0].first < g->spi[0].cnt)
			return &ref->bindings[i];
	}
	return NULL;
}

static const struct ref_binding *whole(const struct reference *ref, __be32 local)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++)
		if (ref->bindings[i].g.local == local && ref->bindings[i].g.whole)
			return &ref->bindings[i];
	return NULL;
}

static const struct ref_binding *by_pair(const struct reference *ref, __be32 host, __be32 local)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++)
		if (ref->bindings[i].g.local == local && ref->bindings[i].g.host == host)
			return &ref->bindings[i];
	return NULL;
}

static bool is_ipsec(const struct ref_binding *b)
{
	return b->g.spi[0].cnt;
}

static const struct ref_learned *claim_of(const struct reference *ref, __be32 local,
					  uint64_t cookie)
{
	for (uint32_t i = 0; i < ref->cookie_cnt; i++)
		if (ref->cookies[i].local == local && ref->cookies[i].cookie == cookie)
			return &ref->cookies[i];
	return NULL;
}

static const struct ref_binding *by_cookie(const struct reference *ref, const struct key *k,
					   uint64_t cookie)
{
	const struct ref_learned *claim = claim_of(ref, k->local, cookie);
	const struct ref_binding *label = by_spi(ref, k->local, (uint32_t)(cookie >> 32));

	if (!cookie)
		return NULL;
	if (claim && claim->owner != k->self)
		return claim->owner;
	return label != k->self ? label : NULL;
}

/* RFC 7296 2.6, RFC 3104 6.5: the half that is the host's. */
static const struct ref_binding *by_ike(const struct reference *ref, const struct key *k)
{
	const struct ref_binding *b;

	if (k->v2)
		return by_cookie(ref, k, k->initiator == k->by_host ? k->icookie : k->rcookie);
	b = by_cookie(ref, k, k->icookie);
	return b ? b : by_cookie(ref, k, k->rcookie);
}

static const struct ref_binding *by_spi_out(const struct reference *ref, const struct key *k)
{
	for (uint32_t i = 0; i < ref->spi_out_cnt; i++) {
		const struct ref_learned *l = &ref->spis_out[i];

		if (l->local == k->local && l->remote == k->remote && l->spi == k->spi)
			return l->owner;
	}
	return NULL;
}

static const struct ref_learned *ident_held(const struct reference *ref, __be32 local, uint32_t ident)
{
	for (uint32_t i = 0; i < ref->ident_cnt; i++)
		if (ref->idents[i].local == local && ref->idents[i].spi == ident)
			return &ref->idents[i];
	return NULL;
}

static const struct ref_binding *by_ident(const struct reference *ref, const struct key *k)
{
	const struct ref_learned *held = k->ident ? ident_held(ref, k->local, k->ident) : NULL;

	return held ? held->owner : NULL;
}

/* Who receives the packet; else 0 and why. */
static const struct ref_binding *receiver(const struct reference *ref, const struct key *k,
					  int *why)
{
	const struct ref_binding *b = whole(ref, k->local);

	*why = k->quoted ? RSIP_DROP_NO_QUOTE_OWNER : RSIP_DROP_NO_PROTOCOL;
	if (b)
		return b;
	switch (k->what) {
	case SAYS_BAD:
		*why = k->why;
		return by_ident(ref, k);
	case SAYS_SPI:
		*why = k->quoted ? *why : RSIP_DROP_NO_SPI;
		return k->quoted ? by_spi_out(ref, k) : by_spi(ref, k->local, k->spi);
	case SAYS_PORTS:
		break;
	default:
		*why = RSIP_DROP_NO_PROTOCOL;
		return NULL;
	}
	b = by_port(ref, k->local, k->local_port);
	if (b)
		return b;
	switch (k->ike) {
	case IKE_COOKIES:
		*why = k->quoted ? *why : RSIP_DROP_NO_COOKIE;
		return by_ike(ref, k);
	case IKE_ESP:
		*why = k->quoted ? *why : RSIP_DROP_NO_SPI;
		return k->quoted ? by_spi_out(ref, k) : by_spi(ref, k->local, k->spi);
	case NO_IKE:
		*why = k->quoted ? *why : RSIP_DROP_NO_PORT;
		return NULL;
	default:
		*why = k->quoted ? *why : RSIP_DROP_MALFORMED;
		return NULL;
	}
}

/* RFC 3103 7.2 and RFC 3104 App. D. */
static bool remote_allowed(const struct ref_binding *b, const struct key *k)
{
	bool ike_port = k->remote_port == 500 || k->remote_port == 4500;

	if (b->g.remote && b->g.remote != k->remote)
		return false;
	if (!b->g.remote_port_cnt || !k->has_ports)
		return true;
	if (ike_port && (k->ike != NO_IKE || (is_ipsec(b) && k->proto == 17)))
		return true;
	return k->remote_port >= b->g.remote_port &&
	       k->remote_port < b->g.remote_port + b->g.remote_port_cnt;
}

/* ---- packets out -------------------------------------------------------------------------------
 */

static void sum_header(uint8_t *at)
{
	uint32_t sum = 0;

	at[10] = at[11] = 0;
	for (uint32_t i = 0; i < (at[0] & 15U) * 4; i += 2)
		sum += get(at + i, 2);
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	at[10] = (uint8_t)(~sum >> 8);
	at[11] = (uint8_t)~sum;
}

/* TTL one less, and the DSCP and ECN byte. */
static void copy_inner(uint8_t *to, const struct ip *ip, uint8_t tos, uint8_t ttl)
{
	memcpy(to, ip->at, ip->len);
	to[1] = tos;
	to[8] = ttl;
	sum_header(to);
}

static void put_macs(struct pkt *out, const char *dst, const char *src)
{
	memcpy(out->data, dst, 6);
	memcpy(out->data + 6, src, 6);
	out->data[12] = 8;
	out->data[13] = 0;
}

static void put_tunnel(struct pkt *out, const struct ref_binding *b, const struct ip *ip,
		       uint8_t tos)
{
	__be32 host = b->g.host, us = host == HOST_C ? GW_PRIV2 : GW_PRIV;
	uint8_t *outer = out->data + 14;

	put_macs(out,
		 host == HOST_A	  ? MAC_HOST_A
		 : host == HOST_B ? MAC_HOST_B
				  : MAC_HOST_C,
		 host == HOST_C ? MAC_GW_PRIV2 : MAC_GW_PRIV);
	copy_inner(outer + 20, ip, tos, (uint8_t)(ip->ttl - 1));
	outer[0] = 0x45;
	outer[1] = tos;
	outer[2] = (uint8_t)((ip->len + 20) >> 8);
	outer[3] = (uint8_t)(ip->len + 20);
	memcpy(outer + 4, ip->at + 4, 2);
	outer[6] = ip->at[6] & 0x40;
	outer[7] = 0;
	outer[8] = 64;
	outer[9] = 4;
	memcpy(outer + 12, &us, 4);
	memcpy(outer + 16, &host, 4);
	sum_header(outer);
	out->len = 14 + 20 + ip->len;
}

/* ---- the two ways
 * -------------------------------------------------------------------------------- */

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

/* To the host whose packet it is; end: ENCAPSULATED or HAIRPINNED. */
static void to_host(const struct reference *ref, struct ref_result *res, const struct ip *ip,
		    const struct key *k, uint8_t tos, int end)
{
	int why;
	const struct ref_binding *b = receiver(ref, k, &why);

	if (!b)
		return drop(res, why);
	if (b->g.expired)
		return drop(res, RSIP_DROP_EXPIRED);
	if (!remote_allowed(b, k))
		return drop(res, RSIP_DROP_REMOTE_UNALLOWED);
	if (ip->ttl <= 1)
		return drop(res, RSIP_DROP_TTL_EXCEEDED);
	if (ip->len > (b->g.mtu ? b->g.mtu : 1480))
		return drop(res, RSIP_DROP_TOO_BIG);
	res->action = XDP_REDIRECT;
	res->counter = end;
	res->in_slot = b->slot;
	res->bytes = ip->len;
	put_tunnel(&res->out, b, ip, tos);
}

static void from_public(struct reference *ref, const struct pkt *in, struct ref_result *res)
{
	__be32 dst = get_addr(in->data + 14 + 16), src = get_addr(in->data + 14 + 12);
	struct ip ip;
	struct key k;

	if (!is_pool(dst))
		return is_private(dst) ? drop(res, RSIP_DROP_DST_PRIVATE)
				       : pass(res, RSIP_CNT_PASSED);
	if (!read_ip(in->data + 14, in->len - 14, &ip))
		return drop(res, RSIP_DROP_MALFORMED);
	if (!first_byte(src) || first_byte(src) == 127 || first_byte(src) >= 224 || is_pool(src) ||
	    is_private(src))
		return drop(res, RSIP_DROP_SRC_SPOOFED);
	if (ip.fragment && !whole(ref, dst)) {
		res->mark = RSIP_MARK_POOL;
		return pass(res, RSIP_CNT_FRAGMENT_PASSED);
	}
	read_key(&ip, false, &k);
	if (k.what == SAYS_ICMP)
		read_quote(&ip, &k);
	to_host(ref, res, &ip, &k, ip.tos, RSIP_CNT_ENCAPSULATED);
}

/* Who may have sent this? */
static const struct ref_binding *sender(const struct reference *ref, const struct key *k,
					__be32 host, bool *pair, int *why)
{
	const struct ref_binding *b = whole(ref, k->local), *p = by_pair(ref, host, k->local);

	if (b)
		return b;
	*why = RSIP_DROP_MALFORMED;
	if (k->what == SAYS_BAD)
		return NULL;
	b = k->what == SAYS_PORTS ? by_port(ref, k->local, k->local_port) : NULL;
	*why = RSIP_DROP_LOCAL_PORT_UNALLOWED;
	if (b || (k->what == SAYS_PORTS && k->ike == NO_IKE))
		return b;
	*pair = true;
	*why = RSIP_DROP_HOST_UNKNOWN;
	if (!p || k->what == SAYS_ICMP || k->what == SAYS_LATER)
		return p;
	*why = RSIP_DROP_IPSEC_UNALLOWED;
	return is_ipsec(p) ? p : NULL;
}

/* What is wrong with the sender or its destination; 0: nothing. */
static int violation(const struct reference *ref, const struct ref_binding *b, const struct key *k,
		     int iface, const struct ip *outer, const uint8_t *mac)
{
	const char *own = b->g.host == HOST_A	? MAC_HOST_A
			  : b->g.host == HOST_B ? MAC_HOST_B
						: MAC_HOST_C;
	uint8_t first = first_byte(k->remote);

	if (b->g.expired)
		return RSIP_DROP_EXPIRED;
	if (b->g.host != outer->src)
		return RSIP_DROP_NOT_OWNER;
	if (iface != (b->g.host == HOST_C ? IF_PRIV2 : IF_PRIV))
		return RSIP_DROP_WRONG_INTERFACE;
	if (ref->check_mac && memcmp(mac, own, 6))
		return RSIP_DROP_WRONG_MAC;
	if (!remote_allowed(b, k))
		return RSIP_DROP_REMOTE_UNALLOWED;
	if (first >= 224 && first < 240)
		return RSIP_DROP_MULTICAST;
	if (!first || first == 127 || first >= 240 || k->remote == outer->dst ||
	    is_private(k->remote))
		return RSIP_DROP_DST_UNALLOWED;
	return 0;
}

/* RFC 3104 6.1: a host's first packet claims its half.  0 or a drop reason. */
static int claim(struct reference *ref, const struct ref_binding *b, __be32 local, uint64_t cookie,
		 uint32_t *claimed)
{
	const struct ref_binding *label = by_spi(ref, local, (uint32_t)(cookie >> 32));
	const struct ref_learned *old = claim_of(ref, local, cookie);

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

	if (by_spi_out(ref, k))
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
	const struct ref_learned *held = ident_held(ref, k->local, k->ident);

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
	memcpy(res->out.data, in->data, 14);
	copy_inner(res->out.data + 14, ip, tos, ip->ttl);
	res->out.len = 14 + ip->len;
	res->bytes = ip->len;
	pass(res, counter);
}

/* The routes of the packet tests' gateway. */
static void to_public(struct ref_result *res, const struct pkt *in, const struct ip *ip,
		      uint8_t tos)
{
	const uint8_t *dst = (const uint8_t *)&ip->dst;
	bool on_link = (ip->dst & CAST_IP(255, 255, 255, 0)) == CAST_IP(192, 0, 2, 0);

	if (ip->ttl <= 1)
		return drop(res, RSIP_DROP_TTL_EXCEEDED);
	if (ip->dst == UNREACHABLE)
		return drop(res, RSIP_DROP_NO_ROUTE);
	if (ip->dst == GW_PUB || (on_link && dst[3] == 255))
		return drop(res, RSIP_DROP_DST_UNALLOWED);
	if (dst[0] == 172 && dst[1] == 16)
		return drop(res, RSIP_DROP_DST_NOT_PUBLIC);
	if (on_link && ip->dst != ROUTER) /* a neighbour that nobody knows */
		return open_only(res, in, ip, tos, RSIP_CNT_SLOW_PATH);
	res->action = XDP_REDIRECT;
	res->counter = RSIP_CNT_DECAPSULATED;
	put_macs(&res->out, MAC_ROUTER, MAC_GW_PUB);
	copy_inner(res->out.data + 14, ip, tos, (uint8_t)(ip->ttl - 1));
	res->out.len = 14 + ip->len;
	res->bytes = ip->len;
}

static void turn_around(struct reference *ref, struct ref_result *res, const struct pkt *in,
			const struct ip *ip, const struct ref_binding *self, uint8_t tos)
{
	struct key k;

	if (ip->fragment && !whole(ref, ip->dst)) { /* the kernel reassembles the opened packet */
		res->mark = RSIP_MARK_POOL;
		return open_only(res, in, ip, tos, RSIP_CNT_FRAGMENT_PASSED);
	}
	read_key(ip, false, &k);
	if (k.what == SAYS_ICMP)
		read_quote(ip, &k);
	k.self = self;
	to_host(ref, res, ip, &k, tos, RSIP_CNT_HAIRPINNED);
}

static void from_host(struct reference *ref, int iface, const struct pkt *in,
		      struct ref_result *res)
{
	__be32 us = iface == IF_PRIV ? GW_PRIV : GW_PRIV2;
	const struct ref_binding *b;
	struct ip outer, ip;
	bool pair = false;
	struct key k;
	uint8_t tos;
	int why;

	if (get_addr(in->data + 14 + 16) != us || in->data[14 + 9] != 4)
		return pass(res, RSIP_CNT_PASSED);
	if (!read_ip(in->data + 14, in->len - 14, &outer))
		return drop(res, RSIP_DROP_MALFORMED);
	if (outer.fragment) {
		res->mark = RSIP_MARK_TUNNEL;
		return pass(res, RSIP_CNT_FRAGMENT_PASSED);
	}
	if (!read_ip(outer.at + outer.hlen, outer.len - outer.hlen, &ip))
		return drop(res, RSIP_DROP_MALFORMED);
	if (!is_pool(ip.src))
		return drop(res, RSIP_DROP_LOCAL_ADDR_UNALLOWED);
	read_key(&ip, true, &k);
	b = sender(ref, &k, outer.src, &pair, &why);
	why = b ? violation(ref, b, &k, iface, &outer, in->data + 6) : why;
	if (!why && pair)
		why = learn(ref, b, &k, is_pool(ip.dst), &res->claimed);
	tos = ip.tos;
	if (!why && !combine_ecn(outer.tos, &tos))
		why = RSIP_DROP_ECN_CE_NOT_ECT;
	if (why)
		return drop(res, why);
	if (is_pool(ip.dst))
		turn_around(ref, res, in, &ip, pair ? b : NULL, tos);
	else
		to_public(res, in, &ip, tos);
	if (res->action == XDP_PASS) /* whatever address it came to, the kernel is to take it */
		memcpy(res->out.data, iface == IF_PRIV ? MAC_GW_PRIV : MAC_GW_PRIV2, 6);
	if (res->action != XDP_DROP)
		res->out_slot = b->slot;
}

void reference_run(struct reference *ref, int iface, const struct pkt *in, struct ref_result *res)
{
	*res = (struct ref_result){.out = *in};
	if (in->len < 14 + 20 || in->data[12] != 8 || in->data[13] || in->data[0] & 1)
		return pass(res, RSIP_CNT_PASSED);
	if (iface == IF_PUB)
		from_public(ref, in, res);
	else
		from_host(ref, iface, in, res);
}
