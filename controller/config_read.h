/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Table-driven reading of one JSON object: a key, the function that reads it, where it puts the
 * value. */
#ifndef RSIP_CONFIG_READ_H
#define RSIP_CONFIG_READ_H

#include "config.h"

struct rsip_conf_read { /* where we are in the text, and what was found so far */
	struct rsip_conf_report *report;
	char path[96];
};

struct rsip_conf_read_key;
typedef void (*rsip_conf_read_fn)(struct rsip_conf_read *r, const cJSON *item,
				  const struct rsip_conf_read_key *key, void *out);

struct rsip_conf_read_key {
	const char *name;
	rsip_conf_read_fn read;
	size_t offset;	   /* of the member in the struct that is read */
	uint64_t min, max; /* numbers: bounds; strings: longest */
};

/* Reads the members of an object into out; unknown keys and wrong types are found. keys ends with
 * name NULL. */
void rsip_conf_read_object(struct rsip_conf_read *r, const cJSON *obj,
			   const struct rsip_conf_read_key *keys, void *out);

/* An error at item, under the path of r. */
void rsip_conf_read_wrong(struct rsip_conf_read *r, const cJSON *item, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Path steps: enter returns the length to give back to leave. */
size_t rsip_conf_read_enter(struct rsip_conf_read *r, const char *name);
size_t rsip_conf_read_enter_index(struct rsip_conf_read *r, int index);
void rsip_conf_read_leave(struct rsip_conf_read *r, size_t len);

void rsip_conf_read_u32(struct rsip_conf_read *r, const cJSON *item,
			const struct rsip_conf_read_key *key, void *out);
void rsip_conf_read_bool(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out);
void rsip_conf_read_text(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out);
void rsip_conf_read_nets(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out);
/* The same of networks of hosts, which may be IPv6 (hosts6.h). */
void rsip_conf_read_client_nets(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out);
void rsip_conf_read_pools(struct rsip_conf_read *r, const cJSON *item,
			  const struct rsip_conf_read_key *key, void *out);

void rsip_conf_read_policies(struct rsip_conf_read *r, const cJSON *item,
			     const struct rsip_conf_read_key *key, void *out);
void rsip_conf_read_dscp(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out);
void rsip_conf_show_dscp(uint32_t flags, cJSON *out);
/* The one of a policy, as struct rsip_binding has it. */
void rsip_conf_read_host_dscp(struct rsip_conf_read *r, const cJSON *item, const struct rsip_conf_read_key *key, void *out);
void rsip_conf_read_auth(struct rsip_conf_read *r, const cJSON *item,
			 const struct rsip_conf_read_key *key, void *out);
void rsip_conf_show_auth(const struct rsip_conf *conf, cJSON *out);
/* The pools that policies name: when all else is read. */
void rsip_conf_read_policy_pools(struct rsip_conf_read *r, const cJSON *root, struct rsip_conf *conf);
void rsip_conf_show_policies(const struct rsip_conf *conf, cJSON *out);

/* Parses "first-last" or one number within [min, max]. */
bool rsip_conf_read_span(const char *text, uint64_t min, uint64_t max, uint64_t *first,
			 uint64_t *last);

#endif
