// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include "mnl.h"

#define BUF_LEN 1024

static int ask(struct nlmsghdr *nlh)
{
	nlh->nlmsg_flags |= NLM_F_ACK;
	return rsip_mnl_ask(NETLINK_ROUTE, nlh, NULL, NULL);
}

/* ---- devices ---------------------------------------------------- */

static struct nlmsghdr *link_request(char *buf, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_family = AF_UNSPEC;
	return nlh;
}

int rsip_rtnl_veth_add(const char *name, const char *peer, uint32_t mtu)
{
	char buf[BUF_LEN];
	struct nlmsghdr *nlh = link_request(buf, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	struct nlattr *info, *data, *other;

	ifi->ifi_flags = ifi->ifi_change = IFF_NOARP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	info = mnl_attr_nest_start(nlh, IFLA_LINKINFO);
	mnl_attr_put_strz(nlh, IFLA_INFO_KIND, "veth");
	data = mnl_attr_nest_start(nlh, IFLA_INFO_DATA);
	other = mnl_attr_nest_start(nlh, VETH_INFO_PEER);
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	ifi->ifi_flags = ifi->ifi_change = IFF_NOARP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, peer);
	mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
	mnl_attr_nest_end(nlh, other);
	mnl_attr_nest_end(nlh, data);
	mnl_attr_nest_end(nlh, info);
	return ask(nlh);
}

int rsip_rtnl_link_up(const char *name)
{
	char buf[BUF_LEN];
	struct nlmsghdr *nlh = link_request(buf, RTM_NEWLINK, 0);
	struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

	ifi->ifi_flags = ifi->ifi_change = IFF_UP;
	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return ask(nlh);
}

int rsip_rtnl_link_del(const char *name)
{
	char buf[BUF_LEN];
	struct nlmsghdr *nlh = link_request(buf, RTM_DELLINK, 0);

	mnl_attr_put_strz(nlh, IFLA_IFNAME, name);
	return ask(nlh);
}

/* ---- routes and rules ---------------------------------------------------- */

int rsip_rtnl_default_route(uint32_t ifindex, uint32_t table, uint32_t mtu)
{
	char buf[BUF_LEN];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nlattr *metrics;
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_NEWROUTE;
	nlh->nlmsg_flags = NLM_F_CREATE | NLM_F_REPLACE;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_table = RT_TABLE_UNSPEC;
	rtm->rtm_protocol = RTPROT_STATIC;
	rtm->rtm_scope = RT_SCOPE_LINK;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(nlh, RTA_TABLE, table);
	mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
	metrics = mnl_attr_nest_start(nlh, RTA_METRICS);
	mnl_attr_put_u32(nlh, RTAX_MTU, mtu);
	mnl_attr_nest_end(nlh, metrics);
	return ask(nlh);
}

static int oif_seen(const struct nlmsghdr *nlh, void *arg)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct rtmsg))
	{
		if (mnl_attr_get_type(attr) == RTA_OIF)
			*(uint32_t *)arg = mnl_attr_get_u32(attr);
	}
	return MNL_CB_STOP;
}

int rsip_rtnl_route_get(__be32 host, uint32_t *ifindex)
{
	char buf[BUF_LEN];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rtm;

	nlh->nlmsg_type = RTM_GETROUTE;
	rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = 32;
	mnl_attr_put_u32(nlh, RTA_DST, host);
	return rsip_mnl_ask(NETLINK_ROUTE, nlh, oif_seen, ifindex);
}

static int rule(uint16_t type, uint16_t flags, uint32_t preference, uint32_t mark, uint32_t table)
{
	char buf[BUF_LEN];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct fib_rule_hdr *frh;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = flags;
	frh = mnl_nlmsg_put_extra_header(nlh, sizeof(*frh));
	frh->family = AF_INET;
	frh->action = FR_ACT_TO_TBL;
	frh->table = table < 256 ? (uint8_t)table : RT_TABLE_UNSPEC;
	mnl_attr_put_u32(nlh, FRA_TABLE, table);
	mnl_attr_put_u32(nlh, FRA_PRIORITY, preference);
	/* the local table's own rule is the kernel's: without this another one fits beside it */
	if (table == RT_TABLE_LOCAL && type == RTM_NEWRULE)
		mnl_attr_put_u8(nlh, FRA_PROTOCOL, RTPROT_KERNEL);
	if (mark) {
		mnl_attr_put_u32(nlh, FRA_FWMARK, mark);
		mnl_attr_put_u32(nlh, FRA_FWMASK, UINT32_MAX);
	}
	return ask(nlh);
}

int rsip_rtnl_rule_add(uint32_t preference, uint32_t mark, uint32_t table)
{
	return rule(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, preference, mark, table);
}

int rsip_rtnl_rule_del(uint32_t preference, uint32_t mark, uint32_t table)
{
	return rule(RTM_DELRULE, 0, preference, mark, table);
}
