// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Big-endian fields with a position and a limit. */
#include "cursor.h"

#include <string.h>

struct rsip_reader rsip_reader_on(const uint8_t *buf, size_t len)
{
	return (struct rsip_reader){ .pos = buf, .end = buf + len };
}

size_t rsip_reader_left(const struct rsip_reader *r)
{
	return r->end - r->pos;
}

void rsip_read_bytes(struct rsip_reader *r, void *out, size_t len)
{
	if (rsip_reader_left(r) < len) {
		r->failed = true;
		r->pos = r->end;
	}
	if (r->failed) {
		memset(out, 0, len);
		return;
	}
	memcpy(out, r->pos, len);
	r->pos += len;
}

uint8_t rsip_read_u8(struct rsip_reader *r)
{
	uint8_t v;

	rsip_read_bytes(r, &v, 1);
	return v;
}

uint16_t rsip_read_u16(struct rsip_reader *r)
{
	uint8_t b[2];

	rsip_read_bytes(r, b, sizeof(b));
	return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t rsip_read_u32(struct rsip_reader *r)
{
	uint8_t b[4];

	rsip_read_bytes(r, b, sizeof(b));
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

struct rsip_reader rsip_read_part(struct rsip_reader *r, size_t len)
{
	struct rsip_reader part = *r;

	if (rsip_reader_left(r) < len) {
		r->failed = true;
		len = rsip_reader_left(r);
	}
	part.failed = r->failed;
	part.end = part.pos + len;
	r->pos += len;
	return part;
}

struct rsip_writer rsip_writer_on(uint8_t *buf, size_t size)
{
	return (struct rsip_writer){ .start = buf, .pos = buf, .end = buf + size };
}

size_t rsip_writer_len(const struct rsip_writer *w)
{
	return w->pos - w->start;
}

void rsip_write_bytes(struct rsip_writer *w, const void *bytes, size_t len)
{
	if ((size_t)(w->end - w->pos) < len)
		w->failed = true;
	if (w->failed || !len)
		return;
	memcpy(w->pos, bytes, len);
	w->pos += len;
}

void rsip_write_u8(struct rsip_writer *w, uint8_t v)
{
	rsip_write_bytes(w, &v, 1);
}

void rsip_write_u16(struct rsip_writer *w, uint16_t v)
{
	uint8_t b[2] = { v >> 8, v & 0xff };

	rsip_write_bytes(w, b, sizeof(b));
}

void rsip_write_u32(struct rsip_writer *w, uint32_t v)
{
	rsip_write_u16(w, v >> 16);
	rsip_write_u16(w, v & 0xffff);
}

void rsip_write_u16_at(struct rsip_writer *w, size_t at, uint16_t v)
{
	if (at + 2 > rsip_writer_len(w)) {
		w->failed = true;
		return;
	}
	w->start[at] = v >> 8;
	w->start[at + 1] = v & 0xff;
}
