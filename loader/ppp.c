// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Hooks of pppd call session-add and session-del.  The order of add is: the session, the program, and last the way toward
 * the host, so that no packet is sent into an interface whose answers nobody would judge.
 */
#include "ppp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include "commands.h"
#include "json.h"
#include "log.h"
#include "netdev.h"
#include "pins.h"
#include "rtnl.h"
#include "tc.h"
#include "undo.h"
#include "util.h"

struct maps {
	int sessions, ppp_of;
};

static int open_maps(const char *folder, struct maps *m)
{
	m->sessions = rsip_plane_open(folder, "rsip_sessions");
	m->ppp_of = rsip_plane_open(folder, "rsip_ppp_of");
	return m->sessions < 0 ? m->sessions : m->ppp_of < 0 ? m->ppp_of : 0;
}

static void close_maps(const struct maps *m)
{
	if (m->sessions >= 0)
		close(m->sessions);
	if (m->ppp_of >= 0)
		close(m->ppp_of);
}

static struct rsip_iface as_iface(uint32_t ifindex)
{
	return (struct rsip_iface){.ifindex = ifindex, .role = RSIP_ROLE_PRIVATE, .flags = RSIP_IFACE_NO_ETHERNET};
}

/* ---- each of them ---------------------------------------------------- */

typedef int (*each_fn)(uint32_t ifindex, const struct rsip_session *s, void *arg);

/* fn may remove the one it is called with.  The last error of fn. */
static int each_session(int fd, each_fn fn, void *arg)
{
	uint32_t at, next;
	bool more = !bpf_map_get_next_key(fd, NULL, &next);
	int err = 0;

	while (more) {
		struct rsip_session s;

		at = next;
		more = !bpf_map_get_next_key(fd, &at, &next);
		if (!bpf_map_lookup_elem(fd, &at, &s))
			err = fn(at, &s, arg) ?: err;
	}
	return err;
}

static int sweep_one(uint32_t ifindex, const struct rsip_session *s, void *arg)
{
	char name[IF_NAMESIZE];

	(void)s;
	if (!if_indextoname(ifindex, name))
		bpf_map_delete_elem(*(int *)arg, &ifindex);
	return 0;
}

/* Sessions whose interface went without a session-del (pppd was killed) hold places. */
static int put_session(const struct maps *m, uint32_t ifindex, const struct rsip_session *s)
{
	int sessions = m->sessions;

	if (!bpf_map_update_elem(sessions, &ifindex, s, BPF_ANY))
		return 0;
	if (errno != E2BIG)
		return -errno;
	each_session(sessions, sweep_one, &sessions);
	return bpf_map_update_elem(sessions, &ifindex, s, BPF_ANY) ? -errno : 0;
}

/* ---- add ---------------------------------------------------- */

static void read_link(const char *name, struct rsip_session *s)
{
	struct ifaddrs *list, *at;

	if (getifaddrs(&list))
		return;
	for (at = list; at; at = at->ifa_next) {
		if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET || strcmp(at->ifa_name, name) ||
		    !(at->ifa_flags & IFF_POINTOPOINT) || !at->ifa_dstaddr)
			continue;
		s->own = ((struct sockaddr_in *)(void *)at->ifa_addr)->sin_addr.s_addr;
		s->peer = ((struct sockaddr_in *)(void *)at->ifa_dstaddr)->sin_addr.s_addr;
	}
	freeifaddrs(list);
}

/* The private interface that the host is behind, by the machine's routes.  NULL: said. */
static const struct rsip_iface *find_way(const struct rsip_plane *p, __be32 host, uint32_t *index)
{
	uint32_t ifindex = 0;
	int err = rsip_rtnl_route_get(host, &ifindex);

	for (uint32_t i = 0; i < p->iface_cnt && !err; i++) {
		if (p->iface[i].ifindex != ifindex || p->iface[i].role != RSIP_ROLE_PRIVATE)
			continue;
		*index = p->index[i];
		return &p->iface[i];
	}
	log_err("cannot take the session of %s: its tunnel comes by no private interface of the data plane (see `ip route get "
		"%s`)", rsip_ip4(host), rsip_ip4(host));
	return NULL;
}

/* What attach has set on the private interface holds for the sessions that come by it. */
static void copy_settings(const char *from, const char *to)
{
	static const char *const leaf[] = {"rp_filter", "accept_local", "forwarding"};
	char name[96], value[64];

	for (size_t i = 0; i < RSIP_ARRAY_LEN(leaf); i++) {
		snprintf(name, sizeof(name), "net/ipv4/conf/%s/%s", from, leaf[i]);
		if (rsip_sysctl_read(name, value, sizeof(value)))
			continue;
		snprintf(name, sizeof(name), "net/ipv4/conf/%s/%s", to, leaf[i]);
		rsip_undo_sysctl_quiet(name, value);
	}
}

