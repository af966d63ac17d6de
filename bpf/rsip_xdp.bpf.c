// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The way of a packet, one program for each side.  docs/packet-flow.md draws it. */
#include "vmlinux.h"
#include <stdbool.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "maps.h"
#include "config.h"
#include "parse.h"
#include "tables.h"
#include "verdict.h"
#include "spoof.h"
#include "claims.h"
#include "icmp.h"
#include "demux.h"
#include "owner.h"
#include "encap.h"
#include "nexthop.h"
#include "arp.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* False: the interface is not one of ours. */
static __always_inline bool walk_start(struct walk *w, struct xdp_md *ctx, __u8 role)
{
	long len = (long)frame_end(ctx) - (long)frame_data(ctx);

	w->ctx = ctx;
	w->iface_index = iface_of(ctx->ingress_ifindex);
	w->iface = iface_at(w->iface_index);
	if (!w->iface_index || !w->iface || w->iface->role != role)
		return false;
	w->cpu = bpf_get_smp_processor_id();
	w->len = len > ETH_LEN ? len - ETH_LEN : 0;
	w->now_ns = 0;
	return true;
}

/* Inner packet to its host: TTL, length, next hop, tunnel.  `event` says which counter it is. */
static __always_inline int deliver(struct walk *w, struct iphdr *ip, const struct rsip_binding *b, __u32 slot, __u32 event)
{
	struct inner in = inner_of(ip);
	__u64 word;
	int err;

	if (in.tot_len > b->mtu)
		return -RSIP_DROP_TOO_BIG;
	err = nexthop_host(w, b, &word);
	if (err)
		return err;
	err = ttl_decrement(ip);
	if (err)
		return err;
	in.tos = ip->tos;
	err = trim(w->ctx, in.tot_len);
	if (err)
		return err;
	err = encapsulate(w, &in, b, word);
	if (err < 0)
		return err;
	count_in(w, slot, in.tot_len);
	count_packet(w, event, in.tot_len);
	return err;
}

static __always_inline int inbound(struct walk *w)
{
	void *data = frame_data(w->ctx), *end = frame_end(w->ctx);
	struct eth *eth = data;
	struct rsip_binding *b;
	struct iphdr *hdr;
	struct owner o;
	struct ip4 ip;
	__u32 index;
	__be32 local;
	int err;

	if (!FITS(eth, ETH_LEN, end))
		return pass(w);
	if (eth->proto == bpf_htons(ETH_P_ARP))
		return arp_answer(w, data, end);
	hdr = data + ETH_LEN;
	if (eth->proto != bpf_htons(ETH_P_IP) || !FITS(hdr, sizeof(*hdr), end))
		return pass(w);
	local = hdr->daddr;
	if (!addr_find(local, &index))
		return in_private_net(local) ? -RSIP_DROP_DST_PRIVATE : pass(w);
	err = ip4_parse(hdr, end, &ip);
	if (err)
		return err;
	err = check_public_source(hdr->saddr);
	if (err)
		return err;
	if (ip4_is_fragment(&ip)) {
		count(w, RSIP_CNT_FRAGMENT_PASSED, 1);
		return XDP_PASS;
	}
	err = demux(local, index, &ip, &o);
	if (err)
		return err;
	err = owner_check(w, &o, local, &b);
	if (err)
		return err;
	return deliver(w, hdr, b, o.slot, RSIP_CNT_ENCAPSULATED);
}

SEC("xdp")
int rsip_xdp_pub(struct xdp_md *ctx)
{
	struct walk w;

	if (!walk_start(&w, ctx, RSIP_ROLE_PUBLIC))
		return XDP_PASS;
	return verdict(&w, inbound(&w));
}

