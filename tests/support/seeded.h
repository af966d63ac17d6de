/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Random numbers of a test: the same from the same seed on every machine. */
#ifndef RSIP_TEST_SEEDED_H
#define RSIP_TEST_SEEDED_H

#include <stddef.h>
#include <stdint.h>

/* The next state of a linear congruential generator (Knuth, MMIX): the upper bits are the random ones. */
static inline uint64_t seeded_step(uint64_t *state)
{
	*state = *state * 6364136223846793005ULL + 1442695040888963407ULL;
	return *state;
}

/* Where seeded() is; a test sets it. */
extern uint64_t seed;

/* Random bytes, as the lease manager and the pools ask for them. */
void seeded(void *buf, size_t len);

#endif
