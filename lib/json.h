/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * JSON for configuration files and the control socket: cJSON behind strict rules.
 *
 * cJSON alone keeps duplicate keys, ignores trailing text, rounds integers past 2^53 and forgets
 * where in the text a value stood.  Here all of that is an error with its line, and every value
 * knows its line.
 */
#ifndef RSIP_JSON_H
#define RSIP_JSON_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/types.h>

#define RSIP_JSON_DEPTH 16	       /* nested objects and arrays */
#define RSIP_JSON_INT_MAX (1ULL << 53) /* integers up to here survive a double */

enum rsip_json_flags {
	RSIP_JSON_COMMENTS = 0x1, /* allow // and slash-star comments */
};

struct rsip_json_error {
	int line; /* from 1 */
	char text[160];
};

/*
 * Parses len bytes (no terminator needed).  Returns a tree for cJSON_Delete(), or NULL with err
 * filled: bad grammar, duplicate key, text after the value, an integer past 2^53, too deep.
 */
cJSON *rsip_json_parse(const char *text, size_t len, unsigned int flags,
		       struct rsip_json_error *err);

/* The line on which a value of a tree from rsip_json_parse() begins. */
int rsip_json_line(const cJSON *item);

/* True, and *out set, if item is a whole number from 0 to 2^53. */
bool rsip_json_integer(const cJSON *item, uint64_t *out);

/* Reads a file of at most max bytes; *text is malloc'd and terminated.  0 or negative errno
 * (-EFBIG). */
int rsip_json_read_file(const char *path, size_t max, char **text, size_t *len);

/*
 * Finds the end of the first object in a stream that arrives in pieces; zero the struct to start.
 * The same buffer is given again with more bytes in it: what was looked at is not looked at twice.
 * Returns the object's length counted from data, 0 if it is not complete, -EINVAL if it is no
 * object.
 */
struct rsip_json_span {
	size_t at;
	unsigned int depth;
	bool in_string, escaped;
};
long rsip_json_span(struct rsip_json_span *span, const char *data, size_t len);

/* Builders.  All take host or network order as their types say, and do nothing when obj is NULL. */
void rsip_json_add_u64(cJSON *obj, const char *name, uint64_t value);
void rsip_json_add_ip4(cJSON *obj, const char *name, __be32 addr);
void rsip_json_add_mac(cJSON *obj, const char *name, const uint8_t mac[6]);

/* Readers with a default, for programs that read our own replies. */
uint64_t rsip_json_get_u64(const cJSON *obj, const char *name, uint64_t fallback);
const char *rsip_json_get_string(const cJSON *obj, const char *name, const char *fallback);

/* Makes text printable in place of bytes that are not: for logs and error texts that quote a peer.
 */
const char *rsip_json_printable(const char *text, char *buf, size_t size);

#endif
