/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Numbers of the RSIP protocol: RFC 3103 sections 8, 9, appendices A and B; RFC 3104 section 6, appendices B and C. */
#ifndef RSIP_WIRE_H
#define RSIP_WIRE_H

#define RSIP_PORT 4555 /* RFC 3103 12: UDP and TCP */
#define RSIP_VERSION 1
#define RSIP_HDR_LEN 4 /* version (1), message type (1), overall length (2, big endian) */
#define RSIP_TLV_LEN 3 /* type (1), length of the value (2, big endian) */
#define RSIP_MSG_MAX 65535

/* RFC 3103 Appendix B, RFC 3104 Appendix C: X(symbol, value, name) */
#define RSIP_MSG_TABLE(X)                                                  \
	X(ERROR_RESPONSE, 1, "ERROR_RESPONSE")                             \
	X(REGISTER_REQUEST, 2, "REGISTER_REQUEST")                         \
	X(REGISTER_RESPONSE, 3, "REGISTER_RESPONSE")                       \
	X(DE_REGISTER_REQUEST, 4, "DE-REGISTER_REQUEST")                   \
	X(DE_REGISTER_RESPONSE, 5, "DE-REGISTER_RESPONSE")                 \
	X(ASSIGN_REQUEST_RSA_IP, 6, "ASSIGN_REQUEST_RSA-IP")               \
	X(ASSIGN_RESPONSE_RSA_IP, 7, "ASSIGN_RESPONSE_RSA-IP")             \
	X(ASSIGN_REQUEST_RSAP_IP, 8, "ASSIGN_REQUEST_RSAP-IP")             \
	X(ASSIGN_RESPONSE_RSAP_IP, 9, "ASSIGN_RESPONSE_RSAP-IP")           \
	X(EXTEND_REQUEST, 10, "EXTEND_REQUEST")                            \
	X(EXTEND_RESPONSE, 11, "EXTEND_RESPONSE")                          \
	X(FREE_REQUEST, 12, "FREE_REQUEST")                                \
	X(FREE_RESPONSE, 13, "FREE_RESPONSE")                              \
	X(QUERY_REQUEST, 14, "QUERY_REQUEST")                              \
	X(QUERY_RESPONSE, 15, "QUERY_RESPONSE")                            \
	X(LISTEN_REQUEST, 16, "LISTEN_REQUEST")                            \
	X(LISTEN_RESPONSE, 17, "LISTEN_RESPONSE")                          \
	X(ASSIGN_REQUEST_RSIPSEC, 22, "ASSIGN_REQUEST_RSIPSEC")            \
	X(ASSIGN_RESPONSE_RSIPSEC, 23, "ASSIGN_RESPONSE_RSIPSEC")

enum rsip_msg_type {
#define X(sym, val, name) RSIP_MSG_##sym = val,
	RSIP_MSG_TABLE(X)
#undef X
};

/* RFC 3103 8, RFC 3104 6.2: X(symbol, value, name) */
#define RSIP_PARAM_TABLE(X)                                \
	X(ADDRESS, 1, "Address")                           \
	X(PORTS, 2, "Ports")                               \
	X(LEASE_TIME, 3, "Lease Time")                     \
	X(CLIENT_ID, 4, "Client ID")                       \
	X(BIND_ID, 5, "Bind ID")                           \
	X(TUNNEL_TYPE, 6, "Tunnel Type")                   \
	X(METHOD, 7, "RSIP Method")                        \
	X(ERROR, 8, "Error")                               \
	X(FLOW_POLICY, 9, "Flow Policy")                   \
	X(INDICATOR, 10, "Indicator")                      \
	X(MESSAGE_COUNTER, 11, "Message Counter")          \
	X(VENDOR, 12, "Vendor Specific")                   \
	X(SPI, 22, "SPI")                                  \
	X(AUTH, 241, "Authentication") /* private use: see the conformance matrix */

enum rsip_param_type {
#define X(sym, val, name) RSIP_PARAM_##sym = val,
	RSIP_PARAM_TABLE(X)
#undef X
};

