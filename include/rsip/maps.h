/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The contract between data plane, loader and controller: every BPF map's key and value.
 *
 * Included by BPF programs (after vmlinux.h) and by user space.  All tables that a packet reads are plain
 * arrays: their lookup is inlined, they are memory-mapped (BPF_F_MMAPABLE), and one process writes them
 * without system calls.  Who writes what:
 *
 *   loader   rsip_config rsip_iftab rsip_ifaces rsip_devs rsip_undo rsip_sessions rsip_ppp_of
 *   rsipd    rsip_policy rsip_addrs rsip_addr_info rsip_blocks rsip_ports rsip_spis rsip_pairs rsip_remotes rsip_bindings
 *            rsip_hosts6 rsip_host6_tab; mac and mtu in rsip_ifaces, when a device changes after attach
 *   packets  rsip_events rsip_event_gate rsip_learned (but for gen, slot, host, local) rsip_cookies rsip_spis_out
 *            rsip_ike_peers rsip_idents rsip_ident_ring rsip_bind_cnt rsip_counters rsip_nexthops rsip_frags
 *            rsip_gather rsip_turned rsip_icmp_rate rsip_scratch
 *
 * Publish order: the binding record is the truth.  It is written first, then the tables that point to it;
 * on removal the tables are cleared first, then the record's expiry is zeroed, and the slot rests for a
 * grace period (membarrier) before it is written again.  A pointer word (slot) is one aligned 4-byte store,
 * an address entry one 8-byte store.
 *
 * Byte order is in the type: __be16/__be32 are network order, __u16/__u32 host order.
 */
#ifndef RSIP_MAPS_H
#define RSIP_MAPS_H

#ifndef __VMLINUX_H__
#include <linux/types.h>
#endif
#include "reasons.h"

/* From host to network order, and back: BPF and user space have no htonl() in common. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define RSIP_SWAP32(word) __builtin_bswap32(word)
#else
#define RSIP_SWAP32(word) (word)
#endif

#define RSIP_LAYOUT_VERSION 18
/*
 * The oldest layout that `rsip-loader upgrade` goes on from: since then maps, counters and fields were only added, fields
 * at the end of a value, in its padding or in bits that were always 0, where 0 means what was before.
 */
#define RSIP_LAYOUT_OLDEST 7
/* Beside layout_version: an upgrade copies maps that it makes anew, and an rsipd that still has the old ones open must not write them. */
#define RSIP_LAYOUT_MOVING 0x80000000U
#define RSIP_PIN_PATH_DEFAULT "/sys/fs/bpf/rsip"

#define RSIP_MAX_IFACES 64 /* interfaces that carry our programs */
#define RSIP_MAX_NETS 32 /* private networks */
#define RSIP_MAX_ENDPOINTS 8 /* tunnel endpoints beside those of the interfaces */
#define RSIP_CLAIMS_MAX 64 /* IKE cookies one (host, address) pair can hold: rfc 3104 6.1, capped */
#define RSIP_IKE_PEERS_MAX 16 /* IKE peers remembered per pair, to find the only host that talks to one */
#define RSIP_IKE_PEER_HOSTS 4 /* hosts of one address remembered per IKE peer; more are "many" */
#define RSIP_IKE_ANSWER_S 86400 /* how long an answered exchange makes a host known to a peer */
#define RSIP_SPI_OUT_MAX 8 /* outbound SPIs remembered per pair, for ICMP errors about them */
#define RSIP_IDENTS_MAX 64 /* ICMP query identifiers one binding can hold */
#define RSIP_IDENT_S 60 /* how long one is its owner's after its last query */
#define RSIP_MAX_SESSIONS 16384 /* hosts whose L2TP session is up */
#define RSIP_NEXTHOPS 1024 /* public next hops cached per CPU; a power of two */
#define RSIP_NEXTHOP_TTL_NS 1000000000ULL

/* ---- rsip_config: array of 1, written once by the loader -------------------------------------------- */

struct rsip_config {
	__u32 layout_version; /* RSIP_LAYOUT_VERSION */
	__u32 cpus; /* possible CPUs: rows of the per-CPU arrays */
	__u64 hash_seed; /* from a CSPRNG at attach: hosts cannot aim at a bucket */
	__u32 max_bindings; /* rsip_bindings has max_bindings + 1 records; slot 0 is "none" */
	__u32 max_addrs; /* address indices 0 .. max_addrs - 1 */
	__u32 max_learned; /* rsip_learned has max_learned + 1 records; 0 is "none" */
	__u32 addr_buckets; /* a power of two >= 2; likewise the next two */
	__u32 spi_buckets;
	__u32 pair_buckets;
	__u32 mode; /* enum rsip_mode */
	__u32 tunnels; /* 1 << tunnel type (RFC 3103 8.6): those that the programs can open and make */
	__u64 attached_ns; /* CLOCK_MONOTONIC */
	__u32 remote_buckets; /* as pair_buckets */
	__u32 max_hosts6; /* rsip_hosts6 has max_hosts6 + 1 records; 0: no interface serves hosts over IPv6 */
};
_Static_assert(sizeof(struct rsip_config) == 64, "rsip_config");

