// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Values of parameters: RFC 3103 8, RFC 3104 6.2. */
#include "codec_tables.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

static bool read_whole(const struct rsip_reader *v)
{
	return !v->failed && rsip_reader_left(v) == 0;
}

/* ---- lease time, IDs, counter ---------------------------------------------------------------- */

static uint32_t *u32_of(uint8_t role, struct rsip_message *m)
{
	switch (role) {
	case RSIP_ROLE_CLIENT_ID: return &m->client_id;
	case RSIP_ROLE_BIND_ID: return &m->bind_id;
	case RSIP_ROLE_LEASE: return &m->lease_s;
	default: return &m->counter;
	}
}

bool rsip_value_read_u32(struct rsip_reader *v, uint8_t role, struct rsip_message *m)
{
	*u32_of(role, m) = rsip_read_u32(v);
	return read_whole(v);
}

bool rsip_value_write_u32(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			  unsigned int nth)
{
	(void)nth;
	rsip_write_u32(w, *u32_of(role, (struct rsip_message *)m));
	return true;
}

/* ---- error, policy, tunnel types, methods ---------------------------------------------------- */

static void keep_type(uint8_t *list, uint8_t *cnt, uint8_t value)
{
	if (*cnt < RSIP_TYPES_MAX && !memchr(list, value, *cnt))
		list[(*cnt)++] = value;
}

bool rsip_value_read_small(struct rsip_reader *v, uint8_t role, struct rsip_message *m)
{
	switch (role) {
	case RSIP_ROLE_ERROR: m->error = rsip_read_u16(v); break;
	case RSIP_ROLE_POLICY:
		m->local_policy = rsip_read_u8(v);
		m->remote_policy = rsip_read_u8(v);
		break;
	case RSIP_ROLE_TUNNEL: keep_type(m->tunnel, &m->tunnel_cnt, rsip_read_u8(v)); break;
	default: keep_type(m->method, &m->method_cnt, rsip_read_u8(v));
	}
	return read_whole(v);
}

bool rsip_value_write_small(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			    unsigned int nth)
{
	switch (role) {
	case RSIP_ROLE_ERROR: rsip_write_u16(w, m->error); break;
	case RSIP_ROLE_POLICY:
		rsip_write_u8(w, m->local_policy);
		rsip_write_u8(w, m->remote_policy);
		break;
	case RSIP_ROLE_TUNNEL: rsip_write_u8(w, m->tunnel[nth]); break;
	default: rsip_write_u8(w, m->method[nth]);
	}
	return true;
}

/* ---- addresses: type (1), then 0, 4, 16 bytes or a name (8.1) -------------------------------- */

static bool read_fqdn(struct rsip_reader *v, struct rsip_address *a)
{
	size_t len = rsip_reader_left(v);

	if (len > RSIP_FQDN_MAX)
		return false;
	rsip_read_bytes(v, a->fqdn, len);
	a->fqdn[len] = '\0';
	a->fqdn_len = len;
	for (size_t i = 0; i < len; i++)
		if (a->fqdn[i] <= ' ' || a->fqdn[i] > '~') /* "an ASCII string" */
			return false;
	return true;
}

/* An address that may be "don't care", but no netmask. */
static bool read_address(struct rsip_reader *v, struct rsip_address *a)
{
	memset(a, 0, offsetof(struct rsip_address, v6) + sizeof(a->v6));
	a->type = rsip_read_u8(v);
	a->any = !v->failed && rsip_reader_left(v) == 0;
	switch (a->type) {
	case RSIP_ADDR_IPV4:
		if (!a->any)
			rsip_read_bytes(v, &a->v4, sizeof(a->v4));
		return read_whole(v);
	case RSIP_ADDR_IPV6:
		if (!a->any)
			rsip_read_bytes(v, a->v6, sizeof(a->v6));
		return read_whole(v);
	case RSIP_ADDR_FQDN:
		if (!read_fqdn(v, a))
			return false;
		return read_whole(v);
	}
	return false; /* 0 is reserved; a netmask is no address */
}

