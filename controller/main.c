// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsipd: options, configuration, and the order of start-up: open everything, drop privileges, then
 * listen. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config.h"
#include "log.h"
#include "privs.h"
#include "rsip/ctl.h"
#include "server.h"
#include "util.h"

struct options {
	const char *config;
	bool check, debug;
};

static struct rsip_conf conf;
static struct rsip_conf_report report;

static void usage(FILE *f)
{
	fprintf(f,
		"Usage: rsipd [OPTIONS]\n\n"
		"The RSIP server and lease manager.  It needs the data plane of rsip-loader.\n\n"
		"Options:\n"
		"  -c, --config FILE  configuration (default %s)\n"
		"  -t, --check        check the configuration, print every mistake, and exit\n"
		"  -d, --debug        log at level debug\n"
		"  -f, --foreground   stay in the foreground (rsipd always does)\n"
		"  -V, --version      print the version\n"
		"  -h, --help         print this\n",
		RSIP_CONFIG_PATH_DEFAULT);
}

/* Returns -1 to go on, or an exit code. */
static int read_options(int argc, char **argv, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"check", no_argument, NULL, 't'},
		{"debug", no_argument, NULL, 'd'},
		{"foreground", no_argument, NULL, 'f'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "c:tdfVh", longs, NULL)) >= 0) {
		switch (opt) {
		case 'c':
			o->config = optarg;
			break;
		case 't':
			o->check = true;
			break;
		case 'd':
			o->debug = true;
			break;
		case 'f':
			break;
		case 'V':
			printf("rsipd %s\n", RSIP_PACKAGE_VERSION);
			return 0;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind == argc)
		return -1;
	fprintf(stderr, "rsipd: takes no argument: '%s'\n", argv[optind]);
	usage(stderr);
	return 2;
}

static void print_findings(const char *path, FILE *f)
{
	for (uint32_t i = 0; i < report.cnt; i++) {
		const struct rsip_conf_issue *issue = &report.issue[i];

		fprintf(f, "%s:%d: %s%s%s%s\n", path, issue->line,
			issue->warning ? "warning: " : "", issue->path, issue->path[0] ? ": " : "",
			issue->text);
	}
	if (report.errors + report.warnings > report.cnt)
		fprintf(f, "%s: %u more\n", path, report.errors + report.warnings - report.cnt);
}

/* What the file leaves open: the operator should know what hosts will hear. */
static void print_defaults(const char *path)
{
	static const char *const what[] = {
		"private_networks: not given: what is connected to the private interfaces",
		"clients.networks: not given: hosts of private_networks may register",
		"local_networks: not given: hosts that ask (QUERY) are told private_networks",
	};
	const struct rsip_conf_nets *const nets[] = { &conf.private_nets, &conf.client_nets, &conf.local_nets };

	for (size_t i = 0; i < RSIP_ARRAY_LEN(nets); i++)
		if (!nets[i]->given)
			printf("%s: %s\n", path, what[i]);
}

static int check_config(const char *path)
{
	if (report.errors) {
		print_findings(path, stderr);
		return 1;
	}
	print_findings(path, stdout);
	print_defaults(path);
	printf("%s: ok\n", path);
	return 0;
}

static void log_findings(const char *path)
{
	for (uint32_t i = 0; i < report.cnt; i++) {
		const struct rsip_conf_issue *issue = &report.issue[i];

		rsip_log(issue->warning ? RSIP_LOG_WARN : RSIP_LOG_ERR, "%s:%d: %s: %s", path,
			 issue->line, issue->path, issue->text);
	}
}

/* One descriptor for each TCP connection, and some for all else. */
static void raise_limits(void)
{
	rlim_t want = (rlim_t)conf.tcp_connections + 256;
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) || rl.rlim_cur >= want)
		return;
	rl.rlim_cur = want;
	if (rl.rlim_max < want)
		rl.rlim_max = want;
	if (!setrlimit(RLIMIT_NOFILE, &rl))
		return;
	getrlimit(RLIMIT_NOFILE, &rl);
	rl.rlim_cur = rl.rlim_max;
	setrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < want)
		log_warn("only %llu files may be open: fewer TCP connections than "
			 "limits.tcp_connections (%u)",
			 (unsigned long long)rl.rlim_cur, conf.tcp_connections);
}

static int run(void)
{
	uid_t uid = getuid();
	gid_t gid = getgid();
	struct rsip_server *server;
	char why[512];
	int err = 0;

	if (uid == 0)
		err = rsip_privs_user(conf.user, &uid, &gid, why, sizeof(why));
	if (err) {
		log_err("%s", why);
		return 1;
	}
	raise_limits();
	err = rsip_server_open(&conf, uid, &server, why, sizeof(why));
	if (err) {
		log_err("%s", why);
		return 1;
	}
	err = rsip_privs_drop(uid, gid, why, sizeof(why));
	if (err) {
		log_err("cannot give up privileges: %s", why);
	} else {
		err = rsip_server_start(server, why, sizeof(why));
		if (err)
			log_err("%s", why);
		else
			err = rsip_server_run(server);
	}
	rsip_server_close(server);
	return err ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct options o = {.config = RSIP_CONFIG_PATH_DEFAULT};
	int code = read_options(argc, argv, &o);
	int err;

	if (code >= 0)
		return code;
	rsip_log_open("rsipd", RSIP_LOG_INFO);
	err = rsip_conf_load(o.config, &conf, &report);
	if (err) {
		log_err("cannot read the configuration: %s: %s", o.config, strerror(-err));
		return 1;
	}
	if (o.check)
		return check_config(o.config);
	rsip_log_set_level(o.debug ? RSIP_LOG_DEBUG : conf.log_level);
	log_findings(o.config);
	if (report.errors) {
		log_err("the configuration has %u errors: %s (see rsipd.json(5))", report.errors,
			o.config);
		return 1;
	}
	return run();
}
