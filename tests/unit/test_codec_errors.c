// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What is wrong with a message, and which of several wrongs is told (RFC 3103 9.1.1). */
#include <criterion/criterion.h>
#include <string.h>

#include "codec.h"
#include "codec_vectors.h"

static struct rsip_message m;

/* Parameters alone; version, type and overall length are put before them. */
static enum rsip_err decode(uint8_t type, const char *hex)
{
	uint8_t buf[70000];
	size_t len = 4 + from_hex(hex, buf + 4, sizeof(buf) - 4);

	buf[0] = RSIP_VERSION;
	buf[1] = type;
	buf[2] = len >> 8;
	buf[3] = len & 0xff;
	return rsip_decode(buf, len, &m);
}

#define C "04000400000001 " /* client ID 1 */
#define B "05000400000007 " /* bind ID 7 */
#define N "0b000400000002 " /* counter 2 */
#define L "03000400000708 " /* lease 1800 */
#define T "06000101 "	    /* IP-IP */
#define A "01000101 "	    /* address, don't care */
#define P "02000101 "	    /* one port, don't care */
#define Z "020000 "	    /* ports, don't need */
#define S "1600020002 "	    /* two SPIs, don't care */
#define V "0c000400090001 " /* vendor */

static const struct {
	enum rsip_err want;
	uint8_t type;
	const char *hex, *why;
} rows[] = {
	{ RSIP_OK, 8, C A P A P N L T, "all there" },
	{ RSIP_OK, 8, C A P A P T L N, "optional ones in any order" },
	{ RSIP_OK, 8, C A P A P V N V, "vendor parameters, twice" },
	{ RSIP_OK, 8, V C A P A P, "a vendor parameter before required ones" },
	{ RSIP_OK, 22, C A Z A Z S N, "no ports needed" },
	{ RSIP_OK, 14,
	  C "0a00020002 010005010a000000 01000502ff000000 0a00020001 010005010a000001 " N,
	  "tuples, then n" },
	{ RSIP_OK, 14, C "0a00020001 01001103 20010db8000000000000000000000001",
	  "an IPv6 address" },
	{ RSIP_OK, 16, C A P A P "06000103 06000102 06000101", "several tunnel types in a LISTEN" },
	/* 201 */
	{ RSIP_ERR_MISSING_PARAM, 4, N, "no client ID" },
	{ RSIP_ERR_MISSING_PARAM, 8, C A P A N, "no remote ports" },
	{ RSIP_ERR_MISSING_PARAM, 8, C P A P, "an address too few" },
	{ RSIP_ERR_MISSING_PARAM, 10, C N, "no bind ID" },
	{ RSIP_ERR_MISSING_PARAM, 22, C A Z A Z N, "no SPI" },
	{ RSIP_ERR_MISSING_PARAM, 1, N, "no error" },
	{ RSIP_ERR_MISSING_PARAM, 9, C B A P A P L, "no tunnel type in a response" },
	/* 202 */
	{ RSIP_ERR_DUPLICATE_PARAM, 4, C C N, "client ID twice" },
	{ RSIP_ERR_DUPLICATE_PARAM, 2, N N, "counter twice" },
	{ RSIP_ERR_DUPLICATE_PARAM, 8, C A P A P A, "three addresses" },
	{ RSIP_ERR_DUPLICATE_PARAM, 8, C A P A P T T, "two tunnel types in an ASSIGN" },
	{ RSIP_ERR_DUPLICATE_PARAM, 12, C B B, "bind ID twice" },
	/* 203 */
	{ RSIP_ERR_EXTRA_PARAM, 2, C N, "a client ID in a REGISTER" },
	{ RSIP_ERR_EXTRA_PARAM, 12, C B L, "a lease time in a FREE" },
	{ RSIP_ERR_EXTRA_PARAM, 8, C A P A P S, "SPIs in an RSAP-IP assignment" },
	{ RSIP_ERR_EXTRA_PARAM, 4, C "0a00020001", "an indicator outside a query" },
	/* 204 */
	{ RSIP_ERR_ILLEGAL_PARAM, 2, N "0d0000", "type 13" },
	{ RSIP_ERR_ILLEGAL_PARAM, 2, "000000 " N, "type 0" },
	{ RSIP_ERR_ILLEGAL_PARAM, 4, C "ff000100", "type 255" },
	/* 205: lengths */
	{ RSIP_ERR_BAD_PARAM, 4, "040003000001", "client ID of three bytes" },
	{ RSIP_ERR_BAD_PARAM, 2, "0b0005 0000000001", "counter of five bytes" },
	{ RSIP_ERR_BAD_PARAM, 2, N "0b", "one byte left over" },
	{ RSIP_ERR_BAD_PARAM, 2, N "0b0004 0000", "a value that runs over the end" },
	{ RSIP_ERR_BAD_PARAM, 2, "0c0003000001", "vendor parameter of three bytes" },
	{ RSIP_ERR_BAD_PARAM, 8, C A P A P "060002 0101", "tunnel type of two bytes" },
	{ RSIP_ERR_BAD_PARAM, 10, C B "03000200ff", "lease time of two bytes" },
	/* 205: order */
	{ RSIP_ERR_BAD_PARAM, 4, N C, "an optional one before the client ID" },
	{ RSIP_ERR_BAD_PARAM, 12, B C, "bind ID before client ID" },
	{ RSIP_ERR_BAD_PARAM, 8, C P A P A, "ports before addresses" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A S Z, "SPI before the remote ports" },
	/* 205: addresses */
	{ RSIP_ERR_BAD_PARAM, 8, C "010000" P A P, "no address type" },
	{ RSIP_ERR_BAD_PARAM, 8, C "01000100" P A P, "address type 0" },
	{ RSIP_ERR_BAD_PARAM, 8, C "01000105" P A P, "address type 5" },
	{ RSIP_ERR_BAD_PARAM, 8, C "01000401cb0071" P A P, "three bytes of an IPv4 address" },
	{ RSIP_ERR_BAD_PARAM, 8, C "01000603cb00710101" P A P, "five bytes of an IPv6 address" },
	{ RSIP_ERR_BAD_PARAM, 8, C "01000502ffffff00" P A P, "a netmask as an address" },
	{ RSIP_ERR_BAD_PARAM, 8, C "01000404612e62" P A P, "a name as local address" },
	{ RSIP_ERR_BAD_PARAM, 8, C "01000104" P A P, "any name as local address" },
	{ RSIP_ERR_BAD_PARAM, 8, C A P "01000404610062" P, "a NUL in a name" },
	{ RSIP_ERR_BAD_PARAM, 8, C A P "010004041b5b6d" P, "an escape in a name" },
	/* 205: ports */
	{ RSIP_ERR_BAD_PARAM, 8, C A Z A P, "no ports needed where they are the point" },
	{ RSIP_ERR_BAD_PARAM, 6, C A A Z, "no ports needed in RSA-IP" },
	{ RSIP_ERR_BAD_PARAM, 16, C A Z A P, "no ports needed in LISTEN" },
	{ RSIP_ERR_BAD_PARAM, 8, C A "02000100" A P, "zero local ports" },
	{ RSIP_ERR_BAD_PARAM, 8, C A "020003000000" A P, "zero local ports, zero field" },
	{ RSIP_ERR_BAD_PARAM, 8, C A P A "020003000050", "zero remote ports at 80" },
	{ RSIP_ERR_BAD_PARAM, 8, C A "020003 02ffff" A P, "a range past 65535" },
	{ RSIP_ERR_BAD_PARAM, 8, C A "020005 030fa00fa1" A P, "two fields for three ports" },
	{ RSIP_ERR_BAD_PARAM, 8, C A "020002 010f" A P, "half a port" },
	{ RSIP_ERR_BAD_PARAM, 8, C A "020005 020fa00fa0" A P, "a port twice" },
	{ RSIP_ERR_BAD_PARAM, 8, C A "020005 020fa00000" A P, "port 0 in a list" },
	/* 205: SPIs */
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "1600020000", "zero SPIs" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "16000101", "one byte of a number" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "1600060001 00000000", "SPI 0" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "1600060001 000000ff", "SPI 255" },
	{ RSIP_OK, 22, C A Z A Z "1600060001 00000100", "SPI 256" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "1600060002 ffffffff", "a range past 2^32-1" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "16000a0002 c0010000 c0010000", "an SPI twice" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "16000a0002 c0010000 00000001", "SPI 1 in a list" },
	{ RSIP_ERR_BAD_PARAM, 22, C A Z A Z "16000a0003 c0010000 c0010001",
	  "two fields for three SPIs" },
	/* 205: tuples */
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020003 010005010a000009", "indicator 3 in a request" },
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020001 " N, "an indicator without address" },
	{ RSIP_ERR_BAD_PARAM, 14, C "010005010a000009", "an address without indicator" },
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020002 010005010a000000", "a network without mask" },
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020002 010005010a000000 01000501ff000000",
	  "a mask that is an address" },
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020002 010005010a000000 01000502ff00ff00",
	  "a mask with a hole" },
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020002 01000404612e62 01000502ff000000",
	  "a name as network" },
	{ RSIP_ERR_BAD_PARAM, 14,
	  C "0a00020002 01001103 20010db8000000000000000000000000 01000502ffffff00",
	  "a mask for IPv6" },
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020001 01000101", "any address" },
	{ RSIP_ERR_BAD_PARAM, 14, C "0a00020101 010005010a000009", "an indicator above 255" },
	/* Which first: 205 before 202 before 204 before 203 before 201 */
	{ RSIP_ERR_BAD_PARAM, 4, C C "0d0000 " L "0b00020000",
	  "all wrongs, the malformed one last" },
	{ RSIP_ERR_BAD_PARAM, 2, N "1600020000", "malformed and extra" },
	{ RSIP_ERR_BAD_PARAM, 2, N N "0b00020000", "malformed and duplicate" },
	{ RSIP_ERR_BAD_PARAM, 4, N "0d0000 " C, "out of order and unknown" },
	{ RSIP_ERR_DUPLICATE_PARAM, 2, "0d0000 " L N N, "duplicate, unknown and extra" },
	{ RSIP_ERR_DUPLICATE_PARAM, 10, C C, "duplicate and missing" },
	{ RSIP_ERR_ILLEGAL_PARAM, 4, L "0d0000", "unknown, extra and missing" },
	{ RSIP_ERR_EXTRA_PARAM, 4, L, "extra and missing" },
};

