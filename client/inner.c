// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "inner.h"

#include <errno.h>
#include <string.h>
#include <arpa/inet.h>
#include <netinet/ip.h>
#include "rsip/ecn.h"

#define HEADER_MAX 60
#define PACKET_MAX 65535
#define PIECE 8 /* bytes: the unit of an offset */

static uint16_t header_sum(const uint8_t *ip, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return ~(sum + (sum >> 16));
}

static void put_sum(uint8_t *ip, size_t head)
{
	uint16_t sum;

	ip[10] = ip[11] = 0;
	sum = header_sum(ip, head);
	ip[10] = sum >> 8;
	ip[11] = sum & 0xff;
}

static size_t head_of(const uint8_t *ip)
{
	return (size_t)(ip[0] & 15) * 4;
}

long rsip_inner_find(const uint8_t *buf, size_t len, size_t skip)
{
	const uint8_t *ip = buf + skip;
	size_t total;

	if (len < skip + sizeof(struct iphdr) || ip[0] >> 4 != 4)
		return -EBADMSG;
	total = (size_t)ip[2] << 8 | ip[3];
	if (head_of(ip) < sizeof(struct iphdr) || total < head_of(ip) || total > len - skip)
		return -EBADMSG;
	return header_sum(ip, head_of(ip)) ? -EBADMSG : (long)total;
}

int rsip_inner_join_ecn(uint8_t *ip, uint8_t outer_tos)
{
	if (rsip_ecn_join(outer_tos, &ip[1]))
		return -1;
	put_sum(ip, head_of(ip));
	return 0;
}

/* Of a first fragment's header what the others have, too (RFC 791 3.1: options with the copied flag); its length. */
static size_t later_header(const uint8_t *ip, uint8_t out[HEADER_MAX])
{
	size_t head = head_of(ip), at = sizeof(struct iphdr), to = at;

	memcpy(out, ip, at);
	while (at < head && ip[at] != IPOPT_END) {
		size_t len = ip[at] == IPOPT_NOP ? 1 : at + 1 < head ? ip[at + 1] : 0;

		if (!len || at + len > head)
			break; /* malformed: none of the rest */
		if (IPOPT_COPIED(ip[at])) {
			memcpy(out + to, ip + at, len);
			to += len;
		}
		at += len;
	}
	while (to % 4)
		out[to++] = IPOPT_END;
	out[0] = 0x40 | to / 4;
	return to;
}

int rsip_inner_cut(const uint8_t *ip, size_t len, size_t mtu, int (*emit)(void *ctx, const uint8_t *ip, size_t len),
		   void *ctx)
{
	size_t head = head_of(ip), at = head, out_head = head;
	uint16_t frag = ip[6] << 8 | ip[7];
	uint8_t out[PACKET_MAX];
	int err = 0;

	if (len <= mtu)
		return emit(ctx, ip, len);
	if (frag & IP_DF || mtu < HEADER_MAX + PIECE || mtu > sizeof(out))
		return -EMSGSIZE;
	memcpy(out, ip, head);
	while (at < len && !err) {
		size_t room = (mtu - out_head) / PIECE * PIECE, n = len - at < room ? len - at : room;
		size_t total = out_head + n;
		uint16_t off = (frag & IP_OFFMASK) + (at - head) / PIECE;
		uint16_t flags = at + n < len ? IP_MF : frag & IP_MF;

		memcpy(out + out_head, ip + at, n);
		out[2] = total >> 8;
		out[3] = total & 0xff;
		out[6] = (flags | off) >> 8;
		out[7] = off & 0xff;
		put_sum(out, out_head);
		err = emit(ctx, out, total);
		at += n;
		if (out_head == head) /* the first is out */
			out_head = later_header(ip, out);
	}
	return err;
}
