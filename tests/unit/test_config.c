// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* controller/config*.c and lib/json.c: what a configuration may say, and how mistakes are named. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "json.h"
#include "util.h"

static struct rsip_conf conf;
static struct rsip_conf_report report;

static int parse(const char *text)
{
	return rsip_conf_parse(text, strlen(text), &conf, &report);
}

static __be32 ip(const char *text)
{
	__be32 addr = 0;

	cr_assert_eq(rsip_ip4_parse(text, &addr), 0);
	return addr;
}

static bool found(bool warning, int line, const char *path, const char *part)
{
	for (uint32_t i = 0; i < report.cnt; i++)
		if (report.issue[i].warning == warning && report.issue[i].line == line &&
		    !strcmp(report.issue[i].path, path) && strstr(report.issue[i].text, part))
			return true;
	return false;
}

static void show_findings(const char *text)
{
	fprintf(stderr, "%s\n", text);
	for (uint32_t i = 0; i < report.cnt; i++)
		fprintf(stderr, "  %d: %s: %s\n", report.issue[i].line, report.issue[i].path,
			report.issue[i].text);
}

Test(config, an_empty_object_is_all_defaults)
{
	cr_assert_eq(parse("{}"), 0);
	cr_assert_eq(conf.limits.lease_default_s, 1800);
	cr_assert_eq(conf.limits.hold_s, 120);
	cr_assert_eq(conf.message_burst, 2 * conf.messages_per_s);
	cr_assert(conf.udp);
	cr_assert_str_eq(conf.user, "rsip");
	cr_assert_str_eq(conf.dataplane.pin_path, "/sys/fs/bpf/rsip");
	cr_assert_eq(conf.control.mode, 0660);
	cr_assert(found(true, 1, "pools", "missing"));
}

Test(config, the_example_is_right_and_only_its_addresses_are_warned_of)
{
	char *text;
	size_t len;

	cr_assert_eq(rsip_json_read_file("packaging/rsipd.json", RSIP_CONF_SIZE_MAX, &text, &len),
		     0, "run from the top folder");
	cr_assert_eq(rsip_conf_parse(text, len, &conf, &report), 0);
	free(text);
	cr_assert_eq(report.warnings, 1);
	cr_assert_str_eq(report.issue[0].path, "pools[0].addresses");
	cr_assert_str_eq(conf.private_if[0].name, "eth1");
	cr_assert_eq(conf.pool[0].addr_cnt, 4);
}

Test(config, everything_that_can_be_said_is_read)
{
	cr_assert_eq(parse("{ \"interfaces\": {\"public\": [\"wan0\"], \"private\": [\"lan0\",\n"
			   "  {\"name\": \"lan1\", \"endpoint\": \"10.1.0.1\"}]}, // comment "
			   "\"with\" quotes\n"
			   "/* { */ \"pools\": [{\"name\": \"a\", \"addresses\": [\"8.8.8.8\", "
			   "\"8.8.4.0/30\"],\n"
			   "  \"ports\": \"4000-4999\", \"methods\": [\"RSIPSEC\"], \"spis\": "
			   "\"4096-8191\"}],\n"
			   "\"private_networks\": [\"10.0.0.0/8\"], \"clients\": {\"networks\": "
			   "[\"10.1.0.0/16\"]},\n"
			   "\"local_networks\": [\"10.2.0.0/16\"], \"udp\": false, \"check_mac\": "
			   "true,\n"
			   "\"leases\": {\"min\": 10, \"max\": 20, \"default\": 15, "
			   "\"registration\": 30, \"hold\": 0},\n"
			   "\"limits\": {\"clients\": 7, \"messages_per_second\": 3, \"tcp_idle\": "
			   "60},\n"
			   "\"log\": {\"level\": \"debug\", \"allocations\": \"/x/y\", \"allocations_to_journal\": true}, \"user\": \"nobody\",\n"
			   "\"control\": {\"socket\": \"/tmp/x//y.sock\", \"group\": \"adm\", "
			   "\"mode\": \"0600\"}}"),
		     0);
	cr_assert_eq(report.cnt, 0);
	cr_assert_eq(conf.private_cnt, 2);
	cr_assert_eq(conf.private_if[1].endpoint, ip("10.1.0.1"));
	cr_assert_eq(conf.pool_cnt, 2);
	cr_assert_eq(conf.pool[1].first, ip("8.8.4.0"));
	cr_assert_eq(conf.pool[1].addr_cnt, 4);
	cr_assert_str_eq(conf.pool[1].name, "a");
	cr_assert_eq(conf.pool[0].port_last, 4999);
	cr_assert_eq(conf.pool[0].spi_min, 4096);
	cr_assert_eq(conf.pool[0].methods, RSIP_METHOD_BIT(RSIP_METHOD_RSIPSEC));
	cr_assert(rsip_conf_in_nets(&conf.client_nets, ip("10.1.255.255")));
	cr_assert_not(rsip_conf_in_nets(&conf.client_nets, ip("10.2.0.0")));
	cr_assert_eq(conf.limits.register_s, 30);
	cr_assert_eq(conf.message_burst, 6);
	cr_assert_not(conf.udp);
	cr_assert_str_eq(conf.control.socket, "/tmp/x//y.sock");
	cr_assert_eq(conf.log_level, RSIP_LOG_DEBUG);
	cr_assert_str_eq(conf.alloclog, "/x/y");
	cr_assert(conf.alloclog_journal);
}

