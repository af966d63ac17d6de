// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A gateway for one test: namespace, devices, maps and programs; all of it goes with the test's
 * process. */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "dataplane_bpf.h"
#include "gateway.h"
#include "gateway_priv.h"
#include "gateway_tun.h"
#include "util.h"

struct gateway gw;

/* ---- devices --------------------------------------------------------------------------------- */

#define CABLES \
	"link add pub0 numrxqueues 1 numtxqueues 1 type veth peer name pub0p\n" \
	"link add priv0 numrxqueues 1 numtxqueues 1 type veth peer name priv0p\n" \
	"link add priv1 numrxqueues 1 numtxqueues 1 type veth peer name priv1p\n" \
	"link set pub0 address 02:00:00:00:01:02\n" \
	"link set priv0 address 02:00:00:00:02:01\n" \
	"link set priv1 address 02:00:00:00:03:01\n" \
	"link set pub0p up\nlink set priv0p up\nlink set priv1p up\n"

#define TOPOLOGY \
	"link set lo up\n" \
	"link add slow0 numrxqueues 1 numtxqueues 1 type veth peer name slow0p\n" \
	"link set pub0 up\nlink set priv0 up\nlink set priv1 up\n" \
	"addr add 192.0.2.2/24 dev pub0\n" \
	"addr add 10.0.0.1/24 dev priv0\n" \
	"addr add 10.0.1.1/24 dev priv1\n" \
	"neigh replace 192.0.2.1 lladdr 02:00:00:00:01:01 dev pub0 nud permanent\n" \
	"route add default via 192.0.2.1 dev pub0\n" \
	"route add 172.16.0.0/16 via 10.0.0.10 dev priv0\n" \
	"route add blackhole 198.51.100.66/32\n"

void given_ip(const char *lines)
{
	FILE *ip = popen("exec ip -batch - >/dev/null", "w");

	cr_assert_not_null(ip);
	fputs(lines, ip);
	cr_assert_eq(pclose(ip), 0, "cannot make the devices of the test (is iproute2 installed?)");
}

static void write_line(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f) {
		fprintf(f, "%s\n", text);
		fclose(f);
	}
}

static void make_devices(void)
{
	int err;

	if (has_ethernet()) {
		given_ip(CABLES TOPOLOGY); /* at once: a process is most of what a case takes on an emulated CPU */
	} else {
		write_line("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"); /* the kernel sends reports of its own */
		err = gateway_tun_make();
		if (err == -ENOENT)
			cr_skip_test("this kernel has no TUN");
		cr_assert_eq(err, 0, "cannot make TUN devices: %s", strerror(-err));
		given_ip("link set caught0 up\n" TOPOLOGY);
	}
}

bool has_ethernet(void)
{
	return gateway_mode() < GATEWAY_L3;
}

void about_ethernet(void)
{
	if (!has_ethernet())
		cr_skip_test("about Ethernet");
}

void about_outer_header(void)
{
	if (gateway_mode() == GATEWAY_L2TP)
		cr_skip_test("about the outer header");
}

void given_neighbour(const char *neigh)
{
	char line[128];

	snprintf(line, sizeof(line), "neigh replace %s nud permanent\n", neigh);
	given_ip(line);
}

/* ---- maps, as the loader fills them ---------------------------------------------------------- */

static struct rsip_iface get_iface(uint32_t index)
{
	struct rsip_iface rec;

	cr_assert_eq(bpf_map_lookup_elem(gw.fd_ifaces, &index, &rec), 0);
	return rec;
}

static void set_iface(uint32_t index, const struct rsip_iface *rec)
{
	cr_assert_eq(bpf_map_update_elem(gw.fd_ifaces, &index, rec, BPF_ANY), 0);
}

static void put_iface(uint32_t index, const char *name, uint8_t role, const char *mac,
		      __be32 endpoint)
{
	struct rsip_iface rec = {
		.ifindex = if_nametoindex(name), .role = role, .endpoint = endpoint, .mtu = 1500
	};
	uint32_t bucket = rec.ifindex % RSIP_IFTAB_BUCKETS;
	struct rsip_iftab_bucket b;

	if (role == RSIP_ROLE_PRIVATE)
		memcpy(rec.endpoint6, index == IF_PRIV2 ? GW6_PRIV2 : GW6_PRIV, 16);
	if (has_ethernet() || role == RSIP_ROLE_SLOW)
		memcpy(rec.mac, mac, 6);
	else
		rec.flags = RSIP_IFACE_NO_ETHERNET;
	snprintf(rec.name, sizeof(rec.name), "%s", name);
	gw.ifindex[index] = rec.ifindex;
	set_iface(index, &rec);
	cr_assert_eq(bpf_map_update_elem(gw.fd_devs, &index, &rec.ifindex, BPF_ANY), 0,
		     "rsip_devs: %s", strerror(errno));
	cr_assert_eq(bpf_map_lookup_elem(gw.fd_iftab, &bucket, &b), 0);
	for (int i = 0; i < 8; i++) {
		if (b.e[i].ifindex)
			continue;
		b.e[i].ifindex = rec.ifindex;
		b.e[i].iface = index;
		break;
	}
	cr_assert_eq(bpf_map_update_elem(gw.fd_iftab, &bucket, &b, BPF_ANY), 0);
}

