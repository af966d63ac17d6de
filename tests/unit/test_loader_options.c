// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* loader/options.c: the command line and the loader's part of the configuration file. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <string.h>
#include "options.h"
#include "sizes.h"
#include "util.h"

static struct rsip_loader_options o;
static char why[400];

static void defaults(void)
{
	rsip_loader_options_init(&o);
	cr_redirect_stderr(); /* what is wrong is looked for in the result */
}

TestSuite(loader_options, .init = defaults);
TestSuite(loader_config, .init = defaults);

#define PARSE(...) parse((char *[]){(char *)"attach", __VA_ARGS__, NULL})
static enum rsip_loader_parsed parse(char **argv)
{
	int argc = 0;

	while (argv[argc])
		argc++;
	return rsip_loader_options_parse(argc, argv, &o);
}

static int config(const char *text)
{
	return rsip_loader_config_parse(text, strlen(text), &o, why, sizeof(why));
}

/* ---- the command line ---------------------------------------------------- */

#define CAPTURE(...) parse((char *[]){(char *)"capture", __VA_ARGS__, NULL})

Test(loader_options, capture_takes_an_interface_and_what_to_look_for)
{
	cr_assert_eq(CAPTURE("pub0", "-w", "file", "-n", "5", "--binding", "4294967295", "--snaplen", "96"), RSIP_LOADER_RUN);
	cr_assert_str_eq(o.capture.iface, "pub0");
	cr_assert_str_eq(o.capture.file, "file");
	cr_assert_eq(o.capture.count, 5);
	cr_assert_eq(o.capture.bind_id, 4294967295U);
	cr_assert_eq(o.capture.snap, 96);
	defaults();
	cr_assert_eq(CAPTURE("--count=1", "any"), RSIP_LOADER_RUN);
	cr_assert_str_eq(o.capture.iface, "any");
	cr_assert_eq(o.capture.snap, 9216);
}

Test(loader_options, a_private_interface_has_an_end_for_each_family)
{
	const __be32 *six = o.iface[0].endpoint6;

	cr_assert_eq(PARSE("--public", "a", "--private", "b,endpoint6=2001:db8::1,endpoint=10.0.0.1"), RSIP_LOADER_RUN);
	six = o.iface[1].endpoint6;
	cr_assert_str_eq(rsip_ip6(six), "2001:db8::1");
	cr_assert_str_eq(rsip_ip4(o.iface[1].endpoint), "10.0.0.1");
	defaults();
	cr_assert_eq(config("{\"interfaces\": {\"private\": [{\"name\": \"b\", \"endpoint6\": \"fd00::1\"}]}}"), 0, "%s", why);
	cr_assert_str_eq(rsip_ip6(o.iface[0].endpoint6), "fd00::1");
	cr_assert_eq(o.iface[0].endpoint, 0);
	defaults();
	cr_assert_eq(PARSE("--public", "a,endpoint6=2001:db8::1", "--private", "b"), RSIP_LOADER_USAGE);
	defaults();
	cr_assert_eq(PARSE("--public", "a", "--private", "b,endpoint6=fe80::1"), RSIP_LOADER_USAGE);
	defaults();
	cr_assert_eq(PARSE("--public", "a", "--private", "b,endpoint6=2001:db8::1,endpoint6=2001:db8::2"), RSIP_LOADER_USAGE);
}

Test(loader_options, capture_wants_one_interface_and_numbers)
{
	cr_assert_eq(CAPTURE("-n", "5"), RSIP_LOADER_USAGE);
	cr_assert_eq(CAPTURE("pub0", "priv0"), RSIP_LOADER_USAGE);
	cr_assert_eq(CAPTURE("pub0", "-n", "0"), RSIP_LOADER_USAGE);
	cr_assert_eq(CAPTURE("pub0", "-n", "4294967296"), RSIP_LOADER_USAGE);
	cr_assert_eq(CAPTURE("pub0", "--binding", "-1"), RSIP_LOADER_USAGE);
	cr_assert_eq(CAPTURE("pub0", "--snaplen", "9217"), RSIP_LOADER_USAGE);
	cr_assert_eq(CAPTURE("pub0", "--snaplen", ""), RSIP_LOADER_USAGE);
}

