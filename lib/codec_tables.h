/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Inside the codec: the two tables, and the values of parameters. */
#ifndef RSIP_CODEC_TABLES_H
#define RSIP_CODEC_TABLES_H

#include "codec.h"
#include "cursor.h"

#define RSIP_SLOTS_MAX 12

/* What a parameter means in its place of a message. */
enum rsip_role {
	RSIP_ROLE_NONE,
	RSIP_ROLE_CLIENT_ID,
	RSIP_ROLE_BIND_ID,
	RSIP_ROLE_LEASE,
	RSIP_ROLE_COUNTER,
	RSIP_ROLE_ERROR,
	RSIP_ROLE_POLICY,
	RSIP_ROLE_LOCAL,
	RSIP_ROLE_LOCAL_PORTS,
	RSIP_ROLE_REMOTE,
	RSIP_ROLE_REMOTE_PORTS,
	RSIP_ROLE_SPIS,
	RSIP_ROLE_ENDPOINT,
	RSIP_ROLE_TUNNEL,
	RSIP_ROLE_METHOD,
	RSIP_ROLE_TUPLE,
	RSIP_ROLE_CNT,
};

enum rsip_need {
	RSIP_NEED_ORDERED,  /* required, in the exact order */
	RSIP_NEED_ANYWHERE, /* required; written in this place, read in any (order of lease and
			       tunnel) */
	RSIP_NEED_OPTIONAL,
	RSIP_NEED_REPEATED, /* optional, any number of them */
};

struct rsip_param_row {
	uint8_t type;
	uint16_t min, max; /* length of the value */
};

struct rsip_role_row {
	uint8_t param; /* enum rsip_param_type */
	uint32_t has;  /* enum rsip_has; 0 where a count says it */
	/* Value to message; false: malformed (205).  The cursor ends where the value ends. */
	bool (*read)(struct rsip_reader *value, uint8_t role, struct rsip_message *m);
	/* Message to value; false: it cannot be written so.  nth: of a repeated one. */
	bool (*write)(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
		      unsigned int nth);
};

struct rsip_layout_slot {
	uint8_t role, need;
};

struct rsip_layout {
	uint8_t type;
	bool request;
	struct rsip_layout_slot slot[RSIP_SLOTS_MAX]; /* ends with role 0 */
};

extern const struct rsip_role_row rsip_roles[RSIP_ROLE_CNT];
/* NULL: the type is not known. */
const struct rsip_param_row *rsip_param_row(uint8_t type);
const struct rsip_layout *rsip_layout(uint8_t type);
/* Do the ports of this message know "don't need"? (RFC 3104 6.2) */
bool rsip_layout_ports_none(uint8_t type);

/* The addresses of a tuple, whose indicator has been read: false is malformed. */
bool rsip_tuple_read(struct rsip_reader *message, uint8_t indicator, bool request,
		     struct rsip_tuple *out);
bool rsip_tuple_write(struct rsip_writer *w, const struct rsip_tuple *tuple);
bool rsip_tuple_is_network(uint8_t indicator);

/* In codec_values.c, for rsip_roles. */
bool rsip_value_read_u32(struct rsip_reader *v, uint8_t role, struct rsip_message *m);
bool rsip_value_write_u32(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			  unsigned int nth);
bool rsip_value_read_small(struct rsip_reader *v, uint8_t role, struct rsip_message *m);
bool rsip_value_write_small(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			    unsigned int nth);
bool rsip_value_read_address(struct rsip_reader *v, uint8_t role, struct rsip_message *m);
bool rsip_value_write_address(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			      unsigned int nth);
bool rsip_value_read_ports(struct rsip_reader *v, uint8_t role, struct rsip_message *m);
bool rsip_value_write_ports(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			    unsigned int nth);
bool rsip_value_read_spis(struct rsip_reader *v, uint8_t role, struct rsip_message *m);
bool rsip_value_write_spis(struct rsip_writer *w, uint8_t role, const struct rsip_message *m,
			   unsigned int nth);

#endif
