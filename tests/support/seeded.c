// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "seeded.h"

uint64_t seed;

void seeded(void *buf, size_t len)
{
	unsigned char *out = buf;

	for (size_t i = 0; i < len; i++)
		out[i] = (unsigned char)(seeded_step(&seed) >> 56);
}
