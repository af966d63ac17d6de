// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rtnetlink through libmnl: links, addresses, routes, a count of TC filters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <sys/socket.h>
#include <libmnl/libmnl.h>
#include <linux/fib_rules.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include "mnl.h"
#include "netlink.h"
#include "rsip/wire.h"

#define RSIP_NL_BUF 2048 /* for a request */

struct rsip_nl {
	struct mnl_socket *sock;
	uint32_t seq;
	char buf[RSIP_NL_BUF];
};

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

static struct nlmsghdr *request(struct rsip_nl *nl, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(nl->buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = ++nl->seq;
	return h;
}

static int order(struct rsip_nl *nl, struct nlmsghdr *h)
{
	h->nlmsg_flags |= NLM_F_ACK;
	return rsip_mnl_exchange(nl->sock, h, NULL, NULL);
}

static struct ifinfomsg *link_request(struct rsip_nl *nl, struct nlmsghdr **h, uint16_t type,
				      uint16_t flags)
{
	*h = request(nl, type, flags);
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
	return order(nl, h);
}

/* Both kinds of device have the same attributes under numbers of their own. */
struct tunnel_kind {
	const char *name;
	uint16_t link, local, remote, ttl, tos, pmtudisc;
};

static const struct tunnel_kind ipip = {
	"ipip", IFLA_IPTUN_LINK, IFLA_IPTUN_LOCAL, IFLA_IPTUN_REMOTE, IFLA_IPTUN_TTL, IFLA_IPTUN_TOS, IFLA_IPTUN_PMTUDISC,
};
static const struct tunnel_kind gre = {
	"gre", IFLA_GRE_LINK, IFLA_GRE_LOCAL, IFLA_GRE_REMOTE, IFLA_GRE_TTL, IFLA_GRE_TOS, IFLA_GRE_PMTUDISC,
};

static const struct tunnel_kind *kind_of(uint8_t tunnel)
{
	return tunnel == RSIP_TUNNEL_GRE ? &gre : &ipip;
}

const char *rsip_nl_tunnel_kind(uint8_t tunnel)
{
	return kind_of(tunnel)->name;
}

int rsip_nl_tunnel_add(struct rsip_nl *nl, uint8_t tunnel, const char *name, __be32 local, __be32 remote, uint32_t nic)
{
	const struct tunnel_kind *kind = kind_of(tunnel);
	struct nlattr *info, *data;
	struct nlmsghdr *h;

	link_request(nl, &h, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(h, IFLA_IFNAME, name);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind->name);
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	mnl_attr_put_u32(h, kind->link, nic);
	mnl_attr_put_u32(h, kind->local, local);
	mnl_attr_put_u32(h, kind->remote, remote);
	mnl_attr_put_u8(h, kind->ttl, 64);
	mnl_attr_put_u8(h, kind->tos, 1); /* inherit: RFC 6040 */
	mnl_attr_put_u8(h, kind->pmtudisc, 1);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	return order(nl, h);
}

int rsip_nl_link_del(struct rsip_nl *nl, uint32_t ifindex)
{
	struct nlmsghdr *h;

	link_request(nl, &h, RTM_DELLINK, 0)->ifi_index = ifindex;
	return order(nl, h);
}

int rsip_nl_link_move(struct rsip_nl *nl, uint32_t ifindex, int netns)
{
	struct nlmsghdr *h;

	link_request(nl, &h, RTM_NEWLINK, 0)->ifi_index = ifindex;
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, netns);
	return order(nl, h);
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
	return order(nl, h);
}

