/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the gateway says itself: ICMP errors about packets that it cannot forward, made in place of them, and
 * echo replies for shared addresses (RFC 3102 6.2).
 *
 *   to the public realm   | Ethernet |                         | IP | ICMP | the packet, cut to 576 bytes in all |
 *   to a host             | Ethernet | IP, gateway -> host     | IP | ICMP | the inner packet, cut               |
 *   in its GRE tunnel     | Ethernet | IP, gateway -> host, GRE | IP | ICMP | the inner packet, cut              |
 *
 * The tunnel's header is IPv6 where the host's address is (outer6.h).
 */
#ifndef RSIP_BPF_REPLY_H
#define RSIP_BPF_REPLY_H

#define RSIP_ICMP_TOO_BIG 0x0304 /* type and code: RFC 1191 */
#define RSIP_ICMP_TTL 0x0b00
#define RSIP_REPLY_MAX 576 /* RFC 1812 4.3.2.3 */
#define RSIP_REPLY_TTL 64
#define RSIP_REPLY_TOS 0xc0 /* internetwork control, RFC 1812 4.3.2.5 */

#define RSIP_DUMMY_ADDR 0xc0000008 /* 192.0.0.8: of who has no IPv4 address, RFC 7600 4.8 */

struct rsip_reply {
	__u32 off; /* of the IP header that it is about */
	__u32 l2; /* bytes of link-layer header */
	__be32 src; /* who says it */
	__be32 host; /* where the tunnel goes that it is sent by, an address or a handle; 0: none */
	__be32 endpoint; /* and where it begins */
	__u32 iface; /* of arrival: of whose endpoint6 is the other end */
	__u16 what; /* RSIP_ICMP_* */
	__u16 mtu; /* for RSIP_ICMP_TOO_BIG */
	__u8 mac[6]; /* of the interface */
	__u16 front; /* bytes of tunnel header: 0, or RSIP_TUNNEL_LEN(), over IPv6 20 more */
};

/* Shared by the CPUs: two at once may give one error too many, and then there is less than none. */
static struct rsip_bucket rsip_icmp_receivers[RSIP_ICMP_RECEIVERS];

/* Tokens there are now. */
static __always_inline __u32 rsip_bucket_fill(struct rsip_bucket *b, __u64 now, __u32 per_s, __u32 burst)
{
	__u64 more = now > b->filled_ns ? (now - b->filled_ns) / (1000000000U / per_s) : 0;
	__u32 left = b->tokens > burst ? 0 : b->tokens;

	if (more) {
		left = more + left < burst ? (__u32)more + left : burst;
		b->tokens = left;
		b->filled_ns = now;
	}
	return left;
}

/* RFC 1812 4.3.2.8: errors at the kernel's usual rate, for each CPU, and a share of it for each receiver. */
static __always_inline bool rsip_reply_allowed(__be32 to)
{
	__u32 place = rsip_hash(RSIP_ADDR_KEY(to), ~rsip_seed) & (RSIP_ICMP_RECEIVERS - 1);
	struct rsip_bucket *each = &rsip_icmp_receivers[place], *all;
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 now = bpf_ktime_get_coarse_ns();

	all = bpf_map_lookup_elem(&rsip_icmp_rate, &cpu);
	if (!all || !rsip_bucket_fill(each, now, RSIP_ICMP_EACH_PER_S, RSIP_ICMP_EACH_BURST) ||
	    !rsip_bucket_fill(all, now, RSIP_ICMP_PER_S, RSIP_ICMP_BURST))
		return false;
	each->tokens--;
	all->tokens--;
	return true;
}

/* RFC 1812 4.3.2.7: never about an ICMP error, a later fragment, a multicast. */
static __always_inline bool rsip_reply_due(struct rsip_ctx *ctx, const struct rsip_ip *ip)
{
	__u8 type;

	if (ip->frag & RSIP_FRAG_OFFSET || rsip_first_byte(ip->daddr) >= 224 || !ip->saddr)
		return false;
	if (ip->proto != RSIP_PROTO_ICMP)
		return true;
	return !rsip_ctx_load(ctx, ip->off + ip->hlen, &type, 1) && !rsip_icmp_is_error(type) && type != 5;
}