#define SECRET "\"secret\": \"000102030405060708090a0b0c0d0e0f\""

Test(config, keys_are_read)
{
	cr_assert_eq(parse("{\"auth\": {\"mode\": \"required\", \"keys\": ["
			   "{\"id\": 1, " SECRET ", \"hosts\": [\"10.0.0.5\", \"10.1.0.0/16\"]},"
			   "{\"id\": 4294967295, \"file\": \"/etc/rsip/key\", \"hosts\": [\"10.0.0.6\"]}]}}"),
		     0);
	cr_assert_eq(conf.auth.mode, RSIP_AUTH_REQUIRED);
	cr_assert_eq(conf.auth.cnt, 2);
	cr_assert_eq(conf.auth.key[0].k.key.len, 16);
	cr_assert_eq(conf.auth.key[0].k.key.secret[15], 15);
	cr_assert_eq(conf.auth.key[0].k.net_cnt, 2);
	cr_assert_eq(conf.auth.key[0].k.net[1].addr, ip("10.1.0.0"));
	cr_assert_eq(conf.auth.key[1].k.key.id, UINT32_MAX);
	cr_assert_str_eq(conf.auth.key[1].file, "/etc/rsip/key");
	rsip_conf_free(&conf);
	cr_assert_eq(conf.auth.cnt, 0);
}

/* A file with text and mode as the only key; true where it is taken. */
static bool key_file_loads(const char *path, const char *text, mode_t mode)
{
	FILE *f = fopen(path, "w");
	char buf[300];

	cr_assert_not_null(f);
	fputs(text, f);
	fclose(f);
	cr_assert_eq(chmod(path, mode), 0);
	snprintf(buf, sizeof(buf), "{\"auth\": {\"keys\": [{\"id\": 1, \"file\": \"%s\", \"hosts\": [\"10.0.0.5\"]}]}}",
		 path);
	cr_assert_eq(parse(buf), 0);
	rsip_conf_load_keys(&conf, getuid(), &report);
	return !report.errors;
}

Test(config, key_files_must_be_closed_to_others)
{
	static const char good[] = "000102030405060708090a0b0c0d0e0f\n";
	char path[] = "/tmp/rsip-key-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_expect(key_file_loads(path, good, 0600));
	cr_expect_eq(conf.auth.key[0].k.key.secret[15], 15);
	rsip_conf_free(&conf);
	cr_expect(key_file_loads(path, good, 0640), "its group may read it");
	rsip_conf_free(&conf);
	cr_expect_not(key_file_loads(path, good, 0644), "others may read it");
	cr_expect(found(false, 1, "auth.keys[0].file", "0640"));
	rsip_conf_free(&conf);
	cr_expect_not(key_file_loads(path, good, 0660), "its group may change it");
	rsip_conf_free(&conf);
	cr_expect_not(key_file_loads(path, "no secret\n", 0600));
	cr_expect_null(strstr(report.issue[0].text, "no secret\n"), "what it says is not quoted");
	rsip_conf_free(&conf);
	unlink(path);
	rsip_conf_load_keys(&conf, getuid(), &report);
}

