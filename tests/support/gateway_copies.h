/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs and maps of the packet tests, loaded once for a whole test program.
 *
 * Criterion runs each case as a process of its own, and to verify the programs anew in each takes most of a case's
 * time.  So the parent loads a few copies before the first case.  A case takes a copy that no other has (a lock on
 * its table, which the kernel drops when the case's process is gone), empties all its maps, and opens them by ID.
 * tests/run loads copies once for all test programs (tests/bpf/copies.c).
 */
#ifndef RSIP_TEST_GATEWAY_COPIES_H
#define RSIP_TEST_GATEWAY_COPIES_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rsip_config;

#define GATEWAY_COPIES 2 /* cases that run at once; Criterion may start more, which wait */

struct gateway_named {
	char name[BPF_OBJ_NAME_LEN];
	uint32_t id;
};

/* What a case must know of its copy. */
struct gateway_copy {
	int err; /* why it could not be loaded: negative errno */
	uint32_t map_cnt, prog_cnt;
	struct gateway_named map[64];
	struct gateway_named prog[16];
};

/*
 * RSIP_TEST_MODE: xdp, or none; tc: the TC programs are alone on a device; l3: and that has no Ethernet header; l2tp: nor
 * have the sessions by which hosts come that would come in IP-IP.
 */
enum gateway_mode { GATEWAY_XDP, GATEWAY_TC, GATEWAY_L3, GATEWAY_L2TP };
enum gateway_mode gateway_mode(void);

/* The configuration that all copies have. */
struct rsip_config gateway_config(void);

/* Names the tables of the copies, for cases: file names with a space behind each. */
#define GATEWAY_COPIES_ENV "RSIP_TEST_COPIES"
#define GATEWAY_COPIES_TEXT (GATEWAY_COPIES * 64)

/* Loads n copies (at most GATEWAY_COPIES), which live as long as this process.  paths: see above.  0 or negative errno. */
int gateway_copies_load(int n, char *paths, size_t len);

/* In a case: takes a copy, its maps empty, until the process ends.  0, or negative errno as the parent had it. */
int gateway_copy_take(struct gateway_copy *copy);

/* Descriptors of one map or program by its name; the caller closes.  Negative errno: there is none. */
int gateway_copy_map(const struct gateway_copy *copy, const char *name);
int gateway_copy_prog(const struct gateway_copy *copy, const char *name);

/* Empties every map of the copy; an unknown type of map is an error (negative errno). */
int gateway_copy_clear(const struct gateway_copy *copy);
/* The same for one of them. */
int gateway_copy_clear_map(const struct gateway_copy *copy, const char *name);

#endif
