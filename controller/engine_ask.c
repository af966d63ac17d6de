// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What a host asks for, in the lease manager's words, and whether its policy lets it: RFC 3103 9.6, 9.8, 9.16, 7,
 * RFC 3104 6.2.  The order of the errors is tunnel 307, then 103, 312, 313, 314, 315, 401.
 */
#include <stdlib.h>
#include <string.h>

#include "engine_priv.h"

#define PORT_IKE 500
#define PORT_NATT 4500

/* ---- ports and SPIs -------------------------------------------------------------------------- */

static int compare_ports(const void *a, const void *b)
{
	uint16_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return (int)x - (int)y;
}

static bool by_number(const struct rsip_ports *p)
{
	return p->form == RSIP_FORM_RANGE || p->form == RSIP_FORM_LIST;
}

static void sort_ports(const struct rsip_ports *p, struct rsip_port_set *set)
{
	set->cnt = p->cnt;
	memcpy(set->port, p->port, p->cnt * sizeof(p->port[0]));
	qsort(set->port, p->cnt, sizeof(p->port[0]), compare_ports);
}

static void ask_ports(const struct rsip_ports *p, struct rsip_lease_ask *ask)
{
	ask->port_cnt = p->cnt; /* 0 where none are needed */
	ask->ports_given = by_number(p);
	if (ask->ports_given)
		sort_ports(p, &ask->ports);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct rsip_spi_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* A list as ranges, ascending, in the engine's memory. */
static void ask_spi_list(struct rsip_engine *e, const struct rsip_spis *s, struct rsip_spi_set *set)
{
	struct rsip_spi_range *r = e->spi_range;
	unsigned int n = 0;

	for (unsigned int i = 0; i < s->cnt; i++)
		r[i] = (struct rsip_spi_range){ .first = s->spi[i], .cnt = 1 };
	qsort(r, s->cnt, sizeof(*r), compare_ranges);
	for (unsigned int i = 1; i < s->cnt; i++) {
		if (r[i].first == r[n].first + r[n].cnt)
			r[n].cnt++;
		else
			r[++n] = r[i];
	}
	set->range = r;
	set->range_cnt = n + 1;
}

static enum rsip_err ask_spis(struct rsip_engine *e, const struct rsip_spis *s,
			      struct rsip_lease_ask *ask)
{
	ask->spi_cnt = s->cnt;
	ask->spis_given = s->form != RSIP_FORM_ANY;
	if (s->form == RSIP_FORM_LIST) {
		if (s->cnt > RSIP_SPI_LIST_MAX)
			return RSIP_ERR_IPSEC_SPI_UNAVAILABLE;
		ask_spi_list(e, s, &ask->spis);
	} else if (s->form == RSIP_FORM_RANGE) {
		e->spi_range[0] = (struct rsip_spi_range){ .first = s->first, .cnt = s->cnt };
		ask->spis.range = e->spi_range;
		ask->spis.range_cnt = 1;
	}
	return RSIP_OK;
}

/* ---- tunnel ---------------------------------------------------------------------------------- */

/* 9.3.3: IP-IP where none is named; of several (9.16) the first that we can. */
static enum rsip_err ask_tunnel(const struct rsip_request *rq, struct rsip_lease_ask *ask)
{
	const struct rsip_message *in = rq->in;
	static const uint8_t assumed[] = { RSIP_TUNNEL_IPIP };
	const uint8_t *list = in->tunnel_cnt ? in->tunnel : assumed;
	uint32_t offered = rsip_engine_tunnels(rq);

	for (unsigned int i = 0; i < (in->tunnel_cnt ? in->tunnel_cnt : 1U); i++) {
		if (list[i] < 32 && offered & RSIP_TUNNEL_BIT(list[i])) {
			ask->tunnel = list[i];
			return RSIP_OK;
		}
	}
	return RSIP_ERR_BAD_TUNNEL_TYPE;
}

/* ---- local ----------------------------------------------------------------------------------- */

static enum rsip_err ask_local(const struct rsip_request *rq, struct rsip_lease_ask *ask)
{
	const struct rsip_message *in = rq->in;

	if (in->local.any)
		return RSIP_OK;
	if (in->local.type != RSIP_ADDR_IPV4) /* no pool holds an IPv6 address */
		return RSIP_ERR_LOCAL_ADDR_UNALLOWED;
	ask->local = in->local.v4;
	return RSIP_OK;
}

/* 7.1, 9.9.3: under local micro policy exactly one port at a time. */
static enum rsip_err check_detail_local(const struct rsip_request *rq, const struct rsip_lease_ask *ask)
{
	if (rsip_engine_local_policy(rq) == RSIP_LOCAL_MICRO && ask->port_cnt > 1)
		return RSIP_ERR_FLOW_POLICY_VIOLATION;
	return RSIP_OK;
}

/* ---- listeners on the ports of IKE ----------------------------------------------------------- */

static uint8_t ike_bit(uint16_t port)
{
	if (port == PORT_IKE)
		return RSIP_KIND_IKE_500;
	return port == PORT_NATT ? RSIP_KIND_IKE_4500 : 0;
}

/* Is RSIPSEC spoken where the ports would be taken?  Otherwise 500 and 4500 are ports like others. */
static bool near_ipsec(const struct rsip_request *rq)
{
	const struct rsip_message *in = rq->in;

	if (!in->local.any && in->local.type == RSIP_ADDR_IPV4)
		return rsip_lease_addr_offers(rq->e->lm, in->local.v4, RSIP_METHOD_RSIPSEC);
	return rsip_lease_methods(rq->e->lm, rsip_flow_pools(rq->policy)) &
	       RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC);
}

