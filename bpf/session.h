/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * L2TP (RFC 2661): the kernel ends the tunnel, so nothing is put in front of a packet here; it goes into, or has come out of, the PPP
 * interface of its host.
 */
#ifndef RSIP_BPF_SESSION_H
#define RSIP_BPF_SESSION_H

/* Of an outer header over IPv4, IP-IP or GRE. */
static __always_inline __u32 rsip_tunnel_len(__u32 tunnel)
{
	return tunnel == RSIP_TUNNEL_GRE ? RSIP_TUNNEL_LEN(RSIP_TUNNEL_GRE) : RSIP_TUNNEL_LEN(RSIP_TUNNEL_IPIP);
}

/* Bytes that a program puts in front of a packet for such a tunnel of this host.  XDP leaves L2TP to TC. */
static __always_inline __u32 rsip_tunnel_front(__be32 host, __u32 tunnel)
{
	if (!RSIP_CTX_IS_XDP && tunnel == RSIP_TUNNEL_L2TP)
		return 0;
	return rsip_tunnel_len(tunnel) + (RSIP_HOST6_IS(host) ? RSIP_OUTER6_MORE : 0U);
}

/*
 * The way to a host in L2TP: walk->out_iface, and walk->mtu where its interface takes less.  What the kernel has cut to fit
 * the other tunnels goes whole: RFC 1661 6.1 has every receiver take 1,500 bytes.  0 or
 * -RSIP_DROP_NO_SESSION.
 */
static __always_inline int rsip_session_hop(struct rsip_walk *walk, const struct rsip_binding *rec)
{
	struct rsip_session *session;
	__be32 host = rec->host;
	__u32 *found, ifindex;

	found = bpf_map_lookup_elem(&rsip_ppp_of, &host);
	if (!found)
		return -RSIP_DROP_NO_SESSION;
	ifindex = *found;
	session = bpf_map_lookup_elem(&rsip_sessions, &ifindex);
	if (!session || session->host != host)
		return -RSIP_DROP_NO_SESSION;
	walk->out_iface = RSIP_OUT_IFINDEX | ifindex;
	if (rsip_is_forwarded(walk))
		walk->mtu = 0xffff;
	else if (session->mtu < walk->mtu)
		walk->mtu = session->mtu;
	return 0;
}

#endif
