/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* charon's control interface, as far as we need it: telling it to read its settings again. */
#ifndef RSIP_CLIENT_VICI_H
#define RSIP_CLIENT_VICI_H

#define RSIP_VICI_DEFAULT "/run/charon.vici"

/*
 * 0; -ENOENT, -ECONNREFUSED: no charon there (it will read its settings when it starts); -EPROTO:
 * it refuses; another negative errno.  Takes a second at most.
 */
int rsip_vici_reload_settings(const char *socket_path);

#endif