void given_mtu(uint32_t iface, uint32_t mtu)
{
	struct rsip_iface rec = get_iface(iface);

	rec.mtu = mtu;
	set_iface(iface, &rec);
}

void given_long_frames(bool taken)
{
	given_ip("link set pub0 mtu 9000\nlink set priv0 mtu 9000\nlink set priv1 mtu 9000\n");
	for (uint32_t i = IF_PUB; i <= IF_PRIV2; i++) {
		struct rsip_iface rec = get_iface(i);

		rec.mtu = 9000;
		rec.flags = taken ? RSIP_IFACE_BUFFERS : 0;
		set_iface(i, &rec);
	}
}

void given_virtual_mac(uint32_t iface, const char *mac)
{
	struct rsip_iface rec = get_iface(iface);

	memcpy(rec.vmac, mac, 6);
	set_iface(iface, &rec);
}

static __be32 endpoint;

void given_endpoint(__be32 addr)
{
	endpoint = addr;
	given_policy(0);
}

void given_policy(uint32_t flags)
{
	struct rsip_policy policy = { .flags = flags,
				      .net_cnt = 2,
				      .endpoints = { endpoint },
				      .endpoint_cnt = endpoint != 0 };

	policy.private_nets[0] =
		(struct rsip_net){ CAST_IP(10, 0, 0, 0), CAST_IP(255, 255, 255, 0) };
	policy.private_nets[1] =
		(struct rsip_net){ CAST_IP(10, 0, 1, 0), CAST_IP(255, 255, 255, 0) };
	cr_assert_eq(gw.dp->ops->set_policy(gw.dp, &policy), 0);
}

void given_capture(void)
{
	int err = gateway_capture_load(&gw);

	cr_assert_eq(err, 0, "cannot load the capturing program: %s", strerror(-err));
}

void given_rsipd(bool alive)
{
	gw.dp->ops->alive(gw.dp, alive ? UINT64_MAX / 2 : 0);
}

/* The programs keep some things for each CPU: fragments that follow each other, what they tell rsipd in a second. */
static void stay_on_this_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(sched_getcpu(), &one);
	cr_assert_eq(sched_setaffinity(0, sizeof(one), &one), 0);
}

void gateway_up(void)
{
	char why[256];
	int err;

	stay_on_this_cpu();
	if (unshare(CLONE_NEWNET))
		cr_skip_test("needs CAP_NET_ADMIN and CAP_BPF: run as root");
	make_devices();
	write_line("/proc/sys/net/ipv4/ip_forward", "1");
	err = gateway_load(&gw);
	if (err == -EPERM)
		cr_skip_test("needs CAP_BPF: run as root");
	cr_assert_eq(err, 0, "cannot load the programs: %s", strerror(-err));
	put_iface(IF_PUB, "pub0", RSIP_ROLE_PUBLIC, MAC_GW_PUB, GW_PUB);
	put_iface(IF_PRIV, "priv0", RSIP_ROLE_PRIVATE, MAC_GW_PRIV, GW_PRIV);
	put_iface(IF_SLOW, "slow0", RSIP_ROLE_SLOW, MAC_ALL, 0);
	put_iface(IF_PRIV2, "priv1", RSIP_ROLE_PRIVATE, MAC_GW_PRIV2, GW_PRIV2);
	cr_assert_eq(rsip_dataplane_from_fds(gw.fd, &gw.dp, why, sizeof(why)), 0, "%s", why);
	cr_assert_eq(rsip_dataplane_explain_with(gw.dp, gw.fd_explain), 0);
	cr_assert_eq(gw.dp->ops->addr_add(gw.dp, 0, PUB_1, 0), 0);
	cr_assert_eq(gw.dp->ops->addr_add(gw.dp, 1, PUB_2, 0), 0);
	cr_assert_eq(gw.dp->ops->addr_add(gw.dp, 2, PUB_IDLE, 0), 0);
	given_policy(0);
	given_rsipd(true);
	if (!has_ethernet())
		gateway_tun_attach();
}

void gateway_down(void)
{
	if (gw.dp)
		gw.dp->ops->close(gw.dp);
	gateway_unload(&gw);
}

struct rsip_dataplane *gateway_dp(void)
{
	return gw.dp;
}

struct bpf_object *gateway_object(bool tc)
{
	return gateway_bpf_object(&gw, tc);
}

int gateway_map(int map)
{
	return gw.fd[map];
}

int gateway_prog(const char *name)
{
	int fd = gateway_copy_prog(&gw.copy, name);

	cr_assert_geq(fd, 0, "no program %s: %s", name, strerror(-fd));
	return fd;
}

