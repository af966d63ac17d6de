// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "service.h"

#include <stdarg.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

uint64_t rsip_service_watchdog_ns(void)
{
	uint64_t usec;

	/* Half the limit, as sd_watchdog_enabled(3) advises. */
	return sd_watchdog_enabled(0, &usec) > 0 ? usec * 1000 / 2 : 0;
}

void rsip_service_ready(void)
{
	sd_notify(0, "READY=1");
}

void rsip_service_stopping(void)
{
	sd_notify(0, "STOPPING=1");
}

void rsip_service_alive(void)
{
	sd_notify(0, "WATCHDOG=1");
}

void rsip_service_status(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	sd_notifyf(0, "STATUS=%s", text);
}
