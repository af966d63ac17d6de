// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "nexthop_rtnl.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include "mnl.h"

#define READ_SIZE 32768
#define EVENT_BUFFER (4 * 1024 * 1024)
#define NUD_USABLE (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_NOARP)

static int attr_into(const struct nlattr *attr, void *arg)
{
	const struct nlattr **table = arg;

	if (mnl_attr_type_valid(attr, RTA_MAX > NDA_MAX ? RTA_MAX : NDA_MAX) > 0)
		table[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

#define ATTR_MAX ((RTA_MAX > NDA_MAX ? RTA_MAX : NDA_MAX) + 1)

static uint16_t addr_len(uint32_t family)
{
	return family == AF_INET6 ? 16 : 4;
}

static bool addr_from(const struct nlattr *attr, uint8_t family, struct rsip_rtnl_addr *out)
{
	memset(out, 0, sizeof(*out));
	out->family = family;
	if (!attr || mnl_attr_get_payload_len(attr) != addr_len(family))
		return false;
	memcpy(out->addr, mnl_attr_get_payload(attr), addr_len(family));
	return true;
}

bool rsip_rtnl_neigh(const struct nlmsghdr *msg, struct rsip_rtnl_neigh *out)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr[ATTR_MAX] = {NULL}, *mac;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*nd) || (nd->ndm_family != AF_INET && nd->ndm_family != AF_INET6))
		return false;
	memset(out, 0, sizeof(*out));
	out->ifindex = (uint32_t)nd->ndm_ifindex;
	out->gone = msg->nlmsg_type == RTM_DELNEIGH;
	mnl_attr_parse(msg, sizeof(*nd), attr_into, attr);
	if (!addr_from(attr[NDA_DST], nd->ndm_family, &out->addr))
		return false;
	mac = attr[NDA_LLADDR];
	if (!(nd->ndm_state & NUD_USABLE) || !mac || mnl_attr_get_payload_len(mac) != sizeof(out->mac))
		return true;
	memcpy(out->mac, mnl_attr_get_payload(mac), sizeof(out->mac));
	out->valid = true;
	return true;
}

static int send_query(struct rsip_rtnl *r, struct nlmsghdr *msg)
{
	if (!r->query)
		return -EBADF;
	msg->nlmsg_seq = ++r->seq;
	return mnl_socket_sendto(r->query, msg, msg->nlmsg_len) < 0 ? -errno : 0;
}

/* A socket for questions starts anew after an answer that broke off: no rest of it can be mistaken
 * for the next. */
static int open_query(struct rsip_rtnl *r)
{
	struct timeval patience = {.tv_sec = 2};
	int err;

	if (r->query)
		mnl_socket_close(r->query);
	r->query = NULL;
	err = rsip_mnl_open(NETLINK_ROUTE, 0, &r->query);
	if (!err)
		setsockopt(mnl_socket_get_fd(r->query), SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
	return err;
}

/* A whole table; the header of each begins with the family. */
static int dump_once(struct rsip_rtnl *r, uint16_t type, size_t hdr_len, uint8_t family, mnl_cb_t fn, void *arg)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	int err;

	msg->nlmsg_type = type;
	msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	*(uint8_t *)mnl_nlmsg_put_extra_header(msg, hdr_len) = family;
	err = send_query(r, msg);
	return err ? err : rsip_mnl_read(r->query, r->seq, fn, arg);
}

/* EINTR: the table changed while it was read. */
int rsip_rtnl_dump_neighs(struct rsip_rtnl *r, mnl_cb_t fn, void *arg)
{
	int err = 0;

	for (int tries = 0; tries < 5; tries++) {
		err = dump_once(r, RTM_GETNEIGH, sizeof(struct ndmsg), AF_UNSPEC, fn, arg);
		if (err != -EINTR || open_query(r))
			break;
	}
	return err == -EINTR ? 0 : err; /* events tell the rest */
}

/* ---- rules ---- */

static int on_rule(const struct nlmsghdr *msg, void *arg)
{
	static const int asks_for[] = { FRA_IIFNAME, FRA_L3MDEV, FRA_IP_PROTO, FRA_SPORT_RANGE, FRA_DPORT_RANGE };
	const struct fib_rule_hdr *rule = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr[ATTR_MAX] = {NULL};
	bool more, *there_are = arg;

	if (msg->nlmsg_type != RTM_NEWRULE || mnl_nlmsg_get_payload_len(msg) < sizeof(*rule))
		return MNL_CB_OK;
	mnl_attr_parse(msg, sizeof(*rule), attr_into, attr);
	more = rule->src_len || rule->tos;
	for (size_t i = 0; i < sizeof(asks_for) / sizeof(asks_for[0]); i++)
		more |= attr[asks_for[i]] != NULL;
	/* one for a mark is not for the data plane's packets, which have none yet */
	if (attr[FRA_FWMARK] && mnl_attr_get_u32(attr[FRA_FWMARK]))
		more = false;
	*there_are |= more;
	return MNL_CB_OK;
}

