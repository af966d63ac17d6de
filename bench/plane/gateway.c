// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "plane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/mount.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "bench.skel.h"
#include "log.h"
#include "object.h"
#include "sizes.h"
#include "util.h"

#define IFACE_PUB 1
#define IFACE_PRIV 2

static const char topology[] =
	"set -e\n"
	"ip link set lo up\n"
	"for s in pub priv; do\n"
	"  ip link add ${s}0 numrxqueues 1 numtxqueues 1 type veth peer name ${s}0p numrxqueues 1 "
	"numtxqueues 1\n"
	"  ethtool -K ${s}0 gro on; ethtool -K ${s}0p gro on\n"
	"done\n"
	"ip link set pub0 address 02:00:00:00:01:02; ip link set pub0p address 02:00:00:00:01:01\n"
	"ip link set priv0 address 02:00:00:00:02:01; ip link set priv0p address "
	"02:00:00:00:02:02\n"
	"for d in pub0p priv0p pub0 priv0; do ip link set $d up; done\n"
	"ip tuntap add dev ppp0 mode tun; ip link set ppp0 up\n"
	"ip addr add 192.0.2.2/24 dev pub0; ip addr add 10.0.0.1/8 dev priv0\n"
	"ip neigh replace 192.0.2.1 lladdr 02:00:00:00:01:01 dev pub0 nud permanent\n"
	"ip neigh replace 10.0.0.2 lladdr 02:00:00:00:02:02 dev priv0 nud permanent\n"
	"ip route add default via 192.0.2.1\n"
	"ip route add 198.18.0.0/15 via 10.0.0.2\n"
	"sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0\n";

int bench_command(const char *text)
{
	FILE *sh = popen("/bin/sh", "w");
	int rc;

	if (!sh)
		return -errno;
	fputs(text, sh);
	rc = pclose(sh);
	if (!rc)
		return 0;
	log_err("a command of the bench failed (its words are above)");
	return -EIO;
}

/* All on one CPU, the first that we may use: the path is a closed loop. */
static int one_cpu(void)
{
	cpu_set_t all, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(all), &all))
		return -errno;
	while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	return sched_setaffinity(0, sizeof(one), &one) ? -errno : 0;
}

int bench_namespace(void)
{
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};
	int err;

	setrlimit(RLIMIT_MEMLOCK, &all);
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("sysfs", "/sys", "sysfs", 0, NULL)) {
		err = -errno;
		log_err("cannot make a network namespace: %s (run as root)", strerror(errno));
		return err;
	}
	err = bench_command(topology);
	return err ? err : one_cpu();
}

static int describe(struct bench_gateway *gw, struct rsip_iface iface[2])
{
	iface[0] = (struct rsip_iface){
		.role = RSIP_ROLE_PUBLIC, .mtu = 1500, .name = "pub0", .mac = {2, 0, 0, 0, 1, 2}};
	iface[1] = (struct rsip_iface){.role = RSIP_ROLE_PRIVATE,
				       .mtu = 1500,
				       .name = "priv0",
				       .mac = {2, 0, 0, 0, 2, 1},
				       .endpoint = htonl(BENCH_ENDPOINT),
				       .endpoint6 = {htonl(BENCH_NET6), 0, 0, htonl(BENCH_ENDPOINT)}};
	gw->ifindex_pub = iface[0].ifindex = if_nametoindex("pub0");
	gw->ifindex_priv = iface[1].ifindex = if_nametoindex("priv0");
	gw->ifindex_pub_peer = if_nametoindex("pub0p");
	gw->ifindex_priv_peer = if_nametoindex("priv0p");
	gw->ifindex_ppp = if_nametoindex("ppp0");
	return gw->ifindex_pub && gw->ifindex_priv && gw->ifindex_pub_peer && gw->ifindex_priv_peer && gw->ifindex_ppp
		       ? 0
		       : -ENODEV;
}