Test(codec_errors, each_wrong_has_its_number)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_eq(decode(rows[i].type, rows[i].hex), rows[i].want, "type %u, %s: got %u",
			     rows[i].type, rows[i].why, decode(rows[i].type, rows[i].hex));
}

static enum rsip_err decode_raw(const char *hex)
{
	uint8_t buf[256];

	return rsip_decode(buf, from_hex(hex, buf, sizeof(buf)), &m);
}

Test(codec_errors, version_comes_before_length_before_type)
{
	cr_expect_eq(decode_raw("0202000b 0b000400000001"), RSIP_ERR_UNSUPPORTED_RSIP_VERSION);
	cr_expect_eq(m.counter, 1, "the answer must carry the counter");
	cr_expect_eq(decode_raw("0063ffff"), RSIP_ERR_UNSUPPORTED_RSIP_VERSION);
	cr_expect_eq(decode_raw("0102000c 0b000400000001"), RSIP_ERR_BAD_MESSAGE);
	cr_expect_eq(decode_raw("0102000a 0b000400000001"), RSIP_ERR_BAD_MESSAGE);
	cr_expect_eq(decode_raw("01630005"), RSIP_ERR_BAD_MESSAGE,
		     "an unknown type of the wrong length");
	cr_expect_eq(decode_raw("010200"), RSIP_ERR_BAD_MESSAGE);
	cr_expect_eq(decode_raw(""), RSIP_ERR_BAD_MESSAGE);
	cr_expect_eq(decode_raw("01630004"), RSIP_ERR_ILLEGAL_MESSAGE);
	cr_expect_eq(decode_raw("01120007 0d0000"), RSIP_ERR_ILLEGAL_MESSAGE,
		     "type before parameters");
}

