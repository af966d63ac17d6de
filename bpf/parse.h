/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Bounds and header shapes.  Nothing here decides; it only says what the bytes are. */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#ifndef offsetof
#define offsetof(type, member) __builtin_offsetof(type, member)
#endif

#define ETH_P_IP 0x0800
#define ETH_P_ARP 0x0806
#define ETH_LEN 14

#define IP_MF 0x2000
#define IP_DF 0x4000
#define IP_OFFSET 0x1fff

#define UDP_PORT_IKE 500
#define UDP_PORT_IKE_NATT 4500

#define IPPROTO_UDPLITE_ 136

/*
 * Start and end of the frame, read anew after each call that moves it.  In assembly because the compiler likes to
 * share the address of a context field between two reads, and the verifier takes only the context itself.
 */
static __always_inline void *frame_data(struct xdp_md *ctx)
{
	void *data;

	asm volatile("%[data] = *(u32 *)(%[ctx] + %[off])"
		     : [data] "=r"(data)
		     : [ctx] "r"(ctx), [off] "i"(offsetof(struct xdp_md, data)));
	return data;
}

static __always_inline void *frame_end(struct xdp_md *ctx)
{
	void *end;

	asm volatile("%[end] = *(u32 *)(%[ctx] + %[off])"
		     : [end] "=r"(end)
		     : [ctx] "r"(ctx), [off] "i"(offsetof(struct xdp_md, data_end)));
	return end;
}

/* True if len bytes from at lie inside the packet. */
#define FITS(at, len, end) ((void *)(at) + (len) <= (void *)(end))

/* An IPv4 packet inside the frame: where it is and what its header says.  Lengths in bytes, host order. */
struct ip4 {
	struct iphdr *hdr;
	void *l4; /* after the header and its options */
	void *end; /* of the frame, not of the packet: the verifier knows this one */
	__u32 hdr_len;
	__u32 tot_len;
	__u16 frag; /* flags and offset, host order */
};

/* Reads the header at `at`.  0, or -RSIP_DROP_MALFORMED if it is cut short or its lengths contradict the frame. */
static __always_inline int ip4_parse(void *at, void *end, struct ip4 *ip)
{
	struct iphdr *hdr = at;

	if (!FITS(hdr, sizeof(*hdr), end))
		return -RSIP_DROP_MALFORMED;
	ip->hdr = hdr;
	ip->end = end;
	ip->hdr_len = hdr->ihl * 4;
	ip->tot_len = bpf_ntohs(hdr->tot_len);
	ip->frag = bpf_ntohs(hdr->frag_off);
	if (hdr->version != 4 || ip->hdr_len < sizeof(*hdr) || ip->tot_len < ip->hdr_len)
		return -RSIP_DROP_MALFORMED;
	if (ip->tot_len > (__u64)(end - at))
		return -RSIP_DROP_MALFORMED;
	ip->l4 = at + ip->hdr_len;
	return 0;
}

static __always_inline bool ip4_is_fragment(const struct ip4 *ip)
{
	return ip->frag & (IP_MF | IP_OFFSET);
}

/* Bytes of the packet after its IP header. */
static __always_inline __u32 ip4_payload(const struct ip4 *ip)
{
	return ip->tot_len - ip->hdr_len;
}

/* Protocols whose first four bytes are source and destination port: a leased port is that number in all of them. */
static __always_inline bool has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE_ ||
	       protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP;
}

struct ports {
	__be16 src;
	__be16 dst;
};

/* The IKE header up to its flags: RFC 2408 3.1, RFC 7296 3.1. */
struct ike {
	__u64 icookie; /* as on the wire */
	__u64 rcookie;
	__u8 next;
	__u8 version;
	__u8 exchange;
	__u8 flags;
	__be32 message_id;
	__be32 length;
};
#define IKE_FLAG_INITIATOR 0x08

static __always_inline bool ike_is_v2(const struct ike *ike)
{
	return ike->version >> 4 == 2;
}

struct ah {
	__u8 next;
	__u8 len;
	__be16 reserved;
	__be32 spi;
	__be32 seq;
};

struct esp {
	__be32 spi;
	__be32 seq;
};

/* SPI of ESP or AH, network order.  The caller has seen 8 bytes. */
static __always_inline __be32 ipsec_spi(const void *l4, __u8 protocol)
{
	return protocol == IPPROTO_AH ? ((const __be32 *)l4)[1] : ((const __be32 *)l4)[0];
}

#endif
