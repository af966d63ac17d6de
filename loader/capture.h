/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* `rsip-loader capture`, the half that reads: records of the ring become a file. */
#ifndef RSIP_LOADER_CAPTURE_H
#define RSIP_LOADER_CAPTURE_H

#include <stdio.h>
#include "object_cap.h"
#include "plane.h"

struct rsip_capture_reader {
	const struct rsip_plane *plane;
	const struct rsip_cap *cap;
	FILE *out;
	uint32_t snap;
	uint64_t most; /* frames; 0: until it is told to end */
};

/*
 * Reads until SIGTERM, or most frames, or the output is gone; drains the ring first.  Says on standard error what there
 * was.  0 or negative errno (said).
 */
int rsip_capture_read(const struct rsip_capture_reader *want);

#endif
