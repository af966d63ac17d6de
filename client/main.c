// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsip-client: options and sub-commands. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "again.h"
#include "commands.h"
#include "log.h"
#include "util.h"

#define RSIP_OPTIONS_MAX 60
#define RSIP_QUERY_MAX 16     /* destinations of one query */
#define RSIP_OPT_SETTING 1000 /* + row of the settings table */

enum {
	OPT_CONFIG = 256,
	OPT_FOREGROUND,
	OPT_RESOLV,
	OPT_PORT,
	OPT_VERSION,
	OPT_STATE_DIR,
	OPT_SOCKET,
	OPT_NAME,
	OPT_REMOTE,
	OPT_REMOTE_PORT,
	OPT_ADDRESS,
	OPT_LISTEN,
	OPT_WHOLE,
	OPT_OFF,
	OPT_CHECK,
	OPT_CONNS,
	OPT_FORCE,
	OPT_INNER,
	OPT_SPI_OUT,
	OPT_AH,
	OPT_APPLY
};

struct command {
	const char *name, *args, *help;
	const char *settings; /* names of the settings it takes as options, between spaces */
	int min_args, max_args;
	int (*run)(struct rsip_cli *cli);
};

#define PLACES " state-dir socket "

#define UP                                                                                                           \
	" gateway interface ports ports-max ports-idle listen spis lease transport tunnel tunnel-type device "       \
	"private-addresses key-id key-file wait place route query-every return-after whole-address strongswan "      \
	"ike-ports ike-spis strongswan-dir strongswan-vici" PLACES

static const struct command commands[] = {
	{"up", "", "register, lease and bring up the tunnel; stays in the background", UP, 0, 0, rsip_cmd_up},
	{"check", "", "what would `up` do with these settings, and can it?", UP, 0, 0, rsip_cmd_check},
	{"down", "", "give everything back, de-register, take the tunnel away", PLACES, 0, 0, rsip_cmd_down},
	{"reload", "", "read the settings again and follow: what stays wished stays leased", PLACES, 0, 0, rsip_cmd_reload},
	{"upgrade", "", "go on as the program file that is there now, with all that is leased", PLACES, 0, 0, rsip_cmd_upgrade},
	{"status", "", "gateway, bindings, tunnel and counters of the running client", PLACES, 0, 0, rsip_cmd_status},
	{"lease", "", "add a binding (--ports, --port, --spis, --lease, --listen ...)",
	 " ports spis lease" PLACES, 0, 0, rsip_cmd_lease},
	{"move", "[GATEWAY]", "go to another of the gateways now (default: the preferred one)", PLACES, 0, 1, rsip_cmd_move},
	{"release", "BIND", "give a binding back", PLACES, 1, 1, rsip_cmd_release},
	{"query", "[DEST...]",
	 "which addresses and networks are local: to be reached without the gateway", PLACES, 0,
	 RSIP_QUERY_MAX, rsip_cmd_query},
	{"strongswan", "",
	 "lease for a strongSwan, write its drop-in file, and check its connections",
	 " ike-ports ike-spis strongswan-dir strongswan-vici lease" PLACES, 0, 0,
	 rsip_cmd_strongswan},
	{"manual", "PEER",
	 "a pair of SAs without IKE: leases an SPI, makes keys, shows ip-xfrm(8) commands",
	 " lease" PLACES, 1, 1, rsip_cmd_manual},
	{"exec", "[--] CMD...", "run a program that uses the leased address and only leased ports",
	 PLACES, 1, 1 << 20, rsip_cmd_exec},
};

/* Reads client.json, too. */
static bool has_settings(const struct command *c)
{
	return c->run == rsip_cmd_up || c->run == rsip_cmd_check;
}

static bool takes(const struct command *c, const char *setting)
{
	char word[40];

	snprintf(word, sizeof(word), " %s ", setting);
	return strstr(c->settings, word);
}

struct own_option {
	struct option opt;
	const char *show, *help;
};

static const struct own_option strongswan_options[] = {
	{{"conns", required_argument, NULL, OPT_CONNS},
	 "conns FILE",
	 "connections to look at (default /etc/swanctl/swanctl.conf)"},
	{{"force", no_argument, NULL, OPT_FORCE}, "force", "go on though a connection cannot work"},
	{{"off", no_argument, NULL, OPT_OFF}, "off", "remove the file and give its leases back"},
	{{"check", required_argument, NULL, OPT_CHECK},
	 "check PEER",
	 "do IKE and ESP come back from that peer?"},
};

