// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Around the program that is measured.  bench_outer restores the frame, makes it the packet of the
 * next binding and tail-calls the program: a plain repeated run would encapsulate once and then
 * take another path, and would ask for the same keys again.  bench_send makes the same packets for
 * a veth.
 */
#include "vmlinux.h"
#include <stdbool.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>
#include "job.h"

#define ETH_LEN 14
#define IP_LEN 20
#define GRE_LEN 4
#define TC_FAILED BENCH_TC_FAILED

struct bench_job job;
__u64 received; /* by bench_sink; one CPU does all the work */

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_next SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} bench_tc_next SEC(".maps");

/* Element 0: where bench_send sends; 1: where bench_bare and bench_floor send. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} bench_devs SEC(".maps");

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* The template's checksum field holds the sum of everything but the two addresses. */
static __always_inline void set_addresses(struct iphdr *ip, __be32 src, __be32 dst)
{
	ip->saddr = src;
	ip->daddr = dst;
	ip->check = ~fold((__u64)ip->check + src + dst);
}

/* ---- which binding ---- */

struct who {
	__u32 i;
	__u32 bits; /* random, for a port or SPI of its */
};

static __always_inline struct who choose(void)
{
	__u64 r = job.random;
	struct who w;

	r ^= r << 13;
	r ^= r >> 7;
	r ^= r << 17;
	job.random = r;
	w.bits = (__u32)r;
	w.i = (__u32)(((r >> 32) * job.n) >> 32);
	if (job.tunnel == BENCH_L2TP)
		w.i = 0;
	if (job.in_turn) {
		w.i = job.next;
		job.next = w.i + 1 < job.n ? w.i + 1 : 0;
	}
	return w;
}

/* ---- its packet ---- */

struct l4 {
	__be16 src, dst;
	__u8 bytes[32];
};

static __always_inline void set_transport(__u8 *at, struct who w)
{
	__u32 local_spi = BENCH_SPI + w.i * BENCH_SPI_STEP + (w.bits & (BENCH_SPIS - 1));
	__u32 spi = job.tunnelled ? BENCH_PEER_SPI + w.i : local_spi;
	__u16 port = BENCH_PORT_FIRST + w.i % BENCH_PER_ADDR * BENCH_PORTS +
		     (w.bits & (BENCH_PORTS - 1));

	switch (job.kind) {
	case BENCH_PORTS_KIND:
		*(__be16 *)(at + (job.tunnelled ? 0 : 2)) = bpf_htons(port);
		break;
	case BENCH_ESP:
		*(__be32 *)at = bpf_htonl(spi);
		break;
	case BENCH_AH:
		*(__be32 *)(at + 4) = bpf_htonl(spi);
		break;
	case BENCH_IKE:
		*(__be32 *)(at + 12) = bpf_htonl(w.i);
		break;
	case BENCH_IKE_LABEL:
		*(__be32 *)(at + 8) = bpf_htonl(local_spi);
		break;
	}
}

/* A host without a tunnel: its own address, and a port that no other user of that remote has. */
static __always_inline void set_plain(__u8 *at, struct who w)
{
	set_addresses((struct iphdr *)at, bpf_htonl(BENCH_HOST + w.i),
		      bpf_htonl(BENCH_REMOTE + (w.i & (job.remotes - 1))));
	*(__be16 *)(at + IP_LEN) = bpf_htons(1024 + w.i / job.remotes % 60000);
}

/* at: the packet of the host or for it. */
static __always_inline void set_inner(__u8 *at, struct who w)
{
	__be32 local = bpf_htonl(BENCH_POOL + w.i / BENCH_PER_ADDR);
	__be32 remote = bpf_htonl(BENCH_REMOTE + (w.i & (job.remotes - 1)));

	set_addresses((struct iphdr *)at, job.tunnelled ? local : remote,
		      job.tunnelled ? remote : local);
	set_transport(at + IP_LEN, w);
}

