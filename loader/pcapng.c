// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "pcapng.h"

#include <errno.h>
#include <string.h>

/*
 * A block:   type (4) | total length (4) | fields, options | total length (4)
 * an option: code (2) | length (2) | value, filled up to 4 bytes;  the last has code 0
 * Numbers are in the writer's byte order.
 */
enum { BLOCK_SECTION = 0x0a0d0d0a, BLOCK_IFACE = 1, BLOCK_STATS = 5, BLOCK_PACKET = 6 };
enum { OPT_END = 0, OPT_COMMENT = 1 };
enum { OPT_SECTION_PROGRAM = 4, OPT_IFACE_NAME = 2, OPT_IFACE_TSRESOL = 9 };
enum { OPT_PACKET_FLAGS = 2, OPT_PACKET_ID = 5, OPT_STATS_RECEIVED = 4, OPT_STATS_LOST = 5 };
enum { LINK_ETHERNET = 1, LINK_RAW = 101 };
#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define NANOSECONDS 9 /* 10 to the minus 9th */
#define HEAD_MAX 1024 /* fields and options; a packet's bytes go beside it */

struct block {
	uint8_t buf[HEAD_MAX];
	size_t len;
};

static void put(struct block *b, const void *bytes, size_t len)
{
	static const uint8_t zeros[4];

	memcpy(b->buf + b->len, bytes, len);
	memcpy(b->buf + b->len + len, zeros, -len & 3);
	b->len += (len + 3) & ~(size_t)3;
}

static void put32(struct block *b, uint32_t n)
{
	put(b, &n, sizeof(n));
}

static void put_option(struct block *b, uint16_t code, const void *value, size_t len)
{
	uint16_t head[2] = {code, (uint16_t)len};

	if (b->len + 8 + len + 4 > sizeof(b->buf))
		return;
	put(b, head, sizeof(head));
	put(b, value, len);
}

static void put_time(struct block *b, uint64_t ns)
{
	put32(b, (uint32_t)(ns >> 32));
	put32(b, (uint32_t)ns);
}

/* fields, then cap bytes of data (or none), then options */
static int put_block(FILE *f, uint32_t type, const struct block *fields, const uint8_t *data, uint32_t cap, struct block *options)
{
	static const uint8_t zeros[4];
	uint32_t pad = -cap & 3, head[2];

	put32(options, OPT_END);
	head[0] = type;
	head[1] = (uint32_t)(12 + fields->len + cap + pad + options->len);
	if (fwrite(head, sizeof(head), 1, f) != 1 || fwrite(fields->buf, 1, fields->len, f) != fields->len ||
	    (cap && fwrite(data, 1, cap, f) != cap) || fwrite(zeros, 1, pad, f) != pad ||
	    fwrite(options->buf, 1, options->len, f) != options->len || fwrite(&head[1], sizeof(head[1]), 1, f) != 1)
		return errno ? -errno : -EIO;
	return 0;
}

int rsip_pcapng_begin(FILE *f, const char *program)
{
	struct block fields = {.len = 0}, options = {.len = 0};
	uint64_t unknown_len = UINT64_MAX;
	uint16_t version[2] = {1, 0};

	put32(&fields, BYTE_ORDER_MAGIC);
	put(&fields, version, sizeof(version));
	put(&fields, &unknown_len, sizeof(unknown_len));
	put_option(&options, OPT_SECTION_PROGRAM, program, strlen(program));
	return put_block(f, BLOCK_SECTION, &fields, NULL, 0, &options);
}

int rsip_pcapng_iface(FILE *f, const char *name, bool ethernet, uint32_t snap)
{
	struct block fields = {.len = 0}, options = {.len = 0};
	uint16_t link[2] = {ethernet ? LINK_ETHERNET : LINK_RAW, 0};
	uint8_t resolution = NANOSECONDS;

	put(&fields, link, sizeof(link));
	put32(&fields, snap);
	put_option(&options, OPT_IFACE_NAME, name, strlen(name));
	put_option(&options, OPT_IFACE_TSRESOL, &resolution, 1);
	return put_block(f, BLOCK_IFACE, &fields, NULL, 0, &options);
}

int rsip_pcapng_packet(FILE *f, const struct rsip_pcapng_packet *p)
{
	struct block fields = {.len = 0}, options = {.len = 0};
	uint32_t flags = p->outbound ? 2 : 1;

	put32(&fields, p->iface);
	put_time(&fields, p->time_ns);
	put32(&fields, p->cap);
	put32(&fields, p->len);
	put_option(&options, OPT_PACKET_FLAGS, &flags, sizeof(flags));
	put_option(&options, OPT_PACKET_ID, &p->id, sizeof(p->id));
	put_option(&options, OPT_COMMENT, p->comment, strlen(p->comment));
	return put_block(f, BLOCK_PACKET, &fields, p->data, p->cap, &options);
}

int rsip_pcapng_stats(FILE *f, uint32_t iface, uint64_t time_ns, uint64_t received, uint64_t lost)
{
	struct block fields = {.len = 0}, options = {.len = 0};

	put32(&fields, iface);
	put_time(&fields, time_ns);
	put_option(&options, OPT_STATS_RECEIVED, &received, sizeof(received));
	put_option(&options, OPT_STATS_LOST, &lost, sizeof(lost));
	return put_block(f, BLOCK_STATS, &fields, NULL, 0, &options);
}
