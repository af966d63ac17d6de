// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "trouble.h"

#include <string.h>
#include "util.h"

bool rsip_trouble_is_news(struct rsip_trouble *t, uint64_t now)
{
	if (!t->since_ns) {
		t->since_ns = now;
		t->pause_s = RSIP_TROUBLE_FIRST_S;
	} else if (now < t->say_ns) {
		return false;
	} else {
		t->pause_s = t->pause_s > RSIP_TROUBLE_MAX_S / 2 ? RSIP_TROUBLE_MAX_S : t->pause_s * 2;
	}
	t->say_ns = now + t->pause_s * RSIP_NS_PER_S;
	return true;
}

uint64_t rsip_trouble_is_over(struct rsip_trouble *t, uint64_t now)
{
	uint64_t lasted = t->since_ns ? (now - t->since_ns) / RSIP_NS_PER_S + 1 : 0;

	memset(t, 0, sizeof(*t));
	return lasted;
}
