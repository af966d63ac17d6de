// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "lease.h"

const char *rsip_end_name(enum rsip_end why)
{
	switch (why) {
	case RSIP_END_HOST:
		return "host";
	case RSIP_END_EXPIRED:
		return "expired";
	case RSIP_END_OPERATOR:
		return "operator";
	case RSIP_END_REFUSED:
		return "refused";
	}
	return "unknown";
}