static int put_program(const char *folder, uint32_t ifindex, struct rsip_session *s)
{
	struct rsip_iface iface = as_iface(ifindex);
	int prog = rsip_plane_open(folder, RSIP_PPP_PROG), err = prog < 0 ? prog : 0;

	if (!err && !rsip_tc_made(ifindex)) {
		err = rsip_tc_make(ifindex);
		s->flags |= err ? 0 : RSIP_SESSION_CLSACT;
	}
	if (!err)
		err = rsip_tc_put(&iface, prog);
	if (prog >= 0)
		close(prog);
	return err;
}

static void take_program(uint32_t ifindex, const struct rsip_session *s)
{
	rsip_tc_take(ifindex, false);
	if (s->flags & RSIP_SESSION_CLSACT && !rsip_tc_used(ifindex))
		rsip_tc_unmake(ifindex);
}

/* The session's own flags first: added twice, its qdisc stays ours. */
static int install(const char *folder, const struct maps *m, const char *name, struct rsip_session *s)
{
	struct rsip_session old = {0};
	uint32_t ifindex = s->ifindex;
	int err;

	if (!bpf_map_lookup_elem(m->sessions, &ifindex, &old) && old.host != s->host)
		bpf_map_delete_elem(m->ppp_of, &old.host);
	s->flags = old.flags;
	err = put_session(m, ifindex, s);
	if (err == -E2BIG)
		log_err("cannot take the session of %s: there are %d already, and no more fit", rsip_ip4(s->host),
			RSIP_MAX_SESSIONS);
	if (err)
		return err;
	err = put_program(folder, ifindex, s);
	if (!err)
		err = put_session(m, ifindex, s);
	if (!err && bpf_map_update_elem(m->ppp_of, &s->host, &ifindex, BPF_ANY))
		err = -errno;
	if (!err)
		return 0;
	take_program(ifindex, s);
	bpf_map_delete_elem(m->sessions, &ifindex);
	log_err("cannot put %s to use as the session of %s: %s (does this kernel have clsact and cls_bpf?)", name,
		rsip_ip4(s->host), strerror(-err));
	return err;
}

static int add_locked(const char *folder, const char *name, __be32 host)
{
	const struct rsip_iface *way;
	struct rsip_session s = {.host = host};
	struct rsip_netdev dev;
	struct rsip_plane p;
	struct maps m;
	uint32_t index;
	int err = rsip_plane_read(folder, &p);

	if (err == -ENOENT || err == -EUCLEAN || err == -EPROTO)
		log_err("cannot take the session of %s: %s (run `rsip-loader attach`)", rsip_ip4(host),
			err == -EPROTO ? "another version is attached" : "nothing is attached");
	if (!err && !p.here)
		log_err("cannot take the session of %s: %s is attached in another network namespace", rsip_ip4(host), folder);
	if (err || !p.here)
		return err ? err : -EXDEV;
	err = rsip_netdev_read(name, &dev);
	if (!err && dev.ethernet)
		err = -EPROTOTYPE;
	if (err) {
		log_err("cannot use %s as a session's interface: %s", name,
			err == -EPROTOTYPE ? "it has an Ethernet header" : strerror(-err));
		return err;
	}
	way = find_way(&p, host, &index);
	if (!way)
		return -EHOSTUNREACH;
	s.endpoint = way->endpoint;
	s.iface = (uint8_t)index;
	s.mtu = (uint16_t)(dev.mtu < UINT16_MAX ? dev.mtu : UINT16_MAX);
	s.ifindex = dev.ifindex;
	s.since_ns = rsip_now_ns();
	read_link(name, &s);
	copy_settings(way->name, name);
	err = open_maps(folder, &m);
	if (!err)
		err = install(folder, &m, name, &s);
	close_maps(&m);
	if (!err)
		log_info("%s is the L2TP session of %s, which is behind %s", name, rsip_ip4(host), way->name);
	return err;
}

/* ---- the end of one ---------------------------------------------------- */

static int end_session(const struct maps *m, uint32_t ifindex)
{
	struct rsip_session s;
	uint32_t now;

	if (bpf_map_lookup_elem(m->sessions, &ifindex, &s))
		return -ENOENT;
	/* the host may have come back by another interface before this one's hook has run */
	if (!bpf_map_lookup_elem(m->ppp_of, &s.host, &now) && now == ifindex)
		bpf_map_delete_elem(m->ppp_of, &s.host);
	take_program(ifindex, &s);
	bpf_map_delete_elem(m->sessions, &ifindex);
	return 0;
}

static int del_locked(const char *folder, const char *name)
{
	uint32_t ifindex = if_nametoindex(name);
	struct maps m;
	int err = open_maps(folder, &m);

	if (!err)
		err = ifindex ? end_session(&m, ifindex) : -ENOENT;
	close_maps(&m);
	return err;
}

/* ---- the commands ---------------------------------------------------- */

