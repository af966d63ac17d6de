// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* TUN devices as the gateway's interfaces. */
#include "gateway_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway_priv.h"

/* The interfaces of the gateway, and the one that gets what they leave to the kernel. */
enum { CAUGHT = IF_CNT, SESSION, DEVICES = SESSION + 8 };
static const char *const names[DEVICES] = {
	[IF_PUB] = "pub0", [IF_PRIV] = "priv0", [IF_PRIV2] = "priv1", [CAUGHT] = "caught0",
	[SESSION] = "ppp0", "ppp1", "ppp2", "ppp3", "ppp4", "ppp5", "ppp6", "ppp7",
};
static int device[DEVICES]; /* 0: is not there */
static int mark_map, catcher;
static struct rsip_session session[DEVICES];

static int make(const char *name, int *fd)
{
	struct ifreq req = { .ifr_flags = IFF_TUN };

	*fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	/* it goes with the network namespace, all of them at once; with the file each would wait for grace periods */
	return ioctl(*fd, TUNSETIFF, &req) || ioctl(*fd, TUNSETPERSIST, 1) ? -errno : 0;
}

int gateway_tun_make(void)
{
	int err = 0;

	for (int i = 0; i <= CAUGHT && !err; i++)
		if (names[i])
			err = make(names[i], &device[i]);
	return err == -ENODEV || err == -ENXIO ? -ENOENT : err;
}

/* ---- programs -------------------------------------------------------------------------------- */

/* Writes the packet's mark down and sends it out of the last device. */
static int load_catcher(void)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = 2, .src_reg = 1, .off = offsetof(struct __sk_buff, mark) },
		{ .code = BPF_LD | BPF_DW | BPF_IMM, .dst_reg = 3, .src_reg = BPF_PSEUDO_MAP_VALUE, .imm = mark_map },
		{ 0 },
		{ .code = BPF_STX | BPF_MEM | BPF_W, .dst_reg = 3, .src_reg = 2 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 1, .imm = (int)if_nametoindex(names[CAUGHT]) },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_redirect },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "catch", "GPL", insns, sizeof(insns) / sizeof(insns[0]), NULL);
}

static void attach(int iface, int prog)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(names[iface]), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, first, .prog_fd = prog, .priority = 1);
	LIBBPF_OPTS(bpf_tc_opts, second, .prog_fd = catcher, .priority = 2);

	cr_assert_eq(bpf_tc_hook_create(&hook), 0);
	cr_assert_eq(bpf_tc_attach(&hook, &first), 0);
	cr_assert_eq(bpf_tc_attach(&hook, &second), 0);
}

void gateway_tun_attach(void)
{
	mark_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mark", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	catcher = load_catcher();
	cr_assert_geq(catcher, 0, "cannot load what catches packets: %s", strerror(errno));
	attach(IF_PUB, gw.fd_tc_pub_l3);
	attach(IF_PRIV, gw.fd_tc_priv_l3);
	attach(IF_PRIV2, gw.fd_tc_priv_l3);
}

/* ---- sessions -------------------------------------------------------------------------------- */

static int session_of(__be32 host)
{
	for (int i = SESSION; i < DEVICES; i++)
		if (device[i] && session[i].host == host)
			return i;
	return 0;
}

static int new_session(void)
{
	char line[64];
	int i = SESSION;

	while (i < DEVICES && device[i])
		i++;
	cr_assert_lt(i, DEVICES, "too many hosts for the sessions that there are");
	cr_assert_eq(make(names[i], &device[i]), 0);
	snprintf(line, sizeof(line), "link set %s up\n", names[i]);
	given_ip(line);
	return i;
}

void gateway_tun_session(const struct rsip_binding *rec)
{
	int sessions = gateway_map_named("rsip_sessions"), ppp_of = gateway_map_named("rsip_ppp_of");
	int i = session_of(rec->host);
	struct rsip_session *s;

	if (!i) {
		i = new_session();
		attach(i, gw.fd_tc_ppp);
	}
	s = &session[i];
	*s = (struct rsip_session){ .host = rec->host, .endpoint = rec->endpoint, .iface = rec->iface, .mtu = 1480,
				    .ifindex = if_nametoindex(names[i]) };
	cr_assert_eq(bpf_map_update_elem(sessions, &s->ifindex, s, BPF_ANY), 0);
	cr_assert_eq(bpf_map_update_elem(ppp_of, &s->host, &s->ifindex, BPF_ANY), 0);
	close(sessions);
	close(ppp_of);
}

/* ---- a packet -------------------------------------------------------------------------------- */

static const char *mac_of(int iface)
{
	if (iface >= SESSION)
		iface = session[iface].iface;
	return iface == IF_PUB ? MAC_GW_PUB : iface == IF_PRIV ? MAC_GW_PRIV : MAC_GW_PRIV2;
}

/* The station that gets what leaves by this interface. */
static const char *next_of(int iface, const uint8_t *ip)
{
	__be32 dst;

	if (iface == IF_PUB)
		return MAC_ROUTER;
	if (*ip >> 4 == 6)
		return MAC_HOST6;
	memcpy(&dst, ip + 16, sizeof(dst));
	return gateway_mac_of(dst);
}

#define OUTER_LEN 20

