// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The tunnel device: choosing its kind, bringing it up in the programs' namespace, its addresses.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include "log.h"
#include "routes.h"
#include "rsip/wire.h"
#include "tunnel.h"

#define RSIP_ARP_IGNORE "/proc/sys/net/ipv4/conf/all/arp_ignore"

struct rsip_tunnel {
	const struct rsip_jail *jail;
	struct rsip_nl *outside;     /* speaks to the client's namespace */
	struct rsip_nl *inside;	     /* speaks to the programs' namespace */
	struct rsip_tunnel_bpf *bpf; /* NULL: the kernel's device */
	uint8_t type;
	struct rsip_inet gateway;
	uint32_t dev; /* ifindex of the veth end outside; 0: none */
	uint32_t app; /* ifindex inside */
	uint32_t nic;
	uint32_t mtu;
	struct rsip_routes routes;
};

static uint32_t table_of(const struct rsip_tunnel *t)
{
	return t->jail->shared ? RSIP_TABLE_BASE + t->app : 0;
}

/* The pair's outer end.  In a shared namespace two names are needed. */
static const char *outer_name(const char *dev, bool shared, char name[RSIP_IFNAME_LEN])
{
	snprintf(name, RSIP_IFNAME_LEN, shared ? "%.11s-out" : "%s", dev);
	return name;
}

/*
 * Packets of the namespace leave by the NIC as tunnelled ones: not every NIC (and no veth) can
 * finish an inner checksum, so the sender's kernel does it.  Without it the kernel does not leave
 * segmentation to us either.  Runs inside the namespace.
 */
static int checksums_by_kernel(const char *name)
{
	struct ethtool_value off = {.cmd = ETHTOOL_STXCSUM, .data = 0};
	struct ifreq ifr = {.ifr_data = (void *)&off};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err = 0;

	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCETHTOOL, &ifr))
		err = -errno;
	close(fd);
	return err;
}

static int open_inside(struct rsip_tunnel *t)
{
	int err = rsip_jail_enter(t->jail);

	if (err)
		return err;
	err = rsip_nl_open(&t->inside);
	rsip_jail_leave(t->jail);
	return err;
}

static int offloads_off(struct rsip_tunnel *t, const char *name)
{
	int err = rsip_jail_enter(t->jail);

	if (err)
		return err;
	err = checksums_by_kernel(name);
	rsip_jail_leave(t->jail);
	return err;
}

static bool exists(struct rsip_nl *nl, const char *name, struct rsip_link *link)
{
	return rsip_nl_link_get(nl, name, link) == 0;
}

/* Removes what a past of ours left, unless it can be used again. */
static int clear_the_way(struct rsip_tunnel *t, const struct rsip_tunnel_spec *spec)
{
	char name[RSIP_IFNAME_LEN];
	struct rsip_link out, in;
	bool outside = exists(t->outside, outer_name(spec->dev, spec->jail->shared, name), &out);
	bool inside = exists(t->inside, spec->dev, &in);

	if ((outside || (inside && spec->jail->shared)) && !spec->ours) {
		log_err("cannot make the tunnel device %s: it exists (another client? choose "
			"--device)",
			spec->dev);
		return -EEXIST;
	}
	if (spec->keep && inside && (outside || (!spec->no_kernel && !strcmp(in.kind, rsip_nl_tunnel_kind(spec->type, spec->gateway.family)))))
		return 0;
	if (outside)
		rsip_nl_link_del(t->outside, out.ifindex);
	if (inside && exists(t->inside, spec->dev, &in))
		rsip_nl_link_del(t->inside, in.ifindex);
	return 0;
}

