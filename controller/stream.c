// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stream.h"

#include <errno.h>
#include <event2/buffer.h>

size_t rsip_stream_unsent(const struct rsip_stream *s)
{
	return evbuffer_get_length(bufferevent_get_output(s->bev));
}

bool rsip_stream_write(struct rsip_stream *s, const void *data, size_t len)
{
	return bufferevent_write(s->bev, data, len) == 0;
}

void rsip_stream_finish(struct rsip_stream *s)
{
	s->closing = true;
	bufferevent_disable(s->bev, EV_READ);
	if (!s->busy && !rsip_stream_unsent(s))
		s->ops->release(s);
}

void rsip_stream_abort(struct rsip_stream *s)
{
	if (s->busy)
		s->closing = true;
	else
		s->ops->release(s);
}

void rsip_stream_pause(struct rsip_stream *s, unsigned int ms)
{
	struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 };

	bufferevent_disable(s->bev, EV_READ);
	event_add(s->resume, &tv);
}

void rsip_stream_hold(struct rsip_stream *s)
{
	bufferevent_disable(s->bev, EV_READ);
}

void rsip_stream_patience(struct rsip_stream *s, unsigned int read_s, unsigned int write_s)
{
	struct timeval read_tv = { .tv_sec = read_s }, write_tv = { .tv_sec = write_s };

	bufferevent_set_timeouts(s->bev, read_s ? &read_tv : NULL, write_s ? &write_tv : NULL);
}

/* ---- callbacks --------------------------------------------------------------------------------------------- */

static void on_read(struct bufferevent *bev, void *arg)
{
	struct rsip_stream *s = arg;
	bool keep;

	(void)bev;
	s->busy = true;
	keep = s->ops->serve(s) && !s->closing;
	s->busy = false;
	if (!keep)
		rsip_stream_finish(s);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	struct rsip_stream *s = arg;

	(void)fd;
	(void)what;
	if (s->closing)
		return;
	bufferevent_enable(s->bev, EV_READ);
	on_read(s->bev, s);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct rsip_stream *s = arg;

	(void)bev;
	if (s->closing)
		s->ops->release(s);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
	struct rsip_stream *s = arg;
	bool half = what & BEV_EVENT_EOF && !s->closing;

	(void)bev;
	if (s->ops->ended)
		s->ops->ended(s, what);
	/* A peer that has said all it wants to say still reads our answers. */
	if (half)
		rsip_stream_finish(s);
	else
		s->ops->release(s);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

int rsip_stream_init(struct rsip_stream *s, struct event_base *base, int fd, const struct rsip_stream_ops *ops)
{
	*s = (struct rsip_stream){ .ops = ops };
	s->resume = evtimer_new(base, on_resume, s);
	if (!s->resume)
		return -ENOMEM;
	s->bev = bufferevent_socket_new(base, fd, BEV_OPT_CLOSE_ON_FREE);
	if (s->bev)
		return 0;
	event_free(s->resume);
	return -ENOMEM;
}

int rsip_stream_start(struct rsip_stream *s)
{
	bufferevent_setcb(s->bev, on_read, on_written, on_event, s);
	return bufferevent_enable(s->bev, EV_READ | EV_WRITE) ? -ENOMEM : 0;
}

void rsip_stream_fini(struct rsip_stream *s)
{
	event_free(s->resume);
	bufferevent_free(s->bev);
}