/* Sum of what is quoted: len bytes at off, whole words. */
static __always_inline __u64 rsip_reply_sum(struct rsip_ctx *ctx, __u32 off, __u32 len)
{
	__u64 sum = 0;

	for (__u32 i = 0; i < RSIP_REPLY_MAX / 4; i++) {
		__u32 *word = rsip_data(ctx) + (off & 0x7f) + i * 4; /* off is 42 to 86: said for the verifier */

		if (i * 4 >= len || (void *)(word + 1) > rsip_data_end(ctx))
			break;
		sum += *word;
	}
	return sum;
}

static __always_inline void rsip_reply_ip(struct iphdr *ip, __u16 len, __be32 src, __be32 dst, __u8 proto)
{
	*(__u8 *)ip = 0x45;
	ip->tos = RSIP_REPLY_TOS;
	ip->tot_len = bpf_htons(len);
	ip->id = 0;
	ip->frag_off = bpf_htons(RSIP_FRAG_DF);
	ip->ttl = RSIP_REPLY_TTL;
	ip->protocol = proto;
	ip->saddr = src;
	ip->daddr = dst;
	rsip_ip_sum(ip);
}

/* The tunnel's header in front of total bytes; where they begin. */
static __always_inline void *rsip_reply_tunnel(void *at, const struct rsip_reply *r, __u16 total)
{
	if (RSIP_HOST6_IS(r->host)) { /* written when the rest is */
		if (r->front == RSIP_IP6_LEN)
			return at + RSIP_IP6_LEN;
		at += RSIP_IP6_LEN + RSIP_GRE_LEN;
		barrier_var(at); /* two constants: of one that varies the verifier would want to know again what is behind it */
		return at;
	}
	if (r->front == RSIP_IP_LEN) {
		rsip_reply_ip(at, total + RSIP_IP_LEN, r->endpoint, r->host, RSIP_PROTO_IPIP);
		return at + RSIP_IP_LEN;
	}
	rsip_reply_ip(at, total + RSIP_IP_LEN + RSIP_GRE_LEN, r->endpoint, r->host, RSIP_PROTO_GRE);
	rsip_gre_write(at + RSIP_IP_LEN);
	return at + RSIP_IP_LEN + RSIP_GRE_LEN;
}