static int kernel_up(struct rsip_tunnel *t, const struct rsip_tunnel_spec *spec)
{
	struct rsip_link link;
	int err;

	if (!exists(t->inside, spec->dev, &link)) {
		err = rsip_nl_tunnel_add(t->outside, spec->type, spec->dev, &spec->local, &spec->gateway, spec->nic);
		if (err)
			return err;
		err = rsip_nl_link_get(t->outside, spec->dev, &link);
		if (!err)
			err = rsip_nl_link_move(t->outside, link.ifindex, spec->jail->fd);
		if (err) {
			rsip_nl_link_del(t->outside, link.ifindex);
			return err;
		}
	}
	err = rsip_nl_link_get(t->inside, spec->dev, &link);
	if (err)
		return err;
	t->app = link.ifindex;
	return rsip_nl_link_up(t->inside, t->app, t->mtu, false);
}

/* Only IPv4 is leased; without it the kernel sends its own packets there. */
static void no_ipv6(const char *name)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return; /* a kernel without it */
	if (write(fd, "1", 1) < 0)
		log_debug("cannot switch IPv6 off on %s: %s", name, strerror(errno));
	close(fd);
}

static int veth_up(struct rsip_tunnel *t, const struct rsip_tunnel_spec *spec,
		   struct rsip_tun_config *cfg)
{
	char name[RSIP_IFNAME_LEN];
	struct rsip_link out, in;
	int err = 0;

	outer_name(spec->dev, spec->jail->shared, name);
	if (!exists(t->outside, name, &out))
		err = rsip_nl_veth_add(t->outside, name, spec->dev, spec->jail->fd, t->mtu);
	if (!err)
		err = rsip_nl_link_get(t->outside, name, &out);
	if (err)
		return err;
	t->dev = cfg->dev = out.ifindex;
	err = rsip_nl_link_get(t->inside, spec->dev, &in);
	if (err)
		return err;
	t->app = in.ifindex;
	memcpy(cfg->dev_mac, out.mac, sizeof(cfg->dev_mac));
	memcpy(cfg->app_mac, in.mac, sizeof(cfg->app_mac));
	if (spec->jail->shared) {
		no_ipv6(name);
		no_ipv6(spec->dev);
	}
	err = offloads_off(t, spec->dev);
	if (!err)
		err = rsip_nl_link_up(t->outside, t->dev, t->mtu, true);
	return err ? err : rsip_nl_link_up(t->inside, t->app, t->mtu, true);
}

static int bpf_up(struct rsip_tunnel *t, const struct rsip_tunnel_spec *spec,
		  const struct rsip_link *nic)
{
	struct rsip_tun_config cfg = {
		.v6 = spec->gateway.family == AF_INET6, .nic = spec->nic, .gre = spec->type == RSIP_TUNNEL_GRE};
	int err;

	if (nic->hw_type != ARPHRD_ETHER) {
		log_err("cannot tunnel over %s: not an Ethernet device, and this kernel has no "
			"%s device "
			"(load its module)",
			nic->name, rsip_nl_tunnel_kind(spec->type, spec->gateway.family));
		return -EOPNOTSUPP;
	}
	rsip_tunnel_end(&cfg.private_addr, &spec->local);
	err = veth_up(t, spec, &cfg);
	return err ? err
		   : rsip_tunnel_bpf_open(&cfg, &spec->local, spec->dev, t->outside, spec->own_qdisc, &t->bpf);
}

uint32_t rsip_tunnel_mtu_over(uint32_t nic_mtu, uint8_t type, uint16_t family)
{
	return nic_mtu - RSIP_TUNNEL_LEN(type) - (family == AF_INET6 ? RSIP_OUTER6_MORE : 0);
}

static uint32_t mtu_of(const struct rsip_tunnel *t, const struct rsip_link *nic)
{
	return rsip_tunnel_mtu_over(nic->mtu, t->type, t->gateway.family);
}

static int bring_up(struct rsip_tunnel *t, const struct rsip_tunnel_spec *spec)
{
	struct rsip_link nic, old;
	bool veth;
	int err = open_inside(t);

	if (err)
		return err;
	err = rsip_nl_link_get_index(t->outside, spec->nic, &nic);
	if (!err)
		err = clear_the_way(t, spec);
	if (err)
		return err;
	if (spec->begins)
		spec->begins(spec->arg);
	t->nic = spec->nic;
	t->mtu = mtu_of(t, &nic);
	veth = spec->no_kernel || spec->jail->shared || exists(t->outside, spec->dev, &old);
	err = veth ? -EOPNOTSUPP : kernel_up(t, spec);
	if (err == -EOPNOTSUPP)
		err = bpf_up(t, spec, &nic);
	return err;
}

