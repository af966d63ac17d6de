// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "nexthop.h"
#include "hosts6.h"

#include <errno.h>
#include <ifaddrs.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uthash.h>
#include <utlist.h>

#include "log.h"
#include "nexthop_rtnl.h"
#include "util.h"

#define DISCARD_PORT 9 /* RFC 863 */
#define EVENT_READS 64 /* datagrams taken in one call: the loop has other work */

struct neigh_key {
	uint32_t ifindex;
	struct rsip_rtnl_addr addr;
};
_Static_assert(sizeof(struct neigh_key) == 24, "a hole in the key of a hash");

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
	struct rsip_rtnl rtnl;
	int probe, probe6; /* UDP; probe6 may be -1 */
	struct rsip_hops_sink sink;
	struct rsip_dp_iface iface[RSIP_MAX_IFACES];
	int iface_cnt;
	uint32_t generation; /* rises with each route event */
	struct neigh *neighs;
	struct host *hosts;
	struct host *cursor; /* next to be asked for again; NULL: all are up to date */
	bool again;	     /* routes changed while it walked */
	bool rules_stale;    /* rules changed: to be read again */
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

/* ---- neighbours ------------------------------------------------------------------------------- */

static struct neigh *neigh_find(struct rsip_hops *nh, uint32_t ifindex, const struct rsip_rtnl_addr *addr)
{
	struct neigh_key key = {ifindex, *addr};
	struct neigh *n;

	HASH_FIND(hh, nh->neighs, &key, sizeof(key), n);
	return n;
}

static struct neigh *neigh_get(struct rsip_hops *nh, uint32_t ifindex, const struct rsip_rtnl_addr *addr)
{
	struct neigh *n = neigh_find(nh, ifindex, addr);

	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->key.ifindex = ifindex;
	n->key.addr = *addr;
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

/* ---- messages --------------------------------------------------------------------------------- */

static void on_neigh(struct rsip_hops *nh, const struct nlmsghdr *msg)
{
	struct rsip_rtnl_neigh seen;
	struct neigh *n;

	if (!rsip_rtnl_neigh(msg, &seen))
		return;
	if (!is_private(nh, seen.ifindex)) {
		if (seen.addr.family != AF_INET)
			return; /* what leaves there is IPv4 */
		nh->sink.routes_changed(nh->sink.arg);
		return;
	}
	if (seen.gone) {
		/* The kernel drops what it has not used itself; the data plane uses it without the
		 * kernel. */
		n = neigh_find(nh, seen.ifindex, &seen.addr);
		if (n)
			neigh_drop_unused(nh, n);
		return;
	}
	n = seen.valid ? neigh_get(nh, seen.ifindex, &seen.addr) : NULL;
	if (n)
		neigh_learn(nh, n, seen.mac);
}

/* Each host's route is asked for again: at its next message, or by rsip_hops_refresh(), whichever is first. */
static void routes_are_stale(struct rsip_hops *nh)
{
	nh->generation++;
	nh->sink.routes_changed(nh->sink.arg);
	if (nh->cursor)
		nh->again = true; /* events that never end must not keep the walk from its end */
	else
		nh->cursor = nh->hosts;
}

static void on_link(struct rsip_hops *nh, const struct nlmsghdr *msg)
{
	const struct ifinfomsg *link = mnl_nlmsg_get_payload(msg);
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(msg) < sizeof(*link))
		return;
	nh->sink.link_changed(nh->sink.arg, (uint32_t)link->ifi_index);
	/* a device on top of another (macvlan): what is below may take other frames from now on */
	mnl_attr_for_each(attr, msg, sizeof(*link))
	{
		if (mnl_attr_get_type(attr) == IFLA_LINK && !mnl_attr_validate(attr, MNL_TYPE_U32))
			nh->sink.link_changed(nh->sink.arg, mnl_attr_get_u32(attr));
	}
}