/* Writes the frame of some binding.  false: the frame is too short. */
static __always_inline bool make_frame_at(void *data, void *end)
{
	struct who w = choose();

	if (data + BENCH_FRAME > end)
		return false;
	__builtin_memcpy(data, job.frame, BENCH_FRAME);
	if (job.tunnelled && job.tunnel == BENCH_L2TP) {
		set_inner(data, w);
	} else if (job.tunnelled && job.tunnel == BENCH_IP6) {
		*(__be32 *)(data + ETH_LEN + 20) = bpf_htonl(BENCH_HOST + w.i);
		set_inner(data + ETH_LEN + BENCH_IP6_LEN, w);
	} else if (job.tunnelled) {
		set_addresses(data + ETH_LEN, bpf_htonl(BENCH_HOST + w.i),
			      bpf_htonl(BENCH_ENDPOINT));
		if (job.tunnel == BENCH_GRE)
			set_inner(data + ETH_LEN + IP_LEN + GRE_LEN, w);
		else
			set_inner(data + ETH_LEN + IP_LEN, w);
	} else if (job.kind == BENCH_PLAIN) {
		set_plain(data + ETH_LEN, w);
	} else {
		set_inner(data + ETH_LEN, w);
	}
	return true;
}

static __always_inline bool make_frame(struct xdp_md *ctx)
{
	return make_frame_at((void *)(long)ctx->data, (void *)(long)ctx->data_end);
}

/*
 * A test run waits for grace periods before and after, so its own packets know better how long they
 * took; and in these waits others use the cache.
 */
static __always_inline void take_time(void)
{
	if (job.done == job.warm)
		job.begin_ns = bpf_ktime_get_ns();
	if (job.done == job.warm + job.packets)
		job.end_ns = bpf_ktime_get_ns();
	job.done++;
}

SEC("xdp")
int bench_outer(struct xdp_md *ctx)
{
	long extra = (long)ctx->data_end - (long)ctx->data - BENCH_FRAME;

	take_time();
	if (extra && bpf_xdp_adjust_head(ctx, (int)extra))
		return XDP_ABORTED;
	if (!make_frame(ctx))
		return XDP_ABORTED;
	bpf_tail_call(ctx, &bench_next, 0);
	return XDP_ABORTED;
}

/*
 * The same for TC.  What a program puts in front of a packet that has come without Ethernet header is not taken off again
 * (the kernel would lose sight of its IP header), but cut off behind: the packet is written anew anyway.
 */
SEC("tc")
int bench_tc_outer(struct __sk_buff *ctx)
{
	take_time();
	if (ctx->len != BENCH_FRAME && bpf_skb_change_tail(ctx, BENCH_FRAME, 0))
		return TC_FAILED;
	if (!make_frame_at((void *)(long)ctx->data, (void *)(long)ctx->data_end))
		return TC_FAILED;
	bpf_tail_call(ctx, &bench_tc_next, 0);
	return TC_FAILED;
}

SEC("xdp")
int bench_send(struct xdp_md *ctx)
{
	if (!make_frame(ctx))
		return XDP_ABORTED;
	return bpf_redirect_map(&bench_devs, 0, XDP_ABORTED);
}

/* ---- what is measured beside the product ---- */

SEC("xdp")
int bench_nothing(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_TX;
}

SEC("xdp")
int bench_bare(struct xdp_md *ctx)
{
	(void)ctx;
	return bpf_redirect_map(&bench_devs, 1, XDP_DROP);
}

/*
 * The least that a tunnel can cost: parse, new MAC addresses, an empty outer header in front (or,
 * from a tunnel, the outer header off), and out of another interface.
 */
static __always_inline bool floor_frame(struct xdp_md *ctx, int delta)
{
	void *data = (void *)(long)ctx->data;
	struct iphdr *ip = data + ETH_LEN;
	struct ethhdr *eth = data;
	__u16 len;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || eth->h_proto != bpf_htons(0x0800) ||
	    ip->ihl != 5)
		return false;
	len = bpf_ntohs(ip->tot_len);
	if (bpf_xdp_adjust_head(ctx, delta))
		return false;
	data = (void *)(long)ctx->data;
	eth = data;
	ip = data + ETH_LEN;
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(eth->h_dest, "\x02\0\0\0\0\x01", 6);
	__builtin_memcpy(eth->h_source, "\x02\0\0\0\0\x02", 6);
	eth->h_proto = bpf_htons(0x0800);
	if (delta > 0)
		return true;
	*ip = (struct iphdr){.version = 4, .ihl = 5, .ttl = 64, .protocol = 4};
	ip->tot_len = bpf_htons(len + IP_LEN);
	return true;
}

