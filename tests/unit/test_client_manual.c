// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/manual.c: the ip-xfrm commands for both ends. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "manual.h"

static struct rsip_manual m;
static char host[RSIP_MANUAL_TEXT], peer[RSIP_MANUAL_TEXT];

static void made(void)
{
	m = (struct rsip_manual){.local = htonl(0xcb007101),
				 .peer = htonl(0xc6336409),
				 .spi_in = 0xc0010000,
				 .spi_out = 0x1234};
	memset(m.keys[0].auth, 0x11, 32);
	memset(m.keys[1].auth, 0x22, 32);
}

static void write_both(void)
{
	rsip_manual_text(&m, false, host);
	rsip_manual_text(&m, true, peer);
}

/* The first line that contains word. */
static const char *line(const char *text, const char *word)
{
	static char got[600];
	const char *at = strstr(text, word);

	cr_assert(at, "no '%s' in: %s", word, text);
	while (at > text && at[-1] != '\n')
		at--;
	snprintf(got, sizeof(got), "%.*s", (int)strcspn(at, "\n"), at);
	return got;
}

Test(manual, both_ends_have_the_same_sas, .init = made)
{
	char ours[600];

	write_both();
	snprintf(ours, sizeof(ours), "%s", line(host, "spi 0xc0010000"));
	cr_assert_str_eq(ours, line(peer, "spi 0xc0010000"));
	cr_assert(strstr(ours, "src 198.51.100.9 dst 203.0.113.1 proto esp"));
	cr_assert(strstr(ours, "0x1111"), "the key of what comes in");
	snprintf(ours, sizeof(ours), "%s", line(host, "spi 0x00001234"));
	cr_assert_str_eq(ours, line(peer, "spi 0x00001234"));
	cr_assert(strstr(ours, "src 203.0.113.1 dst 198.51.100.9"));
	cr_assert(strstr(ours, "0x2222"), "another key");
}

Test(manual, what_is_in_for_one_is_out_for_the_other, .init = made)
{
	write_both();
	cr_assert(strstr(line(host, "dir in"), "src 198.51.100.9/32 dst 203.0.113.1/32"));
	cr_assert(strstr(line(host, "dir out"), "src 203.0.113.1/32 dst 198.51.100.9/32"));
	cr_assert(strstr(line(peer, "dir out"), "src 198.51.100.9/32 dst 203.0.113.1/32"));
	cr_assert(strstr(line(peer, "dir in"), "src 203.0.113.1/32 dst 198.51.100.9/32"));
}

Test(manual, ah_has_no_cipher_and_a_tunnel_has_its_inner_address, .init = made)
{
	m.ah = true;
	m.inner = htonl(0x0a4d0001);
	write_both();
	cr_assert_not(strstr(host, "enc "));
	cr_assert(strstr(host, "proto ah"));
	cr_assert(strstr(line(host, "dir out"), "src 10.77.0.1/32 dst 198.51.100.9/32"));
	cr_assert(strstr(line(host, "dir out"),
			 "tmpl src 203.0.113.1 dst 198.51.100.9 proto ah mode tunnel"));
	cr_assert(strstr(host, "ip addr replace 10.77.0.1/32"));
	cr_assert_not(strstr(peer, "ip addr"));
}