static int on_event(const struct nlmsghdr *msg, void *arg)
{
	struct rsip_hops *nh = arg;

	switch (msg->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		on_neigh(nh, msg);
		break;
	case RTM_NEWRULE:
	case RTM_DELRULE:
		nh->rules_stale = true;
		/* fall through */
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		routes_are_stale(nh);
		break;
	case RTM_NEWLINK:
	case RTM_DELLINK:
		routes_are_stale(nh);
		on_link(nh, msg);
		break;
	}
	return MNL_CB_OK;
}

/* ---- one host --------------------------------------------------------------------------------- */

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

/*
 * The way leads over a neighbour that nobody knows yet, and no longer over the old one: the data plane asks the
 * kernel until it is known.  An empty datagram to the discard port makes the kernel look for it; that needs no
 * privilege.
 */
static void host_look_for(struct rsip_hops *nh, struct host *h)
{
	union rsip_sockaddr to;
	int probe;

	if (h->word) {
		h->word = 0;
		nh->sink.host_changed(nh->sink.arg, h->addr, 0);
	}
	rsip_host_sockaddr(h->addr, DISCARD_PORT, &to);
	probe = to.sa.sa_family == AF_INET6 ? nh->probe6 : nh->probe;
	if (sendto(probe, "", 0, MSG_DONTWAIT, &to.sa, rsip_sockaddr_len(to.sa.sa_family)) < 0)
		log_debug("cannot look for the neighbour toward host %s: %s", rsip_host_text(h->addr), strerror(errno));
}

/* What it is called on the wire; false: nobody's handle. */
static bool wire_addr(__be32 host, struct rsip_rtnl_addr *out)
{
	const uint8_t *addr6 = rsip_hosts6_addr(host);

	memset(out, 0, sizeof(*out));
	out->family = addr6 ? AF_INET6 : AF_INET;
	memcpy(out->addr, addr6 ? addr6 : (const uint8_t *)&host, addr6 ? 16 : sizeof(host));
	return addr6 || !RSIP_HOST6_IS(host);
}

static void host_route(struct rsip_hops *nh, struct host *h, uint32_t ifindex)
{
	struct rsip_rtnl_addr addr, via;
	struct neigh *n;

	h->generation = nh->generation;
	if (!wire_addr(h->addr, &addr) || rsip_rtnl_ask_route(&nh->rtnl, &addr, ifindex, &via)) {
		log_debug("no route to host %s by its own interface", rsip_host_text(h->addr));
		host_detach(nh, h);
		return;
	}
	if (h->via && !memcmp(&h->via->key.addr, &via, sizeof(via)) && h->via->key.ifindex == ifindex)
		return;
	host_detach(nh, h);
	n = neigh_get(nh, ifindex, &via);
	if (!n)
		return;
	h->via = n;
	DL_APPEND(n->hosts, h);
	if (!n->known)
		host_look_for(nh, h);
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
		rsip_rtnl_ask_neigh(&nh->rtnl, h->via->key.ifindex, &h->via->key.addr, on_event, nh);
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
	if (nh->cursor == h)
		nh->cursor = h->hh.next;
	HASH_DEL(nh->hosts, h);
	free(h);
}

/* ---- open, read, close ------------------------------------------------------------------------ */

/* Once for all events that were read: a table of many rules may be made anew. */
static void read_rules(struct rsip_hops *nh)
{
	bool there_are;
	int err = rsip_rtnl_ask_rules(&nh->rtnl, &there_are);

	nh->rules_stale = err == -EINTR; /* they changed while they were read */
	if (!err)
		nh->sink.rules_changed(nh->sink.arg, there_are);
	else if (err != -EINTR)
		log_warn("cannot read the kernel's rules: %s", strerror(-err));
}

