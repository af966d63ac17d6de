// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The codec against messages made by hand: what they mean, and that they are written to the same
 * bytes.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "codec.h"
#include "codec_vectors.h"

static struct rsip_message m;

static enum rsip_err decode(const char *hex)
{
	uint8_t buf[2048];
	size_t len = from_hex(hex, buf, sizeof(buf));

	return rsip_decode(buf, len, &m);
}

static const char *hex_of(const char *name)
{
	for (size_t i = 0; i < VECTOR_CNT; i++)
		if (!strcmp(vectors[i].name, name))
			return vectors[i].hex;
	cr_assert_fail("no vector %s", name);
	return "";
}

Test(codec, every_vector_is_written_as_it_was_read)
{
	uint8_t in[2048], out[2048];

	for (size_t i = 0; i < VECTOR_CNT; i++) {
		size_t len = from_hex(vectors[i].hex, in, sizeof(in));

		cr_expect_eq(rsip_decode(in, len, &m), RSIP_OK, "%s", vectors[i].name);
		cr_expect_eq(rsip_encode(&m, out, sizeof(out)), (int)len, "%s", vectors[i].name);
		cr_expect_arr_eq(out, in, len, "%s", vectors[i].name);
	}
}

Test(codec, register_response_is_understood)
{
	cr_assert_eq(decode(hex_of("register-response")), RSIP_OK);
	cr_expect_eq(m.client_id, 1);
	cr_expect_eq(m.lease_s, 600);
	cr_expect_eq(m.local_policy, RSIP_LOCAL_MACRO);
	cr_expect_eq(m.remote_policy, RSIP_REMOTE_NONE);
	cr_expect_eq(m.counter, 1);
	cr_assert_eq(m.method_cnt, 2);
	cr_expect_eq(m.method[0], RSIP_METHOD_RSAP_IP);
	cr_expect_eq(m.method[1], RSIP_METHOD_RSIPSEC);
	cr_assert_eq(m.tunnel_cnt, 2);
	cr_expect_eq(m.tunnel[1], RSIP_TUNNEL_GRE);
}

Test(codec, rsipsec_request_is_understood)
{
	cr_assert_eq(decode(hex_of("assign-request-rsipsec")), RSIP_OK);
	cr_expect(m.local.any);
	cr_expect_eq(m.local_ports.form, RSIP_FORM_NONE);
	cr_expect_eq(m.remote_ports.form, RSIP_FORM_NONE);
	cr_expect_eq(m.spis.form, RSIP_FORM_ANY);
	cr_expect_eq(m.spis.cnt, 2);
	cr_expect_eq(m.counter, 2);
}

Test(codec, spi_forms_are_understood)
{
	cr_assert_eq(decode(hex_of("assign-response-range-of-4")), RSIP_OK);
	cr_expect_eq(m.bind_id, 7);
	cr_expect_eq(m.local.v4, inet_addr("203.0.113.1"));
	cr_expect_eq(m.spis.form, RSIP_FORM_RANGE);
	cr_expect_eq(m.spis.first, 0xc0010000);
	cr_expect_eq(m.spis.cnt, 4);
	cr_expect_eq(m.lease_s, 1800);
	cr_assert_eq(decode(hex_of("assign-response-list-of-2")), RSIP_OK);
	cr_expect_eq(m.spis.form, RSIP_FORM_LIST);
	cr_expect_eq(m.spis.spi[0], 0xc0010000);
	cr_expect_eq(m.spis.spi[1], 0xc0020000);
}

Test(codec, port_forms_and_names_are_understood)
{
	cr_assert_eq(decode(hex_of("assign-response-4-1234")), RSIP_OK);
	cr_expect_eq(m.local_ports.form, RSIP_FORM_RANGE);
	cr_expect_eq(m.local_ports.cnt, 4);
	cr_expect_eq(m.local_ports.port[3], 1237); /* Appendix C: 4-1234 is 1234 to 1237 */
	cr_assert_eq(decode(hex_of("assign-request-fqdn")), RSIP_OK);
	cr_expect_str_eq(m.remote.fqdn, "www.example.com");
	cr_expect_eq(m.remote_ports.port[0], 443);
	cr_assert_eq(decode(hex_of("listen-response-micro")), RSIP_OK);
	cr_expect_eq(m.local_ports.port[0], 2050);
	cr_expect_eq(m.remote_ports.port[0], 20);
	cr_expect_eq(m.remote.v4, inet_addr("198.51.100.6"));
	cr_expect_eq(m.tunnel[0], RSIP_TUNNEL_IPIP);
	cr_assert_eq(decode(hex_of("assign-response-rsa-endpoint")), RSIP_OK);
	cr_expect_eq(m.endpoint.v4, inet_addr("10.0.0.2"));
}

