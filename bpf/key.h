/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The fields in the clear by which a packet's owner is found, the same for both directions. */
#ifndef RSIP_BPF_KEY_H
#define RSIP_BPF_KEY_H

#define RSIP_PROTO_ICMP 1
#define RSIP_PROTO_TCP 6
#define RSIP_PROTO_UDP 17
#define RSIP_PROTO_DCCP 33
#define RSIP_PROTO_ESP 50
#define RSIP_PROTO_AH 51
#define RSIP_PROTO_SCTP 132
#define RSIP_PROTO_UDPLITE 136

#define RSIP_UDP_LEN 8
#define RSIP_PORT_IKE 500
#define RSIP_PORT_NATT 4500

enum rsip_key_kind {
	RSIP_KEY_OTHER, /* a protocol without ports or SPI */
	RSIP_KEY_PORTS,
	RSIP_KEY_SPI,
	RSIP_KEY_ICMP, /* no more is known: see icmp.h */
	RSIP_KEY_LATER, /* a later fragment: addresses only */
	RSIP_KEY_BAD, /* nothing to go by; why says it */
};

/* What UDP 500 and 4500 carry. */
enum rsip_key_ike {
	RSIP_IKE_NONE, /* another port */
	RSIP_IKE_COOKIES,
	RSIP_IKE_SPI, /* ESP in UDP, RFC 3948 2.1 */
	RSIP_IKE_KEEPALIVE, /* shorter than a marker, RFC 3948 2.3 */
	RSIP_IKE_CUT, /* an IKE header cut short */
};

struct rsip_key {
	__u64 icookie; /* as on the wire */
	__u64 rcookie;
	__be32 local; /* the leased address */
	__be32 remote;
	__be32 spi; /* of an ICMP query, its reply, or an error about it: 1 + its identifier, in host order */
	__u32 self; /* hairpin: the sender's record in rsip_learned, whose claims do not count */
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u8 kind; /* enum rsip_key_kind */
	__u8 ike; /* enum rsip_key_ike */
	__u8 ike_major;
	__u8 ike_initiator; /* IKEv2: the sender began the IKE SA */
	__u8 proto;
	__u8 host_sent; /* the host built this packet (outbound, or quoted in an ICMP error) */
	__u8 quoted; /* read from an ICMP error */
	__u8 has_ports;
	/* outbound: (host, address) alone told the owner: 1, and a bit for each tunnel type of theirs; inbound: an ICMP
	 * identifier did */
	__u8 by_pair;
	__u8 why; /* RSIP_DROP_* of RSIP_KEY_BAD */
	__u8 ike_response; /* IKEv2: the response flag */
	__u8 guessed; /* nothing but the remote told the owner */
	__u32 now_s; /* CLOCK_MONOTONIC: what was learned grows old */
	__u64 claimed; /* the cookie by whose claim the owner was found, or 0 */
};
_Static_assert(sizeof(struct rsip_key) == 64, "rsip_key has a hole");

/* Outbound, not found by a leased port: it is for RSIPSEC bindings, and not for any. */
static __always_inline bool rsip_key_is_ipsec(const struct rsip_key *key)
{
	return key->kind != RSIP_KEY_ICMP && key->kind != RSIP_KEY_LATER;
}

static __always_inline void rsip_key_bad(struct rsip_key *key, __u8 why)
{
	key->kind = RSIP_KEY_BAD;
	key->why = why;
}

/* Shortest header of a protocol that we look into; 0: we do not.  What most packets are goes first. */
static __always_inline __u32 rsip_proto_min(__u8 proto)
{
	if (__builtin_expect(proto == RSIP_PROTO_TCP, 1))
		return 20;
	switch (proto) {
	case RSIP_PROTO_SCTP:
	case RSIP_PROTO_DCCP:
	case RSIP_PROTO_AH:
		return 12;
	case RSIP_PROTO_UDP:
	case RSIP_PROTO_UDPLITE:
	case RSIP_PROTO_ESP:
	case RSIP_PROTO_ICMP:
		return 8;
	}
	return 0;
}