#define RSIP_CONFIG_TUNNELS (1U << 1 | 1U << 2 | 1U << 3) /* what the programs of this version can: IP-IP, GRE, L2TP */

enum rsip_mode {
	RSIP_MODE_NATIVE = 1,
	RSIP_MODE_GENERIC = 2,
	RSIP_MODE_TC = 3,
};

/* ---- rsip_policy: array of 1, written by rsipd ------------------------------------------------------- */

struct rsip_net {
	__be32 addr;
	__be32 mask;
};

struct rsip_policy {
	__u32 route_gen; /* raised at each route or neighbour event: flushes rsip_nexthops */
	__u32 flags; /* RSIP_POLICY_* */
	__u32 net_cnt; /* entries used of private_nets */
	__u32 endpoint_cnt; /* and of endpoints */
	__u64 alive_ns; /* CLOCK_MONOTONIC: rsipd was at work; see RSIP_ALIVE_NS */
	__u32 pool_first; /* host order: no pool address is outside pool_first .. pool_last, which only widen */
	__u32 pool_last; /* 0: there is none */
	struct rsip_net private_nets[RSIP_MAX_NETS];
	__be32 endpoints[RSIP_MAX_ENDPOINTS]; /* tunnels end here too; a binding says which is its own */
};
_Static_assert(sizeof(struct rsip_policy) == 32 + 8 * RSIP_MAX_NETS + 4 * RSIP_MAX_ENDPOINTS, "rsip_policy");

/* Without a sign of life for so long, nobody keeps the bindings' next hops right: the kernel is asked first. */
#define RSIP_ALIVE_NS 3000000000ULL

#define RSIP_POLICY_CHECK_MAC 0x1 /* a tunnel packet must come from the next hop's MAC address */
#define RSIP_POLICY_RULES 0x4 /* routes depend on more than the destination (ip rule): none is cached */
#define RSIP_POLICY_GRE 0x2 /* GRE to a tunnel endpoint is ours: it is offered, or still leased */

/* Also in flags, what becomes of the DSCP (RFC 3102 5.3.1); nothing: the outer one is a copy, the inner one stays. */
#define RSIP_DSCP_MASK 0x3fU
#define RSIP_DSCP_TUNNEL_SET (1U << 8) /* toward hosts: the outer one has the value at TUNNEL_SHIFT */
#define RSIP_DSCP_TUNNEL_SHIFT 9
#define RSIP_DSCP_IN_SET (1U << 15) /* toward hosts: the inner one becomes the value at IN_SHIFT, before it is copied */
#define RSIP_DSCP_IN_SHIFT 16
#define RSIP_DSCP_OUT_SET (1U << 22) /* from hosts: the inner one becomes the value at OUT_SHIFT */
#define RSIP_DSCP_OUT_TUNNEL (1U << 23) /* from hosts: it becomes the outer one */
#define RSIP_DSCP_OUT_SHIFT 24
#define RSIP_DSCP_ANY 0x3fffff00U
#define RSIP_BIND_DSCP_SET 0x40U /* rsip_binding.dscp: from this host the inner one becomes the value below, whatever flags say */

/* ---- interfaces --------------------------------------------------------------------------------------- */

/* rsip_iftab: array of RSIP_IFTAB_BUCKETS; bucket (ifindex % RSIP_IFTAB_BUCKETS) -> index in rsip_ifaces. */
#define RSIP_IFTAB_BUCKETS 64
struct rsip_iftab_bucket {
	struct {
		__u32 ifindex; /* 0: free */
		__u32 iface; /* index in rsip_ifaces and rsip_devs */
	} e[8];
};
_Static_assert(sizeof(struct rsip_iftab_bucket) == 64, "rsip_iftab_bucket");

#define RSIP_ROLE_PUBLIC 1
#define RSIP_ROLE_PRIVATE 2
#define RSIP_ROLE_SLOW 3 /* our own device: what the kernel has reassembled or fragmented for us */

/* rsip_ifaces: array of RSIP_MAX_IFACES.  rsip_devs (DEVMAP) has the same index.  Index 0 is never used. */
struct rsip_iface {
	__u32 ifindex; /* 0: unused */
	__u8 role; /* RSIP_ROLE_* */
	__u8 flags; /* RSIP_IFACE_* */
	__u8 mac[6];
	__be32 endpoint; /* private: our end of the hosts' tunnels; public: its address, or 0 */
	__u32 mtu; /* of the device, bytes of IP */
	char name[16];
	__be32 endpoint6[4]; /* private: the same for hosts with IPv6 addresses; 0: serves none */
	__u8 vmac[6]; /* of a virtual router (RFC 5798 7.3) that the interface receives for, too; 0: none */
	__u8 pad1[6];
};
_Static_assert(sizeof(struct rsip_iface) == 64, "rsip_iface");

#define RSIP_IFACE_NO_ETHERNET 0x1 /* no Ethernet header (PPP, TUN): TC only */
#define RSIP_IFACE_BUFFERS 0x2 /* takes frames of several buffers (longer than a page) that XDP redirects to it */

/*
 * Marks (skb->mark, as `ip rule` and nftables know it) of what our TC programs leave to the kernel.  One rule,
 * one route and one notrack line for each, made by the loader, bring it to the slow-path device.
 */
