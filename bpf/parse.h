/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet and IPv4 headers: found, bounded and checked, copied out so that no pointer outlives a change. */
#ifndef RSIP_BPF_PARSE_H
#define RSIP_BPF_PARSE_H

#define RSIP_ETH_LEN 14
#define RSIP_IP_LEN 20
#define RSIP_ETH_IPV4 0x0800
#define RSIP_ETH_ARP 0x0806
#define RSIP_ETH_IPV6 0x86dd
#define RSIP_FRAG_DF 0x4000
#define RSIP_FRAG_MF 0x2000
#define RSIP_FRAG_OFFSET 0x1fff
#define RSIP_PROTO_IPIP 4
#define RSIP_PROTO_GRE 47

/* How a walk ends, where it does not end in -RSIP_DROP_*. */
enum rsip_end {
	RSIP_GO_ON = 0,
	RSIP_PASS,
	RSIP_PASS_FRAGMENT,
	RSIP_PASS_SLOW,
	RSIP_PASS_TC, /* XDP cannot judge it: the TC program behind it does, and counts it */
	RSIP_PASS_LAST = RSIP_PASS_TC,
	RSIP_ANSWER_ARP,
	RSIP_ANSWER_ECHO,
	RSIP_ANSWER_ERROR,
	RSIP_TO_HOST,
	RSIP_TO_PUBLIC,
	RSIP_HAIRPIN,
};

/* An IPv4 header. */
struct rsip_ip {
	__be32 saddr;
	__be32 daddr;
	__u32 off; /* of the header in the frame */
	__u32 hlen; /* bytes, options included */
	__u32 len; /* bytes of the packet, as it says itself */
	__u32 seg; /* bytes of each packet that leaves: len, unless it is GRO's or TSO's */
	__u16 frag; /* MF and offset; DF is masked out */
	__u8 proto;
	__u8 ttl;
	__u8 tos;
	__u8 df;
	__be16 id;
};

/* RFC 791 3.2: is it a fragment of that packet? */
static __always_inline bool rsip_frag_is_of(const struct rsip_frag_of *of, const struct rsip_ip *ip)
{
	return of->saddr == ip->saddr && of->daddr == ip->daddr && of->id == ip->id && of->proto == ip->proto;
}

static __always_inline void rsip_frag_begins(struct rsip_frag_of *of, const struct rsip_ip *ip)
{
	of->saddr = ip->saddr;
	of->daddr = ip->daddr;
	of->id = ip->id;
	of->proto = ip->proto;
}

/* What a walk carries along, and what the verdict reads. */
struct rsip_walk {
	struct rsip_ctx *ctx;
	struct rsip_policy *policy; /* rsip_policy's one record: looked up once */
	struct rsip_iface *in; /* that of iface */
	__u64 now; /* CLOCK_MONOTONIC, a tick coarse; read when a binding is reached */
	__u32 cpu;
	__u32 iface; /* of arrival */
	__u32 l2; /* bytes of link-layer header in front of IP: RSIP_ETH_LEN, or 0 on a device without */
	__u32 out_iface; /* index in rsip_devs; or RSIP_OUT_IFINDEX and a device's number */
	__u32 bytes; /* of the inner packet */
	__u32 in_slot; /* binding that received the packet, or 0 */
	__u32 out_slot; /* binding that sent it, or 0 */
	__u32 claims; /* IKE cookies claimed */
	__u32 bind_id; /* outbound: the sender's binding, found but perhaps not allowing; 0: none */
	__u32 guesses; /* 1: nothing but the remote told the owner */
	__u32 row; /* interface that counts it: of arrival, or the slow-path device */
	__u32 inner_off; /* of the IP packet that goes on, and that an ICMP error would be about */
	__u32 mtu; /* what it was too big for */
	__be32 asked; /* inbound: its destination */
	__be32 tunnel_src; /* outbound: the tunnel it came by: the host, or its handle */
	__be32 tunnel_dst; /* 0: over IPv6 */
	__u32 icmp_limited; /* 1: an ICMP error would have been too many */
	int why; /* RSIP_ANSWER_ERROR: -RSIP_DROP_* of the packet it is about */
	__u32 mark; /* for the kernel, if it gets the packet */
	__u32 tunnel; /* outbound: RSIP_TUNNEL_* that it came in */
	bool slow; /* on the slow-path device */
	bool forwarded; /* there the kernel has taken the TTL down, and made fragments that fit */
	__u32 home; /* inbound: slot whose record and counters have been asked for */
};

/* What is the same for all that XDP sees is a constant there, and costs nothing. */
static __always_inline __u32 rsip_l2(const struct rsip_walk *walk)
{
	return RSIP_CTX_IS_XDP ? RSIP_ETH_LEN : walk->l2;
}

static __always_inline bool rsip_is_slow(const struct rsip_walk *walk)
{
	return !RSIP_CTX_IS_XDP && walk->slow;
}

static __always_inline bool rsip_is_forwarded(const struct rsip_walk *walk)
{
	return !RSIP_CTX_IS_XDP && walk->forwarded;
}

/*
 * EtherType in host order; 0 for what is too short, is of a VLAN, or came as broadcast or multicast and carries
 * IP.  A tag in the frame is the EtherType of one; both kinds belong to another interface.
 */