static __always_inline bool rsip_proto_has_ports(__u8 proto)
{
	return proto == RSIP_PROTO_TCP || proto == RSIP_PROTO_UDP || proto == RSIP_PROTO_UDPLITE ||
	       proto == RSIP_PROTO_SCTP || proto == RSIP_PROTO_DCCP;
}

/* Of RFC 792 and 950, those that ask, with an identifier. */
static __always_inline bool rsip_icmp_is_query(__u8 type)
{
	return type == 8 || type == 13 || type == 15 || type == 17;
}

/* 1 + the identifier of a query (ICMP header, 8 bytes at least), or 0: none. */
static __always_inline __u32 rsip_icmp_ident(const __be16 *icmp)
{
	return rsip_icmp_is_query(*(const __u8 *)icmp) ? bpf_ntohs(icmp[2]) + 1U : 0;
}

static __always_inline void rsip_key_set_ports(struct rsip_key *key, __be16 src, __be16 dst)
{
	key->local_port = bpf_ntohs(key->host_sent ? src : dst);
	key->remote_port = bpf_ntohs(key->host_sent ? dst : src);
	key->has_ports = 1;
}

/* The first 20 bytes of an IKE header, RFC 7296 3.1 (RFC 2408 3.1 has the same). */
struct rsip_ike_hdr {
	__u64 icookie;
	__u64 rcookie;
	__u8 next;
	__u8 version;
	__u8 exchange;
	__u8 flags;
} __attribute__((packed));

#define RSIP_IKE_HDR_LEN 28
#define RSIP_IKE_FLAG_INITIATOR 0x08
#define RSIP_IKE_FLAG_RESPONSE 0x20

/* Copies the header at off, mostly from where it lies: a call is dear.  0 or not. */
static __always_inline long rsip_ike_copy(struct rsip_ctx *ctx, __u32 off, struct rsip_ike_hdr *h)
{
	__u32 near = off & 0x1ff;
	struct rsip_ike_hdr *p;

	barrier_var(near); /* or the compiler uses off, which has no bound */
	p = rsip_data(ctx) + near;
	if (near != off || (void *)(p + 1) > rsip_data_end(ctx))
		return rsip_ctx_load(ctx, off, h, sizeof(*h));
	__builtin_memcpy(h, p, sizeof(*h));
	return 0;
}

/*
 * Fills the IKE half of the key from a UDP payload of len bytes at off, from or to port 500 or 4500.
 * A quoted packet is cut where its quoter liked, so there 20 bytes will do.
 */
__noinline int rsip_ike_read(struct rsip_ctx *ctx, struct rsip_key *key, __u32 off, __u32 len)
{
	struct rsip_ike_hdr h;
	__be32 marker;

	if (!key)
		return -RSIP_DROP_INTERNAL;
	key->ike = RSIP_IKE_CUT;
	if (key->local_port == RSIP_PORT_NATT) {
		if (len < sizeof(marker) || rsip_ctx_load(ctx, off, &marker, sizeof(marker))) {
			key->ike = RSIP_IKE_KEEPALIVE;
			return 0;
		}
		if (marker) {
			key->ike = RSIP_IKE_SPI;
			key->spi = marker;
			return 0;
		}
		off += sizeof(marker);
		len -= sizeof(marker);
	}
	if (len < (key->quoted ? sizeof(h) : RSIP_IKE_HDR_LEN) || rsip_ike_copy(ctx, off, &h))
		return 0;
	key->ike = RSIP_IKE_COOKIES;
	key->icookie = h.icookie;
	key->rcookie = h.rcookie;
	key->ike_major = h.version >> 4;
	key->ike_initiator = !!(h.flags & RSIP_IKE_FLAG_INITIATOR);
	key->ike_response = !!(h.flags & RSIP_IKE_FLAG_RESPONSE);
	return 0;
}

/*
 * AH is found by its SPI; the ports behind it only matter to a remote flow policy.  l4: the first 8 bytes of the
 * header, which are there.
 */
