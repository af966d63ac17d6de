// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "checks.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "log.h"
#include "object.h"
#include "options.h"
#include "undo.h"

/* The oldest kernel with all we use: frames of several buffers in XDP, bpf_xdp_load_bytes (5.18), bpf_loop (5.17). */
#define KERNEL_MAJOR 5
#define KERNEL_MINOR 18

void rsip_finding_add(struct rsip_findings *f, enum rsip_severity severity, const char *ifname,
		      const char *fmt, ...)
{
	struct rsip_finding *item;
	va_list ap;

	if (severity == RSIP_FATAL)
		f->fatal++;
	if (f->cnt == sizeof(f->item) / sizeof(f->item[0]))
		return;
	item = &f->item[f->cnt++];
	item->severity = severity;
	snprintf(item->ifname, sizeof(item->ifname), "%s", ifname);
	va_start(ap, fmt);
	vsnprintf(item->text, sizeof(item->text), fmt, ap);
	va_end(ap);
}

void rsip_findings_log(const struct rsip_findings *f)
{
	for (uint32_t i = 0; i < f->cnt; i++) {
		const struct rsip_finding *item = &f->item[i];

		rsip_log(item->severity == RSIP_FATAL ? RSIP_LOG_ERR : RSIP_LOG_WARN, "%s%s%s",
			 item->ifname, item->ifname[0] ? ": " : "", item->text);
	}
}

/* ---- the machine ---------------------------------------------------- */

static int sysctl_number(const char *name)
{
	char text[32];
	int err = rsip_sysctl_read(name, text, sizeof(text));

	return err ? err : atoi(text);
}

void rsip_kernel_read(struct rsip_kernel *k)
{
	struct utsname uts;
	struct rlimit limit;
	struct statfs fs;
	int fd = rsip_object_pass_program();

	memset(k, 0, sizeof(*k));
	uname(&uts);
	snprintf(k->release, sizeof(k->release), "%s", uts.release);
	k->btf = !access("/sys/kernel/btf/vmlinux", R_OK);
	k->jit = sysctl_number("net/core/bpf_jit_enable");
	k->bpffs = !statfs("/sys/fs/bpf", &fs) && fs.f_type == BPF_FS_MAGIC;
	k->bpf = fd >= 0;
	k->bpf_err = fd < 0 ? fd : 0;
	if (fd >= 0)
		close(fd);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	k->memlock = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
	k->forwarding = sysctl_number("net/ipv4/ip_forward");
	k->neighbours = sysctl_number("net/ipv4/neigh/default/gc_thresh3");
	k->cpus_possible = libbpf_num_possible_cpus();
	k->cpus_online = (int)sysconf(_SC_NPROCESSORS_ONLN);
}

void rsip_check_kernel(const struct rsip_kernel *k, struct rsip_findings *f)
{
	int major = 0, minor = 0;

	if (sscanf(k->release, "%d.%d", &major, &minor) == 2 &&
	    (major < KERNEL_MAJOR || (major == KERNEL_MAJOR && minor < KERNEL_MINOR)))
		rsip_finding_add(f, RSIP_FATAL, "",
				 "kernel %s is too old: %d.%d is needed (6.1 and later are tested)",
				 k->release, KERNEL_MAJOR, KERNEL_MINOR);
	if (!k->bpf && (k->bpf_err == -EPERM || k->bpf_err == -EACCES))
		rsip_finding_add(f, RSIP_FATAL, "",
				 "may not load BPF programs (run as root, or with CAP_BPF and "
				 "CAP_NET_ADMIN)");
	else if (!k->bpf)
		rsip_finding_add(
			f, RSIP_FATAL, "",
			"cannot load any BPF program: %s (the kernel needs CONFIG_BPF_SYSCALL)",
			strerror(-k->bpf_err));
	if (!k->btf)
		rsip_finding_add(
			f, RSIP_FATAL, "",
			"no /sys/kernel/btf/vmlinux (the kernel needs CONFIG_DEBUG_INFO_BTF)");
	if (k->jit == 0)
		rsip_finding_add(f, RSIP_WARNING, "",
				 "BPF is interpreted, many times slower (sysctl -w "
				 "net.core.bpf_jit_enable=1)");
	if (k->cpus_possible < 1)
		rsip_finding_add(f, RSIP_FATAL, "", "cannot count the CPUs: %s (is /sys mounted?)",
				 strerror(-k->cpus_possible));
}

