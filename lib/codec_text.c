// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Messages as one line for people. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>

#include "codec.h"
#include "util.h"

struct line {
	char *text;
	size_t size, len;
};

static void __attribute__((format(printf, 2, 3))) add(struct line *l, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (l->len + 1 >= l->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(l->text + l->len, l->size - l->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		l->len += (size_t)n < l->size - l->len ? (size_t)n : l->size - l->len - 1;
}

static void add_address(struct line *l, const char *label, const struct rsip_address *a)
{
	char v6[INET6_ADDRSTRLEN];

	if (a->any)
		add(l, " %s=any", label);
	else if (a->type == RSIP_ADDR_IPV4)
		add(l, " %s=%s", label, rsip_ip4(a->v4));
	else if (a->type == RSIP_ADDR_IPV6)
		add(l, " %s=%s", label, inet_ntop(AF_INET6, a->v6, v6, sizeof(v6)) ? v6 : "?");
	else if (a->type == RSIP_ADDR_FQDN)
		add(l, " %s=\"%s\"", label, a->fqdn); /* printable only: the reader saw to that */
}

static void add_ports(struct line *l, const char *label, const struct rsip_ports *p)
{
	switch (p->form) {
	case RSIP_FORM_NONE: add(l, " %s=none", label); break;
	case RSIP_FORM_ANY: add(l, " %s=any(%u)", label, p->cnt); break;
	case RSIP_FORM_RANGE:
		add(l, p->cnt > 1 ? " %s=%u-%u" : " %s=%u", label, p->port[0],
		    p->port[0] + p->cnt - 1);
		break;
	default:
		add(l, " %s=", label);
		for (unsigned int i = 0; i < p->cnt; i++)
			add(l, i ? ",%u" : "%u", p->port[i]);
	}
}

static void add_spis(struct line *l, const struct rsip_spis *s)
{
	if (s->form == RSIP_FORM_ANY)
		add(l, " spis=any(%u)", s->cnt);
	else if (s->form == RSIP_FORM_RANGE)
		add(l, s->cnt > 1 ? " spis=0x%08x-0x%08x" : " spis=0x%08x", s->first,
		    s->first + s->cnt - 1);
	else
		add(l, " spis=0x%08x,...(%u)", s->first, s->cnt);
}

static void add_tuple(struct line *l, const struct rsip_tuple *t)
{
	static const char *const label[] = { "?", "local-address", "local-network",
					     "remote-address", "remote-network" };

	add_address(l, label[t->indicator < RSIP_ARRAY_LEN(label) ? t->indicator : 0], &t->addr);
	if (t->mask)
		add(l, "/%s", rsip_ip4(t->mask));
}

static void add_numbers(struct line *l, const struct rsip_message *m)
{
	if (m->has & RSIP_HAS_ERROR)
		add(l, " error=%s(%u)", rsip_err_name(m->error), m->error);
	if (m->has & RSIP_HAS_COUNTER)
		add(l, " n=%u", m->counter);
	if (m->has & RSIP_HAS_CLIENT_ID)
		add(l, " client=%u", m->client_id);
	if (m->has & RSIP_HAS_BIND_ID)
		add(l, " bind=%u", m->bind_id);
	if (m->has & RSIP_HAS_LEASE)
		add(l, " lease=%us", m->lease_s);
	if (m->has & RSIP_HAS_POLICY)
		add(l, " policy=%u/%u", m->local_policy, m->remote_policy);
}

const char *rsip_message_text(const struct rsip_message *m, char *text, size_t size)
{
	struct line l = { .text = text, .size = size };

	if (!size)
		return "";
	text[0] = '\0';
	if (rsip_message_known(m->type))
		add(&l, "%s", rsip_msg_name(m->type));
	else
		add(&l, "message type %u", m->type);
	add_numbers(&l, m);
	if (m->has & RSIP_HAS_LOCAL)
		add_address(&l, "local", &m->local);
	if (m->has & RSIP_HAS_LOCAL_PORTS)
		add_ports(&l, "local-ports", &m->local_ports);
	if (m->has & RSIP_HAS_REMOTE)
		add_address(&l, "remote", &m->remote);
	if (m->has & RSIP_HAS_REMOTE_PORTS)
		add_ports(&l, "remote-ports", &m->remote_ports);
	if (m->has & RSIP_HAS_SPIS)
		add_spis(&l, &m->spis);
	for (unsigned int i = 0; i < m->method_cnt; i++)
		add(&l, " method=%s", rsip_method_name(m->method[i]));
	for (unsigned int i = 0; i < m->tunnel_cnt; i++)
		add(&l, " tunnel=%s", rsip_tunnel_name(m->tunnel[i]));
	if (m->has & RSIP_HAS_ENDPOINT)
		add_address(&l, "endpoint", &m->endpoint);
	for (unsigned int i = 0; i < m->tuple_cnt; i++)
		add_tuple(&l, &m->tuple[i]);
	if (m->has & RSIP_HAS_AUTH)
		add(&l, " auth");
	return text;
}
