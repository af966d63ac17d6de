// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Before attach changes anything: which interfaces, how big, and may we? */
#include "attach.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include "checks.h"
#include "log.h"
#include "object.h"
#include "sizes.h"
#include "util.h"

static int plan_iface(struct rsip_attach *a, const struct rsip_loader_iface *want)
{
	struct rsip_netdev *dev = &a->dev[a->cnt];
	struct rsip_iface *iface = &a->iface[a->cnt];
	int err = rsip_netdev_read(want->name, dev);

	if (err) {
		log_err("cannot attach to %s: %s%s", want->name, strerror(-err),
			err == -ENODEV ? " (see `ip link`; is this the right network namespace?)"
				       : "");
		return err;
	}
	*iface = (struct rsip_iface){
		.ifindex = dev->ifindex,
		.role = want->role,
		.mtu = dev->mtu,
		.flags = dev->ethernet ? 0 : RSIP_IFACE_NO_ETHERNET,
		.endpoint = want->endpoint,
	};
	memcpy(iface->mac, dev->mac, sizeof(iface->mac));
	memcpy(iface->vmac, dev->vmac, sizeof(iface->vmac));
	memcpy(iface->name, dev->name, sizeof(iface->name));
	if (want->endpoint && !rsip_netdev_has_addr(dev, want->endpoint)) {
		log_err("cannot use %s as the tunnels' endpoint: it is no address of %s (ip "
			"address add %s/LEN dev %s)",
			rsip_ip4(want->endpoint), want->name, rsip_ip4(want->endpoint), want->name);
		return -EADDRNOTAVAIL;
	}
	if (!want->endpoint && dev->addr_cnt)
		iface->endpoint = dev->addr[0];
	if (want->endpoint6[0] && !rsip_netdev_has_addr6(dev, want->endpoint6)) {
		log_err("cannot use %s as the tunnels' endpoint: it is no address of %s (ip address add %s/LEN dev %s)",
			rsip_ip6(want->endpoint6), want->name, rsip_ip6(want->endpoint6), want->name);
		return -EADDRNOTAVAIL;
	}
	memcpy(iface->endpoint6, want->endpoint6, sizeof(iface->endpoint6));
	if (want->endpoint6[0]) /* a host with an IPv6 address has one binding at least */
		a->config.max_hosts6 = a->o->max_bindings < RSIP_HOST6_MAX ? a->o->max_bindings : RSIP_HOST6_MAX;
	a->cnt++;
	return 0;
}

int rsip_attach_plan(struct rsip_attach *a)
{
	const struct rsip_loader_options *o = a->o;
	int cpus = libbpf_num_possible_cpus(), err = 0;

	if (cpus < 1) {
		log_err("cannot count the CPUs: %s (is /sys mounted?)", strerror(-cpus));
		return cpus;
	}
	a->config.layout_version = RSIP_LAYOUT_VERSION;
	a->config.tunnels = RSIP_CONFIG_TUNNELS;
	rsip_sizes_compute(o->max_bindings, o->max_addrs, o->max_pairs, (uint32_t)cpus, &a->config);
	for (int role = RSIP_ROLE_PUBLIC; role <= RSIP_ROLE_PRIVATE; role++)
		for (uint32_t i = 0; i < o->iface_cnt && !err; i++)
			if (o->iface[i].role == role)
				err = plan_iface(a, &o->iface[i]);
	return err;
}

static void check_other_program(const struct rsip_netdev *dev, struct rsip_findings *f)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd;

	if (!dev->prog_id)
		return;
	fd = bpf_prog_get_fd_by_id(dev->prog_id);
	if (fd >= 0) {
		bpf_obj_get_info_by_fd(fd, &info, &len);
		close(fd);
	}
	rsip_finding_add(f, RSIP_FATAL, dev->name,
			 "carries another XDP program, id %u, name '%s' (ip link set %s xdp off, "
			 "or stop what put it there; `bpftool net` shows it)",
			 dev->prog_id, info.name, dev->name);
}

int rsip_attach_check(struct rsip_attach *a)
{
	struct rsip_findings f = {.cnt = 0};
	struct rsip_kernel k;

	rsip_kernel_read(&k);
	rsip_check_kernel(&k, &f);
	for (uint32_t i = 0; i < a->cnt; i++) {
		rsip_check_netdev(&a->dev[i], a->iface[i].role, a->o->mode, &f);
		check_other_program(&a->dev[i], &f);
	}
	rsip_findings_log(&f);
	return f.fatal ? -EINVAL : 0;
}