static const struct mistake {
	const char *text;
	int line;
	const char *path, *part;
	bool warning;
} mistakes[] = {
	/* keys */
	{"{\"auth\": {\"mode\": \"on\"}}", 1, "auth.mode", "\"required\"", false},
	{"{\"auth\": {\"mode\": \"required\"}}", 1, "auth", "nobody could register", false},
	{"{\"auth\": {\"keys\": {}}}", 1, "auth.keys", "list", false},
	{"{\"auth\": {\"keys\": [{}]}}", 1, "auth.keys[0]", "id is missing", false},
	{"{\"auth\": {\"keys\": [{}]}}", 1, "auth.keys[0]", "hosts is missing", false},
	{"{\"auth\": {\"keys\": [{}]}}", 1, "auth.keys[0]", "secret or file", false},
	{"{\"auth\": {\"keys\": [{\"id\": 0}]}}", 1, "auth.keys[0].id", "from 1", false},
	{"{\"auth\": {\"keys\": [{\"secret\": \"00\"}]}}", 1, "auth.keys[0].secret", "hexadecimal", false},
	{"{\"auth\": {\"keys\": [{\"file\": \"key\"}]}}", 1, "auth.keys[0].file", "absolute", false},
	{"{\"auth\": {\"keys\": [{\"hosts\": []}]}}", 1, "auth.keys[0].hosts", "1 to 4", false},
	{"{\"auth\": {\"keys\": [{\"hosts\": [\"10.0.0.1/8\"]}]}}", 1, "auth.keys[0].hosts[0]", "zero host bits", false},
	{"{\"auth\": {\"keys\": [{\"id\": 3, " SECRET ", \"hosts\": [\"10.0.0.1\"]},\n"
	 "{\"id\": 3, " SECRET ", \"hosts\": [\"10.0.0.2\"]}]}}", 2, "auth.keys", "the id 3", false},
	/* the text */
	{"", 1, "", "ends where a value", false},
	{"{\n\"udp\": true,\n}", 3, "", "double quotes", false},
	{"{} {}", 1, "", "after the end", false},
	{"{\"udp\": true,\n \"udp\": true}", 2, "", "\"udp\" is given twice", false},
	{"{\"limits\": {\"clients\": 9007199254740993000}}", 1, "", "2^53", false},
	{"{\"limits\": {\"clients\": 1e999}}", 1, "", "2^53", false},
	{"{\"limits\": {\"clients\": 01}}", 1, "", "expected , or }", false},
	{"{\"user\": \"a\nb\"}", 1, "", "not closed", false},
	{"{\"user\": \"\\u0000\"}", 1, "", "zero byte", false},
	{"{\"user\": nul}", 1, "", "expected a value", false},
	{"/* {}", 1, "", "comment is not closed", false},
	{"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", 1, "", "deeper", false},
	{"[]", 1, "", "must be an object", false},
	/* keys and types */
	{"{\n \"pool\": []}", 2, "pool", "unknown key; known here: interfaces", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\"}, {\"addresses\": \"8.8.8.9\",\n\"port\": 1}]}",
	 2, "pools[1].port", "unknown key", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\",\n\"ports\": 4000}]}", 2, "pools[0].ports",
	 "range", false},
	{"{\"udp\": \"yes\"}", 1, "udp", "true or false", false},
	{"{\"limits\": {\"clients\": 1.5}}", 1, "limits.clients", "whole number", false},
	{"{\"limits\": {\"clients\": -1}}", 1, "limits.clients", "whole number", false},
	{"{\"limits\": {\"clients\": 0}}", 1, "limits.clients", "from 1", false},
	{"{\"limits\": []}", 1, "limits", "object", false},
	{"{\"log\": {\"level\": \"loud\"}}", 1, "log.level", "debug", false},
	{"{\"log\": {\"allocations\": \"log\"}}", 1, "log.allocations", "absolute", false},
	{"{\"log\": {\"allocations_to_journal\": 1}}", 1, "log.allocations_to_journal", "true or false", false},
	{"{\"control\": {\"mode\": \"0777\"}}", 1, "control.mode", "octal", false},
	{"{\"control\": {\"read_only_socket\": \"/run/rsip/rsipd.sock\"}}", 1,
	 "control.read_only_socket", "the same file", false},
	{"{\"control\": {\"socket\": \"rsipd.sock\"}}", 1, "control.socket", "absolute", false},
	{"{\"dataplane\": {\"mode\": \"fast\"}}", 1, "dataplane.mode", "generic", false},
	{"{\"user\": \"\"}", 1, "user", "empty", false},
	{"{\"user\": \"root\"}", 1, "user", "not be root", false},
	{"{\"interfaces\": {\"public\": [\"a\"], \"private\": [\"interface-name-too-long\"]}}", 1,
	 "interfaces.private[0]", "longer", false},
	{"{\"interfaces\": {\"public\": [\"a\"], \"private\": [{\"endpoint\": \"10.0.0.1\"}]}}", 1,
	 "interfaces.private[0]", "name is missing", false},
	{"{\"private_networks\": [\"10.0.0.1/8\"]}", 1, "private_networks[0]", "zero host bits",
	 false},
	/* pools */
	{"{\"pools\": [{}]}", 1, "pools[0]", "addresses is missing", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.9-8.8.8.8\"}]}", 1, "pools[0].addresses",
	 "FIRST-LAST", false},
	{"{\"pools\": [{\"addresses\": [\"8.8.8.8\", 7]}]}", 1, "pools[0].addresses[1]", "must be",
	 false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\", \"ports\": \"5000-4000\"}]}", 1,
	 "pools[0].ports", "first", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\", \"ports\": \"0-10\"}]}", 1, "pools[0].ports",
	 "1-65535", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\", \"ports\": \"1-65536\"}]}", 1, "pools[0].ports",
	 "1-65535", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\", \"spis\": \"255-1000\"}]}", 1, "pools[0].spis",
	 "reserved", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\", \"methods\": [\"NAT\"]}]}", 1,
	 "pools[0].methods[0]", "unknown method \"NAT\"", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\", \"methods\": [\"RSA-IP\", \"RSIPSEC\"]}]}", 1,
	 "pools[0].methods", "pool of its own", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\", \"methods\": []}]}", 1, "pools[0].methods",
	 "list", false},
	{"{\"pools\": [{\"name\": \"a b\", \"addresses\": \"8.8.8.8\"}]}", 1, "pools[0].name",
	 "letters", false},
	/* contradictions */
	{"{\"pools\": [{\"name\": \"big\", \"addresses\": \"8.8.8.0/24\"}, {\"addresses\": "
	 "\"8.8.8.1\"},\n"
	 "{\"addresses\": \"8.8.8.200-8.8.9.0\"}]}",
	 2, "pools[2].addresses", "already in pool \"big\"", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.0\"}, {\"addresses\": \"8.8.8.8/29\"}, "
	 "{\"addresses\": \"8.8.8.9\"}]}",
	 1, "pools[2].addresses", "already in pool \"pool1\"", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\"}], \"private_networks\": [\"8.0.0.0/8\"]}", 1,
	 "pools[0].addresses", "private_networks[0]", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\"}], \"clients\": {\"networks\": "
	 "[\"8.8.8.8/32\"]}}",
	 1, "pools[0].addresses", "clients.networks[0]", false},
	{"{\"pools\": [{\"addresses\": \"127.0.0.1\"}]}", 1, "pools[0].addresses", "loopback",
	 false},
	{"{\"pools\": [{\"addresses\": \"10.0.0.0/24\"}]}", 1, "pools[0].addresses", "not global",
	 true},
	{"{\"pools\": [{\"addresses\": \"203.0.113.1\"}]}", 1, "pools[0].addresses",
	 "documentation", true},
	{"{\"pools\": [{\"addresses\": \"8.8.0.0/23\"}]}", 1, "pools",
	 "dataplane.max_addresses (256)", false},
	{"{\"pools\": [{\"name\": \"a\", \"addresses\": \"8.8.8.8\"},\n{\"name\": \"a\", "
	 "\"addresses\": \"8.8.8.9\"}]}",
	 2, "pools[1].name", "two pools", false},
	{"{\"pools\": [{\"addresses\": \"8.8.8.8\"}], \"interfaces\": {\"public\": [\"a\"], "
	 "\"private\":\n"
	 "[{\"name\": \"b\", \"endpoint\": \"8.8.8.8\"}]}}",
	 1, "pools[0].addresses", "endpoint", false},
	{"{\"leases\": {\"min\": 100,\n\"max\": 50}}", 1, "leases.min", "more than leases.max",
	 false},
	{"{\"leases\": {\n\"default\": 5}}", 2, "leases.default", "outside", false},
	{"{\"limits\": {\"messages_per_second\": 10,\n\"message_burst\": 5}}", 2,
	 "limits.message_burst", "less", false},
	{"{\"limits\": {\"tcp_connections\": 1}}", 1, "limits.tcp_connections_per_client", "more",
	 false},
	{"{\"interfaces\": {\"public\": [\"a\"]}}", 1, "interfaces", "both", false},
	{"{\"interfaces\": {\"public\": [\"a\"], \"private\": [\"a\"]}}", 1, "interfaces", "twice",
	 false},
};

