/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The capturing programs: object_cap.c is the only file that knows their skeletons. */
#ifndef RSIP_LOADER_OBJECT_CAP_H
#define RSIP_LOADER_OBJECT_CAP_H

#include <stdint.h>
#include "rsip/maps.h"

struct rsip_cap;

struct rsip_cap_want {
	uint32_t iface; /* index in rsip_ifaces; 0: any */
	uint32_t bind_id; /* 0: any */
	uint32_t snap; /* bytes of a frame, at most RSIP_CAPTURE_SNAP */
	uint32_t ring_bytes; /* a power of two */
};

/* Loads them onto the maps pinned in folder, whose configuration is config.  0 or negative errno (said). */
int rsip_object_cap_load(const char *folder, const struct rsip_config *config, const struct rsip_cap_want *want,
			 struct rsip_cap **out);
void rsip_object_cap_close(struct rsip_cap *cap);
/* Descriptors of programs and maps; they end with the object. */
int rsip_object_cap_prog(const struct rsip_cap *cap, uint8_t role);
int rsip_object_cap_tc_prog(const struct rsip_cap *cap, const struct rsip_iface *iface);
int rsip_object_cap_ring(const struct rsip_cap *cap);
int rsip_object_cap_cpus(const struct rsip_cap *cap);

#endif