static __always_inline int rsip_reply_write(struct rsip_ctx *ctx, const struct rsip_reply *r, const struct ethhdr *was,
					    __u32 quote, __be32 to)
{
	__u32 total = RSIP_IP_LEN + RSIP_ICMP_LEN + quote;
	void *at = rsip_data(ctx);
	struct rsip_hop hop;
	__be16 *icmp;
	__u64 sum;

	/* the shortest quote, on a device without Ethernet header; enough for all that is written before the next look */
	if (at + RSIP_ETH_LEN + RSIP_IP_LEN + RSIP_ICMP_LEN > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	sum = rsip_reply_sum(ctx, r->l2 + r->front + RSIP_IP_LEN + RSIP_ICMP_LEN, quote);
	sum += bpf_htons(r->what);
	sum += bpf_htons(r->mtu);
	if (r->l2) {
		__builtin_memcpy(hop.dst_mac, was->h_source, 6);
		__builtin_memcpy(hop.src_mac, r->mac, 6);
		rsip_eth_write(at, &hop);
		if (RSIP_HOST6_IS(r->host))
			((struct ethhdr *)at)->h_proto = bpf_htons(RSIP_ETH_IPV6);
		at += RSIP_ETH_LEN;
	}
	if (r->front)
		at = rsip_reply_tunnel(at, r, (__u16)total);
	if (at + RSIP_IP_LEN + RSIP_ICMP_LEN > rsip_data_end(ctx))
		return -RSIP_DROP_INTERNAL;
	rsip_reply_ip(at, (__u16)total, r->src, to, RSIP_PROTO_ICMP);
	icmp = at + RSIP_IP_LEN;
	icmp[0] = bpf_htons(r->what);
	icmp[1] = ~rsip_csum_fold(sum);
	icmp[2] = 0;
	icmp[3] = bpf_htons(r->mtu);
	return RSIP_HOST6_IS(r->host) ? rsip_ip6_write(ctx, r->l2 | RSIP_REPLY_TOS << 8, r->front, r->iface, r->host) : 0;
}

#define RSIP_REPLY_NONE 1 /* none is due */
#define RSIP_REPLY_LIMITED 2

/* 0: the frame is now an ICMP error about the packet that it was; RSIP_REPLY_*; else -RSIP_DROP_*. */
__noinline int rsip_reply_error(struct rsip_ctx *ctx, const struct rsip_reply *r)
{
	struct rsip_ip ip = {};
	struct ethhdr was = {};
	__u32 front, quote, len;

	if (!r || rsip_ip_read(ctx, r->off & 0xff, rsip_frame_len(ctx) - r->off, &ip))
		return RSIP_REPLY_NONE;
	if (!rsip_reply_due(ctx, &ip) || (r->what == RSIP_ICMP_TOO_BIG && !ip.df))
		return RSIP_REPLY_NONE;
	if (!rsip_reply_allowed(r->host ? r->host : ip.saddr))
		return RSIP_REPLY_LIMITED;
	front = RSIP_IP_LEN + RSIP_ICMP_LEN + r->front;
	quote = ip.len < RSIP_REPLY_MAX - front ? ip.len & ~3U : RSIP_REPLY_MAX - front;
	if (rsip_ctx_load(ctx, 0, &was, sizeof(was)))
		return -RSIP_DROP_INTERNAL;
	len = rsip_frame_len(ctx);
	if (len > r->off + quote && rsip_ctx_trim(ctx, len, r->off + quote))
		return -RSIP_DROP_INTERNAL;
	if (rsip_ctx_cut_up(ctx, (int)(r->off - r->l2) - (int)front, 0))
		return -RSIP_DROP_INTERNAL;
	rsip_ctx_pull_all(ctx);
	return rsip_reply_write(ctx, r, &was, quote, ip.saddr);
}

/* Who speaks for the gateway: its public address; on a public interface that has none, the address asked for. */
static __always_inline __be32 rsip_reply_source(const struct rsip_walk *walk, const struct rsip_iface *iface)
{
	struct rsip_iface *first_public = rsip_iface_get(RSIP_FIRST_PUBLIC);

	if (iface->role == RSIP_ROLE_PUBLIC && iface->endpoint)
		return iface->endpoint;
	if (first_public && first_public->role == RSIP_ROLE_PUBLIC && first_public->endpoint)
		return first_public->endpoint;
	if (!walk->tunnel_src)
		return walk->asked;
	return walk->tunnel_dst && !rsip_is_slow(walk) ? walk->tunnel_dst : bpf_htonl(RSIP_DUMMY_ADDR);
}

/*
 * A packet that is dropped as too big or for its TTL: its sender hears of it.  RSIP_ANSWER_ERROR, or why it was
 * dropped (res).  On the slow-path device the kernel has put it together, and knows neither what the host's path takes nor whose it
 * is; there a host is told by a message from the public realm (rsip_answer_slow()), which is not in its tunnel yet.
 */
static __always_inline int rsip_reply_to(struct rsip_walk *walk, int res)
{
	struct rsip_iface *iface = walk->in;
	struct rsip_reply r = {};
	int made;

	if (res != -RSIP_DROP_TOO_BIG && res != -RSIP_DROP_TTL_EXCEEDED)
		return res;
	if (RSIP_CTX_IS_XDP && !rsip_frame_whole(walk->ctx, walk->inner_off + RSIP_REPLY_MAX))
		return RSIP_PASS_TC;
	r.off = walk->inner_off;
	r.l2 = rsip_l2(walk);
	r.src = rsip_reply_source(walk, iface);
	r.host = rsip_is_slow(walk) ? 0 : walk->tunnel_src;
	r.endpoint = walk->tunnel_dst;
	r.iface = walk->iface;
	r.front = r.host ? rsip_tunnel_front(walk->tunnel_src, walk->tunnel) : 0;
	r.what = res == -RSIP_DROP_TOO_BIG ? RSIP_ICMP_TOO_BIG : RSIP_ICMP_TTL;
	r.mtu = res == -RSIP_DROP_TOO_BIG ? (__u16)walk->mtu : 0;
	__builtin_memcpy(r.mac, iface->mac, 6);
	made = rsip_reply_error(walk->ctx, &r);
	walk->icmp_limited = made == RSIP_REPLY_LIMITED;
	if (made)
		return made < 0 ? made : res;
	walk->why = res;
	return RSIP_ANSWER_ERROR;
}

/* ---- echo ---------------------------------------------------------------------------------------------------------- */

static __always_inline void rsip_reply_turn(struct iphdr *h, __be32 from, __be32 to)
{
	h->saddr = from;
	h->daddr = to;
	rsip_inner_ttl(h, RSIP_REPLY_TTL);
}

/* The ICMP message becomes the reply, if it is an echo request. */
static __always_inline bool rsip_reply_icmp(__be16 *icmp)
{
	if (icmp[0] != bpf_htons(0x0800))
		return false;
	icmp[0] = 0;
	rsip_csum_replace((__sum16 *)&icmp[1], bpf_htons(0x0800), 0);
	return true;
}

#define RSIP_OPTION_END 0
#define RSIP_OPTION_NOP 1
#define RSIP_OPTION_LSRR 131
#define RSIP_OPTION_SSRR 137

/*
 * 1: the len bytes of IPv4 options at off have a source route, or do not agree with themselves.  An answer would have to go back by it
 * (RFC 1122 3.2.1.8, RFC 791 3.1); as hosts do by default, we take no packets by a way that their sender has chosen (RFC 7126 4.3).
 */
__noinline int rsip_source_routed(struct rsip_ctx *ctx, __u32 off, __u32 len)
{
	__u32 at = 0;

	for (__u32 i = 0; i < 40 && at < len; i++) {
		__u8 option[2] = {};

		if (rsip_ctx_load(ctx, off + at, option, 2)) /* behind the last one is the ICMP header */
			return 1;
		if (option[0] == RSIP_OPTION_END)
			return 0;
		if (option[0] == RSIP_OPTION_LSRR || option[0] == RSIP_OPTION_SSRR)
			return 1;
		if (option[0] != RSIP_OPTION_NOP && option[1] < 2)
			return 1;
		at += option[0] == RSIP_OPTION_NOP ? 1 : option[1];
	}
	return at != len;
}

static __always_inline bool rsip_has_source_route(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	return ip->hlen > RSIP_IP_LEN && rsip_source_routed(walk->ctx, ip->off + RSIP_IP_LEN, ip->hlen - RSIP_IP_LEN);
}

/*
 * On the slow path's device: a whole one or a fragment of one, of which the first has the ICMP header.  The others must have been
 * seen to follow it.  As rsip_reply_echo().
 */
static __always_inline int rsip_reply_echo_slow(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	struct iphdr *h = rsip_data(walk->ctx) + (ip->off & 0x7f);
	__be16 *icmp = rsip_data(walk->ctx) + ((ip->off + ip->hlen) & 0xff);

	if ((void *)(h + 1) > rsip_data_end(walk->ctx))
		return 0;
	if (!(ip->frag & RSIP_FRAG_OFFSET) && ((void *)(icmp + 4) > rsip_data_end(walk->ctx) || !rsip_reply_icmp(icmp)))
		return 0;
	rsip_reply_turn(h, ip->daddr, ip->saddr);
	return RSIP_ANSWER_ECHO;
}

/*
 * RFC 3102 6.2: an echo request to a shared address is the gateway's to answer; a host's goes back into its tunnel.
 * 0: not one.  RSIP_ANSWER_ECHO: the frame is the reply.
 */
static __always_inline int rsip_reply_echo(const struct rsip_walk *walk, const struct rsip_ip *ip)
{
	struct rsip_iface *iface = walk->in;
	__u32 off = (ip->off + ip->hlen) & 0xff;
	struct ethhdr *eth = rsip_data(walk->ctx);
	struct iphdr *h, *outer;
	struct rsip_hop hop;
	__be16 *icmp;

	outer = (void *)eth + rsip_l2(walk);
	h = (void *)eth + (ip->off & 0x7f);
	icmp = (void *)eth + off;
	if (rsip_is_slow(walk) || (void *)(eth + 1) > rsip_data_end(walk->ctx) ||
	    (void *)(outer + 1) > rsip_data_end(walk->ctx) || (void *)(h + 1) > rsip_data_end(walk->ctx) ||
	    (void *)(icmp + 4) > rsip_data_end(walk->ctx))
		return 0;
	if (!rsip_reply_icmp(icmp))
		return 0;
	rsip_reply_turn(h, ip->daddr, ip->saddr);
	if (walk->tunnel_src && !RSIP_HOST6_IS(walk->tunnel_src) && walk->tunnel != RSIP_TUNNEL_L2TP)
		rsip_reply_turn(outer, walk->tunnel_dst, walk->tunnel_src);
	if (rsip_l2(walk)) {
		__be16 type = eth->h_proto;

		__builtin_memcpy(hop.dst_mac, eth->h_source, 6);
		__builtin_memcpy(hop.src_mac, iface->mac, 6);
		rsip_eth_write(eth, &hop);
		eth->h_proto = type;
	}
	if (RSIP_HOST6_IS(walk->tunnel_src) && rsip_ip6_turn(walk->ctx, rsip_l2(walk)))
		return -RSIP_DROP_INTERNAL;
	return RSIP_ANSWER_ECHO;
}

#endif