/* From one host to a leased address of another, without leaving. */
static __always_inline int hairpin(struct walk *w, struct ip4 *in, __u32 outer_len, __u32 dst_index, __u32 src_slot)
{
	void *data, *end;
	struct rsip_binding *b;
	struct iphdr *hdr = in->hdr;
	__u32 tot_len = in->tot_len;
	struct owner o;
	int err;

	err = demux(hdr->daddr, dst_index, in, &o);
	if (err)
		return err;
	err = owner_check(w, &o, hdr->daddr, &b);
	if (err)
		return err;
	err = decapsulate(w, outer_len);
	if (err)
		return err;
	data = frame_data(w->ctx);
	end = frame_end(w->ctx);
	hdr = data + ETH_LEN;
	if (!FITS(hdr, sizeof(*hdr), end))
		return -RSIP_DROP_INTERNAL;
	err = deliver(w, hdr, b, o.slot, RSIP_CNT_HAIRPINNED);
	if (err >= 0)
		count_out(w, src_slot, tot_len);
	return err;
}

/* Out of the tunnel and on to the public realm; to the kernel where it must find the neighbour first. */
static __always_inline int release(struct walk *w, struct ip4 *in, __u32 outer_len, __u32 slot)
{
	struct eth *eth = frame_data(w->ctx);
	__u32 tot_len = in->tot_len;
	struct hop hop;
	int err;

	err = nexthop_public(w, in->hdr, &hop);
	if (err)
		return err;
	if (hop.resolve) { /* the kernel decrements the TTL itself, and answers if it runs out */
		__builtin_memcpy(hop.dst_mac, w->iface->mac, 6);
		if (!FITS(eth, ETH_LEN, frame_end(w->ctx)))
			return -RSIP_DROP_INTERNAL;
		__builtin_memcpy(hop.src_mac, eth->src, 6);
	} else {
		err = ttl_decrement(in->hdr);
		if (err)
			return err;
	}
	err = decapsulate(w, outer_len);
	if (!err)
		err = trim(w->ctx, tot_len);
	if (!err)
		err = ethernet_write(w, hop.dst_mac, hop.src_mac);
	if (err)
		return err;
	count_out(w, slot, tot_len);
	count_packet(w, RSIP_CNT_DECAPSULATED, tot_len);
	if (hop.resolve) {
		count(w, RSIP_CNT_SLOW_PATH, 1);
		return XDP_PASS;
	}
	return bpf_redirect_map(&rsip_devs, hop.iface, XDP_DROP);
}

static __always_inline int outbound(struct walk *w)
{
	void *data = frame_data(w->ctx), *end = frame_end(w->ctx);
	struct tunnelled t = { .tunnel = 1 /* IP-IP */ };
	struct iphdr *outer = data + ETH_LEN;
	__u32 index, dst_index, slot;
	struct eth *eth = data;
	struct rsip_binding *b;
	struct ip4 out, in;
	int err;

	if (!FITS(outer, sizeof(*outer), end) || eth->proto != bpf_htons(ETH_P_IP))
		return pass(w);
	if (outer->daddr != w->iface->endpoint || outer->protocol != IPPROTO_IPIP)
		return pass(w);
	err = ip4_parse(outer, end, &out);
	if (err)
		return err;
	if (ip4_is_fragment(&out)) {
		count(w, RSIP_CNT_FRAGMENT_PASSED, 1);
		return XDP_PASS;
	}
	t.host = outer->saddr;
	__builtin_memcpy(t.mac, eth->src, 6);
	err = ip4_parse(out.l4, end, &in);
	if (err)
		return err;
	if (in.tot_len > ip4_payload(&out))
		return -RSIP_DROP_MALFORMED;
	if (!addr_find(in.hdr->saddr, &index))
		return -RSIP_DROP_LOCAL_ADDR_UNALLOWED;
	err = owner_find(w, &t, &in, index, &slot, &b);
	if (err)
		return err;
	err = ecn_decapsulate(in.hdr, outer->tos);
	if (err)
		return err;
	if (addr_find(in.hdr->daddr, &dst_index)) {
		if (ip4_is_fragment(&in))
			return -RSIP_DROP_NO_PROTOCOL;
		return hairpin(w, &in, out.hdr_len, dst_index, slot);
	}
	err = check_remote_destination(w, in.hdr->daddr);
	if (err)
		return err;
	return release(w, &in, out.hdr_len, slot);
}

SEC("xdp")
int rsip_xdp_priv(struct xdp_md *ctx)
{
	struct walk w;

	if (!walk_start(&w, ctx, RSIP_ROLE_PRIVATE))
		return XDP_PASS;
	return verdict(&w, outbound(&w));
}
