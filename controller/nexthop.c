// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "nexthop.h"

#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uthash.h>
#include <utlist.h>

#include "log.h"
#include "util.h"

#define READ_SIZE 32768
#define EVENT_READS 64 /* datagrams taken in one call: the loop has other work */

struct neigh_key {
	uint32_t ifindex;
	__be32 addr;
};

struct host;

struct neigh {
	struct neigh_key key;
	bool known; /* mac is valid: the last one the kernel told */
	uint8_t mac[6];
	struct host *hosts; /* that are reached through it */
	UT_hash_handle hh;
};

struct host {
	__be32 addr;
	uint16_t iface;
	uint32_t generation;	  /* of the routes, when its gateway was asked for */
	uint64_t word;		  /* as last told */
	struct neigh *via;	  /* NULL: no route */
	struct host *prev, *next; /* others via the same neighbour */
	UT_hash_handle hh;
};

struct rsip_hops {
	struct mnl_socket *events, *query;
	struct rsip_hops_sink sink;
	struct rsip_dp_iface iface[RSIP_MAX_IFACES];
	int iface_cnt;
	uint32_t generation; /* rises with each route event */
	uint32_t seq;
	struct neigh *neighs;
	struct host *hosts;
};

static const struct rsip_iface *iface_by_index(const struct rsip_hops *nh, uint32_t index)
{
	for (int i = 0; i < nh->iface_cnt; i++)
		if (nh->iface[i].index == index)
			return &nh->iface[i].rec;
	return NULL;
}

static bool is_private(const struct rsip_hops *nh, uint32_t ifindex)
{
	for (int i = 0; i < nh->iface_cnt; i++)
		if (nh->iface[i].rec.ifindex == ifindex)
			return nh->iface[i].rec.role == RSIP_ROLE_PRIVATE;
	return false;
}

/* ---- neighbours
 * ------------------------------------------------------------------------------------------------
 */

static struct neigh *neigh_find(struct rsip_hops *nh, uint32_t ifindex, __be32 addr)
{
	struct neigh_key key = {ifindex, addr};
	struct neigh *n;

	HASH_FIND(hh, nh->neighs, &key, sizeof(key), n);
	return n;
}

static struct neigh *neigh_get(struct rsip_hops *nh, uint32_t ifindex, __be32 addr)
{
	struct neigh *n = neigh_find(nh, ifindex, addr);

	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->key.ifindex = ifindex;
	n->key.addr = addr;
	HASH_ADD(hh, nh->neighs, key, sizeof(n->key), n);
	return n;
}

static void neigh_drop_unused(struct rsip_hops *nh, struct neigh *n)
{
	if (n->hosts)
		return;
	HASH_DEL(nh->neighs, n);
	free(n);
}

static uint64_t host_word(const struct host *h)
{
	union rsip_nexthop word = {.word = 0};

	if (!h->via || !h->via->known)
		return 0;
	memcpy(word.mac, h->via->mac, sizeof(word.mac));
	word.iface = h->iface;
	return word.word;
}

static void host_tell(struct rsip_hops *nh, struct host *h)
{
	uint64_t word = host_word(h);

	/* What is unknown now may come back: the old address serves better than none. */
	if (!word || word == h->word)
		return;
	h->word = word;
	nh->sink.host_changed(nh->sink.arg, h->addr, word);
}

static void neigh_learn(struct rsip_hops *nh, struct neigh *n, const uint8_t *mac)
{
	struct host *h, *tmp;

	if (n->known && !memcmp(n->mac, mac, sizeof(n->mac)))
		return;
	memcpy(n->mac, mac, sizeof(n->mac));
	n->known = true;
	DL_FOREACH_SAFE(n->hosts, h, tmp)
	host_tell(nh, h);
}

/* ---- messages
 * ------------------------------------------------------------------------------------------------------
 */

static int attr_into(const struct nlattr *attr, void *arg)
{
	const struct nlattr **table = arg;

	if (mnl_attr_type_valid(attr, RTA_MAX > NDA_MAX ? RTA_MAX : NDA_MAX) > 0)
		table[mnl_attr_get_type(attr)] = attr;
	return MNL_CB_OK;
}

#define ATTR_MAX ((RTA_MAX > NDA_MAX ? RTA_MAX : NDA_MAX) + 1)

