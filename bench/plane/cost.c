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

/* The outer program's test run, as XDP or TC has its context. */
static int test_run(struct bench_gateway *gw, const struct bench_case *c, int repeat)
{
	bool tc = c->tunnel == BENCH_L2TP;
	struct xdp_md xdp = {.data_end = BENCH_FRAME,
			     .ingress_ifindex = c->tunnelled ? gw->ifindex_priv : gw->ifindex_pub};
	struct __sk_buff skb = {.ifindex = c->tunnelled ? gw->ifindex_ppp : gw->ifindex_pub};
	uint8_t first[BENCH_FRAME] = {[12] = 8, [14] = 0x45}; /* the kernel asks once: IPv4 */
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = first, .data_size_in = BENCH_FRAME,
		    .ctx_in = tc ? (void *)&skb : &xdp, .ctx_size_in = tc ? sizeof(skb) : sizeof(xdp), .repeat = repeat);
	int err = bpf_prog_test_run_opts(bpf_program__fd(tc ? gw->tools->progs.bench_tc_outer : gw->tools->progs.bench_outer),
					 &opts);

	if (err) {
		log_err("the test run failed: %s", strerror(errno));
		return -errno;
	}
	return opts.retval == (tc ? BENCH_TC_FAILED : XDP_ABORTED) ? -EIO : 0;
}

static int run(struct bench_gateway *gw, const struct bench_case *c, int prog, uint32_t warm,
	       uint32_t packets, uint64_t *ns)
{
	struct bench_job *job = &gw->tools->bss->job;
	struct bpf_map *next = c->tunnel == BENCH_L2TP ? gw->tools->maps.bench_tc_next : gw->tools->maps.bench_next;
	uint32_t zero = 0;
	int err;

	if (bpf_map__update_elem(next, &zero, 4, &prog, 4, 0)) {
		log_err("the bench cannot call this program: %s", strerror(errno));
		return -errno;
	}
	job->warm = warm;
	job->packets = packets;
	job->done = 0;
	err = test_run(gw, c, (int)(warm + packets) + 1);
	*ns = job->end_ns - job->begin_ns;
	if (err == -EIO)
		log_err("%s: the program under test was not reached", c->name);
	return err;
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

/* What a case is measured with. */
struct yard {
	int nothing, floor; /* programs */
	uint32_t warm, packets; /* of a run; the first ones are not timed */
	int runs; /* for each round that is asked for */
};

static struct yard yard_of(const struct bench_gateway *gw, const struct bench_case *c)
{
	const struct bench_bpf *t = gw->tools;

	/* From a PPP interface the kernel keeps count of what was put in front (change_tail): a run has few packets, so many runs. */
	if (c->tunnel == BENCH_L2TP && c->tunnelled)
		return (struct yard){bpf_program__fd(t->progs.bench_tc_room), bpf_program__fd(t->progs.bench_tc_floor_out),
				     2, 4, 100};
	if (c->tunnel == BENCH_L2TP)
		return (struct yard){bpf_program__fd(t->progs.bench_tc_nothing), bpf_program__fd(t->progs.bench_tc_floor_in),
				     500, PACKETS, 1};
	return (struct yard){bpf_program__fd(t->progs.bench_nothing),
			     bpf_program__fd(c->tunnelled ? t->progs.bench_floor_out : t->progs.bench_floor_in),
			     gw->n < WARM_MAX / 8 ? 500 + 8 * gw->n : WARM_MAX, PACKETS, 1};
}

/* product: -1 for the product itself, else a program of the bench. */
static int measure(struct bench_gateway *gw, const struct bench_case *c, int product, int rounds,
		   struct bench_cost *out)
{
	struct bench_job *job = &gw->tools->bss->job;
	struct yard y = yard_of(gw, c);
	uint64_t ns = 0, least[3] = {0};
	int err = 0;

	bench_job_fill(job, c, gw->n);
	job->tc_out = gw->ifindex_priv;
	for (int i = 0; i < rounds * y.runs && !err; i++) {
		gw->dp->ops->alive(gw->dp, rsip_now_ns()); /* as rsipd at work does */
		err = run(gw, c, y.nothing, y.warm, y.packets, &ns);
		keep_least(&least[0], ns);
		if (!err)
			err = run(gw, c, y.floor, y.warm, y.packets, &ns);
		keep_least(&least[1], ns);
		if (!err)
			err = product < 0 ? run_product(gw, c, y.warm, y.packets, &ns)
					  : run(gw, c, product, y.warm, y.packets, &ns);
		keep_least(&least[2], ns);
	}
	out->outer_ns = (double)least[0] / y.packets;
	out->floor_ns = (double)least[1] / y.packets - out->outer_ns;
	out->program_ns = (double)least[2] / y.packets - out->outer_ns;
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