/* RFC 3103 Appendix A, RFC 3104 Appendix B: X(symbol, value, name) */
#define RSIP_ERR_TABLE(X)                                                  \
	X(UNKNOWN_ERROR, 101, "UNKNOWN_ERROR")                             \
	X(USE_TCP, 102, "USE_TCP")                                         \
	X(FLOW_POLICY_VIOLATION, 103, "FLOW_POLICY_VIOLATION")             \
	X(INTERNAL_SERVER_ERROR, 104, "INTERNAL_SERVER_ERROR")             \
	X(MESSAGE_COUNTER_REQUIRED, 105, "MESSAGE_COUNTER_REQUIRED")       \
	X(UNSUPPORTED_RSIP_VERSION, 106, "UNSUPPORTED_RSIP_VERSION")       \
	X(MISSING_PARAM, 201, "MISSING_PARAM")                             \
	X(DUPLICATE_PARAM, 202, "DUPLICATE_PARAM")                         \
	X(EXTRA_PARAM, 203, "EXTRA_PARAM")                                 \
	X(ILLEGAL_PARAM, 204, "ILLEGAL_PARAM")                             \
	X(BAD_PARAM, 205, "BAD_PARAM")                                     \
	X(ILLEGAL_MESSAGE, 206, "ILLEGAL_MESSAGE")                         \
	X(BAD_MESSAGE, 207, "BAD_MESSAGE")                                 \
	X(UNSUPPORTED_MESSAGE, 208, "UNSUPPORTED_MESSAGE")                 \
	X(REGISTER_FIRST, 301, "REGISTER_FIRST")                           \
	X(ALREADY_REGISTERED, 302, "ALREADY_REGISTERED")                   \
	X(ALREADY_UNREGISTERED, 303, "ALREADY_UNREGISTERED")               \
	X(REGISTRATION_DENIED, 304, "REGISTRATION_DENIED")                 \
	X(BAD_CLIENT_ID, 305, "BAD_CLIENT_ID")                             \
	X(BAD_BIND_ID, 306, "BAD_BIND_ID")                                 \
	X(BAD_TUNNEL_TYPE, 307, "BAD_TUNNEL_TYPE")                         \
	X(LOCAL_ADDR_UNAVAILABLE, 308, "LOCAL_ADDR_UNAVAILABLE")           \
	X(LOCAL_ADDRPORT_UNAVAILABLE, 309, "LOCAL_ADDRPORT_UNAVAILABLE")   \
	X(LOCAL_ADDR_INUSE, 310, "LOCAL_ADDR_INUSE")                       \
	X(LOCAL_ADDRPORT_INUSE, 311, "LOCAL_ADDRPORT_INUSE")               \
	X(LOCAL_ADDR_UNALLOWED, 312, "LOCAL_ADDR_UNALLOWED")               \
	X(LOCAL_ADDRPORT_UNALLOWED, 313, "LOCAL_ADDRPORT_UNALLOWED")       \
	X(REMOTE_ADDR_UNALLOWED, 314, "REMOTE_ADDR_UNALLOWED")             \
	X(REMOTE_ADDRPORT_UNALLOWED, 315, "REMOTE_ADDRPORT_UNALLOWED")     \
	X(IPSEC_UNALLOWED, 401, "IPSEC_UNALLOWED")                         \
	X(IPSEC_SPI_UNAVAILABLE, 402, "IPSEC_SPI_UNAVAILABLE")             \
	X(IPSEC_SPI_INUSE, 403, "IPSEC_SPI_INUSE")

enum rsip_err {
	RSIP_OK = 0,
#define X(sym, val, name) RSIP_ERR_##sym = val,
	RSIP_ERR_TABLE(X)
#undef X
};

/* RFC 3103 8.1 */
enum rsip_addrtype {
	RSIP_ADDR_IPV4 = 1,
	RSIP_ADDR_IPV4_NETMASK = 2,
	RSIP_ADDR_IPV6 = 3,
	RSIP_ADDR_FQDN = 4,
};

/* RFC 3103 8.6 */
enum rsip_tunnel_type { RSIP_TUNNEL_IPIP = 1, RSIP_TUNNEL_GRE = 2, RSIP_TUNNEL_L2TP = 3 };
#define RSIP_TUNNEL_BIT(t) (1U << (t))
#define RSIP_OUTER6_MORE 20U /* bytes that an IPv6 header has more than an IPv4 one */
#define RSIP_PATH_MTU_MIN 576 /* every host takes that (RFC 791), so whoever forges gains little */
#define RSIP_PATH_MTU_MIN6 1280 /* over IPv6 every link does (RFC 8200 5); who says less is not believed (RFC 8201 4) */
/*
 * What a tunnel over IPv4 puts in front of the inner packet, bytes: RFC 2003; RFC 2784 without options; RFC 2661 at most (UDP,
 * 8 bytes of L2TP, 4 of PPP).
 */
#define RSIP_TUNNEL_LEN(t) ((t) == RSIP_TUNNEL_L2TP ? 40U : (t) == RSIP_TUNNEL_GRE ? 24U : 20U)

/* RFC 3103 8.7, RFC 3104 6 */
enum rsip_method { RSIP_METHOD_RSA_IP = 1, RSIP_METHOD_RSAP_IP = 2, RSIP_METHOD_RSIPSEC = 3 };

/* RFC 3103 8.9 */
enum rsip_local_policy { RSIP_LOCAL_MACRO = 1, RSIP_LOCAL_MICRO = 2 };
enum rsip_remote_policy { RSIP_REMOTE_MACRO = 1, RSIP_REMOTE_MICRO = 2, RSIP_REMOTE_NONE = 3 };

/* RFC 3103 9.14 (request: 1, 2), 9.15 (response) */
enum rsip_indicator {
	RSIP_IND_LOCAL_ADDRESS = 1,
	RSIP_IND_LOCAL_NETWORK = 2,
	RSIP_IND_REMOTE_ADDRESS = 3,
	RSIP_IND_REMOTE_NETWORK = 4,
};

/* How a registration speaks to us; pinned for its life (RFC 3103 5). */
enum rsip_transport { RSIP_TRANSPORT_UDP = 1, RSIP_TRANSPORT_TCP = 2 };

#endif
