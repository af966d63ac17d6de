// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rtnetlink through libmnl: links, tunnel devices, a count of TC filters. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/ip6_tunnel.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include "netlink_priv.h"
#include "rsip/wire.h"

int rsip_nl_open(struct rsip_nl **out)
{
	struct rsip_nl *nl = calloc(1, sizeof(*nl));
	int err;

	if (!nl)
		return -ENOMEM;
	err = rsip_mnl_open(NETLINK_ROUTE, 0, &nl->sock);
	if (err) {
		rsip_nl_close(nl);
		return err;
	}
	*out = nl;
	return 0;
}

void rsip_nl_close(struct rsip_nl *nl)
{
	if (!nl)
		return;
	if (nl->sock)
		mnl_socket_close(nl->sock);
	free(nl);
}

struct nlmsghdr *rsip_nl_request(struct rsip_nl *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(nl->buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++nl->seq;
	return h;
}

int rsip_nl_order(struct rsip_nl *nl, struct nlmsghdr *h)
{
	h->nlmsg_flags |= NLM_F_ACK;
	return rsip_mnl_exchange(nl->sock, h, NULL, NULL);
}

static struct ifinfomsg *link_request(struct rsip_nl *nl, struct nlmsghdr **h, uint16_t type,
				      uint16_t flags)
{
	*h = rsip_nl_request(nl, type, flags);
	return mnl_nlmsg_put_extra_header(*h, sizeof(struct ifinfomsg));
}

static int take_kind(const struct nlattr *attr, void *data)
{
	struct rsip_link *link = data;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		strncpy(link->kind, mnl_attr_get_str(attr), sizeof(link->kind) - 1);
	return MNL_CB_OK;
}

static int take_link_attr(const struct nlattr *attr, void *data)
{
	struct rsip_link *link = data;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_MTU:
		link->mtu = mnl_attr_get_u32(attr);
		break;
	case IFLA_IFNAME:
		strncpy(link->name, mnl_attr_get_str(attr), sizeof(link->name) - 1);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) == sizeof(link->mac))
			memcpy(link->mac, mnl_attr_get_payload(attr), sizeof(link->mac));
		break;
	case IFLA_STATS64:
		memcpy(&link->sent, (char *)mnl_attr_get_payload(attr) + offsetof(struct rtnl_link_stats64, tx_packets),
		       sizeof(link->sent));
		break;
	case IFLA_LINKINFO:
		mnl_attr_parse_nested(attr, take_kind, link);
		break;
	}
	return MNL_CB_OK;
}

static int take_link(const struct nlmsghdr *h, void *data)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(h);
	struct rsip_link *link = data;

	link->ifindex = ifi->ifi_index;
	link->hw_type = ifi->ifi_type;
	mnl_attr_parse(h, sizeof(*ifi), take_link_attr, link);
	return MNL_CB_OK;
}

int rsip_nl_link_get(struct rsip_nl *nl, const char *name, struct rsip_link *link)
{
	struct nlmsghdr *h;

	memset(link, 0, sizeof(*link));
	link_request(nl, &h, RTM_GETLINK, NLM_F_ACK);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	return rsip_mnl_exchange(nl->sock, h, take_link, link);
}

int rsip_nl_link_get_index(struct rsip_nl *nl, uint32_t ifindex, struct rsip_link *link)
{
	struct nlmsghdr *h;

	memset(link, 0, sizeof(*link));
	link_request(nl, &h, RTM_GETLINK, NLM_F_ACK)->ifi_index = ifindex;
	return rsip_mnl_exchange(nl->sock, h, take_link, link);
}

int rsip_nl_veth_add(struct rsip_nl *nl, const char *name, const char *peer_name, int peer_netns,
		     uint32_t mtu)
{
	struct nlattr *info, *data, *peer;
	struct nlmsghdr *h;

	link_request(nl, &h, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	peer = mnl_attr_nest_start(h, VETH_INFO_PEER);
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	mnl_attr_put_strz(h, IFLA_IFNAME, peer_name);
	mnl_attr_put_u32(h, IFLA_MTU, mtu);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, peer_netns);
	mnl_attr_nest_end(h, peer);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return rsip_nl_order(nl, h);
}

/* All kinds of device have the same attributes under numbers of their own. */
struct tunnel_kind {
	const char *name;
	uint16_t link, local, remote, ttl;
	uint16_t tos, pmtudisc;			 /* over IPv4 */
	uint16_t encap_limit, flags, proto; /* over IPv6; proto 0: it carries whatever comes */
};