Test(config, every_mistake_is_named_with_its_path_and_line)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(mistakes); i++) {
		const struct mistake *m = &mistakes[i];
		int err = parse(m->text);

		cr_expect_eq(err, m->warning ? 0 : -EINVAL, "%s", m->text);
		if (!found(m->warning, m->line, m->path, m->part)) {
			show_findings(m->text);
			cr_expect(false, "%d: %s: ...%s...", m->line, m->path, m->part);
		}
	}
}

Test(config, all_mistakes_are_found_in_one_go)
{
	cr_assert_eq(parse("{\"udp\": 1, \"user\": 2,\n\"pools\": [{\"addresses\": \"x\", "
			   "\"ports\": \"y\"}]}"),
		     -EINVAL);
	cr_assert_eq(report.errors, 4);
}

Test(config, more_mistakes_than_there_is_room_for_are_counted)
{
	static char text[8192] = "{\"pools\": [";

	for (int i = 0; i < 150; i++)
		strcat(text, i ? ",{}" : "{}");
	strcat(text, "]}");
	cr_assert_eq(parse(text), -EINVAL);
	cr_assert_eq(report.errors, 150);
	cr_assert_eq(report.cnt, RSIP_CONF_ISSUES_MAX);
}

Test(config, a_configuration_cut_short_anywhere_is_an_error)
{
	static const char text[] = "{\"pools\": [{\"addresses\": [\"8.8.8.8\"], /* c */ \"ports\": "
				   "\"1-2\"}], \"udp\": true}";
	char cut[sizeof(text)];

	cr_assert_eq(parse(text), 0);
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		memcpy(cut, text, len);
		cr_assert_eq(rsip_conf_parse(cut, len, &conf, &report), -EINVAL, "%zu bytes", len);
	}
}

