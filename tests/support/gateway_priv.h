/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the files of the runner share: gateway.c makes the gateway of a case and what is given, gateway_expect.c runs packets. */
#ifndef RSIP_TEST_GATEWAY_PRIV_H
#define RSIP_TEST_GATEWAY_PRIV_H

#include "gateway_maps.h"

extern struct gateway gw;
uint64_t gateway_turned_back(void); /* how many packets were answered in place so far */

#endif
