/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The half of gateway.h that knows maps and programs. */
#ifndef RSIP_TEST_GATEWAY_MAPS_H
#define RSIP_TEST_GATEWAY_MAPS_H

#include "dataplane_bpf.h"
#include "gateway.h"
#include "gateway_copies.h"

#define GATEWAY_BINDINGS 256
#define GATEWAY_ADDRS 4
#define GATEWAY_SEED 0x7061636b65747321ULL

struct gateway {
	struct gateway_copy copy;
	void *object; /* skeletons, not loaded: for tests that look into them */
	void *tc_object;
	int fd[RSIP_DP_MAPS];
	int fd_ifaces, fd_iftab, fd_devs;
	int fd_pub, fd_priv; /* XDP programs */
	int fd_explain;
	int fd_tc_pub, fd_tc_priv, fd_tc_pub_l3, fd_tc_priv_l3, fd_tc_ppp, fd_tc_slow;
	uint32_t ifindex[IF_CNT];
	uint32_t binds; /* installed so far: the next bind ID */
	struct rsip_dataplane *dp;
};

int gateway_load(struct gateway *gw); /* takes a copy, empty but for rsip_config; 0 or negative errno */
int gateway_capture_load(struct gateway *gw); /* see given_capture(); 0 or negative errno */
struct bpf_object *gateway_bpf_object(struct gateway *gw, bool tc);
void gateway_unload(struct gateway *gw);

#endif
