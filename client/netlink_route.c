// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* rtnetlink through libmnl: addresses, routes, policy rules. */
#include <errno.h>
#include <string.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include "netlink_priv.h"

static int addr_order(struct rsip_nl *nl, uint16_t type, uint16_t flags, uint32_t ifindex,
		      __be32 addr)
{
	struct nlmsghdr *h = rsip_nl_request(nl, type, flags);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));

	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = 32;
	ifa->ifa_index = ifindex;
	mnl_attr_put_u32(h, IFA_LOCAL, addr);
	mnl_attr_put_u32(h, IFA_ADDRESS, addr);
	return rsip_nl_order(nl, h);
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
	struct nlmsghdr *h = rsip_nl_request(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
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
	return rsip_nl_order(nl, h);
}

static int rule_order(struct rsip_nl *nl, uint16_t type, uint16_t flags, uint32_t priority,
		      __be32 from, uint32_t table)
{
	struct nlmsghdr *h = rsip_nl_request(nl, type, flags);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(h, sizeof(*rule));

	rule->family = AF_INET;
	rule->src_len = from ? 32 : 0;
	rule->action = FR_ACT_TO_TBL;
	if (from)
		mnl_attr_put_u32(h, FRA_SRC, from);
	mnl_attr_put_u32(h, FRA_PRIORITY, priority);
	mnl_attr_put_u32(h, FRA_TABLE, table);
	return rsip_nl_order(nl, h);
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
	struct nlmsghdr *h = rsip_nl_request(nl, add ? RTM_NEWRULE : RTM_DELRULE, add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(h, sizeof(*rule));
	int err;

	rule->family = AF_INET;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(h, FRA_PRIORITY, priority);
	mnl_attr_put_u32(h, FRA_TABLE, RT_TABLE_MAIN);
	mnl_attr_put_u32(h, FRA_SUPPRESS_PREFIXLEN, 0);
	err = rsip_nl_order(nl, h);
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
	struct nlmsghdr *h = rsip_nl_request(nl, RTM_GETRULE, NLM_F_DUMP);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(h, sizeof(*rule));
	struct rule_search search = {.priority = priority, .table = table};

	rule->family = AF_INET;
	rsip_mnl_exchange(nl->sock, h, see_rule, &search);
	return search.found;
}

int rsip_nl_bare_route(struct rsip_nl *nl, bool add, uint32_t table, uint8_t type, __be32 dst, uint8_t len)
{
	struct nlmsghdr *h = rsip_nl_request(nl, add ? RTM_NEWROUTE : RTM_DELROUTE, add ? NLM_F_CREATE | NLM_F_REPLACE : 0);
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
	err = rsip_nl_order(nl, h);
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
		struct nlmsghdr *h = rsip_nl_request(nl, RTM_GETROUTE, NLM_F_DUMP);
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

struct route_read {
	struct rsip_route *route;
	uint16_t family;
};

static void take_address(const struct nlattr *attr, const struct route_read *r, struct rsip_inet *addr)
{
	size_t len = mnl_attr_get_payload_len(attr);

	if (r->family == AF_INET && len == sizeof(addr->v4))
		*addr = rsip_inet_v4(mnl_attr_get_u32(attr));
	else if (r->family == AF_INET6 && len == sizeof(addr->v6))
		*addr = rsip_inet_v6(mnl_attr_get_payload(attr), 0);
}

static int take_route_attr(const struct nlattr *attr, void *data)
{
	const struct route_read *r = data;

	switch (mnl_attr_get_type(attr)) {
	case RTA_OIF:
		r->route->ifindex = mnl_attr_get_u32(attr);
		break;
	case RTA_GATEWAY:
		take_address(attr, r, &r->route->gateway);
		break;
	case RTA_PREFSRC:
		take_address(attr, r, &r->route->prefsrc);
		break;
	}
	return MNL_CB_OK;
}

static void give_scope(struct rsip_inet *addr, uint32_t ifindex)
{
	if (rsip_inet_is_link_local(addr))
		addr->scope = ifindex;
}

static int take_route(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct route_read r = {.route = data, .family = rt->rtm_family};

	r.route->local = rt->rtm_type == RTN_LOCAL;
	r.route->len = rt->rtm_dst_len;
	mnl_attr_parse(h, sizeof(*rt), take_route_attr, &r);
	give_scope(&r.route->gateway, r.route->ifindex);
	give_scope(&r.route->prefsrc, r.route->ifindex);
	return MNL_CB_OK;
}

static int get_route(struct rsip_nl *nl, const struct rsip_inet *dst, uint32_t oif, uint32_t flags, struct rsip_route *route)
{
	struct nlmsghdr *h = rsip_nl_request(nl, RTM_GETROUTE, NLM_F_ACK);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
	bool v6 = dst->family == AF_INET6;

	memset(route, 0, sizeof(*route));
	rt->rtm_family = dst->family;
	rt->rtm_flags = flags;
	rt->rtm_dst_len = v6 ? 128 : 32;
	mnl_attr_put(h, RTA_DST, v6 ? sizeof(dst->v6) : sizeof(dst->v4), dst->v6);
	if (oif || dst->scope)
		mnl_attr_put_u32(h, RTA_OIF, oif ? oif : dst->scope);
	return rsip_mnl_exchange(nl->sock, h, take_route, route);
}

int rsip_nl_route_get(struct rsip_nl *nl, const struct rsip_inet *dst, uint32_t oif, struct rsip_route *route)
{
	return get_route(nl, dst, oif, 0, route);
}

int rsip_nl_route_match(struct rsip_nl *nl, const struct rsip_inet *dst, struct rsip_route *route)
{
	return get_route(nl, dst, 0, RTM_F_FIB_MATCH, route);
}

struct default_search {
	uint16_t family;
	uint32_t oif, metric;
	struct rsip_route best;
};

static void take_path(const struct rtnexthop *path, struct route_read *r)
{
	const struct nlattr *attr;

	r->route->ifindex = path->rtnh_ifindex;
	mnl_attr_for_each_payload((void *)(path + 1), path->rtnh_len - sizeof(*path))
		take_route_attr(attr, r);
}

/* Of several next hops the first. */
static void take_next_hop(const struct nlattr *paths, struct route_read *r)
{
	const struct rtnexthop *path = mnl_attr_get_payload(paths);

	if (RTNH_OK(path, mnl_attr_get_payload_len(paths)))
		take_path(path, r);
}

static int see_default(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct default_search *search = data;
	struct rsip_route route = {0};
	struct route_read r = {.route = &route, .family = search->family};
	const struct nlattr *attr;
	uint32_t metric = 0;

	if (rt->rtm_family != search->family || rt->rtm_table != RT_TABLE_MAIN || rt->rtm_dst_len || rt->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*rt)) {
		if (mnl_attr_get_type(attr) == RTA_PRIORITY)
			metric = mnl_attr_get_u32(attr);
		else if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			take_next_hop(attr, &r);
		else
			take_route_attr(attr, &r);
	}
	if (!route.gateway.family || (search->oif && route.ifindex != search->oif) ||
	    (search->best.gateway.family && metric >= search->metric))
		return MNL_CB_OK;
	search->metric = metric;
	search->best = route;
	return MNL_CB_OK;
}

int rsip_nl_default_router(struct rsip_nl *nl, uint16_t family, uint32_t oif, struct rsip_inet *router)
{
	struct nlmsghdr *h = rsip_nl_request(nl, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
	struct default_search search = {.family = family, .oif = oif};
	int err;

	rt->rtm_family = family;
	err = rsip_mnl_exchange(nl->sock, h, see_default, &search);
	if (err)
		return err;
	give_scope(&search.best.gateway, search.best.ifindex);
	*router = search.best.gateway;
	return router->family ? 0 : -ENOENT;
}

struct hop_search {
	const struct rsip_inet *hop;
	bool found;
};

static bool is_one_of(const struct nlattr *paths, const struct rsip_inet *hop)
{
	const struct rtnexthop *path = mnl_attr_get_payload(paths);
	bool found = false;

	for (int left = mnl_attr_get_payload_len(paths); RTNH_OK(path, left) && !found; path = RTNH_NEXT(path)) {
		struct rsip_route route = {0};
		struct route_read r = {.route = &route, .family = hop->family};

		take_path(path, &r);
		found = rsip_inet_same(&route.gateway, hop);
		left -= RTNH_ALIGN(path->rtnh_len);
	}
	return found;
}

static int see_hops(const struct nlmsghdr *h, void *data)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(h);
	struct hop_search *search = data;
	struct rsip_route route = {0};
	struct route_read r = {.route = &route, .family = rt->rtm_family};
	const struct nlattr *attr;

	if (rt->rtm_family != search->hop->family || rt->rtm_table != RT_TABLE_MAIN)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, h, sizeof(*rt)) {
		if (mnl_attr_get_type(attr) == RTA_MULTIPATH)
			search->found |= is_one_of(attr, search->hop);
		else
			take_route_attr(attr, &r);
	}
	search->found |= rsip_inet_same(&route.gateway, search->hop);
	return MNL_CB_OK;
}

bool rsip_nl_is_next_hop(struct rsip_nl *nl, const struct rsip_inet *hop)
{
	struct nlmsghdr *h = rsip_nl_request(nl, RTM_GETROUTE, NLM_F_DUMP);
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
	struct hop_search search = {.hop = hop};

	rt->rtm_family = hop->family;
	return !rsip_mnl_exchange(nl->sock, h, see_hops, &search) && search.found;
}
