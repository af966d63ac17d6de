// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The reference demultiplexes: who receives a packet, who may have sent it. */
#include "reference_priv.h"

const struct ref_binding *ref_by_port(const struct reference *ref, __be32 local, uint16_t port)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++) {
		const struct given *g = &ref->bindings[i].g;

		if (g->local == local && port >= g->port_first &&
		    port < g->port_first + g->port_cnt)
			return &ref->bindings[i];
	}
	return NULL;
}

const struct ref_binding *ref_by_spi(const struct reference *ref, __be32 local, uint32_t spi)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++) {
		const struct given *g = &ref->bindings[i].g;

		if (g->local == local && spi - g->spi[0].first < g->spi[0].cnt)
			return &ref->bindings[i];
	}
	return NULL;
}

const struct ref_binding *ref_whole(const struct reference *ref, __be32 local)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++)
		if (ref->bindings[i].g.local == local && ref->bindings[i].g.whole)
			return &ref->bindings[i];
	return NULL;
}

static const struct ref_binding *ref_by_pair(const struct reference *ref, __be32 host, __be32 local)
{
	for (uint32_t i = 0; i < ref->binding_cnt; i++)
		if (ref->bindings[i].g.local == local && ref->bindings[i].g.host == host)
			return &ref->bindings[i];
	return NULL;
}

bool ref_is_ipsec(const struct ref_binding *b)
{
	return b->g.spi[0].cnt;
}

const struct ref_learned *ref_claim_of(const struct reference *ref, __be32 local,
					  uint64_t cookie)
{
	for (uint32_t i = 0; i < ref->cookie_cnt; i++)
		if (ref->cookies[i].local == local && ref->cookies[i].cookie == cookie)
			return &ref->cookies[i];
	return NULL;
}

static const struct ref_binding *by_cookie(const struct reference *ref, const struct key *k,
					   uint64_t cookie)
{
	const struct ref_learned *claim = ref_claim_of(ref, k->local, cookie);
	const struct ref_binding *label = ref_by_spi(ref, k->local, (uint32_t)(cookie >> 32));

	if (!cookie)
		return NULL;
	if (claim && claim->owner != k->self)
		return claim->owner;
	return label != k->self ? label : NULL;
}

/* RFC 7296 2.6, RFC 3104 6.5: the half that is the host's. */
static const struct ref_binding *by_ike(const struct reference *ref, const struct key *k)
{
	const struct ref_binding *b;

	if (k->v2)
		return by_cookie(ref, k, k->initiator == k->by_host ? k->icookie : k->rcookie);
	b = by_cookie(ref, k, k->icookie);
	return b ? b : by_cookie(ref, k, k->rcookie);
}

const struct ref_binding *ref_by_spi_out(const struct reference *ref, const struct key *k)
{
	for (uint32_t i = 0; i < ref->spi_out_cnt; i++) {
		const struct ref_learned *l = &ref->spis_out[i];

		if (l->local == k->local && l->remote == k->remote && l->spi == k->spi)
			return l->owner;
	}
	return NULL;
}

const struct ref_learned *ref_ident_held(const struct reference *ref, __be32 local, uint32_t ident)
{
	for (uint32_t i = 0; i < ref->ident_cnt; i++)
		if (ref->idents[i].local == local && ref->idents[i].spi == ident)
			return &ref->idents[i];
	return NULL;
}

static const struct ref_binding *by_ident(const struct reference *ref, const struct key *k)
{
	const struct ref_learned *held = k->ident ? ref_ident_held(ref, k->local, k->ident) : NULL;

	return held ? held->owner : NULL;
}

/* Who receives the packet; else 0 and why. */
const struct ref_binding *ref_receiver(const struct reference *ref, const struct key *k,
					  int *why)
{
	const struct ref_binding *b = ref_whole(ref, k->local);

	*why = k->quoted ? RSIP_DROP_NO_QUOTE_OWNER : RSIP_DROP_NO_PROTOCOL;
	if (b)
		return b;
	switch (k->what) {
	case SAYS_BAD:
		*why = k->why;
		return by_ident(ref, k);
	case SAYS_SPI:
		*why = k->quoted ? *why : RSIP_DROP_NO_SPI;
		return k->quoted ? ref_by_spi_out(ref, k) : ref_by_spi(ref, k->local, k->spi);
	case SAYS_PORTS:
		break;
	default:
		*why = RSIP_DROP_NO_PROTOCOL;
		return NULL;
	}
	b = ref_by_port(ref, k->local, k->local_port);
	if (b)
		return b;
	switch (k->ike) {
	case IKE_COOKIES:
		*why = k->quoted ? *why : RSIP_DROP_NO_COOKIE;
		return by_ike(ref, k);
	case IKE_ESP:
		*why = k->quoted ? *why : RSIP_DROP_NO_SPI;
		return k->quoted ? ref_by_spi_out(ref, k) : ref_by_spi(ref, k->local, k->spi);
	case NO_IKE:
		*why = k->quoted ? *why : RSIP_DROP_NO_PORT;
		return NULL;
	default:
		*why = k->quoted ? *why : RSIP_DROP_MALFORMED;
		return NULL;
	}
}

/* RFC 3103 7.2 and RFC 3104 App. D. */
bool ref_remote_allowed(const struct ref_binding *b, const struct key *k)
{
	bool ike_port = k->remote_port == 500 || k->remote_port == 4500;

	if (b->g.remote && b->g.remote != k->remote)
		return false;
	if (!b->g.remote_port_cnt || !k->has_ports)
		return true;
	if (ike_port && (k->ike != NO_IKE || (ref_is_ipsec(b) && k->proto == 17)))
		return true;
	return k->remote_port >= b->g.remote_port &&
	       k->remote_port < b->g.remote_port + b->g.remote_port_cnt;
}

/* Who may have sent this? */
const struct ref_binding *ref_sender(const struct reference *ref, const struct key *k,
					__be32 host, bool *pair, int *why)
{
	const struct ref_binding *b = ref_whole(ref, k->local), *p = ref_by_pair(ref, host, k->local);

	if (b)
		return b;
	*why = RSIP_DROP_MALFORMED;
	if (k->what == SAYS_BAD)
		return NULL;
	b = k->what == SAYS_PORTS ? ref_by_port(ref, k->local, k->local_port) : NULL;
	*why = RSIP_DROP_LOCAL_PORT_UNALLOWED;
	if (b || (k->what == SAYS_PORTS && k->ike == NO_IKE))
		return b;
	*pair = true;
	*why = RSIP_DROP_HOST_UNKNOWN;
	if (!p || k->what == SAYS_ICMP || k->what == SAYS_LATER)
		return p;
	*why = RSIP_DROP_IPSEC_UNALLOWED;
	return ref_is_ipsec(p) ? p : NULL;
}
