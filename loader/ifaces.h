/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the data plane must know of an interface and may change while it is attached. */
#ifndef RSIP_LOADER_IFACES_H
#define RSIP_LOADER_IFACES_H

#include <stdint.h>
#include "rsip/maps.h"

/*
 * Reads the device again and writes what has changed (MAC addresses, MTU, whether it takes redirected frames of several
 * buffers) into element `index` of rsip_ifaces, and into *iface.  fd: of the map.  1: something had changed; 0: nothing;
 * negative errno (said), -ENODEV (not said) if the device is gone.
 */
int rsip_iface_refresh(int fd, uint32_t index, struct rsip_iface *iface, enum rsip_mode mode);

#endif
