/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writes captures in the pcapng format (draft-ietf-opsawg-pcapng): one section, its interfaces, packets with comments.
 * All: 0 or negative errno.
 */
#ifndef RSIP_LOADER_PCAPNG_H
#define RSIP_LOADER_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct rsip_pcapng_packet {
	uint32_t iface; /* number in the order of rsip_pcapng_iface() */
	uint64_t time_ns; /* since 1970 */
	const uint8_t *data;
	uint32_t cap, len; /* bytes of data, of the packet */
	bool outbound;
	uint64_t id;
	const char *comment;
};

/* program: who writes it */
int rsip_pcapng_begin(FILE *f, const char *program);
/* ethernet: else it carries bare IP packets */
int rsip_pcapng_iface(FILE *f, const char *name, bool ethernet, uint32_t snap);
int rsip_pcapng_packet(FILE *f, const struct rsip_pcapng_packet *p);
/* What was received and lost on an interface, for the end. */
int rsip_pcapng_stats(FILE *f, uint32_t iface, uint64_t time_ns, uint64_t received, uint64_t lost);

#endif