static int addr_order(struct rsip_nl *nl, uint16_t type, uint16_t flags, uint32_t ifindex,
		      __be32 addr)
{
	struct nlmsghdr *h = request(nl, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = 32;
	ifa->ifa_index = ifindex;
	mnl_attr_put_u32(h, IFA_LOCAL, addr);
	mnl_attr_put_u32(h, IFA_ADDRESS, addr);
	return order(nl, h);
}

int rsip_nl_addr_add(struct rsip_nl *nl, uint32_t ifindex, __be32 addr)
{
	return addr_order(nl, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, ifindex, addr);
}

int rsip_nl_addr_del(struct rsip_nl *nl, uint32_t ifindex, __be32 addr)
{
	return addr_order(nl, RTM_DELADDR, 0, ifindex, addr);
}

int rsip_nl_default_route(struct rsip_nl *nl, uint32_t table, uint32_t ifindex, __be32 src)
{
	struct nlmsghdr *h = request(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));

	rt->rtm_family = AF_INET;
	rt->rtm_table = table ? RT_TABLE_UNSPEC : RT_TABLE_MAIN;
	rt->rtm_protocol = RTPROT_STATIC;
	rt->rtm_scope = RT_SCOPE_LINK;
	rt->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(h, RTA_OIF, ifindex);
	mnl_attr_put_u32(h, RTA_PREFSRC, src);
	if (table)
		mnl_attr_put_u32(h, RTA_TABLE, table);
	return order(nl, h);
}

static int rule_order(struct rsip_nl *nl, uint16_t type, uint16_t flags, uint32_t priority,
		      __be32 from, uint32_t table)
{
	struct nlmsghdr *h = request(nl, type, flags);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(h, sizeof(*rule));

	rule->family = AF_INET;
	rule->src_len = from ? 32 : 0;
	rule->action = FR_ACT_TO_TBL;
	if (from)
		mnl_attr_put_u32(h, FRA_SRC, from);
	mnl_attr_put_u32(h, FRA_PRIORITY, priority);
	mnl_attr_put_u32(h, FRA_TABLE, table);
	return order(nl, h);
}

int rsip_nl_rule_add(struct rsip_nl *nl, uint32_t priority, __be32 from, uint32_t table)
{
	int err = rule_order(nl, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, priority, from, table);

	return err == -EEXIST ? 0 : err;
}

int rsip_nl_rule_del(struct rsip_nl *nl, uint32_t priority, __be32 from, uint32_t table)
{
	return rule_order(nl, RTM_DELRULE, 0, priority, from, table);
}

int rsip_nl_rule_main(struct rsip_nl *nl, bool add, uint32_t priority)
{
	struct nlmsghdr *h = request(nl, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(h, sizeof(*rule));
	int err;

	rule->family = AF_INET;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(h, FRA_PRIORITY, priority);
	mnl_attr_put_u32(h, FRA_TABLE, RT_TABLE_MAIN);
	mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, 0);
	err = order(nl, h);
	return err == -EEXIST || err == -ENOENT ? 0 : err;
}

struct rule_search {
	uint32_t priority, table;
	bool found;
};

static int see_rule(const struct nlmsghdr *h, void *data)
{
	struct rule_search *search = data;
	uint32_t priority = 0, table = 0;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, h, sizeof(struct fib_rule_hdr)) {
		if (mnl_attr_get_type(attr) == FRA_PRIORITY)
			priority = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == FRA_TABLE)
			table = mnl_attr_get_u32(attr);
	}
	search->found |= priority == search->priority && table == search->table;
	return MNL_CB_OK;
}