#define RSIP_MARK_POOL 0x52530001U /* for a pool address: to be reassembled or fragmented */
#define RSIP_MARK_TUNNEL 0x52530002U /* a fragment of a tunnel packet to us */
#define RSIP_MARK_KERNEL 0x52530003U /* back from the slow path: the machine's own */

/* ---- L2TP ---------------------------------------------------------------------------------------------- */

/*
 * The kernel ends L2TP tunnels (l2tp_ppp), and each host has a PPP interface of its own: packets are inside the tunnel
 * where our program on that interface sees them, without Ethernet header, and go into it where they are sent there.
 * Both maps are written when the session comes up (rsip-loader session add).
 *
 * rsip_ppp_of: DEVMAP_HASH; key host (outer source of its tunnel, network order) -> ifindex of its PPP interface.  The kernel itself
 * removes the entry of a device that goes.
 *
 * rsip_sessions: hash; key that ifindex -> whose it is.  Read only by the program on the device: what is left of one
 * that has gone does no harm until its place is needed.
 */
struct rsip_session {
	__be32 host;
	__be32 endpoint; /* our end of its tunnel */
	__be32 own; /* addresses of the link itself: ours */
	__be32 peer; /* and the host's */
	__u8 iface; /* the tunnel comes in by it: index in rsip_ifaces */
	__u8 flags; /* RSIP_SESSION_* */
	__u16 mtu; /* of the PPP interface */
	__u32 ifindex; /* the key again: the value of a hash may be another key's by the time it is read */
	__u64 since_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct rsip_session) == 32, "rsip_session");

#define RSIP_SESSION_CLSACT 0x1 /* its qdisc is ours */

/* ---- addresses ---------------------------------------------------------------------------------------- */

/* rsip_addrs: array of addr_buckets; key address -> address index.  Two-choice buckets, see rsip_bucket(). */
struct rsip_addr_entry {
	__be32 addr; /* 0: free */
	__u32 index;
};
struct rsip_addr_bucket {
	struct rsip_addr_entry e[8];
};
_Static_assert(sizeof(struct rsip_addr_bucket) == 64, "rsip_addr_bucket");

/* first .. first + cnt - 1; cnt 0: none.  Written and read as one word. */
struct rsip_span16 {
	__u16 first;
	__u16 cnt;
};
struct rsip_span32 {
	__u32 first;
	__u32 cnt;
};
#define RSIP_KERNEL_PORT_SPANS 4
#define RSIP_KERNEL_ID_SPANS 2
#define RSIP_KERNEL_SPI_SPANS 2

/* rsip_addr_info: array of max_addrs.  What no binding claims and one of the spans holds is the machine's own. */
struct rsip_addr_info {
	__be32 addr;
	__u32 flags; /* RSIP_ADDR_* */
	__u32 whole_slot; /* RSA-IP: the binding that owns the whole address, else 0 */
	__u32 pool; /* index in the configuration, for people */
	struct rsip_span16 kernel_ports[RSIP_KERNEL_PORT_SPANS];
	struct rsip_span16 kernel_ids[RSIP_KERNEL_ID_SPANS]; /* ICMP identifiers */
	struct rsip_span32 kernel_spis[RSIP_KERNEL_SPI_SPANS];
	__u32 pad[2];
};
_Static_assert(sizeof(struct rsip_addr_info) == 64, "rsip_addr_info");

#define RSIP_ADDR_LIVE 0x1
#define RSIP_ADDR_GUESS 0x2 /* IKE without a cookie of a host's goes to the only host that talks to its sender */
#define RSIP_ADDR_KERNEL_IKE 0x4 /* the machine itself speaks IKE here: never guess, it may be for the kernel */

/*
 * Who leases a port is in one of two tables, and does not change its place while it is leased.  rsip_blocks has an
 * entry for each aligned block of 64 ports, of those that one binding leases from end to end: they fit into the cache
 * where their ports do not, and are asked first.  What no block has is in rsip_ports.
 *
 * rsip_blocks: array of max_addrs * 64; element (index << 6 | port >> 10) holds 16 blocks' slots.
 */
#define RSIP_PORT_BLOCK_SHIFT 6
#define RSIP_PORT_BLOCK (1U << RSIP_PORT_BLOCK_SHIFT)
#define RSIP_PORT_BLOCKS (65536U >> RSIP_PORT_BLOCK_SHIFT) /* of an address */
struct rsip_block_line {
	__u32 slot[16]; /* 0: not leased as a whole */
};
_Static_assert(sizeof(struct rsip_block_line) == 64, "rsip_block_line");

/* rsip_ports: array of max_addrs * 4096; element (index << 12 | port >> 4) holds 16 ports' slots. */
struct rsip_port_line {
	__u32 slot[16]; /* 0: not leased */
};
_Static_assert(sizeof(struct rsip_port_line) == 64, "rsip_port_line");

/* ---- SPIs and pairs: two-choice buckets of four 16-byte entries ----------------------------------------- */

/*
 * rsip_spis: array of spi_buckets; key (address, SPI >> 3).  An entry covers cnt SPIs from first, all in one
 * aligned block of 8, so a range costs one entry per 8 SPIs.  The two buckets of a block have room for eight
 * entries: for each of its SPIs an owner of its own, as hosts may ask for them by number.  Serves protocols 50 and 51, UDP 4500 payloads
 * and IKE labels (the upper half of a host's IKE SPI).
 */