Test(loader_options, other_commands_do_not_capture)
{
	cr_assert_eq(PARSE("-w", "file"), RSIP_LOADER_USAGE);
	cr_assert_eq(PARSE("--binding", "5"), RSIP_LOADER_USAGE);
	cr_assert_eq(PARSE("pub0"), RSIP_LOADER_USAGE);
}

Test(loader_options, interfaces_keep_their_roles_and_order)
{
	cr_assert_eq(PARSE("--private", "eth1,endpoint=10.0.0.1", "--public=eth0", "--private",
			   "eth2.7"),
		     RSIP_LOADER_RUN);
	cr_assert_eq(o.iface_cnt, 3);
	cr_expect_str_eq(o.iface[0].name, "eth1");
	cr_expect_eq(o.iface[0].role, RSIP_ROLE_PRIVATE);
	cr_expect_str_eq(rsip_ip4(o.iface[0].endpoint), "10.0.0.1");
	cr_expect_eq(o.iface[1].role, RSIP_ROLE_PUBLIC);
	cr_expect_str_eq(o.iface[2].name, "eth2.7");
	cr_expect_eq(o.iface[2].endpoint, 0);
}

Test(loader_options, defaults_are_those_of_the_configuration)
{
	cr_assert_eq(PARSE("--json"), RSIP_LOADER_RUN);
	cr_expect(o.json);
	cr_expect_eq(o.max_bindings, 65536);
	cr_expect_eq(o.max_addrs, 256);
	cr_expect_eq(o.max_pairs, 16384);
	cr_expect_eq(o.max_cookies, 262144);
	cr_expect_eq(o.mode, RSIP_LOADER_MODE_AUTO);
	cr_expect_str_eq(o.pin_path, "/sys/fs/bpf/rsip");
}

Test(loader_options, numbers_modes_and_paths)
{
	cr_assert_eq(PARSE("--max-bindings=16777216", "--max-addresses=1", "--mode", "generic",
			   "--pin-path", "/sys/fs/bpf/a//"),
		     RSIP_LOADER_RUN);
	cr_expect_eq(o.max_bindings, 16777216);
	cr_expect_eq(o.max_addrs, 1);
	cr_expect_eq(o.mode, RSIP_MODE_GENERIC);
	cr_expect_str_eq(o.pin_path, "/sys/fs/bpf/a");
}

Test(loader_options, wrong_words_are_wrong_usage)
{
	static const char *const bad[] = {
		"--max-bindings=0",
		"--max-bindings=16777217",
		"--max-bindings=-1",
		"--max-bindings=",
		"--max-bindings=1x",
		"--max-bindings= 1",
		"--max-addresses=65537",
		"--max-bindings=99999999999999999999",
		"--mode=fast",
		"--pin-path=rsip",
		"--pin-path=/",
		"--pin-path=/sys/fs/bpf/rsip.1",
		"--public=",
		"--public=a/b",
		"--public=eth0,endpoint=1.2.3.4",
		"--private=eth1,endpoint=1.2.3",
		"--private=eth1,",
		"--private=eth1,endpoint=0.0.0.0",
		"--public=a-name-too-long-for-it",
		"word",
		"--fly",
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		rsip_loader_options_init(&o);
		cr_expect_eq(PARSE((char *)bad[i]), RSIP_LOADER_USAGE, "%s", bad[i]);
	}
}

Test(loader_options, an_interface_named_twice_is_refused)
{
	cr_expect_eq(PARSE("--public", "eth0", "--private", "eth0"), RSIP_LOADER_USAGE);
}

Test(loader_options, help_comes_before_everything)
{
	cr_expect_eq(PARSE("--help", "--mode=fast"), RSIP_LOADER_HELP);
}

Test(loader_options, sixty_three_interfaces_and_no_more)
{
	char name[16];

	for (int i = 0; i < RSIP_MAX_IFACES - 1; i++) {
		snprintf(name, sizeof(name), "e%d", i);
		cr_assert_eq(rsip_loader_iface_add(&o, RSIP_ROLE_PUBLIC, name, why, sizeof(why)),
			     0);
	}
	cr_expect_neq(rsip_loader_iface_add(&o, RSIP_ROLE_PUBLIC, "last", why, sizeof(why)), 0);
	cr_expect_str_eq(why, "more than 63 interfaces");
}

