// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/inner.c: what comes out of a tunnel packet that the kernel has put together. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>
#include "inner.h"
#include "pkt.h"

#define ETH 14
#define inner_of(...) pkt(eth(MAC_ROUTER, MAC_GW_PUB), ip4(REMOTE, PUB_1, __VA_ARGS__), udp(53, 4000), bytes(2000))

static struct pkt pieces[16];
static unsigned int piece_cnt;

static int take(void *ctx, const uint8_t *ip, size_t len)
{
	struct pkt *p = &pieces[piece_cnt];

	(void)ctx;
	cr_assert_lt(piece_cnt, 16);
	memset(p->data, 0, ETH);
	memcpy(p->data + ETH, ip, len);
	p->len = ETH + len;
	piece_cnt++;
	return 0;
}

static int cut(const struct pkt *p, size_t mtu)
{
	piece_cnt = 0;
	return rsip_inner_cut(p->data + ETH, p->len - ETH, mtu, take, NULL);
}

static uint16_t field(const struct pkt *p, int at)
{
	return p->data[ETH + at] << 8 | p->data[ETH + at + 1];
}

static size_t head(const struct pkt *p)
{
	return (p->data[ETH] & 15) * 4;
}

/* The pieces follow each other, each a packet of its own, and are the whole again. */
static void expect_pieces(const struct pkt *whole, unsigned int n, size_t mtu)
{
	size_t first = (field(whole, 6) & 0x1fff) * 8, at = first;

	cr_assert_eq(piece_cnt, n);
	for (unsigned int i = 0; i < n; i++) {
		const struct pkt *p = &pieces[i];
		size_t len = p->len - ETH - head(p);

		cr_expect_leq(p->len - ETH, mtu);
		cr_expect_eq(field(p, 2), p->len - ETH);
		cr_expect_eq(pkt_sum16(p->data + ETH, head(p), 0), 0);
		cr_expect_eq((size_t)(field(p, 6) & 0x1fff) * 8, at, "piece %u", i);
		cr_expect_eq(!!(field(p, 6) & 0x2000), i + 1 < n || field(whole, 6) & 0x2000);
		cr_expect_eq(field(p, 4), field(whole, 4));
		cr_expect_arr_eq(p->data + ETH + head(p), whole->data + ETH + head(whole) + (at - first), len);
		at += len;
	}
	cr_expect_eq(at - first, whole->len - ETH - head(whole));
}

Test(inner, what_fits_goes_as_it_is)
{
	struct pkt p = inner_of(.df = true);

	cr_assert_eq(cut(&p, 2028), 0);
	cr_assert_eq(piece_cnt, 1);
	cr_expect_arr_eq(pieces[0].data + ETH, p.data + ETH, p.len - ETH);
}

Test(inner, what_does_not_is_fragmented)
{
	struct pkt p = inner_of(.id = 0x1234), middle = inner_of(.id = 7, .frag = 100, .mf = true), last = inner_of(.frag = 9);

	cr_assert_eq(cut(&p, 1480), 0);
	expect_pieces(&p, 2, 1480);
	cr_expect_eq(pieces[0].len - ETH, 1476); /* data in units of eight bytes */
	cr_assert_eq(cut(&p, 576), 0);
	expect_pieces(&p, 4, 576);
	cr_assert_eq(cut(&middle, 1480), 0);
	expect_pieces(&middle, 2, 1480);
	cr_assert_eq(cut(&last, 1480), 0);
	expect_pieces(&last, 2, 1480);
}

/* RFC 791 3.1: router alert (148) is to be copied, record route (7) is not. */
Test(inner, options_that_are_to_be_copied_are)
{
	struct pkt p = inner_of(.options = "\x07\x07\x04\0\0\0\0\x94\x04\0\0\0", .options_len = 12);

	cr_assert_eq(cut(&p, 1480), 0);
	expect_pieces(&p, 2, 1480);
	cr_expect_eq(head(&pieces[0]), 32);
	cr_expect_eq(head(&pieces[1]), 24);
	cr_expect_arr_eq(pieces[1].data + ETH + 20, "\x94\x04\0\0", 4);
}

Test(inner, malformed_options_are_not_read_past_their_end)
{
	struct pkt zero = inner_of(.options = "\x94\0\0\0", .options_len = 4);
	struct pkt beyond = inner_of(.options = "\x94\x09\0\0", .options_len = 4);
	struct pkt at_end = inner_of(.options = "\1\1\1\x94", .options_len = 4);

	cr_assert_eq(cut(&zero, 1480), 0);
	cr_expect_eq(head(&pieces[1]), 20);
	cr_assert_eq(cut(&beyond, 1480), 0);
	cr_expect_eq(head(&pieces[1]), 20);
	cr_assert_eq(cut(&at_end, 1480), 0);
	cr_expect_eq(head(&pieces[1]), 20);
}

Test(inner, dont_fragment_is_obeyed)
{
	struct pkt p = inner_of(.df = true);

	cr_expect_eq(cut(&p, 2027), -EMSGSIZE);
	cr_expect_eq(piece_cnt, 0);
}

Test(inner, a_packet_is_found_behind_the_outer_header)
{
	struct pkt p = pkt(eth(MAC_ROUTER, MAC_GW_PUB), ip4(GW_PRIV, HOST_A), ip4(REMOTE, PUB_1), udp(53, 4000), text("hello"), pad(3));
	uint8_t *buf = p.data + ETH;
	size_t len = p.len - ETH;

	cr_expect_eq(rsip_inner_find(buf, len, 20), 33);
	cr_expect_eq(rsip_inner_find(buf, len - 3, 20), 33);
	cr_expect_eq(rsip_inner_find(buf, len - 4, 20), -EBADMSG, "cut short");
	cr_expect_eq(rsip_inner_find(buf, 39, 20), -EBADMSG);
	cr_expect_eq(rsip_inner_find(buf, 10, 20), -EBADMSG);
	cr_expect_eq(rsip_inner_find(buf, len, 19), -EBADMSG);
	buf[20 + 8]++;
	cr_expect_eq(rsip_inner_find(buf, len, 20), -EBADMSG, "checksum");
	buf[20 + 8]--;
	buf[20] = 0x44;
	cr_expect_eq(rsip_inner_find(buf, len, 20), -EBADMSG, "header length");
}

Test(inner, congestion_is_joined)
{
	struct pkt p = inner_of(.tos = 0xba), want = inner_of(.tos = 0xbb), plain = inner_of(.tos = 0xb8);

	cr_assert_eq(rsip_inner_join_ecn(p.data + ETH, 3), 0);
	cr_expect_arr_eq(p.data, want.data, p.len);
	cr_expect_eq(rsip_inner_join_ecn(plain.data + ETH, 3), -1);
	cr_expect_eq(rsip_inner_join_ecn(plain.data + ETH, 1), 0);
}