int rsip_tunnel_open(const struct rsip_tunnel_spec *spec, struct rsip_tunnel **out)
{
	struct rsip_tunnel *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return -ENOMEM;
	t->jail = spec->jail;
	t->gateway = spec->gateway;
	t->routes.remote = spec->remote && spec->jail->shared;
	if (spec->gateway.family == AF_INET) {
		t->routes.local = spec->local.v4;
		t->routes.gateway = spec->gateway.v4;
	}
	t->type = spec->type;
	err = rsip_nl_open(&t->outside);
	if (!err)
		err = bring_up(t, spec);
	if (err) {
		if (err != -EEXIST)
			log_err("cannot bring up the tunnel device %s: %s%s", spec->dev, strerror(-err),
				err == -EPERM ? " (needs CAP_NET_ADMIN and CAP_BPF: run as root)" : "");
		rsip_tunnel_close(t);
		return err;
	}
	*out = t;
	return 0;
}

void rsip_tunnel_close(struct rsip_tunnel *t)
{
	if (!t)
		return;
	rsip_tunnel_bpf_close(t->bpf, t->outside);
	if (t->app && t->jail->shared)
		rsip_tunnel_rules_clear(table_of(t));
	else if (t->inside)
		rsip_routes_clear(t->inside, 0);
	if (t->dev)
		rsip_nl_link_del(t->outside, t->dev);
	else if (t->app)
		rsip_nl_link_del(t->inside, t->app);
	rsip_nl_close(t->inside);
	rsip_nl_close(t->outside);
	free(t);
}

void rsip_tunnel_fit(struct rsip_tunnel *t)
{
	struct rsip_link nic;
	uint32_t was = t->mtu;

	if (rsip_nl_link_get_index(t->outside, t->nic, &nic) || mtu_of(t, &nic) == was)
		return;
	t->mtu = mtu_of(t, &nic);
	if ((t->dev && rsip_nl_link_up(t->outside, t->dev, t->mtu, true)) ||
	    rsip_nl_link_up(t->inside, t->app, t->mtu, t->dev))
		log_warn("cannot set the tunnel's MTU to %u", t->mtu);
	else
		log_info("the MTU of %s is %u: the tunnel's is %u", nic.name, nic.mtu, t->mtu);
}

int rsip_tunnel_add(struct rsip_tunnel *t, __be32 addr, const struct rsip_inet *endpoint)
{
	int err;

	if (!t->bpf && !rsip_inet_same(endpoint, &t->gateway))
		return -EOPNOTSUPP;
	err = t->bpf ? rsip_tunnel_bpf_add(t->bpf, addr, endpoint) : 0;
	if (!err && t->jail->shared)
		err = rsip_nl_rule_add(t->inside, RSIP_RULE_LEASED, addr, table_of(t));
	return err ? err : rsip_nl_addr_add(t->inside, t->app, addr);
}

int rsip_tunnel_mend(struct rsip_tunnel *t, const __be32 *addrs, unsigned int cnt)
{
	int err = rsip_routes_mend(&t->routes);

	for (unsigned int i = 0; t->jail->shared && i < cnt && !err; i++)
		err = rsip_nl_rule_add(t->inside, RSIP_RULE_LEASED, addrs[i], table_of(t));
	return err;
}

int rsip_tunnel_del(struct rsip_tunnel *t, __be32 addr)
{
	if (t->bpf)
		rsip_tunnel_bpf_del(t->bpf, addr);
	if (t->jail->shared)
		rsip_nl_rule_del(t->inside, RSIP_RULE_LEASED, addr, table_of(t));
	return rsip_nl_addr_del(t->inside, t->app, addr);
}