/*
 * UDP 500 and 4500 of an address with RSIPSEC belong to all its hosts.  A listener may have them for one remote,
 * whatever the remote policy is (RFC 3102 3.2, RFC 3104 App. G).
 */
static void ask_listen(const struct rsip_request *rq, struct rsip_lease_ask *ask)
{
	const struct rsip_message *in = rq->in;
	uint8_t bits = 0;

	ask->kind = RSIP_KIND_LISTEN;
	if (!ask->ports_given || in->remote.any || in->remote.type != RSIP_ADDR_IPV4 || !near_ipsec(rq))
		return;
	for (unsigned int i = 0; i < ask->ports.cnt; i++) {
		if (!ike_bit(ask->ports.port[i]))
			return;
		bits |= ike_bit(ask->ports.port[i]);
	}
	ask->kind |= bits;
	ask->remote = in->remote.v4;
}

/* ---- remote ---------------------------------------------------------------------------------- */

/* 9.6.3, 9.8.3, 9.16.3: has the host said as much as its policy wants?  103. */
static enum rsip_err check_detail_remote(const struct rsip_request *rq, const struct rsip_lease_ask *ask)
{
	const struct rsip_message *in = rq->in;
	bool given = !in->remote.any, ports = by_number(&in->remote_ports);

	switch (rsip_engine_remote_policy(rq)) {
	case RSIP_REMOTE_MACRO:
		return given ? RSIP_OK : RSIP_ERR_FLOW_POLICY_VIOLATION;
	case RSIP_REMOTE_MICRO:
		return given && ports ? RSIP_OK : RSIP_ERR_FLOW_POLICY_VIOLATION;
	}
	/* 9.16.3: without remote policy a listener MUST NOT be restricted; others are not heard (9.9.3). */
	if (in->type == RSIP_MSG_LISTEN_REQUEST && !(ask->kind & RSIP_KIND_IKE) && (given || ports))
		return RSIP_ERR_FLOW_POLICY_VIOLATION;
	return RSIP_OK;
}

/* The remote ports of a binding are one run: what has holes needs a binding for each. */
static bool one_run(const struct rsip_ports *p, uint16_t *first)
{
	struct rsip_port_set set;

	sort_ports(p, &set);
	*first = set.port[0];
	return set.port[set.cnt - 1] - set.port[0] == set.cnt - 1;
}