#define RSIP_SPI_BLOCK_SHIFT 3
#define RSIP_SPI_BLOCK (1U << RSIP_SPI_BLOCK_SHIFT)
struct rsip_spi_entry {
	__be32 addr;
	__u32 first; /* host order; with cnt inside one block */
	__u32 cnt; /* 1 .. 8 */
	__u32 slot; /* 0: free; written last, cleared first */
};
struct rsip_spi_bucket {
	struct rsip_spi_entry e[4];
};
_Static_assert(sizeof(struct rsip_spi_bucket) == 64, "rsip_spi_bucket");

/*
 * rsip_pairs: array of pair_buckets; key (outer source, inner source) = (host address, leased address).
 * Each slot names the binding of the pair that expires last, so that a pair lives as long as its bindings; one
 * without a remote goes before all that have one (RFC 3103 7.2).  Above the slot the same word says which tunnel
 * types these bindings have: a packet that the pair owns may come in any of them.
 */
#define RSIP_PAIR_TUNNEL_SHIFT 28
#define RSIP_PAIR_SLOT(word) ((word) & ((1U << RSIP_PAIR_TUNNEL_SHIFT) - 1))
#define RSIP_PAIR_TUNNELS(word) ((word) >> RSIP_PAIR_TUNNEL_SHIFT) /* 1 << tunnel type */
#define RSIP_PAIR_WORD(slot, tunnels) ((slot) | (tunnels) << RSIP_PAIR_TUNNEL_SHIFT)
struct rsip_pair_entry {
	__be32 host; /* 0: free; written last, cleared first */
	__be32 local;
	__u32 slot; /* RSIP_PAIR_WORD: any method */
	__u32 ipsec_slot; /* RSIP_PAIR_WORD: RSIPSEC, or 0 */
};
struct rsip_pair_bucket {
	struct rsip_pair_entry e[4];
};
_Static_assert(sizeof(struct rsip_pair_bucket) == 64, "rsip_pair_bucket");

/*
 * rsip_remotes: array of remote_buckets; key (host, leased address, remote, RSIP_REMOTE_IPSEC or not).  The pair's
 * binding for this remote that expires last, of any method, or of RSIPSEC only: asked where rsip_pairs names a
 * binding for another remote.
 *
 * A listener on UDP 500 or 4500 for one remote (RSIP_KIND_IKE) is here too: in place of the host, which the packet
 * does not name, its key has the port (RSIP_LISTEN_HOST; no host has an address in 0/8).
 */
#define RSIP_REMOTE_IPSEC 0x80000000U
struct rsip_remote_entry {
	__be32 host;
	__be32 local;
	__be32 remote;
	__u32 slot; /* 0: free; with RSIP_REMOTE_IPSEC; written last, cleared first */
};
struct rsip_remote_bucket {
	struct rsip_remote_entry e[4];
};
_Static_assert(sizeof(struct rsip_remote_bucket) == 64, "rsip_remote_bucket");

/* ---- hosts with IPv6 addresses --------------------------------------------------------------------------- */

/*
 * Such a host has a handle: an address of 240.0.0.0/4, which stands for it wherever records, tables and events have a host in
 * 4 bytes.  An IPv4 source of that network is never a host's (RSIP_DROP_SRC_SPOOFED).  A handle rests between two hosts.
 *
 * rsip_hosts6: array of max_hosts6 + 1; index of the handle -> the address.  Index 0 is no host.
 * rsip_host6_tab: array of rsip_host6_buckets(); key address -> index, two-choice buckets of three.
 */
struct rsip_host6 {
	__be32 addr[4];
};
_Static_assert(sizeof(struct rsip_host6) == 16, "rsip_host6");

struct rsip_host6_entry {
	__be32 addr[4];
	__u32 index; /* 0: free; written last, cleared first */
};
struct rsip_host6_bucket {
	struct rsip_host6_entry e[3];
	__u32 pad;
};
_Static_assert(sizeof(struct rsip_host6_bucket) == 64, "rsip_host6_bucket");

/* Buckets of rsip_host6_tab: a power of two, two thirds full at most. */
static inline __attribute__((always_inline)) __u32 rsip_host6_buckets(__u32 max_hosts6)
{
	__u32 n = 2;

	while (n < max_hosts6 / 2 + 1)
		n *= 2;
	return n;
}

#define RSIP_HOST6_NET 0xf0000000U /* 240.0.0.0/4 in host order */
#define RSIP_HOST6_MAX 0x00ffffffU
#define RSIP_HOST6_HANDLE(index) ((__be32)RSIP_SWAP32(RSIP_HOST6_NET | (__u32)(index)))
#define RSIP_HOST6_INDEX(handle) (RSIP_SWAP32((__u32)(handle)) & ~RSIP_HOST6_NET)
#define RSIP_HOST6_IS(host) ((RSIP_SWAP32((__u32)(host)) & RSIP_HOST6_NET) == RSIP_HOST6_NET)

