/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Giving up privileges: once, after the sockets and maps are open and before a byte of the network
 * is read. */
#ifndef RSIP_PRIVS_H
#define RSIP_PRIVS_H

#include <stddef.h>
#include <sys/types.h>

/* Looks the user up.  0, or -ENOENT with a sentence for people in why. */
int rsip_privs_user(const char *name, uid_t *uid, gid_t *gid, char *why, size_t why_len);

/*
 * Becomes uid and gid without supplementary groups (started as root), drops every capability, and
 * forbids new ones for good.  Then checks that all of it is true.  0 or negative errno with a
 * sentence in why.
 */
int rsip_privs_drop(uid_t uid, gid_t gid, char *why, size_t why_len);

#endif
