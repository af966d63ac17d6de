// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* lib/inet.c: addresses of the private path, IPv4 and IPv6. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>

#include "inet.h"
#include "util.h"

static const char *round_trip(const char *text)
{
	struct rsip_inet a;

	cr_assert_eq(rsip_inet_parse(text, &a), 0, "%s", text);
	return rsip_inet_text(&a);
}

Test(inet, what_is_read_is_written_in_its_short_form)
{
	cr_assert_str_eq(round_trip("10.0.0.1"), "10.0.0.1");
	cr_assert_str_eq(round_trip("fd00:0:0::1"), "fd00::1");
	cr_assert_str_eq(round_trip("[2001:db8::1]"), "2001:db8::1");
	cr_assert_str_eq(round_trip("fe80::1%lo"), "fe80::1%lo");
	cr_assert_str_eq(round_trip("[fe80::1%1]"), "fe80::1%lo", "an interface has a name");
}

Test(inet, what_is_no_address_is_refused)
{
	static const char *const wrong[] = {
		"", "10.0.0", "10.0.0.1%lo", "[10.0.0.1]", "::1::", "[fd00::1", "fd00::1]", "[]", "fe80::1", "fe80::1%",
		"fe80::1%nosuch", "fe80::1%99999", "fd00::1%lo", "gateway",
		"fe80:1111:2222:3333:4444:5555:6666:7777%an-interface-whose-name-is-too-long-for-one",
	};
	struct rsip_inet a;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(wrong); i++)
		cr_assert_eq(rsip_inet_parse(wrong[i], &a), -EINVAL, "%s", wrong[i]);
}

Test(inet, an_address_is_the_same_in_its_family_and_scope_alone)
{
	struct rsip_inet a, b, none = {0};

	rsip_inet_parse("fe80::1%lo", &a);
	b = a;
	cr_assert(rsip_inet_same(&a, &b));
	b.scope++;
	cr_assert(!rsip_inet_same(&a, &b), "on another link it is another one's");
	b = a;
	b.v6[15]++;
	cr_assert(!rsip_inet_same(&a, &b));
	rsip_inet_parse("10.0.0.1", &a);
	b = rsip_inet_v4(htonl(0x0a000001));
	cr_assert(rsip_inet_same(&a, &b));
	b.v6[9] = 1; /* beyond an IPv4 address */
	cr_assert(rsip_inet_same(&a, &b));
	cr_assert(!rsip_inet_same(&a, &none));
	cr_assert(rsip_inet_same(&none, &none));
	cr_assert_str_eq(rsip_inet_text(&none), "");
}

Test(inet, to_a_socket_address_and_back)
{
	static const char *const all[] = {"10.0.0.1", "2001:db8::1", "fe80::1%lo"};
	struct sockaddr_storage sa;
	struct rsip_inet a, b;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(all); i++) {
		rsip_inet_parse(all[i], &a);
		cr_assert_eq(rsip_inet_sockaddr(&a, 4555, &sa),
			     i ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
		cr_assert_eq(ntohs(((struct sockaddr_in6 *)&sa)->sin6_port), 4555, "both have it there");
		b = rsip_inet_from(&sa);
		cr_assert(rsip_inet_same(&a, &b), "%s", all[i]);
	}
	rsip_inet_parse("::ffff:10.0.0.1", &a);
	rsip_inet_sockaddr(&a, 1, &sa);
	b = rsip_inet_from(&sa);
	cr_assert_str_eq(rsip_inet_text(&b), "10.0.0.1", "an IPv4 host at an IPv6 socket");
}