static const struct own_option manual_options[] = {
	{{"inner", required_argument, NULL, OPT_INNER},
	 "inner ADDR",
	 "tunnel mode, with this inner address (default transport mode)"},
	{{"spi-out", required_argument, NULL, OPT_SPI_OUT},
	 "spi-out SPI",
	 "the peer's SPI (default a random one)"},
	{{"ah", no_argument, NULL, OPT_AH}, "ah", "AH instead of ESP"},
	{{"apply", no_argument, NULL, OPT_APPLY}, "apply", "set this host's end up at once"},
};

/* What a binding may be asked to be. */
static const struct own_option lease_options[] = {
	{{"address", required_argument, NULL, OPT_ADDRESS}, "address ADDR", "this public address"},
	{{"port", required_argument, NULL, OPT_PORT}, "port P", "from this port on"},
	{{"remote", required_argument, NULL, OPT_REMOTE},
	 "remote ADDR",
	 "to speak with this peer (the gateway's flow policy may need it)"},
	{{"remote-port", required_argument, NULL, OPT_REMOTE_PORT},
	 "remote-port P",
	 "to speak with this port of the peer"},
	{{"listen", no_argument, NULL, OPT_LISTEN},
	 "listen",
	 "for a service: peers may speak first (LISTEN)"},
	{{"whole-address", no_argument, NULL, OPT_WHOLE},
	 "whole-address",
	 "an address of its own, with all ports and SPIs (RSA-IP)"},
};

/* The options that are no settings. */
static size_t own_options(const struct command *c, const struct own_option **list)
{
	if (c->run == rsip_cmd_lease) {
		*list = lease_options;
		return RSIP_ARRAY_LEN(lease_options);
	}
	if (c->run == rsip_cmd_manual) {
		*list = manual_options;
		return RSIP_ARRAY_LEN(manual_options);
	}
	*list = strongswan_options;
	return c->run == rsip_cmd_strongswan ? RSIP_ARRAY_LEN(strongswan_options) : 0;
}

static void show_command_help(const struct command *c)
{
	const struct own_option *own;

	printf("usage: rsip-client %s [options]%s%s\n%s\n\n", c->name, *c->args ? " " : "", c->args, c->help);
	for (size_t i = 0; i < rsip_setting_count; i++) {
		const struct rsip_setting *s = &rsip_setting_table[i];
		char left[40];

		snprintf(left, sizeof(left), "%s %s", s->name, s->arg);
		if (takes(c, s->name))
			printf("  --%-22s %s\n", left, s->help);
	}
	if (has_settings(c))
		printf("  --%-22s %s\n", "config FILE", "settings (default " RSIP_CLIENT_CONFIG ")");
	if (c->run == rsip_cmd_up)
		printf("  --%-22s %s\n", "foreground", "do not go into the background, and never give up");
	for (size_t i = 0; i < own_options(c, &own); i++)
		printf("  --%-22s %s\n", own[i].show, own[i].help);
	if (c->run == rsip_cmd_exec)
		printf("  --%-22s %s\n", "resolv FILE",
		       "show FILE to the program as /etc/resolv.conf");
	printf("  -j, --%-18s %s\n  -v, --%-18s %s\n  -h, --%-18s %s\n", "json", "print JSON",
	       "verbose", "log more", "help", "this text");
}

static void show_help(FILE *out)
{
	fprintf(out,
		"usage: rsip-client [-n NAME] [--state-dir DIR] [--socket PATH] [-j] [-v] COMMAND "
		"[options]\n\ncommands:\n");
	for (size_t i = 0; i < RSIP_ARRAY_LEN(commands); i++)
		fprintf(out, "  %-10s %-12s %s\n", commands[i].name, commands[i].args,
			commands[i].help);
	fprintf(out,
		"\n  rsip-client COMMAND --help    options of a command\n  rsip-client --version\n"
		"\nexit status: 0 done, 1 failed, 2 wrong usage, 3 nothing found\n");
}

static void fill_options(const struct command *c, struct option *opts)
{
	static const struct option fixed[] = {
		{"config", required_argument, NULL, OPT_CONFIG},
		{"foreground", no_argument, NULL, OPT_FOREGROUND},
		{"resolv", required_argument, NULL, OPT_RESOLV},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"verbose", no_argument, NULL, 'v'},
	};
	const struct own_option *own;
	size_t n = 0;

	for (size_t i = 0; i < RSIP_ARRAY_LEN(fixed); i++) {
		if ((fixed[i].val == OPT_CONFIG && !has_settings(c)) ||
		    (fixed[i].val == OPT_FOREGROUND && c->run != rsip_cmd_up) ||
		    (fixed[i].val == OPT_RESOLV && c->run != rsip_cmd_exec))
			continue;
		opts[n++] = fixed[i];
	}
	for (size_t i = 0; i < own_options(c, &own); i++)
		opts[n++] = own[i].opt;
	for (size_t i = 0; i < rsip_setting_count; i++)
		if (takes(c, rsip_setting_table[i].name))
			opts[n++] = (struct option){rsip_setting_table[i].name, required_argument,
						    NULL, RSIP_OPT_SETTING + i};
	memset(&opts[n], 0, sizeof(opts[n]));
}

