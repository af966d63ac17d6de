// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A gateway for one test: namespace, devices, maps and programs; all of it goes with the test's
 * process. */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "dataplane_bpf.h"
#include "gateway.h"
#include "gateway_maps.h"
#include "gateway_tun.h"
#include "util.h"

static struct gateway gw;

/* ---- devices --------------------------------------------------------------------------------- */

static const char cables[] =
	"link add pub0 numrxqueues 1 numtxqueues 1 type veth peer name pub0p\n"
	"link add priv0 numrxqueues 1 numtxqueues 1 type veth peer name priv0p\n"
	"link add priv1 numrxqueues 1 numtxqueues 1 type veth peer name priv1p\n"
	"link set pub0 address 02:00:00:00:01:02\n"
	"link set priv0 address 02:00:00:00:02:01\n"
	"link set priv1 address 02:00:00:00:03:01\n"
	"link set pub0p up\nlink set priv0p up\nlink set priv1p up\n";

static const char topology[] =
	"link set lo up\n"
	"link add slow0 numrxqueues 1 numtxqueues 1 type veth peer name slow0p\n"
	"link set pub0 up\nlink set priv0 up\nlink set priv1 up\n"
	"addr add 192.0.2.2/24 dev pub0\n"
	"addr add 10.0.0.1/24 dev priv0\n"
	"addr add 10.0.1.1/24 dev priv1\n"
	"neigh replace 192.0.2.1 lladdr 02:00:00:00:01:01 dev pub0 nud permanent\n"
	"route add default via 192.0.2.1 dev pub0\n"
	"route add 172.16.0.0/16 via 10.0.0.10 dev priv0\n"
	"route add blackhole 198.51.100.66/32\n";

void given_ip(const char *lines)
{
	FILE *ip = popen("ip -batch - >/dev/null", "w");

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
		given_ip(cables);
	} else {
		write_line("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1"); /* the kernel sends reports of its own */
		err = gateway_tun_make();
		if (err == -ENOENT)
			cr_skip_test("this kernel has no TUN");
		cr_assert_eq(err, 0, "cannot make TUN devices: %s", strerror(-err));
		given_ip("link set caught0 up\n");
	}
	given_ip(topology);
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

void given_rsipd(bool alive)
{
	gw.dp->ops->alive(gw.dp, alive ? UINT64_MAX / 2 : 0);
}

void gateway_up(void)
{
	char why[256];
	int err;

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
		gateway_tun_attach(&gw);
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
	return gw.mode == GATEWAY_L2TP && !RSIP_HOST6_IS(g->host) ? RSIP_TUNNEL_L2TP : RSIP_TUNNEL_IPIP;
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
		gateway_tun_session(&gw, &b.rec);
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

/* ---- then ------------------------------------------------------------------------------------ */

uint32_t outer_len(const struct pkt *p)
{
	return (uint32_t)p->data[16] << 8 | p->data[17];
}

uint32_t inner_len(const struct pkt *p)
{
	bool six = p->data[12] == 0x86;
	uint32_t at = (six ? 54 : 34) + (p->data[six ? 20 : 23] == 47 ? 4 : 0); /* behind GRE without options, too */

	return (uint32_t)p->data[at + 2] << 8 | p->data[at + 3];
}

/* TC's answers in XDP's words.  A packet that goes back where it came from is redirected, too. */
static uint32_t as_xdp(uint32_t action, bool turned_back)
{
	switch ((int)action) {
	case TC_ACT_UNSPEC:
		return XDP_PASS;
	case TC_ACT_SHOT:
	case TC_ACT_STOLEN: /* kept for later: nothing is counted */
		return XDP_DROP;
	case TC_ACT_REDIRECT:
		return turned_back ? XDP_TX : XDP_REDIRECT;
	}
	return XDP_ABORTED;
}

/* TC's redirect does not say where to: what is answered in place goes back. */
static uint64_t turned_back(void)
{
	return gateway_counter(RSIP_CNT_ARP_ANSWERED) + gateway_counter(RSIP_CNT_ICMP_SENT) +
	       gateway_counter(RSIP_CNT_ECHO_ANSWERED);
}

/*
 * false: the kernel does not test-run TC programs on frames that end inside a network header (it does
 * hand them such frames in earnest).
 */
static bool run_tc(int prog, struct __sk_buff ctx, struct ran *ran, const uint8_t *data,
		   uint32_t len)
{
	uint64_t turned = turned_back();
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = len,
		    .data_out = ran->data, .data_size_out = sizeof(ran->data), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .ctx_out = &ctx, .ctx_size_out = sizeof(ctx),
		    .repeat = 1);
	int err = bpf_prog_test_run_opts(prog, &opts);

	if (err == -EINVAL && len < ETH_ZLEN)
		return false;
	cr_assert_eq(err, 0, "the test run failed: %s", strerror(errno));
	ran->action = as_xdp(opts.retval, turned_back() != turned);
	ran->len = opts.data_size_out;
	ran->mark = ctx.mark;
	return true;
}