Test(config, what_is_shown_can_be_read_again)
{
	static struct rsip_conf before;
	cJSON *shown;
	char *text;

	cr_assert_eq(parse("{\"interfaces\": {\"public\": [\"a\"], \"private\": [{\"name\": \"b\", "
			   "\"endpoint\": \"10.0.0.1\"}]},"
			   "\"pools\": [{\"name\": \"p\", \"addresses\": [\"8.8.8.8\", "
			   "\"8.8.4.0/30\"], \"ports\": \"7-9\"}],"
			   "\"private_networks\": [\"10.0.0.0/8\"], \"clients\": {\"networks\": "
			   "[\"10.1.0.0/16\"]},"
			   "\"local_networks\": [\"10.2.0.0/16\"], \"limits\": {\"clients\": 9}, "
			   "\"udp\": false}"),
		     0);
	before = conf;
	shown = rsip_conf_to_json(&conf);
	text = cJSON_Print(shown);
	cJSON_Delete(shown);
	cr_assert_eq(parse(text), 0, "%s", text);
	free(text);
	cr_assert_eq(memcmp(&before, &conf, sizeof(conf)), 0);
}

Test(config, an_object_is_found_in_a_stream_of_pieces)
{
	static const char stream[] = "\n {\"a\": \"}\\\"{\", \"b\": [{}]}\n{\"c\": 1}";
	struct rsip_json_span span = {0, 0, false, false};
	long end = 0;
	size_t len;

	for (len = 1; len < sizeof(stream) && !end; len++)
		end = rsip_json_span(&span, stream, len);
	cr_assert_eq(end, (long)strlen("\n {\"a\": \"}\\\"{\", \"b\": [{}]}"));
	cr_assert_eq(rsip_json_span(&span, stream + end, sizeof(stream) - 1 - (size_t)end),
		     (long)strlen("\n{\"c\": 1}"));
	memset(&span, 0, sizeof(span));
	cr_assert_eq(rsip_json_span(&span, " x", 2), -EINVAL);
}

