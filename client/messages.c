// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Between the session's requests and answers and the codec's messages. */
#include <errno.h>
#include <string.h>
#include "codec.h"
#include "session.h"

/* RFC 3103 8.2, 9.9.3: under a policy of micro-flows a binding has one port. */
static void put_ports(struct rsip_message *m, const struct rsip_want *w, uint8_t policy)
{
	uint16_t cnt = policy == RSIP_LOCAL_MICRO && w->ports ? 1 : w->ports;

	if (!cnt)
		m->local_ports.form = RSIP_FORM_NONE; /* RFC 3104 6.2 */
	else if (w->port)
		rsip_ports_range(&m->local_ports, w->port, cnt);
	else
		rsip_ports_any(&m->local_ports, cnt);
	m->has |= RSIP_HAS_LOCAL_PORTS;
}

static bool is_ike(uint16_t port)
{
	return port == 500 || port == 4500;
}

/*
 * 9.16.3: without a remote flow policy a listener MUST leave the remote side open.  One for IKE is
 * the exception: the shared port goes to whom one peer calls (RFC 3104 Appendix G).
 */
static void put_remote(struct rsip_message *m, const struct rsip_want *w, uint8_t policy)
{
	bool open = w->listen && policy == RSIP_REMOTE_NONE && !is_ike(w->port);

	if (w->remote && !open)
		rsip_address_v4(&m->remote, w->remote);
	else
		rsip_address_any(&m->remote);
	if (w->remote_port && !open)
		rsip_ports_range(&m->remote_ports, w->remote_port, 1);
	else if (w->ports || w->method == RSIP_METHOD_RSA_IP)
		rsip_ports_any(&m->remote_ports, 1);
	else
		m->remote_ports.form = RSIP_FORM_NONE;
	m->has |= RSIP_HAS_REMOTE | RSIP_HAS_REMOTE_PORTS;
}

/* RFC 3103 9.6, 9.8, 9.16, RFC 3104 6.3. */
static void put_wish(struct rsip_message *m, const struct rsip_session *s,
		     const struct rsip_want *w)
{
	if (w->addr)
		rsip_address_v4(&m->local, w->addr);
	else
		rsip_address_any(&m->local);
	m->has |= RSIP_HAS_LOCAL;
	if (m->type != RSIP_MSG_ASSIGN_REQUEST_RSA_IP)
		put_ports(m, w, s->local_policy);
	put_remote(m, w, s->remote_policy);
	if (m->type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC) {
		if (w->spi)
			rsip_spis_range(&m->spis, w->spi, w->spis);
		else
			rsip_spis_any(&m->spis, w->spis);
		m->has |= RSIP_HAS_SPIS;
	}
	m->tunnel[0] = s->tunnel;
	m->tunnel_cnt = 1;
}

static void put_query(struct rsip_message *m, const struct rsip_query *q)
{
	for (unsigned int i = 0; i < q->tuples; i++) {
		struct rsip_tuple *t = &m->tuple[i];

		t->indicator = q->tuple[i].mask == 0xffffffff ? RSIP_IND_LOCAL_ADDRESS
							      : RSIP_IND_LOCAL_NETWORK;
		rsip_address_v4(&t->addr, q->tuple[i].addr);
		t->mask = q->tuple[i].mask;
	}
	m->tuple_cnt = q->tuples;
}

static void put_lease_time(struct rsip_message *m, uint32_t lease_s)
{
	if (!lease_s)
		return;
	m->lease_s = lease_s;
	m->has |= RSIP_HAS_LEASE;
}

uint8_t rsip_request_type(const struct rsip_want *w)
{
	if (w->listen)
		return RSIP_MSG_LISTEN_REQUEST;
	if (w->method == RSIP_METHOD_RSIPSEC)
		return RSIP_MSG_ASSIGN_REQUEST_RSIPSEC;
	return w->method == RSIP_METHOD_RSA_IP ? RSIP_MSG_ASSIGN_REQUEST_RSA_IP
					       : RSIP_MSG_ASSIGN_REQUEST_RSAP_IP;
}

long rsip_request_write(struct rsip_session *s, uint32_t client_id)
{
	struct rsip_request *r = &s->req;
	const struct rsip_lease *lease = r->lease < 0 ? NULL : &s->leases[r->lease];
	struct rsip_message m;
	int len;

	rsip_message_init(&m, r->type);
	m.counter = r->counter;
	m.has = RSIP_HAS_COUNTER;
	if (r->type != RSIP_MSG_REGISTER_REQUEST) {
		m.client_id = client_id;
		m.has |= RSIP_HAS_CLIENT_ID;
	}
	switch (r->type) {
	case RSIP_MSG_EXTEND_REQUEST:
		put_lease_time(&m, lease->want.lease_s);
		/* fall through */
	case RSIP_MSG_FREE_REQUEST:
		m.bind_id = lease->bind_id;
		m.has |= RSIP_HAS_BIND_ID;
		break;
	case RSIP_MSG_QUERY_REQUEST:
		put_query(&m, &s->queries[r->query]);
		break;
	case RSIP_MSG_ASSIGN_REQUEST_RSA_IP:
	case RSIP_MSG_ASSIGN_REQUEST_RSAP_IP:
	case RSIP_MSG_ASSIGN_REQUEST_RSIPSEC:
	case RSIP_MSG_LISTEN_REQUEST:
		put_wish(&m, s, &lease->want);
		put_lease_time(&m, lease->want.lease_s);
		break;
	}
	rsip_session_authenticate(s, &m);
	len = rsip_encode(&m, r->buf, sizeof(r->buf));
	if (len > 0)
		rsip_session_sign(s, r->buf, (size_t)len);
	return len;
}