static bool all_zero(const struct rsip_address *a)
{
	static const uint8_t zero[16];

	if (a->type == RSIP_ADDR_IPV4)
		return a->v4 == 0;
	return a->type == RSIP_ADDR_IPV6 && !memcmp(a->v6, zero, sizeof(zero));
}

static struct rsip_address *address_of(uint8_t role, struct rsip_message *m)
{
	switch (role) {
	case RSIP_ROLE_LOCAL: return &m->local;
	case RSIP_ROLE_REMOTE: return &m->remote;
	default: return &m->endpoint;
	}
}

bool rsip_value_read_address(struct rsip_reader *v, uint8_t role, struct rsip_message *m)
{
	struct rsip_address *a = address_of(role, m);

	if (!read_address(v, a))
		return false;
	/* 9.8.3 and Appendix C write "don't care" as zeros. */
	if (all_zero(a))
		a->any = true;
	if (role == RSIP_ROLE_LOCAL && a->type == RSIP_ADDR_FQDN) /* 8.1: not valid */
		return false;
	return role != RSIP_ROLE_ENDPOINT || !a->any;
}

static bool write_address(struct rsip_writer *w, const struct rsip_address *a)
{
	rsip_write_u8(w, a->type);
	switch (a->type) {
	case RSIP_ADDR_IPV4: rsip_write_bytes(w, &a->v4, a->any ? 0 : sizeof(a->v4)); return true;
	case RSIP_ADDR_IPV6: rsip_write_bytes(w, a->v6, a->any ? 0 : sizeof(a->v6)); return true;
	case RSIP_ADDR_FQDN: rsip_write_bytes(w, a->fqdn, a->any ? 0 : a->fqdn_len); return true;
	}
	return false;
}

bool rsip_value_write_address(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			      unsigned int nth)
{
	const struct rsip_address *a = address_of(role, (struct rsip_message *)m);

	(void)nth;
	if (role == RSIP_ROLE_LOCAL && a->type == RSIP_ADDR_FQDN)
		return false;
	if (role == RSIP_ROLE_ENDPOINT && a->any)
		return false;
	return write_address(w, a);
}

void rsip_address_any(struct rsip_address *a)
{
	*a = (struct rsip_address){ .type = RSIP_ADDR_IPV4, .any = true };
}

void rsip_address_v4(struct rsip_address *a, __be32 v4)
{
	*a = (struct rsip_address){ .type = RSIP_ADDR_IPV4, .v4 = v4 };
}

/* ---- ports: number (1), then none, one, or as many fields of 2 bytes (8.2) ------------------- */

static struct rsip_ports *ports_of(uint8_t role, struct rsip_message *m)
{
	return role == RSIP_ROLE_LOCAL_PORTS ? &m->local_ports : &m->remote_ports;
}

static bool read_port_list(struct rsip_reader *v, struct rsip_ports *p)
{
	uint8_t seen[65536 / 8];

	p->form = RSIP_FORM_LIST;
	memset(seen, 0, sizeof(seen));
	for (unsigned int i = 0; i < p->cnt; i++) {
		uint16_t port = rsip_read_u16(v);

		if (port == 0 || seen[port / 8] & (1 << port % 8))
			return false;
		seen[port / 8] |= 1 << port % 8;
		p->port[i] = port;
	}
	return read_whole(v);
}

bool rsip_value_read_ports(struct rsip_reader *v, uint8_t role, struct rsip_message *m)
{
	struct rsip_ports *p = ports_of(role, m);
	size_t len = rsip_reader_left(v);
	uint16_t first;

	p->cnt = 0;
	p->form = RSIP_FORM_NONE;
	if (len == 0)
		return rsip_layout_ports_none(m->type);
	p->cnt = rsip_read_u8(v);
	p->form = RSIP_FORM_ANY;
	if (p->cnt == 0 && role != RSIP_ROLE_REMOTE_PORTS)
		return false; /* "MUST be greater than or equal to one"; App. C writes a remote 0 */
	if (len == 1)
		return true;
	if (len != 3)
		return len == 1 + 2 * (size_t)p->cnt && read_port_list(v, p);
	first = rsip_read_u16(v);
	if (first == 0) /* App. C: "4-0" */
		return true;
	if (p->cnt == 0 || first + p->cnt - 1 > 65535)
		return false;
	rsip_ports_range(p, first, p->cnt);
	return true;
}