/* Bytes of tunnel header in front of a host's inner packets (rsip/wire.h). */
#define RSIP_FRONT_LEN(host, tunnel) (RSIP_TUNNEL_LEN(tunnel) + (RSIP_HOST6_IS(host) ? RSIP_OUTER6_MORE : 0U))

/* ---- bindings ------------------------------------------------------------------------------------------ */

/* The host's next hop in one atomic word: 6 bytes of MAC address, then the interface.  0: unknown. */
union rsip_nexthop {
	__u64 word;
	struct {
		__u8 mac[6];
		__u16 iface; /* index in rsip_ifaces of the private interface */
	};
};
_Static_assert(sizeof(union rsip_nexthop) == 8, "rsip_nexthop");

/* rsip_bindings: array of max_bindings + 1; one cache line per binding. */
struct rsip_binding {
	__u64 expires_ns; /* CLOCK_MONOTONIC; 0: not in use */
	__u64 nexthop; /* union rsip_nexthop */
	__be32 local; /* the leased address */
	__be32 host; /* the host's private address or handle: outer destination inbound, outer source outbound */
	__be32 endpoint; /* our end of the tunnel; 0: over IPv6, that of the interface */
	__u32 bind_id;
	__u32 client_id;
	__u32 addr_index;
	__u32 learned; /* RSIPSEC: index in rsip_learned, shared by the pair's RSIPSEC bindings; else 0 */
	__be32 remote; /* remote flow policy macro, micro; 0: any */
	__be16 remote_port; /* micro: the first of remote_port_cnt ports */
	__u16 remote_port_cnt; /* 0: any port */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ /* one word before layout 18: of the interface alone */
	__u8 iface; /* the registration's interface, index in rsip_ifaces */
	__u8 dscp; /* of what it sends: RSIP_BIND_DSCP_SET | value; 0: as the policy's flags say */
#else
	__u8 dscp;
	__u8 iface;
#endif
	__u16 mtu; /* longest inner packet toward the host, bytes */
	__u8 method; /* RSIP method: 1 RSA-IP, 2 RSAP-IP, 3 RSIPSEC */
	__u8 tunnel; /* 1 IP-IP, 2 GRE, 3 L2TP */
	__u8 transport; /* of the registration: 1 UDP, 2 TCP (kept here so that a restarted rsipd knows it) */
	__u8 kind; /* RSIP_KIND_* */
	__u32 res_cnt; /* its ports and SPIs: tells a restarted rsipd what a kill left half done */
};
_Static_assert(sizeof(struct rsip_binding) == 64, "rsip_binding");
_Static_assert(RSIP_MAX_IFACES <= 256, "an interface has one byte in rsip_binding");

/*
 * Where the binding that leases a whole block of ports lies, as a rule: in this slot, if it was free when it was installed.
 * So a packet can have its record fetched while it still asks rsip_blocks, which alone says whose the port is.  mask:
 * rsip_home_mask(max_bindings); 0, or more than max_bindings: such a block has no home.
 */
#define RSIP_HOME_SLOT(addr_index, port, mask) (((addr_index) << 10 | (port) >> RSIP_PORT_BLOCK_SHIFT) & (mask))

static inline __u32 rsip_home_mask(__u32 max_bindings)
{
	__u32 mask = 1;

	while (mask < max_bindings)
		mask = mask << 1 | 1;
	return mask;
}

/*
 * What was asked for: 0 an ASSIGN, LISTEN a LISTEN.  With IKE_500 or IKE_4500 beside it the listener has these
 * two UDP ports for its one remote only, and every host has them for all others: they count in res_cnt and are
 * not in rsip_ports.
 */
#define RSIP_KIND_LISTEN 0x1
#define RSIP_KIND_IKE_500 0x2
#define RSIP_KIND_IKE_4500 0x4
#define RSIP_KIND_IKE (RSIP_KIND_IKE_500 | RSIP_KIND_IKE_4500)

/* rsip_bind_cnt: array of cpus * (max_bindings + 1); element cpu * (max_bindings + 1) + slot. */
struct rsip_bind_cnt {
	__u64 in_packets; /* from the public realm to the host */
	__u64 in_bytes; /* of inner IP packets, both ways */
	__u64 out_packets;
	__u64 out_bytes;
};
_Static_assert(sizeof(struct rsip_bind_cnt) == 32, "rsip_bind_cnt");

/* ---- what packets teach ---------------------------------------------------------------------------------- */

/*
 * rsip_learned: array of max_learned + 1; one for each (host, address) pair that holds an RSIPSEC binding or a
 * listener for IKE.  rsipd writes gen, slot, host, local (gen rises when a pair takes the record: all older claims
 * are void); packets write the rest.
 */