static const struct tunnel_kind kinds[2][2] = {
	{
		{.name = "ipip", .link = IFLA_IPTUN_LINK, .local = IFLA_IPTUN_LOCAL, .remote = IFLA_IPTUN_REMOTE,
		 .ttl = IFLA_IPTUN_TTL, .tos = IFLA_IPTUN_TOS, .pmtudisc = IFLA_IPTUN_PMTUDISC},
		{.name = "gre", .link = IFLA_GRE_LINK, .local = IFLA_GRE_LOCAL, .remote = IFLA_GRE_REMOTE,
		 .ttl = IFLA_GRE_TTL, .tos = IFLA_GRE_TOS, .pmtudisc = IFLA_GRE_PMTUDISC},
	},
	{
		{.name = "ip6tnl", .link = IFLA_IPTUN_LINK, .local = IFLA_IPTUN_LOCAL, .remote = IFLA_IPTUN_REMOTE,
		 .ttl = IFLA_IPTUN_TTL, .encap_limit = IFLA_IPTUN_ENCAP_LIMIT, .flags = IFLA_IPTUN_FLAGS,
		 .proto = IFLA_IPTUN_PROTO},
		{.name = "ip6gre", .link = IFLA_GRE_LINK, .local = IFLA_GRE_LOCAL, .remote = IFLA_GRE_REMOTE,
		 .ttl = IFLA_GRE_TTL, .encap_limit = IFLA_GRE_ENCAP_LIMIT, .flags = IFLA_GRE_FLAGS},
	},
};

static const struct tunnel_kind *kind_of(uint8_t tunnel, uint16_t family)
{
	return &kinds[family == AF_INET6][tunnel == RSIP_TUNNEL_GRE];
}

const char *rsip_nl_tunnel_kind(uint8_t tunnel, uint16_t family)
{
	return kind_of(tunnel, family)->name;
}

static void put_address(struct nlmsghdr *h, uint16_t type, const struct rsip_inet *addr)
{
	mnl_attr_put(h, type, addr->family == AF_INET6 ? sizeof(addr->v6) : sizeof(addr->v4), addr->v6);
}

/* The traffic class is the inner packet's, as RFC 6040 4.1 wants it. */
static void put_outer_v6(struct nlmsghdr *h, const struct tunnel_kind *kind)
{
	mnl_attr_put_u8(h, kind->encap_limit, 0);
	mnl_attr_put_u32(h, kind->flags, IP6_TNL_F_IGN_ENCAP_LIMIT | IP6_TNL_F_USE_ORIG_TCLASS);
	if (kind->proto)
		mnl_attr_put_u8(h, kind->proto, IPPROTO_IPIP);
}

static void put_outer_v4(struct nlmsghdr *h, const struct tunnel_kind *kind)
{
	mnl_attr_put_u8(h, kind->tos, 1); /* inherit: RFC 6040 */
	mnl_attr_put_u8(h, kind->pmtudisc, 1);
}

int rsip_nl_tunnel_add(struct rsip_nl *nl, uint8_t tunnel, const char *name, const struct rsip_inet *local,
		       const struct rsip_inet *remote, uint32_t nic)
{
	const struct tunnel_kind *kind = kind_of(tunnel, remote->family);
	struct nlattr *info, *data;
	struct nlmsghdr *h;

	link_request(nl, &h, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind->name);
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, kind->link, nic);
	put_address(h, kind->local, local);
	put_address(h, kind->remote, remote);
	mnl_attr_put_u8(h, kind->ttl, 64);
	if (remote->family == AF_INET6)
		put_outer_v6(h, kind);
	else
		put_outer_v4(h, kind);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return rsip_nl_order(nl, h);
}

int rsip_nl_link_del(struct rsip_nl *nl, uint32_t ifindex)
{
	struct nlmsghdr *h;

	link_request(nl, &h, RTM_DELLINK, 0)->ifi_index = ifindex;
	return rsip_nl_order(nl, h);
}

int rsip_nl_link_move(struct rsip_nl *nl, uint32_t ifindex, int netns)
{
	struct nlmsghdr *h;

	link_request(nl, &h, RTM_NEWLINK, 0)->ifi_index = ifindex;
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, netns);
	return rsip_nl_order(nl, h);
}

int rsip_nl_link_up(struct rsip_nl *nl, uint32_t ifindex, uint32_t mtu, bool noarp)
{
	struct ifinfomsg *ifi;
	struct nlmsghdr *h;

	ifi = link_request(nl, &h, RTM_NEWLINK, 0);
	ifi->ifi_index = ifindex;
	ifi->ifi_flags = IFF_UP | (noarp ? IFF_NOARP : 0);
	ifi->ifi_change = IFF_UP | (noarp ? IFF_NOARP : 0);
	if (mtu)
		mnl_attr_put_u32(h, IFLA_MTU, mtu);
	return rsip_nl_order(nl, h);
}

struct filter_count {
	uint16_t priority;
	int n;
};

static int count_one(const struct nlmsghdr *h, void *data)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(h);
	struct filter_count *count = data;

	/* A filter shows up with a head of its own, whose handle is zero. */
	if (tc->tcm_handle && (!count->priority || tc->tcm_info >> 16 == count->priority))
		count->n++;
	return MNL_CB_OK;
}

int rsip_nl_filter_count(struct rsip_nl *nl, uint32_t ifindex, uint32_t parent, uint16_t priority)
{
	struct nlmsghdr *h = rsip_nl_request(nl, RTM_GETTFILTER, NLM_F_DUMP);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(h, sizeof(*tc));
	struct filter_count count = {.priority = priority};
	int err;

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = ifindex;
	tc->tcm_parent = parent;
	err = rsip_mnl_exchange(nl->sock, h, count_one, &count);
	return err ? err : count.n;
}
