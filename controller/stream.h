/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One connected stream socket in the event loop: RSIP over TCP and the control socket are made of it.
 * It reads, pauses a peer that is over its rate, and closes when what was written has gone out.
 *
 * A struct rsip_stream lies at the start of its owner's connection.  All calls are made from the event
 * loop's thread.
 */
#ifndef RSIP_STREAM_H
#define RSIP_STREAM_H

#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct rsip_stream;

struct rsip_stream_ops {
	/* Input is there.  false: the stream is to be closed when its output is written. */
	bool (*serve)(struct rsip_stream *s);
	/* May be NULL.  The peer is gone, has ended its half or lost our patience: what is BEV_EVENT_*. */
	void (*ended)(struct rsip_stream *s, short what);
	/* Frees the owner's connection; calls rsip_stream_fini(). */
	void (*release)(struct rsip_stream *s);
};

struct rsip_stream {
	struct bufferevent *bev;
	struct event *resume;
	const struct rsip_stream_ops *ops;
	bool busy; /* in serve: not to be released */
	bool closing; /* when the output is written, or when no longer busy */
};

/* Takes fd, which must not block; the caller closes it on failure.  0 or -ENOMEM. */
int rsip_stream_init(struct rsip_stream *s, struct event_base *base, int fd, const struct rsip_stream_ops *ops);
/* From now on callbacks come: the owner is complete. */
int rsip_stream_start(struct rsip_stream *s);
/* Seconds without a byte read, or without one that could be written, after which the stream ends; 0: never. */
void rsip_stream_patience(struct rsip_stream *s, unsigned int read_s, unsigned int write_s);
/* Reads no more for that long, then serves what is there.  The peer's bytes wait in its own socket. */
void rsip_stream_pause(struct rsip_stream *s, unsigned int ms);
/* Reads no more until rsip_stream_pause() says for how long. */
void rsip_stream_hold(struct rsip_stream *s);
/* Bytes written that the peer has not taken yet. */
size_t rsip_stream_unsent(const struct rsip_stream *s);
bool rsip_stream_write(struct rsip_stream *s, const void *data, size_t len);
/* Closes when what was written has gone out; releases at once where nothing is left and it is not busy. */
void rsip_stream_finish(struct rsip_stream *s);
/* Closes at once: releases now, or after serve. */
void rsip_stream_abort(struct rsip_stream *s);
/* Frees what init took.  For release(). */
void rsip_stream_fini(struct rsip_stream *s);

#endif
