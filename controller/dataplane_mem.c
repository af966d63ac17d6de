// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The data plane's twin in ordinary memory: the same code over it, no kernel.  For tests of what
 * lies above. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "dataplane_core.h"

#define MEM_PARTS 15
#define MEM_HOSTS6 64

struct mem_dp {
	struct rsip_dp_core core; /* first */
	struct {
		void *at;
		size_t len;
	} part[MEM_PARTS];
	int parts;
	struct rsip_event event;
	bool has_event;
};

/* Pages come when they are touched: a thousand addresses' port tables cost nothing until used. */
static void *part(struct mem_dp *d, uint64_t cnt, size_t size)
{
	void *at = mmap(NULL, cnt * size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	d->part[d->parts].at = at;
	d->part[d->parts++].len = cnt * size;
	return at;
}

static void mem_grace(void *core)
{
	(void)core;
}

static void mem_sweep(void *core, uint64_t now_ns)
{
	(void)now_ns;
	((struct rsip_dp_core *)core)->stale = 0;
}

static int mem_explain(void *core, struct rsip_explain *x)
{
	(void)core;
	(void)x;
	return -EOPNOTSUPP;
}

static uint32_t mem_session(void *core, __be32 host)
{
	(void)core;
	(void)host;
	return 0;
}

static bool mem_iface_gone(uint32_t ifindex)
{
	(void)ifindex;
	return false;
}

static int mem_events_fd(void *core)
{
	(void)core;
	return -1;
}

static void mem_events(void *core, rsip_dp_event_fn fn, void *arg)
{
	struct mem_dp *d = core;

	if (d->has_event)
		fn(arg, &d->event);
	d->has_event = false;
}

void rsip_dataplane_mem_event(struct rsip_dataplane *dp, const struct rsip_event *e)
{
	struct mem_dp *d = (struct mem_dp *)dp;

	d->event = *e;
	d->has_event = true;
}

static void mem_release(void *core)
{
	struct mem_dp *d = core;

	for (int i = 0; i < d->parts; i++)
		munmap(d->part[i].at, d->part[i].len);
	free(d);
}

static const struct rsip_dp_back mem_back = {
	.grace = mem_grace,
	.sweep = mem_sweep,
	.events_fd = mem_events_fd,
	.explain = mem_explain,
	.session = mem_session,
	.iface_gone = mem_iface_gone,
	.events = mem_events,
	.release = mem_release,
};

static uint32_t power_of_two(uint32_t at_least)
{
	uint32_t n = 2;

	while (n < at_least)
		n *= 2;
	return n;
}

/* One public and one private interface, as an operator's gateway would have. */
static void make_ifaces(struct rsip_iface *iface)
{
	iface[1] = (struct rsip_iface){ .ifindex = 1,
					.role = RSIP_ROLE_PUBLIC,
					.mac = { 2, 0, 0, 0, 1, 1 },
					.mtu = 1500,
					.name = "pub0" };
	iface[2] = (struct rsip_iface){
		.ifindex = 2,
		.role = RSIP_ROLE_PRIVATE,
		.mac = { 2, 0, 0, 0, 2, 1 },
		.mtu = 1500,
		.name = "priv0",
		.endpoint = htonl(0x0a000001), /* 10.0.0.1 */
		.endpoint6 = { htonl(0x20010db8), htonl(0x00010000), 0, htonl(1) } /* 2001:db8:1::1 */
	};
}

static bool make_parts(struct mem_dp *d)
{
	const struct rsip_config *k = &d->core.config;
	struct rsip_dp_mem *m = &d->core.m;
	struct rsip_iface *ifaces = part(d, RSIP_MAX_IFACES, sizeof(*ifaces));

	m->config = &d->core.config;
	m->ifaces = ifaces;
	m->policy = part(d, 1, sizeof(*m->policy));
	m->addrs = part(d, k->addr_buckets, sizeof(*m->addrs));
	m->addr_info = part(d, k->max_addrs, sizeof(*m->addr_info));
	m->blocks = part(d, (uint64_t)k->max_addrs * RSIP_PORT_BLOCKS / 16, sizeof(*m->blocks));
	m->ports = part(d, (uint64_t)k->max_addrs * 4096, sizeof(*m->ports));
	m->spis = part(d, k->spi_buckets, sizeof(*m->spis));
	m->pairs = part(d, k->pair_buckets, sizeof(*m->pairs));
	m->remotes = part(d, k->remote_buckets, sizeof(*m->remotes));
	m->host6_tab = part(d, rsip_host6_buckets(k->max_hosts6), sizeof(*m->host6_tab));
	m->hosts6 = part(d, k->max_hosts6 + 1ULL, sizeof(*m->hosts6));
	m->bindings = part(d, k->max_bindings + 1ULL, sizeof(*m->bindings));
	m->bind_cnt = part(d, k->cpus * (k->max_bindings + 1ULL), sizeof(*m->bind_cnt));
	m->learned = part(d, k->max_learned + 1ULL, sizeof(*m->learned));
	m->counters = part(d, k->cpus * RSIP_MAX_IFACES, sizeof(*m->counters));
	if (d->parts < MEM_PARTS)
		return false;
	make_ifaces(ifaces);
	return true;
}

int rsip_dataplane_mem(uint32_t max_bindings, uint32_t max_addrs, struct rsip_dataplane **out)
{
	struct mem_dp *d = calloc(1, sizeof(*d));
	int err = -ENOMEM;

	if (!d)
		return -ENOMEM;
	if (!max_bindings || !max_addrs) {
		free(d);
		return -EINVAL;
	}
	d->core.back = &mem_back;
	d->core.config = (struct rsip_config){
		.layout_version = RSIP_LAYOUT_VERSION,
		.cpus = 2,
		.hash_seed = 0x5273497053656564ULL,
		.max_bindings = max_bindings,
		.max_addrs = max_addrs,
		.max_learned = max_bindings,
		.addr_buckets = power_of_two(max_addrs / 4 + 1),
		.spi_buckets = power_of_two(max_bindings),
		.pair_buckets = power_of_two(max_bindings / 2 + 1),
		.remote_buckets = power_of_two(max_bindings / 2 + 1),
		.max_hosts6 = MEM_HOSTS6,
		.mode = RSIP_MODE_NATIVE,
		.tunnels = RSIP_CONFIG_TUNNELS,
	};
	if (make_parts(d))
		err = rsip_dp_core_init(&d->core);
	if (err) {
		mem_release(d);
		return err;
	}
	*out = &d->core.dp;
	return 0;
}
