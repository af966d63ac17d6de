// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Bytes to messages: one walk along the parameters, led by the tables. */
#include "codec.h"

#include <string.h>

#include "codec_tables.h"

/* What is wrong with a message; several things may be, one is told (RFC 3103 9.1.1). */
struct faults {
	bool malformed, duplicate, unknown, extra, missing;
};

struct walk {
	const struct rsip_layout *layout;
	struct rsip_reader message;
	struct rsip_message *m;
	struct rsip_message *scratch; /* values of parameters that have no place in m */
	struct faults faults;
	bool used[RSIP_SLOTS_MAX];
	unsigned int next; /* required slots before this one are behind us */
	bool optional_seen;
};

void rsip_message_init(struct rsip_message *m, uint8_t type)
{
	/*
	 * The arrays at the ends of ports, SPIs and tuples are not looked at beyond their counts.
	 */
	memset(m, 0, offsetof(struct rsip_message, local_ports));
	m->local_ports.cnt = 0;
	m->local_ports.form = RSIP_FORM_ANY;
	m->remote_ports.cnt = 0;
	m->remote_ports.form = RSIP_FORM_ANY;
	m->spis.cnt = 0;
	m->spis.form = RSIP_FORM_ANY;
	m->tuple_cnt = 0;
	m->tuple_more = 0;
	m->version = RSIP_VERSION;
	m->type = type;
}

/* ---- the head: version (1), type (1), overall length (2), and the IDs wherever they are ------ */

static void keep_id(struct rsip_message *m, uint8_t role, struct rsip_reader *value)
{
	if (m->has & rsip_roles[role].has)
		return;
	if (rsip_value_read_u32(value, role, m))
		m->has |= rsip_roles[role].has;
}

static void find_ids(struct rsip_reader *r, struct rsip_message *m)
{
	while (rsip_reader_left(r) >= RSIP_TLV_LEN) {
		uint8_t type = rsip_read_u8(r);
		uint16_t len = rsip_read_u16(r);
		struct rsip_reader value = rsip_read_part(r, len);

		if (value.failed || len != 4)
			continue;
		if (type == RSIP_PARAM_CLIENT_ID)
			keep_id(m, RSIP_ROLE_CLIENT_ID, &value);
		else if (type == RSIP_PARAM_BIND_ID)
			keep_id(m, RSIP_ROLE_BIND_ID, &value);
		else if (type == RSIP_PARAM_MESSAGE_COUNTER)
			keep_id(m, RSIP_ROLE_COUNTER, &value);
	}
}

enum rsip_err rsip_decode_head(const uint8_t *buf, size_t len, struct rsip_message *m)
{
	struct rsip_reader r = rsip_reader_on(buf, len);

	rsip_message_init(m, 0);
	m->version = rsip_read_u8(&r);
	m->type = rsip_read_u8(&r);
	m->length = rsip_read_u16(&r);
	if (!r.failed)
		find_ids(&r, m);
	if (len >= 1 && m->version != RSIP_VERSION)
		return RSIP_ERR_UNSUPPORTED_RSIP_VERSION;
	return len < RSIP_HDR_LEN || m->length != len ? RSIP_ERR_BAD_MESSAGE : RSIP_OK;
}

/* ---- one parameter --------------------------------------------------------------------------- */

static unsigned int slot_count(const struct rsip_layout *l)
{
	unsigned int n = 0;

	while (n < RSIP_SLOTS_MAX && l->slot[n].role != RSIP_ROLE_NONE)
		n++;
	return n;
}

static bool is_required(const struct rsip_layout_slot *s)
{
	return s->need == RSIP_NEED_ORDERED || s->need == RSIP_NEED_ANYWHERE;
}

/*
 * The slot for the next parameter of this type, or -1.  Required ones must come in the exact order
 * (RFC 3103 9); a gap is no disorder, it is told as missing at the end.
 */
static int find_slot(struct walk *w, uint8_t type)
{
	unsigned int n = slot_count(w->layout);
	int behind = -1, optional = -1;

	for (unsigned int i = 0; i < n; i++) {
		const struct rsip_layout_slot *s = &w->layout->slot[i];

		if (rsip_roles[s->role].param != type ||
		    (w->used[i] && s->need != RSIP_NEED_REPEATED))
			continue;
		if (s->need == RSIP_NEED_ANYWHERE || (s->need == RSIP_NEED_ORDERED && i >= w->next))
			return i;
		if (s->need == RSIP_NEED_ORDERED)
			behind = i;
		else if (optional < 0)
			optional = i;
	}
	if (behind >= 0) {
		w->faults.malformed = true;
		return behind;
	}
	return optional;
}

/* A parameter of a type that the message may hold, but not so often: duplicate; otherwise extra. */
static void count_surplus(struct walk *w, uint8_t type)
{
	for (unsigned int i = 0; i < slot_count(w->layout); i++) {
		if (rsip_roles[w->layout->slot[i].role].param == type) {
			w->faults.duplicate = true;
			return;
		}
	}
	w->faults.extra = true;
}