static enum rsip_err ask_remote(const struct rsip_request *rq, struct rsip_lease_ask *ask)
{
	const struct rsip_message *in = rq->in;
	uint8_t policy = rsip_engine_remote_policy(rq);

	if (policy == RSIP_REMOTE_NONE)
		return RSIP_OK;
	/* A name would have to be looked up, and again at each change: not allowed, as IPv6 is not. */
	if (in->remote.type != RSIP_ADDR_IPV4)
		return RSIP_ERR_REMOTE_ADDR_UNALLOWED;
	ask->remote = in->remote.v4;
	if (policy == RSIP_REMOTE_MACRO)
		return rsip_flow_allows(rq->policy, ask->remote, 0, 0) ? RSIP_OK
								      : RSIP_ERR_REMOTE_ADDR_UNALLOWED;
	ask->remote_port_cnt = in->remote_ports.cnt;
	if (!one_run(&in->remote_ports, &ask->remote_port) ||
	    !rsip_flow_allows(rq->policy, ask->remote, ask->remote_port, ask->remote_port_cnt))
		return RSIP_ERR_REMOTE_ADDRPORT_UNALLOWED;
	return RSIP_OK;
}

/* ---- all of it ------------------------------------------------------------------------------- */

static uint8_t method_of(uint8_t type)
{
	if (type == RSIP_MSG_ASSIGN_REQUEST_RSA_IP)
		return RSIP_METHOD_RSA_IP;
	return type == RSIP_MSG_ASSIGN_REQUEST_RSIPSEC ? RSIP_METHOD_RSIPSEC : RSIP_METHOD_RSAP_IP;
}

/* 10.6: listeners only for whom the configuration lets. */
static enum rsip_err check_listen(const struct rsip_request *rq)
{
	if (rq->in->type == RSIP_MSG_LISTEN_REQUEST && !rq->policy->listen)
		return RSIP_ERR_LOCAL_ADDRPORT_UNALLOWED;
	return RSIP_OK;
}

static enum rsip_err check_ipsec(const struct rsip_request *rq, const struct rsip_lease_ask *ask)
{
	bool wanted = ask->method == RSIP_METHOD_RSIPSEC || ask->kind & RSIP_KIND_IKE;

	return wanted && !(rsip_engine_methods(rq) & RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC))
		       ? RSIP_ERR_IPSEC_UNALLOWED
		       : RSIP_OK;
}

static enum rsip_err check_policy(struct rsip_request *rq, struct rsip_lease_ask *ask)
{
	enum rsip_err err = check_detail_local(rq, ask);

	if (!err)
		err = check_detail_remote(rq, ask);
	if (!err)
		err = ask_local(rq, ask);
	if (!err)
		err = rsip_lease_allowed(rq->e->lm, ask);
	if (!err)
		err = check_listen(rq);
	if (!err)
		err = ask_remote(rq, ask);
	return err ? err : check_ipsec(rq, ask);
}

enum rsip_err rsip_engine_ask(struct rsip_request *rq, struct rsip_lease_ask *ask)
{
	const struct rsip_message *in = rq->in;
	enum rsip_err err = ask_tunnel(rq, ask);
	uint32_t front;

	if (err)
		return err;
	ask->method = method_of(in->type);
	ask->pools = rsip_flow_pools(rq->policy);
	ask->lease_s = in->has & RSIP_HAS_LEASE ? in->lease_s : 0;
	ask->nexthop = rq->nexthop;
	ask->endpoint = rq->policy->endpoint && rq->endpoint ? rq->policy->endpoint : rq->endpoint;
	front = RSIP_FRONT_LEN(rq->c->host, ask->tunnel);
	if (rq->mtu > front)
		ask->mtu = (uint16_t)(rq->mtu - front);
	if (ask->method != RSIP_METHOD_RSA_IP)
		ask_ports(&in->local_ports, ask);
	if (in->type == RSIP_MSG_LISTEN_REQUEST)
		ask_listen(rq, ask);
	err = check_policy(rq, ask);
	if (!err && ask->method == RSIP_METHOD_RSIPSEC)
		err = ask_spis(rq->e, &in->spis, ask);
	return err;
}
