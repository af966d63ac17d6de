/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of the reference share. */
#ifndef RSIP_TEST_REFERENCE_PRIV_H
#define RSIP_TEST_REFERENCE_PRIV_H

#include "reference.h"

struct ip {
	const uint8_t *at; /* the header */
	uint32_t hlen, len;
	__be32 src, dst;
	uint8_t proto, ttl, tos;
	bool fragment, later, df;
};

enum what { SAYS_NOTHING, SAYS_PORTS, SAYS_SPI, SAYS_ICMP, SAYS_LATER, SAYS_BAD };
enum ike { NO_IKE, IKE_COOKIES, IKE_ESP, IKE_SHORT, IKE_CUT };

struct key {
	enum what what;
	enum ike ike;
	int why; /* of SAYS_BAD */
	__be32 local, remote;
	uint8_t proto;
	bool by_host; /* the host built it */
	bool quoted;
	bool has_ports;
	uint16_t local_port, remote_port;
	uint32_t spi;
	uint32_t ident; /* 1 + that of an ICMP query, or of what answers it; 0: none */
	uint64_t icookie, rcookie;
	bool v2, initiator;
	const struct ref_binding *self; /* on a hairpin: who sent it, where it was found by the pair */
};

/* How a packet came, for what goes back the same way. */
struct arrival {
	const struct pkt *in;
	int iface;
	const struct ip *outer; /* of the tunnel that it came by; NULL: none */
	uint32_t slot; /* of the binding that sent it; 0: none */
};

/* ---- reference_read.c ------------------------------------------------------------------------ */

uint32_t ref_get(const uint8_t *p, int bytes); /* a number in network order */
__be32 ref_get_addr(const uint8_t *p);
/* false: the header does not agree with itself or with the bytes there are. */
bool ref_read_ip(const uint8_t *at, uint32_t avail, struct ip *ip);
/* Bytes of a GRE header of a host's (RFC 2784, RFC 2890); 0: it is another's; -1: it is wrong. */
int ref_read_gre(const uint8_t *at, uint32_t len);
bool ref_is_pool(__be32 addr);
bool ref_is_private(__be32 addr);
uint8_t ref_first_byte(__be32 addr);
void ref_read_key(const struct ip *ip, bool by_host, struct key *k);
/* An ICMP error belongs to who sent the packet that it quotes. */
void ref_read_quote(const struct ip *ip, struct key *k);

/* ---- reference_find.c ------------------------------------------------------------------------ */

const struct ref_binding *ref_whole(const struct reference *ref, __be32 local);
const struct ref_binding *ref_by_port(const struct reference *ref, __be32 local, uint16_t port);
const struct ref_binding *ref_by_spi(const struct reference *ref, __be32 local, uint32_t spi);
bool ref_is_ipsec(const struct ref_binding *b);
const struct ref_learned *ref_claim_of(const struct reference *ref, __be32 local, uint64_t cookie);
const struct ref_binding *ref_by_spi_out(const struct reference *ref, const struct key *k);
const struct ref_learned *ref_ident_held(const struct reference *ref, __be32 local, uint32_t ident);
/* Who receives the packet; else NULL and why. */
const struct ref_binding *ref_receiver(const struct reference *ref, const struct key *k, int *why);
/* Who may have sent this; pair: found by (host, address) alone. */
const struct ref_binding *ref_sender(const struct reference *ref, const struct key *k, __be32 host,
				     bool *pair, int *why);
bool ref_remote_allowed(const struct ref_binding *b, const struct key *k);

/* ---- reference_reply.c ----------------------------------------------------------------------- */

/* Dropped, and its sender hears why, if that is due. */
void ref_error(struct ref_result *res, const struct arrival *a, const struct ip *ip, int why, uint32_t mtu);
/* true: it was an echo request, and the result is the answer. */
bool ref_echo(struct ref_result *res, const struct arrival *a, const struct ip *ip);

#endif
