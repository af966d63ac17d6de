/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is in the way, and how to mend it.  Shared by attach, which refuses, and features, which
 * tells.
 */
#ifndef RSIP_LOADER_CHECKS_H
#define RSIP_LOADER_CHECKS_H

#include <stdbool.h>
#include <stdint.h>
#include "netdev.h"

/*
 * A driver with 4 KiB pages takes about this much in native mode, unless programs take fragments.
 */
#define RSIP_NATIVE_MTU 3498

enum rsip_severity { RSIP_FATAL, RSIP_WARNING };

struct rsip_finding {
	enum rsip_severity severity;
	char ifname[IF_NAMESIZE]; /* "": the machine */
	char text[300];		  /* what: why (what to do) */
};

struct rsip_findings {
	struct rsip_finding item[128];
	uint32_t cnt;
	uint32_t fatal;
};

struct rsip_kernel {
	char release[65];
	bool btf;
	int jit;    /* net.core.bpf_jit_enable; negative errno: not to be seen (an always-on JIT has
		       none) */
	bool bpffs; /* mounted on /sys/fs/bpf */
	bool bpf;   /* programs can be loaded: there is BPF, and we may */
	int bpf_err;	  /* why not */
	uint64_t memlock; /* bytes; UINT64_MAX: no limit.  Kernels since 5.11 do not use it */
	int forwarding;	  /* net.ipv4.ip_forward */
	int neighbours;	  /* net.ipv4.neigh.default.gc_thresh3, of the whole machine; negative errno: not to be seen */
	int cpus_possible, cpus_online;
};

void rsip_kernel_read(struct rsip_kernel *k);

void rsip_check_kernel(const struct rsip_kernel *k, struct rsip_findings *f);
/* role 0: not known.  mode: RSIP_LOADER_MODE_AUTO or enum rsip_mode. */
void rsip_check_netdev(const struct rsip_netdev *dev, uint8_t role, int mode,
		       struct rsip_findings *f);
/* What makes it slower than it could be; never fatal. */
void rsip_check_speed(const struct rsip_netdev *dev, struct rsip_findings *f);

void rsip_finding_add(struct rsip_findings *f, enum rsip_severity severity, const char *ifname,
		      const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* To the log: fatal ones as errors, the rest as warnings. */
void rsip_findings_log(const struct rsip_findings *f);

#endif