/* Neighbours become one run; the codec says that no number is there twice. */
static void take_ports(struct rsip_answer *a, const struct rsip_ports *p)
{
	struct rsip_port_run *run = NULL;

	if (p->form != RSIP_FORM_RANGE && p->form != RSIP_FORM_LIST)
		return;
	for (unsigned int i = 0; i < p->cnt; i++) {
		if (run && run->first + run->cnt == p->port[i]) {
			run->cnt++;
			continue;
		}
		run = &a->ports[a->port_runs++];
		run->first = p->port[i];
		run->cnt = 1;
	}
}

static void take_spis(struct rsip_answer *a, const struct rsip_spis *s)
{
	struct rsip_spi_run *run = NULL;

	if (s->form == RSIP_FORM_RANGE)
		a->spis[a->spi_runs++] = (struct rsip_spi_run){s->first, s->cnt};
	for (unsigned int i = 0; s->form == RSIP_FORM_LIST && i < s->cnt && i < RSIP_SPI_LIST_MAX;
	     i++) {
		if (run && run->first + run->cnt == s->spi[i]) {
			run->cnt++;
			continue;
		}
		if (a->spi_runs == RSIP_LEASE_SPIS_MAX) /* more than anybody asked for */
			return;
		run = &a->spis[a->spi_runs++];
		run->first = s->spi[i];
		run->cnt = 1;
	}
}

/* RFC 3103 9.7.2: no tunnel type means the one asked for; the endpoint is the gateway unless given.
 */
static void take_grant(struct rsip_answer *a, const struct rsip_message *m)
{
	a->tunnel = m->tunnel_cnt ? m->tunnel[0] : RSIP_TUNNEL_IPIP;
	if (m->has & RSIP_HAS_LOCAL && m->local.type == RSIP_ADDR_IPV4 && !m->local.any)
		a->addr = m->local.v4;
	if (m->has & RSIP_HAS_ENDPOINT) {
		if (m->endpoint.type == RSIP_ADDR_IPV4 && !m->endpoint.any)
			a->endpoint = rsip_inet_v4(m->endpoint.v4);
		else if (m->endpoint.type == RSIP_ADDR_IPV6 && !m->endpoint.any)
			a->endpoint = rsip_inet_v6(m->endpoint.v6, 0);
		else
			a->understood = false; /* a tunnel to somewhere we cannot name */
	}
	if (m->has & RSIP_HAS_LOCAL_PORTS)
		take_ports(a, &m->local_ports);
	if (m->has & RSIP_HAS_SPIS)
		take_spis(a, &m->spis);
}

static uint8_t bit_of(uint8_t number)
{
	return number < 8 ? 1 << number : 0;
}

/* RFC 3103 9.3.3: what is not said is RSAP-IP and IP-IP. */
static void take_offer(struct rsip_answer *a, const struct rsip_message *m)
{
	a->local_policy = m->local_policy;
	a->remote_policy = m->remote_policy;
	for (int i = 0; i < m->tunnel_cnt; i++)
		a->tunnels |= bit_of(m->tunnel[i]);
	for (int i = 0; i < m->method_cnt; i++)
		a->methods |= bit_of(m->method[i]);
	if (!m->tunnel_cnt)
		a->tunnels = bit_of(RSIP_TUNNEL_IPIP);
	if (!m->method_cnt)
		a->methods = bit_of(RSIP_METHOD_RSAP_IP);
}

int rsip_answer_read(const uint8_t *buf, size_t len, struct rsip_answer *a)
{
	struct rsip_message m;
	enum rsip_err err = rsip_decode(buf, len, &m);

	memset(a, 0, sizeof(*a));
	if (err == RSIP_ERR_UNSUPPORTED_RSIP_VERSION || err == RSIP_ERR_BAD_MESSAGE ||
	    rsip_message_is_request(m.type))
		return -EBADMSG;
	a->type = m.type;
	a->understood = !err;
	a->has_client = m.has & RSIP_HAS_CLIENT_ID;
	a->has_bind = m.has & RSIP_HAS_BIND_ID;
	a->counter = m.has & RSIP_HAS_COUNTER ? m.counter : 0;
	a->client_id = m.client_id;
	a->bind_id = m.bind_id;
	if (err)
		return 0;
	a->error = m.error;
	a->lease_s = m.has & RSIP_HAS_LEASE ? m.lease_s : 0;
	if (m.type == RSIP_MSG_REGISTER_RESPONSE)
		take_offer(a, &m);
	else if (m.type == RSIP_MSG_QUERY_RESPONSE)
		memcpy(a->tuple, m.tuple, (a->tuples = m.tuple_cnt) * sizeof(*m.tuple));
	else
		take_grant(a, &m);
	return 0;
}
