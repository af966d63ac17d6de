// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* client/settings.c: client.json and the options, what they may say and what is said of what they may not. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "settings.h"
#include "util.h"

static char path[] = "/tmp/rsip-settings-XXXXXX", said[2000];
static struct rsip_settings set;

static void prepare(void)
{
	int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
	rsip_settings_init(&set);
}

static void clean(void)
{
	unlink(path);
}

/* Reads the text as the file; what the log says is in said. */
static int load(const char *text)
{
	FILE *f = fopen(path, "w"), *log = tmpfile();
	int err, terminal = dup(STDERR_FILENO);

	fputs(text, f);
	fclose(f);
	rsip_settings_init(&set);
	dup2(fileno(log), STDERR_FILENO);
	err = rsip_settings_load(&set, path, true);
	fflush(stderr);
	dup2(terminal, STDERR_FILENO);
	close(terminal);
	rewind(log);
	said[fread(said, 1, sizeof(said) - 1, log)] = '\0';
	fclose(log);
	return err;
}

Test(settings, a_file_with_comments_sets_what_it_names, .init = prepare, .fini = clean)
{
	char why[200];

	cr_assert_eq(load("{\n// where\n\"gateway\": [ \"10.0.0.1\", \"fd00::1\" ], /* how */ \"transport\": \"tcp\",\n"
			  "\"ports\": 16, \"strongswan\": true, \"whole-address\": \"no\", \"listen\": \"80,443\",\n"
			  "\"key\": { \"id\": 7, \"secret\": \"00112233445566778899aabbccddeeff\" } }"),
		     0, "%s", said);
	cr_assert_str_eq(set.gateway, "10.0.0.1,fd00::1");
	cr_assert_str_eq(set.transport, "tcp");
	cr_assert_eq(set.ports, 16);
	cr_assert(set.strongswan && !set.whole_address);
	cr_assert_eq(set.key_id, 7);
	cr_assert_eq(set.ports_max, 1024, "what it does not name is as always");
	cr_assert_eq(set.return_after, 300);
	cr_assert_eq(rsip_settings_finish(&set, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(set.query_every, 30, "with several gateways it is how a client notices");
}

/* Each names the file, the line and what would do. */
struct fault {
	const char *text, *said;
};

static const struct fault faults[] = {
	{"{\n\"gatway\": \"10.0.0.1\" }", ":2: gatway: no such setting"},
	{"{\n\n\"ports\": \"many\" }", ":3: ports: a whole number from 0 to 4096"},
	{"{ \"ports\": 5000 }", ":1: ports: a whole number from 0 to 4096"},
	{"{ \"ports\": -1 }", ":1: ports: "},
	{"{ \"ports\": 1.5 }", ":1: ports: "},
	{"{ \"strongswan\": \"perhaps\" }", ":1: strongswan: yes or no"},
	{"{ \"gateway\": [ \"10.0.0.1\", 7 ] }", ":1: gateway: a list of IPv4 or IPv6 addresses"},
	{"{ \"gateway\": { } }", ":1: gateway: a text"},
	{"{ \"key\": { \"id\": 0, \"secret\": \"00\" } }", ":1: key: "},
	{"{ \"key\": { \"id\": 1, \"colour\": \"00\" } }", ":1: key: "},
	{"{ \"device\": \"a-name-that-is-too-long\" }", ":1: device: 'a-name-that-is-too-l...' is too long"},
	{"{ \"ports\": 8\n \"spis\": 4 }", ":2: "},
	{"[ 1 ]", "an object is needed"},
	{"", ": "},
};

Test(settings, what_cannot_be_is_refused_with_its_line, .init = prepare, .fini = clean)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(faults); i++) {
		cr_assert_lt(load(faults[i].text), 0, "taken: %s", faults[i].text);
		cr_assert(strstr(said, faults[i].said), "%s: %s", faults[i].text, said);
		cr_assert(strstr(said, path), "%s", said);
	}
}

/* What is right by itself and wrong together, or as a whole. */
Test(settings, the_whole_must_make_sense, .init = prepare, .fini = clean)
{
	static const struct fault whole[] = {
		{"{ \"transport\": \"sctp\" }", "transport: 'udp' or 'tcp'"},
		{"{ \"tunnel\": \"kernel\" }", "tunnel: 'auto' or 'bpf'"},
		{"{ \"tunnel-type\": \"L2TP\" }", "tunnel-type: 'IP-IP' or 'GRE'"},
		{"{ \"place\": \"here\" }", "place: 'namespace' or 'host'"},
		{"{ \"route\": \"remote\" }", "with place host 'remote'"},
		{"{ \"listen\": \"80,,443\" }", "listen: "},
		{"{ \"listen\": \"70000\" }", "listen: "},
		{"{ \"ports-idle\": 60 }", "rest for 120 seconds"},
		{"{ \"ike-ports\": 1 }", "ike-ports is 2 or 0"},
		{"{ \"gateway\": \"gateway.example\" }", "gateway: "},
		{"{ \"gateway\": \"fe80::1\" }", "a link-local one as fe80::1%eth0"},
		{"{ \"device\": \"a/b\" }", "device: "},
	};
	char why[400];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(whole); i++) {
		cr_assert_eq(load(whole[i].text), 0, "%s", said);
		cr_assert_eq(rsip_settings_finish(&set, why, sizeof(why)), -EINVAL, "taken: %s", whole[i].text);
		cr_assert(strstr(why, whole[i].said), "%s: %s", whole[i].text, why);
	}
}

