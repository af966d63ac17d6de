/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses that this host speaks with: one that it made its own would answer itself. */
#ifndef RSIP_CLIENT_NEEDED_H
#define RSIP_CLIENT_NEEDED_H

#include "inet.h"

/* Is it an address of this host? */
bool rsip_needed_is_own(__be32 addr);
/*
 * What this host needs it for, as text to follow "the address": on a network that it is connected to (any machine there),
 * a router of its routes, a DNS server of its resolver.  NULL: nothing that can be told.
 */
const char *rsip_needed_for(__be32 addr);
/* Is there such a "nameserver" line?  false also where the file cannot be read. */
bool rsip_needed_as_resolver(const char *path, __be32 addr);

#endif
