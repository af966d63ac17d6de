/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Authentication of RSIP messages (RFC 3102 3.3), for which RFC 3103 has no parameter: the private-use parameter
 * 241, always the last one of a message:
 *
 *      0               1               2               3
 *     +---------------+---------------+---------------+---------------+
 *     |   Type 241    |          Length 28            |  Key ID (4) ...
 *     +---------------+---------------+---------------+---------------+
 *     |                        Sequence (8) ...
 *     +---------------------------------------------------------------+
 *     |                          MAC (16) ...
 *     +---------------------------------------------------------------+
 *
 * MAC: the first 16 bytes of HMAC-SHA-256 over one byte of direction; from the gateway then the MAC of the request
 * that is answered, or 16 zero bytes; then the whole message with its MAC zero.  So an answer proves the gateway to
 * the host that asked, and to nobody else.
 */
#ifndef RSIP_AUTH_H
#define RSIP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "codec.h"

#define RSIP_AUTH_MAC_LEN 16
#define RSIP_AUTH_SECRET_MIN 16
#define RSIP_AUTH_SECRET_MAX 64

struct rsip_auth_key {
	uint32_t id; /* never 0 */
	uint8_t len; /* of the secret */
	uint8_t secret[RSIP_AUTH_SECRET_MAX];
};

struct rsip_auth { /* the value of the parameter, numbers in host order */
	uint32_t key_id;
	uint64_t seq;
	uint8_t mac[RSIP_AUTH_MAC_LEN];
};

enum rsip_auth_direction { RSIP_AUTH_TO_GATEWAY = 1, RSIP_AUTH_FROM_GATEWAY = 2 };

/* "a0b1...": 16 to 64 bytes in hexadecimal digits.  false: it is none; the key's ID is not touched. */
bool rsip_auth_secret_parse(const char *text, struct rsip_auth_key *key);

/*
 * The same from a file, which must belong to root, to owner or to us, and be closed to all others.  NULL: done; else what is
 * wrong, without a word of what is in it.
 */
const char *rsip_auth_secret_load(const char *path, uid_t owner, struct rsip_auth_key *key);

/* The parameter of a message, if its last one is a whole parameter 241.  Broken messages are no danger. */
bool rsip_auth_find(const uint8_t *msg, size_t len, struct rsip_auth *out);

/* m will carry the parameter: key ID and sequence now, the MAC after encoding, by rsip_auth_sign(). */
void rsip_auth_add(struct rsip_message *m, uint32_t key_id, uint64_t seq);

/*
 * Writes the MAC into a message that ends with the parameter.  request: the MAC of the request that is answered;
 * NULL: to the gateway, or an asynchronous message.
 */
void rsip_auth_sign(const struct rsip_auth_key *key, enum rsip_auth_direction direction, const uint8_t *request,
		    uint8_t *msg, size_t len);

/* Is the MAC of a message in which rsip_auth_find() found one right?  Takes as long for a wrong one. */
bool rsip_auth_check(const struct rsip_auth_key *key, enum rsip_auth_direction direction, const uint8_t *request,
		     const uint8_t *msg, size_t len);

/* The next number of a direction: both sides count microseconds since 1970, and never go back. */
static inline uint64_t rsip_auth_next(uint64_t last, uint64_t wall_us)
{
	return wall_us > last ? wall_us : last + 1;
}

#endif