Test(codec_errors, ids_survive_an_error)
{
	cr_assert_eq(decode(12, C B "0d0000 " N), RSIP_ERR_ILLEGAL_PARAM);
	cr_expect_eq(m.has, RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID | RSIP_HAS_COUNTER);
	cr_expect_eq(m.client_id, 1);
	cr_expect_eq(m.bind_id, 7);
	cr_expect_eq(m.counter, 2);
	cr_assert_eq(decode(12, "0400020001" B N "05"), RSIP_ERR_BAD_PARAM);
	cr_expect_eq(m.has, RSIP_HAS_BIND_ID | RSIP_HAS_COUNTER,
		     "a client ID that could not be read is not told");
}

/* A list longer than what is kept is no malformed one: whoever asks for so many is refused later.
 */
Test(codec_errors, long_spi_lists_are_counted_not_kept)
{
	static uint8_t buf[65535];
	const unsigned int cnt = 5000;
	size_t len = 4 + from_hex(C A Z A Z, buf + 4, 256);
	size_t value = 2 + 4 * cnt;

	buf[0] = 1;
	buf[1] = 22;
	buf[len++] = 22;
	buf[len++] = value >> 8;
	buf[len++] = value & 0xff;
	buf[len++] = cnt >> 8;
	buf[len++] = cnt & 0xff;
	for (unsigned int i = 0; i < cnt; i++, len += 4) {
		buf[len] = 0xc0;
		buf[len + 2] = i >> 8;
		buf[len + 3] = i & 0xff;
	}
	buf[2] = len >> 8;
	buf[3] = len & 0xff;
	cr_assert_eq(rsip_decode(buf, len, &m), RSIP_OK);
	cr_expect_eq(m.spis.form, RSIP_FORM_LIST);
	cr_expect_eq(m.spis.cnt, cnt);
	cr_expect_eq(m.spis.spi[RSIP_SPI_LIST_MAX - 1], 0xc0000000 + RSIP_SPI_LIST_MAX - 1);
	cr_expect_lt(rsip_encode(&m, buf, sizeof(buf)), 0);
}

