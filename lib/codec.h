/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * RSIP messages between bytes and struct rsip_message: RFC 3103 8 and 9, RFC 3104 6.
 *
 * Two tables, one of parameters and one of messages, say all there is to say of the format; one
 * loop reads by them and one writes by them.  Addresses are in network order; ports, SPIs, counters
 * and IDs in host order.  Nothing here allocates: a message holds copies of all that it was read
 * from.
 */
#ifndef RSIP_CODEC_H
#define RSIP_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#include "rsip/wire.h"

#define RSIP_PORTS_MAX 255     /* RFC 3103 8.2: the number is one byte */
#define RSIP_SPI_LIST_MAX 1024 /* values of a list that are kept; a range may be longer */
#define RSIP_TUPLES_MAX 64     /* tuples of a QUERY that are kept */
#define RSIP_TYPES_MAX 16      /* different tunnel types or methods that are kept */
#define RSIP_FQDN_MAX 255
#define RSIP_AUTH_LEN 28 /* key ID (4), sequence (8), MAC (16) */
#define RSIP_SPI_MIN 256 /* RFC 4303 2.1: 0-255 are reserved */

enum rsip_has {
	RSIP_HAS_CLIENT_ID = 1 << 0,
	RSIP_HAS_BIND_ID = 1 << 1,
	RSIP_HAS_LEASE = 1 << 2,
	RSIP_HAS_COUNTER = 1 << 3,
	RSIP_HAS_ERROR = 1 << 4,
	RSIP_HAS_POLICY = 1 << 5,
	RSIP_HAS_LOCAL = 1 << 6,
	RSIP_HAS_LOCAL_PORTS = 1 << 7,
	RSIP_HAS_REMOTE = 1 << 8,
	RSIP_HAS_REMOTE_PORTS = 1 << 9,
	RSIP_HAS_SPIS = 1 << 10,
	RSIP_HAS_ENDPOINT = 1 << 11,
	RSIP_HAS_AUTH = 1 << 12,
};

/* How a set of numbers is written: RFC 3103 8.2, RFC 3104 6.2. */
enum rsip_form {
	RSIP_FORM_ANY,	 /* "don't care": only how many */
	RSIP_FORM_NONE,	 /* "don't need" (RFC 3104 6.2): length 0, ports of types 22 and 23 only */
	RSIP_FORM_RANGE, /* one field: number of them from the first on; a single one too */
	RSIP_FORM_LIST,	 /* as many fields as the number says (two at least) */
};

struct rsip_address { /* RFC 3103 8.1 */
	uint8_t type; /* enum rsip_addrtype; IPv4 or IPv6 where any is set */
	bool any; /* "don't care"; 0.0.0.0 and :: are read as this in local and remote addresses */
	uint8_t fqdn_len;
	union {
		__be32 v4;
		uint8_t v6[16];
		char fqdn[RSIP_FQDN_MAX + 1]; /* printable ASCII, NUL added */
	};
};

struct rsip_ports {
	uint8_t form;		       /* enum rsip_form */
	uint8_t cnt;		       /* ANY: how many are wanted; 0 where NONE */
	uint16_t port[RSIP_PORTS_MAX]; /* RANGE, LIST: all of them, a range written out; as in the
					  message, none twice */
};

struct rsip_spis {
	uint8_t form;			 /* never NONE */
	uint16_t cnt;			 /* may exceed RSIP_SPI_LIST_MAX */
	uint32_t first;			 /* RANGE; LIST: spi[0] */
	uint32_t spi[RSIP_SPI_LIST_MAX]; /* LIST only: the first RSIP_SPI_LIST_MAX of them, as in
					    the message */
};

struct rsip_tuple {	   /* of a QUERY: RFC 3103 9.14, 9.15 */
	uint8_t indicator; /* request: 1 address, 2 network; response: enum rsip_indicator */
	struct rsip_address addr;
	__be32 mask; /* of a network; contiguous */
};

struct rsip_message {
	uint8_t version;
	uint8_t type;	 /* enum rsip_msg_type, or another number where decoding failed */
	uint16_t length; /* overall length as written in the message */
	uint32_t has;	 /* enum rsip_has */
	uint32_t client_id, bind_id, lease_s, counter;
	uint16_t error; /* enum rsip_err, or a number of another gateway's */
	uint8_t local_policy, remote_policy;
	uint8_t tunnel_cnt, method_cnt;
	uint8_t tunnel[RSIP_TYPES_MAX]; /* as in the message, each once; any value */
	uint8_t method[RSIP_TYPES_MAX];
	uint8_t auth[RSIP_AUTH_LEN]; /* raw value */
	struct rsip_address local, remote, endpoint;
	struct rsip_ports local_ports, remote_ports;
	struct rsip_spis spis;
	uint16_t tuple_cnt;  /* kept */
	uint16_t tuple_more; /* well-formed, but beyond RSIP_TUPLES_MAX */
	struct rsip_tuple tuple[RSIP_TUPLES_MAX];
};

/* m->type = type, nothing else present. */
void rsip_message_init(struct rsip_message *m, uint8_t type);

/*
 * Reads only what an answer to a broken message needs: version, type and length as they are, and
 * the first well-formed client ID, bind ID and counter.  RSIP_OK, 106 or 207 (len is not the
 * overall length).
 */
enum rsip_err rsip_decode_head(const uint8_t *buf, size_t len, struct rsip_message *m);

/*
 * Reads a whole message of either direction.  Errors in the order of the conformance matrix: 106,
 * 207, 206 (no such message), 205 (malformed or out of order), 202, 204, 203, 201.  On an error m
 * holds what rsip_decode_head() finds, and nothing else.  Not looked at: whether a counter is
 * missing or 0 where it must not be, and any meaning of an ID, policy, error, tunnel or method
 * number.  A parameter 241 that is not the last or not 28 bytes is no authentication and is not
 * there; unknown vendor parameters are not there either (8.12).
 */
enum rsip_err rsip_decode(const uint8_t *buf, size_t len, struct rsip_message *m);

/*
 * Writes m, parameters in the order of the BNF, optional ones that are not there left out.  Returns
 * the length; -ENOSPC: size or 65,535 is too small; -EINVAL: a required parameter is absent, one is
 * there that the message cannot hold, or a value cannot be written; -ENOENT: no such message.
 */
int rsip_encode(const struct rsip_message *m, uint8_t *buf, size_t size);

/*
 * One line for logs, "NAME n=1 client=1 ...", cut to size; bytes from the network are escaped.
 * Returns text.
 */
const char *rsip_message_text(const struct rsip_message *m, char *text, size_t size);

/*
 * Fill ports or SPIs from numbers (ascending, distinct): a range where they are contiguous, else a
 * list.
 */
void rsip_ports_set(struct rsip_ports *p, const uint16_t *port, uint8_t cnt);
void rsip_ports_range(struct rsip_ports *p, uint16_t first,
		      uint8_t cnt); /* first + cnt - 1 <= 65535 */
void rsip_spis_range(struct rsip_spis *s, uint32_t first, uint16_t cnt);
void rsip_ports_any(struct rsip_ports *p, uint8_t cnt);
void rsip_spis_any(struct rsip_spis *s, uint16_t cnt);
void rsip_address_any(struct rsip_address *a); /* IPv4, don't care */
void rsip_address_v4(struct rsip_address *a, __be32 v4);

/* Does the format know this message? */
bool rsip_message_known(uint8_t type);
/* A host sends it (requests); false for responses and unknown types. */
bool rsip_message_is_request(uint8_t type);

#endif