static void on_neigh(struct rsip_hops *nh, const struct nlmsghdr *msg)
{
	const struct ndmsg *nd = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr[ATTR_MAX] = {NULL};
	struct neigh *n;
	__be32 addr;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*nd) || nd->ndm_family != AF_INET)
		return;
	if (!is_private(nh, (uint32_t)nd->ndm_ifindex)) {
		nh->sink.routes_changed(nh->sink.arg);
		return;
	}
	mnl_attr_parse(msg, sizeof(*nd), attr_into, attr);
	if (!attr[NDA_DST] || mnl_attr_get_payload_len(attr[NDA_DST]) != sizeof(addr))
		return;
	memcpy(&addr, mnl_attr_get_payload(attr[NDA_DST]), sizeof(addr));
	if (msg->nlmsg_type == RTM_DELNEIGH) {
		/* The kernel drops what it has not used itself; the data plane uses it without the
		 * kernel. */
		n = neigh_find(nh, (uint32_t)nd->ndm_ifindex, addr);
		if (n)
			neigh_drop_unused(nh, n);
		return;
	}
	if (!(nd->ndm_state &
	      (NUD_PERMANENT | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_NOARP)) ||
	    !attr[NDA_LLADDR] || mnl_attr_get_payload_len(attr[NDA_LLADDR]) != 6)
		return;
	n = neigh_get(nh, (uint32_t)nd->ndm_ifindex, addr);
	if (n)
		neigh_learn(nh, n, mnl_attr_get_payload(attr[NDA_LLADDR]));
}

static int on_event(const struct nlmsghdr *msg, void *arg)
{
	struct rsip_hops *nh = arg;

	switch (msg->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		on_neigh(nh, msg);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
	case RTM_NEWLINK:
	case RTM_DELLINK:
		nh->generation++;
		nh->sink.routes_changed(nh->sink.arg);
		break;
	}
	return MNL_CB_OK;
}

static int send_query(struct rsip_hops *nh, struct nlmsghdr *msg)
{
	if (!nh->query)
		return -EBADF;
	msg->nlmsg_seq = ++nh->seq;
	return mnl_socket_sendto(nh->query, msg, msg->nlmsg_len) < 0 ? -errno : 0;
}

static int read_query(struct rsip_hops *nh, mnl_cb_t fn, void *arg)
{
	char buf[READ_SIZE];
	int rc = MNL_CB_OK;

	while (rc > MNL_CB_STOP) {
		ssize_t len = mnl_socket_recvfrom(nh->query, buf, sizeof(buf));

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return -errno;
		rc = mnl_cb_run(buf, (size_t)len, nh->seq, mnl_socket_get_portid(nh->query), fn,
				arg);
		if (rc < 0)
			return -errno;
	}
	return 0;
}

static struct mnl_socket *open_socket(unsigned int groups, int *err)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);

	*err = 0;
	if (s && mnl_socket_bind(s, groups, MNL_SOCKET_AUTOPID) == 0)
		return s;
	*err = -errno;
	if (s)
		mnl_socket_close(s);
	return NULL;
}

/* A socket for questions starts anew after an answer that broke off: no rest of it can be mistaken
 * for the next. */
static int open_query(struct rsip_hops *nh)
{
	struct timeval patience = {.tv_sec = 2};
	int err;

	if (nh->query)
		mnl_socket_close(nh->query);
	nh->query = open_socket(0, &err);
	if (nh->query)
		setsockopt(mnl_socket_get_fd(nh->query), SOL_SOCKET, SO_RCVTIMEO, &patience,
			   sizeof(patience));
	return err;
}

static int dump_once(struct rsip_hops *nh)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd;
	int err;

	msg->nlmsg_type = RTM_GETNEIGH;
	msg->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));
	nd->ndm_family = AF_INET;
	err = send_query(nh, msg);
	return err ? err : read_query(nh, on_event, nh);
}

/* EINTR: the table changed while it was read. */
static int dump_neighs(struct rsip_hops *nh)
{
	int err = 0;

	for (int tries = 0; tries < 5; tries++) {
		err = dump_once(nh);
		if (err != -EINTR || open_query(nh))
			break;
	}
	return err == -EINTR ? 0 : err; /* events tell the rest */
}

/* ---- one host
 * --------------------------------------------------------------------------------------------------------
 */

