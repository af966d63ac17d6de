/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the programs of the host's end of the tunnel share: maps, frames, counters, addresses. */
#ifndef RSIP_CLIENT_TUN_BPF_H
#define RSIP_CLIENT_TUN_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "rsip/ecn.h"
#include "tun.h"

#define TC_ACT_UNSPEC (-1) /* the next filter, of another client perhaps, then the kernel */
#define TC_ACT_SHOT 2
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_ALEN 6
#define IPPROTO_ICMP_ 1
#define IPPROTO_IPIP_ 4
#define IPPROTO_GRE_ 47
#define IPPROTO_ICMPV6_ 58
#define GRE_LEN 4
#define IP_DF 0x4000
#define IP_FRAGMENT 0x3fff /* more fragments, or an offset */
#define OUTER_TTL 64

const volatile struct rsip_tun_config rsip_tun_cfg = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, RSIP_TUN_ADDRS_MAX);
	__type(key, __be32);
	__type(value, struct rsip_tun_addr);
} rsip_tun_addrs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RSIP_TUN_COUNTERS);
	__type(key, __u32);
	__type(value, __u64);
} rsip_tun_counts SEC(".maps");

struct frame {
	struct ethhdr eth;
	struct iphdr ip;
} __attribute__((packed));

struct tunnel_frame {
	struct ethhdr eth;
	struct iphdr outer;
	struct iphdr inner;
} __attribute__((packed));

struct tunnel6_frame {
	struct ethhdr eth;
	struct ipv6hdr outer;
	struct iphdr inner;
} __attribute__((packed));

#define GRE_HEADER bpf_htonl(ETH_P_IP) /* no options, version 0, around IPv4 */

static __always_inline void count(__u32 which, __u64 n)
{
	__u64 *v = bpf_map_lookup_elem(&rsip_tun_counts, &which);

	if (v)
		*v += n;
}

static __always_inline int drop(__u32 why)
{
	count(why, 1);
	return TC_ACT_SHOT;
}

/* Points p at the frame and says whether *p lies in linear memory. */
#define HEAD(skb, p)                                                                               \
	({                                                                                         \
		bpf_skb_pull_data(skb, sizeof(*p));                                                \
		p = (void *)(long)(skb)->data;                                                     \
		(void *)(p + 1) <= (void *)(long)(skb)->data_end;                                  \
	})

static __always_inline __u16 header_sum(const struct iphdr *ip)
{
	const __u16 *w = (const void *)ip;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < 10; i++)
		sum += w[i];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline void to_app(void *frame)
{
	struct ethhdr *eth = frame;

	for (int i = 0; i < ETH_ALEN; i++) { /* no memcpy: it would take the zeros of the initializer */
		eth->h_dest[i] = rsip_tun_cfg.app_mac[i];
		eth->h_source[i] = rsip_tun_cfg.dev_mac[i];
	}
}

static __always_inline bool same_v6(const void *a, const volatile __be32 *y)
{
	const __be32 *x = a;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]));
}

#endif
