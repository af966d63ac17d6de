// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Messages to bytes, parameters in the order of each BNF. */
#include <errno.h>

#include "codec.h"
#include "codec_tables.h"

static unsigned int how_many(const struct rsip_message *m, uint8_t role)
{
	switch (role) {
	case RSIP_ROLE_TUNNEL: return m->tunnel_cnt;
	case RSIP_ROLE_METHOD: return m->method_cnt;
	case RSIP_ROLE_TUPLE: return m->tuple_cnt;
	}
	return m->has & rsip_roles[role].has ? 1 : 0;
}

static int write_parameter(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			   unsigned int nth)
{
	size_t at;

	if (role == RSIP_ROLE_TUPLE)
		return rsip_tuple_write(w, &m->tuple[nth]) ? 0 : -EINVAL;
	rsip_write_u8(w, rsip_roles[role].param);
	at = rsip_writer_len(w);
	rsip_write_u16(w, 0);
	if (!rsip_roles[role].write(w, role, m, nth))
		return -EINVAL;
	rsip_write_u16_at(w, at, rsip_writer_len(w) - at - 2);
	return 0;
}

static int write_slot(struct rsip_writer *w, const struct rsip_layout_slot *s,
		      const struct rsip_message *m)
{
	unsigned int cnt = how_many(m, s->role);
	int err;

	if (cnt == 0)
		return s->need == RSIP_NEED_ORDERED || s->need == RSIP_NEED_ANYWHERE ? -EINVAL : 0;
	if (cnt > 1 && s->need != RSIP_NEED_REPEATED)
		return -EINVAL;
	for (unsigned int i = 0; i < cnt; i++) {
		err = write_parameter(w, s->role, m, i);
		if (err)
			return err;
	}
	return 0;
}

/* What is in m must have its place in the message, or the caller would believe that it was sent. */
static bool all_have_places(const struct rsip_layout *l, const struct rsip_message *m)
{
	uint32_t has = m->has & ~RSIP_HAS_AUTH;
	bool tunnel = !m->tunnel_cnt, method = !m->method_cnt, tuple = !m->tuple_cnt;

	for (unsigned int i = 0; i < RSIP_SLOTS_MAX && l->slot[i].role != RSIP_ROLE_NONE; i++) {
		has &= ~rsip_roles[l->slot[i].role].has;
		tunnel |= l->slot[i].role == RSIP_ROLE_TUNNEL;
		method |= l->slot[i].role == RSIP_ROLE_METHOD;
		tuple |= l->slot[i].role == RSIP_ROLE_TUPLE;
	}
	return !has && tunnel && method && tuple && m->tunnel_cnt <= RSIP_TYPES_MAX &&
	       m->method_cnt <= RSIP_TYPES_MAX && m->tuple_cnt <= RSIP_TUPLES_MAX;
}

int rsip_encode(const struct rsip_message *m, uint8_t *buf, size_t size)
{
	struct rsip_writer w = rsip_writer_on(buf, size < RSIP_MSG_MAX ? size : RSIP_MSG_MAX);
	const struct rsip_layout *l = rsip_layout(m->type);
	int err;

	if (!l)
		return -ENOENT;
	if (!all_have_places(l, m))
		return -EINVAL;
	rsip_write_u8(&w, RSIP_VERSION);
	rsip_write_u8(&w, m->type);
	rsip_write_u16(&w, 0);
	for (unsigned int i = 0; i < RSIP_SLOTS_MAX && l->slot[i].role != RSIP_ROLE_NONE; i++) {
		err = write_slot(&w, &l->slot[i], m);
		if (err)
			return err;
	}
	if (m->has & RSIP_HAS_AUTH) { /* always the last */
		rsip_write_u8(&w, RSIP_PARAM_AUTH);
		rsip_write_u16(&w, RSIP_AUTH_LEN);
		rsip_write_bytes(&w, m->auth, RSIP_AUTH_LEN);
	}
	if (w.failed)
		return -ENOSPC;
	rsip_write_u16_at(&w, 2, rsip_writer_len(&w));
	return rsip_writer_len(&w);
}