int rsip_tunnel_route(struct rsip_tunnel *t, __be32 src)
{
	int err = rsip_nl_default_route(t->inside, table_of(t), t->app, src);

	return err ? err : rsip_routes_begin(&t->routes, t->inside, table_of(t), t->app, src);
}

int rsip_tunnel_locals(struct rsip_tunnel *t, const struct rsip_locals *locals)
{
	return rsip_routes_set(&t->routes, locals);
}

const struct rsip_locals *rsip_tunnel_locals_now(const struct rsip_tunnel *t)
{
	return &t->routes.locals;
}

/* RFC 3102 3.1: a host MUST NOT answer ARP for what it leases.  Linux would, on every interface. */
int rsip_tunnel_arp_ignore(void)
{
	char value[8] = "";
	int fd = open(RSIP_ARP_IGNORE, O_RDONLY | O_CLOEXEC);
	int err = fd < 0 || read(fd, value, sizeof(value) - 1) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err ? err : value[0] - '0';
}

int rsip_tunnel_set_arp_ignore(int value)
{
	int fd = open(RSIP_ARP_IGNORE, O_WRONLY | O_CLOEXEC);
	char digit = '0' + value;
	int err = fd < 0 || write(fd, &digit, 1) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return err;
}

uint32_t rsip_tunnel_table(const struct rsip_tunnel *t)
{
	return table_of(t);
}

void rsip_tunnel_rules_clear(uint32_t table)
{
	struct rsip_nl *nl;

	if (rsip_nl_open(&nl))
		return;
	rsip_routes_clear(nl, table);
	rsip_nl_close(nl);
}

static void clear_inside(const char *dev, const struct rsip_jail *jail)
{
	struct rsip_link link;
	struct rsip_nl *nl;

	if (rsip_jail_enter(jail))
		return;
	if (!rsip_nl_open(&nl)) {
		if (exists(nl, dev, &link))
			rsip_nl_link_del(nl, link.ifindex);
		rsip_nl_close(nl);
	}
	rsip_jail_leave(jail);
}

void rsip_tunnel_clear(const char *dev, const struct rsip_jail *jail, uint32_t nic, bool own_qdisc)
{
	char outer[RSIP_IFNAME_LEN];
	struct rsip_link link;
	struct rsip_nl *nl;

	if (!*dev || rsip_nl_open(&nl))
		return;
	rsip_tunnel_bpf_clear(dev, nl, nic, own_qdisc);
	if (exists(nl, dev, &link))
		rsip_nl_link_del(nl, link.ifindex);
	if (exists(nl, outer_name(dev, true, outer), &link))
		rsip_nl_link_del(nl, link.ifindex);
	if (jail)
		clear_inside(dev, jail);
	rsip_nl_close(nl);
}

const char *rsip_tunnel_kind(const struct rsip_tunnel *t)
{
	return t->bpf ? "bpf" : rsip_nl_tunnel_kind(t->type, t->gateway.family);
}

bool rsip_tunnel_owns_qdisc(const struct rsip_tunnel *t)
{
	return t->bpf && rsip_tunnel_bpf_owns_qdisc(t->bpf);
}

uint32_t rsip_tunnel_mtu(const struct rsip_tunnel *t)
{
	return t->mtu;
}

int rsip_tunnel_whole_fd(const struct rsip_tunnel *t)
{
	return t->bpf ? rsip_tunnel_bpf_whole_fd(t->bpf) : -1;
}

void rsip_tunnel_whole(struct rsip_tunnel *t)
{
	rsip_tunnel_bpf_whole_read(t->bpf, t->mtu);
}

uint64_t rsip_tunnel_sent(const struct rsip_tunnel *t)
{
	struct rsip_link link;

	return rsip_nl_link_get_index(t->inside, t->app, &link) ? 0 : link.sent;
}

int rsip_tunnel_counters(const struct rsip_tunnel *t, uint64_t sums[RSIP_TUN_COUNTERS])
{
	return t->bpf ? rsip_tunnel_bpf_counters(t->bpf, sums) : -EOPNOTSUPP;
}
