/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What systemd wants to hear; every call does nothing when rsipd was not started by it. */
#ifndef RSIP_SERVICE_H
#define RSIP_SERVICE_H

#include <stdint.h>

/* How often rsip_service_alive() is to be called, in nanoseconds; 0: no watchdog. */
uint64_t rsip_service_watchdog_ns(void);
void rsip_service_ready(void);
void rsip_service_stopping(void);
void rsip_service_alive(void);
void rsip_service_status(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
