/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The data plane over the maps of a BPF object, for those who hold its descriptors: rsipd by the
 * pins, tests by the skeleton. */
#ifndef RSIP_DATAPLANE_BPF_H
#define RSIP_DATAPLANE_BPF_H

#include "dataplane.h"

/* The maps that the data plane uses, by name without "rsip_". */
enum rsip_dp_map {
	RSIP_DP_CONFIG,
	RSIP_DP_POLICY,
	RSIP_DP_IFACES,
	RSIP_DP_ADDRS,
	RSIP_DP_ADDR_INFO,
	RSIP_DP_BLOCKS,
	RSIP_DP_PORTS,
	RSIP_DP_SPIS,
	RSIP_DP_PAIRS,
	RSIP_DP_REMOTES,
	RSIP_DP_HOST6_TAB,
	RSIP_DP_HOSTS6,
	RSIP_DP_BINDINGS,
	RSIP_DP_BIND_CNT,
	RSIP_DP_LEARNED,
	RSIP_DP_COUNTERS,
	RSIP_DP_ARRAYS,
	RSIP_DP_COOKIES = RSIP_DP_ARRAYS,
	RSIP_DP_SPIS_OUT,
	RSIP_DP_IKE_PEERS,
	RSIP_DP_IDENTS,
	RSIP_DP_IDENT_RING,
	RSIP_DP_EVENTS,
	RSIP_DP_MAPS
};

const char *rsip_dp_map_name(enum rsip_dp_map map); /* the map's name: "rsip_config" ... */

/*
 * As rsip_dataplane_open(), from open descriptors (fd[map]), which stay the caller's.  0 or
 * negative errno and a sentence in why.
 */
int rsip_dataplane_from_fds(const int fd[RSIP_DP_MAPS], struct rsip_dataplane **out, char *why,
			    size_t why_len);

/* The program rsip_explain; fd stays the caller's.  0 or negative errno. */
int rsip_dataplane_explain_with(struct rsip_dataplane *dp, int fd);
/* The same with the map rsip_ppp_of. */
int rsip_dataplane_sessions_with(struct rsip_dataplane *dp, int fd);

#endif