int rsip_rtnl_ask_rules(struct rsip_rtnl *r, bool *there_are)
{
	bool found = false;
	int err = dump_once(r, RTM_GETRULE, sizeof(struct fib_rule_hdr), AF_INET, on_rule, &found);

	if (err)
		open_query(r);
	else
		*there_are = found;
	return err;
}

/* ---- routes ---- */

struct route {
	uint32_t ifindex;
	struct rsip_rtnl_addr gateway; /* family 0: none, the host is on the link */
};

static int on_route(const struct nlmsghdr *msg, void *arg)
{
	const struct nlattr *attr[ATTR_MAX] = {NULL};
	const struct rtmsg *rt = mnl_nlmsg_get_payload(msg);
	struct route *route = arg;

	if (msg->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(msg) < sizeof(*rt) ||
	    rt->rtm_type != RTN_UNICAST)
		return MNL_CB_STOP;
	mnl_attr_parse(msg, sizeof(*rt), attr_into, attr);
	if (attr[RTA_OIF] && mnl_attr_get_payload_len(attr[RTA_OIF]) == sizeof(uint32_t))
		route->ifindex = mnl_attr_get_u32(attr[RTA_OIF]);
	if (attr[RTA_GATEWAY] && !addr_from(attr[RTA_GATEWAY], rt->rtm_family, &route->gateway))
		route->gateway.family = 0;
	return MNL_CB_STOP;
}

int rsip_rtnl_ask_route(struct rsip_rtnl *r, const struct rsip_rtnl_addr *host, uint32_t ifindex,
			struct rsip_rtnl_addr *via)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct route route = {.ifindex = 0};
	struct rtmsg *rt;
	int err;

	msg->nlmsg_type = RTM_GETROUTE;
	msg->nlmsg_flags = NLM_F_REQUEST;
	rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	rt->rtm_family = (uint8_t)host->family;
	rt->rtm_dst_len = (uint8_t)(addr_len(host->family) * 8);
	mnl_attr_put(msg, RTA_DST, addr_len(host->family), host->addr);
	mnl_attr_put_u32(msg, RTA_OIF, ifindex);
	err = send_query(r, msg);
	if (!err)
		err = rsip_mnl_read(r->query, r->seq, on_route, &route);
	if (err == -EAGAIN || err == -EPROTO)
		open_query(r);
	if (err)
		return err;
	if (route.ifindex != ifindex)
		return -ENETUNREACH;
	*via = route.gateway.family ? route.gateway : *host;
	return 0;
}

void rsip_rtnl_ask_neigh(struct rsip_rtnl *r, uint32_t ifindex, const struct rsip_rtnl_addr *addr, mnl_cb_t fn,
			 void *arg)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd;

	msg->nlmsg_type = RTM_GETNEIGH;
	msg->nlmsg_flags = NLM_F_REQUEST;
	nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));
	nd->ndm_family = (uint8_t)addr->family;
	nd->ndm_ifindex = (int)ifindex;
	mnl_attr_put(msg, NDA_DST, addr_len(addr->family), addr->addr);
	if (!send_query(r, msg)) {
		char answer[READ_SIZE];
		ssize_t len = mnl_socket_recvfrom(r->query, answer, sizeof(answer));

		if (len > 0) /* -ENOENT is an answer too: not known yet */
			mnl_cb_run(answer, (size_t)len, r->seq, mnl_socket_get_portid(r->query),
				   fn, arg);
	}
}

int rsip_rtnl_event(struct rsip_rtnl *r, mnl_cb_t fn, void *arg)
{
	char buf[READ_SIZE];
	ssize_t len;

	do
		len = recv(mnl_socket_get_fd(r->events), buf, sizeof(buf), MSG_DONTWAIT);
	while (len < 0 && errno == EINTR);
	if (len < 0)
		return -errno;
	mnl_cb_run(buf, (size_t)len, 0, 0, fn, arg);
	return 0;
}

int rsip_rtnl_open(struct rsip_rtnl *r)
{
	int err, size = EVENT_BUFFER;

	memset(r, 0, sizeof(*r));
	err = rsip_mnl_open(NETLINK_ROUTE, RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_IPV4_RULE | RTMGRP_IPV6_ROUTE | RTMGRP_LINK,
			    &r->events);
	if (!err)
		err = open_query(r);
	if (err) {
		rsip_rtnl_close(r);
		return err;
	}
	if (setsockopt(mnl_socket_get_fd(r->events), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(mnl_socket_get_fd(r->events), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

void rsip_rtnl_close(struct rsip_rtnl *r)
{
	if (r->events)
		mnl_socket_close(r->events);
	if (r->query)
		mnl_socket_close(r->query);
	r->events = r->query = NULL;
}