static void read_events(struct rsip_hops *nh)
{
	for (int i = 0; i < EVENT_READS; i++) {
		int err = rsip_rtnl_event(&nh->rtnl, on_event, nh);

		if (err == -ENOBUFS) {
			/* Events were lost: everything may have changed. */
			log_debug("netlink events were lost; reading the neighbour table again");
			routes_are_stale(nh);
			nh->rules_stale = true;
			rsip_rtnl_dump_neighs(&nh->rtnl, on_event, nh);
		} else if (err) {
			if (err != -EAGAIN)
				log_err("cannot read netlink events: %s", strerror(-err));
			return;
		}
	}
}

void rsip_hops_read(struct rsip_hops *nh)
{
	read_events(nh);
	if (nh->rules_stale)
		read_rules(nh);
}

bool rsip_hops_refresh(struct rsip_hops *nh, uint32_t max)
{
	for (; nh->cursor && max; max--) {
		struct host *h = nh->cursor;
		const struct rsip_iface *rec = iface_by_index(nh, h->iface);

		nh->cursor = h->hh.next;
		if (!rec || h->generation == nh->generation)
			continue;
		host_route(nh, h, rec->ifindex);
		host_tell(nh, h);
	}
	if (!nh->cursor && nh->again) {
		nh->again = false;
		nh->cursor = nh->hosts;
	}
	return nh->cursor != NULL;
}

int rsip_hops_open(const struct rsip_dp_iface *ifaces, int iface_cnt,
		   const struct rsip_hops_sink *sink, struct rsip_hops **out)
{
	struct rsip_hops *nh = calloc(1, sizeof(*nh));
	int err;

	if (!nh)
		return -ENOMEM;
	nh->sink = *sink;
	nh->iface_cnt = iface_cnt;
	memcpy(nh->iface, ifaces, (size_t)iface_cnt * sizeof(*ifaces));
	nh->probe = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	nh->probe6 = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0); /* a kernel without IPv6 has no such hosts */
	err = nh->probe < 0 ? -errno : rsip_rtnl_open(&nh->rtnl);
	if (!err)
		err = rsip_rtnl_dump_neighs(&nh->rtnl, on_event, nh);
	if (err) {
		rsip_hops_close(nh);
		return err;
	}
	read_rules(nh);
	*out = nh;
	return 0;
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
	rsip_rtnl_close(&nh->rtnl);
	if (nh->probe >= 0)
		close(nh->probe);
	if (nh->probe6 >= 0)
		close(nh->probe6);
	free(nh);
}

int rsip_hops_fd(const struct rsip_hops *nh)
{
	return mnl_socket_get_fd(nh->rtnl.events);
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

static bool serves6(const struct rsip_dp_iface *ifaces, int iface_cnt, const char *name)
{
	for (int i = 0; i < iface_cnt; i++)
		if (ifaces[i].rec.role == RSIP_ROLE_PRIVATE && ifaces[i].rec.endpoint6[0] &&
		    !strcmp(ifaces[i].rec.name, name))
			return true;
	return false;
}

void rsip_hops_connected6(const struct rsip_dp_iface *ifaces, int iface_cnt, struct rsip_conf_nets *nets)
{
	struct ifaddrs *list, *a;

	if (getifaddrs(&list))
		return;
	for (a = list; a; a = a->ifa_next) {
		const struct in6_addr *addr, *mask;
		uint32_t len = 0;

		if (!a->ifa_addr || !a->ifa_netmask || a->ifa_addr->sa_family != AF_INET6 ||
		    !serves6(ifaces, iface_cnt, a->ifa_name))
			continue;
		addr = &((const struct sockaddr_in6 *)(const void *)a->ifa_addr)->sin6_addr;
		mask = &((const struct sockaddr_in6 *)(const void *)a->ifa_netmask)->sin6_addr;
		for (int i = 0; i < 16; i++)
			len += (uint32_t)__builtin_popcount(mask->s6_addr[i]);
		if (!IN6_IS_ADDR_LINKLOCAL(addr) && nets->cnt < RSIP_MAX_NETS &&
		    !rsip_net6_make(addr->s6_addr, len, &nets->net[nets->cnt]))
			nets->cnt++;
	}
	freeifaddrs(list);
}