/* The same with an IPv6 header. */
static __always_inline bool floor_frame6(struct xdp_md *ctx, int delta)
{
	void *data = (void *)(long)ctx->data;
	struct ethhdr *eth = data;
	struct ipv6hdr *ip = data + ETH_LEN;
	__u16 len;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return false;
	if (delta > 0 ? eth->h_proto != bpf_htons(0x86dd) : eth->h_proto != bpf_htons(0x0800))
		return false;
	len = bpf_ntohs(((struct iphdr *)ip)->tot_len);
	if (bpf_xdp_adjust_head(ctx, delta))
		return false;
	data = (void *)(long)ctx->data;
	eth = data;
	ip = data + ETH_LEN;
	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return false;
	__builtin_memcpy(eth->h_dest, "\x02\0\0\0\0\x01", 6);
	__builtin_memcpy(eth->h_source, "\x02\0\0\0\0\x02", 6);
	eth->h_proto = delta > 0 ? bpf_htons(0x0800) : bpf_htons(0x86dd);
	if (delta > 0)
		return true;
	*ip = (struct ipv6hdr){.version = 6, .nexthdr = 4, .hop_limit = 64};
	ip->payload_len = bpf_htons(len);
	return true;
}

static __always_inline bool floor_tunnel(struct xdp_md *ctx, int sign)
{
	if (job.tunnel == BENCH_IP6)
		return floor_frame6(ctx, sign * BENCH_IP6_LEN);
	return floor_frame(ctx, sign * (job.tunnel == BENCH_GRE ? IP_LEN + GRE_LEN : IP_LEN));
}

SEC("xdp")
int bench_floor_in(struct xdp_md *ctx)
{
	return floor_tunnel(ctx, -1) ? bpf_redirect_map(&bench_devs, 1, XDP_DROP) : XDP_ABORTED;
}

SEC("xdp")
int bench_floor_out(struct xdp_md *ctx)
{
	return floor_tunnel(ctx, 1) ? bpf_redirect_map(&bench_devs, 1, XDP_DROP) : XDP_ABORTED;
}

/* One line of memory for each binding, as far from the cache as the product's tables. */
struct bench_line {
	__u64 word[8];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bench_line);
} bench_lines SEC(".maps");

/* The least that any lookup among n can cost: the floor, and one line of memory. */
SEC("xdp")
int bench_touch(struct xdp_md *ctx)
{
	__u32 i = (__u32)(((job.random & 0xffffffff) * job.n) >> 32);
	struct bench_line *line = bpf_map_lookup_elem(&bench_lines, &i);

	if (!line || line->word[0])
		return XDP_ABORTED;
	return floor_frame(ctx, -IP_LEN) ? bpf_redirect_map(&bench_devs, 1, XDP_DROP) : XDP_ABORTED;
}

/* The same for TC: TTL and tunnel header are nobody's here, the kernel makes them. */
static __always_inline int tc_floor(struct __sk_buff *ctx, __u32 l2)
{
	struct iphdr *ip = (void *)(long)ctx->data + l2;
	struct ethhdr *eth;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || ip->ihl != 5)
		return TC_FAILED;
	if (!l2 && bpf_skb_change_head(ctx, ETH_LEN, 0))
		return TC_FAILED;
	eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return TC_FAILED;
	__builtin_memcpy(eth->h_dest, "\x02\0\0\0\0\x01", 6);
	__builtin_memcpy(eth->h_source, "\x02\0\0\0\0\x02", 6);
	eth->h_proto = bpf_htons(0x0800);
	return (int)bpf_redirect(job.tc_out, 0);
}

SEC("tc")
int bench_tc_floor_in(struct __sk_buff *ctx)
{
	return tc_floor(ctx, ETH_LEN);
}

SEC("tc")
int bench_tc_floor_out(struct __sk_buff *ctx)
{
	return tc_floor(ctx, 0);
}

SEC("tc")
int bench_tc_nothing(struct __sk_buff *ctx)
{
	(void)ctx;
	return 0;
}

/* Without Ethernet header: room for one is made in all three, and so in none of the figures. */
SEC("tc")
int bench_tc_room(struct __sk_buff *ctx)
{
	return bpf_skb_change_head(ctx, ETH_LEN, 0) ? TC_FAILED : 0;
}

/* The other end of the wire. */
SEC("xdp")
int bench_sink(struct xdp_md *ctx)
{
	(void)ctx;
	received++;
	return XDP_DROP;
}

/* A veth's end that must have a program for its peer's sake. */
SEC("xdp")
int bench_pass(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual BSD/GPL";
