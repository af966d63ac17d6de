/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the halves of the runner share: gateway.c makes the gateway of a case and what is given, gateway_expect.c runs packets. */
#ifndef RSIP_TEST_GATEWAY_PRIV_H
#define RSIP_TEST_GATEWAY_PRIV_H

#include "gateway_maps.h"

extern struct gateway gw;

#endif
