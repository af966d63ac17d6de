// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Bindings that come and go at full speed beside packets at full speed: the real writer, the real programs.  Every
 * lease is another host's, so the outer destination of what comes out tells whose lease it was, and that lease must
 * have existed at some moment while the packet was under way.  What is leased all the time is never lost, although
 * its table is so full that entries are moved.  RSIP_STRESS_S: how long (2 s).
 */
#include <arpa/inet.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway.h"
#include "util.h"

TestSuite(stress, .init = gateway_up, .fini = gateway_down, .timeout = 900);

#define CHURNED 24 /* resources that change hands */
#define STABLE_SPI 0xd0000000U
#define STABLE_CNT (900 * RSIP_SPI_BLOCK) /* of 1,024 entries */
#define THREADS 2
#define USED_TWICE (2 * 256) /* more leases than this in 256 slots */
#define PATIENCE_S 60

/* Lease n of a resource is host 20.0.0.0 + n: numbers are not used twice. */
#define FIRST_HOST 0x14000000U

struct resource {
	atomic_uint begun; /* the last lease whose installation has begun */
	atomic_uint ended; /* the last one whose removal was complete */
	uint32_t slot; /* the writer's */
	bool spi; /* else a port */
	uint32_t number;
};

static struct resource res[CHURNED];
static atomic_uint lease_cnt;
static atomic_bool stop;
static uint32_t pub_ifindex;
static int prog;

struct tally {
	uint64_t packets, delivered, astray, lost;
};

/* ---- packets ------------------------------------------------------------------------------------ */

/* Host of the tunnel that the packet went into, host order; 0: it was dropped. */
static uint32_t sent_to(const struct pkt *in)
{
	uint8_t out[512];
	struct xdp_md ctx = { .data_end = in->len, .ingress_ifindex = pub_ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->data, .data_size_in = in->len, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &ctx, .ctx_size_in = sizeof(ctx), .repeat = 1);
	__be32 host;

	if (bpf_prog_test_run_opts(prog, &opts) || opts.retval != XDP_REDIRECT)
		return 0;
	memcpy(&host, out + 30, sizeof(host));
	return ntohl(host);
}

static struct pkt packet_for(bool spi, uint32_t number)
{
	if (spi)
		return pkt(from_router, ip4(REMOTE, PUB_1), esp(number));
	return pkt(from_router, ip4(REMOTE, PUB_1), udp(53, (uint16_t)number), bytes(20));
}

static void try_churned(struct resource *r, const struct pkt *in, struct tally *t)
{
	uint32_t ended = atomic_load(&r->ended), host = sent_to(in), begun = atomic_load(&r->begun);

	if (!host)
		return;
	t->delivered++;
	if (host - FIRST_HOST <= ended || host - FIRST_HOST > begun)
		t->astray++;
}

static void try_stable(const struct pkt *in, struct tally *t)
{
	t->lost += sent_to(in) != ntohl(HOST_A);
}

static void *traffic(void *arg)
{
	struct tally *t = arg;
	struct pkt churned[CHURNED];
	unsigned int seed = (unsigned int)(uintptr_t)t;

	for (int i = 0; i < CHURNED; i++)
		churned[i] = packet_for(res[i].spi, res[i].number);
	while (!atomic_load(&stop)) {
		int i = rand_r(&seed) % CHURNED;

		try_churned(&res[i], &churned[i], t);
		if (!(++t->packets & 3)) {
			struct pkt in = packet_for(true, STABLE_SPI + (uint32_t)rand_r(&seed) % STABLE_CNT);

			try_stable(&in, t);
		}
	}
	return NULL;
}

/* ---- the writer ---------------------------------------------------------------------------------- */

static void lease(struct resource *r)
{
	uint32_t n = atomic_fetch_add(&lease_cnt, 1) + 1;

	atomic_store(&r->begun, n);
	if (r->spi)
		r->slot = given_binding(htonl(FIRST_HOST + n), PUB_1, spis(r->number, 4));
	else if (n & 1) /* a whole block, or a part of it: one port goes to and fro between the two tables */
		r->slot = given_binding(htonl(FIRST_HOST + n), PUB_1, ports((uint16_t)r->number, RSIP_PORT_BLOCK));
	else
		r->slot = given_binding(htonl(FIRST_HOST + n), PUB_1, ports((uint16_t)r->number, 4));
}

static void end(struct resource *r)
{
	uint32_t n = atomic_load(&r->begun);

	given_end_of(r->slot);
	atomic_store(&r->ended, n);
	r->slot = 0;
}

/* At least until so long, and until each slot was used twice; on a machine that has no time for that, not for ever. */
static void churn(uint64_t until_ns)
{
	uint64_t end_ns = until_ns + PATIENCE_S * RSIP_NS_PER_S;
	unsigned int seed = 1;

	while (rsip_now_ns() < until_ns || (atomic_load(&lease_cnt) <= USED_TWICE && rsip_now_ns() < end_ns)) {
		struct resource *r = &res[rand_r(&seed) % CHURNED];

		if (r->slot)
			end(r);
		else
			lease(r);
	}
}

Test(stress, no_packet_goes_astray_and_none_of_a_live_binding_is_lost)
{
	const char *text = getenv("RSIP_STRESS_S");
	uint64_t seconds = text ? strtoull(text, NULL, 10) : 2;
	struct tally t[THREADS] = { 0 }, sum = { 0 };
	pthread_t thread[THREADS];

	prog = gateway_prog("rsip_xdp_pub");
	pub_ifindex = if_nametoindex("pub0");
	given_binding(HOST_A, PUB_1, spis(STABLE_SPI, STABLE_CNT));
	for (uint32_t i = 0; i < CHURNED; i++) {
		res[i].spi = i & 1;
		res[i].number = i & 1 ? 0x10000000U + i * RSIP_SPI_BLOCK : 4096 + i * RSIP_PORT_BLOCK;
	}
	for (int i = 0; i < THREADS; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, traffic, &t[i]), 0);
	churn(rsip_now_ns() + seconds * RSIP_NS_PER_S);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		sum.packets += t[i].packets;
		sum.delivered += t[i].delivered;
		sum.astray += t[i].astray;
		sum.lost += t[i].lost;
	}
	fprintf(stderr, "%u leases, %llu packets, %llu delivered\n", atomic_load(&lease_cnt),
		(unsigned long long)sum.packets, (unsigned long long)sum.delivered);
	cr_expect_eq(sum.astray, 0, "%llu of %llu packets went to a host that did not lease the number",
		     (unsigned long long)sum.astray, (unsigned long long)sum.delivered);
	cr_expect_eq(sum.lost, 0, "%llu packets of a live binding were lost", (unsigned long long)sum.lost);
	cr_expect_gt(atomic_load(&lease_cnt), USED_TWICE, "no slot was used twice");
	cr_expect_gt(sum.delivered, 1000);
}