/* The session by which a packet comes that would come in IP-IP, by this interface; 0: it does come so. */
static int comes_by(int iface, const uint8_t *data, uint32_t len)
{
	const uint8_t *ip = data + ETH_HLEN;
	__be32 src, dst;
	int i;

	if (len <= ETH_HLEN + OUTER_LEN || data[12] != 8 || data[13] || *ip != 0x45 || ip[9] != 4)
		return 0;
	memcpy(&src, ip + 12, sizeof(src));
	memcpy(&dst, ip + 16, sizeof(dst));
	i = session_of(src);
	return i && session[i].iface == iface && session[i].endpoint == dst ? i : 0;
}

static void write_packet(int iface, const uint8_t *data, uint32_t len)
{
	int by = comes_by(iface, data, len);
	uint32_t skip = ETH_HLEN + (by ? OUTER_LEN : 0);
	struct tun_pi info = { 0 };
	struct iovec parts[] = { { &info, sizeof(info) }, { (void *)(data + skip), len - skip } };
	ssize_t got;

	memcpy(&info.proto, data + 12, sizeof(info.proto));
	got = writev(device[by ? by : iface], parts, 2);
	cr_assert_eq(got, (ssize_t)(sizeof(info) + len - skip), "%s does not take the packet: %s", names[by ? by : iface],
		     strerror(errno));
}

/* What has come out of a device, with room for an Ethernet header.  false: nothing. */
static bool read_packet(int iface, struct ran *ran)
{
	struct tun_pi info;
	struct iovec parts[] = { { &info, sizeof(info) }, { ran->data + ETH_HLEN, sizeof(ran->data) - ETH_HLEN } };
	ssize_t got = readv(device[iface], parts, 2);

	if (got < 0 && errno == EAGAIN)
		return false;
	cr_assert_gt(got, (ssize_t)sizeof(info), "reading from %s: %s", names[iface], strerror(errno));
	ran->len = (uint32_t)got - sizeof(info) + ETH_HLEN;
	memcpy(ran->data + 12, &info.proto, sizeof(info.proto));
	return true;
}

/* The one device that a packet has come out of; 0: none has. */
static int read_any(struct ran *ran)
{
	static struct ran more;
	int from = 0;

	for (int i = 1; i < DEVICES; i++) {
		if (!device[i])
			continue;
		if (!from && read_packet(i, ran))
			from = i;
		if (from)
			cr_assert_not(read_packet(i, &more), "more than one packet came out, the second of %s", names[i]);
	}
	return from;
}

static uint32_t caught_mark(void)
{
	uint32_t zero = 0, mark;

	cr_assert_eq(bpf_map_lookup_elem(mark_map, &zero, &mark), 0);
	return mark;
}

/* MAC addresses in front of what came out: as it came in, back to where it came from, or on to the next station. */
static void put_macs(int from, int iface, struct ran *ran, const uint8_t *in)
{
	if (from == CAUGHT) {
		memcpy(ran->data, in, 12);
		return;
	}
	if (ran->action == XDP_TX)
		memcpy(ran->data, in + 6, 6);
	else
		memcpy(ran->data, next_of(from, ran->data + ETH_HLEN), 6);
	memcpy(ran->data + 6, mac_of(from), 6);
	if (ran->action == XDP_TX)
		cr_expect_eq(from < SESSION ? from : session[from].iface, iface, "the answer left by %s", names[from]);
}

/* What IP-IP would have in front of it. */
static void put_outer(const struct rsip_session *s, struct ran *ran)
{
	uint8_t *ip = ran->data + ETH_HLEN;
	uint16_t len = (uint16_t)(ran->len - ETH_HLEN + OUTER_LEN);
	uint8_t outer[OUTER_LEN] = { 0x45, ip[1], (uint8_t)(len >> 8), (uint8_t)len, ip[4], ip[5], ip[6] & 0x40, 0, 64, 4 };

	memcpy(outer + 12, &s->endpoint, 4);
	memcpy(outer + 16, &s->host, 4);
	pkt_sum_header(outer);
	memmove(ip + OUTER_LEN, ip, ran->len - ETH_HLEN);
	memcpy(ip, outer, sizeof(outer));
	ran->len += OUTER_LEN;
}

void gateway_tun_run(int iface, struct ran *ran, const uint8_t *data, uint32_t len)
{
	uint64_t before = gateway_turned_back();
	int from;

	write_packet(iface, data, len);
	from = read_any(ran);
	ran->mark = 0;
	ran->action = XDP_DROP;
	if (!from)
		return;
	if (from == CAUGHT) {
		ran->action = XDP_PASS;
		ran->mark = caught_mark();
	} else {
		ran->action = gateway_turned_back() != before ? XDP_TX : XDP_REDIRECT;
	}
	if (from >= SESSION)
		put_outer(&session[from], ran);
	put_macs(from, iface, ran, data);
}

void gateway_tun_slow(struct ran *ran, const uint8_t *want, uint32_t len)
{
	__be32 dst;
	int i;

	if (ran->action != XDP_REDIRECT || len <= ETH_HLEN + OUTER_LEN || want[ETH_HLEN + 9] != 4)
		return;
	memcpy(&dst, want + ETH_HLEN + 16, sizeof(dst));
	i = session_of(dst);
	if (i)
		put_outer(&session[i], ran);
}