Test(codec_errors, tuples_beyond_the_kept_ones_are_counted)
{
	static uint8_t buf[4096];
	size_t len = 4 + from_hex(C, buf + 4, 256);

	buf[0] = 1;
	buf[1] = 14;
	for (unsigned int i = 0; i < RSIP_TUPLES_MAX + 5; i++)
		len += from_hex("0a00020001 010005010a000009", buf + len, 256);
	buf[2] = len >> 8;
	buf[3] = len & 0xff;
	cr_assert_eq(rsip_decode(buf, len, &m), RSIP_OK);
	cr_expect_eq(m.tuple_cnt, RSIP_TUPLES_MAX);
	cr_expect_eq(m.tuple_more, 5);
}

/* What is read from hostile bytes is written and read again as the same message. */
static void must_survive(const uint8_t *buf, size_t len)
{
	static struct rsip_message again;
	static uint8_t out[65535], twice[65535];
	char text[512];
	int n, n2;

	if (rsip_decode(buf, len, &m) != RSIP_OK)
		return;
	rsip_message_text(&m, text, sizeof(text));
	n = rsip_encode(&m, out, sizeof(out));
	cr_assert_gt(n, 0, "%s", text);
	cr_assert_eq(rsip_decode(out, n, &again), RSIP_OK, "%s", text);
	n2 = rsip_encode(&again, twice, sizeof(twice));
	cr_assert_eq(n, n2, "%s", text);
	cr_assert_arr_eq(out, twice, n, "%s", text);
}

Test(codec_errors, every_cut_is_refused_and_every_changed_byte_survived)
{
	uint8_t buf[256], cut[256];

	for (size_t i = 0; i < VECTOR_CNT; i++) {
		size_t len = from_hex(vectors[i].hex, buf, sizeof(buf));

		for (size_t n = 0; n < len; n++) {
			cr_expect_eq(rsip_decode(buf, n, &m), RSIP_ERR_BAD_MESSAGE);
			memcpy(cut, buf, n); /* the same with a length that fits */
			if (n >= 4) {
				cut[2] = 0;
				cut[3] = n;
				must_survive(cut, n);
			}
		}
		for (size_t n = 0; n < len; n++) {
			uint8_t was = buf[n];

			for (unsigned int v = 0; v < 256; v++) {
				buf[n] = v;
				must_survive(buf, len);
			}
			buf[n] = was;
		}
	}
}
