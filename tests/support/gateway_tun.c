// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* TUN devices as the gateway's interfaces. */
#include "gateway_tun.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "gateway_maps.h"

/* The interfaces of the gateway, and the one that gets what they leave to the kernel. */
enum { CAUGHT = IF_CNT, DEVICES };
static const char *const names[DEVICES] = {
	[IF_PUB] = "pub0", [IF_PRIV] = "priv0", [IF_PRIV2] = "priv1", [CAUGHT] = "caught0",
};
static int device[DEVICES];
static int mark_map;

static int make(const char *name, int *fd)
{
	struct ifreq req = { .ifr_flags = IFF_TUN };

	*fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (*fd < 0)
		return -errno;
	strncpy(req.ifr_name, name, IFNAMSIZ - 1);
	return ioctl(*fd, TUNSETIFF, &req) ? -errno : 0;
}

int gateway_tun_make(void)
{
	int err = 0;

	for (int i = 0; i < DEVICES && !err; i++)
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

static void attach(int iface, int prog, int catcher)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)if_nametoindex(names[iface]), .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, first, .prog_fd = prog, .priority = 1);
	LIBBPF_OPTS(bpf_tc_opts, second, .prog_fd = catcher, .priority = 2);

	cr_assert_eq(bpf_tc_hook_create(&hook), 0);
	cr_assert_eq(bpf_tc_attach(&hook, &first), 0);
	cr_assert_eq(bpf_tc_attach(&hook, &second), 0);
}

void gateway_tun_attach(const struct gateway *gw)
{
	int catcher;

	mark_map = bpf_map_create(BPF_MAP_TYPE_ARRAY, "mark", sizeof(uint32_t), sizeof(uint32_t), 1, NULL);
	catcher = load_catcher();
	cr_assert_geq(catcher, 0, "cannot load what catches packets: %s", strerror(errno));
	attach(IF_PUB, gw->fd_tc_pub_l3, catcher);
	attach(IF_PRIV, gw->fd_tc_priv_l3, catcher);
	attach(IF_PRIV2, gw->fd_tc_priv_l3, catcher);
	close(catcher);
}

/* ---- a packet -------------------------------------------------------------------------------- */

static const char *mac_of(int iface)
{
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

static void write_packet(int iface, const uint8_t *data, uint32_t len)
{
	struct tun_pi info = { 0 };
	struct iovec parts[] = { { &info, sizeof(info) }, { (void *)(data + ETH_HLEN), len - ETH_HLEN } };
	ssize_t got;

	memcpy(&info.proto, data + 12, sizeof(info.proto));
	got = writev(device[iface], parts, 2);
	cr_assert_eq(got, (ssize_t)(sizeof(info) + len - ETH_HLEN), "%s does not take the packet: %s", names[iface],
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
		if (!names[i])
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
		cr_expect_eq(from, iface, "the answer left by %s", names[from]);
}

void gateway_tun_run(int iface, struct ran *ran, const uint8_t *data, uint32_t len, uint64_t (*turned)(void))
{
	uint64_t before = turned();
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
		ran->action = turned() != before ? XDP_TX : XDP_REDIRECT;
	}
	put_macs(from, iface, ran, data);
}
