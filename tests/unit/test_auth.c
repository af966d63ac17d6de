// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The parameter that authenticates a message: found, made, checked. */
#include <criterion/criterion.h>
#include <string.h>

#include "auth.h"
#include "codec_vectors.h"

#define VECTOR "0102002a 0b000400000001 f1001c000000010006400000000001df7bf8e6b8556b022b52ec1c47cccd6a"

static struct rsip_auth_key key;
static uint8_t msg[256];
static size_t len;

static void vector(void) /* key 000102..1f */
{
	key.id = 1;
	cr_assert(rsip_auth_secret_parse("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", &key));
	len = from_hex(VECTOR, msg, sizeof(msg));
}

TestSuite(auth, .init = vector);

Test(auth, the_known_answer)
{
	static struct rsip_message m;
	uint8_t made[64];
	struct rsip_auth a;

	cr_assert(rsip_auth_find(msg, len, &a));
	cr_expect_eq(a.key_id, 1);
	cr_expect_eq(a.seq, 0x0006400000000001ULL);
	cr_expect(rsip_auth_check(&key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len));

	rsip_message_init(&m, RSIP_MSG_REGISTER_REQUEST);
	m.has = RSIP_HAS_COUNTER;
	m.counter = 1;
	rsip_auth_add(&m, 1, 0x0006400000000001ULL);
	cr_assert_eq(rsip_encode(&m, made, sizeof(made)), (int)len);
	rsip_auth_sign(&key, RSIP_AUTH_TO_GATEWAY, NULL, made, len);
	cr_expect_arr_eq(made, msg, len);
}

Test(auth, every_bit_counts)
{
	for (size_t bit = 0; bit < 8 * len; bit++) {
		msg[bit / 8] ^= 1 << bit % 8;
		cr_expect_not(rsip_auth_check(&key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len), "bit %zu", bit);
		msg[bit / 8] ^= 1 << bit % 8;
	}
	key.secret[31] ^= 1;
	cr_expect_not(rsip_auth_check(&key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len), "another secret");
}

Test(auth, an_answer_is_bound_to_its_direction_and_request)
{
	uint8_t request[RSIP_AUTH_MAC_LEN] = { 1 };

	rsip_auth_sign(&key, RSIP_AUTH_FROM_GATEWAY, request, msg, len);
	cr_expect(rsip_auth_check(&key, RSIP_AUTH_FROM_GATEWAY, request, msg, len));
	cr_expect_not(rsip_auth_check(&key, RSIP_AUTH_TO_GATEWAY, NULL, msg, len), "reflected");
	cr_expect_not(rsip_auth_check(&key, RSIP_AUTH_FROM_GATEWAY, NULL, msg, len), "as asynchronous");
	request[0] = 2;
	cr_expect_not(rsip_auth_check(&key, RSIP_AUTH_FROM_GATEWAY, request, msg, len), "to another request");
}

Test(auth, only_the_last_parameter_is_one)
{
	static const char *const none[] = {
		"", "0102", "0102000b 0b000400000001", /* without */
		"0102002b f1001c 00000001 0006400000000001 df7bf8e6b8556b022b52ec1c47cccd6a 0b000400000001", /* not last */
		"01020029 0b000400000001 f1001b 00000001 0006400000000001 df7bf8e6b8556b022b52ec1c47cccd", /* 27 bytes */
		"0102002a 0b000400000001 f1001d 00000001 0006400000000001 df7bf8e6b8556b022b52ec1c47cccd6a", /* cut off */
		"0102002a 0b000400000001 0c001c 00000001 0006400000000001 df7bf8e6b8556b022b52ec1c47cccd6a", /* vendor */
		"0102002d 0b000400000001 f1001c 00000001 0006400000000001 df7bf8e6b8556b022b52ec1c47cccd6a ffffff",
	};
	struct rsip_auth a;

	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		size_t n = from_hex(none[i], msg, sizeof(msg));

		cr_expect_not(rsip_auth_find(msg, n, &a), "%s", none[i]);
	}
}

Test(auth, secrets_are_16_to_64_bytes)
{
	char text[140];

	for (size_t i = 0; i < 139; i++) {
		memset(text, 'a', i);
		text[i] = '\0';
		cr_expect_eq(rsip_auth_secret_parse(text, &key), i % 2 == 0 && i >= 32 && i <= 128, "%zu digits", i);
	}
	cr_expect_not(rsip_auth_secret_parse("0g0102030405060708090a0b0c0d0e0f", &key));
	cr_expect(rsip_auth_secret_parse("00AaFf030405060708090a0b0c0d0e0f", &key));
	cr_expect_eq(key.secret[1], 0xaa);
	cr_expect_eq(key.len, 16);
}

Test(auth, sequences_rise_whatever_the_clock_says)
{
	cr_expect_eq(rsip_auth_next(5, 100), 100);
	cr_expect_eq(rsip_auth_next(100, 100), 101);
	cr_expect_eq(rsip_auth_next(100, 5), 101, "the clock was set back");
}
