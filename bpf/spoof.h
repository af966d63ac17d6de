/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses that cannot be where they are: BCP 38, RFC 1812 5.3.7, design "what must be right". */
#ifndef BPF_SPOOF_H
#define BPF_SPOOF_H

static __always_inline bool in_private_net(__be32 addr)
{
	struct rsip_policy *p = policy();

	if (!p)
		return false;
	for (__u32 i = 0; i < RSIP_MAX_NETS; i++) {
		if (i >= p->net_cnt)
			break;
		if ((addr & p->private_nets[i].mask) == p->private_nets[i].addr)
			return true;
	}
	return false;
}

/* 0/8, 127/8, 240/4 with broadcast: neither source nor destination of anything that is forwarded. */
static __always_inline bool is_martian(__be32 addr)
{
	__u32 first = bpf_ntohl(addr) >> 24;

	return first == 0 || first == 127 || first >= 240;
}

static __always_inline bool is_multicast(__be32 addr)
{
	return (bpf_ntohl(addr) >> 28) == 0xe;
}

/* From the public side: a source that is ours, private, or nobody's. */
static __always_inline int check_public_source(__be32 src)
{
	__u32 index;

	if (is_martian(src) || is_multicast(src) || addr_find(src, &index) || in_private_net(src))
		return -RSIP_DROP_SRC_SPOOFED;
	return 0;
}

/* From a host: a destination that must not leave. */
static __always_inline int check_remote_destination(struct walk *w, __be32 dst)
{
	if (is_multicast(dst))
		return -RSIP_DROP_MULTICAST;
	if (is_martian(dst) || dst == w->iface->endpoint || in_private_net(dst))
		return -RSIP_DROP_DST_UNALLOWED;
	return 0;
}

#endif