static int load(struct bench_gateway *gw, uint32_t bindings)
{
	uint32_t addrs = (bindings + BENCH_PER_ADDR - 1) / BENCH_PER_ADDR;
	uint64_t begin = rsip_now_ns();
	struct rsip_iface iface[2];
	int err = describe(gw, iface);

	gw->config = (struct rsip_config){.layout_version = RSIP_LAYOUT_VERSION,
					  .mode = RSIP_MODE_NATIVE,
					  .tunnels = RSIP_CONFIG_TUNNELS,
					  .attached_ns = begin};
	if (gw->tunnel == BENCH_IP6)
		gw->config.max_hosts6 = bindings;
	rsip_random(&gw->config.hash_seed, sizeof(gw->config.hash_seed));
	rsip_sizes_compute(bindings, addrs, bindings, (uint32_t)libbpf_num_possible_cpus(),
			   &gw->config);
	if (!err)
		err = rsip_object_load(
			&gw->config, bindings < 1024 ? 1024 : bindings + bindings / 4, &gw->object);
	if (!err)
		err = rsip_object_fill(gw->object, &gw->config, iface, 2);
	gw->load_ns = rsip_now_ns() - begin;
	return err;
}

static int open_dataplane(struct bench_gateway *gw)
{
	struct rsip_policy policy = {.net_cnt = 1};
	int fd[RSIP_DP_MAPS], err;
	char why[256];

	for (int i = 0; i < RSIP_DP_MAPS; i++)
		fd[i] = rsip_object_map(gw->object, rsip_dp_map_name(i));
	err = rsip_dataplane_from_fds(fd, &gw->dp, why, sizeof(why));
	if (err) {
		log_err("%s", why);
		return err;
	}
	policy.private_nets[0] = (struct rsip_net){htonl(0x0a000000), htonl(0xff000000)};
	err = gw->dp->ops->set_policy(gw->dp, &policy);
	for (uint32_t i = 0; i < gw->config.max_addrs && !err; i++)
		err = gw->dp->ops->addr_add(gw->dp, i, htonl(BENCH_POOL + i), 0);
	return err;
}

/* The host of binding number i, as records have it: its address, or the handle for it. */
static int host_of(struct bench_gateway *gw, uint32_t i, __be32 *host)
{
	const __be32 addr[4] = {htonl(BENCH_NET6), 0, 0, htonl(BENCH_HOST + i)};
	uint32_t index;
	int err;

	*host = addr[3];
	if (gw->tunnel != BENCH_IP6)
		return 0;
	err = gw->dp->ops->host6_add(gw->dp, (const uint8_t *)addr, &index);
	if (!err)
		*host = RSIP_HOST6_HANDLE(index);
	return err;
}

/* RFC 3103 8.6 */
static uint8_t tunnel_type(enum bench_tunnel tunnel)
{
	return tunnel == BENCH_L2TP ? 3 : tunnel == BENCH_GRE ? 2 : 1;
}

/* Binding number i, as job.h has it. */
static int install(struct bench_gateway *gw, uint32_t i, uint64_t expires_ns)
{
	struct rsip_spi_range range = {BENCH_SPI + i * BENCH_SPI_STEP, BENCH_SPIS};
	union rsip_nexthop hop = {.mac = {2, 0, 0, 0, 2, 2}, .iface = IFACE_PRIV};
	struct rsip_dp_binding b = {.rec = {.expires_ns = expires_ns,
					    .nexthop = hop.word,
					    .local = htonl(BENCH_POOL + i / BENCH_PER_ADDR),
					    .endpoint = gw->tunnel == BENCH_IP6 ? 0 : htonl(BENCH_ENDPOINT),
					    .bind_id = i + 1,
					    .client_id = i + 1,
					    .iface = IFACE_PRIV,
					    .mtu = gw->tunnel == BENCH_IP6   ? 1460
						   : gw->tunnel == BENCH_GRE ? 1476
									     : 1480,
					    .method = 3,
					    .tunnel = tunnel_type(gw->tunnel),
					    .transport = 1},
				    .spis = {.range_cnt = 1, .range = &range}};
	uint32_t slot;
	int err = host_of(gw, i, &b.rec.host);

	if (err)
		return err;
	for (uint16_t p = 0; p < BENCH_PORTS; p++)
		b.ports.port[b.ports.cnt++] =
			(uint16_t)(BENCH_PORT_FIRST + i % BENCH_PER_ADDR * BENCH_PORTS + p);
	return gw->dp->ops->bind_install(gw->dp, &b, &slot);
}