bool rsip_value_write_ports(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			    unsigned int nth)
{
	const struct rsip_ports *p = ports_of(role, (struct rsip_message *)m);

	(void)nth;
	if (p->form == RSIP_FORM_NONE)
		return rsip_layout_ports_none(m->type);
	if (p->form > RSIP_FORM_LIST ||
	    (p->cnt == 0 && (p->form != RSIP_FORM_ANY || role != RSIP_ROLE_REMOTE_PORTS)))
		return false;
	if (p->form == RSIP_FORM_LIST && p->cnt < 2)
		return false;
	rsip_write_u8(w, p->cnt);
	if (p->form != RSIP_FORM_ANY)
		for (unsigned int i = 0; i < (p->form == RSIP_FORM_LIST ? p->cnt : 1U); i++)
			rsip_write_u16(w, p->port[i]);
	return true;
}

void rsip_ports_range(struct rsip_ports *p, uint16_t first, uint8_t cnt)
{
	p->form = RSIP_FORM_RANGE;
	p->cnt = cnt;
	for (unsigned int i = 0; i < cnt; i++)
		p->port[i] = first + i;
}

void rsip_ports_any(struct rsip_ports *p, uint8_t cnt)
{
	p->form = RSIP_FORM_ANY;
	p->cnt = cnt;
}

void rsip_ports_set(struct rsip_ports *p, const uint16_t *port, uint8_t cnt)
{
	p->cnt = cnt;
	p->form = cnt ? RSIP_FORM_RANGE : RSIP_FORM_NONE;
	for (unsigned int i = 0; i < cnt; i++) {
		p->port[i] = port[i];
		if (port[i] != port[0] + i)
			p->form = RSIP_FORM_LIST;
	}
}

/* ---- SPIs: number (2), then none, one, or as many fields of 4 bytes (RFC 3104 6.2) ----------- */

static int compare_spis(const void *a, const void *b)
{
	uint32_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (x > y) - (x < y);
}

static bool read_spi_list(struct rsip_reader *v, struct rsip_spis *s)
{
	uint32_t sorted[RSIP_SPI_LIST_MAX];
	unsigned int kept = s->cnt < RSIP_SPI_LIST_MAX ? s->cnt : RSIP_SPI_LIST_MAX;

	s->form = RSIP_FORM_LIST;
	for (unsigned int i = 0; i < s->cnt; i++) {
		uint32_t spi = rsip_read_u32(v);

		if (spi < RSIP_SPI_MIN)
			return false;
		if (i < kept)
			s->spi[i] = sorted[i] = spi;
	}
	s->first = s->spi[0];
	qsort(sorted, kept, sizeof(sorted[0]), compare_spis);
	for (unsigned int i = 1; i < kept; i++)
		if (sorted[i] == sorted[i - 1])
			return false;
	return read_whole(v);
}

bool rsip_value_read_spis(struct rsip_reader *v, uint8_t role, struct rsip_message *m)
{
	struct rsip_spis *s = &m->spis;
	size_t len = rsip_reader_left(v);

	(void)role;
	s->cnt = rsip_read_u16(v);
	s->form = RSIP_FORM_ANY;
	s->first = 0;
	if (v->failed || s->cnt == 0)
		return false;
	if (len == 2)
		return true;
	if (len != 6)
		return len == 2 + 4 * (size_t)s->cnt && read_spi_list(v, s);
	s->form = RSIP_FORM_RANGE;
	s->first = rsip_read_u32(v);
	return s->first >= RSIP_SPI_MIN && s->first + (uint64_t)s->cnt - 1 <= UINT32_MAX;
}

