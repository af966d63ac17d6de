/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of the DSCP at the tunnel's ends (RFC 3102 5.3.1, RFC 2983).  Without a setting it is copied into the outer
 * header, and the inner one stays.  The ECN field is none of this: RFC 6040 says what becomes of it.
 */
#ifndef RSIP_BPF_DSCP_H
#define RSIP_BPF_DSCP_H

/* The policy's word that all settings are in: one load, of a line that every packet reads. */
static __always_inline __u32 rsip_dscp_word(const struct rsip_policy *policy)
{
	return RSIP_READ(policy->flags) & RSIP_DSCP_ANY;
}

static __always_inline __u8 rsip_dscp_put(__u8 tos, __u32 dscp)
{
	return (__u8)((tos & RSIP_ECN_MASK) | (dscp & RSIP_DSCP_MASK) << 2);
}

/* Toward a host: the inner byte in the lower half, the outer one in the upper half. */
static __always_inline __u16 rsip_dscp_encap(const struct rsip_policy *policy, __u8 tos)
{
	__u32 word = rsip_dscp_word(policy);
	__u8 outer;

	if (word & RSIP_DSCP_IN_SET)
		tos = rsip_dscp_put(tos, word >> RSIP_DSCP_IN_SHIFT);
	outer = word & RSIP_DSCP_TUNNEL_SET ? rsip_dscp_put(tos, word >> RSIP_DSCP_TUNNEL_SHIFT) : tos;
	return (__u16)(outer << 8 | tos);
}

/* From a host: the inner byte, whose ECN field is done.  rec: of the binding that lets it out; its host's own service level goes first. */
static __always_inline __u8 rsip_dscp_decap(const struct rsip_policy *policy, const struct rsip_binding *rec, __u8 outer_tos, __u8 tos)
{
	__u32 word = rsip_dscp_word(policy);
	__u8 own = RSIP_READ(rec->dscp);

	if (own & RSIP_BIND_DSCP_SET)
		return rsip_dscp_put(tos, own);
	if (word & RSIP_DSCP_OUT_SET)
		return rsip_dscp_put(tos, word >> RSIP_DSCP_OUT_SHIFT);
	return word & RSIP_DSCP_OUT_TUNNEL ? rsip_dscp_put(tos, outer_tos >> 2) : tos;
}

#endif