struct rsip_learned {
	__u32 gen; /* odd or even, never reused soon; 0: free */
	__u32 slot; /* the pair's RSIPSEC binding that expires last; 0: only listeners */
	__be32 host;
	__be32 local;
	__u32 claim_seq; /* rises with each claim */
	__u32 spi_head; /* next place in spi_out, modulo RSIP_SPI_OUT_MAX */
	__u64 spi_newest; /* the newest (remote, SPI) as in spi_out: the hot path compares only this */
	__u64 claims[RSIP_CLAIMS_MAX]; /* cookies held; the oldest unanswered, then the oldest, gives way; 0: free */
	__u32 claim_at[RSIP_CLAIMS_MAX]; /* claim_seq when it was made */
	__u64 answered; /* a bit for each claim: the peer has answered */
	__u64 unused; /* until layout 16 some of the last line were here */
	__u64 spi_out[RSIP_SPI_OUT_MAX]; /* remote address in the low half, SPI in the high half, both as on the wire */
	__u64 unused2[2];
	__be32 peers[RSIP_IKE_PEERS_MAX]; /* those it is in rsip_ike_peers for, oldest overwritten */
	__u32 peer_head; /* next place in peers, modulo RSIP_IKE_PEERS_MAX */
	__u32 pad;
	/*
	 * All that a packet compares in an IKE exchange that goes on: the host's the first two, its peer's the others, each two
	 * in one line of the cache as a rule.  (Records of whole lines were worse: with 1,024 bytes these lines share few sets.)
	 */
	__u64 claimed_newest; /* the cookie last claimed, while it is among claims */
	__u64 peer_asked; /* IKE peer last written to in the low half, seconds in the high half */
	__u64 answered_newest; /* the cookie last answered */
	__u64 peer_answered; /* as peer_asked, heard from */
};
_Static_assert(RSIP_CLAIMS_MAX == 64, "rsip_learned.answered has a bit for each claim");
_Static_assert(sizeof(struct rsip_learned) ==
		       104 + 12 * RSIP_CLAIMS_MAX + 8 * RSIP_SPI_OUT_MAX + 4 * RSIP_IKE_PEERS_MAX, "rsip_learned");

/* rsip_cookies: hash; which pair speaks under this IKE cookie.  Inserted with BPF_NOEXIST: first owner wins. */
struct rsip_cookie_key {
	__u64 cookie; /* 8 bytes as on the wire */
	__be32 local;
	__u32 pad;
};
_Static_assert(sizeof(struct rsip_cookie_key) == 16, "rsip_cookie_key");

/* rsip_spis_out: hash; which pair sends ESP or AH with this SPI of the remote's (ICMP errors quote it). */
struct rsip_spi_out_key {
	__be32 local;
	__be32 remote;
	__be32 spi;
	__u32 pad;
} __attribute__((aligned(8)));
_Static_assert(sizeof(struct rsip_spi_out_key) == 16, "rsip_spi_out_key");

/*
 * Value of both: valid while rsip_learned[learned].gen == gen.  Read as one aligned 8-byte word, and kept in the map
 * combined with its key (RSIP_CLAIM_MASK, exclusive or): the kernel may give the place of a value that is being read
 * to another key, and then what was read makes no sense instead of naming the other key's owner.
 */
struct rsip_claim {
	__u32 learned;
	__u32 gen;
};
_Static_assert(sizeof(struct rsip_claim) == 8, "rsip_claim");

/* rsip_ike_peers: hash; which hosts of this address have IKE exchanges with this remote? */
struct rsip_ike_peer_key {
	__be32 local;
	__be32 remote;
};
_Static_assert(sizeof(struct rsip_ike_peer_key) == 8, "rsip_ike_peer_key");

/* Times are CLOCK_MONOTONIC seconds.  A place is taken over by one compare-and-swap of its claim. */
struct rsip_ike_peer {
	__u64 host[RSIP_IKE_PEER_HOSTS]; /* struct rsip_claim; 0: free */
	__u32 answered_s[RSIP_IKE_PEER_HOSTS]; /* when the remote last answered it; 0: not yet */
	__u32 crowded_s; /* when an answered host found no place; 0: never */
	__be32 local; /* the key again: the value of a hash may be another key's by the time it is read */
	__be32 remote;
	__u32 pad;
};
_Static_assert(sizeof(struct rsip_ike_peer) == 64, "rsip_ike_peer");

/* rsip_idents: hash; whose ICMP queries have this identifier?  First owner wins (RFC 3102 6.2). */
struct rsip_ident_key {
	__be32 local;
	__u32 ident; /* host order */
};
_Static_assert(sizeof(struct rsip_ident_key) == 8, "rsip_ident_key");

/* Valid while the slot has this binding. */
struct rsip_ident_owner {
	__u32 slot;
	__u32 bind_id;
};
_Static_assert(sizeof(struct rsip_ident_owner) == 8, "rsip_ident_owner");

struct rsip_ident {
	__u64 owner; /* struct rsip_ident_owner, combined with its key: RSIP_IDENT_MASK, exclusive or */
	__u32 seen_s; /* CLOCK_MONOTONIC: the last query */
	__u32 pad;
};
_Static_assert(sizeof(struct rsip_ident) == 16, "rsip_ident");

/*
 * rsip_ident_ring: hash; key slot.  A binding's identifiers: it loses its own oldest, never another's.  rsipd removes
 * it when none of them is left.
 */
struct rsip_ident_ring {
	__u32 bind_id; /* another: the slot's binding before, all void */
	__u32 head; /* rises with each identifier; the next place, modulo RSIP_IDENTS_MAX */
	__u16 ident[RSIP_IDENTS_MAX];
};
_Static_assert(sizeof(struct rsip_ident_ring) == 8 + 2 * RSIP_IDENTS_MAX, "rsip_ident_ring");

