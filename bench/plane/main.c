// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* bench/plane: what the data plane costs.  docs/performance.md says what the figures mean. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "plane.h"
#include "report.h"

#define SECTION_COST "ns a packet over the floor"
#define SECTION_PATH "packets/s through veth"
#define SECTION_SIZE "kernel memory"
#define SECTION_TIME "time"

static struct options {
	uint32_t columns[REPORT_COLUMNS];
	int column_cnt;
	int rounds;
	enum report_form form;
	bool no_path;
	const char *only; /* lines whose name contains this */
} opt = {.columns = {1, 1000, 100000, 1000000}, .column_cnt = 4, .rounds = 25};

static const char usage[] =
	"Usage: plane [OPTION]...\n"
	"Measure the data plane against its floor, the bare redirect, the kernel and nftables.\n"
	"\n"
	"  -b, --bindings LIST  live bindings, comma-separated (default 1,1000,100000,1000000)\n"
	"  -r, --rounds N       rounds of each figure; the best counts (default 25)\n"
	"  -q, --quick          1 and 1000 bindings, 5 rounds\n"
	"      --only TEXT      only lines whose name contains TEXT\n"
	"      --no-path        without the veth path\n"
	"  -j, --json           JSON to stdout\n"
	"  -m, --markdown       the tables of docs/performance.md to stdout\n"
	"  -h, --help           this text\n"
	"Needs root; works in a network namespace of its own.  Progress goes to stderr.\n";

static bool wanted(const char *name)
{
	return !opt.only || strstr(name, opt.only);
}

static int cost_of_line(struct bench_gateway *gw)
{
	static const char name[] = "floor and one line of memory";
	struct bench_cost cost;
	int err;

	if (!wanted(name))
		return 0;
	err = bench_line(gw, opt.rounds, &cost);
	report_progress("%u bindings, %s: %.1f ns, floor %.1f ns", gw->n, name, cost.program_ns,
			cost.floor_ns);
	report_add(SECTION_COST, name, gw->n, cost.program_ns, "ns",
		   cost.program_ns / cost.floor_ns);
	return err;
}

/* Teaching a million hosts' cookies takes a minute, which few of the lines need. */
static bool learned_wanted(void)
{
	for (int i = 0; i < bench_case_cnt; i++)
		if (bench_cases[i].kind != BENCH_PORTS_KIND && wanted(bench_cases[i].name))
			return true;
	return false;
}

static bool tunnel_wanted(enum bench_tunnel tunnel)
{
	for (int i = 0; i < bench_case_cnt; i++)
		if (bench_cases[i].tunnel == tunnel && wanted(bench_cases[i].name))
			return true;
	return false;
}

static int costs(struct bench_gateway *gw)
{
	int err = gw->tunnel != BENCH_IPIP || !learned_wanted() ? 0 : bench_learn(gw);

	if (!err && gw->tunnel == BENCH_IPIP)
		err = cost_of_line(gw);

	for (int i = 0; i < bench_case_cnt && !err; i++) {
		const struct bench_case *c = &bench_cases[i];
		struct bench_cost cost;

		if (c->tunnel != gw->tunnel || !wanted(c->name))
			continue;
		err = bench_cost(gw, c, opt.rounds, &cost);
		report_progress("%u bindings, %s: %.1f ns, floor %.1f ns", gw->n, c->name,
				cost.program_ns, cost.floor_ns);
		report_add(SECTION_COST, c->name, gw->n, cost.program_ns, "ns",
			   cost.program_ns / cost.floor_ns);
	}
	return err;
}

static int path(struct bench_gateway *gw, const char *name, const struct bench_case *c,
		enum bench_way way, double *pps)
{
	struct bench_path p;
	int err = bench_path(gw, c, way, opt.rounds / 5 + 1, &p);

	if (err)
		return err;
	report_progress("%u bindings, %s: %.0f kpps, bare redirect %.0f", gw->n, name, p.pps / 1e3,
			p.bare_pps / 1e3);
	report_add(SECTION_PATH, name, gw->n, p.pps / 1e3, "kpps / bare", p.pps / p.bare_pps);
	*pps = p.pps / p.bare_pps;
	return 0;
}

static int paths(struct bench_gateway *gw)
{
	const struct bench_case *out = &bench_cases[0];
	double in_ratio, out_ratio, forward, nat;
	int err;

	while (!out->tunnelled || out->kind != BENCH_PORTS_KIND)
		out++;
	err = path(gw, "RSIP, TCP in", &bench_cases[0], BENCH_WAY_PRODUCT, &in_ratio);
	if (!err)
		err = path(gw, "RSIP, TCP out", out, BENCH_WAY_PRODUCT, &out_ratio);
	if (!err)
		err = path(gw, "kernel forwarding", &bench_plain_in, BENCH_WAY_KERNEL, &forward);
	if (!err)
		err = bench_conntrack_room(gw->n * 2UL + 1024);
	if (!err)
		err = bench_masquerade(true);
	if (err)
		return err;
	err = path(gw, "nftables masquerade", &bench_plain_out, BENCH_WAY_KERNEL, &nat);
	bench_masquerade(false);
	if (err)
		return err;
	report_add(SECTION_PATH, "RSIP out / masquerade", gw->n, out_ratio / nat, "times", 0);
	report_add(SECTION_PATH, "RSIP in / kernel forwarding", gw->n, in_ratio / forward, "times",
		   0);
	return 0;
}

