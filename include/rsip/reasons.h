/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the data plane counts, one row each: symbol, name shown to people, one sentence.
 *
 * The same table is the enumeration in the BPF programs, the JSON key and the text of `rsipctl`, and the
 * list in the manual page.  A row keeps its place for ever (the number is the index in rsip_counters);
 * new rows go before the end of their part, and RSIP_LAYOUT_VERSION rises.
 */
#ifndef RSIP_REASONS_H
#define RSIP_REASONS_H

/* Events: what became of packets that were not dropped. */
#define RSIP_EVENT_TABLE(X)                                                                     \
	X(PASSED, "passed", "not ours, left to the kernel untouched")                           \
	X(PASSED_BYTES, "passed-bytes", "bytes of what was left to the kernel")                 \
	X(ENCAPSULATED, "encapsulated", "from the public realm, tunnelled to its host")         \
	X(ENCAPSULATED_BYTES, "encapsulated-bytes", "inner bytes tunnelled to hosts")           \
	X(DECAPSULATED, "decapsulated", "from a host's tunnel, sent to the public realm")       \
	X(DECAPSULATED_BYTES, "decapsulated-bytes", "inner bytes sent to the public realm")     \
	X(HAIRPINNED, "hairpinned", "from one host to a leased address of another")             \
	X(HAIRPINNED_BYTES, "hairpinned-bytes", "inner bytes turned around inside")             \
	X(ARP_ANSWERED, "arp-answered", "ARP requests for a pool address answered")             \
	X(FRAGMENT_PASSED, "fragment-passed", "fragments left to the kernel's reassembly")      \
	X(SLOW_PATH, "slow-path", "handed to the kernel: to find the next hop, or to fragment") \
	X(COOKIE_CLAIMED, "cookie-claimed", "IKE cookies claimed by a host's first packet")    \
	X(IKE_GUESSED, "ike-guessed", "IKE of an unknown exchange, to the only host that talks to its sender") \
	X(ICMP_SENT, "icmp-sent", "ICMP errors sent about packets that were dropped")           \
	X(ICMP_LIMITED, "icmp-limited", "ICMP errors not sent: more than the rate allows")      \
	X(ECHO_ANSWERED, "echo-answered", "echo requests to a shared address answered")

/* Drops: every way for a packet to die. */
#define RSIP_DROP_TABLE(X)                                                                      \
	X(MALFORMED, "malformed", "a header is cut short or contradicts itself")                \
	X(NO_PORT, "no-port", "nobody leases this port of a shared address")                    \
	X(NO_SPI, "no-spi", "nobody leases this SPI (RFC 3104 5)")                              \
	X(NO_COOKIE, "no-cookie", "no host claimed this IKE exchange (RFC 3104 App. E)")        \
	X(NO_PROTOCOL, "no-protocol", "this protocol cannot be demultiplexed on a shared address") \
	X(NO_QUOTE_OWNER, "no-quote-owner", "an ICMP error quotes a packet that nobody owns")   \
	X(ICMP_QUERY, "icmp-query", "an ICMP query or reply that belongs to no host")           \
	X(NOT_LEASED, "not-leased", "a pool address that no host leases")                       \
	X(EXPIRED, "expired", "the binding's lease has run out")                                \
	X(HOST_UNKNOWN, "host-unknown", "a tunnel packet from a source without such a binding") \
	X(LOCAL_ADDR_UNALLOWED, "local-addr-unallowed", "a host's packet whose source is no pool address") \
	X(LOCAL_PORT_UNALLOWED, "local-port-unallowed", "a host's packet from a port that it does not lease") \
	X(NOT_OWNER, "not-owner", "a host's packet that uses another host's resource")          \
	X(WRONG_INTERFACE, "wrong-interface", "a tunnel packet on another interface than its registration's") \
	X(WRONG_TUNNEL, "wrong-tunnel", "another tunnel type or end than the binding's")               \
	X(WRONG_MAC, "wrong-mac", "a tunnel packet from another MAC address than its host's")   \
	X(IPSEC_UNALLOWED, "ipsec-unallowed", "ESP, AH or IKE of a host without an RSIPSEC binding") \
	X(REMOTE_UNALLOWED, "remote-unallowed", "a remote address or port outside the flow policy") \
	X(COOKIE_COLLISION, "cookie-collision", "an IKE cookie that another host claimed first (RFC 3104 6.1)") \
	X(COOKIE_LIMIT, "cookie-limit", "no room to claim another IKE cookie")                  \
	X(DST_UNALLOWED, "dst-unallowed", "a destination that never leaves the gateway (private, loopback, multicast, ...)") \
	X(DST_NOT_PUBLIC, "dst-not-public", "the route does not leave by a public interface")   \
	X(NO_ROUTE, "no-route", "no route, or it forbids the packet")                           \
	X(SRC_SPOOFED, "src-spoofed", "a source that cannot be there: from the public side, in a pool without a tunnel, 240/4 (BCP 38)") \
	X(DST_PRIVATE, "dst-private", "from the public side, a destination in a private network (BCP 38)") \
	X(NO_NEXT_HOP, "no-next-hop", "the host's next hop is not known")                       \
	X(TTL_EXCEEDED, "ttl-exceeded", "the time to live ran out here")                        \
	X(TOO_BIG, "too-big", "longer than the tunnel's MTU")                                   \
	X(ECN_CE_NOT_ECT, "ecn-ce-not-ect", "congestion marked outside, not supported inside (RFC 6040 4.2)") \
	X(MULTICAST, "multicast", "an inner multicast destination (RFC 3102 5.4)")              \
	X(INTERNAL, "internal", "a helper or table failed where it should not")                 \
	X(IKE_AMBIGUOUS, "ike-ambiguous", "IKE that its sender began: several hosts of the address talk to it")    \
	X(FRAGMENT_LOST, "fragment-lost", "a later fragment on the slow path whose first was dropped") \
	X(STRAY, "stray", "on the slow-path device without having been sent there")             \
	X(IDENT_TAKEN, "ident-taken", "an ICMP query whose identifier another host of the address uses") \
	X(IDENT_LIMIT, "ident-limit", "no room to remember another ICMP query's identifier") \
	X(OUTER_FRAGMENT, "outer-fragment", "a fragment of a tunnel packet over IPv6 from a source that nobody registered") \
	X(NO_SESSION, "no-session", "its host has no L2TP session at the moment")

enum rsip_counter {
#define X(sym, name, text) RSIP_CNT_##sym,
	RSIP_EVENT_TABLE(X)
#undef X
	RSIP_CNT_EVENTS,
	RSIP_CNT_DROP_FIRST = 16, /* room for more events: drop reasons keep their numbers */
	RSIP_CNT_DROP_BEFORE = 15,
#define X(sym, name, text) RSIP_DROP_##sym,
	RSIP_DROP_TABLE(X)
#undef X
	RSIP_CNT_USED,
	RSIP_CNT_MAX = 64, /* size of one row of rsip_counters */
};

_Static_assert(RSIP_CNT_EVENTS <= RSIP_CNT_DROP_FIRST, "event counters run into the drop reasons");
_Static_assert((int)RSIP_DROP_MALFORMED == (int)RSIP_CNT_DROP_FIRST, "the first drop reason moved");
_Static_assert(RSIP_CNT_USED <= RSIP_CNT_MAX, "rsip_counters rows are too short");

#endif