int rsip_loader_session_add(const struct rsip_loader_options *o)
{
	int lock, err;
	__be32 host;

	if (rsip_ip4_parse(o->word[1], &host)) {
		log_err("'%s' is no IPv4 address: the host's, by which its L2TP tunnel comes", o->word[1]);
		return RSIP_EXIT_USAGE;
	}
	lock = rsip_pins_lock(o->pin_path, NULL);
	err = lock < 0 ? lock : add_locked(o->pin_path, o->word[0], host);
	if (lock == -ENOENT)
		log_err("nothing is attached at %s (run `rsip-loader attach`)", o->pin_path);
	if (lock >= 0)
		close(lock);
	return err ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
}

int rsip_loader_session_del(const struct rsip_loader_options *o)
{
	int lock = rsip_pins_lock(o->pin_path, NULL), err;

	err = lock < 0 ? lock : del_locked(o->pin_path, o->word[0]);
	if (lock >= 0)
		close(lock);
	if (err == -ENOENT) {
		log_info("%s is no session's interface: nothing to do", o->word[0]);
		return RSIP_EXIT_NOTHING;
	}
	if (!err)
		log_info("%s is no session's interface any more", o->word[0]);
	return err ? RSIP_EXIT_FAILED : RSIP_EXIT_DONE;
}

/* ---- for the other commands ---------------------------------------------------- */

static int upgrade_one(uint32_t ifindex, const struct rsip_session *s, void *arg)
{
	struct rsip_iface iface = as_iface(ifindex);
	char name[IF_NAMESIZE];
	int err;

	if (!if_indextoname(ifindex, name))
		return 0;
	err = rsip_tc_put(&iface, *(int *)arg);
	if (err && !if_indextoname(ifindex, name))
		return 0; /* it has just gone */
	if (err)
		log_err("cannot put the new program on %s, the session of %s: %s (it keeps the old one: let the host dial "
			"in again)", name, rsip_ip4(s->host), strerror(-err));
	return err;
}

static int put_back(uint32_t ifindex, const struct rsip_session *s, void *arg)
{
	struct rsip_iface iface = as_iface(ifindex);

	(void)s;
	rsip_tc_put(&iface, *(int *)arg);
	return 0;
}

void rsip_ppp_back(const char *folder, int prog)
{
	struct maps m;

	if (!open_maps(folder, &m))
		each_session(m.sessions, put_back, &prog);
	close_maps(&m);
}

int rsip_ppp_upgrade(const char *folder, int prog)
{
	struct maps m;
	int err = open_maps(folder, &m);

	if (!err)
		err = each_session(m.sessions, upgrade_one, &prog);
	close_maps(&m);
	return err == -ENOENT ? 0 : err; /* a layout without sessions */
}

static int take_one(uint32_t ifindex, const struct rsip_session *s, void *arg)
{
	(void)arg;
	take_program(ifindex, s);
	return 0;
}

int rsip_ppp_take_all(const char *folder)
{
	struct maps m;
	int err = open_maps(folder, &m);

	if (!err)
		err = each_session(m.sessions, take_one, NULL);
	close_maps(&m);
	return err == -ENOENT ? 0 : err; /* a layout without sessions */
}

struct listing {
	const struct rsip_plane *p;
	cJSON *list;
	int ppp_of;
};

static int list_one(uint32_t ifindex, const struct rsip_session *s, void *arg)
{
	struct listing *l = arg;
	struct rsip_iface iface = as_iface(ifindex);
	char name[IF_NAMESIZE];
	uint32_t now = 0;
	cJSON *obj;

	if (!if_indextoname(ifindex, name))
		return 0;
	bpf_map_lookup_elem(l->ppp_of, &s->host, &now);
	obj = cJSON_CreateObject();
	cJSON_AddStringToObject(obj, "name", name);
	rsip_json_add_ip4(obj, "host", s->host);
	for (uint32_t i = 0; i < l->p->iface_cnt; i++)
		if (l->p->index[i] == s->iface)
			cJSON_AddStringToObject(obj, "behind", l->p->iface[i].name);
	rsip_json_add_u64(obj, "mtu", s->mtu);
	rsip_json_add_u64(obj, "seconds", (rsip_now_ns() - s->since_ns) / RSIP_NS_PER_S);
	cJSON_AddBoolToObject(obj, "attached", rsip_tc_prog_id(&iface) && now == ifindex);
	cJSON_AddItemToArray(l->list, obj);
	return 0;
}

void rsip_ppp_list(const char *folder, const struct rsip_plane *p, cJSON *answer)
{
	struct listing l = {.p = p, .list = cJSON_AddArrayToObject(answer, "sessions")};
	struct maps m;

	if (!open_maps(folder, &m)) {
		l.ppp_of = m.ppp_of;
		each_session(m.sessions, list_one, &l);
	}
	close_maps(&m);
}