Test(settings, ports_are_leased_unless_something_else_is, .init = prepare, .fini = clean)
{
	char why[200];

	load("{ }");
	cr_assert_eq(rsip_settings_finish(&set, why, sizeof(why)), 0);
	cr_assert_eq(set.ports, 64);
	load("{ \"spis\": 4 }");
	rsip_settings_finish(&set, why, sizeof(why));
	cr_assert_eq(set.ports, 0);
	load("{ \"whole-address\": true }");
	rsip_settings_finish(&set, why, sizeof(why));
	cr_assert_eq(set.ports, 0);
}

/* RFC 3104 says nothing of keys; ours are files that nobody else may read. */
Test(settings, a_key_file_that_others_can_read_is_refused, .init = prepare, .fini = clean)
{
	struct rsip_auth_key key;
	char why[400];
	FILE *f = fopen(path, "w");

	fputs("00112233445566778899aabbccddeeff\n", f);
	fclose(f);
	set.key_id = 3;
	strcpy(set.key_file, path);
	chmod(path, 0600);
	cr_assert_eq(rsip_settings_key(&set, &key, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(key.id, 3);
	chmod(path, 0644);
	cr_assert_eq(rsip_settings_key(&set, &key, why, sizeof(why)), -EINVAL);
	cr_assert(strstr(why, path), "%s", why);
	set.key_id = 0;
	cr_assert_eq(rsip_settings_key(&set, &key, why, sizeof(why)), -EINVAL);
	cr_assert(strstr(why, "needs its id"), "%s", why);
}

Test(settings, a_second_client_has_its_own_file_folder_and_device)
{
	char why[200];

	rsip_settings_init(&set);
	cr_assert_eq(rsip_settings_name(&set, "lab", why, sizeof(why)), 0);
	cr_assert_str_eq(set.config, "/etc/rsip/client-lab.json");
	cr_assert_str_eq(set.state_dir, "/run/rsip/lab");
	cr_assert_str_eq(set.device, "rsip-lab");
	cr_assert_eq(rsip_settings_name(&set, "../x", why, sizeof(why)), -EINVAL);
	cr_assert_eq(rsip_settings_name(&set, "elevenchars", why, sizeof(why)), -EINVAL);
	cr_assert_eq(rsip_settings_name(&set, "", why, sizeof(why)), -EINVAL);
}

/* The sample that is installed must be one that works. */
Test(settings, the_sample_is_read_without_a_word, .init = prepare, .fini = clean)
{
	char text[8192], why[200];
	FILE *f = fopen("packaging/client.json", "r");

	cr_assert(f, "run from the project's folder");
	text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
	fclose(f);
	cr_assert_eq(load(text), 0, "%s", said);
	cr_assert_str_eq(said, "");
	cr_assert_eq(rsip_settings_finish(&set, why, sizeof(why)), 0, "%s", why);
}

Test(settings, paths_that_begin_nowhere_begin_where_it_was_started)
{
	char why[200] = "", folder[190];

	rsip_settings_init(&set);
	strcpy(set.state_dir, "st");
	strcpy(set.strongswan_dir, "../drop");
	strcpy(set.key_file, "/etc/rsip/key");
	cr_assert_eq(rsip_settings_begin_at(&set, "/root/here", why, sizeof(why)), 0);
	cr_assert_str_eq(set.state_dir, "/root/here/st");
	cr_assert_str_eq(set.strongswan_dir, "/root/here/../drop");
	cr_assert_str_eq(set.key_file, "/etc/rsip/key", "a whole one stays");
	cr_assert_str_empty(set.socket, "so does one that is not given");
	memset(folder, 'x', sizeof(folder));
	folder[0] = '/';
	folder[sizeof(folder) - 1] = '\0';
	strcpy(set.strongswan_vici, "vici");
	cr_assert_eq(rsip_settings_begin_at(&set, folder, why, sizeof(why)), -EINVAL, "no path is cut");
	cr_assert_eq(strncmp(why, "strongswan-vici: too long", 25), 0, "%s", why);
}
