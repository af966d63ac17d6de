// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The data plane on XDP, with the operator's eye: see capture.h.  Their names tell who looks at what is attached. */
#define RSIP_CAPTURE
#define rsip_xdp_pub rsip_cap_pub
#define rsip_xdp_priv rsip_cap_priv
#include "rsip_xdp.bpf.c"