/* ---- the file ---------------------------------------------------- */

Test(loader_config, the_loaders_part_is_read_and_the_rest_left_to_rsipd)
{
	cr_assert_eq(config("{ // comment\n"
			    "\"interfaces\": { \"public\": [\"eth0\"], \"private\": [\"eth1\", "
			    "{\"name\": \"eth2\", "
			    "\"endpoint\": \"10.2.0.1\"}] },\n"
			    "\"dataplane\": { \"max_bindings\": 1000, \"max_addresses\": 8, "
			    "\"max_ipsec_pairs\": 5, "
			    "\"max_cookies\": 50, \"mode\": \"native\", \"pin_path\": "
			    "\"/sys/fs/bpf/x\", \"new\": 1 },\n"
			    "\"pools\": 7 }"),
		     0, "%s", why);
	cr_assert_eq(o.iface_cnt, 3);
	cr_expect_eq(o.iface[0].role, RSIP_ROLE_PUBLIC);
	cr_expect_eq(o.iface[1].endpoint, 0);
	cr_expect_str_eq(rsip_ip4(o.iface[2].endpoint), "10.2.0.1");
	cr_expect_eq(o.max_bindings, 1000);
	cr_expect_eq(o.max_addrs, 8);
	cr_expect_eq(o.max_pairs, 5);
	cr_expect_eq(o.max_cookies, 50);
	cr_expect_eq(o.mode, RSIP_MODE_NATIVE);
	cr_expect_str_eq(o.pin_path, "/sys/fs/bpf/x");
}

Test(loader_config, pools_are_ranges_and_nonsense_is_left_to_rsipd)
{
	static const struct {
		uint32_t first, last;
	} want[] = {
		{0xc0000201, 0xc0000201},
		{0xcb007100, 0xcb007107},
		{0xc6336401, 0xc6336409},
		{0xc0000202, 0xc0000202},
	};

	cr_assert_eq(config("{\"pools\": [ {\"addresses\": \"192.0.2.1\"}, {\"addresses\": "
			    "[\"203.0.113.0/29\", \"x\", 7, "
			    "\"203.0.113.1/29\", \"1.2.3.4-\", \"198.51.100.1-198.51.100.9\"]}, "
			    "{}, 7, {\"addresses\": "
			    "[[\"192.0.2.9\"], \"192.0.2.2/32\"]} ] }"),
		     0);
	cr_assert_eq(o.pool_cnt, RSIP_ARRAY_LEN(want));
	for (size_t i = 0; i < RSIP_ARRAY_LEN(want); i++) {
		cr_expect_eq(o.pool[i].first, want[i].first, "%zu", i);
		cr_expect_eq(o.pool[i].last, want[i].last, "%zu", i);
	}
}

#define NAT_POOL(nets) "{\"addresses\": \"192.0.2.1\", \"nat\": {\"ports\": \"61000-65535\", \"networks\": [" nets "]}}"

/* cnt times the same, with commas */
static char *repeated(const char *text, int cnt)
{
	static char all[4096];
	size_t at = 0;

	while (cnt-- > 0)
		at += (size_t)sprintf(all + at, "%s%s", text, cnt ? ", " : "");
	return all;
}

Test(loader_config, nat_that_does_not_fit_is_wrong)
{
	char text[4200];

	for (int cnt = 8; cnt <= 9; cnt++) {
		snprintf(text, sizeof(text), "{\"pools\": [%s]}", repeated(NAT_POOL("\"10.0.0.0/24\""), cnt));
		cr_assert_eq(config(text), 0, "it is for attach to refuse");
		cr_expect_eq(o.nat.cnt, 8);
		cr_expect_str_eq(o.nat.wrong, cnt == 8 ? "" : "pools[8].nat: more than 8 pools with nat");
	}
	for (int cnt = 32; cnt <= 33; cnt++) {
		snprintf(text, sizeof(text), "{\"pools\": [" NAT_POOL("%s") "]}",
			 repeated("\"192.168.100.128/25\"", cnt));
		cr_assert_eq(config(text), 0);
		cr_expect_eq(!*o.nat.wrong, cnt == 32, "%s", o.nat.wrong);
	}
	cr_expect(strstr(o.nat.wrong, "pools[0].nat.networks: more than"));
}

