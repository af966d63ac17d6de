// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Packets per second of a closed loop on one CPU: generator, veth, the gateway, veth, sink.  The
 * bare redirect and the way that is measured run in turn; of each the best second counts.
 */
#include <errno.h>
#include <linux/if_link.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "plane.h"
#include "bench.skel.h"
#include "log.h"
#include "util.h"

#define BATCH 64
#define FRAMES (1U << 18) /* of one run: the run itself costs as much as thousands of frames */

static int put_program(uint32_t ifindex, int prog)
{
	if (!bpf_xdp_attach((int)ifindex, prog, XDP_FLAGS_DRV_MODE, NULL))
		return 0;
	log_err("cannot put a program on interface %u: %s", ifindex, strerror(errno));
	return -errno;
}

/* Which interface a packet of this case comes in by, goes out by, and what stands behind both. */
struct ends {
	uint32_t in, in_peer, out, out_peer;
};

static struct ends ends_of(const struct bench_gateway *gw, const struct bench_case *c)
{
	if (c->tunnelled || c->kind == BENCH_PLAIN)
		return (struct ends){gw->ifindex_priv, gw->ifindex_priv_peer, gw->ifindex_pub,
				     gw->ifindex_pub_peer};
	return (struct ends){gw->ifindex_pub, gw->ifindex_pub_peer, gw->ifindex_priv,
			     gw->ifindex_priv_peer};
}

static int put_programs(struct bench_gateway *gw, const struct bench_case *c, enum bench_way way)
{
	struct ends e = ends_of(gw, c);
	int prog = way == BENCH_WAY_BARE      ? bpf_program__fd(gw->tools->progs.bench_bare)
		   : way == BENCH_WAY_PRODUCT ? bench_program(gw, c->tunnelled)
					      : -1;
	uint32_t zero = 0, one = 1;
	int err;

	if (bpf_map__update_elem(gw->tools->maps.bench_devs, &zero, 4, &e.in_peer, 4, 0) ||
	    bpf_map__update_elem(gw->tools->maps.bench_devs, &one, 4, &e.out, 4, 0))
		return -errno;
	err = put_program(e.in, prog);
	if (!err)
		err = put_program(e.out_peer, bpf_program__fd(gw->tools->progs.bench_sink));
	return err;
}

static void take_programs(struct bench_gateway *gw)
{
	const uint32_t all[] = {gw->ifindex_pub, gw->ifindex_priv, gw->ifindex_pub_peer,
				gw->ifindex_priv_peer};

	for (size_t i = 0; i < RSIP_ARRAY_LEN(all); i++)
		bpf_xdp_detach((int)all[i], XDP_FLAGS_DRV_MODE, NULL);
}

/* Sends frames and waits until no more arrive; their number and the time of it all. */
static int send(struct bench_gateway *gw, uint32_t frames, uint64_t *arrived, uint64_t *ns)
{
	struct xdp_md ctx = {.data_end = BENCH_FRAME};
	volatile __u64 *received = &gw->tools->bss->received;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = gw->tools->bss->job.frame,
		    .data_size_in = BENCH_FRAME, .ctx_in = &ctx, .ctx_size_in = sizeof(ctx),
		    .repeat = (int)frames, .flags = BPF_F_TEST_XDP_LIVE_FRAMES,
		    .batch_size = BATCH);
	uint64_t begin = rsip_now_ns(), before = *received, seen;

	if (bpf_prog_test_run_opts(bpf_program__fd(gw->tools->progs.bench_send), &opts)) {
		log_err("cannot send live frames: %s", strerror(errno));
		return -errno;
	}
	*ns = rsip_now_ns() - begin;
	do {
		seen = *received;
		usleep(2000);
	} while (seen != *received);
	*arrived = *received - before;
	return 0;
}

static int best_of(struct bench_gateway *gw, const struct bench_case *c, enum bench_way way,
		   double *best)
{
	uint64_t arrived, ns;
	int err = put_programs(gw, c, way);

	for (int i = 0; i < 2 && !err; i++) {
		gw->dp->ops->alive(gw->dp, rsip_now_ns());
		err = send(gw, FRAMES, &arrived, &ns);
		if (!err && arrived < FRAMES / 10 * 9) {
			log_err("%s: of %u frames only %llu arrived", c->name, FRAMES,
				(unsigned long long)arrived);
			err = -EIO;
		}
		if (!err && (double)arrived * 1e9 / (double)ns > *best)
			*best = (double)arrived * 1e9 / (double)ns;
	}
	take_programs(gw);
	return err;
}

/* Each user of conntrack must have an entry before the clock runs. */
static int warm(struct bench_gateway *gw, const struct bench_case *c, enum bench_way way)
{
	struct bench_job *job = &gw->tools->bss->job;
	uint64_t arrived, ns;
	int err = put_programs(gw, c, way);

	job->in_turn = 1;
	if (!err)
		err = send(gw, gw->n < 1024 ? 1024 : gw->n, &arrived, &ns);
	job->in_turn = 0;
	take_programs(gw);
	return err;
}

int bench_path(struct bench_gateway *gw, const struct bench_case *c, enum bench_way way, int rounds,
	       struct bench_path *out)
{
	int err;

	memset(out, 0, sizeof(*out));
	bench_job_fill(&gw->tools->bss->job, c, gw->n);
	err = warm(gw, c, way);
	for (int i = 0; i < rounds && !err; i++) {
		err = best_of(gw, c, BENCH_WAY_BARE, &out->bare_pps);
		if (!err)
			err = best_of(gw, c, way, &out->pps);
	}
	return err;
}

static const char masquerade[] =
	"nft -f - <<E\n"
	"table ip bench {\n"
	" chain post { type nat hook postrouting priority srcnat; oifname pub0 masquerade; }\n"
	"}\n"
	"E\n"
	"sysctl -q -w net.netfilter.nf_conntrack_udp_timeout=600 "
	"net.netfilter.nf_conntrack_checksum=0\n";

int bench_masquerade(bool on)
{
	return bench_command(on ? masquerade : "nft delete table ip bench\n");
}