static bool run_tc_ingress(int iface, struct ran *ran, const uint8_t *data, uint32_t len)
{
	struct __sk_buff ctx = { .ifindex = gw.ifindex[iface],
				 .ingress_ifindex = gw.ifindex[iface] };

	return run_tc(iface == IF_PUB ? gw.fd_tc_pub : gw.fd_tc_priv, ctx, ran, data, len);
}

/* 0 or negative errno. */
static int run_xdp(int iface, struct ran *ran, const uint8_t *data, uint32_t len, uint32_t first)
{
	struct xdp_md ctx = { .data_end = first, .ingress_ifindex = gw.ifindex[iface] };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = data, .data_size_in = len,
		    .data_out = ran->data, .data_size_out = sizeof(ran->data), .ctx_in = &ctx,
		    .ctx_size_in = sizeof(ctx), .repeat = 1);
	int err = bpf_prog_test_run_opts(iface == IF_PUB ? gw.fd_pub : gw.fd_priv, &opts);

	ran->action = opts.retval;
	ran->len = opts.data_size_out;
	ran->mark = 0;
	return err ? -errno : 0;
}

const struct ran *gateway_run_buffers(int iface, const uint8_t *data, uint32_t len, uint32_t first)
{
	static struct ran ran;
	int err = run_xdp(iface, &ran, data, len, first ? first : len);

	if (err == -EINVAL && first)
		return NULL;
	cr_assert_eq(err, 0, "the test run failed: %s", strerror(-err));
	return &ran;
}

/* What the kernel does: TC gets what XDP has passed. */
const struct ran *gateway_run(int iface, const uint8_t *data, uint32_t len)
{
	static struct ran ran;
	static uint8_t passed[sizeof(ran.data)];
	int err;

	if (!has_ethernet() && len > ETH_HLEN) {
		gateway_tun_run(iface, &ran, data, len, turned_back);
		return &ran;
	}
	if (gw.mode == GATEWAY_TC && run_tc_ingress(iface, &ran, data, len))
		return &ran;
	err = run_xdp(iface, &ran, data, len, len);
	cr_assert_eq(err, 0, "the test run failed: %s", strerror(-err));
	if (ran.action == XDP_PASS && gw.mode == GATEWAY_XDP) {
		memcpy(passed, ran.data, ran.len);
		run_tc_ingress(iface, &ran, passed, ran.len);
	}
	return &ran;
}

/* On its way out by the slow-path device: TC's, in every mode. */
static const struct ran *run_slow(const struct expect *want, const uint8_t *data, uint32_t len)
{
	static struct ran ran;
	struct __sk_buff ctx = { .ifindex = gw.ifindex[IF_SLOW],
				 .ingress_ifindex = gw.ifindex[want->from],
				 .mark = want->with_mark };

	run_tc(gw.fd_tc_slow, ctx, &ran, data, len);
	if (!has_ethernet() && want->want)
		gateway_tun_slow(&ran, want->want->data, want->want->len);
	if (!has_ethernet()) /* the kernel takes the header off where it leaves */
		memcpy(ran.data, want->want ? want->want->data : data, 12);
	return &ran;
}

struct snapshot {
	struct rsip_counters iface[IF_CNT];
	struct rsip_bind_cnt bind[GATEWAY_BINDINGS];
};

static void snapshot(struct snapshot *s)
{
	for (uint32_t i = 0; i < IF_CNT; i++)
		gw.dp->ops->iface_counters(gw.dp, i, &s->iface[i]);
	for (uint32_t i = 0; i < GATEWAY_BINDINGS; i++)
		gw.dp->ops->bind_counters(gw.dp, i, &s->bind[i]);
}

uint64_t gateway_counter(int cnt)
{
	struct rsip_counters sum;
	uint64_t n = 0;

	for (uint32_t i = 0; i < IF_CNT; i++) {
		gw.dp->ops->iface_counters(gw.dp, i, &sum);
		n += sum.cnt[cnt];
	}
	return n;
}

static struct {
	struct rsip_event *out;
	uint32_t cnt;
} heard;

static void hear(void *arg, const struct rsip_event *e)
{
	(void)arg;
	if (heard.cnt < 16)
		heard.out[heard.cnt] = *e;
	heard.cnt++;
}

uint32_t gateway_events(struct rsip_event out[16])
{
	heard.out = out;
	heard.cnt = 0;
	gw.dp->ops->events(gw.dp, hear, NULL);
	return heard.cnt;
}

uint32_t gateway_claims(void)
{
	struct rsip_cookie_key key, next;
	uint32_t n = 0;

	for (void *at = NULL; !bpf_map_get_next_key(gw.fd[RSIP_DP_COOKIES], at, &next);
	     at = &key, n++)
		key = next;
	return n;
}

static uint64_t expected(const struct expect *want, int iface, int cnt)
{
	for (int i = 0; iface == want->iface && i < 6 && want->counts[i].add; i++)
		if (want->counts[i].cnt == cnt)
			return want->counts[i].add;
	return 0;
}