struct route {
	uint32_t ifindex;
	__be32 gateway;
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
	if (attr[RTA_GATEWAY] &&
	    mnl_attr_get_payload_len(attr[RTA_GATEWAY]) == sizeof(route->gateway))
		memcpy(&route->gateway, mnl_attr_get_payload(attr[RTA_GATEWAY]),
		       sizeof(route->gateway));
	return MNL_CB_STOP;
}

/* The neighbour to which the kernel would send a packet for host out of this interface. */
static int ask_route(struct rsip_hops *nh, __be32 host, uint32_t ifindex, __be32 *via)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct route route = {0, 0};
	struct rtmsg *rt;
	int err;

	msg->nlmsg_type = RTM_GETROUTE;
	msg->nlmsg_flags = NLM_F_REQUEST;
	rt = mnl_nlmsg_put_extra_header(msg, sizeof(*rt));
	rt->rtm_family = AF_INET;
	rt->rtm_dst_len = 32;
	mnl_attr_put_u32(msg, RTA_DST, host);
	mnl_attr_put_u32(msg, RTA_OIF, ifindex);
	err = send_query(nh, msg);
	if (!err)
		err = read_query(nh, on_route, &route);
	if (err == -EAGAIN || err == -EPROTO)
		open_query(nh);
	if (err)
		return err;
	if (route.ifindex != ifindex)
		return -ENETUNREACH;
	*via = route.gateway ? route.gateway : host;
	return 0;
}

/* Asks for one neighbour: it may be newer than the last event that we read. */
static void ask_neigh(struct rsip_hops *nh, const struct neigh *n)
{
	char buf[256];
	struct nlmsghdr *msg = mnl_nlmsg_put_header(buf);
	struct ndmsg *nd;

	msg->nlmsg_type = RTM_GETNEIGH;
	msg->nlmsg_flags = NLM_F_REQUEST;
	nd = mnl_nlmsg_put_extra_header(msg, sizeof(*nd));
	nd->ndm_family = AF_INET;
	nd->ndm_ifindex = (int)n->key.ifindex;
	mnl_attr_put_u32(msg, NDA_DST, n->key.addr);
	if (!send_query(nh, msg)) {
		char answer[READ_SIZE];
		ssize_t len = mnl_socket_recvfrom(nh->query, answer, sizeof(answer));

		if (len > 0) /* -ENOENT is an answer too: not known yet */
			mnl_cb_run(answer, (size_t)len, nh->seq, mnl_socket_get_portid(nh->query),
				   on_event, nh);
	}
}

static void host_detach(struct rsip_hops *nh, struct host *h)
{
	struct neigh *n = h->via;

	if (!n)
		return;
	DL_DELETE(n->hosts, h);
	h->via = NULL;
	if (!n->known)
		neigh_drop_unused(nh, n);
}

static void host_route(struct rsip_hops *nh, struct host *h, uint32_t ifindex)
{
	struct neigh *n;
	__be32 via;

	h->generation = nh->generation;
	if (ask_route(nh, h->addr, ifindex, &via)) {
		log_debug("no route to host %s by its own interface", rsip_ip4(h->addr));
		host_detach(nh, h);
		return;
	}
	if (h->via && h->via->key.addr == via && h->via->key.ifindex == ifindex)
		return;
	host_detach(nh, h);
	n = neigh_get(nh, ifindex, via);
	if (!n)
		return;
	h->via = n;
	DL_APPEND(n->hosts, h);
}

static struct host *host_get(struct rsip_hops *nh, __be32 addr)
{
	struct host *h;

	HASH_FIND(hh, nh->hosts, &addr, sizeof(addr), h);
	if (h)
		return h;
	h = calloc(1, sizeof(*h));
	if (!h)
		return NULL;
	h->addr = addr;
	h->generation = nh->generation - 1;
	HASH_ADD(hh, nh->hosts, addr, sizeof(h->addr), h);
	return h;
}

uint64_t rsip_hops_find(struct rsip_hops *nh, __be32 host, uint16_t iface)
{
	const struct rsip_iface *rec = iface_by_index(nh, iface);
	struct host *h = rec ? host_get(nh, host) : NULL;

	if (!h)
		return 0;
	if (h->iface != iface || h->generation != nh->generation) {
		h->iface = iface;
		host_route(nh, h, rec->ifindex);
	}
	if (h->via && !h->via->known)
		ask_neigh(nh, h->via);
	h->word = host_word(h);
	return h->word;
}