Test(codec, tuples_errors_and_authentication_are_understood)
{
	cr_assert_eq(decode(hex_of("query-request-address")), RSIP_OK);
	cr_assert_eq(m.tuple_cnt, 1);
	cr_expect_eq(m.tuple[0].indicator, 1);
	cr_expect_eq(m.tuple[0].addr.v4, inet_addr("10.0.0.9"));
	cr_assert_eq(decode(hex_of("query-response-local-network")), RSIP_OK);
	cr_expect_eq(m.tuple[0].indicator, RSIP_IND_LOCAL_NETWORK);
	cr_expect_eq(m.tuple[0].addr.v4, inet_addr("10.20.60.0"));
	cr_expect_eq(m.tuple[0].mask, inet_addr("255.255.255.0"));
	cr_assert_eq(decode(hex_of("error-403")), RSIP_OK);
	cr_expect_eq(m.error, RSIP_ERR_IPSEC_SPI_INUSE);
	cr_assert_eq(decode(hex_of("register-request-mac")), RSIP_OK);
	cr_expect(m.has & RSIP_HAS_AUTH);
	cr_expect_eq(m.auth[3], 1);
	cr_expect_eq(m.auth[27], 0x6a);
}

Test(codec, dont_care_may_be_written_in_every_known_way)
{
	/* 4-0 and 0 as in Appendix C, 0.0.0.0 as in 9.8.3 */
	cr_assert_eq(decode("01080032 04000400000001 0100050100000000 020003040000 "
			    "0100050100000000 020003000000 "
			    "03000400000e10 06000101"),
		     RSIP_OK);
	cr_expect(m.local.any && m.remote.any);
	cr_expect_eq(m.local_ports.form, RSIP_FORM_ANY);
	cr_expect_eq(m.local_ports.cnt, 4);
	cr_expect_eq(m.remote_ports.form, RSIP_FORM_ANY);
	cr_assert_eq(decode("0108001b 04000400000001 01000101 02000104 01000103 02000100"),
		     RSIP_OK);
	cr_expect(m.remote.any);
}

Test(codec, indicator_of_one_byte_is_read)
{
	cr_assert_eq(decode("010e001e 04000400000001 0b000400000005 0a000101 010005010a000009"),
		     RSIP_OK);
	cr_expect_eq(m.tuple[0].indicator, 1);
}

Test(codec, lease_and_tunnel_of_a_response_may_be_swapped)
{
	cr_assert_eq(decode("0109003a 04000400000001 05000400000001 01000501cb007101 0200030404d2 "
			    "01000101 02000101 "
			    "06000101 03000400000708 0b000400000003"),
		     RSIP_OK);
	cr_expect_eq(m.lease_s, 1800);
	cr_expect_eq(m.tunnel[0], RSIP_TUNNEL_IPIP);
}

Test(codec, foreign_authentication_and_vendor_parameters_are_ignored)
{
	cr_expect_eq(decode("0102000f 0b000400000001 f1000100"), RSIP_OK);
	cr_expect_not(m.has & RSIP_HAS_AUTH);
	cr_expect_eq(decode("01020016 0c00080009000102030405 0b000400000001"), RSIP_OK);
	cr_expect_eq(m.counter, 1);
}

Test(codec, what_cannot_be_written_is_refused)
{
	uint8_t out[256];

	rsip_message_init(&m, RSIP_MSG_FREE_REQUEST);
	cr_expect_eq(rsip_encode(&m, out, sizeof(out)), -EINVAL, "required parameters are absent");
	m.has = RSIP_HAS_CLIENT_ID | RSIP_HAS_BIND_ID;
	cr_expect_eq(rsip_encode(&m, out, sizeof(out)), 18);
	cr_expect_eq(rsip_encode(&m, out, 17), -ENOSPC);
	m.has |= RSIP_HAS_LEASE;
	cr_expect_eq(rsip_encode(&m, out, sizeof(out)), -EINVAL,
		     "a FREE_REQUEST has no lease time");
	m.type = 99;
	cr_expect_eq(rsip_encode(&m, out, sizeof(out)), -ENOENT);
}

Test(codec, numbers_are_written_as_a_range_where_they_are_one)
{
	static const uint16_t run[] = { 4000, 4001, 4002 }, gap[] = { 4000, 4002 };
	struct rsip_ports p;

	rsip_ports_set(&p, run, 3);
	cr_expect_eq(p.form, RSIP_FORM_RANGE);
	rsip_ports_set(&p, gap, 2);
	cr_expect_eq(p.form, RSIP_FORM_LIST);
	rsip_ports_set(&p, gap, 1);
	cr_expect_eq(p.form, RSIP_FORM_RANGE);
	rsip_ports_set(&p, gap, 0);
	cr_expect_eq(p.form, RSIP_FORM_NONE);
}

Test(codec, text_names_what_is_there_and_never_overruns)
{
	char text[256], tiny[9];

	cr_assert_eq(decode(hex_of("assign-response-4-1234")), RSIP_OK);
	cr_expect_str_eq(
		rsip_message_text(&m, text, sizeof(text)),
		"ASSIGN_RESPONSE_RSAP-IP n=3 client=1 bind=1 lease=1800s local=203.0.113.1 "
		"local-ports=1234-1237 remote=any remote-ports=any(1) tunnel=IP-IP");
	cr_expect_str_eq(rsip_message_text(&m, tiny, sizeof(tiny)), "ASSIGN_R");
	cr_assert_eq(decode(hex_of("error-403")), RSIP_OK);
	cr_expect_str_eq(rsip_message_text(&m, text, sizeof(text)),
			 "ERROR_RESPONSE error=IPSEC_SPI_INUSE(403) n=4 client=1");
}