bool rsip_value_write_spis(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			   unsigned int nth)
{
	const struct rsip_spis *s = &m->spis;

	(void)role;
	(void)nth;
	if (s->cnt == 0 || s->form == RSIP_FORM_NONE || s->form > RSIP_FORM_LIST)
		return false;
	rsip_write_u16(w, s->cnt);
	if (s->form == RSIP_FORM_RANGE)
		rsip_write_u32(w, s->first);
	if (s->form != RSIP_FORM_LIST)
		return true;
	if (s->cnt < 2 || s->cnt > RSIP_SPI_LIST_MAX)
		return false;
	for (unsigned int i = 0; i < s->cnt; i++)
		rsip_write_u32(w, s->spi[i]);
	return true;
}

void rsip_spis_range(struct rsip_spis *s, uint32_t first, uint16_t cnt)
{
	s->form = RSIP_FORM_RANGE;
	s->cnt = cnt;
	s->first = first;
}

void rsip_spis_any(struct rsip_spis *s, uint16_t cnt)
{
	s->form = RSIP_FORM_ANY;
	s->cnt = cnt;
	s->first = 0;
}

/* ---- tuples of a QUERY: an indicator, then one address, or a network and its mask (9.14, 9.15) */

bool rsip_tuple_is_network(uint8_t indicator) /* 2 is a network in requests too */
{
	return indicator == RSIP_IND_LOCAL_NETWORK || indicator == RSIP_IND_REMOTE_NETWORK;
}

static bool next_address(struct rsip_reader *message, struct rsip_reader *value)
{
	uint8_t type = rsip_read_u8(message);

	*value = rsip_read_part(message, rsip_read_u16(message));
	return !message->failed && type == RSIP_PARAM_ADDRESS;
}

static bool read_mask(struct rsip_reader *v, __be32 *mask)
{
	uint32_t bits;

	if (rsip_read_u8(v) != RSIP_ADDR_IPV4_NETMASK) /* 9.14.3: only the netmask form */
		return false;
	rsip_read_bytes(v, mask, sizeof(*mask));
	bits = ~ntohl(*mask);
	return read_whole(v) && (bits & (bits + 1)) == 0;
}

bool rsip_tuple_read(struct rsip_reader *message, uint8_t indicator, bool request,
		     struct rsip_tuple *out)
{
	struct rsip_reader v;

	out->indicator = indicator;
	out->mask = 0;
	if (indicator == 0 ||
	    indicator > (request ? RSIP_IND_LOCAL_NETWORK : RSIP_IND_REMOTE_NETWORK))
		return false;
	if (!next_address(message, &v) || !read_address(&v, &out->addr) || out->addr.any)
		return false;
	if (!rsip_tuple_is_network(indicator))
		return true;
	/*
	 * 9.14.3: a name is no network; Addrtype 2 is IPv4 only, so an IPv6 mask cannot be written.
	 */
	return out->addr.type == RSIP_ADDR_IPV4 && next_address(message, &v) &&
	       read_mask(&v, &out->mask);
}

static bool write_tuple_address(struct rsip_writer *w, const struct rsip_address *a)
{
	size_t at;

	rsip_write_u8(w, RSIP_PARAM_ADDRESS);
	at = rsip_writer_len(w);
	rsip_write_u16(w, 0);
	if (a->any || !write_address(w, a))
		return false;
	rsip_write_u16_at(w, at, rsip_writer_len(w) - at - 2);
	return true;
}

bool rsip_tuple_write(struct rsip_writer *w, const struct rsip_tuple *t)
{
	rsip_write_u8(w, RSIP_PARAM_INDICATOR);
	rsip_write_u16(w, 2);
	rsip_write_u16(w, t->indicator);
	if (!write_tuple_address(w, &t->addr))
		return false;
	if (!rsip_tuple_is_network(t->indicator))
		return true;
	if (t->addr.type != RSIP_ADDR_IPV4)
		return false;
	rsip_write_u8(w, RSIP_PARAM_ADDRESS);
	rsip_write_u16(w, 5);
	rsip_write_u8(w, RSIP_ADDR_IPV4_NETMASK);
	rsip_write_bytes(w, &t->mask, sizeof(t->mask));
	return true;
}