bool rsip_nl_rule_exists(struct rsip_nl *nl, uint32_t priority, uint32_t table)
{
	struct nlmsghdr *h = request(nl, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(h, sizeof(*rule));
	struct rule_search search = {.priority = priority, .table = table};

	rule->family = AF_INET;
	rsip_mnl_exchange(nl->sock, h, see_rule, &search);
	return search.found;
}

int rsip_nl_bare_route(struct rsip_nl *nl, bool add, uint32_t table, uint8_t type, __be32 dst, uint8_t len)
{
	struct nlmsghdr *h = request(nl, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
	int err;

	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = len;
	rt->rtm_table = table ? RT_TABLE_UNSPEC : RT_TABLE_MAIN;
	rt->rtm_protocol = RSIP_RTPROT;
	rt->rtm_scope = add ? RT_SCOPE_UNIVERSE : RT_SCOPE_NOWHERE;
	rt->rtm_type = type;
	mnl_attr_put_u32(h, RTA_DST, dst);
	if (table)
		mnl_attr_put_u32(h, RTA_TABLE, table);
	err = order(nl, h);
	return !add && err == -ESRCH ? 0 : err;
}

#define RSIP_FLUSH_MAX 64 /* in one go */

struct bare_routes {
	uint32_t table;
	unsigned int cnt;
	struct {
		__be32 dst;
		uint8_t len, type;
	} r[RSIP_FLUSH_MAX];
};

static int see_bare_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct bare_routes *found = data;
	uint32_t table = rt->rtm_table;
	const struct nlattr *attr;
	__be32 dst = 0;

	mnl_attr_for_each(attr, h, sizeof(*rt)) {
		if (mnl_attr_get_type(attr) == RTA_TABLE)
			table = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) == RTA_DST)
			dst = mnl_attr_get_u32(attr);
	}
	if (rt->rtm_protocol != RSIP_RTPROT || table != found->table || found->cnt == RSIP_FLUSH_MAX)
		return MNL_CB_OK;
	found->r[found->cnt].dst = dst;
	found->r[found->cnt].len = rt->rtm_dst_len;
	found->r[found->cnt++].type = rt->rtm_type;
	return MNL_CB_OK;
}

int rsip_nl_bare_routes_flush(struct rsip_nl *nl, uint32_t table)
{
	struct bare_routes found;
	int err;

	do {
		struct nlmsghdr *h = request(nl, RTM_GETROUTE, NLM_F_DUMP);
		struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));

		memset(&found, 0, sizeof(found));
		found.table = table ? table : RT_TABLE_MAIN;
		rt->rtm_family = AF_INET;
		err = rsip_mnl_exchange(nl->sock, h, see_bare_route, &found);
		for (unsigned int i = 0; i < found.cnt && !err; i++)
			err = rsip_nl_bare_route(nl, false, table, found.r[i].type, found.r[i].dst, found.r[i].len);
	} while (!err && found.cnt == RSIP_FLUSH_MAX);
	return err;
}

static int take_route_attr(const struct nlattr *attr, void *data)
{
	struct rsip_route *route = data;

	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF:
		route->ifindex = mnl_attr_get_u32(attr);
		break;
	case RTA_GATEWAY:
		route->gateway = mnl_attr_get_u32(attr);
		break;
	case RTA_PREFSRC:
		route->prefsrc = mnl_attr_get_u32(attr);
		break;
	}
	return MNL_CB_OK;
}

static int take_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);

	((struct rsip_route *)data)->local = rt->rtm_type == RTN_LOCAL;
	mnl_attr_parse(h, sizeof(*rt), take_route_attr, data);
	return MNL_CB_OK;
}

int rsip_nl_route_get(struct rsip_nl *nl, __be32 dst, uint32_t oif, struct rsip_route *route)
{
	struct nlmsghdr *h = request(nl, RTM_GETROUTE, NLM_F_ACK);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));

	memset(route, 0, sizeof(*route));
	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = 32;
	mnl_attr_put_u32(h, RTA_DST, dst);
	if (oif)
		mnl_attr_put_u32(h, RTA_OIF, oif);
	return rsip_mnl_exchange(nl->sock, h, take_route, route);
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
	struct nlmsghdr *h = request(nl, RTM_GETTFILTER, NLM_F_DUMP);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(h, sizeof(*tc));
	struct filter_count count = {.priority = priority};
	int err;

	tc->tcm_family = AF_UNSPEC;
	tc->tcm_ifindex = ifindex;
	tc->tcm_parent = parent;
	err = rsip_mnl_exchange(nl->sock, h, count_one, &count);
	return err ? err : count.n;
}
