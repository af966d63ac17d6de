// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Lease times across a reboot: monotonic within one boot, by the wall clock from one to the next. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "store.h"
#include "util.h"

#define JUMP_NS (RSIP_NS_PER_S / 10)
#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"

static int read_boot_id(char *id, size_t size)
{
	FILE *f = fopen(BOOT_ID_PATH, "re");
	int err = 0;

	if (!f)
		return -errno;
	if (!fgets(id, (int)size, f))
		err = -EIO;
	fclose(f);
	id[strcspn(id, "\n")] = '\0';
	return err;
}

int rsip_store_clock_read(struct rsip_store_clock *now)
{
	struct timespec real;

	clock_gettime(CLOCK_REALTIME, &real);
	now->real_ns = (uint64_t)real.tv_sec * RSIP_NS_PER_S + (uint64_t)real.tv_nsec;
	now->mono_ns = rsip_now_ns();
	return now->boot_id[0] ? 0 : read_boot_id(now->boot_id, sizeof(now->boot_id));
}

bool rsip_store_clock_was_set(const struct rsip_store_clock *then, const struct rsip_store_clock *now)
{
	int64_t drift = (int64_t)((now->real_ns - now->mono_ns) - (then->real_ns - then->mono_ns));

	return strcmp(then->boot_id, now->boot_id) || drift > (int64_t)JUMP_NS || drift < -(int64_t)JUMP_NS;
}

int64_t rsip_store_clock_shift(const struct rsip_store_clock *then, const struct rsip_store_clock *now)
{
	uint64_t passed_ns;

	if (!strcmp(then->boot_id, now->boot_id))
		return 0;
	passed_ns = now->real_ns > then->real_ns ? now->real_ns - then->real_ns : 0;
	/* `then` was written at then->mono_ns of its boot; by now's clock that was passed_ns ago. */
	return (int64_t)(now->mono_ns - passed_ns - then->mono_ns);
}