static __always_inline __u16 rsip_eth_type(const struct rsip_walk *walk)
{
	struct rsip_ctx *ctx = walk->ctx;
	struct ethhdr *eth = rsip_data(ctx);
	__u16 type;

	if (rsip_ctx_tagged(ctx))
		return 0;
	if (!rsip_l2(walk))
		return rsip_ctx_type(ctx);
	if ((void *)(eth + 1) > rsip_data_end(ctx))
		return 0;
	type = bpf_ntohs(eth->h_proto);
	/* RFC 1812 5.3.4: what came as a link-layer broadcast is not forwarded. */
	if ((type == RSIP_ETH_IPV4 || type == RSIP_ETH_IPV6) && eth->h_dest[0] & 1)
		return 0;
	return type;
}

static __always_inline __u16 rsip_csum_fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/*
 * The same of few words, whose sum has at most three bits beyond 32: the product's upper 16 bits are all 16-bit digits
 * added up, the carries of the digits below among them.
 */
static __always_inline __u16 rsip_csum_fold_few(__u64 sum)
{
	return (__u16)(sum * 0x0001000100010001ULL >> 48);
}

/* The last field of a header without options, when all others are written. */
static __always_inline void rsip_ip_sum(struct iphdr *ip)
{
	__u64 sum = 0;

	ip->check = 0;
	for (int i = 0; i < 5; i++)
		sum += ((__u32 *)ip)[i];
	ip->check = ~rsip_csum_fold_few(sum);
}

/* Sum of IPv4 options, folded: len is 4 to 40.  Apart, because hardly a packet has them. */
__noinline __u32 rsip_options_sum(struct rsip_ctx *ctx, __u32 off, __u32 len)
{
	__u64 sum = 0;

	/* word by word: the verifier of 6.1 does not follow the range of a length that the compiler has folded */
	for (__u32 i = 0; i < 10; i++) {
		__u32 word = 0;

		if (i * 4 >= len)
			break;
		if (rsip_ctx_load(ctx, off + i * 4, &word, sizeof(word)))
			return 0;
		sum += word;
	}
	return rsip_csum_fold(sum);
}

/*
 * Reads the IPv4 header at off and checks it against itself and the avail bytes there are (RFC 1812 5.2.2).
 * 0 or -RSIP_DROP_MALFORMED.
 */
static __always_inline int rsip_ip_read(struct rsip_ctx *ctx, __u32 off, __u32 avail, struct rsip_ip *ip)
{
	__u8 *p = rsip_data(ctx) + off;
	struct iphdr *h = (struct iphdr *)p;
	__u32 *word = (__u32 *)p;
	__u64 sum;

	if (p + RSIP_IP_LEN > (__u8 *)rsip_data_end(ctx))
		return -RSIP_DROP_MALFORMED;
	ip->off = off;
	ip->saddr = h->saddr;
	ip->daddr = h->daddr;
	ip->hlen = (p[0] & 0xf) * 4;
	ip->len = bpf_ntohs(h->tot_len);
	ip->seg = ip->len;
	ip->frag = bpf_ntohs(h->frag_off) & (RSIP_FRAG_MF | RSIP_FRAG_OFFSET);
	ip->df = !!(bpf_ntohs(h->frag_off) & RSIP_FRAG_DF);
	ip->id = h->id;
	ip->proto = h->protocol;
	ip->ttl = h->ttl;
	ip->tos = h->tos;
	if (p[0] >> 4 != 4 || ip->hlen < RSIP_IP_LEN || ip->len < ip->hlen || ip->len > avail)
		return -RSIP_DROP_MALFORMED;
	sum = (__u64)word[0] + word[1] + word[2] + word[3] + word[4];
	if (ip->hlen > RSIP_IP_LEN)
		sum += rsip_options_sum(ctx, off + RSIP_IP_LEN, ip->hlen - RSIP_IP_LEN);
	return rsip_csum_fold_few(sum) == 0xffff ? 0 : -RSIP_DROP_MALFORMED;
}

/*
 * The same for the IP header behind the link-layer header.  RSIP_PASS_TC: XDP has the headers in several buffers.
 * Only where the packet goes on behind the first buffer it is worth a call to know whether there is another.
 */
static __always_inline int rsip_ip_read_first(const struct rsip_walk *walk, struct rsip_ip *ip)
{
	struct rsip_ctx *ctx = walk->ctx;
	struct iphdr *h;
	__u32 avail;

	h = rsip_data(ctx) + rsip_l2(walk);
	avail = rsip_frame_first(ctx) - rsip_l2(walk);
	if (RSIP_CTX_IS_XDP && (void *)h + RSIP_IP_LEN <= rsip_data_end(ctx) && bpf_ntohs(h->tot_len) > avail) {
		avail = rsip_frame_whole(ctx, RSIP_HEADERS_MAX);
		if (!avail)
			return RSIP_PASS_TC;
		avail -= rsip_l2(walk);
	}
	return rsip_ip_read(ctx, rsip_l2(walk), avail, ip);
}

/* A packet that is none of ours, or that XDP cannot see: the TC program behind can. */
static __always_inline int rsip_unread(const struct rsip_walk *walk)
{
	return RSIP_CTX_IS_XDP && !rsip_frame_whole(walk->ctx, rsip_l2(walk) + RSIP_IP_LEN) ? RSIP_PASS_TC : RSIP_PASS;
}

/* Only the destination, of a header that may be anything: is it for us at all? */
static __always_inline bool rsip_ip_dst(const struct rsip_walk *walk, __be32 *dst)
{
	struct iphdr *h = rsip_data(walk->ctx) + rsip_l2(walk);

	if ((void *)h + RSIP_IP_LEN > rsip_data_end(walk->ctx))
		return false;
	*dst = h->daddr;
	return true;
}

#endif
