/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* When to speak of something that fails again and again: at once, then after a minute, two, four, up to an hour. */
#ifndef RSIP_CLIENT_TROUBLE_H
#define RSIP_CLIENT_TROUBLE_H

#include <stdbool.h>
#include <stdint.h>

#define RSIP_TROUBLE_FIRST_S 60
#define RSIP_TROUBLE_MAX_S 3600

/* All zero: none. */
struct rsip_trouble {
	uint64_t since_ns; /* 0: none */
	uint64_t say_ns;   /* not before */
	uint32_t pause_s;
};

/* It has failed.  Is it time to say so? */
bool rsip_trouble_is_news(struct rsip_trouble *t, uint64_t now_ns);
/* It works.  For how many seconds did it not?  0: that is no news. */
uint64_t rsip_trouble_is_over(struct rsip_trouble *t, uint64_t now_ns);

#endif
