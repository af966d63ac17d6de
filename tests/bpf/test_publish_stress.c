// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Bindings that come and go at full speed beside packets at full speed: the real writer, the real programs.  Every
 * lease is another host's, so the outer destination of what comes out tells whose lease it was, and that lease must
 * have existed at some moment while the packet was under way.  What is leased all the time is never lost, although
 * its table is so full that entries are moved.  RSIP_STRESS_S: how long (2 s each).
 *
 * Two forms: the product's programs and many slots; and programs in which each packet waits between look-up and record
 * (paused.bpf.c), with so few slots that meanwhile the one it has found would be another resource's, did it not rest.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway.h"
#include "gateway_copies.h"
#include "object_constants.h"
#include "sizes.h"
#include "util.h"
#include "paused.skel.h"

static void alone_up(void);
TestSuite(stress, .init = alone_up, .fini = gateway_down, .timeout = 900);

#define CHURNED 24 /* resources that change hands */
#define STABLE_SPI 0xd0000000U
#define STABLE_CNT (900 * RSIP_SPI_BLOCK) /* of 1,024 entries */
#define THREADS 2
#define SLOTS 255
#define FEW_SLOTS 12
#define FEW_SPARE 2 /* not in use: resting, or the next to be used */
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
static int prog;
static uint32_t pub_ifindex;
static struct paused_bpf *paused; /* NULL: packets do not wait */

struct tally {
	uint64_t packets, delivered, astray, lost;
};

/* One after the other: a second one beside it would take the writer's time. */
static void alone_up(void)
{
	int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC); /* until the process ends */
	cpu_set_t all;

	if (self >= 0)
		flock(self, LOCK_EX);
	sched_getaffinity(0, sizeof(all), &all);
	gateway_up();
	sched_setaffinity(0, sizeof(all), &all);
}

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

/* The calling thread stays on the first or the last CPU it may use: packets that wait and the writer must run at once. */
static void stay_on(bool last)
{
	cpu_set_t may, one;

	if (sched_getaffinity(0, sizeof(may), &may))
		return;
	CPU_ZERO(&one);
	for (int i = 0; i < CPU_SETSIZE && (last || !CPU_COUNT(&one)); i++) {
		if (!CPU_ISSET(i, &may))
			continue;
		CPU_ZERO(&one);
		CPU_SET(i, &one);
	}
	sched_setaffinity(0, sizeof(one), &one);
}