/*
 * rsip_frags: array of cpus.  The kernel sends the fragments of one packet to the slow-path device one after
 * the other, the first one first: that one says whose the others are.
 */
struct rsip_frag_of { /* what all fragments of a packet have in common */
	__be32 saddr;
	__be32 daddr;
	__be16 id;
	__u8 proto;
	__u8 pad;
};
struct rsip_frag {
	struct rsip_frag_of of;
	__u32 slot; /* 0: the first was dropped */
};
_Static_assert(sizeof(struct rsip_frag) == 16, "rsip_frag");

/*
 * rsip_gather: array of cpus.  A tunnel packet comes to the slow-path device in fragments, too: the kernel puts it together and
 * takes it apart again to send it there, as it came but in order and one after the other.
 */
#define RSIP_GATHER_ALL 12288 /* longest payload of a tunnel packet in fragments; the kernel's programs may write 16,000 */
#define RSIP_GATHER_ONE 16384 /* and of one of them; a power of two */
struct rsip_gather {
	struct rsip_frag_of of;
	__u32 len; /* bytes there are; 0: it waits for a first one */
	__u8 data[RSIP_GATHER_ALL + RSIP_GATHER_ONE];
};
_Static_assert(sizeof(struct rsip_gather) == 16 + RSIP_GATHER_ALL + RSIP_GATHER_ONE, "rsip_gather");

/*
 * rsip_turned: array of RSIP_TURNED words; place and upper half are a hash of struct rsip_frag_of, the lower half is the sender's
 * record in rsip_learned, or 0: of a packet between two hosts that the kernel puts together.
 */
#define RSIP_TURNED 1024 /* a power of two; in reassembly at once, on the whole gateway */

/* rsip_icmp_rate: array of cpus; the token bucket of ICMP errors that we make. */
#define RSIP_ICMP_PER_S 1000
#define RSIP_ICMP_BURST 50
/* And what of them may go to one receiver: who sends rubbish must not use up what others are due. */
#define RSIP_ICMP_EACH_PER_S 50
#define RSIP_ICMP_EACH_BURST 20
#define RSIP_ICMP_RECEIVERS 1024 /* remembered; a power of two.  Two of one bucket share it */
struct rsip_bucket {
	__u64 filled_ns; /* CLOCK_MONOTONIC */
	__u32 tokens;
	__u32 pad;
};
_Static_assert(sizeof(struct rsip_bucket) == 16, "rsip_bucket");

/*
 * rsip_scratch: array of cpus; what would be too big for the stack, of which 6.1 gives a whole chain of calls 512
 * bytes.  Nothing is kept in it from packet to packet.
 */
struct rsip_scratch {
	__u64 fib[8]; /* struct bpf_fib_lookup */
	struct rsip_ike_peer peer;
};
_Static_assert(sizeof(struct rsip_scratch) == 128, "rsip_scratch");

/* rsip_nexthops: array of cpus * RSIP_NEXTHOPS; a cache of route lookups toward the public realm. */
struct rsip_nexthop_entry {
	__be32 dst;
	__u32 route_gen;
	__u64 filled_ns;
	__u8 dst_mac[6];
	__u8 src_mac[6];
	__u32 iface; /* index in rsip_ifaces */
};
_Static_assert(sizeof(struct rsip_nexthop_entry) == 32, "rsip_nexthop_entry");

/* rsip_counters: array of cpus * RSIP_MAX_IFACES; element cpu * RSIP_MAX_IFACES + iface. */
struct rsip_counters {
	__u64 cnt[RSIP_CNT_MAX];
};
_Static_assert(sizeof(struct rsip_counters) == 512, "rsip_counters");

/* rsip_undo: array of RSIP_UNDO_MAX; what the loader changed on the machine, so that detach can put it back. */
#define RSIP_UNDO_MAX 256
struct rsip_undo {
	char name[96]; /* a sysctl as a path below /proc/sys, or as loader/undo.h says; "" = free */
	char old[32]; /* its value before */
};
_Static_assert(sizeof(struct rsip_undo) == 128, "rsip_undo");

/* ---- violations ---------------------------------------------------------------------------------------- */

/*
 * rsip_events: ring buffer; a packet that broke a rule, for the ERROR_RESPONSE of RFC 3103 10.4, or, with
 * RSIP_REPORT_PMTU as its reason, what a router on the way to a host says of a tunnel packet of ours (RFC 1191, RFC 8201).
 */
#define RSIP_EVENTS_SIZE (64 * 1024) /* bytes of the ring */
struct rsip_event {
	__be32 host; /* outer source: what the sender calls itself; PMTU: the tunnel packet's destination */
	__be32 local; /* inner source; PMTU: inner destination, 0: not quoted */
	__be32 remote; /* inner destination; PMTU: the router; 0: it has an IPv6 address */
	union {
		__u16 local_port; /* host order; 0: none in sight */
		__u16 mtu; /* PMTU: of the next link; 0: the router is from before RFC 1191 */
	};
	union {
		__u16 remote_port;
		__u16 len; /* PMTU: of the tunnel packet, outer header included */
	};
	__u16 iface; /* of arrival */
	__u8 reason; /* RSIP_DROP_*, RSIP_REPORT_PMTU */
	__u8 proto; /* PMTU: of the tunnel, 4 or 47 */
	union {
		__u32 bind_id; /* of the host's binding that did not allow it; 0: none */
		__be32 endpoint; /* PMTU: the tunnel packet's source; 0: over IPv6 */
	};
};
#define RSIP_REPORT_PMTU 1 /* no drop reason has this number */
_Static_assert(sizeof(struct rsip_event) == 24, "rsip_event");