static int sizes(struct bench_gateway *gw)
{
	struct bench_size s;
	int err = bench_attach(gw);

	bench_size(gw, &s);
	report_add(SECTION_SIZE, "a binding", gw->n, s.binding, "B", 0);
	report_add(SECTION_SIZE, "a binding, 64 CPUs", gw->n, s.binding_64, "B", 0);
	report_add(SECTION_SIZE, "a (host, address) with RSIPSEC", gw->n, s.pair, "B", 0);
	report_add(SECTION_SIZE, "an address", gw->n, s.address / 1024, "KB", 0);
	report_add(SECTION_SIZE, "all maps", gw->n, s.total_mb, "MB", 0);
	report_add(SECTION_TIME, "load", gw->n, (double)gw->load_ns / 1e6, "ms", 0);
	report_add(SECTION_TIME, "attach two interfaces", gw->n, (double)gw->attach_ns / 1e6, "ms",
		   0);
	report_add(SECTION_TIME, "install all bindings", gw->n, (double)gw->install_ns / 1e6, "ms",
		   0);
	return err;
}

/* The lines of a tunnel in which other bindings are leased. */
static int other_tunnel(uint32_t bindings, enum bench_tunnel tunnel)
{
	struct bench_gateway gw;
	int err;

	if (!tunnel_wanted(tunnel))
		return 0;
	err = bench_gateway_open(&gw, bindings, tunnel);
	if (!err)
		err = costs(&gw);
	bench_gateway_close(&gw);
	return err;
}

static int column(uint32_t bindings)
{
	struct bench_gateway gw;
	int err;

	report_progress("%u bindings: loading", bindings);
	err = bench_gateway_open(&gw, bindings, BENCH_IPIP);
	if (err)
		return err;
	err = sizes(&gw);
	if (!err)
		err = costs(&gw);
	if (!err && !opt.no_path)
		err = paths(&gw);
	bench_gateway_close(&gw);
	if (err)
		return err;
	for (enum bench_tunnel t = BENCH_GRE; t <= BENCH_L2TP && !err; t++)
		err = other_tunnel(bindings, t);
	return err;
}

static int parse_list(const char *text)
{
	char *end;

	for (opt.column_cnt = 0; *text && opt.column_cnt < REPORT_COLUMNS;
	     text = end + (*end == ',')) {
		double n = strtod(text, &end);

		if (end == text || (*end && *end != ',') || n < 1 || n > 4e6)
			return -1;
		opt.columns[opt.column_cnt++] = (uint32_t)n;
	}
	return *text || !opt.column_cnt ? -1 : 0;
}

static int parse(int argc, char **argv)
{
	static const struct option longs[] = {{"bindings", 1, NULL, 'b'}, {"rounds", 1, NULL, 'r'},
					      {"quick", 0, NULL, 'q'},	  {"only", 1, NULL, 'o'},
					      {"no-path", 0, NULL, 'n'},  {"json", 0, NULL, 'j'},
					      {"markdown", 0, NULL, 'm'}, {"help", 0, NULL, 'h'},	  {0}};
	int c;

	while ((c = getopt_long(argc, argv, "b:r:qjmh", longs, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(0);
		} else if (c == 'q') {
			opt.column_cnt = 2;
			opt.rounds = 5;
		} else if (c == 'j') {
			opt.form = REPORT_JSON;
		} else if (c == 'm') {
			opt.form = REPORT_MARKDOWN;
		} else if (c == 'n') {
			opt.no_path = true;
		} else if (c == 'o') {
			opt.only = optarg;
		} else if (!(c == 'b' && !parse_list(optarg)) &&
			   !(c == 'r' && (opt.rounds = atoi(optarg)) > 0)) {
			return -1;
		}
	}
	return optind == argc ? 0 : -1;
}

int main(int argc, char **argv)
{
	int err;

	rsip_log_open("bench", RSIP_LOG_INFO);
	if (parse(argc, argv)) {
		fputs(usage, stderr);
		return 2;
	}
	bench_conntrack_open();
	err = bench_namespace();
	for (int i = 0; i < opt.column_cnt && !err; i++)
		err = column(opt.columns[i]);
	report_print(opt.form, opt.columns, opt.column_cnt);
	return err ? 1 : 0;
}