void rsip_hops_forget(struct rsip_hops *nh, __be32 host)
{
	struct host *h;

	HASH_FIND(hh, nh->hosts, &host, sizeof(host), h);
	if (!h)
		return;
	host_detach(nh, h);
	HASH_DEL(nh->hosts, h);
	free(h);
}

/* ---- open, read, close
 * --------------------------------------------------------------------------------------------- */

void rsip_hops_read(struct rsip_hops *nh)
{
	char buf[READ_SIZE];

	for (int i = 0; i < EVENT_READS; i++) {
		ssize_t len = recv(mnl_socket_get_fd(nh->events), buf, sizeof(buf), MSG_DONTWAIT);

		if (len >= 0) {
			mnl_cb_run(buf, (size_t)len, 0, 0, on_event, nh);
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == ENOBUFS) {
			/* Events were lost: everything may have changed. */
			log_debug("netlink events were lost; reading the neighbour table again");
			nh->generation++;
			nh->sink.routes_changed(nh->sink.arg);
			dump_neighs(nh);
			continue;
		}
		if (errno != EAGAIN)
			log_err("cannot read netlink events: %s", strerror(errno));
		return;
	}
}

int rsip_hops_open(const struct rsip_dp_iface *ifaces, int iface_cnt,
		   const struct rsip_hops_sink *sink, struct rsip_hops **out)
{
	struct rsip_hops *nh = calloc(1, sizeof(*nh));
	int err, size = 4 * 1024 * 1024;

	if (!nh)
		return -ENOMEM;
	nh->sink = *sink;
	nh->iface_cnt = iface_cnt;
	memcpy(nh->iface, ifaces, (size_t)iface_cnt * sizeof(*ifaces));
	nh->events = open_socket(RTMGRP_NEIGH | RTMGRP_IPV4_ROUTE | RTMGRP_LINK, &err);
	if (!nh->events)
		goto fail;
	err = open_query(nh);
	if (err)
		goto fail;
	if (setsockopt(mnl_socket_get_fd(nh->events), SOL_SOCKET, SO_RCVBUFFORCE, &size,
		       sizeof(size)))
		setsockopt(mnl_socket_get_fd(nh->events), SOL_SOCKET, SO_RCVBUF, &size,
			   sizeof(size));
	err = dump_neighs(nh);
	if (err)
		goto fail;
	*out = nh;
	return 0;
fail:
	rsip_hops_close(nh);
	return err;
}

void rsip_hops_close(struct rsip_hops *nh)
{
	struct neigh *n, *ntmp;
	struct host *h, *htmp;

	if (!nh)
		return;
	HASH_ITER (hh, nh->hosts, h, htmp) {
		HASH_DEL(nh->hosts, h);
		free(h);
	}
	HASH_ITER (hh, nh->neighs, n, ntmp) {
		HASH_DEL(nh->neighs, n);
		free(n);
	}
	if (nh->events)
		mnl_socket_close(nh->events);
	if (nh->query)
		mnl_socket_close(nh->query);
	free(nh);
}

int rsip_hops_fd(const struct rsip_hops *nh)
{
	return mnl_socket_get_fd(nh->events);
}

int rsip_hops_connected(const struct rsip_dp_iface *ifaces, int iface_cnt, struct rsip_net *out,
			int max)
{
	struct ifaddrs *list, *a;
	int cnt = 0;

	if (getifaddrs(&list))
		return -errno;
	for (a = list; a; a = a->ifa_next) {
		if (!a->ifa_addr || !a->ifa_netmask || a->ifa_addr->sa_family != AF_INET)
			continue;
		for (int i = 0; i < iface_cnt; i++) {
			struct rsip_net net;

			if (ifaces[i].rec.role != RSIP_ROLE_PRIVATE ||
			    strcmp(ifaces[i].rec.name, a->ifa_name))
				continue;
			net.mask = ((struct sockaddr_in *)(void *)a->ifa_netmask)->sin_addr.s_addr;
			net.addr = ((struct sockaddr_in *)(void *)a->ifa_addr)->sin_addr.s_addr &
				   net.mask;
			if (cnt < max)
				out[cnt++] = net;
		}
	}
	freeifaddrs(list);
	return cnt;
}