static __always_inline void rsip_key_ah(struct rsip_ctx *ctx, struct rsip_key *key, __u32 off, __u32 len,
					const __be16 *l4)
{
	const __u8 *ah = (const __u8 *)l4;
	__u32 ah_len = (ah[1] + 2) * 4; /* RFC 4302 2.2 */
	__be16 port[2];

	key->kind = RSIP_KEY_SPI;
	key->spi = *(const __be32 *)(l4 + 2);
	if (!rsip_proto_has_ports(ah[0]) || ah_len + 4 > len || rsip_ctx_load(ctx, off + ah_len, port, 4))
		return;
	rsip_key_set_ports(key, port[0], port[1]);
}

static __always_inline void rsip_key_ports(struct rsip_ctx *ctx, struct rsip_key *key, __u32 off, __u32 len,
					   const __be16 *l4)
{
	key->kind = RSIP_KEY_PORTS;
	rsip_key_set_ports(key, l4[0], l4[1]);
	if (key->proto != RSIP_PROTO_UDP)
		return;
	if (key->local_port == RSIP_PORT_IKE || key->local_port == RSIP_PORT_NATT)
		rsip_ike_read(ctx, key, off + RSIP_UDP_LEN, len - RSIP_UDP_LEN);
}

/*
 * Fills the key from a packet's own headers; key->host_sent says which side is local.  Never fails: what
 * cannot be read becomes RSIP_KEY_BAD, which still finds the owner of a whole address.
 */
static __always_inline int rsip_key_read(struct rsip_ctx *ctx, const struct rsip_ip *ip, struct rsip_key *key)
{
	__u32 off, len, min, first;
	__be16 *l4;

	if (!ip || !key)
		return -RSIP_DROP_INTERNAL;
	key->local = key->host_sent ? ip->saddr : ip->daddr;
	key->remote = key->host_sent ? ip->daddr : ip->saddr;
	key->proto = ip->proto;
	key->kind = RSIP_KEY_LATER;
	if (ip->frag & RSIP_FRAG_OFFSET)
		return 0;
	key->kind = RSIP_KEY_OTHER;
	min = rsip_proto_min(ip->proto);
	if (!min)
		return 0;
	first = ip->frag >> 13; /* only MF is left */
	barrier_var(first); /* no branch: each is a path for the verifier */
	min -= (min - 8) * first; /* a first fragment may end within the header (RFC 791 3.2): eight bytes tell whose it is */
	off = (ip->off + ip->hlen) & 0xff;
	len = ip->len - ip->hlen;
	l4 = rsip_data(ctx) + off;
	if (ip->len < ip->hlen + min || (void *)l4 + 8 > rsip_data_end(ctx))
		rsip_key_bad(key, RSIP_DROP_MALFORMED);
	else if (ip->proto == RSIP_PROTO_ICMP) {
		key->kind = RSIP_KEY_ICMP;
		key->spi = key->host_sent ? rsip_icmp_ident(l4) : 0;
	} else if (ip->proto == RSIP_PROTO_AH)
		rsip_key_ah(ctx, key, off, len, l4);
	else if (ip->proto == RSIP_PROTO_ESP) {
		key->kind = RSIP_KEY_SPI;
		key->spi = *(__be32 *)l4;
	} else if (ip->proto == RSIP_PROTO_UDP && !ip->frag &&
		   (bpf_ntohs(l4[2]) < RSIP_UDP_LEN || bpf_ntohs(l4[2]) > len))
		rsip_key_bad(key, RSIP_DROP_MALFORMED);
	else
		rsip_key_ports(ctx, key, off, len, l4);
	return 0;
}

/* The same, for those who seldom need it. */
__noinline int rsip_key_read_again(struct rsip_ctx *ctx, const struct rsip_ip *ip, struct rsip_key *key)
{
	if (!ip || !key)
		return -RSIP_DROP_INTERNAL;
	return rsip_key_read(ctx, ip, key);
}

#endif
