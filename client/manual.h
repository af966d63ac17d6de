/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A pair of SAs with keys made by hand, as ip-xfrm(8) commands.  Pure. */
#ifndef RSIP_CLIENT_MANUAL_H
#define RSIP_CLIENT_MANUAL_H

#include <stdbool.h>
#include <stdint.h>
#include <linux/types.h>

#define RSIP_MANUAL_TEXT 2048

struct rsip_manual {
	__be32 local, peer; /* the leased address, the peer's */
	__be32 inner; /* tunnel mode for this inner address of the host's; 0: transport mode */
	uint32_t spi_in, spi_out; /* leased; the peer's */
	bool ah;		  /* else ESP */
	struct {
		uint8_t enc[16], auth[32];
	} keys[2]; /* to the host, from the host */
};

/* The commands for the peer's end or ours. */
void rsip_manual_text(const struct rsip_manual *m, bool peers_end, char text[RSIP_MANUAL_TEXT]);

#endif