/* ---- what of an address is the machine's own --------------------------------------------------- */

#define POOL(more) "{\"pools\": [{\"addresses\": \"203.0.113.1\"" more "}]}"

Test(config, ports_spis_and_ike_of_the_machine)
{
	const struct rsip_dp_addr_rules *r = &conf.pool[0].rules;

	cr_assert_eq(parse(POOL(", \"kernel\": {\"ports\": [\"53\", \"32768-60999\"], \"icmp_ids\": \"0-65535\", "
				"\"spis\": \"3422552064-3422556159\", \"ike\": true}")),
		     0);
	cr_expect(r->kernel_ike && r->guess);
	cr_expect(r->kernel_ports[0].first == 53 && r->kernel_ports[0].cnt == 1);
	cr_expect(r->kernel_ports[1].first == 32768 && r->kernel_ports[1].cnt == 28232);
	cr_expect_eq(r->kernel_ports[2].cnt, 0);
	cr_expect(r->kernel_ids[0].first == 0 && r->kernel_ids[0].cnt == 65535);
	cr_expect(r->kernel_ids[1].first == 65535 && r->kernel_ids[1].cnt == 1);
	cr_expect(r->kernel_spis[0].first == 0xcc000000 && r->kernel_spis[0].cnt == 0x1000);
}

Test(config, a_pool_has_no_ports_of_the_machine_and_guesses_unless_told)
{
	cr_assert_eq(parse(POOL("")), 0);
	cr_expect(conf.pool[0].rules.guess && !conf.pool[0].rules.kernel_ike);
	cr_expect_eq(conf.pool[0].rules.kernel_ports[0].cnt, 0);
	cr_assert_eq(parse(POOL(", \"ike_guess\": false")), 0);
	cr_expect_not(conf.pool[0].rules.guess);
}

Test(config, ports_of_nat_are_the_machines)
{
	cr_assert_eq(parse(POOL(", \"nat\": {\"ports\": \"61000-65535\", \"networks\": [\"10.0.0.0/24\"]}")), 0);
	cr_expect(conf.pool[0].rules.kernel_ports[0].first == 61000 && conf.pool[0].rules.kernel_ports[0].cnt == 4536);
	cr_expect(conf.pool[0].rules.kernel_ids[0].first == 61000 && conf.pool[0].rules.kernel_ids[0].cnt == 4536);
}

Test(config, mistakes_about_the_machines_own)
{
	cr_expect_eq(parse(POOL(", \"kernel\": {\"ports\": \"0-1\"}")), -EINVAL);
	cr_expect(found(false, 1, "pools[0].kernel.ports", "range"));
	cr_expect_eq(parse(POOL(", \"kernel\": {\"ports\": [\"1\", \"3\", \"5\", \"7\", \"9\"]}")), -EINVAL);
	cr_expect(found(false, 1, "pools[0].kernel.ports[4]", "too many"));
	cr_expect_eq(parse(POOL(", \"kernel\": {\"spis\": \"255-300\"}")), -EINVAL);
	cr_expect_eq(parse(POOL(", \"kernel\": {\"ike\": 1}")), -EINVAL);
	cr_expect_eq(parse(POOL(", \"nat\": {\"ports\": \"61000-65535\"}")), -EINVAL);
	cr_expect(found(false, 1, "pools[0].nat", "networks"));
	cr_expect_eq(parse("{\"stray\": \"eat\"}"), -EINVAL);
	cr_expect_eq(parse("{\"stray\": \"reject\"}"), 0);
	cr_expect_str_eq(conf.stray, "reject");
}

