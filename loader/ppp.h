/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* L2TP: which PPP interface is whose.  What all of it means is in include/rsip/maps.h. */
#ifndef RSIP_LOADER_PPP_H
#define RSIP_LOADER_PPP_H

#include <cjson/cJSON.h>
#include "plane.h"

#define RSIP_PPP_PROG "prog_ppp" /* pin of the program for such an interface */

/* After an upgrade: the new program in place of the old one on every session's interface.  0, or the last error (said). */
int rsip_ppp_upgrade(const char *folder, int prog);
/* And back again, where the upgrade fails. */
void rsip_ppp_back(const char *folder, int prog);
/* For detach: takes the program off every session's interface.  0, or the last error (said). */
int rsip_ppp_take_all(const char *folder);
/* Those that are up, as `sessions` of an answer. */
void rsip_ppp_list(const char *folder, const struct rsip_plane *p, cJSON *answer);

#endif