/* ---- one interface ---------------------------------------------------- */

static void check_big_packets(const struct rsip_netdev *dev, int mode, struct rsip_findings *f)
{
	for (int i = RSIP_OFFLOAD_GRO; i <= RSIP_OFFLOAD_LRO; i++)
		if (mode == RSIP_MODE_GENERIC && dev->offload[i] == 1)
			rsip_finding_add(f, RSIP_WARNING, dev->name,
					 "%s glues packets together before generic XDP sees them "
					 "(attach switches it off)",
					 rsip_offload_name(i));
}

static void check_mtu(const struct rsip_netdev *dev, int mode, struct rsip_findings *f)
{
	if (mode == RSIP_MODE_GENERIC || mode == RSIP_MODE_TC || dev->mtu <= RSIP_NATIVE_MTU)
		return;
	if (dev->features_known && !(dev->features & RSIP_XDP_ACT_RX_SG))
		rsip_finding_add(f, RSIP_WARNING, dev->name,
				 "MTU %u: driver %s takes no more than about %d in native mode (ip link set %s mtu %d, or "
				 "--mode generic)",
				 dev->mtu, dev->driver[0] ? dev->driver : "(unnamed)", RSIP_NATIVE_MTU, dev->name,
				 RSIP_NATIVE_MTU);
}

void rsip_check_netdev(const struct rsip_netdev *dev, uint8_t role, int mode, struct rsip_findings *f)
{
	if (!dev->ethernet && (mode == RSIP_MODE_NATIVE || mode == RSIP_MODE_GENERIC))
		rsip_finding_add(f, RSIP_FATAL, dev->name,
				 "has no Ethernet header: XDP cannot be there (use --mode tc, or "
				 "auto)");
	if (!dev->up)
		rsip_finding_add(f, RSIP_WARNING, dev->name, "is down (ip link set %s up)",
				 dev->name);
	if (role == RSIP_ROLE_PRIVATE && !dev->addr_cnt)
		rsip_finding_add(f, RSIP_FATAL, dev->name,
				 "has no IPv4 address for the hosts' tunnels to end at (ip address "
				 "add ADDRESS/LEN dev %s)",
				 dev->name);
	if (mode == RSIP_MODE_NATIVE && dev->features_known &&
	    !(dev->features & RSIP_XDP_ACT_BASIC))
		rsip_finding_add(f, RSIP_FATAL, dev->name,
				 "driver %s has no native XDP (use --mode auto or generic)",
				 dev->driver[0] ? dev->driver : "(unnamed)");
	check_mtu(dev, mode, f);
	if (mode != RSIP_MODE_TC && dev->vlan_above &&
	    (dev->offload[RSIP_OFFLOAD_RXVLAN] == 1 || dev->offload[RSIP_OFFLOAD_RXSTAG] == 1))
		rsip_finding_add(f, RSIP_WARNING, dev->name,
				 "strips VLAN tags and has VLAN devices: XDP would take their "
				 "packets for its own (attach switches that off)");
	check_big_packets(dev, mode, f);
}

void rsip_check_speed(const struct rsip_netdev *dev, struct rsip_findings *f)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (dev->rx_queues > 0 && dev->rx_queues < cpus)
		rsip_finding_add(f, RSIP_WARNING, dev->name,
				 "receive queues: %d for %ld CPUs: the others stay idle (ethtool "
				 "-L %s combined %ld, if it can)",
				 dev->rx_queues, cpus, dev->name, cpus);
	if (!dev->esp4_err && dev->ethernet && !(dev->esp4_hash & (RXH_L4_B_0_1 | RXH_L4_B_2_3)))
		rsip_finding_add(f, RSIP_WARNING, dev->name,
				 "RSS spreads ESP by addresses alone: one busy peer lands on one "
				 "CPU (ethtool -N %s rx-flow-hash esp4 sdfn, if the card can)",
				 dev->name);
}