static void *traffic(void *arg)
{
	struct tally *t = arg;
	struct pkt churned[CHURNED];
	unsigned int seed = (unsigned int)(uintptr_t)t;

	if (paused)
		stay_on(true);
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
static void churn(uint64_t until_ns, uint32_t slots)
{
	uint64_t end_ns = until_ns + PATIENCE_S * RSIP_NS_PER_S;
	uint32_t in_use = 0, most = slots - FEW_SPARE;
	unsigned int seed = 1;

	while (rsip_now_ns() < until_ns || (atomic_load(&lease_cnt) <= 2 * slots && rsip_now_ns() < end_ns)) {
		struct resource *r = &res[rand_r(&seed) % CHURNED];

		if (r->slot) {
			end(r);
			in_use--;
		} else if (in_use < most) {
			lease(r);
			in_use++;
		}
		if (paused) /* a packet waits for so much */
			__atomic_add_fetch(&paused->bss->steps, 1, __ATOMIC_RELEASE);
	}
}

static void name_resources(void)
{
	for (uint32_t i = 0; i < CHURNED; i++) {
		res[i].spi = i & 1;
		res[i].number = i & 1 ? 0x10000000U + i * RSIP_SPI_BLOCK : 4096 + i * RSIP_PORT_BLOCK;
	}
}

static uint64_t for_ns(void)
{
	const char *text = getenv("RSIP_STRESS_S");

	return (text ? strtoull(text, NULL, 10) : 2) * RSIP_NS_PER_S;
}

static void churn_beside_traffic(struct tally *sum, uint32_t slots)
{
	struct tally t[THREADS] = { 0 };
	pthread_t thread[THREADS];
	int threads = paused ? 1 : THREADS; /* those that wait would keep the writer from a CPU */

	for (int i = 0; i < threads; i++)
		cr_assert_eq(pthread_create(&thread[i], NULL, traffic, &t[i]), 0);
	if (paused)
		stay_on(false);
	churn(rsip_now_ns() + for_ns(), slots);
	atomic_store(&stop, true);
	for (int i = 0; i < threads; i++) {
		pthread_join(thread[i], NULL);
		sum->packets += t[i].packets;
		sum->delivered += t[i].delivered;
		sum->astray += t[i].astray;
		sum->lost += t[i].lost;
	}
}

static void expect_all_well(uint32_t slots)
{
	struct tally sum = { 0 };

	pub_ifindex = if_nametoindex("pub0");
	given_binding(HOST_A, PUB_1, spis(STABLE_SPI, STABLE_CNT));
	name_resources();
	churn_beside_traffic(&sum, slots);
	fprintf(stderr, "%u leases, %llu packets, %llu delivered\n", atomic_load(&lease_cnt),
		(unsigned long long)sum.packets, (unsigned long long)sum.delivered);
	cr_expect_eq(sum.astray, 0, "%llu of %llu packets went to a host that did not lease the number",
		     (unsigned long long)sum.astray, (unsigned long long)sum.delivered);
	cr_expect_eq(sum.lost, 0, "%llu packets of a live binding were lost", (unsigned long long)sum.lost);
	cr_expect_gt(atomic_load(&lease_cnt), 2 * slots, "not every slot was used twice");
	cr_expect_gt(sum.delivered, paused ? 0 : 1000);
}

Test(stress, no_packet_goes_astray_and_none_of_a_live_binding_is_lost)
{
	prog = gateway_prog("rsip_xdp_pub");
	expect_all_well(SLOTS);
}

/* ---- packets that wait ---------------------------------------------------------------------------- */

/* The same maps, other programs. */
static int load_paused(struct paused_bpf *obj)
{
	struct rsip_config conf = gateway_config();
	struct bpf_program *other;
	struct bpf_map *map;
	int err = 0, fd;

	RSIP_SET_CONSTANTS(obj, &conf);
	RSIP_SET_BUFFERS(obj->progs.rsip_xdp_pub, &conf); /* as the others that use rsip_devs */
	bpf_object__for_each_program (other, obj->obj)
		bpf_program__set_autoload(other, other == obj->progs.rsip_xdp_pub);
	bpf_object__for_each_map (map, obj->obj) {
		if (err || strchr(bpf_map__name(map), '.'))
			continue;
		fd = gateway_map_named(bpf_map__name(map));
		err = bpf_map__reuse_fd(map, fd);
		close(fd);
	}
	return err ? err : paused_bpf__load(obj);
}

/* All others are leased, and stay so. */
static void given_few_slots(uint16_t left)
{
	for (uint16_t i = 1; i < SLOTS - left; i++)
		given_binding(HOST_B, PUB_2, ports((uint16_t)(4096 + 8 * i), 4));
}

Test(stress, a_slot_rests_while_a_packet_may_still_use_it)
{
	int err;

	paused = paused_bpf__open();
	cr_assert_not_null(paused);
	err = load_paused(paused);
	cr_assert_eq(err, 0, "cannot load the programs that wait: %s", strerror(-err));
	prog = bpf_program__fd(paused->progs.rsip_xdp_pub);
	/* on a device that is down: without any, each test run waits for grace periods */
	given_ip("link add idle0 type veth peer name idle1\n");
	cr_assert_eq(bpf_xdp_attach((int)if_nametoindex("idle0"), prog, 0, NULL), 0);
	given_few_slots(FEW_SLOTS);
	expect_all_well(FEW_SLOTS);
	paused_bpf__destroy(paused);
}