static int wrong(const struct command *c, const char *text)
{
	fprintf(stderr, "rsip-client: %s: %s (see rsip-client %s --help)\n", c->name, text,
		c->name);
	return RSIP_EXIT_USAGE;
}

/* What stood before the command holds for every command, and over the configuration file. */
struct globals {
	const char *state_dir, *socket, *name;
	bool json;
};

/* A command line, which `up` reads once more when its settings are read again. */
struct invocation {
	const struct command *c;
	const struct globals *g;
	int argc;
	char **argv;
	struct option opts[RSIP_OPTIONS_MAX];
	char config[2 * PATH_MAX]; /* absolute: a daemon is in / by then */
	bool config_given;
};

static void find_config(struct invocation *inv, const char *path)
{
	int opt;

	opterr = 0;
	optind = 1;
	while ((opt = getopt_long(inv->argc, inv->argv, "+jhv", inv->opts, NULL)) != -1) {
		if (opt == OPT_CONFIG) {
			path = optarg;
			inv->config_given = true;
		}
	}
	opterr = 1;
	/* a link stays one: where it leads to by then is what is read again */
	snprintf(inv->config, sizeof(inv->config), "%s%s%s", *path == '/' ? "" : rsip_again_folder(), *path == '/' ? "" : "/", path);
}

/* The file comes first, whatever its place in the command line: options override it. */
static int load_file(struct invocation *inv, struct rsip_cli *cli)
{
	if (!has_settings(inv->c))
		return 0;
	if (!*inv->config)
		find_config(inv, cli->set.config);
	return rsip_settings_load(&cli->set, inv->config, inv->config_given) ? RSIP_EXIT_FAILED : 0;
}

static int take_port(const struct command *c, uint32_t *port)
{
	char *end;
	unsigned long n = strtoul(optarg, &end, 10);

	if (*end || end == optarg || n < 1 || n > 65535)
		return wrong(c, "a port is a number from 1 to 65535");
	*port = n;
	return 0;
}

/* 0: it was one of these options, or none of them; else the exit status. */
static int take_own_option(const struct command *c, struct rsip_cli *cli, int opt)
{
	__be32 addr;
	char *end;

	if ((opt == OPT_INNER || opt == OPT_ADDRESS || opt == OPT_REMOTE || opt == OPT_CHECK) &&
	    rsip_ip4_parse(optarg, &addr))
		return wrong(c, "an IPv4 address is needed");
	switch (opt) {
	case OPT_PORT:
		return take_port(c, &cli->lease.port);
	case OPT_REMOTE_PORT:
		return take_port(c, &cli->lease.remote_port);
	case OPT_ADDRESS:
		cli->lease.address = optarg;
		break;
	case OPT_REMOTE:
		cli->lease.remote = optarg;
		break;
	case OPT_LISTEN:
		cli->lease.listen = true;
		break;
	case OPT_WHOLE:
		cli->lease.whole = true;
		break;
	case OPT_CONNS:
		cli->charon.conns = optarg;
		break;
	case OPT_CHECK:
		cli->charon.check = optarg;
		break;
	case OPT_OFF:
		cli->charon.off = true;
		break;
	case OPT_FORCE:
		cli->charon.force = true;
		break;
	case OPT_INNER:
		cli->manual.inner = optarg;
		break;
	case OPT_SPI_OUT:
		cli->manual.spi_out = strtoul(optarg, &end, 0);
		if (*end || cli->manual.spi_out < 256)
			return wrong(c, "an SPI is a number from 256 on");
		break;
	case OPT_AH:
		cli->manual.ah = true;
		break;
	case OPT_APPLY:
		cli->manual.apply = true;
		break;
	}
	return 0;
}

/* 0: go on; else the exit status, with RSIP_EXIT_DONE written as -1. */
static int read_options(const struct command *c, struct rsip_cli *cli, int argc, char **argv,
			const struct option *opts)
{
	char why[160];
	int opt;

	optind = 1;
	while ((opt = getopt_long(argc, argv, "+jhv", opts, NULL)) != -1) {
		if (opt >= RSIP_OPT_SETTING) {
			if (rsip_settings_set(&cli->set,
					      rsip_setting_table[opt - RSIP_OPT_SETTING].name,
					      optarg, why, sizeof(why)))
				return wrong(c, why);
		} else if (opt == OPT_FOREGROUND) {
			cli->foreground = true;
		} else if (opt == OPT_RESOLV) {
			cli->resolv = optarg;
		} else if (take_own_option(c, cli, opt)) {
			return RSIP_EXIT_USAGE;
		} else if (opt == 'j') {
			cli->json = true;
		} else if (opt == 'v') {
			rsip_log_set_level(RSIP_LOG_DEBUG);
		} else if (opt == 'h') {
			show_command_help(c);
			return -1;
		} else if (opt == '?') {
			return wrong(c, "wrong option");
		}
	}
	return 0;
}