/* rsip_event_gate: array of cpus; keeps a flood of violations from becoming a flood of events. */
#define RSIP_EVENT_SLOTS 64
#define RSIP_EVENTS_PER_S 256 /* of one CPU */
struct rsip_event_gate {
	__u64 seen[RSIP_EVENT_SLOTS]; /* host, reason and second last reported */
	__u64 second;
	__u64 cnt; /* reported in it */
};
_Static_assert(sizeof(struct rsip_event_gate) == 8 * RSIP_EVENT_SLOTS + 16, "rsip_event_gate");

/* ---- rsip_explain: which binding would get this packet? -------------------------------------------------- */

/*
 * Context of the program of that name (BPF_PROG_RUN), which takes the same steps as a packet and changes nothing.
 * What a packet does not have is 0.
 */
struct rsip_explain {
	__be32 local; /* the leased address */
	__be32 remote;
	__be32 host; /* outbound: the outer source */
	__be32 spi; /* ICMP queries and their replies: the identifier + 1, host order */
	__u64 icookie; /* IKE: as on the wire */
	__u64 rcookie;
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u8 outbound; /* a host's packet; else one from the public realm */
	__u8 proto;
	__u8 ike; /* enum rsip_explain_ike: what UDP 500 or 4500 carries */
	__u8 ike_major; /* 1, 2 */
	__u8 ike_initiator; /* IKEv2: the sender began the IKE SA */
	__u8 ike_response;
	__u8 quoted; /* inbound: the packet is quoted in an ICMP error, and was a host's */
	__u8 guessed; /* answer: nothing but the remote told the owner */
	__s32 result; /* answer: RSIP_EXPLAIN_*, or -RSIP_DROP_* */
	__u32 slot; /* answer: the binding that was found, whatever the result; 0: none */
	__u32 bind_id; /* answer: of that binding */
	__u64 now_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct rsip_explain) == 64, "rsip_explain");

enum rsip_explain_ike { RSIP_EXPLAIN_NO_IKE, RSIP_EXPLAIN_COOKIES, RSIP_EXPLAIN_ESP_IN_UDP };
#define RSIP_EXPLAIN_TO_KERNEL 0 /* the machine's own */
#define RSIP_EXPLAIN_OWNED 1 /* by the binding in slot */

/* ---- hashing: the same in BPF and in user space -------------------------------------------------------- */

/*
 * The upper half is folded down before the first multiplication: keys that differ in the last byte of a network
 * order address, their topmost bits, would otherwise change both bucket numbers in the same way.
 */
static inline __attribute__((always_inline)) __u64 rsip_hash(__u64 key, __u64 seed)
{
	key ^= seed;
	key ^= key >> 32;
	key *= 0x9e3779b97f4a7c15ULL;
	key ^= key >> 32;
	key *= 0xd6e8feb86659fd93ULL;
	key ^= key >> 29;
	return key;
}

/* The two buckets of a hash; mask = buckets - 1, buckets a power of two >= 2; they always differ. */
static inline __attribute__((always_inline)) __u32 rsip_bucket1(__u64 hash, __u32 mask)
{
	return (__u32)hash & mask;
}

static inline __attribute__((always_inline)) __u32 rsip_bucket2(__u64 hash, __u32 mask)
{
	__u32 other = (__u32)(hash >> 32) & mask;

	return other != ((__u32)hash & mask) ? other : other ^ 1;
}

/* What stands for the host in the key of a listener: port in host order. */
#define RSIP_LISTEN_HOST(port) ((__be32)RSIP_SWAP32(port))

#define RSIP_IDENT_MASK(key, seed) rsip_hash((__u64)(key)->ident << 32 | (__u32)(key)->local, ~(seed))
/* Of a key of two 8-byte words. */
#define RSIP_CLAIM_MASK(first, second, seed) rsip_hash((first) ^ rsip_hash((second), ~(seed)), (seed))

/* Hash keys.  Addresses are taken as they lie in memory, on both sides. */
#define RSIP_HOST6_KEY(addr)                                                                \
	rsip_hash(((__u64)(addr)[0] << 32 | (addr)[1]) ^ rsip_hash((__u64)(addr)[2] << 32 | (addr)[3], 0), 0)
#define RSIP_ADDR_KEY(addr) ((__u64)(__u32)(addr))
#define RSIP_SPI_KEY(addr, spi) (((__u64)(__u32)(addr) << 32) | ((__u32)(spi) >> RSIP_SPI_BLOCK_SHIFT))
#define RSIP_PAIR_KEY(host, local) (((__u64)(__u32)(host) << 32) | (__u32)(local))
#define RSIP_REMOTE_KEY(host, local, remote, ipsec) \
	rsip_hash(RSIP_PAIR_KEY(host, local), ((__u64)(ipsec) << 32) | (__u32)(remote))

#endif
