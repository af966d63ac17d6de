// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Nanoseconds a packet: the outer program around the program under test, minus the same around one
 * that does nothing.  The three are run in turn, and of each the shortest time counts: others use
 * this machine, too.
 */
#include <errno.h>
#include <string.h>
#include <bpf/bpf.h>
#include "plane.h"
#include "bench.skel.h"
#include "log.h"
#include "util.h"

#define PACKETS 4000 /* short: others use this CPU, too */
#define WARM_MAX 50000

static int run(struct bench_gateway *gw, const struct bench_case *c, int prog, uint32_t warm,
	       uint32_t packets, uint64_t *ns)
{
	struct xdp_md ctx = {.data_end = BENCH_FRAME,
			     .ingress_ifindex = c->tunnelled ? gw->ifindex_priv : gw->ifindex_pub};
	struct bench_job *job = &gw->tools->bss->job;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = job->frame, .data_size_in = BENCH_FRAME,
		    .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = (int)(warm + packets) + 1);
	uint32_t zero = 0;

	if (bpf_map__update_elem(gw->tools->maps.bench_next, &zero, 4, &prog, 4, 0)) {
		log_err("the bench cannot call this program: %s", strerror(errno));
		return -errno;
	}
	job->warm = warm;
	job->packets = packets;
	job->done = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(gw->tools->progs.bench_outer), &opts)) {
		log_err("the test run failed: %s", strerror(errno));
		return -errno;
	}
	*ns = job->end_ns - job->begin_ns;
	if (opts.retval != XDP_ABORTED)
		return 0;
	log_err("%s: the program under test was not reached", c->name);
	return -EIO;
}

static uint64_t counted(const struct bench_gateway *gw, const struct bench_case *c)
{
	struct rsip_counters sum;

	gw->dp->ops->iface_counters(gw->dp, c->tunnelled ? 2 : 1, &sum);
	return sum.cnt[c->counted];
}

/* A run of the product in which one packet took another path than the case's measures nothing. */
static int run_product(struct bench_gateway *gw, const struct bench_case *c, uint32_t warm,
		       uint32_t packets, uint64_t *ns)
{
	uint64_t before = counted(gw, c), got;
	int err = run(gw, c, bench_program(gw, c->tunnelled), warm, packets, ns);

	got = counted(gw, c) - before;
	if (err || got == warm + packets + 1)
		return err;
	log_err("%s: %llu of %u packets were counted as %s", c->name, (unsigned long long)got,
		warm + packets + 1, rsip_counter_name((unsigned int)c->counted));
	return -EIO;
}

static void keep_least(uint64_t *least, uint64_t ns)
{
	if (!*least || ns < *least)
		*least = ns;
}

/* product: -1 for the product itself, else a program of the bench. */
static int measure(struct bench_gateway *gw, const struct bench_case *c, int product, int rounds,
		   struct bench_cost *out)
{
	struct bench_bpf *t = gw->tools;
	int nothing = bpf_program__fd(t->progs.bench_nothing);
	int floor =
		bpf_program__fd(c->tunnelled ? t->progs.bench_floor_out : t->progs.bench_floor_in);
	uint32_t warm = gw->n < WARM_MAX / 8 ? 500 + 8 * gw->n : WARM_MAX;
	uint64_t ns = 0, least[3] = {0};
	int err = 0;

	bench_job_fill(&t->bss->job, c, gw->n);
	for (int i = 0; i < rounds && !err; i++) {
		gw->dp->ops->alive(gw->dp, rsip_now_ns()); /* as rsipd at work does */
		err = run(gw, c, nothing, warm, PACKETS, &ns);
		keep_least(&least[0], ns);
		if (!err)
			err = run(gw, c, floor, warm, PACKETS, &ns);
		keep_least(&least[1], ns);
		if (!err)
			err = product < 0 ? run_product(gw, c, warm, PACKETS, &ns)
					  : run(gw, c, product, warm, PACKETS, &ns);
		keep_least(&least[2], ns);
	}
	out->outer_ns = (double)least[0] / PACKETS;
	out->floor_ns = (double)least[1] / PACKETS - out->outer_ns;
	out->program_ns = (double)least[2] / PACKETS - out->outer_ns;
	return err;
}

int bench_cost(struct bench_gateway *gw, const struct bench_case *c, int rounds,
	       struct bench_cost *out)
{
	return measure(gw, c, -1, rounds, out);
}

int bench_line(struct bench_gateway *gw, int rounds, struct bench_cost *out)
{
	return measure(gw, &bench_cases[0], bpf_program__fd(gw->tools->progs.bench_touch), rounds,
		       out);
}

/* From here on the gateway knows each host's cookie and its peer's SPI. */
int bench_learn(struct bench_gateway *gw)
{
	for (int i = 0; i < bench_case_cnt; i++) {
		const struct bench_case *c = &bench_cases[i];
		uint64_t ns;
		int err;

		if (!c->tunnelled || c->tunnel != BENCH_IPIP || (c->kind != BENCH_IKE && c->kind != BENCH_ESP))
			continue;
		bench_job_fill(&gw->tools->bss->job, c, gw->n);
		gw->tools->bss->job.in_turn = 1;
		err = run_product(gw, c, 0, gw->n, &ns);
		if (err)
			return err;
	}
	return 0;
}
