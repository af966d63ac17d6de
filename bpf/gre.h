/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * GRE (RFC 2784, RFC 2890) around IPv4.  Sent without options; received with any of them:
 *
 *   |C|R|K|S| reserved, version (16 bits) | protocol type: 0x0800 | C: checksum, reserved1 | K: key | S: sequence |
 *
 * The checksum is verified.  A key says nothing that the addresses do not, and packets are not put in order.
 */
#ifndef RSIP_BPF_GRE_H
#define RSIP_BPF_GRE_H

#define RSIP_GRE_LEN 4 /* without options; each of the three takes as much */
#define RSIP_GRE_PLAIN bpf_htonl(RSIP_ETH_IPV4) /* no options, version 0, around IPv4 */
#define RSIP_GRE_MASK 0x1c /* 4 to 16, for the verifier */
#define RSIP_GRE_CSUM 0x8000
#define RSIP_GRE_KEY 0x2000
#define RSIP_GRE_SEQ 0x1000
#define RSIP_GRE_DISCARD 0x4c00 /* RFC 2784 2.3: of bits 1 to 5, those that RFC 2890 has given no meaning */
#define RSIP_GRE_VERSION 0x0007

/* Is GRE that comes to a tunnel endpoint a host's?  Else it is the machine's own. */
static __always_inline bool rsip_gre_wanted(const struct rsip_policy *policy)
{
	return policy->flags & RSIP_POLICY_GRE;
}

static __always_inline int rsip_gre_len(__u16 flags)
{
	return RSIP_GRE_LEN * (1 + !!(flags & RSIP_GRE_CSUM) + !!(flags & RSIP_GRE_KEY) + !!(flags & RSIP_GRE_SEQ));
}

/*
 * Bytes of the GRE header at off (4 to 16); 0: it is none of a host's, but PPTP's (RFC 2637) or around another
 * protocol; else -RSIP_DROP_MALFORMED.  len: bytes of the packet from off on.
 */
__noinline int rsip_gre_read(struct rsip_ctx *ctx, __u32 off, __u32 len)
{
	__be16 h[2];
	__u16 flags;
	int hlen;

	if (len < sizeof(h) || rsip_ctx_load(ctx, off, h, sizeof(h)))
		return -RSIP_DROP_MALFORMED;
	flags = bpf_ntohs(h[0]);
	if (flags & RSIP_GRE_VERSION || h[1] != bpf_htons(RSIP_ETH_IPV4))
		return 0;
	if (flags & RSIP_GRE_DISCARD)
		return -RSIP_DROP_MALFORMED;
	hlen = rsip_gre_len(flags);
	if (len < (__u32)hlen)
		return -RSIP_DROP_MALFORMED;
	if (flags & RSIP_GRE_CSUM && !rsip_sum_right(ctx, off, len, 0))
		return -RSIP_DROP_MALFORMED;
	return hlen;
}

static __always_inline void rsip_gre_write(void *at)
{
	*(__be32 *)at = RSIP_GRE_PLAIN;
}

#endif