/* Even a parameter that does not belong here is told as malformed first. */
static bool read_surplus(struct walk *w, uint8_t type, struct rsip_reader *value)
{
	for (unsigned int role = RSIP_ROLE_NONE + 1; role < RSIP_ROLE_CNT; role++) {
		if (rsip_roles[role].param != type || !rsip_roles[role].read)
			continue;
		if (type == RSIP_PARAM_ADDRESS)
			role = RSIP_ROLE_REMOTE; /* the most that an address may be */
		if (type == RSIP_PARAM_PORTS)
			role = RSIP_ROLE_REMOTE_PORTS;
		rsip_message_init(w->scratch, w->m->type);
		return rsip_roles[role].read(value, role, w->scratch);
	}
	return true;
}

static void take_value(struct walk *w, unsigned int slot, struct rsip_reader *value)
{
	const struct rsip_layout_slot *s = &w->layout->slot[slot];
	const struct rsip_role_row *row = &rsip_roles[s->role];

	w->used[slot] = true;
	if (s->need == RSIP_NEED_ORDERED) {
		w->next = slot + 1;
		if (w->optional_seen) /* 9: required ones first */
			w->faults.malformed = true;
	} else if (!is_required(s)) {
		w->optional_seen = true;
	}
	if (row->read(value, s->role, w->m))
		w->m->has |= row->has;
	else
		w->faults.malformed = true;
}

static bool in_tuples(const struct walk *w)
{
	for (unsigned int i = 0; i < slot_count(w->layout); i++)
		if (w->layout->slot[i].role == RSIP_ROLE_TUPLE)
			return true;
	return false;
}

static void take_tuple(struct walk *w, struct rsip_reader *value)
{
	uint16_t indicator =
		rsip_reader_left(value) == 1 ? rsip_read_u8(value) : rsip_read_u16(value);
	struct rsip_message *m = w->m;
	struct rsip_tuple *t =
		m->tuple_cnt < RSIP_TUPLES_MAX ? &m->tuple[m->tuple_cnt] : &w->scratch->tuple[0];

	w->optional_seen = true;
	if (indicator > UINT8_MAX ||
	    !rsip_tuple_read(&w->message, indicator, w->layout->request, t))
		w->faults.malformed = true;
	else if (m->tuple_cnt < RSIP_TUPLES_MAX)
		m->tuple_cnt++;
	else
		m->tuple_more++;
}

static void take_auth(struct walk *w, struct rsip_reader *value)
{
	if (rsip_reader_left(value) != RSIP_AUTH_LEN || rsip_reader_left(&w->message) != 0)
		return;
	rsip_read_bytes(value, w->m->auth, RSIP_AUTH_LEN);
	w->m->has |= RSIP_HAS_AUTH;
}

static void take_parameter(struct walk *w)
{
	uint8_t type = rsip_read_u8(&w->message);
	uint16_t len = rsip_read_u16(&w->message);
	struct rsip_reader value = rsip_read_part(&w->message, len);
	const struct rsip_param_row *row = rsip_param_row(type);
	int slot;

	if (value.failed || (row && (len < row->min || len > row->max))) {
		w->faults.malformed = true;
		return;
	}
	if (!row)
		w->faults.unknown = true;
	if (!row || type == RSIP_PARAM_VENDOR) /* 8.12: "SHOULD silently ignore" */
		return;
	if (type == RSIP_PARAM_AUTH) {
		take_auth(w, &value);
	} else if (type == RSIP_PARAM_INDICATOR && in_tuples(w)) {
		take_tuple(w, &value);
	} else if (type == RSIP_PARAM_ADDRESS && in_tuples(w)) {
		w->faults.malformed = true; /* outside a tuple */
	} else if ((slot = find_slot(w, type)) >= 0) {
		take_value(w, slot, &value);
	} else {
		count_surplus(w, type);
		if (!read_surplus(w, type, &value))
			w->faults.malformed = true;
	}
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void count_missing(struct walk *w)
{
	for (unsigned int i = 0; i < slot_count(w->layout); i++)
		if (is_required(&w->layout->slot[i]) && !w->used[i])
			w->faults.missing = true;
}

static enum rsip_err first_fault(const struct faults *f)
{
	if (f->malformed)
		return RSIP_ERR_BAD_PARAM;
	if (f->duplicate)
		return RSIP_ERR_DUPLICATE_PARAM;
	if (f->unknown)
		return RSIP_ERR_ILLEGAL_PARAM;
	if (f->extra)
		return RSIP_ERR_EXTRA_PARAM;
	return f->missing ? RSIP_ERR_MISSING_PARAM : RSIP_OK;
}

enum rsip_err rsip_decode(const uint8_t *buf, size_t len, struct rsip_message *m)
{
	struct rsip_message scratch;
	struct walk w = { .m = m, .scratch = &scratch };
	enum rsip_err err = rsip_decode_head(buf, len, m);

	if (err)
		return err;
	w.layout = rsip_layout(m->type);
	if (!w.layout)
		return RSIP_ERR_ILLEGAL_MESSAGE;
	m->has = 0;
	w.message = rsip_reader_on(buf + RSIP_HDR_LEN, len - RSIP_HDR_LEN);
	while (rsip_reader_left(&w.message) > 0 && !w.message.failed)
		take_parameter(&w);
	count_missing(&w);
	err = first_fault(&w.faults);
	if (err)
		rsip_decode_head(buf, len, m);
	return err;
}