static int apply_globals(const struct command *c, struct rsip_cli *cli, const struct globals *g)
{
	char why[160];

	cli->json = g->json;
	if (g->state_dir &&
	    rsip_settings_set(&cli->set, "state-dir", g->state_dir, why, sizeof(why)))
		return wrong(c, why);
	if (g->socket && rsip_settings_set(&cli->set, "socket", g->socket, why, sizeof(why)))
		return wrong(c, why);
	return 0;
}

/* Everything but the arguments: 0: go on; else the exit status, with RSIP_EXIT_DONE written as -1. */
static int read_settings(struct invocation *inv, struct rsip_cli *cli)
{
	const struct command *c = inv->c;
	char why[160];
	int status;

	rsip_settings_init(&cli->set);
	if (inv->g->name && rsip_settings_name(&cli->set, inv->g->name, why, sizeof(why)))
		return wrong(c, why);
	status = load_file(inv, cli);
	if (!status)
		status = apply_globals(c, cli, inv->g);
	if (!status)
		status = read_options(c, cli, inv->argc, inv->argv, inv->opts);
	if (status)
		return status;
	cli->args = inv->argv + optind;
	cli->arg_cnt = inv->argc - optind;
	if (rsip_settings_begin_at(&cli->set, rsip_again_folder(), why, sizeof(why)) || rsip_settings_finish(&cli->set, why, sizeof(why)))
		return wrong(c, why);
	return 0;
}

static int read_again(void *arg, struct rsip_settings *set)
{
	struct rsip_cli cli = {0};

	int err = read_settings(arg, &cli) ? -EINVAL : 0;

	if (!err)
		*set = cli.set;
	explicit_bzero(&cli, sizeof(cli)); /* there may be a key in it, whatever else is wrong */
	return err;
}

static int run(const struct command *c, const struct globals *g, int argc, char **argv)
{
	struct invocation inv = {.c = c, .g = g, .argc = argc, .argv = argv};
	struct rsip_cli cli = {.reread = read_again, .reread_arg = &inv};
	int status;

	fill_options(c, inv.opts);
	status = read_settings(&inv, &cli);
	if (status)
		return status < 0 ? RSIP_EXIT_DONE : status;
	if (cli.arg_cnt < c->min_args || cli.arg_cnt > c->max_args)
		return wrong(c, cli.arg_cnt < c->min_args ? "an argument is missing"
							  : "too many arguments");
	return c->run(&cli);
}

/* -1: go on with the command; else the exit status. */
static int read_globals(struct globals *g, int argc, char **argv)
{
	static const struct option opts[] = {
		{"name", required_argument, NULL, OPT_NAME},
		{"state-dir", required_argument, NULL, OPT_STATE_DIR},
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"json", no_argument, NULL, 'j'},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, OPT_VERSION},
		{0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "+n:jhv", opts, NULL)) != -1) {
		if (opt == OPT_NAME || opt == 'n') {
			g->name = optarg;
		} else if (opt == OPT_STATE_DIR) {
			g->state_dir = optarg;
		} else if (opt == OPT_SOCKET) {
			g->socket = optarg;
		} else if (opt == 'j') {
			g->json = true;
		} else if (opt == 'v') {
			rsip_log_set_level(RSIP_LOG_DEBUG);
		} else if (opt == 'h') {
			show_help(stdout);
			return RSIP_EXIT_DONE;
		} else if (opt == OPT_VERSION) {
			printf("rsip-client %s\n", RSIP_PACKAGE_VERSION);
			return RSIP_EXIT_DONE;
		} else {
			return RSIP_EXIT_USAGE;
		}
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct globals g = {0};
	int status;

	rsip_log_open("rsip-client", RSIP_LOG_INFO);
	rsip_again_note(argc, argv);
	status = read_globals(&g, argc, argv);
	if (status >= 0)
		return status;
	argc -= optind;
	argv += optind;
	for (size_t i = 0; argc && i < RSIP_ARRAY_LEN(commands); i++)
		if (!strcmp(argv[0], commands[i].name))
			return run(&commands[i], &g, argc, argv);
	if (argc && !strcmp(argv[0], "help")) {
		show_help(stdout);
		return RSIP_EXIT_DONE;
	}
	if (argc)
		fprintf(stderr, "rsip-client: no such command: %s\n", argv[0]);
	show_help(stderr);
	return RSIP_EXIT_USAGE;
}