Test(loader_config, nat_and_stray_have_a_mark_to_compare)
{
	static const char *const text[] = {
		"{\"pools\": [" NAT_POOL("\"10.0.0.0/24\"") "]}",
		"{\"pools\": [" NAT_POOL("\"10.0.1.0/24\"") "]}",
		"{\"pools\": [" NAT_POOL("\"10.0.0.0/24\"") "], \"stray\": \"drop\"}",
		"{\"pools\": [" NAT_POOL("\"10.0.0.0/24\"") "], \"stray\": \"reject\"}",
		"{\"pools\": [{\"addresses\": \"192.0.2.1\"}], \"stray\": \"drop\"}",
		"{\"pools\": [{\"addresses\": \"192.0.2.2\"}], \"stray\": \"drop\"}",
	};
	char mark[RSIP_ARRAY_LEN(text)][RSIP_NAT_MARK_LEN], again[RSIP_NAT_MARK_LEN];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(text); i++) {
		for (int twice = 0; twice < 2; twice++) {
			rsip_loader_options_init(&o);
			cr_assert_eq(config(text[i]), 0);
			rsip_nat_mark(&o, twice ? again : mark[i]);
		}
		cr_expect_str_eq(again, mark[i]);
		cr_expect_eq(strlen(mark[i]), RSIP_NAT_MARK_LEN - 1);
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(mark[i], mark[j], "%zu and %zu", i, j);
	}
	rsip_loader_options_init(&o);
	cr_assert_eq(config("{\"pools\": [{\"addresses\": \"192.0.2.1\"}], \"stray\": \"pass\"}"), 0);
	rsip_nat_mark(&o, again);
	cr_expect_str_eq(again, "", "no table, no mark");
}

Test(loader_config, an_empty_object_changes_nothing)
{
	cr_assert_eq(config("{}"), 0);
	cr_expect_eq(o.iface_cnt, 0);
	cr_expect_eq(o.max_bindings, 65536);
}

Test(loader_config, mistakes_name_line_and_path)
{
	static const struct {
		const char *text, *want;
	} bad[] = {
		{"[]", "line 1: the file: must be an object"},
		{"{\n\"interfaces\": 1}", "line 2: interfaces: must be an object"},
		{"{\"interfaces\":\n{\"public\": \"eth0\"}}",
		 "line 2: interfaces.public: must be a list"},
		{"{\"interfaces\": {\"private\": [\"a\",\n7]}}",
		 "line 2: interfaces.private[1]: must be an interface's name"},
		{"{\"interfaces\": {\"private\": [{\"name\": \"a\", \"endpoint\": 1}]}}",
		 "line 1: interfaces.private[0]: endpoint must be"},
		{"{\"interfaces\": {\"public\": [{\"name\": \"a\"}]}}",
		 "line 1: interfaces.public[0]: must be an interface's name"},
		{"{\"interfaces\": {\"public\": [\"a\", \"a\"]}}",
		 "line 1: interfaces.public[1]: interface 'a' is named twice"},
		{"{\"dataplane\":\n\n{\"max_bindings\": 1.5}}",
		 "line 3: dataplane: max_bindings must be a whole number from 1 to 16777216"},
		{"{\"dataplane\": {\"max_cookies\": \"1\"}}",
		 "line 1: dataplane: max_cookies must be a whole number"},
		{"{\"dataplane\": {\"mode\": \"fast\"}}", "line 1: dataplane.mode: must be"},
		{"{\"dataplane\": {\"pin_path\": \"rsip\"}}",
		 "line 1: dataplane.pin_path: pin path 'rsip' must be absolute"},
		{"{\"dataplane\": {}, \"dataplane\": {}}", "line 1: "},
		{"{", "line 1: "},
	};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		rsip_loader_options_init(&o);
		cr_expect_neq(config(bad[i].text), 0, "%s", bad[i].text);
		cr_expect_eq(strncmp(why, bad[i].want, strlen(bad[i].want)), 0,
			     "%s: got '%s', want '%s'", bad[i].text, why, bad[i].want);
	}
}
