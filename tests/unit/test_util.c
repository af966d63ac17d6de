// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lib/util.c and lib/names.c: addresses as text, numbers as names. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "rsip/maps.h"
#include "rsip/wire.h"
#include "util.h"

Test(util, an_address_is_read_and_written_back)
{
	__be32 addr = 0;

	cr_assert_eq(rsip_ip4_parse("203.0.113.7", &addr), 0);
	cr_assert_eq(addr, htonl(0xcb007107));
	cr_assert_str_eq(rsip_ip4(addr), "203.0.113.7");
	cr_assert_eq(rsip_ip4_parse("203.0.113", &addr), -EINVAL);
	cr_assert_eq(rsip_ip4_parse("203.0.113.7 ", &addr), -EINVAL);
}

Test(util, a_hosts_ipv6_address_is_no_other_kind)
{
	static const char *const wrong[] = { "fe80::1", "ff02::1", "::1", "::", "::ffff:10.0.0.1", "2001:db8", "10.0.0.1", "" };
	uint8_t addr[16] = { 0 };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(wrong); i++)
		cr_assert_eq(rsip_ip6_parse_host(wrong[i], addr), -EINVAL, "%s", wrong[i]);
	cr_assert_str_eq(rsip_ip6(addr), "::", "nothing is written");
	cr_assert_eq(rsip_ip6_parse_host("2001:db8::1", addr), 0);
	cr_assert_str_eq(rsip_ip6(addr), "2001:db8::1");
	cr_assert_eq(rsip_ip6_parse_host("fd00::1", addr), 0);
}

Test(util, a_network_needs_zero_host_bits)
{
	static const struct {
		const char *text;
		int err;
		uint32_t addr, mask;
	} row[] = {
		{ "10.0.0.0/8", 0, 0x0a000000, 0xff000000 },
		{ "0.0.0.0/0", 0, 0, 0 },
		{ "192.0.2.1", 0, 0xc0000201, 0xffffffff },
		{ "192.0.2.1/32", 0, 0xc0000201, 0xffffffff },
		{ "10.0.0.1/8", -EINVAL, 0, 0 },
		{ "10.0.0.0/33", -EINVAL, 0, 0 },
		{ "10.0.0.0/", -EINVAL, 0, 0 },
		{ "10.0.0.0/8x", -EINVAL, 0, 0 },
		{ "10.0.0.0/-1", -EINVAL, 0, 0 },
		{ "1000000000000000000.0.0.0/8", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(row); i++) {
		__be32 addr = 0, mask = 0;

		cr_assert_eq(rsip_net4_parse(row[i].text, &addr, &mask), row[i].err, "%s", row[i].text);
		if (!row[i].err) {
			cr_assert_eq(ntohl(addr), row[i].addr, "%s", row[i].text);
			cr_assert_eq(ntohl(mask), row[i].mask, "%s", row[i].text);
		}
	}
}

Test(util, numbers_have_the_names_of_the_rfc)
{
	cr_assert_str_eq(rsip_msg_name(RSIP_MSG_ASSIGN_REQUEST_RSIPSEC), "ASSIGN_REQUEST_RSIPSEC");
	cr_assert_str_eq(rsip_msg_name(18), "unknown");
	cr_assert_str_eq(rsip_err_name(306), "BAD_BIND_ID");
	cr_assert_str_eq(rsip_err_name(0), "OK");
	cr_assert_str_eq(rsip_param_name(22), "SPI");
}

Test(util, every_counter_in_use_has_a_name_of_its_own)
{
	for (unsigned int i = RSIP_CNT_DROP_FIRST; i < RSIP_CNT_USED; i++) {
		cr_assert_not_null(rsip_counter_name(i), "drop %u", i);
		for (unsigned int j = 0; j < i; j++)
			if (rsip_counter_name(j))
				cr_assert_str_neq(rsip_counter_name(i), rsip_counter_name(j));
	}
	cr_assert_null(rsip_counter_name(RSIP_CNT_USED));
}

Test(util, the_two_buckets_of_a_key_differ)
{
	for (uint64_t key = 0; key < 100000; key++) {
		uint64_t h = rsip_hash(key, 42);

		cr_assert_neq(rsip_bucket1(h, 1023), rsip_bucket2(h, 1023));
		cr_assert_lt(rsip_bucket2(h, 1023), 1024);
		cr_assert_neq(rsip_bucket1(h, 1), rsip_bucket2(h, 1));
	}
}

/* Two choices are two only where keys that share the one do not share the other. */
Test(util, hosts_of_one_network_share_no_pair_of_buckets)
{
	static uint8_t seen[512 * 512];

	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint32_t distinct = 0;

		memset(seen, 0, sizeof(seen));
		for (uint32_t i = 0; i < 1000; i++) {
			uint64_t h = rsip_hash(RSIP_PAIR_KEY(htonl(0x0a010000 + i), htonl(0xcb007101)),
					       seed * 0x9e3779b97f4a7c15ULL);
			uint8_t *pair = &seen[rsip_bucket1(h, 511) * 512 + rsip_bucket2(h, 511)];

			distinct += !*pair;
			*pair = 1;
		}
		cr_assert_gt(distinct, 980, "seed %llu: 1000 hosts have %u pairs of buckets",
			     (unsigned long long)seed, distinct);
	}
}

Test(util, random_bytes_are_not_the_same_twice)
{
	unsigned char a[32] = { 0 }, b[32] = { 0 };

	rsip_random(a, sizeof(a));
	rsip_random(b, sizeof(b));
	cr_assert_neq(memcmp(a, b, sizeof(a)), 0);
}
