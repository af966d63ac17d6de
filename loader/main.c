// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rsip-loader: puts the data plane on interfaces and takes it off.  See rsip-loader(8). */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "commands.h"
#include "log.h"
#include "object.h"
#include "util.h"

#define INTERFACES                                                                                 \
	"  --public IF              interface of the public realm (repeat for more)\n"             \
	"  --private IF[,endpoint=ADDRESS][,endpoint6=ADDRESS]\n"                                                      \
	"                           interface of the hosts, and where their tunnels end "          \
	"(default:\n"                                                                              \
	"                           the interface's first address)\n"
#define MODE                                                                                       \
	"  --mode auto|native|generic|tc\n"                                                        \
	"                           auto: native, and where that is refused generic (default)\n"
#define COMMON                                                                                     \
	"  --config FILE            take all of this from rsipd's configuration\n"                 \
	"  --pin-path DIR           folder of the pins (default " RSIP_PIN_PATH_DEFAULT ")\n"      \
	"  -j, --json               answer in JSON\n"                                              \
	"  -v, --verbose            say more\n"                                                    \
	"  -h, --help               this text\n"
#define CAPTURE                                                                                    \
	"  IF                       an interface of the data plane, or any\n"                      \
	"  -w, --write FILE         pcapng file (default: standard output, for | tshark -r -)\n"   \
	"  -n, --count N            end after N frames (default: Ctrl-C ends it)\n"                \
	"  --binding ID             only frames of this binding\n"                                 \
	"  --snaplen N              at most N bytes of each (default 9216)\n"
#define SESSION_ADD                                                                                \
	"  IF HOST                  the PPP interface, and the address by which the host's L2TP "   \
	"tunnel comes\n"
#define SESSION_DEL "  IF                       the PPP interface\n"
#define SIZES                                                                                      \
	"  --max-bindings N         leases at once (default 65536)\n"                              \
	"  --max-addresses N        public addresses (default 256)\n"                              \
	"  --max-ipsec-pairs N      pairs of host and address that use IPsec (default 16384)\n"    \
	"  --max-cookies N          IKE exchanges remembered (default 262144)\n"

struct command {
	const char *name;
	int (*run)(const struct rsip_loader_options *o);
	const char *what;
	const char *options;
};

static const struct command commands[] = {
	{"attach", rsip_loader_attach, "puts the data plane on interfaces",
	 INTERFACES MODE SIZES COMMON},
	{"detach", rsip_loader_detach, "takes it off and puts back what attach changed", COMMON},
	{"upgrade", rsip_loader_upgrade, "replaces the programs under traffic, keeps the maps",
	 COMMON},
	{"watch", rsip_loader_watch, "stays, and takes in again what was deleted and made anew",
	 COMMON},
	{"capture", rsip_loader_capture, "writes what comes in by an interface, and what becomes of it",
	 CAPTURE COMMON},
	{"session-add", rsip_loader_session_add, "makes a PPP interface the way to a host that tunnels in L2TP",
	 SESSION_ADD COMMON},
	{"session-del", rsip_loader_session_del, "ends that", SESSION_DEL COMMON},
	{"status", rsip_loader_status, "what is attached, its memory and counters", COMMON},
	{"features", rsip_loader_features,
	 "what this kernel and these interfaces can do, what is in the way",
	 INTERFACES MODE COMMON},
};

static void usage(FILE *to)
{
	fprintf(to, "usage: rsip-loader COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < RSIP_ARRAY_LEN(commands); i++)
		fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].what);
	fprintf(to, "\nrsip-loader COMMAND --help lists its options; without a command: status.\n");
}

static void command_usage(FILE *to, const struct command *c)
{
	int words = rsip_loader_words(c->name);

	fprintf(to, "usage: rsip-loader %s [OPTION...]%s\n%s\n\n%s", c->name,
		words == 2 ? " IF HOST" : words ? " IF" : "", c->what, c->options);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < RSIP_ARRAY_LEN(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int run(const struct command *c, int argc, char **argv)
{
	struct rsip_loader_options o;

	rsip_loader_options_init(&o);
	switch (rsip_loader_options_parse(argc, argv, &o)) {
	case RSIP_LOADER_HELP:
		command_usage(stdout, c);
		return RSIP_EXIT_DONE;
	case RSIP_LOADER_USAGE:
		fprintf(stderr, "`rsip-loader %s --help` lists the options\n", c->name);
		return RSIP_EXIT_USAGE;
	case RSIP_LOADER_FAILED:
		return RSIP_EXIT_FAILED;
	case RSIP_LOADER_RUN:
		break;
	}
	return c->run(&o);
}

int main(int argc, char **argv)
{
	static char status[] = "status";
	static char *bare[] = {status, NULL};
	const struct command *c;

	rsip_log_open("rsip-loader", RSIP_LOG_INFO);
	rsip_object_log_open();
	if (argc < 2)
		return run(find_command(status), 1, bare);
	if (!strcmp(argv[1], "--version")) {
		printf("rsip-loader %s, map layout %d\n", RSIP_PACKAGE_VERSION,
		       RSIP_LAYOUT_VERSION);
		return RSIP_EXIT_DONE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return RSIP_EXIT_DONE;
	}
	c = find_command(argv[1]);
	if (!c) {
		log_err("'%s' is no command", argv[1]);
		usage(stderr);
		return RSIP_EXIT_USAGE;
	}
	return run(c, argc - 1, argv + 1);
}
