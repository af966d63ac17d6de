/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading strongSwan's configuration syntax (strongswan.conf(5), "SETTINGS SYNTAX"): nested
 * sections, key = value, comments, includes, and sections that refer to others.  Only what a reader
 * of swanctl.conf needs; names are joined with '/': connections/home/local/id.
 */
#ifndef RSIP_CLIENT_SWANCONF_H
#define RSIP_CLIENT_SWANCONF_H

#include <stdbool.h>
#include <stddef.h>

struct rsip_swan;

/* 0 or a negative errno, with a sentence (file, line) in why. */
int rsip_swan_read(const char *path, struct rsip_swan **out, char *why, size_t size);
void rsip_swan_free(struct rsip_swan *conf); /* NULL is fine */

/* The value of a key of a section, or of one that it refers to; NULL: there is none. */
const char *rsip_swan_get(const struct rsip_swan *conf, const char *section, const char *key);
/* Calls take() for each section right below (its own name), in the order of the file, each once. */
void rsip_swan_each(const struct rsip_swan *conf, const char *section,
		    void (*take)(void *ctx, const char *name), void *ctx);

#endif
