/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Between the session's requests and answers and the codec's messages. */
#include <errno.h>
#include <string.h>
#include "codec.h"
#include "session.h"

static void put_ports(struct rsip_message *m, const struct rsip_want *w)
{
	if (!w->ports)
		m->local_ports.form = RSIP_FORM_NONE; /* RFC 3104 6.2 */
	else if (w->port)
		rsip_ports_range(&m->local_ports, w->port, w->ports);
	else
		rsip_ports_any(&m->local_ports, w->ports);
	m->has |= RSIP_HAS_LOCAL_PORTS;
}

/* RFC 3103 9.8, RFC 3104 6.3.  The remote side is left open: "don't care". */
static void put_wish(struct rsip_message *m, const struct rsip_want *w)
{
	if (w->addr)
		rsip_address_v4(&m->local, w->addr);
	else
		rsip_address_any(&m->local);
	put_ports(m, w);
	rsip_address_any(&m->remote);
	if (w->ports)
		rsip_ports_any(&m->remote_ports, 1);
	else
		m->remote_ports.form = RSIP_FORM_NONE;
	m->has |= RSIP_HAS_LOCAL | RSIP_HAS_REMOTE | RSIP_HAS_REMOTE_PORTS;
	if (m->type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC) {
		rsip_spis_any(&m->spis, w->spis);
		m->has |= RSIP_HAS_SPIS;
	}
	m->tunnel[0] = RSIP_TUNNEL_IPIP;
	m->tunnel_cnt = 1;
}

static void put_lease_time(struct rsip_message *m, uint32_t lease_s)
{
	if (!lease_s)
		return;
	m->lease_s = lease_s;
	m->has |= RSIP_HAS_LEASE;
}

long rsip_request_write(uint8_t type, uint32_t client_id, const struct rsip_lease *lease,
			uint32_t counter, uint8_t *buf, size_t size)
{
	struct rsip_message m;

	rsip_message_init(&m, type);
	m.counter = counter;
	m.has = RSIP_HAS_COUNTER;
	if (type != RSIP_MSG_REGISTER_REQUEST) {
		m.client_id = client_id;
		m.has |= RSIP_HAS_CLIENT_ID;
	}
	switch (type) {
	case RSIP_MSG_EXTEND_REQUEST:
		put_lease_time(&m, lease->want.lease_s);
		/* fall through */
	case RSIP_MSG_FREE_REQUEST:
		m.bind_id = lease->bind_id;
		m.has |= RSIP_HAS_BIND_ID;
		break;
	case RSIP_MSG_ASSIGN_REQUEST_RSAP_IP:
	case RSIP_MSG_ASSIGN_REQUEST_RSIPSEC:
		put_wish(&m, &lease->want);
		put_lease_time(&m, lease->want.lease_s);
		break;
	}
	return rsip_encode(&m, buf, size);
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
			a->endpoint = m->endpoint.v4;
		else
			a->understood = false; /* a tunnel to somewhere we cannot name */
	}
	if (m->has & RSIP_HAS_LOCAL_PORTS)
		take_ports(a, &m->local_ports);
	if (m->has & RSIP_HAS_SPIS)
		take_spis(a, &m->spis);
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
	take_grant(a, &m);
	return 0;
}