/* RFC 3102 5.3.1: copied, kept, taken over or set, at each end of the tunnel. */
Test(config, what_becomes_of_the_dscp)
{
	static const struct {
		const char *text;
		uint32_t flags;
	} rows[] = {
		{ "{}", 0 },
		{ "{\"tunnel\": \"copy\", \"inbound\": \"keep\", \"outbound\": \"keep\"}", 0 },
		{ "{\"tunnel\": 0}", RSIP_DSCP_TUNNEL_SET },
		{ "{\"tunnel\": \"EF\"}", RSIP_DSCP_TUNNEL_SET | 46U << RSIP_DSCP_TUNNEL_SHIFT },
		{ "{\"inbound\": 63}", RSIP_DSCP_IN_SET | 63U << RSIP_DSCP_IN_SHIFT },
		{ "{\"outbound\": \"tunnel\"}", RSIP_DSCP_OUT_TUNNEL },
		{ "{\"outbound\": \"AF11\"}", RSIP_DSCP_OUT_SET | 10U << RSIP_DSCP_OUT_SHIFT },
		{ "{\"tunnel\": 1, \"inbound\": 2, \"outbound\": 3}",
		  RSIP_DSCP_TUNNEL_SET | 1U << RSIP_DSCP_TUNNEL_SHIFT | RSIP_DSCP_IN_SET | 2U << RSIP_DSCP_IN_SHIFT |
			  RSIP_DSCP_OUT_SET | 3U << RSIP_DSCP_OUT_SHIFT },
	};
	static const char *const bad[] = { "7", "{\"tunnel\": 64}", "{\"tunnel\": -1}", "{\"tunnel\": 1.5}", "{\"tunnel\": \"keep\"}",
					   "{\"inbound\": \"copy\"}", "{\"inbound\": \"tunnel\"}", "{\"outbound\": \"ef\"}",
					   "{\"outbound\": null}", "{\"ecn\": 1}" };
	char text[128];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "{\"dscp\": %s}", rows[i].text);
		cr_assert_eq(parse(text), 0, "%s", text);
		cr_expect_eq(conf.dscp, rows[i].flags, "%s: %x", text, conf.dscp);
		cr_expect_eq(conf.dscp & ~RSIP_DSCP_ANY, 0);
	}
	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "{\"dscp\": %s}", bad[i]);
		cr_expect_eq(parse(text), -EINVAL, "%s", text);
	}
}

/* Of one policy: its hosts' service level on the way out; without it, what is set for all. */
Test(config, the_dscp_of_a_policy)
{
	static const struct {
		const char *value;
		uint8_t dscp;
		const char *shown;
	} rows[] = {
		{ "0", RSIP_BIND_DSCP_SET, "\"CS0\"" }, { "63", RSIP_BIND_DSCP_SET | 63, "63" },
		{ "\"AF31\"", RSIP_BIND_DSCP_SET | 26, "\"AF31\"" }, { "46", RSIP_BIND_DSCP_SET | 46, "\"EF\"" },
	};
	static const char *const bad[] = { "64", "-1", "1.5", "\"ef\"", "\"keep\"", "\"tunnel\"", "null", "[ 1 ]", "{}", "true" };
	char text[128], *shown;
	cJSON *obj;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text), "{\"policies\": [{\"clients\": [\"10.0.0.1\"], \"dscp\": %s}, {}]}", rows[i].value);
		cr_assert_eq(parse(text), 0, "%s", text);
		cr_expect_eq(conf.policy[0].dscp, rows[i].dscp, "%s", text);
		cr_expect_eq(conf.policy[1].dscp, 0);
		obj = rsip_conf_to_json(&conf);
		shown = cJSON_PrintUnformatted(
			cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(obj, "policies"), 0), "dscp"));
		cr_expect_str_eq(shown, rows[i].shown);
		cr_expect_not(cJSON_HasObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(obj, "policies"), 1), "dscp"));
		free(shown);
		cJSON_Delete(obj);
	}
	for (size_t i = 0; i < RSIP_ARRAY_LEN(bad); i++) {
		snprintf(text, sizeof(text), "{\"policies\": [{\"dscp\": %s}]}", bad[i]);
		cr_expect_eq(parse(text), -EINVAL, "%s", text);
		cr_expect_str_eq(report.issue[0].path, "policies[0].dscp", "%s", text);
		cr_expect_not_null(strstr(report.issue[0].text, "from 0 to 63, or its name"), "%s", report.issue[0].text);
	}
}

