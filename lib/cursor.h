/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading and writing big-endian fields with a position and a limit.  A cursor that once ran past
 * its limit stays failed and gives zeros: callers check once, at the end.
 */
#ifndef RSIP_CURSOR_H
#define RSIP_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rsip_reader {
	const uint8_t *pos, *end;
	bool failed;
};

struct rsip_writer {
	uint8_t *start, *pos, *end;
	bool failed;
};

struct rsip_reader rsip_reader_on(const uint8_t *buf, size_t len);
size_t rsip_reader_left(const struct rsip_reader *r);
uint8_t rsip_read_u8(struct rsip_reader *r);
uint16_t rsip_read_u16(struct rsip_reader *r);
uint32_t rsip_read_u32(struct rsip_reader *r);
void rsip_read_bytes(struct rsip_reader *r, void *out, size_t len); /* zeros where it fails */
/* A cursor on the next len bytes, which r skips; it is failed too where r has not so many. */
struct rsip_reader rsip_read_part(struct rsip_reader *r, size_t len);

struct rsip_writer rsip_writer_on(uint8_t *buf, size_t size);
size_t rsip_writer_len(const struct rsip_writer *w);
void rsip_write_u8(struct rsip_writer *w, uint8_t v);
void rsip_write_u16(struct rsip_writer *w, uint16_t v);
void rsip_write_u32(struct rsip_writer *w, uint32_t v);
void rsip_write_bytes(struct rsip_writer *w, const void *bytes, size_t len);
/* Overwrites two bytes written before, at this offset from the start. */
void rsip_write_u16_at(struct rsip_writer *w, size_t at, uint16_t v);

#endif
