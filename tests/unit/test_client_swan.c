// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/swanconf.c, swancheck.c: reading a host's connections, and judging them on a shared
 * address. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "swancheck.h"

static char dir[] = "/tmp/rsip-swan-XXXXXX", why[300], found[8192];
static struct rsip_swan *conf;
static struct rsip_swan_lease lease;
static unsigned int refused;

static void folder(void)
{
	cr_assert(mkdtemp(dir));
}

static void file(const char *name, const char *text)
{
	char path[300];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	cr_assert(f);
	fputs(text, f);
	fclose(f);
}

static int read_main(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/main", dir);
	return rsip_swan_read(path, &conf, why, sizeof(why));
}

static void clean(void)
{
	static const char *const names[] = {"main", "a.conf", "b.conf"};
	char path[300];

	for (size_t i = 0; i < 3; i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	rmdir(dir);
	rsip_swan_free(conf);
}

static void expect(const char *section, const char *key, const char *value)
{
	const char *got = rsip_swan_get(conf, section, key);

	if (value)
		cr_expect_str_eq(got ? got : "(none)", value, "%s %s: %s", section, key, got);
	else
		cr_expect_null(got, "%s %s", section, key);
}

Test(swanconf, sections_values_quotes_and_comments, .init = folder, .fini = clean)
{
	file("main", "# a comment { }\n"
		     "connections { home {\n\tversion = 2 # two\n\tlocal_addrs = 203.0.113.1\n"
		     "local-1\n{ id = \"host # a\" }\n}\n}\n"
		     "connections { home { version = 1 } }\nempty =\n");
	cr_assert_eq(read_main(), 0, "%s", why);
	expect("connections/home", "version", "1");
	expect("connections/home", "local_addrs", "203.0.113.1");
	expect("connections/home/local-1", "id", "host # a");
	expect("connections/home", "mobike", NULL);
}

Test(swanconf, includes_are_relative_to_their_file_and_may_be_none, .init = folder, .fini = clean)
{
	file("a.conf", "one { key = a }\n");
	file("b.conf", "two { key = b }\n");
	file("main", "connections { include *.conf\n include nothing/*.conf\n}\n");
	cr_assert_eq(read_main(), 0, "%s", why);
	expect("connections/one", "key", "a");
	expect("connections/two", "key", "b");
}

Test(swanconf, a_section_has_what_the_ones_it_refers_to_have, .init = folder, .fini = clean)
{
	file("main", "defaults { mobike = no\n local { id = x } }\n"
		     "connections { home : defaults { version = 2 } }\n");
	cr_assert_eq(read_main(), 0, "%s", why);
	expect("connections/home", "mobike", "no");
	expect("connections/home/local", "id", "x");
	expect("connections/home", "version", "2");
}

Test(swanconf, broken_text_is_refused_with_its_line, .init = folder, .fini = clean)
{
	static const struct {
		const char *text, *where;
	} row[] = {
		{"a {\n b = 1\n", ":3:"},
		{"a { }\n}\n", ":2:"},
		{"a\nb\n", ":2:"},
		{"a = \"x\n\n", "not closed"},
		{"= 3\n", "name is missing"},
		{"include main\n", "deeply"},
		{"a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{a{", "nested"},
	};

	for (size_t i = 0; i < sizeof(row) / sizeof(*row); i++) {
		file("main", row[i].text);
		cr_expect_lt(read_main(), 0, "taken: %s", row[i].text);
		cr_expect(strstr(why, row[i].where), "%s", why);
	}
}

static void on_found(void *ctx, bool refuse, const char *conn, const char *text)
{
	size_t len = strlen(found);

	(void)ctx;
	refused += refuse;
	snprintf(found + len, sizeof(found) - len, "%s: %s\n", conn, text);
}

static void check(const char *connection)
{
	const struct rsip_swan_sink sink = {.found = on_found};
	char text[1000];

	snprintf(text, sizeof(text), "connections { c { %s\n } }\n", connection);
	file("main", text);
	rsip_swan_free(conf);
	conf = NULL;
	cr_assert_eq(read_main(), 0, "%s", why);
	*found = '\0';
	refused = 0;
	rsip_swan_check(conf, &lease, &sink);
}

static void leased(void)
{
	folder();
	lease.addr = htonl(0xcb007101);
	lease.port = 20500;
	lease.spis = 32;
	rsip_portset_add(&lease.ports, 30720, 128);
}

#define GOOD "mobike = no\n local { id = a }\n "

Test(swancheck, what_works_is_passed_in_silence, .init = leased, .fini = clean)
{
	check(GOOD "vips = 0.0.0.0\n children { net { remote_ts = 0.0.0.0/0 } }");
	cr_expect_str_eq(found, "");
	check(GOOD "children { net { local_ts = 10.3.0.1/32 } }");
	cr_expect_str_eq(found, "");
	check(GOOD "children { net { mode = transport\n local_ts = dynamic[tcp/30720-30847] } }");
	cr_expect_str_eq(found, "");
	check("mobike = no\n local { certs = a.pem }\n");
	cr_expect_str_eq(found, "");
	check(GOOD "local_addrs = 203.0.113.1\n local_port = 20500");
	cr_expect_str_eq(found, "");
}

static const struct {
	const char *name, *connection, *word;
	uint16_t port;
	bool refuse;
} rows[] = {
	{"no id", "mobike = no\n local { auth = psk }", "local.id is missing", 20500, true},
	{"no local", "mobike = no", "local.id is missing", 20500, true},
	{"shared id", "mobike = no\n local { id = 203.0.113.1 }", "local.id is the shared", 20500,
	 true},
	{"mobike", "local { id = a }", "mobike = yes moves IKE to port_nat_t", 20500, false},
	{"mobike 500", "local { id = a }", "mobike = yes moves IKE to port 4500", 0, false},
	{"IKEv1 500", GOOD "version = 1", "IKEv1 from port 500", 0, false},
	{"reauth 500", GOOD "reauth_time = 1h", "reauthentication", 0, false},
	{"port", GOOD "local_port = 500", "is not the IKE port 20500", 20500, true},
	{"encap", GOOD "encap = yes", "ESP into UDP", 20500, false},
	{"address", GOOD "local_addrs = 10.0.0.2", "does not speak from the leased", 20500, false},
	{"transport", GOOD "children { n { mode = transport } }", "transport mode", 20500, false},
	{"tunnel", GOOD "children { n { } }", "inner address is the shared one", 20500, false},
	{"foreign ports", GOOD "children { n { local_ts = dynamic[tcp/4000-4127] } }",
	 "port 4000 of its local_ts is not leased", 20500, true},
	{"crooked ports", GOOD "children { n { local_ts = dynamic[tcp/30721-30847] } }",
	 "not a power of two", 20500, true},
	{"unaligned ports", GOOD "children { n { local_ts = dynamic[tcp/30784-30911] } }",
	 "not leased", 20500, true},
};

Test(swancheck, what_does_not_work_is_refused_and_what_surprises_explained, .init = leased,
     .fini = clean)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		lease.port = rows[i].port;
		check(rows[i].connection);
		cr_expect(strstr(found, rows[i].word), "%s: '%s'", rows[i].name, found);
		cr_expect_eq(!!refused, rows[i].refuse, "%s: '%s'", rows[i].name, found);
	}
}