Test(config, what_is_shown_of_the_dscp_means_the_same_again)
{
	static const char *const text[] = { "{}", "{\"tunnel\": \"EF\", \"inbound\": 63, \"outbound\": \"tunnel\"}",
					    "{\"tunnel\": 0, \"inbound\": \"LE\", \"outbound\": 5}" };
	char buf[256], *shown;
	uint32_t flags;
	cJSON *obj;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(text); i++) {
		snprintf(buf, sizeof(buf), "{\"dscp\": %s}", text[i]);
		cr_assert_eq(parse(buf), 0);
		flags = conf.dscp;
		obj = rsip_conf_to_json(&conf);
		shown = cJSON_PrintUnformatted(cJSON_GetObjectItem(obj, "dscp"));
		snprintf(buf, sizeof(buf), "{\"dscp\": %s}", shown);
		cr_assert_eq(parse(buf), 0, "%s", buf);
		cr_expect_eq(conf.dscp, flags, "%s", buf);
		free(shown);
		cJSON_Delete(obj);
	}
}

/* ---- interfaces of the machine -------------------------------------------------------------------------------------- */

#define ADDRESSES 4

/* One after the other: interface, address, mask. */
static uint32_t overlaps(const char *const (*is)[3], uint32_t cnt)
{
	struct sockaddr_in addr[ADDRESSES] = { 0 }, mask[ADDRESSES] = { 0 };
	struct ifaddrs all[ADDRESSES] = { 0 };

	for (uint32_t i = 0; i < cnt; i++) {
		addr[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(is[i][1]) };
		mask[i] = (struct sockaddr_in){ .sin_family = AF_INET, .sin_addr.s_addr = inet_addr(is[i][2]) };
		all[i] = (struct ifaddrs){ .ifa_next = i + 1 < cnt ? &all[i + 1] : NULL,
					   .ifa_name = (char *)(uintptr_t)is[i][0],
					   .ifa_addr = (struct sockaddr *)&addr[i],
					   .ifa_netmask = (struct sockaddr *)&mask[i] };
	}
	memset(&report, 0, sizeof(report));
	rsip_conf_check_networks(&conf, all, &report);
	return report.errors;
}

Test(config, private_interfaces_have_networks_of_their_own)
{
	static const char *const apart[][3] = { { "priv0", "10.0.0.1", "255.255.255.0" },
						{ "priv1", "10.0.1.1", "255.255.255.0" },
						{ "pub0", "10.0.0.9", "255.0.0.0" } },
		*const within[][3] = { { "priv0", "10.0.0.1", "255.255.0.0" }, { "priv1", "10.0.1.1", "255.255.255.0" } },
		*const one[][3] = { { "priv0", "10.0.0.1", "255.255.255.0" }, { "priv0", "10.0.0.2", "255.255.255.0" } },
		*const unnumbered[][3] = { { "priv0", "10.0.0.1", "255.255.255.255" }, { "priv1", "10.0.0.1", "255.255.255.255" } };

	parse("{ \"interfaces\": { \"public\": [\"pub0\"], \"private\": [\"priv0\", \"priv1\"] } }");
	cr_expect_eq(conf.private_cnt, 2);
	cr_expect_eq(overlaps(apart, 3), 0);
	cr_expect_eq(overlaps(within, 2), 1);
	cr_expect_str_eq(report.issue[0].path, "interfaces.private");
	cr_expect_eq(overlaps(one, 2), 0);
	cr_expect_eq(overlaps(unnumbered, 2), 0);
}
