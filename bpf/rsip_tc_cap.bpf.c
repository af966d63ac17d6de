// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The data plane on TC, with the operator's eye: see capture.h. */
#define RSIP_CAPTURE
#include "rsip_tc.bpf.c"