Test(swancheck, rekeys_of_the_ike_sa_are_judged_by_what_tells_the_host, .init = leased, .fini = clean)
{
	lease.port = 0; /* port 500, labels */
	check(GOOD "version = 2\n rekey_time = 4h\n vips = 0.0.0.0\n children { net { } }");
	cr_expect_str_eq(found, "", "the label finds the host, whoever rekeys");
	check(GOOD "vips = 0.0.0.0\n children { net { } }");
	cr_expect(strstr(found, "version = 2"), "%s", found);
	check(GOOD "version = 1\n vips = 0.0.0.0\n children { net { } }");
	cr_expect(strstr(found, "IKEv1 from port 500"), "%s", found);
	check(GOOD "version = 2\n reauth_time = 1h\n vips = 0.0.0.0\n children { net { } }");
	cr_expect(strstr(found, "reauthentication"), "%s", found);
	check(GOOD "version = 2\n rekey_time = 0\n vips = 0.0.0.0\n children { net { } }");
	cr_expect(strstr(found, "never"), "%s", found);
	cr_expect_eq(refused, 0);
	lease.port = 20500;
	check(GOOD "version = 1\n vips = 0.0.0.0\n children { net { } }");
	cr_expect_str_eq(found, "", "a leased port decides whatever the peer begins");
}

Test(swancheck, with_leased_ports_what_the_peer_begins_is_decided, .init = leased, .fini = clean)
{
	check(GOOD "version = 1");
	cr_expect_str_eq(found, "");
	check(GOOD "reauth_time = 1h");
	cr_expect_str_eq(found, "");
}

Test(swancheck, an_aligned_block_must_be_aligned_to_its_own_size, .init = leased, .fini = clean)
{
	rsip_portset_add(&lease.ports, 30848, 128);
	check(GOOD "children { n { local_ts = dynamic[tcp/30784-30911] } }");
	cr_expect(strstr(found, "aligned"), "%s", found);
}

Test(swancheck, more_children_than_spis_are_pointed_out, .init = leased, .fini = clean)
{
	lease.spis = 7;
	check(GOOD "children { a { local_ts = 10.0.0.1/32 }\n b { local_ts = 10.0.0.2/32 } }");
	cr_expect(strstr(found, "2 children may need 8 SPIs"), "%s", found);
}
