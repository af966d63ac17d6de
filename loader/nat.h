/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hosts without RSIP beside those with it (RFC 3102 3.1, RFC 3104 App. F): source NAT by the kernel, on a part of the
 * pools' ports that nobody leases; and what becomes of packets outside the tunnels (`stray`).  All of it is the
 * nftables table `ip rsip_nat`, made at attach, removed at detach.
 */
#ifndef RSIP_LOADER_NAT_H
#define RSIP_LOADER_NAT_H

#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>

#define RSIP_LOADER_NATS_MAX 8 /* as many as rsipd takes */

struct rsip_nat_pool {
	char to[48]; /* the pool's first range of addresses, as nftables writes it */
	char ports[16]; /* first-last */
	char networks[648]; /* separated by commas; the 32 that rsipd takes fit */
};

struct rsip_nat {
	struct rsip_nat_pool pool[RSIP_LOADER_NATS_MAX];
	uint32_t cnt;
	char stray[8]; /* "", "drop", "reject" */
	char wrong[96]; /* what does not fit in here, for attach to refuse; else "" */
};

struct rsip_loader_options;
struct rsip_undo_log;

/* What the file says; what is wrong in it is for rsipd --check to complain about. */
void rsip_nat_read(const cJSON *root, struct rsip_nat *nat);
/*
 * What the table is made from, in a few characters (RSIP_NAT_MARK_LEN) to compare; "" where none is needed.  The
 * interfaces are not in it.
 */
#define RSIP_NAT_MARK_LEN 17
void rsip_nat_mark(const struct rsip_loader_options *o, char *mark);
/* The table as nftables reads it; "" where none is needed.  -ENOSPC. */
int rsip_nat_text(const struct rsip_loader_options *o, char *text, size_t len);
/* Notes the mark, and makes the table.  0 or negative errno (said).  Nothing to do is 0. */
int rsip_nat_make(struct rsip_undo_log *log, const struct rsip_loader_options *o);
/* Is the table there? */
bool rsip_nat_there(void);
/* Makes it again where somebody has taken it away meanwhile.  0 or negative errno (said). */
int rsip_nat_mend(const struct rsip_loader_options *o);
/* 0, or -ENOENT where it is gone already. */
int rsip_nat_remove(void);

#endif