/* What PPP would have on a kernel that has it: the first host's session, on an interface without Ethernet header. */
static int open_session(struct bench_gateway *gw)
{
	struct rsip_session session = {.host = htonl(BENCH_HOST),
				       .endpoint = htonl(BENCH_ENDPOINT),
				       .iface = IFACE_PRIV,
				       .mtu = 1480,
				       .ifindex = gw->ifindex_ppp,
				       .since_ns = rsip_now_ns()};
	int of = rsip_object_map(gw->object, "rsip_ppp_of"), sessions = rsip_object_map(gw->object, "rsip_sessions");
	int err = rsip_object_tc_load(gw->object, &gw->config, &gw->tc);

	if (err)
		return err;
	if (bpf_map_update_elem(sessions, &gw->ifindex_ppp, &session, BPF_ANY) ||
	    bpf_map_update_elem(of, &session.host, &gw->ifindex_ppp, BPF_ANY)) {
		err = -errno;
		log_err("cannot open the bench's L2TP session: %s", strerror(-err));
	}
	return err;
}

static int fill(struct bench_gateway *gw, uint32_t bindings)
{
	uint64_t begin = rsip_now_ns();
	int err = 0;

	for (gw->n = 0; gw->n < bindings && !err; gw->n++)
		err = install(gw, gw->n, begin + 86400 * RSIP_NS_PER_S);
	gw->install_ns = rsip_now_ns() - begin;
	if (err)
		log_err("cannot install binding %u: %s", gw->n, strerror(-err));
	return err;
}

/* The tools must agree with the product about frames of more than one page, or no tail call is
 * allowed. */
static int load_tools(struct bench_gateway *gw)
{
	struct bpf_program *prog;
	uint32_t zero = 0, one = 1;

	gw->tools = bench_bpf__open();
	if (!gw->tools)
		return -errno;
	bpf_object__for_each_program(prog, gw->tools->obj)
		if (bpf_program__type(prog) == BPF_PROG_TYPE_XDP)
			bpf_program__set_flags(prog, BPF_F_XDP_HAS_FRAGS);
	bpf_map__set_max_entries(gw->tools->maps.bench_lines, gw->n);
	if (bench_bpf__load(gw->tools)) {
		log_err("cannot load the bench's programs: %s", strerror(errno));
		return -errno;
	}
	if (bpf_map__update_elem(gw->tools->maps.bench_devs, &zero, 4, &gw->ifindex_pub_peer, 4,
				 0) ||
	    bpf_map__update_elem(gw->tools->maps.bench_devs, &one, 4, &gw->ifindex_priv, 4, 0))
		return -errno;
	return 0;
}

int bench_gateway_open(struct bench_gateway *gw, uint32_t bindings, enum bench_tunnel tunnel)
{
	int err;

	memset(gw, 0, sizeof(*gw));
	gw->tunnel = tunnel;
	err = load(gw, bindings);
	if (!err)
		err = open_dataplane(gw);
	if (!err)
		err = fill(gw, bindings);
	if (!err)
		err = load_tools(gw);
	if (!err && tunnel == BENCH_L2TP)
		err = open_session(gw);
	if (err)
		bench_gateway_close(gw);
	return err;
}

void bench_gateway_close(struct bench_gateway *gw)
{
	if (gw->tools)
		bench_bpf__destroy(gw->tools);
	if (gw->dp)
		gw->dp->ops->close(gw->dp);
	if (gw->tc)
		rsip_object_tc_close(gw->tc);
	if (gw->object)
		rsip_object_close(gw->object);
	memset(gw, 0, sizeof(*gw));
}

/* The links go with their descriptors. */
int bench_attach(struct bench_gateway *gw)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = XDP_FLAGS_DRV_MODE);
	uint64_t begin = rsip_now_ns();
	int pub = bpf_link_create(bench_program(gw, false), (int)gw->ifindex_pub, BPF_XDP, &opts);
	int priv = bpf_link_create(bench_program(gw, true), (int)gw->ifindex_priv, BPF_XDP, &opts);

	gw->attach_ns = rsip_now_ns() - begin;
	if (pub >= 0)
		close(pub);
	if (priv >= 0)
		close(priv);
	return pub < 0 || priv < 0 ? -EIO : 0;
}

int bench_program(const struct bench_gateway *gw, bool tunnelled)
{
	const struct rsip_iface pub = {.role = RSIP_ROLE_PUBLIC};

	if (gw->tunnel == BENCH_L2TP)
		return tunnelled ? rsip_object_tc_session_prog(gw->tc) : rsip_object_tc_prog(gw->tc, &pub);
	return rsip_object_prog(gw->object, tunnelled ? RSIP_ROLE_PRIVATE : RSIP_ROLE_PUBLIC);
}
