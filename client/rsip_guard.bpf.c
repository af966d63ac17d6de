// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * bind() in the programs' namespace succeeds only for leased ports; everywhere else it is left
 * alone.
 *
 * Attached to the root control group, so that no process has to be moved: the namespace's cookie
 * says whose bind() it is.  The kernel's own choice of ports (bind to 0, connect, sendto) is
 * limited by the namespace's settings, and the gateway drops what gets past both.
 */
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

#define ALLOW 1
#define DENY 0
#define IPPROTO_UDP_ 17
#define IKE_PORT 500 /* demultiplexed by cookie (RFC 3104 4), not by port: nobody leases it */
#define IKE_NAT_PORT 4500

const volatile __u64 rsip_guard_netns = 0;

/* rsip_guard_ports: one bit a port.  Written by rsip-client. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536 / 64);
	__type(key, __u32);
	__type(value, __u64);
} rsip_guard_ports SEC(".maps");

/* rsip_guard_wakes: something each time a socket was made and the client wanted to know. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} rsip_guard_wakes SEC(".maps");

__u32 rsip_guard_armed = 0; /* set by the client: it has seen all up to now */

/*
 * A program is about to use a port: the client looks whether enough are left.  Here and not at
 * connect() or sendto(), which other programs of the machine call for each packet.
 */
SEC("cgroup/sock_create")
int rsip_sock_create(struct bpf_sock *ctx)
{
	__u32 *word;

	if (bpf_get_netns_cookie(ctx) != rsip_guard_netns || !rsip_guard_armed)
		return ALLOW;
	rsip_guard_armed = 0;
	word = bpf_ringbuf_reserve(&rsip_guard_wakes, sizeof(*word), 0);
	if (word) {
		*word = 1;
		bpf_ringbuf_submit(word, 0);
	}
	return ALLOW;
}

static __always_inline int judge(struct bpf_sock_addr *ctx)
{
	__u32 port = bpf_ntohs(ctx->user_port);
	__u32 word = port >> 6;
	__u64 *bits;

	if (!port || bpf_get_netns_cookie(ctx) != rsip_guard_netns)
		return ALLOW;
	if (ctx->protocol == IPPROTO_UDP_ && (port == IKE_PORT || port == IKE_NAT_PORT))
		return ALLOW;
	bits = bpf_map_lookup_elem(&rsip_guard_ports, &word);
	return bits && *bits & 1ULL << (port & 63) ? ALLOW : DENY;
}

SEC("cgroup/bind4")
int rsip_bind4(struct bpf_sock_addr *ctx)
{
	/* What stays on the loopback device needs no lease. */
	if ((bpf_ntohl(ctx->user_ip4) >> 24) == 127)
		return ALLOW;
	return judge(ctx);
}

/* An IPv6 socket bound to :: takes IPv4 as well. */
SEC("cgroup/bind6")
int rsip_bind6(struct bpf_sock_addr *ctx)
{
	if (!ctx->user_ip6[0] && !ctx->user_ip6[1] && !ctx->user_ip6[2] &&
	    ctx->user_ip6[3] == bpf_htonl(1))
		return ALLOW;
	return judge(ctx);
}

char _license[] SEC("license") = "Dual BSD/GPL";
