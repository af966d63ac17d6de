// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "netdev.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
#include <bpf/libbpf.h>
#include "above.h"
#include "mnl.h"

/* linux/netdev.h of 6.3 and later: the generic netlink family "netdev" */
#define NETDEV_FAMILY "netdev"
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3

/* ---- netlink ---------------------------------------------------- */

static int family_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) if (mnl_attr_get_type(attr) ==
								    CTRL_ATTR_FAMILY_ID) *
		(uint16_t *)arg = mnl_attr_get_u16(attr);
	return MNL_CB_STOP;
}

static int features_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr)) if (mnl_attr_get_type(attr) ==
								    NETDEV_A_DEV_XDP_FEATURES) *
		(uint64_t *)arg = mnl_attr_get_u64(attr);
	return MNL_CB_STOP;
}

static struct nlmsghdr *genl_request(char *buf, uint16_t family, uint8_t cmd)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl;

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST;
	genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));
	genl->cmd = cmd;
	genl->version = 1;
	return nlh;
}

int rsip_netdev_features(uint32_t ifindex, uint64_t *features)
{
	char buf[256];
	struct nlmsghdr *nlh = genl_request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);
	uint16_t family = 0;
	int err;

	*features = 0;
	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, NETDEV_FAMILY);
	err = rsip_mnl_ask(NETLINK_GENERIC, nlh, family_seen, &family);
	if (err)
		return err;
	nlh = genl_request(buf, family, NETDEV_CMD_DEV_GET);
	mnl_attr_put_u32(nlh, NETDEV_A_DEV_IFINDEX, ifindex);
	return rsip_mnl_ask(NETLINK_GENERIC, nlh, features_seen, features);
}

/* ---- ioctl and libc ---------------------------------------------------- */

static int read_link(struct rsip_netdev *dev)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (fd < 0)
		return -errno;
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", dev->name);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr))
		goto fail;
	dev->up = ifr.ifr_flags & IFF_UP;
	if (ioctl(fd, SIOCGIFMTU, &ifr))
		goto fail;
	dev->mtu = (uint32_t)ifr.ifr_mtu;
	if (ioctl(fd, SIOCGIFHWADDR, &ifr))
		goto fail;
	dev->ethernet = ifr.ifr_hwaddr.sa_family == ARPHRD_ETHER;
	memcpy(dev->mac, ifr.ifr_hwaddr.sa_data, sizeof(dev->mac));
	goto out;
fail:
	err = -errno;
out:
	close(fd);
	return err;
}

static void add_addr(struct rsip_netdev *dev, const struct sockaddr *sa)
{
	const struct in6_addr *addr6 = &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;

	if (sa->sa_family == AF_INET && dev->addr_cnt < RSIP_NETDEV_ADDRS)
		dev->addr[dev->addr_cnt++] = ((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr;
	if (sa->sa_family == AF_INET6 && !IN6_IS_ADDR_LINKLOCAL(addr6) && dev->addr6_cnt < RSIP_NETDEV_ADDRS)
		memcpy(dev->addr6[dev->addr6_cnt++], addr6, sizeof(*addr6));
}

static int read_addrs(struct rsip_netdev *dev)
{
	struct ifaddrs *list, *at;
	size_t len = strlen(dev->name);

	if (getifaddrs(&list))
		return -errno;
	for (at = list; at; at = at->ifa_next) {
		/* a label such as eth0:1 is the same interface */
		if (at->ifa_addr && !strncmp(at->ifa_name, dev->name, len) &&
		    (!at->ifa_name[len] || at->ifa_name[len] == ':'))
			add_addr(dev, at->ifa_addr);
	}
	freeifaddrs(list);
	return 0;
}

bool rsip_netdev_has_addr(const struct rsip_netdev *dev, __be32 addr)
{
	for (uint32_t i = 0; i < dev->addr_cnt; i++)
		if (dev->addr[i] == addr)
			return true;
	return false;
}

bool rsip_netdev_has_addr6(const struct rsip_netdev *dev, const __be32 addr[4])
{
	for (uint32_t i = 0; i < dev->addr6_cnt; i++)
		if (!memcmp(dev->addr6[i], addr, 16))
			return true;
	return false;
}

bool rsip_netdev_any_addr(uint32_t first, uint32_t last, __be32 *addr)
{
	struct ifaddrs *list, *at;
	bool found = false;

	if (getifaddrs(&list))
		return false;
	for (at = list; at && !found; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
			continue;
		*addr = ((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr.s_addr;
		found = ntohl(*addr) >= first && ntohl(*addr) <= last;
	}
	freeifaddrs(list);
	return found;
}

int rsip_netdev_read(const char *name, struct rsip_netdev *dev)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, query);
	struct rsip_above above;
	int err;

	memset(dev, 0, sizeof(*dev));
	snprintf(dev->name, sizeof(dev->name), "%s", name);
	dev->ifindex = if_nametoindex(name);
	if (!dev->ifindex)
		return -errno;
	err = read_link(dev);
	if (!err)
		err = read_addrs(dev);
	if (err)
		return err;
	if (!rsip_above_read(dev->ifindex, &above)) {
		dev->vlan_above = above.vlan;
		memcpy(dev->vmac, above.vmac, sizeof(dev->vmac));
	}
	rsip_ethtool_driver(name, dev->driver, sizeof(dev->driver));
	dev->rx_queues = rsip_ethtool_rx_queues(name);
	for (int i = 0; i < RSIP_OFFLOADS; i++)
		dev->offload[i] = rsip_ethtool_offload(name, (enum rsip_offload)i);
	dev->esp4_err = rsip_ethtool_esp4_hash(name, &dev->esp4_hash);
	dev->features_known = !rsip_netdev_features(dev->ifindex, &dev->features);
	if (!bpf_xdp_query((int)dev->ifindex, 0, &query)) {
		dev->attach_mode = query.attach_mode;
		dev->prog_id = query.prog_id	   ? query.prog_id
			       : query.drv_prog_id ? query.drv_prog_id
						   : query.skb_prog_id;
	}
	return 0;
}
