// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "timer.h"

#include <errno.h>
#include <stdlib.h>

static void put(struct rsip_timers *t, uint32_t place, struct rsip_timer *timer)
{
	t->heap[place] = timer;
	timer->place = place;
}

static void sift_up(struct rsip_timers *t, uint32_t place)
{
	struct rsip_timer *timer = t->heap[place];

	while (place > 1 && t->heap[place / 2]->at_ns > timer->at_ns) {
		put(t, place, t->heap[place / 2]);
		place /= 2;
	}
	put(t, place, timer);
}

static void sift_down(struct rsip_timers *t, uint32_t place)
{
	struct rsip_timer *timer = t->heap[place];

	for (;;) {
		uint32_t child = place * 2;

		if (child > t->cnt)
			break;
		if (child < t->cnt && t->heap[child + 1]->at_ns < t->heap[child]->at_ns)
			child++;
		if (t->heap[child]->at_ns >= timer->at_ns)
			break;
		put(t, place, t->heap[child]);
		place = child;
	}
	put(t, place, timer);
}

static int grow(struct rsip_timers *t)
{
	uint32_t size = t->size ? t->size * 2 : 64;
	struct rsip_timer **heap = realloc(t->heap, (size + 1) * sizeof(struct rsip_timer *));

	if (!heap)
		return -ENOMEM;
	t->heap = heap;
	t->size = size;
	return 0;
}

int rsip_timer_set(struct rsip_timers *t, struct rsip_timer *timer, uint64_t at_ns)
{
	if (!timer->place) {
		if (t->cnt == t->size && grow(t))
			return -ENOMEM;
		timer->at_ns = at_ns;
		put(t, ++t->cnt, timer);
		sift_up(t, t->cnt);
		return 0;
	}
	timer->at_ns = at_ns;
	sift_up(t, timer->place);
	sift_down(t, timer->place);
	return 0;
}

void rsip_timer_clear(struct rsip_timers *t, struct rsip_timer *timer)
{
	uint32_t place = timer->place;
	struct rsip_timer *last;

	if (!place)
		return;
	last = t->heap[t->cnt--];
	timer->place = 0;
	if (last == timer)
		return;
	put(t, place, last);
	sift_up(t, place);
	sift_down(t, last->place);
}

struct rsip_timer *rsip_timer_first(const struct rsip_timers *t)
{
	return t->cnt ? t->heap[1] : NULL;
}

void rsip_timers_free(struct rsip_timers *t)
{
	free(t->heap);
	t->heap = NULL;
	t->cnt = t->size = 0;
}