static bool binding_agrees(const struct snapshot *old, const struct snapshot *new,
			   const struct expect *want, uint32_t s)
{
	const struct rsip_bind_cnt *a = &old->bind[s], *b = &new->bind[s];
	uint64_t in = s && s == want->in_slot, out = s && s == want->out_slot;

	return b->in_packets - a->in_packets == in && b->in_bytes - a->in_bytes == in * want->bytes &&
	       b->out_packets - a->out_packets == out && b->out_bytes - a->out_bytes == out * want->bytes;
}

/* The same as check_counters(), without a word: an assertion for each counter of each packet takes its time. */
static bool counters_agree(const struct snapshot *old, const struct snapshot *new, const struct expect *want)
{
	for (int i = 0; i < IF_CNT; i++)
		for (int n = 0; n < RSIP_CNT_MAX; n++)
			if (new->iface[i].cnt[n] - old->iface[i].cnt[n] != expected(want, i, n))
				return false;
	for (uint32_t s = 0; s < GATEWAY_BINDINGS; s++)
		if (!binding_agrees(old, new, want, s))
			return false;
	return true;
}

static void check_counters(const struct snapshot *old, const struct snapshot *new,
			   const struct expect *want, const char *file, int line)
{
	for (int i = 0; i < IF_CNT; i++)
		for (int n = 0; n < RSIP_CNT_MAX; n++) {
			uint64_t got = new->iface[i].cnt[n] - old->iface[i].cnt[n];
			const char *name = rsip_counter_name((unsigned int)n);

			cr_expect_eq(got, expected(want, i, n),
				     "%s:%d: interface %d counted %s %llu times, not %llu", file,
				     line, i, name ? name : "(nameless)", (unsigned long long)got,
				     (unsigned long long)expected(want, i, n));
		}
	for (uint32_t s = 0; s < GATEWAY_BINDINGS; s++) {
		const struct rsip_bind_cnt *a = &old->bind[s], *b = &new->bind[s];

		cr_expect(
			binding_agrees(old, new, want, s),
			"%s:%d: binding %u counted %llu packets, %llu bytes in and %llu, %llu out",
			file, line, s, (unsigned long long)(b->in_packets - a->in_packets),
			(unsigned long long)(b->in_bytes - a->in_bytes),
			(unsigned long long)(b->out_packets - a->out_packets),
			(unsigned long long)(b->out_bytes - a->out_bytes));
	}
}

static const char *action_name(uint32_t action)
{
	static const char *const names[] = { "XDP_ABORTED", "XDP_DROP", "XDP_PASS", "XDP_TX",
					     "XDP_REDIRECT" };

	return action < 5 ? names[action] : "unknown";
}

/* The flow label is a hash: any will do where none is wanted. */
static struct pkt with_flow_of(const struct pkt *want, const struct ran *ran)
{
	struct pkt p = *want;

	if (p.data[12] != 0x86 || p.data[13] != 0xdd || ran->len < 18 || p.data[15] & 15 || p.data[16] || p.data[17])
		return p;
	p.data[15] |= ran->data[15] & 15;
	p.data[16] = ran->data[16];
	p.data[17] = ran->data[17];
	return p;
}

/* Of a tunnel packet that may be fragmented, where none is wanted, the identification is any that a counter gives. */
static struct pkt with_id_of(struct pkt p, const struct ran *ran)
{
	uint8_t *ip = p.data + 14;
	bool tunnel = p.len > 34 && p.data[12] == 8 && !p.data[13] && ip[0] == 0x45 && (ip[9] == 4 || ip[9] == 47);
	uint16_t sum;

	if (!tunnel || ran->len != p.len || p.len <= 14 + 576 || ip[4] || ip[5] || ip[6] & 0x40)
		return p;
	memcpy(ip + 4, ran->data + 18, 2);
	memset(ip + 10, 0, 2);
	sum = pkt_sum16(ip, 20, 0);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
	return p;
}

static bool same_bytes(const struct pkt *want, const struct ran *ran)
{
	return ran->len == want->len && !memcmp(ran->data, want->data, want->len);
}

bool gateway_expect(const struct pkt *in, const struct expect *want, const char *file, int line)
{
	static struct snapshot old, new;
	const struct ran *ran;
	struct pkt wanted;
	char *difference;

	snapshot(&old);
	ran = want->iface == IF_SLOW ? run_slow(want, in->data, in->len)
				     : gateway_run(want->iface, in->data, in->len);
	snapshot(&new);
	wanted = with_id_of(with_flow_of(want->want ? want->want : in, ran), ran);
	if (ran->action == want->action && ran->mark == want->mark && counters_agree(&old, &new, want) &&
	    (ran->action == XDP_DROP || same_bytes(&wanted, ran)))
		return true;
	cr_expect_eq(ran->action, want->action, "%s:%d: wanted %s, got %s", file, line,
		     action_name(want->action), action_name(ran->action));
	cr_expect_eq(ran->mark, want->mark, "%s:%d: wanted mark 0x%x, got 0x%x", file, line,
		     want->mark, ran->mark);
	difference = want->action == XDP_DROP
			     ? NULL
			     : pkt_difference(&wanted, ran->data, ran->len);
	cr_expect_null(difference, "%s:%d: another packet came out\n%s", file, line, difference);
	free(difference);
	check_counters(&old, &new, want, file, line);
	return false;
}