int gateway_map_named(const char *name)
{
	int fd = gateway_copy_map(&gw.copy, name);

	cr_assert_geq(fd, 0, "no map %s: %s", name, strerror(-fd));
	return fd;
}

void gateway_clear(void)
{
	cr_assert_eq(gateway_copy_clear(&gw.copy), 0);
}

void gateway_clear_map(const char *name)
{
	int err = gateway_copy_clear_map(&gw.copy, name);

	cr_assert_eq(err, 0, "cannot empty %s: %s", name, strerror(-err));
}

/* ---- given ----------------------------------------------------------------------------------- */

const char *gateway_mac_of(__be32 host)
{
	if (RSIP_HOST6_IS(host))
		return MAC_HOST6;
	return host == HOST_A ? MAC_HOST_A : host == HOST_B ? MAC_HOST_B : MAC_HOST_C;
}

static uint64_t nexthop_of(__be32 host)
{
	union rsip_nexthop hop = { .iface = host == HOST_C ? IF_PRIV2 : IF_PRIV };

	memcpy(hop.mac, gateway_mac_of(host), 6);
	return hop.word;
}

static uint64_t expiry_of(const struct given *g)
{
	if (g->expired)
		return rsip_now_ns() - RSIP_NS_PER_S;
	return rsip_now_ns() + (g->longer ? 7200 : 3600) * RSIP_NS_PER_S;
}

__be32 given_host6(const char *addr)
{
	uint32_t index;

	cr_assert_eq(gw.dp->ops->host6_add(gw.dp, (const uint8_t *)addr, &index), 0);
	return RSIP_HOST6_HANDLE(index);
}

/* What a device of 1500 bytes takes, less the tunnel's header. */
static uint16_t longest_inner(__be32 host, uint8_t tunnel)
{
	return (uint16_t)(1480 - (tunnel == 2 ? 4 : 0) - (RSIP_HOST6_IS(host) ? 20 : 0));
}

static uint8_t tunnel_of(const struct given *g)
{
	if (g->tunnel)
		return g->tunnel;
	return gateway_mode() == GATEWAY_L2TP && !RSIP_HOST6_IS(g->host) ? RSIP_TUNNEL_L2TP : RSIP_TUNNEL_IPIP;
}

uint32_t gateway_bind(const struct given *g)
{
	uint8_t tunnel = tunnel_of(g);
	struct rsip_dp_binding b = { .rec = {
					     .expires_ns = expiry_of(g),
					     .nexthop = g->no_nexthop ? 0 : nexthop_of(g->host),
					     .local = g->local,
					     .host = g->host,
					     .endpoint = g->endpoint	       ? g->endpoint
							 : RSIP_HOST6_IS(g->host) ? 0
							 : g->host == HOST_C ? GW_PRIV2
									     : GW_PRIV,
					     .bind_id = ++gw.binds,
					     .client_id = g->host,
					     .remote = g->remote,
					     .kind = g->kind,
					     .remote_port = (__be16)(g->remote_port << 8 |
								     g->remote_port >> 8),
					     .remote_port_cnt = g->remote_port_cnt,
					     .iface = g->host == HOST_C ? IF_PRIV2 : IF_PRIV,
					     .dscp = g->dscp,
					     .mtu = g->mtu ? g->mtu : longest_inner(g->host, tunnel),
					     .method = g->whole	       ? 1
						       : g->spi[0].cnt ? 3
								       : 2,
					     .tunnel = tunnel,
					     .transport = 1,
				     } };
	struct rsip_spi_range range[4];
	uint32_t slot;
	int err;

	if (g->kind & RSIP_KIND_IKE_500)
		b.ports.port[b.ports.cnt++] = 500;
	if (g->kind & RSIP_KIND_IKE_4500)
		b.ports.port[b.ports.cnt++] = 4500;
	for (uint16_t i = 0; i < g->port_cnt; i++)
		b.ports.port[b.ports.cnt++] = (uint16_t)(g->port_first + i);
	while (b.spis.range_cnt < 4 && g->spi[b.spis.range_cnt].cnt) {
		range[b.spis.range_cnt] = g->spi[b.spis.range_cnt];
		b.spis.range_cnt++;
	}
	b.spis.range = range;
	if (tunnel == RSIP_TUNNEL_L2TP)
		gateway_tun_session(&b.rec);
	err = gw.dp->ops->bind_install(gw.dp, &b, &slot);
	cr_assert_eq(err, 0, "cannot install the binding: %s", strerror(-err));
	cr_assert_lt(slot, GATEWAY_BINDINGS);
	return slot;
}

void gateway_rules(__be32 local, const struct rsip_dp_addr_rules *rules)
{
	uint32_t index = local == PUB_1 ? 0 : local == PUB_2 ? 1 : 2;

	cr_assert_eq(gw.dp->ops->addr_rules(gw.dp, index, rules), 0);
}

void given_end_of(uint32_t slot)
{
	cr_assert_eq(gw.dp->ops->bind_remove(gw.dp, slot), 0);
}
